/* format/nifti.c: opens NIfTI-1, NIfTI-2 and Analyze 7.5: .nii, .nii.gz, and .hdr/.img pairs, each plain or gzip.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "base/reader.h"
#include "format.h"
#include "nifti.h"

static const char axis_letters[] = "XYZTCUV"; /* dim[1] … dim[7] */
enum { MAX_LISTED_EXTENSIONS = 64 };

/* ---- checks -------------------------------------------------------------------------------------------- */

static mtm_status dims_check(const nifti_header *h, mtm_error *err)
{
    if (h->dim[0] < 1 || h->dim[0] > 7)
        return mtm_fail(err, MTM_E_CORRUPT, NIFTI_AT(h, dim, 0),
                        "the number of dimensions is %" PRId64 ", not 1 to 7", h->dim[0]);
    for (int i = 1; i <= h->dim[0]; i++)
        if (h->dim[i] < 1)
            return mtm_fail(err, MTM_E_CORRUPT, NIFTI_AT(h, dim, i), "dimension %d is %" PRId64, i,
                            h->dim[i]);
    return MTM_OK;
}

static mtm_status type_check(const nifti_type **out, const nifti_header *h, mtm_error *err)
{
    const nifti_type *const t = nifti_type_find(h->datatype);

    if (!t)
        return mtm_fail(err, MTM_E_UNSUPPORTED, NIFTI_AT(h, datatype, 0), "datatype %" PRId64 " is not known",
                        h->datatype);
    if (t->dtype == MTM_NONE)
        return mtm_fail(err, MTM_E_UNSUPPORTED, NIFTI_AT(h, datatype, 0), "datatype %s is not read", t->name);
    if (h->bitpix != 0 && h->bitpix != t->bitpix)
        return mtm_fail(err, MTM_E_CORRUPT, NIFTI_AT(h, bitpix, 0),
                        "bitpix is %" PRId64 ", but datatype %s has %d bits", h->bitpix, t->name, t->bitpix);
    *out = t;
    return MTM_OK;
}

/* Where the voxels begin. 0 in a single file means "right behind the header". */
static mtm_status offset_check(const nifti_header *h, uint64_t *out, mtm_error *err)
{
    const int64_t at = NIFTI_AT(h, vox_offset, 0);
    const double offset = h->vox_offset, least = (double)nifti_header_bytes(h) + 4;

    if (!(offset >= 0) || offset > 9.0e18 || offset != floor(offset))
        return mtm_fail(err, MTM_E_CORRUPT, at, "vox_offset is %g, not a place in a file", offset);
    if (!h->pair && offset != 0 && offset < least)
        return mtm_fail(err, MTM_E_CORRUPT, at, "voxel data at byte %g lie inside the header of %g bytes",
                        offset, least);
    *out = !h->pair && offset == 0 ? (uint64_t)least : (uint64_t)offset;
    return MTM_OK;
}

static mtm_status size_word_check(const nifti_header *h, const uint8_t *head, mtm_error *err)
{
    const int64_t want = nifti_header_bytes(h);
    int64_t got = 0;

    for (int i = 0; i < 4; i++)
        got |= (int64_t)head[h->big_endian ? 3 - i : i] << (8 * i);
    if (got != want)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "the header says it has %" PRId64 " bytes instead of %" PRId64,
                        got, want);
    return MTM_OK;
}

/* ---- the picture --------------------------------------------------------------------------------------- */

/* Axes and shape: dim[n] … dim[1], channels of one voxel last. */
static mtm_status axes_set(mtm_volume *v, const nifti_header *h, const nifti_type *t, mtm_error *err)
{
    mtm_image_info *const info = &v->base.info;
    int n = (int)h->dim[0];

    while (t->channels > 1 && n > 4 && h->dim[n] == 1)
        n--; /* "C" is the voxel's own axis here */
    if (t->channels > 1 && n > 4)
        return mtm_fail(err, MTM_E_UNSUPPORTED, NIFTI_AT(h, dim, 0), "%s with %d dimensions is not read",
                        t->name, n);
    for (int i = 0; i < n; i++) {
        info->axes[i] = axis_letters[n - 1 - i];
        info->shape[i] = h->dim[n - i];
    }
    if (t->channels > 1) {
        info->axes[n] = 'C';
        info->shape[n++] = t->channels;
    }
    info->ndim = n;
    info->stored_dtype = t->dtype;
    mtm_volume_c_order(v);
    return MTM_OK;
}

