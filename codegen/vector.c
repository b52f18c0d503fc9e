/* Registers of one or more lanes. */
#include "codegen/vector.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

uint32_t vector_lanes(LLVMTypeRef type) {
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetVectorSize(type) : 1;
}

LLVMTypeRef vector_element(LLVMTypeRef type) {
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? LLVMGetElementType(type) : type;
}

LLVMValueRef vector_splat(Emit *e, LLVMValueRef scalar, uint32_t lanes) {
    if (lanes == 1) return scalar;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), lanes);
    LLVMTypeRef mask = LLVMVectorType(LLVMInt32TypeInContext(e->llvm), lanes);
    LLVMValueRef one = LLVMBuildInsertElement(e->builder, LLVMGetPoison(type), scalar, emit_i64(e, 0), "");
    return LLVMBuildShuffleVector(e->builder, one, LLVMGetPoison(type), LLVMConstNull(mask), "");
}

static LLVMValueRef call(Emit *e, const char *name, LLVMTypeRef *types, uint32_t type_count, uint32_t count,
                         LLVMValueRef *arguments) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id && "LLVM knows the intrinsic");
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, types, type_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->llvm, id, types, type_count);
    return LLVMBuildCall2(e->builder, type, function, arguments, count, "");
}

LLVMValueRef vector_intrinsic(Emit *e, const char *name, LLVMTypeRef type, uint32_t count,
                              LLVMValueRef *arguments) {
    return call(e, name, &type, 1, count, arguments);
}

LLVMValueRef vector_instruction(Emit *e, const char *name, uint32_t count, LLVMValueRef *arguments) {
    return call(e, name, NULL, 0, count, arguments);
}

LLVMValueRef vector_multiply_add(Emit *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z) {
    LLVMTypeRef type = LLVMTypeOf(x);
    if (LLVMGetTypeKind(vector_element(type)) == LLVMIntegerTypeKind)
        return LLVMBuildAdd(e->builder, LLVMBuildMul(e->builder, x, y, ""), z, "");
    if (!e->target.fma) return LLVMBuildFAdd(e->builder, LLVMBuildFMul(e->builder, x, y, ""), z, "");
    LLVMValueRef arguments[] = {x, y, z};
    return vector_intrinsic(e, "llvm.fma", type, 3, arguments);
}

/* LLVM's selection of instructions (SimplifyDemandedVectorElts, at least up to 19) takes lanes that are 0 / 0
 * for zeros, and then drops what should replace them, such as the 0 in the lanes behind a row's end. It does
 * not look through a fence, which costs nothing. */
LLVMValueRef vector_divide(Emit *e, LLVMValueRef x, LLVMValueRef y) {
    LLVMTypeRef type = LLVMTypeOf(x);
    if (vector_lanes(type) > 1) x = vector_intrinsic(e, "llvm.arithmetic.fence", type, 1, &x);
    return LLVMBuildFDiv(e->builder, x, y, "");
}

LLVMValueRef vector_add(Emit *e, LLVMValueRef a, LLVMValueRef b) {
    bool integer = LLVMGetTypeKind(vector_element(LLVMTypeOf(a))) == LLVMIntegerTypeKind;
    return integer ? LLVMBuildAdd(e->builder, a, b, "") : LLVMBuildFAdd(e->builder, a, b, "");
}

static unsigned alignment(Emit *e, LLVMTypeRef element) { return LLVMABIAlignmentOfType(e->layout, element); }

LLVMValueRef vector_load(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, uint32_t lanes) {
    LLVMValueRef value = LLVMBuildLoad2(e->builder, emit_lanes(element, lanes), pointer, "");
    LLVMSetAlignment(value, alignment(e, element));
    return value;
}

LLVMValueRef vector_load_masked(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, LLVMValueRef mask) {
    LLVMTypeRef types[] = {LLVMVectorType(element, LLVMGetVectorSize(LLVMTypeOf(mask))), LLVMTypeOf(pointer)};
    LLVMValueRef align = LLVMConstInt(LLVMInt32TypeInContext(e->llvm), alignment(e, element), false);
    LLVMValueRef arguments[] = {pointer, align, mask, LLVMConstNull(types[0])};
    return call(e, "llvm.masked.load", types, 2, 4, arguments);
}

LLVMValueRef vector_load_some(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, uint32_t lanes,
                              LLVMValueRef mask) {
    return mask ? vector_load_masked(e, element, pointer, mask) : vector_load(e, element, pointer, lanes);
}

