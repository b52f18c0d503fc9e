/* Building nodes: a Builder is a place and a source location. Each function computes the result type by the
 * operation's shape rule and asserts on misuse, which is our bug: the frontend checks before it builds. */
#ifndef IR_BUILD_H
#define IR_BUILD_H

#include "ir/graph.h"

typedef struct {
    Graph *graph;
    Block *block;
    Node *before; /* insert before this node; NULL = append to `block` */
    Loc loc;
} Builder;

/* Attributes by value. Arrays are copied by the node. */
Attr attr_int(AttrKey key, int64_t value);
Attr attr_number(AttrKey key, double value);
Attr attr_str(AttrKey key, const char *interned);
Attr attr_ints(AttrKey key, uint32_t count, const int64_t *values);
Attr attr_strs(AttrKey key, uint32_t count, const char *const *interned);
Attr attr_dim(AttrKey key, const Dim *dim);
Attr attr_dims(AttrKey key, uint32_t count, const Dim *const *dims);
Attr attr_types(AttrKey key, uint32_t count, const Type *const *types);
Attr attr_dtype(AttrKey key, DType dtype);

/* Any operation without blocks. NULL and `*why` set where the shape rule refuses; `why` NULL asserts instead.
 */
Node *build_try(Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t attrs, const Attr *attr,
                const char **why);
Node *build_node(Builder *b, Op op, uint32_t operands, Value *const *operand, uint32_t attrs,
                 const Attr *attr);

Value *build_unary(Builder *b, Op op, Value *x);
Value *build_binary(Builder *b, Op op, Value *x, Value *y); /* equal types */
Value *build_select(Builder *b, Value *condition, Value *x, Value *y);
Value *build_masked(Builder *b, Value *x, Value *mask);
Value *build_cast(Builder *b, Value *x, DType dtype); /* x itself where it has that dtype */
Value *build_wide(Builder *b, Value *x);              /* x, or what has 16 bits as f32 */
Value *build_const(Builder *b, const Type *type,
                   double value);                /* every element `value`; exact for |ints| < 2^53 */
Value *build_int(Builder *b, int64_t value);     /* i64 scalar */
Value *build_text(Builder *b, const char *text); /* str scalar */
Value *build_iota(Builder *b, const Type *type, int64_t axis);
Value *build_size(Builder *b, const Dim *dim); /* i64; a const node for a constant */
/* A symbol with the run-time value of `count` (an i64 scalar); a constant dimension for a const node. */
const Dim *build_symbol(Builder *b, Value *count, const char *name);

Value *build_reshape(Builder *b, Value *x, uint32_t rank, const Dim *const *dims); /* x itself where equal */
Value *build_permute(Builder *b, Value *x, const int64_t *perm);
Value *build_slice(Builder *b, Value *x, const Dim *const *start, const Dim *const *dims,
                   const int64_t *step);
Value *build_broadcast(Builder *b, Value *x, uint32_t rank, const Dim *const *dims, const int64_t *axes);
/* NumPy broadcasting to a shape: leading axes are added, axes of constant size 1 are repeated. */
Value *build_broadcast_to(Builder *b, Value *x, uint32_t rank, const Dim *const *dims);
Value *build_like(Builder *b, Value *scalar, const Type *shape); /* a scalar broadcast to a type's shape */
Value *build_pad(Builder *b, Value *x, Value *fill, const Dim *const *low, const Dim *const *high,
                 const int64_t *interior);
Value *build_concat(Builder *b, uint32_t count, Value *const *parts, int64_t axis);
Value *build_dynamic_slice(Builder *b, Value *x, uint32_t count, const int64_t *axes, Value *const *starts,
                           const Dim *const *dims);
Value *build_update_slice(Builder *b, Value *x, Value *part, uint32_t count, const int64_t *axes,
                          Value *const *starts);
/* Axis `axis` becomes two, (windows, size); and windows back into an axis of `size` elements, overlaps added
 * up. */
Value *build_window(Builder *b, Value *x, int64_t axis, const Dim *size, const Dim *stride,
                    const Dim *dilation);
Value *build_window_add(Builder *b, Value *part, int64_t axis, const Dim *size, const Dim *stride,
                        const Dim *dilation);
Value *build_gather(Builder *b, Value *x, Value *ids, int64_t axis);
Value *build_scatter_add(Builder *b, Value *x, Value *ids, Value *part, int64_t axis);
Value *build_scatter(Builder *b, Value *x, Value *ids, Value *part, int64_t axis);
Value *build_reduce(Builder *b, Op op, Value *x, uint32_t count, const int64_t *axes); /* no axes: x itself */
/* A running reduction of `x` along one axis, from the last element to the first where `reverse`. */
Value *build_scan(Builder *b, Op op, Value *x, int64_t axis, bool reverse);
Value *build_recurrence(Builder *b, Value *a, Value *addend, int64_t axis);
Value *build_argsort(Builder *b, Value *x, int64_t axis, bool descending, const Dim *size);
Value *build_flip(Builder *b, Value *x, int64_t axis);
/* Element by element along one axis: ids (i64) may be shorter than x along the others, where result[i, j] =
 * x[ids[i, j], j] for axis 0; and x with the elements of `part`, of the shape of `ids`, added there
 * (scatter_add) or written there (scatter). */
Value *build_take_along(Builder *b, Value *x, Value *ids, int64_t axis);
Value *build_put_along(Builder *b, Op op, Value *x, Value *ids, Value *part, int64_t axis);
Value *build_contract(Builder *b, Value *x, Value *y, const char *spec);

/* Control: make the node (appended), fill its blocks with builders of their own, end each with build_yield.
 * The results' types are given: they must equal what the blocks yield. */
Node *build_if(Builder *b, Value *condition, uint32_t results, const Type *const *types);
Node *build_remat(Builder *b, uint32_t results, const Type *const *types);
/* Block 0 gets parameters (i, carried…) named as the inits. */
Node *build_for(Builder *b, Value *lo, Value *hi, uint32_t carried, Value *const *init);
Node *build_while(Builder *b, uint32_t carried, Value *const *init);
Builder build_inside(const Builder *b, Block *block); /* appends to `block`, same location */
void build_yield(Builder *b, uint32_t count, Value *const *values);

#endif
