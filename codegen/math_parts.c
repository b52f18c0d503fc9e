/* Arithmetic for the elementary functions. */
#include "codegen/math_parts.h"
#include "codegen/vector.h"
#include <stdio.h>

static Math make(Emit *e, bool wide, uint32_t lanes) {
    LLVMTypeRef type = wide ? LLVMDoubleTypeInContext(e->llvm) : LLVMFloatTypeInContext(e->llvm);
    LLVMTypeRef integer = wide ? LLVMInt64TypeInContext(e->llvm) : LLVMInt32TypeInContext(e->llvm);
    return (Math){e, emit_lanes(type, lanes), emit_lanes(integer, lanes), lanes, wide};
}

Math math_of(Emit *e, V x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return make(e, LLVMGetTypeKind(vector_element(type)) == LLVMDoubleTypeKind, vector_lanes(type));
}

Math math_widened(const Math *m) { return make(m->e, true, m->lanes); }

V math_const(const Math *m, double value) {
    return vector_splat(m->e, LLVMConstReal(vector_element(m->type), value), m->lanes);
}

V math_int(const Math *m, int64_t value) {
    V scalar = LLVMConstInt(vector_element(m->integer), (unsigned long long)value, true);
    return vector_splat(m->e, scalar, m->lanes);
}

double math_either(const Math *m, double f32, double f64) { return m->wide ? f64 : f32; }

V math_add(const Math *m, V x, V y) { return LLVMBuildFAdd(m->e->builder, x, y, ""); }
V math_sub(const Math *m, V x, V y) { return LLVMBuildFSub(m->e->builder, x, y, ""); }
V math_mul(const Math *m, V x, V y) { return LLVMBuildFMul(m->e->builder, x, y, ""); }
V math_div(const Math *m, V x, V y) { return LLVMBuildFDiv(m->e->builder, x, y, ""); }
V math_mad(const Math *m, V x, V y, V z) { return vector_multiply_add(m->e, x, y, z); }
V math_fma(const Math *m, V x, V y, V z) {
    return vector_intrinsic(m->e, "llvm.fma", m->type, 3, (V[]){x, y, z});
}
V math_neg(const Math *m, V x) { return LLVMBuildFNeg(m->e->builder, x, ""); }
V math_abs(const Math *m, V x) { return vector_intrinsic(m->e, "llvm.fabs", m->type, 1, &x); }
V math_copysign(const Math *m, V magnitude, V sign) {
    return vector_intrinsic(m->e, "llvm.copysign", m->type, 2, (V[]){magnitude, sign});
}
V math_floor(const Math *m, V x) { return vector_intrinsic(m->e, "llvm.floor", m->type, 1, &x); }

V math_less(const Math *m, V x, V y) { return LLVMBuildFCmp(m->e->builder, LLVMRealOLT, x, y, ""); }
V math_equal(const Math *m, V x, V y) { return LLVMBuildFCmp(m->e->builder, LLVMRealOEQ, x, y, ""); }
V math_select(const Math *m, V condition, V x, V y) {
    return LLVMBuildSelect(m->e->builder, condition, x, y, "");
}
V math_at_most(const Math *m, V x, double limit) {
    V bound = math_const(m, limit);
    return math_select(m, math_less(m, bound, x), bound, x);
}
V math_at_least(const Math *m, V x, double limit) {
    V bound = math_const(m, limit);
    return math_select(m, math_less(m, x, bound), bound, x);
}

V math_bits(const Math *m, V x) { return LLVMBuildBitCast(m->e->builder, x, m->integer, ""); }
V math_from_bits(const Math *m, V bits) { return LLVMBuildBitCast(m->e->builder, bits, m->type, ""); }
V math_widen(const Math *wide, V x) { return LLVMBuildFPExt(wide->e->builder, x, wide->type, ""); }
V math_narrow(const Math *m, V x) { return LLVMBuildFPTrunc(m->e->builder, x, m->type, ""); }

V math_polynomial(const Math *m, V x, const double *c, uint32_t count) {
    V sum = math_const(m, c[count - 1]);
    for (uint32_t i = count - 1; i-- > 0;) sum = math_mad(m, sum, x, math_const(m, c[i]));
    return sum;
}

/* Adding 1.5 · 2^mantissa leaves the integer in the low bits of the sum: no conversion that NaN would make
 * undefined. */
