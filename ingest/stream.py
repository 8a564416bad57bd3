"""Cuts what a broker sends into frames, however it was split on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ingest.frames import MESSAGE_BYTES_MAX, Frame, FrameError, frame_at, publishes, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator


class Publishes(NamedTuple):
    """Whole PUBLISH frames that came one after the other."""

    message_count: int
    packet_ids: list[bytes]  # of those with QoS 1, in order
    frames: bytes


class Other(NamedTuple):
    """A frame that is no PUBLISH."""

    head: int
    body: bytes


class Stream:
    """What one connection sends, from its first byte on.

    Of a frame that is not whole yet no more than `message_bytes_max` are kept: a longer message is
    cut, any other frame refused.
    """

    def __init__(self, protocol: int, *, message_bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self._protocol = protocol
        self._message_bytes_max = message_bytes_max
        self._parts: list[bytes] = []  # of a frame that is not whole yet
        self._missing = 0  # bytes of it, one at least
        self._room = 0  # how many of these to keep
        self._is_cut = False  # it is longer than we keep

    def feed(self, data: bytes) -> Iterator[Publishes | Other]:
        """Give the frames that are now whole, in order; FrameError for what is not MQTT.

        All must be taken before the next bytes come. After an error nothing more may be fed.
        """
        if self._parts:
            data = self._completed(data)
        at = 0
        while at < len(data):
            run = publishes(data, at, self._protocol)
            if run.message_count:
                yield Publishes(run.message_count, run.packet_ids, data[at : run.end])
            at = run.end
            frame = frame_at(data, at)
            if frame is None or frame.end > len(data):
                self._keep(data[at:], frame and frame._replace(end=frame.end - at))
                return
            if frame.is_publish:
                raise FrameError("a message of a QoS that was not asked for, or a broken one")
            yield Other(frame.head, data[frame.body : frame.end])
            at = frame.end

    def _keep(self, data: bytes, frame: Frame | None) -> None:
        """Remember the beginning of a frame, None if not even its header is whole."""
        size = frame.end if frame else 0
        self._is_cut = size > self._message_bytes_max
        if frame and self._is_cut and not frame.is_publish:
            raise FrameError(f"a frame of {size} bytes that is no message")
        self._parts = [data[: self._message_bytes_max]]
        self._missing = max(size - len(data), 1)
        self._room = self._message_bytes_max - len(self._parts[0])

    def _completed(self, data: bytes) -> bytes:
        """Give the frame that was not whole with what follows it; nothing if it still is not."""
        taken = min(self._missing, len(data))
        kept = data[: min(taken, self._room)]
        self._parts.append(kept)
        self._room -= len(kept)
        self._missing -= taken
        if self._missing:
            return b""
        whole = b"".join(self._parts)
        self._parts = []
        if self._is_cut:
            whole = shortened(whole, self._protocol)
        return whole + data[taken:]
