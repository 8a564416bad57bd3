"""Turns the configuration into the plain values that the rooms take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from clean.settings import Settings as JudgeSettings
from contracts.tags import Tag, TagRule
from gainline.config.calendars import zone_of_site
from gainline.config.connection import broker_endpoint, broker_topics
from gainline.config.loading import Settings
from gainline.config.places import kinds_by_hand, rule_finder, tag_maker, templates
from gainline.config.private import privacy_of
from gainline.config.rules_in_force import rules_in_force
from gainline.config.sections import IngestSection, KeptTags, RetentionSection
from gainline.config.store_place import store_folder
from gainline.config.zones import zone_finder
from gainline.flow import Bench, HowToRead
from gainline.running.partitions import Partition, journals_of_partitions, partitions
from ingest.inbox import Inbox
from ingest.journal import Journal
from ingest.journal_view import JournalView
from ingest.mqtt.marks import MarkPublisher
from ingest.mqtt.receiver import Receiver
from ingest.noted import NoteTopics
from ingest.readings import Limits, Rules
from ingest.sources import Sources
from store.lake import Lake, Writer
from store.upkeep.retaining import Retention

BYTES_PER_MB = 1 << 20


def retention(settings: Settings) -> Retention:
    """Say how long the store keeps what."""
    section = settings.store.retention
    days = {"dead_letters": section.dead_letters_days} if section.dead_letters_days else {}
    rules = [(rule.pattern, _days(rule)) for rule in section.rules]
    return Retention(_days(section) | days, rules, section.dead_letters_mb)


def _days(kept: RetentionSection | KeptTags) -> dict[str, float]:
    said = {name: getattr(kept, f"{name}_days") for name in ("raw", "clean", "minute", "hour")}
    return {name: days for name, days in said.items() if days is not None}


def open_lake(settings: Settings, *, writer: Writer) -> Lake:
    """Open the lake for one writer, making it where it is missing."""
    return Lake.open(store_folder(settings), writer=writer)


def open_journal(
    settings: Settings, *, first_position: int, partition: Partition | None = None
) -> Journal:
    """Open a journal beside the lake; one that is missing begins at `first_position`."""
    folder = partition.folder if partition else store_folder(settings) / "journal"
    limit = settings.ingest.journal_limit_mb * BYTES_PER_MB
    return Journal.open(folder, limit_bytes=limit, first_position=first_position)


def inbox(settings: Settings) -> Inbox:
    """Give the inbox beside the journal, where other processes hand messages over."""
    return Inbox(store_folder(settings) / "inbox")


def sources(settings: Settings, journal: Journal) -> Sources:
    """Give all journals of the store, those of readers that are processes of their own too."""
    folders = journals_of_partitions(store_folder(settings))
    folders |= {part.name: part.folder for part in partitions(settings)}
    views = {name: JournalView(folder) for name, folder in folders.items()}
    return Sources(journal, views)


def receiver(settings: Settings, journal: Journal, partition: Partition | None = None) -> Receiver:
    """Make what reads the broker into a journal. Raises ConfigError for what MQTT has not."""
    return Receiver(
        broker_endpoint(settings),
        topics=partition.topics if partition else broker_topics(settings),
        client_id=partition.client_id if partition else settings.broker.client_id,
        journal=journal,
    )


def mark_publisher(settings: Settings) -> MarkPublisher:
    """Make what publishes commit marks."""
    client_id = f"{settings.broker.client_id}-marks"
    return MarkPublisher(broker_endpoint(settings), client_id=client_id)


def rule_for(
    settings: Settings, known: Mapping[str, Tag] = MappingProxyType({})
) -> Callable[[str], TagRule]:
    """Make what tells the judge what is possible for a tag; `known` has the kinds set by hand."""
    return rule_finder(settings, kinds_by_hand(known))


def judge_settings(settings: Settings) -> JudgeSettings:
    """Give the judge its settings."""
    return JudgeSettings(settings.clean.max_delay_s, settings.clean.block_s)


def bench(settings: Settings, lake: Lake) -> Bench:
    """Seat the judge at a lake, with the rules as they are now."""
    known = lake.known_tags()
    return Bench(
        lake,
        rule_for(settings, known),
        judge_settings(settings),
        lambda: lake.rule_version(*rules_in_force(settings, known)),
    )


def how_to_read(settings: Settings) -> HowToRead:
    """Give ingest what it is told of messages."""
    return HowToRead(rules(settings), tag_maker(settings))


def rules(settings: Settings) -> Rules:
    """Give the decoders limits, zones, what is private, and the topics of notes."""
    zone_of = zone_finder(settings.ingest, templates(settings))
    template = settings.notes.topic
    notes = NoteTopics(template, partial(zone_of_site, settings)) if template else None
    return Rules(limits(settings.ingest), zone_of, privacy_of(settings.privacy), notes)


def limits(ingest: IngestSection) -> Limits:
    """Give what a message may ask for."""
    return Limits(
        payload_bytes=ingest.payload_bytes_max,
        depth=ingest.depth_max,
        fields=ingest.fields_max,
        string_bytes=ingest.string_bytes_max,
        tags=ingest.tags_max,
        tags_per_gateway=ingest.tags_per_gateway_max,
    )
