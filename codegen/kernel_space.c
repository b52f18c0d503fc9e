/* Index spaces: which loops run over one, the loops with their vectors and remainders, and the cut into
 * chunks. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include <assert.h>

/* --- lanes and unrolling */
uint32_t lanes_for(const Kernel *k, const Dim *size) {
    int64_t constant;
    uint32_t lanes = k->lanes;
    if (!dim_is_const(size, &constant)) return lanes;
    while (lanes > 1 && (int64_t)(lanes / 2) >= constant) lanes /= 2;
    return lanes;
}

uint32_t unroll_for(const Kernel *k) { return k->cost <= 8 ? 4 : k->cost <= 24 ? 2 : 1; }

/* --- choosing loops: an index is tried without building anything, and what its arithmetic would cost is
 * counted */
static At dry_index(Kernel *k, const Space *space, uint32_t axis) {
    At at = {.lanes = k->lanes};
    for (uint32_t d = 0; d < space->rank; d++) at_push(&at, space->dims[d], index_const(k, 0));
    if (space->rank) at.index[axis] = (Index){.step = 1, .align = k->lanes};
    return at;
}

/* How many vectors take the place of one where the last axis is too short to fill it. */
static uint32_t vectors_for_one(const Kernel *k, const Space *space) {
    return space->rank ? k->lanes / lanes_for(k, space->dims[space->rank - 1]) : 1;
}

/* With lanes along `axis`. */
static void dry_run(Kernel *k, const Space *space, uint32_t axis, const Roots *roots) {
    bool dry = k->dry;
    k->dry = true;
    k->splits = 0;
    k->step = 0;
    const Scope *outer = scope_open(k);
    At at = dry_index(k, space, axis);
    const At *kept = at_keep(k, &at);
    for (uint32_t i = 0; i < roots->count; i++) value_at(k, roots->at[i], kept);
    scope_close(k, outer);
    k->dry = dry;
}

/* Of a full vector's worth of elements. */
static uint32_t cost_of(Kernel *k, const Space *space, const Roots *roots) {
    dry_run(k, space, space->rank - 1, roots);
    k->splits = (k->splits + 1) * vectors_for_one(k, space);
    return k->splits;
}

int64_t space_step(Kernel *k, const Space *space, uint32_t axis, const Roots *roots) {
    dry_run(k, space, axis, roots);
    return k->step;
}

/* Axes `d` and `d + 1` as one. */
static bool joined(Kernel *k, const Space *space, uint32_t d, Space *out) {
    *out = *space;
    out->dims[d] = dim_mul(k->e->ir, space->dims[d], space->dims[d + 1]);
    if (!out->dims[d] || (space->reduced >> d & 1) != (space->reduced >> (d + 1) & 1)) return false;
    uint32_t below = (1u << (d + 1)) - 1;
    out->reduced = (space->reduced & below) | (space->reduced >> 1 & ~below);
    out->rank--;
    for (uint32_t i = d + 1; i < out->rank; i++) out->dims[i] = space->dims[i + 1];
    return true;
}

/* Axes of size 1 need no loop. */
static Space without_ones(uint32_t rank, const Dim *const *dims, uint32_t reduced) {
    Space space = {0};
    for (uint32_t d = 0; d < rank; d++) {
        if (dim_is(dims[d], 1)) continue;
        space.reduced |= (reduced >> d & 1) << space.rank;
        space.dims[space.rank++] = dims[d];
    }
    return space;
}

Space space_choose(Kernel *k, uint32_t rank, const Dim *const *dims, uint32_t reduced, const Roots *roots) {
    Space space = without_ones(rank, dims, reduced);
    uint32_t cost = cost_of(k, &space, roots);
    for (uint32_t d = space.rank; d-- > 1;) {
        Space wider;
        if (!joined(k, &space, d - 1, &wider)) continue;
        uint32_t other = cost_of(k, &wider, roots);
        if (other > cost) continue;
        space = wider;
        cost = other;
        if (d > space.rank) d = space.rank;
    }
    k->splits = cost_of(k, &space, roots);
    space.strided = k->step > 1;
    return space;
}

At space_origin(Kernel *k, const Space *space) {
    At at = {.lanes = 1};
    for (uint32_t d = 0; d < space->rank; d++) at_push(&at, space->dims[d], index_const(k, 0));
    return at;
}

/* --- loops */
typedef struct {
    Kernel *k;
    const Nest *nest;
    At frame;
    uint32_t axis, copies;
    bool masked;
    LLVMValueRef to; /* of the innermost axis */
} Lines;

static LLVMValueRef tail_mask(Kernel *k, LLVMValueRef index, LLVMValueRef to, uint32_t lanes) {
    LLVMValueRef numbers = access_lanes(k->e, (Index){.base = index, .step = 1}, lanes);
    return LLVMBuildICmp(k->e->builder, LLVMIntSLT, numbers, emit_splat(k->e, to, lanes), "");
}

