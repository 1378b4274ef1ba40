/* tests/unit/jpeg_write.h: writes lossless JPEG as a naive reading of T.81 annex H says, with everything our encoder leaves out: restart
 * intervals, point transforms, scans of one component, subsampling, DNL, fill bytes, long codes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_TESTS_JPEG_WRITE_H
#define MTM_TESTS_JPEG_WRITE_H

#include "base/rng.h"
#include "microtome/codec.h"
#include "unit.h"

typedef struct w_jpeg {
    int32_t width, height, n, bits, predictor, low;
    int32_t restart_rows; /* MCU rows of a restart interval; 0: none */
    bool separate;        /* a scan for each component */
    uint8_t h[4], v[4];   /* 0: 1 */
    int table;            /* which of w_tables */
    bool dnl, fill;
    uint16_t *samples[4]; /* of each component's own size */
    uint8_t *p;
    size_t n_bytes, room;
    uint64_t acc;
    int count;
} w_jpeg;

/* Codes of each length, for the categories 0 … 16 in order: nearly equal lengths, and up to 16 bits. */
static const uint8_t w_tables[2][17] = {{0, 0, 0, 0, 14, 3},
                                        {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 3}};

static inline void wj_put(w_jpeg *w, uint32_t x, int n)
{
    while (n-- > 0) {
        if (w->n_bytes == w->room) {
            w->room = 2 * w->room + 4096;
            w->p = mtm_realloc(w->p, w->room);
            assert_non_null(w->p);
        }
        w->p[w->n_bytes++] = (uint8_t)(x >> 8 * n);
    }
}

static inline void wj_bits(w_jpeg *w, uint32_t x, int n)
{
    while (n-- > 0) {
        w->acc = w->acc << 1 | (x >> n & 1);
        if (++w->count == 8) {
            wj_put(w, (uint32_t)w->acc & 255, 1);
            if ((w->acc & 255) == 255)
                wj_put(w, 0, 1);
            w->acc = 0, w->count = 0;
        }
    }
}

static inline void wj_flush(w_jpeg *w)
{
    while (w->count)
        wj_bits(w, 1, 1);
}

static inline void wj_code(w_jpeg *w, int category)
{
    uint32_t code = 0;
    int index = 0;

    for (int l = 1; l <= 16; l++, code <<= 1)
        for (int k = 0; k < w_tables[w->table][l]; k++, code++, index++)
            if (index == category) {
                wj_bits(w, code, l);
                return;
            }
    fail();
}

static inline void wj_difference(w_jpeg *w, int32_t d)
{
    int category = 0;

    d = (int32_t)((uint32_t)d & 0xFFFF);
    d = d > 32768 ? d - 65536 : d;
    while (abs(d) >> category)
        category++;
    wj_code(w, category);
    if (category < 16)
        wj_bits(w, (uint32_t)(d < 0 ? d - 1 : d), category);
}

static inline int32_t wj_h(const w_jpeg *w, int c)
{
    return w->h[c] ? w->h[c] : 1;
}
static inline int32_t wj_v(const w_jpeg *w, int c)
{
    return w->v[c] ? w->v[c] : 1;
}
static inline int32_t wj_most(const w_jpeg *w, bool high)
{
    int32_t most = 1;

    for (int c = 0; c < w->n; c++)
        most = (high ? wj_v(w, c) : wj_h(w, c)) > most ? (high ? wj_v(w, c) : wj_h(w, c)) : most;
    return most;
}
static inline int32_t wj_width(const w_jpeg *w, int c)
{
    return (w->width * wj_h(w, c) + wj_most(w, false) - 1) / wj_most(w, false);
}
static inline int32_t wj_height(const w_jpeg *w, int c)
{
    return (w->height * wj_v(w, c) + wj_most(w, true) - 1) / wj_most(w, true);
}

/* Sample of a component after the point transform; beyond its edges the last one repeats, as whole MCUs need. */
static inline int32_t wj_at(const w_jpeg *w, int c, int32_t y, int32_t x)
{
    const int32_t width = wj_width(w, c), height = wj_height(w, c);

    x = x < width ? x : width - 1, y = y < height ? y : height - 1;
    return w->samples[c][y * width + x] >> w->low;
}

