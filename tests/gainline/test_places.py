from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from contracts.tags import Kind, Place, Tag, TagRule
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.places import renewed, tag_maker
from gainline.config.sections import IngestSection, StoreSection, TagSection
from gainline.flow import Intake
from ingest.blocks import Received
from ingest.sources import Sources
from store.query import fetch
from tests.ingest.test_sparkplug import bd_seq, payload_of

NOW_US = 1_767_225_600_000_000


def made(tag: str, *sections: TagSection, path: str | None = None) -> Tag:
    return tag_maker(Settings(tags=sections))(tag, path)


def test_a_tag_gets_its_place_from_the_templates_and_its_kind_from_its_name() -> None:
    tag = made("lyon/body/line1/press/good_count")
    place = Place("lyon", "body", "line1", "press", "good_count")
    assert tag == Tag("lyon/body/line1/press/good_count", place, None, Kind.COUNTER)


def test_of_each_key_the_first_match_that_has_it_counts() -> None:
    tag = made(
        "g/n/x1",
        TagSection(pattern="g/*", site="lyon", area=""),
        TagSection(pattern="*/x1", unit="bar", metric="oil_total", site="paris"),
        TagSection(pattern="*", unit="K", kind="state"),
    )
    assert tag.place == Place("lyon", None, None, None, "oil_total")
    assert (tag.unit, tag.kind) == ("bar", Kind.STATE)


def test_a_metric_of_another_name_has_the_kind_of_that_name() -> None:
    assert made("a/DB1", TagSection(pattern="*", metric="good_count")).kind is Kind.COUNTER


def test_a_place_is_read_from_the_path_where_the_tag_is_another() -> None:
    tag = made("g/n/d/in/1", path="spBv1.0/g/DDATA/n/d/in/1")
    assert tag.place == Place("g", None, "n", "d", "in/1")
    assert tag.tag == "g/n/d/in/1"


def test_the_judge_is_told_each_key_by_the_first_match_and_the_kind_that_was_set_by_hand() -> None:
    settings = Settings(
        tags=(
            TagSection(pattern="a/*", unit="K"),
            TagSection(pattern="*/t", low=0.0),
            TagSection(pattern="*", high=9.0, sentinels=(5.0,), kind="counter"),
        )
    )
    tag = replace(tag_maker(settings)("a/t", None), kind=Kind.STATE)
    line = ("a/state",)
    rule = wiring.rule_for(settings)
    assert rule("a/t") == TagRule(Kind.COUNTER, 0.0, 9.0, (5.0,), machine_states=line)
    assert rule("a/u") == TagRule(Kind.COUNTER, None, 9.0, (5.0,), machine_states=line)
    assert wiring.rule_for(settings, {"a/t": tag})("a/t").kind is Kind.COUNTER
    by_hand = {"a/t": replace(tag, edited=frozenset({"kind"}))}
    assert wiring.rule_for(settings, by_hand)("a/t").kind is Kind.STATE


def test_every_key_for_the_judge_reaches_it() -> None:
    settings = Settings(
        tags=(
            TagSection(
                pattern="a/t1",
                rate_max=2.0,
                rollover=100.0,
                states=(0.0, 1.0),
                rest=(4.0,),
                neighbours=("a/t2", "a/t1"),
                neighbour_tolerance=0.5,
                machine_state="a/running",
                smooth=True,
            ),
        )
    )
    rule = wiring.rule_for(settings)
    assert rule("a/t1") == TagRule(
        rate_max=2.0,
        rollover=100.0,
        states=(0.0, 1.0),
        rest=(4.0,),
        neighbours=("a/t2",),
        neighbour_tolerance=0.5,
        machine_states=("a/running",),
        is_neighbour=True,
        is_smoothed=True,
        learns_kind=True,
    )
    assert rule("a/t2").is_neighbour
    assert rule("a/running").tells_state


def test_the_state_of_a_machine_and_its_line_is_context_without_being_told() -> None:
    rule = wiring.rule_for(Settings())
    names = ("lyon/body/line1/press/state", "lyon/body/line1/state")
    assert rule("lyon/body/line1/press/power_kw").machine_states == names
    assert all(rule(name).tells_state for name in names)
    assert rule("lyon/body/line1/press/state").machine_states == ()


def test_what_arrives_in_another_unit_is_converted_for_the_judge() -> None:
    section = TagSection(pattern="*/t", unit="degC", source_unit="degF", high=150.0)
    rule = wiring.rule_for(Settings(tags=(TagSection(pattern="*", unit="K"), section)))
    assert rule("a/t").factor * 212.0 + rule("a/t").offset == pytest.approx(100.0)
    assert (rule("a/u").factor, rule("a/u").offset) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("unit", "source_unit", "words"),
    [
        (None, "degF", "say beside it with `unit`"),
        ("bar", "degC", "'degC' cannot be converted into 'bar'"),
        ("degC", "Fahrenhight", "the unit 'Fahrenhight' is not known"),
        ("degC", "3 degF", "the unit '3 degF' is not known"),
    ],
)
def test_a_unit_that_cannot_be_converted_is_refused(
    unit: str | None, source_unit: str, words: str
) -> None:
    settings = Settings(tags=(TagSection(pattern="*/t", unit=unit, source_unit=source_unit),))
    with pytest.raises(ConfigError, match=re.escape(words)):
        wiring.rule_for(settings)


def test_limits_that_allow_no_value_are_refused() -> None:
    settings = Settings(tags=(TagSection(pattern="*/t", low=9.0, high=1.0),))
    with pytest.raises(ConfigError, match=r"'\*/t' is above its high.*swap them"):
        wiring.rule_for(settings)


