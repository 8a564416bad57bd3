"""Events that were told are left out; what looks like one is named."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from analytics import gain
from contracts.errors import DataError
from contracts.panel import Events, Panel, Upgrades
from tests.analytics.test_gain import only, plant, week


def tables(seed: int) -> tuple[Panel, Upgrades]:
    panel, upgrades = plant(seed, alpha=1.2)
    return Panel(pa.table(panel)), Upgrades(pa.table(upgrades))


def event(line: str, begins: dt.date, ends: dt.date) -> Events:
    columns = {"line": [line], "begins": [begins], "ends": [ends], "reason": ["fire"]}
    return Events(pa.table(columns))


def test_an_event_takes_out_the_periods_it_reaches_into_and_no_other() -> None:
    panel, _ = tables(1)
    told = event("L07", week(10) + dt.timedelta(days=3), week(12))
    kept, notes = gain.without(panel, told)
    gone = set(zip(panel.table["line"].to_pylist(), panel.table["period"].to_pylist(), strict=True))
    gone -= set(zip(kept.table["line"].to_pylist(), kept.table["period"].to_pylist(), strict=True))
    assert gone == {("L07", week(n)) for n in (10, 11, 12)}
    begins = week(10) + dt.timedelta(days=3)
    assert notes == [f"left out for an event: L07 {begins} to {week(12)} (fire), 3 periods"]


def test_an_event_without_a_reason_is_named_without_one() -> None:
    panel, _ = tables(1)
    table = event("L07", week(10), week(10)).table
    _, notes = gain.without(panel, Events(table.set_column(3, "reason", pa.nulls(1))))
    assert notes == [f"left out for an event: L07 {week(10)} to {week(10)}, 1 periods"]


def test_nonsense_among_the_events_is_refused() -> None:
    panel, _ = tables(1)
    with pytest.raises(DataError, match="'L99' of an event is not in the panel"):
        gain.without(panel, event("L99", week(1), week(2)))
    with pytest.raises(DataError, match="before it begins"):
        gain.without(panel, event("L07", week(2), week(1)))
    all_lines = sorted(set(panel.table["line"].to_pylist()))
    all_time = pa.table(
        {"line": all_lines}
        | {name: [day] * len(all_lines) for name, day in (("begins", week(0)), ("ends", week(60)))}
        | {"reason": pa.nulls(len(all_lines))}
    )
    with pytest.raises(DataError, match="the events leave no row"):
        gain.without(panel, Events(all_time))
    with pytest.raises(DataError, match="lack the column 'reason'"):
        Events(pa.table({"line": ["a"], "begins": [week(1)], "ends": [week(1)]}))


def test_a_control_that_changes_its_level_is_named_until_it_is_told() -> None:
    panel, upgrades = plant(2, alpha=1.2)
    panel["output"] = [
        value * (0.75 if line == "L09" and day >= week(25) else 1)
        for line, day, value in zip(panel["line"], panel["period"], panel["output"], strict=True)
    ]
    both = Panel(pa.table(panel)), Upgrades(pa.table(upgrades))
    named = [words for words in gain.fit(*both).warnings if "whose level changes" in words]
    assert len(named) == 1
    assert "L09;" in named[0]
    kept, _ = gain.without(both[0], event("L09", week(25), week(40)))
    assert not any("whose level changes" in words for words in gain.fit(kept, both[1]).warnings)


def test_cells_that_go_missing_with_the_upgrade_are_named() -> None:
    panel, upgrades = plant(3, alpha=1.2)
    begin = dict(zip(upgrades["line"], upgrades["upgraded_on"], strict=True))
    lost = only(panel, lambda line, day: line not in begin or day < begin[line] or day.day % 3 > 0)
    found = gain.fit(Panel(pa.table(lost)), Upgrades(pa.table(upgrades)))
    assert any("missing for a reason" in words for words in found.warnings)
    rng = np.random.default_rng(0)
    even = only(panel, lambda *_: rng.random() > 0.2)
    found = gain.fit(Panel(pa.table(even)), Upgrades(pa.table(upgrades)))
    assert not any("missing for a reason" in words for words in found.warnings)


def test_a_sound_plant_seldom_has_doubts() -> None:
    words = " ".join(word for seed in range(20) for word in gain.fit(*tables(30 + seed)).warnings)
    assert words.count("whose level changes") <= 1
    assert "missing for a reason" not in words


def test_a_new_line_with_two_weeks_has_a_gain_and_borrows_most_of_it() -> None:
    panel, upgrades = plant(4, alpha=1.2)
    upgrades["upgraded_on"][0] = week(38)
    short = only(panel, lambda line, day: line != "L00" or day >= week(30))
    rows = [
        line != "L00" or day < week(38)
        for line, day in zip(short["line"], short["period"], strict=True)
    ]
    short["output"] = [
        value / (1.2 if line == "L00" and early else 1.0)
        for line, early, value in zip(short["line"], rows, short["output"], strict=True)
    ]
    found = gain.fit(Panel(pa.table(short)), Upgrades(pa.table(upgrades)))
    borrowed = {line.line: line.borrowed for line in found.lines}
    assert borrowed["L00"] > 0.5
    assert found.lines[0].alpha.low < 1.2 < found.lines[0].alpha.high
    assert all(0 <= share <= 1 for share in borrowed.values())


def test_lines_that_differ_much_borrow_little() -> None:
    panel, upgrades = plant(5)
    begin = dict(zip(upgrades["line"], upgrades["upgraded_on"], strict=True))
    factor = dict(zip(upgrades["line"], (0.6, 0.8, 1.0, 1.3, 1.6, 2.0), strict=True))
    panel["output"] = [
        value * (factor[line] if line in begin and day >= begin[line] else 1.0)
        for line, day, value in zip(panel["line"], panel["period"], panel["output"], strict=True)
    ]
    alike = gain.fit(*tables(5))
    panel["unit_cost"] = [1e5 / value for value in panel["output"]]
    apart = gain.fit(Panel(pa.table(panel)), Upgrades(pa.table(upgrades)))
    assert max(line.borrowed for line in apart.lines) < 0.1
    assert min(line.borrowed for line in alike.lines) > 0.3
