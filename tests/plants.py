"""Stores of a few machines, for the tests of what is worked out of their readings."""

from __future__ import annotations

from pathlib import Path

from contracts.batches import RawBatch, RawCommit
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from tests.store.samples import START_US, clean_commit, raw_rows

Reading = tuple[str, float, float]  # SITE/AREA/LINE/MACHINE/METRIC, hour since START_US, value


def fill(
    folder: Path, readings: list[Reading], *, first: int = 0, kind: Kind = Kind.COUNTER
) -> None:
    """Store readings, of which `first` are stored already, and judge them GOOD."""
    times = [START_US + int(hour * 3_600_000_000) for _, hour, _ in readings]
    rows = raw_rows(
        first,
        len(readings),
        tag=[tag for tag, _, _ in readings],
        source_time=times,
        received_time=times,
        value=[float(value) for _, _, value in readings],
    )
    names = sorted({tag for tag, _, _ in readings})
    tags = [Tag(name, Place(*name.split("/")), None, kind) for name in names]
    end = first + len(readings)
    with Lake.open(folder, writer="ingest") as lake:
        lake.commit_raw(RawCommit(RawBatch(rows), (), (), end, end, b""), new_tags=tags)
    with Lake.open(folder, writer="judge") as judge:
        judge.commit_clean(clean_commit(rows))
