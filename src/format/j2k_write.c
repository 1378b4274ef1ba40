/* format/j2k_write.c: writes one picture as a codestream or in JP2 or JPH, by the codec.
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec/codec.h"
#include "write.h"

/* What an ending means where the options do not say otherwise. */
static mtm_encode_params params_of(const mtm_picture *p, const char *codec, const char *container)
{
    mtm_encode_params e = p->options->encode ? *p->options->encode : mtm_encode_params_default();
    const char *const bits = p->options->like ? mtm_image_property_find(p->options->like, "j2k.bits") : NULL;

    if (!p->options->encode || !e.codec)
        e.codec = codec;
    if (!p->options->encode || !e.container)
        e.container = container;
    /* Values of the same type as the stream they came from keep its precision. */
    if (bits && !e.bits && p->options->like->info.stored_dtype == p->a->dtype)
        e.bits = atoi(bits);
    return e;
}

/* Axes of one voxel in front of the picture are dropped: [1, Y, X] of a volume's slice. axes NULL: three are Y, X, C. */
static mtm_status plane_of(mtm_array *out, const mtm_array *a, const char *axes, mtm_error *err)
{
    const int32_t wanted = axes ? (a->ndim && axes[a->ndim - 1] == 'C' ? 3 : 2) : a->ndim > 2 ? 3 : 2;

    *out = *a;
    while (out->ndim > wanted && out->shape[0] == 1) {
        out->ndim--;
        memmove(out->shape, out->shape + 1, (size_t)out->ndim * sizeof *out->shape);
        memmove(out->stride, out->stride + 1, (size_t)out->ndim * sizeof *out->stride);
    }
    if (out->ndim == wanted || (out->ndim == 2 && wanted == 3))
        return MTM_OK;
    return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                    "a codestream holds one picture [Y, X] or [Y, X, C], not %d axes%s%s", a->ndim,
                    axes ? " " : "", axes ? axes : "");
}

static mtm_status write(mtm_writer *w, const mtm_picture *p, const char *codec, const char *container,
                        mtm_error *err)
{
    const mtm_encode_params e = params_of(p, codec, container);
    mtm_bytes out = {0};
    mtm_array a;
    mtm_status s;

    MTM_TRY(plane_of(&a, p->a, p->options->axes, err));
    s = mtm_encode(NULL, &a, false, &e, &out, err);
    if (s == MTM_OK)
        s = mtm_writer_put(w, out.data, out.size_bytes, err);
    mtm_bytes_drop(&out);
    return s;
}

mtm_status mtm_j2c_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    return write(w, p, "htj2k", "codestream", err);
}

mtm_status mtm_jph_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    return write(w, p, "htj2k", "jph", err);
}

mtm_status mtm_j2k_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    return write(w, p, "j2k", "codestream", err);
}

mtm_status mtm_jp2_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    return write(w, p, "j2k", "jp2", err);
}
