/* kernel/ht_encode.c: the HT block encoder of T.814: one cleanup pass at bit-plane 0. The reference: ht.h.
 * A cleanup segment is three bit-streams: MagSgn, the magnitudes' bits and signs; MEL, runs of quads with nothing in
 * them and around them; and, backwards from the end, VLC: which of a quad's four coefficients are not 0, and how many bits
 * they take. The last 12 bits say how long MEL and VLC are together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ht_encode.h"

#include <string.h>

#include "ht_tables.h"

enum {
    MAX_SIDE = MTM_BLOCK_MAX_SIDE,
    PADDED_SAMPLES = MTM_BLOCK_MAX_SAMPLES + 2 * MAX_SIDE /* both sides rounded up to even */
};

/* Bits from the least significant up; the byte after 0xFF holds 7 (T.814 7.1.2, in reverse). */
typedef struct magsgn_writer {
    uint8_t *at;
    unsigned byte;
    int used, room; /* bits in byte, and how many it takes: 8 or 7 */
} magsgn_writer;

/* Bits from the most significant down; the byte after 0xFF holds 7 (T.814 7.1.3). */
typedef struct mel_writer {
    uint8_t *at;
    unsigned byte;
    int free;  /* bits of byte */
    int run;   /* of 0 symbols */
    int state; /* k of table 2 */
} mel_writer;

/* Bytes go downwards, bits from the least significant up; after a byte above 0x8F, seven 1 bits fill a byte (T.814
 * 7.1.4). */
typedef struct vlc_writer {
    uint8_t *at;
    unsigned byte;
    int used;
    bool after_8f;
} vlc_writer;

typedef struct quad {
    uint64_t v[4]; /* 2(µ − 1) + s if significant; upper left, lower left, upper right, lower right */
    int e[4];      /* exponent: bits of 2µ − 1; 0: insignificant */
    int rho;       /* significance, bit n for coefficient n */
    int e_max;
} quad;

typedef struct encoder {
    magsgn_writer magsgn;
    mel_writer mel;
    vlc_writer vlc;
    const uint64_t *samples;      /* 2µ + s; width and height rounded up to even with zeros */
    int stride, n_quads;          /* per row of quads */
    uint8_t above[MAX_SIDE + 4];  /* exponents of the line above this row of quads; [x + 1] for column x */
    uint8_t bottom[MAX_SIDE + 4]; /* and of this row's lower line */
} encoder;

/* ---- bit-streams -------------------------------------------------------------------------------------- */

static void put_magsgn(magsgn_writer *w, uint64_t bits, int n)
{
    while (n > 0) {
        const int now = n < w->room - w->used ? n : w->room - w->used;

        w->byte |= (unsigned)(bits & ((1u << now) - 1)) << w->used;
        w->used += now, n -= now, bits >>= now;
        if (w->used == w->room) {
            *w->at++ = (uint8_t)w->byte;
            w->room = w->byte == 0xFF ? 7 : 8;
            w->byte = 0, w->used = 0;
        }
    }
}

/* Fills the last byte with 1 bits. A last byte 0xFF is left out: a decoder reads 1 bits past the end. */
static uint8_t *end_magsgn(magsgn_writer *w)
{
    if (w->used)
        put_magsgn(w, 0xFF, w->room - w->used);
    return w->room == 7 ? w->at - 1 : w->at;
}

static void put_mel_bit(mel_writer *w, unsigned bit)
{
    w->byte |= bit << --w->free;
    if (w->free == 0) {
        *w->at++ = (uint8_t)w->byte;
        w->free = w->byte == 0xFF ? 7 : 8;
        w->byte = 0;
    }
}

/* One symbol of the adaptive run-length coder (T.814 7.3.3). */
static void put_mel(mel_writer *w, bool symbol)
{
    const int exponent = mtm_ht_mel_exponent[w->state];

    if (!symbol) {
        if (++w->run < 1 << exponent)
            return;
        put_mel_bit(w, 1);
        w->state += w->state < 12;
    } else {
        put_mel_bit(w, 0);
        for (int i = exponent - 1; i >= 0; i--)
            put_mel_bit(w, (unsigned)w->run >> i & 1);
        w->state -= w->state > 0;
    }
    w->run = 0;
}

