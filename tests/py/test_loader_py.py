"""Chains and the loader from Python: determinism, places, shards, errors, memory of batches, Python functions, PyTorch.
SPDX-License-Identifier: Apache-2.0
"""

import gc
import json
import multiprocessing
import signal
import subprocess
import sys
import threading
import time
import weakref

import microtome as mt
import nibabel
import numpy as np
import pytest
import torch
from conftest import save_nifti

CROP = (8, 10, 12)


def chain():
    return mt.Chain(
        [
            mt.Normalize("image"),
            mt.RandomCrop(size=CROP),
            mt.RandomFlip(p=0.5),
            mt.RandomGaussianNoise(sigma=(0, 0.5), p=0.7),
        ]
    )


def digest(batch):
    """Everything in a batch, as bytes."""
    out = [batch.index.tobytes()]
    for name, value in batch.items():
        parts = value if isinstance(value, list) else [value]
        out += [
            name.encode(),
            *(np.asarray(p).tobytes() if hasattr(p, "shape") else repr(p).encode() for p in parts),
        ]
    return b"|".join(out)


def epochs(loader, n=2):
    return [[digest(b) for b in loader] for _ in range(n)]


# ---- plain files are looked at in place, not read first ------------------------------------------------------


def plain_files(tmp_path, rng, kind):
    """[(file, array)]: the same voxels, in a file that has nothing to inflate."""
    out = []
    for i, shape in enumerate([(20, 23, 31), (33, 18, 21)]):
        a = rng.integers(-90, 90, shape).astype(np.int16)
        path = tmp_path / f"{kind}{i}.npy"
        if kind == "nifti":
            path = tmp_path / f"{kind}{i}.nii"
            save_nifti(path, a)
        else:
            a = (a if kind == "int16" else (a / 7).astype(kind)).copy("F" if kind == "float64" else "C")
            np.save(path, a)
        out.append((path, a.astype(a.dtype.newbyteorder("="))))
    return out


IN_PLACE = {
    "crop": [],
    "flip": [mt.RandomFlip(p=0.8)],
    "rot90": [mt.RandomRot90(p=0.8)],
    "steps": [
        mt.RandomFlip(p=0.8),
        mt.RandomGaussianNoise(sigma=(0.1, 0.5), p=0.8),
        mt.RandomContrast(p=0.8),
    ],
    "gather": [mt.RandomZoom(scale=(1.1, 1.4), p=0.8), mt.RandomFlip(p=0.8), mt.RandomBrightness(p=0.8)],
    "blur": [mt.RandomFlip(p=0.8), mt.RandomBlur(p=0.8), mt.RandomContrast(keep_range=True, p=0.8)],
}


@pytest.mark.parametrize("kind", ["float32", ">f4", "float64", "int16", "nifti"])
@pytest.mark.parametrize("ops", IN_PLACE)
def test_a_file_gives_the_bytes_of_its_voxels_in_memory(tmp_path, rng, kind, ops):
    pairs = plain_files(tmp_path, rng, kind)
    chain = mt.Chain([mt.RandomCrop(size=(11, 16, 17)), *IN_PLACE[ops]])
    for threads in (1, 3):
        from_files, from_memory = (
            mt.Loader([{"image": pair[i]} for pair in pairs * 4], chain, 2, threads=threads) for i in (0, 1)
        )
        assert epochs(from_files) == epochs(from_memory)
    for i, (path, a) in enumerate(pairs):
        got, want = (chain({"image": x}, seed=3, index=i)["image"] for x in (str(path), a))
        assert np.asarray(got).tobytes() == np.asarray(want).tobytes()


# ---- what a batch is --------------------------------------------------------------------------------------


def test_a_batch(cases):
    loader = mt.Loader(cases, None, batch_size=3)
    assert len(loader) == 3
    batches = list(loader)
    assert [len(b.index) for b in batches] == [3, 3, 1] and [b.number for b in batches] == [0, 1, 2]
    b = batches[1]
    assert set(b) == set(cases[0]) and len(b) == 5 and "image" in b and b.epoch == 0
    assert b["image"].shape == (3, 1, 20, 24, 28) and b["image"].dtype == np.float32
    assert b["label"].shape == (3, 1, 20, 24, 28) and b["label"].dtype == np.uint8
    assert b["age"].dtype == np.float64 and list(b["age"]) == [23.5, 24.5, 25.5]
    assert b["sex"].dtype == np.int64 and list(b["sex"]) == [1, 0, 1]
    assert b["name"] == ["case3", "case4", "case5"] and list(b.index) == [3, 4, 5]
    for k, i in enumerate(b.index):
        truth = nibabel.load(cases[i]["image"])
        assert np.array_equal(b["image"][k, 0], np.asarray(truth.dataobj).T)
        assert np.allclose(b.affines["image"][k], truth.affine)
    assert "epoch 0" in repr(b) and "7 items" in repr(loader)


