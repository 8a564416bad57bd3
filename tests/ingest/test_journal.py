"""What the journal promises: durable when append returns, whole or not at all, bounded."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import ConfigError, ContractError, DataError, GainlineError, TransientError
from contracts.message import Message
from ingest.blocks import Received
from ingest.journal import Journal
from tests.ingest.received import lists_of_any_kind, numbered, origins, some
from tests.reception import EVERYTHING

SEGMENT_BYTES = 4096
LIMIT_BYTES = 64 * SEGMENT_BYTES

messages_of_any_kind = lists_of_any_kind(st.none() | origins)


def open_journal(folder: Path, **options: int) -> Journal:
    return Journal.open(
        folder, **{"limit_bytes": LIMIT_BYTES, "segment_bytes": SEGMENT_BYTES, **options}
    )


def fill(journal: Journal) -> None:
    while True:
        journal.append(some(10, start=journal.end))


@settings(max_examples=25, deadline=None)
@given(groups=st.lists(messages_of_any_kind, max_size=8), limit=st.integers(1, 2000))
def test_what_was_appended_is_read_back_in_order_also_by_the_next_process(
    groups: list[list[Received]], limit: int
) -> None:
    everything = numbered([message for group in groups for message in group])
    with tempfile.TemporaryDirectory() as folder:
        with open_journal(Path(folder)) as journal:
            for group in groups:
                journal.append(group)
            assert journal.end == len(everything)
            assert journal.read(0, limit_bytes=EVERYTHING) == everything
        with open_journal(Path(folder)) as journal:
            found: list[Message] = []
            while part := journal.read(len(found), limit_bytes=limit):
                found += part
            assert found == everything
            for message in everything[::-1]:
                assert journal.read(message.position, limit_bytes=1) == [message]


def test_a_last_block_torn_at_any_byte_is_cut_and_the_journal_goes_on(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(some(3))
        (path,) = tmp_path.glob("*.journal")
        before = journal._used_bytes
        journal.append(some(2, start=3))
        after = journal._used_bytes
    whole = path.read_bytes()
    for torn_at in range(before, after):
        for other in tmp_path.glob("*.journal"):
            other.unlink()
        # what was not written yet reads as zeros, or as something else
        rest = bytes(after - torn_at) if torn_at % 2 else os.urandom(after - torn_at)
        path.write_bytes(whole[:torn_at] + rest + bytes(100))
        with open_journal(tmp_path) as journal:
            assert journal.end == 3, torn_at
            assert journal.append(some(2, start=3, size=5)) == 5
        with open_journal(tmp_path) as journal:
            assert journal.read(0, limit_bytes=EVERYTHING) == numbered(
                some(3) + some(2, start=3, size=5)
            )


def test_a_bad_block_with_a_whole_one_behind_it_is_a_failed_disk_and_never_cut(
    tmp_path: Path,
) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(some(3))
        bad_byte = journal._used_bytes - 1
        journal.append(some(3, start=3))
    (path,) = tmp_path.glob("*.journal")
    data = bytearray(path.read_bytes())
    data[bad_byte] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="corrupt at byte 28, where position 0 begins"):
        open_journal(tmp_path)
    assert path.read_bytes() == data


def test_a_bad_byte_in_a_full_file_is_an_error_and_what_is_before_it_can_be_read(
    tmp_path: Path,
) -> None:
    with open_journal(tmp_path) as journal:
        for start in range(0, 300, 10):
            journal.append(some(10, start=start))
    first = min(tmp_path.glob("*.journal"))
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(data)
    with open_journal(tmp_path) as journal:
        assert len(journal.read(0, limit_bytes=100)) > 1
        with pytest.raises(DataError, match=f"{first.name} is corrupt at byte"):
            journal.read(0, limit_bytes=EVERYTHING)


def test_a_payload_that_looks_like_a_block_is_a_payload(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(some(2))
        (path,) = tmp_path.glob("*.journal")
        forged = path.read_bytes()[: journal._used_bytes]
    other = tmp_path / "other"
    with open_journal(other) as journal:
        journal.append([Received("t", forged, 0, retained=False)])
    (path,) = other.glob("*.journal")
    data = path.read_bytes()
    path.write_bytes(data[:30] + b"\xff" + data[31:])
    with open_journal(other) as journal:
        assert (journal.start, journal.end) == (0, 0)


def test_positions_go_on_after_everything_was_trimmed_and_the_process_restarted(
    tmp_path: Path,
) -> None:
    with open_journal(tmp_path) as journal:
        for start in range(0, 300, 10):
            journal.append(some(10, start=start))
        full = journal.byte_count
        journal.trim(300)
        assert journal.byte_count < full / 2
        assert 0 < journal.start < 300
        with pytest.raises(ContractError, match="position 0 is not in the journal"):
            journal.read(0, limit_bytes=1)
    for count in (300, 301, 302):
        with open_journal(tmp_path) as journal:
            assert journal.end == count
            assert journal.read(count, limit_bytes=1) == []
            journal.append(some(1))
            journal.trim(count + 1)
    assert len(list(tmp_path.glob("*.journal"))) == 1


def test_a_file_whose_making_was_cut_short_keeps_the_count(tmp_path: Path) -> None:
    with open_journal(tmp_path, first_position=7) as journal:
        journal.append(some(1))
    (path,) = tmp_path.glob("*.journal")
    for content in (b"", path.read_bytes()[:10] + bytes(4000), path.read_bytes()[:28]):
        path.write_bytes(content)
        with open_journal(tmp_path) as journal:
            assert journal.end == 7
    with open_journal(tmp_path) as journal:
        journal.append(some(1))
        assert journal.read(7, limit_bytes=1) == numbered(some(1), 7)


def test_an_old_copy_of_the_journal_goes_on_where_the_lake_is(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(some(5))
    with open_journal(tmp_path, first_position=100) as journal:
        assert (journal.start, journal.end) == (100, 100)
        assert journal.append(some(1)) == 101
    with open_journal(tmp_path) as journal:
        assert journal.read(100, limit_bytes=1) == numbered(some(1), 100)


def test_at_its_limit_the_journal_refuses_and_goes_on_when_it_was_trimmed(tmp_path: Path) -> None:
    with open_journal(tmp_path, limit_bytes=4 * SEGMENT_BYTES) as journal:
        with pytest.raises(TransientError, match="has reached its limit of 16384 bytes: it goes"):
            fill(journal)
        end = journal.end
        assert end > 200
        assert journal.byte_count <= 4 * SEGMENT_BYTES
        assert journal.read(0, limit_bytes=EVERYTHING) == numbered(some(end))
        journal.trim(end)
        assert journal.append(some(10, start=end)) == end + 10
        assert journal.read(end, limit_bytes=EVERYTHING) == numbered(some(10, start=end), end)


def test_a_limit_too_small_for_a_block_names_the_limit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="set it to at least 16384"):
        open_journal(tmp_path, limit_bytes=SEGMENT_BYTES)
    with (
        open_journal(tmp_path, limit_bytes=4 * SEGMENT_BYTES) as journal,
        pytest.raises(ConfigError, match="raise its limit of 16384 bytes to at least"),
    ):
        journal.append(some(1, size=10_000))


def test_a_block_larger_than_a_file_gets_a_file_of_its_own(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(some(1))
        journal.append(some(1, size=5 * SEGMENT_BYTES))
        journal.append(some(1))
        assert [len(m.payload) for m in journal.read(0, limit_bytes=EVERYTHING)] == [20, 20480, 20]


FULL_DISK = """
import resource, sys
from pathlib import Path
from contracts.errors import TransientError
from ingest.blocks import Received
from ingest.journal import Journal

