"""A file that is there whole after a power cut, or not at all."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from store import failures

# What a file is called until it is whole; such a file is never read and may be removed.
PART = ".part"


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a new file at `path`: fsync, rename, fsync of the folder.

    A file that is already there is replaced. Raises TransientError on a full disk, GainlineError
    on a broken one; the part written so far is removed.
    """
    part = path.with_name(path.name + PART)
    try:
        with part.open("wb") as sink:
            write(sink)
            sink.flush()
            os.fsync(sink.fileno())
        part.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # a leftover is removed by maintenance
            part.unlink()
        raise failures.of_disk(error) from error


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
