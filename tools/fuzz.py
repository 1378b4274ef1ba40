#!/usr/bin/env python3
"""Runs every libFuzzer target of a build for a given time each, from the inputs of tests/fuzz/corpus and those that earlier
runs have found; stops at the first crash and keeps its input.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    args = parser.parse_args()
    targets = sorted(
        p for p in (args.build / "tests" / "fuzz").glob("fuzz_*") if p.is_file() and os.access(p, os.X_OK)
    )
    if not targets:
        sys.exit("fuzz: no target was built")
    for target in targets:
        corpus = args.build / "corpus" / target.name
        corpus.mkdir(parents=True, exist_ok=True)
        print(f"== {target.name}, {args.seconds} s", flush=True)
        done = subprocess.run(
            [
                str(target.resolve()),
                f"-max_total_time={args.seconds}",
                "-rss_limit_mb=4096",
                "-timeout=20",
                "-print_final_stats=1",
                "-verbosity=0",
                f"-artifact_prefix={corpus.resolve()}/",
                str(corpus.resolve()),
                str(ROOT / "tests" / "fuzz" / "corpus" / target.name.removeprefix("fuzz_")),
            ],
            check=False,
        )
        if done.returncode:
            sys.exit(f"fuzz: {target.name} failed; its input is in {corpus}")
    print(f"fuzz: {len(targets)} targets, nothing found")


if __name__ == "__main__":
    main()
