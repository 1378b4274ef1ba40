/* dlpack.c: arrays as DLPack capsules, in the old form and the versioned one (github.com/dmlc/dlpack, ABI 1.0). The
 * tensor keeps its own reference to the memory and is deleted by its consumer on any thread, without the interpreter's lock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

enum { DL_CPU = 1 };

/* A capsule that nobody consumed still owns its tensor; a consumer renames it. */
static void capsule_free(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor"))
        mtm_dlpack_drop(PyCapsule_GetPointer(capsule, "dltensor"));
}

static void capsule_versioned_free(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor_versioned"))
        mtm_dlpack_versioned_drop(PyCapsule_GetPointer(capsule, "dltensor_versioned"));
}

static PyObject *capsule(core_state *st, const mtm_array *a, bool readonly, bool versioned)
{
    struct DLManagedTensor *old = NULL;
    struct DLManagedTensorVersioned *now = NULL;
    mtm_error err;

    if (versioned ? mtm_array_to_dlpack_versioned(&now, a, readonly, &err)
                  : mtm_array_to_dlpack(&old, a, &err)) {
        PyErr_SetString(PyExc_BufferError, err.text);
        return NULL;
    }
    PyObject *const c = versioned ? PyCapsule_New(now, "dltensor_versioned", capsule_versioned_free)
                                  : PyCapsule_New(old, "dltensor", capsule_free);
    if (!c && versioned)
        mtm_dlpack_versioned_drop(now);
    else if (!c)
        mtm_dlpack_drop(old);
    return c;
}

static PyObject *copied_capsule(core_state *st, const mtm_array *a, bool versioned)
{
    mtm_array copy = {0};
    mtm_error err;
    mtm_status rc;

    Py_BEGIN_ALLOW_THREADS rc = mtm_array_new(&copy, a->dtype, a->ndim, a->shape, NULL, &err);
    if (!rc)
        rc = mtm_array_convert(&copy, a, 1, 0, NULL, &err);
    Py_END_ALLOW_THREADS PyObject *const c = rc ? core_raise(st, &err) : capsule(st, &copy, false, versioned);

    mtm_array_drop(&copy);
    return c;
}

PyObject *core_array_dlpack(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
    ArrayObject *const o = (ArrayObject *)self;
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    int major = 0, minor = 0, type = DL_CPU, id = 0;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO", names, &stream, &version, &device, &copy) ||
        (version != Py_None && !PyArg_ParseTuple(version, "ii", &major, &minor)) ||
        (device != Py_None && !PyArg_ParseTuple(device, "ii", &type, &id)))
        return NULL;
    if (stream != Py_None || type != DL_CPU) {
        PyErr_SetString(PyExc_BufferError,
                        "this array lies in the CPU's memory: stream must be None, dl_device (1, 0)");
        return NULL;
    }
    const int want_copy = copy == Py_None ? 0 : PyObject_IsTrue(copy);
    if (want_copy < 0)
        return NULL;
    if (want_copy)
        return copied_capsule(CORE_STATE(self), &o->a, major >= 1);
    if (o->readonly && major < 1) {
        PyErr_SetString(PyExc_BufferError, "this array is read-only, which DLPack before 1.0 cannot say");
        return NULL;
    }
    return capsule(CORE_STATE(self), &o->a, o->readonly, major >= 1);
}
