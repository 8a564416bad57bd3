"""analytics.said: which of several notes counts, where and when."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.said import (
    Time,
    concerns,
    holds,
    is_of_site,
    periods_said,
    planned_stops,
    reason_said,
    upgrades_said,
    value_said,
)
from contracts.notes import Note, NoteKind
from contracts.tags import Place

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
LINE = Place(site="lyon", line="l1")
OEE = NoteKind.TARGET, "oee", LINE


def hour(count: float) -> datetime:
    return START + timedelta(hours=count)


def note(kind: NoteKind, said: float = 0.0, **words: object) -> Note:
    """Make a note that was said so many hours after the start."""
    times = {name: hour(words.pop(name)) for name in ("begins", "ends") if name in words}  # type: ignore[arg-type]
    made = {"author": "A. Brun", "received_time": hour(said), "via": "csv"}
    return Note(kind=kind, source_time=hour(said), **made, **times, **words)  # type: ignore[arg-type]


def target(value: float, said: float = 0.0, **words: object) -> Note:
    return note(NoteKind.TARGET, said, name="oee", value=value, **words)


def reason(name: str, said: float = 0.0, **words: object) -> Note:
    return note(NoteKind.DOWNTIME_REASON, said, name=name, **words)


@pytest.mark.parametrize(
    ("words", "place", "is_on_it"),
    [
        ({}, Place(), True),
        ({}, LINE, True),
        ({"site": "lyon"}, LINE, True),
        ({"site": "lyon"}, Place(), False),
        ({"site": "turin"}, LINE, False),
        ({"line": "l1"}, LINE, True),
        ({"line": "l2"}, LINE, False),
        ({"line": "l1"}, Place(site="lyon"), False),
        ({"line": "l1", "machine": "m"}, LINE, False),
        ({"line": "l1", "machine": "m"}, Place(site="lyon", line="l1", machine="m"), True),
        ({"line": "l1"}, Place(site="lyon", line="lyon/body/l1"), True),
        ({"line": "lyon/body/l1"}, Place(site="lyon", line="lyon/body/l1"), True),
        ({"area": "paint", "line": "l1"}, Place(site="lyon", line="lyon/body/l1"), False),
        ({"area": "paint", "line": "l1"}, LINE, True),
    ],
)
def test_a_note_is_on_a_place_and_on_what_is_part_of_it(
    words: dict[str, object], place: Place, *, is_on_it: bool
) -> None:
    assert concerns(target(1, **words), place) is is_on_it


def test_the_narrowest_place_counts_and_then_what_was_said_last() -> None:
    plant, site, line = target(1, 9), target(2, 8, site="lyon"), target(3, 1, line="l1")
    later = target(4, 2, line="l1")
    for notes, value in (([plant, site, line, later], 4), ([plant, site], 2), ([plant], 1)):
        found = value_said(notes, *OEE, hour(0))
        assert found is not None
        assert found.value == value
    assert value_said([target(5, line="l2")], *OEE, hour(0)) is None
    assert value_said([plant], NoteKind.TARGET, "teep", LINE, hour(0)) is None


def test_a_value_holds_from_its_begin_on_and_before_its_end() -> None:
    notes = [target(1), target(2, 1, begins=2, ends=4), target(3, 2, begins=3)]
    found = [(time.begins, time.ends, one.value) for time, one in periods_said(notes, *OEE)]
    assert [value for *_, value in found] == [1, 2, 3]
    assert found[1][:2] == (hour(2), hour(3))
    assert found[0][1] == hour(2)
    assert found[2][0] == hour(3)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 9), st.booleans()),
        max_size=8,
    ),
    st.integers(0, 18),
)
def test_periods_say_of_each_moment_what_is_in_force_then(
    drawn: list[tuple[int, int, int, bool]], at: int
) -> None:
    notes = [
        target(number, said, begins=begins, ends=begins + length, line="l1" if is_of_line else None)
        for number, (begins, length, said, is_of_line) in enumerate(drawn)
    ]
    periods = periods_said(notes, *OEE)
    assert all(one.ends <= other.begins for (one, _), (other, _) in pairwise(periods))
    moment = hour(at + 0.5)
    told = [one for time, one in periods if time.begins <= moment < time.ends]
    in_force = value_said(notes, *OEE, moment)
    assert told == ([in_force] if in_force else [])
    assert in_force is None or holds(in_force, moment)


def test_the_reason_of_a_stop_is_the_last_that_covers_half_of_it() -> None:
    stop = Time(hour(1), hour(2))
    jam = reason("jam", 5, begins=0.9, ends=2.1)
    tool = reason("tool", 6, begins=1.1, ends=2)
    assert reason_said([jam, tool], LINE, stop) is tool
    assert reason_said([tool, jam], LINE, stop) is tool
    short = reason("short", 7, begins=1.0, ends=1.4)
    assert reason_said([jam, short], LINE, stop) is jam
    shorter = reason("shorter", 8, begins=1.5, ends=1.6)
    assert reason_said([short, shorter], LINE, stop) is short


def test_a_reason_without_an_end_is_on_the_stop_that_it_lies_in() -> None:
    jam = reason("jam", begins=1.5)
    assert reason_said([jam], LINE, Time(hour(1), hour(2))) is jam
    assert reason_said([jam], LINE, Time(hour(2), hour(3))) is None
    assert reason_said([jam], LINE, Time(hour(0), hour(1.5))) is None


def test_a_reason_of_another_line_or_time_is_none() -> None:
    notes = [reason("jam", begins=1, ends=2, line="l2"), reason("tool", begins=2, ends=3)]
    assert reason_said([*notes, target(1)], LINE, Time(hour(1), hour(2))) is None


def test_planned_stops_are_those_of_the_place_and_of_what_it_is_part_of() -> None:
    words = {"begins": 1, "ends": 2}
    site = note(NoteKind.PLANNED_STOP, site="lyon", **words)
    line = note(NoteKind.PLANNED_STOP, line="l1", begins=0, ends=1)
    assert planned_stops([site, line, target(1)], LINE) == [line, site]
    assert planned_stops([site, line], Place(site="lyon")) == [site]
    assert [is_of_site(one) for one in (site, line)] == [True, False]


def test_a_note_on_an_upgrade_wins_over_the_configuration_and_shows_it() -> None:
    zone = ZoneInfo("Europe/Paris")
    old = note(NoteKind.UPGRADE, 1, line="l1", begins=-24)
    new = note(NoteKind.UPGRADE, 2, line="l1", begins=17)  # midnight in Paris
    configured = {"l1": date(2026, 1, 5), "l9": date(2026, 2, 1)}
    first, second = upgrades_said([new, old], configured, ["l1", "l9"], lambda _: zone)
    assert (first.line, first.upgraded_on, first.note) == ("l1", date(2026, 3, 3), new)
    assert first.others == (date(2026, 1, 5), date(2026, 3, 1))
    assert (second.line, second.upgraded_on, second.note) == ("l9", date(2026, 2, 1), None)


def test_an_upgrade_is_of_the_line_by_the_name_that_it_goes_by() -> None:
    said = note(NoteKind.UPGRADE, site="lyon", area="body", line="l1", begins=0)
    lines = ["lyon/body/l1", "lyon/paint/l1", "turin/body/l1"]
    assert [one.line for one in upgrades_said([said], {}, lines, lambda _: UTC)] == lines[:1]
    assert [one.line for one in upgrades_said([said], {}, ["l2"], lambda _: UTC)] == ["l1"]
