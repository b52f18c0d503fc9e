/* Products: the loops over chunks, blocks and tiles around the micro-kernel, and the calls of the epilogue.
 *
 * for each product of the chunk:
 *     for each block of k:
 *         pack the chunk's rows of A, if the schedule says so
 *         for each block of columns:
 *             pack the block of B, if the schedule says so
 *             for each tile of rows, for each panel of columns:
 *                 multiply in registers; leave the sums in a buffer
 *                 unless k is in blocks: the epilogue of the tile
 *     if k is in blocks: the epilogue of the chunk
 *
 * With k in one block the buffer is one tile on the stack; in several it is the rows and columns of the
 * chunk, in scratch memory. */
#include "codegen/contract_dot.h"
#include "codegen/contract_pack.h"
#include "codegen/contract_product.h"
#include "codegen/vector.h"
#include <assert.h>
#include <string.h>

/* Which tile computes what is left over: the first whose bound is not below what is left. */
typedef struct {
    uint32_t tile; /* rows, or vectors */
    int64_t bound; /* rows, or columns */
    bool exact;    /* never used for less than its bound; so nothing has to be masked or repeated */
} Variant;

enum { MAX_VARIANTS = 6 };

typedef struct {
    Variant at[MAX_VARIANTS]; /* by rising bound */
    uint32_t count;
} Variants;

/* What is known at a place inside the loops. */
typedef struct {
    const Product *p;
    Variants row_variants, column_variants;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    Size row_from, row_to, column_from, column_to;     /* of the chunk */
    LLVMValueRef a, b;                                 /* of this product, at k = 0 */
    LLVMValueRef packed_a, packed_b;                   /* scratch, or NULL */
    LLVMValueRef sums;                                 /* buffer of accumulators */
    Size sums_stride;                                  /* its elements a row */
    bool blocked;                                      /* is k in blocks? */
    TileAxis k[MAX_RANK];                              /* of this block of k */
    LLVMValueRef a_block, b_block;                     /* offsets of this block of k in A and B */
    Size block_column, block_end;                      /* this block of columns */
    LLVMValueRef row, row_count, column, column_count; /* this tile: its place, and how much of it exists */
    const Variant *row_variant, *column_variant;
    LLVMValueRef tile_a[CONTRACT_MAX_ROWS]; /* first element of each row of A in this block of k */
} Where;

static LLVMValueRef minimum(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return size_min(e, size_run_time(a), size_run_time(b)).value;
}

static uint32_t panel_width(const Product *p) { return p->plan.vectors * p->plan.lanes; }

/* --- the epilogue */
typedef struct {
    Where *place;
    LLVMValueRef sums;   /* first of the row */
    LLVMValueRef column; /* first column */
    uint32_t lanes;
} Row;

static void store_lanes(Emit *e, LLVMValueRef offset, void *user) {
    const Row *row = user;
    const Product *p = row->place->p;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    memcpy(index, row->place->index, sizeof index);
    LLVMValueRef value = vector_load(e, p->element, vector_at(e, p->element, row->sums, offset), row->lanes);
    product_column_index(e, p, offset_add(e, row->column, offset), index);
    p->contract->store(e, p->contract, index, value, row->lanes, product_lane_axis(p), p->contract->user);
}

/* Calls `body` where `condition` holds. */
static void emit_if(Emit *e, LLVMValueRef condition, LoopBody *body, LLVMValueRef argument, void *user) {
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder));
    LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(e->llvm, function, "then");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->llvm, function, "after");
    LLVMBuildCondBr(e->builder, condition, then, after);
    LLVMPositionBuilderAtEnd(e->builder, then);
    body(e, argument, user);
    LLVMBuildBr(e->builder, after);
    LLVMMoveBasicBlockAfter(after, LLVMGetInsertBlock(e->builder));
    LLVMPositionBuilderAtEnd(e->builder, after);
}

/* The last columns, fewer than a vector: by vectors of 8, 4, 2, 1 lanes. */
static void store_rest(Emit *e, Row *row, LLVMValueRef from, LLVMValueRef count) {
    const Product *p = row->place->p;
    Size columns = p->column.extent;
    for (uint32_t lanes = p->plan.lanes / 2; lanes > 0; lanes /= 2) {
        if (columns.known && !(columns.constant & lanes)) continue;
        LLVMValueRef bit = LLVMBuildAnd(e->builder, count, emit_i64(e, lanes), "");
        LLVMValueRef there = LLVMBuildICmp(e->builder, LLVMIntNE, bit, emit_i64(e, 0), "");
        row->lanes = lanes;
        emit_if(e, there, store_lanes, from, row);
        from = offset_add(e, from, bit);
    }
}

