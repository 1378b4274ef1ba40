"""The objects of label maps: connected components and their boxes. Its functions are those of microtome.ops that give more
than an array.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations  # what annotates is not imported: NumPy comes when it is needed

from typing import TYPE_CHECKING

from . import _core
from .errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    from numpy import ndarray
    from numpy.typing import ArrayLike

__all__ = ["connected_components", "object_boxes", "random_object_bbox"]


def _listed(values):
    if values is None:
        return ()
    return tuple(values) if hasattr(values, "__len__") else (values,)


def _whole(value, name, low=-(2**63)):
    """An integer that 64 bits hold."""
    try:
        number = value.__index__()
    except AttributeError:
        raise TypeError(f"{name} must be an integer, not {value!r}") from None
    if not low <= number < 2**63:
        raise InvalidError(f"{name} is {number}; {low} … 2^63 - 1 is possible")
    return number


def _wholes(values, name, low=-(2**63)):
    return tuple(_whole(v, name, low) for v in _listed(values))


def _extent(threshold, ndim, function):
    """One number for all axes, or one each."""
    t = _wholes(threshold, f"{function}: threshold", 0)
    if len(t) not in (1, ndim):
        raise InvalidError(f"{function}: threshold has {len(t)} numbers; 1 or {ndim} are wanted")
    return t


def connected_components(
    label: ArrayLike,
    connectivity: Literal["faces", "full"] = "faces",
    by_class: bool = False,
    background: int = 0,
    *,
    out: ArrayLike | None = None,
) -> tuple[ndarray, int]:
    """Numbers the connected components of a label map: (numbered, count).

    label: [Z, Y, X] or [Y, X], integers (or whole floats).
    numbered: int32 of the same shape: 1 … count in the scan order of the components' first voxels, 0 in the background.
    Equals scipy.ndimage.label(label != background).
    connectivity: "faces" (4 neighbours in a plane, 6 in a volume) or "full" (8, 26).
    by_class: touching voxels of different values stay apart.
    background: value of the voxels that belong to no component.
    out: an int32 array of the label map's shape, any strides, that becomes numbered.
    Errors: ValueError (mt.InvalidError), MemoryError.
    """
    if connectivity not in ("faces", "full"):
        raise InvalidError(
            f"connected_components: connectivity is {connectivity!r}; 'faces' or 'full' is wanted"
        )
    background = _whole(background, "connected_components: background")
    return _core.connected_components(label, connectivity == "full", by_class, background, out)


def object_boxes(
    label: ArrayLike,
    classes: int | Sequence[int] | None = None,
    background: int = 0,
    threshold: int | Sequence[int] | None = None,
) -> tuple[ndarray, ndarray]:
    """The boxes of all objects of a label map: (boxes, classes).

    An object is a connected component, by faces, of voxels of one value. boxes: int64 [N, 2, ndim], first voxel and the voxel
    behind the last, in array order; classes: int64 [N], ascending, and within a class in scan order.
    label: [Z, Y, X] or [Y, X], integers (or whole floats).
    classes: only of these; None: all but the background.
    background: value of the voxels that belong to no object.
    threshold: only boxes of this extent or more, one number for all axes or one each, voxels.
    Errors: ValueError (mt.InvalidError), MemoryError.
    """
    import numpy

    boxes, found = _core.object_boxes(label, _whole(background, "object_boxes: background"))
    if classes is not None:
        keep = numpy.isin(found, numpy.array(_wholes(classes, "object_boxes: classes"), numpy.int64))
        boxes, found = boxes[keep], found[keep]
    if threshold is not None:
        extent = _extent(threshold, boxes.shape[2], "object_boxes")
        keep = (boxes[:, 1] - boxes[:, 0] >= numpy.array(extent)).all(axis=1)
        boxes, found = boxes[keep], found[keep]
    return boxes, found


def random_object_bbox(
    label: ArrayLike,
    foreground_prob: float = 1.0,
    classes: int | Sequence[int] | None = None,
    class_weights: float | Sequence[float] | None = None,
    k_largest: int | None = None,
    threshold: int | Sequence[int] | None = None,
    background: int | None = None,
    ignore_class: bool = False,
    output_class: bool = False,
    format: Literal["start_end", "anchor_shape", "box"] = "start_end",
    seed: int = 0,
) -> Any:
    """Draws the box of one object of a label map, as NVIDIA DALI's random_object_bbox does.

    With probability foreground_prob a class is drawn by weight, then one of its objects (connected by faces), uniformly; else,
    and where no object is left to draw, the box is the whole label map and the class the background. A class without an
    object that may be drawn gets weight 0, and the draw repeats.
    label: [Z, Y, X] or [Y, X], integers (or whole floats).
    foreground_prob: 0 … 1.
    classes: to draw from; None: all but the background.
    class_weights: of the classes; without these, of the classes 0, 1, 2, … without the background; None: 1 each.
    ignore_class: every object is equally likely, whatever its class.
    k_largest: only so many objects of a class, of largest box volume; ties go to the first in scan order.
    threshold: objects with a smaller extent are left out; one number for all axes or one each, voxels.
    background: None: 0, or min(classes) − 1 when 0 is one of the classes.
    format: what comes back, int64 arrays in array order: (start, end), (start, shape), or one array of start and end.
    output_class: the class comes back too.
    seed: the same seed draws the same box.
    Errors: ValueError (mt.InvalidError), MemoryError.
    """
    import numpy

    if format not in ("start_end", "anchor_shape", "box"):
        raise InvalidError(
            f"random_object_bbox: format is {format!r}; 'start_end', 'anchor_shape' or 'box' is wanted"
        )
    name = "random_object_bbox: "
    if k_largest is not None:
        k_largest = _whole(k_largest, name + "k_largest", 1)
    if background is not None:
        background = _whole(background, name + "background")
    classes, threshold = _wholes(classes, name + "classes"), _wholes(threshold, name + "threshold", 0)
    if ignore_class and output_class:
        raise InvalidError("random_object_bbox: output_class does not go with ignore_class")
    weights = tuple(map(float, _listed(class_weights)))
    options = (
        foreground_prob, classes, weights, k_largest or 0, threshold, background, ignore_class
    )  # fmt: skip
    try:
        start, size, found = _core.object_draw(label, options, seed)
    except InvalidError as e:
        raise InvalidError(f"random_object_bbox: {e}") from None
    start, size = numpy.array(start, numpy.int64), numpy.array(size, numpy.int64)
    box = {"start_end": (start, start + size), "anchor_shape": (start, size)}.get(
        format, (numpy.concatenate([start, start + size]),)
    )
    result = (*box, found) if output_class else box
    return result if len(result) > 1 else result[0]
