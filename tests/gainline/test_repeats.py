"""Repeats, conflicts, gaps and limits of tags from the journal to the views, with restarts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import IngestSection, StoreSection
from gainline.config.store_place import store_folder
from gainline.flow import Bench, Intake
from ingest.blocks import Received
from ingest.sources import Sources
from store.query import fetch

TS_MS = 1_767_225_600_000
TOPIC = "s/a/l/m"


def settings_in(folder: Path, **ingest: int) -> Settings:
    section = IngestSection(**ingest)  # type: ignore[arg-type]
    return Settings(store=StoreSection(folder=str(folder / "store")), ingest=section)


def received(payload: object, *, topic: str = TOPIC, retained: bool = False) -> Received:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Received(topic, body, TS_MS * 1000, retained=retained)


def counted(seq: int, gateway: str = "g", **fields: object) -> dict[str, object]:
    return {"gateway": gateway, "epoch": "e", "seq": seq, "ts": TS_MS + 1000 * seq, **fields}


def run(settings: Settings, messages: Sequence[Received], *, at_end: bool = False) -> None:
    """Start, store and judge messages, and end as if killed."""
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_lake(settings, writer="judge") as judged,
        wiring.open_journal(settings, first_position=lake.ingest_progress().position) as journal,
    ):
        journal.append(list(messages))
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        while intake.store_new():
            pass
        bench = Bench(judged, wiring.rule_for(settings), wiring.judge_settings(settings))
        while bench.judge_new(TS_MS * 1000):
            pass
        if at_end:
            bench.finish()


def ask(settings: Settings, sql: str) -> list[dict[str, Any]]:
    return fetch(store_folder(settings), sql).to_pylist()


def values_and_reasons(settings: Settings) -> list[tuple[float, list[str]]]:
    """In order of arrival."""
    rows = ask(
        settings,
        "SELECT c.value, r.reasons FROM clean.readings AS c JOIN readings AS r"
        " ON c.tag = r.tag AND c.source_time = r.source_time AND c.value = r.value"
        " ORDER BY c.arrival",
    )
    return [(row["value"], row["reasons"]) for row in rows]


@pytest.mark.parametrize(
    "runs",
    [
        [[{"ts": TS_MS, "value": 1}, {"ts": TS_MS, "value": 2}]],
        [[{"ts": TS_MS, "value": 1}], [{"ts": TS_MS, "value": 2}]],
        [[{"ts": [TS_MS, TS_MS], "value": [1, 2]}]],
        [[counted(0, value=1, ts=TS_MS)], [counted(1, value=2, ts=TS_MS)]],
    ],
    ids=["two messages", "a restart between", "one message", "with counts"],
)
def test_another_value_at_the_same_time_is_kept_and_called_a_conflict(
    tmp_path: Path, runs: list[list[dict[str, object]]]
) -> None:
    settings = settings_in(tmp_path)
    for number, payloads in enumerate(runs):
        run(settings, [received(one) for one in payloads], at_end=number == len(runs) - 1)
    assert [row["value"] for row in ask(settings, "FROM raw.readings ORDER BY arrival")] == [1, 2]
    assert values_and_reasons(settings) == [(1, []), (2, ["conflict"])]


def test_the_same_reading_again_is_a_duplicate_message_also_after_a_restart(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    sent = [received({"ts": TS_MS, "value": 1}), received(b"7", topic="p/x", retained=True)]
    for _ in range(3):
        run(settings, sent)
    assert ask(settings, "FROM ledger") == [
        {"gateway": "", "received": 6, "stored": 2, "duplicate": 4, "dead_letter": 0}
    ]


def test_gaps_are_shown_and_closed_across_restarts(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    run(settings, [received(counted(seq, x=1)) for seq in (2, 3, 9)])
    ranges = "SELECT first_seq, last_seq, count FROM gaps WHERE gateway = 'g' ORDER BY first_seq"
    assert [tuple(row.values()) for row in ask(settings, ranges)] == [(0, 1, 2), (4, 8, 5)]
    broken = {**counted(6), "ts": [1, 2], "x": 3}
    run(settings, [received(counted(seq, x=1)) for seq in (0, 5, 9)] + [received(broken)])
    assert [tuple(row.values()) for row in ask(settings, ranges)] == [
        (1, 1, 1),
        (4, 4, 1),
        (7, 8, 2),
    ]


def test_counting_anew_in_the_same_epoch_loses_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    run(settings, [received(counted(seq, x=seq)) for seq in range(5)])
    anew = [received({**counted(seq, x=seq), "ts": TS_MS + 60_000 + seq}) for seq in range(3)]
    for _ in range(2):
        run(settings, anew)
    (ledger,) = ask(settings, "FROM ledger")
    assert (ledger["stored"], ledger["duplicate"]) == (8, 3)


def test_a_gateway_with_too_many_tags_holds_up_nobody(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, tags_per_gateway_max=2, tags_max=5)
    odd = [received(counted(seq, "odd", **{f"n{seq}": 1})) for seq in range(5)]
    good = [received(counted(seq, "good", x=seq, y=seq)) for seq in range(5)]
    mixed = [one for pair in zip(odd, good, strict=True) for one in pair]
    for messages in (mixed[:4], mixed[4:]):
        run(settings, messages)
    run(settings, [received(counted(5, "odd", n1=1)), received(counted(0, "third", z=1, w=1))])
    ledger = {row["gateway"]: row for row in ask(settings, "FROM ledger")}
    found = {name: (row["stored"], row["dead_letter"]) for name, row in ledger.items()}
    assert found == {"odd": (3, 3), "good": (5, 0), "third": (0, 1)}
    reasons = {row["reason"] for row in ask(settings, "FROM dead_letters")}
    assert reasons == {
        "too_many_tags: more tags than the limit of a gateway, 2",
        "too_many_tags: more tags than the limit of the store, 5",
    }
    assert ask(settings, "FROM gaps") == []
    tags = ask(settings, "SELECT metric, gateway FROM tags ORDER BY metric")
    senders = {"n0": "odd", "n1": "odd", "x": "good", "y": "good"}
    assert {row["metric"]: row["gateway"] for row in tags} == senders
