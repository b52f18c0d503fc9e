/* Sums of products from their buffer to the contract's store, by vectors and what these leave over. */
#include "codegen/contract_epilogue.h"
#include "codegen/vector.h"
#include <string.h>

typedef struct {
    const Epilogue *epilogue;
    LLVMValueRef sums; /* first of the line */
    uint32_t lanes;
} Line;

/* The greatest power of two that the first row of every tile is a multiple of. */
static int64_t rows_alignment(const ContractSchedule *plan) {
    int64_t all = plan->rows | plan->chunk_rows | plan->row_run;
    return all & -all;
}

static void store_lanes(Emit *e, LLVMValueRef offset, void *user) {
    const Line *line = user;
    const Epilogue *epilogue = line->epilogue;
    const Product *p = epilogue->p;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    uint32_t axis = product_lane_axis(p);
    bool aligned = true; /* columns begin at whole vectors, and what is left over at its parts */
    memcpy(index, epilogue->index, sizeof index);
    LLVMValueRef value =
        vector_load(e, p->element, vector_at(e, p->element, line->sums, offset), line->lanes);
    if (epilogue->transposed) {
        product_index(e, p, &p->rows, offset_add(e, epilogue->row, offset), index);
        axis = product_row_axis(p);
        aligned = rows_alignment(&p->plan) % line->lanes == 0;
    } else {
        product_column_index(e, p, offset_add(e, epilogue->column, offset), index);
    }
    p->contract->store(e, p->contract, index, value, line->lanes, axis, aligned, p->contract->user);
}

/* The last lanes, fewer than a vector: by vectors of 8, 4, 2, 1. Bits that `size` lacks are never left
 * over. */
static void store_rest(Emit *e, Line *line, LLVMValueRef from, LLVMValueRef count, Size size) {
    for (uint32_t lanes = line->epilogue->p->plan.lanes / 2; lanes > 0; lanes /= 2) {
        if (size.known && !(size.constant & lanes)) continue;
        LLVMValueRef bit = LLVMBuildAnd(e->builder, count, emit_i64(e, lanes), "");
        LLVMValueRef there = LLVMBuildICmp(e->builder, LLVMIntNE, bit, emit_i64(e, 0), "");
        line->lanes = lanes;
        emit_if(e, there, store_lanes, from, line);
        from = offset_add(e, from, bit);
    }
}

static void line_index(Emit *e, const Epilogue *epilogue, LLVMValueRef i) {
    const Product *p = epilogue->p;
    if (epilogue->transposed)
        product_column_index(e, p, offset_add(e, epilogue->column, i), epilogue->index);
    else
        product_index(e, p, &p->rows, offset_add(e, epilogue->row, i), epilogue->index);
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
    /* Chunks and panels are whole vectors of columns, so what is left over is left over of all of them. */
    Size count = epilogue->lanes, size = epilogue->transposed ? count : p->column.extent;
    Size whole = size_mul(e, size_div(e, count, lanes), size_known(e, lanes));
    emit_loop(e, emit_i64(e, 0), whole.value, lanes, "store", store_lanes, &line);
    if (!size.known || size.constant % lanes) store_rest(e, &line, whole.value, count.value, size);
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

void epilogue_ahead(Emit *e, Epilogue *epilogue) {
    emit_loop(e, emit_i64(e, 0), epilogue->lines.value, 1, "ahead", ahead_line, epilogue);
}
