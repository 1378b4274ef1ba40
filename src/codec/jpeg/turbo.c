/* codec/jpeg/turbo.c: libjpeg-turbo behind calls that return. Its errors jump back to `guarded`, the only place with a setjmp; all
 * that a call owns lives in a struct of its caller.
 * SPDX-License-Identifier: Apache-2.0 */
#include "turbo.h"

#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/size.h"

enum {
    ROWS = 16,
    MOST_SCANS = 512,    /* each costs the work of the whole picture */
    BLOCKS_PER_BYTE = 8, /* a block is a bit at least */
    DEFAULT_QUALITY = 90,
    FIRST_ROOM = 4096, /* of what is written */
    GROWTH = 1 << 16
};

/* ---- errors ------------------------------------------------------------------------------------------- */

/* What libjpeg's callbacks need; c->client_data. */
typedef struct guard {
    struct jpeg_error_mgr base;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    mtm_status status; /* of the error that jumped */
    bool eof_is_damage, damaged;
    char text[JMSG_LENGTH_MAX]; /* of it, or of the first damage */
} guard;

static guard *guard_of(j_common_ptr c)
{
    return c->client_data;
}

static mtm_status status_of(int code)
{
    switch (code) {
    case JERR_OUT_OF_MEMORY: return MTM_E_NOMEM;
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
    case JERR_IMAGE_TOO_BIG:
    case JERR_COMPONENT_COUNT: return MTM_E_UNSUPPORTED;
    default: return MTM_E_CORRUPT;
    }
}

static void on_error(j_common_ptr c)
{
    guard *const g = guard_of(c);

    g->status = status_of(c->err->msg_code);
    c->err->format_message(c, g->text);
    longjmp(g->back, 1);
}

/* Level −1: libjpeg goes on with something made up. The first such sentence is kept. */
static void on_message(j_common_ptr c, int level)
{
    const int code = c->err->msg_code;
    guard *const g = guard_of(c);

    if (level >= 0 || g->damaged || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM ||
        code == JWRN_JFIF_MAJOR || (code == JWRN_JPEG_EOF && !g->eof_is_damage))
        return;
    g->damaged = true;
    c->err->format_message(c, g->text);
}

static void on_output(j_common_ptr c)
{
    (void)c; /* nothing goes to standard error */
}

static void on_progress(j_common_ptr c)
{
    if (c->is_decompressor && ((j_decompress_ptr)c)->input_scan_number > MOST_SCANS) {
        guard *const g = guard_of(c);

        g->status = MTM_E_LIMIT;
        snprintf(g->text, sizeof g->text, "more than %d scans", MOST_SCANS);
        longjmp(g->back, 1);
    }
}

static void guard_begin(guard *g)
{
    *g = (guard){.progress.progress_monitor = on_progress};
    jpeg_std_error(&g->base);
    g->base.error_exit = on_error;
    g->base.emit_message = on_message;
    g->base.output_message = on_output;
}

/* work(job); false: it ended by an error, which g tells of. */
static bool guarded(guard *g, void (*work)(void *job), void *job)
{
    if (setjmp(g->back))
        return false;
    work(job);
    return true;
}

/* ---- decoding ----------------------------------------------------------------------------------------- */

typedef struct decode_job {
    struct jpeg_decompress_struct c;
    guard g;
    const mtm_array *dst;
    const mtm_decode_params *p;
    const uint8_t *in;
    size_t n;
    bool fits; /* dst has the stream's size */
    bool priced;
} decode_job;

static void start(decode_job *j)
{
    j_decompress_ptr c = &j->c;
    const uint64_t blocks = (uint64_t)c->image_width * c->image_height / 64;

    j->priced = j->p->partial || blocks / BLOCKS_PER_BYTE <= j->n;
    /* Behind the data of the only scan nothing but EOI is missing; else whole scans may be. */
    j->g.eof_is_damage = jpeg_has_multiple_scans(c);
    if (!j->p->to_rgb)
        c->out_color_space = c->jpeg_color_space;
    c->dct_method = JDCT_ISLOW;
    jpeg_calc_output_dimensions(c);
    j->fits = c->output_width == j->dst->shape[1] && c->output_height == j->dst->shape[0] &&
              c->output_components == j->dst->shape[2];
}

