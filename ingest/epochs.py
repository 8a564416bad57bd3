"""Keeps which counts of each gateway's epochs have been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import msgspec

from contracts.batches import GapChange, Mark
from ingest.counts import RANGES_MAX, UNKNOWN_TIME, Run, Seen
from ingest.readings import NO_TIME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ingest.readings import Decoded
    from ingest.runs import Stretch

# Beyond each of these bounds the oldest is forgotten. To forget may admit a message a second
# time; it can never refuse one that is new.
#
# of one gateway: a redelivery spans a restart or two; a gateway that restarts in a loop should
# not push the others out
EPOCHS_MAX = 8
# a large company's plants; the bound holds against a sender that invents names
GATEWAYS_MAX = 4_096
# of one gateway, by a hash of 4 bytes: an epoch that was forgotten and comes again has no gap
# before the first count that it comes with. A gateway that restarts each night reaches back two
# months
FORGOTTEN_MAX = 64


class Epochs:
    """The counts of the last epochs of the last gateways, each in order of appearance.

    What has changed since the last `settle` is told by `changed_gaps` and `changed_marks`.
    """

    def __init__(self) -> None:
        self._gateways: dict[str, _Gateway] = {}
        self._own: set[str] = set()  # gateways that no copy shares
        self.is_overrun = False  # a gateway was forgotten: one that seems new may not be
        self._is_unlisted = False  # an older program has listed no gaps
        self._touched: dict[int, _Touched] = {}  # by the id of the run
        self._restarted: dict[tuple[str, str], None] = {}

    def copy(self) -> Epochs:
        """Copy it, without what has changed; call `settle` before, if anything has.

        A gateway is copied when something comes of it: of thousands few send at a time.
        """
        twin = Epochs()
        twin._gateways = self._gateways.copy()
        self._own.clear()
        twin.is_overrun, twin._is_unlisted = self.is_overrun, self._is_unlisted
        return twin

    def admit(self, decoded: Decoded) -> bool:
        """Remember a message that has a gateway, an epoch and a count; False if it was here.

        A count that was here with times that are all later than any of its epoch is no redelivery:
        the gateway counts anew and should have chosen another epoch. Then it is taken as one.
        """
        gateway, epoch, seq = str(decoded.gateway), str(decoded.epoch), int(decoded.seq or 0)
        one = self._heard_of(gateway)
        current = self._run(gateway, epoch, seq)
        oldest_us = _oldest_us(decoded) if current.earlier is not None else NO_TIME
        run = current.of_time(oldest_us)
        self._touch(gateway, epoch, run)
        if run.seen.add(seq):
            if run is current:
                run.newest_us = max(run.newest_us, _newest_us(decoded))
            return True
        if run is not current or not run.is_restart(_oldest_us(decoded)):
            return False
        run.earlier = None  # two runs of an epoch are kept
        again = one.epochs[epoch] = Run(Seen(known_from=seq), earlier=run)
        self._restarted[gateway, epoch] = None
        self._touch(gateway, epoch, again)
        again.seen.add(seq)
        again.newest_us = _newest_us(decoded)
        return True

    def go_on(self, stretches: Sequence[Stretch]) -> bool:
        """Tell whether each begins where the counts of its epoch have ended."""
        return all(self._end_before(one) is not None for one in stretches)

    def admit_stretches(self, stretches: Sequence[Stretch]) -> None:
        """Remember messages as `admit` does. They `go_on`, and are in order of appearance."""
        for one in stretches:
            self._make_own(one.gateway)
            run = self._run(one.gateway, one.epoch, one.first)
            self._touch(one.gateway, one.epoch, run)
            run.seen.ends[-1] = one.last
            run.newest_us = max(run.newest_us, one.newest_us)
        for one in sorted(stretches, key=lambda one: one.until):
            self._heard_of(one.gateway)

    def admit_unread(self, count: tuple[str, str, int], received_us: int) -> bool:
        """Remember a message of which no more could be read; False if it was here."""
        gateway, epoch, seq = count
        self._heard_of(gateway)
        run = self._run(gateway, epoch, seq)
        self._touch(gateway, epoch, run)
        if run.newest_us != UNKNOWN_TIME:  # its own times are not known: about this at most
            run.newest_us = max(run.newest_us, received_us)
        return run.seen.add(seq)

    def note(self, decoded: Decoded) -> None:
        """Remember a message that was refused before and could be read now."""
        gateway, epoch, seq = str(decoded.gateway), str(decoded.epoch), int(decoded.seq or 0)
        self._heard_of(gateway)
        run = self._run(gateway, epoch, seq).of_time(_oldest_us(decoded))
        self._touch(gateway, epoch, run)
        run.seen.add(seq)
        run.newest_us = max(run.newest_us, _newest_us(decoded))

    def changed_gaps(self) -> tuple[GapChange, ...]:
        """Give the ranges of counts that are missing now and were not, and the other way round."""
        return tuple(change for one in self._all_touched() for change in one.gap_changes())

    def changed_marks(self) -> tuple[Mark, ...]:
        """Give the marks of the gateways of which they have moved."""
        moved = {one.gateway for one in self._touched.values() if one.has_moved}
        return tuple(self._marks_of(name for name in self._gateways if name in moved))

    def marks(self) -> tuple[Mark, ...]:
        """Give the marks of all gateways that have one."""
        return tuple(self._marks_of(self._gateways))

    def restarted(self) -> tuple[tuple[str, str], ...]:
        """Give gateway and epoch of those that counted anew without a new epoch."""
        return tuple(self._restarted)

    def settle(self) -> None:
        """Take what has changed as told."""
        for one in self._all_touched():
            one.run.seen.left.clear()
        self._touched.clear()
        self._restarted.clear()
        self._is_unlisted = False

    def forget(self) -> None:
        """Forget the oldest gateways beyond the bound."""
        while len(self._gateways) > GATEWAYS_MAX:
            oldest = next(iter(self._gateways))
            del self._gateways[oldest]
            self._own.discard(oldest)
            self.is_overrun = True

    def dump(self) -> bytes:
        """Write it down, without what has changed; `is_overrun` is to be kept beside it."""
        written = [msgspec.Raw(one.as_written(name)) for name, one in self._gateways.items()]
        return msgspec.msgpack.encode(written)

    @staticmethod
    def load(written: bytes, *, is_overrun: bool, is_listed: bool) -> Epochs:
        """Read what `dump` wrote; `is_listed` tells whether its gaps have ever been told."""
        epochs = Epochs()
        epochs.is_overrun, epochs._is_unlisted = is_overrun, not is_listed
        gateways = msgspec.msgpack.decode(written, type=list[WrittenGateway])
        epochs._gateways = {one.name: _Gateway.read(one) for one in gateways}
        return epochs

    def names(self) -> list[str]:
        """Give the gateways, the one heard of longest ago first."""
        return list(self._gateways)

    def _heard_of(self, gateway: str) -> _Gateway:
        self._make_own(gateway)
        one = self._gateways.pop(gateway)
        self._gateways[gateway] = one  # at the end: the last one heard of
        return one

    def _make_own(self, gateway: str) -> None:
        """See to it that a gateway is known, and may be changed."""
        one = self._gateways.get(gateway)
        if one is None:
            self._gateways[gateway] = _Gateway()
        elif gateway not in self._own:
            self._gateways[gateway] = one.copy()
        else:
            one.kept = b""
        self._own.add(gateway)

    def _end_before(self, stretch: Stretch) -> Run | None:
        """Give the run that a stretch goes on from, if there is one and it is the only one."""
        one = self._gateways.get(stretch.gateway)
        run = one.epochs.get(stretch.epoch) if one else None
        if run is None or run.earlier is not None:
            return None
        ends = run.seen.ends
        return run if ends and ends[-1] == stretch.first - 1 else None

    def _run(self, gateway: str, epoch: str, seq: int) -> Run:
        """Give the run of an epoch, which may begin with this count."""
        one = self._gateways[gateway]
        run = one.epochs.get(epoch)
        if run is None:
            # of a gateway of which nothing is known the first epochs may be any
            is_blank = self.is_overrun and not one.epochs
            run = one.begin(epoch, known_from=seq if is_blank else 0, seq=seq)
        return run

    def _touch(self, gateway: str, epoch: str, run: Run) -> None:
        if id(run) not in self._touched:
            missing = () if self._is_unlisted else tuple(run.seen.missing())
            self._touched[id(run)] = _Touched(gateway, epoch, run, missing, run.seen.through())

    def _all_touched(self) -> Iterable[_Touched]:
        if self._is_unlisted:
            for name, one in self._gateways.items():
                for epoch, run in one.epochs.items():
                    self._touch(name, epoch, run)
        return self._touched.values()

    def _marks_of(self, gateways: Iterable[str]) -> Iterator[Mark]:
        for name in gateways:
            reached = [
                (epoch, through)
                for epoch, run in self._gateways[name].epochs.items()
                if (through := run.seen.through()) is not None
            ]
            if reached and reached[-1][0] == next(reversed(self._gateways[name].epochs)):
                yield Mark(name, *reached[-1], tuple(reached[:-1]))


class _Gateway:
    """The last epochs of a gateway, oldest first, and hashes of those before."""

    __slots__ = ("epochs", "forgotten", "kept")

    def __init__(self) -> None:
        self.epochs: dict[str, Run] = {}
        self.forgotten: dict[int, None] = {}
        self.kept = b""  # as it is written, once it was and while it does not change

    def copy(self) -> _Gateway:
        twin = _Gateway()
        twin.epochs = {epoch: run.copy() for epoch, run in self.epochs.items()}
        twin.forgotten = self.forgotten.copy()
        return twin

    def begin(self, epoch: str, *, known_from: int, seq: int) -> Run:
        if len(self.epochs) == EPOCHS_MAX:
            self._forget_oldest()
        is_old = crc32(epoch.encode()) in self.forgotten
        run = Run(Seen(known_from=seq if is_old else known_from))
        # the last one is the one that the gateway is in
        self.epochs = {epoch: run, **self.epochs} if is_old else {**self.epochs, epoch: run}
        return run

    def _forget_oldest(self) -> None:
        oldest = next(iter(self.epochs))
        del self.epochs[oldest]
        digest = crc32(oldest.encode())
        self.forgotten.pop(digest, None)
        self.forgotten[digest] = None
        if len(self.forgotten) > FORGOTTEN_MAX:
            del self.forgotten[next(iter(self.forgotten))]

    def as_written(self, name: str) -> bytes:
        if not self.kept:
            written = WrittenGateway(name, list(self._runs_written()), list(self.forgotten))
            self.kept = msgspec.msgpack.encode(written)
        return self.kept

    def _runs_written(self) -> Iterator[WrittenRun]:
        for epoch, run in self.epochs.items():
            for one in (run.earlier, run):
                if one is not None:
                    seen = one.seen
                    yield WrittenRun(epoch, seen.starts, seen.ends, seen.known_from, one.newest_us)

    @staticmethod
    def read(written: WrittenGateway) -> _Gateway:
        one = _Gateway()
        for run in written.runs:
            known_from = run.known_from
            if known_from < 0:  # of an older program, which did not say what it had forgotten
                known_from = run.starts[0] if len(run.starts) == RANGES_MAX else 0
            seen = Seen(run.starts, run.ends, known_from)
            earlier = one.epochs.get(run.epoch)
            one.epochs[run.epoch] = Run(seen, run.newest_us, earlier=earlier)
        one.forgotten = dict.fromkeys(written.forgotten)
        return one


class _Touched(NamedTuple):
    """A run that a message was added to, and how it was before."""

    gateway: str
    epoch: str
    run: Run
    missing: tuple[tuple[int, int], ...]
    through: int | None

    @property
    def has_moved(self) -> bool:
        return self.run.seen.through() != self.through

    def gap_changes(self) -> Iterator[GapChange]:
        seen = self.run.seen
        before, after = set(self.missing), {*seen.left, *seen.missing()}
        for gap in sorted(before - after):
            yield GapChange(self.gateway, self.epoch, *gap, -1)
        for gap in sorted(after - before):
            yield GapChange(self.gateway, self.epoch, *gap, 1)


class WrittenRun(msgspec.Struct, array_like=True, frozen=True):
    """A run as it is written; an older program wrote no more than three fields."""

    epoch: str
    starts: list[int]
    ends: list[int]
    known_from: int = -1
    newest_us: int = UNKNOWN_TIME


class WrittenGateway(msgspec.Struct, array_like=True, frozen=True):
    """A gateway as it is written; of two runs of one epoch the earlier comes first."""

    name: str
    runs: list[WrittenRun]
    forgotten: list[int] = []


def _newest_us(decoded: Decoded) -> int:
    """Give the newest time of a message, NO_TIME if it has none."""
    if decoded.columns is not None:
        return int(decoded.columns.times.max())
    times = (one.time_us for one in decoded.readings if one.time_us is not None)
    return max(times, default=NO_TIME)


def _oldest_us(decoded: Decoded) -> int:
    """Give the oldest time of a message, NO_TIME if any reading has none."""
    if decoded.columns is not None:
        return int(decoded.columns.times.min())
    times = (NO_TIME if one.time_us is None else one.time_us for one in decoded.readings)
    return min(times, default=NO_TIME)
