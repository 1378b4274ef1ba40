/* args.c: Python values as arguments of an operator. What a value may be is the operator's own declaration's business
 * (mtm_op_args); here it only becomes numbers, text or an array.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>

enum { MAX_NUMBERS = 4096, MAX_DEPTH = 4 };

/* Numbers that grow, out of nested sequences. */
typedef struct numbers {
    double *v;
    Py_ssize_t n;
} numbers;

static bool numbers_add(numbers *a, double x)
{
    if (a->n % 16 == 0) { /* room for the next 16 */
        double *const v = a->n >= MAX_NUMBERS ? NULL : PyMem_Realloc(a->v, (size_t)(a->n + 16) * sizeof *v);
        if (!v) {
            PyErr_Format(PyExc_ValueError, "more than %d numbers in one argument", MAX_NUMBERS);
            return false;
        }
        a->v = v;
    }
    a->v[a->n++] = x;
    return true;
}

static bool is_scalar(PyObject *v)
{
    return PyFloat_Check(v) || PyLong_Check(v) || (!PySequence_Check(v) && PyNumber_Check(v));
}

/* Appends v: a number, None (0: "missing"), or a sequence or array of such. */
static bool numbers_flatten(numbers *a, PyObject *v, int depth, const char *what)
{
    if (v == Py_None && depth > 0)
        return numbers_add(a, 0);
    if (is_scalar(v) && !PyObject_HasAttrString(v, "tolist")) {
        const double x = PyFloat_AsDouble(v);
        return !(x == -1 && PyErr_Occurred()) && numbers_add(a, x);
    }
    if (depth > MAX_DEPTH || PyUnicode_Check(v) || PyBytes_Check(v) || PyDict_Check(v)) {
        PyErr_Format(PyExc_TypeError, "%s must be a number or a sequence of numbers, not %R", what, v);
        return false;
    }
    /* Arrays and array scalars of any library give plain Python numbers by tolist(). */
    PyObject *const plain =
        PyObject_HasAttrString(v, "tolist") ? PyObject_CallMethod(v, "tolist", NULL) : Py_NewRef(v);
    if (!plain)
        return false;
    if (is_scalar(plain)) {
        const double x = PyFloat_AsDouble(plain);
        Py_DECREF(plain);
        return !(x == -1 && PyErr_Occurred()) && numbers_add(a, x);
    }
    PyObject *const t = PySequence_Tuple(plain);
    bool ok = t;

    Py_DECREF(plain);
    for (Py_ssize_t i = 0; ok && i < PyTuple_Size(t); i++)
        ok = numbers_flatten(a, PyTuple_GetItem(t, i), depth + 1, what);
    Py_XDECREF(t);
    return ok;
}

bool core_numbers(PyObject *v, double **out, Py_ssize_t *n, const char *what)
{
    numbers a = {0};

    if (!numbers_flatten(&a, v, 0, what)) {
        PyMem_Free(a.v);
        return false;
    }
    *out = a.v, *n = a.n;
    return true;
}

bool core_matrix(core_state *st, PyObject *v, double out[16], const char *what)
{
    double *m;
    Py_ssize_t n;

    if (!core_numbers(v, &m, &n, what))
        return false;
    if (n == 16)
        memcpy(out, m, 16 * sizeof *m);
    PyMem_Free(m);
    return n == 16 || core_fail(st, MTM_E_INVAL, "%s must be a 4×4 matrix, not %zd numbers", what, n);
}

/* "a,b": a str, or a sequence of them. NULL without an exception: v holds no text. */
static PyObject *joined_text(PyObject *v)
{
    if (PyUnicode_Check(v))
        return Py_NewRef(v);
    if (!PyTuple_Check(v) && !PyList_Check(v))
        return NULL;
    for (Py_ssize_t i = 0, n = PySequence_Size(v); i < n; i++) {
        PyObject *const e = PySequence_GetItem(v, i);
        const bool text = e && PyUnicode_Check(e);
        Py_XDECREF(e);
        if (!text || i > 64)
            return NULL;
    }
    if (!PySequence_Size(v))
        return NULL;
    PyObject *const comma = PyUnicode_FromString(",");
    PyObject *const s = comma ? PyUnicode_Join(comma, v) : NULL;

    Py_XDECREF(comma);
    return s;
}

