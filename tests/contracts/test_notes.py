"""contracts.notes: what a note must say, and that it says the same whichever way it comes."""

import string
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.kpi import Kpis
from contracts.errors import DataError
from contracts.notes import (
    PRICE_NAMES,
    SAID,
    TARGET_NAMES,
    Heard,
    Note,
    NoteKind,
    note_from_row,
    note_of,
)
from store.commits.notes import notes_table

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HEARD = Heard(NOON, "mqtt", author="A. Brun")

words = st.text(string.ascii_letters + string.digits + "äß -_.", min_size=1, max_size=20).filter(
    lambda text: text == text.strip()
)
moments = st.integers(0, 9 * 10**15).map(
    lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)
NAME_OF = {NoteKind.PRICE: PRICE_NAMES, NoteKind.TARGET: TARGET_NAMES}


@st.composite
def notes(draw: st.DrawFn) -> Note:
    kind = draw(st.sampled_from(NoteKind))
    begins = draw(moments)
    return Note(
        kind=kind,
        site=draw(st.none() | words),
        area=draw(st.none() | words),
        line=draw(words),
        machine=draw(st.none() | words),
        begins=begins,
        ends=begins + draw(st.timedeltas(timedelta(microseconds=1), timedelta(hours=9))),
        name=draw(st.sampled_from(NAME_OF[kind]) if kind in NAME_OF else words),
        value=draw(st.floats(0, 1 if kind is NoteKind.TARGET else 1e15)),
        text=draw(words),
        author=draw(words),
        source_time=draw(moments),
        retracts=draw(words),
        received_time=NOON,
        via="mqtt",
    )


@given(notes())
def test_a_note_that_is_written_down_is_read_as_the_same(note: Note) -> None:
    said = {name: getattr(note, name) for name in SAID}
    written = {
        name: word.isoformat() if isinstance(word, datetime) else word
        for name, word in said.items()
    }
    as_texts = {name: "" if word is None else str(word) for name, word in written.items()}
    for way in (said, written, as_texts):
        assert note_of(way, HEARD) == note
    (row,) = notes_table([note]).to_pylist()
    assert note_from_row(row) == note


@given(notes(), notes())
def test_two_notes_have_one_id_only_if_they_say_the_same(one: Note, other: Note) -> None:
    is_same = [getattr(one, name) for name in SAID] == [getattr(other, name) for name in SAID]
    assert (one.note_id == other.note_id) == is_same
    later = replace(one, received_time=NOON + timedelta(days=1), via="csv")
    assert later.note_id == one.note_id


@given(st.dictionaries(st.sampled_from(SAID), st.text(max_size=30) | st.floats() | st.none()))
def test_whatever_is_written_is_a_note_or_a_mistake_in_one_line(said: dict[str, object]) -> None:
    complaint = ""
    try:
        note_of(said, HEARD)
    except DataError as problem:
        complaint = str(problem)
    assert "\n" not in complaint


def test_a_target_is_of_any_kpi_there_is() -> None:
    assert set(TARGET_NAMES) == {field.name for field in fields(Kpis)}


def test_author_time_and_zone_are_those_of_the_hearing_where_it_does_not_say() -> None:
    heard = Heard(NOON, "mqtt", ZoneInfo("Europe/Paris"), "A. Brun")
    said = {"kind": "downtime_reason", "name": "jam", "begins": "2026-03-02T08:00"}
    note = note_of(said, heard)
    assert (note.author, note.source_time) == ("A. Brun", NOON)
    assert note.begins == datetime(2026, 3, 2, 7, tzinfo=UTC)
    assert note_of({**said, "author": "B. Kaya"}, heard).author == "B. Kaya"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "a note with no kind: write one of downtime_reason, "),
        ({"kind": "joke"}, "a note with the kind 'joke': write one of"),
        ({"kind": "remark"}, "a note of the kind remark says text: write it"),
        ({"kind": "remark", "text": "x", "strat": 1}, "a note has no 'strat'"),
        ({"kind": "remark", "text": "x", "autor": "y"}, "did you mean author"),
        ({"kind": "remark", "text": "x", "author": ""}, None),
        ({"kind": "remark", "text": "x\x1b[31m"}, "text 'x.*' cannot be"),
        ({"kind": "remark", "text": "x" * 4097}, "write 1 to 4096 printable"),
        ({"kind": "remark", "text": "x", "line": "a\nb"}, "line 'a.*' cannot be"),
        ({"kind": "remark", "text": "x", "line": True}, "line 'True' cannot be"),
        ({"kind": "price", "name": "energy_per_kwh"}, "price says value"),
        ({"kind": "price", "name": "kwh", "value": 1}, "no price is called 'kwh': write one of"),
        ({"kind": "price", "name": "energy_per_kwh", "value": -1}, "the price -1 is negative"),
        ({"kind": "target", "name": "oee", "value": 80}, "oee cannot be 80: write .* 0.8 for 80 %"),
        ({"kind": "target", "name": "scrap_ratio", "value": 2}, "scrap_ratio cannot be 2"),
        ({"kind": "target", "name": "throughput", "value": -1}, "throughput cannot be -1"),
        ({"kind": "price", "name": "energy_per_kwh", "value": "0,21"}, "'0,21' is no number"),
        ({"kind": "price", "name": "energy_per_kwh", "value": "nan"}, "is no number"),
        ({"kind": "target", "name": "oe", "value": 1}, "no target is called 'oe'"),
        ({"kind": "upgrade", "begins": "2026-03-02"}, "a note of the kind upgrade says line"),
        ({"kind": "upgrade", "line": "l1", "begins": "soon"}, "begins 'soon' is no time"),
        ({"kind": "upgrade", "line": "l1", "begins": 17}, "begins '17' is no time"),
        ({"kind": "upgrade", "line": "l1", "begins": "1969-12-31"}, "is no time from 1970 to 2261"),
        ({"kind": "planned_stop", "begins": "2026-03-02"}, "planned_stop says ends"),
        (
            {"kind": "planned_stop", "begins": "2026-03-02", "ends": "2026-03-02"},
            "is not after begins",
        ),
        ({"kind": "retraction"}, "retraction says retracts"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(said: dict[str, object], words: str | None) -> None:
    if words is None:
        said, words = said | {"author": None}, "a note has an author"
        with pytest.raises(DataError, match=words):
            note_of(said, HEARD._replace(author=None))
        return
    with pytest.raises(DataError, match=words):
        note_of(said, HEARD)
