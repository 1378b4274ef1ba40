"""Frames of encapsulated and native pixel data against pydicom.encaps, on generated files and on all of the data folder; tables that
wrap at 4 GiB; many frames.

SPDX-License-Identifier: Apache-2.0
"""

import struct

import microtome as mt
import numpy as np
import pydicom
import pytest
from conftest import DATA
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames

JPEG, NATIVE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1"
RNG = np.random.default_rng(3)


def header(frames, syntax=JPEG, rows=3, columns=5):
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7.2", "1.2.3"
    ds.Rows, ds.Columns, ds.NumberOfFrames, ds.SamplesPerPixel = rows, columns, frames, 1
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.PhotometricInterpretation = 7, 0, "MONOCHROME2"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    return ds


def streams(n, longest=300):
    return [
        b"\xff\xd8\xff" + bytes(RNG.integers(0, 254, RNG.integers(30, longest), np.uint8)) + b"\xff\xd9"
        for _ in range(n)
    ]


def frames_of(path, n):
    ds = mt.dicom.read(path)
    return [ds.frame_bytes(i) for i in range(n)]


@pytest.mark.parametrize("n", [1, 2, 7, 1500])
@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("table", ["basic", "none", "extended"])
def test_encapsulated(tmp_path, n, fragments, table):
    if table == "extended" and fragments > 1:
        pytest.skip("an extended table is of whole frames")
    frames, ds = streams(n), header(n)
    if table == "extended":
        ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        ds.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=table == "basic")
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    theirs = list(generate_frames(ds.PixelData, number_of_frames=n))
    ours = frames_of(tmp_path / "x.dcm", n)
    assert ours == theirs
    assert [f.rstrip(b"\0") for f in ours] == frames


def test_beyond_four_gibibytes(tmp_path):
    """Sparse: three items that begin at 0, 3 GiB and 6 GiB; the last offset has lost its upper half."""
    path, gib3 = tmp_path / "large.dcm", 3 << 30
    ds = header(3)
    ds.PixelData = encapsulate([b"ab"])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(path, enforce_file_format=True)
    data = path.read_bytes()
    start = data.index(b"\xe0\x7f\x10\x00OB") + 12
    with path.open("wb") as f:
        f.write(data[:start] + struct.pack("<HHI", 0xFFFE, 0xE000, 12))
        f.write(struct.pack("<3I", 0, gib3, (2 * gib3) & 0xFFFFFFFF))
        base = f.tell()
        for i, size in enumerate((gib3 - 8, gib3 - 8, 4)):
            f.seek(base + i * gib3)
            f.write(struct.pack("<HHI", 0xFFFE, 0xE000, size))
        f.write(b"last" + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))
    assert mt.dicom.read(path).frame_bytes(2) == b"last"


def test_shared_out_wrongly(tmp_path):
    ds = header(3)
    ds.PixelData = encapsulate([b"ab" * 9, b"cd" * 9], has_bot=False)
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    with pytest.raises(mt.CorruptError, match="2 fragments cannot be shared out among 3 frames"):
        mt.dicom.read(tmp_path / "x.dcm").frame_bytes(0)


def test_native(tmp_path):
    ds = header(4, NATIVE)
    ds.PixelData = bytes(range(60))
    ds["PixelData"].VR = "OB"
    ds.save_as(tmp_path / "x.dcm", enforce_file_format=True)
    assert frames_of(tmp_path / "x.dcm", 4) == [bytes(range(15 * i, 15 * i + 15)) for i in range(4)]
    with pytest.raises(mt.InvalidError, match="no frame 4"):
        mt.dicom.read(tmp_path / "x.dcm").frame_bytes(4)


@pytest.mark.skipif(not (DATA / "dicom").is_dir(), reason="no data folder")
def test_every_file():
    compared = 0
    for path in sorted(p for p in (DATA / "dicom").rglob("*") if p.is_file() and p.stat().st_size < 30 << 20):
        try:
            ds = pydicom.dcmread(path)
            if not ds["PixelData"].is_undefined_length:
                continue
            n = int(ds.get("NumberOfFrames", 1) or 1)
            theirs = list(generate_frames(ds.PixelData, number_of_frames=n))
        except Exception:  # no DICOM, no pixels, or nothing to compare with
            continue
        if len(theirs) != n:
            continue
        assert frames_of(path, n) == theirs, path.name
        compared += 1
    assert compared > 20
