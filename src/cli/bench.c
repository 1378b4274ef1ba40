/* cli/bench.c: `microtome bench`: how fast this machine runs the operators and the codec, reads an image, fills batches. Side
 * by side with other libraries: bench/run.py of the source tree.
 * SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "cli.h"
#include "examples.h"

enum { JSON, THREADS, CROP, N_OPTIONS };
enum { LEAST_ROUNDS = 5, MOST_ROUNDS = 200 };
static const double LEAST_SECONDS = 0.4;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

typedef struct timing {
    double best_ms;
    int rounds;
} timing;

/* Calls until the clock has seen enough; false when a call failed. */
static bool repeat(bool (*call)(void *arg), void *arg, timing *t)
{
    const double start = now();

    *t = (timing){.best_ms = 1e300};
    while (t->rounds < MOST_ROUNDS && (t->rounds < LEAST_ROUNDS || now() - start < LEAST_SECONDS)) {
        const double before = now();

        if (!call(arg))
            return false;
        const double ms = (now() - before) * 1e3;
        t->best_ms = ms < t->best_ms ? ms : t->best_ms;
        t->rounds++;
    }
    return true;
}

/* ---- operators ---------------------------------------------------------------------------------------- */

typedef struct op_call {
    mtm_exec *x;
    const cli_example *e;
    const mtm_array *in;
    mtm_error err;
} op_call;

static bool call_op(void *arg)
{
    op_call *const c = arg;
    mtm_array out = {.dtype = MTM_F32};
    const mtm_status s = cli_op(c->x, c->e->op, c->e->args, c->in, NULL, &out, &c->err);

    mtm_array_drop(&out);
    return s == MTM_OK;
}

static int bench_ops(mtm_exec *x, mtm_recycler *r, bool json)
{
    mtm_array in = {0};
    mtm_error err = {0};
    int code = CLI_OK;

    if (mtm_array_new(&in, MTM_F32, 3, (int64_t[]){128, 128, 128}, r, &err))
        return cli_fail(NULL, &err);
    for (int64_t i = 0; i < mtm_array_count(&in); i++)
        ((float *)in.data)[i] = (float)(i % 251) * 0.01f;
    if (!json)
        printf("128³ float32, one core      plain C     this CPU   times\n");
    for (const cli_example *e = cli_examples; e->op; e++) {
        op_call c = {.x = x, .e = e, .in = &in};
        timing plain, fast;

        mtm_exec_set_cpu(x, 0);
        const bool ok = repeat(call_op, &c, &plain);
        mtm_exec_set_cpu(x, mtm_cpu_flags());
        if (!ok || !repeat(call_op, &c, &fast)) {
            code = cli_fail(e->op, &c.err);
            break;
        }
        if (json)
            printf("%s{\"op\": \"%s\", \"args\": \"%s\", \"plain_ms\": %.4f, \"ms\": %.4f}",
                   e == cli_examples ? "[" : ",\n ", e->op, e->args, plain.best_ms, fast.best_ms);
        else
            printf("%-20s %11.2f ms %9.2f ms %6.1f   %s\n", e->op, plain.best_ms, fast.best_ms,
                   plain.best_ms / fast.best_ms, e->args);
    }
    if (json)
        printf("]\n");
    mtm_array_drop(&in);
    return code;
}

/* ---- the codec ---------------------------------------------------------------------------------------- */

typedef struct codec_call {
    mtm_codec_ctx *c;
    const cli_codec_example *e;
    const mtm_array *in;
    mtm_array out;
    mtm_bytes coded;
    mtm_error err;
} codec_call;

static bool call_encode(void *arg)
{
    codec_call *const c = arg;

    return !cli_codec_encode(c->c, c->e, c->in, &c->coded, &c->err);
}

static bool call_decode(void *arg)
{
    codec_call *const c = arg;

    return !mtm_decode(c->c, c->coded.data, c->coded.size_bytes, NULL, &c->out, &c->err);
}

