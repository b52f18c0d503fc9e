/* The end of a product: its sums lie in a buffer, line by line, and go to the contract's store; or they come
 * from registers. */
#ifndef CODEGEN_CONTRACT_EPILOGUE_H
#define CODEGEN_CONTRACT_EPILOGUE_H

#include "codegen/contract_product.h"

/* A line is a row and its lanes lie along columns; the other way round where the buffer is transposed. */
typedef struct {
    const Product *p;
    LLVMValueRef *index;            /* of the contract's axes; of those of batch it is set */
    LLVMValueRef row, column, sums; /* the first of each */
    Size lines, lanes;              /* how many there are along either axis */
    Size stride;                    /* of a line in the buffer */
    uint64_t lane_bits;             /* that `lanes` can have, where it isn't known */
    bool transposed;
} Epilogue;

void emit_epilogue(Emit *e, Epilogue *epilogue);
/* Of a tile on the stack: stored here, or by a call of the contract's store_tile where there are several
 * kinds of tiles. `index` is set as in an epilogue. */
void epilogue_of_tile(Emit *e, const Product *p, LLVMValueRef *index, const LLVMValueRef *tile);
/* Asks for what the epilogue of a tile reads and no cache holds (ContractAhead). */
void ahead_of_tile(Emit *e, const Product *p, LLVMValueRef *index, const LLVMValueRef *tile);
/* Elements from line to line of the sums of a tile on the stack. */
Size tile_stride(Emit *e, const Product *p);
/* What is no buffer's: lanes of a line, from the one numbered `offset` on, of which `tail` exist, NULL = all.
 */
void epilogue_store(Emit *e, const Epilogue *epilogue, uint32_t line, uint32_t offset, LLVMValueRef value,
                    LLVMValueRef tail);

#endif
