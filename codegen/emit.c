/* The vocabulary of the code generator: LLVM types of element types, dimensions as arithmetic, loops, stack
 * slots. */
#include "codegen/emit.h"
#include <assert.h>

EmitModule emit_module(const Emit *e) { return (EmitModule){e->llvm, e->module, e->builder, e->layout}; }

void emit_into(Emit *e, EmitModule m) {
    e->llvm = m.llvm, e->module = m.module, e->builder = m.builder, e->layout = m.layout;
}

void emit_module_close(EmitModule *m) {
    LLVMDisposeTargetData(m->layout);
    LLVMDisposeBuilder(m->builder);
    LLVMDisposeModule(m->module);
    LLVMContextDispose(m->llvm);
}

LLVMTypeRef emit_memory_type(Emit *e, DType dtype) {
    switch (dtype) {
    case DTYPE_f64: return LLVMDoubleTypeInContext(e->llvm);
    case DTYPE_f32: return LLVMFloatTypeInContext(e->llvm);
    case DTYPE_f16: return LLVMHalfTypeInContext(e->llvm);
    case DTYPE_bf16: return LLVMBFloatTypeInContext(e->llvm);
    case DTYPE_i64:
    case DTYPE_i32:
    case DTYPE_i16:
    case DTYPE_i8:
    case DTYPE_u8:
    case DTYPE_bool: return LLVMIntTypeInContext(e->llvm, 8 * dtype_bytes(dtype));
    case DTYPE_str:
    case DTYPE_data: return LLVMPointerTypeInContext(e->llvm, 0);
    case DTYPE_COUNT: break;
    }
    assert(false && "a dtype");
    return NULL;
}

LLVMTypeRef emit_register_type(Emit *e, DType dtype) {
    if (dtype == DTYPE_bool) return LLVMInt1TypeInContext(e->llvm);
    if (dtype_is_half(dtype)) return LLVMFloatTypeInContext(e->llvm);
    return emit_memory_type(e, dtype);
}

LLVMTypeRef emit_lanes(LLVMTypeRef type, uint32_t lanes) {
    return lanes == 1 ? type : LLVMVectorType(type, lanes);
}

LLVMValueRef emit_i64(Emit *e, int64_t value) {
    return LLVMConstInt(LLVMInt64TypeInContext(e->llvm), (unsigned long long)value, true);
}

LLVMValueRef emit_alloca(Emit *e, LLVMTypeRef type, const char *name) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
    LLVMMetadataRef loc = LLVMGetCurrentDebugLocation2(e->builder);
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(LLVMGetBasicBlockParent(here));
    LLVMValueRef first = LLVMGetFirstInstruction(entry);
    if (first)
        LLVMPositionBuilderBefore(e->builder, first);
    else
        LLVMPositionBuilderAtEnd(e->builder, entry);
    LLVMSetCurrentDebugLocation2(e->builder, NULL);
    LLVMValueRef slot = LLVMBuildAlloca(e->builder, type, name);
    LLVMPositionBuilderAtEnd(e->builder, here);
    LLVMSetCurrentDebugLocation2(e->builder, loc);
    return slot;
}

/* --- loops */
/* The number of trips where both bounds are constants, else -1. */
static int64_t constant_trips(LLVMValueRef from, LLVMValueRef to, int64_t step) {
    if (!LLVMIsAConstantInt(from) || !LLVMIsAConstantInt(to)) return -1;
    int64_t lo = LLVMConstIntGetSExtValue(from), hi = LLVMConstIntGetSExtValue(to);
    return hi <= lo ? 0 : (hi - lo - 1) / step + 1;
}

void emit_loop(Emit *e, LLVMValueRef from, LLVMValueRef to, int64_t step, const char *name, LoopBody *body,
               void *user) {
    assert(step > 0);
    int64_t trips = constant_trips(from, to, step);
    if (trips == 0) return;
    if (trips == 1) {
        body(e, from, user);
        return;
    }
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder);
    LLVMValueRef function = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef inside = LLVMAppendBasicBlockInContext(e->llvm, function, name);
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->llvm, function, "after");
    if (trips > 0)
        LLVMBuildBr(e->builder, inside);
    else
        LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, from, to, ""), inside, after);
    LLVMPositionBuilderAtEnd(e->builder, inside);
    LLVMValueRef index = LLVMBuildPhi(e->builder, LLVMTypeOf(from), name);
    LLVMAddIncoming(index, &from, &before, 1);
    body(e, index, user);
    LLVMValueRef next = LLVMBuildNSWAdd(e->builder, index, emit_i64(e, step), "");
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->builder);
    LLVMAddIncoming(index, &next, &latch, 1);
    LLVMBuildCondBr(e->builder, LLVMBuildICmp(e->builder, LLVMIntSLT, next, to, ""), inside, after);
    LLVMMoveBasicBlockAfter(after, latch);
    LLVMPositionBuilderAtEnd(e->builder, after);
}

void emit_if(Emit *e, LLVMValueRef condition, LoopBody *body, LLVMValueRef argument, void *user) {
    LLVMValueRef function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(e->builder));
    LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(e->llvm, function, "then");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->llvm, function, "after");
    LLVMBuildCondBr(e->builder, condition, then, after);
    LLVMPositionBuilderAtEnd(e->builder, then);
    body(e, argument, user);
    LLVMBuildBr(e->builder, after);
    LLVMMoveBasicBlockAfter(after, LLVMGetInsertBlock(e->builder));
    LLVMPositionBuilderAtEnd(e->builder, after);
}
