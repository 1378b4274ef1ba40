"""Rows of DICOM series: a folder of slices as a float32 volume with its geometry.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
from data import DATA
from harness import Row
from peers import maybe, monai, present, sitk, tio

pydicom = maybe("pydicom")
FOLDER = DATA / "mr-t1"


def by_hand():
    """What users of pydicom write: read, sort by the place on the normal, stack."""
    slices = [pydicom.dcmread(p) for p in FOLDER.iterdir()]
    normal = np.cross(slices[0].ImageOrientationPatient[:3], slices[0].ImageOrientationPatient[3:])
    slices.sort(key=lambda d: np.dot(normal, d.ImagePositionPatient))
    out = np.empty((len(slices), slices[0].Rows, slices[0].Columns), np.float32)
    for a, d in zip(out, slices, strict=True):
        a[:] = d.pixel_array
    return out


def by_sitk():
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(FOLDER)))
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return sitk.GetArrayFromImage(reader.Execute())


def rows():
    if not FOLDER.is_dir():
        raise SystemExit("bench: no DICOM series found; set MICROTOME_DATA to a folder with mr-t1")
    n = len(list(FOLDER.iterdir()))
    name = f"DICOM series of {n} × 512² → float32 with geometry"
    peers = {"pydicom by hand": (pydicom, by_hand), "SimpleITK": (sitk, by_sitk)}
    if monai:
        load = monai.transforms.LoadImage(image_only=True, dtype=np.float32, reader="PydicomReader")
        peers["MONAI"] = (pydicom, lambda: load(str(FOLDER)))
    peers["TorchIO"] = (tio, lambda: tio.ScalarImage(FOLDER).load())
    yield Row(
        name,
        lambda: mt.open(FOLDER).read(dtype="float32"),
        present(peers),
        {"pydicom by hand": 5, "SimpleITK": 5},
        most_ms=27,
        bytes_out=n * 512 * 512 * 4,
        budget_s=20,
    )
    yield Row(
        f"{name}, 2 threads",
        lambda: mt.open(FOLDER).read(dtype="float32"),
        threads=2,
        scales=(name, 1.8),
        bytes_out=n * 512 * 512 * 4,
        budget_s=8,
    )
