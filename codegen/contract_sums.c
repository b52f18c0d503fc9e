/* The sums of one tile, in registers: by the micro-kernel or by dot products. */
#include "codegen/contract_cost.h"
#include "codegen/contract_direct.h"
#include "codegen/contract_dot.h"
#include "codegen/contract_pack.h"
#include "codegen/contract_place.h"
#include "codegen/contract_slide.h"
#include "codegen/contract_tile.h"
#include "codegen/transpose_tile.h"
#include "codegen/vector.h"
#include <string.h>

/* --- one tile */
static LLVMTypeRef a_type(const Where *at) { return at->packed_a ? at->p->element : at->p->a_memory; }
static LLVMTypeRef b_type(const Where *at) { return at->packed_b ? at->p->element : at->p->b_memory; }

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

Size block_depth(Emit *e, const Where *at) {
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
    return vector_at(e, p->b_memory, at->b, place);
}

/* Half a vector where no more of the last one is there and that takes less time. */
static uint32_t last_lanes(const Emit *e, const Where *at) {
    const Variant *variant = at->column_variant;
    uint32_t lanes = at->p->plan.lanes;
    uint32_t half = e->target.pipe_bytes / (uint32_t)LLVMABISizeOfType(e->layout, at->p->element);
    int64_t last = variant->bound - (int64_t)(variant->tile - 1) * lanes;
    return variant->exact && half < lanes && last <= half ? half : lanes;
}

