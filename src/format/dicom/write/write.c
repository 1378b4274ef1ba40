/* format/dicom/write/write.c: data sets as Part 10 files, written beside their destination and renamed. Pixels that the wanted
 * syntax stores otherwise go through transcode.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "part10.h"

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

static mtm_status write_to(mtm_writer *w, const mtm_dicom *d, const dcm_syntax *to, const dcm_new_pixels *pixels,
                        const char *uid_root, mtm_error *err)
{
    dcm_part10 p = {.d = d, .to = to, .uid_root = uid_root, .pixels = pixels};
    MTM_AUTO(dcm_out) o = NULL;

    MTM_TRY(dcm_out_new(&o, w, err));
    return dcm_part10_put(&p, o, err);
}

mtm_status mtm_dicom_write(const char *path, const mtm_dicom *d, const mtm_dicom_write_options *opt,
                           mtm_error *err)
{
    static const mtm_dicom_write_options standard = {.struct_size = sizeof standard};
    const mtm_dicom_write_options *const options = opt ? opt : &standard;
    MTM_AUTO(mtm_writer) w = NULL;
    const dcm_syntax *from, *to;
    mtm_status s;

    if (options->struct_size != sizeof *options)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_write_options is of another version");
    MTM_TRY(syntax_of(&from, d->transfer_syntax, err));
    MTM_TRY(syntax_of(&to, options->transfer_syntax ? options->transfer_syntax : d->transfer_syntax, err));
    if (d->pixels_left_out)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the data set was opened without its pixel data, and would lose it");
    s = mtm_writer_open(&w, path, err);
    if (s == MTM_OK && (same_pixels(from, to) || !has_pixels(d)))
        s = write_to(w, d, to, NULL, options->uid_root, err);
    else if (s == MTM_OK)
        s = mtm_fail(err, MTM_E_UNSUPPORTED, -1, "pixels are not brought from %s to %s by this version", from->keyword,
                     to->keyword);
    if (s == MTM_OK)
        s = mtm_writer_commit(w, err);
    return mtm_error_where(err, s, path);
}
