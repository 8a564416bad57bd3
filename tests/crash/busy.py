"""Writes to a store as fast as it can, maintained meanwhile, and says what is promised.

    python -m tests.crash.busy run STORE ACK        # until it is cut off
    python -m tests.crash.busy check STORE ACK      # exit code 0: all that was promised is there

Each line of ACK is the number of a commit of ingest whose readings were committed before. For a
power cut, which unlike a kill shows a missing fsync (as root):

    ../shared/tools/chaos/powercut.py --rounds 10 \\
        --run '.venv/bin/python -m tests.crash.busy run {store}/lake {ack}' \\
        --check '.venv/bin/python -m tests.crash.busy check {store}/lake {ack}'
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contracts.batches import LedgerEntry, RawBatch, RawCommit
from contracts.errors import GainlineError, TransientError
from store.lake import Lake
from store.place.folder import Folder
from store.query import fetch
from store.safety.scrub import scrub
from store.sums.rolling import roll_up
from store.upkeep.compacting import compact
from store.upkeep.maintain import maintain
from tests.store.happenings import expect_rebuilt
from tests.store.samples import clean_commit, raw_rows

ROWS = 300


def run(root: Path, promised: Path) -> None:
    """Commit, and let a thread sum up, compact and merge."""
    with (
        Lake.open(root, writer="ingest") as lake,
        Lake.open(root, writer="judge") as judge,
        promised.open("a") as sink,
    ):
        threading.Thread(target=_maintained, args=(root, _wrong(promised)), daemon=True).start()
        number = lake.ingest_progress().position
        for arrival in range(judge.judge_progress().arrival, number * ROWS, ROWS):
            judge.commit_clean(clean_commit(raw_rows(arrival, ROWS)))
        while True:
            rows = raw_rows(number * ROWS, ROWS)
            ledger = (LedgerEntry("gw1", ROWS, ROWS, 0, 0),)
            number += 1
            memory = os.urandom(1000)
            lake.commit_raw(RawCommit(RawBatch(rows), (), ledger, number, number * ROWS, memory))
            judge.commit_clean(clean_commit(rows))
            sink.write(f"{number}\n")
            sink.flush()


def check(root: Path, promised: Path) -> None:
    """Raise AssertionError unless the store has all that was promised, once, and is sound."""
    assert not _wrong(promised).exists(), _wrong(promised).read_text()
    told = [int(line) for line in promised.read_text().splitlines()] if promised.exists() else []
    if not told and not (root / "format_version").exists():
        return
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        done, judged = lake.ingest_progress().arrival, judge.judge_progress().arrival
    assert done >= max(told, default=0) * ROWS, "a commit that was promised is gone"
    assert judged in (done, done - ROWS)
    for table, count in (("raw", done), ("clean", judged)):
        found = fetch(root, f"SELECT arrival, value FROM {table}.readings ORDER BY arrival")
        assert found["arrival"].to_pylist() == list(range(count)), table
        assert found["value"].to_pylist() == [float(number) for number in range(count)], table
    assert fetch(root, "SELECT stored FROM ledger")["stored"].to_pylist() == (
        [done] if done else []
    )
    expect_rebuilt(root)
    assert [str(each) for each in scrub(root).damages] == []
    maintain(root, now=datetime.now(UTC) + timedelta(days=3))
    expect_rebuilt(root)
    assert not list(Path(str(Folder(root).data)).rglob("*.part"))


def _wrong(promised: Path) -> Path:
    """Name the file that tells of maintenance that failed while the disk was well."""
    return promised.with_name(f"{promised.name}.wrong")


def _maintained(root: Path, wrong: Path) -> None:
    while True:
        try:
            roll_up(root)
            compact(root)
            maintain(root, now=datetime.now(UTC) + timedelta(hours=2))
        except TransientError:
            continue  # what people are told to try again
        except Exception as error:
            # after a cut the disk fails, which is an error of its own kind
            if type(error) is not GainlineError:
                wrong.write_text("".join(traceback.format_exception(error)))
            raise
        threading.Event().wait(0.5)


if __name__ == "__main__":
    {"run": run, "check": check}[sys.argv[1]](*map(Path, sys.argv[2:4]))
