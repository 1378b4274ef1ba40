/* kernel/ht_decode.c: decodes one code-block of T.814, plainly: bit by bit as clause 7 says. It defines what the
 * variants must give, on any bytes:
 *
 *     cleanup segment:    | MagSgn →        | MEL →   ← VLC | Scup     Lcup bytes, the last Scup of them MEL and VLC
 *     refinement segment: | SigProp →            ← MagRef |            Lref bytes
 *
 * A block is CORRUPT, and its rectangle zeros, when its lengths or passes contradict each other, a bound U_q or a
 * magnitude needs more than n_planes allow, the MagSgn bytes have a stuffed bit that is 1, or MagSgn or VLC bits are
 * wanted that are not there (one byte of ones beyond MagSgn is: encoders drop it).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "ht_decode.h"

/* ---- bit readers ------------------------------------------------------------------------------------------ */

/* Bits of one of the streams, least significant first. */
typedef struct reader {
    const uint8_t *at, *end; /* forward: at … end; backward: at − 1 … end */
    uint64_t bits;
    int32_t n;    /* of bits */
    int64_t lent; /* bits given that the stream does not have */
    uint32_t last;
} reader;

/* MagSgn and SigProp, T.814 7.1.2 and 7.1.5: after 0xFF a byte has 7 bits. `fill` follows the last byte. */
static uint64_t forward_take(reader *r, int32_t n, uint32_t fill)
{
    while (r->n < n) {
        const int32_t size = r->last == 0xFF ? 7 : 8;

        if (r->at < r->end) {
            r->last = *r->at++;
            r->bits |= (uint64_t)(r->last & (size == 7 ? 0x7F : 0xFF)) << r->n;
            r->n += size;
        } else {
            r->bits |= (uint64_t)fill << r->n;
            r->n += 8, r->lent += 8;
        }
    }
    const uint64_t v = r->bits & (((uint64_t)1 << n) - 1);

    r->bits >>= n, r->n -= n;
    return v;
}

/* VLC and MagRef, T.814 7.1.4 and 7.1.6: backward; before a byte above 0x8F, one that ends in 7 ones has 7 bits. */
static void backward_fill(reader *r, int32_t n)
{
    while (r->n < n) {
        uint32_t byte = 0;
        int32_t size = 8;

        if (r->at > r->end) {
            byte = *--r->at;
            size = r->last > 0x8F && (byte & 0x7F) == 0x7F ? 7 : 8;
        } else {
            r->lent += 8;
        }
        r->bits |= (uint64_t)(byte & (size == 7 ? 0x7F : 0xFF)) << r->n;
        r->n += size, r->last = byte;
    }
}

static uint32_t backward_take(reader *r, int32_t n)
{
    backward_fill(r, n);
    const uint32_t v = (uint32_t)r->bits & ((1u << n) - 1);

    r->bits >>= n, r->n -= n;
    return v;
}

/* The adaptive run-length decoder, T.814 7.1.3 and 7.3.3. */
typedef struct mel_reader {
    const uint8_t *at, *last_but_one, *end;
    uint32_t byte, n; /* bits of byte not yet read */
    int32_t k, run;
    bool one; /* ends the run */
} mel_reader;

static uint32_t mel_bit(mel_reader *m)
{
    if (m->n == 0) {
        m->n = m->byte == 0xFF ? 7 : 8;
        if (m->at < m->last_but_one)
            m->byte = *m->at;
        else /* the bits that Scup lies in count as ones */
            m->byte = m->at == m->last_but_one ? *m->at | 0x0Fu : 0xFFu;
        m->at += m->at < m->end;
    }
    return m->byte >> --m->n & 1;
}

static uint32_t mel_symbol(mel_reader *m)
{
    if (m->run == 0 && !m->one) {
        const int32_t exponent = mtm_ht_mel_exponent[m->k];

        if (mel_bit(m)) {
            m->run = 1 << exponent;
            m->k += m->k < 12;
        } else {
            for (int32_t i = 0; i < exponent; i++)
                m->run = m->run << 1 | (int32_t)mel_bit(m);
            m->k -= m->k > 0;
            m->one = true;
        }
    }
    if (m->run > 0) {
        m->run--;
        return 0;
    }
    m->one = false;
    return 1;
}

