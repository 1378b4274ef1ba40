"""JPEG of 2 to 16 bits (ITU-T T.81): lossless against liblj92, jpegsof3, libjpeg, GDCM and DCMTK, both ways; 12-bit sequential and
progressive against DCMTK and libjpeg; real files; damage.

SPDX-License-Identifier: Apache-2.0
"""

import shutil
import subprocess

import imagecodecs
import microtome as mt
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

SYNTAX = "1.2.840.10008.1.2.4."
SHAPES = [(1, 1), (1, 50), (50, 1), (33, 47), (31, 300)]


def noise(rng, shape, bits):
    """Waves with noise, and a patch of all values."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    a = (np.sin(x / 9) + np.cos(y / 7) + 2) / 4 * (1 << bits) + rng.normal(0, (1 << bits) / 64, shape[:2])
    a[: shape[0] // 3, : shape[1] // 3] = rng.integers(0, 1 << bits, (shape[0] // 3, shape[1] // 3))
    a = a.clip(0, (1 << bits) - 1).astype(np.uint8 if bits <= 8 else np.uint16)
    return a if len(shape) == 2 else np.stack([np.roll(a, k, 1) for k in range(shape[2])], -1)


def data_set(a, bits, syntax="1.2.840.10008.1.2.1", pixels=None):
    d = pydicom.Dataset()
    d.file_meta = pydicom.dataset.FileMetaDataset()
    d.file_meta.TransferSyntaxUID = syntax
    d.file_meta.MediaStorageSOPClassUID = d.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    d.file_meta.MediaStorageSOPInstanceUID = d.SOPInstanceUID = "1.2.3.4"
    d.StudyInstanceUID, d.SeriesInstanceUID = "1.2.3.5", "1.2.3.6"
    d.Rows, d.Columns = a.shape[:2]
    d.SamplesPerPixel = 1 if a.ndim == 2 else 3
    d.PhotometricInterpretation = "MONOCHROME2" if a.ndim == 2 else "RGB"
    if a.ndim == 3:
        d.PlanarConfiguration = 0
    d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 8 * a.itemsize, bits, bits - 1, 0
    d.PixelData = (a.tobytes() + b"\0" * (a.nbytes % 2)) if pixels is None else pixels
    d["PixelData"].VR = "OB" if a.itemsize == 1 or pixels is not None else "OW"
    return d


def dcmtk(tool, *args):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not there")
    subprocess.run([tool, *map(str, args)], check=True, capture_output=True)


def dcmtk_jpeg(tmp_path, a, bits, *options):
    """A frame as DCMTK codes it."""
    data_set(a, bits).save_as(tmp_path / "in.dcm", enforce_file_format=True)
    dcmtk("dcmcjpeg", *options, tmp_path / "in.dcm", tmp_path / "out.dcm")
    return next(generate_frames(pydicom.dcmread(tmp_path / "out.dcm").PixelData, number_of_frames=1))


# ---- lossless --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_streams_of_liblj92(rng, shape, bits):
    a = noise(rng, shape, bits).astype(np.uint16)
    data = imagecodecs.ljpeg_encode(a, bitspersample=bits)
    assert np.array_equal(mt.codec.decode(data), a)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [2, 5, 8, 9, 12, 15, 16])
def test_others_read_what_is_written(rng, bits, predictor):
    a = noise(rng, (33, 47), bits)
    data = mt.codec.encode(a, codec="jpeg", bits=bits, predictor=predictor)
    info = mt.codec.info(data)
    assert (info["codec"], info["progression"], info["components"][0]["bits"]) == ("jpeg", "lossless", bits)
    assert info["predictor"] == predictor and info["lossless_capable"] and not info["warnings"]
    back = mt.codec.decode(data)
    assert back.dtype == a.dtype and np.array_equal(back, a)
    if bits >= 8:
        assert np.array_equal(imagecodecs.jpegsof3_decode(data), a)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("plugin", ["gdcm", "pylibjpeg"])
def test_plugins_read_what_is_written(rng, bits, plugin):
    pytest.importorskip("gdcm" if plugin == "gdcm" else "libjpeg")
    for shape in ((40, 60), (40, 60, 3)) if bits == 8 else ((40, 60),):
        a = noise(rng, shape, bits)
        pixels = encapsulate([mt.codec.encode(a, codec="jpeg")])
        d = data_set(a, bits, SYNTAX + "70", pixels)
        d.decompress(decoding_plugin=plugin)
        assert np.array_equal(d.pixel_array, a)


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_streams_of_dcmtk_and_back(rng, tmp_path, bits, predictor):
    a = noise(rng, (33, 46), bits)
    data = dcmtk_jpeg(tmp_path, a, bits, "+el", "+sv", predictor)
    assert np.array_equal(mt.codec.decode(data), a)
    ours = encapsulate([mt.codec.encode(a, codec="jpeg", bits=bits, predictor=predictor)])
    data_set(a, bits, SYNTAX + "57", ours).save_as(tmp_path / "ours.dcm", enforce_file_format=True)
    dcmtk("dcmdjpeg", tmp_path / "ours.dcm", tmp_path / "theirs.dcm")
    assert np.array_equal(pydicom.dcmread(tmp_path / "theirs.dcm").pixel_array, a)


def test_a_point_transform_leaves_the_upper_bits(rng, tmp_path):
    a = noise(rng, (33, 46), 12)
    data = dcmtk_jpeg(tmp_path, a, 12, "+el", "+sv", 4, "+pt", 3)
    assert np.array_equal(mt.codec.decode(data), a >> 3 << 3)
    assert not mt.codec.info(data)["lossless_capable"]


# ---- DCT -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("process", ["+ee", "+es", "+ep"], ids=["extended", "spectral", "progressive"])
@pytest.mark.parametrize("shape", [(64, 80), (33, 47), (1, 8), (9, 2)])
def test_twelve_bits_against_dcmtk(rng, tmp_path, process, shape):
    a = noise(rng, shape, 12)
    data = dcmtk_jpeg(tmp_path, a, 12, process)
    dcmtk("dcmdjpeg", tmp_path / "out.dcm", tmp_path / "theirs.dcm")
    theirs = pydicom.dcmread(tmp_path / "theirs.dcm").pixel_array.astype(int)
    ours = mt.codec.decode(data)
    assert ours.dtype == np.uint16 and mt.codec.info(data)["components"][0]["bits"] == 12
    # Both round a transform, DCMTK's an integer one.
    assert np.abs(ours - theirs).max() <= 1


def test_eight_bits_to_rgb():
    image = pytest.importorskip("PIL.Image")
    import io

    y, x = np.mgrid[:45, :67]
    a = np.stack([128 + 90 * np.sin(x / 9), 128 + 90 * np.cos(y / 7), 60 + x + y], -1).astype(np.uint8)
    for options in ({"subsampling": 0}, {"subsampling": 2, "progressive": True}, {"subsampling": 1}):
        f = io.BytesIO()
        image.fromarray(a).save(f, "JPEG", quality=90, **options)
        theirs = np.asarray(image.open(io.BytesIO(f.getvalue()))).astype(int)
        assert np.abs(mt.codec.decode(f.getvalue(), to_rgb=True) - theirs).max() <= 1
        assert np.abs(mt.codec.decode(f.getvalue()) - theirs).max() > 20  # as stored: YCbCr


# ---- calls -----------------------------------------------------------------------------------------------


def test_parts_and_numbers(rng):
    a = noise(rng, (40, 60), 12)
    data = mt.codec.encode(a, codec="jpeg", bits=12)
    assert np.array_equal(mt.codec.decode(data, region=((3, 17), (5, 50))), a[3:17, 5:50])
    assert mt.codec.decode(data, dtype=np.float32).dtype == np.float32
    out = np.zeros((40, 120), np.uint16)[:, ::2]
    mt.codec.decode(data, out=out)
    assert np.array_equal(out, a)
    frames = [data, data]
    assert np.array_equal(mt.codec.decode_batch(frames), [a, a])
    assert np.array_equal(mt.codec.decode(data + b"\0"), a)  # padding to even length
    assert np.array_equal(mt.codec.decode(data[:-2]), a)  # no EOI
    with pytest.raises(mt.InvalidError):
        mt.codec.decode(data, reduce=1)


def test_damage(rng):
    a = noise(rng, (40, 60), 12)
    data = mt.codec.encode(a, codec="jpeg", bits=12)
    for n in range(0, len(data) - 3, 7):
        with pytest.raises((mt.CorruptError, mt.UnsupportedError)) as e:
            mt.codec.decode(data[:n])
        assert e.value.offset <= n
    part, report = mt.codec.decode_partial(data[: len(data) // 2])
    rows = next(y for y in range(40) if not np.array_equal(part[y], a[y]))
    assert 10 < rows < 30 and not part[rows:].any() and not report["complete"] and report["warnings"]


# ---- real files ------------------------------------------------------------------------------------------

CT = "dicom/cornerstone/CTImage.dcm_"


def first_frame(path):
    d = pydicom.dcmread(path)
    return next(generate_frames(d.PixelData, number_of_frames=int(d.get("NumberOfFrames", 1)))), d


@pytest.mark.parametrize(
    "name",
    ["JPEGProcess14TransferSyntax_" + SYNTAX + "57", "JPEGProcess14SV1TransferSyntax_" + SYNTAX + "70"],
)
def test_lossless_ct(data, name):
    truth = pydicom.dcmread(
        data(CT + "LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm")
    ).pixel_array
    frame, _ = first_frame(data(f"{CT}{name}.dcm"))
    assert np.array_equal(mt.codec.decode(frame).view(truth.dtype), truth)


def test_progressive_ct_is_the_sequential_one(data):
    """Their coefficients are the same: another order of the same transform."""
    frames = [
        first_frame(data(f"{CT}{name}TransferSyntax_{SYNTAX}{last}.dcm"))[0]
        for name, last in (("JPEGProcess2_4", "51"), ("JPEGProcess6_8", "53"), ("JPEGProcess10_12", "55"))
    ]
    assert [mt.codec.info(f)["progression"] for f in frames] == ["extended", "progressive", "progressive"]
    a, b, c = (mt.codec.decode(f) for f in frames)
    assert np.array_equal(a, b) and np.array_equal(a, c) and a.std() > 100


def test_twelve_bit_files(data):
    libjpeg = pytest.importorskip("libjpeg")
    for name in (CT + "JPEGProcess2_4TransferSyntax_" + SYNTAX + "51.dcm", "dicom/pydicom/JPGExtended.dcm"):
        frame, _ = first_frame(data(name))
        off = np.abs(mt.codec.decode(frame).astype(int) - libjpeg.decode(frame).astype(int))
        assert off.max() <= 2 and off.mean() < 0.05


def test_a_scan_header_that_names_no_coefficients(data):
    """JPEG-lossy.dcm ends its scan at coefficient 0; a sequential scan has all of them."""
    a, b = (
        mt.codec.decode(first_frame(data("dicom/pydicom/" + n))[0])
        for n in ("JPEG-lossy.dcm", "JPGExtended.dcm")
    )
    assert np.array_equal(a, b)


@pytest.mark.parametrize("name", ["JPEG-LL.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm"])
def test_lossless_files(data, name):
    frame, d = first_frame(data("dicom/pydicom-data/" + name))
    pytest.importorskip("libjpeg")
    assert np.array_equal(mt.codec.decode(frame), d.pixel_array)
