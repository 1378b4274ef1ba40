/* array/labels.c: a label map's classes, how many voxels each has, and where some of them are.
 * Values of up to 16 bits are counted in a table; wider ones are numbered by a hash table first, so that the second pass is
 * the same for all.
 * SPDX-License-Identifier: Apache-2.0 */
#include "array.h"
#include "base/rng.h"
#include "kernel/label.h"

enum { MOST_CLASSES = 4096, MOST_PLACES = 4096, SLOTS = 4 * MOST_CLASSES };

typedef struct slot {
    int64_t value, count;
    int32_t number; /* of the class */
    bool used;
} slot;

typedef struct entry {
    int64_t value, count;
} entry;

typedef struct scan { /* one table in the making */
    mtm_convert_kernels convert;
    mtm_label_kernels label;
    mtm_rows rows;
    mtm_dtype as;    /* MTM_U8, MTM_U16 (bits), MTM_I64, or MTM_F64 */
    int64_t *counts; /* narrow: by bits */
    slot *slots;     /* wide */
    int32_t *class_of;
    entry *classes;
    int32_t n_classes;
} scan;

static void scan_free(scan *s)
{
    mtm_free(s->counts);
    mtm_free(s->slots);
    mtm_free(s->class_of);
    mtm_free(s->classes);
}

#define SCAN_AUTO __attribute__((cleanup(scan_free))) scan

static bool narrow(const scan *s)
{
    return s->as == MTM_U8 || s->as == MTM_U16;
}

static mtm_status too_many(mtm_error *err)
{
    return mtm_fail(err, MTM_E_LIMIT, -1, "a label map with more than %d classes", MOST_CLASSES);
}

/* ---- counting ----------------------------------------------------------------------------------------- */

static slot *lookup(slot *slots, int64_t value)
{
    uint64_t h = (uint64_t)value * UINT64_C(0x9E3779B97F4A7C15) >> 32;

    while (slots[h % SLOTS].used && slots[h % SLOTS].value != value)
        h++;
    return &slots[h % SLOTS];
}

/* The block's values as int64, from floats when they are whole. */
static mtm_status wide_block(const scan *s, int64_t at, int64_t n, void *stage, const int64_t **out,
                             mtm_error *err)
{
    const void *const x = mtm_rows_fetch(&s->rows, at, n, s->as, stage);

    if (s->as == MTM_F64) {
        int64_t *const v = stage;

        for (int64_t i = 0; i < n; i++) {
            double d;
            memcpy(&d, (const char *)x + i * (int64_t)sizeof d, sizeof d);
            if (!(d >= -0x1p53 && d <= 0x1p53) || (double)(int64_t)d != d)
                return mtm_fail(err, MTM_E_INVAL, -1,
                                "voxel %" PRId64 " of the label map is %g, no whole number", at + i, d);
            v[i] = (int64_t)d;
        }
        *out = v;
    } else {
        *out = x;
    }
    return MTM_OK;
}

static mtm_status count_wide(scan *s, mtm_error *err)
{
    slot *last = NULL;

    s->slots = mtm_alloc_zero(SLOTS, sizeof *s->slots);
    if (!s->slots)
        return MTM_NOMEM(err);
    for (int64_t at = 0; at < s->rows.count; at += MTM_ROWS_BLOCK) {
        const int64_t n = mtm_min_i64(MTM_ROWS_BLOCK, s->rows.count - at);
        _Alignas(64) int64_t stage[MTM_ROWS_BLOCK];
        const int64_t *v;

        MTM_TRY(wide_block(s, at, n, stage, &v, err));
        for (int64_t i = 0; i < n; i++) {
            if (!last || last->value != v[i])
                last = lookup(s->slots, v[i]);
            if (!last->used) {
                if (++s->n_classes > MOST_CLASSES)
                    return too_many(err);
                *last = (slot){.value = v[i], .used = true};
            }
            last->count++;
        }
    }
    return MTM_OK;
}

static mtm_status count_narrow(scan *s, mtm_error *err)
{
    const int32_t values = s->as == MTM_U8 ? 256 : 65536;

    s->counts = mtm_alloc_zero((size_t)values, sizeof *s->counts);
    if (!s->counts)
        return MTM_NOMEM(err);
    for (int64_t at = 0; at < s->rows.count; at += MTM_ROWS_BLOCK) {
        const int64_t n = mtm_min_i64(MTM_ROWS_BLOCK, s->rows.count - at);
        _Alignas(64) uint16_t stage[MTM_ROWS_BLOCK];
        const void *const x = mtm_rows_fetch(&s->rows, at, n, s->as, stage);

        if (s->as == MTM_U8)
            s->label.count_u8(s->counts, x, (size_t)n);
        else
            s->label.count_u16(s->counts, x, (size_t)n);
    }
    for (int32_t i = 0; i < values; i++)
        s->n_classes += s->counts[i] > 0;
    return s->n_classes > MOST_CLASSES ? too_many(err) : MTM_OK;
}

