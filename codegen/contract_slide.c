/* Products without rows, by tiles of a few rows of the result and one vector of columns. A tile loads each
 * vector of B once and adds it, times its factors, to all rows whose windows it lies in; results go from
 * registers to the epilogue.
 *
 * for each unit of the chunk, some rows of one picture:
 *     load the factors
 *     for each tile of rows, for each vector of columns: multiply, store
 *     what is left over of the columns is masked, and where masks are dear goes to the epilogue through a
 * buffer */
#include "codegen/contract_slide.h"
#include "codegen/contract_columns.h"
#include "codegen/contract_edge.h"
#include "codegen/contract_epilogue.h"
#include "codegen/contract_tile.h"
#include "codegen/transpose.h"
#include "codegen/vector.h"
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TILE_ROWS = 8,            /* their sums, the factors and what is loaded ahead are in registers */
    MAX_SUMS = 2 * MAX_TILE_ROWS, /* of two sets */
    UNKNOWN_ROWS = 4,             /* of a tile where the run tells how many there are */
    UNIT_WORK = 50000,            /* multiply-adds: less is not worth a thread's while */
    ASSUMED_COLUMNS = 64,         /* where the run tells how many there are */
    DEAR_EPILOGUE = 12            /* operations: so many instructions come no faster for being narrow */
};

/* --- the plan: a pure function of sizes */
typedef struct {
    Product p;           /* its plan says how many lanes a vector has */
    ProductAxes outer;   /* pictures */
    uint32_t tile_rows;  /* of a whole tile; what these leave over is done row by row */
    Size unit_rows;      /* of a picture, that a unit covers */
    Size units, pieces;  /* in all; of a picture */
    int64_t chunk_units; /* units that a chunk takes */
    uint32_t depth;
    LLVMValueRef a, b;                        /* of this picture */
    LLVMValueRef factor[PRODUCT_SLIDE_DEPTH]; /* splat; NULL: loaded where it is used */
    bool by_columns; /* of the window, one after the other: all factors don't fit the registers */
    LLVMValueRef a_offset[PRODUCT_SLIDE_DEPTH], b_offset[PRODUCT_SLIDE_DEPTH];
    LLVMValueRef index[PRODUCT_MAX_AXES], row, row_end, sums;
    uint32_t rows; /* of this tile */
    /* Where there are zeros around B: which steps of k are which of the edges', */
    const ContractEdge *line_edge, *column_edge; /* or NULL */
    uint32_t line_step[PRODUCT_SLIDE_DEPTH], column_step[PRODUCT_SLIDE_DEPTH];
    const EdgeTiles *line_tiles, *column_tiles; /* what this tile lacks, NULL = nothing */
    LLVMValueRef sum_mask[EDGE_MAX_STEPS];      /* by step of the columns' edge; NULL = all lanes */
} Slide;

/* As many rows as leave the fewest over, of these the most. */
static uint32_t choose_rows(const Emit *e, Size rows) {
    int64_t most = e->target.vector_registers < 32 ? MAX_TILE_ROWS / 2 : MAX_TILE_ROWS, best = 1;
    if (!rows.known) return UNKNOWN_ROWS;
    if (rows.constant < most) most = rows.constant > 0 ? rows.constant : 1;
    int64_t least = most / 2 + 1;
    for (int64_t r = least; r <= most; r++)
        if (best < least || rows.constant % r <= rows.constant % best) best = r;
    return (uint32_t)best;
}

static void open_plan(Emit *e, const Product *p, Slide *s) {
    *s = (Slide){.p = *p, .outer = p->outer, .depth = (uint32_t)p->depth.constant};
    Size rows = product_slide_axis(p)->extent, columns = p->column.extent;
    s->outer.count--;
    bool halves = p->contract->operations <= DEAR_EPILOGUE;
    s->p.plan = (ContractSchedule){.lanes = columns_lanes(e, p, columns, halves), .rows = 1, .vectors = 1};
    s->tile_rows = choose_rows(e, rows);
    if (p->contract->edge_count) {
        s->line_edge = edge_at(p, product_slide_axis(p)->first);
        s->column_edge = edge_at(p, p->column.first);
    }
    int64_t row_work = (columns.known ? columns.constant : ASSUMED_COLUMNS) * (s->depth ? s->depth : 1);
    int64_t unit = (UNIT_WORK / (row_work ? row_work : 1) / s->tile_rows + 1) * s->tile_rows;
    /* Twice as many are still one piece: half a picture is not worth its own. */
    bool whole = rows.known && rows.constant <= 2 * unit;
    s->unit_rows = whole ? rows : size_known(e, unit);
    s->pieces = whole ? size_known(e, 1) : size_div_up(e, rows, unit);
    Size pictures = size_known(e, 1);
    for (uint32_t i = 0; i < s->outer.count; i++) pictures = size_mul(e, pictures, s->outer.at[i].extent);
    s->units = size_mul(e, pictures, s->pieces);
    int64_t work = row_work * (whole ? rows.constant : unit);
    s->chunk_units = UNIT_WORK / (work ? work : 1) + 1;
}

