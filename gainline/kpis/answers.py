"""Answers `kpi`: asks the store for the sums of shifts, and tells what they come to."""

from __future__ import annotations

import sys
from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from analytics.kpi import SECONDS_PER_HOUR, Elements, kpis, losses, total
from analytics.shifts import Spell, day_of, spell_table, spells
from contracts.errors import DataError
from gainline.config.store_place import store_folder
from gainline.kpis.notes import Said
from gainline.kpis.planning import Plan, plan_of, within
from gainline.output import as_json, as_text
from store.shifts.shift_sums import ShiftMetrics, Span, newest_sums, shift_sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from gainline.config.loading import Settings

By = Literal["shift", "day", "week", "all"]
Row = dict[str, Any]
_Key = tuple[str | None, str, date, str | None]

_KEYS = ("site", "line", "day", "shift")
# On a terminal: what fits on a line. All of it is in the JSON.
_SHOWN = (
    *_KEYS,
    *("availability", "effectiveness", "quality_ratio", "oee", "energy_per_good", "co2e_per_good"),
    *("coverage", "good_share"),
)
# Beside them where there are such: what KPIs are to be, which notes have changed a figure.
_SAID = ("targets", "overridden")


class When(NamedTuple):
    """From a moment on and before another; None: a month before the newest state, and now."""

    since: datetime | None = None
    until: datetime | None = None


_RECENTLY = When()
_NOTE_IDS = ("reason_note", "overridden")


class Asked(NamedTuple):
    """What a store has summed up of a time, and what notes say of it."""

    since: datetime | None
    until: datetime
    sums: pa.Table
    stops: pa.Table
    said: Said


def show_kpis(settings: Settings, by: By, line: str | None, when: When, *, in_json: bool) -> None:
    """Print the KPIs of each line and shift, day or week; of all lines, or of one."""
    rows = kpi_rows(settings, by, line, when)
    if in_json:
        _print(rows, list(rows[0]) if rows else [], as_json)
        return
    names = [*_SHOWN, *(name for name in _SAID if any(row[name] for row in rows))]
    _print([{name: _short(row[name]) for name in names} for row in rows], names, as_text)


def show_stops(settings: Settings, line: str | None, when: When, *, in_json: bool) -> None:
    """Print the stops of all lines, or of one, in order of time."""
    asked = _asked(settings, when)
    rows = rows_of_stops(asked, line)
    names = list(rows[0]) if rows else asked.stops.column_names
    if not in_json:  # people see ids of notes where there are such
        names = [n for n in names if n not in _NOTE_IDS or any(row[n] for row in rows)]
    _print(rows, names, as_json if in_json else as_text)


def kpi_rows(
    settings: Settings, by: By, line: str | None = None, when: When = _RECENTLY
) -> list[Row]:
    """Give a row for each line and shift, day or week, as docs/commands.md says.

    Raises DataError where no line, or not the one that is asked for, has a state.
    """
    return rows_of_kpis(_asked(settings, when), by, line)


def stop_rows(settings: Settings, line: str | None = None, when: When = _RECENTLY) -> list[Row]:
    """Give a row for each stop, with what people say of it. Raises as `kpi_rows`."""
    return rows_of_stops(_asked(settings, when), line)


def rows_of_kpis(asked: Asked, by: By, line: str | None = None) -> list[Row]:
    """Give the rows of `kpi_rows` of what was asked already. Raises as that."""
    sums = _of_line(asked.sums.to_pylist(), line)
    last = max(row["day"] for row in sums)
    groups: dict[_Key, list[Row]] = {}
    for row in sums:
        if by != "shift" or row["shift"] is not None:
            groups.setdefault(_key(row, by, last), []).append(row)
    return [_told(key, rows, asked.said) for key, rows in groups.items()]


def rows_of_stops(asked: Asked, line: str | None = None) -> list[Row]:
    """Give the rows of `stop_rows` of what was asked already. Raises as that.

    A line that never stood still has none.
    """
    _of_line(asked.sums.to_pylist(), line)
    rows = [row for row in asked.stops.to_pylist() if line in (None, row["line"])]
    for row in rows:
        row |= {"day": row["day"].isoformat(), **asked.said.of_stop(row)}
    return rows


def elements_told(row: Row) -> Elements:
    """Give the elements that the KPIs of a row are made of."""
    return Elements(**{field.name: row[field.name] for field in fields(Elements)})


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
        unplanned=section.unplanned,
        holds_s=section.state_holds_s,
        small_stop_s=section.small_stop_s,
        co2_kg_per_kwh=settings.prices.co2_kg_per_kwh,
        co2_tag=settings.prices.co2_tag,
    )


