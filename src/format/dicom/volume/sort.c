/* format/dicom/volume/sort.c: the frames of one series, told apart by what one grid cannot mix, and put in order along the
 * normal. Whatever does not fit is an error that names the instances, or with `split` a stack of its own.
 *
 * Tolerances, as doc/dicom-series.md states them: direction cosines 1e-4, pixel spacing 1e-4 of itself, one place 0.01 mm, or 5 % of a pixel
 * where pixels are small (microscopes).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "volume.h"

#define SAME_COSINE  1e-4
#define SAME_SPACING 1e-4

/* ---- naming -------------------------------------------------------------------------------------------- */

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void dcm_names(char *text, size_t room, const dcm_set *set, const int32_t *slices, int64_t n)
{
    size_t at = 0;
    int64_t i;

    text[0] = 0;
    for (i = 0; i < n && i < 3; i++) {
        const dcm_slice *const s = &set->slices[slices[i]];
        const dcm_file *const f = &set->files[s->file];
        char name[80];

        if (f->n > 1)
            snprintf(name, sizeof name, "%.52s %s %" PRId64, base_name(f->path),
                     f->mosaic.n ? "tile" : "frame", s->frame + 1);
        else
            snprintf(name, sizeof name, "%.64s", base_name(f->path));
        const size_t used = strlen(name);
        if (at + used + 24 > room && i)
            break;
        at += (size_t)snprintf(text + at, room - at, "%s%s", i ? ", " : "", name);
        at = at < room ? at : room - 1;
    }
    if (i < n)
        snprintf(text + at, room - at, " and %" PRId64 " more", n - i);
}

/* ---- kinds --------------------------------------------------------------------------------------------- */

static bool close_to(const double *a, const double *b, int n, double most)
{
    for (int i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= most))
            return false;
    return true;
}

/* In what two frames differ that one grid cannot mix; NULL: in nothing. */
static const char *difference(const dcm_set *set, const dcm_slice *a, const dcm_slice *b)
{
    const dcm_file *const fa = &set->files[a->file], *const fb = &set->files[b->file];
    const mtm_dicom_pixels *const pa = &fa->pixels, *const pb = &fb->pixels;

    if ((fa->flags ^ fb->flags) & DCM_FILE_LOCALIZER)
        return "ImageType (localisers)";
    if (pa->rows != pb->rows || pa->columns != pb->columns || fa->mosaic.across != fb->mosaic.across)
        return "size (Rows, Columns)";
    if (pa->dtype != pb->dtype || pa->channels != pb->channels)
        return "type of pixels";
    if (strncmp(pa->photometric, pb->photometric, 11) &&
        (!strncmp(pa->photometric, "MONOCHROME", 10) || !strncmp(pb->photometric, "MONOCHROME", 10)))
        return "PhotometricInterpretation";
    if ((a->has ^ b->has) & (DCM_SLICE_POSITION | DCM_SLICE_ORIENTATION))
        return "having a place in space";
    if (strcmp(fa->frame_of_reference, fb->frame_of_reference))
        return "FrameOfReferenceUID";
    if ((a->has & DCM_SLICE_ORIENTATION) &&
        (!close_to(a->row, b->row, 3, SAME_COSINE) || !close_to(a->column, b->column, 3, SAME_COSINE)))
        return "orientation";
    if (((a->has ^ b->has) & DCM_SLICE_SPACING) ||
        !close_to(a->spacing, b->spacing, 2, SAME_SPACING * fmax(a->spacing[0], a->spacing[1])))
        return "pixel spacing";
    /* Frames without a place make no common stack with those of another multi-frame file. */
    if (a->file != b->file && !(a->has & DCM_SLICE_POSITION) && (fa->n > 1 || fb->n > 1))
        return "file (frames without a place in space make no volume with those of another file)";
    return NULL;
}

/* Moves the frames that are like `first` to the front, in their order, and returns how many; *why: what the next one differs in. */
static mtm_status alike(const dcm_set *set, int32_t *slices, int32_t n, int32_t *n_alike, const char **why,
                        mtm_error *err)
{
    MTM_AUTO_MEM int32_t *rest = mtm_alloc((size_t)n * sizeof *rest);
    const dcm_slice *const first = &set->slices[slices[0]];
    int32_t k = 0, others = 0;

    if (!rest)
        return MTM_NOMEM(err);
    for (int32_t i = 0; i < n; i++) {
        const char *const d = difference(set, first, &set->slices[slices[i]]);

        if (!d) {
            slices[k++] = slices[i];
            continue;
        }
        if (!others)
            *why = d;
        rest[others++] = slices[i];
    }
    memcpy(slices + k, rest, (size_t)others * sizeof *rest);
    *n_alike = k;
    return MTM_OK;
}

