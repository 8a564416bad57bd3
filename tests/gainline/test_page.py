from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gainline import services
from gainline.config import PageSection, Settings, StoreSection
from gainline.page.flowstate import FlowState, flow_state
from store.lake import Lake
from tests.end_to_end.pipeline import free_port, get, wait_for

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
