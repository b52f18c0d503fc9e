/* Kernels of kind scan: along one axis, in order, each element of the result from the one before it. Lines
 * along the axis are independent: they are cut into chunks, and lanes are lines: side by side where there are
 * axes within them, else by transposing squares. Floats are added and multiplied in f64, so that long lines
 * lose nothing. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include "codegen/transpose.h"
#include <assert.h>

enum { OUTER, ALONG, INNER };

typedef struct {
    const Node *node;
    Space space;             /* [outer, along, inner] */
    uint32_t count, axes[2]; /* of the space: those that number the lines */
} Scan;

static bool in_lanes(const Scan *s) { return s->count && s->axes[s->count - 1] == INNER; }

/* Lanes along a line, where lines lie one behind the other. */
static uint32_t square_lanes(const Kernel *k) {
    const Scan *s = k->plan;
    uint32_t lanes = lanes_for(k, s->space.dims[ALONG]);
    uint32_t most = k->e->target.vector_bytes / dtype_bytes(s->node->results[0]->type->dtype);
    if (lanes > most) lanes = most;
    return lanes < 2 ? 2 : lanes;
}

/* --- what is carried from one element to the next. Floats are f64. Extremes of floats are integers in the
 * same order: one instruction each, where what NaN and the zeros need are half a dozen that wait for each
 * other. */
static Op combine_of(const Node *node) {
    switch ((int)node->op) {
    case OP_cumulative_prod: return OP_mul;
    case OP_cumulative_max: return OP_max;
    case OP_cumulative_min: return OP_min;
    default: return OP_add;
    }
}

static bool is_extreme(const Node *node) {
    return node->op == OP_cumulative_max || node->op == OP_cumulative_min;
}

static DType carried_dtype(const Node *node) {
    DType dtype = node->results[0]->type->dtype;
    if (!dtype_is_float(dtype)) return dtype;
    if (!is_extreme(node)) return DTYPE_f64;
    return dtype == DTYPE_f64 ? DTYPE_i64 : DTYPE_i32;
}

static LLVMTypeRef carried_type(Kernel *k, const Node *node, uint32_t lanes) {
    return emit_lanes(emit_register_type(k->e, carried_dtype(node)), lanes);
}

/* The bits of a float as an integer that grows with it, -0 below +0; of such an integer the bits. Below zero
 * all but the sign are reversed. */
static LLVMValueRef reorder(Kernel *k, DType dtype, LLVMValueRef bits) {
    LLVMBuilderRef b = k->e->builder;
    LLVMTypeRef type = emit_register_type(k->e, dtype);
    uint32_t lanes = emit_lane_count(bits);
    LLVMValueRef sign = LLVMConstInt(type, 8 * dtype_bytes(dtype) - 1, false);
    LLVMValueRef below = LLVMBuildAShr(b, bits, emit_splat(k->e, sign, lanes), "");
    LLVMValueRef others = emit_splat(k->e, fold_identity(k, OP_min, dtype), lanes);
    return LLVMBuildXor(b, bits, LLVMBuildAnd(b, below, others, ""), "");
}

static LLVMValueRef to_carried(Kernel *k, const Node *node, LLVMValueRef x) {
    LLVMBuilderRef b = k->e->builder;
    DType dtype = carried_dtype(node);
    uint32_t lanes = emit_lane_count(x);
    LLVMTypeRef type = carried_type(k, node, lanes);
    if (!dtype_is_float(node->results[0]->type->dtype)) return x;
    if (!is_extreme(node)) return LLVMBuildFPCast(b, x, type, "");
    LLVMValueRef beyond = fold_identity(k, node->op == OP_cumulative_max ? OP_min : OP_max, dtype);
    LLVMValueRef number = reorder(k, dtype, LLVMBuildBitCast(b, x, type, ""));
    LLVMValueRef nan = LLVMBuildFCmp(b, LLVMRealUNO, x, x, "");
    return LLVMBuildSelect(b, nan, emit_splat(k->e, beyond, lanes), number, "");
}

