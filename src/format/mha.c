/* format/mha.c: MetaImage, plain or zlib, in one file (.mha) or with the voxels in another (.mhd).
 * Source: the MetaIO documentation of ITK; coordinates are LPS, as ITK takes them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "text_header.h"

enum { DATA_NAME = 256, DIMS = 4 };

typedef struct mha_header {
    mtm_text_picture picture;
    int n; /* NDims, without channels */
    int64_t channels, header_size;
    int64_t size[DIMS];
    double spacing[DIMS], origin[DIMS], matrix[DIMS * DIMS];
    bool packed, done, has_size;
    char data_name[DATA_NAME];
    int64_t data_name_at;
} mha_header;

static bool is_true(const char *s)
{
    return *s == 'T' || *s == 't' || *s == '1';
}

static mtm_status dims_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    int64_t n;

    MTM_TRY(mtm_line_integers(l, &n, 1, err));
    if (n < 1 || n > DIMS)
        return mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "%" PRId64 " dimensions are not read", n);
    h->n = (int)n;
    for (int i = 0; i < h->n; i++)
        h->spacing[i] = h->matrix[i * h->n + i] = 1;
    return MTM_OK;
}

static mtm_status size_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    h->picture.sizes_at = l->at, h->has_size = true;
    return mtm_line_integers(l, h->size, h->n, err);
}

static mtm_status spacing_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    return mtm_line_reals(l, h->spacing, h->n, err);
}

static mtm_status origin_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    return mtm_line_reals(l, h->origin, h->n, err);
}

static mtm_status matrix_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    return mtm_line_reals(l, h->matrix, h->n * h->n, err);
}

static mtm_status channels_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    MTM_TRY(mtm_line_integers(l, &h->channels, 1, err));
    return h->channels >= 1 ? MTM_OK : mtm_fail(err, MTM_E_CORRUPT, l->at, "there are no channels");
}

static mtm_status type_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    static const struct {
        const char *name;
        mtm_dtype t;
    } types[] = {
        {"MET_UCHAR", MTM_U8},       {"MET_CHAR", MTM_I8},       {"MET_USHORT", MTM_U16},
        {"MET_SHORT", MTM_I16},      {"MET_UINT", MTM_U32},      {"MET_INT", MTM_I32},
        {"MET_ULONG_LONG", MTM_U64}, {"MET_LONG_LONG", MTM_I64}, {"MET_FLOAT", MTM_F32},
        {"MET_DOUBLE", MTM_F64},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, l->value)) {
            h->picture.dtype = types[i].t;
            return MTM_OK;
        }
    return mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "element type %s is not read", l->value);
}

static mtm_status order_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    h->picture.big_endian = is_true(l->value);
    return MTM_OK;
}

static mtm_status packed_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    h->packed = is_true(l->value);
    return MTM_OK;
}

static mtm_status binary_check(mha_header *h, const mtm_line *l, mtm_error *err)
{
    return is_true(l->value) ? MTM_OK
                             : mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "voxels as text are not read");
}

static mtm_status header_size_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    MTM_TRY(mtm_line_integers(l, &h->header_size, 1, err));
    return h->header_size >= -1 ? MTM_OK : mtm_fail(err, MTM_E_CORRUPT, l->at, "HeaderSize is negative");
}

/* The last line of every header. */
static mtm_status data_file_set(mha_header *h, const mtm_line *l, mtm_error *err)
{
    if (strlen(l->value) >= sizeof h->data_name || !strncmp(l->value, "LIST", 4) || strchr(l->value, '%'))
        return mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "voxels in several files are not read");
    h->done = true;
    h->data_name_at = l->at;
    if (strcmp(l->value, "LOCAL"))
        strcpy(h->data_name, l->value);
    return MTM_OK;
}

