import pytest

from tests.ingest.gateways.probing import found_in, lines_of, refusal_of

TS = 1_483_228_800_000
VALUES = {"temperature": 42, "state": "on", "pos": {"x": 1}}
READ = [("temperature", 42, "GOOD"), ("state", "on", "GOOD"), ("pos/x", 1, "GOOD")]


def test_a_device_sends_values_at_a_time() -> None:
    document = {"ts": TS, "values": VALUES}
    assert found_in(document) == READ
    assert {line["source_time"] for line in lines_of(document)} == {"2017-01-01T00:00:00.000000Z"}


def test_a_device_sends_several_times_at_once() -> None:
    document = [{"ts": TS, "values": {"a": 1}}, {"ts": TS + 1000, "values": {"a": 2}}]
    assert found_in(document) == [("a", 1, "GOOD"), ("a", 2, "GOOD")]
    times = [line["source_time"] for line in lines_of(document)]
    assert times == ["2017-01-01T00:00:00.000000Z", "2017-01-01T00:00:01.000000Z"]


@pytest.mark.parametrize("topic", ["v1/devices/me/telemetry", "v2/t"])
def test_on_its_own_topic_values_may_come_without_a_time(topic: str) -> None:
    assert found_in(VALUES, topic) == READ
    document = [{"a": 1}, {"ts": TS, "values": {"b": 2}}, {"c": {"values": 3}}]
    expected = [("a", 1, "GOOD"), ("b", 2, "GOOD"), ("c/values", 3, "GOOD")]
    assert found_in(document, topic) == expected
    assert lines_of(document, topic)[0]["source_time"] is None


def test_a_gateway_sends_the_values_of_its_devices() -> None:
    document = {"Device A": [{"ts": TS, "values": VALUES}], "B": [{"values": {"a": 1}}]}
    expected = [(f"Device A/{name}", value, quality) for name, value, quality in READ]
    assert found_in(document) == [*expected, ("B/a", 1, "GOOD")]
    plain = {"Device A": [{"a": 1}]}
    assert found_in(plain, "v1/gateway/telemetry") == [("Device A/a", 1, "GOOD")]


def test_a_list_without_a_time_on_another_topic_is_left_to_others() -> None:
    assert refusal_of([{"a": 1}]).code == "wrong_shape"


@pytest.mark.parametrize(
    "broken",
    [
        {"ts": TS, "values": {}},
        [{"ts": TS, "values": {"a": 1}}, 5],
        {"A": [{"ts": TS, "values": {"a": 1}}], "B": 5},
        {"A": [{"ts": TS, "values": {"a": 1}}, [1]]},
    ],
)
def test_a_broken_device_is_refused(broken: object) -> None:
    assert refusal_of(broken).code == "wrong_shape"


def test_a_native_machine_may_have_a_metric_called_values() -> None:
    assert found_in({"ts": TS, "values": 5}) == [("values", 5, "GOOD")]
    assert found_in({"ts": TS, "values": {"a": 5}, "b": 6})[0] == ("values/a", 5, "GOOD")
    assert found_in({"ts": [TS], "values": {"a": [5]}}) == [("values/a", 5, "GOOD")]
