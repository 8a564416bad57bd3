"""gainline.running.services: what one service suffers, the others do not, and all of them end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import BrokerSection
from ingest.broker import embedded_broker
from ingest.journal import Journal
from ingest.mqtt.publisher import Publisher
from store.lake import Lake
from tests.end_to_end.pipeline import REPOSITORY, free_port, rows, service, wait_for

# A first service that hangs as on a dead disk, and never notices that it is told to stop.
HANGING = """
import sys, time
from gainline.running import services
from gainline.config.loading import Settings
services.STOP_WITHIN_S = 0.5
def hang(settings, stop):
    print("up", flush=True)
    time.sleep(600)
sys.exit(services.run_until_signalled(Settings(), [hang]))
"""


# A service that works in short turns, the next one in a turn without end.
WORKING = """
import sys, time
from gainline.running import loops
from gainline.running import services
from gainline.config.loading import Settings
loops.HANGS_AFTER_S = services.STOP_WITHIN_S = 0.5
def work(settings, stop):
    for _ in range(10):
        stop.wait(0.2)
    print("hangs from now on", flush=True)
    time.sleep(600)
sys.exit(services.run_until_signalled(Settings(), [work]))
"""


# A parent that starts the pipeline, says its process number, and waits.
PARENT = """
import sys, time
from pathlib import Path
from gainline.running.process import running
with running(Path(sys.argv[1]), log=Path(sys.argv[2])) as process:
    print(process.handle.pid, flush=True)
    time.sleep(600)
"""


def _configured(folder: Path, broker: object) -> Path:
    config = folder / "gainline.toml"
    config.write_text(
        f'[broker]\nurl = "mqtt://{broker}"\n[store]\nfolder = "{folder / "store"}"\n'
        f"commit_interval_s = 0.2\n[page]\nport = {free_port()}\n"
    )
    return config


def _stored(store: Path) -> int:
    found = rows(store, "SELECT count(*) AS n FROM raw.readings")
    return int(found[0]["n"]) if found else 0


@pytest.mark.timeout(200)
def test_a_judge_that_fails_again_and_again_does_not_stop_ingest(tmp_path: Path) -> None:
    store, log = tmp_path / "store", tmp_path / "log"
    # another process is the judge of this store: ours cannot begin
    with embedded_broker() as address, Lake.open(store, writer="judge"):
        config = _configured(tmp_path, address)
        with service("run", "--config", config, log=log) as process:
            wait_for(lambda: "service_failed" in log.read_text(), what="the judge has failed")
            with Publisher(address, client_id="gateway") as gateway:
                gateway.publish("s/a/l/m/x", b'{"ts": 1767225600000, "value": 1}')
            wait_for(lambda: _stored(store) == 1, what="the reading is stored")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0


@pytest.mark.timeout(120)
def test_a_service_that_hangs_is_cut_off_and_the_process_ends() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGING],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.timeout(120)
def test_ingest_that_starts_on_a_full_disk_waits_and_begins_when_there_is_room(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    store, log = tmp_path / "store", tmp_path / "log"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", store], check=True)
    balloon = store / "lost+found"
    try:
        _fill(balloon)
        with embedded_broker() as address:
            config = _configured(tmp_path, address)
            with service("ingest", "--config", config, log=log) as process:
                wait_for(lambda: "waiting" in log.read_text(), what="it says that it waits")
                assert process.poll() is None
                balloon.unlink()
                wait_for(lambda: "broker_connected" in log.read_text(), what="it begins")
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
    finally:
        subprocess.run(["umount", "-l", store], check=True)


def _fill(balloon: Path) -> None:
    with balloon.open("wb", buffering=0) as target, suppress(OSError):
        while True:
            target.write(b"\0" * 65536)


@pytest.mark.timeout(120)
def test_a_pipeline_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    with embedded_broker() as address:
        config = _configured(tmp_path, address)
        words: list[str | Path] = [sys.executable, "-c", PARENT, config, tmp_path / "log"]
        with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            pipeline = Path("/proc", parent.stdout.readline().decode().strip())
            assert pipeline.exists()
            parent.kill()
        wait_for(lambda: _has_ended(pipeline), what="it has ended", limit_s=20)


def _has_ended(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize(
    ("broker", "key"),
    [
        (BrokerSection(topics=("a/#/b",)), "broker.topics"),
        (BrokerSection(topics=("a+/b",)), "broker.topics"),
        (BrokerSection(topics=()), "broker.topics"),
        (BrokerSection(client_id=""), "broker.client_id"),
    ],
)
def test_what_no_broker_would_take_is_the_configurations_fault(
    tmp_path: Path, broker: BrokerSection, key: str
) -> None:
    with (
        Journal.open(tmp_path, limit_bytes=1 << 26) as journal,
        pytest.raises(ConfigError, match=key),
    ):
        wiring.receiver(Settings(broker=broker), journal)


@pytest.mark.timeout(120)
def test_a_service_that_hangs_shows_no_sign_of_life_any_more(tmp_path: Path) -> None:
    sign = tmp_path / "alive"
    with subprocess.Popen(
        [sys.executable, "-c", WORKING],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        env={**os.environ, "GAINLINE_ALIVE_FILE": str(sign)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"hangs from now on\n"
        hangs_since_s = time.time()
        assert sign.stat().st_mtime > hangs_since_s - 1.0
        time.sleep(2.0)
        assert sign.stat().st_mtime < hangs_since_s + 1.0
        process.kill()
