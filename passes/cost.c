/* What an operation costs: see cost.h. */
#include "passes/cost.h"
#include <stddef.h>

enum { MAX_NODES = 12 /* of what is made of indices */ };

uint32_t cost_of_op(Op op) {
    if (op_has(op, TRAIT_VIEW)) return 0;
    /* Whatever isn't named costs one. */
    const struct {
        Op op;
        uint32_t cost;
    } table[] = {
        {OP_const, 0},
        {OP_iota, 0},
        {OP_stop_gradient, 0},
        {OP_div, COST_DIVISION},
        {OP_sqrt, COST_DIVISION},
        {OP_floordiv, COST_DIVISION},
        {OP_mod, COST_DIVISION},
        {OP_exp, COST_SERIES},
        {OP_log, COST_SERIES},
        {OP_sin, COST_SERIES},
        {OP_cos, COST_SERIES},
        {OP_tanh, COST_SERIES},
        {OP_sigmoid, COST_SERIES},
        {OP_erf, COST_SERIES},
        {OP_pow, 2 * COST_SERIES},
        {OP_random_bits, COST_HASH},
        {OP_gather, COST_DIVISION},
        {OP_window_add, COST_SERIES},
        {OP_argsort, COST_HASH},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].op == op) return table[i].cost;
    return 1;
}

/* `left`: nodes that may be looked at. */
static bool is_of_indices(const Node *node, uint32_t *left) {
    if (node->op == OP_const || node->op == OP_iota) return true;
    if (!op_has(node->op, TRAIT_VIEW) && !op_has(node->op, TRAIT_ELEMENTWISE)) return false;
    if (*left == 0 || cost_of_op(node->op) > COST_CHEAP) return false;
    --*left;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const Value *operand = node->operands[i];
        if (operand->type->rank == 0) continue;
        if (operand->block != node->block || !operand->node || !is_of_indices(operand->node, left))
            return false;
    }
    return true;
}

bool cost_is_of_indices(const Node *node) {
    uint32_t left = MAX_NODES;
    return is_of_indices(node, &left);
}
