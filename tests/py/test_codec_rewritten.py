"""Codestreams and files put together in ways that are legal, or common, and that no encoder at hand writes: all of them give
the picture of the stream they were made of.

SPDX-License-Identifier: Apache-2.0
"""

import struct

import codec_packets as cp
import microtome as mt
import numpy as np
import pytest
from codec_tools import picture

KINDS = {
    "j2k": {"codec": "j2k", "layers": 3, "tile_parts": "R"},
    "htj2k": {"codec": "htj2k", "tile_parts": "R"},
    "tiles": {"codec": "j2k", "layers": 2, "tile": (40, 48), "tile_parts": "R"},
    "httiles": {"codec": "htj2k", "tile": (33, 64), "progression": "PCRL"},
}


@pytest.fixture(params=KINDS)
def made(request, rng):
    """(picture, its Stream)."""
    a = picture(rng, (75, 99, 3), np.uint8)
    precincts = [(64, 64), (32, 32)]
    data = mt.codec.encode(
        a, levels=3, block=(16, 16), precincts=precincts, plt=True, eph=True, sop=True,
        container="codestream", **KINDS[request.param],
    )  # fmt: skip
    return a, cp.parse(data)


def check(a, data, warnings=False):
    assert np.array_equal(mt.codec.decode(data), a)
    assert np.array_equal(mt.codec.decode(data, region=((20, 61), (33, 80))), a[20:61, 33:80])
    got, report = mt.codec.decode_partial(data)
    assert np.array_equal(got, a) and report["complete"]
    facts = mt.codec.info(data)
    assert bool(facts["warnings"] or report["warnings"]) == warnings, (facts["warnings"], report["warnings"])
    return facts


def test_the_parser_loses_nothing(made):
    a, s = made
    check(a, cp.build(s))


@pytest.mark.parametrize("cut", [7, 100, 60000])
@pytest.mark.parametrize("packed", ["main", "tile"])
def test_packed_packet_headers(made, packed, cut, rng):
    a, s = made
    if cut == 7 and sum(len(p.header) for part in s.parts for p in part.packets) > 7 * 250:
        cut = 40
    for stream in (s, cp.split(s, rng), cp.split(s, rng)):
        data = cp.build(stream, packed=packed, cut=cut)
        check(a, data)
        check(a, cp.build(stream, packed=packed, cut=cut, shuffle=lambda x: x[::-1]))


@pytest.mark.parametrize("packed", [None, "main", "tile"])
@pytest.mark.parametrize("lengths", ["main", "tile"])
def test_packet_lengths(made, lengths, packed):
    a, s = made
    if lengths == "main" and any(len(p.packets) > 100 for p in s.parts):  # Nplm is one byte
        s = cp.Stream(
            s.segments,
            [
                cp.TilePart(p.tile, p.segments if i == 0 else [], p.packets[i : i + 60])
                for p in s.parts
                for i in range(0, len(p.packets), 60)
            ],
        )
    check(a, cp.build(s, lengths=lengths, packed=packed, cut=30))


def test_tile_parts_of_tiles_in_between_each_other(made, rng):
    a, s = made
    for _ in range(6):
        check(a, cp.build(cp.split(s, rng), lengths="tile"))
        check(a, cp.build(cp.split(s, rng)))


def test_packet_lengths_of_some_tile_parts_only(rng):
    """A packet that is skipped by its length tells nothing to the next layer's, which may have no length itself."""
    for _ in range(60):
        a = picture(rng, (44, 57), np.uint8, 4)
        data = mt.codec.encode(a, codec="j2k", layers=3, levels=2, progression="LRCP", plt=True, eph=True)
        s = cp.parse(data)
        whole = cp.build(s)
        first, packets = s.parts[0], s.parts[0].packets
        lengths = b"".join(cp._variable(len(bytes(p))) for p in packets[:3])
        first.segments, first.packets = [(cp.PLT, b"\0" + lengths)], packets[:3]
        data = cp.build(cp.Stream(s.segments, [first, cp.TilePart(0, [], packets[3:])]))
        for r in (1, 2):
            plan = mt.codec.plan(data, reduce=r)
            there = bytearray(len(data))
            for offset, size in plan:
                there[offset : offset + size] = data[offset : offset + size]
            want = mt.codec.decode(whole, reduce=r)
            assert np.array_equal(mt.codec.decode(data, reduce=r), want)
            assert np.array_equal(mt.codec.decode(bytes(there), reduce=r, present=plan), want)


