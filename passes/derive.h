/* The derivative column of ops.def: one rule builds, for one node, the adjoints of its operands from the
 * adjoint of its result. Rules are made of differentiable nodes only, so derivatives have derivatives. */
#ifndef PASSES_DERIVE_H
#define PASSES_DERIVE_H

#include "ir/build.h"

/* One application of a rule. `adjoint` has the type of the node's only result. */
typedef struct {
    Builder *b;
    const Node *node;
    Value *adjoint;
    void *user;
    bool (*wants)(void *user, const Value *operand);
    void (*add)(void *user, Builder *b, Value *operand, Value *adjoint);
} Derive;

typedef void DeriveRule(Derive *d);

/* NULL for `none` (no gradient flows) and for operations with regions, which autodiff itself reverses. */
DeriveRule *derive_rule(Op op);
/* Is the derivative zero wherever it exists (sign, floor, …)? */
bool derive_is_zero(Op op);

/* --- for rules */
Value *derive_operand(const Derive *d, uint32_t k);
Value *derive_result(const Derive *d);
/* Does operand k depend on what is differentiated by? Rules build nothing for the others. */
bool derive_wants(const Derive *d, uint32_t k);
/* Adds to the adjoint of operand k; `adjoint` has the operand's type. */
void derive_give(Derive *d, uint32_t k, Value *adjoint);
Value *derive_constant(const Derive *d, const Value *like, double value);
Value *derive_zeros(const Derive *d, const Value *like);
/* v one place later along the axis, with `first` in front: the axis keeps its size. */
Value *derive_delayed(Builder *b, Value *v, int64_t axis, double first);

#define OP(name, arity, traits, shape, derive) DeriveRule derive_##derive;
#include "ir/ops.def"
#undef OP

#endif
