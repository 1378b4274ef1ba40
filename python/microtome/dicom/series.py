"""DICOM series: opening the volumes of files and folders, and straightening those of a tilted gantry.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from .. import ops
from ..errors import InvalidError
from ..image import Image, open_volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import ndarray

    Path = str | bytes | os.PathLike[str]


def open_series(
    paths: Path | Sequence[Path],
    series: str | None = None,
    split: bool = False,
    max_bytes: int | None = None,
) -> list[Image]:
    """The DICOM volumes of files and folders (searched to their ends), as a list: exactly one without split. As mt.open, which says
    what the arguments are; files that are no DICOM image are left out below folders, and an error when they are given.
    """
    many = isinstance(paths, list | tuple)
    return open_volumes(tuple(os.fspath(p) for p in (paths if many else (paths,))), series, split, max_bytes)


def straighten(im: Image, interp: str = "linear", fill: float | None = None) -> tuple[ndarray, ndarray]:
    """A sheared volume (a tilted gantry) on a straight grid: (array, affine). The grid has the same rows, columns, slices and
    spacing in the plane; its slices follow the normal, and it is as much wider and higher as the shear asks for.

    im: [Z, Y, X] or [T, Z, Y, X] with an affine. interp: "linear", "cubic", "nearest". fill: what lies outside the volume; default:
    its least value. The result keeps the image's dtype. Errors: InvalidError (axes, no affine), and those of reading.
    """
    import numpy as np

    if im.affine is None or im.axes not in ("ZYX", "TZYX"):
        raise InvalidError(f"{im.uri} is {im.axes}{'' if im.affine is not None else ' without an affine'}")
    a, affine = im.read(), im.affine
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    normal /= np.linalg.norm(normal)
    straight = affine.copy()
    straight[:3, 2] = normal * (normal @ affine[:3, 2])
    shift = (np.linalg.inv(straight) @ affine)[:2, 2]  # voxels in x and y from slice to slice
    far = shift * (im.shape[-3] - 1)
    low = [math.floor(min(0, v) + 1e-6) for v in far]
    high = [math.ceil(max(0, v) - 1e-6) for v in far]
    size = (
        im.shape[-3],
        im.shape[-2] + high[1] - low[1],
        im.shape[-1] + high[0] - low[0],
    )
    move = np.eye(4)
    move[:2, 3] = low
    straight = straight @ move
    back = np.linalg.inv(affine) @ straight  # voxel centres of the result → of the image
    half = np.eye(4)
    half[:3, 3] = 0.5
    matrix = (half @ back @ np.linalg.inv(half))[:3]
    value = float(a.min()) if fill is None and a.size else float(fill or 0)
    parts = [
        ops.affine(v, matrix, size=size, interp=interp, border="constant", value=value)
        for v in (a if im.axes == "TZYX" else a[None])
    ]
    return (np.stack(parts) if im.axes == "TZYX" else parts[0]), straight
