"""`minute`, `hour` and `latest`: at every moment what all readings come to."""

import os
import random
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import ConfigError
from store.commits.commit import Addition
from store.lake import Lake
from store.place.folder import FORMAT_VERSION, Folder
from store.place.locks import claim
from store.query import fetch
from store.sums import rolling
from store.sums.rolling import roll_up
from store.tables import CLEAN_READINGS
from store.upkeep.compacting import compact
from tests.store.happenings import ROWS, Plant, expect_rebuilt
from tests.store.samples import (
    START_US,
    as_format_1,
    clean_commit,
    judged,
    raw_commit,
    raw_rows,
)

REPOSITORY = Path(__file__).parents[2]
START = datetime.fromtimestamp(START_US / 1e6, UTC)


@pytest.mark.parametrize("seed", range(4))
def test_the_views_are_what_a_full_rebuild_gives_whatever_happens(
    root: Path, lake: Lake, judge: Lake, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "SUM_FROM", 3)
    monkeypatch.setattr(rolling, "STEP_READINGS", 2 * ROWS)
    plant = Plant(root, lake, judge, random.Random(seed))  # noqa: S311 - it can be repeated
    plant.receive()
    for _ in range(12):
        plant.happen()
        expect_rebuilt(root)


def test_what_is_rolled_up_is_not_read_again(root: Path, lake: Lake, judge: Lake) -> None:
    for number in range(3):
        lake.commit_raw(raw_commit(number * ROWS, ROWS, position=number + 1))
        judge.commit_clean(clean_commit(raw_rows(number * ROWS, ROWS)))
    expect_rebuilt(root)
    assert roll_up(root) == 3 * ROWS
    assert roll_up(root) == 0
    for path in (root / "data/clean/readings").iterdir():
        path.unlink()
    assert fetch(root, "SELECT sum(count) AS n FROM hour")["n"].to_pylist() == [3 * ROWS]
    assert fetch(root, "FROM latest").num_rows == 3


def test_a_step_waits_while_verdicts_are_replaced(root: Path, lake: Lake, judge: Lake) -> None:
    judge.commit_clean(clean_commit(raw_rows(0, ROWS)))
    lock = claim(Folder(root), rolling.LOCK)
    try:
        assert roll_up(root) == 0
    finally:
        lock.close()
    assert roll_up(root) == ROWS
    assert lake.ingest_progress().arrival == 0


def filled_as_format_1(root: Path) -> None:
    with Lake.open(root, writer="rejudge") as older, Lake.open(root, writer="ingest") as lake:
        as_format_1(older, root)
        for number in range(3):
            raw = raw_rows(number * ROWS, ROWS)
            lake.commit_raw(raw_commit(number * ROWS, ROWS, position=number + 1))
            rows = judged(raw).append_column(
                CLEAN_READINGS.columns.field("rule_version"), pa.nulls(ROWS, pa.int32())
            )
            older._committer.commit(f"older-{number:012d}", [Addition(CLEAN_READINGS, rows)])


def test_a_store_of_format_1_becomes_one_of_this_format(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "STEP_READINGS", 2 * ROWS)
    filled_as_format_1(root)
    before = fetch(root, "FROM readings ORDER BY seq")
    with Lake.open(root, writer="judge") as judge:
        assert Folder(root).version() == FORMAT_VERSION
        expect_rebuilt(root)
        judge.commit_clean(clean_commit(raw_rows(3 * ROWS, ROWS)))
        expect_rebuilt(root)
        while roll_up(root):
            expect_rebuilt(root)
        judge.commit_clean(clean_commit(raw_rows(4 * ROWS, ROWS)))
    expect_rebuilt(root)
    assert fetch(root, f"FROM readings WHERE seq < {3 * ROWS} ORDER BY seq").equals(before)
    compact(root)
    expect_rebuilt(root)


def test_a_store_of_format_1_waits_for_the_end_of_an_older_judge(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled_as_format_1(root)
    monkeypatch.setattr("store.catalog.migration.COMMIT_WAIT_S", 0.2)
    lock = claim(Folder(root), "judge")
    try:
        with pytest.raises(ConfigError, match="an older gainline is judging in it"):
            Lake.open(root, writer="ingest")
    finally:
        lock.close()
    assert Folder(root).version() == 1
    Lake.open(root, writer="ingest").close()
    assert Folder(root).version() == FORMAT_VERSION


# Opens a store, rolls up all and dies by strace's kill -9 as it enters the n-th call of a kind.
CHILD = """
import sys
from pathlib import Path
from store.lake import Lake
from store.place.locks import claim
from store.sums.rolling import roll_up
root = Path(sys.argv[1])
print("started", flush=True)
Lake.open(root, writer="maintain").close()
while roll_up(root):
    pass
print("done", flush=True)
"""


# Of the migration and of the step after it; every call is met by the sweep of tests/crash/steps.py.
@pytest.mark.parametrize(("call", "number"), [("fsync", 2), ("rename", 3), ("write", 100)])
def test_a_kill_in_the_middle_of_a_migration_or_a_step_loses_nothing(
    strace: str, root: Path, call: str, number: int
) -> None:
    filled_as_format_1(root)
    command = [sys.executable, "-c", CHILD, str(root)]
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    killed = [*traced, "-e", f"inject={call}:signal=KILL:when={number}", *command]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    died, ended = (
        subprocess.run(
            words, cwd=REPOSITORY, env=environment, capture_output=True, check=False, timeout=60
        )
        for words in (killed, command)
    )
    if b"started" not in died.stdout:
        pytest.skip("strace may not trace here: allow ptrace")
    assert died.returncode < 0, "the call never came: the test tests nothing"
    assert ended.returncode == 0, ended.stderr.decode()
    expect_rebuilt(root)
    assert fetch(root, "SELECT sum(count) AS n FROM minute")["n"].to_pylist() == [3 * ROWS]
    assert Folder(root).version() == FORMAT_VERSION
    with ExitStack() as locks:  # nothing is held for ever
        locks.enter_context(Lake.open(root, writer="judge"))
