/* format/dicom/write/meta.c: the head of a Part 10 file (PS3.10 7.1), and new UIDs (PS3.5 9, B).
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "part10.h"

enum {
    META_FIRST = 0x00020000,
    META_VERSION = 0x00020001,
    META_SOP_CLASS = 0x00020002,
    META_SOP_INSTANCE = 0x00020003,
    META_IMPLEMENTATION = 0x00020012,
    META_IMPLEMENTATION_NAME = 0x00020013,
    UID_ROOM = 65,
    LONGEST_ROOT = 41, /* leaves room for "2." and 20 digits: 64 random bits */
    LONG_META = 1024   /* of a value of group 2 */
};

#define IMPLEMENTATION_NAME "MICROTOME_%d.%d.%d"
/* Of a UUID (PS3.5 B.2) that was made once, for this library. */
static const char own_implementation[] = "2.25.51607297461570586640289091010758018308";

/* ---- UIDs --------------------------------------------------------------------------------------------- */

static mtm_status root_check(const char *root, mtm_error *err)
{
    const size_t n = strlen(root);
    bool good = n > 1 && n <= LONGEST_ROOT && root[n - 1] == '.';

    for (size_t i = 0; good && i < n; i++) {
        const bool begins = i == 0 || root[i - 1] == '.';

        if (root[i] == '.')
            good = !begins;
        else
            good = root[i] >= '0' && root[i] <= '9' && !(begins && root[i] == '0' && root[i + 1] != '.');
    }
    if (!good)
        return mtm_fail(
            err, MTM_E_INVAL, -1,
            "\"%.60s\" is no root of UIDs: numbers without leading zeros, each with a dot behind it, "
            "%d characters at most",
            root, LONGEST_ROOT);
    return MTM_OK;
}

/* Decimal digits of `x`, at most `room` − 1 of them: the last ones. */
static void decimal(unsigned __int128 x, char *out, size_t room)
{
    char s[48];
    size_t n = sizeof s;

    s[--n] = '\0';
    do {
        s[--n] = (char)('0' + (int)(x % 10));
        x /= 10;
    } while (x > 0);
    while (sizeof s - n > room || (s[n] == '0' && s[n + 1]))
        n++;
    snprintf(out, room, "%s", s + n);
}

mtm_status mtm_dicom_uid_new(char out[65], const char *root, mtm_error *err)
{
    const bool uuid = !root || !strcmp(root, "2.25.");
    unsigned __int128 x = 0;
    uint8_t bytes[16];
    ssize_t n;

    if (!uuid)
        MTM_TRY(root_check(root, err));
    do
        n = getrandom(bytes, sizeof bytes, 0);
    while (n < 0 && errno == EINTR);
    if (n != sizeof bytes)
        return mtm_fail_errno(err, errno, "the system gave no random numbers for a UID");
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40); /* RFC 4122, version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    for (int i = 0; i < 16; i++)
        x = x << 8 | bytes[i];
    snprintf(out, UID_ROOM, "%s", uuid ? "2.25." : root);
    if (!uuid)
        strcat(out, "2."); /* 1: the implementation's own */
    decimal(x, out + strlen(out), UID_ROOM - strlen(out));
    return MTM_OK;
}

mtm_status dcm_implementation_uid(char out[65], const char *root, mtm_error *err)
{
    if (!root || !strcmp(root, "2.25.")) {
        snprintf(out, UID_ROOM, "%s", own_implementation);
        return MTM_OK;
    }
    MTM_TRY(root_check(root, err));
    snprintf(out, UID_ROOM, "%s1", root);
    return MTM_OK;
}

/* ---- group 2 ------------------------------------------------------------------------------------------ */