def test_arrays_numbers_and_things_in_items(rng):
    a = rng.standard_normal((2, 5, 6, 7), dtype=np.float32)
    thing = object()
    items = [
        {
            "image": a[:, ::-1],
            "mask": a[0] > 0,
            "n": np.float32(2.5),
            "k": np.int16(3),
            "x": thing,
            "t": "a/b",
        }
    ] * 2
    (b,) = mt.Loader(items, batch_size=2)
    assert np.array_equal(b["image"][1], a[:, ::-1]) and np.array_equal(b["mask"][0, 0], a[0] > 0)
    assert (
        b["n"].tolist() == [2.5, 2.5]
        and b["k"].dtype == np.int64
        and b["x"] == [thing, thing]
        and b["t"] == ["a/b"] * 2
    )


def test_text_is_a_path_by_name_or_ending(cases):
    items = [{"t1": c["image"], "note": "x.nii", "seg": c["label"]} for c in cases[:2]]
    (b,) = mt.Loader(items, batch_size=2, texts="note")
    assert b["t1"].shape[0] == 2 and b["note"] == ["x.nii"] * 2 and b["seg"].dtype == np.uint8
    with pytest.raises(mt.NotFoundError, match="x.nii"):
        list(mt.Loader(items, batch_size=2))


def test_ragged_fields(rng):
    items = [{"image": rng.standard_normal((3 + i, 4, 5), dtype=np.float32)} for i in range(3)]
    (b,) = mt.Loader(items, batch_size=3)
    assert isinstance(b["image"], list) and [a.shape for a in b["image"]] == [
        (1, 3 + i, 4, 5) for i in range(3)
    ]
    assert all(np.array_equal(a[0], i["image"]) for a, i in zip(b["image"], items, strict=True))
    (b,) = mt.Loader(items, batch_size=3, ragged="pad", pad_value=-9)
    assert b["image"].shape == (3, 1, 5, 4, 5)
    assert np.array_equal(b["image"][0, 0, :3], items[0]["image"]) and (b["image"][0, 0, 3:] == -9).all()


# ---- order and determinism --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference(cases):
    return epochs(mt.Loader(cases, chain(), batch_size=2, shuffle=True, seed=5, threads=1, prefetch=1))


@pytest.mark.parametrize(
    "options",
    [
        {"threads": 2},
        {"threads": 4, "prefetch": 5},
        {"threads": 2, "cache_bytes": 50_000_000},
        {"threads": 3, "cache_bytes": 100_000},
    ],
    ids=str,
)
def test_bytes_depend_on_seed_epoch_and_index_only(cases, reference, options):
    assert epochs(mt.Loader(cases, chain(), batch_size=2, shuffle=True, seed=5, **options)) == reference
    assert reference[0] != reference[1]
    assert epochs(mt.Loader(cases, chain(), batch_size=2, shuffle=True, seed=6), 1)[0] != reference[0]


def test_an_index_changes_nothing(cases, reference, tmp_path):
    for _ in range(2):
        loader = mt.Loader(cases, chain(), batch_size=2, shuffle=True, seed=5, index=tmp_path / "i.index")
        assert epochs(loader) == reference
    assert (tmp_path / "i.index").exists()


def test_the_eager_chain_gives_the_same_bytes(cases):
    c = chain()
    loader = mt.Loader(cases, c, batch_size=3, shuffle=True, seed=9)
    loader.set_epoch(4)
    for batch in loader:
        for k, i in enumerate(batch.index):
            sample = c(cases[i], seed=9, epoch=4, index=int(i))
            for name in ("image", "label"):
                assert np.array_equal(sample[name], batch[name][k]), name
                assert np.allclose(sample.affines[name], batch.affines[name][k])
            assert sample["name"] == batch["name"][k] and sample["age"] == batch["age"][k]


