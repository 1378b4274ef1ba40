"""Rows of reading: whole volumes, boxes, and the chain load + scale + area 96³ + rot90.

SPDX-License-Identifier: Apache-2.0
"""

import random
import tempfile
from pathlib import Path

import microtome as mt
import numpy as np
from data import mr_files, t1_path
from harness import Row
from peers import Libdeflate, igzip, medrs, monai, nib, present, sitk, tio, torch


def load_rows():
    path = t1_path()
    voxels = int(np.prod(mt.open(path).shape))
    peers = {
        "libdeflate": (True, Libdeflate(path, voxels * 8 + 4096)),
        "nibabel": (nib, lambda: nib.load(path).get_fdata(dtype=np.float32)),
        "nibabel, C order": (
            nib,
            lambda: np.ascontiguousarray(np.asarray(nib.load(path).dataobj).T, np.float32),
        ),
        "SimpleITK": (sitk, lambda: sitk.GetArrayFromImage(sitk.ReadImage(str(path), sitk.sitkFloat32))),
        "MONAI": (monai, monai and monai.transforms.LoadImage(image_only=True, dtype=np.float32)),
        "TorchIO": (tio, lambda: tio.ScalarImage(path).load()),
        "medrs": (medrs, lambda: medrs.load(str(path)).to_numpy()),
    }
    if monai:
        peers["MONAI"] = (monai, lambda t=peers["MONAI"][1]: t(str(path)))
    yield Row(
        f"load {path.name} → float32, C order",
        lambda: mt.open(path).read(dtype="float32"),
        present(peers),
        {"nibabel": 3, "SimpleITK": 2.5, "medrs": 1.7},
        at_most={"libdeflate": 1.4},
        bytes_out=voxels * 4,
        budget_s=12,
    )


def corners(shape, size, n, seed=0):
    """An endless round of n random corners."""
    rng = random.Random(seed)
    places = [tuple(rng.randint(0, m - size) for m in shape) for _ in range(n)]
    return lambda at=[0]: places[at.__setitem__(0, at[0] + 1) or at[0] % n]


def crop_rows():
    files = mr_files()
    index = Path(tempfile.mkdtemp(prefix="microtome-bench-")) / "mr.index"
    size, shape = 96, (240, 256, 256)
    images = {ending: mt.open(path, index=index) for ending, path in files.items()}
    images[".nii.gz"].read()  # the first pass records the access points

    def box(place):
        z, y, x = place()
        return (slice(z, z + size), slice(y, y + size), slice(x, x + size))

    def ours(ending):
        place, image = corners(shape, size, 16), images[ending]
        return lambda: image.read(box=tuple((s.start, s.stop) for s in box(place)), dtype="float32")

    def nib_crop(ending):
        place = corners(shape, size, 16)
        return lambda: np.ascontiguousarray(nib.load(files[ending]).dataobj[box(place)[::-1]].T, np.float32)

    def igzip_crop():
        place = corners(shape, size, 16)
        handle = igzip.IndexedGzipFile(str(files[".nii.gz"]), spacing=1 << 20)
        handle.build_full_index()
        image = nib.Nifti1Image.from_stream(handle)
        return lambda: np.ascontiguousarray(image.dataobj[box(place)[::-1]].T, np.float32)

    def sitk_crop(ending):
        place = corners(shape, size, 16)

        def call():
            reader = sitk.ImageFileReader()
            reader.SetFileName(str(files[ending]))
            reader.SetExtractIndex(list(place()[::-1]))
            reader.SetExtractSize([size] * 3)
            return sitk.GetArrayFromImage(reader.Execute()).astype(np.float32)

        return call

    def medrs_crop():
        place = corners(shape, size, 16)

        def call():
            z, y, x = place()
            return medrs.load_cropped(str(files[".nii"]), [x, y, z], [size] * 3).to_numpy()

        return call

    out = size**3 * 4
    gz = {
        "indexed_gzip": (igzip, igzip and igzip_crop()),
        "SimpleITK": (sitk, sitk_crop(".nii.gz")),
        "nibabel": (nib, nib_crop(".nii.gz")),
    }
    yield Row(
        "random 96³ crop of .nii.gz, index present",
        ours(".nii.gz"),
        present(gz),
        {"indexed_gzip": 2, "nibabel": 5},
        bytes_out=out,
        budget_s=10,
    )
    yield Row(
        "random 96³ crop of .nii.gz, index present, 2 threads",
        ours(".nii.gz"),
        {},
        threads=2,
        scales=("random 96³ crop of .nii.gz, index present", 1.8),
        bytes_out=out,
    )
    yield Row(
        "random 96³ crop of .nii",
        ours(".nii"),
        present(
            {
                "nibabel": (nib, nib_crop(".nii")),
                "SimpleITK": (sitk, sitk_crop(".nii")),
                "medrs": (medrs, medrs_crop()),
            }
        ),
        most_ms=0.6,
        bytes_out=out,
    )

    def memmap_crop():
        place = corners(shape, size, 16)
        a = np.load(files[".npy"], mmap_mode="r")
        return lambda: a[box(place)].astype(np.float32)

    yield Row(
        "random 96³ crop of C-order .npy",
        ours(".npy"),
        {"NumPy memmap": memmap_crop()},
        most_ms=0.15,
        bytes_out=out,
    )


