"""Keeps what rules name out of the store, or puts pseudonyms in its place."""

from __future__ import annotations

import hmac
import re
from base64 import b32encode
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace

from contracts.message import Message
from ingest.private_runs import written_of
from ingest.readings import Decoded, Refusal
from ingest.sparkplug.host import PREFIX, Outcome, node_of, stem_of, topic_with
from ingest.topic_numbers import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ingest.readings import Column, Reading
    from ingest.runs import Run

# A pseudonym: 120 bits of an HMAC-SHA256. Among a million names two share one with a chance of
# 2**-81.
_MARK = "p-"
_PSEUDONYM_BYTES = 15
# What stands for a topic of which nothing may be kept.
LEFT_OUT = "(left out)"
COUNTED, _NOTHING = "A", "D"  # of ingest.identity.Level
_NO_WORDS = "what it was is left out by a rule of [privacy]"
_REMEMBERED = 1 << 18  # tags: all that a store may have by default


class PrivateTags(NamedTuple):
    """What is done to readings whose tag matches a pattern.

    `levels` of the tag become pseudonyms: 1 is the first, -1 the last, without any all but the
    last; None: the tag stays.
    """

    pattern: str
    is_dropped: bool = False
    levels: tuple[int, ...] | None = None
    hides_value: bool = False  # the number or the text
    hides_text: bool = False
    drops_text: bool = False

    def hidden(self, count: int) -> set[int]:
        """Give the places of the levels that become pseudonyms, in a tag of so many."""
        if not self.levels:
            return set() if self.levels is None else set(range(count - 1))
        places = {level - 1 if level > 0 else count + level for level in self.levels}
        return {place for place in places if 0 <= place < count}


class _Treatment(NamedTuple):
    """What all rules that match a tag do to its readings."""

    tag: str  # under which they are stored
    is_dropped: bool
    hides_value: bool
    hides_text: bool
    drops_text: bool
    is_renamed: bool

    def is_for(self, text: object) -> bool:
        """Tell whether it changes a reading with a text, or with None."""
        is_of_text = text is not None and (self.hides_text or self.drops_text)
        return self.is_dropped or self.hides_value or self.is_renamed or is_of_text


class Private(NamedTuple):
    """What is left of a message; without a count it is known again by what is left."""

    message: Message
    outcome: Outcome
    left_out: int = 0  # readings
    is_touched: bool = False  # its payload must not be kept
    is_nothing: bool = False  # nothing is left, and it has no count: none is a repeat
    counted: Decoded | None = None  # what it is known by with a count: all its times

    def known_by(self, level: str, decoded: Decoded) -> Decoded:
        """Give what a message of a level is known by; `decoded` is what is left of it."""
        return self.counted if self.counted is not None and level == COUNTED else decoded


