"""Input that nobody means: sizes beyond 64 bits, draws changed by hand, labels beyond 2^63, tables and folders that cannot be. Each
must be told in one sentence by the class that fits, before anything is written.
SPDX-License-Identifier: Apache-2.0
"""

import copy
import random

import microtome as mt
import numpy as np
import pytest

IMAGE = np.random.default_rng(5).random((6, 7, 8)).astype(np.float32)
LABEL = (IMAGE * 4).astype(np.uint8)
NAN = float("nan")
TOP = np.full((2, 2), 2**64 - 1, np.uint64)


def refuse(kind, text, call):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert isinstance(caught.value, mt.Error | TypeError), repr(caught.value)


# ---- draws that were changed by hand ----------------------------------------------------------------------

CHAIN = mt.Chain(
    [
        mt.RandomFlip(p=1),
        mt.RandomAffine(degrees=20, translate=2),
        mt.RandomObjectBox("label", size=4),
        mt.RandomBiasField(p=1, degree=2, per_channel=True),
        mt.RandomMotion(p=1),
        mt.RandomCoarseDropout(p=1, size=2),
    ]
)
ITEM = {"image": np.stack([IMAGE, IMAGE]), "label": LABEL}


@pytest.mark.parametrize(
    "drawn, text",
    [
        (None, "list with a dict"),
        ("x", "list with a dict"),
        ([None], "list with a dict"),
        ({"op": "random_flip"}, "list with a dict"),
        ([{}], "another chain"),
        ([{"op": "random_flip", "as": "nope", "drawn": {}}], "no operator: 'nope'"),
        ([{"op": "random_flip", "as": 3, "drawn": {}}], "no operator: 3"),
        ([{"op": "random_flip", "drawn": {"axis": [0]}}], "no operator: None"),
        ([{"op": "random_flip", "as": "flip", "drawn": 3}], "a dict of parameters"),
        ([{"op": "random_flip", "as": "flip", "drawn": [[]]}], "lists"),
        ([{"op": "random_flip", "as": "flip", "drawn": ["x"]}], "a dict of parameters"),
    ],
)
def test_draws_of_another_form_are_refused(drawn, text):
    chain = mt.Chain([mt.RandomFlip(p=1)])
    refuse(mt.InvalidError, text, lambda: chain.replay(ITEM, drawn))
    refuse(mt.InvalidError, text, lambda: chain.invert(IMAGE, drawn, ITEM))


HOSTILE = [NAN, 1e300, -1e300, -1, 0, 2**63, 10**30, "x", "", None, [], [1, 2], [[1]], {}, True, "a\0b", 1e9]


def _change(drawn, rng):
    """One parameter, one list or one whole draw becomes something else."""
    drawn = copy.deepcopy(drawn)
    step = rng.choice(drawn)
    one = step["drawn"][0] if isinstance(step["drawn"], list) else step["drawn"]
    if not one or rng.random() < 0.1:
        step["drawn"] = rng.choice([None, {}, [], 3, [None], [{}], {"nope": 1}, [[]]])
        return drawn
    name = rng.choice(list(one))
    value = one[name]
    if isinstance(value, list) and value and rng.random() < 0.5:
        value[rng.randrange(len(value))] = rng.choice(HOSTILE)
    elif rng.random() < 0.2:
        del one[name]
    else:
        one[name] = rng.choice(HOSTILE)
    return drawn


def test_draws_with_any_value_are_run_or_refused():
    """Whatever the numbers: arrays of the right kind, or an error of the library (TypeError for what is no number)."""
    rng = random.Random(11)
    refused = 0
    for i in range(300):
        drawn = _change(CHAIN.draw(seed=i, sample=ITEM), rng)
        try:
            out = CHAIN.replay(ITEM, drawn)
            assert out["image"].dtype == np.float32 and out["label"].dtype == np.uint8
            CHAIN.invert(out["image"], drawn, ITEM)
        except (mt.Error, TypeError, ValueError):
            refused += 1
    assert 50 < refused < 300  # both happen


# ---- numbers beyond what 64 bits or an array hold ---------------------------------------------------------


