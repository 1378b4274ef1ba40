"""Connected components, boxes of objects, distances: against SciPy, and random_object_bbox against its own definition.
SPDX-License-Identifier: Apache-2.0
"""

import itertools
from collections import Counter

import microtome as mt
import numpy as np
import pytest
from scipy import ndimage, stats

DTYPES = ("bool", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
SHAPES = ((5, 7, 9), (1, 1, 1), (3, 1, 70), (9, 33, 65), (64, 100), (1, 40))


def structure(connectivity, ndim):
    return ndimage.generate_binary_structure(ndim, 1 if connectivity == "faces" else ndim)


def check_numbered(a, connectivity):
    expected, n = ndimage.label(a != 0, structure(connectivity, a.ndim))
    numbered, count = mt.ops.connected_components(a, connectivity)
    assert count == n and numbered.dtype == np.int32
    np.testing.assert_array_equal(numbered, expected)


def touching(rng, shape, values=(0, 1, 2, 5)):
    """Blobs of several classes, side by side."""
    coarse = rng.choice(values, [-(-n // 3) for n in shape])
    for axis in range(len(shape)):
        coarse = coarse.repeat(3, axis)
    return coarse[tuple(slice(n) for n in shape)].astype("i4")


# ---- components -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("connectivity", ["faces", "full"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_components_equal_scipys(shape, connectivity, rng):
    for density in (0.05, 0.3, 0.5, 0.8, 1):
        check_numbered(rng.random(shape) < density, connectivity)


@pytest.mark.parametrize("dtype", DTYPES)
def test_components_of_every_dtype(dtype, rng):
    a = (rng.random((6, 11, 70)) < 0.4).astype(dtype)
    if dtype not in ("bool",):
        a[a != 0] = 3 if np.dtype(dtype).kind == "u" else -3
    check_numbered(a, "faces")
    boxes, classes = mt.ops.object_boxes(a)
    assert set(classes) == {a.max() if a.max() else a.min()}


@pytest.mark.parametrize("connectivity", ["faces", "full"])
def test_components_of_hard_shapes(connectivity):
    comb = np.ones((40, 70), "u1")
    comb[1:, ::2] = 0
    spiral = np.zeros((41, 41), "u1")
    y = x = 0
    for turn, length in enumerate(np.repeat(np.arange(40, 0, -2), 2)):
        dy, dx = ((0, 1), (1, 0), (0, -1), (-1, 0))[turn % 4]
        for _ in range(length):
            spiral[y, x] = 1
            y, x = y + dy, x + dx
    checker = np.indices((9, 8, 7)).sum(0) % 2
    for a in (
        comb,
        comb[::-1],
        comb.T,
        spiral,
        spiral[::-1, ::-1],
        checker,
        np.indices((50, 80)).sum(0) % 7 < 3,
    ):
        check_numbered(a, connectivity)


def test_components_of_any_strides_into_any_strides(rng):
    a = (rng.random((12, 14, 90)) < 0.5).astype("i2")
    for view in (a[::-1], a[:, ::2, ::-3], a.transpose(2, 0, 1), np.broadcast_to(a[:1], (3, 14, 90))):
        check_numbered(view, "faces")
    out = np.full((12, 14, 180), -1, "i4")[:, :, ::2]
    numbered, n = mt.ops.connected_components(a, out=out)
    assert numbered is out and (out == ndimage.label(a)[0]).all()


def test_rows_longer_than_a_block(rng):
    a = (rng.random((2, 3, 9001)) < 0.5).astype("u2")
    check_numbered(a, "faces")
    check_numbered(a.astype("f4"), "full")
    check_numbered(a[:, :, ::-1], "faces")


def test_more_than_65535_components():
    a = np.zeros((90, 90, 90), "u1")
    a[::2, ::2, ::2] = 1
    check_numbered(a, "faces")
    assert mt.ops.connected_components(a)[1] == 91125


@pytest.mark.parametrize("connectivity", ["faces", "full"])
def test_touching_classes_stay_apart_by_class(connectivity, rng):
    a = touching(rng, (14, 15, 16))
    numbered, n = mt.ops.connected_components(a, connectivity, by_class=True)
    total = 0
    for value in (1, 2, 5):
        expected, count = ndimage.label(a == value, structure(connectivity, 3))
        total += count
        pairs = set(zip(expected[a == value], numbered[a == value], strict=True))
        assert len(pairs) == count  # one number for each of the class's components
    first = [np.flatnonzero(numbered == i + 1)[0] for i in range(n)]
    assert n == total and first == sorted(first) and (numbered[a == 0] == 0).all()


def test_another_background(rng):
    a = touching(rng, (9, 10, 11))
    expected, n = ndimage.label(a != 5)
    numbered, count = mt.ops.connected_components(a, background=5)
    assert n == count and (numbered == expected).all()
    assert mt.ops.connected_components(a.astype("u1"), background=-1)[1] == 1  # nothing is -1


def test_what_is_no_label_map_is_refused():
    with pytest.raises(mt.InvalidError, match="whole number"):
        mt.ops.connected_components(np.array([[0, 1.5]]))
    with pytest.raises(mt.InvalidError, match="2 or 3 axes"):
        mt.ops.object_boxes(np.zeros((2, 2, 2, 2), "u1"))
    with pytest.raises(mt.InvalidError, match="connectivity"):
        mt.ops.connected_components(np.zeros((2, 2), "u1"), "edges")
    with pytest.raises(mt.InvalidError, match="another shape"):
        mt.ops.connected_components(np.zeros((2, 2), "u1"), out=np.zeros((2, 3), "i4"))
    for op in (mt.ops.keep_largest, mt.ops.distance_transform, lambda a: mt.ops.one_hot(a, num_classes=2)):
        with pytest.raises(mt.InvalidError, match="holds integers"):
            op(np.zeros((2, 2), "f4"))


# ---- boxes ------------------------------------------------------------------------------------------------


def objects(a, background=0):
    """(class, scan-order number among all, start, end) of every object, by SciPy."""
    found = []
    for value in np.unique(a[a != background]):
        numbered, n = ndimage.label(a == value)
        for i, box in enumerate(ndimage.find_objects(numbered), 1):
            first = np.flatnonzero(numbered == i)[0]
            found.append((value, first, tuple(s.start for s in box), tuple(s.stop for s in box)))
    return found


@pytest.mark.parametrize("shape", [(13, 14, 15), (40, 30), (1, 9, 20)], ids=str)
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4"])
def test_boxes_equal_find_objects(shape, dtype, rng):
    a = touching(rng, shape, (-4, 0, 1, 7) if dtype != "u1" else (0, 1, 7, 250)).astype(dtype)
    for background in (0, 7):
        boxes, classes = mt.ops.object_boxes(a, background=background)
        expected = objects(a, background)
        assert boxes.dtype == classes.dtype == np.int64 and boxes.shape == (len(expected), 2, a.ndim)
        assert classes.tolist() == [e[0] for e in expected]
        assert boxes.tolist() == [[list(e[2]), list(e[3])] for e in expected]


def test_boxes_of_some_classes_and_sizes(rng):
    a = touching(rng, (20, 21, 22))
    boxes, classes = mt.ops.object_boxes(a, classes=[2, 5, 9], threshold=(4, 1, 3))
    kept = [e for e in objects(a) if e[0] in (2, 5) and e[3][0] - e[2][0] >= 4 and e[3][2] - e[2][2] >= 3]
    assert kept and boxes[:, 0].tolist() == [list(e[2]) for e in kept]
    assert len(mt.ops.object_boxes(np.zeros((3, 3), "u1"))[1]) == 0
    assert mt.ops.object_boxes(np.zeros((0, 3), "u1"))[0].shape == (0, 2, 2)


# ---- random_object_bbox -----------------------------------------------------------------------------------


def probabilities(
    a,
    foreground_prob=1,
    classes=None,
    class_weights=None,
    k_largest=None,
    threshold=None,
    background=None,
    ignore_class=False,
):
    """{(class, start, end): probability}, by the definition, enumerated."""
    if background is None:
        background = min(classes) - 1 if classes is not None and 0 in classes else 0
    found = objects(a, background)
    whole = (background, (0,) * a.ndim, a.shape)
    threshold = np.broadcast_to(0 if threshold is None else threshold, a.ndim)

    def boxes(keep):
        rows = [e for e in found if keep(e) and (np.subtract(e[3], e[2]) >= threshold).all()]
        rows.sort(key=lambda e: (-np.prod(np.subtract(e[3], e[2])), e[1]))
        rows = rows[:k_largest] if k_largest else rows
        return [(e[0], e[2], e[3]) for e in rows]

    if ignore_class:
        groups = [(1, boxes(lambda e: True))]
    elif classes is None and class_weights is None:
        groups = [(1, boxes(lambda e, v=v: e[0] == v)) for v in sorted({e[0] for e in found})]
    else:
        if classes is None:
            classes = [v for v in range(len(class_weights) + 1) if v != background][: len(class_weights)]
        weights = class_weights if class_weights is not None else [1] * len(classes)
        groups = [(w, boxes(lambda e, v=v: e[0] == v)) for v, w in zip(classes, weights, strict=True)]
    groups = [(w, b) for w, b in groups if b and w > 0]  # the others end with weight 0
    out = Counter({whole: 1 - foreground_prob if groups else 1})
    total = sum(w for w, _ in groups)
    for w, group in groups:
        for box in group:
            out[box] += foreground_prob * w / total / len(group)
    return {k: p for k, p in out.items() if p > 0}


CASES = [
    {},
    {"foreground_prob": 0.3},
    {"foreground_prob": 0},
    {"classes": [2, 1]},
    {"classes": [1, 2, 5], "class_weights": [1, 0, 3]},
    {"classes": [9, 5]},
    {"classes": [9]},
    {"classes": [0, 2]},
    {"classes": [0, -3, 1]},
    {"class_weights": [1, 2, 0.5]},
    {"class_weights": [1, 2, 4], "background": 1},
    {"k_largest": 2},
    {"k_largest": 1, "ignore_class": True},
    {"k_largest": 3, "ignore_class": True, "foreground_prob": 0.9},
    {"threshold": 2},
    {"threshold": (3, 1, 4), "k_largest": 2},
    {"threshold": 100},
    {"ignore_class": True},
    {"background": 2},
    {"background": -1},
]


def arena():
    """Objects of three classes; equal boxes of class 1, so that k_largest has ties; a thin one of class 5."""
    a = np.zeros((12, 14, 16), "i2")
    a[0:2, 0:2, 0:2] = a[4:6, 0:2, 0:2] = a[8:10, 0:2, 0:2] = 1
    a[0:3, 5:9, 3:8] = 2
    a[6:9, 6:7, 9:15] = 2
    a[7, 7:9, 9:15] = 5  # touches the one before
    a[11, 13, 15] = 2
    return a


@pytest.mark.parametrize("case", CASES, ids=str)
def test_drawn_boxes_have_the_defined_probabilities(case):
    a, n = arena(), 1200
    expected = probabilities(a, **case)
    drawn = Counter()
    for seed in range(n):
        if case.get("ignore_class"):
            start, end = mt.ops.random_object_bbox(a, seed=seed, **case)
            known = {k[1:]: k for k in expected}
            drawn[known[tuple(start.tolist()), tuple(end.tolist())]] += 1
        else:
            start, end, value = mt.ops.random_object_bbox(a, seed=seed, output_class=True, **case)
            drawn[value, tuple(start.tolist()), tuple(end.tolist())] += 1
    assert drawn.keys() <= expected.keys()
    p = stats.chisquare([drawn[k] for k in expected], [n * q for q in expected.values()]).pvalue
    assert len(expected) == 1 or p > 1e-4


@pytest.mark.parametrize("case", CASES, ids=str)
def test_dalis_boxes_are_the_same(case):
    fn = pytest.importorskip("nvidia.dali.fn")
    from nvidia.dali import pipeline_def, types

    a, n = arena(), 600
    more = {k: list(v) if isinstance(v, tuple) else v for k, v in case.items()}

    @pipeline_def(batch_size=n, num_threads=1, device_id=None, seed=7)
    def pipeline():
        label = fn.external_source(lambda: [a] * n, dtype=types.INT16, ndim=3)
        return tuple(fn.segmentation.random_object_bbox(label, format="start_end", **more))

    pipe = pipeline()
    pipe.build()
    starts, ends = (np.array([np.asarray(x) for x in o]) for o in pipe.run())
    expected = Counter()
    for k, p in probabilities(a, **case).items():
        expected[k[1:]] += p
    drawn = Counter(zip(map(tuple, starts.tolist()), map(tuple, ends.tolist()), strict=True))
    assert drawn.keys() <= expected.keys()
    p = stats.chisquare([drawn[k] for k in expected], [n * q for q in expected.values()]).pvalue
    assert len(expected) == 1 or p > 1e-4


def test_formats_and_classes():
    a = arena()
    for seed in range(5):
        start, end = mt.ops.random_object_bbox(a, seed=seed)
        anchor, shape = mt.ops.random_object_bbox(a, seed=seed, format="anchor_shape")
        box = mt.ops.random_object_bbox(a, seed=seed, format="box")
        assert (anchor == start).all() and (anchor + shape == end).all()
        assert box.tolist() == [*start, *end] and box.dtype == np.int64
        assert len(mt.ops.random_object_bbox(a, seed=seed, format="box", output_class=True)) == 2
    flat = a[0]
    assert len(mt.ops.random_object_bbox(flat, classes=2)[0]) == 2


def test_the_background_wraps():
    low = np.iinfo(np.int64).min
    a = np.zeros((4, 4), "i8")
    a[0, 0] = low
    out = {
        mt.ops.random_object_bbox(a, classes=[0, low], foreground_prob=0, output_class=True, seed=s)[2]
        for s in range(3)
    }
    assert out == {np.iinfo(np.int64).max}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"foreground_prob": 1.5}, "foreground_prob"),
        ({"classes": [1, 2], "class_weights": [1]}, "class_weights"),
        ({"class_weights": [1, -1]}, "class_weights"),
        ({"class_weights": [0, 0]}, "class_weights"),
        ({"classes": [1, 0], "background": 0}, "background"),
        ({"ignore_class": True, "classes": [1]}, "ignore_class"),
        ({"ignore_class": True, "output_class": True}, "ignore_class"),
        ({"k_largest": 0}, "k_largest"),
        ({"threshold": (1, 2)}, "threshold"),
        ({"threshold": -1}, "threshold"),
        ({"format": "corners"}, "format"),
    ],
)
def test_bad_parameters_are_named(given, text):
    with pytest.raises(mt.InvalidError, match=text):
        mt.ops.random_object_bbox(arena(), **given)


