/* tests/unit/test_j2k_packets.c: JPEG 2000 packets against a naive writer, in whole, in part, cut,
 * with lengths that lie; byte ranges.
 * SPDX-License-Identifier: Apache-2.0 */
#include "j2k_streams.h"

/* ---- packets ------------------------------------------------------------------------------------------ */

/* The block that the packets gave, against what was written up to `layers`. */
static void check_block(const mtm_block *m, const j2k_codeblock *b, const w_block *k, const w_spec *s,
                        int32_t layers)
{
    const int32_t planes = s->guard + s->exponent - 1;
    const int32_t passes = layers ? k->passes_by_layer[layers - 1] : k->n_passes;
    const bool all = passes == k->n_passes;
    size_t at = 0;

    if (!passes) {
        assert_null(b->first);
        assert_int_equal(m->n_passes, 0);
        return;
    }
    assert_int_equal(b->zero_planes, k->zero_planes);
    assert_int_equal(b->n_passes, passes);
    if (!k->ht) {
        assert_int_equal(m->n_passes, passes);
        assert_int_equal(m->n_planes, planes - k->zero_planes);
    } else if (all && k->n_segments) {
        assert_true(b->ht);
        assert_int_equal(m->n_passes, 1 + k->segments[1].n_passes);
        assert_int_equal(m->n_planes + m->plane, planes);
    }
    if (!all)
        return;
    assert_int_equal(m->n_segments, k->n_segments);
    for (int i = 0; i < m->n_segments; i++) {
        assert_int_equal(m->segments[i].size_bytes, k->segments[i].size_bytes);
        assert_int_equal(m->segments[i].n_passes, k->segments[i].n_passes);
        at += m->segments[i].size_bytes;
    }
    assert_int_equal(at, k->data.n);
    if (at)
        assert_memory_equal(m->data, k->data.p, at);
}

/* Blocks inside the windows of a tile. */
static void check_tile(const j2k_tile *t, const w_tile *written, const w_spec *s, const j2k_input *in,
                       int32_t layers, j2k_arena *arena)
{
    mtm_error err = {0};

    for (int32_t c = 0; c < s->n_components; c++)
        for (int32_t r = 0; r <= t->components[c].top; r++)
            for (int32_t i = 0; i < t->components[c].resolutions[r].n_bands; i++) {
                const j2k_band *const b = &t->components[c].resolutions[r].bands[i];
                const j2k_band *const f = &written->layout.components[c].resolutions[r].bands[i];

                for (int64_t n = 0; n < b->blocks_wide * b->blocks_high; n++) {
                    const int64_t x = n % b->blocks_wide, y = n / b->blocks_wide;
                    const int64_t fx = b->block_x0 + x - f->block_x0, fy = b->block_y0 + y - f->block_y0;
                    mtm_block m;

                    assert_ok(j2k_block_prepare(&m, &t->components[c], b, x, y, in, arena, &err));
                    check_block(&m, &b->blocks[n],
                                &written->blocks[written->base[c][r][i] + fy * f->blocks_wide + fx], s,
                                layers);
                }
            }
}

static void check_stream(const w_stream *w, const w_spec *s, const j2k_want *want,
                         const mtm_byte_range *present, int64_t n_present, j2k_counts *counts)
{
    opened o = {.in = {.data = w->out.p, .size_bytes = w->out.n, .present = present, .n_present = n_present}};
    mtm_error err = {0};

    assert_ok(open_status(&o, &err));
    *counts = (j2k_counts){.reduce = want->reduce};
    for (int64_t t = 0; t < w->n_tiles; t++) {
        const j2k_rect r = j2k_tile_rect(&o.header.size, t);
        const j2k_params *p;
        j2k_tile tile;

        if (r.x1 <= want->region.x0 || r.x0 >= want->region.x1 || r.y1 <= want->region.y0 ||
            r.y0 >= want->region.y1)
            continue;
        assert_ok(j2k_tile_params(&p, &o.stream, t, &o.arena, &o.notes, &err));
        assert_ok(j2k_tile_layout(&tile, &o.header.size, p, t, want, w->out.n, NULL, &o.arena, &err));
        for (int twice = 0; twice < 2; twice++) { /* as for a second frame of one header */
            assert_ok(j2k_tile_packets(&tile, &o.stream, want, counts, &o.arena, &o.notes, &err));
            check_tile(&tile, &w->tiles[t], s, &o.in, want->layers, &o.arena);
            j2k_tile_reset(&tile);
        }
    }
    assert_int_equal(o.notes.n, 0);
    assert_false(counts->incomplete);
    assert_int_equal(counts->reduce, want->reduce);
    opened_free(&o);
}

