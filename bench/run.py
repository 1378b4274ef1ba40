#!/usr/bin/env python3
"""`make bench`: every row of doc/performance.md. Ours and each installed peer in one process, interleaved.

Usage: bench/run.py [io] [ops] [loader] [--json FILE] [--update]   (--update rewrites the table in doc/performance.md)
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
import rows_io
import rows_loader
import rows_ops

GROUPS = {"io": rows_io.rows, "ops": rows_ops.rows, "loader": rows_loader.rows}
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


def update_doc(table, extra, found):
    path = ROOT / "doc" / "performance.md"
    text = path.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    names = ", ".join(f"{n} {v}" for n, v in found.items() if v)
    path.write_text(
        f"{head}{BEGIN}\nMachine: {machine()}. Peers: {names}.\n\n{table}\n\n{extra}\n{END}{tail}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="all when none is named")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--update", action="store_true", help="write the table into doc/performance.md")
    args = parser.parse_args()
    found = peers.versions()
    print(f"machine: {machine()}\npeers: {found}", file=sys.stderr)
    results = []
    for group in args.groups or GROUPS:
        for row in GROUPS[group]():
            results.append(harness.measure(row, results))
            print(harness.markdown(results[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    ours, numpy = rows_loader.import_seconds()
    memory = rows_loader.memory_over_epochs() if "loader" in (args.groups or GROUPS) else None
    extra = f"`import microtome`: {ours:.3f} s, target 0.1 s (NumPy, imported at first use: {numpy:.3f} s)."
    if memory:
        extra += (
            f" Memory of 20 epochs (2 threads, 64 MiB cache): stated bound {memory['stated'] / 1e6:.0f} MB, grown in the first "
            f"epoch by {memory['first_epoch'] / 1e6:.0f} MB, in all 20 by {memory['all_epochs'] / 1e6:.0f} MB."
        )
    table = harness.markdown(results)
    print(table, extra, sep="\n\n")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(
        json.dumps(
            {"machine": machine(), "peers": found, "rows": results, "import_s": ours, "memory": memory},
            indent=1,
        )
    )
    if args.update:
        update_doc(table, extra, found)


if __name__ == "__main__":
    main()