# ---- keep_largest, one_hot --------------------------------------------------------------------------------


def kept(a, classes, per_class, count, connectivity):
    out = a.copy()
    values = [v for v in np.unique(a) if v != 0 and (classes is None or v in classes)]
    for group in [[v] for v in values] if per_class else [values]:
        numbered, n = ndimage.label(np.isin(a, group), structure(connectivity, a.ndim))
        sizes = np.bincount(numbered.ravel(), minlength=n + 1)[1:]
        best = sorted(range(n), key=lambda i: (-sizes[i], i))[:count]
        out[np.isin(a, group) & ~np.isin(numbered, [i + 1 for i in best])] = 0
    return out


@pytest.mark.parametrize("per_class", [True, False])
@pytest.mark.parametrize("connectivity", ["faces", "full"])
def test_keep_largest(per_class, connectivity, rng):
    for shape, classes, count in itertools.product(((12, 13, 14), (30, 31)), (None, [2], [1, 5]), (1, 2)):
        a = touching(rng, shape)
        got = mt.ops.keep_largest(
            a, classes=classes, per_class=per_class, count=count, connectivity=connectivity
        )
        assert got.dtype == a.dtype
        np.testing.assert_array_equal(got, kept(a, classes, per_class, count, connectivity))
    many = np.stack([a, np.roll(a, 1, 0)])
    np.testing.assert_array_equal(mt.ops.keep_largest(many, channels=True)[1], mt.ops.keep_largest(many[1]))