/* first: the row begins a restart interval or scan. */
static inline int32_t wj_prediction(const w_jpeg *w, int c, int32_t y, int32_t x, bool first)
{
    const int32_t a = x ? wj_at(w, c, y, x - 1) : 0, b = y ? wj_at(w, c, y - 1, x) : 0;
    const int32_t cc = x && y ? wj_at(w, c, y - 1, x - 1) : 0;

    if (x == 0)
        return first ? 1 << (w->bits - w->low - 1) : b;
    if (first)
        return a;
    switch (w->predictor) {
    case 1: return a;
    case 2: return b;
    case 3: return cc;
    case 4: return a + b - cc;
    case 5: return a + ((b - cc) >> 1);
    case 6: return b + ((a - cc) >> 1);
    default: return (a + b) >> 1;
    }
}

static inline void wj_scan(w_jpeg *w, int c0, int c1)
{
    const bool alone = c1 - c0 == 1;
    const int32_t wide = alone ? wj_width(w, c0) : (w->width + wj_most(w, false) - 1) / wj_most(w, false);
    const int32_t high = alone ? wj_height(w, c0) : (w->height + wj_most(w, true) - 1) / wj_most(w, true);

    if (w->fill)
        wj_put(w, 0xFFFF, 2);
    wj_put(w, 0xFFDD, 2), wj_put(w, 4, 2), wj_put(w, (uint32_t)(w->restart_rows * wide), 2);
    wj_put(w, 0xFFDA, 2), wj_put(w, (uint32_t)(6 + 2 * (c1 - c0)), 2), wj_put(w, (uint32_t)(c1 - c0), 1);
    for (int c = c0; c < c1; c++)
        wj_put(w, (uint32_t)(10 + c) << 8 | 0x30, 2);
    wj_put(w, (uint32_t)w->predictor << 16 | (uint32_t)w->low, 3);
    for (int32_t my = 0; my < high; my++) {
        const bool first = my == 0 || (w->restart_rows && my % w->restart_rows == 0);

        if (first && my) {
            wj_flush(w);
            if (w->fill)
                wj_put(w, 0xFF, 1);
            wj_put(w, 0xFFD0 + (uint32_t)(my / w->restart_rows - 1) % 8, 2);
        }
        for (int32_t mx = 0; mx < wide; mx++)
            for (int c = c0; c < c1; c++)
                for (int32_t v = 0; v < (alone ? 1 : wj_v(w, c)); v++)
                    for (int32_t h = 0; h < (alone ? 1 : wj_h(w, c)); h++) {
                        const int32_t y = alone ? my : my * wj_v(w, c) + v,
                                      x = alone ? mx : mx * wj_h(w, c) + h;

                        wj_difference(w, wj_at(w, c, y, x) - wj_prediction(w, c, y, x, first && v == 0));
                    }
    }
    wj_flush(w);
}

static inline void wj_write(w_jpeg *w)
{
    w->n_bytes = 0, w->count = 0;
    wj_put(w, 0xFFD8, 2);
    if (w->fill) /* a comment, and bytes that belong to nothing */
        wj_put(w, 0xFFFE, 2), wj_put(w, 4, 2), wj_put(w, 0x4142, 2), wj_put(w, 0x1234, 2);
    wj_put(w, 0xFFC4, 2), wj_put(w, 19 + 17, 2), wj_put(w, 3, 1);
    for (int l = 1; l <= 16; l++)
        wj_put(w, w_tables[w->table][l], 1);
    for (uint32_t i = 0; i < 17; i++)
        wj_put(w, i, 1);
    wj_put(w, 0xFFC3, 2), wj_put(w, (uint32_t)(8 + 3 * w->n), 2), wj_put(w, (uint32_t)w->bits, 1);
    wj_put(w, w->dnl ? 0 : (uint32_t)w->height, 2), wj_put(w, (uint32_t)w->width, 2),
        wj_put(w, (uint32_t)w->n, 1);
    for (int c = 0; c < w->n; c++)
        wj_put(w, (uint32_t)(10 + c) << 16 | (uint32_t)(wj_h(w, c) << 4 | wj_v(w, c)) << 8, 3);
    for (int c = 0; c < w->n; c += w->separate ? 1 : w->n) {
        wj_scan(w, c, w->separate ? c + 1 : w->n);
        if (c == 0 && w->dnl)
            wj_put(w, 0xFFDC0004, 4), wj_put(w, (uint32_t)w->height, 2);
    }
    wj_put(w, 0xFFD9, 2);
}

#endif
