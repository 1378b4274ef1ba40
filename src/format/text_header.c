/* format/text_header.c: what NRRD and MetaImage share: lines, numbers, data files, and the picture made of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "text_header.h"

#include <math.h>

#include "base/text.h"

enum { HEADER_MOST = 1 << 20 };

/* ---- lines --------------------------------------------------------------------------------------------- */

mtm_status mtm_lines_open(mtm_lines *l, const mtm_probe *p, mtm_error *err)
{
    const uint64_t size = mtm_source_size(p->source), most = HEADER_MOST;
    uint8_t *bytes;

    if (p->gzip)
        return mtm_fail(err, MTM_E_UNSUPPORTED, 0, "a text header inside gzip is not read");
    l->n = (size_t)(size < most ? size : most);
    MTM_TRY(mtm_probe_header(&bytes, p, l->n, err));
    l->text = (char *)bytes, l->at = 0;
    return MTM_OK;
}

void mtm_lines_close(mtm_lines *l)
{
    mtm_free(l->text);
    l->text = NULL;
}

static char *trimmed(char *s)
{
    size_t n;

    while (*s == ' ' || *s == '\t')
        s++;
    for (n = strlen(s); n > 0 && strchr(" \t\r", s[n - 1]); n--)
        s[n - 1] = '\0';
    return s;
}

bool mtm_lines_next(mtm_lines *l, const char *separators, mtm_line *out)
{
    char *const begin = l->text + l->at;
    char *const end = memchr(begin, '\n', l->n - l->at);
    char *value;

    if (!end)
        return false;
    *end = '\0';
    *out = (mtm_line){.key = begin, .at = (int64_t)l->at};
    l->at = (size_t)(end - l->text) + 1;
    value = strpbrk(begin, separators);
    if (value) {
        *value++ = '\0';
        out->value = trimmed(value + (*value == '=')); /* NRRD's ":=" too */
    }
    out->key = trimmed(begin);
    return true;
}

static mtm_status not_numbers(const mtm_line *line, int n, mtm_error *err)
{
    return mtm_fail(err, MTM_E_CORRUPT, line->at, "%s does not have %d numbers", line->key, n);
}

mtm_status mtm_line_integers(const mtm_line *line, int64_t *out, int n, mtm_error *err)
{
    const char *s = line->value ? line->value : "";
    size_t used;

    for (int i = 0; i < n; i++, s += used)
        if (!mtm_text_i64(s, strlen(s), &out[i], &used))
            return not_numbers(line, n, err);
    return *s ? not_numbers(line, n, err) : MTM_OK;
}

mtm_status mtm_line_reals(const mtm_line *line, double *out, int n, mtm_error *err)
{
    const char *s = line->value ? line->value : "";
    size_t used;

    for (int i = 0; i < n; i++, s += used)
        if (!mtm_text_f64(s, strlen(s), &out[i], &used) || !isfinite(out[i]))
            return not_numbers(line, n, err);
    return *s ? not_numbers(line, n, err) : MTM_OK;
}

mtm_status mtm_source_beside(mtm_source **out, const mtm_probe *p, const char *name, int64_t at,
                             mtm_error *err)
{
    const char *const slash = strrchr(p->path, '/');
    const size_t folder = slash ? (size_t)(slash - p->path) + 1 : 0;
    MTM_AUTO_MEM char *path = NULL;

    if (!*name || strchr(name, '/') || strchr(name, '\\') || !strcmp(name, "..") || !strcmp(name, "."))
        return mtm_fail(err, MTM_E_UNSUPPORTED, at, "the data file must lie in the same folder: %s", name);
    if (mtm_source_in_memory(p->source))
        return mtm_fail(err, MTM_E_UNSUPPORTED, at, "a picture in memory cannot have a data file");
    path = mtm_alloc(folder + strlen(name) + 1);
    if (!path)
        return MTM_NOMEM(err);
    memcpy(path, p->path, folder);
    strcpy(path + folder, name);
    return mtm_source_open(out, path, err);
}

/* ---- the picture --------------------------------------------------------------------------------------- */

static void layout(mtm_volume *v, const mtm_text_picture *t)
{
    mtm_image_info *const info = &v->base.info;

    info->format = t->format;
    info->ndim = t->ndim;
    info->stored_dtype = info->dtype = t->dtype;
    for (int i = 0; i < t->ndim; i++) {
        const int from = t->ndim - 1 - i;

        info->axes[i] = t->letter[from];
        info->shape[i] = t->size[from];
        info->spacing[i] = t->spacing[from];
    }
    info->has_affine = t->has_affine;
    memcpy(info->affine, t->affine, sizeof info->affine);
    v->big_endian = t->big_endian;
    mtm_volume_c_order(v);
}

mtm_status mtm_text_image(mtm_image **out, mtm_source **data, const mtm_text_picture *t, const mtm_probe *p,
                          mtm_error *err)
{
    MTM_AUTO(mtm_volume) v = NULL;
    mtm_open_options options = {.struct_size = sizeof options, .limits = &p->limits};
    const uint64_t size = mtm_source_size(*data);
    const bool own = *data == p->source;
    uint64_t bytes, at = (uint64_t)t->data_at;

    for (int i = 0; i < t->ndim; i++)
        if (t->size[i] < 1)
            return mtm_fail(err, MTM_E_CORRUPT, t->sizes_at, "an axis has %" PRId64 " voxels", t->size[i]);
    if (own && p->options) /* an index entry is about one file */
        options.index = p->options->index;
    MTM_TRY(
        mtm_extent_bytes(&bytes, t->ndim, t->size, mtm_dtype_size(t->dtype), INT64_MAX, "the image", err));
    if (t->data_at < 0)
        at = bytes < size ? size - bytes : 0;
    MTM_TRY(mtm_volume_new(&v, *data, t->packing, &options, err));
    *data = NULL;
    if (at > size)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)size,
                        "the voxels at byte %" PRIu64 " lie beyond the file", at);
    v->packed_at = t->packing == MTM_PACKING_NONE ? 0 : at;
    v->offset_bytes = t->packing == MTM_PACKING_NONE ? at : 0;
    layout(v, t);
    MTM_TRY(mtm_volume_finish(v, err));
    *out = &mtm_volume_steal(&v)->base;
    return MTM_OK;
}
