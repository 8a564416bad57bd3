"""Finds time zones by name, and the one of a topic."""

from __future__ import annotations

import re
from difflib import get_close_matches
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from contracts.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gainline.config.sections import IngestSection
    from ingest.topics import Templates

# topics of the largest plants; those beyond are looked at again
TOPICS_REMEMBERED = 1 << 16


def zone_finder(ingest: IngestSection, templates: Templates) -> Callable[[str], ZoneInfo]:
    """Make what tells the zone of a topic: the first pattern or site that matches, else the usual.

    Raises ConfigError where a zone is not known, or a pattern can match no topic.
    """
    usual = zone_named(ingest.zone, "ingest.zone")
    own = [
        (pattern, re.compile(translate(_usable(pattern))), zone_named(name, "ingest.zones"))
        for pattern, name in ingest.zones.items()
    ]
    if not own:
        return lambda _topic: usual

    @lru_cache(TOPICS_REMEMBERED)
    def zone_of(topic: str) -> ZoneInfo:
        site = templates.place_of(f"{topic}/").site  # as of any metric below the topic
        zones = (zone for pattern, its, zone in own if pattern == site or its.match(topic))
        return next(zones, usual)

    return zone_of


def zone_named(name: str, key: str) -> ZoneInfo:
    """Give a zone by its name. Raises ConfigError where there is none such, naming the key.

    >>> zone_named("Europe/Berlin", "ingest.zone").key
    'Europe/Berlin'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
        near = get_close_matches(name, sorted(available_timezones()), n=1)
        fix = near[0] if near else "a name such as Europe/Berlin"
        raise ConfigError(f"{key}: no time zone is called {name!r}; use {fix}") from None


def _usable(pattern: str) -> str:
    if not pattern or set(pattern) & set("+#"):
        raise ConfigError(
            f"ingest.zones: {pattern!r} matches no topic; write the name of a site, or a pattern"
            " such as lyon/* with * for any characters"
        )
    return pattern
