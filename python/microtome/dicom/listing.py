"""What lies in folders of DICOM files: patients, studies, series, by their headers alone.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Path = str | bytes | os.PathLike[str]

__all__ = ["Listing", "Series", "scan"]

_SERIES = (
    "patient_id",
    "patient_name",
    "study_uid",
    "study_date",
    "study_description",
    "series_uid",
    "series_description",
    "series_number",
    "modality",
    "rows",
    "columns",
    "transfer_syntax",
)


class Series:
    """One series of a listing: mt.open(series.paths) is its volume.

    patient_id, patient_name, study_uid, study_date ("20240131"), study_description, series_uid, series_description,
    series_number, modality, rows, columns, transfer_syntax (those of the first instance; None or "" where it has none), instances
    (dicts, by instance number), paths, frames and file_bytes (sums). len(series): how many instances.
    """

    def __init__(self, instances: list[dict[str, Any]]) -> None:
        self.instances = instances
        for name in _SERIES:
            setattr(self, name, instances[0][name])

    @property
    def paths(self) -> list[str]:
        """The files, by instance number."""
        return [x["path"] for x in self.instances]

    @property
    def frames(self) -> int:
        """Frames of all instances; one where an instance does not say."""
        return sum(x["frames"] or 1 for x in self.instances)

    @property
    def file_bytes(self) -> int:
        """Size of all files."""
        return sum(x["file_bytes"] for x in self.instances)

    def as_dict(self) -> dict[str, Any]:
        """All but the instances: a row of a table."""
        sums = {"instances": len(self.instances), "frames": self.frames, "file_bytes": self.file_bytes}
        return {name: getattr(self, name) for name in _SERIES} | sums

    def __len__(self) -> int:
        return len(self.instances)

    def __repr__(self):  # no name, id or date: it may end in a log
        return f"<microtome.dicom.Series {self.modality or '?'} {len(self)} instances {self.rows} × {self.columns}>"


class Listing:
    """What mt.dicom.scan found, sorted by patient, study (date, UID), series (number, UID), instance number and path.

    series: list of Series; instances: list of dicts, one per file; skipped: (path, why) of files that are no DICOM or damaged, and
    of what could not be listed. Iterating gives the series. pandas: DataFrame(listing.instances), or DataFrame(listing.rows()).
    """

    def __init__(
        self,
        instances: list[dict[str, Any]],
        series: tuple[int, ...],
        studies: tuple[int, ...],
        patients: tuple[int, ...],
        skipped: list[tuple[str, str]],
    ) -> None:
        self.instances, self.skipped = instances, skipped
        self.series = [Series(instances[a:b]) for a, b in zip(series[:-1], series[1:], strict=True)]
        self.n_studies, self.n_patients = len(studies) - 1, len(patients) - 1

    def rows(self) -> list[dict[str, Any]]:
        """One dict per series, without its instances."""
        return [s.as_dict() for s in self.series]

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(self, i: int) -> Series:
        return self.series[i]

    def __repr__(self):
        return (
            f"<microtome.dicom.Listing of {self.n_patients} patients, {self.n_studies} studies, {len(self)} series, "
            f"{len(self.instances)} instances; {len(self.skipped)} skipped>"
        )


def scan(paths: Path | Iterable[Path], threads: int = 0) -> Listing:
    """Reads the headers of DICOM files, and of all files below folders, side by side; pixel data is not touched.

    paths: a file or folder, or several. Links are followed, names that begin with a dot are left out. threads: that read; 0: those of
    mt.set_threads. Errors: NotFoundError, AccessError (a given path); what is wrong below folders is in Listing.skipped.
    """
    if threads < 0:
        raise InvalidError(f"threads is {threads}")
    given = [paths] if isinstance(paths, (str, bytes, os.PathLike)) else list(paths)
    return Listing(*_core.dicom_scan(given, threads))
