/* Kernels of kind chain: a chunk is one part of the shared axes, for which the kernels inside run one after
 * the other. What they hand to each other lies in memory of the thread, where results that are no longer read
 * make room for later ones of the same size; what leaves the chain is written to its place in the result, or
 * copied there where it lies in pieces. */
#include "codegen/contract_cost.h"
#include "codegen/kernel.h"
#include "codegen/products.h"
#include <assert.h>

enum { ALIGNMENT = 64 }; /* bytes: a cache line, and the widest vector */

/* A stretch of the thread's memory. */
typedef struct {
    const Dim *bytes;
    uint32_t free_from; /* number of the first kernel that may write it */
} Slot;

/* A result of a kernel inside. */
typedef struct {
    const Value *value;
    int32_t result; /* of the chain whose place it is written to, or -1: in a slot */
    uint32_t slot;
    LLVMValueRef pointer;
} Part;

typedef struct {
    const Attr *index, *dims, *axes;
    VEC(Slot) slots;
    VEC(Part) parts;
} ChainPlan;

/* --- the plan */
static const int64_t *axes_of(const ChainPlan *p, uint32_t result) {
    return p->axes->ints + result * p->dims->count;
}

/* The chain's axis that axis `d` of the result is, or -1. */
static int32_t chain_axis(const ChainPlan *p, uint32_t result, uint32_t d) {
    for (uint32_t j = 0; j < p->dims->count; j++)
        if (axes_of(p, result)[j] == (int64_t)d) return (int32_t)j;
    return -1;
}

/* The first axis of the result from which on a part lies in one piece: the last of the chain's. */
static uint32_t piece_axis(const ChainPlan *p, uint32_t result) {
    uint32_t last = 0;
    for (uint32_t j = 0; j < p->dims->count; j++)
        if (axes_of(p, result)[j] > (int64_t)last) last = (uint32_t)axes_of(p, result)[j];
    return last;
}

static const Type *part_type(const Kernel *k, uint32_t result) {
    return kernel_yield(k)->operands[result]->type;
}

static bool is_one_piece(const Kernel *k, const ChainPlan *p, uint32_t result) {
    for (uint32_t d = 0; d < piece_axis(p, result); d++)
        if (!dim_is(part_type(k, result)->dims[d], 1)) return false;
    return true;
}

static int32_t place_in_result(const Kernel *k, const ChainPlan *p, const Value *value) {
    const Node *yield = kernel_yield(k);
    for (uint32_t r = 0; r < yield->operand_count; r++)
        if (yield->operands[r] == value && is_one_piece(k, p, r)) return (int32_t)r;
    return -1;
}

static bool block_reads(const Block *block, const Value *value) {
    for (const Node *node = block->first; node; node = node->next)
        for (uint32_t i = 0; i < node->operand_count; i++)
            if (node->operands[i] == value) return true;
    return false;
}

/* The number of the kernel from which on nobody reads the value. */
static uint32_t free_from(const Kernel *k, const Value *value) {
    uint32_t number = 0, from = 0;
    const Node *yield = kernel_yield(k);
    for (const Node *node = k->body->first; node != yield; node = node->next, number++)
        if (node == value->node || block_reads(node->blocks[0], value)) from = number + 1;
    for (uint32_t r = 0; r < yield->operand_count; r++)
        if (yield->operands[r] == value) from = UINT32_MAX;
    return from;
}

static uint32_t take_slot(Kernel *k, ChainPlan *p, const Value *value, uint32_t kernel) {
    const Dim *bytes = dim_mul(k->e->ir, type_elements(k->e->ir, value->type),
                               dim_const(k->e->ir, dtype_bytes(value->type->dtype)));
    assert(bytes && "tensors have their size in 64 bits");
    Slot slot = {bytes, free_from(k, value)};
    for (uint32_t i = 0; i < p->slots.count; i++) {
        if (p->slots.at[i].bytes != bytes || p->slots.at[i].free_from > kernel) continue;
        p->slots.at[i] = slot;
        return i;
    }
    vec_push(k->arena, &p->slots, slot);
    return p->slots.count - 1;
}

static void plan_parts(Kernel *k, ChainPlan *p) {
    uint32_t number = 0;
    for (const Node *node = k->body->first; node->op == OP_kernel; node = node->next, number++)
        for (uint32_t i = 0; i < node->result_count; i++) {
            Part part = {.value = node->results[i], .result = place_in_result(k, p, node->results[i])};
            if (part.result < 0) part.slot = take_slot(k, p, part.value, number);
            vec_push(k->arena, &p->parts, part);
        }
}

