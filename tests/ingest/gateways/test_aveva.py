import pytest

from tests.ingest.gateways.probing import TOPIC, found_in, lines_of, refusal_of


def vtq_of(**fields: object) -> dict[str, object]:
    return {"d": 12.5, "dt": 5, "ts": "2021-06-17T22:46:07Z", "q": 192, **fields}


@pytest.mark.parametrize(
    ("q", "quality"),
    [(192, "GOOD"), (216, "GOOD"), (64, "UNCERTAIN"), (24, "BAD"), (0, "BAD"), (None, "GOOD")],
)
def test_the_quality_is_one_of_opc_da_and_a_bad_value_is_kept(q: object, quality: str) -> None:
    assert found_in(vtq_of(q=q)) == [("", 12.5, quality)]


def test_the_time_is_of_the_message() -> None:
    (line,) = lines_of(vtq_of(d="Open"))
    assert (line["tag"], line["text"]) == (TOPIC, "Open")
    assert line["source_time"] == "2021-06-17T22:46:07.000000Z"


def test_one_field_more_or_less_makes_it_a_machine_of_the_native_shape() -> None:
    names = {name for name, _, _ in found_in(vtq_of(temperature=5))}
    assert names == {"d", "dt", "q", "temperature"}
    assert {name for name, _, _ in found_in({"ts": 1, "d": 5, "q": 0})} == {"d", "q"}


def test_several_items_have_their_ids_as_names_and_their_own_times() -> None:
    items = [
        {"id": "Tank.Level", "v": 5, "q": 192, "t": "2021-06-17T22:46:07Z"},
        {"id": "Tank.Valve", "v": True, "q": 0},
    ]
    document = {"timestamp": "2021-06-17T22:46:08Z", "values": items}
    assert found_in(document) == [("Tank.Level", 5, "GOOD"), ("Tank.Valve", 1, "BAD")]
    times = [line["source_time"] for line in lines_of([document])]
    assert times == ["2021-06-17T22:46:07.000000Z", "2021-06-17T22:46:08.000000Z"]


@pytest.mark.parametrize("broken", [{"id": "b", "q": 0}, {"v": 1}, 5, {"id": {}, "v": 1, "q": 192}])
def test_a_broken_item_is_refused(broken: object) -> None:
    document = {"timestamp": 1, "values": [{"id": "a", "v": 1, "q": 192}, broken]}
    assert refusal_of(document).code == "wrong_shape"
    assert refusal_of(vtq_of(d={})).code == "wrong_shape"
