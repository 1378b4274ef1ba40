"""microtome: medical images between the scanner and the trained network.

    im = mt.open("t1.nii.gz"); im[80:90]             one handle for every picture, read by box
    mt.ops.resize(a, size=(96, 96, 96))              operators on NumPy arrays of any stride
    chain = mt.Chain([mt.Normalize("image"), mt.RandomFlip(p=0.5)])
    for batch in mt.Loader(items, chain, batch_size=2, shuffle=True): batch["image"]

Volumes are [Z, Y, X], batches [B, C, Z, Y, X]; points and affine matrices are (x, y, z), RAS+ millimetres.
Long calls release the interpreter's lock. Errors derive from mt.Error.
SPDX-License-Identifier: Apache-2.0
"""

from . import _core, ops
from ._core import Array, cpu_flags, get_threads, set_threads
from .errors import (
    AccessError,
    CancelledError,
    ConflictError,
    CorruptError,
    DeviceError,
    Error,
    InputOutputError,
    InvalidError,
    LimitError,
    NotFoundError,
    OutOfMemoryError,
    Status,
    UnsupportedError,
)

__version__ = _core.__version__

_lazy = ()


__all__ = [
    "AccessError",
    "Array",
    "CancelledError",
    "ConflictError",
    "CorruptError",
    "DeviceError",
    "Error",
    "InputOutputError",
    "InvalidError",
    "LimitError",
    "NotFoundError",
    "OutOfMemoryError",
    "Status",
    "UnsupportedError",
    "cpu_flags",
    "get_threads",
    "ops",
    "set_threads",
]


def __getattr__(name):
    # `torch` imports PyTorch, `items` the csv and json modules: only when asked for.
    if name in _lazy:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
