"""A note that is sent to a real broker is in the store once, and the ledger balances."""

import json
from pathlib import Path

import pytest

from ingest.broker import embedded_broker
from ingest.mqtt.publisher import Publisher
from tests.end_to_end.pipeline import gainline, rows, service, wait_for

JAM = {"kind": "downtime_reason", "name": "jam", "begins": "2026-03-02T08:10", "author": "A. Brun"}


@pytest.mark.timeout(120)
def test_a_note_that_is_sent_and_said_is_in_the_store_beside_the_readings(tmp_path: Path) -> None:
    store, log, config = tmp_path / "store", tmp_path / "log", tmp_path / "gainline.toml"
    said = json.dumps({**JAM, "source_time": "2026-03-02T09:00:00Z"}).encode()
    with embedded_broker() as address:
        config.write_text(
            f'[broker]\nurl = "mqtt://{address}"\n[store]\nfolder = "{store}"\n'
            'commit_interval_s = 0.2\n[ingest.zones]\nlyon = "Europe/Paris"\n'
        )
        with service("ingest", "--config", config, log=log):
            wait_for(lambda: "broker_connected" in log.read_text(), what="ingest is connected")
            with Publisher(address, client_id="panel") as panel:
                panel.publish("lyon/body/l1/press/force", b"2")
                for payload in (said, said, b'{"kind": "joke"}'):
                    panel.publish("gainline/note/lyon/body/l1", payload)
            ledger = [{"gateway": "", "received": 4, "stored": 2, "duplicate": 1, "dead_letter": 1}]
            wait_for(lambda: rows(store, "FROM ledger") == ledger, what="all are in the lake")
            words = ["--line", "l1", "--author", "B. Kaya", "--config", config]
            assert gainline("note", "remark", "seen", *words).returncode == 0
    found = rows(store, "SELECT kind, line, begins, via, is_in_force FROM notes ORDER BY via")
    assert [(row["kind"], row["line"], row["via"], row["is_in_force"]) for row in found] == [
        ("downtime_reason", "l1", "mqtt", True),
        ("remark", "l1", "verb", True),
    ]
    assert found[0]["begins"].isoformat() == "2026-03-02T07:10:00+00:00"
    (letter,) = rows(store, "SELECT topic, reason FROM dead_letters")
    assert letter["reason"].startswith("bad_note: a note with the kind 'joke'")
    assert rows(store, "SELECT count(*) AS n FROM raw.readings") == [{"n": 1}]
