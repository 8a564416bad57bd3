"""What a report has estimated of the upgrades, as rows of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from store import tables

if TYPE_CHECKING:
    from datetime import date, datetime

    from contracts.outcome import Gain, Interval
    from contracts.panel import Upgrades


def estimates_of(
    gain: Gain, upgrades: Upgrades, *, schedule: str, until: datetime, made_at: datetime
) -> pa.Table:
    """Give the rows of one report: the programme's, those of its lines, that of a next line."""
    found: list[tuple[str, str | None, Interval, Interval]] = []
    found.append(("programme", None, gain.alpha, gain.beta))
    found += [("line", each.line, each.alpha, each.beta) for each in gain.lines]
    found.append(("next_line", None, *gain.next_line))
    days: dict[str, date] = dict(
        zip(*(upgrades.table[name].to_pylist() for name in ("line", "upgraded_on")), strict=True)
    )
    same = {
        "schedule": schedule,
        "until": until,
        "made_at": made_at,
        "level": gain.level,
        "verdict": gain.verdict,
        "warnings": "\n".join(" ".join(each.split()) for each in gain.warnings) or None,
    }
    rows = [
        {
            **same,
            **_bounds("alpha", alpha),
            **_bounds("beta", beta),
            "scope": scope,
            "line": line,
            "upgraded_on": days.get(line) if line else None,
        }
        for scope, line, alpha, beta in found
    ]
    return pa.Table.from_pylist(rows, schema=tables.GAIN_ESTIMATES.columns)


def _bounds(name: str, interval: Interval) -> dict[str, float]:
    return {
        name: interval.estimate,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }
