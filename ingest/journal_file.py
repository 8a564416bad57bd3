"""One file of the journal: written block by block, read back, cut to what is whole."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from contracts.errors import DataError
from ingest.blocks import (
    BLOCK_HEADER_BYTES,
    FILE_HEADER_BYTES,
    KINDS,
    MARK_BYTES,
    BlockHeader,
    Body,
    FileHeader,
    decode_block_header,
    decode_body,
    decode_file_header,
    encode_block_header,
    encode_file_header,
    is_whole,
)

if TYPE_CHECKING:
    from pathlib import Path

    from contracts.message import Message

SUFFIX = ".journal"

_log = structlog.get_logger()


class Segment(NamedTuple):
    """A file of the journal as it stands on the disk."""

    position: int  # of the first message
    path: Path
    disk_bytes: int


class Recovered(NamedTuple):
    """What of a file is whole."""

    end: int  # the position after the last message
    used_bytes: int


class Writer:
    """The file that blocks are added to."""

    def __init__(self, path: Path, fd: int, mark: bytes, size_bytes: int) -> None:
        """Use `Writer.create`."""
        self.path = path
        self.fd = fd
        self.used_bytes = FILE_HEADER_BYTES
        self._mark = mark
        self._size_bytes = size_bytes

    @classmethod
    def create(cls, folder: Path, position: int, size_bytes: int) -> Writer:
        """Make an empty file, durable with its name. If that fails it may leave one of no bytes."""
        path, mark = path_of(folder, position), os.urandom(MARK_BYTES)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            os.posix_fallocate(fd, 0, size_bytes)
            write_at(fd, 0, encode_file_header(FileHeader(mark, position)))
            os.fsync(fd)
            fsync_folder(folder)
        except OSError:
            with suppress(OSError):
                os.ftruncate(fd, 0)
            os.close(fd)
            raise
        return cls(path, fd, mark, size_bytes)

    @staticmethod
    def bytes_for(body: Body) -> int:
        """Size of a file that holds one block with this body."""
        return FILE_HEADER_BYTES + BLOCK_HEADER_BYTES + len(body.data)

    def has_room_for(self, body: Body) -> bool:
        """Say whether a block with this body fits."""
        return self.used_bytes + BLOCK_HEADER_BYTES + len(body.data) <= self._size_bytes

    def write(self, body: Body, *, position: int) -> None:
        """Add a block; not durable yet. If it fails, the next write covers what it left."""
        head = encode_block_header(body, mark=self._mark, position=position)
        write_at(self.fd, self.used_bytes, head, body.data)
        self.used_bytes += len(head) + len(body.data)

    def seal(self) -> int:
        """Cut the file to what it holds, close it and return its size."""
        os.ftruncate(self.fd, self.used_bytes)
        os.fsync(self.fd)
        self.close()
        return self.used_bytes

    def close(self) -> None:
        """Close the file as it is."""
        os.close(self.fd)


class Reader:
    """A place in one file, always at the beginning of a block."""

    def __init__(self, segment: Segment) -> None:
        """Open the file; DataError if its header is not whole."""
        self.path = segment.path
        self.position = segment.position
        self._offset = FILE_HEADER_BYTES
        self._fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        header = decode_file_header(os.pread(self._fd, FILE_HEADER_BYTES, 0))
        if header is None or header.position != segment.position:
            self.close()
            raise _corrupt(segment.path, 0, segment.position)
        self._mark = header.mark
        self.block_bytes = 0  # of the last block read
        self._messages: list[Message] = []  # of it: a reader may take it in parts

    def block(self, position: int, until_bytes: int) -> list[Message]:
        """Messages of the block that holds `position`, from there on; never past `until_bytes`."""
        if self._messages and self._messages[0].position <= position <= self._messages[-1].position:
            return self._messages[position - self._messages[0].position :]
        while True:
            header = self._header(until_bytes)
            if position < header.end:
                break
            self._offset += BLOCK_HEADER_BYTES + header.body_bytes
            self.position = header.end
        body = os.pread(self._fd, header.body_bytes, self._offset + BLOCK_HEADER_BYTES)
        if not is_whole(header, body, mark=self._mark):
            raise _corrupt(self.path, self._offset, self.position)
        if header.kind not in KINDS:
            raise DataError(
                f"the journal file {self.path} was written by a newer gainline: use that one"
            )
        self._messages, self.block_bytes = decode_body(header, body), header.body_bytes
        return self._messages[position - header.position :]

    def _header(self, until_bytes: int) -> BlockHeader:
        data = os.pread(self._fd, BLOCK_HEADER_BYTES, self._offset)
        header = decode_block_header(data, mark=self._mark)
        if (
            header is None
            or header.position != self.position
            or header.message_count == 0
            or self._offset + BLOCK_HEADER_BYTES + header.body_bytes > until_bytes
        ):
            raise _corrupt(self.path, self._offset, self.position)
        return header

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def segments_in(folder: Path) -> list[Segment]:
    """List the files of a journal in the order of their positions."""
    return [
        Segment(int(path.stem), path, path.stat().st_size)
        for path in sorted(folder.glob(f"*{SUFFIX}"))
        if path.stem.isdecimal()
    ]


def path_of(folder: Path, position: int) -> Path:
    """Name the file whose first message has this position; names sort as positions do."""
    return folder / f"{position:020d}{SUFFIX}"


def recover(last: Segment) -> Recovered:
    """Find the end of what is whole in the last file and cut off the rest."""
    data = last.path.read_bytes()
    header = decode_file_header(data)
    if header is None:
        # The header was durable before the first block was written: without it there was none.
        if not _is_zero(data, FILE_HEADER_BYTES):
            raise _corrupt(last.path, 0, last.position)
        found = Recovered(last.position, 0)
    else:
        found = walk(data, header)
        if not _is_zero(data, found.used_bytes):
            _refuse_if_more(data, found, last.path, header.mark)
            _log.warning("journal_tail_cut", path=str(last.path), position=found.end)
    if len(data) != found.used_bytes:
        with last.path.open("r+b") as file:
            file.truncate(found.used_bytes)
            os.fsync(file.fileno())
    return found


def walk(data: bytes, header: FileHeader) -> Recovered:
    """Find the end of the blocks that follow one another whole, from the head on."""
    view = memoryview(data)
    position, offset = header.position, FILE_HEADER_BYTES
    while block := decode_block_header(data, offset, mark=header.mark):
        body_at = offset + BLOCK_HEADER_BYTES
        body = view[body_at : body_at + block.body_bytes]
        if block.position != position or not is_whole(block, body, mark=header.mark):
            break
        position, offset = block.end, body_at + block.body_bytes
    return Recovered(position, offset)


def _refuse_if_more(data: bytes, found: Recovered, path: Path, mark: bytes) -> None:
    """DataError if a whole block follows the bad one.

    A block is durable before the next is written, so a crash tears only the last: this is a
    failed disk, and to cut here would silently drop what was acknowledged.
    """
    offset = found.used_bytes
    while (offset := data.find(mark, offset + 1)) >= 0:
        block = decode_block_header(data, offset, mark=mark)
        body_at = offset + BLOCK_HEADER_BYTES
        if block and is_whole(block, data[body_at : body_at + block.body_bytes], mark=mark):
            raise _corrupt(path, found.used_bytes, found.end)


def _corrupt(path: Path, offset: int, position: int) -> DataError:
    return DataError(
        f"the journal file {path} is corrupt at byte {offset}, where position {position} begins:"
        " restore it, or move the journal's folder away and restart without what it still held"
    )


def _is_zero(data: bytes, offset: int) -> bool:
    return data.count(0, offset) == max(len(data) - offset, 0)


def write_at(fd: int, offset: int, *parts: bytes) -> None:
    """Write all of the parts, one after the other."""
    views = [memoryview(part) for part in parts if part]
    while views:
        written = os.pwritev(fd, views, offset)
        offset += written
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views:
            views[0] = views[0][written:]


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
