/* write.c: new data sets from Python values, and data sets, volumes and segmentations as files. What users see is
 * microtome/dicom's; here a change is (tag, vr or None, value).
 * SPDX-License-Identifier: Apache-2.0 */
#include "dicom.h"

#include <string.h>

enum { MOST_DEPTH = 64 };

/* ---- changes ------------------------------------------------------------------------------------------ */

typedef struct making {
    core_state *st;
    mtm_dicom_builder *b;
    const mtm_dicom *base; /* or NULL */
    mtm_error err;
} making;

/* True after an exception that says what the library said. */
static bool said(making *m, mtm_status s)
{
    return s == MTM_OK || (bool)core_raise(m->st, &m->err);
}

static bool put_text(making *m, uint32_t tag, const char *vr, PyObject *v)
{
    const char *const s = core_text(v);

    return s && said(m, mtm_dicom_put_text(m->b, tag, vr, s, &m->err));
}

static bool put_bytes(making *m, uint32_t tag, const char *vr, PyObject *v)
{
    Py_buffer buffer;
    bool good;

    if (PyObject_GetBuffer(v, &buffer, PyBUF_SIMPLE))
        return false;
    good = said(m, mtm_dicom_put(m->b, tag, vr, buffer.buf, (size_t)buffer.len, &m->err));
    PyBuffer_Release(&buffer);
    return good;
}

/* A list of numbers: whole ones keep all their digits. */
static bool put_numbers(making *m, uint32_t tag, const char *vr, PyObject *list)
{
    const Py_ssize_t n = PyList_Size(list);
    int64_t *const whole = PyMem_Calloc((size_t)n + 1, sizeof *whole);
    double *const real = PyMem_Calloc((size_t)n + 1, sizeof *real);
    bool good = whole && real, all_whole = true;

    if (!good)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; good && i < n; i++) {
        PyObject *const v = PyList_GetItem(list, i);

        if (PyLong_Check(v))
            whole[i] = PyLong_AsLongLong(v);
        else
            all_whole = false;
        real[i] = PyErr_Occurred() ? 0 : PyFloat_AsDouble(v);
        good = !PyErr_Occurred();
    }
    if (good)
        good = said(m, all_whole ? mtm_dicom_put_i64(m->b, tag, vr, whole, n, &m->err)
                                 : mtm_dicom_put_f64(m->b, tag, vr, real, n, &m->err));
    PyMem_Free(whole);
    PyMem_Free(real);
    return good;
}

static bool apply(making *m, PyObject *changes, int depth);

/* A new sequence: a tuple of lists of changes. */
static bool put_items(making *m, uint32_t tag, PyObject *items, int depth)
{
    if (!said(m, mtm_dicom_begin_sequence(m->b, tag, &m->err)))
        return false;
    for (Py_ssize_t i = 0; i < PyTuple_Size(items); i++)
        if (!said(m, mtm_dicom_begin_item(m->b, &m->err)) ||
            !apply(m, PyTuple_GetItem(items, i), depth + 1) || !said(m, mtm_dicom_end_item(m->b, &m->err)))
            return false;
    return said(m, mtm_dicom_end_sequence(m->b, &m->err));
}

/* The elements of an item, or of the top level, of the base. */
static bool copy_inside(making *m, const mtm_dicom_element *item)
{
    int32_t n;
    const mtm_dicom_element *const all = mtm_dicom_elements(m->base, &n);
    const int32_t first = item ? (int32_t)(item - all) + 1 : 0, end = item ? first + item->inside : n;

    for (int32_t i = first; i < end; i += 1 + all[i].inside)
        if ((all[i].tag & 0xFFFF) != 0 && !said(m, mtm_dicom_copy(m->b, m->base, &all[i], &m->err)))
            return false;
    return true;
}

/* Items of a sequence of the base with changes inside: a dict of lists of changes by number. `in`: the base's item that is open. */
static bool change_items(making *m, uint32_t tag, PyObject *by_number, const mtm_dicom_element *in,
                         int depth);