def test_draws_explain_the_result(cases):
    c = mt.Chain([mt.RandomFlip(p=0.5, axes=(0, 1, 2))])
    image = np.asarray(nibabel.load(cases[0]["image"]).dataobj).T
    seen = set()
    for index in range(20):
        ((step),) = c.draw(seed=1, epoch=0, index=index, sample=cases[0])
        assert step["op"] in ("random_flip", "flip")
        axes = tuple(np.atleast_1d(step["drawn"]["axis"]).tolist()) if step["drawn"] else ()
        seen.add(axes)
        assert np.array_equal(c(cases[0], seed=1, index=index)["image"][0], np.flip(image, axes))
        assert c.draw(seed=1, epoch=0, index=index) == [step]
    assert len(seen) > 4


def test_shuffling_is_a_permutation_that_changes(cases):
    loader = mt.Loader([{"n": i} for i in range(101)], batch_size=10, shuffle=True, seed=1)
    orders = [[int(i) for b in loader for i in b.index] for _ in range(3)]
    assert all(sorted(o) == list(range(101)) for o in orders) and orders[0] != orders[1] != orders[2]
    plain = mt.Loader([{"n": i} for i in range(101)], batch_size=10)
    assert [int(i) for b in plain for i in b["n"]] == list(range(101))
    assert len(mt.Loader([{"n": 1}] * 101, batch_size=10, drop_last=True)) == 10


@pytest.mark.parametrize("world", [2, 3, 5])
@pytest.mark.parametrize("n", [4, 7, 30])
def test_shards_are_equally_long_and_cover_everything(n, world):
    items = [{"n": i} for i in range(n)]
    shards = [mt.Loader(items, batch_size=2, shuffle=True, seed=3, shard=(r, world)) for r in range(world)]
    assert len({len(s) for s in shards}) == 1
    for _ in range(2):
        parts = [[int(i) for b in s for i in b["n"]] for s in shards]
        assert len({len(p) for p in parts}) == 1
        assert set().union(*map(set, parts)) == set(range(n))
        assert sum(map(len, parts)) < n + world


def test_samples_per_item(cases):
    loader = mt.Loader(cases[:3], chain(), batch_size=4, samples_per_item=4, seed=2)
    batches = list(loader)
    index = [int(i) for b in batches for i in b.index]
    assert sorted(index) == list(range(12)) and len(loader) == 3
    crops = {i: np.array(b["image"][k]) for b in batches for k, i in enumerate(b.index)}
    assert not np.array_equal(crops[0], crops[1])
    assert [n for b in batches for n in b["name"]] == [f"case{i // 4}" for i in index]
    sample = chain()(cases[1], seed=2, epoch=0, index=6)
    assert np.array_equal(sample["image"], crops[6])


# ---- places -----------------------------------------------------------------------------------------------


def make(cases, **options):
    return mt.Loader(cases, chain(), batch_size=2, shuffle=True, seed=5, **options)


@pytest.mark.parametrize("stop", [0, 1, 2, 3, 4])
def test_resuming_in_mid_epoch_is_byte_identical(cases, reference, stop):
    loader, got = make(cases), []
    if stop:
        for b in loader:
            got.append(digest(b))
            if len(got) == stop:
                break
    state = json.loads(json.dumps(loader.state()))
    again = make(cases, threads=2)
    again.restore(state)
    rest = epochs(again, 1 if stop < 4 else 0)
    assert got + (rest[0] if rest else []) == reference[0]
    assert [digest(b) for b in again] == reference[1]


def test_epochs_count_up(cases, reference):
    loader = make(cases)
    assert loader.epoch == 0
    for b in loader:
        assert loader.epoch == b.epoch == 0
    assert loader.epoch == 1
    for b in loader:
        assert b.epoch == 1
        break
    assert loader.epoch == 1 and next(iter(loader)).epoch == 2
    loader.set_epoch(1)
    assert loader.epoch == 1 and epochs(loader, 1)[0] == reference[1]


