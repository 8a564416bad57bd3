"""Names a series of Telegraf or InfluxDB as levels of a tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Telegraf gives this tag to whatever it sends, and names its topics by it
_HOST = "host"


def series_of(topic: str, measurement: str, tags: Iterable[tuple[str, str]]) -> str:
    """Give the levels of a series: its tags as KEY=VALUE in the order of their keys, then its name.

    A series is its measurement and all its tags: what differs in a tag alone, such as the cores of
    a processor, is measured elsewhere, and would be in conflict under one tag of gainline. Which
    tags differ in one message says nothing of the next one, so all are levels, always. The host is
    left out where the topic names it.

    >>> series_of("telegraf/pc7", "cpu", [("host", "pc7"), ("cpu", "cpu0")])
    'cpu=cpu0/cpu'
    """
    levels = f"/{topic}/"
    kept = [one for one in tags if not (one[0] == _HOST and f"/{one[1]}/" in levels)]
    return "/".join([*(f"{key}={value}" for key, value in sorted(kept)), measurement])
