from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.batches import Progress, RawBatch, RawCommit
from ingest.blocks import Received
from ingest.journal import Journal
from ingest.journal_view import JournalView
from ingest.rows import Rows
from ingest.sources import Sources, positions_of, with_positions

LIMIT_BYTES = 1 << 20
NAMES = ["", "1", "2"]


def commit_of(messages: int, done: Progress, memory: bytes) -> RawCommit:
    empty = RawBatch(Rows().table(done.arrival))
    return RawCommit(empty, (), (), done.position + messages, done.arrival, memory)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(1, 5), st.integers(1, 9))))
def test_every_message_of_every_journal_is_taken_once_under_a_number_of_its_own(
    tmp_path_factory: pytest.TempPathFactory, work: list[tuple[str, int, int]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("store")
    done, seen = Progress(0, 0, None), list[tuple[int, str]]()
    with ExitStack() as stack:
        journals = {
            name: stack.enter_context(
                Journal.open(folder / f"journal{name}", limit_bytes=LIMIT_BYTES, segment_bytes=4096)
            )
            for name in NAMES
        }
        views = {name: JournalView(folder / f"journal{name}") for name in NAMES if name}
        for name, appended, limit in work:
            end = journals[name].end
            journals[name].append(
                [
                    Received(f"{name}/{number}", b"", 0, retained=False)
                    for number in range(end, end + appended)
                ]
            )
            # begun anew, as after a restart: all that is known is in the progress
            sources = Sources(journals[""], views)
            taken = sources.take(done, limit_bytes=limit)
            while taken is not None:
                seen += [(message.position, message.topic) for message in taken.messages]
                commit = with_positions(commit_of(len(taken.messages), done, b"known"), taken)
                done = Progress(commit.until_position, 0, commit.memory)
                assert positions_of(done)[1] == b"known"
                sources.trim(done, taken.name)
                taken = sources.take(done, limit_bytes=limit)
        ends = {name: journal.end for name, journal in journals.items()}
    assert [position for position, _ in seen] == list(range(sum(ends.values())))
    for name in NAMES:
        of_one = [topic for _, topic in seen if topic.split("/")[0] == name]
        assert of_one == [f"{name}/{number}" for number in range(ends[name])]


def test_a_store_with_one_journal_remembers_nothing_more(tmp_path: Path) -> None:
    with Journal.open(tmp_path, limit_bytes=1 << 27) as journal:
        journal.append([Received("t", b"", 0, retained=False)])
        done = Progress(0, 0, None)
        taken = Sources(journal).take(done, limit_bytes=10)
        assert taken is not None
        commit = commit_of(1, done, b"known")
        assert with_positions(commit, taken) is commit
