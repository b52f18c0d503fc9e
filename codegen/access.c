/* Loads and stores: contiguous vectors where lanes are neighbours, gathers and scatters elsewhere, and the
 * conversion between memory and register types (bool is a byte in memory; f16 and bf16 are f32 in registers).
 */
#include "codegen/access.h"
#include "codegen/elementwise.h"
#include "codegen/vector.h"
#include <assert.h>

/* What is loaded and stored: bf16 as its bits. */
static LLVMTypeRef stored_type(Emit *e, DType dtype) {
    return dtype == DTYPE_bf16 ? LLVMInt16TypeInContext(e->llvm) : emit_memory_type(e, dtype);
}

static LLVMValueRef to_register(Emit *e, DType dtype, LLVMValueRef value) {
    LLVMTypeRef type = emit_lanes(emit_register_type(e, dtype), emit_lane_count(value));
    if (dtype == DTYPE_bf16) return emit_from_bf16(e, value);
    if (dtype == DTYPE_bool)
        return LLVMBuildICmp(e->builder, LLVMIntNE, value, LLVMConstNull(LLVMTypeOf(value)), "");
    return LLVMTypeOf(value) == type ? value : emit_from_f16(e, value);
}

static LLVMValueRef to_memory(Emit *e, DType dtype, LLVMValueRef value) {
    LLVMTypeRef type = emit_lanes(stored_type(e, dtype), emit_lane_count(value));
    if (dtype == DTYPE_bf16) return emit_to_bf16(e, value);
    if (dtype == DTYPE_bool) return LLVMBuildZExt(e->builder, value, type, "");
    return LLVMTypeOf(value) == type ? value : LLVMBuildFPTrunc(e->builder, value, type, "");
}

LLVMValueRef emit_load(Emit *e, DType dtype, LLVMValueRef pointer, uint32_t lanes) {
    LLVMTypeRef type = emit_lanes(stored_type(e, dtype), lanes);
    LLVMValueRef load = LLVMBuildLoad2(e->builder, type, pointer, "");
    LLVMSetAlignment(load, dtype_bytes(dtype));
    return to_register(e, dtype, load);
}

void emit_store(Emit *e, DType dtype, LLVMValueRef value, LLVMValueRef pointer, uint32_t lanes) {
    (void)lanes;
    LLVMValueRef store = LLVMBuildStore(e->builder, to_memory(e, dtype, value), pointer);
    LLVMSetAlignment(store, dtype_bytes(dtype));
}

LLVMValueRef access_lanes(Emit *e, Index index, uint32_t lanes) {
    if (index.vector || lanes == 1) return index.base;
    LLVMValueRef base = emit_splat(e, index.base, lanes);
    if (index.step == 0) return base;
    LLVMValueRef *offset = ARENA_ARRAY(e->arena, LLVMValueRef, lanes);
    uint32_t repeat = index.repeat ? index.repeat : 1;
    for (uint32_t l = 0; l < lanes; l++) offset[l] = emit_i64(e, index.step * (int64_t)(l / repeat));
    return LLVMBuildAdd(e->builder, base, LLVMConstVector(offset, lanes), "");
}

static LLVMValueRef element_pointer(Emit *e, const Access *a, LLVMValueRef index) {
    LLVMTypeRef type = stored_type(e, a->dtype);
    /* The first lane of a masked access may be outside. */
    if (a->mask) return LLVMBuildGEP2(e->builder, type, a->pointer, &index, 1, "");
    return LLVMBuildInBoundsGEP2(e->builder, type, a->pointer, &index, 1, "");
}

static LLVMValueRef lane_mask(Emit *e, const Access *a) {
    LLVMTypeRef bit = LLVMInt1TypeInContext(e->llvm);
    if (!a->mask) return LLVMConstAllOnes(LLVMVectorType(bit, a->lanes));
    return emit_lane_count(a->mask) == 1 ? emit_splat(e, a->mask, a->lanes) : a->mask;
}

static LLVMValueRef alignment(Emit *e, const Access *a) {
    return LLVMConstInt(LLVMInt32TypeInContext(e->llvm), dtype_bytes(a->dtype), false);
}

static LLVMValueRef tag(const Access *a, LLVMValueRef instruction) {
    if (a->metadata) LLVMSetMetadata(instruction, a->metadata_kind, a->metadata);
    return instruction;
}

static LLVMValueRef plain_load(Emit *e, const Access *a, LLVMTypeRef type, LLVMValueRef pointer) {
    LLVMValueRef load = LLVMBuildLoad2(e->builder, type, pointer, "");
    LLVMSetAlignment(load, dtype_bytes(a->dtype));
    return tag(a, load);
}

/* A masked-off scalar is read from a zero on the stack. */
static LLVMValueRef load_scalar(Emit *e, const Access *a) {
    LLVMTypeRef type = stored_type(e, a->dtype);
    LLVMValueRef pointer = element_pointer(e, a, a->at.base);
    if (!a->mask) return plain_load(e, a, type, pointer);
    LLVMValueRef zero = emit_alloca(e, type, "zero");
    LLVMBuildStore(e->builder, LLVMConstNull(type), zero);
    pointer = LLVMBuildSelect(e->builder, a->mask, pointer, zero, "");
    LLVMValueRef load = LLVMBuildLoad2(e->builder, type, pointer, "");
    LLVMSetAlignment(load, dtype_bytes(a->dtype));
    return load;
}

static LLVMValueRef load_contiguous(Emit *e, const Access *a) {
    LLVMTypeRef type = emit_lanes(stored_type(e, a->dtype), a->lanes);
    LLVMValueRef pointer = element_pointer(e, a, a->at.base);
    if (!a->mask) return plain_load(e, a, type, pointer);
    LLVMTypeRef types[] = {type, LLVMTypeOf(pointer)};
    LLVMValueRef arguments[] = {pointer, alignment(e, a), lane_mask(e, a), LLVMConstNull(type)};
    return tag(a, emit_intrinsic(e, "llvm.masked.load", 2, types, 4, arguments));
}

