/* The other micro-kernel: lanes along k, one vector of partial sums for each element of a small tile of C,
 * which are summed across lanes together at the end. For narrow products, and few rows against a transposed
 * B: no lane idles where N is less than a vector, and operands whose k is contiguous are read where they lie.
 */
#ifndef CODEGEN_CONTRACT_DOT_H
#define CODEGEN_CONTRACT_DOT_H

#include "codegen/contract_nest.h"

enum { DOT_MAX_ROWS = 8, DOT_MAX_COLUMNS = 8, DOT_MAX_SUMS = 32 };

typedef struct {
    uint32_t rows, columns, lanes;
    uint32_t unroll;                                  /* vectors of k at once, each with sums of its own */
    LLVMTypeRef element;                              /* of the sums */
    LLVMTypeRef a_memory, b_memory;                   /* of the operands: the same, or converted to it */
    bool pairs;                                       /* elements are pairs of bf16 (contract_pairs.h) */
    LLVMValueRef a[DOT_MAX_ROWS], b[DOT_MAX_COLUMNS]; /* first elements */
    uint32_t k_count;
    TileAxis k[MAX_RANK];           /* outer to inner; strides of the innermost don't count: */
    Size b_step;                    /* A is contiguous along it; B is vectors so many elements apart */
    Size ahead_a, ahead_b;          /* elements to those that are asked for meanwhile; 0 = not */
    LLVMValueRef sum[DOT_MAX_SUMS]; /* [rows][columns] vectors; out. Inside, as often as `unroll` says */
} Dot;

void dot_multiply(Emit *e, Dot *d);
/* Stores the sums, or adds them to what is there, as rows of scalars `stride` elements apart. */
void dot_store(Emit *e, const Dot *d, LLVMValueRef target, Size stride, bool add);

#endif
