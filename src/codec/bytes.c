/* codec/bytes.c: memory that encoders fill: microtome/codec.h and codec.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "codec.h"

mtm_status mtm_bytes_reserve(mtm_bytes *b, size_t more_bytes, mtm_error *err)
{
    const size_t grown = b->room_bytes + b->room_bytes / 2; /* so that many small requests stay linear */
    size_t room;
    uint8_t *data;

    if (__builtin_add_overflow(b->size_bytes, more_bytes, &room))
        return MTM_NOMEM(err);
    if (room <= b->room_bytes)
        return MTM_OK;
    room = room < grown ? grown : room;
    data = mtm_realloc(b->data, room);
    if (!data)
        return MTM_NOMEM(err);
    b->data = data, b->room_bytes = room;
    return MTM_OK;
}

void mtm_bytes_drop(mtm_bytes *b)
{
    mtm_free(b->data);
    *b = (mtm_bytes){0};
}
