/* array/array.h: n-d views inside the library. The public part is microtome/array.h.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_ARRAY_ARRAY_H
#define MTM_ARRAY_ARRAY_H

#include "base/mem.h"
#include "base/size.h"
#include "microtome/array.h"

#endif
