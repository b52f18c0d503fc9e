/* The pass `split`: sums that are long and few, as gradients of a convolution's weights and of biases are,
 * become sums over parts of the outermost axis, the samples of a batch, and a sum of these. Otherwise every
 * thread would share out the results and read everything. So it reads the samples that it computed, half as
 * much, and what it wrote isn't in another core's cache when it is written again: taking a line back that
 * another core only read costs ten times as much as one that it wrote (27 ns a line on a Zen 4). The parts
 * depend on sizes alone, and so do the bits. */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/passes.h"
#include <string.h>

enum {
    MOST_PARTS = 16,
    SMALL = 1 << 14, /* elements: what is read at a glance */
    GAIN = 4         /* so many times what the parts' results are must be read */
};

/* The elements of a type whose extents are all known. */
static bool elements(const Type *type, int64_t *count) {
    int64_t size;
    *count = 1;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is_const(type->dims[i], &size) || __builtin_mul_overflow(*count, size, count)) return false;
    return true;
}

/* Sums of narrow floats are rounded once, not once for each part. */
static bool is_exact_enough(const Type *type) { return type->dtype == DTYPE_f32 || type->dtype == DTYPE_f64; }

/* How many parts the axis of this extent is cut into: as many as divide it and leave little to add up; 1 = it
 * stays whole. `read` and `made` count elements. */
static int64_t parts_of(const Dim *axis, int64_t read, int64_t made) {
    int64_t size, parts = MOST_PARTS;
    if (read < SMALL || !dim_is_const(axis, &size)) return 1;
    while (parts > 1 && (size % parts != 0 || parts * made > read / GAIN)) parts--;
    return parts;
}

/* The first axis as two: parts, and samples of a part. */
static Value *cut(Builder *b, Value *x, int64_t parts) {
    const Dim *dims[MAX_RANK];
    int64_t size;
    dim_is_const(x->type->dims[0], &size);
    dims[0] = dim_const(b->graph->ir, parts);
    dims[1] = dim_const(b->graph->ir, size / parts);
    for (uint32_t i = 1; i < x->type->rank; i++) dims[i + 1] = x->type->dims[i];
    return build_reshape(b, x, x->type->rank + 1, dims);
}

static Value *add_parts(Builder *b, Value *parts) {
    return build_reduce(b, OP_reduce_sum, parts, 1, (int64_t[]){0});
}

static Value *split_reduce(Builder *b, Node *node) {
    Value *x = node->operands[0];
    const Attr *axes = node_attr(node, ATTR_axes);
    int64_t read, made, kept[MAX_RANK];
    if (x->type->rank == MAX_RANK || node->results[0]->type->rank == 0 || axes->ints[0] != 0) return NULL;
    if (!is_exact_enough(x->type) || !elements(x->type, &read) || !elements(node->results[0]->type, &made))
        return NULL;
    int64_t parts = parts_of(x->type->dims[0], read, made);
    if (parts == 1) return NULL;
    for (uint32_t i = 0; i < axes->count; i++) kept[i] = axes->ints[i] + 1;
    return add_parts(b, build_reduce(b, OP_reduce_sum, cut(b, x, parts), axes->count, kept));
}

/* A label that the contraction doesn't use; 0 where there is none. */
static char unused_label(const ContractSpec *spec) {
    for (char label = 'a'; label <= 'z'; label++)
        if (!strchr(spec->x, label) && !strchr(spec->y, label)) return label;
    return 0;
}

static Value *split_contract(Builder *b, Node *node, Arena *scratch) {
    ContractSpec spec;
    Value *x = node->operands[0], *y = node->operands[1];
    const Type *result = node->results[0]->type;
    int64_t of_x, of_y, made;
    if (!contract_spec_parse(node_str(node, ATTR_spec), &spec)) return NULL;
    char part = unused_label(&spec), summed = spec.x[0];
    if (!part || !summed || summed != spec.y[0] || strchr(spec.result, summed)) return NULL;
    if (x->type->rank == MAX_RANK || y->type->rank == MAX_RANK || result->rank == MAX_RANK) return NULL;
    if (!is_exact_enough(result) || !elements(x->type, &of_x) || !elements(y->type, &of_y) ||
        !elements(result, &made))
        return NULL;
    int64_t parts =
        parts_of(x->type->dims[0], of_x < of_y ? of_x : of_y, made); /* windows repeat the other's */
    if (parts == 1) return NULL;
    const char *text =
        arena_printf(scratch, "%c%s,%c%s->%c%s", part, spec.x, part, spec.y, part, spec.result);
    return add_parts(b, build_contract(b, cut(b, x, parts), cut(b, y, parts), text));
}

static void split_block(PassContext *context, Graph *graph, Block *block) {
    for (Node *node = block->first; node; node = node->next) {
        Builder b = {.graph = graph, .block = block, .before = node, .loc = node->loc};
        Value *by = node->op == OP_reduce_sum ? split_reduce(&b, node)
                    : node->op == OP_contract ? split_contract(&b, node, context->scratch)
                                              : NULL;
        if (by) value_replace(node->results[0], by);
        for (uint32_t i = 0; i < node->block_count; i++) split_block(context, graph, node->blocks[i]);
    }
}

void pass_split(PassContext *context, Graph *graph) {
    for (uint32_t i = 0; i < graph->functions.count; i++)
        split_block(context, graph, graph->functions.at[i]->body);
    graph_resolve(graph);
}
