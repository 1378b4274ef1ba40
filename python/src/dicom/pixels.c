/* pixels.c: pixels, overlays and stored frames of a data set as NumPy arrays; microtome/dicom/pixels.py names the arguments and turns
 * what the library noticed into Python warnings. The interpreter's lock is released while the library works.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dicom.h"

#include <string.h>

static const mtm_dicom *dicom_of(core_state *st, PyObject *obj)
{
    if (PyObject_TypeCheck(obj, st->dicom_type))
        return ((const DicomObject *)obj)->dicom;
    core_fail(st, MTM_E_INVAL, "a data set is wanted");
    return NULL;
}

PyDoc_STRVAR(info_doc, "dicom_pixel_info(dicom)\n--\n\nWhat the pixel attributes say, as a dict.");
static PyObject *pixel_info(PyObject *module, PyObject *obj)
{
    core_state *const st = PyModule_GetState(module);
    const mtm_dicom *const d = dicom_of(st, obj);
    mtm_dicom_pixels p;
    mtm_error err;

    if (!d)
        return NULL;
    if (mtm_dicom_pixels_get(d, &p, &err))
        return core_raise(st, &err);
    return Py_BuildValue(
        "{s:L,s:L,s:L,s:i,s:i,s:i,s:i,s:O,s:O,s:O,s:O,s:s,s:s,s:s,s:s,s:i,s:d,s:d,s:O,s:O,s:i}", "frames",
        (long long)p.frames, "rows", (long long)p.rows, "columns", (long long)p.columns, "samples", p.samples,
        "bits_allocated", p.bits_allocated, "bits_stored", p.bits_stored, "high_bit", p.high_bit, "is_signed",
        p.is_signed ? Py_True : Py_False, "is_float", p.is_float ? Py_True : Py_False, "planar",
        p.planar ? Py_True : Py_False, "encapsulated", p.encapsulated ? Py_True : Py_False, "photometric",
        p.photometric, "codec", p.codec, "raw_dtype", mtm_dtype_name(p.raw_dtype), "dtype",
        mtm_dtype_name(p.dtype), "channels", p.channels, "slope", p.slope, "inter", p.inter, "has_rescale",
        p.has_rescale ? Py_True : Py_False, "has_modality_lut", p.has_modality_lut ? Py_True : Py_False,
        "overlays", p.overlays);
}

PyDoc_STRVAR(frames_doc,
             "dicom_frames(dicom, first, n, raw, modality, voi, voi_item, dtype, threads)\n--\n\n"
             "([F, Y, X] or [F, Y, X, C], warnings joined by newlines). n −1: all from the first on.");
static PyObject *frames(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_dicom_read_options opt = {.struct_size = sizeof opt};
    int raw, modality, voi, threads;
    const char *dtype;
    long long first, n;
    mtm_array a = {0};
    char *warnings = NULL;
    mtm_dicom_pixels p;
    const mtm_dicom *d;
    PyObject *obj;
    mtm_error err;
    mtm_status rc = MTM_OK;

    if (!PyArg_ParseTuple(args, "OLLpppizi", &obj, &first, &n, &raw, &modality, &voi, &opt.voi_item, &dtype,
                          &threads) ||
        !(d = dicom_of(st, obj)))
        return NULL;
    opt.raw = raw, opt.modality = modality, opt.voi = voi;
    if (dtype && (a.dtype = mtm_dtype_parse(dtype)) == MTM_NONE)
        return core_fail(st, MTM_E_INVAL, "'%s' is no dtype that arrays here can have", dtype);
    if (!(opt.codec = core_codec_context(st)) || !core_codec_pool(st, threads, &opt.pool))
        return NULL;
    opt.recycler = st->recycler;
    Py_BEGIN_ALLOW_THREADS if (n < 0 && (rc = mtm_dicom_pixels_get(d, &p, &err)) == MTM_OK) n =
        p.frames - first;
    if (rc == MTM_OK)
        rc = mtm_dicom_frames_read(d, first, n, &opt, &a, &warnings, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(st, &err);
    PyObject *const text = PyUnicode_FromString(warnings ? warnings : "");
    mtm_dicom_free(warnings);
    PyObject *const array = core_numpy_take(st, &a);
    if (text && array)
        return Py_BuildValue("(NN)", array, text);
    Py_XDECREF(text);
    Py_XDECREF(array);
    return NULL;
}

PyDoc_STRVAR(overlay_doc,
             "dicom_overlay(dicom, i)\n--\n\n([F, Y, X] of 0 and 1, row and column of its first point).");
static PyObject *overlay(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_array a = {0};
    const mtm_dicom *d;
    int64_t origin[2];
    PyObject *obj;
    mtm_error err;
    mtm_status rc;
    int i;

    if (!PyArg_ParseTuple(args, "Oi", &obj, &i) || !(d = dicom_of(st, obj)))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_overlay_read(d, i, &a, origin, &err);
    Py_END_ALLOW_THREADS if (rc) return core_raise(st, &err);
    PyObject *const array = core_numpy_take(st, &a);
    return array ? Py_BuildValue("(N(LL))", array, (long long)origin[0], (long long)origin[1]) : NULL;
}

PyDoc_STRVAR(bytes_doc, "dicom_frame_bytes(dicom, frame)\n--\n\nA frame's bytes as they are stored.");
static PyObject *frame_bytes(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    mtm_bytes b = {0};
    const mtm_dicom *d;
    PyObject *obj, *made;
    long long frame;
    mtm_error err;
    mtm_status rc;

    if (!PyArg_ParseTuple(args, "OL", &obj, &frame) || !(d = dicom_of(st, obj)))
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = mtm_dicom_frame_bytes(d, frame, &b, &err);
    Py_END_ALLOW_THREADS made =
        rc ? core_raise(st, &err) : PyBytes_FromStringAndSize((const char *)b.data, (Py_ssize_t)b.size_bytes);
    mtm_bytes_drop(&b);
    return made;
}

static PyMethodDef functions[] = {{"dicom_pixel_info", pixel_info, METH_O, info_doc},
                                  {"dicom_frames", frames, METH_VARARGS, frames_doc},
                                  {"dicom_overlay", overlay, METH_VARARGS, overlay_doc},
                                  {"dicom_frame_bytes", frame_bytes, METH_VARARGS, bytes_doc},
                                  {0}};

int core_dicom_pixels_add(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
