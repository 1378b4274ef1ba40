/* format/dicom/volume/listing.c: the instances of a scan in order: series are told apart by patient, study and series UID, then
 * sorted by what a reader looks for (the study's date, the series' number), so that wrong dates or numbers tear nothing apart.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "format/dicom/volume/scan.h"

/* One series. */
typedef struct series_key {
    const char *patient, *study, *series, *date; /* date: the first of the study */
    int64_t number;
    int64_t *rank_at; /* where its rank goes */
} series_key;

typedef struct placed {
    const mtm_dicom_instance *x;
    int64_t series; /* first its number in the order of the files, then its rank */
} placed;

typedef struct sorting {
    placed *placed; /* [n] */
    int64_t n;
    series_key *keys; /* [n_keys] */
    int64_t n_keys;
    int64_t *table; /* [room]: 1 + number of a series; 0: free */
    size_t room;
    int64_t *ranks; /* [n_keys] */
} sorting;

void dcm_listing_drop(dcm_listing *l)
{
    if (!l)
        return;
    for (int64_t i = 0; l->texts && i < l->n_texts; i++)
        dcm_arena_free(&l->texts[i]);
    mtm_file_list_free(l->files);
    mtm_free(l->texts);
    mtm_free(l->instances);
    mtm_free(l->series);
    mtm_free(l->studies);
    mtm_free(l->patients);
    mtm_free(l->skipped);
    mtm_free(l);
}

void mtm_dicom_listing_free(mtm_dicom_listing *l)
{
    dcm_listing_drop((dcm_listing *)l);
}

/* Instances without a patient's id are told apart by name. */
static const char *patient_of(const mtm_dicom_instance *x)
{
    return x->patient_id[0] ? x->patient_id : x->patient_name;
}

static bool same(const char *a, const char *b)
{
    return a == b || !strcmp(a, b);
}

static bool is_in(const series_key *k, const mtm_dicom_instance *x)
{
    return same(k->series, x->series_uid) && same(k->study, x->study_uid) && same(k->patient, patient_of(x));
}

static uint64_t hash_of(const mtm_dicom_instance *x)
{
    const char *const patient = patient_of(x);
    const uint64_t h = mtm_hash64(x->study_uid, strlen(x->study_uid), 1);

    return mtm_hash64(x->series_uid, strlen(x->series_uid), mtm_hash64(patient, strlen(patient), h));
}

/* The number of the instance's series, a new one if need be. */
static int64_t series_of(sorting *s, const mtm_dicom_instance *x)
{
    size_t at = (size_t)hash_of(x) & (s->room - 1);

    for (; s->table[at]; at = (at + 1) & (s->room - 1))
        if (is_in(&s->keys[s->table[at] - 1], x))
            break;
    if (!s->table[at]) {
        s->keys[s->n_keys++] = (series_key){.patient = patient_of(x),
                                            .study = x->study_uid,
                                            .series = x->series_uid,
                                            .date = x->study_date,
                                            .number = x->series_number};
        s->table[at] = s->n_keys;
    }
    return s->table[at] - 1;
}

static int order(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int by_study(const void *a, const void *b)
{
    const series_key *const p = a, *const q = b;
    const int c = strcmp(p->patient, q->patient);

    return c ? c : strcmp(p->study, q->study);
}

static int by_reader(const void *a, const void *b)
{
    const series_key *const p = a, *const q = b;
    int c = strcmp(p->patient, q->patient);

    c = c ? c : strcmp(p->date, q->date);
    c = c ? c : strcmp(p->study, q->study);
    c = c ? c : order(p->number, q->number);
    return c ? c : strcmp(p->series, q->series);
}

static int by_place(const void *a, const void *b)
{
    const placed *const p = a, *const q = b;
    int c = order(p->series, q->series);

    c = c ? c : order(p->x->instance_number, q->x->instance_number);
    return c ? c : strcmp(p->x->path, q->x->path);
}

/* Every series of a study gets the study's first date. */
static void share_dates(sorting *s)
{
    for (int64_t lo = 0, hi; lo < s->n_keys; lo = hi) {
        const char *first = s->keys[lo].date;

        for (hi = lo + 1; hi < s->n_keys && !by_study(&s->keys[lo], &s->keys[hi]); hi++)
            if (strcmp(s->keys[hi].date, first) < 0)
                first = s->keys[hi].date;
        for (int64_t i = lo; i < hi; i++)
            s->keys[i].date = first;
    }
}

static void sort(sorting *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        placed *const p = &s->placed[i];
        const bool again = i > 0 && is_in(&s->keys[p[-1].series], p->x);

        p->series = again ? p[-1].series : series_of(s, p->x);
        series_key *const k = &s->keys[p->series];
        if (strcmp(p->x->study_date, k->date) < 0)
            k->date = p->x->study_date;
        if (p->x->series_number < k->number)
            k->number = p->x->series_number;
    }
    for (int64_t i = 0; i < s->n_keys; i++)
        s->keys[i].rank_at = &s->ranks[i];
    qsort(s->keys, (size_t)s->n_keys, sizeof *s->keys, by_study);
    share_dates(s);
    qsort(s->keys, (size_t)s->n_keys, sizeof *s->keys, by_reader);
    for (int64_t i = 0; i < s->n_keys; i++)
        *s->keys[i].rank_at = i;
    for (int64_t i = 0; i < s->n; i++)
        s->placed[i].series = s->ranks[s->placed[i].series];
    qsort(s->placed, (size_t)s->n, sizeof *s->placed, by_place);
}

