"""The codec against OpenJPH and OpenJPEG, both ways, and against itself: region, reduce, batch, plan, prefix, CPU tiers.

SPDX-License-Identifier: Apache-2.0
"""

import os
import subprocess
import sys

import microtome as mt
import numpy as np
import pytest
from codec_tools import DTYPES, imagecodecs, low_pass_53, openjpeg_reduced, picture, psnr
from conftest import DATA
from hypothesis import given, settings, strategies as st

SIZES = st.one_of(st.integers(1, 9), st.sampled_from([13, 31, 32, 33, 61, 64, 65, 97, 127]))


@st.composite
def lossless_cases(draw):
    """(shape, dtype, bits, encode's arguments): any geometry that is legal."""
    dtype = draw(st.sampled_from(DTYPES))
    bits = draw(st.integers(1, np.iinfo(dtype).bits))
    channels = draw(st.sampled_from([1, 1, 2, 3, 3, 4]))
    size = (draw(SIZES), draw(SIZES))
    shape = size if channels == 1 else (*size, channels)
    h, w = draw(
        st.sampled_from(
            [(64, 64), (32, 32), (16, 16), (4, 4), (8, 64), (64, 8), (128, 32), (4, 1024), (1024, 4)]
        )
    )
    options = {
        "codec": draw(st.sampled_from(["htj2k", "j2k"])),
        "levels": draw(st.sampled_from([None, 0, 1, 2, 3, 5, 8])),
        "block": (h, w),
        "progression": draw(st.sampled_from(mt.codec.PROGRESSIONS)),
        "tile": draw(st.sampled_from([None, None, (32, 48), (17, 29)])),
        "mct": draw(st.sampled_from([None, False])),
        "tile_parts": draw(st.sampled_from([None, ""])),
        "sop": draw(st.booleans()),
        "eph": draw(st.booleans()),
        "plt": draw(st.booleans()),
        "tlm": draw(st.booleans()),
        "container": "codestream",
        "bits": bits,
    }
    if options["progression"] in ("RPCL", "RLCP"):
        options["tile_parts"] = draw(st.sampled_from(["R", None]))
    if options["levels"] and draw(st.booleans()):
        options["precincts"] = draw(
            st.sampled_from([[(128, 128)], [(64, 64), (32, 32)], [(256, 128), (128, 128)]])
        )
    if draw(st.integers(0, 3)) == 0:
        options["origin"] = (draw(st.integers(0, 40)), draw(st.integers(0, 40)))
        if options["tile"]:  # the first tile must hold a part of the image
            options["tile_origin"] = tuple(o // t * t for o, t in zip(options["origin"], options["tile"]))
    if options["codec"] == "j2k":
        options["style"] = draw(
            st.sampled_from(
                [
                    "",
                    "",
                    "bypass",
                    "reset",
                    "termall",
                    "causal",
                    "predictable",
                    "segsym",
                    "bypass,termall,segsym",
                ]
            )
        )
        options["layers"] = draw(st.sampled_from([None, None, 3]))
    return shape, dtype, bits, options


def encode_case(case, seed=0):
    shape, dtype, bits, options = case
    a = picture(np.random.default_rng(seed), shape, dtype, bits)
    return a, mt.codec.encode(a, **options)


# ---- our streams, our decoder and theirs -----------------------------------------------------------------


@settings(max_examples=250)
@given(case=lossless_cases(), seed=st.integers(0, 1000))
def test_lossless_round_trip(case, seed):
    a, data = encode_case(case, seed)
    back = mt.codec.decode(data)
    assert back.shape == a.shape and np.array_equal(back, a)
    facts = mt.codec.info(data)
    assert facts["lossless_capable"] and facts["components"][0]["bits"] == case[2] and not facts["warnings"]


def their_shape(a, wanted):
    """Foreign decoders drop or add axes of one."""
    return a.reshape(wanted) if a.size == np.prod(wanted) else a


@settings(max_examples=120)
@given(case=lossless_cases(), seed=st.integers(0, 1000))
def test_openjpeg_reads_what_we_write(case, seed):
    a, data = encode_case(case, seed)
    theirs = their_shape(imagecodecs().jpeg2k_decode(data), a.shape)
    assert np.array_equal(theirs.astype(np.int64), a.astype(np.int64))


@settings(max_examples=120)
@given(case=lossless_cases(), seed=st.integers(0, 1000))
def test_openjph_reads_what_we_write(case, seed):
    case[3].update(codec="htj2k", layers=None)
    case[3].pop("style", None)
    a, data = encode_case(case, seed)
    theirs = their_shape(imagecodecs().htj2k_decode(data, planar=False), a.shape)
    assert np.array_equal(theirs.astype(np.int64), a.astype(np.int64))


def inner(a):
    """Values in the middle half of the range: imagecodecs' OpenJPH lets what overshoots the range wrap around."""
    info = np.iinfo(a.dtype)
    return (a // 2 + (info.max // 4 if info.min == 0 else 0)).astype(a.dtype)


@pytest.mark.parametrize("dtype", [np.int32, np.uint32])
@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
@pytest.mark.parametrize("bits", [17, 20, 24, 26, 29, 31, 32])
def test_deep_samples(codec, dtype, bits, rng):
    for shape in ((50, 61), (50, 61, 3), (1, 5), (130, 3)):
        a = picture(rng, shape, dtype, bits)
        data = mt.codec.encode(a, codec=codec, bits=bits)
        back = mt.codec.decode(data)
        assert back.dtype == dtype and np.array_equal(back, a)
        assert np.array_equal(mt.codec.decode(data, region=((0, 1), (1, 3))), a[:1, 1:3])
        if codec == "htj2k":
            assert np.array_equal(their_shape(imagecodecs().htj2k_decode(data, planar=False), shape), a)
        if bits <= 26:  # OpenJPEG's arithmetic ends there
            assert np.array_equal(their_shape(imagecodecs().jpeg2k_decode(data), shape), a)


# ---- their streams, our decoder --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3])
def test_we_read_what_openjph_writes(dtype, channels, rng):
    for size in ((1, 1), (1, 63), (64, 64), (65, 33), (130, 97), (257, 3)):
        a = picture(rng, size if channels == 1 else (*size, channels), dtype)
        for resolutions in (None, 1, 3):
            data = bytes(imagecodecs().htj2k_encode(a, reversible=True, resolutions=resolutions))
            assert np.array_equal(mt.codec.decode(data), a), (size, resolutions)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_we_read_what_openjpeg_writes(dtype, channels, rng):
    for size in ((1, 1), (1, 63), (64, 64), (65, 33), (130, 97), (257, 3)):
        a = picture(rng, size if channels == 1 else (*size, channels), dtype)
        for options in ({}, {"resolutions": 1}, {"codecformat": "jp2"}):
            data = bytes(imagecodecs().jpeg2k_encode(a, level=0, reversible=True, **options))
            assert np.array_equal(mt.codec.decode(data), a), (size, options)


@pytest.mark.parametrize("level", [30, 40, 50])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_part1_decodes_as_openjpegs(level, channels, rng):
    a = picture(rng, (200, 177) if channels == 1 else (200, 177, 3), np.uint8)
    data = bytes(imagecodecs().jpeg2k_encode(a, level=level, reversible=False))
    theirs = imagecodecs().jpeg2k_decode(data).astype(int)
    assert np.abs(mt.codec.decode(data).astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("step", [0.0005, 0.004, 0.02])
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 1), (np.uint8, 3), (np.uint16, 1), (np.int16, 1)])
def test_lossy_ht_decodes_as_openjphs(step, dtype, channels, rng):
    a = inner(picture(rng, (150, 177) if channels == 1 else (150, 177, 3), dtype))
    data = bytes(imagecodecs().htj2k_encode(a, level=step, reversible=False))
    theirs = imagecodecs().htj2k_decode(data).astype(np.int64)
    assert np.abs(mt.codec.decode(data).astype(np.int64) - theirs).max() <= (1 if dtype == np.uint8 else 2)


