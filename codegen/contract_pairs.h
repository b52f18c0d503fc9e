/* Products of bf16 two steps of k at a time: one instruction multiplies the pairs of two registers and adds
 * each lane's two products to an f32, twice as much as a multiply-add of widened elements does (VDPBF16PS,
 * Intel Architecture Instruction Set Extensions; numbers below f32's least normal one count as 0). A pair is
 * what a 32-bit element is elsewhere: it is broadcast, transposed and packed so. */
#ifndef CODEGEN_CONTRACT_PAIRS_H
#define CODEGEN_CONTRACT_PAIRS_H

#include "codegen/contract_product.h"

enum { PAIRS_MIN_LANES = 4 };

/* Makes pairs along an axis of k of a product that has one whose extent is known and even, and whose other
 * sizes allow it. Where an operand's two don't lie together, or pairs at uneven distances, they are put
 * together when it is packed. False: `p` is as it was. */
bool pairs_make(Emit *e, Product *p);
/* The pairs of bf16 in f32 x and y, lane by lane: sum + x₁·y₁ + x₀·y₀. Of 4, 8 or 16 lanes. */
LLVMValueRef pairs_multiply_add(Emit *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef sum);
/* f32 lanes of pairs, from the bits (i16) of their first elements and their second ones. */
LLVMValueRef pairs_of(Emit *e, LLVMValueRef first, LLVMValueRef second);

#endif