def test_tile_part_lengths_of_zero_and_wrong_ones(made, rng):
    a, s = made
    check(a, cp.build(s, psot=lambda i, size, last: 0 if last else size))
    for wrong in (1, -1, 12345):
        data = cp.build(s, psot=lambda i, size, last, wrong=wrong: size + wrong if i == 0 else size)
        assert np.array_equal(mt.codec.decode(data), a)
        assert mt.codec.info(data)["warnings"]


@pytest.mark.parametrize(
    "end", [b"", b"\xff\xd9\0", b"\xff\xd9\0\0\0\xff\x90\xff", b"\xff\xd9\xff\xd9", b"\0"]
)
def test_ends(made, end):
    a, s = made
    check(a, cp.build(s, end=end), warnings=not end)
    data = cp.build(s, end=end, psot=lambda i, size, last: 0 if last else size)
    if end != b"\0":  # then it belongs to the tile-part
        check(a, data, warnings=not end)


def test_markers_that_say_nothing_of_pixels(made):
    a, s = made
    extra = [(0xFF30, b""), (cp.COM, b"\0\1one"), (cp.COM, b"\0\0\1\2"), (0xFF3F, b""), (cp.CRG, bytes(12))]
    unknown = [(0xFF6F, b"what"), (0xFFA0, b""), (0xFF01, bytes(300))]
    for i in (1, len(s.segments)):
        known = cp.Stream([*s.segments[:i], *extra, *s.segments[i:]], s.parts)
        facts = mt.codec.info(cp.build(known))
        assert sum(m["name"] == "COM" for m in facts["markers"]) >= 2
        assert np.array_equal(mt.codec.decode(cp.build(known)), a)
        check(a, cp.build(cp.Stream([*s.segments[:i], *unknown, *s.segments[i:]], s.parts)), warnings=True)
    for part in s.parts:
        part.segments += [(0xFF35, b""), (cp.COM, b"\0\1two"), (0xFF6F, b"what")]
    assert np.array_equal(mt.codec.decode(cp.build(s)), a)


def test_parameters_in_tile_headers(made):
    """What main says is wrong in each way; the tiles say what holds, for all components or one by one (T.800 A.6)."""
    a, s = made
    cod, qcd = s.main(cp.COD), s.main(cp.QCD)
    wrong_cod = cod[:5] + bytes([1, 3, 3]) + cod[8:9] + b"\1" + b"\x77" * 2
    wrong_qcd = bytes([1 << 5]) + bytes([3 << 3] * 97)
    coc = [(cp.COC, bytes([c, cod[0] & 1]) + cod[5:]) for c in range(3)]
    qcc = [(cp.QCC, bytes([c]) + qcd) for c in range(3)]
    rest = [x for x in s.segments if x[0] not in (cp.COD, cp.QCD)]
    wrong = [(cp.COD, wrong_cod), (cp.QCD, wrong_qcd)]
    ways = {
        "tile COD, QCD": (wrong, [(cp.COD, cod), (cp.QCD, qcd)]),
        "tile COC, QCC": (wrong, coc + qcc),
        "tile COD over main COC": (
            [*wrong, (cp.COC, bytes([1, 1]) + wrong_cod[5:]), (cp.QCC, bytes([2]) + wrong_qcd)],
            [(cp.COD, cod), (cp.QCD, qcd)],
        ),
        "tile COC before tile COD": (wrong, [coc[1], qcc[2], (cp.COD, cod), (cp.QCD, qcd), coc[0]]),
        "main COC over main COD": (coc + qcc + wrong, []),
        "tile QCC over tile QCD": (wrong, [(cp.COD, cod), (cp.QCD, wrong_qcd), *qcc]),
    }
    firsts = {p.tile: p for p in reversed(s.parts)}
    for name, (main, tile) in ways.items():
        for part in firsts.values():
            part.segments = tile
        data = cp.build(cp.Stream(rest[:1] + main + rest[1:], s.parts))
        assert np.array_equal(mt.codec.decode(data), a), name


