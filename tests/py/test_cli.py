"""The command line: what it prints, what it writes, and how it says no.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

CLI = os.environ.get("MICROTOME_CLI")
pytestmark = pytest.mark.skipif(not CLI or not Path(CLI).exists(), reason="the command line was not built")


def run(*arguments, **options):
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


def png_size(path):
    data = Path(path).read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


@pytest.fixture
def volume(tmp_path):
    """[10, 12, 14] int16 with an oblique-free affine of 3 × 2 × 1.5 mm, as .nii.gz."""
    a = np.arange(10 * 12 * 14, dtype=np.int16).reshape(10, 12, 14)
    affine = np.array([[-1.5, 0, 0, 10], [0, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1.0]])
    path = tmp_path / "a.nii.gz"
    nib.save(nib.Nifti1Image(a.T, affine), path)
    return path, a, affine


def test_info_json(volume):
    path, a, affine = volume
    done = run("info", "--json", path)
    assert done.returncode == 0, done.stderr
    (info,) = json.loads(done.stdout)
    assert info["shape"] == [10, 12, 14] and info["axes"] == "ZYX" and info["dtype"] == "int16"
    assert info["spacing"] == [3, 2, 1.5] and info["codec"] == "gzip" and info["non_finite"] == 0
    assert np.array_equal(info["affine"], affine) and info["problems"] == []


def test_info_counts_non_finite_values(tmp_path):
    a = np.ones((3, 4, 5), np.float32)
    a[0, 0, :2] = np.nan, np.inf
    np.save(tmp_path / "a.npy", a)
    (info,) = json.loads(run("info", "--json", tmp_path / "a.npy").stdout)
    assert info["non_finite"] == 2 and info["count"] == 58 and info["range"] == [1, 1]


def test_info_of_several_goes_on_after_a_bad_one(volume, tmp_path):
    bad = tmp_path / "bad.nii"
    bad.write_bytes(b"no image" * 50)
    done = run("info", "--json", bad, volume[0])
    assert done.returncode == 1 and len(json.loads(done.stdout)) == 1
    assert done.stderr.startswith(f"microtome: {bad}: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "npy"])
def test_convert_keeps_values_and_geometry(volume, tmp_path, ending):
    path, a, affine = volume
    out = tmp_path / f"out.{ending}"
    done = run("convert", path, out)
    assert done.returncode == 0, done.stderr
    if ending == "npy":
        assert np.array_equal(np.load(out), a)
    else:
        image = nib.load(out)
        assert np.array_equal(np.asarray(image.dataobj).T, a) and np.allclose(image.affine, affine)


def test_convert_box_moves_the_origin(volume, tmp_path):
    path, a, _ = volume
    out = tmp_path / "box.nii"
    assert run("convert", path, out, "--box", "2:9,3:,:5", "--dtype", "float32").returncode == 0
    image = nib.load(out)
    assert image.get_data_dtype() == np.float32
    assert np.array_equal(np.asarray(image.dataobj).T, a[2:9, 3:, :5])
    assert np.allclose(image.affine, nib.load(path).slicer[:5, 3:, 2:9].affine)


def test_convert_orients_and_resamples(volume, tmp_path):
    path, _, _ = volume
    out = tmp_path / "ras.nii"
    assert run("convert", path, out, "--orient", "RAS").returncode == 0
    expected = nib.as_closest_canonical(nib.load(path))
    image = nib.load(out)
    assert np.allclose(image.affine, expected.affine)
    assert np.array_equal(np.asarray(image.dataobj), np.asarray(expected.dataobj))
    assert run("convert", path, out, "--spacing", "1.5,1.5,1.5").returncode == 0
    assert np.allclose(nib.load(out).header.get_zooms(), 1.5)


def test_convert_one_slice_to_png(volume, tmp_path):
    out = tmp_path / "slice.png"
    done = run("convert", volume[0], out, "--box", "4:5")
    assert done.returncode == 0, done.stderr
    assert png_size(out) == (14, 12)


def test_view_draws_a_montage_with_labels(volume, tmp_path):
    path, a, affine = volume
    label = tmp_path / "label.nii"
    nib.save(nib.Nifti1Image((a.T > 800).astype(np.uint8), affine), label)
    plain, overlay = tmp_path / "plain.png", tmp_path / "overlay.png"
    assert run("view", path, "--out", plain, "--slices", 3, "--size", 60).returncode == 0
    assert run("view", path, "--out", overlay, "--slices", 3, "--size", 60, "--label", label).returncode == 0
    assert png_size(plain) == png_size(overlay) and plain.read_bytes() != overlay.read_bytes()


def test_view_refuses_a_label_map_on_another_grid(volume, tmp_path):
    path, a, affine = volume
    nib.save(nib.Nifti1Image(a.T[:5].astype(np.uint8), affine), tmp_path / "label.nii")
    done = run("view", path, "--out", tmp_path / "no.png", "--label", tmp_path / "label.nii")
    assert done.returncode != 0 and "another grid" in done.stderr and not (tmp_path / "no.png").exists()


def test_check_compares_every_tier():
    done = run("check")
    assert done.returncode == 0, done.stdout[-2000:]
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("check: ")


def test_check_reports_json():
    rows = json.loads(run("check", "--json").stdout)
    assert {r["op"] for r in rows} >= {
        "resize",
        "affine",
        "gaussian_blur",
        "htj2k",
        "j2k",
    } or not rows  # none: a CPU without AVX2
    assert all(r["ok"] and r["difference"] <= r["bound"] for r in rows)


def test_bench_codec_reports_json():
    rows = json.loads(run("bench", "codec", "--json").stdout)
    assert {(r["codec"], r["lossy"], r["what"]) for r in rows} == {
        (c, lossy, w) for c in ("htj2k", "j2k") for lossy in (False, True) for w in ("encode", "decode")
    }
    assert all(r["ms"] > 0 and r["plain_ms"] > 0 and r["bits_per_pixel"] > 0 for r in rows)


def test_bench_ops_reports_json():
    rows = json.loads(run("bench", "ops", "--json").stdout)
    assert {"resize", "affine", "gaussian_blur", "normalize"} <= {r["op"] for r in rows}
    assert all(r["ms"] > 0 and r["plain_ms"] > 0 for r in rows)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ([], 2, "medical images"),
        (["nonsense"], 2, "there is no command 'nonsense'"),
        (["info"], 2, "a path is wanted"),
        (["info", "--wrong", "x"], 2, "there is no option --wrong"),
        (["info", "/nowhere/at/all.nii"], 1, "/nowhere/at/all.nii: "),
        (["convert", "/nowhere/a.nii"], 2, "IN and OUT are wanted"),
        (["view", "x", "--slices", "0"], 2, "--slices wants a whole number from 1 to 32, not '0'"),
        (["view", "x", "--size", "5x"], 2, "--size wants a whole number"),
        (["bench", "nothing"], 2, "is wanted"),
    ],
)
def test_usage_and_missing_files(arguments, code, text):
    done = run(*arguments)
    assert done.returncode == code and text in done.stderr


@pytest.mark.parametrize(
    ("option", "code"),
    [
        (["--box", "0:100"], 2),
        (["--box", "3:3"], 2),
        (["--dtype", "float33"], 2),
        (["--orient", "RAX"], 2),
        (["--level", "3"], 2),
    ],
)
def test_convert_refuses_nonsense_and_leaves_nothing(volume, tmp_path, option, code):
    out = tmp_path / "out.nii"
    done = run("convert", volume[0], out, *option)
    assert done.returncode == code and done.stderr.startswith("microtome: ") and done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.nii.gz"]


def test_info_json_is_valid_whichever_path_is_bad(volume, tmp_path):
    bad = tmp_path / "absent.nii"
    for paths in ([bad, volume[0], bad, volume[0]], [volume[0], bad], [bad, bad]):
        done = run("info", "--json", *paths)
        assert done.returncode == 1
        assert len(json.loads(done.stdout)) == sum(p is not bad for p in paths)


def test_an_error_is_one_line_whatever_the_file_is_called(tmp_path):
    odd = tmp_path / "two\nlines\x1b[2J.nii"
    odd.write_bytes(b"no image" * 50)
    done = run("info", odd)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "\x1b" not in done.stderr


def test_a_folder_or_a_pipe_is_bad_input(tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    for path, what in ((tmp_path, "folder"), (tmp_path / "pipe.nii", "pipe")):
        done = run("info", path)
        assert done.returncode == 1 and what in done.stderr


def test_info_json_is_utf8_whatever_the_bytes_are(tmp_path):
    header = nib.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4))
    header.header["descrip"] = "café ✓ ".encode() + b"\xe9 \xed\xa0\x80 \xc0\xaf \xff end"
    nib.save(header, tmp_path / "a.nii")
    odd = (tmp_path / "a.nii").rename(tmp_path / os.fsdecode(b"caf\xe9.nii"))
    done = subprocess.run([CLI, "info", "--json", odd], capture_output=True, timeout=60)
    (info,) = json.loads(done.stdout.decode())
    assert info["path"].endswith("caf\ufffd.nii")
    text = info["properties"]["nifti.descrip"]
    assert text.startswith("café ✓ \ufffd") and text.endswith("\ufffd end")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_report_that_cannot_be_written_is_an_error(volume):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [CLI, "info", volume[0]], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 3 and done.stderr.startswith("microtome: standard output: ")


def test_environment_errors_exit_with_3(volume, tmp_path):
    target = "/proc/nowhere.nii" if os.geteuid() == 0 else "/nowhere.nii"  # no one may write there
    done = run("convert", volume[0], target)
    assert done.returncode in (1, 3) and done.stderr.startswith(f"microtome: {target}: ")


def test_an_existing_file_survives_a_failed_conversion(volume, tmp_path):
    out = tmp_path / "keep.nii"
    out.write_bytes(b"old")
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(volume[0].read_bytes()[:-40])
    assert run("convert", broken, out).returncode == 1
    assert out.read_bytes() == b"old"
