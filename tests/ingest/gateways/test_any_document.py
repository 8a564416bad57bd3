"""Whatever holds the names of the families, in whatever shape, is read or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decode import decode
from ingest.probe import probe_lines
from ingest.readings import Decoded, Refusal

NAMES = {
    "umh": ["timestamp_ms", "value", "pos"],
    "telegraf": ["metrics", "fields", "name", "tags", "timestamp"],
    "neuron": [
        *("timestamp", "node", "group", "values", "errors", "metas", "tags", "name", "value"),
        *("error", "uuid", "id", "node_name", "group_config_name"),
    ],
    "kepware": ["values", "id", "v", "q", "t", "tagname", "value", "timestamp"],
    "tasmota": ["Time", "Epoch", "StatusSNS", "StatusSTS", "ENERGY"],
    "sitewise": [
        *("entries", "propertyAlias", "propertyValues", "value", "timestamp", "quality", "values"),
        *("timeInSeconds", "offsetInNanos", "integerValue", "nullValue", "type", "payload"),
    ],
    "cognite": ["timeseriesData", "externalId", "items", "timestamp", "value", "status", "code"],
    "aveva": ["d", "dt", "ts", "q", "values", "id", "v", "t", "timestamp"],
    "thingsboard": ["ts", "values", "Device A", "a"],
    "hivemq_edge": ["value", "timestamp", "tagName", "samples", "tagValue", "status", "code"],
    "iotdb": ["device", "timestamp", "timestamps", "measurements", "values"],
    "cirrus": [
        *("topic", "payload", "groupId", "metrics", "name", "dataType", "value", "timestamp"),
        *("properties", "Quality", "isNull", "alias"),
    ],
    "opc_publisher": [
        *("MessageType", "Messages", "DataSetWriterName", "Payload", "Value", "StatusCode", "Code"),
        *("Status", "Timestamp", "SourceTimestamp", "NodeId", "EndpointUrl", "Body", "Type"),
    ],
    "plain": ["value", "raw", "pre", "error", "rate", "timestamp", "time", "t", "a", ""],
}
TIMES = st.sampled_from([1_767_225_600, 1_767_225_600_000.5, "2026-01-01T00:00:00", "12:00", 0])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | TIMES


def documents(names: list[str]) -> st.SearchStrategy[object]:
    return st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner),
        max_leaves=16,
    )


@pytest.mark.parametrize("family", NAMES)
@settings(deadline=None, max_examples=50)  # the first call imports
@given(data=st.data())
def test_a_document_of_a_family_is_read_or_refused(family: str, data: st.DataObject) -> None:
    document = data.draw(documents(NAMES[family]))
    outcome = decode("lyon/line1/press", json.dumps(document).encode())
    assert isinstance(outcome, Decoded | Refusal)
    lines = probe_lines(outcome)
    assert lines
    json.dumps(lines, allow_nan=False).encode()