def test_keep_largest_is_monais(rng):
    pytest.importorskip("skimage")  # what MONAI finds components with
    transforms = pytest.importorskip("monai.transforms")
    a = touching(rng, (15, 16, 17))
    a[0, 0, 0] = 7
    for per_class in (True, False):
        keep = transforms.KeepLargestConnectedComponent(independent=per_class, connectivity=1)
        np.testing.assert_array_equal(
            mt.ops.keep_largest(a, per_class=per_class), np.asarray(keep(a[None]))[0]
        )


def test_one_hot(rng):
    a = touching(rng, (5, 6, 7))
    got = mt.ops.one_hot(a[None], num_classes=4, channels=True)
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, np.stack([a == v for v in range(4)]))
    got = mt.ops.one_hot(a[None, ::-1, :, ::2], classes=[5, 300, 0], channels=True, dtype="float32")
    np.testing.assert_array_equal(got, np.stack([a[::-1, :, ::2] == v for v in (5, 300, 0)]))
    for given in ({}, {"num_classes": 2, "classes": [1]}):
        with pytest.raises(mt.InvalidError, match="num_classes"):
            mt.ops.one_hot(a[None], channels=True, **given)


# ---- distances --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(9, 33, 18), (70, 61), (1, 5, 5), (20, 1, 17), (3, 200, 33)], ids=str)
def test_distances_equal_scipys(shape, rng):
    for density in (0.5, 0.95, 0.999):
        a = (rng.random(shape) < density).astype("u1")
        a.flat[rng.integers(a.size)] = 0
        for sampling in (None, 0.7, tuple(rng.uniform(0.3, 3, len(shape)))):
            expected = ndimage.distance_transform_edt(a, sampling=sampling)
            got = mt.ops.distance_transform(a, sampling=sampling)
            assert got.dtype == np.float32
            np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_distances_without_background_or_foreground():
    assert np.isinf(mt.ops.distance_transform(np.ones((3, 4, 5), "u1"))).all()
    assert (mt.ops.distance_transform(np.zeros((3, 4, 5), "u1")) == 0).all()
    a = np.full((4, 5), 7, "i2")
    a[1, 2] = -2
    expected = ndimage.distance_transform_edt(a != -2)
    np.testing.assert_allclose(mt.ops.distance_transform(a, background=-2), expected, rtol=1e-6)