static void put_vlc(vlc_writer *w, unsigned bits, int n)
{
    while (n > 0) {
        const int room = w->after_8f && w->used < 7 ? 7 : 8, now = n < room - w->used ? n : room - w->used;

        w->byte |= (bits & ((1u << now) - 1)) << w->used;
        w->used += now, n -= now, bits >>= now;
        if (w->used == 8 || (w->used == 7 && w->after_8f && w->byte == 0x7F)) {
            *w->at-- = (uint8_t)w->byte;
            w->after_8f = w->byte > 0x8F;
            w->byte = 0, w->used = 0;
        }
    }
}

/* ---- one quad ----------------------------------------------------------------------------------------- */

static int bits_of(uint64_t x)
{
    return x ? 64 - __builtin_clzll(x) : 0;
}

static quad load_quad(const encoder *k, int y, int q)
{
    const uint64_t *const s = k->samples + (ptrdiff_t)y * k->stride + 2 * q;
    const uint64_t sample[4] = {s[0], s[k->stride], s[1], s[k->stride + 1]};
    quad o = {.rho = 0};

    for (int n = 0; n < 4; n++) {
        if (!sample[n])
            continue;
        o.v[n] = sample[n] - 2;
        o.e[n] = bits_of((sample[n] | 1) - 2); /* of 2µ − 1 */
        o.rho |= 1 << n;
        o.e_max = o.e[n] > o.e_max ? o.e[n] : o.e_max;
    }
    return o;
}

/* Which of the neighbours that are coded already are significant (T.814 7.3.5, equations 1 and 2). */
static int context(const encoder *k, bool first_row, int q, int rho_left)
{
    const uint8_t *const e = k->above + 2 * q; /* north-west, then the two above, then north-east */

    if (first_row)
        return rho_left >> 1 | (rho_left & 1);
    return (e[0] || e[1]) | (rho_left & 12 ? 2 : 0) | (e[2] || e[3] ? 4 : 0);
}

/* κ: what the exponents above let expect of the greatest (T.814 7.3.7, equation 5). */
static int predictor(const encoder *k, bool first_row, int q, int rho)
{
    const uint8_t *const e = k->above + 2 * q;
    int most = 0;

    if (first_row || !(rho & (rho - 1)))
        return 1;
    for (int i = 0; i < 4; i++)
        most = e[i] > most ? e[i] : most;
    return most > 2 ? most - 1 : 1;
}

/* Codes which of the four are significant and which have the greatest exponent, then their bits. Returns u, the
 * exponent's excess over the prediction. */
static int put_quad(encoder *k, bool first_row, int q, const quad *o, int rho_left)
{
    const int c = context(k, first_row, q, rho_left), kappa = predictor(k, first_row, q, o->rho);
    const int bound = o->e_max > kappa ? o->e_max : kappa; /* U ≥ bits of each of the four */
    int eps = 0;

    for (int n = 0; n < 4 && bound > kappa; n++)
        eps |= (o->e[n] == o->e_max) << n;
    if (c == 0)
        put_mel(&k->mel, o->rho != 0);
    const unsigned word = mtm_ht_vlc_encode[!first_row][c << 8 | o->rho << 4 | eps];
    put_vlc(&k->vlc, word >> 8, word >> 4 & 15);
    for (int n = 0; n < 4; n++)
        if (o->rho >> n & 1) /* e_k: the decoder knows the bit that the exponent implies */
            put_magsgn(&k->magsgn, o->v[n], bound - (int)(word >> n & 1));
    k->bottom[2 * q + 1] = (uint8_t)o->e[1], k->bottom[2 * q + 2] = (uint8_t)o->e[3];
    return bound - kappa;
}

/* ---- a pair of quads ---------------------------------------------------------------------------------- */

typedef struct uvlc {
    uint8_t prefix, prefix_bits, suffix, suffix_bits, extension, extension_bits;
} uvlc;

/* T.814 table 3. */
static uvlc uvlc_of(int u)
{
    if (u <= 2)
        return (uvlc){.prefix = (uint8_t)u, .prefix_bits = (uint8_t)u};
    if (u <= 4)
        return (uvlc){.prefix = 4, .prefix_bits = 3, .suffix = (uint8_t)(u - 3), .suffix_bits = 1};
    if (u <= 32)
        return (uvlc){.prefix_bits = 3, .suffix = (uint8_t)(u - 5), .suffix_bits = 5};
    return (uvlc){.prefix_bits = 3,
                  .suffix = (uint8_t)(28 + (u - 33) % 4),
                  .suffix_bits = 5,
                  .extension = (uint8_t)((u - 33) / 4),
                  .extension_bits = 4};
}