def test_progressions_in_main_and_tile_headers(made):
    """POC says once more what COD says, in one and in several pieces, in main and in tile headers."""
    a, s = made
    cod = s.main(cp.COD)
    layers, order = struct.unpack(">H", cod[2:4])[0], cod[1]
    entry = lambda r0, c0, l1, r1, c1, p: struct.pack(">BBHBBB", r0, c0, l1, r1, c1, p)  # noqa: E731
    whole = entry(0, 0, layers, 33, 0, order)
    pieces = {2: [entry(r, 0, layers, r + 1, 3, 2) for r in range(4)]}.get(order, [whole])
    wrong = entry(0, 0, layers, 33, 255, 4)
    other_cod = cod[:1] + bytes([0 if order else 1]) + cod[2:]
    rest = [x if x[0] != cp.COD else (cp.COD, other_cod) for x in s.segments]
    firsts = {p.tile: p for p in reversed(s.parts)}
    for main, tile in (([whole], []), ([wrong], [whole]), ([], pieces), (pieces, []), ([], [whole, wrong])):
        segments = rest + ([(cp.POC, b"".join(main))] if main else [])
        for part in firsts.values():
            part.segments = [(cp.POC, b"".join(tile))] if tile else []
        assert np.array_equal(mt.codec.decode(cp.build(cp.Stream(segments, s.parts))), a)


def test_profiles_and_capabilities_do_not_matter(made):
    """Rsiz and Ccap15 say what a decoder may meet, not what the bytes mean (T.800 A.5.1, T.814 A.3)."""
    a, s = made
    siz = s.main(cp.SIZ)
    for rsiz in (0, 1, 2, 3, 0x0401, 0x4000, 0xC000):
        segments = [(cp.SIZ, struct.pack(">H", rsiz) + siz[2:])] + s.segments[1:]
        check(a, cp.build(cp.Stream(segments, s.parts)))
    others = [x for x in s.segments if x[0] != cp.CAP]
    if len(others) == len(s.segments):
        return
    for kind in (0x0000, 0x4000, 0x8000, 0xC000, 0x002B):  # HTONLY, HTDECLARED, HTMIXED, several sets, …
        one = (cp.CAP, struct.pack(">IH", 0x00020000, kind))
        check(a, cp.build(cp.Stream([others[0], one, *others[1:]], s.parts)))
    two = (cp.CAP, struct.pack(">IHH", 0x40020000, 0, 2))
    check(a, cp.build(cp.Stream([others[0], two, *others[1:]], s.parts)))
    check(a, cp.build(cp.Stream(others, s.parts)), warnings=True)


def test_packet_markers_that_are_there_or_not(made):
    """SOP and EPH may be left out where COD allows them (T.800 A.8); SOP's number wraps around."""
    a, s = made
    change = lambda f: cp.Stream(  # noqa: E731
        s.segments,
        [cp.TilePart(p.tile, p.segments, [f(i, x) for i, x in enumerate(p.packets)]) for p in s.parts],
    )
    check(a, cp.build(change(lambda i, x: cp.Packet(b"", x.header, x.body))))
    check(a, cp.build(change(lambda i, x: cp.Packet(x.sop, x.header[:-2], x.body))))
    check(
        a,
        cp.build(
            change(lambda i, x: cp.Packet(x.sop if i % 3 else b"", x.header[: -2 if i % 2 else None], x.body))
        ),
    )
    check(
        a,
        cp.build(
            change(
                lambda i, x: cp.Packet(
                    b"\xff\x91\0\4" + struct.pack(">H", i + 65530 & 65535), x.header, x.body
                )
            )
        ),
    )
    empty = cp.TilePart(s.parts[-1].tile)
    check(a, cp.build(cp.Stream(s.segments, [*s.parts, empty, empty])))


# ---- files -----------------------------------------------------------------------------------------------


@pytest.fixture
def rgb(rng):
    a = picture(rng, (21, 34, 3), np.uint8)
    return a, mt.codec.encode(a, codec="j2k", container="codestream", mct=False)


def file_of(code, *header, before=(), after=(), **how):
    head = cp.box(b"jp2h", b"".join(header))
    return cp.SIGNATURE + cp.FTYP + b"".join(before) + head + b"".join(after) + cp.box(b"jp2c", code, **how)


