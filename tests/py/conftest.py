"""Fixtures of the Python tests: where real data lies, small volumes with known values, temporary folders.

Real data comes from MICROTOME_DATA (default ../shared/data beside the repository) and from the distribution's mricron-data;
what is absent is a visible, counted skip.
SPDX-License-Identifier: Apache-2.0
"""

import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run, and no verdict by the clock: a busy machine must not fail a test.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("MICROTOME_DATA", ROOT.parent / "shared" / "data"))
TEMPLATES = Path("/usr/share/mricron/templates")
AFFINE = np.array([[-1.5, 0.1, 0, 20], [0.1, 2, 0, -30], [0, 0.2, 2.5, -40], [0, 0, 0, 1.0]])


def _existing(path):
    if not path.exists():
        pytest.skip(f"{path} is not there")
    return path


@pytest.fixture(scope="session")
def data():
    """data("nifti/spm152.nii.gz"): a file of the data folder, or a skip."""
    return lambda name: _existing(DATA / name)


@pytest.fixture(scope="session")
def template():
    """template("ch2.nii.gz"): a file of the package mricron-data, or a skip."""
    return lambda name: _existing(TEMPLATES / name)


@pytest.fixture
def rng():
    return np.random.default_rng(20240611)


@pytest.fixture
def volume(rng):
    """[Z, Y, X] float32 with odd and prime extents."""
    return rng.standard_normal((13, 17, 11), dtype=np.float32)


def save_nifti(path, zyx, affine=AFFINE):
    """A [Z, Y, X] array as NIfTI by nibabel; returns the path as text."""
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(zyx.T), affine), path)
    return str(path)


@pytest.fixture(scope="session")
def cases(tmp_path_factory):
    """Seven items of one shape: image (float32), label (uint8, classes 0 to 3), age, sex, name."""
    folder = tmp_path_factory.mktemp("cases")
    rng = np.random.default_rng(7)
    items = []
    for i in range(7):
        image = rng.standard_normal((20, 24, 28), dtype=np.float32) + i
        label = rng.integers(0, 4, (20, 24, 28), dtype=np.uint8)
        items.append(
            {
                "image": save_nifti(folder / f"case{i}_t1.nii.gz", image),
                "label": save_nifti(folder / f"case{i}_seg.nii.gz", label),
                "age": 20.5 + i,
                "sex": i % 2,
                "name": f"case{i}",
            }
        )
    return items
