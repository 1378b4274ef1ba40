"""8-bit DCT JPEG (T.81) against Pillow and imagecodecs, which carry libjpeg-turbo too: colours, sampling, processes, damage, writing.

SPDX-License-Identifier: Apache-2.0
"""

import io

import microtome as mt
import numpy as np
import pytest
from PIL import Image

imagecodecs = pytest.importorskip("imagecodecs")


def picture(h, w, channels):
    y, x = np.mgrid[:h, :w]
    a = np.stack([x * 2 % 256, y * 3 % 256, (x + y) % 256, (x * y) % 256], -1)[..., :channels].astype(
        np.uint8
    )
    return a[..., 0] if channels == 1 else a


def pillow(a, **options):
    out = io.BytesIO()
    Image.fromarray(a, mode="CMYK" if a.ndim == 3 and a.shape[2] == 4 else None).save(out, "jpeg", **options)
    return out.getvalue()


def stored(data):
    """The components as stored, by Pillow."""
    im = Image.open(io.BytesIO(data))
    if im.mode == "RGB":
        im.draft("YCbCr", None)
    return np.asarray(im)


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 16), (77, 91)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 2}, {"subsampling": 1, "progressive": True}, {"restart_marker_blocks": 2}]
)
def test_decode(size, channels, options):
    data = pillow(picture(*size, channels), quality=85, **options)
    assert np.array_equal(mt.codec.decode(data), stored(data))
    assert np.array_equal(mt.codec.decode(data, to_rgb=True), np.asarray(Image.open(io.BytesIO(data))))
    assert np.array_equal(mt.codec.decode(data, to_rgb=True), imagecodecs.jpeg8_decode(data))
    info = mt.codec.info(data)
    assert info["codec"] == "jpeg"
    assert info["progression"] == ("progressive" if "progressive" in options else "baseline")
    assert (info["height"], info["width"], info["channels"]) == (*size, channels)


def test_four_components():
    a = picture(40, 50, 4)
    data = pillow(a, quality=95)
    b = mt.codec.decode(data)
    assert b.shape == a.shape
    assert min(np.abs(b.astype(int) - a).mean(), np.abs(255 - b.astype(int) - a).mean()) < 8


def test_parts_and_views():
    data = pillow(picture(77, 91, 3), quality=90, subsampling=2)
    a = mt.codec.decode(data)
    assert np.array_equal(mt.codec.decode(data, region=((5, 70), (9, 91))), a[5:70, 9:])
    assert np.array_equal(mt.codec.decode(data, components=[0]), a[..., 0])
    assert np.array_equal(mt.codec.decode(data, planar=True), a.transpose(2, 0, 1))
    out = np.zeros((154, 91, 3), np.uint8)
    mt.codec.decode(data, out=out[1::2])
    assert np.array_equal(out[1::2], a)
    assert not out[::2].any()
    with pytest.raises(mt.LimitError):
        mt.codec.decode(data, max_bytes=1000)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_cut(options):
    data = pillow(picture(77, 91, 3), quality=75, **options)
    whole = mt.codec.decode(data)
    for n in range(0, len(data) - 2, 31):
        with pytest.raises((mt.CorruptError, mt.UnsupportedError)):
            mt.codec.decode(data[:n])
    part, report = mt.codec.decode_partial(data[: len(data) * 9 // 10])
    assert part.shape == whole.shape
    assert not report["complete"]
    assert report["warnings"]
    if not options:
        assert np.array_equal(mt.codec.decode(data[:-2]), whole)  # only EOI is missing
        assert np.array_equal(part[:30], whole[:30])
    assert np.array_equal(mt.codec.decode(data + b"\0"), whole)


def test_encode():
    a = picture(77, 91, 3)
    for subsampling, layer in (
        (None, (1, 1)),
        ([(1, 1), (1, 2), (1, 2)], (2, 1)),
        ([(1, 1), (2, 2), (2, 2)], (2, 2)),
    ):
        data = mt.codec.encode(a, codec="jpeg", quality=95, subsampling=subsampling)
        im = Image.open(io.BytesIO(data))
        assert im.layer[0][1:3] == layer
        assert np.abs(np.asarray(im).astype(int) - a).mean() < 1.5
        assert mt.codec.info(data)["color"] == "sycc"
    as_is = mt.codec.encode(a, codec="jpeg", quality=95, mct=False)
    assert np.abs(mt.codec.decode(as_is).astype(int) - a).mean() < 1
    ycc = mt.codec.encode(a, codec="jpeg", quality=95, mct=False, color="sycc")
    assert np.abs(mt.codec.decode(ycc).astype(int) - a).mean() < 1
    assert np.abs(mt.codec.decode(ycc, to_rgb=True).astype(int) - a).mean() > 5
    gray = mt.codec.encode(a[..., 0], codec="jpeg", quality=95)
    assert np.abs(np.asarray(Image.open(io.BytesIO(gray))).astype(int) - a[..., 0]).mean() < 1
    small, large = (len(mt.codec.encode(a, codec="jpeg", quality=q)) for q in (20, 95))
    assert small < large
    assert mt.codec.encode(a[::-1, ::-1], codec="jpeg", quality=80) == mt.codec.encode(
        a[::-1, ::-1].copy(), codec="jpeg", quality=80
    )


@pytest.mark.parametrize(
    ("a", "options", "error"),
    [
        (np.zeros((4, 4), np.uint16), {}, "uint8 with 8 bits"),
        (np.zeros((4, 4, 2), np.uint8), {}, "2 of uint8"),
        (np.zeros((4, 4), np.uint8), {"quality": 101}, "quality is 101"),
        (np.zeros((4, 4, 3), np.uint8), {"subsampling": [(1, 3), (1, 1), (1, 1)]}, "every 1, 2 or 4"),
        (np.zeros((1, 70000), np.uint8), {}, "up to 65500"),
    ],
)
def test_refused(a, options, error):
    with pytest.raises(mt.Error, match=error):
        mt.codec.encode(a, **({"codec": "jpeg", "quality": 50} | options))
