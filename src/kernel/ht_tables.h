/* kernel/ht_tables.h: the codewords of the HT block coder (T.814 annex C). Made by tools/gen_ht_tables.py.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_KERNEL_HT_TABLES_H
#define MTM_KERNEL_HT_TABLES_H

#include <stdint.h>

/* [0: first row of quads, 1: others][c_q << 8 | rho << 4 | eps], eps: which coefficients have the greatest exponent, 0
 * when the prediction was not exceeded: codeword << 8 | its bits << 4 | e_k, the one that makes fewest bits in all. */
extern const uint16_t mtm_ht_vlc_encode[2][2048];

#endif
