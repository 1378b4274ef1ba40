/* tests/unit/test_geometry.c: the algebra of geometric maps, gathering by parts, threads, failures, random draws. What the
 * operators compute is held against SciPy and others in tests/py/test_spatial.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <math.h>

#include "kernel/pointwise.h"
#include "op/exec.h"
#include "op/ops.h"
#include "op/spatial/spatial.h"

enum { NZ = 5, NY = 7, NX = 11, VOXELS = NZ * NY * NX, ROOM = 4096 };

static mtm_error err;

static mtm_spec spec_of(const int64_t size[3])
{
    mtm_spec s = {.dtype = MTM_F32, .spatial = 3, .channels = 1};

    memcpy(s.size, size, sizeof s.size);
    return s;
}

/* The geometry of an operator with arguments as text: name, value, name, value, … NULL. */
static mtm_geometry make(const int64_t size[3], const char *op, const char *const *given)
{
    const mtm_op *const o = mtm_op_find(op);
    const mtm_spec spec = spec_of(size);
    uint64_t args[512];
    mtm_arg list[8];
    mtm_geometry g;
    int n = 0;

    for (; given[2 * n]; n++)
        list[n] = (mtm_arg){.name = given[2 * n], .kind = MTM_ARG_TEXT, .text = given[2 * n + 1]};
    assert_true(o->args_bytes <= sizeof args);
    assert_ok(mtm_op_args(o, args, list, n, &err));
    assert_ok(o->geometry(args, &spec, &g, &err));
    return g;
}
#define MAKE(size, op, ...) make(size, op, (const char *const[]){__VA_ARGS__, NULL})

static const int64_t shape[3] = {NZ, NY, NX};

static void fill(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((i * 7919) % 1009) / 64;
}

static int64_t voxels_of(const mtm_geometry *g)
{
    return g->out_size[0] * g->out_size[1] * g->out_size[2];
}

static void gather(mtm_exec *x, const mtm_geometry *g, const float *in, float *out)
{
    const int64_t in_shape[4] = {1, g->in_size[0], g->in_size[1], g->in_size[2]}, origin[3] = {0};
    const int64_t out_shape[4] = {1, g->out_size[0], g->out_size[1], g->out_size[2]};
    const mtm_array a = mtm_array_wrap((void *)(uintptr_t)in, MTM_F32, 4, in_shape);
    mtm_array b = mtm_array_wrap(out, MTM_F32, 4, out_shape);

    assert_true(voxels_of(g) <= ROOM);
    assert_ok(mtm_geometry_run(x, g, &a, origin, false, NULL, &b, &err));
}

/* first, then second, fused and one after the other: the same within `most`. */
static void assert_fuses(const mtm_geometry *first, const mtm_geometry *second, float most)
{
    MTM_AUTO(mtm_exec) x = NULL;
    float in[VOXELS], mid[ROOM], chained[ROOM], fused[ROOM];
    mtm_geometry g = *first;

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    fill(in, VOXELS);
    gather(x, first, in, mid);
    gather(x, second, mid, chained);
    assert_true(mtm_geometry_fuse(&g, second));
    gather(x, &g, in, fused);
    for (int64_t i = 0; i < voxels_of(&g); i++)
        if (!(fabsf(chained[i] - fused[i]) <= most))
            fail_msg("voxel %lld: %g in two gathers, %g in one", (long long)i, chained[i], fused[i]);
}

static void test_views_fuse_exactly(void **state)
{
    const mtm_geometry flip = MAKE(shape, "flip", "axis", "(0, 2)");
    const mtm_geometry turn = MAKE(flip.out_size, "rot90", "k", "3", "axes", "(0, 1)");
    const mtm_geometry crop = MAKE(turn.out_size, "crop", "start", "(1, 0, 2)", "size", "(5, 4, 6)");
    const mtm_geometry pad =
        MAKE(crop.out_size, "pad", "before", "3", "after", "(1, 2, 0)", "border", "mirror");
    const mtm_geometry again = MAKE(pad.out_size, "flip", "axis", "1");
    mtm_geometry g = flip;

    assert_fuses(&flip, &turn, 0);
    assert_true(mtm_geometry_fuse(&g, &turn));
    assert_fuses(&g, &crop, 0);
    assert_true(mtm_geometry_fuse(&g, &crop));
    assert_fuses(&g, &pad, 0);
    assert_true(mtm_geometry_fuse(&g, &pad));
    assert_fuses(&g, &again, 0);
    assert_int_equal(g.kind, MTM_GEOMETRY_VIEW);
}

