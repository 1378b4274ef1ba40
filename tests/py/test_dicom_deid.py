"""De-identification (PS3.15 E): every attribute of table E.1-1, read here by itself, against what mt.dicom.deidentify does.

SPDX-License-Identifier: Apache-2.0
"""

import collections
import csv
import datetime
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT.parent / "shared" / "standard" / "dicom_confidentiality.tsv"
CLI = os.environ.get("MICROTOME_CLI")
SECRET = b"a secret of the test"
COLUMNS = {
    "retain_uids": "rtnUIDsOpt",
    "retain_device": "rtnDevIdOpt",
    "retain_institution": "rtnInstIdOpt",
    "retain_patient": "rtnPatCharsOpt",
    "retain_dates": "rtnLongFullDatesOpt",
    "shift_dates": "rtnLongModifDatesOpt",
    "clean_descriptors": "cleanDescOpt",
    "clean_structured": "cleanStructContOpt",
    "clean_graphics": "cleanGraphOpt",
}
VALUES = {
    "AE": "SECRETAE",
    "AS": "042Y",
    "CS": "SECRETCS",
    "DA": "20240229",
    "DS": "17.25",
    "DT": "20240229123456.5+0100",
    "IS": "4711",
    "LO": "Secret Smith",
    "LT": "Secret Smith",
    "PN": "Smith^Secret",
    "SH": "Secret Smith",
    "ST": "Secret Smith",
    "TM": "123456",
    "UC": "Secret Smith",
    "UI": "1.2.3.4.5.6.7",
    "UR": "http://secret.example/smith",
    "UT": "Secret Smith",
    "US": 4711,
    "SS": -47,
    "UL": 4711,
    "SL": -4711,
    "FL": 4.5,
    "FD": 4.25,
    "OB": b"secret!!",
    "OW": b"secret!!",
    "UN": b"secret!!",
}
MARKS = {"PatientIdentityRemoved", "DeidentificationMethod", "DeidentificationMethodCodeSequence"}
MARKS |= {"LongitudinalTemporalInformationModified"}


def table():
    if not TABLE.exists():
        pytest.skip("the standard's tables are not beside the project")
    text = re.sub("\n+(?=[^\n]*see Note)", " ", TABLE.read_text())  # a name that goes on in the next lines
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return [r for r in rows if re.fullmatch("[0-9A-F]{8}", r["tag"].upper())]


def new_dataset(**more):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.PatientID, ds.PatientName = "ID-4711", "Smith^John"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    ds.Modality = "MR"
    for key, value in more.items():
        setattr(ds, key, value)
    return ds


def as_bytes(ds):
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def deidentify(ds, tmp_path, **options):
    """What comes out, read back by pydicom, and the report."""
    source = tmp_path / "in.dcm"
    source.write_bytes(as_bytes(ds))
    options.setdefault("secret", SECRET)
    made, report = mt.dicom.deidentify(source, **options)
    made.save(tmp_path / "out.dcm")
    return pydicom.dcmread(tmp_path / "out.dcm"), report


def value_for(tag, vr):
    if vr == "SQ":
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "SECRET", "99X", "Secret Smith"
        return Sequence([item])
    return VALUES[vr]


def expected(row, options):
    """The action letters that the table gives for these options; each is right where compound."""
    chosen = [row[COLUMNS[o]] for o in options if o in COLUMNS and row[COLUMNS[o]]]
    if "K" in chosen:
        return "K"
    if chosen:
        return "S" if row["rtnLongModifDatesOpt"] and "shift_dates" in options else "C"
    if row["tag"] == "00081110":  # an empty one breaks every object (PS3.3 C.7.2.1)
        return "X"
    return row["basicProfile"].replace("*", "")


