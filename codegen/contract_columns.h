/* Vectors of B's columns as the accumulator's type: side by side, or a few elements apart. A mask says which
 * lanes exist, NULL = all; no others are read. */
#ifndef CODEGEN_CONTRACT_COLUMNS_H
#define CODEGEN_CONTRACT_COLUMNS_H

#include "codegen/contract_product.h"

/* Lanes of vectors over so many columns: whole vectors, or, where `halves`, half as wide ones if a pipe takes
 * these at once and they leave fewer lanes empty. */
uint32_t columns_lanes(const Emit *e, const Product *p, Size columns, bool halves);
LLVMValueRef columns_load(Emit *e, const Product *p, LLVMValueRef pointer, LLVMValueRef mask);

/* Two vectors side by side, of which steps of 2 along columns take every second element: two steps of k that
 * are neighbours share them. */
typedef struct {
    bool wide; /* the odd elements are asked for, too */
    int64_t offset;
    uint32_t lanes; /* that exist */
    LLVMValueRef piece[2];
} ColumnPair;

bool columns_by_halves(const Product *p);
ColumnPair columns_load_pair(Emit *e, const Product *p, LLVMValueRef pointer, LLVMValueRef mask, bool wide);
/* The even ones, or the odd ones of a pair that is wide; in the order of vector_halves. */
LLVMValueRef columns_half(Emit *e, const Product *p, const ColumnPair *pair, uint32_t odd);

#endif
