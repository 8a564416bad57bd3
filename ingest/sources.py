"""Reads the journals of a store as one, and remembers how far each has been stored.

A store has a journal of its own, and one more for each reader that is a process of its own. How far
they are is kept with what ingest remembers, and the lake's position is the sum.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from contracts.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from contracts.batches import Progress, RawCommit
    from contracts.message import Message
    from ingest.journal import Journal
    from ingest.journal_view import JournalView

OWN = ""  # the name of the store's own journal
# What ingest remembers is an array of MessagePack, which begins otherwise.
_MARK = b"gainpos1"


class Taken(NamedTuple):
    """Messages of one journal, as those that follow the lake's position."""

    name: str
    messages: list[Message]
    positions: dict[str, int]  # before them
    memory: bytes | None
    is_part: bool  # of what waits, or there are other journals that have not been looked at


class Sources:
    """The journals of a store; a commit takes its messages from one, each in its turn."""

    def __init__(self, own: Journal, others: Mapping[str, JournalView] | None = None) -> None:
        self._journals: dict[str, Journal | JournalView] = {OWN: own, **(others or {})}
        self._turns = list(self._journals)

    def take(self, done: Progress, *, limit_bytes: int) -> Taken | None:
        """Give messages that follow what is done, None where none waits. Raises as the journals."""
        positions, memory = positions_of(done)
        for name in self._turns:
            messages = self._journals[name].read(positions.get(name, 0), limit_bytes=limit_bytes)
            if messages:
                self._turns.remove(name)
                self._turns.append(name)
                if messages[0].position != done.position:
                    numbered = enumerate(messages, done.position)
                    messages = [message._replace(position=number) for number, message in numbered]
                size = sum(len(message.payload) for message in messages)
                is_part = len(self._turns) > 1 or size >= limit_bytes // 2
                return Taken(name, messages, positions, memory, is_part)
        return None

    def trim(self, done: Progress, name: str) -> None:
        """Free what a journal holds only of what is done."""
        self._journals[name].trim(positions_of(done)[0][name])


def with_positions(commit: RawCommit, taken: Taken) -> RawCommit:
    """Let a commit of taken messages say how far each journal is then."""
    count = commit.until_position - taken.messages[0].position
    before = taken.positions.get(taken.name, 0)
    positions = taken.positions | {taken.name: before + count}
    if positions == {OWN: commit.until_position}:
        return commit
    return replace(commit, memory=_MARK + msgspec.msgpack.encode([positions, commit.memory]))


def positions_of(done: Progress) -> tuple[dict[str, int], bytes | None]:
    """Tell how far each journal is, and what ingest remembers. ContractError if it is not ours."""
    memory = done.memory
    if memory is None or not memory.startswith(_MARK):
        return {OWN: done.position}, memory
    try:
        kind = tuple[dict[str, int], bytes]
        positions, inner = msgspec.msgpack.decode(memory[len(_MARK) :], type=kind)
    except msgspec.DecodeError as problem:
        raise ContractError(f"the positions of the journals cannot be read: {problem}") from problem
    return positions, inner