void vector_prefetch(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, LLVMValueRef index) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm), type = LLVMTypeOf(pointer);
    pointer = LLVMBuildGEP2(e->builder, element, pointer, &index, 1, ""); /* perhaps out of bounds */
    LLVMValueRef read = LLVMConstNull(i32), level = LLVMConstInt(i32, 2, false),
                 data = LLVMConstInt(i32, 1, false);
    LLVMValueRef arguments[] = {pointer, read, level, data};
    call(e, "llvm.prefetch", &type, 1, 4, arguments);
}

int64_t vector_piece(uint32_t lanes, int64_t stride, int64_t i) {
    int64_t last = ((int64_t)lanes - 1) * (stride - 1);
    return i * lanes < last ? i * lanes : last;
}

static LLVMValueRef shuffle(Emit *e, LLVMValueRef a, LLVMValueRef b, const int64_t *order, uint32_t lanes) {
    LLVMValueRef numbers[64];
    assert(lanes <= 64);
    for (uint32_t i = 0; i < lanes; i++)
        numbers[i] = LLVMConstInt(LLVMInt32TypeInContext(e->llvm), (uint64_t)order[i], false);
    return LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(numbers, lanes), "");
}

/* Masks are shuffled as numbers: of single bits targets make one instruction or more a lane. */
static LLVMValueRef shuffle_masks(Emit *e, LLVMValueRef a, LLVMValueRef b, const int64_t *order,
                                  uint32_t lanes) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm), wide = emit_lanes(i32, vector_lanes(LLVMTypeOf(a)));
    LLVMValueRef x = LLVMBuildSExt(e->builder, a, wide, ""), y = LLVMBuildSExt(e->builder, b, wide, "");
    LLVMValueRef mixed = shuffle(e, x, y, order, lanes);
    return LLVMBuildICmp(e->builder, LLVMIntNE, mixed, LLVMConstNull(LLVMTypeOf(mixed)), "");
}

LLVMValueRef vector_pick(Emit *e, const LLVMValueRef *pieces, uint32_t lanes, int64_t stride) {
    LLVMValueRef result = LLVMGetPoison(LLVMTypeOf(pieces[0]));
    int64_t order[64], taken = 0;
    for (int64_t i = 0; i < stride; i++) {
        int64_t first = vector_piece(lanes, stride, i), before = taken;
        while (taken < lanes && taken * stride < first + lanes) taken++;
        for (int64_t l = 0; l < lanes; l++) /* lanes of the result so far, and of the piece */
            order[l] = l < before ? l : l < taken ? lanes + l * stride - first : 0;
        result = shuffle(e, result, pieces[i], order, lanes);
    }
    return result;
}

LLVMValueRef vector_piece_mask(Emit *e, LLVMValueRef mask, uint32_t lanes, int64_t stride, int64_t i) {
    int64_t order[64], first = vector_piece(lanes, stride, i);
    for (int64_t l = 0; l < lanes; l++) /* false where no lane's element is */
        order[l] = (first + l) % stride ? lanes : (first + l) / stride;
    return shuffle_masks(e, mask, LLVMConstNull(LLVMTypeOf(mask)), order, lanes);
}

/* Half of each 16 bytes are of the first vector. */
int64_t vector_halves_lane(int64_t l, uint32_t lanes, uint32_t bytes) {
    int64_t half = bytes < 8 ? 8 / bytes : 1, of_b = l >= lanes / 2, within = of_b ? l - lanes / 2 : l;
    if (2 * half > lanes) half = lanes / 2;
    return within / half * 2 * half + of_b * half + within % half;
}

LLVMValueRef vector_halves(Emit *e, LLVMValueRef a, LLVMValueRef b, uint32_t from_a, uint32_t from_b,
                           uint32_t bytes) {
    uint32_t lanes = vector_lanes(LLVMTypeOf(a));
    int64_t order[64];
    assert(lanes >= 2 && lanes <= 64);
    for (int64_t l = 0; l < lanes; l++)
        order[vector_halves_lane(l, lanes, bytes)] =
            l < lanes / 2 ? 2 * l + from_a : lanes + 2 * (l - lanes / 2) + from_b;
    return shuffle(e, a, b, order, lanes);
}

LLVMValueRef vector_halves_in_order(Emit *e, LLVMValueRef halves, uint32_t bytes) {
    uint32_t lanes = vector_lanes(LLVMTypeOf(halves));
    int64_t order[64];
    for (int64_t l = 0; l < lanes; l++) order[l] = vector_halves_lane(l, lanes, bytes);
    return shuffle(e, halves, halves, order, lanes);
}

