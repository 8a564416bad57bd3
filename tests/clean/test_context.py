"""The state of a machine explains what would be doubted."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clean.judge import Judge
from clean.settings import Settings
from clean.table import judge_table
from contracts.batches import RawBatch
from contracts.quality import Reason
from contracts.tags import Kind, TagRule

RULES = {
    "power": TagRule(machine_states=("machine/state", "line/state")),
    "machine/state": TagRule(Kind.STATE, tells_state=True),
    "line/state": TagRule(Kind.STATE, tells_state=True),
    "alone": TagRule(),
}
STOP, RUN = 2.0, 1.0
SETTINGS = Settings(max_delay_s=1e9)

Make = Callable[..., RawBatch]
Readings = list[dict[str, Any]]


def new_judge() -> Judge:
    return Judge(RULES.__getitem__, SETTINGS)


def plant(size: int, stops: tuple[int, ...], *, teller: str = "line/state") -> Readings:
    """A machine whose power falls at its stops, beside the same power without a state."""
    rng = np.random.default_rng(7)
    rows: Readings = []
    for at in range(size):
        value = 3.0 if at in stops else 80.0 + float(rng.normal())
        rows += [
            {"tag": "power", "at": at, "value": value},
            {"tag": "alone", "at": at, "value": value},
            {"tag": teller, "at": at, "value": STOP if at in stops else RUN},
        ]
    return rows


def spikes(judge: Judge, *batches: RawBatch) -> set[tuple[str, int]]:
    parts = [*(judge.push(one).table for one in batches), judge.finish().table]
    rows = pa.concat_tables(parts).to_pylist()
    found = (row for row in rows if row["reasons"] & Reason.SPIKE)
    return {(row["tag"], round(row["source_time"].timestamp())) for row in found}


@pytest.mark.parametrize("teller", ["line/state", "machine/state"])
def test_a_short_stop_is_no_spike_where_the_state_says_so(batch: Make, teller: str) -> None:
    found = spikes(new_judge(), batch(plant(200, (100, 130, 131), teller=teller)))
    assert found == {("alone", 100), ("alone", 130), ("alone", 131)}


def test_a_spike_of_a_running_machine_is_found(batch: Make) -> None:
    rows = plant(200, (100,))
    rows[3 * 150]["value"] = 500.0
    assert ("power", 150) in spikes(new_judge(), batch(rows))


def test_a_spike_of_a_standing_machine_is_found(batch: Make) -> None:
    rows = plant(200, tuple(range(90, 200)))
    for at in range(90, 200):
        rows[3 * at]["value"] += 0.1 * (at % 3)
    rows[3 * 150]["value"] = 500.0
    assert ("power", 150) in spikes(new_judge(), batch(rows))


def test_a_state_that_changes_all_the_time_explains_nothing(batch: Make) -> None:
    rows = plant(200, ())
    for at in range(200):
        rows[3 * at + 2]["value"] = float(at % 4)
    rows[3 * 150]["value"] = 500.0
    assert spikes(new_judge(), batch(rows)) == {("power", 150)}


def test_the_machines_own_state_counts_before_that_of_the_line(batch: Make) -> None:
    rows = plant(200, (100,))
    rows += [{"tag": "machine/state", "at": at, "value": RUN} for at in range(200)]
    rows.sort(key=lambda row: row["at"])
    assert ("power", 100) in spikes(new_judge(), batch(rows))


def test_a_state_that_is_sampled_later_still_explains(batch: Make) -> None:
    rows = plant(200, (100,))
    for row in rows:
        row["at"] += 0.7 * (row["tag"] == "line/state")
    assert ("power", 100) not in spikes(new_judge(), batch(rows))


def test_a_state_that_is_sent_only_when_it_changes_explains(batch: Make) -> None:
    rows = plant(200, (100, 101))
    rows = [row for row in rows if row["tag"] != "line/state" or row["at"] in (0, 100, 102)]
    assert spikes(new_judge(), batch(rows)) == {("alone", 100), ("alone", 101)}


def test_a_state_that_is_a_text_or_no_trusted_number_explains_nothing(batch: Make) -> None:
    rows = plant(200, (100,))
    for row in rows:
        if row["tag"] == "line/state" and row["at"] == 100:
            row |= {"value": None, "text": "off"}
    assert ("power", 100) in spikes(new_judge(), batch(rows))


def test_in_a_table_the_states_may_come_first_or_last() -> None:
    rows = plant(3000, tuple(range(40, 3000, 20)))
    for row in rows:
        row["order"] = row["tag"][::-1]
    for order in (("at", "tag"), ("tag", "at"), ("order", "at")):
        table = pa.Table.from_pylist(
            [
                {"tag": row["tag"], "source_time": pa.scalar(row["at"], pa.timestamp("s"))}
                | {"value": row["value"]}
                for row in sorted(rows, key=itemgetter(*order))
            ]
        )
        out = judge_table(table, RULES.__getitem__).to_pylist()
        bad = {row["tag"] for row in out if "spike" in row["reasons"]}
        assert bad == {"alone"}
        assert [row["value"] for row in out] == table["value"].to_pylist()


@st.composite
def cuts(draw: st.DrawFn) -> tuple[Readings, list[int]]:
    size = draw(st.integers(20, 150))
    stops = draw(st.sets(st.integers(0, size - 1)))
    rows = plant(size, tuple(stops))
    if draw(st.booleans()):  # each tag by itself
        rows.sort(key=lambda row: str(row["tag"]), reverse=draw(st.booleans()))
    places = draw(st.sets(st.integers(1, len(rows) - 1), max_size=6))
    return rows, sorted(places)


@settings(max_examples=20, deadline=None)
@given(cuts())
def test_the_verdicts_are_the_same_for_any_cut_and_after_a_restart(
    batch: Make, cut: tuple[Readings, list[int]]
) -> None:
    rows, places = cut
    whole = spikes(new_judge(), batch(rows))
    judge, found = new_judge(), list[pa.Table]()
    for first, last in zip([0, *places], [*places, len(rows)], strict=True):
        found.append(judge.push(batch(rows[first:last], first)).table)
        judge = Judge.restore(judge.memory(), RULES.__getitem__, SETTINGS)
    found.append(judge.finish().table)
    bad = [row for row in pa.concat_tables(found).to_pylist() if row["reasons"] & Reason.SPIKE]
    assert {(row["tag"], round(row["source_time"].timestamp())) for row in bad} == whole


def test_the_order_of_tags_is_nothing_while_the_state_is_not_far_behind(batch: Make) -> None:
    rows = plant(300, tuple(range(50, 290, 17)))
    late = sorted(rows, key=lambda row: row["at"] + 5 * (row["tag"] == "line/state"))
    assert spikes(new_judge(), batch(rows)) == spikes(new_judge(), batch(late))
