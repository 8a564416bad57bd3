"""The flow without a network: journal, lake, judge, and what each does after a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.batches import CleanCommit, RawCommit
from contracts.errors import TransientError
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import StoreSection, TagSection
from gainline.config.store_place import store_folder
from gainline.flow import Bench, Intake
from gainline.reports.reporting import Occasion, gather
from ingest.blocks import Received
from ingest.journal import Journal
from ingest.sources import Sources
from store.lake import Lake
from store.query import fetch

MINUTE_US = 60_000_000
BEGAN_US = 1_767_225_600_000_000


def settings_in(folder: Path) -> Settings:
    return Settings(store=StoreSection(folder=str(folder / "store")))


def received(seqs: range) -> list[Received]:
    """Messages of one gateway, a reading a minute, 900 where the others are about 20."""
    return [
        Received(
            "s/a/l/m",
            json.dumps(
                {
                    "gateway": "g",
                    "epoch": "e",
                    "seq": seq,
                    "ts": (BEGAN_US + seq * MINUTE_US) // 1000,
                    "temperature": 900 if seq == 50 else 20 + seq % 3,
                }
            ).encode(),
            BEGAN_US + seq * MINUTE_US,
            retained=False,
        )
        for seq in seqs
    ]


@contextmanager
def at_work(settings: Settings) -> Iterator[tuple[Intake, Bench, Journal]]:
    """An intake and a bench on one store, and the journal between the wire and them."""
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_lake(settings, writer="judge") as judged,
        wiring.open_journal(settings, first_position=lake.ingest_progress().position) as journal,
    ):
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        bench = Bench(judged, wiring.rule_for(settings), wiring.judge_settings(settings))
        yield intake, bench, journal


def verdicts(settings: Settings) -> list[tuple[int, int, list[str]]]:
    table = fetch(store_folder(settings), "SELECT seq, quality, reasons FROM readings")
    rows = table.to_pylist()
    return sorted((row["seq"], row["quality"], row["reasons"]) for row in rows)


def test_a_reading_goes_from_the_journal_to_its_verdict(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with at_work(settings) as (intake, bench, journal):
        journal.append(received(range(100)))
        assert intake.store_new() == 100
        assert intake.store_new() == 0
        assert bench.judge_new(BEGAN_US) == 100
        assert bench.judge_new(BEGAN_US) == 0
        assert bench.finish() > 0
    found = verdicts(settings)
    assert [seq for seq, _, _ in found] == list(range(100))
    assert [(seq, reasons) for seq, quality, reasons in found if quality] == [(50, ["spike"])]


def test_readings_that_have_waited_too_long_get_their_verdict(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with at_work(settings) as (intake, bench, journal):
        journal.append(received(range(3)))
        intake.store_new()
        bench.judge_new(BEGAN_US)
        assert verdicts(settings) == []
        later_us = BEGAN_US + 3 * MINUTE_US + int(settings.clean.max_delay_s * 1e6)
        assert bench.judge_new(later_us) == 3
    assert [seq for seq, _, _ in verdicts(settings)] == [0, 1, 2]


def test_what_was_stored_and_judged_before_a_restart_is_known_after_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    for first, end in ((0, 40), (30, 70), (60, 100)):  # the broker sends ten of each part again
        with at_work(settings) as (intake, bench, journal):
            journal.append(received(range(first, end)))
            while intake.store_new():
                pass
            while bench.judge_new(BEGAN_US):
                pass
    with at_work(settings) as (_, bench, _):
        bench.finish()
    in_one_go = settings_in(tmp_path / "other")
    with at_work(in_one_go) as (intake, bench, journal):
        journal.append(received(range(100)))
        intake.store_new()
        bench.judge_new(BEGAN_US)
        bench.finish()
    assert verdicts(settings) == verdicts(in_one_go)
    (ledger,) = fetch(store_folder(settings), "FROM ledger").to_pylist()
    assert ledger == {
        "gateway": "g",
        "received": 120,
        "stored": 100,
        "duplicate": 20,
        "dead_letter": 0,
    }


class FailingOnce(Lake):
    """A lake whose first commits fail as on a full disk, before anything is written."""

    failures_left = 1

    def commit_raw(self, commit: RawCommit, **more: object) -> None:
        self._fail_once()
        super().commit_raw(commit, **more)

    def commit_clean(self, commit: CleanCommit) -> None:
        self._fail_once()
        super().commit_clean(commit)

    def _fail_once(self) -> None:
        if self.failures_left:
            self.failures_left -= 1
            raise TransientError("the disk is full: make room")


def test_a_commit_that_fails_is_made_again_with_the_same_result(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    folder = store_folder(settings)
    with (
        FailingOnce.open(folder, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=0) as journal,
    ):
        journal.append(received(range(100)))
        intake = Intake(Sources(journal), lake, wiring.how_to_read(settings))
        with pytest.raises(TransientError):
            intake.store_new()
        assert intake.store_new() == 100
    with FailingOnce.open(folder, writer="judge") as lake:
        bench = Bench(lake, wiring.rule_for(settings), wiring.judge_settings(settings))
        with pytest.raises(TransientError):
            bench.judge_new(BEGAN_US)
        assert bench.judge_new(BEGAN_US) == 100
        bench.finish()
    assert [seq for seq, _, _ in verdicts(settings)] == list(range(100))


def test_a_pattern_of_the_configuration_reaches_the_judge_and_the_catalogue(
    tmp_path: Path,
) -> None:
    settings = Settings(
        store=StoreSection(folder=str(tmp_path / "store")),
        tags=(TagSection(pattern="*/temperature", unit="degC", high=21.5),),
    )
    with at_work(settings) as (intake, bench, journal):
        journal.append(received(range(30)))
        intake.store_new()
        bench.judge_new(BEGAN_US)
        bench.finish()
    impossible = [seq for seq, _, reasons in verdicts(settings) if "range" in reasons]
    assert impossible == [seq for seq in range(30) if seq % 3 == 2]
    rows = fetch(store_folder(settings), "SELECT tag, line, unit, kind FROM tags")
    expected = {"tag": "s/a/l/m/temperature", "line": "l", "unit": "degC", "kind": "gauge"}
    assert rows.to_pylist() == [expected]


def test_a_report_of_a_day_until_midnight_names_that_day_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with at_work(settings) as (intake, bench, journal):
        journal.append(received(range(24 * 60 + 1)))
        intake.store_new()
        bench.judge_new(BEGAN_US + 24 * 60 * MINUTE_US)
        bench.finish()
    report = gather(settings, Occasion("Report", datetime(2026, 2, 1, tzinfo=UTC)))
    assert [str(day) for day in report.period] == ["2026-01-01", "2026-01-01"]
