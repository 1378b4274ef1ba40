"""Intensity operators against NumPy's formulas, MONAI where it is installed, and SciPy's tests of distribution.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

DTYPES = ["uint8", "int8", "uint16", "int16", "int32", "float16", "float32", "float64"]


@st.composite
def pictures(draw, channels=False):
    """A picture of any type and size, turned, reversed or thinned out."""
    ndim = draw(st.integers(2, 3)) + channels
    shape = draw(st.lists(st.integers(1, 9), min_size=ndim, max_size=ndim))
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    a = rng.normal(20, 30, [2 * n for n in shape])
    a = np.clip(a, 0 if dtype.kind == "u" else -100, 100).astype(dtype)
    a = a[tuple(slice(0, n) if draw(st.booleans()) else slice(None, None, 2) for n in shape)]
    a = a[tuple(slice(None, None, -1 if draw(st.booleans()) else 1) for _ in shape)]
    return np.transpose(a, draw(st.permutations(range(ndim))))


def wide(a):
    return a.astype(np.float64)


def check(result, expected, scale=None):
    """Equal within 1e-5 of the range, not finite in the same places; float32 and C order."""
    assert result.dtype == np.float32 and result.shape == expected.shape and result.flags.c_contiguous
    finite = expected[np.isfinite(expected)]
    scale = scale or max(np.ptp(finite) if finite.size else 0, 1e-3)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-5 * scale)


@settings(deadline=None, max_examples=150)
@given(pictures(), st.floats(-5, 5), st.floats(-5, 5))
def test_scale(a, low, high):
    x = wide(a)
    constant = x.max() == x.min()
    expected = x * low if constant else (x - x.min()) / (x.max() - x.min()) * (high - low) + low
    check(mt.ops.scale(a, low, high), expected)


@settings(deadline=None, max_examples=150)
@given(pictures())
def test_normalize(a):
    x = wide(a)
    check(mt.ops.normalize(a), (x - x.mean()) / (x.std() or 1))


@settings(deadline=None, max_examples=100)
@given(pictures())
def test_normalize_nonzero(a):
    x = wide(a)
    inside = x[x != 0]
    expected = x.copy()
    if inside.size:
        expected[x != 0] = (inside - inside.mean()) / (inside.std() or 1)
    check(mt.ops.normalize(a, nonzero=True), expected)


@settings(deadline=None, max_examples=100)
@given(pictures(), st.integers(0, 2**32))
def test_normalize_mask(a, seed):
    mask = np.random.default_rng(seed).random(a.shape) < 0.4
    if not mask.any():
        with pytest.raises(ValueError, match="mask"):
            mt.ops.normalize(a, mask=mask)
        return
    x = wide(a)
    std = x[mask].std()
    check(mt.ops.normalize(a, mask=mask), (x - x[mask].mean()) / (std or 1))
    check(mt.ops.normalize(a, mask=mask * np.float32(0.25)), (x - x[mask].mean()) / (std or 1))


@settings(deadline=None, max_examples=100)
@given(pictures(channels=True))
def test_normalize_channel_wise(a):
    x = wide(a)
    expected = np.stack([(c - c.mean()) / (c.std() or 1) for c in x])
    check(mt.ops.normalize(a, channel_wise=True, channels=True), expected)


@settings(deadline=None, max_examples=100)
@given(pictures(), st.floats(0, 100), st.floats(0, 100))
def test_clip_percentile(a, p, q):
    x = wide(a)
    low, high = np.percentile(x, [min(p, q), max(p, q)])
    check(mt.ops.clip_percentile(a, min(p, q), max(p, q)), np.clip(x, low, high))


@settings(deadline=None, max_examples=100)
@given(pictures(), st.floats(0.1, 5), st.booleans())
def test_gamma(a, gamma, signed):
    x = wide(a)
    if signed:
        expected = np.sign(x) * np.abs(x) ** gamma
    else:
        expected = ((x - x.min()) / (np.ptp(x) + 1e-7)) ** gamma * np.ptp(x) + x.min()
    check(mt.ops.gamma(a, gamma, signed=signed), expected)


@settings(deadline=None, max_examples=100)
@given(pictures(), st.floats(-3, 3), st.booleans())
def test_contrast(a, factor, keep_range):
    x = wide(a)
    expected = (x - x.mean()) * factor + x.mean()
    if keep_range:
        expected = np.clip(expected, x.min(), x.max())
    check(mt.ops.contrast(a, factor, keep_range=keep_range), expected, scale=np.ptp(x) + 100)


@settings(deadline=None, max_examples=50)
@given(pictures(), st.floats(-100, 100), st.floats(-3, 3))
def test_brightness_and_shift(a, add, multiply):
    check(mt.ops.brightness(a, add, multiply), wide(a) * multiply + add, scale=400)
    check(mt.ops.shift(a, add), wide(a) + add, scale=200)


def pydicom_window(x, c, w, function, low, high):
    """PS3.3 C.11.2.1.2.1, C.11.2.1.3.1, C.11.2.1.3.2."""
    if function == "sigmoid":
        return (high - low) / (1 + np.exp(-4 * (x - c) / w)) + low
    if function == "linear":
        c, w = c - 0.5, w - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        y = ((x - c) / w + 0.5) * (high - low) + low
    return np.where(x <= c - w / 2, low, np.where(x > c + w / 2, high, y))


@settings(deadline=None, max_examples=100)
@given(
    pictures(),
    st.floats(-50, 50),
    st.floats(1, 200),
    st.sampled_from(["linear", "linear_exact", "sigmoid"]),
    st.floats(-5, 5),
    st.floats(-5, 300),
)
def test_window(a, center, width, function, low, high):
    if function == "linear" and 1 < width < 1.01:
        width = 1.0  # so steep that float32 cannot tell on which side of the step a voxel lies
    expected = pydicom_window(wide(a), center, width, function, low, high)
    result = mt.ops.window(a, center, width, function, low, high)
    if function == "linear" and width == 1:
        far = np.abs(wide(a) - center + 0.5) > 1e-4
        result, expected = np.where(far, result, 0).astype("f"), np.where(far, expected, 0)
    check(result, expected, scale=max(abs(high - low), 1e-3))


def test_values_that_are_not_finite():
    rng = np.random.default_rng(3)
    a = rng.normal(5, 2, (7, 8, 9)).astype("f")
    a[1, 2, 3], a[0, 0, 0], a[6, 7, 8] = np.nan, np.inf, -np.inf
    finite = a[np.isfinite(a)].astype("d")
    with np.errstate(invalid="ignore"):
        check(mt.ops.normalize(a), (wide(a) - finite.mean()) / finite.std())
        check(mt.ops.scale(a), (wide(a) - finite.min()) / np.ptp(finite))
    low, high = np.percentile(finite, [0.5, 99.5])
    check(mt.ops.clip_percentile(a), np.clip(wide(a), low, high))
    noisy = mt.ops.gaussian_noise(a, 1.0, seed=1)
    assert np.isnan(noisy[1, 2, 3]) and noisy[0, 0, 0] == np.inf and noisy[6, 7, 8] == -np.inf
    for nothing in (np.full((3, 4), np.nan, "f"), np.full((3, 4), np.inf, "f")):
        for op in (mt.ops.scale, mt.ops.normalize, mt.ops.clip_percentile):
            with pytest.raises(ValueError, match="finite"):
                op(nothing)
        with pytest.raises(ValueError):
            mt.ops.shift(nothing[:, :0], 1)


def test_out_dtype_and_in_place():
    a = np.arange(-20, 100, dtype=np.float32).reshape(4, 5, 6)
    out = np.empty_like(a)
    assert mt.ops.shift(a, 2.5, out=out) is out
    np.testing.assert_array_equal(out, a + 2.5)
    np.testing.assert_array_equal(
        mt.ops.brightness(a, multiply=0.5, dtype="uint8"), np.clip(np.rint(a * 0.5), 0, 255).astype("u1")
    )
    b = a.copy()
    mt.ops.shift(b, 1, out=b)
    np.testing.assert_array_equal(b, a + 1)
    b[0, 0, 0] = np.nan
    with pytest.raises(ValueError):
        mt.ops.shift(b, 1, dtype="int16")


@pytest.mark.parametrize("dtype", ["uint8", "u1", "|u1", np.uint8, np.dtype("uint8")])
def test_dtypes_in_every_spelling(dtype):
    assert mt.ops.shift(np.ones((2, 3)), 1, dtype=dtype).dtype == np.uint8
    with pytest.raises(ValueError, match="no dtype"):
        mt.ops.shift(np.ones((2, 3)), 1, dtype="no such")


def test_noise_is_normal_and_depends_on_the_seed_alone():
    zero = np.zeros((50, 60, 70), "f")
    n = mt.ops.gaussian_noise(zero, 2.0, seed=2**63 + 5)
    assert stats.kstest(n.ravel() / 2, "norm").pvalue > 1e-4
    assert abs(n.std() - 2) < 0.02 and stats.kurtosistest(n.ravel()).pvalue > 1e-4
    np.testing.assert_array_equal(n, mt.ops.gaussian_noise(zero, 2.0, seed=2**63 + 5))
    np.testing.assert_array_equal(n, mt.ops.gaussian_noise(zero.T.copy().T, 2.0, seed=2**63 + 5))
    other = mt.ops.gaussian_noise(zero, 2.0, seed=2**63 + 6)
    assert abs(np.corrcoef(n.ravel(), other.ravel())[0, 1]) < 3.89 / np.sqrt(n.size)
    np.testing.assert_array_equal(mt.ops.gaussian_noise(zero, 0.0, seed=1), zero)


def philox(counter, seed):
    """Philox 4×32-10 as Salmon et al. print it."""
    c, k = list(counter), [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ k[1], p & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


@pytest.mark.parametrize("seed", [0, 1, 12345678901234567, 2**64 - 1])
def test_noise_is_what_doc_numerics_says(seed):
    assert philox([0] * 4, 0) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]  # the paper's known answer
    expected = []
    for b in range(60):
        w = philox([b, 0x6E6F6973, 0, 0], seed)
        for i in (0, 2):
            radius = np.sqrt(-2 * np.log(1 - (w[i] >> 8) * 2.0**-24))
            angle = 2 * np.pi * (w[i + 1] >> 8) * 2.0**-24
            expected += [radius * np.cos(angle), radius * np.sin(angle)]
    got = mt.ops.gaussian_noise(np.zeros((3, 7, 11), np.float32), 1, seed)
    np.testing.assert_allclose(got.ravel(), expected[: got.size], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: mt.ops.window(a, 0, 0),
        lambda a: mt.ops.window(a, 0, 0.5),
        lambda a: mt.ops.window(a, 0, 10, "cubic"),
        lambda a: mt.ops.clip_percentile(a, 60, 40),
        lambda a: mt.ops.clip_percentile(a, -1, 40),
        lambda a: mt.ops.gamma(a, 0),
        lambda a: mt.ops.gaussian_noise(a, -1),
        lambda a: mt.ops.normalize(a, nonzero=True, mask=a > 0),
        lambda a: mt.ops.normalize(a, mask=np.ones((2, 2), bool)),
        lambda a: mt.ops.shift(a, float("nan")),
    ],
)
def test_wrong_arguments(call):
    with pytest.raises(ValueError):
        call(np.ones((4, 5, 6), "f"))


def test_as_monai():
    transforms = pytest.importorskip("monai.transforms")
    a = np.random.default_rng(8).gamma(2, 50, (1, 20, 21, 22)).astype("f")
    pairs = [
        (transforms.ScaleIntensity(-1, 2), mt.ops.scale(a[0], -1, 2)),
        (transforms.NormalizeIntensity(), mt.ops.normalize(a[0])),
        (transforms.NormalizeIntensity(nonzero=True), mt.ops.normalize(a[0], nonzero=True)),
        (transforms.AdjustContrast(1.7), mt.ops.gamma(a[0], 1.7)),
        (transforms.ShiftIntensity(3), mt.ops.shift(a[0], 3)),
    ]
    for transform, ours in pairs:
        check(ours, np.asarray(transform(a.copy()))[0].astype("d"))  # MONAI writes into its input
