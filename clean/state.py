"""What the judge remembers of each tag, as a struct of arrays."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from contracts.errors import DataError

HALF: Final = 7  # readings on each side of the window: 15 in all (the window of a spike)
# A reading may be overtaken by so many newer ones of its tag and still be put in its place.
# As long as the look-ahead, so that tolerance of disorder at most doubles the delay.
REORDER: Final = 7
SLOTS: Final = HALF + 1 + HALF + REORDER  # past, the one to be judged, its look-ahead, the rest

# Marks of a reading in its slot (bits of a byte).
UNTIMED: Final = 1  # has no source_time; ordered by received_time, never a repeat
EMPTY: Final = 2  # no finite value
OUTSIDE: Final = 4  # outside the physical range
CODE: Final = 8  # a number that means "no value"
CANDIDATE: Final = 16  # equals a customary code; history decides
REFUSED: Final = 32  # the source itself says BAD
SPIKE: Final = 64  # found to be a spike
TEXT: Final = 128  # no number but a text
UNTRUSTED: Final = EMPTY | OUTSIDE | CODE | REFUSED | TEXT  # never part of a window

# Columns of `trait`: what a tag is usually like.
WIDE_SCALE: Final = 0  # sigma of the residual from the window median
WIDE_TAIL: Final = 1  # its .97 quantile
NEAR_SCALE: Final = 2  # the same of the residual from the inner window
NEAR_TAIL: Final = 3
RESOLUTION: Final = 4  # smallest step that is not zero
LOWEST: Final = 5  # of all good values
HIGHEST: Final = 6
INTERVAL: Final = 7  # .97 quantile of the time between readings, us
TRAITS: Final = 8

# Columns of `tally`.
USED: Final = 0  # slots in use
JUDGED: Final = 1  # slots that are past: the first of those in use
HISTORY: Final = 2  # readings the traits were learned from
RUN: Final = 3  # how many of the next readings belong to a run that was found to be a spike
BALANCE: Final = 4  # how many more numbers than texts there were
COUNTS: Final = 5

# Columns of `code`: the value that may turn out to mean "no value".
CODE_VALUE: Final = 0
CODE_VISITS: Final = 1  # how often it came
CODES: Final = 2

# Columns of `doubt`: what the rules that say UNCERTAIN have learned.
CHANGES: Final = 0  # share of readings that differ from the one before
STUCK: Final = 1  # how often the newest value has been repeated by now
CHANGE_US: Final = 2  # usual time from a reading to another value, us
REST_VALUE: Final = 3  # the value that may turn out to be where the tag rests
REST_VISITS: Final = 4  # how often it was held for long
ROUGH_USUAL: Final = 5  # mean of the roughness of a reading
ROUGH_TAIL: Final = 6  # the .97 quantile of its median in a window
DULL_TAIL: Final = 7  # the .03 quantile of the roughness of a reading
DULL: Final = 8  # how many windows in a row were duller than the tag ever is
APART_SPREAD: Final = 9  # .97 quantile of the distance from the neighbours
# What the kind is learned from: the same columns for every kind (clean/kinds.py).
KIND_EVIDENCE: Final = 10  # against the kind that it is
KIND_SINCE_H: Final = 11  # when that began, hours since 1970
CODES_SHOWN: Final = 12  # bits: which small whole numbers there were
DOUBTS: Final = 13
# No rule looks at two kinds, so what is learned of other kinds has names of its own for the same.
GROWTH: Final = 0  # counter: the .97 quantile of its growth between two readings
GROWN: Final = 1  # how many changes were seen
FALLS: Final = 2  # share of them that took something back
WHOLE: Final = 0  # inventory: how much more often it was whole than not
RETURNS: Final = 0  # state: share of readings that go back to the state before the last
STATES_SEEN: Final = 1  # how many readings were seen
HELD_BEFORE: Final = 2  # the state before the one that is held
BURST: Final = 3  # evidence that it chatters

# Codes of contracts.tags.Kind in the kernel.
GAUGE: Final = 0
COUNTER: Final = 1
STATE: Final = 2
WAVEFORM: Final = 3
INVENTORY: Final = 4

VERSION: Final = b"6"


class State(NamedTuple):
    """One row per tag. Slots are in order of time; the first `JUDGED` of them are past."""

    value: npt.NDArray[np.float64]  # (tags, SLOTS), NaN where there is none
    time: npt.NDArray[np.int64]  # (tags, SLOTS), us
    number: npt.NDArray[np.int32]  # (tags, SLOTS), which held reading it is
    mark: npt.NDArray[np.uint8]  # (tags, SLOTS)
    trait: npt.NDArray[np.float64]  # (tags, TRAITS)
    tally: npt.NDArray[np.int16]  # (tags, COUNTS)
    code: npt.NDArray[np.float32]  # (tags, CODES)
    doubt: npt.NDArray[np.float32]  # (tags, DOUBTS)
    kind: npt.NDArray[np.int8]  # (tags,), the one by which it is judged


def new_state(capacity: int) -> State:
    """Make room for `capacity` tags of which nothing is known.

    >>> sum(array.nbytes for array in new_state(1)) <= 600
    True
    """
    trait = np.zeros((capacity, TRAITS))
    trait[:, [RESOLUTION, LOWEST]] = np.inf
    trait[:, HIGHEST] = -np.inf
    return State(
        value=np.full((capacity, SLOTS), np.nan),
        time=np.zeros((capacity, SLOTS), np.int64),
        number=np.full((capacity, SLOTS), -1, np.int32),
        mark=np.zeros((capacity, SLOTS), np.uint8),
        trait=trait,
        tally=np.zeros((capacity, COUNTS), np.int16),
        code=np.zeros((capacity, CODES), np.float32),
        doubt=np.zeros((capacity, DOUBTS), np.float32),
        kind=np.zeros(capacity, np.int8),
    )


def grown(state: State, capacity: int) -> State:
    """Copy `state` into one with room for `capacity` tags."""
    wider = new_state(capacity)
    for old, new in zip(arrays(state), arrays(wider), strict=True):
        new[: len(old)] = old
    return wider


def arrays(state: State) -> list[npt.NDArray[Any]]:
    """List the arrays of the state."""
    return list(cast("tuple[npt.NDArray[Any], ...]", state))


def pending(state: State) -> npt.NDArray[np.bool_]:
    """Tell which slots, of shape (tags, SLOTS), hold a reading without a final verdict."""
    slot = np.arange(SLOTS)
    return (slot >= state.tally[:, [JUDGED]]) & (slot < state.tally[:, [USED]])


def to_table(state: State, tags: list[str]) -> pa.Table:
    """Write the first `len(tags)` rows as an Arrow table, bit by bit."""
    columns: dict[str, Any] = {"tag": pa.array(tags, pa.string())}
    for name, array in zip(State._fields, arrays(state), strict=True):
        rows = np.ascontiguousarray(array[: len(tags)])
        width = array[0].nbytes
        columns[name] = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(width), len(tags), [None, pa.py_buffer(rows.tobytes())]
        )
    return pa.table(columns).replace_schema_metadata({"version": VERSION})


def from_table(table: pa.Table) -> tuple[State, list[str]]:
    """Read what `to_table` wrote; DataError where another version wrote it."""
    if (table.schema.metadata or {}).get(b"version") != VERSION:
        raise DataError(
            "the judge's memory was written by another version of gainline: "
            "use that version, or judge again from the start"
        )
    state = new_state(max(1, table.num_rows))
    for name, array in zip(State._fields, arrays(state), strict=True):
        rows: list[Any] = table[name].to_pylist()
        if rows:
            array[:] = np.frombuffer(b"".join(rows), array.dtype).reshape(array.shape)
    return state, cast("list[str]", table["tag"].to_pylist())
