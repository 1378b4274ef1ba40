"""Elastic deformation and grid distortion against fields restated with NumPy and SciPy, gathered by SciPy.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import nibabel
import numpy as np
import pytest
from scipy import interpolate, ndimage, stats

MODES = {
    "edge": "nearest",
    "reflect": "reflect",
    "mirror": "mirror",
    "wrap": "grid-wrap",
    "constant": "grid-constant",
}
ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}


# ---- what the operators are, once more


def philox(seed, counters):
    """Philox 4x32-10 (Salmon et al. 2011) of counters [n, 4]: words [n, 4]."""
    c = [np.asarray(counters, np.uint64)[:, i].copy() for i in range(4)]
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    low, thirty_two = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> thirty_two) ^ c[1] ^ k0, p1 & low, (p0 >> thirty_two) ^ c[3] ^ k1, p0 & low]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack(c, 1)


def uniform(seed, stream, n):
    """n numbers in [-1, 1)."""
    blocks = np.arange((n + 3) // 4)
    counters = np.stack([blocks, np.full_like(blocks, stream), 0 * blocks, 0 * blocks], 1)
    return (philox(seed, counters).ravel()[:n] >> np.uint64(8)) * 2.0**-23 - 1


def bspline_basis(points, u):
    """[len(u), points]: cubic B-splines on whole numbers, point i centred at i - 1."""
    knots = np.arange(points + 4) - 3
    return interpolate.BSpline.design_matrix(np.asarray(u, float), knots, 3).toarray()


def control_field(shape, points, most, locked, seed):
    """Displacements [ndim, *shape] in array order at every voxel's centre."""
    n = len(shape)
    points, most = np.broadcast_to(points, n), np.broadcast_to(most, n)
    keep = np.zeros(points, bool)
    keep[tuple(slice(locked, p - locked) for p in points)] = True
    basis = [
        bspline_basis(p, (np.arange(s) + 0.5 + 0.125) * (p - 3) / (s + 0.25))
        for p, s in zip(points, shape, strict=True)
    ]
    out = []
    for axis in range(n):
        c = uniform(seed, n - 1 - axis, keep.size).reshape(points) * most[axis] * keep
        for b in basis:  # the leading axis becomes the last
            c = np.moveaxis(np.tensordot(b, c, (1, 0)), 0, -1)
        out.append(c)
    return np.stack(out)


def smooth_field(shape, sigma, magnitude, seed):
    n = len(shape)
    magnitude = np.broadcast_to(magnitude, n)
    return np.stack(
        [
            ndimage.gaussian_filter(
                uniform(seed, n - 1 - axis, int(np.prod(shape))).reshape(shape),
                sigma,
                truncate=3,
                mode="reflect",
            )
            * magnitude[axis]
            for axis in range(n)
        ]
    )


def gather(a, field, interp, border, value=0.0):
    coordinates = np.indices(a.shape) + field
    if interp == "nearest":  # ties go up: voxel i covers [i, i + 1)
        coordinates = np.floor(coordinates + 0.5)
    return ndimage.map_coordinates(
        a.astype(float), coordinates, order=ORDERS[interp], mode=MODES[border], cval=value
    )


def assert_close(got, want, interp, field=None):
    if interp == "nearest":  # a place between two voxels may round either way
        assert (got != want).mean() < 1e-3
    else:
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)


SHAPES = [(13, 17, 40), (21, 30), (1, 9, 8), (33, 5, 1), (6, 20, 150)]


@pytest.mark.parametrize("interp", ORDERS)
@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_control_points_equal_scipy(rng, shape, border, interp):
    a = rng.random(shape, dtype=np.float32)
    seed = int(rng.integers(2**63))
    got = mt.ops.elastic(
        a, max_displacement=3.0, seed=seed, interp=interp, border=border, value=0.25, locked_borders=1
    )
    want = gather(a, control_field(shape, 7, 3.0, 1, seed), interp, border, 0.25)
    assert got.dtype == np.float32
    assert_close(got, want, interp)


@pytest.mark.parametrize("interp", ORDERS)
@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_smooth_field_equals_scipy(rng, shape, border, interp):
    a = rng.random(shape, dtype=np.float32)
    seed = int(rng.integers(2**63))
    got = mt.ops.elastic(a, sigma=2.5, magnitude=20, seed=seed, interp=interp, border=border, value=0.25)
    assert_close(got, gather(a, smooth_field(shape, 2.5, 20, seed), interp, border, 0.25), interp)


