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

typedef struct {
    Graph *graph;
    Arena *scratch;
    Map *groups;  /* of the loop that is looked at: Value * → Group * */
    Map *changed; /* results of loops, to their order: Value * → Attr * */
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

static void open_group(Carry *c, const Value *value, const Attr *perm) {
    Group *group = ARENA_NEW(c->scratch, Group);
    *group = (Group){.perm = perm};
    map_put(c->groups, value, group);
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

static void look_at(Carry *c, const Node *node) {
    if (is_gradient(c, node)) open_group(c, node->results[0], node_attr(node, ATTR_perm));
    const Node *of = node->op == OP_reshape ? node->operands[0]->node : NULL;
    const Attr *order =
        of && is_gradient(c, of) ? order_without_units(c, node, node_attr(of, ATTR_perm)) : NULL;
    if (order) open_group(c, node->results[0], order);
    if (!op_has(node->op, TRAIT_ELEMENTWISE)) return;
    Group *group = NULL;
    bool others = false;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Group *own = group_of(c, node->operands[i]);
        if (own && own->perm && group && group->perm && own != group)
            others |= !attr_same(own->perm, group->perm);
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
        if (group && !group->mixed) order[i] = group->perm;
        if (layout_is_marked(next)) order[i] = node_attr(next->node, ATTR_perm);
        if (next->node && next->node->op == OP_permute && map_get(c->changed, next->node->operands[0]))
            order[i] = map_get(c->changed, next->node->operands[0]);
    }
}

/* --- the change */
/* All uses from `node` on, in this block and those within: there its axes are put back. */
static void put_back(Carry *c, Node *node, Value *value, const Attr *perm) {
    Value *back = NULL;
    for (; node; node = node->next) {
        for (uint32_t i = 0; i < node->operand_count; i++) {
            if (node->operands[i] != value) continue;
            Builder b = {.graph = c->graph, .block = node->block, .before = node, .loc = node->loc};
            if (!back) back = build_permute(&b, value, perm->ints);
            layout_mark(back);
            node->operands[i] = back;
        }
        for (uint32_t i = 0; i < node->block_count; i++) put_back(c, node->blocks[i]->first, value, perm);
    }
}

static Value *reordered(Carry *c, Node *before, Value *value, const int64_t *perm) {
    Builder b = {.graph = c->graph, .block = before->block, .before = before, .loc = before->loc};
    return build_permute(&b, value, perm);
}

/* What the block yields for number `i`; of an `if`, what its branches do. */
static void change_yield(Carry *c, Block *block, uint32_t i, const Attr *perm, const int64_t *inverse) {
    Node *yield = block_yield(block);
    Value *next = yield->operands[i];
    Node *branch = next->node && next->node->op == OP_if ? next->node : NULL;
    for (uint32_t k = 0; branch && k < branch->block_count; k++)
        change_yield(c, branch->blocks[k], next->index, perm, inverse);
    if (!branch) {
        yield->operands[i] = reordered(c, yield, next, inverse);
        return;
    }
    next->type = block_yield(branch->blocks[0])->operands[next->index]->type;
    put_back(c, branch->next, next, perm);
    yield->operands[i] = next;
}

static void change(Carry *c, Node *loop, uint32_t i, const Attr *perm) {
    Value **init = &loop->operands[bounds(loop) + i], *result = loop->results[i];
    int64_t inverse[MAX_RANK];
    for (uint32_t axis = 0; axis < perm->count; axis++) inverse[perm->ints[axis]] = axis;
    *init = reordered(c, loop, *init, inverse);
    for (uint32_t k = 0; k < loop->block_count; k++) {
        Value *param = loop->blocks[k]->params.at[index_params(loop) + i];
        param->type = (*init)->type;
        put_back(c, loop->blocks[k]->first, param, perm);
    }
    change_yield(c, body_of(loop), i, perm, inverse);
    result->type = (*init)->type;
    put_back(c, loop->next, result, perm);
    map_put(c->changed, result, (void *)(uintptr_t)perm);
}

static bool carry_block(Carry *c, Block *block) {
    bool any = false;
    for (Node *node = block->first; node; node = node->next) {
        for (uint32_t i = 0; i < node->block_count; i++) any |= carry_block(c, node->blocks[i]);
        if (node->op != OP_for && node->op != OP_while) continue;
        const Attr **order = ARENA_ARRAY(c->scratch, const Attr *, node->result_count + 1);
        for (uint32_t i = 0; i < node->result_count; i++) order[i] = NULL;
        find_orders(c, node, order);
        for (uint32_t i = 0; i < node->result_count; i++) {
            if (order[i]) change(c, node, i, order[i]);
            any |= order[i] != NULL;
        }
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
