/* Elementary functions on float and double, scalars or vectors, as inline polynomials: the same bits on every
 * machine with fused multiply-add. The C library is called for angles and quotients alone that few programs
 * see. At most 2 ulp at f32 (measured exhaustively by tests) and at f64 (sampled). Infinities, NaN, zeros and
 * denormals as in C's Annex F. */
#ifndef CODEGEN_MATH_H
#define CODEGEN_MATH_H

#include "codegen/emit.h"

LLVMValueRef math_exp(Emit *e, LLVMValueRef x);
LLVMValueRef math_log(Emit *e, LLVMValueRef x);
LLVMValueRef math_sin(Emit *e, LLVMValueRef x);
LLVMValueRef math_cos(Emit *e, LLVMValueRef x);
LLVMValueRef math_tanh(Emit *e, LLVMValueRef x);
LLVMValueRef math_sigmoid(Emit *e, LLVMValueRef x);
LLVMValueRef math_erf(Emit *e, LLVMValueRef x);
LLVMValueRef math_pow(Emit *e, LLVMValueRef x, LLVMValueRef y);
/* Towards minus infinity (support/remainder.h): remainders are exact, but rounded once where the signs
 * differ; quotients are off by an ulp at most. */
LLVMValueRef math_mod(Emit *e, LLVMValueRef x, LLVMValueRef y);
LLVMValueRef math_floordiv(Emit *e, LLVMValueRef x, LLVMValueRef y);

#endif