static mtm_status values_set(mtm_volume *v, const nifti_header *h, const nifti_type *t, mtm_error *err)
{
    mtm_image_info *const info = &v->base.info;
    bool scaled;

    info->dtype = info->stored_dtype;
    MTM_TRY(nifti_scaling(h, &info->slope, &info->inter, &scaled, err));
    if (scaled && t->channels > 1 && !t->complex) {
        info->slope = 1, info->inter = 0;
        return mtm_image_add_problem(&v->base, err, "the slope of a colour image is ignored");
    }
    if (scaled && t->complex && info->inter != 0)
        return mtm_fail(err, MTM_E_UNSUPPORTED, NIFTI_AT(h, scl_inter, 0),
                        "complex voxels with an intercept are not read");
    if (scaled)
        info->dtype = MTM_F32;
    return MTM_OK;
}

/* Seconds per unit of dim[4]; nifti1.h NIFTI_UNITS_*. */
static double time_unit(int64_t xyzt_units)
{
    switch (xyzt_units & 0x38) {
    case 16: return 1e-3;
    case 24: return 1e-6;
    default: return 1;
    }
}

static mtm_status units_check(mtm_image *im, const nifti_header *h, mtm_error *err)
{
    const int64_t space = h->xyzt_units & 7;

    if (space == 1 || space == 3)
        return mtm_image_add_problem(im, err,
                                     "lengths are in %s; the affine is given as it is stored, not in mm",
                                     space == 1 ? "metres" : "micrometres");
    return MTM_OK;
}

static mtm_status geometry_set(mtm_volume *v, const nifti_header *h, mtm_error *err)
{
    mtm_image_info *const info = &v->base.info;
    const char *problem;
    bool disagrees = false;

    MTM_TRY(nifti_affine(h, info->affine, &problem, err));
    info->has_affine = true;
    if (problem)
        MTM_TRY(mtm_image_add_problem(&v->base, err, "%s", problem));
    for (int32_t i = 0; i < info->ndim; i++) {
        const double *const a = info->affine;
        const char *const letter = memchr(axis_letters, info->axes[i], 3);
        const int k = letter ? (int)(letter - axis_letters) : 0;

        info->spacing[i] = 1;
        if (info->axes[i] == 'T')
            info->spacing[i] = h->pixdim[4] * time_unit(h->xyzt_units);
        if (!letter)
            continue;
        info->spacing[i] = sqrt(a[k] * a[k] + a[4 + k] * a[4 + k] + a[8 + k] * a[8 + k]);
        if (!(fabs(info->spacing[i] - fabs(h->pixdim[k + 1])) <= 1e-3 * info->spacing[i]))
            disagrees = true;
    }
    if (disagrees)
        MTM_TRY(mtm_image_add_problem(&v->base, err,
                                      "pixdim (%g, %g, %g) disagrees with the affine's voxel size",
                                      h->pixdim[1], h->pixdim[2], h->pixdim[3]));
    return units_check(&v->base, h, err);
}

/* ---- properties ---------------------------------------------------------------------------------------- */

typedef struct listed {
    const char *key;
    uint16_t member;
    char kind; /* i: int64_t, d: double, s: text */
    int8_t count;
} listed;

