"""Other decoders of DICOM pixels as judges of ours, file by file; what they disagree on, with the reason.

test_dicom_pixels.py asserts what stands here; tools/gen_dicom_pixel_table.py makes the table of doc/formats.md from the same.
SPDX-License-Identifier: Apache-2.0
"""

import contextlib
import logging
import re
import warnings
from collections import defaultdict

import microtome as mt
import numpy as np
import pydicom
from conftest import DATA
from pydicom.pixels import pixel_array
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut

FOLDERS = ("dicom", "wsi/highdicom", "wsi/gcp-wsi2dcm", "wsi/cptac")
OTHER = {".gz", ".icc", ".json", ".md", ".txt", ".dump"}
MOST_BYTES = 40 << 20  # larger files only repeat what others have

# Largest difference of a sample: inverse DCTs and irreversible wavelets are rounded differently by each decoder.
TOLERANCE = {"50": 2, "51": 2, "53": 2, "55": 2, "91": 1, "203": 1}

# file → (judges that are wrong or do not decode it, why). "*": all of them.
KNOWN = {
    "badVR.dcm": ("*", "NumberOfFrames is '1A', which pydicom refuses; taken as one frame, with a warning"),
    "liver_rle.dcm": ("*", "1-bit RLE: no judge decodes it; equals liver.dcm"),
    "liver_nonbyte_aligned_rle.dcm": (
        "*",
        "1-bit RLE: no judge decodes it; equals liver_nonbyte_aligned.dcm",
    ),
    "liver_deflate.dcm": ("*", "deflated frames: no judge decodes them; equals liver.dcm"),
    "liver_nonbyte_aligned_deflate.dcm": ("*", "deflated frames: no judge; equals liver_nonbyte_aligned.dcm"),
    "CTImage.dcm_JPEGProcess10_12TransferSyntax_1.2.840.10008.1.2.4.55.dcm": (
        "*",
        "12-bit progressive: no judge decodes it; equals the same picture as .51",
    ),
    "CTImage.dcm_JPEGProcess6_8TransferSyntax_1.2.840.10008.1.2.4.53.dcm": (
        "*",
        "12-bit spectral selection: no judge decodes it; equals the same picture as .51",
    ),
    "JPEG-lossy.dcm": ("*", "12-bit JPEG with damaged padding: no judge decodes it; close to JPEG-LL.dcm"),
}
# file → the error that is right; judges refuse them too.
REFUSED = {
    "MR_truncated.dcm": mt.CorruptError,  # fewer bytes than Rows × Columns say
    "JPEG2000-embedded-sequence-delimiter.dcm": mt.CorruptError,  # the size marker is overwritten
    "emri_small_jpeg_2k_lossless_too_short.dcm": mt.CorruptError,  # the last codestream is cut
}
# Same picture, other syntax: these must be equal, whatever judges say.
TWINS = [
    ("pydicom-data/liver.dcm", "pydicom-data/liver_rle.dcm"),
    ("pydicom-data/liver.dcm", "pydicom-data/liver_deflate.dcm"),
    ("pydicom-data/liver.dcm", "pydicom-data/liver_expb.dcm"),
    ("pydicom-data/liver.dcm", "pydicom-data/liver_j2k.dcm"),
    ("pydicom-data/liver_nonbyte_aligned.dcm", "pydicom-data/liver_nonbyte_aligned_rle.dcm"),
    ("pydicom-data/liver_nonbyte_aligned.dcm", "pydicom-data/liver_nonbyte_aligned_deflate.dcm"),
    ("pydicom-data/liver_nonbyte_aligned.dcm", "pydicom-data/liver_nonbyte_aligned_j2k.dcm"),
    ("pydicom-data/OBXXXX1A.dcm", "pydicom-data/OBXXXX1A_expb.dcm"),
    ("pydicom-data/OBXXXX1A.dcm", "pydicom-data/OBXXXX1A_rle.dcm"),
    ("pydicom-data/gdcm-US-ALOKA-16.dcm", "pydicom-data/gdcm-US-ALOKA-16_big.dcm"),
    ("pydicom-data/SC_rgb_32bit.dcm", "pydicom-data/SC_rgb_expb_32bit.dcm"),
    ("pydicom-data/SC_rgb_32bit.dcm", "pydicom/SC_rgb_rle_32bit.dcm"),
    ("pydicom-data/emri_small.dcm", "pydicom-data/emri_small_big_endian.dcm"),
    ("pydicom-data/emri_small.dcm", "pydicom-data/emri_small_RLE.dcm"),
    ("pydicom-data/emri_small.dcm", "pydicom-data/emri_small_jpeg_ls_lossless.dcm"),
    ("pydicom-data/emri_small.dcm", "pydicom-data/emri_small_jpeg_2k_lossless.dcm"),
    ("pydicom-data/MR2_UNCR.dcm", "pydicom-data/MR2_J2KR.dcm"),
    ("pydicom-data/US1_UNCR.dcm", "pydicom-data/US1_J2KR.dcm"),
    ("pydicom/MR_small.dcm", "pydicom/MR_small_RLE.dcm"),
    ("pydicom/MR_small.dcm", "pydicom/MR_small_jpeg_ls_lossless.dcm"),
    ("pydicom/MR_small.dcm", "pydicom/MR_small_jp2klossless.dcm"),
    ("pydicom/rtdose.dcm", "pydicom/rtdose_rle.dcm"),
]
# Values for measuring: pydicom knows the top level only.
OTHER_MODALITY = {
    "eCT_Supplemental.dcm": "rescale in the shared functional groups, which pydicom does not apply",
    "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm": "rescale in the functional groups",
}
# Palettes: pydicom reads 16-bit tables of big endian files in the machine's order.
OTHER_COLOR = {"OBXXXX1A_expb.dcm", "OBXXXX1A_expb_2frame.dcm"}


