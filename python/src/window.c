/* window.c: windows over a volume for microtome.infer: their places, their weights, and the sum of scores.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>

static const char *const kinds[] = {
    [MTM_WINDOW_CONSTANT] = "constant", [MTM_WINDOW_GAUSSIAN] = "gaussian", [MTM_WINDOW_HANN] = "hann"};

static bool find_weights(core_state *st, const char *name, mtm_window_weights *out)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(kinds[i], name)) {
            *out = (mtm_window_weights)i;
            return true;
        }
    return core_fail(st, MTM_E_INVAL, "weights must be constant, gaussian or hann, not '%s'", name);
}

PyDoc_STRVAR(
    window_starts_doc,
    "window_starts(shape, size, overlap, exact)\n--\n\n"
    "The starts (z, y, x) of the windows over a volume, z outermost; each argument has three entries.");
static PyObject *window_starts(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    long long n[3], size[3];
    double overlap[3];
    int exact;
    mtm_windows w;
    mtm_error err;

    if (!PyArg_ParseTuple(args, "(LLL)(LLL)(ddd)p", &n[0], &n[1], &n[2], &size[0], &size[1], &size[2],
                          &overlap[0], &overlap[1], &overlap[2], &exact))
        return NULL;
    const int64_t n64[3] = {n[0], n[1], n[2]}, size64[3] = {size[0], size[1], size[2]};
    if (mtm_window_plan(&w, n64, size64, overlap, exact, &err))
        return core_raise(st, &err);
    const int64_t count = mtm_window_count(&w);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (int64_t i = 0; list && i < count; i++) {
        int64_t at[3];

        mtm_window_start(&w, i, at);
        PyObject *const t = core_shape_tuple(at, 3);
        if (!t || PyList_SetItem(list, (Py_ssize_t)i, t))
            Py_CLEAR(list);
    }
    return list;
}

PyDoc_STRVAR(window_weights_doc,
             "window_weights(size, weights, sigma)\n--\n\nThe weights of a window, [z, y, x] float32.");
static PyObject *window_weights(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_window_weights kind = MTM_WINDOW_CONSTANT;
    mtm_array a = {0};
    mtm_error err;
    long long size[3];
    const char *name;
    double sigma;

    if (!PyArg_ParseTuple(args, "(LLL)sd", &size[0], &size[1], &size[2], &name, &sigma) ||
        !find_weights(st, name, &kind))
        return NULL;
    const int64_t shape[3] = {size[0], size[1], size[2]};
    if (mtm_array_new(&a, MTM_F32, 3, shape, NULL, &err) || mtm_window_weights_fill(&a, kind, sigma, &err)) {
        mtm_array_drop(&a);
        return core_raise(st, &err);
    }
    return core_numpy_take(st, &a);
}

/* ---- the sum ------------------------------------------------------------------------------------------ */

typedef struct SumObject {
    PyObject_HEAD mtm_window_sum *sum;
    PyObject *out_object; /* the caller's result, or NULL */
    core_view out;
    bool busy; /* a thread is inside, without the interpreter's lock */
} SumObject;

static bool enter(SumObject *o)
{
    if (o->busy)
        return core_fail(CORE_STATE((PyObject *)o), MTM_E_CONFLICT,
                         "another thread adds to this sum at the moment");
    return o->busy = true;
}

static PyObject *sum_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    core_state *const st = PyType_GetModuleState(type);
    long long n[3], size[3], classes;
    const char *weights;
    PyObject *out, *steps;
    int argmax, ordered;
    double sigma, overlap[3];
    mtm_windows plan;
    mtm_window_options opt = {.struct_size = sizeof opt};
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "(LLL)L(LLL)sdppOO", &n[0], &n[1], &n[2], &classes, &size[0], &size[1],
                          &size[2], &weights, &sigma, &argmax, &ordered, &out, &steps) ||
        (steps != Py_None && !PyArg_ParseTuple(steps, "ddd", &overlap[0], &overlap[1], &overlap[2])) ||
        !find_weights(st, weights, &opt.weights) || !core_runtime(st))
        return NULL;
    SumObject *const o = PyObject_New(SumObject, type);
    if (!o)
        return NULL;
    memset((char *)o + sizeof(PyObject), 0, sizeof *o - sizeof(PyObject));
    if (out != Py_None && !core_view_get(st, &o->out, out, true, "out")) {
        Py_DECREF(o);
        return NULL;
    }
    o->out_object = out != Py_None ? Py_NewRef(out) : NULL;
    opt.sigma = sigma, opt.argmax = argmax, opt.ordered = ordered;
    opt.pool = st->pool, opt.recycler = st->recycler;
    opt.out = o->out_object ? &o->out.a : NULL;
    const int64_t n64[3] = {n[0], n[1], n[2]}, size64[3] = {size[0], size[1], size[2]};
    opt.plan = steps != Py_None ? &plan : NULL;
    rc = opt.plan ? mtm_window_plan(&plan, n64, size64, overlap, false, &err) : MTM_OK;
    if (!rc) {
        Py_BEGIN_ALLOW_THREADS rc = mtm_window_sum_new(&o->sum, n64, classes, size64, &opt, &err);
        Py_END_ALLOW_THREADS
    }
    if (rc) {
        Py_DECREF(o);
        return core_raise(st, &err);
    }
    return (PyObject *)o;
}

