/* load/drawing.h: the drawing of a chain's random operators, one step of planning (load/plan.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_LOAD_DRAWING_H
#define MTM_LOAD_DRAWING_H

#include "load/sample.h"

/* Draws random operator number `step` into s->drawn[step]; the steps before it are planned. Errors name the operator. */
mtm_status mtm_sample_draw(mtm_sample *s, int32_t step, mtm_error *err);

#endif
