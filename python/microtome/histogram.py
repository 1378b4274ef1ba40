"""Training of histogram standardisation: landmarks for mt.ops.histogram_standardize and mt.HistogramStandardize.

SPDX-License-Identifier: Apache-2.0
"""

from . import _core
from .errors import InvalidError

__all__ = ["train"]

_INNER = (10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90)


def _load(value):
    """An array as it is; text and paths are read."""
    import os

    if isinstance(value, (str, os.PathLike)):
        from .image import open

        return open(value).read()
    return value


def _field(item, name, i):
    if name not in item:
        raise InvalidError(
            f"histogram.train: item {i} has no field {name!r}; it has {', '.join(map(str, item))}"
        )
    return item[name]


def _mask_of(item, image, mask, i):
    """The mask of image i, or None."""
    if mask is None:
        return None
    if callable(mask):
        return mask(image)
    if isinstance(mask, str) and isinstance(item, dict):
        return _load(_field(item, mask, i))
    return _load(mask[i] if isinstance(mask, (list, tuple)) else mask)


def train(images, mask=None, cutoff=(0.01, 0.99), field="image"):
    """Landmarks of a data set: 13 ascending numbers (NumPy, float64) for histogram_standardize.

    images: arrays, paths, or items (dicts, of which `field` is taken); of any shapes with two to four axes, whole images.
    mask: which voxels count (where it is not 0): None: all; one array or path for all images; a list, one each; with items
    the name of a field; or a function of the image's array.
    cutoff: shares of the voxels at the first and the last landmark, 0 ≤ first < 0.1 and 0.9 < second ≤ 1.

    Each image's percentiles (the cutoffs, the deciles and the quartiles; numpy.percentile's linear) are scaled so that the
    cutoffs' average lands at 0 and 100, and averaged: TorchIO's HistogramStandardization.train, after Nyúl, Udupa and Zhang,
    New variants of a method of MRI scale standardization, IEEE TMI 2000. Voxels that are not finite are left out.
    Errors: ValueError (no images, an empty mask, an image that is constant between its cutoffs).
    """
    import numpy as np

    try:
        low, high = map(float, cutoff)
    except (TypeError, ValueError):
        low = high = float("nan")
    if not (0 <= low < 0.1 and 0.9 < high <= 1):
        raise InvalidError(
            "histogram.train: cutoff is a pair of shares, the first below 0.1 and the second above 0.9"
        )
    images = list(images)
    if isinstance(mask, (list, tuple)) and len(mask) != len(images):
        raise InvalidError(f"histogram.train: {len(mask)} masks for {len(images)} images")
    if not images:
        raise InvalidError("histogram.train: no images")
    percents = (100 * low, *_INNER, 100 * high)
    table = np.empty((len(images), len(percents)))
    for i, item in enumerate(images):
        image = _load(_field(item, field, i) if isinstance(item, dict) else item)
        table[i] = _core.percentiles(image, percents, _mask_of(item, image, mask, i))
        if not table[i, -1] > table[i, 0]:
            raise InvalidError(f"histogram.train: image {i} is constant between its cutoffs")
    slopes = 100 / (table[:, -1] - table[:, 0])
    return slopes @ table / len(table) - np.mean(slopes * table[:, 0])
