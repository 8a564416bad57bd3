import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import DataError, TransientError
from ingest.blocks import Received
from ingest.journal import Journal
from ingest.journal_view import JournalView
from tests.reception import EVERYTHING

SEGMENT_BYTES = 4096
LIMIT_BYTES = 64 * SEGMENT_BYTES


def journal_in(folder: Path, first_position: int = 0) -> Journal:
    return Journal.open(
        folder,
        limit_bytes=LIMIT_BYTES,
        segment_bytes=SEGMENT_BYTES,
        first_position=first_position,
    )


def some(start: int, count: int, size: int = 100) -> list[Received]:
    return [Received(f"t/{i}", b"x" * size, i, retained=False) for i in range(start, start + count)]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 900)), max_size=12), st.data())
def test_everything_is_seen_once_and_in_order_whenever_one_looks(
    tmp_path_factory: pytest.TempPathFactory, groups: list[tuple[int, int]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    view, seen, end = JournalView(folder), list[int](), 0
    with journal_in(folder) as journal:
        for count, size in groups:
            journal.append(some(end, count, size))
            end += count
            if data.draw(st.booleans()):
                limit = data.draw(st.sampled_from([1, 500, EVERYTHING]))
                found = view.read(len(seen), limit_bytes=limit)
                seen += [message.received_us for message in found]
                assert [message.position for message in found] == seen[len(seen) - len(found) :]
            if data.draw(st.booleans()):
                view.trim(len(seen))
        seen += [one.received_us for one in view.read(len(seen), limit_bytes=EVERYTHING)]
    view.close()
    assert seen == list(range(end))


def test_what_was_read_before_is_read_again_until_it_is_trimmed(tmp_path: Path) -> None:
    view = JournalView(tmp_path / "journal")
    assert view.read(0, limit_bytes=EVERYTHING) == []
    with journal_in(tmp_path / "journal") as journal:
        for start in range(0, 100, 10):
            journal.append(some(start, 10))
        assert len(view.read(0, limit_bytes=EVERYTHING)) == 100
        assert view.read(55, limit_bytes=EVERYTHING)[0].position == 55
        view.trim(90)
        assert len(list((tmp_path / "journal").glob("*.journal"))) <= 2
        with pytest.raises(DataError, match="lacks position 0"):
            view.read(0, limit_bytes=EVERYTHING)
        assert view.read(90, limit_bytes=EVERYTHING)[0].position == 90


def test_a_block_that_is_not_whole_yet_is_not_seen(tmp_path: Path) -> None:
    with journal_in(tmp_path) as journal:
        journal.append(some(0, 3))
        journal.append(some(3, 3))
    (file,) = tmp_path.glob("*.journal")
    whole = file.read_bytes()
    view = JournalView(tmp_path)
    file.write_bytes(whole.rstrip(b"\0")[:-1])
    assert len(view.read(0, limit_bytes=EVERYTHING)) == 3
    file.write_bytes(whole)
    assert [one.position for one in view.read(3, limit_bytes=EVERYTHING)] == [3, 4, 5]


def test_a_full_journal_goes_on_when_another_process_has_trimmed_it(tmp_path: Path) -> None:
    view, end = JournalView(tmp_path), 0
    with journal_in(tmp_path) as journal:
        with suppress(TransientError):
            while True:
                end = journal.append(some(end, 9))
        assert len(view.read(0, limit_bytes=EVERYTHING)) == end
        view.trim(end)
        assert journal.append(some(end, 9)) == end + 9
        assert len(view.read(end, limit_bytes=EVERYTHING)) == 9


WRITER = """
import sys
from pathlib import Path
from ingest.blocks import Received
from ingest.journal import Journal
with Journal.open(Path(sys.argv[1]), limit_bytes=1 << 24, segment_bytes=1 << 16) as journal:
    for start in range(0, 3000, 30):
        journal.append([Received("t", b"x" * 50, i, False) for i in range(start, start + 30)])
"""


def test_a_journal_is_followed_while_another_process_writes_it(tmp_path: Path) -> None:
    view, seen = JournalView(tmp_path), list[int]()
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) as writer:
        while len(seen) < 3000:
            found = view.read(len(seen), limit_bytes=10_000)
            seen += [message.received_us for message in found]
            view.trim(len(seen))
            assert found or writer.poll() in (None, 0)
        assert writer.wait(30) == 0
    assert seen == list(range(3000))