/* The excesses of both quads (T.814 7.3.6). In the first row, which has no prediction from above, both are great so
 * often that one MEL symbol says so, or that the second is 1 or 2, which takes one bit beside a great first. */
static void put_excess(encoder *k, bool first_row, int u0, int u1)
{
    uvlc a = uvlc_of(u0), b = uvlc_of(u1);

    if (first_row && u0 > 0 && u1 > 0) {
        const bool both = u0 > 2 && u1 > 2;

        put_mel(&k->mel, both);
        if (both)
            a = uvlc_of(u0 - 2), b = uvlc_of(u1 - 2);
        else if (u0 > 2)
            b = (uvlc){.prefix = (uint8_t)(u1 - 1), .prefix_bits = 1};
    }
    put_vlc(&k->vlc, a.prefix, a.prefix_bits), put_vlc(&k->vlc, b.prefix, b.prefix_bits);
    put_vlc(&k->vlc, a.suffix, a.suffix_bits), put_vlc(&k->vlc, b.suffix, b.suffix_bits);
    put_vlc(&k->vlc, a.extension, a.extension_bits), put_vlc(&k->vlc, b.extension, b.extension_bits);
}

static void put_row(encoder *k, int y)
{
    int rho_left = 0;

    for (int q = 0; q < k->n_quads; q += 2) {
        quad o = load_quad(k, y, q);
        const int u0 = put_quad(k, y == 0, q, &o, rho_left);
        int u1 = 0;

        rho_left = o.rho;
        if (q + 1 < k->n_quads) {
            o = load_quad(k, y, q + 1);
            u1 = put_quad(k, y == 0, q + 1, &o, rho_left);
            rho_left = o.rho;
        }
        put_excess(k, y == 0, u0, u1);
    }
    memcpy(k->above, k->bottom, sizeof k->above);
}

/* ---- the block ---------------------------------------------------------------------------------------- */

/* 2µ + s of coefficient i of a row. A float that is not finite, or too great, gets a µ beyond all limits. */
static uint64_t sample(const mtm_block_input *b, const void *row, ptrdiff_t i)
{
    int64_t x = 0;

    switch (b->type) {
    case MTM_COEF_I16: x = ((const int16_t *)row)[i]; break;
    case MTM_COEF_I32: x = ((const int32_t *)row)[i]; break;
    case MTM_COEF_F32: {
        const float f = ((const float *)row)[i], q = (f < 0 ? -f : f) * b->inverse_step;

        x = q < 0x1p62f ? (int64_t)q : (int64_t)1 << 62;
        x = f < 0 ? -x : x;
        break;
    }
    default: x = ((const int64_t *)row)[i];
    }
    const uint64_t magnitude = x < 0 ? -(uint64_t)x : (uint64_t)x;
    return magnitude ? (magnitude < (uint64_t)1 << 62 ? magnitude : (uint64_t)1 << 62) << 1 | (x < 0) : 0;
}

/* Fills the samples, zeros around; returns all of them or'ed. */
static uint64_t load_samples(uint64_t *out, int stride, const mtm_block_input *b)
{
    static const uint8_t sizes[] = {
        [MTM_COEF_I16] = 2, [MTM_COEF_I32] = 4, [MTM_COEF_I64] = 8, [MTM_COEF_F32] = 4};
    uint64_t any = 0;

    memset(out, 0, sizeof *out * (size_t)stride * (size_t)(b->height + (b->height & 1)));
    for (int32_t y = 0; y < b->height; y++) {
        const void *const row = (const uint8_t *)b->src + y * b->stride * sizes[b->type];

        for (int32_t x = 0; x < b->width; x++)
            any |= out[(ptrdiff_t)y * stride + x] = sample(b, row, x);
    }
    return any;
}

