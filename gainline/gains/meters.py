"""Answers `baseline`: what a meter that is in a file has saved."""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

import pyarrow as pa

from analytics import meter
from contracts.errors import DataError
from contracts.meter import METER_COLUMNS, Meter, Saving
from gainline.files.tables import read_table, refuse_twice


def show_saving(path: Path, periods: tuple[date, date], level: float, *, as_json: bool) -> None:
    """Print the saving; `periods` are the day the baseline ends and the one reporting begins."""
    until, since = periods
    table = _dated(_named(read_table(path, columns=METER_COLUMNS[:2])), path)
    found = meter.saving(Meter(table), since, baseline_until=until, level=level)
    if as_json:
        json.dump(meter.as_answer(found), sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
    else:
        sys.stdout.write(_in_words(found))


def _named(table: pa.Table) -> pa.Table:
    """Take `temperature_f`, `temperature_c` and the like for the temperature, if there is one."""
    named = [name for name in table.column_names if name.startswith("temperature")]
    if "temperature" in named or len(named) != 1:
        return table  # the type that takes it says what is missing
    return table.rename_columns({named[0]: "temperature"})


def _dated(table: pa.Table, path: Path) -> pa.Table:
    refuse_twice(table, path)
    try:
        days = table["date"].cast(pa.date32(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(f"{path}: the column 'date' holds no dates; write 2026-03-02") from None
    return table.set_column(table.column_names.index("date"), "date", days)


def _in_words(found: Saving) -> str:
    share, avoided, model = found.share, found.avoided, found.model
    level = f"{100 * found.level:g}%"
    terms = [f"{model.base:.4g} a day"]
    if model.heating_below is not None:
        terms.append(f"{model.heating:.4g} for each degree below {model.heating_below:.1f}")
    if model.cooling_above is not None:
        terms.append(f"{model.cooling:.4g} for each degree above {model.cooling_above:.1f}")
    lines = [
        f"saved     {share.estimate:.1%} [{share.low:.1%}, {share.high:.1%}] at {level}",
        f"avoided   {avoided.estimate:.5g} [{avoided.low:.5g}, {avoided.high:.5g}]",
        f"expected  {found.expected:.6g} over {found.reporting_days} days, used {found.used:.6g}",
        f"model     {' + '.join(terms)}; of {found.baseline_days} days",
        f"fit       CV(RMSE) {found.cv_rmse:.1%}, NMBE {found.nmbe:.2%}",
        f"noise     correlation with the day before {found.memory:.2f}:",
        f"          the baseline's days are worth {found.independent_days:.0f} independent ones",
        *(f"note: {words}" for words in found.warnings),
    ]
    return "\n".join(lines) + "\n"