static j2k_want random_want(const w_spec *s, mtm_rng *r, mtm_decode_params *p)
{
    j2k_want w = {.reduce = (int32_t)w_below(r, s->levels + 1u)};
    const int64_t d = INT64_C(1) << w.reduce; /* such a region as mtm_decode_planes takes */
    const int64_t x = (s->image.x0 + d - 1) / d, y = (s->image.y0 + d - 1) / d;
    const int64_t width = (s->image.x1 + d - 1) / d - x, height = (s->image.y1 + d - 1) / d - y;

    w.layers = (int32_t)w_below(r, s->layers + 1u);
    *p = (mtm_decode_params){.struct_size = sizeof *p, .reduce = w.reduce, .layers = w.layers};
    w.region = s->image, w.whole = true;
    if (width < 1 || height < 1 || w_below(r, 3) == 0)
        return w;
    p->has_region = true;
    p->region[0] = w_below(r, (uint32_t)height),
    p->region[1] = p->region[0] + 1 + w_below(r, (uint32_t)(height - p->region[0]));
    p->region[2] = w_below(r, (uint32_t)width),
    p->region[3] = p->region[2] + 1 + w_below(r, (uint32_t)(width - p->region[2]));
    return w;
}

static void test_packets(void **state)
{
    mtm_rng r = mtm_rng_at(10, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 400; i++) {
        const w_spec s = w_random_stream(&r);
        w_stream w = w_stream_new(&s);
        const j2k_want whole = {.region = s.image, .whole = true};
        j2k_counts counts;

        check_stream(&w, &s, &whole, NULL, 0, &counts);
        w_stream_free(&w);
    }
}

/* A part of each stream, with only those bytes that the plan names; the rest is made to nonsense. */
static void test_parts_and_plans(void **state)
{
    mtm_rng r = mtm_rng_at(11, 0, 0, 0);
    int64_t skipped = 0, exact = 0;

    (void)state;
    for (int i = 0; i < 400; i++) {
        w_spec s = w_random_stream(&r);
        mtm_j2k_ranges *plan = NULL;
        mtm_error err = {0};
        mtm_decode_params p;
        j2k_counts counts;
        const j2k_channel channels[4] = {{0, -1, 0}, {1, -1, 0}, {2, -1, 0}, {3, -1, 0}};
        j2k_header h = {0};
        j2k_want want;
        w_stream w;
        uint64_t at = 0;

        for (int c = 1; c < 4; c++) /* mtm_j2k_plan counts pixels of a grid that all share */
            s.dx[c] = s.dx[0], s.dy[c] = s.dy[0];
        s.dx[0] = s.dy[0] = s.dx[1] = s.dy[1] = s.dx[2] = s.dy[2] = 1;
        w = w_stream_new(&s);
        (void)random_want(&s, &r, &p);
        h.size = w.size, h.params = w.params;
        assert_ok(j2k_want_make(&want, &h, channels, s.n_components, &p, true, &w.arena, &err));
        check_stream(&w, &s, &want, NULL, 0, &counts);
        skipped += counts.packets_skipped;
        assert_true(s.plt && !s.packed ? true : counts.packets_skipped == 0);
        assert_ok(mtm_j2k_plan(&plan, w.out.p, w.out.n, w.out.n, &p, &err));
        assert_int_equal(plan->need_bytes, 0);
        if (s.plt || s.packed)
            assert_true(plan->exact);
        exact += plan->exact;
        for (int64_t k = 0; k <= plan->n; k++) {
            const uint64_t end = k < plan->n ? plan->ranges[k].offset : w.out.n;

            assert_true(end >= at);
            memset(w.out.p + at, 0xA5, end - at);
            if (k < plan->n)
                at = end + plan->ranges[k].size_bytes;
        }
        check_stream(&w, &s, &want, plan->ranges, plan->n, &counts);
        mtm_j2k_ranges_free(plan);
        w_stream_free(&w);
    }
    assert_true(skipped > 1000);
    assert_true(exact > 100);
}

