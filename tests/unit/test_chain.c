/* tests/unit/test_chain.c: lazy chains against the same operators one by one, from arrays and from files; the same bytes
 * with and without cache and index; draws; class-balanced crops; channel axes; affines.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/rng.h"
#include "microtome/load.h"

enum { Z = 18, Y = 21, X = 25, VOXELS = Z * Y * X, N_FILES = 3 };

/* ---- operators as text ----------------------------------------------------------------------------------- */

typedef struct menu_entry {
    const char *op, *name; /* one parameter, which most have */
    double v[6];
    int n;
    const char *name2;
    double v2[6];
    int n2;
    const char *text_name, *text;
    bool interpolates;
} menu_entry;

static int entry_args(const menu_entry *m, mtm_arg a[3])
{
    int n = 0;

    if (m->name)
        a[n++] = (mtm_arg){
            .name = m->name, .kind = MTM_ARG_NUMBERS, .n = m->n, .scalar = m->n == 1, .numbers = m->v};
    if (m->name2)
        a[n++] = (mtm_arg){
            .name = m->name2, .kind = MTM_ARG_NUMBERS, .n = m->n2, .scalar = m->n2 == 1, .numbers = m->v2};
    if (m->text_name)
        a[n++] = (mtm_arg){.name = m->text_name, .kind = MTM_ARG_TEXT, .text = m->text};
    return n;
}

static void add(mtm_chain *c, const menu_entry *m)
{
    mtm_error err = {0};
    mtm_arg a[3];
    const int n = entry_args(m, a);

    assert_ok(mtm_chain_add(c, m->op, NULL, 0, a, n, &err));
}

static mtm_chain *chain_of(const menu_entry *m, int n)
{
    mtm_error err = {0};
    mtm_chain *c;

    assert_ok(mtm_chain_new(&c, &err));
    for (int i = 0; i < n; i++)
        add(c, &m[i]);
    return c;
}

/* ---- pictures -------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/mtm_chain_XXXXXX";

static const char *file_name(char *room, size_t size, int i, const char *ending)
{
    snprintf(room, size, "%s/t%d%s", folder, i, ending);
    return room;
}

static double value(int i, int64_t v)
{
    const int64_t z = v / (Y * X), y = v / X % Y, x = v % X;

    return 100 + 60 * sin(0.31 * (double)z + i) * cos(0.23 * (double)y) +
           40 * sin(0.4 * (double)x + 0.1 * (double)z);
}

static void make_volume(mtm_array *a, mtm_dtype t, int i)
{
    const int64_t shape[3] = {Z, Y, X};
    mtm_error err = {0};
    mtm_array f;

    assert_ok(mtm_array_new(&f, MTM_F64, 3, shape, NULL, &err));
    for (int64_t v = 0; v < VOXELS; v++)
        ((double *)f.data)[v] = value(i, v);
    assert_ok(mtm_array_new(a, t, 3, shape, NULL, &err));
    assert_ok(mtm_array_convert(a, &f, 1, 0, NULL, &err));
    mtm_array_drop(&f);
}

static void make_labels(mtm_array *a, int i)
{
    const int64_t shape[3] = {Z, Y, X};
    mtm_error err = {0};

    assert_ok(mtm_array_new(a, MTM_U8, 3, shape, NULL, &err));
    for (int64_t v = 0; v < VOXELS; v++)
        ((uint8_t *)a->data)[v] = value(i, v) > 150 ? 2 : value(i, v) > 120;
    ((uint8_t *)a->data)[VOXELS - 1] = 7; /* one voxel in the far corner, one at the origin */
    ((uint8_t *)a->data)[0] = 5;
}

static const double affine[16] = {-1.5, 0, 0, 30, 0, 1.25, 0, -20, 0, 0, 2, 7, 0, 0, 0, 1};

static void write_files(void)
{
    const mtm_write_options opt = {.struct_size = sizeof opt, .affine = affine};
    char name[96];

    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < N_FILES; i++) {
        mtm_error err = {0};
        mtm_array a;

        make_volume(&a, i == 1 ? MTM_I16 : MTM_U8, i);
        assert_ok(
            mtm_image_write(file_name(name, sizeof name, i, i == 2 ? ".nii" : ".nii.gz"), &a, &opt, &err));
        mtm_array_drop(&a);
        make_labels(&a, i);
        assert_ok(mtm_image_write(file_name(name, sizeof name, i, "_seg.nii.gz"), &a, &opt, &err));
        mtm_array_drop(&a);
    }
}

