/* Arithmetic on element numbers that stays affine in the lane as long as it can, and indices over one shape
 * told as indices over another. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include <assert.h>

enum { SPLIT_UNIFORM = 1, SPLIT_VECTOR = 32 }; /* cost of a division: once a row, or for every lane */

Index index_of(LLVMValueRef value) { return (Index){.base = value}; }

Index index_const(Kernel *k, int64_t value) { return index_of(k->dry ? NULL : emit_i64(k->e, value)); }

static bool is_number(LLVMValueRef value, int64_t number) {
    return value && LLVMIsAConstantInt(value) && LLVMConstIntGetSExtValue(value) == number;
}

static LLVMValueRef add(Kernel *k, LLVMValueRef a, LLVMValueRef b) {
    if (k->dry) return NULL;
    if (is_number(a, 0)) return b;
    if (is_number(b, 0)) return a;
    return LLVMBuildAdd(k->e->builder, a, b, "");
}

static LLVMValueRef multiply(Kernel *k, LLVMValueRef a, LLVMValueRef b) {
    if (k->dry) return NULL;
    if (is_number(a, 1) || is_number(b, 0)) return b;
    if (is_number(b, 1) || is_number(a, 0)) return a;
    return LLVMBuildMul(k->e->builder, a, b, "");
}

static LLVMValueRef lanes_of(Kernel *k, Index a, uint32_t lanes) {
    return k->dry ? NULL : access_lanes(k->e, a, lanes);
}

static bool is_zero(Index a) { return !a.vector && a.step == 0 && is_number(a.base, 0); }

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

Index index_add(Kernel *k, Index a, Index b, uint32_t lanes) {
    if (is_zero(a)) return b;
    if (is_zero(b)) return a;
    if (!a.vector && !b.vector && (a.step == 0 || b.step == 0 || a.repeat == b.repeat))
        return (Index){.base = add(k, a.base, b.base),
                       .step = a.step + b.step,
                       .repeat = a.step ? a.repeat : b.repeat,
                       .align = a.align == b.align ? a.align : 0};
    return (Index){.base = add(k, lanes_of(k, a, lanes), lanes_of(k, b, lanes)), .vector = true};
}

Index index_scale(Kernel *k, Index a, const Dim *by, uint32_t lanes) {
    int64_t constant, step;
    if (dim_is(by, 1)) return a;
    LLVMValueRef factor = k->dry ? NULL : kernel_size(k, by);
    if (!a.vector && a.step == 0) return (Index){.base = multiply(k, a.base, factor), .align = a.align};
    if (!a.vector && dim_is_const(by, &constant) && !__builtin_mul_overflow(a.step, constant, &step))
        return (Index){.base = multiply(k, a.base, factor),
                       .step = step,
                       .repeat = a.repeat,
                       .align = least(a.align, 1)};
    LLVMValueRef all = k->dry ? NULL : emit_splat(k->e, factor, lanes);
    return (Index){.base = multiply(k, lanes_of(k, a, lanes), all), .vector = true};
}

/* Do all lanes fall into one block of `by` elements? */
static bool stays_inside(Index a, const Dim *by, uint32_t lanes) {
    int64_t size;
    return !a.vector && a.step == 1 && a.repeat <= 1 && a.align >= lanes && a.align % lanes == 0 &&
           dim_is_const(by, &size) && size % (int64_t)lanes == 0;
}

/* Do lanes begin with a block of `by` elements and end with one? */
static bool holds_blocks(Index a, const Dim *by, uint32_t lanes) {
    int64_t size;
    return !a.vector && a.step == 1 && a.repeat <= 1 && a.align && dim_is_const(by, &size) && size > 0 &&
           a.align % size == 0 && lanes % size == 0;
}

/* 0 … size - 1, again and again. */
static LLVMValueRef in_turn(Kernel *k, int64_t size, uint32_t lanes) {
    if (k->dry) return NULL;
    LLVMValueRef *lane = ARENA_ARRAY(k->arena, LLVMValueRef, lanes);
    for (uint32_t l = 0; l < lanes; l++) lane[l] = emit_i64(k->e, l % size);
    return LLVMConstVector(lane, lanes);
}

