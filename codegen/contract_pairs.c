#include "codegen/contract_pairs.h"
#include "codegen/vector.h"

/* --- which axis */
static bool is_even(Size size) { return size.known && size.constant % 2 == 0; }

static bool are_even(const ProductAxis *axis, uint32_t count, bool of_b) {
    for (uint32_t i = 0; i < count; i++)
        if (!is_even(of_b ? axis[i].b : axis[i].a)) return false;
    return true;
}

/* Is the operand one of pairs already, each in one place? It may begin at any bf16, so that a pair isn't
 * aligned as an f32 is; the CPUs that multiply pairs load from anywhere. */
static bool lies_so(const Product *p, uint32_t axis, bool of_b) {
    const ProductAxis *k = &p->k.at[axis];
    return size_is(of_b ? k->b : k->a, 1) && are_even(p->k.at, axis, of_b) &&
           are_even(k + 1, p->k.count - axis - 1, of_b) && are_even(p->outer.at, p->outer.count, of_b) &&
           are_even(p->rows.at, p->rows.count, of_b) && are_even(&p->column, 1, of_b);
}

static bool may_be_cut(const ProductAxis *k) {
    return !k->edge && is_even(k->extent) && k->extent.constant > 0 && !size_is(k->a, 0) && !size_is(k->b, 0);
}

/* One along which A's pairs lie, or else the innermost; p->k.count: none. */
static uint32_t axis_of_pairs(const Product *p) {
    uint32_t chosen = p->k.count;
    for (uint32_t i = p->k.count; i-- > 0;) {
        if (!may_be_cut(&p->k.at[i])) continue;
        if (lies_so(p, i, false)) return i;
        if (chosen == p->k.count) chosen = i;
    }
    return chosen;
}

/* --- cutting it */
static Size *stride_of(ProductAxis *axis, bool of_b) { return of_b ? &axis->b : &axis->a; }

/* Strides count pairs. */
static void halve(Emit *e, ProductAxis *axis, uint32_t count, bool of_b) {
    for (uint32_t i = 0; i < count; i++)
        *stride_of(&axis[i], of_b) = size_div(e, *stride_of(&axis[i], of_b), 2);
}

static void cut_operand(Emit *e, Product *p, uint32_t axis, bool of_b) {
    Size *stride = stride_of(&p->k.at[axis], of_b), *apart = of_b ? &p->b_apart : &p->a_apart, one = *stride;
    bool together = lies_so(p, axis, of_b);
    *stride = size_mul(e, one, size_known(e, 2));
    if (!together) {
        *apart = one;
        return;
    }
    *(of_b ? &p->b_memory : &p->a_memory) = p->element;
    halve(e, p->outer.at, p->outer.count, of_b);
    halve(e, p->rows.at, p->rows.count, of_b);
    halve(e, p->k.at, p->k.count, of_b);
    halve(e, &p->column, 1, of_b);
}

bool pairs_make(Emit *e, Product *p) {
    uint32_t axis = axis_of_pairs(p);
    if (p->dtype != DTYPE_bf16 || !e->target.bf16_pairs || axis == p->k.count) return false;
    if (p->contract->terms && p->k.count > 1) return false;
    cut_operand(e, p, axis, false);
    cut_operand(e, p, axis, true);
    p->pairs = true;
    p->depth = size_div(e, p->depth, 2);
    p->k.at[axis].extent = size_div(e, p->k.at[axis].extent, 2);
    if (!size_is(p->k.at[axis].extent, 1)) return true;
    for (uint32_t i = axis + 1; i < p->k.count; i++) p->k.at[i - 1] = p->k.at[i];
    p->k.count--;
    return true;
}

/* --- registers */
LLVMValueRef pairs_multiply_add(Emit *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef sum) {
    uint32_t lanes = vector_lanes(LLVMTypeOf(sum));
    LLVMTypeRef type = LLVMVectorType(LLVMBFloatTypeInContext(e->llvm), 2 * lanes);
    LLVMValueRef arguments[] = {sum, LLVMBuildBitCast(e->builder, x, type, ""),
                                LLVMBuildBitCast(e->builder, y, type, "")};
    const char *name = arena_printf(e->arena, "llvm.x86.avx512bf16.dpbf16ps.%u", 32 * lanes);
    return vector_instruction(e, name, 3, arguments);
}

LLVMValueRef pairs_of(Emit *e, LLVMValueRef first, LLVMValueRef second) {
    uint32_t lanes = vector_lanes(LLVMTypeOf(first));
    LLVMTypeRef wide = emit_lanes(LLVMInt32TypeInContext(e->llvm), lanes);
    LLVMValueRef sixteen = vector_splat(e, LLVMConstInt(LLVMInt32TypeInContext(e->llvm), 16, false), lanes);
    LLVMValueRef low = LLVMBuildZExt(e->builder, first, wide, "");
    LLVMValueRef high = LLVMBuildShl(e->builder, LLVMBuildZExt(e->builder, second, wide, ""), sixteen, "");
    return LLVMBuildBitCast(e->builder, LLVMBuildOr(e->builder, low, high, ""),
                            emit_lanes(LLVMFloatTypeInContext(e->llvm), lanes), "");
}
