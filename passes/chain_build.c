/* A chain as one kernel: its members' bodies once more, for one part. What depends on the chain's values, on
 * a reduction or a product is made in the part's shape; anything else may be made as a whole, of which a
 * slice is asked for: inside a kernel that is an index. */
#include "ir/build.h"
#include "passes/chain.h"
#include <assert.h>

typedef struct {
    const Value *value;
    Marks marks;
    Value *part;
} Known;

typedef struct {
    Graph *graph;
    Arena *arena;
    const Chain *chain;
    const Dim *index[MAX_RANK];
    Map *parts; /* Value * of a member → its part */

    /* Of the member at hand. */
    const Member *member;
    Builder builder;
    Map *whole; /* Value * → its copy */
    Map *bound; /* values that exist in parts only (chain_bound) */
    VEC(Known) known;
} Build;

static bool is_inside(const Build *b, const Value *value) {
    return value->block == b->member->kernel->blocks[0];
}

static bool is_marked(const Build *b, const Marks *marks) {
    for (uint32_t j = 0; j < b->chain->axis_count; j++)
        if (marks->axis[j] >= 0) return true;
    return false;
}

/* The dimensions of a part. */
static void part_dims(const Build *b, const Type *type, const Marks *marks, const Dim **dims) {
    for (uint32_t d = 0; d < type->rank; d++) dims[d] = type->dims[d];
    for (uint32_t j = 0; j < b->chain->axis_count; j++) {
        if (marks->axis[j] < 0) continue;
        dims[marks->axis[j]] = dim_share(b->graph->ir, type->dims[marks->axis[j]], b->chain->dims[j]);
        assert(dims[marks->axis[j]] && "what is marked has parts");
    }
}

static const Type *part_type(const Build *b, const Type *type, const Marks *marks) {
    const Dim *dims[MAX_RANK];
    part_dims(b, type, marks, dims);
    return type_tensor(b->graph->ir, type->dtype, type->rank, dims);
}

/* --- what is no part of anything yet */
static Value *whole_of(Build *b, Value *value) {
    if (!is_inside(b, value) || map_get(b->whole, value)) return value_mapped(b->whole, value);
    for (uint32_t i = 0; i < value->node->operand_count; i++) whole_of(b, value->node->operands[i]);
    node_append(b->builder.block, node_clone(b->graph, value->node, b->whole));
    return value_mapped(b->whole, value);
}

static Value *slice_of(Build *b, Value *value, const Marks *marks) {
    Value *whole = whole_of(b, value);
    if (!is_marked(b, marks)) return whole;
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    part_dims(b, whole->type, marks, dims);
    for (uint32_t d = 0; d < whole->type->rank; d++) {
        start[d] = dim_const(b->graph->ir, 0);
        step[d] = 1;
    }
    for (uint32_t j = 0; j < b->chain->axis_count; j++)
        if (marks->axis[j] >= 0)
            start[marks->axis[j]] = dim_mul(b->graph->ir, b->index[j], dims[marks->axis[j]]);
    return build_slice(&b->builder, whole, start, dims, step);
}

/* --- operations in the shape of a part */
static Value *part_of(Build *b, Value *value, const Marks *marks);

static Value *node_of_part(Build *b, const Node *node, const Marks *marks) {
    Value **operands = ARENA_ARRAY(b->arena, Value *, node->operand_count + 1);
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Marks own;
        bool known = marks_of_operand(b->chain, node, i, marks, &own);
        assert(known);
        (void)known;
        operands[i] = part_of(b, node->operands[i], &own);
    }
    const Dim *dims[MAX_RANK];
    part_dims(b, node->results[0]->type, marks, dims);
    Attr *attrs = ARENA_ARRAY(b->arena, Attr, node->attr_count + 1);
    for (uint32_t i = 0; i < node->attr_count; i++) {
        attrs[i] = node->attrs[i];
        if (attrs[i].key == ATTR_dims) attrs[i] = attr_dims(ATTR_dims, node->results[0]->type->rank, dims);
    }
    b->builder.loc = node->loc;
    return build_node(&b->builder, node->op, node->operand_count, operands, node->attr_count, attrs)
        ->results[0];
}

static Value *recalled(const Build *b, const Value *value, const Marks *marks) {
    for (uint32_t i = 0; i < b->known.count; i++)
        if (b->known.at[i].value == value && memcmp(&b->known.at[i].marks, marks, sizeof *marks) == 0)
            return b->known.at[i].part;
    return NULL;
}

static Value *part_of(Build *b, Value *value, const Marks *marks) {
    Value *part = map_get(b->parts, value);
    if (part) return part;
    part = recalled(b, value, marks);
    if (part) return part;
    bool ruled = is_inside(b, value) && marks_have_rule(b->chain, value->node, marks);
    assert((ruled || !map_get(b->bound, value)) && "a member's values have rules");
    part = ruled ? node_of_part(b, value->node, marks) : slice_of(b, value, marks);
    if (part->node && !part->name) part->name = value->name;
    vec_push(b->arena, &b->known, ((Known){value, *marks, part}));
    return part;
}

