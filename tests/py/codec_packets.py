"""Takes codestreams of ours apart into packets and puts them together in the ways that the standard allows and no encoder
at hand writes. The streams need PLT and EPH: EPH ends a packet's header, and neither headers nor bodies hold FF90 or more.

SPDX-License-Identifier: Apache-2.0
"""

import struct
from dataclasses import dataclass, field

SOC, CAP, SIZ, COD, COC, TLM, PLM, PLT = 0xFF4F, 0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF55, 0xFF57, 0xFF58
QCD, QCC, RGN, POC, PPM, PPT, CRG, COM = 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60, 0xFF61, 0xFF63, 0xFF64
SOT, SOP, EPH, SOD, EOC = 0xFF90, 0xFF91, 0xFF92, 0xFF93, 0xFFD9


@dataclass
class Packet:
    sop: bytes
    header: bytes  # with EPH
    body: bytes

    def __bytes__(self):
        return self.sop + self.header + self.body


@dataclass
class TilePart:
    tile: int
    segments: list = field(default_factory=list)  # (marker, contents)
    packets: list = field(default_factory=list)


@dataclass
class Stream:
    segments: list  # of the main header, SIZ first
    parts: list

    def main(self, code):
        return next(body for marker, body in self.segments if marker == code)


def segment(code, body=b""):
    """A marker segment, or a marker without one (T.800 table A.1)."""
    bare = code in (SOC, SOD, EOC) or 0xFF30 <= code <= 0xFF3F
    return struct.pack(">H", code) + (b"" if bare else struct.pack(">H", len(body) + 2) + body)


def _segments(data, at, last):
    out = []
    while (code := struct.unpack_from(">H", data, at)[0]) != last:
        size = struct.unpack_from(">H", data, at + 2)[0]
        out.append((code, data[at + 4 : at + 2 + size]))
        at += 2 + size
    return out, at


def _lengths(body):
    out, v = [], 0
    for byte in body:
        v = v << 7 | byte & 127
        if byte < 128:
            out.append(v)
            v = 0
    return out


def _packet(data):
    sop = data[:6] if data[:2] == b"\xff\x91" else b""
    end = data.index(b"\xff\x92") + 2
    return Packet(sop, data[len(sop) : end], data[end:])


def parse(data):
    """A Stream; PLT and TLM are left out."""
    segments, at = _segments(data, 2, SOT)
    parts = []
    while struct.unpack_from(">H", data, at)[0] == SOT:
        _, size, tile, psot, _, _ = struct.unpack_from(">HHHIBB", data, at)
        own, body = _segments(data, at + 12, SOD)
        lengths = [n for code, text in own if code == PLT for n in _lengths(text[1:])]
        part = TilePart(tile, [s for s in own if s[0] != PLT])
        body += 2
        for n in lengths:
            part.packets.append(_packet(data[body : body + n]))
            body += n
        assert body == at + psot
        parts.append(part)
        at = body
    return Stream([s for s in segments if s[0] != TLM], parts)


def _variable(n):
    out = [n & 127]
    while n := n >> 7:
        out.append(n & 127 | 128)
    return bytes(reversed(out))


def _numbered(code, body, size):
    """One run of bytes as several segments with numbers, cut anywhere."""
    return [(code, bytes([z]) + body[i : i + size]) for z, i in enumerate(range(0, len(body), size))]


def build(
    s, *, packed=None, lengths=None, cut=200, psot=lambda n, size, last: size, end=b"\xff\xd9", shuffle=None
):
    """A codestream. packed: "main" (PPM) or "tile" (PPT) moves packet headers; lengths: "main" (PLM) or "tile" (PLT); cut:
    bytes of one such segment; psot(number, size, last): what SOT says; shuffle(segments): orders PPM, PPT, PLT and PLM.
    """
    shuffle = shuffle or (lambda x: x)
    main, plm, ppm, parts, numbers = list(s.segments), b"", b"", b"", {}
    totals = {t: sum(p.tile == t for p in s.parts) for t in {p.tile for p in s.parts}}
    for i, part in enumerate(s.parts):
        head = list(part.segments)
        headers = b"".join(p.header for p in part.packets)
        body = b"".join(p.sop + (b"" if packed else p.header) + p.body for p in part.packets)
        sizes = b"".join(_variable(len(p.sop + (b"" if packed else p.header) + p.body)) for p in part.packets)
        if packed == "main":
            ppm += struct.pack(">I", len(headers)) + headers
        elif packed == "tile":
            head += shuffle(_numbered(PPT, headers, cut))
        if lengths == "main":
            plm += bytes([len(sizes)]) + sizes
        elif lengths == "tile":
            head += shuffle(_numbered(PLT, sizes, cut))
        text = b"".join(segment(*x) for x in head) + segment(SOD) + body
        number = numbers.get(part.tile, 0)
        numbers[part.tile] = number + 1
        said = psot(i, len(text) + 12, i == len(s.parts) - 1)
        parts += struct.pack(">HHHIBB", SOT, 10, part.tile, said, number, totals[part.tile]) + text
    main += shuffle(_numbered(PPM, ppm, cut)) + shuffle(_numbered(PLM, plm, cut))
    return segment(SOC) + b"".join(segment(*x) for x in main) + parts + end


def split(s, rng, most=4):
    """Its tiles in more tile-parts, of different tiles in between each other."""
    queues = []
    for tile in dict.fromkeys(p.tile for p in s.parts):
        own = [p for p in s.parts if p.tile == tile]
        packets = [x for p in own for x in p.packets]
        cuts = sorted(int(rng.integers(0, len(packets) + 1)) for _ in range(int(rng.integers(0, most))))
        edges = [0, *cuts, len(packets)]
        queues.append([TilePart(tile, [], packets[a:b]) for a, b in zip(edges, edges[1:])])
        queues[-1][0].segments = own[0].segments
    parts = []
    while queues := [q for q in queues if q]:
        parts.append(queues[int(rng.integers(0, len(queues)))].pop(0))
    return Stream(s.segments, parts)


def box(kind, body=b"", wide=False, open_end=False):
    """A box of a JP2 file (T.800 I.4): with a length of 64 bits, or one that goes on to the end."""
    if open_end:
        return struct.pack(">I4s", 0, kind) + body
    if wide:
        return struct.pack(">I4sQ", 1, kind, len(body) + 16) + body
    return struct.pack(">I4s", len(body) + 8, kind) + body


SIGNATURE = box(b"jP  ", b"\r\n\x87\n")
FTYP = box(b"ftyp", b"jp2 \0\0\0\0jp2 ")


def ihdr(h, w, n, bits):
    return box(b"ihdr", struct.pack(">IIHBBBB", h, w, n, bits - 1, 7, 0, 0))


def colr(space):
    return box(b"colr", struct.pack(">BBBI", 1, 0, 0, space))