/* ---- the classes -------------------------------------------------------------------------------------- */

/* What value the bits i of a narrow dtype mean. */
static int64_t value_of(mtm_dtype t, int32_t i)
{
    return t == MTM_I8 ? (int8_t)i : t == MTM_I16 ? (int16_t)i : i;
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = ((const entry *)a)->value, y = ((const entry *)b)->value;

    return (x > y) - (x < y);
}

/* s->classes, ascending, and for the second pass s->class_of (by bits for narrow dtypes). */
static mtm_status list_classes(scan *s, mtm_dtype t, mtm_error *err)
{
    const int32_t values = s->as == MTM_U8 ? 256 : narrow(s) ? 65536 : MOST_CLASSES;
    int32_t n = 0;

    s->classes = mtm_alloc((size_t)s->n_classes * sizeof *s->classes);
    s->class_of = mtm_alloc((size_t)values * sizeof *s->class_of);
    if (!s->classes || !s->class_of)
        return MTM_NOMEM(err);
    for (int32_t i = 0; narrow(s) && i < values; i++)
        if (s->counts[i])
            s->classes[n++] = (entry){value_of(t, i), s->counts[i]};
    for (int32_t i = 0; !narrow(s) && i < SLOTS; i++)
        if (s->slots[i].used)
            s->classes[n++] = (entry){s->slots[i].value, s->slots[i].count};
    qsort(s->classes, (size_t)n, sizeof *s->classes, by_value);
    for (int32_t i = 0; i < n; i++) {
        if (narrow(s))
            s->class_of[s->as == MTM_U8 ? (uint8_t)s->classes[i].value : (uint16_t)s->classes[i].value] = i;
        else
            lookup(s->slots, s->classes[i].value)->number = s->class_of[i] = i;
    }
    return MTM_OK;
}

/* ---- the places --------------------------------------------------------------------------------------- */

/* m ≤ MOST_PLACES different numbers below count, ascending: the first m different ones that Philox draws, marked in a bitmap
 * of count bits that is all 0 on entry and on return. */
static void draw_numbers(int64_t class_value, int64_t count, int64_t m, uint64_t *marked, int64_t *out)
{
    mtm_rng r = mtm_rng_at((uint64_t)class_value, 0, 0, 0);

    for (int64_t n = 0; n < m;) {
        const int64_t x = m < count ? (int64_t)mtm_rng_below(&r, (uint64_t)count) : n;
        const uint64_t bit = (uint64_t)1 << (x & 63);

        n += !(marked[x >> 6] & bit);
        marked[x >> 6] |= bit;
    }
    for (int64_t word = 0; word < (count + 63) / 64; word++) {
        for (uint64_t bits = marked[word]; bits; bits &= bits - 1)
            *out++ = word * 64 + __builtin_ctzll(bits);
        marked[word] = 0;
    }
}

static void pick_all(const scan *s, mtm_label_pick *p, mtm_error *err)
{
    for (int64_t at = 0; at < s->rows.count; at += MTM_ROWS_BLOCK) {
        const int64_t n = mtm_min_i64(MTM_ROWS_BLOCK, s->rows.count - at);
        _Alignas(64) int64_t stage[MTM_ROWS_BLOCK];

        if (narrow(s)) {
            const void *const x = mtm_rows_fetch(&s->rows, at, n, s->as, stage);

            if (s->as == MTM_U8)
                s->label.pick_u8(p, x, (size_t)n);
            else
                s->label.pick_u16(p, x, (size_t)n);
        } else {
            uint16_t numbers[MTM_ROWS_BLOCK];
            const int64_t *v = NULL;
            const slot *last = NULL;

            if (wide_block(s, at, n, stage, &v, err)) /* cannot fail: the first pass saw the same bytes */
                return;
            for (int64_t i = 0; i < n; i++) {
                if (!last || last->value != v[i])
                    last = lookup(s->slots, v[i]);
                numbers[i] = (uint16_t)last->number;
            }
            s->label.pick_u16(p, numbers, (size_t)n);
        }
    }
}