static void test_crop_then_affine_borders_at_the_crop(void **state)
{
    static const char *const borders[] = {"edge", "reflect", "mirror", "wrap", "constant"};
    static const char *const interps[] = {"nearest", "linear", "cubic"};
    const mtm_geometry crop = MAKE(shape, "crop", "start", "(1, 2, 3)", "size", "(3, 4, 6)");

    for (int b = 0; b < 5; b++)
        for (int i = 0; i < 3; i++) {
            const mtm_geometry turn = MAKE(
                crop.out_size, "affine", "matrix",
                "(.9013, -.4127, .1059, 1.337, .3541, .8119, .2083, -.7219, .0571, -.2111, 1.1093, .4177)",
                "interp", interps[i], "border", borders[b], "value", "3");
            assert_fuses(&crop, &turn, 2e-5f * 16);
        }
}

static void test_views_around_interpolation(void **state)
{
    const mtm_geometry flip = MAKE(shape, "flip", "axis", "2");
    const mtm_geometry turn = MAKE(flip.out_size, "rotate", "axis", "(0, 0, 1)", "degrees", "25");
    const mtm_geometry crop = MAKE(turn.out_size, "crop", "start", "1", "size", "(3, 5, 7)");
    const mtm_geometry small = MAKE(shape, "spacing", "spacing", "1", "to", "(1.3, 0.7, 1.1)");
    const mtm_geometry behind = MAKE(small.out_size, "rot90", "axes", "(0, 2)");
    const mtm_geometry lean = MAKE(small.out_size, "rotate", "axis", "(0, 1, 0)", "degrees", "10");
    const mtm_geometry coarse = MAKE(flip.out_size, "spacing", "spacing", "1", "to", "1.7");
    mtm_geometry g = flip;

    assert_fuses(&flip, &turn, 1e-4f);
    assert_true(mtm_geometry_fuse(&g, &turn));
    assert_fuses(&g, &crop, 0);
    assert_fuses(&small, &behind, 0);
    assert_fuses(&flip, &coarse, 1e-5f * 16);
    g = small;
    assert_true(mtm_geometry_fuse(&g, &lean)); /* linear, not widened: an affine map */
}

static void assert_apart(const mtm_geometry *first, const mtm_geometry *second)
{
    mtm_geometry g = *first;

    assert_false(mtm_geometry_fuse(&g, second));
    assert_memory_equal(&g, first, sizeof g);
}

static void test_what_cannot_be_one_gather(void **state)
{
    const mtm_geometry turn = MAKE(shape, "rotate", "axis", "(1, 0, 0)", "degrees", "20");
    const mtm_geometry cubic =
        MAKE(turn.out_size, "rotate", "axis", "(1, 0, 0)", "degrees", "20", "interp", "cubic");
    const mtm_geometry pad = MAKE(turn.out_size, "pad", "before", "1", "after", "1");
    const mtm_geometry crop = MAKE(turn.out_size, "crop", "start", "1", "size", "3");
    const mtm_geometry after = MAKE(crop.out_size, "rotate", "axis", "(1, 0, 0)", "degrees", "20");
    const mtm_geometry resize = MAKE(turn.out_size, "resize", "size", "(4, 4, 4)", "interp", "area");
    mtm_geometry g = turn;

    assert_apart(&turn, &cubic);
    assert_apart(&turn, &pad);
    assert_apart(&turn, &resize);
    assert_true(mtm_geometry_fuse(&g, &crop));
    assert_apart(&g, &after); /* would bring back what the crop took away */
}

