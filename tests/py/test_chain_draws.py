"""What a chain draws: written down, run again, undone; every channel by itself; points that move along.
SPDX-License-Identifier: Apache-2.0
"""

import json

import microtome as mt
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from microtome import _declare
from test_loader_py import digest

RANDOM = [name for name, op in _declare.OPERATORS.items() if op["kind"] == "random"]
# What random operators must be given, or are given so that they act on a small image.
GIVEN = {"size": 6, "label": "label", "p": 1.0}
EXTRA = {"random_elastic": {"max_displacement": 2}}
GEOMETRIC = [
    lambda: mt.RandomFlip(p=0.5),
    lambda: mt.RandomRot90(p=0.8, axes=(0, 2)),
    lambda: mt.RandomCrop(size=(9, 10, 8)),
    lambda: mt.RandomAffine(degrees=25, scale=(0.8, 1.2), translate=2, p=0.8, border="constant"),
    lambda: mt.RandomZoom(scale=(0.7, 1.3), p=0.8, border="constant"),
    lambda: mt.Pad(before=(1, 2, 0), after=2),
    lambda: mt.CropOrPad(size=(12, 11, 13)),
    lambda: mt.Rot90(k=1, axes=(0, 1)),
]


def volume(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


def labels(rng, *shape):
    return rng.integers(0, 3, shape).astype(np.uint8)


def make(name, params, **more):
    """An operator of a chain, with what it must be given."""
    declared = {p["name"]: p for p in _declare.OPERATORS[name]["params"]}
    given = {k: v for k, v in GIVEN.items() if k in declared and (declared[k]["default"] is None or k == "p")}
    return getattr(mt, _declare.class_name(name))(**{**given, **EXTRA.get(name, {}), **params, **more})


def same(a, b):
    return a.keys() == b.keys() and all(np.asarray(a[k]).tobytes() == np.asarray(b[k]).tobytes() for k in a)


# ---- running again ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANDOM)
def test_every_random_operator_can_be_run_again(name, rng):
    sample = {"image": volume(rng, 2, 12, 14, 16), "label": labels(rng, 12, 14, 16)}
    params = {}
    required = [p for p in _declare.OPERATORS[name]["params"] if p["default"] is None]
    for p in required:
        if p["type"] == "array":
            params[p["name"]] = volume(rng, 12, 14, 16)
        elif p["name"] not in GIVEN:
            pytest.skip(f"{name} needs {p['name']}")
    chain = mt.Chain([make(name, params), mt.RandomFlip()])
    for i in range(3):
        drawn = json.loads(json.dumps(chain.draw(seed=5, index=i, sample=sample)))
        assert same(chain.replay(sample, drawn), chain(sample, seed=5, index=i))
        assert drawn[0]["drawn"] is None or drawn[0]["as"] in _declare.OPERATORS


def test_draws_may_be_changed_by_hand_and_are_checked(rng):
    sample = {"image": volume(rng, 8, 9, 10)}
    chain = mt.Chain([mt.RandomGaussianNoise(p=1), mt.RandomFlip(p=0), mt.Normalize()])
    drawn = chain.draw(sample=sample)
    drawn[0]["drawn"] = None
    drawn[1] = {"op": "random_flip", "as": "flip", "drawn": {"axis": [1]}}
    expected = mt.ops.normalize(sample["image"][:, ::-1])
    np.testing.assert_array_equal(chain.replay(sample, drawn)["image"][0], expected)
    with pytest.raises(mt.InvalidError, match="another chain"):
        chain.replay(sample, drawn[:2])
    for change, says in [
        ({"as": "rot90", "drawn": {"axis": [7]}}, "axis|rot90"),
        ({"as": "flip", "drawn": {"axis": [7]}}, "axis"),
        ({"as": "flip", "drawn": [{"axis": [0]}]}, "channel"),
    ]:
        drawn[1] = {"op": "random_flip", **change}
        with pytest.raises((mt.Error, TypeError), match=says):
            chain.replay(sample, drawn)
    drawn[1] = {"op": "random_flip", "drawn": None}
    drawn[2] = {"op": "normalize", "as": "normalize", "drawn": {}}
    with pytest.raises(mt.InvalidError, match="draws nothing"):
        chain.replay(sample, drawn)


# ---- every channel by itself ------------------------------------------------------------------------------

PER_CHANNEL = [
    ("random_gaussian_noise", {"sigma": (0.1, 0.5)}),
    ("random_gamma", {"gamma": (0.5, 2)}),
    ("random_contrast", {"keep_range": True}),
    ("random_brightness", {"add": (-1, 1)}),
    ("random_blur", {}),
    ("random_rician_noise", {}),
    ("random_salt_and_pepper", {"share": (0.1, 0.3)}),
    ("random_histogram_shift", {}),
    ("random_sharpen", {}),
    ("random_low_resolution", {}),
]


@pytest.mark.parametrize("name, params", PER_CHANNEL)
@pytest.mark.parametrize("before", [[], [mt.Flip(axis=2), mt.Shift(offset=3)]])
def test_channels_draw_for_themselves(name, params, before, rng):
    """Every channel equals the operator run on it alone, and in a loader the same bytes come out."""
    sample = {"image": volume(rng, 4, 9, 10, 11), "label": labels(rng, 9, 10, 11)}
    chain = mt.Chain([*before, make(name, params, p=0.6, per_channel=True)])
    seen = set()
    for i, batch in enumerate(mt.Loader([sample] * 6, chain, seed=3, threads=2)):
        out = chain(sample, seed=3, index=i)
        assert same(out, {k: np.asarray(v)[0] for k, v in batch.items()})
        one = mt.Chain(before)(sample)["image"]
        drawn = chain.draw(seed=3, index=i, sample=sample)[len(before)]
        for c in range(4):
            mine = drawn["drawn"] and drawn["drawn"][c]
            seen.add(mine is None)
            run = getattr(mt.ops, drawn.get("as", "shift"))
            expected = one[c] if mine is None else run(np.ascontiguousarray(one[c]), **mine)
            np.testing.assert_allclose(out["image"][c], expected, rtol=2e-6, atol=2e-6)
    assert seen == {True, False}


def test_channel_draws_are_independent_and_the_first_is_the_one_for_all(rng):
    image = volume(rng, 3, 4, 4, 4)
    per = mt.Chain([mt.RandomBrightness(multiply=(0.5, 2), p=0.5, per_channel=True)])
    one = mt.Chain([mt.RandomBrightness(multiply=(0.5, 2), p=0.5)])
    values = np.full((600, 3), np.nan)
    for i in range(600):
        drawn = per.draw(index=i, sample={"image": image})[0]["drawn"] or [None] * 3
        values[i] = [np.nan if d is None else d["multiply"] for d in drawn]
        assert drawn[0] == one.draw(index=i, sample={"image": image})[0]["drawn"]
    acts = np.isfinite(values)
    assert np.all(abs(acts.mean(axis=0) - 0.5) < 0.08)  # 4 standard deviations of 600 coins
    assert np.all(np.abs(np.corrcoef(acts.T)[np.triu_indices(3, 1)]) < 0.16)
    both = acts[:, 0] & acts[:, 1]
    assert abs(np.corrcoef(values[both, 0], values[both, 1])[0, 1]) < 0.33
    assert np.nanmin(values) < 0.52 and np.nanmax(values) > 1.98


def test_per_channel_is_refused_where_it_means_nothing():
    for name in RANDOM:
        declared = [p["name"] for p in _declare.OPERATORS[name]["params"]]
        if "elastic" in name and "per_channel" in declared:
            with pytest.raises(mt.InvalidError, match="per_channel"):
                mt.Chain([make(name, {}, per_channel=True)])


# ---- undoing ----------------------------------------------------------------------------------------------


def test_inverting_flips_turns_and_crops_is_exact(rng):
    sample = {"image": volume(rng, 2, 12, 14, 16), "label": labels(rng, 12, 14, 16)}
    chain = mt.Chain(
        [
            mt.RandomFlip(),
            mt.RandomRot90(p=1, axes=(0, 2)),
            mt.RandomCrop(size=(8, 9, 7)),
            mt.RandomGaussianNoise(p=1),
            mt.Pad(before=1, after=(2, 0, 1)),
            mt.Rot90(k=3, axes=(1, 2)),
        ]
    )
    spatial = mt.Chain([op for op in chain.ops if op.__class__.__name__ != "RandomGaussianNoise"])
    for i in range(12):
        drawn = chain.draw(index=i, sample=sample)
        moved = spatial.replay(sample, [d for d in drawn if d["op"] != "random_gaussian_noise"])
        kept = spatial.replay(
            {"image": np.ones((12, 14, 16), np.float32)}, [d for d in drawn if "noise" not in d["op"]]
        )["image"]
        inside = chain.invert(kept, drawn, sample, interp="nearest")[0] > 0
        assert inside.sum() == 8 * 9 * 7
        back = chain.invert(moved["image"], drawn, sample, fill=-7)
        assert back.shape == (2, 12, 14, 16) and back.dtype == np.float32
        np.testing.assert_array_equal(back[:, inside], sample["image"][:, inside])
        assert np.all(back[:, ~inside] == -7)
        label = chain.invert(moved, drawn, sample, field="label", interp="nearest")
        assert label.dtype == np.uint8
        np.testing.assert_array_equal(label[0], sample["label"] * inside)


def smooth(shape, at):
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    return (np.sin(0.21 * z + at) * np.cos(0.17 * y) + np.sin(0.13 * x)).astype(np.float32)


@pytest.mark.parametrize(
    "ops",
    [
        [mt.RandomAffine(degrees=12, scale=(0.9, 1.1), p=1)],
        [mt.Resize(size=(36, 25, 44)), mt.RandomFlip(p=1)],
        [mt.RandomZoom(scale=(1.1, 1.3), p=1), mt.RandomFlip()],
        [mt.Rotate(axis=(0, 1, 0), degrees=10, keep_size=True), mt.CropOrPad(size=(34, 34, 34))],
    ],
)
def test_inverting_what_interpolates_is_near(ops):
    sample = {"image": smooth((30, 32, 34), 0.4)}
    chain = mt.Chain(ops)
    for i in range(3):
        drawn = chain.draw(index=i, sample=sample)
        back = chain.invert(chain(sample, index=i), drawn, sample)[0]
        seen = chain.invert(np.ones_like(chain(sample, index=i)["image"]), drawn, sample)[0] > 0.999
        inner = np.zeros_like(seen)
        inner[8:-8, 8:-8, 8:-8] = True
        assert (seen & inner).sum() > 1000
        assert np.abs(back - sample["image"])[seen & inner].max() < 0.03


def test_spacing_and_orientation_are_undone_from_the_items_own_header(tmp_path):
    from conftest import save_nifti

    a = smooth((20, 22, 24), 0.1)
    save_nifti(tmp_path / "a.nii.gz", a, np.diag([-1.5, 1.0, 2.0, 1]))
    chain = mt.Chain([mt.Orient("RAS"), mt.Spacing(to=(1, 1, 1)), mt.RandomCrop(size=(16, 16, 16))])
    sample = {"image": str(tmp_path / "a.nii.gz")}
    drawn = chain.draw(sample=sample)
    out = chain(sample)
    back = chain.invert(out, drawn, sample)[0]
    given = mt.open(tmp_path / "a.nii.gz").read()
    assert back.shape == given.shape
    seen = chain.invert(np.ones_like(out["image"]), drawn, sample)[0] > 0.999
    assert seen.sum() > 500 and np.abs(back - given)[seen].max() < 0.05


def test_what_cannot_be_undone_is_refused(rng):
    sample = {"image": volume(rng, 16, 16, 16)}
    chain = mt.Chain([mt.Apply(lambda a: a[:, :8])])
    with pytest.raises(mt.UnsupportedError, match="lead back"):
        chain.invert(chain(sample), chain.draw(sample=sample), sample)
    chain = mt.Chain([mt.Flip(axis=0)])
    with pytest.raises(mt.InvalidError, match="chain gives"):
        chain.invert(np.zeros((3, 3, 3), np.float32), chain.draw(sample=sample), sample)
    with pytest.raises(mt.InvalidError, match="interp"):
        chain.invert(sample["image"], chain.draw(sample=sample), sample, interp="best")
    with pytest.raises(mt.InvalidError, match="no field"):
        chain.invert(sample["image"], chain.draw(sample=sample), sample, field="seg")


# ---- points -----------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(),
    st.lists(st.sampled_from(range(len(GEOMETRIC))), min_size=1, max_size=4),
    st.integers(0, 2**31),
)
def test_points_and_labels_stay_on_the_image(resized, steps, seed):
    """Images that hold their own coordinates (and ones, where they are not padding) say where every point, and every voxel of
    the label map, ought to be."""
    shape = (15, 16, 17)
    z, y, x = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij")
    points = np.random.default_rng(seed).uniform(2, 12, (12, 3))
    number = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    sample = {"image": np.stack([x, y, z, np.ones_like(x)]), "label": number, "points": points}
    first = [mt.Resize(size=(18, 19, 20))] if resized else []
    chain = mt.Chain([*first, *(GEOMETRIC[i]() for i in steps)], points="points")
    try:
        out = chain(sample, seed=seed)
    except mt.InvalidError as e:  # a crop behind a smaller one
        assert "crop" in str(e)
        return
    image = out["image"].astype(np.float64)
    for true, at in zip(points, out["points"], strict=True):
        i = np.floor(at).astype(int)
        if np.any(i < 0) or np.any(i + 2 > np.array(image.shape[:0:-1])):
            continue  # outside
        v = image[:, i[2] : i[2] + 2, i[1] : i[1] + 2, i[0] : i[0] + 2]
        if v[3].min() < 0.9999:
            continue  # beside padding
        for f in at - i:  # along x, then y, then z
            v = v[..., 0] * (1 - f) + v[..., 1] * f
        assert np.abs(v[:3] - true).max() < 2e-3
    back = np.stack(np.unravel_index(out["label"][0], shape)[::-1])
    inside = (image[3] > 0.9999) & np.all(
        [(c > 1) & (c < n - 2) for c, n in zip(image, (17, 16, 15), strict=False)], axis=0
    )
    assert np.abs(back - image[:3])[:, inside].max(initial=0) <= 0.75 * (len(steps) + resized)


