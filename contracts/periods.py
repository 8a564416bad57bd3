"""What each metric of a line did in each period: what the store sums up for analytics."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_FIELDS: list[pa.Field[Any]] = [
    pa.field("line", pa.string()),
    pa.field("period", pa.date32()),  # its first day, in UTC
    pa.field("metric", pa.string()),
    pa.field("increase", pa.float64()),  # of a counter
    pa.field("mean", pa.float64()),  # of a gauge
    pa.field("active_share", pa.float64()),  # share of readings that are not 0
    pa.field("count", pa.int64()),  # trusted readings
    pa.field("good_count", pa.int64()),  # GOOD ones among them
]

# The columns that a table of periods has at least.
PERIODS_SCHEMA = pa.schema(_FIELDS)