# ---- lossy encoding --------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
@pytest.mark.parametrize("step", [0.001, 0.004, 0.016])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossy_by_step_is_as_good_as_openjphs(codec, step, channels, rng):
    a = picture(rng, (256, 240) if channels == 1 else (256, 240, 3), np.uint8)
    ours = mt.codec.encode(a, codec=codec, lossless=False, step=step)
    theirs = bytes(imagecodecs().htj2k_encode(a, level=step, reversible=False))
    good = psnr(imagecodecs().htj2k_decode(theirs), a, 255)
    for decode in (mt.codec.decode, imagecodecs().jpeg2k_decode):
        assert psnr(decode(ours), a, 255) >= good - 0.3
    assert len(ours) <= 1.1 * len(theirs) + 200


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_quality_orders_size_and_error(codec, rng):
    a = picture(rng, (300, 280, 3), np.uint8)
    last_size = last_psnr = 0
    for quality in (20, 50, 75, 90, 99):
        data = mt.codec.encode(a, codec=codec, lossless=False, quality=quality)
        good = psnr(mt.codec.decode(data), a, 255)
        assert len(data) > last_size and good > last_psnr
        last_size, last_psnr = len(data), good
    assert last_psnr > 42


def test_rate_keeps_its_promise(rng):
    a = picture(rng, (256, 256), np.uint8)
    whole = mt.codec.encode(a, codec="j2k")
    for rate in (0.25, 0.5, 1.0, 2.0):
        for lossless in (True, False):
            data = mt.codec.encode(a, codec="j2k", lossless=lossless, rate=rate)
            assert len(data) <= rate * a.size / 8 + 64 and len(data) < len(whole)
            assert psnr(mt.codec.decode(data), a, 255) > 15
            assert np.abs(mt.codec.decode(data).astype(int) - imagecodecs().jpeg2k_decode(data)).max() <= 1


