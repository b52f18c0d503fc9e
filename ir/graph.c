/* Making, linking and changing the parts of a graph. Walking and copying: ir/walk.c, ir/clone.c. */
#include "ir/graph.h"
#include <assert.h>

/* --- making */
Graph *graph_new(IrContext *ir, const char *name) {
    Graph *graph = ARENA_NEW(ir_arena(ir), Graph);
    graph->ir = ir;
    graph->arena = arena_child(ir_arena(ir));
    graph->name = intern(ir_strings(ir), name);
    return graph;
}

Function *graph_function(Graph *graph, FunctionKind kind, const char *name) {
    Arena *arena = ir_arena(graph->ir);
    Function *function = ARENA_NEW(arena, Function);
    function->kind = kind;
    function->name = intern(ir_strings(graph->ir), name);
    function->body = block_new(graph, function, NULL);
    vec_push(arena, &graph->functions, function);
    return function;
}

Block *block_new(Graph *graph, Function *function, Node *owner) {
    Block *block = ARENA_NEW(graph->arena, Block);
    block->graph = graph;
    block->function = function;
    if (owner) node_add_block(owner, block);
    return block;
}

static void value_set(Graph *graph, Value *value, const Type *type, uint32_t index) {
    value->type = type;
    value->index = index;
    value->id = graph->next_id++;
    value->place.frame = -1;
}

static Value *value_new(Graph *graph, const Type *type, uint32_t index) {
    Value *value = ARENA_NEW(graph->arena, Value);
    value_set(graph, value, type, index);
    return value;
}

Value *block_param(Block *block, const Type *type, const char *name) {
    Value *value = value_new(block->graph, type, block->params.count);
    value->block = block;
    if (name) value->name = intern(ir_strings(block->graph->ir), name);
    vec_push(block->graph->arena, &block->params, value);
    return value;
}

Node *block_yield(const Block *block) {
    assert(block->last && block->last->op == OP_yield);
    return block->last;
}

bool block_inside(const Block *inner, const Block *outer) {
    while (inner && inner != outer) inner = inner->owner ? inner->owner->block : NULL;
    return inner != NULL;
}

/* --- attributes */
static size_t element_size(AttrKind kind) {
    switch (kind) {
    case ATTR_KIND_INTS: return sizeof(int64_t);
    case ATTR_KIND_STRS: return sizeof(const char *);
    case ATTR_KIND_DIMS: return sizeof(const Dim *);
    case ATTR_KIND_TYPES: return sizeof(const Type *);
    case ATTR_KIND_INT:
    case ATTR_KIND_NUMBER:
    case ATTR_KIND_STR:
    case ATTR_KIND_DIM:
    case ATTR_KIND_DTYPE: break;
    }
    return 0;
}

static bool is_shape_of(const Type *type, const Attr *attr) {
    if (!type || attr_kind(attr->key) != ATTR_KIND_DIMS || attr->count != type->rank) return false;
    for (uint32_t i = 0; i < type->rank; i++)
        if (attr->dims[i] != type->dims[i]) return false;
    return true;
}

/* The attribute with an array of its own, or, for the shape of the result, with that of its type. */
static Attr own_attr(Graph *graph, Attr attr, const Type *result) {
    size_t size = element_size(attr_kind(attr.key));
    if (is_shape_of(result, &attr))
        attr.dims = result->dims;
    else if (size)
        attr.ints = arena_copy(graph->arena, attr.ints, size * attr.count);
    return attr;
}

const Attr *node_attr(const Node *node, AttrKey key) {
    for (uint32_t i = 0; i < node->attr_count; i++)
        if (node->attrs[i].key == key) return &node->attrs[i];
    return NULL;
}

int64_t node_int(const Node *node, AttrKey key) {
    const Attr *attr = node_attr(node, key);
    assert(attr && attr_kind(key) == ATTR_KIND_INT);
    return attr->integer;
}

const char *node_str(const Node *node, AttrKey key) {
    const Attr *attr = node_attr(node, key);
    assert(attr && attr_kind(key) == ATTR_KIND_STR);
    return attr->str;
}

const Dim *node_dim(const Node *node, AttrKey key) {
    const Attr *attr = node_attr(node, key);
    assert(attr && attr_kind(key) == ATTR_KIND_DIM);
    return attr->dim;
}

/* An integer constant is written as its type holds it, so that who reads it needn't wrap. */
static Attr wrap_constant(const Node *node, Attr attr) {
    if (attr.key != ATTR_ivalue || node->op != OP_const || !node->result_count) return attr;
    DType dtype = node->results[0]->type->dtype;
    bool wraps = dtype_is_integer(dtype) || dtype == DTYPE_bool;
    if (wraps) attr.integer = dtype_wrap(dtype, (uint64_t)attr.integer);
    return attr;
}

void node_set_attr(Node *node, Attr attr) {
    Graph *graph = node->graph;
    attr = wrap_constant(node, own_attr(graph, attr, NULL));
    for (uint32_t i = 0; i < node->attr_count; i++) {
        if (node->attrs[i].key != attr.key) continue;
        node->attrs[i] = attr;
        return;
    }
    Attr *attrs = ARENA_ARRAY(graph->arena, Attr, node->attr_count + 1);
    if (node->attr_count) memcpy(attrs, node->attrs, sizeof(Attr) * node->attr_count);
    attrs[node->attr_count++] = attr;
    node->attrs = attrs;
}

