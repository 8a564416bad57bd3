from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.errors import ConfigError, DataError, TransientError, UnreachableError
from gainline.ending import code_of, interruptible
from store.lake import Lake

COMMAND = [sys.executable, "-m", "gainline"]
# Longer than any test waits: each row of a million is put beside every other.
ENDLESS = "SELECT sum(sqrt(a.range * b.range)) FROM range(1000000) a, range(1000000) b"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Lake.open(tmp_path / "store", writer="ingest").close()
    return tmp_path / "store"


def raising(problem: Exception) -> Callable[[], int]:
    def command() -> int:
        raise problem

    return command


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (DataError("a"), 1),
        (ConfigError("a"), 3),
        (UnreachableError("a"), 4),
        (TransientError("a"), 75),
        (PermissionError(13, "Permission denied", "store"), 4),
        (OSError(28, "No space left on device"), 75),
        (ZeroDivisionError("a"), 1),
    ],
)
def test_every_mistake_is_one_line_and_a_code(
    problem: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code_of(raising(problem)) == code
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_work_in_a_thread_gives_its_answer_and_its_errors() -> None:
    assert interruptible(lambda: 3) == 3
    with pytest.raises(DataError):
        interruptible(raising(DataError("a")))


@pytest.mark.parametrize("words", [["--nonsense"], ["clean"], ["sql", "SELECT 1", "--format", "x"]])
def test_a_wrong_command_line_is_one_line_that_names_the_help(words: list[str]) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.endswith("--help`")


@pytest.mark.parametrize("form", ["table", "csv", "parquet"])
def test_a_reader_who_leaves_early_is_no_mistake(store: Path, form: str) -> None:
    query = "SELECT range::VARCHAR FROM range(300000)"
    words = ["sql", query, "--store", str(store), "--format", form]
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


def files_end_at_100_kb() -> None:
    """Let writing stop in the middle of an answer, as on a disk that gets full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_answer_that_does_not_fit_on_the_disk_is_a_failure(
    store: Path, tmp_path: Path, unbuffered: str
) -> None:
    query = "SELECT repeat('x', 1000) FROM range(1000)"
    with (tmp_path / "answer").open("w") as target:
        done = subprocess.run(
            [*COMMAND, "sql", query, "--store", store],
            stdout=target,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            preexec_fn=files_end_at_100_kb,
        )
    assert done.returncode != 0
    assert done.stderr.startswith("gainline: File too large")
    assert len(done.stderr.splitlines()) == 1


def test_a_command_without_streams_still_ends(store: Path) -> None:
    def close_all() -> None:
        os.closerange(0, 3)

    for words in (["sql", "SELECT 1", "--store", store], ["probe", "--topic", "a/b"]):
        done = subprocess.run([*COMMAND, *words], preexec_fn=close_all, check=False)
        assert done.returncode == (0 if words[0] == "sql" else 1)


def test_ctrl_c_ends_a_query_that_would_take_hours(store: Path) -> None:
    # what a shell starts in the background is deaf to Ctrl-C, and so would be what that starts
    line = ["env", "--default-signal=INT", *COMMAND, "sql", ENDLESS, "--store", store]
    with subprocess.Popen(line, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        time.sleep(3.0)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b""
