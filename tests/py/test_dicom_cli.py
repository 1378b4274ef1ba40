"""DICOM on the command line: what files that are no pictures are, folders of several series, single slices and palettes as PNG.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess

import microtome as mt
import numpy as np
import pydicom
from PIL import Image
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


# ---- folders and slices


def slices(folder, series="2.25.10", n=3, **more):
    folder.mkdir(exist_ok=True)
    for i in range(n):
        mt.dicom.new(
            {
                "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4",
                "SOPInstanceUID": f"{series}.{i + 1}",
                "SeriesInstanceUID": series,
                "StudyInstanceUID": "2.25.1",
                "Modality": "MR",
                "ImagePositionPatient": [0, 0, 2 * i],
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "PixelSpacing": [1, 1],
                "SamplesPerPixel": 1,
                "PhotometricInterpretation": "MONOCHROME2",
                "Rows": 4,
                "Columns": 5,
                "BitsAllocated": 16,
                "BitsStored": 16,
                "HighBit": 15,
                "PixelRepresentation": 0,
                "PixelData": np.arange(i, i + 20, dtype="<u2").tobytes(),
                **more,
            }
        ).save(folder / f"{series}-{i}.dcm")
    return folder


def test_one_of_several_series(tmp_path):
    folder = slices(slices(tmp_path / "study"), "2.25.20", n=2)
    slices(folder, "2.25.30", n=1, PixelData=None)  # its pixels are gone: only its own series fails
    plain = run("convert", folder, tmp_path / "x.npy")
    assert plain.returncode == 1 and "2.25.30-0.dcm: the file has no pixel data" in plain.stderr
    (folder / "2.25.30-0.dcm").rename(tmp_path / "gone.dcm")
    plain = run("info", folder)
    assert plain.returncode == 1 and plain.stderr.count("\n") == 1 and "2 series are here" in plain.stderr
    both = json.loads(run("info", "--json", "--split", folder).stdout)
    assert [x["shape"] for x in both] == [[3, 4, 5], [2, 4, 5]]
    (tmp_path / "gone.dcm").rename(folder / "gone.dcm")
    assert run("convert", folder, tmp_path / "x.npy", "--series", "2.25.20").returncode == 0
    assert np.array_equal(np.load(tmp_path / "x.npy"), mt.open(folder, series="2.25.20").read())
    assert "3 × 4 × 5" in run("info", "--series", "2.25.10", folder).stdout
    absent = run("info", "--series", "2.25.99", folder)
    assert absent.returncode == 1 and "no image of series 2.25.99" in absent.stderr
    assert run("view", folder, "--series", "2.25.10", "--out", tmp_path / "v.png").returncode == 0
    assert "2.25.20" in run("ls", folder).stdout


def test_the_same_instance_twice_is_bad_input(tmp_path):
    folder = slices(tmp_path / "s")
    (folder / "copy").write_bytes((folder / "2.25.10-0.dcm").read_bytes())
    done = run("info", folder)
    assert done.returncode == 1 and "2.25.10-0.dcm, copy" in done.stderr


def test_one_slice_is_a_picture(tmp_path):
    path = slices(tmp_path / "s") / "2.25.10-0.dcm"
    assert run("view", path, "--out", tmp_path / "v.png", "--window", "0,19").returncode == 0
    picture = np.asarray(Image.open(tmp_path / "v.png"))
    assert picture.shape == (4, 5) and picture[0, 0] == 0 and picture[3, 4] == 255


def test_palettes_of_16_bits_are_viewed(tmp_path):
    table = (np.arange(256) * 257).astype("<u2").tobytes()
    more = {f"{c}PaletteColorLookupTableData": table for c in ("Red", "Green", "Blue")}
    more |= {f"{c}PaletteColorLookupTableDescriptor": ("US", [256, 0, 16]) for c in ("Red", "Green", "Blue")}
    more |= {"PhotometricInterpretation": "PALETTE COLOR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}
    path = slices(tmp_path / "s", n=1, **more) / "2.25.10-0.dcm"
    done = run("view", path, "--out", tmp_path / "v.png")
    assert done.returncode == 0, done.stderr
    assert np.array_equal(np.asarray(Image.open(tmp_path / "v.png"))[..., 1].ravel(), np.arange(20))


def test_a_volume_is_no_dicom_file(tmp_path):
    done = run("convert", slices(tmp_path / "s"), tmp_path / "x.dcm")
    assert done.returncode == 2 and "--syntax" in done.stderr and not (tmp_path / "x.dcm").exists()
