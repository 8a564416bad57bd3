"""The tables of the lake: each one's columns, said once."""

from __future__ import annotations

from typing import Any, NamedTuple

import pyarrow as pa

from contracts.batches import CLEAN_SCHEMA, RAW_SCHEMA
from contracts.moments import TIME
from contracts.notes import NOTES_SCHEMA
from contracts.shifts import SHIFT_SUMS_SCHEMA, STOPS_SCHEMA

_SQL_TYPES: dict[pa.DataType, str] = {
    pa.int8(): "TINYINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    TIME: "TIMESTAMPTZ",
    pa.date32(): "DATE",
    pa.bool_(): "BOOLEAN",
}


class Table(NamedTuple):
    """A table of the lake. Its segments lie in data/SCHEMA/NAME/, where DuckLake looks."""

    schema: str
    name: str
    columns: pa.Schema

    @property
    def path(self) -> str:
        """The table's name in SQL."""
        return f"{self.schema}.{self.name}"

    @property
    def folder(self) -> str:
        """Where its segments lie, below STORE/data."""
        return f"{self.schema}/{self.name}"

    @property
    def ddl(self) -> str:
        """The statement that makes the table where it is missing."""
        columns = ", ".join(column_ddl(field) for field in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.path} ({columns})"


def column_ddl(field: pa.Field[Any]) -> str:
    """Write a column as SQL declares it."""
    return f"{field.name} {_SQL_TYPES[field.type]}{'' if field.nullable else ' NOT NULL'}"


def _needed(name: str, kind: pa.DataType) -> pa.Field[Any]:
    return pa.field(name, kind, nullable=False)


def _progress(writer: str) -> Table:
    return Table("house", f"{writer}_progress", _PROGRESS_COLUMNS)


RAW_READINGS = Table("raw", "readings", RAW_SCHEMA)

# As CLEAN_SCHEMA, but a source_time that the source did not send is filled with received_time (the
# reason `time` tells): only a plain column lets a query by time skip files. And with the number of
# the rules that gave the verdict; null: nobody has said which. And with the number of the judge's
# commit that brought it, by which the rollups know what is new; null: in a store of format 1.
CLEAN_READINGS = Table(
    "clean",
    "readings",
    CLEAN_SCHEMA.append(pa.field("rule_version", pa.int32())).append(
        pa.field("judge_commit", pa.int64())
    ),
)

# What the readings of a tag in a minute or an hour come to: any number of parts, which sum up.
# Made of those that rolling has come to; the views add what is newer. Only segments.
_PARTS_COLUMNS = pa.schema(
    [
        _needed("tag", pa.string()),
        _needed("bucket", TIME),  # when the minute or the hour begins
        _needed("count", pa.int64()),  # readings
        _needed("good_count", pa.int64()),
        _needed("value_count", pa.int64()),  # values that are not BAD; of these the rest tells
        pa.field("total", pa.float64()),
        pa.field("min", pa.float64()),
        pa.field("max", pa.float64()),
        pa.field("last_time", TIME),
        pa.field("last_arrival", pa.int64()),
        pa.field("last", pa.float64()),
    ]
)
MINUTE_PARTS = Table("clean", "minute_parts", _PARTS_COLUMNS)
HOUR_PARTS = Table("clean", "hour_parts", _PARTS_COLUMNS)

# The newest reading of each tag that is not stamped in the future, of those rolled up.
LATEST_PARTS = Table("clean", "latest_parts", CLEAN_READINGS.columns)

# What each line did in each shift, kept by kept_shifts: a segment a week. Beside the sums,
# what was planned of the line when they were made, and the fingerprint of the plan of its day.
SHIFT_SUMS = Table(
    "clean",
    "shift_sums",
    pa.schema(
        [
            *SHIFT_SUMS_SCHEMA,
            pa.field("units_per_hour", pa.float64()),
            pa.field("worth_of_piece", pa.float64()),  # price less variable cost
            pa.field("currency", pa.string()),
            pa.field("co2_source", pa.string()),
            _needed("plan", pa.string()),
        ]
    ),
)

# The stops in planned time, likewise.
STOPS = Table("clean", "stops", STOPS_SCHEMA)

