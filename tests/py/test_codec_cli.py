"""Codestreams on the command line and as images: decode, encode, info, convert, view, and levels of an open image.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess
from pathlib import Path

import microtome as mt
import numpy as np
import pytest
from codec_tools import picture

CLI = os.environ.get("MICROTOME_CLI")
needs_cli = pytest.mark.skipif(not CLI or not Path(CLI).exists(), reason="the command line was not built")


def run(*arguments):
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def ok(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def png(path):
    from PIL import Image

    return np.asarray(Image.open(path))


@pytest.fixture
def slices(tmp_path, rng):
    a = picture(rng, (300, 260), np.uint16, 12)
    np.save(tmp_path / "a.npy", a)
    (tmp_path / "a.j2c").write_bytes(mt.codec.encode(a, bits=12, levels=3))
    return tmp_path, a


@needs_cli
@pytest.mark.parametrize("ending", ["j2c", "jph", "j2k", "jp2"])
def test_encode_and_decode(slices, ending):
    folder, a = slices
    ok("encode", folder / "a.npy", folder / f"x.{ending}")
    facts = mt.codec.info((folder / f"x.{ending}").read_bytes())
    assert facts["codec"] == ("htj2k" if ending in ("j2c", "jph") else "j2k")
    assert facts["container"] == {"j2c": "codestream", "j2k": "codestream"}.get(ending, ending)
    for out in ("npy", "png", "pgm", "raw", "pgx"):
        ok("decode", folder / f"x.{ending}", folder / f"y.{out}")
    assert np.array_equal(np.load(folder / "y.npy"), a)
    assert np.array_equal(png(folder / "y.png"), a) and np.array_equal(png(folder / "y.pgm"), a)
    assert np.array_equal(np.fromfile(folder / "y.raw", "<u2").reshape(a.shape), a)
    head, body = (folder / "y.pgx").read_bytes().split(b"\n", 1)
    assert head == b"PG ML + 16 260 300" and np.array_equal(np.frombuffer(body, ">u2").reshape(a.shape), a)


@needs_cli
def test_decode_a_part(slices):
    folder, a = slices
    data = (folder / "a.j2c").read_bytes()
    report = json.loads(
        ok("decode", folder / "a.j2c", folder / "p.npy", "--region", "10:50,:100", "--reduce", 1, "--json")
    )
    assert report["shape"] == [40, 100] and report["dtype"] == "uint16" and report["complete"]
    assert np.array_equal(
        np.load(folder / "p.npy"), mt.codec.decode(data, region=((10, 50), (0, 100)), reduce=1)
    )
    ok("decode", folder / "a.j2c", folder / "f.npy", "--dtype", "float32", "--threads", 1)
    assert np.load(folder / "f.npy").dtype == np.float32


@needs_cli
def test_decode_what_there_is(slices):
    folder, a = slices
    cut = folder / "cut.j2c"
    cut.write_bytes((folder / "a.j2c").read_bytes()[:20000])
    done = run("decode", cut, folder / "c.npy")
    assert done.returncode == 1 and "(byte " in done.stderr and done.stderr.count("\n") == 1
    assert not (folder / "c.npy").exists()
    report = json.loads(ok("decode", cut, folder / "c.npy", "--partial", "--json"))
    assert not report["complete"] and report["blocks_decoded"] < report["blocks"]
    assert np.load(folder / "c.npy").shape == a.shape


@needs_cli
def test_encode_options(slices):
    folder, a = slices
    out = folder / "o.j2k"
    ok(
        *(
            "encode",
            folder / "a.npy",
            out,
            "--levels",
            3,
            "--block",
            "32,16",
            "--progression",
            "CPRL",
            "--tile",
            "128,99",
        ),
        *(
            "--bits",
            12,
            "--style",
            "bypass,segsym",
            "--sop",
            "--eph",
            "--no-plt",
            "--no-tlm",
            "--comment",
            "hello",
        ),
        *("--origin", "3,5", "--precincts", "128x128,64x64", "--tile-parts", "none", "--layers", 2),
    )
    facts = mt.codec.info(out.read_bytes())
    assert (
        facts["levels"] == 3
        and facts["components"][0]["block"] == (32, 16)
        and facts["progression"] == "CPRL"
    )
    assert facts["tile"] == (128, 99) and facts["origin"] == (3, 5) and facts["components"][0]["bits"] == 12
    assert not facts["plt"] and not facts["tlm"] and facts["layers"] == 2 and b"hello" in out.read_bytes()
    assert facts["precincts"][-1] == (128, 128) and facts["precincts"][0] == (64, 64)
    assert np.array_equal(mt.codec.decode(out.read_bytes()), a)
    report = json.loads(ok("encode", folder / "a.npy", folder / "q.j2c", "--quality", 50, "--json"))
    assert report["raw_bytes"] == a.nbytes and report["ratio"] > 2
    assert not mt.codec.info((folder / "q.j2c").read_bytes())["reversible"]


@needs_cli
def test_encode_bare_samples_and_slices(tmp_path, rng):
    rgb = picture(rng, (40, 50, 3), np.uint8)
    rgb.tofile(tmp_path / "a.raw")
    ok("encode", tmp_path / "a.raw", tmp_path / "a.jph", "--shape", "40,50,3", "--dtype", "uint8")
    assert np.array_equal(mt.open(tmp_path / "a.jph").read(), rgb)
    done = run("encode", tmp_path / "a.raw", tmp_path / "b.jph", "--shape", "40,50", "--dtype", "uint8")
    assert done.returncode == 1 and "6000 bytes" in done.stderr
    volume = picture(rng, (5, 40, 50), np.int16)
    mt.write(tmp_path / "v.nii.gz", volume)
    ok("encode", tmp_path / "v.nii.gz", tmp_path / "s.j2c", "--box", "2:3")
    assert np.array_equal(mt.open(tmp_path / "s.j2c").read(), volume[2])
    assert run("encode", tmp_path / "v.nii.gz", tmp_path / "s.j2c").returncode == 1
    ok("decode", tmp_path / "a.jph", tmp_path / "a.ppm")
    ok("encode", tmp_path / "a.ppm", tmp_path / "c.j2c")
    assert np.array_equal(mt.open(tmp_path / "c.j2c").read(), rgb)


@needs_cli
def test_channels_of_their_own_sizes_become_files(tmp_path, rng):
    planes = [picture(rng, s, np.uint8) for s in ((60, 80), (30, 40), (30, 40))]
    (tmp_path / "a.j2c").write_bytes(mt.codec.encode(planes))
    ok("decode", tmp_path / "a.j2c", tmp_path / "p.npy")
    assert all(np.array_equal(np.load(tmp_path / f"p-{i}.npy"), p) for i, p in enumerate(planes))
    (facts,) = json.loads(ok("info", "--json", tmp_path / "a.j2c"))
    assert [c["dx"] for c in facts["codestream"]["components"]] == [1, 2, 2]


@needs_cli
def test_info_tells_the_stream(slices):
    folder, a = slices
    (facts,) = json.loads(ok("info", "--json", folder / "a.j2c"))
    assert facts["format"] == "j2c" and facts["codec"] == "htj2k" and facts["axes"] == "YX"
    assert facts["shape"] == [300, 260] and facts["levels"] == len(facts["level_shapes"]) == 4
    assert facts["level_shapes"][1] == [150, 130]
    stream = facts["codestream"]
    assert (
        stream["progression"] == "RPCL"
        and stream["tlm"]
        and stream["plt"]
        and stream["components"][0]["bits"] == 12
    )
    assert [m["name"] for m in stream["markers"]][:2] == ["SOC", "SIZ"]
    text = ok("info", folder / "a.j2c")
    assert "RPCL" in text and "150 × 130" in text and "12 bits unsigned" in text


@needs_cli
def test_convert_between_streams_and_others(slices):
    folder, a = slices
    ok("convert", folder / "a.j2c", folder / "b.jp2")
    facts = mt.codec.info((folder / "b.jp2").read_bytes())
    assert facts["codec"] == "j2k" and facts["components"][0]["bits"] == 12
    ok("convert", folder / "b.jp2", folder / "b.npy", "--level", 1, "--box", "5:50,7:90")
    wanted = mt.codec.decode((folder / "b.jp2").read_bytes(), reduce=1)[5:50, 7:90]
    assert np.array_equal(np.load(folder / "b.npy"), wanted)
    ok("convert", folder / "a.npy", folder / "c.jph")
    assert np.array_equal(mt.open(folder / "c.jph").read(), a)
    assert run("convert", folder / "b.jp2", folder / "no.npy", "--level", 9).returncode == 2


@needs_cli
def test_view_draws_a_thumbnail(slices, tmp_path, rng):
    folder, a = slices
    ok("view", folder / "a.j2c", "--out", folder / "v.png", "--size", 100)
    assert png(folder / "v.png").shape == (150, 130)
    rgb = picture(rng, (200, 100, 3), np.uint8)
    (tmp_path / "c.j2c").write_bytes(mt.codec.encode(rgb))
    ok("view", tmp_path / "c.j2c", "--out", folder / "w.png")
    assert np.array_equal(png(folder / "w.png"), rgb)


@needs_cli
@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["decode", "a.j2c"], 2, "IN and OUT are wanted"),
        (["decode", "nothing.j2c", "x.npy"], 1, "nothing.j2c: "),
        (["decode", "a.npy", "x.npy"], 1, "a.npy: "),
        (["decode", "a.j2c", "x.npy", "--region", "0:400,:"], 2, "--region"),
        (["decode", "a.j2c", "x.npy", "--reduce", "20"], 2, "reduce"),
        (["decode", "a.j2c", "x.npy", "--components", "7"], 2, "component"),
        (["decode", "a.j2c", "x.npy", "--dtype", "int33"], 2, "int33"),
        (["decode", "a.j2c", "x.unknown"], 1, "x.unknown"),
        (["encode", "a.npy", "x.j2c", "--block", "5,5"], 2, "block"),
        (["encode", "a.npy", "x.j2c", "--style", "wrong"], 2, "--style"),
        (["encode", "a.npy", "x.j2c", "--quality", "much"], 2, "--quality"),
        (["encode", "a.npy", "x.j2c", "--precincts", "12"], 2, "--precincts"),
        (["encode", "a.npy", "x.j2c", "--progression", "ABCD"], 2, "ABCD"),
    ],
)
def test_refusals(slices, arguments, code, text):
    folder, _ = slices
    before = sorted(p.name for p in folder.iterdir())
    at = [folder / a if a.split(".")[-1] in ("j2c", "npy", "unknown") else a for a in arguments]
    done = run(*at)
    assert done.returncode == code and text in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert sorted(p.name for p in folder.iterdir()) == before


# ---- as images -------------------------------------------------------------------------------------------


def test_an_image_has_levels_and_boxes(slices):
    folder, a = slices
    im = mt.open(folder / "a.j2c")
    assert im.axes == "YX" and im.shape == a.shape and im.dtype == np.uint16 and im.format == "j2c"
    assert im.levels == [(300, 260), (150, 130), (75, 65), (38, 33)]
    assert [lv.downsample for lv in im.levels] == [1, 2, 4, 8] and im.levels[1].shape == (150, 130)
    assert (
        im.properties["j2k.progression"] == "RPCL" and im.properties["j2k.bits"] == "12" and im.problems == []
    )
    assert np.array_equal(im.read(), a) and np.array_equal(im[10:20, ::-2], a[10:20, ::-2])
    data = (folder / "a.j2c").read_bytes()
    for level in range(4):
        whole = mt.codec.decode(data, reduce=level)
        assert np.array_equal(im.read(level=level), whole)
        assert np.array_equal(im.read(((5, 30), (3, 20)), level=level), whole[5:30, 3:20])
    assert im.read(dtype="float64").dtype == np.float64
    stats = im.stats()
    assert stats["max"] == a.max() and np.isclose(stats["mean"], a.mean()) and stats["count"] == a.size
    out = np.zeros((260, 300), np.int32).T
    assert im.read(out=out) is out and np.array_equal(out, a)
    for wrong in ({"level": 4}, {"level": -1}, {"level": 1, "box": ((0, 151),)}):
        with pytest.raises(mt.InvalidError):
            im.read(**wrong)


def test_a_colour_image_reads_channels_by_box(tmp_path, rng):
    rgb = picture(rng, (90, 70, 3), np.uint8)
    mt.write(tmp_path / "a.jph", rgb)
    im = mt.open(tmp_path / "a.jph")
    assert im.axes == "YXC" and im.channels == 3 and im.format == "jph" and im.codec == "htj2k"
    assert np.array_equal(im.read(((5, 40), (6, 30), (1, 3))), rgb[5:40, 6:30, 1:3])
    assert np.array_equal(im[:, :, 2], rgb[..., 2])
    assert np.array_equal(im.read(axes="CYX"), rgb.transpose(2, 0, 1))
    mt.convert(im, tmp_path / "b.j2k", box=((10, 80), (0, 60)))
    assert np.array_equal(mt.open(tmp_path / "b.j2k").read(), rgb[10:80, :60])


def test_ycc_is_read_as_rgb(tmp_path, rng):
    planes = [rng.integers(0, 256, s, dtype=np.uint8) for s in ((31, 41), (16, 21), (16, 21))]
    data = mt.codec.encode(planes, container="jph", color="sycc")
    (tmp_path / "a.jph").write_bytes(data)
    im, rgb = mt.open(tmp_path / "a.jph"), mt.codec.decode(data, to_rgb=True)
    assert im.shape == (31, 41, 3) and np.array_equal(im.read(), rgb)
    assert np.array_equal(im.read(((5, 6), (7, 30), (1, 2))), rgb[5:6, 7:30, 1:2])
    assert np.array_equal(
        im.read(((5, 9), (7, 20)), level=1), mt.codec.decode(data, to_rgb=True, reduce=1)[5:9, 7:20]
    )


def test_a_loader_takes_crops_of_streams(tmp_path, rng):
    """The archive is the training set: the same batches as from plain arrays."""
    items = {"npy": [], "j2c": []}
    for i in range(4):
        a = picture(rng, (90, 80), np.uint16)
        np.save(tmp_path / f"{i}.npy", a)
        (tmp_path / f"{i}.j2c").write_bytes(mt.codec.encode(a))
        for ending, list_ in items.items():
            list_.append({"image": str(tmp_path / f"{i}.{ending}")})
    chain = mt.Chain([mt.RandomCrop(size=(32, 48)), mt.RandomFlip(p=0.5)])
    batches = {
        ending: [
            np.asarray(b["image"]) for b in mt.Loader(list_, chain, batch_size=2, shuffle=True, threads=2)
        ]
        for ending, list_ in items.items()
    }
    assert len(batches["j2c"]) == 2 and batches["j2c"][0].shape == (2, 1, 1, 32, 48)
    assert all(np.array_equal(p, q) for p, q in zip(batches["npy"], batches["j2c"], strict=True))


def test_a_large_file_is_read_in_parts(tmp_path):
    """Beyond 32 MiB only the bytes of a box are fetched."""
    rng = np.random.default_rng(4)
    a = rng.integers(0, 65536, (4500, 4500), dtype=np.uint16)
    path = tmp_path / "large.j2c"
    mt.write(path, a)
    assert path.stat().st_size > 32 << 20
    im = mt.open(path)
    assert np.array_equal(im.read(((1000, 1100), (4000, 4200))), a[1000:1100, 4000:4200])
    assert np.array_equal(im.read(level=2), mt.codec.decode(path.read_bytes(), reduce=2))
    assert np.array_equal(im.read(), a)


def test_a_broken_file_is_an_error_and_the_handle_stays(slices):
    folder, a = slices
    data = (folder / "a.j2c").read_bytes()
    (folder / "cut.j2c").write_bytes(data[:30000])
    with pytest.raises(mt.CorruptError):
        mt.open(folder / "cut.j2c").read()
    changed = bytearray(data)
    changed[-3000:-2] = bytes(2998)
    (folder / "bad.j2c").write_bytes(changed)
    im = mt.open(folder / "bad.j2c")
    with pytest.raises(mt.CorruptError):
        im.read()
    assert np.array_equal(im.read(level=2), mt.codec.decode(data, reduce=2))


def test_writing_says_no(tmp_path):
    for a, kind in ((np.zeros((3, 4, 5, 6), np.uint8), "axes"), (np.zeros((4, 5), np.float32), "float32")):
        with pytest.raises(mt.Error, match=kind):
            mt.write(tmp_path / "x.j2c", a)
    assert list(tmp_path.iterdir()) == []
