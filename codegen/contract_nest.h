/* The nest of loops over the axes of k that a micro-kernel's sums pass through as SSA values. */
#ifndef CODEGEN_CONTRACT_NEST_H
#define CODEGEN_CONTRACT_NEST_H

#include "codegen/contract_size.h"

enum { NEST_MAX_SUMS = 64 };

typedef struct {
    Size extent, a, b; /* strides in elements */
} TileAxis;

/* What is done at each place: updates the sums. `step` is the index along the innermost axis that is written
 * out, else 0. */
typedef void DepthBody(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t step, void *user);

typedef struct {
    const TileAxis *axis; /* outer to inner */
    uint32_t axis_count;
    LLVMValueRef *sum; /* in and out; the body's to change */
    uint32_t sum_count;
    int64_t unroll;   /* steps up to which an innermost axis of known extent is written out; */
    uint32_t written; /* 1 + the axis that is written out wherever it is; 0 = none */
    DepthBody *body;
    void *user;
} DepthNest;

void depth_nest_emit(Emit *e, const DepthNest *nest, LLVMValueRef a_offset, LLVMValueRef b_offset);

#endif
