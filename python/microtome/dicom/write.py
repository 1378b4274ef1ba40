"""Writing: new data sets, other transfer syntaxes, volumes as series, label volumes as segmentation objects.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import _core
from ..errors import Error, InvalidError
from .changes import Changes, changes_of, write_options
from .dataset import Dataset, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    Path = str | os.PathLike[str]

__all__ = ["Segment", "new", "new_uid", "transcode", "write_seg", "write_series"]


class Segment(NamedTuple):
    """What a value of a label volume stands for. category, type: (code value, scheme, meaning), as of SNOMED CT or DICOM; None: tissue.

    algorithm: the name of what drew it; None: a person did.
    """

    value: int
    label: str = ""
    category: tuple[str, str, str] | None = None
    type: tuple[str, str, str] | None = None
    algorithm: str | None = None


def new(values: Changes) -> Dataset:
    """A data set of {"PatientID": "x", "ReferencedStudySequence": [{…}, …]}.

    Keys are keywords, "00100020", tags or (group, element); values text, numbers, bytes, lists of them, or of dicts for the items of a
    sequence; (VR, value) where the dictionary does not say the VR. Errors: InvalidError (a value its VR does not allow).
    """
    return Dataset(_core.dicom_build(None, changes_of(values)))


def new_uid(root: str | None = None) -> str:
    """A new UID under root, which ends in a dot; None: "2.25." and a UUID (PS3.5 B.2)."""
    return _core.dicom_uid_new(root)


def transcode(source: Path, to: Path, transfer_syntax: str, **more: Any) -> dict[str, Error]:
    """A file, or every DICOM file below a folder, in another transfer syntax, with all else in the header as it is.

    Lossless syntaxes are proved by decoding both. A folder's files keep their names below `to`. Returns the files that failed with their
    errors (of a folder; a single file raises). Files that are no DICOM are left out. more: see Dataset.save.
    """
    if not pathlib.Path(source).is_dir():
        read(source).save(to, transfer_syntax, **more)
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
            dataset.save(target, transfer_syntax, **more)
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
    if like is not None and not isinstance(like, Dataset):
        like = read(like, stop_before_pixels=True)
    return _core.dicom_write_series(
        os.fspath(folder),
        volume,
        affine,
        None if like is None else like._core,
        description,
        patient_id,
        quantize,
        write_options(transfer_syntax, **more),
    )


def write_seg(
    path: Path,
    labels: Any,
    source: Path | Sequence[Path],
    segments: Sequence[Segment] | None = None,
    *,
    fractional: bool = False,
    label_map: bool = False,
    keep_empty: bool = False,
    description: str | None = None,
    transfer_syntax: str | None = None,
    **more: Any,
) -> None:
    """A DICOM segmentation object of labels [Z, Y, X] that lie on a series; fractional: [S, Z, Y, X] in 0 … 1.

    label_map: one frame per slice that holds the labels, 1 to 65535, as they are (Label Map Segmentation, which is younger than most
    readers) instead of one per segment and slice.

    source: the series' files, slice by slice in the labels' order, or one multi-frame file. segments: what the values mean, by default
    one per value; values that none names are left out. keep_empty: frames without a voxel too. Errors: InvalidError.
    """
    if fractional and label_map:
        raise InvalidError("a segmentation is fractional or a label map, not both")
    files = (source,) if isinstance(source, (str, os.PathLike)) else tuple(source)
    _core.dicom_write_seg(
        os.fspath(path),
        labels,
        files,
        None if segments is None else tuple(tuple(Segment(*s)) for s in segments),
        "fractional" if fractional else "label_map" if label_map else "binary",
        keep_empty,
        description,
        write_options(transfer_syntax, **more),
    )
