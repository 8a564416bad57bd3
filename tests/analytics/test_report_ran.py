"""How the lines ran, in the report: KPIs beside those before, what cost most, what is not known."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analytics.report import ran, render
from analytics.report.page import LINES_RAN_MAX
from analytics.words import ENGLISH
from contracts.closer import CloserLook, Since
from contracts.errors import ContractError
from contracts.outcome import Interval
from contracts.report import KpiRow, Lost, Performance
from tests.analytics.test_report import BARE, BYTES_MAX, FULL, HOSTILE, PROVEN, Page

ENDS = datetime(2026, 3, 2, tzinfo=UTC)
NOW = {
    "oee": 0.72,
    "availability": 0.9,
    "effectiveness": 0.82,
    "quality_ratio": 0.975,
    "mtbf_h": 16.27,
    "mttr_h": 0.5,
    "scrap_ratio": 0.025,
    "energy_per_good": 0.7231,
    "co2e_per_good": 0.2748,
    "coverage": 1.0,
    "good_share": 0.999,
}
BEFORE = NOW | {"oee": 0.691, "availability": 0.88}
TOLD = Performance(
    begins=ENDS - timedelta(days=28),
    ends=ENDS,
    plant=KpiRow(line=None, now=NOW, before=BEFORE),
    lines=(
        KpiRow(line="line 1", now=NOW, before=BEFORE),
        KpiRow(line="line 2", now=NOW | {"mtbf_h": None, "mttr_h": None}, before={}),
    ),
    losses=tuple(
        Lost(name, hours, share_so_far, 20 * hours)
        for name, hours, share_so_far in (
            ("breakdown", 6.0, 6 / 21),
            ("setup", 5.0, 11 / 21),
            ("small_stops", 4.0, 15 / 21),
            ("reduced_speed", 3.0, 18 / 21),
            ("startup_rejects", 2.0, 20 / 21),
            ("process_rejects", 1.0, 1.0),
        )
    ),
    currency="EUR",
)


def text_of(told: Performance) -> str:
    return Page(render(replace(BARE, performance=told))).text


def without(told: Performance, *names: str) -> Performance:
    """Know nothing of some KPIs."""
    unknown = dict.fromkeys(names)
    rows = [
        replace(row, now={**row.now, **unknown}, before={**row.before, **unknown})
        for row in (told.plant, *told.lines)
    ]
    return replace(told, plant=rows[0], lines=tuple(rows[1:]))


def test_each_kpi_stands_above_that_of_the_time_before() -> None:
    text = text_of(TOLD)
    assert "of the 28 days from 2026-02-02 to 2026-03-02 UTC" in text
    assert "All lines 72.0 % 69.1 % 90.0 % 88.0 % 82.0 % 82.0 % 97.5 %" in text
    assert "16.3 16.3 0.500 0.500 2.5 % 2.5 % 0.723 0.723 0.275 0.275 100 % 100 %" in text


def test_what_one_line_does_not_know_is_a_dash() -> None:
    assert "line 2 72.0 % – 90.0 % –" in text_of(TOLD)  # noqa: RUF001 - the sign itself


@pytest.mark.parametrize(
    ("names", "column", "key"),
    [
        (("oee", "effectiveness"), "OEE", "units_per_hour of [kpi]"),
        (("quality_ratio", "scrap_ratio"), "Scrap", "scrap_count of [kpi]"),
        (("energy_per_good", "co2e_per_good"), "kWh per unit", "energy_kwh of [panel]"),
        (("co2e_per_good",), "kg CO2e per unit", "co2_kg_per_kwh of [prices]"),
        (("mtbf_h", "mttr_h"), "MTBF, h", None),  # there were no failures: nothing to configure
    ],
)
def test_what_no_line_knows_has_no_column_and_its_key_is_named(
    names: tuple[str, ...], column: str, key: str | None
) -> None:
    told = without(TOLD, *names)
    head = Page(render(replace(BARE, performance=told))).words
    assert column in Page(render(replace(BARE, performance=TOLD))).words
    assert column not in head
    said = list(ran.remarks(told, ENGLISH))
    assert [key in sentence for sentence in said] == ([True] if key else [])
    assert not list(ran.remarks(TOLD, ENGLISH))


def test_lines_without_a_planned_rate_are_named() -> None:
    plain = replace(TOLD.lines[1], now=TOLD.lines[1].now | {"oee": None, "effectiveness": None})
    text = text_of(replace(TOLD, lines=(TOLD.lines[0], plain)))
    assert "as these have no planned rate: line 2." in text


def test_a_line_that_is_faster_than_its_plan_is_spoken_of() -> None:
    assert "faster than it is planned to be" not in text_of(TOLD)
    fast = replace(TOLD.lines[0], now=NOW | {"effectiveness": 1.08})
    assert "faster than it is planned to be" in text_of(replace(TOLD, lines=(fast,)))


def test_a_target_stands_beside_its_kpi_and_what_notes_have_changed_is_marked() -> None:
    rows = (replace(TOLD.lines[0], targets={"oee": 0.8, "teep": 0.5}, is_noted=True), TOLD.lines[1])
    text = text_of(replace(TOLD, lines=rows, plant=replace(TOLD.plant, is_noted=True)))
    assert "line 1* 72.0 % 69.1 % target 80.0 % 90.0 %" in text
    assert "line 2 72.0 %" in text
    assert "* Notes have changed a figure" in text
    assert "target" not in text_of(TOLD)
    assert "* Notes" not in text_of(TOLD)


def test_the_five_largest_losses_are_told_in_hours_and_money() -> None:
    text = text_of(TOLD)
    assert "Loss Hours Share so far EUR Breakdowns and other stops 6.00 29 % 120" in text
    assert "Rejects during set-up 2.00 95 % 40" in text
    assert "Rejects 1.00" not in text


def test_losses_without_a_worth_have_no_money_and_the_key_is_named() -> None:
    poor = replace(TOLD, losses=tuple(replace(one, money=None) for one in TOLD.losses))
    assert "Share so far EUR" not in text_of(poor)
    assert "unit_cost of [economics]" in text_of(poor)
    assert "unit_cost of [economics]" not in text_of(TOLD)


def test_reasons_of_stops_are_told_as_people_say_them() -> None:
    reasons = (Lost("jam", 3.5, 0.7), Lost("down", 1.5, 1.0, None, 2.0))
    text = text_of(replace(TOLD, reasons=reasons))
    assert "Reason of the stop Hours Share so far jam 3.50 70 %" in text
    assert "down, state 2, nothing said of it 1.50 100 %" in text
    assert "Reason of the stop" not in text_of(TOLD)


def test_where_nothing_can_be_told_one_sentence_says_why() -> None:
    text = Page(render(replace(BARE, no_performance_because="no line has a state"))).text
    assert "It cannot be told how the lines ran: no line has a state." in text
    assert "How the lines ran" not in Page(render(BARE)).text


def test_names_of_lines_and_reasons_are_text() -> None:
    row = replace(TOLD.lines[0], line=HOSTILE)
    page = Page(
        render(
            replace(
                BARE,
                no_performance_because=HOSTILE,
                performance=replace(
                    TOLD, lines=(row,), reasons=(Lost(HOSTILE, 1, 1),), currency=HOSTILE
                ),
            )
        )
    )
    assert "script" not in page.tags
    assert page.handlers == []
    assert page.text.count("alert(1)") >= 3


def test_a_plant_of_a_thousand_lines_stays_under_the_size_promised() -> None:
    row = replace(TOLD.lines[0], targets=NOW)
    lines = tuple(replace(row, line=f"line {i}") for i in range(1000))
    html = render(replace(FULL, performance=replace(TOLD, lines=lines)))
    assert len(html.encode()) < BYTES_MAX / 2
    assert f"{1000 - LINES_RAN_MAX} more rows" in html


def test_what_a_line_borrows_stands_in_its_row() -> None:
    lines = (replace(PROVEN.lines[0], borrowed=0.314), *PROVEN.lines[1:])
    html = render(replace(FULL, gain=replace(PROVEN, lines=lines)))
    text = Page(html).text
    assert "Borrowed: how much of a line's figures" in text
    assert re.search(r"line 0 2025-03-03 [^a-z]* to [^a-z]* to [^a-z]* 31 % line 1", text)


def test_the_course_of_the_gain_is_drawn_where_it_was_looked_at() -> None:
    step = Interval(1.1, 1.0, 1.2)
    course = tuple(Since(at, at, step, Interval(0.1, 0.0, 0.2), 3) for at in range(-4, 5))
    look = CloserLook(course=course, in_time=None, placebos=(), anticipations=(), level=0.9)
    assert "periods since the upgrade" not in render(FULL)
    text = Page(render(replace(FULL, course=look))).text
    assert "The gain by periods since the upgrade of each line" in text
    assert "which is the dashed line" in text


def test_a_performance_of_no_known_time_is_refused() -> None:
    with pytest.raises(ContractError, match="time zone"):
        replace(TOLD, begins=datetime(2026, 1, 5))  # noqa: DTZ001 - that is the test