/* An element that is masked off may be of a shape without elements: dividing by its size must not trap. */
static LLVMValueRef divisor_of(Kernel *k, const Dim *by) {
    LLVMValueRef size = kernel_size(k, by), one = emit_i64(k->e, 1);
    if (LLVMIsAConstantInt(size)) return is_number(size, 0) ? one : size;
    return LLVMBuildSelect(k->e->builder, LLVMBuildICmp(k->e->builder, LLVMIntSGT, size, one, ""), size, one,
                           "");
}

static LLVMValueRef divide(Kernel *k, LLVMValueRef a, const Dim *by, bool rest) {
    if (k->dry) return NULL;
    LLVMValueRef divisor = emit_splat(k->e, divisor_of(k, by), emit_lane_count(a));
    return rest ? LLVMBuildURem(k->e->builder, a, divisor, "") : LLVMBuildUDiv(k->e->builder, a, divisor, "");
}

Index index_div(Kernel *k, Index a, const Dim *by, uint32_t lanes) {
    if (dim_is(by, 1)) return a;
    bool uniform = !a.vector && (a.step == 0 || stays_inside(a, by, lanes));
    bool blocks = !uniform && holds_blocks(a, by, lanes);
    k->splits += uniform || blocks ? SPLIT_UNIFORM : SPLIT_VECTOR;
    if (blocks) {
        int64_t size = 0;
        dim_is_const(by, &size);
        return (Index){.base = divide(k, a.base, by, false), .step = 1, .repeat = (uint32_t)size};
    }
    if (uniform) return index_of(divide(k, a.base, by, false));
    return (Index){.base = divide(k, lanes_of(k, a, lanes), by, false), .vector = true};
}

Index index_mod(Kernel *k, Index a, const Dim *by, uint32_t lanes) {
    if (dim_is(by, 1)) return index_const(k, 0);
    bool inside = stays_inside(a, by, lanes);
    if (!a.vector && (a.step == 0 || inside))
        return (Index){.base = divide(k, a.base, by, true), .step = a.step, .align = inside ? lanes : 0};
    int64_t size;
    if (holds_blocks(a, by, lanes) && dim_is_const(by, &size))
        return (Index){.base = in_turn(k, size, lanes), .vector = true};
    return (Index){.base = divide(k, lanes_of(k, a, lanes), by, true), .vector = true};
}

LLVMValueRef index_inside(Kernel *k, Index a, LLVMValueRef low, LLVMValueRef high, uint32_t lanes) {
    if (k->dry) return NULL;
    bool uniform = !a.vector && a.step == 0;
    LLVMValueRef number = uniform ? a.base : access_lanes(k->e, a, lanes);
    uint32_t count = emit_lane_count(number);
    LLVMBuilderRef b = k->e->builder;
    return LLVMBuildAnd(b, LLVMBuildICmp(b, LLVMIntSGE, number, emit_splat(k->e, low, count), ""),
                        LLVMBuildICmp(b, LLVMIntSLT, number, emit_splat(k->e, high, count), ""), "");
}

/* --- indices over shapes */
static Index linear(Kernel *k, const At *at, uint32_t first, uint32_t end) {
    Index sum = index_const(k, 0);
    bool empty = true;
    for (uint32_t d = first; d < end; d++) {
        if (dim_is(at->dims[d], 1)) continue;
        if (!empty) sum = index_scale(k, sum, at->dims[d], at->lanes);
        sum = empty ? at->index[d] : index_add(k, sum, at->index[d], at->lanes);
        empty = false;
    }
    return sum;
}

Index at_linear(Kernel *k, const At *at) { return linear(k, at, 0, at->rank); }

typedef struct {
    Kernel *k;
    const Dim *const *dims;
    uint32_t lanes, boundaries, count;
    AxisSpan *spans;
} Splitting;

