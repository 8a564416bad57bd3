"""Forgetting: rows, sums, dead letters and catalogue of tags go, and the bytes they were."""

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa
import pytest

from contracts.batches import CleanBatch, CleanCommit, DeadLetter, LedgerEntry, RawBatch, RawCommit
from contracts.errors import TransientError
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.place.folder import Folder
from store.place.locks import files_kept
from store.query import connect, fetch
from store.rejudging.history import Span
from store.sums.rolling import roll_up
from store.upkeep import forgetting
from store.upkeep.compacting import compact
from store.upkeep.forgetting import Forgotten, forget
from store.upkeep.wanted import Wanted
from tests.store.samples import START_US, judged, raw_rows

REPOSITORY = Path(__file__).parents[2]
START = datetime.fromtimestamp(START_US / 1e6, UTC)
# What must not be found in any file afterwards: in names, in texts, in dead letters.
MARKS = ("anna", "Geheimnis", "brief")
SECRET = "s/a/l/badge/anna"
ROWS = 30


def rows_of(number: int, *, every_s: int = 60) -> pa.Table:
    """Make readings of which each third is of the secret tag."""
    first = number * ROWS
    numbers = range(first, first + ROWS)
    times = [START_US + each * every_s * 1_000_000 for each in numbers]
    return raw_rows(
        first,
        ROWS,
        tag=[SECRET if each % 3 == 0 else f"s/a/l/m/tag{each % 3}" for each in numbers],
        topic=["s/a/l/badge/anna" if each % 3 == 0 else "s/a/l/m" for each in numbers],
        text=[f"Geheimnis {each}" if each % 3 == 0 else None for each in numbers],
        source_time=times,
        received_time=times,
    )


def commit(lake: Lake, judge: Lake, number: int, letters: int = 2, **wished: int) -> None:
    rows, until = rows_of(number, **wished), number * ROWS + ROWS
    dead = tuple(
        DeadLetter(number * 1000 + k, topic, f"brief {k}".encode() * 3, "json: no", START_US, "gw")
        for k, topic in enumerate([SECRET, "s/a/l/badge/anna"] * letters)
    )
    dead += (DeadLetter(number * 1000 + 999, "s/a/l/m", b"x", "json: no", START_US, "gw"),)
    ledger = (LedgerEntry("gw", ROWS + len(dead), ROWS, 0, len(dead)),)
    new = (
        [Tag(name, Place(site="s"), None, Kind.GAUGE) for name in [SECRET, "s/a/l/m/tag1"]]
        if number == 0
        else []
    )
    position = number * 1000 + ROWS + len(dead)
    lake.commit_raw(RawCommit(RawBatch(rows), dead, ledger, position, until, b"seen"), new_tags=new)
    judge.commit_clean(CleanCommit(CleanBatch(judged(rows)), until, b"%d" % until, 1))


@pytest.fixture
def filled(root: Path, lake: Lake, judge: Lake) -> Path:
    """A store with the secret in every kind of file that it has, and in the log of its catalog."""
    for number in range(4):
        commit(lake, judge, number, letters=[2, 90][number % 2])
    compact(root)
    while roll_up(root):
        pass
    commit(lake, judge, 4)
    return root


def wanted(span: Span | None = None) -> Wanted:
    return Wanted(lambda tag: fnmatchcase(tag, "*/badge/*"), span)


def files_with(root: Path, marks: Sequence[str] = MARKS) -> set[str]:
    return {
        path.name
        for path in root.rglob("*")
        if path.is_file() and any(mark.encode() in path.read_bytes() for mark in marks)
    }


def one(root: Path, sql: str) -> object:
    return fetch(root, sql).columns[0].to_pylist()[0]


def test_no_byte_of_a_tag_is_left_in_any_file(filled: Path) -> None:
    assert files_with(filled)
    others = fetch(filled, "SELECT * FROM readings WHERE tag NOT LIKE '%anna' ORDER BY seq")
    sums = fetch(filled, "SELECT * FROM minute WHERE tag NOT LIKE '%anna' ORDER BY ALL")
    would = forget(filled, wanted(), is_dry_run=True)
    done = forget(filled, wanted())
    assert would == done
    assert done == Forgotten(50, 50, 40, 2, 1, 372, 1)
    assert files_with(filled) == set()
    assert fetch(filled, "SELECT * FROM readings ORDER BY seq").equals(others)
    assert fetch(filled, "SELECT * FROM minute ORDER BY ALL").equals(sums)
    assert one(filled, "SELECT count(*) FROM latest WHERE tag LIKE '%anna'") == 0
    assert fetch(filled, "SELECT tag FROM tags")["tag"].to_pylist() == ["s/a/l/m/tag1"]
    assert one(filled, "SELECT count(*) FROM dead_letters") == 5
    received = 5 * ROWS + 372 + 5
    assert fetch(filled, "SELECT received, stored FROM ledger").to_pylist() == [
        {"received": received, "stored": 5 * ROWS}
    ]
    assert forget(filled, wanted()) == Forgotten()


