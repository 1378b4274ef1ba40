/* array/dlpack.h: the structs of DLPack 1.0 (dmlc/dlpack, include/dlpack/dlpack.h), which hand an array to another
 * library without a copy. Their layout is an ABI; names are DLPack's own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MTM_ARRAY_DLPACK_H
#define MTM_ARRAY_DLPACK_H

#include "array.h"

typedef struct DLDevice {
    int32_t device_type; /* kDLCPU 1, kDLCUDA 2 */
    int32_t device_id;
} DLDevice;

typedef struct DLDataType {
    uint8_t code; /* kDLInt 0, kDLUInt 1, kDLFloat 2, kDLBool 6 */
    uint8_t bits;
    uint16_t lanes;
} DLDataType;

typedef struct DLTensor {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;
    int64_t *strides; /* elements */
    uint64_t byte_offset;
} DLTensor;

typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

typedef struct DLManagedTensorVersioned {
    struct {
        uint32_t major, minor;
    } version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags; /* bit 0: read only */
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

#endif
