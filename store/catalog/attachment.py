"""The catalog: a DuckDB connection with the lake attached, for one writer or any reader."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from contracts.errors import ConfigError
from store import failures

if TYPE_CHECKING:
    from store.place.folder import Folder
    from store.place.location import Bucket, Server

# The name of the lake in SQL.
LAKE = "lake"
# What DuckLake calls the attachment of its own tables.
METADATA = f"__ducklake_metadata_{LAKE}"
# What a second attachment of it is called, which is there to keep it open.
_KEPT = "kept_catalog"
# Rows up to which an INSERT stays inside the catalog, where the database syncs it. Above it
# DuckLake would write a file that nobody syncs: the store never inserts so many.
INLINED_ROWS_MAX = 1_000
# SQLite waits so long for a reader that is closing the catalog; writers wait for a lock before.
_BUSY_TIMEOUT_MS = 10_000
# A server that answers at all answers within this.
_CONNECT_TIMEOUT_S = 10
# DuckDB's extensions that are always needed; for a catalog in PostgreSQL, and data in a bucket.
_EXTENSIONS = ("sqlite_scanner", "ducklake")
_POSTGRES, _S3 = "postgres_scanner", "httpfs"
# What the connection calls the ways in.
_CATALOG_SECRET, _DATA_SECRET = "catalog", "data"


def attach(
    folder: Folder,
    *,
    writable: bool,
    connection: duckdb.DuckDBPyConnection | None = None,
    snapshot: int | None = None,
) -> duckdb.DuckDBPyConnection:
    """Connect an in-memory DuckDB, a new one if none is given, to the lake. Raises GainlineError.

    One that is given has been told how to `enter` it. A writer's attachment makes a catalog that is
    missing. With a snapshot, by its number, the lake is as it was then.
    """
    connection = connection or enter(unattached(), folder)
    options = [
        f"DATA_PATH {_quoted(folder.data)}",
        # the store may have been moved since it was made
        "OVERRIDE_DATA_PATH true",
        f"DATA_INLINING_ROW_LIMIT {INLINED_ROWS_MAX}",
    ]
    if not writable:
        options.append("READ_ONLY")
    if snapshot is not None:
        options.append(f"SNAPSHOT_VERSION {snapshot}")
    if folder.server is None:
        source = f"ducklake:sqlite:{folder.catalog}"
        options.append(f"META_BUSY_TIMEOUT {_BUSY_TIMEOUT_MS}")
        if writable:  # in any other mode a commit keeps readers out
            options.append("META_JOURNAL_MODE 'WAL'")
    else:
        tls = folder.server.tls
        source = f"ducklake:postgres:sslmode={tls} connect_timeout={_CONNECT_TIMEOUT_S}"
        options.append(f"META_SECRET '{_CATALOG_SECRET}'")
    try:
        connection.execute(f"ATTACH {_quoted(source)} AS {LAKE} ({', '.join(options)})")
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
    if folder.server is not None:  # it is kept open there
        return keeper
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
    for name in _EXTENSIONS:
        _load(connection, name)
    # a segment is never changed: its footer need not be read twice
    connection.execute("SET parquet_metadata_cache = true")
    return connection


def enter(connection: duckdb.DuckDBPyConnection, folder: Folder) -> duckdb.DuckDBPyConnection:
    """Tell a connection how to enter a catalog and data that are elsewhere. Raises ConfigError."""
    if folder.server is not None:
        _enter_server(connection, folder.server)
    if folder.bucket is not None:
        _enter_bucket(connection, folder.bucket)
    return connection


def _enter_server(connection: duckdb.DuckDBPyConnection, server: Server) -> None:
    _load(connection, _POSTGRES)
    words = {
        "HOST": server.host,
        "PORT": str(server.port),
        "DATABASE": server.database,
        "USER": server.user,
        "PASSWORD": server.password(),
    }
    _keep_secret(connection, _CATALOG_SECRET, "postgres", words)


def _enter_bucket(connection: duckdb.DuckDBPyConnection, bucket: Bucket) -> None:
    _load(connection, _S3)
    words = {
        "KEY_ID": bucket.access_key,
        "SECRET": bucket.secret_key(),
        "REGION": bucket.region,
        "SCOPE": f"s3://{bucket.root}",
    }
    if bucket.host:  # servers of one's own know buckets by their path
        words |= {"ENDPOINT": bucket.host, "URL_STYLE": "path"}
    words["USE_SSL"] = "true" if bucket.uses_tls else "false"
    _keep_secret(connection, _DATA_SECRET, "s3", words)


def _keep_secret(
    connection: duckdb.DuckDBPyConnection, name: str, kind: str, words: dict[str, str]
) -> None:
    told = ", ".join(f"{key} {_quoted(word)}" for key, word in words.items() if word)
    connection.execute(f"CREATE OR REPLACE TEMPORARY SECRET {name} (TYPE {kind}, {told})")


def _load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    connection.execute(f"LOAD {_quoted(_extension(name))}")


def _extension(name: str) -> Path:
    """Find the file of an extension in its package."""
    package = importlib.import_module(f"duckdb_extension_{name}").__path__[0]
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
