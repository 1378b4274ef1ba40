#!/usr/bin/env python3
"""`make bench`: every row of doc/performance.md. Ours and each installed peer in one process, interleaved.

Usage: bench/run.py [io] [ops] [mr] [labels] [patch] [loader] [feed] [codec] [--json FILE] [--update] [--large FOLDER]
--update rewrites the tables in doc/performance.md and, for the codec, doc/codec.md. --large measures the memory of a region of
a 20000 × 20000 picture too, which takes minutes and room for it in FOLDER.
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
    "codec": rows_codec.rows,
    "infer": rows_infer.rows,
}
ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


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


def update_doc(name, text):
    """Puts the text between the marks of doc/NAME."""
    path = ROOT / "doc" / name
    head, rest = path.read_text().split(BEGIN)
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}")


def bench_codec(results, found, large, update):
    """The codec's rows and what is measured beside them."""
    load = os.getloadavg()[0]  # of others: a busy machine tells little
    for row in rows_codec.rows():
        results.append(harness.measure(row, results))
        print(rows_codec.table(results[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    versions = f"imagecodecs {found.get('imagecodecs') or 'absent'} (OpenJPH, OpenJPEG)"
    text = f"Machine: {machine()}, load {load:.1f} when it began. Peers: {versions}.\n\n{rows_codec.table(results)}\n\n{rows_codec.extra(large)}"
    print(text)
    if update:
        update_doc("codec.md", text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="all when none is named")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--update", action="store_true", help="write the table into doc/performance.md")
    parser.add_argument(
        "--large", type=Path, help="folder for a very large picture whose regions are measured"
    )
    args = parser.parse_args()
    found = peers.versions()
    print(f"machine: {machine()}\npeers: {found}", file=sys.stderr)
    groups, codec = list(args.groups or GROUPS), []
    if "codec" in groups:
        groups.remove("codec")
        bench_codec(codec, found, args.large, args.update)
    if groups:
        bench_others(groups, codec, found, args)
    else:
        write_json(args.json, found, codec)


def write_json(path, found, rows, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine(), "peers": found, "rows": rows, **more}, indent=1))


def bench_others(groups, codec, found, args):
    results = []
    for group in groups:
        for row in GROUPS[group]():
            results.append(harness.measure(row, results))
            print(harness.markdown(results[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    ours, numpy = rows_loader.import_seconds()
    memory = rows_loader.memory_over_epochs() if "loader" in groups else None
    extra = f"`import microtome`: {ours:.3f} s, target 0.1 s (NumPy, imported at first use: {numpy:.3f} s)."
    if memory:
        extra += (
            f" Memory of 20 epochs (2 threads, 64 MiB cache): stated bound {memory['stated'] / 1e6:.0f} MB, grown in the first "
            f"epoch by {memory['first_epoch'] / 1e6:.0f} MB, in all 20 by {memory['all_epochs'] / 1e6:.0f} MB."
        )
    table = harness.markdown(results)
    print(table, extra, sep="\n\n")
    write_json(args.json, found, codec + results, import_s=ours, memory=memory)
    if args.update:
        names = ", ".join(f"{n} {v}" for n, v in found.items() if v)
        update_doc("performance.md", f"Machine: {machine()}. Peers: {names}.\n\n{table}\n\n{extra}")


if __name__ == "__main__":
    main()
