/* format/dicom/deid/deidentify.c: a data set without its patient (PS3.15 E): goes through the table of elements, does to each what
 * rules.c says, and adds what the profile wants written (0012,0062 …). Pixels are not looked at.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "clean.h"
#include "confidentiality.h"
#include "pseudonym.h"
#include "report.h"
#include "safe_private.h"

enum { MOST_DAYS_STANDARD = 3650, PATIENT_NAME = 0x00100010, PATIENT_ID = 0x00100020 };

typedef struct job {
    const mtm_dicom *d;
    const mtm_deid_options *o;
    dcm_secret secret;
    mtm_dicom_builder *b;
    dcm_report *report;
    mtm_text known; /* words of the people's names and numbers in lower case, each followed by a blank */
    char pseudonym[DCM_PSEUDONYM_ROOM];
    int64_t days; /* of SHIFT_DATES */
} job;

static bool is_private(uint32_t tag)
{
    return tag >> 16 & 1;
}

/* ---- single elements ---------------------------------------------------------------------------------- */

static const char *dummy_text(const mtm_dicom_element *e)
{
    static const struct {
        const char *vr, *text;
    } dummies[] = {{"DA", "19000101"}, {"TM", "000000"},     {"DT", "19000101000000"},
                   {"PN", "REMOVED"},  {"AS", "000Y"},       {"IS", "0"},
                   {"DS", "0"},        {"UR", "urn:removed"}};

    for (size_t i = 0; i < sizeof dummies / sizeof *dummies; i++)
        if (!memcmp(e->vr, dummies[i].vr, 2))
            return dummies[i].text;
    return dcm_vr_in(e, "AE CS LO LT SH ST UC UT ") ? "REMOVED" : NULL;
}

/* Every UID of the element that is not well known becomes its pseudonym. */
static mtm_status put_uids(job *j, const mtm_dicom_element *e, mtm_error *err)
{
    const char *const root = j->o->uid_root ? j->o->uid_root : "2.25.";
    const int64_t n = mtm_dicom_value_count(j->d, e);
    char uid[68], made[DCM_UID_ROOM];
    mtm_text all = {0};
    mtm_status s = MTM_OK;

    for (int64_t i = 0; i < n && s == MTM_OK; i++) {
        const char *kept = made;

        made[0] = 0;
        if (mtm_dicom_ascii(j->d, e, i, uid, sizeof uid) && mtm_dicom_uid_find(uid))
            kept = uid;
        else if (uid[0])
            s = dcm_pseudo_uid(made, &j->secret, root, uid, err);
        mtm_text_add(&all, "%s%s", i ? "\\" : "", kept);
    }
    MTM_AUTO_MEM char *text = NULL;
    const mtm_status taken = mtm_text_take(&all, &text, err);

    MTM_TRY(s);
    MTM_TRY(taken);
    return mtm_dicom_put_text(j->b, e->tag, "UI", text, err);
}

static mtm_status put_dummy(job *j, const mtm_dicom_element *e, mtm_error *err)
{
    static const uint8_t zeros[8] = {0};
    const char *const text = dummy_text(e);

    if (e->tag == PATIENT_ID || e->tag == PATIENT_NAME) {
        const char *const given = e->tag == PATIENT_ID ? j->o->patient_id : j->o->patient_name;

        return mtm_dicom_put_text(j->b, e->tag, e->vr, given ? given : j->pseudonym, err);
    }
    if (dcm_vr_in(e, "UI "))
        return put_uids(j, e, err);
    if (text)
        return mtm_dicom_put_text(j->b, e->tag, e->vr, text, err);
    return mtm_dicom_put(j->b, e->tag, e->vr, zeros,
                         dcm_vr_in(e, "OD FD SV UV OV ") ? 8
                         : dcm_vr_in(e, "OB UN ")        ? 2
                                                         : 4,
                         err);
}

static mtm_status put_empty(job *j, const mtm_dicom_element *e, mtm_error *err)
{
    return mtm_dicom_put(j->b, e->tag, e->vr, "", 0, err);
}

