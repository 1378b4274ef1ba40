"""Arrays across the border: any strides, dtypes and byte orders in; shared memory, DLPack and ownership out.
SPDX-License-Identifier: Apache-2.0
"""

import gc
import sys
import threading
import weakref

import microtome as mt
import numpy as np
import pytest
import torch

DTYPES = [
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
    "bool",
]


def holder(a):
    """The mt.Array that a NumPy array from the library shares its memory with."""
    while not isinstance(a, mt.Array):
        a = a.obj if isinstance(a, memoryview) else a.base
    return a


def random_array(rng, dtype, shape=(5, 6, 7)):
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("float"):
        return rng.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_there_and_back(rng, dtype):
    a = random_array(rng, dtype)
    b = mt.ops.flip(a, axis=1)
    assert b.dtype == np.dtype(dtype) and np.array_equal(b, a[:, ::-1])
    assert holder(b).dtype == np.dtype(dtype)


STRIDED = {
    "fortran": lambda a: np.asfortranarray(a),
    "reversed": lambda a: a[::-1, :, ::-1],
    "stepped": lambda a: np.repeat(np.repeat(a, 2, 0), 3, 2)[::2, :, ::3],
    "transposed": lambda a: np.ascontiguousarray(a.transpose(2, 0, 1)).transpose(1, 2, 0),
    "broadcast": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), np.uint8)[1:].view(a.dtype).reshape(a.shape),
    "packed": lambda a: np.rec.fromarrays([np.zeros(a.shape, "u1"), a], names="p,v")["v"],
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("kind", STRIDED)
@pytest.mark.parametrize("dtype", ["float32", "int16", "uint8"])
def test_any_strides(rng, kind, dtype):
    a = STRIDED[kind](random_array(rng, dtype))
    same = np.ascontiguousarray(a)
    assert np.array_equal(mt.ops.rot90(a, k=1, axes=(0, 2)), np.rot90(same, 1, (0, 2)))
    assert np.array_equal(mt.ops.shift(a, 2.5), mt.ops.shift(same, 2.5))


@pytest.mark.parametrize("dtype", [">f4", ">i2", ">u8", ">f8"])
def test_foreign_byte_order_is_converted(rng, dtype):
    a = random_array(rng, np.dtype(dtype).newbyteorder("=").name)
    big = a.astype(dtype)
    assert np.array_equal(mt.ops.flip(big, axis=0), a[::-1])
    with pytest.raises(ValueError, match="byte order"):
        mt.ops.flip(a, axis=0, out=big)


def test_inputs_of_other_kinds(volume):
    want = mt.ops.scale(volume)
    assert np.array_equal(mt.ops.scale(torch.from_numpy(volume)), want)
    assert np.array_equal(mt.ops.scale(memoryview(volume)), want)
    assert np.array_equal(mt.ops.scale(volume.tolist(), dtype="float32"), want)


def test_a_result_shares_memory_with_its_array_and_outlives_it(volume):
    b = mt.ops.scale(volume)
    array = holder(b)
    assert b.flags.writeable and b.ctypes.data == np.asarray(array).ctypes.data
    assert b.ctypes.data % 64 == 0
    assert (array.shape, array.strides, array.ndim) == (b.shape, b.strides, 3)
    assert (array.nbytes, array.size, len(array)) == (b.nbytes, b.size, len(b))
    n = sys.getrefcount(array)
    views = [np.asarray(array) for _ in range(3)]
    assert sys.getrefcount(array) == n + 3
    want = b.copy()
    del b, views, array
    gc.collect()
    again = mt.ops.scale(volume)
    assert np.array_equal(again, want)


def test_memory_comes_back_only_when_the_last_holder_is_gone():
    big = np.arange(600_000, dtype=np.float32).reshape(60, 100, 100)
    first = mt.ops.shift(big, 1)
    address, want = first.ctypes.data, first.copy()
    tensor = torch.from_dlpack(holder(first))
    del first
    second = mt.ops.shift(big, 2)
    assert second.ctypes.data != address and np.array_equal(tensor.numpy(), want)
    del tensor
    third = mt.ops.shift(big, 3)
    assert third.ctypes.data == address


def test_dlpack_shares_memory_both_ways(volume):
    b = mt.ops.scale(volume)
    array = holder(b)
    assert array.__dlpack_device__() == (1, 0)
    t, n = torch.from_dlpack(array), np.from_dlpack(array)
    b[1, 2, 3] = 42
    assert t[1, 2, 3] == 42 and n[1, 2, 3] == 42
    assert t.data_ptr() == b.ctypes.data and t.shape == b.shape and t.dtype == torch.float32
    copy = np.from_dlpack(array, copy=True)
    b[1, 2, 3] = 7
    assert copy[1, 2, 3] == 42 and n[1, 2, 3] == 7


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float16", "float64", "bool"])
def test_dlpack_dtypes(rng, dtype):
    b = mt.ops.flip(random_array(rng, dtype), axis=0)
    assert np.array_equal(torch.from_dlpack(holder(b)).numpy(), b)


