/* dataset.c: the type Dicom, an open data set, and its values as Python's. The shape that users see is microtome/dicom's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dicom.h"

#include <math.h>
#include <string.h>

/* ---- opening ------------------------------------------------------------------------------------------ */

static PyObject *dicom_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"source", "memory", "name", "force", "stop_before_pixels", NULL};
    core_state *const st = PyType_GetModuleState(type);
    PyObject *source, *path = NULL;
    int memory, force, stop;
    const char *name;
    mtm_dicom *d = NULL;
    Py_buffer buffer = {0};
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Opspp", names, &source, &memory, &name, &force, &stop))
        return NULL;
    if (memory ? PyObject_GetBuffer(source, &buffer, PyBUF_SIMPLE) : !(path = core_path(source)))
        return NULL;
    const mtm_dicom_options opt = {.struct_size = sizeof opt, .force = force, .stop_at_pixels = stop};
    Py_BEGIN_ALLOW_THREADS if (memory) rc =
        mtm_dicom_open_memory(&d, buffer.buf, (size_t)buffer.len, name, &opt, &err);
    else rc = mtm_dicom_open(&d, PyBytes_AsString(path), &opt, &err);
    Py_END_ALLOW_THREADS Py_XDECREF(path);
    DicomObject *const o = rc ? (DicomObject *)core_raise(st, &err) : PyObject_New(DicomObject, type);
    if (!o) {
        mtm_dicom_close(d);
        if (memory)
            PyBuffer_Release(&buffer);
        return NULL;
    }
    o->dicom = d, o->buffer = buffer, o->held = memory, o->base = NULL;
    o->elements = mtm_dicom_elements(d, &o->n);
    return (PyObject *)o;
}

PyObject *core_dicom_take(core_state *st, mtm_dicom *d)
{
    DicomObject *const o = PyObject_New(DicomObject, st->dicom_type);

    if (!o) {
        mtm_dicom_close(d);
        return NULL;
    }
    o->dicom = d, o->buffer = (Py_buffer){0}, o->held = false, o->base = NULL;
    o->elements = mtm_dicom_elements(d, &o->n);
    return (PyObject *)o;
}

PyObject *core_dicom_based(core_state *st, mtm_dicom *d, PyObject *base)
{
    PyObject *const o = core_dicom_take(st, d);

    if (o)
        ((DicomObject *)o)->base = Py_XNewRef(base);
    return o;
}

