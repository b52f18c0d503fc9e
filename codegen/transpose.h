/* Square transpositions and sums across lanes, on registers. */
#ifndef CODEGEN_TRANSPOSE_H
#define CODEGEN_TRANSPOSE_H

#include "codegen/emit.h"

enum { VECTOR_MAX_LANES = 64 };

/* Transposes `lanes` rows of `lanes` elements in place. */
void transpose_lanes(Emit *e, LLVMValueRef *row, uint32_t lanes);
/* `count` elements of a row from `column` on, as the first lanes of a vector of `lanes`; others are
 * undefined. */
typedef LLVMValueRef TransposeLoad(Emit *e, uint32_t row, uint32_t column, uint32_t count, uint32_t lanes,
                                   void *user);
/* The first `columns` columns of `lanes` rows in memory, elements of 4 or 8 `bytes` in registers, each as a
 * vector of `lanes`. Half rows are loaded rather than whole ones: bringing two of them together is part of a
 * load, where bringing them apart would be a shuffle. */
void transpose_rows(Emit *e, TransposeLoad *load, void *user, LLVMValueRef *column, uint32_t lanes,
                    uint32_t columns, uint32_t bytes);
/* Sums each of up to as many vectors as they have lanes: lane i of the result is the sum over the lanes of
 * vector i; lanes from `count` on are undefined. */
LLVMValueRef transpose_sums(Emit *e, const LLVMValueRef *vector, uint32_t count);

#endif