typedef struct {
    Where *place;
    LLVMValueRef row, column, column_count, sums;
    Size stride;
} Epilogue;

static void epilogue_row(Emit *e, LLVMValueRef r, void *user) {
    const Epilogue *epilogue = user;
    const Product *p = epilogue->place->p;
    uint32_t lanes = p->plan.lanes;
    product_index(e, p, &p->rows, offset_add(e, epilogue->row, r), epilogue->place->index);
    Row row = {.place = epilogue->place,
               .sums =
                   vector_at(e, p->element, epilogue->sums, offset_multiply(e, r, epilogue->stride.value)),
               .column = epilogue->column,
               .lanes = lanes};
    Size columns = p->column.extent;
    Size count = size_run_time(epilogue->column_count);
    Size whole = size_mul(e, size_div(e, count, lanes), size_known(e, lanes));
    emit_loop(e, emit_i64(e, 0), whole.value, lanes, "store", store_lanes, &row);
    if (!columns.known || columns.constant % lanes) store_rest(e, &row, whole.value, count.value);
}

static void emit_epilogue(Emit *e, Epilogue *epilogue, LLVMValueRef row_count) {
    emit_loop(e, emit_i64(e, 0), row_count, 1, "row", epilogue_row, epilogue);
}

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
        Size stride = pack_stride(e, panel_width(p), p->plan.lanes, block_depth(e, at));
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

static LLVMValueRef add_sums(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    bool integer = LLVMGetTypeKind(vector_element(LLVMTypeOf(a))) == LLVMIntegerTypeKind;
    return integer ? LLVMBuildAdd(e->builder, a, b, "") : LLVMBuildFAdd(e->builder, a, b, "");
}

/* Multiplies with the tile of the place's variants. Rows that only repeat the last one are computed, not
 * stored. */
static void multiply_tile(Emit *e, void *user) {
    const Where *at = user;
    const Product *p = at->p;
    uint32_t lanes = p->plan.lanes;
    Tile tile = {.rows = at->row_variant->tile,
                 .vectors = at->column_variant->tile,
                 .lanes = lanes,
                 .element = p->element,
                 .a_memory = a_type(at),
                 .b_memory = b_type(at),
                 .b = tile_b(e, at),
                 .k_count = p->k.count};
    memcpy(tile.k, at->k, sizeof tile.k);
    memcpy(tile.a, at->tile_a, sizeof tile.a);
    packed_strides(e, at, &tile);
    set_masks(e, at, &tile);
    for (uint32_t i = 0; i < tile.rows * tile.vectors; i++)
        tile.sum[i] = LLVMConstNull(emit_lanes(p->element, lanes));
    tile_multiply(e, &tile);
    for (uint32_t i = 0; i < tile.rows * tile.vectors; i++) {
        LLVMValueRef place = sum_pointer(e, at, i / tile.vectors, i % tile.vectors), sum = tile.sum[i];
        /* Each block is summed by itself, which keeps the rounding errors of many steps of k small. */
        if (at->blocked) sum = add_sums(e, sum, vector_load(e, p->element, place, lanes));
        vector_store(e, sum, place);
    }
}

