from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import DataError
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import StoreSection
from gainline.flow import Intake
from gainline.messages import accounts
from ingest.blocks import Received
from ingest.sources import Sources

PAYLOAD = b"\xff\x00 no text at all"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    settings = Settings(store=StoreSection(folder=str(tmp_path / "store")))
    with (
        wiring.open_lake(settings, writer="ingest") as lake,
        wiring.open_journal(settings, first_position=0) as journal,
    ):
        journal.append(
            [
                Received("s/a/l/m/t", b"21.5", 1_767_225_600_000_000, retained=False),
                Received("s/a/\x1b[31m", PAYLOAD, 1_767_225_600_000_000, retained=False),
            ]
        )
        Intake(Sources(journal), lake, wiring.how_to_read(settings)).store_new()
    return tmp_path / "store"


def test_the_ledger_shows_every_message_and_balances(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert accounts.show_ledger(store, in_json=False)
    head, _, row = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "gateway",
        *["received", "stored", "duplicate", "dead_letter", "balances"],
    ]
    assert row.split() == ["2", "1", "0", "1", "True"]


def test_a_dead_letter_is_listed_without_driving_the_terminal_and_shown_byte_for_byte(
    store: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    accounts.list_dead_letters(store, "table")
    listed = capfdbinary.readouterr().out.decode()
    assert "\x1b" not in listed
    assert "not_utf8" in listed
    accounts.show_dead_letter(store, 1)
    assert capfdbinary.readouterr().out == PAYLOAD


def test_a_dead_letter_that_is_not_there_is_named(store: Path) -> None:
    with pytest.raises(DataError, match="no dead letter has the position 99"):
        accounts.show_dead_letter(store, 99)
