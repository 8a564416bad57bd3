import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.quality import Quality
from ingest.readings import Decoded, Limits, Reading, Refusal
from ingest.sparkplug import births as births_module
from ingest.sparkplug.births import Births, Born, Definition, EdgeNode
from ingest.sparkplug.host import Outcome, read
from ingest.sparkplug.payload import _Payload

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "data" / "payloads" / "sparkplug"
MS = 1_767_225_600_000
INT8, INT32, UINT32, FLOAT, STRING = 1, 3, 7, 9, 12


def payload_of(*metrics: dict[str, Any], seq: int | None = 0, ms: int | None = MS) -> bytes:
    message = _Payload(seq=seq, timestamp=ms)
    for metric in metrics:
        message.metrics.add(**metric)
    return bytes(message.SerializeToString())


def bd_seq(number: int) -> dict[str, Any]:
    return {"name": "bdSeq", "datatype": 8, "long_value": number}


class Host:
    """Reads messages one after the other, as a commit does."""

    def __init__(self) -> None:
        self.births = Births()

    def read(self, topic: str, payload: bytes, *, received_us: int = 7) -> Outcome:
        outcome = read(
            f"spBv1.0/{topic}", payload, self.births, received_us=received_us, limits=Limits()
        )
        if outcome.node_name:
            self.births.note(outcome.node_name, outcome.node)
        return outcome

    def readings(self, topic: str, payload: bytes) -> list[Reading]:
        decoded = self.read(topic, payload).decoded
        assert isinstance(decoded, Decoded), decoded
        return list(decoded.readings)

    def refusal(self, topic: str, payload: bytes) -> Refusal:
        decoded = self.read(topic, payload).decoded
        assert isinstance(decoded, Refusal), decoded
        return decoded


def born_host() -> Host:
    host = Host()
    host.read(
        "G/NBIRTH/N",
        payload_of(
            bd_seq(3),
            {"name": "t", "alias": 1, "datatype": FLOAT, "float_value": 1},
            {"name": "offset", "alias": 2, "datatype": INT32, "int_value": 2**32 - 12},
        ),
    )
    host.read(
        "G/DBIRTH/N/D",
        payload_of({"name": "v", "alias": 3, "datatype": INT8, "int_value": 1}, seq=1),
    )
    return host


def test_a_tag_is_group_node_device_and_metric_without_the_verb() -> None:
    host = born_host()
    outcome = host.read("G/DDATA/N/D", payload_of({"alias": 3, "int_value": 2**32 - 2}, seq=2))
    decoded = outcome.decoded
    assert isinstance(decoded, Decoded)
    assert (decoded.topic, decoded.gateway) == ("G/N/D", "G/N")
    assert (decoded.epoch, decoded.seq) == ("3", 2)
    assert [(one.name, one.value, one.time_us) for one in decoded.readings] == [
        ("v", -2, MS * 1000)
    ]


def test_an_alias_or_a_sign_that_no_birth_has_explained_is_not_guessed() -> None:
    for metric in ({"alias": 1, "float_value": 1}, {"name": "n", "int_value": 5}):
        refusal = Host().refusal("G/NDATA/N", payload_of(metric))
        assert refusal.code == "no_birth"
        assert refusal.gateway == "G/N"
    assert Host().readings("G/NDATA/N", payload_of({"name": "n", "float_value": 0.5}))


def test_a_birth_of_the_node_makes_the_births_of_its_devices_void() -> None:
    host = born_host()
    host.read("G/NBIRTH/N", payload_of(bd_seq(4), {"name": "t", "datatype": FLOAT}))
    assert host.refusal("G/DDATA/N/D", payload_of({"alias": 3, "int_value": 1})).code == "no_birth"


def test_the_death_of_a_node_makes_all_its_metrics_stale_when_the_host_hears_of_it() -> None:
    host = born_host()
    dead = host.read("G/NDEATH/N", payload_of(bd_seq(3), seq=None), received_us=99).decoded
    assert isinstance(dead, Decoded)
    assert [(one.name, one.time_us, one.value, one.status) for one in dead.readings] == [
        ("t", 99, None, "STALE"),
        ("offset", 99, None, "STALE"),
        ("D/v", 99, None, "STALE"),
    ]
    assert {one.quality for one in dead.readings} == {Quality.BAD}
    assert host.refusal("G/NDATA/N", payload_of({"alias": 1, "float_value": 1})).code == "no_birth"


def test_the_death_of_an_earlier_session_changes_nothing() -> None:
    host = born_host()
    assert host.readings("G/NDEATH/N", payload_of(bd_seq(2), seq=None)) == []
    assert host.readings("G/NDATA/N", payload_of({"alias": 1, "float_value": 1}))


def test_the_death_of_a_device_makes_its_metrics_stale_at_the_time_of_the_payload() -> None:
    host = born_host()
    stale = host.readings("G/DDEATH/N/D", payload_of(seq=3))
    assert [(one.name, one.time_us, one.status) for one in stale] == [("v", MS * 1000, "STALE")]
    assert host.readings("G/DDEATH/N/D", payload_of(seq=4)) == []
    assert host.readings("G/NDATA/N", payload_of({"alias": 1, "float_value": 1}))


def test_commands_and_host_states_have_no_readings() -> None:
    for topic in ("STATE/host", "G/NCMD/N", "G/DCMD/N/D"):
        assert Host().readings(topic, b'{"online": true, "timestamp": 1}') == []


