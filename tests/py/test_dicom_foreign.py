"""DICOM files as other people's tools write them: DCMTK's converters and encoders, fragmented, padded, in every byte order, against the
known samples or DCMTK's own decoders; and the same files as images, whole and by box.

SPDX-License-Identifier: Apache-2.0
"""

import shutil
import subprocess
import warnings

import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

pytestmark = pytest.mark.skipif(not shutil.which("dcmcjpeg"), reason="DCMTK's tools are not here")


def picture(rng, shape, lo, hi):
    """A smooth picture with noise that reaches both ends."""
    f, h, w = shape[:3]
    z, y, x = np.mgrid[:f, :h, :w]
    s = (np.sin((x + 3 * z) / 7) + np.cos(y / 5))[..., None] + rng.normal(0, 0.1, (f, h, w, shape[3]))
    a = np.round(lo + (s - s.min()) / max(np.ptp(s), 1e-9) * (hi - lo)).astype(np.int64)
    return a if shape[3] > 1 else a[..., 0]


def save(path, a, bits, stored, signed, high=None):
    samples = a.shape[3] if a.ndim == 4 else 1
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientName, ds.PatientID, ds.Modality = "Someone^Secret", "SECRET77", "OT"
    ds.Rows, ds.Columns, ds.NumberOfFrames = *a.shape[1:3], a.shape[0]
    ds.SamplesPerPixel = samples
    ds.PhotometricInterpretation = "RGB" if samples > 1 else "MONOCHROME2"
    if samples > 1:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated, ds.BitsStored, ds.PixelRepresentation = bits, stored, int(signed)
    ds.HighBit = stored - 1 if high is None else high
    word = (a.astype(np.uint64) & np.uint64((1 << stored) - 1)) << np.uint64(ds.HighBit + 1 - stored)
    b = word.astype(f"<u{bits // 8}").tobytes()
    ds.add_new(0x7FE00010, "OB" if bits == 8 else "OW", b + b"\0" * (len(b) % 2))
    ds.save_as(path, enforce_file_format=True)


