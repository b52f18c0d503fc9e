/* Small things on registers, scalar or vector alike: constants, intrinsics, multiply-add, loads and stores of
 * unaligned vectors. */
#ifndef CODEGEN_VECTOR_H
#define CODEGEN_VECTOR_H

#include "codegen/emit.h"

/* 1 for a scalar. */
uint32_t vector_lanes(LLVMTypeRef type);
/* The type of one lane. */
LLVMTypeRef vector_element(LLVMTypeRef type);
/* The scalar in every lane of `type`. */
LLVMValueRef vector_splat(Emit *e, LLVMValueRef scalar, uint32_t lanes);
/* The LLVM intrinsic `name` overloaded on `type` alone. */
LLVMValueRef vector_intrinsic(Emit *e, const char *name, LLVMTypeRef type, uint32_t count,
                              LLVMValueRef *arguments);
/* The LLVM intrinsic of a target's instruction. */
LLVMValueRef vector_instruction(Emit *e, const char *name, uint32_t count, LLVMValueRef *arguments);
/* x·y + z: rounded once where the target can (Target.fma), wrapping for integers. */
LLVMValueRef vector_multiply_add(Emit *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z);

/* x / y of floats. */
LLVMValueRef vector_divide(Emit *e, LLVMValueRef x, LLVMValueRef y);
/* Integers wrap. */
LLVMValueRef vector_add(Emit *e, LLVMValueRef a, LLVMValueRef b);
/* `lanes` consecutive elements, aligned as elements are. */
LLVMValueRef vector_load(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, uint32_t lanes);
/* Lanes whose mask bit is clear are not read; they are 0. */
LLVMValueRef vector_load_masked(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, LLVMValueRef mask);
/* The same where there is a mask, else `lanes` elements. */
LLVMValueRef vector_load_some(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, uint32_t lanes,
                              LLVMValueRef mask);
/* Asks for the line at pointer + index elements, which need not exist, to come to the second level of the
 * cache. */
void vector_prefetch(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, LLVMValueRef index);
/* Lanes `stride` elements apart, 2 to VECTOR_MAX_STRIDE, are loaded as so many vectors, piece number i from
 * element vector_piece(…) on, and picked from them. None reaches beyond the last lane's element. */
enum { VECTOR_MAX_STRIDE = 4 };
int64_t vector_piece(uint32_t lanes, int64_t stride, int64_t i);
LLVMValueRef vector_pick(Emit *e, const LLVMValueRef *pieces, uint32_t lanes, int64_t stride);
/* Which elements of the piece belong to lanes of the mask. */
LLVMValueRef vector_piece_mask(Emit *e, LLVMValueRef mask, uint32_t lanes, int64_t stride, int64_t i);
/* Every second element of two vectors that lie side by side, from number `from_a` (0 or 1) of `a` on and
 * number `from_b` of `b`, in an order that takes no moves between the parts of a register:
 * vector_halves_in_order of that, or of what is computed from it lane by lane, is in the order of memory.
 * `bytes`: of what was loaded. */
LLVMValueRef vector_halves(Emit *e, LLVMValueRef a, LLVMValueRef b, uint32_t from_a, uint32_t from_b,
                           uint32_t bytes);
LLVMValueRef vector_halves_in_order(Emit *e, LLVMValueRef halves, uint32_t bytes);
/* Where lane `l` of the order of memory is in that. */
int64_t vector_halves_lane(int64_t l, uint32_t lanes, uint32_t bytes);
/* Half number `half` of a mask whose every lane is there twice. */
LLVMValueRef vector_twice(Emit *e, LLVMValueRef mask, uint32_t half);
/* Each lane `times` times; and whether any of so many neighbours is set. */
LLVMValueRef vector_repeat(Emit *e, LLVMValueRef value, uint32_t times);
LLVMValueRef vector_any_of(Emit *e, LLVMValueRef mask, uint32_t neighbours);
/* Its first lanes, of which one is a scalar, or all and zeros behind them. */
LLVMValueRef vector_resize(Emit *e, LLVMValueRef value, uint32_t lanes);
/* So many of its lanes, of which one is a scalar. */
LLVMValueRef vector_part(Emit *e, LLVMValueRef value, uint32_t from, uint32_t lanes);
void vector_store(Emit *e, LLVMValueRef value, LLVMValueRef pointer);
/* The same, lanes `stride` (an i64) elements apart. Lanes whose mask bit is clear are not written; NULL = all
 * are. */
void vector_store_lanes(Emit *e, LLVMValueRef value, LLVMValueRef pointer, LLVMValueRef stride,
                        LLVMValueRef mask);
/* No more than `kept` values stay in vector registers across this place. LLVM hoists the constants of one
 * loop over the whole of another that needs every register for its sums, and then spills these. */
void vector_release(Emit *e, uint32_t kept);
/* The i64 or vector itself, of which LLVM doesn't see where it comes from. Of all that is computed from a
 * loop's index it makes indices of their own, which count along; with more of these than registers they lie
 * on the stack. */
LLVMValueRef vector_opaque(Emit *e, LLVMValueRef i);
/* The mask, of which LLVM doesn't see the bits, nor that two are the same. */
LLVMValueRef vector_opaque_mask(Emit *e, LLVMValueRef mask);
/* Up to 16 vectors of a register each (others it leaves alone) that are all computed before any is used.
 * LLVM's scheduler computes one after the other, if that is how they are stored, keeping what these share
 * until there are no registers left. */
void vector_meet(Emit *e, LLVMValueRef *values, uint32_t count);
/* The least power of two that isn't below. */
uint32_t vector_lanes_over(uint32_t elements);
/* Do masked loads and stores cost what others do? */
bool vector_masks(const Target *target);
/* Mask of the first `count` (i64) of `lanes` lanes. */
LLVMValueRef vector_first_lanes(Emit *e, LLVMValueRef count, uint32_t lanes);
/* pointer + index elements */
LLVMValueRef vector_at(Emit *e, LLVMTypeRef element, LLVMValueRef pointer, LLVMValueRef index);

#endif
