/* chain.c: the type Chain: operators and Python functions over samples.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FAILURES = 16, COMPARED = 100 };

/* A Python function in a chain; lives as long as the chain. */
typedef struct apply_user {
    Py_ssize_t number;  /* in the chain's functions */
    ChainObject *chain; /* borrowed */
    core_state *st;
} apply_user;

/* ---- Python functions --------------------------------------------------------------------------------- */

/* The pending exception becomes err's text, and is kept to be the cause of what will be raised for err. */
static mtm_status keep_exception(ChainObject *chain, mtm_error *err)
{
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace)
        PyException_SetTraceback(value, trace);
    PyObject *const name = PyObject_GetAttrString(type, "__name__");
    PyObject *const s = name ? PyUnicode_FromFormat("%U: %S", name, value) : NULL;
    PyObject *const pair = s ? PyTuple_Pack(2, s, value) : NULL;
    const char *const text = s ? core_text(s) : NULL;

    core_set_error(err, MTM_E_INVAL, text ? text : "the function failed");
    if (pair && !PyList_Append(chain->failures, pair) && PyList_Size(chain->failures) > MAX_FAILURES)
        PyList_SetSlice(chain->failures, 0, 1, NULL);
    PyErr_Clear();
    Py_XDECREF(pair);
    Py_XDECREF(s);
    Py_XDECREF(name);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return MTM_E_INVAL;
}

bool core_chain_runs_here(ChainObject *chain)
{
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace); /* objects are dropped while exceptions are on their way */
    PyObject *const me = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    const int found = me ? PySequence_Contains(chain->running, me) : 0;

    Py_XDECREF(me);
    PyErr_Clear();
    PyErr_Restore(type, value, trace);
    return found > 0;
}

/* fn(given), noted while it runs. */
static PyObject *call_noted(ChainObject *chain, PyObject *fn, PyObject *given)
{
    PyObject *const me = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    PyObject *const result =
        me && !PyList_Append(chain->running, me) ? PyObject_CallFunctionObjArgs(fn, given, NULL) : NULL;
    PyObject *type, *value, *trace;

    PyErr_Fetch(&type, &value, &trace);
    const Py_ssize_t at = me ? PySequence_Index(chain->running, me) : -1;
    if (at >= 0)
        PyList_SetSlice(chain->running, at, at + 1, NULL);
    PyErr_Clear();
    PyErr_Restore(type, value, trace);
    Py_XDECREF(me);
    return result;
}

/* The lock is held. Takes `in`. */
static bool call_function(apply_user *u, mtm_array *in, mtm_array *out)
{
    const int32_t ndim = in->ndim;
    core_view v = {0};
    PyObject *const given = core_numpy_take(u->st, in);
    PyObject *const fn =
        u->chain->functions ? Py_XNewRef(PyList_GetItem(u->chain->functions, u->number)) : NULL;
    PyObject *const result = given && fn ? call_noted(u->chain, fn, given) : NULL;
    bool ok = false;

    if (!fn && !PyErr_Occurred())
        core_fail(u->st, MTM_E_CANCELLED, "the chain is being collected");

    if (result == Py_None)
        core_fail(u->st, MTM_E_INVAL, "the function returned None instead of an array");
    else if (result && core_view_get(u->st, &v, result, false, "the function's result")) {
        if (v.a.ndim == ndim)
            ok = core_view_own(u->st, &v, out);
        else
            core_fail(u->st, MTM_E_INVAL, "the function returned %d axes; [C, Z, Y, X] is wanted", v.a.ndim);
    }
    core_view_drop(&v);
    Py_XDECREF(result);
    Py_XDECREF(fn);
    Py_XDECREF(given);
    return ok;
}

/* An mtm_apply_fn. The function gets a copy, which it may keep: the library's memory is reused. */
static mtm_status apply_call(void *user, const mtm_array *in, mtm_array *out, mtm_error *err)
{
    apply_user *const u = user;
    mtm_array copy = {0};
    mtm_status rc = mtm_array_new(&copy, in->dtype, in->ndim, in->shape, u->st->recycler, err);

    if (!rc)
        rc = mtm_array_convert(&copy, in, 1, 0, NULL, err);
    if (rc) {
        mtm_array_drop(&copy);
        return rc;
    }
    const PyGILState_STATE g = PyGILState_Ensure();
    if (!call_function(u, &copy, out))
        rc = keep_exception(u->chain, err);
    PyGILState_Release(g);
    return rc;
}

