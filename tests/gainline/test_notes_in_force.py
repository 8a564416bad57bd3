"""Notes in the place of the configuration: in calendars, prices, upgrades, and in a report."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from analytics.shifts import spells
from contracts.notes import Heard, Note, note_of
from contracts.tags import Kind, Place, Tag
from gainline.config.calendars import calendar_of
from gainline.config.loading import Settings
from gainline.config.sections import (
    CalendarSection,
    IngestSection,
    MaintenanceSection,
    PricesSection,
    ShiftSection,
    StoreSection,
    UpgradeSection,
)
from gainline.notes.in_force import (
    notes_in_force,
    with_planned_stops,
    with_prices,
    with_prices_of_plant,
    with_upgrades,
)
from gainline.reports.reporting import Occasion, write_report
from store.lake import Lake
from tests.store.samples import raw_commit

NOW = datetime(2026, 3, 9, tzinfo=UTC)
DAY = date(2026, 3, 2)
EARLY = (ShiftSection(name="early", start="06:00", end="14:00"),)


def note(kind: str, said: float = 0.0, **words: object) -> Note:
    heard = Heard(NOW + timedelta(hours=said), "csv", author="A. Brun")
    return note_of({"kind": kind, **words}, heard)


def price(value: float, said: float = 0.0, **words: object) -> Note:
    return note("price", said, name="energy_per_kwh", value=value, **words)


def stop(begins: str, ends: str, **words: object) -> Note:
    return note("planned_stop", begins=f"2026-03-02T{begins}Z", ends=f"2026-03-02T{ends}Z", **words)


def laid_out(settings: Settings, site: str | None) -> list[tuple[str, str]]:
    of_day = spells(calendar_of(settings, site), DAY, DAY)
    return [(f"{one.begins:%H:%M}", one.kind) for one in of_day if one.shift is not None]


def test_a_planned_stop_is_maintenance_of_its_site_alone() -> None:
    calendar = (CalendarSection(site="l*", shifts=EARLY), CalendarSection(shifts=EARLY))
    settings = Settings(calendar=calendar)
    noted = with_planned_stops(settings, [stop("08:00", "09:00", site="lyon")])
    work, cut = ("06:00", "work"), [("08:00", "maintenance"), ("09:00", "work")]
    assert laid_out(noted, "lyon") == [work, *cut]
    for site in ("lille", "turin", None):
        assert laid_out(noted, site) == [work]
    everywhere = with_planned_stops(settings, [stop("08:00", "09:00")])
    for site in ("lyon", "turin", None):
        assert laid_out(everywhere, site) == [work, *cut]


def test_a_planned_stop_adds_to_what_the_configuration_plans() -> None:
    begins, ends = datetime(2026, 3, 2, 12, tzinfo=UTC), datetime(2026, 3, 2, 13, tzinfo=UTC)
    own = (MaintenanceSection(begins=begins, ends=ends),)
    settings = Settings(calendar=(CalendarSection(shifts=EARLY, maintenance=own),))
    noted = with_planned_stops(settings, [stop("08:00", "09:00", site="l[y]on")])
    assert [at for at, kind in laid_out(noted, "l[y]on") if kind == "maintenance"] == [
        "08:00",
        "12:00",
    ]
    assert [at for at, kind in laid_out(noted, "lyon") if kind == "maintenance"] == ["12:00"]


def test_without_a_calendar_a_planned_stop_is_cut_out_of_the_day() -> None:
    noted = with_planned_stops(Settings(), [stop("08:00", "09:00", site="lyon")])
    assert laid_out(noted, "lyon") == [
        ("00:00", "work"),
        ("08:00", "maintenance"),
        ("09:00", "work"),
    ]
    assert laid_out(noted, "turin") == [("00:00", "work")]
    assert with_planned_stops(Settings(), [price(1)]) == Settings()
    of_line = stop("08:00", "09:00", site="lyon", line="l1")
    assert with_planned_stops(Settings(), [of_line]) == Settings()


def test_a_price_overrides_the_configuration_for_its_time_and_site() -> None:
    settings = Settings(prices=PricesSection(energy_per_kwh=0.18))
    notes = [price(0.2, begins="2026-03-01"), price(0.3, begins="2026-03-05", site="lyon")]
    later, earlier = NOW, datetime(2026, 2, 1, tzinfo=UTC)
    for place, at, value in (
        (Place(site="lyon"), later, 0.3),
        (Place(site="turin"), later, 0.2),
        (Place(site="lyon"), earlier, 0.18),
    ):
        said = with_prices(settings, notes, place, at)
        assert said.settings.prices.energy_per_kwh == value
        assert [one.value for one in said.by] == [value] * (value != 0.18)


def test_a_factor_of_carbon_names_who_said_it() -> None:
    said = note("price", name="co2_kg_per_kwh", value=0.05)
    prices = with_prices(Settings(), [said], Place(), NOW).settings.prices
    assert (prices.co2_kg_per_kwh, prices.co2_source) == (0.05, "said by A. Brun")


def test_prices_of_a_plant_are_those_that_all_its_sites_have() -> None:
    settings = Settings(prices=PricesSection(energy_per_kwh=0.18))
    lyon, turin = price(0.3, site="lyon"), price(0.3, site="turin")
    for notes, sites, value in (
        ([lyon], {"lyon"}, 0.3),
        ([lyon, turin], {"lyon", "turin"}, 0.3),
        ([lyon], {"lyon", "turin"}, 0.18),
        ([lyon, price(0.2, site="turin")], {"lyon", "turin"}, 0.18),
        ([price(0.4)], set(), 0.4),
    ):
        said = with_prices_of_plant(settings, notes, sites, NOW)
        assert said.settings.prices.energy_per_kwh == value
        assert bool(said.by) == (value != 0.18)


def test_an_upgrade_is_of_the_day_at_its_site() -> None:
    settings = Settings(
        ingest=IngestSection(zones={"lyon": "Europe/Paris"}),
        upgrades=(UpgradeSection(line="l1", upgraded_on=date(2026, 1, 5)),),
    )
    said = note("upgrade", site="lyon", line="l1", begins="2026-03-01T23:00Z")
    noted, told = with_upgrades(settings, [said], {"l1", "l2"})
    assert noted.upgrades == (UpgradeSection(line="l1", upgraded_on=DAY),)
    assert (told[0].note, told[0].others) == (said, (date(2026, 1, 5),))
    assert with_upgrades(settings, [price(1)], {"l1"}) == (settings, [])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    tag = Tag("lyon/body/l1/m/t", Place("lyon", "body", "l1", "m", "t"), None, Kind.GAUGE)
    with Lake.open(folder, writer="ingest") as lake:
        lake.commit_raw(raw_commit(0, 3, position=3), new_tags=[tag])
    return folder


def test_what_was_taken_back_is_not_in_force(store: Path) -> None:
    wrong = price(0.3)
    with Lake.open(store, writer="notes") as lake:
        lake.add_notes([wrong, price(0.2, begins="2026-01-01"), note("remark", text="x")])
        lake.add_notes([note("retraction", retracts=wrong.note_id)])
    assert [one.value for one in notes_in_force(store)] == [0.2, None]


def test_a_report_lists_the_notes_in_force_and_what_they_have_changed(
    store: Path, tmp_path: Path
) -> None:
    with Lake.open(store, writer="notes") as lake:
        lake.add_notes(
            [
                price(0.2, site="lyon", begins="2026-01-01"),
                note("upgrade", line="l1", begins="2026-03-02"),
                note("remark", text="<script>alert(1)</script>", begins="2026-03-02T08:00Z"),
                note("remark", text="later", begins="2027-01-01"),
            ]
        )
    settings = Settings(
        store=StoreSection(folder=str(store)),
        upgrades=(UpgradeSection(line="l1", upgraded_on=date(2026, 1, 5)),),
    )
    out = tmp_path / "report.html"
    report = write_report(settings, out, Occasion("Report", NOW))
    told = {row.note.kind.value: row.instead_of for row in report.notes}
    assert told == {"price": "0.18", "upgrade": "2026-01-05", "remark": None}
    page = out.read_text()
    assert "What people have said" in page
    assert "<script>alert" not in page
    assert page.count("A. Brun") == 3
    assert "Notes" in report.queries


def test_an_upgrade_that_was_only_noted_is_looked_for(store: Path, tmp_path: Path) -> None:
    settings = Settings(store=StoreSection(folder=str(store)))
    out = tmp_path / "report.html"
    assert write_report(settings, out, Occasion("Report", NOW)).no_gain_because == ""
    with Lake.open(store, writer="notes") as lake:
        lake.add_notes([note("upgrade", line="l1", begins="2026-03-02")])
    report = write_report(settings, out, Occasion("Report", NOW))
    assert report.no_gain_because  # there are no weeks of readings yet
    assert report.notes[0].instead_of == ""
    assert "nothing known before" in out.read_text()


def test_a_report_without_notes_does_not_speak_of_them(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    settings = Settings(store=StoreSection(folder=str(store)))
    assert write_report(settings, out, Occasion("Report", NOW)).notes == ()
    assert "What people have said" not in out.read_text()
