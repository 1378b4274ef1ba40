#!/usr/bin/env python3
"""Sex from T1 scans of IXI with DenseNet121, as in MONAI's published example, and where the network looks.

scale to 0 … 1 → resize to 96³ (area) → in training, rot90 in the x–y plane with p = 0.1 → DenseNet121 → cross entropy, Adam 1e-5,
batch 2, 5 epochs, validation every second one, best weights kept; then occlusion sensitivity of one case beside its slice.
--data: IXI-T1's folder with the twenty named scans. Without it a synthetic cohort: dark blobs in the middle where sex is 1.
SPDX-License-Identifier: Apache-2.0
"""

import common
import ixi
import matplotlib.pyplot as plt
import microtome as mt
import numpy as np
import torch
from monai.networks.nets import DenseNet, DenseNet121
from torch.nn.functional import cross_entropy


def chains(size):
    """What a training and a validation sample go through."""
    common_part = [mt.Scale("image"), mt.Resize("image", size=(size,) * 3, interp="area")]
    return mt.Chain([*common_part, mt.RandomRot90(p=0.1, axes=(1, 2))]), mt.Chain(common_part)


def data(args):
    """(training, validation, test items, what they are); the twenty named scans have no test items of their own."""
    if args.data:
        items, text = (
            ixi.named_scans(args.data),
            "Data: twenty named T1 scans of IXI, far too few for a result; in the named split those that choose the best weights also test.",
        )
    else:
        items, text = common.synthetic(args, "sex", quick=104, full=20)
    if args.split == "random":
        train, val, test = ixi.random_split(items)
    elif args.data:
        train, val, test = items[:10], items[-10:], items[-10:]
    else:
        train, val, test = common.parts(items, len(items) // 10, len(items) * 3 // 10)
    if args.shuffle_labels:
        train = common.shuffled(train, "sex", args.seed)
    return train, val, test, text


def make_network(args):
    """DenseNet121; with --quick its first quarter: two layers in each of four blocks, growing by 16."""
    if args.quick:
        return DenseNet(3, 1, 2, init_features=16, growth_rate=16, block_config=(2, 2, 2, 2))
    return DenseNet121(spatial_dims=3, in_channels=1, out_channels=2)


@torch.no_grad()
def accuracy(network, batches, device):
    right = []
    for batch in batches:
        inputs = common.tensors(batch, device)
        right.append(network(inputs["image"]).argmax(1) == inputs["sex"])
    return float(torch.cat(right).float().mean())


@torch.no_grad()
def occlusion(network, sample, size, device):
    """One slice, and how much hiding a part of it lowers the output of the sample's class (negative: raises it)."""
    image = torch.as_tensor(sample["image"])[None].to(device)
    depth, mask = size // 2, size // 8
    explain = mt.explain.OcclusionSensitivity(network, mask_size=mask, stride=mask, n_batch=10)
    result, _ = explain(image, b_box=[-1, -1, depth, depth, -1, -1, -1, -1])
    whole = float(network(image)[0, sample["sex"]])
    return image[0, 0, depth].cpu().numpy(), whole - np.asarray(result.cpu())[0, 0, 0, ..., sample["sex"]]


def heat_figure(image, drop):
    """The slice, the map, and the map over the slice."""
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.4))
    colours = {"cmap": "coolwarm", "vmin": -abs(drop).max(), "vmax": abs(drop).max(), "origin": "lower"}
    axes[0].imshow(image, cmap="gray", origin="lower")
    figure.colorbar(axes[1].imshow(drop, **colours), ax=axes[1], fraction=0.046)
    axes[2].imshow(image, cmap="gray", origin="lower")
    axes[2].imshow(drop, alpha=0.45, **colours)
    for axis, title in zip(axes, ("one slice", "output lost by hiding", "over the slice")):
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
    figure.tight_layout()
    return figure


def main():
    p = common.parser(__doc__, "classify_sex", epochs=5, quick_epochs=24)
    p.add_argument(
        "--split", choices=("named", "random"), default="named", help="random: one draw per item, 60/20/20"
    )
    args = p.parse_args()
    size, batch_size, rate = (48, 8, 2e-3) if args.quick else (96, 2, 1e-5)
    with common.session(args):
        train, val_items, test_items, text = data(args)
        train_chain, val_chain = chains(size)
        feed = common.loader(args, train, train_chain, batch_size)
        val, test = (
            list(mt.Loader(part, val_chain, 4, threads=args.threads)) for part in (val_items, test_items)
        )
        network = make_network(args)
        optimizer = torch.optim.Adam(network.parameters(), rate)
        history = common.train(
            args,
            network,
            optimizer,
            feed,
            lambda net, batch: cross_entropy(net(batch["image"]), batch["sex"]),
            lambda net: {"val_accuracy": accuracy(net, val, args.device)},
            every=2 * len(feed),
            schedule=common.one_cycle(args, optimizer, feed),
        )
        final = accuracy(network, test, args.device)
        name = type(network).__name__ + (", the first layers of each block" if args.quick else "")
        settings = {"network": name, "image": f"{size}³", "batch": batch_size, "Adam": rate}
        report = common.begin_report(
            args, "Sex from T1 scans", __doc__.split("\n")[0], text, history, settings
        )
        report.picture(
            common.curves(history, "validation accuracy", 0.5), "Training loss; accuracy while training."
        )
        report.table(["test items", "accuracy, best weights"], [[len(test_items), final]])
        case = next((item for item in test_items if item["sex"] == 1), test_items[0])
        sample = val_chain(case)
        image, drop = occlusion(network, sample, size, args.device)
        report.heading("Where the network looks")
        report.picture(
            heat_figure(image, drop),
            f"Occlusion sensitivity of one test case of sex {case['sex']}: red where hiding a cube of {size // 8}³ voxels behind the image's "
            "mean lowers the output of its class, blue where it raises it. In a synthetic case of sex 1 the planted blobs are the dark "
            "pair in the middle.",
        )
        common.finish(args, report, history, {"accuracy": final, "test_items": len(test_items)})


if __name__ == "__main__":
    main()
