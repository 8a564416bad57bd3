"""The inbox: messages that any process hands over, in files, to whoever is the store's ingest.

A file is laid out as one of the journal (see blocks.py), its messages counted from 0; a block
without messages says that it is whole. Files are named by the time at which they were put there,
and taken in that order. One that is taken twice, after a crash, does no harm: each message has an
origin.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from contracts.errors import ConfigError, DataError, TransientError
from ingest.blocks import (
    BLOCK_HEADER_BYTES,
    FILE_HEADER_BYTES,
    MARK_BYTES,
    MESSAGE_HEADER_BYTES,
    ONE_BY_ONE,
    BlockHeader,
    FileHeader,
    Received,
    decode_block_header,
    decode_body,
    decode_file_header,
    encode_block,
    encode_body,
    encode_file_header,
    is_whole,
)
from ingest.journal_file import fsync_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ingest.journal import Journal

SUFFIX = ".messages"
PART = ".part"  # of a file that is being written
REFUSED = ".refused"  # of a file that is not ours or not whole

# Of a block: what one append to the journal writes and syncs, as much as a socket brings at once.
BLOCK_BYTES = 1 << 20
# No message is larger than MQTT allows, 256 MiB, and a block that is larger than BLOCK_BYTES holds
# one; beyond it a file is not ours, and must not take our memory.
BLOCK_BYTES_MAX = 300 << 20
# Nobody writes one file for so long: its writer is dead.
PART_KEPT_S = 24 * 3600.0

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_log = structlog.get_logger()


class Inbox:
    """A folder of files with messages: `put` from any process, `take` from that of ingest alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: _File | None = None  # that is being taken
        self._left: set[str] = set()  # what can be neither read nor set aside
        self._is_swept = False

    def put(self, messages: Iterable[Received]) -> Path:
        """Hand messages over, each with its origin: durable when it returns the file's name.

        Whole or not at all. TransientError on a full disk, ConfigError where the folder cannot be
        used.
        """
        name = f"{time.time_ns():020d}-{secrets.token_hex(4)}{SUFFIX}"
        path = self._folder / name
        part = self._folder / (name + PART)
        try:
            self._make_folder()
            with part.open("xb") as target:
                target.writelines(_encoded(messages))
                target.flush()
                os.fsync(target.fileno())
            part.rename(path)
            fsync_folder(self._folder)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise _not_put(self._folder, error) from error
        return path

    def take(self, journal: Journal, *, limit_bytes: int) -> int:
        """Move messages to the journal, about `limit_bytes` of them; give their number.

        A file is removed once the journal has all of it. One that is not ours or not whole is set
        aside, under another name, with a word in the log. Raises as Journal.append, and goes on
        from there the next time.
        """
        count = 0
        while limit_bytes > 0 and (file := self._oldest()):
            try:
                messages = file.messages()
                journal.append(messages)
            except (OSError, DataError, ConfigError) as problem:
                self._set_aside(file, problem)
                continue
            if not messages:
                self._remove(file)
                continue
            file.step()
            count += len(messages)
            limit_bytes -= sum(
                MESSAGE_HEADER_BYTES + len(one.topic) + len(one.payload) for one in messages
            )
        return count

    @property
    def waiting_bytes(self) -> int:
        """What the files that wait take of the disk."""
        return sum(_size_of(path) for path in self._folder.glob(f"*{SUFFIX}"))

    def close(self) -> None:
        """Close the file that is being taken; the next `take` begins it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            fsync_folder(self._folder.parent)

    def _oldest(self) -> _File | None:
        """Give the file that is being taken, or else the oldest that can be opened."""
        if self._file is None:
            for name in self._names():
                try:
                    self._file = _File(self._folder / name)
                    break
                except (OSError, DataError) as problem:
                    self._rename(name, problem, taken=0)
        return self._file

    def _names(self) -> list[str]:
        try:
            with os.scandir(self._folder) as entries:
                files = [one.name for one in entries if one.is_file(follow_symlinks=False)]
        except OSError:
            return []  # nobody has put anything there yet
        if not self._is_swept:
            self._is_swept = True
            _sweep(self._folder, [name for name in files if name.endswith(SUFFIX + PART)])
        return sorted(name for name in files if name.endswith(SUFFIX) and name not in self._left)

    def _remove(self, file: _File) -> None:
        self.close()
        try:
            file.path.unlink(missing_ok=True)
        except OSError as problem:
            self._left.add(file.path.name)
            _log.warning("inbox_file_stays", file=str(file.path), why=str(problem))
        else:
            _log.info("inbox_file_taken", file=file.path.name, messages=file.position)

    def _set_aside(self, file: _File, problem: Exception) -> None:
        self.close()
        self._rename(file.path.name, problem, taken=file.position)

    def _rename(self, name: str, problem: Exception, *, taken: int) -> None:
        _log.error(
            "inbox_file_set_aside", file=str(self._folder / name), why=str(problem), taken=taken
        )
        try:
            (self._folder / name).rename(self._folder / (name + REFUSED))
        except OSError:
            self._left.add(name)


class _Block(NamedTuple):
    header: BlockHeader
    messages: list[Received]


class _File:
    """A place in one file of the inbox, always at the beginning of a block."""

    def __init__(self, path: Path) -> None:
        """Open it; DataError if it is not ours."""
        self.path = path
        self.position = 0  # of the next message
        self._offset = FILE_HEADER_BYTES
        self._block: _Block | None = None  # read, but not yet in the journal
        # without O_NONBLOCK a pipe of that name would be waited for
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        found = os.fstat(self._fd)
        self._size = found.st_size
        header = decode_file_header(os.pread(self._fd, FILE_HEADER_BYTES, 0))
        if not stat.S_ISREG(found.st_mode) or header is None or header.position != 0:
            self.close()
            raise DataError("it is not a file that gainline has put there whole")
        self._mark = header.mark

    def messages(self) -> list[Received]:
        """Read the next messages; none at the end. DataError if they are not whole."""
        if self._block is None:
            self._block = self._read()
        return self._block.messages

    def step(self) -> None:
        """Go on to the block after the one that was read."""
        if self._block is not None:
            self._offset += BLOCK_HEADER_BYTES + self._block.header.body_bytes
            self.position = self._block.header.end
            self._block = None

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _read(self) -> _Block:
        head = os.pread(self._fd, BLOCK_HEADER_BYTES, self._offset)
        header = decode_block_header(head, mark=self._mark)
        body_at = self._offset + BLOCK_HEADER_BYTES
        if (
            header is None
            or header.position != self.position
            or header.kind != ONE_BY_ONE
            or header.body_bytes > min(self._size - body_at, BLOCK_BYTES_MAX)
        ):
            raise self._torn()
        body = os.pread(self._fd, header.body_bytes, body_at)
        if not is_whole(header, body, mark=self._mark):
            raise self._torn()
        try:
            messages = decode_body(header, body)
        except (struct.error, UnicodeDecodeError):
            raise self._torn() from None
        return _Block(header, [Received(*message[1:]) for message in messages])

    def _torn(self) -> DataError:
        return DataError(f"it is not whole from byte {self._offset} on, message {self.position}")


def _encoded(messages: Iterable[Received]) -> Iterator[bytes]:
    mark, position = os.urandom(MARK_BYTES), 0
    yield encode_file_header(FileHeader(mark, position))
    for block in _blocks(messages):
        yield encode_block(encode_body(block), mark=mark, position=position)
        position += len(block)
    yield encode_block(encode_body([]), mark=mark, position=position)


def _blocks(messages: Iterable[Received]) -> Iterator[list[Received]]:
    block: list[Received] = []
    size = 0
    for message in messages:
        length = MESSAGE_HEADER_BYTES + len(message.topic) + len(message.payload)
        if block and size + length > BLOCK_BYTES:
            yield block
            block, size = [], 0
        block.append(message)
        size += length
    if block:
        yield block


def _sweep(folder: Path, names: list[str]) -> None:
    """Remove what writers that died have left."""
    for name in names:
        with suppress(OSError):
            if time.time() - (folder / name).stat().st_mtime > PART_KEPT_S:
                (folder / name).unlink()


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # it has just been taken


def _not_put(folder: Path, error: OSError) -> TransientError | ConfigError:
    if error.errno in _FULL:
        return TransientError(f"the disk of the inbox {folder} is full: free space and try again")
    return ConfigError(
        f"the inbox {folder} cannot be written ({error.strerror}): let this user write there"
    )
