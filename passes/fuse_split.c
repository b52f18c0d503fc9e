/* Before grouping: a product of few rows and columns that is deep, as a convolution's gradient by its
 * weights, becomes the sum of products of parts of its depth. Threads share these out, and each reads its
 * part of the factors once; were the rows and columns shared out, each would read all of a factor, of which
 * the caches hold little. The parts depend on sizes alone, and so does the order of the sums. */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/fuse.h"

enum {
    MAX_PARTS = 16,
    PART_WORK = 400000, /* multiply-adds at least */
    PART_DEPTH = 512,   /* steps at least */
    PART_GAIN = 4 /* elements of the factors at least for each of the parts' results, written and read */
};

typedef struct {
    const Node *node;
    ContractSpec spec;
    char label;                         /* of the depth's outermost axis in the first factor */
    int64_t extent;                     /* its size */
    double rows, columns, batch, depth; /* sizes */
} Deep;

static const Dim *size_of(const Deep *d, char label) {
    const char *at = strchr(d->spec.x, label);
    if (at) return d->node->operands[0]->type->dims[at - d->spec.x];
    return d->node->operands[1]->type->dims[strchr(d->spec.y, label) - d->spec.y];
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

static bool read_deep(const Node *node, Deep *d) {
    *d = (Deep){.node = node, .rows = 1, .columns = 1, .batch = 1, .depth = 1};
    contract_spec_parse(node_str(node, ATTR_spec), &d->spec);
    for (const char *label = d->spec.x; *label; label++)
        if (!take_axis(d, *label)) return false;
    for (const char *label = d->spec.y; *label; label++)
        if (!strchr(d->spec.x, *label) && !take_axis(d, *label)) return false;
    DType dtype = node->results[0]->type->dtype;
    return d->label && (dtype == DTYPE_f32 || dtype == DTYPE_f64) && strlen(d->spec.x) < MAX_RANK &&
           strlen(d->spec.y) < MAX_RANK && strlen(d->spec.result) < MAX_RANK;
}

static bool pays(const Deep *d, int64_t parts) {
    double result = d->rows * d->columns, depth = d->depth / (double)parts;
    return d->extent % parts == 0 && d->batch * (double)parts <= MAX_PARTS && depth >= PART_DEPTH &&
           d->batch * result * depth >= PART_WORK &&
           2 * (double)parts * result * PART_GAIN <= d->depth * (d->rows + d->columns);
}

/* The factor with the axis as two: the parts', and what is of one part. */
static Value *in_parts(Builder *b, Value *x, const char *labels, char label, int64_t parts) {
    const Dim *dims[MAX_RANK];
    uint32_t at = (uint32_t)(strchr(labels, label) - labels);
    for (uint32_t i = 0; i <= x->type->rank; i++) dims[i] = x->type->dims[i <= at ? i : i - 1];
    IrContext *ir = b->graph->ir;
    dims[at + 1] = dim_floordiv(ir, dims[at], dim_const(ir, parts));
    dims[at] = dim_const(ir, parts);
    return build_reshape(b, x, x->type->rank + 1, dims);
}

static char unused_letter(const Deep *d) {
    char letter = 'a';
    while (strchr(d->spec.x, letter) || strchr(d->spec.y, letter)) letter++;
    return letter;
}

/* The labels with another one before `label`. */
static const char *with_parts(Arena *arena, const char *labels, char label, char part) {
    int at = (int)(strchr(labels, label) - labels);
    return arena_printf(arena, "%.*s%c%s", at, labels, part, labels + at);
}

static void split_contract(void *user, Node *node) {
    Arena *arena = user;
    Deep d;
    int64_t parts = MAX_PARTS;
    if (node->op != OP_contract || !read_deep(node, &d)) return;
    while (parts > 1 && !pays(&d, parts)) parts /= 2;
    if (parts == 1) return;
    Builder b = {.graph = node->graph, .block = node->block, .before = node, .loc = node->loc};
    char part = unused_letter(&d);
    Value *x = in_parts(&b, node->operands[0], d.spec.x, d.label, parts),
          *y = in_parts(&b, node->operands[1], d.spec.y, d.label, parts);
    const char *spec = arena_printf(arena, "%s,%s->%c%s", with_parts(arena, d.spec.x, d.label, part),
                                    with_parts(arena, d.spec.y, d.label, part), part, d.spec.result);
    Value *all = build_contract(&b, x, y, spec);
    value_replace(node->results[0], build_reduce(&b, OP_reduce_sum, all, 1, (int64_t[]){0}));
    node_remove(node);
}

void fuse_split_contracts(PassContext *context, Graph *graph) {
    graph_walk(graph, split_contract, context->scratch);
    graph_resolve(graph);
}
