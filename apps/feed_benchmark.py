#!/usr/bin/env python3
"""How fast can a training program be fed? The three ways of a published notebook, and ours, on its geometry.

DLTK's tutorial "Reading medical images in TensorFlow" reads 500 volumes of 128 × 224 × 224 × 1 float32 (25.7 MB) in batches of five:
from memory, from a TFRecord file, and through a Python generator that reads .nii.gz and whitens. The same ways run beside ours on
this machine, in turns; volumes are one real T1 with noise (or --data), and the files stay in the page cache.
SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import shutil
import statistics
from pathlib import Path

import microtome as mt
from feed_ways import BATCH, prepare, ways
from microtome.report import Report

READS, ROUNDS = 500, 5


def measure(found, reads):
    """Seconds for READS reads by each way: the median of ROUNDS turns in which every way reads its part."""
    part, seconds = max(BATCH, reads // ROUNDS // BATCH * BATCH), {name: [] for name in found}
    for turn in range(ROUNDS + 1):  # the first warms files and memory
        for name, (run, _) in found.items():
            took = run(part)
            seconds[name] += [took * READS / part] if turn else []
    return {name: statistics.median(s) for name, s in seconds.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--data", type=Path, help="folder of NIfTI files to use instead of one T1 with noise")
    p.add_argument("--out", type=Path, default=Path("build/apps/feed_benchmark"))
    p.add_argument("--reads", type=int, help=f"volumes per way; {READS}, with --quick 75")
    p.add_argument("--files", type=int, default=5, help="different volumes among them")
    p.add_argument("--threads", type=int, default=2, help="of ours; the published ways have one")
    p.add_argument("--quick", action="store_true", help="about a minute")
    args = p.parse_args()
    reads, scratch = args.reads or (75 if args.quick else READS), args.out / "volumes"
    try:
        arrays = prepare(scratch, args.files, args.data)
        found = ways(scratch, arrays, args.threads)
        seconds = measure(found, reads)
    except (mt.Error, FileNotFoundError) as e:
        raise SystemExit(f"feed_benchmark: {e}") from e
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    slow = next(s for name, s in seconds.items() if "generator" in name)
    head = ("way", "GB/s", "volumes/s", f"s for {READS}", "published s", "times the generator")
    rows = [
        [name, READS * arrays[0].nbytes / s / 1e9, READS / s, s, found[name][1], slow / s]
        for name, s in seconds.items()
    ]
    gb_of, times_of = {row[0]: row[1] for row in rows}, {row[0]: row[-1] for row in rows}
    for name, gb, rate, s, _, times in rows:
        print(
            f"{name:46s}{gb:7.2f} GB/s {rate:7.1f} volumes/s {s:7.1f} s for {READS} {times:6.1f} × the generator"
        )
    scores = {
        "memory_GB_per_s": gb_of["ours: from memory"],
        "gz_times_generator": times_of["ours: .nii.gz, whitened"],
    }
    result = {
        **scores,
        "threads": args.threads,
        "reads": reads,
        "rows": [dict(zip(head, row)) for row in rows],
    }
    result["wait_share"] = 1.0  # there is no network: all of it is waiting for data
    (args.out / "result.json").write_text(json.dumps(result, indent=1))
    report = Report(
        f"Feeding a network: {READS} reads of 128 × 224 × 224 float32", "Made by apps/feed_benchmark.py."
    )
    report.text(
        f"Each way read {reads} volumes in batches of {BATCH}, in {ROUNDS} turns; the median turn is scaled to {READS}. Ours used "
        f"{args.threads} threads, the published ways have one. Published seconds: another machine, TensorFlow 1. Files were in the "
        "page cache. The archive of DICOM frames is not in the tree yet; HTJ2K slices stand for it, decoded outside the loader."
    )
    report.table(list(head), [["" if v is None else v for v in row] for row in rows])
    report.save(args.out / "report.html")
    print(f"open {args.out}/report.html")


if __name__ == "__main__":
    main()
