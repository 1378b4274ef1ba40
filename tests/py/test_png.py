"""PNG as an image, against Pillow: every kind of pixel, interlacing, boxes, and damaged files.
SPDX-License-Identifier: Apache-2.0
"""

import io

import microtome as mt
import numpy as np
import pytest
from PIL import Image


def adam7(rng):
    """An interlaced PNG, which Pillow reads but does not write: made by hand from its seven passes."""
    import struct
    import zlib

    a = rng.integers(0, 256, (13, 11), dtype=np.uint8)
    rows = b""
    for y0, x0, dy, dx in (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ):
        for row in a[y0::dy, x0::dx]:
            rows += b"\0" + row.tobytes() if row.size else b""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 11, 13, 8, 0, 0, 0, 1)
    return a, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(
        b"IEND", b""
    )


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_kinds_of_pixels(tmp_path, rng, mode):
    if mode == "I;16":
        im = Image.fromarray(rng.integers(0, 65536, (30, 41), dtype=np.uint16))
    else:
        im = Image.fromarray(rng.integers(0, 256, (30, 41, 3), dtype=np.uint8)).convert(
            "RGBA" if mode == "RGBA" else mode
        )
    im.save(tmp_path / "a.png")
    wanted = np.asarray(im.convert("RGB") if mode == "P" else im.convert("L") if mode == "1" else im)
    ours = mt.open(tmp_path / "a.png")
    assert ours.format == "png" and ours.axes == "YXC"[: wanted.ndim] and ours.dtype == wanted.dtype
    assert np.array_equal(ours.read(), wanted)
    assert np.array_equal(ours[3:20, ::-2], wanted[3:20, ::-2])
    assert ours.stats()["max"] == wanted.max()


def test_interlaced(tmp_path, rng):
    a, data = adam7(rng)
    (tmp_path / "a.png").write_bytes(data)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), a)
    assert np.array_equal(mt.open(tmp_path / "a.png").read(), a)


def test_damaged(tmp_path, rng):
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (30, 41, 3), dtype=np.uint8)).save(out, "png")
    data = out.getvalue()
    path = tmp_path / "a.png"
    for n in (*range(8, 60), len(data) // 2, len(data) - 20):
        path.write_bytes(data[:n])
        with pytest.raises(mt.CorruptError) as e:
            mt.open(path).read()
        assert e.value.offset >= 0
    for _ in range(200):
        changed = bytearray(data)
        changed[rng.integers(8, len(data))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(changed)
        try:
            mt.open(path).read()
        except mt.Error:
            continue
    huge = bytearray(data)
    huge[16:24] = b"\x7f\xff\xff\xff" * 2
    path.write_bytes(huge)
    with pytest.raises((mt.CorruptError, mt.LimitError)):
        mt.open(path)


def test_encode_and_convert_take_png(tmp_path, rng):
    a = rng.integers(0, 256, (30, 41, 3), dtype=np.uint8)
    mt.write(tmp_path / "a.png", a)
    mt.convert(tmp_path / "a.png", tmp_path / "a.jph")
    assert np.array_equal(mt.open(tmp_path / "a.jph").read(), a)
