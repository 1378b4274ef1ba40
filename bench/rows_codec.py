"""Rows of the codec: JPEG 2000 and HTJ2K, ours against OpenJPH and OpenJPEG as imagecodecs carries them, on NEMA's WG04 images.

The table goes into doc/codec.md, with sizes, allocations per frame and memory of a region of a very large picture.
SPDX-License-Identifier: Apache-2.0
"""

import csv
import ctypes
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import microtome as mt
import numpy as np
from data import DATA
from harness import Row, show_ms
from peers import maybe

imagecodecs = maybe("imagecodecs")
ROOT = Path(__file__).resolve().parent.parent
OPENJPH, OPENJPEG = "OpenJPH", "OpenJPEG"
BLOCKS, LEVELS = (64, 32, 16), (4, 5, 6)


@functools.cache
def images():
    """{name: [Y, X] or [Y, X, C]} of the WG04 images in the data folder."""
    table, found = DATA / "wg04" / "geometry.tsv", {}
    if not table.is_file():
        return found
    with table.open(newline="") as f:
        for r in csv.DictReader(f, delimiter="\t"):
            kind = f"<{'i' if r['signed'] == '1' else 'u'}{int(r['bits_allocated']) // 8}"
            a = np.fromfile(DATA / "wg04" / f"{r['name']}.RAW", kind)
            shape = (int(r["height"]), int(r["width"]), int(r["components"]))
            found[r["name"]] = a.reshape(shape[:2] if shape[2] == 1 else shape)
    return found


def present(peers):
    return {n: c for n, c in peers.items() if imagecodecs is not None}


def image_rows():
    for name, a in images().items():
        color = a.ndim == 3
        ht, part1 = mt.codec.encode(a), mt.codec.encode(a, codec="j2k")
        out = np.empty_like(a)  # everyone decodes into memory that is there
        like = f"{name} {a.shape[1]}×{a.shape[0]}" + (" RGB" if color else f" {a.dtype}")
        theirs = {OPENJPH: bytes(imagecodecs.htj2k_encode(a, reversible=True))} if imagecodecs else {}
        yield Row(
            f"{like}, HT decode",
            lambda d=ht, o=out: mt.codec.decode(d, out=o),
            present(
                {
                    OPENJPH: lambda d=ht, o=out: imagecodecs.htj2k_decode(d, out=o),
                    OPENJPEG: lambda d=ht, o=out: imagecodecs.jpeg2k_decode(d, out=o),
                }
            ),
            {OPENJPH: 2} if color else {OPENJPH: 2.2, OPENJPEG: 5},
            samples=a.size,
        )
        yield Row(
            f"{like}, HT encode",
            lambda a=a: mt.codec.encode(a),
            present({OPENJPH: lambda a=a: imagecodecs.htj2k_encode(a, reversible=True)}),
            {OPENJPH: 1.6},
            samples=a.size,
            note=f"{len(ht)} bytes" + (f", OpenJPH {len(theirs[OPENJPH])}" if theirs else ""),
        )
        yield Row(
            f"{like}, Part 1 decode",
            lambda d=part1, o=out: mt.codec.decode(d, out=o),
            present({OPENJPEG: lambda d=part1, o=out: imagecodecs.jpeg2k_decode(d, out=o)}),
            {OPENJPEG: 3},
            samples=a.size,
        )
        yield Row(
            f"{like}, Part 1 encode",
            lambda a=a: mt.codec.encode(a, codec="j2k"),
            present({OPENJPEG: lambda a=a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True)}),
            {OPENJPEG: 2},
            samples=a.size,
            note=f"{len(part1)} bytes",
        )


