from pathlib import Path

import pyarrow.parquet as pq

from store.segments import ROW_GROUP_ROWS, write_segment
from tests.store.samples import START_US, raw_rows


def test_a_segment_lies_sorted_by_tag_and_time_in_small_encodings(tmp_path: Path) -> None:
    rows = raw_rows(0, 6, tag=list("bababa"), source_time=[None, *(START_US - n for n in range(5))])
    segment = write_segment(rows, tmp_path / "s.parquet")
    found = pq.read_table(segment.path)
    assert found["tag"].to_pylist() == list("aaabbb")
    assert found["arrival"].to_pylist() == [5, 3, 1, 4, 2, 0]
    assert found.schema.types == rows.schema.types
    group = pq.ParquetFile(segment.path).metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    for name in ("arrival", "source_time", "received_time", "seq"):
        assert "DELTA_BINARY_PACKED" in columns[name].encodings
    for name in ("tag", "value", "topic"):
        assert "RLE_DICTIONARY" in columns[name].encodings
    assert {column.compression for column in columns.values()} == {"ZSTD"}


def test_a_large_segment_has_row_groups_of_one_size(tmp_path: Path) -> None:
    count = ROW_GROUP_ROWS + 10
    segment = write_segment(raw_rows(0, count), tmp_path / "s.parquet")
    metadata = pq.ParquetFile(segment.path).metadata
    assert [metadata.row_group(n).num_rows for n in range(2)] == [ROW_GROUP_ROWS, 10]
    assert (segment.row_count, segment.byte_count) == (count, segment.path.stat().st_size)


def test_the_same_rows_make_the_same_segment_over_a_leftover(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    path.write_bytes(b"half a segment")
    first = write_segment(raw_rows(0, 50), path)
    assert write_segment(raw_rows(0, 50), path) == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.parquet"]
