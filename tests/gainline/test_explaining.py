from __future__ import annotations

import json
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gainline.cli import run
from gainline.judging.evidence_picture import Judged, with_gaps, zooms_of

BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
TAG = "lyon/press/temperature"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gainline(capfd: pytest.CaptureFixture[str]) -> Command:
    def command(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        return code, *capfd.readouterr()

    return command


def oven(size: int = 900) -> np.ndarray:
    values = 200.0 + 6.0 * np.sin(np.arange(size) / 60.0)
    return np.round(values + np.random.default_rng(3).normal(0.0, 0.4, size), 1)


def write(path: Path, values: np.ndarray, tag: str = TAG) -> Path:
    times = [BEGAN + timedelta(minutes=at) for at in range(len(values))]
    table = pa.table(
        {
            "tag": [tag] * len(values),
            "source_time": pa.array(times, pa.timestamp("us", "UTC")),
            "value": values,
        }
    )
    other = table.set_column(0, "tag", pa.array(["lyon/other"] * len(values)))
    pq.write_table(pa.concat_tables([table, other]), path)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    values = oven()
    values[[100, 101]] = -9999.0
    values[300] = 230.0
    values[500] = np.nan
    return write(tmp_path / "in.parquet", values)


def test_each_flagged_reading_is_told_with_quantity_limit_and_neighbours(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    code, text, complaint = gainline("clean", file, out, "--explain", TAG)
    assert code == 0, complaint
    assert "900 readings, 2026-03-02T00:00:00Z to 2026-03-02T14:59:00Z" in text
    assert "GOOD 896, UNCERTAIN 0, BAD 4" in text
    line, below = _after(text, "  spike 2026-03-02T05:00:00Z value 230: ")
    assert "from the median of " in line
    assert "(limit " in line
    assert "BAD, cleaned: 19" in below
    assert below.count("19") >= 7  # three neighbours on each side, and the cleaned value
    assert 'sentinel 2026-03-02T01:40:00Z value -9999: a number that means "no value"' in text
    assert "missing 2026-03-02T08:20:00Z value none: no finite number" in text
    assert out.exists()
    assert f"picture: {tmp_path / 'out.svg'}" in text


def _after(text: str, begins: str) -> tuple[str, str]:
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(begins))
    return lines[at], lines[at + 1]


def test_json_says_the_same(gainline: Command, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    code, text, _ = gainline("clean", file, out, "--explain", TAG, "--json")
    assert code == 0
    said = json.loads(text)
    assert (said["GOOD"], said["BAD"], said["told"]) == (896, 4, {"kind": "gauge"})
    spike = next(one for one in said["flagged"] if one["reasons"] == ["spike"])
    wide = next(one for one in spike["saw"] if one["look"] == "wide")
    assert 30.0 < wide["quantity"] < 40.0
    assert wide["quantity"] > wide["limit"] > 0.0
    (rule,) = (one for one in said["rules"] if one["reason"] == "spike")
    assert rule["flagged"] == 1
    assert rule["closest"]["quantity"] < rule["closest"]["limit"]


def test_what_is_explained_is_what_was_written(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    _, text, _ = gainline("clean", file, out, "--explain", TAG, "--json")
    table = pq.read_table(out).filter(pa.compute.equal(pq.read_table(out)["tag"], TAG))
    written = {
        row["source_time"].strftime("%Y-%m-%dT%H:%M:%SZ"): row
        for row in table.to_pylist()
        if row["quality"]
    }
    said = {one["source_time"]: one for one in json.loads(text)["flagged"]}
    assert said.keys() == written.keys()
    for time, row in written.items():
        assert (said[time]["value_clean"], said[time]["reasons"]) == (
            row["value_clean"],
            row["reasons"],
        )


def test_the_picture_is_svg_with_its_words_or_png(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    gainline("clean", file, out, "--explain", TAG)
    svg = (tmp_path / "out.svg").read_text()
    assert ET.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own file
    for words in (TAG, "spike", "sentinel", "-9999", "to be used", "2026-03-02 UTC", "4 BAD"):
        assert words in svg
    png = tmp_path / "why.png"
    assert gainline("clean", file, out, "--explain", TAG, "--explain-out", png)[0] == 0
    width, height = struct.unpack(">II", png.read_bytes()[16:24])
    assert width > 1000
    assert height > 500


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["--explain", "lyon/press/temprature"], 1, f"the nearest: {TAG}"),
        (["--explain", TAG, "--explain-out", "why.docx"], 1, "name it .svg or .png"),
        (["--json"], 2, "go with --explain TAG"),
    ],
)
def test_what_cannot_be_explained_is_one_line_and_nothing_is_written(
    gainline: Command, file: Path, words: list[str], code: int, complaint: str
) -> None:
    out = file.with_name("out.parquet")
    ended, text, said = gainline("clean", file, out, *words)
    assert (ended, text) == (code, "")
    assert complaint in said
    assert not out.exists()


@pytest.mark.parametrize("values", [[1.0], [np.nan], [np.nan] * 30, [5.0] * 50, [1e300, -1e300]])
def test_any_series_can_be_drawn(gainline: Command, tmp_path: Path, values: list[float]) -> None:
    source = write(tmp_path / "in.parquet", np.array(values))
    code, text, said = gainline("clean", source, tmp_path / "out.parquet", "--explain", TAG)
    assert code == 0, said
    assert f"{TAG}: {len(values)} readings" in text


def test_the_windows_with_most_verdicts_are_shown_and_gaps_are_not_bridged() -> None:
    judged = _judged(4000)
    judged.quality[[50, 51, 2000, 3990]] = 2
    zooms = zooms_of(judged)
    assert [any(z.start <= at < z.stop for z in zooms) for at in (50, 2000, 3990)] == [True] * 3
    assert all(z.stop - z.start == 120 for z in zooms)
    assert zooms_of(_judged(4000)) == []
    parted = with_gaps(judged)
    (gap,) = np.flatnonzero(np.isnan(parted.value))
    assert gap == 1000


def _judged(size: int) -> Judged:
    time = np.arange(size, dtype=np.int64) * 1_000_000
    time[1000:] += 100_000_000
    none: Any = np.full(size, np.nan)
    value = np.arange(size, dtype=np.float64)
    zero = np.zeros(size, np.int32)
    return Judged(
        time.astype("datetime64[us]"), value, value, zero.astype(np.int8), zero, none, none
    )


def test_the_kind_that_the_values_show_is_told(gainline: Command, tmp_path: Path) -> None:
    amounts = (np.random.default_rng(1).gamma(4.0, 2.0, 200) + 1.0).round(2).tolist()
    times = np.datetime64("2026-01-01") + np.arange(200) * np.timedelta64(900, "s")
    rows = [f"l/usage_kwh,{time}Z,{each}" for time, each in zip(times, amounts, strict=True)]
    source = tmp_path / "usage.csv"
    source.write_text("\n".join(["tag,source_time,value", *rows]))
    words = ("clean", source, tmp_path / "out.csv", "--explain", "l/usage_kwh")
    assert "judged as: gauge, by its values" in gainline(*words)[1]
    assert json.loads(gainline(*words, "--json")[1])["judged_as"] == "gauge"


def test_times_and_values_that_no_picture_can_show_are_said_or_drawn_at_the_edge(
    tmp_path: Path, gainline: Command
) -> None:
    source = tmp_path / "in.parquet"
    times = pa.array([0, 1, 2], pa.timestamp("us", "UTC"))
    table = pa.table({"tag": ["a"] * 3, "source_time": times, "value": [1e308, -1e308, 1.0]})
    pq.write_table(table, source)
    code, _, errors = gainline("clean", source, tmp_path / "out.parquet", "--explain", "a")
    assert (code, errors) == (0, "")
    for end in (-(2**63) + 1, -62_135_596_800_000_000, 253_402_300_799_000_000):
        far = pa.array([0, 1, end], pa.timestamp("us", "UTC"))
        pq.write_table(table.set_column(1, "source_time", far), source)
        code, _, errors = gainline("clean", source, tmp_path / "out.parquet", "--explain", "a")
        assert code == 1
        assert "a picture has the years 1 to 9999: mend them" in errors
