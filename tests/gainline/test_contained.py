"""SQL of others reads the store and does nothing else, whatever it says."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import ConfigError, DataError, GainlineError
from gainline.sql.contained import Cell
from store.lake import Lake
from tests.store.samples import clean_commit, raw_commit, raw_rows

# What a test waits for a statement to be under way, and for its end.
UNDER_WAY_S = 0.5
END_S = 20.0

NO_QUERY = [
    "",
    ";",
    "-- nothing",
    "SELECT 1; SELECT 2",
    "SELECT 1; DELETE FROM raw.readings",
    "SELECT 1 /* ; */; DROP VIEW readings -- SELECT",
    "CREATE TABLE x (a INT)",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE OR REPLACE TEMP MACRO around(a, b, c) AS TABLE SELECT 1",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO raw.readings SELECT * FROM raw.readings",
    "UPDATE house.ingest_progress SET position = 0",
    "DELETE FROM raw.readings",
    "TRUNCATE raw.readings",
    "MERGE INTO raw.readings USING raw.readings AS s ON false WHEN NOT MATCHED THEN INSERT *",
    "DROP VIEW readings",
    "ALTER TABLE raw.readings ADD COLUMN x INT",
    "COMMENT ON TABLE raw.readings IS 'x'",
    "COPY (SELECT 1) TO '{root}/data/x.parquet'",
    "COPY (SELECT 1) TO '{root}/catalog.sqlite'",
    "COPY raw.readings FROM '/etc/passwd'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/data/x.parquet'",
    "EXPLAIN (ANALYZE) DELETE FROM raw.readings",
    "EXPLAIN /* */ ANALYZE DELETE FROM raw.readings",
    "/* EXPLAIN(*/ EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/data/x' -- )*/ SELECT 1",
    "WITH x AS (DELETE FROM raw.readings RETURNING *) FROM x",
    "EXPORT DATABASE '{root}/data/x'",
    "IMPORT DATABASE '{root}/data/x'",
    "ATTACH '{root}/data/x.db'",
    "ATTACH '{root}/catalog.sqlite' AS c (TYPE sqlite)",
    "DETACH lake",
    "USE memory",
    "SET threads = 1",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "SET VARIABLE x = 1",
    "PRAGMA database_list",
    "PRAGMA enable_profiling='json'",
    "INSTALL httpfs",
    "LOAD '/etc/x.duckdb_extension'",
    "BEGIN",
    "CHECKPOINT",
    "VACUUM",
    "ANALYZE",
    "PREPARE p AS DELETE FROM raw.readings",
    "EXECUTE p",
    "CALL ducklake_expire_snapshots('lake', older_than => now())",
    "CALL lake.set_option('x', '1')",
    "\ufeffDELETE FROM raw.readings",
    "DELETE\u00a0FROM\u2003raw.readings",
    "SELECT 1 \0; DELETE FROM raw.readings",
]
MORE_THAN_THE_STORE = [
    "FROM ducklake_expire_snapshots('lake', older_than => now())",
    "FROM ducklake_cleanup_old_files/**/('lake', cleanup_all => true)",
    "FROM system.main.\"DUCKLAKE_delete_orphaned_files\" -- (\n('lake', cleanup_all => true)",
    "FROM lake.expire_snapshots(older_than => now())",
    "FROM lake.cleanup_old_files(cleanup_all => true)",
    "SELECT (SELECT count(*) FROM ducklake_merge_adjacent_files('lake'))",
    "WITH a AS (FROM ducklake_flush_inlined_data('lake')) SELECT 1",
    "EXPLAIN ANALYZE FROM ducklake_cleanup_old_files('lake', cleanup_all => true)",
    "FROM query('DELETE FROM raw.readings')",
    "FROM query /* */ ('FROM duck' || 'lake_cleanup_old_files(''lake'')')",
    "FROM query_table('/etc/passwd')",
    "SELECT json_serialize_plan('FROM ducklake_cleanup_old_files(''lake'', cleanup_all => true)')",
    "SELECT 'FROM readings'.JSON_serialize_plan()",
    "SELECT (SELECT max(write_log(tag)) FROM readings)",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "FROM sqlite_query('{root}/catalog.sqlite', 'DROP TABLE ducklake_table')",
    "FROM sqlite_scan('{root}/catalog.sqlite', 'ducklake_table')",
    "FROM sqlite_attach('{root}/catalog.sqlite')",
    "FROM read_text('/etc/passwd')",
    "FROM read_text('{root}/format_version')",
    "FROM read_blob('{root}/catalog.sqlite')",
    "FROM read_blob('{root}/data/../catalog.sqlite')",
    "FROM read_text('/proc/self/environ')",
    "FROM read_csv('/etc/passwd')",
    "FROM sniff_csv('/etc/passwd')",
    "FROM read_json_auto('/etc/x.json')",
    "FROM read_duckdb('/etc/x.db')",
    "FROM glob('/*')",
    "FROM glob('{root}/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/etc/x.csv'",
    "SELECT * FROM '{root}/catalog.sqlite'",
    "SELECT * FROM 'https://127.0.0.1/x.parquet'",
    "FROM duckdb_secrets()",
    "FROM which_secret('x', 's3')",
    "FROM duckdb_settings()",
    "FROM duckdb_databases",
    'FROM system.main."Duckdb_Databases"',
    "FROM pragma_database_list()",
    "SUMMARIZE pg_catalog.pg_settings",
    "FROM enable_logging(storage => 'file', storage_path => '{root}/data')",
    "FROM enable_profiling()",
    "FROM force_checkpoint()",
    "FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)",
    "FROM pandas_scan(1)",
    "FROM os",
    "SELECT getenv('HOME')",
    "SELECT write_blob('{root}/data/x', 'y'::BLOB)",
]
TOO_MUCH = [
    "SELECT repeat('x', 4000000000)",
    "SELECT sum(length(repeat('x', 300000000 + i))) FROM range(2000) AS t(i)",
    "SELECT list(i) FROM range(1000000000000) AS t(i)",
    "SELECT count(*) FROM range(1000000000000) AS t(i) WHERE i % 7 = 3",
    "SELECT count(*) FROM range(10000000) AS a(i), range(10000000) AS b(j) WHERE i * j % 7 = 1",
    "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t",
    "SELECT i, random() FROM range(1000000000) AS t(i) ORDER BY 2",
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contained") / "lake"
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 300, position=300))
    with Lake.open(root, writer="judge") as judge:
        judge.commit_clean(clean_commit(raw_rows(0, 300)))
    return root


@pytest.fixture(scope="module")
def cell(store: Path) -> Iterator[Cell]:
    with Cell() as opened:
        opened.open(store, memory_limit_mb=512, time_limit_s=60)
        yield opened


def asked(cell: Cell, sql: str) -> list[dict[str, object]]:
    sink = io.BytesIO()
    cell.ask(sql, "json", sink)
    rows: list[dict[str, object]] = json.loads(sink.getvalue())
    return rows


def content(store: Path) -> dict[str, str]:
    """Every file with its hash, but for SQLite's shared index and empty log, which readers make."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file() and not path.name.endswith("-shm") and path.stat().st_size
    }


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (
            sql,
            r"no query but|holds \d+ statements|not among|is wrong|file to import|number 0",
        )
        for sql in NO_QUERY
    ]
    + [(sql, r"not among the tables|outside the store|is wrong") for sql in MORE_THAN_THE_STORE],
)
def test_what_does_more_than_read_the_store_is_refused(
    cell: Cell, store: Path, sql: str, reason: str
) -> None:
    assert asked(cell, "SELECT count(*) AS n FROM readings") == [{"n": 300}]
    before, process = content(store), cell.pid
    with pytest.raises(DataError, match=reason) as refusal:
        asked(cell, sql.format(root=store))
    assert "\n" not in str(refusal.value)
    assert content(store) == before
    assert cell.pid == process
    assert asked(cell, "SELECT count(*) AS n FROM readings") == [{"n": 300}]


