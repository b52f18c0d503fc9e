/* OpenBLAS as another way to compute a product: a chunk's sums are one call of cblas_sgemm or cblas_dgemm, of
 * which the epilogue then takes them. Threads are ours: OpenBLAS is told to use one when the program starts,
 * so results are the same for any number of them. */
#ifndef CODEGEN_CONTRACT_BLAS_H
#define CODEGEN_CONTRACT_BLAS_H

#include "codegen/contract_product.h"

/* Is the product one that BLAS knows: f32 or f64, rows, columns and k one axis each with a stride of 1 beside
 * a known one in either operand? */
bool blas_fits(const Product *p);

/* By OpenBLAS, with the chunks of another schedule. */
ContractSchedule blas_schedule(const ContractSchedule *like);

/* A block of C, `stride` elements a row: its rows and columns, and the first elements of what it is made of.
 */
typedef struct {
    LLVMValueRef rows, columns;
    LLVMValueRef a, b, sums, stride;
} BlasBlock;

void blas_multiply(Emit *e, const Product *p, const BlasBlock *block);
/* What the module needs before `main`, if something in it is computed by OpenBLAS. */
void blas_start(Emit *e);

#endif
