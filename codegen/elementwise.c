/* Elementwise operations on registers: one function an operation, for a scalar or a vector of any element
 * type. No fast-math flag anywhere: multiply and add are fused only where the generator says so (products),
 * so every level of optimisation gives the same bits. */
#include "codegen/elementwise.h"
#include "codegen/math.h"
#include "codegen/vector.h"
#include <assert.h>
#include <math.h>
#include <string.h>

/* What an operation is given: operands in register types, and their dtype. */
typedef struct {
    Emit *e;
    LLVMBuilderRef b;
    const Node *node;
    const LLVMValueRef *in;
    DType dtype; /* of operand 0 */
} Elementwise;

typedef LLVMValueRef Operation(const Elementwise *o);

static bool is_float(const Elementwise *o) { return dtype_is_float(o->dtype); }
static bool is_signed(const Elementwise *o) { return dtype_class(o->dtype) == CLASS_INT; }
static LLVMTypeRef type_of(const Elementwise *o) { return LLVMTypeOf(o->in[0]); }

/* --- shared with the rest of codegen */
LLVMValueRef emit_intrinsic(Emit *e, const char *name, uint32_t types, LLVMTypeRef *type, uint32_t count,
                            LLVMValueRef *arguments) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id && "LLVM knows the intrinsic");
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, type, types);
    return LLVMBuildCall2(e->builder, LLVMIntrinsicGetType(e->llvm, id, type, types), function, arguments,
                          count, "");
}

static LLVMValueRef intrinsic1(Emit *e, const char *name, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return emit_intrinsic(e, name, 1, &type, 1, &x);
}

static LLVMValueRef intrinsic2(Emit *e, const char *name, LLVMValueRef x, LLVMValueRef y) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return emit_intrinsic(e, name, 1, &type, 2, (LLVMValueRef[]){x, y});
}

uint32_t emit_lane_count(LLVMValueRef value) {
    LLVMTypeRef type = LLVMTypeOf(value);
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetVectorSize(type) : 1;
}

LLVMValueRef emit_splat(Emit *e, LLVMValueRef scalar, uint32_t lanes) {
    if (lanes == 1) return scalar;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), lanes);
    if (LLVMIsConstant(scalar)) {
        LLVMValueRef *all = ARENA_ARRAY(e->arena, LLVMValueRef, lanes);
        for (uint32_t i = 0; i < lanes; i++) all[i] = scalar;
        return LLVMConstVector(all, lanes);
    }
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    LLVMValueRef one =
        LLVMBuildInsertElement(e->builder, LLVMGetPoison(type), scalar, LLVMConstInt(i32, 0, false), "");
    return LLVMBuildShuffleVector(e->builder, one, LLVMGetPoison(type),
                                  LLVMConstNull(LLVMVectorType(i32, lanes)), "");
}

/* The number as every lane of `type`. */
static LLVMValueRef real_like(Emit *e, LLVMTypeRef type, double value) {
    bool vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    LLVMTypeRef element = vector ? LLVMGetElementType(type) : type;
    return emit_splat(e, LLVMConstReal(element, value), vector ? LLVMGetVectorSize(type) : 1);
}

static LLVMValueRef int_like(Emit *e, LLVMTypeRef type, int64_t value) {
    bool vector = LLVMGetTypeKind(type) == LLVMVectorTypeKind;
    LLVMTypeRef element = vector ? LLVMGetElementType(type) : type;
    return emit_splat(e, LLVMConstInt(element, (unsigned long long)value, true),
                      vector ? LLVMGetVectorSize(type) : 1);
}

LLVMValueRef emit_combine(Emit *e, Op op, DType dtype, LLVMValueRef x, LLVMValueRef y) {
    LLVMBuilderRef b = e->builder;
    bool real = dtype_is_float(dtype), is_int = dtype_class(dtype) == CLASS_INT;
    if (op == OP_add) return real ? LLVMBuildFAdd(b, x, y, "") : LLVMBuildAdd(b, x, y, "");
    if (op == OP_mul) return real ? LLVMBuildFMul(b, x, y, "") : LLVMBuildMul(b, x, y, "");
    if (op == OP_max) return intrinsic2(e, real ? "llvm.maximum" : is_int ? "llvm.smax" : "llvm.umax", x, y);
    if (op == OP_min) return intrinsic2(e, real ? "llvm.minimum" : is_int ? "llvm.smin" : "llvm.umin", x, y);
    if (op == OP_or) return LLVMBuildOr(b, x, y, "");
    assert(op == OP_and);
    return LLVMBuildAnd(b, x, y, "");
}

