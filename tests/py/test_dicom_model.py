"""Data sets and their JSON against pydicom's, on every real file and on generated ones.

Where both disagree there is a rule below, with its reason; all else must be equal: tags in order, VRs, values, items, texts.
SPDX-License-Identifier: Apache-2.0
"""

import io
import json
import logging
import math
import warnings
from pathlib import Path

import microtome as mt
import pydicom
import pytest
from conftest import DATA
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

FOLDERS = ("dicom", "wsi/highdicom", "wsi/gcp-wsi2dcm", "wsi/cptac")
OTHER = {".gz", ".icc", ".json", ".md", ".txt", ".dump"}
CHARSETS = Path(pydicom.__file__).parent / "data" / "charset_files"
TEXTS = set("AE AS CS DA DT LO LT PN SH ST TM UC UI UR UT".split())  # noqa: SIM905
# pydicom stops at a file whose end is missing; what is there is read here, with a warning.
CUT_SHORT = {"emri_small_jpeg_2k_lossless_too_short.dcm"}


def real_files():
    found = sorted(CHARSETS.glob("*.dcm"))
    for folder in FOLDERS:
        found += [p for p in sorted((DATA / folder).rglob("*")) if p.is_file() and p.suffix not in OTHER]
    return found + sorted((DATA / "mr-t1").rglob("*.dcm"))[:2]


@pytest.fixture(autouse=True)
def quiet():
    """pydicom tells its own doubts about damaged files."""
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    logging.disable(logging.NOTSET)


def plain(value, vr):
    """pydicom's value as plain Python."""
    if isinstance(value, (MultiValue, list)):
        return [plain(v, vr) for v in value]
    if value is None or (vr in ("DS", "IS") and value == ""):
        return None
    if vr == "DS":
        return float(value)
    if isinstance(value, (bytes, float)) or vr == "UN":
        return value
    return int(value) if isinstance(value, int) else str(value)


def equal(a, b):
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and a == b


def vendor_guess(tag, ours):
    """Private elements without a VR: pydicom has a list of vendors' private dictionaries; the standard's VR is UN (PS3.5 6.2.2), and
    UL for group lengths."""
    return tag >> 16 & 1 and (ours == "UN" or tag & 0xFFFF == 0)


def unpadded(value):
    """Blanks at the end of each of several codes mean nothing (PS3.5 6.2); pydicom cuts the last one's."""
    return [v.rstrip(" ") if isinstance(v, str) else v for v in value] if isinstance(value, list) else value


def check_element(theirs, ours, where):
    if ours.vr != theirs.VR:
        assert vendor_guess(ours.tag, ours.vr), f"{where}: VR {ours.vr} instead of {theirs.VR}"
        return 0
    if ours.vr == "SQ":
        assert len(theirs.value) == len(ours.value), where
        return sum(
            check_level(a, list(b), f"{where}[{i}].")
            for i, (a, b) in enumerate(zip(theirs.value, ours.value, strict=True))
        )
    value = ours.value
    if ours.vr == "PN":
        value = [str(v) for v in value] if isinstance(value, list) else str(value)
    try:
        want = plain(theirs.value, ours.vr)
    except ValueError:  # badVR.dcm: an IS that is no integer stays a text here
        assert isinstance(value, str) and not value.isdigit(), where
        return 0
    assert equal(unpadded(want), value), f"{where}: {str(value)[:80]!r} instead of {str(want)[:80]!r}"
    return 1


def check_level(theirs, ours, where=""):
    """How many values were compared."""
    assert [int(e.tag) for e in theirs] == [e.tag for e in ours], where
    return sum(check_element(theirs[e.tag], e, f"{where}{e.tag:08X}") for e in ours)


def json_equal(theirs, ours, where, big_endian):
    assert theirs.keys() == ours.keys(), where
    for key, a in theirs.items():
        b, at = ours[key], f"{where}{key}"
        if a["vr"] != b["vr"]:
            assert vendor_guess(int(key, 16), b["vr"]), at
        elif a["vr"] == "SQ":
            assert len(a["Value"]) == len(b["Value"]), at
            for i, (x, y) in enumerate(zip(a["Value"], b["Value"], strict=True)):
                json_equal(x, y, f"{at}[{i}].", big_endian)
        elif "InlineBinary" in a:
            # Pixel data in fragments is always referred to; words are little endian (PS3.18 F.2.7).
            same = a == b or (big_endian and a["vr"] != "OB") or key == "7FE00010"
            assert same, at
        elif "BulkDataURI" in a:
            assert "BulkDataURI" in b, at
        else:  # an empty one of several values is null (PS3.18 F.2.5)
            want = [None if v == "" else v for v in unpadded(a.get("Value", []))]
            assert want == b.get("Value", []), at


