"""DICOM series as volumes: geometry, order, 4-D, tilt, gaps, duplicates, mixtures, multi-frame images; held against SimpleITK,
highdicom and arithmetic of its own. Files are made here by pydicom; one real series comes from the data folder.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pickle
import subprocess
import threading
from pathlib import Path

import microtome as mt
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR, CT, PET = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128"
ENHANCED_MR, LEGACY_CT = "1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.2.2"
SECONDARY, MULTI_GRAY = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.7.2"
MULTI_COLOR = "1.2.840.10008.5.1.4.1.1.7.4"
NM, DOSE, ULTRASOUND = (f"1.2.840.10008.5.1.4.1.1.{n}" for n in ("20", "481.2", "3.1"))
AXIAL = (1, 0, 0, 0, 1, 0)
SAGITTAL = (0, 1, 0, 0, 0, -1)
CORONAL = (1, 0, 0, 0, 0, -1)


def _turned(angles):
    """Row and column direction of a plane turned about x, y, z by degrees."""
    x, y, z = np.radians(angles)
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    m = rz @ ry @ rx
    return tuple(m[:, 0]) + tuple(m[:, 1])


OBLIQUE = _turned((17, -23, 31))


def _ds(values):
    """Decimal strings of at most 16 characters."""
    return [pydicom.valuerep.format_number_as_ds(float(v)) for v in np.atleast_1d(values)]


def header(sop_class=MR, **attributes):
    """A data set without pixels."""
    d = Dataset()
    d.file_meta = FileMetaDataset()
    d.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = sop_class
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = generate_uid()
    d.Modality = {MR: "MR", CT: "CT", PET: "PT"}.get(sop_class, "OT")
    d.PatientName, d.PatientID, d.StudyDate = "Secret^Person", "SECRET-ID", "20010203"
    d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = "1.2.3", "1.2.3.4", "1.2.3.5"
    for name, value in attributes.items():
        setattr(d, name, value)
    return d


def pixels(d, a):
    """Sets the pixel attributes of [Y, X], [F, Y, X] or colour arrays [.., Y, X, 3]."""
    color = a.ndim > 2 and a.shape[-1] == 3
    plane = a.shape[:-1] if color else a.shape
    d.SamplesPerPixel = 3 if color else 1
    d.PhotometricInterpretation = "RGB" if color else "MONOCHROME2"
    if color:
        d.PlanarConfiguration = 0
    d.Rows, d.Columns = plane[-2:]
    if len(plane) > 2:
        d.NumberOfFrames = plane[0]
    d.BitsAllocated = d.BitsStored = a.dtype.itemsize * 8
    d.HighBit = d.BitsStored - 1
    d.PixelRepresentation = int(a.dtype.kind == "i")
    raw = np.ascontiguousarray(a).tobytes()
    d.PixelData = raw + b"\0" * (len(raw) % 2)
    d["PixelData"].VR = "OB" if a.dtype.itemsize == 1 else "OW"
    return d


def normal_of(cosines):
    return np.cross(cosines[:3], cosines[3:])


def slices(volume, cosines=AXIAL, origin=(-10, 20, -30), spacing=(0.75, 0.5), step=2.5, sop_class=MR, **more):
    """One data set per slice of a [Z, Y, X] volume; step: a number along the normal, or a vector. In order of z."""
    way = normal_of(cosines) * step if np.ndim(step) == 0 else np.asarray(step)
    out = []
    for z, plane in enumerate(volume):
        d = header(
            sop_class, InstanceNumber=z + 1, PixelSpacing=_ds(spacing), SliceThickness=_ds(2)[0], **more
        )
        d.ImagePositionPatient = _ds(np.asarray(origin) + z * way)
        d.ImageOrientationPatient = _ds(cosines)
        out.append(pixels(d, plane))
    return out


def save(folder, data_sets, names=None):
    """Writes one file per data set, by default named against their order; returns the paths in the order given."""
    folder.mkdir(exist_ok=True)
    paths = []
    for i, d in enumerate(data_sets):
        path = folder / (names[i] if names else f"im{len(data_sets) - i:04}.dcm")
        d.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def affine_of(cosines, origin, spacing, step):
    """Voxel (x, y, z) → RAS, written out independently."""
    way = normal_of(cosines) * step if np.ndim(step) == 0 else np.asarray(step)
    m = np.eye(4)
    m[:3, 0], m[:3, 1] = np.array(cosines[:3]) * spacing[1], np.array(cosines[3:]) * spacing[0]
    m[:3, 2], m[:3, 3] = way, origin
    return np.diag([-1.0, -1, 1, 1]) @ m


def itk(folder):
    """Voxels and RAS affine as SimpleITK's series reader gives them."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return _itk(reader.Execute())


