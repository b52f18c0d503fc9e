/* The loops over the tiles of a block of columns: rows, the variants of what is left over, panels, and the
 * epilogues of tiles. */
#include "codegen/contract_epilogue.h"
#include "codegen/contract_pack.h"
#include "codegen/contract_place.h"
#include "codegen/vector.h"
#include <string.h>

LLVMValueRef place_minimum(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return size_min(e, size_run_time(a), size_run_time(b)).value;
}

LLVMValueRef place_maximum(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(e->builder, LLVMBuildICmp(e->builder, LLVMIntSGT, a, b, ""), a, b, "");
}

uint32_t panel_width(const Product *p) { return p->plan.vectors * p->plan.lanes; }

/* --- choosing a variant at run time */
typedef void VariantBody(Emit *e, void *user);

static void each_variant(Emit *e, const Variants *variants, LLVMValueRef count, const Variant **chosen,
                         VariantBody *body, void *user) {
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder));
    LLVMBasicBlockRef join = LLVMAppendBasicBlockInContext(e->llvm, function, "join");
    for (uint32_t i = 0; i < variants->count; i++) {
        LLVMBasicBlockRef next = NULL;
        *chosen = &variants->at[i];
        if (i + 1 < variants->count) {
            LLVMBasicBlockRef here = LLVMAppendBasicBlockInContext(e->llvm, function, "variant");
            next = LLVMAppendBasicBlockInContext(e->llvm, function, "else");
            LLVMValueRef bound = emit_i64(e, (*chosen)->bound);
            LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLE, count, bound, ""), here, next);
            LLVMPositionBuilderAtEnd(e->builder, here);
        }
        body(e, user);
        LLVMBuildBr(e->builder, join);
        if (next) LLVMPositionBuilderAtEnd(e->builder, next);
    }
    LLVMMoveBasicBlockAfter(join, LLVMGetLastBasicBlock(function));
    LLVMPositionBuilderAtEnd(e->builder, join);
}

/* Dot products go through a panel's columns by themselves. */
Variants column_variants(const Product *p) {
    const ContractSchedule *plan = &p->plan;
    if (plan->dot_lanes) return variants_of(p->column.extent, plan->chunk_columns, 1, panel_width(p), true);
    return variants_of(p->column.extent, plan->chunk_columns, plan->vectors, plan->lanes, !plan->pack_b);
}

/* --- tiles */
static void tile_columns(Emit *e, void *user) {
    Where *at = user;
    VariantBody *body = at->p->plan.dot_lanes ? dot_tile : multiply_tile;
    each_variant(e, &at->column_variants, at->column_count, &at->column_variant, body, at);
}

/* First element of a row in the packed strips. */
static LLVMValueRef packed_row(Emit *e, const Where *at, LLVMValueRef row) {
    const Product *p = at->p;
    LLVMValueRef lanes = emit_i64(e, p->plan.lanes), from = offset_sub(e, row, at->row_from.value);
    LLVMValueRef lane = LLVMBuildURem(e->builder, from, lanes, "");
    LLVMValueRef strip = LLVMBuildUDiv(e->builder, from, lanes, "");
    Size stride = pack_stride(e, size_known(e, p->plan.lanes), p->plan.lanes, block_depth(e, at));
    return vector_at(e, p->element, at->packed_a,
                     offset_add(e, offset_multiply(e, strip, stride.value), lane));
}

/* First element of row r of the tile, at this block of k. Rows beyond the last repeat it. */
static LLVMValueRef row_pointer(Emit *e, const Where *at, uint32_t r) {
    const Product *p = at->p;
    LLVMValueRef number = emit_i64(e, r), last = offset_sub(e, at->row_count, emit_i64(e, 1));
    LLVMValueRef row =
        offset_add(e, at->row, at->row_variant->exact ? number : place_minimum(e, number, last));
    if (at->packed_a) return packed_row(e, at, row);
    if (p->plan.row_run) {
        Size stride = p->rows.at[p->rows.count - 1].a;
        LLVMValueRef first = offset_add(e, product_offset(e, &p->rows, false, at->row), at->a_block);
        return vector_at(e, p->a_memory, at->a,
                         offset_add(e, first, offset_multiply(e, number, stride.value)));
    }
    return vector_at(e, p->a_memory, at->a,
                     offset_add(e, product_offset(e, &p->rows, false, row), at->a_block));
}

/* Where the first of the steps of k is that there are in the rows of the tile. */
static LLVMValueRef load_steps(Emit *e, Where *at) {
    const Product *p = at->p;
    LLVMValueRef index[PRODUCT_MAX_AXES], offset = emit_i64(e, 0);
    product_index(e, p, &p->rows, at->row, index);
    for (uint32_t i = 0; i < p->k.count; i++) {
        at->first_step[i] = NULL;
        if (edge_steps(e, p, i, index, &at->first_step[i], &at->steps[i]))
            offset = offset_add(e, offset, offset_multiply(e, at->first_step[i], p->k.at[i].a.value));
    }
    return offset;
}

static void load_rows(Emit *e, Where *at) {
    const Product *p = at->p;
    LLVMValueRef first = p->contract->edge_count ? load_steps(e, at) : NULL;
    for (uint32_t r = 0; r < at->row_variant->tile; r++) {
        at->tile_a[r] = row_pointer(e, at, r);
        if (first) at->tile_a[r] = vector_at(e, p->a_memory, at->tile_a[r], first);
    }
}