static int set_up(void **state)
{
    write_files();
    return 0;
}

static int tear_down(void **state)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* ---- lazy against one by one --------------------------------------------------------------------------- */

static const menu_entry menu[] = {
    {.op = "scale", .name = "high", .v = {200}, .n = 1},
    {.op = "normalize"},
    {.op = "clip_percentile", .name = "low", .v = {3}, .n = 1},
    {.op = "window", .name = "center", .v = {90}, .n = 1, .name2 = "width", .v2 = {120}, .n2 = 1},
    {.op = "gamma", .name = "gamma", .v = {1.4}, .n = 1},
    {.op = "contrast", .name = "factor", .v = {0.8}, .n = 1},
    {.op = "brightness", .name = "add", .v = {3}, .n = 1},
    {.op = "shift", .name = "offset", .v = {-7}, .n = 1},
    {.op = "gaussian_noise", .name = "sigma", .v = {2}, .n = 1},
    {.op = "flip", .name = "axis", .v = {0, 2}, .n = 2},
    {.op = "rot90", .name = "k", .v = {3}, .n = 1, .name2 = "axes", .v2 = {1, 2}, .n2 = 2},
    {.op = "rot90", .name = "axes", .v = {0, 2}, .n = 2},
    {.op = "crop", .name = "start", .v = {1, 2, 0}, .n = 3, .name2 = "size", .v2 = {4, 5, 6}, .n2 = 3},
    {.op = "crop_or_pad", .name = "size", .v = {12, 11, 16}, .n = 3},
    {.op = "crop_or_pad", .name = "size", .v = {14, 9, 12}, .n = 3, .text_name = "border", .text = "edge"},
    {.op = "pad",
     .name = "before",
     .v = {1, 0, 2},
     .n = 3,
     .name2 = "after",
     .v2 = {0, 3, 1},
     .n2 = 3,
     .text_name = "border",
     .text = "reflect"},
    {.op = "rotate",
     .name = "degrees",
     .v = {17},
     .n = 1,
     .name2 = "axis",
     .v2 = {0, 0, 1},
     .n2 = 3,
     .interpolates = true},
    {.op = "spacing", .name = "to", .v = {2.2, 1.7, 1.1}, .n = 3, .interpolates = true},
    {.op = "resize",
     .name = "size",
     .v = {12, 13, 14},
     .n = 3,
     .text_name = "interp",
     .text = "area",
     .interpolates = true},
    {.op = "resize", .name = "size", .v = {11, 24, 17}, .n = 3, .interpolates = true},
};

enum { N_MENU = sizeof menu / sizeof *menu };

/* Runs the operators one after the other. */
static void one_by_one(mtm_exec *x, const menu_entry *m, int n, const mtm_array *in, mtm_array *out,
                       double moved[16])
{
    mtm_error err = {0};
    mtm_array now = *in;
    double at[16];

    now.owner = mtm_buffer_ref(in->owner);
    memcpy(at, affine, sizeof at);
    for (int i = 0; i < n; i++) {
        const mtm_op *const op = mtm_op_find(m[i].op);
        mtm_array next = {0};
        void *const args = calloc(1, op->args_bytes);
        mtm_arg a[3];

        assert_ok(mtm_op_args(op, args, a, entry_args(&m[i], a), &err));
        assert_ok(mtm_op_run(x, op, args, &now, false, at, &next, at, &err));
        free(args);
        mtm_array_drop(&now);
        now = next;
    }
    memcpy(moved, at, sizeof at);
    *out = now;
}

static double at_f64(const mtm_array *a, int64_t i)
{
    switch (a->dtype) {
    case MTM_U8: return ((uint8_t *)a->data)[i];
    case MTM_I16: return ((int16_t *)a->data)[i];
    default: return (double)((float *)a->data)[i];
    }
}

/* Integers that were interpolated may round to their neighbour where a value lies half way between: at most one voxel in
 * 50, by a level of some hundred. */
