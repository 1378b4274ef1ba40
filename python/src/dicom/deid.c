/* deid.c: de-identification for microtome/dicom/deid.py.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dicom.h"

enum { MOST_SAFE = 1024 };

static PyObject *report_value(const mtm_deid_report *r)
{
    PyObject *const changes = PyList_New((Py_ssize_t)r->n), *const warnings = PyList_New(r->n_warnings);
    bool good = changes && warnings;

    for (int64_t i = 0; good && i < r->n; i++) {
        PyObject *const pair = Py_BuildValue("(sC)", r->changes[i].path, r->changes[i].action);

        good = pair && PyList_SetItem(changes, (Py_ssize_t)i, pair) == 0;
    }
    for (int32_t i = 0; good && i < r->n_warnings; i++) {
        PyObject *const line = PyUnicode_FromString(r->warnings[i]);

        good = line && PyList_SetItem(warnings, i, line) == 0;
    }
    if (good)
        return Py_BuildValue("(NN)", changes, warnings);
    Py_XDECREF(changes);
    Py_XDECREF(warnings);
    return NULL;
}

/* Borrowed texts of a list; −1: exception set. */
static int32_t texts_of(PyObject *list, const char **texts)
{
    const Py_ssize_t n = PyList_Size(list);

    if (n > MOST_SAFE)
        return PyErr_Format(PyExc_ValueError, "more than %d safe private attributes", MOST_SAFE), -1;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!(texts[i] = core_text(PyList_GetItem(list, i))))
            return -1;
    return (int32_t)n;
}

PyDoc_STRVAR(deidentify_doc, "dicom_deidentify(dicom, secret, flags, patient_id, patient_name, safe_private, "
                             "uid_root, shift_days)\n--\n\n"
                             "(a new Dicom that refers to the first, (changes, warnings)).");
static PyObject *dicom_deidentify(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    const char *safe[MOST_SAFE];
    mtm_deid_options opt = {.struct_size = sizeof opt, .safe_private = safe};
    mtm_deid_report *report = NULL;
    mtm_dicom *made = NULL;
    PyObject *source, *list;
    Py_buffer secret;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "O!y*IzzO!zi", st->dicom_type, &source, &secret, &opt.flags, &opt.patient_id,
                          &opt.patient_name, &PyList_Type, &list, &opt.uid_root, &opt.shift_days))
        return NULL;
    opt.secret = secret.buf, opt.secret_bytes = (size_t)secret.len;
    opt.n_safe_private = texts_of(list, safe);
    if (opt.n_safe_private < 0) {
        PyBuffer_Release(&secret);
        return NULL;
    }
    const mtm_dicom *const d = ((const DicomObject *)source)->dicom;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_deidentify(&made, &report, d, &opt, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&secret);
    if (rc)
        return core_raise(st, &err);
    PyObject *const told = report_value(report), *const out =
                                                     told ? core_dicom_based(st, made, source) : NULL;

    mtm_deid_report_free(report);
    if (!told)
        mtm_dicom_close(made);
    return out ? Py_BuildValue("(NN)", out, told) : NULL;
}

static PyMethodDef functions[] = {{"dicom_deidentify", dicom_deidentify, METH_VARARGS, deidentify_doc}, {0}};

int core_dicom_deid_add(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