@pytest.mark.parametrize("path", real_files(), ids=lambda p: p.name)
def test_real_files(path):
    theirs = pydicom.dcmread(path, force=True)
    ours = mt.dicom.read(path, force=True)
    elements = list(ours)
    meta = [e for e in elements if e.tag >> 16 == 2]
    if path.name in CUT_SHORT:
        assert ours.warnings
        return
    assert check_level(theirs, [e for e in elements if e.tag >> 16 != 2]) > 0
    check_level(getattr(theirs, "file_meta", []), meta)
    text = ours.to_json(inline_bytes=768)
    model = json.loads(text, parse_constant=pytest.fail)
    try:
        want = theirs.to_json_dict(bulk_data_threshold=1024, bulk_data_element_handler=lambda e: "")
    except ValueError:  # badVR.dcm
        return
    json_equal(want, model, "", ours.transfer_syntax == "1.2.840.10008.1.2.2")


def test_there_are_real_files():
    if not (DATA / "dicom").exists():
        pytest.skip(f"{DATA / 'dicom'} is not there")
    assert len(real_files()) > 250


# ---- generated ones


def saved(ds, syntax="1.2.840.10008.1.2.1"):
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.file_meta.MediaStorageSOPInstanceUID = "2.25.1"
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def item(**values):
    ds = Dataset()
    for k, v in values.items():
        setattr(ds, k, v)
    return ds


@pytest.fixture
def sample():
    ds = item(
        SpecificCharacterSet="ISO_IR 192",
        ImageType=["ORIGINAL", "PRIMARY"],
        PatientName="Yamada^Tarou^^Dr.^Jr.=山田^太郎=やまだ^たろう",
        PatientID="1",
        PixelSpacing=[0.5, 0.25],
        SeriesNumber=7,
        Rows=3,
        FrameIncrementPointer=[0x00181063, 0x00200013],
        ReferencedImageSequence=Sequence(
            [item(ReferencedSOPInstanceUID="1.2.3"), item(ReferencedSOPInstanceUID="1.2.4")]
        ),
        PatientComments="a\\b",
        PatientBirthDate="",
        PatientWeight=None,
    )
    ds.SelectorFDValue = [0.1, math.nan, math.inf, -math.inf, 1e300, -0.0]
    ds.SelectorFLValue = 0.1
    ds.SelectorUVValue = 2**64 - 1
    ds.SelectorSVValue = [-(2**63), 5]
    ds.ICCProfile = bytes(range(10))
    ds.add_new(0x00090010, "LO", "ACME")
    ds.add_new(0x00091001, "LO", "x")
    ds.add_new(0x60020010, "US", 5)
    ds.add_new(0x60020011, "US", 6)
    ds.add_new(0x60000010, "US", 4)
    return ds


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"]
)
def test_generated(sample, syntax):
    data = saved(sample, syntax)
    ours = mt.dicom.read(data)
    assert ours.transfer_syntax == syntax
    if syntax != "1.2.840.10008.1.2":  # implicit: private elements have no VR
        assert check_level(pydicom.dcmread(io.BytesIO(data)), [e for e in ours if e.tag >> 16 != 2]) > 20
    model = ours.to_dict(inline_bytes=100)
    assert model["00720074"]["Value"] == [0.1, "NaN", "inf", "-inf", 1e300, -0.0]
    assert model["00720083"]["Value"] == [2**64 - 1]
    assert model["00720082"]["Value"] == [-(2**63), 5]
    assert model["00280009"]["Value"] == ["00181063", "00200013"]
    assert model["00100030"] == {"vr": "DA"}
    assert model["00104000"]["Value"] == ["a\\b"]
    assert model["00282000"] == {"vr": "OB", "InlineBinary": "AAECAwQFBgcICQ=="}


def test_access(sample, tmp_path):
    path = tmp_path / "a b.dcm"
    path.write_bytes(saved(sample))
    ds = mt.dicom.read(path)
    assert ds.path == str(path) and mt.dicom.read(io.BytesIO(path.read_bytes())).PatientID == "1"
    assert ds.PatientID == ds["PatientID"] == ds["00100020"] == ds[0x00100020] == ds[0x10, 0x20] == "1"
    assert ds["(0010,0020)"] == "1" and "(0009,[ACME]01)" in ds
    name = ds.PatientName
    assert (name.family_name, name.given_name, name.middle_name, name.prefix, name.suffix) == (
        "Yamada",
        "Tarou",
        "",
        "Dr.",
        "Jr.",
    )
    assert (name.ideographic, name.phonetic) == ("山田^太郎", "やまだ^たろう")
    assert ds.PatientBirthDate == "" and ds.PatientWeight is None
    second = ds.ReferencedImageSequence[1]
    assert second.ReferencedSOPInstanceUID == second["ReferencedSOPInstanceUID"] == "1.2.4"
    assert ds["ReferencedImageSequence[1].ReferencedSOPInstanceUID"] == "1.2.4"
    assert ds["ReferencedImageSequence[0]"].ReferencedSOPInstanceUID == "1.2.3"
    assert len(second) == 1 and "PatientID" not in second
    assert ds.element("PixelSpacing").values == [0.5, 0.25] and ds.element("PixelSpacing").raw == b"0.5\\0.25"
    assert ds.get("PatientAge", "?") == "?" and ds.get("NoKeyword") is None
    assert "PatientName" in dir(ds) and hasattr(ds, "Rows") and not hasattr(ds, "Columns")
    assert [e.path for e in ds.walk() if e.keyword == "ReferencedSOPInstanceUID"] == [
        "00081140[0].ReferencedSOPInstanceUID",
        "00081140[1].ReferencedSOPInstanceUID",
    ]
    assert "山田" in repr(ds) and "(0008,1155) UI ReferencedSOPInstanceUID" in repr(second)
    short = mt.dicom.read(path, stop_before_pixels=True)
    assert short.PatientID == "1"


