"""What reports have estimated, kept as the history of each upgrade."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from contracts.outcome import Gain, Interval, LineGain
from contracts.panel import Upgrades
from store.commits.gain_estimates import estimates_of
from store.lake import Lake, ReportSlot
from store.query import fetch

UPGRADES = Upgrades(pa.table({"line": ["L1"], "upgraded_on": [date(2026, 3, 2)]}))


def gain(alpha: float) -> Gain:
    one = Interval(alpha, alpha - 0.1, alpha + 0.1), Interval(0.1, 0.05, 0.15)
    lines = (LineGain("L1", *one),)
    warnings = ("few lines,\nand no more", "a dip")
    return Gain(*one, lines, one, 0.9, "before_after", warnings, *[np.zeros((1, 2))] * 2)


def test_each_report_adds_its_estimates_once(root: Path) -> None:
    with Lake.open(root, writer="reports") as lake:
        for day in (4, 5, 5):
            until = datetime(2026, 5, day, 6, tzinfo=UTC)
            slot = ReportSlot("daily", until, until, f"daily-{day}.html")
            words = {"schedule": "daily", "until": until, "made_at": until}
            lake.record_report(slot, estimates_of(gain(1 + day / 10), UPGRADES, **words))
        assert [each.path for each in lake.report_slots("daily")] == [
            "daily-4.html",
            "daily-5.html",
        ]
    found = fetch(root, "FROM gains ORDER BY until, scope").to_pylist()
    assert [(row["scope"], row["line"], row["upgraded_on"]) for row in found] == [
        ("line", "L1", date(2026, 3, 2)),
        ("next_line", None, None),
        ("programme", None, None),
    ] * 2
    assert [row["alpha"] for row in found] == [1.4] * 3 + [1.5] * 3
    assert [row["is_newest"] for row in found] == [False] * 3 + [True] * 3
    assert found[0]["warnings"] == ["few lines, and no more", "a dip"]
    assert (found[0]["beta_low"], found[0]["beta_high"], found[0]["level"]) == (0.05, 0.15, 0.9)


def test_a_report_without_a_gain_adds_nothing(root: Path) -> None:
    until = datetime(2026, 5, 4, tzinfo=UTC)
    with Lake.open(root, writer="reports") as lake:
        lake.record_report(ReportSlot("daily", until, until, "daily.html"))
    assert fetch(root, "FROM gains").num_rows == 0