def test_layers_refine(rng):
    a = picture(rng, (200, 200), np.uint16)
    data = mt.codec.encode(a, codec="j2k", layers=5)
    quality = [psnr(mt.codec.decode(data, layers=n), a, 65535) for n in range(1, 6)]
    assert quality == sorted(quality) and quality[-1] == np.inf and quality[0] < quality[-2]
    assert mt.codec.info(data)["layers"] == 5


# ---- a part of the picture -------------------------------------------------------------------------------


STREAMS = [
    {"codec": "htj2k"},
    {"codec": "htj2k", "block": (16, 16), "precincts": [(64, 64), (32, 32)], "progression": "PCRL"},
    {"codec": "htj2k", "tile": (70, 90), "origin": (13, 7)},
    {"codec": "htj2k", "lossless": False, "step": 0.004},
    {"codec": "j2k"},
    {"codec": "j2k", "tile": (64, 100), "block": (32, 32), "progression": "LRCP", "layers": 3},
    {"codec": "j2k", "lossless": False, "quality": 80, "origin": (5, 3), "progression": "CPRL"},
    {"codec": "j2k", "style": "bypass,termall", "plt": False, "tlm": False},
]


@pytest.mark.parametrize("options", STREAMS, ids=str)
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.int16, 1)])
def test_region_is_a_crop(options, dtype, channels, rng):
    a = picture(rng, (203, 187) if channels == 1 else (203, 187, 3), dtype)
    data = mt.codec.encode(a, **options)
    for reduce in range(min(3, mt.codec.info(data)["min_levels"]) + 1):
        whole = mt.codec.decode(data, reduce=reduce)
        height, width = whole.shape[:2]
        for _ in range(6):
            y0, x0 = rng.integers(0, height), rng.integers(0, width)
            y1, x1 = rng.integers(y0 + 1, height + 1), rng.integers(x0 + 1, width + 1)
            part = mt.codec.decode(data, region=((y0, y1), (x0, x1)), reduce=reduce)
            assert np.array_equal(part, whole[y0:y1, x0:x1]), (reduce, y0, y1, x0, x1)
    assert np.array_equal(
        mt.codec.decode(data, region=((None, 50), (100, None))), mt.codec.decode(data)[:50, 100:]
    )


@pytest.mark.parametrize(
    "region", [((0, 204), (0, 5)), ((-1, 5), (0, 5)), ((5, 4), (0, 5)), ((0, 5), (0, 188))]
)
def test_region_outside_is_an_error(region, rng):
    data = mt.codec.encode(picture(rng, (203, 187), np.uint8))
    with pytest.raises(mt.Error) as e:
        mt.codec.decode(data, region=region)
    assert isinstance(e.value, mt.InvalidError)


def test_reduce_beyond_the_levels_names_the_most(rng):
    data = mt.codec.encode(picture(rng, (100, 100), np.uint8), levels=3)
    with pytest.raises(mt.InvalidError, match="3"):
        mt.codec.decode(data, reduce=4)


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
@pytest.mark.parametrize("shape", [(90, 77), (64, 128), (1, 40), (37, 1), (90, 77, 3)])
def test_reduce_is_the_wavelets_low_pass(codec, shape, rng):
    a = picture(rng, shape, np.uint8)
    data = mt.codec.encode(a, codec=codec, mct=False, levels=3)
    planes = [a] if a.ndim == 2 else [a[..., c] for c in range(3)]
    for reduce in (1, 2, 3):
        planes = [low_pass_53(p.astype(int) - (128 if reduce == 1 else 0)) for p in planes]
        ours = mt.codec.decode(data, reduce=reduce)
        wanted = np.stack([np.clip(p + 128, 0, 255) for p in planes], axis=-1).reshape(ours.shape)
        assert np.array_equal(ours, wanted)


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 1), (np.uint8, 3), (np.uint16, 1)])
def test_reduce_equals_openjpegs(codec, lossless, dtype, channels, rng):
    a = picture(
        rng, (224, 160) if channels == 1 else (224, 160, 3), dtype
    )  # Pillow rounds odd sizes otherwise
    data = mt.codec.encode(a, codec=codec, lossless=lossless, quality=None if lossless else 90, levels=4)
    for reduce in range(5):
        ours, theirs = mt.codec.decode(data, reduce=reduce), openjpeg_reduced(data, reduce)
        assert ours.shape == theirs.shape
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= (
            0 if lossless else 1 if dtype == np.uint8 else 8
        )


