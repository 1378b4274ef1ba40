/* op/args.c: an operator's arguments: defaults from the table's text, then what the caller gives, all checked against
 * the one declaration of each parameter.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/text.h"
#include "microtome/op.h"
#include "op/random.h"

enum { TEXT_ROOM = 64, MOST_INTS = 48, MOST_FLOATS = 64, MOST_NUMBERS = 64 /* the larger of the two */ };

static bool in_range(const mtm_param *p, double v)
{
    return isfinite(v) && ((p->min == 0 && p->max == 0) || (v >= p->min && v <= p->max));
}

static mtm_status wrong(const mtm_op *op, const mtm_param *p, const char *wants, mtm_error *err)
{
    return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s must be %s", op->name, p->name, wants);
}

static mtm_status out_of_range(const mtm_op *op, const mtm_param *p, double v, mtm_error *err)
{
    if (!isfinite(v))
        return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s must be finite, not %g", op->name, p->name, v);
    return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s must lie in %g … %g, not %g", op->name, p->name, p->min,
                    p->max, v);
}

/* Index of the word s[0…n) in "a|b|c", or −1. */
static int choice_index(const char *choices, const char *s, size_t n)
{
    for (int i = 0; *choices; i++) {
        const size_t k = strcspn(choices, "|");
        if (k == n && !memcmp(choices, s, n))
            return i;
        choices += k + (choices[k] == '|');
    }
    return -1;
}

static mtm_status set_choices(const mtm_op *op, const mtm_param *p, void *at, const char *text,
                              mtm_error *err)
{
    mtm_ints list = {0};

    for (const char *s = text;; s++) {
        const size_t n = strcspn(s, ",");
        const int i = choice_index(p->choices, s, n);

        if (i < 0 || list.n == 16)
            return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s '%.*s' is none of %s", op->name, p->name,
                            (int)(n > 40 ? 40 : n), s, p->choices);
        list.v[list.n++] = i;
        s += n;
        if (!*s)
            break;
    }
    if (p->type == MTM_PARAM_CHOICES) {
        memcpy(at, &list, sizeof list);
    } else {
        if (list.n != 1)
            return wrong(op, p, "one word", err);
        *(int32_t *)at = (int32_t)list.v[0];
    }
    return MTM_OK;
}

static mtm_status set_ints(const mtm_op *op, const mtm_param *p, mtm_ints *at, const double *v, int32_t n,
                           mtm_error *err)
{
    if (n > MOST_INTS)
        return wrong(op, p, "at most 48 integers", err);
    for (int32_t i = 0; i < n; i++) {
        if (!in_range(p, v[i]))
            return out_of_range(op, p, v[i], err);
        if (v[i] != nearbyint(v[i]) || fabs(v[i]) > 0x1p53)
            return wrong(op, p, "integers", err);
        at->v[i] = (int64_t)v[i];
    }
    at->n = n;
    return MTM_OK;
}

static mtm_status set_numbers(const mtm_op *op, const mtm_param *p, void *at, const double *v, int32_t n,
                              bool scalar, mtm_error *err)
{
    switch (p->type) {
    case MTM_PARAM_INTS: return set_ints(op, p, at, v, n, err);
    case MTM_PARAM_FLOATS:
        if (n > MOST_FLOATS)
            return wrong(op, p, "at most 64 numbers", err);
        for (int32_t i = 0; i < n; i++)
            if (!in_range(p, v[i]))
                return out_of_range(op, p, v[i], err);
        ((mtm_floats *)at)->n = n;
        memcpy(((mtm_floats *)at)->v, v, (size_t)n * sizeof *v);
        return MTM_OK;
    case MTM_PARAM_FLOAT:
    case MTM_PARAM_INT:
        if (n != 1 || !scalar)
            return wrong(op, p, "one number", err);
        if (!in_range(p, *v))
            return out_of_range(op, p, *v, err);
        if (p->type == MTM_PARAM_FLOAT)
            *(double *)at = *v;
        else if (*v != nearbyint(*v) || fabs(*v) > 0x1p53)
            return wrong(op, p, "an integer", err);
        else
            *(int64_t *)at = (int64_t)*v;
        return MTM_OK;
    case MTM_PARAM_BOOL:
        if (n != 1 || (*v != 0 && *v != 1))
            return wrong(op, p, "true or false", err);
        *(bool *)at = *v != 0;
        return MTM_OK;
    case MTM_PARAM_SEED:
        if (n != 1 || *v < 0 || *v > 0x1p53 || *v != nearbyint(*v))
            return wrong(op, p, "an integer from 0 on", err);
        *(uint64_t *)at = (uint64_t)*v;
        return MTM_OK;
    default: return wrong(op, p, p->type == MTM_PARAM_ARRAY ? "an array" : "text", err);
    }
}

