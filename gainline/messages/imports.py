"""Does `ingest --from`: files of recorded readings or messages take the way of those from a broker.

A file is handed over in pieces, each under a name made of its content and of all before it in the
file. So a piece that is in the lake is known, whichever file it comes in again, and of a file that
has grown only what is new is stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import typer

from contracts.errors import ConfigError, DataError
from contracts.message import Origin
from gainline.bar import progress_bar
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.messages.handover import Desk, desk_of
from ingest import replay
from ingest.blocks import Received
from ingest.commit import OWN_TOPICS
from ingest.readings import Rules
from ingest.recorded import READINGS, tables_of
from store.query import fetch_rows

# The gateway of readings that come from a file: they are counted under it, and the device that
# sent them stays free to send them itself.
GATEWAY = "import"
# A piece: in memory at once, about 100 MB with the messages made of it; readings are put in order
# of their time within one.
PIECE_ROWS = 250_000
PIECE_BYTES = 32 << 20
HASH_BYTES = 16

EARLIER_SQL = """
SELECT origin, sum(stored + duplicate + dead_letter)::BIGINT
FROM house.handed_over WHERE starts_with(origin, ?) GROUP BY origin
"""


@dataclass(frozen=True)
class Piece:
    """Rows of a file, and whether the lake has all of them."""

    rows: pa.Table
    parent: str  # hash of all before it in the file
    digest: str  # and with it
    is_stored: bool

    @property
    def row_count(self) -> int:
        """Its rows."""
        return self.rows.num_rows


def import_files(settings: Settings, files: Sequence[Path]) -> bool:
    """Import files into a store and say what became of them; tell whether all could be read.

    Every row of every file is checked before the first is stored. Raises DataError for a mistake
    in a file, TransientError where the ingest of the store takes nothing.
    """
    rules = wiring.rules(settings)
    try:
        count = sum(_row_count(file, rules) for file in files)
    except DataError as problem:
        raise DataError(f"{problem}; nothing was imported") from None
    known = 0
    with desk_of(settings) as desk, progress_bar("importing", count) as advance:
        for file in files:
            for piece in pieces_of(file, settings):
                known += piece.row_count if piece.is_stored else 0
                if not piece.is_stored:
                    hand_over(desk, piece, file)
                advance(piece.row_count)
        outcome = desk.finish()
    typer.echo(
        f"{outcome.stored:,} messages with {outcome.readings:,} readings stored,"
        f" {outcome.duplicate:,} duplicates, {outcome.dead_letter:,} dead letters;"
        f" {known:,} of {count:,} rows were imported before"
    )
    if outcome.dead_letter:
        typer.echo("gainline: `gainline dead-letters list` says why", err=True)
    return outcome.dead_letter == 0


def pieces_of(file: Path, settings: Settings) -> Iterator[Piece]:
    """Cut a file into pieces, where it was cut earlier as long as it is the same."""
    return _pieces(tables_of(file, wiring.rules(settings)), partial(_earlier, settings))


def hand_over(desk: Desk, piece: Piece, file: Path) -> None:
    """Make messages of a piece and hand them over."""
    make = _readings if piece.rows.schema == READINGS else _messages
    with _said(file):
        made = list(make(piece))
    name = f"file/{piece.parent}/{piece.digest}/{piece.row_count}/{len(made)}"
    desk.put(name, [one._replace(origin=Origin(name, n)) for n, one in enumerate(made)])


def _row_count(file: Path, rules: Rules) -> int:
    """Read a file to its end, for its mistakes."""
    count = 0
    for table in tables_of(file, rules):
        if table.schema == READINGS:
            with _said(file):
                replay.check(table)
        count += table.num_rows
    if count == 0:
        raise DataError(f"{file}: it has no rows")
    return count


@contextmanager
def _said(file: Path) -> Iterator[None]:
    """Say of which file a mistake is."""
    try:
        yield
    except DataError as problem:
        raise DataError(f"{file}: {problem}") from None


@dataclass(frozen=True)
class _Earlier:
    """A piece that was handed over earlier."""

    digest: str
    row_count: int
    is_stored: bool


def _pieces(
    tables: Iterator[pa.Table], earlier: Callable[[str], list[_Earlier]]
) -> Iterator[Piece]:
    rows, parent = pa.table({}), ""
    while (rows := _filled(rows, tables)).num_rows:
        rows_most = rows.slice(0, PIECE_ROWS)
        # those that follow no other begin with the same row, that few have to be looked at
        parent = parent or _digest("", rows.slice(0, 1))
        found = _cut_as(rows_most, parent, earlier(parent))
        piece = found or Piece(rows_most, parent, _digest(parent, rows_most), is_stored=False)
        yield piece
        rows, parent = rows.slice(piece.row_count), piece.digest


def _filled(rows: pa.Table, tables: Iterator[pa.Table]) -> pa.Table:
    parts = [rows] if rows.num_rows else []
    count, size = rows.num_rows, rows.nbytes
    while count < PIECE_ROWS and size < PIECE_BYTES and (more := next(tables, None)) is not None:
        parts.append(more)
        count, size = count + more.num_rows, size + more.nbytes
    return pa.concat_tables(parts) if parts else rows


def _cut_as(rows: pa.Table, parent: str, earlier: Sequence[_Earlier]) -> Piece | None:
    for one in sorted(earlier, key=lambda one: -one.row_count):
        if one.row_count <= rows.num_rows:
            part = rows.slice(0, one.row_count)
            if _digest(parent, part) == one.digest:
                return Piece(part, parent, one.digest, one.is_stored)
    return None


def _earlier(settings: Settings, parent: str) -> list[_Earlier]:
    """Ask the lake for the pieces that were stored after the one with this hash."""
    try:
        _, rows = fetch_rows(store_folder(settings), EARLIER_SQL, (f"file/{parent}/",))
    except ConfigError:
        return []  # there is no store yet
    found = []
    for name, done in rows:
        _, _, digest, row_count, message_count = name.split("/")
        found.append(_Earlier(digest, int(row_count), done >= int(message_count)))
    return found


def _digest(parent: str, rows: pa.Table) -> str:
    """Hash rows and all before them, however they are cut into chunks."""
    whole = blake2b(parent.encode(), digest_size=HASH_BYTES)
    for name in rows.column_names:
        whole.update(f"{name} {rows.num_rows}\n".encode())
        column = rows[name].combine_chunks()
        whole.update(np.asarray(column.is_valid()).tobytes())
        for part in _plain(column):
            whole.update(part)
    return whole.hexdigest()


def _plain(column: Any) -> Iterator[bytes]:  # noqa: ANN401  # an array of any type
    """Give the bytes of a column without nulls."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        values = column.drop_null().to_pylist()
        encoded = values if pa.types.is_binary(kind) else [value.encode() for value in values]
        yield np.array([len(value) for value in encoded], np.int64).tobytes()
        yield b"".join(encoded)
    elif pa.types.is_timestamp(kind):
        yield np.asarray(column.drop_null().cast(pa.int64())).tobytes()
    else:
        yield np.asarray(column.drop_null()).tobytes()


def _readings(piece: Piece) -> Iterator[Received]:
    now_us = time.time_ns() // 1000
    for topic, payload in replay.messages(piece.rows, gateway=GATEWAY, epoch=piece.digest):
        yield Received(topic, payload, now_us, retained=False)


def _messages(piece: Piece) -> Iterator[Received]:
    now_us = time.time_ns() // 1000
    times = piece.rows["received_time"].cast(pa.int64()).to_pylist()
    columns = (piece.rows[name].to_pylist() for name in ("topic", "payload", "retained"))
    for topic, payload, retained, received_us in zip(*columns, times, strict=True):
        if not topic.startswith(OWN_TOPICS):
            us = now_us if received_us is None else min(received_us, now_us)
            yield Received(topic, payload, us, retained=retained)
