"""Which reports are due by the clock: each slot of a cron expression exactly once."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice, takewhile

from cronsim import CronSim, CronSimError

from contracts.errors import ConfigError
from gainline.config.sections import ScheduleSection
from gainline.config.zones import zone_named

# One round of catching up: six weeks of hourly reports. A plant that was off over Christmas catches
# up in one round, and a slip such as "* * * * *" is cut into rounds.
SLOTS_PER_ROUND_MAX = 1000


def due_slots(schedule: ScheduleSection, *, after: datetime, now: datetime) -> list[datetime]:
    """List the slots later than `after` and not later than `now`, oldest first; aware times.

    A day of 23 or 25 hours has each of its slots once (cronsim's rules, those of Debian's cron).

    >>> from datetime import UTC
    >>> daily = ScheduleSection(name="daily", cron="0 6 * * *", zone="Europe/Berlin")
    >>> slots = due_slots(daily, after=datetime(2026, 3, 28, 5, tzinfo=UTC),
    ...                   now=datetime(2026, 3, 30, 12, tzinfo=UTC))
    >>> [slot.isoformat() for slot in slots]
    ['2026-03-29T06:00:00+02:00', '2026-03-30T06:00:00+02:00']
    """
    upcoming = takewhile(lambda slot: slot <= now, _slots(schedule, after))
    return list(islice(upcoming, SLOTS_PER_ROUND_MAX))


def _slots(schedule: ScheduleSection, after: datetime) -> Iterator[datetime]:
    """Iterate over the slots after a time. Raises ConfigError for a wrong expression or zone."""
    zone = zone_named(schedule.zone, f"schedule {schedule.name}")
    try:
        return CronSim(schedule.cron, after.astimezone(zone))
    except CronSimError as problem:
        raise ConfigError(
            f"schedule {schedule.name}: {schedule.cron!r} is no cron expression ({problem});"
            " six o'clock every day is '0 6 * * *'"
        ) from None
