/* Products: the loops over chunks, blocks and tiles around the micro-kernel, and the calls of the epilogue.
 *
 * for each product of the chunk:
 *     for each block of k:
 *         pack the chunk's rows of A, if the schedule says so
 *         for each block of columns:
 *             pack the block of B, if the schedule says so
 *             for each tile of rows, for each panel of columns:
 *                 multiply in registers; leave the sums in a buffer
 *                 unless k is in blocks: the epilogue of the tile (of a short k, without a buffer)
 *     if k is in blocks: the epilogue of the chunk
 *
 * With k in one block the buffer is one tile on the stack; in several it is the rows and columns of the
 * chunk, in scratch memory. Where OpenBLAS multiplies, one call of it fills that buffer. */
#include "codegen/contract_blas.h"
#include "codegen/contract_direct.h"
#include "codegen/contract_dot.h"
#include "codegen/contract_edge.h"
#include "codegen/contract_epilogue.h"
#include "codegen/contract_pack.h"
#include "codegen/contract_product.h"
#include "codegen/contract_slide.h"
#include "codegen/contract_variant.h"
#include "codegen/products.h"
#include "codegen/transpose_tile.h"
#include "codegen/vector.h"
#include <string.h>

/* What is known at a place inside the loops. */
typedef struct {
    const Product *p;
    Variants row_variants, column_variants;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    Size row_from, row_to, column_from, column_to;     /* of the chunk */
    LLVMValueRef product;                              /* its number, */
    LLVMValueRef a, b;                                 /* and where it lies, at k = 0 */
    LLVMValueRef packed_a, packed_b;                   /* scratch, or NULL */
    LLVMValueRef sums;                                 /* buffer of accumulators, */
    LLVMValueRef straight;                             /* and where they lie before they are transposed */
    Size sums_stride;                                  /* its elements a row */
    bool direct;                                       /* do sums go from registers to the store? */
    bool blocked;                                      /* do all of the chunk's sums wait in the buffer? */
    TileAxis k[MAX_RANK];                              /* of this block of k */
    LLVMValueRef a_block, b_block;                     /* offsets of this block of k in A and B */
    Size block_column, block_end;                      /* this block of columns */
    Size row_end;                                      /* of the rows that tiles may cover together */
    LLVMValueRef row, row_count, column, column_count; /* this tile: its place, and how much of it exists */
    const Variant *row_variant, *column_variant;
    LLVMValueRef tile_a[CONTRACT_MAX_ROWS]; /* first element of each row of A in this block of k */
    /* Where there are zeros around A: */
    const EdgeTiles *edge_tiles;       /* what this tile's rows lack of the innermost axis of k, or NULL */
    LLVMValueRef first_step[MAX_RANK]; /* that they have of the others, NULL = all */
    Size steps[MAX_RANK];              /* so many */
} Where;

static LLVMValueRef minimum(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return size_min(e, size_run_time(a), size_run_time(b)).value;
}

static uint32_t panel_width(const Product *p) { return p->plan.vectors * p->plan.lanes; }

/* --- one tile */
static LLVMTypeRef a_type(const Where *at) { return at->packed_a ? at->p->element : at->p->memory; }
static LLVMTypeRef b_type(const Where *at) { return at->packed_b ? at->p->element : at->p->memory; }

/* Strides of the packed blocks along k: of the innermost axis a panel's or strip's width, of the others what
 * lies inside them. */
static void packed_strides(Emit *e, const Where *at, Tile *tile) {
    Size a = size_known(e, at->p->plan.lanes), b = size_known(e, panel_width(at->p));
    for (uint32_t i = tile->k_count; i-- > 0;) {
        if (at->packed_a) tile->k[i].a = a;
        if (at->packed_b) tile->k[i].b = b;
        a = size_mul(e, a, at->k[i].extent);
        b = size_mul(e, b, at->k[i].extent);
    }
}

static Size block_depth(Emit *e, const Where *at) {
    Size depth = size_known(e, 1);
    for (uint32_t i = 0; i < at->p->k.count; i++) depth = size_mul(e, depth, at->k[i].extent);
    return depth;
}

