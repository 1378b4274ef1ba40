"""Which items make up an epoch: by class, by weight, in shards and worker processes; and what is refused before one begins.
SPDX-License-Identifier: Apache-2.0
"""

import json
from collections import Counter

import microtome as mt
import numpy as np
import pytest
import torch
from conftest import save_nifti
from test_loader_py import digest

CLASSES = ["f"] * 12 + ["m"] * 5 + ["x"] * 3


def items(classes=CLASSES):
    return [{"image": np.full((2, 2, 2), i, np.float32), "sex": c, "n": i} for i, c in enumerate(classes)]


def numbers(loader):
    return [int(n) for b in loader for n in b["n"]]


@pytest.mark.parametrize(
    "sampling, length, each", [("under", 9, 3), ("over", 36, 12), ("equal", 20, None), (None, 20, None)]
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_classes_are_balanced(sampling, length, each, shuffle):
    loader = mt.Loader(items(), batch_size=4, seed=1, shuffle=shuffle, balance="sex", sampling=sampling)
    orders = [numbers(loader) for _ in range(4)]
    for order in orders:
        of = Counter(CLASSES[n] for n in order)
        assert len(order) == length and (each is None or set(of.values()) == {each})
        assert each is not None or sorted(of.values()) == [6, 7, 7]
        counts = Counter(order)
        if sampling == "over":  # every item, as equally often as can be
            assert set(counts) == set(range(20)) and {counts[n] for n in range(12, 17)} <= {2, 3}
        if sampling == "under":
            assert max(counts.values()) == 1
        assert shuffle or order == sorted(order)
    assert len({tuple(o) for o in orders}) > 1  # chosen anew


def test_every_item_of_a_class_is_as_likely():
    loader = mt.Loader(items(), batch_size=9, seed=3, shuffle=True, balance="sex", sampling="under")
    counts = Counter(n for _ in range(600) for n in numbers(loader))
    for lo, hi in ((0, 12), (12, 17), (17, 20)):
        share = np.array([counts[n] for n in range(lo, hi)]) / 600
        p = 3 / (hi - lo)
        assert np.all(abs(share - p) < 4.5 * np.sqrt(p * (1 - p) / 600) + 1e-9)
    extra = Counter()
    loader = mt.Loader(items(), batch_size=20, seed=3, balance="sex")
    for _ in range(300):  # 20 places for 3 classes: the two that are left over wander
        of = Counter(CLASSES[n] for n in numbers(loader))
        extra.update(c for c in of if of[c] == 7)
    assert all(abs(extra[c] - 200) < 37 for c in "fmx")


def test_weights_draw_with_replacement():
    weights = np.arange(20) % 4
    loader = mt.Loader(items(), batch_size=5, seed=2, shuffle=True, weights=weights)
    epochs = [numbers(loader) for _ in range(400)]
    assert all(len(e) == 20 for e in epochs) and any(len(set(e)) < 20 for e in epochs)
    counts = Counter(n for e in epochs for n in e)
    p = weights / weights.sum()
    for n in range(20):
        assert abs(counts[n] - 8000 * p[n]) <= 4.5 * np.sqrt(8000 * p[n])


def test_an_item_that_comes_again_is_drawn_for_again():
    chain = mt.Chain([mt.RandomGaussianNoise(sigma=1, p=1)])
    loader = mt.Loader(
        items(), chain, batch_size=3, seed=5, balance="sex", sampling="over", samples_per_item=2
    )
    seen, indices = set(), []
    for b in loader:
        for k, i in enumerate(b.index):
            item = int(i) // 2 % 20
            assert b["n"][k] == item and b["sex"][k] == CLASSES[item]
            got = np.asarray(b["image"])[k]
            assert got.tobytes() == chain(items()[item], seed=5, index=int(i))["image"].tobytes()
            seen.add(got.tobytes())
            indices.append(int(i))
    assert len(indices) == len(set(indices)) == len(seen) == 72


@pytest.mark.parametrize("options", [{"balance": "sex", "sampling": "over"}, {"weights": [1, 2] * 10}])
def test_shards_and_places_of_a_balanced_epoch(options):
    settings = {"batch_size": 2, "seed": 7, "shuffle": True, **options}
    whole = mt.Loader(items(), **settings)
    want = [digest(b) for b in whole]
    all_indices = sorted(int(i) for b in mt.Loader(items(), **settings) for i in b.index)
    shards = [
        [int(i) for b in mt.Loader(items(), shard=(r, 4), **settings) for i in b.index] for r in range(4)
    ]
    assert len({len(s) for s in shards}) == 1 and sorted(sum(shards, [])) == all_indices
    loader = mt.Loader(items(), threads=1, prefetch=3, **settings)
    batches = iter(loader)
    head = [digest(next(batches)) for _ in range(4)]
    state = json.loads(json.dumps(loader.state()))
    again = mt.Loader(items(), **settings)
    again.restore(state)
    assert head + [digest(b) for b in again] == want
    other = mt.Loader(
        items(),
        **{**settings, **({"weights": [2, 1] * 10} if "weights" in options else {"sampling": "under"})},
    )
    with pytest.raises(mt.InvalidError, match="sampl"):
        other.restore(state)
    with pytest.raises(mt.InvalidError, match="sampl"):
        mt.Loader(items(), batch_size=2, seed=7, shuffle=True).restore(state)


@pytest.mark.parametrize("n, workers", [(7, 2), (5, 3), (2, 3)])
def test_torch_workers_give_the_batches_of_one_process(n, workers):
    """Each batch once and in the same order, also where the workers' parts are not equally long."""
    data = mt.torch.IterableDataset(
        items()[:n], shuffle=True, seed=4, batch_size=2, threads=1, samples_per_item=3
    )
    alone = [b["n"].tolist() for b in torch.utils.data.DataLoader(data, batch_size=None)]
    data.set_epoch(0)
    apart = [b["n"].tolist() for b in torch.utils.data.DataLoader(data, batch_size=None, num_workers=workers)]
    assert apart == alone and sum(map(len, alone)) == 3 * n
    parts = [mt.Loader(items()[:n], batch_size=2, part=(i, 3)) for i in range(3)]
    assert sum(map(len, parts)) == len(mt.Loader(items()[:n], batch_size=2))


@pytest.mark.parametrize(
    "options, says",
    [
        ({"balance": "age"}, "no field 'age'"),
        ({"balance": "image"}, "neither a number nor text"),
        ({"sampling": "over"}, "needs balance"),
        ({"balance": "sex", "sampling": "all"}, "sampling must be one of"),
        ({"balance": "sex", "weights": [1] * 20}, "one of them"),
        ({"weights": [1, 2]}, "2 weights for 20 items"),
        ({"weights": [0] * 20}, "sum to 0"),
        ({"weights": [1] * 19 + [-1]}, "item 19"),
        ({"weights": [float("nan")] * 20}, "item 0"),
        ({"part": (2, 2)}, "part 2 of 2"),
    ],
)
def test_options_of_sampling_are_checked(options, says):
    with pytest.raises(mt.InvalidError, match=says):
        mt.Loader(items(), **options)


# ---- refused before the first batch -----------------------------------------------------------------------


def test_what_is_wrong_is_told_when_the_chain_or_loader_is_made(tmp_path):
    sample = {"image": np.zeros((8, 8, 8), np.float32), "label": np.zeros((8, 8, 8), np.uint8)}
    for make, says in [
        (lambda: mt.RandomFlip(p=1.5), "random_flip: p 1.5|p .*1.5"),
        (lambda: mt.RandomBrightness(multiply=(2, 1)), "random_brightness.*multiply runs from 2 down to 1"),
        (lambda: mt.RandomBlur(sigma=(-1, 1)), "random_blur: sigma"),
        (lambda: mt.RandomGamma(gamma=(0.5, 1, 2)), "gamma is a number or a pair"),
        (lambda: mt.Resize(size=(0.5, 8, 8)), "resize: size"),
    ]:
        with pytest.raises((mt.InvalidError, TypeError)) as e:
            make()
        import re

        assert re.search(says, str(e.value)), str(e.value)
    with pytest.raises(mt.InvalidError, match="Normalize.*'imgae'|'imgae'"):
        mt.Loader([sample], mt.Chain([mt.Normalize("imgae")]))
    with pytest.raises(mt.InvalidError, match="random_balanced_crop: label is 'lable'"):
        mt.Loader([sample], mt.Chain([mt.RandomBalancedCrop("lable", size=4)]))
    floats = {**sample, "label": np.zeros((8, 8, 8), np.float32)}
    with pytest.raises(mt.InvalidError, match="item 1.*|label map 'label' is float32"):
        mt.Loader([sample, floats], mt.Chain([mt.RandomFlip()]))
    save_nifti(tmp_path / "seg.nii.gz", np.zeros((8, 8, 8), np.float32))
    files = {**sample, "label": str(tmp_path / "seg.nii.gz")}
    with pytest.raises(mt.InvalidError, match=r"seg\.nii\.gz.*label map 'label' is float32"):
        list(mt.Loader([files], mt.Chain([mt.RandomFlip()])))
    assert len(list(mt.Loader([files], mt.Chain([mt.RandomFlip()], labels=())))) == 1
    for op in (mt.RandomCrop(size=(4, 9, 4)), mt.Crop(start=(0, 3, 0), size=(4, 6, 4))):
        with pytest.raises(mt.InvalidError) as e:
            list(mt.Loader([sample], mt.Chain([op])))
        assert "item 0" in str(e.value) and "crop" in str(e.value) and "axis" in str(e.value)
