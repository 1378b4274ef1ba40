"""Isotropic preparation: `microtome convert --spacing --orient`, mt.convert, mt.prepare and tables of items, against SimpleITK,
SciPy and nibabel; going on after an interruption; bad files.
SPDX-License-Identifier: Apache-2.0
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import microtome as mt
import nibabel
import numpy as np
import pytest
from conftest import AFFINE, save_nifti
from microtome import cohort
from scipy import ndimage

sitk = pytest.importorskip("SimpleITK")


@pytest.fixture
def cli():
    """cli("convert", …): runs the command line, or skips where it was not built."""
    program = os.environ.get("MICROTOME_CLI", "")
    if not Path(program).is_file():
        pytest.skip("the command line was not built")
    return lambda *args: subprocess.run(
        [program, *map(str, args)], capture_output=True, text=True, timeout=120
    )


def resampled_by_simpleitk(path, ours, interpolator):
    """The file at `path` on the grid of our result, [Z, Y, X]; outside the source: NaN."""
    source, grid = sitk.Cast(sitk.ReadImage(path), sitk.sitkFloat64), sitk.ReadImage(str(ours))
    return sitk.GetArrayFromImage(sitk.Resample(source, grid, sitk.Transform(), interpolator, float("nan")))


def oblique():
    """Orthogonal axes, turned by 12° about z and 7° about x, 1.5 × 2 × 2.5 mm: SimpleITK takes no shear."""
    c, s, d, t = np.cos(0.21), np.sin(0.21), np.cos(0.12), np.sin(0.12)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, d, -t], [0, t, d]])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turn * (-1.5, 2, 2.5), (20, -30, -40)
    return affine


def smooth(rng, shape=(21, 26, 19)):
    return ndimage.gaussian_filter(rng.standard_normal(shape), 1.5).astype(np.float32)


def agrees(got, want, tolerance):
    """Where SimpleITK has values, ours are those, within tolerance · range; most voxels are compared."""
    known = np.isfinite(want)
    assert known.mean() > 0.6
    assert np.abs(got[known] - want[known]).max() <= tolerance * np.ptp(want[known])


# ---- one image --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interp", "theirs", "margin"), [("linear", sitk.sitkLinear, 1), ("cubic", sitk.sitkBSpline3, 10)]
)
@pytest.mark.parametrize("to", [(1.1, 1.3, 0.9), (3.0, 2.5, 3.5)])
def test_convert_is_simpleitks_resample(tmp_path, rng, interp, theirs, margin, to):
    path = save_nifti(tmp_path / "a.nii", smooth(rng, (41, 46, 39)), oblique())
    mt.convert(path, tmp_path / "b.nii", spacing=to, interp=interp)
    want = resampled_by_simpleitk(path, tmp_path / "b.nii", theirs)
    got = mt.open(tmp_path / "b.nii")
    np.testing.assert_allclose(got.spacing, to, rtol=1e-6)
    # B-splines see the border's rule (ours: edge, theirs: mirror) some samples far.
    inside = tuple(
        slice(n := int(np.ceil(margin * mm / step)), -n)
        for mm, step in zip(mt.open(path).spacing, to, strict=True)
    )
    agrees(got.read()[inside], want[inside], 2e-5)


def test_real_brain_to_isotropic(tmp_path, data):
    path = data("nifti/M2208_T2w.nii.gz")
    a = mt.open(path)
    mt.convert(path, tmp_path / "iso.nii", spacing=2.2, orient="LPS", interp="linear")
    got = mt.open(tmp_path / "iso.nii")
    assert "".join(nibabel.aff2axcodes(got.affine)) == "LPS"
    np.testing.assert_allclose(got.spacing, 2.2, rtol=1e-6)
    want = resampled_by_simpleitk(str(path), tmp_path / "iso.nii", sitk.sitkLinear)
    known = np.isfinite(want)
    # Integers stay integers: rounded half to even, so half a step apart at most.
    assert got.dtype == a.dtype and np.abs(got.read()[known] - want[known]).max() <= 0.5 + 1e-3


def test_the_command_does_the_same(tmp_path, rng, cli):
    path = save_nifti(tmp_path / "a.nii.gz", smooth(rng))
    args = ["--spacing", "1.5", "--orient", "RAS", "--interp", "cubic", "--extent", "field_of_view"]
    done = cli("convert", path, tmp_path / "b.nii", *args)
    assert done.returncode == 0, done.stderr
    mt.convert(path, tmp_path / "c.nii", spacing=1.5, orient="RAS", interp="cubic", extent="field_of_view")
    b, c = mt.open(tmp_path / "b.nii"), mt.open(tmp_path / "c.nii")
    assert np.array_equal(b.read(), c.read()) and np.array_equal(b.affine, c.affine)
    done = cli("convert", path, tmp_path / "d.nii", "--spacing", "6", "--antialias")
    assert done.returncode == 0, done.stderr
    plain = mt.ops.spacing(mt.open(path).read(), mt.open(path).affine, 6.0, antialias=True)[0]
    assert np.array_equal(mt.open(tmp_path / "d.nii").read(), plain)
    for bad in (["--extent", "all"], ["--interp", "lanczos"]):
        assert cli("convert", path, tmp_path / "e.nii", "--spacing", "2", *bad).returncode in (1, 2)
    assert not (tmp_path / "e.nii").exists()


def test_extents(tmp_path):
    """centres: the first voxel's centre stays; field_of_view: its border."""
    path = save_nifti(tmp_path / "a.nii", np.zeros((8, 8, 8), np.float32), np.diag([1.0, 1, 1, 1]))
    mt.convert(path, tmp_path / "c.nii", spacing=2)
    mt.convert(path, tmp_path / "f.nii", spacing=2, extent="field_of_view")
    c, f = mt.open(tmp_path / "c.nii"), mt.open(tmp_path / "f.nii")
    assert c.shape == (4, 4, 4) and f.shape == (4, 4, 4)  # round(7 / 2 + 1) halves to even
    np.testing.assert_allclose(c.affine[:3, 3], 0)
    np.testing.assert_allclose(f.affine[:3, 3], 0.5)


