/* codec.c: mt.codec's way to the library: compressed bytes in any buffer ↔ arrays; microtome/codec.py checks and names the
 * arguments, here they become the C API's structs. The interpreter's lock is released while the library works.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

/* ---- what calls share --------------------------------------------------------------------------------- */

/* Plans of headers seen before and the workers' scratch; made anew in a forked child (core_runtime). */
mtm_codec_ctx *core_codec_context(core_state *st)
{
    mtm_error err;

    if (!core_runtime(st))
        return NULL;
    if (!st->codec && mtm_codec_ctx_new(&st->codec, &err))
        return (mtm_codec_ctx *)core_raise(st, &err);
    return st->codec;
}

/* The pool for `threads` (0: all that eager calls share). A pool of n keeps n threads busy, the calling one among them.
 * A pool once made is kept. *pool NULL: the calling thread alone. */
bool core_codec_pool(core_state *st, int threads, mtm_pool **pool)
{
    mtm_error err;

    *pool = threads == 0 ? st->pool : NULL;
    if (threads <= 1)
        return threads == 0 || threads == 1 ||
               (bool)core_fail(st, MTM_E_INVAL, "threads must be 0 or more, not %d", threads);
    if (threads > CORE_CODEC_POOLS + 1)
        return core_fail(st, MTM_E_INVAL, "threads must be 0 to %d, not %d", CORE_CODEC_POOLS + 1, threads);
    mtm_pool **const slot = &st->codec_pools[threads - 2];
    if (!*slot && mtm_pool_new(slot, threads, &err))
        return core_raise(st, &err);
    *pool = *slot;
    return true;
}

/* The bytes of an argument; held until PyBuffer_Release. */
static bool bytes_get(core_state *st, PyObject *obj, Py_buffer *b, const char *what)
{
    if (PyUnicode_Check(obj) || !PyObject_CheckBuffer(obj))
        return core_fail(st, MTM_E_INVAL, "%s must be bytes, or anything with a buffer of bytes", what);
    if (PyObject_GetBuffer(obj, b, PyBUF_SIMPLE) == 0)
        return true;
    PyErr_Clear();
    return core_fail(st, MTM_E_INVAL, "%s must be contiguous bytes", what);
}

/* ---- decoding: arguments ------------------------------------------------------------------------------ */

typedef struct decode_args {
    mtm_decode_params p;
    mtm_limits limits;
    mtm_decode_report report;
    int32_t *components;
    mtm_byte_range *present;
} decode_args;

static void decode_args_drop(decode_args *g)
{
    PyMem_Free(g->components);
    PyMem_Free(g->present);
}

/* None, or a tuple of integers. */
static bool components_get(decode_args *g, PyObject *v)
{
    const Py_ssize_t n = v == Py_None ? 0 : PyTuple_Size(v);

    if (n < 0 || v == Py_None)
        return n == 0;
    g->components = PyMem_Malloc((size_t)(n ? n : 1) * sizeof *g->components);
    if (!g->components)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < n; i++)
        g->components[i] = (int32_t)PyLong_AsLong(PyTuple_GetItem(v, i));
    g->p.components = g->components, g->p.n_components = (int32_t)n;
    return !PyErr_Occurred();
}

/* None, or a tuple of (offset, size). */
static bool present_get(decode_args *g, PyObject *v)
{
    const Py_ssize_t n = v == Py_None ? 0 : PyTuple_Size(v);

    if (n < 0 || v == Py_None)
        return n == 0;
    g->present = PyMem_Malloc((size_t)(n ? n : 1) * sizeof *g->present);
    if (!g->present)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < n; i++) {
        unsigned long long at, size;

        if (!PyArg_ParseTuple(PyTuple_GetItem(v, i), "KK", &at, &size))
            return false;
        g->present[i] = (mtm_byte_range){at, size};
    }
    g->p.present = g->present, g->p.n_present = n;
    return true;
}

