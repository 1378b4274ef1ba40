/* tests/fuzz/replay.c: runs a fuzz target without libFuzzer, with any compiler: on the files of a corpus folder, and on
 * inputs that are made of them by cutting and changing bytes (always the same ones, by Philox). Speaks TAP.
 * Usage: fuzz_NAME FOLDER [changes per file]
 * SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdbool.h>
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

static int visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* One file and what is made of it. Its name is printed first, since a target that finds something stops the process. */
static bool replay(int number, const char *folder, const char *name, int times)
{
    char path[PATH_ROOM];
    uint8_t *p = NULL;
    size_t n = 0;
    bool ok;

    printf("# %s\n", name);
    if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
        p = read_all(path, &n);
    if (p) {
        run(p, n);
        if (n)
            run_changed(p, n, times);
    }
    ok = p != NULL;
    printf("%sok %d - %s%s\n", ok ? "" : "not ", number, name, ok ? "" : ": cannot be read");
    free(p);
    return ok;
}

int main(int argc, char **argv)
{
    const int times = argc > 2 ? atoi(argv[2]) : CHANGES;
    struct dirent **entries = NULL;
    const int files = argc > 1 ? scandir(argv[1], &entries, visible, alphasort) : -1;
    int failed = 0;

    if (files < 0) {
        fprintf(stderr, "usage: %s FOLDER [changes per file]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was printed outlives a crash */
    printf("1..%d\n", files);
    for (int i = 0; i < files; i++) {
        failed += !replay(i + 1, argv[1], entries[i]->d_name, times);
        free(entries[i]);
    }
    free(entries);
    return failed || !files; /* a run over nothing has tested nothing */
}
