/* cli/ls.c: `microtome ls PATH…`: the DICOM files of folders as patients, studies and series.
 * SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli.h"

enum { MOST_SKIPPED = 10 /* lines for people; --json has all */ };

/* ---- for people ----------------------------------------------------------------------------------------- */

static const char *syntax_name(const char *uid)
{
    const mtm_dicom_uid *const u = uid[0] ? mtm_dicom_uid_find(uid) : NULL;

    return u ? u->name : uid[0] ? uid : "unknown transfer syntax";
}

static void put_size(int64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double x = (double)bytes;
    int u = 0;

    for (; x >= 1000 && u < 4; u++)
        x /= 1000;
    printf(u && x < 10 ? "%.1f %s" : "%.0f %s", x, units[u]);
}

/* What the instances of a series have in common, and how much there is of them. */
typedef struct summary {
    int64_t n, frames, bytes;
    bool sizes, syntaxes; /* several of them */
} summary;

/* Headers may say any number. */
static int64_t sum(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static summary summary_of(const mtm_dicom_listing *l, int64_t lo, int64_t hi)
{
    const mtm_dicom_instance *const first = &l->instances[lo];
    summary s = {.n = hi - lo};

    for (const mtm_dicom_instance *x = first; x < &l->instances[hi]; x++) {
        s.frames = sum(s.frames, x->frames > 1 ? x->frames : 1);
        s.bytes += x->file_bytes;
        s.sizes |= x->rows != first->rows || x->columns != first->columns;
        s.syntaxes |= strcmp(x->transfer_syntax, first->transfer_syntax) != 0;
    }
    return s;
}

static void text_date(const char *date)
{
    if (strlen(date) == 8 && strspn(date, "0123456789") == 8)
        printf("%.4s-%.2s-%.2s", date, date + 4, date + 6);
    else
        cli_put(stdout, date[0] ? date : "no date");
}

static void text_instance(const mtm_dicom_instance *x)
{
    printf("        ");
    if (x->instance_number >= 0)
        printf("%" PRId64 "  ", x->instance_number);
    cli_put(stdout, x->path);
    printf("  ");
    cli_put(stdout, x->sop_uid);
    printf("\n");
}

static void text_series(const mtm_dicom_listing *l, int64_t lo, int64_t hi, bool instances)
{
    const mtm_dicom_instance *const x = &l->instances[lo];
    const summary s = summary_of(l, lo, hi);

    printf("    ");
    if (x->series_number >= 0)
        printf("%-5" PRId64 " ", x->series_number);
    else
        printf("–     ");
    cli_put(stdout, x->modality[0] ? x->modality : "?");
    printf("  ");
    cli_put(stdout, x->series_description[0] ? x->series_description : "(no description)");
    printf("  %" PRId64 " %s", s.n, s.n == 1 ? "instance" : "instances");
    if (s.frames > s.n)
        printf(", %" PRId64 " frames", s.frames);
    if (x->rows >= 0 && x->columns >= 0)
        printf(", %" PRId64 " × %" PRId64 "%s", x->rows, x->columns, s.sizes ? " and other sizes" : "");
    printf(", %s%s, ", syntax_name(x->transfer_syntax), s.syntaxes ? " and others" : "");
    put_size(s.bytes);
    printf("%s", x->series_uid[0] ? "  " : "");
    cli_put(stdout, x->series_uid);
    printf("\n");
    for (int64_t i = lo; instances && i < hi; i++)
        text_instance(&l->instances[i]);
}

static void text_listing(const mtm_dicom_listing *l, bool instances)
{
    int64_t patient = 0, study = 0;

    for (int64_t s = 0; s < l->n_series; s++) {
        const int64_t lo = l->series[s], hi = l->series[s + 1];
        const mtm_dicom_instance *const x = &l->instances[lo];

        if (lo == l->patients[patient]) {
            patient++;
            printf("patient ");
            cli_put(stdout, x->patient_name[0] ? x->patient_name : "(no name)");
            printf("  ");
            cli_put(stdout, x->patient_id[0] ? x->patient_id : "(no id)");
            printf("\n");
        }
        if (lo == l->studies[study]) {
            study++;
            printf("  study ");
            text_date(x->study_date);
            printf("  ");
            cli_put(stdout, x->study_description[0] ? x->study_description : "(no description)");
            printf("\n");
        }
        text_series(l, lo, hi, instances);
    }
}

static void text_skipped(const mtm_dicom_listing *l)
{
    for (int64_t i = 0; i < l->n_skipped && i < MOST_SKIPPED; i++) {
        printf("skipped ");
        cli_put(stdout, l->skipped[i].path);
        printf(": ");
        cli_put(stdout, l->skipped[i].why);
        printf("\n");
    }
    if (l->n_skipped > MOST_SKIPPED)
        printf("skipped %" PRId64 " more; --json names them all\n", l->n_skipped - MOST_SKIPPED);
}

static void text_sums(const mtm_dicom_listing *l)
{
    printf("%" PRId64 " patient%s, %" PRId64 " stud%s, %" PRId64 " series, %" PRId64 " instance%s",
           l->n_patients, l->n_patients == 1 ? "" : "s", l->n_studies, l->n_studies == 1 ? "y" : "ies",
           l->n_series, l->n, l->n == 1 ? "" : "s");
    if (l->n_skipped)
        printf(", %" PRId64 " skipped", l->n_skipped);
    printf("\n");
}

/* ---- for programs --------------------------------------------------------------------------------------- */

static void json_text(const char *before, const char *key, const char *value)
{
    printf("%s\"%s\": ", before, key);
    cli_json_text(stdout, value);
}

static void json_number(const char *key, int64_t v)
{
    if (v < 0)
        printf(", \"%s\": null", key);
    else
        printf(", \"%s\": %" PRId64, key, v);
}

static void json_instance(const mtm_dicom_instance *x)
{
    json_text("{", "path", x->path);
    json_text(", ", "sop_uid", x->sop_uid);
    json_text(", ", "sop_class", x->sop_class);
    json_text(", ", "transfer_syntax", x->transfer_syntax);
    json_text(", ", "image_type", x->image_type);
    json_number("instance_number", x->instance_number);
    json_number("rows", x->rows);
    json_number("columns", x->columns);
    json_number("frames", x->frames);
    json_number("bytes", x->file_bytes);
    printf(", \"pixels\": %s}", x->has_pixels ? "true" : "false");
}

static void json_series(const mtm_dicom_listing *l, int64_t lo, int64_t hi, bool instances)
{
    const mtm_dicom_instance *const x = &l->instances[lo];
    const summary s = summary_of(l, lo, hi);

    json_text("{", "series_uid", x->series_uid);
    json_number("number", x->series_number);
    json_text(", ", "description", x->series_description);
    json_text(", ", "modality", x->modality);
    json_number("rows", x->rows);
    json_number("columns", x->columns);
    json_number("images", s.n);
    json_number("frames", s.frames);
    json_number("bytes", s.bytes);
    json_text(", ", "transfer_syntax", x->transfer_syntax);
    if (instances) {
        printf(", \"instances\": [");
        for (int64_t i = lo; i < hi; i++) {
            fputs(i > lo ? ",\n   " : "", stdout);
            json_instance(&l->instances[i]);
        }
        printf("]");
    }
    printf("}");
}

static void json_listing(const mtm_dicom_listing *l, bool instances)
{
    int64_t patient = 0, study = 0;

    printf("{\"patients\": [");
    for (int64_t s = 0; s < l->n_series; s++) {
        const int64_t lo = l->series[s];
        const mtm_dicom_instance *const x = &l->instances[lo];
        const bool new_patient = lo == l->patients[patient], new_study = lo == l->studies[study];

        if (new_patient) {
            json_text(patient++ ? "]}]},\n {" : "{", "patient_id", x->patient_id);
            json_text(", ", "patient_name", x->patient_name);
            printf(", \"studies\": [");
        }
        if (new_study) {
            study++;
            json_text(new_patient ? "{" : "]},\n  {", "study_uid", x->study_uid);
            json_text(", ", "date", x->study_date);
            json_text(", ", "description", x->study_description);
            printf(", \"series\": [");
        }
        fputs(new_study ? "" : ",\n  ", stdout);
        json_series(l, lo, l->series[s + 1], instances);
    }
    printf("%s], \"skipped\": [", l->n_series ? "]}]}" : "");
    for (int64_t i = 0; i < l->n_skipped; i++) {
        json_text(i ? ",\n  {" : "{", "path", l->skipped[i].path);
        json_text(", ", "why", l->skipped[i].why);
        printf("}");
    }
    printf("]}\n");
}

/* ---- the command ---------------------------------------------------------------------------------------- */

static int show(const mtm_dicom_listing *l, bool json, bool instances)
{
    if (json) {
        json_listing(l, instances);
    } else {
        text_listing(l, instances);
        text_skipped(l);
        text_sums(l);
    }
    return l->n ? CLI_OK : CLI_BAD_INPUT;
}

static int run(int argc, char **argv)
{
    cli_option options[] = {{"json", NULL, "machine-readable: patients, studies, series", NULL},
                            {"instances", NULL, "every instance with its path too", NULL},
                            {"threads", "N", "threads that read; default: one per CPU", NULL},
                            {"quiet", NULL, "no progress", NULL}};
    const int n = cli_parse(&cli_ls, argc, argv, options, 4);
    cli_bar progress = cli_bar_begin("reading headers");
    mtm_dicom_scan_options opt = {.struct_size = sizeof opt, .user = &progress};
    mtm_dicom_listing *l = NULL;
    mtm_error err = {.offset = -1};
    int code, threads;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n == 0)
        return cli_usage(&cli_ls, "a folder or file is wanted");
    if (!cli_int(&cli_ls, &options[2], 1, 1024, 0, &threads))
        return CLI_USAGE;
    if (!options[3].value && isatty(STDERR_FILENO))
        opt.progress = cli_bar_show;
    if (mtm_pool_new(&opt.pool, threads, &err))
        return cli_fail(NULL, &err);
    const mtm_status st = mtm_dicom_scan(&l, (const char *const *)argv + 1, n, &opt, &err);
    cli_bar_clear(&progress);
    code = st ? cli_fail(NULL, &err) : show(l, options[0].value != NULL, options[1].value != NULL);
    mtm_dicom_listing_free(l);
    mtm_pool_free(opt.pool);
    return code;
}

const cli_command cli_ls = {
    .name = "ls",
    .usage = "ls PATH... [--json] [--instances]",
    .help = "the DICOM files of folders, as patients, studies and series\n\nReads headers only. Folders are "
            "walked with all below them; names that begin with a dot are left out. Exit\ncode 1 where no "
            "DICOM file was found.",
    .run = run,
};
