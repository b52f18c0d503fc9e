/* The heart of kernels: `value_at` computes a value's elements at an index on demand. Outer values are
 * loaded, elementwise operations computed, views passed on to their operands at other indices. What was
 * computed once in straight-line code is remembered. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include "codegen/vector.h"
#include <assert.h>

/* One remembered result of a value. */
typedef struct Known {
    const At *at;
    LLVMValueRef value;
    const struct Known *next;
} Known;

const Scope *scope_open(Kernel *k) {
    const Scope *outer = k->scope;
    Scope *scope = ARENA_NEW(k->arena, Scope);
    scope->outer = outer;
    scope->values = map_new(k->arena);
    k->scope = scope;
    return outer;
}

void scope_close(Kernel *k, const Scope *outer) { k->scope = outer; }

static bool recall(const Kernel *k, const void *key, const At *at, LLVMValueRef *value) {
    for (const Scope *s = k->scope; s; s = s->outer)
        for (const Known *known = map_get(s->values, key); known; known = known->next)
            if (known->at == at) {
                *value = known->value;
                return true;
            }
    return false;
}

static void remember(Kernel *k, const void *key, const At *at, LLVMValueRef value) {
    Known *known = ARENA_NEW(k->arena, Known);
    *known = (Known){at, value, map_get(k->scope->values, key)};
    map_put(k->scope->values, key, known);
}

const At *at_keep(Kernel *k, const At *at) { return arena_copy(k->arena, at, sizeof *at); }

/* --- memory */
static Access access_of(Kernel *k, const Type *type, LLVMValueRef pointer, const At *at) {
    return (Access){.dtype = type->dtype,
                    .pointer = pointer,
                    .at = at_linear(k, at),
                    .lanes = at->lanes,
                    .mask = at_mask(k, at)};
}

static bool is_read_only(const Kernel *k, const Value *captured) {
    uintptr_t number = (uintptr_t)map_get(k->numbers, captured);
    return !k->shared.at[number - 1];
}

static LLVMValueRef load_captured(Kernel *k, const Value *value, const At *at) {
    if (k->dry) {
        Index index = at_linear(k, at);
        int64_t step = index.vector ? INT64_MAX : index.step;
        if (step > k->step) k->step = step;
        return NULL;
    }
    Access access = access_of(k, value->type, kernel_pointer(k, value), at);
    if (is_read_only(k, value)) {
        access.metadata_kind = k->alias_scope;
        access.metadata = k->read_only;
    }
    return access_load(k->e, &access);
}

void store_result(Kernel *k, uint32_t result, const At *at, LLVMValueRef value) {
    if (k->dry) {
        at_linear(k, at);
        return;
    }
    Access access = access_of(k, k->node->results[result]->type, kernel_result_pointer(k, result), at);
    access.metadata_kind = k->noalias;
    access.metadata = k->read_only;
    access_store(k->e, &access, value);
}

LLVMValueRef load_result(Kernel *k, uint32_t result, const At *at) {
    Access access = access_of(k, k->node->results[result]->type, kernel_result_pointer(k, result), at);
    return access_load(k->e, &access);
}

void prefetch_captured(Kernel *k, const Value *captured, const At *at, uint32_t count) {
    Index index = at_linear(k, at);
    LLVMTypeRef element = emit_memory_type(k->e, captured->type->dtype);
    if (index.vector || index.step != 1) return;
    for (uint32_t i = 0; i < count; i += CACHE_LINE / dtype_bytes(captured->type->dtype)) {
        LLVMValueRef place = LLVMBuildAdd(k->e->builder, index.base, emit_i64(k->e, i), "");
        vector_prefetch(k->e, element, kernel_pointer(k, captured), place);
    }
}

/* --- operations */
static LLVMValueRef at_elementwise(Kernel *k, const Node *node, const At *at) {
    LLVMValueRef operands[3];
    assert(node->operand_count <= 3);
    for (uint32_t i = 0; i < node->operand_count; i++) operands[i] = value_at(k, node->operands[i], at);
    return k->dry ? NULL : emit_elementwise(k->e, node, operands);
}

static LLVMValueRef at_const(Kernel *k, const Node *node, const At *at) {
    if (k->dry) return NULL;
    DType dtype = node->results[0]->type->dtype;
    LLVMTypeRef type = emit_register_type(k->e, dtype);
    LLVMValueRef scalar = dtype_is_float(dtype)
                              ? LLVMConstReal(type, node_attr(node, ATTR_value)->number)
                              : LLVMConstInt(type, (unsigned long long)node_int(node, ATTR_ivalue), true);
    return emit_splat(k->e, emit_rounded(k->e, dtype, scalar), at->lanes);
}

/* A run-time dimension as a scalar, i64. */
static LLVMValueRef at_size(Kernel *k, const Node *node, const At *at) {
    return k->dry ? NULL : emit_splat(k->e, kernel_size(k, node_dim(node, ATTR_dim)), at->lanes);
}

static LLVMValueRef number_as(Kernel *k, LLVMValueRef number, DType dtype) {
    LLVMTypeRef type = emit_lanes(emit_register_type(k->e, dtype), emit_lane_count(number));
    if (dtype_is_float(dtype)) return LLVMBuildSIToFP(k->e->builder, number, type, "");
    return LLVMBuildIntCast2(k->e->builder, number, type, true, "");
}

