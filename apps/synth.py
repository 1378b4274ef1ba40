#!/usr/bin/env python3
"""Synthetic cohorts with a planted, known answer, made from one real brain, for the training programs.

Every subject is the T1 of Debian's mricron-data (ch2, with its brain mask ch2bet and its atlas aal), turned, scaled, warped
smoothly, and of its own contrast; then the task's answer is planted. All files and tables are named synthetic. What a network
learns here shows that a program works, never anything about people.

  sex      a pair of dark, ventricle-like blobs where sex is 1, none where it is 0
  age      global scale falls (1.06 → 0.88) and the blobs' radius grows (5 → 17 mm) from 20 to 80 years
  tissue   t1, t1_ir, flair and a label map of the nine classes of MRBrainS13, with bright lesions in FLAIR
  lesions  objects of three classes and sizes: 1 large with a bright rim, 2 middle and dark, 3 small and brightest
  slices   t1, t2 and pd: three contrasts of one subject
SPDX-License-Identifier: Apache-2.0
"""

import argparse
import csv
import functools
import json
import sys
from pathlib import Path

import microtome as mt
import numpy as np
from scipy.ndimage import map_coordinates

TEMPLATES = Path("/usr/share/mricron/templates")
ORIGIN = np.array(
    [-71.0, -125.0, -90.0]
)  # mm of the templates' first voxel, (z, y, x); they have 1 mm and stand upright
GRIDS = {
    "full": ((181, 217, 181), 1.0),
    "half": ((90, 108, 90), 2.0),
    "small": ((64, 64, 64), 3.0),
}  # voxels, mm
TASKS = ("sex", "age", "tissue", "lesions", "slices")
BLOBS = np.array(
    [[20.0, -22.0, -19.0], [20.0, -22.0, 19.0]]
)  # (z, y, x) mm in the template: right and left of the middle
SHAPE = np.array([0.8, 1.5, 0.7])  # radii of a blob, times its radius
CONTRASTS = {  # intensity of T1 → of another sequence: air, CSF, grey matter, white matter, fat
    "t1": [(0, 40, 85, 110, 400)] * 2,
    "t1_ir": [(0, 40, 85, 110, 255), (0, 10, 60, 150, 220)],
    "flair": [(0, 40, 85, 110, 255), (0, 20, 120, 95, 160)],
    "t2": [(0, 12, 40, 85, 110, 255), (0, 30, 210, 120, 80, 130)],
    "pd": [(0, 40, 85, 110, 255), (0, 150, 170, 130, 190)],
}
OBJECTS = {  # class: how many, radii in mm, intensity of core and rim; 110 is white matter, fat goes up to 255
    1: ((1, 2), (12.0, 17.0), (180.0, 320.0)),
    2: ((1, 3), (7.0, 10.0), (5.0, 5.0)),
    3: ((2, 5), (4.5, 6.0), (380.0, 380.0)),
}
SEQUENCES = {"tissue": ("t1", "t1_ir", "flair"), "slices": ("t1", "t2", "pd")}


@functools.cache
def templates(spacing):
    """{"t1", "brain" (0 to 1), "tissue" (nine classes), "brightness"} [Z, Y, X], smoothed for sampling every `spacing` mm."""
    read = {}
    for name in ("ch2", "ch2bet", "aal"):
        path = TEMPLATES / f"{name}.nii.gz"
        if not path.exists():
            sys.exit(f"synth: {path} is missing; install the Debian package mricron-data")
        read[name] = mt.open(path).read()
    t1, brain, atlas = read["ch2"].astype(np.float32), read["ch2bet"] > 0, read["aal"]
    tissue = tissue_classes(t1, brain, atlas)
    if spacing > 1:
        t1 = mt.ops.gaussian_blur(t1, sigma=0.4 * spacing)
    return {"t1": t1, "brain": brain.astype(np.float32), "tissue": tissue}


def tissue_classes(t1, brain, atlas):
    """MRBrainS13's: 1 cortex, 2 deep grey, 3 white, (4 lesions), 5 CSF, 6 ventricles, 7 cerebellum, 8 brain stem."""
    z, y, x = np.ogrid[tuple(slice(0, n) for n in t1.shape)]
    z, y, x = z + ORIGIN[0], y + ORIGIN[1], x + ORIGIN[2]
    smooth = mt.ops.gaussian_blur(t1, sigma=0.7)
    tissue = np.zeros(t1.shape, np.uint8)
    tissue[brain] = np.where(smooth[brain] < 55, 5, np.where(smooth[brain] < 96, 1, 3))
    middle = (abs(x) < 32) & (y > -60) & (y < 28) & (z > -5) & (z < 30)
    tissue[(tissue == 5) & middle] = 6
    tissue[brain & (atlas >= 71) & (atlas <= 78)] = 2
    tissue[brain & (atlas >= 91)] = 7
    tissue[brain & (atlas == 0) & (abs(x) < 15) & (y > -42) & (y < -12) & (z < -12) & (tissue != 5)] = 8
    return tissue


def pose(rng, grid, spacing, scale):
    """Where every voxel of a new subject lies in the template: mm (z, y, x) as [3, Z, Y, X]."""
    axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * spacing for n in grid]
    points = np.stack(np.meshgrid(*axes, indexing="ij")) / scale
    for a, b in ((0, 1), (0, 2), (1, 2)):
        angle = np.radians(rng.uniform(-5, 5))
        points[a], points[b] = (
            np.cos(angle) * points[a] - np.sin(angle) * points[b],
            np.sin(angle) * points[a] + np.cos(angle) * points[b],
        )
    centre = ORIGIN + (np.array(GRIDS["full"][0]) - 1) / 2
    for k in range(3):
        control = rng.normal(0, 2.5, (5, 6, 5)).astype(np.float32)
        points[k] += mt.ops.resize(control, size=grid, interp="cubic") + np.float32(
            centre[k] + rng.uniform(-3, 3)
        )
    return points


