/* format/npy.c: NumPy's .npy, versions 1 to 3: a Python dictionary literal, then the numbers in C or Fortran order.
 * Source: numpy/lib/format.py (NEP 1).
 * SPDX-License-Identifier: Apache-2.0 */
#include "npy.h"

#include <stdio.h>

#include "base/reader.h"
#include "format.h"

static const char magic[6] = "\x93NUMPY";
static const char axis_letters[] = "WVUCTZYX"; /* the last ndim of them */

typedef struct npy_header {
    char descr[16];
    bool fortran, has_descr, has_order, has_shape;
    int32_t ndim;
    int64_t shape[MTM_MAX_DIMS];
} npy_header;

/* ---- the dictionary ------------------------------------------------------------------------------------ */

/* A cursor over the header's text. */
typedef struct cursor {
    const char *s;
    size_t n, at;
    int64_t base; /* byte of s[0] in the file */
} cursor;

static mtm_status bad(const cursor *c, const char *what, mtm_error *err)
{
    return mtm_fail(err, MTM_E_CORRUPT, c->base + (int64_t)c->at, "the header has no %s here", what);
}

static void blanks(cursor *c)
{
    while (c->at < c->n && (c->s[c->at] == ' ' || c->s[c->at] == '\n' || c->s[c->at] == '\t'))
        c->at++;
}

static bool take(cursor *c, char wanted)
{
    blanks(c);
    if (c->at >= c->n || c->s[c->at] != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);

    blanks(c);
    if (c->n - c->at < n || memcmp(c->s + c->at, word, n))
        return false;
    c->at += n;
    return true;
}

/* A quoted string without escapes. */
static mtm_status string(cursor *c, char *out, size_t room, mtm_error *err)
{
    size_t n = 0;
    char quote;

    blanks(c);
    if (c->at >= c->n || (c->s[c->at] != '\'' && c->s[c->at] != '"'))
        return bad(c, "quoted string", err);
    quote = c->s[c->at++];
    while (c->at < c->n && c->s[c->at] != quote) {
        if (n + 1 >= room || c->s[c->at] == '\\')
            return bad(c, "short plain string", err);
        out[n++] = c->s[c->at++];
    }
    out[n] = '\0';
    return take(c, quote) ? MTM_OK : bad(c, "closing quote", err);
}

/* (), (3,), (3, 4), … */
static mtm_status shape(cursor *c, npy_header *h, mtm_error *err)
{
    if (!take(c, '('))
        return bad(c, "shape in brackets", err);
    while (!take(c, ')')) {
        int64_t n = 0;
        size_t digits = 0;

        blanks(c);
        for (; c->at < c->n && c->s[c->at] >= '0' && c->s[c->at] <= '9'; c->at++, digits++)
            if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, c->s[c->at] - '0', &n))
                return bad(c, "extent below 2^63", err);
        if (digits == 0)
            return bad(c, "extent", err);
        if (h->ndim == MTM_MAX_DIMS)
            return mtm_fail(err, MTM_E_UNSUPPORTED, c->base + (int64_t)c->at,
                            "more than %d axes are not read", MTM_MAX_DIMS);
        h->shape[h->ndim++] = n;
        (void)take_word(c, "L"); /* Python 2 wrote long integers so */
        if (take(c, ','))
            continue;
        return take(c, ')') ? MTM_OK : bad(c, "comma or bracket", err);
    }
    return MTM_OK;
}

