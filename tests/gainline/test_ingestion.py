"""gainline.running.ingestion: readers begin last, end first, and say nothing for one another."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.errors import ConfigError
from contracts.message import Address
from gainline.config.loading import Settings
from gainline.config.sections import BrokerSection, IngestSection, StoreSection
from gainline.running.ingest_state import IngestState, tell
from gainline.running.ingestion import ingest
from gainline.running.loops import Stop, beside, guarded, kept_up, started
from gainline.running.partition_process import Told, start
from gainline.running.partitions import partitions
from gainline.running.readers import PartitionProcesses, partition_processes
from ingest.broker import embedded_broker
from ingest.mqtt.publisher import Publisher
from tests.end_to_end.pipeline import REPOSITORY, rows, wait_for
from tests.reception import NOWHERE

WELL: dict[str, Any] = {
    "is_connected": True,
    "is_waiting_for_space": False,
    "received_count": 1,
    "journal_bytes": 1,
    "journal_limit_bytes": 1,
}

UNTIL_THE_PARENT_DIES = """
import sys, time
from gainline.running.process import end_with
end_with(int(sys.argv[1]))
time.sleep(60)
"""


def settings_of(folder: Path, broker: Address, **options: Any) -> Settings:  # noqa: ANN401  # of any kind
    return Settings(
        broker=BrokerSection(url=f"mqtt://{broker}"),
        store=StoreSection(folder=str(folder), commit_interval_s=0.2),
        ingest=IngestSection(**options),
    )


@contextmanager
def ingesting(settings: Settings) -> Iterator[list[Exception]]:
    """Run the service in a thread; give what it fails with."""
    stop, failures = Stop(), list[Exception]()
    thread = started(partial(guarded, partial(ingest, settings), stop, failures))
    try:
        wait_for(lambda: stop.is_up.is_set() or stop.is_set(), what="it is up", limit_s=20)
        yield failures
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def stored(store: Path) -> int:
    found = rows(store, "SELECT count(*) AS n FROM raw.readings")
    return int(found[0]["n"]) if found else 0


def test_what_ingest_knows_it_does_not_read_again(tmp_path: Path) -> None:
    with (
        embedded_broker() as address,
        ingesting(settings_of(tmp_path, address)) as failures,
        Publisher(address, client_id="gateway") as gateway,
    ):
        gateway.publish("plant/a", b'{"ts": 1767225600000, "value": 0}')
        wait_for(lambda: stored(tmp_path) == 1, what="the first is stored", limit_s=20)
        remembered = list((tmp_path / "state").iterdir())
        assert remembered
        for one in remembered:
            one.unlink()
        for value in (1, 2):  # each is stored in another turn of the loop
            gateway.publish("plant/a", b'{"ts": 1767225600000, "value": %d}' % value)
            wait_for(lambda: failures or stored(tmp_path) > value, what="it goes on", limit_s=20)  # noqa: B023  # called within the turn
    assert failures == []


def test_ingest_that_cannot_begin_leaves_no_reader_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(ConfigError, match="zone"):
        ingest(settings_of(tmp_path, NOWHERE, zone="Nowhere/Land"), Stop())
    assert set(threading.enumerate()) == before


def test_what_another_run_has_said_is_not_said_of_this_one(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, NOWHERE, partitions=(("plant/#",),))
    (part,) = partitions(settings)
    part.folder.mkdir()
    tell(part.folder, IngestState(told_at_s=time.time(), **WELL))
    asked: list[int] = []

    def positions() -> dict[str, int]:
        asked.append(1)
        return {"1": 7}

    assert not PartitionProcesses(settings, (part,), positions).states()[0].is_connected
    with partition_processes(settings, (part,), positions) as processes:
        for _ in range(3):
            processes.look_after()
            assert not processes.states()[0].is_connected
        wait_for(lambda: processes.states()[0].journal_limit_bytes > 0, what="it tells")
        assert not processes.states()[0].is_connected  # there is no broker
        processes.look_after()
    assert asked == [1]
    assert processes.states()[0].journal_limit_bytes == 0  # it has ended


def test_a_process_whose_parent_died_before_it_could_say_so_ends() -> None:
    with subprocess.Popen(["/bin/true"]) as gone:
        pass
    words = [sys.executable, "-c", UNTIL_THE_PARENT_DIES]
    assert subprocess.run([*words, str(gone.pid)], cwd=REPOSITORY, timeout=30).returncode < 0  # noqa: PLW1510  # it fails
    with subprocess.Popen([*words, str(os.getpid())], cwd=REPOSITORY) as child:
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1)
        child.kill()


def test_a_reader_that_fails_unexpectedly_says_where_and_ends(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(tmp_path, NOWHERE, partitions=(("plant/#",),))
    assert start(Told(settings, 9, 0, "run")).wait(30) == 1  # there is no ninth
    said = capfd.readouterr().err
    assert "reader_failed" in said
    assert "IndexError" in said


def fail(_: Stop) -> None:
    raise ValueError("unexpected")


def test_what_fails_beside_us_ends_us_and_is_raised() -> None:
    stop = Stop()
    with pytest.raises(ValueError, match="unexpected"), beside(fail, stop):
        assert stop.wait(10)


def test_what_is_kept_up_says_what_it_failed_with_and_begins_again() -> None:
    turns: list[int] = []

    def work(stop: Stop) -> None:
        turns.append(1)
        if len(turns) == 2:
            stop.set()
        fail(stop)

    with capture_logs() as logs:
        kept_up(work, Stop())
    assert [one["event"] for one in logs] == ["service_failed"] * 2
    assert "ValueError: unexpected" in logs[0]["why"]