def ball(points, centre, radii):
    """A soft ellipsoid: 1 inside, 0 outside, half way at its surface."""
    distance = sum(((points[k] - centre[k]) / radii[k]) ** 2 for k in range(3))
    return 1 / (1 + np.exp(np.clip(12 * (distance - 1), -60, 60)))


def plant_objects(rng, points, brain, t1, classes):
    """Puts balls into the brain, apart from those of other classes; the labels. classes: number → (least, most of them), (least,
    largest radius in mm), (intensity of the core, of the rim)."""
    label, inside = np.zeros(t1.shape, np.uint8), np.argwhere(brain > 0.9)
    for number, (counts, radii, (core, rim)) in classes.items():
        for _ in range(rng.integers(counts[0], counts[1] + 1)):
            for _ in range(20):
                centre = points[(slice(None), *inside[rng.integers(len(inside))])]
                radius = rng.uniform(*radii) * rng.uniform(0.8, 1.25, 3)
                soft = ball(points, centre, radius) * (brain > 0.5)
                if np.isin(label[ball(points, centre, radius + 5.0) > 0.5], (0, number)).all():
                    break
            else:
                continue  # no room is left
            t1 += soft * (rim + (core - rim) * ball(points, centre, 0.65 * radius) - t1)
            label[soft > 0.5] = number
    return label


def subject(task, number, seed, grid, spacing):
    """One subject: ({sequence: [Z, Y, X]}, label map or None, {column: value})."""
    rng = np.random.default_rng([seed, number, TASKS.index(task)])
    template, facts = templates(spacing), {}
    scale, radius = rng.uniform(0.97, 1.03), 0.0
    if task == "sex":
        facts["sex"] = number % 2
        radius = 15.0 * facts["sex"]
    elif task == "age":
        facts["age"] = round(20 + 60 * ((number * 0.6180339887 + seed * 0.377) % 1), 1)  # spread evenly
        old = (facts["age"] - 20) / 60
        scale, radius = 1.06 - 0.18 * old, 5 + 12 * old
    points = pose(rng, grid, spacing, scale)
    index = points - ORIGIN.astype(np.float32)[:, None, None, None]
    t1 = map_coordinates(template["t1"], index, order=1, mode="constant")
    brain = map_coordinates(template["brain"], index, order=1, mode="constant")
    if radius:
        blob = np.maximum(*(ball(points, c, SHAPE * radius) for c in BLOBS)) * (brain > 0.5)
        t1 += blob * (28 - t1)
    label, extra = None, {}
    if task == "tissue":
        label = map_coordinates(template["tissue"], index, order=0, mode="constant")
        classes = {4: ((1, 3), (4.0, 8.0), (70.0, 70.0))}
        lesions = plant_objects(rng, points, (label == 3).astype(np.float32), t1, classes)
        label[lesions == 4] = 4
        extra["flair"] = (lesions == 4) * 90.0
    elif task == "lesions":
        label = plant_objects(rng, points, brain, t1, OBJECTS)
    images = {}
    for name in SEQUENCES.get(task, ("image",)):
        one = np.interp(t1, *CONTRASTS.get(name, CONTRASTS["t1"])) + extra.get(name, 0)
        one = 255 * (np.clip(one, 0, 400) / 255) ** rng.uniform(0.85, 1.18) * rng.uniform(0.8, 1.25)
        images[name] = np.clip(one + rng.normal(0, 2, grid), 0, 32767).round().astype(np.int16)
    return images, label, facts


def cohort(folder, subjects, task, seed=0, grid="full"):
    """Writes a cohort into a folder, or finds it there; its items, as mt.items.from_csv reads them."""
    folder = Path(folder)
    table, made = folder / f"synthetic_{task}.csv", folder / f"synthetic_{task}.json"
    wanted = {"version": 2, "subjects": subjects, "task": task, "seed": seed, "grid": grid}
    if table.exists() and made.exists() and json.loads(made.read_text()) == wanted:
        return mt.items.from_csv(table)
    folder.mkdir(parents=True, exist_ok=True)
    made.unlink(missing_ok=True)
    extents, spacing = GRIDS[grid]
    affine = np.diag([spacing, spacing, spacing, 1.0])
    middle = (ORIGIN + (np.array(GRIDS["full"][0]) - 1) / 2)[::-1]
    affine[:3, 3] = middle - spacing * (np.array(extents[::-1]) - 1) / 2
    rows = []
    for number in range(subjects):
        images, label, facts = subject(task, number, seed, extents, spacing)
        row, stem = {"subject": f"synthetic_{task}_{number:03d}"}, f"synthetic_{task}_{number:03d}"
        for name, array in {**images, **({} if label is None else {"label": label})}.items():
            row[name] = f"{stem}_{name}.nii.gz"
            mt.write(folder / row[name], array, affine=affine)
        rows.append({**row, **facts})
    with table.open("w", newline="") as f:
        writer = csv.DictWriter(f, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    made.write_text(json.dumps(wanted))
    return mt.items.from_csv(table)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--task", choices=TASKS, default="sex")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--grid", choices=GRIDS, default="full", help="1 mm, 2 mm, or 64 cubed of 3 mm")
    args = parser.parse_args()
    items = cohort(args.out, args.subjects, args.task, args.seed, args.grid)
    print(f"{len(items)} synthetic subjects in {args.out}/synthetic_{args.task}.csv")


if __name__ == "__main__":
    main()
