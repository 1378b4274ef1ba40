/* microtome/microtome.h: all of the public API.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MICROTOME_H
#define MICROTOME_H

#include "array.h"
#include "base.h"
#include "codec.h"
#include "dicom.h"
#include "image.h"
#include "load.h"
#include "objects.h"
#include "op.h"
#include "window.h"

#endif
