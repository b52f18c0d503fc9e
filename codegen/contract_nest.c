/* Loops over the axes of k. They carry the sums as SSA vectors, so no pass has to find out that these need no
 * memory. */
#include "codegen/contract_nest.h"
#include <assert.h>

static void level(Emit *e, const DepthNest *n, uint32_t depth, LLVMValueRef a_offset, LLVMValueRef b_offset);

static void written_out(Emit *e, const DepthNest *n, uint32_t depth, LLVMValueRef a_offset,
                        LLVMValueRef b_offset) {
    const TileAxis *axis = &n->axis[depth];
    for (int64_t i = 0; i < axis->extent.constant; i++) {
        level(e, n, depth + 1, a_offset, b_offset);
        a_offset = offset_add(e, a_offset, axis->a.value);
        b_offset = offset_add(e, b_offset, axis->b.value);
    }
}

static LLVMValueRef phi(Emit *e, LLVMValueRef initial, LLVMBasicBlockRef from) {
    LLVMValueRef value = LLVMBuildPhi(e->builder, LLVMTypeOf(initial), "");
    LLVMAddIncoming(value, &initial, &from, 1);
    return value;
}

static void looped(Emit *e, const DepthNest *n, uint32_t depth, LLVMValueRef a_start, LLVMValueRef b_start) {
    const TileAxis *axis = &n->axis[depth];
    LLVMValueRef initial[NEST_MAX_SUMS], carried[NEST_MAX_SUMS];
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder);
    LLVMValueRef function = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(e->llvm, function, "k");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->llvm, function, "k.end");
    LLVMValueRef zero = emit_i64(e, 0);
    if (axis->extent.known)
        LLVMBuildBr(e->builder, inside);
    else
        LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSGT, axis->extent.value, zero, ""),
                        inside, after);
    LLVMPositionBuilderAtEnd(e->builder, inside);
    LLVMValueRef k = phi(e, zero, before);
    LLVMValueRef a_offset = phi(e, a_start, before), b_offset = phi(e, b_start, before);
    for (uint32_t i = 0; i < n->sum_count; i++) {
        initial[i] = n->sum[i];
        carried[i] = n->sum[i] = phi(e, initial[i], before);
    }
    level(e, n, depth + 1, a_offset, b_offset);
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->builder);
    LLVMValueRef k_next = offset_add(e, k, emit_i64(e, 1));
    LLVMValueRef a_next = offset_add(e, a_offset, axis->a.value);
    LLVMValueRef b_next = offset_add(e, b_offset, axis->b.value);
    LLVMAddIncoming(k, &k_next, &latch, 1);
    LLVMAddIncoming(a_offset, &a_next, &latch, 1);
    LLVMAddIncoming(b_offset, &b_next, &latch, 1);
    for (uint32_t i = 0; i < n->sum_count; i++) LLVMAddIncoming(carried[i], &n->sum[i], &latch, 1);
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, k_next, axis->extent.value, ""), inside,
                    after);
    LLVMMoveBasicBlockAfter(after, latch);
    LLVMPositionBuilderAtEnd(e->builder, after);
    for (uint32_t i = 0; i < n->sum_count; i++) {
        LLVMValueRef last = phi(e, n->sum[i], latch);
        if (!axis->extent.known) LLVMAddIncoming(last, &initial[i], &before, 1);
        n->sum[i] = last;
    }
}

static void level(Emit *e, const DepthNest *n, uint32_t depth, LLVMValueRef a_offset, LLVMValueRef b_offset) {
    if (depth == n->axis_count) {
        n->body(e, a_offset, b_offset, n->user);
        return;
    }
    Size extent = n->axis[depth].extent;
    bool innermost = depth + 1 == n->axis_count;
    if (extent.known && (extent.constant <= 1 || (innermost && extent.constant <= n->unroll)))
        written_out(e, n, depth, a_offset, b_offset);
    else
        looped(e, n, depth, a_offset, b_offset);
}

void depth_nest_emit(Emit *e, const DepthNest *nest, LLVMValueRef a_offset, LLVMValueRef b_offset) {
    assert(nest->sum_count <= NEST_MAX_SUMS);
    level(e, nest, 0, a_offset, b_offset);
}