static void assert_close(const mtm_array *got, const mtm_array *want, const char *what)
{
    const int64_t n = mtm_array_count(want);
    double lo = 1e30, hi = -1e30, worst = 0;
    int64_t off = 0;

    assert_int_equal(got->dtype, want->dtype);
    for (int k = 0; k < 3; k++)
        assert_int_equal(got->shape[1 + k], want->shape[k]);
    for (int64_t i = 0; i < n; i++)
        lo = fmin(lo, at_f64(want, i)), hi = fmax(hi, at_f64(want, i));
    for (int64_t i = 0; i < n; i++) {
        const double e = fabs(at_f64(got, i) - at_f64(want, i));

        worst = fmax(worst, e);
        off += !(e <= 2e-5 * fmax(hi - lo, 1e-3));
    }
    if (off > n / 50 || !(worst <= 0.02 * fmax(hi - lo, 50)))
        fail_msg("%s: %d of %d voxels are off, by up to %g in a range of %g", what, (int)off, (int)n, worst,
                 hi - lo);
}

/* A chain of up to five operators with at most one interpolation (two would be fused into one). */
static int draw_chain(mtm_rng *r, menu_entry *m, char *text, size_t room)
{
    const int n = 1 + (int)mtm_rng_below(r, 5);
    bool interpolates = false;

    text[0] = '\0';
    for (int i = 0; i < n; i++) {
        do
            m[i] = menu[mtm_rng_below(r, N_MENU)];
        while ((interpolates && m[i].interpolates) || !mtm_op_find(m[i].op) ||
               (!strcmp(m[i].op, "crop") && strstr(text, "crop ")));
        interpolates |= m[i].interpolates;
        strncat(text, m[i].op, room - strlen(text) - 1);
        strncat(text, " ", room - strlen(text) - 1);
    }
    return n;
}

static void compare_chain(mtm_exec *x, const menu_entry *m, int n, mtm_item *item, const mtm_array *in,
                          char *what)
{
    mtm_chain *const c = chain_of(m, n);
    mtm_array got[1], want;
    double moved[16], expected[16];
    mtm_error err = {0};
    mtm_status st;

    one_by_one(x, m, n, in, &want, expected);
    st = mtm_chain_run(c, x, item, NULL, 1, 0, 0, got, moved, &err);
    if (st)
        fail_msg("%s: %s: %s", what, err.where, err.text);
    assert_close(&got[0], &want, what);
    for (int i = 0; item->fields->kind == MTM_FIELD_IMAGE && i < 16; i++)
        assert_true(fabs(moved[i] - expected[i]) < 1e-5);
    mtm_array_drop(&got[0]);
    mtm_array_drop(&want);
    mtm_chain_free(c);
}

static void test_equals_one_by_one(void **state)
{
    mtm_rng r = mtm_rng_at(3, 0, 0, 0);
    mtm_error err = {0};
    mtm_exec *x;

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    for (int k = 0; k < 400; k++) {
        const int i = k % N_FILES;
        menu_entry m[5];
        char what[200], name[96];
        const int n = draw_chain(&r, m, what, sizeof what);
        mtm_array in;

        make_volume(&in, i == 1 ? MTM_I16 : MTM_U8, i);
        mtm_field f = {.name = "image",
                       .kind = MTM_FIELD_IMAGE,
                       .uri = file_name(name, sizeof name, i, i == 2 ? ".nii" : ".nii.gz")};
        mtm_item item = {.fields = &f, .n_fields = 1};

        compare_chain(x, m, n, &item, &in, what);
        f = (mtm_field){.name = "image", .kind = MTM_FIELD_ARRAY, .array = in};
        for (int s = 0; s < n; s++) /* an array has unit voxels */
            if (!strcmp(m[s].op, "spacing"))
                m[s] = menu[0];
        compare_chain(x, m, n, &item, &in, what);
        mtm_array_drop(&in);
    }
    mtm_exec_free(x);
}

/* ---- the same bytes from everywhere -------------------------------------------------------------------- */