def test_reduce_equals_openjphs(rng):
    a = inner(picture(rng, (211, 150), np.int16))
    data = mt.codec.encode(a, levels=4)
    for reduce in range(5):
        theirs = imagecodecs().htj2k_decode(data, skipres=reduce)
        assert np.array_equal(mt.codec.decode(data, reduce=reduce), theirs)


def test_components_and_layouts(rng):
    a = picture(rng, (50, 61, 4), np.uint8)
    data = mt.codec.encode(a)
    assert np.array_equal(mt.codec.decode(data, components=2), a[..., 2])
    assert np.array_equal(mt.codec.decode(data, components=[3, 0]), a[..., [3, 0]])
    assert np.array_equal(mt.codec.decode(data, planar=True), a.transpose(2, 0, 1))
    assert np.array_equal(mt.codec.decode(mt.codec.encode(a.transpose(2, 0, 1), planar=True)), a)
    with pytest.raises(mt.InvalidError):
        mt.codec.decode(data, components=4)


def test_out_takes_any_strides(rng):
    a = picture(rng, (50, 61, 3), np.uint8)
    data = mt.codec.encode(a)
    room = np.zeros((2, 61, 50, 3), np.uint8)
    out = room[1, ::-1].transpose(1, 0, 2)
    assert mt.codec.decode(data, out=out) is out and np.array_equal(out, a) and not room[0].any()
    wide = np.zeros((50, 61, 3), np.float32)
    assert np.array_equal(mt.codec.decode(data, out=wide), a)
    with pytest.raises(mt.InvalidError):
        mt.codec.decode(data, out=np.zeros((50, 60, 3), np.uint8))
    with pytest.raises(mt.InvalidError):
        mt.codec.decode(data, out=b"no room at all")


def test_dtypes_and_rescale(rng):
    a = picture(rng, (64, 70), np.int16, 13)
    data = mt.codec.encode(a, bits=13)
    for dtype in ("int16", "int32", "float32"):
        assert np.array_equal(mt.codec.decode(data, dtype=dtype), a.astype(dtype))
    scaled = mt.codec.decode(data, slope=0.5, intercept=-3)
    assert scaled.dtype == np.float32 and np.allclose(scaled, a * 0.5 - 3, atol=1e-3)
    center, width = 100, 1500
    shown = mt.codec.decode(data, slope=1, intercept=0, window=(center, width), range=(0, 255), dtype="uint8")
    wanted = ((a.astype(np.float64) - (center - 0.5)) / (width - 1) + 0.5) * 255
    assert np.abs(np.clip(wanted, 0, 255) - shown).max() <= 0.51
    with pytest.raises(mt.InvalidError):
        mt.codec.decode(data, window=(0, 0))


def test_planes_of_their_own_sizes(rng):
    planes = [picture(rng, s, np.uint8) for s in ((61, 80), (31, 40), (31, 40))]
    for codec in ("htj2k", "j2k"):
        data = mt.codec.encode(planes, codec=codec)
        back = mt.codec.decode(data)
        assert isinstance(back, list) and all(np.array_equal(p, q) for p, q in zip(planes, back))
        out = [np.zeros_like(p) for p in planes]
        assert mt.codec.decode(data, out=out) is out and np.array_equal(out[2], planes[2])
        small = mt.codec.decode(data, reduce=1)
        assert [p.shape for p in small] == [(31, 40), (16, 20), (16, 20)]
        assert np.array_equal(mt.codec.decode(data, components=1), planes[1])
    assert [c["dx"] for c in mt.codec.info(data)["components"]] == [1, 2, 2]


def rgb_of(y, cb, cr):
    """ITU-R BT.601, full range (T.800 table J.2's inverse): one pixel each."""
    y, cb, cr = y.astype(float), cb - 128.0, cr - 128.0
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    return np.clip(np.rint(rgb), 0, 255)