/* The same by dot products. Columns beyond the last repeat it. */
static void dot_tile(Emit *e, void *user) {
    const Where *at = user;
    const Product *p = at->p;
    Dot dot = {.rows = at->row_variant->tile,
               .columns = p->plan.lanes,
               .lanes = p->plan.dot_lanes,
               .memory = p->memory,
               .element = p->element,
               .depth = p->depth};
    bool exact = at->column_variant->exact;
    if (exact) dot.columns = (uint32_t)at->column_variant->bound;
    LLVMValueRef last = offset_sub(e, at->column_count, emit_i64(e, 1));
    for (uint32_t r = 0; r < dot.rows; r++) dot.a[r] = at->tile_a[r];
    for (uint32_t c = 0; c < dot.columns; c++) {
        LLVMValueRef number = emit_i64(e, c);
        LLVMValueRef column = offset_add(e, at->column, exact ? number : minimum(e, number, last));
        dot.b[c] = vector_at(e, p->memory, at->b, offset_multiply(e, column, p->column.b.value));
    }
    dot_multiply(e, &dot);
    for (uint32_t i = 0; i < dot.rows * dot.columns; i++) {
        LLVMValueRef row = sum_pointer(e, at, i / dot.columns, 0);
        vector_store(e, dot.sum[i], vector_at(e, p->element, row, emit_i64(e, i % dot.columns)));
    }
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

static void add_variant(Variants *variants, uint32_t tile, int64_t bound, bool exact) {
    uint32_t at = variants->count;
    for (uint32_t i = 0; i < variants->count; i++)
        if (variants->at[i].bound == bound && variants->at[i].exact) return;
    for (; at > 0 && variants->at[at - 1].bound > bound; at--) variants->at[at] = variants->at[at - 1];
    assert(variants->count < MAX_VARIANTS);
    variants->at[at] = (Variant){tile, bound, exact};
    variants->count++;
}

/* What tiles of `tile` units leave over of `size` units: exactly that where it is known. `unit` is rows (1)
 * or lanes. */
static void add_exact(Variants *variants, int64_t size, uint32_t tile, uint32_t unit) {
    int64_t width = (int64_t)tile * unit;
    if (size >= width) add_variant(variants, tile, width, true);
    if (size % width) add_variant(variants, (uint32_t)((size % width + unit - 1) / unit), size % width, true);
}

/* Of a size that is known: the tile and what can be left over of the last chunk and of the others. Of a
 * run-time size: the tile, half of it, one unit; with `masked`, what is left over needs code of its own even
 * where it takes a whole tile. */
static Variants variants_of(Size size, int64_t chunk, uint32_t tile, uint32_t unit, bool masked) {
    Variants variants = {.count = 0};
    int64_t width = (int64_t)tile * unit;
    if (size.known) {
        if (chunk && size.constant >= chunk) add_exact(&variants, chunk, tile, unit);
        add_exact(&variants, chunk ? size.constant % chunk : size.constant, tile, unit);
        return variants;
    }
    if (masked) add_variant(&variants, tile, width, true);
    if (masked && width > 1) add_variant(&variants, tile, width - 1, false);
    if (!masked) add_variant(&variants, tile, width, false);
    if (tile > 1) add_variant(&variants, 1, unit, false);
    if (tile > 3) add_variant(&variants, tile / 2, (int64_t)(tile / 2) * unit, false);
    return variants;
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
    Size stride = pack_stride(e, p->plan.lanes, p->plan.lanes, block_depth(e, at));
    return vector_at(e, p->element, at->packed_a,
                     offset_add(e, offset_multiply(e, strip, stride.value), lane));
}

/* First element of row r of the tile, at this block of k. Rows beyond the last repeat it. */
static LLVMValueRef row_pointer(Emit *e, const Where *at, uint32_t r) {
    const Product *p = at->p;
    LLVMValueRef number = emit_i64(e, r), last = offset_sub(e, at->row_count, emit_i64(e, 1));
    LLVMValueRef row = offset_add(e, at->row, at->row_variant->exact ? number : minimum(e, number, last));
    if (at->packed_a) return packed_row(e, at, row);
    return vector_at(e, p->memory, at->a,
                     offset_add(e, product_offset(e, &p->rows, false, row), at->a_block));
}

static void load_rows(Emit *e, Where *at) {
    for (uint32_t r = 0; r < at->row_variant->tile; r++) at->tile_a[r] = row_pointer(e, at, r);
}

static void panel_body(Emit *e, LLVMValueRef column, void *user) {
    Where *at = user;
    const Product *p = at->p;
    at->column = column;
    at->column_count = minimum(e, offset_sub(e, at->block_end.value, column), emit_i64(e, panel_width(p)));
    tile_columns(e, at);
    if (at->blocked) return;
    vector_release(e);
    Epilogue epilogue = {.place = at,
                         .row = at->row,
                         .column = column,
                         .column_count = at->column_count,
                         .sums = at->sums,
                         .stride = at->sums_stride};
    emit_epilogue(e, &epilogue, at->row_count);
}

static void tile_row(Emit *e, void *user) {
    Where *at = user;
    load_rows(e, at);
    emit_loop(e, at->block_column.value, at->block_end.value, panel_width(at->p), "panel", panel_body, at);
}

static void row_body(Emit *e, LLVMValueRef row, void *user) {
    Where *at = user;
    at->row = row;
    at->row_count = minimum(e, offset_sub(e, at->row_to.value, row), emit_i64(e, at->p->plan.rows));
    each_variant(e, &at->row_variants, at->row_count, &at->row_variant, tile_row, at);
}

/* --- blocks */
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
                 .width = p->plan.lanes};
    for (uint32_t i = 0; i < p->k.count; i++) pack.k[i] = (PackAxis){at->k[i].extent, at->k[i].a};
    pack_panels(e, &pack);
}

