/* tests/fuzz/fuzz_dicom_write.c: hostile data sets copied by the builder, written in some syntax and read again: the tables are equal, and
 * whatever fails leaves no file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>
#include <unistd.h>

#include "format/dicom/data/build.h"
#include "format/dicom/write/transcode.h"
#include "fuzz.h"

static const char *const syntaxes[] = {
    NULL, /* the source's */
    "ImplicitVRLittleEndian",
    "ExplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "DeflatedExplicitVRLittleEndian",
    "EncapsulatedUncompressedExplicitVRLittleEndian",
    "RLELossless",
    "JPEGLosslessSV1",
    "HTJ2KLosslessRPCL",
    "JPEG2000",
};
enum { N_SYNTAXES = sizeof syntaxes / sizeof *syntaxes };

static bool is_written(const mtm_dicom_element *e)
{
    const uint32_t tag = e->tag;

    return tag >> 16 == 0xFFFE ||
           ((tag & 0xFFFF) != 0 &&
            (e->depth > 0 || (tag >> 16 >= 4 && tag != 0x00080001 && tag != 0xFFFCFFFCu)));
}

/* The next line from i on that a file keeps. */
static int32_t kept(const mtm_dicom *d, int32_t i)
{
    while (i < d->n && !is_written(&d->elements[i]))
        i += 1 + d->elements[i].inside;
    return i;
}

/* Up to one byte of padding. Long values are left to the tests, turned ones too. */
static bool same_value(const mtm_dicom_element *a, const mtm_dicom_element *b)
{
    const uint32_t tag = a->tag;

    if (tag == 0x00280004 || tag == 0x00280006 || tag == 0x00280100 || tag == 0x00280102)
        return true; /* what transcoding corrects */
    if (!a->value || !b->value || (a->flags ^ b->flags) & MTM_DICOM_BIG_ENDIAN ||
        a->flags & MTM_DICOM_SEQUENCE)
        return true;
    if (b->length_bytes != a->length_bytes + (a->length_bytes & 1) && b->length_bytes != a->length_bytes)
        return false;
    return a->length_bytes == 0 || !memcmp(a->value, b->value, (size_t)a->length_bytes);
}

/* In the order of tags, each once: what transcoding and the builder make of every data set. */
static bool is_sorted(const mtm_dicom *d)
{
    for (int32_t i = 0; i < d->n; i++) {
        const int32_t next = i + 1 + d->elements[i].inside;

        if (next < d->n && d->elements[next].parent == d->elements[i].parent &&
            d->elements[i].tag != 0xFFFEE000u && d->elements[next].tag <= d->elements[i].tag)
            return false;
    }
    return true;
}

/* Fragments of what is no pixel data, which no standard knows, are a sequence to readers of implicit VR. */
static bool has_strange_fragments(const mtm_dicom *d)
{
    for (int32_t i = 0; i < d->n; i++)
        if (d->elements[i].flags & MTM_DICOM_ENCAPSULATED && d->elements[i].tag != DCM_PIXELS)
            return true;
    return false;
}

/* (0200,eeee) in big endian has the bytes of (0002,eeee), so that readers take it for the file's head. */
static bool begins_as_group_2(const mtm_dicom *d, const dcm_syntax *to)
{
    const int32_t first = kept(d, 0);

    return to->big_endian && first < d->n && d->elements[first].tag >> 16 == 0x0200;
}

static void compare(const mtm_dicom *a, const mtm_dicom *b)
{
    int32_t i = kept(a, 0), k = kept(b, 0);

    for (; i < a->n && k < b->n; i = kept(a, i + 1), k = kept(b, k + 1)) {
        const mtm_dicom_element *const x = &a->elements[i], *const y = &b->elements[k];

        if (x->tag != y->tag || x->depth != y->depth)
            fprintf(stderr, "line %d: %08x at depth %d, was %08x at %d\n", (int)k, y->tag, y->depth, x->tag,
                    x->depth);
        FUZZ_CHECK(x->tag == y->tag && x->depth == y->depth);
        FUZZ_CHECK(same_value(x, y));
    }
    if (i < a->n || k < b->n)
        fprintf(stderr, "%08x was there, %08x is\n", i < a->n ? a->elements[i].tag : 0,
                k < b->n ? b->elements[k].tag : 0);
    FUZZ_CHECK(i >= a->n && k >= b->n);
}

/* Written with proof, and read again before it has a name. */
static void try_write(const mtm_dicom *d, const char *path, const char *syntax)
{
    const mtm_dicom_write_options options = {
        .struct_size = sizeof options, .transfer_syntax = syntax, .allow_lossy = true};
    const dcm_syntax *const to = dcm_syntax_find(syntax ? syntax : mtm_dicom_transfer_syntax(d));
    MTM_AUTO(mtm_writer) w = NULL;
    MTM_AUTO(mtm_dicom) again = NULL;
    mtm_error err = {0};

    FUZZ_CHECK(!mtm_writer_open(&w, path, &err));
    if (dcm_write(w, d, &options, &err)) {
        FUZZ_CHECK(err.code != MTM_OK && err.text[0]);
        return;
    }
    FUZZ_CHECK(!mtm_dicom_open(&again, mtm_writer_temp(w), NULL, &err));
    if (to->lossless && (!to->encapsulated || !syntax) && is_sorted(d) && !has_strange_fragments(d) &&
        !begins_as_group_2(d, to))
        compare(d, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const mtm_limits limits = {.max_bytes = 1 << 22, .max_expansion = 1100, .max_header_bytes = 1 << 18};
    const mtm_dicom_options options = {.struct_size = sizeof options, .limits = &limits};
    const char *const folder = getenv("TMPDIR");
    MTM_AUTO(mtm_dicom_builder) b = NULL;
    MTM_AUTO(mtm_dicom) d = NULL;
    MTM_AUTO(mtm_dicom) copy = NULL;
    mtm_error err = {0};
    uint32_t which = 2166136261u;
    struct stat st;
    char path[512];

    if (mtm_dicom_open_memory(&d, data, n, "fuzz.dcm", &options, &err))
        return 0;
    for (size_t i = 0; i < n; i++)
        which = (which ^ data[i]) * 16777619u;
    snprintf(path, sizeof path, "%s/microtome-fuzz-%ld.dcm", folder ? folder : "/tmp", (long)getpid());
    try_write(d, path, syntaxes[which % N_SYNTAXES]);
    FUZZ_CHECK(!mtm_dicom_builder_new(&b, &err));
    if (!dcm_copy_all(b, d, NULL, &err) && !mtm_dicom_build(&copy, b, &err))
        try_write(copy, path, syntaxes[which / 64 % N_SYNTAXES]);
    FUZZ_CHECK(stat(path, &st) != 0);
    return 0;
}
