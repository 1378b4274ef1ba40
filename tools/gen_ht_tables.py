#!/usr/bin/env python3
"""Writes src/kernel/ht_tables.c: the HT block coder's tables, from the codewords of T.814 annex C in tables/ht_vlc.tsv.
With --check it writes nothing, and fails when the file in the tree is another. What the fields are stands in
src/kernel/ht_tables.h.

SPDX-License-Identifier: Apache-2.0
"""

import csv
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE.parent / "src" / "kernel" / "ht_tables.c"
MEL_EXPONENTS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5]  # T.814 table 2
U_MORE = 1 << 24

HEAD = """\
/* kernel/ht_tables.c: tables of the HT block coder; see ht_tables.h. Made by tools/gen_ht_tables.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_tables.h"

/* clang-format off */
"""


def codewords():
    with (HERE / "tables" / "ht_vlc.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            yield {key: int(value) for key, value in row.items()}


def bit(x, n):
    return x >> n & 1


def vlc_entry(w):
    """One quad that was read: ht_tables.h, MTM_HT_VLC_…"""
    rho = w["rho"]
    if w["table"] == 0:  # first quad row: context of the quad to the right, T.814 equation 1
        context = (bit(rho, 0) | bit(rho, 1)) | bit(rho, 2) << 1 | bit(rho, 3) << 2
    else:  # its part in equation 2
        context = (bit(rho, 2) | bit(rho, 3)) << 1
    several = rho.bit_count() > 1
    info = rho | w["e_k"] << 4 | w["e_1"] << 8 | several << 12
    return w["length"] | w["u_off"] << 7 | context << 9 | (w["c_q"] == 0) << 12 | info << 19


def vlc_decode():
    """[table][MEL symbol << 3 | context][the next 7 bits]"""
    tables = [[[0] * 128 for _ in range(16)] for _ in range(2)]
    for w in codewords():
        for rest in range(0, 128, 1 << w["length"]):
            for row in {w["c_q"] or 8, w["c_q"] | 8}:
                tables[w["table"]][row][w["codeword"] | rest] = vlc_entry(w)
    for table in tables:
        table[0] = [1 << 12] * 128  # nothing but a MEL symbol was read
    return tables


def prefix(bits):
    """Prefix of u (T.814 table 3): its length, its value, and the length of the suffix."""
    for length in 1, 2, 3:
        if bits >> (length - 1) & 1:
            return length, length, 1 if length == 3 else 0
    return 3, 5, 5


def u_entry(bits, mode):
    """u of a pair of quads from its next 8 bits (T.814 7.3.6); U_MORE: they do not tell. Modes: ht_tables.h"""
    present = [mode in (1, 3, 4, 5), mode in (2, 3, 4, 5)]
    used, u, suffix = 0, [0, 0], [0, 0]
    for i in range(2):
        if not present[i]:
            continue
        if mode == 4 and i == 1 and u[0] > 2:  # first quad row: a single bit is left
            u[1] = 1 + (bits >> used & 1)
            used += 1
        else:
            length, u[i], suffix[i] = prefix(bits >> used)
            used += length
    if used > 8:
        return U_MORE
    for i in range(2):
        value = bits >> used & ((1 << suffix[i]) - 1)
        if suffix[i] == 5 and value >= 28:  # an extension follows
            return U_MORE
        u[i] += value
        used += suffix[i]
    if mode == 5:
        u = [u[0] + 2, u[1] + 2]
    return used | u[0] << 8 | u[1] << 16 if used <= 8 else U_MORE


def vlc_encode():
    """[table][context << 8 | rho << 4 | eps]: the codeword that makes fewest bits; each 1 in e_k saves one of MagSgn."""
    tables = [[0] * 2050 for _ in range(2)]
    words = list(codewords())
    for table in range(2):
        for index in range(2048):
            c_q, rho, eps = index >> 8, index >> 4 & 15, index & 15
            quad = table, c_q, rho, int(eps != 0)
            fits = [w for w in words if (w["table"], w["c_q"], w["rho"], w["u_off"]) == quad]
            fits = [w for w in fits if eps & w["e_k"] == w["e_1"]]
            if fits and eps & ~rho == 0:
                w = min(fits, key=lambda w: w["length"] - w["e_k"].bit_count())
                tables[table][index] = w["codeword"] << 8 | w["length"] << 4 | w["e_k"]
    return tables


def u_code(u):
    """Prefix and suffix of u ≤ 32 (T.814 table 3), each a value and its bits."""
    if u <= 2:
        return (u, u), (0, 0)
    return ((4, 3), (u - 3, 1)) if u <= 4 else ((0, 3), (u - 5, 5))


def u_encode():
    """[0: first quad row, 1: the others][u of the first quad | u of the second << 5]"""
    tables = [[0] * 1024 for _ in range(2)]
    for table in range(2):
        for index in range(1024):
            u = [index & 31, index >> 5]
            if table == 0 and min(u) > 2:  # a MEL symbol says so
                u = [u[0] - 2, u[1] - 2]
            (first, first_more), (second, second_more) = u_code(u[0]), u_code(u[1])
            if table == 0 and min(u) > 0 and u[0] > 2 and index >> 5 <= 2:
                second = u[1] - 1, 1
            at = bits = 0
            for value, length in (first, second, first_more, second_more):
                bits |= value << at
                at += length
            tables[table][index] = bits | at << 16
    return tables


def lines(values, width, per_line):
    for i in range(0, len(values), per_line):
        yield "    " + ", ".join(f"0x{v:0{width}X}" for v in values[i : i + per_line]) + ",\n"


def text():
    out = [HEAD]
    out.append("const struct mtm_ht_decode_tables mtm_ht_decode_tables = {{{{\n")
    tables = ["}, {\n".join("".join(lines(context, 8, 8)) for context in t) for t in vlc_decode()]
    out.append("}}, {{\n".join(tables) + "}}}, {{\n")
    modes = ["".join(lines([u_entry(bits, mode) for bits in range(256)], 8, 8)) for mode in range(6)]
    out.append("}, {\n".join(modes) + "}}};\n\n")
    out.append("const uint16_t mtm_ht_vlc_encode[2][2050] = {{\n")
    out.append("}, {\n".join("".join(lines(t, 4, 12)) for t in vlc_encode()) + "}};\n\n")
    out.append("const uint32_t mtm_ht_u_encode[2][1024] = {{\n")
    out.append("}, {\n".join("".join(lines(t, 6, 10)) for t in u_encode()) + "}};\n\n")
    out.append(f"const uint8_t mtm_ht_mel_exponent[13] = {{{', '.join(map(str, MEL_EXPONENTS))}}};\n")
    return "".join(out)


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if OUT.read_text() == text() else f"{OUT.name} is not what {Path(__file__).name} writes")
    OUT.write_text(text())
