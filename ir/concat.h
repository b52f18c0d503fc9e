/* Values that are put together from equal parts, along several axes where concatenations are nested: kernels
 * write these part by part. */
#ifndef IR_CONCAT_H
#define IR_CONCAT_H

#include "ir/graph.h"

/* The type of the parts of which the value is put together by nodes of the block, or of any where that is
 * NULL; its own where it isn't. */
const Type *concat_part(const Value *value, const Block *block);

#endif
