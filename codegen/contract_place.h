/* A place inside the loops of a product: shared by the files that emit them. */
#ifndef CODEGEN_CONTRACT_PLACE_H
#define CODEGEN_CONTRACT_PLACE_H

#include "codegen/contract_edge.h"
#include "codegen/contract_nest.h"
#include "codegen/contract_product.h"
#include "codegen/contract_variant.h"

/* What is known at a place inside the loops. */
typedef struct {
    const Product *p;
    Variants row_variants, column_variants;
    LLVMValueRef index[PRODUCT_MAX_AXES];
    Size row_from, row_to, column_from, column_to; /* of the chunk */
    LLVMValueRef product;                          /* its number, */
    LLVMValueRef a, b;                             /* and where it lies, at k = 0 */
    LLVMValueRef packed_a, packed_b;               /* scratch, or NULL */
    LLVMValueRef sums;                             /* buffer of accumulators, */
    LLVMValueRef straight;                         /* and where they lie before they are transposed */
    Size sums_stride;                              /* its elements a row */
    bool direct;                                   /* do sums go from registers to the store? */
    bool blocked;                                  /* do all of the chunk's sums wait in the buffer? */
    TileAxis k[MAX_RANK];                          /* of this block of k */
    LLVMValueRef depth_from;                       /* where this block begins along the first axis of k, */
    LLVMValueRef a_block, b_block;                 /* and its offsets in A and B */
    Size block_column, block_end;                  /* this block of columns */
    Size row_end;                                  /* of the rows that tiles may cover together */
    LLVMValueRef row, row_count, column, column_count; /* this tile: its place, and how much of it exists */
    const Variant *row_variant, *column_variant;
    LLVMValueRef tile_a[CONTRACT_MAX_ROWS]; /* first element of each row of A in this block of k */
    /* Where there are zeros around A: */
    const EdgeTiles *edge_tiles;       /* what this tile's rows lack of an axis of k, or NULL */
    LLVMValueRef first_step[MAX_RANK]; /* that they have of the others, NULL = all */
    Size steps[MAX_RANK];              /* so many */
} Where;

uint32_t panel_width(const Product *p);     /* columns of a panel */
Size block_depth(Emit *e, const Where *at); /* steps of k in this block of it */
LLVMValueRef place_minimum(Emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef place_maximum(Emit *e, LLVMValueRef a, LLVMValueRef b);

/* The sums of a tile for the chosen variants of its rows and columns, at a Where; by dot products.
 * (contract_sums.c) */
void multiply_tile(Emit *e, void *where);
void dot_tile(Emit *e, void *where);

/* The indices of the tile's first and last results; false where what lies between them isn't a box.
 * (contract_panels.c) */
bool tile_box(Emit *e, const Where *at, LLVMValueRef *first, LLVMValueRef *last);

/* All tiles of the chunk's rows and of this block of columns, and their epilogues unless sums wait in the
 * buffer. (contract_panels.c) */
void emit_tiles(Emit *e, Where *at);
/* Of the columns of a panel. */
Variants column_variants(const Product *p);

#endif
