/* The pass `split`: sums that are long and few, as gradients of a convolution's weights and of biases are,
 * become sums of parts. Threads share the parts out, and each reads its own samples, once. Were the results
 * shared out, each would read all of a factor, of which the caches hold little, and taking a line back that
 * another core has read costs ten times as much as one that it wrote (27 ns a line on a Zen 4). The parts
 * depend on sizes alone, and so does the order of the sums. */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/passes.h"
#include <string.h>

enum {
    MAX_PARTS = 16,
    GAIN = 4,           /* elements that are read at least for each of the parts' results */
    SUMMED = 1 << 14,   /* elements of a sum at least */
    PART_WORK = 400000, /* multiply-adds of a part at least */
    PART_DEPTH = 512    /* steps of a part at least */
};

/* Sums of narrow floats are rounded once, not once for each part. */
static bool may_split(const Value *result) {
    DType dtype = result->type->dtype;
    return (dtype == DTYPE_f32 || dtype == DTYPE_f64) && result->type->rank < MAX_RANK;
}

/* The axis as two: the parts', and what is of one part. */
static Value *in_parts(Builder *b, Value *x, uint32_t axis, int64_t parts) {
    const Dim *dims[MAX_RANK];
    for (uint32_t i = 0; i <= x->type->rank; i++) dims[i] = x->type->dims[i <= axis ? i : i - 1];
    IrContext *ir = b->graph->ir;
    dims[axis + 1] = dim_floordiv(ir, dims[axis], dim_const(ir, parts));
    dims[axis] = dim_const(ir, parts);
    return build_reshape(b, x, x->type->rank + 1, dims);
}

static Value *add_parts(Builder *b, Value *parts) {
    return build_reduce(b, OP_reduce_sum, parts, 1, (int64_t[]){0});
}

/* --- sums over the outermost axis, and others */
static Value *split_sum(Builder *b, Node *node) {
    Value *x = node->operands[0], *result = node->results[0];
    const Attr *axes = node_attr(node, ATTR_axes);
    int64_t read, made, extent, parts = MAX_PARTS, kept[MAX_RANK];
    if (!may_split(result) || result->type->rank == 0 || x->type->rank == MAX_RANK) return NULL;
    if (axes->count == 0 || axes->ints[0] != 0) return NULL;
    if (!type_count(x->type, &read) || !type_count(result->type, &made) || read < SUMMED) return NULL;
    dim_is_const(x->type->dims[0], &extent);
    while (parts > 1 && (extent % parts != 0 || parts * made * GAIN > read)) parts--;
    if (parts == 1) return NULL;
    for (uint32_t i = 0; i < axes->count; i++) kept[i] = axes->ints[i] + 1;
    return add_parts(b, build_reduce(b, OP_reduce_sum, in_parts(b, x, 0, parts), axes->count, kept));
}

/* --- products */
typedef struct {
    const Node *node;
    ContractSpec spec;
    char label;                         /* of the depth's outermost axis in the first factor */
    int64_t extent;                     /* its size */
    double rows, columns, batch, depth; /* sizes */
    double lesser;                      /* elements of the factor that has fewer in memory */
} Deep;

static const Dim *size_of(const Deep *d, char label) {
    bool in_x = strchr(d->spec.x, label);
    return d->node->operands[!in_x]->type->dims[labels_axis(in_x ? d->spec.x : d->spec.y, label)];
}

/* Counts an axis to what it is one of; false where its size isn't known. */
static bool take_axis(Deep *d, char label) {
    int64_t size;
    if (!dim_is_const(size_of(d, label), &size)) return false;
    bool in_x = strchr(d->spec.x, label), in_y = strchr(d->spec.y, label),
         out = strchr(d->spec.result, label);
    *(!out ? &d->depth : in_x && in_y ? &d->batch : in_x ? &d->rows : &d->columns) *= (double)size;
    if (!out && in_x && in_y && !d->label && size > 1) d->label = label, d->extent = size;
    return true;
}

/* Elements in memory of what is seen through views: windows share theirs. */
static double stored(const Value *x) {
    int64_t count;
    while (x->node && (x->node->op == OP_window || x->node->op == OP_reshape || x->node->op == OP_permute))
        x = x->node->operands[0];
    return type_count(x->type, &count) ? (double)count : 0;
}

static bool read_deep(const Node *node, Deep *d) {
    *d = (Deep){.node = node, .rows = 1, .columns = 1, .batch = 1, .depth = 1};
    contract_spec_parse(node_str(node, ATTR_spec), &d->spec);
    for (const char *label = d->spec.x; *label; label++)
        if (!take_axis(d, *label)) return false;
    for (const char *label = d->spec.y; *label; label++)
        if (!strchr(d->spec.x, *label) && !take_axis(d, *label)) return false;
    double x = stored(node->operands[0]), y = stored(node->operands[1]);
    d->lesser = x < y ? x : y;
    return d->label && strlen(d->spec.x) < MAX_RANK && strlen(d->spec.y) < MAX_RANK;
}

/* Threads that share out the result each read all of the lesser factor and a share of the other, such as a
 * layer's weights for a small picture: parts are worth while only where even the lesser outweighs what is
 * written and read for them. */
static bool pays(const Deep *d, int64_t parts) {
    double result = d->batch * d->rows * d->columns, depth = d->depth / (double)parts;
    return d->extent % parts == 0 && d->batch * (double)parts <= MAX_PARTS && depth >= PART_DEPTH &&
           result * depth >= PART_WORK && (double)parts * result * GAIN <= d->lesser;
}

static char unused_letter(const Deep *d) {
    char letter = 'a';
    while (strchr(d->spec.x, letter) || strchr(d->spec.y, letter)) letter++;
    return letter;
}

/* The labels with another one before `label`. */
static const char *with_parts(Arena *arena, const char *labels, char label, char part) {
    int at = (int)labels_axis(labels, label);
    return arena_printf(arena, "%.*s%c%s", at, labels, part, labels + at);
}

static Value *split_product(Builder *b, Node *node, Arena *scratch) {
    Deep d;
    int64_t parts = MAX_PARTS;
    if (!may_split(node->results[0]) || !read_deep(node, &d)) return NULL;
    while (parts > 1 && !pays(&d, parts)) parts--;
    if (parts == 1) return NULL;
    char part = unused_letter(&d);
    Value *x = in_parts(b, node->operands[0], labels_axis(d.spec.x, d.label), parts),
          *y = in_parts(b, node->operands[1], labels_axis(d.spec.y, d.label), parts);
    const char *spec = arena_printf(scratch, "%s,%s->%c%s", with_parts(scratch, d.spec.x, d.label, part),
                                    with_parts(scratch, d.spec.y, d.label, part), part, d.spec.result);
    return add_parts(b, build_contract(b, x, y, spec));
}

static void split_block(PassContext *context, Graph *graph, Block *block) {
    for (Node *node = block->first; node; node = node->next) {
        Builder b = {.graph = graph, .block = block, .before = node, .loc = node->loc};
        Value *by = node->op == OP_reduce_sum ? split_sum(&b, node)
                    : node->op == OP_contract ? split_product(&b, node, context->scratch)
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
