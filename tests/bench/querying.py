"""Questions to a store of days of readings, beside InfluxDB 1 and beside plain files.

    python -m tests.bench.querying              # 11.5 million readings; InfluxDB where it is there
    python -m tests.bench.querying --month      # 30 days with maintenance, then freshly compacted
    python -m tests.bench.querying --busy       # a reader beside a busy writer, and beside none
    python -m tests.bench.querying --latest 1000 20000    # the newest readings of so many tags

The store is one as `run` leaves it (tests/bench/plant_store.py), the moment before maintenance
would come again. Contenders are asked in turn, each until all rows of the answer are in Python, and
must say the same: `ours` is a connection that stays open, InfluxDB (Debian's `influxdb`) its HTTP
API on 127.0.0.1, `plain` DuckDB's `read_parquet` of the files that the lake has now, which knows
nothing of units, places or sums; `command` is `gainline sql`, with the start of its processes.
"""

from __future__ import annotations

import argparse
import itertools
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, NoReturn

import duckdb

from store.lake import Lake
from store.query import connect
from store.sums.latest import Latest
from store.sums.rolling import roll_up
from store.upkeep.compacting import compact
from store.upkeep.maintain import maintain, merge_small
from tests.bench import influx
from tests.bench.influx import Influx
from tests.bench.plant_store import RECENT_S, SECOND_US, Plan, Plant, Writer, catalogue, fill

THRESHOLD = 90
MONTH = Plan(200, 30, 60, 0)
BUSY = Plan(1_000, 1, 30, 60)
BUSY_S = 20.0
WRITER_START_S = 3.0
LATEST_COMMITS = 30  # of a second each, which are not rolled up yet

Rows = list[tuple[Any, ...]]
Ask = Callable[[], Rows]


class Question(NamedTuple):
    """One question, in SQL for the store and for its plain files, and as InfluxDB is asked."""

    name: str
    sql: str
    influx: str
    plain: str = ""  # where it is not the same SQL
    rows_of: Callable[[dict[str, Any]], Iterator[tuple[Any, ...]]] = lambda _series: iter(())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tags", type=int, default=1_000)
    parser.add_argument("--days", type=float, default=4.0)
    parser.add_argument("--every", type=int, default=30, metavar="SECONDS")
    parser.add_argument("--recent", type=int, default=RECENT_S, metavar="SECONDS")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--month", action="store_true")
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--latest", type=int, nargs="*", default=[], metavar="TAGS")
    told = parser.parse_args()
    if told.write:
        write_for_ever(told.write)
    with tempfile.TemporaryDirectory(prefix="gainline-querying-") as name:
        if told.month:
            print("\n".join(month(Path(name), told.repeats)))
        elif told.busy:
            print("\n".join(busy(Path(name))))
        elif told.latest:
            for tags in told.latest:
                print("\n".join(latest(Path(name) / str(tags), tags, told.repeats)), flush=True)
        else:
            plan = Plan(told.tags, told.days, told.every, told.recent)
            print("\n".join(compare(Path(name), plan, told.repeats)))


def compare(folder: Path, plan: Plan, repeats: int) -> Iterator[str]:
    """Ask all contenders all questions; give a line each."""
    until = datetime.now(UTC).replace(microsecond=0)
    with ExitStack() as stack:
        server = stack.enter_context(influx.running(folder / "influx"))
        total = 0
        for come in fill(folder / "store", plan, until):
            total += len(come.tag)
            if server:
                server.write(plan.names, come)
        ours = stack.enter_context(connect(folder / "store"))
        plain = stack.enter_context(plain_files(ours))
        yield f"{total:,} readings of {plan.tags:,} tags in {plan.days:g} days"
        yield "| question | rows | ours ms | InfluxDB ms | plain files ms | command ms |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for question in questions(plan, until):
            yield _compared(question, folder / "store", (ours, plain, server), repeats)


