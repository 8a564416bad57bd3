"""May a value be used, and if not, why: the closed vocabulary of verdicts."""

from enum import IntEnum, IntFlag


class Quality(IntEnum):
    """May the value be used? (OPC UA part 4)."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Reason(IntFlag):
    """Why a quality is not GOOD. A reading may have several; stored as the sum of the bits.

    TIME and GAP may stand beside GOOD: a reading without a time is used, as of its arrival, and
    the first after a gap is no worse for it; it only says that what came before is missing.

    A bit never changes its meaning: the bits are in every segment of every lake.
    """

    MISSING = 1 << 0  # no value and no text
    TYPE = 1 << 1  # a value of another type than the tag's
    SENTINEL = 1 << 2  # a number that means "no value"
    RANGE = 1 << 3  # physically impossible
    SPIKE = 1 << 4  # far from its neighbours on both sides
    RATE = 1 << 5  # changes faster than it can
    FLATLINE = 1 << 6  # stuck at one value
    NOISE = 1 << 7  # rougher than the tag ever is
    DUPLICATE = 1 << 8  # the same tag and time again, the same value
    CONFLICT = 1 << 9  # the same tag and time again, another value
    LATE = 1 << 10  # came after its place in the order was judged
    FUTURE = 1 << 11  # stamped more than a day later than it was received
    GAP = 1 << 12  # the first after a pause of more than five usual intervals
    COUNTER = 1 << 13  # a counter that ran backwards
    STATE = 1 << 14  # an unknown or chattering state
    SOURCE = 1 << 15  # the source itself says it is not good
    TIME = 1 << 16  # the source's time is missing, unset, implausible or ambiguous
    NEIGHBOUR = 1 << 17  # contradicts a redundant sensor
    ATTENUATED = 1 << 18  # livelier than this the tag always is: it moves, but far too little
    INVENTORY = 1 << 19  # a count of things that is negative, or no whole number


def words_of(reasons: int) -> list[str]:
    """Name the reasons in a sum of bits, in the order of the bits.

    >>> words_of(Reason.SPIKE | Reason.SENTINEL)
    ['sentinel', 'spike']
    >>> words_of(0)
    []
    """
    return [str(reason.name).lower() for reason in Reason if reason & reasons]
