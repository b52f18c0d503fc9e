/* Lanes lie along k's innermost axis, the columns of a picture, so sums are vectors, one for each place of
 * the window, of which the lanes are added up at the end. A tile is a few lines of pictures and one vector of
 * columns: it loads each vector of B once and adds it, times the vectors of A that it meets, to all places at
 * which these meet.
 *
 * for each unit of the chunk, one filter:
 *     for each group of the window's lines whose sums fit the registers:
 *         for each picture, for each tile of lines, for each vector of columns: multiply
 *         add up the lanes into a buffer
 *     the epilogue of the buffer */
#include "codegen/contract_slide_sum.h"
#include "codegen/contract_columns.h"
#include "codegen/contract_cost.h"
#include "codegen/contract_epilogue.h"
#include "codegen/contract_nest.h"
#include "codegen/contract_tile.h"
#include "codegen/transpose.h"
#include "codegen/vector.h"
#include <stdlib.h>

enum {
    MAX_COLUMNS = 16,  /* of a window */
    MAX_LINES = 8,     /* of pictures in a tile */
    TILE_WORK = 100,   /* multiply-adds that are written out, or two lines */
    LEAST_SUMS = 8,    /* fewer don't hide the latency of multiply-adds: lines have sums of their own */
    LEAST_PAIRS = 8,   /* of columns side by side that are worth picking apart */
    OTHERS = 6,        /* registers that aren't sums */
    UNIT_WORK = 50000, /* multiply-adds: less is not worth a thread's while */
    ASSUMED_SIZE = 64  /* where the run tells how large */
};

typedef struct {
    Product p;        /* its rows are the window's lines; its plan says how many lanes a vector has */
    Product along;    /* the same with columns of pictures for columns, to load B by */
    uint32_t window;  /* lines of it */
    uint32_t columns; /* of each */
    uint32_t group;   /* lines of the window whose sums are in registers */
    uint32_t tile;    /* lines of pictures */
    int64_t chunk_units;
    ProductAxis lines; /* of pictures; of extent 1 where they have columns alone */
    bool asks;         /* for the next filter's lines */
    LLVMValueRef a, b; /* of this filter */
    LLVMValueRef sums; /* the buffer */
    /* Of the tile at hand: */
    uint32_t first, count; /* lines of the window, */
    uint32_t rows, copies; /* of pictures; sums of each place */
    LLVMValueRef mask;     /* columns that exist, NULL = all */
    LLVMValueRef turns[2]; /* the same for sums, which lines take turns with */
    LLVMValueRef *sum;     /* [copies][count][columns] */
} SlideSum;

/* --- the plan */
static int64_t size_or(Size size, int64_t assumed) { return size.known ? size.constant : assumed; }

static bool short_axis(const ProductAxis *axis, int64_t most) {
    return axis->extent.known && axis->extent.constant >= 1 && axis->extent.constant <= most;
}

/* Windows that overlap, or pairs. */
static bool overlaps(const ProductAxis *column, const ProductAxis *along) {
    int64_t extent = size_or(along->extent, ASSUMED_SIZE), columns = column->extent.constant,
            step = column->b.constant, stride = along->b.constant;
    if (extent <= columns || step < 1 || step >= extent * stride) return false;
    return (columns - 1) * step >= stride || (columns == 2 && extent >= LEAST_PAIRS);
}

bool slide_sums(const Product *p) {
    const ProductAxis *column = &p->column;
    if (p->rows.count > 0 || p->k.count == 0 || p->contract->edge_count > 0) return false;
    const ProductAxis *along = &p->k.at[p->k.count - 1];
    if (!short_axis(column, MAX_COLUMNS) || size_is(column->extent, 1)) return false;
    if (!size_is(column->a, 0) || !column->b.known || !size_is(along->a, 1) || !along->b.known) return false;
    return along->b.constant >= 1 && along->b.constant <= VECTOR_MAX_STRIDE && overlaps(column, along);
}

