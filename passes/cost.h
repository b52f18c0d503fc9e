/* What an operation costs, for choosing between computing a value again and storing it. */
#ifndef PASSES_COST_H
#define PASSES_COST_H

#include "ir/graph.h"

enum {
    COST_CHEAP = 1,    /* up to which a value is computed again rather than stored */
    COST_DIVISION = 4, /* one slow instruction */
    COST_SERIES = 12,  /* dozens: a polynomial and what is around it */
    COST_HASH = 48
};

/* Rough cost of one element, in additions; views and constants cost nothing. */
uint32_t cost_of_op(Op op);

/* Is it computed in its block of indices, constants and scalars, in a few cheap steps, as a causal mask is?
 * Then memory isn't read for it wherever it is computed, and code generation knows where a mask is false. */
bool cost_is_of_indices(const Node *node);

#endif
