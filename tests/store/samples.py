"""Readings and commits for the tests of the store."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from contracts.batches import (
    CLEAN_SCHEMA,
    RAW_SCHEMA,
    CleanBatch,
    CleanCommit,
    LedgerEntry,
    RawBatch,
    RawCommit,
)
from store.lake import Lake
from store.tables import ROLLUPS

# 2026-01-05 is a Monday.
START_US = 1_767_571_200_000_000


def raw_rows(first: int, count: int, **columns: Iterable[object]) -> pa.Table:
    """Make `count` readings from number `first` on, a second apart, of three tags in turn."""
    numbers = range(first, first + count)
    rows: dict[str, list[object]] = {
        "arrival": list(numbers),
        "tag": [f"s/a/l/m/tag{number % 3}" for number in numbers],
        "source_time": [START_US + number * 1_000_000 for number in numbers],
        "received_time": [START_US + number * 1_000_000 + 250_000 for number in numbers],
        "value": [float(number) for number in numbers],
        "text": [None] * count,
        "source_quality": [0] * count,
        "source_reasons": [0] * count,
        "source_status": [None] * count,
        "gateway": ["gw1"] * count,
        "epoch": ["e1"] * count,
        "seq": list(numbers),
        "identity": ["A"] * count,
        "topic": ["s/a/l/m"] * count,
    }
    rows.update({name: list(values) for name, values in columns.items()})
    arrays = [pa.array(rows[field.name], field.type) for field in RAW_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=RAW_SCHEMA)


def raw_commit(first: int, count: int, *, position: int, memory: bytes = b"seen") -> RawCommit:
    """Make a commit of `count` messages with one reading each."""
    return RawCommit(
        RawBatch(raw_rows(first, count)),
        (),
        (LedgerEntry("gw1", count, count, 0, 0),),
        position,
        first + count,
        memory,
    )


def judged(raw: pa.Table, **columns: Iterable[object]) -> pa.Table:
    """Give readings verdicts: GOOD, the value as it came, unless `columns` says otherwise."""
    count = raw.num_rows
    verdicts = {"value_clean": raw["value"], "quality": [0] * count, "reasons": [0] * count}
    verdicts.update(columns)
    for name, values in verdicts.items():
        field = CLEAN_SCHEMA.field(name)
        plain = values.to_pylist() if isinstance(values, pa.ChunkedArray) else values
        raw = raw.append_column(field, pa.array(plain, field.type))
    return raw


def as_format_1(lake: Lake, root: Path) -> None:
    """Make an empty store as a program of format 1 has made it."""
    for view in ("latest", "minute", "hour"):
        lake._connection.execute(f"DROP VIEW main.{view}")
    for table in ROLLUPS:
        lake._connection.execute(f"DROP TABLE {table.path}")
    lake._connection.execute("DROP TABLE house.rollup_progress")
    lake._connection.execute("ALTER TABLE clean.readings DROP COLUMN judge_commit")
    lake._connection.execute("DELETE FROM house.view_version")
    (root / "format_version").write_text("1\n", encoding="ascii")


def clean_commit(
    raw: pa.Table, *, memory: bytes = b"state", **columns: Iterable[object]
) -> CleanCommit:
    """Make a commit of the judge for these raw readings."""
    until = raw["arrival"].to_pylist()[-1] + 1
    return CleanCommit(CleanBatch(judged(raw, **columns)), until, memory)
