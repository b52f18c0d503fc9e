/* Before grouping: a contraction whose result is only read with its axes reordered computes it in that order,
 * so that what follows can be its epilogue. */
#include "ir/build.h"
#include "ir/shape.h"
#include "passes/fuse.h"

/* The spec with the result's labels reordered. */
static const char *reordered(Graph *graph, const char *spec, const Attr *perm) {
    Arena *arena = ir_arena(graph->ir);
    char *text = arena_strdup(arena, spec);
    char *out = strstr(text, "->") + 2;
    const char *labels = strstr(spec, "->") + 2;
    for (uint32_t d = 0; d < perm->count; d++) out[d] = labels[perm->ints[d]];
    return text;
}

/* Would another axis of the same factor become innermost? Then a vector's lanes would be apart. */
static bool parts_lanes(const Node *contract, const Attr *perm) {
    ContractSpec spec;
    if (!perm->count || !contract_spec_parse(node_str(contract, ATTR_spec), &spec)) return false;
    char lanes = spec.result[perm->count - 1], last = spec.result[perm->ints[perm->count - 1]];
    if (last == lanes) return false;
    bool in_x = labels_have(spec.x, lanes), in_y = labels_have(spec.y, lanes);
    return in_x != in_y && labels_have(spec.x, last) == in_x && labels_have(spec.y, last) == in_y;
}

typedef struct {
    Graph *graph;
    const uint32_t *uses;
} Reorder;

static void reorder_contract(void *user, Node *node) {
    const Reorder *r = user;
    if (node->op != OP_permute) return;
    Node *contract = node->operands[0]->node;
    if (!contract || contract->op != OP_contract || contract->block != node->block) return;
    if (r->uses[node->operands[0]->id] != 1 || parts_lanes(contract, node_attr(node, ATTR_perm))) return;
    Builder b = {.graph = r->graph, .block = node->block, .before = node, .loc = contract->loc};
    const char *spec = reordered(r->graph, node_str(contract, ATTR_spec), node_attr(node, ATTR_perm));
    Value *result = build_contract(&b, contract->operands[0], contract->operands[1], spec);
    value_replace(node->results[0], result);
    node_remove(node);
    node_remove(contract);
}

void fuse_reorder_contracts(PassContext *context, Graph *graph) {
    Reorder r = {graph, graph_count_uses(graph, context->scratch)};
    graph_walk(graph, reorder_contract, &r);
    graph_resolve(graph);
}
