/* loader.c: the type Loader: batches from the library's workers to Python.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 50 }; /* how long Ctrl-C may have to wait */

typedef struct LoaderObject {
    PyObject_HEAD mtm_loader *loader;
    PyObject *chain;  /* ChainObject or None; must outlive the loader */
    core_items items; /* the views of arrays, which the loader borrows */
    long pid;         /* the workers exist in this process only */
    int in_use;       /* calls that run without the interpreter's lock */
} LoaderObject;

/* ---- making ------------------------------------------------------------------------------------------- */

static bool get_bool(PyObject *d, const char *name, bool *out)
{
    PyObject *const v = PyDict_GetItemString(d, name);
    const int x = v ? PyObject_IsTrue(v) : *out;

    *out = x > 0;
    return x >= 0;
}

static bool get_int(PyObject *d, const char *name, int32_t *out)
{
    PyObject *const v = PyDict_GetItemString(d, name);
    const long x = v ? PyLong_AsLong(v) : *out;
    const bool huge = x == -1 && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError);

    if (x == -1 && PyErr_Occurred() && !huge)
        return false;
    if (huge || x != (int32_t)x) {
        PyErr_Format(PyExc_ValueError, "%s is out of range", name);
        return false;
    }
    *out = (int32_t)x;
    return true;
}

static bool get_u64(PyObject *d, const char *name, uint64_t *out)
{
    PyObject *const v = PyDict_GetItemString(d, name);

    if (v)
        *out = PyLong_AsUnsignedLongLong(v);
    if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError))
        PyErr_Format(PyExc_ValueError, "%s must lie in 0 ... 2^64 - 1", name);
    return !PyErr_Occurred();
}

static bool get_options(PyObject *d, mtm_loader_options *o, PyObject **path)
{
    PyObject *const pad = PyDict_GetItemString(d, "pad_value"), *const index =
                                                                    PyDict_GetItemString(d, "index");

    if (pad)
        o->pad_value = PyFloat_AsDouble(pad);
    if (PyErr_Occurred() || !get_int(d, "batch_size", &o->batch_size) ||
        !get_bool(d, "shuffle", &o->shuffle) || !get_bool(d, "drop_last", &o->drop_last) ||
        !get_bool(d, "skip_bad", &o->skip_bad) || !get_int(d, "pad_ragged", &o->pad_ragged) ||
        !get_u64(d, "seed", &o->seed) || !get_int(d, "threads", &o->threads) ||
        !get_int(d, "prefetch", &o->prefetch) || !get_int(d, "rank", &o->rank) ||
        !get_int(d, "world", &o->world) || !get_int(d, "samples_per_item", &o->samples_per_item) ||
        !get_int(d, "part", &o->part) || !get_int(d, "parts", &o->parts) ||
        !get_int(d, "sampling", &o->sampling) || !get_u64(d, "cache_bytes", &o->cache_bytes))
        return false;
    if (!index || index == Py_None)
        return true;
    *path = core_path(index);
    o->index_path = *path ? PyBytes_AsString(*path) : NULL;
    return *path;
}

/* Numbers per item, as the options want them: one of the two, or neither. The caller frees both. */
static bool get_per_item(PyObject *d, Py_ssize_t n, int64_t **classes, double **weights)
{
    PyObject *const c = PyDict_GetItemString(d, "classes"), *const w = PyDict_GetItemString(d, "weights");

    if (c && c != Py_None) {
        *classes = PyMem_Calloc((size_t)n + 1, sizeof **classes);
        if (!*classes)
            return PyErr_NoMemory();
        for (Py_ssize_t i = 0; i < n; i++)
            (*classes)[i] = PyLong_AsLongLong(PyList_GetItem(c, i));
        return !PyErr_Occurred();
    }
    if (!w || w == Py_None)
        return true;
    *weights = PyMem_Calloc((size_t)n + 1, sizeof **weights);
    if (!*weights)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < n; i++)
        (*weights)[i] = PyFloat_AsDouble(PyList_GetItem(w, i));
    return !PyErr_Occurred();
}

static LoaderObject *loader_make(PyTypeObject *type, PyObject *chain)
{
    LoaderObject *const o = (LoaderObject *)PyType_GenericAlloc(type, 0);

    if (o)
        o->chain = Py_NewRef(chain), o->pid = (long)getpid();
    return o;
}

