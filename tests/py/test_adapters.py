"""Batches in other libraries: NumPy, PyTorch, JAX and TensorFlow by DLPack. Each is tested where it is installed.
SPDX-License-Identifier: Apache-2.0
"""

import gc
import itertools

import microtome as mt
import numpy as np
import pytest


@pytest.fixture
def loader(cases):
    chain = mt.Chain([mt.RandomCrop(size=(9, 11, 13)), mt.RandomFlip(p=0.5), mt.Normalize("image")])
    return mt.Loader(cases, chain, batch_size=3, drop_last=True, shuffle=True, seed=2)


def expected(loader):
    """The first batch's arrays, copied."""
    loader.set_epoch(0)
    batch = next(iter(loader))
    return {k: np.array(batch[k]) for k in ("image", "label", "age", "sex")}


def address(a):
    return np.asarray(a).ctypes.data


def hold_while_others_come(loader, make):
    """Arrays made from one epoch's batches, while the loader goes on over another: none may change."""
    loader.set_epoch(0)
    held = [make(batch["image"]) for batch in loader]
    want = [np.array(np.asarray(a)) for a in held]
    gc.collect()
    for batch in loader:
        del batch
    for a, w in zip(held, want, strict=True):
        np.testing.assert_array_equal(np.asarray(a), w)


def test_numpy_shares_memory(loader):
    want = expected(loader)
    loader.set_epoch(0)
    batch = next(iter(loader))
    for make in (np.asarray, np.from_dlpack):
        for name in ("image", "label"):
            a = make(batch[name])
            np.testing.assert_array_equal(a, want[name])
            assert a.dtype == want[name].dtype and address(a) == address(batch[name])
    hold_while_others_come(loader, np.from_dlpack)


def test_pytorch(loader):
    torch = pytest.importorskip("torch")
    want = expected(loader)
    loader.set_epoch(0)
    batch = next(iter(loader))
    for name in ("image", "label"):
        t = torch.from_dlpack(batch[name])
        np.testing.assert_array_equal(t.numpy(), want[name])
        assert t.data_ptr() == address(batch[name])
    hold_while_others_come(loader, lambda a: torch.from_dlpack(a).numpy())


def test_jax(loader):
    jax = pytest.importorskip("jax")
    want = expected(loader)
    loader.set_epoch(0)
    batch = next(iter(loader))
    for name in ("image", "label"):
        a = jax.dlpack.from_dlpack(batch[name])
        np.testing.assert_array_equal(np.asarray(a), want[name])
        assert a.dtype == want[name].dtype
        assert a.unsafe_buffer_pointer() == address(batch[name])  # no copy
    # Used as an array of JAX, in a compiled function.
    mean = jax.jit(lambda x: x.mean())(jax.dlpack.from_dlpack(batch["image"]))
    np.testing.assert_allclose(float(mean), want["image"].mean(), atol=1e-5)
    np.testing.assert_array_equal(np.asarray(jax.numpy.asarray(batch["age"])), want["age"].astype(np.float32))
    hold_while_others_come(loader, jax.dlpack.from_dlpack)


def test_tensorflow(loader):
    tf = pytest.importorskip("tensorflow")
    want = expected(loader)
    loader.set_epoch(0)
    batch = next(iter(loader))
    for name in ("image", "label"):
        t = tf.experimental.dlpack.from_dlpack(batch[name].__dlpack__())
        np.testing.assert_array_equal(t.numpy(), want[name])
        assert t.dtype.as_numpy_dtype == want[name].dtype
    total = tf.reduce_sum(tf.experimental.dlpack.from_dlpack(batch["image"].__dlpack__()))
    np.testing.assert_allclose(float(total), want["image"].sum(dtype=np.float64), atol=0.05)
    hold_while_others_come(loader, lambda a: tf.experimental.dlpack.from_dlpack(a.__dlpack__()))


def test_tensorflow_dataset(loader):
    """tf.data over a loader: every batch once, each epoch the next one."""
    tf = pytest.importorskip("tensorflow")

    def batches():
        for batch in loader:
            yield np.asarray(batch["image"]), batch["sex"]

    signature = (tf.TensorSpec((None, 1, 9, 11, 13), tf.float32), tf.TensorSpec((None,), tf.int64))
    loader.set_epoch(0)
    got = [
        (x.numpy(), y.numpy())
        for x, y in tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)
    ]
    loader.set_epoch(0)
    for (x, y), batch in zip(got, loader, strict=True):
        assert np.array_equal(x, batch["image"]) and np.array_equal(y, batch["sex"])


def test_pytorch_dataset_under_a_consumer_that_counts(cases):
    """Lightning takes len(dataset) batches and never asks for one more; the next iteration is the next epoch all the same, and
    state_dict() tells where to go on."""
    pytest.importorskip("torch")
    chain = mt.Chain([mt.RandomCrop(size=(4, 4, 4))])
    options = {"batch_size": 2, "shuffle": True, "seed": 1}
    dataset, loader = mt.torch.IterableDataset(cases, chain, **options), mt.Loader(cases, chain, **options)
    for epoch in range(3):
        assert loader.epoch == epoch
        for tensors, batch in zip(itertools.islice(dataset, len(dataset)), loader, strict=True):
            np.testing.assert_array_equal(tensors["image"], batch["image"])
    list(itertools.islice(dataset, 1))
    again = mt.torch.IterableDataset(cases, chain, **options)
    again.load_state_dict(dataset.state_dict())
    assert dataset.state_dict()["batch"] == 1
    rest = [b["image"].numpy() for b in again]
    loader.set_epoch(3)
    for got, batch in zip(rest, itertools.islice(loader, 1, None), strict=True):
        np.testing.assert_array_equal(got, batch["image"])
