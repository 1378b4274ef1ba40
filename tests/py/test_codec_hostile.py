"""The codec on streams that are cut, changed, contradict themselves, or were written badly: a clear error with its offset, or a
partial picture that says so; never a crash, never a wrong picture in silence.

SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import struct

import microtome as mt
import numpy as np
import pytest
from codec_tools import picture

REFUSALS = (mt.CorruptError, mt.UnsupportedError, mt.LimitError)
KINDS = [
    {"codec": "htj2k"},
    {"codec": "j2k"},
    {"codec": "htj2k", "tile": (64, 64), "progression": "LRCP"},
    {"codec": "j2k", "layers": 3, "style": "segsym,termall", "sop": True, "eph": True},
    {"codec": "htj2k", "container": "jph"},
    {"codec": "j2k", "container": "jp2", "plt": False, "tlm": False},
]


@pytest.fixture(scope="module", params=KINDS, ids=str)
def stream(request):
    a = picture(np.random.default_rng(1), (150, 130), np.uint8)
    return a, mt.codec.encode(a, **request.param)


def segment(data, code):
    """Offset of the first marker of this code."""
    return data.index(struct.pack(">H", code))


# ---- cut and changed -------------------------------------------------------------------------------------


def test_a_cut_stream_is_an_error_with_an_offset(stream):
    a, data = stream
    for n in sorted({*range(0, 40), *range(40, len(data) - 2, max(1, len(data) // 150))}):
        with pytest.raises(REFUSALS) as e:
            mt.codec.decode(data[:n])
        if isinstance(e.value, mt.CorruptError):
            assert -1 < e.value.offset <= n, n


def test_a_cut_stream_is_a_partial_picture(stream):
    a, data = stream
    last, complete_at = -1, None
    for n in range(0, len(data) + 1, max(1, len(data) // 60)):
        try:
            part, report = mt.codec.decode_partial(data[:n])
        except REFUSALS:
            assert last == -1  # once the headers are there, there is a picture
            continue
        assert part.shape == a.shape and report["bytes_used"] <= n and report["blocks_decoded"] >= last
        last = report["blocks_decoded"]
        assert report["blocks_decoded"] <= report["blocks"]
        if report["complete"]:
            complete_at = n
            assert np.array_equal(part, a)
        else:
            assert report["warnings"] or report["levels"] != 0
    whole, report = mt.codec.decode_partial(data)
    assert (
        report["complete"] and report["levels"] == 0 and np.array_equal(whole, a) and report["warnings"] == []
    )
    assert complete_at is None or complete_at > len(data) // 2


def test_more_of_a_stream_is_a_better_picture():
    a = picture(np.random.default_rng(1), (256, 256), np.uint8)
    data = mt.codec.encode(a)
    errors = []
    for n in (len(data) // 8, len(data) // 3, len(data)):
        part, _ = mt.codec.decode_partial(data[:n])
        errors.append(float(((part.astype(float) - a) ** 2).mean()))
    assert errors[0] > errors[1] > errors[2] == 0


def test_changed_bytes_never_crash(stream):
    """Whatever comes out is a picture of the right shape or an error of ours."""
    a, data = stream
    rng = np.random.default_rng(5)
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            at = int(
                rng.integers(0, len(data)) if rng.random() < 0.5 else rng.integers(0, min(300, len(data)))
            )
            changed[at] = rng.integers(0, 256)
        for decode in (mt.codec.decode, mt.codec.decode_partial):
            with contextlib.suppress(mt.Error):
                decode(bytes(changed), max_bytes=1 << 26)
        try:
            mt.codec.info(bytes(changed))
            mt.codec.plan(bytes(changed), region=((10, 20), (10, 20)))
        except mt.Error:
            pass


def test_cut_and_spliced_streams_never_crash(stream):
    a, data = stream
    rng = np.random.default_rng(6)
    for _ in range(200):
        i, j = sorted(rng.integers(0, len(data), 2))
        spliced = data[:i] + data[j:] if rng.random() < 0.5 else data[:j] + data[i:j] + data[j:]
        with contextlib.suppress(mt.Error):
            mt.codec.decode_partial(spliced, max_bytes=1 << 26)


# ---- headers that cannot be ------------------------------------------------------------------------------


def siz(data, field, value, size=4):
    """The stream with a field of SIZ changed; field: bytes behind the marker's length."""
    at = segment(data, 0xFF51) + 4 + field
    return data[:at] + value.to_bytes(size, "big") + data[at + size :]


