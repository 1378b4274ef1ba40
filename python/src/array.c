/* array.c: arrays across the border. Out: the type Array, a view with the buffer protocol that owns a reference to its
 * memory, which NumPy wraps without a copy. In: core_view, a caller's array as the library sees it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <stdlib.h>
#include <string.h>

/* Format characters of the struct module, native sizes (LP64: 'l' is NumPy's int64). */
static const char *const formats[MTM_N_DTYPES] = {
    [MTM_U8] = "B",  [MTM_I8] = "b",  [MTM_U16] = "H", [MTM_I16] = "h", [MTM_U32] = "I", [MTM_I32] = "i",
    [MTM_U64] = "L", [MTM_I64] = "l", [MTM_F16] = "e", [MTM_F32] = "f", [MTM_F64] = "d", [MTM_BOOL] = "?"};

_Static_assert(sizeof(long) == 8 && sizeof(Py_ssize_t) == sizeof(int64_t), "an LP64 system");

PyObject *core_asarray(core_state *st, PyObject *obj)
{
    if (!st->asarray) {
        PyObject *const numpy = PyImport_ImportModule("numpy");

        st->asarray = numpy ? PyObject_GetAttrString(numpy, "asarray") : NULL;
        Py_XDECREF(numpy);
    }
    return st->asarray ? PyObject_CallFunctionObjArgs(st->asarray, obj, NULL) : NULL;
}

PyObject *core_array_take(core_state *st, mtm_array *a)
{
    ArrayObject *const o = PyObject_New(ArrayObject, st->array_type);

    if (!o) {
        mtm_array_drop(a);
        return NULL;
    }
    o->a = *a, o->readonly = false;
    *a = (mtm_array){0};
    return (PyObject *)o;
}

PyObject *core_numpy_take(core_state *st, mtm_array *a)
{
    PyObject *const o = core_array_take(st, a);
    PyObject *const n = o ? core_asarray(st, o) : NULL;

    Py_XDECREF(o);
    return n;
}

PyObject *core_shape_tuple(const int64_t *v, int32_t n)
{
    PyObject *const t = PyTuple_New(n);

    for (int32_t i = 0; t && i < n; i++) {
        PyObject *const x = PyLong_FromLongLong(v[i]);
        if (!x || PyTuple_SetItem(t, i, x)) {
            Py_DECREF(t);
            return NULL;
        }
    }
    return t;
}

PyObject *core_double_tuple(const double *v, int32_t n)
{
    PyObject *const t = PyTuple_New(n);

    for (int32_t i = 0; t && i < n; i++) {
        PyObject *const x = PyFloat_FromDouble(v[i]);
        if (!x || PyTuple_SetItem(t, i, x)) {
            Py_DECREF(t);
            return NULL;
        }
    }
    return t;
}

/* ---- the type ----------------------------------------------------------------------------------------- */

static void array_dealloc(PyObject *self)
{
    ArrayObject *const o = (ArrayObject *)self;
    PyTypeObject *const type = Py_TYPE(self);

    mtm_array_drop(&o->a);
    PyObject_Free(self);
    Py_DECREF(type);
}

