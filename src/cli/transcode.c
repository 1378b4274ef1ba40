/* cli/transcode.c: `microtome convert IN OUT --syntax NAME`: DICOM files and folders in another transfer syntax, with proof.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "cli.h"

enum { SYNTAX, FORMAT, LOSSY, NO_PROOF, ROOT, N_OPTIONS };
enum { PATH_ROOM = 4096 };

static bool is_folder(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static mtm_status one(const char *from, const char *to, const mtm_dicom_write_options *write, mtm_error *err)
{
    mtm_dicom *d = NULL;
    mtm_status s = mtm_dicom_open(&d, from, NULL, err);

    if (!s)
        s = mtm_dicom_write(to, d, write, err);
    mtm_dicom_close(d);
    return s;
}

/* Makes the folders of a path, its last part left out. */
static void make_folders(char *path)
{
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0777); /* one that cannot be made is told by the writing that follows */
        *at = '/';
    }
}

/* Files keep their names below `to`. A failed one is told; the others are done. */
static int all(const char *from, const char *to, const mtm_dicom_write_options *write)
{
    const mtm_dicom_scan_options scan = {.struct_size = sizeof scan, .pool = write->pool};
    mtm_dicom_listing *l = NULL;
    mtm_error err = {0};
    char path[PATH_ROOM];
    int code = CLI_OK;

    if (mtm_dicom_scan(&l, &from, 1, &scan, &err))
        return cli_fail(from, &err);
    for (int64_t i = 0; i < l->n; i++) {
        const char *const file = l->instances[i].path;
        const char *const rest = !strncmp(file, from, strlen(from)) ? file + strlen(from) : file;
        const int n = snprintf(path, sizeof path, "%s/%s", to, rest + strspn(rest, "/"));

        if (n >= PATH_ROOM)
            code = (cli_bad(&err, "the path is too long"), cli_fail(file, &err));
        else if (make_folders(path), one(file, path, write, &err))
            code = cli_fail(file, &err);
    }
    for (int64_t i = 0; i < l->n_skipped; i++)
        fprintf(stderr, "microtome: %s: left out: %s\n", l->skipped[i].path, l->skipped[i].why);
    mtm_dicom_listing_free(l);
    return code;
}

bool cli_transcode_wanted(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--syntax") || !strncmp(argv[i], "--syntax=", 9))
            return true;
    return false;
}

int cli_transcode(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [SYNTAX] = {"syntax", "NAME",
                    "transfer syntax, by keyword or UID: HTJ2KLosslessRPCL, RLELossless, ...", NULL},
        [FORMAT] = {"format", "NAME", "dicom", NULL},
        [LOSSY] = {"lossy", NULL, "allow a syntax that loses", NULL},
        [NO_PROOF] = {"no-proof", NULL, "do not read back and compare what was written", NULL},
        [ROOT] = {"uid-root", "ROOT", "of new UIDs, with its last dot; default 2.25.", NULL},
    };
    const int n = cli_parse(&cli_convert, argc, argv, o, N_OPTIONS);
    mtm_dicom_write_options write = {.struct_size = sizeof write,
                                     .transfer_syntax = o[SYNTAX].value,
                                     .allow_lossy = o[LOSSY].value,
                                     .no_proof = o[NO_PROOF].value,
                                     .uid_root = o[ROOT].value};
    mtm_error err = {0};
    int code = CLI_OK;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n != 2 || (o[FORMAT].value && strcmp(o[FORMAT].value, "dicom")))
        return cli_usage(&cli_convert, "IN and OUT are wanted with --syntax, and no format but dicom");
    if (mtm_pool_new(&write.pool, 0, &err))
        return cli_fail(argv[1], &err);
    if (is_folder(argv[1]))
        code = all(argv[1], argv[2], &write);
    else if (one(argv[1], argv[2], &write, &err))
        code = cli_fail(argv[1], &err);
    mtm_pool_free(write.pool);
    return code;
}
