/* base/dtype.c: names and sizes of the element types.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "microtome/base.h"

typedef struct dtype_facts {
    const char *name; /* NumPy's */
    uint8_t size_bytes;
    bool integer;
} dtype_facts;

static const dtype_facts dtypes[MTM_N_DTYPES] = {
    [MTM_NONE] = {"none", 0, false},   [MTM_U8] = {"uint8", 1, true},     [MTM_I8] = {"int8", 1, true},
    [MTM_U16] = {"uint16", 2, true},   [MTM_I16] = {"int16", 2, true},    [MTM_U32] = {"uint32", 4, true},
    [MTM_I32] = {"int32", 4, true},    [MTM_U64] = {"uint64", 8, true},   [MTM_I64] = {"int64", 8, true},
    [MTM_F16] = {"float16", 2, false}, [MTM_F32] = {"float32", 4, false}, [MTM_F64] = {"float64", 8, false},
    [MTM_BOOL] = {"bool", 1, true},
};

static const dtype_facts *facts(mtm_dtype t)
{
    return &dtypes[(unsigned)t < MTM_N_DTYPES ? t : MTM_NONE];
}

size_t mtm_dtype_size(mtm_dtype t)
{
    return facts(t)->size_bytes;
}

const char *mtm_dtype_name(mtm_dtype t)
{
    return facts(t)->name;
}

mtm_dtype mtm_dtype_parse(const char *name)
{
    for (int t = MTM_NONE + 1; name && t < MTM_N_DTYPES; t++)
        if (!strcmp(dtypes[t].name, name))
            return (mtm_dtype)t;
    return MTM_NONE;
}

bool mtm_dtype_is_integer(mtm_dtype t)
{
    return facts(t)->integer;
}
