"""Exceptions: each is a microtome.Error with .code, .offset and .where, and also the built-in that fits.

The C library reports a status, a byte offset and one sentence; the extension looks the class up in BY_CODE.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import enum


class Status(enum.IntEnum):
    """Why a call failed: the numbers of the C API's mtm_status."""

    NOMEM = -1
    INVAL = -2
    IO = -3
    CORRUPT = -4
    UNSUPPORTED = -5
    NOTFOUND = -6
    LIMIT = -7
    CANCELLED = -8
    CONFLICT = -9
    DENIED = -10
    DEVICE = -11


class PixelWarning(UserWarning):
    """Pixel data and header disagree, or the header lacks something obvious: the text says what was done."""


class Error(Exception):
    """Base of all errors that the library reports.

    code: a Status. offset: the input byte at fault, or -1. where: the file or the part that failed.
    """

    code: Status | None = None
    offset: int = -1
    where: str = ""


class InvalidError(Error, ValueError):
    """The arguments contradict each other or the documented range (MTM_E_INVAL)."""

    code = Status.INVAL


class OutOfMemoryError(Error, MemoryError):
    """The allocator said no (MTM_E_NOMEM)."""

    code = Status.NOMEM


class InputOutputError(Error, OSError):
    """The operating system refused a read, a write or a mapping (MTM_E_IO)."""

    code = Status.IO


class CorruptError(Error, ValueError):
    """The bytes break their own format (MTM_E_CORRUPT)."""

    code = Status.CORRUPT


class UnsupportedError(Error, NotImplementedError, ValueError):
    """Well-formed, but not read or written by this version (MTM_E_UNSUPPORTED)."""

    code = Status.UNSUPPORTED


class NotFoundError(Error, FileNotFoundError):
    """No such file, item, operator or key (MTM_E_NOTFOUND)."""

    code = Status.NOTFOUND


class LimitError(Error, ValueError):
    """Larger than the limits on input allow (MTM_E_LIMIT)."""

    code = Status.LIMIT


class CancelledError(Error):
    """Stopped on request (MTM_E_CANCELLED). Ctrl-C itself arrives as KeyboardInterrupt."""

    code = Status.CANCELLED


class ConflictError(Error, OSError):
    """Changed by someone else meanwhile, or already there (MTM_E_CONFLICT)."""

    code = Status.CONFLICT


class AccessError(Error, PermissionError):
    """No permission (MTM_E_DENIED)."""

    code = Status.DENIED


class DeviceError(Error, RuntimeError):
    """An accelerator failed (MTM_E_DEVICE)."""

    code = Status.DEVICE


@contextlib.contextmanager
def system_errors(path):
    """What the operating system refuses Python about a file becomes an Error, as the library itself reports it."""
    try:
        yield
    except OSError as e:
        if isinstance(e, Error):
            raise
        kinds = {
            FileNotFoundError: NotFoundError,
            PermissionError: AccessError,
            FileExistsError: ConflictError,
        }
        raise kinds.get(type(e), InputOutputError)(f"{path}: {e.strerror or e}") from None


BY_CODE = {
    int(c.code): c
    for c in (
        InvalidError,
        OutOfMemoryError,
        InputOutputError,
        CorruptError,
        UnsupportedError,
        NotFoundError,
        LimitError,
        CancelledError,
        ConflictError,
        AccessError,
        DeviceError,
    )
}
