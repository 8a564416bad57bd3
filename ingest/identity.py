"""Recognises messages that have been seen before, by the level of identity they carry."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from contracts.errors import ContractError
from contracts.quality import Reason
from ingest.counts import Seen
from ingest.epochs import GATEWAYS_MAX, Epochs
from ingest.lasts import Lasts, hash_of
from ingest.readings import NO_TIME
from ingest.recent import Recent, key_of, keys_of_hashes
from ingest.sparkplug.births import Births

if TYPE_CHECKING:
    from contracts.batches import Mark
    from contracts.message import Message, Origin
    from ingest.readings import Decoded, Refusal
    from ingest.runs import Run

# Beyond each of these bounds the oldest is forgotten. To forget may admit a message a second
# time; it can never refuse one that is new. See ingest/epochs.py, ingest/lasts.py and
# ingest/recent.py for more.
#
# files that were handed over: a file is handed over again after a crash, not years later
ORIGINS_MAX = 1_024

# The ledger has a line for so many gateways, one for each that is remembered. Messages of further
# ones, as of a sender that makes names up, are counted together.
LEDGER_NAMES_MAX = GATEWAYS_MAX
OTHERS = "(others)"

_TIME = int(Reason.TIME)  # an operation on the enumeration itself takes a microsecond

_VERSION = 3
_VERSIONS_READ = (1, 2, 3)


class Level(StrEnum):
    """What a message can be recognised by; stored in the column `identity`."""

    COUNTED = "A"  # gateway, epoch, seq: exactly once
    SPARKPLUG = "B"  # topic, time, count, metrics: the whole message, as C
    TIMED = "C"  # tag, time, payload or value: once among the last 65,536 such messages
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
        if reading.time_us is None or reading.reasons & _TIME:
            return Level.NONE
    return Level.TIMED


class Memory:
    """What has been seen: counts per gateway and epoch, and hashes of recent messages.

    `Memory.load(memory.dump())` remembers exactly the same.
    """

    def __init__(self) -> None:
        self.births = Births()  # of Sparkplug's edge nodes
        self._epochs = Epochs()
        self._recent = Recent()
        self._lasts = Lasts()
        self._origins: dict[str, Seen] = {}  # oldest first
        self._ledger_names: dict[str, None] = {}

    def copy(self) -> Memory:
        """Copy it, so that the original stays as it was committed and settled."""
        twin = Memory()
        twin.births = self.births.copy()
        twin._epochs = self._epochs.copy()
        twin._recent = self._recent.copy()
        twin._lasts = self._lasts.copy()
        twin._origins = {name: seen.copy() for name, seen in self._origins.items()}
        twin._ledger_names = self._ledger_names.copy()
        return twin

    def admit(self, level: Level, message: Message, decoded: Decoded) -> bool:
        """Remember a message; False if it has been seen before.

        A retained message is what its topic had last, sent again for a new subscription: where
        nothing else came on the topic since, it was here.
        """
        digest = b""
        if message.retained or level in (Level.TIMED, Level.SPARKPLUG):
            digest = hash_of(message)
            is_other = self._lasts.note(message, digest)
            if message.retained and not is_other:
                return False
        if level is Level.COUNTED:
            return self._epochs.admit(decoded)
        if level is not Level.NONE:
            return self._recent.admit(key_of(decoded, digest))
        if not digest:
            self._lasts.note_if_known(message)
        return True

    def admit_run(self, run: Run) -> bool:
        """Remember messages as `admit` does, if all are new and none leaves a gap; else nothing."""
        stretches = run.stretches()
        if stretches is None or not self._epochs.go_on(stretches):
            return False
        if len(run.uncounted):
            digests = {index: hash_of(run.known(index)) for index in run.several()}
            if not self._recent.admit_run(run, digests.values()):
                return False
            for index in run.last_of_topics():
                message = run.known(index)
                self._lasts.note(message, digests.get(index) or hash_of(message))
        self._epochs.admit_stretches(stretches)
        return True

    def admit_refused(self, message: Message, refusal: Refusal) -> bool:
        """Remember a message that cannot be read; False if it has been seen.

        It is known by its count, where that could be read. Without, it has been seen if it is the
        same as the last message of its topic: to keep it again would tell nothing.
        """
        if refusal.gateway and refusal.epoch is not None and refusal.seq is not None:
            count = refusal.gateway, refusal.epoch, refusal.seq
            return self._epochs.admit_unread(count, message.received_us)
        return self._lasts.note(message, hash_of(message))

    def note_replayed(self, level: Level, message: Message, decoded: Decoded) -> None:
        """Remember a message that was refused before and could be read now."""
        if level is Level.COUNTED:
            self._epochs.note(decoded)
        elif level is not Level.NONE:
            self._recent.admit(key_of(decoded, hash_of(message)))

    def is_new_origin(self, origin: Origin) -> bool:
        """Tell whether a message of this origin has not been stored."""
        seen = self._origins.get(origin.name)
        return seen is None or not seen.has(origin.number)

    def note_origin(self, origin: Origin) -> None:
        """Remember that the message of an origin has been stored."""
        seen = self._origins.pop(origin.name, None) or Seen()
        self._origins[origin.name] = seen  # at the end: the last one heard of
        seen.add(origin.number)

    def ledger_name(self, gateway: str) -> str:
        """Tell under which name the ledger counts a gateway, for good."""
        if gateway not in self._ledger_names:
            if len(self._ledger_names) >= LEDGER_NAMES_MAX:
                return OTHERS
            self._ledger_names[gateway] = None
        return gateway

    @property
    def changes(self) -> Epochs:
        """What has changed of gateways since it was loaded or copied."""
        return self._epochs

    def marks(self) -> tuple[Mark, ...]:
        """Give the marks of all gateways."""
        return self._epochs.marks()

    def settle(self) -> None:
        """Take what has changed as told: it is committed."""
        self._epochs.settle()

    def forget(self) -> None:
        """Forget the oldest beyond the bounds; call it once a batch."""
        self._epochs.forget()
        self.births.forget()
        self._lasts.forget()
        self._recent.forget()
        while len(self._origins) > ORIGINS_MAX:
            del self._origins[next(iter(self._origins))]

    def dump(self) -> bytes:
        """Write it down."""
        written = _Written(
            _VERSION,
            msgspec.Raw(self._epochs.dump()),
            self._recent.dump(),
            [(name, seen.starts, seen.ends) for name, seen in self._origins.items()],
            self.births.dump(),
            self._epochs.is_overrun,
            self._lasts.dump(),
            list(self._ledger_names),
        )
        return msgspec.msgpack.encode(written)

    @staticmethod
    def load(written: bytes | None) -> Memory:
        """Read what `dump` wrote, also of an older program; None is an empty memory.

        ContractError if it is not ours.
        """
        memory = Memory()
        if written is None:
            return memory
        try:
            read = msgspec.msgpack.decode(written, type=_Written)
            memory.births = Births.load(read.births)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise ContractError(f"the memory of ingest cannot be read: {problem}") from problem
        if read.version not in _VERSIONS_READ:
            raise ContractError(f"the memory of ingest has version {read.version}, not {_VERSION}")
        memory._epochs = Epochs.load(
            read.gateways, is_overrun=read.is_overrun, is_listed=read.version > 1
        )
        memory._recent = Recent(read.recent if read.version > 2 else keys_of_hashes(read.recent))
        memory._lasts = Lasts(read.lasts)
        memory._origins = {name: Seen(starts, ends) for name, starts, ends in read.origins}
        names = read.ledger_names if read.version > 1 else memory._epochs.names()
        memory._ledger_names = dict.fromkeys(names)
        return memory


class _Written(msgspec.Struct, array_like=True, frozen=True):
    """The memory as bytes; version 1 has no more than the first five."""

    version: int
    gateways: msgspec.Raw  # see ingest/epochs.py
    recent: bytes  # keys, before version 3 hashes
    origins: list[tuple[str, list[int], list[int]]] = []
    births: bytes = b""
    is_overrun: bool = False
    lasts: bytes = b""
    ledger_names: list[str] = []
