#!/usr/bin/env python3
"""Age from 2 mm T1 volumes of IXI with a residual network, as in DLTK's application.

As classify_sex_resnet.py, with one output and the mean squared error; RMSE and MAE in years. The network learns (age − mean) / spread
of the training ages, so that its first steps need not find their mean. --data: IXI_HH as DLTK prepares it. Without it a synthetic
cohort: from 20 to 80 years the head shrinks and the blobs in the middle grow.
SPDX-License-Identifier: Apache-2.0
"""

import common
import crops
import matplotlib.pyplot as plt
import microtome as mt
import numpy as np
import torch
from torch.nn.functional import mse_loss


def scatter(truth, predicted):
    figure, axis = plt.subplots(figsize=(4.6, 4.2))
    axis.plot(truth, predicted, "o", color="#2a5db0", markersize=4)
    ends = [min(truth), max(truth)]
    axis.plot(ends, ends, color="#999", linestyle=":")
    axis.set_xlabel("age, years")
    axis.set_ylabel("predicted, years")
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def main():
    args = common.parser(__doc__, "regress_age", epochs=1300, quick_epochs=6).parse_args()
    with common.session(args):
        train, val_items, test_items, text = crops.data(args, "age")
        feed, val, test = crops.feeds(args, train, val_items, test_items)
        ages = np.array([item["age"] for item in train])
        mean, spread = float(ages.mean()), float(ages.std())
        network = crops.network(args, 1)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3, eps=1e-5)

        def years(net, loader):
            outputs, truth = crops.predict(net, loader, "age", args.device)
            return outputs[:, 0].numpy() * spread + mean, truth.numpy().astype(np.float32)

        def errors(net):
            predicted, truth = years(net, val)
            return {
                "val_mae": mt.metrics.mae(predicted, truth),
                "val_rmse": mt.metrics.rmse(predicted, truth),
            }

        history = common.train(
            args,
            network,
            optimizer,
            feed,
            lambda net, batch: mse_loss(net(batch["t1"])[:, 0], (batch["age"].float() - mean) / spread),
            errors,
            every=2 * len(feed),
            schedule=common.one_cycle(args, optimizer, feed),
            best=min,
        )
        predicted, truth = years(network, test)
        mae, rmse = mt.metrics.mae(predicted, truth), mt.metrics.rmse(predicted, truth)
        guess = mt.metrics.mae(np.full_like(truth, mean), truth)
        settings = {
            "network": "residual, pre-activation",
            "batch": 8,
            "Adam": 1e-3,
            "crops per subject at test": 4,
        }
        report = common.begin_report(
            args, "Age, residual network", __doc__.split("\n")[0], text, history, settings
        )
        report.picture(
            common.curves(history, "validation MAE, years", guess),
            "Training loss in squared spreads; validation error; dotted: always guessing the training mean.",
        )
        report.picture(scatter(truth, predicted), "Test subjects; dotted: exact.")
        report.picture(
            crops.crops_picture(feed), "Six training crops: z-scored, flipped, as the network sees them."
        )
        report.table(
            ["test subjects", "MAE, years", "RMSE, years", "MAE of guessing the mean"],
            [[len(truth), mae, rmse, guess]],
        )
        scores = {"mae": mae, "rmse": rmse, "mae_of_mean": guess, "relative_mae": mae / guess}
        common.finish(args, report, history, scores)


if __name__ == "__main__":
    main()
