#!/usr/bin/env python3
"""Super-resolution of T1 volumes by 4 on each axis, as in DLTK's application, compared with linear upsampling.

1 mm T1, z-score, flip left-right, 8 random crops 32×128×128 per volume; input: average pool, kernel 8, stride 4; eight convolutions
16–128 and a transposed one of kernel 8, stride 4; mean squared error, Adam 1e-2 (ε 1e-5), batch 8. --data: IXI_HH as DLTK prepares
it (1mm/). Without it a synthetic cohort. PSNR and SSIM on whole test volumes; another volume
chooses the best weights.
SPDX-License-Identifier: Apache-2.0
"""

import common
import ixi
import microtome as mt
import numpy as np
import torch
from networks import SuperResolution, linear_upsampling, low_resolution
from torch.nn.functional import mse_loss

FACTOR = 4


def data(args):
    """(training, validation, test items, what they are)."""
    if args.data:
        items = ixi.hammersmith(args.data, "1mm", ["t1"])
        return *common.published_parts(items, 100), f"Data: {len(items)} subjects of IXI_HH."
    items, text = common.synthetic(args, "sex", quick=28, full=20)
    items = [{"t1": item["image"]} for item in items]
    return *common.parts(items, 1, 4), text


def whole(item):
    """A z-scored volume [1, 1, Z, Y, X], cut to multiples of the factor."""
    volume = torch.as_tensor(mt.Chain([mt.Normalize("t1")])(item)["t1"])[None]
    return volume[(..., *(slice(0, n - n % FACTOR) for n in volume.shape[2:]))]


@torch.no_grad()
def compare(network, volumes, device):
    """Mean {"network": (PSNR, SSIM), "linear": (PSNR, SSIM)} over volumes, and the last one's pictures."""
    scores = {"network": [], "linear": []}
    for volume in volumes:
        low = low_resolution(volume, FACTOR)
        shown = {"linear": linear_upsampling(low, FACTOR), "network": network(low.to(device)).cpu()}
        for name, made in shown.items():
            a, b = made[0, 0].numpy(), volume[0, 0].numpy()
            scores[name].append((mt.metrics.psnr(a, b), mt.metrics.ssim(a, b)))
    return {name: np.mean(pairs, 0) for name, pairs in scores.items()}, (low, shown, volume)


def side_by_side(low, shown, volume):
    """Low resolution, linear, network and truth: one axial and one coronal slice."""
    volumes = [low.repeat_interleave(FACTOR, 2).repeat_interleave(FACTOR, 3).repeat_interleave(FACTOR, 4)]
    volumes = [v[0, 0].numpy() for v in (*volumes, shown["linear"], shown["network"], volume)]
    z, y = volumes[-1].shape[0] * 9 // 16, volumes[-1].shape[1] // 2
    rows = [[v[z] for v in volumes], [v[:, y] for v in volumes]]
    return common.pictures(rows, ("input", "linear", "network", "truth"), ("axial", "coronal"), size=2.8)


def main():
    args = common.parser(__doc__, "superresolve", epochs=2500, quick_epochs=12).parse_args()
    rate = 3e-3 if args.quick else 1e-2
    with common.session(args):
        train, val, test, text = data(args)
        size = (32, 48, 48) if args.quick else (32, 128, 128)
        chain = mt.Chain([mt.Normalize("t1"), mt.RandomCrop(size=size), mt.RandomFlip(p=0.5, axes=(2,))])
        feed = common.loader(args, train, chain, 8, samples_per_item=8)
        network = SuperResolution(FACTOR, (16, 32, 64) if args.quick else (16, 32, 64, 128))
        volumes, watched = [whole(item) for item in test[:8]], [whole(val[0])]

        def loss_of(net, batch):
            target = batch["t1"].roll(1, 0) if args.shuffle_labels else batch["t1"]
            return mse_loss(net(low_resolution(batch["t1"], FACTOR)), target)

        optimizer = torch.optim.Adam(network.parameters(), rate, eps=1e-5)
        history = common.train(
            args,
            network,
            optimizer,
            feed,
            loss_of,
            lambda net: {"val_psnr": compare(net, watched, args.device)[0]["network"][0]},
            every=max(len(feed), 40),
        )
        scores, shown = compare(network, volumes, args.device)
        settings = {"factor": "4 × 4 × 4", "crops": "×".join(map(str, size)), "batch": 8, "Adam": rate}
        report = common.begin_report(
            args, "Super-resolution", __doc__.split("\n")[0], text, history, settings
        )
        linear = compare(network, watched, args.device)[0]["linear"][0]
        report.picture(
            common.curves(history, "PSNR of the validation volume, dB", linear),
            "Training loss; PSNR while training; dotted: linear upsampling.",
        )
        report.picture(
            side_by_side(*shown), "One test subject: what the network is given, both answers, the truth."
        )
        rows = [[name, float(psnr), float(ssim)] for name, (psnr, ssim) in scores.items()]
        report.table([f"mean of {len(volumes)} test volumes", "PSNR, dB", "SSIM"], rows)
        gain = scores["network"] - scores["linear"]
        result = {
            "psnr": scores["network"][0],
            "psnr_linear": scores["linear"][0],
            "ssim": scores["network"][1],
        }
        result = {name: float(v) for name, v in {**result, "ssim_linear": scores["linear"][1]}.items()}
        common.finish(
            args, report, history, {**result, "psnr_gain": float(gain[0]), "ssim_gain": float(gain[1])}
        )


if __name__ == "__main__":
    main()
