"""Windows and their blending against a NumPy restatement, MONAI and TorchIO where they are installed, and files.
SPDX-License-Identifier: Apache-2.0
"""

import itertools
import math

import microtome as mt
import nibabel
import numpy as np
import pytest
import torch
from conftest import AFFINE, save_nifti

infer = mt.infer


def starts_by_hand(shape, size, overlap):
    axes = []
    for n, s in zip(shape, size, strict=True):
        pad = max(s - n, 0)
        step = max(int(s * (1 - overlap)), 1)
        at = []
        while not at or at[-1] + s < n + pad:
            at.append(min(len(at) * step, n + pad - s))
        axes.append([a - pad // 2 for a in at])
    return list(itertools.product(*axes))


def weights_by_hand(size, kind):
    w = np.ones(size)
    for axis, n in enumerate(size):
        i = np.arange(n)
        if kind == "gaussian":
            v = np.exp(-0.5 * ((i - (n - 1) / 2) / (n / 8)) ** 2)
        elif kind == "hann":
            v = np.sin(np.pi * (i + 1) / (n + 1)) ** 2
        else:
            v = np.ones(n)
        w = w * v.reshape([-1 if a == axis else 1 for a in range(len(size))])
    return np.maximum(w, max(w.min(), 1e-3)) if kind == "gaussian" else w


def blend_by_hand(image, network, size, overlap, kind):
    """[C, …] → [K, …] in float64, on a padded copy."""
    shape = image.shape[1:]
    w = weights_by_hand(size, kind)
    before = [max(s - n, 0) // 2 for s, n in zip(size, shape, strict=True)]
    pad = [(b, max(s - n, 0) - b) for b, s, n in zip(before, size, shape, strict=True)]
    padded = np.pad(image, [(0, 0), *pad])
    total, weight = 0, np.zeros(padded.shape[1:])
    for start in starts_by_hand(shape, size, overlap):
        box = tuple(slice(a + b, a + b + s) for a, b, s in zip(start, before, size, strict=True))
        scores = network(padded[(slice(None), *box)][None])[0].astype(float)
        total = np.zeros((len(scores), *padded.shape[1:])) if isinstance(total, int) else total
        total[(slice(None), *box)] += scores * w
        weight[box] += w
    inside = tuple(slice(b, b + n) for b, n in zip(before, shape, strict=True))
    return (total / weight)[(slice(None), *inside)]


def network(batch):
    """Three classes that depend on where in the window a voxel is, so that blending matters."""
    ramp = np.indices(batch.shape[2:]).sum(0) / 10
    a = batch.sum(1, keepdims=True)
    return np.concatenate([a, a * ramp, np.sin(a) + ramp], axis=1).astype(np.float32)


@pytest.fixture
def image(rng):
    return rng.standard_normal((2, 19, 23, 17)).astype(np.float32)


SIZES = [(8, 8, 8), (9, 5, 7), (19, 23, 17), (32, 8, 21), (1, 23, 4)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
def test_positions(size, overlap):
    shape = (19, 23, 17)
    assert infer.positions(shape, size, overlap) == starts_by_hand(shape, size, overlap)
    covered = np.zeros(shape, int)
    for s in infer.positions(shape, size, overlap, exact=True):
        covered[tuple(slice(max(a, 0), a + n) for a, n in zip(s, size, strict=True))] += 1
        assert all(
            (a - min(0, -((w - n) // 2))) % max(int(w * (1 - overlap)), 1) == 0
            for a, w, n in zip(s, size, shape, strict=True)
        )
    assert covered.min() >= 1 and (overlap or covered.max() == 1)
    assert infer.positions((19, 23), (0, 8), 0) == [(0, 0), (0, 8), (0, 15)]


@pytest.mark.parametrize("kind", infer.WEIGHTS)
@pytest.mark.parametrize("size", [(8, 9, 16), (1, 3, 40), (5, 6)])
def test_weights(kind, size):
    np.testing.assert_allclose(infer.window_weights(size, kind), weights_by_hand(size, kind), rtol=2e-6)


def test_weights_are_the_peers():
    utils = pytest.importorskip("monai.data.utils")
    for size in ((16, 24, 9), (96, 96, 96)):
        want = utils.compute_importance_map(size, mode="gaussian").numpy()
        np.testing.assert_allclose(infer.window_weights(size), want, rtol=1e-6)
    hann = torch.hann_window(18, periodic=False)[1:-1].numpy()
    np.testing.assert_allclose(infer.window_weights((1, 1, 16), "hann")[0, 0], hann, atol=1e-6)


@pytest.mark.parametrize("kind", infer.WEIGHTS)
@pytest.mark.parametrize("size", SIZES)
def test_blending(image, size, kind):
    want = blend_by_hand(image, network, size, 0.5, kind)
    got = infer.sliding_window(image, network, size, 0.5, kind)
    assert got.dtype == np.float32 and got.shape == want.shape
    np.testing.assert_allclose(got, want, atol=1e-5 * np.ptp(want))
    labels = infer.sliding_window(image, network, size, 0.5, kind, argmax=True, batch_size=3)
    top = np.sort(want, axis=0)
    sure = top[-1] - top[-2] > 1e-4
    assert (
        labels.dtype == np.uint8 and np.array_equal(labels[sure], want.argmax(0)[sure]) and sure.mean() > 0.99
    )


def test_planes_and_threads(rng):
    a = rng.standard_normal((23, 31)).astype(np.float32)
    want = blend_by_hand(a[None], network, (8, 12), 0.5, "gaussian")
    got = infer.sliding_window(a, network, (8, 12))
    np.testing.assert_allclose(got, want, atol=1e-5 * np.ptp(want))
    assert infer.sliding_window(a, network, (8, 12), argmax=True).shape == (23, 31)
    volume = rng.standard_normal((20, 21, 22)).astype(np.float32)
    try:
        results = []
        for threads in (1, 2, 5):
            mt.set_threads(threads)
            results.append(infer.sliding_window(volume, network, 9).tobytes())
    finally:
        mt.set_threads(0)
    assert len(set(results)) == 1


@pytest.mark.parametrize("kind", ["constant", "gaussian"])
@pytest.mark.parametrize(
    ("size", "overlap", "batch"), [((8, 8, 8), 0.5, 1), ((9, 5, 7), 0.25, 4), ((32, 8, 21), 0.6, 2)]
)
def test_blending_is_monais(image, kind, size, overlap, batch):
    monai = pytest.importorskip("monai.inferers")
    f = lambda t: torch.from_numpy(network(t.numpy()))  # noqa: E731
    x = torch.from_numpy(image)
    want = monai.sliding_window_inference(x[None], size, batch, f, overlap, kind)[0]
    got = infer.sliding_window(x, f, size, overlap, kind, batch_size=batch)
    assert isinstance(got, torch.Tensor)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-5)


def test_torch_modules(image):
    class Deep(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.drop = torch.nn.Conv3d(2, 4, 1), torch.nn.Dropout(0.5)
            self.conv.eval()  # a part that the caller froze stays so

        def forward(self, x):
            assert not self.training and not torch.is_grad_enabled()
            return [self.drop(self.conv(x)), x]

    net = Deep().train()
    net.conv.eval()
    with torch.no_grad():
        want = net.conv(torch.from_numpy(image)[None])[0].numpy()
    for given in (image, torch.from_numpy(image)):
        got = infer.sliding_window(given, net, 8, batch_size=5, classes=4)
        np.testing.assert_allclose(np.asarray(got), want, atol=1e-5)
    assert net.training and net.drop.training and not net.conv.training
    half = infer.sliding_window(image, lambda t: net.conv(t).bfloat16(), 8, device="cpu")
    np.testing.assert_allclose(half, want, atol=0.05)


def test_outputs(image, tmp_path):
    want = infer.sliding_window(image, network, 8)
    labels = want.argmax(0)
    for out in (
        np.empty((3, 19, 23, 17), np.float32),
        np.empty((3, 19, 23, 17)),
        np.empty((17, 23, 19, 3), np.float32).T,
    ):
        assert infer.sliding_window(image, network, 8, out=out) is out
        assert np.array_equal(out, want)
    mapped = np.lib.format.open_memmap(tmp_path / "s.npy", "w+", np.float32, (3, 19, 23, 17))
    infer.sliding_window(image, network, 8, out=mapped, max_memory=200_000)
    assert np.array_equal(mapped, want)
    for out in (np.empty((19, 23, 17), np.int64), np.empty((38, 23, 17), np.uint8)[::-2]):
        infer.sliding_window(image, network, 8, argmax=True, out=out)
        assert np.array_equal(out, labels)


def test_files_keep_the_geometry(image, tmp_path):
    path = save_nifti(tmp_path / "t1.nii.gz", image[0])
    for given in (path, mt.open(path)):
        labels = infer.sliding_window(given, network, 8, argmax=True, out=tmp_path / "seg.nii.gz")
        seg = nibabel.load(tmp_path / "seg.nii.gz")
        assert np.allclose(seg.affine, AFFINE) and np.array_equal(np.asarray(seg.dataobj).T, labels)
        assert seg.get_data_dtype() == np.uint8
    scores = infer.sliding_window(image[0], network, 8, out=tmp_path / "p.nii", like=path)
    p = nibabel.load(tmp_path / "p.nii")
    assert np.allclose(p.affine, AFFINE) and np.array_equal(np.asarray(p.dataobj).T, scores)


def test_grid_and_aggregator(image):
    a = image[0]
    for exact, border in ((False, "constant"), (True, "constant"), (True, "edge")):
        total = infer.Aggregator(a.shape, 1, (8, 7, 6), "hann")
        for at, patch in infer.grid_patches(a, (8, 7, 6), 0.3, exact=exact, border=border):
            assert patch.shape == (8, 7, 6)
            total.add(at, patch[None])
        np.testing.assert_allclose(total.result()[0], a, atol=1e-5)
    patches = dict(infer.grid_patches(image, (16, 16, 16), exact=True, value=-7))
    assert patches[16, 16, 16].shape == (2, 16, 16, 16) and patches[16, 16, 16][0, 3, 0, 0] == -7
    edge = dict(infer.grid_patches(image, (16, 16, 16), exact=True, border="edge"))
    assert edge[16, 16, 16][1, 15, 15, 15] == image[1, -1, -1, -1]


def test_aggregator_of_few_windows(rng):
    a = rng.standard_normal((2, 4, 4, 4)).astype(np.float32)
    total = infer.Aggregator((9, 9, 9), 2, 4, "constant")
    for at in ((6, 7, -2), (1, 1, 3), (1, 2, 0), (1, 1, 3)):  # any order, overhanging, twice
        total.add(at, torch.from_numpy(a))
    got, want, n = total.result(), np.zeros((2, 9, 9, 9)), np.zeros((9, 9, 9))
    want[:, 6:9, 7:9, 0:2] += a[:, :3, :2, 2:]
    n[6:9, 7:9, 0:2] += 1
    for y, x, k in ((1, 3, 2), (2, 0, 1)):
        want[:, 1:5, y : y + 4, x : x + 4] += k * a
        n[1:5, y : y + 4, x : x + 4] += k
    np.testing.assert_allclose(got, want / np.maximum(n, 1), rtol=1e-6)
    ordered = infer.Aggregator((40, 5, 5), 3, (4, 5, 5), argmax=True, ordered=True)
    ordered.add((2, 0, 0), [0.1, 0.9, 0.3])
    ordered.add((30, 0, 0), np.array([0.1, 0.2, 0.3]))
    labels = ordered.result()
    assert labels[2:6].min() == 1 == labels[2:6].max() and (labels[30:34] == 2).all()
    assert not labels[:2].any() and not labels[6:30].any() and not labels[34:].any()


def test_nan_stays_where_it_is(image):
    def hole(batch):
        out = network(batch)
        out[:, :, 4, 4, 4] = np.nan
        return out

    got = infer.sliding_window(image, hole, 8, overlap=0)
    assert np.isnan(got).any() and np.isfinite(got).mean() > 0.9


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda a: infer.sliding_window(a, network, (8, 8)), "axes"),
        (lambda a: infer.sliding_window(a, network, (8, 8, -1)), "window has -1"),
        (lambda a: infer.sliding_window(a, network, 8, overlap=1), "overlap"),
        (lambda a: infer.sliding_window(a, network, 8, overlap=(0.5, 0.5)), "overlap"),
        (lambda a: infer.sliding_window(a, network, 8, weights="cosine"), "gaussian"),
        (lambda a: infer.sliding_window(a, network, 8, sigma=-1), "sigma"),
        (lambda a: infer.sliding_window(a, network, 8, batch_size=0), "batch_size"),
        (lambda a: infer.sliding_window(a, network, 8, classes=5), "3 classes"),
        (lambda a: infer.sliding_window(a, network, 8, border="wrap"), "border"),
        (lambda a: infer.sliding_window(a, 5, 8), "callable"),
        (lambda a: infer.sliding_window(a, lambda b: b[:, :, :4], 8), "shape"),
        (lambda a: infer.sliding_window(a, lambda b: {"out": b}, 8), "dict"),
        (lambda a: infer.sliding_window(a, lambda b: b.sum(), 8), "shape"),
        (lambda a: infer.sliding_window(a, lambda b: [], 8), "empty"),
        (lambda a: infer.sliding_window(a, network, 8, max_memory=1000), "max_memory"),
        (lambda a: infer.sliding_window(a, network, 8, out=np.empty((3, 19, 23, 16), np.float32)), "out"),
        (lambda a: infer.sliding_window(a, network, 8, out=np.empty((3, 19, 23, 17), int)), "floating"),
        (
            lambda a: infer.sliding_window(a, network, 8, argmax=True, out=np.empty((19, 23, 17), bool)),
            "class 2",
        ),
        (lambda a: infer.positions((1, 2, 3, 4), 1), "shape"),
        (lambda a: infer.positions((5, 0, 5), 1), "voxels"),
        (lambda a: infer.grid_patches(a[0, 0], 8), "axes"),
        (lambda a: infer.Aggregator((9, 9, 9), 0, 4), "classes"),
        (lambda a: infer.Aggregator((9, 9, 9), 2, 4).add((9, 0, 0), np.zeros((2, 4, 4, 4))), "outside"),
        (lambda a: infer.Aggregator((9, 9, 9), 2, 4).add((0, 0, 0), np.zeros((2, 4, 4))), "scores"),
        (lambda a: infer.Aggregator((9, 9, 9), 2, 4).add((0, 0, 0), np.zeros((3, 4, 4, 4))), "scores"),
    ],
)
def test_errors(image, call, says):
    with pytest.raises(mt.Error, match=says):
        call(image)


def test_order_and_end():
    total = infer.Aggregator((9, 9, 9), 1, 4, ordered=True)
    total.add((5, 0, 0), [1.0])
    with pytest.raises(mt.Error, match="order"):
        total.add((4, 0, 0), [1.0])
    assert math.isclose(total.result().max(), 1)
    for again in (total.result, lambda: total.add((5, 0, 0), [1.0])):
        with pytest.raises(mt.Error, match="already"):
            again()