DEAD_LETTERS = Table(
    "house",
    "dead_letters",
    pa.schema(
        [
            _needed("position", pa.int64()),  # in the journal: unique
            _needed("topic", pa.string()),
            _needed("payload", pa.binary()),
            _needed("reason", pa.string()),
            _needed("received_time", TIME),
            _needed("gateway", pa.string()),
        ]
    ),
)

# One row per dead letter that was sent again; kept apart because a segment is never altered.
DEAD_LETTER_REPLAYS = Table(
    "house",
    "dead_letter_replays",
    pa.schema([_needed("position", pa.int64()), _needed("replayed_time", TIME)]),
)

# What became of messages that no broker delivered, by the name of their origin: one row for each
# commit that stored some. It tells a file that was imported before.
HANDED_OVER = Table(
    "house",
    "handed_over",
    pa.schema(
        [
            _needed("origin", pa.string()),
            _needed("stored", pa.int64()),
            _needed("duplicate", pa.int64()),
            _needed("dead_letter", pa.int64()),
            _needed("readings", pa.int64()),
        ]
    ),
)

# Append only; the views `ledger` and `left_out` sum.
LEDGER_ENTRIES = Table(
    "house",
    "ledger_entries",
    pa.schema(
        [
            _needed("gateway", pa.string()),
            _needed("received", pa.int64()),
            _needed("stored", pa.int64()),
            _needed("duplicate", pa.int64()),
            _needed("dead_letter", pa.int64()),
            # readings that a rule of privacy has kept out; null: none
            pa.field("left_out", pa.int64()),
        ]
    ),
)

# Append only; the view `gaps` shows the ranges whose changes sum up to more than 0: see
# contracts.batches.GapChange.
GAP_ENTRIES = Table(
    "house",
    "gap_entries",
    pa.schema(
        [
            _needed("gateway", pa.string()),
            _needed("epoch", pa.string()),
            _needed("first_seq", pa.int64()),
            _needed("last_seq", pa.int64()),
            _needed("change", pa.int32()),
        ]
    ),
)

# Append only; the view `tags` shows the entry of the highest revision of each tag.
TAG_ENTRIES = Table(
    "house",
    "tag_entries",
    pa.schema(
        [
            _needed("revision", pa.int64()),
            _needed("tag", pa.string()),
            pa.field("site", pa.string()),
            pa.field("area", pa.string()),
            pa.field("line", pa.string()),
            pa.field("machine", pa.string()),
            pa.field("metric", pa.string()),
            pa.field("unit", pa.string()),
            _needed("kind", pa.string()),
            pa.field("path", pa.string()),  # what its place was read from; null: the tag
            pa.field("edited", pa.string()),  # the columns that were set by hand, with blanks
            pa.field("gateway", pa.string()),  # that sent it first
            # from when on the unit holds; null: of all readings, also those before
            pa.field("unit_from", TIME),
            pa.field("changed_at", TIME),  # null: by an older program
        ]
    ),
)

# Append only: under which name readings of a tag are shown; the highest revision of each counts.
TAG_NAMES = Table(
    "house",
    "tag_names",
    pa.schema(
        [
            _needed("revision", pa.int64()),
            _needed("tag", pa.string()),  # as its readings are stored
            pa.field("name", pa.string()),  # that it was given; null: none, or no longer
            pa.field("shown", pa.string()),  # the last name, where that has been given one, too
            _needed("changed_at", TIME),
        ]
    ),
)

# Every segment that was ever added; `path` is relative to STORE/data.
SEGMENTS = Table(
    "house",
    "segments",
    pa.schema(
        [
            _needed("path", pa.string()),
            _needed("row_count", pa.int64()),
            _needed("sha256", pa.string()),
            _needed("byte_count", pa.int64()),
        ]
    ),
)

REPORT_SLOTS = Table(
    "house",
    "report_slots",
    pa.schema(
        [
            _needed("schedule", pa.string()),
            _needed("slot", TIME),
            _needed("made_at", TIME),
            _needed("path", pa.string()),
        ]
    ),
)

# Append only: what each report has estimated of the upgrades.
GAIN_ESTIMATES = Table(
    "house",
    "gain_estimates",
    pa.schema(
        [
            _needed("schedule", pa.string()),  # of the report
            _needed("until", TIME),  # readings before this moment, which is the report's slot
            _needed("made_at", TIME),
            _needed("scope", pa.string()),  # programme, line, next_line
            pa.field("line", pa.string()),  # where the scope is a line
            pa.field("upgraded_on", pa.date32()),  # the same
            *(
                _needed(f"{name}{bound}", pa.float64())
                for name in ("alpha", "beta")
                for bound in ("", "_low", "_high")
            ),
            _needed("level", pa.float64()),  # of the intervals
            _needed("verdict", pa.string()),
            pa.field("warnings", pa.string()),  # a line each; null: none
        ]
    ),
)