LLVMValueRef slide_chunks(Emit *e, const Product *p) {
    Slide s;
    open_plan(e, p, &s);
    return size_div_up(e, s.units, s.chunk_units).value;
}

/* --- one tile */
/* Lanes of the vector that exist in step k of a tile at an edge: a bit each. */
static uint32_t lanes_of(const Slide *s, uint32_t k) {
    const EdgeTiles *tiles = s->column_tiles;
    uint32_t all = s->p.plan.lanes < 32 ? (1u << s->p.plan.lanes) - 1 : UINT32_MAX;
    if (!tiles) return all;
    uint32_t there = tiles->rows < 32 ? all & ((1u << tiles->rows) - 1) : all;
    return s->column_edge ? there & ~tiles->skip[s->column_step[k]] : there;
}

/* A bit a lane; NULL: all. */
static LLVMValueRef constant_mask(Emit *e, uint32_t bits, uint32_t lanes) {
    LLVMTypeRef i1 = LLVMInt1TypeInContext(e->llvm);
    LLVMValueRef lane[VECTOR_MAX_LANES];
    bool all = true;
    for (uint32_t l = 0; l < lanes; l++) {
        lane[l] = LLVMConstInt(i1, bits >> l & 1, false);
        all = all && (bits >> l & 1);
    }
    return all ? NULL : LLVMConstVector(lane, lanes);
}

static LLVMValueRef mask_of(Emit *e, const Slide *s, uint32_t k, LLVMValueRef left) {
    uint32_t lanes = s->p.plan.lanes;
    if (!s->column_tiles) return left ? vector_first_lanes(e, left, lanes) : NULL;
    return constant_mask(e, lanes_of(s, k), lanes);
}

/* The lanes to whose sums each step of the columns' edge adds: those there are, and those beyond, which
 * nobody stores. LLVM mustn't see what they are: of constants it makes instructions of their own. */
static void open_sum_masks(Emit *e, Slide *s) {
    const Product *p = &s->p;
    uint32_t lanes = p->plan.lanes, lacking[EDGE_MAX_STEPS] = {0};
    for (uint32_t step = 0; step < EDGE_MAX_STEPS; step++) {
        s->sum_mask[step] = NULL;
        if (!vector_masks(&e->target)) continue;
        for (uint32_t l = 0; l < s->column_tiles->rows; l++) {
            int64_t lane = columns_by_halves(p) ? vector_halves_lane(l, lanes, dtype_bytes(p->dtype)) : l;
            lacking[step] |= (s->column_tiles->skip[step] >> l & 1) << lane;
        }
        for (uint32_t i = 0; i < step && !s->sum_mask[step]; i++)
            if (lacking[i] == lacking[step]) s->sum_mask[step] = s->sum_mask[i];
        if (lacking[step] && !s->sum_mask[step])
            s->sum_mask[step] = vector_opaque_mask(e, constant_mask(e, ~lacking[step], lanes));
    }
}

static bool lacks(const Slide *s, uint32_t row, uint32_t k) {
    if (s->line_tiles && s->line_edge && s->line_tiles->skip[s->line_step[k]] >> row & 1) return true;
    return lanes_of(s, k) == 0;
}

/* A multiply-add of the tile: row r, step k, at so many elements of B behind the tile's first, where that is
 * known. */
typedef struct {
    uint32_t row, k, turn; /* columns of the window take turns where not all factors fit the registers */
    bool known;
    int64_t offset;
} Term;

