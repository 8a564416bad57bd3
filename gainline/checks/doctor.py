"""Finds what is wrong with an installation, a broker, a store or a clock, and says the remedy."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from contracts.errors import ConfigError, DataError, TransientError
from gainline.checks.broker_checks import broker_findings, granted, reached
from gainline.checks.finding import Finding, look
from gainline.config import wiring
from gainline.config.calendars import check_calendars
from gainline.config.connection import broker_endpoint, broker_topics, cautions
from gainline.config.loading import Settings
from gainline.config.places import templates
from gainline.config.private import check_rules, privacy_of
from gainline.config.store_place import check_location, store_folder
from gainline.config.zones import zone_finder
from gainline.decisions.scenarios import check_scenarios
from gainline.page.flowstate import flow_state
from gainline.reports.schedule import due_slots
from gainline.running.partitions import partitions
from ingest.noted import check_topic
from store.safety.scrub_rounds import ROUND, standing

PACKAGES = ("gainline", "ingest", "clean", "store", "analytics", "contracts")
# Below this a commit and its journal may not fit: a gigabyte is minutes at full speed.
FREE_BYTES_MIN = 1 << 30
# A device that stamps earlier than this program was written has a clock that was never set.
CLOCK_NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)

log = structlog.get_logger()


def examine(settings: Settings, config: Path | None = None) -> list[Finding]:
    """Look at everything; each finding says what is, and the remedy where it is bad."""
    checks: dict[str, Callable[[Settings], str]] = {
        "installation": _installation,
        "configuration": _configuration,
        "clock": _clock,
        "disk": _disk,
        "store": _store,
        "files": _files,
    }
    found = [look(subject, partial(check, settings)) for subject, check in checks.items()]
    return [*found, *broker_findings(settings, config)]


def refuse_start(settings: Settings, config: Path | None, *, connects: bool) -> None:
    """Raise ConfigError for what a service must not start with; nothing has been touched then.

    One that does not connect to the broker need not be able to read the secrets of those who do.
    What is doubtful goes into the log.
    """
    refuse_foreign_packages()
    check_settings(settings, connects=connects)
    for words in cautions(settings, config) if connects else ():
        log.warning("doubtful", what=words)


def refuse_foreign_packages() -> None:
    """Raise ConfigError when another distribution owns one of our packages, naming it.

    Our packages have plain names, and pip lets a second distribution overwrite them in silence.
    """
    owners = importlib.metadata.packages_distributions()
    for package in PACKAGES:
        for owner in owners.get(package, ()):
            if owner != "gainline":
                raise ConfigError(
                    f"the package {package!r} belongs to {owner!r} as well;"
                    " install gainline in an environment of its own"
                )


def check_settings(settings: Settings, *, connects: bool = True) -> None:
    """Check what the types cannot: zones, cron expressions, patterns, the broker's section."""
    if connects:
        broker_endpoint(settings)
        broker_topics(settings)
        privacy_of(settings.privacy)
    check_rules(settings.privacy)
    zone_finder(settings.ingest, templates(settings))
    check_topic(settings.notes.topic)
    partitions(settings)
    check_location(settings)
    wiring.rule_for(settings)
    check_calendars(settings)
    check_scenarios(settings)
    now = datetime.now(UTC)
    for schedule in settings.schedule:
        due_slots(schedule, after=now, now=now)
    names = [schedule.name for schedule in settings.schedule]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"schedule: the name {name!r} is there twice; give each its own")


def check_live(settings: Settings) -> None:
    """Subscribe at the broker and read the store where there is one. Raises GainlineError."""
    reached(settings)
    granted(settings)
    _store(settings)


def _installation(_settings: Settings) -> str:
    refuse_foreign_packages()
    return f"gainline {importlib.metadata.version('gainline')}, its packages are its own"


def _configuration(settings: Settings) -> str:
    check_settings(settings)
    return "every key is known and fits"


def _clock(_settings: Settings) -> str:
    now = datetime.now(UTC)
    if now < CLOCK_NOT_BEFORE:
        raise ConfigError(f"the clock says {now:%Y-%m-%d}, it was never set: start time keeping")
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def _disk(settings: Settings) -> str:
    folder = store_folder(settings).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES_MIN:
        raise TransientError(f"{free >> 20} MiB are free at {folder}: make room")
    return f"{free >> 30} GiB are free"


def _store(settings: Settings) -> str:
    folder = store_folder(settings)
    if not folder.exists():  # with its rest elsewhere it does by now
        return f"{folder} does not exist yet; the first start makes it"
    state = flow_state(folder)
    return f"{state.raw_readings} readings, {state.judged_readings} of them judged"


def _files(settings: Settings) -> str:
    found = standing(store_folder(settings))
    if found.damages:
        raise DataError(
            f"{len(found.damages)} files are damaged, the first is {found.damages[0].file}:"
            " `gainline scrub` says what is lost, and how to put it back"
        )
    if found.at is None:
        return f"not checked yet; maintenance checks each once in {ROUND.days} days"
    return f"no damage found; last checked at {found.at:%Y-%m-%d %H:%M} UTC"
