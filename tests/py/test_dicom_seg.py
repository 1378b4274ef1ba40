"""Segmentation objects as images (mt.open, mt.dicom.read_seg): written by highdicom, read back voxel for voxel.
SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

hd = pytest.importorskip("highdicom")
from highdicom.seg import SegmentationTypeValues, SegmentDescription  # noqa: E402
from pydicom.sr.codedict import codes  # noqa: E402

SHAPE = (6, 18, 22)  # not a multiple of 8 pixels a frame: frames begin inside bytes
ROW, COLUMN = np.array([0.8, 0.6, 0.0]), np.array([-0.48, 0.64, 0.6])
SPACING, STEP, ORIGIN = (0.9, 0.7), 2.5, np.array([-30.0, 12.0, 5.0])


def affine():
    m = np.eye(4)
    m[:3, 0], m[:3, 1] = ROW * SPACING[1], COLUMN * SPACING[0]
    m[:3, 2], m[:3, 3] = np.cross(ROW, COLUMN) * STEP, ORIGIN
    return np.diag([-1.0, -1, 1, 1]) @ m


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """Classic CT slices of one oblique volume."""
    folder = tmp_path_factory.mktemp("ct")
    study, uid, frame = (generate_uid() for _ in range(3))
    out = []
    for k in range(SHAPE[0]):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = (
            ExplicitVRLittleEndian,
            "1.2.840.10008.5.1.4.1.1.2",
        )
        meta.MediaStorageSOPInstanceUID = generate_uid()
        path = folder / f"{k}.dcm"
        ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, uid, frame
        ds.PatientID = ds.PatientName = ds.AccessionNumber = ds.StudyID = "x"
        ds.PatientBirthDate = ds.PatientSex = ds.StudyDate = ds.StudyTime = ds.ReferringPhysicianName = ""
        ds.Modality, ds.SeriesNumber, ds.InstanceNumber = "CT", 1, k + 1
        ds.Rows, ds.Columns = SHAPE[1:]
        ds.PixelSpacing, ds.SliceThickness = list(SPACING), STEP
        ds.ImageOrientationPatient = [*ROW, *COLUMN]
        position = ORIGIN + k * STEP * np.cross(ROW, COLUMN)
        ds.ImagePositionPatient = [f"{v:.8g}" for v in position]
        ds.BitsAllocated = ds.BitsStored = 16
        ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 0, 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.PixelData = bytes(2 * SHAPE[1] * SHAPE[2])
        ds.save_as(path, enforce_file_format=True)
        out.append(ds)
    return out


def describe(n):
    return [
        SegmentDescription(
            segment_number=i + 1,
            segment_label=f"part {i + 1}",
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Liver,
            algorithm_type="MANUAL",
        )
        for i in range(n)
    ]


def save(path, series, array, kind, n, **options):
    seg = hd.seg.Segmentation(
        source_images=series,
        pixel_array=array,
        segmentation_type=kind,
        segment_descriptions=describe(n),
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="m",
        manufacturer_model_name="m",
        software_versions="1",
        device_serial_number="1",
        **options,
    )
    seg.save_as(path)
    return str(path)


@pytest.fixture
def labels(rng):
    """Empty first and third slices; every other one with parts of three segments."""
    a = rng.integers(0, 4, SHAPE, dtype=np.uint8)
    a[[0, 2]] = 0
    return a


@pytest.mark.parametrize("omit", [True, False])
def test_binary_without_overlap(tmp_path, series, labels, omit):
    path = save(tmp_path / "s.dcm", series, labels, SegmentationTypeValues.BINARY, 3, omit_empty_frames=omit)
    im = mt.open(path)
    assert (im.axes, im.dtype) == ("ZYX", np.uint8)
    first = 1 if omit else 0
    np.testing.assert_array_equal(im.read(), labels[first:])
    want = affine()
    want[:, 3] = want @ [0, 0, first, 1]
    np.testing.assert_allclose(im.affine, want, atol=1e-4)
    np.testing.assert_allclose(im.spacing, (STEP, *SPACING), rtol=1e-4)
    whole = mt.dicom.read_seg(path, like=(SHAPE, affine()))
    np.testing.assert_array_equal(whole, labels)
    assert im.properties["segment.2.label"] == "part 2"
    assert im.properties["segment.3.type"] == "Liver (SCT 10200004)"
    assert im.properties["segments"] == "1,2,3"
    assert im.properties["segmentation.type"] == "BINARY"


def test_boxes_and_threads(tmp_path, series, labels, rng):
    path = save(tmp_path / "s.dcm", series, labels, SegmentationTypeValues.BINARY, 3)
    im, whole = mt.open(path), labels[1:]
    for _ in range(20):
        lo = [int(rng.integers(0, n)) for n in whole.shape]
        hi = [int(rng.integers(a + 1, n + 1)) for a, n in zip(lo, whole.shape, strict=True)]
        box = tuple(zip(lo, hi, strict=True))
        np.testing.assert_array_equal(im.read(box), whole[tuple(slice(a, b) for a, b in box)])
    before = mt.get_threads()
    try:
        mt.set_threads(1)
        np.testing.assert_array_equal(mt.open(path).read(dtype=np.float32), whole)
    finally:
        mt.set_threads(before)


@pytest.mark.parametrize("turn", ["flip_x", "flip_y", "flip_z", "transpose"])
def test_like_a_turned_grid(tmp_path, series, labels, turn):
    path = save(tmp_path / "s.dcm", series, labels, SegmentationTypeValues.BINARY, 3)
    a, m = labels, affine()
    if turn == "transpose":  # array order (Y, Z, X)
        a, m = a.transpose(1, 0, 2), m[:, [0, 2, 1, 3]]
    else:
        axis = "xyz".index(turn[-1])
        a = np.flip(a, 2 - axis)
        m = m.copy()
        m[:, 3] += m[:, axis] * (a.shape[2 - axis] - 1)
        m[:, axis] *= -1
    np.testing.assert_array_equal(mt.dicom.read_seg(path, like=(a.shape, m)), a)


def test_like_a_part(tmp_path, series, labels):
    path = save(tmp_path / "s.dcm", series, labels, SegmentationTypeValues.BINARY, 3)
    m = affine()
    m[:, 3] = m @ [4, -3, 1, 1]
    got = mt.dicom.read_seg(path, like=((9, 12, 10), m))
    want = np.zeros((9, 12, 10), np.uint8)
    want[:5, 3:] = labels[1:, :9, 4:14]
    np.testing.assert_array_equal(got, want)


def test_overlap_gives_channels(tmp_path, series, rng):
    a = (rng.random((*SHAPE, 3)) < 0.4).astype(np.uint8)
    path = save(tmp_path / "s.dcm", series, a, SegmentationTypeValues.BINARY, 3)
    im = mt.open(path)
    assert (im.axes, im.shape, im.dtype) == ("CZYX", (3, *SHAPE), np.uint8)
    np.testing.assert_array_equal(im.read(), np.moveaxis(a, 3, 0))
    np.testing.assert_array_equal(im[1:3, 2:5, 3:9, 7:], np.moveaxis(a, 3, 0)[1:3, 2:5, 3:9, 7:])


def test_undecided_overlap_is_looked_up(tmp_path, series, labels):
    path = save(tmp_path / "s.dcm", series, labels, SegmentationTypeValues.BINARY, 3)
    ds = pydicom.dcmread(path)
    ds.SegmentsOverlap = "UNDEFINED"
    ds.save_as(path)
    assert mt.open(path).axes == "ZYX"
    np.testing.assert_array_equal(mt.open(path).read(), labels[1:])


def test_denied_overlap_is_an_error(tmp_path, series, rng):
    a = (rng.random((*SHAPE, 2)) < 0.5).astype(np.uint8)
    path = save(tmp_path / "s.dcm", series, a, SegmentationTypeValues.BINARY, 2)
    ds = pydicom.dcmread(path)
    ds.SegmentsOverlap = "NO"
    ds.save_as(path)
    with pytest.raises(mt.CorruptError, match="overlap"):
        mt.open(path).read()


def test_fractional(tmp_path, series, rng):
    a = rng.random((*SHAPE, 2)).astype(np.float32)
    path = save(tmp_path / "s.dcm", series, a, SegmentationTypeValues.FRACTIONAL, 2, max_fractional_value=200)
    im = mt.open(path)
    assert (im.axes, im.dtype) == ("CZYX", np.float32)
    stored = np.around(np.moveaxis(a, 3, 0) * 200)
    np.testing.assert_allclose(im.read(), stored / 200, atol=1e-6)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, pydicom.uid.RLELossless])
def test_label_map(tmp_path, series, labels, syntax):
    path = save(
        tmp_path / "s.dcm",
        series,
        labels,
        SegmentationTypeValues.LABELMAP,
        3,
        transfer_syntax_uid=syntax,
        omit_empty_frames=False,
    )
    im = mt.open(path)
    assert (im.axes, im.dtype) == ("ZYX", np.uint8)
    np.testing.assert_array_equal(im.read(), labels)


def test_like_the_series(tmp_path, series, labels):
    path = save(tmp_path / "s.dcm", series, labels, SegmentationTypeValues.BINARY, 3)
    files = [ds.filename for ds in series]
    np.testing.assert_array_equal(mt.dicom.read_seg(path, like=files), labels)
    np.testing.assert_array_equal(mt.dicom.read_seg(path, like=mt.open(files)), labels)


def test_errors(tmp_path, series, labels):
    path = save(tmp_path / "s.dcm", series, labels, SegmentationTypeValues.BINARY, 3)
    m = affine()
    m[:, :2] *= 1.1
    with pytest.raises(mt.InvalidError, match="not those of the grid"):
        mt.dicom.read_seg(path, like=(SHAPE, m))
    m = affine()
    m[:, 3] += m[:, 0] * 0.4
    with pytest.raises(mt.InvalidError, match="between the grid"):
        mt.dicom.read_seg(path, like=(SHAPE, m))
    m = affine()
    m[:, 3] += m[:, 2] * 100
    with pytest.raises(mt.InvalidError, match="outside"):
        mt.dicom.read_seg(path, like=(SHAPE, m))
    with pytest.raises(mt.InvalidError, match="no DICOM segmentation"):
        mt.dicom.read_seg(series[0].filename, like=(SHAPE, affine()))


NAMES = [
    "seg_image_sm_control.dcm",
    "seg_image_sm_control_labelmap.dcm",
    "seg_image_sm_control_labelmap_palette_color.dcm",
    "seg_image_sm_dots.dcm",
    "seg_image_sm_dots_tiled_full.dcm",
    "seg_image_sm_numbers.dcm",
]


@pytest.mark.parametrize("name", NAMES)
def test_segmentations_of_slides(data, name):
    path = data(f"wsi/highdicom/{name}")
    seg = hd.seg.segread(path)
    want = seg.get_total_pixel_matrix(combine_segments=True)
    im = mt.open(path)
    assert (im.axes, im.shape) == ("ZYX", (1, *want.shape))
    np.testing.assert_array_equal(im.read()[0], want)
    np.testing.assert_array_equal(im[0, 7:33, 11:], want[7:33, 11:])
