/* base/text.c: numbers from text, text from values; independent of the locale.
 * SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "mem.h"

enum { LONGEST_NUMBER = 128 };

/* The C locale, made once. */
static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void c_locale_make(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Copies the first word into a terminated buffer; returns the blanks skipped, or SIZE_MAX if nothing is left. */
static size_t first_word(const char *s, size_t n, char word[LONGEST_NUMBER])
{
    size_t skip = 0, k = 0;

    while (skip < n && (s[skip] == ' ' || s[skip] == '\t'))
        skip++;
    while (skip + k < n && k < LONGEST_NUMBER - 1 && s[skip + k] > ' ')
        word[k] = s[skip + k], k++;
    word[k] = '\0';
    return k ? skip : SIZE_MAX;
}

bool mtm_text_i64(const char *s, size_t n, int64_t *out, size_t *used)
{
    char word[LONGEST_NUMBER], *end;
    const size_t skip = first_word(s, n, word);

    if (skip == SIZE_MAX)
        return false;
    errno = 0;
    const long long x = strtoll(word, &end, 10);
    if (end == word || errno == ERANGE)
        return false;
    *out = x;
    if (used)
        *used = skip + (size_t)(end - word);
    return true;
}

bool mtm_text_f64(const char *s, size_t n, double *out, size_t *used)
{
    char word[LONGEST_NUMBER], *end;
    const size_t skip = first_word(s, n, word);

    if (skip == SIZE_MAX)
        return false;
    pthread_once(&c_locale_once, c_locale_make);
    const double x = c_locale ? strtod_l(word, &end, c_locale) : strtod(word, &end);
    if (end == word)
        return false;
    *out = x;
    if (used)
        *used = skip + (size_t)(end - word);
    return true;
}

bool mtm_text_reserve(mtm_text *t, size_t more)
{
    size_t room = t->room ? t->room : 256;
    char *s;

    if (t->failed)
        return false;
    while (room - t->n <= more)
        room *= 2;
    if (room == t->room)
        return true;
    s = mtm_realloc(t->s, room);
    if (!s)
        return t->failed = true, false;
    t->s = s, t->room = room;
    return true;
}

void mtm_text_add(mtm_text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !mtm_text_reserve(t, (size_t)n + 1))
        return;
    va_start(ap, fmt);
    vsnprintf(t->s + t->n, t->room - t->n, fmt, ap);
    va_end(ap);
    t->n += (size_t)n;
}

void mtm_text_put(mtm_text *t, const void *s, size_t n)
{
    if ((t->room - t->n <= n || t->failed) && !mtm_text_reserve(t, n))
        return;
    memcpy(t->s + t->n, s, n);
    t->n += n;
}

void mtm_text_add_json(mtm_text *t, const char *s)
{
    mtm_text_add(t, "\"");
    for (; *s; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            mtm_text_add(t, "\\%c", c);
        else if (c < 0x20)
            mtm_text_add(t, "\\u%04x", c);
        else
            mtm_text_add(t, "%c", c);
    }
    mtm_text_add(t, "\"");
}

void mtm_text_add_f64(mtm_text *t, double x)
{
    char s[40];
    double back;

    if (!isfinite(x)) {
        mtm_text_add(t, "null");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, x);
        for (char *p = s; *p; p++)
            if (*p == ',')
                *p = '.'; /* a decimal comma of the locale */
        if (mtm_text_f64(s, sizeof s, &back, NULL) && back == x)
            break;
    }
    mtm_text_add(t, "%s", s);
}

mtm_status mtm_text_take(mtm_text *t, char **out, mtm_error *err)
{
    if (!t->failed)
        mtm_text_reserve(t, 1);
    if (t->failed) {
        mtm_text_drop(t);
        return MTM_NOMEM(err);
    }
    t->s[t->n] = '\0';
    *out = t->s;
    *t = (mtm_text){0};
    return MTM_OK;
}

void mtm_text_drop(mtm_text *t)
{
    mtm_free(t->s);
    *t = (mtm_text){0};
}
