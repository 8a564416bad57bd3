"""What a block of a waveform tells: five features, each a number a block.

Raw vibration is not judged reading by reading, as its extremes carry the diagnosis; these do not
lose them. All are of the deviation from the block's mean: what a sensor shows at rest says nothing
of the machine. Where the formulas come from: R. B. Randall, J. Antoni, Rolling element bearing
diagnostics - a tutorial, Mechanical Systems and Signal Processing 25 (2011) 485-520; the analytic
signal by S. L. Marple, Computing the discrete-time analytic signal via FFT, IEEE Transactions on
Signal Processing 47 (1999) 2600-2603.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# The kurtosis of n Gaussian values scatters by sqrt(24 / n): with so many by 0.3, a tenth of its
# value. With fewer it does not tell a sound bearing from a damaged one.
READINGS_MIN: Final = 256


class Features(NamedTuple):
    """The features of a block; NaN where it has none. Their names are those of their tags."""

    rms: float  # in the unit of the waveform
    peak: float  # the same
    crest: float  # without a unit
    kurtosis: float  # the same
    envelope: float  # in the unit of the waveform


IN_UNIT: Final = ("rms", "peak", "envelope")


def features_of(values: Floats) -> Features:
    """Give the features of finite values in order of time, evenly spaced.

    Where all are equal nothing moves: no crest factor, no kurtosis. NaN where doubles are too
    small for them.

    >>> from numpy import arange, pi, sin
    >>> [round(each, 3) for each in features_of(7.0 + 2.0 * sin(arange(1000) * pi / 50))]
    [1.414, 2.0, 1.414, 1.5, 0.0]
    >>> features_of(np.full(300, 0.1))
    Features(rms=0.0, peak=0.0, crest=nan, kurtosis=nan, envelope=0.0)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        moved = deviation(values)
        top = peak(moved)
        if not 0.0 < top < np.inf:
            return Features(top, top, np.nan, np.nan, top)
        scaled = moved / top  # so that no power is too large or too small
        level = rms(scaled)
        return Features(
            level * top, top, 1.0 / level, kurtosis(scaled, level), envelope_rms(scaled) * top
        )


def deviation(values: Floats) -> Floats:
    """Take off the mean; of equal values nothing is left, whatever rounding makes of their mean.

    >>> deviation(np.array([1.0, 2.0, 6.0])).tolist(), deviation(np.full(3, 0.1)).tolist()
    ([-2.0, -1.0, 3.0], [0.0, 0.0, 0.0])
    """
    if values.min() == values.max():
        return np.zeros(len(values))
    return np.asarray(values - values.mean())


def rms(moved: Floats) -> float:
    """Give the root of the mean square, sqrt(mean(x^2)); x has no mean.

    >>> rms(np.array([3.0, -3.0, 3.0, -3.0]))
    3.0
    """
    return float(np.sqrt(np.mean(moved * moved)))


def peak(moved: Floats) -> float:
    """Give the largest deviation, max |x|. The crest factor is peak / rms: sqrt 2 of a sine.

    >>> peak(np.array([1.0, -4.0, 3.0]))
    4.0
    """
    return float(np.abs(moved).max())


def kurtosis(moved: Floats, level: float) -> float:
    """Give Pearson's kurtosis, mean(x^4) / rms^4: 3 of Gaussian noise, 1.5 of a sine.

    >>> kurtosis(np.array([1.0, -1.0, 1.0, -1.0]), 1.0)
    1.0
    """
    square = (moved / level) ** 2
    return float(np.mean(square * square))


def envelope_rms(moved: Floats) -> float:
    """Give the root mean square by which the envelope |x + i H(x)| deviates from its own mean.

    Impacts that excite a resonance modulate it, which is what bearing faults do. With its mean the
    envelope would say nothing new: its mean square is twice that of x.

    >>> turns = 2.0 * np.pi * np.arange(4000) / 4000
    >>> round(envelope_rms((1.0 + 0.5 * np.cos(10 * turns)) * np.sin(400 * turns)), 4)
    0.3536
    """
    return rms(deviation(np.abs(analytic(moved))))


def analytic(moved: Floats) -> npt.NDArray[np.complex128]:
    """Give the analytic signal x + i H(x), H the Hilbert transform, of a block taken as a period.

    The spectrum without its negative frequencies and with the positive ones doubled (Marple).

    >>> abs(analytic(np.cos(np.arange(8) * np.pi / 4))).round(12).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    count = len(moved)
    weight = np.zeros(count)
    weight[0] = 1.0
    weight[1 : (count + 1) // 2] = 2.0
    if count % 2 == 0:
        weight[count // 2] = 1.0
    return np.asarray(np.fft.ifft(np.fft.fft(moved) * weight))
