/* Accumulators of reductions: stack slots that LLVM turns into registers, several side by side to hide
 * latency, combined in a fixed order. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"
#include <assert.h>
#include <math.h>

static Op combine_of(Op op) {
    const Op table[][2] = {{OP_reduce_sum, OP_add}, {OP_reduce_prod, OP_mul}, {OP_reduce_max, OP_max},
                           {OP_reduce_min, OP_min}, {OP_reduce_any, OP_or},   {OP_reduce_all, OP_and},
                           {OP_argmax, OP_max},     {OP_argmin, OP_min}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i][0] == op) return table[i][1];
    assert(false && "a reduction");
    return OP_add;
}

/* --- the value that changes nothing */
static LLVMValueRef extreme_int(LLVMTypeRef type, DType dtype, bool least) {
    uint32_t bits = 8 * dtype_bytes(dtype);
    bool is_signed = dtype_class(dtype) == CLASS_INT;
    uint64_t low = is_signed ? UINT64_MAX << (bits - 1) : 0;
    return LLVMConstInt(type, least ? low : ~low, true);
}

LLVMValueRef fold_identity(Kernel *k, Op combine, DType dtype) {
    LLVMTypeRef type = emit_register_type(k->e, dtype);
    bool real = dtype_is_float(dtype);
    if (combine == OP_add || combine == OP_or) return LLVMConstNull(type);
    if (combine == OP_and) return LLVMConstAllOnes(type);
    if (combine == OP_mul) return real ? LLVMConstReal(type, 1) : LLVMConstInt(type, 1, false);
    bool least = combine == OP_max;
    return real ? LLVMConstReal(type, least ? -INFINITY : INFINITY) : extreme_int(type, dtype, least);
}

static Folded nothing_yet(Kernel *k, const Fold *fold, uint32_t lanes) {
    Folded start = {.value = emit_splat(k->e, fold_identity(k, fold->combine, fold->dtype), lanes)};
    /* No element has this number, and every other is less. */
    if (fold->finds) start.place = emit_splat(k->e, emit_i64(k->e, INT64_MAX), lanes);
    return start;
}

static void store_state(Kernel *k, const Fold *fold, uint32_t copy, Folded state) {
    LLVMBuildStore(k->e->builder, state.value, fold->slot[copy]);
    if (fold->finds) LLVMBuildStore(k->e->builder, state.place, fold->place[copy]);
}

Fold fold_open(Kernel *k, const Node *node, uint32_t lanes, uint32_t copies) {
    Fold fold = {.node = node,
                 .combine = combine_of(node->op),
                 .dtype = node->operands[0]->type->dtype,
                 .lanes = lanes,
                 .copies = copies};
    fold.finds = node->op == OP_argmax || node->op == OP_argmin;
    assert(copies <= MAX_UNROLL);
    for (uint32_t i = 0; i < copies; i++) {
        fold.slot[i] = emit_alloca(k->e, emit_lanes(emit_register_type(k->e, fold.dtype), lanes), "sum");
        if (fold.finds)
            fold.place[i] = emit_alloca(k->e, emit_lanes(LLVMInt64TypeInContext(k->e->llvm), lanes), "place");
        store_state(k, &fold, i, nothing_yet(k, &fold, lanes));
    }
    return fold;
}

Folded fold_load(Kernel *k, const Fold *fold, uint32_t copy) {
    LLVMTypeRef i64 = LLVMInt64TypeInContext(k->e->llvm), type = emit_register_type(k->e, fold->dtype);
    Folded state = {.value =
                        LLVMBuildLoad2(k->e->builder, emit_lanes(type, fold->lanes), fold->slot[copy], "")};
    if (fold->finds)
        state.place = LLVMBuildLoad2(k->e->builder, emit_lanes(i64, fold->lanes), fold->place[copy], "");
    return state;
}

/* --- the extreme's place: the first of equals; NaN beats all */
static LLVMValueRef beats(Kernel *k, const Fold *fold, LLVMValueRef x, LLVMValueRef than) {
    LLVMBuilderRef b = k->e->builder;
    bool most = fold->combine == OP_max;
    if (!dtype_is_float(fold->dtype)) {
        bool is_signed = dtype_class(fold->dtype) == CLASS_INT;
        LLVMIntPredicate above = is_signed ? LLVMIntSGT : LLVMIntUGT,
                         below = is_signed ? LLVMIntSLT : LLVMIntULT;
        return LLVMBuildICmp(b, most ? above : below, x, than, "");
    }
    LLVMValueRef farther = LLVMBuildFCmp(b, most ? LLVMRealOGT : LLVMRealOLT, x, than, "");
    LLVMValueRef only = LLVMBuildAnd(b, LLVMBuildFCmp(b, LLVMRealUNO, x, x, ""),
                                     LLVMBuildFCmp(b, LLVMRealORD, than, than, ""), "");
    return LLVMBuildOr(b, farther, only, "");
}

