"""Crops led by objects, by positive and negative voxels, by weights and by the foreground: where they may lie and how often.
SPDX-License-Identifier: Apache-2.0
"""

from collections import Counter

import microtome as mt
import nibabel
import numpy as np
import pytest
from scipy import ndimage, stats
from test_objects import arena, probabilities

SHAPE = (12, 14, 16)


def coordinates(shape=SHAPE):
    """An image whose voxels tell their own number."""
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def starts(op, n, label, seed=3, **fields):
    """Where the crops of n samples begin, and their extent."""
    chain = mt.Chain([op])
    sample = {"image": coordinates(label.shape), "label": label, **fields}
    out = []
    for i in range(n):
        got = chain(sample, seed=seed, index=i)
        found = {k: got[k].reshape(got[k].shape[-label.ndim :]) for k in ("image", "label")}
        first = np.unravel_index(int(found["image"].flat[0]), label.shape)
        where = tuple(slice(a, a + b) for a, b in zip(first, found["image"].shape, strict=True))
        np.testing.assert_array_equal(found["label"], label[where])
        np.testing.assert_array_equal(found["image"], sample["image"][where])
        out.append(tuple(int(v) for v in first))
    return out


def fits(drawn, expected):
    assert drawn.keys() <= expected.keys()
    total = sum(drawn.values())
    rest = [(drawn[k], total * p) for k, p in expected.items()]
    many = [r for r in rest if r[1] >= 5]
    few = [r for r in rest if r[1] < 5]
    many.append(tuple(map(sum, zip(*few, strict=True))) if few else (0, 0))
    observed, wanted = zip(*(r for r in many if r[1] > 0), strict=True)
    assert len(wanted) == 1 or stats.chisquare(observed, wanted).pvalue > 1e-4


def starts_with_box(start, end, size, shape):
    """The positions along each axis that a crop with this box may begin at: all equally likely."""
    axes = []
    for a, b, n, whole in zip(start, end, size, shape, strict=True):
        lo, hi = sorted((a, b - n))
        axes.append(range(min(max(lo, 0), whole - n), min(max(hi, 0), whole - n) + 1))
    return axes


# ---- object boxes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(6, 6, 8), (2, 3, 3), (12, 1, 16)], ids=str)
@pytest.mark.parametrize(
    "case",
    [
        {},
        {"foreground_prob": 0.4},
        {"classes": [5, 2], "class_weights": [3, 1]},
        {"k_largest": 1, "threshold": 2},
    ],
    ids=str,
)
def test_object_crops_begin_where_they_should(case, size):
    label = arena()
    expected = Counter()
    for (_, start, end), p in probabilities(label, **case).items():
        axes = starts_with_box(start, end, size, label.shape)
        for z in axes[0]:
            for y in axes[1]:
                for x in axes[2]:
                    expected[z, y, x] += p / np.prod([len(a) for a in axes])
    drawn = Counter(starts(mt.RandomObjectBox("label", size=size, **case), 900, label))
    for axis in range(3):  # the marginals: uniform, first and last position included
        one, want = Counter(), Counter()
        for k, n in drawn.items():
            one[k[axis]] += n
        for k, p in expected.items():
            want[k[axis]] += p
        fits(one, want)
    assert drawn.keys() <= expected.keys()


def test_object_crops_hold_the_object():
    label = np.zeros((40, 41, 42), np.uint8)
    label[20:24, 3:9, 30:32] = 3
    for start in starts(mt.RandomObjectBox("label", size=10), 60, label):
        assert all(s <= a and b <= s + 10 for s, a, b in zip(start, (20, 3, 30), (24, 9, 32), strict=True))


def test_object_crops_of_planes_and_small_images():
    label = np.zeros((30, 31), np.int32)
    label[5:8, 9:12] = 1
    for start in starts(mt.RandomObjectBox("label", size=(6, 7), threshold=3), 40, label):
        assert 2 <= start[0] <= 5 and 5 <= start[1] <= 9
    chain = mt.Chain([mt.RandomObjectBox("label", size=(40, 8), pad="constant", value=-1)])
    got = chain({"image": coordinates(label.shape), "label": label})
    assert got["image"].shape == (1, 1, 40, 8)
    assert (got["image"][0, 0, :5] == -1).all() and (got["image"][0, 0, 5:35] >= 0).all()
    assert (got["label"][0, 0, 10:13] == 1).sum() == 9


def test_objects_are_found_on_the_grid_as_it_stands():
    label = arena()
    sample = {"image": coordinates(), "label": label}
    chain = mt.Chain(
        [mt.Flip(axis=0), mt.RandomFlip(p=0.5), mt.RandomObjectBox("label", size=5, classes=[5])]
    )
    for i in range(20):
        got = chain(sample, seed=1, index=i)
        assert (got["label"] == 5).sum() >= 5  # the thin object is 6 long, the crop 5


# ---- other crops ------------------------------------------------------------------------------------------


