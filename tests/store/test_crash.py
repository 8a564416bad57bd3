import os
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import GainlineError, TransientError
from store import failures
from store.lake import Lake
from store.query import fetch
from tests.store.samples import raw_commit

REPOSITORY = Path(__file__).parents[2]
COMMITTER = "from store.commits import commit as c; c.Committer"
# A child that commits and dies, by strace's kill -9 as it enters the n-th call of a kind.
CHILD = """
import sys
from pathlib import Path
from store.lake import Lake
from tests.store.samples import raw_commit
print("started", flush=True)
with Lake.open(Path(sys.argv[1]), writer="ingest") as lake:
    done = lake.ingest_progress().position
    for number in range(done // 10, done // 10 + 2):
        lake.commit_raw(raw_commit(number * 10, 10, position=number * 10 + 10))
        print("committed", flush=True)
"""


def run_child(root: Path, *prefix: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*prefix, sys.executable, "-c", CHILD, str(root)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )


def rows_of(root: Path) -> tuple[int, int, int]:
    found = fetch(
        root,
        "SELECT count(*) AS rows, count(DISTINCT arrival) AS numbers,"
        " (SELECT coalesce(sum(received), 0)::BIGINT FROM ledger) AS received FROM raw.readings",
    )
    return tuple(column[0].as_py() for column in found.columns)


@pytest.mark.parametrize("point", ["file", "transaction", "commit"])
def test_a_kill_between_file_and_transaction_loses_and_doubles_nothing(
    root: Path, point: str
) -> None:
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 10, position=10))
    deadly = {
        "file": "import store.place.durable as d; d.sync_folder = lambda folder: os._exit(9)",
        "transaction": f"{COMMITTER}.transact = lambda s, w: os._exit(9)",
        "commit": f"{COMMITTER}._add = lambda *a: os._exit(9)",
    }[point]
    program = f"import os; {deadly}\n{CHILD}"
    died = subprocess.run(
        [sys.executable, "-c", program, str(root)], cwd=REPOSITORY, capture_output=True, check=False
    )
    assert (died.returncode, died.stdout) == (9, b"started\n")
    assert rows_of(root) == (10, 10, 10)
    assert run_child(root).stdout.count(b"committed") == 2
    assert rows_of(root) == (30, 30, 30)
    assert len(list((root / "state").iterdir())) == 1


@pytest.mark.parametrize(
    ("call", "number"),
    [("fsync", 1), ("fsync", 6), ("rename", 1), ("rename", 3), ("write", 60), ("write", 160)],
)
def test_a_kill_at_any_call_of_creation_or_commit_is_survived(
    strace: str, root: Path, call: str, number: int
) -> None:
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    died = run_child(root, *traced, "-e", f"inject={call}:signal=KILL:when={number}")
    acknowledged = died.stdout.count(b"committed")
    if b"started" not in died.stdout:
        pytest.skip("strace may not trace here: allow ptrace")
    assert died.returncode < 0, "the call never came: the test tests nothing"
    after = run_child(root)
    assert after.stdout.count(b"committed") == 2, after.stderr
    rows, numbers, received = rows_of(root)
    assert rows == numbers == received >= 10 * (acknowledged + 2)


def test_a_full_disk_is_worth_a_retry_and_a_broken_one_is_not(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 10, position=10))
    folder = root / "data" / "raw" / "readings"
    assert type(failures.of_disk(OSError(28, "No space left on device"))) is TransientError
    assert type(failures.of_disk(OSError(5, "Input/output error"))) is GainlineError
    # a name that is a folder: the rename of the segment fails, as it would on a broken disk
    (folder / "ingest-000000000002.parquet").mkdir()
    with pytest.raises(GainlineError, match="open it again"):
        lake.commit_raw(raw_commit(10, 10, position=20))
    (folder / "ingest-000000000002.parquet").rmdir()
    with pytest.raises(GainlineError, match="failed before"):
        lake.commit_raw(raw_commit(10, 10, position=20))
    lake.close()
    with Lake.open(root, writer="ingest") as again:
        again.commit_raw(raw_commit(10, 10, position=20))
    assert rows_of(root) == (20, 20, 20)
    with Lake.open(root, writer="ingest"):
        pass
