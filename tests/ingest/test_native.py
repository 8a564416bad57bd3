import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import decode
from ingest.probe import probe_lines
from ingest.readings import Decoded, Limits, Refusal, Rules

TOPIC = "lyon/body/line1/press"
TS = 1_767_225_600_000
NEW_YEAR = "2026-01-01T00:00:00.000000Z"

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.text(min_size=1, max_size=20).filter(
    lambda name: name not in {"ts", "value", "gateway", "epoch", "seq"}
)


def lines_of(payload: object, topic: str = TOPIC) -> list[dict[str, Any]]:
    sent = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return probe_lines(decode(topic, sent))


def one_of(payload: object) -> dict[str, Any]:
    lines = lines_of(payload)
    assert len(lines) == 1
    return lines[0]


def refusal_of(payload: object) -> Refusal:
    sent = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    outcome = decode(TOPIC, sent)
    assert isinstance(outcome, Refusal)
    return outcome


def test_one_reading_has_the_topic_as_its_tag() -> None:
    assert lines_of({"ts": TS, "value": 21.5}, TOPIC + "/force") == [
        {
            "tag": TOPIC + "/force",
            "metric": "force",
            "source_time": NEW_YEAR,
            "value": 21.5,
            "text": None,
            "quality": "GOOD",
            "reasons": [],
        }
    ]


def test_one_machine_has_a_tag_for_each_metric() -> None:
    lines = lines_of({"ts": TS, "temperature": 21.5, "pos": {"x": 1, "y": [2, 3]}})
    found = {line["tag"].removeprefix(TOPIC): line["value"] for line in lines}
    assert found == {"/temperature": 21.5, "/pos/x": 1, "/pos/y/0": 2, "/pos/y/1": 3}
    assert {line["source_time"] for line in lines} == {NEW_YEAR}


def test_column_arrays_give_each_metric_at_each_time() -> None:
    lines = lines_of({"ts": [TS, TS + 1], "a": [1, 2], "pos": {"x": [3.5, 4.5]}, "value": [5, 6]})
    assert [(line["tag"].removeprefix(TOPIC), line["value"]) for line in lines] == [
        ("/a", 1),
        ("/a", 2),
        ("/pos/x", 3.5),
        ("/pos/x", 4.5),
        ("", 5),
        ("", 6),
    ]
    assert [line["source_time"] for line in lines[:2]] == [
        NEW_YEAR,
        NEW_YEAR.replace(".000", ".001"),
    ]


@pytest.mark.parametrize("shape", [{"ts": TS, "a": 1}, {"value": 1}, {"ts": [TS], "a": [1]}])
def test_gateway_epoch_and_seq_are_optional_and_no_metrics(shape: dict[str, object]) -> None:
    decoded = decode(TOPIC, json.dumps({**shape, "gateway": "g", "epoch": 7, "seq": 0}).encode())
    assert isinstance(decoded, Decoded)
    assert (decoded.gateway, decoded.epoch, decoded.seq) == ("g", "7", 0)
    assert len(lines_of(shape)) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"seq": -1},
        {"seq": 1.5},
        {"seq": True},
        {"seq": "1"},
        {"seq": 2**63},
        {"gateway": ""},
        {"gateway": {"name": "g"}},
        {"epoch": "e" * 257},
    ],
)
def test_a_broken_identity_is_refused_and_not_guessed(wrong: dict[str, object]) -> None:
    assert refusal_of({"ts": TS, "value": 1, **wrong}).code == "bad_identity"


