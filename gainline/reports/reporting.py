"""Makes the report of a store: asks the lake, fits the gain, works out the profit, writes HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import structlog

from analytics import gain, profit
from analytics.profit import Economics
from analytics.profit.sensitivity import sensitivities
from analytics.profit.targets import needed
from analytics.report import render
from contracts.batches import LedgerEntry
from contracts.closer import CloserLook
from contracts.decision import Prospect
from contracts.errors import ConfigError, DataError
from contracts.panel import Panel, Upgrades
from contracts.report import QualityRow, Report, Series, Truth
from gainline.config import valuation
from gainline.config.loading import Settings
from gainline.config.store_place import store_folder
from gainline.files.outfile import whole_file
from gainline.notes.in_force import NOTES_SQL, notes_in_force, places_of_lines
from gainline.reports.notes import applied
from gainline.reports.performance import commands, performance
from gainline.reports.schedule import due_slots
from store.commits.gain_estimates import estimates_of
from store.lake import Lake, ReportSlot
from store.query import Connection, answer, connect
from store.shifts.periods import periods_sql

SPAN_SQL = "SELECT min(source_time) AS first, max(source_time) AS last FROM clean.readings"
QUALITY_SQL = """
SELECT coalesce(t.line, r.tag) AS name, sum(r.readings)::BIGINT AS readings,
       sum(r.good)::BIGINT AS good
FROM (SELECT tag, count(*) AS readings, count(*) FILTER (quality = 0) AS good
      FROM clean.named WHERE source_time < {until} GROUP BY tag) AS r
LEFT JOIN tags AS t ON r.tag = t.tag
GROUP BY name ORDER BY name
""".strip()
REASONS_SQL = """
SELECT coalesce(line, tag) AS name, reason, count(*) AS count
FROM (SELECT line, tag, unnest(reasons) AS reason
      FROM readings WHERE quality > 0 AND source_time < {until})
GROUP BY ALL ORDER BY ALL
""".strip()
# The tags in which most was found are the ones to look at; where nothing was, the first ones.
SERIES_TAGS_SQL = """
SELECT tag, min(source_time) FILTER (quality = 2) AS first_bad
FROM clean.named WHERE value IS NOT NULL AND source_time < {until}
GROUP BY tag ORDER BY count(*) FILTER (quality = 2) DESC, tag LIMIT 4
""".strip()
# Enough to see a fault among its neighbours, few enough to see it at all.
SERIES_SQL = """
SELECT source_time, value, quality, unit FROM readings
WHERE tag = ? AND value IS NOT NULL AND source_time < {until}
  AND source_time >= coalesce(?, TIMESTAMPTZ '-infinity') - INTERVAL '3 days'