static bool apply_in(making *m, PyObject *changes, const mtm_dicom_element *in, int depth)
{
    if (depth > MOST_DEPTH)
        return (bool)core_fail(m->st, MTM_E_LIMIT, "sequences more than %d deep", MOST_DEPTH);
    if (!PyList_Check(changes))
        return (bool)core_fail(m->st, MTM_E_INVAL, "changes are a list");
    for (Py_ssize_t i = 0; i < PyList_Size(changes); i++) {
        unsigned long tag;
        const char *vr;
        PyObject *v;
        bool good;

        if (!PyArg_ParseTuple(PyList_GetItem(changes, i), "kzO", &tag, &vr, &v))
            return false;
        if (v == Py_None)
            good = said(m, mtm_dicom_remove(m->b, (uint32_t)tag, &m->err));
        else if (PyUnicode_Check(v))
            good = put_text(m, (uint32_t)tag, vr, v);
        else if (PyList_Check(v))
            good = put_numbers(m, (uint32_t)tag, vr, v);
        else if (PyTuple_Check(v))
            good = put_items(m, (uint32_t)tag, v, depth);
        else if (PyDict_Check(v))
            good = change_items(m, (uint32_t)tag, v, in, depth);
        else
            good = put_bytes(m, (uint32_t)tag, vr, v);
        if (!good)
            return false;
    }
    return true;
}

static bool apply(making *m, PyObject *changes, int depth)
{
    return apply_in(m, changes, NULL, depth);
}

static bool change_items(making *m, uint32_t tag, PyObject *by_number, const mtm_dicom_element *in, int depth)
{
    const mtm_dicom_element *const sequence = m->base ? mtm_dicom_find(m->base, in, tag) : NULL;
    const int32_t n = sequence ? mtm_dicom_item_count(m->base, sequence) : 0;

    if (!said(m, mtm_dicom_begin_sequence(m->b, tag, &m->err)))
        return false;
    for (int32_t i = 0; i < n; i++) {
        const mtm_dicom_element *const item = mtm_dicom_item(m->base, sequence, i);
        PyObject *const number = PyLong_FromLong(i);
        PyObject *const changes = number ? PyDict_GetItemWithError(by_number, number) : NULL;

        Py_XDECREF(number);
        if (!number || PyErr_Occurred() || !said(m, mtm_dicom_begin_item(m->b, &m->err)) ||
            !copy_inside(m, item) || (changes && !apply_in(m, changes, item, depth + 1)) ||
            !said(m, mtm_dicom_end_item(m->b, &m->err)))
            return false;
    }
    return said(m, mtm_dicom_end_sequence(m->b, &m->err));
}

PyDoc_STRVAR(build_doc, "dicom_build(base, changes)\n--\n\nA new data set: base's elements (or None), then "
                        "changes (tag, vr, value).");
static PyObject *dicom_build(PyObject *module, PyObject *args)
{
    making m = {.st = PyModule_GetState(module)};
    PyObject *base, *changes;
    mtm_dicom *d = NULL;
    bool good;

    if (!PyArg_ParseTuple(args, "OO!", &base, &PyList_Type, &changes))
        return NULL;
    if (base != Py_None && Py_TYPE(base) != m.st->dicom_type)
        return core_fail(m.st, MTM_E_INVAL, "base is no Dicom");
    m.base = base != Py_None ? ((DicomObject *)base)->dicom : NULL;
    if (mtm_dicom_builder_new(&m.b, &m.err))
        return core_raise(m.st, &m.err);
    good = (!m.base || copy_inside(&m, NULL)) && apply(&m, changes, 0) &&
           said(&m, mtm_dicom_build(&d, m.b, &m.err));
    mtm_dicom_builder_free(m.b);
    return good ? core_dicom_based(m.st, d, base != Py_None ? base : NULL) : NULL;
}

