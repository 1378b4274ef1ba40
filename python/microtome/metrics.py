"""Measures of a result against the truth: of label maps, of images, of classifiers. NumPy inside; torch tensors are taken as they are.

>>> dice(pred, label, classes=4, include_background=False)      # one number per label
>>> hausdorff95(pred == 1, label == 1, spacing=(1, 0.9, 0.9))   # mm
>>> psnr(result, truth), ssim(result, truth)
Label maps are whole numbers (or booleans) of any shape, spacing is in mm and array order; nothing here imports torch.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import InvalidError, LimitError

if TYPE_CHECKING:
    from numpy import ndarray

__all__ = [
    "accuracy",
    "confusion",
    "dice",
    "hausdorff95",
    "mae",
    "nanmean",
    "psnr",
    "rmse",
    "roc_auc",
    "ssim",
]


_MOST_CLASSES = 16384  # of a confusion matrix: 2 GiB


def _array(value, name):
    import numpy as np

    if hasattr(value, "detach"):  # a torch tensor, perhaps with a gradient, perhaps on another device
        value = value.detach().cpu()
    a = np.asarray(value)
    if a.dtype.kind not in "biuf":
        raise InvalidError(f"{name} holds {a.dtype}; numbers are needed")
    return a


def _pair(pred, other, name):
    a, b = _array(pred, "pred"), _array(other, name)
    if a.shape != b.shape:
        raise InvalidError(f"pred has the shape {a.shape}, {name} {b.shape}; they must be equal")
    if not a.size:
        raise InvalidError("pred is empty")
    return a, b


def _maps(pred, label):
    import numpy as np

    a, b = _pair(pred, label, "label")
    for x, name in ((a, "pred"), (b, "label")):
        if x.dtype.kind == "f":
            raise InvalidError(f"{name} is {x.dtype}; a label map has whole numbers (take the argmax first)")
        if x.dtype == np.uint64 and x.max() > np.iinfo(np.int64).max:
            raise LimitError(f"{name} has a label above 2^63 - 1")
    return tuple(x.astype(np.int64) if x.dtype == np.uint64 else x for x in (a, b))


def _classes(classes, pred, label, include_background=True):
    import numpy as np

    if classes is None:
        found = np.union1d(pred, label).astype(np.int64)
    elif isinstance(classes, (int, np.integer)) and not isinstance(classes, bool):
        if classes < 1:
            raise InvalidError(f"classes is {classes}; at least one is needed")
        found = np.arange(classes)
    else:
        found = np.asarray(classes)
        if found.ndim != 1 or not found.size or found.dtype.kind not in "iu":
            raise InvalidError(f"classes must be a number of classes or a list of labels, not {classes!r}")
    return found if include_background else found[found != 0]


def dice(
    pred: Any, label: Any, classes: int | Sequence[int] | None = None, include_background: bool = True
) -> ndarray:
    """Dice's coefficient 2 |P ∩ L| / (|P| + |L|) of each label: float64 [labels], 1 for equal sets.

    pred, label: label maps of one shape. classes: how many (then the labels 0 … n − 1), or a list of labels; default: all that
    occur. include_background=False leaves label 0 out. A label that is in neither is NaN: mean with `nanmean`.
    Equals MONAI's compute_dice. Source: Dice 1945. Errors: ValueError (shapes, labels that are no whole numbers).
    """
    import numpy as np

    a, b = _maps(pred, label)
    out = []
    for c in _classes(classes, a, b, include_background):
        p, q = a == c, b == c
        total = np.count_nonzero(p) + np.count_nonzero(q)
        out.append(2 * np.count_nonzero(p & q) / total if total else np.nan)
    return np.array(out, dtype=np.float64)


def nanmean(values: Any) -> float:
    """The mean of the values that are not NaN; NaN, without a warning, where none is left."""
    import numpy as np

    a = np.asarray(values, dtype=np.float64)
    a = a[~np.isnan(a)]
    return float(a.mean()) if a.size else float("nan")


# ---- surfaces ---------------------------------------------------------------------------------------------


def hausdorff95(
    pred: Any,
    label: Any,
    spacing: float | Sequence[float] | None = None,
    classes: int | Sequence[int] | None = None,
    percentile: float = 95.0,
) -> float | ndarray:
    """The 95th percentile of the distances between two surfaces, in the unit of `spacing` (default: voxels).

    pred, label: [Z, Y, X] or [Y, X]; without `classes` what is not 0 is the object and the answer is a number; with it (as in
    `dice`) an array with one number per label. Surface: the object's voxels that have a face neighbour outside it; what lies
    outside the volume counts as outside the object. Distances are exact Euclidean; the percentile (NumPy's "linear") is taken
    in both directions, and the larger one is the answer: as MONAI's compute_hausdorff_distance(percentile=95).
    NaN where both objects are empty, infinite where one is. Errors: ValueError.
    """
    import numpy as np

    a, b = _maps(pred, label)
    if a.ndim not in (2, 3):
        raise InvalidError(f"pred has the shape {a.shape}; [Z, Y, X] or [Y, X] is needed")
    step = _spacing(spacing, a.ndim)
    if not 0 <= percentile <= 100:
        raise InvalidError(f"percentile {percentile} does not lie in 0 … 100")
    if classes is None:
        return _hausdorff(a != 0, b != 0, step, percentile)
    return np.array([_hausdorff(a == c, b == c, step, percentile) for c in _classes(classes, a, b)])


def _spacing(spacing, ndim):
    import numpy as np

    s = np.asarray(1.0 if spacing is None else spacing, dtype=np.float64)
    if s.ndim == 0:
        s = np.full(ndim, float(s))
    if s.shape != (ndim,) or not (s > 0).all() or not np.isfinite(s).all():
        raise InvalidError(f"spacing must be one positive number or {ndim} (array order), not {spacing!r}")
    return s


def _hausdorff(p, q, spacing, percentile):
    import numpy as np

    if not p.any() or not q.any():
        return float("nan") if p.any() == q.any() else float("inf")
    both = p | q
    box = []
    for axis in range(p.ndim):  # nothing outside the common box can matter
        at = np.flatnonzero(both.any(axis=tuple(i for i in range(p.ndim) if i != axis)))
        box.append(slice(at[0], at[-1] + 1))
    s, t = _surface(p[tuple(box)]), _surface(q[tuple(box)])
    there = np.percentile(_distance(t, spacing)[s], percentile)
    back = np.percentile(_distance(s, spacing)[t], percentile)
    return float(max(there, back))


def _surface(mask):
    """The voxels of a mask that have a face neighbour outside it."""
    import numpy as np

    padded = np.pad(mask, 1)
    inside = mask.copy()
    for axis in range(mask.ndim):
        for at in (slice(None, -2), slice(2, None)):
            cut = tuple(at if i == axis else slice(1, -1) for i in range(mask.ndim))
            inside &= padded[cut]
    return mask & ~inside


def _distance(points, spacing):
    """The distance of each voxel to the nearest true one, float32."""
    from . import ops

    return ops.distance_transform((~points).view("uint8"), sampling=tuple(spacing))


# ---- images -----------------------------------------------------------------------------------------------


def rmse(pred: Any, target: Any) -> float:
    """Root of the mean squared difference, in the images' unit; computed in float64. Errors: ValueError (shapes)."""
    import numpy as np

    a, b = _pair(pred, target, "target")
    return float(np.sqrt(np.mean(np.square(a.astype(np.float64) - b))))


def mae(pred: Any, target: Any) -> float:
    """Mean absolute difference, in the images' unit; computed in float64. Errors: ValueError (shapes)."""
    import numpy as np

    a, b = _pair(pred, target, "target")
    return float(np.mean(np.abs(a.astype(np.float64) - b)))


def _data_range(data_range, target):
    if data_range is None:
        data_range = float(target.max()) - float(target.min())
    if not data_range > 0:
        raise InvalidError(f"data_range is {data_range}; it must be above 0 (a constant target has none)")
    return float(data_range)


def psnr(pred: Any, target: Any, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio 20 log10(data_range / rmse) in dB; infinite for equal images.

    data_range: of the signal; default: target's maximum − minimum. Equals scikit-image's peak_signal_noise_ratio with the same range.
    Errors: ValueError.
    """
    import math

    _, b = _pair(pred, target, "target")
    size, error = _data_range(data_range, b), rmse(pred, target)
    return 20 * math.log10(size / error) if error else math.inf


def ssim(pred: Any, target: Any, data_range: float | None = None, spatial: int | None = None) -> float:
    """Mean structural similarity, 1 for equal images; −1 … 1.

    Gaussian window of 11 voxels per axis, σ 1.5, K1 = 0.01, K2 = 0.03, population statistics, mean over the positions where the
    window fits: Wang et al. 2004, as scikit-image's structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False) and MONAI's SSIMMetric. data_range: default: target's maximum − minimum. spatial: how many
    trailing axes the window moves over (2 or 3), the others are averaged; default: all, at most 3.
    Errors: ValueError (an axis shorter than 11 voxels, shapes).
    """
    import numpy as np

    a, b = _pair(pred, target, "target")
    n = min(a.ndim, 3) if spatial is None else spatial
    if n not in (1, 2, 3) or n > a.ndim:
        raise InvalidError(f"spatial is {spatial}; it must be 1 to {min(a.ndim, 3)}")
    if min(a.shape[-n:]) < 11:
        raise InvalidError(f"the window has 11 voxels per axis, the images only {a.shape[-n:]}")
    size = _data_range(data_range, b)
    c1, c2 = (0.01 * size) ** 2, (0.03 * size) ** 2
    a, b = a.astype(np.float64), b.astype(np.float64)
    ma, mb = _window_mean(a, n), _window_mean(b, n)
    va, vb = _window_mean(a * a, n) - ma * ma, _window_mean(b * b, n) - mb * mb
    cov = _window_mean(a * b, n) - ma * mb
    return float(np.mean((2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))))


def _window_mean(a, spatial):
    import numpy as np

    w = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    w /= w.sum()
    for axis in range(a.ndim - spatial, a.ndim):
        m = a.shape[axis] - 10
        front = (slice(None),) * axis
        a = sum(w[i] * a[(*front, slice(i, i + m))] for i in range(11))
    return a


# ---- classifiers ------------------------------------------------------------------------------------------


def confusion(pred: Any, label: Any, classes: int | None = None) -> ndarray:
    """Counts [classes, classes], int64: row = the label, column = what was predicted (scikit-learn's confusion_matrix).

    pred, label: class numbers 0 … classes − 1 of one shape; classes: default: the largest + 1. Errors: ValueError.
    """
    import numpy as np

    a, b = (x.astype(np.int64).ravel() for x in _maps(pred, label))
    if classes is not None and (not isinstance(classes, (int, np.integer)) or classes < 1):
        raise InvalidError(f"classes is {classes!r}; a whole number of at least 1 is needed")
    n = int(max(a.max(), b.max())) + 1 if classes is None else int(classes)
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    if low < 0 or high >= n:
        raise InvalidError(f"the labels are {low} … {high}, but {n} classes have 0 … {n - 1}")
    if n > _MOST_CLASSES:
        raise LimitError(f"{n} classes make a table of {n} × {n} numbers; {_MOST_CLASSES} are possible")
    return np.bincount(b * n + a, minlength=n * n).reshape(n, n)


def accuracy(pred: Any, label: Any) -> float:
    """The share of equal values of two arrays of one shape. Errors: ValueError."""
    import numpy as np

    a, b = _maps(pred, label)
    return float(np.mean(a == b))


def roc_auc(scores: Any, label: Any) -> float:
    """Area under the receiver operating characteristic: the chance that a random positive scores above a random negative, ties ½.

    scores: [N] numbers; label: [N] 0 or 1. NaN where one of the two is absent. Equals scikit-learn's roc_auc_score. Source: Hanley and
    McNeil 1982 (the Mann–Whitney statistic over ranks). Errors: ValueError (other labels, NaN among the scores).
    """
    import numpy as np

    s, y = (x.ravel() for x in _pair(scores, label, "label"))
    if not np.isin(y, (0, 1)).all():
        raise InvalidError("label holds other values than 0 and 1")
    if np.isnan(s.astype(np.float64)).any():
        raise InvalidError("scores holds NaN")
    _, index, counts = np.unique(s, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[index.ravel()]  # mean rank of each run of ties, from 1
    positive = y == 1
    n, m = int(positive.sum()), int(len(y) - positive.sum())
    if not n or not m:
        return float("nan")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))
