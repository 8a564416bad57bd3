"""What the store does with its files, wherever they lie: the same on a disk and in a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import pyarrow as pa

# What is read at once of a file that may be of any size.
BLOCK_BYTES = 1 << 20


class File(Protocol):
    """A file that is there whole after a power cut, or not at all; `str` is its path in SQL.

    What fails raises OSError, FileNotFoundError where it is not there; see store.failures.of_disk.
    """

    @property
    def name(self) -> str:
        """Its path below the root of its files."""

    def __str__(self) -> str: ...

    def write(self, write: Callable[[BinaryIO], object]) -> None:
        """Let `write` fill it, durably; one that is there already is replaced.

        Raises TransientError where there is no room or no answer, GainlineError for a broken disk;
        then nothing of it is there, also where `write` raises.
        """

    def open(self) -> pa.NativeFile:
        """Open it to be read at any place."""

    def blocks(self) -> Iterator[bytes]:
        """Read it block by block, as it is stored now and not as it is remembered."""

    def byte_count(self) -> int:
        """Give its size."""

    def remove(self) -> None:
        """Remove it, if it is there."""


class Files(Protocol):
    """All files below one root; `str` is that root in SQL, without a slash at its end."""

    def __str__(self) -> str: ...

    def __truediv__(self, name: str) -> File:
        """Name a file, by its path below the root."""

    def below(self, name: str) -> Files:
        """Give the files of a folder."""

    def begin(self) -> None:
        """Make the root where it is missing. Raises as `File.write`."""

    def names(self, start: str) -> list[str]:
        """Name the files that lie in the root itself and whose name starts so."""

    def sync(self, name: str) -> None:
        """Make a file that DuckDB has written survive a power cut."""

    def remove_leftovers(self, older_than: datetime) -> int:
        """Remove, at any depth, what a write that was cut off has left; give the number."""
