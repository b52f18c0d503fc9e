/* Memory access of kernels: vectors that are contiguous, reversed, repeated or scattered in memory, with or
 * without a mask. */
#ifndef CODEGEN_ACCESS_H
#define CODEGEN_ACCESS_H

#include "codegen/emit.h"

/* Element numbers: lane l is at `base + l·step`, or where `repeat` > 1 at `base + l / repeat·step`; where
 * `vector`, `base` is an i64 vector that says each lane's. */
typedef struct {
    LLVMValueRef base;
    int64_t step;
    bool vector;
    uint32_t repeat; /* a divisor of the lanes; 0 as 1 */
    uint32_t align;  /* `base` is a multiple of it; 0 and 1: nothing is known */
} Index;

/* An access to elements of `dtype` in memory at `pointer`. `mask`, where not NULL, is <lanes x i1>, or an i1
 * for all lanes: masked-off lanes touch no memory and load as zero. `metadata`, where not NULL, is alias
 * metadata to attach (kind and node). */
typedef struct {
    DType dtype;
    LLVMValueRef pointer;
    Index at;
    uint32_t lanes;
    LLVMValueRef mask;
    unsigned metadata_kind;
    LLVMValueRef metadata;
} Access;

LLVMValueRef access_load(Emit *e, const Access *access);
void access_store(Emit *e, const Access *access, LLVMValueRef value);
/* The index of each lane: an i64, or a vector of them. */
LLVMValueRef access_lanes(Emit *e, Index index, uint32_t lanes);

#endif
