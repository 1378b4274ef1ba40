"""DICOM files that lie, folders that are traps, and names that are orders to a terminal: each gives an error of the class that fits,
takes no memory for what is not there, and no error, warning or log ever holds a word about a patient.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import itertools
import json
import os
import re
import socket
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.tag import Tag

CLI = os.environ.get("MICROTOME_CLI")
NATIVE, DEFLATED, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2"
MR, SEG, ENHANCED = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.4.1"
JPEG, LOSSLESS, JPEG_LS, J2K, HT, RLE, DEFLATE = (
    f"1.2.840.10008.1.2.{end}" for end in ("4.50", "4.70", "4.80", "4.90", "4.201", "5", "8.1")
)
SECRET = b"secret"
# What names a patient, in every kind of text and date; each must never come out of the data set by itself.
MARKS = (
    "Mmarkername",
    "MARKERID",
    "Markerdescription",
    "19470911",
    "1.2.77777.4242",
    "MARKERCS",
    "114733.77",
)


def data_set(syntax=NATIVE, rows=5, columns=7, bits=16, frames=None, **more):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = more.pop("SOPClassUID", MR)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.4", "1.2.5", "1.2.6"
    ds.Modality, ds.SamplesPerPixel, ds.PhotometricInterpretation = "MR", 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored = rows, columns, bits, bits
    ds.HighBit, ds.PixelRepresentation = bits - 1, 0
    if frames is not None:
        ds.NumberOfFrames = frames
    for name, value in more.items():
        setattr(ds, name, value)
    return ds


def save(path, ds, pixels=None):
    if pixels is not None:
        ds.add_new(0x7FE00010, "OW" if ds.get("BitsAllocated", 16) > 8 else "OB", pixels)
        if ds.file_meta.TransferSyntaxUID in STREAMS:
            ds["PixelData"].is_undefined_length = True
    meta, body = DicomBytesIO(), DicomBytesIO()
    meta.is_little_endian, meta.is_implicit_VR = True, False
    body.is_little_endian, body.is_implicit_VR = True, ds.file_meta.TransferSyntaxUID == IMPLICIT
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_file_meta_info(meta, ds.file_meta, enforce_standard=True)
        write_dataset(body, ds)
    value = body.getvalue()
    if ds.file_meta.TransferSyntaxUID == DEFLATED:
        packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        value = packer.compress(value) + packer.flush()
    Path(path).write_bytes(b"\0" * 128 + b"DICM" + meta.getvalue() + value)
    return path


def run(*args, **more):
    if not CLI:
        pytest.skip("MICROTOME_CLI is not set")
    return subprocess.run([CLI, *map(str, args)], capture_output=True, timeout=120, **more)


# ---- sizes that are not there -----------------------------------------------------------------------------

HUGE = {"rows": 65535, "columns": 65535, "frames": 2147483647}
STREAMS = {  # the first bytes of each, as large as they can say, and nothing behind
    JPEG: bytes.fromhex("ffd8ffc0000b08fffffffff01011100ffda0008010100003f0001"[:52] + "ffd9"),
    LOSSLESS: bytes.fromhex("ffd8ffc3000b10ffffffff01011100ffc4001400010000000000000000000000000000000000ffda00080101000100000000ffd9"),
    JPEG_LS: bytes.fromhex("ffd8fff7000b10ffffffff01011100ffda0008010100000000aaaaffd9"),
    RLE: (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56) + b"\x81\x00" * 8,
    DEFLATE: bytes.fromhex("0300"),
    J2K: bytes.fromhex("ff4fff510029000000010000000100000000000000000000ffff0000ffff00000000000000000001070101ff52000c00000001000504040000ff5c00134040484850484850484850484850484850ff90000a0000000000000001ff93ffd9"),
}  # fmt: skip


def huge_files(folder):
    for syntax, stream in STREAMS.items():
        for frames in (1, 2147483647):
            ds = data_set(syntax, 65535, 65535, frames=frames)
            yield save(folder / f"{syntax}-{frames}", ds, encapsulate([stream], has_bot=False))
    for bits in (1, 8, 16, 32):
        yield save(folder / f"native{bits}", data_set(bits=bits, **HUGE), b"\0" * 4)
    yield save(folder / "deflated", data_set(DEFLATED, **HUGE), b"\0" * 4)
    yield save(folder / "rgb", data_set(SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422",
                                        PlanarConfiguration=0, bits=8, **HUGE), b"\0" * 4)  # fmt: skip
    floats = data_set(bits=32, **HUGE)
    floats.add_new(0x7FE00008, "OF", b"\0" * 8)
    yield save(folder / "float", floats)
    for name, uid in (("seg", SEG), ("enhanced", ENHANCED)):
        ds = data_set(bits=1 if name == "seg" else 16, SOPClassUID=uid, SegmentationType="BINARY", **HUGE)
        ds.SegmentSequence = [Dataset()]
        ds.SegmentSequence[0].SegmentNumber = 1
        ds.SharedFunctionalGroupsSequence = [Dataset()]
        ds.PerFrameFunctionalGroupsSequence = [Dataset()]
        yield save(folder / name, ds, b"\0" * 4)
    overlay = data_set()
    overlay.add_new(0x60000010, "US", 65535)
    overlay.add_new(0x60000011, "US", 65535)
    overlay.add_new(0x60000015, "IS", "2147483647")
    overlay.add_new(0x60000050, "SS", [1, 1])
    overlay.add_new(0x60003000, "OW", b"\0\0")
    yield save(folder / "overlay", overlay, b"\0" * 70)


PEAK = """
import resource, sys
import microtome as mt
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    def whole(d):
        d.pixels()
    for name, what in {
        "pixels": lambda: mt.dicom.read(path).pixels(),
        "frame": lambda: mt.dicom.read(path).pixels(0),
        "bytes": lambda: mt.dicom.read(path).frame_bytes(0),
        "overlay": lambda: mt.dicom.read(path).overlay(0),
        "open": lambda: mt.open(path).read(),
        "seg": lambda: mt.dicom.read_seg(path),
        "scan": lambda: mt.dicom.scan(path),
        "transcode": lambda: mt.dicom.transcode(path, path + ".new", "ExplicitVRLittleEndian"),
        "deidentify": lambda: mt.dicom.deidentify(mt.dicom.read(path), secret=b"secret"),
    }.items():
        try:
            what()
            said = "ok"
        except mt.Error as e:
            said = type(e).__name__
        print(path.rsplit("/", 1)[1], name, said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)