def _compared(
    question: Question,
    store: Path,
    others: tuple[duckdb.DuckDBPyConnection, duckdb.DuckDBPyConnection, Influx | None],
    repeats: int,
) -> str:
    ours, plain, server = others
    asks: dict[str, Ask] = {
        "ours": lambda: ours.execute(question.sql).fetchall(),
        "plain": lambda: plain.execute(question.plain or question.sql).fetchall(),
        "command": lambda: _command(store, question.sql),
    }
    if server:
        asks["influx"] = lambda: [
            row for series in server.ask(question.influx) for row in question.rows_of(series)
        ]
    spent, answers = _in_turn(asks, repeats)
    for name in ("influx", "plain"):
        if name in answers:
            _expect_same(question.name, answers["ours"], answers[name])
    own = spent["ours"]
    beside = [
        f"{spent[name]:.1f} ({spent[name] / own:.2f})" if name in spent else "-"
        for name in ("influx", "plain")
    ]
    cells = [question.name, f"{len(answers['ours']):,}", f"{own:.1f}", *beside]
    return f"| {' | '.join(cells)} | {spent['command']:.0f} |"


def _in_turn(asks: dict[str, Ask], repeats: int) -> tuple[dict[str, float], dict[str, Rows]]:
    """Ask each once to warm it up, then in turn; give the median milliseconds and the answers."""
    answers = {name: ask() for name, ask in asks.items()}
    spent: dict[str, list[float]] = {name: [] for name in asks}
    for _ in range(repeats):
        for name, ask in asks.items():
            began = time.perf_counter()
            ask()
            spent[name].append((time.perf_counter() - began) * 1e3)
    return {name: median(times) for name, times in spent.items()}, answers


def _command(store: Path, sql: str) -> Rows:
    words = [sys.executable, "-m", "gainline", "sql", sql, "--store", str(store)]
    subprocess.run([*words, "--format", "csv"], check=True, stdout=subprocess.PIPE)
    return []


def _expect_same(name: str, one: Rows, other: Rows) -> None:
    """Hold that two answers are the same, sums as near as their order allows."""
    one, other = sorted(one, key=str), sorted(other, key=str)
    if len(one) != len(other):
        raise AssertionError(f"{name}: {len(one)} rows against {len(other)}")
    for row, beside in zip(one, other, strict=True):
        for value, against in zip(row, beside, strict=True):
            is_same = (
                math.isclose(value, against, rel_tol=1e-9, abs_tol=1e-9)
                if isinstance(value, float)
                else value == against
            )
            if not is_same:
                raise AssertionError(f"{name}: {row} against {beside}")


