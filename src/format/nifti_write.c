/* format/nifti_write.c: writes NIfTI-1, or NIfTI-2 where a dimension needs it, plain or as gzip.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "codec/deflate.h"
#include "nifti.h"
#include "write.h"

enum { UNITS_MM = 2, UNITS_SECONDS = 8, NIFTI1_MAX_DIM = 32767, DEFAULT_LEVEL = 6 };
/* Up to here float32, the type of vox_offset in NIfTI-1, holds every integer. */
static const size_t NIFTI1_MAX_OFFSET = (size_t)1 << 24;

/* What other types are stored as without loss. */
static mtm_dtype stored_as(mtm_dtype t)
{
    return t == MTM_BOOL ? MTM_U8 : t == MTM_F16 ? MTM_F32 : t;
}

/* Fills dim and datatype, and gives the array with its axes in the file's order, slowest first. */
static mtm_status layout(nifti_header *h, mtm_array *view, const mtm_picture *p, mtm_error *err)
{
    static const char letters[] = "XYZTCUV";
    const mtm_array *const a = p->a;
    const int last = a->ndim - 1;
    const bool colour = a->ndim > 1 && p->axes[last] == 'C' && a->dtype == MTM_U8 &&
                        (a->shape[last] == 3 || a->shape[last] == 4);
    const int n = colour ? last : a->ndim;
    int from[8] = {0}; /* array axis + 1 of dim[k] */
    const nifti_type *t;

    for (int i = 0; i < n; i++) {
        const char *const letter = p->axes[i] ? strchr(letters, p->axes[i]) : NULL;
        const int k = letter ? (int)(letter - letters) + 1 : 0;

        if (k == 0 || from[k])
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "axes \"%s\" cannot be written as NIfTI", p->axes);
        if (a->shape[i] < 1)
            return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "an empty array cannot be written as NIfTI");
        from[k] = i + 1;
        h->dim[0] = k > h->dim[0] ? k : h->dim[0];
    }
    if (h->dim[0] == 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "an array without axes cannot be written as NIfTI");
    *view = *a;
    view->ndim = 0;
    for (int k = 7; k >= 1; k--) {
        h->dim[k] = from[k] ? a->shape[from[k] - 1] : 1;
        if (from[k]) {
            view->shape[view->ndim] = a->shape[from[k] - 1];
            view->stride[view->ndim++] = a->stride[from[k] - 1];
        }
    }
    if (colour) {
        view->shape[view->ndim] = a->shape[last];
        view->stride[view->ndim++] = a->stride[last];
    }
    t = nifti_type_for(stored_as(a->dtype), colour ? (int)a->shape[last] : 1);
    h->datatype = t->code, h->bitpix = t->bitpix;
    return MTM_OK;
}

/* Header fields that another NIfTI lends. *extensions: behind the header in `kept`. */
static void borrow(nifti_header *h, const mtm_image *like, const uint8_t **extensions, size_t *n)
{
    *n = 0, *extensions = NULL;
    if (!like || like->kept_bytes < sizeof *h)
        return;
    memcpy(h, like->kept, sizeof *h);
    *extensions = like->kept + sizeof *h, *n = like->kept_bytes - sizeof *h;
    if (h->sform_code < 0 || h->sform_code > 5 || h->sform_code == 0)
        h->sform_code = h->qform_code;
    if (h->sform_code < 0 || h->sform_code > 5)
        h->sform_code = 0;
    if (h->qform_code < 0 || h->qform_code > 5)
        h->qform_code = 0;
    h->cal_min = h->cal_max = 0; /* of the other's values */
    h->glmin = h->glmax = 0;
    memset(h->dim, 0, sizeof h->dim);
    memset(h->origin, 0, sizeof h->origin);
}

static mtm_status scaling(nifti_header *h, const mtm_write_options *opt, mtm_error *err)
{
    const bool none = opt->slope == 0 && opt->inter == 0;

    if (!none && (!isfinite(opt->slope) || opt->slope == 0 || !isfinite(opt->inter)))
        return mtm_fail(err, MTM_E_INVAL, -1, "slope %g and intercept %g cannot be stored", opt->slope,
                        opt->inter);
    h->scl_slope = none ? 1 : opt->slope;
    h->scl_inter = opt->inter;
    return MTM_OK;
}

