"""The codec against the standard's own cases and other people's files: T.803, OpenJPH's streams, WG04, DICOM.

The cases and their limits come from tools/conformance.py, which also writes the table of doc/codec.md.
SPDX-License-Identifier: Apache-2.0
"""

import csv
import sys
from pathlib import Path

import microtome as mt
import numpy as np
import pytest
from conftest import DATA, ROOT

sys.path.insert(0, str(ROOT / "tools"))
import conformance  # noqa: E402

CASES = conformance.cases()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_case(case):
    if case.missing:
        pytest.skip(f"{case.missing} is not there")
    peak, mse = case.measure()
    assert peak <= case.peak and mse <= case.mse


@pytest.mark.skipif(bool(CASES), reason="the cases are there")
def test_cases_are_there():
    pytest.skip("the data folder holds no conformance cases")


# ---- WG04 ------------------------------------------------------------------------------------------------


def wg04():
    path = DATA / "wg04" / "geometry.tsv"
    if not path.is_file():
        return []
    with path.open(newline="") as f:
        return list(csv.DictReader(f, delimiter="\t"))


def wg04_pixels(row):
    kind = f"{'i' if row['signed'] == '1' else 'u'}{int(row['bits_allocated']) // 8}"
    a = np.fromfile(DATA / "wg04" / f"{row['name']}.RAW", f"<{kind}")
    shape = (int(row["height"]), int(row["width"]), int(row["components"]))
    return a.reshape(shape[:2] if shape[2] == 1 else shape)


@pytest.mark.parametrize("ending", ["j2c", "j2k"])
@pytest.mark.parametrize("row", wg04(), ids=lambda r: r["name"])
def test_wg04_is_bit_exact(row, ending):
    data = (DATA / "wg04" / f"{row['name']}.{ending}").read_bytes()
    a = mt.codec.decode(data)
    assert a.shape == wg04_pixels(row).shape and np.array_equal(a, wg04_pixels(row))
    assert mt.codec.info(data)["codec"] == ("htj2k" if ending == "j2c" else "j2k")


@pytest.mark.parametrize("codec", ["htj2k", "j2k"])
@pytest.mark.parametrize("row", wg04(), ids=lambda r: r["name"])
def test_wg04_round_trips(row, codec):
    pixels = wg04_pixels(row)
    data = mt.codec.encode(pixels, codec=codec)
    back = mt.codec.decode(data)
    assert back.dtype == pixels.dtype and np.array_equal(back, pixels)


# ---- DICOM -----------------------------------------------------------------------------------------------


def frames(path):
    """(data set, [bytes of each frame]), by pydicom."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.encaps import generate_frames

    ds = pydicom.dcmread(path, force=True)
    if "PixelData" not in ds:
        pytest.skip(f"{path.name} ends before its pixels")
    count = int(getattr(ds, "NumberOfFrames", 1) or 1)
    return ds, list(generate_frames(ds.PixelData, number_of_frames=count))


def dicom_files():
    """Every file of the data folder in a transfer syntax of the family."""
    found = []
    for folder in ("cornerstone", "pydicom", "pydicom-data"):
        for path in sorted((DATA / "dicom" / folder).glob("**/*.dcm")):
            head = path.read_bytes()[:2000]
            at = head.find(b"1.2.840.10008.1.2.4.")
            uid = head[at : at + 23].rstrip(b"\0").decode("ascii", "replace") if at >= 0 else ""
            if any(uid == u or uid[:22] == u for u in mt.codec.transfer_syntaxes):
                found.append(path)
    return found


@pytest.mark.parametrize("path", dicom_files(), ids=lambda p: p.name)
def test_dicom_frames_equal_openjpegs(path):
    imagecodecs = pytest.importorskip("imagecodecs")
    _, fragments = frames(path)
    try:
        imagecodecs.jpeg2k_decode(fragments[0])
    except Exception as e:  # a file made to be cut in two by what looks like a delimiter
        pytest.skip(f"OpenJPEG cannot read what pydicom finds in it: {e}")
    lossless = mt.codec.info(fragments[0])["lossless_capable"]
    for data in fragments[:4]:
        ours, theirs = mt.codec.decode(data), imagecodecs.jpeg2k_decode(data)
        assert ours.shape == theirs.shape
        # Signs by PixelRepresentation are the data set's affair: compared as the stream has them.
        difference = np.abs(ours.astype(np.int64) - theirs.astype(np.int64))
        assert difference.max() <= (0 if lossless else 2)


def test_cornerstone_syntaxes_hold_one_picture(data):
    pydicom = pytest.importorskip("pydicom")
    plain = pydicom.dcmread(
        data("dicom/cornerstone/CTImage.dcm_LittleEndianExplicitTransferSyntax_1.2.840.10008.1.2.1.dcm")
    )
    wanted = plain.pixel_array
    found = 0
    for path in sorted((DATA / "dicom" / "cornerstone").glob("*.dcm")):
        uid = path.name.rsplit("_", 1)[-1].removesuffix(".dcm")
        syntax = mt.codec.transfer_syntaxes.get(uid)
        if syntax is None:
            continue
        _, (frame,) = frames(path)
        a = mt.codec.decode(frame).astype(np.int64)
        difference = np.abs((a - wanted.astype(np.int64) + 32768) % 65536 - 32768)
        if syntax.lossless:
            assert difference.max() == 0, path.name
            found += 1
        else:
            assert np.sqrt((difference**2).mean()) < 40, path.name
    assert found


# ---- colour ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rgb_mct", "rgb_nomct", "ycbcr_420", "ycbcr_422", "ycbcr_444"])
def test_colour_streams_with_answers(data, name):
    stream = data(f"wsi/jp2k/wsirs-{name}.j2k").read_bytes()
    wanted = conformance.read_pnm(data(f"wsi/jp2k/wsirs-{name}.ppm"))
    a = mt.codec.decode(stream)
    if name.startswith("rgb"):
        assert np.array_equal(a, wanted)
        return
    if name != "ycbcr_444":  # whose answer is OpenJPEG's picture of it taken as RGB
        rgb = mt.codec.decode(stream, to_rgb=True)
        assert np.abs(rgb.astype(int) - wanted).max() <= 1
    sizes = {"420": (6, 8), "422": (12, 8), "444": (12, 16)}[name[-3:]]
    planes = a if isinstance(a, list) else [a[..., i] for i in range(3)]
    assert [p.shape for p in planes] == [(12, 16), sizes, sizes]


def test_jp2_files_of_the_tests(tmp_path):
    """Containers that OpenJPEG writes: what the boxes say is told, the pixels are the codestream's."""
    imagecodecs = pytest.importorskip("imagecodecs")
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    data = bytes(imagecodecs.jpeg2k_encode(rgb, level=0, codecformat="jp2", reversible=True))
    facts = mt.codec.info(data)
    assert facts["container"] == "jp2" and facts["color"] == "srgb" and facts["codestream_offset"] > 0
    assert np.array_equal(mt.codec.decode(data), rgb)
    path = Path(tmp_path) / "x.jp2"
    path.write_bytes(data)
    assert np.array_equal(mt.open(path).read(), rgb)
