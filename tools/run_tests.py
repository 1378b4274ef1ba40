#!/usr/bin/env python3
"""Runs every test of a build folder and ends with one line: N passed, N failed, N skipped.

C tests (cmocka, kernel checker, fuzz corpora) are those that Meson lists; they speak TAP. Python tests run under pytest.
The counts of each runner are printed as they come; --record appends them to a file, for sums over several builds.
SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The operators' and the codec's tests run once more under MTM_CPU=0, where the plain C of every kernel meets the same oracles.
PLAIN_C = [
    f"tests/py/test_{part}.py" for part in ("resize", "blur", "spatial", "intensity", "codec_conformance")
]
SANITIZERS = {
    # Without stack-use-after-return: gcc 12 aligns its frames to 32 bytes, not to a 512-bit vector's 64 (GCC PR 110027).
    "ASAN_OPTIONS": "detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


def run_c_test(test, slow_down):
    """One test program: (passed, failed, skipped), printing its output when something is wrong."""
    env = {**os.environ, **SANITIZERS, **test.get("env", {}), "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    timeout = test.get("timeout", 60) * slow_down
    try:
        done = subprocess.run(
            test["cmd"], capture_output=True, text=True, errors="replace", env=env, timeout=timeout, cwd=ROOT
        )
        out, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired as e:
        out, code = f"{(e.stdout or b'').decode(errors='replace')}\nstopped after {timeout} s", 1
    lines = re.findall(r"^(not )?ok \d+(.*)$", out, re.M)
    skipped = sum("# skip" in rest.lower() for _, rest in lines)  # cmocka writes "not ok 6 # SKIP name"
    failed = sum(bad != "" and "# skip" not in rest.lower() for bad, rest in lines)
    passed = len(lines) - skipped - failed
    if code == 77 and not passed and not failed:
        skipped = 1
    elif code and not failed:
        failed = 1
    elif passed + failed + skipped == 0:
        failed, out = 1, out + "\nran no test"
    if failed:
        print(f"--- {test['name']} (exit {code})\n{out[-6000:]}", flush=True)
    return passed, failed, skipped


def run_c(build, slow_down, suite=None):
    """suite: the one that is run; None: all."""
    text = subprocess.run(
        [sys.executable, "-m", "mesonbuild.mesonmain", "introspect", str(build), "--tests"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    total = [0, 0, 0]
    for test in json.loads(text):
        if suite and not any(s.split(":")[-1] == suite for s in test["suite"]):
            continue
        counts = run_c_test(test, slow_down)
        total = [a + b for a, b in zip(total, counts)]
        print(f"  {test['name']}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped", flush=True)
    return total


def run_pytest(build, arguments, cpu=None):
    """cpu: the instruction sets that the library may use, as MTM_CPU; None: all."""
    env = {
        **os.environ,
        **({"MTM_CPU": cpu} if cpu else {}),
        "PYTHONPATH": str(build / "python"),
        "MICROTOME_CLI": str(build / "src" / "cli" / "microtome"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, cwd=ROOT
    ) as p:
        last = ""
        for line in p.stdout:
            print(line, end="", flush=True)
            if re.search(r"\d+ (passed|failed|skipped|error)", line):
                last = line
    count = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", last)}
    failed = count.get("failed", 0) + count.get("error", 0)
    if p.returncode and not failed:
        failed = 1
    return [count.get("passed", 0), failed, count.get("skipped", 0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", choices=["c", "py"])
    parser.add_argument("--suite", help="of the C tests: unit, check or fuzz; default: all")
    parser.add_argument("--name", default="test", help="of this run, in the record")
    parser.add_argument("--record", type=Path, default=ROOT / "build" / "test-counts.txt")
    args, pytest_arguments = parser.parse_known_args()
    build = args.build.resolve()
    total = [0, 0, 0]
    if args.only != "py":
        counts = run_c(build, 1 if args.name == "test" else 20, args.suite)
        print(
            f"C tests ({args.name}): {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped", flush=True
        )
        total = [a + b for a, b in zip(total, counts)]
    if args.only != "c":
        for cpu, files in ((None, ["tests/py"]), ("0", PLAIN_C)):
            counts = run_pytest(build, [*files, *pytest_arguments], cpu)
            runner = "Python tests" + (" in plain C" if cpu else "")
            print(f"{runner}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped", flush=True)
            total = [a + b for a, b in zip(total, counts)]
    args.record.parent.mkdir(parents=True, exist_ok=True)
    with args.record.open("a") as f:
        f.write(f"{args.name} {total[0]} {total[1]} {total[2]}\n")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    sys.exit(1 if total[1] or not total[0] else 0)


if __name__ == "__main__":
    main()