@pytest.mark.parametrize("points", [4, 5, (4, 32, 6), (9, 7, 20)])
def test_points_and_amounts_of_every_axis(rng, points):
    shape, most = (20, 31, 37), (1.0, 0.0, 4.5)
    a = rng.random(shape, dtype=np.float32)
    got = mt.ops.elastic(a, control_points=points, max_displacement=most, locked_borders=0, seed=5)
    points = np.broadcast_to(points, 3)
    np.testing.assert_allclose(
        got, gather(a, control_field(shape, points, most, 0, 5), "linear", "edge"), rtol=0, atol=2e-5
    )
    got = mt.ops.elastic(a, sigma=(0, 1, 30), magnitude=(1, 2, 200), seed=6)
    want = gather(a, smooth_field(shape, (0, 1, 30), (1, 2, 200), 6), "linear", "edge")
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)


def test_simpleitk_lays_the_same_grid(rng):
    sitk = pytest.importorskip("SimpleITK")
    shape, most = (18, 22, 30), 2.0
    a = rng.random(shape, dtype=np.float32)
    image = sitk.GetImageFromArray(a)
    points = np.stack([uniform(3, k, 7**3).reshape(7, 7, 7) for k in range(3)]) * most  # x, y, z
    inner = np.zeros((7, 7, 7), bool)
    inner[2:5, 2:5, 2:5] = True
    transform = sitk.BSplineTransformInitializer(image, [4, 4, 4])
    transform.SetParameters((points * inner).ravel().tolist())
    want = sitk.GetArrayFromImage(sitk.Resample(image, image, transform, sitk.sitkLinear, -9.0))
    got = mt.ops.elastic(a, max_displacement=most, seed=3)
    inside = want > -9
    assert inside.mean() > 0.9
    np.testing.assert_allclose(got[inside], want[inside], rtol=0, atol=1e-4)


def test_millimetres(rng, tmp_path):
    a = rng.random((12, 20, 16), dtype=np.float32)
    path = tmp_path / "image.nii"
    nibabel.save(nibabel.Nifti1Image(a.T, np.diag([2.0, 1.0, 4.0, 1.0])), path)  # x, y, z
    for millimetres, voxels in (
        ({"max_displacement": 4}, {"max_displacement": (1, 4, 2)}),
        ({"sigma": 4, "magnitude": 24}, {"sigma": (1, 4, 2), "magnitude": (6, 24, 12)}),
    ):
        chain = mt.Chain([mt.Elastic("image", unit="mm", **millimetres)])
        np.testing.assert_array_equal(chain({"image": str(path)})["image"][0], mt.ops.elastic(a, **voxels))


# ---- grid distortion


def grid_positions(n, factors, normalized):
    """Where the middles of an axis' voxels come from."""
    factors = np.asarray(factors, float)
    if normalized:
        factors = factors / factors.mean()
    nodes = np.linspace(0, n, len(factors) + 1)
    source = np.concatenate([[0], np.cumsum(factors)]) * n / len(factors)
    middles = np.arange(n) + 0.5
    return np.interp(middles, nodes, source) - 0.5


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("interp", ORDERS)
@pytest.mark.parametrize("shape,cells", [((20, 23, 31), 5), ((17, 40), (3, 7)), ((1, 9, 200), (1, 2, 10))])
def test_grid_distortion_is_piecewise_linear(rng, shape, cells, interp, normalized):
    a = rng.random(shape, dtype=np.float32)
    factors = [rng.uniform(0.6, 1.5, n) for n in np.broadcast_to(cells, len(shape))]
    got = mt.ops.grid_distortion(
        a, num_cells=cells, distort_steps=np.concatenate(factors), normalized=normalized, interp=interp
    )
    places = np.meshgrid(
        *[grid_positions(n, f, normalized) for n, f in zip(shape, factors, strict=True)], indexing="ij"
    )
    assert_close(got, gather(a, np.stack(places) - np.indices(shape), interp, "edge"), interp)


