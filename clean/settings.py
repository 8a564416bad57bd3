"""What the judge may be told from outside."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the judge.

    `max_delay_s`: a reading gets its verdict at the latest so long after it was received, with
    the neighbours that have come by then. Longer waits give better verdicts on slow tags: the
    whole look-ahead of a tag that is read once a minute comes in a quarter of an hour.
    """

    max_delay_s: float