static PyObject *loader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"items", "names", "uris", "chain", "options", NULL};
    core_state *const st = PyType_GetModuleState(type);
    mtm_loader_options opt = mtm_loader_options_default();
    PyObject *items, *fields, *uris, *chain, *options, *path = NULL;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!O!OO!", names, &PyList_Type, &items, &PyTuple_Type,
                                     &fields, &PyTuple_Type, &uris, &chain, &PyDict_Type, &options))
        return NULL;
    if (chain != Py_None && Py_TYPE(chain) != st->chain_type) {
        PyErr_SetString(PyExc_TypeError, "chain must be a Chain or None");
        return NULL;
    }
    LoaderObject *const o = get_options(options, &opt, &path) ? loader_make(type, chain) : NULL;
    if (!o || !core_items_get(st, &o->items, items, fields, uris)) {
        Py_XDECREF(path);
        Py_XDECREF((PyObject *)o);
        return NULL;
    }
    const mtm_chain *const c = chain == Py_None ? NULL : ((ChainObject *)chain)->chain;
    int64_t *classes = NULL;
    double *weights = NULL;
    if (!get_per_item(options, PyList_Size(items), &classes, &weights)) {
        PyMem_Free(classes);
        PyMem_Free(weights);
        Py_XDECREF(path);
        Py_DECREF((PyObject *)o);
        return NULL;
    }
    opt.classes = classes, opt.weights = weights;
    Py_BEGIN_ALLOW_THREADS rc = mtm_loader_new(&o->loader, o->items.items, o->items.n, c, &opt, &err);
    Py_END_ALLOW_THREADS Py_XDECREF(path);
    PyMem_Free(classes);
    PyMem_Free(weights);
    if (!rc) {
        core_items_shrink(&o->items);
        return (PyObject *)o;
    }
    Py_DECREF((PyObject *)o);
    return core_raise(st, &err);
}

/* A loader on its way out, with what it borrows. */
typedef struct leaving {
    mtm_loader *loader;
    PyObject *chain;
    core_items items;
} leaving;

/* Stops the workers; they may be waiting for the interpreter's lock, so it is let go. */
static int leave(void *user)
{
    leaving *const v = user;

    Py_BEGIN_ALLOW_THREADS mtm_loader_free(v->loader);
    Py_END_ALLOW_THREADS core_items_drop(&v->items);
    Py_XDECREF(v->chain);
    PyMem_Free(v);
    return 0;
}

/* A worker cannot wait for its own end, and it may be the one that drops or collects the loader: then the main thread
 * does it. A forked child has no workers to stop. */
static void stop(LoaderObject *o)
{
    leaving *const v = o->loader ? PyMem_Malloc(sizeof *v) : NULL;
    const bool here = v && o->chain && o->chain != Py_None && core_chain_runs_here((ChainObject *)o->chain);

    if (v) {
        *v = (leaving){
            .loader = o->pid == (long)getpid() ? o->loader : NULL, .chain = o->chain, .items = o->items};
        o->loader = NULL, o->chain = NULL, o->items = (core_items){0};
        if (!here)
            leave(v);
        else
            Py_AddPendingCall(leave, v); /* refused: the loader runs on, which harms nothing */
    }
}