def test_a_time_series_is_turned_and_resampled_frame_by_frame(tmp_path, rng):
    a = rng.standard_normal((3, 7, 9, 8)).astype(np.float32)  # [T, Z, Y, X]
    nibabel.save(nibabel.Nifti1Image(a.T, AFFINE), tmp_path / "a.nii")
    mt.convert(tmp_path / "a.nii", tmp_path / "b.nii", spacing=1.7, orient="RAS")
    got = mt.open(tmp_path / "b.nii").read()
    for t in range(3):
        turned, affine = mt.ops.orient(a[t], mt.open(tmp_path / "a.nii").affine, "RAS")
        assert np.array_equal(got[t], mt.ops.spacing(turned, affine, 1.7)[0])


# ---- tables -----------------------------------------------------------------------------------------------


def test_items_come_back_from_their_table(tmp_path, cases):
    path = tmp_path / "t" / "items.csv"
    path.parent.mkdir()
    items = [{**c, "note": 'a, "b"', "inside": str(path.parent / f"x{i}.nii")} for i, c in enumerate(cases)]
    mt.items.to_csv(items, path)
    assert mt.items.from_csv(path) == items
    with path.open(newline="") as f:
        assert next(iter(csv.DictReader(f)))["inside"] == "x0.nii"  # the folder can move
    mt.items.to_csv(items, path.with_suffix(".tsv"))
    assert mt.items.from_csv(path.with_suffix(".tsv")) == items
    kinds = [{"a": np.float32(0.5), "b": np.int16(3), "c": True, "d": Path("y.nii")}]
    mt.items.to_csv(kinds, path)
    assert mt.items.from_csv(path) == [{"a": 0.5, "b": 3, "c": 1, "d": str(Path("y.nii").absolute())}]


