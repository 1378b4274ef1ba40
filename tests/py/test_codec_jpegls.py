"""JPEG-LS (T.87) of our own decoder and CharLS's encoder, against imagecodecs' CharLS: sizes, bits, interleaving, loss, parts, damage.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
from conftest import DATA

imagecodecs = pytest.importorskip("imagecodecs")
RNG = np.random.default_rng(7)


def picture(shape, bits, dtype):
    """Smooth with noise, of `bits` bits."""
    steps = RNG.integers(-(1 << max(bits - 6, 0)), (1 << max(bits - 6, 0)) + 1, shape)
    return np.clip(np.cumsum(steps, axis=1) + (1 << (bits - 1)), 0, (1 << bits) - 1).astype(dtype)


@pytest.mark.parametrize("bits", [2, 5, 8, 9, 12, 15, 16])
@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 70), (31, 47), (33, 29, 3), (8, 9, 4), (8, 9, 2)])
def test_lossless(bits, shape):
    a = picture(shape, bits, np.uint8 if bits <= 8 else np.uint16)
    for interleave in (None, "none", "line", "sample"):
        if interleave in ("line", "sample") and (len(shape) == 2 or shape[2] == 2):
            with pytest.raises(mt.InvalidError, match="cannot be interleaved"):
                mt.codec.encode(a, codec="jpegls", bits=bits, interleave=interleave)
            continue
        if interleave == "sample" and bits == 8 and shape[2:] == (4,):
            with pytest.raises(mt.UnsupportedError, match="not coded by"):
                mt.codec.encode(a, codec="jpegls", bits=bits, interleave=interleave)
            continue
        data = mt.codec.encode(a, codec="jpegls", bits=bits, interleave=interleave)
        info = mt.codec.info(data)
        assert (info["codec"], info["near_lossless"], info["components"][0]["bits"]) == ("jpegls", 0, bits)
        assert (info["height"], info["width"], info["channels"]) == (*shape, 1)[:3]
        assert np.array_equal(mt.codec.decode(data), a)
        if len(shape) == 2 or shape[2] != 2:
            assert np.array_equal(imagecodecs.jpegls_decode(data).reshape(shape), a)


@pytest.mark.parametrize("near", [1, 3, 20])
def test_near_lossless(near):
    a = picture((40, 50), 12, np.uint16)
    data = mt.codec.encode(a, codec="jpegls", bits=12, near_lossless=near)
    b = mt.codec.decode(data)
    assert mt.codec.info(data)["near_lossless"] == near
    assert not mt.codec.info(data)["lossless_capable"]
    assert 0 < np.abs(b.astype(int) - a).max() <= near
    assert np.array_equal(imagecodecs.jpegls_decode(data), b)


def test_theirs():
    for a in (
        picture((40, 50), 8, np.uint8),
        picture((40, 50), 16, np.uint16),
        picture((40, 50, 3), 8, np.uint8),
    ):
        for near in (0, 2):
            data = imagecodecs.jpegls_encode(a, level=near)
            assert np.array_equal(mt.codec.decode(data), imagecodecs.jpegls_decode(data))


def test_signed_samples_are_their_bits():
    a = picture((20, 30), 12, np.int16) - 2048
    b = mt.codec.decode(mt.codec.encode(a, codec="jpegls", bits=12))
    assert b.dtype == np.uint16
    assert np.array_equal(b, a.view(np.uint16) & 0xFFF)
    assert np.array_equal(mt.codec.decode(mt.codec.encode(a, codec="jpegls")).view(np.int16), a)


def test_parts_types_and_views():
    a = picture((33, 29, 3), 8, np.uint8)
    for interleave in ("none", "sample"):
        data = mt.codec.encode(a, codec="jpegls", interleave=interleave)
        assert np.array_equal(mt.codec.decode(data, region=((5, 20), (7, 29))), a[5:20, 7:29])
        assert np.array_equal(mt.codec.decode(data, components=[2, 0]), a[..., [2, 0]])
        assert np.array_equal(mt.codec.decode(data, planar=True), a.transpose(2, 0, 1))
        assert np.array_equal(mt.codec.decode(data, dtype="float32"), a.astype(np.float32))
        scaled = mt.codec.decode(data, slope=2, intercept=-3)
        assert scaled.dtype == np.float32
        assert np.array_equal(scaled, a * np.float32(2) - 3)
        window = mt.codec.decode(data, window=(100, 50))
        assert np.allclose(window, np.clip((a - 99.5) / 49 + 0.5, 0, 1), atol=1e-6)
        wide = np.zeros((33, 60, 3), np.uint16)
        mt.codec.decode(data, out=wide[:, 1:59:2])
        assert np.array_equal(wide[:, 1:59:2], a)
        assert not wide[:, ::2].any()
        rows = np.concatenate([r for _, r in mt.codec.decode_rows(data)])
        assert np.array_equal(rows, a)
        assert np.array_equal(mt.codec.decode_batch([data, data], threads=2)[1], a)
        with pytest.raises(mt.InvalidError, match="one resolution"):
            mt.codec.decode(data, reduce=1)
        with pytest.raises(mt.InvalidError, match="leaves the image"):
            mt.codec.decode(data, region=((0, 34), (0, 5)))


def test_zero_before_the_end_is_tolerated():
    a = picture((20, 30), 16, np.uint16)
    data = mt.codec.encode(a, codec="jpegls")
    for padded in (data[:-2] + b"\0\xff\xd9", data[:-2] + b"\0\xff\xd9\0", data + b"\0"):
        assert np.array_equal(mt.codec.decode(padded), a)


def test_damage():
    a = picture((40, 50), 12, np.uint16)
    data = mt.codec.encode(a, codec="jpegls", bits=12)
    for n in [*range(0, len(data) - 9, 13), *range(len(data) - 9, len(data))]:
        with pytest.raises((mt.CorruptError, mt.UnsupportedError)):
            mt.codec.decode(data[:n], codec="jpegls")
    half, report = mt.codec.decode_partial(data[: len(data) // 2])
    assert not report["complete"]
    assert report["warnings"]
    assert np.array_equal(half[:10], a[:10])
    tall = bytearray(data)
    tall[7:11] = b"\xff\xff\xff\xff"  # 65535 rows and columns
    with pytest.raises(mt.CorruptError, match="cannot hold 65535"):
        mt.codec.decode(bytes(tall)[:400])
    with pytest.raises(mt.LimitError):
        mt.codec.decode(data, max_bytes=1000)


@pytest.mark.parametrize(
    ("a", "options", "error"),
    [
        (np.zeros((4, 4), np.float32), {}, "float32"),
        (np.zeros((4, 4), np.uint8), {"bits": 9}, "bits is 9"),
        (np.full((4, 4), 16, np.uint8), {"bits": 4}, "beyond 4 bits"),
        (np.zeros((4, 4), np.uint8), {"near_lossless": 200}, "near_lossless is 200"),
        (np.zeros((4, 4), np.uint8), {"quality": 50}, "near_lossless"),
        (np.zeros((4, 0), np.uint8), {}, "without pixels"),
    ],
)
def test_refused(a, options, error):
    with pytest.raises(mt.Error, match=error):
        mt.codec.encode(a, codec="jpegls", **options)


@pytest.mark.skipif(not (DATA / "dicom").is_dir(), reason="no data folder")
def test_dicom_frames():
    pydicom = pytest.importorskip("pydicom")
    files = sorted((DATA / "dicom").rglob("JLSL_*.dcm"))
    if not files:
        pytest.skip("no JPEG-LS files")
    for path in files:
        ds = pydicom.dcmread(path, force=True)
        if "PixelData" not in ds:
            continue
        frame = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
        a = mt.codec.decode(frame)
        assert np.array_equal(a, imagecodecs.jpegls_decode(frame).reshape(a.shape)), path.name
