/* load/draws.h: what was drawn for the steps of a chain: filled while a sample is planned, written as JSON, run again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_DRAWS_H
#define MTM_LOAD_DRAWS_H

#include "base/text.h"
#include "load/chain.h"

/* What a step runs as. Drawn per channel: channel c runs with the arguments at args + c·stride_bytes, or stays as it is. */
typedef struct mtm_drawn {
    const mtm_op *op; /* NULL: done while planning (foreign function), or nothing was drawn */
    const void *args;
    int64_t n_channels; /* 0: one draw for all */
    uint32_t stride_bytes;
    const bool *acts; /* [n_channels] */
} mtm_drawn;

/* The arguments of one channel; NULL: it stays as it is. */
static inline const void *mtm_drawn_channel(const mtm_drawn *d, int64_t c)
{
    return c < d->n_channels && d->acts[c] ? (const char *)d->args + c * (int64_t)d->stride_bytes : NULL;
}

/* What was drawn for the steps of a chain: asked for, written down, run again. */
struct mtm_draws {
    const mtm_chain *chain;
    mtm_drawn *drawn; /* one per step */
    uint8_t *room;    /* for drawn arguments: chain->drawn_bytes per step */
    void *
        *channels; /* per step: room for the arguments of its channels and whether they act; NULL: none yet */
    int64_t *room_channels; /* per step: for how many */
};

/* Room for n channels' draws of a step: sets its args, stride and acts (all false), and n_channels. Errors: MTM_E_NOMEM. */
mtm_status mtm_draws_channels(mtm_draws *d, int32_t step, int64_t n, mtm_error *err);
/* The arguments of a step drawn once: zeroed memory for chain->drawn_bytes. */
void *mtm_draws_args(mtm_draws *d, int32_t step);
/* What was drawn as JSON. */
void mtm_draws_json(const mtm_draws *d, mtm_text *out);

MTM_DEFINE_AUTO(mtm_draws, mtm_draws_free)

#endif
