/* cli/examples.h: one call of each operator and codec, for `check` and `bench`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CLI_EXAMPLES_H
#define MTM_CLI_EXAMPLES_H

#include "cli.h"

typedef struct cli_example {
    const char *op, *args;
    double bound; /* largest difference between CPU tiers, as a part of the result's range; 0: equal */
} cli_example;

/* Ends with op NULL. */
extern const cli_example cli_examples[];

/* A way to code the picture of cli_codec_picture. */
typedef struct cli_codec_example {
    const char *name, *codec;
    bool lossy;
} cli_codec_example;

/* Ends with name NULL. */
extern const cli_codec_example cli_codec_examples[];

/* A smooth [Y, X] picture of 12 bits with a grain, the same on every run. Errors: MTM_E_NOMEM. */
mtm_status cli_codec_picture(mtm_array *out, int64_t height, int64_t width, mtm_error *err);
mtm_status cli_codec_encode(mtm_codec_ctx *c, const cli_codec_example *e, const mtm_array *in, mtm_bytes *out,
                            mtm_error *err);

#endif