@pytest.mark.parametrize("options", [{}, {"threads": 3}, {"cache_bytes": 1 << 24}, {"samples_per_item": 2}])
def test_points_in_batches(options, rng):
    items = [
        {"image": volume(rng, 14, 15, 16), "points": rng.uniform(0, 14, (n, 3)), "age": n}
        for n in (4, 4, 2, 0)
    ]
    chain = mt.Chain(
        [mt.Resize(size=(18, 19, 20)), mt.RandomCrop(size=(9, 8, 10)), mt.RandomFlip()], points=("points",)
    )
    each = options.get("samples_per_item", 1)
    for _ in range(2):
        for batch in mt.Loader(items, chain, batch_size=2 * each, **options):
            points = batch["points"]
            assert batch.number == 1 or np.asarray(points).shape == (2 * each, 4, 3)
            assert batch.number == 0 or isinstance(points, list)
            for k, i in enumerate(batch.index):
                p = points[k] if isinstance(points, list) else np.asarray(points)[k]
                out = chain(items[int(i) // each], index=int(i))
                assert np.asarray(p).dtype == np.float64
                np.testing.assert_array_equal(np.asarray(p), out["points"])


def test_points_of_pictures_in_a_plane_and_their_errors(rng):
    sample = {"image": volume(rng, 10, 12), "points": np.array([[3, 4], [20, -5]], np.int16)}
    out = mt.Chain([mt.Flip(axis=1)], points="points")(sample)
    np.testing.assert_array_equal(out["points"], [[8, 4], [-9, -5]])
    for points in (np.zeros((4, 3)), np.zeros((3, 4, 2)), "a.txt", [1, 2]):
        with pytest.raises(mt.InvalidError, match=r"\[N, 2\]"):
            mt.Chain([mt.Flip(axis=1)], points="points")({**sample, "points": points})
    with pytest.raises(mt.InvalidError, match="no picture"):
        mt.Chain([], points="points")({"points": np.zeros((4, 3))})
    with pytest.raises(mt.InvalidError, match="no such image"):
        mt.Chain([mt.Flip("points", axis=1)], points="points")(sample)
    with pytest.raises(mt.UnsupportedError, match="cannot follow"):
        mt.Chain([mt.Apply(lambda a: a[..., ::2])], points="points")(sample)


# ---- label maps -------------------------------------------------------------------------------------------


def test_label_operators_change_label_maps_only(rng):
    label = np.zeros((12, 13, 14), np.uint8)
    label[1:4, 2:5, 3:6], label[8:10, 8:10, 8:10] = 1, 2
    sample = {"image": volume(rng, 12, 13, 14), "label": label}
    ops = [n for n, op in _declare.OPERATORS.items() if op["kind"] == "label"]
    if "one_hot" not in ops:
        pytest.skip("no label operators yet")
    chain = mt.Chain([mt.RandomFlip(), mt.OneHot(classes=(0, 1, 2)), mt.RandomCrop(size=(8, 8, 8))])
    batch = next(iter(mt.Loader([sample], chain, seed=2)))
    out = chain(sample, seed=2)
    assert same(out, {k: np.asarray(v)[0] for k, v in batch.items()})
    assert out["image"].shape == (1, 8, 8, 8) and out["label"].shape == (3, 8, 8, 8)
    plain = mt.Chain([mt.RandomFlip(), mt.RandomCrop(size=(8, 8, 8))])
    drawn = [d for d in chain.draw(seed=2, sample=sample) if d["op"] != "one_hot"]
    np.testing.assert_array_equal(out["label"].argmax(axis=0), plain.replay(sample, drawn)["label"][0])


# ---- one set of bytes -------------------------------------------------------------------------------------


def test_every_kind_of_operator_gives_the_same_bytes_by_every_way(rng, tmp_path):
    """Eager, any threads, with and without cache, resumed: geometric, pointwise, filter, per channel, functions, points."""
    items = [
        {
            "image": volume(rng, 2, 20, 21, 22),
            "label": labels(rng, 20, 21, 22),
            "points": rng.uniform(0, 20, (3, 3)),
        }
        for _ in range(5)
    ]
    chain = mt.Chain(
        [
            mt.Normalize(),
            mt.Resize(size=(24, 24, 24)),
            mt.RandomBalancedCrop("label", size=(16, 16, 16)),
            mt.RandomZoom(p=0.5),
            mt.RandomFlip(),
            mt.RandomGaussianNoise(p=0.5, per_channel=True),
            mt.RandomBlur(p=0.5),
            mt.Apply(lambda a: a * 2),
            mt.RandomBrightness(p=0.5),
            mt.RandomContrast(p=0.5, keep_range=True),
            mt.RandomBlur(p=0.5, per_channel=True),
            mt.RandomGamma(p=0.5, per_channel=True),
        ],
        points="points",
    )
    settings = {"batch_size": 2, "seed": 9, "shuffle": True}
    want = [digest(b) for b in mt.Loader(items, chain, threads=1, **settings)]
    for more in ({"threads": 3}, {"threads": 2, "cache_bytes": 1 << 30}, {"prefetch": 4}):
        loader = mt.Loader(items, chain, **settings, **more)
        assert [digest(b) for b in loader] == want
        loader.set_epoch(0)
        first = next(iter(loader))
        state = json.loads(json.dumps(loader.state()))
        again = mt.Loader(items, chain, **settings, **more)
        again.restore(state)
        assert [digest(first), *(digest(b) for b in again)] == want
    for b in mt.Loader(items, chain, **settings):
        for k, i in enumerate(b.index):
            out = chain(items[int(i)], seed=9, index=int(i))
            assert same(out, {n: np.asarray(v)[k] for n, v in b.items()})


MIXED = [
    lambda: mt.Brightness(multiply=1.3, add=0.2),
    lambda: mt.Normalize(),
    lambda: mt.Normalize(channel_wise=True),
    lambda: mt.GaussianNoise(sigma=0.2, seed=4),
    lambda: mt.SaltAndPepper(p=0.1, seed=3),
    lambda: mt.RandomHistogramShift(p=0.5),
    lambda: mt.RandomRicianNoise(p=0.5),
    lambda: mt.Pad(before=1, after=2, border="edge"),
    lambda: mt.Pad(before=(0, 1, 0), after=1, border="reflect"),
    lambda: mt.Flip(axis=2),
    lambda: mt.Resize(size=(11, 12, 10)),
    lambda: mt.Crop(start=(1, 0, 2), size=(7, 8, 6)),
    lambda: mt.GaussianBlur(sigma=0.8),
    lambda: mt.Gamma(gamma=1.5),
    lambda: mt.Contrast(factor=1.4, keep_range=True),
    lambda: mt.RandomBrightness(multiply=(0.5, 2), add=(-1, 1), p=0.8),
    lambda: mt.RandomFlip(),
    lambda: mt.RandomContrast(p=0.8, keep_range=True),
    lambda: mt.RandomGamma(p=0.8),
    lambda: mt.RandomShift(p=0.8, per_channel=True),
    lambda: mt.RandomContrast(p=0.8, per_channel=True),
    lambda: mt.RandomCrop(size=(6, 6, 5)),
    lambda: mt.RandomRot90(p=0.5),
    lambda: mt.RandomGaussianNoise(p=0.5),
]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(range(len(MIXED))), min_size=1, max_size=7),
    st.integers(0, 2**31),
    st.sampled_from([np.float32, np.uint8, np.int16]),
    st.integers(1, 3),
)
def test_a_cache_changes_no_byte(steps, seed, dtype, channels):
    """What is left pending behind the deterministic prefix, or seen through by statistics, does not depend on the cache."""
    values = np.random.default_rng(seed).uniform(0, 200, (channels, 10, 11, 12))
    sample = {"image": values.astype(dtype)}
    chain = mt.Chain([MIXED[i]() for i in steps])
    try:
        expected = [chain(sample, seed=seed, index=i)["image"].tobytes() for i in range(2)]
    except mt.InvalidError as e:
        assert "crop" in str(e)
        return
    loader = mt.Loader([sample] * 2, chain, seed=seed, threads=1, cache_bytes=1 << 24)
    for _ in range(2):
        loader.set_epoch(0)
        assert [np.asarray(b["image"])[0].tobytes() for b in loader] == expected


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("multiply", [1.7, -0.6, 0.0])
def test_statistics_seen_through_linear_steps(dtype, multiply, rng):
    """brightness → contrast in a chain looks at the picture once; the clamp's ends are those of the picture made."""
    a = rng.uniform(0, 200, (14, 15, 16)).astype(dtype)
    chain = mt.Chain(
        [
            mt.RandomBrightness(multiply=multiply, add=3, p=1),
            mt.Flip(axis=1),
            mt.Contrast(factor=1.5, keep_range=True),
        ]
    )
    out = chain({"image": a})["image"][0]
    bright = mt.ops.brightness(a, multiply=multiply, add=3)
    expected = mt.ops.contrast(bright[:, ::-1], factor=1.5, keep_range=True)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)
    assert out.min() >= bright.min() and out.max() <= bright.max()
    if multiply:
        assert out.min() == bright.min() and out.max() == bright.max()
    huge = mt.Chain([mt.RandomBrightness(multiply=1e38, p=1), mt.RandomContrast(factor=1, p=1)])
    np.testing.assert_array_equal(
        np.isfinite(huge({"image": a})["image"][0]), np.abs(a.astype(float) * 1e38) < 3.4e38
    )
