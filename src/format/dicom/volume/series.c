/* format/dicom/volume/series.c: from paths to images: every file's facts, side by side; then series by series, in stacks.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "format/format.h"
#include "io/folder.h"
#include "seg.h"
#include "volume.h"

enum {
    MEDIA_SOP_CLASS = 0x00020002,
    SOP_CLASS = 0x00080016,
    SERIES_UID = 0x0020000E,
    ROWS = 0x00280010,
    FILES_PER_TASK = 16
};

#define STRUCTURES_CLASS "1.2.840.10008.5.1.4.1.1.481.3"  /* RT Structure Set Storage */
#define SLIDE_CLASS      "1.2.840.10008.5.1.4.1.1.77.1.6" /* VL Whole Slide Microscopy Image Storage */

/* ---- facts of all files -------------------------------------------------------------------------------- */

/* Files of one task: their facts, in a set of their own. */
typedef struct part {
    dcm_set set;
    mtm_status status;
    mtm_error error;
} part;

typedef struct survey {
    const mtm_file_list *list;
    const bool *given; /* [n]: named by the caller, so it must hold an image */
    mtm_limits limits;
    const char *wanted; /* SeriesInstanceUID; NULL: of all files */
    part *parts;
} survey;

/* A report, a plan, the DICOMDIR may lie beside a series; an image whose pixels are gone leaves a hole in it. */
static mtm_status without_image(const mtm_dicom *d, bool given, mtm_error *err)
{
    char sop_class[68];
    const bool named = dcm_ascii(d, NULL, SOP_CLASS, sop_class, sizeof sop_class) ||
                       dcm_ascii(d, NULL, MEDIA_SOP_CLASS, sop_class, sizeof sop_class);
    const mtm_dicom_uid *const known = named ? mtm_dicom_uid_find(sop_class) : NULL;

    if (!named || mtm_dicom_find(d, NULL, ROWS) || (known && strstr(known->name, "Image Storage")))
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "the file has no pixel data: it is cut, damaged, or a header alone");
    if (!given)
        return MTM_OK;
    return mtm_fail(
        err, MTM_E_UNSUPPORTED, -1, "the file is DICOM (%s) and holds no image: %s", dcm_uid_name(sop_class),
        !strcmp(sop_class, STRUCTURES_CLASS) ? "its contours are drawn onto one by mt.dicom.read_rtstruct"
                                             : "mt.dicom.read and microtome info read its data set");
}

static bool of_series(const mtm_dicom *d, const char *wanted)
{
    char uid[68];

    return !wanted || (dcm_ascii(d, NULL, SERIES_UID, uid, sizeof uid) && !strcmp(uid, wanted));
}

static mtm_status file_survey(dcm_set *set, const survey *v, const char *path, bool given, mtm_dicom **d,
                              mtm_error *err)
{
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .limits = &v->limits};
    mtm_status s = dcm_reopen(d, path, &opt, err);
    dcm_file f = {0};
    bool image = false;

    if (s == MTM_E_UNSUPPORTED && !given) {
        set->n_skipped++;
        return MTM_OK;
    }
    if (s == MTM_OK && !of_series(*d, v->wanted)) {
        set->n_others++;
        return MTM_OK;
    }
    if (s == MTM_OK)
        s = dcm_file_read(set, &f, *d, &image, err);
    if (s == MTM_OK && !image)
        s = without_image(*d, given, err);
    if (s != MTM_OK || !image) {
        set->n_skipped += s == MTM_OK;
        return mtm_error_where(err, s, path);
    }
    f.path = mtm_strdup(path);
    if (!f.path)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < f.n; i++)
        set->slices[f.first + i].file = set->n_files;
    set->files[set->n_files++] = f;
    return MTM_OK;
}

static void files_survey(void *arg, int64_t lo, int64_t hi)
{
    survey *const v = arg;
    part *const p = &v->parts[lo / FILES_PER_TASK];
    MTM_AUTO(mtm_dicom) d = NULL;

    p->set.limits = v->limits;
    p->set.files = mtm_alloc_zero((size_t)(hi - lo), sizeof *p->set.files);
    if (!p->set.files)
        p->status = MTM_NOMEM(&p->error);
    for (int64_t i = lo; i < hi && p->status == MTM_OK; i++)
        p->status = file_survey(&p->set, v, v->list->paths[i], v->given[i], &d, &p->error);
}

