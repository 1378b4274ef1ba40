"""microtome: medical images between the scanner and the trained network.

    im = mt.open("t1.nii.gz"); im[80:90]             one handle for every picture, read by box
    mt.codec.decode(data, region=…), mt.codec.encode(a)   JPEG 2000 and HTJ2K
    ds = mt.dicom.read("slice.dcm"); ds.PatientID    DICOM data sets
    mt.ops.resize(a, size=(96, 96, 96))              operators on NumPy arrays of any stride
    mt.metrics.dice(pred, label, classes=4)          measures; mt.torch has losses
    mt.infer.sliding_window(image, network, size=96)   inference in overlapping windows
    chain = mt.Chain([mt.Normalize("image"), mt.RandomFlip(p=0.5)])
    for batch in mt.Loader(items, chain, batch_size=2, shuffle=True): batch["image"]

Volumes are [Z, Y, X], batches [B, C, Z, Y, X]; points and affine matrices are (x, y, z), RAS+ millimetres.
Long calls release the interpreter's lock. Errors derive from mt.Error.
SPDX-License-Identifier: Apache-2.0
"""

from . import _core, codec, ops
from ._core import Array, Index, cpu_flags, get_threads, set_threads
from .chain import Apply, Chain, Operator, Sample
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
from .image import Image, Level, convert, open, write
from .loader import Batch, Loader

__version__ = _core.__version__

_lazy = ("dicom", "explain", "histogram", "infer", "items", "metrics", "report", "torch")
_lazy_names = {"prepare": "cohort", "Prepared": "cohort"}  # name → the module that has it


def _add_operator_classes(names):
    from . import chain

    for name in chain.__all_operators__:
        names[name] = getattr(chain, name)
    return list(chain.__all_operators__)


__all__ = [
    "AccessError",
    "Apply",
    "Array",
    "Batch",
    "CancelledError",
    "Chain",
    "ConflictError",
    "CorruptError",
    "DeviceError",
    "Error",
    "Image",
    "Index",
    "InputOutputError",
    "InvalidError",
    "Level",
    "LimitError",
    "Loader",
    "NotFoundError",
    "Operator",
    "OutOfMemoryError",
    "Prepared",
    "Sample",
    "Status",
    "UnsupportedError",
    "codec",
    "convert",
    "cpu_flags",
    "dicom",
    "explain",
    "get_threads",
    "histogram",
    "infer",
    "items",
    "metrics",
    "open",
    "ops",
    "prepare",
    "report",
    "set_threads",
    "torch",
    "write",
] + _add_operator_classes(globals())


def __getattr__(name):
    # `torch` imports PyTorch, the others more of the package or of the standard library: only when asked for.
    if name in _lazy:
        import importlib

        return importlib.import_module(f"{__name__}.{name}")
    if name in _lazy_names:
        import importlib

        return getattr(importlib.import_module(f"{__name__}.{_lazy_names[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted(set(globals()) | set(__all__))
