/* Which values depend differentiably on what a grad differentiates by. Only these get adjoints. */
#include "passes/autodiff.h"
#include "passes/derive.h"

bool is_active(const Autodiff *ad, const Value *value) { return map_get(ad->active, value) != NULL; }

void set_active(Autodiff *ad, const Value *value) {
    if (dtype_is_float(value->type->dtype)) map_put(ad->active, value, (void *)(uintptr_t)value);
}

/* Activates `to` where `from` is active; true where that is news. */
static bool follow(Autodiff *ad, const Value *from, const Value *to) {
    if (!is_active(ad, from) || is_active(ad, to) || !dtype_is_float(to->type->dtype)) return false;
    set_active(ad, to);
    return true;
}

static void activate_block(Autodiff *ad, const Block *block) {
    for (const Node *node = block->first; node; node = node->next) activate_node(ad, node);
}

/* What a yield says of `to`, one value an operand. */
static bool follow_yield(Autodiff *ad, const Block *block, Value *const *to) {
    const Node *yield = block_yield(block);
    bool news = false;
    for (uint32_t k = 0; k < yield->operand_count; k++)
        if (follow(ad, yield->operands[k], to[k])) news = true;
    return news;
}

/* --- loops */
/* The block that yields the next carried values; its parameters from number `first` are these; `init` their
 * first values. */
typedef struct {
    const Block *body;
    uint32_t first, carried;
    Value *const *init;
} Loop;

static Loop loop_of(const Node *node) {
    if (node->op == OP_for) return (Loop){node->blocks[0], 1, node->result_count, node->operands + 2};
    return (Loop){node->blocks[1], 0, node->result_count, node->operands};
}

static Value *const *loop_params(const Loop *loop) { return loop->body->params.at + loop->first; }

/* Through the iterations, until nothing is news. */
static void activate_iterations(Autodiff *ad, const Loop *loop) {
    Value *const *params = loop_params(loop);
    for (uint32_t k = 0; k < loop->carried; k++) follow(ad, loop->init[k], params[k]);
    do activate_block(ad, loop->body);
    while (follow_yield(ad, loop->body, params));
}

static void activate_loop(Autodiff *ad, const Node *node) {
    Loop loop = loop_of(node);
    activate_iterations(ad, &loop);
    for (uint32_t k = 0; k < loop.carried; k++) follow(ad, loop.init[k], node->results[k]);
    follow_yield(ad, loop.body, node->results);
}

/* --- nodes */
static void activate_results(Autodiff *ad, const Node *node) {
    for (uint32_t k = 0; k < node->operand_count; k++)
        for (uint32_t r = 0; r < node->result_count; r++) follow(ad, node->operands[k], node->results[r]);
}

static void activate_region(Autodiff *ad, const Node *node) {
    if (node->op == OP_for || node->op == OP_while) {
        activate_loop(ad, node);
        return;
    }
    for (uint32_t k = 0; k < node->block_count; k++) {
        activate_block(ad, node->blocks[k]);
        follow_yield(ad, node->blocks[k], node->results);
    }
}

void activate_node(Autodiff *ad, const Node *node) {
    if (op_has(node->op, TRAIT_REGION))
        activate_region(ad, node);
    else if (node->op == OP_grad ||
             derive_rule(node->op)) /* a later grad is differentiable when its turn has come */
        activate_results(ad, node);
}

/* --- everything before a grad */
/* Is any x defined in a block around `block`? */
static bool any_outside(const Autodiff *ad, const Block *block) {
    for (uint32_t k = 1; k < ad->grad->operand_count; k++)
        if (ad->grad->operands[k]->block != block && block_inside(block, ad->grad->operands[k]->block))
            return true;
    return false;
}

/* In a loop around the grad the carried values may come from the x outside by earlier iterations. `block` is
 * the loop's that holds the grad. */
