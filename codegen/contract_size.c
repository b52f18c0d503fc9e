/* Arithmetic on sizes that are constants or run-time values. */
#include "codegen/contract_size.h"

Size size_known(Emit *e, int64_t constant) { return (Size){true, constant, emit_i64(e, constant)}; }

Size size_run_time(LLVMValueRef value) {
    bool known = LLVMIsAConstantInt(value);
    return (Size){known, known ? LLVMConstIntGetSExtValue(value) : 0, value};
}

bool size_is(Size size, int64_t constant) { return size.known && size.constant == constant; }

bool size_continues(Size outer, Size inner, Size extent) {
    if (!outer.known || !inner.known) return false;
    if (outer.constant == 0 && inner.constant == 0) return true;
    return extent.known && outer.constant == inner.constant * extent.constant;
}

Size size_add(Emit *e, Size a, Size b) {
    if (size_is(a, 0)) return b;
    if (size_is(b, 0)) return a;
    return size_run_time(LLVMBuildAdd(e->builder, a.value, b.value, ""));
}

Size size_sub(Emit *e, Size a, Size b) {
    if (size_is(b, 0)) return a;
    return size_run_time(LLVMBuildSub(e->builder, a.value, b.value, ""));
}

Size size_mul(Emit *e, Size a, Size b) {
    if (size_is(a, 0) || size_is(b, 0)) return size_known(e, 0);
    if (size_is(a, 1)) return b;
    if (size_is(b, 1)) return a;
    return size_run_time(LLVMBuildMul(e->builder, a.value, b.value, ""));
}

Size size_min(Emit *e, Size a, Size b) {
    if (a.known && b.known) return a.constant < b.constant ? a : b;
    LLVMValueRef less = LLVMBuildICmp(e->builder, LLVMIntSLT, a.value, b.value, "");
    return size_run_time(LLVMBuildSelect(e->builder, less, a.value, b.value, ""));
}

Size size_max(Emit *e, Size a, Size b) {
    if (a.known && b.known) return a.constant > b.constant ? a : b;
    LLVMValueRef more = LLVMBuildICmp(e->builder, LLVMIntSGT, a.value, b.value, "");
    return size_run_time(LLVMBuildSelect(e->builder, more, a.value, b.value, ""));
}

Size size_div(Emit *e, Size a, int64_t by) {
    if (by == 1) return a;
    return size_run_time(LLVMBuildUDiv(e->builder, a.value, emit_i64(e, by), ""));
}

Size size_div_up(Emit *e, Size a, int64_t by) {
    return size_div(e, size_add(e, a, size_known(e, by - 1)), by);
}

Size size_round_up(Emit *e, Size a, int64_t multiple) {
    return size_mul(e, size_div_up(e, a, multiple), size_known(e, multiple));
}

LLVMValueRef offset_add(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildNSWAdd(e->builder, a, b, "");
}

LLVMValueRef offset_sub(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildNSWSub(e->builder, a, b, "");
}

LLVMValueRef offset_multiply(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildNSWMul(e->builder, a, b, "");
}