/* Every date of the element moved; one that is none is left empty. Times stay. */
static mtm_status put_shifted(job *j, const mtm_dicom_element *e, mtm_error *err)
{
    MTM_AUTO_MEM char *text = NULL, *moved = NULL;
    size_t at = 0, n;

    if (dcm_vr_in(e, "TM "))
        return mtm_dicom_copy(j->b, j->d, e, err);
    if (!dcm_vr_in(e, "DA DT "))
        return put_empty(j, e, err);
    MTM_TRY(mtm_dicom_text(&text, j->d, e, err));
    moved = mtm_alloc(strlen(text) + 2);
    if (!moved)
        return MTM_NOMEM(err);
    moved[0] = 0;
    for (const char *s = text;; s += n + 1) {
        n = strcspn(s, "\\");
        if (n && dcm_shift_date(moved + at, s, n, j->days))
            at += n;
        if (!s[n])
            break;
        moved[at++] = '\\';
    }
    moved[at] = 0;
    return mtm_dicom_put_text(j->b, e->tag, e->vr, moved, err);
}

/* No word was safe. Where the basic profile wants a dummy, the text must have a value. */
static mtm_status put_nothing_clean(job *j, const mtm_dicom_element *e, mtm_error *err)
{
    const dcm_confidentiality *const row = dcm_confidentiality_find(e->tag);

    return row && row->basic == 'D' ? put_dummy(j, e, err) : put_empty(j, e, err);
}

static mtm_status put_clean(job *j, const mtm_dicom_element *e, mtm_error *err)
{
    MTM_AUTO_MEM char *text = NULL, *clean = NULL;
    mtm_text out = {0};

    if (dcm_vr_in(e, "PN DA DT TM "))
        return put_empty(j, e, err);
    if (!dcm_vr_in(e, "AE CS LO LT SH ST UC UT "))
        return MTM_OK; /* binary (an overlay, a curve): nothing of it is known to be clean, so it goes */
    MTM_TRY(mtm_dicom_text(&text, j->d, e, err));
    dcm_clean_text(&out, text, j->known.s);
    MTM_TRY(mtm_text_take(&out, &clean, err));
    if (!clean[0])
        return put_nothing_clean(j, e, err);
    if (dcm_vr_in(e, "CS "))
        for (char *s = clean; *s; s++)
            *s = *s >= 'a' && *s <= 'z' ? (char)(*s - 'a' + 'A') : *s;
    return mtm_dicom_put_text(j->b, e->tag, e->vr, clean, err);
}

/* ---- the walk ----------------------------------------------------------------------------------------- */

static mtm_status level(job *j, const mtm_dicom_element *item, bool hidden, mtm_error *err);

static mtm_status sequence(job *j, const mtm_dicom_element *e, bool hidden, mtm_error *err)
{
    const mtm_dicom_element *item = NULL;

    MTM_TRY(mtm_dicom_begin_sequence(j->b, e->tag, err));
    for (int32_t i = 0; (item = dcm_item_next(j->d, e, item)); i++) {
        const size_t mark = dcm_report_enter(j->report, e->tag, i);

        MTM_TRY(mtm_dicom_begin_item(j->b, err));
        MTM_TRY(level(j, item, hidden, err));
        MTM_TRY(mtm_dicom_end_item(j->b, err));
        dcm_report_leave(j->report, mark);
    }
    return mtm_dicom_end_sequence(j->b, err);
}

/* The creator of a private element's block (PS3.5 7.8.1). */
static bool creator_of(const job *j, const mtm_dicom_element *item, uint32_t tag, char *creator, size_t room)
{
    const mtm_dicom_element *const c = mtm_dicom_find(j->d, item, DCM_TAG(tag >> 16, tag >> 8 & 0xFF));

    creator[0] = 0;
    return c && mtm_dicom_ascii(j->d, c, 0, creator, room);
}

/* A block's creator stays with its first element that does. */
static mtm_status private_element(job *j, const mtm_dicom_element *item, const mtm_dicom_element *e,
                                  mtm_error *err)
{
    const uint32_t block = e->tag >> 8 & 0xFF;
    char creator[68];

    if ((e->tag & 0xFFFF) <= 0xFF) /* a creator or a group length: written where an element needs it */
        return MTM_OK;
    if (!(j->o->flags & MTM_DEID_RETAIN_SAFE_PRIVATE) || block < 0x10 ||
        !creator_of(j, item, e->tag, creator, sizeof creator) ||
        !dcm_private_is_safe(creator, e->tag, j->o->safe_private, j->o->n_safe_private) ||
        e->flags & MTM_DICOM_SEQUENCE)
        return dcm_report_add(j->report, e->tag, 'P', err);
    MTM_TRY(mtm_dicom_put_text(j->b, DCM_TAG(e->tag >> 16, block), "LO", creator, err));
    return mtm_dicom_copy(j->b, j->d, e, err);
}