static const struct {
    const char *key;
    mtm_status (*set)(mha_header *h, const mtm_line *l, mtm_error *err);
    bool after_dims;
} keys[] = {
    {"NDims", dims_set, false},
    {"DimSize", size_set, true},
    {"ElementSpacing", spacing_set, true},
    {"Offset", origin_set, true},
    {"Origin", origin_set, true},
    {"Position", origin_set, true},
    {"TransformMatrix", matrix_set, true},
    {"Rotation", matrix_set, true},
    {"Orientation", matrix_set, true},
    {"ElementNumberOfChannels", channels_set, false},
    {"ElementType", type_set, false},
    {"BinaryData", binary_check, false},
    {"BinaryDataByteOrderMSB", order_set, false},
    {"ElementByteOrderMSB", order_set, false},
    {"CompressedData", packed_set, false},
    {"HeaderSize", header_size_set, false},
    {"ElementDataFile", data_file_set, false},
};

static mtm_status line_take(mha_header *h, const mtm_line *l, mtm_error *err)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (l->value && !strcmp(l->key, keys[i].key)) {
            if (keys[i].after_dims && h->n == 0)
                return mtm_fail(err, MTM_E_CORRUPT, l->at, "%s stands before NDims", l->key);
            return keys[i].set(h, l, err);
        }
    return MTM_OK;
}

/* Axes fastest first (channels are faster than all), and LPS → RAS. A row of TransformMatrix is an axis' direction. */
static void picture_set(mha_header *h)
{
    mtm_text_picture *const t = &h->picture;
    const int c = h->channels > 1;

    t->format = "mha";
    t->ndim = h->n + c;
    t->size[0] = h->channels, t->letter[0] = 'C', t->spacing[0] = 1;
    for (int i = 0; i < h->n; i++) {
        t->size[i + c] = h->size[i];
        t->letter[i + c] = "XYZT"[i];
        t->spacing[i + c] = fabs(h->spacing[i]);
    }
    t->packing = h->packed ? MTM_PACKING_ZLIB : MTM_PACKING_NONE;
    t->has_affine = h->n >= 3;
    t->affine[15] = 1;
    for (int r = 0; r < 3 && t->has_affine; r++) {
        const double flip = r < 2 ? -1 : 1;

        for (int k = 0; k < 3; k++)
            t->affine[4 * r + k] = flip * h->matrix[k * h->n + r] * h->spacing[k];
        t->affine[4 * r + 3] = flip * h->origin[r];
    }
}

static mtm_status header_read(mha_header *h, mtm_lines *lines, mtm_error *err)
{
    mtm_line l;

    h->channels = 1;
    while (!h->done && mtm_lines_next(lines, "=", &l))
        MTM_TRY(line_take(h, &l, err));
    if (!h->done)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)lines->at, "the header has no ElementDataFile");
    if (h->n == 0 || !h->has_size || h->picture.dtype == MTM_NONE)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "the header lacks NDims, DimSize or ElementType");
    if (h->header_size == -1 && h->packed)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "HeaderSize -1 is for plain voxels only");
    picture_set(h);
    return MTM_OK;
}

/* The first line is one of the keys that MetaIO writes first. */
static bool mha_detect(const mtm_probe *p)
{
    static const char *const first[] = {"ObjectType", "NDims", "Comment"};
    const char *const head = (const char *)p->head;

    for (int i = 0; i < 3; i++) {
        const size_t n = strlen(first[i]);

        if (p->head_bytes > n + 2 && !memcmp(head, first[i], n) && head[n + strspn(head + n, " \t")] == '=')
            return true;
    }
    return false;
}

static mtm_status mha_open(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    mtm_lines lines;
    mha_header h = {0};
    mtm_source *beside = NULL;
    mtm_status s;

    MTM_TRY(mtm_lines_open(&lines, p, err));
    s = header_read(&h, &lines, err);
    h.picture.data_at = *h.data_name ? h.header_size : (int64_t)lines.at;
    mtm_lines_close(&lines);
    if (s == MTM_OK && *h.data_name)
        s = mtm_source_beside(&beside, p, h.data_name, h.data_name_at, err);
    if (s == MTM_OK)
        s = mtm_text_image(out, beside ? &beside : &p->source, &h.picture, p, err);
    mtm_source_close(beside);
    return s;
}

const mtm_format mtm_format_mha = {.name = "mha", .detect = mha_detect, .open = mha_open};
