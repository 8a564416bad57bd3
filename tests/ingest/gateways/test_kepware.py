import json

import pytest

from tests.ingest.gateways.probing import lines_of, outcome_of, refusal_of, values_of, verdicts_of

MS = 1_579_516_307_016
TIME = "2020-01-20T10:31:47.016000Z"


def test_each_value_of_the_standard_template_has_its_own_time() -> None:
    values = [
        {"id": "PSI.Device1.X", "v": 10, "q": True, "t": MS - 1_000},
        {"id": "PSI.Device1.Y", "v": "run"},
    ]
    lines = lines_of({"timestamp": MS, "values": values})
    assert [line["metric"] for line in lines] == ["PSI.Device1.X", "PSI.Device1.Y"]
    assert [line["source_time"] for line in lines] == [TIME.replace("47.", "46."), TIME]
    assert [line["text"] for line in lines] == [None, "run"]


def test_a_value_of_bad_quality_is_bad_and_kept() -> None:
    sent = {"values": [{"id": "X", "v": 7, "q": False}, {"id": "Y", "v": None, "q": True}]}
    assert values_of(sent)["X"] == 7
    assert verdicts_of(sent) == {"X": ("BAD", ["source"]), "Y": ("BAD", ["missing"])}
    assert outcome_of(sent).readings[0].status == "false"


def test_items_come_alone_too() -> None:
    item = {"id": "X", "v": 7, "q": True, "t": MS}
    assert values_of(item) == values_of([item]) == {"X": 7}
    assert values_of([{"timestamp": MS, "values": [item]}]) == {"X": 7}


def test_the_template_with_names_in_full_is_read() -> None:
    sent = [
        {"tagname": "Group A.Device C - D.Tag 42", "timestamp": MS, "value": 1291},
        {"tagname": "B.F", "timestamp": MS, "value": 185.2},
    ]
    assert values_of(sent) == {"Group A.Device C - D.Tag 42": 1291, "B.F": 185.2}
    assert {line["source_time"] for line in lines_of(sent)} == {TIME}


def test_a_publish_of_a_thousand_values_is_within_the_limits() -> None:
    values = [{"id": f"C.D.{n}", "v": n, "q": True, "t": MS} for n in range(1_000)]
    assert len(outcome_of({"timestamp": MS, "values": values}).readings) == 1_000
    values.append({"id": "one.more", "v": 1, "q": True, "t": MS})
    assert refusal_of({"timestamp": MS, "values": values}).code == "too_big"


def test_names_that_repeat_in_one_item_are_refused_however_many_items_there_are() -> None:
    items = ", ".join(json.dumps({"id": f"T{n}", "v": n, "q": True, "t": MS}) for n in range(900))
    assert refusal_of(f'{{"values": [{items}, {{"id": "x", "v": 1, "v": 2}}]}}').code == (
        "duplicate_key"
    )


@pytest.mark.parametrize("broken", [5, {}, {"v": 1}, {"id": "Z"}, {"id": [1], "v": 1}])
def test_a_broken_item_breaks_the_message(broken: object) -> None:
    assert refusal_of({"values": [{"id": "X", "v": 7}, broken]}).code == "wrong_shape"


@pytest.mark.parametrize(
    "plain", [{"id": "press", "v": 3}, {"values": [1, 2]}, {"id": "a", "v": 1, "q": True, "w": 2}]
)
def test_other_objects_are_not_kepwares(plain: dict[str, object]) -> None:
    assert set(values_of(plain)) >= plain.keys() - {"values"}
