"""A file that is there whole after a power cut, or not at all."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from store import failures

# What a file is called until it is whole; such a file is never read and may be removed.
PART = ".part"
# What is read at once of a file that may be of any size.
BLOCK_BYTES = 1 << 20


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a new file at `path`: fsync, rename, fsync of the folder.

    A file that is already there is replaced. Raises TransientError on a full disk, GainlineError
    on a broken one; the part written so far is removed, also where `write` raises.
    """
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as sink:
            write(sink)
            sink.flush()
            os.fsync(sink.fileno())
        part.rename(path)
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):  # a leftover is removed by maintenance
            part.unlink()
        if isinstance(error, OSError):
            raise failures.of_disk(error) from error
        raise


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file that something else wrote survive a power cut. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that their names survive a power cut."""
    if folder.is_dir():
        return
    try:
        if not folder.parent.is_dir():
            make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise failures.of_disk(error) from error


def blocks_of(path: Path) -> Iterator[bytes]:
    """Read a file block by block, from the disk itself and not from memory. Raises OSError.

    What the system remembers of it is let go before, as a disk that has altered a file would not
    show else, and after, so that a large store does not push out what queries need.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while block := os.read(descriptor, BLOCK_BYTES):
            yield block
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def copy_blocks(blocks: Iterator[bytes], target: Path, sha256: str | None = None) -> str:
    """Write a file of these blocks, durable but for its name; give its SHA-256 in hexadecimal.

    It gets its name only where it has the hash that is asked for; what else is written of it is
    removed. The caller syncs the folder: see `sync_folder`. Raises OSError.
    """
    part, digest = target.with_name(target.name + PART), hashlib.sha256()
    try:
        with part.open("wb") as sink:
            for block in blocks:
                digest.update(block)
                sink.write(block)
            sink.flush()
            os.fsync(sink.fileno())
        if sha256 in (None, digest.hexdigest()):
            part.rename(target)
    finally:
        with suppress(OSError):
            part.unlink()
    return digest.hexdigest()


def remove_file(path: Path) -> None:
    """Remove a file for good, also after a power cut. Raises OSError."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)