/* ---- files -------------------------------------------------------------------------------------------- */

/* The options that every writer takes, as keywords. */
typedef struct write_call {
    PyObject *path; /* bytes */
    mtm_dicom_write_options o;
} write_call;

/* options: (transfer_syntax, lossy, proof, basic_table_only, extended_table, uid_root, threads) as microtome/dicom/changes.py makes them. */
static bool write_options(core_state *st, write_call *c, PyObject *path, PyObject *options)
{
    int lossy, proof, basic, extended, threads;

    c->o.struct_size = sizeof c->o;
    if (!PyArg_ParseTuple(options, "zppppzi", &c->o.transfer_syntax, &lossy, &proof, &basic, &extended,
                          &c->o.uid_root, &threads))
        return false;
    c->o.allow_lossy = lossy, c->o.no_proof = !proof, c->o.basic_table_only = basic;
    c->o.extended_table = extended;
    c->o.codec = core_codec_context(st);
    return c->o.codec && core_codec_pool(st, threads, &c->o.pool) && (c->path = core_path(path));
}

PyDoc_STRVAR(write_doc, "dicom_write(dicom, path, options)\n--\n\nA Part 10 file.");
static PyObject *dicom_write(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *dicom, *path, *options;
    write_call c = {0};
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "O!OO!", st->dicom_type, &dicom, &path, &PyTuple_Type, &options) ||
        !write_options(st, &c, path, options))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc =
        mtm_dicom_write(PyBytes_AsString(c.path), ((DicomObject *)dicom)->dicom, &c.o, &err);
    Py_END_ALLOW_THREADS Py_DECREF(c.path);
    if (rc)
        return core_raise(st, &err);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(
    series_doc,
    "dicom_write_series(folder, array, affine, like, description, patient_id, quantize, options)\n--\n\n"
    "New instances, one per slice; returns the largest error of a value.");
static PyObject *dicom_write_series(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_dicom_series_write_options o = {.struct_size = sizeof o};
    PyObject *folder, *array, *affine, *like, *options;
    double matrix[16], max_error = 0;
    write_call c = {0};
    core_view view = {0};
    int quantize;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OOOOzzpO!", &folder, &array, &affine, &like, &o.description, &o.patient_id,
                          &quantize, &PyTuple_Type, &options))
        return NULL;
    if (affine != Py_None && !core_matrix(st, affine, matrix, "affine"))
        return NULL;
    if (like != Py_None && Py_TYPE(like) != st->dicom_type)
        return core_fail(st, MTM_E_INVAL, "like is no Dicom");
    if (!core_view_get(st, &view, array, false, "the volume"))
        return NULL;
    if (!write_options(st, &c, folder, options)) {
        core_view_drop(&view);
        return NULL;
    }
    o.affine = affine != Py_None ? matrix : NULL;
    o.like = like != Py_None ? ((DicomObject *)like)->dicom : NULL;
    o.quantize = quantize, o.max_error = &max_error;
    o.write = c.o, o.pool = c.o.pool;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_series_write(PyBytes_AsString(c.path), &view.a, &o, &err);
    Py_END_ALLOW_THREADS Py_DECREF(c.path);
    core_view_drop(&view);
    return rc ? core_raise(st, &err) : PyFloat_FromDouble(max_error);
}

/* A segment: (value, label, category or None, type or None, algorithm or None), codes as (value, scheme, meaning). */
static bool segment_get(mtm_dicom_segment *s, PyObject *v)
{
    PyObject *category, *type;
    long long value;

    if (!PyArg_ParseTuple(v, "LzOOz", &value, &s->label, &category, &type, &s->algorithm))
        return false;
    s->value = value;
    if (category != Py_None &&
        !PyArg_ParseTuple(category, "sss", &s->category[0], &s->category[1], &s->category[2]))
        return false;
    return type == Py_None || PyArg_ParseTuple(type, "sss", &s->type[0], &s->type[1], &s->type[2]);
}

