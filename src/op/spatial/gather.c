/* op/spatial/gather.c: runs a geometry, and what its four ways of gathering share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/gather.h"

#include "base/size.h"

mtm_status mtm_gather_pieces(mtm_gather *j, int64_t n, int64_t grain,
                             void (*fn)(void *job, int64_t lo, int64_t hi), void *job, mtm_error *err)
{
    atomic_flag_clear(&j->failed);
    j->failure.code = MTM_OK;
    MTM_TRY(mtm_pool_for(j->x->pool, n, grain, fn, job, j->x->cancel, err));
    if (j->failure.code != MTM_OK && err)
        *err = j->failure;
    return j->failure.code;
}

void mtm_gather_note(mtm_gather *j, mtm_status s, const mtm_error *err)
{
    if (s != MTM_OK && !atomic_flag_test_and_set(&j->failed))
        j->failure = *err;
}

mtm_array mtm_gather_part(const mtm_array *a, int64_t channel, int64_t n, const int64_t start[3],
                          const int64_t size[3])
{
    mtm_array p = *a;

    p.owner = NULL;
    p.shape[0] = n;
    p.data = (uint8_t *)p.data + channel * a->stride[0];
    for (int i = 0; i < 3; i++) {
        p.data = (uint8_t *)p.data + start[i] * a->stride[i + 1];
        p.shape[i + 1] = size[i];
    }
    return p;
}

void mtm_gather_steps(const mtm_gather *j, int64_t channel, const int64_t start[3], const mtm_array *rows)
{
    const int64_t *const size = j->g->out_size;

    for (int64_t z = 0; z < rows->shape[1]; z++)
        for (int64_t y = 0; y < rows->shape[2]; y++) {
            const int64_t first =
                ((channel * size[0] + start[0] + z) * size[1] + start[1] + y) * size[2] + start[2];
            float *const row = (float *)((uint8_t *)rows->data + z * rows->stride[1] + y * rows->stride[2]);

            j->x->kernels.pointwise.run(j->steps, (int32_t)channel, first, row, (size_t)rows->shape[3]);
        }
}

/* Packed outputs are stored several at once: a store per element is what bounds the loop otherwise. */
#define TAKE(type)                                                                                           \
    static void take_##type(const uint8_t *data, const int64_t *offset, int32_t n, uint8_t *out,             \
                            int64_t stride)                                                                  \
    {                                                                                                        \
        enum { BLOCK = 16 / sizeof(type) };                                                                  \
        int32_t i = 0;                                                                                       \
                                                                                                             \
        for (; stride == sizeof(type) && i + BLOCK <= n; i += BLOCK) {                                       \
            type block[BLOCK];                                                                               \
                                                                                                             \
            for (int k = 0; k < BLOCK; k++)                                                                  \
                memcpy(&block[k], data + offset[i + k], sizeof(type));                                       \
            memcpy(out + i * (int64_t)sizeof(type), block, sizeof block);                                    \
        }                                                                                                    \
        for (; i < n; i++)                                                                                   \
            memcpy(out + i * stride, data + offset[i], sizeof(type));                                        \
    }
TAKE(uint8_t)
TAKE(uint16_t)
TAKE(uint32_t)
TAKE(uint64_t)
#undef TAKE

void mtm_gather_take(size_t bytes, const uint8_t *data, const int64_t *offset, int32_t n, uint8_t *out,
                     int64_t stride)
{
    switch (bytes) {
    case 1: take_uint8_t(data, offset, n, out, stride); break;
    case 2: take_uint16_t(data, offset, n, out, stride); break;
    case 4: take_uint32_t(data, offset, n, out, stride); break;
    default: take_uint64_t(data, offset, n, out, stride); break;
    }
}

mtm_status mtm_gather_fill(const mtm_array *part, double value, mtm_pool *pool, mtm_error *err)
{
    mtm_array src = *part, dst = *part;

    src.data = &value, src.dtype = MTM_F64, src.owner = NULL;
    memset(src.stride, 0, sizeof src.stride);
    return mtm_array_convert(&dst, &src, 1, 0, pool, err);
}

mtm_status mtm_geometry_run(mtm_exec *x, const mtm_geometry *g, const mtm_array *in,
                            const int64_t in_start[3], bool label, const struct mtm_pointwise *steps,
                            mtm_array *out, mtm_error *err)
{
    mtm_gather j = {.x = x, .g = g, .in = *in, .out = *out, .label = label};

    j.steps = steps && steps->n > 0 ? steps : NULL;
    for (int i = 0; i < 3; i++) {
        j.in_start[i] = in_start[i];
        if (out->shape[i + 1] != g->out_size[i])
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "the output has %" PRId64 " voxels on an axis, the geometry %" PRId64,
                            out->shape[i + 1], g->out_size[i]);
    }
    if (mtm_array_count(out) == 0)
        return MTM_OK;
    switch (g->kind) {
    case MTM_GEOMETRY_VIEW: return mtm_gather_view(&j, err);
    case MTM_GEOMETRY_AFFINE: return mtm_gather_affine(&j, err);
    case MTM_GEOMETRY_RESAMPLE: return mtm_gather_resample(&j, err);
    case MTM_GEOMETRY_WARP: return mtm_gather_warp(&j, err);
    }
    return mtm_fail(err, MTM_E_INVAL, -1, "geometry kind %d is unknown", (int)g->kind);
}
