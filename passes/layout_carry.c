/* What a loop carries has its axes in the order in which its next value is computed: a convolution's weights,
 * and what an optimizer keeps of them, that of the gradient, whose channels are last. Else the update, which
 * goes through all of these, would pick the gradient from lines that each hold few of a vector's elements.
 * Products read weights in any order, and before and behind the loop they are put in the program's. */
#include "ir/shape.h"
#include "passes/layout.h"
#include "support/map.h"

/* Values that are computed of each other, element by element. */
typedef struct Group {
    struct Group *parent;
    const Attr *perm; /* of gradients among them; NULL: there are none, */
    bool mixed;       /* or in several orders, or others take part whose order is the program's */
} Group;

/* A value that gets another order, and its type then. */
typedef struct {
    Value *value;
    const Type *type;
} Turn;

typedef struct {
    Graph *graph;
    Arena *scratch;
    Map *groups;  /* of the loop that is looked at: Value * → Group * */
    Map *changed; /* results of loops, to their order: Value * → Attr * */
    Map *turned;  /* what gets another order just now: Value * → Attr * */
    VEC(Turn) turns;
} Carry;

static bool is_while(const Node *loop) { return loop->op == OP_while; }
static Block *body_of(const Node *loop) { return loop->blocks[is_while(loop)]; }
static uint32_t index_params(const Node *loop) { return is_while(loop) ? 0 : 1; }
static uint32_t bounds(const Node *loop) { return is_while(loop) ? 0 : 2; }

/* --- groups (disjoint sets) */
static Group *whole(Group *group) {
    while (group && group->parent) group = group->parent;
    return group;
}

static Group *group_of(const Carry *c, const Value *value) { return whole(map_get(c->groups, value)); }

static Group *joined(Group *a, Group *b) {
    if (!a || !b || a == b) return a ? a : b;
    a->mixed |= b->mixed || (a->perm && b->perm && !attr_same(a->perm, b->perm));
    if (!a->perm) a->perm = b->perm;
    return b->parent = a;
}

static Group *open_group(Carry *c, const Value *value, const Attr *perm) {
    Group *group = ARENA_NEW(c->scratch, Group);
    *group = (Group){.perm = perm};
    map_put(c->groups, value, group);
    return group;
}

/* Does the permutation put back the axis that a product of several has last, or what a loop made of one?
 * Those of two are computed in any order as well. */
static bool is_gradient(const Carry *c, const Node *node) {
    if (node->op != OP_permute || !node->operands[0]->node) return false;
    if (map_get(c->changed, node->operands[0])) return true;
    if (node->operands[0]->node->op != OP_contract) return false;
    const Type *product = node->operands[0]->type;
    const Attr *perm = node_attr(node, ATTR_perm);
    uint32_t axes = 0, last = 0, moved = 0;
    for (uint32_t axis = 0; axis < product->rank; axis++)
        if (!dim_is(product->dims[axis], 1)) axes++, last = axis;
    while (moved < perm->count && perm->ints[moved] != last) moved++;
    for (uint32_t axis = moved + 1; axis < perm->count && axes > 2; axis++)
        if (!dim_is(node->results[0]->type->dims[axis], 1)) return true;
    return false;
}

/* The order of what a reshape makes by leaving out axes of one element; NULL where it does more. */
static const Attr *order_without_units(const Carry *c, const Node *reshape, const Attr *perm) {
    const Type *from = reshape->operands[0]->type, *to = reshape->results[0]->type;
    int64_t axes[MAX_RANK], place[MAX_RANK], *order = ARENA_ARRAY(c->scratch, int64_t, to->rank + 1);
    uint32_t kept = 0;
    if (!shape_keeps_axes(reshape, axes)) return NULL;
    for (uint32_t axis = 0; axis < from->rank; axis++)
        if (axes[axis] >= 0) place[kept++] = perm->ints[axis];
    if (kept < to->rank) return NULL;
    for (uint32_t axis = 0; axis < kept; axis++) {
        order[axis] = 0;
        for (uint32_t other = 0; other < kept; other++) order[axis] += place[other] < place[axis];
    }
    Attr *out = ARENA_NEW(c->scratch, Attr);
    *out = attr_ints(ATTR_perm, kept, order);
    return out;
}

/* The same along axes, or in no order that anybody reads. */
static bool has_any_order(const Value *value) {
    return value->node && (value->node->op == OP_const || value->node->op == OP_broadcast);
}

