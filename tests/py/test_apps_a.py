"""The training programs classify_sex, classify_sex_resnet, regress_age, autoencode and superresolve, and the synthetic cohorts: tiny
runs that leave what they should, resume in mid-epoch bit for bit, and refuse bad folders with one sentence.
SPDX-License-Identifier: Apache-2.0
"""

import importlib
import json
import sys
from pathlib import Path

import microtome as mt
import numpy as np
import pytest
import torch
from conftest import ROOT, TEMPLATES

APPS = ROOT / "apps"
PROGRAMS = ("classify_sex", "classify_sex_resnet", "regress_age", "autoencode", "superresolve")
SCORES = {"classify_sex": "accuracy", "classify_sex_resnet": "accuracy", "regress_age": "mae"}
SUBJECTS = {
    "classify_sex": 14,
    "classify_sex_resnet": 14,
    "regress_age": 14,
    "autoencode": 10,
    "superresolve": 6,
}
SCORES |= {"autoencode": "relative_mse", "superresolve": "psnr_gain"}
sys.path.insert(0, str(APPS))

needs_templates = pytest.mark.skipif(not (TEMPLATES / "ch2.nii.gz").exists(), reason="mricron-data is absent")


@pytest.fixture
def run(monkeypatch, capsys):
    """run(program, arguments…): its main() in this process: (sentence of its failure or None, standard output)."""
    before = torch.get_num_threads()

    def call(program, *arguments):
        monkeypatch.setattr(sys, "argv", [f"apps/{program}.py", "--threads", "1", *map(str, arguments)])
        failure = None
        try:
            importlib.import_module(program).main()
        except SystemExit as e:
            failure = e.code or None
        return failure, capsys.readouterr().out

    yield call
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("apps")


# ---- synthetic cohorts -------------------------------------------------------------------------------------


@needs_templates
def test_a_cohort_is_named_synthetic_and_comes_again_the_same(tmp_path):
    import synth

    first = synth.cohort(tmp_path / "a", 2, "sex", seed=3, grid="small")
    again = synth.cohort(tmp_path / "b", 2, "sex", seed=3, grid="small")
    other = synth.cohort(tmp_path / "c", 2, "sex", seed=4, grid="small")
    assert [item["sex"] for item in first] == [0, 1]
    assert all("synthetic" in Path(item["image"]).name for item in first)
    volumes = [[mt.open(item["image"]).read() for item in items] for items in (first, again, other)]
    assert volumes[0][0].shape == (64, 64, 64)
    assert np.array_equal(volumes[0], volumes[1]) and not np.array_equal(volumes[0], volumes[2])
    assert np.allclose(np.diag(mt.open(first[0]["image"]).affine), [3, 3, 3, 1])
    made = (tmp_path / "a" / "synthetic_sex_000_image.nii.gz").stat().st_mtime_ns
    assert synth.cohort(tmp_path / "a", 2, "sex", seed=3, grid="small") == first
    assert (tmp_path / "a" / "synthetic_sex_000_image.nii.gz").stat().st_mtime_ns == made


@needs_templates
def test_what_is_planted_is_there():
    import synth

    grid, spacing = synth.GRIDS["small"]
    (zero, _, facts0), (one, _, facts1) = (synth.subject("sex", k, 0, grid, spacing) for k in (0, 1))
    assert (facts0["sex"], facts1["sex"]) == (0, 1)
    middle = tuple(slice(a, b) for a, b in ((31, 37), (24, 34), (22, 42)))
    share = [float((s["image"][middle] < 0.35 * np.percentile(s["image"], 90)).mean()) for s in (zero, one)]
    assert share[1] > share[0] + 0.2
    images, label, _ = synth.subject("lesions", 0, 0, grid, spacing)
    assert set(np.unique(label)) == {0, 1, 2, 3}
    assert images["image"][label == 1].mean() > images["image"][label == 2].mean() + 50
    images, label, _ = synth.subject("tissue", 0, 0, grid, spacing)
    assert set(np.unique(label)) == set(range(9)) and set(images) == {"t1", "t1_ir", "flair"}
    means = [images["t1"][label == k].mean() for k in (5, 1, 3)]
    assert means == sorted(means)  # CSF, grey, white


def test_the_shuffled_labels_say_nothing():
    import common

    items = [{"sex": k % 2, "age": 20.0 + k} for k in range(20)]
    for field in ("sex", "age"):
        out = common.shuffled(items, field)
        before, after = [i[field] for i in items], [i[field] for i in out]
        assert sorted(before) == sorted(after) and abs(np.corrcoef(before, after)[0, 1]) < 0.02


# ---- programs ----------------------------------------------------------------------------------------------


@needs_templates
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_tiny_run(program, folder, run):
    if program == "classify_sex":
        pytest.importorskip("monai")
    out = folder / program
    failure, text = run(program, "--quick", "--subjects", SUBJECTS[program], "--steps", 2, "--out", out)
    assert failure is None and str(out) in text
    result = json.loads((out / "result.json").read_text())
    assert np.isfinite(result[SCORES[program]]) and result["steps"] == 2 and 0 <= result["wait_share"] <= 1
    report = (out / "report.html").read_text()
    assert "synthetic cohort" in report and report.count("data:image/png") >= 2
    assert list((out / "tensorboard").iterdir()) and (out / "best.pt").exists()
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert {"network", "optimizer", "loader", "generators", "history"} <= set(state)


