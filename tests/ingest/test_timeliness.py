import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.message import Message
from contracts.quality import Quality, Reason
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.identity import Memory
from ingest.readings import Limits, Rules
from ingest.timeliness import AHEAD_US_MAX, with_time_reasons
from ingest.times import EARLIEST_US, LATEST_US

NOW_US = 1_767_225_600_000_000
GOOD, UNCERTAIN, BAD = (int(quality) for quality in Quality)
TIME = int(Reason.TIME)


def stored(*payloads: object) -> pa.Table:
    messages = [
        Message(position, "s/a/l/m", json.dumps(payload).encode(), NOW_US, retained=False)
        for position, payload in enumerate(payloads)
    ]
    known = Knowledge(Memory(), Catalogue({}, Limits()), Rules())
    return decode_messages(messages, known, first_arrival=0).readings.table


def said(table: pa.Table) -> list[tuple[int, int]]:
    columns = (table[name].to_pylist() for name in ("source_quality", "source_reasons"))
    return list(zip(*columns, strict=True))


def test_a_time_ahead_of_its_arrival_is_uncertain() -> None:
    ahead = [-1000, 0, 600_000, 600_001, 7_200_000, 10**10]
    times = [NOW_US // 1000 + ms for ms in ahead]
    expected = [(GOOD, 0)] * 3 + [(UNCERTAIN, TIME)] * 3
    assert said(stored(*({"ts": ts, "x": 1} for ts in times))) == expected
    assert said(stored({"ts": times, "x": [1] * len(times)})) == expected


def test_a_reading_without_a_time_says_so_and_keeps_its_quality() -> None:
    table = stored({"x": 1}, {"x": None}, {"ts": NOW_US // 1000, "x": 1}, {"ts": "soon", "x": 1})
    missing = int(Reason.MISSING)
    assert said(table) == [(GOOD, TIME), (BAD, TIME | missing), (GOOD, 0), (UNCERTAIN, TIME)]
    assert table["source_time"].null_count == 3


def test_a_bad_reading_from_the_future_stays_bad() -> None:
    table = stored({"ts": NOW_US // 1000 + 10**9, "x": None})
    assert said(table) == [(BAD, TIME | int(Reason.MISSING))]


@given(st.lists(st.none() | st.integers(EARLIEST_US, LATEST_US)))
def test_only_quality_and_reasons_change_and_never_for_the_better(times: list[int | None]) -> None:
    table = stored(*({"x": 1} for _ in times)) if times else stored({"x": 1}).slice(0, 0)
    column = pa.array(times, pa.int64()).cast(table.schema.field("source_time").type)
    table = table.set_column(
        table.schema.get_field_index("source_time"), table.schema.field("source_time"), column
    )
    judged = with_time_reasons(table)
    assert judged.schema == table.schema
    kept = [name for name in table.column_names if name not in ("source_quality", "source_reasons")]
    assert judged.select(kept) == table.select(kept)
    for us, before, after in zip(times, said(table), said(judged), strict=True):
        is_ahead = us is not None and us - NOW_US > AHEAD_US_MAX
        assert after == (max(before[0], int(is_ahead)), before[1] | TIME * (is_ahead or us is None))
