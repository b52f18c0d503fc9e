/* The pass `hoist`: puts computations at the loop depth where they cost least. What is expensive and the same
 * in every iteration moves before the loop; what is free where it is used moves to its uses. Requires a graph
 * without grad and kernel nodes. */
#include "passes/hoist.h"
#include "passes/passes.h"

bool hoist_is_weightless(const Node *node) {
    static const bool weightless[OP_COUNT] = {
        [OP_const] = true, [OP_iota] = true,      [OP_reshape] = true, [OP_permute] = true,
        [OP_slice] = true, [OP_broadcast] = true, [OP_window] = true,
    };
    return weightless[node->op];
}

/* Inner loops first: what leaves them may go on. */
static void hoist_block(Hoist *h, Block *block) {
    Node *next;
    for (Node *node = block->first; node; node = next) {
        next = node->next;
        for (uint32_t i = 0; i < node->block_count; i++) hoist_block(h, node->blocks[i]);
        if (node->op == OP_for || node->op == OP_while) hoist_loop(h, node);
        if (node->op == OP_for) hoist_steps(h, node);
    }
}

void pass_hoist(PassContext *context, Graph *graph) {
    Hoist h = {.graph = graph, .scratch = context->scratch, .panel = context->panel};
    h.counted = graph->next_id;
    h.uses = graph_count_uses(graph, h.scratch);
    for (uint32_t i = 0; i < graph->functions.count; i++) hoist_rows(&h, graph->functions.at[i]->body);
    graph_resolve(graph);
    for (uint32_t i = 0; i < graph->functions.count; i++) hoist_block(&h, graph->functions.at[i]->body);
    graph_resolve(graph);
    for (uint32_t i = 0; i < graph->functions.count; i++) {
        hoist_sink(&h, graph->functions.at[i]->body);
        hoist_layout(&h, graph->functions.at[i]->body, NULL);
    }
}
