"""Geometric operators against SciPy, PyTorch, NumPy, nibabel and MONAI.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import nibabel
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

MODES = {
    "edge": "nearest",
    "reflect": "reflect",
    "mirror": "mirror",
    "wrap": "grid-wrap",
    "constant": "grid-constant",
}
ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
PADS = {"edge": "edge", "reflect": "symmetric", "mirror": "reflect", "wrap": "wrap", "constant": "constant"}
TOLERANCE = {"nearest": 0, "linear": 1e-5, "cubic": 2e-5}
DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")


def scipy_affine(a, matrix, size, interp, border, value=0.0):
    """SEMANTICS.md's equality: A = P·M·P, offset = P(M·0.5 + t − 0.5)."""
    n = a.ndim
    m = np.asarray(matrix, dtype=float)[:n]
    offset = (m[:, :n] @ np.full(n, 0.5) + m[:, n] - 0.5)[::-1]
    return ndimage.affine_transform(
        a.astype(float),
        m[:, :n][::-1, ::-1],
        offset,
        output_shape=size,
        order=ORDERS[interp],
        mode=MODES[border],
        cval=value,
    )


def random_matrix(rng, n):
    return np.concatenate([rng.normal(size=(n, n)) * 1.2 / np.sqrt(n), rng.normal(size=(n, 1)) * 6], axis=1)


@pytest.mark.parametrize("interp", ORDERS)
@pytest.mark.parametrize("border", MODES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_affine_equals_scipy(interp, border, data):
    n = data.draw(st.sampled_from((2, 3)))
    shape = tuple(data.draw(st.lists(st.integers(1, 23), min_size=n, max_size=n)))
    size = tuple(data.draw(st.lists(st.integers(1, 37), min_size=n, max_size=n)))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    a = rng.random(shape, dtype=np.float32)
    m = random_matrix(rng, n)
    got = mt.ops.affine(a, m.ravel(), size=size, interp=interp, border=border, value=0.25)
    want = scipy_affine(a, m, size, interp, border, 0.25)
    assert got.dtype == np.float32 and got.shape == size
    np.testing.assert_allclose(got, want.astype(np.float32), rtol=0, atol=TOLERANCE[interp])


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 4), (1, 2, 1), (5, 3, 2), (4, 4, 4), (2, 40, 3)])
def test_short_reflected_axes_are_scipys(rng, shape):
    """SciPy starts the prefilter of 'reflect' from a sum that it is still changing, which shows on axes below 5 voxels."""
    a = rng.random(shape, dtype=np.float32)
    m = random_matrix(rng, len(shape))
    got = mt.ops.affine(a, m.ravel(), size=(9, 8, 7)[: len(shape)], interp="cubic", border="reflect")
    want = scipy_affine(a, m, (9, 8, 7)[: len(shape)], "cubic", "reflect")
    np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE["cubic"])


