"""A payload of a family with anything at some place of it is read or refused."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import decode
from ingest.probe import probe_lines
from ingest.readings import Decoded, Refusal
from tests.ingest.gateways.probing import TOPIC
from tests.ingest.gateways.test_any_document import NAMES, SCALARS, documents
from tests.ingest.gateways.test_registry import SHORTEST

ALL_NAMES = sorted({name for names in NAMES.values() for name in names})
SEEDS = [json.loads(payload) for payload in SHORTEST.values() if payload[0] in "{["]
TOPICS = [TOPIC, "v1/devices/me/telemetry", "v1/gateway/telemetry", "spBv1.0/G/DDATA/E/D"]
ANYTHING = SCALARS | documents(ALL_NAMES)


def places_of(document: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    """Give each container with each of its keys or indices."""
    if isinstance(document, dict | list):
        for key in list(document) if isinstance(document, dict) else range(len(document)):
            yield document, key
            yield from places_of(document[key])


@given(seed=st.sampled_from(SEEDS), topic=st.sampled_from(TOPICS), data=st.data())
def test_a_payload_with_anything_in_it_is_read_or_refused(
    seed: object, topic: str, data: st.DataObject
) -> None:
    document = json.loads(json.dumps(seed))
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(places_of(document))))
        container[key] = data.draw(ANYTHING)
        if isinstance(container, dict) and data.draw(st.booleans()):
            container[data.draw(st.sampled_from(ALL_NAMES))] = data.draw(ANYTHING)
    outcome = decode(topic, json.dumps(document).encode())
    assert isinstance(outcome, Decoded | Refusal)
    lines = probe_lines(outcome)
    assert lines
    json.dumps(lines, allow_nan=False).encode()


@pytest.mark.parametrize("tags", [5, {}, "a", True])
def test_a_field_beside_those_that_make_the_shape_may_be_of_any_type(tags: object) -> None:
    payload = {"node": "n", "group": "g", "values": {"a": 1}, "tags": tags}
    outcome = decode(TOPIC, json.dumps(payload).encode())
    assert isinstance(outcome, Refusal)
    assert outcome.code == "wrong_shape"
