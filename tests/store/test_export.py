import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from contracts.errors import ConfigError, DataError
from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from store.query import fetch
from store.safety.export import MANIFEST, Range, export_files, export_readings
from tests.store.samples import START_US, clean_commit, raw_commit, raw_rows

TAG0 = "s/a/l/m/tag0"
START = datetime.fromtimestamp(START_US / 1e6, UTC)


@pytest.fixture
def store(root: Path) -> Path:
    tags = [Tag(f"s/a/l/m/tag{n}", Place("s"), None, Kind.GAUGE) for n in range(3)]
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 300, position=300), new_tags=tags)
    with Lake.open(root, writer="judge") as lake:
        lake.commit_clean(
            clean_commit(raw_rows(0, 300), quality=[0, 1, 2] * 100, reasons=[3] * 300)
        )
    return root


def newest(root: Path) -> int:
    found = fetch(root, "SELECT max(snapshot_id) AS n FROM ducklake_snapshots('lake')")
    return int(found["n"][0].as_py())


def test_the_files_of_a_snapshot_are_read_by_any_engine(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported = export_files(store, out)
    assert exported.row_counts["clean.readings"] == exported.row_counts["raw.readings"] == 300
    assert exported.row_counts["tags"] == 3
    clean = out / "clean" / "readings"
    assert ds.dataset(clean).count_rows() == 300
    assert len(pd.read_parquet(clean)) == 300
    counted = duckdb.sql(f"SELECT count(*), max(arrival) FROM '{clean}/*.parquet'").fetchone()
    assert counted == (300, 299)
    assert pq.read_table(out / "tags.parquet")["tag"].to_pylist()[0] == TAG0
    manifest = json.loads((out / MANIFEST).read_text())
    assert manifest["snapshot"] == newest(store)
    assert {each["path"] for each in manifest["files"]} == {
        str(path.relative_to(out)) for path in out.rglob("*.parquet")
    }
    with pytest.raises(ConfigError, match="is not empty"):
        export_files(store, out)


def test_an_older_snapshot_is_exported_by_number_or_time(store: Path, tmp_path: Path) -> None:
    before, moment = newest(store), datetime.now(UTC)
    with Lake.open(store, writer="ingest") as lake:
        lake.commit_raw(raw_commit(300, 100, position=400))
    for number, at in enumerate((before, moment, None)):
        exported = export_files(store, tmp_path / str(number), at=at)
        assert exported.row_counts["raw.readings"] == (300, 300, 400)[number]
    with pytest.raises(ConfigError, match="there is no snapshot 999"):
        export_files(store, tmp_path / "x", at=999)
    with pytest.raises(ConfigError, match="restore --at"):
        export_readings(
            store, tmp_path / "x", Range(), at=START - timedelta(days=9999), is_csv=True
        )
    assert not (tmp_path / "x").exists()


def test_a_range_of_readings_is_one_sorted_table(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "it's.parquet"
    wanted = Range("*/tag[01]", START + timedelta(seconds=10), START + timedelta(seconds=100))
    exported = export_readings(store, out, wanted, is_csv=False)
    table = pq.read_table(out)
    expected = fetch(
        store,
        "FROM readings WHERE tag IN ('s/a/l/m/tag0', 's/a/l/m/tag1')"
        " AND epoch_us(source_time) >= ? AND epoch_us(source_time) < ? ORDER BY tag, source_time",
        [START_US + 10_000_000, START_US + 100_000_000],
    )
    assert exported.row_counts == {"readings": 60}
    assert table.to_pylist() == expected.to_pylist()
    with pytest.raises(DataError, match="no tag matches"):
        export_readings(store, out, Range("nobody/*"), is_csv=False)


def test_a_csv_has_one_line_a_reading(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    export_readings(store, out, Range(TAG0), is_csv=True)
    head, first, *rest = out.read_text().splitlines()
    assert len(rest) == 99
    row = dict(zip(head.split(","), first.split(","), strict=True))
    assert (row["tag"], row["value"], row["reasons"]) == (TAG0, "0.0", "missing type")
    assert row["source_time"] == "2026-01-05 00:00:00+00"


def test_a_damaged_segment_is_not_exported(store: Path, tmp_path: Path) -> None:
    path = next(store.glob("data/raw/**/*.parquet"))
    path.write_bytes(b"X" + path.read_bytes()[1:])
    with pytest.raises(DataError, match="gainline scrub"):
        export_files(store, tmp_path / "out")
    assert not (tmp_path / "out" / MANIFEST).exists()
