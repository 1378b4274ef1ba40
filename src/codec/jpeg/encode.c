/* codec/jpeg/encode.c: writing lossless JPEG (SOF3): one scan of all components, each with the Huffman table that its differences make
 * shortest. Differences are computed once, counted, and then coded.
 * SPDX-License-Identifier: Apache-2.0 */
#include "jpeg.h"

enum {
    CATEGORIES = 17,
    SYMBOLS = CATEGORIES + 1 /* one that keeps the code of all ones free, K.2 */,
    LONGEST = 16
};

/* A component's code. */
typedef struct table {
    uint8_t count[LONGEST + 1]; /* codes of each length */
    uint8_t values[CATEGORIES]; /* shortest first */
    int32_t n;
    uint32_t code[CATEGORIES];
    uint8_t length[CATEGORIES];
} table;

typedef struct lossless_encoder {
    const mtm_array *a; /* [Y, X, C] */
    int32_t n, bits, predictor;
    size_t row; /* samples of a row: X · C */
    uint16_t *diffs;
    uint32_t counts[JPEG_MOST_COMPONENTS][SYMBOLS];
    table tables[JPEG_MOST_COMPONENTS];
    mtm_bytes *out;
} lossless_encoder;

/* ---- differences -------------------------------------------------------------------------------------- */

/* A row's numbers, whatever their type; their bitwise or, for the check of precision. */
static uint32_t fetch(uint16_t *row, const lossless_encoder *e, int64_t y)
{
    const char *const src = (const char *)e->a->data + y * e->a->stride[0];
    uint32_t any = 0;

    if (e->a->dtype == MTM_U16)
        memcpy(row, src, e->row * sizeof *row);
    else
        for (size_t i = 0; i < e->row; i++)
            row[i] = (uint8_t)src[i];
    for (size_t i = 0; i < e->row; i++)
        any |= row[i];
    return any;
}

/* T.81 H.1.2.1 from the second pixel on: x, a, b, c as there; n: samples; step: components. */
static void differ(uint16_t *d, const uint16_t *x, const uint16_t *b, size_t n, size_t step, int predictor)
{
    const uint16_t *const a = x - step, *const c = b - step;

    switch (predictor) {
    case 1:
        for (size_t i = 0; i < n; i++)
            d[i] = (uint16_t)(x[i] - a[i]);
        break;
    case 2:
        for (size_t i = 0; i < n; i++)
            d[i] = (uint16_t)(x[i] - b[i]);
        break;
    case 3:
        for (size_t i = 0; i < n; i++)
            d[i] = (uint16_t)(x[i] - c[i]);
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            d[i] = (uint16_t)(x[i] - a[i] - b[i] + c[i]);
        break;
    case 5:
        for (size_t i = 0; i < n; i++)
            d[i] = (uint16_t)(x[i] - a[i] - ((b[i] - c[i]) >> 1));
        break;
    case 6:
        for (size_t i = 0; i < n; i++)
            d[i] = (uint16_t)(x[i] - b[i] - ((a[i] - c[i]) >> 1));
        break;
    default:
        for (size_t i = 0; i < n; i++)
            d[i] = (uint16_t)(x[i] - ((a[i] + b[i]) >> 1));
        break;
    }
}

/* Bits of |d|; −32768 and 32768 are one number, of category 16. */
static inline uint32_t category(uint16_t d)
{
    const int32_t s = (int16_t)d;

    return 31 - (uint32_t)__builtin_clz(2 * (uint32_t)(s < 0 ? -s : s) + 1);
}

static void count_row(lossless_encoder *e, const uint16_t *d)
{
    if (e->n == 1) { /* two counters for each, as neighbours often are of one category */
        uint32_t odd[SYMBOLS] = {0};
        size_t i = 0;

        for (; i + 2 <= e->row; i += 2)
            e->counts[0][category(d[i])]++, odd[category(d[i + 1])]++;
        if (i < e->row)
            e->counts[0][category(d[i])]++;
        for (int k = 0; k < CATEGORIES; k++)
            e->counts[0][k] += odd[k];
        return;
    }
    for (size_t i = 0; i < e->row;)
        for (int32_t c = 0; c < e->n; c++, i++)
            e->counts[c][category(d[i])]++;
}

static mtm_status make_differences(lossless_encoder *e, uint16_t *rows, mtm_error *err)
{
    uint16_t *above = rows, *row = rows + e->row;
    const size_t n = (size_t)e->n;
    uint32_t any = 0;

    for (int64_t y = 0; y < e->a->shape[0]; y++) {
        uint16_t *const d = e->diffs + (size_t)y * e->row, *const swap = above;

        any |= fetch(row, e, y);
        for (size_t c = 0; c < n; c++)
            d[c] = (uint16_t)(row[c] - (y ? above[c] : 1u << (e->bits - 1)));
        differ(d + n, row + n, above + n, e->row - n, n, y ? e->predictor : 1);
        count_row(e, d);
        above = row, row = swap;
    }
    if (any >> e->bits)
        return mtm_fail(err, MTM_E_INVAL, -1, "a value of the picture has more than %d bits", e->bits);
    return MTM_OK;
}

