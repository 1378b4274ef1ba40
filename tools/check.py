#!/usr/bin/env python3
"""`make check`: warnings, layers, exported symbols, formatting, generated files. Ends with what failed, if anything.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def git_files(*patterns):
    out = subprocess.run(
        ["git", "ls-files", "-c", "-o", "--exclude-standard", *patterns],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    return [f for f in out.splitlines() if (ROOT / f).exists()]


def warnings():
    """The whole tree compiles without a warning."""
    folder = ROOT / "build" / "check"
    meson = [sys.executable, "-m", "mesonbuild.mesonmain"]
    if not (folder / "build.ninja").exists():
        subprocess.run(
            [*meson, "setup", str(folder), "-Dwerror=true", "-Dbuildtype=debugoptimized"],
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
    return ["ninja", "-C", str(folder)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True)
    args = parser.parse_args()
    python = sys.executable
    steps = {
        "warnings": warnings(),
        "layers": [python, "tests/check_layers.py"],
        "exports": [python, "tests/check_exports.py", str(args.build / "src" / "libmicrotome.so")],
        "C formatting": ["clang-format", "--dry-run", "-Werror", *git_files("*.c", "*.h")],
        "Python lint": ["ruff", "check", "-q", *git_files("*.py", "*.pyi")],
        "Python formatting": ["ruff", "format", "-q", "--check", *git_files("*.py", "*.pyi")],
        "generated files": [python, "tools/gen_ops.py", "--check"],
        "generated tables": [python, "tools/gen_ht_tables.py", "--check"],
        "generated MQ tables": [python, "tools/gen_mq_tables.py", "--check"],
        "generated character sets": [python, "tools/gen_dicom_charsets.py", "--check"],
    }
    failed = []
    for name, command in steps.items():
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        print(f"{name}: {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
        if done.returncode:
            failed.append(name)
            print((done.stdout + done.stderr)[-4000:], flush=True)
    print(
        f"check: {len(steps) - len(failed)} of {len(steps)} clean"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
