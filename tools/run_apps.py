#!/usr/bin/env python3
"""`make train`: runs every training program with --quick and its control, holds each score against what is required, prints a table.

The control learns from shuffled answers; its score must be chance. The data is synthetic, made from one brain: a high score shows
that a program works from file to report, nothing else.
SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import operator
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMPARE = {">=": operator.ge, "<=": operator.le}

# program: score of result.json, what is required, what the control must show (None: it has no control), further arguments
PROGRAMS = {
    "classify_sex": ("accuracy", (">=", 0.9), ("<=", 0.75), ()),
    "classify_sex_resnet": ("accuracy", (">=", 0.9), ("<=", 0.75), ()),
    "regress_age": ("relative_mae", ("<=", 0.5), (">=", 0.75), ()),
    "autoencode": ("relative_mse", ("<=", 0.4), (">=", 0.9), ()),
    "superresolve": ("psnr_gain", (">=", 1.0), ("<=", 0.0), ()),
    "segment_tissue": ("val_dice", (">=", 0.3), ("<=", 0.1), ()),
    "segment_patches": ("val_dice", (">=", 0.5), ("<=", 0.05), ()),
    "feed_benchmark": ("gz_times_generator", (">=", 5.0), None, ()),
}


def run(program, arguments, out):
    """(result.json or None, wall seconds); what the program prints goes to OUT.log."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "apps" / f"{program}.py"), "--quick", "--out", str(out), *arguments]
    begin = time.perf_counter()
    with out.with_suffix(".log").open("w") as log:
        code = subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=os.environ
        ).returncode
    result = out / "result.json"
    done = json.loads(result.read_text()) if code == 0 and result.exists() else None
    return done, time.perf_counter() - begin


def check(name, program, wanted, arguments, out):
    """One run as a line of the table; True when it shows what it must."""
    score, (sign, limit) = program[0], wanted
    (out / "result.json").unlink(missing_ok=True)
    result, seconds = run(name, arguments, out)
    value = None if result is None else result.get(score)
    good = value is not None and COMPARE[sign](value, limit)
    kind = "control" if "--shuffle-labels" in arguments else "quick"
    shown = "failed, see " + str(out.with_suffix(".log")) if value is None else f"{value:.3f}"
    waits = "" if result is None else f"{result['wait_share']:.1%}"
    line = f"{name:22} {kind:8} {score:14} {shown:>8}  must be {sign} {limit:<5} {seconds:5.0f} s  waiting {waits:>6}"
    print(f"{line}  {'ok' if good else 'NOT MET'}", flush=True)
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="*", help=f"default: all of {', '.join(PROGRAMS)}")
    parser.add_argument("--out", type=Path, default=Path("build/apps"))
    parser.add_argument("--no-control", action="store_true", help="only the runs that must learn")
    args = parser.parse_args()
    unknown = set(args.programs) - set(PROGRAMS)
    if unknown:
        parser.error(f"no program {', '.join(sorted(unknown))}; there are {', '.join(PROGRAMS)}")
    good = []
    for name in args.programs or PROGRAMS:
        program = PROGRAMS[name]
        good.append(check(name, program, program[1], program[3], args.out / name))
        if program[2] and not args.no_control:
            out = args.out / f"{name}_control"
            good.append(check(name, program, program[2], (*program[3], "--shuffle-labels"), out))
    print(f"{sum(good)} of {len(good)} runs show what they must; reports in {args.out}/*/report.html")
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