def test_arrays_data_sets_and_templates_become_levels_of_the_tag() -> None:
    host = Host()
    packed = np.array([-1, 2], "<i2").tobytes()
    dataset = {
        "columns": ["a", "b"],
        "types": [INT32, STRING],
        "rows": [{"elements": [{"int_value": 2**32 - 1}, {"string_value": "x"}]}],
    }
    template = {"metrics": [{"name": "x", "datatype": FLOAT, "float_value": 2}]}
    found = host.readings(
        "G/NBIRTH/N",
        payload_of(
            {"name": "w", "datatype": 23, "bytes_value": packed},
            {"name": "s", "datatype": 33, "bytes_value": b"A\0B\0"},
            {"name": "d", "datatype": 16, "dataset_value": dataset},
            {"name": "p", "datatype": 19, "template_value": template},
            {"name": "f", "datatype": 17, "bytes_value": b"\0\1"},
        ),
    )
    assert [(one.name, one.value if one.text is None else one.text) for one in found] == [
        ("w/0", -1),
        ("w/1", 2),
        ("s/0", "A"),
        ("s/1", "B"),
        ("d/a/0", -1),
        ("d/b/0", "x"),
        ("p/x", 2),
        ("f", None),
    ]


@pytest.mark.parametrize(
    "metric",
    [
        {"name": "w", "datatype": 24, "bytes_value": b"123"},
        {"name": "b", "datatype": 32, "bytes_value": b"\xff\xff\xff\xff1"},
        {
            "name": "d",
            "datatype": 16,
            "dataset_value": {"columns": ["a"], "types": [INT32], "rows": [{"elements": []}]},
        },
    ],
)
def test_a_broken_value_makes_a_dead_letter(metric: dict[str, Any]) -> None:
    assert Host().refusal("G/NBIRTH/N", payload_of(metric)).code == "sparkplug"


def test_what_is_transient_is_not_stored_and_what_is_historical_is() -> None:
    found = Host().readings(
        "G/NDATA/N",
        payload_of(
            {"name": "a", "datatype": FLOAT, "float_value": 1, "is_transient": True},
            {"name": "b", "datatype": FLOAT, "float_value": 2, "is_historical": True},
        ),
    )
    assert [one.name for one in found] == ["b"]


def test_more_than_the_limits_is_refused() -> None:
    many = [{"name": f"m{number}", "datatype": FLOAT, "float_value": 1} for number in range(1001)]
    assert Host().refusal("G/NBIRTH/N", payload_of(*many)).code == "too_big"
    assert Host().refusal("G/NBIRTH/N", bytes(2 << 20)).code == "too_big"


@pytest.mark.parametrize(
    "topic", ["G/XDATA/N", "G/NDATA", "G/NDATA/N/D", "G/DDATA/N", "G/NDATA/N/D/E", "G//N", ""]
)
def test_a_topic_that_is_none_of_sparkplugs_is_refused(topic: str) -> None:
    assert Host().refusal(topic, payload_of()).code == "sparkplug"


@given(st.binary(max_size=200), st.sampled_from(["NBIRTH", "NDATA", "NDEATH"]))
def test_no_bytes_raise(payload: bytes, verb: str) -> None:
    assert isinstance(born_host().read(f"G/{verb}/N", payload).decoded, (Decoded, Refusal))


@given(st.integers(0, 60), st.binary(max_size=8))
def test_no_damaged_birth_raises(at: int, put: bytes) -> None:
    whole = payload_of(bd_seq(1), {"name": "t", "datatype": FLOAT, "float_value": 1, "alias": 4})
    damaged = whole[:at] + put + whole[at + 1 :]
    assert isinstance(Host().read("G/NBIRTH/N", damaged).decoded, (Decoded, Refusal))


definitions = st.builds(
    Definition, st.text(max_size=5), st.integers(0, 34), st.none() | st.integers(0, 2**63)
)
borns = st.builds(Born, st.lists(definitions, max_size=3).map(tuple))
nodes = st.builds(
    EdgeNode,
    st.none() | st.integers(0, 255),
    borns,
    st.lists(st.tuples(st.text(max_size=3), borns), max_size=2).map(tuple),
)


@given(st.dictionaries(st.text(max_size=5), nodes, max_size=4))
def test_births_remember_the_same_after_a_restart(known: dict[str, EdgeNode]) -> None:
    births = Births()
    for name, node in known.items():
        births.note(name, node)
    again = Births.load(births.dump())
    assert {name: again.node(name) for name in known} == known
    assert again.dump() == births.dump()
    assert Births.load(b"").dump() == Births().dump()


def test_the_oldest_births_are_forgotten_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(births_module, "DEFINITIONS_MAX", 2)
    births = Births()
    for name in "abc":
        births.note(name, EdgeNode(1, Born((Definition("m", FLOAT, None),))))
    births.note("a", EdgeNode(2, Born((Definition("m", FLOAT, None),))))
    births.forget()
    assert [births.node(name) is None for name in "abc"] == [False, True, False]


def test_the_examples_of_the_specification_are_read() -> None:
    if not EXAMPLES.exists():
        pytest.skip("the Sparkplug examples of ../shared are not there")
    lines = (EXAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    for case in map(json.loads, lines):
        host = Host()
        for message in case.get("before", []):
            host.read(message["topic"][8:], (EXAMPLES / message["file"]).read_bytes())
        found = host.readings(case["topic"][8:], (EXAMPLES / case["file"]).read_bytes())
        for one in case["expect"][0].get("readings", []):
            if not one.get("optional"):
                metric = one["tag_suffix"].split("/", 1 + ("dev1/" in one["tag_suffix"]))[-1]
                (reading,) = [each for each in found if each.name == metric]
                assert (reading.value, reading.text) == (one["value"], one["text"]), case["id"]
