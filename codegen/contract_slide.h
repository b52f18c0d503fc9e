/* Products without rows whose k is short, as depthwise convolutions are: every element of A is one factor for
 * a whole picture of B. There is no tile of A's rows to share B's vectors; what is shared are the windows:
 * neighbouring rows of the result read the same rows of B. */
#ifndef CODEGEN_CONTRACT_SLIDE_H
#define CODEGEN_CONTRACT_SLIDE_H

#include "codegen/contract_product.h"

/* Of a product that slides. */
LLVMValueRef slide_chunks(Emit *e, const Product *p);
void emit_slide(Emit *e, const Product *p, LLVMValueRef chunk);

#endif
