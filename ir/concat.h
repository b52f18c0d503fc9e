/* Values that are put together from equal parts, along several axes where concatenations are nested: kernels
 * write these part by part. */
#ifndef IR_CONCAT_H
#define IR_CONCAT_H

#include "ir/graph.h"

/* The type of the parts of which the value is put together by nodes of the block, or of any where that is
 * NULL; its own where it isn't. */
const Type *concat_part(const Value *value, const Block *block);
/* The same for parts of so many elements; NULL if it isn't put together from such. */
const Type *concat_part_of(IrContext *ir, const Value *value, const Block *block, const Dim *elements);
/* The elements of parts that each of the values is put together from, where whole values are parts, too.
 * NULL: there is none. */
const Dim *concat_common(IrContext *ir, Value *const *values, uint32_t count, const Block *block);

#endif
