"""Frames come out as they went in, however HTTP cut them."""

import hashlib

import pytest

from mycelia.wire.errors import Malformed
from mycelia.wire.frames import Frame, FrameReader, Kind, encode_frame

STREAM = [Frame(Kind.DATA, b"one"), Frame(Kind.DATA, b""), Frame(Kind.RECEIPT, b"r" * 300)]
BYTES = b"".join(encode_frame(f.kind, f.payload) for f in STREAM)


@pytest.mark.parametrize("cut", [1, 2, 5, 7, 1000])
def test_any_cut_gives_the_same_frames_and_digest(cut):
    reader, frames = FrameReader(1000), []
    for start in range(0, len(BYTES), cut):
        frames += reader.feed(BYTES[start : start + cut])
    assert frames == STREAM
    data = b"".join(encode_frame(f.kind, f.payload) for f in STREAM[:2])
    assert reader.digest == hashlib.sha256(data).digest()


def test_digest_tells_frame_borders_apart():
    one, two = FrameReader(100), FrameReader(100)
    one.feed(encode_frame(Kind.DATA, b"ab"))
    two.feed(encode_frame(Kind.DATA, b"a") + encode_frame(Kind.DATA, b"b"))
    assert one.digest != two.digest


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x07" + bytes(4), "malformed_reply"),
        (encode_frame(Kind.RECEIPT, b"") + b"x", "malformed_reply"),
        (encode_frame(Kind.RECEIPT, b"") + encode_frame(Kind.DATA, b"x"), "malformed_reply"),
        (encode_frame(Kind.DATA, bytes(101)), "reply_too_large"),
        (b"\x00\xff\xff\xff\xff", "reply_too_large"),
    ],
)
def test_invalid_streams_are_refused(data, code):
    with pytest.raises(Malformed) as refused:
        FrameReader(100).feed(data)
    assert refused.value.code == code


def test_the_limit_is_on_the_whole_stream():
    reader = FrameReader(100)
    reader.feed(encode_frame(Kind.DATA, bytes(50)))
    with pytest.raises(Malformed):
        reader.feed(encode_frame(Kind.DATA, bytes(50)))


def test_bytes_in_a_later_read_after_the_end_are_refused():
    reader = FrameReader(100)
    reader.feed(encode_frame(Kind.ERROR, b"e"))
    with pytest.raises(Malformed):
        reader.feed(b"\x00")
