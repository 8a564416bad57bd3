"""The process that answers SQL of others: confined to one store before it hears a statement."""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from contracts.errors import DataError, GainlineError
from gainline.output import Format, write_answer
from gainline.sql.frames import END, PROBLEM, READY, FrameSink, Opening, Problem, Question
from store.query import ask, connect_confined

if TYPE_CHECKING:
    from collections.abc import Callable

    from store.views.answers import Answer

# A defect of ours; the lines before it say which.
EXIT_BROKEN = 1


def main() -> None:
    """Answer the lines of standard input one after another; end when it ends, at once."""
    sink = FrameSink(os.fdopen(os.dup(1), "wb"))
    # whatever else writes to standard output must not come between the frames
    os.dup2(2, 1)
    lines = sys.stdin.buffer
    opening = msgspec.json.decode(lines.readline(), type=Opening)
    os.environ.update(opening.secrets)
    try:
        connection = connect_confined(Path(opening.folder), memory_mb=opening.memory_mb)
    except GainlineError as error:
        _complain(sink, error)
        return
    for name in opening.secrets:
        del os.environ[name]
    sink.send(READY, b"")
    questions = _heard(lines)
    try:
        while True:
            _answer(partial(ask, connection), questions.get(), sink)
    except Exception:  # noqa: BLE001  # the roof: said on standard error, told by the exit code
        traceback.print_exc()
        # at once: the thread that listens would be waited for
        os._exit(EXIT_BROKEN)


def _heard(lines: BinaryIO) -> queue.SimpleQueue[Question]:
    """Listen in a thread: once nobody asks any more, no statement runs on."""
    questions: queue.SimpleQueue[Question] = queue.SimpleQueue()

    def listen() -> None:
        for line in lines:
            questions.put(msgspec.json.decode(line, type=Question))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    return questions


def _answer(asked: Callable[[str], Answer], question: Question, sink: FrameSink) -> None:
    try:
        shown = write_answer(asked(question.sql), Format(question.form), sink, question.rows_max)
    except GainlineError as error:
        _complain(sink, error)
    except MemoryError:
        _complain(sink, DataError("the SQL needs more memory than it may have: ask for less"))
    else:
        sink.send(END, msgspec.json.encode(shown))


def _complain(sink: FrameSink, error: GainlineError) -> None:
    sink.send(PROBLEM, msgspec.json.encode(Problem(type(error).__name__, str(error))))
