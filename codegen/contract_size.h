/* Arithmetic on sizes: folded where both are known at compile time, else emitted. */
#ifndef CODEGEN_CONTRACT_SIZE_H
#define CODEGEN_CONTRACT_SIZE_H

#include "codegen/contract.h"

Size size_known(Emit *e, int64_t constant);
Size size_run_time(LLVMValueRef value); /* known after all where LLVM folded it to a constant */
bool size_is(Size size, int64_t constant);
/* Is a step by `outer` the same as `extent` steps by `inner`? */
bool size_continues(Size outer, Size inner, Size extent);
Size size_add(Emit *e, Size a, Size b);
Size size_sub(Emit *e, Size a, Size b);
Size size_mul(Emit *e, Size a, Size b);
Size size_min(Emit *e, Size a, Size b);
Size size_max(Emit *e, Size a, Size b);
/* Of sizes ≥ 0 by a constant > 0; rounds down, up. */
Size size_div(Emit *e, Size a, int64_t by);
Size size_div_up(Emit *e, Size a, int64_t by);
Size size_round_up(Emit *e, Size a, int64_t multiple);

/* Indices and offsets, i64 that never wrap. */
LLVMValueRef offset_add(Emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef offset_sub(Emit *e, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef offset_multiply(Emit *e, LLVMValueRef a, LLVMValueRef b);

#endif
