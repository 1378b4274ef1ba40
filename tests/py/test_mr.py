"""MR artefacts against double-precision restatements of their formulas by NumPy's transforms, against TorchIO and MONAI where
they are installed, and the distributions of their random forms.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import nibabel
import numpy as np
import pytest
from scipy import ndimage, stats

# Even, odd, prime, one voxel, primes that no short transform has (37, 127), more than one pass of lanes.
SHAPES = [
    (5, 6, 7),
    (16, 17, 18),
    (1, 9, 8),
    (31, 1, 37),
    (64, 33, 3),
    (12, 7, 70),
    (6, 5, 261),
    (34, 53),
    (64, 1),
    (127, 20),
]


def picture(shape, seed=0):
    return np.random.default_rng(seed).normal(0.3, 1, shape).astype("f")


def spectrum(a):
    return np.fft.fftshift(np.fft.fftn(a.astype("d")))


def inverse(k):
    return np.fft.ifftn(np.fft.ifftshift(k)).real


def check(result, expected):
    assert result.dtype == np.float32 and result.shape == expected.shape and result.flags.c_contiguous
    assert np.abs(result - expected).max() <= 1e-5 * max(np.ptp(expected), np.abs(expected).max())


def along(ndim, axis, index):
    return tuple(index if i == axis % ndim else slice(None) for i in range(ndim))


# ---- the formulas --------------------------------------------------------------------------------------------


def gibbs(a, alpha):
    k = np.meshgrid(*[np.fft.fftshift(np.fft.fftfreq(n) * n) for n in a.shape], indexing="ij")
    outside = sum(f**2 for f in k) > (1 - alpha) ** 2 * max(a.shape) ** 2 / 2
    s = spectrum(a)
    s[outside] = 0
    return inverse(s)


def spike(a, position, intensity):
    s = spectrum(a)
    peak = np.abs(s).max()
    for p in np.reshape(position, (-1, a.ndim)):
        at = tuple(min(int(np.floor(q * n)), n - 1) for q, n in zip(p[::-1], a.shape, strict=True))
        s[at] += intensity * peak
    return inverse(s)


def ghosting(a, count, axis, intensity, restore=None):
    s = spectrum(a)
    n = a.shape[axis]
    half = int(np.round((restore or 0) * n)) // 2
    kept = slice(n // 2, n // 2 + 1) if restore is None else slice(n // 2 - half, n // 2 + half)
    middle = s[along(a.ndim, axis, kept)].copy()
    s[along(a.ndim, axis, slice(None, None, count))] *= 1 - intensity
    s[along(a.ndim, axis, kept)] = middle
    return inverse(s)


def moved(a, degrees, translation, spacing):
    """Linear, the minimum where a neighbour is missing; angles and spacing in the order x, y, z."""
    x, y, z = np.deg2rad([0, 0, *degrees] if a.ndim == 2 else degrees)
    rx = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    ry = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    rz = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    n = a.ndim
    mm = np.diag(spacing[:n])
    r = (np.linalg.inv(mm) @ (rz @ rx @ ry)[:n, :n] @ mm)[::-1, ::-1]
    middle = (np.array(a.shape) - 1) / 2
    offset = middle + (np.array(translation) / spacing[:n])[::-1] - r @ middle
    return ndimage.affine_transform(a.astype("d"), r, offset, order=1, mode="grid-constant", cval=a.min())


def motion(a, degrees, translations, times, axis=0, spacing=(1, 1, 1)):
    m, n = len(times), a.shape[axis]
    degrees, translations = np.reshape(degrees, (m, -1)), np.reshape(translations, (m, -1))
    pictures = [a] + [moved(a, d, t, np.array(spacing)) for d, t in zip(degrees, translations, strict=True)]
    edges = [0, *(int(n * t) for t in times), n]
    middle = next(i for i in range(m + 1) if edges[i] <= n // 2 < edges[i + 1])
    pictures[0], pictures[middle] = pictures[middle], pictures[0]
    s = np.empty(a.shape, "D")
    for p, lo, hi in zip(pictures, edges[:-1], edges[1:], strict=True):
        s[along(a.ndim, axis, slice(lo, hi))] = spectrum(p)[along(a.ndim, axis, slice(lo, hi))]
    return inverse(s)


def bias_field(a, coefficients, degree, basis):
    t = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in a.shape][::-1]
    grid = np.meshgrid(*t[::-1], indexing="ij")[::-1]  # x, y, z
    one = {"monomial": lambda k: np.eye(degree + 1)[k], "legendre": np.polynomial.legendre.leg2poly}[basis]
    if basis == "legendre":
        one = lambda k: np.polynomial.legendre.leg2poly(np.eye(degree + 1)[k])  # noqa: E731
    value = lambda k, x: np.polynomial.polynomial.polyval(x, one(k))  # noqa: E731
    left = list(coefficients)
    total = np.zeros(a.shape)
    for i in range(degree + 1):
        for j in range(degree + 1 - i):
            for k in range(degree + 1 - i - j if a.ndim == 3 else 1):
                term = value(i, grid[0]) * value(j, grid[1])
                total += left.pop(0) * (term * value(k, grid[2]) if a.ndim == 3 else term)
    assert not left
    return a * np.exp(total)


# ---- given parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alpha", [0, 0.17, 0.41, 0.73, 0.93, 1])
def test_gibbs(shape, alpha):
    a = picture(shape)
    check(mt.ops.gibbs(a, alpha), a if alpha == 0 else gibbs(a, alpha))


@pytest.mark.parametrize("shape", SHAPES)
def test_spike(shape):
    a = picture(shape)
    rng = np.random.default_rng(len(shape))
    for position in (
        rng.random(len(shape)),
        np.full(len(shape), 0.5),
        np.ones(len(shape)),
        rng.random(3 * len(shape)),
    ):
        for values in (a, a + 9, -np.abs(a)):
            check(mt.ops.spike(values, position, 1.4), spike(values, position, 1.4))
    assert np.abs(mt.ops.spike(a, rng.random(len(shape)), 0) - a).max() == 0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "count,intensity,restore", [(1, 0.3, None), (2, 1, None), (3, 0.7, 0.2), (5, 1.5, 0), (99, 1, 1)]
)
def test_ghosting(shape, count, intensity, restore):
    a = picture(shape)
    for axis in range(-len(shape), len(shape)):
        check(
            mt.ops.ghosting(a, count, axis, intensity, restore), ghosting(a, count, axis, intensity, restore)
        )


@pytest.mark.parametrize("shape", [s for s in SHAPES if len(s) == 3])
@pytest.mark.parametrize("times", [(0.3,), (0.7,), (0.25, 0.6), (0, 0.4, 1), (0.5, 0.5, 0.9)])
def test_motion_in_volumes(shape, times):
    rng = np.random.default_rng(1)
    a = picture(shape)
    degrees, shift = rng.uniform(-20, 20, (len(times), 3)), rng.uniform(-2, 2, (len(times), 3))
    for axis in (0, 1, -1):
        check(mt.ops.motion(a, degrees, shift, times, axis), motion(a, degrees, shift, times, axis))
    slowest = 1 if shape[0] == 1 else 0
    check(mt.ops.motion(a, degrees, shift, times), motion(a, degrees, shift, times, slowest))


@pytest.mark.parametrize("shape", [s for s in SHAPES if len(s) == 2])
def test_motion_in_planes(shape):
    a = picture(shape)
    degrees, shift, times = (5, -9), (1.5, 0.5, -2, 1), (0.3, 0.8)
    for axis in (0, 1):
        check(mt.ops.motion(a, degrees, shift, times, axis), motion(a, degrees, shift, times, axis))


def test_motion_is_rigid_in_millimetres(tmp_path):
    a = picture((20, 30, 40))
    spacing = np.array([0.5, 1.0, 3.0])  # x, y, z
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])  # the columns' lengths count, not their directions
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing)
    nibabel.save(nibabel.Nifti1Image(a.T, affine), tmp_path / "a.nii")
    degrees, shift, times = [(8, -5, 12), (-3, 9, 4)], [(2, -1, 3), (0.5, 4, -2)], (0.35, 0.7)
    result = mt.Chain([mt.Motion(degrees, shift, times)])({"image": str(tmp_path / "a.nii")})
    check(np.asarray(result["image"])[0], motion(a, degrees, shift, times, spacing=spacing))


@pytest.mark.parametrize("basis", ["monomial", "legendre"])
@pytest.mark.parametrize(
    "shape,degree",
    [((5, 6, 70), 3), ((1, 9, 8), 2), ((31, 1, 33), 1), ((34, 53), 6), ((7, 8, 33), 5), ((1, 1), 2)],
)
def test_bias_field(shape, degree, basis):
    a = picture(shape)
    n = (degree + 1) * (degree + 2) // 2 * (1 if a.ndim == 2 else degree + 3) // (1 if a.ndim == 2 else 3)
    c = np.random.default_rng(2).uniform(-0.6, 0.6, n)
    check(mt.ops.bias_field(a, c, degree, basis), bias_field(a, c, degree, basis))


CALLS = {
    "gibbs": lambda a, **k: mt.ops.gibbs(a, 0.5, **k),
    "spike": lambda a, **k: mt.ops.spike(a, (0.2, 0.6, 0.7), 1.2, **k),
    "ghosting": lambda a, **k: mt.ops.ghosting(a, 3, 1, 0.8, **k),
    "motion": lambda a, **k: mt.ops.motion(a, (5, 3, -8), (1, 2, -1), 0.4, **k),
    "bias_field": lambda a, **k: mt.ops.bias_field(a, np.linspace(-0.3, 0.4, 20), **k),
}


@pytest.mark.parametrize("name", CALLS)
def test_channels_types_strides_and_memory(name):
    call = CALLS[name]
    a = np.stack([picture((9, 20, 11), 1) * 50, np.abs(picture((9, 20, 11), 2)) * 40])
    each = np.stack([call(c) for c in a])
    np.testing.assert_array_equal(call(a, channels=True), each)
    np.testing.assert_array_equal(call(a[0].astype("f8")), call(a[0].astype("f8").astype("f")))
    for view in (a[0].T[::-1], a[0][:, ::-2], a[0].astype(">i2"), np.rint(a[0]).astype("i2")):
        np.testing.assert_array_equal(call(view), call(np.ascontiguousarray(view, "f")))
    out = np.empty(a[0].shape[::-1], "f").T
    assert call(a[0], out=out) is out
    np.testing.assert_array_equal(out, each[0])
    same = a[0].copy()
    call(same, out=same)
    np.testing.assert_array_equal(same, each[0])
    np.testing.assert_array_equal(call(a[0], dtype="i2"), np.rint(each[0]).astype("i2"))


@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_finite_stays_in_its_channel(name):
    a = np.stack([picture((9, 20, 11), 1), picture((9, 20, 11), 2)])
    a[0, 3, 4, 5] = np.nan
    result = CALLS[name](a, channels=True)
    assert np.isnan(result[0, 3, 4, 5])
    np.testing.assert_array_equal(result[1], CALLS[name](a[1]))
    if name in ("gibbs", "spike"):
        assert np.isnan(result[0]).all()


@pytest.mark.parametrize(
    "call,words",
    [
        (lambda a: mt.ops.gibbs(a, 1.1), "gibbs: alpha"),
        (lambda a: mt.ops.gibbs(a, -0.1), "gibbs: alpha"),
        (lambda a: mt.ops.spike(a, (0.1, 0.2, 1.2), 1), "spike: position"),
        (lambda a: mt.ops.spike(a, (), 1), "position has 0 numbers"),
        (lambda a: mt.ops.spike(a, (0.1, 0.2), 1), "position has 2 numbers; 3"),
        (lambda a: mt.ops.spike(a, (0.1, 0.2, 0.3), np.inf), "spike: intensity"),
        (lambda a: mt.ops.spike(np.full_like(a, np.nan), (0.1, 0.2, 0.3), 1), "finite"),
        (lambda a: mt.ops.ghosting(a, 0, 0, 1), "ghosting: count"),
        (lambda a: mt.ops.ghosting(a, 4, 3, 1), "ghosting: axis"),
        (lambda a: mt.ops.ghosting(a[0], 4, 2, 1), "axis 2 is none of the 2 spatial axes"),
        (lambda a: mt.ops.ghosting(a, 4, 0, -1), "ghosting: intensity"),
        (lambda a: mt.ops.ghosting(a, 4, 0, 1, 1.5), "ghosting: restore"),
        (lambda a: mt.ops.ghosting(a, 4, 0, 1, (0.1, 0.2)), "restore is one number"),
        (lambda a: mt.ops.motion(a, (1, 2), (1, 2, 3), 0.5), "degrees 2 numbers"),
        (lambda a: mt.ops.motion(a, 1, (1, 2), 0.5), "degrees 1 numbers"),
        (lambda a: mt.ops.motion(a, (1, 2, 3), (1, 2, 3), ()), "times has 0 moves"),
        (lambda a: mt.ops.motion(a, (1, 2, 3), (1, 2, 3), 1.5), "motion: times"),
        (lambda a: mt.ops.motion(a, (1, 2, 3), (1, 2, 3), 0.5, (0, 1)), "axis is one number or None"),
        (lambda a: mt.ops.motion(a, (1, 2, 3), (1, 2, 3), 0.5, 3), "motion: axis"),
        (lambda a: mt.ops.motion(a, (1,) * 6, (1,) * 6, (0.5, 0.4)), "times: 0.4 comes after 0.5"),
        (lambda a: mt.ops.bias_field(a, (1, 2, 3)), "degree 3 wants 20"),
        (lambda a: mt.ops.bias_field(a, np.zeros(10)), "coefficients has 10 numbers; degree 3 wants 20 here"),
        (lambda a: mt.ops.bias_field(a, np.zeros(20), 0), "bias_field: degree"),
        (lambda a: mt.ops.bias_field(a, np.zeros(20), basis="sines"), "sines"),
        (lambda a: mt.RandomGibbs(alpha=(0.5, 0.2)), "random_gibbs.*alpha runs from 0.5 down"),
        (lambda a: mt.RandomGibbs(p=1.1), "random_gibbs: p"),
        (lambda a: mt.RandomSpike(count=11), "random_spike: count"),
        (lambda a: mt.RandomSpike(intensity=(3, 1)), "random_spike.*intensity runs from 3 down"),
        (lambda a: mt.RandomGhosting(count=(6, 4)), "random_ghosting.*count runs from 6 down"),
        (lambda a: mt.RandomGhosting(axes=(0, 3)), "random_ghosting: axes"),
        (lambda a: mt.RandomGhosting(restore=(0.5, 0.1)), "random_ghosting.*restore runs"),
        (lambda a: mt.RandomMotion(degrees=(5, -5)), "random_motion.*degrees runs from 5 down"),
        (lambda a: mt.RandomMotion(translations=(1, 2, 3)), "random_motion.*translations"),
        (lambda a: mt.RandomMotion(count=0), "random_motion: count"),
        (lambda a: mt.RandomBiasField(coefficients=(0.5, 0)), "random_bias_field.*coefficients runs"),
        (lambda a: mt.RandomBiasField(degree=7), "random_bias_field: degree"),
        (lambda a: mt.Chain([mt.RandomBiasField(degree=6)])({"image": a}), "degree 6 has 84 terms"),
    ],
)
def test_bad_parameters(call, words):
    with pytest.raises(ValueError, match=words):
        call(picture((6, 7, 8)))


# ---- drawn parameters ----------------------------------------------------------------------------------------

RANDOM = {
    "gibbs": mt.RandomGibbs(p=0.6),
    "spike": mt.RandomSpike(count=(1, 3), p=0.6),
    "ghosting": mt.RandomGhosting(restore=(0, 0.3), p=0.6),
    "motion": mt.RandomMotion(count=(1, 3), p=0.6),
    "bias_field": mt.RandomBiasField(p=0.6),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("shape", [(14, 15, 16), (20, 31), (1, 20, 31)])
def test_random_forms_do_what_they_say_they_drew(name, shape):
    chain = mt.Chain([RANDOM[name]])
    a = picture(shape)
    label = np.arange(a.size).reshape(shape) % 7
    acted = 0
    for index in range(12):
        sample = {"image": a, "label": label.astype("u1")}
        drawn = chain.draw(0, 0, index, sample=sample)[0]["drawn"]
        result = chain(sample, seed=0, epoch=0, index=index)
        np.testing.assert_array_equal(np.asarray(result["label"]).reshape(shape), label)
        image = np.asarray(result["image"]).reshape(shape)
        if drawn is None:
            np.testing.assert_array_equal(image, a)
            continue
        acted += 1
        given = {k: v for k, v in drawn.items() if k != "op"}
        eager = getattr(mt.ops, name)(a, **given)
        check(image, eager.astype("d"))
        assert np.abs(image - a).max() > 0
    assert 2 <= acted <= 11


def draws(op, n=4000, shape=(20, 20, 20)):
    chain = mt.Chain([op])
    sample = {"image": np.zeros(shape, "f")}
    return [chain.draw(3, 0, i, sample=sample)[0]["drawn"] for i in range(n)]


def uniform(values, lo, hi):
    values = np.ravel(values)
    assert values.min() >= lo and values.max() <= hi
    assert stats.kstest(values, "uniform", (lo, hi - lo)).pvalue > 1e-4


def equally(values, choices):
    counts = [np.sum(np.equal(values, c)) for c in choices]
    assert sum(counts) == len(values)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_a_single_slice_stays_in_its_plane():
    for d in draws(mt.RandomMotion(p=1), 20, (1, 20, 21)):
        degrees, shift = np.reshape(d["degrees"], (-1, 3)), np.reshape(d["translations"], (-1, 3))
        assert (
            not degrees[:, :2].any() and degrees[:, 2].all() and shift[:, :2].all() and not shift[:, 2].any()
        )


def test_distributions():
    gibbs_drawn = draws(mt.RandomGibbs(alpha=(0.2, 0.7), p=0.3))
    acting = [d["alpha"] for d in gibbs_drawn if d]
    uniform(acting, 0.2, 0.7)
    assert stats.binomtest(len(acting), 4000, 0.3).pvalue > 1e-4

    drawn = draws(mt.RandomSpike(count=(1, 3), intensity=(1, 3), p=1))
    equally([len(d["position"]) for d in drawn], [3, 6, 9])
    uniform(np.concatenate([np.ravel(d["position"]) for d in drawn]), 0, 1)
    uniform([d["intensity"] for d in drawn], 1, 3)

    drawn = draws(mt.RandomGhosting(restore=(0.1, 0.2), p=1))
    equally([d["axis"] for d in drawn], [0, 1, 2])
    equally([d["count"] for d in drawn], range(4, 11))
    uniform([d["intensity"] for d in drawn], 0.5, 1)
    uniform([np.ravel(d["restore"])[0] for d in drawn], 0.1, 0.2)
    equally([d["axis"] for d in draws(mt.RandomGhosting(axes=(2, -3), p=1), 500)], [2, -3])
    equally([d["axis"] for d in draws(mt.RandomGhosting(p=1), 500, (8, 9))], [0, 1])
    equally([d["axis"] for d in draws(mt.RandomGhosting(p=1), 500, (1, 8, 9))], [1, 2])

    drawn = draws(mt.RandomMotion(degrees=(-4, 9), translations=(1, 2), count=(1, 3), p=1))
    moves = [np.size(d["times"]) for d in drawn]
    equally(moves, [1, 2, 3])
    uniform(np.concatenate([np.ravel(d["degrees"]) for d in drawn]), -4, 9)
    uniform(np.concatenate([np.ravel(d["translations"]) for d in drawn]), 1, 2)
    for i in range(3):
        uniform(
            [np.ravel(d["times"])[i] * 4 - i - 1 for d, m in zip(drawn, moves, strict=True) if m == 3],
            -0.3,
            0.3,
        )

    drawn = draws(mt.RandomBiasField(coefficients=(-0.2, 0.5), p=1), 500)
    assert {len(d["coefficients"]) for d in drawn} == {20}
    uniform(np.concatenate([d["coefficients"] for d in drawn]), -0.2, 0.5)


@pytest.mark.parametrize("name", RANDOM)
def test_any_number_of_threads_gives_the_same_bytes(name):
    items = [{"image": picture((33, 34, 35), i)} for i in range(4)]
    chain = mt.Chain([RANDOM[name]])
    batches = [
        [np.asarray(b["image"]).tobytes() for b in mt.Loader(items, chain, seed=2, threads=t)] for t in (1, 3)
    ]
    assert batches[0] == batches[1]
    single = [np.asarray(chain(x, seed=2, epoch=0, index=i)["image"]).tobytes() for i, x in enumerate(items)]
    assert batches[0] == single


# ---- the peers themselves ------------------------------------------------------------------------------------


def as_torchio(a):
    """[Z, Y, X] as TorchIO's [1, X, Y, Z], its middle at the origin of the patient's space, so that TorchIO's rotations,
    which are about that origin, are about the middle."""
    torch = pytest.importorskip("torch")
    tio = pytest.importorskip("torchio")
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(a.shape[::-1]) - 1) / 2
    return tio, tio.ScalarImage(tensor=torch.from_numpy(a.T.copy())[None], affine=affine)


def from_torchio(image):
    return image.data[0].numpy().T


@pytest.mark.parametrize("shape", [(12, 15, 16), (11, 20, 13)])
def test_torchio(shape):
    a = picture(shape)
    tio, image = as_torchio(a)
    position = np.array([0.2, 0.7, 0.4])
    check(mt.ops.spike(a, position, 1.6), from_torchio(tio.Spike(position[None], 1.6)(image)))
    for axis in range(3):
        for restore in (None, 0.3):
            expected = from_torchio(tio.Ghosting(4, 2 - axis, 0.8, restore)(image))
            check(mt.ops.ghosting(a, 4, axis, 0.8, restore), expected)
    c = np.random.default_rng(0).uniform(-0.5, 0.5, 20)
    check(mt.ops.bias_field(a, c), from_torchio(tio.BiasField(list(c), 3)(image)))


def test_torchio_motion():
    a = np.zeros((24, 25, 26), "f")
    a[6:-6, 6:-6, 6:-6] = picture((12, 13, 14)) ** 2
    tio, image = as_torchio(a)
    degrees, shift = np.array([[5.0, -4, 7], [3, 6, -8]]), np.array([[1.0, 2, -1.5], [-2, 0.5, 1]])
    lps = np.array([-1, -1, 1])  # x and y run the other way in SimpleITK
    for times in ((0.3, 0.8), (0.2, 0.3), (0.6, 0.9)):
        expected = from_torchio(tio.Motion(degrees * lps, shift * lps, np.array(times), "linear")(image))
        check(mt.ops.motion(a, degrees, shift, times), expected)


def test_monai():
    pytest.importorskip("torch")
    transforms = pytest.importorskip("monai.transforms")
    for shape in ((15, 17, 11), (21, 33)):
        a = picture(shape)
        for alpha in (0.17, 0.41, 0.73):
            check(mt.ops.gibbs(a, alpha), transforms.GibbsNoise(alpha)(a[None])[0].numpy())
    a = picture((9, 10, 14))
    field = transforms.RandBiasField(degree=3)
    c = np.random.default_rng(0).uniform(-0.5, 0.5, 20)
    expected = a.T * np.exp(field._generate_random_field(a.T.shape, 3, c))
    check(mt.ops.bias_field(a, c, basis="legendre"), expected.T)
