/* load/chain.h: a chain of operators as it is built once and then shared, unchanged, by every worker.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_CHAIN_H
#define MTM_LOAD_CHAIN_H

#include "array/array.h"
#include "base/mem.h"
#include "microtome/load.h"

/* A step's number is the lower part of a word of the random counter, a channel's the upper. */
enum { MTM_CHAIN_STEPS = 4096, MTM_CHAIN_CHANNELS = 1 << 20 };

typedef struct mtm_chain_step {
    const mtm_op *op;  /* NULL: a foreign function */
    void *args;        /* op->args_bytes */
    mtm_array *arrays; /* array arguments: views with a reference of their own */
    int32_t n_arrays;
    mtm_apply_fn fn;
    void *user;
    void (*release)(void *user);
    char **fields; /* the fields it works on; none: by its kind */
    int32_t n_fields;
} mtm_chain_step;

struct mtm_chain {
    mtm_chain_step *steps;
    int32_t n, room;
    char **labels; /* names of the fields that hold label maps */
    int32_t n_labels;
    char **points; /* names of the fields that hold points */
    int32_t n_points;
    uint32_t drawn_bytes; /* of the largest args struct that a random operator may fill, 64-byte multiple */
};

MTM_DEFINE_AUTO(mtm_chain, mtm_chain_free)

bool mtm_chain_is_label(const mtm_chain *c, const char *field);
bool mtm_chain_is_points(const mtm_chain *c, const char *field);

/* The longest run of steps from the start whose result is the same in every epoch: no random operator, and no foreign
 * function (which may draw numbers of its own). */
int32_t mtm_chain_prefix(const mtm_chain *c);

/* Whether the step, running as `op` (NULL: its foreign function), works on a field. */
bool mtm_chain_applies(const mtm_chain_step *s, const mtm_op *op, const char *field, bool label);

#endif