static uint64_t loader_digest(const mtm_chain *c, uint64_t cache_bytes, const char *index, int crops)
{
    mtm_loader_options o = mtm_loader_options_default();
    mtm_field f[N_FILES][2];
    mtm_item items[N_FILES];
    char names[N_FILES][2][96];
    mtm_error err = {0};
    uint64_t h = 1;
    mtm_loader *l;
    mtm_batch *b;

    for (int i = 0; i < N_FILES; i++) {
        f[i][0] = (mtm_field){.name = "image",
                              .kind = MTM_FIELD_IMAGE,
                              .uri = file_name(names[i][0], 96, i, i == 2 ? ".nii" : ".nii.gz")};
        f[i][1] = (mtm_field){
            .name = "seg", .kind = MTM_FIELD_IMAGE, .uri = file_name(names[i][1], 96, i, "_seg.nii.gz")};
        items[i] = (mtm_item){.fields = f[i], .n_fields = 2};
    }
    o.threads = 2, o.cache_bytes = cache_bytes, o.index_path = index, o.samples_per_item = crops,
    o.shuffle = true;
    assert_ok(mtm_loader_new(&l, items, N_FILES, c, &o, &err));
    for (int e = 0; e < 3; e++)
        for (;;) {
            assert_ok(mtm_loader_next(l, -1, &b, NULL, &err));
            if (!b)
                break;
            for (int32_t k = 0; k < b->n_fields; k++) {
                const mtm_array *const a = &b->fields[k].array;
                h = mtm_hash64(a->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype), h);
            }
            h = mtm_hash64(b->affines, (size_t)b->n * 32 * sizeof(double), h);
            mtm_batch_release(b);
        }
    mtm_loader_free(l);
    return h;
}

static const menu_entry chains[][5] = {
    {{.op = "scale"},
     {.op = "resize", .name = "size", .v = {10, 11, 12}, .n = 3, .text_name = "interp", .text = "area"},
     {.op = "random_rot90", .name = "p", .v = {0.7}, .n = 1, .name2 = "axes", .v2 = {1, 2}, .n2 = 2},
     {.op = "random_crop", .name = "size", .v = {8, 8, 8}, .n = 3}},
    {{.op = "crop", .name = "start", .v = {2, 1, 3}, .n = 3, .name2 = "size", .v2 = {14, 15, 16}, .n2 = 3},
     {.op = "random_flip"},
     {.op = "random_affine", .name = "degrees", .v = {-20, 20}, .n = 2}},
    {{.op = "normalize"},
     {.op = "random_affine", .name = "degrees", .v = {-20, 20}, .n = 2},
     {.op = "random_crop", .name = "size", .v = {9, 9, 9}, .n = 3}},
    {{.op = "rotate", .name = "degrees", .v = {30}, .n = 1, .name2 = "axis", .v2 = {1, 0, 0}, .n2 = 3},
     {.op = "random_crop", .name = "size", .v = {9, 10, 12}, .n = 3},
     {.op = "random_gamma", .name = "p", .v = {1}, .n = 1}},
    {{.op = "clip_percentile"},
     {.op = "normalize"},
     {.op = "random_crop", .name = "size", .v = {9, 10, 12}, .n = 3},
     {.op = "random_gaussian_noise", .name = "p", .v = {0.5}, .n = 1}},
    {{.op = "random_crop", .name = "size", .v = {9, 10, 12}, .n = 3},
     {.op = "normalize"},
     {.op = "random_gamma"}},
    {{.op = "random_flip", .name = "p", .v = {0.2}, .n = 1}, {.op = "normalize"}},
    {{.op = "resize", .name = "size", .v = {20, 11, 12}, .n = 3},
     {.op = "random_brightness", .name = "p", .v = {0.5}, .n = 1}},
    {{.op = "spacing", .name = "to", .v = {3, 2, 1.5}, .n = 3},
     {.op = "random_flip"},
     {.op = "random_balanced_crop",
      .name = "size",
      .v = {5, 6, 7},
      .n = 3,
      .text_name = "label",
      .text = "seg"}},
    {{.op = "normalize"},
     {.op = "random_balanced_crop",
      .name = "size",
      .v = {5, 6, 7},
      .n = 3,
      .text_name = "label",
      .text = "seg"}},
    {{.op = "scale"}},
    {{.op = "random_gamma", .name = "p", .v = {0.5}, .n = 1}},
};

