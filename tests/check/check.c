/* tests/check/check.c: the kernel checker's program: tiers, guarded memory, comparisons, the count at the end.
 * Usage: check_kernels [--cpu 0|avx2|avx512|vbmi2] [--bench] [--seed N] [FAMILY…]
 * Exit codes: 0 all equal, 1 a difference or nothing compared, 2 usage, 77 this CPU has no such tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>
#include <stdarg.h>

enum { GUARD = 128, MOST_COMPLAINTS = 5 };

typedef struct tier {
    const char *name, *option; /* option: as in --cpu and MTM_CPU */
    unsigned cpu;
} tier;

static const tier tiers[] = {{"c", "0", 0},
                             {"avx2", "avx2", MTM_CPU_AVX2},
                             {"avx512", "avx512", MTM_CPU_AVX2 | MTM_CPU_AVX512},
                             {"vbmi2", "vbmi2", MTM_CPU_AVX2 | MTM_CPU_AVX512 | MTM_CPU_VBMI2}};

typedef struct family {
    const char *name;
    void (*check)(mtm_check *c);
} family;

#define FAMILY(name) {#name, check_##name},
static const family families[] = {MTM_CHECKS(FAMILY){NULL, NULL}};

/* ---- memory ------------------------------------------------------------------------------------------- */

static uint8_t guard_byte(size_t i)
{
    return (uint8_t)(0xA5 ^ i * 31);
}

/* Random bytes, xorshift64*: the library's generator would take longer than all kernels together. */
static void fill(uint8_t *data, size_t size_bytes, uint64_t seed)
{
    uint64_t x = seed | 1;

    for (size_t i = 0; i < size_bytes; i += sizeof x) {
        const size_t left = size_bytes - i;

        x ^= x >> 12, x ^= x << 25, x ^= x >> 27;
        const uint64_t drawn = x * UINT64_C(0x2545F4914F6CDD1D);
        memcpy(data + i, &drawn, left < sizeof drawn ? left : sizeof drawn);
    }
}

void *mtm_check_alloc(mtm_check *c, size_t size_bytes, size_t align_bytes)
{
    mtm_check_buffer *const b = &c->buffers[c->n_buffers];
    const size_t shift = align_bytes * (size_t)mtm_check_below(c, (int64_t)(64 / align_bytes));

    if (c->n_buffers == MTM_CHECK_BUFFERS) {
        fprintf(stderr, "check: more than %d buffers in one case\n", MTM_CHECK_BUFFERS);
        exit(1);
    }
    b->block_bytes = size_bytes + 2 * GUARD + 128;
    if (posix_memalign((void **)&b->block, 64, b->block_bytes)) {
        fprintf(stderr, "check: out of memory\n");
        exit(1);
    }
    b->data = b->block + GUARD + shift;
    b->size_bytes = size_bytes;
    c->n_buffers++;
    for (size_t i = 0; i < GUARD + shift; i++)
        b->block[i] = guard_byte(i);
    fill(b->data, size_bytes, mtm_rng_u64(&c->rng));
    for (size_t i = GUARD + shift + size_bytes; i < b->block_bytes; i++)
        b->block[i] = guard_byte(i);
    return b->data;
}

static void check_guards(mtm_check *c, const mtm_check_buffer *b)
{
    const size_t start = (size_t)(b->data - b->block);

    for (size_t i = 0; i < b->block_bytes; i++) {
        if (i == start)
            i += b->size_bytes;
        if (b->block[i] != guard_byte(i)) {
            mtm_check_complain(c, "wrote byte %td of a buffer of %zu", (ptrdiff_t)i - (ptrdiff_t)start,
                               b->size_bytes);
            return;
        }
    }
}

void mtm_check_case_end(mtm_check *c)
{
    for (; c->n_buffers > 0; c->n_buffers--) {
        check_guards(c, &c->buffers[c->n_buffers - 1]);
        free(c->buffers[c->n_buffers - 1].block);
    }
}

/* ---- random values ------------------------------------------------------------------------------------ */

int64_t mtm_check_below(mtm_check *c, int64_t n)
{
    return (int64_t)mtm_rng_below(&c->rng, (uint64_t)n);
}

