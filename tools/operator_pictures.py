#!/usr/bin/env python3
"""Draws doc/operators/NAME.png for every operator: a slice of a real brain before (left) and after (right), with the outlines
of a few of its labels. Part of `make doc`; needs Debian's mricron-data (ch2 and aal) and the built package.

Usage: tools/operator_pictures.py [NAME…]
SPDX-License-Identifier: Apache-2.0
"""

import sys
import tempfile
from pathlib import Path

import microtome as mt
import numpy as np
from microtome import _declare
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = Path("/usr/share/mricron/templates")
MM = 1.5  # of a voxel
SLAB = slice(30, 62)  # of the axial slices: from the basal ganglia to the top of the ventricles
REGIONS = {
    37: 1,
    38: 1,
    41: 2,
    42: 2,
    71: 3,
    72: 3,
    73: 4,
    74: 4,
    77: 5,
    78: 5,
}  # AAL's deep structures → five classes
COLOURS = ((255, 176, 0), (100, 180, 255), (254, 97, 0), (140, 220, 140), (220, 38, 127))

# What an operator is shown with; the seed of the draw is 1. Where nothing is listed the defaults show enough.
ALWAYS = {"p": 1}
EXAMPLES = {
    "resize": {"scale": (1, 0.5, 0.75)},
    "affine": {"matrix": [[0.9, 0.3, 0, -10], [-0.1, 1.1, 0, 0], [0, 0, 1, 0]]},
    "rotate": {"axis": (0, 0, 1), "degrees": 20},
    "flip": {"axis": 1},
    "rot90": {"k": 1, "axes": (1, 2)},
    "crop": {"start": (4, 30, 20), "size": (24, 80, 80)},
    "pad": {"before": (0, 12, 24), "after": (0, 12, 0)},
    "crop_or_pad": {"size": (32, 96, 140)},
    "spacing": {"to": (1.5, 3, 3), "interp": "nearest"},
    "orient": {"to": "PIR"},
    "gaussian_blur": {"sigma": 1.5},
    "zoom": {"factor": 1.5},
    "sharpen": {"sigma": 1.5, "amount": 2},
    "median": {"radius": 2},
    "low_resolution": {"zoom": 0.3},
    "coarse_dropout": {"starts": (0, 20, 30, 0, 70, 60), "size": (32, 24, 32)},
    "histogram_match": {"reference": np.linspace(0, 160, 4096, dtype=np.float32)},
    "histogram_standardize": {"landmarks": (0, 0, 1, 2, 3, 30, 60, 80, 100, 115, 120, 130, 150)},
    "histogram_shift": {"points": (0, 0.5, 0.55, 0.8, 1)},
    "rician_noise": {"sigma": 20},
    "shot": {"factor": 5},
    "salt_and_pepper": {"p": 0.1},
    "window": {"center": 80, "width": 80},
    "gamma": {"gamma": 2.2},
    "contrast": {"factor": 1.8, "keep_range": True},
    "brightness": {"multiply": 1.6},
    "shift": {"offset": 60},
    "gaussian_noise": {"sigma": 15},
    "bias_field": {
        "coefficients": [0, 0.2, 0, 0, 0.5, 0, 0, 0.3, 0, 0, -0.7, 0, 0, 0.3, 0, 0, -0.4, 0, 0, 0.3]
    },
    "gibbs": {"alpha": 0.6},
    "spike": {"position": (0.56, 0.6, 0.5), "intensity": 0.4},
    "ghosting": {"count": 4, "axis": 1, "intensity": 0.9},
    "motion": {
        "degrees": [(3, 0, 6), (-2, 4, -8)],
        "translations": [(3, -4, 0), (0, 6, 2)],
        "times": (0.35, 0.7),
        "axis": 1,
    },
    "random_spike": {"intensity": (0.2, 0.5)},
    "random_gaussian_noise": {"sigma": (10, 30)},
    "random_rician_noise": {"sigma": (10, 30)},
    "random_shot": {"factor": (4, 8)},
    "random_sharpen": {"amount": (2, 3)},
    "random_median": {"radius": 2},
    "random_low_resolution": {"zoom": (0.2, 0.4)},
    "random_coarse_dropout": {"holes": (4, 8), "size": (16, 32)},
    "random_salt_and_pepper": {"share": (0.02, 0.1)},
    "random_affine": {"degrees": (-25, 25), "scale": (0.8, 1.2), "shear": (-0.2, 0.2)},
    "random_crop": {"size": (16, 80, 80)},
    "random_balanced_crop": {"label": "label", "size": (16, 64, 64)},
    "random_blur": {"sigma": (1, 2)},
    "random_shift": {"offset": (20, 60)},
    "one_hot": {"num_classes": 6},
    "elastic": {"max_displacement": 14, "seed": 3},
    "random_elastic": {"sigma": (6, 8), "magnitude": (120, 160)},
    "grid_distortion": {"distort_steps": [[1] * 5, [0.5, 1.5, 1, 0.5, 1.5], [1.5, 0.5, 1, 1.5, 0.5]]},
    "random_grid_distortion": {"distort_limit": (-0.5, 0.5)},
    "random_object_box": {"label": "label", "size": (16, 64, 64)},
    "random_pos_neg_crop": {"label": "label", "size": (16, 64, 64)},
    "random_weighted_crop": {"weights": "image", "size": (16, 64, 64)},
    "random_foreground_crop": {"source": "label", "size": (16, 64, 64)},
    "crop_foreground": {"source": "label", "margin": 6},
    "random_gamma": {"gamma": (2, 3)},
    "random_contrast": {"factor": (1.5, 2)},
    "random_brightness": {"multiply": (1.4, 1.8)},
    "random_bias_field": {"coefficients": (-1, 1)},
    "random_gibbs": {"alpha": (0.6, 0.8)},
    "random_motion": {"degrees": (-15, 15)},
    "random_histogram_shift": {"points": 5},
}
RELATIVE = {"shift", "random_shift", "brightness", "random_brightness", "gaussian_noise", "contrast"}


