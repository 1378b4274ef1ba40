"""DICOM volumes at the corners of the standard: attributes that differ by rounding or by milliseconds, private diffusion elements,
modality LUTs, wrong UIDs, every transfer syntax in one series, float pixels; held against SimpleITK, pydicom and NumPy.
SPDX-License-Identifier: Apache-2.0
"""

import os
import struct
import subprocess

import microtome as mt
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.pixels import apply_modality_lut
from pydicom.sequence import Sequence
from test_dicom_series import (
    AXIAL,
    CT,
    OBLIQUE,
    PET,
    _ds,
    _four,
    _item,
    _turned,
    affine_of,
    enhanced,
    itk,
    normal_of,
    save,
    slices,
)

PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"


@pytest.fixture
def volume(rng):
    return rng.integers(0, 4000, (7, 11, 13), dtype=np.uint16)


@pytest.fixture
def volume4(rng):
    return rng.integers(0, 4000, (3, 4, 5, 6), dtype=np.uint16)


# ---- axes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keyword", "values"),
    [("EchoTime", (2.5, 5, 10)), ("DiffusionBValue", (0, 500, 1000)), ("RepetitionTime", (500, 900, 1700))],
)
def test_measured_values_may_differ_a_little_between_slices(tmp_path, volume4, rng, keyword, values):
    def noisy(d, t, z):
        v = values[t] * (1 + 2e-4 * z) + (0.01 * z if keyword == "DiffusionBValue" else 0)
        setattr(d, keyword, v if keyword == "DiffusionBValue" else _ds(v)[0])

    data = _four(volume4, range(3), None, noisy)
    save(tmp_path / "s", data, [f"{n}" for n in rng.permutation(len(data))])
    im = mt.open(tmp_path / "s")
    assert im.properties["dicom.T"] == keyword
    np.testing.assert_array_equal(im.read(), volume4)


def test_times_of_day_count_milliseconds(tmp_path, volume4):
    def clock(d, t, z):
        d.AcquisitionTime = f"2359{30 + z}.{10 + 40 * t:03}000"

    save(tmp_path / "s", _four(volume4, range(3), None, clock))
    im = mt.open(tmp_path / "s")
    assert im.properties["dicom.T"] == "AcquisitionTime" and im.spacing[0] == pytest.approx(0.04, abs=1e-6)
    np.testing.assert_array_equal(im.read(), volume4)


def test_dates_with_times_count_milliseconds(tmp_path, volume4):
    def content(f, i):
        f.FrameContentSequence = _item(FrameAcquisitionDateTime=f"20240229235959.{i // 4 * 40:03}000")

    d = enhanced(volume4.reshape(12, 5, 6), per_frame=content, order=[i % 4 for i in range(12)])
    (path,) = save(tmp_path / "e", [d])
    im = mt.open(path)
    assert im.properties["dicom.T"] == "AcquisitionTime" and im.spacing[0] == pytest.approx(0.04, abs=1e-4)
    np.testing.assert_array_equal(im.read(), volume4)