def check_action(row, vr, before, after, action, days):
    """before, after: pydicom elements (after may be None)."""
    name = f"{row['tag']} {row['name']} ({vr}, {action})"
    if action == "X":
        assert after is None, name
        return
    if action in ("C", "S") and after is None:
        assert vr in ("OB", "OW", "UN"), name
        return
    assert after is not None, name
    assert after.VR == before.VR, name
    if action == "K":
        assert after.value == before.value or vr == "SQ", name
        return
    if vr == "SQ":
        assert "Secret" not in str(after) or action == "C", name
        return
    if action == "S" and vr in ("DA", "DT"):
        moved = datetime.date(2024, 2, 29) - datetime.timedelta(days=days)
        assert str(after.value).startswith(moved.strftime("%Y%m%d")), name
        assert str(after.value)[8:] == str(before.value)[8:], name
        return
    if action == "S" and vr == "TM":
        assert after.value == before.value
        return
    text = str(after.value)
    assert text != str(before.value), name
    assert "secret" not in text.lower() and "smith" not in text.lower(), name
    if "U" in action and vr == "UI":
        assert UID(text).is_valid and text.startswith("2.25."), name
    if action == "D":
        assert after.value not in (None, "", b""), name


OPTION_SETS = [
    (),
    ("retain_uids",),
    ("retain_device", "retain_institution"),
    ("retain_patient",),
    ("retain_dates",),
    ("shift_dates",),
    ("clean_descriptors", "clean_structured", "clean_graphics"),
    ("retain_uids", "shift_dates", "retain_patient", "clean_descriptors"),
]


@pytest.mark.parametrize("options", OPTION_SETS, ids=lambda o: "+".join(o) or "basic")
def test_every_row_of_the_table(tmp_path, options):
    rows = table()
    ds = new_dataset()
    present = []
    for row in rows:
        tag = int(row["tag"], 16)
        if (
            tag >> 16 < 8
            or tag in (0x00080018, 0x00100010, 0x00100020, 0x0020000D, 0x0020000E)
            or tag >> 16 >= 0xFFFA
        ):
            continue
        try:
            vr = dictionary_VR(tag)
        except KeyError:
            continue
        vr = vr.split(" or ")[0]
        ds[tag] = DataElement(tag, vr, value_for(tag, vr))
        present.append((row, vr))
    assert len(present) > 550
    before = pydicom.dcmread(io.BytesIO(as_bytes(ds)))
    after, report = deidentify(ds, tmp_path, options=options)
    said = {path: action for path, action in report.changes}
    days = None
    if "shift_dates" in options:
        days = (
            datetime.date(2024, 2, 29) - datetime.datetime.strptime(after.StudyDate, "%Y%m%d").date()
        ).days
        assert 1 <= days <= 3650
    for row, vr in present:
        tag = int(row["tag"], 16)
        action = expected(row, options)
        check_action(row, vr, before[tag], after.get(tag), action, days)
        if action != "K" and vr != "SQ":
            letter = said[keyword_for_tag(tag) or row["tag"]]
            assert letter in action, (row["name"], letter, action)
    assert after.PatientName != "Smith^John" and after.PatientID != "ID-4711"
    assert after.PatientIdentityRemoved == "YES"
    codes = [i.CodeValue for i in after.DeidentificationMethodCodeSequence]
    assert codes[0] == "113100" and len(codes) == 1 + len(options)
    assert after.LongitudinalTemporalInformationModified == {
        "retain_dates": "UNMODIFIED",
        "shift_dates": "MODIFIED",
    }.get(next((o for o in options if o.endswith("_dates")), ""), "REMOVED")


def test_what_the_table_does_not_name_stays(tmp_path):
    ds = new_dataset(
        Rows=4, Columns=5, BitsAllocated=16, RepetitionTime="12.5", ImageType=["ORIGINAL", "PRIMARY"]
    )
    ds.SamplesPerPixel, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 1, 12, 11, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PixelData = np.arange(20, dtype="<u2").tobytes()
    ds.SliceThickness, ds.ImagePositionPatient = "3.5", [1, 2, 3]
    after, _ = deidentify(ds, tmp_path)
    for keyword in (
        "Rows",
        "RepetitionTime",
        "ImageType",
        "PixelData",
        "SliceThickness",
        "ImagePositionPatient",
    ):
        assert after[keyword].value == ds[keyword].value, keyword
        assert after[keyword].VR == ds[keyword].VR or keyword == "PixelData"
    assert after.SOPClassUID == ds.SOPClassUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID != ds.SOPInstanceUID