/* The table is one allocation: struct, classes, counts, offsets, places. */
static mtm_status make_table(mtm_label_table **out, const scan *s, mtm_error *err)
{
    const int32_t n = s->n_classes;
    int64_t places = 0;

    for (int32_t i = 0; i < n; i++)
        places += mtm_min_i64(MOST_PLACES, s->classes[i].count);
    char *const block =
        mtm_alloc(sizeof(mtm_label_table) + (size_t)(3 * (int64_t)n + 1 + places) * sizeof(int64_t));
    if (!block)
        return MTM_NOMEM(err);
    mtm_label_table *const t = (mtm_label_table *)(void *)block;
    int64_t *const classes = (int64_t *)(void *)(block + sizeof *t);
    int64_t *const counts = classes + n, *const offset = counts + n, *const at = offset + n + 1;

    offset[0] = 0;
    for (int32_t i = 0; i < n; i++) {
        classes[i] = s->classes[i].value, counts[i] = s->classes[i].count;
        offset[i + 1] = offset[i] + mtm_min_i64(MOST_PLACES, counts[i]);
    }
    *t = (mtm_label_table){.n_classes = n, .classes = classes, .counts = counts, .offset = offset, .at = at};
    *out = t;
    return MTM_OK;
}

static mtm_status find_places(const scan *s, mtm_label_table *t, int64_t *at, mtm_error *err)
{
    const size_t n = (size_t)t->n_classes, places = (size_t)t->offset[n];
    MTM_AUTO_MEM int64_t *wanted =
        mtm_alloc((places + n) * sizeof *wanted); /* each list ends with INT64_MAX */
    MTM_AUTO_MEM int64_t *seen = mtm_alloc_zero(n, sizeof *seen);
    MTM_AUTO_MEM const int64_t **next = mtm_alloc(n * sizeof *next);
    MTM_AUTO_MEM int64_t **found = mtm_alloc(n * sizeof *found);
    mtm_label_pick p = {.class_of = s->class_of, .seen = seen, .wanted = next, .found = found};
    int64_t *w = wanted, most = 0;

    for (size_t i = 0; i < n; i++)
        most = mtm_max_i64(most, t->counts[i]);
    MTM_AUTO_MEM uint64_t *marked = mtm_alloc_zero((size_t)most / 64 + 1, sizeof *marked);
    if (!marked || !wanted || !seen || !next || !found)
        return MTM_NOMEM(err);
    for (size_t i = 0; i < n; i++) {
        const int64_t m = t->offset[i + 1] - t->offset[i];

        draw_numbers(t->classes[i], t->counts[i], m, marked, w);
        next[i] = w, found[i] = at + t->offset[i];
        w += m;
        *w++ = INT64_MAX;
    }
    pick_all(s, &p, err);
    return MTM_OK;
}

/* ---- the entry ---------------------------------------------------------------------------------------- */

/* Narrow dtypes are counted by their bits: reinterpreted, not converted. */
static mtm_dtype counted_as(mtm_array *bits)
{
    switch (bits->dtype) {
    case MTM_U8:
    case MTM_I8: return bits->dtype = MTM_U8;
    case MTM_BOOL: return MTM_U8; /* converted: any byte but 0 is 1 */
    case MTM_U16:
    case MTM_I16: return bits->dtype = MTM_U16;
    case MTM_F16:
    case MTM_F32:
    case MTM_F64: return MTM_F64;
    default: return MTM_I64;
    }
}

mtm_status mtm_label_table_new(mtm_label_table **out, const mtm_array *labels, mtm_error *err)
{
    SCAN_AUTO s = {.n_classes = 0};
    mtm_array bits = *labels;
    mtm_label_table *t = NULL;
    mtm_status status;

    if (!mtm_dtype_size(labels->dtype) || labels->ndim < 0 || labels->ndim > MTM_MAX_DIMS)
        return mtm_fail(err, MTM_E_INVAL, -1, "not an array: dtype %d, %d axes", labels->dtype, labels->ndim);
    mtm_convert_kernels_init(&s.convert, mtm_cpu_flags());
    mtm_label_kernels_init(&s.label, mtm_cpu_flags());
    s.as = counted_as(&bits);
    s.rows = mtm_rows_over(&s.convert, &bits);
    MTM_TRY(narrow(&s) ? count_narrow(&s, err) : count_wide(&s, err));
    MTM_TRY(list_classes(&s, labels->dtype, err));
    if (labels->dtype == MTM_U64 && s.n_classes && s.classes[s.n_classes - 1].value == INT64_MAX)
        return mtm_fail(err, MTM_E_LIMIT, -1, "a label above 2^63 − 2");
    MTM_TRY(make_table(&t, &s, err));
    status = find_places(&s, t, (int64_t *)t->at, err);
    if (status) {
        mtm_label_table_free(t);
        return status;
    }
    *out = t;
    return MTM_OK;
}

void mtm_label_table_free(mtm_label_table *t)
{
    mtm_free(t);
}
