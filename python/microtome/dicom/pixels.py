"""Pixels of data sets: what their attributes say, frames and overlays as arrays. Dataset's methods show them.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import _core, _declare
from ..errors import PixelWarning

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Overlay", "PixelInfo", "read_frames"]


class PixelInfo(NamedTuple):
    """The image pixel module: what is stored, and what pixels() makes of it (dtype, channels)."""

    frames: int
    rows: int
    columns: int
    samples: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_float: bool
    planar: bool
    encapsulated: bool
    photometric: str
    codec: str
    raw_dtype: str
    dtype: str
    channels: int
    slope: float
    inter: float
    has_rescale: bool
    has_modality_lut: bool
    overlays: int


class Overlay(NamedTuple):
    """bits: uint8 0/1 [F, Y, X]. origin: (row, column) in the image of its first point; (1, 1) is the first pixel."""

    bits: np.ndarray
    origin: tuple[int, int]


def read_frames(
    core: Any,
    frame: int | None,
    raw: bool,
    modality: bool,
    voi: bool,
    window: int,
    dtype: Any,
    threads: int,
) -> np.ndarray:
    """See Dataset.pixels, whose caller the warnings name."""
    first, n = (0, -1) if frame is None else (frame, 1)
    name = _declare.dtype_name(dtype)
    a, said = _core.dicom_frames(core, first, n, raw, modality, voi, window, name, threads)
    for line in said.splitlines():
        warnings.warn(line, PixelWarning, stacklevel=3)
    return a if frame is None else a[0]
