from typing import Any

import pytest

from tests.ingest.gateways.probing import found_in, lines_of, outcome_of, refusal_of

TIME = 1_638_223_073_190
READ_TIME = "2021-11-29T21:57:53.190000Z"


def payload_of(*metrics: object) -> dict[str, Any]:
    return {"timestamp": TIME, "metrics": list(metrics), "seq": 0}


def metric_of(**fields: object) -> dict[str, object]:
    return {"name": "Tank/Level", "timestamp": TIME, "dataType": "Int32", "value": 100, **fields}


def test_a_metric_has_its_own_name_and_time_and_seq_is_none() -> None:
    (line,) = lines_of(payload_of(metric_of()))
    assert (line["metric"], line["value"], line["source_time"]) == ("Tank/Level", 100, READ_TIME)
    (line,) = lines_of(payload_of(metric_of(timestamp=None)))
    assert line["source_time"] == READ_TIME


@pytest.mark.parametrize(
    ("properties", "quality"),
    [
        ({"Quality": {"type": "Int32", "value": 192}}, "GOOD"),
        ({"Quality": {"type": "Int32", "value": 0}}, "BAD"),
        ({"Quality": {"type": "Int32", "value": 500}}, "UNCERTAIN"),
        ({"Quality": {"type": "Int32", "value": -2147483132}}, "BAD"),
        ({"engHigh": {"type": "Float", "value": 100}}, "GOOD"),
        ([], "GOOD"),
    ],
)
def test_the_quality_is_a_property_and_a_bad_value_is_kept(
    properties: object, quality: str
) -> None:
    found = found_in(payload_of(metric_of(properties=properties)))
    assert found == [("Tank/Level", 100, quality)]


def test_the_place_is_levels_of_the_tag_once() -> None:
    place = {"namespace": "spBv1.0", "groupId": "G1", "edgeNodeId": "E1", "deviceId": "D1"}
    document = {"topic": {**place, "type": "DDATA"}, "payload": payload_of(metric_of())}
    assert found_in(document) == [("G1/E1/D1/Tank/Level", 100, "GOOD")]
    tags = [line["tag"] for line in lines_of(document, "cloud/G1/E1/D1")]
    assert tags == ["cloud/G1/E1/D1/Tank/Level"]


def test_a_metric_that_is_null_is_missing() -> None:
    assert found_in(payload_of(metric_of(isNull=True))) == [("Tank/Level", None, "BAD")]


def test_the_metrics_of_a_template_are_levels_below_it() -> None:
    inner = [{"name": "rpm", "dataType": "Int32", "value": 5}, {"name": "on", "value": True}]
    template = metric_of(
        dataType="Template",
        value={"version": "", "metrics": inner},
        properties={"Quality": {"type": "Int32", "value": 0}},
    )
    expected = [("Tank/Level/rpm", 5, "BAD"), ("Tank/Level/on", 1, "BAD")]
    assert found_in(payload_of(template)) == expected


@pytest.mark.parametrize("broken", [{"alias": 3, "value": 5}, 5, {"name": "", "value": 1}])
def test_a_metric_that_cannot_be_named_is_refused(broken: object) -> None:
    assert refusal_of(payload_of(metric_of(), broken)).code == "wrong_shape"


def test_metrics_of_telegraf_are_left_to_it() -> None:
    document = {"metrics": [{"name": "cpu", "fields": {"value": 1}, "tags": {}, "timestamp": 1}]}
    assert [name for name, _, _ in found_in(document)] == ["cpu/value"]


@pytest.mark.parametrize(
    ("topic", "stem"),
    [("spBv1.0/G1/DDATA/E1/D1", "G1/E1/D1"), ("spBv1.0/G1/NBIRTH/E1", "G1/E1")],
)
def test_on_a_topic_of_sparkplug_json_has_the_same_tags_as_protobuf(topic: str, stem: str) -> None:
    outcome = outcome_of(payload_of(metric_of()), topic)
    assert (outcome.topic, outcome.gateway) == (stem, "G1/E1")
    (line,) = lines_of(payload_of(metric_of()), topic)
    assert (line["tag"], line["source_time"]) == (f"{stem}/Tank/Level", READ_TIME)
    refusal = refusal_of(payload_of(metric_of(), {"alias": 3}), topic)
    assert (refusal.code, refusal.gateway) == ("wrong_shape", "G1/E1")


def test_json_that_is_a_death_or_a_command_is_left_to_sparkplug() -> None:
    assert refusal_of(payload_of(metric_of()), "spBv1.0/G1/NDEATH/E1").code == "sparkplug"
    assert outcome_of(payload_of(metric_of()), "spBv1.0/G1/NCMD/E1").readings == ()
