import subprocess
import sys
import threading
from pathlib import Path

from store.lake import Lake
from store.query import fetch
from tests.store.samples import clean_commit, raw_commit

REPOSITORY = Path(__file__).parents[2]
COMMITS = 12
INGEST = f"""
import sys
from pathlib import Path
from store.lake import Lake
from tests.store.samples import raw_commit
with Lake.open(Path(sys.argv[1]), writer="ingest") as lake:
    for number in range({COMMITS}):
        lake.commit_raw(raw_commit(number * 20, 20, position=number * 20 + 20))
"""
COUNTS = (
    "SELECT (SELECT count(*) FROM raw.readings), (SELECT count(*) FROM readings),"
    " (SELECT count(DISTINCT seq) FROM readings), (SELECT received FROM ledger)"
)


def judge_all(root: Path, total: int) -> None:
    with Lake.open(root, writer="judge") as judge:
        done = 0
        while done < total:
            batch = judge.raw_after(done, limit=50)
            if batch.table.num_rows:
                judge.commit_clean(clean_commit(batch.table))
                done = judge.judge_progress().arrival


def test_ingest_and_judge_commit_at_the_same_time_in_two_processes(root: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", INGEST, str(root)], cwd=REPOSITORY) as ingest:
        judge_all(root, COMMITS * 20)
        assert ingest.wait() == 0
    counts = fetch(root, COUNTS)
    assert [column[0].as_py() for column in counts.columns] == [COMMITS * 20] * 4


def test_ingest_and_judge_commit_at_the_same_time_in_two_threads(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        judge = threading.Thread(target=judge_all, args=(root, COMMITS * 20))
        judge.start()
        for number in range(COMMITS):
            lake.commit_raw(raw_commit(number * 20, 20, position=number * 20 + 20))
        judge.join()
    counts = fetch(root, COUNTS)
    assert [column[0].as_py() for column in counts.columns] == [COMMITS * 20] * 4
