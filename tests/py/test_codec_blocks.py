"""Code-blocks in packets that no encoder at hand writes: quality layers of HT code-blocks, placeholder passes, several HT sets,
HT and Part 1 side by side, regions of interest. Each precinct holds one code-block, so that packet headers are easy to write.

SPDX-License-Identifier: Apache-2.0
"""

import struct
from dataclasses import dataclass

import codec_packets as cp
import microtome as mt
import numpy as np
import pytest
from codec_tools import picture

SIDE = 32


class Bits:
    """A packet header's bits, with a 0 after each byte FF (T.800 B.10.1)."""

    def __init__(self):
        self.out, self.byte, self.room = bytearray(), 0, 8

    def put(self, value, n=1):
        for i in reversed(range(n)):
            self.byte = self.byte << 1 | value >> i & 1
            self.room -= 1
            if not self.room:
                self.out.append(self.byte)
                self.room, self.byte = (7 if self.byte == 0xFF else 8), 0

    def end(self):
        while self.room < 8 and not (self.room == 7 and self.out and self.out[-1] == 0xFF):
            self.put(0)
        if self.out and self.out[-1] == 0xFF:
            self.out.append(0)
        return bytes(self.out)


def put_passes(bits, n):
    """T.800 table B.4."""
    for low, high, prefix, width in (
        (1, 1, "0", 0),
        (2, 2, "10", 0),
        (3, 5, "11", 2),
        (6, 36, "1111", 5),
        (37, 164, "111111111", 7),
    ):
        if low <= n <= high:
            for c in prefix:
                bits.put(int(c))
            if width:
                bits.put(n - low, width)


@dataclass
class Block:
    zero_planes: int
    passes: int
    data: bytes


def read_block(packet):
    """The one code-block of a packet of ours (T.800 B.10), all passes in one codeword segment."""
    raw = "".join(
        f"{b:08b}"[1 if i and packet.header[i - 1] == 255 else 0 :] for i, b in enumerate(packet.header[:-2])
    )
    at = iter(int(c) for c in raw)
    take = lambda n: int("".join(str(next(at)) for _ in range(n)) or "0", 2)  # noqa: E731
    if not take(1) or not take(1):
        return None
    zero = 0
    while not take(1):
        zero += 1
    passes = 1
    if take(1):
        passes = 2
        if take(1):
            passes = 3 + take(2)
            if passes == 6:
                passes += take(5)
                if passes == 37:
                    passes += take(7)
    width = 3
    while take(1):
        width += 1
    size = take(width + passes.bit_length() - 1)
    assert size == len(packet.body)
    return Block(zero, passes, packet.body)


class State:
    """What a code-block's packets so far leave for the next one."""

    def __init__(self):
        self.included, self.width = False, 3


def put_block(state, zero_planes, passes, sizes, late=0, least=0, top_bit=None):
    """A packet's header. late: layers before this one that its tag tree was not asked about, as their packets were empty; sizes:
    (bytes, passes that share them); least: the smallest Lblock; top_bit 0: the first length begins with 0."""
    bits = Bits()
    bits.put(1)
    if not state.included:
        bits.put(1, late + 1)
        bits.put(1, zero_planes + 1)
        state.included = True
    else:
        bits.put(1)
    put_passes(bits, passes)
    while (
        state.width < least
        or any(n >> (state.width + p.bit_length() - 1) for n, p in sizes)
        or (top_bit == 0 and sizes[0][0] >> (state.width + sizes[0][1].bit_length() - 2))
    ):
        bits.put(1)
        state.width += 1
    bits.put(0)
    for n, p in sizes:
        bits.put(n, state.width + p.bit_length() - 1)
    return bits.end()


def stream_of(a, codec, bits=None):
    """(Stream, its code-blocks) of a gray picture without decomposition, one code-block a precinct."""
    data = mt.codec.encode(
        a, codec=codec, levels=0, block=(SIDE, SIDE), precincts=[(SIDE, SIDE)], plt=True, eph=True,
        container="codestream", progression="LRCP", bits=bits,
    )  # fmt: skip
    s = cp.parse(data)
    return s, [read_block(p) for part in s.parts for p in part.packets]


def rebuilt(s, packets, layers=1, style=None):
    """Its codestream of these packets (header, body)."""
    segments = []
    for code, body in s.segments:
        if code == cp.COD:
            body = body[:2] + struct.pack(">H", layers) + body[4:]
            body = body if style is None else body[:8] + bytes([style]) + body[9:]
        segments.append((code, body))
    part = cp.TilePart(0, [], [cp.Packet(b"", header + b"\xff\x92", body) for header, body in packets])
    return cp.build(cp.Stream(segments, [part]))


