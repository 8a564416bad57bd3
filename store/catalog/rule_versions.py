"""Which rules gave a verdict: each version of them has a number in the lake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from store import tables

if TYPE_CHECKING:
    import duckdb

    from store.commits.commit import Committer


def rule_version(
    connection: duckdb.DuckDBPyConnection, committer: Committer, digest: str, configuration: str
) -> int:
    """Give the number of the rules with a digest; new ones get the next number.

    Raises duckdb.Error, and as Committer.transact.
    """
    asked = "SELECT number FROM house.rule_versions WHERE digest = ?"
    if (row := connection.execute(asked, [digest]).fetchone()) is None:
        # judge and rejudge may both come: what the other one has noted meanwhile is not noted twice
        note = (
            "INSERT INTO house.rule_versions SELECT coalesce(max(number), 0) + 1, now(), ?, ?"
            " FROM house.rule_versions HAVING count(*) FILTER (WHERE digest = ?) = 0"
        )
        committer.transact(lambda: connection.execute(note, [digest, configuration, digest]))
        row = connection.execute(asked, [digest]).fetchone()
    assert row is not None
    return int(row[0])


def filed(readings: pa.Table, version: int | None, *, judge_commit: int) -> pa.Table:
    """Give verdicts of CLEAN_SCHEMA as they are stored: see tables.CLEAN_READINGS."""
    times = readings["source_time"]
    if times.null_count:
        column = readings.schema.get_field_index("source_time")
        there = pc.coalesce(times, readings["received_time"])
        readings = readings.set_column(column, readings.schema.field(column), there)
    for name, number in (("rule_version", version), ("judge_commit", judge_commit)):
        field = tables.CLEAN_READINGS.columns.field(name)
        value = pa.scalar(number, field.type)
        readings = readings.append_column(field, pa.repeat(value, readings.num_rows))
    return readings