def part_rows():
    if "CT1" not in images():
        return
    a = images()["CT1"]
    for block in (64, 32):
        data = mt.codec.encode(a, block=(block, block))
        out, small = np.empty_like(a), np.empty((96, 96), a.dtype)
        yield Row(
            f"96×96 region of CT1, {block}² code-blocks",
            lambda d=data, o=small: mt.codec.decode(d, region=((200, 296), (210, 306)), out=o),
            {"whole": lambda d=data, o=out: mt.codec.decode(d, out=o)},
            at_most={"whole": 0.3 if block == 64 else 0.2},
        )
    data = mt.codec.encode(a)
    quarter, out = np.empty((128, 128), a.dtype), np.empty_like(a)
    yield Row(
        "¼ resolution of CT1",
        lambda: mt.codec.decode(data, reduce=2, out=quarter),
        {"whole": lambda: mt.codec.decode(data, out=out)},
        at_most={"whole": 0.12},
    )


def batch_rows():
    if "CT1" not in images():
        return
    frames = [mt.codec.encode(np.roll(images()["CT1"], i, axis=1)) for i in range(512)]
    out = np.empty((512, 512, 512), np.int16)
    names = {1: "512 frames 512², 1 thread", 2: "512 frames 512², 2 threads"}
    for n, name in names.items():
        yield Row(
            name,
            lambda n=n: mt.codec.decode_batch(frames, out=out, threads=n),
            {},
            threads=n,
            samples=out.size,
            budget_s=12,
            scales=(names[1], 1.9) if n > 1 else None,
        )


def rows():
    yield from image_rows()
    yield from part_rows()
    yield from batch_rows()


# ---- beside the rows -------------------------------------------------------------------------------------


def table(results):
    """As doc/codec.md shows it: MSample/s of all, ratios to the peers."""
    lines = [
        "| work | microtome | peers (ratio) | target | met |",
        "|---|---|---|---|---|",
    ]
    for r in results:
        samples = r.get("samples") or 0

        def speed(ms, samples=samples):
            return f"{show_ms(ms)} ms" + (f", {samples / ms / 1e3:.0f} MS/s" if samples else "")

        peers = "; ".join(
            f"{n} {speed(ms)} ({r['ratio'][n]:.2g}×)" for n, ms in r["ms"].items() if n != "microtome"
        )
        targets = "; ".join(text for text, _ in r["targets"]) or "–"
        met = "; ".join("yes" if ok else "**no**" for _, ok in r["targets"]) or "–"
        name = r["row"] + (f" ({r['note']})" if r["note"] else "")
        lines.append(f"| {name} | {speed(r['ms']['microtome'])} | {peers or '–'} | {targets} | {met} |")
    return "\n".join(lines)


def sizes():
    """Bytes of the lossless stream by code-block and levels, and OpenJPH's with its defaults (64², 5 levels)."""
    lines = ["| image | OpenJPH | " + " | ".join(f"{b}², {n} levels" for b in BLOCKS for n in LEVELS) + " |"]
    lines.append("|---|---|" + "---|" * (len(BLOCKS) * len(LEVELS)))
    for name, a in images().items():
        theirs = len(imagecodecs.htj2k_encode(a, reversible=True)) if imagecodecs else "–"
        ours = [len(mt.codec.encode(a, block=(b, b), levels=n)) for b in BLOCKS for n in LEVELS]
        lines.append(f"| {name} | {theirs} | " + " | ".join(map(str, ours)) + " |")
    return "\n".join(lines)


