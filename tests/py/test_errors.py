"""Exceptions: their classes, what they carry, and that arguments are checked with Python's own manners.
SPDX-License-Identifier: Apache-2.0
"""

import os
import pickle

import microtome as mt
import numpy as np
import pytest

BUILT_IN = {
    mt.InvalidError: ValueError,
    mt.OutOfMemoryError: MemoryError,
    mt.InputOutputError: OSError,
    mt.CorruptError: ValueError,
    mt.UnsupportedError: NotImplementedError,
    mt.NotFoundError: FileNotFoundError,
    mt.LimitError: ValueError,
    mt.ConflictError: OSError,
    mt.AccessError: PermissionError,
    mt.DeviceError: RuntimeError,
}


@pytest.mark.parametrize("cls", BUILT_IN)
def test_each_error_is_also_the_built_in(cls):
    e = cls("a sentence")
    assert isinstance(e, mt.Error) and isinstance(e, BUILT_IN[cls])
    assert str(e) == "a sentence" and e.offset == -1 and isinstance(e.code, mt.Status)


def test_codes_are_those_of_the_c_api_and_unique():
    codes = [int(c.code) for c in (*BUILT_IN, mt.CancelledError)]
    assert sorted(codes) == list(range(-11, 0))
    assert mt.NotFoundError.code == mt.Status.NOTFOUND == -6


def test_a_missing_file(tmp_path):
    path = tmp_path / "absent.nii.gz"
    with pytest.raises(FileNotFoundError) as info:
        mt.open(path)
    e = info.value
    assert isinstance(e, mt.NotFoundError) and e.code == mt.Status.NOTFOUND and "absent" in str(e)
    again = pickle.loads(pickle.dumps(e))
    assert type(again) is type(e) and str(again) == str(e) and again.where == e.where


def test_a_corrupt_file_names_its_byte(tmp_path):
    path = tmp_path / "bad.nii"
    header = bytearray(400)
    header[0:4] = (348).to_bytes(4, "little")
    header[344:348] = b"n+1\0"
    header[40:42] = (3).to_bytes(2, "little")
    header[42:48] = b"\xff\xff" * 3
    path.write_bytes(header)
    with pytest.raises(mt.CorruptError) as info:
        mt.open(path)
    assert isinstance(info.value, ValueError)
    assert 40 <= info.value.offset <= 48 and f"(byte {info.value.offset})" in str(info.value)


