/* Square transpositions and sums across lanes, on registers. */
#ifndef CODEGEN_TRANSPOSE_H
#define CODEGEN_TRANSPOSE_H

#include "codegen/emit.h"

enum { VECTOR_MAX_LANES = 64 };

/* Transposes `lanes` rows of `lanes` elements of 4 or 8 bytes in place. */
void transpose_lanes(Emit *e, LLVMValueRef *row, uint32_t lanes);
/* Sums each of up to as many vectors as they have lanes: lane i of the result is the sum over the lanes of
 * vector i; lanes from `count` on are undefined. */
LLVMValueRef transpose_sums(Emit *e, const LLVMValueRef *vector, uint32_t count);

#endif
