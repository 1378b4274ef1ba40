"""Rows of DICOM: headers of whole folders, JSON.

SPDX-License-Identifier: Apache-2.0
"""

import json
import shutil
import subprocess
import sys

import microtome as mt
from data import DATA, WORK
from harness import Row

try:
    import pydicom
except ImportError:
    pydicom = None

FILES, PART = 10_000, 200  # peers read a part, and ours is told per part


def typical_headers():
    """[(bytes up to the pixel values, size of the file)] of real MR slices, else of one that pydicom makes."""
    heads = []
    for path in sorted((DATA / "mr-t1").rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        at = data.find(b"\xe0\x7f\x10\x00")
        if data[128:132] == b"DICM" and at > 0:
            heads.append((data[: at + 12], len(data)))
    if not heads:
        raise SystemExit("bench: no DICOM series found; set MICROTOME_DATA to a folder with mr-t1")
    return heads


def header_folder():
    """Ten thousand files with real headers; their pixels are holes of the file system, which take no room on the disk."""
    folder = WORK / "dicom-headers"
    if len(list(folder.glob("*/*.dcm"))) != FILES:
        shutil.rmtree(folder, ignore_errors=True)
        heads = typical_headers()
        for i in range(FILES):
            head, size = heads[i % len(heads)]
            path = folder / f"{i // 500:02d}" / f"{i:05d}.dcm"
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as f:
                f.write(head)
                f.truncate(size)
    return folder


def scan_rows():
    folder = header_folder()
    part = sorted(folder.glob("*/*.dcm"))[:PART]
    peers = {}
    if pydicom:
        peers["pydicom"] = lambda: [pydicom.dcmread(p, stop_before_pixels=True) for p in part]
    if shutil.which("dcmdump"):
        command = ["dcmdump", "-q", *map(str, part)]
        peers["dcmdump"] = lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    yield Row(
        f"DICOM headers, {PART} of a scan of {FILES} files (warm)",
        lambda: mt.dicom.scan(folder),
        peers,
        {"pydicom": 20, "dcmdump": 8},
        most_ms=PART / 20_000 * 1e3,  # 20 000 files a second
        repeat=FILES // PART,
        budget_s=15,
    )


def json_rows():
    part = sorted(header_folder().glob("*/*.dcm"))[:PART]
    peers = {}
    if pydicom:
        peers["pydicom"] = lambda: [
            json.dumps(pydicom.dcmread(p, stop_before_pixels=True).to_json_dict()) for p in part
        ]
    yield Row(
        f"DICOM headers to JSON, {PART} files",
        lambda: [mt.dicom.read(p, stop_before_pixels=True).to_json() for p in part],
        peers,
        {"pydicom": 20},
        budget_s=10,
    )


SCAN = """
import resource, sys
import microtome as mt
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
n = len(mt.dicom.scan(sys.argv[1], threads=1).instances)
print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def memory_of_scan():
    """{MB of pixels per file: bytes that a scan of 100 such files adds at the peak}."""
    grown = {}
    head, _ = typical_headers()[0]
    for megabytes in (1, 100):
        folder = WORK / f"dicom-{megabytes}MB"
        folder.mkdir(parents=True, exist_ok=True)
        for i in range(100):
            with (folder / f"{i:03d}").open("wb") as f:
                f.write(head[:-4] + (megabytes << 20).to_bytes(4, "little"))
                f.truncate(len(head) + (megabytes << 20))
        out = subprocess.run(
            [sys.executable, "-c", SCAN, str(folder)], capture_output=True, text=True, check=True
        )
        n, kilobytes = map(int, out.stdout.split())
        if n != 100:
            raise SystemExit(f"bench: {n} of 100 headers were read in {folder}")
        grown[megabytes] = kilobytes * 1024
    return grown


def extra():
    """What is not the time of a call."""
    grown = memory_of_scan()
    return (
        f"Memory that a scan of 100 headers adds at the peak: {grown[1] / 1e6:.1f} MB with 1 MB of pixels per file, "
        f"{grown[100] / 1e6:.1f} MB with 100 MB."
    )


def rows():
    yield from scan_rows()
    yield from json_rows()