/* A part of the input that `need` says is enough gives the same output. */
static void test_need_is_enough(void **state)
{
    static const char *const borders[] = {"edge", "reflect", "mirror", "wrap", "constant"};
    static const char *const interps[] = {"nearest", "linear", "cubic"};
    static const int64_t big[3] = {40, 44, 48};
    MTM_AUTO(mtm_exec) x = NULL;
    MTM_AUTO_MEM float *in = mtm_alloc(sizeof *in * 40 * 44 * 48);
    MTM_AUTO_MEM float *part = mtm_alloc(sizeof *in * 40 * 44 * 48);
    float whole[ROOM], partial[ROOM];

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    fill(in, 40 * 44 * 48);
    for (int k = 0; k < 15; k++) {
        mtm_geometry g =
            MAKE(big, "affine", "matrix", "(0.9, -0.1, 0.1, 26, 0.15, 0.8, 0.1, 24, 0.05, -0.1, 1.1, 30)",
                 "size", "(9, 10, 11)", "interp", interps[k % 3], "border", borders[k / 3], "value", "2");
        const mtm_box out = {.ndim = 3, .size = {9, 10, 11}};
        const int64_t shape4[4] = {1, big[0], big[1], big[2]}, out_shape[4] = {1, 9, 10, 11};
        const mtm_array a = mtm_array_wrap(in, MTM_F32, 4, shape4);
        mtm_array b = mtm_array_wrap(partial, MTM_F32, 4, out_shape);
        mtm_box need;

        gather(x, &g, in, whole);
        mtm_geometry_need(&g, &out, &need);
        const int64_t part_shape[4] = {1, need.size[0], need.size[1], need.size[2]};
        mtm_array p = mtm_array_wrap(part, MTM_F32, 4, part_shape), cut;
        const mtm_box box = {.ndim = 4,
                             .start = {0, need.start[0], need.start[1], need.start[2]},
                             .size = {1, need.size[0], need.size[1], need.size[2]}};
        assert_ok(mtm_array_crop(&cut, &a, &box, &err));
        assert_ok(mtm_array_convert(&p, &cut, 1, 0, NULL, &err));
        assert_ok(mtm_geometry_run(x, &g, &p, need.start, false, NULL, &b, &err));
        for (int i = 0; i < 990; i++)
            if (!(fabsf(whole[i] - partial[i]) <= (k % 3 == 2 ? 1e-5f : 0)))
                fail_msg("%s %s voxel %d: %g of all, %g of the part", interps[k % 3], borders[k / 3], i,
                         whole[i], partial[i]);
    }
}

static void test_view_copies_nothing(void **state)
{
    float in[VOXELS];
    const int64_t shape4[4] = {1, NZ, NY, NX};
    const mtm_array a = mtm_array_wrap(in, MTM_F32, 4, shape4);
    mtm_geometry g = MAKE(shape, "flip", "axis", "2");
    const mtm_geometry crop = MAKE(shape, "crop", "start", "(1, 2, 3)", "size", "(2, 3, 4)");
    const mtm_geometry pad = MAKE(crop.out_size, "pad", "before", "1", "after", "0");
    mtm_array v;

    assert_true(mtm_geometry_fuse(&g, &crop));
    assert_true(mtm_geometry_view(&g, &a, &v));
    assert_ptr_equal(v.data, &in[(1 * NY + 2) * NX + NX - 1 - 3]);
    assert_int_equal(v.stride[3], -4);
    assert_int_equal(v.shape[3], 4);
    assert_true(mtm_geometry_fuse(&g, &pad));
    assert_false(mtm_geometry_view(&g, &a, &v));
}

/* The same bytes for any number of threads, with steps and without. */
static void test_threads(void **state)
{
    static const int64_t size[3] = {21, 33, 150};
    const int64_t shape4[4] = {2, 21, 33, 150}, origin[3] = {0};
    const mtm_pointwise steps = {.n = 1,
                                 .steps = {{.kind = MTM_STEP_NOISE, .channel = -1, .a = 1, .seed = 5}}};
    const size_t bytes = sizeof(float) * 2 * 21 * 33 * 150;
    MTM_AUTO_MEM float *in = mtm_alloc(bytes), *serial = mtm_alloc(bytes), *parallel = mtm_alloc(bytes);
    static const char *const interps[] = {"nearest", "linear", "cubic"};

    fill(in, (int64_t)(bytes / sizeof *in));
    for (int k = 0; k < 6; k++)
        for (int threads = 0; threads < 4; threads += 3) {
            MTM_AUTO(mtm_pool) pool = NULL;
            MTM_AUTO(mtm_exec) x = NULL;
            const mtm_geometry g = MAKE(size, "affine", "matrix", "(1, .1, 0, 3, -.1, 1, 0, 2, 0, .1, 1, -1)",
                                        "interp", interps[k % 3], "border", "constant");
            const mtm_array a = mtm_array_wrap(in, MTM_F32, 4, shape4);
            mtm_array b = mtm_array_wrap(threads ? parallel : serial, MTM_F32, 4, shape4);

            if (threads)
                assert_ok(mtm_pool_new(&pool, threads, &err));
            assert_ok(mtm_exec_new(&x, pool, NULL, &err));
            assert_ok(mtm_geometry_run(x, &g, &a, origin, false, k < 3 ? NULL : &steps, &b, &err));
            if (threads)
                assert_memory_equal(serial, parallel, bytes);
        }
}

