"""gainline.running.services: they end cleanly, wait for broker and disk, keep their schedule."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import ScheduleSection, StoreSection, UpgradeSection
from gainline.reports.reporting import Occasion, make_due_reports, write_report
from ingest.broker import embedded_broker
from ingest.mqtt.publisher import Publisher
from store.lake import ReportSlot
from tests.end_to_end.pipeline import free_port, get, rows, service, wait_for


@pytest.mark.timeout(200)
def test_run_takes_readings_to_their_verdicts_shows_them_and_ends_when_told(
    tmp_path: Path,
) -> None:
    store, log, port = tmp_path / "store", tmp_path / "log", free_port()
    config = tmp_path / "gainline.toml"
    with embedded_broker() as address:
        config.write_text(
            f'[broker]\nurl = "mqtt://{address}"\n[store]\nfolder = "{store}"\n'
            f"commit_interval_s = 0.2\n[clean]\nmax_delay_s = 0.5\n[page]\nport = {port}\n"
        )
        with service("run", "--config", config, log=log) as process:
            wait_for(lambda: "broker_connected" in log.read_text(), what="run is connected")
            now_ms = time.time_ns() // 1_000_000
            with Publisher(address, client_id="gateway") as gateway:
                for seq in range(100):
                    head = {"gateway": "g", "epoch": "e", "seq": seq, "ts": now_ms + seq}
                    body = json.dumps({**head, "temperature": 20 + seq % 3})
                    gateway.publish("s/a/l/m", body.encode())
                gateway.publish("s/a/l/m", b"not json")
            sql = "SELECT count(*) AS n FROM readings WHERE tag = 's/a/l/m/temperature'"
            wait_for(lambda: rows(store, sql) == [{"n": 100}], what="all readings are judged")
            assert get(f"http://127.0.0.1:{port}/healthz") == (200, "alive\n")
            assert get(f"http://127.0.0.1:{port}/readyz")[0] == 200
            metrics = get(f"http://127.0.0.1:{port}/metrics")[1]
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    assert 'gainline_messages{gateway="g",outcome="stored"} 100.0' in metrics
    assert 'gainline_messages{gateway="",outcome="dead_letter"} 1.0' in metrics
    assert 'gainline_dead_letters{code="not_json"} 1.0' in metrics
    assert "gainline_judged_readings 100.0" in metrics
    (tag,) = rows(store, "SELECT site, area, line, machine, metric, kind FROM tags")
    assert tag == {
        "site": "s",
        "area": "a",
        "line": "l",
        "machine": "m",
        "metric": "temperature",
        "kind": "gauge",
    }


@pytest.mark.timeout(120)
def test_ingest_waits_for_a_broker_that_is_not_there_and_ends_when_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = ("ingest", "--broker", f"mqtt://127.0.0.1:{free_port()}", "--store", tmp_path / "s")
    with service(*words, log=log) as process:
        wait_for(lambda: log.stat().st_size > 0, what="it says that the broker is away")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["run", "ingest", "judge"])
def test_a_service_that_is_told_to_end_before_it_has_begun_ends_well(
    tmp_path: Path, name: str
) -> None:
    broker = ("--broker", f"mqtt://127.0.0.1:{free_port()}") if name != "judge" else ()
    for delay_s in (0.0, 0.2, 0.5, 0.9):
        log = tmp_path / f"log-{delay_s}"
        with service(name, *broker, "--store", tmp_path / "s", log=log) as process:
            wait_for(lambda pid=process.pid: _hears(pid, signal.SIGTERM), what="it listens")
            time.sleep(delay_s)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0, f"{delay_s}: {log.read_text()}"


def _hears(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process has a handler for a signal: proc(5), SigCgt."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.timeout(120)
def test_a_full_disk_stops_ingest_and_free_space_starts_it_again(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    store, log = tmp_path / "store", tmp_path / "log"
    store.mkdir()
    balloon = store / "journal" / "balloon"
    os.system(f"mount -t tmpfs -o size=64m tmpfs {store}")  # noqa: S605  # our own folder
    try:
        with embedded_broker() as address:
            words = ("ingest", "--broker", f"mqtt://{address}", "--store", store)
            with service(*words, log=log) as process:
                wait_for(lambda: "broker_connected" in log.read_text(), what="it is connected")
                with Publisher(address, client_id="gateway") as gateway:
                    _publish(gateway, range(10))
                    wait_for(lambda: _stored(store) == 10, what="the first are stored")
                    _fill(balloon)
                    _publish(gateway, range(10, 2000))
                    wait_for(lambda: "full" in log.read_text(), what="it says that it is full")
                    assert process.poll() is None
                    balloon.unlink()
                    wait_for(lambda: _stored(store) == 2000, what="all are stored", limit_s=30)
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0
        assert rows(store, "SELECT count(DISTINCT seq) AS n FROM raw.readings") == [{"n": 2000}]
    finally:
        os.system(f"umount -l {store}")  # noqa: S605  # our own folder


def _publish(gateway: Publisher, seqs: range) -> None:
    for seq in seqs:
        head = {"gateway": "g", "epoch": "e", "seq": seq, "ts": 1767225600000 + seq}
        gateway.publish("s/a/l/m", json.dumps({**head, "note": "x" * 2000}).encode())


def _stored(store: Path) -> int:
    found = rows(store, "SELECT count(*) AS n FROM raw.readings")
    return int(found[0]["n"]) if found else 0


def _fill(balloon: Path) -> None:
    with balloon.open("wb", buffering=0) as target:
        try:
            while True:
                target.write(b"\0" * 65536)
        except OSError:
            return


def test_each_missed_report_is_made_exactly_once(tmp_path: Path) -> None:
    settings = Settings(
        store=StoreSection(folder=str(tmp_path / "store")),
        schedule=(ScheduleSection(name="daily", cron="0 6 * * *"),),
    )
    first = datetime(2026, 5, 1, 12, tzinfo=UTC)
    reports = tmp_path / "store" / "reports"
    with wiring.open_lake(settings, writer="reports") as lake:
        assert make_due_reports(settings, lake, first) == 0
        assert make_due_reports(settings, lake, first + timedelta(hours=17)) == 0
        assert make_due_reports(settings, lake, first + timedelta(days=3)) == 3
        made = {path.name: path.stat().st_mtime_ns for path in reports.iterdir()}
        assert make_due_reports(settings, lake, first + timedelta(days=3)) == 0
    days = ("02", "03", "04")
    assert sorted(made) == [f"daily-202605{day}T0600Z.html" for day in days]
    assert {path.name: path.stat().st_mtime_ns for path in reports.iterdir()} == made


def test_a_report_whose_slot_was_not_noted_is_made_again_in_the_same_file(tmp_path: Path) -> None:
    settings = Settings(
        store=StoreSection(folder=str(tmp_path / "store")),
        schedule=(ScheduleSection(name="daily", cron="0 6 * * *"),),
    )
    began = datetime(2026, 5, 1, tzinfo=UTC)
    half_made = tmp_path / "store" / "reports" / "daily-20260501T0600Z.html"
    with wiring.open_lake(settings, writer="reports") as lake:
        lake.record_report(ReportSlot("daily", began, began, ""))
        half_made.parent.mkdir()
        half_made.write_text("a crash came between the file and the ledger")
        assert make_due_reports(settings, lake, began + timedelta(hours=7)) == 1
    assert "<html" in half_made.read_text()
    assert [path.name for path in half_made.parent.iterdir()] == [half_made.name]


def test_a_report_says_why_there_is_no_gain_yet(tmp_path: Path) -> None:
    settings = Settings(
        store=StoreSection(folder=str(tmp_path / "store")),
        upgrades=(UpgradeSection(line="<b>L1", upgraded_on=date(2026, 3, 2)),),
    )
    wiring.open_lake(settings, writer="reports").close()
    out = tmp_path / "report.html"
    report = write_report(settings, out, Occasion("Report", datetime(2026, 5, 1, tzinfo=UTC)))
    assert report.gain is None
    assert "No gain can be stated yet" in out.read_text()