def test_an_unused_capsule_frees_its_reference(volume):
    array = holder(mt.ops.scale(volume))
    for version in (None, (1, 0)):
        capsule = array.__dlpack__(max_version=version)
        assert ("versioned" in repr(capsule)) == (version is not None)
        del capsule
    with pytest.raises(BufferError, match="CPU"):
        array.__dlpack__(dl_device=(2, 0))
    with pytest.raises(BufferError, match="CPU"):
        array.__dlpack__(stream=1)


def test_tensors_may_be_freed_on_another_thread(volume):
    tensors = [torch.from_dlpack(holder(mt.ops.scale(volume))) for _ in range(20)]
    thread = threading.Thread(target=tensors.clear)
    thread.start()
    thread.join()
    assert not tensors


def test_array_protocol(volume):
    b = mt.ops.scale(volume)
    array = holder(b)
    assert np.asarray(array, dtype=np.float64).dtype == np.float64
    assert array.__array__().ctypes.data == b.ctypes.data
    assert array.__array__(copy=True).ctypes.data != b.ctypes.data
    with pytest.raises(ValueError, match="copy"):
        array.__array__("float64", copy=False)
    assert np.array_equal(array[1:3, ::-1], b[1:3, ::-1])
    array[0] = 5
    assert (b[0] == 5).all()
    assert repr(array) == "<microtome.Array (13, 17, 11) float32>"
    assert bytes(memoryview(array)) == b.tobytes()
    with pytest.raises(TypeError):
        mt.Array()


@pytest.mark.parametrize("order", ["C", "F"])
def test_out_is_filled_and_returned(volume, order):
    out = np.empty(volume.shape, np.float32, order=order)
    assert mt.ops.scale(volume, out=out) is out
    assert np.array_equal(out, mt.ops.scale(volume))
    wide = np.zeros((*volume.shape[:2], 3 * volume.shape[2]), np.float64)
    mt.ops.scale(volume, out=wide[:, :, ::-3])
    assert (
        np.array_equal(wide[:, :, ::-3].astype(np.float32), mt.ops.scale(volume)) and not wide[:, :, 0].any()
    )


def test_out_may_share_memory_with_the_input(volume):
    want = mt.ops.flip(volume, axis=(0, 2))
    a = volume.copy()
    assert mt.ops.flip(a, axis=(0, 2), out=a) is a
    assert np.array_equal(a, want)
    both = np.stack([volume, volume])
    mt.ops.shift(both[0], 1, out=both[0, ::-1])
    assert np.array_equal(both[0, ::-1], mt.ops.shift(volume, 1)) and np.array_equal(both[1], volume)


def test_out_must_be_writable(volume):
    out = np.empty_like(volume)
    out.flags.writeable = False
    for bad in (out, b"0" * out.nbytes, out.tolist()):
        with pytest.raises(ValueError, match="writable"):
            mt.ops.scale(volume, out=bad)


def test_results_do_not_depend_on_threads(rng):
    a = rng.standard_normal((40, 50, 60), dtype=np.float32)
    before = mt.get_threads()
    try:
        results = []
        for n in (1, 2, 5):
            mt.set_threads(n)
            assert mt.get_threads() == n
            results.append(
                (
                    mt.ops.normalize(a),
                    mt.ops.gaussian_noise(a, 0.5, seed=3),
                    mt.ops.affine(a, np.diag([0.9, 0.9, 0.9, 1])),
                )
            )
    finally:
        mt.set_threads(0)
    assert mt.get_threads() >= 1 and before >= 1
    for other in results[1:]:
        assert all(np.array_equal(x, y) for x, y in zip(results[0], other, strict=True))


def test_many_python_threads_at_once(rng):
    a = rng.standard_normal((30, 40, 50), dtype=np.float32)
    want, wrong = mt.ops.normalize(a), []

    def work():
        for _ in range(10):
            if not np.array_equal(mt.ops.normalize(a), want):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_arguments_are_released(volume):
    class Watched(np.ndarray):
        pass

    a = volume.view(Watched)
    gone = weakref.ref(a)
    mt.ops.scale(a)
    with pytest.raises(ValueError):
        mt.ops.normalize(a, mask=a[0])
    del a
    gc.collect()
    assert gone() is None
