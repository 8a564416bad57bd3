"""Dead letters that can be read by now are stored, once, and the ledger says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer

from contracts.errors import DataError
from contracts.message import NOT_UTF8
from gainline import flow
from gainline.config import wiring
from gainline.config.loading import Settings
from gainline.config.sections import IngestSection, StoreSection
from gainline.config.store_place import store_folder
from gainline.messages import accounts, dead_letters
from gainline.messages.handover import desk_of
from gainline.messages.replaying import Choice, replay_dead_letters
from ingest.blocks import Received
from ingest.sources import Sources
from tests.end_to_end.pipeline import free_port, gainline, rows, service, wait_for

T0_US = 1_767_225_600_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=StoreSection(folder=str(tmp_path / "store")))


def strict(settings: Settings) -> Settings:
    """The same, with a limit that what is sent here breaks."""
    return msgspec.structs.replace(settings, ingest=IngestSection(payload_bytes_max=100))


def long_one(seq: int, gateway: str = "g") -> Received:
    body = {"gateway": gateway, "epoch": "e", "seq": seq, "ts": T0_US // 1000 + seq, "force": seq}
    return Received(
        f"s/a/l/{gateway}",
        json.dumps(body | {"note": "x" * 200}).encode(),
        T0_US + seq,
        retained=False,
    )


def other(topic: str, payload: bytes) -> Received:
    return Received(topic, payload, T0_US, retained=False)


def receive(settings: Settings, messages: list[Received]) -> None:
    with wiring.open_lake(settings, writer="ingest") as lake:
        begin = lake.ingest_progress().position
        with wiring.open_journal(settings, first_position=begin) as journal:
            journal.append(messages)
            intake = flow.Intake(Sources(journal), lake, wiring.how_to_read(settings))
            while intake.store_new():
                pass


def ask(settings: Settings, sql: str) -> list[dict[str, Any]]:
    return rows(store_folder(settings), sql)


def forces(settings: Settings) -> list[float]:
    found = ask(settings, "SELECT value FROM raw.readings WHERE tag LIKE '%/force'")
    return sorted(row["value"] for row in found)


def ledger(settings: Settings) -> dict[str, tuple[int, int, int, int]]:
    found = ask(settings, "FROM ledger")
    for row in found:
        assert row["received"] == row["stored"] + row["duplicate"] + row["dead_letter"]
    return {row.pop("gateway"): tuple(row.values()) for row in found}


def test_what_can_be_read_by_now_is_stored_once_and_the_rest_remains(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    unreadable = [other("s/x", b"\xff\x00"), other(f"{NOT_UTF8}\\xff", b"21.5")]
    receive(strict(settings), [*map(long_one, range(5)), *unreadable, other("s/t", b"21.5")])
    assert ledger(settings) == {"": (8, 1, 0, 7)}
    assert not replay_dead_letters(settings, Choice())
    said = capsys.readouterr().out
    assert "5 dead letters are read now, 2 remain\n" in said
    assert "not_utf8" in said
    assert "bad_topic" in said
    after = ledger(settings)
    assert after == {"": (3, 1, 0, 2), "g": (5, 5, 0, 0)}
    assert forces(settings) == [0, 1, 2, 3, 4]
    found = ask(settings, "SELECT replayed, count(*) AS n FROM dead_letters GROUP BY 1 ORDER BY 1")
    assert found == [{"replayed": False, "n": 2}, {"replayed": True, "n": 5}]
    received = ask(settings, "SELECT epoch_us(received_time) AS us FROM raw.readings ORDER BY 1")
    assert received[-1]["us"] == T0_US + 4

    assert not replay_dead_letters(settings, Choice())
    assert "0 dead letters are read now, 2 remain\n" in capsys.readouterr().out
    assert ledger(settings) == after
    assert forces(settings) == [0, 1, 2, 3, 4]


def test_dead_letters_are_chosen_by_position_reason_and_gateway(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    receive(strict(settings), [*map(long_one, range(4)), other("s/x", b"\xff")])
    assert replay_dead_letters(settings, Choice((1, 2)))
    assert forces(settings) == [1, 2]
    assert replay_dead_letters(settings, Choice(gateway="somebody else"))
    assert replay_dead_letters(settings, Choice((1, 2)))
    with pytest.raises(DataError, match="no dead letter has the position 99"):
        replay_dead_letters(settings, Choice((0, 99)))
    assert forces(settings) == [1, 2]
    assert replay_dead_letters(settings, Choice(reason="too_big", gateway=""))
    assert forces(settings) == [0, 1, 2, 3]
    capsys.readouterr()
    accounts.list_dead_letters(store_folder(settings), "json", "too_big")
    listed = json.loads(capsys.readouterr().out)
    assert [row["replayed"] for row in listed] == [True] * 4


def test_a_message_that_was_read_late_is_known_when_it_comes_again(settings: Settings) -> None:
    receive(strict(settings), [long_one(1)])
    assert replay_dead_letters(settings, Choice())
    receive(settings, [long_one(1), long_one(2)])
    assert forces(settings) == [1, 2]
    assert ledger(settings)["g"] == (3, 2, 1, 0)


def test_dead_letters_that_are_taken_twice_are_stored_once(
    tmp_path: Path, settings: Settings
) -> None:
    scattered = [long_one(n) if n % 2 else other("s/x", b"\xff") for n in range(600)]
    receive(strict(settings), scattered)
    inbox, kept = store_folder(settings) / "inbox", tmp_path / "kept"
    assert not replay_dead_letters_keeping(settings, kept)
    assert len(forces(settings)) == 300
    after = ledger(settings)
    shutil.copytree(kept, inbox, dirs_exist_ok=True)
    with desk_of(settings) as desk:
        desk.finish()
    assert list(inbox.iterdir()) == []
    assert len(forces(settings)) == 300
    assert ledger(settings) == after


def replay_dead_letters_keeping(settings: Settings, kept: Path) -> bool:
    """Replay, and keep the files of the inbox as a crash would have left them."""
    folder = store_folder(settings)
    log = folder.parent / "log"
    with wiring.open_lake(settings, writer="ingest"):  # takes nothing
        words = ("dead-letters", "replay", "--all", "--store", folder)
        with service(*words, log=log):
            wait_for(lambda: any((folder / "inbox").glob("*.messages")), what="they are there")
    shutil.copytree(folder / "inbox", kept)
    return replay_dead_letters(settings, Choice())


@pytest.mark.timeout(200)
def test_a_replay_that_is_killed_with_ingest_is_finished_by_doing_it_again(
    tmp_path: Path, settings: Settings
) -> None:
    count, store, log = 9_000, store_folder(settings), tmp_path / "log"
    receive(strict(settings), [long_one(n, f"g{n % 3}") for n in range(count)])
    words = ("dead-letters", "replay", "--all", "--store", store)
    running = ("ingest", "--broker", f"mqtt://127.0.0.1:{free_port()}", "--store", store)
    with service(*running, log=log):
        wait_for(lambda: "unreachable" in log.read_text(), what="ingest has begun")
        with service(*words, log=log) as replaying:
            wait_for(lambda: forces(settings) or replaying.poll() == 0, what="something is stored")
    done = gainline(*words)
    assert done.returncode == 0, done.stderr
    assert forces(settings) == list(range(count))
    after = ledger(settings)
    assert {gateway: counts[1:] for gateway, counts in after.items() if gateway} == {
        f"g{n}": (count // 3, 0, 0) for n in range(3)
    }
    assert after[""] == (0, 0, 0, 0)


def test_the_command_line_wants_one_choice(tmp_path: Path) -> None:
    done = gainline("dead-letters", "replay", "--store", tmp_path)
    assert done.returncode == 2
    assert "--reason" in done.stderr
    for positions, reason, every in (([1], None, True), ([1], "too_big", False), ([], "a", True)):
        with pytest.raises(typer.BadParameter, match="--all"):
            dead_letters.replay_dead_letters(positions, reason, every=every, store=tmp_path)
