"""Occlusion sensitivity: the form with centres against a restatement of MONAI 0.3's class, the form with overlap against a
restatement, and MONAI's class of today where it is installed; overlays as PNG and NIfTI.
SPDX-License-Identifier: Apache-2.0
"""

import itertools

import microtome as mt
import nibabel
import numpy as np
import pytest
import torch
from conftest import AFFINE, save_nifti
from scipy import ndimage
from torch.nn import functional

explain = mt.explain
Occlusion = explain.OcclusionSensitivity


class Net(torch.nn.Module):
    """Three classes from any number of channels and axes; counts what passes."""

    def __init__(self, channels, dims=3):
        super().__init__()
        torch.manual_seed(channels + dims)
        self.conv = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)[dims - 1](channels, 3, 3)
        self.images = self.most = 0

    def forward(self, x, gain=1.0):
        assert not self.training and not torch.is_grad_enabled()
        self.images += len(x)
        self.most = max(self.most, len(x))
        out = torch.tanh(self.conv(x) * 3).flatten(2)
        x.zero_()  # a network may spoil its input
        return gain * (out * torch.linspace(0.5, 1.5, out.shape[2])).mean(2) * 4


def image(*shape, dtype=np.float32):
    return np.random.default_rng(3).standard_normal(shape).astype(dtype)


# ---- centres ----------------------------------------------------------------------------------------------


