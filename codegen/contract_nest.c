/* Loops over the axes of k. They carry the sums as SSA vectors, so no pass has to find out that these need no
 * memory. */
#include "codegen/contract_nest.h"
#include <assert.h>

typedef struct {
    LLVMValueRef a, b; /* offsets */
    int64_t step;
} NestPlace;

static void level(Emit *e, const DepthNest *n, uint32_t depth, NestPlace at);

/* So many steps of the axis, one after the other. */
static void written_out(Emit *e, const DepthNest *n, uint32_t depth, NestPlace at, int64_t steps) {
    const TileAxis *axis = &n->axis[depth];
    if (n->ahead && depth + 1 == n->axis_count && steps > 0) n->ahead(e, at.a, at.b, at.step, steps, n->user);
    for (int64_t i = 0; i < steps; i++) {
        if (depth + 1 == n->written) at.step = i;
        level(e, n, depth + 1, at);
        at.a = offset_add(e, at.a, axis->a.value);
        at.b = offset_add(e, at.b, axis->b.value);
    }
}

static LLVMValueRef phi(Emit *e, LLVMValueRef initial, LLVMBasicBlockRef from) {
    LLVMValueRef value = LLVMBuildPhi(e->builder, LLVMTypeOf(initial), "");
    LLVMAddIncoming(value, &initial, &from, 1);
    return value;
}

/* By a loop of so many rounds, of so many steps of the axis each. */
static void looped(Emit *e, const DepthNest *n, uint32_t depth, NestPlace start, Size rounds, int64_t steps) {
    const TileAxis *axis = &n->axis[depth];
    Size width = size_known(e, steps);
    LLVMValueRef initial[NEST_MAX_SUMS], carried[NEST_MAX_SUMS];
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder);
    LLVMValueRef function = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(e->llvm, function, "k");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->llvm, function, "k.end");
    LLVMValueRef zero = emit_i64(e, 0);
    if (rounds.known)
        LLVMBuildBr(e->builder, inside);
    else
        LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSGT, rounds.value, zero, ""), inside,
                        after);
    LLVMPositionBuilderAtEnd(e->builder, inside);
    LLVMValueRef k = phi(e, zero, before);
    LLVMValueRef a_offset = phi(e, start.a, before), b_offset = phi(e, start.b, before);
    for (uint32_t i = 0; i < n->sum_count; i++) {
        initial[i] = n->sum[i];
        carried[i] = n->sum[i] = phi(e, initial[i], before);
    }
    written_out(e, n, depth, (NestPlace){a_offset, b_offset, start.step}, steps);
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->builder);
    LLVMValueRef k_next = offset_add(e, k, emit_i64(e, 1));
    LLVMValueRef a_next = offset_add(e, a_offset, size_mul(e, axis->a, width).value);
    LLVMValueRef b_next = offset_add(e, b_offset, size_mul(e, axis->b, width).value);
    LLVMAddIncoming(k, &k_next, &latch, 1);
    LLVMAddIncoming(a_offset, &a_next, &latch, 1);
    LLVMAddIncoming(b_offset, &b_next, &latch, 1);
    for (uint32_t i = 0; i < n->sum_count; i++) LLVMAddIncoming(carried[i], &n->sum[i], &latch, 1);
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, k_next, rounds.value, ""), inside,
                    after);
    LLVMMoveBasicBlockAfter(after, latch);
    LLVMPositionBuilderAtEnd(e->builder, after);
    for (uint32_t i = 0; i < n->sum_count; i++) {
        LLVMValueRef last = phi(e, n->sum[i], latch);
        if (!rounds.known) LLVMAddIncoming(last, &initial[i], &before, 1);
        n->sum[i] = last;
    }
}

/* Rounds of several steps, and what is left over. Of a block beyond what both factors have, there are fewer
 * than no steps. */
static void in_rounds(Emit *e, const DepthNest *n, uint32_t depth, NestPlace at) {
    const TileAxis *axis = &n->axis[depth];
    Size extent = size_max(e, axis->extent, size_known(e, 0)), width = size_known(e, n->together);
    Size rounds = size_div(e, extent, n->together), whole = size_mul(e, rounds, width);
    Size rest = size_sub(e, extent, whole);
    if (!size_is(rounds, 0)) looped(e, n, depth, at, rounds, n->together);
    at.a = offset_add(e, at.a, size_mul(e, whole, axis->a).value);
    at.b = offset_add(e, at.b, size_mul(e, whole, axis->b).value);
    if (rest.known)
        written_out(e, n, depth, at, rest.constant);
    else
        looped(e, n, depth, at, rest, 1);
}

static void level(Emit *e, const DepthNest *n, uint32_t depth, NestPlace at) {
    if (depth == n->axis_count) {
        n->body(e, at.a, at.b, at.step, n->user);
        return;
    }
    Size extent = n->axis[depth].extent;
    bool innermost = depth + 1 == n->axis_count;
    int64_t most = innermost && n->unroll > 1 ? n->unroll : 1;
    if (depth + 1 == n->written || (extent.known && extent.constant <= most))
        written_out(e, n, depth, at, extent.constant);
    else if (innermost && n->together > 1)
        in_rounds(e, n, depth, at);
    else
        looped(e, n, depth, at, extent, 1);
}

void depth_nest_emit(Emit *e, const DepthNest *nest, LLVMValueRef a_offset, LLVMValueRef b_offset) {
    assert(nest->sum_count <= NEST_MAX_SUMS);
    level(e, nest, 0, (NestPlace){a_offset, b_offset, 0});
}