/* Steps on the way equal steps afterwards, into any dtype. */
static void test_steps(void **state)
{
    static const char *const names[] = {"pad", "affine", "resize"};
    const mtm_pointwise steps = {.n = 1, .steps = {{.kind = MTM_STEP_LINEAR, .channel = -1, .a = 2, .b = 1}}};
    const int64_t shape4[4] = {1, NZ, NY, NX}, origin[3] = {0};
    MTM_AUTO(mtm_exec) x = NULL;
    float in[VOXELS], plain[ROOM];
    int16_t stepped[ROOM];

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    fill(in, VOXELS);
    const mtm_array a = mtm_array_wrap(in, MTM_F32, 4, shape4);
    for (int k = 0; k < 3; k++) {
        const mtm_geometry g =
            k == 0   ? MAKE(shape, names[k], "before", "2", "after", "1", "value", "5")
            : k == 1 ? MAKE(shape, names[k], "matrix", "(1, .1, 0, 0, -.1, 1, 0, 2, 0, .1, 1, -1)")
                     : MAKE(shape, names[k], "size", "(6, 6, 6)");
        const int64_t out_shape[4] = {1, g.out_size[0], g.out_size[1], g.out_size[2]};
        mtm_array b = mtm_array_wrap(stepped, MTM_I16, 4, out_shape);

        gather(x, &g, in, plain);
        assert_ok(mtm_geometry_run(x, &g, &a, origin, false, &steps, &b, &err));
        x->kernels.pointwise.run(&steps, 0, 0, plain, (size_t)voxels_of(&g));
        for (int64_t i = 0; i < voxels_of(&g); i++)
            assert_int_equal(stepped[i], (int)rintf(plain[i]));
    }
}

static void test_failures(void **state)
{
    static const char *const interps[] = {"nearest", "linear", "cubic"};
    const int64_t shape4[4] = {1, NZ, NY, NX}, origin[3] = {0};
    float in[VOXELS];
    int16_t out[VOXELS];
    const mtm_array a = mtm_array_wrap(in, MTM_F32, 4, shape4);
    mtm_array b = mtm_array_wrap(out, MTM_I16, 4, shape4);

    fill(in, VOXELS);
    for (int k = 0; k < 3; k++) {
        const mtm_geometry g = MAKE(shape, "affine", "matrix", "(1, .1, 0, 0, -.1, 1, 0, 2, 0, .1, 1, -1)",
                                    "interp", interps[k]);
        bool done = false;

        for (int64_t n = 0; n < 20 && !done; n++) {
            MTM_AUTO(mtm_exec) x = NULL;

            assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
            mtm_mem_fail_after(n);
            const mtm_status s = mtm_geometry_run(x, &g, &a, origin, false, NULL, &b, &err);
            mtm_mem_fail_after(-1);
            assert_int_equal(x->in_use, 0);
            done = s == MTM_OK;
            assert_true(done || s == MTM_E_NOMEM);
        }
        assert_true(done);
        in[VOXELS / 2] = NAN;
        MTM_AUTO(mtm_exec) x = NULL;
        assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
        assert_status(MTM_E_INVAL, mtm_geometry_run(x, &g, &a, origin, false, NULL, &b, &err));
        assert_int_equal(x->in_use, 0);
        in[VOXELS / 2] = 1;
    }
}

/* ---- random forms -------------------------------------------------------------------------------------- */