def test_to_rgb(rng):
    ycc = rng.integers(0, 256, (33, 42, 3), dtype=np.uint8)
    data = mt.codec.encode(ycc, codec="j2k", container="jp2", color="sycc", mct=False)
    assert np.array_equal(mt.codec.decode(data), ycc)
    rgb = mt.codec.decode(data, to_rgb=True)
    assert np.abs(rgb - rgb_of(*np.moveaxis(ycc, -1, 0))).max() <= 1
    part = mt.codec.decode(data, to_rgb=True, region=((5, 30), (7, 40)))
    assert np.array_equal(part, rgb[5:30, 7:40])
    planes = [np.full(s, v, np.uint8) for s, v in (((33, 43), 90), ((17, 22), 100), ((17, 22), 200))]
    for codec, container in (("htj2k", "jph"), ("j2k", "jp2")):
        data = mt.codec.encode(planes, codec=codec, container=container, color="sycc")
        rgb = mt.codec.decode(data, to_rgb=True)
        wanted = rgb_of(*(np.full((33, 43), v, np.uint8) for v in (90, 100, 200)))
        assert rgb.shape == (33, 43, 3) and np.abs(rgb - wanted).max() <= 1
    gray = rng.integers(0, 256, (20, 21), dtype=np.uint8)
    assert np.array_equal(mt.codec.decode(mt.codec.encode(gray), to_rgb=True), gray)


# ---- many, rows, threads ---------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_batch_is_a_loop(threads, codec, rng):
    frames = [picture(rng, (96, 110), np.int16) for _ in range(9)]
    data = [mt.codec.encode(f, codec=codec) for f in frames]
    for got, f in zip(mt.codec.decode_batch(data, threads=threads), frames, strict=True):
        assert np.array_equal(got, f)
    out = np.zeros((9, 48, 55), np.float32)
    assert mt.codec.decode_batch(data, reduce=1, out=out, threads=threads) is out
    assert all(np.array_equal(o, mt.codec.decode(d, reduce=1)) for o, d in zip(out, data))


def test_batch_of_all_kinds_of_bytes_and_shapes(rng, tmp_path):
    import mmap

    a, b = picture(rng, (30, 40), np.uint8), picture(rng, (20, 21, 3), np.uint16)
    first, second = mt.codec.encode(a), mt.codec.encode(b, codec="j2k", container="jp2")
    (tmp_path / "x").write_bytes(first)
    with (tmp_path / "x").open("rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        got = mt.codec.decode_batch(
            [first, bytearray(second), memoryview(first), mapped, np.frombuffer(first, np.uint8)]
        )
    assert all(np.array_equal(g, w) for g, w in zip(got, [a, b, a, a, a], strict=True))
    for wrong in ("text", 3, None, np.frombuffer(first, np.uint8)[::2]):
        with pytest.raises(mt.InvalidError):
            mt.codec.decode(wrong)


