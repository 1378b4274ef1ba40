/* format/pnm.c: binary PGM and PPM (P5, P6; Netpbm's pgm(5), ppm(5)), read and written; PGX (T.803 annex A) and bare
 * little-endian samples, written: what codec test suites and other tools exchange.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "format.h"
#include "write.h"

/* ---- reading PGM and PPM ------------------------------------------------------------------------------- */

static bool pnm_detect(const mtm_probe *p)
{
    return p->head_bytes > 8 && p->head[0] == 'P' && (p->head[1] == '5' || p->head[1] == '6') &&
           strchr(" \t\r\n#", p->head[2]) && p->head[2];
}

/* The next number of the header, over blanks and comments. Errors: MTM_E_CORRUPT. */
static mtm_status number(const mtm_probe *p, size_t *at, int64_t *out, mtm_error *err)
{
    size_t i = *at;
    int64_t v = 0;

    while (i < p->head_bytes && p->head[i] && strchr(" \t\r\n#", p->head[i]))
        if (p->head[i++] == '#')
            while (i < p->head_bytes && p->head[i] != '\n')
                i++;
    const size_t first = i;
    for (; i < p->head_bytes && i < first + 10 && p->head[i] >= '0' && p->head[i] <= '9'; i++)
        v = v * 10 + (p->head[i] - '0');
    if (i == first || i == p->head_bytes || !p->head[i] || !strchr(" \t\r\n", p->head[i]))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)i, "the header has no number here");
    *at = i, *out = v;
    return MTM_OK;
}

static mtm_status pnm_open(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    const bool color = p->head[1] == '6';
    MTM_AUTO(mtm_volume) v = NULL;
    int64_t width, height, most;
    size_t at = 2;

    MTM_TRY(number(p, &at, &width, err));
    MTM_TRY(number(p, &at, &height, err));
    MTM_TRY(number(p, &at, &most, err));
    if (most < 1 || most > 65535)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)at, "a largest value of %" PRId64 " is not in 1 … 65535",
                        most);
    MTM_TRY(mtm_volume_new(&v, p->source, p->gzip, p->options, err));
    p->source = NULL;
    mtm_image_info *const info = &v->base.info;
    info->format = color ? "ppm" : "pgm";
    info->stored_dtype = info->dtype = most > 255 ? MTM_U16 : MTM_U8;
    info->ndim = color ? 3 : 2;
    memcpy(info->axes, "YXC", (size_t)info->ndim);
    info->shape[0] = height, info->shape[1] = width, info->shape[2] = color ? 3 : 0;
    for (int32_t i = 0; i < info->ndim; i++)
        info->spacing[i] = 1;
    v->big_endian = true;
    v->offset_bytes = at + 1;
    mtm_volume_c_order(v);
    MTM_TRY(mtm_volume_finish(v, err));
    MTM_TRY(mtm_image_add_property(&v->base, err, "pnm.maxval", "%" PRId64, most));
    *out = &mtm_volume_steal(&v)->base;
    return MTM_OK;
}

const mtm_format mtm_format_pnm = {.name = "pnm", .detect = pnm_detect, .open = pnm_open};

/* ---- writing ------------------------------------------------------------------------------------------- */

/* Samples in C order; 16 bits big-endian where `swap`. */
static mtm_status put_samples(mtm_writer *w, const mtm_array *given, bool swap, mtm_error *err)
{
    mtm_array a;
    mtm_status s;

    MTM_TRY(mtm_c_order(&a, given, given->dtype, swap ? 64 : 0, err)); /* with a lead: memory of its own */
    const size_t n = (size_t)mtm_array_count(&a), bytes = n * mtm_dtype_size(a.dtype);
    uint8_t *const b = a.data;
    for (size_t i = 0; swap && i + 1 < bytes; i += 2) {
        const uint8_t low = b[i];

        b[i] = b[i + 1], b[i + 1] = low;
    }
    s = mtm_writer_put(w, a.data, bytes, err);
    mtm_array_drop(&a);
    return s;
}

mtm_status mtm_raw_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    return put_samples(w, p->a, false, err);
}

mtm_status mtm_pnm_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    const mtm_array *const a = p->a;
    const bool color = a->ndim == 3 && a->shape[2] == 3,
               gray = a->ndim == 2 || (a->ndim == 3 && a->shape[2] == 1);
    char header[64];

    if ((a->dtype != MTM_U8 && a->dtype != MTM_U16) || !(color || gray))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "PGM and PPM take uint8 or uint16 of [Y, X] or [Y, X, 3]");
    const int n = snprintf(header, sizeof header, "P%c\n%" PRId64 " %" PRId64 "\n%d\n", color ? '6' : '5',
                           a->shape[1], a->shape[0], a->dtype == MTM_U8 ? 255 : 65535);
    MTM_TRY(mtm_writer_put(w, header, (size_t)n, err));
    return put_samples(w, a, a->dtype == MTM_U16, err);
}

mtm_status mtm_pgx_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    const mtm_array *const a = p->a;
    const bool is_signed = a->dtype == MTM_I8 || a->dtype == MTM_I16;
    const size_t size = mtm_dtype_size(a->dtype);
    char header[64];

    if (a->ndim != 2 || size > 2 || !mtm_dtype_is_integer(a->dtype))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "PGX takes integers of 8 or 16 bits, [Y, X]");
    const int n = snprintf(header, sizeof header, "PG ML %c %zu %" PRId64 " %" PRId64 "\n",
                           is_signed ? '-' : '+', 8 * size, a->shape[1], a->shape[0]);
    MTM_TRY(mtm_writer_put(w, header, (size_t)n, err));
    return put_samples(w, a, size == 2, err);
}