/* Is the innermost axis beside the columns one of lines of the same windows? */
static bool has_lines(const Product *p) {
    const ProductAxis *line = p->outer.count ? product_slide_axis(p) : NULL;
    return line && short_axis(line, MAX_COLUMNS) && size_is(line->a, 0) && line->b.known;
}

/* As many lines of pictures as leave the fewest over, of these the most. */
static uint32_t choose_tile(const SlideSum *s) {
    int64_t most = max64(TILE_WORK / (s->group * s->columns), 2), best = 1;
    if (most > MAX_LINES) most = MAX_LINES;
    if (!s->lines.extent.known) return (uint32_t)most;
    int64_t lines = max64(s->lines.extent.constant, 1);
    if (lines < most) most = lines;
    for (int64_t r = most / 2 + 1; r <= most; r++)
        if (best == 1 || lines % r <= lines % best) best = r;
    return (uint32_t)best;
}

/* Groups of the window's lines that are as even as they can be. */
static uint32_t choose_group(const Emit *e, const SlideSum *s) {
    uint32_t registers = e->target.vector_registers;
    uint32_t room = registers > OTHERS ? (registers - OTHERS) / s->columns : 1;
    if (room < 1) room = 1;
    uint32_t groups = (s->window + room - 1) / room;
    return (s->window + groups - 1) / groups;
}

/* A far third level answers too late for pieces of many pictures, in which prefetchers see no pattern: one
 * filter's are asked for while the one before is computed, where the second level holds both, but not all. */
static bool asks_ahead(const Emit *e, const SlideSum *s) {
    const Product *p = &s->p;
    double filter = 2; /* elements of both factors */
    const ProductAxis *next = p->outer.count ? &p->outer.at[p->outer.count - 1] : NULL;
    if (!e->target.intel_server || !next || !p->outer_count.known || !next->a.known || !next->b.known)
        return false;
    if (!s->lines.a.known || !s->lines.b.known || s->lines.a.constant < 0 || s->lines.b.constant < 0)
        return false;
    for (uint32_t i = 0; i < p->k.count; i++) {
        if (!p->k.at[i].extent.known) return false;
        filter *= (double)p->k.at[i].extent.constant;
    }
    double bytes = filter * dtype_bytes(p->dtype), l2 = (double)e->target.l2_bytes;
    return 2 * bytes < l2 && bytes * (double)p->outer_count.constant > l2;
}

static void open_plan(Emit *e, const Product *p, SlideSum *s) {
    *s = (SlideSum){.p = *p, .window = 1, .columns = (uint32_t)p->column.extent.constant};
    Product *own = &s->p;
    const ProductAxis *along = &p->k.at[p->k.count - 1];
    if (has_lines(p)) {
        own->rows.at[own->rows.count++] = *product_slide_axis(p);
        own->outer.count--;
        own->row_count = own->rows.at[0].extent;
        s->window = (uint32_t)own->row_count.constant;
    }
    own->outer_count = size_known(e, 1);
    for (uint32_t i = 0; i < own->outer.count; i++)
        own->outer_count = size_mul(e, own->outer_count, own->outer.at[i].extent);
    own->plan =
        (ContractSchedule){.lanes = columns_lanes(e, p, along->extent, true), .rows = 1, .vectors = 1};
    s->along = *own;
    s->along.column = *along;
    Size zero = size_known(e, 0);
    s->lines = p->k.count > 1 ? p->k.at[p->k.count - 2]
                              : (ProductAxis){.extent = size_known(e, 1), .a = zero, .b = zero};
    s->asks = asks_ahead(e, s);
    s->group = choose_group(e, s);
    s->tile = choose_tile(s);
    int64_t work = s->window * s->columns;
    for (uint32_t i = 0; i < p->k.count; i++) work *= max64(size_or(p->k.at[i].extent, ASSUMED_SIZE), 1);
    s->chunk_units = UNIT_WORK / work + 1;
}

LLVMValueRef slide_sum_chunks(Emit *e, const Product *p) {
    SlideSum s;
    open_plan(e, p, &s);
    return size_div_up(e, s.p.outer_count, s.chunk_units).value;
}

