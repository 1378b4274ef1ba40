/* format/dicom/volume/scan.c: reads the headers of many files side by side, keeps of each what a listing shows, and puts them in
 * order: patient, study, series, instance. listing.c holds what comes after the reading.
 * SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

#include "base/pool.h"
#include "format/dicom/volume/scan.h"

enum { PIECE = 64 /* files that one thread reads in one go, into one arena */ };

static const char dicomdir_class[] = "1.2.840.10008.1.3.10";

/* What is kept of a header: which element goes into which member, in the order of the tags. */
typedef struct scan_field {
    uint32_t tag;
    size_t at; /* in mtm_dicom_instance */
    enum { FIELD_CODE, FIELD_TEXT, FIELD_NUMBER } kind;
} scan_field;

#define FIELD(tag, member, kind) {tag, offsetof(mtm_dicom_instance, member), kind}
static const scan_field fields[] = {
    FIELD(0x00080008, image_type, FIELD_CODE),
    FIELD(0x00080016, sop_class, FIELD_CODE),
    FIELD(0x00080018, sop_uid, FIELD_CODE),
    FIELD(0x00080020, study_date, FIELD_CODE),
    FIELD(0x00080060, modality, FIELD_CODE),
    FIELD(0x00081030, study_description, FIELD_TEXT),
    FIELD(0x0008103E, series_description, FIELD_TEXT),
    FIELD(0x00100010, patient_name, FIELD_TEXT),
    FIELD(0x00100020, patient_id, FIELD_TEXT),
    FIELD(0x0020000D, study_uid, FIELD_CODE),
    FIELD(0x0020000E, series_uid, FIELD_CODE),
    FIELD(0x00200011, series_number, FIELD_NUMBER),
    FIELD(0x00200013, instance_number, FIELD_NUMBER),
    FIELD(0x00280008, frames, FIELD_NUMBER),
    FIELD(0x00280010, rows, FIELD_NUMBER),
    FIELD(0x00280011, columns, FIELD_NUMBER),
};
enum { N_FIELDS = sizeof fields / sizeof *fields, LAST_SYNTAX = N_FIELDS, LAST_WHY, N_LAST };

typedef struct scan {
    dcm_listing *l;
    mtm_dicom_instance *found; /* [l->files->n], path NULL: skipped */
    const char **why;          /* [l->files->n], of those */
    mtm_dicom_options open;
    const mtm_dicom_scan_options *opt;
    atomic_bool stop;
    pthread_mutex_t lock; /* guards what follows, and is held during a progress call */
    int64_t done;
    mtm_status status;
    mtm_error err;
} scan;

/* One piece of the files on one thread. */
typedef struct scan_piece {
    scan *s;
    dcm_arena *texts;
    const char *last[N_LAST]; /* texts that the file before had: neighbours share most of theirs */
} scan_piece;

/* ---- one header ----------------------------------------------------------------------------------------- */

static const char *keep(scan_piece *p, int slot, const char *text, size_t n)
{
    const char *const last = p->last[slot];

    if (n == 0)
        return "";
    if (last && !strncmp(last, text, n) && !last[n])
        return last;
    char *const s = dcm_arena_get(p->texts, n + 1);
    if (!s)
        return NULL;
    memcpy(s, text, n);
    s[n] = '\0';
    p->last[slot] = s;
    return s;
}

/* Printable ASCII means itself in every character set but for the tilde, which JIS X 0201 replaces. */
static bool is_plain(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] > 0x7D)
            return false;
    return true;
}

static mtm_status keep_text(scan_piece *p, int slot, const mtm_dicom *d, const mtm_dicom_element *e,
                            const char **out, mtm_error *err)
{
    const char *const value = (const char *)e->value;
    size_t n = value ? (size_t)e->length_bytes : 0;
    char *utf8 = NULL;

    while (n > 0 && (value[n - 1] == ' ' || value[n - 1] == '\0'))
        n--;
    if (fields[slot].kind == FIELD_CODE || is_plain(e->value, n)) {
        *out = keep(p, slot, value, n);
    } else {
        MTM_TRY(mtm_dicom_text(&utf8, d, e, err));
        *out = keep(p, slot, utf8, strlen(utf8));
        mtm_dicom_free(utf8);
    }
    return *out ? MTM_OK : MTM_NOMEM(err);
}

static int by_tag(const void *tag, const void *field)
{
    const uint32_t a = *(const uint32_t *)tag, b = ((const scan_field *)field)->tag;

    return (a > b) - (a < b);
}

static mtm_status take_header(scan_piece *p, const mtm_dicom *d, mtm_dicom_instance *x, mtm_error *err)
{
    for (int32_t i = 0; i < d->n; i = dcm_next(d, i)) {
        const mtm_dicom_element *const e = &d->elements[i];
        const scan_field *const f = bsearch(&e->tag, fields, N_FIELDS, sizeof *fields, by_tag);
        void *const member = f ? (char *)x + f->at : NULL;

        if (!f || (e->flags & (MTM_DICOM_SEQUENCE | MTM_DICOM_BULK)))
            continue;
        if (f->kind == FIELD_NUMBER)
            mtm_dicom_i64(d, e, 0, member);
        else
            MTM_TRY(keep_text(p, (int)(f - fields), d, e, member, err));
    }
    x->transfer_syntax = keep(p, LAST_SYNTAX, d->transfer_syntax, strlen(d->transfer_syntax));
    x->file_bytes = (int64_t)d->file_bytes;
    x->has_pixels = d->pixels_left_out;
    return x->transfer_syntax ? MTM_OK : MTM_NOMEM(err);
}

