import os
from pathlib import Path

import pytest

from contracts.errors import DataError
from gainline.files.outfile import whole_file


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    with whole_file(path) as part:
        part.write_text("half")
        assert not path.exists()
        part.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("last week's")
    with pytest.raises(UnicodeEncodeError), whole_file(path) as part:
        part.write_text("half, then \ud800")
    assert path.read_text() == "last week's"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["missing/report.html", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(DataError, match=f"{name}: cannot be written"),
        whole_file(tmp_path / name) as part,
    ):
        part.write_text("whole")


def test_a_device_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with whole_file(pipe) as part:
        part.write_text("whole")
    assert os.read(reader, 64) == b"whole"
    os.close(reader)
    assert pipe.is_fifo()
