/* exp, log, tanh, sigmoid, erf. Polynomials: codegen/tools/minimax.py; argument reductions after Cody & Waite
 * (1980). Errors of float are measured over all arguments, of double over samples, by tests/unit/test_math.c.
 */
#include "codegen/math.h"
#include "codegen/math_coefficients.h"
#include "codegen/math_parts.h"
#include <math.h>

/* --- exp: x = n ln 2 + r */
/* n, |n| < 2^11, as a number and as an integer. */
typedef struct {
    V number, integer;
} Power;

/* x times 2^n, in two steps where no instruction does it: 2^n itself may be out of range where the result is
 * not. */
static V scale(const Math *m, V x, Power power) {
    LLVMBuilderRef b = m->e->builder;
    V n = power.integer, scaled = math_scale(m, x, power.number);
    if (scaled) return scaled;
    V mantissa = math_int(m, m->wide ? 52 : 23), bias = math_int(m, m->wide ? 1023 : 127);
    V half = LLVMBuildAShr(b, n, math_int(m, 1), "");
    V rest = LLVMBuildSub(b, n, half, "");
    V first = math_from_bits(m, LLVMBuildShl(b, LLVMBuildAdd(b, half, bias, ""), mantissa, ""));
    V second = math_from_bits(m, LLVMBuildShl(b, LLVMBuildAdd(b, rest, bias, ""), mantissa, ""));
    return math_mul(m, math_mul(m, x, first), second);
}

/* The same where x and the result are far from the ends of their ranges: n is added to the exponent. NaN
 * gives anything. */
static V scale_near(const Math *m, V x, Power power) {
    V scaled = math_scale(m, x, power.number);
    if (scaled) return scaled;
    V exponent = LLVMBuildShl(m->e->builder, power.integer, math_int(m, m->wide ? 52 : 23), "");
    return math_from_bits(m, LLVMBuildAdd(m->e->builder, math_bits(m, x), exponent, ""));
}

/* Beyond these every result is infinite or 0. */
static V exp_bounded(const Math *m, V x) {
    return math_at_least(m, math_at_most(m, x, math_either(m, 89, 710)), math_either(m, -104, -746));
}

/* r of a bounded x. */
static V exp_rest(const Math *m, V x, Power *n) {
    /* In two parts, the first short enough for n · ln 2 to be exact. */
    double ln2_high = math_either(m, 0x1.63p-1, 0x1.62e42feep-1);
    double ln2_low = math_either(m, -0x1.bd0106p-13, 0x1.a39ef35793c76p-33);
    n->number = math_round_product(m, x, 0x1.71547652b82fep0, &n->integer);
    V r = math_mad(m, n->number, math_const(m, -ln2_high), x);
    return math_mad(m, n->number, math_const(m, -ln2_low), r);
}

/* exp(r) - 1 = r² P(r) + `linear`, which is r or what is left of it. */
static V exp_series(const Math *m, V r, V linear) {
    V p = m->wide ? MATH_POLYNOMIAL(m, r, exp_f64) : MATH_POLYNOMIAL(m, r, exp_f32);
    return math_mad(m, math_mul(m, r, r), p, linear);
}

/* exp(x + low) = 2^*n (the result + *tail), |*tail| far below the result, of a bounded x: 1 + r with its
 * rounding error, so that what is left to add is small, and so is its own error. */
static V exp_parts(const Math *m, V x, V low, V *tail, Power *n) {
    V r = exp_rest(m, x, n), one = math_const(m, 1);
    if (low) r = math_add(m, r, low);
    V sum = math_add(m, one, r);
    *tail = exp_series(m, r, math_sub(m, r, math_sub(m, sum, one)));
    return sum;
}

V math_exp_sum(const Math *m, V x, V low) {
    Power n;
    V tail, sum = exp_parts(m, exp_bounded(m, x), low, &tail, &n);
    return scale(m, math_add(m, sum, tail), n);
}

/* exp(x) / 2^*n to an ulp, of a bounded x. */
static V exp_plain(const Math *m, V x, Power *n) {
    V r = exp_rest(m, x, n);
    return math_add(m, math_const(m, 1), exp_series(m, r, r));
}

/* Of x that is far from the ends, as is the result. */
static V exp_near(const Math *m, V x) {
    Power n;
    V scaled = exp_plain(m, x, &n);
    return scale_near(m, scaled, n);
}

LLVMValueRef math_exp(Emit *e, LLVMValueRef x) {
    Math m = math_of(e, x);
    Power n;
    V scaled = exp_plain(&m, exp_bounded(&m, x), &n);
    return scale(&m, scaled, n);
}

/* --- log */
V math_split(const Math *m, V x, V *exponent) {
    LLVMBuilderRef b = m->e->builder;
    int64_t mantissa = m->wide ? 52 : 23;
    /* Denormals become normal. */
    V small = math_less(m, x, math_const(m, math_either(m, 0x1p-126, 0x1p-1022)));
    V scaled = math_mul(m, x, math_const(m, math_either(m, 0x1p25, 0x1p54)));
    V adjust = math_select(m, small, math_int(m, m->wide ? -54 : -25), math_int(m, 0));
    V root = math_int(m, m->wide ? 0x3fe6a09e667f3bcd : 0x3f3504f3); /* bits of √½ */
    V above = LLVMBuildSub(b, math_bits(m, math_select(m, small, scaled, x)), root, "");
    V n = LLVMBuildAdd(b, LLVMBuildAShr(b, above, math_int(m, mantissa), ""), adjust, "");
    V fraction = LLVMBuildAnd(b, above, math_int(m, ((int64_t)1 << mantissa) - 1), "");
    *exponent = LLVMBuildSIToFP(b, n, m->type, "");
    return math_sub(m, math_from_bits(m, LLVMBuildAdd(b, fraction, root, "")), math_const(m, 1));
}

