import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ConfigError
from contracts.tags import Kind, Place
from ingest.topics import DEFAULT_TEMPLATE, Templates, kind_of


def place_of(path: str, *templates: str) -> Place:
    return Templates(templates or [DEFAULT_TEMPLATE]).place_of(path)


def test_a_tag_of_five_levels_fills_the_template() -> None:
    place = place_of("lyon/body/line1/press/force")
    assert place == Place("lyon", "body", "line1", "press", "force")


def test_levels_beyond_the_template_belong_to_the_metric() -> None:
    assert place_of("lyon/body/line1/press/pos/x").metric == "pos/x"


def test_a_shorter_tag_fills_from_the_left_and_its_last_level_is_the_metric() -> None:
    assert place_of("lyon/body/force") == Place("lyon", "body", metric="force")
    assert place_of("force") == Place(metric="force")


def test_another_template_moves_the_places() -> None:
    place = place_of("a/b/c/d", "{line}/{machine}/{metric}")
    assert place == Place(line="a", machine="b", metric="c/d")


def test_the_first_template_that_fits_counts() -> None:
    templates = ("plc/{line}/+/{metric}", "{site}/{area}/{line}/{metric}", "{line}/{metric}")
    assert place_of("plc/line1/db10/force", *templates) == Place(line="line1", metric="force")
    assert place_of("plc/line1/force", *templates) == Place(line="plc", metric="line1/force")
    assert place_of("a/b/c/d/e", *templates) == Place("a", "b", "c", metric="d/e")
    assert place_of("force", *templates) == Place(metric="force")


def test_a_name_may_be_missing_or_take_several_levels() -> None:
    template = "v2/{site}/{area?}/{line}/{machine*}/data-*/{metric}"
    assert place_of("v2/s/l/data-1/m", template) == Place("s", line="l", metric="m")
    assert place_of("v2/s/a/l/data-1/m", template) == Place("s", "a", "l", metric="m")
    assert place_of("v2/s/a/l/x/y/z/data-1/m/n", template) == Place("s", "a", "l", "x/y/z", "m/n")
    assert place_of("v2/s/l/data/m", template) == Place(metric="v2/s/l/data/m")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("umh/v1/acme/_historian/cnc-mill/pos/x", Place(metric="cnc-mill/pos/x")),
        ("umh/v1/acme/lyon/_pump_v1/inlet/p", Place("lyon", metric="inlet/p")),
        ("umh/v1/acme/lyon/body/l1/_raw/DB1.DW20", Place("lyon", "body", "l1", None, "DB1.DW20")),
        (
            "umh/v1/acme/lyon/body/l1/c2/_historian/_x/_y",
            Place("lyon", "body", "l1", "c2", "_x/_y"),
        ),
        (
            "umh/v1/acme/lyon/body/l1/c2/plc1/_historian/force",
            Place("lyon", "body", "l1", "c2/plc1", "force"),
        ),
        ("spBv1.0/Dresden/DDATA/Node/Dev/in/1", Place("Dresden", None, "Node", "Dev", "in/1")),
        ("spBv1.0/Dresden/NBIRTH/Dora/D/in/1", Place("Dresden", None, "Dora", None, "D/in/1")),
    ],
)
def test_umh_and_sparkplug_need_no_template(path: str, place: Place) -> None:
    assert place_of(path) == place
    assert place_of(path, "{line}/{metric}") == place


def test_an_own_template_for_umh_comes_before_the_one_that_is_built_in() -> None:
    template = "umh/v1/{site}/_historian/{machine}/{metric}"
    place = place_of("umh/v1/acme/_historian/cnc-mill/force", template, DEFAULT_TEMPLATE)
    assert place == Place("acme", machine="cnc-mill", metric="force")


@given(st.text(alphabet="ab/. \u00e9\n", max_size=30))
def test_a_place_has_every_level_of_the_tag_in_order(tag: str) -> None:
    place = place_of(tag)
    levels = [place.site, place.area, place.line, place.machine, place.metric]
    assert "/".join(level for level in levels if level is not None) == tag


@given(
    st.lists(st.sampled_from(["{site?}", "{area*}", "{line}", "+", "a", "*b", "_*"]), unique=True),
    st.text(alphabet="ab/_", max_size=40),
)
def test_whatever_the_templates_a_tag_has_a_metric(levels: list[str], tag: str) -> None:
    assert place_of(tag, "/".join([*levels, "{metric}"])).metric is not None


@pytest.mark.parametrize(
    "template",
    [
        "",
        "x",
        "{site}",
        "{metric}/{site}",
        "{metric}/{metric}",
        "{plant}/{metric}",
        "{site}/{site?}/{metric}",
        "{site}/{metric?}",
        "{site}//{metric}",
        "{site}/#/{metric}",
        "{site/{metric}",
        "a+/{metric}",
        "{line}s/{metric}",
    ],
)
def test_a_template_that_cannot_be_read_is_the_users_fault(template: str) -> None:
    with pytest.raises(ConfigError, match=r"the template .* cannot be read: .*; write levels like"):
        Templates([template])


@pytest.mark.parametrize(
    ("metric", "kind"),
    [
        ("good_count", Kind.COUNTER),
        ("partcount", Kind.COUNTER),
        ("ENERGY/Total", Kind.COUNTER),
        ("active_energy", Kind.COUNTER),
        ("energy_kWh", Kind.COUNTER),
        ("consumption_kwh", Kind.COUNTER),
        ("scrap_kg", Kind.COUNTER),
        ("usage_kwh", Kind.COUNTER),
        ("wip", Kind.INVENTORY),
        ("runState", Kind.STATE),
        ("machine-status", Kind.STATE),
        ("mode", Kind.STATE),
        ("vibration_raw", Kind.WAVEFORM),
        ("motor/waveform", Kind.WAVEFORM),
        ("vibration", Kind.GAUGE),
        ("energy_price", Kind.GAUGE),
        ("raw", Kind.GAUGE),
        ("temperature", Kind.GAUGE),
        ("count/temperature", Kind.GAUGE),
        ("", Kind.GAUGE),
        ("温度", Kind.GAUGE),
    ],
)
def test_the_last_word_of_a_metric_tells_its_kind(metric: str, kind: Kind) -> None:
    assert kind_of(metric) is kind
