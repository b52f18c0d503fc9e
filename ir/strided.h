/* A value seen through views as a strided window of another value: element [i…] is element `offset + Σ i_d ·
 * stride_d` of the dense row-major `base`. What fuse may leave inside a contraction, and how codegen then
 * reads it. */
#ifndef IR_STRIDED_H
#define IR_STRIDED_H

#include "ir/graph.h"

/* Zeros around an axis that windows were taken of: an element exists where 0 <= i[place] · stride + i[within]
 * · dilation - low < extent, and is 0 elsewhere. */
typedef struct {
    uint32_t place, within; /* axes of the value: of the windows, and of what is in them */
    int64_t stride, dilation, low, extent;
} StridedEdge;

enum { STRIDED_MAX_EDGES = 3 };

typedef struct {
    Value *base;
    const Dim *offset;           /* in elements, like the strides */
    const Dim *stride[MAX_RANK]; /* one per axis of the value; 0 along a broadcast axis */
    uint32_t edge_count;
    StridedEdge edge[STRIDED_MAX_EDGES];
} Strided;

/* Does the walk end at this value (it is in memory)? */
typedef bool StridedBase(void *user, Value *value);

/* Follows reshapes, permutes, slices, broadcasts, windows, and windows of what is padded with zeros from
 * `value` down to the first value for which `is_base` holds. False where something else is met or a view
 * can't be told by strides, as a reshape of a permuted value. */
bool strided_view(IrContext *ir, Value *value, StridedBase *is_base, void *user, Strided *out);

/* Does the slice leave the axis as it is? */
bool slice_is_whole(const Node *slice, uint32_t axis);

#endif