LLVMValueRef vector_twice(Emit *e, LLVMValueRef mask, uint32_t half) {
    uint32_t lanes = vector_lanes(LLVMTypeOf(mask));
    int64_t order[64];
    for (uint32_t l = 0; l < lanes; l++) order[l] = (half * lanes + l) / 2;
    return shuffle_masks(e, mask, mask, order, lanes);
}

LLVMValueRef vector_repeat(Emit *e, LLVMValueRef value, uint32_t times) {
    int64_t order[64];
    uint32_t lanes = vector_lanes(LLVMTypeOf(value)) * times;
    for (uint32_t l = 0; l < lanes; l++) order[l] = l / times;
    return shuffle(e, value, value, order, lanes);
}

LLVMValueRef vector_resize(Emit *e, LLVMValueRef value, uint32_t lanes) {
    uint32_t before = vector_lanes(LLVMTypeOf(value));
    int64_t order[64];
    if (lanes == before) return value;
    if (lanes == 1) return LLVMBuildExtractElement(e->builder, value, emit_i64(e, 0), "");
    for (uint32_t l = 0; l < lanes; l++) order[l] = l < before ? l : before;
    return shuffle(e, value, LLVMConstNull(LLVMTypeOf(value)), order, lanes);
}

LLVMValueRef vector_part(Emit *e, LLVMValueRef value, uint32_t from, uint32_t lanes) {
    int64_t order[64];
    if (from == 0 && lanes == vector_lanes(LLVMTypeOf(value))) return value;
    if (lanes == 1) return LLVMBuildExtractElement(e->builder, value, emit_i64(e, from), "");
    for (uint32_t l = 0; l < lanes; l++) order[l] = from + l;
    return shuffle(e, value, value, order, lanes);
}

LLVMValueRef vector_any_of(Emit *e, LLVMValueRef mask, uint32_t neighbours) {
    uint32_t lanes = vector_lanes(LLVMTypeOf(mask)) / neighbours;
    LLVMValueRef any = NULL;
    for (uint32_t i = 0; i < neighbours; i++) {
        int64_t order[64];
        for (uint32_t l = 0; l < lanes; l++) order[l] = (int64_t)l * neighbours + i;
        LLVMValueRef one = shuffle_masks(e, mask, mask, order, lanes);
        any = any ? LLVMBuildOr(e->builder, any, one, "") : one;
    }
    return any;
}

void vector_store(Emit *e, LLVMValueRef value, LLVMValueRef pointer) {
    LLVMValueRef store = LLVMBuildStore(e->builder, value, pointer);
    LLVMSetAlignment(store, alignment(e, vector_element(LLVMTypeOf(value))));
}

static void store_masked(Emit *e, const char *intrinsic, LLVMValueRef value, LLVMValueRef pointers,
                         LLVMValueRef mask) {
    LLVMTypeRef types[] = {LLVMTypeOf(value), LLVMTypeOf(pointers)};
    LLVMValueRef align =
        LLVMConstInt(LLVMInt32TypeInContext(e->llvm), alignment(e, vector_element(types[0])), false);
    call(e, intrinsic, types, 2, 4, (LLVMValueRef[]){value, pointers, align, mask});
}

void vector_store_lanes(Emit *e, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef stride,
                        LLVMValueRef mask) {
    LLVMTypeRef element = vector_element(LLVMTypeOf(value));
    uint32_t lanes = vector_lanes(LLVMTypeOf(value));
    LLVMValueRef pointers = NULL;
    if (lanes == 1 || stride == emit_i64(e, 1)) {
        if (mask)
            store_masked(e, "llvm.masked.store", value, pointer, mask);
        else
            vector_store(e, value, pointer);
        return;
    }
    if (mask) pointers = LLVMGetPoison(LLVMVectorType(LLVMTypeOf(pointer), lanes));
    for (uint32_t i = 0; i < lanes; i++) {
        LLVMValueRef lane = emit_i64(e, i),
                     at = vector_at(e, element, pointer, LLVMBuildMul(e->builder, stride, lane, ""));
        if (mask)
            pointers = LLVMBuildInsertElement(e->builder, pointers, at, lane, "");
        else
            vector_store(e, LLVMBuildExtractElement(e->builder, value, lane, ""), at);
    }
    if (mask) store_masked(e, "llvm.masked.scatter", value, pointers, mask);
}

void vector_release(Emit *e, uint32_t kept) {
    const char *name = strncmp(LLVMGetTarget(e->module), "x86_64", 6) == 0 ? "xmm" : "v";
    char clobbers[32 * 10] = "";
    for (uint32_t i = kept, at = 0; i < e->target.vector_registers && i < 32; i++)
        at += (uint32_t)snprintf(clobbers + at, sizeof clobbers - at, "%s~{%s%u}", at ? "," : "", name, i);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->llvm), NULL, 0, false);
    LLVMValueRef nothing = LLVMGetInlineAsm(type, "", 0, clobbers, strlen(clobbers), true, false,
                                            LLVMInlineAsmDialectATT, false);
    LLVMBuildCall2(e->builder, type, nothing, NULL, 0, "");
}