static void sum_dealloc(PyObject *self)
{
    SumObject *const o = (SumObject *)self;
    PyTypeObject *const type = Py_TYPE(self);

    mtm_window_sum_free(o->sum);
    core_view_drop(&o->out);
    Py_XDECREF(o->out_object);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* A list of starts (z, y, x). PyMem_Free the result; NULL: exception set. */
static int64_t (*starts_get(PyObject *list, Py_ssize_t *n))[3]
{
    *n = PyList_Size(list);
    int64_t (*const at)[3] = *n >= 0 ? PyMem_Malloc(((size_t)*n + 1) * sizeof *at) : NULL;

    for (Py_ssize_t i = 0; at && i < *n; i++) {
        long long v[3];

        if (!PyArg_ParseTuple(PyList_GetItem(list, i), "LLL", &v[0], &v[1], &v[2])) {
            PyMem_Free(at);
            return NULL;
        }
        at[i][0] = v[0], at[i][1] = v[1], at[i][2] = v[2];
    }
    return at;
}

PyDoc_STRVAR(
    sum_add_doc,
    "add(starts, scores, done)\n--\n\n"
    "Adds the scores [N, C, z, y, x] of the windows at starts [(z, y, x), …]; planes below done get\n"
    "no window after these.");
static PyObject *sum_add(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    SumObject *const o = (SumObject *)self;
    long long done;
    core_view scores = {0};
    PyObject *list, *object;
    Py_ssize_t n;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "O!OL", &PyList_Type, &list, &object, &done))
        return NULL;
    int64_t (*const at)[3] = starts_get(list, &n);
    if (!at)
        return NULL;
    if (!enter(o)) {
        PyMem_Free(at);
        return NULL;
    }
    if (!core_view_get(st, &scores, object, false, "the scores")) {
        o->busy = false;
        PyMem_Free(at);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS rc = mtm_window_add(o->sum, n, (const int64_t (*)[3])at, &scores.a, done, &err);
    Py_END_ALLOW_THREADS core_view_drop(&scores);
    PyMem_Free(at);
    o->busy = false;
    return rc ? core_raise(st, &err) : Py_NewRef(Py_None);
}

PyDoc_STRVAR(sum_finish_doc, "finish()\n--\n\nThe result: out, or a new array.");
static PyObject *sum_finish(PyObject *self, PyObject *unused)
{
    core_state *const st = CORE_STATE(self);
    SumObject *const o = (SumObject *)self;
    mtm_array a = {0};
    mtm_error err;
    mtm_status rc;

    if (!enter(o))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_window_finish(o->sum, &a, &err);
    Py_END_ALLOW_THREADS o->busy = false;
    if (rc)
        return core_raise(st, &err);
    if (!o->out_object)
        return core_numpy_take(st, &a);
    mtm_array_drop(&a);
    return Py_NewRef(o->out_object);
}

static PyMethodDef sum_methods[] = {
    {"add", sum_add, METH_VARARGS, sum_add_doc}, {"finish", sum_finish, METH_NOARGS, sum_finish_doc}, {0}};
static PyType_Slot sum_slots[] = {
    {Py_tp_doc,
     (void *)"WindowSum(shape, classes, size, weights, sigma, argmax, ordered, out, overlap)\n--\n\n"
             "The weighted mean of windows' scores. overlap (z, y, x): windows come as planned; None: "
             "anywhere."},
    {Py_tp_new, sum_new},
    {Py_tp_dealloc, sum_dealloc},
    {Py_tp_methods, sum_methods},
    {0, NULL}};
static PyType_Spec sum_spec = {.name = "microtome._core.WindowSum",
                               .basicsize = sizeof(SumObject),
                               .flags = Py_TPFLAGS_DEFAULT,
                               .slots = sum_slots};

static PyMethodDef methods[] = {{"window_starts", window_starts, METH_VARARGS, window_starts_doc},
                                {"window_weights", window_weights, METH_VARARGS, window_weights_doc},
                                {0}};

int core_window_add(PyObject *module)
{
    if (core_add_type(module, &sum_spec, &((core_state *)PyModule_GetState(module))->window_sum_type))
        return -1;
    return PyModule_AddFunctions(module, methods);
}
