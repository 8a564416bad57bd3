import pytest

from tests.ingest.gateways.probing import TOPIC, found_in, lines_of, refusal_of

TIME = 1_700_000_000_123
READ_TIME = "2023-11-14T22:13:20.123000Z"


def test_a_value_with_a_time_is_of_the_topic() -> None:
    (line,) = lines_of({"timestamp": TIME, "value": 5})
    assert (line["tag"], line["value"], line["source_time"]) == (TOPIC, 5, READ_TIME)


def test_the_name_of_the_tag_is_a_level_once() -> None:
    document = {"timestamp": TIME, "value": [1, 2], "tagName": "efis/temp", "userProperties": []}
    expected = [("efis/temp/0", 1, "GOOD"), ("efis/temp/1", 2, "GOOD")]
    assert found_in(document) == expected
    tags = [line["tag"] for line in lines_of({**document, "value": 1}, "plant/efis/temp")]
    assert tags == ["plant/efis/temp"]


def test_what_opc_ua_says_of_the_value_is_its_time_and_quality() -> None:
    document = {
        "value": {"speed": 5},
        "sourceTimestamp": "2023-11-14T22:13:20.123Z",
        "serverTimestamp": "2023-11-14T22:13:21Z",
        "sourcePicoSeconds": 5,
        "status": {"code": 1083179008, "symbol": "Uncertain_LastUsableValue"},
    }
    assert found_in(document) == [("speed", 5, "UNCERTAIN")]
    assert [line["source_time"] for line in lines_of(document)] == [READ_TIME]
    bad = {"value": 5, "timestamp": TIME, "statusCode": {"code": 2147483648}}
    assert found_in(bad) == [("", 5, "BAD")]


def test_several_samples_have_their_names_and_one_time() -> None:
    samples = [{"tagName": "a", "tagValue": 1}, {"tagName": "b", "tagValue": {"c": True}}]
    document = {"timestamp": TIME, "samples": samples}
    assert found_in(document) == [("a", 1, "GOOD"), ("b/c", 1, "GOOD")]
    assert {line["source_time"] for line in lines_of(document)} == {READ_TIME}


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"value": 5, "timestamp": TIME, "unit": "C"}, {"", "unit"}),
        ({"value": 5, "status": "running"}, {"", "status"}),
        ({"samples": [1, 2]}, {"samples/0", "samples/1"}),
    ],
)
def test_what_others_send_is_left_to_them(other: object, names: set[str]) -> None:
    assert {name for name, _, _ in found_in(other)} == names


@pytest.mark.parametrize(
    "broken",
    [
        {"timestamp": TIME, "value": {}},
        {"value": 1, "tagName": {}},
        {"samples": [{"tagName": "a", "tagValue": 1}, {"tagName": "b"}]},
    ],
)
def test_a_broken_value_is_refused(broken: object) -> None:
    assert refusal_of(broken).code == "wrong_shape"