static void line_step(Emit *e, LLVMValueRef index, void *user) {
    const Lines *l = user;
    Kernel *k = l->k;
    const Scope *outer = scope_open(k);
    uint32_t lanes = l->nest->lanes;
    for (uint32_t copy = 0; copy < (l->nest->joint ? 1 : l->copies); copy++) {
        At at = l->frame;
        at.lanes = lanes;
        at.element = true;
        LLVMValueRef base =
            copy ? LLVMBuildNSWAdd(e->builder, index, emit_i64(e, (int64_t)copy * lanes), "") : index;
        at.index[l->axis] = (Index){.base = base, .step = lanes > 1, .align = lanes};
        if (l->masked) at.tail = tail_mask(k, base, l->to, lanes);
        l->nest->body(k, at_keep(k, &at), l->nest->joint ? l->copies : copy, l->nest->user);
    }
    scope_close(k, outer);
}

/* from + the greatest multiple of `by` that fits before `to`. */
static LLVMValueRef whole_end(Kernel *k, LLVMValueRef from, LLVMValueRef to, int64_t by) {
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef length = LLVMBuildSub(b, to, from, "");
    LLVMValueRef rest = LLVMBuildSRem(b, length, emit_i64(k->e, by), "");
    return LLVMBuildSub(b, to, rest, "");
}

/* [from, to) of one axis: unrolled vectors, vectors, and the last one masked. */
static void emit_line(Kernel *k, const Nest *nest, const At *frame, uint32_t axis, LLVMValueRef from,
                      LLVMValueRef to) {
    Lines l = {.k = k, .nest = nest, .frame = *frame, .axis = axis, .copies = nest->unroll, .to = to};
    int64_t step = (int64_t)nest->lanes * nest->unroll;
    LLVMValueRef end = whole_end(k, from, to, step);
    emit_loop(k->e, from, end, step, "unrolled", line_step, &l);
    from = end;
    l.copies = 1;
    if (nest->unroll > 1) {
        end = whole_end(k, from, to, nest->lanes);
        emit_loop(k->e, from, end, nest->lanes, "vectors", line_step, &l);
    }
    if (nest->lanes == 1) return;
    l.masked = true;
    emit_loop(k->e, end, to, nest->lanes, "rest", line_step, &l);
}

/* Row number `row` of the axes but the last. */
static At row_frame(Kernel *k, const Nest *nest, LLVMValueRef row) {
    At frame = nest->frame;
    Index rest = index_of(row);
    for (uint32_t i = nest->count - 1; i-- > 0;) {
        const Dim *size = frame.dims[nest->axes[i]];
        frame.index[nest->axes[i]] = i == 0 ? rest : index_mod(k, rest, size, 1);
        if (i > 0) rest = index_div(k, rest, size, 1);
    }
    return frame;
}

typedef struct {
    Kernel *k;
    const Nest *nest;
    LLVMValueRef from, to; /* of the last axis */
    bool whole;            /* exactly one tile, in vectors without remainder */
} Rows;

static void row_step(Emit *e, LLVMValueRef row, void *user) {
    const Rows *r = user;
    const Scope *outer = scope_open(r->k);
    At frame = row_frame(r->k, r->nest, row);
    uint32_t last = r->nest->axes[r->nest->count - 1];
    if (r->whole) {
        Lines line = {.k = r->k,
                      .nest = r->nest,
                      .frame = frame,
                      .axis = last,
                      .copies = r->nest->tile / r->nest->lanes};
        line_step(e, r->from, &line);
    } else {
        emit_line(r->k, r->nest, &frame, last, r->from, r->to);
    }
    scope_close(r->k, outer);
}

static void emit_rows(const Rows *rows) {
    Rows r = *rows;
    emit_loop(r.k->e, r.nest->from, r.nest->to, 1, "row", row_step, &r);
}

static void tile_step(Emit *e, LLVMValueRef from, void *user) {
    Rows r = *(const Rows *)user;
    LLVMValueRef end = LLVMBuildAdd(e->builder, from, emit_i64(e, r.nest->tile), "");
    r.from = from;
    r.to = emit_combine(e, OP_min, DTYPE_i64, end, r.to);
    emit_rows(&r);
}

/* For every tile of the last axis, all rows. */
static void emit_tiles(Kernel *k, const Nest *nest, LLVMValueRef size) {
    int64_t constant;
    bool known = dim_is_const(nest->frame.dims[nest->axes[nest->count - 1]], &constant);
    Rows r = {.k = k, .nest = nest, .to = size};
    r.whole = known && constant % (int64_t)nest->tile == 0 && nest->tile % nest->lanes == 0;
    emit_loop(k->e, emit_i64(k->e, 0), size, nest->tile, "tile", tile_step, &r);
}

