#!/usr/bin/env python3
"""`make bench`: every row of doc/performance.md. Ours and each installed peer in one process, interleaved.

Usage: bench/run.py [GROUP…] [--json FILE] [--update] [--large FOLDER]; groups: io, ops, mr, labels, patch, loader, feed, infer, dicom, codec.
--update rewrites the tables of the groups in doc/performance.md and, of the codec, doc/codec.md. --large measures the memory of a
region of a 20000 × 20000 picture too, which takes minutes and room for it in FOLDER.
BENCH_PEERS=1 make bench installs the optional peers first.
SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

import harness
import peers
import rows_codec
import rows_dicom
import rows_dicom_scan
import rows_feed
import rows_infer
import rows_io
import rows_labels
import rows_loader
import rows_mr
import rows_ops
import rows_patch

GROUPS = {
    "io": rows_io.rows,
    "ops": rows_ops.rows,
    "mr": rows_mr.rows,
    "labels": rows_labels.rows,
    "patch": rows_patch.rows,
    "loader": rows_loader.rows,
    "feed": rows_feed.rows,
    "infer": rows_infer.rows,
    "dicom": rows_dicom.rows,
    "codec": rows_codec.rows,
}
ROOT = Path(__file__).resolve().parent.parent


def machine():
    """The CPU's name, cores and memory, as the system tells them."""
    info = Path("/proc/cpuinfo").read_text()
    name = next(
        (line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")),
        platform.machine(),
    )
    family = [
        next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith(key)), "?")
        for key in ("cpu family", "model\t")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name} (family {family[0]}, model {family[1]}), {os.cpu_count()} cores, {memory:.0f} GiB"


def update_doc(name, group, text):
    """Puts the text between the group's marks of doc/NAME."""
    path = ROOT / "doc" / name
    begin, end = f"<!-- bench {group}: begin -->", f"<!-- bench {group}: end -->"
    head, rest = path.read_text().split(begin)
    path.write_text(f"{head}{begin}\n{text}\n{end}{rest.split(end)[1]}")


def began():
    """The machine and how busy others keep it: a busy one tells little."""
    return f"Machine: {machine()}; load {os.getloadavg()[0]:.1f} when it began."


def measure(group, table, only=""):
    """Every row of a group whose name holds `only`; each is printed when it is done."""
    results = []
    for row in GROUPS[group]():
        if only not in row.name:
            continue
        results.append(harness.measure(row, results))
        print(table(results[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    return results


def bench_codec(found, large, only):
    """(rows, text): the codec's table and what is measured beside it."""
    begin = began()
    results = measure("codec", rows_codec.table, only)
    versions = f"imagecodecs {found.get('imagecodecs') or 'absent'} (OpenJPH, OpenJPEG)"
    return results, f"{begin} Peers: {versions}.\n\n{rows_codec.table(results)}\n\n{rows_codec.extra(large)}"


def bench_group(group, only):
    """(rows, text) of any other group."""
    begin = began()
    results = measure(group, harness.markdown, only)
    text = f"{begin}\n\n{harness.markdown(results)}"
    extra = {"loader": loader_extra, "dicom": rows_dicom_scan.extra}.get(group)
    return results, f"{text}\n\n{extra()}" if extra and not only else text


def loader_extra():
    """What is not the time of a call: the import, and memory over epochs."""
    ours, numpy = rows_loader.import_seconds()
    memory = rows_loader.memory_over_epochs()
    return (
        f"`import microtome`: {ours:.3f} s, target 0.1 s (NumPy, imported at first use: {numpy:.3f} s)."
        f" Memory of 20 epochs (2 threads, 64 MiB cache): stated bound {memory['stated'] / 1e6:.0f} MB, grown in the first "
        f"epoch by {memory['first_epoch'] / 1e6:.0f} MB, in all 20 by {memory['all_epochs'] / 1e6:.0f} MB."
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="all when none is named")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--update", action="store_true", help="write the tables into doc/")
    parser.add_argument(
        "--only", default="", help="measure only rows whose name holds this; not with --update"
    )
    parser.add_argument(
        "--large", type=Path, help="folder for a very large picture whose regions are measured"
    )
    args = parser.parse_args()
    if args.only and args.update:
        parser.error("--only measures a part of a table, which --update would write as the whole")
    found, everything = peers.versions(), {}
    names = ", ".join(f"{n} {v}" for n, v in found.items() if v)
    print(f"machine: {machine()}\npeers: {names}", file=sys.stderr)
    for group in args.groups or GROUPS:
        one = bench_group(group, args.only) if group != "codec" else bench_codec(found, args.large, args.only)
        rows, text = one
        everything[group] = rows
        print(text)
        if args.update:
            update_doc("codec.md" if group == "codec" else "performance.md", group, text)
    if args.update and set(everything) - {"codec"}:
        update_doc("performance.md", "peers", f"Peers: {names}.")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"machine": machine(), "peers": found, "groups": everything}, indent=1))


if __name__ == "__main__":
    main()