ORDER BY source_time LIMIT 600
""".strip()
QUERIES = {
    "Ledger": "SELECT * FROM ledger ORDER BY gateway",  # as of now, whatever the moment
    "Time span": SPAN_SQL,
    "Data quality": QUALITY_SQL,
    "Reasons": REASONS_SQL,
    "Tags drawn": SERIES_TAGS_SQL,
}

# Line-weeks: 1,000 lines of two years. A closer look fits the gain five times, and of so many that
# is most of the time of a report. `gainline gain --details` looks at any number.
LOOKED_AT_ROWS_MAX = 110_000

log = structlog.get_logger()


@dataclass(frozen=True)
class Occasion:
    """Why a report is made: its title, the moment it tells of, what is known of the truth."""

    title: str
    until: datetime
    is_simulated: bool = False
    truth: Truth | None = None


def write_report(settings: Settings, path: Path, occasion: Occasion) -> Report:
    """Make the report of what the readings say up to a moment, and write it whole or not at all.

    Raises DataError where it cannot be written, TransientError for a full disk.
    """
    report = gather(settings, occasion)
    page = render(report)
    with whole_file(path) as part:
        part.write_text(page, encoding="utf-8")
    return report


def gather(settings: Settings, occasion: Occasion) -> Report:
    """Ask the lake for everything a report says."""
    queries = {name: _until(sql, occasion.until) for name, sql in QUERIES.items()}
    configured = settings
    with connect(store_folder(settings)) as lake:
        found = {name: answer(lake, sql) for name, sql in queries.items()}
        drawn = _until(SERIES_SQL, occasion.until)
        report = Report(
            title=occasion.title,
            made_at=datetime.now(UTC),
            period=_period(found["Time span"].to_pylist()[0], occasion.until),
            is_simulated=occasion.is_simulated,
            truth=occasion.truth,
            quality=_quality(found["Data quality"], found["Reasons"]),
            ledger=tuple(LedgerEntry(**row) for row in found["Ledger"].to_pylist()),
            series=tuple(
                _series(row["tag"], answer(lake, drawn, [row["tag"], row["first_bad"]]))
                for row in found["Tags drawn"].to_pylist()
            ),
            queries={**queries, "Readings drawn": drawn},
        )
        notes = notes_in_force(lake)
        if notes:
            first = found["Time span"]["first"][0].as_py() or datetime.min.replace(tzinfo=UTC)
            time = first, occasion.until
            settings, rows = applied(settings, notes, places_of_lines(lake), time)
            report = replace(report, notes=rows, queries={**report.queries, "Notes": NOTES_SQL})
        if settings.upgrades:
            report = _with_gain_if_any(report, lake, settings, occasion.until)
    return _with_performance(report, configured, occasion.until)


def make_due_reports(settings: Settings, lake: Lake, now: datetime) -> int:
    """Make each report whose slot has passed, exactly once; give their number.

    A schedule that is new begins now. A report is written before its slot is noted: after a crash
    in between it is made again, in the same file.
    """
    made = 0
    for schedule in settings.schedule:
        done = lake.report_slots(schedule.name)
        if not done:
            lake.record_report(ReportSlot(schedule.name, now, now, ""))
            continue
        for slot in due_slots(schedule, after=done[-1].slot, now=now):
            name = f"{schedule.name}-{slot.astimezone(UTC):%Y%m%dT%H%MZ}.html"
            path = store_folder(settings) / "reports" / name
            path.parent.mkdir(exist_ok=True)
            title = f"{schedule.name} {slot:%Y-%m-%d %H:%M}"
            report = write_report(settings, path, Occasion(title, slot))
            noted = ReportSlot(schedule.name, slot, datetime.now(UTC), path.name)
            lake.record_report(noted, _estimates(report, noted))
            log.info("report", file=str(path))
            made += 1
    return made


def course_of(panel: Panel, upgrades: Upgrades, settings: Settings) -> CloserLook | None:
    """Look closer at a gain, where the lines are few enough, and two or more have no upgrade."""
    if panel.table.num_rows > LOOKED_AT_ROWS_MAX:
        return None
    try:
        return gain.look_closer(panel, upgrades, level=settings.gain.level, **_windows(settings))
    except DataError:  # nothing to compare with, of which the gain's own warnings speak
        return None


def _estimates(report: Report, noted: ReportSlot) -> pa.Table | None:
    """Give what a report says of the gain as rows of the store; None where it says nothing."""
    if report.gain is None or report.upgrades is None:
        return None
    return estimates_of(
        report.gain,
        report.upgrades,
        schedule=noted.schedule,
        until=noted.slot,
        made_at=noted.made_at,
    )


def _period(span: Mapping[str, datetime | None], until: datetime) -> tuple[date, date]:
    """Give the first and the last day; what is stamped at midnight ends the day before."""
    first, last = min(span["first"] or until, until), min(span["last"] or until, until)
    return first.date(), max(first, last - timedelta(microseconds=1)).date()


def _quality(counts: pa.Table, reasons: pa.Table) -> tuple[QualityRow, ...]:
    found: dict[str, list[tuple[str, int]]] = {}
    for row in reasons.to_pylist():
        found.setdefault(row["name"], []).append((row["reason"], row["count"]))
    return tuple(
        QualityRow(
            **row,
            reasons=tuple(found.get(row["name"], ())),
            late=dict(found.get(row["name"], ())).get("late", 0),
        )
        for row in counts.to_pylist()
    )


def _series(tag: str, rows: pa.Table) -> Series:
    return Series(
        tag=tag,
        unit=rows["unit"][0].as_py() or "" if rows.num_rows else "",
        source_time=rows["source_time"].cast(pa.timestamp("us")).to_numpy(),
        value=rows["value"].to_numpy(),
        quality=rows["quality"].to_numpy(),
    )


def _until(sql: str, until: datetime) -> str:
    """Write the moment into a query, so that the report shows just what was asked."""
    return sql.replace("{until}", f"TIMESTAMPTZ '{until.astimezone(UTC).isoformat()}'")


def _with_gain_if_any(
    report: Report, lake: Connection, settings: Settings, until: datetime
) -> Report:
    """Add what the upgrades earned, or why nothing can be said of it yet."""
    sql = periods_sql(until=until)
    report = replace(report, queries={**report.queries, "Panel": sql})
    try:
        return _with_gain(report, answer(lake, sql), settings)
    except DataError as problem:  # too early, or a line is silent: that is news, not a failure
        return replace(report, no_gain_because=str(problem))


def _with_performance(report: Report, settings: Settings, until: datetime) -> Report:
    """Add how the lines ran, or why nothing can be said of it."""
    try:
        told = performance(settings, until)
    except (ConfigError, DataError) as problem:  # no states, no calendar: the rest is told still
        return replace(report, no_performance_because=str(problem))
    return replace(report, performance=told, queries={**report.queries, **commands(told)})


def _with_gain(report: Report, periods: pa.Table, settings: Settings) -> Report:
    """Add what the upgrades earned: panel, gain, its course, profit."""
    built = valuation.built_panel(settings, periods)
    upgrades = valuation.upgrades(settings)
    fitted = gain.fit(built.panel, upgrades, level=settings.gain.level, **_windows(settings))
    if valuation.is_priced(settings):
        economics = valuation.economics(settings, built.panel, periods)
        report = _with_money(report, Prospect.measured(fitted), economics)
    return replace(
        report,
        gain=fitted,
        course=course_of(built.panel, upgrades, settings),
        panel=built.panel,
        upgrades=upgrades,
        left_out=built.left_out,
    )


def _windows(settings: Settings) -> dict[str, int]:
    section = settings.gain
    return {"ramp": section.ramp_periods, "anticipation": section.anticipation_periods}


def _with_money(report: Report, prospect: Prospect, economics: Economics) -> Report:
    """Add what the gain is worth, what matters for that, and where it would break even."""
    earned = profit.push(prospect.draws, economics, point=prospect.point, level=prospect.level)
    is_paid_for = economics.investment > 0 or economics.running_cost > 0
    try:
        even = needed(prospect, economics, "npv", 0.0) if is_paid_for else None
    except ConfigError:  # no gain pays for it: the payback already says never
        even = None
    return replace(
        report, profit=earned, tornado=sensitivities(prospect, economics), break_even=even
    )
