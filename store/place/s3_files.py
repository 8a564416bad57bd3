"""Files in a bucket that speaks S3: an object is there whole once its upload is acknowledged."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
from pyarrow import fs

from contracts.errors import ConfigError
from store import failures
from store.place.files import BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from store.place.location import Bucket

# An object is made in memory first, a large one on the disk: an upload that has begun cannot be
# taken back, and half an object would be acknowledged as a whole.
_IN_MEMORY_BYTES = 32 << 20
# A server that is restarted is back within this; a commit that waits longer is tried again anyway.
_CONNECT_TIMEOUT_S, _REQUEST_TIMEOUT_S = 5.0, 30.0


class S3File:
    """An object: see store.place.files.File."""

    def __init__(self, system: fs.S3FileSystem, root: str, name: str) -> None:
        self._system, self._root, self.name = system, root, name

    def __str__(self) -> str:
        return f"s3://{self._key}"

    def write(self, write: Callable[[BinaryIO], object]) -> None:
        """Upload it whole."""
        try:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as made:
                write(made)  # type: ignore[arg-type]  # it is a binary file in all but its type
                made.seek(0)
                with self._system.open_output_stream(self._key) as sink:
                    while block := made.read(BLOCK_BYTES):
                        sink.write(block)
        except OSError as error:
            raise failures.of_disk(error) from error

    def open(self) -> pa.NativeFile:
        """Open it to be read at any place."""
        return self._system.open_input_file(self._key)

    def blocks(self) -> Iterator[bytes]:
        """Download it."""
        with self._system.open_input_stream(self._key) as source:
            while block := source.read(BLOCK_BYTES):
                yield block

    def byte_count(self) -> int:
        """Give its size."""
        found = self._system.get_file_info(self._key)
        if found.type == fs.FileType.NotFound:
            raise FileNotFoundError(2, "no such object", str(self))
        return int(found.size or 0)

    def remove(self) -> None:
        """Remove it."""
        try:
            self._system.delete_file(self._key)
        except FileNotFoundError:
            return

    @property
    def _key(self) -> str:
        return f"{self._root}/{self.name}"


class S3Files:
    """The objects below a prefix of a bucket: see store.place.files.Files."""

    def __init__(self, bucket: Bucket, root: str, system: fs.S3FileSystem | None = None) -> None:
        """`root` is the bucket and the prefix, with a slash between."""
        self._bucket, self._root = bucket, root
        self._system = system or _connected(bucket)

    def __str__(self) -> str:
        return f"s3://{self._root}"

    def __truediv__(self, name: str) -> S3File:
        return S3File(self._system, self._root, name)

    def below(self, name: str) -> S3Files:
        """Give the objects below a longer prefix."""
        return S3Files(self._bucket, f"{self._root}/{name}", self._system)

    def begin(self) -> None:
        """Do nothing: a prefix needs no folder, and the bucket is its owner's to make."""

    def names(self, start: str) -> list[str]:
        """Name the objects right below the prefix whose name starts so."""
        found = self._system.get_file_info(fs.FileSelector(self._root, allow_not_found=True))
        return [
            each.base_name for each in found if each.is_file and each.base_name.startswith(start)
        ]

    def sync(self, name: str) -> None:
        """Do nothing: what is acknowledged is stored."""

    def remove_leftovers(self, older_than: datetime) -> int:  # noqa: ARG002  # as of Files
        """Do nothing: the bucket's own rules end uploads that were cut off."""
        return 0


def _connected(bucket: Bucket) -> fs.S3FileSystem:
    secret_key = bucket.secret_key()
    if bool(bucket.access_key) != bool(secret_key):
        lacks = "store.s3_secret_key_file" if bucket.access_key else "store.s3_access_key"
        raise ConfigError(f"{lacks}: it is missing, and the other half is there: give both")
    return fs.S3FileSystem(
        access_key=bucket.access_key or None,
        secret_key=secret_key or None,
        anonymous=not bucket.access_key,
        endpoint_override=bucket.host or None,
        scheme="https" if bucket.uses_tls else "http",
        region=bucket.region,
        force_virtual_addressing=False,
        connect_timeout=_CONNECT_TIMEOUT_S,
        request_timeout=_REQUEST_TIMEOUT_S,
        background_writes=False,
    )
