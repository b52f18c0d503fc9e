/* Kernels of kind scatter: the first stage makes the result equal to the base, unless plan has put it where
 * the base lies; the second adds or writes the part. Parts that may meet in one element are added in order,
 * by one thread: threads share out what is outside and, where nothing is, what is inside of the axis. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include <assert.h>

typedef struct {
    const Node *node;
    Space copy, part;
    uint32_t inner; /* the last axis of `part`; those between the first and it number ids */
} Scatter;

static Roots root(Kernel *k, const Value *value) {
    Roots roots = {0};
    vec_push(k->arena, &roots, value);
    return roots;
}

static Nest nest_over(Kernel *k, const Space *space, uint32_t first) {
    Nest nest = {.frame = space_origin(k, space), .lanes = 1, .unroll = 1};
    for (uint32_t d = first; d < space->rank; d++) nest.axes[nest.count++] = d;
    if (nest.count) nest.lanes = lanes_for(k, space->dims[space->rank - 1]);
    return nest;
}

/* Chunks over a whole space, elementwise. */
static Chunks space_chunks(Kernel *k, const Space *space) {
    Nest nest = nest_over(k, space, 0);
    const Dim *units = nest_range(k, &nest.frame, nest.count, nest.axes), *one = dim_const(k->e->ir, 1);
    bool lines = nest.count > 1;
    return chunks_of(k, units, lines ? space->dims[space->rank - 1] : one, lines ? 1 : k->lanes, 0);
}

static void emit_space(Kernel *k, const Space *space, LLVMValueRef chunk, NestBody *body) {
    Nest nest = nest_over(k, space, 0);
    Chunks chunks = space_chunks(k, space);
    chunk_range(k, &chunks, chunk, &nest.from, &nest.to);
    nest.body = body;
    nest_emit(k, &nest);
}

/* --- the base */
static LLVMValueRef copy_count(Kernel *k) { return space_chunks(k, &((const Scatter *)k->plan)->copy).count; }

static void copy_element(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy, (void)user;
    const Scatter *s = k->plan;
    store_result(k, 0, at, value_at(k, s->node->operands[0], at));
}

static void copy_body(Kernel *k, LLVMValueRef chunk) {
    emit_space(k, &((const Scatter *)k->plan)->copy, chunk, copy_element);
}

/* A scalar operand in [0, last]. */
static LLVMValueRef clamped(Kernel *k, const Value *value, const At *at, LLVMValueRef last) {
    LLVMValueRef number = value_at(k, value, at);
    LLVMTypeRef i64 = LLVMInt64TypeInContext(k->e->llvm);
    number = LLVMBuildIntCast2(k->e->builder, number, i64, dtype_class(value->type->dtype) == CLASS_INT, "");
    number = emit_combine(k->e, OP_min, DTYPE_i64, number, last);
    return emit_combine(k->e, OP_max, DTYPE_i64, number, emit_i64(k->e, 0));
}

/* --- update_slice */
static LLVMValueRef part_count(Kernel *k) { return space_chunks(k, &((const Scatter *)k->plan)->part).count; }

/* The start along the axis of a span, as a number of elements along the span. */
static Index start_along(Kernel *k, const Node *node, const AxisSpan *span) {
    const Attr *axes = node_attr(node, ATTR_axes);
    const Type *x = node->operands[0]->type, *part = node->operands[1]->type;
    At scalar = {.lanes = 1};
    for (uint32_t i = 0; i < axes->count; i++) {
        uint32_t d = (uint32_t)axes->ints[i];
        if (d != span->first) continue;
        LLVMValueRef last =
            LLVMBuildSub(k->e->builder, kernel_size(k, x->dims[d]), kernel_size(k, part->dims[d]), "");
        Index start = index_of(clamped(k, node->operands[2 + i], at_keep(k, &scalar), last));
        return index_scale(k, start,
                           kernel_product(k, span->end - span->first - 1, x->dims + span->first + 1), 1);
    }
    return index_const(k, 0);
}

