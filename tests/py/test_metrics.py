"""Measures against restatements in SciPy, and against MONAI, scikit-learn and scikit-image where those are installed.
SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
import torch
from scipy import ndimage, spatial, stats

m = mt.metrics


@pytest.fixture
def maps(rng):
    """Two smooth label maps [Z, Y, X] of labels 0, 1, 2, 3 that differ, with objects that touch the border."""
    a = ndimage.gaussian_filter(rng.standard_normal((19, 23, 17)), 2)
    b = a + 0.3 * ndimage.gaussian_filter(rng.standard_normal(a.shape), 1.5)
    edges = np.quantile(a, (0.4, 0.6, 0.8))
    return np.digitize(a, edges).astype(np.uint8), np.digitize(b, edges).astype(np.int64)


def test_dice(maps):
    pred, label = maps
    want = [
        2 * np.sum((pred == c) & (label == c)) / (np.sum(pred == c) + np.sum(label == c)) for c in range(4)
    ]
    assert np.allclose(m.dice(pred, label), want) and 0.2 < min(want) < max(want) < 1
    assert np.allclose(m.dice(pred, label, 4, include_background=False), want[1:])
    assert np.allclose(m.dice(torch.as_tensor(pred), torch.as_tensor(label), [3, 1]), [want[3], want[1]])
    got = m.dice(pred, label, classes=6)
    assert np.isnan(got[4:]).all() and m.nanmean(got) == pytest.approx(np.mean(want))
    assert m.dice(np.ones(3, int), np.zeros(3, int), [1])[0] == 0 and m.dice(pred > 0, pred > 0)[1] == 1
    assert np.isnan(m.nanmean([np.nan]))


def test_dice_is_monais(maps):
    monai = pytest.importorskip("monai.metrics")
    pred, label = maps
    hot = [torch.as_tensor(np.stack([a == c for c in range(5)])[None].astype(np.float32)) for a in maps]
    assert np.allclose(m.dice(pred, label, 5), monai.compute_dice(*hot)[0].numpy(), equal_nan=True)


def hausdorff(p, q, spacing, percentile=95):
    """By SciPy's erosion and nearest-neighbour tree."""
    points = [np.argwhere(a & ~ndimage.binary_erosion(a)) * np.asarray(spacing) for a in (p, q)]
    ways = [spatial.cKDTree(points[1 - i]).query(points[i])[0] for i in (0, 1)]
    return max(np.percentile(w, percentile) for w in ways)


@pytest.mark.parametrize("spacing", [(1, 1, 1), (2.5, 0.9, 1.3)])
def test_hausdorff(maps, spacing):
    pred, label = maps
    for c in range(4):
        want = hausdorff(pred == c, label == c, spacing)
        assert m.hausdorff95(pred == c, label == c, spacing) == pytest.approx(want, rel=1e-6)
    got = m.hausdorff95(pred, label, spacing, classes=4, percentile=100)
    assert np.allclose(got, [hausdorff(pred == c, label == c, spacing, 100) for c in range(4)], rtol=1e-6)


def test_hausdorff_of_few_voxels(rng):
    p, q = np.zeros((9, 31), bool), np.zeros((9, 31), bool)
    p[0, 2], q[8, 30] = True, True
    assert m.hausdorff95(p, q, (2, 3)) == pytest.approx(np.hypot(16, 84))
    assert m.hausdorff95(p, p) == 0
    assert np.isnan(m.hausdorff95(p & q, p & q)) and m.hausdorff95(p, p & q) == np.inf == m.hausdorff95(
        p & q, p
    )
    assert m.hausdorff95(np.ones((1, 5), int), np.ones((1, 5), int), 2.0) == 0
    sparse = rng.random((2, 14, 11, 12)) < 0.02
    assert m.hausdorff95(*sparse, (1, 2, 3)) == pytest.approx(hausdorff(*sparse, (1, 2, 3)))


def test_hausdorff_is_monais(maps):
    monai = pytest.importorskip("monai.metrics")
    hot = [torch.as_tensor(np.stack([a == c for c in range(4)])[None].astype(np.float32)) for a in maps]
    want = monai.compute_hausdorff_distance(
        *hot, include_background=True, percentile=95, spacing=[2.5, 0.9, 1.3]
    )
    assert np.allclose(m.hausdorff95(*maps, (2.5, 0.9, 1.3), classes=4), want[0].numpy(), rtol=1e-5)


def test_differences(rng):
    a, b = rng.standard_normal((2, 3, 12, 13)).astype(np.float32)
    assert m.rmse(a, b) == pytest.approx(np.sqrt(np.mean((a.astype(float) - b) ** 2)), rel=1e-12)
    assert m.mae(a, torch.as_tensor(b)) == pytest.approx(np.mean(np.abs(a.astype(float) - b)), rel=1e-12)
    size = float(b.max()) - float(b.min())
    assert m.psnr(a, b) == pytest.approx(20 * np.log10(size / m.rmse(a, b)))
    assert m.psnr(a, b, data_range=255) == pytest.approx(20 * np.log10(255 / m.rmse(a, b)))
    assert m.psnr(a, a) == np.inf
    u = np.array([0, 255], np.uint8)
    assert m.rmse(u, u[::-1]) == 255 and m.mae(u, u[::-1]) == 255  # no wrapping


