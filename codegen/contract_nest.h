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

/* What is done once before so many steps that follow each other along the innermost axis. */
typedef void DepthAhead(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t step, int64_t steps,
                        void *user);

typedef struct {
    const TileAxis *axis; /* outer to inner */
    uint32_t axis_count;
    LLVMValueRef *sum; /* in and out; the body's to change */
    uint32_t sum_count;
    int64_t unroll;   /* steps up to which an innermost axis of known extent is written out; */
    int64_t together; /* of a longer one that are a round of its loop; 0 = one */
    uint32_t written; /* 1 + the axis that is written out wherever it is; 0 = none */
    DepthBody *body;
    DepthAhead *ahead; /* or NULL */
    void *user;
} DepthNest;

void depth_nest_emit(Emit *e, const DepthNest *nest, LLVMValueRef a_offset, LLVMValueRef b_offset);

#endif
