#!/usr/bin/env python3
"""Fails when the library's exported symbols and the public headers disagree, or a header does not compile alone.

Usage: check_exports.py libmicrotome.so
SPDX-License-Identifier: Apache-2.0
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADERS = sorted((ROOT / "include" / "microtome").glob("*.h"))
DECLARED = re.compile(r"MTM_API\s[^;{]*?\b(mtm_\w+)\s*\(")
TEST_HOOKS = {"mtm_mem_fail_after"}  # exported for the tests, in no public header


def comment_free(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def main():
    exported = set()
    for line in subprocess.run(
        ["nm", "-D", "--defined-only", sys.argv[1]], capture_output=True, text=True, check=True
    ).stdout.splitlines():
        exported.add(line.split()[-1].split("@")[0])
    declared = {name for h in HEADERS for name in DECLARED.findall(comment_free(h.read_text()))}
    found = [f"exported, but in no public header: {n}" for n in sorted(exported - declared - TEST_HOOKS)]
    found += [f"declared, but not exported: {n}" for n in sorted(declared - exported)]
    for header in HEADERS:
        for compiler, language in (("cc", "c"), ("c++", "c++")):
            done = subprocess.run(
                [
                    compiler,
                    "-x",
                    language,
                    "-fsyntax-only",
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-I",
                    str(ROOT / "include"),
                    "-include",
                    str(header),
                    "/dev/null",
                ],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                found.append(
                    f"{header.name} does not compile alone as {language}: {done.stderr.splitlines()[0]}"
                )
    print(
        "\n".join(found)
        if found
        else f"exports: {len(exported)} symbols, as the {len(HEADERS)} public headers declare"
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
