"""Which counts of one start of a gateway have come, and which are missing."""

from __future__ import annotations

from bisect import bisect_right

from ingest.readings import NO_TIME

# of one epoch: one more for every outage in which a gateway lost messages. Redelivery reaches
# back over the newest only
RANGES_MAX = 128

# the newest time of an epoch of which older programs have remembered none: no time is later
UNKNOWN_TIME = 2**63 - 1


class Seen:
    """A set of counts as disjoint ranges, ascending, both ends included.

    Of counts below `known_from` nothing is known any more: `add` takes them for new. Nor are they
    `missing`; `left` are the gaps among them when they were forgotten.

    >>> seen = Seen()
    >>> [seen.add(count) for count in (1, 2, 4, 2, 3)], seen.starts, seen.ends
    ([True, True, True, False, True], [1], [4])
    >>> seen.missing(), seen.through()
    ([(0, 0)], None)
    """

    __slots__ = ("ends", "known_from", "left", "starts")

    def __init__(
        self,
        starts: list[int] | None = None,
        ends: list[int] | None = None,
        known_from: int = 0,
    ) -> None:
        self.starts = starts or []
        self.ends = ends or []
        self.known_from = known_from
        self.left: list[tuple[int, int]] = []

    def copy(self) -> Seen:
        """Copy it."""
        twin = Seen(self.starts.copy(), self.ends.copy(), self.known_from)
        twin.left = self.left.copy()
        return twin

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
                self._forget_lowest()
        return True

    def missing(self) -> list[tuple[int, int]]:
        """Give the ranges that have not come, below the highest count that has."""
        gaps, expected = [], self.known_from
        for start, end in zip(self.starts, self.ends, strict=True):
            if start > expected:
                gaps.append((expected, start - 1))
            expected = max(expected, end + 1)
        return gaps

    def through(self) -> int | None:
        """Give the highest count up to which all have come, from 0 on; None if 0 has not."""
        return self.ends[0] if self.starts and self.starts[0] == 0 else None

    def _forget_lowest(self) -> None:
        start, end = self.starts.pop(0), self.ends.pop(0)
        if start > self.known_from:
            self.left.append((self.known_from, start - 1))
        self.known_from = max(self.known_from, end + 1)


class Run:
    """The counts of one start of a gateway, and the newest source time that came with them.

    `earlier` is the run before it, if the gateway counted anew without a new epoch.
    """

    __slots__ = ("earlier", "newest_us", "seen")

    def __init__(self, seen: Seen, newest_us: int = NO_TIME, *, earlier: Run | None = None) -> None:
        self.seen = seen
        self.newest_us = newest_us
        self.earlier = earlier

    def copy(self) -> Run:
        """Copy it."""
        earlier = self.earlier.copy() if self.earlier else None
        return Run(self.seen.copy(), self.newest_us, earlier=earlier)

    def of_time(self, oldest_us: int) -> Run:
        """Give the run that a message of this time belongs to; NO_TIME: this one."""
        earlier = self.earlier
        if earlier is None or oldest_us == NO_TIME or oldest_us > earlier.newest_us:
            return self
        return earlier

    def is_restart(self, oldest_us: int) -> bool:
        """Tell whether a count that is in cannot be a redelivery, its times being all too new.

        A message that was here before has raised `newest_us` to its own newest time at least.
        """
        return oldest_us > self.newest_us
