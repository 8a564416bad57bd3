from typing import Any

import pytest

from tests.ingest.gateways.probing import found_in, lines_of, refusal_of

SENT = "2022-03-18T12:55:21.3424136Z"
NODE = "nsu=http://microsoft.com/Opc/OpcPlc/;s=StepUp"


def message_of(**payload: object) -> dict[str, Any]:
    return {"DataSetWriterId": 1, "DataSetWriterName": "plc7", "Payload": payload}


def network_of(*messages: object) -> dict[str, Any]:
    return {"MessageId": "27", "MessageType": "ua-data", "Messages": list(messages)}


def sample_of(**fields: object) -> dict[str, Any]:
    return {
        "NodeId": NODE,
        "EndpointUrl": "opc.tcp://opcplc:50000/",
        "Value": {"Value": 5, "SourceTimestamp": SENT},
        **fields,
    }


@pytest.mark.parametrize(
    ("field", "value", "quality"),
    [
        ({"Value": 5}, 5, "GOOD"),
        ({"Value": 5, "StatusCode": 0}, 5, "GOOD"),
        ({"Value": 5, "StatusCode": {"Code": 1083179008}}, 5, "UNCERTAIN"),
        ({"Value": 5, "StatusCode": 2147483648}, 5, "BAD"),
        ({"StatusCode": {"Symbol": "BadNoCommunication"}}, None, "BAD"),
        ({"Type": 4, "Body": 18}, 18, "GOOD"),
        ({"Value": {"Type": 1, "Body": False}}, 0, "GOOD"),
        ({"UaType": 12, "Value": "on"}, "on", "GOOD"),
        ({"Value": {"Text": "Ready", "Locale": "en"}}, "Ready", "GOOD"),
        (7.5, 7.5, "GOOD"),
        (None, None, "BAD"),
    ],
)
def test_a_field_is_a_data_value_a_variant_or_the_bare_value(
    field: object, value: object, quality: str
) -> None:
    assert found_in(network_of(message_of(StepUp=field))) == [("plc7/StepUp", value, quality)]


@pytest.mark.parametrize(
    ("field", "time"),
    [
        ({"Value": 5, "SourceTimestamp": SENT, "ServerTimestamp": "2023-01-01T00:00:00Z"}, "21.3"),
        ({"Value": 5, "ServerTimestamp": SENT}, "21.3"),
        ({"Value": 5}, "22.0"),
        (5, "22.0"),
    ],
)
def test_the_time_is_the_sources_else_the_servers_else_the_messages(
    field: object, time: str
) -> None:
    message = {**message_of(StepUp=field), "Timestamp": "2022-03-18T12:55:22Z"}
    (line,) = lines_of(network_of(message))
    digits = "42413" if time == "21.3" else "00000"  # the seventh digit is cut
    assert line["source_time"] == f"2022-03-18T12:55:{time}{digits}Z"


def test_the_status_of_a_data_set_is_that_of_its_fields() -> None:
    message = {**message_of(a=1, b={"Value": 2, "StatusCode": 0}), "Status": 2147483648}
    assert found_in(network_of(message)) == [("plc7/a", 1, "BAD"), ("plc7/b", 2, "GOOD")]


def test_the_writer_is_a_level_once() -> None:
    document = network_of(message_of(a=1))
    assert [line["tag"] for line in lines_of(document, "opc/plc7")] == ["opc/plc7/a"]
    del document["Messages"][0]["DataSetWriterName"]
    assert found_in(document) == [("1/a", 1, "GOOD")]


def test_a_structure_and_an_array_are_levels_below_the_field() -> None:
    step = {"TypeId": "i=183", "Encoding": "Json", "Body": {"Name": "Step 1", "Duration": 9}}
    found = found_in(network_of(message_of(step=step, speeds={"Value": [1, 2]})))
    assert found == [
        ("plc7/step/Name", "Step 1", "GOOD"),
        ("plc7/step/Duration", 9, "GOOD"),
        ("plc7/speeds/0", 1, "GOOD"),
        ("plc7/speeds/1", 2, "GOOD"),
    ]


@pytest.mark.parametrize("several", [False, True])
def test_a_sample_has_its_server_and_its_name_before_its_value(several: bool) -> None:  # noqa: FBT001
    named = sample_of(DisplayName="StepUp")
    expected = [("opcplc:50000/StepUp", 5, "GOOD")]
    assert found_in([named, named] if several else named) == expected * (1 + several)
    assert found_in(sample_of())[0][0] == f"opcplc:50000/{NODE}"
    assert lines_of(named)[0]["source_time"] == "2022-03-18T12:55:21.342413Z"


def test_a_sample_of_an_event_is_read_field_by_field() -> None:
    event = sample_of(DisplayName="Events", Value={"Message": "on", "Severity": 1}, Timestamp=SENT)
    expected = [("opcplc:50000/Events/Message", "on"), ("opcplc:50000/Events/Severity", 1)]
    assert [(name, value) for name, value, _ in found_in(event)] == expected


def test_messages_come_alone_and_in_lists_and_with_a_single_data_set() -> None:
    message = message_of(a=1)
    expected = [("plc7/a", 1, "GOOD")]
    assert found_in(message) == expected
    assert found_in([network_of(message), network_of(message)]) == expected * 2
    assert found_in({**network_of(), "Messages": message}) == expected
    assert found_in(network_of({"a": 1})) == [("a", 1, "GOOD")]


@pytest.mark.parametrize(
    "empty",
    [
        {"MessageId": "0", "MessageType": "ua-metadata", "MetaData": {"Fields": []}},
        network_of({"DataSetWriterId": 1, "MessageType": "ua-keepalive"}),
        network_of(),
        network_of(5),
        [network_of(message_of(a=1)), 5],
        network_of({**message_of(a=1), "DataSetWriterName": {}}),
    ],
)
def test_what_has_no_values_or_is_broken_is_refused(empty: object) -> None:
    assert refusal_of(empty).code == "wrong_shape"