static void test_same_bytes(void **state)
{
    char index[128];

    snprintf(index, sizeof index, "%s/index", folder);
    for (size_t k = 0; k < sizeof chains / sizeof *chains; k++) {
        int n = 0;
        bool known = true;

        for (; n < 5 && chains[k][n].op; n++)
            known &= mtm_op_find(chains[k][n].op) != NULL;
        if (!known)
            fail_msg("chain %d names an operator that does not exist", (int)k);
        mtm_chain *const c = chain_of(chains[k], n);
        for (int crops = 1; crops < 4; crops += 2) {
            const uint64_t want = loader_digest(c, 0, NULL, crops);

            if (loader_digest(c, 1 << 26, NULL, crops) != want)
                fail_msg("chain %d, %d crops: other bytes from the cache", (int)k, crops);
            if (loader_digest(c, 0, index, crops) != want || loader_digest(c, 0, index, crops) != want)
                fail_msg("chain %d, %d crops: other bytes with an index", (int)k, crops);
            if (loader_digest(c, 1 << 16, index, crops) != want)
                fail_msg("chain %d, %d crops: other bytes from a small cache", (int)k, crops);
        }
        mtm_chain_free(c);
    }
}

/* ---- draws ----------------------------------------------------------------------------------------------- */

/* The numbers behind "start": of the drawn crop. */
static void drawn_start(const mtm_chain *c, const mtm_item *item, int64_t sample, int start[3])
{
    mtm_error err = {0};
    const char *at;
    char *json;

    assert_ok(mtm_chain_draw(c, item, NULL, 9, 0, sample, &json, &err));
    at = strstr(json, "\"start\": [");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"start\": [%d, %d, %d]", &start[0], &start[1], &start[2]), 3);
    free(json);
}

/* Random crops reach the first and the last position of each axis, and each about as often as any other. */
static void test_crop_positions(void **state)
{
    static const menu_entry crop = {.op = "random_crop", .name = "size", .v = {Z - 3, Y - 1, X}, .n = 3};
    mtm_chain *const c = chain_of(&crop, 1);
    int seen[3][4] = {{0}};
    mtm_array a;

    make_volume(&a, MTM_U8, 0);
    const mtm_field f = {.name = "image", .kind = MTM_FIELD_ARRAY, .array = a};
    const mtm_item item = {.fields = &f, .n_fields = 1};

    for (int s = 0; s < 800; s++) {
        int start[3];

        drawn_start(c, &item, s, start);
        for (int k = 0; k < 3; k++) {
            assert_in_range(start[k], 0, 3);
            seen[k][start[k]]++;
        }
    }
    for (int k = 0; k < 4; k++) /* binomial(800, 1/4): five standard deviations are 61 */
        assert_in_range(seen[0][k], 139, 261);
    for (int k = 0; k < 2; k++)
        assert_in_range(seen[1][k], 330, 470);
    assert_int_equal(seen[1][2] + seen[1][3], 0);
    assert_int_equal(seen[2][0], 800);
    mtm_chain_free(c);
    mtm_array_drop(&a);
}

/* Five classes, two of them a single voxel in opposite corners: each is drawn as often as the others, and the crop holds
 * its voxel, at both ends of the volume. */
static void test_balanced_crop(void **state)
{
    static const menu_entry crop = {.op = "random_balanced_crop",
                                    .name = "size",
                                    .v = {5, 6, 7},
                                    .n = 3,
                                    .text_name = "label",
                                    .text = "label"};
    mtm_chain *const c = chain_of(&crop, 1);
    int first = 0, last = 0;
    mtm_array a;

    make_labels(&a, 0);
    const mtm_field f = {.name = "label", .kind = MTM_FIELD_ARRAY, .array = a};
    const mtm_item item = {.fields = &f, .n_fields = 1};

    for (int s = 0; s < 1000; s++) {
        int at[3];

        drawn_start(c, &item, s, at);
        assert_in_range(at[0], 0, Z - 5);
        assert_in_range(at[1], 0, Y - 6);
        assert_in_range(at[2], 0, X - 7);
        first += !at[0] && !at[1] && !at[2];
        last += at[0] == Z - 5 && at[1] == Y - 6 && at[2] == X - 7;
    }
    assert_in_range(first, 136, 300); /* at least the class of one voxel: 200 ± 5 · 12.6 */
    assert_in_range(last, 136, 300);
    mtm_chain_free(c);
    mtm_array_drop(&a);
}