/* Paths as a C list; their bytes live in `keep`. */
static const char **paths_get(PyObject *paths, PyObject *keep)
{
    const Py_ssize_t n = PyTuple_Size(paths);
    const char **const out = PyMem_Calloc((size_t)n + 1, sizeof *out);

    if (!out)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; out && i < n; i++) {
        PyObject *const path = core_path(PyTuple_GetItem(paths, i));
        const int bad = path ? PyList_Append(keep, path) : -1;

        out[i] = bad ? NULL : PyBytes_AsString(path);
        Py_XDECREF(path);
        if (bad) {
            PyMem_Free(out);
            return NULL;
        }
    }
    return out;
}

/* The call itself, once everything is there. */
static PyObject *seg_run(core_state *st, write_call *c, PyObject *array, mtm_dicom_seg_options *o)
{
    core_view view = {0};
    mtm_error err;
    mtm_status rc;

    if (!core_view_get(st, &view, array, false, "the labels"))
        return NULL;
    o->write = c->o;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_seg_write(PyBytes_AsString(c->path), &view.a, o, &err);
    Py_END_ALLOW_THREADS core_view_drop(&view);
    if (rc)
        return core_raise(st, &err);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(seg_doc,
             "dicom_write_seg(path, array, source, segments, kind, keep_empty, description, options)\n--\n\n"
             "A segmentation object.");
static PyObject *dicom_write_seg(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_dicom_seg_options o = {.struct_size = sizeof o};
    PyObject *path, *array, *source, *segments, *options, *out = NULL;
    mtm_dicom_segment *list = NULL;
    const char **paths = NULL;
    write_call c = {0};
    const char *kind;
    int keep_empty;
    bool good;

    if (!PyArg_ParseTuple(args, "OOO!OspzO!", &path, &array, &PyTuple_Type, &source, &segments, &kind,
                          &keep_empty, &o.description, &PyTuple_Type, &options))
        return NULL;
    o.fractional = !strcmp(kind, "fractional"), o.label_map = !strcmp(kind, "label_map");
    o.keep_empty = keep_empty;
    PyObject *const keep = PyList_New(0);
    good = keep && write_options(st, &c, path, options) && (paths = paths_get(source, keep));
    if (good && segments != Py_None) {
        o.n_segments = (int32_t)PyTuple_Size(segments);
        list = PyMem_Calloc((size_t)o.n_segments + 1, sizeof *list);
        good = list || PyErr_NoMemory();
        for (int32_t i = 0; good && i < o.n_segments; i++)
            good = segment_get(&list[i], PyTuple_GetItem(segments, i));
    }
    o.segments = list, o.source = paths, o.n_source = good ? PyTuple_Size(source) : 0;
    if (good)
        out = seg_run(st, &c, array, &o);
    PyMem_Free(list);
    PyMem_Free(paths);
    Py_XDECREF(keep);
    Py_XDECREF(c.path);
    return out;
}

static PyObject *dicom_uid_new(PyObject *module, PyObject *args)
{
    const char *root;
    char uid[65];
    mtm_error err;

    if (!PyArg_ParseTuple(args, "z", &root))
        return NULL;
    return mtm_dicom_uid_new(uid, root, &err) ? core_raise(PyModule_GetState(module), &err)
                                              : PyUnicode_FromString(uid);
}

static PyMethodDef functions[] = {
    {"dicom_build", dicom_build, METH_VARARGS, build_doc},
    {"dicom_write", dicom_write, METH_VARARGS, write_doc},
    {"dicom_write_series", dicom_write_series, METH_VARARGS, series_doc},
    {"dicom_write_seg", dicom_write_seg, METH_VARARGS, seg_doc},
    {"dicom_uid_new", dicom_uid_new, METH_VARARGS, "dicom_uid_new(root)\n--\n\nA new UID."},
    {0}};

int core_dicom_write_add(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
