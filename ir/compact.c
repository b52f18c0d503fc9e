/* Moving a graph: its nodes are copied to new memory in the order of the program, and what passes left behind
 * is freed. Deep networks' graphs are larger than caches; a walk that reads memory forwards takes a fraction
 * of the time of one that goes to and fro in it. */
#include "ir/graph.h"

enum { FEW = 8 }; /* nodes that are made or removed are few up to this part of the values */

/* What was moved is replaced by its copy. */
static void move_value(Value *value, Value *copy) {
    copy->name = value->name;
    copy->place = value->place;
    if (!value->replacement) value->replacement = copy;
}

static void move_block(Graph *graph, const Block *block, Block *copy, Arena *scratch);

static void move_node(Graph *graph, const Node *node, Block *block, Arena *scratch) {
    const Type **types = ARENA_ARRAY(scratch, const Type *, node->result_count);
    for (uint32_t i = 0; i < node->result_count; i++) types[i] = node->results[i]->type;
    for (uint32_t i = 0; i < node->operand_count; i++) node->operands[i] = value_resolve(node->operands[i]);
    Node *copy = node_new(graph, node->op, node->operand_count, node->operands, node->attr_count, node->attrs,
                          node->result_count, types, node->loc);
    node_append(block, copy);
    for (uint32_t i = 0; i < node->block_count; i++)
        move_block(graph, node->blocks[i], block_new(graph, block->function, copy), scratch);
    for (uint32_t i = 0; i < node->result_count; i++) move_value(node->results[i], copy->results[i]);
}

static void move_block(Graph *graph, const Block *block, Block *copy, Arena *scratch) {
    for (uint32_t i = 0; i < block->params.count; i++) {
        Value *param = block->params.at[i];
        move_value(param, block_param(copy, param->type, NULL));
    }
    for (const Node *node = block->first; node; node = node->next) move_node(graph, node, copy, scratch);
}

static void move_function(Graph *graph, Function *function, Arena *scratch) {
    Block *body = block_new(graph, function, NULL);
    move_block(graph, function->body, body, scratch);
    function->body = body;
    for (uint32_t i = 0; i < function->params.count; i++) function->params.at[i].value = body->params.at[i];
}

void graph_compact(Graph *graph) {
    Arena *old = graph->arena, *scratch = arena_new();
    graph->arena = arena_child(ir_arena(graph->ir));
    graph->next_id = 0;
    for (uint32_t i = 0; i < graph->functions.count; i++)
        move_function(graph, graph->functions.at[i], scratch);
    graph->changes = 0;
    arena_free(scratch);
    arena_free(old);
}

/* --- in place */
static void settle_value(Graph *graph, Value *value) {
    value->id = graph->next_id++;
    value->scratch = NULL;
}

static void settle_block(Graph *graph, Block *block) {
    for (uint32_t i = 0; i < block->params.count; i++) settle_value(graph, block->params.at[i]);
    for (Node *node = block->first; node; node = node->next) {
        __builtin_prefetch(node->next);
        node->scratch = NULL;
        for (uint32_t i = 0; i < node->operand_count; i++)
            node->operands[i] = value_resolve(node->operands[i]);
        for (uint32_t i = 0; i < node->result_count; i++) settle_value(graph, node->results[i]);
        for (uint32_t i = 0; i < node->block_count; i++) settle_block(graph, node->blocks[i]);
    }
}

void graph_settle(Graph *graph) {
    if (graph->changes > graph->next_id / FEW) {
        graph_compact(graph);
        return;
    }
    graph->next_id = 0;
    for (uint32_t i = 0; i < graph->functions.count; i++) settle_block(graph, graph->functions.at[i]->body);
}
