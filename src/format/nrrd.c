/* format/nrrd.c: NRRD, raw or gzip, in one file (.nrrd) or with the voxels in another (.nhdr).
 * Source: http://teem.sourceforge.net/nrrd/format.html
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/text.h"
#include "text_header.h"

enum { DATA_NAME = 256 };

typedef struct nrrd_header {
    mtm_text_picture picture;
    int64_t byte_skip, type_at;
    double direction[MTM_MAX_DIMS][3], origin[3];
    bool spatial[MTM_MAX_DIMS], has_directions, has_origin;
    double flip[3]; /* to RAS, by space; 0: the space is not known */
    char data_name[DATA_NAME];
    int64_t data_name_at;
} nrrd_header;

static const struct {
    const char *name;
    mtm_dtype t;
} types[] = {
    {"uchar", MTM_U8},
    {"uint8", MTM_U8},
    {"unsigned char", MTM_U8},
    {"uint8_t", MTM_U8},
    {"signed char", MTM_I8},
    {"int8", MTM_I8},
    {"int8_t", MTM_I8},
    {"short", MTM_I16},
    {"int16", MTM_I16},
    {"signed short", MTM_I16},
    {"int16_t", MTM_I16},
    {"ushort", MTM_U16},
    {"uint16", MTM_U16},
    {"unsigned short", MTM_U16},
    {"uint16_t", MTM_U16},
    {"int", MTM_I32},
    {"int32", MTM_I32},
    {"signed int", MTM_I32},
    {"int32_t", MTM_I32},
    {"uint", MTM_U32},
    {"uint32", MTM_U32},
    {"unsigned int", MTM_U32},
    {"uint32_t", MTM_U32},
    {"long long", MTM_I64},
    {"int64", MTM_I64},
    {"longlong", MTM_I64},
    {"int64_t", MTM_I64},
    {"unsigned long long", MTM_U64},
    {"uint64", MTM_U64},
    {"ulonglong", MTM_U64},
    {"uint64_t", MTM_U64},
    {"short int", MTM_I16},
    {"signed short int", MTM_I16},
    {"unsigned short int", MTM_U16},
    {"long long int", MTM_I64},
    {"signed long long", MTM_I64},
    {"signed long long int", MTM_I64},
    {"unsigned long long int", MTM_U64},
    {"float", MTM_F32},
    {"double", MTM_F64},
};

static mtm_status type_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(types[i].name, l->value)) {
            h->picture.dtype = types[i].t;
            return MTM_OK;
        }
    return mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "type %s is not read", l->value);
}

static mtm_status encoding_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    if (!strcmp(l->value, "gzip") || !strcmp(l->value, "gz"))
        h->picture.packing = MTM_PACKING_GZIP;
    else if (strcmp(l->value, "raw"))
        return mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "encoding %s is not read", l->value);
    return MTM_OK;
}

static mtm_status endian_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    h->picture.big_endian = !strcmp(l->value, "big");
    return h->picture.big_endian || !strcmp(l->value, "little")
               ? MTM_OK
               : mtm_fail(err, MTM_E_CORRUPT, l->at, "endian is %s", l->value);
}

static mtm_status dimension_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    int64_t n;

    MTM_TRY(mtm_line_integers(l, &n, 1, err));
    if (n < 1 || n > 5)
        return mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "dimension %" PRId64 " is not read", n);
    h->picture.ndim = (int)n;
    return MTM_OK;
}

static mtm_status sizes_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    h->picture.sizes_at = l->at;
    return mtm_line_integers(l, h->picture.size, h->picture.ndim, err);
}

static mtm_status spacings_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    const char *s = l->value;
    size_t used;

    for (int i = 0; i < h->picture.ndim; i++, s += used) {
        if (!mtm_text_f64(s, strlen(s), &h->picture.spacing[i], &used))
            return mtm_fail(err, MTM_E_CORRUPT, l->at, "spacings does not have %d numbers", h->picture.ndim);
        if (!isfinite(h->picture.spacing[i])) /* "nan" is how a missing one is written */
            h->picture.spacing[i] = 1;
    }
    return MTM_OK;
}

