/* listing.c: listings of DICOM folders for Python; microtome/dicom/listing.py gives them their form.
 * SPDX-License-Identifier: Apache-2.0 */
#include "../core.h"

#include <stddef.h>
#include <string.h>

static const struct text_member {
    const char *name;
    size_t at;
} texts[] =
    {
        {"path", offsetof(mtm_dicom_instance, path)},
        {"patient_id", offsetof(mtm_dicom_instance, patient_id)},
        {"patient_name", offsetof(mtm_dicom_instance, patient_name)},
        {"study_uid", offsetof(mtm_dicom_instance, study_uid)},
        {"study_date", offsetof(mtm_dicom_instance, study_date)},
        {"study_description", offsetof(mtm_dicom_instance, study_description)},
        {"series_uid", offsetof(mtm_dicom_instance, series_uid)},
        {"series_description", offsetof(mtm_dicom_instance, series_description)},
        {"modality", offsetof(mtm_dicom_instance, modality)},
        {"sop_uid", offsetof(mtm_dicom_instance, sop_uid)},
        {"sop_class", offsetof(mtm_dicom_instance, sop_class)},
        {"transfer_syntax", offsetof(mtm_dicom_instance, transfer_syntax)},
        {"image_type", offsetof(mtm_dicom_instance, image_type)},
    },
  numbers[] = {
      {"series_number", offsetof(mtm_dicom_instance, series_number)},
      {"instance_number", offsetof(mtm_dicom_instance, instance_number)},
      {"rows", offsetof(mtm_dicom_instance, rows)},
      {"columns", offsetof(mtm_dicom_instance, columns)},
      {"frames", offsetof(mtm_dicom_instance, frames)},
      {"file_bytes", offsetof(mtm_dicom_instance, file_bytes)},
  };
enum { N_TEXTS = sizeof texts / sizeof *texts, N_NUMBERS = sizeof numbers / sizeof *numbers };

/* Neighbours share their texts: one Python object stands for all of them. */
typedef struct shared_text {
    const char *of;
    PyObject *text;
} shared_text;

static PyObject *text_of(shared_text *last, const char *s, bool path)
{
    if (last->of != s || !last->text) {
        Py_XDECREF(last->text);
        last->text =
            path ? PyUnicode_DecodeFSDefault(s) : PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
        last->of = s;
    }
    return Py_XNewRef(last->text);
}

/* Takes the value. */
static bool put(PyObject *dict, const char *name, PyObject *value)
{
    const bool ok = value && !PyDict_SetItemString(dict, name, value);

    Py_XDECREF(value);
    return ok;
}

static PyObject *instance(const mtm_dicom_instance *x, shared_text last[N_TEXTS])
{
    PyObject *const d = PyDict_New();
    bool ok = d != NULL;

    for (int i = 0; ok && i < N_TEXTS; i++) {
        const char *s;

        memcpy(&s, (const char *)x + texts[i].at, sizeof s);
        ok = put(d, texts[i].name, text_of(&last[i], s, i == 0));
    }
    for (int i = 0; ok && i < N_NUMBERS; i++) {
        int64_t v;

        memcpy(&v, (const char *)x + numbers[i].at, sizeof v);
        ok = put(d, numbers[i].name, v < 0 ? Py_NewRef(Py_None) : PyLong_FromLongLong(v));
    }
    ok = ok && put(d, "has_pixels", PyBool_FromLong(x->has_pixels));
    if (!ok)
        Py_XDECREF(d);
    return ok ? d : NULL;
}

static PyObject *instances(const mtm_dicom_listing *l)
{
    PyObject *list = PyList_New((Py_ssize_t)l->n);
    shared_text last[N_TEXTS] = {0};

    for (int64_t i = 0; list && i < l->n; i++) {
        PyObject *const x = instance(&l->instances[i], last);

        if (!x || PyList_SetItem(list, (Py_ssize_t)i, x))
            Py_CLEAR(list);
    }
    for (int i = 0; i < N_TEXTS; i++)
        Py_XDECREF(last[i].text);
    return list;
}