def test_uids_stay_consistent_within_and_across_files(tmp_path):
    ds = new_dataset(FrameOfReferenceUID="1.2.3.9")
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.SourceImageSequence = [item]
    one, _ = deidentify(ds, tmp_path)
    assert one.SourceImageSequence[0].ReferencedSOPInstanceUID == one.SOPInstanceUID
    assert one.SourceImageSequence[0].ReferencedSOPClassUID == ds.SOPClassUID
    other = new_dataset(FrameOfReferenceUID="1.2.3.9", SOPInstanceUID="1.2.3.5")
    two, _ = deidentify(other, tmp_path)
    assert two.FrameOfReferenceUID == one.FrameOfReferenceUID and two.StudyInstanceUID == one.StudyInstanceUID
    assert two.SOPInstanceUID != one.SOPInstanceUID and two.PatientID == one.PatientID
    three, _ = deidentify(ds, tmp_path, secret=b"another secret")
    assert three.StudyInstanceUID != one.StudyInstanceUID and three.PatientID != one.PatientID


def test_dates_of_one_patient_move_together(tmp_path):
    shifts = []
    for date, patient in (("20240229", "A"), ("20200101", "A"), ("20240229", "B")):
        after, _ = deidentify(
            new_dataset(StudyDate=date, PatientID=patient), tmp_path, options=["shift_dates"]
        )
        moved = datetime.datetime.strptime(after.StudyDate, "%Y%m%d")
        shifts.append((datetime.datetime.strptime(date, "%Y%m%d") - moved).days)
    assert shifts[0] == shifts[1] != shifts[2]
    limited, _ = deidentify(
        new_dataset(StudyDate="20240229"), tmp_path, options=["shift_dates"], shift_days=1
    )
    assert limited.StudyDate == "20240228"


def test_dates_in_odd_forms_are_emptied_not_kept(tmp_path):
    ds = new_dataset(AcquisitionDateTime="20240229")
    ds.add_new(0x00080020, "DA", "20240229")
    raw = as_bytes(ds).replace(b"DA\x08\x0020240229", b"DA\x0a\x002024.02.29")
    (tmp_path / "odd.dcm").write_bytes(raw)
    made, _ = mt.dicom.deidentify(tmp_path / "odd.dcm", secret=SECRET, options=["shift_dates"])
    assert not made.StudyDate


def test_nested_identities_go(tmp_path):
    ds = new_dataset()
    inner = Dataset()
    inner.PatientName, inner.StudyDate, inner.ReferencedFrameOfReferenceUID = (
        "Smith^John",
        "20240229",
        "1.2.3.77",
    )
    outer = Dataset()
    outer.add_new(0x00081250, "SQ", [inner])  # RelatedSeriesSequence
    outer.SeriesInstanceUID = "1.2.3.78"
    ds.MRImagingModifierSequence = [outer]
    after, report = deidentify(ds, tmp_path)
    text = str(after)
    assert (
        "Smith" not in text and "20240229" not in text and "1.2.3.77" not in text and "1.2.3.78" not in text
    )
    assert any(path.startswith("MRImagingModifierSequence[0].") for path, _ in report.changes)


def test_a_structured_report_loses_its_text(tmp_path):
    ds = new_dataset(Modality="SR")
    text = Dataset()
    text.ValueType, text.TextValue = "TEXT", "Mr Smith fell"
    name = Dataset()
    name.ValueType, name.PersonName = "PNAME", "Smith^John"
    box = Dataset()
    box.ValueType, box.ContentSequence = "CONTAINER", [text, name]
    ds.ContentSequence = [box]
    after, _ = deidentify(ds, tmp_path)
    assert "Smith" not in str(after)
    kept, _ = deidentify(ds, tmp_path, options=["clean_structured"])
    assert "John" not in str(kept)