def around(voxels, weights, size, shape):
    out = Counter()
    for v, w in zip(voxels, weights, strict=True):
        out[tuple(min(max(int(c) - n // 2, 0), m - n) for c, n, m in zip(v, size, shape, strict=True))] += w
    return {k: p / sum(out.values()) for k, p in out.items()}


@pytest.mark.parametrize(("pos", "neg"), [(1, 1), (3, 1), (1, 0), (0, 2)])
def test_positive_and_negative_voxels(pos, neg):
    label = np.zeros((5, 6, 4), np.uint8)
    label[1, 2, 1:3] = 1
    label[4, 5, 3] = 9
    positive, negative = np.argwhere(label > 0), np.argwhere(label == 0)
    share = pos / (pos + neg)
    weights = [share / len(positive)] * len(positive) + [(1 - share) / len(negative)] * len(negative)
    expected = around([*positive, *negative], weights, (3, 2, 3), label.shape)
    drawn = Counter(starts(mt.RandomPosNegCrop("label", size=(3, 2, 3), pos=pos, neg=neg), 800, label))
    fits(drawn, expected)


def test_without_positive_voxels_negative_ones_lead():
    starts(mt.RandomPosNegCrop("label", size=3, pos=1, neg=0), 3, np.zeros((5, 6, 4), np.uint8))


def test_weights_lead(rng):
    shape = (5, 6, 4)
    weights = rng.random(shape).astype(np.float32)
    weights[rng.random(shape) < 0.5] = 0
    expected = around(np.argwhere(weights >= 0), weights.astype(np.float64).ravel(), (3, 2, 4), shape)
    op = (
        mt.RandomWeightedCrop("w", size=(3, 2, 4))
        if False
        else mt.RandomWeightedCrop(weights="w", size=(3, 2, 4))
    )
    drawn = Counter(starts(op, 900, np.zeros(shape, np.uint8), w=weights))
    fits(drawn, {k: p for k, p in expected.items() if p})
    one = np.zeros(shape, np.float32)
    one[4, 5, 3] = 1e-30
    assert set(starts(op, 5, np.zeros(shape, np.uint8), w=one)) == {(2, 4, 0)}
    for bad in (one * 0, one - 1, one * np.nan):
        with pytest.raises(mt.InvalidError, match="random_weighted_crop"):
            starts(op, 1, np.zeros(shape, np.uint8), w=bad)


def body(rng):
    image = np.zeros((11, 20, 17), np.int16)
    image[2:9, 4:15, 5:12] = rng.integers(-5, 100, (7, 11, 7))
    image[2, 4, 5] = image[8, 14, 11] = 50
    return image


def test_crop_foreground(rng):
    image = body(rng)
    box = ndimage.find_objects((image > 0).astype(int))[0]
    got = mt.Chain([mt.CropForeground(source="image")])({"image": image, "label": (image > 0).astype("u1")})
    np.testing.assert_array_equal(got["image"][0], image[box])
    np.testing.assert_array_equal(got["label"][0], image[box] > 0)
    wide = tuple(slice(max(s.start - m, 0), s.stop + m) for s, m in zip(box, (3, 1, 0), strict=True))
    got = mt.Chain([mt.CropForeground(source="image", margin=(3, 1, 0))])({"image": image})
    np.testing.assert_array_equal(got["image"][0], image[wide])
    high = ndimage.find_objects((image > 90).astype(int))[0]
    got = mt.Chain([mt.CropForeground(source="image", threshold=90)])({"image": image})
    np.testing.assert_array_equal(got["image"][0], image[high])
    got = mt.Chain([mt.CropForeground(source="image", threshold=1000)])({"image": image})
    np.testing.assert_array_equal(got["image"][0], image)


def test_crop_foreground_is_monais(rng):
    transforms = pytest.importorskip("monai.transforms")
    image = body(rng)
    expected = transforms.CropForeground(margin=2, allow_smaller=True)(image[None].astype("f4"))
    got = mt.Chain([mt.CropForeground(source="image", margin=2)])({"image": image})
    np.testing.assert_array_equal(got["image"], np.asarray(expected))


def test_random_foreground_crop(rng):
    image = body(rng)
    drawn = Counter(
        starts(mt.RandomForegroundCrop(source="label", size=(4, 13, 7)), 500, (image != 0).astype("i2"))
    )
    expected = {(z, y, 5): 1 / 12 for z in range(2, 6) for y in range(2, 5)}
    fits(drawn, expected)


# ---- loaders: index, memory, threads ----------------------------------------------------------------------


def items(tmp_path, n=5):
    out = []
    for i in range(n):
        label = np.roll(arena(), i, 2).astype(np.uint8)
        image = coordinates() + i
        for name, a in (("image", image), ("label", label)):
            nibabel.Nifti1Image(a.transpose(2, 1, 0), np.eye(4)).to_filename(tmp_path / f"{name}{i}.nii.gz")
        out.append({"image": str(tmp_path / f"image{i}.nii.gz"), "label": str(tmp_path / f"label{i}.nii.gz")})
    return out


def epochs(data, chain, n=2, **options):
    loader = mt.Loader(data, chain, batch_size=2, seed=4, **options)
    out = []
    for _ in range(n):
        for b in loader:
            out += [np.asarray(b["image"]).tobytes(), np.asarray(b["label"]).tobytes()]
    return out


@pytest.mark.parametrize(
    "ops",
    [
        lambda: [mt.RandomObjectBox("label", size=(6, 5, 7), foreground_prob=0.8, k_largest=2)],
        lambda: [mt.Flip(axis=1), mt.RandomFlip(), mt.RandomObjectBox("label", size=5, classes=[0, 5])],
        lambda: [mt.RandomPosNegCrop("label", size=5), mt.RandomFlip()],
        lambda: [
            mt.RandomForegroundCrop(source="label", size=6),
            mt.RandomWeightedCrop(weights="image", size=4),
        ],
    ],
    ids=["boxes", "moved", "ratio", "foreground"],
)
def test_index_cache_and_threads_change_nothing(ops, tmp_path):
    data, chain = items(tmp_path), mt.Chain(ops())
    expected = epochs(data, chain, threads=1)
    index = str(tmp_path / "microtome.index")
    assert epochs(data, chain, threads=2) == expected
    assert epochs(data, chain, threads=2, index=index) == expected
    assert epochs(data, chain, threads=1, index=index) == expected  # from what the first one kept
    assert epochs(data, chain, threads=2, cache_bytes=1 << 24) == expected
    eager = [chain(data[i], seed=4, epoch=0, index=i) for i in range(2)]
    assert np.concatenate([e["image"][None] for e in eager]).tobytes() == expected[0]


def test_a_changed_label_map_is_labelled_anew(tmp_path):
    data, index = items(tmp_path, 1), str(tmp_path / "microtome.index")
    chain = mt.Chain([mt.RandomObjectBox("label", size=3, classes=[5, 7])])
    epochs(data, chain, index=index)
    label = np.zeros(SHAPE, np.uint8)
    label[3:6, 3:6, 3:6] = 7
    nibabel.Nifti1Image(label.transpose(2, 1, 0), np.eye(4)).to_filename(data[0]["label"])
    got = next(iter(mt.Loader(data, chain, index=index)))
    assert (np.asarray(got["label"]) == 7).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: mt.RandomObjectBox("label", size=3, foreground_prob=1.2), "foreground_prob"),
        (lambda: mt.RandomObjectBox("label", size=3, classes=[1], class_weights=[1, 2]), "class_weights"),
        (lambda: mt.RandomObjectBox("label", size=3, classes=[1, 0], background=0), "background"),
        (lambda: mt.RandomObjectBox("label", size=3, ignore_class=True, classes=[1]), "ignore_class"),
        (lambda: mt.RandomObjectBox("label", size=0), "size"),
        (lambda: mt.RandomObjectBox("label", size=3, threshold=-1), "threshold"),
        (lambda: mt.RandomPosNegCrop("label", size=3, pos=0, neg=0), "pos and neg"),
        (lambda: mt.RandomPosNegCrop("label", size=3, pos=-1), "pos"),
        (lambda: mt.CropForeground(source="image", margin=-1), "margin"),
    ],
)
def test_bad_parameters_are_refused_when_the_chain_is_made(make, text):
    with pytest.raises(mt.InvalidError, match=text):
        mt.Chain([make()])


def test_bad_fields_and_sizes_are_named():
    sample = {"image": coordinates(), "label": arena()}
    for op, text in (
        (mt.RandomObjectBox("lable", size=3), "random_object_box.*lable"),
        (mt.RandomObjectBox("label", size=(3, 3, 17)), "random_object_box.*pad="),
        (mt.RandomObjectBox("label", size=3, threshold=(1, 2)), "random_object_box.*threshold"),
        (mt.RandomWeightedCrop(weights="nothing", size=3), "random_weighted_crop.*nothing"),
        (mt.CropForeground(source="nothing"), "crop_foreground.*nothing"),
    ):
        with pytest.raises(mt.Error, match=text):
            mt.Chain([op])(sample)
    two = np.stack([arena(), arena()])
    with pytest.raises(mt.Error, match="2 channels"):
        mt.Chain([mt.RandomObjectBox("label", size=3)])({"image": coordinates(), "label": two})


@pytest.mark.parametrize("given", [{"classes": tuple(range(1, 34))}, {"class_weights": (1.0,) * 33}])
def test_more_classes_than_there_is_room_for(given):
    with pytest.raises(mt.InvalidError, match="random_object_box: at most 32"):
        mt.RandomObjectBox("label", size=4, **given)
    mt.RandomObjectBox("label", size=4, **{name: values[:32] for name, values in given.items()})
