/* io/write.h: writing a file so that readers see the old one or the whole new one, never a part.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_IO_WRITE_H
#define MTM_IO_WRITE_H

#include "base/mem.h"

/* A file under way: a temporary file in the destination's folder. Used by one thread. */
typedef struct mtm_writer mtm_writer;

/* Errors: MTM_E_NOTFOUND (no such folder), MTM_E_DENIED, MTM_E_INVAL (the path is a folder, pipe or device), MTM_E_IO. */
mtm_status mtm_writer_open(mtm_writer **out, const char *path, mtm_error *err);
mtm_status mtm_writer_put(mtm_writer *w, const void *data, size_t size_bytes, mtm_error *err);
/* Writes again, at offset_bytes, what was put there before; the next put still goes behind the last. Errors: MTM_E_IO. */
mtm_status mtm_writer_patch(mtm_writer *w, uint64_t offset_bytes, const void *data, size_t size_bytes,
                            mtm_error *err);
/* The file under way as a path, so that what was put can be read back before it gets its name. */
const char *mtm_writer_temp(const mtm_writer *w);
/* Syncs file and folder and gives the file its name. Afterwards only mtm_writer_free is allowed. */
mtm_status mtm_writer_commit(mtm_writer *w, mtm_error *err);
void mtm_writer_free(mtm_writer *w); /* without a commit the temporary file is removed */

MTM_DEFINE_AUTO(mtm_writer, mtm_writer_free)

#endif