def test_private_attributes_go_but_for_safe_ones(tmp_path):
    ds = new_dataset()
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "1000")
    block.add_new(0x0F, "LO", "Secret")
    acme = ds.private_block(0x0029, "ACME", create=True)
    acme.add_new(0xA1, "LO", "fine")
    none, report = deidentify(ds, tmp_path)
    assert not [e for e in none if e.tag.is_private]
    assert sum(a == "P" for _, a in report.changes) == 3
    safe, _ = deidentify(ds, tmp_path, options=["retain_safe_private"], safe_private=["ACME|0029a1"])
    kept = [e for e in safe if e.tag.is_private]
    assert {(e.tag, e.value) for e in kept} == {
        (0x00190010, "SIEMENS MR HEADER"),
        (0x0019100C, 1000),
        (0x00290010, "ACME"),
        (0x002910A1, "fine"),
    }


def test_clean_descriptors_keep_imaging_words(tmp_path):
    ds = new_dataset(SeriesDescription="T1w MPRAGE sag Smith 1mm", StudyDescription="Head of John, born 1970")
    after, _ = deidentify(ds, tmp_path, options=["clean_descriptors"])
    assert after.SeriesDescription == "T1w MPRAGE sag 1mm" and after.StudyDescription == "Head of"
    basic, _ = deidentify(ds, tmp_path)
    assert "SeriesDescription" not in basic


def test_a_text_that_must_have_a_value_keeps_one_when_no_word_is_safe(tmp_path):
    ds = new_dataset(StructureSetLabel="Smith", SeriesDescription="Smith")
    after, _ = deidentify(ds, tmp_path, options=["clean_descriptors"])
    assert after.StructureSetLabel == "REMOVED" and not after.SeriesDescription


def test_an_overlay_goes_as_a_whole(tmp_path):
    ds = new_dataset()
    ds.add_new(0x60000010, "US", 2)
    ds.add_new(0x60000011, "US", 4)
    ds.add_new(0x60003000, "OW", b"\5\0")
    ds.add_new(0x60020010, "US", 2)  # embedded in the pixels' unused bits: no data of its own
    after, report = deidentify(ds, tmp_path)
    assert [e.tag for e in after if e.tag.group >> 8 == 0x60] == [0x60020010]
    assert ("60003000", "X") in report.changes or ("OverlayData", "X") in report.changes


def written_errors(path):
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace")
    lines = [
        re.sub(r"[0-9]+(\.[0-9]+)+|<[^>]*>", "…", x)
        for x in done.stderr.splitlines()
        if x.startswith("Error")
    ]
    return collections.Counter(lines)


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy is not installed")
@pytest.mark.parametrize("options", [(), ("shift_dates", "clean_descriptors", "retain_patient")])
def test_objects_stay_conformant(tmp_path, data, options):
    files = sorted(data("dicom/pydicom").glob("*.dcm"))[::4] + sorted(data("wsi/highdicom").glob("*.dcm"))
    done = 0
    for path in (f for f in files if f.stat().st_size < 300_000):
        try:
            made, _ = mt.dicom.deidentify(path, secret=SECRET, options=options)
            made.save(tmp_path / "made.dcm")
        except mt.Error:
            continue
        added = written_errors(tmp_path / "made.dcm") - written_errors(path)
        assert not added, (path.name, added)
        done += 1
    assert done > 15


def test_replacements_may_be_given(tmp_path):
    after, _ = deidentify(
        new_dataset(), tmp_path, patient_id="S-001", patient_name="Subject^One", uid_root="1.2.826.0.1."
    )
    assert after.PatientID == "S-001" and after.PatientName == "Subject^One"
    assert after.SOPInstanceUID.startswith("1.2.826.0.1.") and after.SOPInstanceUID.is_valid