#define LISTED(name, kind, count) {"nifti." #name, offsetof(nifti_header, name), kind, count}
static const listed listed_fields[] = {
    LISTED(descrip, 's', 1),     LISTED(aux_file, 's', 1),
    LISTED(datatype, 'i', 1),    LISTED(dim, 'i', 8),
    LISTED(pixdim, 'd', 8),      LISTED(qform_code, 'i', 1),
    LISTED(sform_code, 'i', 1),  LISTED(quatern, 'd', 3),
    LISTED(qoffset, 'd', 3),     LISTED(xyzt_units, 'i', 1),
    LISTED(scl_slope, 'd', 1),   LISTED(scl_inter, 'd', 1),
    LISTED(cal_min, 'd', 1),     LISTED(cal_max, 'd', 1),
    LISTED(intent_code, 'i', 1), LISTED(intent_name, 's', 1),
    LISTED(intent_p, 'd', 3),    LISTED(dim_info, 'i', 1),
    LISTED(slice_code, 'i', 1),  LISTED(slice_start, 'i', 1),
    LISTED(slice_end, 'i', 1),   LISTED(slice_duration, 'd', 1),
    LISTED(toffset, 'd', 1),
};
#undef LISTED

static mtm_status properties_set(mtm_image *im, const nifti_header *h, mtm_error *err)
{
    const uint8_t *const base = (const uint8_t *)h;

    for (size_t k = 0; k < sizeof listed_fields / sizeof *listed_fields; k++) {
        const listed *const f = &listed_fields[k];
        char text[256] = "";
        size_t n = 0;

        for (int i = 0; i < f->count && f->kind != 's' && n < sizeof text; i++) {
            const char *const gap = i ? " " : "";

            if (f->kind == 'i')
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%" PRId64, gap,
                                      ((const int64_t *)(base + f->member))[i]);
            else
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%.9g", gap,
                                      ((const double *)(base + f->member))[i]);
        }
        MTM_TRY(mtm_image_add_property(im, err, f->key, "%s",
                                       f->kind == 's' ? (const char *)(base + f->member) : text));
    }
    return mtm_image_add_property(im, err, "nifti.byte_order", "%s", h->big_endian ? "big" : "little");
}

/* ---- extensions ---------------------------------------------------------------------------------------- */

/* Lists the extensions between header and `end`, and keeps header and extensions for writing "like" this image. Those
 * behind a damaged one cannot be found; that is a problem, not an error. Numbers are kept in this machine's order. */
static mtm_status extensions_set(mtm_image *im, const nifti_header *h, const uint8_t *bytes, uint64_t end,
                                 mtm_error *err)
{
    const uint64_t begin = (uint64_t)nifti_header_bytes(h) + 4;
    const uint64_t room = end > begin && bytes[begin - 4] ? end - begin : 0;
    mtm_reader r = mtm_reader_over(room ? bytes + begin : bytes, (size_t)room, (int64_t)begin);
    int n = 0;

    im->kept = mtm_alloc(sizeof *h + (size_t)room);
    if (!im->kept)
        return MTM_NOMEM(err);
    memcpy(im->kept, h, sizeof *h);
    im->kept_bytes = sizeof *h;
    r.big_endian = h->big_endian;
    while (mtm_reader_left(&r) >= 8) {
        const int64_t at = mtm_reader_offset(&r);
        int32_t head[2]; /* esize, which counts these eight bytes too, and ecode */

        MTM_TRY(mtm_read_i32(&r, &head[0], err));
        MTM_TRY(mtm_read_i32(&r, &head[1], err));
        if (head[0] < 8 || (size_t)head[0] - 8 > mtm_reader_left(&r))
            return mtm_image_add_problem(im, err, "the header extension at byte %" PRId64 " is damaged", at);
        memcpy(im->kept + im->kept_bytes, head, sizeof head);
        memcpy(im->kept + im->kept_bytes + 8, r.data + r.at, (size_t)head[0] - 8);
        im->kept_bytes += (size_t)head[0];
        MTM_TRY(mtm_read_skip(&r, (size_t)head[0] - 8, err));
        if (n++ < MAX_LISTED_EXTENSIONS)
            MTM_TRY(mtm_image_add_property(im, err, "nifti.extension", "code %d, %d bytes", head[1],
                                           head[0] - 8));
    }
    return MTM_OK;
}