def test_many_dimensions_of_the_index_are_counted_exactly(tmp_path, volume4):
    def content(f, i):
        f.FrameContentSequence = _item(DimensionIndexValues=[i % 4 + 1, 1, 7, 1, 1, i // 4 + 1])

    d = enhanced(volume4.reshape(12, 5, 6), per_frame=content, order=[i % 4 for i in range(12)])
    d.DimensionIndexSequence = Sequence(
        [_item(DimensionIndexPointer=t)[0] for t in (0x00200032, *range(0x00211231, 0x00211236))]
    )
    (path,) = save(tmp_path / "e", [d])
    im = mt.open(path)
    assert im.properties["dicom.T"] == "DimensionIndexValues"
    np.testing.assert_array_equal(im.read(), volume4)


# Public facts of conformance statements: creator, element, VR, of the b-value and of its direction.
_VENDORS = {
    "siemens": [
        (0x0019, "SIEMENS MR HEADER", 0x0C, "IS", str),
        (0x0019, "SIEMENS MR HEADER", 0x0E, "FD", None),
    ],
    "ge": [(0x0043, "GEMS_PARM_01", 0x39, "IS", lambda b: [str(10**9 + b), "8", "0", "0"]), None],
    "philips": [
        (0x2001, "Philips Imaging DD 001", 0x03, "FL", float),
        (0x2005, "Philips MR Imaging DD 001", 0xB0, "FL", None),
    ],
}


@pytest.mark.parametrize("vendor", _VENDORS)
@pytest.mark.parametrize("implicit", [False, True])
def test_private_diffusion(tmp_path, rng, vendor, implicit):
    table = [(0, None), (700, (1.0, 0.0, 0.0)), (700, (0.0, 1.0, 0.0)), (1000, (0.0, 0.6, 0.8))]
    if vendor == "ge":
        table = [(0, None), (500, None), (700, None), (1000, None)]
    volume = rng.integers(0, 99, (4, 3, 5, 4), dtype=np.uint16)
    of_b, of_direction = _VENDORS[vendor]

    def put(d, t, z):
        b, g = table[t]
        group, creator, low, vr, form = of_b
        block = d.private_block(group, creator, create=True)
        block.add_new(low, vr, form(b))
        if g and vendor == "siemens":
            block.add_new(of_direction[2], "FD", list(g))
        elif g:
            other = d.private_block(of_direction[0], of_direction[1], create=True)
            for i in range(3):
                other.add_new(of_direction[2] + i, "FL", g[i])
        if implicit:
            d.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian

    save(tmp_path / "s", _four(volume, range(4), None, put))
    im = mt.open(tmp_path / "s")
    assert im.properties["dicom.T"] == "DiffusionBValue"
    assert im.properties["dicom.T.DiffusionBValue"] == ", ".join(str(b) for b, _ in table)
    order = sorted(range(4), key=lambda t: (table[t][0], table[t][1] or (0, 0, 0)))
    np.testing.assert_array_equal(im.read(), volume[order])


# ---- values -------------------------------------------------------------------------------------------------


def test_modality_lut_is_applied_to_values_and_not_to_raw(tmp_path, rng):
    volume = rng.integers(0, 300, (4, 9, 8), dtype=np.uint16)
    data = slices(volume, sop_class=CT)
    for z, d in enumerate(data):  # each slice its own table; values below and beyond it take its ends
        item = _item(ModalityLUTType="HU")
        item[0].LUTDescriptor = [200, 20, 16]
        item[0].LUTData = rng.integers(0, 60000, 200, dtype=np.uint16).tobytes()
        item[0]["LUTDescriptor"].VR, item[0]["LUTData"].VR = "US", "OW"
        if z != 2:
            d.ModalityLUTSequence = item
        else:
            d.RescaleSlope, d.RescaleIntercept = "0.5", "-3"
    save(tmp_path / "s", data)
    want = np.stack([apply_modality_lut(v, d) for v, d in zip(volume, data, strict=True)])
    im = mt.open(tmp_path / "s")
    assert im.dtype == np.float32 and im.properties["dicom.rescale"] == "modality LUT"
    np.testing.assert_array_equal(im.read(), want)
    np.testing.assert_array_equal(im[1:3, 2:5, 1:], want[1:3, 2:5, 1:])
    np.testing.assert_array_equal(im.read(dtype="uint16")[0], want[0])
    np.testing.assert_array_equal(im.read(raw=True), volume)
    assert im.stats()["max"] == want.max()


def test_intercept_alone_counts(tmp_path, volume):
    save(tmp_path / "s", slices(volume, sop_class=CT, RescaleIntercept="-1024"))
    im = mt.open(tmp_path / "s")
    np.testing.assert_array_equal(im.read(), volume.astype(np.float32) - 1024)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_float_pixels(tmp_path, rng, dtype):
    a = rng.standard_normal((7, 11, 13)).astype(dtype)
    a[2, 3, 4] = np.nan
    d = enhanced(np.zeros(a.shape, np.uint16), sop_class=PARAMETRIC_MAP)
    del d.PixelData, d.PixelRepresentation, d.BitsStored, d.HighBit
    d.BitsAllocated = 8 * a.itemsize
    setattr(d, "FloatPixelData" if dtype == "f4" else "DoubleFloatPixelData", a.tobytes())
    (path,) = save(tmp_path / "p", [d])
    im = mt.open(path)
    assert im.dtype == a.dtype
    np.testing.assert_array_equal(im.read(), a)
    np.testing.assert_array_equal(im[2:4, 1:9, 3:], a[2:4, 1:9, 3:])
    np.testing.assert_allclose(im.affine, affine_of(OBLIQUE, (-10, 20, -30), (0.75, 0.5), 2.5), atol=1e-9)


def test_every_slice_another_syntax(tmp_path, rng):
    volume = np.cumsum(rng.integers(0, 9, (8, 70, 66)), axis=2).astype(np.uint16)
    data = slices(volume, OBLIQUE)
    for d, syntax in zip(data[:3], (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless), strict=True):
        d.compress(syntax)
    data[3].file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    data[4].file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    data[5].file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    data[5].PixelData = volume[5].astype(">u2").tobytes()
    data[6].BitsStored, data[6].HighBit = 12, 11
    save(tmp_path / "s", data)
    im = mt.open(tmp_path / "s")
    np.testing.assert_array_equal(im.read(), volume)
    np.testing.assert_array_equal(im[1:7, 60:, 5:9], volume[1:7, 60:, 5:9])
    np.testing.assert_allclose(im.affine, affine_of(OBLIQUE, (-10, 20, -30), (0.75, 0.5), 2.5), atol=1e-9)


def test_series_that_itk_wrote(tmp_path, volume):
    cosines = _turned((-80, 33, 170))
    image = sitk.GetImageFromArray(volume.astype(np.int16))
    image.SetSpacing((0.5, 0.75, 2.5))
    image.SetOrigin((1, 2, 3))
    image.SetDirection(np.stack([cosines[:3], cosines[3:], normal_of(cosines)], 1).ravel().tolist())
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for i in range(len(volume)):
        plane = image[:, :, i]
        for key, value in {
            "0020|0032": "\\".join(f"{v:.12g}" for v in image.TransformIndexToPhysicalPoint((0, 0, i))),
            "0020|0037": "\\".join(f"{v:.12g}" for v in cosines),
            "0020|000e": "1.2.3",
            "0020|0013": str(99 - i),
            "0008|0060": "CT",
            "0028|1052": "-100",
            "0028|1053": "2",
        }.items():
            plane.SetMetaData(key, value)
        writer.SetFileName(str(tmp_path / f"{i * 3 % 7}.dcm"))
        writer.Execute(plane)
    im, (want, affine) = mt.open(tmp_path), itk(tmp_path)
    np.testing.assert_array_equal(im.read(), want)
    np.testing.assert_allclose(im.affine, affine, atol=1e-6)


# ---- what is wrong -------------------------------------------------------------------------------------------


def test_an_instance_at_two_places_is_never_dropped(tmp_path, volume):
    data = slices(volume)
    data[5].SOPInstanceUID = data[0].SOPInstanceUID
    save(tmp_path / "s", data)
    with pytest.raises(mt.InvalidError, match=r"one instance .* is in two files: im\d+\.dcm, im\d+\.dcm"):
        mt.open(tmp_path / "s")
    (im,) = mt.open(tmp_path / "s", split=True)  # the UID lies, the places do not
    np.testing.assert_array_equal(im.read(), volume)


@pytest.mark.parametrize("missing", [(1, 4), (1, 3), (2, 4), (1, 2, 4)])
def test_several_gaps_of_few_slices(tmp_path, volume, missing):
    save(tmp_path / "s", [d for z, d in enumerate(slices(volume)) if z not in missing])
    with pytest.raises(mt.InvalidError, match=r"missing .*im\d+\.dcm, im\d+\.dcm \(step 2\.5 mm\)"):
        mt.open(tmp_path / "s")


def test_steps_of_a_micrometre(tmp_path, volume):
    save(tmp_path / "s", slices(volume, step=0.001, spacing=(0.002, 0.001)))
    im = mt.open(tmp_path / "s")
    assert im.spacing == pytest.approx((0.001, 0.002, 0.001))
    np.testing.assert_array_equal(im.read(), volume)
    save(
        tmp_path / "g",
        [d for z, d in enumerate(slices(volume, step=0.001, spacing=(0.002, 0.001))) if z != 3],
    )
    with pytest.raises(mt.InvalidError, match="1 slice is missing"):
        mt.open(tmp_path / "g")


@pytest.mark.parametrize("tilt", [12.5, -20])
@pytest.mark.parametrize("cosines", [AXIAL, OBLIQUE])
def test_tilt_of_either_sign(tmp_path, volume, tilt, cosines):
    way = np.asarray(normal_of(cosines)) * 2.5 + np.asarray(cosines[3:]) * 2.5 * np.tan(np.radians(tilt))
    save(tmp_path / "s", slices(volume, cosines, step=way))
    im = mt.open(tmp_path / "s")
    np.testing.assert_allclose(im.affine, affine_of(cosines, (-10, 20, -30), (0.75, 0.5), way), atol=1e-9)
    assert float(im.properties["dicom.gantry_tilt"]) == pytest.approx(abs(tilt), abs=0.01)
    np.testing.assert_array_equal(im.read(), volume)


def test_a_frame_without_position_is_named(tmp_path, volume):
    d = enhanced(volume)
    place = d.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0]
    place[0x00200032] = DataElement(0x00200032, "DS", None)
    (path,) = save(tmp_path / "e", [d])
    with pytest.raises(mt.InvalidError, match="frame 4 differs from the others in having a place"):
        mt.open(path)
    del d.PerFrameFunctionalGroupsSequence
    (path,) = save(tmp_path / "f", [d])
    im = mt.open(path)
    assert im.affine is None and "no valid position" in im.problems[0]


# ---- users ---------------------------------------------------------------------------------------------------


def test_loader_and_chain_over_folders_and_lists(tmp_path, rng):
    volume = rng.integers(0, 4000, (6, 12, 10), dtype=np.uint16)
    fields = []
    for i in range(3):
        paths = save(
            tmp_path / f"s{i}", slices(volume + i, sop_class=CT, RescaleSlope="2", RescaleIntercept="-5")
        )
        fields.append({"image": [str(p) for p in paths] if i == 1 else str(tmp_path / f"s{i}")})
    for i, batch in enumerate(mt.Loader(fields, batch_size=1, shuffle=False)):
        got = np.asarray(batch["image"]).reshape(volume.shape)
        np.testing.assert_array_equal(got, (volume + i).astype(np.float32) * 2 - 5)


@pytest.mark.parametrize("command", [False, True])
def test_conversion_keeps_values_of_every_slice_and_the_time_step(tmp_path, volume, volume4, command):
    nibabel = pytest.importorskip("nibabel")
    cli = os.environ.get("MICROTOME_CLI")
    if command and not cli:
        pytest.skip("MICROTOME_CLI is not set")

    def convert(name):
        out = tmp_path / f"{name}.nii.gz"
        if command:
            subprocess.run([cli, "convert", tmp_path / name, out], check=True)
        else:
            mt.convert(tmp_path / name, out)
        return nibabel.load(out)

    data = slices(volume, OBLIQUE, sop_class=PET)
    for z, d in enumerate(data):
        d.RescaleSlope, d.RescaleIntercept = str(0.25 * (z + 1)), "0"
    save(tmp_path / "pet", data)
    got, (want, affine) = convert("pet"), itk(tmp_path / "pet")
    np.testing.assert_allclose(got.get_fdata().T, want, rtol=1e-6)
    np.testing.assert_allclose(got.affine, affine, atol=1e-5)

    def clock(d, t, z):
        d.AcquisitionTime = f"1000{2 * t:02}.500000"

    save(tmp_path / "four", _four(volume4, [1, 2, 3], "TemporalPositionIdentifier", clock))
    got = convert("four")
    np.testing.assert_array_equal(np.asarray(got.dataobj).T, volume4)
    assert got.header.get_zooms() == (0.5, 0.75, 2.5, 2.0) and got.header.get_xyzt_units() == ("mm", "sec")


# ---- Siemens mosaics -----------------------------------------------------------------------------------------


def _csa(**elements):
    """A CSA2 header: elements of texts."""
    out = b"SV10\4\3\2\1" + struct.pack("<II", len(elements), 77)
    for name, values in elements.items():
        vr = {"A": b"SH", "N": b"US", "S": b"FD"}[name[0]]
        out += struct.pack(
            "<64si4siii",
            name.encode(),
            len(values),
            vr,
            4,
            max(len(values), 6),
            77,
        )
        for i in range(max(len(values), 6)):
            text = values[i].encode() + b"\0" if i < len(values) else b""
            out += struct.pack("<4i", len(text), len(text), 77, len(text)) + text + b"\0" * (-len(text) % 4)
    return out


def mosaic(volume, cosines, backwards=False, origin=(-10, 20, -30), **more):
    """A [Z, Y, X] volume as tiles of one image; origin: of its first slice."""
    z, y, x = volume.shape
    n = int(np.ceil(np.sqrt(z)))
    sheet = np.zeros((n * y, n * x), volume.dtype)
    for i, plane in enumerate(volume):
        sheet[i // n * y :, i % n * x :][:y, :x] = plane
    corner = np.asarray(origin) - 0.5 * (n - 1) * (
        x * 0.5 * np.asarray(cosines[:3]) + y * 0.75 * np.asarray(cosines[3:])
    )
    (d,) = slices(sheet[None], cosines, corner, SpacingBetweenSlices="2.5", **more)
    d.Manufacturer, d.ImageType = "SIEMENS", ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]
    normal = np.asarray(normal_of(cosines)) * (-1 if backwards else 1)
    d.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0A, "US", z)
    csa = d.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
    csa.add_new(
        0x10,
        "OB",
        _csa(
            AcquisitionMatrixText=["11*13"],
            NumberOfImagesInMosaic=[str(z)],
            SliceNormalVector=[f"{v:.8f}" for v in normal],
        ),
    )
    return d


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("cosines", [AXIAL, OBLIQUE])
@pytest.mark.parametrize("packed", [False, True])
def test_mosaic_equals_nibabel(tmp_path, volume, cosines, backwards, packed):
    wrapper = pytest.importorskip("nibabel.nicom.dicomwrappers").wrapper_from_data
    d = mosaic(volume, cosines, backwards)
    judge = wrapper(d)
    want, affine = np.asarray(judge.get_data()), np.diag([-1.0, -1, 1, 1]) @ judge.affine
    if packed:
        d.compress(uid.JPEGLSLossless)
    (path,) = save(tmp_path / "m", [d])
    im = mt.open(path)
    assert im.axes == "ZYX" and im.shape == volume.shape and not im.problems
    np.testing.assert_array_equal(im.read(), volume[::-1] if backwards else volume)
    np.testing.assert_array_equal(im[2:5, 3:9, 4:], im.read()[2:5, 3:9, 4:])
    got = im.read()
    for y, x, z in np.random.default_rng(1).integers(
        0, want.shape, (30, 3)
    ):  # nibabel counts row, column, slice
        at = np.linalg.solve(im.affine, affine @ [y, x, z, 1])[:3]
        np.testing.assert_allclose(at, np.rint(at), atol=1e-3)
        assert got[tuple(np.rint(at).astype(int)[::-1])] == want[y, x, z]


