/* Before grouping: a padded picture that is stored because some product reads its zeros, as the gradient of a
 * convolution's weights does, is what other products see as a picture with zeros around, which they leave out
 * (fuse_edges.c): the part of it that isn't zeros, padded once more. */
#include "ir/build.h"
#include "passes/fuse.h"
#include "support/map.h"

static bool is_pad(const Node *node) { return node && node->op == OP_pad; }

/* The node that pads what the operand is a view of; NULL where there is none. */
static Node *pad_below(const Value *operand) {
    Node *node = operand->node;
    while (node && !is_pad(node) && op_has(node->op, TRAIT_VIEW)) node = node->operands[0]->node;
    return is_pad(node) ? node : NULL;
}

/* What is padded, or is no view, is in memory. */
static bool is_base(void *user, Value *value) {
    const Node *pad = user;
    return (pad && value == pad->operands[0]) || !value->node || !op_has(value->node->op, TRAIT_VIEW);
}

static bool leaves_zeros_out(IrContext *ir, const Node *contract) {
    Strided view[2];
    for (uint32_t i = 0; i < 2; i++)
        if (!strided_view(ir, contract->operands[i], is_base, pad_below(contract->operands[i]), &view[i]))
            return false;
    return fuse_fits_edges(contract, &view[0], &view[1]);
}

typedef struct {
    Graph *graph;
    Map *stored; /* of nodes that pad: those whose zeros are read */
} Padded;

static void find_stored(void *user, Node *node) {
    const Padded *p = user;
    if (node->op != OP_contract || leaves_zeros_out(p->graph->ir, node)) return;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Node *pad = pad_below(node->operands[i]);
        if (pad) map_put(p->stored, pad, pad);
    }
}

/* What was padded, as a part of the result. */
static Value *without_zeros(Builder *b, const Node *pad) {
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    const Type *type = pad->operands[0]->type;
    for (uint32_t i = 0; i < type->rank; i++) {
        start[i] = node_attr(pad, ATTR_low)->dims[i];
        step[i] = node_attr(pad, ATTR_interior)->ints[i] + 1;
    }
    return build_slice(b, pad->results[0], start, type->dims, step);
}

static Value *rebuilt(Builder *b, const Value *value, const Node *pad) {
    const Node *node = value->node;
    Value *operands[2];
    operands[0] = node == pad ? without_zeros(b, pad) : rebuilt(b, node->operands[0], pad);
    if (node == pad) operands[1] = pad->operands[1];
    return build_node(b, node->op, node->operand_count, operands, node->attr_count, node->attrs)->results[0];
}

static void read_inside(void *user, Node *node) {
    const Padded *p = user;
    if (node->op != OP_contract || !leaves_zeros_out(p->graph->ir, node)) return;
    Builder b = {.graph = p->graph, .block = node->block, .before = node, .loc = node->loc};
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Node *pad = pad_below(node->operands[i]);
        if (pad && map_get(p->stored, pad)) node->operands[i] = rebuilt(&b, node->operands[i], pad);
    }
}

void fuse_read_inside_zeros(PassContext *context, Graph *graph) {
    Padded p = {graph, map_new(context->scratch)};
    graph_walk(graph, find_stored, &p);
    graph_walk(graph, read_inside, &p);
}
