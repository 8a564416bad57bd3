from typing import Any

import pytest

from tests.ingest.gateways.probing import (
    lines_of,
    outcome_of,
    refusal_of,
    times_of,
    values_of,
    verdicts_of,
)

MS = 1_650_006_388_943
HEAD = {"timestamp": MS, "node": "modbus", "group": "grp"}


def test_values_are_readings_and_errors_are_bad_ones() -> None:
    sent = {**HEAD, "values": {"tag0": 123, "list": [1, 2]}, "errors": {"tag1": 2014}, "metas": {}}
    lines = {line["metric"]: line for line in lines_of(sent)}
    assert lines["modbus/grp/tag0"]["value"] == 123
    assert lines["modbus/grp/list/1"]["value"] == 2
    bad = lines["modbus/grp/tag1"]
    assert (bad["value"], bad["quality"], bad["reasons"]) == (None, "BAD", ["missing", "source"])
    assert times_of(sent) == {"2022-04-15T07:06:28.943000Z"}


def test_the_code_of_an_error_is_kept() -> None:
    (reading,) = outcome_of({**HEAD, "values": {}, "errors": {"tag1": 2014}}).readings
    assert reading.status == "2014"


def test_tags_are_readings_and_their_type_is_none() -> None:
    tags: list[dict[str, Any]] = [
        {"name": "a", "value": True, "type": 1},
        {"name": "b", "value": 1.23, "type": 3},
        {"name": "c", "error": 3000},
        {"name": "d", "value": 4, "error": 0},
    ]
    sent = {**HEAD, "tags": tags}
    assert values_of(sent) == {
        "modbus/grp/a": 1,
        "modbus/grp/b": 1.23,
        "modbus/grp/c": None,
        "modbus/grp/d": 4,
    }
    assert verdicts_of(sent)["modbus/grp/c"] == ("BAD", ["missing", "source"])
    assert verdicts_of(sent)["modbus/grp/d"] == ("GOOD", [])


def test_node_and_group_are_levels_once() -> None:
    sent = {**HEAD, "values": {"a": 1}}
    assert values_of(sent, "neuron/mqtt") == {"modbus/grp/a": 1}
    assert values_of(sent, "/neuron/mqtt/modbus/grp") == {"a": 1}
    assert values_of(sent, "/neuron/mqtt/modbus/other") == {"modbus/grp/a": 1}


def test_messages_of_neuron_2_0_and_answers_are_read() -> None:
    tags = [{"value": 123, "id": 1, "error": 0}, {"id": 2, "value": 5, "error": 3}]
    sent = {"node_name": "n", "group_config_name": "g", "timestamp": MS, "tags": tags}
    assert values_of(sent) == {"n/g/1": 123, "n/g/2": 5}
    assert verdicts_of(sent)["n/g/2"] == ("BAD", ["source"])
    assert values_of({"uuid": "bca54fe7", "tags": [{"name": "a", "value": 4}]}) == {"a": 4}


@pytest.mark.parametrize(
    "broken",
    [
        {"values": {}, "errors": {}},
        {"values": {"a": 1}, "errors": [2014]},
        {"tags": []},
        {"tags": [5]},
        {"tags": [{"value": 1}]},
    ],
)
def test_what_is_neurons_and_broken_is_refused(broken: dict[str, object]) -> None:
    assert refusal_of({**HEAD, **broken}).code == "wrong_shape"


def test_another_object_with_values_is_not_neurons() -> None:
    assert values_of({"node": 3, "group": 4, "values": {"a": 1}}) == {
        "node": 3,
        "group": 4,
        "values/a": 1,
    }
