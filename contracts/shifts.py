"""The spells of a shift calendar: what analytics lays out and the store sums readings by."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa

from contracts.moments import TIME

# work is planned busy time; the rest of a shift is a break or maintenance; between shifts it is off
SpellKind = Literal["work", "break", "maintenance", "off"]

_FIELDS: list[pa.Field[Any]] = [
    # null: of tags that name no site; or the name of a calendar that some of its machines go by
    pa.field("site", pa.string()),
    pa.field("day", pa.date32(), nullable=False),  # on which its shift begins
    pa.field("shift", pa.string()),  # null: between shifts
    pa.field("kind", pa.string(), nullable=False),  # SpellKind
    pa.field("begins", TIME, nullable=False),
    pa.field("ends", TIME, nullable=False),  # no longer part of it
]

# The spells of a site follow one another without a gap.
SPELLS_SCHEMA = pa.schema(_FIELDS)

_SUMS: list[pa.Field[Any]] = [
    pa.field("site", pa.string()),
    pa.field("line", pa.string()),
    pa.field("day", pa.date32()),
    pa.field("shift", pa.string()),  # null: between shifts
    pa.field("calendar_s", pa.float64()),
    pa.field("pbt_s", pa.float64()),
    pa.field("apt_s", pa.float64()),
    pa.field("setup_s", pa.float64()),
    pa.field("adot_s", pa.float64()),
    pa.field("delay_s", pa.float64()),
    pa.field("unknown_s", pa.float64()),
    pa.field("small_stop_s", pa.float64()),
    pa.field("failure_s", pa.float64()),
    pa.field("stop_count", pa.int64()),
    pa.field("small_stop_count", pa.int64()),
    pa.field("failure_count", pa.int64()),
    pa.field("good", pa.float64()),
    pa.field("scrap", pa.float64()),
    pa.field("rework", pa.float64()),
    pa.field("startup_scrap", pa.float64()),
    pa.field("unplanned_good", pa.float64()),
    pa.field("energy_kwh", pa.float64()),
    pa.field("idle_kwh", pa.float64()),
    pa.field("co2e_kg", pa.float64()),
    pa.field("hourly_factor_kwh", pa.float64()),  # energy of hours with a factor of their own
    pa.field("reading_count", pa.int64()),
    pa.field("good_reading_count", pa.int64()),
]

# What a line did in a shift, or between two: the sums that analytics.kpi.Elements explains.
SHIFT_SUMS_SCHEMA = pa.schema(_SUMS)

_STOPS: list[pa.Field[Any]] = [
    pa.field("site", pa.string()),
    pa.field("line", pa.string()),
    pa.field("machine", pa.string()),
    pa.field("day", pa.date32()),
    pa.field("shift", pa.string()),
    pa.field("begins", TIME),
    pa.field("ends", TIME),
    pa.field("seconds", pa.float64()),  # of planned time: a break in it is left out
    pa.field("kind", pa.string()),  # down, or delay
    pa.field("state", pa.float64()),  # that it began with
    pa.field("is_small", pa.bool_()),
    pa.field("is_continued", pa.bool_()),  # of the shift before: the same stop, counted there
]

# One stop in the planned time of one shift.
STOPS_SCHEMA = pa.schema(_STOPS)
