"""Answers a panel as `gainline gain --json` does, in the process of a benchmark."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa

from analytics import gain
from contracts.panel import Panel, Upgrades


def answer(panel: pd.DataFrame, upgrades: pd.DataFrame, **options: float) -> dict[str, Any]:
    """Fit two data frames; `options` are those of analytics.gain.fit."""
    tables = [pa.Table.from_pandas(frame, preserve_index=False) for frame in (panel, upgrades)]
    return gain.as_answer(gain.fit(Panel(tables[0]), Upgrades(tables[1]), **options))  # type: ignore[arg-type]


def mixture(panel: pd.DataFrame, upgrades: pd.DataFrame, **options: float) -> dict[str, Any]:
    """The same with the method for one upgraded line."""
    tables = [pa.Table.from_pandas(frame, preserve_index=False) for frame in (panel, upgrades)]
    found = gain.fit_one(Panel(tables[0]), Upgrades(tables[1]), **options)  # type: ignore[arg-type]
    return gain.as_answer(found)
