/* Puts every tensor computation into `kernel` nodes: one index space each, whatever can be computed on the
 * way inside. What the kinds of kernel are: docs/internals.md; how the parts work together: passes/fuse.h. */
#include "passes/fuse.h"

static void fuse_block(PassContext *context, Graph *graph, Block *block) {
    Fuse f = {.graph = graph, .ir = graph->ir, .arena = context->scratch};
    fuse_collect(&f, block);
    fuse_join(&f);
    fuse_inline(&f);
    fuse_find_readers(&f);
    fuse_store(&f);
    fuse_build(&f);
}

/* Inner blocks first: an outer block's kernels replace values that inner blocks read, and never the other way
 * round. */
static void fuse_nested(PassContext *context, Graph *graph, Block *block) {
    for (Node *node = block->first; node; node = node->next)
        for (uint32_t i = 0; node->op != OP_kernel && i < node->block_count; i++)
            fuse_nested(context, graph, node->blocks[i]);
    fuse_block(context, graph, block);
}

void pass_fuse(PassContext *context, Graph *graph) {
    fuse_reorder_contracts(context, graph);
    fuse_read_inside_zeros(context, graph);
    for (uint32_t i = 0; i < graph->functions.count; i++)
        fuse_nested(context, graph, graph->functions.at[i]->body);
    graph_resolve(graph);
}
