/* Where k isn't long, writing sums to a buffer and reading them again takes a good part of the time. */
#include "codegen/contract_direct.h"
#include "codegen/contract_cost.h"
#include "codegen/transpose.h"
#include "codegen/vector.h"

enum {
    MAX_DEPTH = 256,  /* steps of k: with more, less than one in a hundred of the cycles would be saved */
    TRANSPOSING = 4,  /* registers that transposing takes besides */
    MAX_CODE = 1024,  /* vector operations of the epilogue that are written out for all tiles, where k has */
    SHORT_DEPTH = 64, /* so many steps or fewer; of twice as many half are worth it */
};

/* Without masks: whole vectors, or one that is a part of one. */
static bool fills_vectors(int64_t elements, int64_t lanes) {
    return elements % lanes == 0 || (elements < lanes && (elements & (elements - 1)) == 0);
}

static int64_t vectors_of(Emit *e, const Product *p, const Variant *rows, const Variant *columns) {
    int64_t lanes = p->plan.lanes;
    if (!rows->exact || !columns->exact) return -1;
    int64_t lines = p->plan.transposed ? columns->bound : rows->bound;
    int64_t along = p->plan.transposed ? rows->bound : columns->bound;
    return vector_masks(&e->target) || fills_vectors(along, lanes) ? lines * ((along + lanes - 1) / lanes)
                                                                   : -1;
}

bool direct_pays(Emit *e, const Product *p, const Variants *rows, const Variants *columns) {
    int64_t vectors = 0, steps = p->depth.known ? p->depth.constant : INT64_MAX;
    if (p->plan.dot_lanes || p->plan.depth_block || p->plan.blas || p->contract->needs ||
        p->contract->terms || steps > MAX_DEPTH)
        return false;
    for (uint32_t r = 0; r < rows->count; r++)
        for (uint32_t c = 0; c < columns->count; c++) {
            int64_t more = vectors_of(e, p, &rows->at[r], &columns->at[c]);
            if (more < 0) return false;
            vectors += more;
        }
    /* At the edges of a picture tiles have code of their own. */
    int64_t code = vectors * (p->contract->edge_count ? 4 : 1) * p->contract->operations;
    return code * max64(steps, SHORT_DEPTH) <= MAX_CODE * SHORT_DEPTH;
}

/* The first `count` lanes of `value`, in the narrowest vector that holds them. */
static void store_some(Emit *e, const Epilogue *epilogue, uint32_t line, uint32_t offset, LLVMValueRef value,
                       uint32_t count) {
    uint32_t lanes = vector_lanes_over(count);
    LLVMValueRef tail = lanes == count ? NULL : vector_first_lanes(e, emit_i64(e, count), lanes);
    epilogue_store(e, epilogue, line, offset, vector_resize(e, value, lanes), tail);
}

/* Rows from `first` on as lanes of the columns of vector `v`. */
static void store_square(Emit *e, const Epilogue *epilogue, const Tile *tile, uint32_t v, uint32_t first,
                         int64_t columns) {
    LLVMValueRef square[VECTOR_MAX_LANES];
    uint32_t lanes = tile->lanes, rows = tile->rows - first < lanes ? tile->rows - first : lanes;
    for (uint32_t r = 0; r < lanes; r++)
        square[r] =
            r < rows ? tile->sum[(first + r) * tile->vectors + v] : LLVMGetPoison(LLVMTypeOf(tile->sum[0]));
    transpose_lanes(e, square, lanes);
    for (uint32_t c = 0; c < lanes && v * lanes + c < columns; c++)
        store_some(e, epilogue, v * lanes + c, first, square[c], rows);
}

void direct_store(Emit *e, const Epilogue *epilogue, const Tile *tile, int64_t columns) {
    uint32_t lanes = tile->lanes;
    uint32_t sums = tile->rows * tile->vectors;
    vector_release(e, epilogue->transposed ? sums + TRANSPOSING : sums);
    if (epilogue->transposed) {
        for (uint32_t v = 0; v < tile->vectors; v++)
            for (uint32_t first = 0; first < tile->rows; first += lanes)
                store_square(e, epilogue, tile, v, first, columns);
        return;
    }
    for (uint32_t i = 0; i < sums; i++) {
        uint32_t row = i / tile->vectors, column = i % tile->vectors * lanes;
        int64_t left = columns - column < lanes ? columns - column : lanes;
        store_some(e, epilogue, row, column, tile->sum[i], (uint32_t)left);
    }
}