static void print_codec(const codec_call *c, const timing plain[2], const timing fast[2], bool json)
{
    static const char *const what[2] = {"encode", "decode"};
    const double bits = 8 * (double)c->coded.size_bytes / (double)mtm_array_count(c->in);

    for (int k = 0; k < 2; k++)
        if (json)
            printf("%s{\"codec\": \"%s\", \"lossy\": %s, \"what\": \"%s\", \"plain_ms\": %.4f, \"ms\": %.4f, "
                   "\"bits_per_pixel\": %.4f}",
                   c->e == cli_codec_examples && !k ? "[" : ",\n ", c->e->codec,
                   c->e->lossy ? "true" : "false", what[k], plain[k].best_ms, fast[k].best_ms, bits);
        else
            printf("%-19s %s %8.2f ms %9.2f ms %6.1f   %.0f MS/s, %.2f bits per pixel\n", c->e->name, what[k],
                   plain[k].best_ms, fast[k].best_ms, plain[k].best_ms / fast[k].best_ms,
                   (double)mtm_array_count(c->in) / fast[k].best_ms / 1e3, bits);
}

/* One way to code in plain C and as this CPU does it. */
static bool bench_example(codec_call *c, bool json)
{
    timing plain[2], fast[2];

    mtm_codec_ctx_set_cpu(c->c, 0);
    if (!repeat(call_encode, c, &plain[0]) || !repeat(call_decode, c, &plain[1]))
        return false;
    mtm_codec_ctx_set_cpu(c->c, mtm_cpu_flags());
    if (!repeat(call_encode, c, &fast[0]) || !repeat(call_decode, c, &fast[1]))
        return false;
    print_codec(c, plain, fast, json);
    return true;
}