static int array_getbuffer(PyObject *self, Py_buffer *b, int flags)
{
    ArrayObject *const o = (ArrayObject *)self;
    const bool strided = (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
    static char no_voxels; /* an empty array still needs an address */

    b->obj = NULL;
    if (o->readonly && (flags & PyBUF_WRITABLE) == PyBUF_WRITABLE) {
        PyErr_SetString(PyExc_BufferError, "this array is read-only");
        return -1;
    }
    if ((!strided || (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS) && !mtm_array_is_c_order(&o->a)) {
        PyErr_SetString(PyExc_BufferError, "this array is not C-contiguous");
        return -1;
    }
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && o->a.ndim > 1) {
        PyErr_SetString(PyExc_BufferError, "this array is not Fortran-contiguous");
        return -1;
    }
    b->obj = Py_NewRef(self);
    b->buf = o->a.data ? o->a.data : &no_voxels;
    b->itemsize = (Py_ssize_t)mtm_dtype_size(o->a.dtype);
    b->len = (Py_ssize_t)mtm_array_count(&o->a) * b->itemsize;
    b->readonly = o->readonly;
    b->ndim = o->a.ndim;
    b->format = flags & PyBUF_FORMAT ? (char *)formats[o->a.dtype] : NULL;
    b->shape = flags & PyBUF_ND ? (Py_ssize_t *)o->a.shape : NULL;
    b->strides = strided ? (Py_ssize_t *)o->a.stride : NULL;
    b->suboffsets = NULL, b->internal = NULL;
    return 0;
}

static PyObject *array_shape(PyObject *self, void *unused)
{
    const mtm_array *const a = &((ArrayObject *)self)->a;

    return core_shape_tuple(a->shape, a->ndim);
}

static PyObject *array_strides(PyObject *self, void *unused)
{
    const mtm_array *const a = &((ArrayObject *)self)->a;

    return core_shape_tuple(a->stride, a->ndim);
}

static PyObject *array_ndim(PyObject *self, void *unused)
{
    return PyLong_FromLong(((ArrayObject *)self)->a.ndim);
}

static PyObject *array_size(PyObject *self, void *unused)
{
    return PyLong_FromLongLong(mtm_array_count(&((ArrayObject *)self)->a));
}

static PyObject *array_nbytes(PyObject *self, void *unused)
{
    const mtm_array *const a = &((ArrayObject *)self)->a;

    return PyLong_FromLongLong(mtm_array_count(a) * (int64_t)mtm_dtype_size(a->dtype));
}

static PyObject *array_dtype(PyObject *self, void *unused)
{
    PyObject *const numpy = PyImport_ImportModule("numpy");
    PyObject *const t =
        numpy ? PyObject_CallMethod(numpy, "dtype", "s", mtm_dtype_name(((ArrayObject *)self)->a.dtype))
              : NULL;

    Py_XDECREF(numpy);
    return t;
}

static PyObject *array_numpy(PyObject *self, PyObject *unused)
{
    return core_asarray(CORE_STATE(self), self);
}

static PyObject *array_array(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"dtype", "copy", NULL};
    PyObject *dtype = Py_None, *copy = Py_None, *out = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO", names, &dtype, &copy))
        return NULL;
    PyObject *const plain = array_numpy(self, NULL);
    PyObject *const old = plain ? PyObject_GetAttrString(plain, "dtype") : NULL;
    const int want_copy = copy == Py_None ? 0 : PyObject_IsTrue(copy);
    const int same = !old ? -1 : dtype == Py_None ? 1 : PyObject_RichCompareBool(old, dtype, Py_EQ);

    if (old && same >= 0 && want_copy >= 0) {
        if (same && !want_copy)
            out = Py_NewRef(plain);
        else if (!same && copy == Py_False)
            PyErr_SetString(PyExc_ValueError, "another dtype needs a copy, and copy=False forbids it");
        else
            out = PyObject_CallMethod(plain, "astype", "O", same ? old : dtype);
    }
    Py_XDECREF(plain);
    Py_XDECREF(old);
    return out;
}

static PyObject *array_dlpack_device(PyObject *self, PyObject *unused)
{
    return Py_BuildValue("(ii)", 1, 0); /* kDLCPU */
}

static PyObject *array_item(PyObject *self, PyObject *key)
{
    PyObject *const n = array_numpy(self, NULL);
    PyObject *const out = n ? PyObject_GetItem(n, key) : NULL;

    Py_XDECREF(n);
    return out;
}

static int array_assign(PyObject *self, PyObject *key, PyObject *value)
{
    PyObject *const n = array_numpy(self, NULL);
    const int rc = !n ? -1 : value ? PyObject_SetItem(n, key, value) : PyObject_DelItem(n, key);

    Py_XDECREF(n);
    return rc;
}

static Py_ssize_t array_length(PyObject *self)
{
    const mtm_array *const a = &((ArrayObject *)self)->a;

    if (a->ndim)
        return (Py_ssize_t)a->shape[0];
    PyErr_SetString(PyExc_TypeError, "an array without axes has no length");
    return -1;
}

static PyObject *array_repr(PyObject *self)
{
    PyObject *const shape = array_shape(self, NULL);
    PyObject *const s = shape ? PyUnicode_FromFormat("<microtome.Array %R %s>", shape,
                                                     mtm_dtype_name(((ArrayObject *)self)->a.dtype))
                              : NULL;

    Py_XDECREF(shape);
    return s;
}

static PyGetSetDef array_getset[] = {
    {"shape", array_shape, NULL, "extents, outermost first", NULL},
    {"strides", array_strides, NULL, "bytes from one element to the next, per axis", NULL},
    {"ndim", array_ndim, NULL, "how many axes", NULL},
    {"size", array_size, NULL, "how many elements", NULL},
    {"nbytes", array_nbytes, NULL, "bytes of all elements", NULL},
    {"dtype", array_dtype, NULL, "the NumPy dtype", NULL},
    {0}};

