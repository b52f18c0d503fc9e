/* Builtin functions that sum up a tensor along axes by more than one reduction: variance, norms, logsumexp.
 */
#include "frontend/elaborate_builtin.h"
#include <math.h>

/* A float tensor and the axes that it is reduced over. Of 16 bits it is computed with in f32: sums and counts
 * in between may be more than it can hold. */
typedef struct {
    Builder b;
    Value *x;
    DType dtype; /* of the result */
    uint32_t count;
    int64_t axes[MAX_RANK];
    bool keep;
} Reduced;

/* The axes in `slot`, keepdims in the one after. False after reporting. */
static bool open_reduced(Elab *e, BuiltinCall *c, uint32_t slot, Reduced *r) {
    r->b = el_builder(e, c->span);
    r->x = tensor_argument(e, c, 0);
    if (!r->x) return false;
    if (!dtype_is_float(r->x->type->dtype)) {
        refuse_argument(e, c, 0, "a float tensor");
        return false;
    }
    r->dtype = r->x->type->dtype;
    r->x = build_wide(&r->b, r->x);
    return axes_argument(e, c, slot, r->x->type->rank, &r->count, r->axes) &&
           flag_argument(e, c, slot + 1, false, &r->keep);
}

static const Val *close_reduced(Elab *e, Reduced *r, Value *result) {
    return reduced_value(e, &r->b, build_cast(&r->b, result, r->dtype), r->x->type, r->count, r->axes,
                         r->keep);
}

static Value *reduce(Reduced *r, Op op, Value *x) { return build_reduce(&r->b, op, x, r->count, r->axes); }

/* A value of the reduced shape for each element of x. */
static Value *spread(Reduced *r, Value *v) {
    int64_t kept[MAX_RANK];
    uint32_t rank = r->x->type->rank, at = 0, count = 0;
    if (!r->count) return v;
    for (uint32_t i = 0; i < rank; i++) {
        if (at < r->count && r->axes[at] == i)
            at++;
        else
            kept[count++] = i;
    }
    return build_broadcast(&r->b, v, rank, r->x->type->dims, kept);
}

static Value *number_like(Reduced *r, const Value *like, double number) {
    return build_const(&r->b, like->type, number);
}

/* Σ (x - mean)² / max(0, n - correction), or its root. */
const Val *builtin_variance(Elab *e, BuiltinCall *c) {
    Reduced r;
    int64_t correction;
    if (!open_reduced(e, c, 1, &r) || !constant_argument(e, c, 3, 1, &correction)) return e->poison;
    const Dim *n = dim_const(e->ir, 1);
    for (uint32_t i = 0; i < r.count && n; i++) n = dim_mul(e->ir, n, r.x->type->dims[r.axes[i]]);
    if (!n) {
        diag_report(e->diags, D_OVERFLOW, c->span);
        return e->poison;
    }
    Builder *b = &r.b;
    DType dtype = r.x->type->dtype;
    Value *sum = reduce(&r, OP_reduce_sum, r.x), *size = build_size(b, n);
    Value *mean = build_binary(b, OP_div, sum, build_like(b, build_cast(b, size, dtype), sum->type));
    Value *away = build_binary(b, OP_sub, r.x, spread(&r, mean));
    Value *squares = reduce(&r, OP_reduce_sum, build_binary(b, OP_mul, away, away));
    Value *free =
        build_binary(b, OP_max, build_binary(b, OP_sub, size, build_int(b, correction)), build_int(b, 0));
    Value *result = build_binary(b, OP_div, squares, build_like(b, build_cast(b, free, dtype), sum->type));
    if (c->builtin->op == OP_sqrt) result = build_unary(b, OP_sqrt, result);
    return close_reduced(e, &r, result);
}

/* sum ** (1/p), with the derivative 0 at 0. */
static Value *root(Reduced *r, Value *sum, double p) {
    Builder *b = &r->b;
    Value *zero = number_like(r, sum, 0), *some = build_binary(b, OP_ne, sum, zero);
    Value *safe = build_select(b, some, sum, number_like(r, sum, 1));
    Value *power =
        p == 2 ? build_unary(b, OP_sqrt, safe) : build_binary(b, OP_pow, safe, number_like(r, safe, 1 / p));
    return build_select(b, some, power, zero);
}

const Val *builtin_norm(Elab *e, BuiltinCall *c) {
    Reduced r;
    double p = 2;
    if (!open_reduced(e, c, 2, &r)) return e->poison;
    if (c->slot[1] && (!val_static_number(c->slot[1], &p) || !(p > 0)))
        return refuse_argument(e, c, 1, "a number above 0 that is known at compile time");
    Builder *b = &r.b;
    Value *size = build_unary(b, OP_abs, r.x);
    if (isinf(p)) {
        /* Over nothing it is 0, as every norm. */
        Value *most = reduce(&r, OP_reduce_max, size);
        return close_reduced(e, &r, build_binary(b, OP_max, most, number_like(&r, most, 0)));
    }
    Value *power = p == 1   ? size
                   : p == 2 ? build_binary(b, OP_mul, r.x, r.x)
                            : build_binary(b, OP_pow, size, number_like(&r, size, p));
    Value *sum = reduce(&r, OP_reduce_sum, power);
    return close_reduced(e, &r, p == 1 ? sum : root(&r, sum, p));
}

/* log Σ e^x, by what e^x is of the greatest. */
const Val *builtin_logsumexp(Elab *e, BuiltinCall *c) {
    Reduced r;
    if (!open_reduced(e, c, 1, &r)) return e->poison;
    Builder *b = &r.b;
    Value *most = reduce(&r, OP_reduce_max, r.x);
    Value *finite = build_unary(b, OP_is_finite, most);
    most = build_unary(b, OP_stop_gradient, build_select(b, finite, most, number_like(&r, most, 0)));
    Value *less = build_unary(b, OP_exp, build_binary(b, OP_sub, r.x, spread(&r, most)));
    Value *sum = reduce(&r, OP_reduce_sum, less);
    return close_reduced(e, &r, build_binary(b, OP_add, build_unary(b, OP_log, sum), most));
}