def test_distances_of_any_strides_on_any_threads(rng):
    a = (rng.random((20, 40, 50)) < 0.97).astype("i4")
    view = a.transpose(2, 0, 1)[::-1, :, ::3]
    expected = mt.ops.distance_transform(np.ascontiguousarray(view))
    np.testing.assert_array_equal(mt.ops.distance_transform(view), expected)
    out = np.zeros((*view.shape, 2), "f8")[..., 0]
    np.testing.assert_array_equal(mt.ops.distance_transform(view, out=out), expected)
    with pytest.raises(mt.InvalidError, match="sampling"):
        mt.ops.distance_transform(a, sampling=(1, 0, 1))
    with pytest.raises(mt.InvalidError, match="sampling"):
        mt.ops.distance_transform(a, sampling=(1, 1))


@pytest.mark.parametrize("name", ["label.npy", "label.nii.gz"])
def test_objects_of_a_file_are_those_of_its_array(name, tmp_path, rng):
    a = (rng.random((11, 13, 17)) < 0.1).astype(np.uint8) + 2 * (rng.random((11, 13, 17)) < 0.05).astype(
        np.uint8
    )
    mt.write(tmp_path / name, a)
    want = mt.ops.object_boxes(a)
    for index in (
        None,
        tmp_path / "index",
        tmp_path / "index",
    ):  # the last one finds what the one before kept
        got = mt.open(tmp_path / name, index=index).objects()
        assert all(np.array_equal(g, w) for g, w in zip(got, want, strict=True))
    assert np.array_equal(
        mt.open(tmp_path / name, index=tmp_path / "index").objects(3)[0],
        mt.ops.object_boxes(a, background=3)[0],
    )


