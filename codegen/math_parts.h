/* What the files of elementary functions share: arithmetic on registers of one floating type. No operation
 * carries fast-math flags. */
#ifndef CODEGEN_MATH_PARTS_H
#define CODEGEN_MATH_PARTS_H

#include "codegen/emit.h"

/* Float or double, of some lanes, and the integers of the same size. */
typedef struct {
    Emit *e;
    LLVMTypeRef type, integer;
    uint32_t lanes;
    bool wide; /* double */
} Math;

typedef LLVMValueRef V;

Math math_of(Emit *e, V x);
/* The same lanes as double. */
Math math_widened(const Math *m);

V math_const(const Math *m, double value);
V math_int(const Math *m, int64_t value);
/* `f32` or `f64`, by the type. */
double math_either(const Math *m, double f32, double f64);

V math_add(const Math *m, V x, V y);
V math_sub(const Math *m, V x, V y);
V math_mul(const Math *m, V x, V y);
V math_div(const Math *m, V x, V y);
/* x·y + z: fused where the target can; math_fma always, if need be by a library call. */
V math_mad(const Math *m, V x, V y, V z);
V math_fma(const Math *m, V x, V y, V z);
V math_neg(const Math *m, V x);
V math_abs(const Math *m, V x);
V math_copysign(const Math *m, V magnitude, V sign);
V math_floor(const Math *m, V x);
/* Ordered comparisons: false where one is NaN. */
V math_less(const Math *m, V x, V y);
V math_equal(const Math *m, V x, V y);
V math_select(const Math *m, V condition, V x, V y);
/* min(x, limit) and max(x, limit) that keep a NaN in x. */
V math_at_most(const Math *m, V x, double limit);
V math_at_least(const Math *m, V x, double limit);
V math_bits(const Math *m, V x); /* as integers */
V math_from_bits(const Math *m, V bits);
V math_widen(const Math *wide, V x); /* float to double */
V math_narrow(const Math *m, V x);   /* double to float */

/* c[0] + x c[1] + x² c[2] + … */
V math_polynomial(const Math *m, V x, const double *c, uint32_t count);
#define MATH_POLYNOMIAL(m, x, c) math_polynomial((m), (x), (c), (uint32_t)(sizeof(c) / sizeof *(c)))

/* x times `factor` rounded to an integer, of less than 2^22 (2^51): as a number, and in *n as an integer. NaN
 * gives NaN and some integer. */
V math_round_product(const Math *m, V x, double factor, V *n);
/* x · 2^n for whole n, rounded once; NULL where the target has no instruction for it. */
V math_scale(const Math *m, V x, V n);
/* `usual`, but in lanes where `rare` what `one` makes of the lane's `count` arguments as double, rounded:
 * most likely by a library call, behind a branch. */
enum { MATH_MAX_ARGUMENTS = 2 };
typedef V MathOne(Emit *e, const V *x);
V math_rarely(const Math *m, V rare, V usual, const V *x, uint32_t count, MathOne *one);
/* exp(x + low) for |low| far below an ulp of x; `low` may be NULL. */
V math_exp_sum(const Math *m, V x, V low);
/* x = 2^*exponent · (1 + f), √½ ≤ 1 + f < √2, for x > 0 finite; the exponent as a number. */
V math_split(const Math *m, V x, V *exponent);
/* log of x > 0; of 0 and infinity what C says. */
V math_log_positive(const Math *m, V x);

#endif
