/* format/dicom/deid/report.c: report.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/text.h"
#include "report.h"

enum { MOST_WARNINGS = 8 };

struct dcm_report {
    mtm_deid_report base; /* first: mtm_deid_report_free gets this */
    mtm_deid_change *changes;
    int64_t room;
    dcm_arena texts;
    const char *warnings[MOST_WARNINGS];
    mtm_text path;
};

mtm_status dcm_report_new(dcm_report **out, mtm_error *err)
{
    *out = mtm_alloc_zero(1, sizeof **out);
    return *out ? MTM_OK : MTM_NOMEM(err);
}

void dcm_report_free(dcm_report *r)
{
    if (!r)
        return;
    mtm_free(r->changes);
    dcm_arena_free(&r->texts);
    mtm_text_drop(&r->path);
    mtm_free(r);
}

void mtm_deid_report_free(mtm_deid_report *r)
{
    dcm_report_free((dcm_report *)r);
}

/* "PatientID", "00291010" for what the dictionary does not know. */
static void add_name(mtm_text *t, uint32_t tag)
{
    const mtm_dicom_entry *const e = tag >> 16 & 1 ? NULL : mtm_dicom_entry_by_tag(tag);

    if (e && e->keyword && e->keyword[0])
        mtm_text_add(t, "%s", e->keyword);
    else
        mtm_text_add(t, "%08X", (unsigned)tag);
}

size_t dcm_report_enter(dcm_report *r, uint32_t tag, int32_t i)
{
    const size_t mark = r->path.n;

    add_name(&r->path, tag);
    mtm_text_add(&r->path, "[%d].", (int)i);
    return mark;
}

void dcm_report_leave(dcm_report *r, size_t mark)
{
    r->path.n = mark;
}

static mtm_status grow(dcm_report *r, mtm_error *err)
{
    const int64_t room = r->room ? 2 * r->room : 64;
    mtm_deid_change *changes;

    if (r->base.n < r->room)
        return MTM_OK;
    changes = mtm_realloc(r->changes, (size_t)room * sizeof *changes);
    if (!changes)
        return MTM_NOMEM(err);
    r->changes = changes, r->room = room;
    return MTM_OK;
}

mtm_status dcm_report_add(dcm_report *r, uint32_t tag, char action, mtm_error *err)
{
    const size_t mark = r->path.n;
    char *path;

    MTM_TRY(grow(r, err));
    add_name(&r->path, tag);
    if (r->path.failed)
        return MTM_NOMEM(err);
    path = dcm_arena_get(&r->texts, r->path.n + 1);
    if (!path)
        return MTM_NOMEM(err);
    memcpy(path, r->path.s, r->path.n);
    path[r->path.n] = 0;
    r->path.n = mark;
    r->changes[r->base.n++] = (mtm_deid_change){.path = path, .action = action};
    return MTM_OK;
}

mtm_status dcm_report_warn(dcm_report *r, const char *sentence, mtm_error *err)
{
    if (r->base.n_warnings == MOST_WARNINGS)
        return mtm_fail(err, MTM_E_LIMIT, -1, "more than %d warnings", MOST_WARNINGS);
    r->warnings[r->base.n_warnings++] = sentence;
    return MTM_OK;
}

mtm_status dcm_report_take(dcm_report **r, mtm_deid_report **out, mtm_error *err)
{
    if ((*r)->path.failed)
        return MTM_NOMEM(err);
    (*r)->base.changes = (*r)->changes;
    (*r)->base.warnings = (*r)->warnings;
    *out = &(*r)->base;
    *r = NULL;
    return MTM_OK;
}
