"""Structure sets on an image's grid (mt.dicom.read_rtstruct) against matplotlib's point-in-polygon test.
SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

SHAPE = (7, 40, 50)
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"


def turned():
    """A grid of 1.5 × 0.7 × 3 mm, turned about all axes, in RAS."""
    a, b, c = 0.3, -0.2, 0.5
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    m = np.eye(4)
    m[:3, :3] = rx @ ry @ rz @ np.diag([1.5, 0.7, 3])
    m[:3, 3] = (-40, 20, 15)
    return m


GRIDS = {"plain": np.diag([-2.0, -2.0, 2.5, 1.0]), "turned": turned(), "left": np.diag([0.5, 0.5, -1.0, 1.0])}


def save(path, regions, affine, **more):
    """regions: {name: [(type, voxels [n, 3] (x, y, z))]}."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, STRUCTURE_SET
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = STRUCTURE_SET, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.SpecificCharacterSet = "RTSTRUCT", "ISO_IR 192"
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, (name, contours) in enumerate(regions.items(), 1):
        roi, shape, seen = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        shape.ReferencedROINumber = seen.ReferencedROINumber = number
        shape.ROIDisplayColor = [255, 0, number]
        seen.RTROIInterpretedType = "ORGAN"
        shape.ContourSequence = []
        for kind, voxels in contours:
            ras = np.asarray(voxels, float) @ affine[:3, :3].T + affine[:3, 3]
            item = Dataset()
            item.ContourGeometricType, item.NumberOfContourPoints = kind, len(ras)
            item.ContourData = [f"{v:.10g}"[:16] for v in (ras * (-1, -1, 1)).ravel()]
            shape.ContourSequence.append(item)
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(shape)
        ds.RTROIObservationsSequence.append(seen)
    for name, value in more.items():
        setattr(ds, name, value)
    ds.save_as(path, enforce_file_format=True)
    return str(path)


def star(rng, centre, radius, n, z):
    angles = np.sort(rng.uniform(0, 2 * np.pi, n))
    r = rng.uniform(0.3, 1, n) * radius
    return np.stack([centre[0] + r * np.cos(angles), centre[1] + r * np.sin(angles), np.full(n, z)], 1)


def judge(polygons, shape=SHAPE[1:]):
    path = pytest.importorskip("matplotlib.path")
    y, x = np.mgrid[: shape[0], : shape[1]]
    centres = np.stack([x.ravel(), y.ravel()], 1)
    inside = np.zeros(len(centres), bool)
    for p in polygons:
        closed = np.concatenate([p[:, :2], p[:1, :2]])
        inside ^= path.Path(closed, closed=True).contains_points(centres)
    return inside.reshape(shape)


@pytest.mark.parametrize("grid", GRIDS)
def test_polygons_equal_point_in_polygon(tmp_path, rng, grid):
    affine = GRIDS[grid]
    want = np.zeros(SHAPE, bool)
    contours = []
    for z in range(1, 6):
        polygons = [
            star(rng, (25, 20), 22, 12, z),
            star(rng, (20, 20), 6, 9, z),
            star(rng, (60, 35), 20, 30, z),
        ]
        want[z] = judge(polygons)
        contours += [("CLOSED_PLANAR", p) for p in polygons]
    rng.shuffle(contours)
    path = save(tmp_path / "s.dcm", {"star": contours}, affine)
    mask = mt.dicom.read_rtstruct(path, (SHAPE, affine))["star"]
    assert mask.dtype == bool
    assert want.sum() > 500
    np.testing.assert_array_equal(mask, want)


def square(x0, x1, y0, y1, z):
    return np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]])


def test_holes_and_keyholes(tmp_path):
    affine = GRIDS["plain"]
    ring = [
        ("CLOSED_PLANAR", square(4.5, 20.5, 4.5, 20.5, 2)),
        ("CLOSED_PLANAR", square(9.5, 14.5, 9.5, 14.5, 2)),
    ]
    inner = square(9.5, 14.5, 9.5, 14.5, 2)
    outer = square(4.5, 20.5, 4.5, 20.5, 2)
    keyhole = np.concatenate([outer, outer[:1], inner, inner[:1]])
    path = save(tmp_path / "s", {"ring": ring, "key": [("CLOSED_PLANAR", keyhole)]}, affine)
    masks = mt.dicom.read_rtstruct(path, (SHAPE, affine))
    want = np.zeros(SHAPE, bool)
    want[2, 5:21, 5:21] = True
    want[2, 10:15, 10:15] = False
    np.testing.assert_array_equal(masks["ring"], want)
    np.testing.assert_array_equal(masks["key"], want)


def test_half_open_at_voxel_centres(tmp_path):
    """Two squares that share an edge through voxel centres share no voxel and leave none out."""
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    regions = {
        "a": [("CLOSED_PLANAR", square(3, 10, 3, 10, 1))],
        "b": [("CLOSED_PLANAR", square(10, 17, 3, 10, 1))],
    }
    masks = mt.dicom.read_rtstruct(save(tmp_path / "s", regions, affine), (SHAPE, affine))
    assert masks["a"].sum() == masks["b"].sum() == 49
    assert not (masks["a"] & masks["b"]).any()