static mtm_status entry(cursor *c, npy_header *h, mtm_error *err)
{
    char key[24];

    MTM_TRY(string(c, key, sizeof key, err));
    if (!take(c, ':'))
        return bad(c, "colon", err);
    if (!strcmp(key, "descr") && !h->has_descr) {
        blanks(c);
        if (c->at < c->n && c->s[c->at] == '[')
            return mtm_fail(err, MTM_E_UNSUPPORTED, c->base + (int64_t)c->at, "records are not read");
        h->has_descr = true;
        return string(c, h->descr, sizeof h->descr, err);
    }
    if (!strcmp(key, "fortran_order") && !h->has_order) {
        h->has_order = true;
        h->fortran = take_word(c, "True");
        return h->fortran || take_word(c, "False") ? MTM_OK : bad(c, "True or False", err);
    }
    if (!strcmp(key, "shape") && !h->has_shape) {
        h->has_shape = true;
        return shape(c, h, err);
    }
    return bad(c, "descr, fortran_order or shape", err);
}

static mtm_status dictionary(cursor *c, npy_header *h, mtm_error *err)
{
    if (!take(c, '{'))
        return bad(c, "dictionary", err);
    while (!take(c, '}')) {
        MTM_TRY(entry(c, h, err));
        if (take(c, ','))
            continue;
        if (!take(c, '}'))
            return bad(c, "comma or closing brace", err);
        break;
    }
    blanks(c);
    if (c->at < c->n && c->s[c->at] != '\0')
        return bad(c, "end", err);
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return mtm_fail(err, MTM_E_CORRUPT, c->base, "the header lacks %s",
                        !h->has_descr   ? "descr"
                        : !h->has_order ? "fortran_order"
                                        : "shape");
    return MTM_OK;
}

/* ---- dtype --------------------------------------------------------------------------------------------- */