static V log_narrow(const Math *m, V f, V n) {
    V z = math_mul(m, f, f);
    V y = math_mul(m, math_mul(m, z, f), MATH_POLYNOMIAL(m, f, log_f32));
    y = math_mad(m, n, math_const(m, -0x1.bd0106p-13), y);
    y = math_mad(m, z, math_const(m, -0.5), y);
    return math_mad(m, n, math_const(m, 0x1.63p-1), math_add(m, f, y));
}

/* log(1 + f) = f - (f²/2 - s (f²/2 + R)), s = f / (2 + f), R = z P(z), z = s². */
static V log_wide(const Math *m, V f, V n) {
    V s = math_div(m, f, math_add(m, f, math_const(m, 2)));
    V z = math_mul(m, s, s), half = math_mul(m, math_mul(m, f, f), math_const(m, 0.5));
    V rest = math_mul(m, z, MATH_POLYNOMIAL(m, z, log_f64));
    V low = math_mad(m, n, math_const(m, 0x1.a39ef35793c76p-33), math_mul(m, s, math_add(m, half, rest)));
    V below = math_sub(m, math_sub(m, half, low), f);
    return math_mad(m, n, math_const(m, 0x1.62e42feep-1), math_neg(m, below));
}

V math_log_positive(const Math *m, V x) {
    V n, f = math_split(m, x, &n);
    V y = m->wide ? log_wide(m, f, n) : log_narrow(m, f, n);
    V infinity = math_const(m, INFINITY), zero = math_const(m, 0);
    y = math_select(m, math_less(m, x, infinity), y, x); /* also NaN */
    return math_select(m, math_equal(m, x, zero), math_neg(m, infinity), y);
}

LLVMValueRef math_log(Emit *e, LLVMValueRef x) {
    Math m = math_of(e, x);
    V zero = math_const(&m, 0);
    V defined = LLVMBuildFCmp(e->builder, LLVMRealOGE, x, zero, "");
    return math_select(&m, defined, math_log_positive(&m, x), math_const(&m, NAN));
}

/* --- functions of exp */
static V at_least(const Math *m, V x, double bound) {
    return LLVMBuildFCmp(m->e->builder, LLVMRealOGE, x, math_const(m, bound), "");
}

LLVMValueRef math_tanh(Emit *e, LLVMValueRef x) {
    Math m = math_of(e, x);
    V one = math_const(&m, 1), two = math_const(&m, 2), a = math_abs(&m, x);
    V z = math_mul(&m, x, x);
    V p = m.wide ? MATH_POLYNOMIAL(&m, z, tanh_f64) : MATH_POLYNOMIAL(&m, z, tanh_f32);
    V small = math_mad(&m, math_mul(&m, x, z), p, x);
    /* 1 - 2 / (exp(2a) + 1), which is 1 from 10 (20) on */
    V bounded = math_at_most(&m, a, math_either(&m, 10, 20));
    V power = exp_near(&m, math_add(&m, bounded, bounded));
    V big = math_sub(&m, one, math_div(&m, two, math_add(&m, power, one)));
    return math_copysign(&m, math_select(&m, at_least(&m, a, 0.625), big, small), x); /* NaN is small */
}

/* With e = exp(-|x|) and q = e / (1 + e): 1 - q, or e - e q = q where x is negative, which corrects what was
 * rounded in q. */
LLVMValueRef math_sigmoid(Emit *e, LLVMValueRef x) {
    Math m = math_of(e, x);
    Power n;
    V one = math_const(&m, 1);
    V plain =
        exp_plain(&m, math_at_least(&m, math_neg(&m, math_abs(&m, x)), math_either(&m, -104, -746)), &n);
    V power = scale(&m, plain, n), whole = math_select(&m, math_less(&m, x, math_const(&m, 0)), power, one);
    return math_mad(&m, math_neg(&m, whole), math_div(&m, power, math_add(&m, one, power)), whole);
}

/* 1 - exp(-y), 0 <= y <= 40: with exp(-y) = 2^n (1 + p), (1 - 2^n) - 2^n p, which is exact but for p where y
 * is small. One part of ln 2 is enough: n is small wherever the result is. */
static V one_minus_exp(const Math *m, V y) {
    Power n;
    V one = math_const(m, 1);
    n.number = math_round_product(m, y, -0x1.71547652b82fep0, &n.integer);
    V r = math_mad(m, n.number, math_const(m, -0x1.62e42fefa39efp-1), math_neg(m, y));
    V p = exp_series(m, r, r), power = scale_near(m, one, n);
    return math_mad(m, math_neg(m, power), p, math_sub(m, one, power));
}

LLVMValueRef math_erf(Emit *e, LLVMValueRef x) {
    Math m = math_of(e, x);
    V a = math_at_most(&m, math_abs(&m, x), math_either(&m, 4, 6));
    V p = m.wide ? MATH_POLYNOMIAL(&m, a, erf_f64) : MATH_POLYNOMIAL(&m, a, erf_f32);
    return math_copysign(&m, one_minus_exp(&m, math_mad(&m, a, p, a)), x);
}