static void test_random_crop(void **state)
{
    const mtm_spec spec = spec_of(shape);
    bool seen[NX - 8 + 1] = {false};
    uint64_t args[512], target_args[512];
    const mtm_op *target;

    assert_ok(mtm_op_args(&mtm_op_random_crop, args,
                          &(mtm_arg){.name = "size", .kind = MTM_ARG_TEXT, .text = "(5, 7, 8)"}, 1, &err));
    for (int i = 0; i < 200; i++) {
        mtm_draw d = {.rng = mtm_rng_at(1, 0, i, 0)};
        const crop_args *const c = (const crop_args *)(const void *)target_args;

        assert_ok(mtm_op_random_crop.draw(args, &d, &spec, &target, target_args, &err));
        assert_ptr_equal(target, &mtm_op_crop);
        assert_int_equal(c->start.v[0], 0);
        assert_in_range(c->start.v[2], 0, NX - 8);
        seen[c->start.v[2]] = true;
    }
    for (int i = 0; i <= NX - 8; i++)
        assert_true(seen[i]);
    assert_ok(mtm_op_args(&mtm_op_random_crop, args,
                          &(mtm_arg){.name = "size", .kind = MTM_ARG_TEXT, .text = "(6, 7, 8)"}, 1, &err));
    mtm_draw d = {.rng = mtm_rng_at(1, 0, 0, 0)};
    assert_status(MTM_E_INVAL, mtm_op_random_crop.draw(args, &d, &spec, &target, target_args, &err));
}

static void test_random_flip_and_rot90(void **state)
{
    const mtm_spec spec = spec_of(shape);
    uint64_t args[512], target_args[512];
    const mtm_op *target;
    int flips[3] = {0}, none = 0, turns[4] = {0};

    assert_ok(mtm_op_args(&mtm_op_random_flip, args, NULL, 0, &err));
    for (int i = 0; i < 800; i++) {
        mtm_draw d = {.rng = mtm_rng_at(3, 0, i, 0)};
        const flip_args *const f = (const flip_args *)(const void *)target_args;

        assert_ok(mtm_op_random_flip.draw(args, &d, &spec, &target, target_args, &err));
        none += target == NULL;
        for (int32_t k = 0; target && k < f->axis.n; k++)
            flips[f->axis.v[k]]++;
    }
    for (int k = 0; k < 3; k++)
        assert_in_range(flips[k], 330, 470);
    assert_in_range(none, 60, 140); /* an eighth: each axis by itself */
    assert_ok(mtm_op_args(&mtm_op_random_rot90, args,
                          &(mtm_arg){.name = "p", .kind = MTM_ARG_TEXT, .text = "0.75"}, 1, &err));
    for (int i = 0; i < 800; i++) {
        mtm_draw d = {.rng = mtm_rng_at(4, 0, i, 0)};

        assert_ok(mtm_op_random_rot90.draw(args, &d, &spec, &target, target_args, &err));
        turns[target ? ((const rot90_args *)(const void *)target_args)->k : 0]++;
    }
    for (int k = 0; k < 4; k++)
        assert_in_range(turns[k], 140, 260);
}

/* ---- points and the way back --------------------------------------------------------------------------- */

/* A voxel painted into the input shows where the geometry's points say, and they come back to it. */
static void assert_points_follow(const mtm_geometry *g)
{
    MTM_AUTO(mtm_exec) x = NULL;
    float in[VOXELS] = {0}, out[ROOM];
    const int64_t *const n = g->out_size;
    double p[3];

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    for (int64_t i = 0; i < VOXELS; i++)
        in[i] = (float)(i + 1);
    gather(x, g, in, out);
    for (int64_t i = 0; i < voxels_of(g); i++) {
        const double at[3] = {(double)(i % n[2]) + 0.5, (double)(i / n[2] % n[1]) + 0.5,
                              (double)(i / n[2] / n[1]) + 0.5};

        memcpy(p, at, sizeof p);
        assert_ok(mtm_geometry_points(g, false, p, 1, &err));
        const int64_t seen = (int64_t)out[i] - 1; /* nearest by value */
        const double voxel[3] = {(double)(seen % NX), (double)(seen / NX % NY), (double)(seen / NX / NY)};
        for (int k = 0; seen >= 0 && k < 3; k++)
            assert_true(p[k] >= voxel[k] - 1e-9 && p[k] <= voxel[k] + 1 + 1e-9);
        assert_ok(mtm_geometry_points(g, true, p, 1, &err));
        for (int k = 0; k < 3; k++)
            assert_true(fabs(p[k] - at[k]) < 1e-9);
    }
}

