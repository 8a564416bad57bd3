"""The column that says verdicts in the words of another standard."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from clean.sheet import Sheet
from contracts.flags import opcua_status, qartod_flag


class Standard(StrEnum):
    """Whose flags are wanted."""

    QARTOD = "qartod"
    OPCUA = "opcua"


class Flag(NamedTuple):
    """A column to be added."""

    name: str
    kind: pa.DataType
    of: Callable[[int, int], int]  # quality and reasons, to what stands in the column


def flag_of(standard: Standard) -> Flag:
    """Give the column of a standard: `qartod` (int8) or `opcua_status` (uint32).

    >>> flag_of(Standard.OPCUA).of(2, 16) == 0x808C0000
    True
    """
    if standard is Standard.QARTOD:
        return Flag("qartod", pa.int8(), qartod_flag)
    return Flag("opcua_status", pa.uint32(), lambda quality, bits: opcua_status(quality, bits).code)


def flag_column(flag: Flag, sheet: Sheet, rows: slice) -> pa.Array[Any]:
    """Flag some rows; each verdict that occurs is looked up once."""
    verdicts = sheet.quality[rows].astype(np.int64) << 32 | sheet.reasons[rows]
    kinds, kind = np.unique(verdicts, return_inverse=True)
    said = [flag.of(int(one >> 32), int(one & 0xFFFFFFFF)) for one in kinds]
    return pa.array(np.array(said, np.int64)[kind]).cast(flag.kind)
