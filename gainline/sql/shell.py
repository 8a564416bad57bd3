"""The shell of the verb `sql`: statements are typed, answered, and remembered."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from prompt_toolkit import PromptSession
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.lexers import PygmentsLexer
from pygments.lexers.sql import SqlLexer

from contracts.errors import GainlineError
from gainline.ending import line_of
from gainline.sql.clipping import Clipped
from gainline.sql.completing import COMMANDS, FORMS, Vocabulary, WordCompleter, vocabulary_of
from gainline.sql.shell_history import opened_history
from gainline.sql.text import split

if TYPE_CHECKING:
    from types import FrameType

    from prompt_toolkit.key_binding import KeyPressEvent

    from gainline.sql.contained import Cell

# A table of more rows is read by nobody, and the widths of its columns are those of all its rows.
ROWS_SHOWN_MAX = 200
_PROMPT, _CONTINUED = "gainline> ", "     ...> "
_TABLES = (
    "SELECT view_name AS name, comment AS one_row_is FROM duckdb_views()"
    " WHERE NOT internal AND schema_name = 'main'"
    " UNION ALL SELECT 'raw.readings', 'one reading as it was received' ORDER BY ALL"
)
_HELP = """\
A statement ends with a semicolon and may take several lines. Tab completes tables, columns,
functions, and in quotes tags. Ctrl-R searches what was asked before, Ctrl-C ends a statement,
Ctrl-D ends the shell.

  .tables        what can be asked
  .schema NAME   its columns
  .format FORM   how answers are shown: table (200 rows at most), csv, json (all rows)
  .help          this
  .quit          ends

  FROM latest WHERE line = 'L01';
  FROM around('TAG', '2026-03-02 06:00', '5 minutes');
  FROM align(['TAG', 'TAG'], '1 hour', from_time := '2026-03-02');
  FROM asof('TAG', 'TAG');
  FROM downsample('TAG', 200);
"""


def converse(cell: Cell, form: str) -> None:
    """Ask what is typed, until the input ends. Raises as `Cell.ask` where the store is no use."""
    words = vocabulary_of(cell)
    signal.signal(signal.SIGTERM, _end)
    shell = _Shell(cell, form)
    session = _session(cell, words)
    _say("Ask in SQL; .help says what else there is.")
    while True:
        try:
            if not shell.take(session.prompt()):
                return
        except KeyboardInterrupt:
            continue  # what was typed is dropped
        except EOFError:
            return


class _Shell:
    """What is typed and what is done about it."""

    def __init__(self, cell: Cell, form: str) -> None:
        self._cell = cell
        self._form = form

    def take(self, text: str) -> bool:
        """Do what was typed; False: that is the end."""
        if text.lstrip().startswith("."):
            return self._command(text.split())
        statements, rest = split(text)
        # the rest is there where Meta-Enter has sent it
        for sql in [*statements, *([rest] if rest else [])]:
            if not self._answer(sql):
                break
        return True

    def _command(self, words: list[str]) -> bool:
        match words:
            case [".quit"]:
                return False
            case [".help"]:
                sys.stdout.write(_HELP)
            case [".tables"]:
                self._answer(_TABLES, "table")
            case [".schema", name]:
                self._answer(f"SELECT column_name, column_type FROM (DESCRIBE {name})", "table")  # noqa: S608  # only a query is answered
            case [".format", form] if form in FORMS:
                self._form = form
            case [".format", *_]:
                _say(f"the forms are {', '.join(FORMS)}")
            case _:
                _say(f"the commands are {', '.join(COMMANDS)}: see .help")
        return True

    def _answer(self, sql: str, form: str | None = None) -> bool:
        """Show what a statement finds, or why it finds nothing; tell whether it was answered."""
        form = form or self._form
        begun = time.monotonic()
        screen = Clipped(sys.stdout.buffer, shutil.get_terminal_size().columns)
        sink = screen if form == "table" else sys.stdout.buffer
        try:
            shown = self._cell.ask(sql, form, sink, rows_max=ROWS_SHOWN_MAX)
        except KeyboardInterrupt:
            self._cell.prepare()
            _say("interrupted")
            return False
        except GainlineError as error:
            self._cell.prepare()
            _say(f"gainline: {line_of(error)}")
            return False
        finally:
            sys.stdout.flush()
        seconds = time.monotonic() - begun
        _say(f"{_counted(shown.row_count)} in {seconds:.3f} s")
        if shown.is_cut:
            _say("there are more: add a LIMIT or a WHERE, or .format csv shows all")
        if screen.is_cut:
            _say("lines are cut at the width of the terminal: name the columns you want")
        return True


def _counted(rows: int) -> str:
    return f"{rows:,} {'row' if rows == 1 else 'rows'}"


def _session(cell: Cell, words: Vocabulary) -> PromptSession[str]:
    return PromptSession(
        _PROMPT,
        multiline=True,
        prompt_continuation=_CONTINUED,
        key_bindings=_keys(),
        lexer=PygmentsLexer(SqlLexer),
        history=opened_history(_say),
        completer=WordCompleter(words, cell),
        complete_while_typing=False,
        enable_history_search=True,
    )


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        """Take a command or whole statements, else go on in a new line."""
        text = event.current_buffer.text
        is_command = text.lstrip().startswith(".")
        if is_command or not split(text)[1]:
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return keys


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    raise EOFError


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201  # the shell speaks to a person
