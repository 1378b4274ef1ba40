/* tests/fuzz/replay.c: runs a fuzz target without libFuzzer, with any compiler: on the files of a corpus folder, and on
 * inputs that are made of them by cutting and changing bytes (always the same ones, by Philox).
 * Usage: fuzz_NAME FOLDER [changes per file]
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "fuzz.h"

enum { PATH_ROOM = 4096, CHANGES = 300 };

static uint8_t *read_all(const char *path, size_t *n)
{
    FILE *const f = fopen(path, "rb");
    uint8_t *p = NULL;
    long size;

    if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        p = malloc((size_t)size + 1);
        *n = p ? fread(p, 1, (size_t)size, f) : 0;
    }
    if (f)
        fclose(f);
    return p;
}

/* One input of exactly n bytes, so that a sanitizer sees a read past its end. */
static void run(const uint8_t *p, size_t n)
{
    uint8_t *const copy = malloc(n ? n : 1);

    if (!copy)
        return;
    if (n)
        memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void run_changed(uint8_t *p, size_t n, int times)
{
    mtm_rng r = mtm_rng_at(n, 0, 0, 0);

    for (int i = 0; i < times; i++) {
        uint8_t old[4];
        size_t at[4];
        const int changes = 1 + (int)mtm_rng_below(&r, 4);

        for (int k = 0; k < changes; k++) {
            const uint64_t near = n < 512 || i & 1 ? n : 512; /* headers lie in front */

            at[k] = (size_t)mtm_rng_below(&r, near);
            old[k] = p[at[k]];
            p[at[k]] = i & 2 ? (uint8_t)mtm_rng_u32(&r) : (uint8_t)(p[at[k]] ^ 1u << mtm_rng_below(&r, 8));
        }
        run(p, i % 5 ? n : (size_t)mtm_rng_below(&r, n));
        for (int k = changes - 1; k >= 0; k--)
            p[at[k]] = old[k];
    }
}

int main(int argc, char **argv)
{
    const int times = argc > 2 ? atoi(argv[2]) : CHANGES;
    DIR *const folder = argc > 1 ? opendir(argv[1]) : NULL;
    int files = 0;

    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER [changes per file]\n", argv[0]);
        return 2;
    }
    for (struct dirent *e; (e = readdir(folder));) {
        char path[PATH_ROOM];
        uint8_t *p;
        size_t n;

        if (e->d_name[0] == '.' ||
            snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name) >= (int)sizeof path)
            continue;
        p = read_all(path, &n);
        if (!p)
            continue;
        run(p, n);
        if (n)
            run_changed(p, n, times);
        free(p);
        files++;
    }
    closedir(folder);
    printf("%d files replayed\n", files);
    return files ? 0 : 1; /* a run over nothing has tested nothing */
}
