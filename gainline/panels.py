"""Answers `panel`: the panel of lines and periods that a store's readings make."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from contracts.errors import DataError
from contracts.outcome import LeftOut
from gainline import valuation
from gainline.config import Settings
from gainline.notes_in_force import notes_in_force, places_of_lines
from gainline.report_notes import applied
from gainline.store_place import store_folder
from gainline.tables import refuse_target, write_table
from store.periods import Every, periods
from store.query import connect


def write_panel(
    settings: Settings, out: Path, upgrades_out: Path | None, *, every: Every, in_json: bool
) -> None:
    """Write the panel, and its upgrades where a file is named for them; list what is left out.

    Upgrades and prices that notes tell of come before the configuration's, as in a report. Raises
    DataError where no period is left.
    """
    for target in filter(None, (out, upgrades_out)):
        refuse_target(target)
    now = datetime.now(UTC)
    with connect(store_folder(settings)) as lake:
        notes = notes_in_force(lake)
        if notes:
            time = datetime.min.replace(tzinfo=UTC), now
            settings = applied(settings, notes, places_of_lines(lake), time).settings
        table = periods(lake, every=every, until=now)
    if not table.num_rows:
        raise DataError("no line has a reading: check the places of the tags and the readings")
    built = valuation.built_panel(settings, table)
    panel = built.panel.table.append_column("coverage", built.coverage["coverage"])
    write_table(panel, out)
    if upgrades_out is not None:
        write_table(valuation.upgrades(settings).table, upgrades_out)
    _show(panel, built.left_out, out, in_json=in_json)


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
