"""Rician, shot and salt-and-pepper noise: their distributions, with fixed seeds, and what they do to odd values.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
from scipy import stats

LIMIT = 1e-4


def test_rician_is_rician():
    for x in (0.0, 1.5, 40.0):
        n = mt.ops.rician_noise(np.full((60, 70, 80), x, "f4"), 2.0, seed=11).ravel()
        assert stats.kstest(n[:100000], stats.rice(x / 2, scale=2).cdf).pvalue > LIMIT
        mean, variance = stats.rice.stats(x / 2, scale=2, moments="mv")
        assert abs(n.mean() - mean) < 3.89 * np.sqrt(variance / n.size)
        m4 = np.mean((n.astype("f8") - n.mean()) ** 4)
        assert abs(n.var() - variance) < 3.89 * np.sqrt((m4 - variance**2) / n.size)


def test_rician_restated_with_gaussian_noise():
    """n1 is gaussian_noise's formula on another stream; both parts are independent and of the same strength."""
    zero = np.zeros((40, 50, 60), "f4")
    big = np.full_like(zero, 1e4)
    n1 = mt.ops.rician_noise(big, 1.0, seed=3) - big  # to first order the real part
    size = mt.ops.rician_noise(zero, 1.0, seed=3).astype("f8")
    n2 = np.sqrt(np.maximum(size**2 - n1.astype("f8") ** 2, 0))
    assert abs(np.corrcoef(np.abs(n1).ravel(), n2.ravel())[0, 1]) < 3.89 / np.sqrt(n1.size) + 2e-3
    assert abs(n2.std() / np.sqrt(1 - 2 / np.pi) - 1) < 0.02 and abs(n1.std() - 1) < 0.02
    np.testing.assert_array_equal(mt.ops.rician_noise(-big, 0.0), big)


@pytest.mark.parametrize("mean", [0.01, 0.5, 3, 15.9, 16.0, 17.3, 40, 200])
def test_shot_is_poisson(mean):
    """Against the exact probabilities, cells of at least 10 expected voxels."""
    a = np.full((64, 64, 64), mean, "f4")
    n = mt.ops.shot(a, 1, seed=21).ravel()
    assert (n == np.rint(n)).all() and n.min() >= 0
    k = np.arange(0, int(mean + 12 * np.sqrt(mean) + 20))
    expected = stats.poisson(a[0, 0, 0]).pmf(k) * n.size
    counted = np.bincount(n.astype(int), minlength=k.size)[: k.size]
    assert counted.sum() == n.size
    keep = expected >= 10
    e = np.append(expected[keep], n.size - expected[keep].sum())
    c = np.append(counted[keep], n.size - counted[keep].sum())
    if e[-1] < 10:
        e, c = np.append(e[:-2], e[-2:].sum()), np.append(c[:-2], c[-2:].sum())
    assert stats.chisquare(c, e * c.sum() / e.sum()).pvalue > LIMIT


@pytest.mark.parametrize("mean,factor", [(0.3, 0.1), (5, 20), (1000, 0.5), (3e5, 0.25), (2e9, 7)])
def test_shot_has_the_mean_and_the_variance(mean, factor):
    n = mt.ops.shot(np.full((80, 80, 80), mean, "f4"), factor, seed=4).astype("f8").ravel()
    x, variance = float(np.float32(mean)), mean * factor
    kurtosis = 3 + factor / mean
    rounding = 2.0**-24 * mean
    assert abs(n.mean() - x) < 3.89 * np.sqrt(variance / n.size) + rounding
    bound = 3.89 * variance * np.sqrt((kurtosis - 1) / n.size) + rounding**2
    assert abs(np.mean((n - x) ** 2) - variance) < bound


def test_shot_of_odd_values():
    a = np.array([[-5, -0.1, 0, np.nan, np.inf, -np.inf, 1e30, 1e-30]], "f4")
    out = mt.ops.shot(a, 2.0, seed=1)[0]
    np.testing.assert_array_equal(out[:3], 0)
    assert np.isnan(out[3]) and out[4] == np.inf and out[5] == 0 and abs(out[6] / 1e30 - 1) < 1e-5
    assert out[7] == 0
    np.testing.assert_array_equal(mt.ops.shot(a, 0.0), a)
    ramp = np.linspace(0, 40, 5000, dtype="f4").reshape(50, 100)
    one = mt.ops.shot(ramp, 1, seed=9)
    np.testing.assert_array_equal(one, mt.ops.shot(ramp.T.copy().T, 1, seed=9))
    assert (one != mt.ops.shot(ramp, 1, seed=10)).mean() > 0.5
    assert abs((one - ramp).sum()) < 3.89 * np.sqrt(ramp.sum())


