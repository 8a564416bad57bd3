"""How a moment stands in every table: in UTC, to the microsecond."""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