/* Appends a part's files and slices; the part keeps nothing of them. */
static mtm_status take_part(dcm_set *set, dcm_set *from, mtm_error *err)
{
    int32_t first;

    set->n_skipped += from->n_skipped, set->n_others += from->n_others;
    MTM_TRY(dcm_set_grow(set, from->n_slices, &first, err));
    if (from->n_slices)
        memcpy(set->slices + first, from->slices, (size_t)from->n_slices * sizeof *set->slices);
    for (int32_t i = first; i < set->n_slices; i++)
        set->slices[i].file += set->n_files;
    for (int32_t i = 0; i < from->n_files; i++) {
        set->files[set->n_files] = from->files[i];
        set->files[set->n_files++].first += first;
    }
    from->n_files = 0;
    return MTM_OK;
}

static mtm_status run_survey(dcm_set *set, survey *v, mtm_pool *pool, mtm_error *err)
{
    const int64_t n = v->list->n, n_parts = (n + FILES_PER_TASK - 1) / FILES_PER_TASK;
    mtm_status s;

    v->parts = mtm_alloc_zero((size_t)n_parts, sizeof *v->parts);
    set->files = mtm_alloc_zero((size_t)n, sizeof *set->files);
    s = v->parts && set->files ? mtm_pool_for(pool, n, FILES_PER_TASK, files_survey, v, NULL, err)
                               : MTM_NOMEM(err);
    for (int64_t i = 0; i < n_parts && v->parts; i++) {
        part *const p = &v->parts[i];

        if (s == MTM_OK && p->status != MTM_OK) {
            s = p->status;
            if (err)
                *err = p->error;
        }
        if (s == MTM_OK)
            s = take_part(set, &p->set, err);
        dcm_set_clear(&p->set);
    }
    mtm_free(v->parts);
    return s;
}

/* Which of the listed files the caller named: the list is in the order of the paths. */
static void mark_given(bool *given, const mtm_file_list *list, const char *const *paths, int64_t n)
{
    for (int64_t i = 0, k = 0; i < list->n; i++) {
        int64_t at = k;

        while (at < n && strcmp(list->paths[i], paths[at]))
            at++;
        given[i] = at < n;
        k = at < n ? at + 1 : k;
    }
}

static mtm_status set_read(dcm_set *set, const char *const *paths, int64_t n, const mtm_limits *limits,
                           const char *wanted, mtm_pool *pool, mtm_error *err)
{
    MTM_AUTO(mtm_file_list) list = NULL;
    MTM_AUTO_MEM bool *given = NULL;

    set->limits = *limits;
    MTM_TRY(mtm_file_list_new(&list, paths, n, NULL, err));
    given = mtm_alloc_zero((size_t)list->n, sizeof *given);
    if (!given)
        return MTM_NOMEM(err);
    mark_given(given, list, paths, n);
    survey v = {.list = list, .given = given, .limits = *limits, .wanted = wanted};
    MTM_TRY(run_survey(set, &v, pool, err));
    if (!set->n_files && set->n_others)
        return mtm_fail(err, MTM_E_NOTFOUND, -1, "no image of series %s is here", wanted);
    if (!set->n_files)
        return set->n_skipped
                   ? mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                              "no DICOM image is here, but %" PRId64 " other file%s", set->n_skipped,
                              set->n_skipped == 1 ? "" : "s")
                   : mtm_fail(err, MTM_E_UNSUPPORTED, -1, "no DICOM image is here: no file at all");
    return MTM_OK;
}

/* ---- series -------------------------------------------------------------------------------------------- */

/* Files of one series after each other, instances that are there twice together. */
static int compare_files(const void *pa, const void *pb)
{
    const dcm_file *const a = *(const dcm_file *const *)pa, *const b = *(const dcm_file *const *)pb;
    const int series = strcmp(a->series_uid, b->series_uid), sop = strcmp(a->sop_uid, b->sop_uid);

    return series ? series : sop ? sop : a < b ? -1 : a > b;
}

/* Instances [lo, hi) of `order` that have the same series. */
static int32_t series_end(dcm_file *const *order, int32_t n, int32_t lo)
{
    int32_t hi = lo;

    while (hi < n && !strcmp(order[hi]->series_uid, order[lo]->series_uid))
        hi++;
    return hi;
}

static mtm_status several_series(dcm_file *const *order, int32_t n, mtm_error *err)
{
    char text[200];
    int32_t n_series = 0;
    size_t at = 0;

    for (int32_t lo = 0, hi; lo < n; lo = hi, n_series++) {
        char one[112];

        hi = series_end(order, n, lo);
        snprintf(one, sizeof one, "%s%s (%s, %d)", n_series ? ", " : "", dcm_uid_name(order[lo]->series_uid),
                 order[lo]->modality, (int)(hi - lo));
        if (at + strlen(one) < 150)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s", one);
    }
    return mtm_fail(err, MTM_E_INVAL, -1,
                    "%d series are here (microtome ls); name one (UID, modality, images): %s", (int)n_series,
                    text);
}