/* A gradient, or one that a reshape rids of axes of one element: what becomes of that becomes of it. */
static void look_at_gradient(Carry *c, const Node *node) {
    if (is_gradient(c, node)) open_group(c, node->results[0], node_attr(node, ATTR_perm));
    if (node->op != OP_reshape) return;
    const Node *of = node->operands[0]->node;
    Group *permuted = of && is_gradient(c, of) ? group_of(c, node->operands[0]) : NULL;
    const Attr *order = permuted ? order_without_units(c, node, node_attr(of, ATTR_perm)) : NULL;
    if (!order) return;
    permuted->parent = open_group(c, node->results[0], order);
    permuted->parent->mixed = permuted->mixed;
}

static void look_at(Carry *c, const Node *node) {
    look_at_gradient(c, node);
    if (!op_has(node->op, TRAIT_ELEMENTWISE)) return;
    Group *group = NULL;
    bool others = false;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Group *own = group_of(c, node->operands[i]);
        group = joined(group, own);
        others |= !own && !has_any_order(node->operands[i]);
    }
    if (!group) return;
    group->mixed |= others;
    map_put(c->groups, node->results[0], group);
}

static void look_at_block(Carry *c, const Block *block);

/* What an `if` gives belongs to what its branches yield for it. */
static void look_at_if(Carry *c, const Node *node) {
    for (uint32_t k = 0; k < node->block_count; k++) look_at_block(c, node->blocks[k]);
    for (uint32_t i = 0; i < node->result_count; i++) {
        Group *group = NULL;
        bool others = false;
        for (uint32_t k = 0; k < node->block_count; k++) {
            const Value *yielded = block_yield(node->blocks[k])->operands[i];
            Group *own = group_of(c, yielded);
            group = joined(group, own);
            others |= !own && !has_any_order(yielded);
        }
        if (!group) continue;
        group->mixed |= others;
        map_put(c->groups, node->results[i], group);
    }
}

static void look_at_block(Carry *c, const Block *block) {
    for (const Node *node = block->first; node; node = node->next) {
        look_at(c, node);
        if (node->op == OP_if && !node_attr(node, ATTR_cold)) look_at_if(c, node);
    }
}

static void mark_gradients(const Carry *c, const Block *block) {
    for (const Node *node = block->first; node; node = node->next) {
        const Group *group = is_gradient(c, node) ? group_of(c, node->results[0]) : NULL;
        if (group && !group->mixed) layout_mark(node->results[0]);
        if (node->op != OP_if) continue;
        for (uint32_t k = 0; k < node->block_count; k++) mark_gradients(c, node->blocks[k]);
    }
}

/* Sets *order of each of the loop's results, NULL = as it is. */
static void find_orders(Carry *c, const Node *loop, const Attr **order) {
    const Block *body = body_of(loop);
    const Node *yield = block_yield(body);
    c->groups = map_new(c->scratch);
    for (uint32_t i = 0; i < loop->result_count; i++)
        if (loop->results[i]->type->rank > 1) open_group(c, body->params.at[index_params(loop) + i], NULL);
    look_at_block(c, body);
    for (uint32_t i = 0; i < loop->result_count; i++) {
        Group *read = group_of(c, body->params.at[index_params(loop) + i]),
              *written = group_of(c, yield->operands[i]);
        if (read && read != written) read->mixed = true;
    }
    mark_gradients(c, body);
    for (uint32_t i = 0; i < loop->result_count; i++) {
        const Value *next = yield->operands[i];
        const Group *group = group_of(c, next);
        if (group && !group->mixed && group->perm && group->perm->count == next->type->rank)
            order[i] = group->perm;
        if (layout_is_marked(next)) order[i] = node_attr(next->node, ATTR_perm);
        if (next->node && next->node->op == OP_permute && map_get(c->changed, next->node->operands[0]))
            order[i] = map_get(c->changed, next->node->operands[0]);
    }
}

/* --- the change */
/* The value with its axes put back, made before its first user in a block. */
static Value *back(Carry *c, Node *user, Value *value, Map **made) {
    if (!*made) *made = map_new(c->scratch);
    Value *there = map_get(*made, value);
    if (there) return there;
    Builder b = {.graph = c->graph, .block = user->block, .before = user, .loc = user->loc};
    there = build_permute(&b, value, ((const Attr *)map_get(c->turned, value))->ints);
    layout_mark(there);
    map_put(*made, value, there);
    return there;
}

