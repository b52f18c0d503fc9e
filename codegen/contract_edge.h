/* Zeros around what windows are taken of (ContractEdge), in products whose rows are places of the picture: which
 * steps of k the rows of a tile have. Along the innermost axis of the places tiles differ by where they are, and
 * each of their rows may lack other steps of the innermost axis of k; along the others all rows of a tile have
 * the same steps. */
#ifndef CODEGEN_CONTRACT_EDGE_H
#define CODEGEN_CONTRACT_EDGE_H

#include "codegen/contract_product.h"

/* Tiles of `rows` rows from row `from` of a run, a multiple of plan.row_run, to row `to`; all lack the same: a bit
 * for each row, by step of the innermost axis of k. */
typedef struct {
    int64_t from, to;
    uint32_t rows;
    uint32_t skip[EDGE_MAX_STEPS];
} EdgeTiles;

/* Is there an edge at the innermost axis of the places? */
bool edge_in_runs(const Product *p);
/* Those of a run, in order, in the arena of `e`; their number. */
uint32_t edge_tiles(Emit *e, const Product *p, EdgeTiles **out);
/* Steps from `*from` on, `*count` of them or none where that is negative, that rows with the index `index` have of
 * axis number `k`. False: all. */
bool edge_steps(Emit *e, const Product *p, uint32_t k, const LLVMValueRef *index, LLVMValueRef *from,
                Size *count);

#endif