/* The work on one call's files. */
typedef struct opening {
    dcm_set *set;
    const mtm_dicom_series_options *opt;
    const char *where;
    mtm_dicom **only;
    mtm_image **images;
    int64_t n, room;
} opening;

static mtm_status images_grow(opening *o, mtm_error *err)
{
    if (o->n == o->room) {
        const int64_t room = 2 * o->room + 4;
        mtm_image **const grown = mtm_realloc(o->images, (size_t)room * sizeof *grown);

        if (!grown)
            return MTM_NOMEM(err);
        o->images = grown, o->room = room;
    }
    return MTM_OK;
}

static mtm_status keep_image(opening *o, const dcm_stack *stack, mtm_error *err)
{
    MTM_TRY(images_grow(o, err));
    MTM_TRY(dcm_image_new(&o->images[o->n], o->set, stack, o->where, o->only, o->opt->open, err));
    o->n++;
    return MTM_OK;
}

/* Every segmentation is an image of its own. */
static mtm_status keep_segmentations(opening *o, dcm_file *const *files, int32_t n, mtm_error *err)
{
    if (n > 1 && !o->opt->split)
        return mtm_fail(err, MTM_E_INVAL, -1, "the series holds %d segmentations; each is opened by itself",
                        (int)n);
    for (int32_t i = 0; i < n; i++) {
        MTM_TRY(images_grow(o, err));
        MTM_TRY(mtm_dicom_seg_open(&o->images[o->n], files[i]->path, NULL, o->opt->open, err));
        o->n++;
    }
    return MTM_OK;
}

/* Whether two files of one SOPInstanceUID show the same place; else one of them tells a wrong UID. */
static bool copies(const dcm_set *set, const dcm_file *a, const dcm_file *b)
{
    const dcm_slice *const x = &set->slices[a->first], *const y = &set->slices[b->first];

    return a->n == b->n && x->has == y->has && !memcmp(x->position, y->position, sizeof x->position);
}

/* The slices of files that are there once; an instance that is there twice is an error, or left out. */
static mtm_status gather(const opening *o, dcm_file *const *files, int32_t n, int32_t *slices,
                         int32_t *n_slices, mtm_error *err)
{
    for (int32_t i = 0; i < n; i++) {
        if (i && files[i]->sop_uid[0] && !strcmp(files[i]->sop_uid, files[i - 1]->sop_uid)) {
            const int32_t pair[2] = {files[i - 1]->first, files[i]->first};
            char names[150];

            if (copies(o->set, files[i - 1], files[i]) && o->opt->split)
                continue;
            dcm_names(names, sizeof names, o->set, pair, 2);
            if (!o->opt->split)
                return mtm_fail(err, MTM_E_INVAL, -1, "one instance (SOPInstanceUID) is in two files: %s",
                                names);
        }
        for (int32_t k = 0; k < files[i]->n; k++)
            slices[(*n_slices)++] = files[i]->first + k;
    }
    return MTM_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return x < y ? -1 : x > y;
}

static mtm_status series_images(opening *o, dcm_file *const *files, int32_t n, mtm_error *err)
{
    MTM_AUTO_MEM int32_t *slices = mtm_alloc((size_t)o->set->n_slices * sizeof *slices);
    dcm_stacks stacks = {0};
    int32_t n_slices = 0;

    if (!slices)
        return MTM_NOMEM(err);
    if (dcm_is_seg_class(files[0]->sop_class))
        return keep_segmentations(o, files, n, err);
    if (!strcmp(files[0]->sop_class, SLIDE_CLASS))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "a whole slide image is no volume; its frames are read one by one");
    MTM_TRY(gather(o, files, n, slices, &n_slices, err));
    qsort(slices, (size_t)n_slices, sizeof *slices, compare_numbers);
    mtm_status s = dcm_stacks_make(&stacks, o->set, slices, n_slices, o->opt->split, err);
    for (int64_t i = 0; i < stacks.n && s == MTM_OK; i++)
        s = keep_image(o, &stacks.stacks[i], err);
    dcm_stacks_clear(&stacks);
    return s;
}

static mtm_status all_series(opening *o, mtm_error *err)
{
    const int32_t n = o->set->n_files;
    MTM_AUTO_MEM dcm_file **order = mtm_alloc((size_t)n * sizeof *order);

    if (!order)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++)
        order[i] = &o->set->files[i];
    qsort(order, (size_t)n, sizeof *order, compare_files);
    if (!o->opt->split && series_end(order, n, 0) < n)
        return several_series(order, n, err);
    for (int32_t lo = 0, hi; lo < n; lo = hi) {
        hi = series_end(order, n, lo);
        MTM_TRY(series_images(o, order + lo, hi - lo, err));
    }
    return MTM_OK;
}

