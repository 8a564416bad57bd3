"""The main job, in the order in which a reading takes it; read this first.

    broker ─ Receiver ─▶ journal        ingest.mqtt acknowledges only what is on disk
    files ── Inbox ────▶ journal        imports, and dead letters that are sent again
    journal ─ Intake ──▶ lake, raw      decoded, duplicates known, the ledger balanced
    lake ─ MarkPublisher ▶ broker       what gateways may delete of what they have kept
    lake, raw ─ Bench ─▶ lake, clean    judged; what the judge remembers is in the same commit
    lake, clean ─ write_report ─▶ HTML  panel, gain, profit; see gainline/reports/

Each step moves what is there and says how much that was; gainline/running/services.py repeats
them. A step that fails has moved nothing: its next try begins where the lake's last commit ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from clean.settings import Settings as JudgeSettings
from contracts.batches import CleanBatch, CleanCommit, Mark, Progress, RawCommit
from contracts.message import Message
from contracts.tags import TagRule
from gainline.config.made_tags import new_entries
from gainline.config.places import TagMaker, renewed
from ingest.catalogue import Catalogue
from ingest.commit import Knowledge, decode_messages
from ingest.identity import Memory
from ingest.inbox import Inbox
from ingest.journal import Journal
from ingest.readings import Rules
from ingest.sources import Sources, positions_of, with_positions
from store.lake import Lake

if TYPE_CHECKING:
    from clean.judge import Judge

# What one commit may take from the journal: column arrays of a few bytes a reading make some
# hundred thousand readings of it, which is where a commit's fixed cost no longer counts, in less
# than 200 MB of memory.
COMMIT_BYTES_MAX = 4 << 20
# What the judge takes at once, for the same reasons.
JUDGE_READINGS_MAX = 500_000


@dataclass(frozen=True)
class HowToRead:
    """What ingest is told of messages: how to decode them, where a tag stands."""

    rules: Rules
    tag_of: TagMaker


class Intake:
    """Moves messages from the journals into the lake."""

    def __init__(
        self,
        sources: Sources,
        lake: Lake,
        reading: HowToRead,
        tell: Callable[[RawCommit], object] = lambda _: None,
    ) -> None:
        """Begin where the lake's last commit ended; `tell` is told of each commit in the lake."""
        self._sources, self._lake, self._reading, self._tell = sources, lake, reading, tell
        lake.revise_tags(lambda known: renewed(known, reading.tag_of))
        senders = {tag: known.gateway or "" for tag, known in lake.known_tags().items()}
        self._catalogue = Catalogue(senders, reading.rules.limits)
        self._done: Progress | None = None  # as of the lake's last commit; None: ask the lake
        self._remembered: tuple[bytes | None, Memory | None] = None, None  # as bytes, and read
        self.is_behind = False  # more waited than one commit takes, or may wait elsewhere

    def store_new(self) -> int:
        """Commit messages that wait in a journal; give their number, 0 when none waits."""
        done = self._progress()
        taken = self._sources.take(done, limit_bytes=COMMIT_BYTES_MAX)
        self.is_behind = taken is not None and taken.is_part
        if taken is None:
            return 0
        known = Knowledge(
            self._memory_of(taken.memory),
            self._catalogue,
            self._reading.rules,
            self._waiting(taken.messages),
            lambda note_id: bool(self._lake.known_notes([note_id])),
        )
        commit = decode_messages(taken.messages, known, first_arrival=done.arrival)
        remembered = commit.memory, known.next_memory
        commit = with_positions(commit, taken)
        self._done = None
        self._commit(commit)
        self._remembered = remembered
        self._done = Progress(commit.until_position, commit.until_arrival, commit.memory)
        self._sources.trim(self._done, taken.name)
        self._tell(commit)
        return commit.until_position - done.position

    def marks(self) -> tuple[Mark, ...]:
        """Give the commit marks of all gateways, as of the lake's last commit."""
        _, memory = positions_of(self._progress())
        return Memory.load(memory).marks()

    def positions(self) -> Mapping[str, int]:
        """Tell how far each journal is stored, by its name; the lake is asked only if need be."""
        return positions_of(self._progress())[0]

    def _progress(self) -> Progress:
        self._done = self._done or self._lake.ingest_progress()
        return self._done

    def _memory_of(self, written: bytes | None) -> Memory:
        """Read a memory, if it is not the one of the last commit: that would take a while."""
        before, memory = self._remembered
        return memory if memory is not None and before == written else Memory.load(written)

    def _waiting(self, messages: Sequence[Message]) -> dict[int, str]:
        """Ask the lake which of the dead letters among the messages wait to be read."""
        origins = [message.origin for message in messages if message.origin is not None]
        sent_again = [origin.number for origin in origins if origin.is_dead_letter]
        return self._lake.waiting_dead_letters(sent_again) if sent_again else {}

    def _commit(self, commit: RawCommit) -> None:
        new = [
            replace(self._reading.tag_of(each.tag, each.path), gateway=each.gateway or None)
            for each in commit.new_tags
        ]
        self._lake.commit_raw(commit, new_tags=new)
        self._catalogue.settle()