def test_grid_distortion_shares_one_axis_steps_and_refuses_others(rng):
    a = rng.random((9, 9, 9), dtype=np.float32)
    one = mt.ops.grid_distortion(a, num_cells=3, distort_steps=(1.2, 0.9, 1.1))
    three = mt.ops.grid_distortion(a, num_cells=3, distort_steps=(1.2, 0.9, 1.1) * 3)
    np.testing.assert_array_equal(one, three)
    with pytest.raises(ValueError, match="distort_steps has 4 numbers"):
        mt.ops.grid_distortion(a, num_cells=3, distort_steps=(1, 1, 1, 1))
    with pytest.raises(ValueError, match="distort_steps"):
        mt.ops.grid_distortion(a, num_cells=3, distort_steps=(1, -1, 1))
    np.testing.assert_array_equal(mt.ops.grid_distortion(a, num_cells=2, distort_steps=(1, 1)), a)


# ---- what holds whatever the field


def test_locked_borders_stay(rng):
    a = rng.random((30, 28, 26), dtype=np.float32)
    moved = mt.ops.elastic(
        a, control_points=9, max_displacement=4, locked_borders=3, seed=1, interp="nearest"
    )
    for axis in range(3):
        for end in (0, -1):
            np.testing.assert_array_equal(moved.take(end, axis), a.take(end, axis))
    assert (moved != a)[10:20, 9:19, 8:18].mean() > 0.5


def test_dtypes_channels_strides_and_out(rng):
    a = (rng.random((2, 11, 14, 19)) * 200).astype(np.uint8)
    field = control_field((11, 14, 19), 7, 2.5, 2, 9)
    options = {"max_displacement": 2.5, "seed": 9, "channels": True}
    got = mt.ops.elastic(a, **options)
    for k in range(2):
        want = gather(a[k], field, "linear", "edge")
        assert got.dtype == np.uint8 and np.abs(got[k] - want).max() <= 0.51
    nearest = mt.ops.elastic(a, interp="nearest", **options)
    np.testing.assert_array_equal(
        nearest[0], mt.ops.elastic(a[0], interp="nearest", max_displacement=2.5, seed=9)
    )
    big = np.zeros((2, 22, 14, 19), np.uint8)
    view = big[:, ::2]
    view[...] = a
    np.testing.assert_array_equal(
        mt.ops.elastic(view[:, ::-1], **options)[:, :, :, :], mt.ops.elastic(a[:, ::-1], **options)
    )
    out = np.empty((2, 19, 14, 11), np.uint8).transpose(0, 3, 2, 1)
    mt.ops.elastic(a, out=out, **options)
    np.testing.assert_array_equal(out, got)


def test_no_displacement_is_the_image(rng):
    a = rng.random((5, 6, 7), dtype=np.float32)
    np.testing.assert_array_equal(mt.ops.elastic(a, max_displacement=0), a)
    np.testing.assert_array_equal(mt.ops.elastic(a, sigma=3, magnitude=0, interp="cubic"), a)


def test_bad_parameters_are_refused(rng):
    a = rng.random((5, 6, 7), dtype=np.float32)
    for arguments, message in (
        ({}, "give max_displacement, or sigma and magnitude"),
        ({"sigma": 3}, "give max_displacement, or sigma and magnitude"),
        ({"sigma": 3, "magnitude": 4, "max_displacement": 5}, "one kind"),
        ({"max_displacement": -1}, "max_displacement must lie"),
        ({"max_displacement": 1, "control_points": 3}, "control_points must lie"),
        ({"max_displacement": 1, "control_points": 6, "locked_borders": 3}, "holds all of 6"),
        ({"max_displacement": (1, 2)}, "max_displacement has 2 numbers"),
        ({"sigma": float("nan"), "magnitude": 1}, "sigma must be finite"),
        ({"max_displacement": 1, "unit": "mm"}, "no affine"),
    ):
        with pytest.raises(ValueError, match=message):
            mt.ops.elastic(a, **arguments)
    for arguments, message in (
        ({}, "random_elastic.*give max_displacement"),
        ({"max_displacement": (3, 1)}, "random_elastic.*max_displacement runs from 3 down to 1"),
        ({"max_displacement": 3, "p": 1.5}, "p must lie"),
    ):
        with pytest.raises(ValueError, match=message):
            mt.RandomElastic(**arguments)
    with pytest.raises(ValueError, match="distort_limit"):
        mt.RandomGridDistortion(distort_limit=(0.2, 0.1))


