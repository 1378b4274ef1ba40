/* microtome/op.h: the operators, each declared once as a const table, and how to run one eagerly.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_OP_H
#define MICROTOME_OP_H

#include "array.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- parameters --------------------------------------------------------------------------------------- */

typedef enum mtm_param_type {
    MTM_PARAM_BOOL,    /* bool */
    MTM_PARAM_INT,     /* int64_t */
    MTM_PARAM_FLOAT,   /* double */
    MTM_PARAM_CHOICE,  /* int32_t: index into `choices` */
    MTM_PARAM_SEED,    /* uint64_t */
    MTM_PARAM_INTS,    /* mtm_ints; n = 0: None */
    MTM_PARAM_FLOATS,  /* mtm_floats; n = 0: None */
    MTM_PARAM_CHOICES, /* mtm_ints of indices: one for all axes, or one per axis */
    MTM_PARAM_TEXT,    /* char[64] */
    MTM_PARAM_ARRAY    /* const mtm_array *, borrowed; NULL: None */
} mtm_param_type;

typedef struct mtm_ints {
    int32_t n;
    int64_t v[48];
} mtm_ints;

typedef struct mtm_floats {
    int32_t n;
    double v[64];
} mtm_floats;

/* One parameter, declared once: drives checking, Python signatures, stubs, the command line and doc/. */
typedef struct mtm_param {
    const char *name;
    mtm_param_type type;
    uint32_t offset;     /* of the value in the operator's args struct, bytes */
    const char *value;   /* default as text ("0.5", "linear", "None", "(0, 1)"); NULL: required */
    double min, max;     /* inclusive range of every number; both 0: any finite number */
    const char *choices; /* "nearest|linear|cubic" */
    const char *unit;    /* "voxels", "mm", "degrees", "axes", … or "" */
    const char *help;    /* one sentence */
} mtm_param;

/* A value given by a caller. */
typedef enum mtm_arg_kind {
    MTM_ARG_NONE,
    MTM_ARG_NUMBERS,
    MTM_ARG_INTEGER,
    MTM_ARG_TEXT,
    MTM_ARG_ARRAY
} mtm_arg_kind;

typedef struct mtm_arg {
    const char *name;
    mtm_arg_kind kind;
    int32_t n; /* NUMBERS: how many; 1 with scalar true: a plain number */
    bool scalar;
    const double *numbers;  /* NUMBERS */
    uint64_t integer;       /* INTEGER: an exact 64-bit value (seeds), two's complement */
    const char *text;       /* TEXT: a choice, or several joined by ',' */
    const mtm_array *array; /* ARRAY */
} mtm_arg;

/* ---- operators ---------------------------------------------------------------------------------------- */

typedef struct mtm_exec mtm_exec; /* one worker's scratch memory, kernels and timings; op/exec.h inside */

/* What an operator sees of a picture: always channels first, 2-D as Z = 1. */
typedef struct mtm_spec {
    mtm_dtype dtype;
    int32_t spatial; /* 2 or 3 */
    int64_t channels;
    int64_t size[3]; /* [Z, Y, X], voxels */
    bool label;      /* nearest, integral, untouched by intensity operators */
    bool has_affine;
    double affine[16]; /* row-major: voxel centre (x, y, z) → mm RAS+ */
} mtm_spec;

typedef enum mtm_op_kind {
    MTM_OP_GEOMETRY,  /* moves voxels; fuses with its neighbours into one gather */
    MTM_OP_POINTWISE, /* voxel by voxel, perhaps with statistics of the whole image */
    MTM_OP_FILTER,    /* a neighbourhood, or the whole image */
    MTM_OP_LABEL,     /* reads a label map; what comes out is what infer says, another label map or not */
    MTM_OP_RANDOM     /* draws the arguments of another operator */
} mtm_op_kind;

struct mtm_geometry;  /* op/spatial/geometry.h */
struct mtm_pointwise; /* kernel/pointwise.h */
struct mtm_stats;     /* kernel/stats.h */
struct mtm_stats_request;
struct mtm_draw; /* op/draw.h */

