from pathlib import Path

from ingest.blocks import Received
from ingest.inbox import Inbox
from ingest.journal import Journal
from ingest.journal_image import inbox_image, journal_faults, journal_image

LIMIT = 1 << 22
SEGMENT = 1 << 16


def fill(folder: Path, count: int) -> list[Received]:
    messages = [Received("s/a", b"x" * 10_000, number, retained=False) for number in range(count)]
    with Journal.open(folder, limit_bytes=LIMIT, segment_bytes=SEGMENT) as journal:
        for message in messages:
            journal.append([message])
    return messages


def test_the_image_of_a_journal_that_is_being_written_opens_and_holds_all(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with Journal.open(tmp_path / "j", limit_bytes=LIMIT, segment_bytes=SEGMENT) as journal:
        for number in range(20):
            journal.append([Received("s/a", b"x" * 10_000, number, retained=False)])
        for name, content in journal_image(tmp_path / "j"):
            (copy / name).write_bytes(content)
        assert list(journal_faults(tmp_path / "j")) == []
    with Journal.open(copy, limit_bytes=LIMIT, segment_bytes=SEGMENT) as journal:
        read = journal.read(0, limit_bytes=LIMIT)
    assert [message.received_us for message in read] == list(range(20))


def test_a_block_that_is_half_written_is_left_out_with_all_behind_it(tmp_path: Path) -> None:
    fill(tmp_path / "j", 3)
    (path,) = (tmp_path / "j").glob("*.journal")
    whole = path.read_bytes()
    content = bytearray(whole)
    content[20_000] ^= 1
    path.write_bytes(content)
    ((_, image),) = journal_image(tmp_path / "j")
    assert whole.startswith(image)
    assert 10_000 < len(image) < 20_000


def test_a_flipped_bit_in_a_full_file_is_found(tmp_path: Path) -> None:
    fill(tmp_path / "j", 20)
    first = min((tmp_path / "j").glob("*.journal"))
    content = bytearray(first.read_bytes())
    for bit in range(0, len(content) * 8, len(content) * 8 // 50):
        content[bit // 8] ^= 1 << bit % 8
        first.write_bytes(content)
        ((name, fault),) = journal_faults(tmp_path / "j")
        content[bit // 8] ^= 1 << bit % 8
        assert name == first.name
        assert "is not whole" in fault


def test_what_waits_in_an_inbox_is_given_whole(tmp_path: Path) -> None:
    path = Inbox(tmp_path / "inbox").put([Received("s/a", b"1", 1, retained=False)])
    assert list(inbox_image(tmp_path / "inbox")) == [(path.name, path.read_bytes())]
    assert list(inbox_image(tmp_path / "nothing")) == []