static int loader_traverse(PyObject *self, visitproc visit, void *arg)
{
    LoaderObject *const o = (LoaderObject *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(o->chain);
    for (Py_ssize_t i = 0; i < o->items.n_views; i++)
        if (o->items.views[i]->held)
            Py_VISIT(o->items.views[i]->buffer.obj);
    return 0;
}

static int loader_clear(PyObject *self)
{
    LoaderObject *const o = (LoaderObject *)self;

    stop(o);
    core_items_drop(&o->items);
    Py_CLEAR(o->chain);
    return 0;
}

static void loader_dealloc(PyObject *self)
{
    PyTypeObject *const type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    loader_clear(self);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static mtm_loader *usable(LoaderObject *o)
{
    if (o->loader && o->pid == (long)getpid())
        return o->loader;
    PyErr_SetString(PyExc_RuntimeError,
                    o->loader ? "this loader was made in another process" : "this loader is closed");
    return NULL;
}

PyDoc_STRVAR(loader_close_doc, "close()\n--\n\nStops the workers; batches that are held stay valid.");
static PyObject *loader_close(PyObject *self, PyObject *unused)
{
    LoaderObject *const o = (LoaderObject *)self;

    if (o->in_use) {
        PyErr_SetString(PyExc_RuntimeError, "another thread is waiting for a batch of this loader");
        return NULL;
    }
    stop(o);
    Py_RETURN_NONE;
}

/* ---- batches ------------------------------------------------------------------------------------------ */

static void release_batch(void *batch)
{
    mtm_batch_release(batch);
}

/* An Array that shares the batch's memory and keeps the batch. */
static PyObject *shared(core_state *st, const mtm_array *a, mtm_buffer *owner)
{
    mtm_array view = *a;

    view.owner = mtm_buffer_ref(owner);
    return core_array_take(st, &view);
}

/* A NumPy array with a copy: small things that are often kept must not keep the whole batch. */
static PyObject *copied(core_state *st, const void *data, mtm_dtype t, int32_t ndim, const int64_t *shape)
{
    mtm_array a = {0};
    mtm_error err;

    if (mtm_array_new(&a, t, ndim, shape, NULL, &err))
        return core_raise(st, &err);
    if (mtm_array_count(&a))
        memcpy(a.data, data, (size_t)mtm_array_count(&a) * mtm_dtype_size(t));
    return core_numpy_take(st, &a);
}

static PyObject *ragged_list(core_state *st, const mtm_batch_field *f, int32_t n, mtm_buffer *owner)
{
    PyObject *const list = PyList_New(n);

    for (int32_t i = 0; list && i < n; i++) {
        PyObject *const a = shared(st, &f->each[i], owner);
        if (!a || PyList_SetItem(list, i, a)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static PyObject *field_value(core_state *st, const mtm_batch_field *f, int32_t n, mtm_buffer *owner)
{
    if (f->kind == MTM_FIELD_OTHER)
        return Py_NewRef(Py_None);
    if (f->kind == MTM_FIELD_NUMBER)
        return copied(st, f->array.data, f->array.dtype, f->array.ndim, f->array.shape);
    return f->ragged ? ragged_list(st, f, n, owner) : shared(st, &f->array, owner);
}

/* (epoch, number, index, {name: value or None}, affines [n, fields, 4, 4]) */
static PyObject *batch_tuple(core_state *st, const mtm_batch *b, mtm_buffer *owner)
{
    const int64_t n[1] = {b->n}, m[4] = {b->n, b->n_fields, 4, 4};
    PyObject *const values = PyDict_New();

    for (int32_t i = 0; values && i < b->n_fields; i++) {
        PyObject *const v = field_value(st, &b->fields[i], b->n, owner);
        const int rc = v ? PyDict_SetItemString(values, b->fields[i].name, v) : -1;
        Py_XDECREF(v);
        if (rc) {
            Py_DECREF(values);
            return NULL;
        }
    }
    PyObject *const index = values ? copied(st, b->index, MTM_I64, 1, n) : NULL;
    PyObject *const affines = index ? copied(st, b->affines, MTM_F64, 4, m) : NULL;
    if (affines)
        return Py_BuildValue("(LLNNN)", (long long)b->epoch, (long long)b->number, index, values, affines);
    Py_XDECREF(values);
    Py_XDECREF(index);
    return NULL;
}

PyDoc_STRVAR(loader_next_doc, "next()\n--\n\nThe next batch, or None at the end of the epoch.");
static PyObject *loader_next(PyObject *self, PyObject *unused)
{
    core_state *const st = CORE_STATE(self);
    LoaderObject *const o = (LoaderObject *)self;
    mtm_loader *const l = usable(o);
    mtm_batch *b = NULL;
    mtm_buffer *owner = NULL;
    bool timed_out = true;
    mtm_error err;
    mtm_status rc = MTM_OK;

    if (!l)
        return NULL;
    while (!rc && !b && timed_out) {
        if (PyErr_CheckSignals())
            return NULL;
        o->in_use++;
        Py_BEGIN_ALLOW_THREADS rc = mtm_loader_next(l, WAIT_MS, &b, &timed_out, &err);
        Py_END_ALLOW_THREADS o->in_use--;
    }
    if (rc)
        return core_raise_from(st, &err, o->chain == Py_None || !o->chain ? NULL : (ChainObject *)o->chain);
    if (!b)
        Py_RETURN_NONE;
    if (mtm_buffer_wrap(&owner, NULL, 0, release_batch, b, &err)) {
        mtm_batch_release(b);
        return core_raise(st, &err);
    }
    PyObject *const t = batch_tuple(st, b, owner);

    mtm_buffer_unref(owner);
    return t;
}

PyDoc_STRVAR(loader_seek_doc, "seek(epoch, batch)\n--\n\nGoes to a place.");
static PyObject *loader_seek(PyObject *self, PyObject *args)
{
    LoaderObject *const o = (LoaderObject *)self;
    mtm_loader *const l = usable(o);
    long long epoch, batch;
    mtm_error err;
    mtm_status rc;

    if (!l || !PyArg_ParseTuple(args, "LL", &epoch, &batch))
        return NULL;
    o->in_use++;
    Py_BEGIN_ALLOW_THREADS rc = mtm_loader_seek(l, epoch, batch, &err);
    Py_END_ALLOW_THREADS o->in_use--;
    return rc ? core_raise(CORE_STATE(self), &err) : Py_NewRef(Py_None);
}

PyDoc_STRVAR(loader_batches_doc, "batches()\n--\n\nBatches per epoch of this shard.");
static PyObject *loader_batches(PyObject *self, PyObject *unused)
{
    mtm_loader *const l = usable((LoaderObject *)self);

    return l ? PyLong_FromLongLong(mtm_loader_batches(l)) : NULL;
}

PyDoc_STRVAR(loader_stats_doc, "stats()\n--\n\nCounts and times.");
static PyObject *loader_stats(PyObject *self, PyObject *unused)
{
    mtm_loader *const l = usable((LoaderObject *)self);
    mtm_loader_stats s;

    if (!l)
        return NULL;
    mtm_loader_stats_get(l, &s);
    PyObject *const skip =
        PyUnicode_DecodeUTF8(s.last_skip, (Py_ssize_t)strnlen(s.last_skip, sizeof s.last_skip), "replace");
    if (!skip)
        return NULL;
    const double ns = 1e-9;
    return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L,s:L,s:d,s:d,s:d,s:d,s:d,s:d,s:d,s:N}", "samples",
                         (long long)s.samples, "skipped", (long long)s.skipped, "bytes_delivered",
                         (long long)s.bytes_delivered, "cache_hits", (long long)s.cache_hits, "cache_bytes",
                         (long long)s.cache_bytes, "bound_bytes", (long long)s.bound_bytes, "read",
                         s.read_ns * ns, "inflate", s.inflate_ns * ns, "decode", s.decode_ns * ns, "geometry",
                         s.geometry_ns * ns, "intensity", s.intensity_ns * ns, "apply", s.apply_ns * ns,
                         "wait", s.wait_ns * ns, "last_skip", skip);
}

static PyMethodDef loader_methods[] = {{"next", loader_next, METH_NOARGS, loader_next_doc},
                                       {"seek", loader_seek, METH_VARARGS, loader_seek_doc},
                                       {"batches", loader_batches, METH_NOARGS, loader_batches_doc},
                                       {"stats", loader_stats, METH_NOARGS, loader_stats_doc},
                                       {"close", loader_close, METH_NOARGS, loader_close_doc},
                                       {0}};
static PyType_Slot loader_slots[] = {
    {Py_tp_doc, (void *)"Loader(items, names, uris, chain, options)\n--\n\nBatches."},
    {Py_tp_new, loader_new},
    {Py_tp_dealloc, loader_dealloc},
    {Py_tp_traverse, loader_traverse},
    {Py_tp_clear, loader_clear},
    {Py_tp_methods, loader_methods},
    {0, NULL}};
static PyType_Spec loader_spec = {.name = "microtome._core.Loader",
                                  .basicsize = sizeof(LoaderObject),
                                  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                                  .slots = loader_slots};

int core_loader_add(PyObject *module)
{
    return core_add_type(module, &loader_spec, &((core_state *)PyModule_GetState(module))->loader_type);
}