@contextlib.contextmanager
def quiet():
    """pydicom tells its own doubts about damaged files."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def files():
    """Every real file with pixel data (and Rows), as paths."""
    found = []
    for folder in FOLDERS:
        for p in sorted((DATA / folder).rglob("*")):
            if not p.is_file() or p.suffix in OTHER or p.stat().st_size > MOST_BYTES:
                continue
            try:
                ds = pydicom.dcmread(p, force=True, specific_tags=["Rows", "NumberOfFrames"], defer_size=64)
            except Exception:
                continue
            if "Rows" in ds:
                found.append(p)
    return found


def syntax(ds):
    """ "4.70" of 1.2.840.10008.1.2.4.70; "" for implicit little endian."""
    return mt_syntax(ds).removeprefix("1.2.840.10008.1.2").removeprefix(".")


def mt_syntax(ds):
    uid = getattr(ds, "file_meta", {}).get("TransferSyntaxUID")
    if uid:
        return str(uid)
    implicit, little = ds.original_encoding
    uid = "1.2.840.10008.1.2" + ("" if implicit else ".1" if little else ".2")
    if not hasattr(ds, "file_meta"):
        ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)
    return uid


def tolerance(ds):
    return TOLERANCE.get(syntax(ds).removeprefix("4."), 0)


def judges(ds):
    """[(name, array like pixels())]: every decoder that pydicom reaches and that decodes this, without F for one frame."""
    from pydicom.pixels import get_decoder

    out = []
    try:
        decoder = get_decoder(mt_syntax(ds))
    except NotImplementedError:
        return out
    for name in decoder.available_plugins if decoder.is_encapsulated else ("",):
        try:
            a = decoder.as_array(ds, decoding_plugin=name)[0] if name else pixel_array(ds)
        except Exception:
            continue
        out.append((name or "pydicom", a))
    return out


def shaped(ours, theirs):
    """theirs with the axis of frames."""
    return theirs if theirs.ndim == ours.ndim else theirs[None]


def compare(path):
    """(ours, {judge: largest difference}); raises what mt does."""
    ds = pydicom.dcmread(path, force=True)
    with quiet():
        ours = mt.dicom.read(path, force=True).pixels(
            raw=ds.get("PhotometricInterpretation") == "PALETTE COLOR"
        )
        found = {}
        for name, theirs in judges(ds):
            theirs = shaped(ours, theirs)
            if theirs.shape != ours.shape:
                found[name] = f"{theirs.shape} {theirs.dtype}"
            elif ours.dtype.kind == "f":
                found[name] = 0 if np.array_equal(ours, theirs, equal_nan=True) else np.inf
            else:
                found[name] = int(np.abs(ours.astype(np.int64) - theirs.astype(np.int64)).max())
    return ds, ours, found


def colors(ds, a):
    """pydicom's way from stored values to colours."""
    return apply_color_lut(a, ds) if ds.PhotometricInterpretation == "PALETTE COLOR" else a


def screen(ds, a):
    """pydicom's VOI in 0 … 255 as voi=True has it; None: it has none."""
    if not ds.PhotometricInterpretation.startswith("MONO"):
        return None
    out = None
    if "VOILUTSequence" in ds:
        bits = ds.VOILUTSequence[0].LUTDescriptor[2]
        out = apply_voi_lut(apply_modality_lut(a, ds), ds) * 255.0 / (2**bits - 1)
    elif ds.get("WindowCenter") is not None and "WindowWidth" in ds:
        half = 2 ** (ds.BitsStored - 1)
        lo, hi = (-half, half - 1) if ds.PixelRepresentation else (0, 2 * half - 1)
        if "RescaleSlope" in ds:
            lo, hi = (float(ds.RescaleSlope) * v + float(ds.RescaleIntercept) for v in (lo, hi))
        out = (apply_voi_lut(apply_modality_lut(a, ds), ds) - lo) / (hi - lo) * 255
    if out is not None and ds.PhotometricInterpretation == "MONOCHROME1":
        out = 255 - out
    return out


def table(paths):
    """{(syntax, photometric, depth): {judge: files that agree}} for the documentation."""
    rows = defaultdict(lambda: defaultdict(int))
    for path in paths:
        if path.name in REFUSED:
            continue
        try:
            ds, _, found = compare(path)
        except mt.Error:
            continue
        sign = "s" if ds.get("PixelRepresentation") else "u"
        depth = f"{ds.get('BitsStored', ds.BitsAllocated)}/{ds.BitsAllocated} {sign}"
        if "BitsStored" not in ds:
            depth = f"float{ds.BitsAllocated}"
        row = rows[mt_syntax(ds), re.sub("_(422|420)$", "", ds.PhotometricInterpretation), depth]
        for name, worst in found.items():
            if isinstance(worst, (int, float)) and worst <= tolerance(ds):
                row[name] += 1
        if not found:
            row["the same picture in another syntax"] += 1
    return rows
