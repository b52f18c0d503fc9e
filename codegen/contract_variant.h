/* What tiles leave over of rows and columns, and the tiles that compute it. */
#ifndef CODEGEN_CONTRACT_VARIANT_H
#define CODEGEN_CONTRACT_VARIANT_H

#include "codegen/contract_product.h"

/* Which tile computes what is left over: the first whose bound is not below what is left. */
typedef struct {
    uint32_t tile; /* rows, or vectors */
    int64_t bound; /* rows, or columns */
    bool exact;    /* never used for less than its bound; so nothing has to be masked or repeated */
} Variant;

enum { MAX_VARIANTS = 6 };

typedef struct {
    Variant at[MAX_VARIANTS]; /* by rising bound */
    uint32_t count;
} Variants;

/* Of a size that is known: the tile and what can be left over of the last chunk and of the others. Of a
 * run-time size: the tile, half of it, one unit; with `masked`, what is left over needs code of its own even
 * where it takes a whole tile. */
Variants variants_of(Size size, int64_t chunk, uint32_t tile, uint32_t unit, bool masked);
/* Of a product's rows. */
Variants variants_of_rows(Emit *e, const Product *p);

#endif
