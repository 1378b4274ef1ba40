"""Losses of segmentation and classification as torch modules; mt.torch hands them out. Importing this imports torch.

Outputs of a network are [B, C, …] without an activation (logits). Targets are label maps of whole numbers, [B, …] or [B, 1, …], or
one-hot (or, of a floating dtype, soft) [B, C, …].
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from .errors import InvalidError

__all__ = [
    "DeepSupervision",
    "DiceCELoss",
    "DiceLoss",
    "FocalLoss",
    "WeightedCrossEntropy",
    "median_frequency_weights",
]


def _what(value):
    return f"one of {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__


def _label_map(output, target):
    """The target as [B, …] int64, or None where it is one-hot."""
    if not isinstance(target, Tensor) or not target.numel():
        raise InvalidError(f"the target must be a tensor that is not empty, not {_what(target)}")
    if target.shape == output.shape and (target.is_floating_point() or output.shape[1] > 1):
        return None
    if target.dim() == output.dim() and target.shape[1] == 1:
        target = target[:, 0]
    if target.shape != output.shape[:1] + output.shape[2:]:
        raise InvalidError(
            f"the target's shape {tuple(target.shape)} does not fit outputs of {tuple(output.shape)}: [B, …] or [B, 1, …] of "
            "whole numbers, or one-hot [B, C, …]"
        )
    if target.is_floating_point() and bool((target != target.round()).any()):
        raise InvalidError(f"a label map of {target.dtype} holds values that are no whole numbers")
    return target.long()


def _one_hot(output, target):
    """The target as [B, C, …] of the output's dtype. One channel: the target itself is its mask."""
    classes = output.shape[1]
    label = _label_map(output, target)
    if label is None:
        return target.to(output.dtype)
    if classes == 1:
        return (label > 0).to(output.dtype).unsqueeze(1)
    low, high = int(label.min()), int(label.max())
    if low < 0 or high >= classes:
        raise InvalidError(f"the target's labels are {low} … {high}, but the network has {classes} classes")
    return torch.zeros_like(output).scatter_(1, label.unsqueeze(1), 1)


def _activated(output, activation):
    if activation == "softmax":
        return torch.softmax(output, 1)
    return torch.sigmoid(output) if activation == "sigmoid" else output


def _check_activation(activation):
    if activation not in ("softmax", "sigmoid", None):
        raise InvalidError(f"activation {activation!r} is not 'softmax', 'sigmoid' or None")
    return activation


def _check_output(output, activation, include_background):
    if not isinstance(output, Tensor) or output.dim() < 2:
        raise InvalidError(f"outputs must be a tensor [B, C, …], not {_what(output)}")
    if output.shape[1] == 1 and (activation == "softmax" or not include_background):
        raise InvalidError(
            "outputs of one channel have no softmax and no background; use activation='sigmoid'"
        )


def _reduce(value, reduction):
    if reduction == "none":
        return value
    return value.sum() if reduction == "sum" else value.mean()


def _check_reduction(reduction):
    if reduction not in ("mean", "sum", "none"):
        raise InvalidError(f"reduction {reduction!r} is not 'mean', 'sum' or 'none'")
    return reduction


def _weights(weight):
    if weight is None:
        return None
    w = torch.as_tensor(weight, dtype=torch.float32)
    if w.dim() != 1 or bool((w < 0).any()) or not bool(torch.isfinite(w).all()):
        raise InvalidError("weight must be one number of at least 0 per class")
    return w


class DiceLoss(nn.Module):
    """Smooth Dice loss 1 − (2 I + smooth) / (D + smooth), I = Σ p·t, D = Σ p + Σ t over space; mean over batch and classes.

    activation: "softmax" (default), "sigmoid", or None where outputs are probabilities. include_background=False leaves class 0 out.
    batch=True sums I and D over the batch too. weight: per class of the loss (without the background, where that is left out).
    reduction: "mean", "sum", "none" ([B, C], or [C] with batch=True). Equals MONAI's DiceLoss(softmax=True, to_onehot_y=True) with
    smooth_nr = smooth_dr = 1e-5. Source: Milletari et al. 2016. Errors: ValueError (shapes, labels outside the classes).
    """

    def __init__(
        self,
        activation: str | None = "softmax",
        include_background: bool = True,
        batch: bool = False,
        smooth: float = 1e-5,
        weight: Sequence[float] | Tensor | None = None,
        reduction: str = "mean",
    ):
        super().__init__()
        self.activation, self.reduction = _check_activation(activation), _check_reduction(reduction)
        self.include_background, self.batch, self.smooth = include_background, batch, float(smooth)
        self.register_buffer("weight", _weights(weight))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output: [B, C, …]; target: as the module's docstring says. A scalar, or by `reduction`."""
        _check_output(output, self.activation, self.include_background)
        t = _one_hot(output, target)
        p = _activated(output, self.activation)
        if not self.include_background:
            p, t = p[:, 1:], t[:, 1:]
        axes = ([0] if self.batch else []) + list(range(2, p.dim()))
        both, total = (p * t, p + t) if not axes else ((p * t).sum(axes), (p + t).sum(axes))
        loss = 1 - (2 * both + self.smooth) / (total + self.smooth)
        if self.weight is not None:
            if len(self.weight) != p.shape[1]:
                raise InvalidError(f"{len(self.weight)} weights for {p.shape[1]} classes")
            loss = loss * self.weight.to(loss)
        return _reduce(loss, self.reduction)


