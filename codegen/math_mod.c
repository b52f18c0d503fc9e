/* Division of floats towards minus infinity (support/remainder.h). The whole part q of |x| / |y|, rounded, is
 * one too many at most, and |x| - q |y| is exact, as long as q is far from the end of the integers that a
 * float holds; beyond it the C library divides. */
#include "codegen/math.h"
#include "codegen/math_parts.h"
#include "codegen/vector.h"

/* a - q b, which has an exact result. */
static V subtract_product(const Math *m, V a, V q, V b) {
    if (m->wide || m->e->target.fma) return math_fma(m, math_neg(m, q), b, a);
    Math w = math_widened(m);
    V product = math_mul(&w, math_widen(&w, q), math_widen(&w, b));
    return math_narrow(m, math_sub(&w, math_widen(&w, a), product));
}

static V remainder_of_one(Emit *e, const V *x) { return LLVMBuildFRem(e->builder, x[0], x[1], ""); }

/* a mod b of what isn't negative. If `whole` isn't NULL, also the whole part of a / b. */
static V rest_of(const Math *m, V a, V b, V *whole) {
    V quotient = vector_divide(m->e, a, b), part = math_floor(m, quotient);
    V first = subtract_product(m, a, part, b), over = math_less(m, first, math_const(m, 0));
    V rest = math_select(m, over, math_add(m, first, b), first);
    rest = math_select(m, math_less(m, quotient, math_const(m, 1)), a, rest); /* b may be infinite */
    V large = math_less(m, math_const(m, math_either(m, 0x1p23, 0x1p52)), quotient);
    rest = math_rarely(m, large, rest, (V[]){a, b}, 2, remainder_of_one);
    if (!whole) return rest;
    V less = math_select(m, over, math_sub(m, part, math_const(m, 1)), part);
    V again = vector_divide(m->e, math_sub(m, a, rest), b); /* NaN where the rest is */
    *whole = math_select(m, large, vector_intrinsic(m->e, "llvm.roundeven", m->type, 1, &again), less);
    return rest;
}

static V differ_in_sign(const Math *m, V x, V y) {
    V signs = LLVMBuildXor(m->e->builder, math_bits(m, x), math_bits(m, y), "");
    return LLVMBuildICmp(m->e->builder, LLVMIntSLT, signs, math_int(m, 0), "");
}

/* Is the floor one below the quotient's whole part? */
static V is_below(const Math *m, V x, V y, V rest) {
    V some = LLVMBuildFCmp(m->e->builder, LLVMRealONE, rest, math_const(m, 0), "");
    return LLVMBuildAnd(m->e->builder, some, differ_in_sign(m, x, y), "");
}

LLVMValueRef math_mod(Emit *e, LLVMValueRef x, LLVMValueRef y) {
    Math m = math_of(e, x);
    V b = math_abs(&m, y), rest = rest_of(&m, math_abs(&m, x), b, NULL);
    return math_copysign(&m, math_select(&m, is_below(&m, x, y, rest), math_sub(&m, b, rest), rest), y);
}

LLVMValueRef math_floordiv(Emit *e, LLVMValueRef x, LLVMValueRef y) {
    Math m = math_of(e, x);
    V one = math_const(&m, 1), whole;
    V rest = rest_of(&m, math_abs(&m, x), math_abs(&m, y), &whole);
    whole = math_select(&m, is_below(&m, x, y, rest), math_add(&m, whole, one), whole);
    whole = math_copysign(&m, whole, math_select(&m, differ_in_sign(&m, x, y), math_neg(&m, one), one));
    return math_select(&m, math_equal(&m, y, math_const(&m, 0)), vector_divide(e, x, y), whole);
}
