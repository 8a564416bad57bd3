"""Answers `panel`: the panel of lines and periods that a store's readings make."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from contracts.errors import DataError
from contracts.outcome import LeftOut
from gainline.config import valuation
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.files.tables import refuse_target, write_table
from gainline.notes.in_force import notes_in_force, places_of_lines
from gainline.reports.notes import applied
from store.query import connect
from store.shifts.periods import Every, periods


@dataclass(frozen=True)
class Wish:
    """What is to be written: the panel, the upgrades beside it, how long a period is."""

    out: Path
    upgrades: Path | None = None
    every: Every = "week"


def write_panel(settings: Settings, wish: Wish, *, in_json: bool) -> None:
    """Write the panel, and its upgrades where a file is named for them; list what is left out.

    Upgrades and prices that notes tell of come before the configuration's, as in a report. Raises
    DataError where no period is left.
    """
    for target in filter(None, (wish.out, wish.upgrades)):
        refuse_target(target)
    now = datetime.now(UTC)
    with connect(store_folder(settings)) as lake:
        notes = notes_in_force(lake)
        if notes:
            time = datetime.min.replace(tzinfo=UTC), now
            settings = applied(settings, notes, places_of_lines(lake), time).settings
        table = periods(lake, every=wish.every, until=now)
    if not table.num_rows:
        raise DataError("no line has a reading: check the places of the tags and the readings")
    built = valuation.built_panel(settings, table)
    panel = built.panel.table.append_column("coverage", built.coverage["coverage"])
    write_table(panel, wish.out)
    if wish.upgrades is not None:
        write_table(valuation.upgrades(settings).table, wish.upgrades)
    _show(panel, built.left_out, wish.out, in_json=in_json)


def _show(panel: pa.Table, left_out: tuple[LeftOut, ...], out: Path, *, in_json: bool) -> None:
    if in_json:
        rows = [
            {
                "line": one.line,
                "period": one.period.isoformat(),
                "reason": one.reason,
                "detail": one.detail,
            }
            for one in left_out
        ]
        json.dump({"rows": panel.num_rows, "left_out": rows}, sys.stdout)
        sys.stdout.write("\n")
        return
    for one in left_out:
        sys.stdout.write(f"left out: {one.line} {one.period} {one.reason} {one.detail}".rstrip())
        sys.stdout.write("\n")
    sys.stdout.write(f"{out}: {panel.num_rows} periods of lines, {len(left_out)} left out\n")
