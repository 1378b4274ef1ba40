/* format/dicom/write/write.c: data sets as Part 10 files, written beside their destination and renamed. Pixels that the wanted
 * syntax stores otherwise go through transcode.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/size.h"
#include "transcode.h"

static bool has_pixels(const mtm_dicom *d)
{
    return mtm_dicom_find(d, NULL, DCM_PIXELS) || mtm_dicom_find(d, NULL, DCM_FLOAT_PIXELS) ||
           mtm_dicom_find(d, NULL, DCM_DOUBLE_PIXELS);
}

static mtm_status syntax_of(const dcm_syntax **out, const char *uid, mtm_error *err)
{
    *out = dcm_syntax_find(uid);
    if (!*out)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "\"%.64s\" is no transfer syntax of this edition", uid);
    return MTM_OK;
}

/* The bytes of the pixel data mean the same in both: only headers and byte order differ. */
static bool same_pixels(const dcm_syntax *from, const dcm_syntax *to)
{
    return from == to || (!from->encapsulated && !to->encapsulated && from->codec && to->codec);
}

mtm_status dcm_write_to(mtm_writer *w, const mtm_dicom *d, const dcm_syntax *to, const char *uid_root,
                        const dcm_new_pixels *pixels, dcm_watch *watch, mtm_error *err)
{
    dcm_part10 p = {.d = d, .to = to, .uid_root = uid_root, .pixels = pixels, .watch = watch};
    MTM_AUTO(dcm_out) o = NULL;

    MTM_TRY(dcm_out_new(&o, w, err));
    return dcm_part10_put(&p, o, err);
}

/* Native pixel data holds all frames that the header promises; what was cut off must not become a file that looks whole. */
static mtm_status whole_check(const mtm_dicom *d, mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, DCM_PIXELS);
    uint64_t need = 1;
    mtm_dicom_pixels p;

    if (!e || e->flags & MTM_DICOM_ENCAPSULATED || mtm_dicom_pixels_get(d, &p, NULL))
        return MTM_OK;
    if (!mtm_mul_u64((uint64_t)p.frames, (uint64_t)p.rows, &need) ||
        !mtm_mul_u64(need, (uint64_t)p.columns, &need) ||
        !mtm_mul_u64(need, (uint64_t)(p.samples * p.bits_allocated), &need))
        return mtm_fail(err, MTM_E_CORRUPT, -1, "rows, columns and frames are more than any file holds");
    if (!strcmp(p.photometric, "YBR_FULL_422"))
        need = need / 3 * 2;
    if (e->length_bytes < need / 8)
        return mtm_fail(err, MTM_E_CORRUPT, e->offset_bytes,
                        "the pixel data has %" PRIu64 " bytes, its header asks for %" PRIu64, e->length_bytes,
                        need / 8);
    return MTM_OK;
}

/* What is put into w is what `to` asks for. d's icons are native where they must be. */
static mtm_status put(mtm_writer *w, const mtm_dicom *d, const dcm_syntax *from, const dcm_syntax *to,
                      const mtm_dicom_write_options *options, mtm_error *err)
{
    MTM_TRY(whole_check(d, err));
    if (same_pixels(from, to) || !has_pixels(d))
        return dcm_write_to(w, d, to, options->uid_root, NULL, NULL, err);
    return dcm_transcode(w, d, from, to, options, err);
}

mtm_status dcm_write(mtm_writer *w, const mtm_dicom *d, const mtm_dicom_write_options *options,
                     mtm_error *err)
{
    MTM_AUTO(mtm_dicom) plain = NULL;
    const dcm_syntax *from, *to;

    MTM_TRY(syntax_of(&from, d->transfer_syntax, err));
    MTM_TRY(syntax_of(&to, options->transfer_syntax ? options->transfer_syntax : d->transfer_syntax, err));
    if (d->pixels_left_out)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the data set was opened without its pixel data, and would lose it");
    if (from != to && dcm_has_compressed_icon(d))
        MTM_TRY(dcm_icons_decode(&plain, d, from, options, err));
    return put(w, plain ? plain : d, from, to, options, err);
}

mtm_status mtm_dicom_write(const char *path, const mtm_dicom *d, const mtm_dicom_write_options *opt,
                           mtm_error *err)
{
    static const mtm_dicom_write_options standard = {.struct_size = sizeof standard};
    const mtm_dicom_write_options *const options = opt ? opt : &standard;
    MTM_AUTO(mtm_writer) w = NULL;
    mtm_status s;

    if (options->struct_size != sizeof *options)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_write_options is of another version");
    s = mtm_writer_open(&w, path, err);
    if (s == MTM_OK)
        s = dcm_write(w, d, options, err);
    if (s == MTM_OK)
        s = mtm_writer_commit(w, err);
    return mtm_error_where(err, s, path);
}
