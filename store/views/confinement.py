"""Takes from a process what it does not need to read one store, for good."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from store.place.folder import Folder

# What a process needs beside the memory of its queries: Python, Arrow, and the stacks and arenas of
# its threads, which count by their size, not by their use.
_OWN_BYTES = 1 << 30
# SQLite's shared index is the one file that a reader writes: 32 KiB for each 4,096 pages that wait
# in the WAL, so that this is enough for a WAL of 512 MB.
_FILE_BYTES_MAX = 1 << 20
_FILES_MAX = 1024
# Landlock (Linux 5.13 and later; see landlock(7)): its system calls and the rights it knows, up to
# the version of its interface that brought them.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH, _NET_PORT = 1, 2
_WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 14
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_CONNECT_TCP = 1 << 1
_TCP_RIGHTS = {4: 0b11}  # bind, connect
_SCOPES = {6: 0b11}  # abstract sockets and signals of others
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38

# Which bytes of its file SQLite locks to read (os.h: SHARED_FIRST, SHARED_SIZE); Linux's command
# for a lock of an open file description (fcntl(2)).
_SHARED_BYTES = (0x40000000 + 2, 510)
_F_OFD_SETLK = 37
# Who closes the catalog last locks it whole to empty the WAL: for moments.
_CLOSING_WAIT_S, _CLOSING_POLL_S = 10.0, 0.005
# Where the system keeps libraries, which Arrow's need once they are loaded.
_SYSTEM_LIBRARIES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
)
# What tells where a name of a host leads, and which certificates are known.
_SYSTEM_NETWORK = (
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/ssl",
    "/etc/pki",
    "/usr/share/ca-certificates",
)

_libc = ctypes.CDLL(None, use_errno=True)


def confine(folder: Folder, *, memory_bytes: int) -> bool:
    """Let this process, and what it starts, read one store and write nothing.

    For a process that has no other threads yet and has not opened the store. Memory is limited, no
    core is dumped, and no file grows. Where the kernel has Landlock, it may open the catalog, the
    segments and libraries, nothing else, may write SQLite's shared index alone, and reaches no
    network but at the ports of a catalog and data that are elsewhere; tells whether it has. Raises
    OSError where a limit cannot be set.
    """
    _limit(resource.RLIMIT_DATA, memory_bytes + _OWN_BYTES)
    _limit(resource.RLIMIT_FSIZE, _FILE_BYTES_MAX)
    _limit(resource.RLIMIT_NOFILE, _FILES_MAX)
    _limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    readable, writable = list(_libraries(folder)), list[Path]()
    if folder.bucket is None:
        readable.append(Path(str(folder.data)))
    if folder.server is None:
        writable.append(_prepare_index(folder))
        readable += [folder.catalog, _beside(folder, "-wal")]
    if ports := _ports(folder):
        readable += map(Path, _SYSTEM_NETWORK)
    return _restrict(readable, writable, ports)


def _ports(folder: Folder) -> list[int]:
    """Give the ports at which the rest of a store is."""
    ports = [] if folder.server is None else [folder.server.port]
    if folder.bucket is not None:
        scheme = "https" if folder.bucket.uses_tls else "http"
        own = urlsplit(f"{scheme}://{folder.bucket.host}").port
        ports.append(own or (443 if folder.bucket.uses_tls else 80))
    return ports


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (least, least))


def _prepare_index(folder: Folder) -> Path:
    """Make the files beside the catalog that SQLite would make, as whoever owns the catalog.

    They stay as long as this process: it counts as one more that has the catalog open, by the lock
    that each connection of SQLite in WAL mode holds (see "wal.c"), taken by a file of its own.
    """
    _hold_open(folder.catalog)
    owner = folder.catalog.stat()
    for suffix in ("-wal", "-shm"):
        path = _beside(folder, suffix)
        # one that cannot be made is complained of when the catalog is opened
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, owner.st_mode & 0o777)
            try:
                if os.geteuid() == 0:
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
            finally:
                os.close(descriptor)
    return _beside(folder, "-shm")


def _hold_open(catalog: Path) -> None:
    descriptor = os.open(catalog, os.O_RDONLY | os.O_CLOEXEC)
    lock = struct.pack("=hhxxxxqqixxxx", fcntl.F_RDLCK, os.SEEK_SET, *_SHARED_BYTES, 0)
    deadline = time.monotonic() + _CLOSING_WAIT_S
    while True:
        try:
            # of the file's description, not of the process, which DuckDB's SQLite would give back
            fcntl.fcntl(descriptor, _F_OFD_SETLK, lock)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_CLOSING_POLL_S)
        else:
            return


def _beside(folder: Folder, suffix: str) -> Path:
    return folder.catalog.with_name(folder.catalog.name + suffix)


def _libraries(folder: Folder) -> Iterator[Path]:
    """Give what is loaded only when it is needed: modules, and the libraries they are linked to."""
    yield Path(sys.base_prefix) / "lib"
    yield from map(Path, _SYSTEM_LIBRARIES)
    for entry in {Path(entry).absolute() for entry in sys.path if entry}:
        if folder.root.is_relative_to(entry):  # a store beside the code: the packages alone
            yield from (init.parent for init in entry.glob("*/__init__.py"))
        else:
            yield entry


def _restrict(readable: Iterable[Path], writable: Iterable[Path], ports: Iterable[int]) -> bool:
    """Close the file system and the network by Landlock; False where the kernel has none."""
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    if version < 1:
        return False
    handled = struct.pack("=QQQ", *(_known(table, version) for table in _HANDLED))
    # older kernels take a shorter structure
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = _libc.syscall(_CREATE_RULESET, handled, ctypes.c_size_t(size), 0)
    if rules < 0:
        return False
    try:
        for path in readable:
            _allow(rules, path, _READ_FILE | _READ_DIR)
        whole = _known(_FILE_RIGHTS, version)
        for path in writable:
            _allow(rules, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & whole)
        for port in ports if version >= min(_TCP_RIGHTS) else ():
            _add(rules, _NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port), f"port {port}")
        return bool(_libc.syscall(_RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


_HANDLED = (_FILE_RIGHTS, _TCP_RIGHTS, _SCOPES)


def _known(rights: dict[int, int], version: int) -> int:
    """Give the rights that a version of the interface knows: those of the last that added some."""
    return max((each for since, each in rights.items() if since <= version), default=0)


def _allow(rules: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not path.is_dir():
            rights &= ~_READ_DIR
        _add(rules, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), str(path))
    finally:
        os.close(descriptor)


def _add(rules: int, kind: int, rule: bytes, what: str) -> None:
    if _libc.syscall(_ADD_RULE, rules, kind, rule, 0) < 0:
        raise OSError(ctypes.get_errno(), f"{what}: {errno.errorcode[ctypes.get_errno()]}")
