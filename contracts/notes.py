"""Notes: what people say of a plant, each an immutable statement with its author and its time.

A note is never altered or deleted. A correction is a newer note on the same thing, a mistake is
taken back by a note that `retracts` it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Literal, NamedTuple, cast

import pyarrow as pa

from contracts.errors import DataError
from contracts.moments import TIME

Via = Literal["mqtt", "csv", "verb"]


class NoteKind(StrEnum):
    """What a note is about."""

    DOWNTIME_REASON = "downtime_reason"  # why a line stood still; without an end: at that moment
    PLANNED_STOP = "planned_stop"  # a time that is not planned to produce
    UPGRADE = "upgrade"  # begins is when
    PRICE = "price"  # name says which, value how much
    TARGET = "target"  # name is a KPI
    REMARK = "remark"
    RETRACTION = "retraction"  # takes back the note that retracts names, and says nothing else


# What prices a note may give: keys of the configuration, with their unit in the name.
PRICE_NAMES = ("energy_per_kwh", "material_per_kg", "co2_kg_per_kwh", "price_per_unit")
# What targets it may give: the KPIs, in their units.
TARGET_NAMES = (
    "availability", "effectiveness", "quality_ratio", "oee", "teep", "mtbf_h", "mttr_h",
    "scrap_ratio", "rework_ratio", "throughput", "energy_per_good", "co2e_per_good",
    "idle_energy_ratio", "coverage", "good_share",
)  # fmt: skip
# Those of them that are a share of something, so at most 1, and those that a line which is faster
# than planned takes beyond 1; but none is ten times as fast: that is a percentage.
_SHARES = (
    "availability", "quality_ratio", "scrap_ratio", "rework_ratio", "idle_energy_ratio",
    "coverage", "good_share",
)  # fmt: skip
_RATIOS = ("effectiveness", "oee", "teep")
_RATIO_MAX = 10
# A name is a word or a few, a text at most what fits on a page: what is longer was pasted.
WORD_CHARS_MAX = 256
TEXT_CHARS_MAX = 4_096
# Of an id: with 64 bits, of a million notes two share one with a chance of 3 in 100 million.
ID_CHARS = 16
_SET_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
_SET_UNTIL = datetime(2262, 1, 1, tzinfo=UTC)  # where 64-bit nanoseconds end
_MICROSECOND = timedelta(microseconds=1)

# What a note of a kind must say, beside author and time.
_NEEDED: dict[NoteKind, tuple[str, ...]] = {
    NoteKind.DOWNTIME_REASON: ("begins", "name"),
    NoteKind.PLANNED_STOP: ("begins", "ends"),
    NoteKind.UPGRADE: ("line", "begins"),
    NoteKind.PRICE: ("name", "value"),
    NoteKind.TARGET: ("name", "value"),
    NoteKind.REMARK: ("text",),
    NoteKind.RETRACTION: ("retracts",),
}
_NAMES = {NoteKind.PRICE: PRICE_NAMES, NoteKind.TARGET: TARGET_NAMES}
_TIMES = ("begins", "ends", "source_time")
_WORDS = ("site", "area", "line", "machine", "name", "author", "retracts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One statement. Times have an offset; `ends` is no part of what it is about, None: open.

    Where a level of the place is None, it holds for all of that level. `source_time` is when it
    was said, `received_time` when it reached the store.
    """

    kind: NoteKind
    site: str | None = None
    area: str | None = None
    line: str | None = None
    machine: str | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    name: str | None = None
    value: float | None = None
    text: str | None = None
    author: str
    source_time: datetime
    retracts: str | None = None  # id of the note that is taken back
    received_time: datetime
    via: Via

    @property
    def note_id(self) -> str:
        """Give what it is known by: the same statement has the same id, whichever way it comes."""
        said = [_plain(getattr(self, name)) for name in SAID]
        written = json.dumps(said, ensure_ascii=False).encode(errors="surrogatepass")
        return hashlib.sha256(written).hexdigest()[:ID_CHARS]


# What a statement is: all but how it came.
SAID = tuple(field.name for field in fields(Note) if field.name not in ("received_time", "via"))

_FIELDS: list[pa.Field[Any]] = [
    pa.field("note_id", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),  # NoteKind
    pa.field("site", pa.string()),
    pa.field("area", pa.string()),
    pa.field("line", pa.string()),
    pa.field("machine", pa.string()),
    pa.field("begins", TIME),
    pa.field("ends", TIME),
    pa.field("name", pa.string()),
    pa.field("value", pa.float64()),
    pa.field("text", pa.string()),
    pa.field("author", pa.string(), nullable=False),
    pa.field("source_time", TIME, nullable=False),
    pa.field("retracts", pa.string()),
    pa.field("received_time", TIME, nullable=False),
    pa.field("via", pa.string(), nullable=False),  # Via
]
NOTES_SCHEMA = pa.schema(_FIELDS)


class Heard(NamedTuple):
    """How a note came, and what holds where it does not say: its author, the zone."""

    received_time: datetime
    via: Via
    zone: tzinfo = UTC  # of a time without an offset
    author: str | None = None


