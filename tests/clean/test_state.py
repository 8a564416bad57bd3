"""What the judge remembers."""

import numpy as np
import pyarrow as pa
import pytest

from clean.compiled import fingerprint, rule
from clean.roster import empty_roster
from clean.state import arrays, from_table, grown, new_state, to_table
from contracts.errors import DataError
from contracts.tags import TagRule


def test_a_tag_takes_at_most_600_bytes() -> None:
    state = new_state(1000)
    assert sum(array.nbytes for array in arrays(state)) <= 600 * 1000


def test_the_state_comes_back_bit_by_bit() -> None:
    state = new_state(5)
    rng = np.random.default_rng(1)
    for array in arrays(state):
        array.view(np.uint8)[:] = rng.integers(0, 256, array.view(np.uint8).shape)
    again, tags = from_table(to_table(state, list("abcde")))
    assert tags == list("abcde")
    for one, other in zip(arrays(state), arrays(again), strict=True):
        assert one.tobytes() == other.tobytes()


def test_growing_keeps_what_is_known() -> None:
    state = new_state(2)
    state.value[:] = 7.0
    wider = grown(state, 9)
    assert (wider.value[:2] == 7.0).all()
    assert np.isnan(wider.value[2:]).all()


def test_a_state_of_another_version_is_refused() -> None:
    table = to_table(new_state(1), ["a"]).replace_schema_metadata({"version": b"0"})
    with pytest.raises(DataError, match="another version"):
        from_table(table)


def test_tags_keep_their_rows_while_the_roster_grows() -> None:
    roster = empty_roster(lambda _: TagRule())
    names = pa.chunked_array([[f"t{i}" for i in range(1000)]])
    first = roster.rows_of(names)
    assert roster.rows_of(pa.chunked_array([["new", "t0"], ["t999"]])).tolist() == [1000, 0, 999]
    assert roster.rows_of(names).tolist() == first.tolist() == list(range(1000))


def test_the_fingerprint_changes_with_a_constant_or_a_rule_further_down() -> None:
    limit = 1
    scope = {"LIMIT": limit}
    exec("def inner(x): return x + LIMIT\ndef outer(x): return inner(x)", scope)  # noqa: S102
    scope["inner"] = rule(scope["inner"])
    before = fingerprint(scope["outer"])
    scope["LIMIT"] = 2
    assert fingerprint(scope["outer"]) != before