size_t mtm_check_size(mtm_check *c, int i)
{
    if (i < 68)
        return (size_t)i;
    return i % 3 == 0 ? 64 * (size_t)(2 + mtm_check_below(c, 60)) : (size_t)(68 + mtm_check_below(c, 4933));
}

static const double special_values[] = {NAN,     INFINITY, -INFINITY, 0.0,   -0.0,  1e-40, -1e-40, 3e38,
                                        -3.4e38, 0.5,      1.5,       255.5, 65536, -0.5,  2.5};

void mtm_check_fill_f64(mtm_check *c, double *x, size_t n, double lo, double hi, bool special)
{
    const size_t n_special = sizeof special_values / sizeof *special_values;

    for (size_t i = 0; i < n; i++) {
        x[i] = lo + (double)(mtm_rng_u64(&c->rng) >> 11) * 0x1p-53 * (hi - lo);
        if (special && mtm_check_below(c, 8) == 0)
            x[i] = special_values[mtm_check_below(c, (int64_t)n_special)];
    }
}

void mtm_check_fill_f32(mtm_check *c, float *x, size_t n, double lo, double hi, bool special)
{
    for (size_t i = 0; i < n; i++) {
        double v;

        mtm_check_fill_f64(c, &v, 1, lo, hi, special);
        x[i] = (float)v;
    }
}

/* ---- comparisons -------------------------------------------------------------------------------------- */

void mtm_check_complain(mtm_check *c, const char *fmt, ...)
{
    va_list args;

    if (c->complaints++ >= MOST_COMPLAINTS)
        return;
    printf("# %s %s (%s): ", c->family, c->kernel, c->tier);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
}

void mtm_check_bytes(mtm_check *c, const char *what, const void *ref, const void *now, size_t size_bytes)
{
    const uint8_t *const a = ref, *const b = now;

    c->compared++;
    for (size_t i = 0; i < size_bytes; i++)
        if (a[i] != b[i]) {
            mtm_check_complain(c, "%s: byte %zu of %zu is %02x, not %02x", what, i, size_bytes, b[i], a[i]);
            return;
        }
}

void mtm_check_i64(mtm_check *c, const char *what, int64_t ref, int64_t now)
{
    c->compared++;
    if (ref != now)
        mtm_check_complain(c, "%s: %" PRId64 ", not %" PRId64, what, now, ref);
}

/* Floats as integers whose order is the floats' order, so that a difference counts units in the last place. */
static int64_t order_f32(float x)
{
    int32_t i;

    memcpy(&i, &x, sizeof i);
    return i < 0 ? (int64_t)INT32_MIN - i : i;
}

static int64_t order_f64(double x)
{
    int64_t i;

    memcpy(&i, &x, sizeof i);
    return i < 0 ? INT64_MIN - i : i;
}

static bool near_ulp(int64_t a, int64_t b, int64_t max_ulp)
{
    int64_t d;

    return !__builtin_sub_overflow(a, b, &d) && d <= max_ulp && d >= -max_ulp;
}

void mtm_check_f32(mtm_check *c, const char *what, const float *ref, const float *now, size_t n,
                   int64_t max_ulp, double max_abs)
{
    c->compared++;
    for (size_t i = 0; i < n; i++) {
        const bool same =
            isnan(ref[i]) ? isnan(now[i]) : near_ulp(order_f32(ref[i]), order_f32(now[i]), max_ulp);

        if (!same && !(fabs((double)ref[i] - (double)now[i]) <= max_abs)) {
            mtm_check_complain(c, "%s: number %zu of %zu is %.9g, not %.9g", what, i, n, (double)now[i],
                               (double)ref[i]);
            return;
        }
    }
}

void mtm_check_f64(mtm_check *c, const char *what, const double *ref, const double *now, size_t n,
                   int64_t max_ulp, double max_abs)
{
    c->compared++;
    for (size_t i = 0; i < n; i++) {
        const bool same =
            isnan(ref[i]) ? isnan(now[i]) : near_ulp(order_f64(ref[i]), order_f64(now[i]), max_ulp);

        if (!same && !(fabs(ref[i] - now[i]) <= max_abs)) {
            mtm_check_complain(c, "%s: number %zu of %zu is %.17g, not %.17g", what, i, n, now[i], ref[i]);
            return;
        }
    }
}

