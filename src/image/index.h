/* image/index.h: the sidecar index from inside: what was learnt about a file once, kept in a small SQLite file. An index
 * is an aid, so nothing here fails: a lookup finds or does not, a store keeps or does not, and a read goes on, slower.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_IMAGE_INDEX_H
#define MTM_IMAGE_INDEX_H

#include "array/objects.h"
#include "base/mem.h"
#include "codec/gzip.h"
#include "microtome/image.h"

MTM_DEFINE_AUTO(mtm_index, mtm_index_close)

/* Which file, in which state: an entry counts only while all of this is as it was. */
typedef struct mtm_identity {
    char *path; /* canonical and absolute */
    int64_t size_bytes, mtime_ns;
    uint64_t head_hash; /* XXH64 of the first 4 KiB, seeded with the size */
} mtm_identity;

/* Take it before the file's contents are read, so that a file that changes meanwhile cannot get an entry that looks
 * current. Errors: MTM_E_NOTFOUND, MTM_E_DENIED, MTM_E_INVAL (a folder, pipe or device), MTM_E_IO, MTM_E_NOMEM. */
mtm_status mtm_identity_get(mtm_identity *out, const char *path, mtm_error *err);
void mtm_identity_clear(mtm_identity *id); /* of {0} or a filled one */

/* Finds the payload of (file, kind), where `version` is that of the payload's layout. False: absent, stale, damaged,
 * of another version, or the index cannot be read. Free *blob with mtm_free. */
bool mtm_index_get(mtm_index *ix, const mtm_identity *id, const char *kind, uint32_t version, uint8_t **blob,
                   size_t *n);
/* Keeps it, replacing an older one. False: it was not kept (read-only, locked, disk full, ix or id NULL …). */
bool mtm_index_put(mtm_index *ix, const mtm_identity *id, const char *kind, uint32_t version,
                   const uint8_t *blob, size_t n);

/* Why the last lookup or store of this handle did not work, for diagnostics: "" when it did. Copied into text. */
void mtm_index_problem(mtm_index *ix, char *text, size_t room);

/* ---- what is kept, typed ------------------------------------------------------------------------------- */

bool mtm_index_get_points(mtm_index *ix, const mtm_identity *id, mtm_gzip_points **out);
bool mtm_index_put_points(mtm_index *ix, const mtm_identity *id, const mtm_gzip_points *p);
bool mtm_index_get_stats(mtm_index *ix, const mtm_identity *id, mtm_image_stats *out);
bool mtm_index_put_stats(mtm_index *ix, const mtm_identity *id, const mtm_image_stats *s);
/* Exact percentiles (kernel/stats.h) of a whole image's values, for the pair of percents that was asked for before. A
 * histogram would give those of narrow integers only. */
bool mtm_index_get_percentiles(mtm_index *ix, const mtm_identity *id, const double q[2], double out[2]);
bool mtm_index_put_percentiles(mtm_index *ix, const mtm_identity *id, const double q[2], const double v[2]);
/* The table is one block of mtm_alloc, which is what mtm_label_table_free frees. */
bool mtm_index_get_labels(mtm_index *ix, const mtm_identity *id, mtm_label_table **out);
bool mtm_index_put_labels(mtm_index *ix, const mtm_identity *id, const mtm_label_table *t);
/* Objects of a label map ([Z, Y, X], so many voxels), by the background they were found with. */
bool mtm_index_get_objects(mtm_index *ix, const mtm_identity *id, int64_t background, const int64_t shape[3],
                           mtm_object_table **out);
bool mtm_index_put_objects(mtm_index *ix, const mtm_identity *id, int64_t background,
                           const mtm_object_table *t);

#endif
