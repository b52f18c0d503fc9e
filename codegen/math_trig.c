/* sin and cos: x = n π/2 + r with π/2 in parts, good to |x| ≤ 2^20 for double and 2^18 for float, whose r is
 * found in double; a lane beyond that calls the C library. */
#include "codegen/math.h"
#include "codegen/math_coefficients.h"
#include "codegen/math_parts.h"
#include "codegen/vector.h"

/* n · π/2 exactly, for the first two parts of 33 bits; the third adds 53 bits more. */
static const double half_pi[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};
static const double turns = 0x1.45f306dc9c883p-1; /* 2/π */

/* r = x - n π/2 as the sum of the result and *low. */
static V reduce(const Math *m, V x, V *low, V *quadrant) {
    V n = math_round_product(m, x, turns, quadrant);
    V first = math_sub(m, x, math_mul(m, n, math_const(m, half_pi[0])));
    V part = math_mul(m, n, math_const(m, half_pi[1]));
    V second = math_sub(m, first, part);
    V lost = math_sub(m, math_sub(m, first, second), part);
    V rest = math_sub(m, lost, math_mul(m, n, math_const(m, half_pi[2])));
    V r = math_add(m, second, rest);
    *low = math_add(m, math_sub(m, second, r), rest);
    return r;
}

static V sine(const Math *m, V r, V low) {
    V z = math_mul(m, r, r);
    V y = math_mad(m, math_mul(m, r, z), MATH_POLYNOMIAL(m, z, sin_f64), low);
    return math_add(m, r, y);
}

static V cosine(const Math *m, V r, V low) {
    V one = math_const(m, 1), z = math_mul(m, r, r), half = math_mul(m, z, math_const(m, 0.5));
    V most = math_sub(m, one, half);
    V lost = math_sub(m, math_sub(m, one, most), half);
    V y = math_sub(m, math_mul(m, math_mul(m, z, z), MATH_POLYNOMIAL(m, z, cos_f64)), math_mul(m, r, low));
    return math_add(m, most, math_add(m, lost, y));
}

typedef struct {
    V quadrant, sine, cosine; /* x = quadrant · π/2 + r, and those of r */
} Turn;

static Turn turn_wide(const Math *m, V x) {
    Turn t;
    V low, r = reduce(m, x, &low, &t.quadrant);
    t.sine = sine(m, r, low);
    t.cosine = cosine(m, r, low);
    return t;
}

/* Where r is tiny beside x it is no float's difference: x - n π/2 is taken in double. */
static Turn turn_narrow(const Math *m, V x) {
    Turn t;
    Math w = math_widened(m);
    V n = math_widen(&w, math_round_product(m, x, turns, &t.quadrant));
    V near = math_sub(&w, math_widen(&w, x), math_mul(&w, n, math_const(&w, half_pi[0])));
    V r = math_narrow(m, math_mad(&w, n, math_const(&w, -(half_pi[1] + half_pi[2])), near));
    V z = math_mul(m, r, r);
    t.sine = math_mad(m, math_mul(m, r, z), MATH_POLYNOMIAL(m, z, sin_f32), r);
    V bend = math_mad(m, z, MATH_POLYNOMIAL(m, z, cos_f32), math_const(m, -0.5));
    t.cosine = math_mad(m, z, bend, math_const(m, 1));
    return t;
}

/* sin(x + quarter · π/2) for |x| up to the greatest. */
static V near(const Math *m, V x, int64_t quarter) {
    LLVMBuilderRef b = m->e->builder;
    Turn t = m->wide ? turn_wide(m, x) : turn_narrow(m, x);
    V zero = math_int(m, 0), quadrant = LLVMBuildAdd(b, t.quadrant, math_int(m, quarter), "");
    V odd = LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, quadrant, math_int(m, 1), ""), zero, "");
    V negative = LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, quadrant, math_int(m, 2), ""), zero, "");
    V y = math_select(m, odd, t.cosine, t.sine);
    y = math_select(m, negative, math_neg(m, y), y);
    /* the sum above loses the sign of -0 */
    double tiny = math_either(m, 0x1p-13, 0x1p-27);
    return quarter == 0 ? math_select(m, math_less(m, math_abs(m, x), math_const(m, tiny)), x, y) : y;
}

static V sine_of_one(Emit *e, const V *x) {
    return vector_intrinsic(e, "llvm.sin", LLVMTypeOf(*x), 1, (V[]){*x});
}

static V cosine_of_one(Emit *e, const V *x) {
    return vector_intrinsic(e, "llvm.cos", LLVMTypeOf(*x), 1, (V[]){*x});
}

static V sine_of(Emit *e, MathOne *one, V x, int64_t quarter) {
    Math m = math_of(e, x);
    V far = math_less(&m, math_const(&m, math_either(&m, 0x1p18, 0x1p20)), math_abs(&m, x));
    return math_rarely(&m, far, near(&m, x, quarter), &x, 1, one);
}

LLVMValueRef math_sin(Emit *e, LLVMValueRef x) { return sine_of(e, sine_of_one, x, 0); }
LLVMValueRef math_cos(Emit *e, LLVMValueRef x) { return sine_of(e, cosine_of_one, x, 1); }