@needs_templates
def test_resuming_in_mid_epoch_gives_the_same_weights(folder, run):
    given = ("--quick", "--subjects", 21, "--steps", 4, "--seed", 1)  # three batches an epoch
    whole, parts = folder / "whole", folder / "parts"
    assert run("classify_sex_resnet", *given, "--out", whole)[0] is None
    failure, text = run("classify_sex_resnet", *given, "--out", parts, "--stop-after", 2)
    assert failure is None and "--resume" in text and not (parts / "report.html").exists()
    assert torch.load(parts / "checkpoint.pt", weights_only=True)["history"]["steps"] == 2
    assert run("classify_sex_resnet", *given, "--out", parts, "--resume")[0] is None
    a, b = (torch.load(out / "checkpoint.pt", weights_only=True) for out in (whole, parts))
    assert a["loader"] == b["loader"] and a["history"]["loss"] == b["history"]["loss"]
    assert a["network"].keys() == b["network"].keys()
    assert all(torch.equal(value, b["network"][name]) for name, value in a["network"].items())


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_folder_is_one_sentence(program, tmp_path, run):
    if program == "classify_sex":
        pytest.importorskip("monai")
    failure, _ = run(program, "--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert failure.startswith(f"{program}: ") and "\n" not in failure
    assert "nowhere" in failure and "missing" in failure


@needs_templates
def test_nothing_to_resume_is_one_sentence(tmp_path, run):
    given = ("--quick", "--subjects", 6, "--resume", "--out", tmp_path / "out")
    failure, _ = run("superresolve", *given)
    assert "checkpoint.pt" in failure and "\n" not in failure


@needs_templates
def test_too_few_subjects_is_one_sentence(tmp_path, run):
    failure, _ = run("superresolve", "--quick", "--subjects", 3, "--out", tmp_path / "out")
    assert "--subjects" in failure and "\n" not in failure


def test_no_subject_is_in_two_parts():
    import common

    whole = list(range(20))
    for parts in (
        common.parts(whole, 2, 4),
        common.published_parts(whole, 15),
        common.published_parts(whole, 150),
    ):
        assert all(parts) and sorted(sum(parts, [])) == whole
    assert common.parts(whole, 2, 4)[1:] == ([14, 15], [16, 17, 18, 19])
    with pytest.raises(SystemExit, match="subjects"):
        common.published_parts([1, 2], 100)
    with pytest.raises(SystemExit, match="subjects"):
        common.parts(whole[:6], 2, 4)


def test_the_reference_errors_of_the_autoencoder():
    from autoencode import nearest_error

    rng = np.random.default_rng(0)
    known, slices = (torch.tensor(rng.normal(size=(n, 3, 1, 8, 6)), dtype=torch.float32) for n in (9, 5))
    table = [[float(((a - b) ** 2).mean()) for b in known] for a in slices]
    assert nearest_error(slices, known) == pytest.approx(np.min(table, 1).mean(), rel=1e-4)
    assert nearest_error(known[:4], known) == pytest.approx(0, abs=1e-6)


def test_a_flat_convolution_is_the_published_one():
    from networks import convolution, transposed

    x, stride = torch.randn(2, 3, 1, 8, 8), (1, 2, 2)
    for make, given in ((convolution, (1, 1, 1)), (convolution, stride), (transposed, stride)):
        deep, flat = make(3, 3, given), make(3, 3, given, flat=True)
        with torch.no_grad():
            flat.weight.copy_(deep.weight[:, :, 1:2])  # the others meet padding only
        assert deep(x).shape == flat(x).shape and torch.allclose(deep(x), flat(x), atol=1e-5)


# ---- published layouts -------------------------------------------------------------------------------------


def test_the_published_layouts(tmp_path):
    import ixi

    for scan in ixi.SCANS:
        (tmp_path / f"{scan}-T1.nii.gz").touch()
    items = ixi.named_scans(tmp_path)
    assert len(items) == 20 and sum(item["sex"] for item in items) == 7
    assert items[3] == {"image": str(tmp_path / "IXI173-HH-1590-T1.nii.gz"), "sex": 1}
    parts = ixi.random_split(items[:10])
    draw = np.random.RandomState(0).random_sample(10)  # one number per item
    assert parts[0] == [i for i, r in zip(items, draw) if r >= 0.4] and sum(map(len, parts)) == 10
    assert parts[1] == [i for i, r in zip(items, draw) if r < 0.2]
    (tmp_path / "demographic_HH.csv").write_text(
        'IXI_ID,"SEX_ID (1=m, 2=f)",HEIGHT,AGE\nIXI012,1,175,38.78\nIXI013,2,182,\nIXI014,2,163,46.71\nIXI015,1,181,24.2\n'
    )
    items = ixi.hammersmith(tmp_path, "2mm", ["t1"], "age")
    assert [item["age"] for item in items] == [38.78, 46.71, 24.2]
    assert items[0]["t1"] == str(tmp_path / "2mm" / "IXI012" / "T1_2mm.nii.gz")
    assert [item["sex"] for item in ixi.hammersmith(tmp_path, "2mm", ["t1"], "sex")] == [0, 1, 1, 0]
    assert list(ixi.hammersmith(tmp_path, "1mm", ["t1", "t2", "pd"])[0]) == ["t1", "t2", "pd"]