@pytest.mark.parametrize(
    "items", [[{"a": 1}, {"b": 1}], [{"a": np.zeros(3)}], [{"a": None}], [{"a": "two\nlines"}]]
)
def test_a_table_holds_plain_values_only(tmp_path, items):
    with pytest.raises(mt.InvalidError, match=r"item \d"):
        mt.items.to_csv(items, tmp_path / "a.csv")
    assert not (tmp_path / "a.csv").exists()


# ---- cohorts ----------------------------------------------------------------------------------------------


@pytest.fixture
def few(tmp_path, rng):
    """Four people in folders of their own, files of one name: image (int16 with a slope), label, age."""
    items = []
    for i in range(4):
        folder = tmp_path / "raw" / f"p{i}"
        folder.mkdir(parents=True)
        image = nibabel.Nifti1Image((smooth(rng) * 900).astype(np.int16).T, AFFINE)
        image.header.set_slope_inter(0.5, 3)
        nibabel.save(image, folder / "t1.nii.gz")
        label = (smooth(rng) > 0.1).astype(np.uint8) * 5 + (smooth(rng) > 0.2)
        save_nifti(folder / "seg.nii", label.astype(np.uint8))
        items.append({"image": str(folder / "t1.nii.gz"), "label": str(folder / "seg.nii"), "age": 20 + i})
    return items


def test_prepare_writes_what_convert_writes(few, tmp_path):
    out, seen = tmp_path / "iso", []
    new = mt.prepare(
        *(few, out, 1.3, "RAS", "cubic"), threads=3, progress=lambda done, total: seen.append((done, total))
    )
    assert (len(new), new.made, new.kept, new.failed) == (4, 8, 0, [])
    assert seen == [(n, 8) for n in range(1, 9)]
    assert mt.items.from_csv(new.csv) == list(new)
    for item, old in zip(new, few, strict=True):
        assert item["age"] == old["age"]
        assert item["image"] == str(out / Path(old["image"]).parent.name / "t1.nii.gz")
        mt.convert(old["image"], tmp_path / "one.nii", spacing=1.3, orient="RAS", interp="cubic")
        one, image, label = mt.open(tmp_path / "one.nii"), mt.open(item["image"]), mt.open(item["label"])
        assert np.array_equal(image.read(), one.read()) and np.array_equal(image.affine, one.affine)
        assert "".join(nibabel.aff2axcodes(image.affine)) == "RAS" and image.shape == label.shape
        before = mt.open(old["label"])
        assert label.dtype == before.dtype and set(label.labels()) <= set(before.labels())
    # Trained on as it is: image and label share one grid.
    (batch,) = mt.Loader(mt.items.from_csv(new.csv), None, batch_size=4)
    assert batch["image"].shape == batch["label"].shape


def test_prepare_goes_on_where_it_was(few, tmp_path):
    out = tmp_path / "iso"
    first = mt.prepare(few[:2], out, 1.5, root=tmp_path / "raw")
    stamps = {i["image"]: Path(i["image"]).stat().st_mtime_ns for i in first}
    again = mt.prepare(few, out, 1.5, root=tmp_path / "raw")
    assert (again.made, again.kept) == (4, 4)
    assert {p: Path(p).stat().st_mtime_ns for p in stamps} == stamps
    assert mt.prepare(few, out, 1.5).kept == 8
    # Another source, a lost or cut file, another parameter, no resume: made again.
    os.utime(few[0]["image"], ns=(1, 1))
    Path(again[1]["label"]).unlink()
    with Path(again[2]["image"]).open("r+b") as f:
        f.truncate(100)
    assert mt.prepare(few, out, 1.5).made == 3
    assert mt.prepare(few, out, 1.5, interp="cubic").made == 4  # labels are nearest either way
    assert mt.prepare(few, out, 1.5, interp="cubic", resume=False).made == 8


