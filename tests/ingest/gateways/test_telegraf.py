from typing import Any

import pytest

from tests.ingest.gateways.probing import refusal_of, times_of, values_of

SECONDS = 1_458_229_140
TIME = "2016-03-17T15:39:00.000000Z"


def metric(name: str = "docker", **tags: str) -> dict[str, Any]:
    return {"name": name, "fields": {"n": 660}, "tags": tags, "timestamp": SECONDS}


def test_the_measurement_comes_before_the_field() -> None:
    sent = {**metric(), "fields": {"n": 660, "state": "up", "ok": True}}
    assert values_of(sent) == {"docker/n": 660, "docker/state": "up", "docker/ok": 1}
    assert times_of(sent) == {TIME}


def test_a_host_that_the_topic_names_is_no_level() -> None:
    assert values_of(metric(host="raynor"), "telegraf/raynor/docker") == {"docker/n": 660}
    assert values_of(metric(host="ray"), "telegraf/raynor/docker") == {"host=ray/docker/n": 660}


@pytest.mark.parametrize("wrap", [list, lambda metrics: {"metrics": metrics}])
def test_series_that_differ_in_a_tag_alone_have_tags_of_their_own(wrap: Any) -> None:  # noqa: ANN401
    batch = wrap([metric("cpu", cpu="cpu0", host="a"), metric("cpu", host="a", cpu="cpu1")])
    assert values_of(batch, "telegraf/a") == {"cpu=cpu0/cpu/n": 660, "cpu=cpu1/cpu/n": 660}
    alone = metric("cpu", cpu="cpu0", host="a")
    assert values_of(alone, "telegraf/a") == {"cpu=cpu0/cpu/n": 660}


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_the_unit_of_the_time_is_known_by_magnitude(unit: int) -> None:
    assert times_of({**metric(), "timestamp": SECONDS * unit}) == {TIME}


def test_a_metric_may_have_no_tags_and_no_time_and_nested_fields() -> None:
    sent = {"name": "m", "fields": {"a": {"b": [1, 2]}}}
    assert values_of(sent) == {"m/a/b/0": 1, "m/a/b/1": 2}
    assert times_of(sent) == {None}


@pytest.mark.parametrize("broken", [5, {}, {"name": "m"}, {**metric(), "fields": [1]}])
def test_a_batch_with_a_broken_metric_is_refused_whole(broken: object) -> None:
    assert refusal_of({"metrics": [metric(), broken]}).code == "wrong_shape"


def test_a_metric_without_values_is_refused() -> None:
    assert refusal_of({**metric(), "fields": {}}).code == "wrong_shape"


def test_another_object_with_fields_is_not_telegrafs() -> None:
    assert values_of({"fields": 4, "name": "hop"}) == {"fields": 4, "name": "hop"}