static void apply_release(void *user)
{
    const PyGILState_STATE g = PyGILState_Ensure();

    PyMem_Free(user);
    PyGILState_Release(g);
}

/* The exception of a function in the chain that err tells of, or NULL; borrowed. Several workers may have failed. */
static PyObject *failure_of(ChainObject *chain, const mtm_error *err)
{
    for (Py_ssize_t i = PyList_Size(chain->failures); i-- > 0;) {
        PyObject *const pair = PyList_GetItem(chain->failures, i);
        char head[COMPARED] = "";
        const char *const text = core_text(PyTuple_GetItem(pair, 0));

        strncpy(head, text ? text : "",
                sizeof head - 1); /* the library may have put a name before it, and shortened it */
        if (head[0] && strstr(err->text, head))
            return PyTuple_GetItem(pair, 1);
    }
    PyErr_Clear();
    return NULL;
}

PyObject *core_raise_from(core_state *st, const mtm_error *err, ChainObject *chain)
{
    PyObject *const cause = chain ? failure_of(chain, err) : NULL;
    PyObject *type, *value, *trace;

    core_raise(st, err);
    if (!cause)
        return NULL;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyException_SetCause(value, Py_NewRef(cause));
    PyErr_Restore(type, value, trace);
    PyList_SetSlice(chain->failures, 0, PyList_Size(chain->failures), NULL);
    return NULL;
}

/* ---- the type ----------------------------------------------------------------------------------------- */

/* A tuple of str as C strings into out[room]; −1: exception set. */
static int32_t names_get(PyObject *names, const char **out, int32_t room)
{
    const Py_ssize_t n = PyTuple_Size(names);

    if (n < 0)
        return -1;
    if (n > room) {
        PyErr_Format(PyExc_ValueError, "at most %d field names", (int)room);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        out[i] = core_text(PyTuple_GetItem(names, i));
        if (!out[i])
            return -1;
    }
    return (int32_t)n;
}

enum { MAX_NAMES = 64 };

static PyObject *chain_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"labels", "points", NULL};
    core_state *const st = PyType_GetModuleState(type);
    const char *names[MAX_NAMES], *point_names[MAX_NAMES];
    PyObject *labels, *points;
    mtm_chain *c = NULL;
    mtm_error err;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!", keywords, &PyTuple_Type, &labels, &PyTuple_Type,
                                     &points) ||
        !core_runtime(st))
        return NULL;
    const int32_t n = names_get(labels, names, MAX_NAMES);
    const int32_t n_points = n < 0 ? -1 : names_get(points, point_names, MAX_NAMES);
    if (n_points < 0)
        return NULL;
    if (mtm_chain_new(&c, &err))
        return core_raise(st, &err);
    if (mtm_chain_set_labels(c, names, n, &err) || mtm_chain_set_points(c, point_names, n_points, &err)) {
        mtm_chain_free(c);
        return core_raise(st, &err);
    }
    ChainObject *const o = (ChainObject *)PyType_GenericAlloc(type, 0);
    if (!o) {
        mtm_chain_free(c);
        return NULL;
    }
    o->chain = c, o->functions = PyList_New(0), o->failures = PyList_New(0);
    o->running = PyList_New(0);
    if (o->functions && o->failures && o->running)
        return (PyObject *)o;
    Py_DECREF((PyObject *)o);
    return NULL;
}

