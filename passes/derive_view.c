/* Derivatives of views, gather and scatter: the adjoint's elements go back where they came from. */
#include "passes/derive.h"
#include <assert.h>

/* --- dimensions. The forward node has computed with the same sizes, so these do not overflow. */
static IrContext *context(const Derive *d) { return d->b->graph->ir; }

static const Dim *known(const Dim *dim) {
    assert(dim);
    return dim;
}

static const Dim *dim_of(const Derive *d, int64_t value) { return dim_const(context(d), value); }
static const Dim *plus(const Derive *d, const Dim *a, const Dim *b) {
    return known(dim_add(context(d), a, b));
}
static const Dim *minus(const Derive *d, const Dim *a, const Dim *b) {
    return known(dim_sub(context(d), a, b));
}
static const Dim *times(const Derive *d, const Dim *a, int64_t b) {
    return known(dim_mul(context(d), a, dim_of(d, b)));
}

/* --- reshape, permute, broadcast */
void derive_reshape(Derive *d) {
    const Type *type = derive_operand(d, 0)->type;
    derive_give(d, 0, build_reshape(d->b, d->adjoint, type->rank, type->dims));
}

void derive_permute(Derive *d) {
    const Attr *perm = node_attr(d->node, ATTR_perm);
    int64_t inverse[MAX_RANK];
    for (uint32_t k = 0; k < perm->count; k++) inverse[perm->ints[k]] = k;
    derive_give(d, 0, build_permute(d->b, d->adjoint, inverse));
}

/* Sums over the axes that the operand was repeated along. */
void derive_broadcast(Derive *d) {
    const Attr *axes = node_attr(d->node, ATTR_axes);
    bool kept[MAX_RANK] = {false};
    int64_t repeated[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t k = 0; k < axes->count; k++) kept[axes->ints[k]] = true;
    for (uint32_t k = 0; k < d->adjoint->type->rank; k++)
        if (!kept[k]) repeated[count++] = k;
    derive_give(d, 0, build_reduce(d->b, OP_reduce_sum, d->adjoint, count, repeated));
}

/* --- slice */
/* Zeros of x's size along `axis` with the adjoint's slices at start, start + step, …: for a size that may be
 * 0 at run time, which padding between neighbours can't express. */
static Value *scatter_axis(Derive *d, Value *g, uint32_t axis, const Dim *start, int64_t step) {
    const Type *x = derive_operand(d, 0)->type;
    const Dim *dims[MAX_RANK];
    for (uint32_t k = 0; k < x->rank; k++) dims[k] = k == axis ? x->dims[k] : g->type->dims[k];
    const Type *target = type_tensor(context(d), x->dtype, x->rank, dims);
    const Type *line = type_tensor(context(d), DTYPE_i64, 1, &g->type->dims[axis]);
    Value *ids = build_binary(d->b, OP_mul, build_iota(d->b, line, 0), build_const(d->b, line, (double)step));
    ids = build_binary(d->b, OP_add, ids, build_like(d->b, build_size(d->b, start), line));
    return build_scatter_add(d->b, build_const(d->b, target, 0), ids, g, axis);
}

/* Reverses the axes that the slice walks backwards, so that all steps are positive: `start` becomes the least
 * index. */
static Value *turn(Derive *d, Value *g, const Dim **start, int64_t *step) {
    const Type *type = g->type;
    const Dim *first[MAX_RANK];
    int64_t steps[MAX_RANK];
    bool any = false;
    for (uint32_t k = 0; k < type->rank; k++) {
        bool backwards = step[k] < 0 && !dim_is(type->dims[k], 0);
        const Dim *last = minus(d, type->dims[k], dim_of(d, 1));
        first[k] = backwards ? last : dim_of(d, 0);
        steps[k] = backwards ? -1 : 1;
        if (!backwards) continue;
        any = true;
        start[k] = plus(d, start[k], times(d, last, step[k]));
        step[k] = -step[k];
    }
    return any ? build_slice(d->b, g, first, type->dims, steps) : g;
}