def test_mosaics_in_time(tmp_path, volume4):
    data = [
        mosaic(v, OBLIQUE, AcquisitionNumber=t + 1, AcquisitionTime=f"1000{2 * t:02}")
        for t, v in enumerate(volume4)
    ]
    save(tmp_path / "m", data)
    im = mt.open(tmp_path / "m")
    assert im.axes == "TZYX" and im.spacing[0] == pytest.approx(2)
    np.testing.assert_array_equal(im.read(), volume4)
    np.testing.assert_array_equal(im[1:, 2:, 1:4, 2:], volume4[1:, 2:, 1:4, 2:])
    np.testing.assert_allclose(im.affine, affine_of(OBLIQUE, (-10, 20, -30), (0.75, 0.5), 2.5), atol=1e-6)


@pytest.mark.parametrize("cut", [0, 3, 40, 200, 400])
def test_mosaic_that_does_not_tell_enough_stays_whole(tmp_path, volume, cut):
    d = mosaic(volume, AXIAL)
    element = d.private_block(0x0029, "SIEMENS CSA HEADER")[0x10]
    element.value = element.value[:cut] + b"\0" * (cut % 2)
    (path,) = save(tmp_path / "m", [d])
    im = mt.open(path)
    assert im.shape == (1, 33, 39) and "mosaic" in im.problems[0]
