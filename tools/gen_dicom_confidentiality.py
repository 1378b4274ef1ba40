#!/usr/bin/env python3
"""Writes src/format/dicom/deid/confidentiality_table.c from PS3.15 table E.1-1 (../shared/standard/dicom_confidentiality.tsv).

    tools/gen_dicom_confidentiality.py [--check] [TABLE]

Of compound codes the last one that always keeps an object conformant is taken ("X/Z/D": D), because the types of the
object's modules are not looked up: a dummy says as little as an empty value.
SPDX-License-Identifier: Apache-2.0
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FACTS = ROOT.parent / "shared" / "standard" / "dicom_confidentiality.tsv"
TARGET = ROOT / "src" / "format" / "dicom" / "deid" / "confidentiality_table.c"
# Columns in the order of the MTM_DEID_ flags.
OPTIONS = [
    "rtnUIDsOpt",
    "rtnDevIdOpt",
    "rtnInstIdOpt",
    "rtnPatCharsOpt",
    "rtnLongFullDatesOpt",
    "rtnLongModifDatesOpt",
    "cleanDescOpt",
    "cleanStructContOpt",
    "cleanGraphOpt",
]
# Where the last code would break an object: an empty Referenced Study Sequence is nowhere allowed (PS3.3 C.7.2.1: one or more items).
EXCEPTIONS = {"00081110": "X"}
HEAD = """/* format/dicom/deid/confidentiality_table.c: PS3.15 table E.1-1, made by tools/gen_dicom_confidentiality.py: tag (of a
 * repeating group its first), the basic profile's action, and for each option in the order of the MTM_DEID_ flags K (keep), C (clean) or blank.
 * SPDX-License-Identifier: Apache-2.0 */
#include "confidentiality.h"

/* clang-format off */
const dcm_confidentiality dcm_confidentiality_table[] = {
"""


def lines(path):
    """The table's rows as lists of its columns; a name that goes on in the next lines is put together."""
    width, row = 0, []
    for line in path.read_text().splitlines():
        cells = line.split("\t")
        row = row[:-1] + [" ".join([*row[-1:], cells[0]]).strip(), *cells[1:]] if row else cells
        width = width or len(row)
        if len(row) >= width:
            yield row
            row = []


def rows(path):
    head, *body = lines(Path(path))
    for row in (dict(zip(head, cells, strict=True)) for cells in body):
        tag = row["tag"].upper()
        if len(tag) == 8:  # private attributes have rules of their own
            basic = EXCEPTIONS.get(tag) or next(c for c in "DUZX" if c in row["basicProfile"])
            options = "".join(row[c] or " " for c in OPTIONS)
            yield int(tag.replace("X", "0"), 16), basic, options, row["name"]


def table(path):
    lines = [
        f"    {{0x{tag:08X}u, '{basic}', \"{options}\"}}, /* {name} */\n"
        for tag, basic, options, name in sorted(rows(path))
    ]
    return (
        HEAD
        + "".join(lines)
        + "};\n/* clang-format on */\n"
        + "const int dcm_confidentiality_rows = sizeof dcm_confidentiality_table / sizeof *dcm_confidentiality_table;\n"
    )


def main(arguments):
    paths = [a for a in arguments if not a.startswith("--")]
    text = table(paths[0] if paths else FACTS)
    if "--check" in arguments:
        return 0 if TARGET.read_text() == text else f"{TARGET.name} is not what its table gives"
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
