"""The second half of the training programs, on tiny data in the published layouts: outputs are there, a run that was left and resumed
is the whole run bit for bit, the control has nothing to learn, and the ways of feeding give the same volumes.
SPDX-License-Identifier: Apache-2.0
"""

import importlib
import itertools
import json
import sys
from pathlib import Path

import microtome as mt
import numpy as np
import pytest
from conftest import save_nifti

torch = pytest.importorskip("torch")
for module in ("matplotlib", "tensorboard"):
    pytest.importorskip(module)
APPS = Path(__file__).resolve().parents[2] / "apps"


@pytest.fixture(autouse=True)
def program(monkeypatch):
    """program(name, *arguments): runs its main() in this process on one thread; returns the module."""
    monkeypatch.syspath_prepend(str(APPS))
    threads = torch.get_num_threads()

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        module = importlib.import_module(name)
        module.main()
        return module

    yield run
    torch.set_num_threads(threads)


def brain(rng, shape, classes):
    """A label map of half spaces and an image whose values tell the label."""
    label = np.zeros(shape, np.uint8)
    for c in range(1, classes):
        z, y, x = (rng.integers(0, n - 3) for n in shape)
        label[z : z + 3, y : y + 8, x : x + 8] = c
    return label, (label * 20 + rng.normal(0, 3, shape)).astype(np.float32)


@pytest.fixture
def mrbrains(tmp_path, rng):
    """Two subjects as MRBrainS13's training folder holds them."""
    for subject in "12":
        folder = tmp_path / "data" / subject
        folder.mkdir(parents=True)
        label, image = brain(rng, (6, 44, 40), 9)
        for name in ("T1", "T1_IR", "T2_FLAIR"):
            save_nifti(folder / f"{name}.nii", image)
        save_nifti(folder / "LabelsForTraining.nii", label)
    return tmp_path / "data"


def weights(folder):
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    return state["network"], state["history"]


def test_segment_tissue_resumes_bit_for_bit(program, mrbrains, tmp_path):
    common = ("--data", mrbrains, "--quick", "--threads", 1, "--steps", 3)
    program("segment_tissue", *common, "--out", tmp_path / "whole")
    with pytest.raises(SystemExit) as left:
        program("segment_tissue", *common, "--out", tmp_path / "cut", "--stop-after", 2)
    assert not left.value.code
    program("segment_tissue", *common, "--out", tmp_path / "cut", "--resume")
    (a, whole), (b, cut) = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert whole["loss"] == cut["loss"] and len(cut["loss"]) == 3 and whole["val"] == cut["val"]
    # The labels are on the input's grid, and the report has curves and slices.
    found, t1 = mt.open(tmp_path / "whole" / "2_seg.nii.gz"), mt.open(mrbrains / "2" / "T1.nii")
    assert found.shape == t1.shape and np.allclose(found.affine, t1.affine) and found.dtype == np.uint8
    assert (tmp_path / "whole" / "report.html").read_text().count("<img") == 3
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert {"val_dice", "dice_1", "dice_8", "wait_share"} <= result.keys()
    assert list((tmp_path / "whole" / "tensorboard").iterdir())


def test_segment_patches_with_and_without_object_boxes(program, tmp_path, rng):
    """nnU-Net's layout, two channels; both ways in one report."""
    data = tmp_path / "data"
    for folder in ("imagesTr", "labelsTr"):
        (data / folder).mkdir(parents=True)
    for i in range(5):
        label, image = brain(rng, (33, 36, 40), 3)
        save_nifti(data / "labelsTr" / f"case_{i}.nii.gz", label)
        for channel in range(2):
            save_nifti(data / "imagesTr" / f"case_{i}_{channel:04d}.nii.gz", image)
    facts = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "liver": 1, "tumour": 2}}
    (data / "dataset.json").write_text(json.dumps({**facts, "numTraining": 5, "file_ending": ".nii.gz"}))
    out = tmp_path / "out"
    program(
        "segment_patches",
        *("--data", data, "--out", out, "--quick", "--threads", 1, "--steps", 2, "--compare"),
    )
    page = (out / "report.html").read_text()
    assert page.count("<img") == 4 and "tumour" in page and "time of an epoch" in page
    result = json.loads((out / "result.json").read_text())
    assert {"val_dice", "val_dice_without", "dice_2", "dice_2_without"} <= result.keys()
    (found,) = out.glob("case_*_seg.nii.gz")
    case = mt.open(data / "imagesTr" / found.name.replace("_seg", "_0000"))
    assert mt.open(found).shape == case.shape and np.allclose(mt.open(found).affine, case.affine)


