/* Kernels of kind loop: every result is computed for every element of one index space. */
#include "codegen/kernel.h"
#include <assert.h>

typedef struct {
    Space space;
    uint32_t axes[MAX_RANK];
} Loop;

static void loop_roots(const Kernel *k, Roots *roots) {
    Node *yield = kernel_yield(k);
    for (uint32_t i = 0; i < yield->operand_count; i++) vec_push(k->arena, roots, yield->operands[i]);
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
    Roots roots = {0};
    loop_roots(k, &roots);
    const Dim *elements = type_elements(k->e->ir, roots.at[0]->type);
    Space best = {0};
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < roots.count; i++) try_shape(k, roots.at[i]->type, &roots, &least, &best);
    for (const Node *node = k->body->last; node && least > 0; node = node->prev)
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
    Node *yield = kernel_yield(k);
    LLVMValueRef *values = ARENA_ARRAY(k->arena, LLVMValueRef, yield->operand_count);
    /* All reads come before all writes: a result may lie where an operand does. */
    for (uint32_t i = 0; i < yield->operand_count; i++) values[i] = value_at(k, yield->operands[i], at);
    for (uint32_t i = 0; i < yield->operand_count; i++) store_result(k, i, at, values[i]);
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
    loop->space = best_space(k);
    for (uint32_t i = 0; i < MAX_RANK; i++) loop->axes[i] = i;
    k->plan = loop;
    out[0] = (Stage){loop_count, loop_body};
    return 1;
}

const KernelKind kernel_loop = {"loop", loop_stages};
