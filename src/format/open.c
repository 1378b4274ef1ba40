/* format/open.c: finds the format of a file by its contents and opens it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "format.h"

/* The bare voxels of a pair may begin like gzip by chance (1f 8b). */
static bool named_raw(const char *path)
{
    const size_t n = strlen(path);

    return n >= 4 && !strcasecmp(path + n - 4, ".img");
}

static mtm_status probe_fill(mtm_probe *p, mtm_source *source, const mtm_open_options *opt, mtm_error *err)
{
    mtm_status s;
    uint8_t magic[2] = {0};
    const size_t n = mtm_source_size(source) < sizeof magic ? 0 : sizeof magic;

    *p = (mtm_probe){.path = mtm_source_path(source), .source = source, .options = opt};
    p->limits = opt && opt->limits ? *opt->limits : mtm_limits_default();
    if (mtm_source_size(source) == 0)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "the file is empty");
    MTM_TRY(mtm_source_read(source, 0, magic, n, err));
    p->gzip = mtm_gzip_detect(magic, n);
    s = mtm_volume_head(source, p->gzip, p->head, sizeof p->head, &p->head_bytes, err);
    if (s != MTM_E_CORRUPT || !p->gzip || !named_raw(p->path))
        return s;
    p->gzip = false;
    memset(p->head, 0, sizeof p->head);
    return mtm_volume_head(source, false, p->head, sizeof p->head, &p->head_bytes, err);
}

mtm_status mtm_probe_open(mtm_probe *out, const char *path, const mtm_open_options *opt, mtm_error *err)
{
    mtm_source *source;
    mtm_status s;

    MTM_TRY(mtm_source_open(&source, path, err));
    s = probe_fill(out, source, opt, err);
    if (s != MTM_OK) {
        mtm_error_where(err, s, path);
        mtm_source_close(source);
    }
    return s;
}

mtm_status mtm_probe_header(uint8_t **out, const mtm_probe *p, uint64_t want, mtm_error *err)
{
    MTM_AUTO_MEM uint8_t *bytes = NULL;
    size_t got;

    if (want > p->limits.max_header_bytes)
        return mtm_fail(err, MTM_E_LIMIT, -1,
                        "a header of %" PRIu64 " bytes is larger than the limit of %" PRIu64, want,
                        p->limits.max_header_bytes);
    if (!p->gzip && want > mtm_source_size(p->source))
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)mtm_source_size(p->source),
                        "a header of %" PRIu64 " bytes is announced, the file has %" PRIu64, want,
                        mtm_source_size(p->source));
    bytes = mtm_alloc((size_t)want);
    if (!bytes)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_volume_head(p->source, p->gzip, bytes, (size_t)want, &got, err));
    if (got < want)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)got, "the header of %" PRIu64 " bytes ends after %zu",
                        want, got);
    *out = bytes, bytes = NULL;
    return MTM_OK;
}

static mtm_status open_probed(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    for (const mtm_format *const *f = mtm_format_table(); *f; f++)
        if ((*f)->detect(p))
            return (*f)->open(out, p, err);
    if (p->head_bytes < 4)
        return mtm_fail(err, MTM_E_UNSUPPORTED, 0, "no known image format: only %zu bytes", p->head_bytes);
    return mtm_fail(err, MTM_E_UNSUPPORTED, 0, "no known image format: it begins with %02x %02x %02x %02x",
                    p->head[0], p->head[1], p->head[2], p->head[3]);
}

/* Takes the source. */
static mtm_status open_source(mtm_image **out, mtm_source *source, const mtm_open_options *opt,
                              mtm_error *err)
{
    mtm_probe p;
    mtm_status s = probe_fill(&p, source, opt, err);

    if (s == MTM_OK)
        s = open_probed(out, &p, err);
    mtm_source_close(p.source);
    return s;
}

static mtm_status check_options(const mtm_open_options *opt, mtm_error *err)
{
    return !opt || opt->struct_size == sizeof *opt
               ? MTM_OK
               : mtm_fail(err, MTM_E_INVAL, -1, "mtm_open_options has %u bytes instead of %zu",
                          (unsigned)opt->struct_size, sizeof *opt);
}

mtm_status mtm_image_open_source(mtm_image **out, mtm_source *source, const mtm_open_options *opt,
                                 mtm_error *err)
{
    MTM_AUTO_MEM char *path =
        mtm_strdup(mtm_source_path(source)); /* the source may be gone when it is needed */

    const mtm_status s = path ? check_options(opt, err) : MTM_NOMEM(err);

    if (s == MTM_OK)
        return mtm_error_where(err, open_source(out, source, opt, err), path);
    mtm_source_close(source);
    return s;
}

mtm_status mtm_image_open_files(mtm_image **out, const char *const *paths, int64_t n,
                                const mtm_open_options *opt, mtm_error *err)
{
    MTM_TRY(check_options(opt, err));
    if (n < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "no file is given");
    for (const mtm_format *const *f = mtm_format_table(); *f; f++)
        if ((*f)->open_files)
            return (*f)->open_files(out, paths, n, opt, err);
    return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "no format reads a picture from several files");
}

static bool is_folder(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

mtm_status mtm_image_open(mtm_image **out, const char *uri, const mtm_open_options *opt, mtm_error *err)
{
    mtm_source *source;

    if (is_folder(uri))
        return mtm_error_where(err, mtm_image_open_files(out, &uri, 1, opt, err), uri);
    MTM_TRY(mtm_source_open(&source, uri, err));
    return mtm_image_open_source(out, source, opt, err);
}
