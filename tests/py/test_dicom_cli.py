"""`microtome info` of DICOM files that are no pictures: what they are, as text, as JSON, element by element.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess

import microtome as mt
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence

CLI = os.environ.get("MICROTOME_CLI", "microtome")


def run(*args):
    return subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, timeout=60)


def rt_plan(path, **more):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.481.5"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.7"
    ds.Modality, ds.PatientName, ds.RTPlanLabel = "RTPLAN", "Secret^Näme", "Plan 1"
    ds.BeamSequence = Sequence([Dataset(), Dataset()])
    for k, v in more.items():
        setattr(ds, k, v)
    ds.save_as(path, enforce_file_format=True)
    return path


def test_object_without_pixels(tmp_path):
    path = rt_plan(tmp_path / "plan.dcm")
    done = run("info", path)
    assert done.returncode == 0 and done.stderr == ""
    for line in (
        "  object   RT Plan Storage",
        "  syntax   Implicit VR Little Endian",
        "  label    Plan 1",
        "  beams    2",
    ):
        assert line in done.stdout.splitlines()
    assert "Secret" not in done.stdout  # names only where all elements are asked for
    assert "Secret^Näme" in run("info", "--elements", path).stdout


def test_json_has_the_data_set(tmp_path):
    path = rt_plan(tmp_path / "plan.dcm")
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"\0" * 300)
    done = run("info", "--json", path, bad, path)
    assert done.returncode == 1 and "bad.dcm" in done.stderr
    first, second = json.loads(done.stdout)
    assert first == second and first["object"] == "RT Plan Storage" and first["warnings"] == []
    assert first["dicom"] == mt.dicom.read(path).to_dict(keywords=True, meta=True)
    assert first["dicom"]["PatientName"] == "Secret^Näme" and len(first["dicom"]["BeamSequence"]) == 2


def test_pixels_that_cannot_be_opened(tmp_path):
    """What the file is, is told; the error too, and the JSON stays valid."""
    path = rt_plan(tmp_path / "odd.dcm", BitsAllocated=16, PixelData=b"\0" * 10)
    done = run("info", "--json", path, path)
    assert done.returncode == 1 and "odd.dcm" in done.stderr and "Secret" not in done.stderr
    assert [i["object"] for i in json.loads(done.stdout)] == ["RT Plan Storage"] * 2
