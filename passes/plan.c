/* Gives every tensor outside kernels a place in an arena, so that nothing is allocated while a loop runs,
 * results overwrite what dies there, and carried values are updated where they lie. Requires fused graphs;
 * leaves places on values, `frame` nodes that open the arenas, and `copy` nodes only where two values can't
 * share. */
#include "passes/plan.h"
#include <stdio.h>
#include <stdlib.h>

bool plan_is_tensor(const Value *value) { return value->type->rank > 0; }
Buffer *plan_buffer(const Value *value) { return value->scratch; }
PlanNode *plan_node(const Node *node) { return node->scratch; }
bool plan_is_loop(const Node *node) { return node->op == OP_for || node->op == OP_while; }

const Dim *plan_too_large(Plan *plan, const Value *value) {
    Loc loc = value->node ? value->node->loc : value->block->owner->loc;
    if (!plan->failed)
        diag_report(plan->diags, D_TENSOR_SIZE, diagnostics_span(plan->diags, loc),
                    type_text(plan->ir, value->type));
    plan->failed = true;
    return dim_const(plan->ir, 0);
}

/* Clears the scratch fields, and what an earlier plan has left. */
static void forget_block(Block *block, bool frames) {
    for (uint32_t i = 0; i < block->params.count; i++) block->params.at[i]->scratch = NULL;
    for (Node *node = block->first, *next; node; node = next) {
        next = node->next;
        node->scratch = NULL;
        for (uint32_t i = 0; i < node->result_count; i++) node->results[i]->scratch = NULL;
        for (uint32_t i = 0; i < node->block_count; i++) forget_block(node->blocks[i], frames);
        if (frames && node->op == OP_frame) node_remove(node);
    }
}

/* A copy or reshape whose result is its operand's place needs no code; copies go, and reshapes stay for their
 * type. */
static void drop_copies(Plan *plan) {
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        Node *node = plan->nodes.at[i];
        if (node->op != OP_copy || !plan_buffer(node->results[0]) || !plan_buffer(node->operands[0]))
            continue;
        if (plan_buffer(node->results[0])->tenants != plan_buffer(node->operands[0])->tenants) continue;
        value_replace(node->results[0], node->operands[0]);
        node_remove(node);
    }
    graph_resolve(plan->graph);
}

static bool plan_function(PassContext *context, Graph *graph, Function *function, int32_t *next_frame) {
    Plan plan = {.graph = graph,
                 .ir = graph->ir,
                 .arena = context->scratch,
                 .diags = context->diags,
                 .function = function};
    forget_block(function->body, true);
    plan_order(context->scratch, function->body);
    plan_copies(&plan);
    plan_liveness(&plan);
    if (plan.failed) return false;
    plan_merge(&plan);
    plan_places(&plan, next_frame);
    drop_copies(&plan);
    forget_block(function->body, false);
    return !plan.failed;
}

void pass_plan(PassContext *context, Graph *graph) {
    int32_t next_frame = 0;
    for (uint32_t i = 0; i < graph->functions.count; i++)
        if (!plan_function(context, graph, graph->functions.at[i], &next_frame)) return;
    const char *wrong = plan_check(graph, context->scratch);
    if (wrong) {
        fprintf(stderr, "nnc: bug: plan: %s\n", wrong);
        abort();
    }
}