def tool(command, source, to):
    done = subprocess.run(
        [*command.split(), str(source), str(to)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return to


def pixels(path, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mt.errors.PixelWarning)
        return mt.dicom.read(path).pixels(**how)


# name → (shape, bits allocated, stored, signed, high bit)
SOURCES = {
    "ct": ((3, 37, 41, 1), 16, 12, True, None),
    "full": ((2, 64, 48, 1), 16, 16, False, None),
    "odd": ((3, 1, 29, 1), 8, 8, False, None),
    "narrow": ((2, 29, 1, 1), 16, 10, False, None),
    "rgb": ((2, 23, 31, 3), 8, 8, False, None),
    "above": ((2, 37, 41, 1), 16, 12, True, 15),
    "within": ((2, 37, 41, 1), 16, 10, False, 12),
}
CONVERT = [
    "dcmconv +te -e +g +p 512 64",
    "dcmconv +tb -e",
    "dcmconv +ti +e",
    "dcmconv +td",
    "dcmconv +tg",
    "dcmconv +ti -F",
    "dcmconv +te -F",
    "dcmconv +tb -F",
]
LOSSLESS = [
    "dcmcjpeg +e1 +fs 1 -ot",
    "dcmcjpeg +e1 +fs 1",
    *(f"dcmcjpeg +el +sv {k}" for k in range(1, 8)),
    "dcmcjpls +el +fs 1 -ot",
    "dcmcjpls +el +pz",
    "dcmcrle +fs 1 -ot",
    "dcmcrle +fs 1",
]


@pytest.mark.parametrize("command", CONVERT + LOSSLESS)
@pytest.mark.parametrize("name", SOURCES)
def test_lossless_tools_keep_every_sample(rng, tmp_path, name, command):
    shape, bits, stored, signed, high = SOURCES[name]
    lo, hi = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if signed else (0, (1 << stored) - 1)
    truth = picture(rng, shape, lo, hi)
    save(tmp_path / "a.dcm", truth, bits, stored, signed, high)
    path = tool(command, tmp_path / "a.dcm", tmp_path / "b.dcm")
    ours = pixels(path)
    assert ours.dtype == np.dtype(f"{'i' if signed else 'u'}{bits // 8}") and np.array_equal(ours, truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        im = mt.open(path)
        whole = np.asarray(im.read())
        box = tuple((n // 3, n - n // 4) for n in whole.shape)
        part = np.asarray(im.read(box))
    assert np.array_equal(np.sort(whole, axis=None), np.sort(truth, axis=None))
    assert np.array_equal(part, whole[tuple(slice(*b) for b in box)])


@pytest.mark.parametrize("command", ["+ee", "+es", "+ep", "+eb", "+el +sv 4 +pt 3", "+e1 +pt 1"])
@pytest.mark.parametrize("name", ["ct", "odd", "narrow"])
def test_lossy_jpeg_equals_dcmtks_decoder(rng, tmp_path, name, command):
    """12-bit progressive and spectral selection too, which no decoder of pydicom reads."""
    shape, bits, stored, _, _ = SOURCES[name]
    save(tmp_path / "a.dcm", picture(rng, shape, 0, (1 << stored) - 1), bits, stored, False)
    path = tool("dcmcjpeg " + command, tmp_path / "a.dcm", tmp_path / "b.dcm")
    judge = pydicom.dcmread(tool("dcmdjpeg", path, tmp_path / "c.dcm")).pixel_array
    ours = pixels(path)
    assert np.abs(ours.astype(int) - judge.reshape(ours.shape)).max() <= (0 if "pt" in command else 2)


@pytest.mark.parametrize("command", ["+en", "+en +md 5", "+en +fs 1 -ot"])
@pytest.mark.parametrize("name", ["ct", "full"])
def test_near_lossless_equals_dcmtks_decoder(rng, tmp_path, name, command):
    shape, bits, stored, _, _ = SOURCES[name]
    truth = picture(rng, shape, 0, (1 << stored) - 1)
    save(tmp_path / "a.dcm", truth, bits, stored, False)
    path = tool("dcmcjpls " + command, tmp_path / "a.dcm", tmp_path / "b.dcm")
    judge = pydicom.dcmread(tool("dcmdjpls", path, tmp_path / "c.dcm")).pixel_array
    ours = pixels(path)
    assert np.array_equal(ours, judge.reshape(ours.shape))
    assert np.abs(ours.astype(int) - truth).max() <= 5


@pytest.mark.parametrize(
    "command", ["+eb", "+eb +s4", "+eb +cr", "+eb +n1", "+eb +n2", "+eb +np -ho", "+ep +be"]
)
def test_jpeg_colors_equal_dcmtks_decoder(rng, tmp_path, command):
    """As samples, without colour conversion; chroma is put on the fine grid by other filters, so a smooth picture and the mean."""
    truth = picture(rng, (1, 48, 64, 3), 40, 215)
    save(tmp_path / "a.dcm", truth, 8, 8, False)
    path = tool("dcmcjpeg " + command, tmp_path / "a.dcm", tmp_path / "b.dcm")
    judge = pydicom.dcmread(tool("dcmdjpeg +cn", path, tmp_path / "c.dcm"))
    judge = np.asarray(judge.PixelData).reshape(-1) if isinstance(judge.PixelData, np.ndarray) else judge
    theirs = pydicom.pixels.pixel_array(judge, raw=True)
    ours = pixels(path, raw=True)
    assert np.abs(ours.astype(int) - theirs.reshape(ours.shape)).max() <= 2
    assert np.abs(pixels(path).astype(float) - truth).mean() < 12


def test_word_order_of_the_private_ge_syntax_survives_writing(rng, tmp_path):
    truth = picture(rng, (2, 11, 13, 1), -2048, 2047)
    save(tmp_path / "a.dcm", truth, 16, 12, True)
    path = tool("dcmconv +tg", tmp_path / "a.dcm", tmp_path / "b.dcm")
    assert mt.dicom.read(path).transfer_syntax == "1.2.840.113619.5.2" and not mt.dicom.read(path).warnings
    for uid in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.90", "1.2.840.113619.5.2"):
        mt.dicom.transcode(path, tmp_path / "c.dcm", uid)
        assert np.array_equal(pixels(tmp_path / "c.dcm"), truth)
        back = tool("dcmconv +te", tmp_path / "c.dcm", tmp_path / "d.dcm") if "4.90" not in uid else None
        if back:
            assert np.array_equal(pydicom.dcmread(back).pixel_array, truth)
            back.unlink()
        (tmp_path / "c.dcm").unlink()


@pytest.mark.parametrize("command", LOSSLESS)
def test_cut_files_never_give_pixels_or_patients(rng, tmp_path, command):
    truth = picture(rng, (3, 37, 41, 1), 0, 4095)
    save(tmp_path / "a.dcm", truth, 16, 12, False)
    b = tool(command, tmp_path / "a.dcm", tmp_path / "b.dcm").read_bytes()
    for keep in (len(b) - 200, len(b) * 2 // 3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(mt.Error) as e:
                mt.dicom.read(b[:keep]).pixels()
        said = str(e.value)
        assert "\n" not in said and "Secret" not in said and "SECRET77" not in said
