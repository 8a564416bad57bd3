"""Sorts sixteen numbers without a branch, by a network of comparisons.

K. E. Batcher, Sorting networks and their applications, AFIPS Spring Joint Computer Conf. (1968):
the even and the odd places of two sorted rows are merged each for themselves, and what is then
still out of order are neighbours. Of noise every second comparison is guessed wrongly by a
processor, which costs more than all the 63 that are made here.
"""

from __future__ import annotations

from typing import Final

from clean.compiled import rule
from clean.window import Floats

LANES: Final = 16  # a window has 15

Two = tuple[float, float]
Four = tuple[float, float, float, float]
Eight = tuple[float, float, float, float, float, float, float, float]


@rule
def sort_sixteen(raw: Floats, line: Floats) -> None:
    """Write the first LANES numbers of `raw`, none of them NaN, into `line` in order.

    >>> import numpy as np
    >>> line = np.zeros(LANES)
    >>> sort_sixteen(np.arange(LANES)[::-1] % 4.0, line)
    >>> line.astype(int).tolist()
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    """
    one = merged_fours(
        sorted_four(raw[0], raw[1], raw[2], raw[3]), sorted_four(raw[4], raw[5], raw[6], raw[7])
    )
    other = merged_fours(
        sorted_four(raw[8], raw[9], raw[10], raw[11]),
        sorted_four(raw[12], raw[13], raw[14], raw[15]),
    )
    lower, upper = merged_eights(one, other)
    for k in range(LANES // 2):
        line[k], line[LANES // 2 + k] = lower[k], upper[k]


@rule
def sorted_two(one: float, other: float) -> Two:
    """Put two numbers in order; neither is NaN."""
    return min(one, other), max(one, other)


@rule
def sorted_four(a: float, b: float, c: float, d: float) -> Four:
    """Put four numbers in order.

    >>> sorted_four(3.0, 1.0, 2.0, 0.0)
    (0.0, 1.0, 2.0, 3.0)
    """
    return merged_twos(sorted_two(a, b), sorted_two(c, d))


@rule
def merged_twos(one: Two, other: Two) -> Four:
    """Merge two rows that are in order."""
    even, odd = sorted_two(one[0], other[0]), sorted_two(one[1], other[1])
    low, high = sorted_two(even[1], odd[0])
    return even[0], low, high, odd[1]


@rule
def merged_fours(one: Four, other: Four) -> Eight:
    """Merge two rows that are in order.

    >>> merged_fours((1.0, 2.0, 5.0, 6.0), (0.0, 3.0, 4.0, 7.0))
    (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    """
    even = merged_twos((one[0], one[2]), (other[0], other[2]))
    odd = merged_twos((one[1], one[3]), (other[1], other[3]))
    first, second = sorted_two(even[1], odd[0]), sorted_two(even[2], odd[1])
    third = sorted_two(even[3], odd[2])
    return even[0], *first, *second, *third, odd[3]


@rule
def merged_eights(one: Eight, other: Eight) -> tuple[Eight, Eight]:
    """Merge two rows that are in order into a lower and an upper half."""
    even = merged_fours((one[0], one[2], one[4], one[6]), (other[0], other[2], other[4], other[6]))
    odd = merged_fours((one[1], one[3], one[5], one[7]), (other[1], other[3], other[5], other[7]))
    first, second = sorted_two(even[1], odd[0]), sorted_two(even[2], odd[1])
    third, fourth = sorted_two(even[3], odd[2]), sorted_two(even[4], odd[3])
    fifth, sixth = sorted_two(even[5], odd[4]), sorted_two(even[6], odd[5])
    seventh = sorted_two(even[7], odd[6])
    lower = even[0], *first, *second, *third, fourth[0]
    return lower, (fourth[1], *fifth, *sixth, *seventh, odd[7])