static PyMethodDef array_methods[] = {
    {"numpy", array_numpy, METH_NOARGS, "numpy()\n--\n\nA NumPy array that shares the memory and keeps it."},
    {"__array__", (PyCFunction)(void (*)(void))array_array, METH_VARARGS | METH_KEYWORDS,
     "__array__(dtype=None, copy=None)\n--\n\nNumPy's protocol; shares the memory unless a copy is needed."},
    {"__dlpack__", (PyCFunction)(void (*)(void))core_array_dlpack, METH_VARARGS | METH_KEYWORDS,
     "__dlpack__(*, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\n"
     "A DLPack capsule that shares the memory and keeps it: torch.from_dlpack(array) copies nothing."},
    {"__dlpack_device__", array_dlpack_device, METH_NOARGS, "__dlpack_device__()\n--\n\n(1, 0): the CPU."},
    {0}};

PyDoc_STRVAR(
    array_doc,
    "Array()\n--\n\nAn n-dimensional array in memory of the library's own (64-byte aligned, returned for "
    "reuse when\n"
    "the last of this object, NumPy arrays, memory views and DLPack tensors made from it is gone).\n"
    "Has the buffer protocol, __array__ and __dlpack__, all without a copy; indexing gives NumPy views.");

static PyType_Slot array_slots[] = {{Py_tp_doc, (void *)array_doc},
                                    {Py_tp_dealloc, array_dealloc},
                                    {Py_tp_getset, array_getset},
                                    {Py_tp_methods, array_methods},
                                    {Py_tp_repr, array_repr},
                                    {Py_mp_subscript, array_item},
                                    {Py_mp_ass_subscript, array_assign},
                                    {Py_mp_length, array_length},
                                    {Py_bf_getbuffer, array_getbuffer},
                                    {0, NULL}};

static PyType_Spec array_spec = {.name = "microtome._core.Array",
                                 .basicsize = sizeof(ArrayObject),
                                 .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 .slots = array_slots};

/* ---- callers' arrays ---------------------------------------------------------------------------------- */

/* The dtype of a struct-module format; the size decides among the integers. MTM_NONE: none of ours. */
static mtm_dtype dtype_of(const char *f, Py_ssize_t itemsize)
{
    if (*f && strchr("@=<>!", *f))
        f++;
    if (!f[0] || f[1])
        return MTM_NONE;
    if (strchr("bhilqn", *f))
        return itemsize == 1 ? MTM_I8 : itemsize == 2 ? MTM_I16 : itemsize == 4 ? MTM_I32 : MTM_I64;
    if (strchr("BHILQN", *f))
        return itemsize == 1 ? MTM_U8 : itemsize == 2 ? MTM_U16 : itemsize == 4 ? MTM_U32 : MTM_U64;
    switch (*f) {
    case 'e': return MTM_F16;
    case 'f': return MTM_F32;
    case 'd': return MTM_F64;
    case '?': return MTM_BOOL;
    default: return MTM_NONE;
    }
}

/* The same values in native byte order; takes obj. */
static PyObject *to_native(core_state *st, PyObject *obj)
{
    PyObject *const n = core_asarray(st, obj);
    PyObject *const old = n ? PyObject_GetAttrString(n, "dtype") : NULL;
    PyObject *const dtype = old ? PyObject_CallMethod(old, "newbyteorder", "s", "=") : NULL;
    PyObject *const out = dtype ? PyObject_CallMethod(n, "astype", "O", dtype) : NULL;

    Py_XDECREF(n);
    Py_XDECREF(old);
    Py_XDECREF(dtype);
    Py_DECREF(obj);
    return out;
}

static bool fill_view(core_state *st, core_view *v, const char *what)
{
    const Py_buffer *const b = &v->buffer;

    if (b->ndim < 1 || b->ndim > MTM_MAX_DIMS)
        return core_fail(st, MTM_E_INVAL, "%s has %d axes; 1 to %d are possible", what, b->ndim,
                         MTM_MAX_DIMS);
    v->a = (mtm_array){
        .data = b->buf, .ndim = b->ndim, .dtype = dtype_of(b->format ? b->format : "B", b->itemsize)};
    if (v->a.dtype == MTM_NONE)
        return core_fail(
            st, MTM_E_INVAL,
            "%s holds elements of the kind '%s'; booleans, integers and real floats of 16, 32 or 64 bits are "
            "possible",
            what, b->format);
    for (int i = 0; i < b->ndim; i++)
        v->a.shape[i] = b->shape[i], v->a.stride[i] = b->strides[i];
    return true;
}

