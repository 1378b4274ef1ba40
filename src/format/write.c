/* format/write.c: writes an array as an image file: chooses the format, then one stream into an atomic writer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "write.h"

#include "npy.h"

static const struct {
    const char *ending; /* of the path; without the dot, the name of the format */
    mtm_write_fn write;
    bool gzip;
} formats[] = {
    {".nii.gz", mtm_nifti_write, true}, {".nii", mtm_nifti_write, false}, {".npy", mtm_npy_write, false},
    {".png", mtm_png_write, false},     {".pgm", mtm_pnm_write, false},   {".ppm", mtm_pnm_write, false},
    {".pgx", mtm_pgx_write, false},     {".raw", mtm_raw_write, false},   {".j2c", mtm_j2c_write, false},
    {".jph", mtm_jph_write, false},     {".j2k", mtm_j2k_write, false},   {".jp2", mtm_jp2_write, false},
};

mtm_status mtm_c_order(mtm_array *out, const mtm_array *a, mtm_dtype t, size_t lead_bytes, mtm_error *err)
{
    mtm_buffer *buffer;
    uint64_t bytes;
    mtm_status s;

    *out = *a;
    out->owner = NULL;
    if (!lead_bytes && a->dtype == t && mtm_array_is_c_order(a))
        return MTM_OK;
    MTM_TRY(mtm_extent_bytes(&bytes, a->ndim, a->shape, mtm_dtype_size(t), INT64_MAX - (1 << 30), "the array",
                             err));
    MTM_TRY(mtm_buffer_new(&buffer, (size_t)bytes + lead_bytes, err));
    *out = mtm_array_wrap((uint8_t *)mtm_buffer_data(buffer) + lead_bytes, t, a->ndim, a->shape);
    out->owner = buffer;
    s = mtm_array_convert(out, a, 1, 0, NULL, err);
    if (s != MTM_OK)
        mtm_array_drop(out);
    return s;
}

mtm_status mtm_npy_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    uint8_t header[MTM_NPY_HEADER_BYTES];
    mtm_array a;
    size_t n;
    mtm_status s;

    MTM_TRY(mtm_npy_header(header, &n, p->a, err));
    MTM_TRY(mtm_writer_put(w, header, n, err));
    MTM_TRY(mtm_c_order(&a, p->a, p->a->dtype, 0, err));
    s = mtm_writer_put(w, a.data, (size_t)mtm_array_count(&a) * mtm_dtype_size(a.dtype), err);
    mtm_array_drop(&a);
    return s;
}

/* By the option, "nii.gz" or ".nii.gz"; else by the path's ending. -1: none. */
static int format_find(const char *path, const char *name)
{
    const size_t n = strlen(path);

    for (int i = 0; i < (int)(sizeof formats / sizeof *formats); i++) {
        const char *const e = formats[i].ending;
        const size_t m = strlen(e);

        if (name ? !strcmp(name, e) || !strcmp(name, e + 1) : n > m && !strcasecmp(path + n - m, e))
            return i;
    }
    return -1;
}

static mtm_status picture_check(mtm_picture *p, mtm_error *err)
{
    static const char letters[] = "WVUCTZYX";
    const mtm_array *const a = p->a;

    if (mtm_dtype_size(a->dtype) == 0 || a->device != MTM_DEVICE_CPU || a->ndim < 0 || a->ndim > MTM_MAX_DIMS)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the array has no dtype, too many axes, or is not in main memory");
    p->axes = p->options->axes ? p->options->axes : letters + MTM_MAX_DIMS - a->ndim;
    if (strlen(p->axes) != (size_t)a->ndim)
        return mtm_fail(err, MTM_E_INVAL, -1, "axes \"%s\" do not name the array's %d", p->axes, a->ndim);
    return MTM_OK;
}

static mtm_status image_write(const char *path, const mtm_array *a, const mtm_write_options *opt,
                              mtm_error *err)
{
    MTM_AUTO(mtm_writer) w = NULL;
    mtm_picture p = {.a = a, .options = opt};
    const int f = format_find(path, opt->format);

    if (opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_write_options has %u bytes instead of %zu",
                        (unsigned)opt->struct_size, sizeof *opt);
    if (f < 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "the format is not known by the name's ending; .nii, .nii.gz, .npy, .png, .pgm, "
                        ".ppm, .pgx, .raw, .j2c, .jph, .j2k and "
                        ".jp2 are written");
    p.gzip = formats[f].gzip;
    MTM_TRY(picture_check(&p, err));
    MTM_TRY(mtm_writer_open(&w, path, err));
    MTM_TRY(formats[f].write(w, &p, err));
    return mtm_writer_commit(w, err);
}

mtm_status mtm_image_write(const char *path, const mtm_array *a, const mtm_write_options *opt, mtm_error *err)
{
    const mtm_write_options plain = {.struct_size = sizeof plain};

    return mtm_error_where(err, image_write(path, a, opt ? opt : &plain, err), path);
}