void nest_emit(Kernel *k, const Nest *nest) {
    if (nest->count == 0) {
        const Scope *outer = scope_open(k);
        At at = nest->frame;
        at.element = true;
        nest->body(k, at_keep(k, &at), nest->joint ? 1 : 0, nest->user);
        scope_close(k, outer);
        return;
    }
    if (nest->count == 1) {
        emit_line(k, nest, &nest->frame, nest->axes[0], nest->from, nest->to);
        return;
    }
    LLVMValueRef size = kernel_size(k, nest->frame.dims[nest->axes[nest->count - 1]]),
                 zero = emit_i64(k->e, 0);
    if (nest->tile)
        emit_tiles(k, nest, size);
    else
        emit_rows(&(Rows){.k = k, .nest = nest, .from = zero, .to = size});
}

const Dim *nest_range(Kernel *k, const At *frame, uint32_t count, const uint32_t *axes) {
    const Dim *range = count == 1 ? frame->dims[axes[0]] : dim_const(k->e->ir, 1);
    for (uint32_t i = 0; i + 1 < count; i++) range = dim_mul(k->e->ir, range, frame->dims[axes[i]]);
    assert(range);
    return range;
}

/* --- chunks */
/* A constant where both are. */
static LLVMValueRef larger(Kernel *k, LLVMValueRef a, LLVMValueRef b) {
    if (!LLVMIsAConstantInt(a) || !LLVMIsAConstantInt(b)) return emit_combine(k->e, OP_max, DTYPE_i64, a, b);
    return LLVMConstIntGetSExtValue(a) > LLVMConstIntGetSExtValue(b) ? a : b;
}

static LLVMValueRef at_least_one(Kernel *k, LLVMValueRef value) {
    return larger(k, value, emit_i64(k->e, 1));
}

static LLVMValueRef round_up_div(Kernel *k, LLVMValueRef value, LLVMValueRef by) {
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef less = LLVMBuildSub(b, by, emit_i64(k->e, 1), "");
    return LLVMBuildSDiv(b, LLVMBuildAdd(b, value, less, ""), by, "");
}

static LLVMValueRef round_up_to(Kernel *k, LLVMValueRef value, LLVMValueRef multiple) {
    return LLVMBuildMul(k->e->builder, round_up_div(k, value, multiple), multiple, "");
}

/* Units of a chunk where threads have equally many: a last chunk of few units, or a fifth one of five, is one
 * that all but one thread wait for. */
static LLVMValueRef evened_out(Kernel *k, const Chunks *chunks) {
    enum { TOGETHER = 4 };
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef count = round_up_div(k, chunks->total, chunks->per), one = emit_i64(k->e, 1);
    LLVMValueRef even = at_least_one(k, round_up_to(k, count, emit_i64(k->e, TOGETHER)));
    LLVMValueRef single = LLVMBuildICmp(b, LLVMIntSLE, count, one, "");
    return LLVMBuildSelect(b, single, chunks->per, round_up_div(k, chunks->total, even), "");
}

/* Elements worth a chunk: a power of two, less where each is more work. */
static int64_t chunk_elements(const Kernel *k) {
    int64_t elements = 65536;
    while (elements > 2048 && elements * (k->cost + 2) > 131072 + 65536) elements /= 2;
    return elements;
}

Chunks chunks_of(Kernel *k, const Dim *units, const Dim *unit, uint32_t multiple, uint32_t limit) {
    LLVMBuilderRef b = k->e->builder;
    Chunks c = {.total = kernel_size(k, units)};
    LLVMValueRef elements = emit_i64(k->e, chunk_elements(k));
    c.per = at_least_one(k, LLVMBuildSDiv(b, elements, at_least_one(k, kernel_size(k, unit)), ""));
    if (limit) {
        LLVMValueRef least = round_up_div(k, c.total, emit_i64(k->e, limit));
        c.per = larger(k, c.per, least);
    }
    LLVMValueRef step = emit_i64(k->e, multiple);
    c.per = round_up_to(k, at_least_one(k, evened_out(k, &c)), step);
    c.count = round_up_div(k, c.total, c.per);
    return c;
}

void chunk_range(Kernel *k, const Chunks *chunks, LLVMValueRef chunk, LLVMValueRef *from, LLVMValueRef *to) {
    *from = emit_i64(k->e, 0);
    *to = chunks->total;
    /* One chunk has constant bounds where the total is constant. */
    if (LLVMIsAConstantInt(chunks->count) && LLVMConstIntGetSExtValue(chunks->count) <= 1) return;
    *from = LLVMBuildMul(k->e->builder, chunk, chunks->per, "");
    LLVMValueRef end = LLVMBuildAdd(k->e->builder, *from, chunks->per, "");
    *to = emit_combine(k->e, OP_min, DTYPE_i64, end, chunks->total);
}