# Append only: what people have said. The same note may be there twice, as when two have stored it
# at the same moment; the view `notes` shows it once.
NOTES = Table("house", "notes", NOTES_SCHEMA)

# The rules and their configuration that judged, or judge now; what comes back has its old number.
RULE_VERSIONS = Table(
    "house",
    "rule_versions",
    pa.schema(
        [
            _needed("number", pa.int32()),
            _needed("since", TIME),  # when it came first
            _needed("digest", pa.string()),  # of the rules and the configuration
            _needed("configuration", pa.string()),  # as JSON
        ]
    ),
)

# Append only: what was judged again.
REJUDGEMENTS = Table(
    "house",
    "rejudgements",
    pa.schema(
        [
            _needed("number", pa.int64()),
            _needed("made_at", TIME),
            _needed("from_time", TIME),  # of the range, which its end is no part of
            pa.field("to_time", TIME),  # null: without an end
            pa.field("pattern", pa.string()),  # of the tags; null: all
            _needed("rule_version", pa.int32()),
            _needed("replaced", pa.int64()),  # readings
            _needed("changed", pa.int64()),  # those of them whose verdict is another
        ]
    ),
)

# The fingerprint of the tables and views that the lake has now.
VIEW_VERSION = Table("house", "view_version", pa.schema([_needed("sha256", pa.string())]))

# One table per writer with one row: every commit of the writer updates it, so that a second
# writer, were there one, would conflict.
_PROGRESS_COLUMNS = pa.schema(
    [
        _needed("commit_count", pa.int64()),
        _needed("position", pa.int64()),
        _needed("arrival", pa.int64()),
        pa.field("memory_file", pa.string()),  # in STORE/state
        pa.field("memory_sha256", pa.string()),
        _needed("fingerprint", pa.string()),  # of the last commit, to know it if it comes again
    ]
)
# One row: up to which commit of the judge all is rolled up.
ROLLUP_PROGRESS = Table(
    "house",
    "rollup_progress",
    pa.schema(
        [
            _needed("step_count", pa.int64()),
            _needed("judge_commit", pa.int64()),
            # of readings without the number of a commit, those before are rolled up; null: all
            pa.field("arrival", pa.int64()),
        ]
    ),
)
# At most one row: up to which commits of the judge and rejudgements the sums of shifts are made, by
# which plan, and where the tags stood.
SHIFT_PROGRESS = Table(
    "house",
    "shift_progress",
    pa.schema(
        [
            _needed("step_count", pa.int64()),
            _needed("judge_commit", pa.int64()),
            _needed("rejudgement", pa.int64()),
            _needed("fingerprint", pa.string()),
            _needed("places", pa.string()),  # as JSON
        ]
    ),
)
INGEST_PROGRESS = _progress("ingest")
JUDGE_PROGRESS = _progress("judge")

ROLLUPS = (MINUTE_PARTS, HOUR_PARTS, LATEST_PARTS)
# What segments alone hold, which every Parquet reader can read: no row is in the catalog.
IN_SEGMENTS = (RAW_READINGS, CLEAN_READINGS, *ROLLUPS, SHIFT_SUMS, STOPS)

SCHEMAS = ("raw", "clean", "house")
TABLES = (
    RAW_READINGS,
    CLEAN_READINGS,
    *ROLLUPS,
    SHIFT_SUMS,
    STOPS,
    DEAD_LETTERS,
    DEAD_LETTER_REPLAYS,
    HANDED_OVER,
    LEDGER_ENTRIES,
    GAP_ENTRIES,
    TAG_ENTRIES,
    TAG_NAMES,
    SEGMENTS,
    REPORT_SLOTS,
    GAIN_ESTIMATES,
    NOTES,
    RULE_VERSIONS,
    REJUDGEMENTS,
    VIEW_VERSION,
    ROLLUP_PROGRESS,
    SHIFT_PROGRESS,
    INGEST_PROGRESS,
    JUDGE_PROGRESS,
)