@pytest.mark.parametrize(
    "kind, text, call",
    [
        (mt.LimitError, "windows", lambda: mt.infer.positions((2**62, 2**62, 2**62), 1)),
        (mt.LimitError, "windows", lambda: mt.infer.positions((2**40, 9, 9), 2)),
        (mt.InvalidError, "2\\^62", lambda: mt.infer.positions((9, 9, 9), 2**64)),
        (mt.InvalidError, "2\\^62", lambda: mt.infer.window_weights((2**64, 4, 4))),
        (mt.InvalidError, "4 numbers", lambda: mt.infer.window_weights((5, 5, 5, 5))),
        (mt.InvalidError, "above 0", lambda: mt.infer.window_weights((5, 5, 5), sigma=0)),
        (mt.InvalidError, "weights", lambda: mt.infer.window_weights((5, 5, 5), None)),
        (mt.InvalidError, "classes", lambda: mt.infer.Aggregator((4, 4, 4), "x", 2)),
        (mt.InvalidError, "axes", lambda: mt.infer.Aggregator((4, 4), 2, 2, out="x")),
        (mt.InvalidError, "2\\^62", lambda: mt.infer.Aggregator((4, 4, 4), 2, 2).add((2**63, 0, 0), [1, 2])),
        (mt.InvalidError, "batch_size", lambda: mt.infer.sliding_window(IMAGE, abs, 4, batch_size="x")),
        (mt.InvalidError, "value", lambda: mt.infer.sliding_window(IMAGE, abs, 4, value="x")),
        (mt.InvalidError, "does not hold", lambda: mt.infer.grid_patches(LABEL, 40, value=-5)),
        (mt.InvalidError, "does not hold", lambda: mt.infer.grid_patches(LABEL, 40, value=NAN)),
        (mt.InvalidError, "does not hold", lambda: mt.infer.grid_patches(LABEL, 40, value=0.5)),
        (mt.InvalidError, "background", lambda: mt.ops.connected_components(LABEL, background=2**63)),
        (mt.InvalidError, "background", lambda: mt.ops.object_boxes(LABEL, background=2**63)),
        (mt.InvalidError, "2 numbers", lambda: mt.ops.object_boxes(LABEL, threshold=[1, 2])),
        (mt.InvalidError, "threshold", lambda: mt.ops.object_boxes(LABEL, threshold=-1)),
        (TypeError, "integer", lambda: mt.ops.object_boxes(LABEL, threshold="x")),
        (TypeError, "integer", lambda: mt.ops.object_boxes(LABEL, classes=[1.5])),
        (mt.InvalidError, "classes", lambda: mt.ops.random_object_bbox(LABEL, classes=[2**64])),
        (mt.InvalidError, "k_largest", lambda: mt.ops.random_object_bbox(LABEL, k_largest=2**70)),
        (mt.InvalidError, "channels", lambda: mt.ops.one_hot(LABEL, num_classes=3)),
        (mt.InvalidError, "spacing", lambda: mt.ops.spacing(IMAGE, "x", 2)),
        (mt.InvalidError, "spacing", lambda: mt.ops.spacing(np.float32(3), 1.0, 2, channels=True)),
        (mt.LimitError, "2\\^63", lambda: mt.metrics.dice(TOP, TOP)),
        (mt.LimitError, "classes", lambda: mt.metrics.confusion([0, 10**9], [1, 2])),
        (mt.LimitError, "classes", lambda: mt.metrics.confusion([0, 1], [1, 1], classes=10**6)),
        (mt.InvalidError, "classes", lambda: mt.metrics.confusion([0, 1], [1, 1], classes="x")),
        (mt.InvalidError, "no field", lambda: mt.histogram.train([{"x": IMAGE}])),
        (mt.InvalidError, "no field", lambda: mt.histogram.train([{"image": IMAGE}], mask="nope")),
        (mt.InvalidError, "cutoff", lambda: mt.histogram.train([IMAGE], cutoff=3)),
        (mt.InvalidError, "epoch", lambda: CHAIN.draw(epoch=2**63)),
        (mt.InvalidError, "index", lambda: CHAIN(ITEM, index=2**63)),
        (TypeError, "names of fields", lambda: mt.Chain([], points=["a", 3])),
        (TypeError, "names of fields", lambda: mt.Chain([], labels=3)),
    ],
)
def test_numbers_that_nothing_holds_are_refused(kind, text, call):
    refuse(kind, text, call)


def test_labels_of_any_integer_dtype_are_compared_as_they_are():
    """uint64 beside int64 would become float64, which does not tell 2^53 from 2^53 + 1."""
    a = np.array([2**53, 2**53 + 1], np.uint64)
    assert mt.metrics.dice(a, a[::-1].astype(np.int64)).tolist() == [0, 0]
    assert mt.metrics.dice(a, a.astype(np.int64)).tolist() == [1, 1]


# ---- loaders ----------------------------------------------------------------------------------------------


