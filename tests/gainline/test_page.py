from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gainline.config.loading import Settings
from gainline.config.sections import PageSection, StoreSection
from gainline.page.flowstate import FlowState, flow_state
from gainline.running import services
from gainline.running.ingest_state import IngestState, tell, told
from store.lake import Lake
from store.query import fetch
from tests.end_to_end.pipeline import free_port, get, wait_for
from tests.store.samples import clean_commit, raw_rows

NOW = datetime(2026, 5, 1, tzinfo=UTC)
Ask = Callable[[str], tuple[int, str]]


@pytest.mark.parametrize(
    ("last", "why"),
    [
        (None, "nothing has been received yet"),
        (NOW - timedelta(seconds=400), "nothing has been received for 400 s"),
        (NOW - timedelta(seconds=200), None),
    ],
)
def test_silence_is_not_ready(last: datetime | None, why: str | None) -> None:
    assert FlowState(1, 1, last).why_not_ready(NOW, stale_after_s=300.0) == why


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"told_at_s": 0.0}, "ingest does not run"),
        ({"is_waiting_for_space": True}, "the journal is full"),
        ({"is_connected": False}, "the broker cannot be reached"),
        ({}, None),
    ],
)
def test_what_ingest_complains_of_is_not_ready(
    tmp_path: Path, change: dict[str, Any], why: str | None
) -> None:
    Lake.open(tmp_path, writer="ingest").close()
    tell(tmp_path, replace(well(), **change))
    state = replace(flow_state(tmp_path), last_received_time=NOW)
    found = state.why_not_ready(NOW, stale_after_s=300.0)
    assert found is None if why is None else str(found).startswith(why)


def well() -> IngestState:
    return IngestState(
        told_at_s=time.time(),
        is_connected=True,
        is_waiting_for_space=False,
        received_count=7,
        journal_bytes=1 << 24,
        journal_limit_bytes=1 << 31,
    )


def test_a_state_is_told_in_place_and_a_broken_one_is_none(tmp_path: Path) -> None:
    assert told(tmp_path) is None
    for count in (10**9, 3):
        tell(tmp_path, replace(well(), received_count=count))
        assert getattr(told(tmp_path), "received_count", None) == count
    (tmp_path / "ingest.state").write_bytes(b"{")
    assert told(tmp_path) is None


def test_an_empty_store_has_received_nothing(tmp_path: Path) -> None:
    Lake.open(tmp_path / "store", writer="ingest").close()
    assert flow_state(tmp_path / "store") == FlowState(0, 0, None)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Ask]:
    """A page that serves the store in tmp_path."""
    port = free_port()
    settings = Settings(
        store=StoreSection(folder=str(tmp_path / "store")), page=PageSection(port=port)
    )

    def ask(path: str) -> tuple[int, str]:
        return get(f"http://127.0.0.1:{port}{path}")

    stop = threading.Event()
    thread = threading.Thread(target=services.serve, args=(settings, stop))
    thread.start()
    wait_for(lambda: ask("/healthz")[0] == 200, what="the page is up")
    yield ask
    stop.set()
    thread.join(20)


def test_without_a_store_the_page_is_alive_and_not_ready(page: Ask) -> None:
    assert page("/healthz") == (200, "alive\n")
    assert page("/readyz")[0] == 503
    assert "gainline_store_up 0.0" in page("/metrics")[1]
    assert "No report has been made yet" in page("/")[1]


def test_reports_are_listed_and_shown_and_nothing_else_is(page: Ask, tmp_path: Path) -> None:
    folder = tmp_path / "store" / "reports"
    folder.mkdir(parents=True)
    (folder / "weekly-20260504T0600Z.html").write_text("<html>a report</html>")
    (folder / ".weekly.html.part").write_text("half a report")
    (tmp_path / "store" / "secret").write_text("secret")
    listed = page("/")[1]
    assert "/reports/weekly-20260504T0600Z.html" in listed
    assert "part" not in listed
    assert page("/reports/weekly-20260504T0600Z.html") == (200, "<html>a report</html>")
    for path in ("/reports/../secret", "/reports/%2e%2e%2fsecret", "/reports/other.html"):
        assert page(path)[0] == 404


def test_the_newest_readings_are_told_as_the_view_has_them(page: Ask, tmp_path: Path) -> None:
    assert page("/latest")[0] == 503
    with Lake.open(tmp_path / "store", writer="judge") as judge:
        assert page("/latest") == (200, "[]\n")
        for value in (1.0, 2.0):
            rows = raw_rows(int(value) * 6, 6, value=[value] * 6)
            judge.commit_clean(clean_commit(rows))
            found = json.loads(page("/latest")[1])
            assert [(row["tag"], row["value"]) for row in found] == [
                (f"s/a/l/m/tag{number}", value) for number in range(3)
            ]
    asked = fetch(tmp_path / "store", "FROM latest WHERE tag = 's/a/l/m/tag1'")
    (one,) = json.loads(page("/latest?tag=s/a/l/m/tag1")[1])
    assert list(one) == asked.column_names
    assert one["source_time"] == "2026-01-05T00:00:16.000000Z"
    assert page("/latest?line=l2") == (200, "[]\n")
    status, words = page("/latest?colour=red")
    assert status == 400
    assert "tag, site, area, line, machine, metric can" in words
