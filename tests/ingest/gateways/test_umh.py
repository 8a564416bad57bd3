import pytest

from tests.ingest.gateways.probing import lines_of, refusal_of, times_of, values_of

MS = 1_670_001_234_567
CORE = "umh.v1.acme.berlin._raw.weather.temperature"
CLASSIC = "umh/v1/acme/_historian/cnc-mill"


@pytest.mark.parametrize("topic", [CORE, CORE.replace(".", "/"), CORE.replace("_raw", "_cnc_v2")])
def test_a_message_of_core_is_one_reading_whose_tag_is_the_topic(topic: str) -> None:
    (line,) = lines_of({"value": 23.4, "timestamp_ms": MS}, topic)
    assert (line["tag"], line["value"]) == (topic, 23.4)
    assert line["source_time"] == "2022-12-02T17:13:54.567000Z"


def test_groups_of_a_classic_message_are_levels() -> None:
    sent = {"timestamp_ms": MS, "pos": {"x": 12.5, "y": 7.3}, "collision": False, "mode": "auto"}
    assert values_of(sent, CLASSIC) == {"pos/x": 12.5, "pos/y": 7.3, "collision": 0, "mode": "auto"}


def test_a_time_sent_as_text_is_a_time() -> None:
    assert times_of({"timestamp_ms": str(MS), "value": 1}) == {"2022-12-02T17:13:54.567000Z"}


def test_a_time_that_cannot_be_read_leaves_the_values_in_doubt() -> None:
    (line,) = lines_of({"timestamp_ms": [1], "value": 1})
    assert (line["value"], line["quality"], line["reasons"]) == (1, "UNCERTAIN", ["time"])


def test_a_time_alone_is_refused() -> None:
    assert refusal_of({"timestamp_ms": MS}).code == "wrong_shape"