def test_boxes_in_every_form(rgb):
    a, code = rgb
    header = (cp.ihdr(21, 34, 3, 8), cp.colr(16))
    odd = cp.box(b"uuid", bytes(40)), cp.box(b"xyzw", b"?", wide=True), cp.box(b"free")
    files = [
        file_of(code, *header),
        file_of(code, *header, wide=True),
        file_of(code, *header, open_end=True),
        file_of(code, *header, before=odd, after=odd),
        file_of(code, header[1], header[0]),
        file_of(code, cp.box(b"res ", cp.box(b"resc", bytes(10))), *header, odd[1], cp.box(b"bpcc", b"\7\7\7")),
        file_of(code, cp.ihdr(21, 34, 3, 256), cp.box(b"bpcc", b"\7\7\7"), header[1]),
        file_of(code, *header) + b"".join(odd) + cp.box(b"jp2c", b"second"),
        cp.SIGNATURE + cp.box(b"ftyp", b"jpx \0\0\0\0jpx jp2 jpxb") + cp.box(b"rreq", bytes(9))
        + cp.box(b"jp2h", b"".join(header)) + cp.box(b"jp2c", code),
        cp.SIGNATURE + cp.FTYP + cp.box(b"jp2c", code) + cp.box(b"jp2h", b"".join(header)),
    ]  # fmt: skip
    for i, data in enumerate(files):
        assert np.array_equal(mt.codec.decode(data), a), i
        assert not mt.codec.info(data)["warnings"], i


def test_fragments_are_refused_by_name():
    flst = cp.box(b"flst", struct.pack(">HQIH", 1, 100, 50, 0))
    with pytest.raises(mt.UnsupportedError, match="fragments"):
        mt.codec.decode(
            cp.SIGNATURE
            + cp.FTYP
            + cp.box(b"jp2h", cp.ihdr(4, 4, 1, 8) + cp.colr(17))
            + cp.box(b"ftbl", flst)
        )


def test_header_box_against_siz(rgb):
    a, code = rgb
    for wrong in ((22, 34, 3, 8), (21, 34, 4, 8), (21, 34, 3, 12)):
        data = file_of(code, cp.ihdr(*wrong), cp.colr(16))
        assert np.array_equal(mt.codec.decode(data), a)
        assert mt.codec.info(data)["warnings"]


def test_channel_definitions_order_channels(rgb):
    a, code = rgb

    def cdef(*rows):
        return cp.box(b"cdef", struct.pack(">H", len(rows)) + b"".join(struct.pack(">3H", *r) for r in rows))

    header = (cp.ihdr(21, 34, 3, 8), cp.colr(16))
    assert np.array_equal(
        mt.codec.decode(file_of(code, *header, cdef((0, 0, 3), (1, 0, 2), (2, 0, 1)))), a[..., ::-1]
    )
    assert np.array_equal(
        mt.codec.decode(file_of(code, *header, cdef((2, 0, 3), (0, 0, 2), (1, 0, 1)))), a[..., [1, 0, 2]]
    )
    gray = (cp.ihdr(21, 34, 3, 8), cp.colr(17))  # alpha first in the codestream comes last
    assert np.array_equal(
        mt.codec.decode(file_of(code, *gray, cdef((0, 1, 0), (1, 0, 1), (2, 65535, 65535)))),
        a[..., [1, 0, 2]],
    )


@pytest.mark.parametrize("bits", [8, 12, 38])
def test_palettes(bits, rng):
    index = picture(rng, (19, 23, 2), np.uint8, 4)
    code = mt.codec.encode(index, codec="j2k", container="codestream", bits=4)
    table = rng.integers(0, 1 << bits, (16, 3))
    size = (bits + 7) // 8
    values = b"".join(int(v).to_bytes(size, "big") for v in table.reshape(-1))
    pclr = cp.box(b"pclr", struct.pack(">HB", 16, 3) + bytes([bits - 1] * 3) + values)
    cmap = cp.box(
        b"cmap", b"".join(struct.pack(">HBB", *r) for r in ((0, 1, 2), (0, 1, 0), (1, 1, 1), (1, 0, 0)))
    )
    got = mt.codec.decode(file_of(code, cp.ihdr(19, 23, 2, 4), cp.colr(16), pclr, cmap))
    want = [table[index[..., 0], 2], table[index[..., 0], 0], table[index[..., 1], 1], index[..., 1]]
    for c in range(4):
        assert np.array_equal(np.asarray(got[..., c]).astype(np.int64), want[c]), c