def allow(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

message = Received("t", b"x" * 100, 0, False)
journal = Journal.open(Path(sys.argv[1]), limit_bytes=1 << 20, segment_bytes=1 << 14)
journal.append([message] * 10)
allow(8000)  # in the middle of the file, and less than a new one needs
for attempt in range(3):
    try:
        while True:
            journal.append([message] * 10)
    except TransientError as error:
        assert "is full" in str(error) and "free space" in str(error), error
        end = journal.end
        assert len(journal.read(0, limit_bytes=1 << 30)) == end
allow(100_000)
assert journal.append([message] * 200) == end + 200
assert len(journal.read(0, limit_bytes=1 << 30)) == end + 200
print(journal.end)
"""


def test_a_full_disk_is_a_reason_to_wait_and_the_journal_goes_on(tmp_path: Path) -> None:
    end = int(subprocess.check_output([sys.executable, "-c", FULL_DISK, tmp_path]))
    with open_journal(tmp_path, limit_bytes=1 << 20) as journal:
        assert len(journal.read(0, limit_bytes=EVERYTHING)) == end > 200


def test_a_write_that_finds_no_space_adds_nothing(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(some(1))
        with device_in_place_of(journal, "/dev/full"):
            for _ in range(2):
                with pytest.raises(TransientError, match=r"No space left.*: free space there"):
                    journal.append(some(1))
        assert journal.append(some(1, start=1)) == 2
        assert journal.read(0, limit_bytes=EVERYTHING) == numbered(some(2))


def test_after_a_failed_sync_nothing_more_is_accepted(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(some(1))
        with (
            device_in_place_of(journal, "/dev/zero"),  # takes all writes, and cannot be synced
            pytest.raises(GainlineError, match="check the disk, then restart"),
        ):
            journal.append(some(1))
        with pytest.raises(GainlineError, match="check the disk, then restart"):
            journal.append(some(1))
        assert journal.end == 1
    with open_journal(tmp_path) as journal:
        assert journal.read(0, limit_bytes=EVERYTHING) == numbered(some(1))


@contextmanager
def device_in_place_of(journal: Journal, device: str) -> Iterator[None]:
    assert journal._writer is not None
    file, aside = journal._writer.fd, os.dup(journal._writer.fd)
    with open(device, "r+b", buffering=0) as other:  # noqa: PTH123 - a device is no path
        os.dup2(other.fileno(), file)
    try:
        yield
    finally:
        os.dup2(aside, file)
        os.close(aside)


def test_a_disk_too_full_to_open_the_journal_is_worth_a_retry(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=2", "tmpfs", tmp_path], check=True)
    try:
        (tmp_path / "in the way").touch()
        with pytest.raises(TransientError, match="free space there"):
            open_journal(tmp_path / "journal")
        (tmp_path / "in the way").unlink()
        open_journal(tmp_path).close()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_trim_goes_on_where_one_before_it_was_cut_short(tmp_path: Path) -> None:
    with open_journal(tmp_path, limit_bytes=8 * SEGMENT_BYTES) as journal:
        with pytest.raises(TransientError):
            fill(journal)
        first, *_, last = sorted(tmp_path.glob("*.journal"))
        first.unlink()  # as far as it came
        journal.trim(journal.end)
        assert list(tmp_path.glob("*.journal")) == [last]
        assert journal.append(some(1)) == journal.end


def test_a_second_process_is_told_who_holds_the_journal(tmp_path: Path) -> None:
    with (
        open_journal(tmp_path),
        pytest.raises(ConfigError, match=f"in use by process {os.getpid()}: stop it"),
    ):
        open_journal(tmp_path)
    open_journal(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file/journal cannot be used"):
        open_journal(tmp_path / "file" / "journal")


APPEND_FOR_EVER = """
import sys
from pathlib import Path
from ingest.blocks import Received
from ingest.journal import Journal

journal = Journal.open(Path(sys.argv[1]), limit_bytes=1 << 30, segment_bytes=1 << 16)
while True:
    end = journal.end
    group = [Received("t", b"%d" % i * 50, i, False) for i in range(end, end + 7)]
    print(journal.append(group), flush=True)
"""


def test_after_kill_9_everything_whose_append_had_returned_is_there(tmp_path: Path) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", APPEND_FOR_EVER, tmp_path], stdout=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.2)
            child.send_signal(signal.SIGKILL)
            *_, last = child.stdout.read().split(b"\n")[:-1]
        with open_journal(tmp_path, limit_bytes=1 << 30) as journal:
            found = journal.read(0, limit_bytes=EVERYTHING)
            assert journal.end >= int(last)
        assert [m.position for m in found] == list(range(len(found)))
        assert all(m.payload == b"%d" % m.position * 50 for m in found)


def test_a_reader_beside_the_writer_sees_everything_once_and_frees_the_space(
    tmp_path: Path,
) -> None:
    count = 6_000

    def write(journal: Journal) -> None:
        while journal.end < count:
            try:
                journal.append(some(50, start=journal.end))
            except TransientError:
                time.sleep(0.001)

    with open_journal(tmp_path, limit_bytes=8 * SEGMENT_BYTES) as journal:
        writer = threading.Thread(target=write, args=(journal,))
        writer.start()
        position = 0
        while position < count:
            assert position <= journal.end
            for message in journal.read(position, limit_bytes=3000):
                assert message.position == position == message.received_us
                position += 1
            journal.trim(position)
        writer.join()
        assert journal.byte_count <= 8 * SEGMENT_BYTES