static void test_balanced_classes(void **state)
{
    static const menu_entry listed = {.op = "random_balanced_crop",
                                      .name = "size",
                                      .v = {5, 6, 7},
                                      .n = 3,
                                      .name2 = "classes",
                                      .v2 = {7, 3},
                                      .n2 = 2,
                                      .text_name = "label",
                                      .text = "label"},
                            absent = {.op = "random_balanced_crop",
                                      .name = "size",
                                      .v = {5, 6, 7},
                                      .n = 3,
                                      .name2 = "classes",
                                      .v2 = {3},
                                      .n2 = 1,
                                      .text_name = "label",
                                      .text = "label"},
                            large = {.op = "random_balanced_crop",
                                     .name = "size",
                                     .v = {Z + 1, 6, 7},
                                     .n = 3,
                                     .text_name = "label",
                                     .text = "label"},
                            weights = {.op = "random_balanced_crop",
                                       .name = "size",
                                       .v = {5, 6, 7},
                                       .n = 3,
                                       .name2 = "weights",
                                       .v2 = {0, 0, 0, 1, 1, 1},
                                       .n2 = 6,
                                       .text_name = "label",
                                       .text = "label"};
    mtm_error err = {0};
    mtm_chain *c;
    mtm_array a;
    char *json;
    int at[3];

    make_labels(&a, 0);
    const mtm_field f = {.name = "label", .kind = MTM_FIELD_ARRAY, .array = a};
    const mtm_item item = {.fields = &f, .n_fields = 1};

    c = chain_of(&listed, 1);
    for (int s = 0; s < 20; s++) { /* class 3 is not there: always 7, which is one voxel */
        drawn_start(c, &item, s, at);
        assert_true(at[0] == Z - 5 && at[1] == Y - 6 && at[2] == X - 7);
    }
    mtm_chain_free(c);
    c = chain_of(&weights, 1);
    for (int s = 0; s < 20; s++) { /* of classes 0 … 5 with weights for 3, 4, 5 only 5 is there */
        drawn_start(c, &item, s, at);
        assert_true(!at[0] && !at[1] && !at[2]);
    }
    mtm_chain_free(c);
    c = chain_of(&absent, 1);
    assert_status(MTM_E_INVAL, mtm_chain_draw(c, &item, NULL, 0, 0, 0, &json, &err));
    mtm_chain_free(c);
    c = chain_of(&large, 1);
    assert_status(MTM_E_INVAL, mtm_chain_draw(c, &item, NULL, 0, 0, 0, &json, &err));
    mtm_chain_free(c);
    mtm_array_drop(&a);
}

/* One draw for all fields: image and label map stay together. */
static void test_fields_move_together(void **state)
{
    static const menu_entry m[] = {
        {.op = "random_crop", .name = "size", .v = {8, 9, 10}, .n = 3},
        {.op = "random_flip"},
        {.op = "random_rot90", .name = "p", .v = {1}, .n = 1, .name2 = "axes", .v2 = {0, 2}, .n2 = 2}};
    mtm_chain *const c = chain_of(m, 3);
    mtm_error err = {0};
    mtm_array a;
    mtm_exec *x;

    make_volume(&a, MTM_U8, 0);
    const mtm_field f[2] = {{.name = "image", .kind = MTM_FIELD_ARRAY, .array = a},
                            {.name = "label", .kind = MTM_FIELD_ARRAY, .array = a}};
    const mtm_item item = {.fields = f, .n_fields = 2};

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    for (int s = 0; s < 30; s++) {
        mtm_array out[2];

        assert_ok(mtm_chain_run(c, x, &item, NULL, 5, 0, s, out, NULL, &err));
        assert_memory_equal(out[0].data, out[1].data, 8 * 9 * 10);
        mtm_array_drop(&out[0]);
        mtm_array_drop(&out[1]);
    }
    mtm_exec_free(x);
    mtm_chain_free(c);
    mtm_array_drop(&a);
}

