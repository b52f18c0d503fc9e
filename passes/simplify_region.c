/* Control flow that is decided at compile time: branches never taken, loops of no or one iteration, and
 * values that a loop or a branch only passes through. */
#include "passes/simplify.h"

static bool known_integer(const Value *value, int64_t *integer) {
    if (!is_const(value) || !node_attr(value->node, ATTR_ivalue)) return false;
    *integer = node_int(value->node, ATTR_ivalue);
    return true;
}

static void replace(Simplify *s, Value *old, Value *by) {
    value_replace(old, by);
    s->changed = true;
}

/* --- putting a block in the place of its node */
/* The nodes of `block` move before `node`, which goes; its results are what the block yields. */
static void splice(Simplify *s, Node *node, Block *block) {
    Node *yield = block_yield(block);
    while (block->first != yield) {
        Node *moved = block->first;
        node_remove(moved);
        node_insert_before(node, moved);
    }
    for (uint32_t i = 0; i < node->result_count; i++)
        replace(s, node->results[i], value_resolve(yield->operands[i]));
    node_remove(node);
}

static void take_initial(Simplify *s, Node *loop, Value *const *init) {
    for (uint32_t i = 0; i < loop->result_count; i++) replace(s, loop->results[i], init[i]);
    node_remove(loop);
    s->changed = true;
}

/* --- values that only pass through */
/* A carried value that every iteration leaves as it was is its initial value. */
static void free_invariants(Simplify *s, Node *loop, Block *body, uint32_t first, Value *const *init) {
    Node *yield = block_yield(body);
    for (uint32_t i = 0; i < loop->result_count; i++) {
        Value *param = body->params.at[first + i], *next = value_resolve(yield->operands[i]);
        if (param->replacement || (next != param && next != init[i])) continue;
        for (uint32_t k = 0; k < loop->block_count; k++)
            replace(s, loop->blocks[k]->params.at[first + i], init[i]);
        replace(s, loop->results[i], init[i]);
    }
}

static bool same_constant(const Value *x, const Value *y) {
    if (!is_const(x) || !is_const(y) || x->node->attr_count != y->node->attr_count) return false;
    for (uint32_t i = 0; i < x->node->attr_count; i++)
        if (!attr_same(&x->node->attrs[i], &y->node->attrs[i])) return false;
    return true;
}

/* What both branches yield alike needs no branch. */
static void free_results(Simplify *s, Node *node) {
    Builder b = {.graph = s->graph, .block = node->block, .before = node, .loc = node->loc};
    for (uint32_t i = 0; i < node->result_count; i++) {
        Value *x = value_resolve(block_yield(node->blocks[0])->operands[i]);
        Value *y = value_resolve(block_yield(node->blocks[1])->operands[i]);
        if (node->results[i]->replacement) continue;
        if (x == y)
            replace(s, node->results[i], x);
        else if (same_constant(x, y))
            replace(s, node->results[i], const_like(&b, x, x->type));
    }
}

/* --- the three kinds */
static bool simplify_if(Simplify *s, Node *node) {
    int64_t condition;
    if (!known_integer(node->operands[0], &condition)) {
        free_results(s, node);
        return false;
    }
    splice(s, node, node->blocks[condition ? 0 : 1]);
    return true;
}

static bool simplify_for(Simplify *s, Node *node) {
    int64_t lo = 0, hi = 0;
    bool known = known_integer(node->operands[0], &lo) && known_integer(node->operands[1], &hi);
    Value *const *init = node->operands + 2;
    if (node->operands[0] == node->operands[1] || (known && lo >= hi)) {
        take_initial(s, node, init);
        return true;
    }
    Block *body = node->blocks[0];
    if (known && lo == hi - 1) {
        for (uint32_t i = 0; i < body->params.count; i++)
            replace(s, body->params.at[i], i ? init[i - 1] : node->operands[0]);
        splice(s, node, body);
        return true;
    }
    free_invariants(s, node, body, 1, init);
    return false;
}

static bool simplify_while(Simplify *s, Node *node) {
    int64_t condition;
    Value *goes_on = value_resolve(block_yield(node->blocks[0])->operands[0]);
    if (known_integer(goes_on, &condition) && !condition) {
        take_initial(s, node, node->operands);
        return true;
    }
    free_invariants(s, node, node->blocks[1], 0, node->operands);
    return false;
}

bool simplify_region(Simplify *s, Node *node) {
    if (node->op == OP_if) return simplify_if(s, node);
    if (node->op == OP_for) return simplify_for(s, node);
    return node->op == OP_while && simplify_while(s, node);
}
