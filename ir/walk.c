/* Visiting all nodes of a graph, and what one visit of each answers. */
#include "ir/graph.h"

void block_walk(Block *block, void (*visit)(void *user, Node *node), void *user) {
    Node *next;
    for (Node *node = block->first; node; node = next) {
        next = node->next;
        __builtin_prefetch(next); /* graphs of deep networks are larger than caches */
        visit(user, node);
        if (node->block != block) continue; /* it was removed, and what is in it too */
        for (uint32_t i = 0; i < node->block_count; i++) block_walk(node->blocks[i], visit, user);
    }
}

void graph_walk(Graph *graph, void (*visit)(void *user, Node *node), void *user) {
    for (uint32_t i = 0; i < graph->functions.count; i++)
        block_walk(graph->functions.at[i]->body, visit, user);
}

typedef struct {
    Op op;
    Arena *arena;
    Nodes found;
} Finding;

static void find_node(void *user, Node *node) {
    Finding *f = user;
    if (node->op == f->op) vec_push(f->arena, &f->found, node);
}

Nodes block_nodes(Block *block, Op op, Arena *arena) {
    Finding f = {op, arena, {0}};
    block_walk(block, find_node, &f);
    return f.found;
}

Nodes graph_nodes(Graph *graph, Op op, Arena *arena) {
    Finding f = {op, arena, {0}};
    graph_walk(graph, find_node, &f);
    return f.found;
}

typedef void VisitSymbol(void *user, const Dim *symbol);

static void symbols_of_dims(uint32_t count, const Dim *const *dims, VisitSymbol *visit, void *user) {
    for (uint32_t i = 0; i < count; i++)
        if (dims[i]) dim_symbols(dims[i], visit, user);
}

static void symbols_of_type(const Type *type, VisitSymbol *visit, void *user) {
    symbols_of_dims(type->rank, type->dims, visit, user);
}

void node_symbols(const Node *node, VisitSymbol *visit, void *user) {
    for (uint32_t i = 0; i < node->result_count; i++) symbols_of_type(node->results[i]->type, visit, user);
    for (uint32_t i = 0; i < node->attr_count; i++) {
        const Attr *attr = &node->attrs[i];
        AttrKind kind = attr_kind(attr->key);
        if (kind == ATTR_KIND_DIM) symbols_of_dims(1, &attr->dim, visit, user);
        if (kind == ATTR_KIND_DIMS) symbols_of_dims(attr->count, attr->dims, visit, user);
        for (uint32_t k = 0; kind == ATTR_KIND_TYPES && k < attr->count; k++)
            symbols_of_type(attr->types[k], visit, user);
    }
}

static void resolve_operands(void *user, Node *node) {
    (void)user;
    for (uint32_t i = 0; i < node->operand_count; i++) node->operands[i] = value_resolve(node->operands[i]);
}

void graph_resolve(Graph *graph) { graph_walk(graph, resolve_operands, NULL); }

void block_resolve(Block *block) { block_walk(block, resolve_operands, NULL); }

static void count_operands(void *user, Node *node) {
    uint32_t *uses = user;
    for (uint32_t i = 0; i < node->operand_count; i++) uses[node->operands[i]->id]++;
}

uint32_t *graph_count_uses(Graph *graph, Arena *arena) {
    uint32_t *uses = ARENA_ARRAY(arena, uint32_t, graph->next_id);
    graph_walk(graph, count_operands, uses);
    return uses;
}

static void renumber_params(Graph *graph, Block *block) {
    for (uint32_t i = 0; i < block->params.count; i++) block->params.at[i]->id = graph->next_id++;
}

static void renumber_block(Graph *graph, Block *block) {
    renumber_params(graph, block);
    for (Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; i < node->result_count; i++) node->results[i]->id = graph->next_id++;
        for (uint32_t i = 0; i < node->block_count; i++) renumber_block(graph, node->blocks[i]);
    }
}

void graph_renumber(Graph *graph) {
    graph->next_id = 0;
    for (uint32_t i = 0; i < graph->functions.count; i++) renumber_block(graph, graph->functions.at[i]->body);
}