static LLVMTypeRef int_lanes(Emit *e, unsigned bits, LLVMValueRef like) {
    return emit_lanes(LLVMIntTypeInContext(e->llvm, bits), emit_lane_count(like));
}

/* Behind a fence: LLVM would see that operations on what comes from f16 and goes there could be done in f16,
 * and does those, on machines that can't, element by element; its minimum and maximum then lose NaN. */
LLVMValueRef emit_from_f16(Emit *e, LLVMValueRef x) {
    LLVMTypeRef type = emit_lanes(LLVMFloatTypeInContext(e->llvm), emit_lane_count(x));
    return intrinsic1(e, "llvm.arithmetic.fence", LLVMBuildFPExt(e->builder, x, type, ""));
}

/* bf16 is kept in integers here: LLVM calls a library to convert where the machine can't, and the machines
 * that can flush denormals. To nearest, ties to even: adds just under half of the last place that stays. NaN
 * stays NaN, quiet. */
LLVMValueRef emit_to_bf16(Emit *e, LLVMValueRef x) {
    LLVMBuilderRef b = e->builder;
    LLVMTypeRef i32 = int_lanes(e, 32, x);
    LLVMValueRef bits = LLVMBuildBitCast(b, x, i32, ""), half = int_like(e, i32, 16);
    LLVMValueRef odd = LLVMBuildAnd(b, LLVMBuildLShr(b, bits, half, ""), int_like(e, i32, 1), "");
    LLVMValueRef rounded = LLVMBuildAdd(b, bits, LLVMBuildAdd(b, odd, int_like(e, i32, 0x7fff), ""), "");
    LLVMValueRef quiet = LLVMBuildOr(b, bits, int_like(e, i32, 0x400000), "");
    rounded = LLVMBuildSelect(b, LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""), quiet, rounded, "");
    return LLVMBuildTrunc(b, LLVMBuildLShr(b, rounded, half, ""), int_lanes(e, 16, x), "");
}

LLVMValueRef emit_from_bf16(Emit *e, LLVMValueRef x) {
    LLVMTypeRef i32 = int_lanes(e, 32, x);
    LLVMValueRef wide =
        LLVMBuildShl(e->builder, LLVMBuildZExt(e->builder, x, i32, ""), int_like(e, i32, 16), "");
    return LLVMBuildBitCast(e->builder, wide, emit_lanes(LLVMFloatTypeInContext(e->llvm), emit_lane_count(x)),
                            "");
}

LLVMValueRef emit_rounded(Emit *e, DType dtype, LLVMValueRef x) {
    if (dtype == DTYPE_bf16) return emit_from_bf16(e, emit_to_bf16(e, x));
    if (dtype != DTYPE_f16) return x;
    LLVMTypeRef half = emit_lanes(emit_memory_type(e, dtype), emit_lane_count(x));
    return emit_from_f16(e, LLVMBuildFPTrunc(e->builder, x, half, ""));
}

/* --- one operand */
static LLVMValueRef op_neg(const Elementwise *o) {
    return is_float(o) ? LLVMBuildFNeg(o->b, o->in[0], "") : LLVMBuildNeg(o->b, o->in[0], "");
}

static LLVMValueRef op_abs(const Elementwise *o) {
    if (is_float(o)) return intrinsic1(o->e, "llvm.fabs", o->in[0]);
    if (!is_signed(o)) return o->in[0];
    LLVMTypeRef type = type_of(o);
    LLVMValueRef wraps = LLVMConstInt(LLVMInt1TypeInContext(o->e->llvm), 0, false);
    return emit_intrinsic(o->e, "llvm.abs", 1, &type, 2, (LLVMValueRef[]){o->in[0], wraps});
}

/* NaN and zeros are their own sign. */
static LLVMValueRef float_sign(const Elementwise *o) {
    LLVMValueRef x = o->in[0], zero = LLVMConstNull(type_of(o));
    LLVMValueRef above = LLVMBuildFCmp(o->b, LLVMRealOGT, x, zero, "");
    LLVMValueRef below = LLVMBuildFCmp(o->b, LLVMRealOLT, x, zero, "");
    /* 0 of -0, too, and NaN of NaN */
    LLVMValueRef none = LLVMBuildFAdd(o->b, x, zero, "");
    LLVMValueRef rest = LLVMBuildSelect(o->b, below, real_like(o->e, type_of(o), -1), none, "");
    return LLVMBuildSelect(o->b, above, real_like(o->e, type_of(o), 1), rest, "");
}

