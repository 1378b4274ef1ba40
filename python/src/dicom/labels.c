/* labels.c: structure sets and segmentations on another image's grid, for Python; microtome/dicom/labels.py gives them their
 * form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../core.h"

#include <string.h>

static const char capsule_name[] = "microtome.structures";

static void capsule_free(PyObject *capsule)
{
    mtm_dicom_structures_close(PyCapsule_GetPointer(capsule, capsule_name));
}

static PyObject *utf8(const char *s)
{
    return PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
}

static PyObject *roi_dict(const mtm_dicom_roi *r)
{
    PyObject *const color = r->color[0] < 0 || r->color[1] < 0 || r->color[2] < 0
                                ? Py_NewRef(Py_None)
                                : Py_BuildValue("(iii)", r->color[0], r->color[1], r->color[2]);

    return Py_BuildValue("{s:L,s:N,s:N,s:N,s:L,s:L}", "number", (long long)r->number, "name", utf8(r->name),
                         "type", utf8(r->type), "color", color, "contours", (long long)r->contours, "points",
                         (long long)r->points);
}

static PyObject *roi_list(const mtm_dicom_structures *s)
{
    const int64_t n = mtm_dicom_structures_count(s);
    PyObject *list = PyList_New((Py_ssize_t)n);

    for (int64_t i = 0; list && i < n; i++) {
        PyObject *const d = roi_dict(mtm_dicom_structures_get(s, i));

        if (!d || PyList_SetItem(list, (Py_ssize_t)i, d))
            Py_CLEAR(list);
    }
    return list;
}

PyDoc_STRVAR(structures_doc,
             "dicom_structures(path)\n--\n\nA structure set (a capsule), and its regions as dicts.");
static PyObject *structures(PyObject *module, PyObject *path)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *const bytes = core_path(path);
    mtm_dicom_structures *s = NULL;
    mtm_error err = {.offset = -1};
    mtm_status rc;

    if (!bytes)
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_structures_open(&s, PyBytes_AsString(bytes), NULL, &err);
    Py_END_ALLOW_THREADS Py_DECREF(bytes);
    if (rc)
        return core_raise(st, &err);
    PyObject *const capsule = PyCapsule_New(s, capsule_name, capsule_free);
    if (!capsule) {
        mtm_dicom_structures_close(s);
        return NULL;
    }
    return Py_BuildValue("(NN)", capsule, roi_list(s));
}

/* (size [3], affine [16]) → grid. */
static bool get_grid(PyObject *value, mtm_dicom_grid *grid)
{
    double *affine;
    Py_ssize_t n;
    PyObject *matrix;
    long long size[3];

    if (!PyArg_ParseTuple(value, "(LLL)O", &size[0], &size[1], &size[2], &matrix) ||
        !core_numbers(matrix, &affine, &n, "the affine"))
        return false;
    for (int i = 0; i < 3; i++)
        grid->size[i] = size[i];
    if (n == 16)
        memcpy(grid->affine, affine, sizeof grid->affine);
    else
        PyErr_SetString(PyExc_ValueError, "an affine has 16 numbers");
    PyMem_Free(affine);
    return n == 16;
}

PyDoc_STRVAR(draw_doc,
             "dicom_structures_draw(structures, i, grid, value, array)\n--\n\nDraws a region; how many "
             "of its contours lie outside.");
static PyObject *draw(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *capsule, *grid_value, *array;
    long long i, value;
    mtm_dicom_grid grid;
    core_view v = {0};
    int64_t outside = 0;
    mtm_error err = {.offset = -1};
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OLO!LO", &capsule, &i, &PyTuple_Type, &grid_value, &value, &array) ||
        !get_grid(grid_value, &grid))
        return NULL;
    const mtm_dicom_structures *const s = PyCapsule_GetPointer(capsule, capsule_name);
    if (!s || !core_view_get(st, &v, array, true, "the array"))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_structures_draw(s, i, &grid, value, &v.a, &outside, &err);
    Py_END_ALLOW_THREADS core_view_drop(&v);
    return rc ? core_raise(st, &err) : PyLong_FromLongLong(outside);
}

/* All of an image, with the interpreter's own pool. */
static mtm_status read_whole(core_state *st, const char *path, const mtm_dicom_grid *grid, mtm_array *out,
                             mtm_error *err)
{
    mtm_read_options how = {.struct_size = sizeof how, .pool = st->pool, .recycler = st->recycler};
    mtm_image *im = NULL;
    mtm_status rc = mtm_dicom_seg_open(&im, path, grid, NULL, err);

    if (!rc)
        rc = mtm_image_read(im, 0, NULL, &how, out, err);
    mtm_image_close(im);
    return rc;
}

PyDoc_STRVAR(seg_doc, "dicom_seg(path, grid)\n--\n\nA segmentation's voxels on a grid.");
static PyObject *seg(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *path, *grid_value;
    mtm_dicom_grid grid;
    mtm_array a = {0};
    mtm_error err = {.offset = -1};
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OO!", &path, &PyTuple_Type, &grid_value) || !core_runtime(st) ||
        !get_grid(grid_value, &grid))
        return NULL;
    PyObject *const bytes = core_path(path);
    if (!bytes)
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = read_whole(st, PyBytes_AsString(bytes), &grid, &a, &err);
    Py_END_ALLOW_THREADS Py_DECREF(bytes);
    return rc ? core_raise(st, &err) : core_numpy_take(st, &a);
}

static PyMethodDef methods[] = {{"dicom_structures", structures, METH_O, structures_doc},
                                {"dicom_structures_draw", draw, METH_VARARGS, draw_doc},
                                {"dicom_seg", seg, METH_VARARGS, seg_doc},
                                {0}};

int core_dicom_labels_add(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
