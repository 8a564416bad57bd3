"""Recognises messages without a count among the last that came."""

from __future__ import annotations

import struct
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from ingest.runs import in_groups
from ingest.topic_numbers import IS_TOPIC_KEY, TOPIC_KEY_BYTES, topic_key_of

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy.typing as npt

    from ingest.readings import Decoded
    from ingest.runs import Run
    from ingest.topic_numbers import TopicNumbers

# The most that a broker may have delivered and not acknowledged, and so deliver again (Receive
# Maximum of MQTT 5 has 16 bits). Beyond it the oldest is forgotten.
RECENT_MAX = 65_536
# Of a single reading, 8 bytes each: a hash of its topic, its time, its value. Of any other
# message: 8 zeros, a hash of topic and payload.
KEY_BYTES = 24

_KEY = np.dtype((np.void, KEY_BYTES))
_TIME_AND_VALUE = struct.Struct("<qd")
_NEVER = -(2**63)


class Recent:
    """The keys of the last RECENT_MAX messages; `Recent(recent.dump())` remembers the same.

    Readings come in order of their time, mostly: one that is later than all that came of its
    topic is new, without a look at any key. So keys that come as columns stay what they are until
    a message comes that must be looked up.
    """

    def __init__(self, written: bytes = b"") -> None:
        self._keys: dict[bytes, None] = {}  # oldest first
        self._columns = [written]  # of 24 bytes a key, newer than those in _keys
        # of each topic that has single readings, by its key: none of them is later
        self._latest = _latest_of(written)

    def copy(self) -> Recent:
        """Copy it; what is later than all in one copy may be told by the other, and is in both."""
        twin = Recent()
        twin._keys, twin._columns = self._keys.copy(), self._columns.copy()
        twin._latest = self._latest
        return twin

    def admit(self, key: bytes) -> bool:
        """Remember the key of a message; False if it has been seen before."""
        keys = self._looked_up()
        is_new = key not in keys
        if not is_new:
            del keys[key]
        keys[key] = None  # at the end: the last one heard of
        _note_time(key, self._latest)
        return is_new

    def admit_run(self, run: Run, digests: Collection[bytes]) -> bool:
        """Remember messages without a count if all are new and none is there twice; else nothing.

        Each has a time. `digests` are of those that are not `run.are_single`.
        """
        is_single = run.are_single[run.uncounted]
        singles = run.uncounted[is_single]
        keys = np.zeros((len(is_single), KEY_BYTES // 8), np.int64)
        rows, numbers = run.first_rows()[singles], run.numbers[singles]
        times = run.times[rows]
        keys[is_single, 0] = run.topics.hashes[numbers]
        keys[is_single, 1] = times
        keys[is_single, 2] = run.values[rows].view(np.int64)
        keys[~is_single, 1:] = np.frombuffer(b"".join(digests), np.int64).reshape(-1, 2)
        written = keys.tobytes()
        latest = self._latest_by_number(run.topics, numbers)
        is_new = not digests and _ascend(numbers, times, latest)
        if not is_new and not self._has_none(written):
            return False
        self._note_times(run.topics, numbers, times, latest)
        self._columns.append(written)
        return True

    def forget(self) -> None:
        """Forget the oldest beyond RECENT_MAX."""
        newer = b"".join(self._columns)
        excess = len(self._keys) + len(newer) // KEY_BYTES - RECENT_MAX
        if excess >= len(self._keys):
            newer = newer[KEY_BYTES * (excess - len(self._keys)) :]
            self._keys = {}
        elif excess > 0:
            self._keys = dict.fromkeys(islice(self._keys, excess, None))
        self._columns = [newer]

    def dump(self) -> bytes:
        """Write it down: the keys, one after the other, oldest first."""
        return b"".join([*self._keys, *self._columns])

    def _looked_up(self) -> dict[bytes, None]:
        """Give all keys, for any of them to be looked up."""
        if self._columns:
            self._keys.update(dict.fromkeys(_split(b"".join(self._columns))))
            self._columns = []
        return self._keys

    def _latest_by_number(
        self, topics: TopicNumbers, numbers: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        latest = np.full(len(topics.keys), _NEVER)
        present = np.flatnonzero(np.bincount(numbers, minlength=1))
        latest[present] = [self._latest.get(topics.keys[one], _NEVER) for one in present.tolist()]
        return latest

    def _note_times(
        self,
        topics: TopicNumbers,
        numbers: npt.NDArray[np.int64],
        times: npt.NDArray[np.int64],
        latest: npt.NDArray[np.int64],
    ) -> None:
        np.maximum.at(latest, numbers, times)
        present = np.flatnonzero(latest != _NEVER).tolist()
        names = [topics.keys[number] for number in present]
        self._latest.update(zip(names, latest[present].tolist(), strict=True))

    def _has_none(self, written: bytes) -> bool:
        keys = _split(written)
        return len(set(keys)) == len(keys) and self._looked_up().keys().isdisjoint(keys)


def key_of(decoded: Decoded, digest: bytes) -> bytes:
    """Make the key of a message: what a repeat has in common with it, and no other message has.

    `digest` is of its topic and payload. But where a message is one number of its topic and no
    more, the same tag, time and value are the same reading, however it is written.
    """
    if not is_single(decoded):
        return bytes(TOPIC_KEY_BYTES) + digest
    one = decoded.readings[0]
    return topic_key_of(decoded.topic) + _TIME_AND_VALUE.pack(one.time_us, one.value)


def keys_of_hashes(hashes: bytes) -> bytes:
    """Make keys of the hashes that an older program wrote, one after the other."""
    step = KEY_BYTES - TOPIC_KEY_BYTES
    written = (hashes[start : start + step] for start in range(0, len(hashes), step))
    return b"".join(bytes(TOPIC_KEY_BYTES) + digest for digest in written)


def is_single(decoded: Decoded) -> bool:
    """Tell whether a message that has a time is one good number, and names no sender."""
    if len(decoded.readings) != 1 or decoded.columns is not None or decoded.level is not None:
        return False
    one = decoded.readings[0]
    return (
        not one.name
        and one.value is not None
        and (one.text, one.status, one.quality, one.reasons) == (None, None, 0, 0)
        and (decoded.gateway, decoded.epoch, decoded.seq) == (None, None, None)
    )


def _ascend(
    numbers: npt.NDArray[np.int64], times: npt.NDArray[np.int64], latest: npt.NDArray[np.int64]
) -> bool:
    """Tell whether each time is later than the one before of its topic, the first than `latest`."""
    order = in_groups(numbers, len(latest))
    numbers, times = numbers[order], times[order]
    before = latest[numbers]
    np.copyto(before[1:], times[:-1], where=numbers[1:] == numbers[:-1])
    return bool((times > before).all())


def _split(written: bytes) -> list[bytes]:
    keys: list[bytes] = np.frombuffer(written, _KEY).tolist()
    return keys


def _latest_of(written: bytes) -> dict[bytes, int]:
    latest: dict[bytes, int] = {}
    for key in _split(written):
        _note_time(key, latest)
    return latest


def _note_time(key: bytes, latest: dict[bytes, int]) -> None:
    if key[0] & IS_TOPIC_KEY:
        topic, (time_us, _) = (
            key[:TOPIC_KEY_BYTES],
            _TIME_AND_VALUE.unpack_from(key, TOPIC_KEY_BYTES),
        )
        latest[topic] = max(time_us, latest.get(topic, _NEVER))
