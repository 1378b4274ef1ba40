"""Listings of DICOM folders (mt.dicom.scan, microtome ls) against pydicom, on generated and real files.
SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

TEXTS = {
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "study_uid": "StudyInstanceUID",
    "study_date": "StudyDate",
    "study_description": "StudyDescription",
    "series_uid": "SeriesInstanceUID",
    "series_description": "SeriesDescription",
    "modality": "Modality",
    "sop_uid": "SOPInstanceUID",
    "sop_class": "SOPClassUID",
}
NUMBERS = {
    "series_number": "SeriesNumber",
    "instance_number": "InstanceNumber",
    "rows": "Rows",
    "columns": "Columns",
    "frames": "NumberOfFrames",
}


def save(path, pixels=b"\0" * 32, **values):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    standard = {"Modality": "MR", "Rows": 4, "Columns": 4, "BitsAllocated": 16, "SamplesPerPixel": 1}
    for name, value in (standard | values).items():
        setattr(ds, name, value)
    if pixels is not None:
        ds.PixelData = pixels
    ds.save_as(path, enforce_file_format=True)
    return str(path)


@pytest.fixture
def export(tmp_path):
    """Two patients, three studies, four series; the later study first by UID, numbers out of order, other files between."""
    folder = tmp_path / "export"
    (folder / "b" / "deep").mkdir(parents=True)
    common = {"PatientID": "P1", "PatientName": "One^Pat", "StudyInstanceUID": "1.9", "StudyDate": "20200102"}
    for i, number in enumerate((3, 1, 2)):
        save(folder / f"{i}.dcm", SeriesInstanceUID="1.9.2", SeriesNumber=2, InstanceNumber=number, **common)
    save(folder / "b" / "s1", SeriesInstanceUID="1.9.3", SeriesNumber=1, InstanceNumber=1, **common)
    later = common | {"StudyInstanceUID": "1.1", "StudyDate": "20210101"}
    save(folder / "b" / "deep" / "x", SeriesInstanceUID="1.1.1", SeriesNumber=1, pixels=None, **later)
    other = {"PatientID": "P0", "StudyInstanceUID": "1.5", "StudyDate": "", "SeriesInstanceUID": "1.5.1"}
    save(folder / "z.dcm", SpecificCharacterSet="ISO_IR 100", PatientName="Größe^Ü", **other)
    (folder / "notes.txt").write_text("not an image")
    (folder / ".DS_Store").write_bytes(b"\0" * 200)
    return folder


def test_order_and_groups(export):
    listing = mt.dicom.scan(export)
    assert [s.series_uid for s in listing] == ["1.5.1", "1.9.3", "1.9.2", "1.1.1"]
    assert (listing.n_patients, listing.n_studies, len(listing)) == (2, 3, 4)
    assert [x["instance_number"] for x in listing[2].instances] == [1, 2, 3]
    assert listing[2].paths == [str(export / f"{i}.dcm") for i in (1, 2, 0)]
    assert listing[0].patient_name == "Größe^Ü"
    assert listing[0].series_number is None
    assert [x["has_pixels"] for x in listing.instances] == [True] * 5 + [False]
    assert [os.path.basename(path) for path, _ in listing.skipped] == ["notes.txt"]  # noqa: PTH119
    assert "DICOM" in listing.skipped[0][1]
    assert listing.rows()[2]["instances"] == 3
    assert "One" not in repr(listing) + repr(listing[2])


def test_wrong_dates_and_numbers_tear_nothing_apart(tmp_path):
    for i in range(6):
        save(
            tmp_path / str(i),
            PatientID="P",
            StudyInstanceUID=f"1.{i % 2}",
            StudyDate=f"2020010{i}",
            SeriesInstanceUID=f"1.{i % 2}.1",
            SeriesNumber=9 - i,
            InstanceNumber=i,
        )
    listing = mt.dicom.scan(tmp_path)
    assert [[x["instance_number"] for x in s.instances] for s in listing] == [[0, 2, 4], [1, 3, 5]]


def test_any_number_of_threads_gives_the_same(tmp_path, data):
    paths = [data("dicom"), data("mr-t1")]
    first = mt.dicom.scan(paths, threads=1)
    for threads in (2, 5, 0):
        other = mt.dicom.scan(paths, threads=threads)
        assert other.instances == first.instances
        assert other.skipped == first.skipped
        assert [len(s) for s in other] == [len(s) for s in first]


def _text(ds, keyword):
    value = ds.get(keyword)
    return "" if value is None else str(value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("folder", ["dicom", "wsi/highdicom", "mr-t1"])
def test_every_real_file_as_pydicom_reads_it(data, folder):
    listing = mt.dicom.scan(data(folder))
    assert listing.instances
    for x in listing.instances:
        ds = pydicom.dcmread(x["path"], force=True, stop_before_pixels=True)
        for name, keyword in TEXTS.items():
            want = _text(ds, keyword)
            assert x[name].rstrip("= ") == want.rstrip("= "), (x["path"], name)
        for name, keyword in NUMBERS.items():
            value = ds.get(keyword)
            if isinstance(value, str) and not value.strip().isdigit() and value:
                continue  # no number: an IS of "1A"
            assert x[name] == (None if value is None or value == "" else int(value)), (x["path"], name)
        image_type = ds.get("ImageType")
        joined = image_type if isinstance(image_type, str) or image_type is None else "\\".join(image_type)
        assert x["image_type"] == (joined or "")
        assert x["file_bytes"] == os.path.getsize(x["path"])  # noqa: PTH202
        if "too_short" not in x["path"]:  # pydicom gives up the whole data set there
            pixels = pydicom.dcmread(x["path"], force=True)
            has = any(k in pixels for k in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
            assert x["has_pixels"] == has, x["path"]


def test_nothing_that_pydicom_reads_is_left_out(data):
    listing = mt.dicom.scan(data("dicom"))
    for path, why in listing.skipped:
        if "DICOMDIR" in why:
            continue
        with pytest.raises(pydicom.errors.InvalidDicomError):
            pydicom.dcmread(path)


MEASURE = """
import resource, sys
import microtome as mt
listing = mt.dicom.scan(sys.argv[1], threads=2)
assert len(listing.instances) == 40, len(listing.instances)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _grow(path, pixel_bytes):
    """A copy whose pixel data is that long: holes of the file system, so that it takes no room on the disk."""
    ds = pydicom.dcmread(path)
    ds.Rows, ds.Columns, ds.NumberOfFrames = 512, 1024, pixel_bytes >> 20
    ds.PixelData = b""
    ds.save_as(path)
    size = os.path.getsize(path)  # noqa: PTH202
    with open(path, "r+b") as f:  # noqa: PTH123
        f.seek(size - 4)
        f.write(pixel_bytes.to_bytes(4, "little"))
        f.truncate(size + pixel_bytes)


