import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import ConfigError, DataError, TransientError
from store.lake import Lake
from store.place.folder import Folder
from store.query import connect, fetch, fetch_rows
from store.views.answers import Answer
from tests.store.samples import clean_commit, raw_commit, raw_rows

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    with Lake.open(folder, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 3, position=3))
    return folder


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; SELECT 2",
        "CREATE TABLE x (a INT)",
        "INSERT INTO raw.readings SELECT * FROM raw.readings",
        "UPDATE house.ingest_progress SET position = 0",
        "DELETE FROM raw.readings",
        "DROP VIEW readings",
        "COPY (SELECT 1) TO '{root}/data/x.parquet'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/data/x.parquet'",
        "EXPLAIN ANALYZE DELETE FROM raw.readings",
        "explain (analyze) delete from raw.readings",
        "EXPLAIN /* */ ANALYZE DELETE FROM raw.readings",
        "EXPORT DATABASE '{root}/data/x'",
        "ATTACH '{root}/data/x.db'",
        "DETACH lake",
        "USE memory",
        "SET threads = 1",
        "SET enable_external_access = true",
        "PRAGMA threads = 1",
        "INSTALL httpfs",
        "LOAD httpfs",
        "BEGIN",
        "CHECKPOINT",
        "CALL ducklake_expire_snapshots('lake', older_than => now())",
        "FROM ducklake_expire_snapshots('lake', older_than => now())",
        "FROM ducklake_cleanup_old_files('lake', cleanup_all => true)",
        "FROM read_text('/etc/passwd')",
        "FROM query('FROM duck' || 'lake_cleanup_old_files(''lake'', cleanup_all => true)')",
        "FROM \"ducklake_delete_orphaned_files\"('lake', cleanup_all => true)",
        "FROM read_csv('/etc/passwd')",
        "FROM '/etc/passwd'",
        "FROM glob('/*')",
        "FROM sqlite_scan('/etc/x.sqlite', 't')",
        "SELECT nope FROM readings",
        "SELECT 'a'::INT",
        "selct",
    ],
)
def test_sql_that_is_not_one_query_of_the_lake_is_refused_in_one_line(
    filled: Path, sql: str
) -> None:
    with pytest.raises(DataError) as refusal:
        fetch(filled, sql.format(root=filled))
    assert "\n" not in str(refusal.value)
    assert fetch(filled, "SELECT count(*) AS n FROM raw.readings")["n"][0].as_py() == 3
    assert not list(filled.glob("data/x*"))


@pytest.mark.parametrize(
    "sql",
    [
        "FROM raw.readings",
        "WITH r AS (SELECT 1 AS a) SELECT a FROM r",
        "VALUES (1)",
        "DESCRIBE readings",
        "SHOW TABLES",
        "SUMMARIZE ledger",
        "EXPLAIN SELECT * FROM readings",
        "EXPLAIN ANALYZE SELECT * FROM readings",
        "explain (format json) select 1",
        "SELECT ';'; ",
    ],
)
def test_whatever_only_reads_is_answered(filled: Path, sql: str) -> None:
    assert fetch(filled, sql).num_columns


def test_an_answer_comes_as_plain_rows_too(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 3, position=3))
    sql = "SELECT arrival, tag FROM raw.readings WHERE arrival < ? ORDER BY arrival"
    assert fetch_rows(root, sql, [2]) == (
        ["arrival", "tag"],
        [(0, "s/a/l/m/tag0"), (1, "s/a/l/m/tag1")],
    )


def test_an_answer_is_taken_in_parts(filled: Path) -> None:
    with connect(filled) as connection:
        found = Answer(connection.execute("SELECT i FROM range(25) AS t(i)"))
        assert found.names == ["i"]
        assert [len(part) for part in found.rows(part_rows=10)] == [10, 10, 5]
        schema, batches = Answer(connection.execute("SELECT 1 AS a")).batches()
        assert [batch.to_pydict() for batch in batches] == [{"a": [1]}]
        assert schema.names == ["a"]


def test_times_are_shown_in_utc(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1))
    sql = "SELECT CAST(source_time AS VARCHAR) AS t FROM raw.readings"
    assert fetch(root, sql)["t"][0].as_py() == "2026-01-05 00:00:00+00"


def test_a_folder_without_a_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no store"):
        connect(tmp_path)
    with pytest.raises(ConfigError, match="there is no store"):
        fetch(tmp_path / "nowhere", "SELECT 1")
    assert not list(tmp_path.iterdir())


def test_a_query_sees_whole_commits_while_a_writer_commits(
    lake: Lake, judge: Lake, root: Path
) -> None:
    lake.commit_raw(raw_commit(0, 100, position=100))
    with connect(root) as reader:
        for number in range(1, 6):
            counted = "SELECT count(*), (SELECT sum(received) FROM ledger) FROM raw.readings"
            assert reader.execute(counted).fetchone() == (number * 100, number * 100)
            lake.commit_raw(raw_commit(number * 100, 100, position=number * 100 + 100))
            judge.commit_clean(clean_commit(raw_rows(number * 100, 100)))
        assert reader.execute("SELECT count(*) FROM readings").fetchone() == (500,)


def test_a_plain_query_loads_no_pyarrow(lake: Lake, root: Path) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1))
    program = (
        "import sys; from pathlib import Path; from store.query import fetch_rows;"
        f"print(fetch_rows(Path({str(root)!r}), 'SELECT count(*) FROM raw.readings')[1]);"
        "assert 'pyarrow' not in sys.modules and 'pandas' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[(1,)]\n"


READER = """
import sys
from pathlib import Path
from contracts.errors import ConfigError, TransientError
from store.query import fetch_rows
print("looking", flush=True)
while True:
    try:
        fetch_rows(Path(sys.argv[1]), "FROM ledger")
    except TransientError:
        continue
    except ConfigError as error:
        assert "there is no store" in str(error), error
        continue
    break
"""


def test_a_reader_of_a_store_that_is_being_made_is_told_to_try_again(root: Path) -> None:
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(root)], cwd=REPOSITORY, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    assert [reader.stdout and reader.stdout.readline() for reader in readers] == [b"looking\n"] * 3
    with Lake.open(root, writer="ingest"):
        assert [reader.communicate(timeout=30) and reader.returncode for reader in readers] == [
            0
        ] * 3


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_store_whose_making_was_cut_short_is_worth_a_retry(root: Path, left: str) -> None:
    Folder(root).prepare()
    if left == "an empty file":
        (root / "catalog.sqlite").touch()
    with pytest.raises(TransientError, match="not finished yet: try again"):
        fetch(root, "FROM ledger")
    Lake.open(root, writer="judge").close()
    assert fetch(root, "FROM ledger").num_rows == 0
