import pytest

from tests.ingest.gateways.probing import (
    TOPIC,
    lines_of,
    outcome_of,
    refusal_of,
    times_of,
    values_of,
    verdicts_of,
)

MS = 1_767_225_600_000
NEW_YEAR = "2026-01-01T00:00:00.000000Z"
METER = {
    "value": "317.3988",
    "raw": "00317.39N8",
    "pre": "317.3988",
    "error": "no error",
    "rate": "0.000330",
    "timestamp": "2023-01-10T22:55:31+0100",
}


def test_names_are_metrics_and_groups_and_lists_are_levels() -> None:
    sent = {"temperature": 22.5, "pos": {"x": 1, "y": [2, 3]}, "mode": "auto", "on": True, "e": {}}
    assert values_of(sent) == {
        "temperature": 22.5,
        "pos/x": 1,
        "pos/y/0": 2,
        "pos/y/1": 3,
        "mode": "auto",
        "on": 1,
    }
    assert times_of(sent) == {None}


@pytest.mark.parametrize(
    "name",
    [
        *("timestamp", "Timestamp", "TimeStamp", "time_stamp", "@timestamp", "TIMESTAMP", "TS"),
        *("datetime", "dateTime", "date_time", "SourceTimestamp", "source_time"),
        *("time", "Time", "t", "T"),
    ],
)
@pytest.mark.parametrize("sent", [MS, MS // 1_000, str(MS), "2026-01-01T00:00:00Z"])
def test_a_time_is_known_by_its_name(name: str, sent: object) -> None:
    assert times_of({"a": 1, name: sent}) == {NEW_YEAR}
    assert values_of({"a": 1, name: sent}) == {"a": 1}


@pytest.mark.parametrize("name", ["t", "time", "Time"])
@pytest.mark.parametrize("sent", [21.5, 0, None, [0.1, 0.2]])
def test_a_duration_or_a_temperature_is_no_time(name: str, sent: object) -> None:
    lines = lines_of({"a": 1, name: sent})
    assert {line["source_time"] for line in lines} == {None}
    assert {line["metric"].partition("/")[0] for line in lines} == {"a", name}
    assert lines[0]["quality"] == "GOOD"


def test_of_several_times_the_plainest_counts_and_the_others_are_values() -> None:
    sent = {"time": MS + 1, "t": MS + 2, "timestamp": MS, "a": 1}
    assert times_of(sent) == {NEW_YEAR}
    assert values_of(sent) == {"time": MS + 1, "t": MS + 2, "a": 1}


@pytest.mark.parametrize("sent", [0, "yesterday", True])
def test_a_time_that_is_none_leaves_the_values_in_doubt(sent: object) -> None:
    assert verdicts_of({"timestamp": sent, "a": 1}) == {"a": ("UNCERTAIN", ["time"])}


def test_a_group_named_as_a_time_is_a_group() -> None:
    assert values_of({"timestamp": {"s": 5}, "a": 1}) == {"timestamp/s": 5, "a": 1}


def test_value_adds_no_level_as_in_the_native_shapes() -> None:
    sent = {"value": 21.5, "unit": "C", "timestamp": MS}
    assert {line["tag"] for line in lines_of(sent)} == {TOPIC, f"{TOPIC}/unit"}
    assert [line["tag"] for line in lines_of({"value": 1, "time": MS})] == [TOPIC]


def test_a_list_of_times_makes_columns() -> None:
    decoded = outcome_of({"timestamp": [MS, MS + 1], "a": [1, 2], "b": [3, None]})
    assert decoded.columns is not None
    assert next(column.values.tolist() for column in decoded.columns.columns) == [1, 2]
    assert refusal_of({"timestamp": [MS, MS + 1], "a": 1}).code == "ragged"


@pytest.mark.parametrize("sent", [{}, {"timestamp": MS}, {"a": {}}, {"a": []}, {"a": {"b": [[]]}}])
def test_an_object_without_a_value_is_refused(sent: object) -> None:
    assert refusal_of(sent).code == "wrong_shape"


@pytest.mark.parametrize("sent", [[], [1, 2], [{"a": 1}], [[1]]])
def test_a_list_is_refused(sent: object) -> None:
    assert refusal_of(sent).code == "wrong_shape"


def test_the_limits_hold() -> None:
    assert refusal_of({"a": [1] * 1_001}).code == "too_big"
    assert refusal_of({"a": "x" * 5_000}).code == "too_big"
    assert refusal_of({"a": {"b" * 600: {"c" * 500: 1}}}).code == "too_big"


def test_a_metric_that_changes_its_type_is_read_each_time() -> None:
    kinds = [21.5, "21.5", "ERROR", None, True, [1], {"x": 1}, 10**400]
    assert [lines_of({"a": kind, "b": 1})[-1]["value"] for kind in kinds] == [1] * len(kinds)


def test_identity_in_part_is_values() -> None:
    assert values_of({"seq": "A12", "gateway": "g", "a": 1}) == {
        "seq": "A12",
        "gateway": "g",
        "a": 1,
    }


def test_a_meter_keeps_its_names_and_reads_numbers_sent_as_text() -> None:
    assert values_of(METER) == {
        "value": 317.3988,
        "raw": "00317.39N8",
        "pre": 317.3988,
        "error": "no error",
        "rate": 0.00033,
    }
    assert times_of(METER) == {"2023-01-10T21:55:31.000000Z"}
    assert {quality for quality, _ in verdicts_of(METER).values()} == {"GOOD"}


def test_a_meter_that_tells_an_error_has_a_bad_value() -> None:
    error = "Rate too high - Read: 400"
    found = verdicts_of({**METER, "error": error})
    assert found["value"] == found["rate"] == ("BAD", ["source"])
    assert found["raw"] == found["pre"] == found["error"] == ("GOOD", [])
    assert outcome_of({**METER, "error": error}).readings[0].status == error