static Folded find(Kernel *k, const Fold *fold, Folded a, Folded b) {
    LLVMBuilderRef build = k->e->builder;
    LLVMValueRef better = beats(k, fold, b.value, a.value);
    if (fold->in_order)
        return (Folded){LLVMBuildSelect(build, better, b.value, a.value, ""),
                        LLVMBuildSelect(build, better, b.place, a.place, "")};
    LLVMValueRef worse = LLVMBuildNot(build, beats(k, fold, a.value, b.value), "");
    LLVMValueRef earlier = LLVMBuildICmp(build, LLVMIntSLT, b.place, a.place, "");
    LLVMValueRef take = LLVMBuildOr(build, better, LLVMBuildAnd(build, worse, earlier, ""), "");
    return (Folded){LLVMBuildSelect(build, take, b.value, a.value, ""),
                    LLVMBuildSelect(build, take, b.place, a.place, "")};
}

Folded fold_combine(Kernel *k, const Fold *fold, Folded a, Folded b) {
    if (fold->finds) return find(k, fold, a, b);
    return (Folded){.value = emit_combine(k->e, fold->combine, fold->dtype, a.value, b.value)};
}

/* The element's row-major number among those that are reduced together. */
static LLVMValueRef number_along(Kernel *k, const At *at, uint32_t count, const uint32_t *axes) {
    At along = at_child(at);
    for (uint32_t i = 0; i < count; i++) at_push(&along, at->dims[axes[i]], at->index[axes[i]]);
    return access_lanes(k->e, at_linear(k, &along), at->lanes);
}

void fold_step(Kernel *k, const Fold *fold, uint32_t copy, const At *at, uint32_t count,
               const uint32_t *axes) {
    LLVMBuilderRef b = k->e->builder;
    Folded element = {.value = value_at(k, fold->node->operands[0], at)};
    if (fold->finds) element.place = number_along(k, at, count, axes);
    if (at->tail) {
        Folded nothing = nothing_yet(k, fold, fold->lanes);
        element.value = LLVMBuildSelect(b, at->tail, element.value, nothing.value, "");
        if (fold->finds) element.place = LLVMBuildSelect(b, at->tail, element.place, nothing.place, "");
    }
    store_state(k, fold, copy, fold_combine(k, fold, fold_load(k, fold, copy), element));
}

/* --- lanes: halves onto halves */
static LLVMValueRef half_of(Kernel *k, LLVMValueRef vector, uint32_t from, uint32_t count) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(k->e->llvm);
    if (count == 1) return LLVMBuildExtractElement(k->e->builder, vector, LLVMConstInt(i32, from, false), "");
    LLVMValueRef *order = ARENA_ARRAY(k->arena, LLVMValueRef, count);
    for (uint32_t i = 0; i < count; i++) order[i] = LLVMConstInt(i32, from + i, false);
    return LLVMBuildShuffleVector(k->e->builder, vector, LLVMGetPoison(LLVMTypeOf(vector)),
                                  LLVMConstVector(order, count), "");
}

Folded fold_across(Kernel *k, const Fold *fold) {
    Folded state = fold_load(k, fold, 0);
    for (uint32_t i = 1; i < fold->copies; i++) state = fold_combine(k, fold, state, fold_load(k, fold, i));
    for (uint32_t lanes = fold->lanes; lanes > 1; lanes /= 2) {
        uint32_t half = lanes / 2;
        Folded low = {.value = half_of(k, state.value, 0, half)},
               high = {.value = half_of(k, state.value, half, half)};
        if (fold->finds) {
            low.place = half_of(k, state.place, 0, half);
            high.place = half_of(k, state.place, half, half);
        }
        state = fold_combine(k, fold, low, high);
    }
    return state;
}

LLVMValueRef fold_result(Kernel *k, const Fold *fold, Folded state) {
    if (!fold->finds) return state.value;
    /* Over no elements there is no place; the frontend has refused that, and 0 is a valid number for whatever
     * reads it. */
    LLVMValueRef none = nothing_yet(k, fold, emit_lane_count(state.place)).place;
    LLVMValueRef empty = LLVMBuildICmp(k->e->builder, LLVMIntEQ, state.place, none, "");
    return LLVMBuildSelect(k->e->builder, empty, LLVMConstNull(LLVMTypeOf(none)), state.place, "");
}

/* --- which depend on which */
static uint32_t depth_of(const Kernel *k, const Map *depth, const Node *node) {
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const Value *operand = node->operands[i];
        if (!operand->node || operand->block != k->body) continue;
        uint32_t below = (uint32_t)(uintptr_t)map_get(depth, operand->node);
        bool reduces = op_has(operand->node->op, TRAIT_REDUCES);
        if (below + reduces > deepest) deepest = below + reduces;
    }
    return deepest;
}

void body_reductions(Kernel *k, Reductions *out, uint32_t *level) {
    Map *depth = map_new(k->arena);
    for (const Node *node = k->body->first; node; node = node->next) {
        uint32_t deep = depth_of(k, depth, node);
        map_put(depth, node, (void *)(uintptr_t)deep);
        if (!op_has(node->op, TRAIT_REDUCES)) continue;
        if (level) level[out->count] = deep;
        vec_push(k->arena, out, node);
    }
}
