/* The other micro-kernel: lanes along k, one accumulator for each element of a small tile of C. For few rows
 * against a transposed B, both read in the order in which they lie. */
#ifndef CODEGEN_CONTRACT_DOT_H
#define CODEGEN_CONTRACT_DOT_H

#include "codegen/contract_size.h"

enum { DOT_MAX_ROWS = 8, DOT_MAX_COLUMNS = 8 };

typedef struct {
    uint32_t rows, columns, lanes;
    LLVMTypeRef memory, element;
    LLVMValueRef a[DOT_MAX_ROWS], b[DOT_MAX_COLUMNS]; /* first elements; k is contiguous in each */
    Size depth;
    LLVMValueRef sum[DOT_MAX_ROWS * DOT_MAX_COLUMNS]; /* out: scalars, [rows][columns] */
} Dot;

void dot_multiply(Emit *e, Dot *d);

#endif
