/* cli/dicom.c: what `microtome info` says of a DICOM file: the object, how it is written, what of its own it has, and the data set
 * itself as JSON or line by line. Nothing that names a patient, unless all elements are asked for.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "cli.h"

enum { VALUE_ROOM = 256 };

/* Facts of objects, shown where the element is there. count: of items. */
static const struct fact {
    const char *label, *path;
    bool count;
} facts[] = {
    {"modality", "Modality", false},
    {"image", "ImageType", false},
    {"made by", "Manufacturer", false},
    {"model", "ManufacturerModelName", false},
    {"title", "ConceptNameCodeSequence[0].CodeMeaning", false},
    {"label", "StructureSetLabel", false},
    {"label", "RTPlanLabel", false},
    {"label", "ContentLabel", false},
    {"document", "MIMETypeOfEncapsulatedDocument", false},
    {"dose", "DoseSummationType", false},
    {"records", "DirectoryRecordSequence", true},
    {"contents", "ContentSequence", true},
    {"segments", "SegmentSequence", true},
    {"beams", "BeamSequence", true},
    {"waveforms", "WaveformSequence", true},
    {"graphics", "GraphicAnnotationSequence", true},
    {"series", "ReferencedSeriesSequence", true},
};

mtm_status cli_open(mtm_image **out, const char *path, const char *series, const mtm_open_options *opt,
                    mtm_error *err)
{
    const mtm_dicom_series_options wanted = {.struct_size = sizeof wanted, .open = opt, .series_uid = series};
    mtm_image **images = NULL;
    int64_t n;
    mtm_status s;

    if (!series) {
        s = mtm_image_open(out, path, opt, err);
    } else if (!(s = mtm_dicom_series_open(&images, &n, &path, 1, &wanted, err))) {
        *out = images[0]; /* without split there is exactly one */
        mtm_dicom_free(images);
    }
    return s == MTM_E_INVAL ? (err->code = MTM_E_CORRUPT) : s;
}

bool cli_dicom_open(const char *path, mtm_dicom **out)
{
    return mtm_dicom_open(out, path, NULL, NULL) == MTM_OK;
}

bool cli_dicom_has_pixels(const mtm_dicom *d)
{
    return mtm_dicom_find(d, NULL, 0x7FE00010) || mtm_dicom_find(d, NULL, 0x7FE00008) ||
           mtm_dicom_find(d, NULL, 0x7FE00009);
}

/* The name of a UID, else itself; "" for none. */
static const char *uid_name(const char *uid)
{
    const mtm_dicom_uid *const u = *uid ? mtm_dicom_uid_find(uid) : NULL;

    return u ? u->name : uid;
}

static const char *object_name(const mtm_dicom *d, char room[VALUE_ROOM])
{
    if (mtm_dicom_ascii(d, mtm_dicom_find(d, NULL, 0x00080016), 0, room, VALUE_ROOM) ||
        mtm_dicom_ascii(d, mtm_dicom_find(d, NULL, 0x00020002), 0, room, VALUE_ROOM))
        return uid_name(room);
    return "data set of no known class";
}

/* TotalPixelMatrixRows and Columns, and what the frames are. */
static void text_pixels(const mtm_dicom *d)
{
    int64_t height, width;
    mtm_dicom_pixels p;

    if (mtm_dicom_i64(d, mtm_dicom_find(d, NULL, 0x00480007), 0, &height) &&
        mtm_dicom_i64(d, mtm_dicom_find(d, NULL, 0x00480006), 0, &width))
        printf("  slide    %" PRId64 " × %" PRId64 " pixels\n", height, width);
    if (cli_dicom_has_pixels(d) && !mtm_dicom_pixels_get(d, &p, NULL))
        printf("  pixels   %" PRId64 " frames of %" PRId64 " × %" PRId64 " × %d, %s, %s, %s\n", p.frames,
               p.rows, p.columns, p.channels, mtm_dtype_name(p.dtype), p.photometric,
               strcmp(p.codec, "none") ? p.codec : "not compressed");
}

