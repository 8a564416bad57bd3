"""Splits the topics among several readers, each with a session and a journal of its own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from contracts.errors import ConfigError
from gainline.config.loading import Settings
from ingest.filters import is_filter, overlap

# A reader takes a core at some hundred thousand messages a second, far beyond any broker: more
# readers than this only cost memory.
PARTITIONS_MAX = 64
FOLDER = "journal-"  # followed by the number, beside the journal of what is imported


@dataclass(frozen=True)
class Partition:
    """One reader: its number from 1 on, its topics, the name of its session, its journal."""

    number: int
    topics: tuple[str, ...]
    client_id: str
    folder: Path

    @property
    def name(self) -> str:
        """What its position in the journal is remembered by."""
        return str(self.number)


def partitions(settings: Settings) -> tuple[Partition, ...]:
    """Read `ingest.partitions`; none means one reader of `broker.topics` in the process itself.

    ConfigError where a filter is none, or two partitions would receive the same message.
    """
    groups = settings.ingest.partitions
    if len(groups) > PARTITIONS_MAX:
        raise ConfigError(f"ingest.partitions: more than {PARTITIONS_MAX}: give each more topics")
    for topics in groups:
        for topic in topics:
            if not is_filter(topic):
                raise ConfigError(f"ingest.partitions: {topic!r} is no filter of topics")
    for one, other in combinations(groups, 2):
        for left in one:
            for right in other:
                if overlap(left, right):
                    raise ConfigError(
                        f"ingest.partitions: {left!r} and {right!r} match the same topics:"
                        " a message would be received twice; make them disjoint"
                    )
    store = Path(settings.store.folder)
    return tuple(
        Partition(
            number,
            topics,
            f"{settings.broker.client_id}-{number}",
            store / f"{FOLDER}{number}",
        )
        for number, topics in enumerate(groups, 1)
    )


def journals_of_partitions(store: Path) -> dict[str, Path]:
    """Find the journals that readers have left in a store, also those of an earlier split."""
    found = {path.name.removeprefix(FOLDER): path for path in store.glob(f"{FOLDER}*")}
    return {name: path for name, path in sorted(found.items()) if name.isdecimal()}
