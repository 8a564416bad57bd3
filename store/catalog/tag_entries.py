"""The tag catalogue of the lake: its rows, and the tags they stand for."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import pyarrow as pa

from contracts.tags import Kind, Place, Tag
from store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import duckdb

# The last entry of each tag.
_NEWEST = (
    "SELECT tag, site, area, line, machine, metric, unit, kind, path, edited,"
    " gateway, unit_from"
    " FROM house.tag_entries"
    " QUALIFY row_number() OVER (PARTITION BY tag ORDER BY revision DESC) = 1"
)


def known_tags(connection: duckdb.DuckDBPyConnection) -> dict[str, Tag]:
    """Read the catalogue: of each tag what was said last."""
    found = connection.execute(_NEWEST).fetchall()
    return {
        tag: Tag(
            tag,
            Place(*place),
            unit,
            Kind(kind),
            path,
            frozenset((edited or "").split()),
            gateway,
            None if unit_from is None else unit_from.astimezone(UTC),
        )
        for tag, *place, unit, kind, path, edited, gateway, unit_from in found
    }


def last_revision(connection: duckdb.DuckDBPyConnection) -> int:
    """Give the number of the last change of the catalogue, 0 where there was none."""
    row = connection.execute("SELECT max(revision) FROM house.tag_entries").fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def entries_since(connection: duckdb.DuckDBPyConnection, revision: int) -> int:
    """Count the entries of later revisions."""
    row = connection.execute(
        "SELECT count(*) FROM house.tag_entries WHERE revision > ?", [revision]
    ).fetchone()
    return 0 if row is None else int(row[0])


def unknown_of(connection: duckdb.DuckDBPyConnection, tags: Sequence[Tag]) -> list[Tag]:
    """Leave the tags out that the catalogue has already. Raises duckdb.Error."""
    found = connection.execute(
        "SELECT DISTINCT tag FROM house.tag_entries"
        " WHERE tag IN (SELECT unnest(CAST(? AS VARCHAR[])))",
        [[tag.tag for tag in tags]],
    ).fetchall()
    known = {tag for (tag,) in found}
    return [tag for tag in tags if tag.tag not in known]


def entries_of(tags: Iterable[Tag], revision: int, now: datetime) -> pa.Table:
    """Write tags as entries of one revision, that was made now."""
    rows = [_row(revision, tag, now) for tag in tags]
    return pa.Table.from_pylist(rows, schema=tables.TAG_ENTRIES.columns)


def _row(revision: int, tag: Tag, now: datetime) -> dict[str, object]:
    place = tag.place
    return {
        "revision": revision,
        "tag": tag.tag,
        "site": place.site,
        "area": place.area,
        "line": place.line,
        "machine": place.machine,
        "metric": place.metric,
        "unit": tag.unit,
        "kind": str(tag.kind),
        "path": tag.path,
        "edited": " ".join(sorted(tag.edited)) or None,
        "gateway": tag.gateway,
        "unit_from": tag.unit_from,
        "changed_at": now,
    }