def test_a_span_is_forgotten_and_the_sums_tell_of_the_rest(filled: Path) -> None:
    span = Span(START + timedelta(minutes=45), START + timedelta(minutes=100))
    before = fetch(filled, "SELECT * FROM readings ORDER BY seq")
    done = forget(filled, wanted(span))
    numbers = before["seq"].to_numpy()
    is_gone = (numbers % 3 == 0) & (numbers >= 45) & (numbers < 100)
    assert (done.raw, done.clean) == (is_gone.sum(), is_gone.sum())
    after = fetch(filled, "SELECT * FROM readings ORDER BY seq")
    assert after.equals(before.filter(pa.array(~is_gone)))
    for name, width in (("minute", "1 minute"), ("hour", "1 hour")):
        held = fetch(filled, f"SELECT tag, {name}, count, last FROM {name} ORDER BY tag, {name}")
        made = fetch(
            filled,
            f"SELECT tag, time_bucket(INTERVAL '{width}', source_time) AS b, count(*),"
            " max_by(value_clean, source_time) FROM readings GROUP BY ALL ORDER BY tag, b",
        )
        assert list(held.to_pydict().values()) == list(made.to_pydict().values())
    assert one(filled, "SELECT count(*) FROM tags WHERE tag LIKE '%anna'") == 1


def test_it_works_beside_writers_and_says_when_readings_go_on_to_arrive(
    filled: Path, lake: Lake, judge: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(5, 1000))
    commits = 2

    def commit_more(_rows: int) -> None:
        nonlocal commits
        if commits:
            commits -= 1
            commit(lake, judge, next(numbers))

    done = forget(filled, wanted(), tell=commit_more)
    assert (done.raw, done.clean) == (70, 70)
    assert files_with(filled) == set()
    commits = 1000
    monkeypatch.setattr(forgetting, "ROUNDS", 1)
    with pytest.raises(TransientError, match="go on to arrive"):
        forget(filled, wanted(), tell=commit_more)


def test_a_backup_keeps_it_from_being_whole(filled: Path) -> None:
    with files_kept(Folder(filled)), pytest.raises(TransientError, match="backup"):
        forget(filled, wanted())
    assert forget(filled, wanted()).raw == 0
    assert files_with(filled) == set()


def test_a_reader_keeps_the_log_of_the_catalog_in_use(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(filled) as reader, monkeypatch.context() as patch:
        patch.setattr(forgetting, "COMMIT_WAIT_S", 0.4)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM readings").fetchall()
        with pytest.raises(TransientError, match="a reader of the store"):
            forget(filled, wanted())
    assert forget(filled, wanted()) == Forgotten()
    assert files_with(filled) == set()


# A child that forgets and dies, by strace's kill -9 as it enters the n-th call of a kind.
CHILD = """
import sys
from pathlib import Path
from store.upkeep.forgetting import forget
from store.place.locks import files_kept
from tests.store.test_forgetting import wanted
print("started", flush=True)
forget(Path(sys.argv[1]), wanted())
"""


@pytest.mark.parametrize(("call", "number"), [("fsync", 3), ("rename", 2), ("unlink", 1)])
def test_a_kill_at_any_call_is_made_good_by_the_next_call(
    strace: str, filled: Path, call: str, number: int
) -> None:
    others = fetch(filled, "SELECT * FROM readings WHERE tag NOT LIKE '%anna' ORDER BY seq")
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    words = [*traced, "-e", f"inject={call}:signal=KILL:when={number}", sys.executable]
    died = subprocess.run(
        [*words, "-c", CHILD, str(filled)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        timeout=60,
    )
    if b"started" not in died.stdout:
        pytest.skip("strace may not trace here: allow ptrace")
    assert died.returncode < 0, "the call never came: the test tests nothing"
    left = fetch(filled, "SELECT * FROM readings WHERE tag NOT LIKE '%anna' ORDER BY seq")
    assert left.equals(others)
    forget(filled, wanted())
    old = (datetime.now(UTC) - timedelta(hours=2)).timestamp()
    for path in filled.glob("data/**/*.parquet"):
        os.utime(path, (old, old))
    forget(filled, wanted())
    assert files_with(filled) == set()
    assert fetch(filled, "SELECT * FROM readings ORDER BY seq").equals(others)