static void test_points_follow_the_voxels(void **state)
{
    const mtm_geometry flip = MAKE(shape, "flip", "axis", "(0, 2)");
    const mtm_geometry crop = MAKE(shape, "crop", "start", "(1, 0, 2)", "size", "(3, 4, 6)");
    const mtm_geometry turn = MAKE(shape, "rotate", "axis", "(0, 1, 1)", "degrees", "25", "interp", "nearest",
                                   "border", "constant");
    const mtm_geometry small =
        MAKE(shape, "resize", "size", "(3, 9, 8)", "interp", "nearest", "antialias", "False");
    mtm_geometry g = small;
    const mtm_geometry behind = MAKE(g.out_size, "rot90", "axes", "(0, 2)");

    assert_points_follow(&flip);
    assert_points_follow(&crop);
    assert_points_follow(&turn);
    assert_points_follow(&small);
    assert_true(mtm_geometry_fuse(&g, &behind));
    assert_points_follow(&g);
}

static void test_inverse(void **state)
{
    MTM_AUTO(mtm_exec) x = NULL;
    const mtm_geometry crop = MAKE(shape, "crop", "start", "(1, 0, 2)", "size", "(3, 4, 6)");
    const mtm_geometry turn = MAKE(crop.out_size, "rot90", "axes", "(0, 2)");
    const mtm_geometry flat = MAKE(shape, "affine", "matrix", "(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0)");
    const mtm_geometry lean =
        MAKE(shape, "rotate", "axis", "(1, 2, 1)", "degrees", "11", "keep_size", "True");
    double p[6] = {1, 2, 3, 4, 5, 6}, a[12], b[12];
    float in[VOXELS], mid[ROOM], out[ROOM];
    mtm_geometry g = crop, back;

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    fill(in, VOXELS);
    assert_true(mtm_geometry_fuse(&g, &turn));
    assert_ok(mtm_geometry_invert(&back, &g, MTM_LINEAR, MTM_CONSTANT, -7, &err));
    assert_int_equal(back.kind, MTM_GEOMETRY_VIEW); /* so labels come back exactly */
    gather(x, &g, in, mid);
    gather(x, &back, mid, out);
    for (int64_t i = 0; i < VOXELS; i++) {
        const int64_t cx = i % NX - 2, cy = i / NX % NY, cz = i / NX / NY - 1;
        const bool kept = cx >= 0 && cx < 6 && cy < 4 && cz >= 0 && cz < 3;

        assert_true(out[i] == (kept ? in[i] : -7));
    }
    assert_ok(mtm_geometry_invert(&back, &lean, MTM_NEAREST, MTM_EDGE, 0, &err));
    assert_int_equal(back.interp, MTM_NEAREST);
    assert_true(mtm_geometry_fuse(&back, &crop));
    mtm_geometry_matrix(&lean, a);
    mtm_geometry_matrix(&back, b);
    p[0] = 2, p[1] = 0, p[2] = 1; /* the crop's corner, moved twice */
    assert_ok(mtm_geometry_points(&lean, true, p, 1, &err));
    for (int i = 0; i < 3; i++)
        assert_true(fabs(p[i] - b[4 * i + 3]) < 1e-9);
    assert_int_equal(mtm_geometry_invert(&back, &flat, MTM_LINEAR, MTM_EDGE, 0, &err), MTM_E_INVAL);
    assert_ok(mtm_geometry_points(&flat, true, p, 2, &err));
    assert_true(isnan(p[0]) && isnan(p[5]));
}

/* ---- warps --------------------------------------------------------------------------------------------- */

static const int64_t big[3] = {12, 14, 16};
enum { BIG = 12 * 14 * 16 };

static mtm_geometry elastic_on(const int64_t size[3])
{
    return MAKE(size, "elastic", "max_displacement", "1.5", "seed", "3", "interp", "linear");
}

static mtm_geometry smooth_on(const int64_t size[3])
{
    return MAKE(size, "elastic", "sigma", "2.5", "magnitude", "14", "seed", "4");
}

static mtm_geometry stretch_on(const int64_t size[3])
{
    return MAKE(size, "grid_distortion", "num_cells", "2", "distort_steps", "(1.2, 0.9)", "normalized",
                "True");
}

