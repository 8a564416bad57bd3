import importlib
import inspect
import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from ingest.readings import Context, Limits
from ingest.shapes import DOCUMENT_READERS, TEXT_READERS
from tests.ingest.gateways.probing import TOPIC, lines_of

REPOSITORY = Path(__file__).parents[3]
FILES = sorted((REPOSITORY / "ingest" / "gateways").glob("[!_]*.py"))
NO_FAMILIES = {"point", "series"}  # what several families share
FAMILIES = [path.stem for path in FILES if path.stem not in NO_FAMILIES]
Reader = Callable[..., Any]
READERS: list[Reader] = [*DOCUMENT_READERS, *TEXT_READERS]

# One payload of each reader, as short as it can be.
SHORTEST = {
    "aveva.read_one": '{"d": 1, "dt": 5, "ts": 1, "q": 192}',
    "aveva.read_items": '{"timestamp": 1, "values": [{"id": "a", "v": 1, "q": 192}]}',
    "cirrus.read": '{"metrics": [{"name": "a", "dataType": "Int32", "value": 1}]}',
    "cognite.read": '{"timeseriesData": [{"externalId": "a", "items": [{"value": 1}]}]}',
    "hivemq_edge.read": '{"timestamp": 1, "value": 1}',
    "iotdb.read": '{"device": "d", "timestamp": 1, "measurements": ["a"], "values": [1]}',
    "kepware.read": '{"timestamp": 1, "values": [{"id": "a", "v": 1, "q": true}]}',
    "line_protocol.read": "cpu value=1",
    "neuron.read": '{"node": "n", "group": "g", "values": {"a": 1}}',
    "opc_publisher.read": '{"NodeId": "i=1", "Value": {"Value": 1}}',
    "plain.read": '{"a": 1}',
    "sitewise.read": '{"propertyAlias": "a", "propertyValues": [{"value": {"integerValue": 1}}]}',
    "tasmota.read": '{"Time": "2026-01-01T00:00:00", "a": 1}',
    "telegraf.read": '{"name": "cpu", "fields": {"a": 1}}',
    "thingsboard.read_device": '{"ts": 1, "values": {"a": 1}}',
    "thingsboard.read_several": '[{"ts": 1, "values": {"a": 1}}]',
    "umh.read": '{"timestamp_ms": 1, "value": 1}',
    "native.read_object": '{"ts": 1, "value": 1}',
    "native.read_scalar": "1",
}


def name_of(reader: Reader) -> str:
    return f"{reader.__module__.rpartition('.')[2]}.{reader.__name__}"


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_asked_and_has_a_test(family: str) -> None:
    module = importlib.import_module(f"ingest.gateways.{family}")
    readers = [
        function
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("read") and function.__module__ == module.__name__
    ]
    assert readers
    assert all(reader in READERS for reader in readers)
    assert (Path(__file__).parent / f"test_{family}.py").exists()
    page = (REPOSITORY / "docs" / "gateways.md").read_text(encoding="utf-8")
    assert f"`{family}.py`" in page


@pytest.mark.parametrize("reader", READERS, ids=name_of)
def test_a_payload_is_read_by_the_reader_it_is_for(reader: Reader) -> None:
    payload = SHORTEST[name_of(reader)]
    (line,) = lines_of(payload)
    assert line["value"] == 1
    is_text = reader in TEXT_READERS
    sent = payload if is_text else json.loads(payload)
    context = Context(TOPIC, Limits(), UTC)
    asked = TEXT_READERS if is_text else DOCUMENT_READERS
    assert next(one for one in asked if one(sent, context) is not None) is reader


@pytest.mark.parametrize("reader", DOCUMENT_READERS, ids=name_of)
@pytest.mark.parametrize("document", [{}, [], [{}], [[]]])
def test_what_is_empty_is_nobodys(reader: Reader, document: object) -> None:
    assert reader(document, Context(TOPIC, Limits(), UTC)) is None
