# SPDX-License-Identifier: Apache-2.0
"""Makes src/kernel/ht_tables.c from ht_vlc.tsv, the codewords of T.814 annex C. Run it in the repository's root."""

import csv
import pathlib

HERE = pathlib.Path(__file__).parent
OUT = HERE.parent / "src/kernel/ht_tables.c"
FACTS = "ht_vlc.tsv"


def read_codewords():
    """rows[table]: dicts of numbers, in the standard's order."""
    rows = ([], [])
    with (HERE / FACTS).open(newline="") as f:
        for row in csv.DictReader(f, delimiter="\t"):
            row = {key: int(value) for key, value in row.items()}
            rows[row["table"]].append(row)
    return rows


def encode_entry(words, eps):
    """The codeword that costs fewest bits: each 1 in e_k saves one MagSgn bit."""
    fits = [w for w in words if w["u_off"] == (eps != 0) and eps & w["e_k"] == w["e_1"]]
    best = min(fits, key=lambda w: w["length"] - w["e_k"].bit_count())
    return best["codeword"] << 8 | best["length"] << 4 | best["e_k"]


def encode_table(rows):
    """[c_q << 8 | rho << 4 | eps]; 0 where no codeword is needed or the index makes no sense."""
    table = [0] * 2048
    for c_q in range(8):
        for rho in range(16):
            words = [w for w in rows if w["c_q"] == c_q and w["rho"] == rho]
            for eps in range(16):
                if words and eps & ~rho == 0 and (rho or not eps):
                    table[c_q << 8 | rho << 4 | eps] = encode_entry(words, eps)
    return table


def lines(numbers, form, per_line):
    for i in range(0, len(numbers), per_line):
        yield "     " + ", ".join(form % n for n in numbers[i : i + per_line]) + ","


def emit(name, ctype, tables, form="%#x", per_line=16):
    size = len(tables[0])
    yield f"const {ctype} {name}[{len(tables)}][{size}] = {{"
    for table in tables:
        yield "    {"
        yield from lines(table, form, per_line)
        yield "    },"
    yield "};"
    yield ""


def main():
    rows = read_codewords()
    text = [
        f"/* kernel/ht_tables.c: the codewords of the HT block coder. Made by tools/gen_ht_tables.py from tools/{FACTS}.",
        " * SPDX-License-Identifier: Apache-2.0 */",
        '#include "ht_tables.h"',
        "",
        "/* clang-format off */",
        *emit("mtm_ht_vlc_encode", "uint16_t", [encode_table(r) for r in rows]),
    ]
    OUT.write_text("\n".join(text).rstrip() + "\n")


if __name__ == "__main__":
    main()