@pytest.mark.parametrize("sql", TOO_MUCH)
def test_what_takes_too_much_is_ended_and_the_next_statement_is_answered(
    store: Path, sql: str
) -> None:
    before = content(store)
    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=1.5)
        with pytest.raises(DataError, match=r"memory|has run for 1.5 s"):
            asked(cell, sql)
        assert content(store) == before
        assert asked(cell, "SELECT count(*) AS n FROM readings") == [{"n": 300}]


@pytest.mark.parametrize(
    "call",
    [
        "around('s/a/l/m/tag1', '2026-01-05 00:01', '1 minute')",
        "ALIGN(['s/a/l/m/tag1', 's/a/l/m/tag2'], INTERVAL 1 MINUTE)",
        "asof('s/a/l/m/tag1', 's/a/l/m/tag2')",
        "downsample('s/a/l/m/tag1', points := 8)",
    ],
)
def test_the_functions_for_engineers_are_answered_each_time(cell: Cell, call: str) -> None:
    assert [bool(asked(cell, f"FROM {call}")) for _ in range(2)] == [True, True]


INTRUDER = """
import json, os, socket, sys
from pathlib import Path
from store.query import connect_confined
store = Path(sys.argv[1])
connection = connect_confined(store, memory_mb=256)
connection.execute("SELECT count(*) FROM readings").fetchall()

def tried(deed):
    try:
        deed()
    except OSError as error:
        return error.errno
    return 0

print(json.dumps([
    tried(lambda: open("/etc/passwd")),
    tried(lambda: open("/proc/self/environ")),
    tried(lambda: open(store / "format_version")),
    tried(lambda: open(store / "data" / "x", "w")),
    tried(lambda: open(store / "catalog.sqlite", "r+")),
    tried(lambda: os.unlink(next((store / "data").rglob("*.parquet")))),
    tried(lambda: os.execv("/bin/true", ["true"])),
    tried(lambda: socket.create_connection(("127.0.0.1", 9), 1)),
]))
"""


