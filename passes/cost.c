/* What an operation costs: see cost.h. */
#include "passes/cost.h"
#include <stddef.h>

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
