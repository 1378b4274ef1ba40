"""DICOM's RLE (PS3.5 G) and deflated frames: against pydicom's coder, own bytes for every rule of the format, and damage.

SPDX-License-Identifier: Apache-2.0
"""

import struct
import zlib

import microtome as mt
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from pydicom.pixels.decoders.rle import _rle_decode_frame
from pydicom.pixels.encoders.native import _encode_frame, _encode_row

RNG = np.random.default_rng(5)
DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"]


def decode(data, like, **options):
    return mt.codec.decode(data, codec="rle", shape=like.shape, dtype=like.dtype, **options)


def frame(segments, offsets=None):
    """A frame of these segments, as they are."""
    at, offsets = 64, list(offsets or [])
    if not offsets:
        for s in segments:
            offsets.append(at)
            at += len(s)
    return struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)


def literal(data):
    """Packed without a run."""
    return b"".join(bytes([len(data[i : i + 128]) - 1]) + data[i : i + 128] for i in range(0, len(data), 128))


@st.composite
def arrays(draw):
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    channels = draw(st.sampled_from([1, 2, 3])) if dtype.itemsize <= 4 else 1
    shape = (
        draw(st.integers(1, 40)),
        draw(st.sampled_from([1, 2, 3, 127, 128, 129, 130, 257, 700])),
        channels,
    )
    values = RNG.integers(0, draw(st.sampled_from([1, 2, 3, 200])), shape)
    return values.astype(dtype) if channels > 1 else values[..., 0].astype(dtype)


@settings(max_examples=80, deadline=None)
@given(arrays())
def test_round_trip(a):
    data = mt.codec.encode(a, codec="rle")
    assert np.array_equal(decode(data, a), a)
    assert len(data) % 2 == 0
    info = mt.codec.info(data)
    assert info["codec"] == "rle"
    assert len(info["markers"]) == a.itemsize * (a.shape[2] if a.ndim == 3 else 1)


@settings(max_examples=40, deadline=None)
@given(arrays())
def test_as_pydicom(a):
    if a.dtype.kind == "f" or a.dtype == "int8":
        return
    rows, columns, samples = (*a.shape, 1)[:3]
    ours = mt.codec.encode(a, codec="rle")
    theirs = bytearray()
    planes = a.reshape(rows, columns, samples).astype(a.dtype.newbyteorder("<"))
    segments = []
    for c in range(samples):
        bytes_ = planes[..., c].tobytes()
        for k in reversed(range(a.itemsize)):
            s = b"".join(
                bytes(_encode_row(bytes_[k :: a.itemsize][y * columns : (y + 1) * columns]))
                for y in range(rows)
            )
            segments.append(s + b"\0" * (len(s) % 2))
    theirs = frame(segments)
    assert np.array_equal(decode(theirs, a), a)
    assert len(ours) <= len(theirs) * 1.02 + 8
    raw = _rle_decode_frame(ours, rows, columns, samples, 8 * a.itemsize)
    b = np.frombuffer(raw, a.dtype).reshape(samples, rows, columns).transpose(1, 2, 0).reshape(a.shape)
    assert np.array_equal(b, a)


def test_encoder_of_pydicom_exists():
    assert callable(_encode_frame)  # the one that its transcoding uses


def test_runs_end_with_their_row():
    a = np.zeros((3, 130), np.uint8)
    body = mt.codec.encode(a, codec="rle")[64:]
    assert body == bytes([129, 0, 255, 0]) * 3  # 128 and 2, three times


def test_no_op_and_runs_over_rows():
    a = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(decode(frame([b"\x80\x80" + literal(a.tobytes()) + b"\x80\0"]), a), a)
    b = np.full((3, 50), 7, np.uint8)
    assert np.array_equal(decode(frame([bytes([257 - 128, 7, 257 - 22, 7])]), b), b)


def test_segments_in_any_place():
    a = np.arange(60, dtype=np.uint16).reshape(6, 10) * 999
    high, low = (literal((a >> s & 255).astype(np.uint8).tobytes()) for s in (8, 0))
    swapped = frame([low, high], [64 + len(low), 64])
    assert np.array_equal(decode(swapped, a), a)
    gap = struct.pack("<16I", 2, 66, 66 + len(high), *[0] * 13) + b"\0\0" + high + low
    assert np.array_equal(decode(gap, a), a)


def test_bits():
    for shape in ((3, 5), (8, 8), (13, 17), (1, 1), (33, 40)):
        a = RNG.random(shape) < 0.3
        data = mt.codec.encode(a, codec="rle")
        assert np.array_equal(decode(data, a), a)
        packed = np.packbits(a.ravel(), bitorder="little").tobytes()
        assert np.array_equal(decode(frame([literal(packed)]), a), a)
        as_u8 = np.zeros(shape, np.uint8)
        mt.codec.decode(data, codec="rle", shape=shape, dtype=bool, out=as_u8)
        assert np.array_equal(as_u8, a)