def test_shot_has_no_dependent_neighbours():
    """Small and large means take their numbers from two streams."""
    a = np.full((64, 64, 64), 8, "f4")
    a[..., 1::2] = 30
    n = mt.ops.shot(a, 1, seed=6).astype("f8")
    for shift in (1, 2, 3):
        x, y = n[..., :-shift].ravel(), n[..., shift:].ravel()
        x, y = x - a[..., :-shift].ravel(), y - a[..., shift:].ravel()
        assert abs(np.corrcoef(x, y)[0, 1]) < 3.89 / np.sqrt(x.size)


@pytest.mark.parametrize("p,share", [(0.05, 0.5), (0.3, 0.2), (1, 0.9), (0, 0.5), (0.7, 0), (0.7, 1)])
def test_salt_and_pepper_counts(p, share):
    rng = np.random.default_rng(1)
    a = rng.uniform(10, 20, (50, 60, 70)).astype("f4")
    out = mt.ops.salt_and_pepper(a, p, share, salt=100, pepper=-7, seed=5)
    salt, pepper = (out == 100).sum(), (out == -7).sum()
    kept = out == a
    assert salt + pepper + kept.sum() == a.size
    for count, q in ((salt, p * share), (pepper, p * (1 - share))):
        assert abs(count - q * a.size) <= 3.89 * np.sqrt(q * (1 - q) * a.size) + 1e-6 * a.size
    where = ~kept
    if 0 < p < 1:  # no pattern along x
        x, y = where[..., :-1].ravel(), where[..., 1:].ravel()
        assert abs(np.corrcoef(x, y)[0, 1]) < 3.89 / np.sqrt(x.size)


def test_salt_and_pepper_by_default_are_the_ends_of_the_range():
    rng = np.random.default_rng(2)
    a = rng.integers(-300, 900, (3, 20, 21, 22)).astype("i2")
    out = mt.ops.salt_and_pepper(a, 0.4, seed=8, channels=True)
    changed = out != a
    assert set(np.unique(out[changed])) == {a.min(), a.max()}
    np.testing.assert_array_equal(
        out, mt.ops.salt_and_pepper(a, 0.4, salt=a.max(), pepper=a.min(), seed=8, channels=True)
    )
    assert (changed[0] != changed[1]).any()
    np.testing.assert_array_equal(
        mt.ops.salt_and_pepper(a, 0.4, seed=8, dtype="int16", channels=True), out.astype("i2")
    )


def test_random_salt_and_pepper():
    a = np.linspace(0, 1, 8000, dtype="f4").reshape(20, 20, 20)
    chain = mt.Chain([mt.RandomSaltAndPepper(share=(0.1, 0.2), p=0.5, salt=5)])
    shares = []
    for i in range(300):
        drawn = chain.draw(seed=2, index=i, sample={"image": a})[0]["drawn"]
        if drawn is None:
            continue
        shares.append(drawn["p"])
        if i < 12:
            out = chain({"image": a}, seed=2, index=i)["image"][0]
            np.testing.assert_array_equal(
                out, mt.ops.salt_and_pepper(a, drawn["p"], salt=5, seed=drawn["seed"])
            )
    u = (np.array(shares) - 0.1) / 0.1
    assert 0 <= u.min() < 0.05 and 0.95 < u.max() <= 1
    assert abs(len(u) / 300 - 0.5) < 3.89 * 0.5 / np.sqrt(300)
    assert abs(u.mean() - 0.5) < 3.89 * np.sqrt(1 / 12 / len(u))


def test_dali_agrees_on_the_distribution():
    """DALI draws other numbers: the same mean, variance and share of zeros."""
    pytest.importorskip("nvidia.dali")
    from nvidia.dali import fn, pipeline_def

    a = np.full((100, 100), 3.0, "f4")

    @pipeline_def(batch_size=1, num_threads=1, device_id=None, seed=5)
    def pipe():
        return fn.noise.shot(fn.external_source(lambda: [a], batch=True), factor=0.5)

    p = pipe()
    p.build()
    theirs = np.asarray(p.run()[0].as_array()[0])
    ours = mt.ops.shot(a, 0.5, seed=5)
    bound = 3.89 * np.sqrt(2 * 1.5 / a.size)
    assert abs(theirs.mean() - ours.mean()) < bound
    assert stats.ks_2samp(theirs.ravel(), ours.ravel()).pvalue > LIMIT