def test_a_state_of_another_loader_is_refused(cases):
    state = make(cases).state()
    assert set(map(type, state.values())) <= {int, bool}
    for other in (
        mt.Loader(cases[1:], chain(), batch_size=2, shuffle=True, seed=5),
        mt.Loader(cases, chain(), batch_size=3, shuffle=True, seed=5),
        mt.Loader(cases, chain(), batch_size=2, shuffle=True, seed=6),
        mt.Loader(cases, chain(), batch_size=2, seed=5),
    ):
        with pytest.raises(ValueError, match="the state is of a loader with"):
            other.restore(state)
    with pytest.raises(ValueError, match="version"):
        make(cases).restore({})
    with pytest.raises(ValueError, match="no batch"):
        make(cases).restore({**state, "batch": 99})
    with pytest.raises(ValueError):
        make(cases).set_epoch(-1)


def test_a_second_for_ends_the_first(cases):
    loader = make(cases)
    first = iter(loader)
    next(first)
    next(iter(loader))
    with pytest.raises(RuntimeError, match="another"):
        next(first)


# ---- memory -----------------------------------------------------------------------------------------------


def test_batches_share_memory_and_are_never_overwritten_while_held(cases):
    loader = make(cases, prefetch=1)
    kept, want = [], []
    for k, b in enumerate(loader):
        array = b["image"]
        t = torch.from_dlpack(array)
        assert t.data_ptr() == np.asarray(array).ctypes.data and t.dtype == torch.float32
        kept.append([t, np.asarray(array), b][k % 3])
        want.append(t.numpy().copy())
        del array, t, b
    for _ in range(2):
        for b in loader:
            del b
    values = [k["image"] if isinstance(k, mt.Batch) else k for k in kept]
    assert all(np.array_equal(np.asarray(v), w) for v, w in zip(values, want, strict=True))


def test_memory_returns_to_the_ring(cases):
    loader = mt.Loader(cases, chain(), batch_size=1, prefetch=1, threads=1)
    addresses = set()
    for _ in range(6):
        for b in loader:
            addresses.add(np.asarray(b["image"]).ctypes.data)
            del b
    assert len(addresses) <= 6
    held = [torch.from_dlpack(b["image"]) for b in loader]
    assert len({t.data_ptr() for t in held}) == len(cases)
    assert not {t.data_ptr() for t in held} & {np.asarray(b["image"]).ctypes.data for b in loader}


def test_batches_outlive_the_loader(cases):
    loader = make(cases)
    batch = next(iter(loader))
    t, want = torch.from_dlpack(batch["image"]), np.array(batch["image"])
    loader.close()
    del loader, batch
    gc.collect()
    assert np.array_equal(t.numpy(), want)


def test_numbers_do_not_hold_the_batch(cases):
    loader = make(cases)
    ages = [b["age"] for b in loader]
    assert sorted(np.concatenate(ages)) == [20.5 + i for i in range(7)]


def test_closed(cases):
    with make(cases) as loader:
        next(iter(loader))
    with pytest.raises(RuntimeError, match="closed"):
        next(iter(loader))


def test_stats(cases):
    loader = make(cases, cache_bytes=50_000_000)
    epochs(loader)
    s = loader.stats()
    assert s["samples"] == 14 and s["skipped"] == 0 and s["cache_hits"] > 0 and s["cache_bytes"] > 0
    assert s["bytes_delivered"] >= 14 * np.prod(CROP) * 5 and s["bound_bytes"] > 0
    assert all(s[k] >= 0 for k in ("read", "inflate", "decode", "geometry", "intensity", "apply", "wait"))


# ---- bad items --------------------------------------------------------------------------------------------


@pytest.fixture
def with_bad(cases, tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"\x1f\x8b nonsense")
    return [*cases[:3], {**cases[3], "image": str(bad)}, *cases[4:]]


def test_a_bad_item_stops_the_epoch_with_its_name(with_bad):
    loader = mt.Loader(with_bad, chain(), batch_size=1)
    got = []
    with pytest.raises(mt.Error, match="bad.nii.gz"):
        for b in loader:
            got.append(int(b.index[0]))
    assert got == [0, 1, 2]


