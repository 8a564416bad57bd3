"""How a command ends: one line on standard error for each mistake, and an exit code."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar, cast

import typer

from contracts.errors import ConfigError, GainlineError, TransientError, UnreachableError
from gainline.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_ANSWER_IS_BAD = 1
EXIT_WRONG_COMMAND_LINE = 2
EXIT_WRONG_CONFIGURATION = 3
EXIT_UNREACHABLE = 4
EXIT_NOT_NOW = 75
EXIT_INTERRUPTED = 130

TRACEBACK_VARIABLE = "GAINLINE_TRACEBACK"
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)

Answer = TypeVar("Answer")

# typer carries a click of its own and does not name this class in public
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])


def code_of(command: Callable[[], int | None]) -> int:
    """Run a command; whatever it raises becomes one line and an exit code."""
    try:
        code = command() or 0
    except typer.Exit as done:
        code = done.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        code = 0  # whoever read our output has seen enough
    except SystemExit as done:
        if not isinstance(done.__context__, BrokenPipeError):
            raise
        code = 0  # how typer ends after a broken pipe
    except Exception as problem:  # noqa: BLE001  # whatever it is, the user gets one line
        code = _complain(problem)
    return code


def end_well_when_told() -> None:
    """End with 0 on SIGTERM, for a service that has not begun: it then listens for itself."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))


def end_as_with_ctrl_c() -> None:
    """Take SIGTERM for Ctrl-C, so that a command that is told to end leaves no half of a file."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def interruptible(work: Callable[[], Answer]) -> Answer:
    """Do work that only reads in a thread, so that Ctrl-C is heard while DuckDB is busy."""
    return ThreadPoolExecutor(1).submit(work).result()


def prepare_streams() -> None:
    """Open what the caller has closed, so that no file of ours takes the place of a stream.

    And give standard output a buffer where PYTHONUNBUFFERED has taken it: without one Python
    ignores that a full disk has taken only the beginning.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    if isinstance(sys.stdout.buffer, io.RawIOBase):
        sys.stdout = os.fdopen(1, "w", closefd=False)


def leave(code: int) -> None:
    """End the process once all output is out; an answer that could not be written is a failure."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as problem:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or _complain(problem)
    if code == EXIT_INTERRUPTED:
        os._exit(code)  # a query that still runs in its thread is not waited for
    sys.exit(code)


def line_of(problem: Exception) -> str:
    """Say a problem in one line; what it quotes of a message drives no terminal."""
    return printable(" ".join(str(problem).split()))


def _complain(problem: Exception) -> int:
    """Say in one line what went wrong, and give the exit code."""
    if isinstance(problem, UsageError):
        return _explain(problem)
    line = line_of(problem)
    if isinstance(problem, GainlineError):
        typer.echo(f"gainline: {line}", err=True)
        return _exit_code(problem)
    if isinstance(problem, OSError) and problem.strerror:
        place = f"{problem.filename}: " if problem.filename else ""
        typer.echo(f"gainline: {place}{problem.strerror}: mend that and try again", err=True)
        return EXIT_NOT_NOW if problem.errno in DISK_IS_FULL else EXIT_UNREACHABLE
    if os.environ.get(TRACEBACK_VARIABLE):
        raise problem
    defect = f"{type(problem).__name__}: {line}"
    typer.echo(
        f"gainline: a defect of gainline, please report it: {defect}"
        f" ({TRACEBACK_VARIABLE}=1 shows where)",
        err=True,
    )
    return EXIT_ANSWER_IS_BAD


def _exit_code(problem: GainlineError) -> int:
    if isinstance(problem, ConfigError):
        return EXIT_WRONG_CONFIGURATION
    if isinstance(problem, UnreachableError):
        return EXIT_UNREACHABLE
    return EXIT_NOT_NOW if isinstance(problem, TransientError) else EXIT_ANSWER_IS_BAD


def _explain(problem: typer.BadParameter) -> int:
    """Say what is wrong with the command line; all of the help where nothing is on it."""
    words = problem.format_message()
    if "\n" in words or problem.ctx is None:
        problem.show()
    else:
        place = problem.ctx.command_path
        typer.echo(f"gainline: {words.rstrip('.')}: see `{place} --help`", err=True)
    return EXIT_WRONG_COMMAND_LINE
