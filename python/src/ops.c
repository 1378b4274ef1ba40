/* ops.c: the operators' declarations for Python, and running one eagerly.
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include <string.h>

static const char *const kinds[] = {[MTM_OP_GEOMETRY] = "geometry",
                                    [MTM_OP_POINTWISE] = "intensity",
                                    [MTM_OP_FILTER] = "filter",
                                    [MTM_OP_LABEL] = "label",
                                    [MTM_OP_RANDOM] = "random"};

static const char *const types[] = {[MTM_PARAM_BOOL] = "bool",     [MTM_PARAM_INT] = "int",
                                    [MTM_PARAM_FLOAT] = "float",   [MTM_PARAM_CHOICE] = "choice",
                                    [MTM_PARAM_SEED] = "seed",     [MTM_PARAM_INTS] = "ints",
                                    [MTM_PARAM_FLOATS] = "floats", [MTM_PARAM_CHOICES] = "choices",
                                    [MTM_PARAM_TEXT] = "text",     [MTM_PARAM_ARRAY] = "array"};

static PyObject *describe_param(const mtm_param *p)
{
    return Py_BuildValue("{s:s,s:s,s:z,s:d,s:d,s:z,s:s,s:s}", "name", p->name, "type", types[p->type],
                         "default", p->value, "min", p->min, "max", p->max, "choices", p->choices, "unit",
                         p->unit ? p->unit : "", "help", p->help ? p->help : "");
}

static PyObject *describe_op(const mtm_op *op)
{
    PyObject *const params = PyTuple_New(op->n_params);

    for (int32_t i = 0; params && i < op->n_params; i++) {
        PyObject *const p = describe_param(&op->params[i]);
        if (!p || PyTuple_SetItem(params, i, p)) {
            Py_DECREF(params);
            return NULL;
        }
    }
    return params ? Py_BuildValue("{s:s,s:s,s:s,s:N}", "name", op->name, "doc", op->doc, "kind",
                                  kinds[op->kind], "params", params)
                  : NULL;
}

PyDoc_STRVAR(operators_doc,
             "operators()\n--\n\nThe declaration of every operator, in the order of the reference.");
static PyObject *operators(PyObject *module, PyObject *unused)
{
    int32_t n;
    const mtm_op *const *const table = mtm_op_table(&n);
    PyObject *const out = PyTuple_New(n);

    for (int32_t i = 0; out && i < n; i++) {
        PyObject *const d = describe_op(table[i]);
        if (!d || PyTuple_SetItem(out, i, d)) {
            Py_DECREF(out);
            return NULL;
        }
    }
    return out;
}

/* Arguments of one call, filled and checked. NULL: exception set; else PyMem_Free it when g is dropped. */
static void *checked_args(core_state *st, core_args *g, const mtm_op *op, PyObject *values)
{
    mtm_error err;

    if (!core_args_get(st, g, op, values))
        return NULL;
    void *const args = PyMem_Calloc(1, op->args_bytes ? op->args_bytes : 1);
    if (!args)
        return PyErr_NoMemory();
    if (!mtm_op_args(op, args, g->at, g->n, &err))
        return args;
    PyMem_Free(args);
    return core_raise(st, &err);
}

static const mtm_op *find_op(core_state *st, const char *name)
{
    const mtm_op *const op = mtm_op_find(name);

    return op ? op : (const mtm_op *)core_fail(st, MTM_E_NOTFOUND, "no operator is called '%s'", name);
}

PyDoc_STRVAR(check_doc,
             "check(name, params)\n--\n\nChecks the parameters of an operator as a call would. Errors: "
             "TypeError, ValueError.");
static PyObject *check(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    core_args g = {0};
    const char *name;
    PyObject *values;

    if (!PyArg_ParseTuple(args, "sO!", &name, &PyDict_Type, &values))
        return NULL;
    const mtm_op *const op = find_op(st, name);
    void *const a = op ? checked_args(st, &g, op, values) : NULL;

    PyMem_Free(a);
    core_args_drop(&g);
    return a ? Py_NewRef(Py_None) : NULL;
}

/* ---- running ------------------------------------------------------------------------------------------ */

/* The bytes that a view may touch. */
static void reach(const mtm_array *a, const char **lo, const char **hi)
{
    *lo = a->data, *hi = (const char *)a->data + mtm_dtype_size(a->dtype);
    for (int32_t i = 0; i < a->ndim; i++) {
        const int64_t d = (a->shape[i] - 1) * a->stride[i];
        if (a->shape[i] == 0) {
            *hi = *lo;
            return;
        }
        *(d < 0 ? lo : hi) += d;
    }
}

static bool overlap(const mtm_array *a, const mtm_array *b)
{
    const char *alo, *ahi, *blo, *bhi;

    reach(a, &alo, &ahi);
    reach(b, &blo, &bhi);
    return alo < bhi && blo < ahi;
}

/* One call of mtm_ops.NAME. */
typedef struct op_call {
    const mtm_op *op;
    void *args;
    core_args given;
    core_view in, out;
    bool channels, has_affine;
    mtm_dtype dtype;
    double affine[16], out_affine[16];
    mtm_array result;
} op_call;