/* --- memory */
/* The element of the result where the part begins. */
static LLVMValueRef first_of_part(Kernel *k, uint32_t result) {
    const ChainPlan *p = k->plan;
    const Type *type = k->node->results[result]->type;
    const Dim *stride = dim_const(k->e->ir, 1), *offset = dim_const(k->e->ir, 0);
    for (uint32_t d = type->rank; d-- > 0;) {
        int32_t j = chain_axis(p, result, d);
        const Dim *size = part_type(k, result)->dims[d];
        if (j >= 0)
            offset = dim_add(k->e->ir, offset,
                             dim_mul(k->e->ir, p->index->dims[j], dim_mul(k->e->ir, size, stride)));
        stride = dim_mul(k->e->ir, stride, type->dims[d]);
    }
    LLVMValueRef first = emit_dim(k->e, offset);
    return LLVMBuildInBoundsGEP2(k->e->builder, emit_memory_type(k->e, type->dtype),
                                 kernel_result_pointer(k, result), &first, 1, "");
}

static LLVMValueRef *take_slots(Kernel *k, const ChainPlan *p) {
    LLVMBuilderRef b = k->e->builder;
    LLVMValueRef *offset = ARENA_ARRAY(k->arena, LLVMValueRef, p->slots.count + 1), total = emit_i64(k->e, 0);
    for (uint32_t i = 0; i < p->slots.count; i++) {
        offset[i] = total;
        LLVMValueRef bytes =
            LLVMBuildAdd(b, emit_dim(k->e, p->slots.at[i].bytes), emit_i64(k->e, ALIGNMENT - 1), "");
        total = LLVMBuildAdd(b, total, LLVMBuildAnd(b, bytes, emit_i64(k->e, -ALIGNMENT), ""), "");
    }
    if (p->slots.count == 0) return offset;
    LLVMValueRef memory = emit_runtime_call(k->e, "nn_part", 2, (LLVMValueRef[]){k->e->rt, total});
    for (uint32_t i = 0; i < p->slots.count; i++)
        offset[i] = LLVMBuildInBoundsGEP2(b, LLVMInt8TypeInContext(k->e->llvm), memory, &offset[i], 1, "");
    return offset;
}

/* Says to the calls inside where everything is. */
static void place_values(Kernel *k) {
    ChainPlan *p = k->plan;
    LLVMValueRef *slots = take_slots(k, p);
    for (uint32_t i = 0; i < k->captured.count; i++)
        map_put(k->e->values, k->captured.at[i], kernel_pointer(k, k->captured.at[i]));
    for (uint32_t i = 0; i < p->parts.count; i++) {
        Part *part = &p->parts.at[i];
        part->pointer = part->result < 0 ? slots[part->slot] : first_of_part(k, (uint32_t)part->result);
        map_put(k->e->values, part->value, part->pointer);
    }
}

/* --- results that lie in pieces */
typedef struct {
    Kernel *k;
    uint32_t result, axis;
    LLVMValueRef from, to; /* this piece, in elements */
    LLVMValueRef source, target;
} Copy;

static const Dim *elements_from(const Kernel *k, const Type *type, uint32_t axis) {
    const Dim *elements = dim_const(k->e->ir, 1);
    for (uint32_t d = axis; d < type->rank; d++) elements = dim_mul(k->e->ir, elements, type->dims[d]);
    return elements;
}

static void copy_pieces(Emit *e, Copy copy);

static void copy_index(Emit *e, LLVMValueRef i, void *user) {
    Copy copy = *(const Copy *)user;
    const Type *whole = copy.k->node->results[copy.result]->type;
    const Type *part = part_type(copy.k, copy.result);
    LLVMValueRef far = emit_dim(e, elements_from(copy.k, whole, copy.axis + 1));
    LLVMValueRef near = emit_dim(e, elements_from(copy.k, part, copy.axis + 1));
    copy.to = LLVMBuildAdd(e->builder, copy.to, LLVMBuildMul(e->builder, i, far, ""), "");
    copy.from = LLVMBuildAdd(e->builder, copy.from, LLVMBuildMul(e->builder, i, near, ""), "");
    copy.axis++;
    copy_pieces(e, copy);
}

static void copy_pieces(Emit *e, Copy copy) {
    const ChainPlan *p = copy.k->plan;
    const Type *type = part_type(copy.k, copy.result);
    if (copy.axis < piece_axis(p, copy.result)) {
        LLVMValueRef end = emit_dim(e, type->dims[copy.axis]);
        emit_loop(e, emit_i64(e, 0), end, 1, "piece", copy_index, &copy);
        return;
    }
    LLVMTypeRef element = emit_memory_type(e, type->dtype);
    uint32_t bytes = dtype_bytes(type->dtype);
    LLVMValueRef to = LLVMBuildInBoundsGEP2(e->builder, element, copy.target, &copy.to, 1, "");
    LLVMValueRef from = LLVMBuildInBoundsGEP2(e->builder, element, copy.source, &copy.from, 1, "");
    LLVMValueRef size =
        LLVMBuildMul(e->builder, emit_dim(e, elements_from(copy.k, type, copy.axis)), emit_i64(e, bytes), "");
    LLVMBuildMemCpy(e->builder, to, bytes, from, bytes, size);
}