/* ---- the cleanup pass ------------------------------------------------------------------------------------- */

enum { MAX_SIDE = MTM_BLOCK_MAX_SIDE, MAX_QUADS = MAX_SIDE / 2 };

/* What the passes know of a block; lies in the scratch. */
typedef struct block_state {
    int64_t v2[MTM_BLOCK_MAX_SAMPLES]; /* [y][x]: what block.h calls v2, with its sign */
    uint8_t sigma[6 * (MAX_SIDE + 2)]; /* [y + 1][x + 1] with a border of zeros: 1 by cleanup, 2 by SigProp */
    uint8_t rho[2][MAX_QUADS + 3];     /* [above, this row][quad + 1] */
    uint8_t exponent[MAX_SIDE + 4];    /* [x + 1]: E of the lowest row of the quads above, 0: insignificant */
    mel_reader mel;
    reader vlc, magsgn;
    int32_t max_bound; /* the largest U_q */
    uint64_t max_mu;   /* and magnitude */
} block_state;

_Static_assert(sizeof(block_state) <= MTM_HT_REFERENCE_BYTES, "the state fits into the scratch");
_Static_assert(6 * (MAX_SIDE + 2) >= 66 * 66, "a border fits around every shape of block");

/* Cuts the cleanup segment into its three streams, T.814 7.1.1 … 7.1.4. False: Scup is impossible. */
static bool open_streams(block_state *s, const uint8_t *d, uint32_t lcup)
{
    if (lcup < 2)
        return false;
    const uint32_t scup = (uint32_t)d[lcup - 1] << 4 | (d[lcup - 2] & 0xFu), pcup = lcup - scup;

    if (scup < 2 || scup > lcup || scup > 4079)
        return false;
    s->magsgn = (reader){.at = d, .end = d + pcup};
    s->mel = (mel_reader){.at = d + pcup, .last_but_one = d + lcup - 2, .end = d + lcup};
    const uint32_t first = d[lcup - 2] >> 4;

    s->vlc = (reader){.at = d + lcup - 2, .end = d + pcup, .last = d[lcup - 2] | 0xFu};
    s->vlc.n = (first & 7) == 7 ? 3 : 4;
    s->vlc.bits = first & ((1u << s->vlc.n) - 1);
    return true;
}

/* T.814 7.3.5: context c_q of quad q (counted from 1), equations 1 and 2. */
static uint32_t quad_context(const block_state *s, int32_t q, bool first_row)
{
    const uint32_t w = s->rho[1][q - 1];

    if (first_row)
        return ((w | w >> 1) & 1) | (w >> 1 & 6);
    const uint32_t nw = s->rho[0][q - 1], n = s->rho[0][q], ne = s->rho[0][q + 1];

    return ((nw >> 3 | n >> 1) & 1) | ((w >> 2 | w >> 3) & 1) << 1 | ((n >> 3 | ne >> 1) & 1) << 2;
}

/* Reads a quad's entry of the VLC table, T.814 7.3.4 and 7.3.5; 0: not significant, no codeword. */
static uint32_t take_quad(block_state *s, int32_t q, bool first_row)
{
    const uint32_t context = quad_context(s, q, first_row);
    uint32_t entry = 0;

    if (context != 0 || mel_symbol(&s->mel)) {
        backward_fill(&s->vlc, 7);
        entry = mtm_ht_decode_tables.vlc[!first_row][8 | context][s->vlc.bits & 0x7F];
        backward_take(&s->vlc, entry & MTM_HT_VLC_LENGTH);
    }
    s->rho[1][q] = entry >> MTM_HT_VLC_INFO_SHIFT & MTM_HT_INFO_RHO;
    return entry;
}

