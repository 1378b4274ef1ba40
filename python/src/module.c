/* module.c: the module microtome._core and what all its calls share: the default thread pool, the recycler that keeps
 * dropped memory for the next call, and the contexts of running operators.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>
#include <unistd.h>

/* Dropped results up to this size wait for the next call, so that steady state causes no page fault. */
static const size_t keep_bytes = (size_t)256 << 20;

bool core_runtime(core_state *st)
{
    const long pid = (long)getpid();
    mtm_error err;

    if (st->owner_pid != pid) {
        /* In a forked child the parent's threads are gone and its locks may be held for ever: what belongs to them is
         * left alone. */
        st->pool = NULL, st->recycler = NULL, st->n_spare = 0, st->codec = NULL;
        memset(st->codec_pools, 0, sizeof st->codec_pools);
        st->codec_bytes = (mtm_bytes){0};
        st->owner_pid = pid;
    }
    if (!st->recycler && mtm_recycler_new(&st->recycler, keep_bytes, &err))
        return core_raise(st, &err);
    if (!st->pool && mtm_pool_new(&st->pool, st->threads, &err))
        return core_raise(st, &err);
    return true;
}

mtm_exec *core_exec_take(core_state *st)
{
    mtm_exec *x = NULL;
    mtm_error err;

    if (!core_runtime(st))
        return NULL;
    if (st->n_spare)
        return st->spare[--st->n_spare];
    if (mtm_exec_new(&x, st->pool, st->recycler, &err))
        return (mtm_exec *)core_raise(st, &err);
    return x;
}

void core_exec_give(core_state *st, mtm_exec *x)
{
    if (st->n_spare < CORE_SPARE_EXECS)
        st->spare[st->n_spare++] = x;
    else
        mtm_exec_free(x);
}

int core_add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot)
{
    PyObject *const type = PyType_FromModuleAndSpec(module, spec, NULL);

    if (!type)
        return -1;
    *slot = (PyTypeObject *)type; /* the state's reference */
    return PyModule_AddType(module, *slot);
}

/* Contexts and pool, which calls to come make anew. */
static void threads_free(core_state *st)
{
    if (st->owner_pid != (long)getpid())
        return;
    while (st->n_spare)
        mtm_exec_free(st->spare[--st->n_spare]);
    mtm_pool *const pool = st->pool;

    st->pool = NULL;
    Py_BEGIN_ALLOW_THREADS mtm_pool_free(pool);
    Py_END_ALLOW_THREADS mtm_recycler_free(st->recycler);
    st->recycler = NULL;
}

/* What mt.codec keeps between calls. */
static void codec_free(core_state *st)
{
    if (st->owner_pid != (long)getpid())
        return;
    for (int i = 0; i < CORE_CODEC_POOLS; i++) {
        mtm_pool *const pool = st->codec_pools[i];

        Py_BEGIN_ALLOW_THREADS mtm_pool_free(pool);
        Py_END_ALLOW_THREADS
    }
    mtm_codec_ctx_free(st->codec);
    mtm_bytes_drop(&st->codec_bytes);
}

PyDoc_STRVAR(set_threads_doc,
             "set_threads(n)\n--\n\n"
             "Sets how many threads eager calls share (reads, operators, writes); 0, the default: one per\n"
             "CPU that this process may run on. Loaders have their own `threads=`. Not while other threads\n"
             "of the program are inside such calls. Results never depend on it. Errors: ValueError.");
static PyObject *set_threads(PyObject *module, PyObject *arg)
{
    core_state *const st = PyModule_GetState(module);
    const long n = PyLong_AsLong(arg);

    if (n == -1 && PyErr_Occurred())
        return NULL;
    if (n < 0 || n > 512)
        return core_fail(st, MTM_E_INVAL, "threads must be 0 to 512, not %ld", n);
    threads_free(st);
    st->threads = (int)n;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(get_threads_doc, "get_threads()\n--\n\nHow many threads eager calls share.");
static PyObject *get_threads(PyObject *module, PyObject *unused)
{
    core_state *const st = PyModule_GetState(module);

    return core_runtime(st) ? PyLong_FromLong(mtm_pool_threads(st->pool)) : NULL;
}

PyDoc_STRVAR(cpu_flags_doc,
             "cpu_flags()\n--\n\nThe instruction sets in use: bit 0 AVX2, bit 1 AVX-512, as masked by "
             "the environment\nvariable MTM_CPU.");
static PyObject *cpu_flags(PyObject *module, PyObject *unused)
{
    return PyLong_FromUnsignedLong(mtm_cpu_flags());
}

static PyMethodDef methods[] = {{"set_threads", set_threads, METH_O, set_threads_doc},
                                {"get_threads", get_threads, METH_NOARGS, get_threads_doc},
                                {"cpu_flags", cpu_flags, METH_NOARGS, cpu_flags_doc},
                                {0}};

static int (*const parts[])(PyObject *module) = {core_array_add,        core_codec_add,
                                                 core_ops_add,          core_objects_add,
                                                 core_image_add,        core_chain_add,
                                                 core_loader_add,       core_window_add,
                                                 core_dicom_add,        core_dicom_scan_add,
                                                 core_dicom_labels_add, core_dicom_pixels_add,
                                                 core_dicom_deid_add,   NULL};

static int core_exec(PyObject *module)
{
    core_state *const st = PyModule_GetState(module);
    PyObject *const errors = PyImport_ImportModule("microtome.errors");

    st->owner_pid = (long)getpid();
    st->classes = errors ? PyObject_GetAttrString(errors, "BY_CODE") : NULL;
    Py_XDECREF(errors);
    if (!st->classes || PyModule_AddStringConstant(module, "__version__", mtm_version()))
        return -1;
    for (size_t i = 0; parts[i]; i++)
        if (parts[i](module))
            return -1;
    return 0;
}

static int core_traverse(PyObject *module, visitproc visit, void *arg)
{
    core_state *const st = PyModule_GetState(module);

    Py_VISIT(st->classes);
    Py_VISIT(st->asarray);
    Py_VISIT(st->array_type);
    Py_VISIT(st->image_type);
    Py_VISIT(st->index_type);
    Py_VISIT(st->chain_type);
    Py_VISIT(st->loader_type);
    Py_VISIT(st->window_sum_type);
    Py_VISIT(st->dicom_type);
    return 0;
}

static int core_clear(PyObject *module)
{
    core_state *const st = PyModule_GetState(module);

    Py_CLEAR(st->classes);
    Py_CLEAR(st->asarray);
    Py_CLEAR(st->array_type);
    Py_CLEAR(st->image_type);
    Py_CLEAR(st->index_type);
    Py_CLEAR(st->chain_type);
    Py_CLEAR(st->loader_type);
    Py_CLEAR(st->window_sum_type);
    Py_CLEAR(st->dicom_type);
    return 0;
}

static void core_free(void *module)
{
    core_state *const st = PyModule_GetState(module);

    if (!st)
        return;
    core_clear(module);
    threads_free(st);
    codec_free(st);
    if (st->owner_pid == (long)getpid())
        mtm_recycler_free(st->recycler);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, core_exec}, {0, NULL}};

static PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "microtome._core",
    .m_doc = "The C library behind the package microtome; use the package.",
    .m_size = sizeof(core_state),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&def);
}
