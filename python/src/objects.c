/* objects.c: components of label maps and boxes of objects for Python; microtome/objects.py gives them their signatures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>

PyDoc_STRVAR(components_doc,
             "connected_components(label, full, by_class, background, out)\n--\n\nThe numbered components "
             "(int32) and how many there are.");
static PyObject *components(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    core_view in = {0}, out = {0};
    mtm_array made = {0};
    PyObject *label, *into, *result = NULL;
    int full, by_class;
    long long background;
    int64_t count = 0;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OppLO", &label, &full, &by_class, &background, &into) || !core_runtime(st) ||
        !core_view_get(st, &in, label, false, "the label map"))
        return NULL;
    if (into != Py_None && !core_view_get(st, &out, into, true, "out")) {
        core_view_drop(&in);
        return NULL;
    }
    if (out.held)
        made = out.a;
    Py_BEGIN_ALLOW_THREADS rc = mtm_connected_components(&made, &in.a, full ? MTM_FULL : MTM_FACES, by_class,
                                                         background, st->recycler, &count, &err);
    Py_END_ALLOW_THREADS if (rc) core_raise(st, &err);
    else result = out.held ? Py_NewRef(into) : core_numpy_take(st, &made);
    core_view_drop(&in);
    core_view_drop(&out);
    return result ? Py_BuildValue("(NL)", result, (long long)count) : NULL;
}

/* A label map's object table; NULL: exception set. */
static mtm_object_table *table_of(core_state *st, core_view *label, int64_t background)
{
    mtm_object_table *t = NULL;
    mtm_error err;
    mtm_status rc;

    Py_BEGIN_ALLOW_THREADS rc = mtm_object_table_new(&t, &label->a, background, &err);
    Py_END_ALLOW_THREADS if (!rc) return t;
    core_raise(st, &err);
    return NULL;
}

PyObject *core_object_boxes(core_state *st, const mtm_object_table *t)
{
    const int64_t shape[3] = {t->n, 2, t->ndim}, nd = t->ndim;
    mtm_array box = {0}, class_of = {0};
    PyObject *first, *second;
    mtm_error err;

    if (mtm_array_new(&box, MTM_I64, 3, shape, NULL, &err) ||
        mtm_array_new(&class_of, MTM_I64, 1, shape, NULL, &err)) {
        mtm_array_drop(&box);
        return core_raise(st, &err);
    }
    int64_t *const at = box.data;
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t a = 0; a < nd; a++) {
            at[2 * nd * i + a] = t->start[nd * i + a];
            at[2 * nd * i + nd + a] = t->start[nd * i + a] + t->size[nd * i + a];
        }
    if (t->n)
        memcpy(class_of.data, t->class_of, (size_t)t->n * sizeof *t->class_of);
    first = core_numpy_take(st, &box);
    second = core_numpy_take(st, &class_of);
    if (first && second)
        return Py_BuildValue("(NN)", first, second);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return NULL;
}

PyDoc_STRVAR(boxes_doc,
             "object_boxes(label, background)\n--\n\nBoxes [N, 2, ndim] (start, end) and classes [N].");
static PyObject *boxes(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    core_view in = {0};
    PyObject *label, *out;
    long long background;

    if (!PyArg_ParseTuple(args, "OL", &label, &background) ||
        !core_view_get(st, &in, label, false, "the label map"))
        return NULL;
    mtm_object_table *const t = table_of(st, &in, background);
    core_view_drop(&in);
    out = t ? core_object_boxes(st, t) : NULL;
    mtm_object_table_free(t);
    return out;
}