/* "<i2", "|u1", ">f8", "|b1". */
static mtm_status dtype(const npy_header *h, int64_t at, mtm_dtype *out, bool *big_endian, mtm_error *err)
{
    static const struct {
        char kind, bytes;
        mtm_dtype t;
    } table[] = {
        {'u', '1', MTM_U8},  {'i', '1', MTM_I8},  {'u', '2', MTM_U16}, {'i', '2', MTM_I16},
        {'u', '4', MTM_U32}, {'i', '4', MTM_I32}, {'u', '8', MTM_U64}, {'i', '8', MTM_I64},
        {'f', '2', MTM_F16}, {'f', '4', MTM_F32}, {'f', '8', MTM_F64}, {'b', '1', MTM_BOOL},
    };
    const char *const d = h->descr;

    if (strlen(d) == 3 && d[0] && strchr("<>|=", d[0]))
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            if (table[i].kind == d[1] && table[i].bytes == d[2]) {
                *out = table[i].t, *big_endian = d[0] == '>';
                return MTM_OK;
            }
    return mtm_fail(err, MTM_E_UNSUPPORTED, at, "dtype %s is not read", d);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

static bool npy_detect(const mtm_probe *p)
{
    return p->head_bytes >= sizeof magic && !memcmp(p->head, magic, sizeof magic);
}

/* Reads the header; *offset receives where the numbers begin. */
static mtm_status header_read(npy_header *h, uint64_t *offset, int64_t *text_at, const mtm_probe *p,
                              mtm_error *err)
{
    mtm_reader r = mtm_reader_over(p->head, p->head_bytes, 0);
    MTM_AUTO_MEM uint8_t *bytes = NULL;
    uint8_t version = 0;
    uint16_t n16 = 0;
    uint32_t n = 0;

    MTM_TRY(mtm_read_skip(&r, sizeof magic, err));
    MTM_TRY(mtm_read_u8(&r, &version, err));
    MTM_TRY(mtm_read_skip(&r, 1, err));
    if (version < 1 || version > 3)
        return mtm_fail(err, MTM_E_UNSUPPORTED, sizeof magic, "version %u of the format is not read",
                        version);
    if (version == 1) {
        MTM_TRY(mtm_read_u16(&r, &n16, err));
        n = n16;
    } else {
        MTM_TRY(mtm_read_u32(&r, &n, err));
    }
    *text_at = mtm_reader_offset(&r);
    *offset = (uint64_t)*text_at + n;
    MTM_TRY(mtm_probe_header(&bytes, p, *offset, err));
    cursor c = {.s = (const char *)bytes + *text_at, .n = n, .base = *text_at};
    return dictionary(&c, h, err);
}

static void layout_set(mtm_volume *v, const npy_header *h)
{
    mtm_image_info *const info = &v->base.info;
    int64_t step = (int64_t)mtm_dtype_size(info->stored_dtype);

    info->ndim = h->ndim;
    memcpy(info->axes, axis_letters + MTM_MAX_DIMS - h->ndim, (size_t)h->ndim + 1);
    for (int32_t i = 0; i < h->ndim; i++)
        info->shape[i] = h->shape[i], info->spacing[i] = 1;
    mtm_volume_c_order(v);
    for (int32_t i = 0; i < h->ndim && h->fortran; i++) {
        v->stride[i] = step;
        if (__builtin_mul_overflow(step, h->shape[i], &step))
            step = 0; /* mtm_volume_finish refuses the shape */
    }
}

static mtm_status npy_open(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    MTM_AUTO(mtm_volume) v = NULL;
    npy_header h = {0};
    int64_t text_at = 0;
    uint64_t offset = 0;
    bool big_endian = false;
    mtm_dtype t = MTM_NONE;

    MTM_TRY(header_read(&h, &offset, &text_at, p, err));
    MTM_TRY(dtype(&h, text_at, &t, &big_endian, err));
    MTM_TRY(mtm_volume_new(&v, p->source, p->gzip, p->options, err));
    p->source = NULL;
    v->base.info.format = "npy";
    v->base.info.stored_dtype = v->base.info.dtype = t;
    v->big_endian = big_endian;
    v->offset_bytes = offset;
    layout_set(v, &h);
    MTM_TRY(mtm_volume_finish(v, err));
    MTM_TRY(mtm_image_add_property(&v->base, err, "npy.descr", "%s", h.descr));
    MTM_TRY(mtm_image_add_property(&v->base, err, "npy.fortran_order", "%s", h.fortran ? "True" : "False"));
    *out = &mtm_volume_steal(&v)->base;
    return MTM_OK;
}

const mtm_format mtm_format_npy = {.name = "npy", .detect = npy_detect, .open = npy_open};

/* ---- the header for writing ---------------------------------------------------------------------------- */

mtm_status mtm_npy_header(uint8_t out[MTM_NPY_HEADER_BYTES], size_t *n, const mtm_array *a, mtm_error *err)
{
    static const char *const descr[MTM_N_DTYPES] = {
        [MTM_U8] = "|u1",  [MTM_I8] = "|i1",  [MTM_U16] = "<u2", [MTM_I16] = "<i2",
        [MTM_U32] = "<u4", [MTM_I32] = "<i4", [MTM_U64] = "<u8", [MTM_I64] = "<i8",
        [MTM_F16] = "<f2", [MTM_F32] = "<f4", [MTM_F64] = "<f8", [MTM_BOOL] = "|b1",
    };
    char text[MTM_NPY_HEADER_BYTES];
    size_t at;

    if (a->dtype <= MTM_NONE || a->dtype >= MTM_N_DTYPES)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "an array without a dtype cannot be written");
    at = (size_t)snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                          descr[a->dtype]);
    for (int32_t i = 0; i < a->ndim; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%" PRId64 "%s", a->shape[i],
                               i + 1 < a->ndim ? ", "
                               : a->ndim == 1  ? ","
                                               : "");
    at += (size_t)snprintf(text + at, sizeof text - at, "), }");
    *n = (10 + at + 1 + 63) / 64 * 64; /* the numbers begin at a multiple of 64 */
    memset(out, ' ', *n);
    memcpy(out, magic, sizeof magic);
    out[6] = 1, out[7] = 0;
    out[8] = (uint8_t)((*n - 10) & 0xff), out[9] = (uint8_t)((*n - 10) >> 8);
    memcpy(out + 10, text, at);
    out[*n - 1] = '\n';
    return MTM_OK;
}
