/* op/intensity/plain.c: float32 views of a filter's input and output.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plain.h"

static bool is_plain(const mtm_array *a)
{
    return a->dtype == MTM_F32 && (a->stride[3] == (int64_t)sizeof(float) || a->shape[3] == 1);
}

static mtm_status borrow(mtm_exec *x, mtm_plain *p, const mtm_array *like, mtm_error *err)
{
    MTM_TRY(mtm_scratch_borrow(x, (size_t)mtm_array_count(like) * sizeof(float), &p->memory, err));
    p->a = mtm_array_wrap(p->memory, MTM_F32, 4, like->shape);
    return MTM_OK;
}

mtm_status mtm_plain_out(mtm_exec *x, mtm_plain *p, const mtm_array *out, mtm_error *err)
{
    *p = (mtm_plain){.a = *out};
    return is_plain(out) ? MTM_OK : borrow(x, p, out, err);
}

mtm_status mtm_plain_store(mtm_exec *x, mtm_plain *p, mtm_array *out, mtm_status s, mtm_error *err)
{
    if (s == MTM_OK && p->memory)
        s = mtm_array_convert(out, &p->a, 1, 0, x->pool, err);
    mtm_scratch_return(x, p->memory);
    return s;
}

mtm_status mtm_plain_in(mtm_exec *x, mtm_plain *p, const mtm_array *in, mtm_error *err)
{
    mtm_status s;

    *p = (mtm_plain){.a = *in};
    if (is_plain(in))
        return MTM_OK;
    MTM_TRY(borrow(x, p, in, err));
    s = mtm_array_convert(&p->a, in, 1, 0, x->pool, err);
    if (s != MTM_OK)
        mtm_scratch_return(x, p->memory);
    return s;
}
