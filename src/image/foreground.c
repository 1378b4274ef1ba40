/* image/foreground.c: the box of the values that are not 0, in one pass that looks at few of them: within the box found
 * so far only the margins of a row can make it larger.
 * SPDX-License-Identifier: Apache-2.0 */
#include "foreground.h"

/* Spatial axes outermost first; lo > hi: nothing found yet. */
typedef struct fore {
    int64_t lo[3], hi[3]; /* inclusive */
} fore;

/* Elements of a row along X; `mask` drops the sign of floats, so that −0 is 0. */
typedef struct row {
    const uint8_t *data;
    int64_t n, stride;
    size_t elem_bytes;
    uint64_t mask;
} row;

static bool nonzero(const row *r, int64_t i)
{
    const uint8_t *const p = r->data + i * r->stride;
    uint64_t u64;
    uint32_t u32;
    uint16_t u16;

    switch (r->elem_bytes) {
    case 1: return (*p & r->mask) != 0;
    case 2: memcpy(&u16, p, sizeof u16); return (u16 & r->mask) != 0;
    case 4: memcpy(&u32, p, sizeof u32); return (u32 & r->mask) != 0;
    default: memcpy(&u64, p, sizeof u64); return (u64 & r->mask) != 0;
    }
}

/* First in [lo, hi) that is not 0, or hi. */
static int64_t first_nonzero(const row *r, int64_t lo, int64_t hi)
{
    while (lo < hi && !nonzero(r, lo))
        lo++;
    return lo;
}

/* Last in [lo, hi) that is not 0, or lo − 1. */
static int64_t last_nonzero(const row *r, int64_t lo, int64_t hi)
{
    while (hi > lo && !nonzero(r, hi - 1))
        hi--;
    return hi - 1;
}

static void row_add(fore *f, const row *r, int64_t z, int64_t y)
{
    const bool known = z >= f->lo[0] && z <= f->hi[0] && y >= f->lo[1] && y <= f->hi[1];
    const int64_t first = first_nonzero(r, 0, known ? f->lo[2] : r->n);

    if (!known && first == r->n)
        return;
    f->lo[2] = mtm_min_i64(f->lo[2], first);
    f->hi[2] = mtm_max_i64(f->hi[2], last_nonzero(r, f->hi[2] + 1, r->n));
    f->lo[0] = mtm_min_i64(f->lo[0], z), f->hi[0] = mtm_max_i64(f->hi[0], z);
    f->lo[1] = mtm_min_i64(f->lo[1], y), f->hi[1] = mtm_max_i64(f->hi[1], y);
}

/* One volume at `data`; axis[i]: which of a's axes is Z, Y, X, or −1. */
static void volume_add(fore *f, const mtm_array *a, const uint8_t *data, const int axis[3])
{
    int64_t n[3], stride[3];
    const bool real = a->dtype == MTM_F16 || a->dtype == MTM_F32 || a->dtype == MTM_F64;
    row r = {.elem_bytes = mtm_dtype_size(a->dtype), .mask = UINT64_MAX};

    for (int i = 0; i < 3; i++)
        n[i] = axis[i] < 0 ? 1 : a->shape[axis[i]], stride[i] = axis[i] < 0 ? 0 : a->stride[axis[i]];
    if (real)
        r.mask = ~(UINT64_C(1) << (8 * r.elem_bytes - 1));
    r.n = n[2], r.stride = stride[2];
    for (int64_t z = 0; z < n[0]; z++)
        for (int64_t y = 0; y < n[1]; y++) {
            r.data = data + z * stride[0] + y * stride[1];
            row_add(f, &r, z, y);
        }
}

void mtm_foreground(const mtm_array *a, const char *axes, int64_t start[3], int64_t size[3])
{
    fore f = {.lo = {INT64_MAX, INT64_MAX, INT64_MAX}, .hi = {-1, -1, -1}};
    int axis[3];
    int64_t others = 1;

    for (int i = 0; i < 3; i++) {
        const char *const at = strchr(axes, "ZYX"[i]);

        axis[i] = at ? (int)(at - axes) : -1;
    }
    for (int32_t i = 0; i < a->ndim; i++)
        others *= i == axis[0] || i == axis[1] || i == axis[2] ? 1 : a->shape[i];
    for (int64_t k = 0; k < others && mtm_array_count(a) > 0; k++) {
        const uint8_t *data = a->data;
        int64_t rest = k;

        for (int32_t i = a->ndim - 1; i >= 0; i--)
            if (i != axis[0] && i != axis[1] && i != axis[2]) {
                data += rest % a->shape[i] * a->stride[i];
                rest /= a->shape[i];
            }
        volume_add(&f, a, data, axis);
    }
    for (int i = 0; i < 3; i++) {
        start[i] = f.hi[i] < 0 ? 0 : f.lo[i];
        size[i] = f.hi[i] < 0 ? 0 : f.hi[i] - f.lo[i] + 1;
    }
}
