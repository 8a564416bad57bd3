"""A journal that another process appends to, for the one that stores its messages."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

from contracts.errors import DataError
from ingest.blocks import (
    BLOCK_HEADER_BYTES,
    FILE_HEADER_BYTES,
    BlockHeader,
    decode_block_header,
    decode_body,
    decode_file_header,
    is_whole,
)
from ingest.journal_file import Segment, fsync_folder, segments_in

if TYPE_CHECKING:
    from pathlib import Path

    from contracts.message import Message


class JournalView:
    """The messages of a journal from a position on, as they are appended.

    A block is seen once all of it is there, which its checksum tells. It may be seen before it is
    durable: what is stored durably of it need not be there again after a power cut, as it has not
    been acknowledged before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: _File | None = None

    def read(self, position: int, *, limit_bytes: int) -> list[Message]:
        """Messages from `position` on: up to about `limit_bytes`; none if none is there yet.

        DataError where messages are missing: the disk no longer holds what was written.
        """
        messages: list[Message] = []
        while limit_bytes > 0:
            file = self._file_of(position)
            if file is None:
                return messages
            block = file.next_block()
            if block is None:
                if not self._is_followed(file):
                    return messages
                self._drop()  # the next file begins where this one ends
                continue
            header, body = block
            if header.end > position:
                messages += decode_body(header, body)[position - header.position :]
                position = header.end
                limit_bytes -= len(body)
        return messages

    def trim(self, position: int) -> None:
        """Remove the files that hold only messages below `position`; the last file stays."""
        segments = segments_in(self._folder)
        removed = [
            segment for segment, after in itertools.pairwise(segments) if after.position <= position
        ]
        for segment in removed:
            segment.path.unlink(missing_ok=True)
            if self._file is not None and self._file.segment.path == segment.path:
                self._drop()  # the disk gets its space back only now
        if removed:
            fsync_folder(self._folder)

    def close(self) -> None:
        """Close what is open. Safe to call twice."""
        self._drop()

    def _file_of(self, position: int) -> _File | None:
        """Find the file that holds the position, or will; None if nothing was written yet."""
        if self._file is not None and self._file.position <= position:
            return self._file
        self._drop()
        segments = self._segments()
        holding = [segment for segment in segments if segment.position <= position]
        if not holding:
            if segments:
                raise self._missing(position)
            return None
        self._file = _File.open(holding[-1])
        return self._file

    def _is_followed(self, file: _File) -> bool:
        """Tell whether a file has ended: another one begins after it."""
        later = [one for one in self._segments() if one.position > file.segment.position]
        # the writer begins a new file only when this one has all its blocks
        if not later or file.next_is_there():
            return False
        if later[0].position != file.position:
            raise self._missing(file.position)
        return True

    def _segments(self) -> list[Segment]:
        return segments_in(self._folder) if self._folder.is_dir() else []

    def _missing(self, position: int) -> DataError:
        return DataError(
            f"the journal {self._folder} lacks position {position}: restore it, or move its folder"
            " away and restart without what it still held"
        )

    def _drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _File:
    """A place in one file, at the beginning of a block."""

    def __init__(self, segment: Segment, fd: int, mark: bytes) -> None:
        self.segment = segment
        self.position = segment.position
        self._fd = fd
        self._mark = mark
        self._offset = FILE_HEADER_BYTES

    @classmethod
    def open(cls, segment: Segment) -> _File | None:
        """Open a file; None as long as its header is not there."""
        fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        header = decode_file_header(os.pread(fd, FILE_HEADER_BYTES, 0))
        if header is None or header.position != segment.position:
            os.close(fd)
            return None
        return cls(segment, fd, header.mark)

    def next_block(self) -> tuple[BlockHeader, bytes] | None:
        """Give the next block and go on behind it; None if it is not there, or not whole yet."""
        header = self._header()
        if header is None:
            return None
        body = os.pread(self._fd, header.body_bytes, self._offset + BLOCK_HEADER_BYTES)
        if not is_whole(header, body, mark=self._mark):
            return None
        self._offset += BLOCK_HEADER_BYTES + header.body_bytes
        self.position = header.end
        return header, body

    def next_is_there(self) -> bool:
        """Tell whether another block has begun."""
        return self._header() is not None

    def _header(self) -> BlockHeader | None:
        data = os.pread(self._fd, BLOCK_HEADER_BYTES, self._offset)
        header = decode_block_header(data, mark=self._mark)
        return header if header is not None and header.position == self.position else None

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