static int by_offset(const void *a, const void *b) {
    const Term *x = a, *y = b;
    if (x->turn != y->turn) return x->turn < y->turn ? -1 : 1;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x->k != y->k ? (x->k < y->k ? -1 : 1) : (x->row > y->row) - (x->row < y->row);
}

/* Of the window, line by line of which k goes; at least one. */
static uint32_t window_columns(const Slide *s) {
    int64_t columns = s->p.k.count ? s->p.k.at[s->p.k.count - 1].extent.constant : 1;
    return columns > 0 ? (uint32_t)columns : 1;
}

/* Those that share vectors of B go together: of an odd number of columns the first is alone, as in
 * begins_pair. */
static uint32_t turn_of(const Slide *s, uint32_t k) {
    uint32_t columns = window_columns(s), column = k % columns;
    if (!s->by_columns) return 0;
    return columns_by_halves(&s->p) ? (column + columns % 2) / 2 : column;
}

/* In the order of memory where all places are known, so that a vector is loaded once; where factors don't all
 * fit the registers, column by column of the window, and in that order for each. So is each row's sum,
 * whichever tile the row is in. */
static uint32_t list_terms(const Slide *s, Term *terms) {
    Size stride = product_slide_axis(&s->p)->b;
    uint32_t count = 0;
    bool known = stride.known;
    for (uint32_t k = 0; k < s->depth; k++) known = known && LLVMIsAConstantInt(s->b_offset[k]);
    for (uint32_t k = 0; k < s->depth; k++)
        for (uint32_t r = 0; r < s->rows; r++) {
            if (lacks(s, r, k)) continue;
            int64_t offset = known ? LLVMConstIntGetSExtValue(s->b_offset[k]) + r * stride.constant : 0;
            terms[count++] = (Term){r, k, turn_of(s, k), known, offset};
        }
    if (known) qsort(terms, count, sizeof *terms, by_offset);
    return count;
}

static LLVMValueRef factor(Emit *e, const Slide *s, uint32_t k) {
    if (s->factor[k]) return s->factor[k];
    LLVMValueRef at = vector_at(e, s->p.a_memory, s->a, s->a_offset[k]);
    return vector_splat(e, tile_load(e, s->p.a_memory, s->p.element, at, 1), s->p.plan.lanes);
}

static LLVMValueRef term_pointer(Emit *e, const Slide *s, const Term *term, LLVMValueRef first) {
    LLVMValueRef offset = emit_i64(e, term->offset);
    if (!term->known) {
        LLVMValueRef row = offset_multiply(e, emit_i64(e, term->row), product_slide_axis(&s->p)->b.value);
        offset = offset_add(e, row, s->b_offset[term->k]);
    }
    return vector_at(e, s->p.b_memory, first, offset);
}

/* --- what exists of pictures */
typedef struct {
    int64_t first, last;
} Range;

/* Where step k of the places of `tiles` from number `within` on is. */
static Range reached(const ContractEdge *edge, const EdgeTiles *tiles, int64_t within, int64_t step) {
    int64_t offset = step * edge->dilation - edge->low;
    return (Range){(tiles->from + within) * edge->stride + offset,
                   (tiles->to - tiles->rows + within) * edge->stride + offset};
}

/* Is there memory of the picture wherever a term loads so many elements, those beyond the edges of a line
 * being others' lines? */
static bool within_picture(const Slide *s, const Term *t, int64_t elements) {
    const ContractEdge *line = s->line_edge, *column = s->column_edge;
    Size stride = product_slide_axis(&s->p)->b;
    if (!line || !column || !t->known || s->p.column.b.constant != column->stride) return false;
    if (stride.constant <= 0 || stride.constant % line->stride) return false;
    Range lines = reached(line, s->line_tiles, t->row, s->line_step[t->k]);
    Range columns = reached(column, s->column_tiles, 0, s->column_step[t->k]);
    int64_t length = stride.constant / line->stride;
    return lines.first * length + columns.first >= 0 &&
           lines.last * length + columns.last + elements <= (line->extent - 1) * length + column->extent;
}

/* Do the terms from `i` on have an even number of places that follow each other? Then neighbours are pairs;
 * of an odd number the first is alone, which is beyond the edge of a picture if any is. */