static mtm_status space_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    static const struct {
        const char *name, *letters;
        double flip[3];
    } spaces[] = {{"right-anterior-superior", "RAS", {1, 1, 1}},
                  {"left-anterior-superior", "LAS", {-1, 1, 1}},
                  {"left-posterior-superior", "LPS", {-1, -1, 1}}};

    for (int i = 0; i < 3; i++)
        if (!strcasecmp(l->value, spaces[i].name) || !strcasecmp(l->value, spaces[i].letters))
            memcpy(h->flip, spaces[i].flip, sizeof h->flip);
    return MTM_OK;
}

/* "(a,b,c)"; *s moves behind it. */
static bool vector(const char **s, double v[3])
{
    size_t used;

    *s += strspn(*s, " \t");
    if (**s != '(')
        return false;
    for (int i = 0; i < 3; i++) {
        ++*s;
        if (!mtm_text_f64(*s, strcspn(*s, ",)"), &v[i], &used) || !isfinite(v[i]))
            return false;
        *s += used + strspn(*s + used, " \t");
        if (**s != (i < 2 ? ',' : ')'))
            return false;
    }
    ++*s;
    return true;
}

static mtm_status directions_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    const char *s = l->value;

    for (int i = 0; i < h->picture.ndim; i++) {
        s += strspn(s, " \t");
        if (!strncmp(s, "none", 4)) {
            s += 4;
            continue;
        }
        if (!vector(&s, h->direction[i]))
            return mtm_fail(err, MTM_E_CORRUPT, l->at, "space directions does not have %d vectors of three",
                            h->picture.ndim);
        h->spatial[i] = true;
    }
    h->has_directions = true;
    return MTM_OK;
}

static mtm_status origin_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    const char *s = l->value;

    h->has_origin = vector(&s, h->origin);
    return h->has_origin ? MTM_OK : mtm_fail(err, MTM_E_CORRUPT, l->at, "space origin is no vector of three");
}

static mtm_status skip_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    MTM_TRY(mtm_line_integers(l, &h->byte_skip, 1, err));
    return h->byte_skip >= -1 ? MTM_OK : mtm_fail(err, MTM_E_CORRUPT, l->at, "byte skip is negative");
}

static mtm_status no_line_skip(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    int64_t n;

    MTM_TRY(mtm_line_integers(l, &n, 1, err));
    return n == 0 ? MTM_OK : mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "line skip is not read");
}

static mtm_status data_file_set(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    if (strlen(l->value) >= sizeof h->data_name || !strncmp(l->value, "LIST", 4) || strchr(l->value, '%'))
        return mtm_fail(err, MTM_E_UNSUPPORTED, l->at, "voxels in several files are not read");
    strcpy(h->data_name, l->value);
    h->data_name_at = l->at;
    return MTM_OK;
}

static const struct {
    const char *key;
    mtm_status (*set)(nrrd_header *h, const mtm_line *l, mtm_error *err);
    bool after_dimension;
} keys[] = {
    {"type", type_set, false},           {"encoding", encoding_set, false},
    {"endian", endian_set, false},       {"dimension", dimension_set, false},
    {"sizes", sizes_set, true},          {"spacings", spacings_set, true},
    {"space", space_set, false},         {"space directions", directions_set, true},
    {"space origin", origin_set, false}, {"byte skip", skip_set, false},
    {"byteskip", skip_set, false},       {"line skip", no_line_skip, false},
    {"lineskip", no_line_skip, false},   {"data file", data_file_set, false},
    {"datafile", data_file_set, false},
};

