/* Outer products on registers (Goto & van de Geijn 2008). The accumulators are SSA vectors carried by the
 * loops over k, so no pass has to find out that they need no memory. */
#include "codegen/contract_tile.h"
#include "codegen/elementwise.h"
#include "codegen/vector.h"
#include <assert.h>

/* Up to this many multiply-adds a k axis of known extent is written out instead of looped over. */
enum { UNROLL_WORK = 128 };

static LLVMTypeKind kind_of_elements(LLVMValueRef value) {
    LLVMTypeRef type = LLVMTypeOf(value);
    return LLVMGetTypeKind(LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type) : type);
}

LLVMValueRef tile_convert(Emit *e, LLVMTypeRef element, LLVMValueRef value) {
    LLVMTypeRef type = emit_lanes(element, vector_lanes(LLVMTypeOf(value)));
    if (LLVMTypeOf(value) == type) return value;
    if (kind_of_elements(value) == LLVMIntegerTypeKind) return emit_from_bf16(e, value);
    return LLVMBuildFPExt(e->builder, value, type, "");
}

LLVMValueRef tile_load(Emit *e, LLVMTypeRef memory, LLVMTypeRef element, LLVMValueRef pointer,
                       uint32_t lanes) {
    return tile_convert(e, element, vector_load(e, memory, pointer, lanes));
}

static LLVMValueRef load_b(Emit *e, const Tile *t, LLVMValueRef pointer, uint32_t v) {
    LLVMValueRef at = vector_at(e, t->b_memory, pointer, emit_i64(e, (int64_t)v * t->lanes));
    if (t->mask[v]) return tile_convert(e, t->element, vector_load_masked(e, t->b_memory, at, t->mask[v]));
    return tile_load(e, t->b_memory, t->element, at, t->lanes);
}

/* One step of k: a column of A times a row of B. */
static void step(Emit *e, Tile *t, LLVMValueRef a_offset, LLVMValueRef b_offset) {
    LLVMValueRef b[CONTRACT_MAX_VECTORS];
    LLVMValueRef b_row = vector_at(e, t->b_memory, t->b, b_offset);
    for (uint32_t v = 0; v < t->vectors; v++) b[v] = load_b(e, t, b_row, v);
    for (uint32_t r = 0; r < t->rows; r++) {
        LLVMValueRef at = vector_at(e, t->a_memory, t->a[r], a_offset);
        LLVMValueRef a = vector_splat(e, tile_load(e, t->a_memory, t->element, at, 1), t->lanes);
        for (uint32_t v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &t->sum[r * t->vectors + v];
            *sum = vector_multiply_add(e, a, b[v], *sum);
        }
    }
}

static void nest(Emit *e, Tile *t, uint32_t level, LLVMValueRef a_offset, LLVMValueRef b_offset);

static void written_out(Emit *e, Tile *t, uint32_t level, LLVMValueRef a_offset, LLVMValueRef b_offset) {
    const TileAxis *axis = &t->k[level];
    for (int64_t i = 0; i < axis->extent.constant; i++) {
        nest(e, t, level + 1, a_offset, b_offset);
        a_offset = LLVMBuildNSWAdd(e->builder, a_offset, axis->a.value, "");
        b_offset = LLVMBuildNSWAdd(e->builder, b_offset, axis->b.value, "");
    }
}

static LLVMValueRef phi(Emit *e, LLVMValueRef initial, LLVMBasicBlockRef from) {
    LLVMValueRef value = LLVMBuildPhi(e->builder, LLVMTypeOf(initial), "");
    LLVMAddIncoming(value, &initial, &from, 1);
    return value;
}

/* A loop over k axis `level` that carries the offsets and all sums. */
static void looped(Emit *e, Tile *t, uint32_t level, LLVMValueRef a_start, LLVMValueRef b_start) {
    const TileAxis *axis = &t->k[level];
    uint32_t sums = t->rows * t->vectors;
    LLVMValueRef initial[CONTRACT_MAX_TILE], carried[CONTRACT_MAX_TILE];
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
    for (uint32_t i = 0; i < sums; i++) {
        initial[i] = t->sum[i];
        carried[i] = t->sum[i] = phi(e, initial[i], before);
    }
    nest(e, t, level + 1, a_offset, b_offset);
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->builder);
    LLVMValueRef k_next = LLVMBuildNSWAdd(e->builder, k, emit_i64(e, 1), "");
    LLVMValueRef a_next = LLVMBuildNSWAdd(e->builder, a_offset, axis->a.value, "");
    LLVMValueRef b_next = LLVMBuildNSWAdd(e->builder, b_offset, axis->b.value, "");
    LLVMAddIncoming(k, &k_next, &latch, 1);
    LLVMAddIncoming(a_offset, &a_next, &latch, 1);
    LLVMAddIncoming(b_offset, &b_next, &latch, 1);
    for (uint32_t i = 0; i < sums; i++) LLVMAddIncoming(carried[i], &t->sum[i], &latch, 1);
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, k_next, axis->extent.value, ""), inside,
                    after);
    LLVMMoveBasicBlockAfter(after, latch);
    LLVMPositionBuilderAtEnd(e->builder, after);
    for (uint32_t i = 0; i < sums; i++) {
        LLVMValueRef last = phi(e, t->sum[i], latch);
        if (!axis->extent.known) LLVMAddIncoming(last, &initial[i], &before, 1);
        t->sum[i] = last;
    }
}

static void nest(Emit *e, Tile *t, uint32_t level, LLVMValueRef a_offset, LLVMValueRef b_offset) {
    if (level == t->k_count) {
        step(e, t, a_offset, b_offset);
        return;
    }
    Size extent = t->k[level].extent;
    bool innermost = level + 1 == t->k_count;
    int64_t work = (int64_t)t->rows * t->vectors;
    if (extent.known && (extent.constant <= 1 || (innermost && extent.constant <= UNROLL_WORK / work)))
        written_out(e, t, level, a_offset, b_offset);
    else
        looped(e, t, level, a_offset, b_offset);
}

void tile_multiply(Emit *e, Tile *t) {
    assert(t->rows * t->vectors <= CONTRACT_MAX_TILE && t->k_count <= MAX_RANK);
    nest(e, t, 0, emit_i64(e, 0), emit_i64(e, 0));
}
