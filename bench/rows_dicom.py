"""Rows of DICOM: what its frames are coded in, beside JPEG 2000: lossless JPEG (.57, .70) and 12-bit JPEG (.51).

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import rows_dicom_scan
from data import DATA
from harness import Row
from peers import maybe
from rows_codec import images

imagecodecs, libjpeg, gdcm, pydicom = (maybe(n) for n in ("imagecodecs", "libjpeg", "gdcm", "pydicom"))
LJ92, PYLIBJPEG, GDCM = "liblj92", "pylibjpeg", "gdcm"
SYNTAX = "1.2.840.10008.1.2.4."
CT_51 = "dicom/cornerstone/CTImage.dcm_JPEGProcess2_4TransferSyntax_1.2.840.10008.1.2.4.51.dcm"


def by_gdcm(data, shape):
    """Through pydicom, which gives GDCM's bindings a frame."""
    d = pydicom.Dataset()
    d.file_meta = pydicom.dataset.FileMetaDataset()
    d.file_meta.TransferSyntaxUID = SYNTAX + "70"
    d.Rows, d.Columns, d.SamplesPerPixel, d.PhotometricInterpretation = *shape, 1, "MONOCHROME2"
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 0
    d.PixelData = pydicom.encaps.encapsulate([data])
    d["PixelData"].VR = "OB"
    decoder = pydicom.pixels.get_decoder(SYNTAX + "70")
    return lambda: decoder.as_array(d, decoding_plugin="gdcm", raw=True)


def lossless_rows():
    for name, a in images().items():
        if a.ndim != 2 or a.dtype.itemsize != 2:
            continue
        a = a.view(np.uint16)
        data, out = mt.codec.encode(a, codec="jpeg"), np.empty_like(a)
        peers = {}
        if imagecodecs:
            peers[LJ92] = lambda d=data, o=out: imagecodecs.ljpeg_decode(d, out=o)
        if libjpeg:
            peers[PYLIBJPEG] = lambda d=data: libjpeg.decode(d)
        if gdcm and pydicom:
            peers[GDCM] = by_gdcm(data, a.shape)
        yield Row(
            f"{name} {a.shape[1]}×{a.shape[0]}, .70 decode",
            lambda d=data, o=out: mt.codec.decode(d, out=o),
            peers,
            {LJ92: 1.5},
            samples=a.size,
        )
        yield Row(
            f"{name}, .70 encode ({len(data)} bytes)",
            lambda a=a: mt.codec.encode(a, codec="jpeg"),
            {LJ92: lambda a=a: imagecodecs.ljpeg_encode(a, bitspersample=16)} if imagecodecs else {},
            {LJ92: 1},
            samples=a.size,
        )


def extended_rows():
    if not pydicom or not (DATA / CT_51).is_file():
        return
    d = pydicom.dcmread(DATA / CT_51)
    data = next(pydicom.encaps.generate_frames(d.PixelData, number_of_frames=1))
    out = np.empty((d.Rows, d.Columns), np.uint16)
    yield Row(
        f"CT {d.Columns}×{d.Rows} of 12 bits, .51 decode",
        lambda: mt.codec.decode(data, out=out),
        {PYLIBJPEG: lambda: libjpeg.decode(data)} if libjpeg else {},
        {PYLIBJPEG: 3},
        samples=out.size,
    )


def rows():
    yield from rows_dicom_scan.rows()
    yield from lossless_rows()
    yield from extended_rows()