def library():
    """The shared library that this process has loaded, for its test hook that counts allocations."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    path = next(line.split()[-1] for line in maps if "libmicrotome" in line)
    lib = ctypes.CDLL(path)
    lib.mtm_mem_fail_after.restype = ctypes.c_int64
    lib.mtm_mem_fail_after.argtypes = [ctypes.c_int64]
    return lib


def steady_state(rounds=50):
    """{work: (allocations, page faults) per call} once warm."""
    import resource

    lib, found = library(), {}
    for name in ("CT1", "US1"):
        a = images().get(name)
        if a is None:
            continue
        out = np.empty_like(a)
        small = np.empty((96, 96, *a.shape[2:]), a.dtype)
        for codec in ("htj2k", "j2k"):
            data = mt.codec.encode(a, codec=codec)
            work = {
                "decode": lambda d=data, o=out: mt.codec.decode(d, out=o),
                "region": lambda d=data, s=small: mt.codec.decode(d, region=((99, 195), (50, 146)), out=s),
                "batch of 4": lambda d=data, o=np.empty((4, *a.shape), a.dtype): mt.codec.decode_batch(
                    [d] * 4, out=o, threads=1
                ),
                "encode": lambda c=codec, a=a: mt.codec.encode(a, codec=c),
            }
            for what, call in work.items():
                for _ in range(5):
                    call()
                lib.mtm_mem_fail_after(-1)
                faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
                for _ in range(rounds):
                    call()
                faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
                found[f"{name} {codec} {what}"] = (lib.mtm_mem_fail_after(-1) / rounds, faults / rounds)
    return found


LARGE = """
import json, sys, time
from pathlib import Path
import numpy as np, microtome as mt

def status(key):
    return next(int(l.split()[1]) for l in Path("/proc/self/status").read_text().splitlines() if l.startswith(key)) / 1e3

path, n = Path(sys.argv[1]), int(sys.argv[2])
mt.codec.decode(mt.codec.encode(np.zeros((600, 600), np.uint8)), region=((10, 522), (10, 522)))
data = path.read_bytes()
Path("/proc/self/clear_refs").write_text("5")
before, start = status("VmRSS"), time.perf_counter()
a = mt.codec.decode(data, region=((n // 2, n // 2 + 512), (n // 2, n // 2 + 512)))
ms = (time.perf_counter() - start) * 1e3
print(json.dumps({"grown_mb": status("VmHWM") - before, "ms": ms, "sum": int(a.sum())}))
"""


def large_pictures(folder, sides=(5000, 20000)):
    """{(side, tiled): grown peak in MB and time of a 512² region}; writes files of up to a few hundred MB into folder."""
    rng = np.random.default_rng(1)
    patch = (
        (rng.normal(120, 20, (1000, 1000)) + 40 * np.sin(np.arange(1000) / 50)).clip(0, 255).astype(np.uint8)
    )
    found = {}
    for side in sides:
        a = np.tile(patch, (side // 1000, side // 1000))
        for tiled in (True, False):
            path = Path(folder) / f"large-{side}-{tiled}.j2c"
            precincts = None if tiled else [(256, 256)]
            path.write_bytes(mt.codec.encode(a, tile=(1024, 1024) if tiled else None, precincts=precincts))
            done = subprocess.run(
                [sys.executable, "-c", LARGE, str(path), str(side)],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ,
            )
            result = json.loads(done.stdout)
            middle = a[side // 2 : side // 2 + 512, side // 2 : side // 2 + 512]
            assert result["sum"] == int(middle.sum())
            result["file_mb"] = path.stat().st_size / 1e6
            path.unlink()
            found[side, tiled] = result
    return found


def extra(large_folder=None):
    """Markdown of what is no row: sizes, allocations and page faults, and, when a folder is given, memory."""
    parts = ["Bytes of lossless HTJ2K streams:", "", sizes(), "", "Per call, once warm:", ""]
    parts += ["| work | allocations | page faults |", "|---|---|---|"]
    parts += [f"| {name} | {n:g} | {f:g} |" for name, (n, f) in steady_state().items()]
    if large_folder:
        parts += [
            "",
            "Memory that a 512² region of a large picture adds to its stream and the interpreter, in a process of its own:",
            "",
        ]
        parts += ["| picture | tiles | file, MB | added at the peak, MB | ms |", "|---|---|---|---|---|"]
        for (side, tiled), r in large_pictures(large_folder).items():
            tiles = "1024²" if tiled else "one, precincts of 256²"
            parts.append(f"| {side}² | {tiles} | {r['file_mb']:.0f} | {r['grown_mb']:.1f} | {r['ms']:.1f} |")
    return "\n".join(parts)