def test_memory_does_not_depend_on_pixel_data(tmp_path):
    peak = {}
    for megabytes in (1, 100):
        folder = tmp_path / str(megabytes)
        folder.mkdir()
        for i in range(40):
            _grow(save(folder / str(i), PatientID="P", InstanceNumber=i), megabytes << 20)
        out = subprocess.run(
            [sys.executable, "-c", MEASURE, str(folder)], capture_output=True, text=True, check=True
        )
        peak[megabytes] = int(out.stdout)
    assert peak[100] < peak[1] + 2048  # kB


def test_errors(tmp_path):
    with pytest.raises(mt.NotFoundError, match="absent"):
        mt.dicom.scan(tmp_path / "absent")
    with pytest.raises(mt.InvalidError):
        mt.dicom.scan([])
    with pytest.raises(mt.InvalidError):
        mt.dicom.scan(tmp_path, threads=-1)
    empty = mt.dicom.scan(tmp_path)
    assert len(empty) == 0 and empty.instances == []


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "cut.dcm"
    save(path, PatientID="P")
    whole = path.read_bytes()
    path.write_bytes(whole[:140])
    (tmp_path / "empty").write_bytes(b"")
    listing = mt.dicom.scan(tmp_path)
    assert len(listing.instances) + len(listing.skipped) == 2
    assert any(p.endswith("empty") for p, _ in listing.skipped)


# ---- microtome ls


def ls(cli, *args):
    return subprocess.run([*cli, "ls", *map(str, args)], capture_output=True, text=True)


@pytest.fixture(scope="session")
def cli():
    path = os.environ.get("MICROTOME_CLI")
    if not path or not Path(path).exists():
        pytest.skip("the command line was not built")
    return [path]


def test_ls_tree(cli, export):
    out = ls(cli, export)
    assert out.returncode == 0 and out.stderr == ""
    lines = out.stdout.splitlines()
    assert lines[0] == "patient Größe^Ü  P0"
    assert "  study 2020-01-02  (no description)" in lines
    assert any(
        line.startswith("    2     MR") and "3 instances, 4 × 4, Explicit VR" in line for line in lines
    )
    assert any(line.startswith("skipped") and "notes.txt" in line for line in lines)
    assert lines[-1] == "2 patients, 3 studies, 4 series, 6 instances, 1 skipped"


def test_ls_json(cli, export):
    out = json.loads(ls(cli, export, "--json", "--instances").stdout)
    series = [x for p in out["patients"] for s in p["studies"] for x in s["series"]]
    listing = mt.dicom.scan(export)
    assert [x["series_uid"] for x in series] == [s.series_uid for s in listing]
    assert [[i["path"] for i in x["instances"]] for x in series] == [s.paths for s in listing]
    assert [len(p["studies"]) for p in out["patients"]] == [1, 2]
    assert [s["why"] for s in out["skipped"]] == [why for _, why in listing.skipped]
    assert (
        "instances"
        not in json.loads(ls(cli, export, "--json").stdout)["patients"][0]["studies"][0]["series"][0]
    )


def test_ls_exit_codes(cli, export, tmp_path):
    assert ls(cli).returncode == 2
    assert ls(cli, "--threads", "0", export).returncode == 2
    absent = ls(cli, tmp_path / "absent")
    assert absent.returncode == 1 and absent.stderr.count("\n") == 1 and "absent" in absent.stderr
    (tmp_path / "none").mkdir()
    assert ls(cli, tmp_path / "none").returncode == 1
    json.loads(ls(cli, tmp_path / "none", "--json").stdout)


def test_texts_of_files_stay_on_their_line(cli, tmp_path):
    save(tmp_path / "a", PatientID="P", SeriesDescription="x\x1b[31my", pixels=np.zeros(16, "u2").tobytes())
    out = ls(cli, tmp_path).stdout
    assert "\x1b" not in out
