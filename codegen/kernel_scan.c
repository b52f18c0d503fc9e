/* Kernels of kind scan: along one axis, in order, each element of the result from the one before it. Lines
 * along the axis are independent: they are cut into chunks, and where there are axes within them lanes are
 * lines side by side. Floats are added and multiplied in f64, so that long lines lose nothing. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include <assert.h>
#include <math.h>

enum { OUTER, ALONG, INNER };

typedef struct {
    const Node *node;
    Space space;             /* [outer, along, inner] */
    uint32_t count, axes[2]; /* of the space: those that number the lines */
} Scan;

/* --- what is carried from one element to the next */
static bool is_extreme(Op op) { return op == OP_cumulative_max || op == OP_cumulative_min; }

static DType carried_dtype(const Node *node) {
    DType dtype = node->results[0]->type->dtype;
    return dtype_is_float(dtype) && !is_extreme(node->op) ? DTYPE_f64 : dtype;
}

static LLVMTypeRef carried_type(Kernel *k, const Node *node, uint32_t lanes) {
    return emit_lanes(emit_register_type(k->e, carried_dtype(node)), lanes);
}

/* To f64 for the way, and back. */
static LLVMValueRef convert(Kernel *k, LLVMValueRef value, DType dtype) {
    if (!dtype_is_float(dtype)) return value;
    LLVMTypeRef type = emit_lanes(emit_register_type(k->e, dtype), emit_lane_count(value));
    return LLVMBuildFPCast(k->e->builder, value, type, "");
}

static LLVMValueRef next_of(Kernel *k, const Node *node, LLVMValueRef before, LLVMValueRef first,
                            const At *at) {
    LLVMBuilderRef b = k->e->builder;
    DType dtype = carried_dtype(node);
    LLVMValueRef x = convert(k, value_at(k, node->operands[0], at), dtype), next;
    switch ((int)node->op) {
    case OP_cumulative_sum: next = emit_combine(k->e, OP_add, dtype, before, x); break;
    case OP_cumulative_prod: next = emit_combine(k->e, OP_mul, dtype, before, x); break;
    case OP_cumulative_max: next = emit_combine(k->e, OP_max, dtype, before, x); break;
    case OP_cumulative_min: next = emit_combine(k->e, OP_min, dtype, before, x); break;
    default: {
        LLVMValueRef addend = convert(k, value_at(k, node->operands[1], at), dtype);
        next = emit_combine(k->e, OP_mul, dtype, x, before);
        next = emit_combine(k->e, OP_add, dtype, next, addend);
        x = addend;
    }
    }
    return LLVMBuildSelect(b, first, x, next, "");
}

/* --- a line, or lanes of them */
typedef struct {
    Kernel *k;
    const At *line;
    LLVMValueRef carried; /* stack slot */
} Line;

static void line_step(Emit *e, LLVMValueRef index, void *user) {
    const Line *line = user;
    Kernel *k = line->k;
    const Node *node = ((const Scan *)k->plan)->node;
    const Scope *outer = scope_open(k);
    At at = *line->line;
    at.index[ALONG] = index_of(index);
    const At *kept = at_keep(k, &at);
    LLVMValueRef before = LLVMBuildLoad2(e->builder, carried_type(k, node, at.lanes), line->carried, "");
    LLVMValueRef first = LLVMBuildICmp(e->builder, LLVMIntEQ, index, emit_i64(e, 0), "");
    LLVMValueRef next = next_of(k, node, before, first, kept);
    LLVMBuildStore(e->builder, next, line->carried);
    DType dtype = node->results[0]->type->dtype;
    LLVMValueRef value = convert(k, next, dtype);
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++) store_result(k, i, kept, value);
    scope_close(k, outer);
}

static void emit_line(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy, (void)user;
    const Scan *s = k->plan;
    LLVMTypeRef type = carried_type(k, s->node, at->lanes);
    Line line = {k, at, emit_alloca(k->e, type, "carried")};
    LLVMBuildStore(k->e->builder, LLVMConstNull(type), line.carried);
    emit_loop(k->e, emit_i64(k->e, 0), kernel_size(k, s->space.dims[ALONG]), 1, "along", line_step, &line);
}

/* --- chunks of lines */
static bool in_lanes(const Scan *s) { return s->count && s->axes[s->count - 1] == INNER; }

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
    return chunks_of(k, units, unit, s->count == 1 ? nest.lanes : 1, 0);
}

static LLVMValueRef scan_count(Kernel *k) { return line_chunks(k).count; }

static void scan_body(Kernel *k, LLVMValueRef chunk) {
    Nest nest = nest_of(k, k->plan);
    Chunks chunks = line_chunks(k);
    chunk_range(k, &chunks, chunk, &nest.from, &nest.to);
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
