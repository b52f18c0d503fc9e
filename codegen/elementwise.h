/* Building blocks on registers that kernels need beside emit_elementwise. */
#ifndef CODEGEN_ELEMENTWISE_H
#define CODEGEN_ELEMENTWISE_H

#include "codegen/emit.h"

/* A call of an LLVM intrinsic that is overloaded on `types` types. */
LLVMValueRef emit_intrinsic(Emit *e, const char *name, uint32_t types, LLVMTypeRef *type, uint32_t count,
                            LLVMValueRef *arguments);
/* 1 for a scalar. */
uint32_t emit_lane_count(LLVMValueRef value);
LLVMValueRef emit_splat(Emit *e, LLVMValueRef scalar, uint32_t lanes);
/* f16 as f32, in which registers hold it. */
LLVMValueRef emit_from_f16(Emit *e, LLVMValueRef x);
/* f32 rounded to the 16 bits of a bf16, as an integer, and back. */
LLVMValueRef emit_to_bf16(Emit *e, LLVMValueRef x);
LLVMValueRef emit_from_bf16(Emit *e, LLVMValueRef x);
/* What is computed as f32, rounded if it is of 16 bits. */
LLVMValueRef emit_rounded(Emit *e, DType dtype, LLVMValueRef x);
/* One step of a reduction: op is add, mul, max, min, or, and. */
LLVMValueRef emit_combine(Emit *e, Op op, DType dtype, LLVMValueRef x, LLVMValueRef y);

#endif
