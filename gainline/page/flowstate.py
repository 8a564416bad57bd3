"""Whether data flows: what the page and the metrics say of a store."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from contracts.errors import GainlineError
from gainline.config.made_tags import JUDGED_SQL
from gainline.running.ingest_state import IngestState, told
from store.query import fetch

COUNTS_SQL = f"""
SELECT (SELECT count(*) FROM raw.readings) AS raw_readings,
       {JUDGED_SQL} AS judged_readings,
       (SELECT max(arrival) FROM house.ingest_progress) AS next_arrival
"""  # noqa: S608  # of our own words
# The numbers of arrival only grow, so this reads the newest segment and no other.
LAST_SQL = "SELECT max(received_time) AS last FROM raw.readings WHERE arrival >= ?"
OUTCOMES = ("received", "stored", "duplicate", "dead_letter")
CODES_SQL = """
SELECT split_part(reason, ':', 1) AS code, count(*) AS count
FROM house.dead_letters GROUP BY code ORDER BY code
"""


@dataclass(frozen=True)
class FlowState:
    """How many readings are stored and judged, when the last one was received, how ingest is."""

    raw_readings: int
    judged_readings: int
    last_received_time: datetime | None
    ingest: IngestState | None = None  # None: it has said nothing

    def why_not_ready(self, now: datetime, *, stale_after_s: float) -> str | None:
        """Say in words why data does not flow, or None when it does."""
        complaint = self.ingest.complaint if self.ingest else None
        if complaint is not None:
            return complaint
        if self.last_received_time is None:
            return "nothing has been received yet"
        silent = now - self.last_received_time
        if silent > timedelta(seconds=stale_after_s):
            return f"nothing has been received for {silent.total_seconds():.0f} s"
        return None


def flow_state(store: Path) -> FlowState:
    """Read the state of a store. Raises GainlineError where there is none."""
    (counts,) = fetch(store, COUNTS_SQL).to_pylist()
    (newest,) = fetch(store, LAST_SQL, [counts["next_arrival"] - 1]).to_pylist()
    return FlowState(counts["raw_readings"], counts["judged_readings"], newest["last"], told(store))


class FlowCollector(Collector):
    """Asks the store at each scrape, so that the page needs no memory of its own."""

    def __init__(self, store: Path) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metrics; only `gainline_store_up` where the store does not answer."""
        up = GaugeMetricFamily("gainline_store_up", "1 if the store answers")
        try:
            state = flow_state(self._store)
            ledger = fetch(self._store, "SELECT * FROM ledger").to_pylist()
            codes = fetch(self._store, CODES_SQL).to_pylist()
            left_out = fetch(self._store, "SELECT * FROM left_out").to_pylist()
        except GainlineError:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield GaugeMetricFamily(
            "gainline_raw_readings", "Readings stored as received", state.raw_readings
        )
        yield GaugeMetricFamily(
            "gainline_judged_readings", "Readings with a final verdict", state.judged_readings
        )
        if state.last_received_time is not None:
            yield GaugeMetricFamily(
                "gainline_last_received_timestamp_seconds",
                "When the newest reading was received, seconds since 1970",
                state.last_received_time.timestamp(),
            )
        if state.ingest is not None:
            yield from _of_ingest(state.ingest)
        messages = GaugeMetricFamily(
            "gainline_messages",
            "Messages by gateway and what became of them",
            labels=["gateway", "outcome"],
        )
        for row in ledger:
            for outcome in OUTCOMES:
                messages.add_metric([row["gateway"], outcome], row[outcome])
        yield messages
        letters = GaugeMetricFamily(
            "gainline_dead_letters", "Messages that could not be read, by code", labels=["code"]
        )
        for row in codes:
            letters.add_metric([row["code"]], row["count"])
        yield letters
        private = GaugeMetricFamily(
            "gainline_left_out_readings",
            "Readings that [privacy] has kept out, by gateway",
            labels=["gateway"],
        )
        for row in left_out:
            private.add_metric([row["gateway"]], row["readings"])
        yield private


def _of_ingest(state: IngestState) -> Iterator[GaugeMetricFamily]:
    for name, words, value in (
        ("connected", "1 if every reader is subscribed at the broker", state.is_connected),
        (
            "waiting_for_space",
            "1 if the journal is full, or its disk, and nothing is read",
            state.is_waiting_for_space,
        ),
        ("received_messages", "Messages in the journal since the start", state.received_count),
        ("journal_bytes", "What the journal takes of the disk", state.journal_bytes),
        ("journal_limit_bytes", "What it may take", state.journal_limit_bytes),
        ("told_timestamp_seconds", "When ingest said so, seconds since 1970", state.told_at_s),
    ):
        yield GaugeMetricFamily(f"gainline_ingest_{name}", words, value)
