/* Decides which tensors share a place. Those that a loop or an if carries must; then, from the innermost loop
 * outwards, both sides of a copy or reshape and an in-place result with its operand do if nothing else that
 * either shares with is alive at the same time. */
#include "passes/plan.h"
#include <assert.h>

/* --- what a kernel may overwrite */
typedef enum { FATE_NONE, FATE_ELEMENT, FATE_BASE } Fate;

/* How the node treats `operand`: as elements of the same index, as the base that it changes in part, or
 * otherwise. */
static Fate fate_through(const Node *node, const Value *operand) {
    if (op_has(node->op, TRAIT_ELEMENTWISE) || op_has(node->op, TRAIT_SCANS)) return FATE_ELEMENT;
    if (!op_has(node->op, TRAIT_UPDATES)) return FATE_NONE;
    for (uint32_t i = 1; i < node->operand_count; i++)
        if (node->operands[i] == operand) return FATE_NONE;
    return FATE_BASE;
}

/* Is `value` computed from `operand` (itself included), elements of the same index alone? Sets `*other` where
 * it is read in another way. */
static bool depends(const Value *value, const Value *operand) {
    return value == operand || value->scratch == operand;
}

/* Marks what depends on the operand by its `scratch`; false where something other than its own index is read.
 */
static bool mark_dependents(const Block *body, const Value *operand) {
    for (const Node *node = body->first; node != body->last; node = node->next) {
        if (node->block_count > 0) return false;
        for (uint32_t i = 0; i < node->operand_count; i++) {
            if (!depends(node->operands[i], operand)) continue;
            Fate fate = fate_through(node, node->operands[i]);
            if (fate == FATE_NONE) return false;
            if (fate == FATE_BASE && (i != 0 || node->operands[0] != operand)) return false;
            for (uint32_t k = 0; k < node->result_count; k++) node->results[k]->scratch = (void *)operand;
        }
    }
    return true;
}

static void unmark(const Block *body) {
    for (const Node *node = body->first; node; node = node->next)
        for (uint32_t k = 0; k < node->result_count; k++) node->results[k]->scratch = NULL;
}

/* A base that is changed in part may be overwritten only if the change is the kernel's result as it is and
 * nothing else reads the base. */
static bool base_is_yielded(const Block *body, const Value *operand) {
    const Node *change = NULL;
    for (const Node *node = body->first; node; node = node->next)
        for (uint32_t i = 0; i < node->operand_count; i++)
            if (node->operands[i] == operand && !op_has(node->op, TRAIT_ELEMENTWISE)) change = node;
    if (!change) return true;
    for (const Node *node = body->first; node; node = node->next)
        for (uint32_t i = 0; i < node->operand_count; i++) {
            if (node->operands[i] == operand && node != change) return false;
            if (node->operands[i] == change->results[0] && node->op != OP_yield) return false;
        }
    return true;
}

bool plan_in_place(const Node *kernel, const Value *result, const Value *operand) {
    if (kernel->op != OP_kernel || result->node != kernel) return false;
    if (!type_same_shape(result->type, operand->type)) return false;
    if (dtype_bytes(result->type->dtype) != dtype_bytes(operand->type->dtype)) return false;
    const Block *body = kernel->blocks[0];
    bool safe = mark_dependents(body, operand);
    safe = safe && depends(block_yield(body)->operands[result->index], operand);
    unmark(body);
    return safe && base_is_yielded(body, operand);
}

/* --- sharing */
/* Are the only moments that both are alive those in which a kernel reads the one and writes the other at the
 * same index? */
static bool handed_over(const Buffer *result, const Buffer *operand) {
    const Node *node = result->value->node;
    if (!node || node->op != OP_kernel) return false;
    uint32_t now = 2 * plan_node(node)->begin;
    for (uint32_t i = 0; i < result->alive.count; i++) {
        Range later = result->alive.at[i];
        if (later.start == now) later.start++;
        Ranges rest = {.at = &later, .count = later.start < later.end, .capacity = 1};
        if (ranges_overlap(&rest, &operand->alive)) return false;
    }
    return plan_in_place(node, result->value, operand->value);
}

static bool may_share(const Buffer *a, const Buffer *b) {
    if (!ranges_overlap(&a->alive, &b->alive) || a->origin == b->origin) return true;
    return handed_over(a, b) || handed_over(b, a);
}

