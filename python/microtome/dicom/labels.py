"""Labels that refer to other images: segmentations (SEG) and structure sets (RTSTRUCT) on an image's grid.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import InvalidError, NotFoundError
from ..image import Image, open as open_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy import ndarray

    Path = str | os.PathLike[str]
    Like = Image | Path | Sequence[Path]

__all__ = ["read_rtstruct", "read_seg", "rois"]


def _grid(like):
    """((Z, Y, X), 16 numbers) of an image, of paths, or of a pair (shape, affine)."""
    if isinstance(like, tuple) and len(like) == 2 and not isinstance(like[0], str | os.PathLike):
        shape, affine = like
        size = tuple(int(n) for n in shape)
    else:
        image = like if isinstance(like, Image) else open_image(like)
        affine = image.affine
        size = tuple(image.shape[image.axes.index(c)] if c in image.axes else 1 for c in "ZYX")
        if affine is None:
            raise InvalidError(f"{image.uri} has no geometry")
    values = [float(v) for row in affine for v in row]
    if len(size) != 3 or len(values) != 16:
        raise InvalidError("a grid has a shape (Z, Y, X) and a 4×4 affine")
    return size, values


def read_seg(path: Path, like: Like | None = None) -> ndarray:
    """The voxels of a segmentation object (DICOM SEG): [Z, Y, X] of segment numbers, or [C, Z, Y, X] with a channel per segment, in
    the order in which they are described, where segments overlap (0 and 1) or are fractional (float32, 0 … 1).

    like: an image, its path or paths, or (shape, affine): the grid of the result, which must have the segmentation's pixels (turned and
    flipped is fine); frames that are not there are empty. Without it: the grid of the segmentation's own frames, as mt.open(path),
    whose properties tell the segments ("segments", "segment.1.label", "segment.1.type").
    Errors: InvalidError (no segmentation, or another grid), UnsupportedError, CorruptError.
    """
    if like is None:
        return open_image(path).read()
    return _core.dicom_seg(os.fspath(path), _grid(like))


def rois(path: Path) -> list[dict[str, Any]]:
    """The regions of a structure set (RTSTRUCT): dicts with number, name, type ("PTV", "ORGAN", …), color (r, g, b or None),
    contours and points (how many). Errors: InvalidError (no structure set)."""
    return _core.dicom_structures(os.fspath(path))[1]


def _chosen(found, wanted, path):
    """The regions' places in the file."""
    if wanted is None:
        return [i for i, r in enumerate(found) if r["contours"]]
    out = []
    for w in [wanted] if isinstance(wanted, str | int) else wanted:
        places = [i for i, r in enumerate(found) if w in (r["name"], r["number"])]
        if not places:
            names = ", ".join(f"{r['name']!r} ({r['number']})" for r in found)
            raise NotFoundError(f"{path}: no region {w!r}; there are {names}")
        out += places
    return out


def read_rtstruct(
    path: Path, like: Like, rois: Iterable[str | int] | str | int | None = None, labels: bool = False
) -> dict[str, ndarray] | ndarray:
    """The regions of a structure set (RTSTRUCT) on an image's grid: {name: bool mask [Z, Y, X]}.

    like: an image (that the contours were drawn on), its path or paths, or (shape, affine). rois: names or numbers; default: all that have
    contours. labels: one array [Z, Y, X] of ROI numbers instead (uint8 or uint16); where regions overlap, the one that comes
    later in the file stands.

    A voxel belongs to a region when its centre lies within the region's closed contours of that slice, by the even-odd rule: a
    contour within another is a hole. A slice takes the contours of the plane nearest to it, at most half a slice away. Points and open
    contours set the voxels that they touch. Contours beyond the grid are left out.
    Errors: InvalidError, NotFoundError (a region), UnsupportedError (contours across the slices), CorruptError.
    """
    import numpy as np

    grid = _grid(like)
    structures, found = _core.dicom_structures(os.fspath(path))
    places = _chosen(found, rois, os.fspath(path))
    if labels:
        numbers = [found[i]["number"] for i in places]
        if any(not 0 < n < 65536 for n in numbers):
            raise InvalidError(f"{os.fspath(path)}: regions are numbered {numbers}, not 1 … 65535")
        out = np.zeros(grid[0], np.uint8 if max(numbers, default=0) < 256 else np.uint16)
        for i in sorted(places):
            _core.dicom_structures_draw(structures, i, grid, found[i]["number"], out)
        return out
    masks = {}
    for i in places:
        name = found[i]["name"] or f"ROI {found[i]['number']}"
        if name in masks:
            name = f"{name} ({found[i]['number']})"
        masks[name] = np.zeros(grid[0], bool)
        _core.dicom_structures_draw(structures, i, grid, 1, masks[name])
    return masks
