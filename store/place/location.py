"""Where a store keeps its catalog and its data: in its own folder, or elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from contracts.errors import ConfigError
from store import failures
from store.place.durable import make_folder, write_file

if TYPE_CHECKING:
    from urllib.parse import SplitResult

# In the folder of a store that has something elsewhere; what opens the folder reads it.
FILE = "location.json"
# Where secrets are that no file is named for: the names that every client of these servers knows.
PASSWORD = "PGPASSWORD"  # noqa: S105  # a name
ACCESS_KEY, SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
SECRETS = (PASSWORD, ACCESS_KEY, SECRET_KEY)

_POSTGRES_PORT = 5432
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# TLS or none; TLS with a certificate that is known and is that host's.
_TLS_MODES = ("disable", "require", "verify-full")


class Server(NamedTuple):
    """A database of PostgreSQL."""

    host: str
    port: int
    user: str
    database: str
    tls: str  # one of _TLS_MODES
    password_file: str

    def password(self) -> str:
        """Read the password, empty where there is none. Raises ConfigError."""
        return _secret(self.password_file, PASSWORD, "store.catalog_password_file")


class Bucket(NamedTuple):
    """A bucket that speaks S3."""

    root: str  # the bucket and the prefix, with a slash between
    host: str  # with a port; empty: AWS
    uses_tls: bool
    region: str
    access_key: str
    secret_key_file: str

    def secret_key(self) -> str:
        """Read the secret key, empty where there is none. Raises ConfigError."""
        return _secret(self.secret_key_file, SECRET_KEY, "store.s3_secret_key_file")


class Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the configuration says of it; an empty text stands for the folder, and the usual."""

    catalog: str = ""
    catalog_password_file: str = ""
    data: str = ""
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_access_key: str = ""
    s3_secret_key_file: str = ""

    def server(self) -> Server | None:
        """Give the database with the catalog; None: it is a file of the folder.

        >>> Location(catalog="postgres://lake@127.0.0.1/plant").server()[:5]
        ('127.0.0.1', 5432, 'lake', 'plant', 'disable')
        """
        if not self.catalog:
            return None
        parts = _parts(self.catalog, "store.catalog")
        database = unquote(parts.path.strip("/"))
        if parts.scheme not in ("postgres", "postgresql") or not database or not parts.hostname:
            raise ConfigError(
                f"store.catalog: {self.catalog!r} is no postgres://USER@HOST:PORT/DATABASE"
            )
        if parts.password is not None:
            raise ConfigError(
                "store.catalog: it holds a password; leave it out, and give it in"
                f" store.catalog_password_file or in {PASSWORD} of the environment"
            )
        usual = "disable" if parts.hostname in _LOOPBACK else "require"
        tls = _option(parts, "sslmode") or usual
        if tls not in _TLS_MODES:
            raise ConfigError(f"store.catalog: sslmode is {tls!r}, not {', '.join(_TLS_MODES)}")
        port = parts.port or _POSTGRES_PORT
        user = unquote(parts.username or "gainline")
        return Server(parts.hostname, port, user, database, tls, self.catalog_password_file)

    def bucket(self) -> Bucket | None:
        """Give the bucket with the data; None: they are files of the folder.

        >>> Location(data="s3://plant/lake/", s3_endpoint="http://127.0.0.1:9000").bucket()[:3]
        ('plant/lake', '127.0.0.1:9000', False)
        """
        if not self.data:
            return None
        parts = _parts(self.data, "store.data")
        if parts.scheme != "s3" or not parts.netloc:
            raise ConfigError(f"store.data: {self.data!r} is no s3://BUCKET/PREFIX")
        root = f"{parts.netloc}{parts.path}".rstrip("/")
        host, uses_tls = "", True
        if self.s3_endpoint:
            endpoint = _parts(self.s3_endpoint, "store.s3_endpoint")
            if endpoint.scheme not in ("http", "https") or not endpoint.netloc:
                raise ConfigError(
                    f"store.s3_endpoint: {self.s3_endpoint!r} is no https://HOST:PORT"
                )
            host, uses_tls = endpoint.netloc, endpoint.scheme == "https"
        access_key = self.s3_access_key or os.environ.get(ACCESS_KEY, "")
        return Bucket(root, host, uses_tls, self.s3_region, access_key, self.s3_secret_key_file)


def settle(folder: Path, location: Location) -> None:
    """Note in the folder of a store where the rest of it is; nothing where all is in the folder.

    Raises ConfigError where the store is elsewhere already.
    """
    if location == Location() or (noted := _noted(folder)) == location:
        return
    location.server()
    location.bucket()
    is_other = noted is not None and (noted.catalog, noted.data) != (
        location.catalog,
        location.data,
    )
    if is_other or (noted is None and (folder / "format_version").exists()):
        there = noted or Location()
        raise ConfigError(
            f"the store in {folder} has its catalog in {there.catalog or 'its folder'} and its data"
            f" in {there.data or 'its folder'}, not where store.catalog and store.data say: name"
            " another store.folder, or what it has"
        )
    make_folder(folder.absolute())
    write_file(folder.absolute() / FILE, lambda sink: sink.write(msgspec.json.encode(location)))


def location_of(folder: Path) -> Location:
    """Say where the rest of a store is. Raises ConfigError for a note that cannot be read."""
    return _noted(folder) or Location()


def _noted(folder: Path) -> Location | None:
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Location)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise failures.of_disk(error) from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{path} cannot be read ({error}): remove it and configure it") from error


def _parts(url: str, key: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"{key}: {url!r} is no URL ({error})") from None
    return parts


def _option(parts: SplitResult, name: str) -> str:
    options = parse_qs(parts.query)
    if unknown := options.keys() - {name}:
        raise ConfigError(f"store.catalog: it knows {name}, not {', '.join(sorted(unknown))}")
    return options.get(name, [""])[0]


def _secret(file: str, variable: str, key: str) -> str:
    if not file:
        return os.environ.get(variable, "")
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{key}: {file} cannot be read ({error})") from None