static LLVMValueRef op_sign(const Elementwise *o) {
    if (is_float(o)) return float_sign(o);
    LLVMValueRef zero = LLVMConstNull(type_of(o));
    LLVMValueRef above = LLVMBuildICmp(o->b, is_signed(o) ? LLVMIntSGT : LLVMIntUGT, o->in[0], zero, "");
    LLVMValueRef result = LLVMBuildZExt(o->b, above, type_of(o), "");
    if (!is_signed(o)) return result;
    LLVMValueRef below = LLVMBuildICmp(o->b, LLVMIntSLT, o->in[0], zero, "");
    return LLVMBuildSub(o->b, result, LLVMBuildZExt(o->b, below, type_of(o), ""), "");
}

static LLVMValueRef op_exp(const Elementwise *o) { return math_exp(o->e, o->in[0]); }
static LLVMValueRef op_log(const Elementwise *o) { return math_log(o->e, o->in[0]); }
static LLVMValueRef op_sqrt(const Elementwise *o) { return intrinsic1(o->e, "llvm.sqrt", o->in[0]); }
static LLVMValueRef op_sin(const Elementwise *o) { return math_sin(o->e, o->in[0]); }
static LLVMValueRef op_cos(const Elementwise *o) { return math_cos(o->e, o->in[0]); }
static LLVMValueRef op_tanh(const Elementwise *o) { return math_tanh(o->e, o->in[0]); }
static LLVMValueRef op_sigmoid(const Elementwise *o) { return math_sigmoid(o->e, o->in[0]); }
static LLVMValueRef op_erf(const Elementwise *o) { return math_erf(o->e, o->in[0]); }
static LLVMValueRef op_floor(const Elementwise *o) { return intrinsic1(o->e, "llvm.floor", o->in[0]); }
static LLVMValueRef op_ceil(const Elementwise *o) { return intrinsic1(o->e, "llvm.ceil", o->in[0]); }
static LLVMValueRef op_round(const Elementwise *o) { return intrinsic1(o->e, "llvm.roundeven", o->in[0]); }
static LLVMValueRef op_not(const Elementwise *o) { return LLVMBuildNot(o->b, o->in[0], ""); }
static LLVMValueRef op_stop_gradient(const Elementwise *o) { return o->in[0]; }

static LLVMValueRef op_is_finite(const Elementwise *o) {
    LLVMValueRef size = intrinsic1(o->e, "llvm.fabs", o->in[0]);
    return LLVMBuildFCmp(o->b, LLVMRealOLT, size, real_like(o->e, type_of(o), INFINITY), "");
}

/* --- cast */
static LLVMValueRef cast_to_float(const Elementwise *o, DType to, LLVMTypeRef type) {
    LLVMValueRef x = o->in[0];
    if (is_float(o))
        x = LLVMBuildFPCast(o->b, x, type, "");
    else
        x = is_signed(o) ? LLVMBuildSIToFP(o->b, x, type, "") : LLVMBuildUIToFP(o->b, x, type, "");
    return emit_rounded(o->e, to, x);
}

static LLVMValueRef cast_to_bool(const Elementwise *o) {
    LLVMValueRef zero = LLVMConstNull(type_of(o));
    if (is_float(o)) return LLVMBuildFCmp(o->b, LLVMRealUNE, o->in[0], zero, "");
    return LLVMBuildICmp(o->b, LLVMIntNE, o->in[0], zero, "");
}

/* Bounded by the ends of the type, NaN as 0: what llvm.fptosi.sat does, which LLVM takes to pieces where it
 * is of vectors. The only unsigned integers are bytes. */
