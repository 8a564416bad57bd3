"""Changes a store in one step, and verifies it: for whoever cuts such a step off in its middle.

    python -m tests.crash.steps make STORE              # of 900 readings, judged, not compacted
    python -m tests.crash.steps make-old STORE          # the same, of format 1
    python -m tests.crash.steps make-kept STORE         # with sums of shifts, of all but the last
    python -m tests.crash.steps commit|compact|retain|roll|migrate|forget|rejudge|keep STORE
    python -m tests.crash.steps back-up STORE VAULT
    python -m tests.crash.steps restore STORE VAULT     # STORE is made of the backup
    python -m tests.crash.steps verify STEP STORE [VAULT]

`verify` does the step once more, which must end it well, and then looks at every reading: each is
there once, with its value and its verdict, unless the step was to remove it; sums are what a
rebuild gives; every file has its hash; the ledger balances. Its exit code tells. A sweep over all
calls of the kernel that change files, each killed once:

    ../shared/tools/chaos/crashsweep.py --fault kill \\
        --reset 'rm -rf S; cp -r S0 S' \\
        --cmd '.venv/bin/python -m tests.crash.steps compact S' \\
        --check '.venv/bin/python -m tests.crash.steps verify compact S'

S0 is what `make` gives; for `migrate` that of `make-old`, for `keep` that of `make-kept`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow as pa

from contracts.batches import CleanBatch, LedgerEntry, RawBatch, RawCommit
from contracts.shifts import SPELLS_SCHEMA
from contracts.tags import Kind, Place, Tag
from store.commits.commit import Addition
from store.lake import Lake
from store.place.folder import FORMAT_VERSION, Folder
from store.query import fetch
from store.rejudging.history import Span
from store.safety.backup import back_up
from store.safety.restore import restore
from store.safety.scrub import scrub
from store.safety.vault import Vault
from store.shifts.kept_shifts import LinePlan, Planned, keep_shifts
from store.shifts.shift_sums import ShiftMetrics
from store.shifts.shift_sums import Span as ReadSpan
from store.sums.rolling import roll_up
from store.tables import CLEAN_READINGS
from store.upkeep.compacting import compact
from store.upkeep.forgetting import forget
from store.upkeep.retaining import Retention, retain
from store.upkeep.wanted import Wanted
from tests.store.happenings import expect_rebuilt
from tests.store.samples import (
    START_US,
    as_format_1,
    clean_commit,
    judged,
    raw_rows,
)

ROWS, COMMITS, COMMITS_A_DAY = 100, 9, 3
QUALITY = [0, 1, 2, 0] * (ROWS // 4)
DAY_US = 86_400_000_000
START = datetime.fromtimestamp(START_US / 1e6, UTC)
FORGOTTEN = "*/tag1"
# Two days of three are old by then, but for one tag.
KEPT_TAG = "*/tag2"
KEPT = Retention({"raw": 1.0, "clean": 1.0}, [(KEPT_TAG, {"raw": 99.0, "clean": 99.0})])
NOW = START + timedelta(days=3)
# The three tags as a line: its state is the number of the reading, and stands for production in
# every other hundred, which is a commit's.
METRICS = ShiftMetrics(
    state="tag0",
    good="tag1",
    energy="tag2",
    running=tuple(n for n in range(1000) if n // 100 % 2 == 0),
    holds_s=3600,
    small_stop_s=5,
)
KEPT_SUMS = ("clean.shift_sums", "clean.stops")


def make(root: Path) -> None:
    """Make a store of three days."""
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        for number in range(COMMITS):
            lake.commit_raw(raw_of(number))
            judge.commit_clean(clean_commit(rows_of(number), quality=QUALITY))


def make_kept(root: Path) -> None:
    """Make a store of a line whose sums of shifts are kept, and commit once more."""
    names = [f"tag{number}" for number in range(3)]
    tags = [
        Tag(f"s/a/l/m/{name}", Place("s", "a", "l", "m", name), None, Kind.COUNTER)
        for name in names
    ]
    make(root)
    with Lake.open(root, writer="tags") as lake:
        lake.revise_tags(lambda _known: tags)
    keep_sums(root)
    commit(root)
    roll(root)


def make_old(root: Path) -> None:
    """Make the same as a program of format 1 has."""
    with Lake.open(root, writer="rejudge") as older, Lake.open(root, writer="ingest") as lake:
        as_format_1(older, root)
        for number in range(COMMITS):
            lake.commit_raw(raw_of(number))
            rows = judged(rows_of(number), quality=QUALITY)
            rows = rows.append_column(
                CLEAN_READINGS.columns.field("rule_version"), pa.nulls(ROWS, pa.int32())
            )
            older._committer.commit(f"older-{number:012d}", [Addition(CLEAN_READINGS, rows)])


def commit(root: Path) -> None:
    """Commit once more, unless that has been done."""
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        if lake.ingest_progress().position == COMMITS:
            lake.commit_raw(raw_of(COMMITS))
        if judge.judge_progress().arrival == COMMITS * ROWS:
            judge.commit_clean(clean_commit(rows_of(COMMITS), quality=QUALITY))


def roll(root: Path) -> None:
    """Sum up all that is new."""
    while roll_up(root):
        pass


def keep_sums(root: Path) -> None:
    """Sum up the shifts that are new, by a calendar with one shift a day, from midnight on."""
    roll(root)
    planned = Planned(
        metrics=METRICS,
        fingerprint="plan",
        day_of=lambda _site, moment: moment.date(),
        begin_of=lambda _site, day: datetime(day.year, day.month, day.day, tzinfo=UTC),
        lay_out=_lay_out,
        of_day=lambda _site, _day: "day",
        of_line=lambda _line: LinePlan(None, None, "EUR", "none"),
    )
    keep_shifts(root, planned, now=NOW + timedelta(days=9))


def migrate(root: Path) -> None:
    """Make a store of format 1 one of this format."""
    Lake.open(root, writer="maintain").close()
    roll(root)


def drop_old(root: Path) -> None:
    """Remove what is too old."""
    roll(root)
    retain(root, KEPT, now=NOW)


def drop_tag(root: Path) -> None:
    """Forget a tag."""
    forget(root, Wanted(lambda tag: fnmatchcase(tag, FORGOTTEN)))


def rejudge(root: Path) -> None:
    """Call all readings of two tags GOOD."""
    with (
        Lake.open(root, writer="rejudge") as lake,
        closing(lake.rejudging(Span(START, None))) as rejudging,
    ):
        tags = [each.tag for each in rejudging.judged_tags if not fnmatchcase(each.tag, FORGOTTEN)]
        rejudging.choose(tags)
        for number in range(COMMITS):
            rows = rows_of(number)
            of_tags = [tag in tags for tag in rows["tag"].to_pylist()]
            rejudging.add(CleanBatch(judged(rows).filter(of_tags)))
        rejudging.replace(None, 1)


def hold(root: Path, vault: Path) -> None:
    """Back up a store."""
    with Vault.open(vault) as opened:
        back_up(root, opened)


def bring_back(root: Path, vault: Path) -> None:
    """Make a store of its backup, unless that has been done."""
    if not (root / "format_version").exists():
        restore(vault, root)


STEPS: dict[str, Callable[..., None]] = {
    "make": make,
    "make-kept": make_kept,
    "make-old": make_old,
    "commit": commit,
    "compact": compact,  # type: ignore[dict-item]  # it says more than it must
    "retain": drop_old,
    "roll": roll,
    "keep": keep_sums,
    "migrate": migrate,
    "forget": drop_tag,
    "rejudge": rejudge,
    "back-up": hold,
    "restore": bring_back,
}


def verify(step: str, *places: Path) -> None:
    """Do a step to its end and look at all of the store."""
    STEPS[step](*places)
    root = places[0]
    if step == "back-up":
        hold(root, places[1])  # what a cut left is no hindrance, and nothing is missing
    commits = range(COMMITS + (step in ("commit", "keep")))
    for table in ("raw", "clean"):
        found = fetch(root, f"SELECT arrival, tag, value FROM {table}.readings ORDER BY arrival")
        wanted = [
            (row["arrival"], row["tag"], row["value"])
            for number in commits
            for row in rows_of(number).select(["arrival", "tag", "value"]).to_pylist()
            if _stays(step, row["tag"], number)
        ]
        assert list(zip(*(each.to_pylist() for each in found.columns), strict=True)) == wanted, (
            table
        )
    good = fetch(root, "SELECT count(*) FILTER (quality = 0) AS n FROM clean.readings")["n"][0]
    assert step != "rejudge" or good.as_py() > ROWS * COMMITS // 2
    if step not in ("retain", "forget"):
        expect_rebuilt(root)
    assert [str(each) for each in scrub(root).damages] == []
    (balance,) = fetch(root, "FROM ledger").to_pylist()
    received = balance.pop("received")
    assert received == sum(count for name, count in balance.items() if name != "gateway")
    assert Folder(root).version() == FORMAT_VERSION
    for writer in ("ingest", "judge", "maintain", "rejudge"):  # nothing is held for ever
        Lake.open(root, writer=writer).close()  # type: ignore[arg-type]  # all are writers
    if step == "keep":
        expect_kept_anew(root)


def expect_kept_anew(root: Path) -> None:
    """Compare the sums of shifts with what they are when all of them are made anew."""

    def rows() -> list[dict[str, Any]]:
        return [row for name in KEPT_SUMS for row in fetch(root, f"FROM {name}").to_pylist()]

    def by_place(row: dict[str, Any]) -> str:
        return str({name: row.get(name) for name in ("day", "machine", "begins")})

    kept = sorted(rows(), key=by_place)
    assert len(kept) > COMMITS // COMMITS_A_DAY
    with Lake.open(root, writer="maintain") as lake:
        for name in (*KEPT_SUMS, "house.shift_progress"):
            lake._connection.execute(f"DELETE FROM {name}")
    assert rows() == []
    keep_sums(root)
    for row, same in zip(kept, sorted(rows(), key=by_place), strict=True):
        assert row.keys() == same.keys()
        for value, other in zip(row.values(), same.values(), strict=True):
            is_sum = isinstance(value, float)  # as near as the order of its terms allows
            assert math.isclose(value, other, abs_tol=1e-6) if is_sum else value == other, row


def raw_of(number: int) -> RawCommit:
    """Give a commit."""
    ledger = (LedgerEntry("gw1", ROWS, ROWS, 0, 0),)
    until = (number + 1) * ROWS
    return RawCommit(RawBatch(rows_of(number)), (), ledger, number + 1, until, b"seen")


def rows_of(number: int) -> pa.Table:
    """Give the readings of a commit."""
    return raw_rows(number * ROWS, ROWS, **_times(number))


def _times(number: int) -> dict[str, list[int]]:
    day, place = divmod(number, COMMITS_A_DAY)
    first = START_US + day * DAY_US + place * ROWS * 1_000_000
    times = [first + k * 1_000_000 for k in range(ROWS)]
    return {"source_time": times, "received_time": times}


def _lay_out(wanted: Iterable[tuple[ReadSpan, date, date]]) -> pa.Table:
    rows = [
        {"site": span.site, "day": begins.date(), "shift": "day", "kind": "work"}
        | {"begins": begins, "ends": begins + timedelta(days=1)}
        for span, first, last in wanted
        for begins in _midnights(first, last)
    ]
    return pa.Table.from_pylist(rows, schema=SPELLS_SCHEMA)


def _midnights(first: date, last: date) -> list[datetime]:
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return [begin + timedelta(days=number) for number in range((last - first).days + 1)]


def _stays(step: str, tag: str, number: int) -> bool:
    if step == "forget":
        return not fnmatchcase(tag, FORGOTTEN)
    day = START + timedelta(days=number // COMMITS_A_DAY)
    is_kept = fnmatchcase(tag, KEPT_TAG) or day >= NOW - timedelta(days=KEPT.days["raw"])
    return step != "retain" or is_kept


def main() -> None:
    """Do what the command line says."""
    step, *words = sys.argv[1:]
    if step == "verify":
        verify(words[0], *map(Path, words[1:]))
    else:
        STEPS[step](*map(Path, words))


if __name__ == "__main__":
    main()