def take_and_store(inbox: Inbox, journal: Journal, intake: Intake) -> tuple[int, int]:
    """Store what waits in the journal, then take a commit's worth from the inbox; count both.

    In this order a full journal does not stop what makes room in it.
    """
    return intake.store_new(), inbox.take(journal, limit_bytes=COMMIT_BYTES_MAX)


class Bench:
    """Where the judge sits: takes readings from the lake and puts them back with verdicts."""

    def __init__(
        self,
        lake: Lake,
        rules: Callable[[str], TagRule],
        settings: JudgeSettings,
        version: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`version` gives the number of the rules in the lake."""
        self._lake, self._rules, self._settings = lake, rules, settings
        self._version = cache(version)
        self._seat: tuple[Judge, int] | None = None  # the judge, and where it is to go on
        self._named = set[str]()  # tags made by the judge that are in the catalogue

    def judge_new(self, now_us: int) -> int:
        """Judge readings that are new, or else those that have waited too long; give their number.

        The lookout for readings that waited is kept only when nothing newer is there to be
        judged: else a judge that comes late would take what it has not read yet for missing.
        """
        judge, arrival = self._seated()
        batch = self._lake.raw_after(arrival, limit=JUDGE_READINGS_MAX)
        if batch.table.num_rows:
            self._commit(judge, judge.push(batch), int(batch.table["arrival"][-1].as_py()) + 1)
            return batch.table.num_rows
        overdue = judge.expire(now_us)
        if overdue.table.num_rows:
            self._commit(judge, overdue, arrival)
        return overdue.table.num_rows

    def finish(self) -> int:
        """Judge all that still waits, as at the end of a recording; give its number."""
        judge, arrival = self._seated()
        last = judge.finish()
        self._commit(judge, last, arrival)
        return last.table.num_rows

    def _seated(self) -> tuple[Judge, int]:
        """Give the judge as of the lake's last commit, and the reading it is to go on from."""
        from clean.judge import Judge  # noqa: PLC0415  # loads numba: ingest starts without

        if self._seat is None:
            done = self._lake.judge_progress()
            judge = (
                Judge.restore(done.memory, self._rules, self._settings)
                if done.memory
                else Judge(self._rules, self._settings)
            )
            self._seat = judge, done.arrival
        return self._seat

    def _commit(self, judge: Judge, ready: CleanBatch, until: int) -> None:
        self._seat = None  # should the commit fail, this judge knows more than the lake
        self._name(judge.made_in(ready))
        self._lake.commit_clean(
            CleanCommit(ready, until, judge.memory(), rule_version=self._version())
        )
        self._seat = judge, until

    def _name(self, made: set[str]) -> None:
        """Enter tags of features into the catalogue; those it knows already stay as they are."""
        if not made <= self._named:
            self._lake.revise_tags(lambda known: new_entries(sorted(made), known))
            self._named |= made
