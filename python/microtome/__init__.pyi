"""The public names of microtome. SPDX-License-Identifier: Apache-2.0"""

from . import (
    codec as codec,
    dicom as dicom,
    explain as explain,
    infer as infer,
    items as items,
    metrics as metrics,
    ops as ops,
    report as report,
    torch as torch,
)
from ._core import (
    Array as Array,
    Index as Index,
    cpu_flags as cpu_flags,
    get_threads as get_threads,
    set_threads as set_threads,
)
from ._operators import *
from .chain import Apply as Apply, Chain as Chain, Operator as Operator, Sample as Sample
from .cohort import Prepared as Prepared, prepare as prepare
from .errors import (
    AccessError as AccessError,
    CancelledError as CancelledError,
    ConflictError as ConflictError,
    CorruptError as CorruptError,
    DeviceError as DeviceError,
    Error as Error,
    InputOutputError as InputOutputError,
    InvalidError as InvalidError,
    LimitError as LimitError,
    NotFoundError as NotFoundError,
    OutOfMemoryError as OutOfMemoryError,
    Status as Status,
    UnsupportedError as UnsupportedError,
)
from .image import Image as Image, Level as Level, convert as convert, open as open, write as write
from .loader import Batch as Batch, Loader as Loader

__version__: str
__all__: list[str]
