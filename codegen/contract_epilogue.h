/* The end of a product: its sums lie in a buffer, line by line, and go to the contract's store. */
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
    bool transposed;
} Epilogue;

/* Asks for what it will read, before the sums are computed. */
void epilogue_ahead(Emit *e, Epilogue *epilogue);
void emit_epilogue(Emit *e, Epilogue *epilogue);

#endif