def test_the_kernel_holds_it_too_where_it_can(store: Path) -> None:
    before = content(store)
    done = subprocess.run(
        [sys.executable, "-c", INTRUDER, str(store)], capture_output=True, check=True, timeout=60
    )
    if not _has_landlock():
        pytest.skip("this kernel has no Landlock")
    assert set(json.loads(done.stdout)) <= {1, 13}, done.stdout
    assert content(store) == before


def _has_landlock() -> bool:
    return b"landlock" in Path("/proc/kallsyms").read_bytes()


def test_the_process_knows_no_secret_of_ours(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAINLINE__BROKER__PASSWORD", "secret")
    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=30)
        asked(cell, "SELECT 1")
        try:
            environment = Path(f"/proc/{cell.pid}/environ").read_bytes()
        except PermissionError:
            pytest.skip("only root may look: the kernel hides what it starts with from its user")
        assert b"GAINLINE" not in environment


def test_it_answers_while_a_writer_commits(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    with Lake.open(root, writer="ingest") as lake, Cell() as cell:
        cell.open(root, memory_limit_mb=256, time_limit_s=30)
        for number in range(5):
            lake.commit_raw(raw_commit(number * 200, 200, position=number * 200 + 200))
            counted = asked(cell, "SELECT count(*) AS n FROM raw.readings")
            assert counted == [{"n": number * 200 + 200}]


def test_an_answer_of_any_length_passes_through(store: Path) -> None:
    sink = io.BytesIO()
    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=60)
        shown = cell.ask("SELECT i, repeat('x', 1000) FROM range(300000) t(i)", "csv", sink)
    assert shown.row_count == 300_000
    assert sink.getvalue().count(b"\n") == 300_001


def test_a_statement_that_is_interrupted_ends_and_the_next_is_answered(store: Path) -> None:
    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=60)
        process = cell.pid
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        timer = threading.Timer(UNDER_WAY_S, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            asked(cell, "SELECT count(*) FROM range(1000000000000)  AS t(i) WHERE i % 7 = 3")
        signal.signal(signal.SIGINT, before)
        assert not Path(f"/proc/{process}").exists()
        assert asked(cell, "SELECT 1 AS n") == [{"n": 1}]


ORPHAN = """
import os, sys
from pathlib import Path
from gainline.sql.contained import Cell
cell = Cell()
cell.open(Path(sys.argv[1]), memory_limit_mb=256, time_limit_s=600)
print(cell.pid, flush=True)
cell.ask("SELECT count(*) FROM range(1000000000000) AS t(i) WHERE i % 7 = 3", "json", sys.stdout)
"""


def test_the_process_ends_with_whoever_asked_it(store: Path) -> None:
    asker = subprocess.Popen([sys.executable, "-c", ORPHAN, str(store)], stdout=subprocess.PIPE)
    assert asker.stdout
    process = int(asker.stdout.readline())
    time.sleep(UNDER_WAY_S)
    asker.kill()
    asker.wait()
    asker.stdout.close()
    deadline = time.monotonic() + END_S
    while _runs(process):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text(encoding="ascii")
    except OSError:
        return False


def test_a_folder_without_a_store_is_refused(tmp_path: Path) -> None:
    with Cell() as cell:
        cell.open(tmp_path, memory_limit_mb=256, time_limit_s=30)
        for _ in range(2):
            with pytest.raises(ConfigError, match="there is no store"):
                asked(cell, "SELECT 1")


def test_an_answer_that_nobody_takes_does_not_run_out_of_time(store: Path) -> None:
    class Slow(io.BytesIO):
        def write(self, data: object) -> int:
            time.sleep(0.4)
            return super().write(data)  # type: ignore[arg-type]

    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=2)
        asked(cell, "SELECT 1")
        shown = cell.ask("SELECT repeat('x', 900000) FROM range(8)", "csv", Slow())
    assert shown.row_count == 8


def test_a_sink_that_fails_ends_the_statement(store: Path) -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=30)
        with pytest.raises(OSError, match="No space"):
            cell.ask("SELECT * FROM range(1000000)", "csv", Full())
        assert asked(cell, "SELECT 1 AS n") == [{"n": 1}]


def test_a_defect_of_the_process_is_no_fault_of_the_sql(store: Path) -> None:
    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=30)
        with pytest.raises(GainlineError, match="a defect of gainline"):
            cell.ask("SELECT 1", "no such form", io.BytesIO())
