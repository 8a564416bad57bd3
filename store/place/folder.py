"""The folder of a store: what lies where, of which format."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import ConfigError
from store import failures
from store.place import location
from store.place.durable import PART, make_folder
from store.place.local_files import LocalFiles
from store.place.locks import FileLocks, committing

if TYPE_CHECKING:
    from store.place.files import Files
    from store.place.location import Bucket, Server
    from store.place.locks import Locks

# Raised by one whenever an older program would misread the store.
FORMAT_VERSION = 2
# Its name among the files of a store.
_FORMAT = "format_version"
# What may lie in the folder of a store that is not made yet: what other rooms put there, where the
# rest is, what a crash during creation left, and what a mounted file system has.
_BEFORE_CREATION = {
    *("journal", "inbox", "reports", "locks", "lost+found", location.FILE),
    *(f"{name}{PART}" for name in (_FORMAT, location.FILE)),
}


class Folder:
    """The paths of one store. Making one reads where the rest of it is, and changes nothing.

    A catalog in PostgreSQL and data in a bucket belong to all machines whose folders name them; the
    folder has what is this machine's own.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.catalog = self.root / "catalog.sqlite"
        self.scratch = self.root / "state"  # of this machine, nothing to be kept
        self._location = location.location_of(self.root)
        self.server: Server | None = self._location.server()
        self.bucket: Bucket | None = self._location.bucket()

    @cached_property
    def files(self) -> Files:
        """All files that are the store's, wherever it is opened."""
        if self.bucket is None:
            return LocalFiles(self.root)
        from store.place.s3_files import S3Files  # noqa: PLC0415  # its library takes half a second

        return S3Files(self.bucket, self.bucket.root)

    @cached_property
    def data(self) -> Files:
        """The segments."""
        return self.files.below("data")

    @cached_property
    def state(self) -> Files:
        """What writers remember."""
        return self.files.below("state")

    @cached_property
    def locks(self) -> Locks:
        """Who may do what."""
        if self.server is None:
            return FileLocks(self.root / "locks")
        from store.place.postgres import PostgresLocks  # noqa: PLC0415  # a store on one machine has none

        return PostgresLocks(self.server)

    def require_store(self) -> None:
        """Raise ConfigError unless there is a store of a format that we read.

        Raises TransientError for one that is being made, UnreachableError where it does not answer.
        """
        number = self._noted_version()
        if number is None:
            raise ConfigError(f"there is no store in {self.root}: name one that ingest has made")
        self._require_readable(number)
        if self.server is None and not self.catalog.is_file():
            raise failures.unfinished(self.root)

    def version(self) -> int:
        """Give the format of the store, 0 where there is none. Raises ConfigError: no number."""
        return self._noted_version() or 0

    def write_version(self) -> None:
        """Say that the store is of the format that this program writes."""
        number = f"{FORMAT_VERSION}\n".encode("ascii")
        (self.files / _FORMAT).write(lambda sink: sink.write(number))

    def prepare(self) -> None:
        """Make the folder where it is missing, finish it where a crash left it half made.

        Raises ConfigError for a folder that holds something else.
        """
        self._refuse_strangers()
        make_folder(self.root / "locks")
        with committing(self):
            if self._noted_version() is None:
                self.write_version()
            self._require_readable(self.version())
            make_folder(self.scratch)
            self.state.begin()
            self.data.begin()

    def _require_readable(self, number: int) -> None:
        if number > FORMAT_VERSION:
            raise ConfigError(
                f"the store in {self.root} has format {number}, this program reads up to"
                f" {FORMAT_VERSION}: install a newer gainline"
            )

    def _noted_version(self) -> int | None:
        file = self.files / _FORMAT
        try:
            words = b"".join(file.blocks()).decode("ascii", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise failures.of_disk(error) from error
        if not words.isdecimal():
            raise ConfigError(f"{file} holds {words[:20]!r}, not a number: mend it")
        return int(words)

    def _refuse_strangers(self) -> None:
        try:
            names = {entry.name for entry in self.root.iterdir()}
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(
                f"{self.root} cannot be a store ({error}): choose a folder"
            ) from error
        is_elsewhere = location.FILE in names
        if not is_elsewhere and _FORMAT not in names and names - _BEFORE_CREATION:
            raise ConfigError(
                f"{self.root} is not empty and no store: choose an empty folder or a store"
            )
