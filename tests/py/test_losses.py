"""Losses against NumPy, torch and (where installed) MONAI, with gradients.
SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import pytest
import torch
from torch.nn import functional

t = mt.torch


@pytest.fixture
def case():
    """Logits [2, 4, 3, 5, 4] and labels [2, 3, 5, 4], float64."""
    g = torch.Generator().manual_seed(7)
    return (
        torch.randn(2, 4, 3, 5, 4, generator=g, dtype=torch.float64) * 2,
        torch.randint(0, 4, (2, 3, 5, 4), generator=g),
    )


def hot(label, classes=4):
    return torch.movedim(functional.one_hot(label, classes), -1, 1)


def numpy_dice(p, q, axes):
    both, total = (p * q).sum(axes), p.sum(axes) + q.sum(axes)
    return 1 - (2 * both + 1e-5) / (total + 1e-5)


def test_dice(case):
    x, y = case
    p, q = torch.softmax(x, 1).numpy(), hot(y).numpy()
    each = numpy_dice(p, q, (2, 3, 4))
    close = lambda a, b: np.testing.assert_allclose(a.numpy(), b, rtol=1e-12)  # noqa: E731
    close(t.DiceLoss()(x, y), each.mean())
    close(t.DiceLoss(reduction="none")(x, y[:, None]), each)
    close(t.DiceLoss(reduction="sum")(x, hot(y)), each.sum())
    close(t.DiceLoss(include_background=False)(x, hot(y).double()), each[:, 1:].mean())
    close(t.DiceLoss(batch=True)(x, y), numpy_dice(p, q, (0, 2, 3, 4)).mean())
    close(t.DiceLoss(activation=None)(torch.softmax(x, 1), y), each.mean())
    weights = np.array([0.5, 1, 2, 0])
    close(t.DiceLoss(weight=weights)(x, y), (each * weights).mean())
    s = torch.sigmoid(x[:, :1]).numpy()
    mask = (y > 0).numpy()[:, None]
    close(t.DiceLoss("sigmoid")(x[:, :1], y), numpy_dice(s, mask, (2, 3, 4)).mean())
    close(t.DiceLoss("sigmoid")(x[:, :1], (y > 0)[:, None].double()), numpy_dice(s, mask, (2, 3, 4)).mean())
    perfect = (hot(y).double() * 2 - 1) * 50
    assert t.DiceLoss()(perfect, y) < 1e-6


def test_cross_entropies(case):
    x, y = case
    assert torch.equal(t.WeightedCrossEntropy()(x, y), functional.cross_entropy(x, y))
    w = torch.tensor([0.1, 1.0, 2.0, 0.5])
    want = functional.cross_entropy(x, y, weight=w.double())
    assert torch.allclose(t.WeightedCrossEntropy(w)(x, y[:, None]), want)
    median = t.median_frequency_weights(y, 4)
    want = functional.cross_entropy(x, y, weight=median.double())
    assert torch.allclose(t.WeightedCrossEntropy("median")(x, y), want)
    both = t.DiceCELoss(lambda_dice=0.5, lambda_ce=2, ce_weight=w)(x, y)
    want = 0.5 * t.DiceLoss()(x, y) + 2 * functional.cross_entropy(x, y, weight=w.double())
    assert torch.allclose(both, want)
    scores, truth = x[:, :, 0, 0, 0], y[:, 0, 0, 0]  # classification: [B, C] and [B]
    assert torch.equal(t.WeightedCrossEntropy()(scores, truth), functional.cross_entropy(scores, truth))


def test_focal(case):
    x, y = case
    p, q = torch.softmax(x, 1).numpy(), hot(y).numpy()
    each = -((1 - p) ** 2) * np.log(p) * q
    assert t.FocalLoss()(x, y).item() == pytest.approx(each.mean(), rel=1e-12)
    assert t.FocalLoss(gamma=0)(x, y).item() == pytest.approx(functional.cross_entropy(x, y).item() / 4)
    assert t.FocalLoss(include_background=False)(x, y).item() != pytest.approx(each.mean())
    s, each = torch.sigmoid(x).numpy(), 0
    each = -q * (1 - s) ** 1.5 * np.log(s) - (1 - q) * s**1.5 * np.log(1 - s)
    assert t.FocalLoss(1.5, activation="sigmoid")(x, y).item() == pytest.approx(each.mean(), rel=1e-12)


def test_median_frequency(rng):
    a, b = np.array([0] * 6 + [1] * 2), torch.tensor([[0] * 2 + [3] * 2])
    # f0 = 8/12, f1 = 2/8, f3 = 2/4; median 1/2
    want = [0.75, 2.0, 0, 1.0, 0]
    assert torch.allclose(t.median_frequency_weights([a, b], 5), torch.tensor(want))
    assert torch.allclose(t.median_frequency_weights(a, 2), torch.tensor([0.5 / 0.75, 2.0]))


def test_deep_supervision(case):
    x, y = case
    small, smaller = x[:, :, 1:, ::2, :2], x[:, :, :1, :1, :1]
    at = lambda n, m: ((np.arange(n) + 0.5) * m / n).astype(int)  # noqa: E731
    down = lambda s: y[:, at(s[2], 3)][:, :, at(s[3], 5)][:, :, :, at(s[4], 4)]  # noqa: E731
    loss = t.DiceCELoss()
    parts = [loss(x, y), loss(small, down(small.shape)), loss(smaller, down(smaller.shape))]
    outputs = [x, small, smaller]
    want = parts[0] + parts[1] / 2 + parts[2] / 4
    assert torch.allclose(t.DeepSupervision(loss)(outputs, y), want)
    assert torch.allclose(t.DeepSupervision(loss, normalize=True)(tuple(outputs), y[:, None]), want / 1.75)
    assert torch.allclose(t.DeepSupervision(loss, weights=(1, 0))(outputs, y), parts[0])
    assert torch.equal(t.DeepSupervision(loss)(x, y), parts[0])


@pytest.mark.parametrize(
    "loss",
    [
        t.DiceLoss(),
        t.DiceLoss(include_background=False, batch=True),
        t.DiceLoss("sigmoid"),
        t.DiceCELoss(),
        t.FocalLoss(alpha=0.3),
        t.FocalLoss(activation="sigmoid", alpha=0.3),
        t.WeightedCrossEntropy("median"),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_gradients(case, loss):
    x, y = case
    small = x[:, :, :2, :2, :2].clone().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda v: loss(v, y[:, :2, :2, :2]), (small,))
    half = loss(x.float(), y)
    assert half.dtype == torch.float32 and torch.isfinite(half)


def test_losses_are_monais(case):
    monai = pytest.importorskip("monai.losses")
    x, y = case[0].float(), case[1]
    same = lambda a, b: torch.testing.assert_close(a(x, y), b(x, y[:, None]), rtol=1e-5, atol=1e-6)  # noqa: E731
    options = {"softmax": True, "to_onehot_y": True, "smooth_nr": 1e-5, "smooth_dr": 1e-5}
    same(t.DiceLoss(), monai.DiceLoss(**options))
    same(t.DiceLoss(include_background=False), monai.DiceLoss(include_background=False, **options))
    same(
        t.DiceLoss(batch=True, weight=[1, 2, 3, 4]),
        monai.DiceLoss(batch=True, weight=[1, 2, 3, 4], **options),
    )
    same(t.DiceCELoss(), monai.DiceCELoss(**options))
    w = torch.tensor([0.1, 1.0, 2.0, 0.5])
    same(
        t.DiceCELoss(weight=w, ce_weight=w, lambda_ce=0.5),
        monai.DiceCELoss(weight=w, lambda_ce=0.5, **options),
    )
    for soft in (True, False):
        for alpha in (None, 0.25, [0.1, 0.2, 0.3, 0.4]):
            ours = t.FocalLoss(1.5, alpha, "softmax" if soft else "sigmoid")
            same(ours, monai.FocalLoss(to_onehot_y=True, gamma=1.5, alpha=alpha, use_softmax=soft))
    outputs = [x, x[:, :, 1:, ::2, :2]]
    got = t.DeepSupervision(t.DiceCELoss())(outputs, y)
    want = monai.DeepSupervisionLoss(monai.DiceCELoss(**options))(outputs, y[:, None].float())
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x, y: t.DiceLoss("relu"), "activation"),
        (lambda x, y: t.DiceLoss(reduction="max"), "reduction"),
        (lambda x, y: t.DiceLoss(weight=[-1, 1])(x, y), "weight"),
        (lambda x, y: t.DiceLoss(weight=[1, 1])(x, y), "2 weights for 4"),
        (lambda x, y: t.DiceLoss()(x, y[:, :2]), "target's shape"),
        (lambda x, y: t.DiceLoss()(x, y + 1), "1 … 4"),
        (lambda x, y: t.DiceLoss()(x, y + 0.5), "whole"),
        (lambda x, y: t.DiceLoss()(x[:, :1], y), "sigmoid"),
        (lambda x, y: t.DiceCELoss(lambda_ce=-1), "lambda_ce"),
        (lambda x, y: t.FocalLoss(alpha=2), "alpha"),
        (lambda x, y: t.FocalLoss(-1), "gamma"),
        (lambda x, y: t.FocalLoss(alpha=[1, 1])(x, y), "alpha"),
        (lambda x, y: t.FocalLoss(alpha=0.3, include_background=False)(x, y), "alpha"),
        (lambda x, y: t.WeightedCrossEntropy("mean"), "median"),
        (lambda x, y: t.WeightedCrossEntropy([1, 1])(x, y), "2 weights"),
        (lambda x, y: t.WeightedCrossEntropy()(x, y - 1), "labels"),
        (lambda x, y: t.median_frequency_weights(y, 2), "labels"),
        (lambda x, y: t.median_frequency_weights([], 2), "no voxel"),
        (lambda x, y: t.DeepSupervision(t.DiceLoss(), [0]), "weights"),
        (lambda x, y: t.DeepSupervision(t.DiceLoss(), [1, 1])([x], y), "2 weights"),
        (lambda x, y: t.DeepSupervision(t.DiceLoss())([], y), "no output"),
    ],
)
def test_errors(case, call, says):
    with pytest.raises(mt.Error, match=says):
        call(*case)
