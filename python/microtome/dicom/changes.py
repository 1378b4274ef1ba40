"""Python values as the extension wants them: changes of elements, and the options that all writers take.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .. import _core
from ..errors import InvalidError

__all__ = ["Changes", "changes_of", "write_options"]

Changes = Mapping[Any, Any]
NESTED = re.compile(r"^([^\[\].]+)\[(\d+)\]\.(.+)$")


def _tag(key: Any) -> int:
    if isinstance(key, tuple):
        return key[0] << 16 | key[1]
    if isinstance(key, int):
        return key
    found = _core.dicom_entry(key)
    if found:
        return found[0]
    digits = key.strip("()").replace(",", "")
    if not re.fullmatch("[0-9A-Fa-f]{8}", digits):
        raise InvalidError(f"DICOM has no keyword {key!r}")
    return int(digits, 16)


def _value(v: Any) -> Any:
    """Text, a list of numbers, bytes, None, or items as a tuple of lists of changes."""
    if v is None or isinstance(v, (bytes, bytearray, memoryview)):
        return v
    if isinstance(v, str):
        return str(v)
    if isinstance(v, (bool, int, float)):
        return [v]
    if hasattr(v, "tolist"):
        return _value(v.tolist())
    v = list(v)
    if all(hasattr(x, "items") for x in v):
        return tuple(changes_of(x) for x in v)
    if all(isinstance(x, str) for x in v):
        return "\\".join(v)
    return v


def changes_of(values: Changes) -> list[tuple[int, str | None, Any]]:
    """{"PatientID": "x"} as the extension wants it; paths into sequences are gathered by item."""
    out: list[tuple[int, str | None, Any]] = []
    inside: dict[int, dict[int, dict[Any, Any]]] = {}
    for key, value in values.items():
        nested = NESTED.match(key) if isinstance(key, str) else None
        if nested:
            inside.setdefault(_tag(nested[1]), {}).setdefault(int(nested[2]), {})[nested[3]] = value
        elif (
            isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and len(value[0]) == 2
        ):
            out.append((_tag(key), value[0], _value(value[1])))
        else:
            out.append((_tag(key), None, _value(value)))
    for tag, items in inside.items():
        out.append((tag, None, {i: changes_of(c) for i, c in items.items()}))
    return out


def write_options(
    transfer_syntax: str | None = None,
    *,
    lossy: bool = False,
    proof: bool = True,
    basic_table_only: bool = False,
    extended_table: bool = False,
    uid_root: str | None = None,
    threads: int = 0,
) -> tuple[Any, ...]:
    """What all writers take.

    transfer_syntax: a UID or keyword ("HTJ2KLosslessRPCL"); None: as it is. lossy: allow a syntax that loses. proof: decode what was
    written and compare it with the source before the file gets its name. basic_table_only, extended_table: which offset table there is; by
    default the extended one only where the basic one might not do. threads: 0: those of mt.set_threads.
    """
    return (transfer_syntax, lossy, proof, basic_table_only, extended_table, uid_root, threads)
