"""What the two segmentation programs share: a residual U-Net, Dice, pictures, the control.

SPDX-License-Identifier: Apache-2.0
"""

import json

import matplotlib.patches
import matplotlib.pyplot as plt
import microtome as mt
import numpy as np
import torch
from torch import nn
from torch.nn import functional

COLOURS = plt.get_cmap("tab10").colors


class Unit(nn.Module):
    """Pre-activation residual unit: two (norm, leaky ReLU, 3×3×3 convolution); the way past them is pooled where it strides."""

    def __init__(self, inside, out, stride=(1, 1, 1)):
        super().__init__()
        self.stride = stride
        self.first = self._part(inside, out, stride)
        self.second = self._part(out, out, (1, 1, 1))
        self.past = nn.Identity() if inside == out else nn.Conv3d(inside, out, 1, bias=False)

    @staticmethod
    def _part(inside, out, stride):
        return nn.Sequential(
            nn.InstanceNorm3d(inside, affine=True),
            nn.LeakyReLU(0.1),
            nn.Conv3d(inside, out, 3, stride, padding=1, bias=False),
        )

    def forward(self, x):
        past = x if max(self.stride) == 1 else functional.max_pool3d(x, self.stride, ceil_mode=True)
        return self.second(self.first(x)) + self.past(past)


class ResidualUNet(nn.Module):
    """[B, inside, Z, Y, X] → [B, classes, Z, Y, X], any extents. deep: a list in training, finest first, each half as fine as the one
    before. strides: of each level's first unit; units: per level, going down."""

    def __init__(self, inside, classes, widths, strides, units=2, deep=False):
        super().__init__()
        self.deep = deep
        self.stem = nn.Conv3d(inside, widths[0], 3, padding=1, bias=False)
        self.down = nn.ModuleList()
        for before, width, stride in zip((widths[0], *widths), widths, strides):
            more = [Unit(width, width) for _ in range(units - 1)]
            self.down.append(nn.Sequential(Unit(before, width, stride), *more))
        self.up = nn.ModuleList(Unit(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        # What has no part in the loss must not be there: DistributedDataParallel would wait for its gradients.
        heads = widths[-2::-1] if deep else widths[:1]
        self.heads = nn.ModuleList(nn.Conv3d(w, classes, 1) for w in heads)

    def forward(self, x):
        x, kept = self.stem(x), []
        for level in self.down:
            x = level(x)
            kept.append(x)
        outputs = []
        for up, skip in zip(self.up, kept[-2::-1]):
            x = functional.interpolate(x, size=skip.shape[2:], mode="trilinear", align_corners=False)
            x = up(torch.cat([x, skip], 1))
            outputs.append(x)
        if self.deep and self.training:
            return [head(x) for head, x in zip(self.heads, outputs)][::-1]
        return self.heads[-1](outputs[-1])


def items_of(sample, fields):
    """The fields of a chain's sample as one volume [C, Z, Y, X] of float32."""
    return np.concatenate([np.asarray(sample[f], np.float32) for f in fields])


def stacked(batch, fields):
    """The fields of a batch of tensors as [B, C, Z, Y, X]."""
    return torch.cat([batch[f].float() for f in fields], 1)


def dataset_json(folder):
    """(train, held out, image fields, names of the labels, sentence) of nnU-Net's layout or the Decathlon's."""
    items, facts = mt.items.from_dataset_json(folder), json.loads((folder / "dataset.json").read_text())
    numbers = {int(n): k for k, n in facts["labels"].items()} if "channel_names" in facts else facts["labels"]
    names = [name for _, name in sorted((int(n), name) for n, name in numbers.items())][1:]
    known, held_out = mt.items.split(items, (0.8, 0.2), seed=0)
    fields = [name for name in items[0] if name.startswith("image")]
    return known, held_out, fields, names, f"Data: {len(items)} cases of {folder}."


def scrambled(items, folder, seed):
    """The control: every label map's voxels in random order, in new files; there is nothing left to learn but how many they are."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, out = np.random.default_rng(seed), []
    for i, item in enumerate(items):
        label = mt.open(item["label"])
        path = folder / f"synthetic_scrambled_{i:03d}.nii.gz"
        mt.write(path, rng.permutation(label.read().ravel()).reshape(label.shape), affine=label.affine)
        out.append({**item, "label": str(path)})
    return out


def dice_of(pairs, classes):
    """{val_dice: mean, dice_1: …} of pairs (prediction, truth) of label maps; labels that are in neither are left out."""
    each = np.array([mt.metrics.dice(p, t, classes, include_background=False) for p, t in pairs])
    mean = [mt.metrics.nanmean(each[:, c]) for c in range(each.shape[1])]
    return {"val_dice": mt.metrics.nanmean(mean), **{f"dice_{c}": v for c, v in enumerate(mean, 1)}}


def overlays(rows, titles, names, labels):
    """A figure: each row pairs of a grey slice [Y, X] and a label map to draw over it (None: none), and what the colours mean."""
    columns = len(rows[0])
    size = (2.6 * columns, 2.7 * len(rows) + 0.4)
    figure, axes = plt.subplots(len(rows), columns, figsize=size, squeeze=False, layout="constrained")
    for i, row in enumerate(rows):
        for axis, (grey, label) in zip(axes[i], row):
            low, high = np.percentile(grey, [1, 99.5])
            rgb = np.repeat(np.clip((grey - low) / max(high - low, 1e-6), 0, 1)[..., None], 3, 2)
            for c in np.unique(label)[1:] if label is not None else ():
                rgb[label == c] = 0.45 * rgb[label == c] + 0.55 * np.array(COLOURS[(int(c) - 1) % 10])
            axis.imshow(rgb, origin="lower", interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        if i < len(names):
            axes[i][0].set_ylabel(names[i], fontsize=8)
    for axis, title in zip(axes[0], titles):
        axis.set_title(title, fontsize=9)
    patches = [matplotlib.patches.Patch(color=COLOURS[c % 10], label=name) for c, name in enumerate(labels)]
    figure.legend(handles=patches, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def drawn(chain, items, field, n=6):
    """What the network sees: the fullest slices of n samples of a chain, as a row for overlays()."""
    samples = [chain(item, seed=1, index=i) for i, item in enumerate((items * n)[:n])]
    slices = [(fullest(np.asarray(s["label"])[0]), s) for s in samples]
    return [(np.asarray(s[field])[0, z], np.asarray(s["label"])[0, z]) for z, s in slices]


def fullest(label):
    """The slice of a label map that shows most classes, and of those the one with most voxels."""
    return int(np.argmax([len(np.unique(plane)) + (plane > 0).mean() for plane in label]))


def comparison(runs, names):
    """The Dice curve of each way, the mean and the smallest label."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True, layout="constrained")
    shown = {"val_dice": "mean of the labels", f"dice_{len(names)}": names[-1]}
    for axis, (key, title) in zip(axes, shown.items()):
        for (way, run), colour in zip(runs.items(), ("#2a5db0", "#c26a1a")):
            points = [(step, values[key]) for step, values in run["val"]]
            axis.plot(*zip(*points), marker="o", ms=3, label=way, color=colour)
        axis.set(title=f"Dice, {title}", xlabel="step", ylim=(0, 1))
        axis.grid(alpha=0.25)
    axes[0].legend(frameon=False)
    return figure