def note_of(words: Mapping[str, object], heard: Heard) -> Note:
    """Read a note from what was written: texts, numbers, times as ISO 8601 or datetimes.

    An empty text is none. A note that does not say when it was said was said when it was heard.
    Raises DataError naming the mistake and the remedy.

    >>> heard = Heard(datetime(2026, 3, 2, tzinfo=UTC), "csv", author="A. Brun")
    >>> note = note_of({"kind": "price", "name": "energy_per_kwh", "value": "0.21"}, heard)
    >>> note.value, note.author, note.note_id
    (0.21, 'A. Brun', '552a24619d956ed8')
    """
    _refuse_unknown(words)
    said = {name: word for name, word in words.items() if word is not None and word != ""}
    kind = _kind(said.get("kind"))
    read: dict[str, Any] = {name: _word(name, said[name]) for name in _WORDS if name in said}
    read |= {name: _moment(name, said[name], heard.zone) for name in _TIMES if name in said}
    if "value" in said:
        read["value"] = _number(said["value"])
    if "text" in said:
        read["text"] = _text(said["text"])
    read.setdefault("author", heard.author)
    read.setdefault("source_time", heard.received_time)
    if not read["author"]:
        raise DataError("a note has an author: write who says it as author")
    note = Note(kind=kind, received_time=heard.received_time, via=heard.via, **read)
    _check(note)
    return note


def note_from_row(row: Mapping[str, Any]) -> Note:
    """Give the note of a row with the columns of NOTES_SCHEMA; others are left aside."""
    said = {name: row[name] for name in (*SAID, "received_time", "via")}
    return Note(**said | {"kind": NoteKind(row["kind"])})


def _refuse_unknown(words: Mapping[str, object]) -> None:
    for name in words:
        if name not in SAID:
            near = get_close_matches(str(name), SAID, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(SAID)}"
            raise DataError(f"a note has no {str(name)[:64]!r}; {hint}")


def _kind(said: object) -> NoteKind:
    try:
        return NoteKind(cast("str", said))
    except ValueError:
        given = "no kind" if said is None else f"the kind {str(said)[:64]!r}"
        raise DataError(f"a note with {given}: write one of {', '.join(NoteKind)}") from None


def _word(name: str, said: object) -> str:
    is_word = isinstance(said, str | int) and not isinstance(said, bool)
    word = str(said).strip() if is_word else ""
    if not word or len(word) > WORD_CHARS_MAX or not word.isprintable():
        raise DataError(
            f"{name} {str(said)[:20]!r} cannot be: write 1 to {WORD_CHARS_MAX} printable characters"
        )
    return word


def _text(said: object) -> str:
    text = said.strip() if isinstance(said, str) else ""
    if not text or len(text) > TEXT_CHARS_MAX or not text.replace("\n", " ").isprintable():
        raise DataError(
            f"text {str(said)[:20]!r} cannot be: write 1 to {TEXT_CHARS_MAX} printable characters"
        )
    return text


def _number(said: object) -> float:
    try:
        value = float(said) if isinstance(said, str | int | float) else math.nan
    except (ValueError, OverflowError):
        value = math.nan
    if isinstance(said, bool) or not math.isfinite(value):
        raise DataError(f"value {str(said)[:20]!r} is no number: write it like 0.21")
    return value


def _moment(name: str, said: object, zone: tzinfo) -> datetime:
    try:
        read = said if isinstance(said, datetime) else datetime.fromisoformat(cast("str", said))
        read = (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)
        is_good = _SET_SINCE <= read < _SET_UNTIL
    except (TypeError, ValueError, OverflowError):
        is_good = False
    if not is_good:
        raise DataError(
            f"{name} {str(said)[:40]!r} is no time from 1970 to 2261: write 2026-03-02T06:00:00Z"
        )
    return read


def _check(note: Note) -> None:
    """Raise DataError for a note that does not say what one of its kind must."""
    lacking = [name for name in _NEEDED[note.kind] if getattr(note, name) is None]
    if lacking:
        raise DataError(f"a note of the kind {note.kind} says {lacking[0]}: write it")
    if note.begins is not None and note.ends is not None and note.ends <= note.begins:
        raise DataError(f"ends {note.ends} is not after begins {note.begins}: write a later time")
    names = _NAMES.get(note.kind)
    if names is not None and note.name not in names:
        raise DataError(f"no {note.kind} is called {note.name!r}: write one of {', '.join(names)}")
    if note.kind is NoteKind.PRICE and note.value is not None and note.value < 0:
        raise DataError(f"the price {note.value:g} is negative: write one that is not")
    if note.kind is NoteKind.TARGET and note.value is not None:
        most = 1 if note.name in _SHARES else _RATIO_MAX if note.name in _RATIOS else math.inf
        if not 0 <= note.value <= most:
            like = ", such as 0.8 for 80 %" if most < math.inf else ""
            raise DataError(f"{note.name} cannot be {note.value:g}: write what it is to be{like}")


def _plain(said: object) -> object:
    """Give what JSON can hold; a time as microseconds since 1970."""
    return (said - _SET_SINCE) // _MICROSECOND if isinstance(said, datetime) else said