/* --- members */
static void build_member(Build *b, const Member *member, Block *chain) {
    const Node *kernel = member->kernel;
    const Type **types = ARENA_ARRAY(b->arena, const Type *, kernel->result_count + 1);
    Value **yields = ARENA_ARRAY(b->arena, Value *, kernel->result_count + 1);
    for (uint32_t i = 0; i < kernel->result_count; i++)
        types[i] = part_type(b, member->inside[i]->type, &member->marks[i]);
    Node *node = node_new(b->graph, OP_kernel, 0, NULL, kernel->attr_count, kernel->attrs,
                          kernel->result_count, types, kernel->loc);
    node_append(chain, node);
    Block *body = block_new(b->graph, chain->function, node);
    node_add_block(node, body);
    b->member = member;
    b->builder = (Builder){.graph = b->graph, .block = body, .loc = kernel->loc};
    b->whole = map_new(b->arena);
    b->known.count = 0;
    b->bound = chain_bound(b->arena, b->chain, kernel);
    for (uint32_t i = 0; i < kernel->result_count; i++)
        yields[i] = part_of(b, member->inside[i], &member->marks[i]);
    build_yield(&b->builder, kernel->result_count, yields);
    for (uint32_t i = 0; i < kernel->result_count; i++) {
        node->results[i]->name = kernel->results[i]->name;
        map_put(b->parts, kernel->results[i], node->results[i]);
    }
}

/* --- the kernel */
typedef struct {
    const Member *member;
    uint32_t number; /* of the member's result */
} Stored;

typedef VEC(Stored) StoredList;

static Node *new_chain(Build *b, const StoredList *stored) {
    const Chain *chain = b->chain;
    const Type **types = ARENA_ARRAY(b->arena, const Type *, stored->count + 1);
    int64_t *axes = ARENA_ARRAY(b->arena, int64_t, stored->count * chain->axis_count + 1);
    for (uint32_t i = 0; i < stored->count; i++) {
        const Stored *s = &stored->at[i];
        types[i] = s->member->inside[s->number]->type;
        for (uint32_t j = 0; j < chain->axis_count; j++)
            axes[i * chain->axis_count + j] = s->member->marks[s->number].axis[j];
    }
    Attr attrs[] = {attr_str(ATTR_kind, intern(ir_strings(b->graph->ir), "chain")),
                    attr_dims(ATTR_index, chain->axis_count, b->index),
                    attr_dims(ATTR_dims, chain->axis_count, chain->dims),
                    attr_ints(ATTR_axes, stored->count * chain->axis_count, axes)};
    Loc loc = chain->members.at[0]->kernel->loc;
    return node_new(b->graph, OP_kernel, 0, NULL, 4, attrs, stored->count, types, loc);
}

/* What was a member's result is the chain's, in its own shape. */
static void take_over(Build *b, const Stored *stored, Value *result, Node *where) {
    Value *old = stored->member->kernel->results[stored->number];
    Builder after = {.graph = b->graph, .block = where->block, .before = where, .loc = where->loc};
    result->name = old->name;
    value_replace(old, build_reshape(&after, result, old->type->rank, old->type->dims));
}

void chain_build(Graph *graph, Arena *arena, const Chain *chain, IsStored *is_stored, void *user,
                 Node *where) {
    Build b = {.graph = graph, .arena = arena, .chain = chain, .parts = map_new(arena)};
    StoredList stored = {0};
    for (uint32_t j = 0; j < chain->axis_count; j++) b.index[j] = dim_fresh(graph->ir, "part");
    for (uint32_t i = 0; i < chain->members.count; i++) {
        const Member *member = chain->members.at[i];
        for (uint32_t k = 0; !member->again && k < member->kernel->result_count; k++)
            if (is_stored(user, chain, member->kernel->results[k]))
                vec_push(arena, &stored, ((Stored){member, k}));
    }
    Node *node = new_chain(&b, &stored);
    node_insert_before(where, node);
    Block *body = block_new(graph, where->block->function, node);
    node_add_block(node, body);
    for (uint32_t i = 0; i < chain->members.count; i++) build_member(&b, chain->members.at[i], body);
    Value **yields = ARENA_ARRAY(arena, Value *, stored.count + 1);
    for (uint32_t i = 0; i < stored.count; i++) {
        const Stored *s = &stored.at[i];
        yields[i] = map_get(b.parts, s->member->kernel->results[s->number]);
        take_over(&b, s, node->results[i], where);
    }
    Builder inside = {.graph = graph, .block = body, .loc = node->loc};
    build_yield(&inside, stored.count, yields);
}
