"""Turns the configuration into the plain values that the rooms take."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from clean.settings import Settings as JudgeSettings
from contracts.errors import ConfigError
from contracts.tags import Kind, Tag, TagRule
from gainline.config import IngestSection, Settings, TagSection
from gainline.connection import broker_endpoint, broker_topics
from gainline.flow import HowToRead
from ingest.inbox import Inbox
from ingest.journal import Journal
from ingest.mqtt.receiver import Receiver
from ingest.readings import Limits, Rules
from ingest.topics import kind_of, place_of
from store.lake import Lake, Writer

BYTES_PER_MB = 1 << 20


def store_folder(settings: Settings) -> Path:
    """Give the folder of the lake."""
    return Path(settings.store.folder)


def open_lake(settings: Settings, *, writer: Writer) -> Lake:
    """Open the lake for one writer, making it where it is missing."""
    return Lake.open(store_folder(settings), writer=writer)


def open_journal(settings: Settings, *, first_position: int) -> Journal:
    """Open the journal beside the lake; one that is missing begins at `first_position`."""
    folder = store_folder(settings) / "journal"
    limit = settings.ingest.journal_limit_mb * BYTES_PER_MB
    return Journal.open(folder, limit_bytes=limit, first_position=first_position)


def inbox(settings: Settings) -> Inbox:
    """Give the inbox beside the journal, where other processes hand messages over."""
    return Inbox(store_folder(settings) / "inbox")


def receiver(settings: Settings, journal: Journal) -> Receiver:
    """Make what reads the broker into the journal. Raises ConfigError for what MQTT has not."""
    return Receiver(
        broker_endpoint(settings),
        topics=broker_topics(settings),
        client_id=settings.broker.client_id,
        journal=journal,
    )


def tag_maker(settings: Settings) -> Callable[[str], Tag]:
    """Make what places a tag that is new, by the template and the patterns."""
    template = settings.ingest.template
    place_of("a/b", template)

    def make(tag: str) -> Tag:
        place = place_of(tag, template)
        section = _section_of(settings, tag)
        unit = section.unit if section else None
        return Tag(tag, place, unit, _kind(section, place.metric or ""))

    return make


def rule_for(settings: Settings) -> Callable[[str], TagRule]:
    """Make what tells the judge what is possible for a tag: the first pattern that matches."""
    for section in settings.tags:
        _kind(section, "")

    def rule(tag: str) -> TagRule:
        section = _section_of(settings, tag)
        kind = _kind(section, tag.rpartition("/")[2])
        if section is None:
            return TagRule(kind)
        return TagRule(kind, section.low, section.high, section.sentinels)

    return rule


def judge_settings(settings: Settings) -> JudgeSettings:
    """Give the judge its settings."""
    return JudgeSettings(max_delay_s=settings.clean.max_delay_s)


def how_to_read(settings: Settings) -> HowToRead:
    """Give ingest what it is told of messages."""
    return HowToRead(rules(settings), tag_maker(settings))


def rules(settings: Settings) -> Rules:
    """Give the decoders their limits and the zone of times without an offset."""
    own_zone = zone(settings)
    return Rules(limits(settings.ingest), lambda _topic: own_zone)


def limits(ingest: IngestSection) -> Limits:
    """Give what a message may ask for."""
    return Limits(
        payload_bytes=ingest.payload_bytes_max,
        depth=ingest.depth_max,
        fields=ingest.fields_max,
        string_bytes=ingest.string_bytes_max,
    )


def zone(settings: Settings) -> ZoneInfo:
    """Give the zone of times without an offset. Raises ConfigError where there is none such."""
    name = settings.ingest.zone
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            f"ingest.zone: no time zone is called {name!r}; use a name such as Europe/Berlin"
        ) from None


def _section_of(settings: Settings, tag: str) -> TagSection | None:
    matching = (section for section in settings.tags if fnmatchcase(tag, section.pattern))
    return next(matching, None)


def _kind(section: TagSection | None, metric: str) -> Kind:
    if section is None or section.kind is None:
        return kind_of(metric)
    try:
        return Kind(section.kind)
    except ValueError:
        raise ConfigError(
            f"tags.kind: {section.kind!r} of pattern {section.pattern!r} is none of"
            f" {', '.join(Kind)}"
        ) from None
