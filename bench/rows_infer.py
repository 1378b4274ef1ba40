"""Rows of inference: blending windows into 256³ with five classes, one core. The network costs nothing: it gives the same
tensor each time, to ours and to MONAI alike.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
from data import cube
from harness import Row
from peers import maybe, monai, torch

SIDE, CLASSES = 256, 5


def blending_row(window, batch, labels, ratio, given=False):
    """labels: the arg-max, of MONAI's result by torch. given: ours stores scores in an array that the caller has (MONAI makes a new one
    each time)."""
    out = np.zeros((CLASSES, SIDE, SIDE, SIDE), np.float32) if given else None
    image = np.zeros((1, SIDE, SIDE, SIDE), np.float32)
    scores = np.zeros((batch, CLASSES, window, window, window), np.float32)

    def ours():
        return mt.infer.sliding_window(
            image, lambda b: scores[: len(b)], window, batch_size=batch, argmax=labels, out=out
        )

    peers = {}
    if monai and torch:
        infer = maybe("monai.inferers").sliding_window_inference
        tensor, constant = torch.from_numpy(image[None]), torch.from_numpy(scores)

        def theirs():
            size = (window,) * 3
            out = infer(tensor, size, batch, lambda b: constant[: len(b)], overlap=0.5, mode="gaussian")
            return out.argmax(1) if labels else out

        peers["MONAI"] = theirs
    kind = "labels" if labels else "scores, in a given array" if given else "scores"
    return Row(
        f"windows of {window}³ blended into 256³ × 5 {kind}, batch {batch}",
        ours,
        peers,
        {"MONAI": ratio},
        rounds=5,
        budget_s=20,
    )


def hausdorff_row():
    smooth = mt.ops.gaussian_blur(cube(128), 6)
    a, b = smooth > np.median(smooth), mt.ops.gaussian_blur(smooth, 1) > np.median(smooth) * 1.02
    peers = {}
    if monai and torch:
        measure = maybe("monai.metrics").compute_hausdorff_distance
        hot = [torch.from_numpy(m[None, None]) for m in (a, b)]
        peers["MONAI"] = lambda: measure(*hot, include_background=True, percentile=95)
    return Row("Hausdorff 95 %, 128³", lambda: mt.metrics.hausdorff95(a, b), peers, budget_s=10)


def rows():
    for window in (128, 96):
        for batch in (1, 4):
            yield blending_row(window, batch, True, 5)
        yield blending_row(window, 4, False, 5, given=True)
        yield blending_row(window, 4, False, 5)
    yield hausdorff_row()
