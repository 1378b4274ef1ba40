/* dicom.h: the type Dicom, for the files of this folder that work on data sets.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_CORE_DICOM_H
#define MICROTOME_CORE_DICOM_H

#include "../core.h"

typedef struct DicomObject {
    PyObject_HEAD mtm_dicom *dicom;    /* constant: any thread, without the interpreter's lock */
    const mtm_dicom_element *elements; /* [n] */
    int32_t n;
    Py_buffer buffer; /* the bytes that it was opened from */
    bool held;        /* there are such bytes */
    PyObject *base;   /* the data set whose bytes it refers to; NULL: none */
} DicomObject;

/* As a Dicom; takes d, on failure too. */
PyObject *core_dicom_take(core_state *st, mtm_dicom *d);
/* The same of one that refers to the bytes of `base`, a Dicom, which it keeps. */
PyObject *core_dicom_based(core_state *st, mtm_dicom *d, PyObject *base);
/* Building and writing (write.c). */
int core_dicom_write_add(PyObject *module);
/* Element number `index` of self, a Dicom; NULL: exception set. */
const mtm_dicom_element *core_dicom_element(PyObject *self, long index);

#endif
