"""What went wrong with the disk or the catalog, said in the house's own errors."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from contracts.errors import (
    ConfigError,
    DataError,
    GainlineError,
    TransientError,
    UnreachableError,
)

# A full disk in the words of the kernel and of SQLite.
_FULL = re.compile(r"no space left|disk is full|disk quota", re.IGNORECASE)
# SQLite and DuckLake say one of these when another writer came first: worth a retry.
# So does PostgreSQL.
_CONFLICT = re.compile(
    r"database is locked|database table is locked|conflict|could not serialize|deadlock detected",
    re.IGNORECASE,
)
_BROKEN = re.compile(r"disk I/O error|input/output error|invalidated", re.IGNORECASE)
# A catalog whose maker has not come to its first table yet.
_UNFINISHED = re.compile(r"existing DuckLake .* does not exist", re.IGNORECASE)
# What DuckDB says of a file that SQL may not open.
_OUTSIDE = re.compile(r"file system operations are disabled|disabled by configuration")
# What Arrow calls the errors of a bucket; those of them that our rights cause.
_OF_BUCKET = re.compile(r"AWS Error (\w+)")
_RIGHTS = re.compile(r"DENIED|SIGNATURE|TOKEN|ACCESS_KEY|CREDENTIALS|AUTHENTICATION")
# What DuckDB says where PostgreSQL or a bucket does not answer, or does not let us in.
_SILENT = re.compile(
    r"connection refused|could not connect|connection to server .* failed|timed? ?out"
    r"|server closed the connection|no connection to the server|terminating connection"
    r"|could not translate host|connection error for HTTP|the database system is",
    re.IGNORECASE,
)
_NOT_LET_IN = re.compile(
    r"password authentication failed|no password supplied|role .* does not exist"
    r"|database .* does not exist|permission denied|no pg_hba.conf entry|HTTP 403|SSL was required",
    re.IGNORECASE,
)
# SQLite calls it an I/O error where its shared index of 32 KiB finds no room.
_FREE_BYTES_MIN = 1 << 20
_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT)


def of_disk(error: OSError) -> GainlineError:
    """Name what the operating system or a bucket refused: TransientError where waiting can help."""
    if told := _OF_BUCKET.search(str(error)):
        return _of_bucket(told[1], one_line(error))
    if error.errno in _FULL_NUMBERS:
        return TransientError(f"the disk of the store is full ({error}): make room, it goes on")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ConfigError(f"the store may not be written ({error}): give this user the right to")
    return GainlineError(f"the disk of the store failed ({error}): check it, then open it again")


@contextmanager
def named(folder: Path) -> Iterator[None]:
    """Name what DuckDB or the disk refuses in the block, of the store in a folder."""
    try:
        yield
    except duckdb.Error as error:
        raise of_catalog(error, folder) from error
    except OSError as error:
        raise of_disk(error) from error


def of_catalog(error: duckdb.Error, folder: Path) -> GainlineError:
    """Name what DuckDB refused for the store in a folder: TransientError where waiting can help."""
    words = one_line(error)
    if _UNFINISHED.search(words):
        return unfinished(folder)
    if elsewhere := _of_server(words):
        return elsewhere
    is_broken = _BROKEN.search(words) is not None
    if _FULL.search(words) or (is_broken and _free_bytes(folder) < _FREE_BYTES_MIN):
        return TransientError(f"the disk of the store is full ({words}): make room, it goes on")
    if is_conflict(error):
        return TransientError(f"another writer holds the catalog ({words}): try again")
    if is_broken:
        return GainlineError(f"the catalog failed ({words}): check the disk, then open it again")
    return GainlineError(f"the catalog refused a request ({words}): see `gainline doctor`")


def of_query(error: duckdb.Error) -> GainlineError:
    """Name what is wrong with SQL that somebody asked, or with the store that it reads."""
    words = one_line(error)
    if isinstance(error, (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)):
        return DataError(f"the SQL is wrong: {words}")
    if isinstance(error, duckdb.PermissionException) or _OUTSIDE.search(words):
        return DataError(f"the SQL reaches outside the store, which is not allowed: {words}")
    if isinstance(error, duckdb.OutOfMemoryException):
        needed = words.partition(" Database is launched")[0].partition(" Possible")[0]
        return DataError(f"the SQL needs more memory than it may have ({needed}): ask for less")
    if is_conflict(error):
        return TransientError(f"the catalog is held ({words}): try again")
    if isinstance(error, duckdb.IOException):
        return GainlineError(f"the store cannot be read ({words}): see `gainline doctor`")
    return DataError(f"the SQL failed: {words}")


def _of_server(words: str) -> GainlineError | None:
    if _NOT_LET_IN.search(words):
        return ConfigError(f"store.catalog or store.data does not let us in ({words})")
    if _SILENT.search(words):
        return UnreachableError(f"the catalog or the data does not answer ({words}): start it")
    return None


def _of_bucket(kind: str, words: str) -> GainlineError:
    if _RIGHTS.search(kind):
        return ConfigError(f"store.data: the bucket does not let us in ({words})")
    if kind == "NO_SUCH_BUCKET":
        return ConfigError(f"store.data: there is no such bucket ({words}): make it")
    return UnreachableError(f"the bucket does not answer ({words}): start it, it goes on")


def unfinished(folder: Path) -> TransientError:
    """Say that a store is being made, or that a crash left it half made, which a writer mends."""
    return TransientError(
        f"the store in {folder} is not finished yet: try again, once `gainline run` has started"
    )


def is_conflict(error: duckdb.Error) -> bool:
    """Tell whether another writer came first, so that the same commit may be tried again."""
    return bool(_CONFLICT.search(str(error)))


def one_line(error: Exception) -> str:
    r"""Say an error of DuckDB on one line, without its drawing of the statement.

    >>> one_line(ValueError("Binder Error: no column x\n\nLINE 1: select x\n       ^"))
    'Binder Error: no column x'
    """
    head = str(error).split("\n\nLINE ")[0]
    return " ".join(head.split())


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