class Privacy:
    """Applies rules to messages before anything of them is stored or remembered.

    All rules that match a tag hold. `secret` makes the pseudonyms: the same text has the same one,
    wherever it stands, for as long as the secret is the same.
    """

    def __init__(
        self, rules: Sequence[PrivateTags], secret: bytes, gateways: Sequence[str] = ()
    ) -> None:
        """Take rules, and patterns of the gateways whose names become pseudonyms."""
        self._secret = secret
        self._rules = [(re.compile(translate(rule.pattern)), rule) for rule in rules]
        self._reaching = [(_beginnings(rule.pattern), rule) for rule in rules]
        self._gateways = [re.compile(translate(pattern)) for pattern in gateways]
        self._treated = lru_cache(_REMEMBERED)(self._treat)
        self._covering = lru_cache(_REMEMBERED)(self._cover)

    def pseudonym(self, text: str) -> str:
        """Give the pseudonym of a text.

        >>> Privacy([], b"a secret of some length").pseudonym("anna")
        'p-vchww3xcoldrucucd23zvalj'
        """
        digest = hmac.digest(self._secret, text.encode(errors="surrogatepass"), "sha256")
        return _MARK + b32encode(digest[:_PSEUDONYM_BYTES]).decode().lower()

    def gateway(self, name: str) -> str:
        """Give the name under which a gateway is stored."""
        is_hidden = name and any(pattern.match(name) for pattern in self._gateways)
        return self.pseudonym(name) if is_hidden else name

    def applied(self, message: Message, outcome: Outcome) -> Private:
        """Give what may be stored of a message; one that no rule is for stays as it is."""
        if isinstance(outcome.decoded, Refusal):
            return self._refused(message, outcome.decoded, outcome)
        decoded = self._named(outcome.decoded)
        treated = [self._treated(_tag(decoded.topic, name)) for name in _names(decoded)]
        texts: list[object] = [one.text for one in decoded.readings]
        texts += [one.texts for one in decoded.columns.columns] if decoded.columns else ()
        if not any(one.is_for(text) for one, text in zip(treated, texts, strict=True)):
            return Private(message, outcome._replace(decoded=decoded))
        return self._left(message, outcome, decoded, treated)

    def shown(self, topic: str, decoded: Decoded) -> tuple[Sequence[Decoded], int]:
        """Give what is left of a message in parts, and how many readings are left out."""
        private = self.applied(Message(0, topic, b"", 0, retained=False), Outcome(decoded))
        left = private.outcome
        assert isinstance(left.decoded, Decoded)
        return [part for _, part in left.apart] or [left.decoded], private.left_out

    def stored(self, topic: str, paths: Iterable[str]) -> Stored | None:
        """Tell how native messages of numbers are stored; None if one by one.

        `paths` are the names of their metrics.
        """
        tags = [_tag(topic, path) for path in paths]
        treated = [self._treated(tag) for tag in tags]
        stems = {_cut(one.tag, topic)[0] for one in treated if not one.is_dropped}
        if len(stems) > 1 or any(one.hides_value for one in treated):
            return None
        kept = [None if one.is_dropped else one.tag for one in treated]
        if len(kept) > 1 and [tag for tag in kept if tag is not None] == list(stems):
            return None  # it is one number of its topic then
        return Stored(next(iter(stems), topic), kept, is_private=kept != tags)

    def of_run(self, run: Run) -> Run:
        """Give a run with the gateways as they are stored."""
        if run.counted is None or not self._gateways:
            return run
        gateways = run.counted.gateways
        gateways = gateways._replace(names=[*map(self.gateway, gateways.names)])
        return run._replace(counted=run.counted._replace(gateways=gateways))

    def _treat(self, tag: str) -> _Treatment:
        rules = [rule for pattern, rule in self._rules if pattern.match(tag)]
        levels = tag.split("/")
        hidden = set[int]().union(*(rule.hidden(len(levels)) for rule in rules))
        stored = self._hidden(levels, hidden)
        return _Treatment(
            stored,
            any(rule.is_dropped for rule in rules),
            any(rule.hides_value for rule in rules),
            any(rule.hides_text for rule in rules),
            any(rule.drops_text for rule in rules),
            stored != tag,
        )

    def _hidden(self, levels: Sequence[str], hidden: set[int]) -> str:
        return "/".join(
            self.pseudonym(level) if place in hidden else level
            for place, level in enumerate(levels)
        )

    def _cover(self, topic: str) -> str | None:
        """Give what is kept of the topic of a message that cannot be read.

        None where no rule can be for any of the tags that it might have had.
        """
        stem = stem_of(topic)
        rules = [rule for reaches, rule in self._reaching if reaches(stem) or reaches(f"{stem}/")]
        if not rules:
            return None
        if any(rule.is_dropped for rule in rules):
            return LEFT_OUT
        levels = stem.split("/")
        count = len(levels)
        hidden = set[int]()
        for rule in rules:
            # of a tag that is not known the last level may be any
            is_anywhere = rule.levels is not None and min(rule.levels, default=-1) < 0
            hidden |= set(range(count)) if is_anywhere else rule.hidden(count)
        return topic_with(topic, self._hidden(levels, hidden))

    def _refused(self, message: Message, refusal: Refusal, outcome: Outcome) -> Private:
        """Keep of a message that cannot be read no more than its code, where a rule covers it."""
        refusal = refusal._replace(gateway=self.gateway(refusal.gateway))
        topic = self._covering(message.topic)
        if topic is None:
            return Private(message, outcome._replace(decoded=refusal))
        gateway = refusal.gateway
        if message.topic.startswith(PREFIX) and gateway == node_of(stem_of(message.topic)):
            gateway = LEFT_OUT if topic == LEFT_OUT else node_of(stem_of(topic))
        whole = message.topic.encode(errors="surrogatepass") + b"\0" + message.payload
        known_by = hmac.digest(self._secret, whole, "sha256")
        refusal = refusal._replace(words=_NO_WORDS, gateway=gateway)
        message = message._replace(topic=topic, payload=known_by)
        return Private(message, outcome._replace(decoded=refusal), is_touched=True)

    def _named(self, decoded: Decoded) -> Decoded:
        name = decoded.gateway
        if not name or not self._gateways:
            return decoded
        stored = self.gateway(name)
        return decoded if stored == name else replace(decoded, gateway=stored)

    def _left(
        self, message: Message, outcome: Outcome, decoded: Decoded, treated: Sequence[_Treatment]
    ) -> Private:
        """Make parts of a message, one for each beginning that its tags now have."""
        parts: dict[str, tuple[list[Reading], list[Column]]] = {}
        count, columns = len(decoded.readings), decoded.columns
        for one, reading in zip(treated[:count], decoded.readings, strict=True):
            if not one.is_dropped:
                stem, name = _cut(one.tag, decoded.topic)
                part = parts.setdefault(stem, ([], []))
                part[0].append(self._reading(reading, name, one))
        for one, column in zip(treated[count:], columns.columns if columns else (), strict=True):
            if not one.is_dropped:
                stem, name = _cut(one.tag, decoded.topic)
                part = parts.setdefault(stem, ([], []))
                part[1].append(self._column(column, name, one))
        return _whole(message, outcome, decoded, parts)

    def _reading(self, reading: Reading, name: str, treatment: _Treatment) -> Reading:
        value, text = self._sent(reading.value, reading.text, treatment)
        return replace(reading, name=name, value=value, text=text)

    def _column(self, column: Column, name: str, treatment: _Treatment) -> Column:
        if not treatment.hides_value and column.texts is None:
            return column._replace(name=name)
        values = [None if np.isnan(value) else value for value in column.values.tolist()]
        texts = column.texts or [None] * len(values)
        sent = [self._sent(*one, treatment) for one in zip(values, texts, strict=True)]
        numbers = np.array([value for value, _ in sent], np.float64)
        return column._replace(name=name, values=numbers, texts=[text for _, text in sent])

    def _sent(
        self, value: float | None, text: str | None, treatment: _Treatment
    ) -> tuple[float | None, str | None]:
        """Give what is stored of a number, a text, or a number with its digits as they came."""
        if treatment.hides_value:
            shown = _digits(value) if text is None and value is not None else text
            return None, None if shown is None else self.pseudonym(shown)
        if treatment.drops_text:
            return value, None
        if treatment.hides_text and text is not None:
            return value, self.pseudonym(text)
        return value, text


