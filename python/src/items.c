/* items.c: Python's items (dicts of named fields) as the library's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>

static core_view *view_add(core_items *g)
{
    core_view *const v = PyMem_Calloc(1, sizeof *v);
    core_view **const more = v ? PyMem_Realloc(g->views, (size_t)(g->n_views + 1) * sizeof *more) : NULL;

    if (!more) {
        PyMem_Free(v);
        return (core_view *)PyErr_NoMemory();
    }
    g->views = more;
    return g->views[g->n_views++] = v;
}

static bool number_field(mtm_field *f, PyObject *v)
{
    PyObject *const i = PyIndex_Check(v) ? PyNumber_Index(v) : NULL;

    PyErr_Clear();
    f->kind = MTM_FIELD_NUMBER;
    f->integer = i != NULL;
    f->number = PyFloat_AsDouble(i ? i : v);
    if (i && (PyErr_Occurred() || !(f->number >= -0x1p53 && f->number <= 0x1p53)))
        PyErr_Format(PyExc_ValueError, "field '%s': integers beyond 2^53 are not exact; give %S as text",
                     f->name, i);
    Py_XDECREF(i);
    return !PyErr_Occurred();
}

static bool uri_field(core_items *g, mtm_field *f, PyObject *v)
{
    PyObject *const path = core_path(v);

    if (!path)
        return false;
    const bool ok = !PyList_Append(g->keep, path);
    f->kind = MTM_FIELD_IMAGE, f->uri = PyBytes_AsString(path);
    Py_DECREF(path);
    return ok;
}

static bool is_path(PyObject *v)
{
    return PyUnicode_Check(v) || PyObject_HasAttrString(v, "__fspath__");
}

/* A list or tuple of nothing but paths: one picture in several files. */
static bool is_path_list(PyObject *v)
{
    const Py_ssize_t n = PyList_Check(v) || PyTuple_Check(v) ? PySequence_Size(v) : 0;

    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *const path = PySequence_GetItem(v, i);
        const bool is = path && is_path(path);

        Py_XDECREF(path);
        if (!is)
            return false;
    }
    return n > 0;
}

static bool uris_field(core_items *g, mtm_field *f, PyObject *v)
{
    const Py_ssize_t n = PySequence_Size(v);
    PyObject *const memory = PyBytes_FromStringAndSize(NULL, n * (Py_ssize_t)sizeof(char *));
    bool ok = memory && !PyList_Append(g->keep, memory);
    const char **const uris = ok ? (const char **)(void *)PyBytes_AsString(memory) : NULL;

    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *const value = PySequence_GetItem(v, i), *const path = value ? core_path(value) : NULL;

        ok = path && !PyList_Append(g->keep, path);
        uris[i] = ok ? PyBytes_AsString(path) : NULL;
        Py_XDECREF(path);
        Py_XDECREF(value);
    }
    f->kind = MTM_FIELD_IMAGE, f->uris = uris, f->n_uris = n;
    Py_XDECREF(memory);
    return ok;
}

/* How many axes an array-like has; −1: it is none. */
static int axes_of(PyObject *v)
{
    Py_buffer b;

    if (PyBytes_Check(v) || PyByteArray_Check(v) || PyType_Check(v))
        return -1;
    if (PyObject_CheckBuffer(v) && !PyObject_GetBuffer(v, &b, PyBUF_STRIDED_RO)) {
        const int n = b.ndim;
        PyBuffer_Release(&b);
        return n;
    }
    PyErr_Clear();
    if (!PyObject_HasAttrString(v, "__array__") || !PyObject_HasAttrString(v, "ndim"))
        return -1;
    PyObject *const n = PyObject_GetAttrString(v, "ndim");
    const long axes = n ? PyLong_AsLong(n) : -1;
    Py_XDECREF(n);
    PyErr_Clear();
    return (int)axes;
}

static bool value_field(core_state *st, core_items *g, mtm_field *f, PyObject *v, bool uri)
{
    f->kind = MTM_FIELD_OTHER;
    if (PyUnicode_Check(v))
        return !uri || uri_field(g, f, v);
    if (PyLong_Check(v) || PyFloat_Check(v))
        return number_field(f, v);
    if (PyObject_HasAttrString(v, "__fspath__"))
        return uri_field(g, f, v);
    if (uri && is_path_list(v))
        return uris_field(g, f, v);
    const int axes = axes_of(v);
    if (axes == 0 && PyNumber_Check(v) && number_field(f, v))
        return true;
    PyErr_Clear();
    if (axes < 2 || axes > 4) {
        f->kind = MTM_FIELD_OTHER;
        return true;
    }
    core_view *const view = view_add(g);
    if (!view || !core_view_get(st, view, v, false, f->name))
        return false;
    f->kind = MTM_FIELD_ARRAY, f->array = view->a;
    return true;
}

static bool item_fields(core_state *st, core_items *g, Py_ssize_t i, PyObject *item, PyObject *names,
                        PyObject *uris)
{
    mtm_field *const fields = g->fields + i * g->n_fields;

    for (Py_ssize_t k = 0; k < g->n_fields; k++) {
        PyObject *const name = PyTuple_GetItem(names, k), *const uri = PyTuple_GetItem(uris, k);
        PyObject *const v = name && uri ? PyObject_GetItem(item, name) : NULL;
        fields[k].name = v ? core_text(name) : NULL;
        const bool ok = fields[k].name && value_field(st, g, &fields[k], v, uri == Py_True);
        Py_XDECREF(v); /* the caller's items keep what is pointed into */
        if (!ok)
            return false;
    }
    g->items[i] = (mtm_item){.fields = fields, .n_fields = (int32_t)g->n_fields};
    return true;
}

bool core_items_get(core_state *st, core_items *g, PyObject *items, PyObject *names, PyObject *uris)
{
    g->n = PyList_Size(items), g->n_fields = PyTuple_Size(names);
    if (g->n < 0 || g->n_fields < 0)
        return false;
    g->items = PyMem_Calloc((size_t)g->n + 1, sizeof *g->items);
    g->fields = PyMem_Calloc((size_t)(g->n * g->n_fields) + 1, sizeof *g->fields);
    g->keep = PyList_New(0);
    if (!g->items || !g->fields || !g->keep)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < g->n; i++)
        if (!item_fields(st, g, i, PyList_GetItem(items, i), names, uris))
            return false;
    return true;
}

void core_items_shrink(core_items *g)
{
    PyMem_Free(g->items);
    PyMem_Free(g->fields);
    Py_CLEAR(g->keep);
    g->items = NULL, g->fields = NULL;
}

void core_items_drop(core_items *g)
{
    core_items_shrink(g);
    for (Py_ssize_t i = 0; i < g->n_views; i++) {
        core_view_drop(g->views[i]);
        PyMem_Free(g->views[i]);
    }
    PyMem_Free(g->views);
    *g = (core_items){0};
}
