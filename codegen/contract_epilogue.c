/* Sums of products from their buffer to the contract's store, by vectors and what these leave over. */
#include "codegen/contract_epilogue.h"
#include "codegen/contract_edge.h"
#include "codegen/contract_variant.h"
#include "codegen/vector.h"
#include <string.h>

typedef struct {
    const Epilogue *epilogue;
    LLVMValueRef sums; /* first of the line */
    uint32_t lanes;
    LLVMValueRef tail; /* of these, NULL = all */
} Line;

/* The greatest power of two that the first row of every tile is a multiple of. */
static int64_t rows_alignment(const ContractSchedule *plan) {
    int64_t all = plan->rows | plan->chunk_rows | plan->row_run;
    return all & -all;
}

/* Gives the store lanes of the line whose index is set, from `offset` on, of which `tail` exist, NULL = all.
 */
static void store_value(Emit *e, const Epilogue *epilogue, LLVMValueRef offset, LLVMValueRef value,
                        LLVMValueRef tail) {
    const Product *p = epilogue->p;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    uint32_t lanes = vector_lanes(LLVMTypeOf(value)), axis = product_lane_axis(p);
    bool aligned = true; /* columns begin at whole vectors, and what is left over at its parts */
    memcpy(index, epilogue->index, sizeof index);
    if (epilogue->transposed) {
        product_index(e, p, &p->rows, offset_add(e, epilogue->row, offset), index);
        axis = product_row_axis(p);
        aligned = rows_alignment(&p->plan) % lanes == 0;
    } else {
        product_column_index(e, p, offset_add(e, epilogue->column, offset), index);
    }
    p->contract->store(e, p->contract, index, value, lanes, tail, axis, aligned, p->contract->user);
}

static void store_lanes(Emit *e, LLVMValueRef offset, void *user) {
    const Line *line = user;
    LLVMTypeRef element = line->epilogue->p->element;
    store_value(e, line->epilogue, offset,
                vector_load(e, element, vector_at(e, element, line->sums, offset), line->lanes), line->tail);
}

/* The last lanes, fewer than a vector: masked, or by vectors of 8, 4, 2, 1. `bits`: those that their number
 * can have. */
static void store_rest(Emit *e, Line *line, LLVMValueRef from, LLVMValueRef count, uint64_t bits) {
    uint32_t most = vector_lanes_over((uint32_t)bits);
    if (vector_masks(&e->target) && most != bits) {
        LLVMValueRef left = LLVMBuildSub(e->builder, count, from, "");
        LLVMValueRef any = LLVMBuildICmp(e->builder, LLVMIntSGT, left, emit_i64(e, 0), "");
        line->lanes = most, line->tail = vector_first_lanes(e, left, most);
        emit_if(e, any, store_lanes, from, line);
        return;
    }
    for (uint32_t lanes = most; lanes > 0; lanes /= 2) {
        if (!(bits & lanes)) continue;
        LLVMValueRef bit = LLVMBuildAnd(e->builder, count, emit_i64(e, lanes), "");
        LLVMValueRef there = LLVMBuildICmp(e->builder, LLVMIntNE, bit, emit_i64(e, 0), "");
        line->lanes = lanes;
        emit_if(e, there, store_lanes, from, line);
        from = offset_add(e, from, bit);
    }
}

/* A tile's rows follow each other along their innermost axis where it ends with that. */
static void row_index(Emit *e, const Epilogue *epilogue, LLVMValueRef i) {
    const Product *p = epilogue->p;
    if (!p->plan.row_run) {
        product_index(e, p, &p->rows, offset_add(e, epilogue->row, i), epilogue->index);
        return;
    }
    uint32_t axis = product_row_axis(p);
    product_index(e, p, &p->rows, epilogue->row, epilogue->index);
    epilogue->index[axis] = offset_add(e, epilogue->index[axis], i);
}

static void line_index(Emit *e, const Epilogue *epilogue, LLVMValueRef i) {
    if (epilogue->transposed)
        product_column_index(e, epilogue->p, offset_add(e, epilogue->column, i), epilogue->index);
    else
        row_index(e, epilogue, i);
}

void epilogue_store(Emit *e, const Epilogue *epilogue, uint32_t line, uint32_t offset, LLVMValueRef value,
                    LLVMValueRef tail) {
    line_index(e, epilogue, emit_i64(e, line));
    store_value(e, epilogue, emit_i64(e, offset), value, tail);
}

static void epilogue_line(Emit *e, LLVMValueRef i, void *user) {
    const Epilogue *epilogue = user;
    const Product *p = epilogue->p;
    uint32_t lanes = p->plan.lanes;
    line_index(e, epilogue, i);
    Line line = {.epilogue = epilogue,
                 .sums =
                     vector_at(e, p->element, epilogue->sums, offset_multiply(e, i, epilogue->stride.value)),
                 .lanes = lanes};
    Size count = epilogue->lanes, whole = size_mul(e, size_div(e, count, lanes), size_known(e, lanes));
    uint64_t bits = count.known ? (uint64_t)count.constant : epilogue->lane_bits;
    if (bits < lanes) whole = size_known(e, 0);
    emit_loop(e, emit_i64(e, 0), whole.value, lanes, "store", store_lanes, &line);
    if (bits % lanes) store_rest(e, &line, whole.value, count.value, bits % lanes);
}

