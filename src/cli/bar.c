/* cli/bar.c: a line that tells how far work on many files is, once it takes longer than two seconds.
 * SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "cli.h"

enum { WAIT_MS = 2000, STEP_MS = 100 };

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

cli_bar cli_bar_begin(const char *what)
{
    return (cli_bar){.what = what, .begun_ms = now_ms()};
}

void cli_bar_show(void *user, int64_t done, int64_t files)
{
    cli_bar *const b = user;
    const int64_t now = now_ms();

    if (now - b->begun_ms < WAIT_MS || now - b->shown_ms < STEP_MS)
        return;
    fprintf(stderr, "\r%s: %" PRId64 " of %" PRId64 " files", b->what, done, files);
    fflush(stderr);
    b->shown_ms = now;
}

void cli_bar_clear(const cli_bar *b)
{
    if (b->shown_ms)
        fputs("\r\033[K", stderr);
}