static void write_element(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy, (void)user;
    const Scatter *s = k->plan;
    const Type *x = s->node->operands[0]->type, *part = s->node->operands[1]->type;
    AxisSpan spans[MAX_RANK];
    uint32_t count = at_spans(k, at, part->rank, part->dims, attr_bits(node_attr(s->node, ATTR_axes)), spans);
    At target = at_child(at);
    for (uint32_t i = 0; i < count; i++) {
        const Dim *size = kernel_product(k, spans[i].end - spans[i].first, x->dims + spans[i].first);
        at_push(&target, size, index_add(k, spans[i].index, start_along(k, s->node, &spans[i]), at->lanes));
    }
    store_result(k, 0, &target, value_at(k, s->node->operands[1], at));
}

static void write_body(Kernel *k, LLVMValueRef chunk) {
    emit_space(k, &((const Scatter *)k->plan)->part, chunk, write_element);
}

/* Loops never run across a moved axis. */
static Space part_space(Kernel *k, const Node *node) {
    const Type *part = node->operands[1]->type;
    uint32_t moved = attr_bits(node_attr(node, ATTR_axes)), kind = 0;
    for (uint32_t d = 0; d < part->rank; d++) {
        bool other = d > 0 && (kind >> (d - 1) & 1);
        if (moved >> d & 1) other = !other;
        kind |= (uint32_t)other << d;
    }
    Roots roots = root(k, node->operands[1]);
    return space_choose(k, part->rank, part->dims, kind, &roots);
}

/* --- scatter_add and scatter: the part as [outer, ids…, inner] */
static bool cuts_inner(const Scatter *s) { return dim_is(s->part.dims[0], 1); }

static Chunks add_chunks(Kernel *k) {
    const Scatter *s = k->plan;
    const Dim *ids = kernel_product(k, s->inner - 1, s->part.dims + 1), *inner = s->part.dims[s->inner];
    if (cuts_inner(s)) return chunks_of(k, inner, ids, 4 * k->lanes, 0);
    return chunks_of(k, s->part.dims[0], dim_mul(k->e->ir, ids, inner), 1, 0);
}

static LLVMValueRef add_count(Kernel *k) { return add_chunks(k).count; }

static void add_element(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy;
    const Scatter *s = k->plan;
    const LLVMValueRef *id = user;
    At target = at_child(at);
    const Dim *size = s->node->results[0]->type->dims[node_int(s->node, ATTR_axis)];
    at_push(&target, s->part.dims[0], at->index[0]);
    at_push(&target, size, index_of(*id));
    at_push(&target, s->part.dims[s->inner], at->index[s->inner]);
    LLVMValueRef part = value_at(k, s->node->operands[2], at);
    if (s->node->op == OP_scatter) {
        store_result(k, 0, &target, part);
        return;
    }
    LLVMValueRef sum = load_result(k, 0, &target);
    DType dtype = s->node->results[0]->type->dtype;
    store_result(k, 0, &target, emit_combine(k->e, OP_add, dtype, sum, part));
}

typedef struct {
    Kernel *k;
    LLVMValueRef from, to; /* inside of the axis */
    LLVMValueRef index[MAX_RANK];
    uint32_t count; /* of indices so far */
} Adding;

/* What goes to one place of the axis. */
static void add_row(const Adding *a) {
    Kernel *k = a->k;
    const Scatter *s = k->plan;
    const Type *type = s->node->results[0]->type;
    At at = {.lanes = 1};
    for (uint32_t d = 1; d < s->inner; d++) at_push(&at, s->part.dims[d], index_of(a->index[d]));
    LLVMValueRef size = kernel_size(k, type->dims[node_int(s->node, ATTR_axis)]);
    LLVMValueRef last = LLVMBuildSub(k->e->builder, size, emit_i64(k->e, 1), "");
    LLVMValueRef id = clamped(k, s->node->operands[1], at_keep(k, &at), last);
    Nest nest = {.frame = space_origin(k, &s->part),
                 .count = 1,
                 .axes = {s->inner},
                 .unroll = 1,
                 .body = add_element,
                 .user = &id};
    nest.lanes = lanes_for(k, s->part.dims[s->inner]);
    for (uint32_t d = 0; d < s->inner; d++) nest.frame.index[d] = index_of(a->index[d]);
    nest.from = a->from;
    nest.to = a->to;
    nest_emit(k, &nest);
}