def test_a_bad_item_is_skipped_and_counted(with_bad):
    loader = mt.Loader(with_bad, chain(), batch_size=2, on_error="skip")
    assert sorted(int(i) for b in loader for i in b.index) == [0, 1, 2, 4, 5, 6]
    s = loader.stats()
    assert s["skipped"] == 1 and "bad.nii.gz" in s["last_skip"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": "2"}, TypeError, "int"),
        ({"threads": -1}, ValueError, "threads"),
        ({"prefetch": 0}, ValueError, "prefetch"),
        ({"shard": (2, 2)}, ValueError, "shard"),
        ({"samples_per_item": 0}, ValueError, "samples_per_item"),
        ({"on_error": "ignore"}, ValueError, "on_error"),
        ({"ragged": "crop"}, ValueError, "ragged"),
        ({"device": "cuda"}, NotImplementedError, "cuda"),
        ({"cache_bytes": -1}, (ValueError, OverflowError), "negative|cache"),
    ],
    ids=str,
)
def test_options_are_checked(cases, options, error, says):
    with pytest.raises(error, match=says):
        mt.Loader(cases, **options)


def test_items_are_checked(cases):
    with pytest.raises(ValueError, match="item 1 has the fields"):
        mt.Loader([{"a": 1}, {"b": 1}])
    with pytest.raises(TypeError, match="dict"):
        mt.Loader(["a.nii"])
    with pytest.raises(TypeError, match="texts"):
        mt.Loader([{1: 2}])
    assert list(mt.Loader([])) == []


# ---- Python functions -------------------------------------------------------------------------------------


def test_apply(cases):
    seen = []

    def double(a):
        seen.append((a.shape, a.dtype, threading.get_ident()))
        a *= 2
        return a

    plain = [digest(b) for b in mt.Loader(cases, [mt.Scale("image")], batch_size=2)]
    doubled = mt.Loader(cases, [mt.Scale("image"), mt.Apply(double, "image")], batch_size=2, threads=2)
    for b, _ in zip(doubled, plain, strict=True):
        assert np.isclose(np.asarray(b["image"]).max(), 2)
    assert {s[0] for s in seen} == {(1, 20, 24, 28)} and {s[1] for s in seen} == {np.dtype("float32")}
    assert threading.get_ident() not in {s[2] for s in seen}


def test_apply_may_change_shape_and_keep_its_input(cases):
    kept = []

    def halve(a):
        kept.append(a)
        return a[:, ::2, ::-2, 3:10]

    images = [np.asarray(nibabel.load(c["image"]).dataobj).T for c in cases]
    for b in mt.Loader(cases, [mt.Apply(halve, "image")], batch_size=1):
        assert np.array_equal(b["image"][0, 0], images[b.index[0]][::2, ::-2, 3:10])
    assert all(any(np.array_equal(k[0], i) for k in kept) for i in images)


@pytest.mark.parametrize(
    ("fn", "says", "cause"),
    [
        (lambda a: 1 / 0, "ZeroDivisionError: division by zero", ZeroDivisionError),
        (lambda a: None, "None", mt.InvalidError),
        (lambda a: a[0], "3 axes", mt.InvalidError),
        (lambda a: a.astype(complex), "real floats", mt.InvalidError),
    ],
)
def test_what_apply_raises_is_the_cause(cases, fn, says, cause):
    with pytest.raises(mt.Error, match=says) as info:
        list(mt.Loader(cases, [mt.Apply(fn, "image")], threads=2))
    assert isinstance(info.value.__cause__, cause)
    with pytest.raises(mt.Error, match=says):
        mt.Chain([mt.Apply(fn, "image")])(cases[0])
    loader = mt.Loader(cases, [mt.Apply(fn, "image")], on_error="skip")
    assert list(loader) == [] and loader.stats()["skipped"] == 7


def test_a_cycle_through_a_function_is_collected(cases):
    class Trainer:
        def __init__(self):
            self.loader = mt.Loader(cases, [mt.Apply(self.change, "image")], threads=2, prefetch=2)

        def change(self, a):
            return a + 1

    trainer = Trainer()
    next(iter(trainer.loader))
    gone = weakref.ref(trainer)
    del trainer
    gc.collect()
    assert gone() is None


COLLECT = """
import gc, threading, time, weakref, numpy as np, microtome as mt
go, calls = threading.Event(), []
def collect(a):
    calls.append(1)
    if len(calls) > 1:
        go.wait(20)
        gc.collect()
    return a
gc.disable()
box = [mt.Loader([{"image": np.zeros((4, 4, 4), "f4")}] * 8, [mt.Apply(collect, "image")], threads=1)]
box.append(box)
next(iter(box[0]))
gone = weakref.ref(box[0])
del box
go.set()
end = time.monotonic() + 20
while gone() is not None and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.1)
print(gone() is None, len(calls))
"""


