/* The table of derivative rules, and what rules share. */
#include "passes/derive.h"
#include <assert.h>

static DeriveRule *const rules[OP_COUNT] = {
#define OP(name, arity, traits, shape, derive) [OP_##name] = derive_##derive,
#include "ir/ops.def"
#undef OP
};

DeriveRule *derive_rule(Op op) { return rules[op] == derive_none ? NULL : rules[op]; }

bool derive_is_zero(Op op) { return rules[op] == derive_zero || rules[op] == derive_zero2; }

void derive_none(Derive *d) {
    (void)d;
    assert(false && "no gradient flows through this operation");
}

void derive_zero(Derive *d) { (void)d; }
void derive_zero2(Derive *d) { (void)d; }

Value *derive_operand(const Derive *d, uint32_t k) { return d->node->operands[k]; }
Value *derive_result(const Derive *d) { return d->node->results[0]; }
bool derive_wants(const Derive *d, uint32_t k) { return d->wants(d->user, derive_operand(d, k)); }

void derive_give(Derive *d, uint32_t k, Value *adjoint) {
    assert(adjoint->type == derive_operand(d, k)->type);
    d->add(d->user, d->b, derive_operand(d, k), adjoint);
}

Value *derive_constant(const Derive *d, const Value *like, double value) {
    return build_const(d->b, like->type, value);
}

Value *derive_zeros(const Derive *d, const Value *like) { return derive_constant(d, like, 0); }
