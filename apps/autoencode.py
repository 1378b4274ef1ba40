#!/usr/bin/env python3
"""A convolutional autoencoder of T1, T2 and PD slices, as in DLTK's application.

1 mm T1, T2 and PD, each z-scored, noise σ 0.1, 10 random crops 1×224×224 per subject → five scales 16–256 of stride 2 in the plane,
two convolutions each → 1024 numbers → the same way back; mean squared error, Adam (ε 1e-5), batch 8. --data: IXI_HH as DLTK
prepares it (1mm/). Without it a synthetic cohort. Compared with the mean training image, the best answer that knows nothing, and
with the training slice that is nearest to the test slice, the best that memory without understanding gives.
SPDX-License-Identifier: Apache-2.0
"""

import common
import ixi
import microtome as mt
import numpy as np
import torch
from networks import Autoencoder
from torch.nn.functional import mse_loss

SEQUENCES = ("t1", "t2", "pd")
HELD_OUT = 16  # slices of a subject that is not trained on


def data(args):
    """(training, validation, test items, what they are)."""
    if args.data:
        items = ixi.hammersmith(args.data, "1mm", SEQUENCES)
        return *common.published_parts(items, 100), f"Data: {len(items)} subjects of IXI_HH."
    items, text = common.synthetic(args, "slices", quick=38, full=20)
    items = [{name: item[name] for name in SEQUENCES} for item in items]
    return *common.parts(items, 2, 4), text


def chains(args):
    """What a training slice and a test slice go through, and its size."""
    size = (1, 64, 64) if args.quick else (1, 224, 224)
    parts = [mt.Normalize(*SEQUENCES)]
    if not args.data and not args.quick:
        parts.append(mt.CropOrPad(size=(181, *size[1:])))  # the template has 217×181 voxels in the plane
    parts.append(mt.RandomCrop(size=size))
    return mt.Chain([*parts, mt.RandomGaussianNoise(sigma=(0.1, 0.1), p=1.0)]), mt.Chain(parts), size


def stack(batch):
    """[B, 3, 1, Y, X] of a batch's three sequences."""
    return torch.cat([batch[name] for name in SEQUENCES], 1)


def make_optimizer(network, rate, code_rate):
    """Adam with a rate of its own for the two dense layers around the code: no normalisation follows them, and at the convolutions'
    rate their thousands of inputs drive the code into ReLU6's flat ends, where all slices come back alike."""
    dense = [p for p in network.parameters() if p.dim() == 2]
    others = [p for p in network.parameters() if p.dim() != 2]
    return torch.optim.Adam([{"params": others, "lr": rate}, {"params": dense, "lr": code_rate}], eps=1e-5)


def fixed_slices(args, items, chain):
    """[N, 3, 1, Y, X]: HELD_OUT slices of each item, always the same ones."""
    options = {"seed": args.seed, "threads": args.threads, "samples_per_item": HELD_OUT}
    return torch.cat([stack(common.tensors(batch)) for batch in mt.Loader(items, chain, 8, **options)])


def nearest_error(slices, known):
    """The mean squared error of answering each slice with the known one that is nearest to it."""
    distance = torch.cdist(slices.flatten(1), known.flatten(1)).min(1).values
    return float(distance.square().mean() / slices[0].numel())


def reconstructions(slices, made):
    """Each sequence's slices, and below them what came back, in the slices' grey scale."""
    rows, names, ranges = [], [], []
    for k, name in enumerate(SEQUENCES):
        for what, images in (("", slices), (" back", made)):
            rows.append([image[k, 0].numpy() for image in images])
            names.append(name.upper() + what)
            ranges.append(np.percentile(slices[:, k], [1, 99.5]))
    return common.pictures(rows, names=names, size=1.8, ranges=ranges)


def main():
    args = common.parser(__doc__, "autoencode", epochs=800, quick_epochs=100).parse_args()
    rate, code_rate, hidden, crops = (3e-3, 3e-4, 256, 2) if args.quick else (1e-2, 1e-2, 1024, 10)
    with common.session(args):
        train, val, test, text = data(args)
        train_chain, test_chain, size = chains(args)
        feed = common.loader(args, train, train_chain, 8, samples_per_item=crops)
        known, watched, slices = (fixed_slices(args, part, test_chain) for part in (train[:32], val, test))
        filters = (8, 16, 32) if args.quick else (16, 32, 64, 128, 256)
        network = Autoencoder(len(SEQUENCES), size, hidden, filters)

        def loss_of(net, batch):
            x = stack(batch)
            return mse_loss(net(x), x.roll(1, 0) if args.shuffle_labels else x)

        @torch.no_grad()
        def back(net, images):
            return torch.cat([net(part.to(args.device)).cpu() for part in images.split(16)])

        optimizer = make_optimizer(network, rate, code_rate)
        history = common.train(
            args,
            network,
            optimizer,
            feed,
            loss_of,
            lambda net: {"val_mse": mse_loss(back(net, watched), watched)},
            every=(10 if args.quick else 2) * len(feed),
            best=min,
            schedule=common.one_cycle(args, optimizer, feed),
        )
        made, mean = back(network, slices), known.mean(0)
        final, guess = float(mse_loss(made, slices)), float(mse_loss(mean.expand_as(slices), slices))
        nearest = nearest_error(slices, known)
        settings = {
            "slice": "×".join(map(str, size)),
            "filters": filters,
            "hidden numbers": hidden,
            "batch": 8,
            "Adam": f"{rate:g}, dense layers {code_rate:g}",
        }
        report = common.begin_report(args, "Autoencoder", __doc__.split("\n")[0], text, history, settings)
        report.picture(
            common.curves(history, "validation mean squared error", guess),
            "Training loss; error on validation slices; dotted: that of the mean training image on the test slices.",
        )
        some = np.linspace(0, len(slices) - 1, 7).astype(int)
        report.picture(
            reconstructions(slices[some], made[some]),
            "Seven test slices, spread over the test subjects, and what comes back from their code.",
        )
        columns = ["test slices", "MSE", "of the mean training image", "of the nearest training slice"]
        report.table(columns, [[len(slices), final, guess, nearest]])
        scores = {"mse": final, "mse_of_mean": guess, "mse_of_nearest": nearest}
        common.finish(args, report, history, {**scores, "relative_mse": final / guess})


if __name__ == "__main__":
    main()