@pytest.mark.parametrize("interp", ORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_affine_keeps_the_dtype(rng, dtype, interp):
    a = (rng.random((9, 12, 31)) * 250).astype(dtype)[::-1, :, ::2]
    m = random_matrix(rng, 3)
    got = mt.ops.affine(a, m.ravel(), interp=interp, border="constant", value=300.0)
    want = scipy_affine(
        a, m, a.shape, interp, "constant", 255.0 if interp == "nearest" and dtype == "uint8" else 300
    )
    assert got.dtype == dtype
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        # Half a unit of rounding, and what may lie between two roundings of nearly one half.
        assert np.abs(got - np.clip(want, info.min, info.max)).max() <= 0.5 + 1e-2
        assert interp != "nearest" or (got == np.clip(want, info.min, info.max)).all()
    else:
        np.testing.assert_allclose(got, want, rtol=0, atol=300 * max(TOLERANCE[interp], 1e-7))


def test_channels_share_the_map(rng):
    a = rng.random((3, 7, 8, 9), dtype=np.float32)
    m = random_matrix(rng, 3).ravel()
    got = mt.ops.affine(a, m, channels=True)
    for k in range(3):
        np.testing.assert_array_equal(got[k], mt.ops.affine(a[k], m))


def test_affine_inverse_and_errors(rng):
    a = rng.random((8, 9, 10), dtype=np.float32)
    m = np.eye(4)
    m[:3] = random_matrix(rng, 3)
    np.testing.assert_allclose(
        mt.ops.affine(a, np.linalg.inv(m).ravel(), inverse=True), mt.ops.affine(a, m.ravel()), atol=1e-5
    )
    with pytest.raises(ValueError, match="cannot be inverted"):
        mt.ops.affine(a, np.zeros(12), inverse=True)
    with pytest.raises(ValueError, match="last row"):
        mt.ops.affine(a, np.ones(16))
    with pytest.raises(ValueError, match="numbers"):
        mt.ops.affine(a, np.ones(6))


def test_affine_far_away(rng):
    """Coordinates beyond any voxel, up to infinite ones, are the border's."""
    a = rng.random((4, 5, 6), dtype=np.float32)
    for scale in (1e12, 1e200):
        m = [0, 0, 0, scale, 0, 0, 0, -scale, scale, -scale, scale, 0]
        for interp in ORDERS:
            assert (mt.ops.affine(a, m, interp=interp, border="constant", value=3) == 3).all()
            assert np.isfinite(mt.ops.affine(a, m, interp=interp, border="edge")).all()


def test_grid_sample(rng):
    torch = pytest.importorskip("torch")
    a = rng.random((11, 13, 17), dtype=np.float32)
    theta = np.concatenate([rng.normal(size=(3, 3)) * 0.7, rng.normal(size=(3, 1)) * 0.2], axis=1)
    size = (9, 10, 12)
    t = torch.from_numpy(a)[None, None].double()
    grid = torch.nn.functional.affine_grid(torch.from_numpy(theta)[None], (1, 1, *size), align_corners=False)
    # Normalised coordinates, −1 … 1 over the whole extent, to voxels.
    source, target = np.array(a.shape[::-1]), np.array(size[::-1])
    m = np.empty((3, 4))
    m[:, :3] = theta[:, :3] * (source[:, None] / target[None])
    m[:, 3] = (theta[:, 3] - theta[:, :3].sum(axis=1) + 1) * source / 2
    for border, padding in (("edge", "border"), ("constant", "zeros"), ("reflect", "reflection")):
        want = torch.nn.functional.grid_sample(t, grid, padding_mode=padding, align_corners=False)[0, 0]
        got = mt.ops.affine(a, m.ravel(), size=size, border=border)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "axis", "degrees", "size"),
    [
        ((150, 256, 256), (0, 0, 1), 30, (150, 350, 350)),
        ((150, 256, 256), (1, 1, 1), 20, (246, 328, 324)),
        ((5, 6, 9), (0, 0, 2), 90, (5, 9, 6)),
        ((5, 6, 9), (0, 1, 0), -180, (5, 6, 9)),
    ],
)
def test_rotate_canvas(shape, axis, degrees, size):
    assert mt.ops.rotate(np.zeros(shape, np.uint8), axis, degrees).shape == size


def test_rotate_quarter_turns_are_exact(rng):
    a = rng.integers(0, 255, (4, 5, 7), dtype=np.uint8)
    # Right-handed about +z takes x to y; in [Z, Y, X] that is numpy's turn from axis 2 to axis 1.
    for k in range(-2, 6):
        np.testing.assert_array_equal(mt.ops.rotate(a, (0, 0, 1), 90 * k), np.rot90(a, k, (2, 1)))
    # 2-D: counter-clockwise on the screen, as numpy.
    np.testing.assert_array_equal(mt.ops.rotate(a[0], degrees=90), np.rot90(a[0]))


def test_rotate_as_scipy_and_monai(rng):
    a = rng.random((9, 14, 15), dtype=np.float32)
    got = mt.ops.rotate(a, (0, 0, 1), 25, keep_size=True)
    want = ndimage.rotate(a.astype(float), -25, axes=(1, 2), order=1, reshape=False, mode="nearest")
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)
    transforms = pytest.importorskip("monai.transforms")
    for k, axis in enumerate(((0, 0, 1), (0, 1, 0), (1, 0, 0))):
        angles = [0.0, 0.0, 0.0]
        angles[k] = np.deg2rad(25)
        want = transforms.Rotate(angles, keep_size=True, padding_mode="border", dtype=np.float64)(a[None])[0]
        np.testing.assert_allclose(mt.ops.rotate(a, axis, 25, keep_size=True), want, rtol=0, atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.lists(st.integers(1, 9), min_size=3, max_size=3),
    axes=st.permutations((0, 1, 2)),
    k=st.integers(-5, 5),
    flips=st.sets(st.integers(-3, 2).map(lambda i: i % 3), min_size=1),
    dtype=st.sampled_from(DTYPES),
)
def test_flip_and_rot90_are_numpys(shape, axes, k, flips, dtype):
    a = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.testing.assert_array_equal(mt.ops.flip(a, tuple(flips)), np.flip(a, tuple(flips)))
    np.testing.assert_array_equal(mt.ops.rot90(a, k, axes[:2]), np.rot90(a, k, axes[:2]))