static LLVMValueRef tile_b(Emit *e, const Where *at) {
    const Product *p = at->p;
    LLVMValueRef place;
    if (at->packed_b) {
        LLVMValueRef from = offset_sub(e, at->column, at->block_column.value);
        LLVMValueRef panel = LLVMBuildExactUDiv(e->builder, from, emit_i64(e, panel_width(p)), "");
        Size stride = pack_stride(e, size_known(e, panel_width(p)), p->plan.lanes, block_depth(e, at));
        return vector_at(e, p->element, at->packed_b, offset_multiply(e, panel, stride.value));
    }
    place = offset_add(e, offset_multiply(e, at->column, p->column.b.value), at->b_block);
    return vector_at(e, p->memory, at->b, place);
}

static void set_masks(Emit *e, const Where *at, Tile *tile) {
    const Variant *variant = at->column_variant;
    uint32_t lanes = tile->lanes;
    for (uint32_t v = 0; v < tile->vectors; v++) {
        int64_t end = (int64_t)(v + 1) * lanes;
        if (at->packed_b || lanes == 1 || (variant->exact && variant->bound >= end)) continue;
        LLVMValueRef left = variant->exact ? emit_i64(e, variant->bound) : at->column_count;
        tile->mask[v] = vector_first_lanes(e, offset_sub(e, left, emit_i64(e, end - lanes)), lanes);
    }
}

/* Perhaps beyond the operand's end. */
static void move_ahead(Emit *e, Tile *tile, LLVMValueRef offset) {
    if (!tile->ahead_panel) return;
    offset = LLVMBuildLShr(e->builder, offset, emit_i64(e, tile->ahead_shift), "");
    tile->ahead_panel = LLVMBuildGEP2(e->builder, tile->b_memory, tile->ahead_panel, &offset, 1, "");
}

/* What follows this block of B is divided among so many tiles. Where there are more, they begin anew: by then
 * it is near. */
static void set_ahead_panel(Emit *e, const Where *at, Tile *tile) {
    const ContractSchedule *plan = &at->p->plan;
    if (!plan->ahead_panel) return;
    while (1u << tile->ahead_shift < plan->ahead_panel) tile->ahead_shift++;
    Size block = size_mul(e, block_depth(e, at), at->p->column.extent);
    LLVMValueRef rows = offset_sub(e, at->row, at->row_from.value);
    LLVMValueRef number = LLVMBuildUDiv(e->builder, rows, emit_i64(e, plan->rows), "");
    number = LLVMBuildAnd(e->builder, number, emit_i64(e, plan->ahead_panel - 1), "");
    tile->ahead_panel = LLVMBuildGEP2(e->builder, tile->b_memory, tile->b, &block.value, 1, "");
    move_ahead(e, tile, offset_multiply(e, number, block.value));
}

/* Only the steps of k that there are. */
static void set_steps(Emit *e, const Where *at, Tile *tile) {
    for (uint32_t i = 0; i < tile->k_count; i++) {
        if (!at->first_step[i]) continue;
        LLVMValueRef ahead = offset_multiply(e, at->first_step[i], tile->k[i].b.value);
        tile->b = vector_at(e, tile->b_memory, tile->b, ahead);
        move_ahead(e, tile, ahead);
        tile->k[i].extent = at->steps[i];
    }
    if (!at->edge_tiles) return;
    tile->skips = true;
    memcpy(tile->skip, at->edge_tiles->skip, sizeof tile->skip);
}

static LLVMValueRef sum_pointer(Emit *e, const Where *at, uint32_t r, uint32_t v) {
    const Product *p = at->p;
    LLVMValueRef row = emit_i64(e, r), column = emit_i64(e, (int64_t)v * p->plan.lanes);
    if (at->blocked) {
        row = offset_add(e, offset_sub(e, at->row, at->row_from.value), row);
        column = offset_add(e, offset_sub(e, at->column, at->column_from.value), column);
    }
    return vector_at(e, p->element, at->sums,
                     offset_add(e, offset_multiply(e, row, at->sums_stride.value), column));
}

