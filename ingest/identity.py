"""Recognises messages that have been seen before, by the level of identity they carry."""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from contracts.errors import ContractError
from contracts.quality import Reason
from ingest.readings import NO_TIME
from ingest.sparkplug.births import Births

if TYPE_CHECKING:
    from contracts.batches import Gaps
    from contracts.message import Message, Origin
    from ingest.readings import Decoded, Refusal

# Beyond each of these bounds the oldest is forgotten. To forget may admit a message a second
# time; it can never refuse one that is new.
#
# of one epoch: one more for every outage in which a gateway lost messages. Redelivery reaches
# back over the newest only
RANGES_MAX = 128
# of one gateway: a redelivery spans a restart or two; a gateway that restarts in a loop should
# not push the others out
EPOCHS_MAX = 8
# a large company's plants; the bound holds against a sender that invents names
GATEWAYS_MAX = 4_096
# messages without a count: the most that a broker may have delivered and not acknowledged, and
# so deliver again (Receive Maximum of MQTT 5 has 16 bits)
RECENT_MAX = 65_536
# of a hash: among 65,536 remembered ones a new message looks old with a chance of 2**-112
HASH_BYTES = 16

_VERSION = 1


class Level(StrEnum):
    """What a message can be recognised by; stored in the column `identity`."""

    COUNTED = "A"  # gateway, epoch, seq: exactly once
    SPARKPLUG = "B"  # topic, time, count, metrics: the whole message, as C
    TIMED = "C"  # tag, time, payload: once among the last RECENT_MAX such messages
    NONE = "D"  # nothing: at least once


def level_of(decoded: Decoded) -> Level:
    """Tell the level of a message.

    Without a count it needs a time in every reading that can be trusted: a device whose clock
    was never set sends the same time and value again and again, and each is a new reading.
    """
    if decoded.level is not None:
        return Level(decoded.level)
    if decoded.gateway is not None and decoded.epoch is not None and decoded.seq is not None:
        return Level.COUNTED
    if decoded.columns is not None:
        times, doubtful, _ = decoded.columns
        return Level.TIMED if doubtful is None and (times != NO_TIME).all() else Level.NONE
    for reading in decoded.readings:
        if reading.time_us is None or reading.reasons & Reason.TIME:
            return Level.NONE
    return Level.TIMED