/* Every allocation fails once on the way from a file: what is reported is a lack of memory, and nothing leaks. */
static void test_failing_memory(void **state)
{
    static const menu_entry m[] = {{.op = "normalize"},
                                   {.op = "resize", .name = "size", .v = {10, 11, 12}, .n = 3},
                                   {.op = "random_affine", .name = "degrees", .v = {-9, 9}, .n = 2},
                                   {.op = "random_balanced_crop",
                                    .name = "size",
                                    .v = {5, 6, 7},
                                    .n = 3,
                                    .text_name = "label",
                                    .text = "seg"}};
    mtm_chain *const c = chain_of(m, 4);
    char names[2][96];
    const mtm_field f[2] = {
        {.name = "image", .kind = MTM_FIELD_IMAGE, .uri = file_name(names[0], 96, 0, ".nii.gz")},
        {.name = "seg", .kind = MTM_FIELD_IMAGE, .uri = file_name(names[1], 96, 0, "_seg.nii.gz")}};
    const mtm_item item = {.fields = f, .n_fields = 2};
    mtm_status st = MTM_E_NOMEM;

    for (int64_t n = 0; st; n++) {
        mtm_error err = {0};
        mtm_exec *x = NULL;
        mtm_array out[2];

        mtm_mem_fail_after(n);
        st = mtm_exec_new(&x, NULL, NULL, &err);
        if (!st)
            st = mtm_chain_run(c, x, &item, NULL, 1, 0, 0, out, NULL, &err);
        mtm_mem_fail_after(-1);
        mtm_exec_free(x);
        if (st && st != MTM_E_NOMEM)
            fail_msg("allocation %d: %s: %s", (int)n, err.where, err.text);
        for (int i = 0; !st && i < 2; i++)
            mtm_array_drop(&out[i]);
        assert_true(n < 5000);
    }
    mtm_chain_free(c);
}

/* ---- axes ------------------------------------------------------------------------------------------------ */

/* Time becomes channels; a crop of such a file is the crop of each of them. */
static void test_channels(void **state)
{
    static const menu_entry crop = {
        .op = "crop", .name = "start", .v = {1, 2, 0}, .n = 3, .name2 = "size", .v2 = {3, 2, 4}, .n2 = 3};
    const int64_t shape[4] = {3, 5, 6, 7};
    const mtm_write_options opt = {.struct_size = sizeof opt, .affine = affine};
    mtm_chain *const c = chain_of(&crop, 1);
    mtm_error err = {0};
    mtm_array a, out[1];
    double moved[16];
    char name[96];
    mtm_exec *x;

    assert_ok(mtm_array_new(&a, MTM_I16, 4, shape, NULL, &err));
    for (int i = 0; i < 630; i++)
        ((int16_t *)a.data)[i] = (int16_t)i;
    assert_ok(mtm_image_write(file_name(name, sizeof name, 9, "_4d.nii.gz"), &a, &opt, &err));
    const mtm_field f = {.name = "image", .kind = MTM_FIELD_IMAGE, .uri = name};
    const mtm_item item = {.fields = &f, .n_fields = 1};

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    assert_ok(mtm_chain_run(c, x, &item, NULL, 0, 0, 0, out, moved, &err));
    for (int64_t i = 0; i < 3 * 3 * 2 * 4; i++) {
        const int64_t t = i / 24, z = i / 8 % 3 + 1, y = i / 4 % 2 + 2, k = i % 4;

        assert_int_equal(((int16_t *)out[0].data)[i], ((t * 5 + z) * 6 + y) * 7 + k);
    }
    assert_true(fabs(moved[7] - (-20 + 2 * 1.25)) < 1e-9 && fabs(moved[11] - (7 + 2)) < 1e-9);
    mtm_array_drop(&out[0]);
    mtm_array_drop(&a);
    mtm_exec_free(x);
    mtm_chain_free(c);
}

/* ---- draws that are set, run and undone ------------------------------------------------------------------ */

