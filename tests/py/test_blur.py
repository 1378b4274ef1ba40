"""gaussian_blur against SciPy's gaussian_filter, borders included, on hypothesis-made pictures.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import ndimage

DTYPES = ["uint8", "int8", "uint16", "int16", "int32", "float16", "float32", "float64", "bool"]


@st.composite
def pictures(draw, channels):
    """A picture of any type and size, its axes turned, reversed or thinned out."""
    ndim = draw(st.integers(2, 3)) + channels
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 5, 7, 16, 17, 37]), min_size=ndim, max_size=ndim))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    a = rng.uniform(0 if dtype.kind in "ub" else -100, 100, [2 * n for n in shape]).astype(dtype)
    a = a[tuple(slice(0, n) if draw(st.booleans()) else slice(None, None, 2) for n in shape)]
    a = a[tuple(slice(None, None, -1 if draw(st.booleans()) else 1) for _ in shape)]
    return np.transpose(a, draw(st.permutations(range(ndim))))


@settings(deadline=None, max_examples=200)
@given(st.data(), st.booleans())
def test_is_scipy(data, channels):
    """Also radii longer than the axis, which is then reflected several times."""
    a = data.draw(pictures(channels))
    spatial = a.ndim - channels
    width = st.one_of(st.just(0.0), st.floats(0.05, 6))
    sigma = data.draw(st.one_of(width, st.lists(width, min_size=spatial, max_size=spatial)))
    each = [sigma] * spatial if isinstance(sigma, float) else sigma
    expected = ndimage.gaussian_filter(
        a.astype(np.float64), [0] * channels + each, mode="reflect", truncate=4
    )
    result = mt.ops.gaussian_blur(a, sigma, channels=channels)
    assert result.dtype == np.float32 and result.shape == a.shape
    assert np.abs(result - expected).max() <= 1e-5 * max(np.ptp(a.astype(np.float64)), 1)


def test_wider_than_the_axis(rng):
    a = rng.random((3, 4, 70), dtype=np.float32)
    expected = ndimage.gaussian_filter(a.astype(np.float64), 20)
    assert np.abs(mt.ops.gaussian_blur(a, 20.0) - expected).max() <= 1e-5


def test_out_and_dtype(rng):
    a = rng.integers(0, 200, (9, 10, 11)).astype(np.int16)
    whole = mt.ops.gaussian_blur(a, 1.0)
    memory = np.zeros((9, 10, 22), np.float32)
    mt.ops.gaussian_blur(a, 1.0, out=memory[..., ::2])
    np.testing.assert_array_equal(memory[..., ::2], whole)
    assert not memory[..., 1::2].any()
    np.testing.assert_array_equal(
        mt.ops.gaussian_blur(a, 1.0, dtype="uint8"), np.rint(whole).astype(np.uint8)
    )


def test_constant_and_impulse():
    np.testing.assert_allclose(mt.ops.gaussian_blur(np.full((8, 9, 10), 3, np.uint8), 2.5), 3, rtol=3e-7)
    a = np.zeros((41, 41), np.float32)
    a[20, 20] = 1
    blurred = mt.ops.gaussian_blur(a, 3.0)
    np.testing.assert_allclose(blurred, blurred[::-1, ::-1], atol=1e-9)
    np.testing.assert_allclose(blurred.sum(), 1, rtol=1e-5)


def test_nan_reaches_as_far_as_the_kernel():
    a = np.zeros((1, 1, 60), np.float32)
    a[..., 30] = np.nan
    result = mt.ops.gaussian_blur(a, (0, 0, 1.0))[0, 0]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(result)), np.arange(26, 35))


def test_empty():
    with pytest.raises(ValueError, match="empty"):
        mt.ops.gaussian_blur(np.zeros((0, 4, 4), np.float32), 1.0)


@pytest.mark.parametrize("sigma", [-1.0, float("nan"), 1e9, (1, 2), None])
def test_bad_sigma(sigma):
    with pytest.raises((mt.Error, ValueError, TypeError)):
        mt.ops.gaussian_blur(np.zeros((4, 4, 4), np.float32), sigma)


def test_threads_do_not_matter(rng):
    a = rng.random((2, 33, 70, 41), dtype=np.float32)
    before = mt.get_threads()
    try:
        results = []
        for threads in (1, 2, 5):
            mt.set_threads(threads)
            results.append(mt.ops.gaussian_blur(a, (1.0, 2.0, 0.7), channels=True).tobytes())
            results[-1] += mt.ops.resize(a, size=(20, 90, 30), interp="cubic", channels=True).tobytes()
    finally:
        mt.set_threads(before)
    assert results[0] == results[1] == results[2]


def test_random_blur(rng):
    """Given what was drawn it is gaussian_blur; it draws over the whole range and acts with probability p."""
    a = rng.random((9, 10, 11), dtype=np.float32)
    chain = mt.Chain([mt.RandomBlur(sigma=(0.5, 1.5), p=0.4)])
    drawn = []
    for index in range(400):
        values = chain.draw(0, 0, index)[0]["drawn"]
        if index < 12:
            result = np.asarray(chain({"image": a}, seed=0, epoch=0, index=index)["image"])[0]
            expected = mt.ops.gaussian_blur(a, values["sigma"][0]) if values else a
            np.testing.assert_array_equal(result, expected)
        if values:
            drawn += values["sigma"]
    assert 110 < len(drawn) < 210
    assert 0.5 <= min(drawn) < 0.55 and 1.45 < max(drawn) <= 1.5
    fixed = mt.Chain([mt.RandomBlur(sigma=0.75, p=1)])
    assert fixed.draw(0, 0, 0)[0]["drawn"]["sigma"] == [0.75]
