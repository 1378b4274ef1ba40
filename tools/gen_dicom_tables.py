#!/usr/bin/env python3
"""Writes src/format/dicom/data/dictionary_table.c and uid_table.c: the data elements of PS3.6 and its well-known UIDs, from
../shared/standard/dicom_dictionary.tsv and dicom_uids.tsv (--facts: another folder). --check writes nothing, and fails when
a file in the tree is another. What the tables are stands in src/format/dicom/data/tables.h.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import csv
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "format" / "dicom" / "data"
HASH = 2654435761  # 2^32 divided by the golden ratio, as in dcm_tag_slot()
SLOT_BITS = 14

HEAD = """\
/* format/dicom/data/{name}: {what}; see tables.h. Made by tools/gen_dicom_tables.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tables.h"

/* clang-format off */
"""


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def flag(row):
    return "true" if row["retired"] == "Y" else "false"


def entry(row, tag):
    vr = "" if row["vr"] == "NONE" else row["vr"]
    cells = ", ".join([quoted(vr)] + [quoted(row[key]) for key in ("vm", "keyword", "name")])
    return f"{{0x{tag:08X}, {cells}, {flag(row)}}}"


def slots(tags):
    """Open addressing: slot of the hash, or the next that is free; 0xFFFF: none."""
    table = [0xFFFF] * (1 << SLOT_BITS)
    for number, tag in enumerate(tags):
        at = (tag * HASH & 0xFFFFFFFF) >> (32 - SLOT_BITS)
        while table[at] != 0xFFFF:
            at = (at + 1) % len(table)
        table[at] = number
    return table


def numbers(values, per_line=20):
    values = [str(v) for v in values]
    return "".join(
        "    " + ", ".join(values[i : i + per_line]) + ",\n" for i in range(0, len(values), per_line)
    )


def dictionary(facts):
    plain, repeating = [], []
    for row in rows(facts / "dicom_dictionary.tsv"):
        (repeating if "x" in row["tag"] else plain).append(row)
    plain.sort(key=lambda row: int(row["tag"], 16))
    tags = [int(row["tag"], 16) for row in plain]
    entries = [entry(row, tag) for row, tag in zip(plain, tags, strict=True)]
    masks = []
    for row in repeating:
        entries.append(entry(row, int(row["tag"].replace("x", "0"), 16)))
        masks.append("0x" + "".join("0" if c == "x" else "F" for c in row["tag"]))
    keywords = [row["keyword"] for row in plain + repeating]
    by_keyword = sorted((k, i) for i, k in enumerate(keywords) if k)
    out = HEAD.format(name="dictionary_table.c", what="the data elements of PS3.6")
    out += f"const int dcm_n_plain = {len(plain)}, dcm_n_repeating = {len(repeating)};\n\n"
    out += (
        f"const mtm_dicom_entry dcm_entries[{len(entries)}] = {{\n    "
        + ",\n    ".join(entries)
        + ",\n};\n\n"
    )
    out += f"const uint32_t dcm_repeating_masks[{len(masks)}] = {{\n{numbers(masks, 8)}}};\n\n"
    out += f"const uint16_t dcm_tag_slots[1 << DCM_SLOT_BITS] = {{\n{numbers(slots(tags))}}};\n\n"
    out += f"const int dcm_n_keywords = {len(by_keyword)};\n"
    out += f"const uint16_t dcm_by_keyword[{len(by_keyword)}] = {{\n{numbers(i for _, i in by_keyword)}}};\n"
    return out


def uids(facts):
    table = sorted(rows(facts / "dicom_uids.tsv"), key=lambda row: row["uid"].encode())
    by_keyword = sorted((row["keyword"].encode(), i) for i, row in enumerate(table) if row["keyword"])
    out = HEAD.format(name="uid_table.c", what="the well-known UIDs of PS3.6 A")
    out += f"const int dcm_n_uids = {len(table)};\n\nconst mtm_dicom_uid dcm_uids[{len(table)}] = {{\n"
    for row in table:
        cells = ", ".join(quoted(row[key]) for key in ("uid", "name", "type", "keyword"))
        out += f"    {{{cells}, {flag(row)}}},\n"
    out += f"}};\n\nconst int dcm_n_uid_keywords = {len(by_keyword)};\n"
    out += (
        f"const uint16_t dcm_uid_by_keyword[{len(by_keyword)}] = {{\n{numbers(i for _, i in by_keyword)}}};\n"
    )
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--facts", type=Path, default=ROOT.parent / "shared" / "standard")
    args = parser.parse_args()
    stale = []
    for name, made in (("dictionary_table.c", dictionary(args.facts)), ("uid_table.c", uids(args.facts))):
        path = DATA / name
        if args.check:
            if not path.exists() or path.read_text(encoding="utf-8") != made:
                stale.append(str(path.relative_to(ROOT)))
        else:
            path.write_text(made, encoding="utf-8")
    if stale:
        sys.exit("out of date: " + ", ".join(stale))


if __name__ == "__main__":
    main()