def test_parts_and_views():
    a = RNG.integers(0, 5, (30, 40, 3)).astype(np.uint16)
    data = mt.codec.encode(a, codec="rle")
    assert np.array_equal(decode(data, a, region=((3, 20), (5, None))), a[3:20, 5:])
    assert np.array_equal(decode(data, a, components=[1]), a[..., 1])
    assert np.array_equal(decode(data, a, planar=True), a.transpose(2, 0, 1))
    out = np.zeros((60, 80, 3), np.float32)
    decode(data, a, out=out[::2, 79::-2])
    assert np.array_equal(out[::2, 79::-2], a)
    assert decode(data, a, slope=0.5).dtype == np.float32
    batch = mt.codec.decode_batch([data] * 3, codec="rle", shape=a.shape, dtype=a.dtype, threads=2)
    assert all(np.array_equal(b, a) for b in batch)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "no header"),
        (b"\1" * 63, "no header"),
        (frame([b""] * 0), "0 segments"),
        (struct.pack("<16I", 16, *[64] * 15), "16 segments"),
        (frame([b"\1ab\0"], [63]), "begins at byte 63"),
        (frame([b"\1ab\0"], [69]), "begins at byte 69"),
        (frame([b"\1ab\0", b"\1ab\0"]), "2 RLE segments, but 1 are needed"),
        (frame([b"\1ab\0"]), "ends before the picture is complete"),
        (frame([b"\x7fab"]), "ends before the picture is complete"),
        (frame([b"\x80" * 50]), "ends before the picture is complete"),
        (frame([b"\x81"]), "ends before the picture is complete"),
    ],
)
def test_damage(data, error):
    a = np.zeros((5, 6), np.uint8)
    with pytest.raises(mt.CorruptError, match=error):
        decode(data, a)


def test_partial():
    a = np.arange(30, dtype=np.uint8).reshape(5, 6)
    data = frame([literal(a.tobytes())])
    b, report = mt.codec.decode_partial(data[:-8], codec="rle", shape=a.shape, dtype=a.dtype)
    assert not report["complete"]
    assert np.array_equal(b.ravel()[:22], a.ravel()[:22])
    assert not b.ravel()[22:].any()


def test_shape_is_needed_and_priced():
    data = mt.codec.encode(np.zeros((5, 6), np.uint8), codec="rle")
    with pytest.raises(mt.InvalidError, match="does not say what it holds"):
        mt.codec.decode(data)
    with pytest.raises(mt.InvalidError, match="with a dtype"):
        mt.codec.decode(data, codec="rle", shape=(5, 6))
    with pytest.raises(mt.InvalidError, match="do not tell"):
        mt.codec.decode(data, shape=(5, 6), dtype="uint8")
    with pytest.raises(mt.CorruptError, match="cannot hold"):
        mt.codec.decode(data, codec="rle", shape=(50000, 60000), dtype="uint8")
    with pytest.raises(mt.LimitError):
        mt.codec.decode(data, codec="rle", shape=(5, 6), dtype="uint8", max_bytes=10)
    with pytest.raises(mt.UnsupportedError, match="15"):
        mt.codec.encode(np.zeros((5, 6, 3), np.float64), codec="rle")


def deflated(a):
    c = zlib.compressobj(wbits=-15)
    return c.compress(a.tobytes()) + c.flush()


def test_deflated_frames():
    for a in (
        RNG.integers(0, 9, (30, 40)).astype(np.uint16),
        RNG.integers(0, 9, (30, 40, 3)).astype(np.uint8),
    ):
        data = deflated(a)
        assert np.array_equal(mt.codec.decode(data, codec="deflate", shape=a.shape, dtype=a.dtype), a)
        assert np.array_equal(mt.codec.decode(data + b"\0", codec="deflate", shape=a.shape, dtype=a.dtype), a)
        with pytest.raises(mt.CorruptError, match="are needed"):
            mt.codec.decode(deflated(a[:-1]), codec="deflate", shape=a.shape, dtype=a.dtype)
        with pytest.raises(mt.CorruptError):
            mt.codec.decode(data[:-9], codec="deflate", shape=a.shape, dtype=a.dtype)
        with pytest.raises((mt.LimitError, mt.CorruptError)):
            mt.codec.decode(deflated(np.zeros(1 << 22)), codec="deflate", shape=a.shape, dtype=a.dtype)
    bits = RNG.random((7, 9)) < 0.5
    data = deflated(np.packbits(bits.ravel(), bitorder="little"))
    assert np.array_equal(mt.codec.decode(data, codec="deflate", shape=(7, 9), dtype=bool), bits)
