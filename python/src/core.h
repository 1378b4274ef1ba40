/* core.h: what the files of the extension microtome._core share. The extension is glue only: it turns Python values into
 * the C API's and back, and holds the interpreter's lock no longer than that. Public headers only; limited API 3.11.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_CORE_H
#define MICROTOME_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <microtome/microtome.h>

enum { CORE_SPARE_EXECS = 8, CORE_CODEC_POOLS = 255, CORE_CODEC_BYTES_KEPT = 64 << 20 };

/* One interpreter's module. Touched only under the interpreter's lock. */
typedef struct core_state {
    PyObject *classes; /* dict: status number → exception class (microtome.errors.BY_CODE) */
    PyObject
        *asarray; /* numpy.asarray, looked up when first needed: importing microtome does not import NumPy */
    PyTypeObject *array_type, *image_type, *index_type, *chain_type, *loader_type, *window_sum_type,
        *dicom_type;
    /* Made when first needed, and made anew in a forked child, where the parent's threads do not exist. */
    long owner_pid;
    int threads; /* as asked for; 0: one per CPU */
    mtm_pool *pool;
    mtm_recycler *recycler;
    mtm_exec *spare[CORE_SPARE_EXECS]; /* contexts that no call uses at the moment */
    int n_spare;
    mtm_codec_ctx *codec;
    mtm_pool
        *codec_pools[CORE_CODEC_POOLS]; /* [n]: for n + 2 threads, of which the calling one is the first */
    mtm_bytes codec_bytes;              /* an encoder's memory that no call uses at the moment */
} core_state;

/* ---- module.c ----------------------------------------------------------------------------------------- */

/* The state of the module that defined self's type; the types here cannot be subclassed. */
#define CORE_STATE(self) ((core_state *)PyType_GetModuleState(Py_TYPE(self)))

bool core_runtime(core_state *st); /* pool and recycler are there; false: exception set */
mtm_exec *core_exec_take(core_state *st);
void core_exec_give(core_state *st, mtm_exec *x);
/* Adds a heap type to the module and remembers it. */
int core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot);

/* ---- errors.c ----------------------------------------------------------------------------------------- */

/* Raises what a function of the library reported; returns NULL. */
PyObject *core_raise(core_state *st, const mtm_error *err);
/* Raises an error of the extension itself, by the same classes; returns NULL. */
PyObject *core_fail(core_state *st, mtm_status code, const char *fmt, ...) MTM_PRINTF(3, 4);
/* For callbacks: fills *err. */
void core_set_error(mtm_error *err, mtm_status code, const char *text);
/* UTF-8 of a str; NULL: exception set. */
const char *core_text(PyObject *s);
/* A path (str, bytes or os.PathLike) as bytes in the file system's encoding; NULL: exception set. */
PyObject *core_path(PyObject *path);

/* ---- array.c ------------------------------------------------------------------------------------------ */

typedef struct ArrayObject {
    PyObject_HEAD mtm_array a; /* owner: one reference */
    bool readonly;
} ArrayObject;

int core_array_add(PyObject *module);
/* Takes the reference in a->owner, on failure too. */
PyObject *core_array_take(core_state *st, mtm_array *a);
/* The same as a NumPy array that shares the memory. */
PyObject *core_numpy_take(core_state *st, mtm_array *a);
PyObject *core_asarray(core_state *st, PyObject *obj);                         /* numpy.asarray(obj) */
PyObject *core_array_dlpack(PyObject *self, PyObject *args, PyObject *kwargs); /* dlpack.c */
PyObject *core_shape_tuple(const int64_t *v, int32_t n);
PyObject *core_double_tuple(const double *v, int32_t n);

/* A caller's array: memory is held until dropped. Begin with {0}. */
typedef struct core_view {
    Py_buffer buffer;
    mtm_array a;
    bool held;
} core_view;

/* Anything with the buffer protocol or __array__, any strides; a foreign byte order is converted unless `writable` is
 * asked for. `what` names it in errors. */
bool core_view_get(core_state *st, core_view *v, PyObject *obj, bool writable, const char *what);
void core_view_drop(core_view *v);
/* As an array with an owner that keeps the view, which is emptied; any thread may drop it. */
bool core_view_own(core_state *st, core_view *v, mtm_array *out);

/* ---- args.c ------------------------------------------------------------------------------------------- */

/* Arguments of an operator for mtm_op_args. Begin with {0}; valid until dropped. */
typedef struct core_args {
    int32_t n;
    mtm_arg *at;
    double **numbers;
    core_view *views;
    PyObject *keep; /* list: texts that the arguments point into */
} core_args;

bool core_args_get(core_state *st, core_args *g, const mtm_op *op, PyObject *values);
void core_args_drop(core_args *g);
bool core_numbers(PyObject *v, double **out, Py_ssize_t *n, const char *what); /* PyMem_Free(*out) */
bool core_matrix(core_state *st, PyObject *v, double out[16], const char *what);

/* ---- items.c ------------------------------------------------------------------------------------------ */

/* Items as the library sees them. Begin with {0}; valid until dropped. */
typedef struct core_items {
    Py_ssize_t n, n_fields, n_views;
    mtm_item *items;
    mtm_field *fields;
    core_view **views; /* arrays in the items */
    PyObject *keep;    /* list: paths that fields point into */
} core_items;

/* items: a list of mappings that all have the fields `names` (a tuple); uris: per field, whether text is a URI. */
bool core_items_get(core_state *st, core_items *g, PyObject *items, PyObject *names, PyObject *uris);
void core_items_shrink(core_items *g); /* only the views of arrays stay */
void core_items_drop(core_items *g);

/* ---- chain.c ------------------------------------------------------------------------------------------ */

typedef struct ChainObject {
    PyObject_HEAD mtm_chain *chain;
    PyObject *functions; /* list: the Python functions, by number; NULL: cleared by the garbage collector */
    PyObject *failures;  /* list: their last exceptions, each with the text that the library was told */
    PyObject *running;   /* list: identities of the threads inside one of the functions */
} ChainObject;

/* Whether this thread is inside one of the chain's functions. */
bool core_chain_runs_here(ChainObject *chain);
/* As core_raise; an exception of a function in the chain becomes the cause. chain may be NULL. */
PyObject *core_raise_from(core_state *st, const mtm_error *err, ChainObject *chain);

/* ---- codec.c ------------------------------------------------------------------------------------------ */

mtm_codec_ctx *core_codec_context(core_state *st); /* NULL: exception set */
/* Threads for one call: *pool NULL: the calling one alone. False: exception set. */
bool core_codec_pool(core_state *st, int threads, mtm_pool **pool);
int core_codec_encode_add(PyObject *module);

/* ---- the other parts ---------------------------------------------------------------------------------- */

typedef struct IndexObject {
    PyObject_HEAD mtm_index *index;
} IndexObject;

int core_codec_add(PyObject *module);
int core_dicom_labels_add(PyObject *module);
int core_dicom_scan_add(PyObject *module);
int core_ops_add(PyObject *module);
int core_objects_add(PyObject *module);
/* (boxes [N, 2, ndim] (start, end), classes [N]), int64; NULL: exception set. */
PyObject *core_object_boxes(core_state *st, const mtm_object_table *t);
int core_image_add(PyObject *module);
int core_chain_add(PyObject *module);
int core_loader_add(PyObject *module);
int core_window_add(PyObject *module);
int core_dicom_add(PyObject *module);
int core_dicom_pixels_add(PyObject *module);
int core_dicom_deid_add(PyObject *module);

#endif
