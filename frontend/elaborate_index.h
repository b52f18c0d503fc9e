/* What a[…] selects, shared by reading (elaborate_index.c) and writing (elaborate_index_write.c). */
#ifndef FRONTEND_ELABORATE_INDEX_H
#define FRONTEND_ELABORATE_INDEX_H

#include "frontend/elaborate.h"

typedef enum { AXIS_FULL, AXIS_SLICE, AXIS_INDEX, AXIS_IDS } AxisKind;

typedef struct {
    AxisKind kind;
    const Dim *start, *size; /* SLICE; INDEX where known as a dimension */
    int64_t step;
    Value *index; /* INDEX: i64, where known at run time only */
    Value *ids;
} Axis;

struct Selection {
    uint32_t rank;
    Axis axes[MAX_RANK];
};

/* Is more asked for than an axis is known to have? It was checked, so nothing that follows is ever run. */
bool select_nothing(const Type *type, const Selection *s);
/* x with one more element along the axis, 0: what is taken at a position of an empty one has a type so, and
 * depends on it. */
Value *select_lengthen(Elab *e, Builder *b, Value *x, uint32_t axis);
/* x's part in slices and at single positions, which stay as axes of size 1; axes of ids stay whole. */
Value *select_part(Elab *e, Builder *b, Value *x, const Selection *s);
/* The axes that are indexed by tensors: NumPy puts the axes of the positions in their place where no other
 * axis lies between, otherwise first. Then, true, *s is of x permuted by `perm`. Afterwards they are `first`
 * … `last`, with nothing between but single positions. */
bool select_together(Selection *s, uint32_t *first, uint32_t *last, int64_t *perm);
/* The positions on the axes `first` … `last` of x, seen as one; they broadcast. Poison after reporting. */
const Val *select_positions(Elab *e, const Value *x, const Selection *s, uint32_t first, uint32_t last,
                            Span span);
/* x with its axes `first` … `last` as one; NULL after reporting. */
Value *select_merge(Elab *e, Builder *b, Value *x, uint32_t first, uint32_t last, Span span);

#endif
