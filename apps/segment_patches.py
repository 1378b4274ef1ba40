#!/usr/bin/env python3
"""Patch segmentation in nnU-Net's style, with crops around objects, so that small ones are seen.

A patch is drawn around a random object with probability 0.4 (DALI's random_object_bbox), else anywhere; zoom, blur, noise, brightness
and contrast with probability 0.15 each, flips 0.5; Dice + cross entropy with deep supervision; whole volumes by sliding windows that
overlap by half, weighted by a gaussian. --no-object-box draws every patch anywhere; --compare trains both ways, for one report.
--data: a folder with dataset.json (nnU-Net's layout, or the Medical Segmentation Decathlon's).
SPDX-License-Identifier: Apache-2.0
"""

import argparse
from collections import namedtuple
from pathlib import Path

import microtome as mt
import numpy as np
import segmentation as seg
import torch
from common import begin_report, curves, finish, loader, parser, session, synthetic, train

STRIDES = ((1, 1, 1), *((2, 2, 2),) * 4)
# crops: of a case each time it is read; weight: of the objects in the cross entropy
Setting = namedtuple("Setting", "patch widths batch crops rate weight")
FULL = Setting((128,) * 3, (32, 64, 128, 256, 320), 2, 1, 8e-4, 1.0)
QUICK = Setting((32,) * 3, (8, 16, 32, 32), 4, 4, 1e-2, 8.0)


def chain(fields, patch, object_box):
    """What a training patch goes through."""
    crop = (
        mt.RandomObjectBox("label", size=patch, foreground_prob=0.4)
        if object_box
        else mt.RandomCrop(size=patch)
    )
    return mt.Chain(
        [
            *(mt.Normalize(name) for name in fields),
            crop,
            mt.RandomZoom(scale=(1.0, 1.4), p=0.15),
            mt.RandomFlip(p=0.5),
            mt.RandomGaussianNoise(*fields, sigma=(0.0, 0.33), p=0.15),
            mt.RandomBlur(*fields, sigma=(0.5, 1.5), p=0.15),
            mt.RandomBrightness(*fields, multiply=(0.7, 1.3), p=0.15),
            mt.RandomContrast(*fields, factor=(0.65, 1.5), keep_range=True, p=0.15),
        ]
    )


def one_run(args, known, tests, fields, classes, object_box, out):
    """Trains with or without object boxes into a folder; (history, network, segment)."""
    setting = QUICK if args.quick else FULL
    args = argparse.Namespace(**{**vars(args), "out": out})
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    network = seg.ResidualUNet(len(fields), classes, setting.widths, STRIDES, units=1, deep=True)
    patches = chain(fields, setting.patch, object_box)
    feed = loader(args, known, patches, setting.batch, samples_per_item=setting.crops)
    optimizer = torch.optim.Adam(network.parameters(), setting.rate)
    weights = (1.0, *(setting.weight,) * (classes - 1))
    dice_ce = mt.torch.DiceCELoss(include_background=False, batch=True, ce_weight=weights)
    loss = mt.torch.DeepSupervision(dice_ce).to(args.device)

    def loss_of(model, batch):
        return loss(model(seg.stacked(batch, fields)), batch["label"])

    def segment(model, test, **options):
        image, size = seg.items_of(test, fields), setting.patch
        return mt.infer.sliding_window(image, model, size, batch_size=setting.batch, argmax=True, **options)

    def validate(model):
        return seg.dice_of([(segment(model, t), np.asarray(t["label"])[0]) for t in tests], classes)

    steps = args.steps or args.epochs * len(feed)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, setting.rate, total_steps=steps)
    every = max(1, steps // 3) if args.quick else None
    history = train(args, network, optimizer, feed, loss_of, validate, every, max, schedule)
    history["epoch_s"] = history["seconds"] / max(1, history["steps"] / len(feed))
    return history, network, segment


def main():
    p = parser(__doc__, "segment_patches", epochs=1000, quick_epochs=12)
    p.add_argument("--no-object-box", dest="object_box", action="store_false", help="patches anywhere")
    p.add_argument("--compare", action="store_true", help="both ways, one after the other, in one report")
    args = p.parse_args()
    with session(args):
        if args.data:
            known, held_out, fields, names, data = seg.dataset_json(args.data)
        else:
            items, data = synthetic(args, "lesions", 14, 24)
            known, held_out, fields, names = items[:-2], items[-2:], ["image"], ["large", "middle", "small"]
        if args.shuffle_labels:
            known = seg.scrambled(known, args.out / "scrambled", args.seed)
        whole = mt.Chain([mt.Normalize(name) for name in fields])
        tests = [whole({f: item[f] for f in (*fields, "label")}) for item in held_out]
        runs = {}
        for way, object_box in (("with object boxes", True), ("without", False)):
            if args.compare or object_box == args.object_box:
                out = args.out / way.replace(" ", "_") if args.compare else args.out
                runs[way] = one_run(args, known, tests, fields, len(names) + 1, object_box, out)
        if args.rank == 0:
            report(args, runs, (known, held_out, tests), fields, names, data)


def report(args, runs, cases, fields, names, data):
    """CASE_seg.nii.gz of the held-out cases, then the pages. With --compare the pictures show the first way's network."""
    (known, held_out, tests), setting = cases, QUICK if args.quick else FULL
    way, (history, network, segment) = next(iter(runs.items()))
    settings = {
        "patch, voxels": " × ".join(map(str, setting.patch)),
        "batch": setting.batch,
        "crops": " and ".join(runs),
        "weight of objects in the cross entropy": setting.weight,
        "time of an epoch, s": history["epoch_s"],
    }
    what = "A 3-D U-Net with deep supervision, trained on patches, labels objects of different sizes."
    page = begin_report(args, "Patch segmentation", what, data, history, settings)
    text = "Training loss; Dice of the held-out cases, which choose the best weights."
    page.picture(curves(history, f"Dice, {way}"), text)
    histories = {k: run[0] for k, run in runs.items()}
    best = {k: next(v for s, v in h["val"] if s == h["best_step"]) for k, h in histories.items()}
    scores = dict(best[way])
    if len(runs) > 1:
        page.heading("With and without object boxes")
        text = "The same steps, seeds and network; only where patches are drawn differs."
        page.picture(seg.comparison(histories, names), text)
        scores |= {f"{k}_without": v for k, v in best["without"].items()}
    rows = [[name, *(best[k][f"dice_{c}"] for k in runs)] for c, name in enumerate(names, 1)]
    page.table(["label", *(f"Dice, {k}" for k in runs)], rows)
    chains = [chain(fields, setting.patch, k == "with object boxes") for k in runs]
    seen = seg.overlays([seg.drawn(c, known, fields[0]) for c in chains], [], list(runs), names)
    page.picture(seen, "What the network sees: patches after augmentation.")
    rows, stems = [], []
    for item, test in zip(held_out, tests):
        stems.append(item.get("case") or item.get("subject") or Path(item["label"]).name.split(".")[0])
        path = args.out / f"{stems[-1]}_seg.nii.gz"
        segment(network, test, out=path, like=item[fields[0]])
        found, truth = mt.open(path).read(), np.asarray(test["label"])[0]
        z = seg.fullest(truth)
        rows.append([(np.asarray(test[fields[0]])[0, z], label) for label in (None, truth[z], found[z])])
    shown = seg.overlays(rows[:4], ["image", "the labels", "the network's"], stems, names)
    page.picture(shown, f"Slices of held-out cases ({way}).")
    finish(args, page, history, scores)


if __name__ == "__main__":
    main()