static LLVMValueRef cast_to_int(const Elementwise *o, DType to, LLVMTypeRef type) {
    LLVMBuilderRef b = o->b;
    LLVMValueRef x = o->in[0];
    bool sign = dtype_class(to) == CLASS_INT;
    int bits = 8 * (int)dtype_bytes(to) - sign;
    LLVMValueRef low = real_like(o->e, type_of(o), sign ? -ldexp(1, bits) : 0);
    LLVMValueRef beyond = real_like(o->e, type_of(o), ldexp(1, bits));
    LLVMValueRef below = LLVMBuildFCmp(b, LLVMRealOLT, x, low, "");
    LLVMValueRef above = LLVMBuildFCmp(b, LLVMRealOGE, x, beyond, "");
    LLVMValueRef number = LLVMBuildFCmp(b, LLVMRealOGE, x, low, "");
    LLVMValueRef inside = LLVMBuildAnd(b, number, LLVMBuildNot(b, above, ""), "");
    LLVMValueRef part = LLVMBuildSelect(b, inside, x, LLVMConstNull(type_of(o)), "");
    LLVMTypeRef wide = emit_lanes(LLVMInt32TypeInContext(o->e->llvm), emit_lane_count(x));
    LLVMValueRef whole = bits < 31 ? LLVMBuildTrunc(b, LLVMBuildFPToSI(b, part, wide, ""), type, "")
                                   : LLVMBuildFPToSI(b, part, type, "");
    int64_t greatest = bits == 63 ? INT64_MAX : ((int64_t)1 << bits) - 1;
    whole = LLVMBuildSelect(b, above, int_like(o->e, type, greatest), whole, "");
    return sign ? LLVMBuildSelect(b, below, int_like(o->e, type, -greatest - 1), whole, "") : whole;
}

static LLVMValueRef op_cast(const Elementwise *o) {
    DType to = o->node->results[0]->type->dtype;
    LLVMTypeRef type = emit_lanes(emit_register_type(o->e, to), emit_lane_count(o->in[0]));
    if (dtype_is_float(to)) return cast_to_float(o, to, type);
    if (to == DTYPE_bool) return cast_to_bool(o);
    if (!is_float(o)) return LLVMBuildIntCast2(o->b, o->in[0], type, is_signed(o), "");
    return cast_to_int(o, to, type);
}

/* --- two operands */
static LLVMValueRef op_add(const Elementwise *o) {
    return emit_combine(o->e, OP_add, o->dtype, o->in[0], o->in[1]);
}
static LLVMValueRef op_mul(const Elementwise *o) {
    return emit_combine(o->e, OP_mul, o->dtype, o->in[0], o->in[1]);
}
static LLVMValueRef op_min(const Elementwise *o) {
    return emit_combine(o->e, OP_min, o->dtype, o->in[0], o->in[1]);
}
static LLVMValueRef op_max(const Elementwise *o) {
    return emit_combine(o->e, OP_max, o->dtype, o->in[0], o->in[1]);
}
static LLVMValueRef op_and(const Elementwise *o) { return LLVMBuildAnd(o->b, o->in[0], o->in[1], ""); }
static LLVMValueRef op_or(const Elementwise *o) { return LLVMBuildOr(o->b, o->in[0], o->in[1], ""); }

static LLVMValueRef op_div(const Elementwise *o) { return vector_divide(o->e, o->in[0], o->in[1]); }

static LLVMValueRef op_sub(const Elementwise *o) {
    return is_float(o) ? LLVMBuildFSub(o->b, o->in[0], o->in[1], "")
                       : LLVMBuildSub(o->b, o->in[0], o->in[1], "");
}

/* Integer division towards minus infinity without traps: by 0 and by -1 (which overflows for the least
 * integer) the hardware divides by 1 instead, and the caller replaces what comes out. */
typedef struct {
    LLVMValueRef quotient, rest, by_zero, by_minus_one;
} Division;

static Division divide(const Elementwise *o) {
    LLVMBuilderRef b = o->b;
    LLVMValueRef x = o->in[0], y = o->in[1], zero = LLVMConstNull(type_of(o)),
                 one = int_like(o->e, type_of(o), 1);
    Division d = {.by_zero = LLVMBuildICmp(b, LLVMIntEQ, y, zero, "")};
    LLVMValueRef safe = LLVMBuildSelect(b, d.by_zero, one, y, "");
    if (!is_signed(o)) {
        d.quotient = LLVMBuildUDiv(b, x, safe, "");
        d.rest = LLVMBuildURem(b, x, safe, "");
        return d;
    }
    d.by_minus_one = LLVMBuildICmp(b, LLVMIntEQ, y, LLVMConstAllOnes(type_of(o)), "");
    safe = LLVMBuildSelect(b, d.by_minus_one, one, safe, "");
    d.quotient = LLVMBuildSDiv(b, x, safe, "");
    d.rest = LLVMBuildSRem(b, x, safe, "");
    return d;
}

