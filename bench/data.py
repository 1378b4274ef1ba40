"""Inputs of the bench: the real T1 where it is present, and files made from it once, under build/bench.

SPDX-License-Identifier: Apache-2.0
"""

import gzip
import os
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MICROTOME_DATA", ROOT.parent / "shared" / "data"))
WORK = ROOT / "build" / "bench"


def t1_path():
    """A T1 brain as .nii.gz: spm152 (207×256×215, uint8) or the distribution's ch2 (181×217×181)."""
    for path in (DATA / "nifti" / "spm152.nii.gz", Path("/usr/share/mricron/templates/ch2.nii.gz")):
        if path.exists():
            return path
    raise SystemExit("bench: no T1 found; install mricron-data or set MICROTOME_DATA")


def mr_volume():
    """[240, 256, 256] int16 like an MR acquisition: the T1 resampled, plus Rician noise (gzip about 1.6 : 1)."""
    path = WORK / "mr.npy"
    if not path.exists():
        import nibabel as nib
        from scipy import ndimage

        t1 = np.asarray(nib.load(t1_path()).dataobj, dtype=np.float32).T
        a = ndimage.zoom(t1, [n / m for n, m in zip((240, 256, 256), t1.shape)], order=1)[:240, :256, :256]
        rng = np.random.default_rng(0)
        a = np.hypot(a * 12 + rng.normal(0, 12, a.shape), rng.normal(0, 12, a.shape))
        WORK.mkdir(parents=True, exist_ok=True)
        np.save(path, a.astype(np.int16))
    return np.load(path)


def mr_files():
    """The MR volume as .nii, .nii.gz (level 6) and C-order .npy: {ending: path}. The .nii has another stem: SimpleITK asked for
    mr.nii.gz beside mr.nii would read the latter."""
    files = {".nii": WORK / "plain.nii", ".nii.gz": WORK / "mr.nii.gz", ".npy": WORK / "mr.npy"}
    if not all(path.exists() for path in files.values()):
        import nibabel as nib

        volume = mr_volume()
        image = nib.Nifti1Image(volume.T, np.diag([0.9, 0.9, 0.9, 1.0]))
        nib.save(image, files[".nii"])
        files[".nii.gz"].write_bytes(gzip.compress(files[".nii"].read_bytes(), 6))
    return files


def copies(path, n):
    """n files with the same content but their own names, so that caches keyed by path see n items."""
    folder = WORK / "items"
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for i in range(n):
        copy = folder / f"{i:02d}-{path.name}"
        if not copy.exists():
            copy.write_bytes(path.read_bytes())
        out.append(copy)
    return out


def cube(n=128, seed=0):
    """[n, n, n] float32 standard normal, smoothed a little: the volume of the operators' rows."""
    from scipy import ndimage

    a = np.random.default_rng(seed).normal(0, 1, (n, n, n)).astype(np.float32)
    return ndimage.gaussian_filter(a, 1.0).astype(np.float32)
