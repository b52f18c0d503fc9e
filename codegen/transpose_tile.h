/* Transpositions from memory to memory, of which kernels need many and programs few. */
#ifndef CODEGEN_TRANSPOSE_TILE_H
#define CODEGEN_TRANSPOSE_TILE_H

#include "codegen/emit.h"

/* `squares` squares of up to `lanes` rows lie side by side from `source` on, and go to `target` below each
 * other: `lanes` rows each, of which the first `rows` elements mean something. Memory is read and written as
 * if there were `lanes` rows. Strides in elements. */
typedef struct {
    LLVMTypeRef element;
    LLVMValueRef source, target;
    int64_t source_stride, target_stride;
    uint32_t rows, lanes, squares;
} Transposition;

void transpose_squares(Emit *e, const Transposition *t);

#endif
