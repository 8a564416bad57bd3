"""gainline.sql.asking: statements that come from a pipe."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from contracts.errors import GainlineError
from gainline.sql import contained, shell_history
from gainline.sql.clipping import Clipped
from gainline.sql.contained import Cell
from gainline.sql.frames import HEAD
from store.lake import Lake
from tests.store.samples import raw_commit

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("asking") / "lake"
    with Lake.open(root, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 3, position=3))
    return root


def asked(store: Path, text: str | bytes, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "gainline", "sql", "--store", str(store), *words],
        input=text if isinstance(text, bytes) else text.encode(),
        cwd=REPOSITORY,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", [[], ["-"]])
def test_statements_of_a_pipe_are_answered_one_after_another(store: Path, words: list[str]) -> None:
    text = "SELECT ';' AS a; -- ;\n\n;SELECT count(*) AS n\nFROM raw.readings"
    done = asked(store, text, "--format", "json", *words)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [[{"a": ";"}], [{"n": 3}]]


def test_the_first_statement_that_fails_is_the_last(store: Path) -> None:
    done = asked(store, "SELECT 1 AS a; SELECT nope; SELECT 2 AS b;", "--format", "csv")
    assert (done.returncode, done.stdout) == (1, b"a\n1\n")
    assert done.stderr.startswith(b"gainline: statement 2: the SQL is wrong: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("text", ["", " ;; -- nothing\n", "/* nothing */"])
def test_nothing_that_is_asked_is_answered_by_nothing(store: Path, text: str) -> None:
    done = asked(store, text)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_pipe_to_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = asked(tmp_path / "nowhere", "")
    assert done.returncode == 3
    assert done.stderr.startswith(b"gainline: there is no store in")


def test_a_file_of_one_table_takes_one_answer(store: Path, tmp_path: Path) -> None:
    one = asked(store, "SELECT 1 AS a;", "--format", "parquet")
    (tmp_path / "a.parquet").write_bytes(one.stdout)
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [{"a": 1}]
    two = asked(store, "SELECT 1 AS a; SELECT 2", "--format", "parquet")
    assert two.returncode == 1
    assert b"parquet holds one answer" in two.stderr


@pytest.mark.parametrize(
    "text", ["SELECT 'x", "SELECT '" + "x" * 3_000_000, b"SELECT '\xff\xfe';\n" * 2]
)
def test_no_text_is_too_long_or_too_strange(store: Path, text: str | bytes) -> None:
    done = asked(store, text)
    assert done.returncode == (1 if isinstance(text, str) else 0)
    assert done.stderr.count(b"\n") <= 1
    assert b"defect" not in done.stderr


def test_a_plan_is_drawn_in_lines(store: Path) -> None:
    done = asked(store, "EXPLAIN SELECT 1")
    assert "┌──".encode() in done.stdout.splitlines()[0]
    assert b"\\n" not in done.stdout


@pytest.mark.parametrize(
    "said",
    [
        b"x" + b"\0" * 4,
        HEAD.pack(b"d", 1 << 30),
        HEAD.pack(b"r", 0) + HEAD.pack(b"e", 3) + b"???",
        HEAD.pack(b"p", 3) + b"\xff\xff\xff",
    ],
)
def test_nonsense_of_the_process_that_answers_is_refused(
    store: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    program = f"import sys; sys.stdout.buffer.write({said!r}); sys.stdout.flush(); sys.stdin.read()"
    monkeypatch.setattr(contained, "_BEGIN", program)
    with Cell() as cell:
        cell.open(store, memory_limit_mb=256, time_limit_s=10)
        with pytest.raises(GainlineError, match="nonsense"):
            cell.ask("SELECT 1", "json", io.BytesIO())


def test_lines_are_cut_whatever_the_parts_they_come_in() -> None:
    text = "äöü long line\nshort\n\nno end".encode()
    for size in range(1, len(text) + 1):
        sink = io.BytesIO()
        clipped = Clipped(sink, 8)
        for begin in range(0, len(text), size):
            clipped.write(text[begin : begin + size])
        assert sink.getvalue().decode() == "äöü long\nshort\n\nno end"
        assert clipped.is_cut


def test_a_history_does_not_grow_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(shell_history, "_BYTES_MAX", 2000)
    said: list[str] = []
    for number in range(200):
        shell_history.opened_history(said.append).store_string(f"SELECT {number};")
    path = tmp_path / "gainline" / "sql_history"
    assert path.stat().st_size < 2100
    strings = list(shell_history.opened_history(said.append).load_history_strings())
    assert strings[0] == "SELECT 199;"
    assert all(one.startswith("SELECT ") for one in strings)
    assert not said