def test_objects_of_a_plane_and_of_what_is_no_label_map(tmp_path):
    plane = np.zeros((8, 9), np.uint8)
    plane[2:4, 3:5] = 7
    mt.write(tmp_path / "plane.npy", plane)
    boxes, classes = mt.open(tmp_path / "plane.npy").objects()
    assert boxes.tolist() == [[[0, 2, 3], [1, 4, 5]]] and classes.tolist() == [7]
    mt.write(tmp_path / "half.npy", np.full((4, 4, 4), 0.5, np.float32))
    with pytest.raises(mt.InvalidError, match="no whole number"):
        mt.open(tmp_path / "half.npy").objects()
    with pytest.raises(mt.InvalidError, match="no whole number"):
        mt.open(tmp_path / "half.npy").labels()
    mt.write(tmp_path / "many.npy", np.zeros((2, 4, 5, 6), np.uint8))
    with pytest.raises(mt.InvalidError, match="two or three axes"):
        mt.open(tmp_path / "many.npy").objects()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"foreground_prob": 1.5}, "random_object_bbox: foreground_prob"),
        ({"threshold": (1, 2)}, "random_object_bbox: threshold"),
        ({"background": 2, "classes": (2, 5)}, "random_object_bbox: background 2"),
        ({"class_weights": (-1, 1)}, "random_object_bbox: class_weights"),
    ],
)
def test_random_object_bbox_names_itself_and_the_parameter(options, text):
    with pytest.raises(mt.InvalidError, match=text):
        mt.ops.random_object_bbox(np.ones((2, 3, 4), np.uint8), **options)
