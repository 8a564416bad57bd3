"""What changes over the years: names, units, types and columns; one query reads all of it."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.batches import CleanBatch, CleanCommit, LedgerEntry, RawBatch, RawCommit
from contracts.errors import DataError
from contracts.tags import Kind, Place, Tag
from store.catalog.tag_names import shown_as
from store.lake import Lake
from store.query import fetch
from store.shifts.periods import periods
from store.sums.rolling import roll_up
from tests.store.samples import START_US, judged, raw_rows

START = datetime.fromtimestamp(START_US / 1e6, UTC)
OLD, NEW, OTHER = "s/a/l/m/old", "s/a/l/m/new", "s/a/l/m/other"
ROWS = 60


def tag(name: str, **words: str | None) -> Tag:
    place = Place(site="s", line="l", metric=name.rpartition("/")[2])
    return replace(Tag(name, place, None, Kind.GAUGE), **words)  # type: ignore[arg-type]


def commit(
    lake: Lake, judge: Lake, number: int, tags: Iterable[str], **columns: Iterable[object]
) -> None:
    """Commit ROWS readings, one a second, of these tags in turn."""
    names = list(tags)
    first, until = number * ROWS, number * ROWS + ROWS
    turn = [names[each % len(names)] for each in range(ROWS)]
    rows = raw_rows(first, ROWS, tag=turn, topic=turn, **columns)
    ledger = (LedgerEntry("gw1", ROWS, ROWS, 0, 0),)
    new = [tag(name, unit="degC") for name in names]
    raw = RawCommit(RawBatch(rows), (), ledger, until, until, b"seen")
    lake.commit_raw(raw, new_tags=new)
    judge.commit_clean(CleanCommit(CleanBatch(judged(rows)), until, b"%d" % until, 1))


def rolled_up(root: Path) -> None:
    while roll_up(root):
        pass


@pytest.fixture(scope="module")
def renamed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("renamed") / "store"
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        commit(lake, judge, 0, [OLD, OTHER])
        rolled_up(root)
        commit(lake, judge, 1, [OLD, OTHER])
        commit(lake, judge, 2, [NEW, OTHER])
    with Lake.open(root, writer="tags") as tags:
        assert tags.rename_tags({OLD: NEW}) == 1
    return root


@pytest.fixture
def renamed(renamed_once: Path, root: Path) -> Path:
    """A store in which a tag goes on under another name, partly rolled up."""
    return Path(shutil.copytree(renamed_once, root))


def one(root: Path, sql: str) -> object:
    return fetch(root, sql).columns[0].to_pylist()[0]


def test_one_query_by_the_new_name_finds_what_is_stored_under_both(renamed: Path) -> None:
    names = fetch(
        renamed,
        f"SELECT topic, count(*) AS n FROM readings WHERE tag = '{NEW}' GROUP BY ALL ORDER BY ALL",
    )
    assert names.to_pylist() == [{"topic": NEW, "n": 30}, {"topic": OLD, "n": 60}]
    assert one(renamed, f"SELECT count(*) FROM readings WHERE tag = '{OLD}'") == 0
    assert one(renamed, "SELECT count(*) FROM readings") == 3 * ROWS
    assert one(renamed, f"SELECT sum(count) FROM minute WHERE tag = '{NEW}'") == 90
    assert one(renamed, f"SELECT count(*) FROM hour WHERE tag = '{NEW}'") == 1
    assert one(renamed, f"SELECT count FROM hour WHERE tag = '{NEW}'") == 90
    latest = fetch(renamed, "SELECT tag, metric, value FROM latest ORDER BY tag").to_pylist()
    assert latest == [
        {"tag": NEW, "metric": "new", "value": 178.0},
        {"tag": OTHER, "metric": "other", "value": 179.0},
    ]
    assert fetch(renamed, "SELECT tag FROM tags ORDER BY tag")["tag"].to_pylist() == [NEW, OTHER]
    assert one(renamed, "SELECT stored || ' ' || tag FROM renamed_tags") == f"{OLD} {NEW}"


def test_the_functions_find_by_the_new_name_what_is_stored_under_both(renamed: Path) -> None:
    calls = {
        f"around('{NEW}', (SELECT min(source_time) FROM readings), '1 day')": 90,
        f"downsample('{NEW}', 10000)": 90,
        f"asof('{OTHER}', '{NEW}')": 90,
        f"align(['{NEW}'], '1 day')": 1,
        f"align(['{NEW}'], '7 seconds') WHERE count > 0 HAVING sum(count) = 90": 1,
    }
    for call, count in calls.items():
        counted = "count(DISTINCT tag)" if "align" in call else "count(*)"
        assert one(renamed, f"SELECT {counted} AS n FROM {call}") == count, call
    assert one(renamed, f"SELECT sum(count) FROM align(['{NEW}'], '1 day')") == 90
    assert one(renamed, f"SELECT count(*) FROM downsample('{OLD}')") == 0


def test_the_sums_and_the_newest_are_the_same_however_much_is_rolled_up(renamed: Path) -> None:
    asked = [
        "SELECT * FROM minute ORDER BY ALL",
        "SELECT * FROM hour ORDER BY ALL",
        "SELECT * FROM latest ORDER BY tag",
    ]
    before = [fetch(renamed, sql) for sql in asked]
    rolled_up(renamed)
    assert [fetch(renamed, sql) for sql in asked] == before


def test_periods_of_a_line_go_on_under_the_new_name(renamed: Path) -> None:
    rows = {row["metric"]: row["count"] for row in periods(renamed).to_pylist()}
    assert rows == {"new": 90, "other": 90}


def test_a_filter_by_the_new_name_reads_only_files_with_either_name(
    renamed: Path, lake: Lake, judge: Lake
) -> None:
    for number in range(3, 8):
        commit(lake, judge, number, [OTHER])
    asked = f"SELECT value FROM readings WHERE tag = '{NEW}'"
    plan = fetch(renamed, f"EXPLAIN (ANALYZE, FORMAT json) {asked}")["explain_value"][0].as_py()
    files = set(re.findall(r"judge-0*(\d+)", plan))
    assert files
    assert files <= {"1", "2", "3"}


def test_a_name_is_taken_away_again_and_nothing_was_rewritten(renamed: Path) -> None:
    files = sorted(renamed.joinpath("data").rglob("*.parquet"))
    with Lake.open(renamed, writer="tags") as tags:
        assert tags.rename_tags({OLD: None}) == 1
        assert tags.rename_tags({OLD: None}) == 0
        assert tags.tag_names().given == {}
    assert one(renamed, f"SELECT count(*) FROM readings WHERE tag = '{OLD}'") == 60
    assert one(renamed, "SELECT count(*) FROM tags") == 3
    assert sorted(renamed.joinpath("data").rglob("*.parquet")) == files


def test_names_are_followed_to_the_last_one(renamed: Path) -> None:
    with Lake.open(renamed, writer="tags") as tags:
        assert tags.rename_tags({NEW: "s/a/l/m/last"}, lambda _: [tag("s/a/l/m/last")]) == 2
        last = "SELECT count(*) FROM readings WHERE tag = 's/a/l/m/last'"
        assert one(renamed, last) == 90
        tags.rename_tags({NEW: None})
    assert one(renamed, f"SELECT count(*) FROM readings WHERE tag = '{NEW}'") == 90


def test_a_name_that_leads_back_to_itself_is_refused(renamed: Path) -> None:
    with (
        Lake.open(renamed, writer="tags") as tags,
        pytest.raises(DataError, match="leads back to itself"),
    ):
        tags.rename_tags({NEW: OLD})
    with pytest.raises(DataError):
        shown_as({"a": "a"})


def test_the_unit_is_that_of_the_tag_that_a_reading_is_stored_under(renamed: Path) -> None:
    with Lake.open(renamed, writer="tags") as tags:
        tags.revise_tags(lambda known: [replace(known[NEW], unit="degF")])
    units = f"SELECT topic, unit FROM readings WHERE tag = '{NEW}' GROUP BY ALL ORDER BY ALL"
    assert [tuple(row.values()) for row in fetch(renamed, units).to_pylist()] == [
        (NEW, "degF"),
        (OLD, "degC"),
    ]
    assert one(renamed, f"SELECT unit FROM latest WHERE tag = '{NEW}'") == "degF"


def test_a_unit_holds_from_the_time_that_it_changed_at(root: Path, lake: Lake, judge: Lake) -> None:
    commit(lake, judge, 0, [OLD, OTHER])
    change = START + timedelta(seconds=20)
    with Lake.open(root, writer="tags") as tags:
        tags.revise_tags(lambda known: [replace(known[OLD], unit="degF", unit_from=change)])
        tags.revise_tags(lambda known: [replace(known[OLD], place=Place(line="l2"))])
        assert tags.known_tags()[OLD].unit_from == change
    units = "SELECT tag, unit, count(*) FROM readings GROUP BY ALL ORDER BY ALL"
    rows = [tuple(row.values()) for row in fetch(root, units).to_pylist()]
    assert rows == [(OLD, "degC", 10), (OLD, "degF", 20), (OTHER, "degC", 30)]
    assert one(root, f"SELECT unit FROM latest WHERE tag = '{OLD}'") == "degF"
    assert fetch(root, f"SELECT * FROM units WHERE tag = '{OLD}' ORDER BY ALL").to_pylist() == [
        {"tag": OLD, "unit": "degC", "from_time": None, "to_time": change},
        {"tag": OLD, "unit": "degF", "from_time": change, "to_time": None},
    ]
    assert one(root, f"SELECT count(*) FROM tag_history WHERE tag = '{OLD}'") == 3
    assert one(root, "SELECT count(*) FROM tag_history WHERE changed_at IS NULL") == 0


def test_a_unit_without_a_time_is_a_correction_of_all_readings(
    root: Path, lake: Lake, judge: Lake
) -> None:
    commit(lake, judge, 0, [OLD])
    change = START + timedelta(seconds=20)
    with Lake.open(root, writer="tags") as tags:
        tags.revise_tags(lambda known: [replace(known[OLD], unit="degF", unit_from=change)])
        tags.revise_tags(lambda known: [replace(known[OLD], unit="K", unit_from=None)])
    assert fetch(root, "SELECT DISTINCT unit FROM readings").to_pylist() == [{"unit": "K"}]
    assert one(root, "SELECT count(*) FROM units") == 1


def test_a_metric_that_becomes_text_and_a_number_again_is_read_by_one_query(
    root: Path, lake: Lake, judge: Lake
) -> None:
    commit(lake, judge, 0, [OLD])
    commit(lake, judge, 1, [OLD, NEW], value=[None] * ROWS, text=["off"] * ROWS)
    commit(lake, judge, 2, [OLD])
    rows = fetch(
        root,
        "SELECT tag, text, count(value) AS numbers, count(*) AS n FROM readings GROUP BY ALL"
        " ORDER BY ALL",
    )
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        (NEW, "off", 0, 30),
        (OLD, "off", 0, 30),
        (OLD, None, 120, 120),
    ]


def test_files_of_an_older_gainline_lack_columns_and_are_read_with_the_newer(root: Path) -> None:
    with Lake.open(root, writer="ingest") as lake:
        connection = lake._connection
        for table, column in (
            ("house.tag_entries", "unit_from"),
            ("house.tag_entries", "changed_at"),
            ("house.ledger_entries", "left_out"),
            ("clean.readings", "rule_version"),
        ):
            for view in ("left_out", "tag_history", "units", "readings", "latest", "minute"):
                connection.execute(f"DROP VIEW IF EXISTS main.{view}")
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("DROP VIEW main.renamed_tags; DROP TABLE house.tag_names")
        connection.execute(
            "INSERT INTO house.tag_entries (revision, tag, unit, kind)"
            f" VALUES (1, '{OLD}', 'degC', 'gauge')"
        )
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        commit(lake, judge, 0, [OLD])
        with Lake.open(root, writer="tags") as tags:
            tags.rename_tags({OLD: NEW}, lambda _: [tag(NEW)])
    assert one(root, f"SELECT count(*) FROM readings WHERE tag = '{NEW}' AND unit = 'degC'") == ROWS
    assert one(root, "SELECT count(*) FROM left_out") == 0
