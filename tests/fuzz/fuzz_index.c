/* tests/fuzz/fuzz_index.c: the input is a payload of the sidecar index (its first byte says of which kind), put into a
 * row whose checksum fits; or, with another first byte, the index file itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "image/index.h"

static const char *const kinds[] = {"stats", "percentiles 0x1p-1 0x1.8ep+6", "labels", "gzip", "objects 0"};

/* What was accepted is walked through. */
static void read_kinds(mtm_index *ix, const mtm_identity *id)
{
    MTM_AUTO(mtm_gzip_points) p = NULL;
    mtm_label_table *t = NULL;
    mtm_object_table *o = NULL;
    double v[2];
    mtm_image_stats s;
    int64_t sum = 0;

    mtm_index_get_stats(ix, id, &s);
    mtm_index_get_points(ix, id, &p);
    if (mtm_index_get_percentiles(ix, id, (double[]){0.5, 99.5}, v))
        FUZZ_CHECK(v[0] <= v[1]);
    if (mtm_index_get_labels(ix, id, &t)) {
        for (int32_t i = 0; i < t->n_classes; i++)
            FUZZ_CHECK(t->offset[i + 1] - t->offset[i] <= t->counts[i]);
        for (int64_t k = 0; k < t->offset[t->n_classes]; k++)
            sum |= t->at[k];
        FUZZ_CHECK(sum >= 0);
    }
    mtm_free(t);
    if (mtm_index_get_objects(ix, id, 0, (int64_t[]){20, 30, 40}, &o))
        for (int64_t i = 0; i < o->n; i++)
            FUZZ_CHECK(o->number[i] < o->n && o->start[3 * i + 2] + o->size[3 * i + 2] <= 40);
    mtm_object_table_free(o);
}

static void as_file(const char *path, const mtm_identity *id, const uint8_t *data, size_t n)
{
    MTM_AUTO(mtm_index) ix = NULL;
    FILE *const f = fopen(path, "wb");

    if (!f)
        return;
    fwrite(data, 1, n, f);
    fclose(f);
    if (mtm_index_open(&ix, path, NULL) != MTM_OK)
        return;
    read_kinds(ix, id);
    mtm_index_put(ix, id, "stats", 1, data, n < 100 ? n : 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    mtm_identity id = {.path = (char *)"/data/t1.nii.gz", .size_bytes = 1000, .mtime_ns = 1, .head_hash = 2};
    const char *const tmp = getenv("TMPDIR");
    static const char *const endings[] = {"", ".damaged", "-wal", "-shm", "-journal"};
    char path[200], name[220];

    if (n == 0)
        return 0;
    snprintf(path, sizeof path, "%s/mtm-fuzz-%d.index", tmp ? tmp : "/tmp", (int)getpid());
    if (data[0] < 5) {
        MTM_AUTO(mtm_index) ix = NULL;

        if (mtm_index_open(&ix, path, NULL) == MTM_OK) {
            mtm_index_put(ix, &id, kinds[data[0]], 1, data + 1, n - 1);
            read_kinds(ix, &id);
        }
    } else {
        as_file(path, &id, data, n);
    }
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "%s%s", path, endings[i]);
        unlink(name);
    }
    return 0;
}
