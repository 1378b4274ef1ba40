/* codec_encode.c: mt.codec.encode's way to the library: arrays and options as microtome/codec.py lays them out → bytes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

typedef struct encode_args {
    mtm_encode_params p;
    int32_t (*precincts)[2], (*subsampling)[2];
} encode_args;

static void encode_args_drop(encode_args *g)
{
    PyMem_Free(g->precincts);
    PyMem_Free(g->subsampling);
}

/* None, or a tuple of pairs of integers. */
static bool pairs_get(PyObject *v, int32_t (**out)[2], int32_t *n)
{
    const Py_ssize_t count = v == Py_None ? 0 : PyTuple_Size(v);

    *n = (int32_t)count;
    if (count <= 0)
        return count == 0;
    *out = PyMem_Malloc((size_t)count * sizeof **out);
    if (!*out)
        return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++)
        if (!PyArg_ParseTuple(PyTuple_GetItem(v, i), "ii", &(*out)[i][0], &(*out)[i][1]))
            return false;
    return true;
}

static bool encode_args_get(encode_args *g, PyObject *options)
{
    mtm_encode_params *const p = &g->p;
    int lossy, sop, eph, plt, tlm, n;
    PyObject *precincts, *subsampling;
    long long tile[2], origin[2], tile_origin[2];

    *g = (encode_args){.p = mtm_encode_params_default()};
    if (!PyArg_ParseTuple(options, "zpdddii(ii)zO(LL)ziiiO(LL)(LL)ppppzzzizi", &p->codec, &lossy, &p->quality,
                          &p->step, &p->rate, &p->layers, &p->levels, &p->block[0], &p->block[1],
                          &p->progression, &precincts, &tile[0], &tile[1], &p->tile_parts, &p->mct, &p->bits,
                          &p->style, &subsampling, &origin[0], &origin[1], &tile_origin[0], &tile_origin[1],
                          &sop, &eph, &plt, &tlm, &p->container, &p->color, &p->comment, &p->near_lossless,
                          &p->interleave, &p->predictor))
        return false;
    p->lossy = lossy, p->sop = sop, p->eph = eph, p->no_plt = !plt, p->no_tlm = !tlm;
    for (int i = 0; i < 2; i++)
        p->tile[i] = tile[i], p->origin[i] = origin[i], p->tile_origin[i] = tile_origin[i];
    if (!pairs_get(precincts, &g->precincts, &p->n_precincts) ||
        !pairs_get(subsampling, &g->subsampling, &n)) {
        encode_args_drop(g);
        return false;
    }
    p->precincts = (const int32_t (*)[2])g->precincts;
    p->subsampling = (const int32_t (*)[2])g->subsampling;
    return true;
}

/* The encoder's memory is kept for the next call, unless it is huge or another thread's is kept already. */
static PyObject *bytes_take(core_state *st, mtm_bytes *b, mtm_status rc, const mtm_error *err)
{
    PyObject *const out = rc ? core_raise(st, err)
                             : PyBytes_FromStringAndSize((const char *)b->data, (Py_ssize_t)b->size_bytes);

    if (!st->codec_bytes.data && b->room_bytes <= CORE_CODEC_BYTES_KEPT)
        st->codec_bytes = *b;
    else
        mtm_bytes_drop(b);
    return out;
}

PyDoc_STRVAR(encode_doc, "codec_encode(array or list of planes, planar, options, threads)\n--\n\nbytes.");
static PyObject *codec_encode(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *source, *options, *out = NULL;
    mtm_codec_ctx *const ctx = core_codec_context(st);
    int planar, threads;
    encode_args g;
    mtm_error err;
    mtm_status rc;

    if (!ctx || !PyArg_ParseTuple(args, "OpO!i", &source, &planar, &PyTuple_Type, &options, &threads) ||
        !encode_args_get(&g, options))
        return NULL;
    const bool many = PyList_Check(source);
    const Py_ssize_t n = many ? PyList_Size(source) : 1;
    core_view *const views = PyMem_Calloc((size_t)n + 1, sizeof *views);
    mtm_array *const planes = PyMem_Calloc((size_t)n + 1, sizeof *planes);
    bool ok = views && planes && core_codec_pool(st, threads, &g.p.pool);

    for (Py_ssize_t i = 0; ok && i < n; i++) {
        ok = core_view_get(st, &views[i], many ? PyList_GetItem(source, i) : source, false, "the picture");
        if (ok)
            planes[i] = views[i].a;
    }
    if (ok) {
        mtm_bytes b = st->codec_bytes;

        st->codec_bytes = (mtm_bytes){0};
        Py_BEGIN_ALLOW_THREADS rc = many ? mtm_encode_planes(ctx, planes, (int32_t)n, &g.p, &b, &err)
                                         : mtm_encode(ctx, &planes[0], planar, &g.p, &b, &err);
        Py_END_ALLOW_THREADS out = bytes_take(st, &b, rc, &err);
    } else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    for (Py_ssize_t i = 0; views && i < n; i++)
        core_view_drop(&views[i]);
    PyMem_Free(views);
    PyMem_Free(planes);
    encode_args_drop(&g);
    return out;
}

static PyMethodDef methods[] = {{"codec_encode", codec_encode, METH_VARARGS, encode_doc}, {0}};

int core_codec_encode_add(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
