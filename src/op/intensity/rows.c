/* op/intensity/rows.c: pictures of any type and strides as float32 rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op/intensity/rows.h"

#include "op/intensity/plain.h"

mtm_status mtm_rows_run(mtm_exec *x, const void *args, const mtm_spec *spec, const mtm_array *in,
                        mtm_array *out, mtm_rows_fn *fn, mtm_error *err)
{
    mtm_plain from, to;
    mtm_status s;

    if (spec->label)
        return mtm_array_convert(out, in, 1, 0, x->pool, err);
    if (mtm_array_count(in) == 0)
        return MTM_OK;
    MTM_TRY(mtm_plain_in(x, &from, in, err));
    s = mtm_plain_out(x, &to, out, err);
    if (s == MTM_OK) {
        s = fn(x, args, spec, &from.a, &to.a, err);
        s = mtm_plain_store(x, &to, out, s, err);
    }
    mtm_scratch_return(x, from.memory);
    return s;
}
