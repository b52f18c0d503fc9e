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

/* Stores that so many elements take: without masks what is less than a vector goes by its parts. */
static int64_t stores_of(const Target *target, int64_t elements, int64_t lanes) {
    int64_t rest = elements % lanes;
    if (vector_masks(target)) return elements / lanes + (rest > 0);
    return elements / lanes + __builtin_popcountll((unsigned long long)rest);
}

static int64_t vectors_of(Emit *e, const Product *p, const Variant *rows, const Variant *columns) {
    if (!rows->exact || !columns->exact) return -1;
    int64_t lines = p->plan.transposed ? columns->bound : rows->bound;
    int64_t along = p->plan.transposed ? rows->bound : columns->bound;
    return lines * stores_of(&e->target, along, p->plan.lanes);
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

/* Its first lanes in the narrowest vector that holds so many of them, masked. */
static void store_masked(Emit *e, const Epilogue *epilogue, uint32_t line, uint32_t offset,
                         LLVMValueRef value, uint32_t count) {
    uint32_t lanes = vector_lanes_over(count);
    LLVMValueRef tail = lanes == count ? NULL : vector_first_lanes(e, emit_i64(e, count), lanes);
    epilogue_store(e, epilogue, line, offset, vector_resize(e, value, lanes), tail);
}

/* The first `count` lanes of `value`. */
static void store_some(Emit *e, const Epilogue *epilogue, uint32_t line, uint32_t offset, LLVMValueRef value,
                       uint32_t count) {
    if (vector_masks(&e->target)) {
        store_masked(e, epilogue, line, offset, value, count);
        return;
    }
    for (uint32_t from = 0, lanes = vector_lanes_over(count); from < count; lanes /= 2) {
        if (!(count & lanes)) continue;
        epilogue_store(e, epilogue, line, offset + from, vector_part(e, value, from, lanes), NULL);
        from += lanes;
    }
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