/* Cut anywhere: strict reading says so, partial reading gives beginnings of what was written. */
static void test_cut(void **state)
{
    mtm_rng r = mtm_rng_at(12, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 300; i++) {
        const w_spec s = w_random_stream(&r);
        w_stream w = w_stream_new(&s);
        const uint64_t n = w.main_bytes + 12 + mtm_rng_below(&r, w.out.n - w.main_bytes - 14);
        uint8_t *const bytes = mtm_alloc(n);
        const j2k_want whole = {.region = s.image, .whole = true};
        j2k_counts counts = {0};
        bool failed = false;

        memcpy(bytes, w.out.p, n);
        for (int partial = 0; partial < 2; partial++) {
            opened o = {.in = {.data = bytes, .size_bytes = n, .partial = partial}};
            mtm_error err = {0};

            assert_ok(open_status(&o, &err));
            for (int64_t t = 0; t < w.n_tiles; t++) {
                const j2k_params *p;
                j2k_tile tile;
                mtm_status status;

                assert_ok(j2k_tile_params(&p, &o.stream, t, &o.arena, &o.notes, &err));
                assert_ok(
                    j2k_tile_layout(&tile, &o.header.size, p, t, &whole, w.out.n, NULL, &o.arena, &err));
                status = j2k_tile_packets(&tile, &o.stream, &whole, &counts, &o.arena, &o.notes, &err);
                if (partial)
                    assert_int_equal(status, MTM_OK);
                else if (status != MTM_OK)
                    failed = true, assert_int_equal(status, MTM_E_CORRUPT), assert_in_range(err.offset, 0, n);
            }
            if (partial) { /* only empty packets can be missing unnoticed: none that is read last is */
                assert_int_equal(counts.incomplete, failed);
                assert_true(counts.bytes_used <= n);
            }
            opened_free(&o);
            counts = (j2k_counts){0};
        }
        mtm_free(bytes);
        w_stream_free(&w);
    }
}

/* ---- tile-parts that lie ------------------------------------------------------------------------------ */

static int32_t notes_of(const w_bytes *b, const w_stream *w, const w_spec *s)
{
    opened o = {.in = {.data = b->p, .size_bytes = b->n}};
    const j2k_want whole = {.region = s->image, .whole = true};
    mtm_error err = {0};
    j2k_counts counts = {0};
    int32_t n;

    assert_ok(open_status(&o, &err));
    for (int64_t t = 0; t < w->n_tiles; t++) {
        const j2k_params *p;
        j2k_tile tile;

        assert_ok(j2k_tile_params(&p, &o.stream, t, &o.arena, &o.notes, &err));
        assert_ok(j2k_tile_layout(&tile, &o.header.size, p, t, &whole, b->n, NULL, &o.arena, &err));
        assert_ok(j2k_tile_packets(&tile, &o.stream, &whole, &counts, &o.arena, &o.notes, &err));
        check_tile(&tile, &w->tiles[t], s, &o.in, 0, &o.arena);
    }
    assert_false(counts.incomplete);
    n = o.notes.n;
    opened_free(&o);
    return n;
}

static void test_wrong_lengths(void **state)
{
    w_spec s = w_plain;
    w_stream w;
    w_bytes b = {0};
    size_t sot[4], at;

    (void)state;
    s.tile = (j2k_rect){0, 0, 20, 15}, s.seed = 5;
    w = w_stream_new(&s);
    at = w.main_bytes;
    for (int i = 0; i < 4; i++) {
        sot[i] = at;
        at += (size_t)w.out.p[at + 6] << 24 | w.out.p[at + 7] << 16 | w.out.p[at + 8] << 8 | w.out.p[at + 9];
    }
    w_add(&b, w.out.p, w.out.n);
    assert_int_equal(notes_of(&b, &w, &s), 0);
    w_put(&b, 0, 1); /* a pad byte behind EOC, as DICOM has it */
    assert_int_equal(notes_of(&b, &w, &s), 0);
    b.n -= 3, w_put(&b, 0, 1); /* no EOC */
    assert_int_equal(notes_of(&b, &w, &s), 0);
    b.n = w.out.n - 2;
    assert_int_equal(notes_of(&b, &w, &s), 1);
    b.n = 0, w_add(&b, w.out.p, w.out.n);
    w_set(&b, sot[3] + 6, 0, 4); /* to the end */
    assert_int_equal(notes_of(&b, &w, &s), 0);
    w_set(&b, sot[3] + 6, 100000, 4);
    assert_int_equal(notes_of(&b, &w, &s), 1);
    w_set(&b, sot[3] + 6, 5, 4);
    w_set(&b, sot[1] + 6, 30, 4);
    assert_int_equal(notes_of(&b, &w, &s), 2);
    mtm_free(b.p);
    w_stream_free(&w);
}

/* A PLT that is wrong is a warning, whether packets were skipped by it or not. */
static void test_wrong_plt(void **state)
{
    w_spec s = w_plain;
    w_stream w;
    size_t at;

    (void)state;
    s.plt = true, s.seed = 77;
    memset(s.precinct, 0x55, 3);
    w = w_stream_new(&s);
    at = w.main_bytes + 12 + 5;
    assert_int_equal(notes_of(&w.out, &w, &s), 0);
    while (w.out.p[at] >= 127)
        at++;
    w.out.p[at]++;
    assert_int_equal(notes_of(&w.out, &w, &s), 1);
    w_stream_free(&w);
}

