/* Outer products on registers (Goto & van de Geijn 2008). */
#include "codegen/contract_tile.h"
#include "codegen/elementwise.h"
#include "codegen/vector.h"
#include <assert.h>

/* Up to this many multiply-adds a k axis of known extent is written out instead of looped over. */
enum { UNROLL_WORK = 128, CACHE_LINE = 64 };

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
    return tile_load(e, t->b_memory, t->element, at, v + 1 == t->vectors ? t->last_lanes : t->lanes);
}

/* One line a step: that which has the step's place in the first row behind the tile, at the next step in the
 * row behind that. A tile with more rows than a line has elements, of f64, leaves its last ones out. */
static void prefetch_a(Emit *e, const Tile *t, LLVMValueRef k) {
    int64_t line = CACHE_LINE / (int64_t)LLVMABISizeOfType(e->layout, t->a_memory);
    LLVMValueRef within = LLVMBuildAnd(e->builder, k, emit_i64(e, line - 1), "");
    LLVMValueRef last = emit_i64(e, t->rows - 1), begin = offset_sub(e, k, within);
    LLVMValueRef row = size_min(e, size_run_time(within), size_run_time(last)).value;
    row = offset_add(e, row, emit_i64(e, t->rows));
    vector_prefetch(e, t->a_memory, t->a[0], offset_add(e, begin, offset_multiply(e, row, t->a_stride)));
}

/* The ends of a column of A, where rows are a few lines at most. */
static void prefetch_column(Emit *e, const Tile *t, LLVMValueRef a_offset) {
    Size ahead = size_mul(e, size_known(e, t->ahead_depth), t->k[0].a);
    LLVMValueRef place = offset_add(e, a_offset, ahead.value);
    vector_prefetch(e, t->a_memory, t->a[0], place);
    if (t->rows > 1) vector_prefetch(e, t->a_memory, t->a[t->rows - 1], place);
}

static void prefetch_b(Emit *e, const Tile *t, LLVMValueRef row) {
    int64_t line = CACHE_LINE / (int64_t)LLVMABISizeOfType(e->layout, t->b_memory);
    Size ahead = size_mul(e, size_known(e, t->ahead_b), t->k[t->k_count - 1].b);
    for (int64_t i = 0; i < (int64_t)t->vectors * t->lanes; i += line)
        vector_prefetch(e, t->b_memory, row, offset_add(e, ahead.value, emit_i64(e, i)));
}

/* All lines of what is this step's part: rows of B follow each other without gaps. */
static void prefetch_panel(Emit *e, const Tile *t, LLVMValueRef b_offset) {
    int64_t line = CACHE_LINE / (int64_t)LLVMABISizeOfType(e->layout, t->b_memory);
    int64_t part = t->k_count ? t->k[t->k_count - 1].b.constant >> t->ahead_shift : 1;
    LLVMValueRef place = LLVMBuildLShr(e->builder, b_offset, emit_i64(e, t->ahead_shift), "");
    for (int64_t i = 0; i == 0 || i < part; i += line)
        vector_prefetch(e, t->b_memory, t->ahead_panel, offset_add(e, place, emit_i64(e, i)));
}

/* For half a vector LLVM would make a broadcast of its own, and a shuffle of the other. */
static LLVMValueRef splat(Emit *e, const Tile *t, LLVMValueRef a) {
    if (t->vectors == 1) return vector_splat(e, a, t->last_lanes);
    LLVMValueRef all = vector_splat(e, a, t->lanes);
    return t->last_lanes < t->lanes ? vector_opaque(e, all) : all;
}

/* One step of k: a column of A times a row of B. */
static void step(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t index, void *user) {
    Tile *t = user;
    uint32_t skip = t->skips ? t->skip[index] : 0;
    LLVMValueRef b[CONTRACT_MAX_VECTORS];
    LLVMValueRef b_row = vector_at(e, t->b_memory, t->b, b_offset);
    for (uint32_t v = 0; v < t->vectors; v++) b[v] = load_b(e, t, b_row, v);
    if (t->ahead_b && t->k_count) prefetch_b(e, t, b_row);
    if (t->ahead_a && t->k_count) prefetch_a(e, t, a_offset);
    if (t->ahead_depth && t->k_count && index == 0) prefetch_column(e, t, a_offset);
    if (t->ahead_panel) prefetch_panel(e, t, b_offset);
    for (uint32_t r = 0; r < t->rows; r++) {
        if (skip >> r & 1) continue;
        LLVMValueRef at = vector_at(e, t->a_memory, t->a[r], a_offset);
        LLVMValueRef a = splat(e, t, tile_load(e, t->a_memory, t->element, at, 1));
        for (uint32_t v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &t->sum[r * t->vectors + v];
            if (v + 1 == t->vectors) a = vector_resize(e, a, t->last_lanes);
            *sum = vector_multiply_add(e, a, b[v], *sum);
        }
    }
}

static void resize_last(Emit *e, Tile *t, uint32_t lanes) {
    for (uint32_t r = 1; r <= t->rows; r++) {
        LLVMValueRef *last = &t->sum[r * t->vectors - 1];
        *last = vector_resize(e, *last, lanes);
    }
}

void tile_multiply(Emit *e, Tile *t) {
    uint32_t sums = t->rows * t->vectors;
    /* Written out, windows of neighbouring rows share what LLVM then keeps in registers: too many for 16. */
    bool crowded = t->k_count > 1 && e->target.vector_registers < 32;
    DepthNest nest = {.axis = t->k,
                      .axis_count = t->k_count,
                      .sum = t->sum,
                      .sum_count = sums,
                      .unroll = crowded || t->skips ? 0 : UNROLL_WORK / sums,
                      .written = t->skips,
                      .body = step,
                      .user = t};
    assert(sums <= CONTRACT_MAX_TILE && t->k_count <= MAX_RANK);
    resize_last(e, t, t->last_lanes);
    depth_nest_emit(e, &nest, emit_i64(e, 0), emit_i64(e, 0));
    resize_last(e, t, t->lanes);
}