/* The options as microtome/codec.py lays them out; texts are borrowed from the tuple. */
static bool decode_args_get(core_state *st, decode_args *g, PyObject *options)
{
    PyObject *region, *components, *rescale, *present, *shape;
    const char *dtype, *stored;
    unsigned long long max_bytes;
    int to_rgb, planar, reduce, layers;

    *g = (decode_args){.p = {.struct_size = sizeof g->p}, .limits = mtm_limits_default()};
    if (!PyArg_ParseTuple(options, "zOiiOzppOOKOz", &g->p.codec, &region, &reduce, &layers, &components,
                          &dtype, &to_rgb, &planar, &rescale, &present, &max_bytes, &shape, &stored))
        return false;
    g->p.reduce = reduce, g->p.layers = layers, g->p.to_rgb = to_rgb, g->p.planar = planar;
    if (max_bytes)
        g->limits.max_bytes = max_bytes;
    g->p.limits = &g->limits;
    if (dtype && (g->p.dtype = mtm_dtype_parse(dtype)) == MTM_NONE)
        return core_fail(st, MTM_E_INVAL, "'%s' is no dtype that arrays here can have", dtype);
    if (shape != Py_None) {
        long long n[3];

        if (!PyArg_ParseTuple(shape, "LLL", &n[0], &n[1], &n[2]))
            return false;
        for (int i = 0; i < 3; i++)
            g->p.shape[i] = n[i];
        g->p.stored = mtm_dtype_parse(stored ? stored : "");
    }
    if (region != Py_None) {
        long long r[4];

        if (!PyArg_ParseTuple(region, "LLLL", &r[0], &r[1], &r[2], &r[3]))
            return false;
        g->p.has_region = true;
        for (int i = 0; i < 4; i++)
            g->p.region[i] = r[i];
    }
    if (rescale != Py_None) {
        g->p.rescale = true;
        if (!PyArg_ParseTuple(rescale, "dddddd", &g->p.slope, &g->p.inter, &g->p.window_center,
                              &g->p.window_width, &g->p.low, &g->p.high))
            return false;
    }
    if (components_get(g, components) && present_get(g, present))
        return true;
    decode_args_drop(g);
    return false;
}