/* All uses of what is turned, from `node` on, in this block and those within. */
static void put_back(Carry *c, Node *node) {
    Map *made = NULL;
    for (; node; node = node->next) {
        for (uint32_t i = 0; i < node->operand_count; i++)
            if (map_get(c->turned, node->operands[i]))
                node->operands[i] = back(c, node, node->operands[i], &made);
        for (uint32_t k = 0; k < node->block_count; k++) put_back(c, node->blocks[k]->first);
    }
}

static Value *reordered(Carry *c, Node *before, Value *value, const int64_t *perm) {
    Builder b = {.graph = c->graph, .block = before->block, .before = before, .loc = before->loc};
    return build_permute(&b, value, perm);
}

/* From turn_all on. */
static void turn(Carry *c, Value *value, const Type *type, const Attr *perm) {
    Turn one = {value, type};
    vec_push(c->scratch, &c->turns, one);
    map_put(c->turned, value, (void *)(uintptr_t)perm);
}

static void turn_all(Carry *c) {
    for (uint32_t i = 0; i < c->turns.count; i++) c->turns.at[i].value->type = c->turns.at[i].type;
}

static void begin_turning(Carry *c) {
    c->turned = map_new(c->scratch);
    c->turns.count = 0;
}

/* What the block yields for number `i`; where that is an `if`'s, what its branches do. */
static void turn_yield(Carry *c, Block *block, uint32_t i, const Attr *perm, const int64_t *inverse) {
    Node *yield = block_yield(block);
    Value *next = yield->operands[i];
    yield->operands[i] = reordered(c, yield, next, inverse);
    if (!next->node || next->node->op != OP_if || map_get(c->turned, next)) return;
    turn(c, next, yield->operands[i]->type, perm);
    for (uint32_t k = 0; k < next->node->block_count; k++)
        turn_yield(c, next->node->blocks[k], next->index, perm, inverse);
}

/* Result number `i` of the loop, but for what uses it. */
static void turn_inside(Carry *c, Node *loop, uint32_t i, const Attr *perm) {
    Value **init = &loop->operands[bounds(loop) + i];
    int64_t inverse[MAX_RANK];
    for (uint32_t axis = 0; axis < perm->count; axis++) inverse[perm->ints[axis]] = axis;
    *init = reordered(c, loop, *init, inverse);
    for (uint32_t k = 0; k < loop->block_count; k++)
        turn(c, loop->blocks[k]->params.at[index_params(loop) + i], (*init)->type, perm);
    turn_yield(c, body_of(loop), i, perm, inverse);
}

/* The results that have an order. False: none. */
static bool change(Carry *c, Node *loop, const Attr *const *order) {
    bool any = false;
    begin_turning(c);
    for (uint32_t i = 0; i < loop->result_count; i++) {
        if (!order[i]) continue;
        turn_inside(c, loop, i, order[i]);
        any = true;
    }
    if (!any) return false;
    turn_all(c);
    for (uint32_t k = 0; k < loop->block_count; k++) put_back(c, loop->blocks[k]->first);
    begin_turning(c);
    for (uint32_t i = 0; i < loop->result_count; i++) {
        if (!order[i]) continue;
        turn(c, loop->results[i], loop->operands[bounds(loop) + i]->type, order[i]);
        map_put(c->changed, loop->results[i], (void *)(uintptr_t)order[i]);
    }
    turn_all(c);
    put_back(c, loop->next);
    return true;
}

static bool carry_block(Carry *c, Block *block) {
    bool any = false;
    for (Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; i < node->block_count; i++) any |= carry_block(c, node->blocks[i]);
        if (node->op != OP_for && node->op != OP_while) continue;
        const Attr **order = ARENA_ARRAY(c->scratch, const Attr *, node->result_count + 1);
        for (uint32_t i = 0; i < node->result_count; i++) order[i] = NULL;
        find_orders(c, node, order);
        any |= change(c, node, order);
    }
    return any;
}

bool layout_carry(Graph *graph, Arena *scratch) {
    Carry c = {.graph = graph, .scratch = scratch, .changed = map_new(scratch)};
    bool any = false;
    for (uint32_t i = 0; i < graph->functions.count; i++)
        any |= carry_block(&c, graph->functions.at[i]->body);
    return any;
}