/* The regions of a structure set. */
static void text_rois(const char *path)
{
    mtm_dicom_structures *s = NULL;

    if (mtm_dicom_structures_open(&s, path, NULL, NULL))
        return;
    for (int64_t i = 0; i < mtm_dicom_structures_count(s); i++) {
        const mtm_dicom_roi *const r = mtm_dicom_structures_get(s, i);

        printf("  ROI %-4" PRId64 " ", r->number);
        cli_put(stdout, r->name);
        cli_put(stdout, r->type[0] ? ", " : "");
        cli_put(stdout, r->type);
        printf(", %" PRId64 " contours, %" PRId64 " points\n", r->contours, r->points);
    }
    mtm_dicom_structures_close(s);
}

static void text_line(const char *label, const char *value)
{
    printf("  %-8s ", label);
    cli_put(stdout, value);
    fputc('\n', stdout);
}

static void text_fact(const mtm_dicom *d, const struct fact *f)
{
    const mtm_dicom_element *e;
    char *s = NULL;

    if (mtm_dicom_find_path(&e, d, f->path, NULL))
        return;
    if (f->count) {
        printf("  %-8s %d\n", f->label, (int)mtm_dicom_item_count(d, e));
        return;
    }
    if (!mtm_dicom_text(&s, d, e, NULL) && *s)
        text_line(f->label, s);
    mtm_dicom_free(s);
}

void cli_dicom_text(const char *path, const mtm_dicom *d)
{
    char room[VALUE_ROOM];
    int32_t n, items = 0;
    const mtm_dicom_element *const elements = mtm_dicom_elements(d, &n);

    for (int32_t i = 0; i < n; i++)
        items += elements[i].tag == 0xFFFEE000;
    text_line("object", object_name(d, room));
    text_line("syntax", uid_name(mtm_dicom_transfer_syntax(d)));
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        text_fact(d, &facts[i]);
    text_pixels(d);
    text_rois(path);
    printf("  elements %d\n", (int)(n - items));
    for (int32_t i = 0; i < mtm_dicom_warning_count(d); i++)
        printf("  warning: %s\n", mtm_dicom_warning_get(d, i));
}

int cli_dicom_json(const char *path, const mtm_dicom *d)
{
    const mtm_dicom_json_options opt = {.struct_size = sizeof opt, .keywords = true, .meta = true};
    char room[VALUE_ROOM], *s = NULL;
    mtm_error err = {0};
    int code = CLI_OK;

    printf(", \"object\": ");
    cli_json_text(stdout, object_name(d, room));
    printf(", \"transfer_syntax\": ");
    cli_json_text(stdout, uid_name(mtm_dicom_transfer_syntax(d)));
    printf(", \"warnings\": [");
    for (int32_t i = 0; i < mtm_dicom_warning_count(d); i++) {
        fputs(i ? ", " : "", stdout);
        cli_json_text(stdout, mtm_dicom_warning_get(d, i));
    }
    printf("], \"dicom\": ");
    if (mtm_dicom_to_json(&s, NULL, d, &opt, &err))
        code = cli_fail(path, &err);
    fputs(s ? s : "null", stdout);
    mtm_dicom_free(s);
    return code;
}

int cli_dicom_elements(const char *path, const mtm_dicom *d)
{
    char *s = NULL;
    mtm_error err = {0};

    if (mtm_dicom_dump(&s, d, NULL, &err))
        return cli_fail(path, &err);
    fputs(s, stdout);
    mtm_dicom_free(s);
    return CLI_OK;
}

void cli_dicom_skipped(const mtm_dicom_listing *l)
{
    for (int64_t i = 0; i < l->n_skipped; i++)
        cli_tell(l->skipped[i].path, ": left out: ", l->skipped[i].why);
}

bool cli_is_folder(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISDIR(st.st_mode);
}