def _itk(image):
    m = np.eye(4)
    m[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    m[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), np.diag([-1.0, -1, 1, 1]) @ m


@pytest.fixture
def volume(rng):
    return rng.integers(0, 4000, (7, 11, 13), dtype=np.uint16)


# ---- one grid ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cosines", [AXIAL, SAGITTAL, CORONAL, OBLIQUE, (-1, 0, 0, 0, 1, 0)])
@pytest.mark.parametrize("sop_class", [MR, CT])
def test_series_equals_itk(tmp_path, volume, cosines, sop_class):
    save(tmp_path / "s", slices(volume, cosines, sop_class=sop_class))
    im = mt.open(tmp_path / "s")
    want, affine = itk(tmp_path / "s")
    assert im.axes == "ZYX" and im.format == "dicom" and not im.problems
    np.testing.assert_array_equal(im.read(), want)
    np.testing.assert_array_equal(want, volume)
    np.testing.assert_allclose(im.affine, affine, atol=1e-6)
    np.testing.assert_allclose(im.affine, affine_of(cosines, (-10, 20, -30), (0.75, 0.5), 2.5), atol=1e-6)
    np.testing.assert_allclose(im.spacing, (2.5, 0.75, 0.5))


def test_order_is_by_place_not_by_name_or_number(tmp_path, volume, rng):
    """Descending places, shuffled names and numbers: z ascends along the normal all the same."""
    data = slices(volume, OBLIQUE, step=-2.5)
    for d, n in zip(data, rng.permutation(len(data)), strict=True):
        d.InstanceNumber = int(n)
    save(tmp_path / "s", data, [f"{n}.dcm" for n in rng.permutation(len(data))])
    im = mt.open(tmp_path / "s")
    want, affine = itk(tmp_path / "s")
    np.testing.assert_array_equal(im.read(), volume[::-1])
    np.testing.assert_array_equal(im.read(), want)
    np.testing.assert_allclose(im.affine, affine, atol=1e-6)


def test_real_series_equals_itk_and_pydicom(data):
    folder = data("mr-t1")
    im = mt.open(folder)
    want, affine = itk(folder)
    np.testing.assert_array_equal(im.read(), want)
    np.testing.assert_allclose(im.affine, affine, atol=1e-9)
    one = pydicom.dcmread(sorted(folder.iterdir())[0])
    x, y, z = one.ImagePositionPatient
    np.testing.assert_allclose(im.affine[:3, 3], (-x, -y, z))


def test_highdicom_agrees(tmp_path, volume):
    highdicom = pytest.importorskip("highdicom")
    paths = save(
        tmp_path / "s", slices(volume, OBLIQUE, sop_class=CT, RescaleSlope="1", RescaleIntercept="0")
    )
    want = highdicom.get_volume_from_series([pydicom.dcmread(p) for p in paths])
    im = mt.open(tmp_path / "s")
    lps = np.array(want.affine)[:, [2, 1, 0, 3]]  # highdicom's first array axis is z
    mine = np.diag([-1.0, -1, 1, 1]) @ im.affine
    if np.dot(lps[:3, 2], mine[:3, 2]) < 0:  # it may count slices from the other end
        turned = np.diag([1.0, 1, -1, 1])
        turned[2, 3] = len(volume) - 1
        lps, array = lps @ turned, want.array[::-1]
    else:
        array = want.array
    np.testing.assert_allclose(mine, lps, atol=1e-6)
    np.testing.assert_array_equal(im.read(), array)


def test_files_lists_boxes_and_out(tmp_path, volume, rng):
    paths = save(tmp_path / "s", slices(volume))
    whole = mt.open(tmp_path / "s")
    shuffled = mt.open([paths[i] for i in rng.permutation(len(paths))])
    np.testing.assert_array_equal(shuffled.read(), volume)
    np.testing.assert_array_equal(shuffled.affine, whole.affine)
    assert mt.open(paths[:3]).shape == (3, 11, 13)
    np.testing.assert_array_equal(whole[2:5, 3:, 4:9], volume[2:5, 3:, 4:9])
    np.testing.assert_array_equal(whole[-1, ::2, 5], volume[-1, ::2, 5])
    assert whole.read(((2, 2),)).shape == (0, 11, 13)
    out = np.zeros((7, 13, 11), np.float64).transpose(0, 2, 1)
    whole.read(out=out)
    np.testing.assert_array_equal(out, volume)
    assert mt.open(str(paths[0])).shape == (1, 11, 13)


def test_threads_and_pickle(tmp_path, volume):
    save(tmp_path / "s", slices(volume))
    im = mt.open(tmp_path / "s")
    got = []
    threads = [threading.Thread(target=lambda: got.append(im.read())) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(np.array_equal(a, volume) for a in got) and len(got) == 8
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(im)).read(), volume)


def test_stats_are_those_of_the_values(tmp_path, volume):
    save(tmp_path / "s", slices(volume, sop_class=CT, RescaleSlope="2", RescaleIntercept="-1024"))
    im = mt.open(tmp_path / "s")
    values = volume.astype(np.float32) * 2 - 1024
    np.testing.assert_array_equal(im.read(), values)
    s = im.stats()
    assert (s["count"], s["min"], s["max"]) == (values.size, values.min(), values.max())
    np.testing.assert_allclose(
        [s["mean"], s["std"]], [values.mean(dtype=float), values.std(dtype=float)], rtol=1e-6
    )


def test_thousand_slices(tmp_path, rng):
    volume = rng.integers(0, 255, (1000, 4, 5), dtype=np.uint8)
    save(tmp_path / "s", slices(volume, step=0.25))
    im = mt.open(tmp_path / "s")
    np.testing.assert_array_equal(im.read(), volume)
    np.testing.assert_allclose(im.spacing[0], 0.25)