static void set_masks(Emit *e, const Where *at, Tile *tile) {
    const Variant *variant = at->column_variant;
    for (uint32_t v = 0; v < tile->vectors; v++) {
        int64_t begin = (int64_t)v * tile->lanes;
        uint32_t lanes = v + 1 == tile->vectors ? tile->last_lanes : tile->lanes;
        if (at->packed_b || lanes == 1 || (variant->exact && variant->bound >= begin + lanes)) continue;
        LLVMValueRef left = variant->exact ? emit_i64(e, variant->bound) : at->column_count;
        tile->mask[v] = vector_first_lanes(e, offset_sub(e, left, emit_i64(e, begin)), lanes);
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
    for (uint32_t i = 0; i < tile->k_count; i++)
        if (at->p->k.at[i].first == edge_of_rows(at->p)->k_axis) tile->skips = i + 1;
    memcpy(tile->skip, at->edge_tiles->skip, sizeof tile->skip);
}

/* Only the steps of k at which both factors can be other than 0. If there are none, all: a row of NaN, of
 * which a softmax sees nothing, makes NaN. */
static void set_terms(Emit *e, const Where *at, Tile *tile) {
    const Product *p = at->p;
    LLVMValueRef first[PRODUCT_MAX_AXES], last[PRODUCT_MAX_AXES], from, end, zero = emit_i64(e, 0),
                                                                             one = emit_i64(e, 1);
    if (!p->contract->terms || p->k.count != 1 || !tile_box(e, at, first, last)) return;
    p->contract->terms(e, p->contract, first, last, &from, &end, p->contract->user);
    if (!from && !end) return;
    TileAxis *k = &tile->k[0];
    Size depth = p->k.at[0].extent;
    if (p->pairs && from) from = LLVMBuildAShr(e->builder, from, one, "");
    if (p->pairs && end) end = LLVMBuildAShr(e->builder, offset_add(e, end, one), one, "");
    from = place_maximum(e, from ? from : zero, zero);
    end = place_minimum(e, end ? end : depth.value, depth.value);
    LLVMValueRef some = LLVMBuildICmp(e->builder, LLVMIntSLT, from, end, "");
    from = LLVMBuildSelect(e->builder, some, from, zero, "");
    end = LLVMBuildSelect(e->builder, some, end, depth.value, "");
    /* Of this block. */
    from = place_maximum(e, offset_sub(e, from, at->depth_from), zero);
    end = place_minimum(e, offset_sub(e, end, at->depth_from), k->extent.value);
    for (uint32_t r = 0; r < tile->rows; r++)
        tile->a[r] = vector_at(e, tile->a_memory, tile->a[r], offset_multiply(e, from, k->a.value));
    LLVMValueRef ahead = offset_multiply(e, from, k->b.value);
    tile->b = vector_at(e, tile->b_memory, tile->b, ahead);
    move_ahead(e, tile, ahead);
    k->extent = size_run_time(offset_sub(e, end, from));
}

/* Elements that each row of the tile keeps for the row before it, which reads them steps of the innermost
 * axis of k later, as windows do. */
static int64_t kept_by_rows(const Product *p) {
    if (p->k.count == 0) return 0;
    const ProductAxis *k = &p->k.at[p->k.count - 1];
    for (uint32_t i = 0; i < p->rows.count; i++) {
        Size step = k->a, row = p->rows.at[i].a;
        if (!step.known || !row.known || step.constant == 0 || row.constant % step.constant) continue;
        int64_t later = row.constant / step.constant;
        if (later <= 0) continue;
        if (!k->extent.known) return later;
        if (later < k->extent.constant) return min64(later, k->extent.constant - later);
    }
    return 0;
}

/* Are there too few registers for what rows share, beside their sums? Of 32 where steps are written out. */
static bool rows_go_apart(const Emit *e, const Where *at) {
    const Product *p = at->p;
    int64_t kept = at->packed_a ? 0 : kept_by_rows(p), registers = e->target.vector_registers;
    if (kept == 0 || registers < 32) return kept > 0;
    int64_t taken = (p->plan.rows + 1) * p->plan.vectors + kept * (p->plan.rows - 1);
    return p->k.at[p->k.count - 1].extent.known && taken > registers;
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
void multiply_tile(Emit *e, void *user) {
    Where *at = user;
    const Product *p = at->p;
    uint32_t lanes = p->plan.lanes;
    Tile tile = {.rows = at->row_variant->tile,
                 .vectors = at->column_variant->tile,
                 .lanes = lanes,
                 .last_lanes = last_lanes(e, at),
                 .element = p->element,
                 .a_memory = a_type(at),
                 .b_memory = b_type(at),
                 .b = tile_b(e, at),
                 .ahead_depth = p->plan.ahead_depth,
                 .ahead_b = p->plan.ahead_b,
                 .pairs = p->pairs,
                 .apart = rows_go_apart(e, at),
                 .k_count = p->k.count};
    memcpy(tile.k, at->k, sizeof tile.k);
    memcpy(tile.a, at->tile_a, sizeof tile.a);
    if (p->plan.ahead_a) tile.ahead_a = true, tile.a_stride = p->rows.at[0].a.value;
    packed_strides(e, at, &tile);
    set_ahead_panel(e, at, &tile);
    set_steps(e, at, &tile);
    set_terms(e, at, &tile);
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
    return vector_at(e, p->b_memory, at->b,
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
               .pairs = p->pairs,
               .k_count = p->k.count,
               .b_step = dot_b_step(e, at),
               .ahead_a = size_known(e, 0),
               .ahead_b = size_known(e, 0)};
    if (p->plan.ahead_a) dot.ahead_a = size_mul(e, size_known(e, dot.rows), p->rows.at[0].a);
    if (p->plan.ahead_b)
        dot.ahead_b = size_mul(e, size_known(e, (int64_t)columns * p->plan.ahead_b), p->column.b);
    LLVMValueRef last = offset_sub(e, at->column_count, emit_i64(e, 1));
    memcpy(dot.k, at->k, sizeof dot.k);
    for (uint32_t r = 0; r < dot.rows; r++) dot.a[r] = at->tile_a[r];
    for (uint32_t c = 0; c < columns; c++) {
        LLVMValueRef number = offset_add(e, from, emit_i64(e, c));
        dot.b[c] =
            dot_b(e, at, offset_add(e, at->column, d->exact ? number : place_minimum(e, number, last)));
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

void dot_tile(Emit *e, void *user) {
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