/* Up to room integers of a sequence; *n: how many. */
static bool integers(core_state *st, PyObject *v, int64_t *out, int32_t room, int32_t *n, const char *what)
{
    const Py_ssize_t size = PySequence_Size(v);

    if (size < 0)
        return false;
    if (size > room)
        return core_fail(st, MTM_E_INVAL, "%s has %d numbers; at most %d are possible", what, (int)size,
                         (int)room);
    for (Py_ssize_t i = 0; i < size; i++) {
        PyObject *const item = PySequence_GetItem(v, i);
        out[i] = item ? PyLong_AsLongLong(item) : -1;
        Py_XDECREF(item);
        if (out[i] == -1 && PyErr_Occurred())
            return false;
    }
    *n = (int32_t)size;
    return true;
}

/* Object options from (foreground_prob, classes, class_weights, k_largest, threshold, background or None, ignore_class). */
static bool options(core_state *st, PyObject *args, mtm_object_options *o, int32_t *n_threshold)
{
    PyObject *classes, *weights, *threshold, *background;
    long long k_largest;
    double *numbers = NULL;
    Py_ssize_t n = 0;
    int ignore_class;
    mtm_error err;

    *o = mtm_object_options_default();
    if (!PyArg_ParseTuple(args, "dOOLOOp", &o->foreground_prob, &classes, &weights, &k_largest, &threshold,
                          &background, &ignore_class) ||
        !integers(st, classes, o->classes, MTM_OBJECT_CLASSES, &o->n_classes, "classes") ||
        !integers(st, threshold, o->threshold, MTM_MAX_DIMS, n_threshold, "threshold") ||
        !core_numbers(weights, &numbers, &n, "class_weights"))
        return false;
    if (n > MTM_OBJECT_CLASSES) {
        PyMem_Free(numbers);
        return core_fail(st, MTM_E_INVAL, "class_weights has %d numbers; at most %d are possible", (int)n,
                         MTM_OBJECT_CLASSES);
    }
    if (n)
        memcpy(o->class_weights, numbers, (size_t)n * sizeof *numbers);
    PyMem_Free(numbers);
    o->n_weights = (int32_t)n, o->k_largest = k_largest, o->ignore_class = ignore_class;
    o->has_background = background != Py_None;
    if (o->has_background) {
        o->background = PyLong_AsLongLong(background);
        if (o->background == -1 && PyErr_Occurred())
            return false;
    }
    return !mtm_object_options_check(o, &err) || core_raise(st, &err);
}

PyDoc_STRVAR(draw_doc,
             "object_draw(label, options, seed)\n--\n\n(start, size, class) of a drawn object's box.");
static PyObject *draw(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    core_view in = {0};
    PyObject *label, *given;
    unsigned long long seed;
    mtm_object_options o;
    mtm_object_table *t = NULL;
    int32_t n = 0;
    int64_t class_of;
    mtm_box box;
    mtm_error err;
    mtm_status rc = MTM_OK;

    if (!PyArg_ParseTuple(args, "OO!K", &label, &PyTuple_Type, &given, &seed) ||
        !options(st, given, &o, &n) || !core_view_get(st, &in, label, false, "the label map"))
        return NULL;
    for (int32_t i = 1; n == 1 && i < MTM_MAX_DIMS; i++)
        o.threshold[i] = o.threshold[0];
    if (n > 1 && n != in.a.ndim)
        core_fail(st, MTM_E_INVAL, "threshold has %d numbers; 1 or %d are wanted", (int)n, (int)in.a.ndim);
    else
        t = table_of(st, &in, mtm_object_background(&o));
    if (t)
        rc = mtm_object_draw(t, in.a.shape, &o, seed, &box, &class_of, &err);
    core_view_drop(&in);
    mtm_object_table_free(t);
    if (!t || rc)
        return t ? core_raise(st, &err) : NULL;
    return Py_BuildValue("(NNL)", core_shape_tuple(box.start, box.ndim), core_shape_tuple(box.size, box.ndim),
                         (long long)class_of);
}

static PyMethodDef methods[] = {{"connected_components", components, METH_VARARGS, components_doc},
                                {"object_boxes", boxes, METH_VARARGS, boxes_doc},
                                {"object_draw", draw, METH_VARARGS, draw_doc},
                                {0}};

int core_objects_add(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