@pytest.mark.parametrize(
    "more, word",
    [
        ({"BurnedInAnnotation": "YES"}, "burned-in"),
        ({"Modality": "US"}, "may show text"),
        ({"RecognizableVisualFeatures": "YES"}, "recognised"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path, more, word):
    ds = new_dataset(
        Rows=1, Columns=2, BitsAllocated=8, BitsStored=8, HighBit=7, PixelRepresentation=0, **more
    )
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.add_new(0x7FE00010, "OB", b"ab")
    _, report = deidentify(ds, tmp_path)
    assert any(word in w for w in report.warnings), report.warnings
    assert not any("Smith" in w or "4711" in w for w in report.warnings)


@pytest.mark.parametrize(
    "options",
    [
        dict(secret=b""),
        dict(options=["retain_dates", "shift_dates"]),
        dict(options=["no_such"]),
        dict(uid_root="2.25"),
        dict(uid_root="hello."),
    ],
)
def test_bad_options_are_refused(tmp_path, options):
    with pytest.raises((mt.Error, ValueError)):
        deidentify(new_dataset(), tmp_path, **options)


def test_the_report_holds_no_values(tmp_path):
    _, report = deidentify(new_dataset(PatientBirthDate="19700101", InstitutionName="Smith Clinic"), tmp_path)
    assert "Smith" not in str(report) and "1970" not in str(report)
    assert ("InstitutionName", "D") in report.changes and len(report) == len(report.changes)


def test_real_files_keep_their_pixels_and_lose_their_names(tmp_path, data):
    files = [f for f in sorted(data("dicom/pydicom").glob("*.dcm")) if f.stat().st_size < 500_000]
    done = 0
    for path in files:
        try:
            source = mt.dicom.read(path)
            made, _ = mt.dicom.deidentify(source, secret=SECRET)
            made.save(tmp_path / "real.dcm")
        except mt.InvalidError as e:  # a Part 10 file cannot be without these
            assert "SOPClassUID" in str(e) or "SOPInstanceUID" in str(e), (path.name, str(e))
            continue
        except (mt.UnsupportedError, mt.CorruptError):
            continue
        before = pydicom.dcmread(path, force=True)
        after = pydicom.dcmread(tmp_path / "real.dcm")
        text = str(after)
        for e in before.iterall():
            if e.VR == "PN" and re.search("[A-Za-z]{3}", str(e.value)):
                assert str(e.value) not in text, (path.name, e.tag)
        if "PixelData" in before and "PixelData" in after:
            assert after.PixelData == before.PixelData or after.file_meta.TransferSyntaxUID.is_encapsulated, (
                path.name
            )
        done += 1
    assert done > 60


@pytest.mark.skipif(not CLI, reason="MICROTOME_CLI names no program")
def test_command_line(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(3):
        ds = new_dataset(SOPInstanceUID=f"1.2.3.{i}", PatientBirthDate="19700101")
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        (tmp_path / "in" / f"{i}.dcm").write_bytes(as_bytes(ds))
    (tmp_path / "secret").write_bytes(SECRET)
    command = [
        CLI,
        "convert",
        "--deidentify",
        "--secret",
        tmp_path / "secret",
        "--report",
        tmp_path / "report.json",
    ]
    done = subprocess.run([*command, tmp_path / "in", tmp_path / "out"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "out").rglob("*.dcm"))
    assert len(files) == 3
    for f in files:
        after = pydicom.dcmread(f)
        assert after.PatientIdentityRemoved == "YES" and after.PatientID != "ID-4711"
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["files"]) == 3 and "Smith" not in json.dumps(report)
    missing = subprocess.run(
        [CLI, "convert", "--deidentify", tmp_path / "in", tmp_path / "o2"], capture_output=True, text=True
    )
    assert missing.returncode == 2 and "secret" in missing.stderr


def test_the_generated_table_is_what_its_facts_give():
    table()
    done = subprocess.run(
        ["python3", ROOT / "tools" / "gen_dicom_confidentiality.py", "--check"], env={**os.environ}
    )
    assert done.returncode == 0


def test_new_uids_are_uuids(tmp_path):
    after, _ = deidentify(new_dataset(SOPInstanceUID=generate_uid()), tmp_path)
    number = int(after.SOPInstanceUID.split(".")[2])
    assert number >> 128 == 0 and number >> 76 & 15 == 8 and number >> 62 & 3 == 2
