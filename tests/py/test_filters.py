"""Filters and histogram operators against SciPy, NumPy restatements of scikit-image, and the peers where they are installed.

SPDX-License-Identifier: Apache-2.0
"""

import itertools

import microtome as mt
import numpy as np
import pytest
from scipy import ndimage

SHAPES = [(9, 12, 33), (1, 7, 5), (13, 70), (2, 1, 19)]


def close(result, expected, tolerance=1e-5):
    assert result.dtype == np.float32 and result.shape == expected.shape
    span = max(np.ptp(expected), 1e-3)
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * span)


def picture(rng, shape, dtype="float32"):
    a = ndimage.gaussian_filter(rng.normal(size=shape), 0.7) * 300 + 100
    return np.clip(a, 0 if dtype.startswith("u") else -100, 250).astype(dtype)


# ---- zoom ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interp,order", [("nearest", 0), ("linear", 1), ("cubic", 3)])
@pytest.mark.parametrize("factor", [1.31, 0.71, (1.0, 0.81, 2.51)])
def test_zoom_is_scipy(rng, interp, order, factor):
    a = picture(rng, (11, 14, 17))
    f = np.broadcast_to(factor, 3)
    middle = (np.array(a.shape) - 1) / 2
    expected = ndimage.affine_transform(
        a.astype("f8"), 1 / f, middle - middle / f, order=order, mode="nearest"
    )
    result = mt.ops.zoom(a, factor, interp)
    if order == 0:
        np.testing.assert_array_equal(result, expected.astype("f4"))
    else:
        close(result, expected, 2e-5)
    chain = mt.Chain([mt.RandomZoom(scale=(1.25, 1.25), p=1, interp=interp)])
    np.testing.assert_array_equal(mt.ops.zoom(a, 1.25, interp), chain({"image": a})["image"][0])


def test_zoom_takes_the_labels_along(rng):
    label = (picture(rng, (20, 21, 22)) > 100).astype(np.uint8) * 7
    chain = mt.Chain([mt.Zoom(1.7)])
    out = chain({"image": label.astype("f4"), "label": label})["label"]
    assert out.dtype == np.uint8 and set(np.unique(out)) <= {0, 7}
    np.testing.assert_array_equal(out[0], mt.ops.zoom(label, 1.7, "nearest"))


# ---- sharpen ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int16", "float64"])
def test_sharpen(rng, shape, dtype):
    a = picture(rng, shape, dtype)
    x = a.astype("f8")
    for sigma in (1.0, tuple(0.5 + i for i in range(len(shape)))):
        blurred = ndimage.gaussian_filter(x, sigma, mode="reflect")
        close(mt.ops.sharpen(a, sigma, 1.5), x + 1.5 * (x - blurred))
        close(
            mt.ops.sharpen(a.T, tuple(np.broadcast_to(sigma, len(shape))[::-1]), 1.5),
            (x + 1.5 * (x - blurred)).T,
        )
    b = a.astype("f4")
    mt.ops.sharpen(b, 1.0, 1.5, out=b)
    np.testing.assert_array_equal(b, mt.ops.sharpen(a, 1.0, 1.5))
    reverse = np.ascontiguousarray(a[..., ::-1])[..., ::-1]
    np.testing.assert_array_equal(mt.ops.sharpen(reverse, 1.0, 1.5), mt.ops.sharpen(a, 1.0, 1.5))


def test_sharpen_with_channels_and_out(rng):
    a = picture(rng, (3, 8, 9, 10), "int16")
    each = np.stack([mt.ops.sharpen(c, 1.0) for c in a])
    np.testing.assert_array_equal(mt.ops.sharpen(a, 1.0, channels=True), each)
    memory = np.zeros((3, 8, 9, 20), np.float32)
    mt.ops.sharpen(a, 1.0, channels=True, out=memory[..., ::2])
    np.testing.assert_array_equal(memory[..., ::2], each)
    assert not memory[..., 1::2].any()
    np.testing.assert_array_equal(
        mt.ops.sharpen(a, 1.0, channels=True, dtype="int16"), np.rint(each).astype("i2")
    )


