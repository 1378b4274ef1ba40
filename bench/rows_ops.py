"""Rows of the operators on 128³ float32, one core.

SPDX-License-Identifier: Apache-2.0
"""

import itertools

import microtome as mt
import numpy as np
from data import cube
from harness import Row
from peers import Dali, bgv2, dali, monai, ndimage, present, sitk, tio, torch


def rotation(degrees=20.0, n=128):
    """Output → input, 3×4 in (x, y, z), continuous coordinates, about the centre of an n³ volume, axis (1, 1, 1)."""
    u = np.ones(3) / np.sqrt(3)
    k = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    t = np.deg2rad(degrees)
    r = np.eye(3) + np.sin(t) * k + (1 - np.cos(t)) * k @ k
    c = np.full(3, n / 2)
    return np.column_stack([r, c - r @ c])


def sitk_affine(a, m, interpolator):
    """The same resampling by SimpleITK; images are made outside the clock."""
    image = sitk.GetImageFromArray(a)
    r, t = m[:, :3], m[:, 3]
    transform = sitk.AffineTransform(r.ravel().tolist(), (t + r @ np.full(3, 0.5) - 0.5).tolist())
    return lambda: sitk.Resample(image, image, transform, interpolator, 0.0)


def torch_affine(a, m, mode):
    x = torch.from_numpy(a)[None, None]
    n = a.shape[0]
    r = m[:, :3]
    theta = torch.from_numpy(np.column_stack([r, (r @ np.full(3, n / 2) + m[:, 3] - n / 2) * 2 / n])).float()[
        None
    ]
    functional = torch.nn.functional

    def call():
        grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, mode=mode, padding_mode="border", align_corners=False)

    return call


def scipy_affine(a, m, order):
    p = m[:, :3][::-1, ::-1]
    offset = (m[:, :3] @ np.full(3, 0.5) + m[:, 3] - 0.5)[::-1]
    return lambda: ndimage.affine_transform(a, p, offset, order=order, mode="nearest")


def warp_rows(a):
    m = rotation()
    for interp, mode, order, ratio in (
        ("linear", "bilinear", 1, 4),
        ("nearest", "nearest", 0, 4),
        ("cubic", None, 3, 10),
    ):
        peers = {
            "SimpleITK": (
                sitk,
                sitk
                and sitk_affine(
                    a, m, {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline}[order]
                ),
            ),
            "SciPy": (ndimage, scipy_affine(a, m, order)),
        }
        if mode:
            peers["torch"] = (torch, torch and torch_affine(a, m, mode))
        yield Row(
            f"affine {interp}, 128³",
            lambda i=interp: mt.ops.affine(a, m, interp=i),
            present(peers),
            {"SimpleITK": ratio},
            budget_s=5,
        )


def dali_resize(a, n, interp, antialias):
    from nvidia.dali import types

    kind = {"linear": types.INTERP_LINEAR, "cubic": types.INTERP_CUBIC}[interp]
    return Dali(a, lambda fn, x: fn.resize(x, size=[n, n, n], interp_type=kind, antialias=antialias))


def resize_rows(a):
    functional = torch and torch.nn.functional
    x = torch and torch.from_numpy(a)[None, None]
    for n in (96, 160):
        peers = {
            "torch": (
                torch,
                lambda n=n: functional.interpolate(x, size=(n, n, n), mode="trilinear", align_corners=False),
            ),
            "DALI": (dali, dali and dali_resize(a, n, "linear", False)),
        }
        yield Row(
            f"resize linear to {n}³",
            lambda n=n: mt.ops.resize(a, size=(n, n, n), interp="linear", antialias=False),
            present(peers),
            {"torch": 2.5},
        )
    for n in (96, 160):
        peers = {
            "DALI": (dali, dali and dali_resize(a, n, "cubic", False)),
            "SciPy": (ndimage, lambda n=n: ndimage.zoom(a, n / 128, order=3, mode="nearest", grid_mode=True)),
        }
        yield Row(
            f"resize cubic to {n}³",
            lambda n=n: mt.ops.resize(a, size=(n, n, n), interp="cubic", antialias=False),
            present(peers),
            {"DALI": 4},
            budget_s=5,
        )
    yield Row(
        "resize antialiased linear to 96³",
        lambda: mt.ops.resize(a, size=(96, 96, 96), interp="linear"),
        present({"DALI": (dali, dali and dali_resize(a, 96, "linear", True))}),
        {"DALI": 3},
    )
    yield Row(
        "resize area to 96³",
        lambda: mt.ops.resize(a, size=(96, 96, 96), interp="area"),
        present({"torch": (torch, lambda: functional.adaptive_avg_pool3d(x, 96))}),
        {"torch": 3},
    )