/* ---- tables, T.81 K.2 ---------------------------------------------------------------------------------- */

/* Lengths by Huffman's method: the two rarest trees are joined until one is left. */
static void code_lengths(uint8_t length[SYMBOLS], const uint32_t counts[SYMBOLS])
{
    uint64_t weight[SYMBOLS];
    int32_t tree[SYMBOLS]; /* of a symbol */

    for (int32_t i = 0; i < SYMBOLS; i++)
        weight[i] = counts[i], tree[i] = i, length[i] = 0;
    for (;;) {
        int32_t rarest = -1, second = -1;

        for (int32_t i = 0; i < SYMBOLS; i++) {
            if (weight[i] == 0)
                continue;
            if (rarest < 0 || weight[i] <= weight[rarest])
                second = rarest, rarest = i;
            else if (second < 0 || weight[i] <= weight[second])
                second = i;
        }
        if (second < 0)
            return;
        weight[rarest] += weight[second], weight[second] = 0;
        for (int32_t i = 0; i < SYMBOLS; i++) {
            if (tree[i] != rarest && tree[i] != second)
                continue;
            length[i]++, tree[i] = rarest;
        }
    }
}

/* Codes of 17 bits, of which there can be a pair, become shorter at the cost of one that is longer (figure K.3). */
static void limit_lengths(uint8_t count[LONGEST + 2])
{
    while (count[LONGEST + 1] > 0) {
        int l = LONGEST - 1;

        while (count[l] == 0)
            l--;
        count[LONGEST + 1] -= 2, count[LONGEST]++;
        count[l + 1] += 2, count[l]--;
    }
}

static void table_make(table *t, uint32_t counts[SYMBOLS])
{
    uint8_t length[SYMBOLS], count[LONGEST + 2] = {0};
    int32_t index = 0, longest = LONGEST;
    uint32_t code = 0;

    counts[CATEGORIES] = 1; /* the symbol that is taken away again */
    code_lengths(length, counts);
    for (int32_t i = 0; i < SYMBOLS; i++)
        count[length[i]]++;
    count[0] = 0;
    limit_lengths(count);
    while (count[longest] == 0)
        longest--;
    count[longest]--;
    t->n = 0;
    for (int32_t l = 1; l <= LONGEST + 1; l++) /* the rarest last: in order of the lengths before the limit */
        for (int32_t i = 0; i < CATEGORIES; i++)
            if (length[i] == l)
                t->values[t->n++] = (uint8_t)i;
    for (int32_t l = 1; l <= LONGEST; l++, code <<= 1) {
        t->count[l] = count[l];
        for (int32_t k = 0; k < count[l]; k++, code++, index++)
            t->code[t->values[index]] = code, t->length[t->values[index]] = (uint8_t)l;
    }
}

/* ---- the stream ---------------------------------------------------------------------------------------- */

static void put(mtm_bytes *b, uint32_t value, int bytes)
{
    while (bytes--)
        b->data[b->size_bytes++] = (uint8_t)(value >> 8 * bytes);
}

static mtm_status write_headers(lossless_encoder *e, mtm_error *err)
{
    mtm_bytes *const b = e->out;

    MTM_TRY(mtm_bytes_reserve(b, 64 + (size_t)e->n * (16 + 5 + 32), err));
    put(b, 0xFF00 | JPEG_SOI, 2);
    put(b, 0xFF00 | JPEG_SOF3, 2), put(b, 8 + 3 * (uint32_t)e->n, 2);
    put(b, (uint32_t)e->bits, 1), put(b, (uint32_t)e->a->shape[0], 2), put(b, (uint32_t)e->a->shape[1], 2);
    put(b, (uint32_t)e->n, 1);
    for (int32_t c = 0; c < e->n; c++)
        put(b, (uint32_t)(c + 1) << 16 | 0x1100, 3);
    for (int32_t c = 0; c < e->n; c++) {
        const table *const t = &e->tables[c];

        put(b, 0xFF00 | JPEG_DHT, 2), put(b, 19 + (uint32_t)t->n, 2), put(b, (uint32_t)c, 1);
        for (int l = 1; l <= LONGEST; l++)
            put(b, t->count[l], 1);
        for (int32_t i = 0; i < t->n; i++)
            put(b, t->values[i], 1);
    }
    put(b, 0xFF00 | JPEG_SOS, 2), put(b, 6 + 2 * (uint32_t)e->n, 2), put(b, (uint32_t)e->n, 1);
    for (int32_t c = 0; c < e->n; c++)
        put(b, (uint32_t)(c + 1) << 8 | (uint32_t)c << 4, 2);
    put(b, (uint32_t)e->predictor << 16, 3);
    return MTM_OK;
}

/* The lower `count` bits of `bits` are not written yet. */
typedef struct bit_writer {
    uint64_t bits;
    uint32_t count;
    uint8_t *at;
} bit_writer;

