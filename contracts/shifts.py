"""The spells of a shift calendar: what analytics lays out and the store sums readings by."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa

from contracts.batches import TIME

# work is planned busy time; the rest of a shift is a break or maintenance; between shifts it is off
SpellKind = Literal["work", "break", "maintenance", "off"]

_FIELDS: list[pa.Field[Any]] = [
    pa.field("site", pa.string()),  # null: of tags that name no site
    pa.field("day", pa.date32(), nullable=False),  # on which its shift begins
    pa.field("shift", pa.string()),  # null: between shifts
    pa.field("kind", pa.string(), nullable=False),  # SpellKind
    pa.field("begins", TIME, nullable=False),
    pa.field("ends", TIME, nullable=False),  # no longer part of it
]

# The spells of a site follow one another without a gap.
SPELLS_SCHEMA = pa.schema(_FIELDS)