"""


def test_nothing_is_allocated_for_pixels_that_are_not_there(tmp_path):
    paths = [str(p) for p in huge_files(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PEAK, *paths], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 9 * len(paths)
    for name, what, said, kib in lines:
        allowed = {"CorruptError", "LimitError", "UnsupportedError", "InvalidError", "NotFoundError"}
        if what in ("scan", "deidentify"):
            assert said == "ok", (name, what, said)
        elif what not in ("bytes", "transcode") and not (name == "overlay" and what != "overlay"):
            assert said in allowed, (name, what, said)
        assert int(kib) < 200 << 10, (name, what, said, kib)


# ---- nothing of the patient in errors, warnings and logs --------------------------------------------------


def patient(syntax=NATIVE, value=None, **more):
    """A file whose every identifying text is a mark; native pixels unless a value is given."""
    ds = data_set(syntax, **more)
    ds.PatientName, ds.PatientID, ds.OtherPatientNames = "Mmarkername^One", "MARKERID", "Mmarkername^Two"
    ds.PatientBirthDate = ds.StudyDate = ds.SeriesDate = ds.ContentDate = "19470911"
    ds.AcquisitionDateTime = "19470911101112"
    ds.PatientWeight, ds.AccessionNumber, ds.StudyID = "114733.77", "MARKERID", "MARKERID"
    ds.StudyDescription = ds.SeriesDescription = ds.PatientComments = "Markerdescription"
    ds.ReferringPhysicianName = ds.OperatorsName = ds.PerformingPhysicianName = "Mmarkername^Three"
    ds.RequestAttributesSequence = [Dataset()]
    ds.RequestAttributesSequence[0].RequestedProcedureDescription = "Markerdescription"
    ds.RequestAttributesSequence[0].RequestedProcedureID = "MARKERID"
    ds.private_block(0x0029, "MARKERID", create=True).add_new(1, "LO", "Markerdescription")
    ds.PixelSpacing, ds.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
    ds.ImagePositionPatient, ds.SliceThickness, ds.InstanceNumber = [0, 0, 0], 1, 1
    ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 1, 0, 40, 80
    return ds, bytes(2 * 5 * 7) if value is None else value


ODD = {
    "RescaleSlope": b"Mmarkername", "PixelSpacing": b"MARKERID\\MARKERID", "ImagePositionPatient": b"19470911\\Mmarkername\\1 ",
    "SpecificCharacterSet": b"MARKERID", "NumberOfFrames": b"MARKERID", "WindowCenter": b"Mmarkername ", "Rows": b"MARKERID",
    "ImageOrientationPatient": b"MARKERID", "InstanceNumber": b"Mmarkername ", "StudyDate": b"19470911 Mmarkername ",
    "SOPClassUID": b"Mmarkername ", "StudyInstanceUID": b"MARKERID", "SOPInstanceUID": b"Mmarkername ", "SliceThickness": b"MARKERID",
    "PatientName": b"\x1b$BMmarkername\xff", "PatientBirthDate": b"Mmarkername ", "FrameOfReferenceUID": b"MARKERID",
}  # fmt: skip


def patient_files(folder):
    number = itertools.count()

    def put(name, ds, pixels):
        return save(folder / f"{next(number):03}-{name}.dcm", ds, pixels)

    ds, value = patient()
    whole = put("whole", ds, value).read_bytes()
    for name, text in ODD.items():
        ds, value = patient()
        tag = Tag(name)
        text += b" " * (len(text) % 2)
        ds[tag] = RawDataElement(tag, dictionary_VR(tag), len(text), text, 0, False, True)
        put(f"odd-{name}", ds, value)
    for name in (
        "Rows",
        "BitsAllocated",
        "PixelRepresentation",
        "PhotometricInterpretation",
        "SOPInstanceUID",
    ):
        ds, value = patient()
        delattr(ds, name)
        put(f"no-{name}", ds, value)
    for syntax, stream in STREAMS.items():
        put("stream", patient(syntax)[0], encapsulate([stream], has_bot=False))
        put("none", patient(syntax)[0], encapsulate([b"Mmarkername^Mmarkername"], has_bot=False))
    for uid in (
        SEG,
        ENHANCED,
        "1.2.840.10008.5.1.4.1.1.481.3",
        "1.2.840.10008.5.1.4.1.1.88.11",
        "1.2.840.10008.1.3.10",
    ):
        put("class", *patient(SOPClassUID=uid, frames=3))
    ds, _ = patient()
    put("no-pixels", ds, None)
    ds, value = patient(syntax="1.2.3.4.5")
    put("unknown-syntax", ds, value)
    rng = np.random.default_rng(6)
    for k in range(60):  # cut, or with other bytes
        b = bytearray(whole)
        if k % 3 == 0:
            del b[int(rng.integers(132, len(b))) :]
        else:
            for _ in range(int(rng.integers(1, 8))):
                b[int(rng.integers(130, len(b)))] = int(rng.integers(256))
        (folder / f"{next(number):03}-bytes.dcm").write_bytes(b)


def everything(path):
    """Every entry point of Python: what each says beside its result."""
    made = f"{path}.new"

    def image(im):
        im.read()
        return im.problems

    def listing():
        return [why for _, why in mt.dicom.scan(path).skipped]

    def without():
        ds, report = mt.dicom.deidentify(mt.dicom.read(path), secret=SECRET)
        ds.save(made)
        return [*report.warnings, *(str(c) for c in report.changes)]

    def values():
        ds = mt.dicom.read(path)
        for e in ds.walk():
            with contextlib.suppress(mt.Error):
                _ = e.value
        ds.to_json()
        return ds.warnings

    for what in (
        values,
        lambda: mt.dicom.read(path).pixels() and None,
        lambda: mt.dicom.read(path).pixels(voi=True).size and None,
        lambda: mt.dicom.read(path).overlay(0),
        lambda: mt.dicom.read(path).frame_bytes(9),
        lambda: mt.dicom.read(path)["Nothing"],
        lambda: mt.dicom.read(path).PatientNme,
        lambda: image(mt.open(path)),
        listing,
        without,
        lambda: mt.dicom.transcode(path, made, "HTJ2KLossless"),
        lambda: mt.dicom.transcode(path, made, "RLELossless"),
        lambda: mt.dicom.read_seg(path) is None or None,
        lambda: mt.dicom.read_rtstruct(path, path) is None or None,
        lambda: mt.dicom.rois(path) and None,
    ):
        try:
            told = what()
        except (mt.Error, AttributeError, KeyError, ValueError) as e:
            told = (str(e), getattr(e, "where", ""))
        yield from told if isinstance(told, (list, tuple)) else []


def assert_discreet(text):
    text = text if isinstance(text, str) else text.decode("utf-8", "replace")
    for mark in MARKS:
        assert mark.lower() not in text, text


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    folder = tmp_path_factory.mktemp("of-patients")
    patient_files(folder)
    return folder


def test_no_error_or_warning_tells_of_the_patient(patients):
    said = 0
    for path in sorted(patients.glob("*.dcm")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            told = list(everything(str(path)))
        for text in [*told, *(str(w.message) for w in caught)]:
            assert_discreet(text)
            said += 1
    assert said > 500
    for folder in (patients, [str(p) for p in sorted(patients.glob("*.dcm"))]):
        with pytest.raises(mt.Error) as caught:
            mt.open(folder)
        assert_discreet(str(caught.value))


def test_no_command_tells_of_the_patient_in_its_errors(patients, tmp_path):
    files = sorted(patients.glob("*.dcm"))
    said = b""
    for k, path in enumerate(files[:48:6]):
        for args in (
            ["info", "--stats", path],
            ["info", "--json", path],
            ["convert", path, tmp_path / f"{k}.nii"],
            ["view", path, "--out", tmp_path / f"{k}.png"],
        ):
            said += run(*args).stderr
    said += (
        run("info", "--elements", *files).stderr
        + run("ls", "--json", patients).stderr
        + run("info", patients).stderr
    )
    key = tmp_path / "key"
    key.write_bytes(SECRET)
    said += run("convert", "--deidentify", patients, tmp_path / "without", "--secret", key).stderr
    said += run("convert", patients, tmp_path / "other", "--syntax", "RLELossless").stderr
    assert said.count(b"\n") > 20
    assert_discreet(said)


# ---- texts that a terminal would obey ---------------------------------------------------------------------

ORDERS = "a\x1b[31mred\x07\r\nsecond line\x7f \x9b31m \x00end"


def printed(out):
    """What may reach a terminal: lines of UTF-8 without a control but the newline."""
    text = out.decode("utf-8")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), repr(text)
    return text


@pytest.fixture
def orders(tmp_path):
    """Every text that info and ls show, full of orders; and a file whose name has some."""
    ds, value = patient(SpecificCharacterSet="ISO_IR 192")
    for name in ("Manufacturer", "ManufacturerModelName", "SeriesDescription", "StudyDescription", "PatientName",
                 "PatientID", "Modality", "ImageType", "SOPClassUID", "SOPInstanceUID", "StudyDate", "ProtocolName",
                 "SequenceName", "BodyPartExamined"):  # fmt: skip
        text = ORDERS.encode()
        ds[Tag(name)] = RawDataElement(Tag(name), dictionary_VR(name), len(text), text, 0, False, True)
    path = tmp_path / "new\nline \x1b]0;title\x07.dcm"
    save(path, ds, value)
    (tmp_path / "broken\n\x1b[2J.dcm").write_bytes(b"\0" * 128 + b"DICM")
    return path


def test_nothing_that_is_printed_orders_the_terminal(orders, tmp_path):
    plain = save(tmp_path / "plan", *patient(SOPClassUID="1.2.840.10008.5.1.4.1.1.481.5")[:1])
    ds = pydicom.dcmread(orders)
    del ds.PixelData
    save(tmp_path / "no\npixels", ds)
    key = tmp_path / "key"
    key.write_bytes(SECRET)
    for args in (
        ["info", orders],
        ["info", "--stats", "--elements", orders, plain],
        ["info", tmp_path / "no\npixels"],
        ["ls", "--instances", tmp_path],
        ["ls", orders],
        ["info", tmp_path / "broken\n\x1b[2J.dcm"],
        ["info", tmp_path / "absent\n\x1b[2J"],
        ["convert", orders, tmp_path / "out\x1b[2J.xyz"],
        ["convert", "--deidentify", tmp_path, tmp_path / "without", "--secret", key],
        ["convert", tmp_path, tmp_path / "other", "--syntax", "RLELossless"],
    ):
        done = run(*args)
        assert done.returncode in (0, 1, 2), done.stderr
        printed(done.stdout)
        printed(done.stderr)
        for line in done.stderr.splitlines():
            assert line.startswith(b"microtome: "), line
    for args in (["info", "--json", orders], ["ls", "--json", "--instances", tmp_path]):
        out = run(*args).stdout
        json.loads(out)
        assert not re.search(rb"[\x00-\x09\x0b-\x1f]", out)


# ---- names of files that come from files ------------------------------------------------------------------


@pytest.mark.parametrize("uid", ["..", "../../escaped", "/tmp/escaped", "...", ".", "1/2", "", "\n"])
def test_uids_lead_nowhere(tmp_path, uid):
    (tmp_path / "in").mkdir()
    for tag in ("SOPInstanceUID", "SeriesInstanceUID"):
        ds, value = patient()
        text = uid.encode() + b"\0" * (len(uid) % 2)
        ds[Tag(tag)] = RawDataElement(Tag(tag), "UI", len(text), text, 0, False, True)
        save(tmp_path / "in" / tag, ds, value)
    key = tmp_path / "key"
    key.write_bytes(SECRET)
    for k, more in enumerate(([], ["--options", "retain_uids"])):
        run("convert", "--deidentify", tmp_path / "in", tmp_path / f"deep{k}" / "out", "--secret", key, *more)
        (tmp_path / f"deep{k}").mkdir()
        run("convert", "--deidentify", tmp_path / "in", tmp_path / f"deep{k}" / "out", "--secret", key, *more)
        found = {p.relative_to(tmp_path / f"deep{k}").parts for p in (tmp_path / f"deep{k}").rglob("*.dcm")}
        assert all(p[0] == "out" and len(p) == 3 for p in found), found
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep0", "deep1", "in", "key"]


# ---- folders that are traps -------------------------------------------------------------------------------


def test_folders_that_are_traps(tmp_path):
    trap = tmp_path / "trap"
    trap.mkdir()
    save(trap / "good.dcm", *patient())
    (trap / "loop").symlink_to(trap)
    (trap / "up").symlink_to("..")
    (trap / "self").symlink_to("self")
    (trap / "gone").symlink_to("nowhere")
    (trap / "null").symlink_to("/dev/null")
    (trap / "zero").symlink_to("/dev/zero")
    os.mkfifo(trap / "pipe")
    (trap / "to-pipe").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(trap / "sock")[-100:] if len(str(trap / "sock")) < 100 else "\0unused")
        (trap / "closed").mkdir(mode=0o000)
        save(trap / "unreadable", *patient())
        (trap / "unreadable").chmod(0o000)
        (trap / "empty").write_bytes(b"")
        (trap / "latin\udce9").write_bytes(b"no picture")
        listing = mt.dicom.scan(trap)
    root = os.geteuid() == 0
    assert sorted(Path(x["path"]).name for x in listing.instances) == ["good.dcm"] + ["unreadable"] * root
    why = {Path(p).name: told for p, told in listing.skipped}
    for name in ("null", "zero", "pipe", "to-pipe"):
        assert "pipe, socket or device" in why[name]
    assert {"self", "gone", "empty"} <= set(why) and "loop" not in why
    (trap / "unreadable").unlink()
    assert mt.open(trap).shape[-2:] == (5, 7)
    for name in ("pipe", "to-pipe", "null", "zero"):
        with pytest.raises(mt.Error, match="pipe, socket or device"):
            mt.dicom.read(trap / name)
        with pytest.raises(mt.Error):
            mt.open(trap / name)
    assert b"pipe" in run("ls", trap).stdout
    (trap / "closed").chmod(0o700)


def test_many_files_and_deep_folders(tmp_path):
    deep = tmp_path / "deep"
    path = deep
    for _ in range(70):
        path = path / "d"
    path.mkdir(parents=True)
    save(path / "lost.dcm", *patient())
    listing = mt.dicom.scan(deep)
    assert len(listing.instances) == 0 and any("deep" in why for _, why in listing.skipped)
    many = tmp_path / "many"
    many.mkdir()
    save(many / "0.dcm", *patient())
    for k in range(3000):
        os.link(many / "0.dcm", many / f"x{k}") if k < 50 else (many / f"x{k}").touch()
    listing = mt.dicom.scan(many)
    assert len(listing.instances) == 51 and len(listing.skipped) == 2950


# ---- files that change while they are open ----------------------------------------------------------------


def put_series(folder, n=4, rows=64, columns=64, **more):
    folder.mkdir()
    paths = []
    for k in range(n):
        ds, _ = patient(rows=rows, columns=columns, **more)
        ds.ImagePositionPatient, ds.InstanceNumber = [0, 0, k], k + 1
        ds.SOPInstanceUID = f"1.2.3.{k}"
        paths.append(save(folder / f"{k}.dcm", ds, bytes(2 * rows * columns)))
    return paths


@pytest.mark.parametrize("how", ["cut", "emptied", "replaced", "gone", "folder", "pipe"])
def test_a_series_whose_file_changes(tmp_path, how):
    paths = put_series(tmp_path / "s")
    im = mt.open(tmp_path / "s")
    victim = paths[2]
    if how == "cut":
        os.truncate(victim, 1000)
    elif how == "emptied":
        os.truncate(victim, 0)
    else:
        victim.unlink()
        if how == "replaced":
            victim.write_bytes(os.urandom(9000))
        elif how == "folder":
            victim.mkdir()
        elif how == "pipe":
            os.mkfifo(victim)
    with pytest.raises(mt.Error, match=victim.name):
        im.read()


@pytest.mark.parametrize("syntax", [NATIVE, RLE, DEFLATED])
def test_a_data_set_whose_file_is_cut(tmp_path, syntax):
    """Never a signal: what is no longer there is an error (native, in fragments) or was read at opening (deflated)."""
    ds, value = patient(syntax, rows=256, columns=256)
    pixels = bytes(2 * 256 * 256)
    if syntax == RLE:
        pixels = encapsulate([rle(pixels)])
    path = save(tmp_path / "a", ds, pixels)
    d, im = mt.dicom.read(path), mt.open(path)
    assert d.pixels().shape == (1, 256, 256)
    os.truncate(path, 1200)
    for call in (d.pixels, im.read, lambda: d.frame_bytes(0), lambda: d.to_json(inline_bytes=1 << 20)):
        try:
            call()
        except mt.Error:
            continue
        assert syntax == DEFLATED or call != d.pixels


def rle(pixels):
    """PS3.5 G: two segments of runs of equal bytes."""
    run_of = b"\x81\x00" * (len(pixels) // 2 // 128)
    offsets = [2, 64, 64 + len(run_of)] + [0] * 13
    return b"".join(x.to_bytes(4, "little") for x in offsets) + run_of * 2


# ---- objects with absurdly much in them -------------------------------------------------------------------


def put_raw(ds, name, vr, value):
    ds[Tag(name)] = RawDataElement(Tag(name), vr, len(value), value, 0, False, True)


def item(*elements):
    """An item of explicit (tag, VR, bytes), little endian."""
    body = b""
    for tag, vr, value in elements:
        head = tag.to_bytes(4, "little")[2:] + tag.to_bytes(4, "little")[:2] + vr.encode()
        long = vr in ("SQ", "OB", "UN")
        body += head + (b"\0\0" if long else b"") + len(value).to_bytes(4 if long else 2, "little") + value
    return b"\xfe\xff\x00\xe0" + len(body).to_bytes(4, "little") + body


def segmentation(path, frames, segments, groups, segment_of=lambda k: 1 + k % 3):
    ds = data_set(
        rows=1, columns=8, bits=1, frames=frames, SOPClassUID=SEG, SegmentationType="BINARY", Modality="SEG"
    )
    put_raw(ds, "SegmentSequence", "SQ", b"".join(
        item((0x00620004, "US", (k % 65535 + 1).to_bytes(2, "little"))) for k in range(segments)))  # fmt: skip
    shared = Dataset()
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [Dataset()], [Dataset()]
    shared.PlaneOrientationSequence[0].ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence[0].PixelSpacing = [1, 1]
    shared.PixelMeasuresSequence[0].SliceThickness = 1
    ds.SharedFunctionalGroupsSequence = [shared]
    per_frame = [
        item((0x00209113, "SQ", item((0x00200032, "DS", b"0\\0\\%d " % (k // 3) + b" " * (len(str(k // 3)) % 2 == 0)))),
             (0x0062000A, "SQ", item((0x0062000B, "US", segment_of(k).to_bytes(2, "little")))))
        for k in range(groups)
    ]  # fmt: skip
    put_raw(ds, "PerFrameFunctionalGroupsSequence", "SQ", b"".join(per_frame))
    return save(path, ds, b"\xff" * max(2, (frames + 1) // 2 * 2))


def test_segmentations_of_too_much_or_too_little(tmp_path):
    good = segmentation(tmp_path / "good", 30, 3, 30)
    assert mt.open(good).read().shape[-3:] == (10, 1, 8)
    with pytest.raises(mt.CorruptError, match="frame"):
        mt.open(segmentation(tmp_path / "few", 30, 3, 7))
    with pytest.raises(mt.Error):
        mt.open(segmentation(tmp_path / "none", 30, 3, 0))
    with pytest.raises(mt.Error, match="segment"):
        mt.open(segmentation(tmp_path / "unknown", 30, 3, 30, lambda k: 9))
    with pytest.raises(mt.CorruptError, match="more than there are numbers"):
        mt.open(segmentation(tmp_path / "segments", 30, 66000, 30))
    assert mt.open(segmentation(tmp_path / "frames", 1500, 3, 1500)).shape == (3, 500, 1, 8)


def structures(path, data, points=None):
    ds = data_set(IMPLICIT, SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", Modality="RTSTRUCT")
    roi, drawn, contour = Dataset(), Dataset(), Dataset()
    roi.ROINumber, roi.ROIName = 1, "a"
    drawn.ReferencedROINumber, drawn.ContourSequence = 1, [contour]
    contour.ContourGeometricType = "CLOSED_PLANAR"
    contour.NumberOfContourPoints = data.count(b"\\") // 3 + 1 if points is None else points
    put_raw(contour, "ContourData", "DS", data + b" " * (len(data) % 2))
    ds.StructureSetROISequence, ds.ROIContourSequence = [roi], [drawn]
    return save(path, ds)


GRID = ((4, 9, 9), np.eye(4))


@pytest.mark.parametrize(
    "data",
    [
        b"nan\\1\\1\\2\\2\\1\\3\\1\\1", b"inf\\1\\1\\2\\2\\1\\3\\1\\1", b"1e999\\1\\1\\2\\2\\1\\3\\1\\1",
        b"x\\1\\1\\2\\2\\1\\3\\1\\1", b"\\\\\\\\\\\\", b"1\\2", b"1\\2\\3\\4", b"1\\1\\nan\\2\\2\\nan\\3\\1\\nan",
    ],
)  # fmt: skip
def test_contours_that_are_no_numbers(tmp_path, data):
    with pytest.raises(mt.CorruptError, match="contour|point"):
        mt.dicom.read_rtstruct(structures(tmp_path / "s", data), GRID)


@pytest.mark.parametrize("far", [b"1e300", b"-1e300", b"1e18", b"4e9", b"1e-300"])
def test_contours_far_away_take_no_time(tmp_path, far):
    data = b"1\\1\\1\\" + far + b"\\2\\1\\2\\" + far + b"\\1"
    with contextlib.suppress(mt.Error), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mt.dicom.read_rtstruct(structures(tmp_path / "s", data), GRID)


def test_contours_of_very_many_points(tmp_path):
    path = structures(tmp_path / "s", b"\\".join([b"1\\1\\1\\7\\1\\1\\7\\7\\1\\1\\7\\1"] * 50000))
    assert mt.dicom.rois(path)[0]["points"] == 200000
    assert mt.dicom.read_rtstruct(path, GRID)["a"].shape == GRID[0]


def test_functional_groups_deep_and_few(tmp_path):
    for groups, depth in ((2, 0), (0, 0), (4, 25), (4, 40)):
        ds = data_set(SOPClassUID=ENHANCED, frames=4)
        one = Dataset()
        for _ in range(depth):
            outer = Dataset()
            outer.PlanePositionSequence = [one]
            one = outer
        one.PlanePositionSequence = one.get("PlanePositionSequence", [Dataset()])
        ds.PerFrameFunctionalGroupsSequence = [one] * groups
        path = save(tmp_path / f"{groups}-{depth}", ds, bytes(4 * 70))
        try:
            im = mt.open(path)
            assert im.read().shape[-3:] == (4, 5, 7)
        except mt.CorruptError as e:
            assert groups < 4, e
        except mt.LimitError as e:
            assert depth > 30 and "deeper" in str(e)
