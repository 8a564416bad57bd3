"""Answers `kpi`: asks the store for the sums of shifts, and tells what they come to."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from analytics.kpi import SECONDS_PER_HOUR, Elements, kpis, losses, total
from analytics.shifts import Spell, day_of, spell_table, spells
from contracts.errors import DataError
from gainline.calendars import calendar_of
from gainline.output import as_json, as_text
from gainline.store_place import store_folder
from store.shift_sums import ShiftMetrics, Span, shift_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

    from gainline.config import Settings

By = Literal["shift", "day", "week"]
Row = dict[str, Any]

_KEYS = ("site", "line", "day", "shift")
# On a terminal: what fits on a line. All of it is in the JSON.
_SHOWN = (
    *_KEYS,
    *("availability", "effectiveness", "quality_ratio", "oee", "energy_per_good", "co2e_per_good"),
    *("coverage", "good_share"),
)


class When(NamedTuple):
    """From a moment on and before another; None: a month before the newest state, and now."""

    since: datetime | None = None
    until: datetime | None = None


_RECENTLY = When()


def show_kpis(settings: Settings, by: By, line: str | None, when: When, *, in_json: bool) -> None:
    """Print the KPIs of each line and shift, day or week; of all lines, or of one."""
    rows = kpi_rows(settings, by, line, when)
    if in_json:
        _print(rows, list(rows[0]) if rows else [], as_json)
        return
    shown = [{name: _short(row[name]) for name in _SHOWN} for row in rows]
    _print(shown, list(_SHOWN), as_text)


def show_stops(settings: Settings, line: str | None, when: When, *, in_json: bool) -> None:
    """Print the stops of all lines, or of one, in order of time."""
    _, stops = _asked(settings, when)
    rows = _of_line(stops.to_pylist(), line)
    for row in rows:
        row["day"] = row["day"].isoformat()
    _print(rows, stops.column_names, as_json if in_json else as_text)


def kpi_rows(
    settings: Settings, by: By, line: str | None = None, when: When = _RECENTLY
) -> list[Row]:
    """Give a row for each line and shift, day or week, as docs/commands.md says.

    Raises DataError where no line, or not the one that is asked for, has a state.
    """
    sums, _ = _asked(settings, when)
    groups: dict[tuple[Any, ...], list[Elements]] = {}
    for row in _of_line(sums.to_pylist(), line):
        key = _key(row, by)
        if by != "shift" or row["shift"] is not None:
            groups.setdefault(key, []).append(_elements(row, settings))
    return [_told(key, total(each), settings) for key, each in groups.items()]


def shift_metrics(settings: Settings) -> ShiftMetrics:
    """Say which metric of a line is what, and which of its states mean what."""
    section, panel = settings.kpi, settings.panel
    return ShiftMetrics(
        state=panel.state,
        good=panel.good_count,
        energy=panel.energy_kwh,
        scrap=section.scrap_count,
        rework=section.rework_count,
        running=section.running,
        setup=section.setup,
        down=section.down,
        holds_s=section.state_holds_s,
        small_stop_s=section.small_stop_s,
        co2_kg_per_kwh=settings.prices.co2_kg_per_kwh,
        co2_tag=settings.prices.co2_tag,
    )


def within(laid_out: Iterable[Spell], span: Span) -> Iterator[Spell]:
    """Cut spells to a span: of what was not measured nothing is said."""
    for one in laid_out:
        begins, ends = max(one.begins, span.first), min(one.ends, span.last)
        if begins < ends:
            yield Spell(one.day, one.shift, one.kind, begins, ends)


def worth_of_piece(settings: Settings) -> float | None:
    """Give price less variable cost of a good piece; None where the cost is not configured."""
    economics = settings.economics
    return None if economics.unit_cost is None else economics.price_per_unit - economics.unit_cost


def _asked(settings: Settings, when: When) -> tuple[pa.Table, pa.Table]:
    def lay_out(spans: list[Span]) -> pa.Table:
        return spell_table({span.site: _laid_out(span, settings) for span in spans})

    until = when.until or datetime.now(UTC)
    metrics = shift_metrics(settings)
    return shift_sums(store_folder(settings), metrics, lay_out, since=when.since, until=until)


def _laid_out(span: Span, settings: Settings) -> Iterator[Spell]:
    calendar = calendar_of(settings, span.site)
    days = spells(calendar, day_of(calendar, span.first), day_of(calendar, span.last))
    return within(days, span)


def _of_line(rows: list[Row], line: str | None) -> list[Row]:
    if not rows:
        raise DataError("no line has a state: check the metrics of [panel] and the readings")
    found = [row for row in rows if line is None or row["line"] == line]
    if not found:
        names = sorted({row["line"] for row in rows})
        raise DataError(f"no line is called {line!r}; there are {', '.join(names[:10])}")
    return found


def _key(row: Row, by: By) -> tuple[str | None, str, date, str | None]:
    day: date = row["day"]
    if by == "week":
        day -= timedelta(days=day.weekday())
    return row["site"], row["line"], day, row["shift"] if by == "shift" else None


def _elements(row: Row, settings: Settings) -> Elements:
    section = settings.kpi
    rate = section.units_per_hour_of.get(row["line"], section.units_per_hour)
    sums = {name: value for name, value in row.items() if name not in _KEYS}
    produced = row["good"] + row["scrap"] + row["rework"]
    return Elements(**sums, ideal_s=None if rate is None else produced * SECONDS_PER_HOUR / rate)


def _told(key: tuple[Any, ...], elements: Elements, settings: Settings) -> Row:
    site, line, day, shift = key
    return {
        **dict(zip(_KEYS, (site, line, day.isoformat(), shift), strict=True)),
        **asdict(kpis(elements)),
        **asdict(elements),
        "co2_source": settings.prices.co2_source,
        "currency": settings.prices.currency,
        "losses": [
            {"name": loss.name, "minutes": loss.minutes, "money": loss.money}
            for loss in losses(elements, worth_of_piece=worth_of_piece(settings))
        ],
    }


def _short(value: object) -> object:
    return f"{value:.4f}" if isinstance(value, float) else value


def _print(
    rows: list[Row],
    names: list[str],
    write: Callable[[Sequence[str], Sequence[tuple[Any, ...]]], str],
) -> None:
    sys.stdout.write(write(names, [tuple(row[name] for name in names) for row in rows]))
