"""Making and writing DICOM data sets; microtome.dicom shows these functions.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import pathlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _core
from .errors import Error, InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .dicom import Dataset

    Path = str | os.PathLike[str]
    Changes = Mapping[Any, Any]

__all__ = [
    "Segment",
    "changes_of",
    "new",
    "new_uid",
    "options",
    "save",
    "transcode",
    "write_seg",
    "write_series",
]

NESTED = re.compile(r"^([^\[\].]+)\[(\d+)\]\.(.+)$")


class Segment(NamedTuple):
    """What a value of a label volume stands for. category, type: (code value, scheme, meaning), as of SNOMED CT or DICOM; None: tissue.

    algorithm: the name of what drew it; None: a person did.
    """

    value: int
    label: str = ""
    category: tuple[str, str, str] | None = None
    type: tuple[str, str, str] | None = None
    algorithm: str | None = None


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


def new(values: Changes) -> Dataset:
    """A data set of {"PatientID": "x", "ReferencedStudySequence": [{…}, …]}.

    Keys are keywords, "00100020", tags or (group, element); values text, numbers, bytes, lists of them, or of dicts for the items of a
    sequence; (VR, value) where the dictionary does not say the VR. Errors: InvalidError (a value its VR does not allow).
    """
    from .dicom import Dataset

    return Dataset(_core.dicom_build(None, changes_of(values)))


def new_uid(root: str | None = None) -> str:
    """A new UID under root, which ends in a dot; None: "2.25." and a UUID (PS3.5 B.2)."""
    return _core.dicom_uid_new(root)


def options(
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
    default the extended one only where the basic one might not do. threads: 0 one per
    CPU.
    """
    return (transfer_syntax, lossy, proof, basic_table_only, extended_table, uid_root, threads)


def save(dataset: Dataset, path: Path, transfer_syntax: str | None = None, **more: Any) -> None:
    """See Dataset.save."""
    _core.dicom_write(dataset._core, os.fspath(path), options(transfer_syntax, **more))


def transcode(source: Path, to: Path, transfer_syntax: str, **more: Any) -> dict[str, Error]:
    """A file, or every DICOM file below a folder, in another transfer syntax, with all else in the header as it is.

    Lossless syntaxes are proved by decoding both. A folder's files keep their names below `to`. Returns the files that failed with their
    errors (of a folder; a single file raises). Files that are no DICOM are left out. more: see options.
    """
    from .dicom import read

    if not pathlib.Path(source).is_dir():
        save(read(source), to, transfer_syntax, **more)
        return {}
    failed = {}
    for path in sorted(p for p in pathlib.Path(source).rglob("*") if p.is_file()):
        target = pathlib.Path(to) / path.relative_to(source)
        try:
            dataset = read(path)
        except Error:
            continue
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            save(dataset, target, transfer_syntax, **more)
        except Error as e:
            failed[str(path)] = e
    return failed


def write_series(
    folder: Path,
    volume: Any,
    affine: Any = None,
    *,
    like: Dataset | Path | None = None,
    description: str | None = None,
    patient_id: str | None = None,
    quantize: bool = False,
    transfer_syntax: str | None = None,
    **more: Any,
) -> float:
    """A volume [Z, Y, X], [Y, X] or uint8 [Z, Y, X, 3] as new DICOM instances in a new or empty folder, one per slice.

    affine: 4×4, voxel (x, y, z) → mm RAS+; its axes must be orthogonal. like: a data set (or file) whose patient, study and frame of
    reference are kept; from a CT or MR image the new ones are such too, else secondary captures. quantize: values that 16 bits do not hold
    are rounded to 65536 steps. Returns how far a value may be from what was given (0: exact). Errors: InvalidError, ConflictError.
    """
    from .dicom import read

    if like is not None and not hasattr(like, "_core"):
        like = read(like, stop_before_pixels=True)
    return _core.dicom_write_series(
        os.fspath(folder),
        volume,
        affine,
        None if like is None else like._core,
        description,
        patient_id,
        quantize,
        options(transfer_syntax, **more),
    )


def write_seg(
    path: Path,
    labels: Any,
    source: Path | Sequence[Path],
    segments: Sequence[Segment] | None = None,
    *,
    fractional: bool = False,
    keep_empty: bool = False,
    description: str | None = None,
    transfer_syntax: str | None = None,
    **more: Any,
) -> None:
    """A DICOM segmentation object of labels [Z, Y, X] that lie on a series; fractional: [S, Z, Y, X] in 0 … 1.

    source: the series' files, slice by slice in the labels' order, or one multi-frame file. segments: what the values mean, by default
    one per value; values that none names are left out. keep_empty: frames without a voxel too. Errors: InvalidError.
    """
    files = (source,) if isinstance(source, (str, os.PathLike)) else tuple(source)
    _core.dicom_write_seg(
        os.fspath(path),
        labels,
        files,
        None if segments is None else tuple(tuple(Segment(*s)) for s in segments),
        fractional,
        keep_empty,
        description,
        options(transfer_syntax, **more),
    )
