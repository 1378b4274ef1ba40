/* format/dicom/write/transcode.c: what a transfer syntax can hold of an image, what the header must say then, and the proof that nothing
 * was lost: the finished file is opened again and every frame of it compared with the source's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "transcode.h"

#include <stdio.h>

#include "base/pool.h"
#include "format/dicom/data/build.h"

enum {
    IMAGE_TYPE = 0x00080008,
    SOURCE_IMAGES = 0x00082112,
    PHOTOMETRIC = 0x00280004,
    PLANAR = 0x00280006,
    BITS_ALLOCATED = 0x00280100,
    HIGH_BIT = 0x00280102,
    LOSSY = 0x00282110,
    LOSSY_RATIO = 0x00282112,
    LOSSY_METHOD = 0x00282114,
    RATIO_CHARS = 16
};
/* From here on the offsets of compressed frames might not fit into 32 bits, whatever the codec makes of them. */
static const uint64_t LONG_PIXELS = UINT64_C(1) << 31;

/* ---- what fits (PS3.5 8.2) ---------------------------------------------------------------------------- */

typedef struct holds {
    const char *codec;
    bool whole_cells;          /* bytes of cells, whatever they mean */
    bool bits;                 /* single bits */
    int least_bits, most_bits; /* stored */
    int most_samples;
    bool mct; /* RGB becomes YBR_RCT or YBR_ICT */
} holds;

static const holds codecs[] = {
    {"none", true, true, 1, 32, 4, false},     {"deflate", true, true, 1, 32, 4, false},
    {"rle", true, true, 1, 32, 3, false},      {"jpeg", false, false, 2, 16, 4, false},
    {"jpegls", false, false, 2, 16, 4, false}, {"j2k", false, false, 1, 32, 4, true},
    {"htj2k", false, false, 1, 32, 4, true},
};

static const holds *holds_of(const char *codec)
{
    for (size_t i = 0; codec && i < sizeof codecs / sizeof *codecs; i++)
        if (!strcmp(codecs[i].codec, codec))
            return &codecs[i];
    return NULL;
}

static mtm_status fit_check(const dcm_recode *r, const holds *h, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const char *const to = r->to->keyword;

    if (p->is_float)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "%s has no place for float pixel data", to);
    if (p->bits_allocated == 1 && !h->bits)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1,
                        "%s holds no single bits; RLELossless and DeflatedImageFrameCompression do", to);
    if (p->bits_stored < h->least_bits || p->bits_stored > h->most_bits || p->bits_allocated > 32)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "%s holds %d to %d bits per sample, not %d", to,
                        h->least_bits, h->most_bits, p->bits_stored);
    if (p->samples > h->most_samples)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "%s holds %d samples per pixel, not %d", to,
                        h->most_samples, p->samples);
    return MTM_OK;
}

static mtm_status syntax_check(const dcm_recode *r, const holds *from, const holds *to, mtm_error *err)
{
    if (!from)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "%s is not decoded by this version", r->from->keyword);
    if (!to || !r->to->encode)
        return mtm_fail(err, MTM_E_UNSUPPORTED, -1, "%s is not written by this version", r->to->keyword);
    if (r->lossy && !r->options->allow_lossy)
        return mtm_fail(err, MTM_E_INVAL, -1, "%s loses; say that it may (allow_lossy, --lossy)",
                        r->to->keyword);
    return MTM_OK;
}

/* ---- the plan ----------------------------------------------------------------------------------------- */

/* What raw reads give of what the source stores: the colour transforms of JPEG 2000 are undone by its codec, subsampled colours are
 * full again. */
static const char *decoded_photometric(const char *stored)
{
    if (!strcmp(stored, "YBR_RCT") || !strcmp(stored, "YBR_ICT"))
        return "RGB";
    if (!strcmp(stored, "YBR_FULL_422"))
        return "YBR_FULL";
    return stored;
}