static mtm_status act(job *j, const mtm_dicom_element *e, dcm_action action, mtm_error *err)
{
    static const char letters[] = {[DCM_KEEP] = 0,  [DCM_REMOVE] = 'X', [DCM_EMPTY] = 'Z', [DCM_DUMMY] = 'D',
                                   [DCM_UID] = 'U', [DCM_CLEAN] = 'C',  [DCM_SHIFT] = 'S'};

    if (letters[action])
        MTM_TRY(dcm_report_add(j->report, e->tag, letters[action], err));
    switch (action) {
    case DCM_KEEP: return mtm_dicom_copy(j->b, j->d, e, err);
    case DCM_REMOVE: return MTM_OK;
    case DCM_EMPTY: /* of the patient's name and ID a pseudonym says as little, and keeps files together */
        return e->tag == PATIENT_ID || e->tag == PATIENT_NAME ? put_dummy(j, e, err) : put_empty(j, e, err);
    case DCM_DUMMY: return put_dummy(j, e, err);
    case DCM_UID: return put_uids(j, e, err);
    case DCM_CLEAN: return put_clean(j, e, err);
    case DCM_SHIFT: return put_shifted(j, e, err);
    }
    return MTM_OK;
}

static mtm_status sequence_act(job *j, const mtm_dicom_element *e, dcm_action action, bool hidden,
                               mtm_error *err)
{
    if (action == DCM_REMOVE)
        return dcm_report_add(j->report, e->tag, 'X', err);
    if (action == DCM_EMPTY) {
        MTM_TRY(dcm_report_add(j->report, e->tag, 'Z', err));
        MTM_TRY(mtm_dicom_begin_sequence(j->b, e->tag, err));
        return mtm_dicom_end_sequence(j->b, err);
    }
    if (action == DCM_DUMMY)
        MTM_TRY(dcm_report_add(j->report, e->tag, 'D', err));
    return sequence(j, e, hidden || action == DCM_DUMMY, err);
}

/* An overlay plane goes as a whole: its size and place are of no use, and not allowed, without its bits (PS3.3 C.9.2). */
static bool is_of_removed_overlay(const job *j, const mtm_dicom_element *item, const mtm_dicom_element *e)
{
    return (e->tag >> 24) == 0x60 && mtm_dicom_find(j->d, item, (e->tag & 0xFFFF0000) | 0x3000);
}

static mtm_status element(job *j, const mtm_dicom_element *item, const mtm_dicom_element *e, bool hidden,
                          mtm_error *err)
{
    if (is_private(e->tag))
        return private_element(j, item, e, err);
    if ((e->tag & 0xFFFF) == 0 || e->tag == DCM_TRANSFER_SYNTAX) /* lengths are made on writing */
        return e->tag == DCM_TRANSFER_SYNTAX ? mtm_dicom_copy(j->b, j->d, e, err) : MTM_OK;
    if (e->tag == DCM_PIXELS || e->tag == DCM_FLOAT_PIXELS || e->tag == DCM_DOUBLE_PIXELS)
        return mtm_dicom_copy(j->b, j->d, e, err);

    const dcm_action action =
        is_of_removed_overlay(j, item, e) ? DCM_REMOVE : dcm_action_of(j->d, e, j->o->flags, hidden);

    return e->flags & MTM_DICOM_SEQUENCE ? sequence_act(j, e, action, hidden, err) : act(j, e, action, err);
}

static mtm_status level(job *j, const mtm_dicom_element *item, bool hidden, mtm_error *err)
{
    int32_t n;
    const mtm_dicom_element *const all = mtm_dicom_elements(j->d, &n);
    int32_t i = item ? dcm_index(j->d, item) + 1 : 0;
    const int32_t end = item ? i + item->inside : n;

    for (; i < end; i = dcm_next(j->d, i))
        MTM_TRY(element(j, item, &all[i], hidden, err));
    return MTM_OK;
}

/* ---- what the profile writes -------------------------------------------------------------------------- */

static mtm_status put_code(job *j, const char *value, const char *meaning, mtm_error *err)
{
    MTM_TRY(mtm_dicom_begin_item(j->b, err));
    MTM_TRY(mtm_dicom_put_text(j->b, 0x00080100, "SH", value, err));
    MTM_TRY(mtm_dicom_put_text(j->b, 0x00080102, "SH", "DCM", err));
    MTM_TRY(mtm_dicom_put_text(j->b, 0x00080104, "LO", meaning, err));
    return mtm_dicom_end_item(j->b, err);
}