/* --- one tile */
/* Line `row` of the tile meets column `column` of the window's line `line` at an offset of B. */
typedef struct {
    uint32_t row, line, column;
    LLVMValueRef offset;
} Meeting;

/* In the order of memory, where that is known. */
static int by_offset(const void *a, const void *b) {
    const Meeting *x = a, *y = b;
    if (LLVMIsAConstantInt(x->offset) && LLVMIsAConstantInt(y->offset)) {
        int64_t i = LLVMConstIntGetSExtValue(x->offset), j = LLVMConstIntGetSExtValue(y->offset);
        if (i != j) return i < j ? -1 : 1;
    }
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return (x->column > y->column) - (x->column < y->column);
}

static uint32_t list_meetings(Emit *e, const SlideSum *s, Meeting *out) {
    uint32_t count = 0;
    const ProductAxis *window = s->p.rows.count ? &s->p.rows.at[0] : NULL;
    for (uint32_t r = 0; r < s->rows; r++)
        for (uint32_t i = s->first; i < s->first + s->count; i++)
            for (uint32_t j = 0; j < s->columns; j++) {
                LLVMValueRef offset = offset_multiply(e, emit_i64(e, r), s->lines.b.value);
                if (window)
                    offset = offset_add(e, offset, offset_multiply(e, emit_i64(e, i), window->b.value));
                offset = offset_add(e, offset, offset_multiply(e, emit_i64(e, j), s->p.column.b.value));
                out[count++] = (Meeting){r, i - s->first, j, offset};
            }
    qsort(out, count, sizeof *out, by_offset);
    return count;
}

/* Masks of loads are instructions in the multiply-adds' pipes, those of sums are free where vectors have
 * masks. What a whole vector at `offset` has beyond the columns is read, then, if elements at `last` are read
 * anyway, and nobody adds it. */
static LLVMValueRef mask_of(const SlideSum *s, LLVMValueRef offset, LLVMValueRef last, Size stride) {
    if (!s->turns[0] || !stride.known || !LLVMIsAConstantInt(offset) || !LLVMIsAConstantInt(last))
        return s->mask;
    int64_t between = LLVMConstIntGetSExtValue(last) - LLVMConstIntGetSExtValue(offset);
    return between >= (s->p.plan.lanes - 1) * stride.constant ? NULL : s->mask;
}

static LLVMValueRef load_a(Emit *e, const SlideSum *s, LLVMValueRef offset, uint32_t row) {
    const Product *p = &s->p;
    LLVMValueRef line = offset_multiply(e, emit_i64(e, row), s->lines.a.value);
    LLVMValueRef last = offset_multiply(e, emit_i64(e, s->rows - 1), s->lines.a.value);
    LLVMValueRef at = vector_at(e, p->a_memory, s->a, offset_add(e, offset, line));
    LLVMValueRef mask = mask_of(s, line, last, size_known(e, 1));
    return tile_convert(e, p->element, vector_load_some(e, p->a_memory, at, p->plan.lanes, mask));
}

static void multiply(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t step, void *user) {
    (void)step;
    const SlideSum *s = user;
    Meeting meeting[MAX_LINES * NEST_MAX_SUMS];
    LLVMValueRef a[MAX_LINES] = {NULL}, b = NULL;
    uint32_t count = list_meetings(e, s, meeting);
    for (uint32_t i = 0; i < count; i++) {
        const Meeting *m = &meeting[i];
        if (!a[m->row]) a[m->row] = load_a(e, s, a_offset, m->row);
        if (i == 0 || m->offset != meeting[i - 1].offset) {
            LLVMValueRef at = vector_at(e, s->p.b_memory, s->b, offset_add(e, b_offset, m->offset));
            LLVMValueRef mask = mask_of(s, m->offset, meeting[count - 1].offset, s->along.column.b);
            b = columns_load(e, &s->along, at, mask);
        }
        LLVMValueRef *sum = &s->sum[((m->row % s->copies) * s->count + m->line) * s->columns + m->column];
        LLVMValueRef added = vector_multiply_add(e, a[m->row], b, *sum),
                     turn = s->turns[m->row / s->copies % 2];
        *sum = turn ? LLVMBuildSelect(e->builder, turn, added, *sum, "") : added;
    }
}

