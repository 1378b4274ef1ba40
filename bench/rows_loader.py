"""Rows of the loader: cached epochs, crops from the volume cache, import time, the memory bound.

Each call is one whole epoch over the same items; figures are per epoch.
SPDX-License-Identifier: Apache-2.0
"""

import subprocess
import sys

import microtome as mt
import numpy as np
from data import copies, mr_volume, t1_path
from harness import Row, cores, peak_bytes
from peers import medrs, monai, torch

ITEMS = 12


def drain(loader):
    n = 0
    for batch in loader:
        n += len(batch.index)
    return n


def cached_rows():
    paths = [str(p) for p in copies(t1_path(), ITEMS)]
    chain = mt.Chain(
        [mt.Scale("image"), mt.Resize(size=(96, 96, 96), interp="area"), mt.RandomRot90(p=0.1, axes=(1, 2))]
    )
    loader = mt.Loader(
        [{"image": p} for p in paths], chain, batch_size=2, shuffle=True, threads=1, cache_bytes=1 << 30
    )
    peers = {}
    if monai:
        t = monai.transforms
        prefix = [
            t.LoadImage(image_only=True),
            t.ScaleIntensity(),
            t.EnsureChannelFirst(),
            t.Resize((96, 96, 96), mode="area"),
        ]
        compose = t.Compose([*prefix, t.RandRotate90(prob=0.1, spatial_axes=(0, 1))])
        dataset = monai.data.CacheDataset(paths, compose, progress=False, num_workers=1)
        for workers in (0, 2):
            data = monai.data.DataLoader(
                dataset, batch_size=2, shuffle=True, num_workers=workers, persistent_workers=workers > 0
            )
            peers[f"MONAI, {workers} workers"] = lambda d=data: [len(b) for b in d]
    yield Row(
        f"epoch 2+ of the same from the cache, {ITEMS} volumes",
        lambda: drain(loader),
        peers,
        {"MONAI, 0 workers": 2, "MONAI, 2 workers": 20},
        bytes_out=ITEMS * 96**3 * 4,
    )


class CropSet(torch.utils.data.Dataset if torch else object):
    """What a user writes by hand: volumes in memory, a random crop each."""

    def __init__(self, volumes, size, n):
        self.volumes, self.size, self.n = volumes, size, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        v = self.volumes[i % len(self.volumes)]
        z, y, x = (torch.randint(0, m - self.size + 1, ()).item() for m in v.shape)
        return v[None, z : z + self.size, y : y + self.size, x : x + self.size].clone()


def crop_rows():
    volume = mr_volume().astype(np.float32)
    volumes = [volume, volume[::-1].copy()]
    n, size = 64, 128
    out = n * size**3 * 4
    for threads in (1, 2):
        items = [{"image": v} for v in volumes for _ in range(n // 2)]
        loader = mt.Loader(
            items,
            mt.Chain([mt.RandomCrop(size=(size, size, size))]),
            batch_size=4,
            shuffle=True,
            threads=threads,
            prefetch=2,
        )
        peers = {}
        if torch and threads == 2:
            data = CropSet([torch.from_numpy(v) for v in volumes], size, n)
            for workers in (0, 2):
                feed = torch.utils.data.DataLoader(
                    data, batch_size=4, num_workers=workers, persistent_workers=workers > 0
                )
                peers[f"torch DataLoader, {workers} workers"] = lambda f=feed: [len(b) for b in f]
        yield Row(
            f"loader, {n} crops 128³ float32 from memory, {threads} thread{'s' * (threads > 1)}",
            lambda x=loader: drain(x),
            peers,
            {"torch DataLoader, 2 workers": 4} if threads == 2 else {},
            most_ms=out / 7e6 if threads == 2 else None,
            scales=(f"loader, {n} crops 128³ float32 from memory, 1 thread", 1.8) if threads == 2 else None,
            bytes_out=out,
            threads=2,
        )


def medrs_rows():
    """medrs's FastLoader: random 64³ patches of .nii.gz files; ours with an index, both 2 threads."""
    if medrs is None:
        return
    paths = [str(p) for p in copies(t1_path(), ITEMS)]
    size = (64, 64, 64)
    chain = mt.Chain([mt.RandomCrop(size=size)])
    index = str(copies(t1_path(), 1)[0].parent / "fast.index")
    ours = mt.Loader([{"image": p} for p in paths], chain, batch_size=1, shuffle=True, threads=2, index=index)

    def theirs():
        return sum(1 for _ in medrs.FastLoader(paths, list(size), prefetch=4, workers=2, seed=0))

    yield Row(
        f"{ITEMS} random 64³ patches of {ITEMS} .nii.gz, no volume cache, 2 threads",
        lambda: drain(ours),
        {"medrs FastLoader": theirs},
        {"medrs FastLoader": 1},
        threads=2,
    )


def rows():
    yield from cached_rows()
    yield from crop_rows()
    yield from medrs_rows()


def import_seconds():
    """`import microtome` in a fresh interpreter: median of 7, less the interpreter's own start."""

    def run(code):
        script = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        return float(
            subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        )

    return sorted(run("import microtome") for _ in range(7))[3], sorted(
        run("import numpy") for _ in range(7)
    )[3]


def memory_over_epochs(epochs=20):
    """Peak memory of 20 epochs against the bound that the loader states: {stated, grown}, bytes."""
    paths = [str(p) for p in copies(t1_path(), 4)]
    chain = mt.Chain([mt.Normalize("image"), mt.RandomCrop(size=(96, 96, 96)), mt.RandomFlip(p=0.5)])
    with cores(2):
        loader = mt.Loader(
            [{"image": p} for p in paths], chain, batch_size=2, shuffle=True, threads=2, cache_bytes=64 << 20
        )
        base = peak_bytes(reset=True)
        drain(loader)
        after_first = peak_bytes(reset=True)
        for _ in range(epochs - 1):
            drain(loader)
        return {
            "stated": loader.stats()["bound_bytes"],
            "first_epoch": after_first - base,
            "all_epochs": peak_bytes() - base,
        }