def test_one_slice(tmp_path, volume):
    (d,) = slices(volume[:1], OBLIQUE)
    (path,) = save(tmp_path / "s", [d])
    im = mt.open(path)
    assert im.axes == "ZYX" and im.shape == (1, 11, 13)
    np.testing.assert_allclose(im.affine, affine_of(OBLIQUE, (-10, 20, -30), (0.75, 0.5), 2), atol=1e-6)
    want, affine = _itk(sitk.ReadImage(str(path)))
    np.testing.assert_array_equal(im.read(), want)
    np.testing.assert_allclose(im.affine[:3, [0, 1, 3]], affine[:3, [0, 1, 3]], atol=1e-6)
    d.SpacingBetweenSlices = "3.5"
    save(tmp_path / "s", [d])
    assert mt.open(path).spacing[0] == pytest.approx(3.5)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4"])
def test_types(tmp_path, rng, dtype):
    info = np.iinfo(dtype)
    volume = rng.integers(info.min, info.max, (3, 5, 7), dtype=dtype, endpoint=True)
    save(tmp_path / "s", slices(volume))
    im = mt.open(tmp_path / "s")
    assert im.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(im.read(), volume)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_above_the_high_bit_do_not_count(tmp_path, rng, signed):
    values = rng.integers(-2048 if signed else 0, 2048 if signed else 4096, (3, 5, 7)).astype(
        "i2" if signed else "u2"
    )
    words = (values.view("u2") & 0x0FFF) | 0xA000
    data = slices(words)
    for d in data:
        d.BitsStored, d.HighBit, d.PixelRepresentation = 12, 11, int(signed)
    save(tmp_path / "s", data)
    np.testing.assert_array_equal(mt.open(tmp_path / "s").read(), values)


def test_colour_series(tmp_path, rng):
    volume = rng.integers(0, 255, (4, 6, 5, 3), dtype=np.uint8)
    save(tmp_path / "s", slices(volume))
    im = mt.open(tmp_path / "s")
    assert im.axes == "ZYXC" and im.shape == volume.shape
    np.testing.assert_array_equal(im.read(), volume)
    np.testing.assert_array_equal(im[1:3, 2:, :, 1:], volume[1:3, 2:, :, 1:])


def test_compressed_series(tmp_path, volume):
    data = slices(volume.astype("u2"))
    for d in data:
        d.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    save(tmp_path / "s", data)
    im = mt.open(tmp_path / "s")
    assert im.codec == "rle"
    np.testing.assert_array_equal(im.read(), volume)
    np.testing.assert_array_equal(im[2:4, 3:8, 2:], volume[2:4, 3:8, 2:])


def test_more_compressed_files_than_are_kept_open(tmp_path, rng):
    volume = rng.integers(0, 4000, (70, 4, 6), dtype=np.uint16)
    data = slices(volume)
    for d in data:
        d.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    paths = save(tmp_path / "s", data)
    im = mt.open(tmp_path / "s")
    for _ in range(2):
        np.testing.assert_array_equal(im.read(), volume)
    np.testing.assert_array_equal(im[66:, 1:3], volume[66:, 1:3])
    for path in paths:
        path.touch()
    with pytest.raises(mt.ConflictError, match="changed"):
        im.read()


# ---- values ------------------------------------------------------------------------------------------------


def test_every_slice_has_its_own_rescale(tmp_path, volume):
    data = slices(volume.astype("i2"), sop_class=PET, Units="BQML")
    slopes = 0.5 + np.arange(len(data))
    for d, slope in zip(data, slopes, strict=True):
        d.RescaleSlope, d.RescaleIntercept = _ds(slope)[0], "0"
    save(tmp_path / "s", data)
    im = mt.open(tmp_path / "s")
    want = (volume * slopes[:, None, None]).astype(np.float32)
    assert im.dtype == np.float32 and im.stored_dtype == np.int16 and (im.slope, im.inter) == (1, 0)
    assert im.properties["dicom.rescale"] == "per image" and im.properties["dicom.Units"] == "BQML"
    np.testing.assert_allclose(im.read(), want, rtol=1e-6)
    np.testing.assert_allclose(im[3:5, 2:4], want[3:5, 2:4], rtol=1e-6)
    np.testing.assert_array_equal(im.read(raw=True), volume)
    assert im.stats()["max"] == pytest.approx(want.max())
    np.testing.assert_allclose(im.read(), itk(tmp_path / "s")[0], rtol=1e-6)


def test_one_rescale_is_told_by_slope_and_inter(tmp_path, volume):
    save(tmp_path / "s", slices(volume, sop_class=CT, RescaleSlope="1", RescaleIntercept="-1024"))
    im = mt.open(tmp_path / "s")
    assert (im.slope, im.inter, im.dtype, im.stored_dtype) == (1, -1024, np.float32, np.uint16)
    np.testing.assert_array_equal(im.read(), volume.astype(np.float32) - 1024)
    save(tmp_path / "t", slices(volume, sop_class=CT, RescaleSlope="1", RescaleIntercept="0"))
    assert mt.open(tmp_path / "t").dtype == np.uint16