typedef struct mtm_op {
    const char *name; /* "resize" */
    const char *doc;  /* first line: what; then shapes, errors, source of the method */
    mtm_op_kind kind;
    const mtm_param *params;
    int32_t n_params;
    uint32_t args_bytes; /* size of the args struct that `offset` points into */
    /* What must hold between arguments whatever the input is; mtm_op_args asks. NULL: nothing beyond the declarations. */
    mtm_status (*check)(const void *args, mtm_error *err);
    /* The output's spec; also checks arguments against the input. */
    mtm_status (*infer)(const void *args, const mtm_spec *in, mtm_spec *out, mtm_error *err);
    /* in, out: [C, Z, Y, X] views of any strides; out's shape and dtype are what infer said, or any dtype that the
     * caller asked for. FILTER and LABEL: the others are run through the hooks below. */
    mtm_status (*run)(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                      mtm_array *out, mtm_error *err);
    /* GEOMETRY: the map from output to input grid. */
    mtm_status (*geometry)(const void *args, const mtm_spec *in, struct mtm_geometry *g, mtm_error *err);
    /* POINTWISE: which statistics of the input are needed (NULL: none), then the steps that use them; st has one
     * entry, or one per channel when MTM_STAT_CHANNELS was asked for. */
    void (*stats)(const void *args, struct mtm_stats_request *r);
    mtm_status (*steps)(const void *args, const mtm_spec *in, const struct mtm_stats *st,
                        struct mtm_pointwise *p, mtm_error *err);
    /* RANDOM: whose arguments are drawn, where its declarations say all: args begin with mtm_random_head, and each other
     * parameter has the name of one of the target's (op/random.h). NULL: draw does it. */
    const struct mtm_op *target;
    /* RANDOM: sets *target (NULL: this time nothing happens) and fills its args. With a `target` above it draws for that
     * one alone, and its args begin with mtm_random_head too. */
    mtm_status (*draw)(const void *args, struct mtm_draw *d, const mtm_spec *in, const struct mtm_op **target,
                       void *target_args, mtm_error *err);
} mtm_op;

/* Every operator, in the order of the reference; n receives how many. */
MTM_API const mtm_op *const *mtm_op_table(int32_t *n);
MTM_API const mtm_op *mtm_op_find(const char *name); /* NULL: none of that name */

/* Fills an args struct of op->args_bytes with defaults, then with what is given. Errors: MTM_E_INVAL with the
 * parameter's name: unknown, required but missing, wrong type, out of range. */
MTM_API mtm_status mtm_op_args(const mtm_op *op, void *args, const mtm_arg *given, int32_t n_given,
                               mtm_error *err);

/* One worker's context; not shared between threads. pool NULL: serial; both are borrowed. */
MTM_API mtm_status mtm_exec_new(mtm_exec **out, mtm_pool *pool, mtm_recycler *recycler, mtm_error *err);
MTM_API void mtm_exec_free(mtm_exec *x);
/* Kernels of another tier, for tests: MTM_CPU_ flags, masked by what the CPU has. */
MTM_API void mtm_exec_set_cpu(mtm_exec *x, unsigned cpu_flags);

/* Runs one operator on `in`: [Z, Y, X], [Y, X], or with a leading channel axis when channels is true. out->data
 * NULL: a new C-order array of out->dtype (MTM_NONE: the operator's own); else the result is stored there (the
 * shape must fit). in_affine, out_affine: 4×4 row-major or NULL; spacing and orient need in_affine. */
MTM_API mtm_status mtm_op_run(mtm_exec *x, const mtm_op *op, const void *args, const mtm_array *in,
                              bool channels, const double *in_affine, mtm_array *out, double *out_affine,
                              mtm_error *err);

/* Percentiles q[0 … n) (percents, 0 … 100) of the voxels of `in` (2 to 4 axes) as numpy.percentile(method='linear'); mask
 * (NULL: all): only where it is not 0, of in's shape. Voxels that are not finite are left out. Errors: MTM_E_INVAL (no such
 * voxel, shapes, a percent outside). */
MTM_API mtm_status mtm_percentiles(mtm_exec *x, const mtm_array *in, const mtm_array *mask, const double *q,
                                   int32_t n, double *out, mtm_error *err);

#ifdef __cplusplus
}
#endif
#endif
