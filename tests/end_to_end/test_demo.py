"""gainline.trial.demo: all readings of a recording arrive, and what is no recording is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from gainline.cli import run
from store.query import fetch
from tests.end_to_end.pipeline import gainline

ROWS_SQL = "SELECT tag, source_time, value FROM {} ORDER BY tag, source_time, value"


@pytest.mark.parametrize("name", ["nab", "water_flow"])
@pytest.mark.timeout(200)
def test_every_row_of_a_recording_is_stored_once_and_has_a_verdict(
    shared_data: Path, tmp_path: Path, name: str
) -> None:
    recording = shared_data / "sensors" / name / "data.parquet"
    out = tmp_path / "out"
    done = gainline("demo", "--replay", recording, "--out", out, limit_s=180)
    assert done.returncode == 0, done.stderr
    expected = pq.read_table(recording, columns=["tag", "source_time", "value"])
    expected = expected.sort_by([(column, "ascending") for column in expected.column_names])
    for view in ("raw.readings", "readings"):
        assert fetch(out / "lake", ROWS_SQL.format(view)).equals(expected), view
    verdicts = fetch(out / "lake", "SELECT quality, reasons, value_clean FROM readings")
    assert verdicts["quality"].null_count == 0
    doubted = pc.not_equal(verdicts["quality"], 0)
    reasons, quality = verdicts["reasons"].to_pylist(), doubted.to_pylist()
    # a gap is said beside GOOD, too
    assert [any(word != "gap" for word in words) for words in reasons] == quality
    assert "<html" in (out / "report.html").read_text(encoding="utf-8")


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Give the exit code of a demo that does not begin, and what it says."""
    code = run(["demo", *map(str, words)])
    return code, capsys.readouterr().err


def test_a_folder_that_is_no_earlier_demo_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    code, said = refused(capsys, "--out", tmp_path)
    assert code == 3
    assert said.splitlines()[-1].startswith("gainline: --out: ")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"this is no table\n\x00", "not a Parquet table"), (None, "no such file")],
)
def test_a_file_that_is_no_recording_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, words: str
) -> None:
    recording = tmp_path / "recording.parquet"
    if content is not None:
        recording.write_bytes(content)
    code, said = refused(capsys, "--replay", recording, "--out", tmp_path / "out")
    assert code == 1
    assert len(said.splitlines()) == 1
    assert str(recording) in said
    assert words in said
    assert not (tmp_path / "out").exists()


def test_a_recording_without_a_column_is_named_with_what_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "recording.csv"
    recording.write_text("tag,value\na/b,1\n")
    code, said = refused(capsys, "--replay", recording, "--out", tmp_path / "out")
    assert code == 1
    assert "'source_time' is missing; it has tag, value" in said
