"""Lines that are cut at the width of a terminal, as wrapped ones make no table."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gainline.output import Sink


class Clipped:
    """A sink of UTF-8 that passes on so many characters of each line, and tells whether it cut."""

    def __init__(self, sink: Sink, width: int) -> None:
        self._sink = sink
        self._width = width
        self._column = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.is_cut = False

    def write(self, data: bytes) -> int:
        """Take bytes, which may end within a character."""
        for line in self._decoder.decode(data).splitlines(keepends=True):
            text = line.rstrip("\n")
            shown = text[: max(0, self._width - self._column)]
            self.is_cut |= len(shown) < len(text)
            self._column += len(text)
            if line.endswith("\n"):
                shown, self._column = shown + "\n", 0
            self._sink.write(shown.encode())
        return len(data)