LLVMValueRef vector_opaque(Emit *e, LLVMValueRef i) {
    LLVMTypeRef type = LLVMFunctionType(LLVMTypeOf(i), (LLVMTypeRef[]){LLVMTypeOf(i)}, 1, false);
    const char *place = LLVMGetTypeKind(LLVMTypeOf(i)) != LLVMVectorTypeKind  ? "=r,0"
                        : strncmp(LLVMGetTarget(e->module), "x86_64", 6) == 0 ? "=v,0"
                                                                              : "=w,0";
    LLVMValueRef same = LLVMGetInlineAsm(type, "", 0, place, 4, false, false, LLVMInlineAsmDialectATT, false);
    return LLVMIsConstant(i) ? i : LLVMBuildCall2(e->builder, type, same, &i, 1, "");
}

void vector_meet(Emit *e, LLVMValueRef *values, uint32_t count) {
    enum { MOST = 16 };
    const char *place = strncmp(LLVMGetTarget(e->module), "x86_64", 6) == 0 ? "=v" : "=w";
    LLVMTypeRef types[MOST];
    char constraints[MOST * 8] = "";
    size_t at = 0;
    assert(count > 0 && count <= MOST);
    uint64_t bytes = LLVMABISizeOfType(e->layout, LLVMTypeOf(values[0]));
    if (count == 1 || bytes < 16 || bytes > e->target.vector_bytes) return; /* not a register each */
    for (uint32_t i = 0; i < count; i++) types[i] = LLVMTypeOf(values[i]);
    for (uint32_t i = 0; i < 2 * count; i++)
        at += (size_t)(i < count ? snprintf(constraints + at, sizeof constraints - at, "%s,", place)
                                 : snprintf(constraints + at, sizeof constraints - at, "%u,", i - count));
    LLVMTypeRef all = LLVMStructTypeInContext(e->llvm, types, count, false);
    LLVMTypeRef type = LLVMFunctionType(all, types, count, false);
    LLVMValueRef same =
        LLVMGetInlineAsm(type, "", 0, constraints, at - 1, false, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef together = LLVMBuildCall2(e->builder, type, same, values, count, "");
    for (uint32_t i = 0; i < count; i++) values[i] = LLVMBuildExtractValue(e->builder, together, i, "");
}

LLVMValueRef vector_opaque_mask(Emit *e, LLVMValueRef mask) {
    uint32_t lanes = vector_lanes(LLVMTypeOf(mask));
    LLVMTypeRef word = LLVMIntTypeInContext(e->llvm, lanes > 32 ? 64 : 32),
                bits = LLVMIntTypeInContext(e->llvm, lanes), type = LLVMFunctionType(word, &word, 1, false);
    LLVMValueRef same = LLVMGetInlineAsm(type, "", 0, "=r,0", 4, true, false, LLVMInlineAsmDialectATT, false);
    LLVMValueRef number = LLVMBuildBitCast(e->builder, mask, bits, "");
    number = LLVMBuildZExt(e->builder, number, word, "");
    number = LLVMBuildCall2(e->builder, type, same, &number, 1, "");
    number = LLVMBuildTrunc(e->builder, number, bits, "");
    return LLVMBuildBitCast(e->builder, number, LLVMTypeOf(mask), "");
}

uint32_t vector_lanes_over(uint32_t elements) {
    uint32_t lanes = 1;
    while (lanes < elements) lanes *= 2;
    return lanes;
}

bool vector_masks(const Target *target) { return target->vector_bytes >= 64; }

LLVMValueRef vector_first_lanes(Emit *e, LLVMValueRef count, uint32_t lanes) {
    assert(lanes <= 64);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    LLVMValueRef numbers[64];
    for (uint32_t i = 0; i < lanes; i++) numbers[i] = LLVMConstInt(i32, i, false);
    LLVMValueRef limit = vector_splat(e, LLVMBuildTrunc(e->builder, count, i32, ""), lanes);
    return LLVMBuildICmp(e->builder, LLVMIntSLT, LLVMConstVector(numbers, lanes), limit, "");
}

LLVMValueRef vector_at(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, LLVMValueRef index) {
    return LLVMBuildInBoundsGEP2(e->builder, element, pointer, &index, 1, "");
}
