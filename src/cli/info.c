/* cli/info.c: `microtome info PATH…`: what a picture is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

static void text_info(const char *path, mtm_image *im)
{
    const mtm_image_info *const i = mtm_image_info_get(im);

    printf("%s\n  format   %s, %s\n  shape    ", path, i->format,
           strcmp(i->codec, "none") ? i->codec : "not compressed");
    for (int k = 0; k < i->ndim; k++)
        printf("%s%" PRId64, k ? " × " : "", i->shape[k]);
    printf("  (%s)\n", i->axes);
    for (int l = 1; l < i->n_levels; l++) {
        mtm_image_level level;

        if (mtm_image_level_get(im, l, &level, NULL))
            continue;
        printf("  level %-2d ", l);
        for (int k = 0; k < i->ndim; k++)
            printf("%s%" PRId64, k ? " × " : "", level.shape[k]);
        printf("  (1 / %g)\n", level.downsample);
    }
    printf("  dtype    %s", mtm_dtype_name(i->stored_dtype));
    if (i->dtype != i->stored_dtype)
        printf(", read as %s: value · %g + %g", mtm_dtype_name(i->dtype), i->slope, i->inter);
    printf("\n  spacing  ");
    for (int k = 0; k < i->ndim; k++)
        printf("%s%g", k ? " × " : "", i->spacing[k]);
    printf(" (mm; T in s)\n");
    if (i->has_affine)
        for (int r = 0; r < 3; r++)
            printf("  %s %10.4f %10.4f %10.4f %10.4f\n", r ? "       " : "affine ", i->affine[4 * r],
                   i->affine[4 * r + 1], i->affine[4 * r + 2], i->affine[4 * r + 3]);
    printf("  bytes    %" PRId64 "\n", i->file_bytes);
    for (int64_t k = 0; k < mtm_image_property_count(im); k++) {
        const char *key, *value;

        mtm_image_property_get(im, k, &key, &value);
        printf("  %s = %s\n", key, value);
    }
    for (int64_t k = 0; k < mtm_image_problem_count(im); k++)
        printf("  problem: %s\n", mtm_image_problem_get(im, k));
}

static void text_stats(const mtm_image_stats *s)
{
    printf("  values   %" PRId64 ", min %g, max %g, mean %g, std %g, non-finite %" PRId64 "\n", s->count,
           s->min, s->max, s->mean, s->std, s->non_finite);
}

static void json_list(const char *key, const double *v, int n)
{
    printf(", \"%s\": [", key);
    for (int k = 0; k < n; k++) {
        fputs(k ? ", " : "", stdout);
        cli_json_number(stdout, v[k]);
    }
    printf("]");
}

static void json_geometry(const mtm_image_info *i)
{
    printf(", \"shape\": [");
    for (int k = 0; k < i->ndim; k++)
        printf("%s%" PRId64, k ? ", " : "", i->shape[k]);
    printf("]");
    json_list("spacing", i->spacing, i->ndim);
    if (!i->has_affine) {
        printf(", \"affine\": null");
        return;
    }
    printf(", \"affine\": [");
    for (int r = 0; r < 4; r++) {
        printf("%s[", r ? ", " : "");
        for (int c = 0; c < 4; c++) {
            fputs(c ? ", " : "", stdout);
            cli_json_number(stdout, i->affine[4 * r + c]);
        }
        printf("]");
    }
    printf("]");
}

static void json_info(const char *path, mtm_image *im, const mtm_image_stats *stats,
                      const mtm_codec_info *stream)
{
    const mtm_image_info *const i = mtm_image_info_get(im);

    printf("{\"path\": ");
    cli_json_text(stdout, path);
    printf(", \"format\": \"%s\", \"codec\": \"%s\", \"axes\": \"%s\", \"stored_dtype\": \"%s\", \"dtype\": "
           "\"%s\"",
           i->format, i->codec, i->axes, mtm_dtype_name(i->stored_dtype), mtm_dtype_name(i->dtype));
    json_geometry(i);
    printf(", \"slope\": ");
    cli_json_number(stdout, i->slope);
    printf(", \"inter\": ");
    cli_json_number(stdout, i->inter);
    printf(", \"levels\": %d, \"bytes\": %" PRId64 ", \"non_finite\": %" PRId64, i->n_levels, i->file_bytes,
           stats ? stats->non_finite : 0);
    if (stats) {
        printf(", \"count\": %" PRId64, stats->count);
        json_list("range", (double[]){stats->min, stats->max}, 2);
        json_list("mean_std", (double[]){stats->mean, stats->std}, 2);
    }
    printf(", \"properties\": {");
    for (int64_t k = 0; k < mtm_image_property_count(im); k++) {
        const char *key, *value;

        mtm_image_property_get(im, k, &key, &value);
        fputs(k ? ", " : "", stdout);
        cli_json_text(stdout, key);
        fputs(": ", stdout);
        cli_json_text(stdout, value);
    }
    printf("}, \"level_shapes\": [");
    for (int l = 0; l < i->n_levels; l++) {
        mtm_image_level level = {0};

        (void)mtm_image_level_get(im, l, &level, NULL);
        for (int k = 0; k < i->ndim; k++)
            printf("%s%" PRId64, k ? ", " : l ? ", [" : "[", level.shape[k]);
        printf("]");
    }
    printf("], \"problems\": [");
    for (int64_t k = 0; k < mtm_image_problem_count(im); k++) {
        fputs(k ? ", " : "", stdout);
        cli_json_text(stdout, mtm_image_problem_get(im, k));
    }
    printf("]");
    if (stream) {
        printf(", \"codestream\": ");
        cli_codestream_json(stream);
    }
    printf("}");
}

/* A stream that is no image here, because its channels have sizes of their own. */
static void stream_only(const char *path, const mtm_codec_info *stream, bool json, bool first)
{
    if (!json) {
        printf("%s\n", path);
        cli_codestream_text(stream);
        return;
    }
    printf("%s{\"path\": ", first ? "" : ",\n ");
    cli_json_text(stdout, path);
    printf(", \"codestream\": ");
    cli_codestream_json(stream);
    printf("}");
}

