from typing import Any

import pytest

from tests.ingest.gateways.probing import found_in, lines_of, refusal_of


def entry_of(value: object, **more: object) -> dict[str, Any]:
    timestamp = {"timeInSeconds": 1575691200, "offsetInNanos": 250_000_999}
    one = {"value": value, "timestamp": timestamp, **more}
    return {"entryId": "1", "propertyAlias": "/plant/3/rpm", "propertyValues": [one]}


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"integerValue": 38}, 38),
        ({"doubleValue": 15.09}, 15.09),
        ({"booleanValue": False}, 0),
        ({"stringValue": "running"}, "running"),
        ({"doubleValue": None, "integerValue": 4}, 4),
    ],
)
def test_a_value_has_one_of_four_types_and_the_alias_as_its_name(
    value: object, read: object
) -> None:
    assert found_in({"entries": [entry_of(value)]}) == [("plant/3/rpm", read, "GOOD")]


def test_nanoseconds_are_cut_to_microseconds() -> None:
    (line,) = lines_of({"entries": [entry_of({"integerValue": 1})]})
    assert line["source_time"] == "2019-12-07T04:00:00.250000Z"


@pytest.mark.parametrize(
    ("quality", "read"), [("GOOD", "GOOD"), ("BAD", "BAD"), ("UNCERTAIN", "UNCERTAIN")]
)
def test_a_bad_value_is_kept(quality: str, read: str) -> None:
    document = {"entries": [entry_of({"integerValue": 38}, quality=quality)]}
    assert found_in(document) == [("plant/3/rpm", 38, read)]


def test_a_null_value_is_a_reading_that_is_missing() -> None:
    document = {"entries": [entry_of({"nullValue": {"valueType": "D"}}, quality="UNCERTAIN")]}
    assert found_in(document) == [("plant/3/rpm", None, "BAD")]


def test_an_entry_alone_and_a_notification_are_read_too() -> None:
    entry = entry_of({"integerValue": 1})
    assert found_in(entry) == [("plant/3/rpm", 1, "GOOD")]
    payload = {"assetId": "a1", "propertyId": "p2", "values": entry["propertyValues"]}
    document = {"type": "PropertyValueUpdate", "payload": payload}
    assert found_in(document) == [("a1/p2", 1, "GOOD")]


@pytest.mark.parametrize(
    "timestamp",
    [{"timeInSeconds": "soon"}, {"timeInSeconds": True}, "soon", [], {"timeInSeconds": 10**30}],
)
def test_a_time_that_cannot_be_read_costs_no_value(timestamp: object) -> None:
    (line,) = lines_of({"entries": [entry_of({"integerValue": 1}, timestamp=timestamp)]})
    assert (line["value"], line["source_time"], line["quality"]) == (1, None, "UNCERTAIN")
    assert line["reasons"] == ["time"]


@pytest.mark.parametrize(
    "broken",
    [
        {"propertyAlias": "a", "propertyValues": [{"value": 5}]},
        {"propertyAlias": "a", "propertyValues": [{"value": {"longValue": 5}}]},
        {"propertyAlias": "a", "propertyValues": []},
        {"propertyId": "p", "propertyValues": [{"value": {"integerValue": 5}}]},
        {"propertyAlias": ["a"], "propertyValues": [{"value": {"integerValue": 5}}]},
    ],
)
def test_a_broken_entry_is_refused(broken: object) -> None:
    assert refusal_of({"entries": [broken]}).code == "wrong_shape"
    assert refusal_of({"entries": [entry_of({"integerValue": 1}), 5]}).code == "wrong_shape"


def test_entries_of_something_else_are_left_to_others() -> None:
    assert found_in({"entries": [3]}) == [("entries/0", 3, "GOOD")]
