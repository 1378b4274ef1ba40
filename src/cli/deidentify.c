/* cli/deidentify.c: `microtome convert --deidentify IN OUT`: files or folders of DICOM without their patients (PS3.15 E).
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>

#include "cli.h"

enum { DEIDENTIFY, SECRET, OPTIONS, PATIENT_ID, PATIENT_NAME, SAFE, ROOT, SHIFT, SYNTAX, REPORT, N_OPTIONS };
enum { MOST_SAFE = 256, PATH_ROOM = 4096, SOP_INSTANCE = 0x00080018, SERIES = 0x0020000E };

typedef struct task {
    mtm_deid_options deid;
    mtm_dicom_write_options write;
    const char *safe[MOST_SAFE];
    FILE *report; /* NULL: none */
    int64_t done, failed;
} task;

static const struct {
    const char *name;
    uint32_t flag;
} flags[] = {{"retain_uids", MTM_DEID_RETAIN_UIDS},
             {"retain_device", MTM_DEID_RETAIN_DEVICE},
             {"retain_institution", MTM_DEID_RETAIN_INSTITUTION},
             {"retain_patient", MTM_DEID_RETAIN_PATIENT},
             {"retain_dates", MTM_DEID_RETAIN_DATES},
             {"shift_dates", MTM_DEID_SHIFT_DATES},
             {"clean_descriptors", MTM_DEID_CLEAN_DESCRIPTORS},
             {"clean_structured", MTM_DEID_CLEAN_STRUCTURED},
             {"clean_graphics", MTM_DEID_CLEAN_GRAPHICS},
             {"retain_safe_private", MTM_DEID_RETAIN_SAFE_PRIVATE}};

/* Cuts a list at its commas, in place; returns how many parts, −1: more than most. */
static int parts(char *list, const char **out, int most)
{
    int n = 0;

    for (char *at = list; at && *at;) {
        char *const comma = strchr(at, ',');

        if (comma)
            *comma = 0;
        if (n == most)
            return -1;
        out[n++] = at;
        at = comma ? comma + 1 : NULL;
    }
    return n;
}

static bool parse_flags(char *list, uint32_t *out)
{
    const char *names[32];
    const int n = parts(list, names, 32);

    for (int i = 0; i < n; i++) {
        uint32_t flag = 0;

        for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
            if (!strcmp(flags[k].name, names[i]))
                flag = flags[k].flag;
        if (!flag)
            return cli_usage(
                       &cli_convert,
                       "--options %.40s: retain_uids, retain_device, retain_institution, retain_patient, "
                       "retain_dates, shift_dates, clean_descriptors, clean_structured, clean_graphics "
                       "and retain_safe_private are there",
                       names[i]),
                   false;
        *out |= flag;
    }
    return n >= 0;
}

/* ---- one file ----------------------------------------------------------------------------------------- */

static void report_file(task *t, const char *made, const mtm_deid_report *r)
{
    if (!t->report)
        return;
    fputs(t->done ? ",\n  {\"file\": " : "\n  {\"file\": ", t->report);
    cli_json_text(t->report, made);
    fputs(", \"changes\": [", t->report);
    for (int64_t i = 0; i < r->n; i++) {
        fputs(i ? ", [" : "[", t->report);
        cli_json_text(t->report, r->changes[i].path);
        fprintf(t->report, ", \"%c\"]", r->changes[i].action);
    }
    fputs("], \"warnings\": [", t->report);
    for (int32_t i = 0; i < r->n_warnings; i++) {
        fputs(i ? ", " : "", t->report);
        cli_json_text(t->report, r->warnings[i]);
    }
    fputs("]}", t->report);
}

static mtm_status make_folder(const char *path, mtm_error *err)
{
    if (!mkdir(path, 0777) || errno == EEXIST)
        return MTM_OK;
    return cli_bad(err, "the folder cannot be made: %s", strerror(errno));
}

/* A UID of PS3.5 9.1, as far as it makes a name: "..", which UIDs that are kept may be, would lead out of the folder. */
static bool uid_of(const mtm_dicom *d, uint32_t tag, char uid[68])
{
    return mtm_dicom_ascii(d, mtm_dicom_find(d, NULL, tag), 0, uid, 68) && uid[0] != '.' &&
           uid[strspn(uid, "0123456789.")] == 0;
}

/* FOLDER/SERIES/INSTANCE.dcm by the new UIDs. Errors: MTM_E_INVAL (no such UID), MTM_E_CONFLICT (the name is taken already). */
static mtm_status name_by_uids(const mtm_dicom *d, const char *folder, char path[PATH_ROOM], mtm_error *err)
{
    char series[68], instance[68];
    struct stat st;

    if (!uid_of(d, SOP_INSTANCE, instance))
        return cli_bad(err, "there is no SOPInstanceUID to name the new file by");
    if (!uid_of(d, SERIES, series))
        strcpy(series, "no-series");
    if (snprintf(path, PATH_ROOM, "%s/%s", folder, series) >= PATH_ROOM - 80)
        return cli_bad(err, "the path is too long");
    mtm_status s = make_folder(path, err);

    if (s)
        return s;
    snprintf(path + strlen(path), 80, "/%s.dcm", instance);
    if (stat(path, &st))
        return MTM_OK;
    cli_bad(err, "its result is there already: the same instance twice, or an earlier run into this folder");
    return err->code = MTM_E_CONFLICT;
}