def held_rows():
    """Crops of a gzipped volume that stays in memory, medrs's own ground: 16 crops a call."""
    if medrs is None:
        return
    path, n, size = str(mr_files()[".nii.gz"]), 16, 96
    chain = mt.Chain([mt.RandomCrop(size=(size, size, size))])
    loader = mt.Loader([{"image": path}], chain, threads=1, cache_bytes=1 << 30, samples_per_item=n)

    def theirs():
        return [medrs.load_cached(path).crop_or_pad([size] * 3).to_numpy() for _ in range(n)]

    yield Row(
        "16 crops 96³ of a .nii.gz held in memory",
        lambda: sum(len(batch.index) for batch in loader),
        {"medrs": theirs},
        {"medrs": 1},
        bytes_out=n * size**3 * 2,
        note="int16; medrs: the middle, as float32",
    )


def resample_rows():
    """medrs's own ground: a whole volume to 1.5 mm."""
    path = t1_path()
    if medrs is None:
        return
    image = medrs.load(str(path))
    volume = mt.open(path)
    a, affine = volume.read(dtype="float32"), volume.affine
    yield Row(
        "spacing to 1.5 mm, linear",
        lambda: mt.ops.spacing(a, spacing=affine, to=(1.5, 1.5, 1.5)),
        {"medrs": lambda: medrs.resample(image, (1.5, 1.5, 1.5))},
        {"medrs": 1},
    )


def chain_rows():
    path = str(t1_path())
    chain = mt.Chain(
        [mt.Scale("image"), mt.Resize(size=(96, 96, 96), interp="area"), mt.RandomRot90(p=0.1, axes=(1, 2))]
    )
    sample = {"image": path}
    count = iter(range(1 << 30))
    peers = {}
    if monai:
        t = monai.transforms
        compose = t.Compose(
            [
                t.LoadImage(image_only=True),
                t.ScaleIntensity(),
                t.EnsureChannelFirst(),
                t.Resize((96, 96, 96), mode="area"),
                t.RandRotate90(prob=0.1, spatial_axes=(0, 1)),
            ]
        )
        peers["MONAI"] = lambda: compose(path)
    if sitk and torch:

        def by_hand():
            a = torch.from_numpy(sitk.GetArrayFromImage(sitk.ReadImage(path, sitk.sitkFloat32)))
            a = (a - a.min()) / (a.max() - a.min())
            return torch.nn.functional.adaptive_avg_pool3d(a[None], 96)

        peers["by hand (SimpleITK + torch)"] = by_hand
    yield Row(
        "load + scale + area 96³ + rot90",
        lambda: chain(sample, seed=0, epoch=0, index=next(count)),
        peers,
        {"MONAI": 5, "by hand (SimpleITK + torch)": 3.5},
        most_ms=37,
        budget_s=10,
    )


def rows():
    yield from load_rows()
    yield from crop_rows()
    yield from held_rows()
    yield from resample_rows()
    yield from chain_rows()
