/* cli/cli.h: what the subcommands share. The command line uses the public headers only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CLI_CLI_H
#define MTM_CLI_CLI_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "microtome/microtome.h"

enum { CLI_OK = 0, CLI_BAD_INPUT = 1, CLI_USAGE = 2, CLI_ENVIRONMENT = 3 };

/* One option of a subcommand: --name VALUE, or a flag when metavar is NULL. */
typedef struct cli_option {
    const char *name, *metavar, *help;
    const char *value; /* what was given; a flag: "" */
} cli_option;

typedef struct cli_command {
    const char *name, *usage, *help;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
} cli_command;

extern const cli_command cli_info, cli_convert, cli_decode, cli_encode, cli_view, cli_bench, cli_check,
    cli_ls;

/* Sorts argv into options and places (both orders mixed, "--" ends options). Returns the number of places, which are moved
 * to the front of argv[1…], or −1 after a message; −2 after --help was printed. */
int cli_parse(const cli_command *c, int argc, char **argv, cli_option *options, int n_options);

/* Prints "microtome: FILE: sentence (byte OFFSET)" and returns the exit code for the status. */
int cli_fail(const char *file, const mtm_error *err);
/* The same line without an error: "microtome: FILE", between (": "), sentence. */
void cli_tell(const char *file, const char *between, const char *sentence);
/* Fills err as MTM_E_INVAL: what was asked for does not fit the file. */
mtm_status cli_bad(mtm_error *err, const char *fmt, ...) MTM_PRINTF(2, 3);
int cli_usage(const cli_command *c, const char *fmt, ...) MTM_PRINTF(2, 3);

/* "z0:z1,y0:y1,x0:x1" into a box of an image; an empty side is the image's end. False: no box, or outside. */
bool cli_box(const char *text, const mtm_image_info *info, mtm_box *box);
/* The whole number of an option, or `standard` when it was not given. False, after a message: no whole number, or not in
 * lo … hi. */
bool cli_int(const cli_command *c, const cli_option *o, int lo, int hi, int standard, int *out);
/* "1,2.5,3" into numbers; returns how many, −1: not numbers, or more than most. */
int cli_numbers(const char *text, double *v, int most);

/* Runs an operator by name with arguments "name=value name=value"; values as in the operator reference. affine may be
 * NULL; else 16 numbers that are updated. out as in mtm_op_run. */
mtm_status cli_op(mtm_exec *x, const char *name, const char *args, const mtm_array *in, double *affine,
                  mtm_array *out, mtm_error *err);

/* Opens an image: a file, or the folder of a DICOM series; series: its SeriesInstanceUID, where the folder holds several (NULL: does not
 * say). A file that makes no image is bad input, MTM_E_CORRUPT, where the library says MTM_E_INVAL. */
mtm_status cli_open(mtm_image **out, const char *path, const char *series, const mtm_open_options *opt,
                    mtm_error *err);
/* The option of that. */
#define CLI_SERIES {"series", "UID", "DICOM: the series, where a folder holds several (microtome ls)", NULL}

/* A whole file in new memory (free). Errors: MTM_E_NOTFOUND, MTM_E_DENIED, MTM_E_IO, MTM_E_NOMEM. */
mtm_status cli_read_file(const char *path, uint8_t **data, size_t *size_bytes, mtm_error *err);

/* The headers' facts of a JPEG 2000 or HTJ2K file; false: the file is none, or damaged. Free with mtm_codec_info_free. */
bool cli_codestream_read(const char *path, mtm_codec_info **out);
void cli_codestream_text(const mtm_codec_info *f);
void cli_codestream_json(const mtm_codec_info *f); /* one object */

/* dicom.c. False: no DICOM file, or damaged. Close with mtm_dicom_close. */
bool cli_dicom_open(const char *path, mtm_dicom **out);
bool cli_dicom_has_pixels(const mtm_dicom *d);
void cli_dicom_text(
    const char *path,
    const mtm_dicom *d); /* of an object that is no image: an image has the same as properties */
int cli_dicom_json(const char *path,
                   const mtm_dicom *d); /* members of an object, a comma in front; exit code */
int cli_dicom_elements(const char *path, const mtm_dicom *d);
void cli_dicom_skipped(const mtm_dicom_listing *l); /* a line for each */
bool cli_is_folder(const char *path);

/* Progress over files, on a terminal (the caller asks isatty); user of cli_bar_show: the bar. */
typedef struct cli_bar {
    const char *what;
    int64_t begun_ms, shown_ms; /* shown_ms 0: nothing is on the line */
} cli_bar;
cli_bar cli_bar_begin(const char *what);
void cli_bar_show(void *user, int64_t done, int64_t files);
void cli_bar_clear(const cli_bar *b);

/* `convert --deidentify …`, which has options of its own. */
bool cli_deidentify_wanted(int argc, char **argv);
int cli_deidentify(int argc, char **argv);
/* `convert --syntax` without --format (transcode.c). */
bool cli_transcode_wanted(int argc, char **argv);
int cli_transcode(int argc, char **argv);

/* Text of a file, or its name, which may hold anything: controls and what is no UTF-8 become '?', so that a line stays a line and a
 * terminal is given no orders. */
void cli_put(FILE *f, const char *text);
void cli_json_text(FILE *f, const char *s);
void cli_json_number(FILE *f, double x); /* null for inf and nan */

#endif
