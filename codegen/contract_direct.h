/* Tiles whose sums go from registers to the contract's store, rather than through a buffer. */
#ifndef CODEGEN_CONTRACT_DIRECT_H
#define CODEGEN_CONTRACT_DIRECT_H

#include "codegen/contract_epilogue.h"
#include "codegen/contract_tile.h"
#include "codegen/contract_variant.h"

/* Can all of the product's tiles be stored so, and is it worth the code? */
bool direct_pays(Emit *e, const Product *p, const Variants *rows, const Variants *columns);
/* The tile's sums, of which so many columns exist. */
void direct_store(Emit *e, const Epilogue *epilogue, const Tile *tile, int64_t columns);

#endif