def plain_files(ours: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Make a DuckDB that reads the files of the lake and knows no more of them."""
    found = ours.execute("SELECT data_file FROM ducklake_list_files(?, ?, schema => ?)", _READINGS)
    paths = [path for (path,) in found.fetchall()]
    plain = duckdb.connect()
    for setting in ("TimeZone = 'UTC'", "parquet_metadata_cache = true"):
        plain.execute(f"SET {setting}")
    plain.execute(f"CREATE VIEW readings AS SELECT * FROM read_parquet({paths})")
    return plain


_READINGS = ["lake", "readings", "clean"]


def questions(plan: Plan, until: datetime) -> list[Question]:
    """Give the questions, of the day before the last."""
    day = until.replace(hour=0, minute=0, second=0) - timedelta(days=1)
    ten = sorted(plan.names)[:: max(1, plan.tags // 10)][:10]
    quoted = ", ".join(f"'{name}'" for name in ten)
    pattern = "|".join(name.replace("/", "\\/") for name in ten)
    epoch = "CAST(epoch_us({}) AS BIGINT)"
    in_day = "{0} >= '" + f"{day:%F %T}Z' AND " + "{0} < '" + f"{day + timedelta(days=1):%F %T}Z'"
    influx_day = f"time >= '{day:%FT00:00:00Z}' AND time < '{day + timedelta(days=1):%FT00:00:00Z}'"
    hours = (
        f"SELECT tag, {epoch.format('time_bucket(INTERVAL 1 HOUR, source_time)')}, avg(value_clean)"
        f" FROM readings WHERE tag IN ({quoted}) AND {in_day.format('source_time')}"
        " AND quality < 2 GROUP BY ALL"
    )
    influx_hours = (
        "SELECT mean(value_clean) FROM readings WHERE"
        f' "tag" =~ /^({pattern})$/ AND {influx_day}'
        ' GROUP BY time(1h), "tag" fill(none)'
    )
    newest = (
        f"SELECT tag, {epoch.format('max(source_time)')},"
        " max_by(value, (source_time, arrival)) FROM readings GROUP BY tag"
    )
    time_of = epoch.format("source_time")
    return [
        Question(
            "the last reading of every tag",
            f"SELECT tag, {time_of}, value FROM latest",
            'SELECT last(value) FROM readings GROUP BY "tag"',
            newest,
            _values,
        ),
        Question(
            f"readings above {THRESHOLD}, by tag",
            f"SELECT tag, count(*) FROM readings WHERE value > {THRESHOLD} GROUP BY tag",
            f'SELECT count(value) FROM readings WHERE value > {THRESHOLD} GROUP BY "tag"',
            rows_of=_counts,
        ),
        Question(
            "hourly means of ten tags in a day, from `hour`",
            f"SELECT tag, {epoch.format('hour')}, mean FROM hour WHERE tag IN ({quoted})"
            f" AND {in_day.format('hour')}",
            influx_hours,
            hours,
            _values,
        ),
        Question(
            "the same from `readings`",
            hours,
            influx_hours,
            rows_of=_values,
        ),
        Question(
            "all readings of a tag in a day",
            f"SELECT tag, {time_of}, value FROM readings WHERE tag = '{ten[5]}'"
            f" AND {in_day.format('source_time')}",
            f"SELECT value FROM readings WHERE \"tag\" = '{ten[5]}' AND {influx_day}"
            ' GROUP BY "tag"',
            rows_of=_values,
        ),
        Question(
            "how many readings there are",
            "SELECT count(*) FROM readings",
            "SELECT count(value) FROM readings",
            rows_of=lambda series: ((row[1],) for row in series["values"]),
        ),
    ]


def _values(series: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    tag = series["tags"]["tag"]
    return ((tag, row[0], float(row[1])) for row in series["values"])


def _counts(series: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    return ((series["tags"]["tag"], row[1]) for row in series["values"])


def month(folder: Path, repeats: int) -> Iterator[str]:
    """Live through 30 days with a commit an hour and what `run` does beside; then compact.

    The clock of the store goes ahead: what maintenance is to let go after an hour goes at once.
    """
    started = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start_us = int(started.timestamp()) * SECOND_US
    plan, store = MONTH, folder / "store"
    catalogue(store, plan)
    plant = Plant(plan, start_us)
    with Lake.open(store, writer="judge") as judge:
        writer = Writer(judge, plan)
        for hour in range(1, int(plan.days * 24)):
            writer.commit(plant.until(start_us + hour * 3_600 * SECOND_US))
            if hour % 3 == 0:
                merge_small(store)
                roll_up(store)
            if hour % 12 == 0:
                maintain(store, now=started + timedelta(hours=hour))
    until = started + timedelta(days=plan.days)
    kept = _asked(store, plan, until, repeats)
    compact(store)
    while roll_up(store):
        pass
    maintain(store, now=until + timedelta(days=2))
    fresh = _asked(store, plan, until, repeats)
    yield "| question | after 30 days ms | freshly compacted ms | ratio |"
    yield "| --- | --- | --- | --- |"
    for name, spent in kept.items():
        yield f"| {name} | {spent:.1f} | {fresh[name]:.1f} | {spent / fresh[name]:.2f} |"


def _asked(store: Path, plan: Plan, until: datetime, repeats: int) -> dict[str, float]:
    with connect(store) as ours:
        asks: dict[str, Ask] = {
            each.name: lambda sql=each.sql: ours.execute(sql).fetchall()  # type: ignore[misc]
            for each in questions(plan, until)
        }
        return _in_turn(asks, repeats)[0]


def busy(folder: Path) -> Iterator[str]:
    """Ask for a tag of the last hour beside a writer that commits all the time, and without."""
    plan = BUSY
    until = datetime.now(UTC).replace(microsecond=0)
    for _ in fill(folder / "store", plan, until):
        pass
    idle = _percentiles(folder / "store", plan, until)
    command = [sys.executable, "-m", "tests.bench.querying", "--write", str(folder / "store")]
    with subprocess.Popen(command) as process:
        time.sleep(WRITER_START_S)
        beside = _percentiles(folder / "store", plan, until)
        process.kill()
    yield "| reader | median ms | 95th percentile ms | longest ms |"
    yield "| --- | --- | --- | --- |"
    for name, (middle, high, longest) in (("idle", idle), ("beside a busy writer", beside)):
        yield f"| {name} | {middle:.1f} | {high:.1f} | {longest:.0f} |"


def write_for_ever(store: Path) -> NoReturn:
    """Commit 20,000 readings a second, and do every ten seconds what `run` does in a minute."""
    until_us = int(time.time()) * SECOND_US
    plant = Plant(BUSY, until_us)
    with Lake.open(store, writer="judge") as judge:
        writer = Writer(judge, BUSY)
        for second in itertools.count(1):
            began = time.monotonic()
            writer.commit(plant.until(until_us + second * 600 * SECOND_US))
            if second % 10 == 0:
                merge_small(store)
                roll_up(store)
            time.sleep(max(0.0, began + 1 - time.monotonic()))
    raise AssertionError("counting has come to an end")


def _percentiles(store: Path, plan: Plan, until: datetime) -> tuple[float, float, float]:
    since = f"{until - timedelta(hours=1):%F %T}Z"
    sql = f"SELECT * FROM readings WHERE tag = '{plan.names[7]}' AND source_time >= '{since}'"
    spent = []
    with connect(store) as ours:
        end = time.monotonic() + BUSY_S
        while time.monotonic() < end:
            began = time.perf_counter()
            ours.execute(sql).fetchall()
            spent.append((time.perf_counter() - began) * 1e3)
    spent.sort()
    return median(spent), spent[len(spent) * 95 // 100], spent[-1]


def latest(folder: Path, tags: int, repeats: int) -> Iterator[str]:
    """Ask for the newest readings on a connection that stays open, then of what is kept warm."""
    plan, until = Plan(tags, 0.02, 10, LATEST_COMMITS), datetime.now(UTC).replace(microsecond=0)
    for _ in fill(folder, plan, until):
        pass
    one = f" WHERE tag = '{plan.names[7]}'"
    with connect(folder) as ours, Latest(folder) as warm:
        for sql in ("SELECT * FROM latest", f"SELECT * FROM latest{one}"):
            what = "one of them" if sql.endswith(one) else "all"
            timed = _timed(lambda sql=sql: ours.execute(sql).fetchall(), repeats)  # type: ignore[misc]
            yield f"| {tags:,} | {what} | {timed} |"
        yield f"| {tags:,} | all, kept warm, nothing new | {_timed(warm.table, repeats)} |"
        until_us = int(until.timestamp()) * SECOND_US
        plant, seconds = Plant(plan, until_us), itertools.count(1)
        with Lake.open(folder, writer="judge") as judge:
            writer = Writer(judge, plan)

            def commit() -> None:
                writer.commit(plant.until(until_us + next(seconds) * SECOND_US))

            yield f"| {tags:,} | all, after a commit | {_timed(warm.table, repeats, commit)} |"


def _timed(
    ask: Callable[[], object], repeats: int, before: Callable[[], None] | None = None
) -> str:
    """Do something again and again; give cells: median and least time, CPU, in milliseconds."""
    spent, cpu = [], []
    for number in range(repeats + 1):
        if before:
            before()
        began, began_cpu = time.perf_counter(), time.process_time()
        ask()
        if number:  # the first time warms it up
            spent.append((time.perf_counter() - began) * 1e3)
            cpu.append((time.process_time() - began_cpu) * 1e3)
    return f"{median(spent):.1f} | {min(spent):.1f} | {median(cpu):.1f}"


if __name__ == "__main__":
    main()
