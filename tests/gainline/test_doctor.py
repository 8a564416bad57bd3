from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from contracts.errors import ConfigError
from gainline.checks import doctor
from gainline.config.loading import Settings
from gainline.config.sections import (
    BrokerSection,
    IngestSection,
    ScheduleSection,
    StoreSection,
    TagSection,
)
from ingest.broker import embedded_broker


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(broker=BrokerSection(url="http://x")), r"broker\.url"),
        (Settings(broker=BrokerSection(url="mqtt://me:secret@x")), "it holds a password"),
        (Settings(broker=BrokerSection(topics=("a/#/b",))), r"broker\.topics"),
        (Settings(ingest=IngestSection(zone="Mars/Base")), r"ingest\.zone"),
        (Settings(ingest=IngestSection(zone="Europe")), r"ingest\.zone: .*'Europe'; use"),
        (
            Settings(ingest=IngestSection(zones={"x": "europe/paris"})),
            "zones: .*; use Europe/Paris",
        ),
        (
            Settings(ingest=IngestSection(zones={"lyon/#": "UTC"})),
            r"zones: 'lyon/#' matches no topic",
        ),
        (Settings(ingest=IngestSection(templates=("{site}/{site}",))), r"ingest\.templates: "),
        (Settings(tags=(TagSection(pattern="*", kind="odd"),)), r"tags\.kind"),
        (Settings(schedule=(ScheduleSection(name="a", cron="often"),)), "no cron expression"),
        (
            Settings(schedule=(ScheduleSection(name="a", cron="0 6 * * *"),) * 2),
            "the name 'a' is there twice",
        ),
    ],
)
def test_what_types_cannot_check_is_checked(settings: Settings, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        doctor.check_settings(settings)


def test_the_defaults_are_good() -> None:
    doctor.check_settings(Settings())


def test_a_package_that_another_distribution_owns_as_well_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist = tmp_path / "analytics_python-1.0.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: analytics-python\nVersion: 1.0\n")
    (dist / "top_level.txt").write_text("analytics\n")
    (dist / "RECORD").write_text("analytics/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pytest.raises(ConfigError, match="'analytics' belongs to 'analytics-python' as well"):
        doctor.refuse_foreign_packages()


def test_the_live_check_opens_the_store_too(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with embedded_broker() as address:
        settings = Settings(
            broker=BrokerSection(url=f"mqtt://{address}"), store=StoreSection(folder=str(store))
        )
        doctor.check_live(settings)
        store.mkdir()
        with pytest.raises(ConfigError, match="there is no store"):
            doctor.check_live(settings)


def test_the_doctor_looks_at_everything_and_names_what_is_bad(tmp_path: Path) -> None:
    with embedded_broker() as address:
        settings = Settings(
            broker=BrokerSection(url=f"mqtt://{address}"),
            store=StoreSection(folder=str(tmp_path / "store")),
        )
        findings = {finding.subject: finding for finding in doctor.examine(settings)}
        assert all(finding.is_good for finding in findings.values()), findings
        assert {"broker's topics", "broker's queue"} < findings.keys()
        assert all(str(finding)[:4] in ("ok  ", "warn") for finding in findings.values())
    findings = {finding.subject: finding for finding in doctor.examine(settings)}
    bad = [subject for subject, finding in findings.items() if not finding.is_good]
    assert bad == ["broker"]
    assert str(address) in findings["broker"].words


def test_a_service_that_does_not_connect_needs_no_secret() -> None:
    settings = Settings(broker=BrokerSection(username="me", password_file="/no/file"))
    doctor.refuse_start(settings, None, connects=False)
    with pytest.raises(ConfigError, match=r"broker\.password_file"):
        doctor.refuse_start(settings, None, connects=True)


def test_what_is_doubtful_about_the_broker_is_in_the_log() -> None:
    settings = Settings(broker=BrokerSection(url="mqtt://elsewhere.example"))
    with capture_logs() as logs:
        doctor.refuse_start(settings, None, connects=True)
    assert ["unencrypted" in entry["what"] for entry in logs] == [True]