static bool begins_pair(const Slide *s, const Term *terms, uint32_t count, uint32_t i) {
    uint32_t run = 1;
    for (uint32_t last = i, j = i + 1; terms[i].known && j < count; j++) {
        if (terms[j].offset == terms[last].offset) continue;
        if (terms[j].turn != terms[i].turn || terms[j].offset != terms[last].offset + 1 ||
            lanes_of(s, terms[j].k) != lanes_of(s, terms[i].k))
            break;
        last = j, run++;
    }
    return run % 2 == 0;
}

/* Masks of loads are instructions in the multiply-adds' pipes, those of sums are free. Over many steps with
 * the same mask LLVM would make moves of these. */
static bool masks_sums(Emit *e, const Slide *s) {
    return s->column_tiles && vector_masks(&e->target) && !s->by_columns;
}

/* Can a whole vector be loaded? */
static bool loads_all(Emit *e, const Slide *s, const Term *t) {
    if (!s->column_tiles || !vector_masks(&e->target)) return false;
    bool all = masks_sums(e, s) || !s->sum_mask[s->column_step[t->k]];
    return all && within_picture(s, t, s->p.column.b.constant * s->p.plan.lanes);
}

/* What term number `i` multiplies. */
static LLVMValueRef load_term(Emit *e, const Slide *s, const Term *terms, uint32_t count, uint32_t i,
                              LLVMValueRef first, LLVMValueRef left, ColumnPair *pair) {
    const Product *p = &s->p;
    const Term *t = &terms[i];
    uint32_t lanes = lanes_of(s, t->k);
    if (columns_by_halves(p) && pair->wide && t->offset == pair->offset + 1 && lanes == pair->lanes)
        return columns_half(e, p, pair, 1);
    LLVMValueRef pointer = term_pointer(e, s, t, first);
    LLVMValueRef mask = loads_all(e, s, t) ? NULL : mask_of(e, s, t->k, left);
    if (!columns_by_halves(p)) return columns_load(e, p, pointer, mask);
    *pair = columns_load_pair(e, p, pointer, mask, begins_pair(s, terms, count, i));
    pair->offset = t->offset, pair->lanes = lanes;
    return columns_half(e, p, pair, 0);
}

/* Sums of each row, which lines of the window take turns with: a column's multiply-adds of a row follow each
 * other, and with few rows, or some that lack lines, they would wait for each other. */
static uint32_t choose_sets(const Emit *e, const Slide *s) {
    uint32_t lines = s->depth / window_columns(s), factors = columns_by_halves(&s->p) ? 2 * lines : lines;
    return s->by_columns && 2 * s->rows + factors + 2 <= e->target.vector_registers ? 2 : 1;
}

/* The tile's sums, a vector a row; of the columns only `left` exist where that isn't NULL. */
static void multiply(Emit *e, const Slide *s, LLVMValueRef column, LLVMValueRef left, LLVMValueRef *sum) {
    const Product *p = &s->p;
    Term terms[PRODUCT_SLIDE_DEPTH * MAX_TILE_ROWS];
    ColumnPair pair = {.wide = false};
    uint32_t count = list_terms(s, terms), sets = choose_sets(e, s), all = sets * s->rows;
    LLVMValueRef first = offset_add(e, offset_multiply(e, s->row, product_slide_axis(p)->b.value),
                                    offset_multiply(e, column, p->column.b.value));
    first = vector_at(e, p->b_memory, s->b, first);
    for (uint32_t i = 0; i < all; i++) sum[i] = LLVMConstNull(emit_lanes(p->element, p->plan.lanes));
    LLVMValueRef b = NULL, own[PRODUCT_SLIDE_DEPTH] = {NULL};
    for (uint32_t i = 0; i < count; i++) {
        const Term *t = &terms[i];
        bool same = i > 0 && t->known && t->offset == terms[i - 1].offset && t->turn == terms[i - 1].turn &&
                    lanes_of(s, t->k) == lanes_of(s, terms[i - 1].k);
        if (!same) b = load_term(e, s, terms, count, i, first, left, &pair);
        if (!own[t->k]) own[t->k] = factor(e, s, t->k);
        LLVMValueRef *to = &sum[t->k / window_columns(s) % sets * s->rows + t->row];
        LLVMValueRef added = vector_multiply_add(e, own[t->k], b, *to);
        LLVMValueRef mask = masks_sums(e, s) ? s->sum_mask[s->column_step[t->k]] : NULL;
        *to = mask ? LLVMBuildSelect(e->builder, mask, added, *to, "") : added;
    }
    vector_meet(e, sum, all);
    for (uint32_t i = s->rows; i < all; i++) sum[i - s->rows] = vector_add(e, sum[i - s->rows], sum[i]);
    for (uint32_t r = 0; columns_by_halves(p) && r < s->rows; r++)
        sum[r] = vector_halves_in_order(e, sum[r], dtype_bytes(p->dtype));
}