/* Fetching what a plan asks for, again and again, ends with ranges that suffice. */
static void test_plan_of_beginning(void **state)
{
    mtm_rng r = mtm_rng_at(13, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 100; i++) {
        const w_spec s = w_random_stream(&r);
        w_stream w = w_stream_new(&s);
        mtm_decode_params p = {.struct_size = sizeof p, .reduce = s.levels};
        uint64_t n = 1 + mtm_rng_below(&r, 40);
        mtm_error err = {0};

        for (int round = 0;; round++) {
            mtm_j2k_ranges *plan = NULL;
            uint8_t *const bytes = mtm_alloc(n);

            assert_true(round < 1000);
            memcpy(bytes, w.out.p, n);
            if (n < 12) { /* not even a signature */
                assert_true(mtm_j2k_plan(&plan, bytes, n, w.out.n, &p, &err) != MTM_OK ||
                            plan->need_bytes > n);
                mtm_j2k_ranges_free(plan);
                mtm_free(bytes), n = 12;
                continue;
            }
            assert_ok(mtm_j2k_plan(&plan, bytes, n, w.out.n, &p, &err));
            mtm_free(bytes);
            if (!plan->need_bytes) {
                const j2k_want want = {.region = s.image, .whole = true, .reduce = s.levels};
                j2k_counts counts;

                check_stream(&w, &s, &want, plan->ranges, plan->n, &counts);
                mtm_j2k_ranges_free(plan);
                break;
            }
            assert_true(plan->need_bytes > n && plan->need_bytes <= w.out.n);
            n = plan->need_bytes;
            mtm_j2k_ranges_free(plan);
        }
        w_stream_free(&w);
    }
}

/* ---- out of memory ------------------------------------------------------------------------------------ */

static mtm_status read_all(const w_stream *w, const w_spec *s)
{
    opened o = {.in = {.data = w->out.p, .size_bytes = w->out.n}};
    const j2k_want whole = {.region = s->image, .whole = true};
    mtm_status status = open_status(&o, NULL);
    j2k_counts counts = {0};

    for (int64_t t = 0; t < w->n_tiles && status == MTM_OK; t++) {
        const j2k_params *p = NULL;
        j2k_tile tile;

        status = j2k_tile_params(&p, &o.stream, t, &o.arena, &o.notes, NULL);
        if (status == MTM_OK)
            status = j2k_tile_layout(&tile, &o.header.size, p, t, &whole, w->out.n, NULL, &o.arena, NULL);
        if (status == MTM_OK)
            status = j2k_tile_packets(&tile, &o.stream, &whole, &counts, &o.arena, &o.notes, NULL);
    }
    opened_free(&o);
    return status;
}

/* The n-th allocation fails, for every n: an error each time, and nothing is lost. */
static void test_out_of_memory(void **state)
{
    mtm_rng r = mtm_rng_at(14, 0, 0, 0);

    (void)state;
    for (int i = 0; i < 30; i++) {
        const w_spec s = w_random_stream(&r);
        w_stream w = w_stream_new(&s);
        mtm_status status = MTM_E_NOMEM;
        int n = 0;

        for (; status != MTM_OK && n < 1000; n++) {
            mtm_mem_fail_after(n);
            status = read_all(&w, &s);
            mtm_mem_fail_after(-1);
            assert_true(status == MTM_OK || status == MTM_E_NOMEM);
        }
        assert_true(n > 1 && n < 1000);
        status = MTM_E_NOMEM;
        for (n = 0; status != MTM_OK && n < 1000; n++) {
            mtm_j2k_ranges *plan = NULL;
            mtm_codec_info *info = NULL;

            mtm_mem_fail_after(n);
            status = mtm_j2k_plan(&plan, w.out.p, w.out.n, w.out.n, NULL, NULL);
            if (status == MTM_OK)
                status = j2k_info_new(&info, w.out.p, w.out.n, NULL, NULL);
            mtm_mem_fail_after(-1);
            assert_true(status == MTM_OK || status == MTM_E_NOMEM);
            mtm_j2k_ranges_free(plan), j2k_info_free(info);
        }
        assert_true(n > 3 && n < 1000);
        w_stream_free(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),       cmocka_unit_test(test_parts_and_plans),
        cmocka_unit_test(test_cut),           cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_wrong_plt),     cmocka_unit_test(test_plan_of_beginning),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