typedef mtm_geometry warp_on(const int64_t size[3]);
static warp_on *const warps[] = {elastic_on, smooth_on, stretch_on};
enum { WARPS = 3 };

/* A ramp is interpolated without error, so fusing shows only in rounding (a spline's field within its own bound). */
static void test_warps_fuse(void **state)
{
    const mtm_geometry turn = MAKE(shape, "rotate", "axis", "(1, 2, 1)", "degrees", "9", "keep_size", "True");
    const mtm_geometry flip = MAKE(shape, "flip", "axis", "(0, 2)");
    const mtm_geometry crop = MAKE(shape, "crop", "start", "(1, 2, 3)", "size", "(3, 4, 6)");
    const mtm_geometry cubic =
        MAKE(shape, "rotate", "axis", "(1, 2, 1)", "degrees", "9", "keep_size", "True", "interp", "cubic");
    const mtm_geometry wide = MAKE(shape, "resize", "size", "(3, 4, 5)");

    for (int i = 0; i < WARPS; i++) {
        const mtm_geometry warp = warps[i](shape), small = warps[i](crop.out_size);
        mtm_geometry g = flip;

        assert_fuses(&flip, &warp, 1e-4f);
        assert_fuses(&warp, &flip, 1e-4f);
        assert_fuses(&crop, &small, 1e-4f);
        assert_fuses(&warp, &crop, 1e-4f);
        assert_true(mtm_geometry_fuse(&g, &warp));
        assert_int_equal(g.kind, MTM_GEOMETRY_WARP);
        assert_true(mtm_geometry_fuse(&g, &turn));
        assert_int_equal(g.kind, MTM_GEOMETRY_WARP);
        g = turn;
        assert_true(mtm_geometry_fuse(&g, &warp));
        assert_false(mtm_geometry_fuse(&g, &warp));  /* two fields */
        assert_false(mtm_geometry_fuse(&g, &cubic)); /* another interpolation */
        assert_false(mtm_geometry_fuse(&g, &wide));  /* widened filters */
        g = warp;
        assert_true(mtm_geometry_fuse(&g, &crop));
        assert_false(mtm_geometry_fuse(&g, &turn)); /* what the crop cut away would come back */
    }
}

/* Gathered from nothing but the box that need names; what lies outside is memory that must not be read. */
static void test_warps_need_is_enough(void **state)
{
    static const char *const borders[] = {"edge", "reflect", "mirror", "wrap", "constant"};
    MTM_AUTO(mtm_exec) x = NULL;
    const mtm_box out = {.ndim = 3, .size = {3, 4, 5}};
    float in[BIG], part[BIG], whole[BIG], got[3 * 4 * 5];

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    fill(in, BIG);
    for (int k = 0; k < 15; k++) {
        const char *const interp = (const char *[]){"nearest", "linear", "cubic"}[k / 5];
        mtm_geometry g = MAKE(big, "elastic", "max_displacement", "1.5", "locked_borders", "0", "seed", "3",
                              "interp", interp, "border", borders[k % 5]);
        const mtm_geometry crop = MAKE(big, "crop", "start", "(2, 3, 0)", "size", "(3, 4, 5)");
        mtm_box need;

        gather(x, &g, in, whole);
        assert_true(mtm_geometry_fuse(&g, &crop));
        mtm_geometry_need(&g, &out, &need);
        const int64_t n[4] = {1, need.size[0], need.size[1], need.size[2]}, to[4] = {1, 3, 4, 5};
        for (int64_t i = 0; i < n[1] * n[2] * n[3]; i++)
            part[i] = in[((i / n[3] / n[2] + need.start[0]) * 14 + i / n[3] % n[2] + need.start[1]) * 16 +
                         i % n[3] + need.start[2]];
        const mtm_array a = mtm_array_wrap(part, MTM_F32, 4, n);
        mtm_array b = mtm_array_wrap(got, MTM_F32, 4, to);
        assert_ok(mtm_geometry_run(x, &g, &a, need.start, false, NULL, &b, &err));
        for (int i = 0; i < 60; i++)
            assert_true(fabsf(got[i] - whole[((i / 20 + 2) * 14 + i / 5 % 4 + 3) * 16 + i % 5]) < 1e-4f);
    }
}

