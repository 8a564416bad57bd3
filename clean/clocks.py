"""By which of its times a reading goes: that of its source, or that of its arrival."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clean.arrow import integers

# A device's clock may be set to the wrong zone, which is at most 14 hours. A time further ahead
# than a day is no time: taken for true, it would make all that follows late.
FUTURE_US: Final = 86_400_000_000
# Where its clock is further ahead than a free-running one loses in a month, the order goes by the
# time of arrival: by its own time all that follows would be late until that time has come.
AHEAD_US: Final = 600_000_000


def is_untimed(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which readings have no source time that they can go by."""
    return np.asarray(table["source_time"].is_null().to_numpy() | (ahead_us(table) > AHEAD_US))


def order_times(table: pa.Table, untimed: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Give the times that the order of readings goes by, us; see `is_untimed`."""
    received, source = integers(table["received_time"]), integers(table["source_time"])
    return np.asarray(np.where(untimed, received, source))


def is_future(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell which source times are further ahead than any wrong zone."""
    return np.asarray(ahead_us(table) > FUTURE_US)


def ahead_us(table: pa.Table) -> npt.NDArray[np.int64]:
    """Give how far the source times are ahead of the arrival, us."""
    return np.asarray(integers(table["source_time"]) - integers(table["received_time"]))
