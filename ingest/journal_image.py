"""What a journal or an inbox holds on disk, read while others write it."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from ingest.blocks import FILE_HEADER_BYTES, decode_file_header
from ingest.inbox import SUFFIX as INBOX_SUFFIX
from ingest.journal_file import segments_in, walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def inbox_image(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give name and content of each file that waits in an inbox.

    One that is taken meanwhile is passed over: its messages are in the journal by then. Raises
    OSError.
    """
    for path in sorted(folder.glob(f"*{INBOX_SUFFIX}")):
        try:
            yield path.name, path.read_bytes()
        except FileNotFoundError:
            continue


def journal_image(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Give name and content of each file of a journal, in order; of the last what is whole of it.

    All that was acknowledged before the call is in it, or in a file that was trimmed meanwhile,
    because the lake has it. Raises OSError.
    """
    segments = segments_in(folder)
    for segment in segments:
        try:
            content = segment.path.read_bytes()
        except FileNotFoundError:
            continue
        # a block that is being written may be there in part, and the one after it be whole
        yield segment.path.name, content[: _whole(content)] if segment is segments[-1] else content


def journal_faults(folder: Path) -> Iterator[tuple[str, str]]:
    """Give the files of a journal that no longer hold what was written, with what is wrong.

    Files are named by their name in the folder. What lies behind the last whole block of the last
    file is not looked at: it may be in the making. Raises OSError.
    """
    segments = segments_in(folder)
    for segment, after in zip_longest(segments, segments[1:]):
        try:
            content = segment.path.read_bytes()
        except FileNotFoundError:
            continue  # trimmed meanwhile
        end = _end(content)
        if after is not None and content and end != after.position:
            yield segment.path.name, f"is not whole behind position {end}"
        elif after is None and end is None and any(content[:FILE_HEADER_BYTES]):
            yield segment.path.name, "has no head"


def _whole(content: bytes) -> int:
    header = decode_file_header(content)
    return 0 if header is None else walk(content, header).used_bytes


def _end(content: bytes) -> int | None:
    header = decode_file_header(content)
    return None if header is None else walk(content, header).end