def plain(**options):
    return mt.codec.encode(picture(np.random.default_rng(1), (150, 130), np.uint8), **options)


@pytest.mark.parametrize(
    ("field", "value", "size"),
    [
        (2, 0, 4),  # Xsiz
        (6, 0, 4),
        (2, 0xFFFFFFFF, 4),
        (6, 0xFFFFFFFF, 4),
        (10, 0x7FFFFFFF, 4),  # XOsiz beyond the image
        (18, 0, 4),  # XTsiz
        (22, 0, 4),
        (18, 1, 4),  # one-sample tiles
        (26, 500, 4),  # XTOsiz right of the image
        (34, 0, 2),  # Csiz
        (34, 16385, 2),
        (34, 3, 2),  # more components than there are entries
        (36, 0x7F, 1),  # 128 bits
        (37, 0, 1),  # XRsiz
        (38, 0, 1),
    ],
)
def test_absurd_sizes(field, value, size):
    changed = siz(plain(), field, value, size)
    with pytest.raises(REFUSALS):
        mt.codec.decode(changed, max_bytes=1 << 28)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\x4f", b"\xff\x4f\xff\x51", b"nothing at all", bytes(64), b"\xff" * 64]
)
def test_hardly_any_bytes(data):
    for call in (mt.codec.decode, mt.codec.decode_partial, mt.codec.info, mt.codec.plan):
        with pytest.raises((mt.CorruptError, mt.UnsupportedError)):
            call(data)


def test_a_small_file_cannot_ask_for_much_memory():
    """A stream of a kilobyte that announces a picture of 2^31 by 2^31, or 65535 tiles of nothing."""
    data = plain(tile=(150, 130))
    huge = siz(siz(siz(siz(data, 2, 1 << 31), 6, 1 << 31), 18, 1 << 31), 22, 1 << 31)
    with pytest.raises(mt.LimitError):
        mt.codec.decode(huge)
    tiny_tiles = siz(siz(siz(siz(data, 2, 65535), 6, 1), 18, 1), 22, 1)
    with pytest.raises(REFUSALS):
        mt.codec.decode(tiny_tiles)
    with pytest.raises(mt.LimitError):
        mt.codec.decode(data, max_bytes=1000)


@pytest.mark.parametrize("levels", [33, 40, 255])
def test_too_many_levels(levels):
    data = bytearray(plain())
    data[segment(data, 0xFF52) + 9] = levels
    with pytest.raises(REFUSALS) as e:
        mt.codec.decode(bytes(data))
    assert e.value.offset >= 0


@pytest.mark.parametrize("exponent", [9, 15, 255])
def test_code_blocks_that_are_too_large(exponent):
    data = bytearray(plain())
    data[segment(data, 0xFF52) + 10] = exponent
    with pytest.raises(REFUSALS):
        mt.codec.decode(bytes(data))


@pytest.mark.parametrize("code", [0xFF51, 0xFF52, 0xFF5C])
def test_a_missing_or_double_segment(code):
    data = plain()
    at = segment(data, code)
    length = int.from_bytes(data[at + 2 : at + 4], "big") + 2
    with pytest.raises((mt.CorruptError, mt.UnsupportedError)):
        mt.codec.decode(data[:at] + data[at + length :])
    if code == 0xFF51:
        with pytest.raises(mt.CorruptError):
            mt.codec.decode(data[: at + length] + data[at : at + length] + data[at + length :])


