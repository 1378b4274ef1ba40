/* tests/unit/test_jpegls.c: our JPEG-LS decoder against CharLS's encoder and decoder: bits, losses, interleavings, sizes, presets, restart
 * intervals, colour transforms; the segments that CharLS does not write; hostile streams, and memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include <charls/charls.h>

#include "unit.h"

#include "codec/codec.h"
#include "codec/jpegls/marker.h"
#include "microtome/array.h"

typedef struct stream {
    charls_frame_info frame;
    charls_interleave_mode mode;
    int32_t near, transform;
    charls_jpegls_pc_parameters presets;
    uint8_t *samples, *theirs; /* as CharLS lays them: planes, or pixels */
    size_t size;               /* of either */
    uint8_t *p;
    size_t n;
} stream;

enum { NOISE, RAMP, BINARY, FLAT, CONTENTS };

static uint32_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

static void put(stream *s, size_t i, uint32_t v)
{
    if (s->frame.bits_per_sample <= 8)
        s->samples[i] = (uint8_t)v;
    else
        ((uint16_t *)(void *)s->samples)[i] = (uint16_t)v;
}

static void make_samples(stream *s, int content, uint64_t seed)
{
    const uint32_t most = s->presets.maximum_sample_value ? (uint32_t)s->presets.maximum_sample_value
                                                          : (UINT32_C(1) << s->frame.bits_per_sample) - 1;
    const size_t n = (size_t)s->frame.width * s->frame.height * (size_t)s->frame.component_count;

    s->size = n * (s->frame.bits_per_sample <= 8 ? 1 : 2);
    s->samples = mtm_alloc(s->size);
    s->theirs = mtm_alloc(s->size);
    assert_non_null(s->samples);
    assert_non_null(s->theirs);
    for (size_t i = 0; i < n; i++)
        put(s, i,
            content == NOISE    ? draw(&seed) % (most + 1)
            : content == RAMP   ? (uint32_t)((i * 3 + draw(&seed) % 5) % (most + 1))
            : content == BINARY ? (draw(&seed) % 9 ? most : 0)
                                : (i < n - n / 4 ? most / 2 : most));
}

static void check(charls_jpegls_errc e)
{
    if (e)
        fail_msg("CharLS: %s", charls_get_error_message(e));
}

static void encode(stream *s)
{
    charls_jpegls_encoder *const e = charls_jpegls_encoder_create();
    const size_t room = s->size * 4 + 4096;

    s->p = mtm_alloc(room);
    assert_non_null(s->p);
    check(charls_jpegls_encoder_set_frame_info(e, &s->frame));
    check(charls_jpegls_encoder_set_near_lossless(e, s->near));
    check(charls_jpegls_encoder_set_interleave_mode(e, s->mode));
    if (s->presets.maximum_sample_value || s->presets.threshold1 || s->presets.reset_value)
        check(charls_jpegls_encoder_set_preset_coding_parameters(e, &s->presets));
    if (s->transform)
        check(charls_jpegls_encoder_set_color_transformation(e, (charls_color_transformation)s->transform));
    check(charls_jpegls_encoder_set_destination_buffer(e, s->p, room));
    check(charls_jpegls_encoder_encode_from_buffer(e, s->samples, s->size, 0));
    check(charls_jpegls_encoder_get_bytes_written(e, &s->n));
    charls_jpegls_encoder_destroy(e);
}

static void decode_theirs(stream *s)
{
    charls_jpegls_decoder *const d = charls_jpegls_decoder_create();

    check(charls_jpegls_decoder_set_source_buffer(d, s->p, s->n));
    check(charls_jpegls_decoder_read_header(d));
    check(charls_jpegls_decoder_decode_to_buffer(d, s->theirs, s->size, 0));
    charls_jpegls_decoder_destroy(d);
}

static void drop(stream *s)
{
    mtm_free(s->samples);
    mtm_free(s->theirs);
    mtm_free(s->p);
}

