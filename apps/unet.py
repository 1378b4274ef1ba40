"""A small residual-free 3-D U-Net in plain PyTorch, enough for the demo; larger networks come from MONAI.

SPDX-License-Identifier: Apache-2.0
"""

import torch
from torch import nn


def block(inside, out):
    """Two 3×3×3 convolutions with instance normalisation."""
    layers = []
    for channels in (inside, out):
        layers += [
            nn.Conv3d(channels, out, 3, padding=1, bias=False),
            nn.InstanceNorm3d(out, affine=True),
            nn.LeakyReLU(0.1, True),
        ]
    return nn.Sequential(*layers)


class UNet3D(nn.Module):
    """[B, inside, Z, Y, X] → [B, classes, Z, Y, X]; extents must be multiples of 2 ** (len(widths) − 1)."""

    def __init__(self, inside, classes, widths=(8, 16, 32, 64)):
        super().__init__()
        self.down = nn.ModuleList(block(a, b) for a, b in zip((inside, *widths), widths))
        self.up = nn.ModuleList(block(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        self.head = nn.Conv3d(widths[0], classes, 1)

    def forward(self, x):
        kept = []
        for i, stage in enumerate(self.down):
            x = stage(x if i == 0 else nn.functional.max_pool3d(x, 2))
            kept.append(x)
        for stage, skip in zip(self.up, kept[-2::-1]):
            x = stage(torch.cat([nn.functional.interpolate(x, scale_factor=2, mode="nearest"), skip], 1))
        return self.head(x)


def dice_and_cross_entropy(logits, target):
    """Mean of cross entropy and the smooth Dice loss over the classes present. target: [B, Z, Y, X] integers."""
    p = logits.softmax(1)
    truth = nn.functional.one_hot(target, logits.shape[1]).movedim(-1, 1).to(p.dtype)
    space = tuple(range(2, p.ndim))
    both, sizes = (p * truth).sum((0, *space)), (p + truth).sum((0, *space))
    dice = 1 - (2 * both + 1e-5) / (sizes + 1e-5)
    return nn.functional.cross_entropy(logits, target) + dice.mean()


def dice_per_label(prediction, truth, classes):
    """Dice of each label from 1 on; NaN where it is absent in both."""
    out = []
    for c in range(1, classes):
        a, b = prediction == c, truth == c
        total = int(a.sum() + b.sum())
        out.append(2 * int((a & b).sum()) / total if total else float("nan"))
    return out
