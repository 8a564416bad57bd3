"""Verdicts in the words of other standards."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clean.sheet import Sheet
from contracts.flags import STATUSES, opcua_status, qartod_flag
from contracts.quality import Quality, Reason
from gainline.judging.flagging import Standard, flag_column, flag_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("reason", Reason)
def test_a_code_is_as_severe_as_the_quality(quality: Quality, reason: Reason) -> None:
    assert opcua_status(quality, reason).severity == quality
    assert qartod_flag(quality, reason) in {1, 2, 3, 4, 9}


@pytest.mark.parametrize("reason", Reason)
def test_the_page_names_the_codes_of_each_reason(reason: Reason) -> None:
    page = (ROOT / "docs" / "cleaning.md").read_text(encoding="utf-8")
    line = next(x for x in page.splitlines() if x.startswith(f"| `{str(reason.name).lower()}` | "))
    codes = [f"`{status.name}` 0x{status.code:08X}" for status in STATUSES.get(reason, ())]
    assert line.endswith(f"| {', '.join(codes) or 'as its quality'} |")


def test_a_column_has_the_flag_of_each_row() -> None:
    quality = np.array([0, 2, 1, 0], np.int8)
    reasons = np.array([0, Reason.SPIKE, Reason.LATE, 0], np.int32)
    sheet = Sheet(quality, reasons, np.zeros(4))
    flags = flag_column(flag_of(Standard.QARTOD), sheet, slice(1, 4))
    assert flags.to_pylist() == [4, 2, 1]
    codes = flag_column(flag_of(Standard.OPCUA), sheet, slice(0, 3))
    assert codes.type == pa.uint32()
    assert codes.to_pylist() == [0, 0x808C0000, 0x40000000]
