/* cli/check.c: `microtome check`: on this CPU, the fast variants of every operator and of the codec against plain C.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "cli.h"
#include "examples.h"

/* The bound is doc/numerics.md's: 1e-5 of the range for interpolation and filters, 2e-5 for cubic. */
const cli_example cli_examples[] = {
    {"resize", "size=96,96,96 interp=linear antialias=false", 1e-5},
    {"resize", "size=160,160,160 interp=linear antialias=false", 1e-5},
    {"resize", "size=96,96,96 interp=linear", 1e-5},
    {"resize", "size=96,96,96 interp=cubic", 1e-5},
    {"resize", "size=96,96,96 interp=area", 1e-5},
    {"affine", "matrix=0.94,-0.34,0,23,0.34,0.94,0,-18,0,0,1,2 interp=linear", 1e-5},
    {"affine", "matrix=0.94,-0.34,0,23,0.34,0.94,0,-18,0,0,1,2 interp=nearest", 0},
    {"affine", "matrix=0.94,-0.34,0,23,0.34,0.94,0,-18,0,0,1,2 interp=cubic", 2e-5},
    {"rotate", "axis=1,1,1 degrees=20 keep_size=true", 1e-5},
    {"flip", "axis=2", 0},
    {"rot90", "k=1 axes=1,2", 0},
    {"pad", "before=3,2,1 after=1,2,3", 0},
    {"gaussian_blur", "sigma=1", 1e-5},
    {"gaussian_blur", "sigma=3", 1e-5},
    {"scale", "", 1e-5},
    {"normalize", "", 1e-5},
    {"normalize", "nonzero=true", 1e-5},
    {"clip_percentile", "", 1e-6},
    {"window", "center=0.2 width=1.5", 1e-6},
    {"gamma", "gamma=1.5", 1e-5},
    {"contrast", "factor=1.3", 1e-5},
    {"brightness", "add=0.1 multiply=1.1", 1e-6},
    {"shift", "offset=0.5", 1e-6},
    {"gaussian_noise", "sigma=0.1 seed=1", 0},
    {NULL, NULL, 0},
};

static const struct tier {
    const char *name;
    unsigned flags;
} tiers[] = {{"avx2", MTM_CPU_AVX2},
             {"avx512", MTM_CPU_AVX2 | MTM_CPU_AVX512},
             {"vbmi2", MTM_CPU_AVX2 | MTM_CPU_AVX512 | MTM_CPU_VBMI2}};

/* Smooth values with a grain, the same on every run. */
static void fill(float *x, const int64_t shape[3])
{
    size_t i = 0;

    for (int64_t z = 0; z < shape[0]; z++)
        for (int64_t y = 0; y < shape[1]; y++)
            for (int64_t xx = 0; xx < shape[2]; xx++, i++) {
                uint32_t r[4];
                mtm_philox(7, (uint32_t[]){(uint32_t)i, 0, 0, 0}, r);
                x[i] = r[1] % 5 ? sinf(0.1f * (float)z) * cosf(0.07f * (float)y) + 0.03f * (float)(xx % 31) +
                                      (float)(r[0] >> 8) * 0x1p-25f
                                : 0;
            }
}

static double range_of(const mtm_array *a)
{
    const float *const p = a->data;
    const int64_t n = mtm_array_count(a);
    double lo = INFINITY, hi = -INFINITY;

    for (int64_t i = 0; i < n; i++)
        if (isfinite(p[i]))
            lo = fmin(lo, p[i]), hi = fmax(hi, p[i]);
    return hi > lo ? hi - lo : 0;
}

/* Largest difference as a part of the values' range, of the input or of the result, whichever is wider (a warp may show
 * one corner only); NaN on one side only is infinite. */
static double difference(const mtm_array *in, const mtm_array *a, const mtm_array *b)
{
    const float *const p = a->data, *const q = b->data;
    const int64_t n = mtm_array_count(a);
    const double range = fmax(range_of(in), range_of(a));
    double most = 0;

    for (int64_t i = 0; i < n; i++) {
        if (isnan(p[i]) != isnan(q[i]))
            return INFINITY;
        if (!isnan(p[i]))
            most = fmax(most, fabs((double)p[i] - q[i]));
    }
    return range > 0 ? most / range : most;
}

typedef struct report {
    bool json;
    int compared, failed;
} report;

static void print_result(const report *r, const cli_example *e, const struct tier *t, bool ok, double d,
                         const mtm_error *err)
{
    if (r->json) {
        printf("%s{\"op\": \"%s\", \"args\": \"%s\", \"tier\": \"%s\", \"ok\": %s, \"bound\": %g, "
               "\"difference\": ",
               r->compared ? ",\n " : "", e->op, e->args, t->name, ok ? "true" : "false", e->bound);
        cli_json_number(stdout, d);
        printf("}");
        return;
    }
    printf("%-6s %-15s %-7s %s", ok ? "ok" : "FAILED", e->op, t->name, e->args);
    if (err->code)
        printf(": %s\n", err->text);
    else
        printf("  (difference %.2g of the range, bound %.2g)\n", d, e->bound);
}