static void dicom_dealloc(PyObject *self)
{
    DicomObject *const o = (DicomObject *)self;
    PyTypeObject *const type = Py_TYPE(self);

    mtm_dicom_close(o->dicom);
    if (o->held)
        PyBuffer_Release(&o->buffer);
    Py_XDECREF(o->base);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* ---- the table ---------------------------------------------------------------------------------------- */

const mtm_dicom_element *core_dicom_element(PyObject *self, long index)
{
    const DicomObject *const o = (const DicomObject *)self;

    if (index >= 0 && index < o->n)
        return &o->elements[index];
    PyErr_SetString(PyExc_IndexError, "no such element");
    return NULL;
}

static const mtm_dicom_element *element_arg(PyObject *self, PyObject *arg)
{
    const long i = PyLong_AsLong(arg);

    return i == -1 && PyErr_Occurred() ? NULL : core_dicom_element(self, i);
}

static PyObject *dicom_find(PyObject *self, PyObject *args)
{
    const DicomObject *const o = (const DicomObject *)self;
    unsigned long tag;
    long item;

    if (!PyArg_ParseTuple(args, "lk", &item, &tag))
        return NULL;
    const mtm_dicom_element *const e =
        mtm_dicom_find(o->dicom, item >= 0 && item < o->n ? &o->elements[item] : NULL, (uint32_t)tag);
    return PyLong_FromLong(e ? (long)(e - o->elements) : -1);
}

static PyObject *dicom_find_path(PyObject *self, PyObject *arg)
{
    const DicomObject *const o = (const DicomObject *)self;
    const mtm_dicom_element *e = NULL;
    const char *const path = core_text(arg);
    mtm_error err;

    if (!path)
        return NULL;
    if (mtm_dicom_find_path(&e, o->dicom, path, &err))
        return core_raise(CORE_STATE(self), &err);
    return PyLong_FromLong((long)(e - o->elements));
}

static PyObject *dicom_children(PyObject *self, PyObject *arg)
{
    const DicomObject *const o = (const DicomObject *)self;
    const long at = PyLong_AsLong(arg);

    if ((at == -1 && PyErr_Occurred()) || (at >= 0 && !core_dicom_element(self, at)))
        return NULL;
    const int32_t end = at < 0 ? o->n : (int32_t)at + 1 + o->elements[at].inside;
    PyObject *const list = PyList_New(0);
    for (int32_t i = (int32_t)at + 1; list && i < end; i += 1 + o->elements[i].inside) {
        PyObject *const v = PyLong_FromLong(i);
        const int rc = v ? PyList_Append(list, v) : -1;
        Py_XDECREF(v);
        if (rc) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static PyObject *dicom_element(PyObject *self, PyObject *arg)
{
    const mtm_dicom_element *const e = element_arg(self, arg);

    return e ? Py_BuildValue("(ksiiKL)", (unsigned long)e->tag, e->vr, (int)e->flags, (int)e->parent,
                             (unsigned long long)e->length_bytes, (long long)e->offset_bytes)
             : NULL;
}

/* ---- values ------------------------------------------------------------------------------------------- */

static bool is_vr(const mtm_dicom_element *e, const char *list)
{
    for (; *list; list += 2)
        if (e->vr[0] == list[0] && e->vr[1] == list[1])
            return true;
    return false;
}

/* IS and DS: a number where it is one. */
static PyObject *number(PyObject *text, bool integer)
{
    PyObject *v = integer ? PyNumber_Long(text) : NULL;

    if (!v) {
        PyErr_Clear();
        v = PyFloat_FromString(text);
    }
    if (!v) {
        PyErr_Clear();
        return Py_NewRef(text);
    }
    const double x = integer && PyFloat_Check(v) ? PyFloat_AsDouble(v) : NAN;
    if (x != floor(x))
        return v;
    Py_DECREF(v);
    return PyLong_FromDouble(x);
}

static PyObject *text_value(const mtm_dicom_element *e, const char *s, size_t n)
{
    PyObject *const text = PyUnicode_DecodeUTF8(s, (Py_ssize_t)n, "replace");

    if (!text || !is_vr(e, "ISDS"))
        return text;
    PyObject *const v = n ? number(text, e->vr[0] == 'I') : Py_NewRef(Py_None);
    Py_DECREF(text);
    return v;
}

/* A str or number, or a list of them where there are several. */
static PyObject *texts(PyObject *self, const mtm_dicom_element *e)
{
    const DicomObject *const o = (const DicomObject *)self;
    const bool single = is_vr(e, "STLTUTUR");
    char *s = NULL;
    mtm_error err;
    mtm_status rc;

    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_text(&s, o->dicom, e, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(CORE_STATE(self), &err);
    const char *end = single ? NULL : strchr(s, '\\');
    PyObject *v = NULL;
    if (!end) {
        v = text_value(e, s, strlen(s));
    } else {
        v = PyList_New(0);
        for (const char *at = s; v && at; at = end ? end + 1 : NULL) {
            end = strchr(at, '\\');
            PyObject *const one = text_value(e, at, end ? (size_t)(end - at) : strlen(at));
            const int bad = one ? PyList_Append(v, one) : -1;

            Py_XDECREF(one);
            if (bad)
                Py_CLEAR(v);
        }
    }
    mtm_dicom_free(s);
    return v;
}

/* One binary number of `size` bytes. */
static PyObject *binary_value(const mtm_dicom_element *e, const uint8_t *p, size_t size)
{
    const bool big_endian = e->flags & MTM_DICOM_BIG_ENDIAN;
    uint64_t bits = 0;

    for (size_t i = 0; i < size; i++)
        bits |= (uint64_t)p[big_endian ? size - 1 - i : i] << 8 * i;
    if (is_vr(e, "FD")) {
        double x;
        memcpy(&x, &bits, 8);
        return PyFloat_FromDouble(x);
    }
    if (is_vr(e, "FL")) {
        const uint32_t half = (uint32_t)bits;
        float x;
        memcpy(&x, &half, 4);
        return PyFloat_FromDouble((double)x);
    }
    if (is_vr(e, "AT") && !big_endian) /* group, then element */
        bits = (bits & 0xFFFF) << 16 | bits >> 16;
    if (is_vr(e, "SSSLSV"))
        return PyLong_FromLongLong((int64_t)(bits << (64 - 8 * size)) >> (64 - 8 * size));
    return PyLong_FromUnsignedLongLong(bits);
}

/* Numbers of a value of n · size bytes. */
static PyObject *binary_list(const mtm_dicom_element *e, const uint8_t *p, size_t n, size_t size)
{
    if (n == 1)
        return binary_value(e, p, size);
    PyObject *const list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *const v = binary_value(e, p + i * size, size);
        if (!v || PyList_SetItem(list, (Py_ssize_t)i, v)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

/* A number, a list of several, or None. */
static PyObject *binaries(PyObject *self, const mtm_dicom_element *e)
{
    const size_t size = is_vr(e, "FDSVUV") ? 8
                        : is_vr(e, "USSS") ? 2
                                           : 4,
                 n = (size_t)(e->length_bytes / size);
    uint8_t *copy = NULL;
    mtm_error err;
    mtm_status rc = MTM_OK;

    if (n == 0)
        return Py_NewRef(Py_None);
    if (!e->value) {
        copy = PyMem_Malloc(n * size);
        if (!copy)
            return PyErr_NoMemory();
        Py_BEGIN_ALLOW_THREADS rc =
            mtm_dicom_value_read(((DicomObject *)self)->dicom, e, 0, copy, n * size, &err);
        Py_END_ALLOW_THREADS
    }
    PyObject *const v =
        rc ? core_raise(CORE_STATE(self), &err) : binary_list(e, copy ? copy : e->value, n, size);
    PyMem_Free(copy);
    return v;
}

/* Of encapsulated pixel data: all its items with their headers. */
static PyObject *dicom_bytes(PyObject *self, PyObject *arg)
{
    const mtm_dicom_element *const e = element_arg(self, arg);

    if (!e)
        return NULL;
    if (e->length_bytes > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *const out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)e->length_bytes);
    if (!out)
        return NULL;
    mtm_error err;
    mtm_status rc;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_value_read(((DicomObject *)self)->dicom, e, 0,
                                                     PyBytes_AsString(out), (size_t)e->length_bytes, &err);
    Py_END_ALLOW_THREADS if (rc == MTM_OK) return out;
    Py_DECREF(out);
    return core_raise(CORE_STATE(self), &err);
}

static PyObject *dicom_value(PyObject *self, PyObject *arg)
{
    const mtm_dicom_element *const e = element_arg(self, arg);

    if (!e)
        return NULL;
    if ((e->flags & MTM_DICOM_SEQUENCE) || is_vr(e, "SQ"))
        return dicom_children(self, arg);
    if (is_vr(e, "AEASCSDADTTMUIURLOLTSHSTUCUTPNISDS"))
        return e->length_bytes    ? texts(self, e)
               : is_vr(e, "ISDS") ? Py_NewRef(Py_None)
                                  : PyUnicode_FromString("");
    if (is_vr(e, "USSSULSLUVSVFLFDAT"))
        return binaries(self, e);
    return e->length_bytes || e->inside ? dicom_bytes(self, arg) : Py_NewRef(Py_None);
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static PyObject *dicom_warnings(PyObject *self, PyObject *unused)
{
    const mtm_dicom *const d = ((const DicomObject *)self)->dicom;
    PyObject *const list = PyList_New(0);

    for (int32_t i = 0; list && i < mtm_dicom_warning_count(d); i++) {
        PyObject *const s = PyUnicode_FromString(mtm_dicom_warning_get(d, i));
        const int rc = s ? PyList_Append(list, s) : -1;
        Py_XDECREF(s);
        if (rc) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

static PyObject *dicom_transfer_syntax(PyObject *self, PyObject *unused)
{
    return PyUnicode_FromString(mtm_dicom_transfer_syntax(((const DicomObject *)self)->dicom));
}

static PyObject *dicom_path(PyObject *self, PyObject *unused)
{
    return PyUnicode_DecodeFSDefault(mtm_dicom_path(((const DicomObject *)self)->dicom));
}

PyDoc_STRVAR(to_json_doc,
             "to_json(keywords, meta, skip_pixels, inline_bytes, bulk_uri, indent)\n--\n\nAs JSON.");
static PyObject *dicom_to_json(PyObject *self, PyObject *args)
{
    const mtm_dicom *const d = ((const DicomObject *)self)->dicom;
    mtm_dicom_json_options opt = {.struct_size = sizeof opt};
    unsigned long long inline_bytes;
    int keywords, meta, skip_pixels;
    char *s = NULL;
    size_t n = 0;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "pppKzi", &keywords, &meta, &skip_pixels, &inline_bytes, &opt.bulk_uri,
                          &opt.indent))
        return NULL;
    opt.keywords = keywords, opt.meta = meta, opt.skip_pixels = skip_pixels, opt.inline_bytes = inline_bytes;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_to_json(&s, &n, d, &opt, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(CORE_STATE(self), &err);
    PyObject *const v = PyUnicode_DecodeUTF8(s, (Py_ssize_t)n, "replace");
    mtm_dicom_free(s);
    return v;
}

PyDoc_STRVAR(dump_doc, "dump(item, width, private)\n--\n\nThe elements of an item (−1: all), line by line.");
static PyObject *dicom_dump(PyObject *self, PyObject *args)
{
    const DicomObject *const o = (const DicomObject *)self;
    mtm_dicom_dump_options opt = {.struct_size = sizeof opt};
    char *s = NULL;
    long item;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "li", &item, &opt.width))
        return NULL;
    if (item >= 0 && !(opt.item = core_dicom_element(self, item)))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_dump(&s, o->dicom, &opt, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(CORE_STATE(self), &err);
    PyObject *const v = PyUnicode_DecodeUTF8(s, (Py_ssize_t)strlen(s), "replace");
    mtm_dicom_free(s);
    return v;
}

static PyMethodDef dicom_methods[] = {
    {"find", dicom_find, METH_VARARGS, "find(item, tag)\n--\n\nNumber of an element; −1: absent."},
    {"find_path", dicom_find_path, METH_O, "find_path(path)\n--\n\nNumber of an element."},
    {"children", dicom_children, METH_O,
     "children(number)\n--\n\nNumbers of elements or items; −1: top level."},
    {"element", dicom_element, METH_O,
     "element(number)\n--\n\n(tag, vr, flags, parent, length_bytes, offset_bytes)."},
    {"value", dicom_value, METH_O, "value(number)\n--\n\nThe value; of a sequence, numbers of its items."},
    {"bytes", dicom_bytes, METH_O, "bytes(number)\n--\n\nThe bytes of the value."},
    {"warnings", dicom_warnings, METH_NOARGS, "warnings()\n--\n\nWhat was tolerated."},
    {"transfer_syntax", dicom_transfer_syntax, METH_NOARGS, "transfer_syntax()\n--\n\nIts UID."},
    {"path", dicom_path, METH_NOARGS, "path()\n--\n\nAs opened."},
    {"to_json", dicom_to_json, METH_VARARGS, to_json_doc},
    {"dump", dicom_dump, METH_VARARGS, dump_doc},
    {0}};
static PyType_Slot dicom_slots[] = {
    {Py_tp_doc, (void *)"Dicom(source, memory, name, force, stop_before_pixels)\n--\n\nAn open data set."},
    {Py_tp_new, dicom_new},
    {Py_tp_dealloc, dicom_dealloc},
    {Py_tp_methods, dicom_methods},
    {0, NULL}};
static PyType_Spec dicom_spec = {.name = "microtome._core.Dicom",
                                 .basicsize = sizeof(DicomObject),
                                 .flags = Py_TPFLAGS_DEFAULT,
                                 .slots = dicom_slots};

/* ---- dictionary --------------------------------------------------------------------------------------- */

static PyObject *dicom_entry(PyObject *module, PyObject *arg)
{
    const mtm_dicom_entry *e = NULL;

    if (PyUnicode_Check(arg)) {
        const char *const keyword = core_text(arg);
        if (!keyword)
            return NULL;
        e = mtm_dicom_entry_by_keyword(keyword);
    } else {
        const unsigned long tag = PyLong_AsUnsignedLong(arg);
        if (tag == (unsigned long)-1 && PyErr_Occurred())
            return NULL;
        e = mtm_dicom_entry_by_tag((uint32_t)tag);
    }
    if (!e)
        Py_RETURN_NONE;
    return Py_BuildValue("(kssssN)", (unsigned long)e->tag, e->vr, e->vm, e->keyword, e->name,
                         PyBool_FromLong(e->retired));
}

static PyObject *dicom_uid(PyObject *module, PyObject *arg)
{
    const char *const s = core_text(arg);
    const mtm_dicom_uid *const u = s ? mtm_dicom_uid_find(s) : NULL;

    if (!s)
        return NULL;
    if (!u)
        Py_RETURN_NONE;
    return Py_BuildValue("(ssssN)", u->uid, u->name, u->type, u->keyword, PyBool_FromLong(u->retired));
}

static PyMethodDef functions[] = {
    {"dicom_entry", dicom_entry, METH_O,
     "dicom_entry(tag_or_keyword)\n--\n\n(tag, vr, vm, keyword, name, retired), or None."},
    {"dicom_uid", dicom_uid, METH_O,
     "dicom_uid(uid_or_keyword)\n--\n\n(uid, name, type, keyword, retired), or None."},
    {0}};

int core_dicom_add(PyObject *module)
{
    core_state *const st = PyModule_GetState(module);

    if (core_add_type(module, &dicom_spec, &st->dicom_type) || PyModule_AddFunctions(module, functions))
        return -1;
    return core_dicom_write_add(module);
}