/* Parameters of the codestreams; the options' own come first, but for what the syntax decides. */
static void encode_choose(dcm_recode *r)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const char *const uid = r->to->uid;
    const bool rgb = p->samples == 3 && !strcmp(r->photometric, "RGB");

    r->encode = r->options->encode ? *r->options->encode : mtm_encode_params_default();
    r->encode.codec = r->to->codec;
    r->encode.lossy = r->lossy && strcmp(r->to->codec, "jpegls") != 0;
    r->encode.container = NULL;
    r->encode.bits = r->cells ? 0 : p->bits_stored;
    r->encode.mct = rgb;
    if (r->lossy && !strcmp(r->to->codec, "jpegls") && !r->encode.near_lossless)
        r->encode.near_lossless = 2;
    if (r->encode.lossy && !r->options->encode)
        r->encode.quality = 90;
    if (!strcmp(uid, "1.2.840.10008.1.2.4.202")) { /* PS3.5 A.4.4.2, 10.18 */
        r->encode.progression = "RPCL";
        r->encode.tile_parts = "R";
        r->encode.no_plt = r->encode.no_tlm = false;
    }
    if (!strcmp(uid, "1.2.840.10008.1.2.4.70"))
        r->encode.predictor = 1;
}

static void photometric_choose(dcm_recode *r, const holds *to)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;
    const bool rgb = !strcmp(decoded_photometric(p->photometric), "RGB") && p->samples == 3;

    snprintf(r->photometric, sizeof r->photometric, "%s", decoded_photometric(p->photometric));
    r->planar = p->samples == 1 ? -1 : !strcmp(r->to->codec, "rle");
    encode_choose(r);
    if (to->mct && rgb)
        snprintf(r->photometric, sizeof r->photometric, "%s", r->lossy ? "YBR_ICT" : "YBR_RCT");
    if (r->encode.lossy && !strcmp(r->to->codec, "jpeg") && rgb)
        snprintf(r->photometric, sizeof r->photometric, "%s", "YBR_FULL_422");
}

mtm_status dcm_recode_plan(dcm_recode *r, mtm_error *err)
{
    const holds *const from = holds_of(r->from->codec), *const to = holds_of(r->to->codec);
    const mtm_dicom_pixels *p;
    bool spare, native;

    r->lossy = !r->to->lossless;
    MTM_TRY(syntax_check(r, from, to, err));
    MTM_TRY(dcm_decoder_new(&r->source, r->d, r->codec, err));
    p = &r->source->pixels;
    MTM_TRY(fit_check(r, to, err));
    spare = p->bits_allocated > p->bits_stored;
    native = (!p->encapsulated || !strcmp(p->codec, "none")) &&
             !r->source->swap_pairs; /* bytes in big endian words are put right by decoding */
    r->cells = to->whole_cells;
    r->native_cells = r->cells && native && strcmp(p->photometric, "YBR_FULL_422") != 0 &&
                      (p->bits_allocated == 8 || p->bits_allocated == 16 || p->bits_allocated == 32);
    r->check_unused = !r->cells && native && spare &&
                      (p->bits_allocated == 8 || p->bits_allocated == 16 || p->bits_allocated == 32);
    r->bits_allocated = p->bits_allocated == 1    ? 1
                        : p->bits_allocated <= 8  ? 8
                        : p->bits_allocated <= 16 ? 16
                                                  : 32;
    photometric_choose(r, to);
    r->extended_table =
        r->to->encapsulated && !r->options->basic_table_only &&
        (r->options->extended_table ||
         (uint64_t)p->frames *
                 ((uint64_t)(p->rows * p->columns * p->samples) * (uint64_t)r->bits_allocated / 8 + 16) >
             LONG_PIXELS);
    return MTM_OK;
}

/* ---- the header --------------------------------------------------------------------------------------- */

static mtm_status put_u16(mtm_dicom_builder *b, uint32_t tag, int64_t v, mtm_error *err)
{
    return mtm_dicom_put_i64(b, tag, "US", &v, 1, err);
}

/* The values that an element had, and one more. */
static mtm_status append(mtm_dicom_builder *b, const mtm_dicom *d, uint32_t tag, const char *value,
                         mtm_error *err)
{
    const mtm_dicom_element *const e = mtm_dicom_find(d, NULL, tag);
    MTM_AUTO_MEM char *old = NULL;
    char all[512];

    if (e && e->length_bytes > 0)
        MTM_TRY(mtm_dicom_text(&old, d, e, err));
    snprintf(all, sizeof all, "%s%s%s", old ? old : "", old && old[0] ? "\\" : "", value);
    return mtm_dicom_put_text(b, tag, NULL, all, err);
}

