/* pow = exp(y log x). For float the logarithm in double is good enough; for double it is a sum of two doubles
 * (Dekker 1971): its error counts |y log x| ≤ 745 times. */
#include "codegen/math.h"
#include "codegen/math_coefficients.h"
#include "codegen/math_parts.h"
#include <math.h>

/* An unevaluated sum. */
typedef struct {
    V high, low;
} Pair;

/* x + y exactly, |x| ≥ |y|. */
static Pair add_exactly(const Math *m, V x, V y) {
    V high = math_add(m, x, y);
    return (Pair){high, math_sub(m, y, math_sub(m, high, x))};
}

static Pair multiply_exactly(const Math *m, V x, V y) {
    V high = math_mul(m, x, y);
    return (Pair){high, math_fma(m, x, y, math_neg(m, high))};
}

static Pair multiply_pairs(const Math *m, Pair x, Pair y) {
    Pair p = multiply_exactly(m, x.high, y.high);
    V cross = math_fma(m, x.high, y.low, math_mul(m, x.low, y.high));
    return add_exactly(m, p.high, math_add(m, p.low, cross));
}

/* |x| ≥ |y| */
static Pair add_pairs(const Math *m, Pair x, Pair y) {
    Pair sum = add_exactly(m, x.high, y.high);
    return add_exactly(m, sum.high, math_add(m, sum.low, math_add(m, x.low, y.low)));
}

/* f / (2 + f) */
static Pair quotient(const Math *m, V f) {
    Pair divisor = add_exactly(m, math_const(m, 2), f);
    V high = math_div(m, f, divisor.high);
    V rest = math_fma(m, math_neg(m, high), divisor.high, f);
    rest = math_fma(m, math_neg(m, high), divisor.low, rest);
    return (Pair){high, math_div(m, rest, divisor.high)};
}

/* log x = n ln 2 + s (2 + 2/3 z + z² P(z)), z = s², for x > 0 finite. */
static Pair log_pair(const Math *m, V x) {
    V n, f = math_split(m, x, &n);
    Pair s = quotient(m, f), z = multiply_pairs(m, s, s);
    Pair third = {math_const(m, 0x1.5555555555555p-1), math_const(m, 0x1.5555555555555p-55)};
    V tail = math_mul(m, math_mul(m, z.high, z.high), MATH_POLYNOMIAL(m, z.high, pow_f64));
    Pair series = add_pairs(m, multiply_pairs(m, z, third), (Pair){tail, math_const(m, 0)});
    Pair factor = add_pairs(m, (Pair){math_const(m, 2), math_const(m, 0)}, series);
    Pair mantissa = multiply_pairs(m, s, factor);
    /* n · (first part of ln 2) is exact; n = 0 leaves the mantissa's logarithm, else |n ln 2| is the greater
     */
    V whole = math_mul(m, n, math_const(m, 0x1.62e42feep-1));
    Pair part = multiply_exactly(m, n, math_const(m, 0x1.a39ef35793c76p-33));
    part.low = math_fma(m, n, math_const(m, 0x1.cc01f97b57a08p-87), part.low);
    Pair sum = add_exactly(m, whole, mantissa.high);
    Pair rest = add_pairs(m, part, (Pair){mantissa.low, math_const(m, 0)});
    return add_pairs(m, sum, rest);
}

static V wide_power(const Math *m, V x, V y) {
    Pair l = log_pair(m, x);
    V high = math_mul(m, y, l.high);
    V low = math_fma(m, y, l.low, math_fma(m, y, l.high, math_neg(m, high)));
    V infinity = math_const(m, INFINITY), zero = math_const(m, 0);
    /* Where the product is not finite, or x is not, its rounding error means nothing. */
    V ends = math_mul(m, y, math_log_positive(m, x));
    V inside = LLVMBuildAnd(m->e->builder, math_less(m, math_abs(m, ends), infinity),
                            math_less(m, math_abs(m, y), infinity), "");
    V bounded = LLVMBuildAnd(m->e->builder, inside, math_less(m, math_abs(m, high), math_const(m, 1000)), "");
    return math_exp_sum(m, math_select(m, bounded, high, ends), math_select(m, bounded, low, zero));
}

static V narrow_power(const Math *m, V x, V y) {
    Math double_precision = math_widened(m), *d = &double_precision;
    V product = math_mul(d, math_widen(d, y), math_log_positive(d, math_widen(d, x)));
    return math_narrow(m, math_exp_sum(d, product, NULL));
}

/* The cases of C's annex F that exp(y log |x|) doesn't give by itself. */
LLVMValueRef math_pow(Emit *e, LLVMValueRef x, LLVMValueRef y) {
    Math m = math_of(e, x);
    LLVMBuilderRef b = e->builder;
    V zero = math_const(&m, 0), one = math_const(&m, 1), infinity = math_const(&m, INFINITY);
    V a = math_abs(&m, x), half = math_mul(&m, y, math_const(&m, 0.5));
    V power = m.wide ? wide_power(&m, a, y) : narrow_power(&m, a, y);
    V negative = math_less(&m, x, zero), whole = math_equal(&m, math_floor(&m, y), y);
    V even = math_equal(&m, math_floor(&m, half), half);
    V odd = LLVMBuildAnd(b, whole, LLVMBuildNot(b, even, ""), "");
    power = math_select(&m, odd, math_copysign(&m, power, x), power);
    V finite = math_less(&m, a, infinity);
    V no_root = LLVMBuildAnd(b, LLVMBuildAnd(b, negative, finite, ""), LLVMBuildNot(b, whole, ""), "");
    power = math_select(&m, no_root, math_const(&m, NAN), power);
    V unit = LLVMBuildAnd(b, math_equal(&m, a, one), math_equal(&m, math_abs(&m, y), infinity), "");
    V is_one = LLVMBuildOr(b, LLVMBuildOr(b, math_equal(&m, x, one), math_equal(&m, y, zero), ""), unit, "");
    return math_select(&m, is_one, one, power);
}
