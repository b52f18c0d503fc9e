/* Kernels of kind loop: every result is computed for every element of one index space. A result that is a
 * concatenation of parts that all have this space is computed part by part: what several of them are computed
 * from is shared. */
#include "codegen/kernel.h"
#include <assert.h>

typedef struct {
    Space space;
    uint32_t axes[MAX_RANK];
    bool split; /* results that are equal parts are written part by part */
    Roots roots;
} Loop;

/* --- equal parts */
static bool has_equal_parts(const Kernel *k, const Value *value) {
    const Node *node = value->node;
    if (!node || value->block != k->body || node->op != OP_concat || node->operand_count < 2) return false;
    for (uint32_t i = 1; i < node->operand_count; i++)
        if (node->operands[i]->type != node->operands[0]->type) return false;
    return true;
}

/* Are there such results, and is the space of their parts that of all the others? */
static bool is_split(const Kernel *k) {
    const Node *yield = kernel_yield(k);
    const Dim *elements = NULL;
    bool any = false;
    for (uint32_t i = 0; i < yield->operand_count; i++) {
        bool parts = has_equal_parts(k, yield->operands[i]);
        const Value *value = parts ? yield->operands[i]->node->operands[0] : yield->operands[i];
        const Dim *own = type_elements(k->e->ir, value->type);
        if (!own || (elements && own != elements)) return false;
        elements = own;
        any = any || parts;
    }
    return any;
}

/* Loops never run across the axis of a concatenation: bits that change from each such axis on. */
static uint32_t part_axes(const Kernel *k) {
    const Node *yield = kernel_yield(k);
    uint32_t begins = 0, bits = 0;
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (has_equal_parts(k, yield->operands[i]))
            begins |= 1u << node_int(yield->operands[i]->node, ATTR_axis);
    for (uint32_t d = 0, bit = 0; d < MAX_RANK; d++) {
        if (begins >> d & 1) bit = !bit;
        bits |= bit << d;
    }
    return bits;
}

static void loop_roots(const Kernel *k, bool split, Roots *roots) {
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++) {
        Value *value = yield->operands[i];
        bool parts = split && has_equal_parts(k, value);
        for (uint32_t j = 0; parts && j < value->node->operand_count; j++)
            vec_push(k->arena, roots, value->node->operands[j]);
        if (!parts) vec_push(k->arena, roots, value);
    }
}

static const Type *first_part(const Kernel *k) {
    const Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (has_equal_parts(k, yield->operands[i])) return yield->operands[i]->node->operands[0]->type;
    return NULL;
}

/* Part number `part` of a result begins that many parts into the axis. */
static void store_part(Kernel *k, uint32_t result, const Node *concat, uint32_t part, const At *at,
                       LLVMValueRef value) {
    const Type *type = concat->operands[0]->type, *whole = concat->results[0]->type;
    uint32_t axis = (uint32_t)node_int(concat, ATTR_axis);
    AxisSpan spans[MAX_RANK];
    uint32_t count = at_spans(k, at, type->rank, type->dims, 1u << axis, spans);
    At target = at_child(at);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = spans[i].first, axes = spans[i].end - first;
        Index index = spans[i].index;
        if (first == axis) {
            const Dim *before =
                dim_mul(k->e->ir, dim_const(k->e->ir, part), kernel_product(k, axes, type->dims + first));
            index =
                index_add(k, index, k->dry ? index_const(k, 0) : index_of(kernel_size(k, before)), at->lanes);
        }
        at_push(&target, kernel_product(k, axes, whole->dims + first), index);
    }
    store_result(k, result, &target, value);
}

/* Tries the loops of one shape. */
static void try_shape(Kernel *k, const Type *type, const Roots *roots, uint32_t *least, Space *best) {
    Space space = space_choose(k, type->rank, type->dims, 0, roots);
    if (k->splits >= *least) return;
    *least = k->splits;
    *best = space;
}

/* The results' shapes differ by reshapes at most, as do those of what is reshaped inside: the loops are those
 * of the one that makes the least of index arithmetic. */
static Space best_space(Kernel *k) {
    const Loop *loop = k->plan;
    Roots roots = loop->roots;
    if (loop->split) {
        const Type *type = first_part(k);
        return space_choose(k, type->rank, type->dims, part_axes(k), &roots);
    }
    const Dim *elements = type_elements(k->e->ir, roots.at[0]->type);
    Space best = {0};
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < roots.count; i++) try_shape(k, roots.at[i]->type, &roots, &least, &best);
    for (const Node *node = k->body->last; node && least > 1; node = node->prev)
        if (node->op == OP_reshape && type_elements(k->e->ir, node->results[0]->type) == elements)
            try_shape(k, node->operands[0]->type, &roots, &least, &best);
    return best;
}

static Chunks loop_chunks(Kernel *k) {
    const Loop *loop = k->plan;
    At frame = space_origin(k, &loop->space);
    uint32_t count = loop->space.rank;
    const Dim *units = nest_range(k, &frame, count, loop->axes);
    bool lines = count > 1;
    return chunks_of(k, units, lines ? frame.dims[count - 1] : dim_const(k->e->ir, 1),
                     lines ? 1 : k->lanes * 4, 0);
}

static LLVMValueRef loop_count(Kernel *k) { return loop_chunks(k).count; }

static void loop_element(Kernel *k, const At *at, uint32_t copy, void *user) {
    (void)copy, (void)user;
    const Loop *loop = k->plan;
    const Node *yield = kernel_yield(k);
    LLVMValueRef *values = ARENA_ARRAY(k->arena, LLVMValueRef, loop->roots.count);
    /* All reads come before all writes: a result may lie where an operand does. */
    for (uint32_t i = 0; i < loop->roots.count; i++) values[i] = value_at(k, loop->roots.at[i], at);
    for (uint32_t i = 0, next = 0; i < yield->operand_count; i++) {
        const Value *value = yield->operands[i];
        bool parts = loop->split && has_equal_parts(k, value);
        for (uint32_t j = 0; parts && j < value->node->operand_count; j++)
            store_part(k, i, value->node, j, at, values[next++]);
        if (!parts) store_result(k, i, at, values[next++]);
    }
}

static void loop_body(Kernel *k, LLVMValueRef chunk) {
    const Loop *loop = k->plan;
    uint32_t count = loop->space.rank;
    Nest nest = {.frame = space_origin(k, &loop->space),
                 .count = count,
                 .lanes = 1,
                 .unroll = 1,
                 .body = loop_element};
    Chunks chunks = loop_chunks(k);
    chunk_range(k, &chunks, chunk, &nest.from, &nest.to);
    for (uint32_t i = 0; i < count; i++) nest.axes[i] = i;
    if (count) {
        nest.lanes = lanes_for(k, loop->space.dims[count - 1]);
        nest.unroll = unroll_for(k);
        /* Memory lines that hold elements of several rows are used by all of them while they are in the
         * cache. */
        if (loop->space.strided) nest.tile = nest.lanes;
    }
    nest_emit(k, &nest);
}

static uint32_t loop_stages(Kernel *k, Stage *out) {
    Loop *loop = ARENA_NEW(k->arena, Loop);
    for (uint32_t i = 0; i < MAX_RANK; i++) loop->axes[i] = i;
    k->plan = loop;
    loop->split = is_split(k);
    loop_roots(k, loop->split, &loop->roots);
    loop->space = best_space(k);
    out[0] = (Stage){loop_count, loop_body};
    return 1;
}

const KernelKind kernel_loop = {.name = "loop", .stages = loop_stages};
