/* errors.c: the library's errors as Python exceptions; the classes live in microtome/errors.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* exception.name = value; takes the value. */
static bool set_attr(PyObject *e, const char *name, PyObject *value)
{
    const int rc = value ? PyObject_SetAttrString(e, name, value) : -1;

    Py_XDECREF(value);
    return rc == 0;
}

/* "t1.nii.gz: the sentence (byte 348)" */
static PyObject *message(const mtm_error *err)
{
    char tail[40] = "", head[sizeof err->where + 4] = "";

    if (err->offset >= 0)
        snprintf(tail, sizeof tail, " (byte %lld)", (long long)err->offset);
    if (err->where[0])
        snprintf(head, sizeof head, "%s: ", err->where);
    /* File names may hold bytes that are no UTF-8. */
    PyObject *const where = PyUnicode_DecodeUTF8(head, (Py_ssize_t)strlen(head), "replace");
    PyObject *const text = PyUnicode_DecodeUTF8(err->text, (Py_ssize_t)strlen(err->text), "replace");
    PyObject *const m = where && text ? PyUnicode_FromFormat("%U%U%s", where, text, tail) : NULL;

    Py_XDECREF(where);
    Py_XDECREF(text);
    return m;
}

PyObject *core_raise(core_state *st, const mtm_error *err)
{
    PyObject *const code = PyLong_FromLong(err->code);
    PyObject *const cls = code ? PyDict_GetItemWithError(st->classes, code) : NULL;
    PyObject *const text = message(err);
    PyObject *const e = cls && text ? PyObject_CallFunctionObjArgs(cls, text, NULL) : NULL;

    Py_XDECREF(text);
    Py_XDECREF(code);
    if (e && set_attr(e, "offset", PyLong_FromLongLong(err->offset)) &&
        set_attr(
            e, "where",
            PyUnicode_DecodeUTF8(err->where, (Py_ssize_t)strnlen(err->where, sizeof err->where), "replace")))
        PyErr_SetObject(cls, e);
    else if (!PyErr_Occurred())
        PyErr_Format(PyExc_SystemError, "microtome reported the unknown status %d", (int)err->code);
    Py_XDECREF(e);
    return NULL;
}

PyObject *core_fail(core_state *st, mtm_status code, const char *fmt, ...)
{
    mtm_error err = {.code = code, .offset = -1};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.text, sizeof err.text, fmt, ap);
    va_end(ap);
    return core_raise(st, &err);
}

void core_set_error(mtm_error *err, mtm_status code, const char *text)
{
    *err = (mtm_error){.code = code, .offset = -1};
    strncpy(err->text, text, sizeof err->text - 1);
}

const char *core_text(PyObject *s)
{
    Py_ssize_t n;
    const char *const t = PyUnicode_AsUTF8AndSize(s, &n);

    if (t && strlen(t) != (size_t)n) {
        PyErr_SetString(PyExc_ValueError, "text with a NUL character");
        return NULL;
    }
    return t;
}

PyObject *core_path(PyObject *path)
{
    PyObject *bytes = NULL;

    return PyUnicode_FSConverter(path, &bytes) ? bytes : NULL;
}
