from typing import Any

import pytest

from tests.ingest.gateways.probing import found_in, lines_of, refusal_of


def series_of(**item: object) -> dict[str, Any]:
    items = [{"timestamp": 1676550645000, **item}]
    return {"timeseriesData": [{"externalId": "pump/rpm", "items": items}]}


def test_a_series_has_its_external_id_as_its_name() -> None:
    assert found_in(series_of(value="on")) == [("pump/rpm", "on", "GOOD")]
    (line,) = lines_of(series_of(value=1))
    assert line["source_time"] == "2023-02-16T12:30:45.000000Z"


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ({"id": 5}, "5"),
        ({"instanceId": {"space": "plant", "externalId": "rpm"}}, "plant/rpm"),
    ],
)
def test_a_series_may_be_named_by_its_id_or_instance(
    identity: dict[str, object], name: str
) -> None:
    items = [{"timestamp": 1, "value": 2}]
    ((found, _, _),) = found_in({"timeseriesData": [{**identity, "items": items}]})
    assert found == name


@pytest.mark.parametrize(
    ("status", "quality"),
    [
        ({"code": 0}, "GOOD"),
        ({"code": 1073741824, "symbol": "Uncertain"}, "UNCERTAIN"),
        ({"symbol": "BadSensorFailure"}, "BAD"),
    ],
)
def test_the_status_is_one_of_opc_ua(status: object, quality: str) -> None:
    assert found_in(series_of(value=1, status=status)) == [("pump/rpm", 1, quality)]


@pytest.mark.parametrize(
    "broken",
    [
        {"externalId": "a", "items": [{"timestamp": 1}]},
        {"externalId": "a", "items": {}},
        {"externalId": "", "items": [{"value": 1}]},
        {"items": [{"value": 1}]},
        7,
    ],
)
def test_a_broken_series_is_refused(broken: object) -> None:
    assert refusal_of({"timeseriesData": [broken]}).code == "wrong_shape"
    assert refusal_of({"timeseriesData": []}).code == "wrong_shape"