static void decode_work(void *job)
{
    decode_job *const j = job;
    j_decompress_ptr c = &j->c;

    jpeg_create_decompress(c);
    c->progress = &j->g.progress;
    jpeg_mem_src(c, j->in, (unsigned long)j->n);
    jpeg_read_header(c, TRUE);
    start(j);
    if (!j->fits || !j->priced)
        return;
    jpeg_start_decompress(c);
    while (c->output_scanline < c->output_height && (j->p->partial || !j->g.damaged)) {
        uint8_t *const first = (uint8_t *)j->dst->data + c->output_scanline * j->dst->stride[0];
        const unsigned n = (unsigned)mtm_min_i64(ROWS, c->output_height - c->output_scanline);
        JSAMPROW rows[ROWS];

        for (unsigned i = 0; i < n; i++)
            rows[i] = first + i * j->dst->stride[0];
        jpeg_read_scanlines(c, rows, n);
    }
}

static mtm_status decode_status(decode_job *j, bool done, mtm_error *err)
{
    const int64_t at = j->c.src ? (int64_t)(j->n - j->c.src->bytes_in_buffer) : 0;

    if (!done && j->g.status == MTM_E_NOMEM)
        return MTM_NOMEM(err);
    if (!done && !(j->p->partial && j->g.status == MTM_E_CORRUPT && j->fits))
        return mtm_fail(err, j->g.status, at, "JPEG: %.180s", j->g.text);
    if (done && !j->fits)
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the JPEG stream is %u × %u pixels of %d components, the array %" PRId64 " × %" PRId64
                        " of %" PRId64,
                        j->c.output_height, j->c.output_width, j->c.output_components, j->dst->shape[0],
                        j->dst->shape[1], j->dst->shape[2]);
    if (done && !j->priced)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)j->n, "%zu bytes cannot hold a JPEG of %u × %u pixels",
                        j->n, j->c.image_height, j->c.image_width);
    if (j->g.damaged || !done) {
        if (!j->p->partial)
            return mtm_fail(err, MTM_E_CORRUPT, at, "JPEG: %.180s", j->g.text);
        mtm_codec_note(j->p, "%.110s", j->g.text);
    }
    return MTM_OK;
}

mtm_status mtm_jpeg_turbo_decode(const mtm_array *dst, const uint8_t *in, size_t n,
                                 const mtm_decode_params *p, mtm_error *err)
{
    decode_job j = {.dst = dst, .p = p, .in = in, .n = n};
    mtm_status s;
    bool done;

    guard_begin(&j.g);
    j.c.err = &j.g.base, j.c.client_data = &j.g;
    for (int64_t y = 0; p->partial && y < dst->shape[0]; y++) /* what is never reached stays 0 */
        memset((char *)dst->data + y * dst->stride[0], 0, (size_t)(dst->shape[1] * dst->shape[2]));
    done = guarded(&j.g, decode_work, &j);
    s = decode_status(&j, done, err);
    jpeg_destroy_decompress(&j.c);
    return s;
}

/* ---- encoding ----------------------------------------------------------------------------------------- */

typedef struct encode_job {
    struct jpeg_compress_struct c;
    guard g;
    struct jpeg_destination_mgr to;
    mtm_bytes *out;
    const mtm_array *src;
    const mtm_encode_params *p;
} encode_job;

/* Room behind what was written so far. */
static void more_room(encode_job *j, size_t bytes)
{
    if (mtm_bytes_reserve(j->out, bytes, NULL)) {
        j->g.status = MTM_E_NOMEM;
        longjmp(j->g.back, 1);
    }
    j->to.next_output_byte = j->out->data + j->out->size_bytes;
    j->to.free_in_buffer = j->out->room_bytes - j->out->size_bytes;
}

static encode_job *job_of(j_compress_ptr c)
{
    return (encode_job *)(void *)((char *)c->dest - offsetof(encode_job, to));
}

static void to_begin(j_compress_ptr c)
{
    more_room(job_of(c), FIRST_ROOM);
}

static boolean to_more(j_compress_ptr c)
{
    encode_job *const j = job_of(c);

    j->out->size_bytes = j->out->room_bytes; /* libjpeg calls when all of it is full */
    more_room(j, GROWTH);
    return TRUE;
}

static void to_end(j_compress_ptr c)
{
    encode_job *const j = job_of(c);

    j->out->size_bytes = j->out->room_bytes - j->to.free_in_buffer;
}