def test_nothing_of_the_patient_is_told(tmp_path, volume):
    save(tmp_path / "s", slices(volume))
    im = mt.open(tmp_path / "s")
    told = repr(im.properties) + repr(im.problems)
    assert not any(word in told for word in ("Secret", "SECRET", "20010203"))


# ---- what is no grid -------------------------------------------------------------------------------------


def test_gap_names_its_neighbours(tmp_path, volume):
    data = slices(volume)
    save(tmp_path / "s", data[:3] + data[5:], [f"p{z}.dcm" for z in (0, 1, 2, 5, 6)])
    with pytest.raises(mt.InvalidError, match=r"2 slices are missing between.*p2\.dcm, p5\.dcm"):
        mt.open(tmp_path / "s")
    parts = mt.open(tmp_path / "s", split=True)
    assert [p.shape[0] for p in parts] == [3, 2]
    np.testing.assert_array_equal(parts[1].read(), volume[5:])
    np.testing.assert_allclose(parts[1].affine[:3, 3], (10, -20, -30 + 5 * 2.5))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(parts[1])).read(), volume[5:])


@pytest.mark.parametrize("missing", [1, 3, 5])
def test_one_missing_slice_of_many(tmp_path, rng, missing):
    volume = rng.integers(0, 255, (7, 4, 4), dtype=np.uint8)
    data = slices(volume)
    del data[missing]
    save(tmp_path / "s", data)
    with pytest.raises(mt.InvalidError, match="1 slice is missing between"):
        mt.open(tmp_path / "s")
    parts = mt.open(tmp_path / "s", split=True)
    assert sum(p.shape[0] for p in parts) == 6


def test_uneven_spacing(tmp_path, volume):
    data = slices(volume)
    data[3].ImagePositionPatient = _ds((-10, 20, -30 + 3 * 2.5 + 0.6))
    save(tmp_path / "s", data, [f"p{z}.dcm" for z in range(7)])
    with pytest.raises(mt.InvalidError, match=r"not evenly spaced: p3\.dcm lies 0\.6 mm off"):
        mt.open(tmp_path / "s")
    assert sum(p.shape[0] for p in mt.open(tmp_path / "s", split=True)) == 7
    data[3].ImagePositionPatient = _ds(
        (-10, 20, -30 + 3 * 2.5 + 0.05)
    )  # within 5 % of the step: told, not refused
    save(tmp_path / "t", data)
    assert any("off a regular grid" in p for p in mt.open(tmp_path / "t").problems)


def test_same_instance_twice(tmp_path, volume):
    data = slices(volume)
    save(tmp_path / "s", data, [f"p{z}.dcm" for z in range(7)])
    data[2].save_as(tmp_path / "s" / "copy.dcm")
    with pytest.raises(mt.InvalidError, match=r"SOPInstanceUID.*(copy\.dcm, p2\.dcm|p2\.dcm, copy\.dcm)"):
        mt.open(tmp_path / "s")
    (im,) = mt.open(tmp_path / "s", split=True)
    np.testing.assert_array_equal(im.read(), volume)


def test_two_instances_of_one_place(tmp_path, volume):
    data = slices(volume)
    more = slices(volume[2:3])[0]
    more.ImagePositionPatient = data[2].ImagePositionPatient
    more.InstanceNumber = 99
    save(tmp_path / "s", [*data, more], [f"p{z}.dcm" for z in range(7)] + ["more.dcm"])
    with pytest.raises(mt.InvalidError, match=r"2 images are at one place: p2\.dcm, more\.dcm"):
        mt.open(tmp_path / "s")
    assert sorted(p.shape[0] for p in mt.open(tmp_path / "s", split=True)) == [1, 7]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"ImageOrientationPatient": _ds(SAGITTAL)}, "orientation"),
        ({"PixelSpacing": ["1", "1"]}, "pixel spacing"),
        ({"FrameOfReferenceUID": "1.9"}, "FrameOfReferenceUID"),
        ({"PixelRepresentation": 1}, "type of pixels"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "PhotometricInterpretation"),
        ({"Rows": 13, "Columns": 11}, "size"),
        ({"ImagePositionPatient": None}, "having a place"),
    ],
)
def test_mixtures_name_the_odd_one(tmp_path, volume, change, what):
    data = slices(volume)
    for name, value in change.items():
        setattr(data[4], name, value)
    save(tmp_path / "s", data, [f"p{z}.dcm" for z in range(7)])
    with pytest.raises(mt.InvalidError, match=rf"p4\.dcm differs from the others in .*{what}") as e:
        mt.open(tmp_path / "s")
    assert "Secret" not in str(e.value) and "SECRET" not in str(e.value)
    parts = mt.open(tmp_path / "s", split=True)
    assert sum(int(np.prod(p.shape)) for p in parts) == volume.size and len(parts) >= 2


def test_localisers_stay_apart(tmp_path, volume):
    data = slices(volume)
    scout = slices(volume[:1], SAGITTAL)[0]
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    save(tmp_path / "s", [scout, *data], ["scout.dcm"] + [f"p{z}.dcm" for z in range(7)])
    im = mt.open(tmp_path / "s")
    np.testing.assert_array_equal(im.read(), volume)
    assert any("localisers" in p and "scout.dcm" in p for p in im.problems)
    assert [p.shape[0] for p in mt.open(tmp_path / "s", split=True)] == [7, 1]


