import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import ConfigError
from contracts.tags import Kind, Place
from ingest.topics import kind_of, place_of


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


@given(st.text(alphabet="ab/. \u00e9", max_size=30))
def test_a_place_has_every_level_of_the_tag_in_order(tag: str) -> None:
    place = place_of(tag)
    levels = [place.site, place.area, place.line, place.machine, place.metric]
    assert "/".join(level for level in levels if level is not None) == tag


@pytest.mark.parametrize(
    "template", ["", "{site}", "{metric}/{site}", "{plant}/{metric}", "{site}/{site}/{metric}", "x"]
)
def test_a_template_that_cannot_be_read_is_the_users_fault(template: str) -> None:
    with pytest.raises(ConfigError, match="template"):
        place_of("a/b", template)


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
