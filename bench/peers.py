"""Peers, imported where they are installed; absent ones are None and their columns are left out.

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import ctypes.util
import importlib
import importlib.metadata
import logging
import shutil
import subprocess
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


def maybe(name):
    try:
        return importlib.import_module(name)
    except Exception:  # absent, or broken on this machine
        return None


torch = maybe("torch")
nib = maybe("nibabel")
sitk = maybe("SimpleITK")
monai = maybe("monai.transforms") and maybe("monai")
tio = maybe("torchio")
medrs = maybe("medrs")
igzip = maybe("indexed_gzip")
ndimage = maybe("scipy.ndimage")
dali = maybe("nvidia.dali")
bgv2 = maybe("batchgeneratorsv2.transforms.spatial.spatial")

DISTRIBUTIONS = {
    "nibabel": "nibabel",
    "SimpleITK": "simpleitk",
    "SciPy": "scipy",
    "NumPy": "numpy",
    "torch": "torch",
    "MONAI": "monai",
    "TorchIO": "torchio",
    "medrs": "medrs",
    "indexed_gzip": "indexed_gzip",
    "DALI": "nvidia-dali-cuda130",
    "batchgeneratorsv2": "batchgeneratorsv2",
    "imagecodecs": "imagecodecs",
    "pydicom": "pydicom",
    "pylibjpeg-libjpeg": "pylibjpeg-libjpeg",
    "pylibjpeg-rle": "pylibjpeg-rle",
    "pylibjpeg-openjpeg": "pylibjpeg-openjpeg",
    "gdcm": "python-gdcm",
}


def versions():
    """{peer: version or None}."""
    out = {}
    for name, distribution in DISTRIBUTIONS.items():
        try:
            out[name] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            out[name] = None
    out["dcmdump (DCMTK)"] = dcmtk_version()
    return out


def dcmtk_version():
    """Of the dcmdump on the path; None without one."""
    if not shutil.which("dcmdump"):
        return None
    said = subprocess.run(["dcmdump", "--version"], capture_output=True, text=True).stdout.split()
    return next((word[1:] for word in said if word.startswith("v") and word[1:2].isdigit()), "unknown")


def present(calls):
    """Drops the contestants whose library is absent: {"MONAI": (monai, call), …} → {"MONAI": call}."""
    return {name: call for name, (library, call) in calls.items() if library is not None}


class Libdeflate:
    """Bare inflate of a gzip file into memory that is kept: the floor of every .nii.gz load."""

    def __init__(self, path, size):
        self.lib = ctypes.CDLL(ctypes.util.find_library("deflate") or "libdeflate.so.0")
        self.lib.libdeflate_alloc_decompressor.restype = ctypes.c_void_p
        self.handle = ctypes.c_void_p(self.lib.libdeflate_alloc_decompressor())
        self.data = path.read_bytes()
        self.out = ctypes.create_string_buffer(size)
        self.size = size

    def __call__(self):
        got = ctypes.c_size_t()
        code = self.lib.libdeflate_gzip_decompress(
            self.handle,
            self.data,
            ctypes.c_size_t(len(self.data)),
            self.out,
            ctypes.c_size_t(self.size),
            ctypes.byref(got),
        )
        assert code == 0, code


class Dali:
    """One DALI CPU operator as a call: a pipeline of batch 1 on one thread, fed with [D, H, W, 1]."""

    def __init__(self, array, build):
        from nvidia.dali import fn, pipeline_def

        fed = array[..., None]

        @pipeline_def(batch_size=1, num_threads=1, device_id=None, prefetch_queue_depth=1)
        def pipe():
            return build(
                fn, fn.external_source(source=lambda: [fed], batch=True, layout="DHWC", no_copy=True)
            )

        self.pipe = pipe()
        self.pipe.build()

    def __call__(self):
        return self.pipe.run()
