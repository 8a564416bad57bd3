"""Gathers the readings of one message, each of a value, a time and a quality, within its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.quality import Quality, Reason
from ingest.quality_codes import UNSAID
from ingest.readings import Decoded, PayloadError, Reading
from ingest.values import leaves_of, value_of

if TYPE_CHECKING:
    from ingest.quality_codes import Verdict
    from ingest.readings import Context
    from ingest.times import Stamp


class Points:
    """The readings of one message so far."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._readings: list[Reading] = []

    def add(self, name: str, sent: object, stamp: Stamp, verdict: Verdict = UNSAID) -> None:
        """Add what a name has at a time; nested objects and lists are levels of the tag.

        PayloadError over the limit of readings, and for a text over its limit.
        """
        if isinstance(sent, (dict, list)):
            for path, leaf in leaves_of(sent, name):
                self._add(path, leaf, stamp, verdict)
        else:
            self._add(name, sent, stamp, verdict)

    def decoded(self) -> Decoded:
        """Give all of them. PayloadError if there is none, or if they have too many names."""
        readings, limits = self._readings, self._context.limits
        if not readings:
            raise PayloadError("wrong_shape", "there is no reading in it: no value and no metric")
        if len(readings) > limits.fields and len({one.name for one in readings}) > limits.fields:
            raise PayloadError("too_big", f"more names than the limit of fields, {limits.fields}")
        return Decoded(self._context.topic, None, None, None, readings)

    def _add(self, name: str, sent: object, stamp: Stamp, verdict: Verdict) -> None:
        limits = self._context.limits
        if len(self._readings) >= limits.readings:
            raise PayloadError("too_big", f"more readings than the limit, {limits.readings}")
        one = value_of(sent, limits)
        quality, reasons, status = verdict
        if stamp.is_doubtful:
            quality, reasons = max(quality, int(Quality.UNCERTAIN)), reasons | int(Reason.TIME)
        if one.status is not None:
            status = one.status if status is None else f"{status}, {one.status}"
        name = name.strip("/")
        self._readings.append(
            Reading(name, stamp.us, one.value, one.text, quality, reasons, status)
        )


def name_of(sent: object) -> str:
    """Read a name that a payload gives a reading: a text, or a whole number."""
    if isinstance(sent, str) and sent.strip("/"):
        return sent
    if isinstance(sent, int) and not isinstance(sent, bool):
        return str(sent)
    raise PayloadError("wrong_shape", "a reading has no name that is a text")


def levels_of(topic: str, *names: str) -> str:
    """Give the levels of a tag that a payload adds to its topic, each with a slash behind it.

    Where the topic ends with them already, they are its levels once: nothing is added.

    >>> levels_of("plant", "Device A"), levels_of("plant/Device A", "Device A")
    ('Device A/', '')
    """
    levels = "/".join(stripped for name in names if (stripped := name.strip("/")))
    if not levels or f"/{topic}".endswith(f"/{levels}"):
        return ""
    return f"{levels}/"