def test_segment_lengths_that_leave_the_stream():
    data = bytearray(plain())
    for code in (0xFF51, 0xFF52, 0xFF5C):
        changed = bytearray(data)
        at = segment(data, code)
        for length in (0, 1, 2, 0xFFFF):
            changed[at + 2 : at + 4] = length.to_bytes(2, "big")
            with pytest.raises((mt.CorruptError, mt.UnsupportedError)):
                mt.codec.decode(bytes(changed))


# ---- DICOM's habits --------------------------------------------------------------------------------------


def test_a_pad_byte_and_anything_behind_the_end_is_ignored():
    a = picture(np.random.default_rng(1), (150, 130), np.uint8)
    for codec in ("htj2k", "j2k"):
        data = mt.codec.encode(a, codec=codec)
        for tail in (b"\0", b"\0\0", b"\xff\xd9", b"more than a byte"):
            assert np.array_equal(mt.codec.decode(data + tail), a)


def test_jp2_inside_a_frame_and_a_missing_end():
    a = picture(np.random.default_rng(1), (150, 130), np.uint8)
    for codec, container in (("htj2k", "jph"), ("j2k", "jp2")):
        data = mt.codec.encode(a, codec=codec, container=container)
        assert np.array_equal(mt.codec.decode(data + b"\0"), a)
    data = mt.codec.encode(a, codec="j2k")
    assert data[-2:] == b"\xff\xd9"
    part, report = mt.codec.decode_partial(data[:-2])
    assert np.array_equal(part, a)


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
@pytest.mark.parametrize("wrong", [0, 14, -1, 1, 2, 1000, 0xFFFFFFFF])
def test_a_wrong_length_of_the_last_tile_part(codec, wrong):
    """Psot 0 means "to the end"; others that do not fit are met in archives: the right picture, or an error."""
    a = picture(np.random.default_rng(1), (150, 130), np.uint8)
    data = bytearray(mt.codec.encode(a, codec=codec, tile_parts="", plt=False, tlm=False))
    at = segment(data, 0xFF90) + 6
    length = int.from_bytes(data[at : at + 4], "big")
    psot = wrong if wrong in (0, 14, 0xFFFFFFFF) else length + wrong
    data[at : at + 4] = psot.to_bytes(4, "big")
    try:
        got = mt.codec.decode(bytes(data))
    except mt.CorruptError as e:
        assert wrong not in (0,) and e.offset >= 0
    else:
        assert np.array_equal(got, a)
        if wrong not in (0, 1):  # one byte too many ends inside EOC, which nobody misses
            assert mt.codec.info(bytes(data))["warnings"]


# ---- boxes -----------------------------------------------------------------------------------------------


def boxes(data):
    """[(offset, type, size)] of the top level."""
    found, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big") or len(data) - at
        found.append((at, data[at + 4 : at + 8], size))
        at += size
    return found


@pytest.fixture(scope="module", params=["jp2", "jph"])
def boxed(request):
    a = picture(np.random.default_rng(2), (40, 50, 3), np.uint8)
    return a, mt.codec.encode(a, codec="j2k" if request.param == "jp2" else "htj2k", container=request.param)


def test_boxes_that_are_cut_or_contradict(boxed):
    a, data = boxed
    found = {kind: (at, size) for at, kind, size in boxes(data)}
    assert {b"jP  ", b"ftyp", b"jp2h", b"jp2c"} <= set(found)
    at, size = found[b"jp2c"]
    with pytest.raises(REFUSALS):
        mt.codec.decode(data[:at])  # no codestream
    for length in (2, 7, 0xFFFFFFFF):
        changed = data[:at] + length.to_bytes(4, "big") + data[at + 4 :]
        with contextlib.suppress(REFUSALS):
            assert np.array_equal(mt.codec.decode(changed), a)
    unbounded = data[:at] + bytes(4) + data[at + 4 :]  # a length of 0: to the end of the file
    assert np.array_equal(mt.codec.decode(unbounded), a)
    long_form = data[:at] + struct.pack(">I4sQ", 1, b"jp2c", size + 8) + data[at + 8 :]
    assert np.array_equal(mt.codec.decode(long_form), a)


