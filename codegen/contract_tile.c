/* Outer products on registers (Goto & van de Geijn 2008). */
#include "codegen/contract_tile.h"
#include "codegen/contract_pairs.h"
#include "codegen/elementwise.h"
#include "codegen/vector.h"
#include <assert.h>

/* Up to this many multiply-adds a k axis of known extent is written out instead of looped over. */
enum {
    UNROLL_WORK = 128,
    TOGETHER_WORK = 48, /* multiply-adds of one round of a longer axis */
    MAX_TOGETHER = 8,   /* steps of it */
    ENOUGH_SUMS = 12    /* that hide the latency of multiply-adds */
};

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

/* The lines that have the steps' place in the first rows behind the tile, at the next steps in those behind
 * them, so that all rows are asked for while a line is passed. */
static void prefetch_a(Emit *e, const Tile *t, LLVMValueRef k, int64_t steps) {
    int64_t line = CACHE_LINE / (int64_t)LLVMABISizeOfType(e->layout, t->a_memory), rows = t->rows;
    int64_t lines = line % steps ? rows : (rows * steps + line - 1) / line;
    LLVMValueRef within = LLVMBuildAnd(e->builder, k, emit_i64(e, line - 1), "");
    LLVMValueRef number = LLVMBuildUDiv(e->builder, within, emit_i64(e, steps), "");
    LLVMValueRef begin = offset_sub(e, k, within), first = offset_multiply(e, number, emit_i64(e, lines));
    first = size_min(e, size_run_time(first), size_known(e, rows - lines)).value;
    for (int64_t i = 0; i < lines; i++) {
        LLVMValueRef row = offset_add(e, first, emit_i64(e, rows + i));
        vector_prefetch(e, t->a_memory, t->a[0], offset_add(e, begin, offset_multiply(e, row, t->a_stride)));
    }
}

/* The ends of a column of A, where rows are a few lines at most. */
static void prefetch_column(Emit *e, const Tile *t, LLVMValueRef a_offset) {
    Size ahead = size_mul(e, size_known(e, t->ahead_depth), t->k[0].a);
    LLVMValueRef place = offset_add(e, a_offset, ahead.value);
    vector_prefetch(e, t->a_memory, t->a[0], place);
    if (t->rows > 1) vector_prefetch(e, t->a_memory, t->a[t->rows - 1], place);
}

/* By the last elements of lines' lengths: rows that begin within a line have one more, which is this panel's
 * last and the next panel's first. */
static void prefetch_b(Emit *e, const Tile *t, LLVMValueRef b_offset, int64_t steps) {
    int64_t line = CACHE_LINE / (int64_t)LLVMABISizeOfType(e->layout, t->b_memory);
    for (int64_t s = 0; s < steps; s++) {
        Size ahead = size_mul(e, size_known(e, t->ahead_b + s), t->k[t->k_count - 1].b);
        for (int64_t i = line - 1; i < (int64_t)t->vectors * t->lanes + line - 1; i += line)
            vector_prefetch(e, t->b_memory, t->b,
                            offset_add(e, b_offset, offset_add(e, ahead.value, emit_i64(e, i))));
    }
}

/* All lines of what is the steps' part: rows of B follow each other without gaps. */
static void prefetch_panel(Emit *e, const Tile *t, LLVMValueRef b_offset, int64_t steps) {
    int64_t line = CACHE_LINE / (int64_t)LLVMABISizeOfType(e->layout, t->b_memory);
    int64_t part = steps * t->k[t->k_count - 1].b.constant >> t->ahead_shift;
    LLVMValueRef place = LLVMBuildLShr(e->builder, b_offset, emit_i64(e, t->ahead_shift), "");
    for (int64_t i = 0; i == 0 || i < part; i += line)
        vector_prefetch(e, t->b_memory, t->ahead_panel, offset_add(e, place, emit_i64(e, i)));
}

