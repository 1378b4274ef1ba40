"""Character sets of texts: every code of every set against Python's codecs, and names in generated mixtures of sets against what
pydicom encodes.

SPDX-License-Identifier: Apache-2.0
"""

import warnings

import microtome as mt
import pytest
from hypothesis import given, strategies as st

SINGLE = {
    "ISO_IR 100": "latin_1",
    "ISO_IR 101": "iso8859_2",
    "ISO_IR 109": "iso8859_3",
    "ISO_IR 110": "iso8859_4",
    "ISO_IR 126": "iso8859_7",
    "ISO_IR 127": "iso8859_6",
    "ISO_IR 138": "iso8859_8",
    "ISO_IR 144": "iso8859_5",
    "ISO_IR 148": "iso8859_9",
    "ISO_IR 166": "tis_620",
    "ISO_IR 203": "iso8859_15",
    "ISO_IR 13": "shift_jis",
}
# Codes that Python's tables have in Unicode's private area, and the system's, of a later edition, outside.
PRIVATE = {"gb18030": 25}


def element(tag, vr, value):
    value += b" " * (len(value) % 2)
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr.encode()
    if vr in ("UT", "UC", "SQ", "OB"):
        return head + bytes(2) + len(value).to_bytes(4, "little") + value
    return head + len(value).to_bytes(2, "little") + value


def data_set(terms, value, vr="UC", inside=b""):
    """A text of the VR as an element that any VR may stand in."""
    tag = {"UC": 0x0072006F, "UT": 0x00720078, "PN": 0x0072006A}[vr]
    meta = element(0x00020010, "UI", b"1.2.840.10008.1.2.1\0")
    body = element(0x00080005, "CS", terms.encode()) + element(tag, vr, value) + inside
    return mt.dicom.read(bytes(128) + b"DICM" + meta + body), tag


def decoded(terms, value, vr="UC"):
    ds, tag = data_set(terms, value, vr)
    text = ds[tag]
    return "\\".join(text) if isinstance(text, list) else text


@pytest.mark.parametrize(("term", "codec"), SINGLE.items())
def test_every_byte(term, codec):
    for code in range(0x21, 0x100):
        byte = bytes([code])
        if codec == "shift_jis" and (0x80 <= code <= 0xA0 or code >= 0xE0):
            continue  # first bytes of two
        assert decoded(term, b"A" + byte + b"B", "UT") == "A" + byte.decode(codec, "replace") + "B"


@pytest.mark.parametrize(
    ("term", "codec", "first", "last", "to_bytes"),
    [
        ("\\ISO 2022 IR 149", "euc_kr", 0xA1, 0xFE, lambda b: b"\x1b$)C" + b),
        ("\\ISO 2022 IR 58", "gb2312", 0xA1, 0xFE, lambda b: b"\x1b$)A" + b),
        (
            "\\ISO 2022 IR 87",
            "euc_jp",
            0xA1,
            0xFE,
            lambda b: b"\x1b$B" + bytes(c & 0x7F for c in b) + b"\x1b(B",
        ),
        ("GBK", "gbk", 0x40, 0xFE, bytes),
        ("GB18030", "gb18030", 0x40, 0xFE, bytes),
        ("ISO_IR 13", "shift_jis", 0x40, 0xFC, bytes),
    ],
)
def test_every_pair(term, codec, first, last, to_bytes):
    """Rows as single values: 8836 to 24066 codes."""
    different = 0
    for lead in range(0xA1 if first == 0xA1 else 0x81, 0xFF):
        pairs = [bytes((lead, trail)) for trail in range(first, last + 1) if trail != 0x7F]
        known = []
        for p in pairs:
            try:
                if len(p.decode(codec)) == 1:
                    known.append(p)
            except UnicodeDecodeError:
                pass
        if known:
            got = decoded(term, b" ".join(to_bytes(p) for p in known), "UT").split(" ")
            assert len(got) == len(known)
            different += sum(p.decode(codec) != g for p, g in zip(known, got, strict=True))
    assert different <= PRIVATE.get(codec, 0)


@given(st.text(max_size=30), st.sampled_from(["ISO_IR 192", "GB18030"]))
def test_unicode(text, term):
    raw = text.encode("utf_8" if term == "ISO_IR 192" else "gb18030", "ignore")
    want = raw.decode("utf_8" if term == "ISO_IR 192" else "gb18030")
    assert decoded(term, raw, "UT") == want.replace("\0", "\ufffd").rstrip(" \ufffd")


@given(st.binary(max_size=30))
def test_broken_utf8(raw):
    want = raw.rstrip(b"\0 ").decode("utf_8", "replace").replace("\0", "\ufffd")
    assert decoded("ISO_IR 192", raw, "UT") == want.rstrip(" ")


