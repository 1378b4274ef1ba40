"""resize against SciPy, PyTorch, and its own definition in float64 on hypothesis-made pictures.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

torch = pytest.importorskip("torch")
functional = torch.nn.functional

FILTERS = ["nearest", "linear", "triangular", "cubic", "lanczos3", "gaussian", "area"]
DTYPES = ["uint8", "int8", "uint16", "int16", "int32", "uint32", "float16", "float32", "float64"]
RADIUS = {"linear": 1, "triangular": 1, "cubic": 2, "lanczos3": 3, "gaussian": 1.5}


def kernel(name, d):
    d = np.abs(d)
    if name in ("linear", "triangular"):
        return np.maximum(0, 1 - d)
    if name == "cubic":
        return np.where(
            d <= 1, 1.5 * d**3 - 2.5 * d**2 + 1, np.where(d < 2, -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2, 0)
        )
    if name == "lanczos3":
        return np.where(d < 3, np.sinc(d) * np.sinc(d / 3), 0)
    return np.where(d <= 1.5 + 1e-9, np.exp(-2 * d**2), 0)


def matrix(n, out, name, antialias=True, start=0, end=None):
    """[out, n]: the weights of one axis, as SEMANTICS has them."""
    end = n if end is None else end
    step = (end - start) / out
    w = np.zeros((out, n))
    for i in range(out):
        edges = sorted((start + i * step, start + (i + 1) * step))
        centre = start + (i + 0.5) * step - 0.5
        if name == "nearest":
            taps, values = [int(np.floor(centre + 0.5 + 1e-9))], [1.0]
        elif name == "area":
            taps = range(int(np.floor(edges[0] + 1e-9)), int(np.ceil(edges[1] - 1e-9)))
            values = np.ones(len(taps))
        else:
            wide = max(1, abs(step)) if antialias else 1
            reach = RADIUS[name] * wide + 1
            taps = range(int(np.floor(centre - reach)), int(np.ceil(centre + reach)) + 1)
            values = kernel(name, (np.array(taps) - centre) / wide)
        for t, v in zip(taps, np.array(values) / np.sum(values)):
            w[i, min(max(t, 0), n - 1)] += v
    return w


def by_matrices(a, matrices):
    """a (float64) with each of its last axes multiplied by a matrix."""
    for i, m in enumerate(matrices):
        axis = a.ndim - len(matrices) + i
        a = np.moveaxis(np.tensordot(m, a, axes=(1, axis)), 0, axis)
    return a


def check(result, expected, dtype, cubic=False):
    assert result.dtype == dtype and result.shape == expected.shape
    spread = max(np.ptp(expected), np.abs(expected).max(), 1e-6) if expected.size else 1
    if np.dtype(dtype).kind in "iu":  # rounded, at ties to either side, and clamped
        info = np.iinfo(dtype)
        assert np.abs(result - np.clip(expected, info.min, info.max)).max(initial=0) <= 0.5 + 2e-5 * spread
    else:
        limit = 1e-3 if dtype == np.float16 else 2e-5 if cubic else 1e-5
        assert np.abs(result.astype(np.float64) - expected).max(initial=0) <= limit * spread


@st.composite
def pictures(draw, channels):
    """A picture of any type and size, its axes turned, reversed or thinned out."""
    ndim = draw(st.integers(2, 3)) + channels
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 5, 7, 8, 13, 17, 31]), min_size=ndim, max_size=ndim))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    a = rng.uniform(0 if dtype.kind == "u" else -100, 100, [2 * n for n in shape]).astype(dtype)
    a = a[tuple(slice(0, n) if draw(st.booleans()) else slice(None, None, 2) for n in shape)]
    a = a[tuple(slice(None, None, -1 if draw(st.booleans()) else 1) for _ in shape)]
    return np.transpose(a, draw(st.permutations(range(ndim))))


@settings(deadline=None, max_examples=300)
@given(st.data(), st.booleans(), st.booleans())
def test_definition(data, channels, antialias):
    """Every filter, one for each axis, shrinking and enlarging, with regions, against the weights written out."""
    a = data.draw(pictures(channels))
    spatial = a.ndim - channels
    sizes = data.draw(st.lists(st.integers(1, 40), min_size=spatial, max_size=spatial))
    names = data.draw(st.lists(st.sampled_from(FILTERS), min_size=spatial, max_size=spatial))
    region = {}
    starts, ends = [0] * spatial, list(a.shape[channels:])
    if data.draw(st.booleans()):
        ends = [data.draw(st.integers(1, n)) + 0.25 for n in a.shape[channels:]]
        if data.draw(st.booleans()):  # reversed
            starts, ends = ends, starts
        region = {"roi_start": starts, "roi_end": ends}
    result = mt.ops.resize(a, size=sizes, interp=names, antialias=antialias, channels=channels, **region)
    matrices = [
        matrix(n, s, f, antialias, lo, hi)
        for n, s, f, lo, hi in zip(a.shape[channels:], sizes, names, starts, ends)
    ]
    check(result, by_matrices(a.astype(np.float64), matrices), a.dtype, cubic=True)


SIZES = [
    ((13, 17, 31), (9, 20, 12)),
    ((8, 9, 10), (16, 27, 5)),
    ((1, 5, 40), (3, 1, 33)),
    ((64, 50, 70), (48, 50, 35)),
]


@pytest.mark.parametrize("shape, size", SIZES)
def test_linear_is_torch(shape, size, rng):
    a = rng.random(shape, dtype=np.float32)
    expected = functional.interpolate(torch.from_numpy(a)[None, None].double(), size, mode="trilinear")[
        0, 0
    ].numpy()
    assert np.abs(mt.ops.resize(a, size=size, antialias=False) - expected).max() <= 1e-5


@pytest.mark.parametrize("shape, size", SIZES)
def test_linear_is_scipy(shape, size, rng):
    a = rng.random(shape, dtype=np.float32)
    zoom = [o / i for i, o in zip(shape, size)]
    expected = ndimage.zoom(a.astype(np.float64), zoom, order=1, mode="nearest", grid_mode=True)
    assert np.abs(mt.ops.resize(a, size=size, antialias=False) - expected).max() <= 1e-5


@pytest.mark.parametrize("shape, size", SIZES)
def test_area_is_adaptive_average(shape, size, rng):
    a = rng.random(shape, dtype=np.float32)
    expected = functional.adaptive_avg_pool3d(torch.from_numpy(a)[None].double(), size)[0].numpy()
    assert np.abs(mt.ops.resize(a, size=size, interp="area") - expected).max() <= 1e-5


def test_area_of_bytes(rng):
    a = rng.integers(0, 256, (53, 64, 71), dtype=np.uint8)
    expected = functional.adaptive_avg_pool3d(torch.from_numpy(a)[None].double(), (24, 24, 24))[0].numpy()
    assert np.abs(mt.ops.resize(a, size=24, interp="area", dtype="float32") - expected).max() <= 1e-5 * 255


@pytest.mark.parametrize("interp, mode, border", [("linear", "bilinear", 4), ("cubic", "bicubic", 8)])
def test_antialias_is_torch_inside(interp, mode, border, rng):
    """PyTorch leaves taps outside of the image out, DALI and microtome clamp them: equal only away from the border."""
    a = rng.random((90, 70), dtype=np.float32)
    expected = functional.interpolate(
        torch.from_numpy(a)[None, None].double(), (40, 30), mode=mode, antialias=True
    )
    inside = (slice(border, -border),) * 2
    result = mt.ops.resize(a, size=(40, 30), interp=interp)
    assert np.abs(result - expected[0, 0].numpy())[inside].max() <= 1e-5


@pytest.mark.parametrize("n, out", [(7, 3), (3, 7), (10, 10), (6, 9), (31, 12), (1, 5)])
def test_nearest_is_torch_exact(n, out, rng):
    a = rng.integers(-(2**31), 2**31, (n, n + 1), dtype=np.int32)
    z = (2 * np.arange(out) + 1) * n // (2 * out)
    x = (2 * np.arange(out + 2) + 1) * (n + 1) // (2 * (out + 2))
    np.testing.assert_array_equal(mt.ops.resize(a, size=(out, out + 2), interp="nearest"), a[np.ix_(z, x)])


def test_same_size_is_a_copy(rng):
    a = rng.integers(0, 2**32, (5, 6, 7), dtype=np.uint32)
    for name in FILTERS[:-2]:
        np.testing.assert_array_equal(mt.ops.resize(a, size=a.shape, interp=name), a)
    np.testing.assert_array_equal(mt.ops.resize(a, size=a.shape, interp="area"), a)


def test_constant(rng):
    for name in FILTERS:
        result = mt.ops.resize(np.full((9, 10, 11), 7.25, np.float32), size=(5, 23, 11), interp=name)
        np.testing.assert_allclose(result, 7.25, rtol=3e-7)


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (dict(size=(10, 0, 0)), (10, 20, 40)),  # geometric mean of the given factors
        (dict(size=(10, 40, 0)), (10, 40, 57)),  # sqrt(0.5 * 1) of 80
        (dict(size=(10, 0, 0), mode="stretch"), (10, 40, 80)),
        (dict(size=(10, 40, 160), mode="not_larger"), (10, 20, 40)),
        (dict(size=(10, 40, 160), mode="not_smaller"), (40, 80, 160)),
        (dict(size=(10, 40, 160), mode="not_smaller", max_size=100), (25, 50, 100)),
        (dict(size=(10, 40, 160), max_size=(0, 30, 100)), (10, 30, 100)),
        (dict(size=(10, None, None)), (10, 20, 40)),
        (dict(scale=0.5), (10, 20, 40)),
        (dict(scale=(0.01, 0.7, 1.5)), (1, 28, 120)),
        (dict(scale=0.025), (1, 1, 2)),  # 0.5 and 1 and 2: halves go up, none below 1
        (dict(size=20, roi_start=(2, 2, 2), roi_end=(4, 4, 4)), (20, 20, 20)),
    ],
)
def test_sizes(arguments, expected):
    assert mt.ops.resize(np.zeros((20, 40, 80), np.uint8), **arguments).shape == expected


def test_region_and_flip(rng):
    a = rng.random((12, 14, 16), dtype=np.float32)
    part = mt.ops.resize(a, size=(6, 7, 8), roi_start=(3, 0, 8), roi_end=(9, 14, 0), interp="nearest")
    expected = a[[3, 4, 5, 6, 7, 8]][:, 1::2][:, :, [7, 6, 5, 4, 3, 2, 1, 0]]
    np.testing.assert_array_equal(part, expected)


def test_nan_stays_in_its_window():
    a = np.zeros((1, 1, 64), np.float32)
    a[..., 20] = np.nan
    result = mt.ops.resize(a, size=(1, 1, 32), interp="area")[0, 0]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(result)), [10])


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        dict(size=5, scale=2),
        dict(size=(1, 2)),
        dict(size=-1),
        dict(size=5, interp="sinc"),
        dict(size=5, interp=("linear", "cubic")),
        dict(size=5, roi_start=3, roi_end=3),
        dict(scale=float("nan")),
        dict(size=2**30, interp="lanczos3"),
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises((mt.Error, ValueError, TypeError, MemoryError)):
        mt.ops.resize(np.zeros((4, 4, 4), np.float32), **arguments)


def test_empty_axis():
    with pytest.raises(ValueError):
        mt.ops.resize(np.zeros((0, 4, 4), np.float32), size=5)
