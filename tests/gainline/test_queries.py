"""Each statement of docs/queries.md, run on a store of two lines, with a plausible answer."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contracts.notes import Heard, note_of
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import KpiSection, StoreSection
from gainline.flow import Bench, Intake
from gainline.kpis.shift_keeping import keep_shifts_of
from ingest.blocks import Received
from ingest.sources import Sources
from store.query import fetch
from store.sums.rolling import roll_up

PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text(encoding="utf-8")
BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 3
MINUTES = DAYS * 24 * 60
# What the second gateway never sends, and what of the first comes three hours late.
NEVER_SENT = range(1000, 1020)
LATE = range(2000, 2005)
SPIKE = 360  # 06:00
STOPS_AT = range(180, 200)  # of each day: 20 minutes from 03:00 on
COUNTER_BEGINS_ANEW = 500

Rows = list[dict[str, Any]]


def at(minutes: float) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def message(line: str, minute: int) -> tuple[int, Received]:
    """What the press of a line measures in a minute; when it is received, in minutes."""
    stopped = minute % 1440 in STOPS_AT
    warm = 40 + 5 * math.sin(minute / 200) + (minute * 7 % 11) / 10
    upgraded = 6.0 if line == "L01" and minute >= 2 * 1440 else 0.0
    counted = (minute - COUNTER_BEGINS_ANEW if minute >= COUNTER_BEGINS_ANEW else minute) * 3
    payload = {
        "gateway": f"gw-{line}",
        "epoch": "e",
        "seq": minute,
        "ts": round(at(minute).timestamp() * 1000),
        "temperature": 900.0 if minute == SPIKE and line == "L01" else round(warm + upgraded, 2),
        "pressure": round(warm / 10 + (minute * 3 % 7) / 50, 3),
        "state": 0 if stopped else 1,
        "good_count": counted,
        "energy_kwh": minute * 2,
    }
    delay = 180 if minute in LATE and line == "L01" else 0
    received_us = round(at(minute + delay).timestamp() * 1e6) + 200_000
    topic = f"lyon/body/{line}/press"
    return minute + delay, Received(
        topic, json.dumps(payload).encode(), received_us, retained=False
    )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The way of messages into a store, three days of them, without a broker."""
    folder = tmp_path_factory.mktemp("queries") / "lake"
    settings = Settings(
        store=StoreSection(folder=str(folder)), kpi=KpiSection(units_per_hour=200.0)
    )
    sent = [
        message(line, minute)
        for line in ("L01", "L02")
        for minute in range(MINUTES)
        if line == "L01" or minute not in NEVER_SENT
    ]
    broken = Received("lyon/body/L02/press", b"{not json", sent[0][1].received_us, retained=False)
    messages = [one for _, one in sorted(sent, key=lambda each: each[0])]
    with (
        wiring.open_lake(settings, writer="ingest") as stored,
        wiring.open_lake(settings, writer="judge") as judged,
        wiring.open_journal(settings, first_position=0) as journal,
    ):
        intake = Intake(Sources(journal), stored, wiring.how_to_read(settings))
        bench = Bench(judged, wiring.rule_for(settings), wiring.judge_settings(settings))
        for begin in range(0, len(messages), 1000):
            journal.append([*messages[begin : begin + 1000], *([broken] if not begin else [])])
            while intake.store_new():
                pass
            while bench.judge_new(messages[begin].received_us):
                pass
        bench.finish()
    while roll_up(folder):
        pass
    keep_shifts_of(settings, at(MINUTES))
    jam = {"kind": "downtime_reason", "name": "jam", "line": "L01", "begins": at(STOPS_AT[0] - 1)}
    with wiring.open_lake(settings, writer="notes") as noted:
        heard = Heard(at(MINUTES), "csv", author="A. Brun")
        noted.add_notes([note_of({**jam, "ends": at(STOPS_AT[-1])}, heard)])
    return folder


