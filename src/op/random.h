/* op/random.h: random operators that only draw the arguments of another one. Such an operator is a table: its `target`,
 * and parameters with the names of the target's, which are drawn (a range) or handed on (everything else).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_OP_RANDOM_H
#define MTM_OP_RANDOM_H

#include "op/draw.h"

/* How the args of every random operator with a `target` begin; operators with a `draw` of their own may do the same. */
typedef struct mtm_random_head {
    double p; /* probability that anything happens */
    bool
        per_channel; /* every channel draws for itself, from its own stream, whether it acts and with what. Channel c of
                       * step i of a chain: counter word i + c·4096, so channel 0 draws what all would draw together */
} mtm_random_head;

/* The two parameters that belong to the head; the args struct's first member is called `head`. */
#define MTM_RANDOM_PARAMS(args, default_p)                                                                   \
    {"p",                                                                                                    \
     MTM_PARAM_FLOAT,                                                                                        \
     offsetof(args, head.p),                                                                                 \
     default_p,                                                                                              \
     0,                                                                                                      \
     1,                                                                                                      \
     NULL,                                                                                                   \
     "",                                                                                                     \
     "Probability that anything happens."},                                                                  \
        {"per_channel",                                                                                      \
         MTM_PARAM_BOOL,                                                                                     \
         offsetof(args, head.per_channel),                                                                   \
         "False",                                                                                            \
         0,                                                                                                  \
         0,                                                                                                  \
         NULL,                                                                                               \
         "",                                                                                                 \
         "Every channel draws for itself."}

/* Draws for any random operator: *target NULL, this time nothing happens; else target_args (zeroed by the caller, room for
 * any operator's) are what it runs with. By the table a parameter of the target gets:
 *   FLOAT, FLOATS  from FLOATS of the same name: one number, or a pair (low, high) drawn uniformly
 *   INT            from INTS: one number, or a pair drawn uniformly, both ends included
 *   SEED           64 random bits
 *   anything else, and equal types: the value as it is. */
mtm_status mtm_op_draw(const mtm_op *op, const void *args, mtm_draw *d, const mtm_spec *in,
                       const mtm_op **target, void *target_args, mtm_error *err);

/* That every such range has one or two numbers, and runs upwards. */
mtm_status mtm_random_check(const mtm_op *op, const void *args, mtm_error *err);

/* Whether every channel draws for itself: the value of the parameter per_channel, of operators that have it. */
bool mtm_random_per_channel(const mtm_op *op, const void *args);

/* For operators with a `draw` of their own: checks a range, then draws from it. */
mtm_status mtm_range_check(const mtm_floats *r, const char *name, mtm_error *err);
double mtm_range_draw(mtm_draw *d, const mtm_floats *r);
mtm_status mtm_range_check_ints(const mtm_ints *r, const char *name, mtm_error *err);
int64_t mtm_range_draw_int(mtm_draw *d, const mtm_ints *r); /* both ends included */

#endif