# ---- one gather


def matrix_of(rng, shape):
    """A mild affine map about the middle, 3x4 in (x, y, z), and as a function of continuous array-order places."""
    m = np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))
    middle = np.array(shape[::-1]) / 2
    t = middle - m @ middle + rng.uniform(-1, 1, 3)
    return np.column_stack(
        [m, t]
    ), lambda p: np.einsum("ij,j...->i...", m[::-1, ::-1], p) + t[::-1, None, None, None]


KINDS = {
    "control": {"max_displacement": 2.5, "seed": 21},
    "smooth": {"sigma": 3.0, "magnitude": 40.0, "seed": 22},
}


def field_at(kind, shape, places):
    """The field at continuous places [3, ...] of its domain, by interpolation between voxel centres where that is what the
    operator does, else by the spline itself."""
    places = np.clip(places, 0.5, np.array(shape)[:, None, None, None] - 0.5)
    if kind == "smooth":
        field = smooth_field(shape, 3.0, 40.0, 22)
        return np.stack([ndimage.map_coordinates(f, places - 0.5, order=1, mode="nearest") for f in field])
    control = [uniform(21, 2 - axis, 343).reshape(7, 7, 7) * 2.5 for axis in range(3)]
    inner = np.zeros((7, 7, 7), bool)
    inner[2:5, 2:5, 2:5] = True
    basis = [bspline_basis(7, ((places[a] + 0.125) * 4 / (shape[a] + 0.25)).ravel()) for a in range(3)]
    return np.stack(
        [
            np.einsum("na,nb,nc,abc->n", *basis, c * inner, optimize=True).reshape(places.shape[1:])
            for c in control
        ]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["affine first", "elastic first", "flip first"])
