"""What each metric of each line did in each period: the readings as analytics takes them."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from contracts.quality import Reason
from store.query import answer, connect
from store.shifts.line_names import LINE_SQL

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Every = Literal["day", "week", "month"]


def periods(
    source: Path | duckdb.DuckDBPyConnection,
    *,
    every: Every = "week",
    until: datetime | None = None,
) -> pa.Table:
    """Sum up the judged readings of a store, given as its folder or a connection to it.

    One row per line, period and metric, in this order: `line`, `period` (date32: the first day,
    for a week its Monday, in UTC), `metric`, `increase` (of a counter: sum of its steps, each in
    the period of the earlier reading; a drop is a reset unless the judge doubts it), `mean`,
    `active_share` (readings that are not 0), `count`, `good_count` (trusted readings; GOOD ones),
    `site`, `area`. A line name
    that several sites or areas use becomes site/area/line. Only readings before `until` count,
    all if it is None. Raises as store.query.fetch.
    """
    sql = periods_sql(every=every, until=until)
    if isinstance(source, Path):
        with connect(source) as connection:
            return answer(connection, sql)
    return answer(source, sql)


def periods_sql(*, every: Every = "week", until: datetime | None = None) -> str:
    """Give the query behind `periods`, as a report shows it."""
    text = resources.files("store.shifts").joinpath("panel.sql").read_text(encoding="utf-8")
    values = {
        "line": LINE_SQL,
        "every": every,
        "until": f"TIMESTAMPTZ '{until.astimezone(UTC).isoformat() if until else 'infinity'}'",
        "repeats": str(int(Reason.DUPLICATE | Reason.CONFLICT)),
        "backwards": str(int(Reason.COUNTER)),
    }
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text