static void encode_block(mtm_block_input *b, void *scratch)
{
    uint64_t *const samples = scratch;
    uint8_t *const mel = (uint8_t *)(samples + PADDED_SAMPLES);
    uint8_t *const vlc_end = mel + MTM_HT_MEL_BYTES + MTM_HT_VLC_BYTES;
    const int stride = b->width + (b->width & 1);
    encoder k = {.magsgn = {.at = b->out, .room = 8},
                 .mel = {.at = mel, .free = 8},
                 .vlc = {.at = vlc_end - 2, .byte = 0xF, .used = 4, .after_8f = true}, /* T.814 7.1.4 */
                 .samples = samples,
                 .stride = stride,
                 .n_quads = stride / 2};
    const uint64_t any = load_samples(samples, stride, b);

    if (!any || bits_of(any >> 1) > b->n_planes ||
        b->room_bytes < mtm_ht_encode_bound(b->width, b->height, b->n_planes)) {
        mtm_ht_no_block(b, any ? MTM_BLOCK_TOO_LARGE : MTM_BLOCK_OK);
        return;
    }
    vlc_end[-1] = 0xFF;
    for (int y = 0; y < b->height; y += 2)
        put_row(&k, y);
    if (k.mel.run)
        put_mel_bit(&k.mel, 1);
    mtm_ht_tail t = {mel,     k.mel.at, (int)k.mel.byte, k.mel.free,
                     vlc_end, k.vlc.at, (int)k.vlc.byte, k.vlc.used};
    mtm_ht_finish(b, end_magsgn(&k.magsgn), &t);
}

void mtm_ht_encode_c(mtm_block_input *blocks, int32_t n, void *scratch)
{
    for (int32_t i = 0; i < n; i++)
        encode_block(&blocks[i], scratch);
}

/* ---- shared with the variants ------------------------------------------------------------------------- */

void mtm_ht_no_block(mtm_block_input *b, mtm_block_status status)
{
    b->size_bytes = 0, b->n_passes = 0, b->zero_planes = 0, b->status = status;
}

/* The MEL and VLC coders meet in one byte where the bits of both agree on it and it is not 0xFF. */
static void join_mel_and_vlc(mtm_ht_tail *t)
{
    const int mel_mask = 0xFF << t->mel_free & 0xFF, vlc_mask = 0xFF >> (8 - t->vlc_used);
    const int both = t->mel_byte | t->vlc_byte;

    if (!(mel_mask | vlc_mask))
        return;
    *t->mel_at++ = (uint8_t)t->mel_byte;
    if (!((both ^ t->mel_byte) & mel_mask) && !((both ^ t->vlc_byte) & vlc_mask) && both != 0xFF &&
        t->vlc_at < t->vlc_end - 2)
        t->mel_at[-1] = (uint8_t)both;
    else
        *t->vlc_at-- = (uint8_t)t->vlc_byte;
}

void mtm_ht_finish(mtm_block_input *b, uint8_t *magsgn_end, mtm_ht_tail *t)
{
    join_mel_and_vlc(t);
    const size_t mel_bytes = (size_t)(t->mel_at - t->mel), vlc_bytes = (size_t)(t->vlc_end - 1 - t->vlc_at);
    const size_t scup = mel_bytes + vlc_bytes;

    memcpy(magsgn_end, t->mel, mel_bytes);
    memcpy(magsgn_end + mel_bytes, t->vlc_at + 1, vlc_bytes);
    uint8_t *const end = magsgn_end + scup;
    end[-1] = (uint8_t)(scup >> 4), end[-2] = (uint8_t)((end[-2] & 0xF0) | (scup & 0xF));
    b->size_bytes = (uint32_t)(end - b->out);
    b->n_passes = 1, b->zero_planes = b->n_planes - 1, b->status = MTM_BLOCK_OK;
}

/* A coefficient takes up to n_planes + 1 MagSgn bits, and a quad 7 VLC bits, 12 for its excess and two MEL symbols of 6;
 * stuffing makes 2 bytes of 15 bits of MagSgn, and one of 7 of the others. The variants write whole words. */
uint32_t mtm_ht_encode_bound(int32_t width, int32_t height, int32_t n_planes)
{
    const uint32_t samples = (uint32_t)width * (uint32_t)height;
    const uint32_t quads = ((uint32_t)width + 1) / 2 * (((uint32_t)height + 1) / 2);

    return samples * ((uint32_t)n_planes + 1) * 2 / 15 + quads * (7 + 12 + 12) / 7 + 128;
}