static void set_row(Emit *e, Slide *s, uint32_t r) {
    LLVMValueRef row = r ? offset_add(e, s->row, emit_i64(e, r)) : s->row;
    product_axis_index(e, &s->p, product_slide_axis(&s->p), row, s->index);
}

/* A vector of columns of each row, from registers; `tail`: those that exist, NULL = all. */
static void store_rows(Emit *e, Slide *s, LLVMValueRef column, const LLVMValueRef *sum, LLVMValueRef tail) {
    const Product *p = &s->p;
    product_column_index(e, p, column, s->index);
    for (uint32_t r = 0; r < s->rows; r++) {
        set_row(e, s, r);
        p->contract->store(e, p->contract, s->index, sum[r], p->plan.lanes, tail, product_lane_axis(p), true,
                           p->contract->user);
    }
}

static void whole_vector(Emit *e, LLVMValueRef column, void *user) {
    Slide *s = user;
    LLVMValueRef sum[MAX_SUMS];
    multiply(e, s, column, NULL, sum);
    store_rows(e, s, column, sum, NULL);
}

/* The last columns, fewer than a vector's. */
static void rest_of_columns(Emit *e, LLVMValueRef column, void *user) {
    Slide *s = user;
    const Product *p = &s->p;
    LLVMValueRef sum[MAX_SUMS];
    Size left = size_sub(e, p->column.extent, size_run_time(column));
    multiply(e, s, column, left.value, sum);
    if (vector_masks(&e->target)) {
        store_rows(e, s, column, sum, vector_first_lanes(e, left.value, p->plan.lanes));
        return;
    }
    for (uint32_t r = 0; r < s->rows; r++) {
        LLVMValueRef at = vector_at(e, p->element, s->sums, emit_i64(e, (int64_t)r * p->plan.lanes));
        vector_store(e, sum[r], at);
        set_row(e, s, r);
        Epilogue epilogue = {.p = p,
                             .index = s->index,
                             .row = emit_i64(e, 0),
                             .column = column,
                             .lines = size_known(e, 1),
                             .lanes = left,
                             .lane_bits = p->plan.lanes - 1,
                             .sums = at,
                             .stride = size_known(e, p->plan.lanes)};
        emit_epilogue(e, &epilogue);
    }
}

static void tile_row(Emit *e, LLVMValueRef row, void *user) {
    Slide *s = user;
    int64_t lanes = s->p.plan.lanes;
    Size columns = s->p.column.extent, whole = size_mul(e, size_div(e, columns, lanes), size_known(e, lanes));
    s->row = row;
    emit_loop(e, emit_i64(e, 0), whole.value, lanes, "columns", whole_vector, s);
    if (!columns.known || columns.constant % lanes)
        emit_loop(e, whole.value, columns.value, lanes, "rest", rest_of_columns, s);
}

/* --- the same where there are zeros around: tiles that lack the same have code of their own */
static void edge_row(Emit *e, LLVMValueRef row, void *user) {
    Slide *s = user;
    EdgeTiles *tiles;
    int64_t lanes = s->p.plan.lanes;
    uint32_t count = edge_tiles(e, &s->p, s->column_edge, s->p.column.extent.constant, lanes, &tiles);
    s->row = row;
    for (uint32_t i = 0; i < count; i++) {
        s->column_tiles = &tiles[i];
        open_sum_masks(e, s);
        emit_loop(e, emit_i64(e, tiles[i].from), emit_i64(e, tiles[i].to), lanes, "columns",
                  tiles[i].rows == lanes ? whole_vector : rest_of_columns, s);
    }
}

static void edge_rows(Emit *e, Slide *s, Size from, Size to) {
    EdgeTiles *tiles;
    int64_t rows = product_slide_axis(&s->p)->extent.constant;
    uint32_t count = edge_tiles(e, &s->p, s->line_edge, rows, s->tile_rows, &tiles);
    for (uint32_t i = 0; i < count; i++) {
        Size first = size_max(e, from, size_known(e, tiles[i].from));
        Size end = size_min(e, to, size_known(e, tiles[i].to));
        s->line_tiles = &tiles[i];
        s->rows = tiles[i].rows;
        emit_loop(e, first.value, end.value, s->rows, "rows", edge_row, s);
    }
}

