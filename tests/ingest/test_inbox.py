"""What the inbox promises: handed over whole or not at all, taken in order, never in the way."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ConfigError, TransientError
from contracts.message import Message
from ingest.blocks import Received
from ingest.inbox import BLOCK_BYTES, Inbox
from ingest.journal import Journal
from tests.ingest.received import lists_of_any_kind, numbered, origins
from tests.ingest.received import some as messages
from tests.reception import EVERYTHING

SEGMENT_BYTES = 1 << 20


def open_journal(folder: Path, limit_bytes: int = 64 * SEGMENT_BYTES) -> Journal:
    return Journal.open(folder, limit_bytes=limit_bytes, segment_bytes=SEGMENT_BYTES)


some = partial(messages, origin="file/a")


def take_all(inbox: Inbox, journal: Journal, limit_bytes: int = 1000) -> list[Message]:
    while inbox.take(journal, limit_bytes=limit_bytes):
        pass
    return journal.read(journal.start, limit_bytes=EVERYTHING)


@settings(max_examples=25, deadline=None)
@given(files=st.lists(lists_of_any_kind(origins), max_size=4), limit=st.integers(1, 2000))
def test_what_is_put_is_taken_in_order_and_gone_then(
    files: list[list[Received]], limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder, open_journal(Path(folder) / "j") as journal:
        inbox = Inbox(Path(folder) / "inbox")
        for messages in files:
            assert inbox.put(messages).is_file()
        expected = numbered([message for messages in files for message in messages])
        assert take_all(inbox, journal, limit) == expected
        assert inbox.waiting_bytes == 0
        assert list(Path(folder).glob("inbox/*")) == []


def test_a_step_takes_no_more_than_it_may_and_the_next_goes_on(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    inbox.put(some(9, size=BLOCK_BYTES // 2))
    with open_journal(tmp_path / "journal") as journal:
        assert inbox.take(journal, limit_bytes=1) == 1
        assert inbox.waiting_bytes > 0
        assert inbox.take(journal, limit_bytes=2 * BLOCK_BYTES) <= 5
        assert take_all(inbox, journal) == numbered(some(9, size=BLOCK_BYTES // 2))


def test_a_process_that_dies_before_it_removes_a_file_has_it_taken_once_more(
    tmp_path: Path,
) -> None:
    Inbox(tmp_path / "inbox").put(some(3, size=BLOCK_BYTES))
    with open_journal(tmp_path / "journal") as journal:
        first = Inbox(tmp_path / "inbox")
        assert first.take(journal, limit_bytes=1) == 1
        first.close()
        taken = take_all(Inbox(tmp_path / "inbox"), journal)
    assert [one.origin.number for one in taken if one.origin] == [0, 0, 1, 2]


def test_a_full_journal_leaves_the_rest_for_later(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    inbox.put(some(20, size=SEGMENT_BYTES // 2))
    found: list[Message] = []
    stops = 0
    with open_journal(tmp_path / "journal", limit_bytes=4 * SEGMENT_BYTES) as journal:
        while inbox.waiting_bytes:
            try:
                inbox.take(journal, limit_bytes=EVERYTHING)
            except TransientError:
                stops += 1
            found += journal.read(len(found), limit_bytes=EVERYTHING)
            journal.trim(journal.end)
    assert stops > 1
    assert found == numbered(some(20, size=SEGMENT_BYTES // 2))


@pytest.mark.parametrize("cut", [0, 1, 30, 60, 200, -1, -40])
def test_a_file_that_is_not_whole_is_set_aside_and_the_next_is_taken(
    tmp_path: Path, cut: int, capfd: pytest.CaptureFixture[str]
) -> None:
    inbox = Inbox(tmp_path / "inbox")
    torn = inbox.put(some(5))
    inbox.put(some(5, start=5))
    torn.write_bytes(torn.read_bytes()[:cut])
    with open_journal(tmp_path / "journal") as journal:
        numbers = [one.origin.number for one in take_all(inbox, journal) if one.origin]
    assert numbers[-5:] == [5, 6, 7, 8, 9]
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == [torn.name + ".refused"]
    assert "inbox_file_set_aside" in capfd.readouterr().out


def test_what_is_no_file_of_ours_stays_and_stalls_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    inbox = Inbox(folder)
    inbox.put(some(5))
    (folder / "0.messages").write_bytes(b"tag,source_time,value\n")
    (folder / "1.messages").write_bytes(b"")
    (folder / "letter.txt").write_bytes(b"dear")
    (folder / "2.messages").mkdir()
    os.mkfifo(folder / "3.messages")
    (folder / "4.messages").symlink_to("/dev/zero")
    with open_journal(tmp_path / "journal") as journal:
        assert take_all(inbox, journal) == numbered(some(5))
    assert sorted(path.name for path in folder.iterdir()) == [
        *["0.messages.refused", "1.messages.refused", "2.messages", "3.messages", "4.messages"],
        "letter.txt",
    ]


def test_a_block_that_can_never_fit_the_journal_is_set_aside(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    inbox.put([*some(1), *some(1, start=1, size=3 * SEGMENT_BYTES)])
    inbox.put(some(1, start=2))
    with open_journal(tmp_path / "journal", limit_bytes=4 * SEGMENT_BYTES) as journal:
        numbers = [one.origin.number for one in take_all(inbox, journal) if one.origin]
    assert numbers == [0, 2]


def test_what_a_dead_writer_left_is_never_taken_and_removed_a_day_later(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    old, fresh = folder / "1.messages.part", folder / "2.messages.part"
    for part in (old, fresh):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    with open_journal(tmp_path / "journal") as journal:
        assert take_all(Inbox(folder), journal) == []
    assert list(folder.iterdir()) == [fresh]


def test_an_inbox_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "inbox").write_text("a file")
    with pytest.raises(ConfigError, match="inbox"):
        Inbox(tmp_path / "inbox").put(some(1))


def test_messages_from_the_wire_and_from_the_inbox_do_not_mix_within_a_block(
    tmp_path: Path,
) -> None:
    inbox = Inbox(tmp_path / "inbox")
    for start in range(0, 200, 10):
        inbox.put(some(10, start=start))
    with open_journal(tmp_path / "journal") as journal:
        wire = threading.Thread(
            target=lambda: [
                journal.append(some(10, start=start, origin="wire")) for start in range(0, 200, 10)
            ]
        )
        wire.start()
        while inbox.waiting_bytes:
            inbox.take(journal, limit_bytes=1)
        wire.join(30)
        found = journal.read(0, limit_bytes=EVERYTHING)
    assert [one.position for one in found] == list(range(400))
    for name in ("wire", "file/a"):
        mine = [one.origin.number for one in found if one.origin and one.origin.name == name]
        assert mine == list(range(200))