/* T.814 table 3: u_pfx. */
static int32_t take_prefix(reader *vlc)
{
    for (int32_t length = 1; length <= 3; length++)
        if (backward_take(vlc, 1))
            return length;
    return 5;
}

/* u_sfx for a prefix, and u_ext for a suffix. */
static int32_t take_suffix(reader *vlc, int32_t prefix)
{
    return prefix < 3 ? 0 : (int32_t)backward_take(vlc, prefix == 3 ? 1 : 5);
}

static int32_t take_extension(reader *vlc, int32_t suffix)
{
    return suffix < 28 ? 0 : (int32_t)backward_take(vlc, 4);
}

/* u of a pair of quads, T.814 7.3.6; present[i]: u_off of quad i. */
static void take_u(block_state *s, const bool present[2], bool first_row, int32_t u[2])
{
    const bool both = first_row && present[0] && present[1], large = both && mel_symbol(&s->mel);
    int32_t prefix[2] = {0, 0}, suffix[2] = {0, 0};

    if (present[0])
        prefix[0] = take_prefix(&s->vlc);
    if (both && !large && prefix[0] > 2)
        prefix[1] = 1 + (int32_t)backward_take(&s->vlc, 1);
    else if (present[1])
        prefix[1] = take_prefix(&s->vlc);
    for (int32_t i = 0; i < 2; i++)
        suffix[i] = take_suffix(&s->vlc, prefix[i]);
    for (int32_t i = 0; i < 2; i++)
        u[i] = prefix[i] + suffix[i] + 4 * take_extension(&s->vlc, suffix[i]) + (large ? 2 : 0);
}

/* U_q = kappa_q + u_q, T.814 7.3.7: the exponents above bound a quad of several significant samples. */
static int32_t exponent_bound(const block_state *s, int32_t q, uint32_t info, int32_t u, bool first_row)
{
    const uint8_t *const above = s->exponent + 2 * q; /* of the sample left of the quad's upper left one */
    int32_t kappa = 1;

    if (!first_row && (info & MTM_HT_INFO_SEVERAL))
        for (int32_t i = 0; i < 4; i++)
            kappa = above[i] - 1 > kappa ? above[i] - 1 : kappa;
    return kappa + u;
}

/* Magnitudes and signs of a quad, T.814 7.3.8, as v2 in v[4], and its lower exponents. */
static void take_samples(block_state *s, uint32_t info, int32_t bound, int32_t plane, int64_t v[4],
                         uint8_t exponents[4])
{
    for (int32_t n = 0; n < 4; n++) {
        v[n] = 0, exponents[n] = 0;
        if (!(info >> n & 1))
            continue;
        const int32_t m = bound - (int32_t)(info >> (MTM_HT_INFO_E_K_SHIFT + n) & 1);
        const uint64_t high = info >> (MTM_HT_INFO_E_1_SHIFT + n) & 1;
        const uint64_t bits = forward_take(&s->magsgn, m, 0xFF) | high << m, mu = (bits >> 1) + 1;
        const int64_t v2 = (int64_t)((2 * mu + 1) << plane);

        exponents[n] = (uint8_t)(64 - __builtin_clzll(bits | 1));
        s->max_mu = mu > s->max_mu ? mu : s->max_mu;
        v[n] = bits & 1 ? -v2 : v2;
    }
}

