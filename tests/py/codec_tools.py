"""What the codec's tests share: pictures with structure, foreign encoders and decoders, and a wavelet by hand.

SPDX-License-Identifier: Apache-2.0
"""

import io

import numpy as np
import pytest

# The colour transform widens the chroma components by a bit (T.800 G.1.2), so that 31 bits leave room for guard bits.
DTYPES = [np.uint8, np.int8, np.uint16, np.int16]


def imagecodecs():
    return pytest.importorskip("imagecodecs")


def picture(rng, shape, dtype, bits=None):
    """Waves, an edge, grain, and a few samples at the ends of the range."""
    info = np.iinfo(dtype)
    bits = bits or info.bits
    lo, hi = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if info.min < 0 else (0, (1 << bits) - 1)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    a = 0.5 + 0.3 * np.sin(y / 7 + 1) * np.cos(x / 11) + 0.15 * (x > shape[1] / 2)
    if len(shape) == 3:
        a = np.stack([np.roll(a, 3 * c, axis=1) * (0.8 + 0.1 * c) for c in range(shape[2])], axis=-1)
    a = a + rng.normal(0, 0.02, shape)
    out = np.clip(np.rint(lo + a * (hi - lo)), lo, hi).astype(dtype)
    flat = out.reshape(-1)
    at = rng.integers(0, flat.size, 4)
    flat[at[:2]], flat[at[2:]] = lo, hi
    return out


def psnr(a, b, top):
    error = ((a.astype(np.float64) - b.astype(np.float64)) ** 2).mean()
    return np.inf if error == 0 else 10 * np.log10(top**2 / error)


def openjpeg_reduced(data, reduce, layers=0):
    """OpenJPEG's picture at a reduced resolution, by Pillow (gray or RGB of 8 or 16 bits, unsigned)."""
    from PIL import Image

    im = Image.open(io.BytesIO(data))
    im.reduce, im.layers = reduce, layers
    im.load()
    return np.asarray(im)


def foreign(a):
    """As others take it: C order, native bytes."""
    return np.ascontiguousarray(a)


def wavelet_53(x):
    """One level of the reversible 5/3 transform of a line from coordinate 0 (T.800 F.4.8.1): (low, high)."""
    x = x.astype(np.int64)
    if x.size == 1:
        return x, x[:0]
    at = lambda v, i: v[np.abs(i) if i < 0 else (2 * (x.size - 1) - i if i >= x.size else i)]  # noqa: E731
    y = x.copy()
    for i in range(1, x.size, 2):
        y[i] = x[i] - ((x[i - 1] + at(x, i + 1)) >> 1)
    for i in range(0, x.size, 2):
        y[i] = x[i] + ((at(y, i - 1) + at(y, i + 1) + 2) >> 2)
    return y[0::2], y[1::2]


def low_pass_53(a):
    """The LL band after one level, columns first and then rows, as the reduced picture of a lossless stream is."""
    columns = np.stack([wavelet_53(a[:, i])[0] for i in range(a.shape[1])], axis=1)
    return np.stack([wavelet_53(row)[0] for row in columns], axis=0)