def blur_rows(a):
    for sigma in (1.0, 3.0):
        peers = {
            "DALI": (dali, dali and Dali(a, lambda fn, x, s=sigma: fn.gaussian_blur(x, sigma=s))),
            "SciPy": (ndimage, lambda s=sigma: ndimage.gaussian_filter(a, s)),
        }
        yield Row(
            f"gaussian blur σ {sigma:g}",
            lambda s=sigma: mt.ops.gaussian_blur(a, sigma=s),
            present(peers),
            {"DALI": 5},
        )


def sitk_median(a, radius):
    image = sitk.GetImageFromArray(a)
    return lambda: sitk.Median(image, [radius] * 3)


def median_rows(a):
    for radius in (1, 2):
        peers = {
            "SimpleITK": (sitk, sitk and sitk_median(a, radius)),
            "SciPy": (ndimage, lambda r=radius: ndimage.median_filter(a, 2 * r + 1, mode="reflect")),
        }
        if radius == 1:
            peers["MONAI"] = (
                monai,
                monai
                and (lambda t=monai.transforms.MedianSmooth(radius=1), v=torch.from_numpy(a)[None]: t(v)),
            )
        yield Row(
            f"median, box of {2 * radius + 1}³",
            lambda r=radius: mt.ops.median(a, r),
            present(peers),
            {"SciPy": 100 if radius == 1 else 10},
            budget_s=10,
        )


def torch_low_resolution(x):
    functional = torch.nn.functional

    def call():
        small = functional.interpolate(x, size=(64, 64, 64), mode="nearest-exact")
        return functional.interpolate(small, size=x.shape[2:], mode="trilinear", align_corners=False)

    return call


def coarse_rows(a):
    volume = torch and torch.from_numpy(a)[None]
    peers = {
        "torch": (torch, torch and torch_low_resolution(volume[None])),
        "MONAI": (
            monai,
            monai
            and (
                lambda t=monai.transforms.RandSimulateLowResolution(prob=1, zoom_range=(0.5, 0.5)): t(volume)
            ),
        ),
    }
    yield Row(
        "low resolution 0.5, linear", lambda: mt.ops.low_resolution(a, 0.5), present(peers), {"torch": 2}
    )
    zoom = ndimage and ndimage.zoom
    yield Row(
        "low resolution 0.5, cubic",
        lambda: mt.ops.low_resolution(a, 0.5, "cubic"),
        present(
            {
                "SciPy": (
                    ndimage,
                    lambda: zoom(a[1::2, 1::2, 1::2], 2, order=3, mode="nearest", grid_mode=True),
                )
            }
        ),
        {"SciPy": 10},
        budget_s=5,
    )
    yield Row(
        "sharpen σ 1",
        lambda: mt.ops.sharpen(a, 1.0, 1.0),
        present(
            {
                "MONAI": (monai, monai and (lambda t=monai.transforms.GaussianSharpen(1, 1, 1): t(volume))),
                "SciPy": (ndimage, lambda: 2 * a - ndimage.gaussian_filter(a, 1.0)),
            }
        ),
        {"MONAI": 10},
    )