static mtm_status decode_ours(mtm_array *a, const uint8_t *p, size_t n, bool planar, mtm_error *err)
{
    mtm_decode_params params = {.struct_size = sizeof params, .codec = "jpegls", .planar = planar};

    *a = (mtm_array){.data = NULL};
    return mtm_decode(NULL, p, n, &params, a, err);
}

static int sample(const stream *s, const void *p, size_t i)
{
    return s->frame.bits_per_sample <= 8 ? ((const uint8_t *)p)[i] : ((const uint16_t *)p)[i];
}

/* What we decode is what CharLS does, and within its loss what was encoded. */
static void check_decoded(const stream *s)
{
    const size_t bytes = s->frame.bits_per_sample <= 8 ? 1 : 2;
    mtm_error err = {0};
    mtm_array a;

    assert_ok(decode_ours(&a, s->p, s->n, s->mode == CHARLS_INTERLEAVE_MODE_NONE, &err));
    assert_int_equal(mtm_array_count(&a) * (int64_t)mtm_dtype_size(a.dtype), s->size);
    if (memcmp(a.data, s->theirs, s->size) != 0)
        fail_msg("%u × %u × %d of %d bits, near %d, interleaving %d, transform %d: not as CharLS",
                 s->frame.height, s->frame.width, s->frame.component_count, s->frame.bits_per_sample, s->near,
                 (int)s->mode, s->transform);
    for (size_t i = 0; i < s->size / bytes; i++)
        if (abs(sample(s, a.data, i) - sample(s, s->samples, i)) > s->near)
            fail_msg("sample %zu of %d components of %d bits, interleaving %d, is farther off than %d", i,
                     s->frame.component_count, s->frame.bits_per_sample, (int)s->mode, s->near);
    mtm_array_drop(&a);
}

static void round_trip(stream s, int content, uint64_t seed)
{
    /* CharLS 2.4.1 writes no sound stream of these: its lossless pixels of four 8-bit samples lose some, and with other values of RESET it
     * codes only the first component of a pixel. */
    if (s.mode == CHARLS_INTERLEAVE_MODE_SAMPLE &&
        ((s.frame.component_count == 4 && s.frame.bits_per_sample == 8 && s.near == 0) ||
         (s.presets.reset_value && s.presets.reset_value != 64)))
        return;
    make_samples(&s, content, seed);
    encode(&s);
    decode_theirs(&s);
    check_decoded(&s);
    drop(&s);
}

/* ---- all that CharLS writes ---------------------------------------------------------------------------- */

static const uint32_t sizes[][2] = {{1, 1}, {1, 37}, {41, 1}, {2, 2}, {13, 17}, {31, 29}, {3, 300}};

static void with_sizes(stream s, uint64_t seed)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int content = 0; content < CONTENTS; content++) {
            s.frame.height = sizes[i][0], s.frame.width = sizes[i][1];
            round_trip(s, content, seed * 64 + i * CONTENTS + (uint64_t)content);
        }
}

static void test_all_modes(void **state)
{
    for (int bits = 2; bits <= 16; bits++)
        for (int near = 0; near <= 10 && near <= ((1 << bits) - 1) / 2; near += near < 3 ? 1 : 7)
            for (int n = 1; n <= 4; n++)
                for (int mode = 0; mode <= (n > 2 ? 2 : 0); mode++)
                    with_sizes((stream){.frame = {.bits_per_sample = bits, .component_count = n},
                                        .mode = (charls_interleave_mode)mode,
                                        .near = near},
                               (uint64_t)(bits * 100 + near));
}

/* MAXVAL is that of the bits: with others CharLS 2.4.1 leaves RANGE and LIMIT as they are (A.2.1 has them follow). */
static void test_presets(void **state)
{
    static const charls_jpegls_pc_parameters presets[] = {
        {255, 9, 9, 9, 31},  {0, 4, 6, 9, 63},         {255, 4, 20, 100, 3},       {255, 10, 12, 99, 255},
        {0, 30, 60, 90, 64}, {16383, 18, 67, 276, 64}, {16383, 25, 90, 2000, 100}, {0, 0, 0, 0, 17}};

    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        for (int near = 0; near <= 3; near++)
            for (int mode = 0; mode <= 2; mode++)
                with_sizes(
                    (stream){.frame = {.bits_per_sample = presets[i].maximum_sample_value > 255 ? 14 : 8,
                                       .component_count = 3},
                             .mode = (charls_interleave_mode)mode,
                             .near = near,
                             .presets = presets[i]},
                    i);
}