static void test_warped_points_return(void **state)
{
    MTM_AUTO(mtm_exec) x = NULL;
    float in[BIG], out[BIG];

    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    for (int i = 0; i < WARPS; i++) {
        mtm_geometry g = MAKE(big, "rotate", "axis", "(1, 2, 1)", "degrees", "9", "keep_size", "True");
        const mtm_geometry warp = warps[i](big), flip = MAKE(big, "flip", "axis", "1");

        assert_true(mtm_geometry_fuse(&g, &warp));
        assert_true(mtm_geometry_fuse(&g, &flip));
        for (int axis = 0; axis < 3; axis++) { /* a picture of each coordinate shows where the points go */
            for (int k = 0; k < BIG; k++)
                in[k] = (float)(axis == 0 ? k % 16 : axis == 1 ? k / 16 % 14 : k / 16 / 14) + 0.5f;
            gather(x, &g, in, out);
            for (int k = 0; k < BIG; k += 7) {
                const double at[3] = {k % 16 + 0.5, k / 16 % 14 + 0.5, k / 16 / 14 + 0.5};
                double p[3] = {at[0], at[1], at[2]};

                assert_ok(mtm_geometry_points(&g, false, p, 1, &err));
                const double last = (double)big[2 - axis] - 0.5, shown = fmin(fmax(p[axis], 0.5), last);
                assert_true(fabs(shown - (double)out[k]) < 1e-4);
                assert_ok(mtm_geometry_points(&g, true, p, 1, &err));
                for (int j = 0; j < 3; j++)
                    assert_true(fabs(p[j] - at[j]) < 1e-3);
            }
        }
        assert_int_equal(mtm_geometry_invert(&g, &g, MTM_LINEAR, MTM_EDGE, 0, &err), MTM_E_UNSUPPORTED);
    }
    const mtm_geometry torn = MAKE(big, "elastic", "sigma", "0", "magnitude", "9");
    double p[300];
    int lost = 0;

    for (int k = 0; k < 300; k++)
        p[k] = 1 + k % 11;
    assert_ok(mtm_geometry_points(&torn, true, p, 100, &err));
    for (int k = 0; k < 100; k++)
        lost += isnan(p[3 * k]);
    assert_true(lost > 50); /* noise has no inverse */
}

/* One field serves all pictures of a sample; what another borrows or draws in between must not show. */
static void test_kept_fields(void **state)
{
    MTM_AUTO(mtm_pool) pool = NULL;
    MTM_AUTO(mtm_exec) x = NULL;
    MTM_AUTO(mtm_exec) many = NULL;
    mtm_geometry g = smooth_on(big), other = g;
    float in[BIG], first[BIG], again[BIG];
    void *memory;

    other.displace.seed = 77;
    assert_ok(mtm_pool_new(&pool, 3, &err));
    assert_ok(mtm_exec_new(&x, NULL, NULL, &err));
    assert_ok(mtm_exec_new(&many, pool, NULL, &err));
    fill(in, BIG);
    gather(x, &g, in, first);
    gather(x, &g, in, again);
    assert_memory_equal(first, again, sizeof first);
    gather(x, &other, in, again);
    assert_memory_not_equal(first, again, sizeof first);
    assert_ok(mtm_scratch_borrow(x, 3 * sizeof in, &memory, &err));
    memset(memory, 0, 3 * sizeof in);
    mtm_scratch_return(x, memory);
    gather(x, &g, in, again);
    assert_memory_equal(first, again, sizeof first);
    gather(many, &g, in, again);
    assert_memory_equal(first, again, sizeof first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views_fuse_exactly),
        cmocka_unit_test(test_crop_then_affine_borders_at_the_crop),
        cmocka_unit_test(test_views_around_interpolation),
        cmocka_unit_test(test_what_cannot_be_one_gather),
        cmocka_unit_test(test_need_is_enough),
        cmocka_unit_test(test_view_copies_nothing),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_random_crop),
        cmocka_unit_test(test_random_flip_and_rot90),
        cmocka_unit_test(test_points_follow_the_voxels),
        cmocka_unit_test(test_inverse),
        cmocka_unit_test(test_warps_fuse),
        cmocka_unit_test(test_warps_need_is_enough),
        cmocka_unit_test(test_warped_points_return),
        cmocka_unit_test(test_kept_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
