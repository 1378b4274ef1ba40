/* image.c: the types Image and Index, and writing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>

typedef struct ImageObject {
    PyObject_HEAD mtm_image *image;
    PyObject *index; /* the image borrows its mtm_index */
} ImageObject;

/* ---- index -------------------------------------------------------------------------------------------- */

static PyObject *index_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"path", NULL};
    core_state *const st = PyType_GetModuleState(type);
    PyObject *path;
    mtm_index *ix = NULL;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&", names, PyUnicode_FSConverter, &path))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_index_open(&ix, PyBytes_AsString(path), &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    if (rc)
        return core_raise(st, &err);
    IndexObject *const o = PyObject_New(IndexObject, type);
    if (!o) {
        mtm_index_close(ix);
        return NULL;
    }
    o->index = ix;
    return (PyObject *)o;
}

static void index_dealloc(PyObject *self)
{
    PyTypeObject *const type = Py_TYPE(self);

    mtm_index_close(((IndexObject *)self)->index);
    PyObject_Free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(
    index_doc,
    "Index(path)\n--\n\nThe sidecar index of a data set: one small file (or a folder to keep it in) that "
    "remembers\n"
    "gzip access points, statistics and label positions. Stale entries are rebuilt; a damaged or read-only\n"
    "index makes reads slower, never wrong. Pass it to open(index=…) and Loader(index=…).");
static PyType_Slot index_slots[] = {
    {Py_tp_doc, (void *)index_doc}, {Py_tp_new, index_new}, {Py_tp_dealloc, index_dealloc}, {0, NULL}};
static PyType_Spec index_spec = {.name = "microtome._core.Index",
                                 .basicsize = sizeof(IndexObject),
                                 .flags = Py_TPFLAGS_DEFAULT,
                                 .slots = index_slots};

/* ---- image -------------------------------------------------------------------------------------------- */

/* Takes the image, on failure too. */
static PyObject *image_take(PyTypeObject *type, mtm_image *im, PyObject *index)
{
    ImageObject *const o = PyObject_New(ImageObject, type);

    if (!o) {
        mtm_image_close(im);
        return NULL;
    }
    o->image = im, o->index = Py_NewRef(index);
    return (PyObject *)o;
}

static PyObject *image_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"uri", "index", "max_bytes", NULL};
    core_state *const st = PyType_GetModuleState(type);
    PyObject *path = NULL, *index = Py_None;
    unsigned long long max_bytes = 0;
    mtm_limits limits = mtm_limits_default();
    mtm_image *im = NULL;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|OK", names, PyUnicode_FSConverter, &path, &index,
                                     &max_bytes))
        return NULL;
    if (index != Py_None && Py_TYPE(index) != st->index_type) {
        Py_DECREF(path);
        PyErr_SetString(PyExc_TypeError, "index must be an Index or None");
        return NULL;
    }
    if (max_bytes)
        limits.max_bytes = max_bytes;
    const mtm_open_options opt = {.struct_size = sizeof opt,
                                  .limits = &limits,
                                  .index = index == Py_None ? NULL : ((IndexObject *)index)->index};
    Py_BEGIN_ALLOW_THREADS rc = mtm_image_open(&im, PyBytes_AsString(path), &opt, &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    if (rc)
        return core_raise(st, &err);
    return image_take(type, im, index);
}

