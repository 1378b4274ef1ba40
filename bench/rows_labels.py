"""Rows of label maps: components, boxes of objects, distances; one core.

SPDX-License-Identifier: Apache-2.0
"""

import atexit
import shutil
import tempfile
from pathlib import Path

import microtome as mt
import numpy as np
from harness import Row
from peers import dali, ndimage, present, sitk


def blobs(n, classes=1, seed=0):
    """Smooth blobs of some classes on a background, about a sixth of the volume each, uint8."""
    out = np.zeros((n, n, n), np.uint8)
    for c in range(classes):
        noise = np.random.default_rng(seed + c).standard_normal((n, n, n), np.float32)
        field = mt.ops.gaussian_blur(noise, sigma=3.0)
        out[field > field.std()] = c + 1
    return out


class DaliBoxes:
    """DALI's operator, which finds the objects and draws one."""

    def __init__(self, label):
        from nvidia.dali import fn, pipeline_def

        @pipeline_def(batch_size=1, num_threads=1, device_id=None, prefetch_queue_depth=1)
        def pipe():
            fed = fn.external_source(source=lambda: [label], batch=True, no_copy=True)
            return tuple(fn.segmentation.random_object_bbox(fed, format="start_end"))

        self.pipe = pipe()
        self.pipe.build()

    def __call__(self):
        return self.pipe.run()


def component_rows():
    for n, connectivity, full in ((128, "faces", False), (256, "faces", False), (256, "full", True)):
        a = blobs(n)
        image = sitk and sitk.GetImageFromArray(a)
        shape = np.ones((3, 3, 3)) if full else None
        peers = {
            "SimpleITK": (sitk, lambda image=image, full=full: sitk.ConnectedComponent(image, full)),
            "SciPy": (ndimage, lambda a=a, shape=shape: ndimage.label(a, shape)),
        }
        yield Row(
            f"connected components {n}³, {connectivity}",
            lambda a=a, connectivity=connectivity: mt.ops.connected_components(a, connectivity),
            present(peers),
            {"SimpleITK": 2},
            rounds=40,
        )


def box_rows():
    a = blobs(128, classes=3)
    image = sitk and sitk.GetImageFromArray(a)
    peers = {
        "SimpleITK": (sitk, lambda: sitk.ConnectedComponent(image)),
        "DALI": (dali, dali and DaliBoxes(a)),
        "SciPy": (ndimage, lambda: [ndimage.find_objects(ndimage.label(a == c)[0]) for c in (1, 2, 3)]),
    }
    yield Row(
        "object boxes 128³, 3 classes (SimpleITK: its components alone)",
        lambda: mt.ops.object_boxes(a),
        present(peers),
        {"SimpleITK": 2},
        rounds=60,
    )


def index_rows():
    a = blobs(128, classes=3)
    folder = Path(tempfile.mkdtemp(prefix="microtome-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    mt.write(folder / "label.npy", a)
    im = mt.open(folder / "label.npy", index=folder / "bench.index")
    im.objects()  # found, and kept in the index
    yield Row("object boxes of the same from the index", im.objects, most_ms=0.05, rounds=400)


def distance_rows():
    for n in (128, 256):
        a = blobs(n)
        peers = {"SciPy": (ndimage, lambda a=a: ndimage.distance_transform_edt(a))}
        yield Row(
            f"distance transform {n}³",
            lambda a=a: mt.ops.distance_transform(a),
            present(peers),
            {"SciPy": 4},
            rounds=5,
            budget_s=20,
        )


def rows():
    yield from component_rows()
    yield from box_rows()
    yield from index_rows()
    yield from distance_rows()