/* A flip for all, a factor for the second of two channels, and points: run, then undone. */
static mtm_status replay_and_undo(const mtm_chain *c, const mtm_item *item, mtm_array out[2], mtm_array *back,
                                  mtm_error *err)
{
    static const double axis = 1, twice = 2, none = 0;
    const mtm_arg flip = {.name = "axis", .kind = MTM_ARG_NUMBERS, .n = 1, .numbers = &axis};
    const mtm_arg bright[2] = {
        {.name = "multiply", .kind = MTM_ARG_NUMBERS, .n = 1, .scalar = true, .numbers = &twice},
        {.name = "add", .kind = MTM_ARG_NUMBERS, .n = 1, .scalar = true, .numbers = &none}};
    mtm_draws *d = NULL;
    mtm_exec *x = NULL;
    mtm_status st = mtm_exec_new(&x, NULL, NULL, err);

    if (!st)
        st = mtm_draws_new(&d, c, err);
    if (!st)
        st = mtm_draws_set(d, 0, -1, 0, "flip", &flip, 1, err);
    if (!st)
        st = mtm_draws_set(d, 1, 1, 2, "brightness", bright, 2, err);
    if (!st)
        st = mtm_chain_replay(c, x, item, NULL, d, out, NULL, err);
    if (!st) {
        st = mtm_chain_invert(c, x, item, NULL, d, 0, 0, 0, &out[0], back, err);
        for (int i = 0; st && i < 2; i++)
            mtm_array_drop(&out[i]);
    }
    mtm_draws_free(d);
    mtm_exec_free(x);
    return st;
}

static void test_draws_set_by_hand(void **state)
{
    static const menu_entry m[] = {{.op = "random_flip"}, {.op = "random_brightness"}};
    static const char *const points[] = {"points"};
    const int64_t shape[4] = {2, 3, 4, 5}, two[2] = {2, 3};
    double xyz[6] = {0, 0, 0, 4.25, 9, -1};
    mtm_chain *const c = chain_of(m, 2);
    mtm_array a, out[2], back;
    mtm_error err = {0};
    mtm_draws *d;

    assert_ok(mtm_array_new(&a, MTM_F32, 4, shape, NULL, &err));
    for (int i = 0; i < 120; i++)
        ((float *)a.data)[i] = (float)i;
    const mtm_field f[2] = {
        {.name = "image", .kind = MTM_FIELD_ARRAY, .array = a},
        {.name = "points", .kind = MTM_FIELD_ARRAY, .array = mtm_array_wrap(xyz, MTM_F64, 2, two)}};
    const mtm_item item = {.fields = f, .n_fields = 2};
    assert_ok(mtm_chain_set_points(c, points, 1, &err));
    for (int64_t n = 0, st = MTM_E_NOMEM; st; n++) {
        mtm_mem_fail_after(n);
        st = replay_and_undo(c, &item, out, &back, &err);
        mtm_mem_fail_after(-1);
        assert_true(!st || st == MTM_E_NOMEM);
    }
    for (int i = 0; i < 120; i++) {
        const int z = i / 20, y = i / 5 % 4, x = i % 5, factor = i < 60 ? 1 : 2;

        assert_float_equal(((float *)out[0].data)[z * 20 + (3 - y) * 5 + x], factor * i, 0);
        assert_float_equal(((float *)back.data)[i], factor * i, 0);
    }
    const double moved[6] = {0, 3, 0, 4.25, -6, -1};
    for (int i = 0; i < 6; i++)
        assert_float_equal(((double *)out[1].data)[i], moved[i], 1e-12);
    mtm_array_drop(&out[0]), mtm_array_drop(&out[1]), mtm_array_drop(&back);
    assert_ok(mtm_draws_new(&d, c, &err));
    assert_status(MTM_E_NOTFOUND, mtm_draws_set(d, 0, -1, 0, "flop", NULL, 0, &err));
    assert_status(MTM_E_INVAL, mtm_draws_set(d, 2, -1, 0, "flip", NULL, 0, &err));
    assert_status(MTM_E_INVAL, mtm_draws_set(d, 1, -1, 0, "shift", NULL, 0, &err));
    assert_status(MTM_E_INVAL, mtm_draws_set(d, 1, 2, 2, "brightness", NULL, 0, &err));
    assert_status(MTM_E_INVAL, mtm_draws_set(d, 0, 0, 2, "flip", NULL, 0, &err));
    mtm_draws_free(d);
    mtm_chain_free(c);
    mtm_array_drop(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_one_by_one), cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_crop_positions),    cmocka_unit_test(test_balanced_crop),
        cmocka_unit_test(test_balanced_classes),  cmocka_unit_test(test_fields_move_together),
        cmocka_unit_test(test_failing_memory),    cmocka_unit_test(test_channels),
        cmocka_unit_test(test_draws_set_by_hand),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