def test_batch_errors_come_back_in_place(rng):
    a = picture(rng, (64, 64), np.uint8)
    good = mt.codec.encode(a)
    frames = [good, good[: len(good) // 2], b"nonsense", good]
    got = mt.codec.decode_batch(frames, errors="return")
    assert np.array_equal(got[0], a) and np.array_equal(got[3], a)
    assert isinstance(got[1], mt.CorruptError) and isinstance(got[2], mt.UnsupportedError)
    out = np.ones((4, 64, 64), np.uint8)
    got = mt.codec.decode_batch(frames, out=out, errors="return")
    assert isinstance(got[1], mt.CorruptError) and not out[1].any() and np.array_equal(out[3], a)
    with pytest.raises(mt.CorruptError):
        mt.codec.decode_batch(frames)
    assert mt.codec.decode_batch([]) == []
    with pytest.raises(mt.InvalidError):
        mt.codec.decode_batch(frames, errors="ignore")


@pytest.mark.parametrize("options", STREAMS, ids=str)
def test_rows_make_the_picture(options, rng):
    a = picture(rng, (203, 187, 3), np.uint8)
    data = mt.codec.encode(a, **options)
    whole = mt.codec.decode(data)
    at, bands = 0, []
    for y, rows in mt.codec.decode_rows(data):
        assert y == at and rows.shape[1:] == (187, 3)
        bands.append(rows)
        at += len(rows)
    assert np.array_equal(np.concatenate(bands), whole)
    got = []
    mt.codec.decode_rows(data, lambda y, rows: got.append(rows), region=((20, 150), (3, 90)))
    assert np.array_equal(np.concatenate(got), whole[20:150, 3:90])


def test_rows_end_when_nobody_wants_them(rng):
    data = mt.codec.encode(picture(rng, (400, 300), np.uint8), tile=(50, 300))
    rows = mt.codec.decode_rows(data)
    next(rows)
    rows.close()

    def sink(y, rows):
        raise KeyError(f"row {y}")

    with pytest.raises(KeyError, match="row 0"):
        mt.codec.decode_rows(data, sink)
    with pytest.raises(mt.CorruptError):
        list(mt.codec.decode_rows(data[: len(data) // 2]))


@pytest.mark.parametrize("options", STREAMS, ids=str)
def test_threads_change_nothing(options, rng):
    a = picture(rng, (203, 187, 3), np.uint8)
    data = mt.codec.encode(a, threads=1, **options)
    assert mt.codec.encode(a, threads=3, **options) == data
    assert np.array_equal(mt.codec.decode(data, threads=4), mt.codec.decode(data))


def test_threads_of_the_program_share_the_codec(rng):
    import concurrent.futures

    pictures = [picture(rng, (60 + i, 70), np.uint8) for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        back = list(pool.map(lambda a: mt.codec.decode(mt.codec.encode(a)), pictures * 4))
    assert all(np.array_equal(p, b) for p, b in zip(pictures * 4, back, strict=True))


def test_a_forked_child_decodes(rng):
    a = picture(rng, (64, 64), np.uint8)
    data = mt.codec.encode(a, threads=2)
    assert np.array_equal(mt.codec.decode(data, threads=2), a)
    child = os.fork()
    if child == 0:
        ok = np.array_equal(mt.codec.decode(data, threads=2), a) and mt.codec.encode(a, threads=2) == data
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0


# ---- which bytes -----------------------------------------------------------------------------------------


def only(data, ranges, rng, fill):
    """The stream with all bytes outside the ranges lost."""
    out = bytearray(len(data)) if fill == "zero" else bytearray(rng.integers(0, 256, len(data), np.uint8))
    for at, size in ranges:
        out[at : at + size] = data[at : at + size]
    return bytes(out)


@pytest.mark.parametrize("options", STREAMS, ids=str)
@pytest.mark.parametrize("fill", ["zero", "random"])
def test_the_plan_suffices(options, fill, rng):
    a = picture(rng, (300, 287, 3), np.uint8)
    data = mt.codec.encode(a, **options)
    for part in (
        {"region": ((40, 80), (100, 160))},
        {"reduce": 1},
        {"reduce": 1, "region": ((3, 60), (9, 40))},
        {},
    ):
        plan = mt.codec.plan(data, **part)
        assert plan == sorted(plan) and all(n > 0 for _, n in plan) and plan.need_bytes == 0
        assert all(a + n < b for (a, n), (b, _) in zip(plan, plan[1:]))
        assert plan[-1][0] + plan[-1][1] <= len(data)
        kept = only(data, plan, rng, fill)
        got = mt.codec.decode(kept, present=plan, **part)
        assert np.array_equal(got, mt.codec.decode(data, **part)), part


def test_the_plan_is_small_and_exact_with_lengths(rng):
    a = picture(rng, (1024, 1024), np.uint16)
    data = mt.codec.encode(a, block=(32, 32), precincts=[(128, 128)])
    part = {"region": ((500, 596), (400, 496))}
    plan = mt.codec.plan(data, **part)
    assert plan.exact and plan.bytes < 0.15 * len(data)
    assert mt.codec.plan(data, reduce=2).bytes < 0.12 * len(data)


def test_the_plan_from_the_beginning_of_a_file(rng):
    a = picture(rng, (512, 512), np.uint16)
    data = mt.codec.encode(a)
    n = 64
    while True:
        try:
            plan = mt.codec.plan(data[:n], total=len(data), reduce=2)
        except mt.CorruptError:
            plan = None
        if plan is not None and plan.need_bytes == 0:
            break
        assert plan is None or plan.need_bytes > n
        n = plan.need_bytes if plan is not None else 2 * n
        assert n <= len(data)
    assert n < len(data)
    kept = only(data, plan, rng, "zero")
    assert np.array_equal(mt.codec.decode(kept, present=plan, reduce=2), mt.codec.decode(data, reduce=2))


def test_bytes_that_are_not_there_are_an_error(rng):
    a = picture(rng, (300, 287), np.uint8)
    data = mt.codec.encode(a)
    plan = mt.codec.plan(data, reduce=2)
    with pytest.raises(mt.CorruptError):
        mt.codec.decode(data, present=plan)
    part, report = mt.codec.decode_partial(data, present=plan)
    assert not report["complete"] and report["levels"] == 2 and part.shape == a.shape


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_a_prefix_holds_a_resolution(codec, rng):
    a = picture(rng, (512, 480), np.uint16)
    data = mt.codec.encode(a, codec=codec)
    for reduce in (1, 2, 3):
        end = mt.codec.plan(data, reduce=reduce)[-1]
        prefix = data[: end[0] + end[1]]
        assert len(prefix) < len(data)
        small, report = mt.codec.decode_partial(prefix, reduce=reduce)
        assert np.array_equal(small, mt.codec.decode(data, reduce=reduce)) and report["complete"]
        whole, report = mt.codec.decode_partial(prefix)
        assert report["levels"] == reduce and not report["complete"] and whole.shape == a.shape


# ---- anything with anything ------------------------------------------------------------------------------


def any_stream(rng):
    """(picture, stream, whether it is lossless), with options drawn at random."""
    dtype = DTYPES[rng.integers(4)]
    bits, channels = int(rng.integers(1, np.iinfo(dtype).bits + 1)), int(rng.integers(1, 5))
    size = tuple(int(n) for n in rng.integers(1, 200, 2))
    levels = int(rng.integers(0, 7))
    options = {
        "codec": ["htj2k", "j2k"][rng.integers(2)],
        "levels": levels,
        "block": [(64, 64), (32, 32), (16, 16), (4, 4), (8, 64), (4, 1024)][rng.integers(6)],
        "progression": mt.codec.PROGRESSIONS[rng.integers(5)],
        "tile": [None, (64, 64), (50, 77), (33, 128)][rng.integers(4)],
        "quality": None if rng.integers(2) else float(rng.integers(20, 100)),
        "precincts": [(128, 128), (64, 64)] if levels and rng.integers(2) else None,
        "origin": tuple(int(n) for n in rng.integers(0, 33, 2)) if rng.integers(3) == 0 else (0, 0),
        "plt": bool(rng.integers(2)),
        "tlm": bool(rng.integers(2)),
    }
    if options["codec"] == "j2k":
        options["style"] = ["", "bypass", "termall", "causal,segsym", "reset,predictable"][rng.integers(5)]
        options["layers"] = [None, 3][rng.integers(2)]
    a = picture(rng, size if channels == 1 else (*size, channels), dtype, bits)
    return a, mt.codec.encode(a, bits=bits, **options), options["quality"] is None


def any_part(rng, shape):
    """Keyword arguments of decode for a random region and channels, and the same as an index of the whole picture."""
    (y0, y1), (x0, x1) = (sorted(int(v) for v in rng.choice(n + 1, 2, replace=False)) for n in shape[:2])
    part, index = {"region": ((y0, y1), (x0, x1))}, (slice(y0, y1), slice(x0, x1))
    if len(shape) == 3 and rng.integers(2):
        chosen = [int(c) for c in rng.permutation(shape[2])[: rng.integers(1, shape[2] + 1)]]
        part["components"] = chosen
        index = (*index, chosen[0] if len(chosen) == 1 else chosen)
    return part, index


@pytest.mark.parametrize("seed", range(6))
def test_any_part_of_any_stream(seed):
    """Region, resolution, channels, layout, threads, plan and rows agree with the whole picture."""
    rng = np.random.default_rng(seed)
    for _ in range(40):
        a, data, lossless = any_stream(rng)
        reduce = int(rng.integers(0, mt.codec.info(data)["min_levels"] + 1))
        whole = mt.codec.decode(data, reduce=reduce)
        assert reduce or not lossless or np.array_equal(whole, a)
        if not whole.size:
            continue
        for _ in range(3):
            part, index = any_part(rng, whole.shape)
            part["reduce"] = reduce
            got = mt.codec.decode(data, planar=True, threads=int(rng.integers(1, 4)), **part)
            wanted = whole[index]
            assert np.array_equal(got, wanted.transpose(2, 0, 1) if wanted.ndim == 3 else wanted)
            plan = mt.codec.plan(data, **part)
            kept = only(data, plan, rng, "random")
            assert np.array_equal(mt.codec.decode(kept, present=plan, **part), wanted)
        rows = [rows for _, rows in mt.codec.decode_rows(data, reduce=reduce, threads=2)]
        assert np.array_equal(np.concatenate(rows), whole)


# ---- every instruction set -------------------------------------------------------------------------------

TIER_PROGRAM = """
import hashlib, sys
sys.path.insert(0, {tests!r})
import numpy as np, microtome as mt
from codec_tools import picture
rng, digest = np.random.default_rng(11), hashlib.sha256()
for codec in ("htj2k", "j2k"):
    for dtype, shape, bits in ((np.uint8, (131, 97, 3), 8), (np.int16, (131, 97), 16), (np.uint16, (77, 200), 12),
                               (np.uint16, (5, 300), 16), (np.uint8, (64, 64, 3), 8)):
        a = picture(rng, shape, dtype, bits)
        for options in ({{}}, {{"block": (16, 16)}}, {{"block": (4, 256)}}, {{"lossless": False, "quality": 85}}):
            data = mt.codec.encode(a, codec=codec, bits=bits, levels=3, **options)
            digest.update(data)
            for part in ({{}}, {{"reduce": 1}}, {{"region": ((1, 4), (3, 50))}}, {{"dtype": "float32"}}):
                digest.update(mt.codec.decode(data, **part).tobytes())
print(mt.cpu_flags(), digest.hexdigest())
"""


def test_every_tier_gives_the_same_bytes():
    results = {}
    for tier in ("0", "avx2", "avx512", "vbmi2"):
        done = subprocess.run(
            [sys.executable, "-c", TIER_PROGRAM.format(tests=os.path.dirname(__file__))],  # noqa: PTH120
            capture_output=True,
            text=True,
            env={**os.environ, "MTM_CPU": tier},
            timeout=600,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        flags, digest = done.stdout.split()
        results[flags] = digest
    assert len(set(results.values())) == 1, results


# ---- DICOM's transfer syntaxes ---------------------------------------------------------------------------


@pytest.mark.parametrize("uid", [u for u, s in mt.codec.transfer_syntaxes.items() if not s.multicomponent])
def test_streams_of_a_transfer_syntax(uid, rng):
    syntax = mt.codec.transfer_syntaxes[uid]
    a = picture(rng, (600, 500), np.uint16, 12)
    data = mt.codec.encode(a, transfer_syntax=uid, bits=12)
    facts = mt.codec.info(data)
    assert facts["codec"] == syntax.codec and facts["container"] == "codestream"
    assert np.array_equal(mt.codec.decode(data), a)
    if syntax.rpcl:
        smallest = mt.codec.decode(data, reduce=facts["levels"])
        assert facts["progression"] == "RPCL" and facts["tlm"] and min(smallest.shape) <= 64
        with pytest.raises(mt.InvalidError):
            mt.codec.encode(a, transfer_syntax=uid, progression="LRCP")
    if syntax.lossless:
        with pytest.raises(mt.InvalidError):
            mt.codec.encode(a, transfer_syntax=uid, quality=50)
    with pytest.raises(mt.InvalidError):
        mt.codec.encode(a, transfer_syntax=uid, container="jp2")


def test_transfer_syntaxes_that_are_not_written(rng):
    a = picture(rng, (40, 50), np.uint8)
    for uid in ("1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.50"):
        with pytest.raises(mt.UnsupportedError, match=uid.replace(".", r"\.")):
            mt.codec.encode(a, transfer_syntax=uid)


@pytest.mark.parametrize("spread", [1, 2, 9, 60, 1000, 8000, 30000, 65536])
@pytest.mark.parametrize("offset", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_exponents_follow_the_spread_and_still_hold_every_coefficient(rng, codec, spread, offset):
    """The sharpest picture of a spread, wherever it lies in the precision: signalled bit-planes must do for all decoders."""
    low = int((65536 - spread) * offset)
    for shape in ((64, 80), (37, 51, 3), (1, 33)):
        for a in (rng.integers(0, 2, shape) * (spread - 1) + low, rng.integers(0, spread, shape) + low):
            a = a.astype(np.uint16)
            data = mt.codec.encode(a, codec=codec)
            assert np.array_equal(mt.codec.decode(data), a)
            assert np.array_equal(their_shape(imagecodecs().jpeg2k_decode(data), shape), a)
            signed = (a.astype(np.int32) - 32768).astype(np.int16)
            assert np.array_equal(mt.codec.decode(mt.codec.encode(signed, codec=codec)), signed)


@pytest.mark.parametrize("name", ["CT1", "MR2", "XA1", "RG3", "US1", "VL1"])
def test_lossless_files_are_no_larger_than_openjphs(name):
    path = DATA / "wg04" / f"{name}.j2c"
    if not path.exists():
        pytest.skip(f"no {path.name} in the data folder")
    a = imagecodecs().htj2k_decode(path.read_bytes())
    assert len(mt.codec.encode(a)) <= len(imagecodecs().htj2k_encode(a))


def test_threads_are_as_many_as_asked_for():
    """The pool of n threads is there after a call that asks for n; a larger one does not stand in for it."""
    program = (
        "import os, numpy as np, microtome as mt\n"
        "data = mt.codec.encode(np.zeros((64, 64), np.uint8))\n"
        "mt.codec.decode(data); before = len(os.listdir('/proc/self/task'))\n"
        "mt.codec.decode_batch([data] * 8, threads=3)\n"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(out.stdout) == 3