def test_the_control_has_nothing_to_learn(program, tmp_path, rng):
    """Scrambled labels: the same number of voxels of each class, at places that say nothing."""
    segmentation = importlib.import_module("segmentation")
    label, image = brain(rng, (24, 40, 40), 3)
    item = {"image": save_nifti(tmp_path / "i.nii", image), "label": save_nifti(tmp_path / "l.nii", label)}
    (control,) = segmentation.scrambled([item], tmp_path / "control", 0)
    mixed = mt.open(control["label"]).read()
    assert np.array_equal(np.bincount(mixed.ravel()), np.bincount(label.ravel()))
    assert abs(np.corrcoef(mixed.ravel() > 0, image.ravel())[0, 1]) < 0.03
    scores = segmentation.dice_of([(mixed, label)], 3)
    assert scores["val_dice"] < 0.05 and segmentation.dice_of([(label, label)], 3)["val_dice"] == 1


def test_a_network_takes_odd_extents(program):
    segmentation = importlib.import_module("segmentation")
    network = segmentation.ResidualUNet(2, 3, (4, 6, 8), ((1, 1, 1), (1, 2, 2), (2, 2, 2)), deep=True)
    x = torch.zeros(1, 2, 5, 13, 11)
    assert [tuple(o.shape[2:]) for o in network(x)] == [(5, 13, 11), (5, 7, 6)]
    network.eval()
    assert network(x).shape == (1, 3, 5, 13, 11)


def test_feed_benchmark(program, monkeypatch, tmp_path, rng):
    """Every way gives the same volumes; the table has them all."""
    for i in range(2):
        save_nifti(tmp_path / f"{i}.nii.gz", rng.gamma(2, 50, (9, 33, 31)).astype(np.float32))
    feed_ways = importlib.import_module("feed_ways")
    monkeypatch.setattr(feed_ways, "SHAPE", (8, 32, 32))
    arrays = feed_ways.prepare(tmp_path / "made", 2, tmp_path)
    at = {e: [tmp_path / "made" / f"{i}{e}" for i in range(2)] for e in (".nii.gz", ".nii", ".slices")}
    for samples in (
        feed_ways.records(tmp_path / "made" / "records"),
        feed_ways.generator(at[".nii.gz"]),
        feed_ways.slices(at[".slices"], 1),
        *(
            (
                np.asarray(b["image"])[0, 0]
                for b in mt.Loader([{"image": p} for p in paths * 2], feed_ways.WHITEN)
            )
            for paths in (at[".nii.gz"], at[".nii"])
        ),
    ):
        for got, want in zip(itertools.islice(samples, 4), arrays * 2, strict=True):
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)
    benchmark = importlib.import_module("feed_benchmark")
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    out = tmp_path / "out"
    program("feed_benchmark", "--data", tmp_path, "--out", out, "--reads", 5, "--files", 2, "--threads", 1)
    rows = json.loads((out / "result.json").read_text())["rows"]
    ways = [row["way"] for row in rows]
    assert len(rows) >= 7 and sum(w.startswith("ours") for w in ways) == 4
    assert all(row["volumes/s"] > 0 for row in rows) and not (out / "volumes").exists()
