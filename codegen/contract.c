/* Products: the loops over chunks, blocks and tiles around the micro-kernel, and the calls of the epilogue.
 *
 * for each product of the chunk:
 *     for each block of k:
 *         pack the chunk's rows of A, if the schedule says so
 *         for each block of columns:
 *             pack the block of B, if the schedule says so
 *             for each tile of rows, for each panel of columns:
 *                 multiply in registers; leave the sums in a buffer
 *                 unless k is in blocks: the epilogue of the tile (of a k that is not long, without a buffer)
 *     if k is in blocks: the epilogue of the chunk
 *
 * With k in one block the buffer is one tile on the stack; in several it is the rows and columns of the
 * chunk, in scratch memory. Where OpenBLAS multiplies, one call of it fills that buffer. */
#include "codegen/contract_blas.h"
#include "codegen/contract_direct.h"
#include "codegen/contract_dot.h"
#include "codegen/contract_epilogue.h"
#include "codegen/contract_pack.h"
#include "codegen/contract_place.h"
#include "codegen/contract_slide.h"
#include "codegen/contract_slide_sum.h"
#include "codegen/products.h"
#include "codegen/transpose_tile.h"
#include "codegen/vector.h"
#include <string.h>
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
    Pack pack = {.memory = p->a_memory,
                 .element = p->element,
                 .apart = p->a_apart,
                 .source = vector_at(e, p->a_memory, at->a, first),
                 .target = at->packed_a,
                 .columns = size_sub(e, at->row_to, at->row_from),
                 .column_stride = stride,
                 .k_count = p->k.count,
                 .lanes = p->plan.lanes,
                 .width = size_known(e, p->plan.lanes),
                 .written_out = is_used_little(p, p->column.extent, p->plan.chunk_columns)};
    for (uint32_t i = 0; i < p->k.count; i++)
        pack.k[i] = (PackAxis){.extent = at->k[i].extent, .stride = at->k[i].a};
    pack_panels(e, &pack);
}

static void pack_block(Emit *e, Where *at) {
    const Product *p = at->p;
    LLVMValueRef first =
        offset_add(e, offset_multiply(e, at->block_column.value, p->column.b.value), at->b_block);
    Size columns = size_sub(e, at->block_end, at->block_column);
    Pack pack = {.memory = p->b_memory,
                 .element = p->element,
                 .apart = p->b_apart,
                 .source = vector_at(e, p->b_memory, at->b, first),
                 .target = at->packed_b,
                 .columns = columns,
                 .column_stride = p->column.b,
                 .k_count = p->k.count,
                 .lanes = p->plan.lanes,
                 .width = size_known(e, panel_width(p)),
                 .written_out = is_used_little(p, p->row_count, p->plan.chunk_rows)};
    for (uint32_t i = 0; i < p->k.count; i++)
        pack.k[i] = (PackAxis){.extent = at->k[i].extent, .stride = at->k[i].b};
    if (p->plan.dot_lanes) { /* k, one axis, and the columns change their parts */
        pack.columns = at->k[0].extent, pack.column_stride = at->k[0].b;
        pack.k[0] = (PackAxis){.extent = columns, .stride = p->column.b};
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
    emit_tiles(e, at);
}

/* One block of k, from `from` steps of the outermost k axis on. */
static void depth_body(Emit *e, LLVMValueRef from, void *user) {
    Where *at = user;
    const ProductAxes *k = &at->p->k;
    int64_t block = at->p->plan.column_block;
    at->depth_from = from;
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

/* All sums of the chunk's rows and columns are in the buffer, those of all runs of rows. */
static void epilogue_of_chunk(Emit *e, Where *at) {
    const Product *p = at->p;
    Product whole = *p;
    whole.plan.row_run = 0;
    Epilogue epilogue = {.p = &whole,
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
                       .a = vector_at(e, p->a_memory, at->a, a),
                       .b = vector_at(e, p->b_memory, at->b, b),
                       .sums = at->sums,
                       .stride = at->sums_stride.value};
    blas_multiply(e, p, &block);
}

static void product_body(Emit *e, LLVMValueRef outer, void *user) {
    Where *at = user;
    const Product *p = at->p;
    at->product = outer;
    product_index(e, p, &p->outer, outer, at->index);
    at->a = vector_at(e, p->a_memory, p->a, product_offset(e, &p->outer, false, outer));
    at->b = vector_at(e, p->b_memory, p->b, product_offset(e, &p->outer, true, outer));
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
    if (p.form == PRODUCT_SLIDES) return slide_chunks(e, &p);
    if (p.form == PRODUCT_SLIDE_SUM) return slide_sum_chunks(e, &p);
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
    if (p.form != PRODUCT_TILES) {
        (p.form == PRODUCT_SLIDES ? emit_slide : emit_slide_sum)(e, &p, chunk);
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
    at.direct = !at.blocked && direct_pays(e, &p, &at.row_variants, &at.column_variants);
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
