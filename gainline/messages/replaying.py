"""Does `dead-letters replay`: sends dead letters to ingest, which stores those it reads now."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from contracts.errors import DataError
from contracts.message import DEAD_LETTERS, Origin
from gainline.bar import progress_bar
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.messages.handover import desk_of
from ingest.blocks import Received
from ingest.decode import decode
from ingest.readings import Refusal, Rules
from store.query import fetch_rows

# In memory at once: more than one of the largest payloads that are taken by default.
BATCH_BYTES = 8 << 20
BATCH_MESSAGES = 10_000

WAITING_SQL = """
SELECT d.position, octet_length(d.payload) FROM house.dead_letters AS d
WHERE NOT EXISTS (SELECT 1 FROM house.dead_letter_replays AS p WHERE p.position = d.position)
"""
LETTERS_SQL = """
SELECT position, topic, payload, epoch_us(received_time) FROM house.dead_letters
WHERE position IN (SELECT unnest(?::BIGINT[])) ORDER BY position
"""
KNOWN_SQL = """
SELECT position FROM house.dead_letters WHERE position IN (SELECT unnest(?::BIGINT[]))
"""
REFUSED_THERE = (
    "can be read with this configuration, but not by the ingest that runs, or would bring more tags"
    " than may be: restart it with this configuration"
)


@dataclass(frozen=True)
class Choice:
    """Which dead letters: at positions, of a reason, of a gateway; all where none is given."""

    positions: tuple[int, ...] = ()
    reason: str | None = None
    gateway: str | None = None


def replay_dead_letters(settings: Settings, choice: Choice) -> bool:
    """Send dead letters again and say what became of them; tell whether none of them remains.

    Raises DataError for a position without a dead letter, TransientError where the ingest of the
    store takes nothing.
    """
    store, rules = store_folder(settings), wiring.rules(settings)
    _require_known(store, choice.positions)
    sizes = dict(_waiting(store, choice))
    expected: dict[int, str] = {}
    if sizes:
        with desk_of(settings) as desk, progress_bar("replaying", len(sizes)) as advance:
            occasion = secrets.token_hex(8)
            for number, batch in enumerate(_batches(sizes)):
                name = f"{DEAD_LETTERS}{occasion}-{number}"
                letters = _letters(store, batch, name)
                expected |= {position: _complaint(letter, rules) for position, letter in letters}
                desk.put(name, [letter for _, letter in letters])
                advance(len(batch))
            desk.finish()
    remaining = [position for position, _ in _waiting(store, choice) if position in expected]
    typer.echo(
        f"{len(sizes) - len(remaining):,} dead letters are read now, {len(remaining):,} remain"
    )
    why = Counter(expected[position] or REFUSED_THERE for position in remaining)
    for words, count in why.most_common():
        typer.echo(f"{count:>9,}  {words}")
    return not remaining


def _require_known(store: Path, positions: tuple[int, ...]) -> None:
    """Raise DataError for a position that no dead letter has."""
    if not positions:
        return
    _, rows = fetch_rows(store, KNOWN_SQL, (list(positions),))
    strangers = set(positions) - {position for (position,) in rows}
    if strangers:
        raise DataError(
            f"no dead letter has the position {min(strangers)}; see `dead-letters list`"
        )


def _waiting(store: Path, choice: Choice) -> list[tuple[int, int]]:
    """Give position and bytes of the chosen dead letters that have not been replayed."""
    sql, parameters = WAITING_SQL, list[object]()
    if choice.positions:
        sql += " AND d.position IN (SELECT unnest(?::BIGINT[]))"
        parameters.append(list(choice.positions))
    if choice.reason is not None:
        sql += " AND split_part(d.reason, ':', 1) = ?"
        parameters.append(choice.reason)
    if choice.gateway is not None:
        sql += " AND d.gateway = ?"
        parameters.append(choice.gateway)
    _, rows = fetch_rows(store, f"{sql} ORDER BY d.position", parameters)
    return [(position, size) for position, size in rows]


def _batches(sizes: dict[int, int]) -> Iterator[list[int]]:
    batch: list[int] = []
    total = 0
    for position, size in sizes.items():
        if batch and (total + size > BATCH_BYTES or len(batch) == BATCH_MESSAGES):
            yield batch
            batch, total = [], 0
        batch.append(position)
        total += size
    if batch:
        yield batch


def _letters(store: Path, batch: list[int], name: str) -> list[tuple[int, Received]]:
    """Make messages of dead letters again, as they were received then."""
    _, rows = fetch_rows(store, LETTERS_SQL, (batch,))
    return [
        (position, Received(topic, payload, us, retained=False, origin=Origin(name, position)))
        for position, topic, payload, us in rows
    ]


def _complaint(letter: Received, rules: Rules) -> str:
    """Say why a message cannot be read, "" where it can."""
    outcome = decode(letter.topic, letter.payload, rules)
    return f"{outcome.code}: {outcome.words}" if isinstance(outcome, Refusal) else ""