def brain(folder):
    """The slab as NIfTI files: {"image": …, "label": …}."""
    classes = np.zeros(256, np.uint8)
    for region, number in REGIONS.items():
        classes[region] = number
    to = mt.Chain([mt.Spacing(to=(MM, MM, MM))])(
        {"image": str(TEMPLATES / "ch2.nii.gz"), "label": str(TEMPLATES / "aal.nii.gz")}
    )
    affine = to.affines["image"]
    affine[:3, 3] += affine[:3, 2] * SLAB.start
    item = {"image": str(folder / "image.nii"), "label": str(folder / "label.nii")}
    mt.write(item["image"], np.ascontiguousarray(to["image"][0, SLAB].astype(np.float32)), affine=affine)
    mt.write(item["label"], np.ascontiguousarray(classes[to["label"][0, SLAB]]), affine=affine)
    return item


def outlines(label):
    """[Y, X] numbers of the label whose edge a pixel is, 0: none."""
    edge = np.zeros(label.shape, bool)
    edge[:-1] |= label[:-1] != label[1:]
    edge[:, :-1] |= label[:, :-1] != label[:, 1:]
    return np.where(edge, np.maximum(label, np.roll(label, -1, 0)), 0).astype(int)


def middle(volume):
    """The middle slice of [C, Z, Y, X], anterior up."""
    return np.asarray(volume)[0, np.asarray(volume).shape[1] // 2, ::-1]


def paint(image, label, low, high):
    grey = np.clip((image - low) / (high - low), 0, 1) * 255
    rgb = np.repeat(grey[..., None], 3, 2).astype(np.uint8)
    marks = outlines(label)
    for number, colour in enumerate(COLOURS, 1):
        rgb[marks == number] = colour
    return Image.fromarray(rgb)


def colours_of(label):
    """A label map by itself: every number a colour."""
    table = np.array([(24, 24, 24), *COLOURS], np.uint8)
    number = label.astype(int)
    return Image.fromarray(table[np.where(number > 0, (number - 1) % len(COLOURS) + 1, 0)])


def after(op, sample, ordinary):
    """The picture of a result; values on the input's scale unless the operator changes the scale itself."""
    image, label = middle(sample["image"]), middle(sample["label"])
    if op["kind"] == "label":
        if np.issubdtype(label.dtype, np.floating):
            return paint(label, np.zeros(label.shape, int), label.min(), label.max())
        return colours_of(label)
    low, high = ordinary
    if op["name"] not in RELATIVE and op["kind"] != "geometry":
        low, high = np.percentile(image, (0.5, 99.8))
    return paint(image, label, low, max(high, low + 1e-6))


def picture(op, item, before):
    name = op["name"]
    params = dict(EXAMPLES.get(name, {}))
    if any(p["name"] == "p" for p in op["params"]):
        params = {**ALWAYS, **params}
    sample = mt.Chain([getattr(mt, _declare.class_name(name))(**params)])(item, seed=1)
    ordinary = 0, float(np.percentile(before["image"], 99.8))
    left = paint(middle(before["image"]), middle(before["label"]), *ordinary)
    right = after(op, sample, ordinary)
    gap, height = 6, max(left.height, right.height)
    both = Image.new("RGB", (left.width + gap + right.width, height), "white")
    both.paste(left, (0, (height - left.height) // 2))
    both.paste(right, (left.width + gap, (height - right.height) // 2))
    ImageDraw.Draw(both).rectangle((left.width, 0, left.width + gap - 1, height), fill="white")
    return both.quantize(32, dither=Image.Dither.NONE)


def main():
    if not (TEMPLATES / "ch2.nii.gz").exists():
        sys.exit("operator_pictures: ch2.nii.gz is missing; `tools/setup.sh demo` installs mricron-data")
    folder = ROOT / "doc" / "operators"
    folder.mkdir(exist_ok=True)
    wanted = sys.argv[1:] or list(_declare.OPERATORS)
    with tempfile.TemporaryDirectory() as scratch:
        item = brain(Path(scratch))
        before = mt.Chain([])(item)
        for name in wanted:
            picture(_declare.OPERATORS[name], item, before).save(folder / f"{name}.png", optimize=True)
    for path in folder.glob("*.png"):
        if path.stem not in _declare.OPERATORS:
            path.unlink()
    print(f"doc/operators: {len(wanted)} pictures")


if __name__ == "__main__":
    main()