def statements() -> dict[str, str]:
    """Each statement of the page, by its heading."""
    parts = re.split(r"^## (.*)$", PAGE, flags=re.MULTILINE)
    found = {}
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        for sql in re.findall(r"^```sql\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
            assert title not in found
            found[title] = sql
    return found


CHECKS: dict[str, Callable[[Rows], object]] = {}


def check(title: str) -> Callable[[Callable[[Rows], object]], Callable[[Rows], object]]:
    def kept(function: Callable[[Rows], object]) -> Callable[[Rows], object]:
        CHECKS[title] = function
        return function

    return kept


@check("The newest value of each tag of a line")
def _(rows: Rows) -> None:
    names = [row["tag"].rpartition("/")[2] for row in rows]
    assert names == ["energy_kwh", "good_count", "pressure", "state", "temperature"]
    assert {row["source_time"] for row in rows} == {at(MINUTES - 1)}
    assert rows[1]["value_clean"] == (MINUTES - 1 - COUNTER_BEGINS_ANEW) * 3


@check("A day of a tag")
def _(rows: Rows) -> None:
    assert 1435 <= len(rows) <= 1440
    assert rows[0]["source_time"] == at(0)
    assert max(row["value_clean"] for row in rows) < 60


@check("Hourly means of several tags")
def _(rows: Rows) -> None:
    assert len(rows) == 48
    assert all(30 < row["min"] <= row["mean"] <= row["max"] < 50 for row in rows)
    assert rows[12]["good_share"] == pytest.approx(59 / 60)


@check("Daily means of a metric of all lines")
def _(rows: Rows) -> None:
    assert [(row["line"], row["day"]) for row in rows] == [
        (line, at(day * 1440)) for line in ("L01", "L02") for day in range(3)
    ]
    assert rows[2]["mean"] == pytest.approx(rows[5]["mean"] + 6, abs=0.05)


@check("Before and after an upgrade")
def _(rows: Rows) -> None:
    (_, before, after), (_, other_before, other_after) = (
        (line, *(row["mean"] for row in rows if row["line"] == line)) for line in ("L01", "L02")
    )
    assert (after - before) - (other_after - other_before) == pytest.approx(6, abs=0.1)
    assert sum(row["readings"] for row in rows) == 4 * 1440


@check("OEE of a week")
def _(rows: Rows) -> None:
    assert [(row["line"], f"{row['week']:%Y-%m-%d}") for row in rows] == [
        (line, "2026-03-02") for line in ("L01", "L02")
    ]
    assert rows[0]["availability"] == pytest.approx(1 - 60 / (MINUTES - 1))
    assert rows[0]["effectiveness"] == pytest.approx(180 / 200 * MINUTES / (MINUTES - 60), rel=0.01)
    assert rows[0]["oee"] == pytest.approx(rows[0]["availability"] * rows[0]["effectiveness"])
    assert rows[1]["coverage"] == rows[0]["coverage"] == 1


@check("The stops that cost most")
def _(rows: Rows) -> None:
    assert [tuple(row.values()) for row in rows] == [
        ("L02", "press", "delay", 0.0, None, DAYS, 60.0),
        ("L01", "press", "delay", 0.0, None, DAYS - 1, 40.0),
        ("L01", "press", "delay", 0.0, "jam", 1, 20.0),
    ]


@check("Why lines stood still")
def _(rows: Rows) -> None:
    unsaid, jam = rows
    assert (unsaid["reason"], unsaid["stops"]) == ("not said", 2 * DAYS - 1)
    assert (jam["reason"], jam["stops"]) == ("jam", 1)
    assert jam["minutes"] == pytest.approx(len(STOPS_AT))


@check("Energy and carbon of a day")
def _(rows: Rows) -> None:
    assert len(rows) == 2 * DAYS
    assert rows[1]["kwh"] == pytest.approx(2880)
    assert rows[1]["idle_share"] == pytest.approx(20 / 1440)
    assert rows[1]["kwh_per_good"] == pytest.approx(2 / 3)
    assert rows[1]["kg_per_good"] == pytest.approx(2 / 3 * 0.38)


@check("Why readings are not GOOD")
def _(rows: Rows) -> None:
    words = {(row["reason"], row["quality"]): row for row in rows}
    assert words["spike", 2]["readings"] == 1
    assert words["spike", 2]["share"] == pytest.approx(1 / (10 * MINUTES - 100))
    assert any(reason == "late" for reason, _ in words)


@check("What never came")
def _(rows: Rows) -> None:
    assert [(row["gateway"], row["first_seq"], row["last_seq"], row["count"]) for row in rows] == [
        ("gw-L02", NEVER_SENT[0], NEVER_SENT[-1], len(NEVER_SENT))
    ]


@check("When a tag was silent")
def _(rows: Rows) -> None:
    (row,) = rows
    assert (row["since"], row["until"]) == (at(NEVER_SENT[0] - 1), at(NEVER_SENT[-1] + 1))
    assert row["pause"] == timedelta(minutes=len(NEVER_SENT) + 1)


@check("Readings around an event")
def _(rows: Rows) -> None:
    times = [row["source_time"] for row in rows]
    assert times == [at(SPIKE + step) for step in range(-10, 11) if step]  # the spike is BAD


@check("Readings around each of many events")
def _(rows: Rows) -> None:
    assert [row["stopped_at"] for row in rows] == [at(1440 * day + STOPS_AT[0]) for day in range(3)]
    assert all(30 < row["mean"] <= row["highest"] < 60 for row in rows)


@check("Several tags side by side")
def _(rows: Rows) -> None:
    assert len(rows) == 96
    for row in rows:
        time, temperature, pressure = row.values()
        assert time.minute % 15 == 0
        assert temperature / 10 == pytest.approx(pressure, abs=0.2)


@check("How two tags move together")
def _(rows: Rows) -> None:
    assert rows[0]["steps"] == DAYS * 96
    assert 0.5 < rows[0]["correlation"] <= 1


@check("A tag at the times of another")
def _(rows: Rows) -> None:
    assert len(rows) == 1440
    # where the temperature was BAD, the one before it holds
    old = [row["source_time"] for row in rows if row["age"] > timedelta(0)]
    assert at(SPIKE) in old
    assert len(old) < 5
    assert all(row["temperature"] < 60 for row in rows)


@check("Points for a chart")
def _(rows: Rows) -> None:
    assert 200 < len(rows) <= 400
    assert rows == sorted(rows, key=lambda row: row["source_time"])


@check("How long a machine was in each state")
def _(rows: Rows) -> None:
    stopped = len(STOPS_AT)
    assert [tuple(row.values()) for row in rows] == [(0.0, 1, stopped), (1.0, 2, 1440 - stopped)]


@check("What a counter has counted")
def _(rows: Rows) -> None:
    assert [row["hour"] for row in rows] == [at(60 * hour) for hour in range(24)]
    # in the first hour nothing is before its first reading; at the reset a minute is unknown
    assert {row["pieces"] for row in rows[1:8] + rows[9:]} == {180.0}
    assert 170 <= rows[8]["pieces"] <= 180


@check("How late readings come")
def _(rows: Rows) -> None:
    first, second = rows
    assert first["late"] == 5 * len(LATE)
    assert second["late"] == 0
    assert first["usual_delay_s"] == second["longest_delay_s"] == 0.2
    assert first["longest_delay_s"] == 3 * 3600 + 0.2


@check("Messages that could not be read")
def _(rows: Rows) -> None:
    (row,) = rows
    assert row["messages"] == 1
    assert row["a_topic"] == "lyon/body/L02/press"
    assert re.fullmatch(r"\w+", row["code"])


@check("Whether every message is accounted for")
def _(rows: Rows) -> None:
    assert {row["gateway"] for row in rows} == {"", "gw-L01", "gw-L02"}
    assert sum(row["received"] for row in rows) == 2 * MINUTES - len(NEVER_SENT) + 1
    assert all(row["missing"] == 0 for row in rows)


@check("Which files a statement reads")
def _(rows: Rows) -> None:
    counts = re.findall(r"Total Files Read: (\d+)", rows[0]["explain_value"])
    assert "1" in counts
    assert all(int(count) <= 1 for count in counts)


@pytest.mark.parametrize("title", statements())
def test_a_recipe_gives_a_plausible_answer(lake: Path, title: str) -> None:
    assert len(fetch(lake, "FROM ducklake_list_files('lake', 'readings', schema => 'clean')")) > 5
    rows = fetch(lake, statements()[title]).to_pylist()
    CHECKS[title]([{name: _plain(cell) for name, cell in row.items()} for row in rows])


def _plain(cell: object) -> object:
    if isinstance(cell, pa.MonthDayNano):
        return timedelta(days=cell.days, microseconds=cell.nanoseconds // 1000)
    return cell


def test_every_check_has_its_recipe() -> None:
    assert CHECKS.keys() == statements().keys()


@pytest.fixture
def beside(lake: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(lake.parent)
    return lake.parent


def test_what_is_taken_elsewhere_is_what_was_asked(beside: Path) -> None:
    (program,) = re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", "-ec", program],
        cwd=beside,
        check=True,
        timeout=100,
        env={**os.environ, "PATH": path},
    )
    hours = fetch(beside / "lake", "SELECT count(*) AS n FROM hour")["n"][0].as_py()
    assert hours == 10 * 24 * DAYS
    assert pq.read_table(beside / "hours.parquet").num_rows == hours
    with pa.ipc.open_stream(beside / "hours.arrows") as stream:
        assert stream.read_all().num_rows == hours
    assert len((beside / "hours.csv").read_text(encoding="utf-8").splitlines()) == hours + 1
    assert len(json.loads((beside / "hours.json").read_text(encoding="utf-8"))) == 10


@pytest.mark.usefixtures("beside")
@pytest.mark.filterwarnings("ignore:The inplace keyword")  # of DuckDB
def test_the_program_in_python_gives_a_table(lake: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - of our own page
    assert names["wide"].shape == (24 * DAYS, 2)
    assert not names["wide"].isna().any().any()
    assert lake.exists()
