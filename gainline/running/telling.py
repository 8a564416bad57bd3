"""Tells of commits that are in the lake: gateways by their marks, people by alarms in the log."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Self

import structlog

from gainline.running.loops import Stop, kept_up, started

if TYPE_CHECKING:
    from collections.abc import Sequence

    from contracts.batches import Mark, RawCommit
    from ingest.mqtt.marks import MarkPublisher

# An alarm that is repeated more often is read no more.
ALARM_EVERY_S = 3_600.0
# A sender that makes names up must not fill the log: beyond so many nothing is said for a while.
ALARMS_MAX = 100
# The last marks may take so long; what is left of them is published at the next start.
LAST_MARKS_S = 2.0

_log = structlog.get_logger()


class Teller:
    """Tells of each commit; a broker that does not take the marks holds nothing up."""

    def __init__(self, publisher: MarkPublisher | None) -> None:
        """Prepare; without a publisher gateways are told nothing."""
        self._publisher = publisher
        self._alarms = Alarms()
        self._stop = Stop()
        self._thread: threading.Thread | None = None

    def begin(self, marks: Sequence[Mark]) -> None:
        """Begin with the marks of all commits so far."""
        if self._publisher is not None:
            self._publisher.hand_over(marks)
            self._thread = started(partial(kept_up, self._publisher.run, self._stop))

    def tell(self, commit: RawCommit) -> None:
        """Tell of a commit that is in the lake."""
        self._alarms.look_at(commit)
        if self._publisher is not None:
            self._publisher.hand_over(commit.marks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Publish the last marks, if that can be done at once."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(LAST_MARKS_S)


class Alarms:
    """Looks at each commit; the same alarm of the same gateway is not repeated for a while."""

    def __init__(self) -> None:
        self._said_at_s: dict[tuple[str, str], float] = {}

    def look_at(self, commit: RawCommit) -> None:
        """Say what is wrong in a commit."""
        codes = Counter((one.reason.partition(":")[0], one.gateway) for one in commit.dead_letters)
        for (code, gateway), count in codes.items():
            if code == "too_many_tags":
                self._say("too_many_tags", gateway, dead_letters=count, remedy=_TAGS_REMEDY)
        for gateway, epoch in commit.restarted:
            self._say("epoch_used_twice", gateway, epoch=epoch, remedy=_EPOCH_REMEDY)

    def _say(self, event: str, gateway: str, **values: object) -> None:
        now_s = time.monotonic()
        kept = self._said_at_s.items()
        self._said_at_s = {one: at_s for one, at_s in kept if now_s - at_s < ALARM_EVERY_S}
        if (event, gateway) not in self._said_at_s and len(self._said_at_s) < ALARMS_MAX:
            self._said_at_s[event, gateway] = now_s
            _log.error(event, gateway=gateway, **values)


_TAGS_REMEDY = (
    "make the gateway send no times, numbers or the like as names; or raise ingest.tags_max or"
    " ingest.tags_per_gateway_max, then `gainline dead-letters replay`"
)
_EPOCH_REMEDY = "make the gateway choose a new epoch whenever it begins to count at 0"
