/* cli/examples.h: one call of each operator, for `check` and `bench`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_CLI_EXAMPLES_H
#define MTM_CLI_EXAMPLES_H

typedef struct cli_example {
    const char *op, *args;
    double bound; /* largest difference between CPU tiers, as a part of the result's range; 0: equal */
} cli_example;

/* Ends with op NULL. */
extern const cli_example cli_examples[];

#endif
