"""NIfTI, Analyze and .npy reading and writing against nibabel, SimpleITK and NumPy.
SPDX-License-Identifier: Apache-2.0
"""

import gzip

import microtome as mt
import nibabel as nib
import numpy as np
import pytest

REAL = [
    "CT_AVM",
    "M2208_T2w",
    "M2208_dog",
    "MR_Gd",
    "example_ct_sm",
    "example_ct_sm_T300_output",
    "fmri_pitch",
    "mni152_pveseg",
    "spm152",
]
TEMPLATES = ["ch2", "aal", "inia19-t1-brain", "inia19-NeuroMaps", "natbrainlab", "AICHAmc", "jhu189"]
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def equals_nibabel(path):
    """Voxels, raw voxels, affine and a box of a file are nibabel's; our axes are nibabel's reversed."""
    theirs, ours = nib.load(path), mt.open(path)
    want = np.asanyarray(theirs.dataobj).T
    got = ours.read()
    assert got.shape == want.shape == ours.shape
    assert np.array_equal(ours.read(raw=True), theirs.dataobj.get_unscaled().T)
    scale = np.abs(want).max() if want.size else 0
    np.testing.assert_allclose(got, want.astype(got.dtype), rtol=3e-7, atol=2e-7 * float(scale))
    np.testing.assert_allclose(ours.affine, theirs.affine, rtol=1e-15, atol=1e-13)
    box = tuple((n // 3, n - n // 4) for n in got.shape)
    for _ in range(3):  # without access points, while they are built, with them
        assert np.array_equal(ours.read(box=box), got[tuple(slice(*b) for b in box)])
    return ours, theirs


@pytest.mark.parametrize("name", REAL)
def test_real_files(data, name):
    ours, theirs = equals_nibabel(data(f"nifti/{name}.nii.gz"))
    np.testing.assert_allclose(ours.spacing[::-1], nib.affines.voxel_sizes(theirs.affine), rtol=1e-12)


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(template, name):
    equals_nibabel(template(f"{name}.nii.gz"))


def raw_bytes(header, voxels, endian):
    return bytes(header.binaryblock), voxels.astype(voxels.dtype.newbyteorder(endian)).tobytes(order="F")


def build(path, image_class, voxels, affine, endian, slope, inter, qform, rng):
    """A file of these voxels, stored exactly (nibabel itself would choose a scaling)."""
    header = image_class.header_class(endianness=endian)
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    if hasattr(header, "set_sform"):
        if qform in ("sform", "both"):
            header.set_sform(affine, 3)
        if qform in ("qform", "both"):
            header.set_qform(affine @ np.diag([1, 1, 1, 1.0]), 1)
        header["pixdim"][4:] = rng.uniform(0.5, 3, 4)[: len(header["pixdim"][4:])]
    else:
        header["pixdim"][1:4] = rng.uniform(0.5, 3, 3)
    if header.has_data_slope and slope is not None:
        header["scl_slope"] = slope
    if header.has_data_intercept and inter is not None:
        header["scl_inter"] = inter
    opener = gzip.open if path.name.endswith(".gz") else open
    if image_class in (nib.Nifti1Image, nib.Nifti2Image):
        header["vox_offset"] = header.single_vox_offset
        head, body = raw_bytes(header, voxels, endian)
        with opener(path, "wb") as f:
            f.write(head + bytes(4) + body)
        return path
    head, body = raw_bytes(header, voxels, endian)
    for ending, part in ((".hdr", head), (".img", body)):
        with opener(path.with_name(path.name.replace(".hdr", ending).replace(".img", ending)), "wb") as f:
            f.write(part)
    return path


@pytest.mark.parametrize(
    ("image_class", "name"),
    [
        (nib.Nifti1Image, "a.nii"),
        (nib.Nifti1Image, "a.nii.gz"),
        (nib.Nifti2Image, "a.nii"),
        (nib.Nifti1Pair, "a.img"),
        (nib.Nifti1Pair, "a.hdr.gz"),
        (nib.Nifti2Pair, "a.hdr"),
        (nib.AnalyzeImage, "a.img"),
        (nib.Spm99AnalyzeImage, "a.hdr"),
        (nib.Spm2AnalyzeImage, "a.img.gz"),
    ],
)
@pytest.mark.parametrize("endian", "<>")
def test_every_type(tmp_path, rng, image_class, name, endian):
    shapes = [
        (3, 4, 5),
        (5,),
        (4, 5),
        (3, 1, 5, 2),
        (3, 4, 1, 2, 3),
        (2, 3, 4, 2, 1, 2),
        (2, 3, 1, 2, 2, 1, 2),
    ]
    scalings = [(None, None), (0.5, -3), (np.nan, 0), (1, 0), (0, 7)]
    for i, dtype in enumerate(DTYPES):
        header = image_class.header_class()
        try:
            header.set_data_dtype(dtype)
        except nib.spatialimages.HeaderDataError:
            continue  # Analyze has fewer types
        for k, shape in enumerate(shapes):
            voxels = rng.integers(0, 100, shape).astype(dtype)
            rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
            affine = np.eye(4)
            affine[:3, :3] = rotation @ np.diag(rng.uniform(0.5, 3, 3))
            affine[:3, 3] = rng.normal(size=3) * 50
            slope, inter = scalings[(i + k) % len(scalings)]
            if slope is None and image_class.header_class.has_data_slope:
                slope, inter = np.nan, np.nan
            forms = ("sform", "qform", "both", "none")
            path = build(
                tmp_path / name, image_class, voxels, affine, endian, slope, inter, forms[(i + k) % 4], rng
            )
            ours, _ = equals_nibabel(path)
            assert np.array_equal(ours.read(raw=True), voxels.T)
            assert ours.axes == "VUCTZYX"[-len(shape) :]


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("endian", "<>")
def test_npy(tmp_path, rng, order, endian):
    for dtype in [*DTYPES, "f2", "?"]:
        for shape in [(), (7,), (4, 5), (3, 0, 2), (6, 5, 7), (2, 3, 1, 4, 2, 1, 2, 3)]:
            a = np.asarray(rng.integers(0, 2 if dtype == "?" else 100, shape))
            a = a.astype(np.dtype(dtype).newbyteorder(endian), order=order)
            np.save(tmp_path / "a.npy", a)
            im = mt.open(tmp_path / "a.npy")
            got = im.read()
            assert got.dtype == a.dtype.newbyteorder("=")
            assert np.array_equal(got, a)
            if a.ndim == 3 and a.size:
                assert np.array_equal(im.read(box=((1, 5), (0, 5), (2, 6))), a[1:5, :, 2:6])


@pytest.mark.parametrize("name", ["w.nii", "w.nii.gz"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_written_for_others(tmp_path, rng, name, dtype):
    """What we write, nibabel and SimpleITK read as we meant it."""
    sitk = pytest.importorskip("SimpleITK")
    a = rng.integers(0, 100, (4, 5, 6)).astype(dtype)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ np.diag([1.5, 2, 3])
    affine[:3, 3] = [10, -20, 30]
    mt.write(tmp_path / name, a, affine=affine)
    theirs = nib.load(tmp_path / name)
    assert np.array_equal(np.asanyarray(theirs.dataobj).T, a)
    np.testing.assert_allclose(theirs.affine, affine, atol=2e-6)
    np.testing.assert_allclose(theirs.get_qform(), affine, atol=1e-5)
    assert theirs.header.get_data_dtype() == np.dtype(dtype)
    image = sitk.ReadImage(str(tmp_path / name))
    assert np.array_equal(sitk.GetArrayFromImage(image), a)
    lps = np.diag([-1, -1, 1]) @ affine[:3, 3]
    np.testing.assert_allclose(image.GetOrigin(), lps, atol=1e-5)
    assert np.array_equal(mt.open(tmp_path / name).read(), a)


def test_extensions_travel(tmp_path, rng):
    a = rng.integers(0, 100, (4, 5, 6)).astype("i2")
    source = nib.Nifti1Image(a.T, np.eye(4))
    source.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"who, when"))
    source.header["descrip"] = b"made for a test"
    nib.save(source, tmp_path / "source.nii.gz")
    mt.write(tmp_path / "copy.nii", a, affine=np.eye(4), like=mt.open(tmp_path / "source.nii.gz"))
    copy = nib.load(tmp_path / "copy.nii")
    assert [e.get_content() for e in copy.header.extensions] == [b"who, when"]
    assert copy.header["descrip"].item() == b"made for a test"
    assert np.array_equal(np.asanyarray(copy.dataobj).T, a)


def test_several_members(tmp_path, rng):
    """gzip files are often parts in a row (pigz, bgzip, cat)."""
    a = rng.integers(0, 1000, (20, 64, 64)).astype("i2")
    mt.write(tmp_path / "a.nii", a, affine=np.eye(4))
    plain = (tmp_path / "a.nii").read_bytes()
    parts = [plain[i : i + 50_001] for i in range(0, len(plain), 50_001)]
    (tmp_path / "b.nii.gz").write_bytes(b"".join(map(gzip.compress, parts)))
    im = mt.open(tmp_path / "b.nii.gz")
    for _ in range(3):
        assert np.array_equal(im.read(box=((3, 17), (1, 64), (0, 63))), a[3:17, 1:, :63])
    assert np.array_equal(im.read(), a)
