"""The package: import time and weight, signatures, docstrings, stubs; images by box, slices and axes; writing and converting.
SPDX-License-Identifier: Apache-2.0
"""

import inspect
import os
import pickle
import subprocess
import sys
import time

import microtome as mt
import nibabel
import numpy as np
import pytest
from conftest import AFFINE, save_nifti


def python(code, **env):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=120,
        check=False,
    )


def test_import_brings_neither_torch_nor_numpy():
    done = python(
        "import sys, microtome; print([m for m in ('torch', 'numpy', 'csv', 'tqdm', 'microtome.dicom') if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_lazy_modules():
    done = python("import microtome as mt; print(mt.items.__name__, mt.torch.__name__, 'torch' in dir(mt))")
    assert done.stdout.split() == ["microtome.items", "microtome.torch", "True"], done.stderr
    with pytest.raises(AttributeError, match="nonsense"):
        mt.nonsense  # noqa: B018


def test_every_public_name_exists_and_is_documented():
    for name in mt.__all__:
        value = getattr(mt, name)
        assert inspect.getdoc(value), name
        if inspect.isclass(value) and value.__module__.startswith("microtome"):
            for method, f in vars(value).items():
                if not method.startswith("_") and callable(f):
                    assert inspect.getdoc(f), f"{name}.{method}"
    assert mt.__version__.count(".") == 2


def test_every_name_of_dicom_is_documented():
    for name in mt.dicom.__all__:
        value = getattr(mt.dicom, name)
        assert inspect.getdoc(value), name
        if not inspect.isclass(value):
            continue
        for method, f in vars(value).items():
            if not method.startswith("_") and inspect.isfunction(f):
                assert inspect.getdoc(f), f"{name}.{method}"


def test_operators_have_signatures_and_docs():
    assert {"scale", "normalize", "affine", "flip", "spacing", "orient"} <= set(mt.ops.__all__)
    more = {"object_boxes", "random_object_bbox"}  # give no array of voxels
    for name in mt.ops.__all__:
        f = getattr(mt.ops, name)
        sig = inspect.signature(f)
        assert list(sig.parameters)[0] in ("array", "label") and ("out" in sig.parameters or name in more)
        for p in sig.parameters:
            assert f"{p}:" in f.__doc__, (name, p)
    assert str(inspect.signature(mt.ops.flip)).startswith("(array, axis, *, channels=False")
    assert list(inspect.signature(mt.ops.rotate).parameters)[:3] == ["array", "axis", "degrees"]
    assert list(inspect.signature(mt.ops.orient).parameters)[:3] == ["array", "affine", "to"]
    assert list(inspect.signature(mt.ops.spacing).parameters)[:3] == ["array", "spacing", "to"]
    assert not [n for n in mt.ops.__all__ if n.startswith("random_") and n not in more]


def test_chain_classes():
    assert repr(mt.RandomFlip("image", p=0.5)) == "RandomFlip('image', p=0.5)"
    assert mt.Normalize("image", "other", nonzero=True).fields == ("image", "other")
    assert mt.Orient("RAS").params == {"to": "RAS"} and mt.Orient("image").fields == ("image",)
    assert mt.Rotate((0, 0, 1), 20).params == {"axis": (0, 0, 1), "degrees": 20}
    chain = pickle.loads(pickle.dumps(mt.Chain([mt.Scale(), mt.RandomFlip(p=0.1)], labels=("roi",))))
    assert chain.labels == ("roi",) and repr(chain.ops[1]) == "RandomFlip(p=0.1)" and len(chain) == 2
    with pytest.raises(TypeError, match="base"):
        mt.Operator()


def test_a_long_call_lets_other_threads_run(rng):
    code = """
import threading, time, numpy as np, microtome as mt
a = np.ones((200, 256, 256), np.float32)
mt.set_threads(1)
n, stop = [0], [False]
def count():
    while not stop[0]:
        n[0] += 1; time.sleep(0.0005)
t = threading.Thread(target=count); t.start()
for _ in range(20):
    mt.ops.gaussian_noise(a, 1.0)
stop[0] = True; t.join(); print(n[0])
"""
    done = python(code)
    assert int(done.stdout) > 20, done.stderr


def test_fork_makes_threads_anew(volume):
    want = mt.ops.normalize(volume)
    pid = os.fork()
    if pid == 0:
        ok = False
        try:
            ok = np.array_equal(mt.ops.normalize(volume), want) and mt.get_threads() >= 1
        finally:
            os._exit(0 if ok else 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        time.sleep(0.02)
    else:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        pytest.fail("the child hangs")
    assert status == 0
    assert np.array_equal(mt.ops.normalize(volume), want)


# ---- images -----------------------------------------------------------------------------------------------


@pytest.fixture
def nifti(tmp_path, rng):
    a = rng.integers(-500, 500, (9, 11, 13), dtype=np.int16)
    return save_nifti(tmp_path / "v.nii.gz", a), a


def test_what_an_image_says(nifti):
    path, a = nifti
    im = mt.open(path)
    assert (im.shape, im.ndim, im.axes, im.dtype, im.stored_dtype) == (a.shape, 3, "ZYX", a.dtype, a.dtype)
    assert np.allclose(im.affine, AFFINE) and im.mpp is None and im.channels == 1 and im.codec == "gzip"
    assert np.allclose(im.spacing, np.linalg.norm(AFFINE[:3, :3], axis=0)[::-1])
    (level,) = im.levels
    assert level == a.shape == level.shape and level.downsample == 1 and level.mpp is None
    assert im.properties["nifti.sform_code"] == "2" and im.problems == []
    assert path in repr(im) and len(im) == 9
    assert pickle.loads(pickle.dumps(im)).shape == im.shape


def test_reading(nifti):
    path, a = nifti
    im = mt.open(path)
    assert np.array_equal(im.read(), a) and np.array_equal(np.asarray(im), a)
    assert np.array_equal(im.read(((2, 5), (None, 4), (1, None))), a[2:5, :4, 1:])
    assert np.array_equal(im.read(((2, 5),)), a[2:5])
    xyz = im.read(axes="XYZ")
    assert np.array_equal(xyz, a.T) and xyz.strides == im.read().strides[::-1]
    out = np.zeros(a.shape[::-1], np.float64)
    assert im.read(axes="XYZ", out=out) is out and np.array_equal(out, a.T)
    assert im.read(dtype=np.float32).dtype == np.float32
    assert im.read(((3, 3),)).shape == (0, 11, 13)


KEYS = [
    np.s_[3],
    np.s_[-1, 2:5],
    np.s_[..., 4],
    np.s_[::2, ::-1, 1:12:3],
    np.s_[8:2:-2],
    np.s_[5:5],
    np.s_[...],
    np.s_[2, 3, 4],
    np.s_[:, -3:, np.int64(2)],
    np.s_[100:],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_slicing_is_numpys(nifti, key):
    path, a = nifti
    got = mt.open(path)[key]
    assert got.shape == a[key].shape and np.array_equal(got, a[key])


@pytest.mark.parametrize("key", [9, (0, 0, 0, 0), np.s_[..., ...], None, -10])
def test_slicing_errors(nifti, key):
    with pytest.raises(IndexError):
        mt.open(nifti[0])[key]


@pytest.mark.parametrize(
    "options",
    [
        {"box": ((0, 10),)},
        {"box": ((5, 4),)},
        {"box": ((-1, 4),)},
        {"box": ((0, 1),) * 4},
        {"box": (1, 2)},
        {"box": ((0.5, 2),)},
        {"level": 1},
        {"level": -1},
        {"axes": "XY"},
        {"axes": "XYC"},
        {"dtype": "complex64"},
        {"out": np.zeros((2, 2), np.int16)},
    ],
    ids=str,
)
def test_reading_errors_leave_the_handle_good(nifti, options):
    path, a = nifti
    im = mt.open(path)
    with pytest.raises(ValueError):
        im.read(**options)
    assert np.array_equal(im.read(), a)


def test_statistics_and_labels(tmp_path, nifti, rng):
    path, a = nifti
    s = mt.open(path).stats()
    assert (s["min"], s["max"], s["count"], s["non_finite"]) == (a.min(), a.max(), a.size, 0)
    assert np.isclose(s["mean"], a.mean()) and np.isclose(s["std"], a.std())
    labels = rng.integers(0, 5, (6, 7, 8), dtype=np.uint8)
    im = mt.open(save_nifti(tmp_path / "l.nii", labels), index=tmp_path / "x.index")
    values, counts = np.unique(labels, return_counts=True)
    assert im.labels() == dict(zip(values.tolist(), counts.tolist(), strict=True)) == im.labels()


def test_scaled_values_and_raw(tmp_path, rng):
    a = rng.integers(0, 4000, (5, 6, 7), dtype=np.int16)
    image = nibabel.Nifti1Image(a.T, AFFINE)
    image.header.set_slope_inter(0.5, -1000)
    nibabel.save(image, tmp_path / "ct.nii")
    im = mt.open(tmp_path / "ct.nii")
    stored = np.asarray(nibabel.load(tmp_path / "ct.nii").dataobj.get_unscaled()).T
    assert im.dtype == np.float32 and (im.slope, im.inter) == (0.5, -1000)
    assert np.array_equal(im.read(raw=True), stored)
    assert np.allclose(im.read(), stored * 0.5 - 1000)
    mt.convert(im, tmp_path / "copy.nii.gz")
    copy = nibabel.load(tmp_path / "copy.nii.gz")
    assert np.array_equal(copy.dataobj.get_unscaled().T, stored) and copy.dataobj.slope == 0.5


def test_writing_round_trip(tmp_path, volume):
    for name in ("a.nii", "a.nii.gz"):
        mt.write(tmp_path / name, volume[:, ::-1], affine=AFFINE)
        back = nibabel.load(tmp_path / name)
        assert np.array_equal(np.asarray(back.dataobj).T, volume[:, ::-1]) and np.allclose(
            back.affine, AFFINE
        )
    mt.write(tmp_path / "a.npy", volume)
    assert np.array_equal(np.load(tmp_path / "a.npy"), volume)
    with pytest.raises(mt.UnsupportedError):
        mt.write(tmp_path / "a.xyz", volume)
    with pytest.raises(OSError):
        mt.write(tmp_path / "absent" / "a.nii", volume)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nii", "a.nii.gz", "a.npy"]


def test_convert_moves_the_affine_with_the_box(tmp_path, nifti):
    path, a = nifti
    mt.convert(path, tmp_path / "part.nii", box=((2, 8), (3, 9), (4, 13)), dtype="float32")
    ours, theirs = nibabel.load(tmp_path / "part.nii"), nibabel.load(path).slicer[4:13, 3:9, 2:8]
    assert (
        np.array_equal(np.asarray(ours.dataobj), np.asarray(theirs.dataobj))
        and ours.get_data_dtype() == np.float32
    )
    assert np.allclose(ours.affine, theirs.affine)


def test_convert_orients_as_nibabel(tmp_path, nifti):
    path, _ = nifti
    mt.open(path).write(tmp_path / "ras.nii.gz", orient="RAS")
    ours, theirs = nibabel.load(tmp_path / "ras.nii.gz"), nibabel.as_closest_canonical(nibabel.load(path))
    assert np.array_equal(np.asarray(ours.dataobj), np.asarray(theirs.dataobj)) and np.allclose(
        ours.affine, theirs.affine
    )


def test_spacing_takes_numbers_or_an_affine(volume):
    plain = mt.ops.spacing(volume, (2.5, 2, 1.5), (2, 2, 2))
    with_affine, affine = mt.ops.spacing(volume, np.diag([1.5, 2, 2.5, 1]), (2, 2, 2))
    assert np.array_equal(plain, with_affine) and np.allclose(np.diag(affine), [2, 2, 2, 1])
    with pytest.raises(ValueError, match="spacing"):
        mt.ops.spacing(volume, (1, -1, 1), 2)


def test_orient_returns_the_affine(volume):
    turned, affine = mt.ops.orient(volume, np.diag([-1.0, 2, 3, 1]), "RAS")
    assert np.array_equal(turned, volume[:, :, ::-1]) and affine.shape == (4, 4) and affine[0, 0] == 1
    assert affine[0, 3] == -(volume.shape[2] - 1)
