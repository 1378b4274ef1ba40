"""PGM and PPM read and written, PGX and bare samples written, PNG of 16 bits; against Pillow.
SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("a.pgm", (5, 7), np.uint8),
        ("a.pgm", (5, 7), np.uint16),
        ("a.ppm", (5, 7, 3), np.uint8),
        ("a.ppm", (5, 7, 3), np.uint16),
        ("a.png", (5, 7), np.uint16),
        ("a.png", (5, 7, 3), np.uint8),
    ],
)
def test_others_read_what_we_write(tmp_path, rng, name, shape, dtype):
    a = rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    mt.write(tmp_path / name, a[::-1], axes="YXC"[: a.ndim])
    if name.endswith("m") and a.ndim == 2 or dtype == np.uint8 or name == "a.png":
        assert np.array_equal(np.asarray(Image.open(tmp_path / name)), a[::-1])
    if name != "a.png":
        im = mt.open(tmp_path / name)
        assert im.axes == "YXC"[: a.ndim] and im.format == name[2:] and np.array_equal(im.read(), a[::-1])
        assert np.array_equal(im[1:4, 2:5], a[::-1][1:4, 2:5])


def test_comments_and_gzip(tmp_path):
    import gzip

    text = b"P5 # made by hand\n# two lines\n 3\t2 # size\n255\nabcdef"
    (tmp_path / "a.pgm").write_bytes(text)
    (tmp_path / "a.pgm.gz").write_bytes(gzip.compress(text))
    wanted = np.frombuffer(b"abcdef", np.uint8).reshape(2, 3)
    for name in ("a.pgm", "a.pgm.gz"):
        assert np.array_equal(mt.open(tmp_path / name).read(), wanted)


@pytest.mark.parametrize(
    ("text", "error", "offset"),
    [
        (b"P5\n3 2\n255\nabcde", mt.CorruptError, 16),
        (b"P5\n3 x\n255\nabcdef", mt.CorruptError, 5),
        (b"P5\n3 2\n0\nabcdef", mt.CorruptError, 8),
        (b"P5\n3 2\n70000\nabcdef", mt.CorruptError, 12),
        (b"P5\n3 2\n255", mt.CorruptError, 10),
        (b"P5\n99999999999 2\n255\nabc", mt.CorruptError, 13),
        (b"P5\n999999999 999999999\n255\nabc", mt.CorruptError, -2),
        (b"P4\n3 2\nabcdef", mt.UnsupportedError, 0),
    ],
)
def test_broken_headers(tmp_path, text, error, offset):
    (tmp_path / "a.pgm").write_bytes(text)
    with pytest.raises(error) as e:
        mt.open(tmp_path / "a.pgm")
    assert offset == -2 or e.value.offset == offset


def test_bare_samples_and_pgx(tmp_path, rng):
    a = rng.integers(-2000, 2000, (4, 6), np.int16)
    mt.write(tmp_path / "a.raw", a.T, axes="YX")
    assert np.array_equal(np.fromfile(tmp_path / "a.raw", "<i2").reshape(6, 4), a.T)
    mt.write(tmp_path / "a.pgx", a, axes="YX")
    assert (tmp_path / "a.pgx").read_bytes() == b"PG ML - 16 6 4\n" + a.astype(">i2").tobytes()
    for name, bad in (("b.pgx", a.astype(np.int32)), ("b.pgm", a), ("b.ppm", np.zeros((2, 2, 4), np.uint8))):
        with pytest.raises(mt.UnsupportedError):
            mt.write(tmp_path / name, bad, axes="YXC"[: bad.ndim])
