/* format/dicom/data/dataset.c: the life of a data set: its arena, its warnings, its end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dataset.h"

#include <stdarg.h>
#include <stdio.h>

enum { BLOCK_BYTES = 4096 }; /* of an arena, for small things */

typedef struct dcm_block {
    struct dcm_block *next;
    size_t room;
    uint64_t bytes[];
} dcm_block;

void *dcm_arena_get(dcm_arena *a, size_t size_bytes)
{
    const size_t size = (size_bytes + 7) & ~(size_t)7;

    if (size < size_bytes)
        return NULL;
    if (!a->blocks || size > a->room - a->used) {
        const size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        dcm_block *const b = mtm_alloc(sizeof *b + room);

        if (!b)
            return NULL;
        b->room = room;
        /* A large piece of its own leaves the open block open. */
        if (a->blocks && size > BLOCK_BYTES) {
            b->next = a->blocks->next;
            a->blocks->next = b;
            return b->bytes;
        }
        b->next = a->blocks;
        a->blocks = b;
        a->used = 0, a->room = room;
    }
    a->used += size;
    return (uint8_t *)a->blocks->bytes + a->used - size;
}

void dcm_arena_free(dcm_arena *a)
{
    while (a->blocks) {
        dcm_block *const b = a->blocks;

        a->blocks = b->next;
        mtm_free(b);
    }
    a->used = a->room = 0;
}

void dcm_arena_reset(dcm_arena *a)
{
    dcm_block *largest = NULL;

    while (a->blocks) {
        dcm_block *const b = a->blocks;
        dcm_block *const drop = largest && largest->room >= b->room ? b : largest;

        a->blocks = b->next;
        if (drop != b)
            largest = b;
        mtm_free(drop);
    }
    if (largest)
        largest->next = NULL;
    a->blocks = largest;
    a->used = 0, a->room = largest ? largest->room : 0;
}

mtm_status dcm_new(mtm_dicom **out, const char *path, const mtm_limits *limits, mtm_error *err)
{
    MTM_AUTO(mtm_dicom) d = mtm_alloc_zero(1, sizeof *d);

    if (!d)
        return MTM_NOMEM(err);
    d->limits = limits ? *limits : mtm_limits_default();
    d->path = mtm_strdup(path);
    if (!d->path)
        return MTM_NOMEM(err);
    *out = mtm_dicom_steal(&d);
    return MTM_OK;
}

void mtm_dicom_close(mtm_dicom *d)
{
    if (!d)
        return;
    mtm_source_close(d->source);
    dcm_arena_free(&d->arena);
    mtm_free(d->elements);
    mtm_free(d->inflated);
    mtm_free(d->from);
    mtm_free(d->path);
    mtm_free(d);
}

/* A warning that finds no memory is left out: it must not make a readable file unreadable. */
void dcm_warn(mtm_dicom *d, const char *fmt, ...)
{
    char text[200];
    char *kept;
    va_list args;
    int n;

    if (d->n_warnings == DCM_MOST_WARNINGS)
        return;
    va_start(args, fmt);
    n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    n = n < (int)sizeof text ? n : (int)sizeof text - 1;
    kept = dcm_arena_get(&d->arena, (size_t)n + 1);
    if (!kept)
        return;
    memcpy(kept, text, (size_t)n + 1);
    d->warnings[d->n_warnings++] = kept;
}

const mtm_dicom_element *mtm_dicom_elements(const mtm_dicom *d, int32_t *n)
{
    *n = d->n;
    return d->elements;
}

const char *mtm_dicom_path(const mtm_dicom *d)
{
    return d->path;
}

const char *mtm_dicom_transfer_syntax(const mtm_dicom *d)
{
    return d->transfer_syntax;
}

int32_t mtm_dicom_warning_count(const mtm_dicom *d)
{
    return d->n_warnings;
}

const char *mtm_dicom_warning_get(const mtm_dicom *d, int32_t i)
{
    return i >= 0 && i < d->n_warnings ? d->warnings[i] : NULL;
}

void mtm_dicom_free(void *p)
{
    mtm_free(p);
}
