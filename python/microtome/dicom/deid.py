"""De-identification of DICOM data sets by PS3.15 annex E: mt.dicom.deidentify.

    made, report = mt.dicom.deidentify("slice.dcm", secret=key, options=["shift_dates", "clean_descriptors"])
    made.save("clean.dcm")
    report.changes, report.warnings

UIDs, pseudonyms and the days by which dates move are functions of the secret and the old value alone, so files of one patient or study
stay together, in one run or many. Pixels are not looked at: report.warnings says when they may show who it is.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .. import _core
from ..errors import InvalidError
from .dataset import Dataset, read

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable


__all__ = ["OPTIONS", "Report", "deidentify"]

# The options of table E.1-1 and their bits in microtome/dicom.h.
OPTIONS = {
    "retain_uids": 1,
    "retain_device": 2,
    "retain_institution": 4,
    "retain_patient": 8,
    "retain_dates": 16,
    "shift_dates": 32,
    "clean_descriptors": 64,
    "clean_structured": 128,
    "clean_graphics": 256,
    "retain_safe_private": 512,
}


class Report(NamedTuple):
    """What was done, without values.

    changes: (path, action) of every element that changed: X removed, Z emptied, D dummy, U UID replaced, C cleaned, S date shifted, P
    private removed. warnings: what could not be done, one sentence each.
    """

    changes: list[tuple[str, str]]
    warnings: list[str]

    def __len__(self) -> int:
        return len(self.changes)


def _flags(options: Iterable[str]) -> int:
    flags = 0
    for name in options:
        if name not in OPTIONS:
            raise InvalidError(
                f"there is no de-identification option {name!r}; there are {', '.join(OPTIONS)}"
            )
        flags |= OPTIONS[name]
    return flags


def deidentify(
    source: Dataset | str | os.PathLike[str] | bytes,
    secret: bytes | str,
    options: Iterable[str] = (),
    *,
    patient_id: str | None = None,
    patient_name: str | None = None,
    safe_private: Iterable[str] = (),
    uid_root: str | None = None,
    shift_days: int = 3650,
) -> tuple[Dataset, Report]:
    """A data set without its patient, by the basic profile of PS3.15 table E.1-1 and these options of it, and what was done.

    secret: 1 to 4096 bytes, kept by whoever may link the results to the patients. options: retain_uids, retain_device,
    retain_institution, retain_patient (characteristics), retain_dates or shift_dates (back by 1 … shift_days days, the same for all of a
    patient), clean_descriptors, clean_structured, clean_graphics, retain_safe_private. patient_id, patient_name: replacements; default a
    pseudonym. safe_private: more private attributes that may stay, as "creator|ggggee". uid_root: of new UIDs; default "2.25.".
    Attributes that the table does not name stay, but for names, dates, UIDs of instances, and tags that PS3.6 does not have.
    Errors: InvalidError (options), those of mt.dicom.read.
    """
    dataset = source if isinstance(source, Dataset) else read(source)
    key = secret.encode() if isinstance(secret, str) else secret
    made, told = _core.dicom_deidentify(
        dataset._core,
        key,
        _flags(options),
        patient_id,
        patient_name,
        list(safe_private),
        uid_root,
        shift_days,
    )
    return Dataset(made), Report(*told)