/* --- the nest over pictures, lines, columns */
/* All sums pass through loops over these axes. */
static void pass_through(Emit *e, SlideSum *s, const TileAxis *axis, uint32_t count, DepthBody *body,
                         LLVMValueRef a_offset, LLVMValueRef b_offset) {
    DepthNest nest = {.axis = axis,
                      .axis_count = count,
                      .sum = s->sum,
                      .sum_count = s->copies * s->count * s->columns,
                      .body = body,
                      .user = s};
    depth_nest_emit(e, &nest, a_offset, b_offset);
}

static void multiply_line(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t step, void *user) {
    (void)step;
    SlideSum *s = user;
    uint32_t lanes = s->p.plan.lanes;
    const ProductAxis *along = &s->along.column;
    Size vectors = size_div(e, along->extent, lanes), width = size_known(e, lanes);
    Size whole = size_mul(e, vectors, width), rest = size_sub(e, along->extent, whole);
    TileAxis axis = {vectors, width, size_mul(e, along->b, width)};
    s->mask = s->turns[0] = s->turns[1] = NULL;
    pass_through(e, s, &axis, 1, multiply, a_offset, b_offset);
    if (size_is(rest, 0)) return;
    s->mask = vector_first_lanes(e, rest.value, lanes);
    /* Of sums that all have the same mask LLVM would make sums without and moves. */
    for (uint32_t i = 0; i < 2 && vector_masks(&e->target); i++) s->turns[i] = vector_opaque_mask(e, s->mask);
    multiply(e, offset_add(e, a_offset, whole.value),
             offset_add(e, b_offset, offset_multiply(e, whole.value, along->b.value)), 0, s);
}

/* The lines of the next filter that are where the tile's are of this one. */
static void ask_lines(Emit *e, const SlideSum *s, bool of_b, LLVMValueRef offset) {
    const ProductAxis *filter = &s->p.outer.at[s->p.outer.count - 1], *along = &s->along.column;
    LLVMTypeRef memory = of_b ? s->p.b_memory : s->p.a_memory;
    int64_t line = of_b ? s->lines.b.constant : s->lines.a.constant;
    int64_t width = along->extent.constant * (of_b ? along->b.constant : 1);
    int64_t elements = CACHE_LINE / (int64_t)LLVMABISizeOfType(e->layout, memory);
    LLVMValueRef next = offset_add(e, offset, of_b ? filter->b.value : filter->a.value);
    for (int64_t i = 0; i < (s->rows - 1) * line + width; i += elements)
        vector_prefetch(e, memory, of_b ? s->b : s->a, offset_add(e, next, emit_i64(e, i)));
}

static void line_of_tiles(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t step, void *user) {
    SlideSum *s = user;
    if (s->asks) ask_lines(e, s, false, a_offset), ask_lines(e, s, true, b_offset);
    multiply_line(e, a_offset, b_offset, step, user);
}

static void some_lines(Emit *e, SlideSum *s, Size from, Size count, uint32_t rows, LLVMValueRef a_offset,
                       LLVMValueRef b_offset) {
    Size together = size_known(e, rows);
    TileAxis axis = {count, size_mul(e, s->lines.a, together), size_mul(e, s->lines.b, together)};
    s->rows = rows;
    pass_through(e, s, &axis, 1, line_of_tiles,
                 offset_add(e, a_offset, offset_multiply(e, from.value, s->lines.a.value)),
                 offset_add(e, b_offset, offset_multiply(e, from.value, s->lines.b.value)));
}

