"""What classify_sex_resnet.py and regress_age.py share: DLTK's way of feeding IXI, random crops of z-scored 2 mm volumes.

SPDX-License-Identifier: Apache-2.0
"""

import common
import ixi
import microtome as mt
import torch
from networks import ResNet3D

CROPS_AT_TEST = 4


def data(args, target):
    """(training, validation, test items, what they are): IXI's Hammersmith part, 150 of it training, or a synthetic cohort."""
    if args.data:
        items = ixi.hammersmith(args.data, "2mm", ["t1"], target)
        train, val, test = common.published_parts(items, 150)
        text = f"Data: {len(items)} subjects of IXI_HH."
    else:
        items, text = common.synthetic(args, target, quick=104, full=60, grid="half")
        items = [{"t1": item["image"], target: item[target]} for item in items]
        train, val, test = common.parts(items, len(items) // 10, len(items) * 3 // 10)
    if args.shuffle_labels:
        train = common.shuffled(train, target, args.seed)
    return train, val, test, text


def feeds(args, train, val, test):
    """Loaders: shuffled training crops with flips, two per volume; four fixed crops per volume for the others."""
    size = (48, 48, 48) if args.quick else (64, 96, 96)
    whole = [mt.Normalize("t1"), mt.RandomCrop(size=size)]
    chain = mt.Chain([*whole, mt.RandomFlip(p=0.5, axes=(2,))])
    options = {
        "batch_size": 8,
        "seed": args.seed,
        "threads": args.threads,
        "samples_per_item": CROPS_AT_TEST,
        "cache_bytes": 1 << 30,
    }
    fixed = [mt.Loader(items, mt.Chain(whole), **options) for items in (val, test)]
    return common.loader(args, train, chain, 8, samples_per_item=2), *fixed


def network(args, outputs):
    """The published residual network; with --quick of an eighth of its width in the first scales and one scale less."""
    return ResNet3D(outputs, (8, 16, 32, 64), (1, 2, 2, 2)) if args.quick else ResNet3D(outputs)


@torch.no_grad()
def predict(model, feed, target, device):
    """(outputs, truth) per item: the mean over its crops, always the same ones."""
    feed.set_epoch(0)
    outputs, truth = [], []
    for batch in feed:
        inputs = common.tensors(batch, device)
        outputs.append(model(inputs["t1"]).cpu())
        truth.append(inputs[target].cpu())
    outputs, truth = torch.cat(outputs), torch.cat(truth)
    return outputs.unflatten(0, (-1, CROPS_AT_TEST)).mean(1), truth[::CROPS_AT_TEST]


def crops_picture(feed):
    """The middle axial slice of six crops as the network sees them."""
    batch = next(iter(feed))
    return common.pictures(
        [[image[0][image.shape[1] // 2] for image in common.tensors(batch)["t1"][:6].numpy()]]
    )
