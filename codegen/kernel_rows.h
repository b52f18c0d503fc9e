/* Between kernel_rows.c and kernel_total.c: how an index space divides into rows. */
#ifndef CODEGEN_KERNEL_ROWS_H
#define CODEGEN_KERNEL_ROWS_H

#include "codegen/kernel.h"

typedef struct {
    Space space;
    uint32_t kept_count, kept[MAX_RANK], reduced_count, reduced[MAX_RANK]; /* axes of the space */
    bool along;    /* lanes run along the innermost axis, which is reduced */
    bool in_order; /* all axes that stay come before those that are reduced */
    VEC(Stored *) stored;
    const Dim *row_count;
    Reductions reductions;
    uint32_t *level, levels; /* by reduction: how many others must be complete before it */
} RowPlan;

/* Makes the plan, also k->plan. */
RowPlan *row_plan(Kernel *k);
/* The loops over all elements of the row at `frame`. */
Nest row_nest(Kernel *k, const RowPlan *p, const At *frame);
uint32_t rows_stages(Kernel *k, Stage *out);

#endif