static PyObject *report_dict(const mtm_decode_report *r)
{
    const int32_t n = r->n_warnings < 8 ? r->n_warnings : 8;
    PyObject *const list = PyList_New(n);

    for (int32_t i = 0; list && i < n; i++) {
        PyObject *const s = PyUnicode_FromString(r->warnings[i]);

        if (!s || PyList_SetItem(list, i, s)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list ? Py_BuildValue("{s:O,s:i,s:L,s:L,s:L,s:L,s:N,s:i}", "complete",
                                r->complete ? Py_True : Py_False, "levels", (int)r->levels, "bytes_used",
                                (long long)r->bytes_used, "blocks", (long long)r->blocks, "blocks_decoded",
                                (long long)r->blocks_decoded, "blocks_damaged", (long long)r->blocks_damaged,
                                "warnings", list, "n_warnings", (int)r->n_warnings)
                : NULL;
}

/* ---- decoding ----------------------------------------------------------------------------------------- */

/* What one call needs while it runs. */
typedef struct decode_call {
    core_state *st;
    mtm_codec_ctx *ctx;
    decode_args args;
    Py_buffer data;
    mtm_error err;
} decode_call;

static bool decode_begin(decode_call *c, core_state *st, PyObject *data, PyObject *options, int threads)
{
    *c = (decode_call){.st = st, .ctx = core_codec_context(st)};
    if (!c->ctx || !decode_args_get(st, &c->args, options))
        return false;
    if (core_codec_pool(st, threads, &c->args.p.pool) && bytes_get(st, data, &c->data, "the data"))
        return true;
    decode_args_drop(&c->args);
    return false;
}

static void decode_end(decode_call *c)
{
    PyBuffer_Release(&c->data);
    decode_args_drop(&c->args);
}

/* How many channels a call gives. */
static bool channel_count(decode_call *c, int32_t *n)
{
    mtm_codec_info *f = NULL;
    mtm_status rc;

    *n = c->args.p.n_components;
    if (c->args.p.components)
        return true;
    Py_BEGIN_ALLOW_THREADS rc =
        mtm_codec_info_new(&f, c->data.buf, (size_t)c->data.len, &c->args.limits, &c->err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(c->st, &c->err);
    *n = f->n_channels;
    mtm_codec_info_free(f);
    return true;
}

/* New arrays as a list; takes their references. */
static PyObject *plane_list(core_state *st, mtm_array *planes, int32_t n)
{
    PyObject *list = PyList_New(n);

    for (int32_t i = 0; list && i < n; i++) {
        PyObject *const a = core_numpy_take(st, &planes[i]);

        if (!a || PyList_SetItem(list, i, a))
            Py_CLEAR(list);
    }
    for (int32_t i = 0; i < n; i++)
        mtm_array_drop(&planes[i]);
    return list;
}

/* Channels of sizes of their own: a list of [Y, X]; `out`: NULL, or a list of that many arrays to fill. */
static PyObject *decode_planes(decode_call *c, PyObject *out)
{
    PyObject *list = NULL;
    int32_t n = 0, made = 0;
    mtm_status rc;

    if (!channel_count(c, &n))
        return NULL;
    if (out && PyList_Size(out) != n)
        return core_fail(c->st, MTM_E_INVAL, "out holds %zd arrays, the picture has %d channels",
                         PyList_Size(out), (int)n);
    mtm_array *const planes = PyMem_Calloc((size_t)n + 1, sizeof *planes);
    core_view *const views = PyMem_Calloc((size_t)n + 1, sizeof *views);
    bool ok = planes && views ? true : (PyErr_NoMemory(), false);

    for (int32_t i = 0; ok && out && i < n; i++)
        if ((ok = core_view_get(c->st, &views[i], PyList_GetItem(out, i), true, "an array of out")))
            planes[i] = views[i].a;
    if (ok) {
        Py_BEGIN_ALLOW_THREADS rc = mtm_decode_planes(c->ctx, c->data.buf, (size_t)c->data.len, &c->args.p,
                                                      planes, n, &made, &c->err);
        Py_END_ALLOW_THREADS list = rc    ? core_raise(c->st, &c->err)
                                    : out ? Py_NewRef(out)
                                          : plane_list(c->st, planes, made);
    }
    for (int32_t i = 0; views && i < n; i++)
        core_view_drop(&views[i]);
    PyMem_Free(planes);
    PyMem_Free(views);
    return list;
}

/* A new array for what a header announces, from the recycler, if it is within the caller's limit. */
static mtm_status result_new(core_state *st, const decode_args *g, int32_t ndim, const int64_t *shape,
                             mtm_dtype dtype, mtm_array *out, mtm_error *err)
{
    double bytes = (double)mtm_dtype_size(dtype);

    for (int32_t i = 0; i < ndim; i++)
        bytes *= (double)shape[i];
    if (bytes <= (double)g->limits.max_bytes)
        return mtm_array_new(out, dtype, ndim, shape, st->recycler, err);
    core_set_error(err, MTM_E_LIMIT, "the decoded image is larger than the limit, max_bytes");
    return MTM_E_LIMIT;
}

/* One array; `out` NULL: new, from the recycler. */
static PyObject *decode_array(decode_call *c, int32_t ndim, const int64_t *shape, mtm_dtype dtype,
                              PyObject *out)
{
    core_view v = {0};
    mtm_array dst = {0};
    mtm_status rc = MTM_OK;

    if (out) {
        if (!core_view_get(c->st, &v, out, true, "out"))
            return NULL;
        dst = v.a;
    }
    Py_BEGIN_ALLOW_THREADS if (!out) rc = result_new(c->st, &c->args, ndim, shape, dtype, &dst, &c->err);
    if (!rc)
        rc = mtm_decode(c->ctx, c->data.buf, (size_t)c->data.len, &c->args.p, &dst, &c->err);
    Py_END_ALLOW_THREADS core_view_drop(&v);
    if (!rc)
        return out ? Py_NewRef(out) : core_numpy_take(c->st, &dst);
    if (!out)
        mtm_array_drop(&dst);
    return core_raise(c->st, &c->err);
}

PyDoc_STRVAR(decode_doc, "codec_decode(data, options, out, partial, threads)\n--\n\n"
                         "One picture: an array, or a list where sizes differ; partial: with its report.");
static PyObject *codec_decode(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *data, *options, *out, *result = NULL;
    int64_t shape[3] = {0};
    mtm_dtype dtype = MTM_NONE;
    bool same_size = false;
    int partial, threads;
    int32_t ndim = 0;
    decode_call c;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OO!Opi", &data, &PyTuple_Type, &options, &out, &partial, &threads) ||
        !decode_begin(&c, st, data, options, threads))
        return NULL;
    c.args.p.partial = partial;
    c.args.p.report = partial ? &c.args.report : NULL;
    PyObject *const given = out == Py_None ? NULL : out;
    Py_BEGIN_ALLOW_THREADS rc = mtm_decode_shape(c.ctx, c.data.buf, (size_t)c.data.len, &c.args.p, &ndim,
                                                 shape, &dtype, &same_size, &c.err);
    Py_END_ALLOW_THREADS if (rc) core_raise(st, &c.err);
    else if (same_size) result = decode_array(&c, ndim, shape, dtype, given);
    else if (given && !PyList_Check(given))
        core_fail(st, MTM_E_INVAL, "the channels have sizes of their own: out must be a list of arrays");
    else result = decode_planes(&c, given);
    if (result && partial) {
        PyObject *const report = report_dict(&c.args.report);

        result = report ? Py_BuildValue("(NN)", result, report) : (Py_DECREF(result), NULL);
    }
    decode_end(&c);
    return result;
}

PyDoc_STRVAR(shape_doc,
             "codec_shape(data, options)\n--\n\n(shape, dtype) of what decode gives; None where sizes "
             "differ.");
static PyObject *codec_shape(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *data, *options;
    int64_t shape[3] = {0};
    mtm_dtype dtype = MTM_NONE;
    bool same_size = false;
    int32_t ndim = 0;
    decode_call c;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OO!", &data, &PyTuple_Type, &options) ||
        !decode_begin(&c, st, data, options, 1))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_decode_shape(c.ctx, c.data.buf, (size_t)c.data.len, &c.args.p, &ndim,
                                                 shape, &dtype, &same_size, &c.err);
    Py_END_ALLOW_THREADS decode_end(&c);
    if (rc)
        return core_raise(st, &c.err);
    if (!same_size)
        Py_RETURN_NONE;
    return Py_BuildValue("(Ns)", core_shape_tuple(shape, ndim), mtm_dtype_name(dtype));
}

/* ---- many frames -------------------------------------------------------------------------------------- */

typedef struct batch {
    Py_ssize_t n;
    Py_buffer *held;
    mtm_span *frames;
    mtm_status *statuses;
    mtm_error *errors;
} batch;

static void batch_drop(batch *b)
{
    for (Py_ssize_t i = 0; b->held && i < b->n; i++)
        if (b->held[i].obj)
            PyBuffer_Release(&b->held[i]);
    PyMem_Free(b->held);
    PyMem_Free(b->frames);
    PyMem_Free(b->statuses);
    PyMem_Free(b->errors);
}

static bool batch_get(core_state *st, batch *b, PyObject *list)
{
    const size_t n = (size_t)PyList_Size(list);

    *b = (batch){.n = (Py_ssize_t)n,
                 .held = PyMem_Calloc(n + 1, sizeof *b->held),
                 .frames = PyMem_Calloc(n + 1, sizeof *b->frames),
                 .statuses = PyMem_Calloc(n + 1, sizeof *b->statuses),
                 .errors = PyMem_Calloc(n + 1, sizeof *b->errors)};
    if (!b->held || !b->frames || !b->statuses || !b->errors)
        return PyErr_NoMemory();
    for (size_t i = 0; i < n; i++) {
        if (!bytes_get(st, PyList_GetItem(list, (Py_ssize_t)i), &b->held[i], "each frame"))
            return false;
        b->frames[i] = (mtm_span){b->held[i].buf, (size_t)b->held[i].len};
    }
    return true;
}

/* None, or the frame's exception. */
static PyObject *outcome(core_state *st, const batch *b, Py_ssize_t i)
{
    PyObject *type, *value, *trace;

    if (!b->statuses[i])
        return Py_NewRef(Py_None);
    core_raise(st, &b->errors[i]);
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
}

PyDoc_STRVAR(
    batch_doc,
    "codec_batch(frames, options, out, shape, dtype, collect, threads)\n--\n\n"
    "Frames of one shape into out, or into a new [N, …] of shape and dtype: (array, [None or exception]).");
static PyObject *codec_batch(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *list, *options, *out, *shape_given, *outcomes = NULL, *result = NULL;
    const char *dtype_name;
    int64_t shape[4] = {0};
    core_view v = {0};
    mtm_array dst = {0};
    decode_args g;
    mtm_error err = {0};
    mtm_status rc = MTM_OK;
    int collect, threads;
    batch b;

    if (!PyArg_ParseTuple(args, "O!O!OOzpi", &PyList_Type, &list, &PyTuple_Type, &options, &out, &shape_given,
                          &dtype_name, &collect, &threads))
        return NULL;
    mtm_codec_ctx *const ctx = core_codec_context(st);
    const Py_ssize_t ndim = shape_given == Py_None ? 0 : PyTuple_Size(shape_given);
    if (!ctx || ndim < 0 || ndim > 3 || !decode_args_get(st, &g, options))
        return NULL;
    bool ok = batch_get(st, &b, list) && core_codec_pool(st, threads, &g.p.pool);
    if (ok && out != Py_None && (ok = core_view_get(st, &v, out, true, "out")))
        dst = v.a;
    shape[0] = b.n;
    for (Py_ssize_t i = 0; ok && i < ndim; i++)
        shape[i + 1] = PyLong_AsLongLong(PyTuple_GetItem(shape_given, i));
    if (ok && !PyErr_Occurred()) {
        const mtm_dtype dtype = mtm_dtype_parse(dtype_name ? dtype_name : "");

        Py_BEGIN_ALLOW_THREADS if (!v.held) rc =
            result_new(st, &g, (int32_t)ndim + 1, shape, dtype, &dst, &err);
        if (!rc)
            rc = mtm_decode_batch(ctx, b.frames, b.n, &g.p, &dst, collect ? b.statuses : NULL,
                                  collect ? b.errors : NULL, &err);
        Py_END_ALLOW_THREADS if (rc) core_raise(st, &err);
        outcomes = rc ? NULL : PyList_New(b.n);
        for (Py_ssize_t i = 0; outcomes && i < b.n; i++)
            if (PyList_SetItem(outcomes, i, outcome(st, &b, i)))
                Py_CLEAR(outcomes);
        PyObject *const array = !outcomes ? NULL : v.held ? Py_NewRef(out) : core_numpy_take(st, &dst);
        if (array)
            result = Py_BuildValue("(NO)", array, outcomes);
        Py_XDECREF(outcomes);
    }
    if (!v.held)
        mtm_array_drop(&dst);
    core_view_drop(&v);
    batch_drop(&b);
    decode_args_drop(&g);
    return result;
}

/* ---- row by row --------------------------------------------------------------------------------------- */

typedef struct rows_call {
    core_state *st;
    PyObject *sink;
    PyObject *type, *value, *trace; /* what the sink raised */
} rows_call;

/* A copy of the rows goes to the sink as sink(y, rows); it may keep them. */
static mtm_status hand_over(void *user, const mtm_array *rows, int64_t y, mtm_error *err)
{
    rows_call *const c = user;
    mtm_array copy = {0};
    PyObject *done = NULL;
    mtm_status s = mtm_array_new(&copy, rows->dtype, rows->ndim, rows->shape, c->st->recycler, err);

    if (!s)
        s = mtm_array_convert(&copy, rows, 1, 0, NULL, err);
    if (s) {
        mtm_array_drop(&copy);
        return s;
    }
    const PyGILState_STATE g = PyGILState_Ensure();
    PyObject *const a = core_numpy_take(c->st, &copy);
    if (a)
        done = PyObject_CallFunction(c->sink, "LN", (long long)y, a);
    if (!done) {
        PyErr_Fetch(&c->type, &c->value, &c->trace);
        core_set_error(err, MTM_E_CANCELLED, "the receiver of rows raised an exception");
        s = MTM_E_CANCELLED;
    }
    Py_XDECREF(done);
    PyGILState_Release(g);
    return s;
}

PyDoc_STRVAR(rows_doc, "codec_rows(data, options, sink, threads)\n--\n\nCalls sink(y, rows) from the top.");
static PyObject *codec_rows(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *data, *options;
    rows_call r = {.st = st};
    decode_call c;
    mtm_status rc;
    int threads;

    if (!PyArg_ParseTuple(args, "OO!Oi", &data, &PyTuple_Type, &options, &r.sink, &threads) ||
        !decode_begin(&c, st, data, options, threads))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc =
        mtm_decode_rows(c.ctx, c.data.buf, (size_t)c.data.len, &c.args.p, hand_over, &r, &c.err);
    Py_END_ALLOW_THREADS decode_end(&c);
    if (r.type) {
        PyErr_Restore(r.type, r.value, r.trace);
        return NULL;
    }
    return rc ? core_raise(st, &c.err) : Py_NewRef(Py_None);
}

/* ---- which bytes -------------------------------------------------------------------------------------- */

PyDoc_STRVAR(plan_doc,
             "codec_plan(data, total_bytes, options)\n--\n\n([(offset, size)], exact, need_bytes).");
static PyObject *codec_plan(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_j2k_ranges *r = NULL;
    PyObject *data, *options;
    unsigned long long total;
    decode_call c;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OKO!", &data, &total, &PyTuple_Type, &options) ||
        !decode_begin(&c, st, data, options, 1))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_j2k_plan(&r, c.data.buf, (size_t)c.data.len,
                                             total ? total : (uint64_t)c.data.len, &c.args.p, &c.err);
    Py_END_ALLOW_THREADS decode_end(&c);
    if (rc)
        return core_raise(st, &c.err);
    PyObject *const list = PyList_New((Py_ssize_t)r->n);
    PyObject *result = NULL;
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < r->n; i++) {
        PyObject *const pair = Py_BuildValue("(KK)", (unsigned long long)r->ranges[i].offset,
                                             (unsigned long long)r->ranges[i].size_bytes);
        ok = pair && PyList_SetItem(list, (Py_ssize_t)i, pair) == 0;
    }
    if (ok)
        result =
            Py_BuildValue("(OOK)", list, r->exact ? Py_True : Py_False, (unsigned long long)r->need_bytes);
    Py_XDECREF(list);
    mtm_j2k_ranges_free(r);
    return result;
}

