"""Sessions of PostgreSQL beside those of DuckDB: locks of a store, and its catalog written anew."""

from __future__ import annotations

import hashlib
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pg8000.native
from pg8000.exceptions import DatabaseError, InterfaceError

from contracts.errors import ConfigError, GainlineError, UnreachableError

if TYPE_CHECKING:
    from store.place.location import Server
    from store.place.locks import Lock

# What answers at all answers a lock within this.
ANSWER_TIMEOUT_S = 10
# Tables of the largest catalog are written anew within this.
_VACUUM_TIMEOUT_S = 600
# What PostgreSQL says of a role or a database that it does not know, or of a wrong password
# (appendix A of its manual: class 28, and 3D000).
_NOT_LET_IN = ("28", "3D")


class PostgresLocks:
    """Locks of all processes that share a catalog: see store.place.locks.Locks.

    They are advisory locks of sessions, so each that is held has a session of its own; one that is
    given up waits for the next.
    """

    poll_s = 0.02

    def __init__(self, server: Server) -> None:
        self._server = server

    def take(self, name: str, *, is_shared: bool = False) -> Lock | None:
        """Take the advisory lock of this name."""
        session = _Session.of(self._server)
        shared = "_shared" if is_shared else ""
        if session.one(f"SELECT pg_try_advisory_lock{shared}({_number(name)})"):
            return _PostgresLock(session, f"SELECT pg_advisory_unlock{shared}({_number(name)})")
        session.give_back()
        return None


class _PostgresLock:
    def __init__(self, session: _Session, unlock: str) -> None:
        self._session: _Session | None = session
        self._unlock = unlock

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(GainlineError):  # a session that is gone has given it up
                session.one(self._unlock)
                session.give_back()


class _Session:
    """A session, from a stock of those that nobody uses."""

    _idle: dict[Server, list[_Session]] = {}  # noqa: RUF012  # the stock of the process
    _guard = threading.Lock()

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = connected(server)

    @classmethod
    def of(cls, server: Server) -> _Session:
        while True:
            with cls._guard:
                idle = cls._idle.get(server, [])
                session = idle.pop() if idle else None
            if session is None:
                return cls(server)
            with suppress(GainlineError):  # the server has closed it meanwhile: the next one
                session.one("SELECT true")
                return session

    def one(self, sql: str) -> Any:  # noqa: ANN401  # of the type that the statement gives
        """Give the one value of a statement. Raises UnreachableError; then the session is gone."""
        try:
            rows = self._connection.run(sql)
        except (DatabaseError, InterfaceError, OSError) as error:
            with suppress(InterfaceError, OSError):
                self._connection.close()
            raise refused(self._server, error) from error
        return rows[0][0] if rows else None

    def give_back(self) -> None:
        with self._guard:
            self._idle.setdefault(self._server, []).append(self)


def connected(server: Server, timeout_s: float = ANSWER_TIMEOUT_S) -> pg8000.native.Connection:
    """Open a session. Raises ConfigError where we are not let in, UnreachableError."""
    try:
        return pg8000.native.Connection(
            server.user,
            host=server.host,
            port=server.port,
            database=server.database,
            password=server.password() or None,
            ssl_context=_tls(server.tls),
            timeout=timeout_s,
            application_name="gainline",
            tcp_keepalive=True,
        )
    except (DatabaseError, InterfaceError, OSError) as error:
        raise refused(server, error) from error


def vacuum(server: Server) -> None:
    """Take out of the catalog's files what was deleted in it. Raises UnreachableError."""
    session = connected(server, _VACUUM_TIMEOUT_S)
    try:
        found = session.run(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE tablename LIKE 'ducklake\\_%'"
            " AND schemaname = 'public'"
        )
        for (table,) in found:
            session.run(f"VACUUM (FULL) public.{table}")
    except (DatabaseError, InterfaceError, OSError) as error:
        raise refused(server, error) from error
    finally:
        session.close()


def refused(server: Server, error: Exception) -> GainlineError:
    """Name why a server did not do what it was asked."""
    told = error.args[0] if error.args else error
    words = " ".join(str(told.get("M", told) if isinstance(told, dict) else told).split())
    where = f"PostgreSQL at {server.host}:{server.port}"
    if isinstance(told, dict) and str(told.get("C", "")).startswith(_NOT_LET_IN):
        return ConfigError(f"store.catalog: {where} does not let us in ({words})")
    return UnreachableError(f"{where} does not answer ({words}): start it, it goes on")


def _tls(mode: str) -> ssl.SSLContext | None:
    if mode == "disable":
        return None
    context = ssl.create_default_context()
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _number(name: str) -> int:
    """Give the number of a lock: PostgreSQL knows them by 64 bits.

    >>> _number("commit")
    -2512468901261461189
    """
    digest = hashlib.sha256(f"gainline {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
