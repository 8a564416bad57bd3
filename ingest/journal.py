"""The journal keeps messages, in order, from before their acknowledgement until they are stored.

Files are named by the position of their first message and preallocated, so that a write needs no
change of size and fdatasync writes the data alone. A file that is full is cut to what it holds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import structlog

from contracts.errors import (
    ConfigError,
    ContractError,
    GainlineError,
    TransientError,
)
from ingest.blocks import (
    BLOCK_HEADER_BYTES,
    FILE_HEADER_BYTES,
    MESSAGE_HEADER_BYTES,
    SEGMENT_BYTES,
    SEGMENT_COUNT_MIN,
    Body,
    Chunk,
    Received,
    encode_body,
    encode_frames,
)
from ingest.journal_file import (
    Reader,
    Segment,
    Writer,
    fsync_folder,
    path_of,
    recover,
    segments_in,
    write_at,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from contracts.message import Message

__all__ = ["Chunk", "Journal", "Received"]

_LOCK = "lock"
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_log = structlog.get_logger()


class Journal:
    """An append-only queue of messages on disk, for any appending and one reading thread.

    Positions count the messages over the whole life of the folder: 0, 1, 2, … Everything before
    `end` is on disk; everything from `start` on can be read.
    """

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        limit_bytes: int,
        first_position: int = 0,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Self:
        """Open or create the journal in `folder`, cutting off a torn tail.

        `limit_bytes` bounds what it takes of the disk. `first_position` is where positions go on
        at the least: what the lake already has, should the folder be new or an old copy.
        ConfigError if the limit is too small, the folder cannot be used or another process has it
        open, TransientError if the disk is full, DataError if what was acknowledged can no longer
        be read.
        """
        if limit_bytes < SEGMENT_COUNT_MIN * segment_bytes:
            raise ConfigError(
                f"the journal's limit of {limit_bytes} bytes is too small:"
                f" set it to at least {SEGMENT_COUNT_MIN * segment_bytes}"
            )
        try:
            lock = _locked(folder)
        except OSError as error:
            raise _not_opened(folder, error) from error
        try:
            return cls(folder, lock, limit_bytes, first_position, segment_bytes)
        except OSError as error:
            os.close(lock)
            raise _not_opened(folder, error) from error
        except BaseException:
            os.close(lock)
            raise

    def __init__(
        self, folder: Path, lock: int, limit_bytes: int, first_position: int, segment_bytes: int
    ) -> None:
        """Use `Journal.open`."""
        self._folder = folder
        self._lock = lock
        self._limit_bytes = limit_bytes
        self._segment_bytes = segment_bytes
        self._broken = ""
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._appending = threading.Lock()  # one block at a time: from the wire, from the inbox
        self._guard = threading.Lock()  # over the three that both threads use
        self._segments = segments_in(folder)
        self._end = first_position
        self._used_bytes = 0  # of the last segment, durable
        if self._segments:
            self._recover(first_position)

    def _recover(self, first_position: int) -> None:
        last = self._segments[-1]
        self._end, self._used_bytes = recover(last)
        self._segments[-1] = last._replace(disk_bytes=self._used_bytes)
        if self._end < first_position:
            _log.warning("journal_behind_lake", end=self._end, first_position=first_position)
            fresh = Segment(first_position, path_of(self._folder, first_position), 0)
            fresh.path.touch()
            fsync_folder(self._folder)
            self._segments.append(fresh)
            self._end, self._used_bytes = first_position, 0
            self.trim(first_position)

    @property
    def start(self) -> int:
        """The position of the oldest message still held; `end` if there is none."""
        with self._guard:
            return self._segments[0].position if self._segments else self._end

    @property
    def end(self) -> int:
        """The position that the next message will get."""
        return self._end

    @property
    def byte_count(self) -> int:
        """What the journal takes of the disk, preallocated space included."""
        with self._guard:
            return sum(segment.disk_bytes for segment in self._segments)

    @property
    def block_bytes_max(self) -> int:
        """The largest body of a block that can ever fit."""
        return self._limit_bytes // 2 - FILE_HEADER_BYTES - BLOCK_HEADER_BYTES

    @property
    def limit_bytes(self) -> int:
        """What it may take of the disk."""
        return self._limit_bytes

    def append(self, messages: Sequence[Received]) -> int:
        """Add messages as one block and return the new `end`; durable when it returns.

        TransientError if the journal or the disk is full: nothing has been added, and the same
        call works once there is space. Any other GainlineError means that the disk failed or the
        block can never fit: acknowledge nothing and restart.
        """
        return self._append(encode_body(messages))

    def append_frames(self, chunks: Sequence[Chunk], protocol: int) -> int:
        """Add PUBLISH frames of one version of MQTT as they came; else as `append`."""
        return self._append(encode_frames(chunks, protocol))

    def _append(self, body: Body) -> int:
        with self._appending:
            if self._broken:
                raise GainlineError(self._broken)
            try:
                if body.message_count:
                    self._write(body)
            except OSError as error:
                raise self._failure(error) from error
            return self._end

    def _write(self, body: Body) -> None:
        writer = self._writer
        if writer is None or not writer.has_room_for(body):
            writer = self._next_writer(body)
        writer.write(body, position=self._end)
        self._sync(writer)
        with self._guard:
            self._end += body.message_count
            self._used_bytes = writer.used_bytes

    def _sync(self, writer: Writer) -> None:
        try:
            os.fdatasync(writer.fd)
        except OSError as error:
            # What the kernel could not write it may have dropped: trying again would lie.
            raise self._broken_by(error) from error

    def _next_writer(self, body: Body) -> Writer:
        needed_bytes = max(self._segment_bytes, Writer.bytes_for(body))
        if needed_bytes > self._limit_bytes // 2:
            raise ConfigError(
                f"a block of {len(body.data)} bytes cannot fit the journal:"
                f" raise its limit of {self._limit_bytes} bytes to at least {2 * needed_bytes}"
            )
        self.forget_removed()
        if self.byte_count + needed_bytes > self._limit_bytes:
            raise TransientError(
                f"the journal {self._folder} has reached its limit of {self._limit_bytes} bytes:"
                " it goes on when the lake has caught up; if it does not, check the lake's disk"
            )
        self._seal()
        writer = Writer.create(self._folder, self._end, needed_bytes)
        fresh = Segment(self._end, writer.path, needed_bytes)
        with self._guard:
            # an empty file of the same name stands for a journal without messages
            if self._segments and self._segments[-1].position == self._end:
                self._segments.pop()
            self._segments.append(fresh)
            self._used_bytes = FILE_HEADER_BYTES
        self._writer = writer
        return writer

    def _seal(self) -> None:
        if self._writer is None:
            return
        used_bytes = self._writer.seal()
        self._writer = None
        with self._guard:
            self._segments[-1] = self._segments[-1]._replace(disk_bytes=used_bytes)

    def _failure(self, error: OSError) -> GainlineError:
        return _full(self._folder, error) if error.errno in _FULL else self._broken_by(error)

    def _broken_by(self, error: OSError) -> GainlineError:
        self._broken = (
            f"the disk of the journal {self._folder} failed ({error.strerror}):"
            " check the disk, then restart gainline; nothing unwritten was acknowledged"
        )
        return GainlineError(self._broken)

    def read(self, position: int, *, limit_bytes: int) -> list[Message]:
        """Messages from `position` on: at least one if there is one, then up to `limit_bytes`.

        The bytes are those on disk. ContractError for a position outside `start` … `end`, DataError
        where the disk no longer holds what was written, GainlineError where it cannot be read.
        """
        try:
            return self._read(position, limit_bytes)
        except OSError as error:
            raise self._failure(error) from error

    def _read(self, position: int, limit_bytes: int) -> list[Message]:
        with self._guard:
            segments, end, used_bytes = list(self._segments), self._end, self._used_bytes
        start = segments[0].position if segments else end
        if not start <= position <= end:
            raise ContractError(
                f"position {position} is not in the journal, which holds {start} to {end}"
            )
        messages: list[Message] = []
        while position < end:
            at = bisect_right(segments, position, key=lambda segment: segment.position) - 1
            is_last = at == len(segments) - 1
            until_bytes = used_bytes if is_last else segments[at].disk_bytes
            reader = self._reader_of(segments[at], position)
            found = reader.block(position, until_bytes)
            if reader.block_bytes > limit_bytes:
                fitting, limit_bytes = _fitting(found, limit_bytes)
                messages += found[: max(fitting, 0 if messages else 1)]
                if fitting < len(found):
                    break
            else:
                limit_bytes -= reader.block_bytes
                messages += found
            position = messages[-1].position + 1
        return messages

    def _reader_of(self, segment: Segment, position: int) -> Reader:
        reader = self._reader
        if reader is None or reader.path != segment.path or position < reader.position:
            if reader is not None:
                reader.close()
            self._reader = reader = Reader(segment)
        return reader

    def trim(self, position: int) -> None:
        """Remove the files that hold only messages below `position`; for the reading thread.

        The last file stays in any case: its name keeps the count of positions. Raises as `append`.
        """
        try:
            self._trim(position)
        except OSError as error:
            raise self._failure(error) from error

    def _trim(self, position: int) -> None:
        with self._guard:
            keep = bisect_right(self._segments, position, key=lambda segment: segment.position) - 1
            removed = self._segments[: max(keep, 0)]
        for segment in removed:
            segment.path.unlink(missing_ok=True)  # gone where a trim before failed half-way
        if self._reader and self._reader.path in {segment.path for segment in removed}:
            self._reader.close()  # the disk gets its space back only now
            self._reader = None
        if removed:
            fsync_folder(self._folder)
            with self._guard:
                self._segments = [one for one in self._segments if one not in removed]

    def forget_removed(self) -> None:
        """Forget the files that another process has trimmed: see ingest/journal_view.py."""
        with self._guard:
            last = self._segments[-1:]
            there = [segment for segment in self._segments[:-1] if segment.path.exists()]
            self._segments = there + last

    def close(self) -> None:
        """Let another process open it. Safe to call twice."""
        self._broken = self._broken or "the journal is closed: open it again"
        for part in (self._writer, self._reader):
            if part is not None:
                part.close()
        self._writer = self._reader = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fitting(messages: list[Message], limit_bytes: int) -> tuple[int, int]:
    """Count the messages that fit; give that, and what they leave of the limit."""
    for count, message in enumerate(messages):
        size = MESSAGE_HEADER_BYTES + len(message.topic) + len(message.payload)
        if size > limit_bytes:
            return count, limit_bytes
        limit_bytes -= size
    return len(messages), limit_bytes


def _locked(folder: Path) -> int:
    """Make the folder if need be and hold its lock file; the kernel frees it with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    fsync_folder(folder.parent)
    fd = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(fd, 20, 0).decode(errors="replace") or "unknown"
        os.close(fd)
        raise ConfigError(
            f"the journal {folder} is in use by process {holder}: stop it, or use another folder"
        ) from error
    _sign(fd)
    return fd


def _sign(fd: int) -> None:
    # only for the message above: on a full disk the lock does without
    with suppress(OSError):
        os.ftruncate(fd, 0)
        write_at(fd, 0, str(os.getpid()).encode())


def _not_opened(folder: Path, error: OSError) -> GainlineError:
    if error.errno in _FULL:
        return _full(folder, error)
    return ConfigError(
        f"the journal's folder {folder} cannot be used ({error.strerror}): choose another, let this"
        " user write there, or check the disk"
    )


def _full(folder: Path, error: OSError) -> TransientError:
    return TransientError(
        f"the disk of the journal {folder} is full ({error.strerror}):"
        " free space there; it goes on by itself"
    )