/* --- a unit */
/* Where each step of k is in A and B, in the order of k. */
static void place_steps(Emit *e, Slide *s) {
    const ProductAxes *k = &s->p.k;
    for (uint32_t i = 0; i < s->depth; i++) {
        Size a = size_known(e, 0), b = a;
        int64_t rest = i;
        for (uint32_t j = k->count; j-- > 0;) {
            const ProductAxis *axis = &k->at[j];
            Size at = size_known(e, rest % axis->extent.constant);
            if (s->line_edge && axis->first == s->line_edge->k_axis) s->line_step[i] = (uint32_t)at.constant;
            if (s->column_edge && axis->first == s->column_edge->k_axis)
                s->column_step[i] = (uint32_t)at.constant;
            rest /= axis->extent.constant;
            a = size_add(e, a, size_mul(e, at, axis->a));
            b = size_add(e, b, size_mul(e, at, axis->b));
        }
        s->a_offset[i] = a.value, s->b_offset[i] = b.value;
    }
}

static void load_factors(Emit *e, Slide *s) {
    bool room = s->depth + s->tile_rows + 4 <= e->target.vector_registers;
    /* Two columns that share vectors take turns with two others' factors only where there are many. */
    s->by_columns =
        s->p.k.count > 1 && (columns_by_halves(&s->p) ? s->depth > e->target.vector_registers : !room);
    for (uint32_t k = 0; k < s->depth; k++) s->factor[k] = NULL;
    for (uint32_t k = 0; room && k < s->depth; k++) s->factor[k] = factor(e, s, k);
}

static void unit_body(Emit *e, LLVMValueRef unit, void *user) {
    Slide *s = user;
    Product *p = &s->p;
    Size rows = product_slide_axis(p)->extent, from = size_known(e, 0), to = rows;
    LLVMValueRef picture = unit;
    if (!size_is(s->pieces, 1)) {
        LLVMValueRef piece = LLVMBuildURem(e->builder, unit, s->pieces.value, "");
        picture = LLVMBuildUDiv(e->builder, unit, s->pieces.value, "");
        from = size_run_time(offset_multiply(e, piece, s->unit_rows.value));
        to = size_min(e, size_add(e, from, s->unit_rows), rows);
    }
    product_index(e, p, &s->outer, picture, s->index);
    s->a = vector_at(e, p->a_memory, p->a, product_offset(e, &s->outer, false, picture));
    s->b = vector_at(e, p->b_memory, p->b, product_offset(e, &s->outer, true, picture));
    load_factors(e, s);
    if (s->line_edge || s->column_edge) {
        edge_rows(e, s, from, to);
        return;
    }
    Size tiles = size_div(e, size_sub(e, to, from), s->tile_rows);
    Size end = size_add(e, from, size_mul(e, tiles, size_known(e, s->tile_rows)));
    s->rows = s->tile_rows;
    emit_loop(e, from.value, end.value, s->tile_rows, "rows", tile_row, s);
    if (s->tile_rows == 1 || (rows.known && rows.constant % s->tile_rows == 0)) return;
    s->rows = 1;
    emit_loop(e, end.value, to.value, 1, "row", tile_row, s);
}

void emit_slide(Emit *e, const Product *p, LLVMValueRef chunk) {
    Slide s;
    open_plan(e, p, &s);
    place_steps(e, &s);
    for (uint32_t i = 0; i < product_index_count(p); i++) s.index[i] = emit_i64(e, 0);
    uint64_t elements = (uint64_t)s.tile_rows * s.p.plan.lanes;
    s.sums = emit_alloca(e, LLVMArrayType2(p->element, elements), "sums");
    Size step = size_known(e, s.chunk_units), from = size_known(e, 0), to = s.units;
    if (!s.units.known || s.units.constant > s.chunk_units) {
        from = size_run_time(offset_multiply(e, chunk, step.value));
        to = size_min(e, size_add(e, from, step), s.units);
    }
    emit_loop(e, from.value, to.value, 1, "unit", unit_body, &s);
}
