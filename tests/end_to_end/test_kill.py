"""The promise: nothing acknowledged is lost, nothing is stored twice, whatever dies when."""

from __future__ import annotations

import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingest import replay
from ingest.broker import embedded_broker
from ingest.mqtt.publisher import Publisher
from tests.end_to_end.pipeline import rows, service, wait_for

KILLS = 3
DUPLICATES_SQL = """
SELECT gateway, epoch, seq, tag, source_time, count(*) AS count
FROM raw.readings GROUP BY ALL HAVING count(*) > 1
"""


@pytest.mark.timeout(200)
def test_ingest_that_is_killed_during_a_replay_loses_nothing_and_doubles_nothing(
    shared_data: Path, tmp_path: Path
) -> None:
    table = pq.read_table(shared_data / "sensors" / "nab" / "data.parquet")
    messages = list(replay.messages(table, gateway="g", epoch="e", rows_per_message=20))
    store, log = tmp_path / "store", tmp_path / "ingest.log"
    with embedded_broker() as address:
        words = ("ingest", "--broker", f"mqtt://{address}", "--store", store)
        with service(*words, log=log):
            wait_for(lambda: "broker_connected" in log.read_text(), what="ingest is connected")
            wait_for(lambda: rows(store, "SELECT 1 AS one"), what="the store is there")

        may_go_on = threading.Semaphore(0)

        def publish() -> None:
            with Publisher(address, client_id="gateway") as publisher:
                for number, message in enumerate(messages):
                    if number % (len(messages) // (KILLS + 1)) == 0:
                        may_go_on.acquire()
                    publisher.publish(message.topic, message.payload)
                publisher.drain(60)

        gateway = threading.Thread(target=publish)
        gateway.start()
        stored = 0
        for _ in range(KILLS):
            with service(*words, log=log):
                may_go_on.release()
                wait_for(lambda last=stored: _count(store) > last, what="more is stored")
                stored = _count(store)
        for _ in range(KILLS):
            may_go_on.release()
        with service(*words, log=log):
            gateway.join(60)
            wait_for(lambda: _count(store) >= table.num_rows, what="all is stored")
    assert _count(store) == table.num_rows
    assert rows(store, DUPLICATES_SQL) == []
    (ledger,) = rows(store, "FROM ledger")
    assert ledger["gateway"] == "g"
    assert ledger["stored"] == len(messages)
    assert ledger["dead_letter"] == 0
    assert ledger["received"] == ledger["stored"] + ledger["duplicate"]


def _count(store: Path) -> int:
    found = rows(store, "SELECT count(*) AS count FROM raw.readings")
    return int(found[0]["count"]) if found else 0