def test_several_series(tmp_path, volume):
    save(tmp_path / "s", slices(volume), [f"a{z}" for z in range(7)])
    save(
        tmp_path / "s",
        slices(volume[:4], SeriesInstanceUID="1.2.99", sop_class=CT),
        [f"b{z}" for z in range(4)],
    )
    with pytest.raises(mt.InvalidError, match=r"2 series.*1\.2\.3\.4 \(MR, 7\), 1\.2\.99 \(CT, 4\)"):
        mt.open(tmp_path / "s")
    assert mt.open(tmp_path / "s", series="1.2.99").shape == (4, 11, 13)
    assert sorted(p.shape[0] for p in mt.open(tmp_path / "s", split=True)) == [4, 7]
    with pytest.raises(mt.NotFoundError, match=r"1\.5"):
        mt.open(tmp_path / "s", series="1.5")


def test_other_files_in_the_folder(tmp_path, volume):
    save(tmp_path / "s", slices(volume))
    (tmp_path / "s" / "notes.txt").write_text("not an image")
    report = header("1.2.840.10008.5.1.4.1.1.88.11", Modality="SR")
    report.save_as(tmp_path / "s" / "report.dcm", enforce_file_format=True)
    im = mt.open(tmp_path / "s")
    np.testing.assert_array_equal(im.read(), volume)
    assert im.properties["dicom.files_skipped"] == "2"
    with pytest.raises(mt.UnsupportedError, match="no image"):
        mt.open([tmp_path / "s" / "report.dcm"])
    with pytest.raises(mt.UnsupportedError, match=r"no DICOM image is here"):
        (tmp_path / "t").mkdir()
        mt.open(tmp_path / "t")
    with pytest.raises(mt.NotFoundError):
        mt.open([tmp_path / "absent.dcm"])
    with pytest.raises(mt.InvalidError):
        mt.open([])


def test_damaged_file_is_no_gap(tmp_path, volume):
    paths = save(tmp_path / "s", slices(volume))
    whole = paths[3].read_bytes()
    paths[3].write_bytes(whole[:200])
    with pytest.raises(mt.Error, match=paths[3].name):
        mt.open(tmp_path / "s").read()


def test_without_places_numbers_order(tmp_path, volume):
    data = [pixels(header(SECONDARY, InstanceNumber=z + 1), p) for z, p in enumerate(volume)]
    save(tmp_path / "s", data)
    im = mt.open(tmp_path / "s")
    assert im.axes == "ZYX" and im.affine is None
    assert any("InstanceNumber" in p for p in im.problems)
    np.testing.assert_array_equal(im.read(), volume)


# ---- files that change -------------------------------------------------------------------------------------


def test_changed_and_vanished_files(tmp_path, volume):
    paths = save(tmp_path / "s", slices(volume))
    im = mt.open(tmp_path / "s")
    d = pydicom.dcmread(paths[2])
    d.SeriesDescription = "now longer than before"
    d.save_as(paths[2])
    with pytest.raises(mt.ConflictError, match=paths[2].name):
        im.read()
    np.testing.assert_array_equal(im[:2], volume[:2])
    paths[5].unlink()
    with pytest.raises(mt.ConflictError, match=f"{paths[5].name}.*vanished|vanished.*{paths[5].name}"):
        im[5]


# ---- tilt --------------------------------------------------------------------------------------------------


def test_gantry_tilt_shears_the_affine(tmp_path, volume):
    step = (0, -0.9, 2.5)
    save(tmp_path / "s", slices(volume, step=step, sop_class=CT, GantryDetectorTilt="-19.8"))
    im = mt.open(tmp_path / "s")
    np.testing.assert_allclose(im.affine, affine_of(AXIAL, (-10, 20, -30), (0.75, 0.5), step), atol=1e-9)
    assert float(im.properties["dicom.gantry_tilt"]) == pytest.approx(
        np.degrees(np.arctan2(0.9, 2.5)), rel=1e-3
    )
    np.testing.assert_array_equal(im.read(), volume)


def test_straighten_puts_values_where_they_are(tmp_path):
    """A field that is linear in space is given back exactly wherever the volume has data."""
    step, spacing, origin = np.array((0.35, -0.9, 2.5)), (0.75, 0.5), np.array((-10, 20, -30.0))
    z, y, x = np.mgrid[:6, :20, :24]
    lps = origin + x[..., None] * (0.5, 0, 0) + y[..., None] * (0, 0.75, 0) + z[..., None] * step
    field = (1000 + lps @ (8, 12, 4)).round().astype("u2")
    save(tmp_path / "s", slices(field, step=step, spacing=spacing, origin=origin, sop_class=CT))
    im = mt.open(tmp_path / "s")
    a, affine = mt.dicom.straighten(im, fill=0)
    columns = affine[:3, :3]
    np.testing.assert_allclose(columns.T @ columns, np.diag([0.25, 0.5625, 6.25]), atol=1e-9)
    k, j, i = np.mgrid[: a.shape[0], : a.shape[1], : a.shape[2]]
    ras = np.stack([i, j, k, np.ones_like(i)], -1) @ affine.T
    want = 1000 + (ras[..., :3] * (-1, -1, 1)) @ (8, 12, 4)
    inside = a > field.min() - 1
    assert inside.sum() > 0.8 * field.size
    source = ras @ np.linalg.inv(im.affine).T
    inner = np.all((source[..., :3] > 0) & (source[..., :3] < (23, 19, 5)), -1)
    assert inner.sum() > 1000
    np.testing.assert_allclose(a[inner], want[inner], atol=1.1)
    assert a.shape == (6, 20 + 6, 24 + 4)


