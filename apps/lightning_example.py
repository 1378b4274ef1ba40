#!/usr/bin/env python3
"""The same batches under PyTorch Lightning, with a checkpoint that goes on in mid-epoch. Made-up cubes: is the bright one large or small?

    pip install lightning; python apps/lightning_example.py --steps 60; python apps/lightning_example.py --steps 90 --resume

SPDX-License-Identifier: Apache-2.0
"""

import argparse
from pathlib import Path

import lightning as L
import microtome as mt
import numpy as np
import torch
from torch import nn


def cubes(n, seed=0):
    """Items with a planted answer: noise with a bright cube of 5 or 9 voxels, sex-like label 0 or 1."""
    rng, items = np.random.default_rng(seed), []
    for i in range(n):
        image = rng.normal(size=(24, 24, 24)).astype(np.float32)
        width = (5, 9)[i % 2]
        z, y, x = rng.integers(0, 24 - width, 3)
        image[z : z + width, y : y + width, x : x + width] += 3
        items.append({"image": image, "large": i % 2})
    return items


class Classifier(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(
            nn.Conv3d(1, 8, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(8, 2)
        )

    def training_step(self, batch, number):
        logits, truth = self.network(batch["image"]), torch.as_tensor(batch["large"])
        loss = nn.functional.cross_entropy(logits, truth)
        self.log_dict({"train_loss": loss, "train_accuracy": (logits.argmax(1) == truth).float().mean()})
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 5e-3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("lightning-out"))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--resume", action="store_true")
    args = parser.parse_args()

    L.seed_everything(0)
    chain = mt.Chain(
        [mt.Normalize("image"), mt.RandomFlip(p=0.5), mt.RandomGaussianNoise(sigma=(0, 0.3), p=0.5)]
    )
    # It finds its shard under Trainer(devices=…, strategy="ddp"), and Lightning keeps its place in the checkpoint.
    data = mt.torch.IterableDataset(cubes(40), chain, batch_size=4, shuffle=True, seed=0)
    trainer = L.Trainer(
        max_steps=args.steps,
        accelerator="cpu",
        default_root_dir=args.out,
        log_every_n_steps=10,
        enable_progress_bar=False,
    )
    last = args.out / "last.ckpt"
    trainer.fit(Classifier(), data, ckpt_path=last if args.resume else None)
    trainer.save_checkpoint(last)
    print({k: round(float(v), 3) for k, v in trainer.callback_metrics.items()}, data.state())


if __name__ == "__main__":
    main()