/* Pads axes of steps ±1 and of constant sizes; what is padded after: size - start - ((n - 1) · step + 1). */
static Value *pad_axes(Derive *d, Value *g, const bool *scattered, const Dim *const *start,
                       const int64_t *step) {
    const Type *x = derive_operand(d, 0)->type;
    const Dim *low[MAX_RANK], *high[MAX_RANK];
    int64_t interior[MAX_RANK];
    bool any = false;
    for (uint32_t k = 0; k < x->rank; k++) {
        const Dim *n = g->type->dims[k], *zero = dim_of(d, 0);
        low[k] = high[k] = zero;
        interior[k] = 0;
        if (scattered[k] || (n == x->dims[k] && step[k] == 1)) continue;
        any = true;
        if (dim_is(n, 0)) { /* a start there means nothing */
            high[k] = x->dims[k];
            continue;
        }
        const Dim *extent = plus(d, times(d, minus(d, n, dim_of(d, 1)), step[k]), dim_of(d, 1));
        low[k] = start[k];
        high[k] = minus(d, minus(d, x->dims[k], start[k]), extent);
        interior[k] = step[k] - 1;
    }
    if (!any) return g;
    Value *zero = build_const(d->b, type_scalar(context(d), g->type->dtype), 0);
    return build_pad(d->b, g, zero, low, high, interior);
}

/* A slice of run-time size by steps other than 1 may be empty anywhere, also where it starts at no element.
 */
static bool needs_scatter(const Dim *size, const Dim *start, int64_t step) {
    return !dim_is_const(size, NULL) && (step != 1 || !dim_is(start, 0));
}

void derive_slice(Derive *d) {
    const Attr *starts = node_attr(d->node, ATTR_start), *steps = node_attr(d->node, ATTR_step);
    const Dim *start[MAX_RANK];
    int64_t step[MAX_RANK];
    bool scattered[MAX_RANK] = {false};
    Value *g = d->adjoint;
    uint32_t rank = g->type->rank;
    for (uint32_t k = 0; k < rank; k++) {
        start[k] = starts->dims[k];
        step[k] = steps->ints[k];
        scattered[k] = needs_scatter(g->type->dims[k], start[k], step[k]);
        if (!scattered[k]) continue;
        g = scatter_axis(d, g, k, start[k], step[k]);
        start[k] = dim_of(d, 0);
        step[k] = 1;
    }
    g = turn(d, g, start, step);
    derive_give(d, 0, pad_axes(d, g, scattered, start, step));
}

/* --- pad */
/* The adjoint where the operand went. */
static Value *unpadded(Derive *d) {
    const Type *x = derive_operand(d, 0)->type;
    const Attr *low = node_attr(d->node, ATTR_low), *interior = node_attr(d->node, ATTR_interior);
    int64_t step[MAX_RANK];
    for (uint32_t k = 0; k < x->rank; k++) step[k] = interior->ints[k] + 1;
    return build_slice(d->b, d->adjoint, low->dims, x->dims, step);
}

/* The sum of the adjoint where the fill value went. */
static Value *filled(Derive *d) {
    const Type *x = derive_operand(d, 0)->type, *r = d->adjoint->type;
    const Attr *low = node_attr(d->node, ATTR_low), *high = node_attr(d->node, ATTR_high);
    Value *within = build_const(d->b, type_with_dtype(context(d), x, DTYPE_bool), 1);
    Value *outside = build_const(d->b, type_scalar(context(d), DTYPE_bool), 0);
    Value *mask =
        build_pad(d->b, within, outside, low->dims, high->dims, node_attr(d->node, ATTR_interior)->ints);
    Value *masked = build_select(d->b, mask, derive_zeros(d, d->adjoint), d->adjoint);
    int64_t axes[MAX_RANK];
    for (uint32_t k = 0; k < r->rank; k++) axes[k] = k;
    return build_reduce(d->b, OP_reduce_sum, masked, r->rank, axes);
}

void derive_pad(Derive *d) {
    if (derive_wants(d, 0)) derive_give(d, 0, unpadded(d));
    if (derive_wants(d, 1)) derive_give(d, 1, filled(d));
}

void derive_concat(Derive *d) {
    int64_t axis = node_int(d->node, ATTR_axis), step[MAX_RANK];
    const Dim *start[MAX_RANK];
    for (uint32_t k = 0; k < d->adjoint->type->rank; k++) {
        start[k] = dim_of(d, 0);
        step[k] = 1;
    }
    for (uint32_t part = 0; part < d->node->operand_count; part++) {
        const Type *type = derive_operand(d, part)->type;
        if (derive_wants(d, part))
            derive_give(d, part, build_slice(d->b, d->adjoint, start, type->dims, step));
        start[axis] = plus(d, start[axis], type->dims[axis]);
    }
}