static void ask_ahead(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t step, int64_t steps,
                      void *user) {
    const Tile *t = user;
    if (t->ahead_b) prefetch_b(e, t, b_offset, steps);
    if (t->ahead_a) prefetch_a(e, t, a_offset, steps);
    if (t->ahead_depth && step == 0) prefetch_column(e, t, a_offset);
    if (t->ahead_panel) prefetch_panel(e, t, b_offset, steps);
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
    if (t->apart) a_offset = vector_opaque(e, a_offset);
    LLVMValueRef b_row = vector_at(e, t->b_memory, t->b, b_offset);
    LLVMValueRef *sums = &t->sum[t->turn++ % t->sets * t->rows * t->vectors];
    for (uint32_t v = 0; v < t->vectors; v++) b[v] = load_b(e, t, b_row, v);
    for (uint32_t r = 0; r < t->rows; r++) {
        if (skip >> r & 1) continue;
        LLVMValueRef at = vector_at(e, t->a_memory, t->a[r], a_offset);
        LLVMValueRef a = splat(e, t, tile_load(e, t->a_memory, t->element, at, 1));
        for (uint32_t v = 0; v < t->vectors; v++) {
            LLVMValueRef *sum = &sums[r * t->vectors + v];
            if (v + 1 == t->vectors) a = vector_resize(e, a, t->last_lanes);
            *sum = t->pairs ? pairs_multiply_add(e, a, b[v], *sum) : vector_multiply_add(e, a, b[v], *sum);
        }
    }
}

static void resize_last(Emit *e, Tile *t, uint32_t lanes) {
    for (uint32_t r = 1; r <= t->rows * t->sets; r++) {
        LLVMValueRef *last = &t->sum[r * t->vectors - 1];
        *last = vector_resize(e, *last, lanes);
    }
}

/* Would LLVM, over several steps, move sums from register to register until there are none left? It adds to a
 * broadcast that nothing else reads. */
static bool sums_wander(const Target *target, uint32_t rows, uint32_t vectors) {
    return vectors == 1 && rows > 1 && target->vector_registers < 32;
}

/* A short step is hidden by what its loop takes besides, above all where threads share a core's front end. 0:
 * one by one. */
static int64_t steps_together(const Emit *e, const Tile *t) {
    int64_t steps = MAX_TOGETHER;
    if (e->target.vector_registers >= 32 || sums_wander(&e->target, t->rows, t->vectors)) return 0;
    while (steps > 1 && steps * t->rows * t->vectors > TOGETHER_WORK) steps /= 2;
    return steps;
}

uint32_t tile_sets(const Target *target, uint32_t rows, uint32_t vectors) {
    uint32_t sums = rows * vectors, sets = 1;
    uint32_t room = target->vector_registers - target->vector_registers / 16 - vectors - 1;
    if (target->vector_registers >= 32 || sums_wander(target, rows, vectors)) return 1;
    while (sets * sums < ENOUGH_SUMS && (sets + 1) * sums <= room) sets++;
    return sets;
}

static void open_sets(Tile *t, uint32_t sums) {
    for (uint32_t i = sums; i < sums * t->sets; i++)
        t->sum[i] = LLVMConstNull(emit_lanes(t->element, t->lanes));
}

static void add_sets(Emit *e, Tile *t, uint32_t sums) {
    for (uint32_t i = sums; i < sums * t->sets; i++)
        t->sum[i % sums] = vector_add(e, t->sum[i % sums], t->sum[i]);
}

void tile_multiply(Emit *e, Tile *t) {
    uint32_t sums = t->rows * t->vectors;
    bool wander = sums_wander(&e->target, t->rows, t->vectors);
    DepthNest nest = {.axis = t->k,
                      .axis_count = t->k_count,
                      .sum = t->sum,
                      .unroll = t->skips || wander ? 0 : UNROLL_WORK / sums,
                      .together = steps_together(e, t),
                      .written = t->skips,
                      .body = step,
                      .ahead = ask_ahead,
                      .user = t};
    t->sets = nest.together > 1 ? tile_sets(&e->target, t->rows, t->vectors) : 1;
    nest.sum_count = sums * t->sets;
    assert(nest.sum_count <= CONTRACT_MAX_TILE && t->k_count <= MAX_RANK);
    open_sets(t, sums);
    resize_last(e, t, t->last_lanes);
    depth_nest_emit(e, &nest, emit_i64(e, 0), emit_i64(e, 0));
    resize_last(e, t, t->lanes);
    add_sets(e, t, sums);
}
