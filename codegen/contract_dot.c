/* Dot products of several rows of A with several rows of a transposed B at once. */
#include "codegen/contract_dot.h"
#include "codegen/contract_pairs.h"
#include "codegen/contract_tile.h"
#include "codegen/transpose.h"
#include "codegen/vector.h"
#include <assert.h>

/* A step of k, or the last one, of which `mask` tells the lanes. */
typedef struct {
    Dot *dot;
    LLVMValueRef mask;
    LLVMValueRef *sum;
} DotStep;

static LLVMValueRef load(Emit *e, const DotStep *s, LLVMTypeRef memory, LLVMValueRef pointer,
                         LLVMValueRef offset, Size ahead) {
    const Dot *d = s->dot;
    LLVMValueRef at = vector_at(e, memory, pointer, offset);
    if (s->mask) return tile_convert(e, d->element, vector_load_masked(e, memory, at, s->mask));
    if (!size_is(ahead, 0)) vector_prefetch(e, memory, at, ahead.value);
    return tile_load(e, memory, d->element, at, d->lanes);
}

static LLVMValueRef load_a(Emit *e, const DotStep *s, uint32_t row, LLVMValueRef offset) {
    return load(e, s, s->dot->a_memory, s->dot->a[row], offset, s->dot->ahead_a);
}

static LLVMValueRef load_b(Emit *e, const DotStep *s, uint32_t column, LLVMValueRef offset) {
    return load(e, s, s->dot->b_memory, s->dot->b[column], offset, s->dot->ahead_b);
}

/* The shorter side of the tile stays in registers, the longer passes by. */
static void step(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t index, void *user) {
    (void)index;
    const DotStep *s = user;
    const Dot *d = s->dot;
    bool hold_a = d->rows <= d->columns;
    uint32_t held = hold_a ? d->rows : d->columns, passing = hold_a ? d->columns : d->rows;
    LLVMValueRef hold[DOT_MAX_ROWS > DOT_MAX_COLUMNS ? DOT_MAX_ROWS : DOT_MAX_COLUMNS];
    for (uint32_t i = 0; i < held; i++)
        hold[i] = hold_a ? load_a(e, s, i, a_offset) : load_b(e, s, i, b_offset);
    for (uint32_t i = 0; i < passing; i++) {
        LLVMValueRef pass = hold_a ? load_b(e, s, i, b_offset) : load_a(e, s, i, a_offset);
        for (uint32_t j = 0; j < held; j++) {
            LLVMValueRef *sum = &s->sum[hold_a ? j * d->columns + i : i * d->columns + j];
            *sum = d->pairs ? pairs_multiply_add(e, hold[j], pass, *sum)
                            : vector_multiply_add(e, hold[j], pass, *sum);
        }
    }
}

static uint32_t sum_count(const Dot *d) { return d->unroll * d->rows * d->columns; }

static void steps(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t index, void *user) {
    (void)index;
    Dot *d = user;
    for (uint32_t n = 0; n < d->unroll; n++) {
        DotStep s = {.dot = d, .sum = d->sum + n * d->rows * d->columns};
        LLVMValueRef ahead = offset_multiply(e, emit_i64(e, n), d->b_step.value);
        step(e, offset_add(e, a_offset, emit_i64(e, (int64_t)n * d->lanes)), offset_add(e, b_offset, ahead),
             0, &s);
    }
}

/* The innermost axis of k: as many vectors as are unrolled, whole vectors, then what is left over. A loop
 * even over few vectors: LLVM would keep all of A in registers, and spill it, if it saw that each tile of a
 * row of these reads the same. */
static void innermost(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t index, void *user) {
    (void)index;
    Dot *d = user;
    Size extent = d->k_count ? d->k[d->k_count - 1].extent : size_known(e, 1);
    Size vectors = size_div(e, extent, d->lanes);
    Size whole = size_mul(e, vectors, size_known(e, d->lanes)), rest = size_sub(e, extent, whole);
    Size rounds = size_div(e, vectors, d->unroll), unrolled = size_mul(e, rounds, size_known(e, d->unroll));
    Size width = size_known(e, d->lanes), together = size_known(e, d->unroll);
    DotStep single = {.dot = d, .sum = d->sum}, last = single;
    TileAxis round = {rounds, size_mul(e, width, together), size_mul(e, d->b_step, together)};
    TileAxis each = {size_sub(e, vectors, unrolled), width, d->b_step};
    DepthNest nest = {
        .axis = &round, .axis_count = 1, .sum = d->sum, .sum_count = sum_count(d), .body = steps, .user = d};
    depth_nest_emit(e, &nest, a_offset, b_offset);
    if (d->unroll > 1 && !size_is(each.extent, 0)) {
        nest.axis = &each, nest.body = step, nest.user = &single;
        depth_nest_emit(e, &nest, offset_add(e, a_offset, offset_multiply(e, unrolled.value, width.value)),
                        offset_add(e, b_offset, offset_multiply(e, unrolled.value, d->b_step.value)));
    }
    if (size_is(rest, 0)) return;
    last.mask = vector_first_lanes(e, rest.value, d->lanes);
    step(e, offset_add(e, a_offset, whole.value),
         offset_add(e, b_offset, offset_multiply(e, vectors.value, d->b_step.value)), 0, &last);
}

void dot_multiply(Emit *e, Dot *d) {
    uint32_t sums = d->rows * d->columns;
    DepthNest nest = {.axis = d->k,
                      .axis_count = d->k_count ? d->k_count - 1 : 0,
                      .sum = d->sum,
                      .sum_count = sum_count(d),
                      .body = innermost,
                      .user = d};
    assert(sum_count(d) <= DOT_MAX_SUMS);
    for (uint32_t i = 0; i < sum_count(d); i++) d->sum[i] = LLVMConstNull(emit_lanes(d->element, d->lanes));
    depth_nest_emit(e, &nest, emit_i64(e, 0), emit_i64(e, 0));
    for (uint32_t i = sums; i < sum_count(d); i++)
        d->sum[i % sums] = vector_add(e, d->sum[i % sums], d->sum[i]);
}

/* --- the sums across lanes */
static LLVMValueRef lanes_of(Emit *e, LLVMValueRef vector, uint32_t from, uint32_t count) {
    LLVMValueRef mask[VECTOR_MAX_LANES];
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    if (count == 1) return LLVMBuildExtractElement(e->builder, vector, emit_i64(e, from), "");
    for (uint32_t i = 0; i < count; i++) mask[i] = LLVMConstInt(i32, from + i, false);
    return LLVMBuildShuffleVector(e->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  LLVMConstVector(mask, count), "");
}

void dot_store(Emit *e, const Dot *d, LLVMValueRef target, Size stride, bool add) {
    uint32_t sums = d->rows * d->columns;
    for (uint32_t first = 0; first < sums; first += d->lanes) {
        uint32_t end = first + d->lanes < sums ? first + d->lanes : sums;
        LLVMValueRef vector = transpose_sums(e, d->sum + first, end - first);
        for (uint32_t from = first, to; from < end; from = to) {
            uint32_t row = from / d->columns, column = from % d->columns;
            to = (row + 1) * d->columns < end ? (row + 1) * d->columns : end;
            LLVMValueRef offset =
                offset_add(e, offset_multiply(e, emit_i64(e, row), stride.value), emit_i64(e, column));
            LLVMValueRef place = vector_at(e, d->element, target, offset);
            LLVMValueRef part = lanes_of(e, vector, from - first, to - from);
            if (add) part = vector_add(e, part, vector_load(e, d->element, place, to - from));
            vector_store(e, part, place);
        }
    }
}