@pytest.mark.parametrize("border", PADS)
@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 8), min_size=2, max_size=3),
    before=st.lists(st.integers(0, 19), min_size=3, max_size=3),
    after=st.lists(st.integers(0, 19), min_size=3, max_size=3),
    dtype=st.sampled_from(DTYPES),
)
def test_pad_is_numpys(border, shape, before, after, dtype):
    a = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    n = a.ndim
    width = tuple(zip(before[:n], after[:n], strict=True))
    given = {"constant_values": 7} if border == "constant" else {}
    want = np.pad(a, width, PADS[border], **given)
    np.testing.assert_array_equal(mt.ops.pad(a, before[:n], after[:n], border=border, value=7), want)


def test_pad_converts_the_value(rng):
    a = rng.integers(0, 200, (2, 3, 4), dtype=np.uint8)
    assert mt.ops.pad(a, 1, 0, value=-1000, dtype="float32")[0, 0, 0] == -1000
    assert mt.ops.pad(a, 1, 0, value=1000.0)[0, 0, 0] == 255


def test_crop_and_crop_or_pad(rng):
    a = rng.random((7, 8, 9), dtype=np.float32)
    np.testing.assert_array_equal(mt.ops.crop(a, (1, 0, 4), (3, 8, 5)), a[1:4, :, 4:])
    with pytest.raises(ValueError, match="leaves"):
        mt.ops.crop(a, (5, 0, 0), (3, 8, 9))
    # floor(7 - 4 / 2) = 1 goes before; floor((11 - 8) / 2) = 1 comes before.
    want = np.pad(a[1:5], ((0, 0), (1, 2), (0, 0)))
    np.testing.assert_array_equal(mt.ops.crop_or_pad(a, (4, 11, 9)), want)
    with pytest.raises(ValueError):
        mt.ops.crop_or_pad(a, 2**40)


@pytest.mark.parametrize("to", ["RAS", "LPS", "PIR", "SAL"])
def test_orient_is_nibabels(rng, to):
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0.1, -2, 0.2], [0.3, 0.1, -3], [1, 0.2, 0.1]])
    affine[:3, 3] = (5, -7, 11)
    a = rng.integers(0, 99, (4, 5, 6), dtype=np.int16)
    image = nibabel.Nifti1Image(a.T, affine)
    move = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(affine), nibabel.orientations.axcodes2ornt(to)
    )
    want = image.as_reoriented(move)
    got, moved = mt.ops.orient(a, affine, to)
    np.testing.assert_array_equal(got, np.asarray(want.dataobj).T)
    np.testing.assert_allclose(moved, want.affine, atol=1e-12)
    with pytest.raises(ValueError):
        mt.ops.orient(a, affine, "RLS")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_orient_any_affine(seed):
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3] = rng.normal(size=(3, 4))
    a = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    want = nibabel.as_closest_canonical(nibabel.Nifti1Image(a.T, affine, dtype="int32"))
    got, moved = mt.ops.orient(a, affine, "RAS")
    np.testing.assert_array_equal(got, np.asarray(want.dataobj).T)
    np.testing.assert_allclose(moved, want.affine, atol=1e-9)


@pytest.mark.parametrize("to", [(2.0, 1.3, 0.7), (0.9, 2.2, 5.0)])
def test_spacing_is_monais(rng, to):
    transforms = pytest.importorskip("monai.transforms")
    meta = pytest.importorskip("monai.data")
    a = rng.random((9, 12, 11), dtype=np.float32)
    affine = np.diag([1.1, 1.6, 1.9, 1])
    affine[:3, 3] = (4, -2, 9)
    # MONAI's arrays are [X, Y, Z] here, as its affine is.
    tensor = meta.MetaTensor(a.T[None].copy(), affine=affine)
    want = transforms.Spacing(to[::-1], mode="bilinear", padding_mode="border")(tensor)
    got, moved = mt.ops.spacing(a, affine, to)
    np.testing.assert_allclose(got, np.asarray(want)[0].T, rtol=0, atol=2e-5)
    np.testing.assert_allclose(moved, want.affine, atol=1e-9)