static mtm_status mixed(const dcm_set *set, const int32_t *slices, int32_t n, int32_t n_alike,
                        const char *why, mtm_error *err)
{
    const bool fewer = n_alike <= n - n_alike; /* those named are the fewer */
    char names[150];

    dcm_names(names, sizeof names, set, fewer ? slices : slices + n_alike, fewer ? n_alike : n - n_alike);
    return mtm_fail(err, MTM_E_INVAL, -1, "%s %s from the others in %s", names,
                    (fewer ? n_alike : n - n_alike) > 1 ? "differ" : "differs", why);
}

/* ---- places -------------------------------------------------------------------------------------------- */

/* A slice's number with what it is sorted by. */
typedef struct keyed {
    double along;
    int64_t number, file_order;
    int32_t slice;
} keyed;

static int compare(const void *pa, const void *pb)
{
    const keyed *const a = pa, *const b = pb;

    if (a->along != b->along)
        return a->along < b->along ? -1 : 1;
    if (a->number != b->number)
        return a->number < b->number ? -1 : 1;
    return a->file_order < b->file_order ? -1 : a->file_order > b->file_order;
}

static mtm_status sort_slices(dcm_set *set, int32_t *slices, int32_t n, bool by_place, mtm_error *err)
{
    MTM_AUTO_MEM keyed *keys = mtm_alloc((size_t)n * sizeof *keys);
    const dcm_slice *const first = &set->slices[slices[0]];
    double normal[3];

    if (!keys)
        return MTM_NOMEM(err);
    dcm_cross(first->row, first->column, normal);
    for (int32_t i = 0; i < n; i++) {
        dcm_slice *const s = &set->slices[slices[i]];

        s->along = by_place
                       ? normal[0] * s->position[0] + normal[1] * s->position[1] + normal[2] * s->position[2]
                       : 0;
        keys[i] = (keyed){s->along, set->files[s->file].instance_number, ((int64_t)s->file << 32) + s->frame,
                          slices[i]};
    }
    qsort(keys, (size_t)n, sizeof *keys, compare);
    for (int32_t i = 0; i < n; i++)
        slices[i] = keys[i].slice;
    return MTM_OK;
}

double dcm_same_place(const dcm_slice *s)
{
    const double pixel = s->has & DCM_SLICE_SPACING ? fmin(s->spacing[0], s->spacing[1]) : 1;

    return fmin(0.01, 0.05 * pixel);
}

/* End of the run of slices at the place of slices[i]. */
static int32_t place_end(const dcm_set *set, const int32_t *slices, int32_t n, int32_t i)
{
    const double at = set->slices[slices[i]].along, same = dcm_same_place(&set->slices[slices[i]]);

    while (i < n && set->slices[slices[i]].along - at <= same)
        i++;
    return i;
}

/* Places where some images of [nz, nt] are not there. */
static mtm_status incomplete(const dcm_set *set, const int32_t *slices, int32_t n, mtm_error *err)
{
    int32_t most = 0, fewest = INT32_MAX, at = 0;
    char names[120];

    for (int32_t i = 0, end; i < n; i = end) {
        end = place_end(set, slices, n, i);
        if (end - i < fewest)
            fewest = end - i, at = i;
        most = end - i > most ? end - i : most;
    }
    if (fewest > 1) {
        dcm_names(names, sizeof names, set, slices + at, fewest);
        return mtm_fail(err, MTM_E_INVAL, -1, "%d images are at the place of %s, but %d at another",
                        (int)fewest, names, (int)most);
    }
    for (at = 0; place_end(set, slices, n, at) - at < most;)
        at = place_end(set, slices, n, at);
    dcm_names(names, sizeof names, set, slices + at, most);
    return mtm_fail(err, MTM_E_INVAL, -1, "%d images are at one place: %s; at others there is one", (int)most,
                    names);
}

/* Images that nothing tells apart, with split: the first of every place, then the second, … */
static mtm_status peel(dcm_sorter *s, int32_t *slices, int32_t n, mtm_error *err)
{
    MTM_AUTO_MEM int32_t *part = mtm_alloc((size_t)n * sizeof *part);

    if (!part)
        return MTM_NOMEM(err);
    for (int32_t kept; n; n = kept) {
        int32_t k = 0;

        kept = 0;
        for (int32_t i = 0, end; i < n; i = end) {
            end = place_end(s->set, slices, n, i);
            part[k++] = slices[i];
            for (int32_t j = i + 1; j < end; j++)
                slices[kept++] = slices[j];
        }
        MTM_TRY(dcm_grid_make(s, part, k, 1, -1, err));
    }
    return MTM_OK;
}

mtm_status dcm_sort_split(dcm_sorter *s, int32_t *slices, int32_t n, mtm_error *err)
{
    const uint64_t varying = dcm_axis_varying(s->set, slices, n, dcm_same_place(&s->set->slices[slices[0]]));

    for (int32_t at = 0, same; at < n; at += same) {
        MTM_TRY(dcm_axis_group(s->set, slices + at, n - at, varying, &same, err));
        MTM_TRY(peel(s, slices + at, same, err));
    }
    return MTM_OK;
}