static mtm_status line_take(nrrd_header *h, const mtm_line *l, mtm_error *err)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (l->value && !strcmp(l->key, keys[i].key)) {
            if (keys[i].after_dimension && h->picture.ndim == 0)
                return mtm_fail(err, MTM_E_CORRUPT, l->at, "%s stands before dimension", l->key);
            return keys[i].set(h, l, err);
        }
    return MTM_OK; /* comments, kinds, key/value pairs */
}

/* Spatial axes are X, Y, Z from the fastest; without directions the first three are. Others: C, then T. */
static void axes_name(nrrd_header *h)
{
    static const char spatial[] = "XYZ", other[] = "CTUVW";
    mtm_text_picture *const t = &h->picture;
    int n_spatial = 0, n_other = 0;
    int axis[3] = {-1, -1, -1};

    for (int i = 0; i < t->ndim; i++) {
        const bool s = (h->has_directions ? h->spatial[i] : true) && n_spatial < 3;

        if (s)
            axis[n_spatial] = i;
        t->letter[i] = s ? spatial[n_spatial++] : other[n_other++];
    }
    t->has_affine = h->has_directions && n_spatial == 3 && h->flip[0] != 0;
    t->affine[15] = 1;
    for (int k = 0; k < 3; k++) {
        const double *const d = axis[k] >= 0 ? h->direction[axis[k]] : NULL;

        if (d && h->has_directions)
            t->spacing[axis[k]] = sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
        for (int r = 0; r < 3 && t->has_affine; r++)
            t->affine[4 * r + k] = h->flip[r] * d[r], t->affine[4 * r + 3] = h->flip[r] * h->origin[r];
    }
}

static mtm_status header_read(nrrd_header *h, mtm_lines *lines, mtm_error *err)
{
    mtm_line l;
    bool ended = false;

    h->picture.format = "nrrd";
    for (int i = 0; i < MTM_MAX_DIMS; i++)
        h->picture.spacing[i] = 1;
    mtm_lines_next(lines, "", &l); /* NRRD000n */
    while (!ended && mtm_lines_next(lines, ":", &l)) {
        ended = *l.key == '\0' && !l.value;
        if (!ended && *l.key != '#')
            MTM_TRY(line_take(h, &l, err));
    }
    if (!ended && !*h->data_name)
        return mtm_fail(err, MTM_E_CORRUPT, (int64_t)lines->at, "the header has no end");
    if (h->picture.dtype == MTM_NONE || h->picture.ndim == 0 || h->picture.sizes_at == 0)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "the header lacks type, dimension or sizes");
    if (h->byte_skip == -1 && h->picture.packing != MTM_PACKING_NONE)
        return mtm_fail(err, MTM_E_CORRUPT, 0, "byte skip -1 is for raw voxels only");
    h->picture.data_at = h->byte_skip < 0 ? -1 : h->byte_skip;
    axes_name(h);
    return MTM_OK;
}

static bool nrrd_detect(const mtm_probe *p)
{
    return p->head_bytes >= 8 && !memcmp(p->head, "NRRD000", 7);
}

static mtm_status nrrd_open(mtm_image **out, mtm_probe *p, mtm_error *err)
{
    mtm_lines lines;
    nrrd_header h = {0};
    mtm_source *beside = NULL;
    mtm_status s;

    MTM_TRY(mtm_lines_open(&lines, p, err));
    s = header_read(&h, &lines, err);
    if (s == MTM_OK && *h.data_name) {
        s = mtm_source_beside(&beside, p, h.data_name, h.data_name_at, err);
    } else if (h.picture.data_at >= 0 &&
               __builtin_add_overflow(h.picture.data_at, (int64_t)lines.at, &h.picture.data_at)) {
        s = mtm_fail(err, MTM_E_CORRUPT, 0, "byte skip leaves the file");
    }
    mtm_lines_close(&lines);
    if (s == MTM_OK)
        s = mtm_text_image(out, beside ? &beside : &p->source, &h.picture, p, err);
    mtm_source_close(beside);
    return s;
}

const mtm_format mtm_format_nrrd = {.name = "nrrd", .detect = nrrd_detect, .open = nrrd_open};
