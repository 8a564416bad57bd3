"""What `/latest` says: the newest reading of each tag, as JSON."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contracts.errors import DataError, GainlineError
from gainline.output import as_json
from store.sums.latest import Latest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

# What a request may ask for; each stands for the rows that have just this there.
ASKABLE = ("tag", "site", "area", "line", "machine", "metric")


def latest_route(path: str, store: Path) -> Route:
    """Make the route; a word behind `?` chooses, as `?line=L01`."""
    newest = NewestReadings(store)

    async def latest(request: Request) -> Response:
        try:
            body = await run_in_threadpool(newest.answer, dict(request.query_params))
        except DataError as problem:
            return PlainTextResponse(f"{problem}\n", status_code=400)
        except GainlineError as problem:
            return PlainTextResponse(f"{problem}\n", status_code=503)
        return Response(body, media_type="application/json")

    return Route(path, latest)


class NewestReadings:
    """Answers requests from one store that stays open; from any thread."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._latest: Latest | None = None
        self._written_for: pa.Table | None = None
        self._written = ""

    def answer(self, wanted: Mapping[str, str]) -> str:
        """Give a JSON list, one object a tag. Raises DataError for words that are not ASKABLE.

        And GainlineError as store.sums.latest.Latest, where there is no store yet, too.
        """
        unknown = sorted(wanted.keys() - set(ASKABLE))
        if unknown:
            raise DataError(f"{unknown[0]!r} cannot be asked for: {', '.join(ASKABLE)} can")
        with self._lock:
            table = self._table()
            if not wanted:
                return self._all(table)
        for name, word in wanted.items():
            table = table.filter(pc.field(name) == word)
        return _as_json(table)

    def _table(self) -> pa.Table:
        """Ask the store, which is opened anew after an error: a broken connection stays broken."""
        latest = self._latest or Latest(self._store)
        try:
            table = latest.table()
        except GainlineError:
            self._latest = None
            latest.close()
            raise
        self._latest = latest
        return table

    def _all(self, table: pa.Table) -> str:
        """Write all rows, once for as long as they are the same."""
        if table is not self._written_for:
            self._written_for, self._written = table, _as_json(table)
        return self._written


def _as_json(table: pa.Table) -> str:
    columns = [column.to_pylist() for column in table.columns]
    return as_json(table.column_names, list(zip(*columns, strict=True)))
