"""Why a network says what it says: occlusion sensitivity, and overlays of such maps on the image.

>>> occlusion = mt.explain.OcclusionSensitivity(network, mask_size=12, stride=12, n_batch=10)
>>> heat, best = occlusion(x, b_box=[-1, -1, 48, 48, -1, -1, -1, -1])     # [1, C, 1, Y, X, classes], class numbers
>>> mt.explain.overlay("t1.nii.gz", heat[..., 1], "heat.png", slice=48)
Any torch module or function; gradient-based maps are Captum's (doc/explaining.md). Nothing here imports torch.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InvalidError, system_errors
from .infer import Aggregator, _bar, _extents, _Network, positions

__all__ = ["OcclusionSensitivity", "overlay"]

MODES = ("gaussian", "mean_patch", "mean_img")


class OcclusionSensitivity:
    """How a classifier's output changes when a part of the image is covered: one forward pass for each place of the cover.

    Two forms, as MONAI had and has them; both take x [1, C, …] (NumPy or torch, two or three axes of space, or one) and give a map and
    the class of its highest value, of the kind that x is.

    With stride=: *centres*. The cover's centre visits every stride-th voxel, in each channel by itself. Arguments mask_size=15,
    n_batch=128, stride, pad_val=None (the image's mean), upsampler=None (linear, aligned corners; else a function on [1, C, …] of one
    class). Stride and mask must both be odd or both be even on each axis, and each extent above 1 a multiple of the stride. The cover is
    centre + (stride − mask) // 2 … centre + (stride + mask) // 2, clipped to the image. b_box: [c0, c1, z0, z1, y0, y1, x0, x1], ends
    inclusive, −1: all. Gives the network's raw outputs, (map [1, C, …, classes], class [1, C, …]) on the box. Equals
    MONAI's class of versions 0.3 to 1.0.

    Without stride=: *overlap*. Windows of mask_size=16 that overlap by overlap=0.6 are covered one after the other, all channels at once,
    and their outputs blended. mode: "gaussian" (times 1 − a gaussian bell, blended with gaussian weights), "mean_img" (the image's mean), a
    number, a function (x, patch [1, C, …]) → patch, or "mean_patch", which multiplies the patch by its mean: so MONAI computes it,
    against its own documentation; mode=lambda x, patch: patch.mean() gives the mean itself. activate: True (sigmoid where the *input* has
    one channel, else softmax), False, or a function. b_box: [z0, z1, y0, y1, x0, x1], ends exclusive, −1: all. n_batch=16. Gives (map
    [1, classes, …], class [1, 1, …]). Equals MONAI 1.6's class.

    nn_module: a torch module (eval mode meanwhile) or a function; device: where the batches go; threads: for torch meanwhile; verbose: a
    progress bar. At most n_batch covered copies exist at a time. Source: Zeiler and Fergus 2014. Errors: ValueError.
    """

    def __init__(
        self,
        nn_module: Callable[..., Any],
        mask_size: int | Sequence[int] | None = None,
        n_batch: int | None = None,
        verbose: bool = False,
        mode: str | float | Callable[[Any, Any], Any] = "gaussian",
        overlap: float | Sequence[float] = 0.6,
        activate: bool | Callable[[Any], Any] = True,
        *,
        stride: int | Sequence[int] | None = None,
        pad_val: float | None = None,
        upsampler: Callable[[Any], Any] | None = None,
        device: Any = None,
        threads: int | None = None,
    ):
        centres = stride is not None
        if not centres and (pad_val is not None or upsampler is not None):
            raise InvalidError("pad_val and upsampler belong to the form with stride=")
        if not callable(mode) and not isinstance(mode, (int, float)) and mode not in MODES:
            raise InvalidError(f"mode {mode!r} is not {', '.join(MODES)}, a number or a function")
        self.nn_module, self.stride, self.pad_val, self.upsampler = nn_module, stride, pad_val, upsampler
        self.mask_size = mask_size if mask_size is not None else 15 if centres else 16
        self.n_batch = n_batch if n_batch is not None else 128 if centres else 16
        self.verbose, self.mode, self.overlap, self.activate = verbose, mode, overlap, activate
        self.device, self.threads = device, threads
        if not isinstance(self.n_batch, int) or self.n_batch < 1:
            raise InvalidError(f"n_batch is {self.n_batch!r}; it must be at least 1")
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise InvalidError(f"threads is {threads!r}; it must be at least 1")

    def __call__(self, x: Any, b_box: Sequence[int] | None = None, **kwargs: Any) -> tuple[Any, Any]:
        """x: [1, C, …]; b_box: the part to look at, by the form's own convention; kwargs go to the network."""
        import numpy as np

        as_torch = hasattr(x, "detach")
        a = np.asarray(x.detach().cpu() if as_torch else x)
        if a.ndim not in (3, 4, 5) or a.shape[0] != 1 or not a.size:
            raise InvalidError(
                f"x has the shape {a.shape}; one image [1, C, …] with one to three axes of space is needed"
            )
        if a.dtype.kind != "f":
            a = a.astype(np.float32)
        form = self._overlap if self.stride is None else self._centres
        with _torch_threads(self.threads):
            result = form(a, b_box, as_torch, kwargs)
        if not as_torch:
            return result
        import torch

        return tuple(torch.from_numpy(np.ascontiguousarray(r)).to(x.device) for r in result)

    def _scores(self, network, a, places, cover):
        """The network's outputs [len(places), classes]; cover(image, place) covers a part of one copy [C, …] in place."""
        import numpy as np

        out = []
        copies = np.empty((min(self.n_batch, len(places)), *a.shape[1:]), a.dtype)
        with network, _bar(self.verbose, len(places)) as bar:
            for first in range(0, len(places), self.n_batch):
                chosen = places[first : first + self.n_batch]
                batch = copies[: len(chosen)]
                batch[:] = a  # afresh: a network may write into its input
                for place, image in zip(chosen, batch, strict=True):
                    cover(image, place)
                scores = network(batch)
                if scores.ndim != 2 or len(scores) != len(chosen):
                    raise InvalidError(
                        f"the network gave the shape {scores.shape}; ({len(chosen)}, classes) is needed"
                    )
                out.append(np.array(scores, dtype=np.float32))
                if bar is not None:
                    bar.update(len(chosen))
        return np.concatenate(out)

    # ---- centres --------------------------------------------------------------------------------------

    def _centres(self, a, b_box, as_torch, kwargs):
        import numpy as np

        dims = a.ndim - 2
        mask = np.array((1, *_extents(self.mask_size, dims, "mask_size")))
        stride = np.array((1, *_extents(self.stride, dims, "stride")))
        low, high = _inclusive_box(b_box, a.shape[1:])
        size = high - low + 1
        if (mask < 1).any() or (stride < 1).any():
            raise InvalidError("mask_size and stride must be at least 1")
        if (mask % 2 != stride % 2).any():
            raise InvalidError(
                f"stride {stride[1:].tolist()} and mask_size {mask[1:].tolist()} must both be odd or both be even on each axis"
            )
        if ((size > 1) & (size % stride != 0)).any():
            raise InvalidError(
                f"the extents {size[1:].tolist()} are no multiples of the stride {stride[1:].tolist()}"
            )
        grid = np.maximum(size // stride, 1)
        value = a.mean() if self.pad_val is None else self.pad_val

        def cover(image, place):
            at = low + np.array(np.unravel_index(place, grid)) * stride
            begin = np.maximum(at + (stride - mask) // 2, 0)
            end = np.minimum(at + (stride + mask) // 2, a.shape[1:])
            image[tuple(map(slice, begin, end))] = value

        network = _Network(self.nn_module, self.device, as_torch, kwargs)
        scores = self._scores(network, a, range(int(grid.prod())), cover)
        coarse = scores.T.reshape(-1, 1, *grid)  # [classes, 1, C, …]
        maps = np.stack([self._upsampled(one, tuple(size), as_torch) for one in coarse], axis=-1)
        return maps, maps.argmax(-1)

    def _upsampled(self, coarse, size, as_torch):
        import numpy as np

        if coarse.shape[1:] == size:
            return coarse
        if self.upsampler is None:
            return _linear(coarse, size)
        if as_torch:
            import torch

            return self.upsampler(torch.from_numpy(np.ascontiguousarray(coarse))).cpu().numpy()
        return np.asarray(self.upsampler(coarse))

    # ---- overlap --------------------------------------------------------------------------------------

    def _overlap(self, a, b_box, as_torch, kwargs):
        space = a.shape[2:]
        dims = len(space)
        mask = _extents(self.mask_size, dims, "mask_size")
        low, high, mask = _exclusive_box(b_box, space, mask)
        region = tuple(h - b for b, h in zip(low, high, strict=True))
        if min(mask) < 1 or any(m > n for m, n in zip(mask, region, strict=True)):
            raise InvalidError(f"mask_size {mask} must be at least 1 and fit into the image, {region}")
        overlap = _extents(self.overlap, dims, "overlap", float)
        lift = (1,) * (2 - dims)  # one axis of space: a plane of one row
        starts = positions(lift + region, lift + mask, (0.0,) * (2 - dims) + overlap)
        hide = self._covering(a, mask, as_torch)

        def cover(image, start):
            first = [s + b for s, b in zip(start[len(lift) :], low, strict=True)]
            hide(image, (slice(None), *(slice(c, c + m) for c, m in zip(first, mask, strict=True))))

        network = _Network(self.nn_module, self.device, as_torch, kwargs, self._activation())
        scores = self._scores(network, a, starts, cover)
        if self.activate is True:
            scores = _sigmoid(scores) if a.shape[1] == 1 else _softmax(scores)
        weights = "gaussian" if self.mode == "gaussian" else "constant"
        total = Aggregator(lift + region, scores.shape[1], lift + mask, weights)
        for at, one in zip(starts, scores, strict=True):
            total.add(at, one)
        maps = total.result().reshape(1, -1, *region)
        box = [-1] * (2 * dims) if b_box is None else list(b_box)
        begin = [max(b, 0) for b in box[::2]]
        end = [e if e > 0 else n for e, n in zip(box[1::2], space, strict=True)]
        inside = tuple(slice(b - o, e - o) for b, e, o in zip(begin, end, low, strict=True))
        maps = maps[(slice(None), slice(None), *inside)]
        return maps, maps.argmax(1)[:, None]

    def _activation(self):
        return self.activate if callable(self.activate) else None

    def _covering(self, a, mask, as_torch):
        """A function that covers one box of a copy [C, …] in place."""
        mode = self.mode
        if callable(mode):
            return _own_covering(mode, a, as_torch)
        if mode == "gaussian":
            bell = _one_minus_bell(mask).astype(a.dtype)
            return lambda image, box: image.__setitem__(box, image[box] * bell)
        if mode == "mean_patch":
            return lambda image, box: image.__setitem__(box, image[box] * image[box].mean())
        value = a.mean() if mode == "mean_img" else mode
        return lambda image, box: image.__setitem__(box, value)


def _own_covering(function, a, as_torch):
    def cover(image, box):
        patch = image[box][None]
        if as_torch:
            import torch

            new = torch.as_tensor(function(torch.from_numpy(a), torch.from_numpy(patch.copy())))
            patch[...] = new.numpy()
        else:
            patch[...] = function(a, patch)

    return cover


@contextmanager
def _torch_threads(threads):
    torch = sys.modules.get("torch")
    if threads is None or torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _pairs(b_box, axes):
    try:
        values = [v.__index__() for v in b_box]
    except (AttributeError, TypeError):
        raise InvalidError(f"b_box must be whole numbers, not {b_box!r}") from None
    if len(values) != 2 * axes:
        raise InvalidError(f"b_box has {len(values)} numbers; a pair for each of {axes} axes is needed")
    return values


def _inclusive_box(b_box, shape):
    """First and last index of each of the axes [C, …]."""
    import numpy as np

    shape = np.array(shape)
    if b_box is None:
        return np.zeros_like(shape), shape - 1
    values = np.array(_pairs(b_box, len(shape)))
    low, high = np.maximum(values[::2], 0), np.where(values[1::2] < 0, shape - 1, values[1::2])
    if (high >= shape).any() or (low > high).any():
        raise InvalidError(
            f"b_box {values.tolist()} does not lie in the image {shape.tolist()} (ends are inclusive)"
        )
    return low, high


def _exclusive_box(b_box, space, mask):
    """The box of space, grown so that every voxel of it is covered as if there were no box; and the mask that fits into it."""
    if b_box is None:
        return (0,) * len(space), space, mask
    values = _pairs(b_box, len(space))
    low, high = [], []
    for b, e, m, n in zip(values[::2], values[1::2], mask, space, strict=True):
        if e > n or max(b, 0) >= (e if e > 0 else n):
            raise InvalidError(
                f"b_box {values} does not lie in the image {tuple(space)} (ends are exclusive)"
            )
        low.append(max(b - (m - 1) // 2, 0))
        high.append(n if e <= 0 else min(e + (m - 1) // 2, n))
    fitting = tuple(min(m, h - b) for m, b, h in zip(mask, low, high, strict=True))
    return tuple(low), tuple(high), fitting


def _linear(a, size):
    """Linear interpolation of [1, C, …] to [1, *size] with aligned corners: the first and last values keep their places."""
    import numpy as np

    for axis, n in enumerate(size, 1):
        m = a.shape[axis]
        if m == n:
            continue
        at = np.arange(n) * ((m - 1) / (n - 1) if n > 1 else 0.0)
        i = np.minimum(at.astype(int), max(m - 2, 0))
        t = (at - i).reshape(-1, *(1,) * (a.ndim - axis - 1))
        a = a.take(i, axis) * (1 - t) + a.take(np.minimum(i + 1, m - 1), axis) * t
    return a.astype(np.float32)


def _one_minus_bell(mask):
    """1 − a gaussian bell, scaled to 0 … 1: MONAI's. Each axis: voxel m // 2 smoothed by σ = m / 4, each tap the integral of the
    gaussian over its voxel."""
    import numpy as np

    bell = np.ones(())
    for m in mask:
        t = math.sqrt(0.5) / (0.25 * m)
        reach = int(max(m, 0.5) + 0.5)
        axis = [i - m // 2 for i in range(m)]
        taps = [
            0.5 * (math.erf(t * (i + 0.5)) - math.erf(t * (i - 0.5))) if abs(i) <= reach else 0 for i in axis
        ]
        bell = np.multiply.outer(bell, taps)
    spread = bell.max() - bell.min()
    return (bell.max() - bell) / spread if spread else np.zeros_like(bell)


def _sigmoid(a):
    import numpy as np

    return np.exp(-np.logaddexp(0, -a))


def _softmax(a):
    import numpy as np

    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


# ---- overlays ---------------------------------------------------------------------------------------------


def overlay(
    image: Any,
    heat: Any,
    path: str | os.PathLike[str],
    *,
    slice: int | None = None,  # noqa: A002 - the name that the interface fixes
    axis: int = 0,
    like: Any = None,
    low: float | None = None,
    high: float | None = None,
    colors: str = "inferno",
    alpha: float = 0.5,
    label: str = "",
) -> None:
    """Lays a map over its image: .png: one slice, the image beside the image with the map, with a legend; .nii, .nii.gz: the map in the
    image's geometry.

    image: [Z, Y, X] or [Y, X], an mt.Image or a path. heat: of the same shape; leading axes of 1 are dropped, and a map of one slice
    is laid on that slice. slice: which one along `axis`; default: where the map varies most. like: an mt.Image or path whose
    geometry is meant when image is an array. low, high: of the colours, default the map's own. colors: a matplotlib colour map;
    alpha: how much of the image it hides; label: of the legend. Slices of images with a geometry are drawn with their spacing, and
    with rising y upwards. Errors: ValueError (shapes, ending), UnsupportedError (no matplotlib for a PNG).
    """
    import numpy as np

    from . import image as files

    path = os.fspath(path)
    if isinstance(image, (str, os.PathLike)):
        image = files.open(image)
    if isinstance(like, (str, os.PathLike)):
        like = files.open(like)
    like = image if like is None and isinstance(image, files.Image) else like
    pixels, heat = _plain(image), _plain(heat)
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise InvalidError(f"the image has the shape {pixels.shape}; [Z, Y, X] or [Y, X] is needed")
    if path.endswith((".nii", ".nii.gz")):
        heat = _same_shape(heat, pixels.shape)
        nifti = like if like is not None and like.format.startswith(("nifti", "analyze")) else None
        files.write(path, heat.astype(np.float32), affine=None if like is None else like.affine, like=nifti)
        return
    if not path.endswith(".png"):
        raise InvalidError(f"{path} ends neither in .png nor in .nii or .nii.gz")
    if pixels.ndim == 3:
        pixels, heat = _one_slice(pixels, heat, slice, axis)
    else:
        heat = _same_shape(heat, pixels.shape)
    _draw(path, pixels, heat, _aspect(like, axis), like is not None, (low, high), colors, alpha, label)


def _plain(value):
    import numpy as np

    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _same_shape(heat, shape):
    while heat.ndim > len(shape) and heat.shape[0] == 1:
        heat = heat[0]
    if heat.shape != tuple(shape):
        raise InvalidError(f"the map has the shape {heat.shape}, the image {tuple(shape)}")
    return heat


def _one_slice(pixels, heat, index, axis):
    import numpy as np

    if not 0 <= axis < 3:
        raise InvalidError(f"axis is {axis}; it must be 0, 1 or 2")
    plane = pixels.shape[:axis] + pixels.shape[axis + 1 :]
    while heat.ndim > 3 and heat.shape[0] == 1:
        heat = heat[0]
    if heat.ndim == 3 and heat.shape[axis] == 1 != pixels.shape[axis]:
        heat = heat.take(0, axis)
    if heat.ndim == 2:
        if index is None:
            raise InvalidError("the map is of one slice; slice= must say which")
        heat = _same_shape(heat, plane)
    else:
        heat = _same_shape(heat, pixels.shape)
        if index is None:
            index = int(np.argmax(np.nanstd(heat, axis=tuple(i for i in range(3) if i != axis))))
    if not -pixels.shape[axis] <= index < pixels.shape[axis]:
        raise InvalidError(f"slice {index} of {pixels.shape[axis]} along axis {axis}")
    return pixels.take(index, axis), heat if heat.ndim == 2 else heat.take(index, axis)


def _aspect(like, axis):
    """Height of a drawn voxel over its width."""
    if like is None or like.spacing is None:
        return 1.0
    steps = list(like.spacing)[-3:]
    if len(steps) == 3:
        del steps[axis]
    return steps[0] / steps[1]


def _draw(path, pixels, heat, aspect, upwards, limits, colors, alpha, label):
    from .errors import UnsupportedError

    try:
        from matplotlib import colormaps
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UnsupportedError("a PNG overlay is drawn by matplotlib, which is not installed") from None
    if colors not in colormaps:
        raise InvalidError(f"colors {colors!r} is no colour map of matplotlib")
    if not isinstance(alpha, (int, float)) or not 0 <= alpha <= 1:
        raise InvalidError(f"alpha is {alpha!r}; it must lie in 0 … 1")
    figure = Figure(figsize=(9, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    options = {"aspect": aspect, "origin": "lower" if upwards else "upper"}
    for axes in (left, right):
        axes.imshow(pixels, cmap="gray", **options)
        axes.set_axis_off()
    shown = right.imshow(heat, cmap=colors, alpha=alpha, vmin=limits[0], vmax=limits[1], **options)
    legend = figure.colorbar(shown, ax=right, shrink=0.8)
    legend.set_label(label)
    legend.solids.set_alpha(1)
    temporary = Path(path + ".part")
    with system_errors(path):
        try:
            figure.savefig(temporary, format="png", facecolor="white")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