/* PS3.16 CID 7050. */
static mtm_status put_methods(job *j, mtm_error *err)
{
    static const struct {
        uint32_t flag;
        const char *code, *meaning;
    } methods[] = {
        {0, "113100", "Basic Application Confidentiality Profile"},
        {MTM_DEID_CLEAN_GRAPHICS, "113103", "Clean Graphics Option"},
        {MTM_DEID_CLEAN_STRUCTURED, "113104", "Clean Structured Content Option"},
        {MTM_DEID_CLEAN_DESCRIPTORS, "113105", "Clean Descriptors Option"},
        {MTM_DEID_RETAIN_DATES, "113106", "Retain Longitudinal Temporal Information Full Dates Option"},
        {MTM_DEID_SHIFT_DATES, "113107", "Retain Longitudinal Temporal Information Modified Dates Option"},
        {MTM_DEID_RETAIN_PATIENT, "113108", "Retain Patient Characteristics Option"},
        {MTM_DEID_RETAIN_DEVICE, "113109", "Retain Device Identity Option"},
        {MTM_DEID_RETAIN_UIDS, "113110", "Retain UIDs Option"},
        {MTM_DEID_RETAIN_SAFE_PRIVATE, "113111", "Retain Safe Private Option"},
        {MTM_DEID_RETAIN_INSTITUTION, "113112", "Retain Institution Identity Option"}};

    MTM_TRY(mtm_dicom_begin_sequence(j->b, 0x00120064, err));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (!methods[i].flag || j->o->flags & methods[i].flag)
            MTM_TRY(put_code(j, methods[i].code, methods[i].meaning, err));
    return mtm_dicom_end_sequence(j->b, err);
}

static mtm_status put_marks(job *j, mtm_error *err)
{
    const uint32_t f = j->o->flags;
    const char *const dates = f & MTM_DEID_RETAIN_DATES  ? "UNMODIFIED"
                              : f & MTM_DEID_SHIFT_DATES ? "MODIFIED"
                                                         : "REMOVED";
    char method[64];

    snprintf(method, sizeof method, "microtome %s: PS3.15 table E.1-1", mtm_version());
    MTM_TRY(mtm_dicom_put_text(j->b, 0x00120062, "CS", "YES", err));
    MTM_TRY(mtm_dicom_put_text(j->b, 0x00120063, "LO", method, err));
    MTM_TRY(mtm_dicom_put_text(j->b, 0x00280303, "CS", dates, err));
    return put_methods(j, err);
}

/* ---- what is told ------------------------------------------------------------------------------------- */

/* Kinds of images that often show text: screens, scanned paper, ultrasound, endoscopy, photographs. */
static bool may_show_text(const mtm_dicom *d)
{
    static const char *const modalities[] = {"US", "IVUS", "ES", "GM",  "XC", "SM",
                                             "OT", "SC",   "OP", "DOC", "RF", "XA"};
    char modality[17];

    if (mtm_dicom_find(d, NULL, 0x00080064)) /* ConversionType: a secondary capture */
        return true;
    dcm_ascii(d, NULL, 0x00080060, modality, sizeof modality);
    for (size_t i = 0; i < sizeof modalities / sizeof *modalities; i++)
        if (!strcmp(modality, modalities[i]))
            return true;
    return false;
}

static mtm_status warn(job *j, mtm_error *err)
{
    const mtm_dicom *const d = j->d;
    char burned[17], face[17];

    dcm_ascii(d, NULL, 0x00280301, burned, sizeof burned);
    dcm_ascii(d, NULL, 0x00280302, face, sizeof face);
    if (!strcmp(burned, "YES"))
        MTM_TRY(dcm_report_warn(
            j->report, "the pixels hold burned-in annotation (0028,0301); they are as they were", err));
    else if (strcmp(burned, "NO") && mtm_dicom_find(d, NULL, DCM_PIXELS) && may_show_text(d))
        MTM_TRY(dcm_report_warn(
            j->report,
            "the pixels may show text: an image of this kind that does not say BurnedInAnnotation NO", err));
    if (!strcmp(face, "YES"))
        MTM_TRY(dcm_report_warn(j->report, "a person may be recognised from the pixels (0028,0302)", err));
    if (mtm_dicom_find(d, NULL, 0x00420011))
        MTM_TRY(dcm_report_warn(j->report, "an encapsulated document was replaced by a dummy", err));
    if (j->o->flags & MTM_DEID_CLEAN_GRAPHICS)
        MTM_TRY(dcm_report_warn(j->report, "overlays and curves cannot be cleaned and were removed", err));
    return MTM_OK;
}

/* ---- beginning ---------------------------------------------------------------------------------------- */