static const Part *part_of(const ChainPlan *p, const Value *value) {
    for (uint32_t i = 0; i < p->parts.count; i++)
        if (p->parts.at[i].value == value) return &p->parts.at[i];
    return NULL;
}

static void copy_results(Kernel *k) {
    const ChainPlan *p = k->plan;
    const Node *yield = kernel_yield(k);
    for (uint32_t r = 0; r < yield->operand_count; r++) {
        const Part *part = part_of(p, yield->operands[r]);
        if (part->result == (int32_t)r) continue;
        LLVMValueRef zero = emit_i64(k->e, 0);
        copy_pieces(k->e, (Copy){.k = k,
                                 .result = r,
                                 .from = zero,
                                 .to = zero,
                                 .source = part->pointer,
                                 .target = first_of_part(k, r)});
    }
}

/* --- calls */
static LLVMValueRef argument_value(Emit *e, const LaunchArgument *argument) {
    if (argument->value) return emit_pointer(e, argument->value);
    if (argument->symbol) return emit_dim(e, argument->symbol);
    LLVMValueRef memory = map_get(e->values, argument); /* the stages of a kernel have one */
    if (memory) return memory;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(e->llvm);
    memory = emit_alloca(e, LLVMArrayType2(i64, (argument->workspace + 7) / 8), "workspace");
    map_put(e->values, argument, memory);
    return memory;
}

typedef struct {
    LLVMValueRef function, arguments;
} Call;

static void call_chunk(Emit *e, LLVMValueRef chunk, void *user) {
    const Call *call = user;
    LLVMValueRef values[] = {e->rt, call->arguments, chunk};
    LLVMBuildCall2(e->builder, LLVMGlobalGetValueType(call->function), call->function, values, 3, "");
}

void chain_call(Emit *e, const char *function, LLVMValueRef chunks, uint32_t count,
                const LaunchArgument *arguments) {
    LLVMTypeRef pointer = LLVMPointerTypeInContext(e->llvm, 0);
    Call call = {kernel_function(e, function), emit_alloca(e, LLVMArrayType2(pointer, count), "arguments")};
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef index = emit_i64(e, i), value = argument_value(e, &arguments[i]);
        LLVMBuildStore(e->builder, value,
                       LLVMBuildInBoundsGEP2(e->builder, pointer, call.arguments, &index, 1, ""));
    }
    emit_loop(e, emit_i64(e, 0), chunks, 1, "chunk", call_chunk, &call);
}

/* --- the stage */
static LLVMValueRef chain_count(Kernel *k) {
    const ChainPlan *p = k->plan;
    return emit_dim(k->e, kernel_product(k, p->dims->count, p->dims->dims));
}

static double parts_of(const ChainPlan *p) {
    double parts = 1;
    for (uint32_t j = 0; j < p->dims->count; j++) {
        int64_t size;
        parts *= (double)cost_assumed(dim_is_const(p->dims->dims[j], &size) ? size : -1);
    }
    return parts;
}

static void chain_body(Kernel *k, LLVMValueRef chunk) {
    Emit *e = k->e;
    const ChainPlan *p = k->plan;
    for (uint32_t j = p->dims->count; j-- > 0;) {
        LLVMValueRef size = emit_dim(e, p->dims->dims[j]);
        map_put(e->dims->symbols, p->index->dims[j], LLVMBuildURem(e->builder, chunk, size, ""));
        chunk = LLVMBuildUDiv(e->builder, chunk, size, "");
    }
    Map *outside = e->values;
    e->values = map_new(k->arena);
    e->in_chain = true;
    if (e->products) e->products->times = parts_of(p);
    place_values(k);
    for (Node *node = k->body->first; node->op == OP_kernel; node = node->next) emit_kernel_call(e, node);
    copy_results(k);
    if (e->products) e->products->times = 1;
    e->in_chain = false;
    e->values = outside;
}

static uint32_t chain_stages(Kernel *k, Stage *out) {
    ChainPlan *p = ARENA_NEW(k->arena, ChainPlan);
    p->index = node_attr(k->node, ATTR_index);
    p->dims = node_attr(k->node, ATTR_dims);
    p->axes = node_attr(k->node, ATTR_axes);
    k->plan = p;
    plan_parts(k, p);
    out[0] = (Stage){chain_count, chain_body};
    return 1;
}

const KernelKind kernel_chain = {.name = "chain", .stages = chain_stages};
