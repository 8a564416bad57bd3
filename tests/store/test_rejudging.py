"""Verdicts of a range of time replaced: whole, in one snapshot, and nothing else."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from contracts.batches import CLEAN_SCHEMA, CleanBatch, CleanCommit
from contracts.errors import ContractError, GainlineError, TransientError
from store import lake as lake_module
from store.commits.commit import Addition
from store.lake import Lake
from store.query import connect, fetch
from store.rejudging.history import Span
from store.rejudging.rejudging import Outcome
from store.rejudging.rewriting import Change
from store.tables import CLEAN_READINGS
from store.upkeep.maintain import KEEP_SNAPSHOTS, MERGE_FROM, maintain
from tests.store.samples import START_US, as_format_1, judged, raw_commit, raw_rows

REPOSITORY = Path(__file__).parents[2]
START = datetime.fromtimestamp(START_US / 1e6, UTC)
SEGMENT_ROWS = 30
# The readings 15 to 74: parts of the first and the third segment, all of the second.
SPAN = Span(START + timedelta(seconds=15), START + timedelta(seconds=75))
INSIDE = range(15, 75)
TAGS = ["s/a/l/m/tag0", "s/a/l/m/tag1"]
ALL = "SELECT * FROM clean.readings ORDER BY arrival, tag"


@pytest.fixture
def filled(root: Path, lake: Lake, judge: Lake) -> Path:
    """A store with three segments of verdicts, all GOOD, by rules 1."""
    for number in range(3):
        lake.commit_raw(raw_commit(number * SEGMENT_ROWS, SEGMENT_ROWS, position=number + 1))
        commit_clean(judge, raw_rows(number * SEGMENT_ROWS, SEGMENT_ROWS))
    return root


@pytest.fixture
def again(filled: Path) -> Iterator[Lake]:
    with Lake.open(filled, writer="rejudge") as opened:
        yield opened


def commit_clean(judge: Lake, raw: pa.Table, version: int | None = 1) -> None:
    until = raw["arrival"].to_pylist()[-1] + 1
    memory = f"until {until}".encode()
    judge.commit_clean(CleanCommit(CleanBatch(judged(raw)), until, memory, version))


def bad(first: int, count: int) -> pa.Table:
    """New verdicts: BAD spike, with a repaired value."""
    rows = raw_rows(first, count)
    return judged(rows, value_clean=[0.5] * count, quality=[2] * count, reasons=[16] * count)


def of_tags(rows: pa.Table, tags: list[str]) -> pa.Table:
    return rows.filter(pc.is_in(rows["tag"], value_set=pa.array(tags)))


def replace(lake: Lake, rows: pa.Table, tags: list[str], *, version: int = 2) -> Outcome:
    with closing(lake.rejudging(SPAN)) as rejudging:
        rejudging.choose(tags)
        rejudging.add(CleanBatch(rows))
        return rejudging.replace("*tag[01]", version)


def split(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Give the readings of SPAN and TAGS, and all others."""
    is_inside = [
        number in INSIDE and tag in TAGS
        for number, tag in zip(rows["arrival"].to_pylist(), rows["tag"].to_pylist(), strict=True)
    ]
    mask = pa.array(is_inside)
    return rows.filter(mask), rows.filter(pc.invert(mask))


def test_only_verdicts_of_the_range_and_the_tags_are_replaced(filled: Path, again: Lake) -> None:
    before = fetch(filled, ALL)
    outcome = replace(again, of_tags(bad(0, 90), TAGS), TAGS)
    assert outcome == Outcome(40, {Change(0, 0, 2, 16): 40})
    inside, outside = split(fetch(filled, ALL))
    was_inside, was_outside = split(before)
    assert outside.equals(was_outside)
    verdict = ["value_clean", "quality", "reasons", "rule_version"]
    assert inside.drop(verdict).equals(was_inside.drop(verdict))
    row = {"value_clean": 0.5, "quality": 2, "reasons": 16, "rule_version": 2}
    assert inside.select(verdict).to_pylist() == [row] * 40