/* Four bytes; a zero goes behind each 0xFF (B.1.1.5). */
static inline void put_word(bit_writer *w, uint32_t word)
{
    if (__builtin_expect(((~word - 0x01010101u) & word & 0x80808080u) == 0, 1)) { /* no byte is 0xFF */
        for (int i = 0; i < 4; i++)
            w->at[i] = (uint8_t)(word >> (24 - 8 * i));
        w->at += 4;
        return;
    }
    for (int i = 0; i < 4; i++) {
        *w->at++ = (uint8_t)(word >> (24 - 8 * i));
        if (w->at[-1] == 0xFF)
            *w->at++ = 0;
    }
}

static inline void put_difference(bit_writer *w, const table *t, uint16_t d)
{
    const uint32_t k = category(d), extra = k == CATEGORIES - 1 ? 0 : k;
    const uint32_t more = (uint32_t)((int16_t)d - ((int16_t)d < 0)) & ((1u << extra) - 1);

    w->bits = w->bits << (t->length[k] + extra) | (uint64_t)t->code[k] << extra | more;
    w->count += t->length[k] + extra;
    if (w->count >= 32) {
        w->count -= 32;
        put_word(w, (uint32_t)(w->bits >> w->count));
    }
}

static mtm_status write_coded(lossless_encoder *e, mtm_error *err)
{
    bit_writer w = {.count = 0};

    for (int64_t y = 0; y < e->a->shape[0]; y++) {
        const uint16_t *const d = e->diffs + (size_t)y * e->row;

        MTM_TRY(mtm_bytes_reserve(e->out, 8 * e->row + 32, err)); /* 4 bytes a sample, and as many zeros */
        w.at = e->out->data + e->out->size_bytes;
        if (e->n == 1)
            for (size_t i = 0; i < e->row; i++)
                put_difference(&w, &e->tables[0], d[i]);
        else
            for (size_t i = 0; i < e->row;)
                for (int32_t c = 0; c < e->n; c++, i++)
                    put_difference(&w, &e->tables[c], d[i]);
        e->out->size_bytes = (size_t)(w.at - e->out->data);
    }
    MTM_TRY(mtm_bytes_reserve(e->out, 32, err));
    w.at = e->out->data + e->out->size_bytes;
    for (; w.count > 0; w.count -= w.count < 8 ? w.count : 8) { /* ones to the byte's end (F.1.2.3) */
        const uint64_t bits =
            w.count < 8 ? w.bits << (8 - w.count) | (0xFFu >> w.count) : w.bits >> (w.count - 8);

        *w.at++ = (uint8_t)bits;
        if (w.at[-1] == 0xFF)
            *w.at++ = 0;
    }
    e->out->size_bytes = (size_t)(w.at - e->out->data);
    put(e->out, 0xFF00 | JPEG_EOI, 2);
    return MTM_OK;
}

static mtm_status check_request(const mtm_array *a, const mtm_encode_params *p, mtm_error *err)
{
    const int32_t most = 8 * (int32_t)mtm_dtype_size(a->dtype);

    if (a->dtype != MTM_U8 && a->dtype != MTM_U16)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "lossless JPEG holds uint8 and uint16, not %s",
                        mtm_dtype_name(a->dtype));
    if (a->shape[2] > JPEG_MOST_COMPONENTS)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG is written with 1 to %d channels, not %" PRId64,
                        JPEG_MOST_COMPONENTS, a->shape[2]);
    if (a->shape[0] > UINT16_MAX || a->shape[1] > UINT16_MAX)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "JPEG holds at most 65535 rows and columns, not %" PRId64 " × %" PRId64, a->shape[0],
                        a->shape[1]);
    if (p->predictor < 0 || p->predictor > 7)
        return mtm_fail(err, MTM_E_INVAL, -1, "predictor may be 1 to 7, not %d", p->predictor);
    if (p->bits && (p->bits < 2 || p->bits > most))
        return mtm_fail(err, MTM_E_INVAL, -1, "bits may be 2 to %d, not %d", most, p->bits);
    return MTM_OK;
}

mtm_status jpeg_lossless_encode(jpeg_state *st, const mtm_array *a, const mtm_encode_params *p,
                                mtm_bytes *out, mtm_error *err)
{
    lossless_encoder e = {.a = a, .out = out, .n = (int32_t)a->shape[2]};

    MTM_TRY(check_request(a, p, err));
    e.predictor = p->predictor ? p->predictor : 1;
    e.bits = p->bits ? p->bits : 8 * (int32_t)mtm_dtype_size(a->dtype);
    e.row = (size_t)(a->shape[1] * a->shape[2]);
    MTM_TRY(jpeg_room_for(&st->samples, (uint64_t)(a->shape[0] + 2) * e.row * sizeof *e.diffs, err));
    e.diffs = (uint16_t *)st->samples.data + 2 * e.row;
    MTM_TRY(make_differences(&e, st->samples.data, err));
    for (int32_t c = 0; c < e.n; c++)
        table_make(&e.tables[c], e.counts[c]);
    MTM_TRY(write_headers(&e, err));
    return write_coded(&e, err);
}