def test_affine_elastic_and_flip_are_one_interpolation(rng, kind, order):
    shape = (14, 18, 22)
    a = rng.random(shape, dtype=np.float32)
    matrix, affine = matrix_of(rng, shape)
    elastic = mt.Elastic("image", **KINDS[kind])
    steps = {
        "affine first": [mt.Affine("image", matrix=matrix.ravel()), elastic, mt.Flip("image", axis=1)],
        "elastic first": [elastic, mt.Affine("image", matrix=matrix.ravel()), mt.Flip("image", axis=1)],
        "flip first": [mt.Flip("image", axis=1), elastic, mt.Affine("image", matrix=matrix.ravel())],
    }[order]
    got = mt.Chain(steps)({"image": a})["image"][0]

    def flip(p):
        p = p.copy()
        p[1] = shape[1] - p[1]
        return p

    def warp(p):
        return p + field_at(kind, shape, p)

    way = {
        "affine first": (flip, warp, affine),
        "elastic first": (flip, affine, warp),
        "flip first": (affine, warp, flip),
    }
    places = np.indices(shape) + 0.5
    for step in way[order]:
        places = step(places)
    want = ndimage.map_coordinates(a.astype(float), places - 0.5, order=1, mode="nearest")
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_coordinate_image_shows_that_image_and_label_stay_together(rng, kind):
    shape = (16, 20, 24)
    z, y, x = np.indices(shape)
    label = (z * 10000 + y * 100 + x).astype(np.int32)
    image = np.stack([z, y, x]).astype(np.float32)
    chain = mt.Chain(
        [
            mt.RandomAffine(degrees=12, p=1),
            mt.RandomElastic(p=1, **{k: v for k, v in KINDS[kind].items() if k != "seed"}),
            mt.RandomFlip(p=0.5),
            mt.RandomCrop(size=(10, 15, 18)),
        ],
        labels=("label",),
    )
    for index in range(6):
        out = chain({"image": image, "label": label}, seed=3, index=index)
        seen = out["label"][0]
        middle = np.stack([seen // 10000, seen // 100 % 100, seen % 100])
        assert out["image"].shape == (3, 10, 15, 18)
        assert np.abs(out["image"] - middle).max() <= 0.5 + 1e-4


def test_crop_at_the_end_is_the_crop_of_the_whole(rng):
    a = rng.random((20, 24, 40), dtype=np.float32)
    for options in KINDS.values():
        whole = mt.ops.elastic(a, **options)
        part = mt.Chain(
            [mt.Elastic("image", **options), mt.Crop("image", start=(3, 5, 7), size=(9, 10, 21))]
        )({"image": a})
        np.testing.assert_allclose(part["image"][0], whole[3:12, 5:15, 7:28], rtol=0, atol=1e-6)


def test_crop_before_is_the_image_of_the_field(rng):
    a = rng.random((20, 24, 40), dtype=np.float32)
    for border in MODES:
        for interp in ORDERS:
            options = {"max_displacement": 3, "seed": 8, "border": border, "interp": interp}
            part = mt.ops.elastic(np.ascontiguousarray(a[3:12, 5:15, 7:28]), **options)
            chain = mt.Chain(
                [mt.Crop("image", start=(3, 5, 7), size=(9, 10, 21)), mt.Elastic("image", **options)]
            )
            np.testing.assert_allclose(chain({"image": a})["image"][0], part, rtol=0, atol=1e-6)


def test_loader_equals_eager_for_any_threads(rng):
    items = [
        {
            "image": rng.random((15, 16, 17), dtype=np.float32),
            "label": rng.integers(0, 5, (15, 16, 17)).astype(np.uint8),
        }
        for _ in range(3)
    ]
    chain = mt.Chain(
        [
            mt.RandomElastic(max_displacement=(0, 4), p=0.8),
            mt.RandomElastic(sigma=(2, 4), magnitude=(5, 20), p=0.8),
            mt.RandomGridDistortion(p=0.8, distort_limit=0.2),
        ],
        labels=("label",),
    )
    for threads in (1, 3):
        loader = mt.Loader(items, chain, batch_size=1, seed=5, threads=threads)
        for batch, item in zip(loader, items, strict=True):
            one = chain(item, seed=5, epoch=0, index=int(batch.index[0]))
            np.testing.assert_array_equal(np.asarray(batch["image"])[0], one["image"])
            np.testing.assert_array_equal(np.asarray(batch["label"])[0], one["label"])


# ---- random numbers


def test_control_points_are_uniform():
    n, draws = 16, []
    ramp = np.broadcast_to(np.arange(64, dtype=np.float32), (4, 64))  # x itself
    for seed in range(n):
        moved = mt.ops.elastic(
            np.tile(ramp, (16, 1)),
            control_points=4,
            max_displacement=(0, 5),
            locked_borders=0,
            seed=seed,
            border="constant",
        )
        want = ramp[0] + control_field((64, 64), 4, (0, 5.0), 0, seed)[1]
        inside = (want >= 0) & (want <= 63)
        assert inside.mean() > 0.8
        np.testing.assert_allclose(moved[inside], want[inside], rtol=0, atol=1e-4)
        draws.append(uniform(seed, 0, 16))
    assert stats.kstest(np.concatenate(draws), stats.uniform(-1, 2).cdf).pvalue > 1e-4
    assert np.min(draws) < -0.97 and np.max(draws) > 0.97


def test_random_forms_draw_the_whole_range():
    sample = {"image": np.zeros((8, 8, 8), np.float32)}
    chain = mt.Chain(
        [
            mt.RandomElastic(max_displacement=(1, 3), p=0.7),
            mt.RandomGridDistortion(distort_limit=(-0.1, 0.3), p=1),
        ]
    )
    drawn = [chain.draw(seed=2, index=index, sample=sample) for index in range(600)]
    most = [d[0]["drawn"]["max_displacement"] for d in drawn if d[0]["drawn"]]
    steps = np.array([d[1]["drawn"]["distort_steps"] for d in drawn])
    assert stats.binomtest(len(most), 600, 0.7).pvalue > 1e-4
    assert stats.kstest(np.ravel(most), stats.uniform(1, 2).cdf).pvalue > 1e-4
    assert stats.kstest(steps.ravel(), stats.uniform(0.9, 0.4).cdf).pvalue > 1e-4
    assert steps.shape == (600, 15) and np.min(most) < 1.02 and np.max(most) > 2.98
    seeds = {d[0]["drawn"]["seed"] for d in drawn if d[0]["drawn"]}
    assert len(seeds) == len(most)
