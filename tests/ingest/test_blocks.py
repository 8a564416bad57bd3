"""What blocks hold, as frames or one by one, is what is read back, also from older files."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import DataError
from contracts.message import NOT_UTF8, Message, Origin
from ingest.blocks import (
    BLOCK_HEADER_BYTES,
    FILE_HEADER_BYTES,
    Body,
    Chunk,
    Received,
    decode_block_header,
    decode_body,
    decode_file_header,
    encode_block,
    encode_frames,
    is_whole,
)
from ingest.frames import MQTT_3, MQTT_5, publish_frame
from ingest.journal import Journal
from tests.reception import EVERYTHING

LIMIT_BYTES = 1 << 18
SEGMENT_BYTES = 1 << 14

# Written by version 0.1: a retained message, and one with an origin.
OF_0_1 = bytes.fromhex(
    "6761696e6a726e313031323334353637050000000000000047590ae330313233343536374200000005000000"
    "0000000002000000336265500700000002000000004020464847060001706c616e742f61c3bc0c0000000000"
    "00000700000000000000020100030000000000000066236e6f742d7574662d382f78"
)

chunks = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.lists(
            st.tuples(st.text(max_size=9), st.binary(max_size=200), st.booleans()),
            min_size=1,
            max_size=4,
        ),
    ),
    max_size=4,
)


def test_a_file_of_an_older_version_is_read() -> None:
    header = decode_file_header(OF_0_1)
    assert header is not None
    block = decode_block_header(OF_0_1, FILE_HEADER_BYTES, mark=header.mark)
    body = OF_0_1[FILE_HEADER_BYTES + BLOCK_HEADER_BYTES :]
    assert block is not None
    assert is_whole(block, body, mark=header.mark)
    assert decode_body(block, body) == [
        Message(5, "plant/a", "ü".encode(), 1767225600000000, retained=True),
        Message(6, "#not-utf-8/x", b"", 7, retained=False, origin=Origin("f", 3)),
    ]


@settings(max_examples=50, deadline=None)
@given(st.lists(chunks, max_size=4), st.integers(1, 2000))
def test_frames_as_they_came_are_read_back_as_messages_beside_those_one_by_one(
    groups: list[list[tuple[int, list[tuple[str, bytes, bool]]]]], limit: int
) -> None:
    expected: list[Message] = []

    def expect(received: Received) -> Received:
        expected.append(Message(len(expected), *received))
        return received

    with (
        tempfile.TemporaryDirectory() as folder,
        Journal.open(Path(folder), limit_bytes=LIMIT_BYTES, segment_bytes=SEGMENT_BYTES) as journal,
    ):
        for group in groups:
            of_frames = []
            for time_us, rows in group:
                for topic, payload, retained in rows:
                    expect(Received(topic, payload, time_us, retained))
                frames = b"".join(
                    publish_frame(topic.encode(), payload, packet_id=n, retained=retained)
                    for n, (topic, payload, retained) in enumerate(rows)
                )
                of_frames.append(Chunk(time_us, len(rows), frames))
            assert journal.append_frames(of_frames, MQTT_3) == len(expected)
            journal.append([expect(Received("own", b"", 1, retained=False, origin=Origin("f", 1)))])
        assert journal.read(0, limit_bytes=EVERYTHING) == expected
        found: list[Message] = []
        while part := journal.read(len(found), limit_bytes=limit):
            found += part
        assert found == expected
        for message in expected[::-1]:
            assert journal.read(message.position, limit_bytes=1) == [message]


def test_a_read_takes_no_more_than_its_limit_but_one_message_at_least(tmp_path: Path) -> None:
    frame = publish_frame(b"t", b"x" * 100, packet_id=1, retained=False)
    with Journal.open(tmp_path, limit_bytes=LIMIT_BYTES, segment_bytes=SEGMENT_BYTES) as journal:
        for _ in range(3):
            journal.append_frames([Chunk(1, 10, frame * 10)], MQTT_3)
        for limit, count in ((1, 1), (250, 2), (1300, 11), (EVERYTHING, 30)):
            assert len(journal.read(0, limit_bytes=limit)) == count
        assert [m.position for m in journal.read(8, limit_bytes=400)] == [8, 9, 10]


def test_of_mqtt_5_the_properties_are_left_out_and_a_topic_that_is_no_utf_8_is_named_so() -> None:
    frames = b"\x31\x0b\0\x03a/\xff\x02\x01\x01abc" + b"\x3b\x07\0\x01b\0\x07\0x"
    body = encode_frames([Chunk(9, 2, frames)], MQTT_5)
    header = decode_block_header(encode_block(body, mark=b"01234567", position=3), mark=b"01234567")
    assert header is not None
    assert decode_body(header, body.data) == [
        Message(3, NOT_UTF8 + r"a/\xff", b"abc", 9, retained=True),
        Message(4, "b", b"x", 9, retained=True),
    ]


def test_a_block_of_a_kind_that_is_not_known_yet_is_not_guessed_at(tmp_path: Path) -> None:
    with Journal.open(tmp_path, limit_bytes=LIMIT_BYTES, segment_bytes=SEGMENT_BYTES) as journal:
        journal._append(Body(9, 1, b"from the future"))
        with pytest.raises(DataError, match="written by a newer gainline"):
            journal.read(0, limit_bytes=1)