/* Into the buffer by columns: line c holds column c of all rows, and room for the rest of a vector. */
static void store_transposed(Emit *e, const Where *at, const Tile *tile) {
    int64_t width = panel_width(at->p), lanes = tile->lanes;
    for (uint32_t i = 0; i < tile->rows * tile->vectors; i++) {
        int64_t place = i / tile->vectors * width + i % tile->vectors * lanes;
        vector_store(e, tile->sum[i], vector_at(e, at->p->element, at->straight, emit_i64(e, place)));
    }
    for (int64_t first = 0; first < tile->rows; first += lanes) {
        Transposition t = {.element = at->p->element,
                           .lanes = tile->lanes,
                           .rows = (uint32_t)(tile->rows - first < lanes ? tile->rows - first : lanes),
                           .source = vector_at(e, at->p->element, at->straight, emit_i64(e, first * width)),
                           .target = vector_at(e, at->p->element, at->sums, emit_i64(e, first)),
                           .source_stride = width,
                           .target_stride = at->sums_stride.constant,
                           .squares = tile->vectors};
        transpose_squares(e, &t);
    }
}

/* Multiplies with the tile of the place's variants. Rows that only repeat the last one are computed, not
 * stored. */
static void multiply_tile(Emit *e, void *user) {
    Where *at = user;
    const Product *p = at->p;
    uint32_t lanes = p->plan.lanes;
    Tile tile = {.rows = at->row_variant->tile,
                 .vectors = at->column_variant->tile,
                 .lanes = lanes,
                 .element = p->element,
                 .a_memory = a_type(at),
                 .b_memory = b_type(at),
                 .b = tile_b(e, at),
                 .ahead_depth = p->plan.ahead_depth,
                 .ahead_b = p->plan.ahead_b,
                 .k_count = p->k.count};
    memcpy(tile.k, at->k, sizeof tile.k);
    memcpy(tile.a, at->tile_a, sizeof tile.a);
    if (p->plan.ahead_a) tile.ahead_a = true, tile.a_stride = p->rows.at[0].a.value;
    packed_strides(e, at, &tile);
    set_ahead_panel(e, at, &tile);
    set_steps(e, at, &tile);
    set_masks(e, at, &tile);
    for (uint32_t i = 0; i < tile.rows * tile.vectors; i++)
        tile.sum[i] = LLVMConstNull(emit_lanes(p->element, lanes));
    tile_multiply(e, &tile);
    if (at->direct) {
        Epilogue epilogue = {.p = p,
                             .index = at->index,
                             .row = at->row,
                             .column = at->column,
                             .transposed = p->plan.transposed};
        direct_store(e, &epilogue, &tile, at->column_variant->bound);
        return;
    }
    if (p->plan.transposed) {
        store_transposed(e, at, &tile);
        return;
    }
    for (uint32_t i = 0; i < tile.rows * tile.vectors; i++) {
        LLVMValueRef place = sum_pointer(e, at, i / tile.vectors, i % tile.vectors), sum = tile.sum[i];
        /* Each block is summed by itself, which keeps the rounding errors of many steps of k small. */
        if (at->blocked) sum = vector_add(e, sum, vector_load(e, p->element, place, lanes));
        vector_store(e, sum, place);
    }
}

/* --- the same by dot products */
/* A packed B of dot products: for each vector of k, one of each column, and one more lest they collide. */
static Size dot_b_step(Emit *e, const Where *at) {
    const Product *p = at->p;
    if (!at->packed_b) return size_known(e, p->plan.dot_lanes);
    return pack_stride(e, size_known(e, p->plan.dot_lanes), p->plan.dot_lanes,
                       size_sub(e, at->block_end, at->block_column));
}

static LLVMValueRef dot_b(Emit *e, const Where *at, LLVMValueRef column) {
    const Product *p = at->p;
    if (at->packed_b) {
        LLVMValueRef from = offset_sub(e, column, at->block_column.value);
        return vector_at(e, p->element, at->packed_b,
                         offset_multiply(e, from, emit_i64(e, p->plan.dot_lanes)));
    }
    return vector_at(e, p->memory, at->b,
                     offset_add(e, offset_multiply(e, column, p->column.b.value), at->b_block));
}

/* Columns of the panel; those beyond the last repeat it, unless all are there. */
typedef struct {
    const Where *at;
    LLVMValueRef from;
    uint32_t columns;
    bool exact;
    LLVMValueRef waiting; /* columns in turn: their vectors [rows][columns] */
} DotColumns;