/* Decodes a pair of quads, the first of which is q, of quad row y. False: U_q is beyond what the block may have. */
static bool decode_pair(block_state *s, const mtm_block *b, int32_t q, int32_t y, uint8_t *below)
{
    const int32_t wide = (b->width + 1) / 2;
    const uint32_t entry[2] = {take_quad(s, q + 1, y == 0), q + 1 < wide ? take_quad(s, q + 2, y == 0) : 0};
    const bool present[2] = {entry[0] & MTM_HT_VLC_U_OFF, entry[1] & MTM_HT_VLC_U_OFF};
    int32_t u[2];

    take_u(s, present, y == 0, u);
    for (int32_t i = 0; i < 2 && q + i < wide; i++) {
        const uint32_t info = entry[i] >> MTM_HT_VLC_INFO_SHIFT;
        const int32_t bound = exponent_bound(s, q + i, info, u[i], y == 0);
        int64_t v[4];
        uint8_t exponents[4];

        if (bound > b->n_planes + 1)
            return false;
        take_samples(s, info, bound, b->plane, v, exponents);
        for (int32_t n = 0; n < 4; n++) {
            const int32_t col = 2 * (q + i) + (n >> 1), row = 2 * y + (n & 1);

            if (n & 1)
                below[col + 1] = exponents[n];
            if (col < b->width && row < b->height) {
                s->v2[row * b->width + col] = v[n];
                s->sigma[(row + 1) * (b->width + 2) + col + 1] = v[n] != 0;
            }
        }
    }
    return true;
}

static bool cleanup_pass(block_state *s, const mtm_block *b)
{
    const int32_t wide = (b->width + 1) / 2, high = (b->height + 1) / 2;
    uint8_t below[MAX_SIDE + 4] = {0};

    memset(s->rho, 0, sizeof s->rho);
    memset(s->exponent, 0, sizeof s->exponent);
    memset(s->sigma, 0, sizeof s->sigma);
    s->max_mu = 0;
    if (!open_streams(s, b->data, b->segments[0].size_bytes))
        return false;
    for (const uint8_t *d = b->data; d + 1 < s->magsgn.end; d++)
        if (d[0] == 0xFF && d[1] > 0x7F)
            return false;
    for (int32_t y = 0; y < high; y++) {
        for (int32_t q = 0; q < wide; q += 2)
            if (!decode_pair(s, b, q, y, below))
                return false;
        memcpy(s->exponent, below, sizeof below);
        memcpy(s->rho[0], s->rho[1], sizeof s->rho[0]);
    }
    return s->magsgn.lent - s->magsgn.n <= 8 && s->vlc.lent <= s->vlc.n && s->max_mu >> b->n_planes == 0;
}

/* ---- SigProp and MagRef ------------------------------------------------------------------------------------ */

/* Whether a neighbour of [row][col] is significant, T.814 7.4; causal: the next stripe does not count. */
static bool has_neighbour(const block_state *s, const mtm_block *b, int32_t row, int32_t col)
{
    const int32_t stride = b->width + 2;
    const uint8_t *const c = s->sigma + (row + 1) * stride + col + 1;
    uint32_t any = c[-stride - 1] | c[-stride] | c[-stride + 1] | c[-1] | c[1];

    if (!((b->style & MTM_BLOCK_CAUSAL) && row % 4 == 3))
        any |= c[stride - 1] | c[stride] | c[stride + 1];
    return any != 0;
}

/* T.814 7.4: stripes of 4 rows; of 4 columns the significances by column, then their signs. */
static void sigprop_pass(block_state *s, const mtm_block *b, reader *r)
{
    const int32_t stride = b->width + 2;

    for (int32_t y = 0; y < b->height; y += 4)
        for (int32_t x = 0; x < b->width; x += 4) {
            const int32_t y1 = y + 4 < b->height ? y + 4 : b->height,
                          x1 = x + 4 < b->width ? x + 4 : b->width;
            int32_t fresh[16], n_fresh = 0;

            for (int32_t col = x; col < x1; col++)
                for (int32_t row = y; row < y1; row++)
                    if (!s->sigma[(row + 1) * stride + col + 1] && has_neighbour(s, b, row, col) &&
                        forward_take(r, 1, 0)) {
                        s->sigma[(row + 1) * stride + col + 1] = 2;
                        fresh[n_fresh++] = row * b->width + col;
                    }
            for (int32_t i = 0; i < n_fresh; i++) {
                const int64_t v2 = (int64_t)3 << (b->plane - 1);

                s->v2[fresh[i]] = forward_take(r, 1, 0) ? -v2 : v2;
            }
        }
}

