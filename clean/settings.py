"""What the judge may be told from outside."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the judge.

    `max_delay_s`: a reading gets its verdict at the latest so long after it was received, with
    the neighbours that have come by then. Longer waits give better verdicts on slow tags: the
    whole look-ahead of a tag that is read once a minute comes in a quarter of an hour.
    `block_s`: so long are the blocks of a waveform of which features are made. A second holds ten
    turns of a shaft at 600 rpm and many impacts of any bearing on it; and the fourteen blocks that
    a verdict waits for come within the usual `max_delay_s`.
    """

    max_delay_s: float
    block_s: float = 1.0