static void test_color_transforms(void **state)
{
    for (int transform = 1; transform <= 3; transform++)
        for (int mode = 1; mode <= 2; mode++)
            for (int bits = 8; bits <= 16; bits += 8)
                with_sizes((stream){.frame = {.bits_per_sample = bits, .component_count = 3},
                                    .mode = (charls_interleave_mode)mode,
                                    .transform = transform},
                           (uint64_t)transform);
}

/* ---- segments that CharLS does not write ---------------------------------------------------------------- */

static size_t find(const stream *s, uint8_t code)
{
    for (size_t i = 0; i + 1 < s->n; i++)
        if (s->p[i] == 0xFF && s->p[i + 1] == code)
            return i;
    fail_msg("no marker FF%02X", code);
    return 0;
}

/* Replaces `less` bytes at `at`. */
static void splice(stream *s, size_t at, size_t less, const uint8_t *more, size_t n)
{
    uint8_t *const p = mtm_alloc(s->n - less + n);

    assert_non_null(p);
    memcpy(p, s->p, at);
    memcpy(p + at, more, n);
    memcpy(p + at + n, s->p + at + less, s->n - at - less);
    mtm_free(s->p);
    s->p = p, s->n = s->n - less + n;
}
#define SPLICE(s, at, less, ...)                                                                             \
    splice((s), (at), (less), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static stream small(charls_interleave_mode mode, int bits, int n)
{
    stream s = {.frame = {.width = 19, .height = 23, .bits_per_sample = bits, .component_count = n},
                .mode = mode};

    make_samples(&s, RAMP, 5);
    encode(&s);
    memcpy(s.theirs, s.samples, s.size);
    return s;
}

/* Strips of `rows` that know nothing of each other are restart intervals: a stream made of those of each strip's own stream. */
static void check_restarts(charls_interleave_mode mode, int n, uint32_t rows, int size)
{
    stream s = small(mode, 12, n), all = s;
    const size_t row = s.size / s.frame.height;
    const uint8_t dri[8] = {0xFF,         0xDD, 0, (uint8_t)(2 + size), 0, size == 2 ? (uint8_t)rows : 0,
                            (uint8_t)rows};
    size_t at = find(&s, 0xDA), head = at + 2 + s.p[at + 3];

    all.p = mtm_alloc(s.size * 4 + 4096), all.n = 0;
    assert_non_null(all.p);
    memcpy(all.p, s.p, at);
    memcpy(all.p + at, dri, (size_t)(4 + size));
    memcpy(all.p + at + 4 + size, s.p + at, head - at);
    all.n = head + 4 + (size_t)size;
    for (uint32_t y = 0, i = 0; y < s.frame.height; y += rows, i++) {
        stream part = s;

        part.frame.height = s.frame.height - y < rows ? s.frame.height - y : rows;
        part.samples += y * row, part.size = part.frame.height * row;
        encode(&part);
        if (i) {
            all.p[all.n++] = 0xFF;
            all.p[all.n++] = (uint8_t)(0xD0 + (i - 1) % 8);
        }
        at = find(&part, 0xDA), head = at + 2 + part.p[at + 3];
        memcpy(all.p + all.n, part.p + head, part.n - 2 - head);
        all.n += part.n - 2 - head;
        mtm_free(part.p);
    }
    all.p[all.n++] = 0xFF, all.p[all.n++] = 0xD9;
    decode_theirs(&all);
    check_decoded(&all);
    mtm_free(s.p);
    drop(&all);
}

static void test_restart_intervals(void **state)
{
    for (uint32_t rows = 1; rows <= 24; rows += rows < 4 ? 1 : 5) {
        check_restarts(CHARLS_INTERLEAVE_MODE_NONE, 1, rows, 2);
        check_restarts(CHARLS_INTERLEAVE_MODE_LINE, 3, rows, 3);
        check_restarts(CHARLS_INTERLEAVE_MODE_SAMPLE, 4, rows, 2);
    }
}

static void test_sizes_elsewhere(void **state)
{
    static const uint8_t oversize[] = {0xFF, 0xF8, 0, 12, 4, 4, 0, 0, 0, 23, 0, 0, 0, 19};
    static const uint8_t short_one[] = {0xFF, 0xF8, 0, 8, 4, 2, 0, 23, 0, 19};
    stream s = small(CHARLS_INTERLEAVE_MODE_NONE, 8, 1);
    const size_t sof = find(&s, 0xF7);
    mtm_error err = {0};
    mtm_array a;

    memset(s.p + sof + 5, 0, 4);
    assert_status(MTM_E_CORRUPT, decode_ours(&a, s.p, s.n, false, &err));
    splice(&s, find(&s, 0xDA), 0, oversize, sizeof oversize);
    check_decoded(&s);
    splice(&s, find(&s, 0xF8), sizeof oversize, short_one, sizeof short_one);
    check_decoded(&s);
    splice(&s, find(&s, 0xDA), 0, short_one, sizeof short_one); /* a second time */
    assert_status(MTM_E_CORRUPT, decode_ours(&a, s.p, s.n, false, &err));
    drop(&s);

    s = small(CHARLS_INTERLEAVE_MODE_NONE, 8, 1);
    memset(s.p + find(&s, 0xF7) + 5, 0, 2);
    SPLICE(&s, s.n - 2, 0, 0xFF, 0xDC, 0, 4, 0, 23);
    check_decoded(&s);
    s.p[s.n - 3] = 0;
    assert_status(MTM_E_CORRUPT, decode_ours(&a, s.p, s.n, false, &err));
    drop(&s);
}

/* Coding knows MAXVAL only, not the precision: a stream of 12 bits is one of 14 whose presets say 4095. */
static void test_fewer_values(void **state)
{
    for (int near = 0; near <= 2; near++)
        for (int bits = 5; bits <= 12; bits += 7) {
            const int most = (1 << bits) - 1;
            stream s = {.frame = {.width = 33, .height = 21, .bits_per_sample = bits, .component_count = 1},
                        .near = near};

            make_samples(&s, RAMP, 9);
            encode(&s);
            decode_theirs(&s);
            s.p[find(&s, 0xF7) + 4] = (uint8_t)(bits + 2);
            SPLICE(&s, find(&s, 0xDA), 0, 0xFF, 0xF8, 0, 13, 1, (uint8_t)(most >> 8), (uint8_t)most, 0, 0, 0,
                   0, 0, 0, 0, 0);
            check_decoded(&s);
            drop(&s);
        }
}

static void test_point_transform(void **state)
{
    stream s = small(CHARLS_INTERLEAVE_MODE_NONE, 8, 1);
    mtm_error err = {0};
    mtm_array a;

    for (size_t i = 0; i < s.size; i++)
        s.samples[i] >>= 2;
    mtm_free(s.p);
    encode(&s);
    s.p[find(&s, 0xDA) + 9] = 2; /* Al */
    assert_ok(decode_ours(&a, s.p, s.n, false, &err));
    for (size_t i = 0; i < s.size; i++)
        assert_int_equal(((uint8_t *)a.data)[i], s.samples[i] << 2);
    mtm_array_drop(&a);
    drop(&s);
}

/* Scans of some of the components, and in another order than the frame's. */
static void test_scans_apart(void **state)
{
    stream s = small(CHARLS_INTERLEAVE_MODE_NONE, 8, 3);
    size_t at = find(&s, 0xDA);
    const uint8_t first = s.p[at + 5], frame = (uint8_t)find(&s, 0xF7);
    mtm_error err = {0};
    mtm_array a;

    /* the frame names its components 3, 1, 2 */
    s.p[frame + 10] = (uint8_t)(first + 2), s.p[frame + 13] = first, s.p[frame + 16] = (uint8_t)(first + 1);
    assert_ok(decode_ours(&a, s.p, s.n, true, &err));
    for (int i = 0; i < 3; i++)
        assert_memory_equal((uint8_t *)a.data + (size_t)((i + 1) % 3) * s.size / 3,
                            s.samples + (size_t)i * s.size / 3, s.size / 3);
    mtm_array_drop(&a);
    s.p[at + 5] = (uint8_t)(first + 1); /* twice */
    assert_status(MTM_E_CORRUPT, decode_ours(&a, s.p, s.n, true, &err));
    drop(&s);
}

static void refuse(mtm_status status, const char *text, stream *s)
{
    mtm_error err = {0};
    mtm_array a;

    assert_status(status, decode_ours(&a, s->p, s->n, false, &err));
    if (!strstr(err.text, text))
        fail_msg("\"%s\" has no \"%s\"", err.text, text);
    drop(s);
}

static stream with(size_t from_marker, uint8_t marker, uint8_t value)
{
    stream s = small(CHARLS_INTERLEAVE_MODE_SAMPLE, 8, 3);

    s.p[find(&s, marker) + from_marker] = value;
    return s;
}

static stream with_segment(const uint8_t *bytes, size_t n)
{
    stream s = small(CHARLS_INTERLEAVE_MODE_SAMPLE, 8, 3);

    splice(&s, find(&s, 0xDA), 0, bytes, n);
    return s;
}
#define WITH_SEGMENT(...) with_segment((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_refused(void **state)
{
    stream s;

    s = with(4, 0xF7, 17), refuse(MTM_E_CORRUPT, "17 bits", &s);
    s = with(4, 0xF7, 1), refuse(MTM_E_CORRUPT, "1 bits", &s);
    s = with(9, 0xF7, 4), refuse(MTM_E_CORRUPT, "does not fit its components", &s);
    s = with(11, 0xF7, 0x21), refuse(MTM_E_UNSUPPORTED, "subsampled", &s);
    s = with(13, 0xF7, 1), refuse(MTM_E_CORRUPT, "component 1 twice", &s);
    s = with(1, 0xF7, 0xC3), refuse(MTM_E_UNSUPPORTED, "this is JPEG", &s);
    s = with(6, 0xDA, 1), refuse(MTM_E_UNSUPPORTED, "mapping tables", &s);
    s = with(5, 0xDA, 9), refuse(MTM_E_CORRUPT, "a component 9", &s);
    s = with(5, 0xDA, 2), refuse(MTM_E_CORRUPT, "component 2 twice", &s);
    s = with(11, 0xDA, 200), refuse(MTM_E_CORRUPT, "loss of 200", &s);
    s = with(12, 0xDA, 0), refuse(MTM_E_CORRUPT, "interleaved by mode 0", &s);
    s = with(12, 0xDA, 3), refuse(MTM_E_CORRUPT, "interleaved by mode 3", &s);
    s = with(13, 0xDA, 8), refuse(MTM_E_CORRUPT, "point transform by 8", &s);
    s = WITH_SEGMENT(0xFF, 0xE8, 0, 7, 'm', 'r', 'f', 'x', 5), refuse(MTM_E_UNSUPPORTED, "transform 5", &s);
    s = WITH_SEGMENT(0xFF, 0xF8, 0, 3, 5), refuse(MTM_E_UNSUPPORTED, "type 5", &s);
    s = WITH_SEGMENT(0xFF, 0xF8, 0, 13, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    refuse(MTM_E_CORRUPT, "samples up to 256", &s);
    s = WITH_SEGMENT(0xFF, 0xF8, 0, 13, 1, 0, 0, 0, 9, 0, 8, 0, 0, 0, 0);
    refuse(MTM_E_CORRUPT, "threshold 2 is 8", &s);
    s = WITH_SEGMENT(0xFF, 0xF8, 0, 13, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
    refuse(MTM_E_CORRUPT, "halved at 2", &s);
    s = WITH_SEGMENT(0xFF, 0xDD, 0, 4, 0, 5), refuse(MTM_E_CORRUPT, "left behind", &s);
    s = WITH_SEGMENT(0xFF, 0xDD, 0, 3, 5), refuse(MTM_E_CORRUPT, "restart interval is cut off", &s);
    s = WITH_SEGMENT(0, 0), refuse(MTM_E_CORRUPT, "no marker", &s);
    s = WITH_SEGMENT(0xFF, 0xFE, 0, 1), refuse(MTM_E_CORRUPT, "length 1", &s);
    s = WITH_SEGMENT(0xFF, 0xD9), refuse(MTM_E_CORRUPT, "before the first scan", &s);
    s = small(CHARLS_INTERLEAVE_MODE_SAMPLE, 8, 3);
    SPLICE(&s, s.n - 2, 0, 0, 0, 1);
    refuse(MTM_E_CORRUPT, "left behind", &s);
    s = WITH_SEGMENT(0xFF, 0xF8, 0, 5, 2, 1, 1); /* a table that nobody uses */
    check_decoded(&s);
    drop(&s);
}

/* ---- damage --------------------------------------------------------------------------------------------- */

static void test_cuts(void **state)
{
    for (int mode = 0; mode <= 2; mode++) {
        stream s = small((charls_interleave_mode)mode, 10, 3);

        for (size_t n = 0; n < s.n; n++) {
            uint8_t *const copy = mtm_alloc(n); /* its own memory, for the sanitizers */
            mtm_error err = {0};
            mtm_array a;

            assert_non_null(copy);
            memcpy(copy, s.p, n);
            assert_status(MTM_E_CORRUPT, decode_ours(&a, copy, n, false, &err));
            assert_true(err.offset >= 0 && err.offset <= (int64_t)n);
            mtm_free(copy);
        }
        drop(&s);
    }
}

static void test_changed_bytes(void **state)
{
    for (int mode = 0; mode <= 2; mode++)
        for (int near = 0; near <= 3; near += 3)
            for (int bits = 8; bits <= 16; bits += 4) {
                stream s = {
                    .frame = {.width = 9, .height = 11, .bits_per_sample = bits, .component_count = 3},
                    .mode = (charls_interleave_mode)mode,
                    .near = near};

                make_samples(&s, bits == 12 ? BINARY : RAMP, 3);
                encode(&s);
                for (size_t i = 0; i < s.n; i++)
                    for (int k = 0; k < 10; k++) {
                        const uint8_t was = s.p[i];
                        mtm_error err = {0};
                        mtm_array a;

                        s.p[i] = k < 8 ? (uint8_t)(was ^ 1 << k) : k == 8 ? 0 : 0xFF;
                        if (decode_ours(&a, s.p, s.n, false, &err))
                            assert_true(err.text[0] && err.code != MTM_E_NOMEM);
                        else
                            mtm_array_drop(&a);
                        s.p[i] = was;
                    }
                drop(&s);
            }
}

static void test_out_of_memory(void **state)
{
    stream s = small(CHARLS_INTERLEAVE_MODE_LINE, 8, 3);
    mtm_error err = {0};
    mtm_array a;
    mtm_status status;
    int64_t n = 0;

    SPLICE(&s, 2, 0, 0xFF, 0xE8, 0, 7, 'm', 'r', 'f', 'x', 1);
    do {
        mtm_mem_fail_after(n++);
        status = decode_ours(&a, s.p, s.n, false, &err);
        mtm_mem_fail_after(-1);
        assert_true(status == MTM_OK || status == MTM_E_NOMEM);
    } while (status && n < 100);
    assert_true(n > 4 && n < 100);
    mtm_array_drop(&a);
    drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_modes),        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_color_transforms), cmocka_unit_test(test_restart_intervals),
        cmocka_unit_test(test_sizes_elsewhere),  cmocka_unit_test(test_point_transform),
        cmocka_unit_test(test_fewer_values),     cmocka_unit_test(test_scans_apart),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_changed_bytes),    cmocka_unit_test(test_out_of_memory)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