def drawn_rows(a):
    counts = np.abs(a) * 100
    rng = np.random.default_rng(0)
    volume = torch and torch.from_numpy(a)[None]
    yield Row(
        "rician noise",
        lambda: mt.ops.rician_noise(a, sigma=0.1, seed=1),
        present(
            {
                "MONAI": (
                    monai,
                    monai and (lambda t=monai.transforms.RandRicianNoise(prob=1, std=0.1): t(volume.clone())),
                )
            }
        ),
        {"MONAI": 10},
    )
    yield Row(
        "shot noise",
        lambda: mt.ops.shot(counts, 1, seed=1),
        present(
            {
                "DALI": (dali, dali and Dali(counts, lambda fn, x: fn.noise.shot(x, factor=1.0))),
                "NumPy": (np, lambda: rng.poisson(counts).astype(np.float32)),
            }
        ),
        {"DALI": 5},
    )
    yield Row(
        "salt and pepper",
        lambda: mt.ops.salt_and_pepper(a, 0.05, seed=1),
        present({"DALI": (dali, dali and Dali(a, lambda fn, x: fn.noise.salt_and_pepper(x, prob=0.05)))}),
        {"DALI": 5},
    )


def histogram_rows(a):
    marks = np.linspace(0, 100, 13)
    subject = tio and tio.Subject(t1=tio.ScalarImage(tensor=torch.from_numpy(a)[None]))
    yield Row(
        "histogram standardisation",
        lambda: mt.ops.histogram_standardize(a, marks),
        present(
            {
                "TorchIO": (
                    tio,
                    tio and (lambda t=tio.HistogramStandardization({"t1": marks}): t(subject)),
                )
            }
        ),
        {"TorchIO": 4},
        budget_s=5,
    )
    other = np.abs(a)

    def matched():
        _, where, counts = np.unique(a.ravel(), return_inverse=True, return_counts=True)
        values, wanted = np.unique(other.ravel(), return_counts=True)
        share = np.cumsum(counts) / a.size
        return np.interp(share, np.cumsum(wanted) / other.size, values)[where].reshape(a.shape)

    yield Row(
        "histogram match",
        lambda: mt.ops.histogram_match(a, other),
        {"NumPy, as scikit-image": matched},
        {"NumPy, as scikit-image": 4},
        budget_s=5,
    )


def intensity_rows(a):
    positive = np.abs(a) + 0.1
    head = np.where(np.abs(a) > 0.2, a, 0).astype(np.float32)  # about half of the voxels are background
    mask = head != 0
    x = torch and torch.from_numpy(a)

    def numpy_gamma():
        lo, span = positive.min(), positive.max() - positive.min()
        return ((positive - lo) / (span + 1e-7)) ** 1.5 * span + lo

    yield Row(
        "gaussian noise",
        lambda: mt.ops.gaussian_noise(a, sigma=0.1, seed=1),
        present(
            {
                "torch": (torch, lambda: x + 0.1 * torch.randn_like(x)),
                "NumPy": (
                    np,
                    lambda r=np.random.default_rng(0): a + 0.1 * r.standard_normal(a.shape, np.float32),
                ),
                "DALI": (dali, dali and Dali(a, lambda fn, s: fn.noise.gaussian(s, stddev=0.1))),
            }
        ),
        {"torch": 3},
    )
    yield Row("gamma", lambda: mt.ops.gamma(positive, gamma=1.5), {"NumPy": numpy_gamma}, {"NumPy": 3})
    yield Row(
        "z-score", lambda: mt.ops.normalize(a), {"NumPy": lambda: (a - a.mean()) / a.std()}, {"NumPy": 1.5}
    )
    masked = {
        "TorchIO": (
            tio,
            tio
            and (
                lambda t=tio.ZNormalization(masking_method=lambda v: v != 0), v=torch.from_numpy(head)[None]: (
                    t(v)
                )
            ),
        ),
        "MONAI": (
            monai,
            monai
            and (
                lambda t=monai.transforms.NormalizeIntensity(nonzero=True), v=torch.from_numpy(head)[None]: t(
                    v
                )
            ),
        ),
    }
    yield Row(
        "z-score of the non-zero voxels",
        lambda: mt.ops.normalize(head, nonzero=True),
        present(masked),
        {"TorchIO": 20, "MONAI": 20},
    )
    yield Row(
        "z-score inside a mask",
        lambda: mt.ops.normalize(a, mask=mask),
        present(
            {
                "TorchIO": (tio, masked["TorchIO"][1]),
                "NumPy": (np, lambda: (a - a[mask].mean()) / a[mask].std()),
            }
        ),
        {"TorchIO": 20},
    )
    yield Row(
        "percentile clip 0.5 … 99.5",
        lambda: mt.ops.clip_percentile(a),
        {"NumPy": lambda: np.clip(a, *np.percentile(a, [0.5, 99.5]))},
        {"NumPy": 4},
    )