class DiceCELoss(nn.Module):
    """lambda_dice · DiceLoss + lambda_ce · cross entropy (the mean over voxels), on softmax.

    ce_weight: weights of the classes in the cross entropy; the other arguments are DiceLoss's. Equals MONAI's
    DiceCELoss(softmax=True, to_onehot_y=True). Source: Isensee et al. 2021 (nnU-Net). Errors: as DiceLoss.
    """

    def __init__(
        self,
        include_background: bool = True,
        batch: bool = False,
        smooth: float = 1e-5,
        weight: Sequence[float] | Tensor | None = None,
        ce_weight: Sequence[float] | Tensor | None = None,
        lambda_dice: float = 1.0,
        lambda_ce: float = 1.0,
    ):
        super().__init__()
        if lambda_dice < 0 or lambda_ce < 0:
            raise InvalidError("lambda_dice and lambda_ce must be at least 0")
        self.dice = DiceLoss("softmax", include_background, batch, smooth, weight)
        self.ce = WeightedCrossEntropy(ce_weight)
        self.lambda_dice, self.lambda_ce = float(lambda_dice), float(lambda_ce)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output: [B, C, …] logits; target: as the module's docstring says. A scalar."""
        return self.lambda_dice * self.dice(output, target) + self.lambda_ce * self.ce(output, target)


class FocalLoss(nn.Module):
    """Focal loss −α (1 − p)^γ log p of the true class (softmax), or of each channel by itself (sigmoid); mean over all elements.

    gamma: γ, 0 is cross entropy. alpha: weight of the classes other than the background (which gets 1 − α), a list with one per class,
    or None. The mean is over B · C · voxels, as MONAI's FocalLoss(use_softmax=…, to_onehot_y=True). Source: Lin et al. 2017.
    Errors: as DiceLoss.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | Sequence[float] | None = None,
        activation: str = "softmax",
        include_background: bool = True,
        reduction: str = "mean",
    ):
        super().__init__()
        if activation not in ("softmax", "sigmoid"):
            raise InvalidError(f"activation {activation!r} is not 'softmax' or 'sigmoid'")
        if gamma < 0:
            raise InvalidError(f"gamma {gamma} is below 0")
        self.gamma, self.activation, self.reduction = float(gamma), activation, _check_reduction(reduction)
        self.include_background = include_background
        self.alpha = alpha if alpha is None or isinstance(alpha, (int, float)) else _weights(alpha)
        if isinstance(self.alpha, (int, float)) and not 0 <= self.alpha <= 1:
            raise InvalidError(f"alpha {alpha} does not lie in 0 … 1")

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output: [B, C, …] logits; target: as the module's docstring says. A scalar, or by `reduction`."""
        _check_output(output, self.activation, self.include_background)
        t = _one_hot(output, target)
        if not self.include_background:
            output, t = output[:, 1:], t[:, 1:]
        if self.activation == "softmax":
            log_p = torch.log_softmax(output, 1)
            loss = -((1 - log_p.exp()) ** self.gamma) * log_p * t
            factor = self._softmax_alpha(output)
        else:
            ce = functional.binary_cross_entropy_with_logits(output, t, reduction="none")
            away = functional.logsigmoid(-output * (2 * t - 1))  # log of 1 − p of what is true
            loss = (self.gamma * away).exp() * ce
            factor = self._sigmoid_alpha(output, t)
        return _reduce(loss if factor is None else factor * loss, self.reduction)

    def _column(self, values, output):
        a = torch.as_tensor(values, dtype=output.dtype, device=output.device)
        if len(a) != output.shape[1]:
            raise InvalidError(f"alpha has {len(a)} numbers for {output.shape[1]} classes")
        return a.view(-1, *(1,) * (output.dim() - 2))

    def _softmax_alpha(self, output):
        if self.alpha is None:
            return None
        if isinstance(self.alpha, Tensor):
            return self._column(self.alpha, output)
        if not self.include_background:
            raise InvalidError("without the background alpha must be a list: one number weighs against it")
        return self._column([1 - self.alpha] + [self.alpha] * (output.shape[1] - 1), output)

    def _sigmoid_alpha(self, output, t):
        if self.alpha is None:
            return None
        if isinstance(self.alpha, Tensor):
            return torch.where(t == 1, self._column(self.alpha, output), torch.ones_like(t))
        return t * self.alpha + (1 - t) * (1 - self.alpha)