class Memory:
    """What has been seen: counts per gateway and epoch, and hashes of recent messages.

    `Memory.load(memory.dump())` remembers exactly the same.
    """

    def __init__(self) -> None:
        self._gateways: dict[str, dict[str, Seen]] = {}
        self._recent: dict[bytes, None] = {}  # oldest first
        self._origins: dict[str, Seen] = {}
        self.births = Births()  # of Sparkplug's edge nodes

    def copy(self) -> Memory:
        """Copy it, so that the original stays as it was committed."""
        twin = Memory()
        twin._gateways = {
            gateway: {epoch: seen.copy() for epoch, seen in epochs.items()}
            for gateway, epochs in self._gateways.items()
        }
        twin._recent = self._recent.copy()
        twin.births = self.births.copy()
        twin._origins = {name: seen.copy() for name, seen in self._origins.items()}
        return twin

    def admit(self, level: Level, message: Message, decoded: Decoded) -> bool:
        """Remember a message; False if it has been seen before."""
        if level is Level.COUNTED:
            return self._admit_count(
                str(decoded.gateway), str(decoded.epoch), int(decoded.seq or 0)
            )
        if level in (Level.TIMED, Level.SPARKPLUG):
            return self._admit_hash(hash_of(message))
        return True

    def admit_refused(self, refusal: Refusal) -> bool:
        """Remember a message that cannot be read, by its count; False if it has been seen."""
        if refusal.epoch is None or refusal.seq is None or not refusal.gateway:
            return True
        return self._admit_count(refusal.gateway, refusal.epoch, refusal.seq)

    def is_new_origin(self, origin: Origin) -> bool:
        """Tell whether a message of this origin has not been stored."""
        return not self._origins.get(origin.name, Seen()).has(origin.number)

    def note_origin(self, origin: Origin | None) -> None:
        """Remember that the message of an origin has been stored."""
        if origin is not None:
            self._origins.setdefault(origin.name, Seen()).add(origin.number)

    def changed_gaps(self) -> tuple[Gaps, ...]:
        """Give the counts that are missing, of the epochs in which that has changed."""
        return ()

    def forget(self) -> None:
        """Forget the oldest beyond the bounds; call it once a batch."""
        while len(self._gateways) > GATEWAYS_MAX:
            del self._gateways[next(iter(self._gateways))]
        self.births.forget()
        excess = len(self._recent) - RECENT_MAX
        if excess > 0:
            self._recent = dict.fromkeys(islice(self._recent, excess, None))

    def dump(self) -> bytes:
        """Write it down."""
        gateways = [
            (gateway, [(epoch, seen.starts, seen.ends) for epoch, seen in epochs.items()])
            for gateway, epochs in self._gateways.items()
        ]
        origins = [(name, seen.starts, seen.ends) for name, seen in self._origins.items()]
        written = _Written(_VERSION, gateways, b"".join(self._recent), origins, self.births.dump())
        return msgspec.msgpack.encode(written)

    @staticmethod
    def load(written: bytes | None) -> Memory:
        """Read what `dump` wrote; None is an empty memory. ContractError if it is not ours."""
        memory = Memory()
        if written is None:
            return memory
        try:
            read = msgspec.msgpack.decode(written, type=_Written)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise ContractError(f"the memory of ingest cannot be read: {problem}") from problem
        if read.version != _VERSION:
            raise ContractError(f"the memory of ingest has version {read.version}, not {_VERSION}")
        memory._gateways = {
            gateway: {epoch: Seen(starts, ends) for epoch, starts, ends in epochs}
            for gateway, epochs in read.gateways
        }
        hashes = np.frombuffer(read.recent, np.dtype((np.void, HASH_BYTES))).tolist()
        memory._recent = dict.fromkeys(hashes)
        memory._origins = {name: Seen(starts, ends) for name, starts, ends in read.origins}
        memory.births = Births.load(read.births)
        return memory

    def _admit_count(self, gateway: str, epoch: str, seq: int) -> bool:
        epochs = self._gateways.pop(gateway, None) or {}
        self._gateways[gateway] = epochs  # at the end: the last one heard of
        seen = epochs.get(epoch)
        if seen is None:
            if len(epochs) == EPOCHS_MAX:
                del epochs[next(iter(epochs))]
            seen = epochs[epoch] = Seen()
        return seen.add(seq)

    def _admit_hash(self, digest: bytes) -> bool:
        is_new = digest not in self._recent
        if not is_new:
            del self._recent[digest]
        self._recent[digest] = None  # at the end: the last one heard of
        return is_new


class Seen:
    """A set of counts as disjoint ranges, ascending, both ends included.

    >>> seen = Seen()
    >>> [seen.add(count) for count in (0, 1, 3, 1, 2)], seen.starts, seen.ends
    ([True, True, True, False, True], [0], [3])
    """

    __slots__ = ("ends", "starts")

    def __init__(self, starts: list[int] | None = None, ends: list[int] | None = None) -> None:
        self.starts = starts or []
        self.ends = ends or []

    def copy(self) -> Seen:
        """Copy it."""
        return Seen(self.starts.copy(), self.ends.copy())

    def has(self, count: int) -> bool:
        """Tell whether a count is in."""
        left = bisect_right(self.starts, count) - 1
        return left >= 0 and count <= self.ends[left]

    def add(self, count: int) -> bool:
        """Add a count; False if it was in. Beyond RANGES_MAX the lowest range is forgotten."""
        starts, ends = self.starts, self.ends
        right = bisect_right(starts, count)  # the first range that starts above the count
        left = right - 1
        if left >= 0 and count <= ends[left]:
            return False
        joins_left = left >= 0 and ends[left] == count - 1
        joins_right = right < len(starts) and starts[right] == count + 1
        if joins_left and joins_right:
            ends[left] = ends.pop(right)
            del starts[right]
        elif joins_left:
            ends[left] = count
        elif joins_right:
            starts[right] = count
        else:
            starts.insert(right, count)
            ends.insert(right, count)
            if len(starts) > RANGES_MAX:
                del starts[0], ends[0]
        return True


def hash_of(message: Message) -> bytes:
    """Hash topic and payload; a topic has no NUL, so the two cannot run into each other."""
    whole = message.topic.encode() + b"\0" + message.payload
    return blake2b(whole, digest_size=HASH_BYTES).digest()


class _Written(msgspec.Struct, array_like=True, frozen=True):
    """The memory as bytes."""

    version: int
    gateways: list[tuple[str, list[tuple[str, list[int], list[int]]]]]
    recent: bytes  # hashes, one after the other, oldest first
    origins: list[tuple[str, list[int], list[int]]] = []
    births: bytes = b""