def centres_by_hand(net, x, mask, stride, box, value=None):
    """One forward pass at a time, with torch's own interpolation. x: [1, C, …]; box: [(first, last)] of C and space."""
    shape = x.shape[1:]
    mask, stride = (1, *mask), (1, *stride)
    value = x.mean() if value is None else value
    size = [hi - lo + 1 for lo, hi in box]
    grid = [max(n // s, 1) for n, s in zip(size, stride, strict=True)]
    scores = []
    for at in itertools.product(*map(range, grid)):
        covered = x.copy()
        part = [slice(None)]
        for i, s, m, (lo, _), n in zip(at, stride, mask, box, shape, strict=True):
            centre = i * s + lo
            part.append(slice(max(centre + (s - m) // 2, 0), min(centre + (s + m) // 2, n)))
        covered[tuple(part)] = value
        with torch.no_grad():
            scores.append(net(torch.from_numpy(covered))[0])
    coarse = torch.stack(scores).T.reshape(-1, *grid)
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(shape) - 1]
    maps = [functional.interpolate(c[None], size=size[1:], mode=mode, align_corners=True) for c in coarse]
    maps = torch.stack(maps, -1)
    return maps.numpy(), maps.argmax(-1).numpy()


@pytest.mark.parametrize(
    ("shape", "mask", "stride", "b_box"),
    [
        ((1, 1, 6, 8, 10), 4, 2, None),
        ((1, 2, 5, 7, 9), 3, 1, None),
        ((1, 2, 6, 8, 10), (3, 2, 6), (1, 2, 2), [0, 1, 2, 4, 2, 5, -1, -1]),
        ((1, 3, 6, 8, 10), 2, 2, [1, 1, 3, 3, 0, 7, -1, -1]),
        ((1, 2, 12, 9), 5, 3, [0, 1, 3, 11, -1, -1]),
        ((1, 2, 12), 2, 4, None),
    ],
)
def test_centres(shape, mask, stride, b_box):
    dims = len(shape) - 2
    x, net = image(*shape) + 1, Net(shape[1], dims).eval()
    each = lambda v: (v,) * dims if isinstance(v, int) else v  # noqa: E731
    box = [(0, n - 1) for n in shape[1:]]
    if b_box:
        box = [
            (max(a, 0), b if b >= 0 else n - 1)
            for a, b, n in zip(b_box[::2], b_box[1::2], shape[1:], strict=True)
        ]
    want, best = centres_by_hand(net, x, each(mask), each(stride), box)
    got, which = Occlusion(net, mask_size=mask, stride=stride, n_batch=7)(torch.from_numpy(x), b_box)
    assert isinstance(got, torch.Tensor) and got.shape == want.shape and net.most <= 7
    np.testing.assert_allclose(got.numpy(), want, atol=1e-5)
    assert np.array_equal(which.numpy(), got.numpy().argmax(-1)) and np.mean(which.numpy() == best) > 0.99


def test_the_published_case():
    """Mask 12 and stride 12 on one slice of the first axis of 96³: 64 passes, (1, 1, 1, 96, 96, 2)."""
    passes = []

    def network(batch):
        passes.append(len(batch))
        return np.stack([batch.mean((1, 2, 3, 4)), batch[:, 0, 48, 30, 60]], 1)

    x = np.ones((1, 1, 96, 96, 96), np.float32)
    x[0, 0, 48] = np.indices((96, 96)).sum(0)
    occlusion = Occlusion(network, mask_size=12, stride=12, n_batch=10)
    heat, best = occlusion(x, b_box=[-1, -1, 48, 48, -1, -1, -1, -1])
    assert sum(passes) == 64 and max(passes) == 10
    assert heat.shape == (1, 1, 1, 96, 96, 2) and best.shape == (1, 1, 1, 96, 96)
    dark = np.argwhere(heat[0, 0, 0, :, :, 1] == heat[..., 1].min())
    assert (
        len(dark) == 1 and np.abs(dark[0] - (30, 60)).max() <= 12
    )  # grid point (2, 5) of 8 × 8, spread over 96 × 96


def test_centres_defaults_and_own_parts():
    x = image(1, 1, 20, 20)
    net = Net(1, 2).eval()
    occlusion = Occlusion(net, stride=1)
    assert (occlusion.mask_size, occlusion.n_batch) == (15, 128)
    want, _ = centres_by_hand(net, x, (15, 15), (1, 1), [(0, 0), (0, 19), (0, 19)])
    np.testing.assert_allclose(occlusion(x)[0], want, atol=1e-5)
    want, _ = centres_by_hand(net, x, (4, 4), (2, 2), [(0, 0), (0, 19), (0, 19)], value=-2.5)
    np.testing.assert_allclose(Occlusion(net, 4, stride=2, pad_val=-2.5)(x)[0], want, atol=1e-5)
    repeat = lambda c: c.repeat(2, -1).repeat(2, -2)  # noqa: E731
    got, _ = Occlusion(net, 4, stride=2, upsampler=repeat)(x)
    assert got.shape == (1, 1, 20, 20, 3) and np.array_equal(got[:, :, ::2], got[:, :, 1::2])


# ---- overlap ----------------------------------------------------------------------------------------------


def bell_by_hand(mask):
    """SciPy's error function in place of MONAI's filter over an image with one bright voxel."""
    from scipy.special import erf

    bell = np.zeros(mask)
    bell[tuple(m // 2 for m in mask)] = 1
    for axis, m in enumerate(mask):
        i = np.arange(-int(m + 0.5), int(m + 0.5) + 1)
        taps = 0.5 * (erf((i + 0.5) / (np.sqrt(2) * m / 4)) - erf((i - 0.5) / (np.sqrt(2) * m / 4)))
        bell = ndimage.convolve1d(bell, taps, axis, mode="constant")
    return (bell.max() - bell) / (bell.max() - bell.min())


def overlap_by_hand(net, x, mask, overlap, mode, activate=True):
    space, dims = x.shape[2:], x.ndim - 2
    weights = mt.infer.window_weights(
        (1,) * (2 - dims) + mask, "gaussian" if mode == "gaussian" else "constant"
    )
    weights = weights.reshape(mask)
    total, weight = 0.0, np.zeros(space)
    for at in itertools.product(
        *[
            sorted({min(i * max(int(m * (1 - overlap)), 1), n - m) for i in range(n)})
            for m, n in zip(mask, space, strict=True)
        ]
    ):
        box = tuple(slice(a, a + m) for a, m in zip(at, mask, strict=True))
        covered = x.copy()
        patch = covered[(0, slice(None), *box)]
        patch[:] = {
            "gaussian": lambda p: p * bell_by_hand(mask),
            "mean_patch": lambda p: p * p.mean(),
            "mean_img": lambda p: x.mean(),
        }.get(mode, lambda p: mode)(patch)
        with torch.no_grad():
            out = net(torch.from_numpy(covered))
        if activate:
            out = torch.sigmoid(out) if x.shape[1] == 1 else torch.softmax(out, 1)
        field = np.zeros((out.shape[1], *space))
        field[(slice(None), *box)] = out[0].numpy().reshape(-1, *(1,) * dims) * weights
        total = total + field
        weight[box] += weights
    maps = (total / weight)[None]
    return maps, maps.argmax(1)[:, None]


OVERLAPS = [
    ((1, 1, 9, 11, 10), (4, 4, 4), 0.6, "gaussian"),
    ((1, 2, 9, 11, 10), (5, 3, 4), 0.25, "mean_patch"),
    ((1, 2, 9, 11, 10), (3, 11, 4), 0.5, "mean_img"),
    ((1, 1, 12, 13), (4, 5), 0.6, -0.5),
    ((1, 3, 12, 13), (6, 6), 0.6, "gaussian"),
    ((1, 2, 30), (7,), 0.6, "gaussian"),
]


@pytest.mark.parametrize(("shape", "mask", "overlap", "mode"), OVERLAPS)
def test_overlap(shape, mask, overlap, mode):
    x, net = image(*shape), Net(shape[1], len(shape) - 2).eval()
    want, _ = overlap_by_hand(net, x, mask, overlap, mode)
    got, best = Occlusion(net, mask_size=mask, n_batch=5, mode=mode, overlap=overlap)(x)
    assert got.shape == (1, 3, *shape[2:]) and best.shape == (1, 1, *shape[2:]) and net.most <= 5
    np.testing.assert_allclose(got, want, atol=1e-5)
    assert np.array_equal(best[:, 0], got.argmax(1))


@pytest.mark.parametrize(("shape", "mask", "overlap", "mode"), [c for c in OVERLAPS if len(c[0]) > 3])
def test_overlap_is_monais(shape, mask, overlap, mode):
    monai = pytest.importorskip("monai.visualize")
    x, net = torch.from_numpy(image(*shape)), Net(shape[1], len(shape) - 2)
    theirs = monai.OcclusionSensitivity(net, mask, 3, False, mode, overlap)
    boxes = [None, [2, 8, 3, 9, 1, 7], [-1, -1, 3, 9, -1, -1]] if len(shape) == 5 else [None, [4, 9, -1, -1]]
    for b_box in boxes:
        with torch.no_grad():
            want, best = theirs(x, b_box)
        got, which = Occlusion(net, mask, 3, False, mode, overlap)(x, b_box)
        assert got.shape == want.shape and which.shape == best.shape
        np.testing.assert_allclose(got.numpy(), np.asarray(want), atol=1e-5)
        top = np.sort(got.numpy(), 1)
        sure = (top[:, -1] - top[:, -2] > 1e-4)[:, None]
        assert np.array_equal(which.numpy()[sure], np.asarray(best)[sure])


def test_own_mode_and_activation():
    x, net = image(1, 2, 8, 9), Net(2, 2).eval()
    seen = []

    def dim(whole, patch):
        seen.append((type(whole), tuple(whole.shape), tuple(patch.shape)))
        return patch * 0.5

    half, _ = Occlusion(net, 4, mode=dim, activate=False)(torch.from_numpy(x))
    assert seen[0] == (torch.Tensor, (1, 2, 8, 9), (1, 2, 4, 4))
    assert np.allclose(Occlusion(net, 4, mode=dim, activate=False)(x)[0], half.numpy(), atol=1e-6)
    for given in (x, torch.from_numpy(x)):
        flat = Occlusion(net, (8, 9), mode=lambda whole, patch: patch.mean(), activate=False)(given)[0]
        with torch.no_grad():
            want = net(torch.full((1, 2, 8, 9), float(x.mean())))[0]
        np.testing.assert_allclose(np.asarray(flat)[0, :, 3, 3], want, atol=1e-5)
    raw, _ = Occlusion(net, 4, activate=False)(x)
    twice, _ = Occlusion(net, 4, activate=lambda out: 2 * out)(x)
    gain, _ = Occlusion(net, 4, activate=False)(x, gain=2.0)
    np.testing.assert_allclose(twice, 2 * raw, rtol=1e-6)
    np.testing.assert_allclose(gain, 2 * raw, rtol=1e-6)
    net.train()
    assert (Occlusion(net).mask_size, Occlusion(net).n_batch, Occlusion(net).overlap) == (16, 16, 0.6)
    before = torch.get_num_threads()
    Occlusion(net, 4, threads=1, device="cpu")(x)
    assert net.training and torch.get_num_threads() == before


# ---- overlays ---------------------------------------------------------------------------------------------


def test_overlays(tmp_path, rng):
    a = rng.standard_normal((6, 20, 30)).astype(np.float32)
    heat = np.zeros_like(a)
    heat[4, 5:9, 20:26] = 1
    path = save_nifti(tmp_path / "t1.nii.gz", a)
    explain.overlay(path, heat, tmp_path / "heat.nii.gz")
    back = nibabel.load(tmp_path / "heat.nii.gz")
    assert np.allclose(back.affine, AFFINE) and np.array_equal(np.asarray(back.dataobj).T, heat)
    explain.overlay(a, heat[None, None], tmp_path / "other.nii", like=path)
    assert np.allclose(nibabel.load(tmp_path / "other.nii").affine, AFFINE)
    pytest.importorskip("matplotlib")
    pictures = []
    for name, args, options in (
        ("auto.png", (a, heat), {}),
        ("four.png", (a, torch.from_numpy(heat)), {"slice": 4}),
        ("part.png", (a, heat[None, 4:5]), {"slice": 4}),
        ("none.png", (a, heat), {"slice": 3}),
        ("y.png", (mt.open(path), heat), {"axis": 1, "label": "probability", "low": 0, "high": 1}),
        ("plane.png", (a[4], heat[4]), {}),
    ):
        explain.overlay(*args, tmp_path / name, **options)
        pictures.append(mt.open(tmp_path / name).read())
    auto, four, part, none, _, plane = pictures
    assert np.array_equal(auto, four) and np.array_equal(auto, part) and np.array_equal(auto, plane)
    assert (
        not np.array_equal(auto, none)
        and auto.shape[2] in (3, 4)
        and len(np.unique(auto.reshape(-1, auto.shape[2]), axis=0)) > 100
    )
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda x: Occlusion(Net(1), mode="median"), "mode"),
        (lambda x: Occlusion(Net(1), pad_val=0), "stride="),
        (lambda x: Occlusion(Net(1), n_batch=0), "n_batch"),
        (lambda x: Occlusion(5, 3)(x), "callable"),
        (lambda x: Occlusion(Net(1), 3)(x[0, 0]), "shape"),
        (lambda x: Occlusion(Net(1), 3)(np.concatenate([x, x])), "one image"),
        (lambda x: Occlusion(Net(1), 9)(x), "fit"),
        (lambda x: Occlusion(Net(1), (3, 3))(x), "mask_size"),
        (lambda x: Occlusion(Net(1), 3, overlap=1)(x), "overlap"),
        (lambda x: Occlusion(Net(1), 3)(x, [0, 5]), "b_box"),
        (lambda x: Occlusion(Net(1), 3)(x, [0, 9, 0, 8, 0, 8]), "exclusive"),
        (lambda x: Occlusion(lambda b: b, 3)(x), "classes"),
        (lambda x: Occlusion(Net(1), 3, stride=2)(x), "odd"),
        (lambda x: Occlusion(Net(1), 3, stride=3)(x), "multiples"),
        (lambda x: Occlusion(Net(1), 2, stride=0)(x), "at least 1"),
        (lambda x: Occlusion(Net(1), 2, stride=2)(x, [0, 0, 0, 8, 0, 7, 0, 7]), "inclusive"),
        (lambda x: Occlusion(Net(1), 2, stride=2)(x, [0, 0, 5, 2, 0, 7, 0, 7]), "inclusive"),
        (lambda x: explain.overlay(x[0, 0], x[0, 0, 1:], "a.nii"), "shape"),
        (lambda x: explain.overlay(x[0, 0], x[0, 0], "a.jpg"), "ends"),
        (lambda x: explain.overlay(x, x, "a.png"), "image has"),
        (lambda x: explain.overlay(x[0, 0], x[0, 0, 0], "a.png"), "slice="),
        (lambda x: explain.overlay(x[0, 0], x[0, 0], "a.png", slice=8), "slice 8"),
        (lambda x: explain.overlay(x[0, 0], x[0, 0], "a.png", axis=3), "axis"),
    ],
)
def test_errors(call, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mt.Error, match=says):
        call(image(1, 1, 8, 8, 8))
    assert not list(tmp_path.iterdir())
