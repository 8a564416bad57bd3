"""Durable commits with their position against a bare Parquet file, by the size of the commit.

    python -m tests.bench.storing                  # rates and bytes
    python -m tests.bench.storing --stall 3000     # the longest of so many commits, the log's size

Contenders take the same rows in turn. Ours sorts them, syncs file and folder, notes the hash of the
file and moves the position in one transaction of the catalog; `write_table` of pyarrow writes them
as they come, with zstd, and syncs nothing; delta-rs (where deltalake is installed, which gainline
does not need) has a log of files, without a position, and syncs nothing either. pyarrow is given
the rows with coded strings and with plain ones: the faster of the two counts.

The rows have every column that ingest hands over. `single` are single readings of 500 tags, `many`
of 20,000; `columns` come 200 of a tag at a time; `recorded` are recordings of real sensors, all in
parallel, `vibration` a real bearing, 12,000 a second, where ../shared/data has them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from contracts.batches import (
    CLEAN_SCHEMA,
    CODED,
    RAW_SCHEMA,
    CleanBatch,
    CleanCommit,
    LedgerEntry,
    RawBatch,
    RawCommit,
)
from contracts.coding import coded, without_unused
from store.lake import Lake
from store.query import connect

SENSORS = Path(__file__).parents[3] / "shared" / "data" / "sensors"
SINCE_US = 1_767_225_600_000_000
SECOND_US = 1_000_000
GATEWAYS = 10
# Of what ingest and the judge remember: it changes with each commit.
MEMORY_BYTES = 100_000
SIZES = {1_000: 40, 10_000: 20, 100_000: 9, 1_000_000: 5}  # readings of a commit: rounds
SIZED = 1_000_000  # readings of whose file the bytes are counted
STALL_READINGS = 1_000


class Series(NamedTuple):
    """Readings in order of arrival: the number of each one's tag, its time, its value."""

    names: list[str]
    tag: npt.NDArray[np.int32]
    time_us: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    per_message: int = 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--stall", type=int, default=0, metavar="COMMITS")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gainline-storing-") as name:
        if told.stall:
            print(json.dumps(stall(Path(name), told.stall), indent=1))
            return
        for kind in told.kinds:
            if (made := KINDS[kind](max(*told.sizes, SIZED))) is None:
                print(f"{kind}: the recordings are missing", file=sys.stderr)
                continue
            table = handed_over(made)
            for line in sizes(Path(name), kind, table.slice(0, SIZED)):
                print(line, flush=True)
            for size in told.sizes:
                print(rates(Path(name) / f"{kind}-{size}", kind, table, size), flush=True)