/* T.814 7.5: one more bit of each coefficient that the cleanup pass found. */
static void magref_pass(block_state *s, const mtm_block *b, reader *r)
{
    const int64_t half = (int64_t)1 << (b->plane - 1);

    for (int32_t y = 0; y < b->height; y += 4)
        for (int32_t col = 0; col < b->width; col++)
            for (int32_t row = y; row < b->height && row < y + 4; row++)
                if (s->sigma[(row + 1) * (b->width + 2) + col + 1] == 1) {
                    int64_t *const v = &s->v2[row * b->width + col];
                    const int64_t add = backward_take(r, 1) ? half : -half;

                    *v += *v < 0 ? -add : add;
                }
}

static void refinement_passes(block_state *s, const mtm_block *b)
{
    const uint8_t *const d = b->data + b->segments[0].size_bytes;
    const uint32_t lref = b->n_segments > 1 ? b->segments[1].size_bytes : 0;

    if (b->n_passes > 1)
        sigprop_pass(s, b, &(reader){.at = d, .end = d + lref});
    if (b->n_passes > 2)
        magref_pass(s, b, &(reader){.at = d + lref, .end = d, .last = 0xFF});
}

/* ---- the block --------------------------------------------------------------------------------------------- */

void mtm_ht_fill_zero(const mtm_block *b)
{
    const size_t bytes = mtm_coef_bytes((mtm_coef)b->type);

    for (int32_t y = 0; y < b->height; y++)
        memset((uint8_t *)b->dst + (ptrdiff_t)y * b->stride * (ptrdiff_t)bytes, 0, (size_t)b->width * bytes);
}

/* The whole part of half units: towards zero. */
static int64_t halve(int64_t v2)
{
    return v2 / 2;
}

/* False: a coefficient does not fit int16. */
static bool store(const block_state *s, const mtm_block *b)
{
    const float half_step = 0.5f * b->step;
    bool fits = true;

    for (int32_t y = 0; y < b->height; y++) {
        const int64_t *const v = s->v2 + y * b->width;
        const ptrdiff_t at = (ptrdiff_t)y * b->stride;

        for (int32_t x = 0; x < b->width; x++) {
            const int64_t whole = halve(v[x]);

            switch (b->type) {
            case MTM_COEF_I16:
                ((int16_t *)b->dst)[at + x] = (int16_t)whole;
                fits &= whole >= -INT16_MAX && whole <= INT16_MAX;
                break;
            case MTM_COEF_I32: ((int32_t *)b->dst)[at + x] = (int32_t)whole; break;
            case MTM_COEF_I64: ((int64_t *)b->dst)[at + x] = whole; break;
            case MTM_COEF_F32: ((float *)b->dst)[at + x] = (float)v[x] * half_step; break;
            default: ((int64_t *)b->dst)[at + x] = v[x]; break;
            }
        }
    }
    return fits;
}

bool mtm_ht_block_valid(const mtm_block *b)
{
    return b->n_segments <= 2 && b->n_passes <= 3 && b->n_planes >= 1 &&
           b->n_planes <= MTM_BLOCK_MAX_PLANES && b->plane >= (b->n_passes > 1) &&
           b->plane + b->n_planes <= 60;
}

void mtm_ht_decode_one_c(mtm_block *b, void *scratch)
{
    block_state *const s = scratch;

    b->status = MTM_BLOCK_OK;
    if (b->n_segments <= 0 || b->n_passes <= 0) {
        mtm_ht_fill_zero(b);
        return;
    }
    if (!mtm_ht_block_valid(b) || !cleanup_pass(s, b))
        b->status = MTM_BLOCK_CORRUPT;
    else {
        refinement_passes(s, b);
        if (!store(s, b))
            b->status = MTM_BLOCK_TOO_LARGE;
    }
    if (b->status != MTM_BLOCK_OK)
        mtm_ht_fill_zero(b);
}

void mtm_ht_decode_c(mtm_block *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i++)
        mtm_ht_decode_one_c(&blocks[i], scratch);
}