/* ---- one or two files ---------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcasecmp(s + n - m, end);
}

static bool named_like_data(const char *path)
{
    return ends_with(path, ".img") || ends_with(path, ".img.gz");
}

/* The other file of a pair: the same name but for `from` → `to` ("hdr", "img", in the case of the given name); with the
 * same compression by preference, but with the other where only that is there. */
static mtm_status partner_open(mtm_probe *out, const mtm_probe *p, const char *to, mtm_error *err)
{
    const size_t n = strlen(p->path);
    const bool gz = ends_with(p->path, ".gz");
    const size_t stem = n - (gz ? 6 : 3); /* up to and with the dot */
    const bool upper = p->path[stem] >= 'A' && p->path[stem] <= 'Z';
    MTM_AUTO_MEM char *path = mtm_alloc(n + 4);
    mtm_status s = MTM_E_NOTFOUND;

    if (!path)
        return MTM_NOMEM(err);
    for (int i = 0; i < 2 && s == MTM_E_NOTFOUND; i++) {
        memcpy(path, p->path, stem);
        for (int k = 0; k < 3; k++)
            path[stem + (size_t)k] = (char)(upper ? to[k] - 'a' + 'A' : to[k]);
        strcpy(path + stem + 3, gz == (i == 0) ? (gz ? p->path + n - 3 : ".gz") : "");
        s = mtm_probe_open(out, path, p->options, err);
    }
    if (s == MTM_E_NOTFOUND)
        return mtm_fail(err, s, -1, "the other file of the pair, .%s or .%s.gz, does not exist", to, to);
    return s;
}

/* ---- opening ------------------------------------------------------------------------------------------- */

/* Fills a volume over `data` from the header's bytes ([0, end): header and extensions). */
static mtm_status volume_fill(mtm_volume *v, const nifti_header *h, const nifti_type *t, uint64_t offset,
                              const uint8_t *bytes, uint64_t end, mtm_error *err)
{
    static const char *const formats[] = {"analyze", "nifti1", "nifti2"};
    const uint64_t file = mtm_source_size(v->source);
    mtm_status s;

    v->base.info.format = formats[h->version];
    v->big_endian = h->big_endian;
    v->offset_bytes = offset;
    if (!v->packing && offset > file)
        return mtm_fail(err, MTM_E_CORRUPT, NIFTI_AT(h, vox_offset, 0),
                        "voxel data at byte %" PRIu64 " lie beyond the file of %" PRIu64 " bytes", offset,
                        file);
    MTM_TRY(axes_set(v, h, t, err));
    s = mtm_volume_finish(v, err);
    if (s != MTM_OK) {
        if (err && err->offset < 0)
            err->offset = NIFTI_AT(h, dim, 1);
        return s;
    }
    MTM_TRY(values_set(v, h, t, err));
    MTM_TRY(geometry_set(v, h, err));
    MTM_TRY(properties_set(&v->base, h, err));
    if (!h->pair && h->vox_offset == 0)
        MTM_TRY(mtm_image_add_problem(&v->base, err,
                                      "vox_offset is 0; the voxels are taken from byte %" PRIu64, offset));
    if (h->version != NIFTI_ANALYZE)
        return extensions_set(&v->base, h, bytes, end, err);
    return extensions_set(&v->base, h, bytes, 0, err);
}

/* The header with its extensions: up to the voxels in a single file, all of a .hdr. */
static mtm_status header_bytes(uint8_t **out, uint64_t *end, const mtm_probe *p, const nifti_header *h,
                               uint64_t offset, mtm_error *err)
{
    const uint64_t plain = (uint64_t)nifti_header_bytes(h);

    *end = offset;
    if (h->version == NIFTI_ANALYZE || (h->pair && p->gzip))
        *end = plain;
    else if (h->pair)
        *end = mtm_source_size(p->source);
    if (*end < plain + 4 || !(p->head_bytes > plain && p->head[plain]))
        *end = plain; /* nothing follows, or nothing is said to be an extension */
    return mtm_probe_header(out, p, *end, err);
}

