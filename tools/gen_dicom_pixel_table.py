#!/usr/bin/env python3
"""Writes the table of doc/formats.md that says which DICOM pixels were compared with which other decoder: from the real files and the
judges of tests/py/dicom_judges.py, by the same comparison as the tests.

Needs the built package on the path (PYTHONPATH=BUILD/python) and the data (MICROTOME_DATA).
SPDX-License-Identifier: Apache-2.0
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "py"))

import dicom_judges  # noqa: E402
import microtome as mt  # noqa: E402

PAGE = ROOT / "doc" / "formats.md"
BEGIN, END = "<!-- dicom pixels: begin -->\n", "<!-- dicom pixels: end -->\n"


def lines():
    yield "| transfer syntax | photometric interpretation | bits stored/allocated | files equal, by judge |"
    yield "|---|---|---|---|"
    for (uid, photometric, depth), judges in sorted(dicom_judges.table(dicom_judges.files()).items()):
        said = ", ".join(f"{name} {n}" for name, n in sorted(judges.items())) or "–"
        yield f"| {uid.removeprefix('1.2.840.10008.')} {mt.dicom.uid(uid).name} | {photometric} | {depth} | {said} |"


def main():
    text = PAGE.read_text()
    table = BEGIN + "\n".join(lines()) + "\n" + END
    if BEGIN in text:
        text = text[: text.index(BEGIN)] + table + text[text.index(END) + len(END) :]
    else:
        text += f"\n{table}"
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