static void activate_earlier(Autodiff *ad, const Node *owner, const Block *block) {
    Loop loop = loop_of(owner);
    activate_iterations(ad, &loop);
    for (uint32_t k = 0; k < loop.carried; k++) {
        Value *here = block->params.at[loop.first + k];
        if (!is_active(ad, loop_params(&loop)[k])) continue;
        set_active(ad, here);
        vec_push(ad->scratch, &ad->earlier, here);
    }
}

static void activate_up_to(Autodiff *ad, const Block *block, const Node *end) {
    const Node *owner = block->owner;
    if (owner) {
        activate_up_to(ad, owner->block, owner);
        if ((owner->op == OP_for || owner->op == OP_while) && any_outside(ad, block))
            activate_earlier(ad, owner, block);
    }
    for (uint32_t k = 1; k < ad->grad->operand_count; k++)
        if (ad->grad->operands[k]->block == block) set_active(ad, ad->grad->operands[k]);
    for (const Node *node = block->first; node != end; node = node->next) activate_node(ad, node);
}

void activate_before(Autodiff *ad) { activate_up_to(ad, ad->grad->block, ad->grad); }

/* --- the other direction, structurally: where adjoints can get to */
static bool reaches(const Map *reached, const Value *value) { return map_get(reached, value) != NULL; }

static void reach(Autodiff *ad, Map *reached, Value *value) {
    if (is_active(ad, value)) map_put(reached, value, value);
}

static void reach_block(Autodiff *ad, Map *reached, const Block *block);

/* Through the iterations of a loop, until `wanted` doesn't grow. */
static void reach_iterations(Autodiff *ad, Map *reached, const Loop *loop, bool *wanted) {
    const Node *yield = block_yield(loop->body);
    bool grows = true;
    while (grows) {
        grows = false;
        for (uint32_t k = 0; k < loop->carried; k++)
            if (wanted[k]) reach(ad, reached, yield->operands[k]);
        reach_block(ad, reached, loop->body);
        for (uint32_t k = 0; k < loop->carried; k++) {
            if (wanted[k] || !reaches(reached, loop_params(loop)[k])) continue;
            wanted[k] = grows = true;
        }
    }
}

static void reach_loop(Autodiff *ad, Map *reached, const Node *node) {
    Loop loop = loop_of(node);
    bool *wanted = ARENA_ARRAY(ad->scratch, bool, loop.carried + 1);
    for (uint32_t k = 0; k < loop.carried; k++) wanted[k] = reaches(reached, node->results[k]);
    reach_iterations(ad, reached, &loop, wanted);
    for (uint32_t k = 0; k < loop.carried; k++)
        if (wanted[k]) reach(ad, reached, loop.init[k]);
}

static void reach_branches(Autodiff *ad, Map *reached, const Node *node) {
    for (uint32_t b = 0; b < node->block_count; b++) {
        const Node *yield = block_yield(node->blocks[b]);
        for (uint32_t k = 0; k < node->result_count; k++)
            if (reaches(reached, node->results[k])) reach(ad, reached, yield->operands[k]);
        reach_block(ad, reached, node->blocks[b]);
    }
}

static void reach_node(Autodiff *ad, Map *reached, const Node *node) {
    bool any = false;
    for (uint32_t k = 0; k < node->result_count; k++) any = any || reaches(reached, node->results[k]);
    if (!any) return;
    if (node->op == OP_for || node->op == OP_while)
        reach_loop(ad, reached, node);
    else if (op_has(node->op, TRAIT_REGION))
        reach_branches(ad, reached, node);
    else if (derive_rule(node->op) && !derive_is_zero(node->op))
        for (uint32_t k = 0; k < node->operand_count; k++) reach(ad, reached, node->operands[k]);
}

static void reach_block(Autodiff *ad, Map *reached, const Block *block) {
    for (const Node *node = block->last; node; node = node->prev) reach_node(ad, reached, node);
}

void reach_carried(Autodiff *ad, const Node *node, bool *wanted) {
    Loop loop = loop_of(node);
    reach_iterations(ad, map_new(ad->scratch), &loop, wanted);
}
