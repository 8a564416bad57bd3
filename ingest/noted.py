"""Reads notes, which people send as JSON on topics of their own."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from contracts.errors import ConfigError, DataError
from contracts.notes import Heard, note_of
from contracts.tags import Place
from ingest.document import check_names, parse
from ingest.filters import overlap
from ingest.native import IDENTITY, identity_in, identity_of
from ingest.readings import Decoded, PayloadError, Refusal
from ingest.times import stamp_of
from ingest.topics import filter_of, pattern_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from contracts.notes import Note
    from ingest.readings import Limits

DEFAULT_TOPIC = "gainline/note/{site?}/{area?}/{line?}/{machine?}"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = ("begins", "ends", "source_time")
_NO_IDENTITY = "D"  # of ingest.identity.Level: nothing tells a repeat from a new note
_METRIC = "note"  # stands after a topic, as its metric would


class NoteTopics:
    """Which topics carry notes, and the place that their levels name.

    >>> topics = NoteTopics("gainline/note/{site?}/{area?}/{line?}/{machine?}")
    >>> topics.filter, topics.has("gainline/note/lyon"), topics.has("lyon/body/l1/note")
    ('gainline/note/#', True, False)
    >>> topics.place_of("gainline/note/lyon/body/l1")
    Place(site='lyon', area='body', line='l1', machine=None, metric=None)
    """

    def __init__(
        self, template: str, zone_of: Callable[[str | None], tzinfo] = lambda _: UTC
    ) -> None:
        """`zone_of` tells the zone of a site. Raises ConfigError for a template."""
        self._pattern = pattern_of(f"{template}/{{metric}}")
        self.filter = filter_of(template)
        self.zone_of = zone_of
        self._begins = self.filter.partition("+")[0].removesuffix("#").removesuffix("/")

    def has(self, topic: str) -> bool:
        """Tell whether a topic carries notes."""
        return topic.startswith(self._begins) and overlap(self.filter, topic)

    def place_of(self, topic: str) -> Place:
        """Read the place from a topic that carries notes. Raises PayloadError for more levels."""
        found = self._pattern.fullmatch(f"{topic}/{_METRIC}")
        read = found.groupdict() if found else {}
        if read.pop("metric", None) != _METRIC:
            raise PayloadError("bad_note", "the topic has levels that notes.topic does not name")
        return Place(**{name: level for name, level in read.items() if name != "enterprise"})


def decode_note(
    topic: str, payload: bytes, topics: NoteTopics, limits: Limits, received_us: int
) -> Decoded | Refusal:
    """Decode one note: no reading, and the note; never an exception.

    It is on the place of its topic, of which it may name what that leaves open: who may write where
    is who may say what. It may name gateway, epoch and seq as a native message does. One that does
    not say when it was said was said when it was received, and is another note each time it comes.
    """
    document: object = None
    try:
        document = parse(payload, limits)
        check_names(document, payload, limits)
        said = _object(document)
        gateway, epoch, seq = identity_of(said)
        note = _note(said, topic, topics, received_us)
    except PayloadError as problem:
        return Refusal(problem.code, problem.words, *identity_in(document))
    except DataError as problem:
        return Refusal("bad_note", str(problem), *identity_in(document))
    is_known_again = said.get("source_time") not in (None, "") or None not in (gateway, epoch, seq)
    level = None if is_known_again else _NO_IDENTITY
    return Decoded(topic, gateway, epoch, seq, (), level=level, note=note)


def check_topic(template: str) -> None:
    """Raise ConfigError for a template that cannot be read."""
    if template:
        try:
            NoteTopics(template)
        except ConfigError as problem:
            raise ConfigError(f"notes.topic: {problem}") from None


def _object(document: object) -> dict[str, object]:
    if not isinstance(document, dict):
        raise PayloadError("bad_note", 'a note is an object, such as {"kind": "remark", …}')
    return document


def _note(document: dict[str, object], topic: str, topics: NoteTopics, received_us: int) -> Note:
    said = {name: word for name, word in document.items() if name not in IDENTITY}
    for level, name in asdict(topics.place_of(topic)).items():
        if name is not None and said.setdefault(level, name) not in (name, None, ""):
            raise PayloadError(
                "bad_note",
                f"the topic says {level} {name!r}, the note another: send it on the topic of that"
                " one, or on one that leaves it open",
            )
        said |= {level: name} if name is not None else {}
    site = said.get("site")
    zone = topics.zone_of(site if isinstance(site, str) and site else None)
    for name in _TIMES:
        count = said.get(name)
        if isinstance(count, int | float) and (us := stamp_of(count).us) is not None:
            said[name] = _EPOCH + timedelta(microseconds=us)
    return note_of(said, Heard(_EPOCH + timedelta(microseconds=received_us), "mqtt", zone))