/* Without the interpreter's lock. Into `out` directly, unless it shares memory with the input. */
static mtm_status op_call_compute(op_call *c, mtm_exec *x, mtm_error *err)
{
    const bool aside = c->out.held && overlap(&c->in.a, &c->out.a);
    mtm_array direct = c->out.a;
    mtm_array *const dst = c->out.held && !aside ? &direct : &c->result;

    c->result.dtype = aside ? c->out.a.dtype : c->dtype;
    const mtm_status rc =
        mtm_op_run(x, c->op, c->args, &c->in.a, c->channels, c->has_affine ? c->affine : NULL, dst,
                   c->has_affine ? c->out_affine : NULL, err);
    if (rc || !aside)
        return rc;
    if (c->result.ndim != c->out.a.ndim ||
        memcmp(c->result.shape, c->out.a.shape, (size_t)c->out.a.ndim * sizeof *c->out.a.shape)) {
        *err =
            (mtm_error){.code = MTM_E_INVAL, .offset = -1, .text = "out has another shape than the result"};
        return MTM_E_INVAL;
    }
    return mtm_array_convert(&c->out.a, &c->result, 1, 0, NULL, err);
}

static bool op_call_get(core_state *st, op_call *c, PyObject *in, PyObject *values, PyObject *affine,
                        PyObject *out, const char *dtype)
{
    if (dtype) {
        c->dtype = mtm_dtype_parse(dtype);
        if (c->dtype == MTM_NONE)
            return core_fail(st, MTM_E_INVAL, "'%s' is no dtype that arrays here can have", dtype);
    }
    c->has_affine = affine != Py_None;
    if ((c->has_affine && !core_matrix(st, affine, c->affine, "affine")) ||
        !core_view_get(st, &c->in, in, false, "the input"))
        return false;
    if (out != Py_None && !core_view_get(st, &c->out, out, true, "out"))
        return false;
    if (dtype && c->out.held && c->out.a.dtype != c->dtype)
        return core_fail(st, MTM_E_INVAL, "dtype says %s, out is %s", dtype, mtm_dtype_name(c->out.a.dtype));
    c->args = checked_args(st, &c->given, c->op, values);
    return c->args;
}

static PyObject *op_call_run(core_state *st, op_call *c, PyObject *out)
{
    mtm_exec *const x = core_exec_take(st);
    mtm_error err;
    mtm_status rc;

    if (!x)
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc = op_call_compute(c, x, &err);
    Py_END_ALLOW_THREADS core_exec_give(st, x);
    if (rc)
        return core_raise(st, &err);
    PyObject *const result = c->out.held ? Py_NewRef(out) : core_numpy_take(st, &c->result);
    if (!result || !c->has_affine)
        return result;
    PyObject *m = PyTuple_New(4);
    for (int i = 0; m && i < 4; i++) {
        const double *const r = c->out_affine + 4 * i;
        PyTuple_SetItem(m, i, Py_BuildValue("(dddd)", r[0], r[1], r[2], r[3]));
    }
    return m ? Py_BuildValue("(NN)", result, m) : NULL;
}

PyDoc_STRVAR(run_doc, "run(name, array, params, channels, affine, out, dtype)\n--\n\n"
                      "Runs one operator eagerly; with an affine, gives (array, affine as four rows).");
static PyObject *run(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    op_call c = {0};
    const char *name, *dtype;
    PyObject *in, *values, *affine, *out, *result = NULL;
    int channels;

    if (!PyArg_ParseTuple(args, "sOO!pOOz", &name, &in, &PyDict_Type, &values, &channels, &affine, &out,
                          &dtype))
        return NULL;
    c.op = find_op(st, name);
    c.channels = channels;
    if (c.op && op_call_get(st, &c, in, values, affine, out, dtype))
        result = op_call_run(st, &c, out);
    mtm_array_drop(&c.result);
    PyMem_Free(c.args);
    core_args_drop(&c.given);
    core_view_drop(&c.in);
    core_view_drop(&c.out);
    return result;
}

/* One call of percentiles. */
typedef struct percentiles_call {
    core_view in, mask;
    double *q, *found;
    Py_ssize_t n;
} percentiles_call;

static PyObject *percentiles_run(core_state *st, percentiles_call *c)
{
    mtm_exec *const x = core_exec_take(st);
    mtm_error err;
    mtm_status rc;

    if (!x)
        return NULL;
    Py_BEGIN_ALLOW_THREADS rc =
        mtm_percentiles(x, &c->in.a, c->mask.held ? &c->mask.a : NULL, c->q, (int32_t)c->n, c->found, &err);
    Py_END_ALLOW_THREADS core_exec_give(st, x);
    return rc ? core_raise(st, &err) : core_double_tuple(c->found, (int32_t)c->n);
}

PyDoc_STRVAR(percentiles_doc,
             "percentiles(array, q, mask)\n--\n\n"
             "Percentiles of the finite voxels (where the mask is not 0), as numpy.percentile.");
static PyObject *percentiles(PyObject *module, PyObject *args)
{
    core_state *const st = PyModule_GetState(module);
    percentiles_call c = {0};
    PyObject *in, *q, *mask, *result = NULL;

    if (!PyArg_ParseTuple(args, "OOO", &in, &q, &mask))
        return NULL;
    if (core_numbers(q, &c.q, &c.n, "percents") && core_view_get(st, &c.in, in, false, "the image") &&
        (mask == Py_None || core_view_get(st, &c.mask, mask, false, "the mask"))) {
        c.found = PyMem_Calloc((size_t)c.n + 1, sizeof *c.found);
        result = c.found ? percentiles_run(st, &c) : PyErr_NoMemory();
    }
    PyMem_Free(c.found);
    PyMem_Free(c.q);
    core_view_drop(&c.in);
    core_view_drop(&c.mask);
    return result;
}

static PyMethodDef methods[] = {{"operators", operators, METH_NOARGS, operators_doc},
                                {"check", check, METH_VARARGS, check_doc},
                                {"run", run, METH_VARARGS, run_doc},
                                {"percentiles", percentiles, METH_VARARGS, percentiles_doc},
                                {0}};

int core_ops_add(PyObject *module)
{
    return PyModule_AddFunctions(module, methods);
}