def test_an_empty_file_a_folder_and_foreign_bytes(tmp_path):
    (tmp_path / "empty.nii").write_bytes(b"")
    (tmp_path / "text.nii").write_bytes(b"hello" * 200)
    for name in ("empty.nii", "text.nii", "."):
        with pytest.raises(mt.Error):
            mt.open(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = tmp_path / "secret.nii"
    path.write_bytes(b"0" * 400)
    path.chmod(0)
    with pytest.raises(PermissionError):
        mt.open(path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_file_that_changes_between_two_reads_is_a_conflict(tmp_path, name, rng):
    path = tmp_path / name
    mt.write(path, rng.integers(0, 9, (40, 50, 60), dtype=np.uint8))
    im = mt.open(path)
    im[:2]
    size = path.stat().st_size
    with path.open("r+b") as f:
        f.seek(size // 2)
        f.write(bytes(size // 4))
    os.utime(path, ns=(1, 1))
    with pytest.raises(mt.ConflictError, match="changed while it was read"):
        im.read()


def test_limits_come_before_allocation(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((50, 50, 50), np.float32))
    with pytest.raises(mt.LimitError):
        mt.open(path, max_bytes=1000).read()


A = np.zeros((4, 5, 6), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: mt.ops.scale(A, lo=2), TypeError, "'lo'"),
        (lambda: mt.ops.shift(A), TypeError, "'offset'"),
        (lambda: mt.ops.shift(A, 1, 2), TypeError, "positional"),
        (lambda: mt.ops.shift(A, 1, offset=2), TypeError, "two values"),
        (lambda: mt.ops.shift(A, "much"), ValueError, "offset"),
        (lambda: mt.ops.shift(A, {}), TypeError, "offset"),
        (lambda: mt.ops.shift(A, float("nan")), ValueError, "finite"),
        (lambda: mt.ops.clip_percentile(A, low=101), ValueError, "low must lie in 0 … 100"),
        (lambda: mt.ops.affine(A, np.eye(4), interp="best"), ValueError, "nearest"),
        (lambda: mt.ops.gaussian_noise(A, 1, seed=2**64), ValueError, "64 bits"),
        (lambda: mt.ops.scale(A, dtype="complex64"), ValueError, "complex64"),
        (lambda: mt.ops.scale(A[0, 0]), ValueError, "axes"),
        (lambda: mt.ops.scale(A[:0]), ValueError, "empty"),
        (lambda: mt.ops.scale(np.float32(3)), ValueError, "0 axes"),
        (lambda: mt.ops.scale(np.array([[object()]])), ValueError, "'O'"),
        (lambda: mt.ops.scale(A.astype(complex)), ValueError, "real floats"),
        (lambda: mt.ops.scale(A, out=A[1:]), ValueError, "shape|voxels"),
        (lambda: mt.ops.scale(A, out=[1]), ValueError, "writable"),
        (lambda: mt.RandomFlip(q=1), TypeError, "'q'"),
        (lambda: mt.RandomFlip(p=2), ValueError, "p must lie"),
        # What is wrong for every input is said when the chain is written, not in the middle of an epoch.
        (lambda: mt.RandomAffine(degrees=(1, 2, 3)), ValueError, "degrees has 3 numbers"),
        (lambda: mt.RandomAffine(degrees=(10, -10)), ValueError, "10 … -10 runs backwards"),
        (lambda: mt.RandomAffine(shear=-0.1), ValueError, "shear is -0.1; one number d stands for -d to d"),
        (lambda: mt.RandomAffine(scale=1.1), ValueError, "scale is a pair"),
        (lambda: mt.RandomAffine(scale=(0, 0)), ValueError, "scale must be above 0"),
        (lambda: mt.RandomGamma((2, 1)), ValueError, "gamma runs from 2 down to 1"),
        (lambda: mt.RandomGaussianNoise(sigma=(0.3, 0.1)), ValueError, "sigma runs from"),
        (lambda: mt.RandomBlur(sigma=(1, 2, 3)), ValueError, "not 3 numbers"),
        (lambda: mt.RandomBalancedCrop("label", 4, (1, 2), (1,)), ValueError, "1 weights for 2 classes"),
        (lambda: mt.RandomBalancedCrop("label", 4, (1, 2), (0, 0)), ValueError, "all weights are 0"),
        (lambda: mt.ClipPercentile(90, 10), ValueError, "low is 90 percent"),
        (lambda: mt.Window(center=0, width=0), ValueError, "width of at least 1"),
        (lambda: mt.Chain([lambda a: a]), TypeError, "Apply"),
        (lambda: mt.Apply(3), TypeError, "callable"),
        (lambda: mt.set_threads(-1), ValueError, "threads"),
    ],
)
def test_arguments(call, error, says):
    with pytest.raises(error, match=says):
        call()


@pytest.mark.parametrize("key", [[1, 2], 1.5, True, None, np.ones(4, bool)])
def test_images_say_what_indices_they_take(tmp_path, key):
    np.save(tmp_path / "a.npy", A)
    with pytest.raises(IndexError, match="integers, slices and one ellipsis"):
        mt.open(tmp_path / "a.npy")[key]


def test_a_field_that_the_items_do_not_have_is_refused():
    chain = mt.Chain([mt.Normalize("imgae")])
    with pytest.raises(ValueError, match="works on the field 'imgae'; the items have image, age"):
        mt.Loader([{"image": A, "age": 3}], chain)
    with pytest.raises(ValueError, match="'imgae'"):
        chain({"image": A})
    assert chain.draw(seed=0, epoch=0, index=0)[0]["op"] == "normalize"


@pytest.mark.parametrize("number", [2**53 + 2, -(2**63), 2**63, 2**2000])
def test_integers_that_would_not_stay_exact_are_refused(number):
    with pytest.raises(ValueError, match="'id': integers beyond 2.53 are not exact"):
        mt.Loader([{"image": A, "id": number}])
    (batch,) = mt.Loader([{"image": A, "id": 2**53}])
    assert batch["id"].tolist() == [2**53]


@pytest.mark.parametrize("name", ["seed", "cache_bytes"])
def test_unsigned_options_are_named(name):
    with pytest.raises(ValueError, match=f"{name} must lie in 0"):
        mt.Loader([{"image": A}], **{name: -1})


def test_one_number_is_a_symmetric_range():
    ramp = np.arange(A.size, dtype=np.float32).reshape(A.shape)
    for name, number in (("degrees", 10), ("translate", 2), ("shear", 0.2)):
        one, pair = (mt.Chain([mt.RandomAffine(**{name: v})]) for v in (number, (-number, number)))
        first, second = (chain({"image": ramp}, seed=4)["image"] for chain in (one, pair))
        assert np.array_equal(first, second) and not np.array_equal(first[0], ramp)
        assert one.draw(4, 0, 0)[0]["drawn"]["matrix"] == pair.draw(4, 0, 0)[0]["drawn"]["matrix"]
