"""What each metric of each line did in each period: the readings as analytics takes them."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from contracts.quality import Reason
from store.query import answer, connect

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Every = Literal["day", "week", "month"]


def periods(source: Path | duckdb.DuckDBPyConnection, *, every: Every = "week") -> pa.Table:
    """Sum up the judged readings of a store, given as its folder or a connection to it.

    One row per line, period and metric, in this order: `line`, `period` (date32: the first day,
    for a week its Monday, in UTC), `metric`, `increase` (of a counter: sum of its steps, each in
    the period of the earlier reading; a drop is a reset), `mean`, `active_share` (readings that
    are not 0), `count`, `good_count` (trusted readings; GOOD ones), `site`, `area`. Two lines of
    one name at two sites are two lines. Raises as store.query.fetch.
    """
    if isinstance(source, Path):
        with connect(source) as connection:
            return answer(connection, periods_sql(every=every))
    return answer(source, periods_sql(every=every))


def periods_sql(*, every: Every = "week") -> str:
    """Give the query behind `periods`, as a report shows it."""
    text = resources.files("store").joinpath("panel.sql").read_text(encoding="utf-8")
    repeats = int(Reason.DUPLICATE | Reason.CONFLICT)
    return text.replace("{every}", every).replace("{repeats}", str(repeats))