def ssim(a, b, size):
    """Wang 2004 by SciPy's gaussian filter, truncated at 11 taps; the part that sees no border."""
    f = lambda x: ndimage.gaussian_filter(x, 1.5, truncate=3.5)[(slice(5, -5),) * x.ndim]  # noqa: E731
    ma, mb = f(a), f(b)
    va, vb, c = f(a * a) - ma**2, f(b * b) - mb**2, f(a * b) - ma * mb
    c1, c2 = (0.01 * size) ** 2, (0.03 * size) ** 2
    return np.mean((2 * ma * mb + c1) * (2 * c + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))


@pytest.mark.parametrize("shape", [(23, 19), (13, 17, 15), (11, 11, 11)])
def test_ssim(rng, shape):
    b = ndimage.gaussian_filter(rng.standard_normal(shape), 1) * 4 + 2
    a = b + 0.2 * rng.standard_normal(shape)
    want = ssim(a, b, b.max() - b.min())
    assert m.ssim(a, b) == pytest.approx(want, rel=1e-9) and 0 < want < 1
    assert m.ssim(a, b, data_range=10) == pytest.approx(ssim(a, b, 10), rel=1e-9)
    assert m.ssim(b, b) == pytest.approx(1)
    batch = m.ssim(np.stack([a, b]), np.stack([b, b]), data_range=10, spatial=len(shape))
    assert batch == pytest.approx((ssim(a, b, 10) + 1) / 2, rel=1e-9)


def test_ssim_is_the_peers(rng):
    b = rng.random((13, 17, 15))
    a = b + 0.1 * rng.standard_normal(b.shape)
    monai = pytest.importorskip("monai.metrics")
    t = [torch.as_tensor(x)[None, None] for x in (a, b)]
    assert m.ssim(a, b, 1.0) == pytest.approx(float(monai.SSIMMetric(3, data_range=1.0)(*t)), rel=1e-4)


def test_confusion_and_accuracy(rng):
    label, pred = rng.integers(0, 4, (2, 200))
    want = np.zeros((5, 5), int)
    np.add.at(want, (label, pred), 1)
    assert np.array_equal(m.confusion(pred, label, 5), want)
    assert np.array_equal(m.confusion(pred, label), want[:4, :4])
    assert m.accuracy(pred, label) == np.trace(want) / 200


def test_roc_auc(rng):
    y = rng.integers(0, 2, 300)
    s = np.round(rng.standard_normal(300) + y, 1)  # with ties
    u = stats.mannwhitneyu(s[y == 1], s[y == 0]).statistic
    assert m.roc_auc(s, y) == pytest.approx(u / (y.sum() * (1 - y).sum()))
    assert m.roc_auc([0.1, 0.2, 0.9], [0, 0, 1]) == 1 and m.roc_auc([0.5, 0.5], [True, False]) == 0.5
    assert np.isnan(m.roc_auc([0.5, 0.5], [1, 1]))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda a: m.dice(a, a[:1]), "shape"),
        (lambda a: m.dice(a * 0.5, a), "whole numbers"),
        (lambda a: m.dice(a, a, 0), "at least one"),
        (lambda a: m.dice(a, a, "three"), "classes"),
        (lambda a: m.dice(a[:0], a[:0]), "empty"),
        (lambda a: m.dice(np.array(["a"]), np.array(["a"])), "numbers"),
        (lambda a: m.hausdorff95(a, a, (1, 2, 3, 4)), "spacing"),
        (lambda a: m.hausdorff95(a, a, (1, 0, 1)), "spacing"),
        (lambda a: m.hausdorff95(a[0, 0], a[0, 0]), "needed"),
        (lambda a: m.hausdorff95(a, a, percentile=101), "percentile"),
        (lambda a: m.psnr(a * 1.0, a * 0.0), "data_range"),
        (lambda a: m.ssim(a[:5], a[:5]), "11 voxels"),
        (lambda a: m.ssim(a, a, spatial=4), "spatial"),
        (lambda a: m.confusion(a, a, 2), "classes"),
        (lambda a: m.confusion(-a.astype(int), a), "labels"),
        (lambda a: m.roc_auc(a, a), "0 and 1"),
        (lambda a: m.roc_auc([np.nan, 1], [0, 1]), "NaN"),
    ],
)
def test_errors(call, says):
    with pytest.raises(mt.Error, match=says):
        call(np.arange(12 * 12 * 11).reshape(12, 12, 11) % 5)