static void pack_block(Emit *e, Where *at) {
    const Product *p = at->p;
    LLVMValueRef first =
        offset_add(e, offset_multiply(e, at->block_column.value, p->column.b.value), at->b_block);
    Pack pack = {.memory = p->memory,
                 .element = p->element,
                 .source = vector_at(e, p->memory, at->b, first),
                 .target = at->packed_b,
                 .columns = size_sub(e, at->block_end, at->block_column),
                 .column_stride = p->column.b,
                 .k_count = p->k.count,
                 .lanes = p->plan.lanes,
                 .width = panel_width(p)};
    for (uint32_t i = 0; i < p->k.count; i++) pack.k[i] = (PackAxis){at->k[i].extent, at->k[i].b};
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
    emit_loop(e, at->row_from.value, at->row_to.value, at->p->plan.rows, "rows", row_body, at);
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

static void blocks_of_depth(Emit *e, Where *at) {
    int64_t size = at->p->k.at[0].extent.constant, block = at->p->plan.depth_block;
    clear_sums(e, at);
    at->k[0].extent = size_known(e, block);
    emit_loop(e, emit_i64(e, 0), emit_i64(e, size / block * block), block, "depth", depth_body, at);
    if (size % block == 0) return;
    at->k[0].extent = size_known(e, size % block);
    depth_body(e, emit_i64(e, size / block * block), at);
}

/* All sums of the chunk's rows and columns are in the buffer. */
static void epilogue_of_chunk(Emit *e, Where *at) {
    Epilogue epilogue = {.place = at,
                         .row = at->row_from.value,
                         .column = at->column_from.value,
                         .column_count = size_sub(e, at->column_to, at->column_from).value,
                         .sums = at->sums,
                         .stride = at->sums_stride};
    emit_epilogue(e, &epilogue, size_sub(e, at->row_to, at->row_from).value);
}

static void product_body(Emit *e, LLVMValueRef outer, void *user) {
    Where *at = user;
    const Product *p = at->p;
    product_index(e, p, &p->outer, outer, at->index);
    at->a = vector_at(e, p->memory, p->a, product_offset(e, &p->outer, false, outer));
    at->b = vector_at(e, p->memory, p->b, product_offset(e, &p->outer, true, outer));
    if (!at->blocked) {
        depth_body(e, emit_i64(e, 0), at);
        return;
    }
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

/* Elements that the packed panels of so many columns take. */
static Size panels_size(Emit *e, const Product *p, Size columns, uint32_t width) {
    Size stride = pack_stride(e, width, p->plan.lanes, depth_together(e, p));
    return aligned(e, p, size_mul(e, size_div_up(e, columns, width), stride));
}

static void take_memory(Emit *e, Where *at) {
    const Product *p = at->p;
    Size a = size_known(e, 0), b = a, sums = a,
         bytes = size_known(e, (int64_t)LLVMABISizeOfType(e->layout, p->element));
    if (p->plan.pack_a) a = panels_size(e, p, chunk_rows(e, p), p->plan.lanes);
    if (p->plan.pack_b) b = panels_size(e, p, columns_together(e, p), panel_width(p));
    if (at->blocked) {
        at->sums_stride = chunk_columns(e, p);
        sums = size_mul(e, chunk_rows(e, p), at->sums_stride);
    } else {
        LLVMTypeRef vector = emit_lanes(p->element, p->plan.lanes);
        at->sums_stride = size_known(e, panel_width(p));
        at->sums = emit_alloca(e, LLVMArrayType2(vector, (uint64_t)p->plan.rows * p->plan.vectors), "sums");
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
    Where at = {.p = &p};
    Size outer_from, outer_to;
    at.row_variants = variants_of(p.row_count, p.plan.chunk_rows, p.plan.rows, 1, false);
    at.column_variants =
        variants_of(p.column.extent, p.plan.chunk_columns, p.plan.vectors, p.plan.lanes, !p.plan.pack_b);
    at.blocked = p.plan.depth_block && p.k.count && p.k.at[0].extent.constant > p.plan.depth_block;
    if (!at.blocked) p.plan.depth_block = 0;
    for (uint32_t i = 0; i < product_index_count(&p); i++) at.index[i] = emit_i64(e, 0);
    for (uint32_t i = 0; i < p.k.count; i++) at.k[i] = (TileAxis){p.k.at[i].extent, p.k.at[i].a, p.k.at[i].b};
    take_memory(e, &at);
    take_piece(e, &chunk, p.column.extent, p.plan.chunk_columns, &at.column_from, &at.column_to);
    take_piece(e, &chunk, p.row_count, p.plan.chunk_rows, &at.row_from, &at.row_to);
    take_piece(e, &chunk, p.outer_count, p.plan.chunk_outer, &outer_from, &outer_to);
    emit_loop(e, outer_from.value, outer_to.value, 1, "product", product_body, &at);
}
