/* Products without rows of few columns and a long k along which B slides, as the gradients by the filters of
 * depthwise convolutions are: every result is a sum over whole pictures, and neighbouring results are sums of
 * the same numbers of B, a few elements on. */
#ifndef CODEGEN_CONTRACT_SLIDE_SUM_H
#define CODEGEN_CONTRACT_SLIDE_SUM_H

#include "codegen/contract_product.h"

/* Can the product, as arranged, be computed so? */
bool slide_sums(const Product *p);
LLVMValueRef slide_sum_chunks(Emit *e, const Product *p);
void emit_slide_sum(Emit *e, const Product *p, LLVMValueRef chunk);

#endif