static void image_dealloc(PyObject *self)
{
    ImageObject *const o = (ImageObject *)self;
    PyTypeObject *const type = Py_TYPE(self);

    mtm_image_close(o->image);
    Py_DECREF(o->index);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* [(shape, downsample)], finest first. */
static PyObject *level_list(const mtm_image *im)
{
    const mtm_image_info *const f = mtm_image_info_get(im);
    PyObject *list = PyList_New(f->n_levels);

    for (int i = 0; list && i < f->n_levels; i++) {
        mtm_image_level l = {0};
        (void)mtm_image_level_get(im, i, &l, NULL); /* there are that many */
        PyObject *const pair = Py_BuildValue("(Nd)", core_shape_tuple(l.shape, f->ndim), l.downsample);

        if (!pair || PyList_SetItem(list, i, pair))
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *image_info(PyObject *self, PyObject *unused)
{
    const mtm_image_info *const f = mtm_image_info_get(((ImageObject *)self)->image);
    PyObject *const affine = f->has_affine ? core_double_tuple(f->affine, 16) : Py_NewRef(Py_None);

    return Py_BuildValue("{s:s,s:s,s:s,s:N,s:s,s:s,s:d,s:d,s:N,s:N,s:i,s:N,s:L}", "format", f->format,
                         "codec", f->codec, "axes", f->axes, "shape", core_shape_tuple(f->shape, f->ndim),
                         "stored_dtype", mtm_dtype_name(f->stored_dtype), "dtype", mtm_dtype_name(f->dtype),
                         "slope", f->slope, "inter", f->inter, "affine", affine, "spacing",
                         core_double_tuple(f->spacing, f->ndim), "n_levels", (int)f->n_levels, "levels",
                         level_list(((ImageObject *)self)->image), "file_bytes", (long long)f->file_bytes);
}

static PyObject *utf8(const char *s)
{
    return PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
}

static PyObject *image_properties(PyObject *self, PyObject *unused)
{
    const mtm_image *const im = ((ImageObject *)self)->image;
    PyObject *const d = PyDict_New();

    for (int64_t i = 0, n = mtm_image_property_count(im); d && i < n; i++) {
        const char *key, *value;
        mtm_image_property_get(im, i, &key, &value);
        PyObject *const k = utf8(key), *const v = utf8(value);
        const int rc = k && v ? PyDict_SetItem(d, k, v) : -1;
        Py_XDECREF(k);
        Py_XDECREF(v);
        if (rc) {
            Py_DECREF(d);
            return NULL;
        }
    }
    return d;
}

static PyObject *image_problems(PyObject *self, PyObject *unused)
{
    const mtm_image *const im = ((ImageObject *)self)->image;
    const int64_t n = mtm_image_problem_count(im);
    PyObject *const l = PyList_New((Py_ssize_t)n);

    for (int64_t i = 0; l && i < n; i++) {
        PyObject *const s = utf8(mtm_image_problem_get(im, i));
        if (!s || PyList_SetItem(l, (Py_ssize_t)i, s)) {
            Py_DECREF(l);
            return NULL;
        }
    }
    return l;
}

/* start and size as tuples of integers → box. */
static bool get_box(core_state *st, PyObject *start, PyObject *size, mtm_box *box)
{
    const Py_ssize_t n = PyTuple_Size(start);

    if (n < 0 || n > MTM_MAX_DIMS || PyTuple_Size(size) != n)
        return PyErr_Occurred() ? false : (bool)core_fail(st, MTM_E_INVAL, "a box of %zd axes", n);
    box->ndim = (int32_t)n;
    for (Py_ssize_t i = 0; i < n; i++) {
        box->start[i] = PyLong_AsLongLong(PyTuple_GetItem(start, i));
        box->size[i] = PyLong_AsLongLong(PyTuple_GetItem(size, i));
    }
    return !PyErr_Occurred();
}

PyDoc_STRVAR(image_read_doc,
             "read(start, size, level, raw, dtype, out)\n--\n\nReads a box; out: an array to fill, or None.");
static PyObject *image_read(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    mtm_image *const im = ((ImageObject *)self)->image;
    PyObject *start, *size, *out;
    const char *dtype;
    int level, raw;
    mtm_box box = {0};
    core_view v = {0};
    mtm_array dst = {0};
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "O!O!ipzO", &PyTuple_Type, &start, &PyTuple_Type, &size, &level, &raw, &dtype,
                          &out) ||
        !get_box(st, start, size, &box) || !core_runtime(st))
        return NULL;
    if (dtype && (dst.dtype = mtm_dtype_parse(dtype)) == MTM_NONE)
        return core_fail(st, MTM_E_INVAL, "'%s' is no dtype that arrays here can have", dtype);
    if (out != Py_None) {
        if (!core_view_get(st, &v, out, true, "out"))
            return NULL;
        dst = v.a;
    }
    mtm_read_options opt = {
        .struct_size = sizeof opt, .raw = raw, .pool = st->pool, .recycler = st->recycler};
    Py_BEGIN_ALLOW_THREADS rc = mtm_image_read(im, level, &box, &opt, &dst, &err);
    Py_END_ALLOW_THREADS const bool given = v.held;
    core_view_drop(&v);
    if (rc)
        return core_raise(st, &err);
    return given ? Py_NewRef(out) : core_numpy_take(st, &dst);
}

static PyObject *image_stats(PyObject *self, PyObject *unused)
{
    core_state *const st = CORE_STATE(self);
    mtm_image *const im = ((ImageObject *)self)->image;
    mtm_image_stats s;
    mtm_error err;
    mtm_status rc;

    if (!core_runtime(st))
        return NULL;
    mtm_read_options opt = {.struct_size = sizeof opt, .pool = st->pool, .recycler = st->recycler};
    Py_BEGIN_ALLOW_THREADS rc = mtm_image_stats_get(im, &opt, &s, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(st, &err);
    return Py_BuildValue(
        "{s:L,s:L,s:L,s:d,s:d,s:d,s:d,s:d,s:d,s:N,s:N}", "count", (long long)s.count, "non_finite",
        (long long)s.non_finite, "nonzero", (long long)s.nonzero, "min", s.min, "max", s.max, "mean", s.mean,
        "std", s.std, "nonzero_mean", s.nonzero_mean, "nonzero_std", s.nonzero_std, "foreground_start",
        core_shape_tuple(s.foreground_start, 3), "foreground_size", core_shape_tuple(s.foreground_size, 3));
}

static PyObject *image_labels(PyObject *self, PyObject *unused)
{
    core_state *const st = CORE_STATE(self);
    mtm_image *const im = ((ImageObject *)self)->image;
    mtm_label_table *t = NULL;
    mtm_error err;
    mtm_status rc;

    if (!core_runtime(st))
        return NULL;
    mtm_read_options opt = {.struct_size = sizeof opt, .pool = st->pool, .recycler = st->recycler};
    Py_BEGIN_ALLOW_THREADS rc = mtm_image_labels_get(im, &opt, &t, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(st, &err);
    PyObject *const d = PyDict_New();
    for (int32_t i = 0; d && i < t->n_classes; i++) {
        PyObject *const k = PyLong_FromLongLong(t->classes[i]), *const v = PyLong_FromLongLong(t->counts[i]);
        if (k && v)
            PyDict_SetItem(d, k, v);
        Py_XDECREF(k);
        Py_XDECREF(v);
    }
    mtm_label_table_free(t);
    if (!PyErr_Occurred())
        return d;
    Py_XDECREF(d);
    return NULL;
}

static PyObject *image_objects(PyObject *self, PyObject *args)
{
    core_state *const st = CORE_STATE(self);
    mtm_image *const im = ((ImageObject *)self)->image;
    mtm_object_table *t = NULL;
    long long background;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "L", &background) || !core_runtime(st))
        return NULL;
    mtm_read_options opt = {.struct_size = sizeof opt, .pool = st->pool, .recycler = st->recycler};
    Py_BEGIN_ALLOW_THREADS rc = mtm_image_objects_get(im, background, &opt, &t, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(st, &err);
    PyObject *const out = core_object_boxes(st, t);
    mtm_object_table_free(t);
    return out;
}

static PyMethodDef image_methods[] = {
    {"info", image_info, METH_NOARGS, "info()\n--\n\nWhat the picture is, as a dict."},
    {"properties", image_properties, METH_NOARGS, "properties()\n--\n\nThe format's own fields."},
    {"problems", image_problems, METH_NOARGS, "problems()\n--\n\nWhat was noticed on opening."},
    {"read", image_read, METH_VARARGS, image_read_doc},
    {"stats", image_stats, METH_NOARGS, "stats()\n--\n\nStatistics of all values."},
    {"labels", image_labels, METH_NOARGS, "labels()\n--\n\nVoxels per class of a label map."},
    {"objects", image_objects, METH_VARARGS, "objects(background)\n--\n\nBoxes of a label map's objects."},
    {0}};
static PyType_Slot image_slots[] = {
    {Py_tp_doc, (void *)"Image(uri, index=None, max_bytes=0)\n--\n\nAn open image."},
    {Py_tp_new, image_new},
    {Py_tp_dealloc, image_dealloc},
    {Py_tp_methods, image_methods},
    {0, NULL}};
static PyType_Spec image_spec = {.name = "microtome._core.Image",
                                 .basicsize = sizeof(ImageObject),
                                 .flags = Py_TPFLAGS_DEFAULT,
                                 .slots = image_slots};

/* ---- writing ------------------------------------------------------------------------------------------ */

PyDoc_STRVAR(write_doc,
             "write(path, array, format, axes, affine, slope, inter, level, like)\n--\n\nWrites an array.");
static PyObject *image_write(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *path_given, *array, *affine, *like;
    mtm_write_options opt = {.struct_size = sizeof opt};
    double matrix[16];
    core_view v = {0};
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OOzzOddiO", &path_given, &array, &opt.format, &opt.axes, &affine, &opt.slope,
                          &opt.inter, &opt.level, &like))
        return NULL;
    if (affine != Py_None) {
        if (!core_matrix(st, affine, matrix, "affine"))
            return NULL;
        opt.affine = matrix;
    }
    if (like != Py_None && Py_TYPE(like) != st->image_type) {
        PyErr_SetString(PyExc_TypeError, "like must be an Image or None");
        return NULL;
    }
    opt.like = like == Py_None ? NULL : ((ImageObject *)like)->image;
    PyObject *const path = core_path(path_given);
    if (!path || !core_view_get(st, &v, array, false, "the array")) {
        Py_XDECREF(path);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS rc = mtm_image_write(PyBytes_AsString(path), &v.a, &opt, &err);
    Py_END_ALLOW_THREADS core_view_drop(&v);
    Py_DECREF(path);
    return rc ? core_raise(st, &err) : Py_NewRef(Py_None);
}

/* ---- DICOM series -------------------------------------------------------------------------------------- */

/* Images as a list of the type Image; takes them, on failure too. */
static PyObject *image_list(core_state *st, mtm_image **images, int64_t n)
{
    PyObject *const list = PyList_New((Py_ssize_t)n);
    bool good = list;

    for (int64_t i = 0; i < n; i++) {
        PyObject *const o = good ? image_take(st->image_type, images[i], Py_None) : NULL;

        if (!good)
            mtm_image_close(images[i]);
        good = o && !PyList_SetItem(list, (Py_ssize_t)i, o);
    }
    mtm_dicom_free(images);
    if (good)
        return list;
    Py_XDECREF(list);
    return NULL;
}

PyDoc_STRVAR(
    series_open_doc,
    "series_open(paths, series, split, max_bytes)\n--\n\nThe DICOM volumes of files and folders, a list.");
static PyObject *series_open(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *paths, *kept = NULL;
    const char *series, **names = NULL;
    int split;
    unsigned long long max_bytes;
    mtm_limits limits = mtm_limits_default();
    mtm_image **images = NULL;
    int64_t n_images = 0;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "O!zpK", &PyTuple_Type, &paths, &series, &split, &max_bytes) ||
        !core_runtime(st))
        return NULL;
    const Py_ssize_t n = PyTuple_Size(paths);
    kept = PyList_New(n);
    names = PyMem_Calloc((size_t)n + 1, sizeof *names);
    for (Py_ssize_t i = 0; kept && names && i < n; i++) {
        PyObject *const path = core_path(PyTuple_GetItem(paths, i));

        if (!path || PyList_SetItem(kept, i, path))
            Py_CLEAR(kept);
        else
            names[i] = PyBytes_AsString(path);
    }
    if (!kept || !names) {
        PyMem_Free(names);
        Py_XDECREF(kept);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    if (max_bytes)
        limits.max_bytes = max_bytes;
    const mtm_open_options open = {.struct_size = sizeof open, .limits = &limits};
    const mtm_dicom_series_options opt = {
        .struct_size = sizeof opt, .open = &open, .series_uid = series, .split = split, .pool = st->pool};
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_series_open(&images, &n_images, names, n, &opt, &err);
    Py_END_ALLOW_THREADS PyMem_Free(names);
    Py_DECREF(kept);
    return rc ? core_raise(st, &err) : image_list(st, images, n_images);
}

static PyMethodDef methods[] = {{"write", image_write, METH_VARARGS, write_doc},
                                {"series_open", series_open, METH_VARARGS, series_open_doc},
                                {0}};

int core_image_add(PyObject *module)
{
    core_state *const st = PyModule_GetState(module);

    if (core_add_type(module, &index_spec, &st->index_type) ||
        core_add_type(module, &image_spec, &st->image_type))
        return -1;
    return PyModule_AddFunctions(module, methods);
}
