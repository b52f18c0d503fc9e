/* Derivatives of the elementwise operations. In comments x and y are the operands, r the result, g its
 * adjoint. */
#include "passes/derive.h"

static Value *sub(Derive *d, Value *a, Value *b) { return build_binary(d->b, OP_sub, a, b); }
static Value *mul(Derive *d, Value *a, Value *b) { return build_binary(d->b, OP_mul, a, b); }
static Value *quotient(Derive *d, Value *a, Value *b) { return build_binary(d->b, OP_div, a, b); }
static Value *negative(Derive *d, Value *a) { return build_unary(d->b, OP_neg, a); }
static Value *scaled(Derive *d, Value *a, double by) { return mul(d, a, derive_constant(d, a, by)); }

/* --- one operand */
void derive_neg(Derive *d) { derive_give(d, 0, negative(d, d->adjoint)); }

/* g · sign x: 0 at 0 */
void derive_abs(Derive *d) {
    derive_give(d, 0, mul(d, d->adjoint, build_unary(d->b, OP_sign, derive_operand(d, 0))));
}

void derive_exp(Derive *d) { derive_give(d, 0, mul(d, d->adjoint, derive_result(d))); }
void derive_log(Derive *d) { derive_give(d, 0, quotient(d, d->adjoint, derive_operand(d, 0))); }

/* g / 2r */
void derive_sqrt(Derive *d) { derive_give(d, 0, quotient(d, scaled(d, d->adjoint, 0.5), derive_result(d))); }

void derive_sin(Derive *d) {
    derive_give(d, 0, mul(d, d->adjoint, build_unary(d->b, OP_cos, derive_operand(d, 0))));
}

void derive_cos(Derive *d) {
    derive_give(d, 0, negative(d, mul(d, d->adjoint, build_unary(d->b, OP_sin, derive_operand(d, 0)))));
}

/* g · (1 - r²) */
void derive_tanh(Derive *d) {
    Value *r = derive_result(d);
    derive_give(d, 0, mul(d, d->adjoint, sub(d, derive_constant(d, r, 1), mul(d, r, r))));
}

/* g · r · (1 - r) */
void derive_sigmoid(Derive *d) {
    Value *r = derive_result(d);
    derive_give(d, 0, mul(d, d->adjoint, mul(d, r, sub(d, derive_constant(d, r, 1), r))));
}

/* g · 2/√π · exp(-x²) */
void derive_erf(Derive *d) {
    Value *x = derive_operand(d, 0);
    Value *bell = build_unary(d->b, OP_exp, negative(d, mul(d, x, x)));
    derive_give(d, 0, mul(d, d->adjoint, scaled(d, bell, 1.1283791670955126)));
}

void derive_cast(Derive *d) {
    derive_give(d, 0, build_cast(d->b, d->adjoint, derive_operand(d, 0)->type->dtype));
}

void derive_copy(Derive *d) { derive_give(d, 0, d->adjoint); }

/* --- two operands */
void derive_add(Derive *d) {
    for (uint32_t k = 0; k < 2; k++)
        if (derive_wants(d, k)) derive_give(d, k, d->adjoint);
}

void derive_sub(Derive *d) {
    if (derive_wants(d, 0)) derive_give(d, 0, d->adjoint);
    if (derive_wants(d, 1)) derive_give(d, 1, negative(d, d->adjoint));
}

void derive_mul(Derive *d) {
    if (derive_wants(d, 0)) derive_give(d, 0, mul(d, d->adjoint, derive_operand(d, 1)));
    if (derive_wants(d, 1)) derive_give(d, 1, mul(d, d->adjoint, derive_operand(d, 0)));
}

/* g / y and -g · r / y */
void derive_div(Derive *d) {
    Value *share = quotient(d, d->adjoint, derive_operand(d, 1));
    if (derive_wants(d, 0)) derive_give(d, 0, share);
    if (derive_wants(d, 1)) derive_give(d, 1, negative(d, mul(d, share, derive_result(d))));
}