/* Along the part's axes in order, up to the inner one. */
static void add_along(Emit *e, LLVMValueRef number, void *user) {
    Adding a = *(const Adding *)user;
    const Scatter *s = a.k->plan;
    const Scope *outer = scope_open(a.k);
    a.index[a.count++] = number;
    if (a.count == s->inner)
        add_row(&a);
    else
        emit_loop(e, emit_i64(e, 0), kernel_size(a.k, s->part.dims[a.count]), 1, "ids", add_along, &a);
    scope_close(a.k, outer);
}

static void add_body(Kernel *k, LLVMValueRef chunk) {
    const Scatter *s = k->plan;
    Chunks chunks = add_chunks(k);
    LLVMValueRef from, to;
    chunk_range(k, &chunks, chunk, &from, &to);
    bool inner = cuts_inner(s);
    LLVMValueRef zero = emit_i64(k->e, 0);
    Adding a = {
        .k = k, .from = inner ? from : zero, .to = inner ? to : kernel_size(k, s->part.dims[s->inner])};
    emit_loop(k->e, inner ? zero : from, inner ? emit_i64(k->e, 1) : to, 1, "outer", add_along, &a);
}

/* Axes of ids stay apart where there is room, for what computes an id from its place needs no division then.
 */
static void add_space(Kernel *k, Scatter *s) {
    const Type *part = s->node->operands[2]->type;
    uint32_t axis = (uint32_t)node_int(s->node, ATTR_axis), ids = s->node->operands[1]->type->rank;
    bool apart = ids > 0 && ids <= MAX_RANK - 2;
    s->inner = apart ? 1 + ids : 2;
    s->part.rank = s->inner + 1;
    s->part.dims[0] = kernel_product(k, axis, part->dims);
    if (!apart) s->part.dims[1] = kernel_product(k, ids, part->dims + axis);
    for (uint32_t d = 0; apart && d < ids; d++) s->part.dims[1 + d] = part->dims[axis + d];
    s->part.dims[s->inner] = kernel_product(k, part->rank - axis - ids, part->dims + axis + ids);
}

/* --- the kind */
static bool is_in_place(const Kernel *k, const Value *base) {
    const Place *here = &k->node->results[0]->place;
    return base->block != k->body && here->frame >= 0 && base->place.frame == here->frame &&
           base->place.offset == here->offset;
}

static uint32_t scatter_variant(const Kernel *k) {
    return is_in_place(k, kernel_yield(k)->operands[0]->node->operands[0]);
}

static uint32_t scatter_stages(Kernel *k, Stage *out) {
    Scatter *s = ARENA_NEW(k->arena, Scatter);
    s->node = kernel_yield(k)->operands[0]->node;
    assert(op_has(s->node->op, TRAIT_UPDATES));
    k->plan = s;
    uint32_t count = 0;
    if (!k->variant) {
        const Type *type = s->node->results[0]->type;
        Roots roots = root(k, s->node->operands[0]);
        s->copy = space_choose(k, type->rank, type->dims, 0, &roots);
        out[count++] = (Stage){copy_count, copy_body};
    }
    if (s->node->op != OP_update_slice) {
        add_space(k, s);
        out[count++] = (Stage){add_count, add_body};
    } else {
        s->part = part_space(k, s->node);
        out[count++] = (Stage){part_count, write_body};
    }
    return count;
}

const KernelKind kernel_scatter = {.name = "scatter", .stages = scatter_stages, .variant = scatter_variant};
