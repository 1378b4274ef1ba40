#!/usr/bin/env python3
"""A convolutional autoencoder of T1, T2 and PD slices, as in DLTK's application.

1 mm T1, T2 and PD, each z-scored, noise σ 0.1, 10 random crops 1×224×224 per subject → five scales 16–256 of stride 2 in the plane,
two convolutions each → 1024 numbers → the same way back; mean squared error, Adam (ε 1e-5), batch 8. --data: IXI_HH as DLTK
prepares it (1mm/). Without it a synthetic cohort. Compared with the mean training image, the best answer that knows nothing.
SPDX-License-Identifier: Apache-2.0
"""

import common
import ixi
import microtome as mt
import torch
from networks import Autoencoder
from torch.nn.functional import mse_loss

SEQUENCES = ("t1", "t2", "pd")


def data(args):
    """(training, test items, what they are)."""
    if args.data:
        items = ixi.hammersmith(args.data, "1mm", SEQUENCES)
        return items[:100], items[100:] or items[-1:], f"Data: {len(items)} subjects of IXI_HH."
    items, text = common.synthetic(args, "slices", quick=24, full=20)
    items = [{name: item[name] for name in SEQUENCES} for item in items]
    return items[:-4], items[-4:], text


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


def main():
    args = common.parser(__doc__, "autoencode", epochs=800, quick_epochs=12).parse_args()
    rate, hidden = (3e-3, 256) if args.quick else (1e-2, 1024)
    with common.session(args):
        train, test, text = data(args)
        train_chain, test_chain, size = chains(args)
        feed = common.loader(args, train, train_chain, 8, samples_per_item=10)
        fixed = mt.Loader(
            test, test_chain, batch_size=8, seed=args.seed, threads=args.threads, samples_per_item=10
        )
        slices = torch.cat([stack(common.tensors(batch)) for batch in fixed])
        known = mt.Loader(
            train, test_chain, batch_size=8, seed=args.seed, threads=args.threads, samples_per_item=4
        )
        mean = torch.cat([stack(common.tensors(batch)) for batch in known]).mean(0)
        filters = (8, 16, 32, 64, 128) if args.quick else (16, 32, 64, 128, 256)
        network = Autoencoder(len(SEQUENCES), size, hidden, filters)

        def loss_of(net, batch):
            x = stack(batch)
            return mse_loss(net(x), x.roll(1, 0) if args.shuffle_labels else x)

        def error(net):
            parts = [net(part.to(args.device)).cpu() for part in slices.split(16)]
            return float(mse_loss(torch.cat(parts), slices))

        optimizer = torch.optim.Adam(network.parameters(), rate, eps=1e-5)
        history = common.train(
            args,
            network,
            optimizer,
            feed,
            loss_of,
            lambda net: {"val_mse": error(net)},
            every=2 * len(feed),
            best=min,
            schedule=common.one_cycle(args, optimizer, feed),
        )
        with torch.no_grad():
            final, made = error(network), network(slices[::7].to(args.device)).cpu()
        guess = float(mse_loss(mean.expand_as(slices), slices))
        settings = {
            "slice": "×".join(map(str, size)),
            "filters": filters,
            "hidden numbers": hidden,
            "batch": 8,
            "Adam": rate,
        }
        report = common.begin_report(args, "Autoencoder", __doc__.split("\n")[0], text, history, settings)
        report.picture(
            common.curves(history, "held-out mean squared error", guess),
            "Training loss; error on held-out slices; dotted: the mean training image.",
        )
        shown = slices[::7][:6]
        order = shown[:, 0].std((1, 2, 3)).argsort(descending=True)  # slices with most brain first
        rows, names = [], []
        for k, name in enumerate(SEQUENCES):
            for what, images in (("", shown), (", from the code", made)):
                rows.append([images[i, k, 0].numpy() for i in order])
                names.append(name.upper() + what)
        report.picture(
            common.pictures(rows, names=names, size=1.8),
            "Held-out slices and what the network makes of them.",
        )
        report.table(["held-out slices", "MSE", "MSE of the mean image"], [[len(slices), final, guess]])
        common.finish(
            args, report, history, {"mse": final, "mse_of_mean": guess, "relative_mse": final / guess}
        )


if __name__ == "__main__":
    main()