/* Are the tile's rows and columns one axis each, so that its indices are a box? */
static bool is_box(const Product *p) {
    return p->rows.count <= 1 && p->column.count <= 1 && (p->rows.count == 0 || p->rows.at[0].count == 1);
}

bool tile_box(Emit *e, const Where *at, LLVMValueRef *first, LLVMValueRef *last) {
    const Product *p = at->p;
    LLVMValueRef one = emit_i64(e, 1);
    if (!is_box(p)) return false;
    memcpy(first, at->index, sizeof at->index);
    memcpy(last, at->index, sizeof at->index);
    product_index(e, p, &p->rows, at->row, first);
    product_index(e, p, &p->rows, offset_sub(e, offset_add(e, at->row, at->row_count), one), last);
    product_column_index(e, p, at->column, first);
    product_column_index(e, p, offset_sub(e, offset_add(e, at->column, at->column_count), one), last);
    return true;
}

/* NULL: compute it in any case. */
static LLVMValueRef tile_is_needed(Emit *e, const Where *at) {
    const Product *p = at->p;
    LLVMValueRef first[PRODUCT_MAX_AXES], last[PRODUCT_MAX_AXES];
    if (!p->contract->needs || at->blocked || !tile_box(e, at, first, last)) return NULL;
    return p->contract->needs(e, p->contract, first, last, p->contract->user);
}

static void columns_body(Emit *e, LLVMValueRef column, void *user) {
    Where *at = user;
    at->column = column;
    tile_columns(e, at);
}

static void needed_columns(Emit *e, Where *at) {
    LLVMValueRef needed = tile_is_needed(e, at);
    if (needed)
        emit_if(e, needed, columns_body, at->column, at);
    else
        tile_columns(e, at);
}

static void panel_body(Emit *e, LLVMValueRef column, void *user) {
    Where *at = user;
    const Product *p = at->p;
    at->column = column;
    at->column_count =
        place_minimum(e, offset_sub(e, at->block_end.value, column), emit_i64(e, panel_width(p)));
    if (at->blocked) {
        needed_columns(e, at);
        return;
    }
    const Variant *rows = at->row_variant;
    LLVMValueRef row_count = rows->exact ? emit_i64(e, rows->bound) : at->row_count;
    bool transposed = p->plan.transposed;
    LLVMValueRef tile[TILE_NUMBERS] = {[TILE_PRODUCT] = at->product,
                                       [TILE_ROW] = at->row,
                                       [TILE_COLUMN] = column,
                                       [TILE_LINES] = transposed ? at->column_count : row_count,
                                       [TILE_LANES] = transposed ? row_count : at->column_count,
                                       [TILE_SUMS] = at->sums};
    if (p->contract->ahead) ahead_of_tile(e, p, at->index, tile);
    needed_columns(e, at);
    if (at->direct) return;
    vector_release(e, 0);
    epilogue_of_tile(e, p, at->index, tile);
}

static void tile_row(Emit *e, void *user) {
    Where *at = user;
    load_rows(e, at);
    emit_loop(e, at->block_column.value, at->block_end.value, panel_width(at->p), "panel", panel_body, at);
}

static void row_body(Emit *e, LLVMValueRef row, void *user) {
    Where *at = user;
    at->row = row = vector_opaque(e, row);
    at->row_count = place_minimum(e, offset_sub(e, at->row_end.value, row), emit_i64(e, at->p->plan.rows));
    each_variant(e, &at->row_variants, at->row_count, &at->row_variant, tile_row, at);
}

static void edge_row_body(Emit *e, LLVMValueRef row, void *user) {
    Where *at = user;
    at->row = vector_opaque(e, row);
    tile_row(e, at);
}

/* The tiles of a run, group by group of those that lack the same steps of k. */
static void run_of_edges(Emit *e, LLVMValueRef from, Where *at) {
    EdgeTiles *tiles;
    const Product *p = at->p;
    const ContractEdge *edge = edge_of_rows(p);
    uint32_t count = edge_tiles(e, p, edge, p->plan.row_run, p->plan.rows, &tiles);
    for (uint32_t i = 0; i < count; i++) {
        const EdgeTiles *group = &tiles[i];
        Variant variant = {.tile = group->rows, .bound = group->rows, .exact = true};
        LLVMValueRef first = offset_add(e, from, emit_i64(e, group->from)),
                     end = offset_add(e, from, emit_i64(e, group->to));
        at->edge_tiles = group, at->row_variant = &variant;
        at->row_count = emit_i64(e, group->rows);
        emit_loop(e, first, end, group->rows, "rows", edge_row_body, at);
    }
}

/* The rows from `from` on that tiles may cover together. */
static void run_body(Emit *e, LLVMValueRef from, void *user) {
    Where *at = user;
    int64_t run = at->p->plan.row_run;
    if (edge_of_rows(at->p)) {
        run_of_edges(e, from, at);
        return;
    }
    at->row_end = run ? size_run_time(offset_add(e, from, emit_i64(e, run))) : at->row_to;
    emit_loop(e, from, at->row_end.value, at->p->plan.rows, "rows", row_body, at);
}

void emit_tiles(Emit *e, Where *at) {
    if (at->p->plan.row_run)
        emit_loop(e, at->row_from.value, at->row_to.value, at->p->plan.row_run, "run", run_body, at);
    else
        run_body(e, at->row_from.value, at);
}