static LLVMValueRef at_iota(Kernel *k, const Node *node, const At *at) {
    const Type *type = node->results[0]->type;
    uint32_t axis = (uint32_t)node_int(node, ATTR_axis);
    AxisSpan spans[MAX_RANK];
    uint32_t count = at_spans(k, at, type->rank, type->dims, 3u << axis, spans);
    for (uint32_t i = 0; i < count; i++)
        if (spans[i].first == axis)
            return k->dry ? NULL : number_as(k, access_lanes(k->e, spans[i].index, at->lanes), type->dtype);
    assert(false && "spans cover all axes");
    return NULL;
}

static LLVMValueRef at_operand(Kernel *k, const Node *node, const At *at) {
    return value_at(k, node->operands[0], at);
}

static ValueAt *const operations[OP_COUNT] = {
    [OP_const] = at_const,
    [OP_size] = at_size,
    [OP_iota] = at_iota,
    [OP_random_bits] = at_random_bits,
    [OP_reshape] = at_operand,
    [OP_masked] = at_operand,
    [OP_permute] = at_permute,
    [OP_slice] = at_slice,
    [OP_broadcast] = at_broadcast,
    [OP_pad] = at_pad,
    [OP_concat] = at_concat,
    [OP_gather] = at_gather,
    [OP_dynamic_slice] = at_dynamic_slice,
    [OP_window] = at_window,
    [OP_window_add] = at_window_add,
};

/* --- lanes that are all the same are computed once */
static const At *uniform(Kernel *k, const At *at) {
    LLVMValueRef seen = NULL;
    if (recall(k, at, at, &seen)) return (const At *)seen;
    At one = *at;
    one.lanes = 1;
    one.element = false;
    one.tail = NULL;
    /* Of a condition that differs by lane, any lane counts; the tail always has its lane 0. */
    if (at->mask && emit_lane_count(at->mask) > 1) {
        LLVMValueRef mask = at_mask(k, at);
        LLVMTypeRef type = LLVMTypeOf(mask);
        one.mask = emit_intrinsic(k->e, "llvm.vector.reduce.or", 1, &type, 1, &mask);
    }
    const At *kept = at_keep(k, &one);
    remember(k, at, at, (LLVMValueRef)(uintptr_t)kept);
    return kept;
}

static LLVMValueRef as_lanes(Kernel *k, LLVMValueRef value, uint32_t lanes) {
    return k->dry || emit_lane_count(value) == lanes ? value : emit_splat(k->e, value, lanes);
}

static LLVMValueRef compute(Kernel *k, const Value *value, const At *at) {
    if (at->lanes > 1 && at_is_uniform(at)) return as_lanes(k, value_at(k, value, uniform(k, at)), at->lanes);
    if (!value->node || value->block != k->body) return load_captured(k, value, at);
    ValueAt *operation = operations[value->node->op];
    if (!operation && op_has(value->node->op, TRAIT_ELEMENTWISE)) operation = at_elementwise;
    assert(operation && "computed by the kernel's kind, or known here");
    return operation(k, value->node, at);
}

/* --- values kept in memory between the passes over a row, in their register type */
static Access stored_access(Kernel *k, const Stored *stored, DType dtype, const At *at) {
    At row = at_child(at);
    for (uint32_t d = k->row_axes; d < at->rank; d++) at_push(&row, at->dims[d], at->index[d]);
    DType in_memory = dtype_is_half(dtype) ? DTYPE_f32 : dtype;
    return (Access){.dtype = in_memory,
                    .pointer = stored->memory,
                    .at = at_linear(k, &row),
                    .lanes = at->lanes,
                    .mask = at->tail};
}

static LLVMValueRef compute_stored(Kernel *k, const Value *value, const At *at) {
    const Stored *stored = k->stored && at->element ? map_get(k->stored, value) : NULL;
    if (!stored) return compute(k, value, at);
    Access access = stored_access(k, stored, value->type->dtype, at);
    if (k->pass > stored->pass) return access_load(k->e, &access);
    LLVMValueRef computed = compute(k, value, at);
    access_store(k->e, &access, computed);
    return computed;
}

/* --- halves, which are computed as f32 */
/* Is the value what `stored` is made of, but for its order? */
static bool is_stored_as(const Kernel *k, const Value *value, const Value *stored) {
    if (value == stored) return true;
    if (!stored->node || stored->block != k->body) return false;
    Op op = stored->node->op;
    uint32_t count = op == OP_concat ? stored->node->operand_count : op == OP_reshape || op == OP_permute;
    for (uint32_t i = 0; i < count; i++)
        if (is_stored_as(k, value, stored->node->operands[i])) return true;
    return false;
}

static bool is_read(const Kernel *k, const Value *value) {
    for (const Node *node = k->body->first; node && node->op != OP_yield; node = node->next)
        for (uint32_t i = 0; i < node->operand_count; i++)
            if (node->operands[i] == value) return true;
    return false;
}

/* What is stored and used here too has one value for both. */
static LLVMValueRef as_stored(const Kernel *k, const Value *value, LLVMValueRef x) {
    if (k->dry || !dtype_is_half(value->type->dtype) || value->block != k->body || !is_read(k, value))
        return x;
    const Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (is_stored_as(k, value, yield->operands[i])) return emit_rounded(k->e, value->type->dtype, x);
    return x;
}

LLVMValueRef value_at(Kernel *k, const Value *value, const At *at) {
    LLVMValueRef known = map_get(k->bound, value);
    if (known) return as_lanes(k, as_stored(k, value, known), at->lanes);
    if (recall(k, value, at, &known)) return known;
    known = as_stored(k, value, compute_stored(k, value, at));
    remember(k, value, at, known);
    return known;
}
