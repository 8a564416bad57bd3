"""Takes tags out of what a judge remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from clean.arrow import from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

_TAG = "tag"


def without_tags(memory: bytes, is_gone: Callable[[str], bool]) -> bytes | None:
    """Give what `Judge.memory` wrote without some tags; None where it has none of them.

    Readings of theirs that wait for a verdict are left in until a judge is restored of it: it
    remembers only what its tags wait for.
    """
    held, *known = from_bytes(memory)
    gone = {name for table in (held, *known) for name in _names(table) if is_gone(name)}
    if not gone:
        return None
    return to_bytes(held, *(_without(table, gone) for table in known))


def _names(table: pa.Table) -> set[str]:
    if _TAG not in table.column_names:
        return set()
    return {str(name) for name in table[_TAG].unique().to_pylist()}


def _without(table: pa.Table, gone: set[str]) -> pa.Table:
    if _TAG not in table.column_names:
        return table
    is_kept = [name not in gone for name in table[_TAG].to_pylist()]
    return table.filter(pa.array(is_kept, pa.bool_()))