/* Once lossy, always said (PS3.3 C.7.6.1.1.5); other values are another instance, derived from the source. */
static mtm_status put_lossy(mtm_dicom_builder *b, const dcm_recode *r, mtm_error *err)
{
    static const char *const methods[][2] = {{"jpeg", "ISO_10918_1"},
                                             {"jpegls", "ISO_14495_1"},
                                             {"j2k", "ISO_15444_1"},
                                             {"htj2k", "ISO_15444_15"}};
    char uid[65], sop_class[65], type[256], spaces[RATIO_CHARS + 1];
    const mtm_dicom_element *const e = mtm_dicom_find(r->d, NULL, IMAGE_TYPE);
    MTM_AUTO_MEM char *types = NULL;

    MTM_TRY(mtm_dicom_put_text(b, LOSSY, NULL, "01", err));
    snprintf(spaces, sizeof spaces, "%*s", RATIO_CHARS, "");
    MTM_TRY(append(b, r->d, LOSSY_RATIO, spaces, err)); /* written again when all is encoded */
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!strcmp(methods[i][0], r->to->codec))
            MTM_TRY(append(b, r->d, LOSSY_METHOD, methods[i][1], err));
    if (e)
        MTM_TRY(mtm_dicom_text(&types, r->d, e, err));
    snprintf(type, sizeof type, "DERIVED%s",
             types && strchr(types, '\\') ? strchr(types, '\\') : "\\PRIMARY");
    MTM_TRY(mtm_dicom_put_text(b, IMAGE_TYPE, NULL, type, err));
    if (dcm_ascii(r->d, NULL, DCM_SOP_CLASS, sop_class, sizeof sop_class) &&
        dcm_ascii(r->d, NULL, DCM_SOP_INSTANCE, uid, sizeof uid)) {
        MTM_TRY(mtm_dicom_begin_sequence(b, SOURCE_IMAGES, err));
        MTM_TRY(mtm_dicom_begin_item(b, err));
        MTM_TRY(mtm_dicom_put_text(b, 0x00081150, NULL, sop_class, err));
        MTM_TRY(mtm_dicom_put_text(b, 0x00081155, NULL, uid, err));
        MTM_TRY(mtm_dicom_end_item(b, err));
        MTM_TRY(mtm_dicom_end_sequence(b, err));
    }
    MTM_TRY(mtm_dicom_uid_new(uid, r->options->uid_root, err));
    return mtm_dicom_put_text(b, DCM_SOP_INSTANCE, NULL, uid, err);
}

mtm_status dcm_recode_header(mtm_dicom_builder *b, const dcm_recode *r, mtm_error *err)
{
    const mtm_dicom_pixels *const p = &r->source->pixels;

    if (strcmp(r->photometric, p->photometric))
        MTM_TRY(mtm_dicom_put_text(b, PHOTOMETRIC, NULL, r->photometric, err));
    if (r->planar >= 0 && (r->planar != p->planar || !mtm_dicom_find(r->d, NULL, PLANAR)))
        MTM_TRY(put_u16(b, PLANAR, r->planar, err));
    if (r->bits_allocated != p->bits_allocated)
        MTM_TRY(put_u16(b, BITS_ALLOCATED, r->bits_allocated, err));
    if (!r->native_cells && p->high_bit != p->bits_stored - 1)
        MTM_TRY(put_u16(b, HIGH_BIT, p->bits_stored - 1, err));
    return r->lossy ? put_lossy(b, r, err) : MTM_OK;
}

/* A copy of the header in which only what the new syntax makes untrue is different. */
static mtm_status header_make(mtm_dicom **out, const dcm_recode *r, mtm_error *err)
{
    MTM_AUTO(mtm_dicom_builder) b = NULL;

    MTM_TRY(mtm_dicom_builder_new(&b, err));
    MTM_TRY(dcm_copy_all(b, r->d, NULL, err));
    MTM_TRY(dcm_recode_header(b, r, err));
    return mtm_dicom_build(out, b, err);
}

/* ---- the proof ---------------------------------------------------------------------------------------- */

typedef struct proof {
    const dcm_decoder *before, *after;
    bool lossy; /* only that it can be read */
    mtm_status *statuses;
    mtm_error *errors;
} proof;