def worth_of_piece(settings: Settings) -> float | None:
    """Give price less variable cost of a good piece; None where one is not configured."""
    economics = settings.economics
    price, cost = economics.price_per_unit, economics.unit_cost
    return None if price is None or cost is None else price - cost


def asked_lately(settings: Settings, until: datetime, length: timedelta) -> tuple[Asked, ...]:
    """Ask for the newest time before a moment, and as much before it: see store.newest_sums."""
    folder = store_folder(settings)
    asking = _Asking(plan_of(settings, folder))
    found = newest_sums(folder, asking.metrics, asking.lay_out, until=until, length=length)
    return tuple(
        Asked(*one, Said(asking.plan, spells))
        for one, spells in zip(found, asking.laid_out, strict=True)
    )


def _asked(settings: Settings, when: When) -> Asked:
    folder = store_folder(settings)
    asking = _Asking(plan_of(settings, folder))
    until = when.until or datetime.now(UTC)
    tables = shift_sums(folder, asking.metrics, asking.lay_out, since=when.since, until=until)
    return Asked(when.since, until, *tables, Said(asking.plan, asking.laid_out[0]))


class _Asking:
    """Lays out spells by a plan, and remembers them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.metrics = replace(shift_metrics(plan.settings), apart=plan.apart)
        self.laid_out: list[pa.Table] = []

    def lay_out(self, spans: list[Span]) -> pa.Table:
        named = {
            name: _laid_out(span, self.plan, name)
            for span in spans
            for name in self.plan.names_of(span.site)
        }
        self.laid_out.append(spell_table(named))
        return self.laid_out[-1]


def _laid_out(span: Span, plan: Plan, name: str | None) -> Iterator[Spell]:
    """Lay out the days of a span by a calendar."""
    calendar = plan.calendar_named(name)
    days = spells(calendar, day_of(calendar, span.first), day_of(calendar, span.last))
    return within(days, span)


def _of_line(rows: list[Row], line: str | None) -> list[Row]:
    if not rows:
        raise DataError(
            "no line has a state in this time: check --from and --to, the metrics of [panel] and"
            " the readings"
        )
    found = [row for row in rows if line is None or row["line"] == line]
    if not found:
        names = sorted({row["line"] for row in rows})
        others = f" and {len(names) - 10} more" if len(names) > 10 else ""
        raise DataError(f"no line is called {line!r}; there are {', '.join(names[:10])}{others}")
    return found


def _key(row: Row, by: By, last: date) -> _Key:
    day: date = last if by == "all" else row["day"]
    if by == "week":
        day -= timedelta(days=day.weekday())
    return row["site"], row["line"], day, row["shift"] if by == "shift" else None


def _elements(row: Row, said: Said) -> Elements:
    priced = said.priced(row["site"], row["line"], row["day"])
    rate = _rate(priced.settings, row["line"])
    sums = {name: value for name, value in row.items() if name not in _KEYS}
    produced = row["good"] + row["scrap"] + row["rework"]
    # what was summed up by the factor of the configuration
    more = priced.settings.prices.co2_kg_per_kwh - said.configured.prices.co2_kg_per_kwh
    sums["co2e_kg"] += more * (row["energy_kwh"] - row["hourly_factor_kwh"])
    return Elements(**sums, ideal_s=None if rate is None else produced * SECONDS_PER_HOUR / rate)


def _rate(settings: Settings, line: str) -> float | None:
    """Give the pieces an hour that a line is planned to make."""
    return settings.kpi.units_per_hour_of.get(line, settings.kpi.units_per_hour)


def _told(key: _Key, rows: list[Row], said: Said) -> Row:
    site, line, day, shift = key
    elements = total(_elements(row, said) for row in rows)
    settings = said.priced(site, line, day).settings
    shifts = [(site, row["day"], row["shift"]) for row in rows]
    worth, rate = worth_of_piece(settings), _rate(settings, line)
    return {
        **dict(zip(_KEYS, (site, line, day.isoformat(), shift), strict=True)),
        **asdict(kpis(elements)),
        **asdict(elements),
        "co2_source": settings.prices.co2_source,
        "currency": settings.prices.currency,
        "losses": [
            {"name": loss.name, "minutes": loss.minutes, "money": loss.money}
            for loss in losses(elements, worth_of_piece=worth, units_per_hour=rate)
        ],
        "targets": said.targets(site, line, day),
        "overridden": said.changes(line, shifts),
    }


def _short(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:g}" for name, number in value.items())
    return f"{value:.4f}" if isinstance(value, float) else value


def _print(
    rows: list[Row],
    names: list[str],
    write: Callable[[Sequence[str], Sequence[tuple[Any, ...]]], str],
) -> None:
    sys.stdout.write(write(names, [tuple(row[name] for name in names) for row in rows]))