def test_missing_ones_are_named(sample, tmp_path):
    ds = mt.dicom.read(saved(sample))
    with pytest.raises(mt.dicom.MissingError, match=r"no element 'PatientAge'") as e:
        ds["PatientAge"]
    assert isinstance(e.value, (mt.Error, KeyError))
    with pytest.raises(mt.InvalidError, match="no keyword"):
        ds["PatientAgge"]
    with pytest.raises(AttributeError, match="did you mean PatientName"):
        _ = ds.PatientNam
    with pytest.raises(AttributeError, match="has no PatientAge"):
        _ = ds.PatientAge
    with pytest.raises(TypeError):
        ds[1.5]
    with pytest.raises(mt.NotFoundError):
        mt.dicom.read(tmp_path / "absent.dcm")
    with pytest.raises(mt.UnsupportedError):
        mt.dicom.read(b"no DICOM at all, but longer than a header would have to be" * 9)


def test_keyword_json(sample):
    ds = mt.dicom.read(saved(sample))
    d = ds.to_dict(keywords=True)
    assert d["PatientName"] == "Yamada^Tarou^^Dr.^Jr.=山田^太郎=やまだ^たろう"
    assert d["ImageType"] == ["ORIGINAL", "PRIMARY"] and d["PatientID"] == "1"
    assert d["PixelSpacing"] == [0.5, 0.25] and d["Rows"] == 3 and d["PatientBirthDate"] is None
    assert d["ReferencedImageSequence"][1] == {"ReferencedSOPInstanceUID": "1.2.4"}
    assert d["SelectorFLValue"] == 0.1  # a 32-bit number, as short as it can be
    assert d["ICCProfile"] == "AAECAwQFBgcICQ=="
    # Names that occur twice are told apart by their tags.
    assert (d["OverlayRows"], d["60020010"], d["00090010"]) == (4, 5, "ACME")
    assert "TransferSyntaxUID" not in d and "TransferSyntaxUID" in ds.to_dict(keywords=True, meta=True)
    lines = ds.to_json(keywords=True, indent=2).splitlines()
    assert lines[0] == "{" and '  "PatientID": "1",' in lines
    assert json.loads("\n".join(lines)) == d


def test_bulk_by_reference(tmp_path):
    ds = item(Rows=1, Columns=2000, PatientID="x")
    ds.add_new(0x7FE00010, "OW", bytes(range(200)) * 20)
    path = tmp_path / "name with #.dcm"
    path.write_bytes(saved(ds))
    for memory in (False, True):
        ours = mt.dicom.read(path.read_bytes() if memory else path)
        e = ours.element("PixelData")
        assert ours.PixelData == bytes(range(200)) * 20
        where = f"offset={e.offset_bytes}&length=4000"
        uri = ours.to_dict(bulk_uri="https://x/y")["7FE00010"]["BulkDataURI"]
        assert uri == f"https://x/y?{where}"
        assert ours.to_dict(keywords=True)["PixelData"] == {"bytes": 4000, "offset": e.offset_bytes}
        assert "7FE00010" not in ours.to_dict(pixels=False)
    assert "name%20with%20%23.dcm?" in mt.dicom.read(path).to_json()


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1", "1"),
        ("+1.50", "1.50"),
        ("-.5", "-0.5"),
        ("007", "7"),
        ("1.", "1"),
        ("1e+05", "1E+05"),
        (" 2.25 ", "2.25"),
        ("-0", "-0"),
        ("123456789.12345", "123456789.12345"),
        ("1,5", '"1,5"'),
        ("1e", '"1e"'),
        ("nan", '"nan"'),
        ("0x10", '"0x10"'),
        (".", '"."'),
        ("1\\\\3", "1,null,3"),
    ],
)
def test_decimal_texts(text, want):
    raw = text.encode() + b" " * (len(text) % 2)
    data = bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0"
    data += b"\x18\x00\x50\x00DS" + len(raw).to_bytes(2, "little") + raw
    assert f'"vr":"DS","Value":[{want}]' in mt.dicom.read(data).to_json()