static const mtm_dicom_instance empty_instance = {
    .path = "",
    .patient_id = "",
    .patient_name = "",
    .study_uid = "",
    .study_date = "",
    .study_description = "",
    .series_uid = "",
    .series_description = "",
    .modality = "",
    .sop_uid = "",
    .sop_class = "",
    .transfer_syntax = "",
    .image_type = "",
    .series_number = -1,
    .instance_number = -1,
    .rows = -1,
    .columns = -1,
    .frames = -1,
};

/* A directory of a medium (PS3.10 8) lists files that lie beside it, which the scan finds by itself. */
static bool is_dicomdir(const mtm_dicom *d, const mtm_dicom_instance *x)
{
    char meta_class[68];

    if (x->sop_class[0])
        return !strcmp(x->sop_class, dicomdir_class);
    return dcm_ascii(d, NULL, 0x00020002, meta_class, sizeof meta_class) &&
           !strcmp(meta_class, dicomdir_class);
}

/* Whether the failure is that of one file, which is then left out. */
static bool is_the_files(mtm_status st)
{
    return st != MTM_OK && st != MTM_E_NOMEM;
}

static mtm_status scan_file(scan_piece *p, mtm_dicom **d, int64_t i, mtm_error *err)
{
    mtm_dicom_instance *const x = &p->s->found[i];
    const char *const path = p->s->l->files->paths[i];
    mtm_error e = {.offset = -1};
    char why[sizeof e.text + 32] = "";
    mtm_status st = dcm_reopen(d, path, &p->s->open, &e);

    *x = empty_instance;
    if (!st)
        st = take_header(p, *d, x, &e);
    if (st == MTM_E_NOMEM)
        return MTM_NOMEM(err);
    if (is_the_files(st) && e.offset > 0)
        snprintf(why, sizeof why, "%s (byte %" PRId64 ")", e.text, e.offset);
    else if (is_the_files(st))
        snprintf(why, sizeof why, "%s", e.text);
    else if (is_dicomdir(*d, x))
        snprintf(why, sizeof why, "is a DICOMDIR, which only lists other files");
    x->path = why[0] ? NULL : path;
    if (!why[0])
        return MTM_OK;
    p->s->why[i] = keep(p, LAST_WHY, why, strlen(why));
    return p->s->why[i] ? MTM_OK : MTM_NOMEM(err);
}

/* ---- all files ------------------------------------------------------------------------------------------ */

static bool is_cancelled(const mtm_dicom_scan_options *opt)
{
    return opt && opt->cancel && *opt->cancel;
}

static void report(scan *s, int64_t n, mtm_status st, const mtm_error *err)
{
    pthread_mutex_lock(&s->lock);
    s->done += n;
    if (st && !s->status) {
        s->status = st, s->err = *err;
        atomic_store(&s->stop, true);
    }
    if (s->opt && s->opt->progress)
        s->opt->progress(s->opt->user, s->done, s->l->files->n);
    pthread_mutex_unlock(&s->lock);
}

static void scan_some(void *arg, int64_t lo, int64_t hi)
{
    scan *const s = arg;
    scan_piece p = {.s = s, .texts = &s->l->texts[lo / PIECE]};
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_error err = {.offset = -1};
    mtm_status st = MTM_OK;

    for (int64_t i = lo; i < hi && !st; i++)
        st = is_cancelled(s->opt) ? mtm_fail(&err, MTM_E_CANCELLED, -1, "stopped on request")
                                  : scan_file(&p, &d, i, &err);
    report(s, hi - lo, st, &err);
}

static mtm_status scan_files(scan *s, mtm_error *err)
{
    const int64_t n = s->l->files->n;
    mtm_pool *const pool = s->opt ? s->opt->pool : NULL;

    s->found = mtm_alloc_zero((size_t)n, sizeof *s->found);
    s->why = mtm_alloc_zero((size_t)n, sizeof *s->why);
    s->l->n_texts = (n + PIECE - 1) / PIECE;
    s->l->texts = mtm_alloc_zero((size_t)s->l->n_texts, sizeof *s->l->texts);
    if (!s->found || !s->why || !s->l->texts)
        return MTM_NOMEM(err);
    const mtm_status st = mtm_pool_for(pool, n, PIECE, scan_some, s, &s->stop, err);
    if (s->status && err)
        *err = s->err;
    return s->status ? s->status : st;
}

static mtm_status scan_run(scan *s, mtm_error *err)
{
    mtm_status st;

    if (pthread_mutex_init(&s->lock, NULL))
        return MTM_NOMEM(err);
    st = scan_files(s, err);
    if (!st)
        st = dcm_listing_order(s->l, s->found, s->why, err);
    pthread_mutex_destroy(&s->lock);
    mtm_free(s->found);
    mtm_free(s->why);
    return st;
}

mtm_status mtm_dicom_scan(mtm_dicom_listing **out, const char *const *paths, int64_t n,
                          const mtm_dicom_scan_options *opt, mtm_error *err)
{
    MTM_AUTO(dcm_listing) l = NULL;
    scan s = {.opt = opt};

    if (opt && opt->struct_size != sizeof *opt)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_scan_options has %u bytes instead of %zu",
                        (unsigned)opt->struct_size, sizeof *opt);
    if (n < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "no file or folder is given");
    l = mtm_alloc_zero(1, sizeof *l);
    if (!l)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_file_list_new(&l->files, paths, n, opt ? opt->cancel : NULL, err));
    s.l = l;
    s.open = (mtm_dicom_options){
        .struct_size = sizeof s.open, .limits = opt ? opt->limits : NULL, .stop_at_pixels = true};
    atomic_init(&s.stop, false);
    MTM_TRY(scan_run(&s, err));
    *out = &dcm_listing_steal(&l)->base;
    return MTM_OK;
}
