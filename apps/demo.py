#!/usr/bin/env python3
"""The main job on real brains: from a .nii.gz with its atlas to a trained network, in about five minutes on two cores.

Takes ch2 (one T1 brain) and aal (its 116 regions) of Debian's mricron-data, makes seven groups of regions from the atlas,
trains a small 3-D U-Net on random patches of the left hemisphere, and looks at the right one, which it never saw. Leaves
report.html, TensorBoard files and the prediction as NIfTI. One brain shows the machinery, not accuracy.
SPDX-License-Identifier: Apache-2.0
"""

import argparse
import contextlib
import sys
import time
from pathlib import Path

import demo_pictures as pictures
import microtome as mt
import numpy as np
import torch
from microtome.report import Report
from torch.utils.tensorboard import SummaryWriter
from unet import UNet3D, dice_and_cross_entropy, dice_per_label

TEMPLATES = Path("/usr/share/mricron/templates")
PATCH = (64, 64, 40)  # voxels of 2 mm, [Z, Y, X]: most of a hemisphere's depth
GROUPS = {  # name → regions of the AAL atlas (Tzourio-Mazoyer et al., NeuroImage 2002); odd numbers left, even right
    "frontal": [*range(1, 21), *range(23, 29), 69, 70],
    "limbic and insula": [21, 22, *range(29, 43)],
    "occipital": range(43, 55),
    "parietal": range(57, 69),
    "deep grey": range(71, 79),
    "temporal": [55, 56, *range(79, 91)],
    "cerebellum": range(91, 117),
}
CLASSES = len(GROUPS) + 1


def hemispheres(out):
    """Splits the T1 and the grouped atlas at the midline into NIfTI files: {"left": item, "right": item}."""
    t1, atlas = mt.open(TEMPLATES / "ch2.nii.gz"), mt.open(TEMPLATES / "aal.nii.gz")
    group_of = np.zeros(256, np.uint8)
    for number, regions in enumerate(GROUPS.values(), 1):
        group_of[list(regions)] = number
    image, label = t1.read(), group_of[atlas.read()]
    middle = image.shape[2] // 2  # x runs from left to right
    items = {}
    for side, part in (("left", slice(0, middle + 1)), ("right", slice(middle, None))):
        affine = t1.affine.copy()
        affine[:3, 3] += affine[:3, 0] * part.start
        items[side] = {"image": str(out / f"{side}_t1.nii.gz"), "label": str(out / f"{side}_groups.nii.gz")}
        mt.write(items[side]["image"], image[:, :, part], affine=affine)
        mt.write(items[side]["label"], label[:, :, part], affine=affine)
    return items, (image, label)


def chains():
    """What a training sample and a validation sample go through. Patches are drawn class-balanced."""
    common = [mt.Normalize("image", nonzero=True), mt.Resize(scale=(0.5, 0.5, 0.5))]
    train = mt.Chain(
        [
            *common,
            mt.RandomBalancedCrop("label", size=PATCH),
            mt.RandomFlip(p=0.5, axes=(2,)),
            mt.RandomAffine(degrees=(-10, 10), scale=(0.9, 1.1), p=0.4),
            mt.RandomContrast(factor=(0.75, 1.3), p=0.3),
            mt.RandomBlur(sigma=(0.4, 0.9), p=0.15),
            mt.RandomGaussianNoise(sigma=(0.0, 0.15), p=0.3),
        ]
    )
    return train, mt.Chain(common)


def to_torch(field):
    return torch.from_dlpack(field)


@torch.no_grad()
def predict(network, image):
    """Labels [Z, Y, X] of a whole volume [1, Z, Y, X], padded to multiples of 8 at the far ends."""
    network.eval()
    extents = image.shape[1:]
    pad = [w for n in reversed(extents) for w in (0, -n % 8)]
    logits = network(torch.nn.functional.pad(image, pad)[None])[0]
    network.train()
    return logits.argmax(0)[tuple(slice(0, n) for n in extents)]