static LLVMValueRef from_carried(Kernel *k, const Node *node, LLVMValueRef x) {
    DType dtype = node->results[0]->type->dtype;
    LLVMTypeRef type = emit_lanes(emit_register_type(k->e, dtype), emit_lane_count(x));
    if (!dtype_is_float(dtype)) return x;
    if (!is_extreme(node)) return LLVMBuildFPCast(k->e->builder, x, type, "");
    return LLVMBuildBitCast(k->e->builder, reorder(k, carried_dtype(node), x), type, "");
}

/* A stack slot with what leaves the first element as it is: of sums it is -0, for the sake of -0. */
static LLVMValueRef carry(Kernel *k, const Node *node, uint32_t lanes) {
    LLVMTypeRef one = carried_type(k, node, 1);
    Op combine = combine_of(node);
    bool zero = combine == OP_add && carried_dtype(node) == DTYPE_f64;
    LLVMValueRef start = zero ? LLVMConstReal(one, -0.0) : fold_identity(k, combine, carried_dtype(node));
    LLVMValueRef slot = emit_alloca(k->e, carried_type(k, node, lanes), "carried");
    LLVMBuildStore(k->e->builder, emit_splat(k->e, start, lanes), slot);
    return slot;
}

/* The next element, of what is carried and of the operands' next ones. */
static LLVMValueRef step(Kernel *k, LLVMValueRef carried, LLVMValueRef first, const LLVMValueRef *operands) {
    LLVMBuilderRef b = k->e->builder;
    const Node *node = ((const Scan *)k->plan)->node;
    DType dtype = carried_dtype(node);
    LLVMTypeRef type = carried_type(k, node, emit_lane_count(operands[0]));
    LLVMValueRef before = LLVMBuildLoad2(b, type, carried, ""), x = to_carried(k, node, operands[0]);
    if (node->op == OP_linear_recurrence) {
        /* The first factor isn't used. */
        if (first) x = LLVMBuildSelect(b, first, LLVMConstNull(type), x, "");
        before = emit_combine(k->e, OP_mul, dtype, x, before);
        x = to_carried(k, node, operands[1]);
    }
    LLVMValueRef next = emit_combine(k->e, combine_of(node), dtype, before, x);
    LLVMBuildStore(b, next, carried);
    return from_carried(k, node, next);
}

static LLVMValueRef is_first(Kernel *k, LLVMValueRef index) {
    return LLVMBuildICmp(k->e->builder, LLVMIntEQ, index, emit_i64(k->e, 0), "");
}

static void store_results(Kernel *k, const At *at, LLVMValueRef value) {
    for (uint32_t i = 0; i < kernel_yield(k)->operand_count; i++) store_result(k, i, at, value);
}

/* --- lanes are lines side by side */
typedef struct {
    Kernel *k;
    const At *line;
    LLVMValueRef carried; /* stack slot */
} Line;

static void line_step(Emit *e, LLVMValueRef index, void *user) {
    (void)e;
    const Line *line = user;
    Kernel *k = line->k;
    const Node *node = ((const Scan *)k->plan)->node;
    const Scope *outer = scope_open(k);
    At at = *line->line;
    at.index[ALONG] = index_of(index);
    const At *kept = at_keep(k, &at);
    LLVMValueRef operands[2];
    for (uint32_t i = 0; i < node->operand_count; i++) operands[i] = value_at(k, node->operands[i], kept);
    store_results(k, kept, step(k, line->carried, is_first(k, index), operands));
    scope_close(k, outer);
}

static void emit_line(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy, (void)user;
    const Scan *s = k->plan;
    Line line = {k, at, carry(k, s->node, at->lanes)};
    emit_loop(k->e, emit_i64(k->e, 0), kernel_size(k, s->space.dims[ALONG]), 1, "along", line_step, &line);
}

/* --- lines one behind the other: several at once, by squares. Rows of a square are computed by vectors along
 * the lines, and turned in registers so that lanes are lines. The last lines are done one by one: a square of
 * few takes longer. */
typedef struct {
    Kernel *k;
    uint32_t rows, lanes;    /* as many rows as lanes, or one */
    LLVMValueRef first, end; /* of the lines */
    LLVMValueRef carried;    /* stack slot */
    LLVMValueRef square[2];  /* likewise: of the operands, then of the results */
    const At *at;            /* of a row, but for its line */
} Square;

static LLVMTypeRef row_type(const Square *s) {
    DType dtype = ((const Scan *)s->k->plan)->node->results[0]->type->dtype;
    return emit_lanes(emit_register_type(s->k->e, dtype), s->lanes);
}