/* Lanes at descending places: a contiguous load from the last one's, turned round. */
static LLVMValueRef load_reversed(Emit *e, const Access *a) {
    Access forward = *a;
    forward.at.base = LLVMBuildSub(e->builder, a->at.base, emit_i64(e, (int64_t)a->lanes - 1), "");
    forward.at.step = 1;
    LLVMValueRef vector = load_contiguous(e, &forward);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    LLVMValueRef *order = ARENA_ARRAY(e->arena, LLVMValueRef, a->lanes);
    for (uint32_t l = 0; l < a->lanes; l++) order[l] = LLVMConstInt(i32, a->lanes - 1 - l, false);
    return LLVMBuildShuffleVector(e->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  LLVMConstVector(order, a->lanes), "");
}

/* Lanes a few elements apart: the vectors that they are in. */
static LLVMValueRef load_apart(Emit *e, const Access *a) {
    LLVMValueRef piece[VECTOR_MAX_STRIDE];
    for (int64_t i = 0; i < a->at.step; i++) {
        Access part = *a;
        LLVMValueRef first = emit_i64(e, vector_piece(a->lanes, a->at.step, i));
        part.at.base = LLVMBuildAdd(e->builder, a->at.base, first, "");
        part.at.step = 1;
        if (a->mask && emit_lane_count(a->mask) > 1)
            part.mask = vector_piece_mask(e, a->mask, a->lanes, a->at.step, i);
        piece[i] = load_contiguous(e, &part);
    }
    return vector_pick(e, piece, a->lanes, a->at.step);
}

/* Lanes that share elements, which are neighbours. */
static LLVMValueRef load_repeated(Emit *e, const Access *a) {
    Access once = *a;
    once.lanes = a->lanes / a->at.repeat;
    once.at.repeat = 1;
    if (a->mask && emit_lane_count(a->mask) > 1) once.mask = vector_any_of(e, a->mask, a->at.repeat);
    return vector_repeat(e, load_contiguous(e, &once), a->at.repeat);
}

/* Without masks for single elements, or where they are narrow, gathers are no dearer. */
static bool is_near(const Emit *e, const Access *a) {
    return a->at.step > 1 && a->at.step <= VECTOR_MAX_STRIDE && dtype_bytes(a->dtype) >= 4 &&
           (!a->mask || e->target.vector_bytes >= 32);
}

static LLVMValueRef load_gathered(Emit *e, const Access *a) {
    LLVMTypeRef type = emit_lanes(stored_type(e, a->dtype), a->lanes);
    LLVMValueRef pointers = element_pointer(e, a, access_lanes(e, a->at, a->lanes));
    LLVMTypeRef types[] = {type, LLVMTypeOf(pointers)};
    LLVMValueRef arguments[] = {pointers, alignment(e, a), lane_mask(e, a), LLVMConstNull(type)};
    return tag(a, emit_intrinsic(e, "llvm.masked.gather", 2, types, 4, arguments));
}

LLVMValueRef access_load(Emit *e, const Access *a) {
    LLVMValueRef value;
    bool shared = a->at.repeat > 1;
    if (a->lanes == 1)
        value = load_scalar(e, a);
    else if (a->at.vector || (shared && a->at.step != 1))
        value = load_gathered(e, a);
    else if (a->at.step == 1)
        value = shared ? load_repeated(e, a) : load_contiguous(e, a);
    else if (a->at.step == -1 && !a->mask)
        value = load_reversed(e, a);
    else
        value = is_near(e, a) ? load_apart(e, a) : load_gathered(e, a);
    return to_register(e, a->dtype, value);
}

static void store_scalar(Emit *e, const Access *a, LLVMValueRef value) {
    assert(!a->mask && "single elements are stored where they exist");
    LLVMValueRef store = LLVMBuildStore(e->builder, value, element_pointer(e, a, a->at.base));
    LLVMSetAlignment(store, dtype_bytes(a->dtype));
    tag(a, store);
}

static void store_contiguous(Emit *e, const Access *a, LLVMValueRef value) {
    LLVMValueRef pointer = element_pointer(e, a, a->at.base);
    if (!a->mask) {
        LLVMValueRef store = LLVMBuildStore(e->builder, value, pointer);
        LLVMSetAlignment(store, dtype_bytes(a->dtype));
        tag(a, store);
        return;
    }
    LLVMTypeRef types[] = {LLVMTypeOf(value), LLVMTypeOf(pointer)};
    tag(a, emit_intrinsic(e, "llvm.masked.store", 2, types, 4,
                          (LLVMValueRef[]){value, pointer, alignment(e, a), lane_mask(e, a)}));
}

static void store_scattered(Emit *e, const Access *a, LLVMValueRef value) {
    LLVMValueRef pointers = element_pointer(e, a, access_lanes(e, a->at, a->lanes));
    LLVMTypeRef types[] = {LLVMTypeOf(value), LLVMTypeOf(pointers)};
    tag(a, emit_intrinsic(e, "llvm.masked.scatter", 2, types, 4,
                          (LLVMValueRef[]){value, pointers, alignment(e, a), lane_mask(e, a)}));
}

void access_store(Emit *e, const Access *a, LLVMValueRef value) {
    LLVMValueRef memory = to_memory(e, a->dtype, value);
    if (a->lanes == 1)
        store_scalar(e, a, memory);
    else if (!a->at.vector && a->at.step == 1 && a->at.repeat <= 1)
        store_contiguous(e, a, memory);
    else
        store_scattered(e, a, memory);
}
