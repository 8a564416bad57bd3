"""Files on a disk of this machine."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from store.place.durable import PART, blocks_of, make_folder, sync_file, sync_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa


class LocalFile(NamedTuple):
    """A file on a disk: see store.place.files.File."""

    path: Path
    root: Path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        """Its path below the root of its files."""
        return str(self.path.relative_to(self.root))

    def write(self, write: Callable[[BinaryIO], object]) -> None:
        """Write it durably, and its folder where that is missing."""
        make_folder(self.path.parent)
        write_file(self.path, write)

    def open(self) -> pa.NativeFile:
        """Open it to be read at any place."""
        import pyarrow as pa  # noqa: PLC0415  # a small question is answered without it

        return pa.OSFile(str(self.path), "rb")

    def blocks(self) -> Iterator[bytes]:
        """Read it from the disk itself, not from memory."""
        return blocks_of(self.path)

    def byte_count(self) -> int:
        """Give its size."""
        return self.path.stat().st_size

    def remove(self) -> None:
        """Remove it; after a power cut it may be there again."""
        self.path.unlink(missing_ok=True)


class LocalFiles:
    """The files of a folder: see store.place.files.Files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def __truediv__(self, name: str) -> LocalFile:
        return LocalFile(self.folder / name, self.folder)

    def below(self, name: str) -> LocalFiles:
        """Give the files of a folder in it."""
        return LocalFiles(self.folder / name)

    def begin(self) -> None:
        """Make the folder, for good."""
        make_folder(self.folder)

    def names(self, start: str) -> list[str]:
        """Name the files that lie in it and whose name starts so."""
        return [path.name for path in self.folder.glob(f"{start}*") if path.is_file()]

    def sync(self, name: str) -> None:
        """Sync a file and its name."""
        path = self.folder / name
        sync_file(path)
        sync_folder(path.parent)

    def remove_leftovers(self, older_than: datetime) -> int:
        """Remove halves of files; one that a writer has meanwhile made whole is none."""
        count = 0
        for path in self.folder.rglob(f"*{PART}"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < older_than.timestamp():
                    path.unlink()
                    count += 1
        return count