def test_states_and_places_that_cannot_be_are_refused():
    loader = mt.Loader([{"image": IMAGE}] * 3)
    state = loader.state()
    for bad in (3, None, {**state, "batch": "x"}, {**state, "epoch": None}, {**state, "epoch": 2**70}):
        refuse(mt.InvalidError, "state|numbers|no batch", lambda bad=bad: loader.restore(bad))
    refuse(mt.InvalidError, "no batch", lambda: loader.set_epoch(2**63))
    loader.set_epoch(2**40)
    assert len(list(loader)) == 3


@pytest.mark.parametrize("option", ["batch_size", "samples_per_item", "prefetch", "threads"])
def test_options_beyond_64_bits_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} is out of range"):
        mt.Loader([{"image": IMAGE}], **{option: 2**70})


# ---- files ------------------------------------------------------------------------------------------------


@pytest.fixture
def one(tmp_path):
    mt.write(tmp_path / "one.nii", IMAGE, affine=np.eye(4))
    return [{"image": str(tmp_path / "one.nii")}]


@pytest.mark.parametrize(
    "options, text",
    [
        ({"threads": -1}, "threads"),
        ({"threads": "x"}, "threads"),
        ({"dtype": "nope"}, "dtype"),
    ],
)
def test_prepare_refuses_options_before_it_writes(one, tmp_path, options, text):
    refuse(mt.InvalidError, text, lambda: mt.prepare(one, tmp_path / "out", **options))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [None, [1], "two\nlines"])
def test_prepare_refuses_what_a_table_does_not_hold_before_it_works(one, tmp_path, value):
    refuse(mt.InvalidError, "item 0", lambda: mt.prepare([{**one[0], "x": value}], tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_are_told_as_the_librarys_errors(one, tmp_path):
    refuse(mt.InvalidError, "dicts", lambda: mt.prepare([3], tmp_path / "out"))
    refuse(mt.ConflictError, "one.nii", lambda: mt.prepare(one, one[0]["image"]))
    refuse(mt.InputOutputError, "out", lambda: mt.prepare(one, one[0]["image"] + "/out"))
    refuse(mt.NotFoundError, "t.csv", lambda: mt.items.to_csv([{"x": 1}], tmp_path / "nope" / "t.csv"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.nii"]


def test_tables_of_other_bytes_are_corrupt(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"image\n\xff\xfe\n")
    refuse(mt.CorruptError, "UTF-8", lambda: mt.items.from_csv(tmp_path / "t.csv"))
    (tmp_path / "long.csv").write_text("x\n" + "1" * 200_000)
    refuse(mt.CorruptError, "no table", lambda: mt.items.from_csv(tmp_path / "long.csv"))


# ---- losses and explanations ------------------------------------------------------------------------------


def test_losses_take_tensors_that_are_not_empty():
    torch = pytest.importorskip("torch")
    from microtome import losses

    out, label = torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4, dtype=torch.long)
    for loss in (losses.DiceLoss(), losses.FocalLoss(), losses.WeightedCrossEntropy("median")):
        for given in ((out, None), (out[:0], label[:0]), (out, "x")):
            refuse(mt.InvalidError, "target", lambda loss=loss, given=given: loss(*given))
    refuse(mt.InvalidError, "outputs", lambda: losses.DiceLoss()("x", label))


def test_explanations_name_what_is_wrong(tmp_path):
    def network(x):
        return x.reshape(len(x), -1)[:, :2]

    image = np.zeros((1, 1, 6, 6), np.float32)
    make = mt.explain.OcclusionSensitivity
    refuse(mt.InvalidError, "n_batch", lambda: make(network, n_batch="x"))
    for threads in (0, -1, "x"):
        refuse(mt.InvalidError, "threads", lambda threads=threads: make(network, threads=threads))
    refuse(mt.InvalidError, "b_box", lambda: make(network, mask_size=2, stride=2)(image, b_box="x"))
    refuse(mt.InvalidError, "shape", lambda: mt.explain.overlay(IMAGE[:0], IMAGE[:0], tmp_path / "a.png"))
    pytest.importorskip("matplotlib")
    draw = mt.explain.overlay
    refuse(mt.NotFoundError, "a.png", lambda: draw(IMAGE[0], IMAGE[0], tmp_path / "nope" / "a.png"))
    for given in ({"colors": "nope"}, {"colors": 3}, {"alpha": 7}, {"alpha": NAN}, {"alpha": "x"}):
        text = next(iter(given))
        refuse(
            mt.InvalidError, text, lambda given=given: draw(IMAGE[0], IMAGE[0], tmp_path / "a.png", **given)
        )
    assert not list(tmp_path.iterdir())
