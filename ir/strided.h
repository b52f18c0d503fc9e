/* A value seen through views as a strided window of another value: element [i…] is element `offset + Σ i_d ·
 * stride_d` of the dense row-major `base`. What fuse may leave inside a contraction, and how codegen then
 * reads it. */
#ifndef IR_STRIDED_H
#define IR_STRIDED_H

#include "ir/graph.h"

typedef struct {
    Value *base;
    const Dim *offset;           /* in elements, like the strides */
    const Dim *stride[MAX_RANK]; /* one per axis of the value; 0 along a broadcast axis */
} Strided;

/* Does the walk end at this value (it is in memory)? */
typedef bool StridedBase(void *user, Value *value);

/* Follows reshapes, permutes, slices, broadcasts and windows from `value` down to the first value for which
 * `is_base` holds. False where something else is met or a view can't be told by strides, as a reshape of a
 * permuted value. */
bool strided_view(IrContext *ir, Value *value, StridedBase *is_base, void *user, Strided *out);

#endif