/* r = x - ⌊x / y⌋ · y: g and -g · ⌊x / y⌋ */
void derive_mod(Derive *d) {
    Value *x = derive_operand(d, 0), *y = derive_operand(d, 1);
    if (derive_wants(d, 0)) derive_give(d, 0, d->adjoint);
    if (derive_wants(d, 1))
        derive_give(d, 1, negative(d, mul(d, d->adjoint, build_binary(d->b, OP_floordiv, x, y))));
}

/* Is the value a float constant, perhaps seen through views that repeat it? */
static bool is_constant(const Value *v, double *value) {
    while (v->node && (v->node->op == OP_broadcast || v->node->op == OP_reshape)) v = v->node->operands[0];
    if (!v->node || v->node->op != OP_const || !dtype_is_float(v->type->dtype)) return false;
    *value = node_attr(v->node, ATTR_value)->number;
    return true;
}

/* The exponent for y · x^(y - 1), with 1 where y = 0 and x^(y - 1) isn't finite: 0 times that would be NaN
 * where the derivative is 0. */
static Value *safe_exponent(Derive *d, Value *x, Value *y) {
    double constant;
    if (is_constant(y, &constant) && constant != 0) return y;
    Value *one = derive_constant(d, y, 1);
    Value *power = build_binary(d->b, OP_pow, x, sub(d, y, one));
    Value *unsafe = build_unary(d->b, OP_not, build_unary(d->b, OP_is_finite, power));
    Value *flat = build_binary(d->b, OP_eq, y, derive_zeros(d, y));
    return build_select(d->b, build_binary(d->b, OP_and, flat, unsafe), one, y);
}

/* g · y · x^(y - 1) */
static void derive_base(Derive *d, Value *x, Value *y) {
    Value *exponent = sub(d, safe_exponent(d, x, y), derive_constant(d, y, 1));
    derive_give(d, 0, mul(d, d->adjoint, mul(d, y, build_binary(d->b, OP_pow, x, exponent))));
}

/* g · r · log x, and 0 where x = 0 and y ≥ 0. The logarithm there is of 1, so that no derivative of it is
 * infinite. */
static void derive_exponent(Derive *d, Value *x, Value *y) {
    Value *zero = derive_zeros(d, x);
    Value *flat =
        build_binary(d->b, OP_and, build_binary(d->b, OP_eq, x, zero), build_binary(d->b, OP_ge, y, zero));
    Value *logarithm = build_unary(d->b, OP_log, build_select(d->b, flat, derive_constant(d, x, 1), x));
    derive_give(d, 1, mul(d, d->adjoint, mul(d, derive_result(d), logarithm)));
}

void derive_pow(Derive *d) {
    Value *x = derive_operand(d, 0), *y = derive_operand(d, 1);
    if (derive_wants(d, 0)) derive_base(d, x, y);
    if (derive_wants(d, 1)) derive_exponent(d, x, y);
}

/* Half at ties, nothing to the operand that `loses` says has lost. */
static void derive_extreme(Derive *d, Op loses) {
    Value *zero = derive_zeros(d, d->adjoint);
    Value *tie = build_binary(d->b, OP_eq, derive_operand(d, 0), derive_operand(d, 1));
    Value *share = build_select(d->b, tie, scaled(d, d->adjoint, 0.5), d->adjoint);
    for (uint32_t k = 0; k < 2; k++) {
        if (!derive_wants(d, k)) continue;
        Value *lost = build_binary(d->b, loses, derive_operand(d, k), derive_operand(d, 1 - k));
        derive_give(d, k, build_select(d->b, lost, zero, share));
    }
}

void derive_min(Derive *d) { derive_extreme(d, OP_gt); }
void derive_max(Derive *d) { derive_extreme(d, OP_lt); }

void derive_masked(Derive *d) { derive_give(d, 0, d->adjoint); }

void derive_select(Derive *d) {
    Value *condition = derive_operand(d, 0), *zero = derive_zeros(d, d->adjoint);
    if (derive_wants(d, 1)) derive_give(d, 1, build_select(d->b, condition, d->adjoint, zero));
    if (derive_wants(d, 2)) derive_give(d, 2, build_select(d->b, condition, zero, d->adjoint));
}