def test_a_torn_manifest_costs_one_file_at_most(few, tmp_path):
    out = tmp_path / "iso"
    mt.prepare(few, out, 2.0)
    path = out / "prepare.jsonl"
    path.write_text(path.read_text()[:-20])
    assert mt.prepare(few, out, 2.0).made == 1
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert mt.prepare(few, out, 2.0).kept == 8


def test_a_killed_run_goes_on(tmp_path, rng):
    """SIGKILL while files are written: no half file under a final name, and the next run makes only what is missing."""
    big = smooth(rng, (40, 40, 40))
    items = [{"image": save_nifti(tmp_path / f"raw{i}.nii", big + i)} for i in range(16)]
    mt.items.to_csv(items, tmp_path / "in.csv")
    out = tmp_path / "iso"
    command = [sys.executable, "-m", "microtome.cohort", tmp_path / "in.csv", out]
    child = subprocess.Popen(
        [*map(str, command), "--spacing", "0.9", "--threads", "2"], stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while len(list(out.glob("*.nii.gz"))) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    whole = list(out.glob("*.nii.gz"))
    for path in whole:
        mt.open(path).read()
    done = mt.prepare(items, out, 0.9)
    assert done.kept >= len(whole) - 2 and done.made + done.kept == 16 and len(done) == 16


def test_a_bad_file_costs_its_item(few, tmp_path):
    bad = Path(few[1]["label"])
    bad.write_bytes(bad.read_bytes()[:400])
    few[3]["image"] = str(tmp_path / "raw" / "nobody.nii.gz")
    out = tmp_path / "iso"
    new = mt.prepare(few, out, 1.5, on_error="skip")
    assert [i["age"] for i in new] == [20, 22]
    assert [source for source, _ in new.failed] == [str(bad), few[3]["image"]]
    assert all(isinstance(e, mt.Error) for _, e in new.failed)
    assert len(mt.items.from_csv(new.csv)) == 2
    with pytest.raises(mt.Error, match=r"seg\.nii|nobody"):
        mt.prepare(few, out, 1.5)
    done = cohort._main([str(new.csv), str(tmp_path / "twice"), "--spacing", "3,3,3", "--orient", "LPS"])
    assert done == 0


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"spacing": 0}, "spacing"),
        ({"spacing": (1, 2)}, "spacing"),
        ({"spacing": "a"}, "spacing"),
        ({"orient": "RAX"}, "orient"),
        ({"orient": "RLS"}, "orient"),
        ({"interp": "lanczos3"}, "interp"),
        ({"extent": "all"}, "extent"),
        ({"ending": ".mha"}, "ending"),
        ({"on_error": "ignore"}, "on_error"),
        ({"root": "/nowhere"}, "below"),
    ],
)
def test_prepare_refuses_before_it_writes(few, tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        mt.prepare(few, tmp_path / "iso", **options)
    assert not (tmp_path / "iso").exists()


def test_prepare_refuses_names_that_meet(few, tmp_path):
    twin = few[0]["label"] + ".gz"
    save_nifti(twin, np.zeros((3, 3, 3), np.uint8))
    with pytest.raises(mt.InvalidError, match="both become"):
        mt.prepare([few[0], {**few[1], "label": twin}], tmp_path / "iso")
    with pytest.raises(mt.InvalidError, match="written over"):
        mt.prepare(few, tmp_path / "raw", ending=".nii.gz")
    with pytest.raises(mt.InvalidError, match="no path"):
        mt.prepare([{"image": np.zeros((3, 3, 3))}], tmp_path / "iso")
    with pytest.raises(mt.InvalidError, match="in another"):
        mt.prepare([{"image": few[0]["image"], "label": few[0]["image"]}], tmp_path / "iso")
    assert mt.prepare([], tmp_path / "none") == []
