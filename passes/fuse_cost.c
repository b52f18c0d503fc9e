/* What an operation costs, for choosing between computing a value again and storing it. */
#include "passes/fuse.h"

uint32_t fuse_cost(Op op) {
    if (op_has(op, TRAIT_VIEW)) return 0;
    /* Whatever isn't named costs one. */
    enum { DIVISION = 4, SERIES = 12, HASH = 48 };
    const struct {
        Op op;
        uint32_t cost;
    } table[] = {
        {OP_const, 0},          {OP_iota, 0},          {OP_stop_gradient, 0},
        {OP_div, DIVISION},     {OP_sqrt, DIVISION},   {OP_floordiv, DIVISION},
        {OP_mod, DIVISION},     {OP_exp, SERIES},      {OP_log, SERIES},
        {OP_sin, SERIES},       {OP_cos, SERIES},      {OP_tanh, SERIES},
        {OP_sigmoid, SERIES},   {OP_erf, SERIES},      {OP_pow, 2 * SERIES},
        {OP_random_bits, HASH}, {OP_gather, DIVISION},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].op == op) return table[i].cost;
    return 1;
}
