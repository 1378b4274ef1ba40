/* cli/decode.c: `microtome decode IN OUT`: one codestream, or a part of it, to samples.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

enum { REGION, REDUCE, LAYERS, COMPONENTS, DTYPE, CODEC, SHAPE, RGB, PARTIAL, THREADS, JSON, N_OPTIONS };
enum { MOST_COMPONENTS = 64 };

typedef struct job {
    uint8_t *data;
    size_t size_bytes;
    mtm_pool *pool;
    mtm_codec_ctx *ctx;
    mtm_decode_params p;
    mtm_decode_report report;
    int32_t components[MOST_COMPONENTS];
} job;

static void job_end(job *j)
{
    mtm_codec_ctx_free(j->ctx);
    mtm_pool_free(j->pool);
    free(j->data);
}

/* "y0:y1,x0:x1"; an end left out is the picture's, of `shape`. */
static bool region_get(const char *text, const int64_t shape[2], int64_t region[4])
{
    const mtm_image_info plane = {.ndim = 2, .shape = {shape[0], shape[1]}};
    mtm_box box;

    if (!cli_box(text, &plane, &box))
        return false;
    for (int i = 0; i < 2; i++)
        region[2 * i] = box.start[i], region[2 * i + 1] = box.start[i] + box.size[i];
    return true;
}

/* Size of the reduced picture on the reference grid. */
static mtm_status picture_size(const job *j, int64_t shape[2], mtm_error *err)
{
    const int64_t unit = INT64_C(1) << j->p.reduce;
    mtm_codec_info *f;

    shape[0] = j->p.shape[0], shape[1] = j->p.shape[1];
    if (j->p.stored)
        return MTM_OK;
    const mtm_status s = mtm_codec_info_new(&f, j->data, j->size_bytes, NULL, err);

    if (s)
        return s;
    shape[0] = (f->y0 + f->height + unit - 1) / unit - (f->y0 + unit - 1) / unit;
    shape[1] = (f->x0 + f->width + unit - 1) / unit - (f->x0 + unit - 1) / unit;
    mtm_codec_info_free(f);
    return MTM_OK;
}

static mtm_status params_get(job *j, cli_option *o, mtm_error *err)
{
    double numbers[MOST_COMPONENTS];
    int64_t shape[2];

    j->p.to_rgb = o[RGB].value, j->p.partial = o[PARTIAL].value, j->p.report = &j->report,
    j->p.pool = j->pool;
    if (o[DTYPE].value && (j->p.dtype = mtm_dtype_parse(o[DTYPE].value)) == MTM_NONE)
        return cli_bad(err, "--dtype %.40s is no dtype; NumPy's names are meant", o[DTYPE].value);
    if (o[SHAPE].value) { /* of RLE and deflated frames, whose samples --dtype tells */
        const int n = cli_numbers(o[SHAPE].value, numbers, 3);

        for (int i = 0; i < n && i < 3; i++)
            j->p.shape[i] = numbers[i] >= 1 && numbers[i] < 1e9 ? (int64_t)numbers[i] : 0;
        j->p.stored = j->p.dtype;
        if (n < 2 || !j->p.shape[0] || !j->p.shape[1] || !j->p.stored || !o[CODEC].value)
            return cli_bad(err, "--shape Y,X or Y,X,C goes with --codec rle or deflate, and --dtype");
    }
    j->p.codec = o[CODEC].value;
    if (o[COMPONENTS].value) {
        const int n = cli_numbers(o[COMPONENTS].value, numbers, MOST_COMPONENTS);

        for (int i = 0; i < n; i++)
            j->components[i] = (int32_t)numbers[i];
        if (n < 1)
            return cli_bad(err, "--components %.40s is no list of numbers", o[COMPONENTS].value);
        j->p.components = j->components, j->p.n_components = n;
    }
    if (o[REGION].value) {
        const mtm_status s = picture_size(j, shape, err);

        if (s)
            return s;
        if (!region_get(o[REGION].value, shape, j->p.region))
            return cli_bad(err, "--region %.80s is no part of this picture", o[REGION].value);
        j->p.has_region = true;
    }
    return MTM_OK;
}

/* "a.pgx", 2 → "a-2.pgx" */
static void numbered(char *out, size_t room, const char *path, int i)
{
    const char *const dot = strrchr(path, '.'), *const slash = strrchr(path, '/');
    const size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);

    snprintf(out, room, "%.*s-%d%s", (int)stem, path, i, path + stem);
}

static void print_shape(const mtm_array *a)
{
    printf("[");
    for (int i = 0; i < a->ndim; i++)
        printf("%s%" PRId64, i ? ", " : "", a->shape[i]);
    printf("]");
}

static mtm_status put(const char *path, const mtm_array *a, mtm_error *err)
{
    const mtm_write_options w = {.struct_size = sizeof w, .axes = a->ndim == 3 ? "YXC" : "YX"};

    return mtm_image_write(path, a, &w, err);
}