/* Does truncation differ from the floor: a rest with the divisor's sign reversed? */
static LLVMValueRef is_off(const Elementwise *o, LLVMValueRef rest) {
    LLVMValueRef zero = LLVMConstNull(type_of(o));
    LLVMValueRef signs = LLVMBuildXor(o->b, rest, o->in[1], "");
    return LLVMBuildAnd(o->b, LLVMBuildICmp(o->b, LLVMIntNE, rest, zero, ""),
                        LLVMBuildICmp(o->b, LLVMIntSLT, signs, zero, ""), "");
}

static LLVMValueRef int_floordiv(const Elementwise *o) {
    LLVMValueRef zero = LLVMConstNull(type_of(o));
    Division d = divide(o);
    LLVMValueRef q = d.quotient;
    if (is_signed(o)) {
        q = LLVMBuildSub(o->b, q, LLVMBuildZExt(o->b, is_off(o, d.rest), type_of(o), ""), "");
        q = LLVMBuildSelect(o->b, d.by_minus_one, LLVMBuildNeg(o->b, o->in[0], ""), q, "");
    }
    return LLVMBuildSelect(o->b, d.by_zero, zero, q, "");
}

static LLVMValueRef int_mod(const Elementwise *o) {
    LLVMValueRef zero = LLVMConstNull(type_of(o));
    Division d = divide(o);
    LLVMValueRef r = d.rest;
    if (is_signed(o)) {
        LLVMValueRef moved = LLVMBuildAdd(o->b, r, o->in[1], "");
        r = LLVMBuildSelect(o->b, is_off(o, r), moved, r, "");
        r = LLVMBuildSelect(o->b, d.by_minus_one, zero, r, "");
    }
    return LLVMBuildSelect(o->b, d.by_zero, zero, r, "");
}

static LLVMValueRef op_floordiv(const Elementwise *o) {
    return is_float(o) ? math_floordiv(o->e, o->in[0], o->in[1]) : int_floordiv(o);
}

static LLVMValueRef op_mod(const Elementwise *o) {
    return is_float(o) ? math_mod(o->e, o->in[0], o->in[1]) : int_mod(o);
}

/* --- integer powers by squaring, a bit of the exponent a turn */
typedef struct {
    Emit *e;
    LLVMTypeRef type;
    LLVMValueRef result, square, exponent; /* stack slots */
} Power;

static void power_turn(Emit *e, LLVMValueRef index, void *user) {
    (void)index;
    const Power *p = user;
    LLVMBuilderRef b = e->builder;
    LLVMValueRef result = LLVMBuildLoad2(b, p->type, p->result, ""),
                 square = LLVMBuildLoad2(b, p->type, p->square, "");
    LLVMValueRef exponent = LLVMBuildLoad2(b, p->type, p->exponent, "");
    LLVMValueRef one = int_like(e, p->type, 1), zero = LLVMConstNull(p->type);
    LLVMValueRef odd = LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, exponent, one, ""), zero, "");
    LLVMValueRef grown = LLVMBuildMul(b, result, square, "");
    LLVMBuildStore(b, LLVMBuildSelect(b, odd, grown, result, ""), p->result);
    LLVMBuildStore(b, LLVMBuildMul(b, square, square, ""), p->square);
    LLVMBuildStore(b, LLVMBuildLShr(b, exponent, one, ""), p->exponent);
}

/* A negative exponent leaves 0, but for bases 1 and -1. */
static LLVMValueRef power_negative(const Elementwise *o, LLVMValueRef result) {
    LLVMTypeRef type = type_of(o);
    LLVMBuilderRef b = o->b;
    LLVMValueRef x = o->in[0], y = o->in[1], one = int_like(o->e, type, 1), zero = LLVMConstNull(type);
    LLVMValueRef odd = LLVMBuildICmp(b, LLVMIntNE, LLVMBuildAnd(b, y, one, ""), zero, "");
    LLVMValueRef minus = LLVMBuildICmp(b, LLVMIntEQ, x, LLVMConstAllOnes(type), "");
    LLVMValueRef value = LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntEQ, x, one, ""), one, zero, "");
    value = LLVMBuildSelect(b, minus, LLVMBuildSelect(b, odd, x, one, ""), value, "");
    return LLVMBuildSelect(b, LLVMBuildICmp(b, LLVMIntSLT, y, zero, ""), value, result, "");
}