/* Seconds between two T, where the image that lends its header is no NIfTI: DICOM knows them too. */
static void time_step(nifti_header *h, const mtm_image *like)
{
    const char *const t = like ? strchr(like->info.axes, 'T') : NULL;

    if (t && h->dim[0] >= 4 && !(h->pixdim[4] > 0))
        h->pixdim[4] = like->info.spacing[t - like->info.axes];
}

static mtm_status geometry(nifti_header *h, const mtm_write_options *opt, mtm_error *err)
{
    time_step(h, opt->like);
    h->pixdim[0] = 1;
    for (int i = 1; i < 8; i++)
        if (i < 4 || !(h->pixdim[i] > 0) || i > h->dim[0])
            h->pixdim[i] = i <= h->dim[0] || i < 4 ? 1 : 0;
    if (!h->xyzt_units)
        h->xyzt_units = UNITS_MM | (h->dim[0] >= 4 ? UNITS_SECONDS : 0);
    if (!opt->affine) {
        h->sform_code = h->qform_code = 0;
        return MTM_OK;
    }
    for (int i = 0; i < 16; i++)
        if (!isfinite(opt->affine[i]))
            return mtm_fail(err, MTM_E_INVAL, -1, "the affine has an element that is not a finite number");
    nifti_set_affine(h, opt->affine);
    return MTM_OK;
}

static mtm_status put(void *user, const void *data, size_t n, mtm_error *err)
{
    return mtm_writer_put(user, data, n, err);
}

/* head: header and extensions. Compressed, everything has to lie in one piece. */
static mtm_status stream(mtm_writer *w, const mtm_picture *p, const uint8_t *head, size_t head_bytes,
                         const mtm_array *view, mtm_error *err)
{
    const int level = p->options->level ? p->options->level : DEFAULT_LEVEL;
    mtm_array a;
    size_t bytes;
    mtm_status s;

    MTM_TRY(mtm_c_order(&a, view, stored_as(view->dtype), p->gzip ? head_bytes : 0, err));
    bytes = (size_t)mtm_array_count(&a) * mtm_dtype_size(a.dtype);
    if (p->gzip) {
        uint8_t *const all = (uint8_t *)a.data - head_bytes;

        memcpy(all, head, head_bytes);
        s = mtm_gzip_deflate(all, head_bytes + bytes, level, put, w, err);
    } else {
        s = mtm_writer_put(w, head, head_bytes, err);
        if (s == MTM_OK)
            s = mtm_writer_put(w, a.data, bytes, err);
    }
    mtm_array_drop(&a);
    return s;
}

mtm_status mtm_nifti_write(mtm_writer *w, const mtm_picture *p, mtm_error *err)
{
    nifti_header h = {0};
    MTM_AUTO_MEM uint8_t *head = NULL;
    const uint8_t *extensions;
    size_t n_extensions, n;
    mtm_array view;

    borrow(&h, p->options->like, &extensions, &n_extensions);
    h.version = NIFTI_1, h.pair = false, h.big_endian = false;
    MTM_TRY(layout(&h, &view, p, err));
    MTM_TRY(scaling(&h, p->options, err));
    MTM_TRY(geometry(&h, p->options, err));
    for (int i = 1; i <= 7; i++)
        if (h.dim[i] > NIFTI1_MAX_DIM)
            h.version = NIFTI_2;
    if (NIFTI1_BYTES + 4 + n_extensions > NIFTI1_MAX_OFFSET)
        h.version = NIFTI_2;
    n = (size_t)nifti_header_bytes(&h);
    h.vox_offset = (double)(n + 4 + n_extensions);
    head = mtm_alloc_zero(1, n + 4 + n_extensions);
    if (!head)
        return MTM_NOMEM(err);
    nifti_header_store(&h, head);
    if (n_extensions > 0) {
        head[n] = 1;
        memcpy(head + n + 4, extensions, n_extensions);
    }
    return stream(w, p, head, n + 4 + n_extensions, &view, err);
}
