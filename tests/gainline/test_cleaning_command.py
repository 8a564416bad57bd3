"""The verb `clean` as a process of its own, as people call it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gainline.files.tables import read_table

COMMAND = (sys.executable, "-m", "gainline", "clean")
MINUTE_US = 60_000_000
UPGRADED_US = 1_772_409_600_000_000  # 2026-03-02
DEADLINE_S = 120.0  # the rules may have to be compiled first


def write(path: Path, values: np.ndarray, tag: str = "lyon/press/temperature") -> Path:
    """A reading a minute; the one in the middle is the first of the day of the upgrade."""
    times = UPGRADED_US + (np.arange(len(values)) - len(values) // 2) * MINUTE_US
    columns = {
        "tag": pa.array([tag]).take(pa.array(np.zeros(len(values), np.int64))),
        "source_time": pa.array(times, pa.timestamp("us", "UTC")),
        "value": values,
    }
    pq.write_table(pa.table(columns), path)
    return path


def clean(*words: object) -> subprocess.CompletedProcess[str]:
    line = [*COMMAND, *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def steps() -> dict[str, np.ndarray]:
    """What an upgrade does to a signal: it is higher, lower, calmer, or swings further."""
    half, chance = 700, np.random.default_rng(7)
    noise, after = chance.normal(0.0, 1.0, 2 * half), np.arange(2 * half) >= half
    swing = 10.0 * np.sin(np.arange(2 * half) / 30.0)
    drift = np.zeros(2 * half)
    for at in range(1, 2 * half):
        drift[at] = 0.95 * drift[at - 1] + 0.3 * noise[at]
    return {
        "twenty percent more": 50.0 + noise + 10.0 * after,
        "half as much": (50.0 + noise) * np.where(after, 0.5, 1.0),
        "hardly more": 50.0 + noise + 2.0 * after,
        "calmer": 50.0 + noise * np.where(after, 0.5, 1.0) + 10.0 * after,
        "swings further": 50.0 + swing * np.where(after, 1.2, 1.0) + 0.5 * noise,
        "wanders": 50.0 + drift + 8.0 * after,
        "whole numbers": np.round(50.0 + 0.4 * noise) + 5.0 * after,
        "without any noise": 20.0 + 4.0 * after,
    }


def test_a_true_step_at_the_date_of_an_upgrade_is_kept(tmp_path: Path) -> None:
    tables = [
        pq.read_table(write(tmp_path / "one.parquet", values, f"lyon/{name}/temperature"))
        for name, values in steps().items()
    ]
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.concat_tables(tables), source)
    config = tmp_path / "gainline.toml"
    config.write_text('[[upgrades]]\nline = "lyon"\nupgraded_on = 2026-03-02\n')
    done = clean(source, target, "--config", config)
    assert (done.returncode, done.stderr) == (0, "")
    out = read_table(target)
    assert 2 not in out["quality"].to_pylist()
    assert out["value_clean"] == out["value"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_out_as_it_was_and_no_part_of_a_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    chance = np.random.default_rng(1)
    source = write(tmp_path / "in.parquet", chance.normal(20.0, 1.0, 2_000_000))
    target, part = tmp_path / "out.csv", tmp_path / ".out.csv.part"
    target.write_text("before")
    # what a shell starts in the background is deaf to Ctrl-C, and so would be what that starts
    line = ["env", "--default-signal=INT", *COMMAND, str(source), str(target)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        ends = time.monotonic() + DEADLINE_S
        while not part.exists() and process.poll() is None and time.monotonic() < ends:
            time.sleep(0.005)
        process.send_signal(number)
        _, said = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, said) == (130, "")
    assert target.read_text() == "before"
    assert not part.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("in.csv", "", "it is empty; its first line must name columns"),
        ("in.parquet", "", "not a Parquet table"),
        ("in.csv", "tag,value\na,1\n", "needs one column 'source_time' and has 0"),
        ("in.csv", "tag,source_time,value\na,1767225600,1\n", "a number is no time"),
        ("in.csv", "tag,source_time,value\n,2026-01-01T00:00:00Z,1\n", "give every row a tag"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    source = tmp_path / name
    source.write_text(content)
    done = clean(source, tmp_path / "out.csv")
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith(f"gainline: {source}: ")
    assert done.stderr.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == [name]