/* A function may refer to the chain, or to the loader that it runs in. */
static int chain_traverse(PyObject *self, visitproc visit, void *arg)
{
    ChainObject *const o = (ChainObject *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(o->functions);
    Py_VISIT(o->failures);
    return 0;
}

static int chain_clear(PyObject *self)
{
    ChainObject *const o = (ChainObject *)self;

    Py_CLEAR(o->functions);
    if (o->failures)
        PyList_SetSlice(o->failures, 0, PyList_Size(o->failures), NULL);
    return 0;
}

static void chain_dealloc(PyObject *self)
{
    ChainObject *const o = (ChainObject *)self;
    PyTypeObject *const type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    mtm_chain_free(o->chain);
    Py_XDECREF(o->functions);
    Py_XDECREF(o->failures);
    Py_XDECREF(o->running);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/* Array arguments must outlive the chain: it takes references, so they get an owner. */
static bool own_arrays(core_state *st, core_args *g)
{
    for (int32_t i = 0; i < g->n; i++)
        if (g->at[i].kind == MTM_ARG_ARRAY && !core_view_own(st, &g->views[i], &g->views[i].a))
            return false;
    return true;
}

static void drop_owned(core_args *g)
{
    for (int32_t i = 0; i < g->n; i++)
        if (g->at[i].kind == MTM_ARG_ARRAY)
            mtm_array_drop(&g->views[i].a);
}

PyDoc_STRVAR(chain_add_doc, "add(op, fields, params)\n--\n\nAppends an operator.");
static PyObject *chain_add(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    const char *name, *names[MAX_NAMES];
    PyObject *fields, *params;
    core_args g = {0};
    mtm_error err;

    if (!PyArg_ParseTuple(args, "sO!O!", &name, &PyTuple_Type, &fields, &PyDict_Type, &params))
        return NULL;
    const mtm_op *const op = mtm_op_find(name);
    if (!op)
        return core_fail(st, MTM_E_NOTFOUND, "no operator is called '%s'", name);
    const int32_t n = names_get(fields, names, MAX_NAMES);
    bool ok = n >= 0 && core_args_get(st, &g, op, params) && own_arrays(st, &g);
    if (ok && mtm_chain_add(((ChainObject *)self)->chain, name, names, n, g.at, g.n, &err)) {
        core_raise(st, &err);
        ok = false;
    }
    drop_owned(&g);
    core_args_drop(&g);
    return ok ? Py_NewRef(Py_None) : NULL;
}

PyDoc_STRVAR(chain_apply_doc, "add_apply(fn, fields)\n--\n\nAppends a Python function.");
static PyObject *chain_add_apply(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    ChainObject *const o = (ChainObject *)self;
    const char *names[MAX_NAMES];
    PyObject *fn, *fields;
    mtm_error err;

    if (!PyArg_ParseTuple(args, "OO!", &fn, &PyTuple_Type, &fields))
        return NULL;
    const int32_t n = names_get(fields, names, MAX_NAMES);
    apply_user *const u = n < 0 ? NULL : PyMem_Malloc(sizeof *u);
    if (!u)
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    *u = (apply_user){.number = PyList_Size(o->functions), .chain = o, .st = st};
    if (PyList_Append(o->functions, fn)) {
        PyMem_Free(u);
        return NULL;
    }
    if (mtm_chain_add_apply(o->chain, apply_call, u, apply_release, names, n, &err))
        return core_raise(st, &err);
    Py_RETURN_NONE;
}

/* ---- one sample --------------------------------------------------------------------------------------- */

typedef struct sample_call {
    core_items items;
    mtm_array *out;
    double *affines;
    mtm_index *index;
    mtm_draws *draws;
    unsigned long long seed;
    long long epoch, number;
} sample_call;

static bool item_get(core_state *st, sample_call *c, PyObject *items, PyObject *names, PyObject *uris,
                     PyObject *index)
{
    if (PyList_Size(items) != 1 || (index != Py_None && Py_TYPE(index) != st->index_type)) {
        PyErr_SetString(PyExc_TypeError, "one item, and an Index or None");
        return false;
    }
    c->index = index == Py_None ? NULL : ((IndexObject *)index)->index;
    return core_items_get(st, &c->items, items, names, uris);
}

static bool sample_get(core_state *st, sample_call *c, PyObject *args)
{
    PyObject *items, *names, *uris, *index;

    return PyArg_ParseTuple(args, "O!O!O!OKLL", &PyList_Type, &items, &PyTuple_Type, &names, &PyTuple_Type,
                            &uris, &index, &c->seed, &c->epoch, &c->number) &&
           item_get(st, c, items, names, uris, index);
}

static void sample_drop(sample_call *c)
{
    mtm_draws_free(c->draws);
    for (Py_ssize_t i = 0; c->out && i < c->items.n_fields; i++)
        mtm_array_drop(&c->out[i]);
    PyMem_Free(c->out);
    PyMem_Free(c->affines);
    core_items_drop(&c->items);
}

/* (array or None, affine as 16 numbers) per field. */
static PyObject *sample_result(core_state *st, sample_call *c)
{
    const mtm_field *const fields = c->items.fields;
    PyObject *const list = PyList_New(c->items.n_fields);

    for (Py_ssize_t i = 0; list && i < c->items.n_fields; i++) {
        const bool picture = c->out[i].ndim && c->out[i].data && fields[i].kind != MTM_FIELD_NUMBER;
        PyObject *const a = picture ? core_numpy_take(st, &c->out[i]) : Py_NewRef(Py_None);
        PyObject *const m = picture && a ? core_double_tuple(c->affines + 16 * i, 16) : Py_NewRef(Py_None);
        PyObject *const pair = a && m ? PyTuple_Pack(2, a, m) : NULL;

        Py_XDECREF(a);
        Py_XDECREF(m);
        if (!pair || PyList_SetItem(list, i, pair)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

PyDoc_STRVAR(chain_run_doc,
             "run([item], names, uris, index, seed, epoch, sample)\n--\n\nOne sample, eagerly.");
static PyObject *chain_run(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    ChainObject *const o = (ChainObject *)self;
    sample_call c = {0};
    PyObject *result = NULL;
    mtm_exec *x = NULL;
    mtm_error err;
    mtm_status rc;

    if (sample_get(st, &c, args)) {
        c.out = PyMem_Calloc((size_t)c.items.n_fields + 1, sizeof *c.out);
        c.affines = PyMem_Calloc((size_t)c.items.n_fields + 1, 16 * sizeof *c.affines);
        x = c.out && c.affines ? core_exec_take(st) : (mtm_exec *)PyErr_NoMemory();
    }
    if (x) {
        Py_BEGIN_ALLOW_THREADS rc = mtm_chain_run(o->chain, x, c.items.items, c.index, c.seed, c.epoch,
                                                  c.number, c.out, c.affines, &err);
        Py_END_ALLOW_THREADS core_exec_give(st, x);
        result = rc ? core_raise_from(st, &err, o) : sample_result(st, &c);
    }
    sample_drop(&c);
    return result;
}

PyDoc_STRVAR(chain_draw_doc,
             "draw([item], names, uris, index, seed, epoch, sample)\n--\n\nWhat would be drawn, as JSON.");
static PyObject *chain_draw(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    ChainObject *const o = (ChainObject *)self;
    sample_call c = {0};
    PyObject *result = NULL;
    char *json = NULL;
    mtm_error err;
    mtm_status rc;

    if (sample_get(st, &c, args)) {
        Py_BEGIN_ALLOW_THREADS rc =
            mtm_chain_draw(o->chain, c.items.items, c.index, c.seed, c.epoch, c.number, &json, &err);
        Py_END_ALLOW_THREADS result = rc ? core_raise_from(st, &err, o) : PyUnicode_FromString(json);
        if (!rc)
            free(json);
    }
    sample_drop(&c);
    return result;
}

/* ---- what was drawn, from Python ---------------------------------------------------------------------- */

/* One draw: (name of the operator, {parameter: value}). */
static bool draw_set(core_state *st, mtm_draws *d, Py_ssize_t step, Py_ssize_t channel, Py_ssize_t n_channels,
                     PyObject *pair)
{
    core_args g = {0};
    const char *name;
    PyObject *params;
    mtm_error err;

    if (!PyArg_ParseTuple(pair, "sO!", &name, &PyDict_Type, &params))
        return false;
    const mtm_op *const op = mtm_op_find(name);
    if (!op)
        return core_fail(st, MTM_E_NOTFOUND, "no operator is called '%s'", name);
    bool ok = core_args_get(st, &g, op, params);
    if (ok && mtm_draws_set(d, (int32_t)step, channel, n_channels, name, g.at, g.n, &err)) {
        core_raise(st, &err);
        ok = false;
    }
    core_args_drop(&g);
    return ok;
}

static bool draw_set_channels(core_state *st, mtm_draws *d, Py_ssize_t step, PyObject *list)
{
    const Py_ssize_t n = PyList_Size(list);

    for (Py_ssize_t c = 0; c < n; c++) {
        PyObject *const pair = PyList_GetItem(list, c);

        if (pair != Py_None && !draw_set(st, d, step, c, n, pair))
            return false;
    }
    return true;
}

/* A list with a draw, None, or a list of those per step. */
static bool draws_get(core_state *st, sample_call *c, const mtm_chain *chain, PyObject *list)
{
    mtm_error err;

    if (mtm_draws_new(&c->draws, chain, &err))
        return core_raise(st, &err);
    for (Py_ssize_t i = 0, n = PyList_Size(list); i < n; i++) {
        PyObject *const one = PyList_GetItem(list, i);
        const bool ok = one == Py_None      ? true
                        : PyList_Check(one) ? draw_set_channels(st, c->draws, i, one)
                                            : draw_set(st, c->draws, i, -1, 0, one);

        if (!ok)
            return false;
    }
    return true;
}

PyDoc_STRVAR(chain_replay_doc,
             "replay([item], names, uris, index, draws)\n--\n\nOne sample as it was drawn before.");
static PyObject *chain_replay(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    ChainObject *const o = (ChainObject *)self;
    sample_call c = {0};
    PyObject *items, *names, *uris, *index, *draws, *result = NULL;
    mtm_exec *x = NULL;
    mtm_error err;
    mtm_status rc;

    if (PyArg_ParseTuple(args, "O!O!O!OO!", &PyList_Type, &items, &PyTuple_Type, &names, &PyTuple_Type, &uris,
                         &index, &PyList_Type, &draws) &&
        item_get(st, &c, items, names, uris, index) && draws_get(st, &c, o->chain, draws)) {
        c.out = PyMem_Calloc((size_t)c.items.n_fields + 1, sizeof *c.out);
        c.affines = PyMem_Calloc((size_t)c.items.n_fields + 1, 16 * sizeof *c.affines);
        x = c.out && c.affines ? core_exec_take(st) : (mtm_exec *)PyErr_NoMemory();
    }
    if (x) {
        Py_BEGIN_ALLOW_THREADS rc =
            mtm_chain_replay(o->chain, x, c.items.items, c.index, c.draws, c.out, c.affines, &err);
        Py_END_ALLOW_THREADS core_exec_give(st, x);
        result = rc ? core_raise_from(st, &err, o) : sample_result(st, &c);
    }
    sample_drop(&c);
    return result;
}

PyDoc_STRVAR(chain_invert_doc,
             "invert([item], names, uris, index, draws, field, interp, value, array)\n--\n\n"
             "An array on the chain's grid back to the item's.");
static PyObject *chain_invert(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    ChainObject *const o = (ChainObject *)self;
    sample_call c = {0};
    core_view in = {0};
    mtm_array out = {0};
    PyObject *items, *names, *uris, *index, *draws, *array, *result = NULL;
    int field, interp;
    double value;
    mtm_exec *x = NULL;
    mtm_error err;
    mtm_status rc;

    if (PyArg_ParseTuple(args, "O!O!O!OO!iidO", &PyList_Type, &items, &PyTuple_Type, &names, &PyTuple_Type,
                         &uris, &index, &PyList_Type, &draws, &field, &interp, &value, &array) &&
        item_get(st, &c, items, names, uris, index) && draws_get(st, &c, o->chain, draws) &&
        core_view_get(st, &in, array, false, "the array"))
        x = core_exec_take(st);
    if (x) {
        Py_BEGIN_ALLOW_THREADS rc = mtm_chain_invert(o->chain, x, c.items.items, c.index, c.draws, field,
                                                     interp, value, &in.a, &out, &err);
        Py_END_ALLOW_THREADS core_exec_give(st, x);
        result = rc ? core_raise_from(st, &err, o) : core_numpy_take(st, &out);
    }
    core_view_drop(&in);
    sample_drop(&c);
    return result;
}

static PyMethodDef chain_methods[] = {{"add", chain_add, METH_VARARGS, chain_add_doc},
                                      {"add_apply", chain_add_apply, METH_VARARGS, chain_apply_doc},
                                      {"run", chain_run, METH_VARARGS, chain_run_doc},
                                      {"draw", chain_draw, METH_VARARGS, chain_draw_doc},
                                      {"replay", chain_replay, METH_VARARGS, chain_replay_doc},
                                      {"invert", chain_invert, METH_VARARGS, chain_invert_doc},
                                      {0}};
static PyType_Slot chain_slots[] = {
    {Py_tp_doc, (void *)"Chain(labels, points)\n--\n\nOperators over samples."},
    {Py_tp_new, chain_new},
    {Py_tp_dealloc, chain_dealloc},
    {Py_tp_traverse, chain_traverse},
    {Py_tp_clear, chain_clear},
    {Py_tp_methods, chain_methods},
    {0, NULL}};
static PyType_Spec chain_spec = {.name = "microtome._core.Chain",
                                 .basicsize = sizeof(ChainObject),
                                 .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                                 .slots = chain_slots};

int core_chain_add(PyObject *module)
{
    return core_add_type(module, &chain_spec, &((core_state *)PyModule_GetState(module))->chain_type);
}