static LLVMValueRef row_pointer(const Square *s, uint32_t operand, LLVMValueRef row) {
    return LLVMBuildInBoundsGEP2(s->k->e->builder, row_type(s), s->square[operand], &row, 1, "");
}

/* Rows behind the last line are once more that line. */
static const At *row_at(const Square *s, LLVMValueRef row) {
    LLVMBuilderRef b = s->k->e->builder;
    LLVMValueRef line = LLVMBuildAdd(b, s->first, row, "");
    LLVMValueRef last = LLVMBuildSub(b, s->end, emit_i64(s->k->e, 1), "");
    At at = *s->at;
    at.index[OUTER] = index_of(s->rows > 1 ? emit_combine(s->k->e, OP_min, DTYPE_i64, line, last) : line);
    return at_keep(s->k, &at);
}

static void read_row(Emit *e, LLVMValueRef row, void *user) {
    const Square *s = user;
    Kernel *k = s->k;
    const Node *node = ((const Scan *)k->plan)->node;
    const Scope *outer = scope_open(k);
    const At *at = row_at(s, row);
    for (uint32_t i = 0; i < node->operand_count; i++)
        LLVMBuildStore(e->builder, value_at(k, node->operands[i], at), row_pointer(s, i, row));
    scope_close(k, outer);
}

static void write_row(Emit *e, LLVMValueRef row, void *user) {
    const Square *s = user;
    const Scope *outer = scope_open(s->k);
    LLVMValueRef value = LLVMBuildLoad2(e->builder, row_type(s), row_pointer(s, 0, row), "");
    store_results(s->k, row_at(s, row), value);
    scope_close(s->k, outer);
}

/* The columns of a square, an element for each line. */
static void read_columns(const Square *s, uint32_t operand, LLVMValueRef *column) {
    Emit *e = s->k->e;
    for (uint32_t r = 0; r < s->rows; r++)
        column[r] = LLVMBuildLoad2(e->builder, row_type(s), row_pointer(s, operand, emit_i64(e, r)), "");
    if (s->rows > 1) {
        transpose_lanes(e, column, s->lanes);
        return;
    }
    for (uint32_t c = s->lanes; c-- > 0;)
        column[c] = LLVMBuildExtractElement(e->builder, column[0], emit_i64(e, c), "");
}

static void write_columns(const Square *s, LLVMValueRef *column) {
    Emit *e = s->k->e;
    if (s->rows > 1) {
        transpose_lanes(e, column, s->lanes);
    } else {
        LLVMValueRef row = LLVMGetPoison(row_type(s));
        for (uint32_t c = 0; c < s->lanes; c++)
            row = LLVMBuildInsertElement(e->builder, row, column[c], emit_i64(e, c), "");
        column[0] = row;
    }
    for (uint32_t r = 0; r < s->rows; r++)
        LLVMBuildStore(e->builder, column[r], row_pointer(s, 0, emit_i64(e, r)));
}

static void emit_square(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy;
    Square s = *(const Square *)user;
    const Node *node = ((const Scan *)k->plan)->node;
    LLVMValueRef column[2][VECTOR_MAX_LANES] = {{0}}, zero = emit_i64(k->e, 0), rows = emit_i64(k->e, s.rows);
    s.at = at;
    emit_loop(k->e, zero, rows, 1, "read", read_row, &s);
    for (uint32_t i = 0; i < node->operand_count; i++) read_columns(&s, i, column[i]);
    for (uint32_t c = 0; c < s.lanes; c++) {
        LLVMValueRef operands[2] = {column[0][c], column[1][c]};
        column[0][c] = step(k, s.carried, c ? NULL : is_first(k, at->index[ALONG].base), operands);
    }
    write_columns(&s, column[0]);
    emit_loop(k->e, zero, rows, 1, "write", write_row, &s);
}

