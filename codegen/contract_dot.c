/* Dot products of several rows of A with several rows of a transposed B at once. */
#include "codegen/contract_dot.h"
#include "codegen/contract_tile.h"
#include "codegen/vector.h"

static LLVMValueRef load(Emit *e, const Dot *d, LLVMValueRef pointer, LLVMValueRef k, LLVMValueRef mask) {
    LLVMValueRef at = vector_at(e, d->memory, pointer, k);
    if (!mask) return tile_load(e, d->memory, d->element, at, d->lanes);
    return tile_convert(e, d->element, vector_load_masked(e, d->memory, at, mask));
}

static void step(Emit *e, Dot *d, LLVMValueRef k, LLVMValueRef mask) {
    LLVMValueRef a[DOT_MAX_ROWS];
    for (uint32_t r = 0; r < d->rows; r++) a[r] = load(e, d, d->a[r], k, mask);
    for (uint32_t c = 0; c < d->columns; c++) {
        LLVMValueRef b = load(e, d, d->b[c], k, mask);
        for (uint32_t r = 0; r < d->rows; r++) {
            LLVMValueRef *sum = &d->sum[r * d->columns + c];
            *sum = vector_multiply_add(e, a[r], b, *sum);
        }
    }
}

/* The whole vectors of k: a loop that carries the sums. */
static void whole_vectors(Emit *e, Dot *d, LLVMValueRef end) {
    LLVMValueRef initial[DOT_MAX_ROWS * DOT_MAX_COLUMNS], carried[DOT_MAX_ROWS * DOT_MAX_COLUMNS];
    uint32_t sums = d->rows * d->columns;
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder);
    LLVMValueRef function = LLVMGetBasicBlockParent(before), zero = emit_i64(e, 0);
    LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(e->llvm, function, "dot");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->llvm, function, "dot.end");
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSGT, end, zero, ""), inside, after);
    LLVMPositionBuilderAtEnd(e->builder, inside);
    LLVMValueRef k = LLVMBuildPhi(e->builder, LLVMTypeOf(zero), "");
    LLVMAddIncoming(k, &zero, &before, 1);
    for (uint32_t i = 0; i < sums; i++) {
        initial[i] = d->sum[i];
        carried[i] = d->sum[i] = LLVMBuildPhi(e->builder, LLVMTypeOf(initial[i]), "");
        LLVMAddIncoming(carried[i], &initial[i], &before, 1);
    }
    step(e, d, k, NULL);
    LLVMValueRef next = LLVMBuildNSWAdd(e->builder, k, emit_i64(e, d->lanes), "");
    LLVMAddIncoming(k, &next, &inside, 1);
    for (uint32_t i = 0; i < sums; i++) LLVMAddIncoming(carried[i], &d->sum[i], &inside, 1);
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, next, end, ""), inside, after);
    LLVMPositionBuilderAtEnd(e->builder, after);
    for (uint32_t i = 0; i < sums; i++) {
        LLVMValueRef last = LLVMBuildPhi(e->builder, LLVMTypeOf(initial[i]), "");
        LLVMAddIncoming(last, (LLVMValueRef[]){initial[i], d->sum[i]}, (LLVMBasicBlockRef[]){before, inside},
                        2);
        d->sum[i] = last;
    }
}

static LLVMValueRef half(Emit *e, LLVMValueRef vector, uint32_t lanes, uint32_t from) {
    LLVMValueRef mask[64];
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    for (uint32_t i = 0; i < lanes; i++) mask[i] = LLVMConstInt(i32, from + i, false);
    return LLVMBuildShuffleVector(e->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  LLVMConstVector(mask, lanes), "");
}

/* Lower half plus upper half, until one lane is left. */
static LLVMValueRef sum_lanes(Emit *e, LLVMValueRef sum, uint32_t lanes) {
    bool integer = LLVMGetTypeKind(vector_element(LLVMTypeOf(sum))) == LLVMIntegerTypeKind;
    while (lanes > 1) {
        lanes /= 2;
        LLVMValueRef low = half(e, sum, lanes, 0), high = half(e, sum, lanes, lanes);
        sum = integer ? LLVMBuildAdd(e->builder, low, high, "") : LLVMBuildFAdd(e->builder, low, high, "");
    }
    return LLVMBuildExtractElement(e->builder, sum, emit_i64(e, 0), "");
}

void dot_multiply(Emit *e, Dot *d) {
    uint32_t sums = d->rows * d->columns;
    for (uint32_t i = 0; i < sums; i++) d->sum[i] = LLVMConstNull(emit_lanes(d->element, d->lanes));
    Size whole = size_mul(e, size_div(e, d->depth, d->lanes), size_known(e, d->lanes));
    Size rest = size_sub(e, d->depth, whole);
    if (!size_is(whole, 0)) whole_vectors(e, d, whole.value);
    if (!size_is(rest, 0)) step(e, d, whole.value, vector_first_lanes(e, rest.value, d->lanes));
    for (uint32_t i = 0; i < sums; i++) d->sum[i] = sum_lanes(e, d->sum[i], d->lanes);
}
