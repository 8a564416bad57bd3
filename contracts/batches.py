"""The batches that cross the walls, with the one schema of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from contracts.errors import ContractError
from contracts.moments import TIME

if TYPE_CHECKING:
    from contracts.notes import Note


_RAW_FIELDS: list[pa.Field[Any]] = [
    # the reading's number in order of arrival: unique, ascending over the life of the lake
    pa.field("arrival", pa.int64(), nullable=False),
    pa.field("tag", pa.string(), nullable=False),
    pa.field("source_time", TIME),  # null: the source sent none that can be used
    pa.field("received_time", TIME, nullable=False),
    pa.field("value", pa.float64()),  # finite or null
    pa.field("text", pa.string()),
    pa.field("source_quality", pa.int8(), nullable=False),  # contracts.quality.Quality
    pa.field("source_reasons", pa.int32(), nullable=False),  # bits of contracts.quality.Reason
    pa.field("source_status", pa.string()),  # the source's own word for its quality
    pa.field("gateway", pa.string()),
    pa.field("epoch", pa.string()),
    pa.field("seq", pa.int64()),
    # A: gateway, epoch, seq; B: Sparkplug; C: source_time; D: none. See ingest/identity.py.
    pa.field("identity", pa.string(), nullable=False),
    pa.field("topic", pa.string(), nullable=False),
]

RAW_SCHEMA = pa.schema(_RAW_FIELDS)

# How a column of strings may stand in a batch: many rows share what few strings say.
CODED = pa.dictionary(pa.int32(), pa.string())

CLEAN_SCHEMA = (
    RAW_SCHEMA.append(pa.field("value_clean", pa.float64()))  # null: nothing trustworthy
    .append(pa.field("quality", pa.int8(), nullable=False))
    .append(pa.field("reasons", pa.int32(), nullable=False))
)


@dataclass(frozen=True)
class RawBatch:
    """Readings as they were received, in order of arrival.

    Any column of strings may be CODED; `table.cast(RAW_SCHEMA)` spreads them.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        _require(self.table.schema, RAW_SCHEMA)


@dataclass(frozen=True)
class CleanBatch:
    """Readings with their final verdicts, in order of arrival; `value` is untouched.

    Any column of strings may be CODED, as in a RawBatch.
    """

    table: pa.Table

    def __post_init__(self) -> None:
        _require(self.table.schema, CLEAN_SCHEMA)


class DeadLetter(NamedTuple):
    """A message that could not be read, whole, with a reason code and words."""

    position: int
    topic: str
    payload: bytes
    reason: str
    received_us: int
    gateway: str


class GapChange(NamedTuple):
    """A range of counts of one gateway's epoch, both ends included, of which none has come.

    `change` is 1 where it is new, -1 where it is no longer so, as when a part of it has come: the
    ranges that are missing are those whose changes sum up to more than 0.
    """

    gateway: str
    epoch: str
    first_seq: int
    last_seq: int
    change: int


class Mark(NamedTuple):
    """What a gateway may forget: of its last epoch the counts up to `seq`, from 0 on.

    `earlier` says the same of epochs before it, oldest first.
    """

    gateway: str
    epoch: str
    seq: int
    earlier: tuple[tuple[str, int], ...] = ()


class LedgerEntry(NamedTuple):
    """What became of a gateway's messages: received = stored + duplicate + dead_letter.

    `gateway` is "" for messages that name none. Counts are of messages. A dead letter that could
    be read when it was sent again is stored + 1, dead_letter - 1; where its gateway is known only
    now, it has moved from the one entry, as received, to the other. `left_out` counts readings of
    stored messages that a rule of privacy has kept out.
    """

    gateway: str
    received: int
    stored: int
    duplicate: int
    dead_letter: int
    left_out: int = 0


class HandedOver(NamedTuple):
    """What became of the messages of one name of origin, as of one commit.

    Counts are of messages, but for `readings`. Of dead letters that were sent again `stored` could
    be read, `dead_letter` still could not, `duplicate` were no longer waiting.
    """

    origin: str
    stored: int
    duplicate: int
    dead_letter: int
    readings: int


class NewTag(NamedTuple):
    """A tag that came for the first time."""

    tag: str
    gateway: str  # that sent it, "" where it did not name itself
    path: str | None = None  # topic and names, where they are not the tag


@dataclass(frozen=True)
class RawCommit:
    """All that one commit of ingest brings to the lake, whole or not at all."""

    readings: RawBatch
    dead_letters: tuple[DeadLetter, ...]
    ledger: tuple[LedgerEntry, ...]
    until_position: int  # the journal position after the last message in here
    until_arrival: int  # the arrival number after the last reading in here
    memory: bytes  # what ingest must remember to recognise duplicates
    new_tags: tuple[NewTag, ...] = ()
    gaps: tuple[GapChange, ...] = ()
    marks: tuple[Mark, ...] = ()  # those that have moved
    # gateway and epoch of those that counted anew without a new epoch
    restarted: tuple[tuple[str, str], ...] = ()
    replayed: tuple[int, ...] = ()  # positions of dead letters that could be read now
    handed_over: tuple[HandedOver, ...] = ()  # of messages that no broker delivered
    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        for entry in self.ledger:
            if entry.received != entry.stored + entry.duplicate + entry.dead_letter:
                raise ContractError(f"the ledger of gateway {entry.gateway!r} does not balance")


@dataclass(frozen=True)
class CleanCommit:
    """All that one commit of the judge brings to the lake, whole or not at all."""

    readings: CleanBatch
    until_arrival: int  # every reading before it has been seen by the judge
    memory: bytes  # what the judge remembers per tag, and the readings it still holds
    rule_version: int | None = None  # number of the rules in the lake that gave the verdicts


class Progress(NamedTuple):
    """How far a writer has come, as of its last commit."""

    position: int
    arrival: int
    memory: bytes | None


def _require(found: pa.Schema, schema: pa.Schema) -> None:
    fields = [
        field.with_type(pa.string()) if field.type.equals(CODED) else field for field in found
    ]
    if not pa.schema(fields).equals(schema):
        raise ContractError(f"a batch has the schema {found}, not {schema}")
