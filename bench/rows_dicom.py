"""Rows of DICOM: what its frames are coded in, beside JPEG 2000: lossless JPEG (.57, .70), 12-bit JPEG (.51), RLE, JPEG-LS, baseline.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import rows_dicom_scan
import rows_dicom_write
import rows_series
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


def by_pydicom(data, a):
    """pydicom's own RLE coder, which gives bytes."""
    from pydicom.pixels.decoders.rle import _rle_decode_frame

    samples = a.shape[2] if a.ndim == 3 else 1
    return lambda: _rle_decode_frame(data, a.shape[0], a.shape[1], samples, 8 * a.itemsize)


def rle_rows():
    for name, a in images().items():
        data, out = mt.codec.encode(a, codec="rle"), np.empty_like(a)
        rle = maybe("rle")
        peers = {"pydicom": by_pydicom(data, a)} if pydicom else {}
        if rle:
            samples = a.shape[2] if a.ndim == 3 else 1
            peers["pylibjpeg-rle"] = lambda d=data, a=a, n=samples, r=rle: r.rle.decode_frame(
                d, a.shape[0] * a.shape[1], 8 * a.itemsize, "<"
            )
        yield Row(
            f"{name} {a.shape[1]}×{a.shape[0]}, RLE decode",
            lambda d=data, o=out: mt.codec.decode(d, codec="rle", shape=o.shape, dtype=o.dtype, out=o),
            peers,
            {"pydicom": 10},
            samples=a.size,
        )


def library_rows():
    """JPEG-LS and baseline: the libraries are the peers' too, so the rows show what the way to them costs."""
    if not imagecodecs:
        return
    for name, a in images().items():
        b = a.view(f"u{a.itemsize}")
        data, out = mt.codec.encode(b, codec="jpegls"), np.empty_like(b)
        yield Row(
            f"{name}, .80 decode",
            lambda d=data, o=out: mt.codec.decode(d, out=o),
            {"CharLS": lambda d=data, o=out: imagecodecs.jpegls_decode(d, out=o)},
            samples=a.size,
        )
        if a.dtype == np.uint8:
            data = mt.codec.encode(a, codec="jpeg", quality=90)
            yield Row(
                f"{name}, .50 decode to RGB",
                lambda d=data, o=out: mt.codec.decode(d, to_rgb=True, out=o),
                {"libjpeg-turbo": lambda d=data, o=out: imagecodecs.jpeg8_decode(d, out=o)},
                samples=a.size,
            )


def rows():
    yield from rows_dicom_scan.rows()
    yield from rows_series.rows()
    yield from rows_dicom_write.rows()
    yield from rle_rows()
    yield from library_rows()
    yield from lossless_rows()
    yield from extended_rows()