/* Both as 64-bit integers where the types differ, so that no value is cut on the way. */
static mtm_status compare(const mtm_array *a, const mtm_array *b, int64_t frame, mtm_error *err)
{
    mtm_array wide[2] = {0};
    bool same = false;
    mtm_status s;

    if (a->dtype == b->dtype) {
        same = !memcmp(a->data, b->data, (size_t)mtm_array_count(a) * mtm_dtype_size(a->dtype));
    } else {
        for (int i = 0; i < 2; i++) {
            s = mtm_array_new(&wide[i], MTM_I64, a->ndim, a->shape, NULL, err);
            if (s == MTM_OK)
                s = mtm_array_convert(&wide[i], i ? b : a, 1, 0, NULL, err);
            if (s != MTM_OK) {
                mtm_array_drop(&wide[0]);
                mtm_array_drop(&wide[1]);
                return s;
            }
        }
        same = !memcmp(wide[0].data, wide[1].data, (size_t)mtm_array_count(a) * 8);
        mtm_array_drop(&wide[0]);
        mtm_array_drop(&wide[1]);
    }
    if (!same)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "frame %" PRId64 " of what was written differs from its source, so it was not kept",
                        frame);
    return MTM_OK;
}

static mtm_status prove_frame(const proof *q, dcm_scratch *s, int64_t frame, mtm_error *err)
{
    mtm_array a = {0}, b = {0};
    mtm_status status = dcm_frame_samples(q->after, s, frame, &b, err);

    if (status == MTM_OK && !q->lossy)
        status = dcm_frame_samples(q->before, s, frame, &a, err);
    if (status == MTM_OK && !q->lossy)
        status = compare(&a, &b, frame, err);
    mtm_array_drop(&a);
    mtm_array_drop(&b);
    return status;
}

static void prove_part(void *user, int64_t lo, int64_t hi)
{
    const proof *const q = user;
    dcm_scratch s = {0};

    for (int64_t f = lo; f < hi; f++)
        q->statuses[f] = prove_frame(q, &s, f, &q->errors[f]);
    dcm_scratch_drop(&s);
}

/* The file as it lies on the disk, before it gets its name. */
static mtm_status prove(const dcm_recode *r, const char *path, mtm_error *err)
{
    const int64_t n = r->source->pixels.frames;
    MTM_AUTO_MEM mtm_status *statuses = mtm_alloc_zero((size_t)n, sizeof *statuses);
    MTM_AUTO_MEM mtm_error *errors = mtm_alloc_zero((size_t)n, sizeof *errors);
    MTM_AUTO(dcm_decoder) after = NULL;
    MTM_AUTO(mtm_dicom) d = NULL;
    proof q = {.before = r->source, .lossy = r->lossy, .statuses = statuses, .errors = errors};

    if (!statuses || !errors)
        return MTM_NOMEM(err);
    MTM_TRY(mtm_dicom_open(&d, path, NULL, err));
    MTM_TRY(dcm_decoder_new(&after, d, r->codec, err));
    q.after = after;
    if (after->pixels.frames != n)
        return mtm_fail(err, MTM_E_CORRUPT, -1,
                        "what was written has %" PRId64 " frames, its source %" PRId64, after->pixels.frames,
                        n);
    MTM_TRY(mtm_pool_for(r->options->pool, n, 1, prove_part, &q, NULL, err));
    for (int64_t f = 0; f < n; f++)
        if (statuses[f] != MTM_OK) {
            if (err)
                *err = errors[f];
            return statuses[f];
        }
    return MTM_OK;
}

/* ---- all together ------------------------------------------------------------------------------------- */

static mtm_status run(dcm_recode *r, mtm_writer *w, mtm_error *err)
{
    const dcm_new_pixels pixels = {.put = dcm_pixels_store, .user = r};
    dcm_watch ratio = {.tag = LOSSY_RATIO};
    MTM_AUTO(mtm_dicom) d = NULL;

    MTM_TRY(dcm_recode_plan(r, err));
    MTM_TRY(header_make(&d, r, err));
    if (r->lossy) /* else the ratio there tells of an earlier loss */
        r->ratio = &ratio;
    MTM_TRY(dcm_write_to(w, d, r->to, r->options->uid_root, &pixels, r->ratio, err));
    return r->options->no_proof ? MTM_OK : prove(r, mtm_writer_temp(w), err);
}

mtm_status dcm_transcode(mtm_writer *w, const mtm_dicom *d, const dcm_syntax *from, const dcm_syntax *to,
                         const mtm_dicom_write_options *options, mtm_error *err)
{
    dcm_recode r = {.d = d, .from = from, .to = to, .options = options, .codec = options->codec};
    mtm_status s = r.codec ? MTM_OK : mtm_codec_ctx_new(&r.codec, err);

    if (s == MTM_OK)
        s = run(&r, w, err);
    dcm_decoder_free(r.source);
    if (!options->codec)
        mtm_codec_ctx_free(r.codec);
    return s;
}
