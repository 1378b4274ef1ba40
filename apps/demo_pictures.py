"""The demo's figures: slices with labels over them, augmented patches, curves.

SPDX-License-Identifier: Apache-2.0
"""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first: there may be no screen)
import numpy as np  # noqa: E402
from matplotlib.colors import ListedColormap  # noqa: E402

PALETTE = ListedColormap(
    ["#000000", "#e6a23c", "#c94f4f", "#5b8def", "#58b368", "#b07cc6", "#3fb8af", "#d96fa6"]
)


def show(axis, image, label=None, title="", classes=8):
    """One slice [Y, X], anterior or superior upwards, the label map half transparent over it."""
    low, high = np.percentile(image, [1, 99.5])
    axis.imshow(
        image, cmap="gray", origin="lower", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest"
    )
    if label is not None:
        axis.imshow(
            np.ma.masked_equal(label, 0),
            cmap=PALETTE,
            origin="lower",
            vmin=0,
            vmax=classes - 1,
            alpha=0.55,
            interpolation="nearest",
        )
    axis.set_title(title, fontsize=9)
    axis.set_axis_off()


def planes(volume, label=None, at=None):
    """The three planes through `at` (default: the middle) of [Z, Y, X]."""
    at = at or [n // 2 for n in volume.shape]
    names = ("axial", "coronal", "sagittal")
    figure, axes = plt.subplots(1, 3, figsize=(10, 3.6))
    for i, (axis, name) in enumerate(zip(axes, names)):
        where = tuple(at[i] if j == i else slice(None) for j in range(3))
        show(axis, volume[where], None if label is None else label[where], name)
    figure.tight_layout()
    return figure


def patches(images, labels, columns=6):
    """The middle coronal slice of each patch [N, Z, Y, X], its labels beneath."""
    n = min(columns, len(images))
    figure, axes = plt.subplots(2, n, figsize=(1.75 * n, 4), squeeze=False)
    for i in range(n):
        middle = images[i].shape[1] // 2
        show(axes[0][i], images[i][:, middle], title=f"sample {i}")
        show(axes[1][i], images[i][:, middle], labels[i][:, middle])
    figure.tight_layout()
    return figure


def against_truth(image, truth, prediction):
    """Truth above, prediction below, at three axial levels of [Z, Y, X]."""
    levels = [int(image.shape[0] * part) for part in (0.35, 0.5, 0.65)]
    figure, axes = plt.subplots(2, 3, figsize=(8, 6.4))
    for column, z in enumerate(levels):
        show(axes[0][column], image[z], truth[z], f"atlas, slice {z}")
        show(axes[1][column], image[z], prediction[z], f"network, slice {z}")
    figure.tight_layout()
    return figure


def curves(steps, loss, validation):
    """Training loss and the held-out hemisphere's mean Dice over the steps."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
    left.plot(steps, loss, color="#5b8def", alpha=0.35, linewidth=1)
    window = max(1, len(loss) // 20)
    smooth = np.convolve(loss, np.ones(window) / window, mode="valid")
    left.plot(steps[window - 1 :], smooth, color="#2a5db0")
    left.set_xlabel("step")
    left.set_title("training loss (Dice + cross entropy)", fontsize=10)
    right.plot(*zip(*validation), color="#2f8f5b", marker="o", markersize=3)
    right.set_ylim(0, 1)
    right.set_xlabel("step")
    right.set_title("mean Dice, held-out hemisphere", fontsize=10)
    for axis in (left, right):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def bars(names, values, unit):
    """Horizontal bars with their numbers."""
    figure, axis = plt.subplots(figsize=(8, 0.45 * len(names) + 1.0), layout="constrained")
    axis.barh(names[::-1], values[::-1], color="#5b8def")
    for i, v in enumerate(values[::-1]):
        axis.text(v, i, f" {v:.3g}", va="center", fontsize=9)
    axis.set_xlabel(unit)
    axis.set_xlim(0, max([*values, 1e-9]) * 1.15)
    axis.spines[["top", "right"]].set_visible(False)
    return figure