def _whole(
    message: Message,
    outcome: Outcome,
    decoded: Decoded,
    parts: dict[str, tuple[list[Reading], list[Column]]],
) -> Private:
    """Put together what is left, and what it is known again by."""
    before = len(_names(decoded))
    apart = [(stem, _part(decoded, message.topic, stem, left)) for stem, left in parts.items()]
    topics = [topic_with(message.topic, stem) for stem in parts]
    left_out = _count(decoded, before - sum(len(_names(part)) for _, part in apart))
    if not apart:
        is_counted = None not in (decoded.gateway, decoded.epoch, decoded.seq)
        level = decoded.level if is_counted else _NOTHING
        nothing = replace(decoded, readings=(), columns=None, level=level)
        message = message._replace(topic=LEFT_OUT, payload=b"")
        outcome = outcome._replace(decoded=nothing)
        return Private(
            message,
            outcome,
            left_out,
            is_touched=True,
            is_nothing=not is_counted,
            counted=decoded,
        )
    first = apart[0][1]
    readings = [reading for _, part in apart for reading in part.readings]
    whole = first if len(apart) == 1 else replace(first, readings=readings)
    message = message._replace(topic=topics[0], payload=written_of([part for _, part in apart]))
    several = tuple(zip(topics, (part for _, part in apart), strict=True))
    outcome = outcome._replace(decoded=whole, apart=several if len(apart) > 1 else ())
    return Private(message, outcome, left_out, is_touched=True, counted=decoded)


def _part(
    decoded: Decoded, topic: str, stem: str, left: tuple[list[Reading], list[Column]]
) -> Decoded:
    readings, columns = left
    gateway = decoded.gateway
    if topic.startswith(PREFIX) and gateway == node_of(decoded.topic):
        gateway = node_of(stem)
    its = decoded.columns._replace(columns=columns) if decoded.columns and columns else None
    return replace(decoded, topic=stem, gateway=gateway, readings=readings, columns=its)


def _count(decoded: Decoded, tag_count: int) -> int:
    """Give the readings of so many tags of a message, which all have the same number of them."""
    return tag_count * (len(decoded.columns.times) if decoded.columns else 1)


def _names(decoded: Decoded) -> list[str]:
    names = [reading.name for reading in decoded.readings]
    return names + [one.name for one in decoded.columns.columns] if decoded.columns else names


def _tag(stem: str, name: str) -> str:
    return f"{stem}/{name}" if name else stem


def _cut(tag: str, stem_before: str) -> tuple[str, str]:
    """Cut a tag after as many levels as its stem had."""
    levels, count = tag.split("/"), stem_before.count("/") + 1
    return "/".join(levels[:count]), "/".join(levels[count:])


def _digits(value: float) -> str:
    """Write a number as a text would have it: a badge is the same one as a number and as a level.

    >>> _digits(4711.0), _digits(1.5)
    ('4711', '1.5')
    """
    return str(int(value)) if value.is_integer() else repr(value)


def _beginnings(pattern: str) -> Callable[[str], object]:
    """Make what tells whether tags that begin with a text may match a pattern.

    >>> may_match = _beginnings("lyon/*/badge")
    >>> bool(may_match("lyon/gate/")), bool(may_match("turin/"))
    (True, False)
    """
    cuts = (translate(pattern[:length]) for length in range(len(pattern) + 1))
    return re.compile("|".join(f"(?:{cut})" for cut in cuts)).match