/* --- windows: each operation is the other one's adjoint */
void derive_window(Derive *d) {
    int64_t axis = node_int(d->node, ATTR_axis);
    derive_give(d, 0,
                build_window_add(d->b, d->adjoint, axis, derive_operand(d, 0)->type->dims[axis],
                                 node_dim(d->node, ATTR_stride), node_dim(d->node, ATTR_dilation)));
}

void derive_window_add(Derive *d) {
    int64_t axis = node_int(d->node, ATTR_axis);
    derive_give(d, 0,
                build_window(d->b, d->adjoint, axis, derive_operand(d, 0)->type->dims[axis + 1],
                             node_dim(d->node, ATTR_stride), node_dim(d->node, ATTR_dilation)));
}

/* --- slices at run-time places */
void derive_dynamic_slice(Derive *d) {
    const Attr *axes = node_attr(d->node, ATTR_axes);
    Value *zeros = derive_zeros(d, derive_operand(d, 0));
    derive_give(d, 0,
                build_update_slice(d->b, zeros, d->adjoint, axes->count, axes->ints, d->node->operands + 1));
}

void derive_update_slice(Derive *d) {
    const Attr *axes = node_attr(d->node, ATTR_axes);
    Value *const *starts = d->node->operands + 2, *part = derive_operand(d, 1);
    if (derive_wants(d, 0))
        derive_give(
            d, 0,
            build_update_slice(d->b, d->adjoint, derive_zeros(d, part), axes->count, axes->ints, starts));
    if (derive_wants(d, 1))
        derive_give(d, 1,
                    build_dynamic_slice(d->b, d->adjoint, axes->count, axes->ints, starts, part->type->dims));
}

/* --- gather and scatter */
void derive_gather(Derive *d) {
    Value *zeros = derive_zeros(d, derive_operand(d, 0));
    derive_give(
        d, 0, build_scatter_add(d->b, zeros, derive_operand(d, 1), d->adjoint, node_int(d->node, ATTR_axis)));
}

/* Which slices of the part are in the result: of those for one place the last. In the shape of the part. */
static Value *written(Derive *d, int64_t axis) {
    IrContext *ir = context(d);
    Value *ids = derive_operand(d, 1);
    const Type *part = derive_operand(d, 2)->type, *numbers = type_with_dtype(ir, ids->type, DTYPE_i64);
    const Dim *count = type_elements(ir, ids->type);
    Value *number = build_iota(d->b, type_tensor(ir, DTYPE_i64, 1, &count), 0);
    number = build_reshape(d->b, number, numbers->rank, numbers->dims);
    const Type *line = type_tensor(ir, DTYPE_i64, 1, &derive_operand(d, 0)->type->dims[axis]);
    Value *last = build_scatter(d->b, build_const(d->b, line, 0), ids, number, 0);
    Value *wins = build_binary(d->b, OP_eq, build_gather(d->b, last, ids, 0), number);
    int64_t axes[MAX_RANK];
    for (uint32_t k = 0; k < ids->type->rank; k++) axes[k] = axis + k;
    return build_broadcast(d->b, wins, part->rank, part->dims, axes);
}

void derive_scatter(Derive *d) {
    int64_t axis = node_int(d->node, ATTR_axis);
    Value *ids = derive_operand(d, 1), *part = derive_operand(d, 2), *zeros = derive_zeros(d, part);
    if (derive_wants(d, 0)) derive_give(d, 0, build_scatter(d->b, d->adjoint, ids, zeros, axis));
    if (!derive_wants(d, 2)) return;
    Value *there = build_gather(d->b, d->adjoint, ids, axis);
    derive_give(d, 2, build_select(d->b, written(d, axis), there, zeros));
}

void derive_scatter_add(Derive *d) {
    if (derive_wants(d, 0)) derive_give(d, 0, d->adjoint);
    if (derive_wants(d, 2))
        derive_give(d, 2, build_gather(d->b, d->adjoint, derive_operand(d, 1), node_int(d->node, ATTR_axis)));
}