static void emit_lines(Emit *e, LLVMValueRef first, void *user) {
    Square s = *(const Square *)user;
    Kernel *k = s.k;
    const Scan *scan = k->plan;
    s.first = first;
    s.carried = carry(k, scan->node, s.rows);
    for (uint32_t i = 0; i < scan->node->operand_count; i++)
        s.square[i] = emit_alloca(e, LLVMArrayType2(row_type(&s), s.rows), "square");
    nest_emit(k, &(Nest){.frame = space_origin(k, &scan->space),
                         .count = 1,
                         .axes = {ALONG},
                         .lanes = s.lanes,
                         .unroll = 1,
                         .from = emit_i64(e, 0),
                         .to = kernel_size(k, scan->space.dims[ALONG]),
                         .body = emit_square,
                         .user = &s});
}

/* Lines [from, to). */
static void emit_squares(Kernel *k, LLVMValueRef from, LLVMValueRef to) {
    LLVMBuilderRef b = k->e->builder;
    uint32_t lanes = square_lanes(k), few = lanes / 4;
    LLVMValueRef size = emit_i64(k->e, lanes), limit = LLVMBuildSub(b, to, emit_i64(k->e, few), "");
    Square s = {.k = k, .rows = lanes, .lanes = lanes, .end = to};
    emit_loop(k->e, from, limit, lanes, "lines", emit_lines, &s);
    /* Squares up to the limit, whose last one may reach beyond. */
    LLVMValueRef wide = LLVMBuildAdd(b, LLVMBuildSub(b, limit, from, ""), emit_i64(k->e, lanes - 1), "");
    LLVMValueRef done = LLVMBuildMul(b, LLVMBuildSDiv(b, wide, size, ""), size, "");
    s.rows = 1;
    emit_loop(k->e, LLVMBuildAdd(b, from, done, ""), to, 1, "line", emit_lines, &s);
}

/* --- chunks of lines */
static Nest nest_of(Kernel *k, const Scan *s) {
    Nest nest = {.frame = space_origin(k, &s->space), .count = s->count, .lanes = 1, .unroll = 1};
    memcpy(nest.axes, s->axes, sizeof s->axes);
    if (in_lanes(s)) nest.lanes = lanes_for(k, s->space.dims[INNER]);
    return nest;
}

static Chunks line_chunks(Kernel *k) {
    const Scan *s = k->plan;
    IrContext *ir = k->e->ir;
    Nest nest = nest_of(k, s);
    const Dim *units = s->count ? nest_range(k, &nest.frame, s->count, s->axes) : dim_const(ir, 1);
    const Dim *unit = s->space.dims[ALONG];
    if (s->count > 1) unit = dim_mul(ir, unit, s->space.dims[INNER]);
    int64_t lines;
    uint32_t multiple = s->count == 1 ? nest.lanes : 1, square = square_lanes(k);
    /* Few lines are rather cut into many chunks than into full squares. */
    if (!in_lanes(s) && dim_is_const(units, &lines) && lines >= 4 * square) multiple = square;
    return chunks_of(k, units, unit, multiple, 0);
}

static LLVMValueRef scan_count(Kernel *k) { return line_chunks(k).count; }

static void scan_body(Kernel *k, LLVMValueRef chunk) {
    Nest nest = nest_of(k, k->plan);
    Chunks chunks = line_chunks(k);
    chunk_range(k, &chunks, chunk, &nest.from, &nest.to);
    if (!in_lanes(k->plan)) {
        emit_squares(k, nest.from, nest.to);
        return;
    }
    nest.body = emit_line;
    nest_emit(k, &nest);
}

static uint32_t scan_stages(Kernel *k, Stage *out) {
    Scan *s = ARENA_NEW(k->arena, Scan);
    s->node = kernel_yield(k)->operands[0]->node;
    assert(op_has(s->node->op, TRAIT_SCANS));
    const Type *type = s->node->results[0]->type;
    uint32_t axis = (uint32_t)node_int(s->node, ATTR_axis);
    s->space.rank = 3;
    s->space.dims[OUTER] = kernel_product(k, axis, type->dims);
    s->space.dims[ALONG] = type->dims[axis];
    s->space.dims[INNER] = kernel_product(k, type->rank - axis - 1, type->dims + axis + 1);
    if (!dim_is(s->space.dims[OUTER], 1)) s->axes[s->count++] = OUTER;
    if (!dim_is(s->space.dims[INNER], 1)) s->axes[s->count++] = INNER;
    k->plan = s;
    out[0] = (Stage){scan_count, scan_body};
    return 1;
}

const KernelKind kernel_scan = {.name = "scan", .stages = scan_stages};
