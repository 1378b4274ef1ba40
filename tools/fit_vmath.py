"""Prints the tables and polynomials of src/kernel/vmath.h: weighted least squares, reweighted towards the minimax fit.

SPDX-License-Identifier: Apache-2.0
"""

import numpy as np


def fit(f, lo, hi, terms, rounds=200):
    """Coefficients c[0] + c[1] x + … of the smallest relative error on [lo, hi]; the error as well."""
    x = np.cos(np.linspace(0, np.pi, 4001)) * (hi - lo) / 2 + (hi + lo) / 2
    y, weight = f(x), np.ones_like(x)
    powers = np.vander(x, terms, increasing=True) / y[:, None]
    for _ in range(rounds):
        c = np.linalg.lstsq(powers * np.sqrt(weight)[:, None], np.sqrt(weight), rcond=None)[0]
        error = np.abs(powers @ c - 1)
        weight = weight * (error + 1e-3 * error.max())
        weight /= weight.mean()
    return c, error.max()


def log2_over_x(x):
    safe = np.where(x == 0, 1, x)
    return np.where(np.abs(x) < 1e-9, 1 / np.log(2), np.log2(1 + safe) / safe)


def exp2_less_1_over_x(x):
    safe = np.where(x == 0, 1, x)
    return np.where(np.abs(x) < 1e-9, np.log(2), np.expm1(safe * np.log(2)) / safe)


def inverse_near(centre, reach=1000):
    """A float32 beside 1 / centre whose logarithm is as good as a float32 (Gal's accurate tables)."""
    start = np.float32(1 / centre).view(np.uint32).astype(np.int64)
    inverse = (start + np.arange(-reach, reach + 1)).astype(np.uint32).view(np.float32).astype(np.float64)
    log2 = -np.log2(inverse)
    error = np.abs(log2 - log2.astype(np.float32))
    return 1.0 if centre == 1 else inverse[error.argmin()]


def show(name, values):
    print(name, ", ".join(f"{np.float32(v):.9g}f" for v in values))


if __name__ == "__main__":
    centres = 1 + np.arange(8) / 8
    inverse = np.array([inverse_near(c) for c in centres])
    show("1 / centre, about", inverse)
    show("-log2 of it", -np.log2(inverse))
    print("error", np.abs(np.log2(inverse) - np.log2(inverse).astype(np.float32)).max())
    show("2^(j / 8)", 2 ** (np.arange(8) / 8))
    for terms in (4, 5):
        c, error = fit(log2_over_x, -1 / 32 / 1, 1 / 16, terms)
        show(f"log2(1 + r) / r, error {error:.2g}:", c)
    for terms in (3, 4):
        c, error = fit(exp2_less_1_over_x, -1 / 16, 1 / 16, terms)
        show(f"(2^f - 1) / f, error {error:.2g}:", c)
