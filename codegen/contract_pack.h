/* Packing: copies blocks of B, or of A, into the order in which the micro-kernel reads them, converted to the
 * accumulator's type. */
#ifndef CODEGEN_CONTRACT_PACK_H
#define CODEGEN_CONTRACT_PACK_H

#include "codegen/contract_tile.h"

/* One axis of k of the operand that is packed: the stride in elements, and the steps of k in the panel that
 * it is there, which pack_panels tells. */
typedef struct {
    Size extent, stride, to;
} PackAxis;

/* A block of B: `columns` columns from `source` on, to panels of `width` columns (a multiple of `lanes`):
 * panel q at target + q · width · K holds [K][width], K being all of k in order. What lies beyond the last
 * column of the last panel is undefined. A is packed in the same way, its rows being the columns. */
typedef struct {
    LLVMTypeRef memory, element;
    Size apart; /* of the halves of what makes one element (contract_pairs.h); 0 = it lies in one place */
    LLVMValueRef source, target;
    Size columns, column_stride;
    Size width;
    uint32_t k_count, lanes;
    PackAxis k[MAX_RANK]; /* outer to inner; from pack_panels on as they lie in the operand */
    bool written_out;     /* by code of its own, for known sizes; otherwise by a routine */
    uint32_t run;         /* steps of the innermost axis, at most `lanes`; 0: who knows */
} Pack;

/* Elements from panel to panel of `depth` steps: one vector more than they hold, lest all of them begin in
 * the same cache set. */
Size pack_stride(Emit *e, Size width, uint32_t lanes, Size depth);
/* contract_pack_routine.c; axes of k are put in the operand's order, neighbours become one, and `run` is set.
 */
void pack_panels(Emit *e, Pack *pack);
/* Are vectors of columns a few elements apart picked from those that lie there? */
bool pack_picks(const Pack *pack);
/* Writes it out. */
void pack_here(Emit *e, const Pack *pack);

#endif