/* Opens the image whose header `p` shows; `data` is where the voxels are: p itself, or the other file. */
static mtm_status nifti_open_parts(mtm_image **out, mtm_probe *p, mtm_probe *data, mtm_error *err)
{
    MTM_AUTO_MEM uint8_t *bytes = NULL;
    MTM_AUTO(mtm_volume) v = NULL;
    mtm_open_options options = {.struct_size = sizeof options, .limits = &p->limits};
    const nifti_type *t = NULL;
    nifti_header h;
    uint64_t offset = 0, end = 0;

    nifti_header_detect(&h, p->head, p->head_bytes);
    MTM_TRY(size_word_check(&h, p->head, err));
    if (p->head_bytes < (size_t)nifti_header_bytes(&h))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)p->head_bytes,
                        "the header of %" PRId64 " bytes ends after %zu", nifti_header_bytes(&h),
                        p->head_bytes);
    nifti_header_parse(&h, p->head);
    MTM_TRY(dims_check(&h, err));
    MTM_TRY(type_check(&t, &h, err));
    MTM_TRY(offset_check(&h, &offset, err));
    MTM_TRY(header_bytes(&bytes, &end, p, &h, offset, err));
    if (data == p && p->options) /* an index entry is about one file */
        options.index = p->options->index;
    MTM_TRY(mtm_volume_new(&v, data->source, data->gzip, &options, err));
    data->source = NULL;
    MTM_TRY(volume_fill(v, &h, t, offset, bytes, end, err));
    *out = &mtm_volume_steal(&v)->base;
    return MTM_OK;
}

static bool nifti_detect(const mtm_probe *p)
{
    nifti_header h;

    return nifti_header_detect(&h, p->head, p->head_bytes) || named_like_data(p->path);
}

/* A header without voxels: they are in the .img beside it. */
static mtm_status open_from_header(mtm_image **out, mtm_probe *p, const nifti_header *h, mtm_error *err)
{
    mtm_probe data;
    mtm_status s;

    if (p->head_bytes < NIFTI1_BYTES)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)p->head_bytes, "the header of %d bytes ends after %zu",
                        NIFTI1_BYTES, p->head_bytes);
    if (!ends_with(p->path, ".hdr") && !ends_with(p->path, ".hdr.gz"))
        return h->version == NIFTI_ANALYZE
                   ? mtm_fail(err, MTM_E_CORRUPT, 344, "neither n+1 nor ni1 stands at byte 344 of the header")
                   : mtm_fail(err, MTM_E_CORRUPT, h->version == NIFTI_2 ? 4 : 344,
                              "the header says that its voxels are in another file, but is not named .hdr");
    MTM_TRY(partner_open(&data, p, "img", err));
    s = nifti_open_parts(out, p, &data, err);
    mtm_source_close(data.source);
    return s;
}

static mtm_status open_from_data(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    mtm_probe header;
    nifti_header h;
    mtm_status s;

    MTM_TRY(partner_open(&header, p, "hdr", err));
    if (nifti_header_detect(&h, header.head, header.head_bytes) && h.pair)
        s = nifti_open_parts(out, &header, p, err);
    else
        s = mtm_fail(err, MTM_E_CORRUPT, 0, "the .hdr beside it is no NIfTI or Analyze header of a pair");
    mtm_source_close(header.source);
    return s;
}

static mtm_status nifti_open(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    nifti_header h;
    const bool header = nifti_header_detect(&h, p->head, p->head_bytes);

    if (header && !h.pair)
        return nifti_open_parts(out, p, p, err);
    /* An .img may begin like an Analyze header by chance; a file named .img with ni1 is no header either. */
    if (named_like_data(p->path))
        return open_from_data(out, p, err);
    return open_from_header(out, p, &h, err);
}

const mtm_format mtm_format_nifti = {.name = "nifti", .detect = nifti_detect, .open = nifti_open};