/* The dot products with `columns` columns from `from` on. */
static Dot dot_with(Emit *e, const DotColumns *d, LLVMValueRef from, uint32_t columns) {
    const Where *at = d->at;
    const Product *p = at->p;
    Dot dot = {.rows = at->row_variant->tile,
               .columns = columns,
               .unroll = p->plan.dot_unroll,
               .lanes = p->plan.dot_lanes,
               .element = p->element,
               .a_memory = a_type(at),
               .b_memory = b_type(at),
               .k_count = p->k.count,
               .b_step = dot_b_step(e, at)};
    LLVMValueRef last = offset_sub(e, at->column_count, emit_i64(e, 1));
    memcpy(dot.k, at->k, sizeof dot.k);
    for (uint32_t r = 0; r < dot.rows; r++) dot.a[r] = at->tile_a[r];
    for (uint32_t c = 0; c < columns; c++) {
        LLVMValueRef number = offset_add(e, from, emit_i64(e, c));
        dot.b[c] = dot_b(e, at, offset_add(e, at->column, d->exact ? number : minimum(e, number, last)));
    }
    dot_multiply(e, &dot);
    return dot;
}

static LLVMValueRef waiting_at(Emit *e, const DotColumns *d, uint32_t row, LLVMValueRef column) {
    const Product *p = d->at->p;
    LLVMValueRef number = offset_add(e, emit_i64(e, (int64_t)row * d->columns), column);
    return vector_at(e, p->element, d->waiting, offset_multiply(e, number, emit_i64(e, p->plan.dot_lanes)));
}

static void dot_in_turn(Emit *e, LLVMValueRef column, void *user) {
    const DotColumns *d = user;
    Dot dot = dot_with(e, d, offset_add(e, d->from, column), 1);
    for (uint32_t r = 0; r < dot.rows; r++) vector_store(e, dot.sum[r], waiting_at(e, d, r, column));
}

/* One column after the other, so that B is read in the order in which it lies. */
static Dot dots_in_turn(Emit *e, DotColumns *d) {
    const Product *p = d->at->p;
    Dot dot = {.rows = d->at->row_variant->tile,
               .columns = d->columns,
               .lanes = p->plan.dot_lanes,
               .element = p->element};
    uint32_t sums = dot.rows * dot.columns;
    d->waiting = emit_alloca(e, LLVMArrayType2(emit_lanes(p->element, dot.lanes), sums), "waiting");
    emit_loop(e, emit_i64(e, 0), emit_i64(e, d->columns), 1, "column", dot_in_turn, d);
    for (uint32_t i = 0; i < sums; i++)
        dot.sum[i] = vector_load(e, p->element, waiting_at(e, d, 0, emit_i64(e, i)), dot.lanes);
    return dot;
}

static void dot_columns(Emit *e, const Where *at, LLVMValueRef from, uint32_t columns, bool exact) {
    const Product *p = at->p;
    DotColumns d = {.at = at, .from = from, .columns = columns, .exact = exact};
    Dot dot = p->plan.dot_unroll > 1 ? dots_in_turn(e, &d) : dot_with(e, &d, from, columns);
    LLVMValueRef target = vector_at(e, p->element, sum_pointer(e, at, 0, 0), from);
    dot_store(e, &dot, target, at->sums_stride, at->blocked);
}

static void whole_dot_columns(Emit *e, LLVMValueRef from, void *user) {
    const Where *at = user;
    dot_columns(e, at, from, at->p->plan.dot_columns, true);
}

static void partial_dot_columns(Emit *e, LLVMValueRef from, void *user) {
    const Where *at = user;
    dot_columns(e, at, from, at->p->plan.dot_columns, false);
}

static void dot_tile(Emit *e, void *user) {
    Where *at = user;
    const Variant *variant = at->column_variant;
    uint32_t width = at->p->plan.dot_columns;
    LLVMValueRef zero = emit_i64(e, 0);
    Size count = variant->exact ? size_known(e, variant->bound) : size_run_time(at->column_count);
    Size whole = size_mul(e, size_div(e, count, width), size_known(e, width));
    emit_loop(e, zero, whole.value, width, "dots", whole_dot_columns, at);
    if (!count.known)
        emit_loop(e, whole.value, count.value, width, "dots", partial_dot_columns, at);
    else if (count.constant % width)
        dot_columns(e, at, whole.value, (uint32_t)(count.constant % width), true);
}

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
static Variants column_variants(const Product *p) {
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
    LLVMValueRef row = offset_add(e, at->row, at->row_variant->exact ? number : minimum(e, number, last));
    if (at->packed_a) return packed_row(e, at, row);
    if (p->plan.row_run) {
        Size stride = p->rows.at[p->rows.count - 1].a;
        LLVMValueRef first = offset_add(e, product_offset(e, &p->rows, false, at->row), at->a_block);
        return vector_at(e, p->memory, at->a, offset_add(e, first, offset_multiply(e, number, stride.value)));
    }
    return vector_at(e, p->memory, at->a,
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
        if (first) at->tile_a[r] = vector_at(e, p->memory, at->tile_a[r], first);
    }
}

