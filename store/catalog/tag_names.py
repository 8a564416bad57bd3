"""Under which names readings of tags are shown, and in which units."""

# ruff: noqa: S608 - the SQL is put together of the store's own names

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from contracts.errors import DataError
from store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import duckdb


_UNITS_OF_STORED = (
    "SELECT tag, unit FROM house.tag_entries WHERE tag IN (SELECT stored FROM main.renamed_tags)"
    " QUALIFY row_number() OVER (PARTITION BY tag ORDER BY revision DESC) = 1"
)
# The last unit of a tag is that of the catalogue.
_FORMER_UNITS = (
    "SELECT tag, unit, to_time, coalesce(from_time, TIMESTAMPTZ '-infinity') AS from_time"
    " FROM main.units WHERE to_time IS NOT NULL"
)


class Names(NamedTuple):
    """Of each tag that was given a name: that name, and the last name that this leads to."""

    given: dict[str, str]
    shown: dict[str, str]


def names_in(connection: duckdb.DuckDBPyConnection) -> Names:
    """Read the names that tags have now. Raises duckdb.Error."""
    found = connection.execute(
        f"SELECT tag, name, shown FROM {tables.TAG_NAMES.path}"
        " QUALIFY row_number() OVER (PARTITION BY tag ORDER BY revision DESC) = 1"
    ).fetchall()
    rows = [(tag, name, shown) for tag, name, shown in found if name is not None]
    return Names({tag: name for tag, name, _ in rows}, {tag: shown for tag, _, shown in rows})


def last_naming(connection: duckdb.DuckDBPyConnection) -> int:
    """Give the number of the last change of names, 0 where there was none. Raises duckdb.Error."""
    row = connection.execute(f"SELECT max(revision) FROM {tables.TAG_NAMES.path}").fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def shown_as(given: Mapping[str, str]) -> dict[str, str]:
    """Follow the names that were given to the last one. Raises DataError where they go in a circle.

    >>> shown_as({"a": "b", "b": "c"})
    {'a': 'c', 'b': 'c'}
    """
    shown: dict[str, str] = {}
    for tag in given:
        way = [tag]
        while way[-1] in given:
            way.append(given[way[-1]])
            if way[-1] in way[:-1]:
                raise DataError(
                    f"{' is shown as '.join(way)}: a name that leads back to itself; undo one of"
                    f" them, as by `gainline tags rename {way[-1]} --undo`"
                )
        shown[tag] = way[-1]
    return shown


def changed_rows(
    before: Names, changes: Mapping[str, str | None], revision: int, now: datetime
) -> pa.Table:
    """Give the rows of one change: of each tag that has another name then, or leads to another.

    None takes the name of a tag away. Raises DataError as `shown_as`.
    """
    given = before.given | {tag: name for tag, name in changes.items() if name is not None}
    for tag, name in changes.items():
        if name is None:
            given.pop(tag, None)
    shown = shown_as(given)
    tags = dict.fromkeys([*before.given, *given])
    rows = [
        {"revision": revision, "tag": tag, "name": given.get(tag), "shown": shown.get(tag)}
        | {"changed_at": now}
        for tag in tags
        if (given.get(tag), shown.get(tag)) != (before.given.get(tag), before.shown.get(tag))
    ]
    return pa.Table.from_pylist(rows, schema=tables.TAG_NAMES.columns)


def has_renamed_tags(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether a tag has ever been given a name. Raises duckdb.Error."""
    return (
        connection.execute(f"SELECT 1 FROM {tables.TAG_NAMES.path} LIMIT 1").fetchone() is not None
    )


def has_former_units(connection: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether the unit of a tag has ever changed at some time. Raises duckdb.Error."""
    sql = f"SELECT 1 FROM {tables.TAG_ENTRIES.path} WHERE unit_from IS NOT NULL LIMIT 1"
    return connection.execute(sql).fetchone() is not None


def named_sql(source: str, *, is_renamed: bool) -> str:
    """Give the rows of a source with each tag as it is shown, and `stored` where that is another.

    In two parts, so that each is filtered by its tags before it is read: what has its own name by
    that, what has not by those that the names stand for.
    """
    if not is_renamed:
        return f"SELECT * FROM {source}"
    return (
        f"SELECT s.*, CAST(NULL AS VARCHAR) AS stored FROM {source} AS s"
        " ANTI JOIN main.renamed_tags AS n ON s.tag = n.stored"
        f" UNION ALL SELECT s.* REPLACE (n.tag AS tag), n.stored FROM {source} AS s"
        " JOIN main.renamed_tags AS n ON s.tag = n.stored"
    )


def view_words(*, has_renamed_tags: bool, has_former_units: bool) -> dict[str, str]:
    """Give what stands in braces in views.sql for names and units.

    A unit is that of the tag that a reading is stored under: it was measured in it.
    """
    unit, joins, hidden, stored = "t.unit", "", "", "r.tag"
    if has_renamed_tags:
        hidden = "\nWHERE tag NOT IN (SELECT stored FROM main.renamed_tags)"
        joins += f"\nLEFT JOIN ({_UNITS_OF_STORED}) AS o ON r.stored = o.tag"
        unit, stored = "coalesce(o.unit, t.unit)", "coalesce(r.stored, r.tag)"
    if has_former_units:
        joins += (
            f"\nLEFT JOIN ({_FORMER_UNITS}) AS u"
            f" ON {stored} = u.tag AND r.source_time >= u.from_time AND r.source_time < u.to_time"
        )
        unit = f"CASE WHEN u.tag IS NULL THEN {unit} ELSE u.unit END"
    return {
        "named_readings": named_sql("clean.readings", is_renamed=has_renamed_tags),
        "not_renamed": hidden,
        "unit": unit,
        "units_joined": joins,
    }
