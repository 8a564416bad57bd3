"""Lays a report out as one HTML page that loads nothing from anywhere."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analytics import charts, decision_charts, gain_charts
from analytics.report import figures, ran
from analytics.report.verdict import (
    NO_EFFECT_ALPHA,
    NO_EFFECT_BETA,
    is_proven,
    say_break_even,
    speak,
)
from analytics.words import ENGLISH, Words
from contracts.batches import LedgerEntry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.report import QualityRow, Report

# What a reader will look through, and a page under 500 kB can hold; the rest is in the lake.
ROWS_MAX = 200
LINES_RAN_MAX = 60  # each is a row of eleven KPIs in two times
SERIES_MAX = 6
QUERIES_MAX = 40
SQL_LENGTH_MAX = 4000  # characters


def render(report: Report, *, words: Words = ENGLISH) -> str:
    """Give the report as one HTML file, under 500 kB, without a script or an outside address.

    The same report gives the same bytes. Names in it are escaped, wherever they come from.
    """
    gain, profit = report.gain, report.profit
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            made_at=report.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M"),
            words=words,
            spoken=speak(gain, profit, words) if gain else None,
            even=say_break_even(report.break_even, words) if report.break_even else "",
            charts=_charts(report, words),
            upgraded_on=_upgrade_dates(report),
            quality=_quality_total(report.quality),
            left_out=Counter(each.reason for each in report.left_out).most_common(),
            ledger_total=_ledger_total(report.ledger),
            figures=figures,
            ran=ran,
            lines_ran_max=LINES_RAN_MAX,
            is_proven=is_proven,
            no_effect={"alpha": NO_EFFECT_ALPHA, "beta": NO_EFFECT_BETA},
            rows_max=ROWS_MAX,
            marks_max=charts.MARKS_MAX,
            queries=_queries(report.queries),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("analytics", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": figures.count,
        "signed": figures.signed,
        "percent": figures.percent,
        "change": figures.change,
        "short_money": figures.short_money,
        "significant": figures.significant,
        "years": figures.years,
        "moment": figures.moment,
        "note_time": figures.time_of_note,
        "note_value": figures.value_of_note,
    }
    return environment


def _charts(report: Report, words: Words) -> dict[str, Markup]:
    """Draw what there is to draw, by name."""
    drawn: dict[str, str] = {}
    if report.panel is not None and report.upgrades is not None:
        drawn["index"] = charts.output_index(report.panel, report.upgrades, words=words)
    if report.gain is not None:
        drawn["forest"] = charts.gain_forest(report.gain, truth=report.truth, words=words)
    if report.course is not None and report.course.course:
        drawn["course"] = gain_charts.gain_course(report.course, words=words)
    if report.profit is not None:
        drawn["bridge"] = charts.profit_bridge(report.profit, words=words)
    if report.profit is not None and report.tornado:
        npv, currency = report.profit.npv.estimate, report.profit.currency
        drawn["tornado"] = decision_charts.tornado(report.tornado, npv, currency, words=words)
    if any(row.reasons for row in report.quality):
        drawn["quality"] = charts.quality_bars(report.quality, words=words)
    for place, series in enumerate(report.series[:SERIES_MAX]):
        name = f"series-{place}"
        drawn[name] = charts.readings(series, ident=name, words=words)
    return {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704 - matplotlib escaped it


def _upgrade_dates(report: Report) -> dict[str, str]:
    if report.upgrades is None:
        return {}
    rows = report.upgrades.table.to_pylist()
    return {row["line"]: str(row["upgraded_on"])[:10] for row in rows}


def _quality_total(rows: tuple[QualityRow, ...]) -> dict[str, int | None]:
    readings, good = sum(row.readings for row in rows), sum(row.good for row in rows)
    gaps = [row.gaps for row in rows if row.gaps is not None]
    return {
        "readings": readings,
        "good": good,
        "doubted": readings - good,
        "gaps": sum(gaps) if gaps else None,
        "late": sum(row.late for row in rows),
    }


def _ledger_total(rows: tuple[LedgerEntry, ...]) -> LedgerEntry:
    return LedgerEntry(
        "",
        received=sum(row.received for row in rows),
        stored=sum(row.stored for row in rows),
        duplicate=sum(row.duplicate for row in rows),
        dead_letter=sum(row.dead_letter for row in rows),
    )


def _queries(queries: Mapping[str, str]) -> dict[str, str]:
    return {name: sql.strip()[:SQL_LENGTH_MAX] for name, sql in list(queries.items())[:QUERIES_MAX]}
