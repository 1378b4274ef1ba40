/* io/source.h: where bytes come from: a file or memory, read by position from any thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_IO_SOURCE_H
#define MTM_IO_SOURCE_H

#include "base/mem.h"

/* Thread-safe after opening; survives fork, because nothing depends on the file's position. */
typedef struct mtm_source mtm_source;

/* What tells that a file is still the same one; all 0 but size_bytes for memory. */
typedef struct mtm_source_id {
    int64_t size_bytes, mtime_ns;
    uint64_t device, inode;
} mtm_source_id;

/* A regular file. Errors: MTM_E_NOTFOUND, MTM_E_DENIED, MTM_E_UNSUPPORTED (a folder, pipe or device), MTM_E_IO. */
mtm_status mtm_source_open(mtm_source **out, const char *path, mtm_error *err);
/* Borrowed memory that outlives the source; `name` (copied) stands for the path in errors. */
mtm_status mtm_source_memory(mtm_source **out, const void *data, size_t size_bytes, const char *name,
                             mtm_error *err);
void mtm_source_close(mtm_source *s);

const char *mtm_source_path(const mtm_source *s);
uint64_t mtm_source_size(const mtm_source *s); /* bytes, when it was opened */
mtm_source_id mtm_source_id_get(const mtm_source *s);
bool mtm_source_in_memory(const mtm_source *s);

/* Exactly size_bytes from offset_bytes into dst. Errors: MTM_E_CORRUPT (beyond the end), MTM_E_CONFLICT (the file became
 * shorter after it was opened), MTM_E_IO. */
mtm_status mtm_source_read(const mtm_source *s, uint64_t offset_bytes, void *dst, size_t size_bytes,
                           mtm_error *err);

/* MTM_E_CONFLICT when the open file was written to or cut since it was opened. Call after the last read whose
 * bytes must belong together. */
mtm_status mtm_source_check(const mtm_source *s, mtm_error *err);

/* The whole source as memory, for the life of the source: mapped at the first call. A mapped file that is cut while
 * it is looked at kills the process (SIGBUS), so take this only for short looks, and mtm_source_check right before;
 * long reads use mtm_source_read. */
mtm_status mtm_source_map(mtm_source *s, const uint8_t **data, mtm_error *err);

MTM_DEFINE_AUTO(mtm_source, mtm_source_close)

#endif