# ---- median -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [*SHAPES, (20, 37, 70), (40, 130), (1, 1, 1)])
@pytest.mark.parametrize("radius", [0, 1, 2, "thin", "each"])
def test_median_is_scipy(rng, shape, radius):
    n = len(shape)
    radius = {"thin": (0, 1, 1)[-n:], "each": (1, 3, 2)[-n:]}.get(radius, radius)
    box = [2 * r + 1 for r in np.broadcast_to(radius, n)]
    for dtype in ("float32", "uint8", "int16"):
        a = picture(rng, shape, dtype)
        expected = ndimage.median_filter(a, size=box, mode="reflect").astype("f4")
        np.testing.assert_array_equal(mt.ops.median(a, radius), expected)
    turned = mt.ops.median(a.T[::-1], tuple(np.broadcast_to(radius, n)[::-1].tolist()))
    np.testing.assert_array_equal(turned, expected.T[::-1])


def test_median_of_large_boxes(rng):
    """Reflected several times, where SciPy's own is another: numbers of its boxes then lie outside of the image."""
    a = picture(rng, (3, 4, 40), "float64")
    for radius in (5, (0, 40, 40), (15, 15, 15), (0, 0, 127)):
        r = np.broadcast_to(radius, 3)
        padded = np.pad(a.astype("f4"), [(k, k) for k in r], mode="symmetric")
        boxes = np.lib.stride_tricks.sliding_window_view(padded, [2 * k + 1 for k in r])
        expected = np.empty(a.shape, "f4")
        for i in np.ndindex(a.shape):
            expected[i] = np.partition(boxes[i].ravel(), boxes[i].size // 2)[boxes[i].size // 2]
        np.testing.assert_array_equal(mt.ops.median(a, radius), expected)


@pytest.mark.parametrize("radius", [1, 2, (0, 1, 1)])
def test_median_counts_nan_as_the_greatest(rng, radius):
    a = picture(rng, (6, 9, 40))
    a[rng.random(a.shape) < 0.3] = np.nan
    a[rng.random(a.shape) < 0.1] = np.inf
    a[rng.random(a.shape) < 0.1] = -np.inf
    r = np.broadcast_to(radius, 3)
    padded = np.pad(a, [(k, k) for k in r], mode="symmetric")
    boxes = np.lib.stride_tricks.sliding_window_view(padded, [2 * k + 1 for k in r]).reshape(*a.shape, -1)
    expected = np.sort(boxes, axis=-1)[..., boxes.shape[-1] // 2]
    np.testing.assert_array_equal(mt.ops.median(a, radius), expected)


def test_median_with_channels_out_and_labels(rng):
    a = picture(rng, (2, 7, 8, 9), "int16")
    each = np.stack([mt.ops.median(c) for c in a])
    np.testing.assert_array_equal(mt.ops.median(a, channels=True), each)
    memory = np.zeros((2, 7, 8, 18), np.float32)
    mt.ops.median(a, 1, channels=True, out=memory[..., ::2])
    np.testing.assert_array_equal(memory[..., ::2], each)
    np.testing.assert_array_equal(mt.ops.median(a, 1, channels=True, dtype="int16"), each.astype("i2"))
    b = a.astype("f4")
    mt.ops.median(b, 1, channels=True, out=b)
    np.testing.assert_array_equal(b, each)
    sample = {"image": a, "label": (a[:1] > 90).astype("u1")}
    chain = mt.Chain([mt.RandomMedian(radius=(1, 3), p=0.75)])
    seen = []
    for i in range(60):
        drawn = chain.draw(seed=4, index=i, sample=sample)[0]["drawn"]
        seen.append(drawn and drawn["radius"][0])
        if i < 8:
            out = chain(sample, seed=4, index=i)
            expected = mt.ops.median(a, seen[-1], channels=True) if drawn else a.astype("f4")
            np.testing.assert_array_equal(out["image"], expected)
            np.testing.assert_array_equal(out["label"], sample["label"])
    assert set(seen) == {None, 1, 2, 3}
    assert abs(seen.count(None) / 60 - 0.25) < 3.89 * np.sqrt(0.25 * 0.75 / 60)


# ---- low_resolution -----------------------------------------------------------------------------------------


def nearest_places(n, m):
    """Of m samples of n voxels, half-pixel centres, exactly."""
    return [(2 * i + 1) * n // (2 * m) for i in range(m)]


def low_resolution(a, zoom, order):
    zoom = np.broadcast_to(zoom, a.ndim)
    small = [max(1, int(np.round(n * z))) for n, z in zip(a.shape, zoom, strict=True)]
    b = a[np.ix_(*(nearest_places(n, m) for n, m in zip(a.shape, small, strict=True)))].astype("f8")
    grid = np.meshgrid(
        *((np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(a.shape, small, strict=True)), indexing="ij"
    )
    out = ndimage.map_coordinates(b, grid, order=order, mode="nearest")
    return np.clip(out, b.min(), b.max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("zoom", [0.5, 0.73, 1.0, 0.01])
@pytest.mark.parametrize("interp,order", [("linear", 1), ("cubic", 3)])
def test_low_resolution(rng, shape, zoom, interp, order):
    for dtype in ("float32", "int16"):
        a = picture(rng, shape, dtype)
        close(mt.ops.low_resolution(a, zoom, interp), low_resolution(a, zoom, order), 2e-5)


def test_low_resolution_per_axis_and_nearest(rng):
    a = picture(rng, (10, 15, 20))
    close(mt.ops.low_resolution(a, (1, 0.4, 0.25)), low_resolution(a, (1, 0.4, 0.25), 1))
    small = a[np.ix_(nearest_places(10, 5), nearest_places(15, 8), nearest_places(20, 10))]
    back = [[(2 * i + 1) * m // (2 * n) for i in range(n)] for n, m in zip(a.shape, small.shape, strict=True)]
    np.testing.assert_array_equal(mt.ops.low_resolution(a, 0.5, "nearest"), small[np.ix_(*back)])
    channels = np.stack([a, a[::-1]])
    both = mt.ops.low_resolution(channels, 0.6, channels=True)
    np.testing.assert_array_equal(both[1], mt.ops.low_resolution(a[::-1], 0.6))
    np.testing.assert_array_equal(
        mt.ops.low_resolution(a.T.copy().T, 0.6, "cubic"), mt.ops.low_resolution(a, 0.6, "cubic")
    )


def test_low_resolution_is_pytorch(rng):
    torch = pytest.importorskip("torch")
    a = picture(rng, (16, 20, 24))
    x = torch.from_numpy(a)[None, None]
    small = torch.nn.functional.interpolate(x, size=(8, 10, 12), mode="nearest-exact")
    back = torch.nn.functional.interpolate(small, size=a.shape, mode="trilinear", align_corners=False)
    close(mt.ops.low_resolution(a, 0.5), back[0, 0].numpy())


# ---- coarse_dropout -----------------------------------------------------------------------------------------


def test_coarse_dropout(rng):
    a = picture(rng, (2, 9, 10, 11), "int16")
    for fill, value in (("value", -5.5), ("mean", a.mean()), ("min", a.min()), ("max", a.max())):
        expected = a.astype("f4")
        expected[:, 1:4, 2:5, 3:6] = value
        expected[:, 7:, 8:, 9:] = value
        got = mt.ops.coarse_dropout(a, (1, 2, 3, 7, 8, 9), 3, -5.5, fill, channels=True)
        close(got, expected, 1e-6)
    expected = a[0, 0].astype("f4")
    expected[1:3, 0:9] = 0
    expected[5:6, 4:5] = 0
    np.testing.assert_array_equal(mt.ops.coarse_dropout(a[0, 0], (1, 0, 5, 4), (2, 9, 1, 1)), expected)


def test_random_coarse_dropout():
    shape = (40, 50, 60)
    a = np.ones(shape, "f4")
    chain = mt.Chain([mt.RandomCoarseDropout(holes=(1, 3), size=(4, 9), p=1, fill=0)])
    starts, sizes, counts = [], [], []
    for i in range(300):
        drawn = chain.draw(seed=5, index=i, sample={"image": a})[0]["drawn"]
        s, e = np.reshape(drawn["starts"], (-1, 3)), np.reshape(drawn["size"], (-1, 3))
        starts += [*(s / (np.array(shape) - e))]
        sizes += [*e.ravel()]
        counts.append(len(s))
        if i < 20:
            expected = a.copy()
            for b, n in zip(s, e, strict=True):
                expected[tuple(slice(p, p + q) for p, q in zip(b, n, strict=True))] = 0
            np.testing.assert_array_equal(chain({"image": a}, seed=5, index=i)["image"][0], expected)
    assert set(counts) == {1, 2, 3} and set(sizes) == set(range(4, 10))
    starts = np.array(starts)
    assert starts.min() == 0 and starts.max() == 1
    assert abs(starts.mean() - 0.5) < 3.89 * np.sqrt(1 / 12 / starts.size)
    small = mt.Chain([mt.RandomCoarseDropout(holes=2, size=100, p=1, fill=3)])
    np.testing.assert_array_equal(small({"image": a[:4, :5, :6]})["image"], np.full((1, 4, 5, 6), 3))


# ---- histograms ---------------------------------------------------------------------------------------------


def match_histograms(source, template):
    """scikit-image's exposure.match_histograms without channels."""
    _, lookup, counts = np.unique(source.reshape(-1), return_inverse=True, return_counts=True)
    values, wanted = np.unique(template.reshape(-1), return_counts=True)
    return np.interp(np.cumsum(counts) / source.size, np.cumsum(wanted) / template.size, values)[
        lookup
    ].reshape(source.shape)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 1)])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "int16"])
@pytest.mark.parametrize("other", ["float32", "uint16"])
def test_histogram_match(rng, shape, dtype, other):
    a = picture(rng, shape, dtype)
    b = (picture(rng, (5, 31, 6), other) * 0.3 + 7).astype(other)
    close(mt.ops.histogram_match(a, b), match_histograms(a, b), 1e-6)
    close(mt.ops.histogram_match(a.T, b[:, ::-2]), match_histograms(a.T, b[:, ::-2]), 1e-6)
    np.testing.assert_array_equal(mt.ops.histogram_match(a, a), a.astype("f4"))


def test_histogram_match_by_channels_and_not_finite(rng):
    a, b = picture(rng, (3, 6, 7, 8)), picture(rng, (3, 4, 5)) ** 2
    each = np.stack([match_histograms(x, y) for x, y in zip(a, b, strict=True)])
    close(mt.ops.histogram_match(a, b, channel_wise=True, channels=True), each)
    close(mt.ops.histogram_match(a, b, channels=True), match_histograms(a, b))
    bad, ref = a[0].copy(), b[0].copy()
    bad[1, 2, 3], bad[0, 0, 0], bad[2, 2, 2], ref[0, 0] = np.nan, np.inf, -np.inf, np.nan
    out, good = mt.ops.histogram_match(bad, ref), np.isfinite(bad)
    np.testing.assert_array_equal(out[~good], bad[~good])
    close(out[good], match_histograms(bad[good], ref[np.isfinite(ref)]))
    zeros = np.array([[0.0, -0.0, 1.0, -1.0]], "f4")
    assert len(set(mt.ops.histogram_match(zeros, ref)[0, :2])) == 1


def train(images, masks, cutoff):
    """TorchIO's, for arrays."""
    percents = sorted({100 * c for c in cutoff} | {25, 50, 75} | set(range(10, 100, 10)))
    table = np.vstack(
        [np.percentile(x[m].astype("f8"), percents) for x, m in zip(images, masks, strict=True)]
    )
    slopes = 100 / (table[:, -1] - table[:, 0])
    return slopes.dot(table) / len(table) + np.mean(-slopes * table[:, 0])


def standardize(x, landmarks, mask, cutoff):
    used = [0, 1, 2, 4, 5, 6, 7, 8, 10, 11, 12]
    percents = sorted({100 * c for c in cutoff} | {25, 50, 75} | set(range(10, 100, 10)))
    p, to = np.percentile(x[mask].astype("f8"), percents)[used], landmarks[used]
    width = np.diff(p)
    width[width < 1e-5] = np.inf
    slope = np.diff(to) / width
    where = np.digitize(x.astype("f8"), p[1:-1])
    return slope[where] * (x - p[where]) + to[where]


@pytest.mark.parametrize("cutoff", [(0.01, 0.99), (0.0, 1.0), (0.05, 0.93)])
def test_histogram_standardisation(rng, cutoff):
    images = [
        picture(rng, (17, 20 + i, 33), t) for i, t in enumerate(["float32", "int16", "uint8", "float64"])
    ]
    masks = [x > 60 for x in images]
    everything = [np.ones(x.shape, bool) for x in images]
    np.testing.assert_allclose(
        mt.histogram.train(images, cutoff=cutoff), train(images, everything, cutoff), rtol=1e-5, atol=1e-4
    )
    marks = mt.histogram.train(images, mask=masks, cutoff=cutoff)
    np.testing.assert_allclose(marks, train(images, masks, cutoff), rtol=1e-5, atol=1e-4)
    assert len(marks) == 13 and (np.diff(marks) >= 0).all()
    np.testing.assert_array_equal(marks, mt.histogram.train(images, mask=lambda x: x > 60, cutoff=cutoff))
    for x, m in zip(images, masks, strict=True):
        got = mt.ops.histogram_standardize(x, marks, mask=m, cutoff=cutoff)
        close(got, standardize(x, marks, m, cutoff))
        got = mt.ops.histogram_standardize(x, marks, cutoff=cutoff)
        close(got, standardize(x, marks, np.ones(x.shape, bool), cutoff))


def test_histogram_training_reads_items(rng, tmp_path):
    images = [picture(rng, (6, 7, 8)) for _ in range(3)]
    for i, x in enumerate(images):
        np.save(tmp_path / f"{i}.npy", x)
        np.save(tmp_path / f"m{i}.npy", (x > 80).astype("u1"))
    wanted = mt.histogram.train(images, mask=[x > 80 for x in images])
    items = [{"t1": str(tmp_path / f"{i}.npy"), "brain": str(tmp_path / f"m{i}.npy")} for i in range(3)]
    np.testing.assert_array_equal(mt.histogram.train(items, mask="brain", field="t1"), wanted)
    np.testing.assert_array_equal(
        mt.histogram.train([i["t1"] for i in items], mask=[i["brain"] for i in items]), wanted
    )
    with pytest.raises(ValueError, match="image 0 is constant"):
        mt.histogram.train([np.ones((3, 4))])
    with pytest.raises(ValueError, match="no images"):
        mt.histogram.train([])
    with pytest.raises(ValueError, match="2 masks for 3 images"):
        mt.histogram.train(images, mask=[None, None])
    with pytest.raises(ValueError, match="cutoff"):
        mt.histogram.train(images, cutoff=(0.2, 0.99))
    with pytest.raises(ValueError, match="0 everywhere"):
        mt.histogram.train(images, mask=lambda x: np.zeros(x.shape, bool))
    with pytest.raises(ValueError, match="shape"):
        mt.histogram.train(images, mask=np.ones((3, 3, 3)))


def test_standardisation_is_torchio(rng, tmp_path):
    tio = pytest.importorskip("torchio")
    images = [picture(rng, (12, 13, 14 + i)) for i in range(3)]
    paths = []
    for i, x in enumerate(images):
        paths.append(tmp_path / f"{i}.nii")
        tio.ScalarImage(tensor=x[None]).save(paths[-1])
    landmarks = tio.HistogramStandardization.train(paths, progress=False)
    np.testing.assert_allclose(mt.histogram.train(images), landmarks, rtol=1e-5, atol=1e-4)
    for x in images:
        subject = tio.Subject(t1=tio.ScalarImage(tensor=x[None]))
        theirs = tio.HistogramStandardization({"t1": landmarks})(subject).t1.numpy()[0]
        close(mt.ops.histogram_standardize(x, landmarks), theirs)


def test_histogram_shift(rng):
    points = (0, 0.3, 0.35, 0.35, 0.9, 1)
    for a in (picture(rng, (5, 6, 7)), picture(rng, (9, 11), "int16"), picture(rng, (2, 5, 6, 7))):
        x = a.astype("f8")
        low, span = x.min(), np.ptp(x)
        expected = np.interp(x, low + span * np.linspace(0, 1, 6), low + span * np.array(points))
        close(mt.ops.histogram_shift(a, points, channels=a.ndim == 4), expected)
    each = np.stack([mt.ops.histogram_shift(c, points) for c in a])
    close(mt.ops.histogram_shift(a, points, channel_wise=True, channels=True), each)
    b = a[0].copy()
    b[0, 0, :3] = np.nan, np.inf, -np.inf
    good = np.isfinite(b)
    out = mt.ops.histogram_shift(b, (0.1, 0.5, 0.8))
    assert np.isnan(out[0, 0, 0]) and out[0, 0, 1] == out[good].max() and out[0, 0, 2] == out[good].min()
    np.testing.assert_array_equal(
        mt.ops.histogram_shift(np.full((3, 4), 7), points), np.full((3, 4), 7, "f4")
    )


def test_random_histogram_shift(rng):
    a = picture(rng, (8, 9, 10))
    chain = mt.Chain([mt.RandomHistogramShift(points=(3, 6), p=0.7)])
    sizes, acted, inner = set(), 0, []
    for i in range(400):
        drawn = chain.draw(seed=1, index=i, sample={"image": a})[0]["drawn"]
        if drawn is None:
            continue
        acted += 1
        p = np.array(drawn["points"])
        sizes.add(len(p))
        assert p[0] == 0 and p[-1] == 1 and (np.diff(p) >= 0).all()
        if len(p) == 3:
            inner.append(p[1])
        if i < 20:
            np.testing.assert_array_equal(
                chain({"image": a}, seed=1, index=i)["image"][0], mt.ops.histogram_shift(a, p)
            )
    assert sizes == {3, 4, 5, 6} and abs(acted / 400 - 0.7) < 3.89 * np.sqrt(0.21 / 400)
    assert abs(np.mean(inner) - 0.5) < 3.89 * np.sqrt(1 / 12 / len(inner))


# ---- in chains ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "random,target,name,low,high",
    [
        (mt.RandomSharpen, mt.ops.sharpen, "amount", 0.5, 2),
        (mt.RandomSharpen, mt.ops.sharpen, "sigma", 0.5, 1.5),
        (mt.RandomLowResolution, mt.ops.low_resolution, "zoom", 0.5, 1),
        (mt.RandomRicianNoise, mt.ops.rician_noise, "sigma", 0, 0.1),
        (mt.RandomShot, mt.ops.shot, "factor", 1, 20),
    ],
)
def test_drawn_is_eager_and_labels_stay(rng, random, target, name, low, high):
    a, label = picture(rng, (9, 10, 11)), (picture(rng, (9, 10, 11)) > 90).astype("u1")
    chain = mt.Chain([random(p=0.8)])
    values, acted = [], 0
    for i in range(150):
        drawn = chain.draw(seed=3, index=i, sample={"image": a, "label": label})[0]["drawn"]
        acted += drawn is not None
        if drawn is None:
            continue
        values.append(np.ravel(drawn[name])[0])
        if i < 10:
            out = chain({"image": a, "label": label}, seed=3, index=i)
            np.testing.assert_array_equal(out["image"][0], target(a, **drawn))
            np.testing.assert_array_equal(out["label"][0], label)
    assert abs(acted / 150 - 0.8) < 3.89 * np.sqrt(0.16 / 150)
    u = (np.array(values) - low) / (high - low)
    assert u.min() >= 0 and u.max() <= 1 and u.min() < 0.1 and u.max() > 0.9
    assert abs(u.mean() - 0.5) < 3.89 * np.sqrt(1 / 12 / len(u))


@pytest.mark.parametrize(
    "random,target,given",
    [
        (mt.RandomMedian, mt.ops.median, {}),
        (mt.RandomCoarseDropout, mt.ops.coarse_dropout, {"size": (2, 5), "fill_with": "mean"}),
        (mt.RandomHistogramShift, mt.ops.histogram_shift, {"points": (3, 12)}),
        (mt.RandomSaltAndPepper, mt.ops.salt_and_pepper, {"share": 0.3}),
        (mt.RandomShot, mt.ops.shot, {}),
        (mt.RandomRicianNoise, mt.ops.rician_noise, {"sigma": 9}),
        (mt.RandomSharpen, mt.ops.sharpen, {}),
        (mt.RandomLowResolution, mt.ops.low_resolution, {"interp": "cubic"}),
    ],
)
def test_every_channel_draws_for_itself(rng, random, target, given):
    a = picture(rng, (3, 9, 10, 11))
    chain = mt.Chain([random(p=0.6, per_channel=True, **given)])
    acted = 0
    for i in range(5):
        drawn = chain.draw(seed=1, index=i, sample={"image": a})[0]["drawn"] or [None] * 3
        out = chain({"image": a}, seed=1, index=i)["image"]
        for got, x, d in zip(out, a, drawn, strict=True):
            np.testing.assert_array_equal(got, target(x, **d) if d else x)
            acted += d is not None
    assert 0 < acted < 15


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_nothing(rng, threads):
    a = picture(rng, (2, 33, 34, 35), "int16")
    calls = [
        lambda: mt.ops.sharpen(a, 1.2, 2, channels=True),
        lambda: mt.ops.median(a, 1, channels=True),
        lambda: mt.ops.median(a, (1, 2, 0), channels=True),
        lambda: mt.ops.low_resolution(a, 0.6, "cubic", channels=True),
        lambda: mt.ops.low_resolution(a, 0.6, channels=True),
        lambda: mt.ops.coarse_dropout(a, (1, 2, 3), 9, fill_with="mean", channels=True),
        lambda: mt.ops.histogram_match(a, a[0] * 2, channels=True),
        lambda: mt.ops.histogram_standardize(a, np.linspace(0, 100, 13), channels=True),
        lambda: mt.ops.histogram_shift(a, (0, 0.2, 1), channels=True),
        lambda: mt.ops.rician_noise(a, 20, 1, channels=True),
        lambda: mt.ops.shot(a, 3, 1, channels=True),
        lambda: mt.ops.salt_and_pepper(a, 0.3, seed=1, channels=True),
    ]
    before = mt.get_threads()
    try:
        mt.set_threads(1)
        one = [c() for c in calls]
        mt.set_threads(threads)
        many = [c() for c in calls]
    finally:
        mt.set_threads(before)
    for x, y in zip(one, many, strict=True):
        np.testing.assert_array_equal(x, y)


def test_noise_stays_at_its_voxels_in_a_chain(rng):
    """What is drawn by voxel number happens before the voxels are moved."""
    a = np.abs(picture(rng, (10, 11, 12)))
    for op, eager in (
        (mt.RicianNoise(5, seed=2), lambda x: mt.ops.rician_noise(x, 5, 2)),
        (mt.Shot(3, seed=2), lambda x: mt.ops.shot(x, 3, 2)),
        (mt.SaltAndPepper(0.2, seed=2), lambda x: mt.ops.salt_and_pepper(x, 0.2, seed=2)),
        (mt.HistogramShift((0, 0.2, 1)), lambda x: mt.ops.histogram_shift(x, (0, 0.2, 1))),
    ):
        out = mt.Chain([op, mt.Flip(axis=(0, 2)), mt.Crop((1, 2, 3), (6, 7, 8))])({"image": a})["image"][0]
        np.testing.assert_array_equal(out, eager(a)[::-1, :, ::-1][1:7, 2:9, 3:11])
        out = mt.Chain([mt.Brightness(multiply=2), op, mt.Zoom(1.4)])({"image": a})["image"][0]
        np.testing.assert_array_equal(out, mt.ops.zoom(eager(a * np.float32(2)), 1.4))


# ---- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda: mt.RandomSaltAndPepper(share=(0.5, 0.1)), "random_salt_and_pepper.*share runs from"),
        (lambda: mt.RandomSaltAndPepper(share=1.5), "random_salt_and_pepper.*share must lie"),
        (lambda: mt.RandomSharpen(p=2), "random_sharpen.*p must lie"),
        (lambda: mt.RandomLowResolution(zoom=(1, 0.5)), "random_low_resolution.*zoom runs from"),
        (lambda: mt.RandomLowResolution(zoom=(0.5, 1.5)), "random_low_resolution.*zoom must lie"),
        (lambda: mt.RandomCoarseDropout(holes=(3, 1)), "random_coarse_dropout.*holes runs from"),
        (lambda: mt.RandomCoarseDropout(holes=17), "random_coarse_dropout.*holes must lie"),
        (lambda: mt.RandomCoarseDropout(size=(0, 3)), "random_coarse_dropout.*size must lie"),
        (lambda: mt.RandomHistogramShift(points=2), "random_histogram_shift.*points must lie"),
        (lambda: mt.RandomShot(factor=(-1, 2)), "random_shot.*factor must lie"),
        (lambda: mt.RandomMedian(radius=(2, 1)), "random_median.*radius runs from"),
        (lambda: mt.RandomMedian(radius=16), "random_median.*radius must lie"),
        (lambda: mt.Median(128), "median.*radius must lie"),
        (lambda: mt.Zoom((1, 0, 1)), "zoom.*factor must be above 0"),
        (lambda: mt.HistogramShift((0, 0.5, 0.4, 1)), "histogram_shift.*points descend"),
        (lambda: mt.HistogramShift((0,)), "histogram_shift.*points has 1"),
        (lambda: mt.HistogramStandardize(range(12)), "histogram_standardize.*landmarks has 12"),
        (lambda: mt.HistogramStandardize([*range(12), 3]), "histogram_standardize.*landmarks descend"),
        (lambda: mt.HistogramStandardize(range(13), cutoff=(0.1, 0.99)), "histogram_standardize.*cutoff"),
        (lambda: mt.SaltAndPepper(1.01), "salt_and_pepper.*p must lie"),
        (lambda: mt.SaltAndPepper(0.1, salt=(1, 2)), "salt_and_pepper.*salt is one number"),
    ],
)
def test_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda a: mt.ops.coarse_dropout(a, (0, 0, 9), 2), "coarse_dropout.*hole 0 begins at 9"),
        (lambda a: mt.ops.coarse_dropout(a, (0, 0), 2), "coarse_dropout.*starts has 2 numbers"),
        (lambda a: mt.ops.coarse_dropout(a, (0, 0, 0), (2, 2)), "coarse_dropout.*size has 2 numbers"),
        (lambda a: mt.ops.low_resolution(a, (0.5, 0.5)), "low_resolution.*zoom"),
        (lambda a: mt.ops.sharpen(a, (1, 1)), "sharpen.*sigma"),
        (lambda a: mt.ops.median(a, 16), "median.*radius: a box of 33 x 33 x 33 has more than 32768 voxels"),
        (
            lambda a: mt.ops.histogram_match(a, np.full((2, 2), np.nan)),
            "histogram_match.*reference is finite",
        ),
        (lambda a: mt.ops.histogram_match(a * np.nan, a), "histogram_match.*no voxel is finite"),
        (
            lambda a: mt.ops.histogram_match(a, a, channel_wise=True),
            "histogram_match.*5 channels, the image 1",
        ),
        (
            lambda a: mt.ops.histogram_standardize(a, range(13), mask=a * 0),
            "histogram_standardize.*0 everywhere",
        ),
    ],
)
def test_refused_for_this_image(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones((5, 6, 7), "f4"))


def test_every_filter_takes_planes_and_thin_volumes():
    marks = np.linspace(0, 100, 13)
    for shape in itertools.product((1, 2, 5), (1, 3), (1, 17)):
        a = np.arange(np.prod(shape), dtype="f4").reshape(shape)
        for x in (a, a[0]):
            for result in (
                mt.ops.sharpen(x, 2.0),
                mt.ops.median(x, 1),
                mt.ops.median(x, 2),
                mt.ops.low_resolution(x, 0.3, "cubic"),
                mt.ops.zoom(x, 0.5),
                mt.ops.histogram_match(x, a),
                mt.ops.histogram_standardize(x, marks),
                mt.ops.coarse_dropout(x, (0,) * x.ndim, 1),
            ):
                assert result.shape == x.shape and np.isfinite(result).all()