static PyObject *skipped(const mtm_dicom_listing *l)
{
    PyObject *list = PyList_New((Py_ssize_t)l->n_skipped);

    for (int64_t i = 0; list && i < l->n_skipped; i++) {
        const char *const why = l->skipped[i].why;
        PyObject *const pair = Py_BuildValue("(NN)", PyUnicode_DecodeFSDefault(l->skipped[i].path),
                                             PyUnicode_DecodeUTF8(why, (Py_ssize_t)strlen(why), "replace"));

        if (!pair || PyList_SetItem(list, (Py_ssize_t)i, pair))
            Py_CLEAR(list);
    }
    return list;
}

/* Paths of a list as C strings, which `keep` holds; NULL: exception set. */
static const char **paths_of(PyObject *list, PyObject *keep)
{
    const Py_ssize_t n = PyList_Size(list);
    const char **const paths = PyMem_Calloc((size_t)n + 1, sizeof *paths);

    if (!paths)
        PyErr_NoMemory();
    for (Py_ssize_t i = 0; paths && i < n; i++) {
        PyObject *const path = core_path(PyList_GetItem(list, i));
        const bool ok = path && !PyList_Append(keep, path);

        paths[i] = ok ? PyBytes_AsString(path) : NULL;
        Py_XDECREF(path);
        if (!ok) {
            PyMem_Free(paths);
            return NULL;
        }
    }
    return paths;
}

/* Ctrl-C stops a scan: signals are looked at between the pieces of work that the main thread does. */
typedef struct watch {
    volatile bool cancel;
} watch;

static void look_at_signals(void *user, int64_t done, int64_t files)
{
    watch *const w = user;
    const PyGILState_STATE lock = PyGILState_Ensure();

    if (!w->cancel && PyErr_CheckSignals())
        w->cancel = true; /* the exception stays set in the thread that called */
    PyGILState_Release(lock);
}

PyDoc_STRVAR(scan_doc, "dicom_scan(paths, threads)\n--\n\nInstances as dicts, where series, studies and "
                       "patients begin, and what was skipped.");
static PyObject *scan(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    watch w = {false};
    mtm_dicom_scan_options opt = {
        .struct_size = sizeof opt, .cancel = &w.cancel, .progress = look_at_signals, .user = &w};
    PyObject *list, *keep, *result = NULL;
    mtm_dicom_listing *l = NULL;
    mtm_pool *own = NULL;
    mtm_error err = {.offset = -1};
    mtm_status rc = MTM_OK;
    int threads;

    if (!PyArg_ParseTuple(args, "O!i", &PyList_Type, &list, &threads) || !core_runtime(st))
        return NULL;
    keep = PyList_New(0);
    const char **const paths = keep ? paths_of(list, keep) : NULL;
    const Py_ssize_t n = PyList_Size(list);
    if (paths) {
        Py_BEGIN_ALLOW_THREADS if (threads > 0) rc = mtm_pool_new(&own, threads, &err);
        opt.pool = own ? own : st->pool;
        if (!rc)
            rc = mtm_dicom_scan(&l, paths, n, &opt, &err);
        mtm_pool_free(own);
        Py_END_ALLOW_THREADS if (rc && !PyErr_Occurred()) core_raise(st, &err);
    }
    if (l && !PyErr_Occurred())
        result = Py_BuildValue("(NNNNN)", instances(l), core_shape_tuple(l->series, (int32_t)l->n_series + 1),
                               core_shape_tuple(l->studies, (int32_t)l->n_studies + 1),
                               core_shape_tuple(l->patients, (int32_t)l->n_patients + 1), skipped(l));
    mtm_dicom_listing_free(l);
    PyMem_Free(paths);
    Py_XDECREF(keep);
    return result;
}

static PyMethodDef methods[] = {{"dicom_scan", scan, METH_VARARGS, scan_doc}, {0}};

int core_dicom_scan_add(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