void node_drop_attr(Node *node, AttrKey key) {
    uint32_t kept = 0;
    Attr *attrs = ARENA_ARRAY(node->graph->arena, Attr, node->attr_count + 1);
    for (uint32_t i = 0; i < node->attr_count; i++)
        if (node->attrs[i].key != key) attrs[kept++] = node->attrs[i];
    node->attrs = attrs;
    node->attr_count = kept;
}

/* --- nodes */
/* Elements that an array of a node's operands, results or blocks has room for: a power of two, so that what
 * grows one by one is copied seldom. */
static uint32_t room_for(uint32_t count) {
    uint32_t room = count > 0;
    while (room < count) room *= 2;
    return room;
}

/* The next `size` bytes of a node's memory. */
static void *next_part(char **memory, size_t size) {
    void *part = *memory;
    *memory += size;
    return part;
}

/* A node with its arrays and results is one piece of memory: graphs are large, and walked often. */
Node *node_new(Graph *graph, Op op, uint32_t operands, Value *const *operand, uint32_t attrs,
               const Attr *attr, uint32_t results, const Type *const *result, Loc loc) {
    size_t operands_size = sizeof(Value *) * room_for(operands), attrs_size = sizeof(Attr) * attrs;
    size_t results_size = sizeof(Value *) * room_for(results), values_size = sizeof(Value) * results;
    char *memory =
        arena_alloc(graph->arena, sizeof(Node) + operands_size + attrs_size + results_size + values_size);
    Node *node = next_part(&memory, sizeof *node);
    node->graph = graph;
    node->op = op;
    node->loc = loc;
    node->operand_count = operands;
    node->operands = next_part(&memory, operands_size);
    for (uint32_t i = 0; i < operands; i++) node->operands[i] = operand[i];
    node->attr_count = attrs;
    node->attrs = next_part(&memory, attrs_size);
    for (uint32_t i = 0; i < attrs; i++)
        node->attrs[i] = own_attr(graph, attr[i], results ? result[0] : NULL);
    node->result_count = results;
    node->results = next_part(&memory, results_size);
    Value *values = next_part(&memory, values_size);
    for (uint32_t i = 0; i < results; i++) {
        node->results[i] = &values[i];
        value_set(graph, &values[i], result[i], i);
        values[i].node = node;
    }
    for (uint32_t i = 0; i < attrs; i++) node->attrs[i] = wrap_constant(node, node->attrs[i]);
    graph->changes++;
    return node;
}

/* The array with room for one more. */
static void *one_more(Graph *graph, void *array, uint32_t count) {
    if (room_for(count) > count) return array;
    void **more = ARENA_ARRAY(graph->arena, void *, room_for(count + 1));
    if (count) memcpy(more, array, sizeof(void *) * count);
    return more;
}

void node_add_operand(Node *node, Value *value) {
    node->operands = one_more(node->graph, node->operands, node->operand_count);
    node->operands[node->operand_count++] = value;
}

Value *node_add_result(Node *node, const Type *type) {
    Value *value = value_new(node->graph, type, node->result_count);
    value->node = node;
    value->block = node->block;
    node->results = one_more(node->graph, node->results, node->result_count);
    return node->results[node->result_count++] = value;
}

void node_add_block(Node *node, Block *block) {
    for (uint32_t i = 0; i < node->block_count; i++)
        if (node->blocks[i] == block) return;
    block->owner = node;
    node->blocks = one_more(node->graph, node->blocks, node->block_count);
    node->blocks[node->block_count++] = block;
}

/* --- linking */
static void set_function(Block *block, Function *function) {
    if (block->function == function) return;
    block->function = function;
    for (Node *node = block->first; node; node = node->next)
        for (uint32_t i = 0; i < node->block_count; i++) set_function(node->blocks[i], function);
}

/* Makes `node` a node of `block`, between `prev` and `next` (either may be NULL at the ends). */
static void link_node(Block *block, Node *prev, Node *node, Node *next) {
    assert(!node->block);
    node->block = block;
    node->prev = prev;
    node->next = next;
    *(prev ? &prev->next : &block->first) = node;
    *(next ? &next->prev : &block->last) = node;
    for (uint32_t i = 0; i < node->result_count; i++) node->results[i]->block = block;
    for (uint32_t i = 0; i < node->block_count; i++) set_function(node->blocks[i], block->function);
}

void node_append(Block *block, Node *node) { link_node(block, block->last, node, NULL); }

void node_insert_before(Node *where, Node *node) { link_node(where->block, where->prev, node, where); }

void node_insert_after(Node *where, Node *node) { link_node(where->block, where, node, where->next); }

void node_remove(Node *node) {
    Block *block = node->block;
    assert(block);
    *(node->prev ? &node->prev->next : &block->first) = node->next;
    *(node->next ? &node->next->prev : &block->last) = node->prev;
    node->block = NULL;
    node->prev = node->next = NULL;
    node->graph->changes++;
}

/* --- replacing */
Value *value_resolve(Value *value) {
    Value *end = value;
    while (end->replacement) end = end->replacement;
    while (value->replacement) { /* shorten the chain for the next time */
        Value *next = value->replacement;
        value->replacement = end;
        value = next;
    }
    return end;
}

void value_replace(Value *old, Value *by) {
    assert(old != by);
    /* What was replaced by `old` before may come back: then it is the one that lasts. */
    if (value_resolve(by) == old) by->replacement = NULL;
    old->replacement = by;
}
