"""The verb `suggest` of gainline.judging.verbs, on files and on a store."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clean.table import judge_table
from contracts.moments import TIME
from gainline.cli import run
from gainline.config.loading import load
from gainline.config.wiring import rule_for

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = 2 * 7 * 144  # a reading every ten minutes for two weeks

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gainline(capfd: pytest.CaptureFixture[str]) -> Command:
    def command(*words: object) -> tuple[int, str, str]:
        code = run([str(word) for word in words])
        return code, *capfd.readouterr()

    return command


def readings(series: dict[str, np.ndarray]) -> pa.Table:
    """Series side by side in order of time, as a plant sends them."""
    rows = [
        {"tag": tag, "source_time": BEGAN + timedelta(minutes=10 * at), "value": float(value)}
        for tag, values in series.items()
        for at, value in enumerate(values)
    ]
    rows.sort(key=lambda row: row["source_time"])
    schema = pa.schema(
        [
            ("tag", pa.string()),
            ("source_time", pa.timestamp("us", "UTC")),
            ("value", pa.float64()),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def oven(seed: int = 1) -> np.ndarray:
    chance = np.random.default_rng(seed)
    values = 200.0 + 5.0 * np.sin(np.arange(SIZE) / 23.0) + chance.normal(0.0, 0.4, SIZE)
    values = np.round(values, 1)
    values[[50, 400, 401, 900]] = -9999.0
    values[[700, 1500]] += 60.0
    return values


@pytest.fixture
def file(tmp_path: Path) -> Path:
    series = {
        "lyon/press/temperature": oven(),
        "lyon/press/state": np.resize([0.0, 1.0, 1.0, 2.0], SIZE),
        'a"b\\c[1]*?/x': oven(2),
        "lyon/short": np.array([1.0, 2.0]),
    }
    pq.write_table(readings(series), tmp_path / "in.parquet")
    return tmp_path / "in.parquet"


def test_what_is_suggested_is_a_configuration_and_never_overwrites(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "suggested.toml"
    assert gainline("suggest", file, "--out", out)[0] == 0
    assert gainline("check-config", "--config", out)[0] == 0
    before = out.read_bytes()
    code, _, complaint = gainline("suggest", file, "--out", out)
    assert code == 3
    assert "not overwritten" in complaint
    assert out.read_bytes() == before


def test_each_line_says_what_it_rests_on(gainline: Command, file: Path) -> None:
    code, text, _ = gainline("suggest", file, "--tag", "lyon/press/t*")
    assert code == 0
    (table,) = tomllib.loads(text)["tags"]
    assert table["sentinels"] == [-9999.0]
    assert table["low"] < 190.0
    assert table["high"] > 210.0
    lines = [line for line in text.splitlines() if " = " in line and not line.startswith("pat")]
    assert all(" # " in line for line in lines)
    assert "-9999 4 times (0.20%)" in text
    assert "2016 readings, 2026-01-01T00:00:00Z" in text
    assert "in steps of 0.1" in text
    assert "BAD among them: 6 without what is written here, 6 with it" in text


def test_the_past_judged_by_the_suggestion_shows_no_new_fault(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "suggested.toml"
    gainline("suggest", file, "--out", out)
    table = pq.read_table(file)
    plain = judge_table(table, rule_for(load(None)))
    told = judge_table(table, rule_for(load(out)))
    assert set(_bad(told)) == set(_bad(plain))
    assert len(_bad(told)) == 12


def _bad(judged: pa.Table) -> list[tuple[str, datetime]]:
    rows = zip(
        judged["tag"].to_pylist(),
        judged["source_time"].to_pylist(),
        judged["quality"].to_pylist(),
        strict=True,
    )
    return [(tag, time) for tag, time, quality in rows if quality == 2]


def test_real_histories_are_not_condemned_by_what_they_suggest(
    gainline: Command, shared_data: Path
) -> None:
    for name in ("nab", "water_flow"):
        code, text, _ = gainline("suggest", shared_data / f"sensors/{name}/data.parquet", "--json")
        assert code == 0
        for one in json.loads(text):
            assert {"low", "high"} <= one["suggested"].keys(), one["tag"]
            assert one["bad_with_suggestion"] <= one["bad"], one["tag"]


def test_json_has_an_object_a_tag(gainline: Command, file: Path) -> None:
    code, text, _ = gainline("suggest", file, "--json")
    assert code == 0
    found = {one["tag"]: one for one in json.loads(text)}
    assert sorted(found) == [
        'a"b\\c[1]*?/x',
        "lyon/press/state",
        "lyon/press/temperature",
        "lyon/short",
    ]
    assert found["lyon/press/state"]["suggested"] == {"states": [0.0, 1.0, 2.0]}
    assert found["lyon/short"]["suggested"] == {}
    assert found["lyon/short"]["notes"] == [
        "no range from the readings: 2 sound readings, it takes 500"
    ]


def test_a_store_suggests_what_its_file_does(gainline: Command, file: Path, tmp_path: Path) -> None:
    store = tmp_path / "lake"
    assert gainline("ingest", "--from", file, "--store", store)[0] == 0
    _, of_store, _ = gainline("suggest", "--store", store, "--json")
    _, of_file, _ = gainline("suggest", file, "--json")
    assert json.loads(of_store) == json.loads(of_file)


def test_unit_and_kind_of_the_store_are_taken(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    store = tmp_path / "lake"
    gainline("ingest", "--from", file, "--store", store)
    tag = "lyon/press/temperature"
    gainline("tags", "set", tag, "--unit", "degC", "--kind", "inventory", "--store", store)
    _, text, _ = gainline("suggest", "--store", store, "--tag", tag)
    (table,) = tomllib.loads(text)["tags"]
    assert (table["kind"], table["unit"]) == ("inventory", "degC")


def test_the_kind_is_what_the_values_show(gainline: Command, tmp_path: Path) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    amounts = np.random.default_rng(1).gamma(4.0, 2.0, 1200).round(2) + 1.0
    times = [begin + timedelta(minutes=15 * i) for i in range(len(amounts))]
    table = pa.table({"tag": ["l/usage_kwh"] * len(times), "source_time": times, "value": amounts})
    pq.write_table(table, tmp_path / "usage.parquet")
    _, text, _ = gainline("suggest", tmp_path / "usage.parquet")
    (one,) = tomllib.loads(text)["tags"]
    assert one["kind"] == "gauge"
    assert one["high"] > amounts.max()
    assert "by its name it were a counter" in text


def test_a_part_of_the_time_is_enough_to_ask_for(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    store = tmp_path / "lake"
    gainline("ingest", "--from", file, "--store", store)
    span = ("--from", "2026-01-02T00:00:00Z", "--to", "2026-01-03", "--json")
    for where in ((file,), ("--store", store)):
        _, text, _ = gainline("suggest", *where, "--tag", "lyon/press/t*", *span)
        (one,) = json.loads(text)
        assert one["readings"] == 144
        assert one["first"] == "2026-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["--tag", "nowhere/*"], 1, "no reading of a tag that matches 'nowhere/*'"),
        (["--from", "2030-01-01"], 1, "no reading of a tag"),
        (["--from", "yesterday"], 2, "write 2026-03-02T06:00:00Z"),
        (["--store", "lake"], 2, "give one of them"),
    ],
)
def test_what_cannot_be_is_one_line(
    gainline: Command, file: Path, words: list[str], code: int, complaint: str
) -> None:
    ended, out, said = gainline("suggest", file, *words)
    assert (ended, out) == (code, "")
    assert complaint in said


def test_a_column_that_cannot_be_read_is_named_with_its_file(
    gainline: Command, tmp_path: Path
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("tag,source_time,value\na,2026-01-01T00:00:00Z,warm\n")
    code, out, said = gainline("suggest", path)
    assert (code, out) == (1, "")
    assert f"{path}: the column 'value' is text" in said


def test_tags_may_be_numbers_of_a_dictionary_and_what_has_no_time_is_left_out(
    gainline: Command, file: Path, tmp_path: Path
) -> None:
    table = pq.read_table(file)
    extra = table.slice(0, 2).set_column(1, "source_time", pa.nulls(2, table["source_time"].type))
    whole = pa.concat_tables([table, extra])
    pq.write_table(
        whole.set_column(0, "tag", whole["tag"].dictionary_encode()), tmp_path / "other.parquet"
    )
    for pattern in ("*", "lyon/press/t*"):
        _, expected, _ = gainline("suggest", file, "--json", "--tag", pattern)
        _, found, _ = gainline("suggest", tmp_path / "other.parquet", "--json", "--tag", pattern)
        assert json.loads(found) == json.loads(expected)


def test_a_folder_that_is_no_store_is_one_line(gainline: Command, tmp_path: Path) -> None:
    code, out, said = gainline("suggest", "--store", tmp_path / "nothing")
    assert (code, out) == (3, "")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("times", "values"),
    [
        (pa.array([10**18 + 1, 10**18 + 1002], pa.timestamp("ns", "UTC")), pa.array([1.0, 2.0])),
        (pa.array([-(2**63) + 1, 2**63 - 1], pa.timestamp("us")), pa.array([1e308, -1e308])),
        (pa.array([0, 1], pa.date32()), pa.array([2**63 - 1, 0])),
    ],
    ids=["nanoseconds", "extremes", "days"],
)
def test_a_history_of_any_type_is_read(
    tmp_path: Path, gainline: Command, times: pa.Array, values: pa.Array
) -> None:
    source = tmp_path / "in.parquet"
    names = ["tag", "source_time", "value", "note", "note"]
    notes = pa.array(["x", "y"])
    pq.write_table(pa.Table.from_arrays([notes, times, values, notes, notes], names), source)
    code, said, errors = gainline("suggest", source)
    assert (code, errors) == (0, "")
    assert tomllib.loads(said) is not None


def test_a_column_that_cannot_be_read_is_named(tmp_path: Path, gainline: Command) -> None:
    source = tmp_path / "in.parquet"
    table = pa.table({"tag": [["a"]], "source_time": pa.nulls(1, TIME), "value": [1.0]})
    pq.write_table(table, source)
    code, _, errors = gainline("suggest", source)
    assert code == 1
    assert errors.startswith(f"gainline: {source}: the column 'tag' has the type list")
