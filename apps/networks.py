"""The networks of DLTK's applications in a few lines of PyTorch; the others come from MONAI.

Differences from DLTK's TensorFlow 1 code: convolutions that stride have padding 1 on both sides where TensorFlow's "same" may pad
one end only (the same for even extents), weights begin as PyTorch's do, and slices are not convolved across their one voxel
in z, where DLTK's kernels only meet padding: the same functions in a third of the time.
SPDX-License-Identifier: Apache-2.0
"""

import math

import torch
from torch import nn


def window(stride, flat):
    """(kernel, stride, padding): twice the stride where an axis strides, else three voxels; one in z when that is flat."""
    kernel = [2 * s if s > 1 else 3 for s in stride]
    if flat:
        kernel[0] = 1
    return kernel, stride, [s // 2 if s > 1 else k // 2 for s, k in zip(stride, kernel)]


def convolution(inside, out, stride=(1, 1, 1), flat=False):
    """3-D, without bias. flat: volumes have one voxel in z."""
    return nn.Conv3d(inside, out, *window(stride, flat), bias=False)


def transposed(inside, out, stride, flat=False):
    """Grows an axis by its stride."""
    return nn.ConvTranspose3d(inside, out, *window(stride, flat), bias=False)


class Unit(nn.Module):
    """Pre-activation residual unit (He et al., Identity mappings in deep residual networks, ECCV 2016): the short way is a max
    pool and zero channels on both sides."""

    def __init__(self, inside, out, stride=1):
        super().__init__()
        self.stride, self.more = stride, out - inside
        self.first = nn.Sequential(
            nn.BatchNorm3d(inside), nn.ReLU6(), convolution(inside, out, (stride, stride, stride))
        )
        self.second = nn.Sequential(nn.BatchNorm3d(out), nn.ReLU6(), convolution(out, out))

    def forward(self, x):
        short = nn.functional.max_pool3d(x, self.stride) if self.stride > 1 else x
        before = self.more // 2
        short = nn.functional.pad(short, (0, 0, 0, 0, 0, 0, before, self.more - before))
        return self.second(self.first(x)) + short


class ResNet3D(nn.Module):
    """[B, 1, Z, Y, X] → [B, outputs]: units per scale, the first of each scale with its stride; global mean; linear."""

    def __init__(self, outputs, filters=(16, 32, 64, 128, 256), strides=(1, 2, 2, 2, 2), units=2):
        super().__init__()
        layers = [convolution(1, filters[0], (strides[0],) * 3)]
        for inside, out, stride in zip(filters, filters[1:], strides[1:]):
            layers += [Unit(inside, out, stride), *(Unit(out, out) for _ in range(units - 1))]
        self.features = nn.Sequential(*layers, nn.BatchNorm3d(filters[-1]), nn.ReLU6())
        self.last = nn.Linear(filters[-1], outputs)

    def forward(self, x):
        return self.last(self.features(x).mean((2, 3, 4)))


class Autoencoder(nn.Module):
    """[B, C, *size] → the same, through `hidden` numbers; two convolutions per scale, the second of them strided."""

    def __init__(self, channels, size, hidden=1024, filters=(16, 32, 64, 128, 256), stride=(1, 2, 2)):
        super().__init__()
        down, up, inside, flat = [], [], channels, size[0] == 1
        for width in filters:
            for layer in (convolution(inside, width, flat=flat), convolution(width, width, stride, flat)):
                down += [layer, nn.BatchNorm3d(width), nn.ReLU6()]
            inside = width
        for width in reversed(filters):
            for layer in (transposed(inside, width, stride, flat), convolution(width, width, flat=flat)):
                up += [layer, nn.BatchNorm3d(width), nn.ReLU6()]
            inside = width
        small = [n // s ** len(filters) for n, s in zip(size, stride)]
        values = filters[-1] * math.prod(small)
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(values, hidden, bias=False))
        self.grow = nn.Sequential(
            nn.Linear(hidden, values, bias=False), nn.ReLU6(), nn.Unflatten(1, (filters[-1], *small))
        )
        self.decoder = nn.Sequential(*up, nn.Conv3d(inside, channels, 1, bias=False))

    def forward(self, x):
        return self.decoder(self.grow(self.encoder(x)))


class SuperResolution(nn.Module):
    """[B, 1, Z, Y, X] → [B, 1, factor·Z, factor·Y, factor·X]: convolutions at the low resolution, then one transposed one."""

    def __init__(self, factor=4, filters=(16, 32, 64, 128), convolutions=2):
        super().__init__()
        layers, inside = [], 1
        for width in filters:
            for _ in range(convolutions):
                layers += [convolution(inside, width), nn.BatchNorm3d(width), nn.ReLU6()]
                inside = width
        self.layers = nn.Sequential(*layers, transposed(inside, 1, (factor,) * 3))

    def forward(self, x):
        return self.layers(x)


def low_resolution(x, factor=4):
    """Average pool of kernel 2·factor and stride factor, centred; voxels outside do not count (TensorFlow's "same")."""
    return nn.functional.avg_pool3d(x, 2 * factor, factor, factor // 2, count_include_pad=False)


def linear_upsampling(x, factor=4):
    """What super-resolution is compared with."""
    return torch.nn.functional.interpolate(x, scale_factor=factor, mode="trilinear", align_corners=False)