# Terms: letters, the escape sequence before them, Python's codec.
SETS = {
    "ISO 2022 IR 100": ("éßÅÿ", b"\x1b-A", "latin_1"),
    "ISO 2022 IR 101": ("Łźčň", b"\x1b-B", "iso8859_2"),
    "ISO 2022 IR 109": ("ĦĝŬ", b"\x1b-C", "iso8859_3"),
    "ISO 2022 IR 110": ("ĄķĢŋ", b"\x1b-D", "iso8859_4"),
    "ISO 2022 IR 126": ("Διονυσ", b"\x1b-F", "iso8859_7"),
    "ISO 2022 IR 127": ("قباني", b"\x1b-G", "iso8859_6"),
    "ISO 2022 IR 138": ("שרון", b"\x1b-H", "iso8859_8"),
    "ISO 2022 IR 144": ("Люкcмбypг", b"\x1b-L", "iso8859_5"),
    "ISO 2022 IR 148": ("Çavuşoğlu", b"\x1b-M", "iso8859_9"),
    "ISO 2022 IR 166": ("ภาษา", b"\x1b-T", "tis_620"),
    "ISO 2022 IR 13": ("ﾔﾏﾀﾞ", b"\x1b)I", "shift_jis"),
    "ISO 2022 IR 87": ("山田太郎ソ", b"", "iso2022_jp"),  # which writes the escapes itself
    "ISO 2022 IR 149": ("洪吉洞홍길동", b"\x1b$)C", "euc_kr"),
    "ISO 2022 IR 58": ("张小东", b"\x1b$)A", "gb2312"),
}


@st.composite
def mixtures(draw):
    """SpecificCharacterSet with one of the sets in front or none, and parts of a text, each of letters of one set."""
    first = draw(st.sampled_from(["", *(t for t in SETS if "IR 1" in t and len(t) == 15)]))
    terms = draw(st.lists(st.sampled_from(sorted(SETS)), min_size=1, max_size=3, unique=True))
    part = [st.tuples(st.just(""), st.text("ABC xyz.", max_size=4))]
    part += [st.tuples(st.just(t), st.text(SETS[t][0], min_size=1, max_size=4)) for t in terms]
    return first, terms, draw(st.lists(st.one_of(*part), min_size=1, max_size=5))


@given(
    mixtures(),
    st.sampled_from([("PN", "^"), ("PN", "="), ("UC", "\\"), ("UT", "\r\n"), ("UT", "\t"), ("UT", "\f")]),
)
def test_mixtures(case, where):
    """Each part has its own escape; after the delimiter the first set is back (PS3.5 6.1.2.5.3)."""
    (first, terms, parts), (vr, between) = case, where
    raw = [SETS[t][1] + text.encode(SETS[t][2]) if t else text.encode() for t, text in parts]
    want = between.join(text for _, text in parts)
    if first:  # a part in the first set needs no escape
        text = SETS[first][0][:3]
        raw, want = [*raw, text.encode(SETS[first][2])], want + between + text
    got = decoded("\\".join([first, *terms]), between.encode().join(raw), vr)
    if vr == "UC":
        want = between.join(v.rstrip(" ") for v in want.split(between))
    assert got == (want.rstrip(" =") if between == "=" else want.rstrip(" "))


@pytest.mark.parametrize(
    "term", ["ISO_IR_100", "ISO IR 100", "ISO-IR 100", "ISO 2022_IR 100", "latin_1", "Klingon"]
)
def test_names_that_files_have(term):
    ds, tag = data_set(term, b"J\xe9r\xf4me", "PN")
    assert ds[tag] == "Jérôme"
    assert any("(0008,0005)" in w for w in ds.warnings)
    assert not any("J" in w and "me" in w.split() for w in ds.warnings)


def test_items_have_their_own():
    """PS3.5 7.5.3: what an item does not say is the enclosing level's."""
    own = element(0x00080005, "CS", b"ISO_IR 192") + element(0x0072006A, "PN", "山".encode())
    items = b"".join(
        b"\xfe\xff\x00\xe0" + len(body).to_bytes(4, "little") + body
        for body in (
            own,
            element(0x0072006A, "PN", b"\xbb"),
            element(0x00080005, "CS", b"") + element(0x0072006A, "PN", b"\xe9"),
        )
    )
    ds, _ = data_set("ISO_IR 144", b"\xbb", "PN", element(0x00760001, "SQ", items))
    assert ds[0x0072006A] == "Л"
    assert [i[0x0072006A] for i in ds[0x00760001]] == ["山", "Л", "é"]
    model = ds.to_dict()["00760001"]["Value"]
    assert [i["0072006A"]["Value"][0]["Alphabetic"] for i in model] == ["山", "Л", "é"]


@pytest.mark.parametrize(
    ("terms", "text", "codec"),
    [("GB18030", "乗", "gb18030"), ("GBK", "刓", "gbk"), ("ISO_IR 13", "表", "shift_jis")],
)
def test_backslash_inside_a_character(terms, text, codec):
    raw = text.encode(codec)
    assert raw[1:] == b"\\"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds, tag = data_set(terms, raw + b"\\" + raw + b"\\A")
    assert ds[tag] == [text, text, "A"]
    assert ds.to_dict()[f"{tag:08X}"]["Value"] == [text, text, "A"]
