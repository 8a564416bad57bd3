from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import ConfigError
from gainline.config.sections import ScheduleSection
from gainline.reports.schedule import SLOTS_PER_ROUND_MAX, due_slots


def daily(**changes: str) -> ScheduleSection:
    return ScheduleSection(**({"name": "daily", "cron": "30 2 * * *", "zone": "UTC"} | changes))


def test_three_missed_days_are_three_slots() -> None:
    after = datetime(2026, 5, 1, 2, 30, tzinfo=UTC)
    slots = due_slots(daily(), after=after, now=after + timedelta(days=3, hours=5))
    assert slots == [after + timedelta(days=day) for day in (1, 2, 3)]


def test_nothing_is_due_before_its_time() -> None:
    after = datetime(2026, 5, 1, 2, 30, tzinfo=UTC)
    assert due_slots(daily(), after=after, now=after + timedelta(hours=23, minutes=59)) == []


@pytest.mark.parametrize("year_and_month", [(2026, 3), (2026, 10)])
def test_a_day_of_23_or_25_hours_has_its_slot_once(year_and_month: tuple[int, int]) -> None:
    schedule = daily(zone="Europe/Berlin")
    first = datetime(*year_and_month, 20, tzinfo=UTC)
    slots = due_slots(schedule, after=first, now=first + timedelta(days=10))
    assert len({slot.date() for slot in slots}) == len(slots) == 10


def test_a_round_of_catching_up_is_bounded() -> None:
    after = datetime(2026, 5, 1, tzinfo=UTC)
    slots = due_slots(daily(cron="* * * * *"), after=after, now=after + timedelta(days=30))
    assert len(slots) == SLOTS_PER_ROUND_MAX


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"cron": "61 * * * *"}, "no cron expression"), ({"zone": "Mars/Base"}, "no time zone")],
)
def test_a_wrong_expression_or_zone_is_named(changes: dict[str, str], words: str) -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    with pytest.raises(ConfigError, match=words):
        due_slots(daily(**changes), after=now, now=now)