/* Channels of sizes of their own: one file each. */
static mtm_status decode_planes(job *j, const char *path, bool json, mtm_error *err)
{
    mtm_array planes[MOST_COMPONENTS] = {0};
    char name[4096];
    int32_t n = 0;
    mtm_status s = mtm_decode_planes(j->ctx, j->data, j->size_bytes, &j->p, planes, MOST_COMPONENTS, &n, err);

    for (int32_t i = 0; !s && i < n; i++) {
        numbered(name, sizeof name, path, i);
        s = put(name, &planes[i], err);
        fputs(json && i ? ", " : "", stdout);
        if (json && !s)
            print_shape(&planes[i]);
    }
    for (int32_t i = 0; i < n; i++)
        mtm_array_drop(&planes[i]);
    return s;
}

static void print_report(const mtm_decode_report *r)
{
    printf(", \"complete\": %s, \"levels\": %d, \"bytes_used\": %" PRId64 ", \"blocks\": %" PRId64
           ", \"blocks_decoded\": %" PRId64 ", \"blocks_damaged\": %" PRId64 ", \"warnings\": [",
           r->complete ? "true" : "false", r->levels, r->bytes_used, r->blocks, r->blocks_decoded,
           r->blocks_damaged);
    for (int i = 0; i < r->n_warnings && i < 8; i++) {
        fputs(i ? ", " : "", stdout);
        cli_json_text(stdout, r->warnings[i]);
    }
    printf("]}\n");
}

static mtm_status decode(job *j, const char *path, bool json, mtm_error *err)
{
    mtm_dtype dtype;
    int64_t shape[3];
    bool same_size;
    int32_t ndim;
    mtm_array a = {0};
    mtm_status s =
        mtm_decode_shape(j->ctx, j->data, j->size_bytes, &j->p, &ndim, shape, &dtype, &same_size, err);

    if (s)
        return s;
    if (json)
        printf("{\"dtype\": \"%s\", \"shape\": ", mtm_dtype_name(dtype));
    if (!same_size) {
        fputs(json ? "[" : "", stdout);
        s = decode_planes(j, path, json, err);
        fputs(json ? "]" : "", stdout);
    } else if (!(s = mtm_decode(j->ctx, j->data, j->size_bytes, &j->p, &a, err))) {
        if (json)
            print_shape(&a);
        s = put(path, &a, err);
        mtm_array_drop(&a);
    }
    return s;
}

static int run(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [REGION] = {"region", "Y0:Y1,X0:X1", "only this part, half open, in pixels of the reduced picture",
                    NULL},
        [REDUCE] = {"reduce", "N", "leave out N resolutions; each halves the size", NULL},
        [LAYERS] = {"layers", "N", "quality layers to use; default all", NULL},
        [COMPONENTS] = {"components", "0,2", "only these channels, in this order", NULL},
        [DTYPE] = {"dtype", "NAME", "of the samples; default the smallest that holds them", NULL},
        [CODEC] = {"codec", "NAME", "rle and deflate must be named; others are known by their bytes", NULL},
        [SHAPE] = {"shape", "Y,X[,C]", "of an rle or deflate frame, with --dtype of its samples", NULL},
        [RGB] = {"rgb", NULL, "YCbCr and other known colour spaces to RGB", NULL},
        [PARTIAL] = {"partial", NULL, "decode what there is of a cut or damaged file", NULL},
        [THREADS] = {"threads", "N", "default: one per CPU", NULL},
        [JSON] = {"json", NULL, "report shape, dtype and what was missing", NULL},
    };
    const int n = cli_parse(&cli_decode, argc, argv, o, N_OPTIONS);
    mtm_error err = {0};
    job j = {.p = {.struct_size = sizeof j.p}};
    int threads;
    mtm_status s;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (n != 2)
        return cli_usage(&cli_decode, "IN and OUT are wanted");
    if (!cli_int(&cli_decode, &o[REDUCE], 0, 32, 0, &j.p.reduce) ||
        !cli_int(&cli_decode, &o[LAYERS], 1, 65535, 0, &j.p.layers) ||
        !cli_int(&cli_decode, &o[THREADS], 1, 512, 0, &threads))
        return CLI_USAGE;
    if ((s = cli_read_file(argv[1], &j.data, &j.size_bytes, &err)) || (s = mtm_codec_ctx_new(&j.ctx, &err)) ||
        (threads != 1 && (s = mtm_pool_new(&j.pool, threads, &err))) || (s = params_get(&j, o, &err)) ||
        (s = decode(&j, argv[2], o[JSON].value, &err))) {
        job_end(&j);
        return cli_fail(err.where[0] ? NULL : argv[1], &err);
    }
    if (o[JSON].value)
        print_report(&j.report);
    else if (!j.report.complete)
        fprintf(stderr,
                "microtome: %s: %" PRId64 " of %" PRId64 " code-blocks were there, %" PRId64 " damaged\n",
                argv[1], j.report.blocks_decoded, j.report.blocks, j.report.blocks_damaged);
    job_end(&j);
    return CLI_OK;
}

const cli_command cli_decode = {
    .name = "decode",
    .usage = "decode IN OUT [--region Y0:Y1,X0:X1] [--reduce N]",
    .help =
        "a JPEG 2000, HTJ2K, JPEG or JPEG-LS file, or an RLE frame, to .npy, .png, .pgm, .ppm, .pgx or .raw\n"
        "Channels of sizes of their own become OUT-0, OUT-1, ...",
    .run = run,
};
