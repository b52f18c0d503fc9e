/* What an operation costs, for choosing between computing a value again and storing it. */
#ifndef PASSES_COST_H
#define PASSES_COST_H

#include "ir/op.h"

enum {
    COST_DIVISION = 4, /* one slow instruction */
    COST_SERIES = 12,  /* dozens: a polynomial and what is around it */
    COST_HASH = 48
};

/* Rough cost of one element, in additions; views and constants cost nothing. */
uint32_t cost_of_op(Op op);

#endif
