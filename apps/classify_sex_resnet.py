#!/usr/bin/env python3
"""Sex from 2 mm T1 volumes of IXI with a residual network, as in DLTK's application.

z-score, flip left-right, 2 random crops 64×96×96 per volume → residual network 16–256, two units per scale → cross entropy, Adam
1e-3 (ε 1e-5), batch 8; a subject's answer is the mean of four crops. --data: IXI_HH as DLTK prepares it (demographic_HH.csv and
2mm/). Without it a synthetic cohort: dark blobs in the middle where sex is 1.
SPDX-License-Identifier: Apache-2.0
"""

import common
import crops
import torch
from torch.nn.functional import cross_entropy


def main():
    args = common.parser(__doc__, "classify_sex_resnet", epochs=1300, quick_epochs=6).parse_args()
    with common.session(args):
        train, val_items, test_items, text = crops.data(args, "sex")
        feed, val, test = crops.feeds(args, train, val_items, test_items)
        network = crops.network(args, 2)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3, eps=1e-5)

        def accuracy(net, loader):
            outputs, truth = crops.predict(net, loader, "sex", args.device)
            return float((outputs.argmax(1) == truth).float().mean())

        history = common.train(
            args,
            network,
            optimizer,
            feed,
            lambda net, batch: cross_entropy(net(batch["t1"]), batch["sex"]),
            lambda net: {"val_accuracy": accuracy(net, val)},
            every=2 * len(feed),
            schedule=common.one_cycle(args, optimizer, feed),
        )
        final = accuracy(network, test)
        settings = {
            "network": "residual, pre-activation",
            "batch": 8,
            "Adam": 1e-3,
            "crops per subject at test": 4,
        }
        report = common.begin_report(
            args, "Sex, residual network", __doc__.split("\n")[0], text, history, settings
        )
        report.picture(
            common.curves(history, "validation accuracy", 0.5), "Training loss; validation accuracy."
        )
        report.picture(
            crops.crops_picture(feed), "Six training crops: z-scored, flipped, as the network sees them."
        )
        report.table(["test subjects", "accuracy, best weights"], [[len(test_items), final]])
        common.finish(args, report, history, {"accuracy": final, "test_subjects": len(test_items)})


if __name__ == "__main__":
    main()