static void push_span(Splitting *s, uint32_t first, uint32_t end, Index index) {
    const Dim *size = kernel_product(s->k, end - first, s->dims + first);
    s->spans[s->count++] = (AxisSpan){first, end, size, index};
}

/* Cuts axes [first, end), which have one number, at the boundaries. */
static void split_run(Splitting *s, uint32_t first, uint32_t end, Index index) {
    uint32_t from = s->count, start = first, real = 0;
    for (uint32_t b = first + 1; b <= end; b++) {
        if (b < end && !(s->boundaries >> b & 1)) continue;
        push_span(s, start, b, index_const(s->k, 0));
        start = b;
    }
    for (uint32_t i = from; i < s->count; i++) real += !dim_is(s->spans[i].size, 1);
    /* From the innermost outwards; the outermost gets what is left. */
    for (uint32_t i = s->count; i-- > from && real > 0;) {
        if (dim_is(s->spans[i].size, 1)) continue;
        s->spans[i].index = real == 1 ? index : index_mod(s->k, index, s->spans[i].size, s->lanes);
        if (real > 1) index = index_div(s->k, index, s->spans[i].size, s->lanes);
        real--;
    }
}

/* The fewest axes of both shapes, from *i and *j on, that hold equally many elements: up to *i and *j. */
static void match_run(Kernel *k, const At *at, uint32_t rank, const Dim *const *dims, uint32_t *i,
                      uint32_t *j) {
    for (uint32_t x = *i + 1; x <= at->rank; x++) {
        const Dim *size = kernel_product(k, x - *i, at->dims + *i);
        for (uint32_t y = *j + 1; y <= rank; y++)
            if (size == kernel_product(k, y - *j, dims + *j)) {
                *i = x;
                *j = y;
                return;
            }
    }
    *i = at->rank;
    *j = rank;
}

uint32_t at_spans(Kernel *k, const At *at, uint32_t rank, const Dim *const *dims, uint32_t boundaries,
                  AxisSpan *spans) {
    Splitting s = {k, dims, at->lanes, boundaries, 0, spans};
    for (uint32_t i = 0, j = 0;;) {
        while (i < at->rank && dim_is(at->dims[i], 1)) i++;
        while (j < rank && (dim_is(dims[j], 1) || i == at->rank)) {
            push_span(&s, j, j + 1, index_const(k, 0));
            j++;
        }
        if (j == rank) break;
        uint32_t first = i, start = j;
        match_run(k, at, rank, dims, &i, &j);
        split_run(&s, start, j, linear(k, at, first, i));
    }
    return s.count;
}

bool at_is_uniform(const At *at) {
    for (uint32_t d = 0; d < at->rank; d++)
        if (at->index[d].vector || at->index[d].step != 0) return false;
    return true;
}

static LLVMValueRef both(Kernel *k, LLVMValueRef a, LLVMValueRef b) {
    if (!a || !b) return a ? a : b;
    uint32_t lanes = emit_lane_count(a) > emit_lane_count(b) ? emit_lane_count(a) : emit_lane_count(b);
    if (emit_lane_count(a) != lanes) a = emit_splat(k->e, a, lanes);
    if (emit_lane_count(b) != lanes) b = emit_splat(k->e, b, lanes);
    return LLVMBuildAnd(k->e->builder, a, b, "");
}

LLVMValueRef at_mask(Kernel *k, const At *at) { return both(k, at->tail, at->mask); }

At at_child(const At *at) { return (At){.lanes = at->lanes, .tail = at->tail, .mask = at->mask}; }

void at_push(At *at, const Dim *size, Index index) {
    assert(at->rank < MAX_RANK);
    at->dims[at->rank] = size;
    at->index[at->rank++] = index;
}

void at_restrict(Kernel *k, At *at, LLVMValueRef condition) {
    if (!k->dry) at->mask = both(k, at->mask, condition);
}
