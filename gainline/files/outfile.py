"""A file for a user, there whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import DataError, TransientError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the name to write to; after the block it is on disk and called `path`.

    Raises DataError where the file cannot be made, TransientError for a full disk; whatever goes
    wrong, what was at `path` before stays. A device or a pipe, such as /dev/stdout, is written to
    directly: there is nothing to replace.
    """
    is_stream = path.exists() and not path.is_file() and not path.is_dir()
    part = path if is_stream else path.with_name(f".{path.name}.part")
    try:
        yield part
        if not is_stream:
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(path)
    except OSError as problem:
        words = f"{path}: cannot be written: {problem.strerror or problem}"
        if problem.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TransientError(f"{words}; make room and try again") from None
        raise DataError(words) from None
    finally:
        if not is_stream:
            part.unlink(missing_ok=True)