@pytest.mark.parametrize(
    ("sent", "value", "text", "quality"),
    [
        ("21.5", 21.5, None, "GOOD"),
        ('"21.5"', 21.5, None, "GOOD"),
        ('" +1e3 "', 1000, None, "GOOD"),
        ('"00317.3988"', 317.3988, None, "GOOD"),
        ('"007"', 7, "007", "GOOD"),
        ('"700"', 700, None, "GOOD"),
        ('"9007199254740993"', 9007199254740992, "9007199254740993", "GOOD"),
        ("true", 1, None, "GOOD"),
        ("false", 0, None, "GOOD"),
        ("9007199254740993", 9007199254740992, None, "GOOD"),
        ("1" + "0" * 300, 1e300, None, "GOOD"),
        ("5e-324", 5e-324, None, "GOOD"),
        ('"ERROR"', None, "ERROR", "GOOD"),
        ('"21,5"', None, "21,5", "GOOD"),
        ('"1_000"', None, "1_000", "GOOD"),
        ('""', None, "", "GOOD"),
        ("null", None, None, "BAD"),
        ("NaN", None, None, "BAD"),
        ("-Infinity", None, None, "BAD"),
        ('"nan"', None, None, "BAD"),
        ("1e999", None, None, "BAD"),
        ("1" + "0" * 400, None, None, "BAD"),
    ],
)
def test_a_value_is_a_number_or_a_text_or_missing(
    sent: str, value: float | None, text: str | None, quality: str
) -> None:
    expected = (value, text, quality, [] if quality == "GOOD" else ["missing"])
    shapes = (f'{{"ts": {TS}, "value": {sent}}}', f'{{"ts": [{TS}], "value": [{sent}]}}')
    for payload in shapes:
        line = one_of(payload.encode())
        assert (line["value"], line["text"], line["quality"], line["reasons"]) == expected


def test_one_bad_value_of_a_column_leaves_its_neighbours_alone() -> None:
    payload = b'{"ts": [1767225600, 1767225601, 1767225602], "a": [1, NaN, "x"], "b": [4, null, 6]}'
    lines = lines_of(payload)
    assert [line["value"] for line in lines] == [1, None, None, 4, None, 6]
    assert [line["text"] for line in lines] == [None, None, "x", None, None, None]
    assert [line["quality"] for line in lines] == ["GOOD", "BAD", "GOOD", "GOOD", "BAD", "GOOD"]


def test_a_doubtful_time_is_uncertain_and_kept() -> None:
    line = one_of({"ts": 0, "value": 1})
    assert (line["source_time"], line["quality"], line["reasons"]) == (
        "1970-01-01T00:00:00.000000Z",
        "UNCERTAIN",
        ["time"],
    )
    lines = lines_of({"ts": [TS, 0, "9999-01-01T00:00:00Z", None], "a": [1, 2, None, 4]})
    assert [line["quality"] for line in lines] == ["GOOD", "UNCERTAIN", "BAD", "GOOD"]
    assert [line["reasons"] for line in lines] == [[], ["time"], ["missing", "time"], []]
    assert [line["source_time"] is None for line in lines] == [False, False, True, True]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"ts": [TS, TS], "a": [1]}, "ragged"),
        ({"ts": [TS, TS], "a": 1}, "ragged"),
        ({"ts": [TS], "a": [{"x": 1}]}, "wrong_shape"),
        ({"ts": [], "a": []}, "wrong_shape"),
        ({"ts": [TS]}, "wrong_shape"),
        ({"ts": TS}, "wrong_shape"),
        ({}, "wrong_shape"),
        ([], "wrong_shape"),
        ([{"ts": TS, "value": 1}], "wrong_shape"),
        ({"ts": TS, "a": "x" * 5000}, "too_big"),
        ({"ts": TS, "a": [1] * 1001}, "too_big"),
        ({"ts": [TS], **{f"m{n}": {str(m): [1] for m in range(40)} for n in range(40)}}, "too_big"),
        ({"ts": [TS] * 40_000, "a": [1] * 40_000, "b": [1] * 40_000}, "too_big"),
        ({"ts": TS, "n" * 1024: 1}, "too_big"),
    ],
)
def test_a_broken_or_unknown_shape_is_refused_with_its_reason(payload: object, code: str) -> None:
    refusal = refusal_of(payload)
    assert refusal.code == code
    assert refusal.words


def test_a_name_that_repeats_is_refused_at_any_depth() -> None:
    for payload in (
        b'{"ts": 1, "value": 1, "value": 2}',
        b'{"ts": 1, "a": {"x": 1, "x": 2}}',
        b'{"ts": 1, "\\u0061": 1, "a": 2}',
        b'{"ts": 1, "a": "\\u003a", "a": 2}',
        b'{"ts": 1, "a": ":", "a": ":"}',
        b'{"ts": [1], "a": [1], "a": [2]}',
        b'{"ts": 1, "a": NaN, "a": 2}',
    ):
        assert refusal_of(payload).code == "duplicate_key"