/* Whole tiles, then one of what these leave over, or line by line where only the run tells how many. */
static void picture(Emit *e, LLVMValueRef a_offset, LLVMValueRef b_offset, int64_t step, void *user) {
    (void)step;
    SlideSum *s = user;
    Size tiles = size_div(e, s->lines.extent, s->tile), whole = size_mul(e, tiles, size_known(e, s->tile));
    Size rest = size_sub(e, s->lines.extent, whole);
    some_lines(e, s, size_known(e, 0), tiles, s->tile, a_offset, b_offset);
    if (size_is(rest, 0)) return;
    bool one = rest.known;
    some_lines(e, s, whole, one ? size_known(e, 1) : rest, one ? (uint32_t)rest.constant : 1, a_offset,
               b_offset);
}

/* The sums of lines first … first + count - 1 of the window, into the buffer. */
static void window_lines(Emit *e, SlideSum *s) {
    const Product *p = &s->p;
    TileAxis axis[PRODUCT_MAX_AXES];
    LLVMValueRef sum[NEST_MAX_SUMS];
    uint32_t places = s->count * s->columns, lanes = p->plan.lanes, outer = 0;
    s->copies = places < LEAST_SUMS ? (LEAST_SUMS + places - 1) / places : 1;
    if (s->copies > s->tile) s->copies = s->tile;
    s->sum = sum;
    for (uint32_t i = 0; i < s->copies * places; i++) sum[i] = LLVMConstNull(emit_lanes(p->element, lanes));
    for (; outer + 2 < p->k.count; outer++)
        axis[outer] = (TileAxis){p->k.at[outer].extent, p->k.at[outer].a, p->k.at[outer].b};
    pass_through(e, s, axis, outer, picture, emit_i64(e, 0), emit_i64(e, 0));
    for (uint32_t i = places; i < s->copies * places; i++)
        sum[i % places] = vector_add(e, sum[i % places], sum[i]);
    for (uint32_t from = 0; from < places; from += lanes) {
        uint32_t count = places - from < lanes ? places - from : lanes;
        LLVMValueRef added = transpose_sums(e, sum + from, count);
        LLVMValueRef at =
            vector_at(e, p->element, s->sums, emit_i64(e, (int64_t)s->first * s->columns + from));
        vector_store(e, added, at);
    }
}

/* --- a unit */
typedef struct {
    SlideSum *s;
    LLVMValueRef *index;
} Unit;

static void unit_body(Emit *e, LLVMValueRef number, void *user) {
    const Unit *unit = user;
    SlideSum *s = unit->s;
    const Product *p = &s->p;
    product_index(e, p, &p->outer, number, unit->index);
    s->a = vector_at(e, p->a_memory, p->a, product_offset(e, &p->outer, false, number));
    s->b = vector_at(e, p->b_memory, p->b, product_offset(e, &p->outer, true, number));
    for (s->first = 0; s->first < s->window; s->first += s->group) {
        s->count = s->window - s->first < s->group ? s->window - s->first : s->group;
        window_lines(e, s);
    }
    Epilogue epilogue = {.p = p,
                         .index = unit->index,
                         .row = emit_i64(e, 0),
                         .column = emit_i64(e, 0),
                         .lines = size_known(e, s->window),
                         .lanes = size_known(e, s->columns),
                         .sums = s->sums,
                         .stride = size_known(e, s->columns)};
    emit_epilogue(e, &epilogue);
}

void emit_slide_sum(Emit *e, const Product *p, LLVMValueRef chunk) {
    SlideSum s;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    open_plan(e, p, &s);
    for (uint32_t i = 0; i < product_index_count(p); i++) index[i] = emit_i64(e, 0);
    /* Lanes beyond the last sum are stored, too. */
    uint64_t elements = (uint64_t)s.window * s.columns + s.p.plan.lanes;
    s.sums = emit_alloca(e, LLVMArrayType2(p->element, elements), "sums");
    Size step = size_known(e, s.chunk_units), from = size_known(e, 0), to = s.p.outer_count;
    if (!to.known || to.constant > s.chunk_units) {
        from = size_run_time(offset_multiply(e, chunk, step.value));
        to = size_min(e, size_add(e, from, step), to);
    }
    Unit unit = {&s, index};
    emit_loop(e, from.value, to.value, 1, "unit", unit_body, &unit);
}