def train(network, loader, held_out, steps, writer):
    """Trains for a number of steps; returns what the report shows."""
    optimizer = torch.optim.Adam(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    image, truth = to_torch(held_out["image"]), to_torch(held_out["label"])[0].long()
    history = {"step": [], "loss": [], "dice": [], "wait_s": 0.0, "epochs": 0}
    start = time.perf_counter()
    while len(history["step"]) < steps:
        before = time.perf_counter()
        for batch in loader:
            x, y = to_torch(batch["image"]), to_torch(batch["label"])[:, 0].long()
            history["wait_s"] += time.perf_counter() - before
            optimizer.zero_grad()
            loss = dice_and_cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()
            schedule.step()
            step = len(history["step"]) + 1
            history["step"].append(step)
            history["loss"].append(loss.item())
            writer.add_scalar("train_loss", loss.item(), step)
            if step % max(1, steps // 10) == 0 or step == steps:
                scores = dice_per_label(predict(network, image), truth, CLASSES)
                history["dice"].append((step, float(np.nanmean(scores))))
                writer.add_scalar("val_dice", history["dice"][-1][1], step)
                print(
                    f"step {step} of {steps}: loss {loss.item():.3f}, held-out Dice {history['dice'][-1][1]:.3f}, "
                    f"{time.perf_counter() - start:.0f} s",
                    flush=True,
                )
            if step == steps:
                break
            before = time.perf_counter()
        history["epochs"] += 1
    history["seconds"] = time.perf_counter() - start
    return history, predict(network, image).numpy(), scores


def samples_per_second(loader, seconds=4.0):
    """How fast the loader delivers when nothing else runs."""
    n, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for batch in loader:
            n += len(batch.index)
    return n / (time.perf_counter() - start)


def monai_samples_per_second(item, seconds=4.0):
    """The same chain in MONAI with its deterministic part cached, or None when MONAI is not installed."""
    try:
        from monai import data, transforms as t
    except ImportError:
        return None
    keys = ("image", "label")
    size = PATCH[::-1]  # MONAI's arrays are [X, Y, Z]
    chain = t.Compose(
        [
            t.LoadImaged(keys),
            t.EnsureChannelFirstd(keys),
            t.NormalizeIntensityd("image", nonzero=True),
            t.Zoomd(keys, 0.5, mode=("area", "nearest"), keep_size=False),
            t.RandCropByLabelClassesd(keys, "label", size, num_classes=CLASSES, num_samples=1),
            t.RandFlipd(keys, prob=0.5, spatial_axis=0),
            t.RandAffined(
                keys, prob=0.4, rotate_range=[0.175] * 3, scale_range=[0.1] * 3, mode=("bilinear", "nearest")
            ),
            t.RandScaleIntensityd("image", 0.3, prob=0.3),
            t.RandGaussianSmoothd("image", (0.4, 0.9), (0.4, 0.9), (0.4, 0.9), prob=0.15),
            t.RandGaussianNoised("image", prob=0.3, std=0.15),
        ]
    )
    with contextlib.redirect_stderr(None):
        dataset = data.CacheDataset([item] * 8, chain, progress=False)
    feed, n, start = data.DataLoader(dataset, batch_size=2, num_workers=0), 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in feed:
            n += 2
    return n / (time.perf_counter() - start)


def macaque(report):
    """A second species from the same package: float32 image and int16 labels at half a millimetre."""
    image, label = (
        mt.open(TEMPLATES / "inia19-t1-brain.nii.gz"),
        mt.open(TEMPLATES / "inia19-NeuroMaps.nii.gz"),
    )
    volume, regions = image.read(), label.read()
    report.heading("Another species, the same two lines")
    report.picture(
        pictures.planes(volume, np.where(regions > 0, regions % 7 + 1, 0)),
        f"INIA19, a macaque: {volume.dtype} image and {regions.dtype} labels, {len(np.unique(regions)) - 1} regions, "
        f"spacing {', '.join(f'{s:g}' for s in image.spacing)} mm.",
    )


def write_report(path, whole, patches, history, scores, prediction, held_out, rates, stats, seconds):
    report = Report("microtome: one brain, from file to network", "Made by `make demo`.")
    report.text(
        "This shows the machinery, not accuracy: one T1 brain (ch2) and its atlas (AAL) come from Debian's mricron-data. A small "
        "3-D U-Net was trained on random patches of the left hemisphere and looked at the right one, which it never saw."
    )
    report.picture(
        pictures.planes(*whole), "The T1 and seven groups of its 116 atlas regions, as read from .nii.gz."
    )
    report.heading("What the network sees")
    report.picture(
        pictures.patches(*patches), "Class-balanced patches after flips, affine, contrast, blur and noise."
    )
    report.heading("Training")
    report.picture(
        pictures.curves(history["step"], history["loss"], history["dice"]),
        "Loss of each step (thin) and its moving mean; Dice of the hemisphere that was held out.",
    )
    share = history["wait_s"] / history["seconds"]
    report.text(
        f"{len(history['step'])} steps of {2} patches in {history['seconds']:.0f} s on {torch.get_num_threads()} threads; the network "
        f"waited for data {share:.1%} of the time."
    )
    image, truth = (np.asarray(held_out[k])[0] for k in ("image", "label"))
    report.picture(
        pictures.against_truth(image, truth, prediction), "The right hemisphere, never trained on."
    )
    report.table(
        ["group", "Dice, held-out hemisphere"], [[name, score] for name, score in zip(GROUPS, scores)]
    )
    report.heading("Where the loader's time goes")
    names = ("read", "inflate", "decode", "geometry", "intensity", "apply")
    stages = {name: stats[name] * 1e3 / max(1, stats["samples"]) for name in names}
    report.picture(
        pictures.bars(list(stages), list(stages.values()), "ms per sample"),
        "Worker time per sample, by stage; what is cached costs nothing here.",
    )
    report.table(["chain", "samples per second"], [[name, rate] for name, rate in rates.items()])
    if len(rates) == 1:
        report.note(
            "MONAI is not installed here; BENCH_PEERS=1 make bench installs it and measures side by side."
        )
    macaque(report)
    report.note(f"The whole demo took {seconds():.0f} s.")
    report.save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/demo"))
    parser.add_argument("--steps", type=int, default=260)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    begin = time.perf_counter()
    if not (TEMPLATES / "ch2.nii.gz").exists():
        sys.exit(f"demo: {TEMPLATES} is missing; install the Debian package mricron-data")
    args.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)

    items, whole = hemispheres(args.out)
    train_chain, whole_chain = chains()
    options = {
        "batch_size": 2,
        "shuffle": True,
        "seed": args.seed,
        "threads": 2,
        "index": args.out / "demo.index",
    }
    loader = mt.Loader([items["left"]] * 64, train_chain, cache_bytes=256 << 20, **options)
    held_out = whole_chain(items["right"])
    print(
        f"loader: {len(loader)} batches an epoch; the first one:",
        {k: v.shape for k, v in next(iter(loader)).items()},
    )

    network = UNet3D(1, CLASSES)
    with SummaryWriter(args.out / "tensorboard") as writer:
        history, prediction, scores = train(network, loader, held_out, args.steps, writer)
    stats = loader.stats()
    mt.write(
        args.out / "right_prediction.nii.gz",
        prediction.astype(np.uint8),
        affine=mt.open(items["right"]["image"]).affine @ np.diag([2, 2, 2, 1.0]),
    )
    torch.save(network.state_dict(), args.out / "network.pt")

    rates = {"microtome, 2 threads": samples_per_second(loader)}
    theirs = monai_samples_per_second(items["left"])
    if theirs:
        rates["MONAI, deterministic part cached"] = theirs
    batches = [b for b, _ in zip(loader, range(3))]
    patches = [np.concatenate([np.asarray(b[k])[:, 0] for b in batches]) for k in ("image", "label")]
    write_report(
        args.out / "report.html",
        whole,
        patches,
        history,
        scores,
        prediction,
        held_out,
        rates,
        stats,
        lambda: time.perf_counter() - begin,
    )
    print(f"held-out Dice {np.nanmean(scores):.3f}; {rates}; open {args.out}/report.html")


if __name__ == "__main__":
    main()