static mtm_status finish(opening *o, mtm_status s, mtm_image ***out, int64_t *n)
{
    if (s == MTM_OK) {
        *out = o->images, *n = o->n;
        return MTM_OK;
    }
    for (int64_t i = 0; i < o->n; i++)
        mtm_image_close(o->images[i]);
    mtm_free(o->images);
    return s;
}

/* ---- entries ------------------------------------------------------------------------------------------- */

mtm_status mtm_dicom_series_open(mtm_image ***out, int64_t *n, const char *const *paths, int64_t n_paths,
                                 const mtm_dicom_series_options *opt, mtm_error *err)
{
    const mtm_dicom_series_options plain = {.struct_size = sizeof plain};
    dcm_set set = {0};

    *out = NULL, *n = 0;
    opt = opt ? opt : &plain;
    if (opt->struct_size != sizeof *opt || (opt->open && opt->open->struct_size != sizeof *opt->open))
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_dicom_series_options, or its open, has the wrong size");
    if (n_paths < 1)
        return mtm_fail(err, MTM_E_INVAL, -1, "no file is given");
    const mtm_limits limits = opt->open && opt->open->limits ? *opt->open->limits : mtm_limits_default();
    mtm_pool *const pool = opt->pool ? opt->pool : opt->open ? opt->open->pool : NULL;
    opening o = {.set = &set, .opt = opt, .where = paths[0]};
    mtm_status s = set_read(&set, paths, n_paths, &limits, opt->series_uid, pool, err);
    if (s == MTM_OK)
        s = all_series(&o, err);
    dcm_set_clear(&set);
    return mtm_error_where(err, finish(&o, s, out, n), paths[0]);
}

static mtm_status open_files(mtm_image **out, const char *const *paths, int64_t n,
                             const mtm_open_options *opt, mtm_error *err)
{
    const mtm_dicom_series_options series = {.struct_size = sizeof series, .open = opt};
    mtm_image **images;
    int64_t n_images;

    MTM_TRY(mtm_dicom_series_open(&images, &n_images, paths, n, &series, err));
    *out = images[0]; /* without split there is exactly one */
    mtm_free(images);
    return MTM_OK;
}

static bool detect(const mtm_probe *p)
{
    return !p->gzip && dcm_detect(p->head, p->head_bytes);
}

/* One instance, whose data set the image keeps. */
static mtm_status open_instance(mtm_image **out, mtm_dicom **d, const char *path, const mtm_probe *p,
                                mtm_error *err)
{
    const mtm_dicom_series_options series = {.struct_size = sizeof series, .open = p->options};
    dcm_file file = {0};
    dcm_set set = {.limits = p->limits, .files = &file};
    opening o = {.set = &set, .opt = &series, .where = path, .only = d};
    bool image;
    mtm_status s;

    if (dcm_is_seg(*d)) {
        MTM_TRY(dcm_seg_open(out, *d, NULL, p->options, err));
        (void)mtm_dicom_steal(d);
        return MTM_OK;
    }
    s = dcm_file_read(&set, &file, *d, &image, err);
    if (s == MTM_OK && !image)
        s = without_image(*d, true, err);
    if (s == MTM_OK) {
        file.path = mtm_strdup(path);
        set.n_files = 1;
        s = file.path ? all_series(&o, err) : MTM_NOMEM(err);
    }
    mtm_free(set.slices);
    dcm_file_clear(&file);
    mtm_image **images = NULL;
    int64_t n = 0;
    s = finish(&o, s, &images, &n);
    if (s == MTM_OK)
        *out = images[0];
    mtm_free(images);
    return s;
}

static mtm_status open_file(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    MTM_AUTO_MEM char *path = mtm_strdup(mtm_source_path(p->source));
    MTM_AUTO(mtm_dicom) d = NULL;
    mtm_source *const source = p->source;

    if (!path)
        return MTM_NOMEM(err);
    p->source = NULL; /* taken in any case */
    MTM_TRY(dcm_open_source(
        &d, source, &(mtm_dicom_options){.struct_size = sizeof(mtm_dicom_options), .limits = &p->limits},
        err));
    return open_instance(out, &d, path, p, err);
}

const mtm_format mtm_format_dicom = {
    .name = "dicom", .detect = detect, .open = open_file, .open_files = open_files};
