/* Puts a copy on every tensor's way into a loop, around it, and out of an if's branches. With those, the
 * values that have to be in one place (init, parameter, yielded value and result) are never alive together,
 * so a plan always exists; most copies vanish when their two sides turn out to be able to share. */
#include "passes/plan.h"

static Node *copy_before(Plan *plan, Node *where, Value *value) {
    Node *copy = node_new(plan->graph, OP_copy, 1, &value, 0, NULL, 1, &value->type, where->loc);
    copy->results[0]->name = value->name;
    node_insert_before(where, copy);
    return copy;
}

static void copy_operand(Plan *plan, Node *node, uint32_t operand, Node *where) {
    if (plan_is_tensor(node->operands[operand]))
        node->operands[operand] = copy_before(plan, where, node->operands[operand])->results[0];
}

/* Does the yield carry another parameter of its block into operand `k`? Then the copies, which happen one
 * after another, might overwrite it before it is read, so it is saved first. */
static bool yields_other_param(const Node *yield, uint32_t k) {
    const Value *value = yield->operands[k];
    return value->node == NULL && value->block == yield->block;
}

static void copy_yields(Plan *plan, Block *block) {
    Node *yield = block_yield(block);
    for (uint32_t k = 0; k < yield->operand_count; k++)
        if (yields_other_param(yield, k)) copy_operand(plan, yield, k, yield);
    for (uint32_t k = 0; k < yield->operand_count; k++) copy_operand(plan, yield, k, yield);
}

static void copy_block(Plan *plan, Block *block) {
    for (Node *node = block->first; node; node = node->next) {
        if (node->op != OP_if && !plan_is_loop(node)) continue;
        for (uint32_t i = 0; i < node->block_count; i++) copy_block(plan, node->blocks[i]);
        if (plan_is_loop(node))
            for (uint32_t i = 0; i < node->operand_count; i++) copy_operand(plan, node, i, node);
        /* The first block of a while yields its condition, a scalar. */
        for (uint32_t i = 0; i < node->block_count; i++) copy_yields(plan, node->blocks[i]);
    }
}

void plan_copies(Plan *plan) { copy_block(plan, plan->function->body); }
