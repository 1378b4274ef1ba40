"""The public names of microtome. SPDX-License-Identifier: Apache-2.0"""

from . import items as items
from . import ops as ops
from . import report as report
from . import torch as torch
from ._core import (
    Array as Array,
)
from ._core import (
    Index as Index,
)
from ._core import (
    cpu_flags as cpu_flags,
)
from ._core import (
    get_threads as get_threads,
)
from ._core import (
    set_threads as set_threads,
)
from ._operators import *
from .chain import Apply as Apply
from .chain import Chain as Chain
from .chain import Operator as Operator
from .chain import Sample as Sample
from .errors import (
    AccessError as AccessError,
)
from .errors import (
    CancelledError as CancelledError,
)
from .errors import (
    ConflictError as ConflictError,
)
from .errors import (
    CorruptError as CorruptError,
)
from .errors import (
    DeviceError as DeviceError,
)
from .errors import (
    Error as Error,
)
from .errors import (
    InputOutputError as InputOutputError,
)
from .errors import (
    InvalidError as InvalidError,
)
from .errors import (
    LimitError as LimitError,
)
from .errors import (
    NotFoundError as NotFoundError,
)
from .errors import (
    OutOfMemoryError as OutOfMemoryError,
)
from .errors import (
    Status as Status,
)
from .errors import (
    UnsupportedError as UnsupportedError,
)
from .image import Image as Image
from .image import Level as Level
from .image import convert as convert
from .image import open as open
from .image import write as write
from .loader import Batch as Batch
from .loader import Loader as Loader

__version__: str
__all__: list[str]