bool core_view_get(core_state *st, core_view *v, PyObject *obj, bool writable, const char *what)
{
    const int flags = PyBUF_STRIDED_RO | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);

    obj = PyObject_CheckBuffer(obj) || writable ? Py_NewRef(obj) : core_asarray(st, obj);
    if (!obj)
        return false;
    if (PyObject_GetBuffer(obj, &v->buffer, flags)) {
        Py_DECREF(obj);
        if (writable &&
            (PyErr_ExceptionMatches(PyExc_BufferError) || PyErr_ExceptionMatches(PyExc_ValueError) ||
             PyErr_ExceptionMatches(PyExc_TypeError))) {
            PyErr_Clear();
            core_fail(st, MTM_E_INVAL, "%s must be a writable array", what);
        }
        return false;
    }
    v->held = true;
    if (v->buffer.format && strchr(">!", v->buffer.format[0]) && v->buffer.itemsize > 1) {
        PyBuffer_Release(&v->buffer);
        v->held = false;
        if (writable) {
            Py_DECREF(obj);
            return core_fail(st, MTM_E_INVAL, "%s must be in native byte order", what);
        }
        obj = to_native(st, obj);
        if (!obj || PyObject_GetBuffer(obj, &v->buffer, flags)) {
            Py_XDECREF(obj);
            return false;
        }
        v->held = true;
    }
    Py_DECREF(obj); /* the buffer keeps it */
    if (fill_view(st, v, what))
        return true;
    core_view_drop(v);
    return false;
}

void core_view_drop(core_view *v)
{
    if (v->held)
        PyBuffer_Release(&v->buffer);
    v->held = false;
}

static void release_view(void *user)
{
    const PyGILState_STATE g = PyGILState_Ensure();

    core_view_drop(user);
    PyMem_Free(user);
    PyGILState_Release(g);
}

bool core_view_own(core_state *st, core_view *v, mtm_array *out)
{
    core_view *const kept = PyMem_Malloc(sizeof *kept);
    mtm_buffer *owner = NULL;
    mtm_error err;

    if (!kept)
        return PyErr_NoMemory();
    *kept = *v, v->held = false;
    if (mtm_buffer_wrap(&owner, kept->a.data, (size_t)kept->buffer.len, release_view, kept, &err)) {
        core_view_drop(kept);
        PyMem_Free(kept);
        return core_raise(st, &err);
    }
    *out = kept->a;
    out->owner = owner;
    return true;
}

/* ---- the module's functions --------------------------------------------------------------------------- */

PyDoc_STRVAR(
    convert_doc,
    "convert(array, dtype)\n--\n\nA copy of another dtype: floats become integers by rounding half to "
    "even, clamped.\nErrors: ValueError (NaN to an integer, unknown dtype).");
static PyObject *convert(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_array dst = {0};
    core_view v = {0};
    PyObject *array;
    const char *name;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "Os", &array, &name) || !core_runtime(st))
        return NULL;
    const mtm_dtype dtype = mtm_dtype_parse(name);
    if (dtype == MTM_NONE)
        return core_fail(st, MTM_E_INVAL, "'%s' is no dtype that arrays here can have", name);
    if (!core_view_get(st, &v, array, false, "the array"))
        return NULL;
    mtm_pool *const pool = st->pool;
    mtm_recycler *const recycler = st->recycler;
    Py_BEGIN_ALLOW_THREADS rc = mtm_array_new(&dst, dtype, v.a.ndim, v.a.shape, recycler, &err);
    if (!rc)
        rc = mtm_array_convert(&dst, &v.a, 1, 0, pool, &err);
    Py_END_ALLOW_THREADS core_view_drop(&v);
    if (!rc)
        return core_numpy_take(st, &dst);
    mtm_array_drop(&dst);
    return core_raise(st, &err);
}

static PyMethodDef functions[] = {{"convert", convert, METH_VARARGS, convert_doc}, {0}};

int core_array_add(PyObject *module)
{
    if (PyModule_AddFunctions(module, functions))
        return -1;
    return core_add_type(module, &array_spec, &((core_state *)PyModule_GetState(module))->array_type);
}