static LLVMValueRef int_pow(const Elementwise *o) {
    Emit *e = o->e;
    LLVMTypeRef type = type_of(o);
    Power p = {e, type, emit_alloca(e, type, "power"), emit_alloca(e, type, "square"),
               emit_alloca(e, type, "exponent")};
    LLVMBuildStore(o->b, int_like(e, type, 1), p.result);
    LLVMBuildStore(o->b, o->in[0], p.square);
    LLVMBuildStore(o->b, o->in[1], p.exponent);
    int64_t bits = 8 * (int64_t)dtype_bytes(o->dtype);
    emit_loop(e, emit_i64(e, 0), emit_i64(e, bits), 1, "power", power_turn, &p);
    LLVMValueRef result = LLVMBuildLoad2(o->b, type, p.result, "");
    return is_signed(o) ? power_negative(o, result) : result;
}

static LLVMValueRef op_pow(const Elementwise *o) {
    return is_float(o) ? math_pow(o->e, o->in[0], o->in[1]) : int_pow(o);
}

/* --- comparisons */
static LLVMValueRef compare(const Elementwise *o, LLVMRealPredicate real, LLVMIntPredicate with_sign,
                            LLVMIntPredicate without) {
    if (is_float(o)) return LLVMBuildFCmp(o->b, real, o->in[0], o->in[1], "");
    return LLVMBuildICmp(o->b, is_signed(o) ? with_sign : without, o->in[0], o->in[1], "");
}

static LLVMValueRef op_eq(const Elementwise *o) { return compare(o, LLVMRealOEQ, LLVMIntEQ, LLVMIntEQ); }
static LLVMValueRef op_ne(const Elementwise *o) { return compare(o, LLVMRealUNE, LLVMIntNE, LLVMIntNE); }
static LLVMValueRef op_lt(const Elementwise *o) { return compare(o, LLVMRealOLT, LLVMIntSLT, LLVMIntULT); }
static LLVMValueRef op_le(const Elementwise *o) { return compare(o, LLVMRealOLE, LLVMIntSLE, LLVMIntULE); }
static LLVMValueRef op_gt(const Elementwise *o) { return compare(o, LLVMRealOGT, LLVMIntSGT, LLVMIntUGT); }
static LLVMValueRef op_ge(const Elementwise *o) { return compare(o, LLVMRealOGE, LLVMIntSGE, LLVMIntUGE); }

static LLVMValueRef op_select(const Elementwise *o) {
    return LLVMBuildSelect(o->b, o->in[0], o->in[1], o->in[2], "");
}

#define ROW(name) [OP_##name] = op_##name
static Operation *const operations[OP_COUNT] = {
    ROW(neg),  ROW(abs),           ROW(sign), ROW(exp),    ROW(log),  ROW(sqrt),  ROW(sin),       ROW(cos),
    ROW(tanh), ROW(sigmoid),       ROW(erf),  ROW(floor),  ROW(ceil), ROW(round), ROW(is_finite), ROW(not),
    ROW(cast), ROW(stop_gradient), ROW(add),  ROW(sub),    ROW(mul),  ROW(div),   ROW(floordiv),  ROW(mod),
    ROW(pow),  ROW(min),           ROW(max),  ROW(eq),     ROW(ne),   ROW(lt),    ROW(le),        ROW(gt),
    ROW(ge),   ROW(and),           ROW(or),   ROW(select),
};

/* --- halves are computed as f32: what is told of one must be told of the number that is stored */
static bool tells(Op op) { return op == OP_is_finite || op == OP_cast || (op >= OP_eq && op <= OP_ge); }

/* Has the value been in memory, or been rounded by a cast? */
static bool is_rounded(const Node *reader, const Value *value) {
    while (value->node && value->block == reader->block && op_has(value->node->op, TRAIT_VIEW) &&
           value->node->op != OP_concat && value->node->op != OP_pad &&
           !op_has(value->node->op, TRAIT_UPDATES))
        value = value->node->operands[0];
    if (!value->node || value->block != reader->block) return true;
    return value->node->op == OP_cast || value->node->op == OP_const;
}

LLVMValueRef emit_elementwise(Emit *e, const Node *node, const LLVMValueRef *operands) {
    Operation *operation = operations[node->op];
    assert(operation && "every elementwise operation has a row");
    LLVMValueRef rounded[2];
    DType dtype = node->operands[0]->type->dtype;
    if (tells(node->op) && dtype_is_half(dtype)) {
        for (uint32_t i = 0; i < node->operand_count; i++)
            rounded[i] =
                is_rounded(node, node->operands[i]) ? operands[i] : emit_rounded(e, dtype, operands[i]);
        operands = rounded;
    }
    Elementwise o = {e, e->builder, node, operands, dtype};
    return operation(&o);
}
