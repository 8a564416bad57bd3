from itertools import combinations
from pathlib import Path

import pytest

from contracts.flags import opcua_status, qartod_flag
from contracts.quality import Quality, Reason, words_of
from store.lake import Lake
from store.query import fetch
from tests.store.samples import clean_commit, raw_commit, raw_rows


@pytest.mark.usefixtures("lake")
def test_a_verdict_has_the_flags_of_the_contract(root: Path) -> None:
    bits = [0, *Reason, *(one | other for one, other in combinations(Reason, 2))]
    verdicts = [(int(quality), int(bit)) for quality in Quality for bit in bits]
    rows = ", ".join(f"({quality}, {words_of(bit)})" for quality, bit in verdicts)
    found = fetch(
        root,
        f"SELECT qartod(quality, reasons) AS q, opcua(quality, reasons) AS o"
        f" FROM (VALUES {rows}) AS t(quality, reasons)",
    )
    assert found["q"].to_pylist() == [qartod_flag(*one) for one in verdicts]
    assert found["o"].to_pylist() == [opcua_status(*one).code for one in verdicts]


@pytest.mark.parametrize("reason", [0, Reason.LATE])
def test_the_columns_of_readings_are_what_is_asked_for(
    root: Path, lake: Lake, judge: Lake, reason: int
) -> None:
    lake.commit_raw(raw_commit(0, 1, position=1))
    judge.commit_clean(clean_commit(raw_rows(0, 1), reasons=[reason]))
    sql = (
        "SELECT quality, qartod(quality, reasons) AS q, opcua(quality, reasons) AS o FROM readings"
    )
    (row,) = fetch(root, sql).to_pylist()
    assert row["q"] == qartod_flag(row["quality"], reason)
    assert row["o"] == opcua_status(row["quality"], reason).code
