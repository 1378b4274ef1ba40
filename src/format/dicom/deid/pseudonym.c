/* format/dicom/deid/pseudonym.c: pseudonym.h: UIDs, patient's pseudonyms, and days by which dates move.
 * SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "pseudonym.h"

enum { HASH_BYTES = 32, LEAST_DIGITS = 20, MOST_VALUE = 1024 };

/* `use` keeps the hashes of UIDs, names and days apart. */
static mtm_status hash(uint8_t out[HASH_BYTES], const dcm_secret *s, const char *use, const char *value,
                       mtm_error *err)
{
    uint8_t text[MOST_VALUE];
    const size_t n = strlen(use), k = strlen(value);
    unsigned length = 0;

    if (n + 1 + k > sizeof text)
        return mtm_fail(err, MTM_E_LIMIT, -1, "an identifier of %zu bytes is too long", k);
    memcpy(text, use, n + 1);
    memcpy(text + n + 1, value, k);
    if (!HMAC(EVP_sha256(), s->key, (int)s->key_bytes, text, n + 1 + k, out, &length) || length != HASH_BYTES)
        return mtm_fail(err, MTM_E_NOMEM, -1, "the cryptographic library refused to hash");
    return MTM_OK;
}

static bool is_root(const char *root)
{
    const size_t n = strlen(root);

    if (n < 2 || n > DCM_UID_ROOM - 1 - LEAST_DIGITS || root[n - 1] != '.')
        return false;
    for (size_t i = 0; i < n; i++) { /* numbers without leading zeros between the dots (PS3.5 9.1) */
        const bool first = i == 0 || root[i - 1] == '.';
        const bool digit = root[i] >= '0' && root[i] <= '9';

        if (!digit && (root[i] != '.' || first))
            return false;
        if (first && root[i] == '0' && root[i + 1] != '.')
            return false;
    }
    return true;
}

mtm_status dcm_pseudo_uid(char out[DCM_UID_ROOM], const dcm_secret *s, const char *root, const char *uid,
                          mtm_error *err)
{
    uint8_t h[HASH_BYTES];
    unsigned __int128 x = 0;
    char digits[40];
    int n = 0;

    if (!is_root(root))
        return mtm_fail(err, MTM_E_INVAL, -1,
                        "'%.64s' is no UID root: numbers with dots, the last one too, at most %d bytes", root,
                        DCM_UID_ROOM - 1 - LEAST_DIGITS);
    MTM_TRY(hash(h, s, "uid", uid, err));
    h[6] = (uint8_t)((h[6] & 0x0F) | 0x80); /* version 8, variant 10 (RFC 9562 5.8) */
    h[8] = (uint8_t)((h[8] & 0x3F) | 0x80);
    for (int i = 0; i < 16; i++)
        x = x << 8 | h[i];
    do {
        digits[n++] = (char)('0' + (int)(x % 10));
        x /= 10;
    } while (x);
    const size_t head = strlen(root);

    memcpy(out, root, head);
    size_t at = head;
    while (n > 0 && digits[n - 1] ==
                        '0') /* no leading zero: cannot be with the version bits set, but for short roots */
        n--;
    while (n > 0 && at < DCM_UID_ROOM - 1)
        out[at++] = digits[--n];
    out[at] = 0;
    return MTM_OK;
}

mtm_status dcm_pseudo_id(char out[DCM_PSEUDONYM_ROOM], const dcm_secret *s, const char *id, mtm_error *err)
{
    uint8_t h[HASH_BYTES];

    MTM_TRY(hash(h, s, "patient", id, err));
    for (int i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02X", h[i]);
    return MTM_OK;
}

mtm_status dcm_pseudo_days(int64_t *out, const dcm_secret *s, const char *id, int most, mtm_error *err)
{
    uint8_t h[HASH_BYTES];
    uint64_t x;

    MTM_TRY(hash(h, s, "days", id, err));
    memcpy(&x, h, sizeof x);
    *out = 1 + (int64_t)(x % (uint64_t)most);
    return MTM_OK;
}

/* ---- dates -------------------------------------------------------------------------------------------- */

/* Days of the Gregorian calendar since 1970-01-01, by eras of 400 years that begin in March. */
static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y -= m <= 2;
    const int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    const int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *y, int64_t *m, int64_t *d)
{
    days += 719468;
    const int64_t era = (days >= 0 ? days : days - 146096) / 146097, of_era = days - era * 146097;
    const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100), mp = (5 * of_year + 2) / 153;

    *d = of_year - (153 * mp + 2) / 5 + 1;
    *m = mp + (mp < 10 ? 3 : -9);
    *y = year + era * 400 + (*m <= 2);
}

static bool number(const char *s, int n, int64_t *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        *out = *out * 10 + (s[i] - '0');
    }
    return true;
}

/* What may follow the date of a DT (PS3.5 6.2): a time, its fraction, a zone. Anything else could be a date in a form of its own. */
static bool is_time_and_zone(const char *s, size_t n, bool whole_date)
{
    size_t i = 0, zone;

    while (whole_date && i < n && i < 6 && s[i] >= '0' && s[i] <= '9')
        i++;
    if (i == 6 && i < n && s[i] == '.')
        for (i++; i < n && s[i] >= '0' && s[i] <= '9';)
            i++;
    if (i < n && (s[i] == '+' || s[i] == '-'))
        for (i++, zone = 0; zone < 4 && i < n && s[i] >= '0' && s[i] <= '9'; zone++)
            i++;
    return i == n;
}

bool dcm_shift_date(char *out, const char *date, size_t n, int64_t days)
{
    int64_t y, m = 1, d = 1;
    char whole[24];
    size_t written = 0; /* digits of the date that are there: 4, 6 or 8 */

    while (written < n && written < 8 && date[written] >= '0' && date[written] <= '9')
        written++;
    if (written != 4 && written != 6 && written != 8)
        return false;
    if (!number(date, 4, &y) || (written > 4 && !number(date + 4, 2, &m)) ||
        (written > 6 && !number(date + 6, 2, &d)) || m < 1 || m > 12 || d < 1 || d > 31 ||
        !is_time_and_zone(date + written, n - written, written == 8))
        return false;
    date_of(days_of(y, m, d) - days, &y, &m, &d);
    if (y < 0 || y > 9999)
        return false;
    snprintf(whole, sizeof whole, "%04d%02d%02d", (int)y % 10000, (int)m % 100, (int)d % 100);
    memcpy(out, whole, written);
    memcpy(out + written, date + written, n - written);
    out[n] = 0;
    return true;
}