/* None: allowed where the table's default is None. */
static mtm_status set_none(const mtm_op *op, const mtm_param *p, void *at, mtm_error *err)
{
    switch (p->value && !strcmp(p->value, "None") ? p->type : MTM_PARAM_BOOL) {
    case MTM_PARAM_INTS: ((mtm_ints *)at)->n = 0; return MTM_OK;
    case MTM_PARAM_FLOATS: ((mtm_floats *)at)->n = 0; return MTM_OK;
    case MTM_PARAM_CHOICES: ((mtm_ints *)at)->n = 0; return MTM_OK;
    case MTM_PARAM_CHOICE: *(int32_t *)at = 0; return MTM_OK; /* the first word is None */
    case MTM_PARAM_TEXT: *(char *)at = '\0'; return MTM_OK;
    case MTM_PARAM_ARRAY: *(const mtm_array **)at = NULL; return MTM_OK;
    default: return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s must be given", op->name, p->name);
    }
}

/* Numbers from "0.5", "(0, 1)", "1,2,3"; returns how many, or −1 when it is no list of numbers. */
static int32_t numbers_from_text(const char *s, double v[MOST_NUMBERS], bool *scalar)
{
    int32_t n = 0;
    size_t used;

    *scalar = strpbrk(s, "(,") == NULL;
    s += strspn(s, " (");
    while (*s && *s != ')') {
        const size_t k = strcspn(s, ",)");
        if (n == MOST_NUMBERS || !mtm_text_f64(s, k, &v[n], &used))
            return -1;
        n++;
        s += k;
        s += strspn(s, ", ");
    }
    return n;
}

static mtm_status set_text(const mtm_op *op, const mtm_param *p, void *at, const char *text, mtm_error *err)
{
    double v[MOST_NUMBERS];
    bool scalar;
    int32_t n;

    switch (p->type) {
    case MTM_PARAM_CHOICE:
    case MTM_PARAM_CHOICES: return set_choices(op, p, at, text, err);
    case MTM_PARAM_TEXT:
        if (strlen(text) >= TEXT_ROOM)
            return wrong(op, p, "shorter than 64 bytes", err);
        strcpy(at, text);
        return MTM_OK;
    case MTM_PARAM_BOOL:
        if (strcasecmp(text, "true") && strcasecmp(text, "false"))
            return wrong(op, p, "true or false", err);
        *(bool *)at = !strcasecmp(text, "true");
        return MTM_OK;
    default:
        n = numbers_from_text(text, v, &scalar);
        if (n < 0)
            return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s '%.40s' is no number", op->name, p->name, text);
        return set_numbers(op, p, at, v, n, scalar, err);
    }
}

static mtm_status set_given(const mtm_op *op, const mtm_param *p, void *at, const mtm_arg *a, mtm_error *err)
{
    switch (a->kind) {
    case MTM_ARG_NONE: return set_none(op, p, at, err);
    case MTM_ARG_NUMBERS: return set_numbers(op, p, at, a->numbers, a->n, a->scalar, err);
    case MTM_ARG_TEXT: return set_text(op, p, at, a->text, err);
    case MTM_ARG_INTEGER:
        if (p->type == MTM_PARAM_SEED) {
            *(uint64_t *)at = a->integer;
            return MTM_OK;
        }
        return set_numbers(op, p, at, &(double){(double)(int64_t)a->integer}, 1, true, err);
    case MTM_ARG_ARRAY:
        if (p->type != MTM_PARAM_ARRAY)
            return wrong(op, p, p->type == MTM_PARAM_TEXT ? "text" : "a number or numbers", err);
        *(const mtm_array **)at = a->array;
        return MTM_OK;
    }
    return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s has an unknown kind of value", op->name, p->name);
}

static const mtm_param *find_param(const mtm_op *op, const char *name)
{
    for (int32_t i = 0; i < op->n_params; i++)
        if (!strcmp(op->params[i].name, name))
            return &op->params[i];
    return NULL;
}

static bool is_given(const mtm_param *p, const mtm_arg *given, int32_t n_given)
{
    for (int32_t i = 0; i < n_given; i++)
        if (!strcmp(given[i].name, p->name))
            return true;
    return false;
}

mtm_status mtm_op_args(const mtm_op *op, void *args, const mtm_arg *given, int32_t n_given, mtm_error *err)
{
    uint8_t *const base = args;

    memset(args, 0, op->args_bytes);
    for (int32_t i = 0; i < op->n_params; i++) {
        const mtm_param *const p = &op->params[i];

        if (p->value && strcmp(p->value, "None"))
            MTM_TRY(set_text(op, p, base + p->offset, p->value, err));
        else if (!p->value && !is_given(p, given, n_given))
            return mtm_fail(err, MTM_E_INVAL, -1, "%s: %s must be given", op->name, p->name);
    }
    for (int32_t i = 0; i < n_given; i++) {
        const mtm_param *const p = find_param(op, given[i].name);

        if (!p)
            return mtm_fail(err, MTM_E_INVAL, -1, "%s has no parameter '%.60s'", op->name, given[i].name);
        MTM_TRY(set_given(op, p, base + p->offset, &given[i], err));
    }
    if (op->target && !op->draw)
        MTM_TRY(mtm_error_where(err, mtm_random_check(op, args, err), op->name));
    return op->check ? mtm_error_where(err, op->check(args, err), op->name) : MTM_OK;
}
