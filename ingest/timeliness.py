"""Says beside a reading that its time is missing, or ahead of its arrival."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from contracts.quality import Quality, Reason
from ingest.readings import NO_TIME

if TYPE_CHECKING:
    from typing import Any

    import numpy.typing as npt

# Clocks that are kept by a network are right within a second, those that nobody keeps drift by
# minutes in a month: a time further ahead of its arrival is a clock that is set wrong.
AHEAD_US_MAX: Final = 600_000_000


def with_time_reasons(table: pa.Table) -> pa.Table:
    """Add the reason `time` to raw readings without a time, or with one more than 10 min ahead.

    One ahead is UNCERTAIN at best. One without a time keeps its quality: the time of arrival, which
    stands in for it, is as good as the wire is quick. Nothing else is changed.
    """
    times, received = _integers(table["source_time"]), _integers(table["received_time"])
    ahead = times > received + AHEAD_US_MAX
    doubtful = ahead if table["source_time"].null_count == 0 else ahead | (times == NO_TIME)
    if not doubtful.any():
        return table
    quality = table["source_quality"].to_numpy().copy()
    quality[ahead] = np.maximum(quality[ahead], int(Quality.UNCERTAIN))
    reasons = table["source_reasons"].to_numpy() | doubtful * np.int32(Reason.TIME)
    for name, column in (("source_quality", quality), ("source_reasons", reasons)):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(column))
    return table


def _integers(times: pa.ChunkedArray[Any]) -> npt.NDArray[np.int64]:
    """Give microseconds since 1970, NO_TIME for null."""
    counts: Any = times.cast(pa.int64())
    return np.asarray(counts.fill_null(NO_TIME).to_numpy(), np.int64)
