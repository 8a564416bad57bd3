"""The shift calendar: its spells tile the days, also where the clock is changed."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.shifts import (
    Break,
    Calendar,
    Maintenance,
    Shift,
    day_of,
    moment_at,
    spell_table,
    spells,
)
from contracts.errors import ConfigError
from contracts.shifts import SPELLS_SCHEMA

BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = frozenset(range(5))
EARLY = Shift(name="early", start=time(6), end=time(14), weekdays=WEEKDAYS)
LATE = Shift(name="late", start=time(14), end=time(22), weekdays=WEEKDAYS)
NIGHT = Shift(name="night", start=time(22), end=time(6), weekdays=frozenset(range(7)))
THREE = (EARLY, LATE, NIGHT)
# Clocks go forward at 02:00 on 29 March 2026 and back at 03:00 on 25 October 2026; in Havana at
# midnight, on Lord Howe by half an hour.
ZONES = ("Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Asia/Shanghai", "UTC")


def hours(calendar: Calendar, day: date) -> list[tuple[str | None, str, float]]:
    return [(one.shift, one.kind, one.seconds / 3600) for one in spells(calendar, day, day)]


def test_a_day_is_its_shifts_and_the_time_between_them() -> None:
    two = Calendar(zone=BERLIN, shifts=(EARLY, NIGHT))
    assert hours(two, date(2026, 3, 2)) == [
        ("early", "work", 8),
        (None, "off", 8),
        ("night", "work", 8),
    ]


def test_a_night_shift_belongs_to_the_day_on_which_it_starts() -> None:
    calendar = Calendar(zone=BERLIN, shifts=THREE)
    after_midnight = datetime(2026, 3, 3, 3, tzinfo=BERLIN)
    assert day_of(calendar, after_midnight) == date(2026, 3, 2)
    assert day_of(calendar, datetime(2026, 3, 3, 6, tzinfo=BERLIN)) == date(2026, 3, 3)
    (night,) = [
        one
        for one in spells(calendar, date(2026, 3, 2), date(2026, 3, 3))
        if one.begins <= after_midnight < one.ends
    ]
    assert (night.shift, night.day) == ("night", date(2026, 3, 2))


@pytest.mark.parametrize(("day", "length"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9)])
def test_a_night_in_which_the_clock_is_changed_is_an_hour_shorter_or_longer(
    day: date, length: float
) -> None:
    calendar = Calendar(zone=BERLIN, shifts=THREE)
    assert hours(calendar, day)[-1] == ("night", "work", length)
    assert sum(one for _, _, one in hours(calendar, day)) == 16 + length


def test_breaks_and_maintenance_are_parts_of_a_shift_that_are_not_planned() -> None:
    calendar = Calendar(
        zone=BERLIN,
        shifts=THREE,
        breaks=(Break(time(10), time(10, 30)), Break(time(1), time(2))),
        maintenance=(
            Maintenance(
                datetime(2026, 3, 2, 13, tzinfo=BERLIN), datetime(2026, 3, 2, 15, tzinfo=BERLIN)
            ),
        ),
    )
    assert hours(calendar, date(2026, 3, 2)) == [
        ("early", "work", 4),
        ("early", "break", 0.5),
        ("early", "work", 2.5),
        ("early", "maintenance", 1),
        ("late", "maintenance", 1),
        ("late", "work", 7),
        ("night", "work", 3),
        ("night", "break", 1),
        ("night", "work", 4),
    ]


def test_on_a_holiday_no_shift_starts() -> None:
    calendar = Calendar(zone=BERLIN, shifts=THREE, holidays=frozenset({date(2026, 12, 25)}))
    assert hours(calendar, date(2026, 12, 25)) == [(None, "off", 24)]
    assert hours(calendar, date(2026, 12, 24))[-1] == ("night", "work", 8)


def test_a_time_that_the_clock_shows_twice_is_the_first_and_a_skipped_one_the_change() -> None:
    assert moment_at(BERLIN, date(2026, 10, 25), time(2, 30)) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )
    assert moment_at(BERLIN, date(2026, 3, 29), time(2, 59)) == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shifts", "said"),
    [
        ((EARLY, Shift(name="b", start=time(13), end=time(15))), "overlap"),
        ((EARLY, Shift(name="b", start=time(20), end=time(7))), "next day"),
        ((), "no shift"),
    ],
)
def test_shifts_that_overlap_are_refused(shifts: tuple[Shift, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Calendar(zone=BERLIN, shifts=shifts)


def test_maintenance_that_ends_before_it_begins_is_refused() -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with pytest.raises(ConfigError, match="later"):
        Maintenance(noon, noon)


@settings(max_examples=80, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 24 * 12 - 1), min_size=1, max_size=4, unique=True),
    breaks=st.lists(st.tuples(st.integers(0, 287), st.integers(1, 36)), max_size=3),
    zone=st.sampled_from(ZONES),
    first=st.dates(date(2025, 12, 1), date(2026, 12, 31)),
    weekdays=st.frozensets(st.integers(0, 6), max_size=7),
)
def test_the_spells_of_days_tile_them(
    cuts: list[int],
    breaks: list[tuple[int, int]],
    zone: str,
    first: date,
    weekdays: frozenset[int],
) -> None:
    def wall(step: int) -> time:
        return time(step % 288 // 12, step % 12 * 5)

    starts = sorted(cuts)
    calendar = Calendar(
        zone=ZoneInfo(zone),
        shifts=tuple(
            Shift(name=f"s{number}", start=wall(start), end=wall(end), weekdays=weekdays)
            for number, (start, end) in enumerate(pairwise([*starts, starts[0]]))
        ),
        breaks=tuple(Break(wall(start), wall(start + length)) for start, length in breaks),
    )
    last = first + timedelta(days=2)
    found = list(spells(calendar, first, last))
    assert found[0].begins == moment_at(calendar.zone, first, calendar.day_start)
    assert found[-1].ends == moment_at(calendar.zone, last + timedelta(1), calendar.day_start)
    assert all(one.ends == other.begins for one, other in pairwise(found))
    assert all(one.seconds > 0 for one in found)
    assert all(day_of(calendar, one.begins) == one.day for one in found)


def test_spells_of_sites_become_a_table() -> None:
    calendar = Calendar(zone=BERLIN)
    day = date(2026, 3, 29)
    table = spell_table({"north": spells(calendar, day, day), None: spells(calendar, day, day)})
    assert table.schema == SPELLS_SCHEMA
    assert table["site"].to_pylist() == ["north", None]
    (length,) = {
        end - begin
        for begin, end in zip(table["begins"].to_pylist(), table["ends"].to_pylist(), strict=True)
    }
    assert length == timedelta(hours=23)