# ---- four dimensions ---------------------------------------------------------------------------------------


def _four(volume4, values, keyword, per_slice=None):
    data = []
    for t, v in enumerate(values):
        for z, d in enumerate(slices(volume4[t])):
            if keyword:
                setattr(d, keyword, v)
            d.InstanceNumber = 1 + z * len(values) + t
            if per_slice:
                per_slice(d, t, z)
            data.append(d)
    return data


@pytest.fixture
def volume4(rng):
    return rng.integers(0, 4000, (3, 4, 5, 6), dtype=np.uint16)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("TemporalPositionIdentifier", [1, 2, 3]),
        ("EchoTime", ["2.5", "5", "10"]),
        ("DiffusionBValue", [0.0, 500.0, 1000.0]),
        ("FlipAngle", ["5", "10", "20"]),
        ("InversionTime", ["50", "400", "1100"]),
        ("AcquisitionNumber", [4, 7, 9]),
        ("TriggerTime", ["0", "40", "80"]),
    ],
)
def test_one_attribute_is_an_axis(tmp_path, volume4, rng, keyword, values):
    data = _four(volume4, values, keyword)
    save(tmp_path / "s", data, [f"{n}" for n in rng.permutation(len(data))])
    im = mt.open(tmp_path / "s")
    assert im.axes == "TZYX" and im.shape == volume4.shape and im.properties["dicom.T"] == keyword
    np.testing.assert_array_equal(im.read(), volume4)
    np.testing.assert_array_equal(im[1:, 2, 1:4], volume4[1:, 2, 1:4])
    if keyword == "TriggerTime":
        assert im.spacing[0] == pytest.approx(0.04)


def test_time_axis_has_seconds(tmp_path, volume4):
    def clock(d, t, z):
        seconds = 3 * 3600 + 59 * 60 + 58.5 + 2.25 * t + 0.1 * z
        d.AcquisitionTime = f"{int(seconds) // 3600:02}{int(seconds) // 60 % 60:02}{seconds % 60:09.6f}"

    save(tmp_path / "s", _four(volume4, [1, 2, 3], "TemporalPositionIdentifier", clock))
    assert mt.open(tmp_path / "s").spacing[0] == pytest.approx(2.25)
    save(tmp_path / "t", _four(volume4, [1, 2, 3], None, clock))  # the clock alone
    im = mt.open(tmp_path / "t")
    assert im.properties["dicom.T"] == "AcquisitionTime" and im.spacing[0] == pytest.approx(2.25)
    np.testing.assert_array_equal(im.read(), volume4)


def test_diffusion_directions_and_repeated_b0(tmp_path, rng):
    volume = rng.integers(0, 99, (5, 3, 4, 4), dtype=np.uint16)
    table = [(0, None), (0, None), (1000, (1, 0, 0)), (1000, (0, 1, 0)), (1000, (0, 0, 1))]

    def diffusion(d, t, z):
        d.AcquisitionNumber, (b, g) = t + 1, table[t]
        d.DiffusionBValue = float(b)
        if g:
            d.DiffusionGradientOrientation = [float(x) for x in g]

    save(tmp_path / "s", _four(volume, range(5), None, diffusion))
    im = mt.open(tmp_path / "s")
    np.testing.assert_array_equal(im.read(), volume)
    assert im.properties["dicom.T.DiffusionBValue"] == "0, 0, 1000, 1000, 1000"