/* folder NULL: `to` is the new file's path. */
static mtm_status one(task *t, const char *from, const char *to, const char *folder, mtm_error *err)
{
    mtm_deid_report *report = NULL;
    mtm_dicom *d = NULL, *made = NULL;
    char path[PATH_ROOM];
    mtm_status s = mtm_dicom_open(&d, from, NULL, err);

    if (!s)
        s = mtm_dicom_deidentify(&made, &report, d, &t->deid, err);
    if (!s && folder)
        s = name_by_uids(made, folder, path, err);
    if (!s)
        s = mtm_dicom_write(folder ? path : to, made, &t->write, err);
    if (!s) {
        report_file(t, folder ? path : to, report);
        for (int32_t i = 0; i < report->n_warnings; i++)
            cli_tell(folder ? path : to, ": ", report->warnings[i]);
        t->done++;
    }
    mtm_deid_report_free(report);
    mtm_dicom_close(made);
    mtm_dicom_close(d);
    return s;
}

/* ---- all ---------------------------------------------------------------------------------------------- */

/* A failed file is told and counted; the others are done. */
static int all(task *t, const char *from, const char *to)
{
    const mtm_dicom_scan_options scan = {.struct_size = sizeof scan};
    mtm_dicom_listing *l = NULL;
    mtm_error err = {0};
    int code = CLI_OK;

    if (mtm_dicom_scan(&l, &from, 1, &scan, &err))
        return cli_fail(from, &err);
    if (make_folder(to, &err)) {
        mtm_dicom_listing_free(l);
        return cli_fail(to, &err);
    }
    for (int64_t i = 0; i < l->n; i++)
        if (one(t, l->instances[i].path, NULL, to, &err)) {
            code = cli_fail(l->instances[i].path, &err);
            t->failed++;
        }
    cli_dicom_skipped(l);
    mtm_dicom_listing_free(l);
    return code;
}

static int with_report(task *t, const char *from, const char *to, const char *report)
{
    int code = CLI_OK;
    mtm_error err = {0};

    if (report && !(t->report = fopen(report, "w")))
        return cli_bad(&err, "the report cannot be written: %s", strerror(errno)), cli_fail(report, &err);
    if (t->report)
        fputs("{\"files\": [", t->report);
    if (cli_is_folder(from))
        code = all(t, from, to);
    else if (one(t, from, to, NULL, &err))
        code = cli_fail(from, &err);
    if (t->report &&
        (fprintf(t->report, "\n], \"failed\": %" PRId64 "}\n", t->failed) < 0 || fclose(t->report)))
        return cli_bad(&err, "the report cannot be written: %s", strerror(errno)), cli_fail(report, &err);
    return code;
}

bool cli_deidentify_wanted(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--deidentify"))
            return true;
    return false;
}

int cli_deidentify(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [DEIDENTIFY] = {"deidentify", NULL,
                        "DICOM file or folder without its patients (PS3.15 E basic profile)", NULL},
        [SECRET] = {"secret", "FILE", "key of new UIDs, pseudonyms and dates; the same key, the same result",
                    NULL},
        [OPTIONS] = {"options", "A,B", "of the profile: retain_uids, shift_dates, clean_descriptors, ...",
                     NULL},
        [PATIENT_ID] = {"patient-id", "TEXT", "new PatientID; default a pseudonym", NULL},
        [PATIENT_NAME] = {"patient-name", "TEXT", "new PatientName; default a pseudonym", NULL},
        [SAFE] = {"safe-private", "LIST", "private attributes that may stay too: creator|ggggee,...", NULL},
        [ROOT] = {"uid-root", "ROOT", "of new UIDs, with its last dot; default 2.25.", NULL},
        [SHIFT] = {"shift-days", "N", "most days of shift_dates; default 3650", NULL},
        [SYNTAX] = {"syntax", "NAME", "transfer syntax of the result; default the source's", NULL},
        [REPORT] = {"report", "FILE", "what was done to each file, as JSON without values", NULL},
    };
    const int n = cli_parse(&cli_convert, argc, argv, o, N_OPTIONS);
    task t = {.deid = {.struct_size = sizeof t.deid,
                       .patient_id = o[PATIENT_ID].value,
                       .patient_name = o[PATIENT_NAME].value,
                       .uid_root = o[ROOT].value},
              .write = {.struct_size = sizeof t.write,
                        .transfer_syntax = o[SYNTAX].value,
                        .uid_root = o[ROOT].value}};
    mtm_error err = {0};
    uint8_t *secret = NULL;
    int code = CLI_USAGE;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n != 2 || !o[SECRET].value)
        return cli_usage(&cli_convert, "IN, OUT and --secret FILE are wanted with --deidentify");
    if (!cli_int(&cli_convert, &o[SHIFT], 1, 100000, 0, &t.deid.shift_days))
        return CLI_USAGE;
    if (cli_read_file(o[SECRET].value, &secret, &t.deid.secret_bytes, &err))
        return cli_fail(o[SECRET].value, &err);
    char *const names = strdup(o[OPTIONS].value ? o[OPTIONS].value : "");
    char *const safe = strdup(o[SAFE].value ? o[SAFE].value : "");

    t.deid.secret = secret, t.deid.safe_private = t.safe;
    t.deid.n_safe_private = safe ? parts(safe, t.safe, MOST_SAFE) : -1;
    if (t.deid.n_safe_private < 0)
        code = cli_usage(&cli_convert, "--safe-private names more than %d attributes", MOST_SAFE);
    else if (names && parse_flags(names, &t.deid.flags))
        code = with_report(&t, argv[1], argv[2], o[REPORT].value);
    free(names);
    free(safe);
    free(secret);
    return code;
}