static void list_runs(dcm_listing *l, const sorting *s)
{
    mtm_dicom_listing *const b = &l->base;

    for (int64_t i = 0; i < s->n; i++) {
        const bool series = !i || s->placed[i].series != s->placed[i - 1].series;
        const series_key *const k = &s->keys[s->placed[i].series];
        const series_key *const before = i ? &s->keys[s->placed[i - 1].series] : NULL;
        const bool patient = !before || !same(k->patient, before->patient);

        l->instances[i] = *s->placed[i].x;
        if (patient)
            l->patients[b->n_patients++] = i;
        if (patient || !same(k->study, before->study))
            l->studies[b->n_studies++] = i;
        if (series)
            l->series[b->n_series++] = i;
    }
    b->n = s->n;
    l->series[b->n_series] = l->studies[b->n_studies] = l->patients[b->n_patients] = s->n;
    b->instances = l->instances;
    b->series = l->series, b->studies = l->studies, b->patients = l->patients;
}

/* Files that were left out, then what could not be listed. */
static mtm_status list_skipped(dcm_listing *l, const mtm_dicom_instance *found, const char *const *why,
                               mtm_error *err)
{
    const mtm_file_list *const files = l->files;
    int64_t n = 0;

    l->skipped = mtm_alloc_zero((size_t)(files->n - l->base.n + files->n_problems), sizeof *l->skipped);
    if (!l->skipped)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < files->n; i++)
        if (!found[i].path)
            l->skipped[n++] = (mtm_dicom_skipped){files->paths[i], why[i]};
    for (int64_t i = 0; i < files->n_problems; i++)
        l->skipped[n++] = (mtm_dicom_skipped){files->problems[i].path, files->problems[i].why};
    l->base.n_skipped = n;
    l->base.skipped = l->skipped;
    return MTM_OK;
}

static mtm_status order_found(dcm_listing *l, sorting *s, const mtm_dicom_instance *found, mtm_error *err)
{
    const size_t n = (size_t)l->files->n;

    for (s->room = 16; s->room < 2 * n;)
        s->room *= 2;
    s->placed = mtm_alloc_zero(n, sizeof *s->placed);
    s->keys = mtm_alloc_zero(n, sizeof *s->keys);
    s->table = mtm_alloc_zero(s->room, sizeof *s->table);
    s->ranks = mtm_alloc_zero(n, sizeof *s->ranks);
    l->instances = mtm_alloc_zero(n, sizeof *l->instances);
    l->series = mtm_alloc_zero(n + 1, sizeof *l->series);
    l->studies = mtm_alloc_zero(n + 1, sizeof *l->studies);
    l->patients = mtm_alloc_zero(n + 1, sizeof *l->patients);
    if (!s->placed || !s->keys || !s->table || !s->ranks || !l->instances || !l->series || !l->studies ||
        !l->patients)
        return MTM_NOMEM(err);
    for (int64_t i = 0; i < l->files->n; i++)
        if (found[i].path)
            s->placed[s->n++].x = &found[i];
    sort(s);
    list_runs(l, s);
    return MTM_OK;
}

mtm_status dcm_listing_order(dcm_listing *l, const mtm_dicom_instance *found, const char *const *why,
                             mtm_error *err)
{
    sorting s = {0};
    const mtm_status st = order_found(l, &s, found, err);

    mtm_free(s.placed);
    mtm_free(s.keys);
    mtm_free(s.table);
    mtm_free(s.ranks);
    MTM_TRY(st);
    return list_skipped(l, found, why, err);
}