/* Words of everything by which a person could be named, for cleaning text. */
static mtm_status gather_known(job *j, mtm_error *err)
{
    static const uint32_t numbers[] = {PATIENT_ID, 0x00080050, 0x00101000, 0x00101001, 0x00200010, 0x00380010,
                                       0x00080080, 0x00080081, 0x00081010, 0x00081040, 0x00101040};
    int32_t n;
    const mtm_dicom_element *const all = mtm_dicom_elements(j->d, &n);

    for (int32_t i = 0; i < n; i++) {
        bool wanted = dcm_vr_in(&all[i], "PN ");

        for (size_t k = 0; !wanted && k < sizeof numbers / sizeof *numbers; k++)
            wanted = all[i].tag == numbers[k] && !(all[i].flags & MTM_DICOM_SEQUENCE);
        if (!wanted)
            continue;
        MTM_AUTO_MEM char *text = NULL;

        MTM_TRY(mtm_dicom_text(&text, j->d, &all[i], err));
        for (char *s = text; *s; s++)
            *s = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : strchr("^=\\,;.-_/", *s) ? ' ' : *s;
        mtm_text_add(&j->known, "%s ", text);
    }
    return j->known.failed ? MTM_NOMEM(err) : MTM_OK;
}

/* The patient by ID and issuer; where there is no ID the study, so that its files still stay together. */
static mtm_status begin(job *j, mtm_error *err)
{
    const mtm_dicom_element *const id = mtm_dicom_find(j->d, NULL, PATIENT_ID);
    const mtm_dicom_element *const issuer = mtm_dicom_find(j->d, NULL, 0x00100021);
    const int most = j->o->shift_days > 0 ? j->o->shift_days : MOST_DAYS_STANDARD;
    MTM_AUTO_MEM char *text = NULL, *who = NULL;
    char study[68], key[256];

    if (id)
        MTM_TRY(mtm_dicom_text(&text, j->d, id, err));
    if (issuer)
        MTM_TRY(mtm_dicom_text(&who, j->d, issuer, err));
    dcm_ascii(j->d, NULL, 0x0020000D, study, sizeof study);
    if (text && text[0])
        snprintf(key, sizeof key, "%.120s|%.120s", text, who ? who : "");
    else
        snprintf(key, sizeof key, "study|%s", study);
    MTM_TRY(dcm_pseudo_id(j->pseudonym, &j->secret, key, err));
    MTM_TRY(dcm_pseudo_days(&j->days, &j->secret, key, most, err));
    return gather_known(j, err);
}

static mtm_status check(const mtm_deid_options *o, mtm_error *err)
{
    enum { ALL = 2 * MTM_DEID_RETAIN_SAFE_PRIVATE - 1 };

    if (!o || o->struct_size != sizeof *o)
        return mtm_fail(err, MTM_E_INVAL, -1, "mtm_deid_options are missing or of another size");
    if (!o->secret || !o->secret_bytes || o->secret_bytes > 4096)
        return mtm_fail(err, MTM_E_INVAL, -1, "de-identification wants a secret of 1 to 4096 bytes");
    if (o->flags & ~(uint32_t)ALL)
        return mtm_fail(err, MTM_E_INVAL, -1, "flags %#x are no options of PS3.15 table E.1-1", o->flags);
    if (o->flags & MTM_DEID_RETAIN_DATES && o->flags & MTM_DEID_SHIFT_DATES)
        return mtm_fail(err, MTM_E_INVAL, -1, "dates are either retained or shifted");
    return MTM_OK;
}

static mtm_status make(job *j, mtm_dicom **out, mtm_error *err)
{
    MTM_TRY(begin(j, err));
    MTM_TRY(level(j, NULL, false, err));
    MTM_TRY(put_marks(j, err));
    MTM_TRY(warn(j, err));
    return mtm_dicom_build(out, j->b, err);
}

mtm_status mtm_dicom_deidentify(mtm_dicom **out, mtm_deid_report **report, const mtm_dicom *d,
                                const mtm_deid_options *opt, mtm_error *err)
{
    mtm_status s;

    MTM_TRY(check(opt, err));
    job j = {.d = d, .o = opt, .secret = {.key = opt->secret, .key_bytes = opt->secret_bytes}};
    MTM_TRY(dcm_report_new(&j.report, err));
    s = mtm_dicom_builder_new(&j.b, err);
    if (s == MTM_OK)
        s = make(&j, out, err);
    if (s == MTM_OK && report) {
        s = dcm_report_take(&j.report, report, err);
        if (s != MTM_OK)
            mtm_dicom_close(*out);
    }
    mtm_dicom_builder_free(j.b);
    dcm_report_free(j.report);
    mtm_text_drop(&j.known);
    return s;
}
