#!/usr/bin/env python3
"""Fails on an include that the flow of doc/architecture.md does not allow.

Quoted includes under src/ name their folder ("base/error.h"); a folder may include itself and what ALLOWED says. The
command line and the Python extension see the public headers only; every file may include those of the layers it may use.
SPDX-License-Identifier: Apache-2.0
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = {
    "base": [],
    "array": ["base", "kernel"],
    "kernel": ["base"],
    "io": ["base"],
    "codec": ["base", "array", "kernel"],
    "image": ["base", "array", "io", "codec"],
    "format": ["image", "codec", "io", "array", "base"],
    "op": ["base", "array", "kernel"],
    "pipe": ["op", "image", "array", "base", "kernel"],
    "load": ["op", "image", "array", "base"],
    "cli": [],
}
# Public headers by the layer that defines them.
PUBLIC = {
    "base.h": "base",
    "array.h": "array",
    "objects.h": "array",
    "image.h": "image",
    "codec.h": "codec",
    "dicom.h": "format",
    "op.h": "op",
    "window.h": "pipe",
    "load.h": "load",
    "microtome.h": "load",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def target_layer(name):
    parts = name.split("/")
    if parts[0] == "microtome":
        return PUBLIC.get(parts[1])
    return parts[0] if len(parts) > 1 and parts[0] in ALLOWED else None


def problems(path):
    relative = path.relative_to(ROOT)
    layer = relative.parts[1] if relative.parts[0] == "src" else relative.parts[0]
    if len(relative.parts) == 2:  # src/wire.c names everything
        return
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match[1]
        if layer in ("cli", "python"):
            inside = (path.parent / name).exists()
            if not inside and not name.startswith("microtome/"):
                yield f"{relative}:{number}: {layer} may include public headers only, not {name}"
            continue
        target = target_layer(name)
        if target is None or target == layer or target in ALLOWED.get(layer, []):
            continue
        yield f"{relative}:{number}: {layer} may not include {target} ({name})"


def main():
    files = [p for folder in ("src", "python/src") for p in sorted((ROOT / folder).rglob("*.[ch]"))]
    found = [line for path in files for line in problems(path)]
    print("\n".join(found) if found else f"layers: {len(files)} files, every include goes with the flow")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