def test_nearest_plane_of_a_slice(tmp_path):
    """Contours every third of a slice: a slice is what its own plane says, not the parity of three."""
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])
    contours = [("CLOSED_PLANAR", square(4.5, 9.5 + k, 4.5, 9.5, 2 + k / 3)) for k in (-1, 0, 1)]
    contours.append(("CLOSED_PLANAR", square(4.5, 9.5, 4.5, 9.5, 4.4)))
    contours.append(("CLOSED_PLANAR", square(4.5, 9.5, 4.5, 9.5, 60)))
    path = save(tmp_path / "s", {"r": contours}, affine)
    mask = mt.dicom.read_rtstruct(path, (SHAPE, affine))["r"]
    assert mask.sum(axis=(1, 2)).tolist() == [0, 0, 25, 0, 25, 0, 0]


def test_points_and_open_contours(tmp_path):
    affine = GRIDS["turned"]
    regions = {
        "point": [("POINT", np.array([[7.4, 9.6, 3.2]]))],
        "line": [("OPEN_PLANAR", np.array([[5.0, 5, 1], [5, 12, 1], [-300, 12, 1]]))],
        "outside": [("POINT", np.array([[70.0, 9, 3]]))],
    }
    masks = mt.dicom.read_rtstruct(save(tmp_path / "s", regions, affine), (SHAPE, affine))
    assert np.argwhere(masks["point"]).tolist() == [[3, 10, 7]]
    want = np.zeros(SHAPE, bool)
    want[1, 5:13, 5] = True
    want[1, 12, :6] = True
    np.testing.assert_array_equal(masks["line"], want)
    assert not masks["outside"].any()


def test_choice_labels_and_names(tmp_path):
    affine = GRIDS["plain"]
    regions = {
        "Größe": [("CLOSED_PLANAR", square(2.5, 8.5, 2.5, 8.5, 1))],
        "PTV": [("CLOSED_PLANAR", square(5.5, 12.5, 2.5, 8.5, 1))],
        "empty": [],
    }
    path, grid = save(tmp_path / "s", regions, affine), (SHAPE, affine)
    listed = mt.dicom.rois(path)
    assert [(r["number"], r["name"], r["type"], r["contours"]) for r in listed] == [
        (1, "Größe", "ORGAN", 1),
        (2, "PTV", "ORGAN", 1),
        (3, "empty", "ORGAN", 0),
    ]
    assert listed[0]["color"] == (255, 0, 1)
    masks = mt.dicom.read_rtstruct(path, grid)
    assert list(masks) == ["Größe", "PTV"]
    assert list(mt.dicom.read_rtstruct(path, grid, rois=[2, "empty"])) == ["PTV", "empty"]
    labels = mt.dicom.read_rtstruct(path, grid, labels=True)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, np.where(masks["PTV"], 2, masks["Größe"]))
    with pytest.raises(mt.NotFoundError, match="no region 'CTV'"):
        mt.dicom.read_rtstruct(path, grid, rois="CTV")


def test_like_an_image(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    affine = GRIDS["turned"]
    nibabel.save(nibabel.Nifti1Image(np.zeros(SHAPE[::-1], np.uint8), affine), tmp_path / "ct.nii")
    contours = [("CLOSED_PLANAR", square(2.3, 8.6, 2.2, 8.7, 1))]
    path = save(tmp_path / "s", {"r": contours}, affine)
    a = mt.dicom.read_rtstruct(path, mt.open(tmp_path / "ct.nii"))["r"]
    b = mt.dicom.read_rtstruct(path, tmp_path / "ct.nii")["r"]
    assert a.sum() == 36
    np.testing.assert_array_equal(a, b)


def test_errors(tmp_path):
    affine = GRIDS["plain"]
    grid = (SHAPE, affine)
    sagittal = np.array([[5, 5, 0.0], [5, 20, 0], [5, 20, 5], [5, 5, 5]])
    with pytest.raises(mt.UnsupportedError, match="across"):
        mt.dicom.read_rtstruct(save(tmp_path / "a", {"s": [("CLOSED_PLANAR", sagittal)]}, affine), grid)
    path = save(tmp_path / "b", {"s": [("CLOSED_PLANAR", square(1, 5, 1, 5, 1))]}, affine)
    ds = pydicom.dcmread(path)
    item = ds.ROIContourSequence[0].ContourSequence[0]
    item.ContourData = item.ContourData[:-1]
    ds.save_as(tmp_path / "c")
    with pytest.raises(mt.CorruptError, match="points of three"):
        mt.dicom.read_rtstruct(tmp_path / "c", grid)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    ds.save_as(tmp_path / "d")
    with pytest.raises(mt.InvalidError, match="no RT structure set"):
        mt.dicom.read_rtstruct(tmp_path / "d", grid)
    with pytest.raises(mt.InvalidError, match="inverse"):
        mt.dicom.read_rtstruct(path, (SHAPE, np.zeros((4, 4))))


def test_real_file(data):
    path = data("dicom/pydicom/rtstruct.dcm")
    ds = pydicom.dcmread(path, force=True)
    found = mt.dicom.rois(path)
    assert [r["name"] for r in found] == [str(r.ROIName) for r in ds.StructureSetROISequence]
    by_number = {c.ReferencedROINumber: c for c in ds.ROIContourSequence}
    for r in found:
        contours = by_number[r["number"]].get("ContourSequence", [])
        assert r["contours"] == len(contours)
        assert r["points"] == sum(len(c.ContourData) // 3 for c in contours)


def test_opening_one_says_what_it_is(tmp_path):
    path = save(tmp_path / "s", {"s": [("CLOSED_PLANAR", square(1, 5, 1, 5, 1))]}, GRIDS["plain"])
    with pytest.raises(mt.UnsupportedError, match=r"RT Structure Set Storage.*read_rtstruct"):
        mt.open(path)
