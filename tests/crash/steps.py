"""Changes a store in one step, and verifies it: for whoever cuts such a step off in its middle.

    python -m tests.crash.steps make STORE              # of 900 readings, judged, not compacted
    python -m tests.crash.steps make-old STORE          # the same, of format 1
    python -m tests.crash.steps commit|compact|retain|roll|migrate|forget|rejudge STORE
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
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa

from contracts.batches import CleanBatch, LedgerEntry, RawBatch, RawCommit
from store.backup import back_up
from store.commit import Addition
from store.compacting import compact
from store.folder import FORMAT_VERSION, Folder
from store.forgetting import forget
from store.history import Span
from store.lake import Lake
from store.query import fetch
from store.restore import restore
from store.retaining import Retention, retain
from store.rolling import roll_up
from store.scrub import scrub
from store.tables import CLEAN_READINGS
from store.vault import Vault
from store.wanted import Wanted
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


def make(root: Path) -> None:
    """Make a store of three days."""
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        for number in range(COMMITS):
            lake.commit_raw(raw_of(number))
            judge.commit_clean(clean_commit(rows_of(number), quality=QUALITY))


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


def keep(root: Path, vault: Path) -> None:
    """Back up a store."""
    with Vault.open(vault) as opened:
        back_up(root, opened)


def bring_back(root: Path, vault: Path) -> None:
    """Make a store of its backup, unless that has been done."""
    if not (root / "format_version").exists():
        restore(vault, root)


STEPS: dict[str, Callable[..., None]] = {
    "make": make,
    "make-old": make_old,
    "commit": commit,
    "compact": compact,  # type: ignore[dict-item]  # it says more than it must
    "retain": drop_old,
    "roll": roll,
    "migrate": migrate,
    "forget": drop_tag,
    "rejudge": rejudge,
    "back-up": keep,
    "restore": bring_back,
}


def verify(step: str, *places: Path) -> None:
    """Do a step to its end and look at all of the store."""
    STEPS[step](*places)
    root = places[0]
    if step == "back-up":
        keep(root, places[1])  # what a cut left is no hindrance, and nothing is missing
    commits = range(COMMITS + (step == "commit"))
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
