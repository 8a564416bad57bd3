from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.place.local_files import LocalFiles
from store.segments.segment import ROW_GROUP_ROWS, SORT_KEYS, write_segment
from tests.store.samples import START_US, raw_rows


def test_a_segment_lies_sorted_by_tag_and_time_in_small_encodings(tmp_path: Path) -> None:
    rows = raw_rows(0, 6, tag=list("bababa"), source_time=[None, *(START_US - n for n in range(5))])
    segment = write_segment(rows, LocalFiles(tmp_path) / "s.parquet")
    found = pq.read_table(segment.file.path)
    assert found["tag"].to_pylist() == list("aaabbb")
    assert found["arrival"].to_pylist() == [5, 3, 1, 4, 2, 0]
    assert found.schema.types == rows.schema.types
    group = pq.ParquetFile(segment.file.path).metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    for name in ("arrival", "source_time", "received_time", "seq"):
        assert "DELTA_BINARY_PACKED" in columns[name].encodings
    for name in ("tag", "value", "topic"):
        assert "RLE_DICTIONARY" in columns[name].encodings
    assert {column.compression for column in columns.values()} == {"ZSTD"}


def test_a_large_segment_has_row_groups_of_one_size(tmp_path: Path) -> None:
    count = ROW_GROUP_ROWS + 10
    segment = write_segment(raw_rows(0, count), LocalFiles(tmp_path) / "s.parquet")
    metadata = pq.ParquetFile(segment.file.path).metadata
    assert [metadata.row_group(n).num_rows for n in range(2)] == [ROW_GROUP_ROWS, 10]
    assert (segment.row_count, segment.byte_count) == (count, segment.file.path.stat().st_size)


def coded(rows: pa.Table) -> pa.Table:
    """The same rows with strings as numbers of a dictionary, in two parts with one each."""
    half = rows.num_rows // 2
    parts = []
    for part in (rows.slice(0, half), rows.slice(half)):
        columns = [
            one.dictionary_encode() if pa.types.is_string(one.type) else one for one in part.columns
        ]
        parts.append(pa.table(columns, part.column_names))
    return pa.concat_tables(parts)


@pytest.mark.parametrize("tag_count", [1, 1000])
def test_rows_with_coded_strings_make_the_rows_of_plain_ones(
    tmp_path: Path, tag_count: int
) -> None:
    count = 2 * ROW_GROUP_ROWS + 10
    tags = [f"plant/{number * 617 % tag_count:04d}" for number in range(count)]
    times = [START_US + number // 100 - number % 100 for number in range(count)]
    gateways = [None if number % 3 else "g" for number in range(count)]
    rows = raw_rows(0, count, tag=tags, topic=tags, source_time=times, gateway=gateways)
    plain = pq.read_table(write_segment(rows, LocalFiles(tmp_path) / "plain.parquet").file.path)
    segment = write_segment(coded(rows), LocalFiles(tmp_path) / "coded.parquet")
    assert pq.read_table(segment.file.path).equals(plain)
    wanted = rows.sort_by([(key, "ascending") for key in SORT_KEYS])
    assert plain["arrival"].equals(wanted["arrival"])
    assert [plain[name].to_pylist() for name in ("tag", "topic", "gateway")] == [
        wanted[name].to_pylist() for name in ("tag", "topic", "gateway")
    ]


def test_a_string_that_no_row_has_is_not_written(tmp_path: Path) -> None:
    rows = coded(raw_rows(0, 40, tag=["a"] * 39 + ["secret"], text=["word"] * 39 + ["secret"]))
    segment = write_segment(rows.slice(0, 39), LocalFiles(tmp_path) / "s.parquet")
    assert b"secret" not in segment.file.path.read_bytes()
    assert pq.read_table(segment.file.path)["tag"].to_pylist() == ["a"] * 39


def test_times_that_lie_far_apart_are_in_order_too(tmp_path: Path) -> None:
    far = 4_000_000_000_000_000_000
    rows = raw_rows(0, 6, tag=list("abcabc"), source_time=[far, far, far, -far, 0, 5])
    found = pq.read_table(write_segment(rows, LocalFiles(tmp_path) / "s.parquet").file.path)
    assert found["arrival"].to_pylist() == [3, 0, 4, 1, 5, 2]


def test_the_same_rows_make_the_same_segment_over_a_leftover(tmp_path: Path) -> None:
    file = LocalFiles(tmp_path) / "s.parquet"
    file.path.write_bytes(b"half a segment")
    first = write_segment(raw_rows(0, 50), file)
    assert write_segment(raw_rows(0, 50), file) == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["s.parquet"]
