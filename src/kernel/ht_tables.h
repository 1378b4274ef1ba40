/* kernel/ht_tables.h: tables of the HT block coder (T.814 annex C and 7.3). ht_tables.c is made by
 * tools/gen_ht_tables.py from tools/tables/ht_vlc.tsv; `gen_ht_tables.py --check` says whether it still is.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_TABLES_H
#define MTM_KERNEL_HT_TABLES_H

#include <stdint.h>

/* Samples of a quad, and the bits of rho, e_k and e_1: 0 upper left, 1 lower left, 2 upper right, 3 lower right. */

/* A quad by its CxtVLC codeword: [0: first quad row, 1: the others][MEL symbol << 3 | context c_q][next 7 bits]. The
 * symbol matters in context 0 only: there 0 means that the quad has no codeword. Fields of an entry: */
enum {
    MTM_HT_VLC_LENGTH = 0x3F,  /* bits of the codeword */
    MTM_HT_VLC_U_OFF = 1 << 7, /* the quad has a u */
    MTM_HT_VLC_CONTEXT_SHIFT =
        9, /* its part in the context of the quad to its right; in place, bytes of a row here */
    MTM_HT_VLC_CONTEXT = 7 << 9,
    MTM_HT_VLC_MEL_SHIFT = 12,    /* MEL symbols that were read, 0 or 1, in 6 bits */
    MTM_HT_VLC_INFO_SHIFT = 19,   /* from here: */
    MTM_HT_INFO_RHO = 0xF,        /* significance */
    MTM_HT_INFO_E_K_SHIFT = 4,    /* whose exponent is known to reach the bound or not, */
    MTM_HT_INFO_E_1_SHIFT = 8,    /* and whose does */
    MTM_HT_INFO_SEVERAL = 1 << 12 /* more than one sample is significant */
};
/* u of a pair of quads: [mode][next 8 bits]. Fields of an entry: */
enum {
    MTM_HT_U_LENGTH = 0x3F,   /* bits of both codes */
    MTM_HT_U_FIRST_SHIFT = 8, /* u of the first quad, 8 bits */
    MTM_HT_U_SECOND_SHIFT = 16,
    MTM_HT_U_MORE = 1 << 24 /* the 8 bits do not tell: read code by code; nothing else is set */
};
/* Modes: bit 0 the first quad has a u, bit 1 the second; where both have one in the first quad row, */
enum { MTM_HT_U_FIRST_ROW = 4 /* plus the MEL symbol */ };

/* What the decoders look up; one object, so that one register finds it. */
extern const struct mtm_ht_decode_tables {
    uint32_t vlc[2][16][128];
    uint32_t u[6][256];
} mtm_ht_decode_tables;

/* The codeword for a quad: [0: first quad row, 1: the others][c_q << 8 | rho << 4 | eps], eps: which coefficients have
 * the greatest exponent, 0 when the prediction was not exceeded. Entry: codeword << 8 | its bits << 4 | e_k, the one that
 * makes fewest bits in all; 0: no codeword is needed, or there is no such quad. Two more entries, so that a load of 32
 * bits at any index stays inside. */
extern const uint16_t mtm_ht_vlc_encode[2][2050];

/* The codes of both u of a pair, ≤ 31 each: [0: first quad row, 1: the others][first | second << 5]. Entry: bits | their
 * number << 16. The first row's assumes that the MEL symbol for it is coded where both are not 0. */
extern const uint32_t mtm_ht_u_encode[2][1024];

/* MEL_E, T.814 table 2. */
extern const uint8_t mtm_ht_mel_exponent[13];

#endif
