#!/usr/bin/env python3
"""Brain tissue segmentation as DLTK published it for MRBrainS13: three sequences, nine classes, a residual 3-D U-Net.

T1, T1-IR and T2-FLAIR are each z-scored; 18 class-balanced crops of 4 × 128 × 128 per subject, noise σ 0.1, flips left to right; mean
cross entropy (--loss dice: smooth Dice), momentum, batches of 16; whole volumes by sliding windows, written as ID_seg.nii.gz.
--data: the folder of MRBrainS13 that holds 1/ … 5/ with T1.nii, T1_IR.nii, T2_FLAIR.nii, LabelsForTraining.nii.
SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
import torch
from common import begin_report, curves, finish, loader, parser, session, synthetic, train
from segmentation import ResidualUNet, dice_of, drawn, fullest, items_of, overlays, scrambled, stacked

FIELDS, CLASSES = ("t1", "t1_ir", "flair"), 9
NAMES = ["cortex", "deep grey", "white matter", "lesions", "CSF", "ventricles", "cerebellum", "brain stem"]
FILES = {"t1": "T1.nii", "t1_ir": "T1_IR.nii", "flair": "T2_FLAIR.nii", "label": "LabelsForTraining.nii"}
STRIDES = ((1, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2))


def published(folder):
    """Items of MRBrainS13's training folder; its sentence for the report."""
    paths = {name: str(folder / "{subject}" / file) for name, file in FILES.items()}
    items = mt.items.from_folder(paths.pop("t1"), field="t1", **paths)
    return items, f"Data: {len(items)} subjects of {folder}."


def chain(crop):
    """What a training sample goes through. Crops are drawn class-balanced; noise comes behind them, where it costs least."""
    return mt.Chain(
        [
            *(mt.Normalize(name) for name in FIELDS),
            mt.RandomBalancedCrop("label", size=crop, classes=range(CLASSES)),
            mt.RandomFlip(p=0.5, axes=(2,)),
            mt.RandomGaussianNoise(*FIELDS, sigma=0.1, p=1.0),
        ]
    )


def main():
    p = parser(__doc__, "segment_tissue", epochs=12500, quick_epochs=20)
    p.add_argument("--loss", choices=("cross-entropy", "dice"), default="cross-entropy")
    args = p.parse_args()
    crop, window = ((4, 40, 40), (16, 64, 64)) if args.quick else ((4, 128, 128),) * 2
    widths, batch, crops = ((8, 16, 32, 48), 8, 10) if args.quick else ((16, 32, 64, 128), 16, 18)
    with session(args):
        items, data = published(args.data) if args.data else synthetic(args, "tissue", 5, 5)
        known, held_out = items[:-1], items[-1:]
        if args.shuffle_labels:
            known = scrambled(known, args.out / "scrambled", args.seed)
        whole = mt.Chain([mt.Normalize(name) for name in FIELDS])
        tests = [whole({**item, "subject": 0}) for item in held_out]
        network = ResidualUNet(len(FIELDS), CLASSES, widths, STRIDES)
        feed = loader(args, known, chain(crop), batch, samples_per_item=crops)
        steps = args.steps or args.epochs * len(feed)
        schedule = None
        if args.quick:
            optimizer = torch.optim.Adam(network.parameters(), 5e-3)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, total_steps=steps)
        else:
            optimizer = torch.optim.SGD(network.parameters(), 1e-3, momentum=0.9)
        entropy, dice = torch.nn.CrossEntropyLoss(), mt.torch.DiceLoss()

        def loss_of(model, batch):
            logits, truth = model(stacked(batch, FIELDS)), batch["label"][:, 0].long()
            return dice(logits, truth) if args.loss == "dice" else entropy(logits, truth)

        def segment(model, test, **options):
            image = items_of(test, FIELDS)
            size = [min(w, n) for w, n in zip(window, image.shape[1:])]
            return mt.infer.sliding_window(image, model, size, batch_size=4, argmax=True, **options)

        def validate(model):
            return dice_of([(segment(model, t), np.asarray(t["label"])[0]) for t in tests], CLASSES)

        every = max(1, steps // 4) if args.quick else 100
        history = train(args, network, optimizer, feed, loss_of, validate, every, max, schedule)
        if args.rank == 0:
            report(args, history, network, segment, (known, held_out, tests), data, (crop, batch, crops))


def report(args, history, network, segment, cases, data, sizes):
    """ID_seg.nii.gz of every held-out subject, then the pages."""
    (known, held_out, tests), (crop, batch, crops) = cases, sizes
    what = "A residual 3-D U-Net labels each voxel of a brain with its tissue, from three sequences."
    settings = {
        "crop, voxels": " × ".join(map(str, crop)),
        "crops per volume": crops,
        "batch": batch,
        "loss": args.loss,
    }
    page = begin_report(args, "Brain tissue segmentation", what, data, history, settings)
    page.picture(
        curves(history, "Dice, mean of the labels"),
        "Training loss; Dice of the held-out subject, which chooses the best weights.",
    )
    page.picture(
        overlays([drawn(chain(crop), known, "t1")], [], [], NAMES), "What the network sees: crops of T1."
    )
    rows, names = [], []
    for item, test in zip(held_out, tests):
        path, truth = args.out / f"{item['subject']}_seg.nii.gz", np.asarray(test["label"])[0]
        segment(network, test, out=path, like=item["t1"])
        found = mt.open(path).read()
        z = fullest(truth)
        rows.append(
            [(np.asarray(test[f])[0, z], None) for f in ("t1", "flair")]
            + [(np.asarray(test["t1"])[0, z], label[z]) for label in (truth, found)]
        )
        names.append(item["subject"])
    page.picture(
        overlays(rows, ["T1", "T2-FLAIR", "the labels", "the network's"], names, NAMES),
        f"Slices of held-out subjects; whole volumes are in {args.out} as *_seg.nii.gz, on the input's grid.",
    )
    last = next(v for s, v in history["val"] if s == history["best_step"])
    page.table(["label", "Dice"], [[name, last[f"dice_{c}"]] for c, name in enumerate(NAMES, 1)])
    finish(args, page, history, last)


if __name__ == "__main__":
    main()
