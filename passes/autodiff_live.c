/* Which values an answer is computed from: backwards through operands, into branches and around loops.
 * Decides what a tape has to hold, and finds where a chain from x to y broke. */
#include "passes/autodiff.h"

typedef struct {
    Arena *arena;
    Map *set;
    VEC(Value *) work;
} Live;

static void mark(Live *live, Value *value) {
    if (map_get(live->set, value)) return;
    map_put(live->set, value, value);
    vec_push(live->arena, &live->work, value);
}

static void mark_yield(Live *live, const Block *block, uint32_t k) {
    mark(live, block_yield(block)->operands[k]);
}

/* What says whether, or how often, the node's blocks run. */
static void mark_control(Live *live, const Node *node) {
    uint32_t count = node->op == OP_for ? 2 : node->op == OP_if ? 1 : 0;
    for (uint32_t k = 0; k < count; k++) mark(live, node->operands[k]);
    if (node->op == OP_while) mark_yield(live, node->blocks[0], 0);
}

/* Carried value `k` of a loop. */
static void mark_carried(Live *live, const Node *loop, uint32_t k) {
    bool counted = loop->op == OP_for;
    mark(live, loop->operands[counted ? k + 2 : k]);
    mark_yield(live, loop->blocks[counted ? 0 : 1], k);
    mark_control(live, loop);
}

static void mark_param(Live *live, const Value *param) {
    const Node *owner = param->block->owner;
    if (!owner) return;
    if (owner->op == OP_for && param->index == 0)
        mark_control(live, owner);
    else
        mark_carried(live, owner, owner->op == OP_for ? param->index - 1 : param->index);
}

static void mark_result(Live *live, const Value *result) {
    const Node *node = result->node;
    if (node->op == OP_for || node->op == OP_while) {
        mark_carried(live, node, result->index);
    } else if (op_has(node->op, TRAIT_REGION)) {
        mark_control(live, node);
        for (uint32_t b = 0; b < node->block_count; b++) mark_yield(live, node->blocks[b], result->index);
    } else {
        for (uint32_t k = 0; k < node->operand_count; k++) mark(live, node->operands[k]);
    }
}

/* Effects are never dropped, so what they read is live, and so is what they hang on. True where the block has
 * any. */
static bool mark_effects(Live *live, const Block *block) {
    bool any = false;
    for (const Node *node = block->first; node; node = node->next) {
        for (uint32_t b = 0; b < node->block_count; b++)
            if (mark_effects(live, node->blocks[b])) any = true;
        if (!op_has(node->op, TRAIT_EFFECT)) continue;
        any = true;
        for (uint32_t k = 0; k < node->operand_count; k++) mark(live, node->operands[k]);
    }
    if (any && block->owner) mark_control(live, block->owner);
    return any;
}

Map *live_values(Arena *scratch, const Block *block, uint32_t roots, Value *const *root) {
    Live live = {.arena = scratch, .set = map_new(scratch)};
    for (uint32_t k = 0; k < roots; k++) mark(&live, root[k]);
    if (block) mark_effects(&live, block);
    while (live.work.count) {
        Value *value = live.work.at[--live.work.count];
        if (block && !block_inside(value->block, block)) continue;
        if (value->node)
            mark_result(&live, value);
        else
            mark_param(&live, value);
    }
    return live.set;
}
