"""Asks a store in SQL that may be anybody's: a process of its own answers, within limits."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

import msgspec

from contracts.errors import DataError, GainlineError, TransientError
from gainline.ending import TRACEBACK_VARIABLE
from gainline.sql.frames import (
    DATA,
    FRAME_BYTES_MAX,
    HEAD,
    KINDS,
    PROBLEM,
    Opening,
    Problem,
    Question,
    Shown,
)
from store.place.location import SECRETS

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from gainline.output import Sink

# Where the new process finds its modules: told, as finding them costs a fifth of its start.
_BEGIN = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]);"
    " from gainline.sql.child import main; main()"
)
# Of the environment it gets where the interpreter's own libraries lie, and no more: no secrets.
_VARIABLES = ("LD_LIBRARY_PATH",)
_PIPE_BYTES = 1 << 16
_Told = TypeVar("_Told", Shown, Problem)
# A process begins in half a second; a busy machine takes longer.
START_LIMIT_S = 60.0


class Cell:
    """A process that answers SQL and can do nothing else; used from one thread at a time.

    It is killed when a statement takes too long or is interrupted, and begun anew when the next
    comes. The time that whoever reads the answer takes does not count.
    """

    def __init__(self) -> None:
        self._opening: Opening | None = None
        self._is_ready = self._is_idle = False
        self._time_limit_s = 0.0
        self._process = self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The number of the process that answers now."""
        return self._process.pid

    def open(self, folder: Path, *, memory_limit_mb: int, time_limit_s: float) -> None:
        """Say which store is asked, and within which limits of each statement."""
        secrets = {name: os.environ[name] for name in SECRETS if name in os.environ}
        self._opening = Opening(str(folder.absolute()), memory_limit_mb, secrets)
        self._time_limit_s = time_limit_s
        self._say(self._opening)

    def await_open(self) -> None:
        """Wait until the store is open: how long that takes says nothing of a statement.

        Raises as `ask`.
        """
        if not self._is_ready:
            slow = TransientError(
                f"the store has not been opened within {START_LIMIT_S:g} s: try again"
            )
            self._answered(_Timed(self._pipe(), START_LIMIT_S, slow))
            self._is_ready = True

    def ask(self, sql: str, form: str, sink: Sink, *, rows_max: int = 0) -> Shown:
        """Write the answer of one statement, in a form of `gainline.output`; 0: all its rows.

        Raises DataError for SQL that is wrong, that is no single query, that reaches for more than
        the store, or that takes more than its time or its memory; ConfigError and TransientError
        as `store.query.connect`. What the sink raises, and KeyboardInterrupt, end the statement.
        """
        self.prepare()
        try:
            self.await_open()
            self._is_idle = False
            text = sql.encode("utf-8", "replace").decode()
            self._say(Question(text, form, rows_max))
            return self._heard(sink)
        finally:
            if not self._is_idle:
                self.close()

    def prepare(self) -> None:
        """Begin the process anew where it has ended, to be ready when a statement comes."""
        if self._process.returncode is not None:
            self._begin_anew()

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()

    def _begin(self) -> subprocess.Popen[bytes]:
        shows = bool(os.environ.get(TRACEBACK_VARIABLE))
        return subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-I", "-S", "-c", _BEGIN, msgspec.json.encode(sys.path).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if shows else subprocess.DEVNULL,
            env={name: os.environ[name] for name in _VARIABLES if name in os.environ},
            cwd="/",
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for us: we say what becomes of the statement
        )

    def _begin_anew(self) -> None:
        self.close()
        self._process = self._begin()
        self._is_ready = self._is_idle = False
        if self._opening is not None:
            self._say(self._opening)

    def _say(self, what: Opening | Question) -> None:
        assert self._process.stdin is not None
        # one that has died is heard of when it is to answer
        with suppress(BrokenPipeError):
            self._process.stdin.write(msgspec.json.encode(what) + b"\n")

    def _heard(self, sink: Sink) -> Shown:
        """Pass an answer on to the sink."""
        slow = DataError(
            f"the SQL has run for {self._time_limit_s:g} s, which is its limit: ask for less, or"
            " set sql.time_limit_s"
        )
        pipe = _Timed(self._pipe(), self._time_limit_s, slow)
        while (frame := self._answered(pipe))[0] == DATA:
            sink.write(frame[1])
        shown = _decoded(frame[1], Shown)
        self._is_idle = True
        return shown

    def _answered(self, pipe: _Timed) -> tuple[bytes, bytes]:
        """Take one frame: its kind, what it holds. Raises what the other side has raised."""
        head = pipe.read(HEAD.size)
        kind, size = HEAD.unpack(head) if len(head) == HEAD.size else self._died()
        if kind not in KINDS or size > FRAME_BYTES_MAX:
            raise _nonsense()
        data = pipe.read(size)
        if len(data) < size:
            self._died()
        if kind == PROBLEM:
            problem = _decoded(data, Problem)
            self._is_idle = self._is_ready  # one that cannot open the store has ended
            raise problem.as_error()
        return kind, data

    def _pipe(self) -> int:
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def _died(self) -> NoReturn:
        """Raise the error that says how the process has ended."""
        code = self._process.wait()
        if code >= 0:
            raise GainlineError(
                f"the process that answers SQL has ended with {code}, a defect of gainline: please"
                f" report it ({TRACEBACK_VARIABLE}=1 shows where)"
            )
        raise DataError(
            f"the SQL brought down the process that answers it ({signal.Signals(-code).name}), as"
            " what needs too much memory may: ask for less, or set sql.memory_limit_mb"
        )


def _decoded(data: bytes, kind: type[_Told]) -> _Told:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise _nonsense() from error


def _nonsense() -> GainlineError:
    """Say what becomes of an answer that this program's other half cannot have given."""
    return GainlineError("the process that answers SQL has sent nonsense: try again")


class _Timed:
    """A pipe that is read for so many seconds of waiting at most."""

    def __init__(self, descriptor: int, limit_s: float, slow: GainlineError) -> None:
        self._descriptor = descriptor
        self._left_s = limit_s
        self._slow = slow

    def read(self, size: int) -> bytes:
        """Read so many bytes, fewer where the pipe ends. Raises `slow` when time is over."""
        parts = []
        while size:
            self._wait()
            part = os.read(self._descriptor, min(size, _PIPE_BYTES))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _wait(self) -> None:
        begun = time.monotonic()
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        is_there = poll.poll(max(0.0, self._left_s) * 1000)
        self._left_s -= time.monotonic() - begun
        if not is_there:
            raise self._slow