def test_segments_that_were_written_anew_are_plain_sorted_and_hashed(
    filled: Path, again: Lake
) -> None:
    replace(again, bad(0, 90), TAGS)
    noted = fetch(filled, "FROM house.segments WHERE path LIKE 'clean/%'").to_pylist()
    assert len(noted) == 3
    tables = []
    for row in noted:
        path = filled / "data" / row["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        table = pq.read_table(path)
        assert table.equals(table.sort_by([("tag", "ascending"), ("source_time", "ascending")]))
        assert row["row_count"] == table.num_rows == SEGMENT_ROWS
        tables.append(table)
    plain = pa.concat_tables(tables).sort_by("arrival")
    assert plain["quality"].to_pylist() == fetch(filled, ALL)["quality"].to_pylist()


def test_what_is_compared_is_what_is_replaced_later(filled: Path, again: Lake) -> None:
    before = fetch(filled, ALL)
    with closing(again.rejudging(SPAN)) as rejudging:
        assert rejudging.choose(TAGS) == 40
        rejudging.add(CleanBatch(bad(0, 90)))
        outcome = rejudging.compare()
        assert fetch(filled, ALL).equals(before)
        assert rejudging.replace(None, 2) == outcome
    assert not (filled / "state" / "rejudge").exists()
    (noted,) = fetch(filled, "SELECT * EXCLUDE made_at FROM rejudgements").to_pylist()
    assert noted == {
        "from_time": SPAN.start,
        "to_time": SPAN.end,
        "pattern": None,
        "rule_version": 2,
        "replaced": 40,
        "changed": 40,
    }


def test_readings_that_were_judged_meanwhile_keep_their_verdicts(
    filled: Path, lake: Lake, judge: Lake, again: Lake
) -> None:
    span = Span(SPAN.start, None)
    lake.commit_raw(raw_commit(90, SEGMENT_ROWS, position=4))
    with closing(again.rejudging(span)) as rejudging:
        rejudging.choose(TAGS)
        commit_clean(judge, raw_rows(90, SEGMENT_ROWS))
        rejudging.add(CleanBatch(bad(0, 120)))
        assert rejudging.replace(None, 2).replaced == 50
    found = fetch(filled, ALL).filter(pc.greater_equal(pc.field("arrival"), 90))
    assert found["rule_version"].to_pylist() == [1] * SEGMENT_ROWS


def test_what_is_made_of_readings_is_replaced_with_them(
    filled: Path, judge: Lake, again: Lake, lake: Lake
) -> None:
    lake.commit_raw(raw_commit(90, 3, position=4))
    raw = raw_rows(90, 3)
    made = raw.set_column(1, raw.schema.field("tag"), [[f"s/a/l/m/tag0/{k}" for k in "xyz"]])
    commit_clean(judge, pa.concat_tables([raw, made]))
    span = Span(START, None)
    with closing(again.rejudging(span)) as rejudging:
        is_raw = {each.tag: each.is_raw for each in rejudging.judged_tags}
        assert [tag for tag in is_raw if not is_raw[tag]] == made["tag"].to_pylist()
        rejudging.choose([tag for tag in is_raw if tag.startswith("s/a/l/m/tag0")])
        new = judged(made, value_clean=[7.0] * 3)
        fresh = new.slice(1, 1).set_column(1, new.schema.field("tag"), [["s/a/l/m/tag0/new"]])
        late = fresh.set_column(0, new.schema.field("arrival"), [[93]])  # of one not judged yet
        rejudging.add(CleanBatch(pa.concat_tables([new.slice(0, 2), fresh, late])))
        assert rejudging.replace(None, 2) == Outcome(2, {Change(0, 0, 0, 0): 2}, 1, 1)
    found = fetch(filled, "SELECT * FROM clean.readings WHERE tag LIKE '%tag0/%' ORDER BY tag")
    assert [tag.rsplit("/", 1)[1] for tag in found["tag"].to_pylist()] == ["new", "x", "y"]
    assert found["value_clean"].to_pylist() == [7.0] * 3
    assert found["rule_version"].to_pylist() == [2] * 3
    with closing(again.rejudging(span)) as rejudging:
        rejudging.choose([each.tag for each in rejudging.judged_tags])
        assert rejudging.replace(None, 3) == Outcome(0, {}, 0, 3)
    assert fetch(filled, "SELECT count(*) AS n FROM readings")["n"].to_pylist() == [93]
    assert len(list(filled.glob("data/clean/readings/rejudge-000002-*"))) == 1


def test_a_reader_sees_old_verdicts_or_new_ones_and_later_only_these(
    filled: Path, again: Lake
) -> None:
    with connect(filled) as reader:
        asked = "SELECT DISTINCT rule_version FROM readings WHERE tag LIKE '%tag0'"
        reader.execute("BEGIN")
        assert reader.execute(asked).fetchall() == [(1,)]
        with closing(again.rejudging(Span(START, None))) as rejudging:
            rejudging.choose(TAGS)
            rejudging.add(CleanBatch(bad(0, 90)))
            rejudging.replace(None, 2)
        assert reader.execute(asked).fetchall() == [(1,)]
        reader.execute("ROLLBACK")
        assert reader.execute(asked).fetchall() == [(2,)]
    maintain(filled, now=datetime.now(UTC) + KEEP_SNAPSHOTS + timedelta(minutes=10))
    kept = {path.name for path in (filled / "data/clean/readings").iterdir()}
    assert kept == {f"rejudge-000001-{number:06d}.parquet" for number in range(3)}
    assert fetch(filled, "SELECT count(*) AS n FROM readings")["n"].to_pylist() == [90]


def test_segments_that_were_merged_are_judged_again_too(
    filled: Path, lake: Lake, judge: Lake, again: Lake
) -> None:
    for number in range(MERGE_FROM):
        lake.commit_raw(raw_commit(90 + number * 3, 3, position=number + 4))
        commit_clean(judge, raw_rows(90 + number * 3, 3), version=None)
    with closing(again.rejudging(SPAN)):
        assert maintain(filled, now=START).merged_count == MERGE_FROM + 3  # raw alone
    again.close()
    assert maintain(filled, now=START).merged_count == MERGE_FROM + 3
    before = fetch(filled, ALL)
    with Lake.open(filled, writer="rejudge") as third:
        assert replace(third, bad(0, 90), TAGS).replaced == 40
    after = fetch(filled, ALL)
    assert split(after)[1].equals(split(before)[1])
    assert maintain(filled, now=START).merged_count == 0
    paths = {row["path"] for row in fetch(filled, "FROM house.segments").to_pylist()}
    assert "clean/readings/rejudge-000001-000000.parquet" in paths
    assert fetch(filled, ALL).equals(after)


def test_a_lake_of_an_older_program_is_judged_again(lake: Lake, root: Path) -> None:
    with Lake.open(root, writer="rejudge") as older:
        as_format_1(older, root)
        older._connection.execute("DROP VIEW main.readings")
        older._connection.execute("ALTER TABLE clean.readings DROP COLUMN rule_version")
        older._connection.execute("DROP TABLE house.rule_versions")
        older._connection.execute("DROP TABLE house.rejudgements")
        older._connection.execute("DELETE FROM house.view_version")
        for number in range(3):  # as that program committed
            raw = raw_rows(number * SEGMENT_ROWS, SEGMENT_ROWS)
            lake.commit_raw(raw_commit(number * SEGMENT_ROWS, SEGMENT_ROWS, position=number + 1))
            rows = Addition(CLEAN_READINGS, judged(raw))
            older._committer.commit(f"judge-{number:012d}", [rows])
    with Lake.open(root, writer="rejudge") as newer:
        assert fetch(root, ALL)["rule_version"].null_count == 90
        assert newer.rule_version("digest", "{}") == 1
        replace(newer, bad(0, 90), TAGS, version=1)
    inside, outside = split(fetch(root, ALL))
    assert set(inside["rule_version"].to_pylist()) == {1}
    assert outside["rule_version"].null_count == outside.num_rows == 50


def test_rules_have_one_number_each_whoever_asks(filled: Path, judge: Lake, again: Lake) -> None:
    numbers = [
        judge.rule_version("a", "{}"),
        again.rule_version("b", "{}"),
        judge.rule_version("b", "{}"),
        again.rule_version("a", "{}"),
    ]
    assert numbers == [1, 2, 2, 1]
    assert fetch(filled, "FROM rule_versions").num_rows == 2


def test_only_one_judges_again_at_a_time(
    filled: Path, again: Lake, judge: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lake_module._WAITS_S, "rejudge", 0.1)
    with pytest.raises(TransientError, match="another process writes the rejudge"):
        Lake.open(filled, writer="rejudge")
    with pytest.raises(ContractError, match="replaces no verdicts"):
        judge.rejudging(SPAN)
    assert again.rejudging(SPAN).judged_tags


def test_nothing_chosen_makes_no_snapshot(filled: Path, again: Lake) -> None:
    def snapshots() -> object:
        return again._connection.execute(
            "SELECT count(*) FROM ducklake_snapshots('lake')"
        ).fetchone()

    before = snapshots()
    assert replace(again, CLEAN_SCHEMA.empty_table(), TAGS) == Outcome(0, {})
    assert snapshots() == before
    assert fetch(filled, "FROM rejudgements").num_rows == 0
    names = [path.name for path in (filled / "data/clean/readings").iterdir()]
    assert not [name for name in names if name.startswith("rejudge")]


# A child that judges all again and dies, by strace's kill -9 as it enters the n-th call of a kind.
CHILD = """
import sys
from contextlib import closing
from pathlib import Path
from contracts.batches import CleanBatch
from store.lake import Lake
from tests.store.test_rejudging import START, TAGS, Span, bad
print("started", flush=True)
with Lake.open(Path(sys.argv[1]), writer="rejudge") as lake:
    with closing(lake.rejudging(Span(START, None))) as rejudging:
        rejudging.choose(TAGS)
        rejudging.add(CleanBatch(bad(0, 90)))
        print("begun", flush=True)
        rejudging.replace(None, 2)
    print("done", flush=True)
"""


def run_child(root: Path, *prefix: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*prefix, sys.executable, "-c", CHILD, str(root)],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("call", "number"),
    [("fsync", 2), ("fsync", 6), ("rename", 3), ("write", 100)],
)
def test_a_kill_at_any_call_leaves_all_old_verdicts_or_all_new_ones(
    strace: str, filled: Path, call: str, number: int
) -> None:
    traced = [strace, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}"]
    died = run_child(filled, *traced, "-e", f"inject={call}:signal=KILL:when={number}")
    if b"started" not in died.stdout:
        pytest.skip("strace may not trace here: allow ptrace")
    assert died.returncode < 0, "the call never came: the test tests nothing"
    versions = f"SELECT rule_version, count(*) AS n FROM readings WHERE {_IN_TAGS} GROUP BY ALL"
    found = fetch(filled, versions).to_pylist()
    assert found in ([{"rule_version": 1, "n": 60}], [{"rule_version": 2, "n": 60}])
    assert run_child(filled).returncode == 0
    assert fetch(filled, versions).to_pylist() == [{"rule_version": 2, "n": 60}]
    assert fetch(filled, "SELECT count(*) AS n FROM readings")["n"].to_pylist() == [90]
    assert not (filled / "state" / "rejudge").exists()


_IN_TAGS = "tag IN ('s/a/l/m/tag0', 's/a/l/m/tag1')"


def test_a_disk_that_fails_leaves_the_old_verdicts_and_no_file(filled: Path, again: Lake) -> None:
    folder = filled / "data/clean/readings"
    (folder / "rejudge-000001-000001.parquet.part").mkdir()  # as if it could not be written
    before = fetch(filled, ALL)
    with pytest.raises(GainlineError, match="disk of the store failed"):
        replace(again, bad(0, 90), TAGS)
    assert fetch(filled, ALL).equals(before)
    (folder / "rejudge-000001-000001.parquet.part").rmdir()
    assert fetch(filled, "FROM rejudgements").num_rows == 0
    assert not [path for path in folder.iterdir() if path.name.startswith("rejudge")]
