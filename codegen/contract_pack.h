/* Packing: copies blocks of B into the order in which the micro-kernel reads them, converted to the
 * accumulator's type. */
#ifndef CODEGEN_CONTRACT_PACK_H
#define CODEGEN_CONTRACT_PACK_H

#include "codegen/contract_tile.h"

/* A block of B: `columns` columns from `source` on, to panels of `width` columns (a multiple of `lanes`):
 * panel q at target + q · width · K holds [K][width], K being all of k in order. What lies beyond the last
 * column of the last panel is undefined. */
typedef struct {
    LLVMTypeRef memory, element;
    LLVMValueRef source, target;
    Size columns, column_stride;
    uint32_t k_count, lanes, width;
    const TileAxis *k; /* its strides b */
} PackB;

void pack_b(Emit *e, PackB *pack);

#endif