def test_spacing_extents(rng):
    a = rng.random((10, 11, 12), dtype=np.float32)
    # round((n - 1) / 2 + 1), halves to even: 5.5, 6, 6.5
    assert mt.ops.spacing(a, 1.0, 2.0).shape == (6, 6, 6)
    assert mt.ops.spacing(a, 1.0, 3.0, extent="field_of_view").shape == (4, 4, 4)
    got, moved = mt.ops.spacing(a, np.eye(4), 2.0, extent="field_of_view")
    np.testing.assert_allclose(moved[:3, 3], 0.5)
    want = ndimage.zoom(a[:, :10].astype(float), 0.5, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(got[:, :5], want, rtol=0, atol=1e-5)


def test_affine_moves_with_the_voxels(rng):
    """A voxel keeps its millimetres: the moved affine of an orient and its inverse cancel."""
    affine = np.array([[0, -2, 0, 3], [1.5, 0, 0, -4], [0, 0, 3, 8], [0, 0, 0, 1.0]])
    a = rng.integers(0, 9, (3, 4, 5), dtype=np.uint8)
    there, moved = mt.ops.orient(a, affine, "SPL")
    back, again = mt.ops.orient(there, moved, "".join(nibabel.aff2axcodes(affine)))
    np.testing.assert_array_equal(back, a)
    np.testing.assert_allclose(again, affine, atol=1e-12)


def test_hostile_arguments(rng):
    a = rng.random((3, 4, 5), dtype=np.float32)
    for call in (
        lambda: mt.ops.flip(a, 3),
        lambda: mt.ops.flip(a, (0, 0)),
        lambda: mt.ops.rot90(a, 1, (1, 1)),
        lambda: mt.ops.rotate(a, (0, 0, 0), 10),
        lambda: mt.ops.rotate(a, degrees=10),
        lambda: mt.ops.pad(a, -1, 0),
        lambda: mt.ops.pad(a, 2**30, 2**30),
        lambda: mt.ops.affine(a, np.full(12, np.nan)),
        lambda: mt.ops.spacing(a, 0.0, 1.0),
        lambda: mt.ops.spacing(a, 1.0, 1e-11),
        lambda: mt.ops.orient(a, np.zeros((4, 4)), "RAS"),
    ):
        with pytest.raises(ValueError):
            call()


def about_middle(m, shape):
    """Input → output about the middle as the output → input matrix of affine, 3×4 in (x, y, z)."""
    back = np.linalg.inv(m)
    c = np.append(np.asarray(shape[::-1]) / 2, 1)
    back[:3, 3] += c[:3] - back[:3, :3] @ c[:3]
    return back[:3]


def turn(axis, degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    r, (i, j) = np.eye(4), [(1, 2), (2, 0), (0, 1)][axis]
    r[i, i], r[i, j], r[j, i], r[j, j] = c, -s, s, c
    return r


@pytest.mark.parametrize("interp", ORDERS)
def test_random_affine_is_affine_with_what_was_drawn(rng, interp):
    a = rng.random((11, 14, 17), dtype=np.float32)
    ranges = {"degrees": (-40, 40), "scale": (0.7, 1.4), "translate": (-3, 3), "shear": (-0.2, 0.2)}
    chain = mt.Chain([mt.RandomAffine(**ranges, p=0.8, interp=interp, border="mirror")])
    acted = set()
    for index in range(12):
        (step,) = chain.draw(seed=5, index=index, sample={"image": a})
        drawn = step["drawn"]
        acted.add(bool(drawn))
        got = chain({"image": a}, seed=5, index=index)["image"][0]
        np.testing.assert_array_equal(got, mt.ops.affine(a, **drawn) if drawn else a)
    assert acted == {True, False}


@pytest.mark.parametrize("sign", [-1, 1])
def test_random_affine_at_the_ends_of_its_ranges(rng, sign):
    """A range of one number leaves nothing to chance: the matrix is the product that the documentation states."""
    shape = (11, 14, 17)
    a = rng.random(shape, dtype=np.float32)
    degrees, scale, shift = sign * np.array((10, 20, 30)), (0.8, 1.1, 1.3), sign * np.array((1, -2, 3))
    shear = sign * np.arange(1, 7) / 20
    op = mt.RandomAffine(
        degrees=np.repeat(degrees, 2).tolist(),
        scale=np.repeat(scale, 2).tolist(),
        translate=np.repeat(shift, 2).tolist(),
        shear=np.repeat(shear, 2).tolist(),
        border="edge",
    )
    move, slant = np.eye(4), np.eye(4)
    move[:3, 3] = shift[::-1]
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    for (i, j), amount in zip(pairs, shear, strict=True):
        slant[2 - i, 2 - j] = amount
    rotation = turn(2, degrees[0]) @ turn(1, degrees[1]) @ turn(0, degrees[2])
    m = about_middle(move @ rotation @ slant @ np.diag([*scale[::-1], 1]), shape)
    got = mt.Chain([op])({"image": a}, seed=3)["image"][0]
    np.testing.assert_allclose(got, scipy_affine(a, m, shape, "linear", "edge"), atol=1e-5)


@pytest.mark.parametrize("interp", ORDERS)
def test_a_fused_chain_equals_one_call_of_scipy(rng, interp):
    """Turn, map, cut out and flip: one interpolation, whose matrix is the product of the steps' matrices."""
    a = rng.random((12, 15, 18), dtype=np.float32)
    m = np.eye(4)
    m[:3] = random_matrix(rng, 3)
    start, size = (2, 1, 3), (9, 11, 8)
    chain = mt.Chain(
        [
            mt.Rot90(k=1, axes=(1, 2)),
            mt.Affine(matrix=m[:3].ravel().tolist(), interp=interp, border="constant", value=0.5),
            mt.Crop(start=start, size=size),
            mt.Flip(axis=0),
        ]
    )
    turned = np.eye(4)  # numpy.rot90 in (y, x): out[i, j] = in[j, n − 1 − i], continuous coordinates
    turned[:2] = [[0, -1, 0, a.shape[2]], [1, 0, 0, 0]]
    cut = np.eye(4)
    cut[:3, 3] = start[::-1]
    flipped = np.diag([1, 1, -1, 1.0])
    flipped[2, 3] = size[0]
    whole = (turned @ m @ cut @ flipped)[:3]
    want = scipy_affine(a, whole, size, interp, "constant", 0.5)
    got = chain({"image": a})["image"][0]
    if interp == "nearest":  # a product of matrices may round a tie to the other side
        assert np.mean(got != want) < 0.002
    else:
        np.testing.assert_allclose(got, want, atol=TOLERANCE[interp])


@pytest.mark.parametrize("ragged", ["list", "pad"])
def test_random_rot90_plans_the_shape_of_each_turn(rng, ragged):
    a = rng.random((3, 5, 8), dtype=np.float32)
    chain = mt.Chain([mt.RandomRot90(p=0.7, axes=(1, 2))])
    items = [{"image": a}] * 16
    shapes = set()
    place = 0
    for batch in mt.Loader(items, chain, batch_size=4, seed=9, ragged=ragged):
        pictures = batch["image"]
        for got in pictures if isinstance(pictures, list) else np.asarray(pictures):
            (step,) = chain.draw(seed=9, index=place, sample={"image": a})
            want = np.rot90(a, step["drawn"]["k"] if step["drawn"] else 0, (1, 2))
            got = np.asarray(got)[0]
            np.testing.assert_array_equal(got[:, : want.shape[1], : want.shape[2]], want)
            assert ragged == "pad" or got.shape == want.shape
            shapes.add(want.shape)
            place += 1
    assert place == 16 and shapes == {(3, 5, 8), (3, 8, 5)}


def test_random_rot90_refuses_a_plane_that_does_not_exist_even_when_it_rests(rng):
    for axes in ((1, 1), (0, 1, 2), (0,)):
        with pytest.raises(mt.InvalidError, match="axes"):
            mt.Chain([mt.RandomRot90(p=0, axes=axes)])({"image": rng.random((3, 4, 5), dtype=np.float32)})


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: mt.Flip(axis=(1, 1)), "flip: axis names 1 twice"),
        (lambda: mt.RandomFlip(axes=(0, 0)), "random_flip: axes names 0 twice"),
        (lambda: mt.Rot90(axes=(1, 1)), "rot90: axes"),
        (lambda: mt.RandomRot90(axes=(2, 2)), "random_rot90: axes"),
        (lambda: mt.RandomRot90(axes=(0, 1, 2)), "random_rot90: axes has 3"),
        (lambda: mt.Rotate(axis=(0, 0, 0), degrees=3), "rotate: the axis"),
        (lambda: mt.Rotate(axis=(0, 1), degrees=3), "rotate: axis has 2"),
        (lambda: mt.Affine(matrix=np.zeros((2, 4))), "affine: the matrix has 8"),
        (lambda: mt.Affine(matrix=np.zeros((3, 4)), inverse=True), "affine: .*inverted"),
        (lambda: mt.Affine(matrix=np.eye(4), size=(2, 2, 2, 2)), "affine: size has 4"),
        (lambda: mt.Resize(), "resize: either size or scale"),
        (lambda: mt.Resize(size=4, scale=0.5), "resize: either size or scale"),
        (lambda: mt.Crop(start=0, size=(1, 2, 3, 4)), "crop: size has 4"),
        (lambda: mt.Pad(before=(1, 1, 1, 1), after=0), "pad: before has 4"),
        (lambda: mt.CropOrPad(size=(1, 2, 3, 4)), "crop_or_pad: size has 4"),
        (lambda: mt.RandomCrop(size=(1, 2, 3, 4)), "random_crop: size has 4"),
        (lambda: mt.RandomBalancedCrop("label", size=(1, 2, 3, 4)), "random_balanced_crop: size has 4"),
        (lambda: mt.RandomObjectBox("label", size=(1, 2, 3, 4)), "random_object_box: size has 4"),
        (lambda: mt.RandomPosNegCrop("label", size=(1, 2, 3, 4)), "random_pos_neg_crop: size has 4"),
        (lambda: mt.RandomWeightedCrop("w", size=(1, 2, 3, 4)), "random_weighted_crop: size has 4"),
        (lambda: mt.RandomForegroundCrop("label", size=(1, 2, 3, 4)), "random_foreground_crop: size has 4"),
        (lambda: mt.Orient(to="RAR"), "orient: to: 'RAR'"),
        (lambda: mt.Orient(to="RA"), "orient: to: 'RA'"),
        (
            lambda: mt.GridDistortion(num_cells=4, distort_steps=(1, 1)),
            "grid_distortion: distort_steps has 2",
        ),
        (lambda: mt.Median(radius=127), "median: radius: a box of 65025"),
        (lambda: mt.Median(radius=(20, 20, 20)), "median: radius: a box of 68921"),
        (lambda: mt.CoarseDropout(starts=(1, 2, 3, 4, 5), size=2), "coarse_dropout: starts has 5"),
        (lambda: mt.Normalize(nonzero=True, mask=np.ones((2, 2, 2))), "normalize: nonzero and mask"),
    ],
)
def test_what_no_image_could_take_is_refused_when_the_operator_is_made(make, text):
    with pytest.raises(mt.InvalidError, match=text):
        make()


def test_parameters_that_only_a_plane_or_only_a_volume_takes_are_not_refused_too_early():
    plane, volume = np.zeros((6, 7), np.float32), np.zeros((5, 6, 7), np.float32)
    for op, image in (
        (mt.Affine(matrix=np.eye(3)[:2]), plane),
        (mt.Affine(matrix=np.eye(3), inverse=True), plane),
        (mt.Affine(matrix=np.eye(4), inverse=True), volume),
        (mt.Rotate(degrees=10), plane),
        (mt.GridDistortion(num_cells=3, distort_steps=(1, 0.9, 1.1) * 2), plane),
        (mt.GridDistortion(num_cells=3, distort_steps=(1, 0.9, 1.1) * 3), volume),
        (mt.GridDistortion(num_cells=(2, 3), distort_steps=(1, 0.9, 1, 1, 1)), plane),
        (mt.CoarseDropout(starts=(0, 1), size=2), plane),
        (mt.CoarseDropout(starts=(0, 1, 2), size=(1, 2, 3)), volume),
    ):
        mt.Chain([op])({"image": image})