def median_frequency_weights(labels: Any, classes: int) -> Tensor:
    """Weights median(f) / f_c that balance classes: float32 [classes].

    labels: a label map, or an iterable of them (a data set). f_c: voxels of class c divided by all voxels of the maps that have c at
    all; the median is over the classes that occur, and those that do not get 0. Source: Eigen and Fergus 2015, section 6.3.2.
    Errors: ValueError (labels outside 0 … classes − 1).
    """
    maps = [labels] if hasattr(labels, "shape") else labels if isinstance(labels, Iterable) else None
    if maps is None or classes < 1:
        raise InvalidError("labels must be a label map or an iterable of them, and classes at least 1")
    count = torch.zeros(classes, dtype=torch.float64)
    total = torch.zeros(classes, dtype=torch.float64)
    for one in maps:
        flat = torch.as_tensor(one).reshape(-1).long()
        if not len(flat):
            continue
        if int(flat.min()) < 0 or int(flat.max()) >= classes:
            raise InvalidError(
                f"the labels are {int(flat.min())} … {int(flat.max())}, but {classes} classes have 0 … {classes - 1}"
            )
        n = torch.bincount(flat, minlength=classes).double().cpu()
        count += n
        total += len(flat) * (n > 0)
    there = count > 0
    if not bool(there.any()):
        raise InvalidError("there is no voxel in labels")
    frequency = count[there] / total[there]
    weights = torch.zeros(classes, dtype=torch.float64)
    weights[there] = torch.quantile(frequency, 0.5) / frequency
    return weights.float()


class WeightedCrossEntropy(nn.Module):
    """Cross entropy on softmax with class weights: Σ w·ce / Σ w over voxels, torch's convention.

    weight: one number per class; "median": median_frequency_weights of each batch anew; None: all 1, the plain mean. Targets may be
    one-hot or soft ([B, C, …] floating; then the mean is over voxels, as torch's). Errors: as DiceLoss.
    """

    def __init__(self, weight: Sequence[float] | Tensor | str | None = None):
        super().__init__()
        if isinstance(weight, str) and weight != "median":
            raise InvalidError(f"weight {weight!r} is not 'median', a list of numbers or None")
        self.median = isinstance(weight, str)
        self.register_buffer("weight", None if self.median else _weights(weight))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """output: [B, C, …] logits; target: as the module's docstring says. A scalar."""
        label = _label_map(output, target)
        classes = output.shape[1]
        if label is not None and (int(label.min()) < 0 or int(label.max()) >= classes):
            raise InvalidError(
                f"the target's labels are {int(label.min())} … {int(label.max())}, but the network has {classes} classes"
            )
        weight = self.weight
        if self.median:
            weight = median_frequency_weights(label if label is not None else target.argmax(1), classes)
        if weight is not None and len(weight) != classes:
            raise InvalidError(f"{len(weight)} weights for {classes} classes")
        truth = target.to(output.dtype) if label is None else label
        return functional.cross_entropy(
            output, truth, weight=weight.to(output) if weight is not None else None
        )


class DeepSupervision(nn.Module):
    """Σ wᵢ · loss(outputᵢ, targetᵢ) over the outputs of a deeply supervised network, finest first; wᵢ = 1/2^i unless given.

    The target is brought to each output's size by the nearest voxel (half-pixel centres: floor((i + ½) · in / out)). weights: one number
    per output, outputs beyond them are left out; normalize=True divides them by their sum, as nnU-Net does. A single tensor is
    loss(output, target). Source: Lee et al. 2015; MONAI's DeepSupervisionLoss and nnU-Net. Errors: ValueError.
    """

    def __init__(self, loss: nn.Module, weights: Sequence[float] | None = None, normalize: bool = False):
        super().__init__()
        if weights is not None and (not len(weights) or min(weights) < 0 or not sum(weights) > 0):
            raise InvalidError("weights must be numbers of at least 0 that are not all 0")
        self.loss, self.normalize = loss, normalize
        self.weights = None if weights is None else [float(w) for w in weights]

    def forward(self, outputs: Tensor | Sequence[Tensor], target: Tensor) -> Tensor:
        """outputs: [B, C, …], or a list of them, the finest first; target: at the size of the finest. A scalar."""
        if isinstance(outputs, Tensor):
            return self.loss(outputs, target)
        if not len(outputs):
            raise InvalidError("there is no output")
        weights = self.weights or [0.5**i for i in range(len(outputs))]
        if len(weights) > len(outputs):
            raise InvalidError(f"{len(weights)} weights for {len(outputs)} outputs")
        if self.normalize:
            weights = [w / sum(weights) for w in weights]
        parts = [
            w * self.loss(o, _nearest(target, o.shape[2:]))
            for w, o in zip(weights, outputs, strict=False)
            if w
        ]
        return sum(parts[1:], parts[0])


def _nearest(target, size):
    first = target.dim() - len(size)
    for axis, n in enumerate(size, first):
        m = target.shape[axis]
        if m != n:
            at = ((torch.arange(n, device=target.device) * 2 + 1) * m) // (2 * n)
            target = target.index_select(axis, at)
    return target