/* Sampling factors from the steps of each component. */
static void set_sampling(encode_job *j)
{
    const int32_t (*const steps)[2] = j->p->subsampling;
    int32_t most[2] = {1, 1};

    for (int i = 0; i < j->c.num_components; i++)
        for (int axis = 0; steps && axis < 2; axis++)
            most[axis] = steps[i][axis] > most[axis] ? steps[i][axis] : most[axis];
    for (int i = 0; i < j->c.num_components; i++) {
        j->c.comp_info[i].v_samp_factor = steps ? most[0] / steps[i][0] : 1;
        j->c.comp_info[i].h_samp_factor = steps ? most[1] / steps[i][1] : 1;
    }
}

static void encode_work(void *job)
{
    encode_job *const j = job;
    j_compress_ptr c = &j->c;
    const bool ycc = j->p->color && strcmp(j->p->color, "sycc") == 0;
    const J_COLOR_SPACE as_is = ycc ? JCS_YCbCr : JCS_RGB;

    jpeg_create_compress(c);
    j->to = (struct jpeg_destination_mgr){
        .init_destination = to_begin, .empty_output_buffer = to_more, .term_destination = to_end};
    c->dest = &j->to;
    c->image_width = (JDIMENSION)j->src->shape[1], c->image_height = (JDIMENSION)j->src->shape[0];
    c->input_components = (int)j->src->shape[2];
    c->in_color_space = c->input_components == 1   ? JCS_GRAYSCALE
                        : c->input_components == 4 ? JCS_CMYK
                        : j->p->mct                ? JCS_RGB
                                                   : as_is;
    jpeg_set_defaults(c);
    if (c->input_components == 3 && !j->p->mct)
        jpeg_set_colorspace(c, as_is);
    jpeg_set_quality(c, j->p->quality > 0 ? (int)(j->p->quality + 0.5) : DEFAULT_QUALITY, TRUE);
    c->dct_method = JDCT_ISLOW;
    set_sampling(j);
    jpeg_start_compress(c, TRUE);
    while (c->next_scanline < c->image_height) {
        JSAMPROW row = (uint8_t *)j->src->data + c->next_scanline * j->src->stride[0];

        jpeg_write_scanlines(c, &row, 1);
    }
    jpeg_finish_compress(c);
}

static mtm_status check_encode(const mtm_array *src, const mtm_encode_params *p, mtm_error *err)
{
    const int64_t n = src->shape[2];

    if (src->dtype != MTM_U8 || (n != 1 && n != 3 && n != 4) || (p->bits && p->bits != 8))
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "baseline JPEG holds 1, 3 or 4 channels of uint8 with 8 bits, not %" PRId64 " of %s",
                        n, mtm_dtype_name(src->dtype));
    if (src->shape[0] > JPEG_MAX_DIMENSION || src->shape[1] > JPEG_MAX_DIMENSION)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG pictures have up to %ld rows and columns",
                        JPEG_MAX_DIMENSION);
    if (!(p->quality >= 0 && p->quality <= 100))
        return mtm_fail(err, MTM_E_INVAL, -1, "quality is %g, not 1 to 100", p->quality);
    for (int64_t i = 0; p->subsampling && i < n; i++)
        for (int axis = 0; axis < 2; axis++)
            if (p->subsampling[i][axis] != 1 && p->subsampling[i][axis] != 2 && p->subsampling[i][axis] != 4)
                return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "components are sampled every 1, 2 or 4, not %d",
                                p->subsampling[i][axis]);
    return MTM_OK;
}

mtm_status mtm_jpeg_turbo_encode(mtm_bytes *out, const mtm_array *src, const mtm_encode_params *p,
                                 mtm_error *err)
{
    const size_t before = out->size_bytes;
    encode_job j = {.out = out, .src = src, .p = p};
    mtm_status s = MTM_OK;

    MTM_TRY(check_encode(src, p, err));
    guard_begin(&j.g);
    j.c.err = &j.g.base, j.c.client_data = &j.g;
    if (!guarded(&j.g, encode_work, &j)) {
        out->size_bytes = before;
        s = j.g.status == MTM_E_NOMEM ? MTM_NOMEM(err)
                                      : mtm_fail(err, MTM_E_UNSUPPORTED, -1, "JPEG: %.180s", j.g.text);
    }
    jpeg_destroy_compress(&j.c);
    return s;
}
