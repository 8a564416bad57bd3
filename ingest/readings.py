"""What one message decodes to, within which limits.

What is made for each message or reading is a Struct: it costs a third of a named tuple.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from contracts.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from contracts.notes import Note
    from ingest.noted import NoteTopics
    from ingest.privacy import Privacy

# the time of a reading that has none, in columns of microseconds: a null without a second array
NO_TIME = -(2**63)
# the count of a message that has none, in columns of counts, which start at 0
NO_SEQ = -1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may ask for; over a limit it becomes a dead letter."""

    payload_bytes: int = 1 << 20
    depth: int = 32  # levels of nesting
    fields: int = 1_000  # different names in one message: each may become a tag
    string_bytes: int = 4_096
    tag_bytes: int = 1_024  # topic and names; four times what AWS IoT Core takes as a topic
    # of one message: a MiB of ones would make half a million rows that repeat a long tag
    readings: int = 65_536
    # each tag costs the judge about 600 bytes of memory for ever: these are 150 MB, and a gateway
    # that makes names up (a time, a serial number) must not take the place of all others
    tags: int = 250_000
    tags_per_gateway: int = 50_000


def _utc(_topic: str) -> tzinfo:
    return UTC


@dataclass(frozen=True, slots=True)
class Rules:
    """What a decoder is told of all messages: their limits, the zone of times without an offset."""

    limits: Limits = Limits()
    zone_of: Callable[[str], tzinfo] = _utc  # of a topic
    privacy: Privacy | None = None  # what is not stored as it came
    notes: NoteTopics | None = None  # where people send notes


class Context(Struct, frozen=True, gc=False):
    """What a decoder knows beside the payload."""

    topic: str
    limits: Limits
    zone: tzinfo  # of times that come without an offset


class Reading(Struct, frozen=True, gc=False):
    """One value of one tag at one time.

    `name` is the levels of the tag after the topic, "" where the topic names the metric.
    `time_us` is microseconds since 1970. `quality` and `reasons` are what the source and its
    clock say; that a reading without value and text is BAD and missing is added in rows.py.
    """

    name: str
    time_us: int | None
    value: float | None  # finite
    text: str | None = None
    quality: int = 0  # contracts.quality.Quality
    reasons: int = 0  # bits of contracts.quality.Reason
    status: str | None = None  # the source's own word


class Column(NamedTuple):
    """The values of one tag at the times of its message; NaN where there is no number."""

    name: str
    values: npt.NDArray[np.float64]
    texts: Sequence[str | None] | None = None
    statuses: Sequence[str | None] | None = None


class Columns(NamedTuple):
    """Several tags at the same times: the fast path, without an object per reading."""

    times: npt.NDArray[np.int64]  # microseconds since 1970, or NO_TIME
    doubtful: npt.NDArray[np.bool_] | None  # True where the time is doubtful; None: nowhere
    columns: Sequence[Column]


class Decoded(Struct, frozen=True, gc=False):
    """The readings of one message: single ones or columns.

    `topic` is what its tags begin with: the topic of the message, but for Sparkplug's. `level` is
    that of its identity where the shape tells; else see ingest/identity.py.
    """

    topic: str
    gateway: str | None
    epoch: str | None
    seq: int | None
    readings: Sequence[Reading]
    columns: Columns | None = None
    level: str | None = None
    note: Note | None = None  # of a message that is one, and has no reading


class Refusal(NamedTuple):
    """Why a message could not be read: a code for programs, words for people."""

    code: str
    words: str
    gateway: str  # "" where none could be read
    epoch: str | None = None  # as in Decoded, where they could be read
    seq: int | None = None


class PayloadError(DataError):
    """A payload that cannot be read; decode.py turns it into a Refusal."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