def bgv2_elastic(a, label):
    """Gaussian fields of the same width, rotation, image and label; its flip is a transform of its own."""
    spatial = bgv2.SpatialTransform(
        a.shape,
        0,
        False,
        p_elastic_deform=1,
        elastic_deform_scale=(0.05, 0.05),
        elastic_deform_magnitude=(0.1, 0.1),
        p_rotation=1,
        rotation=(-0.17, 0.17),
        p_scaling=0,
        mode_seg="nearest",
    )
    data = {
        "image": torch.from_numpy(a)[None],
        "segmentation": torch.from_numpy(label.astype(np.int16))[None],
    }
    return lambda: spatial(**data)


def torchio_elastic(a, label):
    subject = tio.Subject(
        image=tio.ScalarImage(tensor=torch.from_numpy(a)[None]),
        label=tio.LabelMap(tensor=torch.from_numpy(label)[None]),
    )
    chain = tio.Compose([tio.RandomAffine(degrees=10), tio.RandomElasticDeformation(), tio.RandomFlip(0)])
    return lambda: chain(subject)


def monai_elastic(a, label):
    """Its elastic transform has the affine map inside."""
    transform = monai.transforms.Rand3DElasticd(
        ("image", "label"),
        (6.4, 6.4),
        (150, 150),
        prob=1,
        rotate_range=(0.17,) * 3,
        mode=("bilinear", "nearest"),
        padding_mode="border",
    )
    data = {"image": torch.from_numpy(a)[None], "label": torch.from_numpy(label)[None].float()}
    return lambda: transform(data)


def scipy_elastic(a, label):
    """The field and both gathers, no affine map."""
    rng = np.random.default_rng(0)
    grid = np.indices(a.shape)

    def call():
        field = [
            ndimage.gaussian_filter(rng.uniform(-1, 1, a.shape), 6.4, truncate=3) * 150 for _ in range(3)
        ]
        places = grid + field
        return (
            ndimage.map_coordinates(a, places, order=1, mode="nearest"),
            ndimage.map_coordinates(label, places, order=0, mode="nearest"),
        )

    return call


def elastic_rows(a):
    """Image and label map, affine, elastic and flip drawn anew each time: one gather for each of the two."""
    label = (np.abs(a) > 0.5).astype(np.uint8)
    peers = {
        "batchgeneratorsv2": (bgv2, bgv2 and torch and bgv2_elastic(a, label)),
        "TorchIO": (tio, tio and torchio_elastic(a, label)),
        "MONAI": (monai, monai and monai_elastic(a, label)),
        "SciPy": (ndimage, ndimage and scipy_elastic(a, label)),
    }
    for name, field in (
        ("control points", {"max_displacement": 7.5}),
        ("gaussian field σ 6.4", {"sigma": 6.4, "magnitude": 150.0}),
    ):
        chain = mt.Chain(
            [mt.RandomAffine(degrees=10), mt.RandomElastic(p=1, **field), mt.RandomFlip(p=1)],
            labels=("label",),
        )
        index = itertools.count()
        yield Row(
            f"affine + elastic + flip, image + label, {name}",
            lambda chain=chain, index=index: chain({"image": a, "label": label}, index=next(index)),
            present(peers),
            {"batchgeneratorsv2": 12, "TorchIO": 30, "MONAI": 12, "SciPy": 12},
            budget_s=12,
        )


def rows():
    a = cube()
    yield from warp_rows(a)
    yield from resize_rows(a)
    yield from elastic_rows(a)
    yield from blur_rows(a)
    yield from median_rows(a)
    yield from coarse_rows(a)
    yield from intensity_rows(a)
    yield from drawn_rows(a)
    yield from histogram_rows(a)
