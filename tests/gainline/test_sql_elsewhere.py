"""SQL of others over a store whose catalog is in PostgreSQL and whose data are in a bucket."""

import io
import json
from pathlib import Path

import pytest

from contracts.errors import DataError
from gainline.config.loading import Settings
from gainline.config.sections import StoreSection
from gainline.config.store_place import store_folder
from gainline.sql.contained import Cell
from store.lake import Lake
from store.place.location import Location
from tests.store.samples import clean_commit, raw_commit, raw_rows


@pytest.fixture
def settings(tmp_path: Path, elsewhere: Location) -> Settings:
    return Settings(
        store=StoreSection(
            folder=str(tmp_path / "lake"),
            catalog=elsewhere.catalog,
            data=elsewhere.data,
            s3_endpoint=elsewhere.s3_endpoint,
            s3_access_key=elsewhere.s3_access_key,
        )
    )


def asked(cell: Cell, sql: str) -> list[dict[str, object]]:
    sink = io.BytesIO()
    cell.ask(sql, "json", sink)
    rows: list[dict[str, object]] = json.loads(sink.getvalue())
    return rows


def test_a_confined_process_reads_the_store_and_reaches_nothing_else(settings: Settings) -> None:
    folder = store_folder(settings)
    with Lake.open(folder, writer="ingest") as lake, Lake.open(folder, writer="judge") as judge:
        lake.commit_raw(raw_commit(0, 300, position=300))
        judge.commit_clean(clean_commit(raw_rows(0, 300)))
        with Cell() as cell:
            cell.open(folder, memory_limit_mb=512, time_limit_s=60)
            assert asked(cell, "SELECT count(*) AS n FROM readings") == [{"n": 300}]
            for sql in (
                "COPY (SELECT 1) TO 's3://plant/evil.parquet'",
                "FROM read_parquet('s3://plant/another/x.parquet')",
                "FROM postgres_query('__ducklake_metadata_lake', 'DROP TABLE ducklake_table')",
                "FROM duckdb_secrets()",
                "FROM read_text('/etc/passwd')",
            ):
                with pytest.raises(DataError):
                    asked(cell, sql)
            lake.commit_raw(raw_commit(300, 10, position=310))
            judge.commit_clean(clean_commit(raw_rows(300, 10)))
            assert asked(cell, "SELECT count(*) AS n FROM readings") == [{"n": 310}]
