"""The locks of a store, of one machine and of many: the same promises of both."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from store.place.location import Location
from store.place.locks import FileLocks, Locks
from store.place.postgres import PostgresLocks

REPOSITORY = Path(__file__).parents[2]
CHILD = """
import sys, time
from pathlib import Path
from store.place.location import Location
from store.place.locks import FileLocks
from store.place.postgres import PostgresLocks
where, catalog = sys.argv[1:]
locks = PostgresLocks(Location(catalog=catalog).server()) if catalog else FileLocks(Path(where))
lock = locks.take("judge")
print(lock is not None, flush=True)
time.sleep(60)
"""


@pytest.fixture(params=["machine", "machines"])
def kind(request: pytest.FixtureRequest) -> Location:
    if request.param == "machine":
        return Location()
    there: Location = request.getfixturevalue("elsewhere")
    return there


@pytest.fixture
def locks(kind: Location, tmp_path: Path) -> Locks:
    server = kind.server()
    return FileLocks(tmp_path) if server is None else PostgresLocks(server)


def test_a_lock_is_had_by_one_until_it_is_given_up(locks: Locks) -> None:
    first = locks.take("judge")
    assert first is not None
    assert locks.take("judge") is None
    other = locks.take("ingest")
    assert other is not None
    first.close()
    first.close()
    again = locks.take("judge")
    assert again is not None
    for lock in (again, other):
        lock.close()


def test_a_thread_does_not_have_the_lock_of_another(locks: Locks) -> None:
    first = locks.take("commit")
    assert first is not None
    found = [first]
    thread = threading.Thread(target=lambda: found.append(locks.take("commit")))
    thread.start()
    thread.join(10)
    assert found == [first, None]
    first.close()


def test_a_shared_lock_is_had_by_several_and_keeps_out_who_wants_it_alone(locks: Locks) -> None:
    several = [locks.take("removal", is_shared=True) for _ in range(2)]
    assert None not in several
    assert locks.take("removal") is None
    for lock in several:
        assert lock is not None
        lock.close()
    alone = locks.take("removal")
    assert alone is not None
    assert locks.take("removal", is_shared=True) is None
    alone.close()


def test_a_lock_ends_with_its_process(locks: Locks, kind: Location, tmp_path: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(tmp_path), kind.catalog]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"True\n"
        assert locks.take("judge") is None
        child.kill()
    for _ in range(200):  # a server notices within moments
        if (lock := locks.take("judge")) is not None:
            lock.close()
            return
        threading.Event().wait(0.05)
    pytest.fail("the lock outlived its process")