def test_what_was_set_by_hand_is_not_renewed() -> None:
    known = Tag("a/b", Place(line="own", metric="b"), "K", Kind.STATE, edited=frozenset({"line"}))
    make = tag_maker(Settings(tags=(TagSection(pattern="*", line="l1", unit="bar"),)))
    (tag,) = renewed({"a/b": known}, make)
    assert tag == Tag(
        "a/b", Place("a", None, "own", None, "b"), "bar", Kind.GAUGE, edited=frozenset({"line"})
    )
    assert renewed({"a/b": tag}, make) == []


@pytest.mark.parametrize(
    ("topic", "zone"),
    [
        ("lyon/body/line1/press", "Europe/Paris"),
        ("lyon", "Europe/Paris"),
        ("umh/v1/acme/lyon/_historian/t", "Europe/Paris"),
        ("austin/oven/1", "America/Chicago"),
        ("austin/press/1", "Australia/Lord_Howe"),
        ("press/lyon/1", "Australia/Lord_Howe"),
    ],
)
def test_a_zone_goes_by_site_or_pattern(topic: str, zone: str) -> None:
    zones = {"lyon": "Europe/Paris", "austin/oven/*": "America/Chicago", "austin/oven/1": "UTC"}
    ingest = IngestSection(zone="Australia/Lord_Howe", zones=zones)
    found = wiring.rules(Settings(ingest=ingest)).zone_of(topic)
    assert str(found) == zone


def store(settings: Settings, *messages: tuple[str, bytes]) -> None:
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=lake.ingest_progress().position) as journal,
    ):
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        if messages:
            journal.append([Received(*one, NOW_US, retained=False) for one in messages])
        intake.store_new()


def store_one(settings: Settings, seq: int, ts: object, topic: str = "lyon/l/m/oven") -> None:
    sent = {"gateway": "g", "epoch": "e", "seq": seq, "ts": ts, "temperature": 1.5}
    store(settings, (topic, json.dumps(sent).encode()))


def settings_in(folder: Path, *tags: TagSection, **ingest: dict[str, str]) -> Settings:
    store = StoreSection(folder=str(folder / "store"))
    return Settings(store=store, tags=tags, ingest=IngestSection(**ingest))


def test_a_change_of_the_configuration_reaches_the_catalogue_at_the_next_start(
    tmp_path: Path,
) -> None:
    store_one(settings_in(tmp_path), 0, 1_767_225_600)
    unit = TagSection(pattern="*/temperature", unit="degC", line="line1")
    store_one(settings_in(tmp_path, unit), 1, 1_767_225_601)
    store_one(settings_in(tmp_path, unit), 2, 1_767_225_602)
    asked = "SELECT tag, site, line, unit, kind FROM tags"
    (tag,) = fetch(tmp_path / "store", asked).to_pylist()
    assert tag == {
        "tag": "lyon/l/m/oven/temperature",
        "site": "lyon",
        "line": "line1",
        "unit": "degC",
        "kind": "gauge",
    }
    entries = fetch(tmp_path / "store", "SELECT count(*) AS n FROM house.tag_entries")
    assert entries["n"].to_pylist() == [2]


def test_a_local_time_is_stored_by_the_clocks_of_its_site(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, zones={"lyon": "Europe/Paris"})
    store_one(settings, 0, "2025-12-01T12:00:00")
    store_one(settings, 1, "2025-10-26T02:30:00")
    store_one(settings, 2, "2025-12-01T12:00:00", topic="oslo/l/m/oven")
    rows = fetch(
        tmp_path / "store", "SELECT source_time, source_reasons FROM raw.readings ORDER BY seq"
    ).to_pylist()
    assert [(row["source_time"], row["source_reasons"] != 0) for row in rows] == [
        (datetime(2025, 12, 1, 11, tzinfo=UTC), False),
        (datetime(2025, 10, 26, 0, 30, tzinfo=UTC), True),
        (datetime(2025, 12, 1, 12, tzinfo=UTC), False),
    ]


def test_a_sparkplug_tag_is_placed_by_its_topic_also_after_a_change(tmp_path: Path) -> None:
    def born(name: str) -> bytes:
        return payload_of(bd_seq(1), {"name": name, "datatype": 9, "float_value": 1.0})

    node = ("spBv1.0/Lyon/NBIRTH/Line 1", born("in/1"))
    device = ("spBv1.0/Lyon/DBIRTH/Line 1/Press", born("in/1"))
    store(settings_in(tmp_path), node, device)
    asked = "SELECT tag, site, line, machine, metric, unit FROM tags WHERE metric = 'in/1'"
    placed = [
        {"tag": "Lyon/Line 1/Press/in/1", "machine": "Press"},
        {"tag": "Lyon/Line 1/in/1", "machine": None},
    ]
    for unit in (None, "bar"):
        store(settings_in(tmp_path, TagSection(pattern="Lyon/*", unit=unit)))
        rows = fetch(tmp_path / "store", f"{asked} ORDER BY tag").to_pylist()
        same = {"site": "Lyon", "line": "Line 1", "metric": "in/1", "unit": unit}
        assert rows == [same | tag for tag in placed]


def test_a_name_only_hints_at_a_gauge_or_a_counter() -> None:
    rule = wiring.rule_for(Settings(tags=(TagSection(pattern="*/meter_kwh", kind="counter"),)))
    names = ["a/force", "a/usage_kwh", "a/meter_kwh", "a/mode"]
    assert [rule(name).learns_kind for name in names] == [True, True, False, False]
