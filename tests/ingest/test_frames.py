"""Whatever the frames and however they were split, what they hold comes out once and in order."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.frames import (
    MQTT_3,
    MQTT_5,
    FrameError,
    Published,
    acknowledgements,
    frame_at,
    publish_frame,
    published,
    publishes,
    without_ids,
)
from ingest.stream import Other, Publishes, Stream

PINGRESP, SUBACK = b"\xd0\0", b"\x90\x03\0\x01\x01"
LONG = b"\x8d\x01" + b"\x26\0\x05color\0\x80" + b"x" * 128 + b"\x03\0\0"  # two properties


class Sent(NamedTuple):
    topic: bytes
    payload: bytes
    packet_id: int = 0
    retained: bool = False
    again: bool = False
    properties: bytes = b""


messages = st.builds(
    Sent,
    topic=st.binary(max_size=9) | st.sampled_from([b"plant/\xff", b"a" * 200, b"t" * 65_535]),
    payload=st.binary(max_size=9) | st.sampled_from([b"y" * 126, b"z" * 127, b"p" * 20_000]),
    packet_id=st.integers(0, 65_535),
    retained=st.booleans(),
    again=st.booleans(),
    properties=st.sampled_from([b"\0", b"\x02\x01\x01", LONG]),
)
streams = st.lists(messages | st.sampled_from([PINGRESP, SUBACK]), max_size=9)
protocols = st.sampled_from([MQTT_3, MQTT_5])


def frame_of(sent: Sent, protocol: int) -> bytes:
    head = 0x30 | sent.retained
    variable = len(sent.topic).to_bytes(2, "big") + sent.topic
    if sent.packet_id:
        head |= 2 | 8 * sent.again
        variable += sent.packet_id.to_bytes(2, "big")
    if protocol == MQTT_5:
        variable += sent.properties
    body, length = variable + sent.payload, b""
    size = len(body)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([head]) + length + bytes([size]) + body


def split(data: bytes, cuts: list[float]) -> list[bytes]:
    places = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


def taken(parts: list[Publishes | Other], protocol: int) -> list[Sent | bytes]:
    """What came, with what the journal does not keep left out."""
    found: list[Sent | bytes] = []
    for part in parts:
        if isinstance(part, Other):
            found.append(bytes([part.head, len(part.body)]) + part.body)
            continue
        columns = published(part.frames, 0, len(part.frames), protocol)
        assert len(columns.topics) == part.message_count
        found += [Sent(*row, retained=retained) for *row, retained in zip(*columns)]  # noqa: B905
    return found


@settings(max_examples=200, deadline=None)
@given(streams, st.lists(st.floats(0, 1), max_size=20), protocols)
def test_all_that_was_sent_comes_out_in_order_however_it_was_split(
    sent: list[Sent | bytes], cuts: list[float], protocol: int
) -> None:
    frames = [one if isinstance(one, bytes) else frame_of(one, protocol) for one in sent]
    stream, parts = Stream(protocol), list[Publishes | Other]()
    for piece in split(b"".join(frames), cuts):
        parts += stream.feed(piece)
    assert taken(parts, protocol) == [
        one if isinstance(one, bytes) else one._replace(packet_id=0, again=False, properties=b"")
        for one in sent
    ]
    ids = [packet_id for part in parts if isinstance(part, Publishes) for packet_id in part[1]]
    expected = [one.packet_id for one in sent if isinstance(one, Sent) and one.packet_id]
    assert [int.from_bytes(packet_id, "big") for packet_id in ids] == expected
    assert acknowledgements(ids) == b"".join(
        b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in expected
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.lists(st.floats(0, 1), max_size=5), protocols)
def test_any_bytes_are_frames_or_an_error_and_what_is_a_message_can_be_read(
    data: bytes, cuts: list[float], protocol: int
) -> None:
    stream, parts = Stream(protocol, message_bytes_max=50), list[Publishes | Other]()
    try:
        for piece in split(data, cuts):
            parts += stream.feed(piece)
    except FrameError:
        pass
    taken(parts, protocol)


@pytest.mark.parametrize("protocol", [MQTT_3, MQTT_5])
def test_a_message_that_is_too_long_is_cut_and_those_around_it_are_not(protocol: int) -> None:
    around = frame_of(Sent(b"a", b"1", 7, properties=b"\0"), protocol)
    huge = frame_of(Sent(b"b", b"2" * 300_000, 8, retained=True, properties=LONG), protocol)
    for step in (1000, 33_000, 200_000):
        stream, parts = Stream(protocol, message_bytes_max=5000), list[Publishes | Other]()
        data = around + huge + PINGRESP + around
        for start in range(0, len(data), step):
            parts += stream.feed(data[start : start + step])
            assert sum(map(len, stream._parts)) <= 5000
        a, b, ping, c = taken(parts, protocol)
        assert a == c == Sent(b"a", b"1")
        assert ping == PINGRESP
        assert isinstance(b, Sent)
        assert (b.topic, b.retained) == (b"b", True)
        assert 4800 < len(b.payload) < 5000
        assert set(b.payload) == {ord("2")}
        ids = [packet_id for part in parts if isinstance(part, Publishes) for packet_id in part[1]]
        assert ids == [b"\0\7", b"\0\x08", b"\0\7"]


def test_a_cut_message_whose_properties_took_the_place_of_its_payload_has_none() -> None:
    properties = b"\x80\x80\x10" + b"\x26\0\x01a\xff\xff" + b"x" * 262_138  # 256 KiB of them
    huge = frame_of(Sent(b"b", b"12345", 8, properties=properties), MQTT_5)
    stream = Stream(MQTT_5, message_bytes_max=100_000)
    assert list(stream.feed(huge[:9])) == []
    (part,) = stream.feed(huge[9:] + b"\x30")
    assert isinstance(part, Publishes)
    assert published(part.frames, 0, len(part.frames), MQTT_5) == Published([b"b"], [b""], [False])


@pytest.mark.parametrize(
    "broken",
    [
        b"\x32\x80\x80\x80\x80\x01",  # a length of five bytes
        b"\x30\x03\0\x05a",  # shorter than its topic, and the last
        b"\x30\x03\0\x05a" + b"____",
        b"\x32\x04\0\x01ax",  # no place for its packet id
        b"\x34\x06\0\x01a\0\x07x",  # QoS 2, which nobody asked for
        b"\x36\x06\0\x01a\0\x07x",
        b"\x30\x00",
        b"\x30\x01\0",
        b"\x90\xff\xff\xff\x7f\0\0",  # an answer of 256 MiB
    ],
)
def test_what_is_no_mqtt_is_an_error_and_what_came_before_it_is_not(broken: bytes) -> None:
    whole = publish_frame(b"a", b"x", packet_id=7, retained=False)
    feed = Stream(MQTT_3).feed(whole + broken)
    assert next(feed) == Publishes(1, [b"\0\7"], whole)
    with pytest.raises(FrameError):
        list(feed)


@given(streams)
def test_of_a_lost_connection_the_messages_stay_that_nobody_sends_again(
    sent: list[Sent | bytes],
) -> None:
    own = [one for one in sent if isinstance(one, Sent)]
    frames = b"".join(frame_of(one, MQTT_5) for one in own)
    kept = [one for one in own if not one.packet_id]
    assert without_ids(frames) == (b"".join(frame_of(one, MQTT_5) for one in kept), len(kept))


@given(messages)
def test_a_frame_that_is_made_is_one_that_can_be_read(sent: Sent) -> None:
    frame = publish_frame(
        sent.topic, sent.payload, packet_id=sent.packet_id, retained=sent.retained
    )
    assert frame == frame_of(sent._replace(again=False), MQTT_3)
    found = frame_at(frame, 0)
    assert found is not None
    assert found.end == len(frame)
    assert publishes(frame, 0, MQTT_3).end == len(frame)