/* One element, explicit little endian, appended to `to`; value NULL: n zeros. */
static void meta_add(uint8_t *to, size_t *at, uint32_t tag, const char *vr, const void *value, size_t n)
{
    const bool wide = !strcmp(vr, "OB") || !strcmp(vr, "UN");
    const size_t even = n + (n & 1);
    uint8_t *p = to + *at;

    *p++ = (uint8_t)(tag >> 16), *p++ = (uint8_t)(tag >> 24), *p++ = (uint8_t)tag, *p++ = (uint8_t)(tag >> 8);
    *p++ = (uint8_t)vr[0], *p++ = (uint8_t)vr[1];
    if (wide)
        *p++ = 0, *p++ = 0;
    *p++ = (uint8_t)even, *p++ = (uint8_t)(even >> 8);
    if (wide)
        *p++ = (uint8_t)(even >> 16), *p++ = (uint8_t)(even >> 24);
    if (n > 0)
        memcpy(p, value, n);
    if (even > n)
        p[n] = strcmp(vr, "UI") && !wide ? ' ' : '\0';
    *at = (size_t)(p - to) + even;
}

/* A UID of the data set, else of its old group 2. */
static bool uid_of(const mtm_dicom *d, uint32_t tag, uint32_t meta_tag, char out[UID_ROOM])
{
    return (dcm_ascii(d, NULL, tag, out, UID_ROOM) && out[0]) ||
           (dcm_ascii(d, NULL, meta_tag, out, UID_ROOM) && out[0]);
}

/* Elements of the old group 2 that say who sent the file or are private; what describes the writing is made anew. */
static bool is_kept(const mtm_dicom_element *e)
{
    const uint32_t tag = e->tag;

    return tag >> 16 == 2 && (tag & 0xFFFF) > 0x13 && e->value && e->length_bytes <= LONG_META &&
           !(e->flags & MTM_DICOM_SEQUENCE);
}

static size_t kept_bytes(const mtm_dicom *d)
{
    size_t n = 0;

    for (int32_t i = 0; i < d->n; i = dcm_next(d, i))
        if (is_kept(&d->elements[i]))
            n += (size_t)d->elements[i].length_bytes + 16;
    return n;
}

mtm_status dcm_meta_put(const dcm_part10 *p, dcm_out *o, mtm_error *err)
{
    MTM_AUTO_MEM uint8_t *meta = mtm_alloc(1024 + kept_bytes(p->d));
    char uid[UID_ROOM], name[24];
    uint32_t length;
    size_t at = 12; /* the group length comes first, once it is known */
    uint8_t *count;

    if (!meta)
        return MTM_NOMEM(err);
    meta_add(meta, &at, META_VERSION, "OB", "\0\1", 2);
    if (!uid_of(p->d, DCM_SOP_CLASS, META_SOP_CLASS, uid))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the data set has no SOPClassUID, which a Part 10 file names in its head");
    meta_add(meta, &at, META_SOP_CLASS, "UI", uid, strlen(uid));
    if (!uid_of(p->d, DCM_SOP_INSTANCE, META_SOP_INSTANCE, uid))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "the data set has no SOPInstanceUID, which a Part 10 file names in its head");
    meta_add(meta, &at, META_SOP_INSTANCE, "UI", uid, strlen(uid));
    meta_add(meta, &at, DCM_TRANSFER_SYNTAX, "UI", p->to->uid, strlen(p->to->uid));
    MTM_TRY(dcm_implementation_uid(uid, p->uid_root, err));
    meta_add(meta, &at, META_IMPLEMENTATION, "UI", uid, strlen(uid));
    snprintf(name, sizeof name, IMPLEMENTATION_NAME, MTM_VERSION_MAJOR, MTM_VERSION_MINOR, MTM_VERSION_PATCH);
    meta_add(meta, &at, META_IMPLEMENTATION_NAME, "SH", name, strlen(name));
    for (int32_t i = 0; i < p->d->n; i = dcm_next(p->d, i)) {
        const mtm_dicom_element *const e = &p->d->elements[i];

        if (is_kept(e))
            meta_add(meta, &at, e->tag, e->vr, e->value, (size_t)e->length_bytes);
    }
    length = (uint32_t)(at - 12);
    count = (uint8_t[4]){(uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16),
                         (uint8_t)(length >> 24)};
    at = 0;
    meta_add(meta, &at, META_FIRST, "UL", count, 4);
    MTM_TRY(dcm_out_zeros(o, 128, err));
    MTM_TRY(dcm_out_put(o, "DICM", 4, err));
    return dcm_out_put(o, meta, 12 + length, err);
}
