/* Vectors of B's columns, for products whose windows slide. */
#include "codegen/contract_columns.h"
#include "codegen/contract_cost.h"
#include "codegen/contract_tile.h"
#include "codegen/vector.h"

uint32_t columns_lanes(const Emit *e, const Product *p, Size columns, bool halves) {
    uint32_t lanes = e->target.vector_bytes / (uint32_t)LLVMABISizeOfType(e->layout, p->element);
    if (lanes < 1) lanes = 1;
    if (!columns.known) return lanes;
    while (lanes > 4 && columns.constant <= lanes / 2) lanes /= 2;
    int64_t half = lanes / 2, whole = (columns.constant + lanes - 1) / lanes * lanes;
    bool fewer = half >= 4 && (columns.constant + half - 1) / half * half * 10 < whole * 9;
    bool cheap = e->target.pipe_bytes < e->target.vector_bytes; /* a half takes half as long */
    return halves && fewer && cheap ? (uint32_t)half : lanes;
}

bool columns_by_halves(const Product *p) { return p->column.b.constant == 2 && p->plan.lanes > 1; }

static LLVMValueRef load_piece(Emit *e, const Product *p, LLVMValueRef pointer, int64_t first,
                               LLVMValueRef mask) {
    LLVMValueRef at = vector_at(e, p->b_memory, pointer, emit_i64(e, first));
    return vector_load_some(e, p->b_memory, at, p->plan.lanes, mask);
}

/* Without its odd elements a pair is one element shorter, lest it reach beyond what there is. */
ColumnPair columns_load_pair(Emit *e, const Product *p, LLVMValueRef pointer, LLVMValueRef mask, bool wide) {
    ColumnPair pair = {.wide = wide};
    uint32_t lanes = p->plan.lanes;
    for (uint32_t i = 0; i < 2; i++) {
        LLVMValueRef there = NULL;
        if (mask) there = wide ? vector_twice(e, mask, i) : vector_piece_mask(e, mask, lanes, 2, i);
        pair.piece[i] = load_piece(e, p, pointer, wide ? i * lanes : vector_piece(lanes, 2, i), there);
    }
    return pair;
}

LLVMValueRef columns_half(Emit *e, const Product *p, const ColumnPair *pair, uint32_t odd) {
    return tile_convert(
        e, p->element,
        vector_halves(e, pair->piece[0], pair->piece[1], odd, pair->wide ? odd : 1, dtype_bytes(p->dtype)));
}

static LLVMValueRef load_apart(Emit *e, const Product *p, LLVMValueRef pointer, LLVMValueRef mask) {
    uint32_t lanes = p->plan.lanes;
    int64_t stride = p->column.b.constant;
    LLVMValueRef piece[VECTOR_MAX_STRIDE];
    for (int64_t i = 0; i < stride; i++)
        piece[i] = load_piece(e, p, pointer, vector_piece(lanes, stride, i),
                              mask ? vector_piece_mask(e, mask, lanes, stride, i) : NULL);
    return vector_pick(e, piece, lanes, stride);
}

LLVMValueRef columns_load(Emit *e, const Product *p, LLVMValueRef pointer, LLVMValueRef mask) {
    LLVMValueRef value = p->column.b.constant != 1 && p->plan.lanes > 1 ? load_apart(e, p, pointer, mask)
                                                                        : load_piece(e, p, pointer, 0, mask);
    return tile_convert(e, p->element, value);
}
