"""The files of a store, on a disk and in a bucket: the same promises of both."""

from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import pytest

from contracts.errors import ConfigError, GainlineError, UnreachableError
from store.place.files import Files
from store.place.folder import Folder
from store.place.local_files import LocalFiles
from store.place.location import Location, settle
from store.place.s3_files import S3Files


@pytest.fixture(params=["disk", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "disk":
        return LocalFiles(tmp_path)
    location: Location = request.getfixturevalue("elsewhere")
    bucket = location.bucket()
    assert bucket is not None
    return S3Files(bucket, bucket.root)


def content(files: Files, name: str) -> bytes:
    return b"".join((files / name).blocks())


def test_what_was_written_is_read_whole_and_in_parts(files: Files) -> None:
    words = bytes(range(256)) * 20_000
    file = files.below("data") / "raw/readings/a.parquet"
    file.write(lambda sink: sink.write(words))
    assert content(files, "data/raw/readings/a.parquet") == words
    assert (file.name, file.byte_count()) == ("raw/readings/a.parquet", len(words))
    assert str(file) == f"{files}/data/raw/readings/a.parquet"
    with file.open() as source:
        source.seek(len(words) - 10)
        assert source.read() == words[-10:]


def test_a_file_is_replaced_as_a_whole(files: Files) -> None:
    for words in (b"a long beginning", b"end"):
        (files / "one").write(lambda sink, words=words: sink.write(words))
    assert content(files, "one") == b"end"


def test_a_write_that_fails_leaves_what_was_there(files: Files) -> None:
    (files / "one").write(lambda sink: sink.write(b"first"))

    def fail(sink: BinaryIO) -> None:
        sink.write(b"half")
        raise InterruptedError

    for name in ("one", "two"):
        with pytest.raises((InterruptedError, GainlineError)):
            (files / name).write(fail)
    assert content(files, "one") == b"first"
    with pytest.raises(FileNotFoundError):
        (files / "two").byte_count()
    assert files.names("") == ["one"]


def test_what_is_not_there_is_not_found_and_may_be_removed(files: Files) -> None:
    for attempt in (
        (files / "none").byte_count,
        lambda: content(files, "none"),
        lambda: (files / "none").open().read(),
    ):
        with pytest.raises(FileNotFoundError):
            attempt()
    (files / "none").remove()


def test_files_are_named_by_how_they_begin_and_removed(files: Files) -> None:
    files.begin()
    assert files.names("") == []
    for name in ("ingest-1", "ingest-2", "judge-1", "below/ingest-3"):
        (files / name).write(lambda sink: sink.write(b"x"))
    assert sorted(files.names("ingest-")) == ["ingest-1", "ingest-2"]
    (files / "ingest-1").remove()
    assert files.names("ingest-") == ["ingest-2"]
    assert files.below("below").names("") == ["ingest-3"]
    assert files.remove_leftovers(datetime.now(UTC)) == 0


def test_a_bucket_that_does_not_let_us_in_or_answer_is_named(
    elsewhere: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = Location(
        data=elsewhere.data, s3_endpoint="http://127.0.0.1:9", s3_access_key="gainline"
    )
    settle(tmp_path / "store", silent)
    with pytest.raises(UnreachableError, match="bucket does not answer"):
        Folder(tmp_path / "store").require_store()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    there = Location(
        data=elsewhere.data, s3_endpoint=elsewhere.s3_endpoint, s3_access_key="gainline"
    )
    settle(tmp_path / "other", there)
    with pytest.raises(ConfigError, match="bucket does not let us in"):
        Folder(tmp_path / "other").require_store()
