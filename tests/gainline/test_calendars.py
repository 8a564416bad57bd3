"""The calendar of a site, from the configuration."""

from datetime import date
from pathlib import Path

import pytest

from analytics.shifts import spells
from contracts.errors import ConfigError
from gainline.config.calendars import calendar_of, check_calendars
from gainline.config.loading import Settings, load

TEXT = """
[ingest]
zone = "Europe/Paris"
[[calendar]]
site = "lyon"
shifts = [
    { name = "early", start = "06:00", end = "14:00", days = ["mon"] },
    { name = "night", start = "22:00", end = "06:00" },
]
breaks = [{ start = "10:00", end = "10:30" }]
holidays = [2026-03-09]
maintenance = [{ begins = 2026-03-02T13:00:00, ends = 2026-03-02T13:00:00Z }]
[[calendar]]
site = "s*"
zone = "Asia/Shanghai"
shifts = [{ name = "day", start = "08:00", end = "20:00" }]
"""


def settings_of(folder: Path, text: str) -> Settings:
    path = folder / "gainline.toml"
    path.write_text(text)
    return load(path, environment={})


def test_each_site_has_the_first_calendar_that_matches_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, TEXT)
    monday = date(2026, 3, 2)
    lyon = list(spells(calendar_of(settings, "lyon"), monday, monday))
    assert [(one.shift, one.kind, one.seconds / 3600) for one in lyon] == [
        ("early", "work", 4),
        ("early", "break", 0.5),
        ("early", "work", 2.5),
        ("early", "maintenance", 1),  # from 13:00 in Paris to 13:00 UTC
        (None, "off", 8),
        ("night", "work", 8),
    ]
    assert calendar_of(settings, "suzhou").zone.key == "Asia/Shanghai"
    assert [one.name for one in calendar_of(settings, None).shifts] == ["all day"]
    assert calendar_of(settings, None).zone.key == "Europe/Paris"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"06:00", end = "14:00"', '"6", end = "14:00"', "06:30"),
        ('end = "14:00"', 'end = "23:00"', "early and night overlap"),
        ("Asia/Shanghai", "Asia/Shanghei", "calendar.zone: no time zone"),
        ("13:00:00Z", "10:00:00Z", "end it later"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused_with_its_fix(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        check_calendars(settings_of(tmp_path, TEXT.replace(old, new)))