def test_two_attributes_are_an_error(tmp_path, rng):
    volume = rng.integers(0, 99, (4, 3, 4, 4), dtype=np.uint16)

    def both(d, t, z):
        d.EchoTime, d.FlipAngle = str(1 + t % 2), str(10 * (1 + t // 2))

    save(tmp_path / "s", _four(volume, range(4), None, both))
    with pytest.raises(mt.InvalidError, match="differ in EchoTime and FlipAngle, which makes no axis"):
        mt.open(tmp_path / "s")
    parts = mt.open(tmp_path / "s", split=True)
    assert len(parts) == 4
    assert sorted(int(p.read().sum()) for p in parts) == sorted(int(v.sum()) for v in volume)


def test_attributes_that_go_together_are_one(tmp_path, volume4):
    def both(d, t, z):
        d.EchoTime, d.EchoNumbers = str(5 + t), t + 1

    save(tmp_path / "s", _four(volume4, range(3), None, both))
    im = mt.open(tmp_path / "s")
    assert im.properties["dicom.T"] == "EchoTime" and im.properties["dicom.T.EchoTime"] == "5, 6, 7"


def test_image_types_are_told_apart_but_make_no_axis(tmp_path, volume4):
    def kind(d, t, z):
        d.ImageType = ["ORIGINAL", "PRIMARY", "MPR"[t]]

    save(tmp_path / "s", _four(volume4, range(3), None, kind))
    with pytest.raises(mt.InvalidError, match="ImageType"):
        mt.open(tmp_path / "s")
    assert [p.shape for p in mt.open(tmp_path / "s", split=True)] == [(4, 5, 6)] * 3


def test_incomplete_grid(tmp_path, volume4):
    data = _four(volume4, [1, 2, 3], "TemporalPositionIdentifier")
    del data[5]  # t 1, z 1
    save(tmp_path / "s", data)
    with pytest.raises(
        mt.InvalidError, match=r"2 images are at the place of im\d+\.dcm, im\d+\.dcm, but 3 at another"
    ):
        mt.open(tmp_path / "s")
    parts = mt.open(tmp_path / "s", split=True)
    assert sum(p.shape[0] for p in parts) == 11


# ---- multi-frame -------------------------------------------------------------------------------------------


def _item(**attributes):
    d = Dataset()
    for name, value in attributes.items():
        setattr(d, name, value)
    return Sequence([d])


def enhanced(volume, cosines=OBLIQUE, sop_class=ENHANCED_MR, step=2.5, per_frame=None, order=None):
    """[F, Y, X] frames with functional groups; order: the z of each frame."""
    d = pixels(header(sop_class, Modality="MR"), volume)
    shared = Dataset()
    shared.PixelMeasuresSequence = _item(PixelSpacing=_ds((0.75, 0.5)), SliceThickness="2")
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=_ds(cosines))
    shared.PixelValueTransformationSequence = _item(RescaleSlope="1", RescaleIntercept="0", RescaleType="US")
    d.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for i in range(len(volume)):
        f = Dataset()
        z = i if order is None else order[i]
        f.PlanePositionSequence = _item(
            ImagePositionPatient=_ds(np.array((-10, 20, -30)) + z * step * normal_of(cosines))
        )
        if per_frame:
            per_frame(f, i)
        frames.append(f)
    d.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return d


def test_enhanced_equals_classic(tmp_path, volume, rng):
    order = list(rng.permutation(7))
    (path,) = save(tmp_path / "e", [enhanced(volume[order], order=order)])
    im = mt.open(path)
    assert im.axes == "ZYX" and im.properties["dicom.SOPClass"] == "Enhanced MR Image Storage"
    np.testing.assert_array_equal(im.read(), volume)
    np.testing.assert_allclose(im.affine, affine_of(OBLIQUE, (-10, 20, -30), (0.75, 0.5), 2.5), atol=1e-6)
    np.testing.assert_array_equal(im[2:5, 3:7, 1:], volume[2:5, 3:7, 1:])


def test_enhanced_in_order_equals_itk(tmp_path, volume):
    (path,) = save(tmp_path / "e", [enhanced(volume)])
    want, affine = _itk(sitk.ReadImage(str(path)))
    im = mt.open(path)
    np.testing.assert_array_equal(im.read(), want)
    np.testing.assert_allclose(im.affine, affine, atol=1e-5)


def test_enhanced_rescale_per_frame(tmp_path, volume):
    def rescale(f, i):
        f.PixelValueTransformationSequence = _item(
            RescaleSlope=str(i + 1), RescaleIntercept="3", RescaleType="US"
        )

    (path,) = save(tmp_path / "e", [enhanced(volume, per_frame=rescale)])
    want = volume * np.arange(1, 8, dtype=np.float32)[:, None, None] + 3
    np.testing.assert_allclose(mt.open(path).read(), want, rtol=1e-6)


def test_enhanced_time(tmp_path, volume4):
    def content(f, i):
        f.FrameContentSequence = _item(
            TemporalPositionIndex=i // 4 + 1, DimensionIndexValues=[i // 4 + 1, i % 4 + 1]
        )

    d = enhanced(volume4.reshape(12, 5, 6), per_frame=content, order=[i % 4 for i in range(12)])
    (path,) = save(tmp_path / "e", [d])
    im = mt.open(path)
    assert im.axes == "TZYX"
    np.testing.assert_array_equal(im.read(), volume4)


def test_enhanced_dimension_that_only_the_index_tells(tmp_path, volume4):
    def content(f, i):
        f.FrameContentSequence = _item(DimensionIndexValues=[i % 4 + 1, i // 4 + 1])

    d = enhanced(volume4.reshape(12, 5, 6), per_frame=content, order=[i % 4 for i in range(12)])
    d.DimensionIndexSequence = Sequence(
        [_item(DimensionIndexPointer=0x00209057)[0], _item(DimensionIndexPointer=0x00211234)[0]]
    )
    (path,) = save(tmp_path / "e", [d])
    im = mt.open(path)
    assert im.properties["dicom.T"] == "DimensionIndexValues"
    np.testing.assert_array_equal(im.read(), volume4)


def test_legacy_converted(tmp_path, volume4):
    def unassigned(f, i):
        f.UnassignedPerFrameConvertedAttributesSequence = _item(EchoTime=str(3 + i // 4))

    d = enhanced(
        volume4.reshape(12, 5, 6), sop_class=LEGACY_CT, per_frame=unassigned, order=[i % 4 for i in range(12)]
    )
    (path,) = save(tmp_path / "e", [d])
    im = mt.open(path)
    assert im.properties["dicom.T"] == "EchoTime"
    np.testing.assert_array_equal(im.read(), volume4)


def test_enhanced_two_stacks(tmp_path, volume):
    def turn(f, i):
        if i >= 4:
            f.PlaneOrientationSequence = _item(ImageOrientationPatient=_ds(SAGITTAL))

    (path,) = save(tmp_path / "e", [enhanced(volume, per_frame=turn)])
    with pytest.raises(mt.InvalidError, match=r"frame 5, .* differ from the others in orientation"):
        mt.open(path)
    assert len(mt.open(path, split=True)) >= 2


def test_dose_grid(tmp_path, volume):
    d = pixels(
        header(DOSE, Modality="RTDOSE", PixelSpacing=_ds((0.75, 0.5)), DoseGridScaling="0.002"), volume
    )
    d.ImagePositionPatient, d.ImageOrientationPatient = _ds((-10, 20, -30)), _ds(AXIAL)
    d.GridFrameOffsetVector = _ds(np.arange(7) * 3)
    d.FrameIncrementPointer = 0x3004000C
    (path,) = save(tmp_path / "d", [d])
    im = mt.open(path)
    np.testing.assert_allclose(im.affine, affine_of(AXIAL, (-10, 20, -30), (0.75, 0.5), 3), atol=1e-9)
    np.testing.assert_allclose(im.read(), volume * np.float32(0.002), rtol=1e-6)
    d.GridFrameOffsetVector = _ds(-30 + np.arange(7) * 3)  # the patient's z itself
    save(tmp_path / "d", [d])
    np.testing.assert_allclose(mt.open(path).affine, im.affine, atol=1e-9)


def test_nuclear_medicine(tmp_path, volume):
    d = pixels(header(NM, Modality="NM", PixelSpacing=_ds((0.75, 0.5)), SpacingBetweenSlices="4"), volume)
    d.DetectorInformationSequence = _item(
        ImagePositionPatient=_ds((-10, 20, -30)), ImageOrientationPatient=_ds(AXIAL)
    )
    d.FrameIncrementPointer, d.SliceVector = 0x00540080, list(range(1, 8))
    (path,) = save(tmp_path / "d", [d])
    im = mt.open(path)
    np.testing.assert_array_equal(im.read(), volume)
    np.testing.assert_allclose(im.affine, affine_of(AXIAL, (-10, 20, -30), (0.75, 0.5), 4), atol=1e-9)


def test_cine_and_plain_frames(tmp_path, rng):
    frames = rng.integers(0, 255, (6, 5, 7, 3), dtype=np.uint8)
    d = pixels(header(ULTRASOUND, Modality="US", FrameTime="40", FrameIncrementPointer=0x00181063), frames)
    (path,) = save(tmp_path / "d", [d])
    im = mt.open(path)
    assert im.axes == "TYXC" and im.affine is None and im.spacing[0] == pytest.approx(0.04)
    np.testing.assert_array_equal(im.read(), frames)
    np.testing.assert_array_equal(im[2:4, 1:, 3:], frames[2:4, 1:, 3:])
    (path,) = save(tmp_path / "e", [pixels(header(MULTI_GRAY), frames[..., 0])])
    im = mt.open(path)
    assert im.axes == "ZYX" and im.affine is None
    np.testing.assert_array_equal(im.read(), frames[..., 0])
    (path,) = save(tmp_path / "f", [pixels(header(SECONDARY), frames[0, ..., 0])])
    assert mt.open(path).axes == "YX"
    (path,) = save(tmp_path / "g", [pixels(header(SECONDARY), frames[0])])
    assert mt.open(path).axes == "YXC"


def test_projection_spacing(tmp_path, volume):
    d = pixels(header("1.2.840.10008.5.1.4.1.1.1.1", ImagerPixelSpacing=["0.2", "0.1"]), volume[0])
    (path,) = save(tmp_path / "d", [d])
    assert mt.open(path).spacing == (0.2, 0.1)


def test_hostile_number_of_frames(tmp_path, volume):
    d = pixels(header(MULTI_GRAY), volume)
    d.NumberOfFrames = 2147483647
    (path,) = save(tmp_path / "d", [d])
    with pytest.raises((mt.LimitError, mt.CorruptError)):
        mt.open(path)


# ---- the command ------------------------------------------------------------------------------------------


def test_command_line(tmp_path, volume):
    cli = os.environ.get("MICROTOME_CLI")
    if not cli:
        pytest.skip("MICROTOME_CLI is not set")
    nibabel = pytest.importorskip("nibabel")
    save(tmp_path / "s", slices(volume, OBLIQUE, sop_class=CT, RescaleSlope="1", RescaleIntercept="-1024"))
    told = subprocess.run(
        [cli, "info", tmp_path / "s"], capture_output=True, encoding="utf-8", check=True
    ).stdout
    assert "7 × 11 × 13  (ZYX)" in told and "CT Image Storage" in told and "Secret" not in told
    out = tmp_path / "out.nii.gz"
    subprocess.run([cli, "convert", tmp_path / "s", out], check=True)
    back = nibabel.load(out)
    np.testing.assert_allclose(back.affine, mt.open(tmp_path / "s").affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(back.dataobj).T, volume.astype(np.float32) - 1024)
    assert Path(out).stat().st_size > 0
