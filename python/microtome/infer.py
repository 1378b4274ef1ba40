"""Inference on volumes that are larger than what a network sees at once: windows over the volume, their scores blended in C.

>>> scores = mt.infer.sliding_window(image, network, size=(128, 128, 128))                 # [K, Z, Y, X] float32
>>> labels = mt.infer.sliding_window("t1.nii.gz", network, size=96, argmax=True, out="t1_seg.nii.gz")
>>> for position, patch in mt.infer.grid_patches(image, 96, overlap=0.5): aggregator.add(position, predict(patch))
Nothing here imports torch; a network may be a torch module or any function on arrays.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import _core
from .errors import InvalidError, LimitError

if TYPE_CHECKING:
    from numpy import ndarray

__all__ = ["Aggregator", "grid_patches", "positions", "sliding_window", "window_weights"]

WEIGHTS = ("constant", "gaussian", "hann")


# ---- where windows lie ------------------------------------------------------------------------------------


def _extents(value, dims, name, kind=int):
    """One number for all axes, or one per axis, as a tuple."""
    values = (value,) * dims if isinstance(value, (int, float)) or value is None else tuple(value)
    if len(values) != dims:
        raise InvalidError(f"{name} has {len(values)} numbers for {dims} axes")
    try:
        out = tuple(kind(0 if v is None else v.__index__() if kind is int else v) for v in values)
    except (AttributeError, TypeError, ValueError):
        raise InvalidError(f"{name} must be numbers, not {value!r}") from None
    if kind is int and any(abs(v) > 2**62 for v in out):
        raise InvalidError(f"{name} has numbers beyond 2^62: {value!r}")
    return out


def _dims(size, default=3):
    return default if isinstance(size, int) or size is None else len(tuple(size))


def _three(values, fill):
    return (fill,) * (3 - len(values)) + tuple(values)


def positions(
    shape: Sequence[int],
    size: int | Sequence[int],
    overlap: float | Sequence[float] = 0.5,
    exact: bool = False,
) -> list[tuple[int, ...]]:
    """Where windows of `size` lie over a volume of `shape` ([Z, Y, X] or [Y, X]): a list of starts, the first axis slowest.

    overlap: 0 … below 1, the share of a window that the next one covers too; the step is int(size · (1 − overlap)). The last window
    is shifted back to end with the volume: MONAI's rule. exact=True leaves it on the grid, so that it may overhang. size 0 or None
    along an axis: all of it. Where the volume is smaller than the window, the start is −floor(difference / 2). Errors: ValueError.
    """
    dims = len(tuple(shape))
    if dims not in (2, 3):
        raise InvalidError(f"shape must be [Z, Y, X] or [Y, X], not {tuple(shape)}")
    starts = _core.window_starts(
        _three(_extents(shape, dims, "shape"), 1),
        _three(_extents(size, dims, "size"), 1),
        _three(_extents(overlap, dims, "overlap", float), 0.0),
        bool(exact),
    )
    return starts if dims == 3 else [s[1:] for s in starts]


def window_weights(size: Sequence[int], weights: str = "gaussian", sigma: float = 0.125) -> ndarray:
    """The weights of a window's voxels, float32 of shape `size` ([z, y, x] or [y, x]).

    "constant": 1. "gaussian": exp(−d² / 2σ²) from the centre, σ = sigma · extent on each axis, at least max(smallest, 1e-3): MONAI's
    importance map. "hann": ½ (1 − cos 2π (i + 1) / (n + 1)) on each axis: TorchIO's. Errors: ValueError.
    """
    size = (size,) if isinstance(size, int) else tuple(size)
    if not 1 <= len(size) <= 3:
        raise InvalidError(f"size has {len(size)} numbers; 1 to 3 are possible")
    full = _core.window_weights(_three(_extents(size, len(size), "size"), 1), _text(weights), _sigma(sigma))
    return full.reshape(size)


def _text(weights):
    if not isinstance(weights, str):
        raise InvalidError(f"weights must be one of {', '.join(WEIGHTS)}, not {weights!r}")
    return weights


def _sigma(sigma):
    try:
        if float(sigma) > 0:
            return float(sigma)
    except (TypeError, ValueError):
        pass
    raise InvalidError(f"sigma must be a number above 0, not {sigma!r}")


def _cut(image, start, size, border, value):
    """The window [C, …size] of an array [C, …] at `start`; what lies outside is filled."""
    import numpy as np

    box, pad = [slice(None)], [(0, 0)]
    for at, n, m in zip(start, size, image.shape[1:], strict=True):
        lo, hi = max(at, 0), min(at + n, m)
        box.append(slice(lo, hi))
        pad.append((lo - at, at + n - hi))
    part = image[tuple(box)]
    if not any(a or b for a, b in pad):
        return part
    return (
        np.pad(part, pad, "edge")
        if border == "edge"
        else np.pad(part, pad, "constant", constant_values=value)
    )


def _check_border(border, value, dtype):
    """The border is known, and an array of this dtype holds the value."""
    import numpy as np

    if border not in ("constant", "edge"):
        raise InvalidError(f"border {border!r} is not 'constant' or 'edge'")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidError(f"value must be a number, not {value!r}") from None
    if border == "constant" and dtype.kind in "biu":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if not low <= number <= high or number != int(number):
            raise InvalidError(f"value is {value!r}, which an image of {dtype} does not hold")


def grid_patches(
    image: Any,
    size: int | Sequence[int],
    overlap: float | Sequence[float] = 0.0,
    exact: bool = False,
    border: str = "constant",
    value: float = 0.0,
) -> Iterator[tuple[tuple[int, ...], ndarray]]:
    """Yields (position, patch) over an image [Z, Y, X] or [C, Z, Y, X]; with two numbers as size, [Y, X] or [C, Y, X].

    Patches are views where they lie inside; what overhangs is filled: border "constant" with `value`, or "edge". Positions are as
    in `positions`, and what Aggregator.add takes. Errors: ValueError.
    """
    import numpy as np

    a = np.asarray(image)
    dims = _dims(size)
    _check_border(border, value, a.dtype)
    if a.ndim not in (dims, dims + 1):
        raise InvalidError(f"the image has {a.ndim} axes; {dims}, or {dims + 1} with channels, fit the size")
    channels = a.ndim == dims + 1
    b = a if channels else a[None]
    starts = positions(b.shape[1:], size, overlap, exact)
    extents = tuple(s or n for s, n in zip(_extents(size, dims, "size"), b.shape[1:], strict=True))

    def patches():
        for start in starts:
            patch = _cut(b, start, extents, border, value)
            yield start, patch if channels else patch[0]

    return patches()


# ---- blending ---------------------------------------------------------------------------------------------


def _scores_array(scores):
    import numpy as np

    if hasattr(scores, "detach"):  # a torch tensor of any float dtype and device
        scores = scores.detach()
        scores = (scores.float() if scores.is_floating_point() else scores).cpu().numpy()
    return np.asarray(scores)


class Aggregator:
    """The weighted mean of the scores of overlapping windows, in C: Σ w·s / Σ w per voxel and class.

    shape: [Z, Y, X] (or [Y, X]) of the volume; classes: channels of the scores; size: of a window; weights, sigma: as
    `window_weights`. argmax=True: the result is the class of the highest mean, [Z, Y, X] uint8 (uint16 above 256 classes).
    ordered=True promises that windows come with ascending first coordinate: planes that no later window reaches are finished at
    once, and only as many planes of sums are kept as a window has. out: an array to store the result in: [K, Z, Y, X] floating, or
    with argmax [Z, Y, X] of an integer dtype; also a memory map. Sums are float32. Errors: ValueError, MemoryError.
    """

    def __init__(
        self,
        shape: Sequence[int],
        classes: int,
        size: int | Sequence[int],
        weights: str = "gaussian",
        *,
        sigma: float = 0.125,
        argmax: bool = False,
        ordered: bool = False,
        out: Any = None,
        _overlap: float | Sequence[float] | None = None,
    ):
        self.shape = tuple(shape)
        dims = len(self.shape)
        if dims not in (2, 3):
            raise InvalidError(f"shape must be [Z, Y, X] or [Y, X], not {self.shape}")
        self.size = tuple(
            s or n for s, n in zip(_extents(size, dims, "size"), _extents(shape, dims, "shape"), strict=True)
        )
        (self.classes,) = _extents((classes,), 1, "classes")
        self._out = out
        plane = None if out is None else out if dims == 3 else self._with_z(out, argmax)
        three = _three(self.shape, 1)
        self._sum = _core.WindowSum(
            three,
            self.classes,
            _three(self.size, 1),
            _text(weights),
            _sigma(sigma),
            bool(argmax),
            bool(ordered),
            plane,
            None if _overlap is None else _three(_extents(_overlap, dims, "overlap", float), 0.0),
        )

    @staticmethod
    def _with_z(out, argmax):
        import numpy as np

        if np.ndim(out) != (2 if argmax else 3):
            raise InvalidError(
                f"out must be {'[Y, X]' if argmax else '[K, Y, X]'}, not of {np.ndim(out)} axes"
            )
        return np.expand_dims(out, 0 if argmax else 1)

    def add(self, position: Sequence[int], scores: Any) -> None:
        """Adds the scores of the window at `position`: [K, z, y, x] (or [K, y, x]), or [K] for one score per class all over the window;
        a NumPy array or torch tensor. What lies outside the volume is left out. Errors: ValueError (shape, position, order)."""
        import numpy as np

        a = _scores_array(scores)
        if a.ndim == 1:
            a = np.broadcast_to(a.reshape(-1, *(1,) * len(self.size)), (len(a), *self.size))
        if a.ndim != len(self.size) + 1:
            raise InvalidError(f"the scores have the shape {a.shape}, {(self.classes, *self.size)} fits")
        self._add_batch([_extents(tuple(position), len(self.size), "position")], a[None], 0)

    def _add_batch(self, starts, scores, done):
        """Windows with scores [N, K, …]; no window after these begins below `done` along the first axis."""
        if len(self.size) == 2:
            scores, done = scores[:, :, None], 0
        self._sum.add([_three(s, 0) for s in starts], scores, done)

    def result(self) -> Any:
        """What was added, divided by the weights: [K, Z, Y, X] float32 (or the class numbers), or `out`. Voxels that no window covered
        are 0. Nothing can be added afterwards."""
        made = self._sum.finish()
        if self._out is not None:
            return self._out
        return (
            made
            if len(self.size) == 3
            else made.reshape(-1, *self.shape)[0 if made.ndim == 3 else slice(None)]
        )


# ---- sliding windows --------------------------------------------------------------------------------------


def _open_image(image, dims, like):
    """The pixels as [C, …] (NumPy) and the open image whose geometry a result may take."""
    import numpy as np

    from . import image as files

    if isinstance(image, (str, os.PathLike)):
        image = files.open(image)
    if isinstance(image, files.Image):
        if not image.axes.endswith("ZYX"[3 - dims :]) or image.ndim > dims + 1:
            raise InvalidError(f"{image.uri} has the axes {image.axes}; {'ZYX'[3 - dims :]} fits the size")
        like = image if like is None else like
        image = image.read()
    if isinstance(like, (str, os.PathLike)):
        like = files.open(like)
    if hasattr(image, "detach"):
        image = image.detach().cpu().numpy()
    a = np.asarray(image)
    if a.ndim not in (dims, dims + 1) or not a.size:
        raise InvalidError(
            f"the image has the shape {a.shape}; {dims} axes, or {dims + 1} with channels, fit the size"
        )
    return (a if a.ndim == dims + 1 else a[None]), like


class _Network:
    """Any callable as a function from a NumPy batch [B, C, …] to a NumPy batch [B, K, …]. keywords go to each call; `then`, where
    given, is applied to what came out."""

    def __init__(self, network, device, as_torch, keywords=None, then=None):
        self.keywords, self.then = keywords or {}, then or (lambda out: out)
        torch = sys.modules.get("torch")  # who has a module or a tensor has imported it
        self.network, self.module = network, None
        if not callable(network):
            raise InvalidError(f"the network must be callable, not {type(network).__name__}")
        if torch is not None and isinstance(network, torch.nn.Module):
            self.module = network
            first = next(network.parameters(), None)
            device = device if device is not None else first.device if first is not None else "cpu"
        if device is not None or as_torch:
            import torch
        self.torch = torch if device is not None or as_torch else None
        self.device = device

    def __enter__(self):
        self.training = []
        if self.module is not None:
            self.training = [m for m in self.module.modules() if m.training]
            self.module.eval()
        return self

    def __exit__(self, *exception):
        for m in self.training:
            m.training = True

    def __call__(self, batch):
        import numpy as np

        if self.torch is None:
            out = self._first(self.network(batch, **self.keywords))
        else:
            with self.torch.inference_mode():
                tensor = self.torch.from_numpy(np.ascontiguousarray(batch))
                tensor = tensor if self.device is None else tensor.to(self.device)
                out = self._first(self.network(tensor, **self.keywords))
        return _scores_array(out)

    def _first(self, out):
        if isinstance(out, (list, tuple)):  # deep supervision: the finest comes first
            if not out:
                raise InvalidError("the network gave an empty list")
            out = out[0]
        if isinstance(out, dict) or not hasattr(out, "shape"):
            raise InvalidError(
                f"the network gave a {type(out).__name__}; an array or tensor [B, K, …] is needed"
            )
        return self.then(out)


def _bar(progress, total):
    """A progress bar, or nothing."""
    if progress:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            raise InvalidError("progress=True needs the package tqdm") from None
        return tqdm(total=total, unit="window")
    from contextlib import nullcontext

    return nullcontext()


def _to_path(out):
    return os.fspath(out) if isinstance(out, (str, os.PathLike)) else None


def _check_memory(max_memory, classes, planes, shape, kept_elsewhere):
    if max_memory is None:
        return
    need = 4 * classes * planes * shape[1] * shape[2]
    need += 0 if kept_elsewhere else 4 * classes * shape[0] * shape[1] * shape[2]
    if need > max_memory:
        raise LimitError(
            f"blending needs {need:,} bytes, max_memory is {int(max_memory):,}: argmax=True, a window with fewer planes, "
            "or a memory map as out= needs less"
        )


def sliding_window(
    image: Any,
    network: Callable[[Any], Any],
    size: int | Sequence[int],
    overlap: float | Sequence[float] = 0.5,
    weights: str = "gaussian",
    batch_size: int = 1,
    classes: int | None = None,
    out: Any = None,
    argmax: bool = False,
    device: Any = None,
    progress: bool = False,
    *,
    sigma: float = 0.125,
    border: str = "constant",
    value: float = 0.0,
    like: Any = None,
    max_memory: int | None = None,
) -> Any:
    """Applies a network window by window and blends what it says: [K, Z, Y, X] float32, or with argmax=True labels [Z, Y, X] uint8.

    image: [Z, Y, X] or [C, Z, Y, X], NumPy or torch, an mt.Image, or a path; with two numbers as size, [Y, X] or [C, Y, X].
    network: a torch module (put in eval mode meanwhile; on its own device unless device= says) or a function, which gets batches
    [B, C, z, y, x]: tensors when the image is one or device= is given, else NumPy arrays. It gives [B, K, z, y, x], or a list whose
    first entry is that. size, overlap: as `positions`; weights, sigma: as `window_weights`. classes: checked when given.
    Where the image is smaller than the window it is filled: border "constant" with `value`, or "edge".
    out: an array for the result (also a memory map), or a path: a NIfTI in the geometry of the image, or of `like` (an mt.Image or a
    path); scores become a 4-D NIfTI. max_memory: bytes that blending may take. With argmax, or out of another dtype than float32,
    finished planes are stored at once, and the sums take as many planes as a window has. A tensor comes back where one was given.
    Equals MONAI's sliding_window_inference(mode=weights). Errors: ValueError, LimitError (max_memory), what the network raises.
    """
    import numpy as np

    dims = _dims(size)
    as_torch = hasattr(image, "detach")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InvalidError(f"batch_size is {batch_size!r}; a whole number of at least 1 is needed")
    path = _to_path(out)
    pixels, like = _open_image(image, dims, like)
    _check_border(border, value, pixels.dtype)
    shape = pixels.shape[1:]
    window = tuple(s or n for s, n in zip(_extents(size, dims, "size"), shape, strict=True))
    starts = positions(shape, window, overlap)
    target = None if path else out
    in_place = not argmax and (target is None or getattr(target, "dtype", None) == np.float32)
    total = None
    with _Network(network, device, as_torch) as predict, _bar(progress, len(starts)) as bar:
        for first in range(0, len(starts), batch_size):
            chosen = starts[first : first + batch_size]
            cuts = [_cut(pixels, at, window, border, value) for at in chosen]
            scores = predict(np.stack(cuts) if len(cuts) > 1 else cuts[0][None])
            total = total or _aggregator(
                scores,
                shape,
                window,
                overlap,
                classes,
                weights,
                sigma,
                argmax,
                not in_place,
                target,
                max_memory,
            )
            _check_scores(scores, len(chosen), total)
            after = starts[first + len(chosen) :]
            total._add_batch(chosen, scores, max(after[0][0], 0) if after else shape[0])
            if bar is not None:
                bar.update(len(chosen))
    result = total.result()
    if path:
        _write(path, result, like, argmax)
    if as_torch and target is None:
        import torch

        return torch.from_numpy(result)
    return result


def _aggregator(scores, shape, window, overlap, classes, weights, sigma, argmax, ordered, out, max_memory):
    if scores.ndim != len(window) + 2:
        raise InvalidError(
            f"the network gave the shape {scores.shape}; [B, K, …] with {len(window)} axes is needed"
        )
    found = scores.shape[1]
    if classes is not None and classes != found:
        raise InvalidError(f"the network has {found} classes, classes says {classes}")
    three = _three(shape, 1)
    planes = min(_three(window, 1)[0], three[0]) if ordered else three[0]
    _check_memory(max_memory, found, planes, three, argmax or out is not None or not ordered)
    return Aggregator(
        shape,
        found,
        window,
        weights,
        sigma=sigma,
        argmax=argmax,
        ordered=ordered,
        out=out,
        _overlap=overlap,
    )


def _check_scores(scores, batch, total):
    want = (batch, total.classes, *total.size)
    if scores.shape != want:
        raise InvalidError(f"the network gave the shape {scores.shape}; {want} is needed")


def _write(path, result, like, argmax):
    from . import image as files

    affine = None if like is None else like.affine
    keep = like if like is not None and like.format.startswith(("nifti", "analyze")) else None
    spatial = "ZYX"[3 - (result.ndim - (0 if argmax else 1)) :]
    axes = spatial if argmax else ("T" if spatial == "ZYX" else "C") + spatial
    files.write(path, result, affine=affine, axes=axes, like=keep)
