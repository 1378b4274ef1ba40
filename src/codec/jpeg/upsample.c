/* codec/jpeg/upsample.c: components of a DCT frame to the picture's size: chrominances of half the width or height through the triangle
 * filter that libjpeg made common (centres between samples, weights 3/4 and 1/4), others repeated; and YCC to RGB.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "jpeg.h"

/* 3 · the row at y, and the row that is nearer on the other side; rows beyond the component's ends repeat the last. */
static void blend_rows(int32_t *out, const jpeg_plane *p, const jpeg_component *c, int64_t y)
{
    const int64_t stride = 8 * p->blocks_wide, at = y / 2;
    const int64_t near = mtm_clamp_i64(y & 1 ? at + 1 : at - 1, 0, c->height - 1);
    const uint16_t *const a = p->samples + at * stride, *const b = p->samples + near * stride;

    for (int64_t x = 0; x < c->width; x++)
        out[x] = 3 * a[x] + b[x];
}

/* Twice the width; in: sums of weight 1 << shift. low and high: what rounds the left and the right one of a pair. */
static void blend_columns(uint16_t *out, const int32_t *in, int64_t n, int shift, int32_t low, int32_t high)
{
    for (int64_t x = 0; x < n; x++) {
        const int32_t left = in[x ? x - 1 : 0], right = in[x + 1 < n ? x + 1 : n - 1];

        out[2 * x] = (uint16_t)((3 * in[x] + left + low) >> (shift + 2));
        out[2 * x + 1] = (uint16_t)((3 * in[x] + right + high) >> (shift + 2));
    }
}

/* Row y of the picture. out: room for whole blocks at full width; spare: for a row of sums. */
static const uint16_t *full_row(const jpeg_job *j, int32_t i, int64_t y, uint16_t *out, int32_t *spare)
{
    const jpeg_frame *const f = &j->stream.frame;
    const jpeg_component *const c = &f->components[i];
    const jpeg_plane *const p = &j->planes[i];
    const int32_t up_x = f->h / c->h, up_y = f->v / c->v;
    const uint16_t *const row = p->samples + y / up_y * 8 * p->blocks_wide;

    if (up_x == 1 && up_y == 1)
        return row;
    if (up_x == 2 && up_y == 2 && c->width > 2) {
        blend_rows(spare, p, c, y);
        blend_columns(out, spare, c->width, 2, 8, 7);
    } else if (up_x == 2 && up_y == 1 && c->width > 2) {
        for (int64_t x = 0; x < c->width; x++)
            spare[x] = row[x];
        blend_columns(out, spare, c->width, 0, 1, 2);
    } else if (up_x == 1 && up_y == 2) {
        blend_rows(spare, p, c, y);
        for (int64_t x = 0; x < c->width; x++)
            out[x] = (uint16_t)((spare[x] + (y & 1 ? 2 : 1)) >> 2);
    } else
        for (int64_t x = 0; x < f->width; x++)
            out[x] = row[x / up_x];
    return out;
}

mtm_status jpeg_upsample(jpeg_job *j, mtm_error *err)
{
    const jpeg_frame *const f = &j->stream.frame;
    const size_t width = (size_t)(f->width + 8); /* twice a chrominance's width may be one more */
    uint16_t *out;

    /* The coefficients are used up. */
    MTM_TRY(jpeg_room_for(&j->state->coefficients, width * (sizeof(int32_t) + sizeof *out), err));
    out = (uint16_t *)j->state->coefficients.data + 2 * width;
    for (int32_t i = 0; i < f->n; i++)
        for (int64_t y = 0; y < f->height; y++)
            jpeg_put_line(j, i, y, full_row(j, i, y, out, j->state->coefficients.data));
    return MTM_OK;
}

/* ---- colour ------------------------------------------------------------------------------------------- */

static int32_t clamp(int32_t x, int32_t most)
{
    return x < 0 ? 0 : x > most ? most : x;
}

/* JFIF 1.02, in 16 fractional bits as libjpeg does it: U8 or U16 in place. */
static void pixel_to_rgb(int32_t v[3], int32_t bits)
{
    const int32_t most = (1 << bits) - 1, half = 1 << 15;
    const int32_t y = v[0], cb = v[1] - (1 << (bits - 1)), cr = v[2] - (1 << (bits - 1));

    v[0] = clamp(y + ((91881 * cr + half) >> 16), most);
    v[1] = clamp(y + ((-22554 * cb - 46802 * cr + half) >> 16), most);
    v[2] = clamp(y + ((116130 * cb + half) >> 16), most);
}

void jpeg_to_rgb(const mtm_array *a, int32_t bits)
{
    for (int64_t y = 0; y < a->shape[0]; y++)
        for (int64_t x = 0; x < a->shape[1]; x++) {
            char *const at = (char *)a->data + y * a->stride[0] + x * a->stride[1];
            int32_t v[3];

            for (int k = 0; k < 3; k++)
                v[k] = a->dtype == MTM_U8 ? *(uint8_t *)(at + k * a->stride[2])
                                          : *(uint16_t *)(void *)(at + k * a->stride[2]);
            pixel_to_rgb(v, bits);
            for (int k = 0; k < 3; k++) {
                if (a->dtype == MTM_U8)
                    *(uint8_t *)(at + k * a->stride[2]) = (uint8_t)v[k];
                else
                    *(uint16_t *)(void *)(at + k * a->stride[2]) = (uint16_t)v[k];
            }
        }
}
