/* Copies of nodes and blocks. A copy's run-time symbols are its own, so types and attributes that mention a
 * copied symbol are rewritten; the map carries symbols (as Dims) beside values. */
#include "ir/graph.h"
#include "support/map.h"
#include <assert.h>

Value *value_mapped(const Map *map, Value *value) {
    Value *by = map_get(map, value);
    return by ? by : value;
}

static const Dim *mapped_symbol(void *user, const Dim *symbol) { return map_get(user, symbol); }

/* Renaming a symbol cannot overflow, so these never yield NULL. */
static const Dim *clone_dim(Graph *graph, Map *map, const Dim *dim) {
    const Dim *copy = dim_substitute(graph->ir, dim, mapped_symbol, map);
    assert(copy);
    return copy;
}

static const Type *clone_type(Graph *graph, Map *map, const Type *type) {
    const Type *copy = type_substitute(graph->ir, type, mapped_symbol, map);
    assert(copy);
    return copy;
}

static Attr clone_attr(Graph *graph, Map *map, Attr attr) {
    Arena *arena = graph->arena;
    switch (attr_kind(attr.key)) {
    case ATTR_KIND_DIM: attr.dim = clone_dim(graph, map, attr.dim); break;
    case ATTR_KIND_DIMS: {
        const Dim **dims = ARENA_ARRAY(arena, const Dim *, attr.count);
        for (uint32_t i = 0; i < attr.count; i++) dims[i] = clone_dim(graph, map, attr.dims[i]);
        attr.dims = dims;
        break;
    }
    case ATTR_KIND_TYPES: {
        const Type **types = ARENA_ARRAY(arena, const Type *, attr.count);
        for (uint32_t i = 0; i < attr.count; i++) types[i] = clone_type(graph, map, attr.types[i]);
        attr.types = types;
        break;
    }
    case ATTR_KIND_INT:
    case ATTR_KIND_NUMBER:
    case ATTR_KIND_STR:
    case ATTR_KIND_INTS:
    case ATTR_KIND_STRS:
    case ATTR_KIND_DTYPE: break;
    }
    return attr;
}

static Place clone_place(Graph *graph, Map *map, Place place) {
    if (place.frame >= 0) place.offset = clone_dim(graph, map, place.offset);
    return place;
}

/* What differs between a value and its copy besides the definition; and the copy becomes known. */
static void clone_value(Graph *graph, Map *map, Value *value, Value *copy) {
    copy->name = value->name;
    copy->place = clone_place(graph, map, value->place);
    map_put(map, value, copy);
}

static void rename_symbol(Graph *graph, const Dim *symbol, Map *map) {
    const Dim *fresh = dim_fresh(graph->ir, dim_symbol_name(symbol));
    map_put(map, symbol, (void *)(uintptr_t)fresh);
}

/* The symbols that the node defines get new names. */
static void rename_symbols(Graph *graph, const Node *node, Map *map) {
    if (node->op == OP_symbol) rename_symbol(graph, node_dim(node, ATTR_dim), map);
    const Attr *index = node_attr(node, ATTR_index);
    for (uint32_t i = 0; index && i < index->count; i++) rename_symbol(graph, index->dims[i], map);
}

Node *node_clone(Graph *graph, const Node *node, Map *map) {
    rename_symbols(graph, node, map);
    Arena *arena = graph->arena;
    Value **operands = ARENA_ARRAY(arena, Value *, node->operand_count);
    for (uint32_t i = 0; i < node->operand_count; i++) operands[i] = value_mapped(map, node->operands[i]);
    Attr *attrs = ARENA_ARRAY(arena, Attr, node->attr_count);
    for (uint32_t i = 0; i < node->attr_count; i++) attrs[i] = clone_attr(graph, map, node->attrs[i]);
    const Type **types = ARENA_ARRAY(arena, const Type *, node->result_count);
    for (uint32_t i = 0; i < node->result_count; i++)
        types[i] = clone_type(graph, map, node->results[i]->type);
    Node *copy = node_new(graph, node->op, node->operand_count, operands, node->attr_count, attrs,
                          node->result_count, types, node->loc);
    for (uint32_t i = 0; i < node->block_count; i++) block_clone(graph, node->blocks[i], copy, map);
    for (uint32_t i = 0; i < node->result_count; i++)
        clone_value(graph, map, node->results[i], copy->results[i]);
    return copy;
}

Block *block_clone(Graph *graph, const Block *block, Node *owner, Map *map) {
    Block *copy = block_new(graph, block->function, owner);
    for (uint32_t i = 0; i < block->params.count; i++) {
        Value *param = block->params.at[i];
        clone_value(graph, map, param, block_param(copy, clone_type(graph, map, param->type), NULL));
    }
    for (Node *node = block->first; node; node = node->next) node_append(copy, node_clone(graph, node, map));
    return copy;
}

Value **block_inline(Graph *graph, const Block *block, Node *where, Map *map) {
    Node *yield = block_yield(block);
    for (Node *node = block->first; node != yield; node = node->next)
        node_insert_before(where, node_clone(graph, node, map));
    Value **results = ARENA_ARRAY(graph->arena, Value *, yield->operand_count);
    for (uint32_t i = 0; i < yield->operand_count; i++) results[i] = value_mapped(map, yield->operands[i]);
    return results;
}
