/* Derivatives of running reductions. In comments x is the operand, r the result, g its adjoint, and t counts
 * along the axis. */
#include "passes/derive.h"

static int64_t axis_of(const Derive *d) { return node_int(d->node, ATTR_axis); }

Value *derive_delayed(Builder *b, Value *v, int64_t axis, double first) {
    IrContext *ir = b->graph->ir;
    const Dim *low[MAX_RANK], *none[MAX_RANK];
    int64_t zeros[MAX_RANK] = {0}, ones[MAX_RANK];
    for (uint32_t k = 0; k < v->type->rank; k++) {
        none[k] = dim_const(ir, 0);
        low[k] = dim_const(ir, k == axis);
        ones[k] = 1;
    }
    Value *fill = build_const(b, type_scalar(ir, v->type->dtype), first);
    return build_slice(b, build_pad(b, v, fill, low, none, zeros), none, v->type->dims, ones);
}

/* The adjoint that reaches each step: s[t] = g[t] + a[t + 1] · s[t + 1], from the last step backwards. */
static Value *adjoint_of_steps(Derive *d, Value *a) {
    Value *later = derive_delayed(d->b, build_flip(d->b, a, axis_of(d)), axis_of(d), 0);
    Value *g = build_flip(d->b, d->adjoint, axis_of(d));
    return build_flip(d->b, build_recurrence(d->b, later, g, axis_of(d)), axis_of(d));
}

void derive_cumulative_sum(Derive *d) {
    derive_give(d, 0, build_scan(d->b, OP_cumulative_sum, d->adjoint, axis_of(d), true));
}

/* r[t] = x[t] · r[t - 1]: without divisions, so that zeros are nothing special. */
void derive_cumulative_prod(Derive *d) {
    Value *steps = adjoint_of_steps(d, derive_operand(d, 0));
    derive_give(d, 0,
                build_binary(d->b, OP_mul, steps, derive_delayed(d->b, derive_result(d), axis_of(d), 1)));
}

/* To where the extreme came from: the latest place so far whose element is the extreme up to there. */
void derive_cumulative_extreme(Derive *d) {
    Value *x = derive_operand(d, 0), *r = derive_result(d);
    const Type *places = type_with_dtype(d->b->graph->ir, x->type, DTYPE_i64);
    Value *reached = build_binary(d->b, OP_eq, x, r), *nan = build_binary(d->b, OP_ne, x, x);
    Value *here = build_binary(d->b, OP_or, reached, nan);
    Value *place =
        build_select(d->b, here, build_iota(d->b, places, axis_of(d)), build_const(d->b, places, 0));
    Value *source = build_scan(d->b, OP_cumulative_max, place, axis_of(d), false);
    derive_give(d, 0,
                build_put_along(d->b, OP_scatter_add, derive_zeros(d, x), source, d->adjoint, axis_of(d)));
}

/* r[t] = a[t] · r[t - 1] + b[t]; a[0] is not read. */
void derive_linear_recurrence(Derive *d) {
    Value *steps = adjoint_of_steps(d, derive_operand(d, 0));
    if (derive_wants(d, 0))
        derive_give(d, 0,
                    build_binary(d->b, OP_mul, steps, derive_delayed(d->b, derive_result(d), axis_of(d), 0)));
    if (derive_wants(d, 1)) derive_give(d, 1, steps);
}