V math_round_product(const Math *m, V x, double factor, V *n) {
    V magic = math_const(m, math_either(m, 0x1.8p23, 0x1.8p52));
    V sum = math_mad(m, x, math_const(m, factor), magic);
    *n = LLVMBuildSub(m->e->builder, math_bits(m, sum), math_bits(m, magic), "");
    return math_sub(m, sum, magic);
}

/* AVX-512's, of registers of any width. */
V math_scale(const Math *m, V x, V n) {
    uint32_t bits = 8 * m->lanes * (m->wide ? 8 : 4);
    if (m->e->target.vector_bytes < 64 || bits < 128 || bits > 512) return NULL;
    char name[64];
    snprintf(name, sizeof name, "llvm.x86.avx512.mask.scalef.p%c.%u", m->wide ? 'd' : 's', bits);
    LLVMContextRef llvm = m->e->llvm;
    LLVMTypeRef mask = LLVMIntTypeInContext(llvm, m->lanes > 8 ? m->lanes : 8);
    V current = LLVMConstInt(LLVMInt32TypeInContext(llvm), 4, false); /* rounding */
    V arguments[] = {x, n, LLVMConstNull(m->type), LLVMConstAllOnes(mask), current};
    return vector_instruction(m->e, name, bits == 512 ? 5 : 4, arguments);
}

/* The lanes one by one, in a loop, as the code is seldom run. */
typedef struct {
    const Math *m;
    MathOne *one;
    V argument[MATH_MAX_ARGUMENTS], result; /* places of all lanes */
    uint32_t count;
} Lanes;

static V place_of_lanes(const Math *m, V x) {
    V place = emit_alloca(m->e, m->type, "lanes");
    if (x) vector_store(m->e, x, place);
    return place;
}

static void one_lane(Emit *e, LLVMValueRef lane, void *user) {
    const Lanes *l = user;
    LLVMTypeRef wide = LLVMDoubleTypeInContext(e->llvm), own = vector_element(l->m->type);
    V argument[MATH_MAX_ARGUMENTS];
    for (uint32_t i = 0; i < l->count; i++) {
        V x = vector_load(e, own, vector_at(e, own, l->argument[i], lane), 1);
        argument[i] = LLVMBuildFPCast(e->builder, x, wide, "");
    }
    V result = LLVMBuildFPCast(e->builder, l->one(e, argument), own, "");
    vector_store(e, result, vector_at(e, own, l->result, lane));
}

static V replace_rare(const Math *m, V rare, V usual, const V *x, uint32_t count, MathOne *one) {
    Lanes lanes = {.m = m, .one = one, .result = place_of_lanes(m, NULL), .count = count};
    for (uint32_t i = 0; i < count; i++) lanes.argument[i] = place_of_lanes(m, x[i]);
    emit_loop(m->e, emit_i64(m->e, 0), emit_i64(m->e, m->lanes), 1, "lane", one_lane, &lanes);
    V exact = vector_load(m->e, vector_element(m->type), lanes.result, m->lanes);
    return math_select(m, rare, exact, usual);
}

static V any_lane(const Math *m, V condition) {
    if (m->lanes == 1) return condition;
    return vector_intrinsic(m->e, "llvm.vector.reduce.or", LLVMTypeOf(condition), 1, &condition);
}

V math_rarely(const Math *m, V rare, V usual, const V *x, uint32_t count, MathOne *one) {
    LLVMBuilderRef b = m->e->builder;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(b);
    LLVMValueRef function = LLVMGetBasicBlockParent(here);
    LLVMBasicBlockRef then = LLVMAppendBasicBlockInContext(m->e->llvm, function, "rare");
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(m->e->llvm, function, "usual");
    LLVMBuildCondBr(b, any_lane(m, rare), then, after);
    LLVMPositionBuilderAtEnd(b, then);
    V replaced = replace_rare(m, rare, usual, x, count, one);
    LLVMBasicBlockRef last = LLVMGetInsertBlock(b);
    LLVMBuildBr(b, after);
    LLVMMoveBasicBlockAfter(after, last);
    LLVMPositionBuilderAtEnd(b, after);
    V result = LLVMBuildPhi(b, m->type, "");
    LLVMAddIncoming(result, (V[]){usual, replaced}, (LLVMBasicBlockRef[]){here, last}, 2);
    return result;
}