/* One operator in one tier. */
static void compare(report *r, mtm_exec *x, const cli_example *e, const struct tier *t, const mtm_array *in)
{
    mtm_array plain = {.dtype = MTM_F32}, fast = {.dtype = MTM_F32};
    mtm_error err = {0};
    mtm_status s;

    mtm_exec_set_cpu(x, 0);
    s = cli_op(x, e->op, e->args, in, NULL, &plain, &err);
    mtm_exec_set_cpu(x, t->flags);
    if (s == MTM_OK)
        s = cli_op(x, e->op, e->args, in, NULL, &fast, &err);
    const double d = s == MTM_OK ? difference(in, &plain, &fast) : INFINITY;
    const bool ok = s == MTM_OK && d <= e->bound;
    print_result(r, e, t, ok, d, &err);
    r->compared++, r->failed += !ok;
    mtm_array_drop(&plain);
    mtm_array_drop(&fast);
}

/* Every operator in one tier, on odd, even and thin volumes. */
static mtm_status check_tier(report *r, mtm_exec *x, const struct tier *t, mtm_error *err)
{
    static const int64_t shapes[][3] = {{37, 41, 67}, {64, 64, 64}, {1, 5, 19}};

    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        mtm_array in = {0};
        const mtm_status s = mtm_array_new(&in, MTM_F32, 3, shapes[k], NULL, err);

        if (s)
            return s;
        fill(in.data, shapes[k]);
        for (const cli_example *e = cli_examples; e->op; e++)
            compare(r, x, e, t, &in);
        mtm_array_drop(&in);
    }
    return MTM_OK;
}

/* ---- the codec ---------------------------------------------------------------------------------------- */

/* Codes and decodes in one tier. Errors: those of the codec. */
static mtm_status round_trip(mtm_codec_ctx *c, unsigned cpu, const cli_codec_example *e, const mtm_array *in,
                             mtm_bytes *coded, mtm_array *out, mtm_error *err)
{
    mtm_status s;

    mtm_codec_ctx_set_cpu(c, cpu);
    s = cli_codec_encode(c, e, in, coded, err);
    return s ? s : mtm_decode(c, coded->data, coded->size_bytes, NULL, out, err);
}

static bool same_pixels(const mtm_array *a, const mtm_array *b)
{
    return a->dtype == b->dtype && mtm_array_count(a) == mtm_array_count(b) &&
           !memcmp(a->data, b->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype));
}

/* Bytes and pixels must be those of plain C, and lossless pixels the picture's. */
static void compare_codec(report *r, mtm_codec_ctx *c, const cli_codec_example *e, const struct tier *t,
                          const mtm_array *in)
{
    mtm_bytes plain = {0}, fast = {0};
    mtm_array slow = {0}, quick = {0};
    mtm_error err = {0};
    const bool done =
        !round_trip(c, 0, e, in, &plain, &slow, &err) && !round_trip(c, t->flags, e, in, &fast, &quick, &err);
    const bool ok = done && plain.size_bytes == fast.size_bytes &&
                    !memcmp(plain.data, fast.data, fast.size_bytes) && same_pixels(&slow, &quick) &&
                    (e->lossy || same_pixels(in, &quick));
    const cli_example as = {e->codec, e->lossy ? "lossy" : "lossless", 0};

    print_result(r, &as, t, ok, ok ? 0 : INFINITY, &err);
    r->compared++, r->failed += !ok;
    mtm_bytes_drop(&plain), mtm_bytes_drop(&fast);
    mtm_array_drop(&slow), mtm_array_drop(&quick);
}

static mtm_status check_codec(report *r, const struct tier *t, mtm_error *err)
{
    static const int64_t shapes[][2] = {{200, 333}, {1, 77}, {65, 64}};
    mtm_codec_ctx *c;
    mtm_status s = mtm_codec_ctx_new(&c, err);

    if (s)
        return s;
    for (size_t k = 0; !s && k < sizeof shapes / sizeof *shapes; k++) {
        mtm_array in = {0};

        s = cli_codec_picture(&in, shapes[k][0], shapes[k][1], err);
        for (const cli_codec_example *e = cli_codec_examples; !s && e->name; e++)
            compare_codec(r, c, e, t, &in);
        mtm_array_drop(&in);
    }
    mtm_codec_ctx_free(c);
    return s;
}

static int run(int argc, char **argv)
{
    cli_option options[] = {{"json", NULL, "machine-readable: a list with one object per comparison", NULL}};
    const int n = cli_parse(&cli_check, argc, argv, options, 1);
    report r = {.json = options[0].value != NULL};
    mtm_error err = {0};
    mtm_status s;
    mtm_exec *x;

    if (n)
        return n == -2 ? CLI_OK : n < 0 ? CLI_USAGE : cli_usage(&cli_check, "no place is wanted");
    if (mtm_exec_new(&x, NULL, NULL, &err))
        return cli_fail(NULL, &err);
    fputs(r.json ? "[" : "", stdout);
    s = MTM_OK;
    for (size_t t = 0; !s && t < sizeof tiers / sizeof *tiers; t++) {
        if ((mtm_cpu_flags() & tiers[t].flags) == tiers[t].flags)
            s = check_tier(&r, x, &tiers[t], &err) ? err.code : check_codec(&r, &tiers[t], &err);
        else if (!r.json)
            printf("skipped: this CPU has no %s (or MTM_CPU masks it)\n", tiers[t].name);
    }
    mtm_exec_free(x);
    if (s)
        return cli_fail(NULL, &err);
    if (r.json)
        printf("]\n");
    else
        printf("check: %d of %d equal plain C within their bounds\n", r.compared - r.failed, r.compared);
    return r.failed ? CLI_BAD_INPUT : CLI_OK;
}

const cli_command cli_check = {
    .name = "check",
    .usage = "check [--json]",
    .help = "the fast variants of every operator and of the codec on this CPU against plain C",
    .run = run,
};
