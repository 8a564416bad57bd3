"""Leaves out what people know to be no routine: a line's periods during an event."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from analytics.gain import rows
from analytics.gain.design import listed
from contracts.errors import DataError
from contracts.panel import Events, Panel


def without(panel: Panel, events: Events) -> tuple[Panel, list[str]]:
    """Leave out each line's periods that an event reaches into; say which, and why.

    A period is named by its first day and lasts until the next one. Raise DataError for a line that
    is not in the panel, for an event that ends before it begins and where no row is left.
    """
    names = np.asarray(panel.table["line"].cast(pa.string()).to_pylist(), dtype=object)
    day = rows.days(panel.table, "period")
    length = _length(np.unique(day))
    begins, ends = (rows.days(events.table, name) for name in ("begins", "ends"))
    is_out = np.zeros(len(day), dtype=bool)
    words = []
    reasons = events.table["reason"].cast(pa.string()).to_pylist()
    for n, line in enumerate(events.table["line"].cast(pa.string()).to_pylist()):
        if ends[n] < begins[n]:
            raise DataError(f"the event of {line!r} ends on {ends[n]}, before it begins: swap them")
        if not (names == line).any():
            raise DataError(f"the line {line!r} of an event is not in the panel: correct its name")
        hit = (names == line) & (day <= ends[n]) & (day + length > begins[n])
        why = f" ({reasons[n]})" if reasons[n] else ""
        words.append(f"{line} {begins[n]} to {ends[n]}{why}, {int(hit.sum())} periods")
        is_out |= hit
    if len(is_out) and is_out.all():
        raise DataError("the events leave no row of the panel: name shorter ones")
    kept = Panel(panel.table.filter(pa.array(~is_out)))
    return kept, [f"left out for an event: {listed(words)}"] if words else []


def _length(periods: rows.Days) -> np.timedelta64:
    """Give how long a period lasts: the usual distance from one to the next."""
    if len(periods) < 2:
        return np.timedelta64(1, "D")
    return np.timedelta64(int(np.median(np.diff(periods).astype(int))), "D")