def test_a_worker_may_collect_its_own_loader():
    done = subprocess.run(
        [sys.executable, "-c", COLLECT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and done.stdout.startswith("True"), done.stderr


# ---- processes --------------------------------------------------------------------------------------------

CTRL_C = """
import sys, time, numpy as np, microtome as mt
def slow(a):
    time.sleep(30)
    return a
loader = mt.Loader([{"image": np.zeros((4, 4, 4), "f4")}] * 4, [mt.Apply(slow, "image")], threads=1)
print("ready", flush=True)
try:
    next(iter(loader))
except KeyboardInterrupt:
    print("interrupted", flush=True)
    import os
    os._exit(0)
"""


def test_ctrl_c():
    with subprocess.Popen([sys.executable, "-c", CTRL_C], stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout.readline() == "ready\n"
        time.sleep(0.5)
        p.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert p.stdout.readline() == "interrupted\n"
        assert p.wait(20) == 0 and time.monotonic() - began < 20


def test_exit_with_a_loader_alive(cases):
    code = f"""
import microtome as mt
loader = mt.Loader({cases!r}, [mt.Apply(lambda a: a + 1, "image"), mt.RandomFlip()], batch_size=2, threads=3, prefetch=4)
it = iter(loader); next(it)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 and done.stderr == ""


def _child(loader, queue):
    queue.put([digest(b) for b in loader])


def test_a_forked_child_makes_its_own_workers(cases, reference):
    loader = make(cases)
    next(iter(loader))
    loader.set_epoch(0)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(loader, queue))
    child.start()
    assert queue.get(timeout=60) == reference[0]
    child.join(30)
    assert child.exitcode == 0
    assert epochs(loader, 1)[0] == reference[0]


# ---- PyTorch ----------------------------------------------------------------------------------------------


def test_torch_dataset(cases, reference):
    ds = mt.torch.IterableDataset(cases, chain(), batch_size=2, shuffle=True, seed=5)
    assert len(ds) == 4
    loader = torch.utils.data.DataLoader(ds, batch_size=None)
    plain = make(cases)
    for _ in range(2):
        for t, b in zip(loader, plain, strict=True):
            assert isinstance(t["image"], torch.Tensor) and np.array_equal(
                t["image"].numpy(), np.asarray(b["image"])
            )
            assert t["name"] == b["name"]
            assert torch.equal(torch.as_tensor(t["age"]), torch.as_tensor(b["age"]))


def test_torch_worker_processes_split_the_shard(cases):
    ds = mt.torch.IterableDataset(
        [{**c, "n": i} for i, c in enumerate(cases[:6])], chain(), shard=(0, 1), threads=1
    )
    loader = torch.utils.data.DataLoader(ds, batch_size=None, num_workers=2)
    assert sorted(int(b["n"][0]) for b in loader) == list(range(6))


def test_shard_discovery(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert mt.torch.shard() == (0, 1)
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(ValueError, match="WORLD_SIZE"):
        mt.torch.shard()
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert mt.torch.shard() == (2, 4)
    items = [{"n": i} for i in range(8)]
    assert mt.torch.IterableDataset(items, shuffle=True).loader.shard == (2, 4)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="RANK"):
        mt.torch.shard()


def test_shard_of_torch_distributed(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "7")
    monkeypatch.setenv("WORLD_SIZE", "9")
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert mt.torch.shard() == (0, 1)
    finally:
        torch.distributed.destroy_process_group()


def test_labels_stay_labels(tmp_path, rng):
    label = rng.integers(0, 9, (12, 12, 12), dtype=np.int16)
    image = rng.standard_normal((12, 12, 12), dtype=np.float32)
    item = {"image": save_nifti(tmp_path / "i.nii", image), "roi": save_nifti(tmp_path / "r.nii", label)}
    ops = [mt.RandomAffine(degrees=(-20, 20), scale=(0.8, 1.2)), mt.RandomGaussianNoise(sigma=(1, 2))]
    as_label = mt.Chain(ops, labels=("roi",))(item, seed=1)["roi"]
    assert as_label.dtype == np.int16 and set(np.unique(as_label)) <= set(np.unique(label))
    as_image = mt.Chain(ops, labels=())(item, seed=1)["roi"]
    assert as_image.dtype == np.float32


PADS = {
    "edge": "edge",
    "reflect": "symmetric",
    "mirror": "reflect",
    "wrap": "wrap",
    "constant": "constant",
}


@pytest.mark.parametrize("border", PADS)
def test_a_balanced_crop_fills_what_is_missing(rng, border):
    """Short axes are padded around the middle, long ones cropped around the voxel that was drawn."""
    image, label = rng.normal(size=(4, 24, 5)).astype(np.float32), np.zeros((4, 24, 5), np.uint8)
    label[1, 20, 2] = 1
    sample = {"image": image, "label": label}
    crop = {"size": (7, 6, 8), "classes": (1,)}
    with pytest.raises(mt.InvalidError, match="fewer than the crop's 7"):
        mt.Chain([mt.RandomBalancedCrop("label", **crop)])(sample)
    chain = mt.Chain([mt.RandomBalancedCrop("label", **crop, pad=border, value=3)])
    fill = {"constant_values": 3} if border == "constant" else {}
    batch = next(iter(mt.Loader([sample], chain, batch_size=1)))
    for name, a in sample.items():
        expected = np.pad(a, ((1, 2), (0, 0), (1, 2)), PADS[border], **fill)[:, 17:23]
        np.testing.assert_array_equal(chain(sample)[name][0], expected)
        np.testing.assert_array_equal(np.asarray(batch[name])[0, 0], expected)
    drawn = chain.draw(sample=sample)[0]["drawn"]
    assert drawn["start"] == [-1, 17, -1] and drawn["size"] == [7, 6, 8] and drawn["border"] == border


def test_a_balanced_crop_draws_the_class_first(rng):
    """Each class as often, whatever its size; the background is one; the box is shifted inside."""
    label = np.zeros((20, 24, 28), np.uint8)
    label[0, 0, 0], label[19, 23, 27], label[10, 11, 12] = 1, 2, 3
    sample = {"image": label.astype(np.float32), "label": label}

    def starts(**options):
        chain = mt.Chain([mt.RandomBalancedCrop("label", (5, 6, 7), **options)])
        drawn = [tuple(chain.draw(index=i, sample=sample)[0]["drawn"]["start"]) for i in range(800)]
        return [drawn.count(at) for at in ((0, 0, 0), (15, 18, 21), (8, 8, 9))]

    assert all(150 < n < 250 for n in starts())
    assert all(220 < n < 315 for n in starts(classes=(1, 2, 3)))
    first, second, third = starts(classes=(1, 2, 3), weights=(1, 0, 3))
    assert second == 0 and first + third == 800 and 150 < first < 250


@pytest.mark.parametrize(
    "op, says",
    [
        (lambda: mt.RandomGaussianNoise(sigma=(3, 1), p=1), "sigma"),
        (lambda: mt.RandomGaussianNoise(sigma=(), p=1), "sigma"),
        (lambda: mt.RandomBlur(sigma=(), p=1), "sigma"),
        (lambda: mt.RandomBlur(sigma=(1, 2, 3), p=1), "sigma"),
        (lambda: mt.RandomGamma(gamma=(2, 1), p=1), "gamma"),
        (lambda: mt.RandomShift(offset=(2, 1), p=1), "offset"),
        (lambda: mt.RandomAffine(degrees=(1, 2, 3)), "degrees"),
        (lambda: mt.RandomAffine(scale=(-1, 1)), "scale"),
        (lambda: mt.RandomZoom(scale=(2, 1), p=1), "scale"),
    ],
)
def test_ranges_are_checked_when_the_chain_is_written(op, says):
    with pytest.raises(mt.InvalidError, match=says):
        op()


def test_random_zoom_enlarges_about_the_middle(rng):
    a = rng.normal(size=(9, 10, 11)).astype(np.float32)
    zoomed = mt.Chain([mt.RandomZoom(scale=(2, 2), p=1)])({"image": a})["image"][0]
    back = np.array([[0.5, 0, 0, 11 / 4], [0, 0.5, 0, 10 / 4], [0, 0, 0.5, 9 / 4]])
    np.testing.assert_array_equal(zoomed, mt.ops.affine(a, back))
    chain = mt.Chain([mt.RandomZoom(scale=(0.7, 1.4), p=1)])
    drawn = [1 / chain.draw(index=i)[0]["drawn"]["matrix"][0] for i in range(500)]
    assert 0.7 <= min(drawn) < 0.71 and 1.39 < max(drawn) <= 1.4
