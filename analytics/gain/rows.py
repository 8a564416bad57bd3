"""The rows of a panel and of its upgrades, read and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from contracts.errors import DataError
from contracts.panel import SITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from contracts.panel import Panel, Upgrades

COVARIATES_MAX = 50  # each is a matrix of lines by periods, several times over
OUTCOMES = ("output", "unit_cost")

Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]


@dataclass(frozen=True)
class Cells:
    """The m usable rows of a panel, ordered by line and period."""

    lines: tuple[str, ...]  # in order of their names
    periods: Days  # ascending
    line: npt.NDArray[np.int64]  # (m,) place in `lines`
    period: npt.NDArray[np.int64]  # (m,) place in `periods`
    outcomes: Floats  # (2, m) output, unit cost; all > 0
    covariates: list[Floats]  # each (m,), finite
    site: npt.NDArray[np.int64]  # (lines,) which site each stands on; its own without sites


def cells_of(panel: Panel) -> tuple[Cells, list[str]]:
    """Read a panel; return its cells with warnings in plain words.

    Raise DataError, naming the row, for an output or cost that is not above 0, for an unnamed
    line or period, and for two rows of one line and period.
    """
    table = panel.table
    if not table.num_rows:
        raise DataError("the panel has no rows: give one row per line and period")
    lines, line = _coded(table, "line")
    periods, period = np.unique(days(table, "period"), return_inverse=True)

    def where(row: int) -> str:
        return (
            f"row {row + 1} of the panel (line {lines[line[row]]}, period {periods[period[row]]})"
        )

    outcomes = np.stack([_numbers(table, name) for name in OUTCOMES])
    _require_positive(outcomes, where)
    _require_unique(line * len(periods) + period, where)
    covariates, notes = _covariates(panel)
    usable = np.ones(table.num_rows, dtype=bool)
    for column in covariates:
        usable &= np.isfinite(column)
    if not usable.all():
        lost = int((~usable).sum())
        notes.append(f"{lost} of {len(usable)} rows are left out: a covariate is missing")
    if not usable.any():
        raise DataError("every row of the panel lacks a covariate: fill or remove these columns")
    order = np.flatnonzero(usable)[np.lexsort((period[usable], line[usable]))]
    cells = Cells(
        lines=lines,
        periods=periods,
        line=line[order],
        period=period[order],
        outcomes=outcomes[:, order],
        covariates=[column[order] for column in covariates],
        site=_sites(table, lines, line),
    )
    return cells, notes


def upgrade_dates(upgrades: Upgrades, known: tuple[str, ...]) -> dict[int, np.datetime64]:
    """Map the place of each upgraded line in `known` to its date; raise DataError on nonsense."""
    table = upgrades.table
    if not table.num_rows:
        raise DataError("no line was upgraded: name at least one in the upgrades")
    place = {name: n for n, name in enumerate(known)}
    dates: dict[int, np.datetime64] = {}
    lines, line = _coded(table, "line")
    for code, day in zip(line, days(table, "upgraded_on"), strict=True):
        name = lines[code]
        if name not in place:
            raise DataError(f"the upgraded line {name!r} is not in the panel: correct its name")
        if place[name] in dates:
            raise DataError(f"the line {name!r} is listed twice among the upgrades: keep one date")
        dates[place[name]] = day
    return dates


def _coded(table: pa.Table, name: str) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the distinct names in order, and each row's place among them."""
    column = table.column(name)
    _require_no_null(column, name)
    encoded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    words = [str(word) for word in encoded.dictionary.to_pylist()]
    for empty in (code for code, word in enumerate(words) if not word.strip()):
        row = pc.index(encoded.indices, value=pa.scalar(empty, encoded.indices.type)).as_py()
        raise DataError(_nameless(row, name))
    order = sorted(range(len(words)), key=lambda n: words[n])
    rank = np.empty(len(words), np.int64)
    rank[order] = np.arange(len(words))
    return tuple(words[n] for n in order), rank[encoded.indices.to_numpy(zero_copy_only=False)]


def days(table: pa.Table, name: str) -> Days:
    """Read a column of dates; raise DataError where there are none."""
    column = table.column(name)
    _require_no_null(column, name)
    try:
        dates = column.cast(pa.date32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"the column {name!r} is {column.type}, not a date: write dates as 2024-01-31"
        ) from None
    return np.asarray(dates.combine_chunks().to_numpy(zero_copy_only=False), "datetime64[D]")


def _sites(
    table: pa.Table, lines: tuple[str, ...], line: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Give the number of each line's site; raise DataError for a line on two or on none.

    What moves the only site moves all its lines, and the periods take it up: it is no site then.
    """
    if SITE not in table.column_names:
        return np.arange(len(lines))
    names, code = _coded(table, SITE)
    site = np.zeros(len(lines), np.int64)
    site[line] = code
    moved = np.flatnonzero(site[line] != code)
    if len(moved):
        name = lines[line[moved[0]]]
        both = f"{names[code[moved[0]]]} and {names[site[line[moved[0]]]]}"
        raise DataError(f"the line {name!r} stands on two sites, {both}: give it two names")
    return site if len(names) > 1 else np.arange(len(lines))


def _numbers(table: pa.Table, name: str) -> Floats:
    """Read a numeric column; null becomes NaN."""
    column = table.column(name)
    kind = column.type
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
    ):
        raise DataError(
            f"the column {name!r} is {kind}, not numeric: write its numbers like 1234.5"
            f"{'' if name in OUTCOMES else ', or remove it'}"
        )
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    values: Any = column.cast(pa.float64()).combine_chunks()
    return np.array(pc.fill_null(values, float("nan")).to_numpy(zero_copy_only=False), np.float64)


def _require_no_null(column: pa.ChunkedArray[Any], name: str) -> None:
    if column.null_count:
        row = pc.index(column.is_null().combine_chunks(), value=True).as_py()
        raise DataError(_nameless(row, name))


def _nameless(row: int, name: str) -> str:
    return f"row {row + 1} has no {name}: every row needs one"


def _require_positive(outcomes: Floats, where: Callable[[int], str]) -> None:
    for name, values in zip(OUTCOMES, outcomes, strict=True):
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            raise DataError(
                f"{where(wrong[0])} has the {name} {values[wrong[0]]:g}: it must be a number"
                " above 0; leave out a period without production"
            )


def _require_unique(key: npt.NDArray[np.int64], where: Callable[[int], str]) -> None:
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(np.diff(key[order]) == 0)
    if len(again):
        row = int(order[again[0] + 1])
        raise DataError(f"{where(row)} is there twice: keep one row per line and period")


def _covariates(panel: Panel) -> tuple[list[Floats], list[str]]:
    """Read the covariates; one that is mostly missing would cost more rows than it explains."""
    if len(panel.covariates) > COVARIATES_MAX:
        raise DataError(f"the panel has more than {COVARIATES_MAX} covariates: keep those that act")
    kept, notes = [], []
    for name in panel.covariates:
        values = _numbers(panel.table, name)
        values[~np.isfinite(values)] = np.nan
        if np.isnan(values).mean() > 0.5:
            notes.append(f"the covariate {name} is missing in most rows and left out")
            continue
        kept.append(values)
    return kept, notes