/* ---- what it is --------------------------------------------------------------------------------------- */

/* list.append(value), which is taken; false: an exception is set. */
static bool append(PyObject *list, PyObject *value)
{
    const int rc = value ? PyList_Append(list, value) : -1;

    Py_XDECREF(value);
    return rc == 0;
}

static PyObject *component_list(const mtm_codec_info *f)
{
    PyObject *const list = PyList_New(0);

    for (int32_t i = 0; list && i < f->n_components; i++) {
        const mtm_codec_component *const c = &f->components[i];
        PyObject *const d = Py_BuildValue(
            "{s:L,s:L,s:i,s:i,s:i,s:O,s:i,s:(ii),s:O}", "width", (long long)c->width, "height",
            (long long)c->height, "dx", (int)c->dx, "dy", (int)c->dy, "bits", (int)c->bits, "signed",
            c->is_signed ? Py_True : Py_False, "levels", (int)c->levels, "block", (int)c->block[0],
            (int)c->block[1], "reversible", c->reversible ? Py_True : Py_False);

        if (!append(list, d)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static PyObject *marker_list(const mtm_codec_info *f)
{
    PyObject *const list = PyList_New(0);

    for (int32_t i = 0; list && i < f->n_markers; i++) {
        const mtm_codec_marker *const m = &f->markers[i];

        if (!append(list, Py_BuildValue("{s:s,s:i,s:L,s:L}", "name", m->name, "code", (int)m->code, "offset",
                                        (long long)m->offset_bytes, "size", (long long)m->size_bytes))) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static PyObject *warning_list(const mtm_codec_info *f)
{
    PyObject *const list = PyList_New(0);

    for (int32_t i = 0; list && i < f->n_warnings; i++)
        if (!append(list,
                    PyUnicode_DecodeUTF8(f->warnings[i], (Py_ssize_t)strlen(f->warnings[i]), "replace"))) {
            Py_DECREF(list);
            return NULL;
        }
    return list;
}

/* Per resolution (height, width), lowest first; None: the largest. */
static PyObject *precinct_list(const mtm_codec_info *f)
{
    if (!f->precincts)
        return Py_NewRef(Py_None);
    PyObject *const list = PyList_New(0);

    for (int32_t r = 0; list && f->n_components && r <= f->components[0].levels; r++)
        if (!append(list, Py_BuildValue("(ii)", 1 << f->precincts[r][0], 1 << f->precincts[r][1]))) {
            Py_DECREF(list);
            return NULL;
        }
    return list;
}

static PyObject *flag(bool v)
{
    return v ? Py_True : Py_False;
}

static PyObject *info_dict(const mtm_codec_info *f)
{
    return Py_BuildValue(
        "{s:s,s:s,s:L,s:L,s:(LL),s:(LL),s:(ii),s:i,s:N,s:i,s:s,s:i,s:i,s:i,s:i,s:s,"
        "s:O,s:O,s:O,s:O,s:N,s:N,s:i,s:O,s:O,s:L,s:L,s:N,s:i,s:i}",
        "codec", f->codec, "container", f->container, "width", (long long)f->width, "height",
        (long long)f->height, "origin", (long long)f->y0, (long long)f->x0, "tile", (long long)f->tile_height,
        (long long)f->tile_width, "tiles", (int)f->tiles_y, (int)f->tiles_x, "n_components",
        (int)f->n_components, "components", component_list(f), "channels", (int)f->n_channels, "color",
        f->color, "palette_entries", (int)f->palette_entries, "levels", (int)f->levels, "min_levels",
        (int)f->min_levels, "layers", (int)f->layers, "progression", f->progression, "mct", flag(f->mct),
        "reversible", flag(f->reversible), "ht", flag(f->ht), "lossless_capable", flag(f->lossless_capable),
        "precincts", precinct_list(f), "markers", marker_list(f), "tile_parts", (int)f->n_tile_parts, "plt",
        flag(f->has_plt), "tlm", flag(f->has_tlm), "codestream_offset", (long long)f->codestream_offset,
        "codestream_bytes", (long long)f->codestream_bytes, "warnings", warning_list(f), "near_lossless",
        (int)f->near_lossless, "predictor", (int)f->predictor);
}

PyDoc_STRVAR(info_doc, "codec_info(data, max_bytes)\n--\n\nThe headers' facts as a dict.");
static PyObject *codec_info(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_limits limits = mtm_limits_default();
    mtm_codec_info *f = NULL;
    unsigned long long max_bytes;
    PyObject *data;
    Py_buffer b;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OK", &data, &max_bytes) || !bytes_get(st, data, &b, "the data"))
        return NULL;
    if (max_bytes)
        limits.max_bytes = max_bytes;
    Py_BEGIN_ALLOW_THREADS rc = mtm_codec_info_new(&f, b.buf, (size_t)b.len, &limits, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&b);
    if (rc)
        return core_raise(st, &err);
    PyObject *const d = info_dict(f);
    mtm_codec_info_free(f);
    return d;
}

static PyMethodDef methods[] = {{"codec_decode", codec_decode, METH_VARARGS, decode_doc},
                                {"codec_shape", codec_shape, METH_VARARGS, shape_doc},
                                {"codec_batch", codec_batch, METH_VARARGS, batch_doc},
                                {"codec_rows", codec_rows, METH_VARARGS, rows_doc},
                                {"codec_plan", codec_plan, METH_VARARGS, plan_doc},
                                {"codec_info", codec_info, METH_VARARGS, info_doc},
                                {0}};

int core_codec_add(PyObject *module)
{
    return PyModule_AddFunctions(module, methods) || core_codec_encode_add(module) ? -1 : 0;
}
