"""Rows of the MR artefacts on 128³ float32, one core.

SPDX-License-Identifier: Apache-2.0
"""

import microtome as mt
import numpy as np
from data import cube
from harness import Row
from peers import monai, present, tio, torch

COEFFICIENTS = np.linspace(-0.5, 0.5, 20)
MOVES = {
    "degrees": np.array([[3.0, 4, 5], [5, -4, 2]]),
    "translations": np.array([[3.0, 4, 5], [5, -4, 2]]),
    "times": np.array([0.3, 0.7]),
}


def torchio(a, transform):
    """A call of TorchIO's transform; the image is made outside the clock."""
    image = tio.ScalarImage(tensor=torch.from_numpy(a)[None])
    return lambda: transform(image)


def bias_rows(a):
    def field():
        t = monai.transforms.RandBiasField(prob=1.0)
        x = torch.from_numpy(a)[None]
        return lambda: t(x)

    peers = {
        "MONAI": (monai, monai and field()),
        "TorchIO": (tio, tio and torchio(a, tio.BiasField(list(COEFFICIENTS), 3))),
    }
    yield Row(
        "bias field", lambda: mt.ops.bias_field(a, COEFFICIENTS), present(peers), {"MONAI": 4, "TorchIO": 4}
    )


def gibbs_rows(a):
    x = torch and torch.from_numpy(a)[None]
    for alpha in (0.3, 0.6):
        peers = {"MONAI": (monai, monai and (lambda t=monai.transforms.GibbsNoise(alpha): t(x)))}
        yield Row(f"gibbs α {alpha}", lambda v=alpha: mt.ops.gibbs(a, v), present(peers), {"MONAI": 4})


def spike_rows(a):
    where = (0.3, 0.4, 0.6)
    at = tuple(int(p * n) for p, n in zip(where, a.shape, strict=True))
    for name, values in (("values of both signs", a), ("values from 0 on", np.abs(a))):
        x = torch and torch.from_numpy(values)[None]
        peers = {
            "MONAI": (monai, monai and (lambda t=monai.transforms.KSpaceSpikeNoise(at, 13.0), x=x: t(x))),
            "TorchIO": (tio, tio and torchio(values, tio.Spike(np.array([where]), 1.5))),
        }
        yield Row(
            f"spike, {name}",
            lambda v=values: mt.ops.spike(v, where, 1.5),
            present(peers),
            {"MONAI": 4, "TorchIO": 4},
        )


def ghosting_rows(a):
    for axis, name in enumerate("zyx"):
        peers = {"TorchIO": (tio, tio and torchio(a, tio.Ghosting(7, axis, 0.7, 0.1)))}
        yield Row(
            f"ghosting along {name}",
            lambda i=axis: mt.ops.ghosting(a, 7, i, 0.7, 0.1),
            present(peers),
            {"TorchIO": 4},
        )


def motion_rows(a):
    peers = {
        "TorchIO": (
            tio,
            tio and torchio(a, tio.Motion(MOVES["degrees"], MOVES["translations"], MOVES["times"], "linear")),
        )
    }
    yield Row(
        "motion, two moves", lambda: mt.ops.motion(a, **MOVES), present(peers), {"TorchIO": 4}, budget_s=12
    )


def rows():
    a = cube()
    yield from bias_rows(a)
    yield from gibbs_rows(a)
    yield from spike_rows(a)
    yield from ghosting_rows(a)
    yield from motion_rows(a)
