/* cli/transcode.c: `microtome convert IN OUT --syntax NAME`: DICOM files and folders in another transfer syntax, with proof.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

enum { SYNTAX, LOSSY, NO_PROOF, ROOT, QUIET, N_OPTIONS };

/* The files of a folder, and what each becomes. */
typedef struct work {
    mtm_dicom_listing *l;
    const char **from;
    char **to;
    mtm_error *errors;
} work;

static void work_end(work *w)
{
    for (int64_t i = 0; w->to && i < w->l->n; i++)
        free(w->to[i]);
    free(w->from);
    free(w->to);
    free(w->errors);
    mtm_dicom_listing_free(w->l);
}

/* Files keep their names below `to`. */
static mtm_status work_begin(work *w, const char *from, const char *to, mtm_pool *pool, mtm_error *err)
{
    const mtm_dicom_scan_options scan = {.struct_size = sizeof scan, .pool = pool};
    mtm_status s = mtm_dicom_scan(&w->l, &from, 1, &scan, err);
    const size_t n = s ? 0 : (size_t)w->l->n;

    if (s)
        return s;
    w->from = calloc(n + 1, sizeof *w->from);
    w->to = calloc(n + 1, sizeof *w->to);
    w->errors = calloc(n + 1, sizeof *w->errors);
    for (size_t i = 0; w->from && w->to && w->errors && i < n; i++) {
        const char *const file = w->l->instances[i].path;
        const char *const rest = !strncmp(file, from, strlen(from)) ? file + strlen(from) : file;
        const size_t room = strlen(to) + strlen(rest) + 2;

        w->from[i] = file;
        w->to[i] = malloc(room);
        if (!w->to[i])
            return cli_bad(err, "out of memory");
        snprintf(w->to[i], room, "%s/%s", to, rest + strspn(rest, "/"));
    }
    return w->from && w->to && w->errors ? MTM_OK : cli_bad(err, "out of memory");
}

/* A failed file is told; the others are done. */
static int folder(const char *from, const char *to, const mtm_dicom_write_options *write, bool quiet)
{
    cli_bar bar = cli_bar_begin("writing");
    int code = CLI_OK;
    mtm_error err = {.offset = -1};
    work w = {0};

    if (work_begin(&w, from, to, write->pool, &err)) {
        code = cli_fail(from, &err);
        work_end(&w);
        return code;
    }
    mtm_dicom_write_files(w.from, (const char *const *)w.to, w.l->n, write, w.errors,
                          quiet || !isatty(STDERR_FILENO) ? NULL : cli_bar_show, &bar, &err);
    cli_bar_clear(&bar);
    for (int64_t i = 0; i < w.l->n; i++)
        if (w.errors[i].code)
            code = cli_fail(w.from[i], &w.errors[i]);
    if (!quiet)
        cli_dicom_skipped(w.l);
    if (w.l->n == 0)
        code = (cli_bad(&err, "there is no DICOM file in it"), cli_fail(from, &err), CLI_BAD_INPUT);
    work_end(&w);
    return code;
}

/* OUT, or the nearest folder above it that is there, is IN or lies inside it: the source's files could be overwritten. */
static bool is_inside(const char *out, const char *in)
{
    char *const source = realpath(in, NULL);
    char *path = strdup(out), *real = NULL;
    bool inside = false;

    for (char *end; path && !(real = realpath(path, NULL)) && (end = strrchr(path, '/')) && end > path;)
        *end = '\0';
    if (path && !real)
        real = realpath(path[0] == '/' ? "/" : ".", NULL);
    if (source && real) {
        const size_t n = strlen(source);

        inside = !strncmp(real, source, n) && (real[n] == '\0' || real[n] == '/' || n == 1);
    }
    free(path);
    free(real);
    free(source);
    return inside;
}

bool cli_transcode_wanted(int argc, char **argv)
{
    bool syntax = false, format = false;

    for (int i = 1; i < argc; i++) {
        syntax |= !strcmp(argv[i], "--syntax") || !strncmp(argv[i], "--syntax=", 9);
        format |= !strcmp(argv[i], "--format") || !strncmp(argv[i], "--format=", 9);
    }
    return syntax && !format;
}

int cli_transcode(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [SYNTAX] = {"syntax", "NAME",
                    "transfer syntax, by keyword or UID: HTJ2KLosslessRPCL, RLELossless, ...", NULL},
        [LOSSY] = {"lossy", NULL, "allow a syntax that loses", NULL},
        [NO_PROOF] = {"no-proof", NULL, "do not read back and compare what was written", NULL},
        [ROOT] = {"uid-root", "ROOT", "of new UIDs, with its last dot; default 2.25.", NULL},
        [QUIET] = {"quiet", NULL, "no progress, no word of files that are no DICOM", NULL},
    };
    const int n = cli_parse(&cli_convert, argc, argv, o, N_OPTIONS);
    mtm_dicom_write_options write = {.struct_size = sizeof write,
                                     .transfer_syntax = o[SYNTAX].value,
                                     .allow_lossy = o[LOSSY].value,
                                     .no_proof = o[NO_PROOF].value,
                                     .uid_root = o[ROOT].value};
    mtm_error err = {.offset = -1};
    int code = CLI_OK;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n != 2)
        return cli_usage(&cli_convert, "IN and OUT are wanted with --syntax");
    if (is_inside(argv[2], argv[1]))
        return cli_usage(&cli_convert, "OUT is IN, or lies inside it: files there could be overwritten");
    if (mtm_pool_new(&write.pool, 0, &err))
        return cli_fail(argv[1], &err);
    if (cli_is_folder(argv[1]))
        code = folder(argv[1], argv[2], &write, o[QUIET].value != NULL);
    else if (mtm_dicom_write_files((const char *const[]){argv[1]}, (const char *const[]){argv[2]}, 1, &write,
                                   NULL, NULL, NULL, &err))
        code = cli_fail(argv[1], &err);
    mtm_pool_free(write.pool);
    return code;
}