static const mtm_param *find_param(const mtm_op *op, const char *name)
{
    for (int32_t i = 0; i < op->n_params; i++)
        if (!strcmp(op->params[i].name, name))
            return &op->params[i];
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected argument '%s'", op->name, name);
    return NULL;
}

/* Seeds are exact 64-bit integers. */
static bool integer_arg(core_state *st, mtm_arg *a, PyObject *v)
{
    PyObject *const i = PyNumber_Index(v);

    if (!i)
        return false;
    a->kind = MTM_ARG_INTEGER;
    a->integer = PyLong_AsUnsignedLongLong(i);
    if (PyErr_Occurred()) { /* negative: two's complement */
        PyErr_Clear();
        a->integer = (uint64_t)PyLong_AsLongLong(i);
    }
    Py_DECREF(i);
    if (!PyErr_Occurred())
        return true;
    PyErr_Clear();
    return core_fail(st, MTM_E_INVAL, "%s needs more than 64 bits", a->name);
}

static bool value_arg(core_state *st, core_args *g, int32_t i, const mtm_param *p, PyObject *v)
{
    mtm_arg *const a = &g->at[i];

    if (v == Py_None) {
        a->kind = MTM_ARG_NONE;
        return true;
    }
    if (p->type == MTM_PARAM_ARRAY) {
        a->kind = MTM_ARG_ARRAY, a->array = &g->views[i].a;
        return core_view_get(st, &g->views[i], v, false, p->name);
    }
    if (p->type == MTM_PARAM_SEED)
        return integer_arg(st, a, v);
    PyObject *const text = joined_text(v);
    if (text) {
        a->kind = MTM_ARG_TEXT, a->text = core_text(text);
        const bool ok = a->text && !PyList_Append(g->keep, text);
        Py_DECREF(text);
        return ok;
    }
    Py_ssize_t n = 0;
    if (PyErr_Occurred() || !core_numbers(v, &g->numbers[i], &n, p->name))
        return false;
    a->kind = MTM_ARG_NUMBERS, a->numbers = g->numbers[i], a->n = (int32_t)n;
    a->scalar = is_scalar(v);
    return true;
}

bool core_args_get(core_state *st, core_args *g, const mtm_op *op, PyObject *values)
{
    const Py_ssize_t n = PyDict_Size(values);
    PyObject *key, *v;
    Py_ssize_t at = 0;

    if (n < 0)
        return false;
    g->at = PyMem_Calloc((size_t)n + 1, sizeof *g->at);
    g->numbers = PyMem_Calloc((size_t)n + 1, sizeof *g->numbers);
    g->views = PyMem_Calloc((size_t)n + 1, sizeof *g->views);
    g->keep = PyList_New(0);
    if (!g->at || !g->numbers || !g->views || !g->keep)
        return PyErr_NoMemory();
    while (PyDict_Next(values, &at, &key, &v)) {
        const int32_t i = g->n++;
        const char *const name = core_text(key);
        const mtm_param *const p = name ? find_param(op, name) : NULL;

        if (!p)
            return false;
        g->at[i].name = p->name;
        if (!value_arg(st, g, i, p, v))
            return false;
    }
    return true;
}

void core_args_drop(core_args *g)
{
    for (int32_t i = 0; i < g->n; i++) {
        PyMem_Free(g->numbers[i]);
        core_view_drop(&g->views[i]);
    }
    PyMem_Free(g->at);
    PyMem_Free(g->numbers);
    PyMem_Free(g->views);
    Py_XDECREF(g->keep);
    *g = (core_args){0};
}