/* Integers cannot be non-finite: their voxels are read only when statistics are asked for. */
static bool wants_stats(const mtm_image *im, bool asked, bool json)
{
    return asked || (json && !mtm_dtype_is_integer(mtm_image_info_get(im)->stored_dtype));
}

/* first: no object has been printed yet. */
static int info_one(const char *path, mtm_index *index, bool json, bool stats, mtm_pool *pool, bool first)
{
    mtm_open_options open = {.struct_size = sizeof open, .index = index};
    mtm_read_options read = {.struct_size = sizeof read, .pool = pool};
    mtm_image_stats values;
    mtm_error err = {0};
    mtm_codec_info *stream = NULL;
    mtm_image *im;
    int code = CLI_OK;

    (void)cli_codestream_read(path, &stream);
    if (mtm_image_open(&im, path, &open, &err)) {
        if (stream && err.code == MTM_E_UNSUPPORTED)
            stream_only(path, stream, json, first);
        else
            code = cli_fail(path, &err);
        mtm_codec_info_free(stream);
        return code;
    }
    const bool count = wants_stats(im, stats, json);
    if (count && mtm_image_stats_get(im, &read, &values, &err)) {
        code = cli_fail(path, &err);
    } else if (json) {
        fputs(first ? "" : ",\n ", stdout);
        json_info(path, im, count ? &values : NULL, stream);
    } else {
        text_info(path, im);
        if (stream)
            cli_codestream_text(stream);
        if (count)
            text_stats(&values);
    }
    mtm_codec_info_free(stream);
    mtm_image_close(im);
    return code;
}

static int run(int argc, char **argv)
{
    cli_option options[] = {{"json", NULL, "machine-readable: a list with one object per image", NULL},
                            {"stats", NULL, "read the voxels too: range, mean, standard deviation", NULL},
                            {"index", "PATH", "sidecar index to use and fill", NULL}};
    const int n = cli_parse(&cli_info, argc, argv, options, 3);
    const bool json = n > 0 && options[0].value;
    int code = CLI_OK;
    mtm_error err = {0};
    mtm_index *index = NULL;
    mtm_pool *pool = NULL;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n == 0)
        return cli_usage(&cli_info, "a path is wanted");
    if (options[2].value && mtm_index_open(&index, options[2].value, &err))
        return cli_fail(options[2].value, &err);
    if (mtm_pool_new(&pool, 0, &err))
        code = cli_fail(NULL, &err);
    bool first = true;
    fputs(json ? "[" : "", stdout);
    for (int i = 1; pool && i <= n; i++) {
        const int one = info_one(argv[i], index, json, options[1].value != NULL, pool, first);
        first = first && one != CLI_OK;
        code = one > code ? one : code;
    }
    fputs(json ? "]\n" : "", stdout);
    mtm_pool_free(pool);
    mtm_index_close(index);
    return code;
}

const cli_command cli_info = {
    .name = "info",
    .usage = "info PATH... [--json] [--stats]",
    .help = "what it is: format, shape, axes, dtype, spacing, geometry, properties, problems",
    .run = run,
};
