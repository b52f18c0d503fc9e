/* Random bits: Threefry-2x32-20 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3; SC 2011) on as
 * many lanes as wanted. What is key and what is counter, the interpreter says (ir/interpret.h); the bits are
 * the same. */
#include "codegen/elementwise.h"
#include "codegen/kernel.h"

/* Two 32-bit words, or vectors of them. */
typedef struct {
    LLVMValueRef low, high;
} Words;

static LLVMValueRef number_like(Emit *e, LLVMValueRef like, uint32_t value) {
    LLVMTypeRef i32 = LLVMInt32TypeInContext(e->llvm);
    return emit_splat(e, LLVMConstInt(i32, value, false), emit_lane_count(like));
}

static LLVMValueRef rotate(Emit *e, LLVMValueRef x, uint32_t by) {
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef arguments[] = {x, x, number_like(e, x, by)};
    return emit_intrinsic(e, "llvm.fshl", 1, &type, 3, arguments);
}

static Words threefry(Emit *e, Words key, Words counter) {
    const uint32_t rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    LLVMBuilderRef b = e->builder;
    LLVMValueRef parity =
        LLVMBuildXor(b, LLVMBuildXor(b, key.low, key.high, ""), number_like(e, key.low, 0x1BD11BDA), "");
    LLVMValueRef schedule[3] = {key.low, key.high, parity};
    LLVMValueRef x = LLVMBuildAdd(b, counter.low, schedule[0], ""),
                 y = LLVMBuildAdd(b, counter.high, schedule[1], "");
    for (uint32_t round = 0; round < 20; round++) {
        x = LLVMBuildAdd(b, x, y, "");
        y = LLVMBuildXor(b, rotate(e, y, rotations[round % 8]), x, "");
        if (round % 4 != 3) continue;
        uint32_t injection = round / 4 + 1;
        LLVMValueRef count = number_like(e, y, injection);
        x = LLVMBuildAdd(b, x, schedule[injection % 3], "");
        y = LLVMBuildAdd(b, y, LLVMBuildAdd(b, schedule[(injection + 1) % 3], count, ""), "");
    }
    return (Words){x, y};
}

/* The halves of an i64 or of each lane of a vector. */
static Words words_of(Emit *e, LLVMValueRef value) {
    LLVMTypeRef narrow = emit_lanes(LLVMInt32TypeInContext(e->llvm), emit_lane_count(value));
    LLVMValueRef shift = emit_splat(e, emit_i64(e, 32), emit_lane_count(value));
    return (Words){LLVMBuildTrunc(e->builder, value, narrow, ""),
                   LLVMBuildTrunc(e->builder, LLVMBuildLShr(e->builder, value, shift, ""), narrow, "")};
}

LLVMValueRef at_random_bits(Kernel *k, const Node *node, const At *at) {
    At scalar = {.lanes = 1};
    const At *once = at_keep(k, &scalar);
    LLVMValueRef seed = value_at(k, node->operands[0], once), stream = value_at(k, node->operands[1], once);
    Index index = at_linear(k, at);
    if (k->dry) return NULL;
    Emit *e = k->e;
    Words key = threefry(e, words_of(e, seed), words_of(e, stream));
    key = (Words){emit_splat(e, key.low, at->lanes), emit_splat(e, key.high, at->lanes)};
    return threefry(e, key, words_of(e, access_lanes(e, index, at->lanes))).low;
}