/* Are the tile's rows and columns one axis each, so that its indices are a box? */
static bool is_box(const Product *p) {
    return p->rows.count <= 1 && p->column.count <= 1 && (p->rows.count == 0 || p->rows.at[0].count == 1);
}

/* NULL: compute it in any case. */
static LLVMValueRef tile_is_needed(Emit *e, const Where *at) {
    const Product *p = at->p;
    LLVMValueRef first[PRODUCT_MAX_AXES], last[PRODUCT_MAX_AXES], one = emit_i64(e, 1);
    if (!p->contract->needs || at->blocked || !is_box(p)) return NULL;
    memcpy(first, at->index, sizeof first);
    memcpy(last, at->index, sizeof last);
    product_index(e, p, &p->rows, at->row, first);
    product_index(e, p, &p->rows, offset_sub(e, offset_add(e, at->row, at->row_count), one), last);
    product_column_index(e, p, at->column, first);
    product_column_index(e, p, offset_sub(e, offset_add(e, at->column, at->column_count), one), last);
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
    at->column_count = minimum(e, offset_sub(e, at->block_end.value, column), emit_i64(e, panel_width(p)));
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
    at->row_count = minimum(e, offset_sub(e, at->row_end.value, row), emit_i64(e, at->p->plan.rows));
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

/* --- blocks */
/* Is what is packed used by so few rows, or columns, that packing takes a good part of the time? More where k
 * is one axis: several have short runs, which take as long however they are packed. */
static bool is_used_little(const Product *p, Size size, int64_t chunk) {
    int64_t little = p->k.count > 1 ? 64 : 256;
    return size.known && (chunk && chunk < size.constant ? chunk : size.constant) <= little;
}

/* A's rows play the part of columns: strips are panels of one vector. */
static void pack_rows(Emit *e, Where *at) {
    const Product *p = at->p;
    Size stride = p->rows.at[0].a;
    LLVMValueRef first = offset_add(e, offset_multiply(e, at->row_from.value, stride.value), at->a_block);
    Pack pack = {.memory = p->memory,
                 .element = p->element,
                 .source = vector_at(e, p->memory, at->a, first),
                 .target = at->packed_a,
                 .columns = size_sub(e, at->row_to, at->row_from),
                 .column_stride = stride,
                 .k_count = p->k.count,
                 .lanes = p->plan.lanes,
                 .width = size_known(e, p->plan.lanes),
                 .written_out = is_used_little(p, p->column.extent, p->plan.chunk_columns)};
    for (uint32_t i = 0; i < p->k.count; i++) pack.k[i] = (PackAxis){at->k[i].extent, at->k[i].a};
    pack_panels(e, &pack);
}

static void pack_block(Emit *e, Where *at) {
    const Product *p = at->p;
    LLVMValueRef first =
        offset_add(e, offset_multiply(e, at->block_column.value, p->column.b.value), at->b_block);
    Size columns = size_sub(e, at->block_end, at->block_column);
    Pack pack = {.memory = p->memory,
                 .element = p->element,
                 .source = vector_at(e, p->memory, at->b, first),
                 .target = at->packed_b,
                 .columns = columns,
                 .column_stride = p->column.b,
                 .k_count = p->k.count,
                 .lanes = p->plan.lanes,
                 .width = size_known(e, panel_width(p)),
                 .written_out = is_used_little(p, p->row_count, p->plan.chunk_rows)};
    for (uint32_t i = 0; i < p->k.count; i++) pack.k[i] = (PackAxis){at->k[i].extent, at->k[i].b};
    if (p->plan.dot_lanes) { /* k, one axis, and the columns change their parts */
        pack.columns = at->k[0].extent, pack.column_stride = at->k[0].b;
        pack.k[0] = (PackAxis){columns, p->column.b};
        pack.lanes = p->plan.dot_lanes, pack.width = size_known(e, p->plan.dot_lanes);
    }
    pack_panels(e, &pack);
}

static void column_body(Emit *e, LLVMValueRef column, void *user) {
    Where *at = user;
    int64_t block = at->p->plan.column_block;
    at->block_column = size_run_time(column);
    at->block_end = at->column_to;
    if (block)
        at->block_end = size_min(e, size_add(e, at->block_column, size_known(e, block)), at->column_to);
    if (at->packed_b) pack_block(e, at);
    if (at->p->plan.row_run)
        emit_loop(e, at->row_from.value, at->row_to.value, at->p->plan.row_run, "run", run_body, at);
    else
        run_body(e, at->row_from.value, at);
}

/* One block of k, from `from` steps of the outermost k axis on. */
static void depth_body(Emit *e, LLVMValueRef from, void *user) {
    Where *at = user;
    const ProductAxes *k = &at->p->k;
    int64_t block = at->p->plan.column_block;
    at->a_block = at->b_block = emit_i64(e, 0);
    if (k->count) {
        at->a_block = offset_multiply(e, from, k->at[0].a.value);
        at->b_block = offset_multiply(e, from, k->at[0].b.value);
    }
    if (at->packed_a) pack_rows(e, at);
    if (block)
        emit_loop(e, at->column_from.value, at->column_to.value, block, "block", column_body, at);
    else
        column_body(e, at->column_from.value, at);
}

static void clear_sums(Emit *e, const Where *at) {
    Size rows = size_sub(e, at->row_to, at->row_from);
    Size bytes = size_mul(e, size_mul(e, rows, at->sums_stride),
                          size_known(e, (int64_t)LLVMABISizeOfType(e->layout, at->p->element)));
    LLVMValueRef zero = LLVMConstInt(LLVMInt8TypeInContext(e->llvm), 0, false);
    LLVMBuildMemSet(e->builder, at->sums, zero, bytes.value,
                    LLVMABIAlignmentOfType(e->layout, at->p->element));
}

/* A block of k of which only the run tells how long it is. */
static void unknown_depth_body(Emit *e, LLVMValueRef from, void *user) {
    Where *at = user;
    Size rest = size_sub(e, at->p->k.at[0].extent, size_run_time(from));
    at->k[0].extent = size_min(e, rest, size_known(e, at->p->plan.depth_block));
    depth_body(e, from, at);
}

static void blocks_of_depth(Emit *e, Where *at) {
    Size extent = at->p->k.at[0].extent;
    int64_t size = extent.constant, block = at->p->plan.depth_block;
    clear_sums(e, at);
    if (!extent.known) {
        emit_loop(e, emit_i64(e, 0), extent.value, block, "depth", unknown_depth_body, at);
        return;
    }
    at->k[0].extent = size_known(e, block);
    emit_loop(e, emit_i64(e, 0), emit_i64(e, size / block * block), block, "depth", depth_body, at);
    if (size % block == 0) return;
    at->k[0].extent = size_known(e, size % block);
    depth_body(e, emit_i64(e, size / block * block), at);
}

/* All sums of the chunk's rows and columns are in the buffer. */
static void epilogue_of_chunk(Emit *e, Where *at) {
    const Product *p = at->p;
    Epilogue epilogue = {.p = p,
                         .index = at->index,
                         .row = at->row_from.value,
                         .column = at->column_from.value,
                         .lines = size_sub(e, at->row_to, at->row_from),
                         .lanes = size_sub(e, at->column_to, at->column_from),
                         .lane_bits =
                             p->column.extent.known ? (uint64_t)p->column.extent.constant : UINT64_MAX,
                         .sums = at->sums,
                         .stride = at->sums_stride};
    emit_epilogue(e, &epilogue);
}

static void multiply_by_blas(Emit *e, const Where *at) {
    const Product *p = at->p;
    LLVMValueRef a = offset_multiply(e, at->row_from.value, p->rows.at[0].a.value);
    LLVMValueRef b = offset_multiply(e, at->column_from.value, p->column.b.value);
    BlasBlock block = {.rows = size_sub(e, at->row_to, at->row_from).value,
                       .columns = size_sub(e, at->column_to, at->column_from).value,
                       .a = vector_at(e, p->memory, at->a, a),
                       .b = vector_at(e, p->memory, at->b, b),
                       .sums = at->sums,
                       .stride = at->sums_stride.value};
    blas_multiply(e, p, &block);
}

static void product_body(Emit *e, LLVMValueRef outer, void *user) {
    Where *at = user;
    const Product *p = at->p;
    at->product = outer;
    product_index(e, p, &p->outer, outer, at->index);
    at->a = vector_at(e, p->memory, p->a, product_offset(e, &p->outer, false, outer));
    at->b = vector_at(e, p->memory, p->b, product_offset(e, &p->outer, true, outer));
    if (!at->blocked) {
        depth_body(e, emit_i64(e, 0), at);
        return;
    }
    if (p->plan.blas)
        multiply_by_blas(e, at);
    else
        blocks_of_depth(e, at);
    epilogue_of_chunk(e, at);
}

/* --- memory */
static Size chunk_rows(Emit *e, const Product *p) {
    return p->plan.chunk_rows ? size_min(e, p->row_count, size_known(e, p->plan.chunk_rows)) : p->row_count;
}

/* Of a chunk, filled up to whole panels. */
static Size chunk_columns(Emit *e, const Product *p) {
    Size columns = p->column.extent;
    if (p->plan.chunk_columns) columns = size_min(e, columns, size_known(e, p->plan.chunk_columns));
    return size_round_up(e, columns, panel_width(p));
}

/* Columns and steps of k that are packed together. */
static Size columns_together(Emit *e, const Product *p) {
    Size columns = chunk_columns(e, p);
    return p->plan.column_block ? size_min(e, columns, size_known(e, p->plan.column_block)) : columns;
}

static Size depth_together(Emit *e, const Product *p) {
    if (!p->plan.depth_block) return p->depth;
    Size inner = size_known(e, p->plan.depth_block);
    for (uint32_t i = 1; i < p->k.count; i++) inner = size_mul(e, inner, p->k.at[i].extent);
    return inner;
}

static Size aligned(Emit *e, const Product *p, Size elements) {
    return size_round_up(e, elements, (int64_t)(64 / LLVMABISizeOfType(e->layout, p->element)));
}

/* Elements that packed panels of `width` columns, of so many columns in all, take. */
static Size panels_size(Emit *e, const Product *p, Size columns, Size depth, uint32_t width, uint32_t lanes) {
    Size stride = pack_stride(e, size_known(e, width), lanes, depth);
    return aligned(e, p, size_mul(e, size_div_up(e, columns, width), stride));
}

static Size packed_b_size(Emit *e, const Product *p) {
    Size columns = columns_together(e, p), depth = depth_together(e, p);
    uint32_t dots = p->plan.dot_lanes;
    if (dots) return panels_size(e, p, depth, columns, dots, dots);
    return panels_size(e, p, columns, depth, panel_width(p), p->plan.lanes);
}

static void take_memory(Emit *e, Where *at) {
    const Product *p = at->p;
    Size a = size_known(e, 0), b = a, sums = a,
         bytes = size_known(e, (int64_t)LLVMABISizeOfType(e->layout, p->element));
    if (p->plan.pack_a)
        a = panels_size(e, p, chunk_rows(e, p), depth_together(e, p), p->plan.lanes, p->plan.lanes);
    if (p->plan.pack_b) b = packed_b_size(e, p);
    if (at->blocked) {
        at->sums_stride = chunk_columns(e, p);
        Size rows = chunk_rows(e, p);
        /* The last tile of a number of rows that the run tells is a whole one. */
        if (!rows.known) rows = size_round_up(e, rows, p->plan.rows);
        sums = size_mul(e, rows, at->sums_stride);
    } else {
        LLVMTypeRef vector = emit_lanes(p->element, p->plan.lanes);
        at->sums_stride = tile_stride(e, p);
        uint64_t lines = p->plan.transposed ? panel_width(p) : p->plan.rows;
        uint64_t vectors = (uint64_t)at->sums_stride.constant / p->plan.lanes;
        at->sums = emit_alloca(e, LLVMArrayType2(vector, lines * vectors), "sums");
        if (p->plan.transposed)
            at->straight =
                emit_alloca(e, LLVMArrayType2(vector, vectors * p->plan.lanes * p->plan.vectors), "straight");
    }
    if (!p->plan.pack_a && !p->plan.pack_b && !at->blocked) return;
    Size packed = size_add(e, a, b);
    LLVMValueRef arguments[] = {e->rt, size_mul(e, size_add(e, packed, sums), bytes).value};
    LLVMValueRef scratch = emit_runtime_call(e, "nn_scratch", 2, arguments);
    if (p->plan.pack_a) at->packed_a = scratch;
    if (p->plan.pack_b) at->packed_b = vector_at(e, p->element, scratch, a.value);
    if (at->blocked) at->sums = vector_at(e, p->element, scratch, packed.value);
}

/* --- chunks */
static Size pieces(Emit *e, Size size, int64_t chunk) {
    return chunk ? size_div_up(e, size, chunk) : size_known(e, 1);
}

LLVMValueRef contract_chunks(Emit *e, const Contract *contract) {
    Product p;
    product_open(e, contract, &p);
    if (e->products && !e->cold) products_note(e->products, contract, &p.plan);
    if (p.slides) return slide_chunks(e, &p);
    Size count = pieces(e, p.outer_count, p.plan.chunk_outer);
    count = size_mul(e, count, pieces(e, p.row_count, p.plan.chunk_rows));
    return size_mul(e, count, pieces(e, p.column.extent, p.plan.chunk_columns)).value;
}

/* The part of `size` that piece number *chunk % pieces covers; *chunk becomes *chunk / pieces. */
static void take_piece(Emit *e, LLVMValueRef *chunk, Size size, int64_t length, Size *from, Size *to) {
    *from = size_known(e, 0), *to = size;
    if (!length) return;
    Size count = pieces(e, size, length), step = size_known(e, length);
    if (size_is(count, 1)) return;
    LLVMValueRef number = LLVMBuildURem(e->builder, *chunk, count.value, "");
    *chunk = LLVMBuildUDiv(e->builder, *chunk, count.value, "");
    *from = size_mul(e, size_run_time(number), step);
    *to = size_add(e, *from, step);
    bool even = size.known && size.constant % length == 0;
    if (!even) *to = size_min(e, *to, size);
}

void emit_contract(Emit *e, const Contract *contract, LLVMValueRef chunk) {
    Product p;
    product_open(e, contract, &p);
    if (p.slides) {
        emit_slide(e, &p, chunk);
        return;
    }
    Where at = {.p = &p};
    Size outer_from, outer_to;
    at.row_variants = variants_of_rows(e, &p);
    at.column_variants = column_variants(&p);
    const Size *depth = &p.k.at[0].extent;
    at.blocked = p.plan.depth_block && p.k.count && (!depth->known || depth->constant > p.plan.depth_block);
    if (!at.blocked) p.plan.depth_block = 0;
    if (p.plan.blas) at.blocked = true;
    at.direct = !at.blocked && direct_pays(&p, &at.row_variants, &at.column_variants);
    for (uint32_t i = 0; i < product_index_count(&p); i++) at.index[i] = emit_i64(e, 0);
    for (uint32_t i = 0; i < p.k.count; i++) at.k[i] = (TileAxis){p.k.at[i].extent, p.k.at[i].a, p.k.at[i].b};
    take_memory(e, &at);
    if (p.plan.outer_first) take_piece(e, &chunk, p.outer_count, p.plan.chunk_outer, &outer_from, &outer_to);
    if (p.plan.columns_first) take_piece(e, &chunk, p.row_count, p.plan.chunk_rows, &at.row_from, &at.row_to);
    take_piece(e, &chunk, p.column.extent, p.plan.chunk_columns, &at.column_from, &at.column_to);
    if (!p.plan.columns_first)
        take_piece(e, &chunk, p.row_count, p.plan.chunk_rows, &at.row_from, &at.row_to);
    if (!p.plan.outer_first) take_piece(e, &chunk, p.outer_count, p.plan.chunk_outer, &outer_from, &outer_to);
    emit_loop(e, outer_from.value, outer_to.value, 1, "product", product_body, &at);
}