@pytest.fixture
def gray(rng):
    return picture(rng, (90, 118), np.int16, 11)


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_the_writer_writes_what_the_encoder_does(gray, codec):
    s, blocks = stream_of(gray, codec, 11)
    packets = [
        (put_block(State(), b.zero_planes, b.passes, [(len(b.data), b.passes)]), b.data) for b in blocks
    ]
    assert np.array_equal(mt.codec.decode(rebuilt(s, packets)), gray)


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_code_blocks_that_begin_in_later_layers(gray, codec, rng):
    s, blocks = stream_of(gray, codec, 11)
    begin = rng.integers(0, 4, len(blocks))
    packets = []
    for layer in range(4):
        for b, first in zip(blocks, begin, strict=True):
            sizes = [(len(b.data), b.passes)]
            header = put_block(State(), b.zero_planes, b.passes, sizes, late=layer)
            packets.append((header, b.data) if layer == first else (b"\0", b""))
    data = rebuilt(s, packets, layers=4)
    assert np.array_equal(mt.codec.decode(data), gray)
    columns = -(-gray.shape[1] // SIDE)
    for layers in (1, 2, 3):
        want = gray.copy()
        for k in np.flatnonzero(begin >= layers):
            y, x = divmod(int(k), columns)
            want[y * SIDE : (y + 1) * SIDE, x * SIDE : (x + 1) * SIDE] = 0
        assert np.array_equal(mt.codec.decode(data, layers=layers), want)


def test_placeholder_passes(gray):
    """k sets of placeholders in front of a cleanup pass stand for k of its zero bit-planes (T.814 annex B)."""
    s, blocks = stream_of(gray, "htj2k", 11)
    for k in (1, 2, 5):
        packets = []
        for b in blocks:
            passes = 3 * k + 1
            header = put_block(State(), b.zero_planes - k, passes, [(len(b.data), passes)])
            packets.append((header, b.data))
        assert np.array_equal(mt.codec.decode(rebuilt(s, packets)), gray), k
    # Placeholders alone in the first layer, the cleanup pass in the second.
    packets, states = [], [State() for _ in blocks]
    packets += [
        (put_block(st, b.zero_planes - 1, 3, [(0, 3)]), b"") for st, b in zip(states, blocks, strict=True)
    ]
    packets += [
        (put_block(st, 0, 1, [(len(b.data), 1)]), b.data) for st, b in zip(states, blocks, strict=True)
    ]
    data = rebuilt(s, packets, layers=2)
    assert np.array_equal(mt.codec.decode(data), gray)
    assert not mt.codec.decode(data, layers=1).any()


def test_several_ht_sets(gray):
    """A coarse set first, then one that is complete: the last one holds, the first alone gives a coarse picture."""
    coarse = (np.sign(gray) * (np.abs(gray) >> 1)).astype(np.int16)
    _, first = stream_of(coarse, "htj2k", 11)
    s, second = stream_of(gray, "htj2k", 11)
    packets, states = [], [State() for _ in first]
    for st, b in zip(states, first, strict=True):
        packets.append((put_block(st, b.zero_planes - 1, 1, [(len(b.data), 1)]), b.data))
    for st, b in zip(states, second, strict=True):
        packets.append((put_block(st, 0, 3, [(0, 2), (len(b.data), 1)]), b.data))
    data = rebuilt(s, packets, layers=2)
    assert np.array_equal(mt.codec.decode(data), gray)
    # Half way between the coarse steps (T.800 E.1.1.2, r = 1/2): (2m + 1)·2^1 in half units.
    want = np.clip(np.sign(coarse) * (2 * np.abs(coarse) + 1), -1024, 1023)
    assert np.array_equal(mt.codec.decode(data, layers=1), want)


def test_ht_and_part_1_in_one_tile(gray):
    """Mixed style: a Part 1 block's first length begins with 1 or has Lblock 3, an HT block's does not (T.814 annex B)."""
    s, ht = stream_of(gray, "htj2k", 11)
    _, plain = stream_of(gray, "j2k", 11)
    for turn in (0, 1):
        packets = []
        for i, (a, b) in enumerate(zip(ht, plain, strict=True)):
            if i % 2 == turn:
                header = put_block(State(), a.zero_planes, 1, [(len(a.data), 1)], least=4, top_bit=0)
                packets.append((header, a.data))
            else:
                header = put_block(State(), b.zero_planes, b.passes, [(len(b.data), b.passes)])
                packets.append((header, b.data))
        assert np.array_equal(mt.codec.decode(rebuilt(s, packets, style=0xC0)), gray), turn


@pytest.mark.parametrize("shift", [1, 4, 9])
@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_regions_of_interest(gray, codec, shift):
    """The same bit-planes, said to be Mb − s and a shift of s: what reaches 2^s was scaled up by it (T.800 H.1)."""
    s, _ = stream_of(gray, codec, 11)
    qcd = s.main(cp.QCD)
    segments = [
        (code, body if code != cp.QCD else qcd[:1] + bytes([qcd[1] - (shift << 3)]))
        for code, body in s.segments
    ]
    segments.append((cp.RGN, bytes([0, 0, shift])))
    m = np.abs(gray.astype(np.int64))
    want = np.sign(gray) * np.where(m >= 1 << shift, m >> shift, m)
    got = mt.codec.decode(cp.build(cp.Stream(segments, s.parts)))
    assert np.array_equal(got, want)
    box = ((31, 70), (5, 100))
    assert np.array_equal(
        mt.codec.decode(cp.build(cp.Stream(segments, s.parts)), region=box), want[31:70, 5:100]
    )


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
@pytest.mark.parametrize("bits", [17, 20, 24, 25, 28, 30, 31, 32])
def test_deep_samples(codec, bits, rng):
    for dtype, levels in ((np.int32, None), (np.uint32, 0), (np.uint32, 3)):
        a = picture(rng, (61, 75), dtype, bits)
        data = mt.codec.encode(a, codec=codec, bits=bits, levels=levels)
        assert np.array_equal(mt.codec.decode(data), a), (dtype, levels)


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
def test_the_ends_of_what_headers_may_say(codec, rng):
    for shape in ((1, 1), (1, 2), (2, 1), (3, 3)):
        a = picture(rng, shape, np.uint8)
        for levels in (0, 1, 32):
            data = mt.codec.encode(a, codec=codec, levels=levels)
            assert mt.codec.info(data)["levels"] == levels
            assert np.array_equal(mt.codec.decode(data), a)
    many = rng.integers(0, 256, (1, 2, 16384), dtype=np.uint8)
    data = mt.codec.encode(many, codec=codec, levels=0, mct=False)
    assert np.array_equal(mt.codec.decode(data), many)
