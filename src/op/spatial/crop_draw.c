/* op/spatial/crop_draw.c: from a drawn voxel or box to a crop, the same for every operator that draws one.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/spatial/crop_draw.h"

#include "base/size.h"

mtm_status mtm_crop_extent(const crop_extent *e, const mtm_spec *in, int64_t size[3], mtm_error *err)
{
    MTM_TRY(mtm_axis_ints(&e->size, "size", in, 1, size, err));
    for (int i = 0; i < 3; i++) {
        if (size[i] > in->size[i] && !e->pad)
            return mtm_fail(err, MTM_E_INVAL, -1,
                            "axis %d has %" PRId64 " voxels, fewer than the crop's %" PRId64
                            "; pad= says how to fill",
                            i, in->size[i], size[i]);
        if (size[i] > MTM_MAX_EXTENT)
            return mtm_fail(err, MTM_E_LIMIT, -1, "the crop would have %" PRId64 " voxels on an axis",
                            size[i]);
    }
    return MTM_OK;
}

mtm_status mtm_crop_infer(const crop_extent *e, const mtm_spec *in, mtm_spec *out, mtm_error *err)
{
    int64_t size[3];

    MTM_TRY(mtm_crop_extent(e, in, size, err));
    memcpy(out->size, size, sizeof size);
    return MTM_OK;
}

/* start: [Z, Y, X]; axes that are shorter than the crop are centred in it. */
static void make_crop(const crop_extent *e, const mtm_spec *in, const int64_t start[3], const int64_t size[3],
                      crop_args *crop)
{
    const int skip = 3 - in->spatial;

    *crop = (crop_args){.start.n = in->spatial, .size.n = in->spatial, .value = e->value};
    crop->beyond = e->pad > 0, crop->border = e->pad ? e->pad - 1 : MTM_EDGE;
    for (int i = skip; i < 3; i++) {
        crop->start.v[i - skip] =
            size[i] > in->size[i] ? -((size[i] - in->size[i]) / 2) /* as crop_or_pad */ : start[i];
        crop->size.v[i - skip] = size[i];
    }
}

mtm_status mtm_crop_around(const crop_extent *e, const mtm_spec *in, const int64_t voxel[3], crop_args *crop,
                           mtm_error *err)
{
    int64_t size[3], start[3];

    MTM_TRY(mtm_crop_extent(e, in, size, err));
    for (int i = 0; i < 3; i++)
        start[i] = mtm_clamp_i64(voxel[i] - size[i] / 2, 0, mtm_max_i64(in->size[i] - size[i], 0));
    make_crop(e, in, start, size, crop);
    return MTM_OK;
}

mtm_status mtm_crop_with_box(const crop_extent *e, mtm_draw *d, const mtm_spec *in, const int64_t start[3],
                             const int64_t size[3], crop_args *crop, mtm_error *err)
{
    int64_t extent[3], at[3];

    MTM_TRY(mtm_crop_extent(e, in, extent, err));
    for (int i = 0; i < 3; i++) {
        const int64_t most = mtm_max_i64(in->size[i] - extent[i], 0);
        const int64_t one = start[i], other = start[i] + size[i] - extent[i];
        const int64_t lo = mtm_clamp_i64(mtm_min_i64(one, other), 0, most);
        const int64_t hi = mtm_clamp_i64(mtm_max_i64(one, other), 0, most);

        at[i] = lo + (int64_t)mtm_rng_below(&d->rng, (uint64_t)(hi - lo + 1));
    }
    make_crop(e, in, at, extent, crop);
    return MTM_OK;
}

void mtm_crop_voxel(const mtm_spec *in, int64_t at, int64_t voxel[3])
{
    for (int i = 2; i >= 0; i--) {
        voxel[i] = at % in->size[i];
        at /= in->size[i];
    }
}
