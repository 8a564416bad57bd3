from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import DataError
from gainline.files.tables import read_table, write_table


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_a_table_comes_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    table = pa.table({"tag": ["a", "b"], "value": [1.5, 2.5]})
    write_table(table, tmp_path / name)
    assert read_table(tmp_path / name, columns=("tag", "value")).equals(table)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_a_file_that_is_no_table_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x00\xff\n\n\x00,,,\n1,2\n")
    with pytest.raises(DataError) as raised:
        read_table(path, columns=("tag",))
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("tag,value\na,1\n")
    with pytest.raises(DataError, match="'source_time' is missing; it has tag, value"):
        read_table(path, columns=("tag", "source_time"))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file"):
        read_table(Path("nowhere.csv"))


def test_lists_of_words_go_to_csv_with_blanks(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(pa.table({"reasons": [["spike", "range"], []]}), path)
    assert path.read_text().splitlines() == ['"reasons"', '"spike range"', '""']


def test_what_has_no_place_in_a_cell_of_csv_becomes_text(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_table(pa.table({"extra": [[{"a": 1}], None], "spot": [{"x": 1.5}, {"x": None}]}), path)
    assert path.read_text().splitlines()[1] == '"[{""a"": 1}]","{""x"": 1.5}"'


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)


def test_text_of_another_encoding_is_told_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("line,period\nPré,2026-03-02\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"t\.csv: is not UTF-8; save the file as UTF-8"):
        read_table(path)
