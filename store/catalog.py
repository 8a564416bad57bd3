"""The catalog: a DuckDB connection with the lake attached, for one writer or any reader."""

from pathlib import Path

import duckdb
import duckdb_extension_ducklake
import duckdb_extension_sqlite_scanner

from contracts.errors import ConfigError
from store import failures
from store.folder import Folder

# The name of the lake in SQL.
LAKE = "lake"
# What DuckLake calls the attachment of its own tables.
METADATA = f"__ducklake_metadata_{LAKE}"
# What a second attachment of it is called, which is there to keep it open.
_KEPT = "kept_catalog"
# Rows up to which an INSERT stays inside the catalog, where SQLite syncs it. Above it DuckLake
# would write a file that nobody syncs: the store never inserts so many.
INLINED_ROWS_MAX = 1_000
# SQLite waits so long for a reader that is closing the catalog; writers wait for a lock before.
_BUSY_TIMEOUT_MS = 10_000


def attach(
    folder: Folder,
    *,
    writable: bool,
    connection: duckdb.DuckDBPyConnection | None = None,
    snapshot: int | None = None,
) -> duckdb.DuckDBPyConnection:
    """Connect an in-memory DuckDB, a new one if none is given, to the lake. Raises GainlineError.

    A writer's attachment makes a catalog that is missing. With a snapshot, by its number, the lake
    is as it was then.
    """
    connection = connection or unattached()
    options = [
        f"DATA_PATH {_quoted(folder.data)}",
        # the store may have been moved since it was made
        "OVERRIDE_DATA_PATH true",
        f"META_BUSY_TIMEOUT {_BUSY_TIMEOUT_MS}",
        f"DATA_INLINING_ROW_LIMIT {INLINED_ROWS_MAX}",
        # in any other mode a commit keeps readers out
        "META_JOURNAL_MODE 'WAL'" if writable else "READ_ONLY",
    ]
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {snapshot}")
    source = _quoted(f"ducklake:sqlite:{folder.catalog}")
    try:
        connection.execute(f"ATTACH {source} AS {LAKE} ({', '.join(options)})")
        connection.execute(f"USE {LAKE}")
    except duckdb.Error as error:
        connection.close()
        raise failures.of_catalog(error, folder.root) from error
    return connection


def kept_open(connection: duckdb.DuckDBPyConnection, folder: Folder) -> duckdb.DuckDBPyConnection:
    """Keep the catalog open in SQLite until the answer is closed. Raises duckdb.Error.

    DuckDB opens and closes it with each transaction, and whoever closes a catalog that nobody else
    has open folds its log into it and removes the log, with two more syncs, and keeps everybody
    out meanwhile: who comes then waits a whole second, as the SQLite in DuckDB sleeps no less.
    What is kept holds no lock on any snapshot: the log is folded and begun anew as ever.
    """
    keeper = connection.cursor()
    keeper.execute(f"ATTACH {_quoted(folder.catalog)} AS {_KEPT} (TYPE sqlite)")
    keeper.execute("BEGIN")
    # to explain a query SQLite reads what tables there are, and then lets go of the snapshot
    sql = "EXPLAIN SELECT * FROM ducklake_metadata"
    keeper.execute("SELECT * FROM sqlite_query(?, ?)", [_KEPT, sql]).fetchall()
    return keeper


def unattached(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Make an in-memory DuckDB that can be attached to a lake; None: a thread for each core."""
    connection = duckdb.connect(
        config={
            # The signature check reads 67 MB at each start, 0.2 s. What is loaded are two files of
            # pinned packages, as trusted as the module duckdb itself.
            "allow_unsigned_extensions": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            **({} if threads is None else {"threads": threads}),
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    for package in (duckdb_extension_sqlite_scanner, duckdb_extension_ducklake):
        connection.execute(f"LOAD {_quoted(_extension(package.__path__[0]))}")
    # a segment is never changed: its footer need not be read twice
    connection.execute("SET parquet_metadata_cache = true")
    return connection


def _extension(package: str) -> Path:
    folder = Path(package) / "extensions" / f"v{duckdb.__version__}"
    found = list(folder.glob("*.duckdb_extension"))
    if len(found) != 1:
        raise ConfigError(
            f"no extension for DuckDB {duckdb.__version__} in {folder}: install gainline's pinned"
            " versions"
        )
    return found[0]


def _quoted(text: object) -> str:
    """Write a string literal of SQL.

    >>> _quoted("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"