@pytest.mark.parametrize(
    "payload",
    [b'{"ts": "2026-01-01T00:00:00Z", "a:b": "::"}', b'{"ts": 1767225600, "a": "\\u003a"}'],
)
def test_colons_in_texts_are_no_repeated_names(payload: bytes) -> None:
    assert one_of(payload)["source_time"] == NEW_YEAR


def test_a_refusal_names_the_gateway_if_it_could_be_read() -> None:
    assert refusal_of({"gateway": "g", "ts": [TS], "a": 1}).gateway == "g"
    assert refusal_of(b'{"gateway": "g", "ts": 1, "ts": 1}').gateway == "g"
    assert refusal_of(b'{"gateway": "g", ').gateway == ""
    assert refusal_of({"gateway": [5], "ts": 1}).gateway == ""


@pytest.mark.parametrize(
    ("payload", "value", "text"),
    [
        (b"21.5", 21.5, None),
        (b" -3e2\r\n", -300, None),
        (b"+5", 5, None),
        (b"007", 7, "007"),
        (b".5", 0.5, None),
        (b"true", 1, None),
        (b'"21.5"', 21.5, None),
        (b'"out of order"', None, "out of order"),
        (b"Offline", None, "Offline"),
        ("läuft".encode(), None, "läuft"),
        (b"null", None, None),
        (b"NaN", None, None),
    ],
)
def test_a_bare_scalar_is_a_value_without_a_time(
    payload: bytes, value: float | None, text: str | None
) -> None:
    line = one_of(payload)
    assert (line["tag"], line["metric"], line["source_time"]) == (TOPIC, "press", None)
    assert (line["value"], line["text"]) == (value, text)
    assert line["quality"] == ("BAD" if value is None and text is None else "GOOD")


@given(st.dictionaries(names, finite | st.integers(-(2**53), 2**53), min_size=1, max_size=10))
def test_one_machine_comes_back_as_it_was_sent(sent: dict[str, float]) -> None:
    lines = lines_of({"ts": TS, **sent})
    assert [(line["tag"], line["value"]) for line in lines] == [
        (f"{TOPIC}/{name}", float(value)) for name, value in sent.items()
    ]


@given(st.data(), st.integers(1, 20))
def test_column_arrays_come_back_as_they_were_sent(data: st.DataObject, count: int) -> None:
    value = st.none() | finite | st.integers(-(2**53), 2**53) | st.booleans()
    column = st.lists(value, min_size=count, max_size=count)
    sent = data.draw(st.dictionaries(names, column, min_size=1, max_size=4))
    decoded = decode(TOPIC, json.dumps({"ts": list(range(TS, TS + count)), **sent}).encode())
    assert isinstance(decoded, Decoded)
    assert decoded.columns is not None
    for (name, values), found in zip(sent.items(), decoded.columns.columns, strict=True):
        expected = [math.nan if one is None else float(one) for one in values]
        assert found.name == name
        assert np.array_equal(found.values, expected, equal_nan=True)


def test_limits_are_what_the_caller_says() -> None:
    limits = Limits(payload_bytes=30, depth=2, fields=2, string_bytes=3, tag_bytes=8)

    def code(payload: bytes, topic: str = "t") -> str:
        outcome = decode(topic, payload, Rules(limits))
        return outcome.code if isinstance(outcome, Refusal) else "read"

    assert code(b'{"ts": 1, "a": {"b": 2}}') == "too_big"
    assert code(b'{"ts": 1, "a": 2}') == "read"
    assert code(b'{"ts": [[[1]]]}') == "too_deep"
    assert code(b'{"ts": 1, "value": "long"}') == "too_big"
    assert code(b'{"ts": 1, "a": "[[["}') == "read"
    assert code(b'{"ts": 1, "abcdefg": 2}') == "too_big"
    assert code(b" " * 31) == "too_big"
    assert code(b"1", "ninebytes") == "bad_topic"
