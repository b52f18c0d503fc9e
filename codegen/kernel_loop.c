/* Kernels of kind loop: every result is computed for every element of one index space. A result that is a
 * concatenation of parts that all have this space is computed part by part: what several of them are computed
 * from is shared. */
#include "codegen/kernel.h"
#include "ir/concat.h"
#include <assert.h>
#include <string.h>

typedef struct {
    uint32_t result;
    const Dim *const *first; /* of a part: where it begins in the result; NULL: it is all of it */
} Root;

typedef struct {
    Space space;
    uint32_t axes[MAX_RANK];
    const Dim *elements; /* of the parts that results are written by, perhaps whole ones; NULL: not known */
    Roots roots;         /* what is computed, */
    VEC(Root) stores;    /* and where each is written */
} Loop;

/* --- equal parts */
static const Type *part_type(const Kernel *k, const Value *value) {
    const Loop *loop = k->plan;
    return loop->elements ? concat_part_of(k->e->ir, value, k->body, loop->elements) : value->type;
}

static bool has_equal_parts(const Kernel *k, const Value *value) {
    return part_type(k, value) != value->type;
}

/* NULL where it isn't known how many that are. */
static const Dim *elements_of_parts(const Kernel *k) {
    const Node *yield = kernel_yield(k);
    const Dim *elements = concat_common(k->e->ir, yield->operands, yield->operand_count, k->body);
    for (uint32_t i = 0; i < yield->operand_count && !elements; i++)
        assert((concat_part(yield->operands[i], k->body) == yield->operands[i]->type ||
                yield->operand_count == 1) &&
               "what is stored together has one space");
    return elements;
}

/* Axes along which the value has several parts, as bits. */
static uint32_t axes_of_parts(const Kernel *k, const Value *value) {
    const Type *part = part_type(k, value);
    uint32_t axes = 0;
    for (uint32_t d = 0; d < part->rank; d++)
        if (part->dims[d] != value->type->dims[d]) axes |= 1u << d;
    return axes;
}

/* Loops never run across these: bits that change from each such axis on. */
static uint32_t part_axes(const Kernel *k) {
    const Node *yield = kernel_yield(k);
    uint32_t begins = 0, bits = 0;
    for (uint32_t i = 0; i < yield->operand_count; i++) begins |= axes_of_parts(k, yield->operands[i]);
    for (uint32_t d = 0, bit = 0; d < MAX_RANK; d++) {
        if (begins >> d & 1) bit = !bit;
        bits |= bit << d;
    }
    return bits;
}

static void add_root(Loop *loop, Kernel *k, uint32_t result, Value *value, const Dim *const *first) {
    Root root = {.result = result, .first = first};
    vec_push(k->arena, &loop->stores, root);
    vec_push(k->arena, &loop->roots, value);
}

/* `first` is where the value begins in the result. */
static void add_parts(Loop *loop, Kernel *k, uint32_t result, Value *value, const Dim *const *first) {
    if (value->type == part_type(k, kernel_yield(k)->operands[result])) {
        add_root(loop, k, result, value, first);
        return;
    }
    uint32_t axis = (uint32_t)node_int(value->node, ATTR_axis), rank = value->type->rank;
    for (uint32_t i = 0; i < value->node->operand_count; i++) {
        Value *part = value->node->operands[i];
        const Dim **own = ARENA_ARRAY(k->arena, const Dim *, rank), *before = dim_const(k->e->ir, i);
        memcpy(own, first, rank * sizeof *own);
        own[axis] = dim_add(k->e->ir, own[axis], dim_mul(k->e->ir, before, part->type->dims[axis]));
        add_parts(loop, k, result, part, own);
    }
}

static void find_roots(Loop *loop, Kernel *k) {
    const Node *yield = kernel_yield(k);
    const Dim **zeros = ARENA_ARRAY(k->arena, const Dim *, MAX_RANK);
    for (uint32_t d = 0; d < MAX_RANK; d++) zeros[d] = dim_const(k->e->ir, 0);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (has_equal_parts(k, yield->operands[i]))
            add_parts(loop, k, i, yield->operands[i], zeros);
        else
            add_root(loop, k, i, yield->operands[i], NULL);
}

static const Type *first_part(const Kernel *k) {
    const Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++)
        if (has_equal_parts(k, yield->operands[i])) return part_type(k, yield->operands[i]);
    return NULL;
}

static void store_part(Kernel *k, const Root *root, const At *at, LLVMValueRef value) {
    const Value *result = kernel_yield(k)->operands[root->result];
    const Type *type = part_type(k, result), *whole = result->type;
    uint32_t boundaries = axes_of_parts(k, result);
    AxisSpan spans[MAX_RANK];
    uint32_t count = at_spans(k, at, type->rank, type->dims, boundaries, spans);
    At target = at_child(at);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = spans[i].first, axes = spans[i].end - first;
        Index index = spans[i].index;
        if (boundaries >> first & 1) {
            const Dim *before =
                dim_mul(k->e->ir, root->first[first], kernel_product(k, axes - 1, type->dims + first + 1));
            index =
                index_add(k, index, k->dry ? index_const(k, 0) : index_of(kernel_size(k, before)), at->lanes);
        }
        at_push(&target, kernel_product(k, axes, whole->dims + first), index);
    }
    store_result(k, root->result, &target, value);
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
    const Type *part = first_part(k);
    if (part) return space_choose(k, part->rank, part->dims, part_axes(k), &roots);
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
    LLVMValueRef *values = ARENA_ARRAY(k->arena, LLVMValueRef, loop->roots.count);
    /* All reads come before all writes: a result may lie where an operand does. */
    for (uint32_t i = 0; i < loop->roots.count; i++) values[i] = value_at(k, loop->roots.at[i], at);
    for (uint32_t i = 0; i < loop->roots.count; i++) {
        const Root *root = &loop->stores.at[i];
        if (root->first)
            store_part(k, root, at, values[i]);
        else
            store_result(k, root->result, at, values[i]);
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
    loop->elements = elements_of_parts(k);
    find_roots(loop, k);
    loop->space = best_space(k);
    out[0] = (Stage){loop_count, loop_body};
    return 1;
}

const KernelKind kernel_loop = {.name = "loop", .stages = loop_stages};
