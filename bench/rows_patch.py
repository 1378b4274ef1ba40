"""Rows of the patch chain of volumetric training: a 128³ crop at a labelled object out of a float32 image and a uint8 label map,
zoom, flips, noise, blur, brightness, contrast, in batches of two, one core.

The time is that of one epoch over the same eight pairs of .npy files, which are in the page cache. The peers' chains have no zoom, which
our row without it matches; their laws of noise, contrast and crop differ a little from each other.
SPDX-License-Identifier: Apache-2.0
"""

import functools
import json
import subprocess
import sys
from pathlib import Path

import microtome as mt
import numpy as np
from data import WORK, t1_path
from harness import Row
from peers import dali, maybe, monai, torch

ITEMS, SIZE = 8, 128


@functools.cache
def files():
    """[(image.npy float32, label.npy uint8)]: the T1, standardised, and the larger bright parts of it as two classes."""
    from scipy import ndimage

    folder = WORK / "patch"
    names = [(folder / f"image{i}.npy", folder / f"label{i}.npy") for i in range(ITEMS)]
    if not all(p.exists() for pair in names for p in pair):
        folder.mkdir(parents=True, exist_ok=True)
        a = np.asarray(mt.open(t1_path()).read(), np.float32)
        smooth = ndimage.gaussian_filter(a, 3)
        label = (smooth > np.percentile(smooth, 93)).astype(np.uint8)
        label[:, : a.shape[1] // 2][label[:, : a.shape[1] // 2] > 0] = 2
        for i, (image, seg) in enumerate(names):
            np.save(image, np.roll((a - a.mean()) / a.std(), i, axis=2))
            np.save(seg, np.roll(label, i, axis=2))
    return [(str(a), str(b)) for a, b in names]


def chain(p, zoom):
    """Every operator with probability p, the zoom with its own."""
    ops = [mt.RandomObjectBox("label", size=(SIZE,) * 3, foreground_prob=1.0, k_largest=1)]
    if zoom:
        ops.append(mt.RandomZoom(scale=(1.0, 1.4), p=zoom))
    return mt.Chain(
        [
            *ops,
            mt.RandomFlip(p=0.5),
            mt.RandomGaussianNoise(sigma=(0, 0.33), p=p),
            mt.RandomBlur(sigma=(0.5, 1.5), p=p),
            mt.RandomBrightness(multiply=(0.7, 1.3), p=p),
            mt.RandomContrast(factor=(0.65, 1.5), keep_range=True, p=p),
        ]
    )


def loader(p, zoom):
    items = [{"image": a, "label": b} for a, b in files()]
    return mt.Loader(
        items, chain(p, zoom), batch_size=2, threads=1, prefetch=1, index=str(WORK / "patch" / "index")
    )


EPOCHS = 5  # of a call of ours


def drain(batches):
    """Some epochs straight through; what the loader has made of the next one is dropped, so that it does not run beside the peers."""
    done = sum(len(b.index) for _ in range(EPOCHS) for b in batches)
    batches.set_epoch(batches.epoch)
    return done


# ---- peers ------------------------------------------------------------------------------------------------


def bgv2_epoch(p):
    """batchgeneratorsv2 as nnU-Net runs it: memory-mapped .npy, stored foreground positions; single-threaded."""
    name = "batchgeneratorsv2.transforms."
    get = lambda module, cls: getattr(maybe(name + module), cls)  # noqa: E731
    maybe_random = functools.partial(get("utils.random", "RandomTransform"), apply_probability=p)
    ops = [
        get("spatial.mirroring", "MirrorTransform")((0, 1, 2)),
        maybe_random(get("intensity.gaussian_noise", "GaussianNoiseTransform")((0, 0.1))),
        maybe_random(get("noise.gaussian_blur", "GaussianBlurTransform")((0.5, 1.5), synchronize_axes=True)),
        maybe_random(
            get("intensity.brightness", "MultiplicativeBrightnessTransform")(
                (0.7, 1.3), synchronize_channels=True
            )
        ),
        maybe_random(
            get("intensity.contrast", "ContrastTransform")(
                (0.65, 1.5), preserve_range=True, synchronize_channels=True
            )
        ),
    ]
    compose = get("utils.compose", "ComposeTransforms")(ops)
    rng = np.random.default_rng(0)
    foreground = [[np.argwhere(np.load(b) == c)[::97] for c in (1, 2)] for _, b in files()]

    def one(i):
        image, label = (np.load(f, mmap_mode="r") for f in files()[i])
        at = foreground[i][rng.integers(2)]
        start = np.clip(at[rng.integers(len(at))] - SIZE // 2, 0, np.array(image.shape) - SIZE)
        box = tuple(slice(s, s + SIZE) for s in start)
        pair = {"image": image[box], "segmentation": label[box]}
        return compose(**{k: torch.from_numpy(np.ascontiguousarray(v)[None]) for k, v in pair.items()})

    def epoch():
        for i in range(0, ITEMS, 2):
            got = [one(i), one(i + 1)]
            torch.stack([g["image"] for g in got]), torch.stack([g["segmentation"] for g in got])

    return epoch


def monai_epoch(p):
    """MONAI with everything cached in memory, the positions of foreground too."""
    t, keys = monai.transforms, ["image", "label"]
    prefix = [
        t.LoadImaged(keys, image_only=True),
        t.EnsureChannelFirstd(keys, channel_dim="no_channel"),
        t.FgBgToIndicesd("label"),
    ]
    chain = t.Compose(
        [
            *prefix,
            t.RandCropByPosNegLabeld(
                keys,
                "label",
                (SIZE,) * 3,
                pos=1,
                neg=0,
                fg_indices_key="label_fg_indices",
                bg_indices_key="label_bg_indices",
            ),
            *(t.RandFlipd(keys, prob=0.5, spatial_axis=i) for i in range(3)),
            t.RandGaussianNoised("image", prob=p, std=0.33),
            t.RandGaussianSmoothd("image", (0.5, 1.5), (0.5, 1.5), (0.5, 1.5), prob=p),
            t.RandScaleIntensityd("image", factors=0.3, prob=p),
            t.RandScaleIntensityFixedMeand("image", prob=p, factors=0.5, preserve_range=True),
        ]
    )
    data = monai.data.CacheDataset(
        [{"image": a, "label": b} for a, b in files()], chain, progress=False, num_workers=1
    )
    feed = monai.data.DataLoader(data, batch_size=2, num_workers=0)
    return lambda: [b["image"].shape for b in feed]


def dali_epoch(p):
    """DALI's CPU pipeline as in NVIDIA's nnU-Net example, where a mask of zeros and ones makes an operator do nothing."""
    fn, types = dali.fn, dali.types

    def chance(value, otherwise):
        acts = fn.cast(fn.random.coin_flip(probability=p), dtype=types.FLOAT)
        return acts * value + (1 - acts) * otherwise

    # Nothing ahead: its thread would run beside the others, on the one core.
    @dali.pipeline_def(
        batch_size=2,
        num_threads=1,
        device_id=None,
        seed=0,
        prefetch_queue_depth=1,
        exec_async=False,
        exec_pipelined=False,
    )
    def pipe():
        image, label = (fn.readers.numpy(files=[f[k] for f in files()], seed=1) for k in (0, 1))
        start, end = fn.segmentation.random_object_bbox(
            label, format="start_end", foreground_prob=1.0, k_largest=1, cache_objects=True
        )
        anchor = fn.cast(
            fn.roi_random_crop(label, roi_start=start, roi_end=end, crop_shape=[SIZE] * 3), dtype=types.INT32
        )
        image, label = (fn.slice(a, start=anchor, shape=[SIZE] * 3, axes=(0, 1, 2)) for a in (image, label))
        image, label = (fn.reshape(a, shape=[SIZE, SIZE, SIZE, 1], layout="DHWC") for a in (image, label))
        flips = {k: fn.random.coin_flip() for k in ("horizontal", "vertical", "depthwise")}
        image, label = fn.flip(image, **flips), fn.flip(label, **flips)
        image = image + fn.random.normal(image) * chance(fn.random.uniform(range=(0.0, 0.33)), 0.0)
        blurred = fn.gaussian_blur(image, sigma=fn.random.uniform(range=(0.5, 1.5)))
        mask = fn.cast(fn.random.coin_flip(probability=p), dtype=types.FLOAT)
        image = mask * blurred + (1 - mask) * image
        image = image * chance(fn.random.uniform(range=(0.7, 1.3)), 1.0)
        low, high = fn.reductions.min(image), fn.reductions.max(image)
        image = dali.math.clamp(image * chance(fn.random.uniform(range=(0.65, 1.5)), 1.0), low, high)
        return image, label

    made = pipe()
    made.build()
    return lambda: [made.run() for _ in range(ITEMS // 2)]


def peers(p):
    """{name: epoch} of the peers that run here; each is built when first called."""
    found = {}
    if torch and maybe("batchgeneratorsv2.transforms.noise.gaussian_blur"):
        found["batchgeneratorsv2"] = bgv2_epoch
    if monai:
        found["MONAI, cached"] = monai_epoch
    if dali and maybe("nvidia.dali.fn"):
        found["DALI CPU"] = dali_epoch

    def lazy(make):
        made = []

        def run():
            if not made:
                made.append(make(p))
            return made[0]()

        return run

    return {name: lazy(make) for name, make in found.items()}


# ---- rows -------------------------------------------------------------------------------------------------


def peak_mib(p, zoom):
    """Peak resident memory of a process that runs the chain for five epochs, without torch."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import types; sys.modules['peers'] = m = types.ModuleType('peers');"
        "m.maybe = m.dali = m.monai = m.torch = None;"
        f"import rows_patch as r; loader = r.loader({p}, {zoom});"
        "r.drain(loader);"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    )
    files()
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(got.stdout) / 1024


def patch_rows():
    out = ITEMS * SIZE**3 * 5
    for p, per_second, times in ((1.0, 120, 7.5), (0.15, 250, 3.0)):
        often = "always" if p == 1 else f"p = {p}"
        for zoom in (0, 0.15) if p == 1 else (0.15,):
            feed, rivals = loader(p, zoom), {} if p == 1 and zoom else peers(p)
            yield Row(
                f"patch chain 128³, every operator {often}{f', zoom p = {zoom}' if zoom else ''}, {ITEMS} samples",
                lambda feed=feed: drain(feed),
                rivals,
                dict.fromkeys(rivals, times),
                most_ms=ITEMS * 1000 / per_second,
                bytes_out=out,
                budget_s=8,
                repeat=EPOCHS,
                note=f"peak {peak_mib(p, zoom):.0f} MiB without torch, target 400",
            )


def rows():
    yield from patch_rows()


if __name__ == "__main__":
    print(json.dumps({f"p {p}": peak_mib(p, 0.15) for p in (1.0, 0.15)}))