def single(rows: int, tags: int = 500) -> Series:
    """One reading of each tag a second, values of the resolution that sensors have."""
    rng = np.random.default_rng(1)
    steps = -(-rows // tags)
    walk = np.cumsum(rng.normal(0, 0.05, (steps, tags)), axis=0) + rng.uniform(10, 90, tags)
    walk[:, ::10] = np.cumsum(rng.poisson(0.3, walk[:, ::10].shape), axis=0)  # counters
    walk[:, 1::10] = (walk[:, 1::10] > walk[:, 1::10].mean(axis=0)).astype(float)  # states
    times = SINCE_US + np.arange(steps)[:, None] * SECOND_US + rng.integers(0, 900_000, tags)
    times = times // 1_000 * 1_000  # a device counts milliseconds
    names = [f"plant/area{n % 7}/line{n % 31}/machine{n}/signal{n % 13}" for n in range(tags)]
    tag = np.tile(np.arange(tags, dtype=np.int32), steps)[:rows]
    return Series(names, tag, times.ravel()[:rows], np.round(walk, 2).ravel()[:rows])


def many(rows: int) -> Series:
    """The same of more tags than a minute has seconds."""
    return single(rows, 20_000)


def columns(rows: int) -> Series:
    """The same readings, 200 of a tag in each message."""
    whole = single(rows)
    tags, per = len(whole.names), 200
    steps = rows // tags // per * per
    order = np.arange(steps * tags).reshape(-1, per, tags).transpose(0, 2, 1).ravel()
    return Series(
        whole.names, whole.tag[order], whole.time_us[order], whole.value[order], per_message=per
    )


def recorded(rows: int) -> Series | None:
    """Recordings, all in parallel, again and later where they end too soon."""
    return _recordings([p for p in SENSORS.glob("*/data.parquet") if p.parent.name != "cwru"], rows)


def vibration(rows: int) -> Series | None:
    """A bearing's."""
    found = _recordings(list(SENSORS.glob("cwru/data.parquet")), rows)
    return found and found._replace(per_message=1_000)


def _recordings(paths: list[Path], rows: int) -> Series | None:
    if not paths:
        return None
    names = ["tag", "source_time", "value"]
    read = pa.concat_tables([pq.read_table(path, columns=names) for path in sorted(paths)])
    coded: Any = read["tag"].combine_chunks().dictionary_encode()
    tag = coded.indices.to_numpy()
    times = read["source_time"].cast(pa.int64()).to_numpy()
    step = np.arange(len(tag)) - np.searchsorted(tag, tag)  # a tag's rows lie side by side
    order = np.lexsort((tag, step))
    again = -(-rows // len(order))
    span = np.zeros(len(coded.dictionary), np.int64)
    np.maximum.at(span, tag, times)
    later = (span - times[np.searchsorted(tag, np.arange(len(span)))] + SECOND_US)[tag]
    parts = [times[order] + number * later[order] for number in range(again)]
    return Series(
        coded.dictionary.to_pylist(),
        np.tile(tag[order], again)[:rows],
        np.concatenate(parts)[:rows],
        np.tile(read["value"].to_numpy()[order], again)[:rows],
    )


KINDS: dict[str, Callable[[int], Series | None]] = {
    "single": single,
    "many": many,
    "columns": columns,
    "recorded": recorded,
    "vibration": vibration,
}


def handed_over(series: Series) -> pa.Table:
    """Give the readings all columns that ingest gives them, strings coded as it codes them."""
    rows = len(series.tag)
    rng = np.random.default_rng(2)
    message = np.arange(rows) // series.per_message
    gaps = rng.exponential(SECOND_US * series.per_message / 2_000, message[-1] + 1)
    received = (SINCE_US + np.cumsum(gaps).astype(np.int64) + 300_000)[message]
    sender = (series.tag % GATEWAYS)[:: series.per_message]
    seq = np.zeros(len(sender), np.int64)
    for number in range(GATEWAYS):
        own = sender == number
        seq[own] = np.arange(own.sum())
    given = {
        "arrival": pa.array(np.arange(rows)),
        "tag": _coded(series.names, series.tag),
        "source_time": pa.array(series.time_us),
        "received_time": pa.array(received),
        "value": pa.array(series.value, from_pandas=True),
        "source_quality": pa.array(np.zeros(rows, np.int8)),
        "source_reasons": pa.array(np.zeros(rows, np.int32)),
        "gateway": _coded([f"gateway-{n}" for n in range(GATEWAYS)], sender[message]),
        "epoch": _coded(["0190c1f2"], np.zeros(rows, np.int32)),
        "seq": pa.array(seq[message]),
        "identity": _coded(["A"], np.zeros(rows, np.int32)),
        "topic": _coded(series.names, series.tag),
    }
    fields = [
        f.with_type(CODED) if given.get(f.name, _NONE).type == CODED else f for f in RAW_SCHEMA
    ]
    arrays = [
        given[f.name].view(f.type) if f.name in given else pa.nulls(rows, f.type) for f in fields
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


_NONE = pa.nulls(0)


def _coded(names: list[str], numbers: npt.NDArray[np.int32]) -> pa.Array[Any]:
    used, places = np.unique(numbers, return_inverse=True)
    own = pa.array(names).take(pa.array(used))
    return pa.DictionaryArray.from_arrays(places.astype(np.int32), own)


def batch(table: pa.Table, first: int, size: int) -> pa.Table:
    """Cut a commit's rows, from anywhere, as ingest would make them: no name that is not used."""
    cut = table.slice(first % (table.num_rows - size + 1), size)
    whole = [
        _coded(column.chunk(0).dictionary.to_pylist(), column.chunk(0).indices.to_numpy())
        if column.type == CODED
        else pa.concat_arrays([column.chunk(0)])
        for column in cut.columns
    ]
    arrivals = pa.array(np.arange(first, first + size))
    return pa.Table.from_arrays([arrivals, *whole[1:]], schema=table.schema)


def judged(table: pa.Table) -> pa.Table:
    """Add the verdicts, as the judge hands them over: what it held, what is new, each coded."""
    rng = np.random.default_rng(3)
    rows = table.num_rows
    held, new = (_coded_alone(part) for part in (table.slice(0, rows // 2), table.slice(rows // 2)))
    readings = pa.concat_tables([held, new])
    bad = rng.random(rows) < 0.01
    verdicts = (
        readings["value"].combine_chunks(),
        pa.array(np.where(bad, 2, 0).astype(np.int8)),
        pa.array(np.where(bad, 16, 0).astype(np.int32)),
    )
    for field, column in zip(list(CLEAN_SCHEMA)[-3:], verdicts, strict=True):
        readings = readings.append_column(field, column)
    return readings


def _coded_alone(table: pa.Table) -> pa.Table:
    """Code all strings of rows, without those that only other rows have."""
    whole = coded(table)
    columns = [without_unused(each) if each.type == CODED else each for each in whole.columns]
    return pa.Table.from_arrays(columns, schema=whole.schema)


def rates(folder: Path, kind: str, table: pa.Table, size: int) -> str:
    """Let the contenders write the same rows in turn; give a line of the medians."""
    folder.mkdir()
    spent: dict[str, list[float]] = {}
    with (
        Lake.open(folder / "a", writer="ingest") as raw,
        Lake.open(folder / "b", writer="judge") as clean,
    ):
        for number in range(SIZES.get(size, 5) + 1):  # the first is not counted
            rows = batch(table, number * size, size)
            for name, work in contenders(folder, raw, clean, rows, number):
                began = time.perf_counter()
                work()
                taken = time.perf_counter() - began
                if number:
                    spent.setdefault(name, []).append(taken)
    shutil.rmtree(folder)
    middle = {name: median(times) for name, times in spent.items()}
    bare = {
        which: min(middle[f"{which} coded"], middle[f"{which} plain"]) for which in ("raw", "clean")
    }
    words = [
        f"{which} {middle[f'{which} ours'] * 1e3:.1f} ms, {size / middle[f'{which} ours']:,.0f}/s,"
        f" {bare[which] / middle[f'{which} ours']:.2f} of write_table"
        for which in ("raw", "clean")
    ]
    if "delta" in middle:
        words.append(f"delta-rs {bare['raw'] / middle['delta']:.2f}")
    return f"| {kind} | {size:,} | {' | '.join(words)} |"


def contenders(
    folder: Path, raw: Lake, clean: Lake, rows: pa.Table, number: int
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Give each contender's work, prepared; the order turns from round to round."""
    end, memory = (number + 1) * rows.num_rows, os.urandom(MEMORY_BYTES)
    ledger = (LedgerEntry("gateway-0", rows.num_rows, rows.num_rows, 0, 0),)
    coming = RawCommit(RawBatch(rows), (), ledger, end, end, memory)
    plain, verdicts = rows.cast(RAW_SCHEMA), judged(rows)
    plain_verdicts, whole_verdicts = verdicts.cast(CLEAN_SCHEMA), verdicts.combine_chunks()
    decided = CleanCommit(CleanBatch(verdicts), end, memory, 1)
    bare = folder / f"{number}.parquet"
    works: list[tuple[str, Callable[[], object]]] = [
        ("raw ours", lambda: raw.commit_raw(coming)),
        ("raw coded", lambda: pq.write_table(rows, bare, compression="zstd")),
        ("raw plain", lambda: pq.write_table(plain, bare, compression="zstd")),
        ("clean ours", lambda: clean.commit_clean(decided)),
        ("clean coded", lambda: pq.write_table(whole_verdicts, bare, compression="zstd")),
        ("clean plain", lambda: pq.write_table(plain_verdicts, bare, compression="zstd")),
    ]
    if (delta := _delta(folder, plain)) is not None:
        works.append(("delta", delta))
    yield from works[number % len(works) :] + works[: number % len(works)]
    bare.unlink(missing_ok=True)


def _delta(folder: Path, plain: pa.Table) -> Callable[[], object] | None:
    try:
        from deltalake import WriterProperties, write_deltalake  # noqa: PLC0415  # not needed else
    except ImportError:
        return None
    zstd = WriterProperties(compression="ZSTD", compression_level=1)
    target = str(folder / "delta")
    return lambda: write_deltalake(target, plain, mode="append", writer_properties=zstd)


def sizes(folder: Path, kind: str, table: pa.Table) -> Iterator[str]:
    """Compare the bytes of a reading, raw and judged, with plainer ways to write the same."""
    place = folder / f"{kind}-bytes"
    place.mkdir()
    end = table.num_rows
    ours = {}
    with Lake.open(place / "a", writer="ingest") as lake:
        lake.commit_raw(RawCommit(RawBatch(table), (), (), end, end, b""))
        ours["raw"] = _segment_bytes(place / "a")
    with Lake.open(place / "b", writer="judge") as lake:
        lake.commit_clean(CleanCommit(CleanBatch(judged(table)), end, b"", 1))
        ours["clean"] = _segment_bytes(place / "b")
    plain = {"raw": table.cast(RAW_SCHEMA), "clean": judged(table).cast(CLEAN_SCHEMA)}
    for which, rows in plain.items():
        bare = place / "bare.parquet"
        pq.write_table(rows, bare, compression="zstd", compression_level=3)
        arrival = bare.stat().st_size
        rows.to_pandas().to_parquet(bare)
        own = ours[which]
        yield (
            f"| {kind} | bytes a reading, {which} | {own / end:.2f}"
            f" | {own / arrival:.2f} of {arrival / end:.2f} in order of arrival"
            f" | {own / bare.stat().st_size:.2f} of {bare.stat().st_size / end:.2f} of pandas |"
        )
    shutil.rmtree(place)


def _segment_bytes(store: Path) -> int:
    return sum(path.stat().st_size for path in (store / "data").rglob("*.parquet"))


def stall(folder: Path, commits: int) -> dict[str, Any]:
    """Commit small batches beside a reader that comes and goes, then beside one that stays."""
    table = handed_over(single(STALL_READINGS * 20))
    return {
        kind: _stall(folder / kind, table, commits // 2, stays=kind == "reader stays")
        for kind in ("readers come and go", "reader stays")
    }


def _stall(folder: Path, table: pa.Table, commits: int, *, stays: bool) -> dict[str, Any]:
    done = threading.Event()
    asked: list[float] = []

    def ask() -> None:
        with connect(folder) as reader:
            if stays:
                reader.execute("BEGIN")
            while not done.wait(0.05):
                began = time.perf_counter()
                reader.execute("SELECT count(*) FROM raw.readings").fetchall()
                asked.append(time.perf_counter() - began)

    spent, logs = [], []
    with Lake.open(folder, writer="ingest") as lake:
        thread = threading.Thread(target=ask)
        thread.start()
        for number in range(commits):
            rows = batch(table, number * STALL_READINGS, STALL_READINGS)
            end = (number + 1) * STALL_READINGS
            commit = RawCommit(RawBatch(rows), (), (), end, end, b"memory")
            began = time.perf_counter()
            lake.commit_raw(commit)
            spent.append(time.perf_counter() - began)
            logs.append((folder / "catalog.sqlite-wal").stat().st_size)
        done.set()
        thread.join()
    tenth = max(len(spent) // 10, 1)
    return {
        "commits": commits,
        "median_ms": round(median(spent) * 1e3, 1),
        "first_tenth_ms": round(median(spent[:tenth]) * 1e3, 1),
        "last_tenth_ms": round(median(spent[-tenth:]) * 1e3, 1),
        "p99_ms": round(sorted(spent)[len(spent) * 99 // 100] * 1e3, 1),
        "longest_ms": round(max(spent) * 1e3, 1),
        "longest_query_ms": round(max(asked) * 1e3, 1),
        "whole_seconds": sum(each >= 1.0 for each in [*spent, *asked]),  # as SQLite sleeps
        "log_mb": round(max(logs) / 1e6, 1),
        "catalog_mb": round((folder / "catalog.sqlite").stat().st_size / 1e6, 1),
    }


if __name__ == "__main__":
    main()
