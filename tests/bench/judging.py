"""How fast readings are judged: in the kernel, from Parquet to Parquet, from a lake.

    python -m tests.bench.judging [--readings 5000000] [--repeats 3] [--tags 5000]

Everything runs on one core, pandas too (the script binds itself to one), and is timed by the
processor's time, so that what else the machine does counts little; `clean` by the clock as well.
Series are noise with one percent of spikes and a thousandth of missing values, all tags
interleaved. Rates are the best of the repeats; the ratios come from one run.

`kernel` hands over arrays that are laid out already, in batches of 5,000. `pandas` does nothing but
the median, of a window of 15: by groupby and rolling over the whole table at once, and as a stream
would have it, in batches of 5,000 beside the 14 readings of each tag before. `clean` is the whole
command, its start included.
`live` is the service's step from raw readings in a lake to their verdicts in it, in commits of
5,000 readings as one second of 5,000 tags would give, and of 500,000, as after a standstill.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clean.judge import Judge
from clean.kernel import Rows
from clean.roster import empty_roster
from clean.settings import Settings as JudgeSettings
from clean.state import arrays, new_state
from contracts.batches import RAW_SCHEMA, RawBatch, RawCommit
from contracts.tags import TagRule
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import StoreSection

BATCH = 5_000
SECOND_US = 1_000_000
SINCE_US = 1_767_225_600 * SECOND_US
WINDOW = 15
PANDAS_WINDOWS = 5  # a batch takes it a tenth of a second
LIVE_COMMITS = 40


def readings(count: int, tags: int) -> pa.Table:
    """Readings of interleaved tags, one a second each."""
    rng = np.random.default_rng(1)
    per_tag = count // tags
    tag = np.tile(np.arange(tags, dtype=np.int32), per_tag)
    time_us = np.repeat(SINCE_US + np.arange(per_tag) * SECOND_US, tags)
    value = np.round(rng.normal(20, 0.1, len(tag)) + tag % 50, 3)
    value[rng.random(len(tag)) < 0.01] += 50
    value[rng.random(len(tag)) < 0.001] = np.nan
    names = pa.array([f"site/area{n % 7}/line{n % 11}/m{n}/temperature" for n in range(tags)])
    return pa.table({
        "tag": pa.DictionaryArray.from_arrays(tag, names).cast(pa.string()),
        "source_time": pa.array(time_us).cast(pa.timestamp("us", "UTC")),
        "value": pa.array(value),
    })  # fmt: skip


def kernel_rate(table: pa.Table, repeats: int) -> float:
    """Readings a second in the compiled loop alone."""

    def once() -> float:
        roster = empty_roster(lambda _: TagRule(learns_kind=True))
        tag = roster.rows_of(table["tag"])
        times = table["source_time"].cast(pa.int64()).to_numpy()
        value, mark = table["value"].to_numpy(), np.zeros(len(tag), np.uint8)
        parts = [
            Rows(tag[cut], times[cut], value[cut], mark[cut])
            for cut in (slice(at, at + BATCH) for at in range(0, len(tag), BATCH))
        ]
        began = time.process_time()
        for number, rows in enumerate(parts):
            roster.take(rows, number * BATCH)
        return len(tag) / (time.process_time() - began)

    once()  # compiles, or loads what was compiled
    return max(once() for _ in range(repeats))


def pandas_rates(table: pa.Table, tags: int) -> tuple[float, float]:
    """Readings a second of a rolling median by tag: of a whole table, and batch by batch."""
    frame = table.slice(0, PANDAS_WINDOWS * WINDOW * tags).to_pandas()
    began = time.process_time()
    frame.groupby("tag")["value"].rolling(WINDOW, center=True).median()
    whole = len(frame) / (time.process_time() - began)
    spent, count = 0.0, 0
    for first in range(0, PANDAS_WINDOWS * tags, tags):
        began = time.process_time()
        windows = frame.iloc[first : first + WINDOW * tags]  # one reading of each tag is new
        windows.groupby("tag")["value"].rolling(WINDOW).median().groupby(level=0).last()
        spent, count = spent + time.process_time() - began, count + tags
    return whole, count / spent


def clean_rate(asked: argparse.Namespace, folder: Path) -> tuple[float, float, float]:
    """Readings a second of `gainline clean` by clock and by processor; its largest memory in MB.

    The file is written by a process of its own: a child counts what its parent had as its own.
    """
    source, target = folder / "in.parquet", folder / "out.parquet"
    myself = [sys.executable, "-m", "tests.bench.judging", "--write", str(source)]
    subprocess.run(
        [*myself, "--readings", str(asked.readings), "--tags", str(asked.tags)], check=True
    )
    count = pq.read_metadata(source).num_rows
    taken, busy, memory_mb = [], [], 0.0
    for _ in range(asked.repeats + 1):  # the first may have to compile
        began = time.perf_counter()
        words = [sys.executable, "-m", "gainline", "clean", str(source), str(target)]
        with subprocess.Popen(words) as process:
            _, code, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(code)
        taken.append(time.perf_counter() - began)
        busy.append(used.ru_utime + used.ru_stime)
        memory_mb = used.ru_maxrss / 1024
        if process.returncode:
            sys.exit(f"gainline clean ended with {process.returncode}")
    return count / min(taken[1:]), count / min(busy[1:]), memory_mb


def raw(table: pa.Table, first: int = 0) -> RawBatch:
    """The same as readings of a lake, received when they were stamped."""
    count = table.num_rows
    given = {
        "arrival": pa.array(np.arange(first, first + count)),
        "received_time": table["source_time"],
        "source_quality": pa.array(np.zeros(count, np.int8)),
        "source_reasons": pa.array(np.zeros(count, np.int32)),
        "identity": pa.array(["C"]).take(pa.array(np.zeros(count, np.int32))),
        "topic": table["tag"],
        "value": pc.if_else(pc.is_finite(table["value"]), table["value"], None),
    } | {name: table[name] for name in ("tag", "source_time")}
    columns = [
        given[field.name].cast(field.type) if field.name in given else pa.nulls(count, field.type)
        for field in RAW_SCHEMA
    ]
    return RawBatch(pa.table(columns, schema=RAW_SCHEMA))


def memory_costs(table: pa.Table, tags: int) -> tuple[float, float, float]:
    """Microseconds a tag of `memory` and of `restore`, and bytes a tag of what is written."""
    judge = Judge(lambda _: TagRule(learns_kind=True), JudgeSettings(max_delay_s=60.0))
    judge.push(raw(table.slice(0, 40 * tags)))
    began = time.process_time()
    memory = judge.memory()
    written = time.process_time() - began
    began = time.process_time()
    Judge.restore(memory, lambda _: TagRule(learns_kind=True), JudgeSettings(max_delay_s=60.0))
    read = time.process_time() - began
    return written / tags * 1e6, read / tags * 1e6, len(memory) / tags


def live_rates(table: pa.Table, folder: Path) -> Iterator[tuple[int, float]]:
    """Readings of a commit, and readings a second of the judge's step, for two sizes."""
    for name, size, count in (("small", BATCH, LIVE_COMMITS * BATCH), ("all", 500_000, 500_000)):
        settings = Settings(store=StoreSection(folder=str(folder / name)))
        with (
            wiring.open_lake(settings, writer="ingest") as lake,
            wiring.open_lake(settings, writer="judge") as judged,
        ):
            bench = wiring.bench(settings, judged)
            spent = 0.0
            for first in range(0, count, size):
                batch = raw(table.slice(first, size), first)
                until = first + size
                lake.commit_raw(RawCommit(batch, (), (), until, until, b""), new_tags=[])
                began = time.process_time()
                bench.judge_new(0)
                spent += time.process_time() - began if first or size == count else 0.0
        yield size, (count if size == count else count - size) / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readings", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tags", type=int, default=5_000)
    parser.add_argument("--write", metavar="FILE", help="only write the table of the benchmark")
    asked = parser.parse_args()
    if asked.write:
        pq.write_table(readings(asked.readings, asked.tags), asked.write)
        return
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    pa.set_cpu_count(1)
    print("| what | on one core |\n| --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        rate, busy, memory_mb = clean_rate(asked, Path(name))
        show(f"`clean`, {asked.readings:,} rows", f"{rate:,.0f} readings/s, {memory_mb:.0f} MB")
        show("`clean`, of processor time", f"{busy:,.0f} readings/s")
        table = readings(asked.readings, asked.tags)
        show_kernel(table, asked)
        state = sum(array.nbytes for array in arrays(new_state(1)))
        show("state", f"{state} bytes a tag")
        written, read, size = memory_costs(table, asked.tags)
        show("state saved", f"{written:.1f} µs and {size:.0f} bytes a tag")
        show("state restored", f"{read:.1f} µs a tag")
        for count, rate in live_rates(table, Path(name)):
            show(f"live, commits of {count:,}", f"{rate:,.0f} readings/s")


def show_kernel(table: pa.Table, asked: argparse.Namespace) -> None:
    kernel = kernel_rate(table, asked.repeats)
    show(f"kernel, {asked.tags:,} tags", f"{kernel:,.0f} readings/s")
    many = asked.tags * 10
    rate = kernel_rate(readings(asked.readings, many), asked.repeats)
    show(f"kernel, {many:,} tags", f"{rate:,.0f} readings/s")
    whole, stream = pandas_rates(table, asked.tags)
    show("pandas, the median alone, whole table", f"{whole:,.0f} readings/s")
    show("pandas, the median alone, in batches", f"{stream:,.0f} readings/s")
    show("kernel against pandas", f"{kernel / whole:.1f} and {kernel / stream:.0f} times")


def show(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


if __name__ == "__main__":
    main()
