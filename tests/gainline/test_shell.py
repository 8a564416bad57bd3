"""The shell of `gainline sql`, typed into in a terminal as a person would."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.tags import Kind, Place, Tag
from store.lake import Lake
from tests.store.samples import clean_commit, raw_commit, raw_rows


def _has_terminals() -> bool:
    try:
        for descriptor in pty.openpty():
            os.close(descriptor)
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(
    not _has_terminals(), reason="no terminal can be opened: mount devpts at /dev/pts"
)

LIMIT_S = 30.0
UNDER_WAY_S = 0.5
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)")
CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, home: Path, *words: str) -> None:
        self._master, self._slave = pty.openpty()
        termios.tcsetwinsize(self._master, (40, 120))
        self.settings = termios.tcgetattr(self._slave)
        self.seen = ""
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TERM": "xterm",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        # a terminal's Ctrl-C reaches those whose terminal it is; what a shell starts in the
        # background is deaf to it, and so would be what that starts
        self.program = subprocess.Popen(
            [
                "env",
                "--default-signal=INT",
                "setsid",
                "-c",
                sys.executable,
                "-m",
                "gainline",
                *words,
            ],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=variables,
            cwd=Path(__file__).parents[2],
        )

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, pattern: str) -> None:
        """Wait for what comes after what was expected before."""
        deadline = time.monotonic() + LIMIT_S
        while not (found := re.search(pattern, self.seen, re.DOTALL)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen!r}"
            self._listen()
        self.seen = self.seen[found.end() :]

    def end(self) -> int:
        """Wait for the end; give the exit code."""
        deadline = time.monotonic() + LIMIT_S
        while self.program.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen!r}"
            self._listen()
        return self.program.returncode

    def is_as_before(self) -> bool:
        return bool(termios.tcgetattr(self._slave) == self.settings)

    def close(self) -> None:
        self.program.kill()
        self.program.wait()
        os.close(self._master)
        os.close(self._slave)

    def _listen(self) -> None:
        if select.select([self._master], [], [], 0.05)[0]:
            self.seen += _ESCAPES.sub("", os.read(self._master, 1 << 16).decode("utf-8", "replace"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shell") / "lake"
    names = ["s/a/l/m/tag0", "s/a/l/m/tag1", "s/a/l/m/tag2", "s/b/other"]
    tags = [Tag(name, Place("s", "a", "l", "m", name[-4:]), "bar", Kind.GAUGE) for name in names]
    with Lake.open(root, writer="ingest") as lake, Lake.open(root, writer="judge") as judge:
        lake.commit_raw(raw_commit(0, 300, position=300), new_tags=tags)
        judge.commit_clean(clean_commit(raw_rows(0, 300)))
    return root


@pytest.fixture
def shell(store: Path, tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, "sql", "--store", str(store))
    try:
        terminal.expect("gainline>")
        yield terminal
    finally:
        terminal.close()


def test_a_statement_may_take_several_lines_and_is_timed(shell: Terminal) -> None:
    shell.type("SELECT ';' AS a,\r")
    shell.expect(r"\.\.\.>")
    shell.type("40 + 2 AS answer; SELECT 'second'\r;\r")
    shell.expect(r"answer\s+-\s+------\s+;\s+42\s+1 row in 0\.\d+ s")
    shell.expect(r"second\s+1 row in 0\.\d+ s\s+gainline>")


def test_ctrl_c_ends_the_statement_and_not_the_shell(shell: Terminal) -> None:
    shell.type("SELECT count(*) FROM range(1000000000000) AS t(i) WHERE i % 7 = 3;\r")
    shell.expect("= 3;\r+\n")
    time.sleep(UNDER_WAY_S)
    shell.type(CTRL_C)
    shell.expect("interrupted")
    shell.type("SELECT 'still', ")
    shell.expect("'still',")
    shell.type(CTRL_C)  # what was typed is dropped
    shell.expect("gainline>")
    shell.type("SELECT 'here' AS x;\r")
    shell.expect(r"here\s+1 row in")


def test_ctrl_d_ends_the_shell(shell: Terminal) -> None:
    shell.type(CTRL_D)
    assert shell.end() == 0
    assert shell.is_as_before()


@pytest.mark.parametrize("is_busy", [False, True])
def test_a_signal_ends_the_shell_and_leaves_the_terminal_as_it_was(
    shell: Terminal, *, is_busy: bool
) -> None:
    if is_busy:
        shell.type("SELECT count(*) FROM range(1000000000000) AS t(i) WHERE i % 7 = 3;\r")
        shell.expect("= 3;\r+\n")
        time.sleep(UNDER_WAY_S)
    shell.program.send_signal(signal.SIGTERM)
    assert shell.end() == 0
    assert shell.is_as_before()


def test_what_is_wrong_is_said_and_the_next_statement_is_answered(shell: Terminal) -> None:
    shell.type("SELECT nope;\r")
    shell.expect("gainline: the SQL is wrong: ")
    shell.type("DROP VIEW readings;\r")
    shell.expect("gainline: the SQL is no query but DROP")
    shell.type("FROM ledger; SELECT nope; SELECT 'not' || 'reached';\r")
    shell.expect(r"gw1.*1 row in")
    shell.expect("gainline: the SQL is wrong: ")
    shell.type("SELECT count(*) AS n FROM readings;\r")
    shell.expect("gainline>")
    assert "notreached" not in shell.seen
    shell.expect(r"300\s+1 row in")


def test_tab_completes_tables_columns_functions_and_tags(shell: Terminal) -> None:
    shell.type("FROM led\t")
    shell.expect("ledger")
    shell.type(";\r")
    shell.expect(r"gw1 .*1 row in")
    shell.type("SELECT DISTINCT mach\t")
    shell.expect("machine")
    shell.type(" FROM readings WHERE tag = 's/a/l/m/tag1';\r")
    shell.expect(r"\nm\s+1 row in")
    shell.type("SELECT 'found' AS x FROM tags WHERE tag = 's/b/\t")
    shell.expect("s/b/other")
    shell.type("';\r")
    shell.expect(r"\nfound\s+1 row in")
    shell.type("SELECT bit_le\t")
    shell.expect("bit_length")
    shell.type("('a') AS n;\r")
    shell.expect(r"\n8\s+1 row in")


def test_a_table_is_cut_and_says_so(shell: Terminal) -> None:
    shell.type("SELECT range AS n, repeat('x', 200) AS wide FROM range(100000);\r")
    shell.expect(r"\n199 +x{50,115}\r")
    shell.expect(r"200 rows in .*there are more.*lines are cut")
    shell.type(".format csv\rSELECT range AS n FROM range(300);\r")
    shell.expect(r"\n299\r\n300 rows in")


def test_the_commands_are_few(shell: Terminal) -> None:
    shell.type(".help\r")
    shell.expect(r"\.quit +ends")
    shell.type(".tables\r")
    shell.expect(r"readings +one reading with its verdict")
    shell.type(".schema raw.readings\r")
    shell.expect(r"arrival +BIGINT")
    shell.type(".schema nope\r")
    shell.expect("gainline: the SQL is wrong")
    shell.type(".format xml\r")
    shell.expect("the forms are table, csv, json")
    shell.type(".format json\rSELECT 1 AS a;\r")
    shell.expect(r'\[\{"a":1\}\]')
    shell.type(".nonsense\r")
    shell.expect("the commands are ")
    shell.type(".quit\r")
    assert shell.end() == 0


def test_what_was_asked_is_remembered_for_the_user_alone(store: Path, tmp_path: Path) -> None:
    for keys in ("SELECT 'once' AS x;\r", f"{UP}\r"):
        terminal = Terminal(tmp_path, "sql", "--store", str(store))
        try:
            terminal.expect("gainline>")
            terminal.type(keys)
            terminal.expect(r"once\s+1 row in.*gainline>")
            terminal.type(CTRL_D)
            assert terminal.end() == 0
        finally:
            terminal.close()
    history = tmp_path / ".local" / "state" / "gainline" / "sql_history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert history.parent.stat().st_mode & 0o777 == 0o700
    assert "once" in history.read_text(encoding="utf-8")
    assert not list(store.rglob("*history*"))


def test_a_home_that_takes_no_history_is_no_hindrance(store: Path, tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file")
    terminal = Terminal(tmp_path, "sql", "--store", str(store))
    try:
        terminal.expect("what you type is not remembered")
        terminal.expect("gainline>")
        terminal.type("SELECT 'yes' AS x;\r")
        terminal.expect(r"yes\s+1 row in")
    finally:
        terminal.close()


def test_without_a_store_there_is_one_line(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "sql", "--store", str(tmp_path / "nowhere"))
    try:
        terminal.expect("gainline: there is no store in .*: name one that ingest has made\r\n")
        assert terminal.end() == 3
        assert "\n" not in terminal.seen
    finally:
        terminal.close()