void emit_epilogue(Emit *e, Epilogue *epilogue) {
    emit_loop(e, emit_i64(e, 0), epilogue->lines.value, 1, "line", epilogue_line, epilogue);
}

/* Of as many lanes as the tile has, whether or not they exist. */
static void ahead_line(Emit *e, LLVMValueRef i, void *user) {
    const Epilogue *epilogue = user;
    const Product *p = epilogue->p;
    const ContractSchedule *plan = &p->plan;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    line_index(e, epilogue, i);
    memcpy(index, epilogue->index, sizeof index);
    uint32_t count = plan->vectors * plan->lanes, axis = product_lane_axis(p);
    bool aligned = true;
    if (epilogue->transposed) {
        product_index(e, p, &p->rows, epilogue->row, index);
        count = plan->rows, axis = product_row_axis(p);
        aligned = rows_alignment(plan) % plan->lanes == 0;
    } else {
        product_column_index(e, p, epilogue->column, index);
    }
    p->contract->ahead(e, p->contract, index, count, plan->lanes, axis, aligned, p->contract->user);
}

static void ahead_of_lines(Emit *e, Epilogue *epilogue) {
    emit_loop(e, emit_i64(e, 0), epilogue->lines.value, 1, "ahead", ahead_line, epilogue);
}

/* --- tiles */
Size tile_stride(Emit *e, const Product *p) {
    const ContractSchedule *plan = &p->plan;
    uint32_t vectors = plan->transposed ? (plan->rows + plan->lanes - 1) / plan->lanes : plan->vectors;
    return size_known(e, (int64_t)vectors * plan->lanes);
}

/* How many kinds of tiles there are by their rows; the bits of these numbers of rows. */
static uint32_t kinds_of_rows(Emit *e, const Product *p, uint64_t *bits) {
    const ContractEdge *edge = edge_of_rows(p);
    *bits = 0;
    if (edge) {
        EdgeTiles *tiles;
        uint32_t count = edge_tiles(e, p, edge, p->plan.row_run, p->plan.rows, &tiles);
        for (uint32_t i = 0; i < count; i++) *bits |= tiles[i].rows;
        return count;
    }
    Variants variants = variants_of_rows(e, p);
    for (uint32_t i = 0; i < variants.count; i++)
        *bits |= variants.at[i].exact ? (uint64_t)variants.at[i].bound : UINT64_MAX;
    return variants.count;
}

static Epilogue tile_epilogue(Emit *e, const Product *p, LLVMValueRef *index, const LLVMValueRef *tile) {
    uint64_t row_bits,
        column_bits = p->column.extent.known ? (uint64_t)p->column.extent.constant : UINT64_MAX;
    kinds_of_rows(e, p, &row_bits);
    return (Epilogue){.p = p,
                      .index = index,
                      .row = tile[TILE_ROW],
                      .column = tile[TILE_COLUMN],
                      .lines = size_run_time(tile[TILE_LINES]),
                      .lanes = size_run_time(tile[TILE_LANES]),
                      /* Chunks and panels are whole vectors of columns. */
                      .lane_bits = p->plan.transposed ? row_bits : column_bits,
                      .sums = tile[TILE_SUMS],
                      .stride = tile_stride(e, p),
                      .transposed = p->plan.transposed};
}

static void store_tile(Emit *e, const Product *p, LLVMValueRef *index, const LLVMValueRef *tile) {
    Epilogue epilogue = tile_epilogue(e, p, index, tile);
    emit_epilogue(e, &epilogue);
}

void ahead_of_tile(Emit *e, const Product *p, LLVMValueRef *index, const LLVMValueRef *tile) {
    Epilogue epilogue = tile_epilogue(e, p, index, tile);
    ahead_of_lines(e, &epilogue);
}

void epilogue_of_tile(Emit *e, const Product *p, LLVMValueRef *index, const LLVMValueRef *tile) {
    uint64_t bits;
    if (p->contract->store_tile && kinds_of_rows(e, p, &bits) > 1)
        p->contract->store_tile(e, tile, p->contract->user);
    else
        store_tile(e, p, index, tile);
}

void contract_store_tile(Emit *e, const Contract *contract, const LLVMValueRef *tile) {
    Product p;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    product_open(e, contract, &p);
    for (uint32_t i = 0; i < product_index_count(&p); i++) index[i] = emit_i64(e, 0);
    product_index(e, &p, &p.outer, tile[TILE_PRODUCT], index);
    store_tile(e, &p, index, tile);
}