static int bench_codec(bool json)
{
    mtm_array in = {0};
    codec_call c = {.in = &in};
    int code = CLI_OK;

    if (cli_codec_picture(&in, 1024, 1024, &c.err) || mtm_codec_ctx_new(&c.c, &c.err))
        code = cli_fail(NULL, &c.err);
    if (!code && !json)
        printf("1024² of 12 bits, one core      plain C     this CPU   times\n");
    for (c.e = cli_codec_examples; !code && c.e->name; c.e++)
        if (!bench_example(&c, json))
            code = cli_fail(c.e->name, &c.err);
    printf(json && !code ? "]\n" : "");
    mtm_codec_ctx_free(c.c);
    mtm_bytes_drop(&c.coded);
    mtm_array_drop(&c.out), mtm_array_drop(&in);
    return code;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

typedef struct read_call {
    const char *path;
    mtm_pool *pool;
    mtm_recycler *recycler;
    int64_t bytes;
    mtm_error err;
} read_call;

static bool call_read(void *arg)
{
    read_call *const c = arg;
    mtm_read_options read = {.struct_size = sizeof read, .pool = c->pool, .recycler = c->recycler};
    mtm_array a = {.dtype = MTM_F32};
    mtm_image *im;

    if (mtm_image_open(&im, c->path, NULL, &c->err))
        return false;
    const mtm_status s = mtm_image_read(im, 0, NULL, &read, &a, &c->err);
    c->bytes = mtm_array_count(&a) * 4;
    mtm_array_drop(&a);
    mtm_image_close(im);
    return s == MTM_OK;
}

static int bench_image(const char *path, mtm_pool *pool, mtm_recycler *r, bool json)
{
    read_call c = {.path = path, .pool = pool, .recycler = r};
    timing t;

    if (!repeat(call_read, &c, &t))
        return cli_fail(path, &c.err);
    printf(json ? "{\"ms\": %.4f, \"gb_per_s\": %.4f, \"rounds\": %d}\n"
                : "open and read as float32: %.2f ms, %.2f GB/s, best of %d\n",
           t.best_ms, (double)c.bytes / t.best_ms / 1e6, t.rounds);
    return CLI_OK;
}

/* ---- the loader --------------------------------------------------------------------------------------- */

static int bench_load(const char *path, const char *crop, int threads, bool json)
{
    const mtm_field field = {.name = "image", .kind = MTM_FIELD_IMAGE, .uri = path};
    mtm_loader_options options = mtm_loader_options_default();
    const mtm_arg size = {.name = "size", .kind = MTM_ARG_TEXT, .text = crop};
    mtm_item items[32];
    mtm_error err = {0};
    mtm_chain *chain = NULL;
    mtm_loader *loader = NULL;
    int64_t samples = 0;
    int code = CLI_OK;

    for (int i = 0; i < 32; i++)
        items[i] = (mtm_item){.fields = &field, .n_fields = 1};
    options.threads = threads, options.cache_bytes = 1ull << 30, options.shuffle = true;
    if (mtm_chain_new(&chain, &err) || mtm_chain_add(chain, "random_crop", NULL, 0, &size, 1, &err) ||
        mtm_loader_new(&loader, items, 32, chain, &options, &err))
        code = cli_fail(path, &err);
    const double start = now();
    for (int64_t epoch = 0; !code && now() - start < 2; epoch++) {
        mtm_batch *batch = NULL;
        bool timed_out;

        if (mtm_loader_seek(loader, epoch, 0, &err))
            code = cli_fail(path, &err);
        while (!code && !mtm_loader_next(loader, -1, &batch, &timed_out, &err) && batch) {
            samples += batch->n;
            mtm_batch_release(batch);
        }
        if (!code && err.code)
            code = cli_fail(path, &err);
    }
    if (!code)
        printf(json ? "{\"samples_per_s\": %.3f}\n" : "random crops from the volume cache: %.1f samples/s\n",
               (double)samples / (now() - start));
    mtm_loader_free(loader);
    mtm_chain_free(chain);
    return code;
}

static int run(int argc, char **argv)
{
    cli_option o[N_OPTIONS] = {
        [JSON] = {"json", NULL, "machine-readable", NULL},
        [THREADS] = {"threads", "N", "for image and load; default 1", NULL},
        [CROP] = {"crop", "Z,Y,X", "for load; default 64,64,64", NULL},
    };
    const int n = cli_parse(&cli_bench, argc, argv, o, N_OPTIONS);
    mtm_error err = {0};
    mtm_pool *pool = NULL;
    mtm_exec *x = NULL;
    mtm_recycler *r = NULL;
    int threads, code;

    if (n < 0)
        return n == -2 ? CLI_OK : CLI_USAGE;
    if (!cli_int(&cli_bench, &o[THREADS], 1, 512, 1, &threads))
        return CLI_USAGE;
    if (mtm_recycler_new(&r, (size_t)1 << 30, &err) || mtm_pool_new(&pool, threads, &err) ||
        mtm_exec_new(&x, NULL, r, &err))
        code = cli_fail(NULL, &err);
    else if (n == 1 && !strcmp(argv[1], "ops"))
        code = bench_ops(x, r, o[JSON].value);
    else if (n == 1 && !strcmp(argv[1], "codec"))
        code = bench_codec(o[JSON].value);
    else if (n == 2 && !strcmp(argv[1], "image"))
        code = bench_image(argv[2], pool, r, o[JSON].value);
    else if (n == 2 && !strcmp(argv[1], "load"))
        code = bench_load(argv[2], o[CROP].value ? o[CROP].value : "64,64,64", threads, o[JSON].value);
    else
        code = cli_usage(&cli_bench, "ops, codec, image PATH or load PATH is wanted");
    mtm_exec_free(x);
    mtm_pool_free(pool);
    mtm_recycler_free(r);
    return code;
}

const cli_command cli_bench = {
    .name = "bench",
    .usage = "bench ops | codec | image PATH | load PATH",
    .help = "how fast this machine runs the operators and the codec, reads an image, fills batches",
    .run = run,
};
