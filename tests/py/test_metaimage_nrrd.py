"""NRRD and MetaImage reading against SimpleITK.
SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest

sitk = pytest.importorskip("SimpleITK")
DTYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
LPS = np.diag([-1, -1, 1, 1.0])


def picture(rng, dtype, shape=(4, 5, 6), channels=False):
    a = rng.integers(0, 100, shape).astype(dtype)
    image = sitk.GetImageFromArray(a, isVector=channels)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    image.SetDirection((rotation * np.sign(np.linalg.det(rotation))).ravel())
    image.SetSpacing(rng.uniform(0.5, 3, 3))
    image.SetOrigin(rng.normal(size=3) * 20)
    return a, image


def affine(image):
    m = np.eye(4)
    m[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(image.GetSpacing())
    m[:3, 3] = image.GetOrigin()
    return LPS @ m


@pytest.mark.parametrize("name", ["a.mha", "a.mhd", "a.nrrd", "a.nhdr"])
@pytest.mark.parametrize("packed", [False, True])
def test_equals_simpleitk(tmp_path, rng, name, packed):
    for dtype in DTYPES:
        a, image = picture(rng, dtype)
        sitk.WriteImage(image, str(tmp_path / name), packed)
        im = mt.open(tmp_path / name)
        assert im.axes == "ZYX"
        got = im.read()
        assert got.dtype == a.dtype
        assert np.array_equal(got, a)
        np.testing.assert_allclose(im.affine, affine(image), atol=1e-6)
        np.testing.assert_allclose(im.spacing[::-1], image.GetSpacing(), rtol=1e-6)
        for _ in range(3):
            assert np.array_equal(im.read(box=((1, 3), (0, 5), (2, 6))), a[1:3, :, 2:])


@pytest.mark.parametrize("name", ["c.mha", "c.nrrd"])
def test_channels(tmp_path, rng, name):
    a, image = picture(rng, "u1", (4, 5, 6, 3), channels=True)
    sitk.WriteImage(image, str(tmp_path / name))
    im = mt.open(tmp_path / name)
    assert im.axes == "ZYXC"
    assert np.array_equal(im.read(), a)
    np.testing.assert_allclose(im.affine, affine(image), atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (b"DimSize = 6", b"DimSize = 9", mt.CorruptError),
        (b"DimSize = 6", b"DimSize = x", mt.CorruptError),
        (b"DimSize = 6", b"DimSize = 0", mt.CorruptError),
        (b"DimSize = 6 5 4", b"DimSize = 4000000000 4000000000 4000000000", mt.LimitError),
        (b"NDims = 3", b"NDims = 9", mt.UnsupportedError),
        (b"MET_SHORT", b"MET_SHRT", mt.UnsupportedError),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = ../a.raw", mt.UnsupportedError),
        (b"ElementDataFile = LOCAL", b"ElementDataFile = no.raw", mt.NotFoundError),
        (b"ElementDataFile = LOCAL", b"ElementData", mt.CorruptError),
    ],
)
def test_damaged_metaimage(tmp_path, rng, old, new, error):
    _, image = picture(rng, "i2")
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    good = (tmp_path / "a.mha").read_bytes()
    assert old in good
    (tmp_path / "b.mha").write_bytes(good.replace(old, new))
    with pytest.raises(error):
        mt.open(tmp_path / "b.mha").read()


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (b"sizes: 6", b"sizes: 9", mt.CorruptError),
        (b"sizes: 6", b"sizes: -6", mt.CorruptError),
        (b"sizes: 6 5 4", b"sizes: 6 5", mt.CorruptError),
        (b"dimension: 3", b"dimension: 17", mt.UnsupportedError),
        (b"type: short", b"type: block", mt.UnsupportedError),
        (b"encoding: raw", b"encoding: hex", mt.UnsupportedError),
        (b"space origin: (", b"space origin: [", mt.CorruptError),
        (b"space directions: (", b"space directions: <", mt.CorruptError),
    ],
)
def test_damaged_nrrd(tmp_path, rng, old, new, error):
    _, image = picture(rng, "i2")
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    good = (tmp_path / "a.nrrd").read_bytes()
    assert old in good
    (tmp_path / "b.nrrd").write_bytes(good.replace(old, new))
    with pytest.raises(error):
        mt.open(tmp_path / "b.nrrd").read()
