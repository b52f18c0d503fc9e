/* Zeros around what windows are taken of (ContractEdge): which steps of k the places of a tile have. Where
 * rows are places: along the innermost axis of the places tiles differ by where they are, and each of their
 * rows may lack other steps of the innermost axis of k; along the others all rows of a tile have the same
 * steps. */
#ifndef CODEGEN_CONTRACT_EDGE_H
#define CODEGEN_CONTRACT_EDGE_H

#include "codegen/contract_product.h"

/* Tiles of `rows` places from place `from` of an axis to place `to`; all lack the same: a bit for each place,
 * by step of the edge's axis of k. */
typedef struct {
    int64_t from, to;
    uint32_t rows;
    uint32_t skip[EDGE_MAX_STEPS];
} EdgeTiles;

/* The edge at axis `axis` of the contract's batch…, m…, n…, or NULL. */
const ContractEdge *edge_at(const Product *p, uint32_t axis);
/* The edge at the rows' innermost axis, of whose steps each row of a tile lacks others; NULL where there is
 * none. Where each tile is one row, it is as the edges of other axes. */
const ContractEdge *edge_of_rows(const Product *p);
/* All of an axis of `places` places by tiles of `rows`, in order, in the arena of `e`; their number. `edge`
 * may be NULL. */
uint32_t edge_tiles(Emit *e, const Product *p, const ContractEdge *edge, int64_t places, int64_t rows,
                    EdgeTiles **out);
/* Steps from `*from` on, `*count` of them or none where that is negative, that rows with the index `index`
 * have of axis number `k`. False: all. */
bool edge_steps(Emit *e, const Product *p, uint32_t k, const LLVMValueRef *index, LLVMValueRef *from,
                Size *count);

#endif