void mtm_check_report(const mtm_check *c, size_t n, int64_t ref_ns, int64_t now_ns)
{
    printf("# bench %s %s (%s): C %" PRId64 " ns, now %" PRId64 " ns, ratio %.2f, %.2f elements/ns\n",
           c->family, c->kernel, c->tier, ref_ns, now_ns, (double)ref_ns / (double)(now_ns ? now_ns : 1),
           (double)n / (double)(now_ns ? now_ns : 1));
}

/* ---- the run ------------------------------------------------------------------------------------------ */

static int lines(const mtm_check *c)
{
    return c->passed + c->failed + c->skipped;
}

/* Ends the kernel that is being checked: one line, ok only if something was compared and nothing differed. */
static void end_kernel(mtm_check *c)
{
    if (!c->kernel[0])
        return;
    mtm_check_case_end(c);
    if (!c->compared)
        mtm_check_complain(c, "nothing was compared");
    *(c->complaints ? &c->failed : &c->passed) += 1;
    printf("%s %d - %s %s (%s)\n", c->complaints ? "not ok" : "ok", lines(c), c->family, c->kernel, c->tier);
    c->kernel[0] = '\0';
}

bool mtm_check_begin(mtm_check *c, const char *name, void (*ref_fn)(void), void (*now_fn)(void))
{
    end_kernel(c);
    if (c->cpu && ref_fn == now_fn) {
        c->skipped++;
        printf("ok %d - %s %s (%s) # SKIP no variant of its own\n", lines(c), c->family, name, c->tier);
        return false;
    }
    snprintf(c->kernel, sizeof c->kernel, "%s", name);
    c->compared = c->complaints = 0;
    if (!ref_fn || !now_fn) {
        mtm_check_complain(c, "the table has no function");
        return false;
    }
    return true;
}

static bool wanted(const char *name, char **names, int n_names)
{
    for (int i = 0; i < n_names; i++)
        if (!strcmp(names[i], name))
            return true;
    return n_names == 0;
}

static void run_tier(mtm_check *c, const tier *t, char **names, int n_names)
{
    c->cpu = t->cpu, c->tier = t->name;
    mtm_kernels_init(&c->ref, 0);
    mtm_kernels_init(&c->now, t->cpu);
    for (const family *f = families; f->name; f++)
        if (wanted(f->name, names, n_names)) {
            c->family = f->name;
            f->check(c);
            end_kernel(c);
        }
}

static int usage(void)
{
    fprintf(stderr, "usage: check_kernels [--cpu 0|avx2|avx512|vbmi2] [--bench] [--seed N] [FAMILY…]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static mtm_check c;
    const unsigned has = mtm_cpu_flags();
    const char *only = NULL;
    uint64_t seed = 1;
    int i = 1, tiers_run = 0;

    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--bench"))
            c.bench = true;
        else if (!strcmp(argv[i], "--cpu") && i + 1 < argc)
            only = argv[++i];
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else
            return usage();
    }
    if (only && strcmp(only, "0") && strcmp(only, "avx2") && strcmp(only, "avx512") && strcmp(only, "vbmi2"))
        return usage();
    c.rng = mtm_rng_at(seed, 0, 0, 0);
    for (size_t t = 0; t < sizeof tiers / sizeof *tiers; t++)
        if ((!only || !strcmp(only, tiers[t].option)) && (tiers[t].cpu & has) == tiers[t].cpu)
            run_tier(&c, &tiers[t], argv + i, argc - i), tiers_run++;
    if (!tiers_run) {
        printf("# this CPU has no tier %s\n", only);
        return 77;
    }
    if (c.passed + c.failed == 0) /* an unknown family, an empty table, a tier without variants */
        c.failed++, printf("not ok %d - nothing was compared\n", lines(&c));
    printf("1..%d\n", lines(&c));
    printf("# %d passed, %d failed, %d skipped\n", c.passed, c.failed, c.skipped);
    return c.failed ? 1 : 0;
}