def test_boxes_never_crash(boxed):
    a, data = boxed
    end = next(at for at, kind, _ in boxes(data) if kind == b"jp2c") + 8
    rng = np.random.default_rng(8)
    for _ in range(500):
        changed = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            changed[rng.integers(0, end)] = rng.integers(0, 256)
        for call in (mt.codec.decode, mt.codec.info, lambda d: mt.codec.decode(d, to_rgb=True)):
            with contextlib.suppress(mt.Error):
                call(bytes(changed))


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def with_header(data, *more):
    """The file with its jp2h box holding `more` boxes behind its own."""
    at, size = next((at, size) for at, kind, size in boxes(data) if kind == b"jp2h")
    body = data[at + 8 : at + size] + b"".join(more)
    return data[:at] + box(b"jp2h", body) + data[at + size :]


def test_a_palette_is_expanded(rng):
    index = rng.integers(0, 5, (30, 37)).astype(np.uint8)
    colors = rng.integers(0, 256, (5, 3), dtype=np.uint8)
    data = mt.codec.encode(index, codec="j2k", container="jp2")
    palette = box(b"pclr", struct.pack(">HB3B", 5, 3, 7, 7, 7) + colors.tobytes())
    mapping = box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, c) for c in range(3)))
    got = mt.codec.decode(with_header(data, palette, mapping))
    assert np.array_equal(got, colors[index])
    facts = mt.codec.info(with_header(data, palette, mapping))
    assert facts["palette_entries"] == 5 and facts["channels"] == 3 and facts["n_components"] == 1
    broken = box(b"cmap", struct.pack(">HBB", 7, 1, 9))
    data = with_header(data, palette, broken)
    assert np.array_equal(mt.codec.decode(data), index)  # without its palette, and with a warning
    assert "palette" in mt.codec.info(data)["warnings"][0]


def test_channel_definitions_are_obeyed(rng):
    rgb = rng.integers(0, 256, (30, 37, 3), dtype=np.uint8)
    data = mt.codec.encode(rgb[..., ::-1], codec="j2k", container="jp2", color="srgb", mct=False)
    order = box(b"cdef", struct.pack(">H", 3) + b"".join(struct.pack(">HHH", c, 0, 3 - c) for c in range(3)))
    assert np.array_equal(mt.codec.decode(with_header(data, order)), rgb)


# ---- what encode refuses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"codec": "jpeg4000"},
        {"block": (3, 64)},
        {"block": (128, 128)},
        {"block": (2, 64)},
        {"block": (2048, 2)},
        {"levels": 33},
        {"progression": "XYZW"},
        {"precincts": [(100, 100)]},
        {"tile": (-5, 20)},
        {"quality": 0.5},
        {"quality": 101},
        {"step": -1},
        {"step": 1e300},
        {"rate": -2},
        {"rate": 1.0, "codec": "htj2k"},
        {"lossless": True, "quality": 50},
        {"bits": 33},
        {"bits": 4},
        {"container": "zip"},
        {"style": "nonsense"},
        {"tile_parts": "Q"},
        {"layers": 70000, "codec": "j2k"},
        {"threads": -1},
    ],
    ids=str,
)
def test_encode_refuses(options, rng):
    a = picture(rng, (40, 50), np.uint8)
    with pytest.raises((mt.InvalidError, mt.UnsupportedError)):
        mt.codec.encode(a, **options)


@pytest.mark.parametrize(
    "a",
    [
        np.zeros((0, 5), np.uint8),
        np.zeros((5, 0), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((2, 2, 2, 2), np.uint8),
        np.zeros((5, 5), np.float32),
        np.zeros((5, 5), np.complex64),
    ],
    ids=lambda a: f"{a.dtype}{a.shape}",
)
def test_encode_refuses_pictures(a):
    with pytest.raises((mt.InvalidError, mt.UnsupportedError)):
        mt.codec.encode(a)


def test_planes_that_fit_no_grid(rng):
    planes = [np.zeros((40, 50), np.uint8), np.zeros((39, 50), np.uint8)]
    with pytest.raises(mt.InvalidError, match="subsampling"):
        mt.codec.encode(planes)