static bool all_may_share(const Tenants *a, const Tenants *b) {
    if (a->bytes != b->bytes) return false;
    if (!ranges_overlap(&a->alive, &b->alive)) return true;
    for (uint32_t i = 0; i < a->members.count; i++) {
        const Buffer *one = a->members.at[i];
        if (!ranges_overlap(&one->alive, &b->alive)) continue;
        for (uint32_t k = 0; k < b->members.count; k++)
            if (!may_share(one, b->members.at[k])) return false;
    }
    return true;
}

static void join(Plan *plan, Tenants *into, Tenants *from) {
    if (into == from) return;
    for (uint32_t i = 0; i < from->members.count; i++) {
        from->members.at[i]->tenants = into;
        vec_push(plan->arena, &into->members, from->members.at[i]);
    }
    for (uint32_t i = 0; i < from->alive.count; i++) ranges_add(plan->arena, &into->alive, from->alive.at[i]);
    from->merged = true;
}

static void must_share(Plan *plan, const Value *a, const Value *b) {
    const Buffer *one = plan_buffer(a), *other = plan_buffer(b);
    if (!one || !other || one->tenants == other->tenants) return;
    assert(all_may_share(one->tenants, other->tenants) && "plan_copies has kept carried values apart");
    join(plan, one->tenants, other->tenants);
}

static void try_share(Plan *plan, const Value *a, const Value *b) {
    const Buffer *one = plan_buffer(a), *other = plan_buffer(b);
    if (!one || !other || one->tenants == other->tenants) return;
    if (!all_may_share(one->tenants, other->tenants)) return;
    if (one->tenants->members.count >= other->tenants->members.count)
        join(plan, one->tenants, other->tenants);
    else
        join(plan, other->tenants, one->tenants);
}

/* --- the order in which it is tried */
static void share_carried(Plan *plan, const Node *node) {
    uint32_t first = node->op == OP_for ? 2 : 0, index = node->op == OP_for ? 1 : 0;
    for (uint32_t k = 0; k < node->result_count; k++) {
        const Value *result = node->results[k];
        must_share(plan, result, node->operands[first + k]);
        for (uint32_t i = 0; i < node->block_count; i++) {
            must_share(plan, result, node->blocks[i]->params.at[index + k]);
            if (node->op == OP_for || i == 1)
                must_share(plan, result, block_yield(node->blocks[i])->operands[k]);
        }
    }
}

static void share_branches(Plan *plan, const Node *node) {
    for (uint32_t k = 0; k < node->result_count; k++)
        for (uint32_t i = 0; i < node->block_count; i++)
            must_share(plan, node->results[k], block_yield(node->blocks[i])->operands[k]);
}

static void share_kernel(Plan *plan, const Node *kernel) {
    const PlanNode *info = plan_node(kernel);
    for (uint32_t r = 0; r < kernel->result_count; r++)
        for (uint32_t i = 0; i < info->captures.count; i++)
            if (plan_in_place(kernel, kernel->results[r], info->captures.at[i]))
                try_share(plan, kernel->results[r], info->captures.at[i]);
}

static void share_at_depth(Plan *plan, uint32_t depth) {
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        const Node *node = plan->nodes.at[i];
        if (plan_node(node)->depth == depth && (node->op == OP_copy || node->op == OP_reshape))
            try_share(plan, node->results[0], node->operands[0]);
    }
}

void plan_merge(Plan *plan) {
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < plan->buffers.count; i++) {
        Buffer *buffer = plan->buffers.at[i];
        Tenants *tenants = ARENA_NEW(plan->arena, Tenants);
        tenants->bytes = buffer->bytes;
        tenants->alive = buffer->alive;
        vec_push(plan->arena, &tenants->members, buffer);
        vec_push(plan->arena, &plan->tenants, tenants);
        buffer->tenants = tenants;
    }
    for (uint32_t i = 0; i < plan->nodes.count; i++) {
        const Node *node = plan->nodes.at[i];
        if (plan_node(node)->depth > deepest) deepest = plan_node(node)->depth;
        if (plan_is_loop(node)) share_carried(plan, node);
        if (node->op == OP_if) share_branches(plan, node);
    }
    for (uint32_t depth = deepest + 1; depth-- > 0;) share_at_depth(plan, depth);
    for (uint32_t i = 0; i < plan->nodes.count; i++)
        if (plan->nodes.at[i]->op == OP_kernel) share_kernel(plan, plan->nodes.at[i]);
}