mtm_status dcm_sort_places(dcm_sorter *s, int32_t *slices, int32_t n, mtm_error *err)
{
    int32_t nt, places = 0;
    bool even = true;

    MTM_TRY(sort_slices(s->set, slices, n, true, err));
    nt = place_end(s->set, slices, n, 0);
    for (int32_t i = 0, end; i < n; i = end, places++) {
        end = place_end(s->set, slices, n, i);
        even = even && end - i == nt;
    }
    if (!even)
        return s->split ? dcm_sort_split(s, slices, n, err) : incomplete(s->set, slices, n, err);
    return nt == 1 ? dcm_grid_make(s, slices, n, 1, -1, err) : dcm_axis_find(s, slices, places, nt, err);
}

/* ---- without places ------------------------------------------------------------------------------------ */

static mtm_status sort_numbers(dcm_sorter *s, int32_t *slices, int32_t n, mtm_error *err)
{
    const dcm_file *const f = &s->set->files[s->set->slices[slices[0]].file];
    dcm_stack stack = {.nt = 1, .nz = n, .axis = -1};

    MTM_TRY(sort_slices(s->set, slices, n, false, err));
    if (f->n > 1 && (f->flags & DCM_FILE_CINE)) {
        const double *const last = s->set->slices[slices[n - 1]].vary;

        stack.cine = true, stack.nt = n, stack.nz = 1, stack.axis = DCM_VARY_FRAME_TIME;
        if (n > 1 && last[DCM_VARY_FRAME_TIME] > 0)
            stack.seconds = last[DCM_VARY_FRAME_TIME] * 1e-3 / (n - 1);
    } else if (n > 1 && f->n == 1) {
        snprintf(stack.note, sizeof stack.note,
                 "the images have no place in space (ImagePositionPatient, ImageOrientationPatient); they "
                 "are in the "
                 "order of InstanceNumber%s",
                 f->instance_number == INT64_MAX ? ", or of their names where that is absent" : "");
    } else if (n > 1 && (s->set->slices[slices[0]].has & (DCM_SLICE_POSITION | DCM_SLICE_ORIENTATION))) {
        snprintf(stack.note, sizeof stack.note,
                 "the frames have %s in space, but no valid %s; they are in file order",
                 s->set->slices[slices[0]].has & DCM_SLICE_POSITION ? "a position" : "an orientation",
                 s->set->slices[slices[0]].has & DCM_SLICE_POSITION ? "orientation" : "position");
    }
    return dcm_stack_add(s, &stack, slices, n, err);
}

/* ---- one series ---------------------------------------------------------------------------------------- */

static mtm_status kind_make(dcm_sorter *s, int32_t *slices, int32_t n, mtm_error *err)
{
    const dcm_slice *const first = &s->set->slices[slices[0]];
    const uint32_t place = DCM_SLICE_POSITION | DCM_SLICE_ORIENTATION;

    return (first->has & place) == place ? dcm_sort_places(s, slices, n, err)
                                         : sort_numbers(s, slices, n, err);
}

/* The localisers go last, or to their own stacks; all are localisers: they are images like others. Returns how many are left. */
static int32_t localizers_apart(const dcm_set *set, const int32_t *given, int32_t *slices, int32_t n)
{
    int32_t k = 0, images = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int32_t i = 0; i < n; i++)
            if (!(set->files[set->slices[given[i]].file].flags & DCM_FILE_LOCALIZER) == !pass) {
                slices[k++] = given[i];
                images += !pass;
            }
    return images ? images : n;
}

mtm_status dcm_stacks_make(dcm_stacks *out, dcm_set *set, const int32_t *given, int32_t n, bool split,
                           mtm_error *err)
{
    MTM_AUTO_MEM int32_t *slices = mtm_alloc((size_t)n * sizeof *slices);
    dcm_sorter s = {.set = set, .out = out, .split = split};

    if (!slices)
        return MTM_NOMEM(err);
    const int32_t images = localizers_apart(set, given, slices, n), all = split ? n : images;
    for (int32_t at = 0, k = 0; at < all; at += k) {
        const char *why = NULL;

        MTM_TRY(alike(set, slices + at, all - at, &k, &why, err));
        if (!split && k < all - at)
            return mixed(set, slices + at, all - at, k, why, err);
        MTM_TRY(kind_make(&s, slices + at, k, err));
    }
    if (all < n) {
        char names[120];
        dcm_stack *const stack = &out->stacks[0];
        const size_t used = strlen(stack->note);

        dcm_names(names, sizeof names, set, slices + all, n - all);
        snprintf(stack->note + used, sizeof stack->note - used, "%slocalisers of the series are left out: %s",
                 used ? "; " : "", names);
    }
    return MTM_OK;
}
