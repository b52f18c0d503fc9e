/* The operation table, as data: everything that is known of an operation without a graph. */
#ifndef IR_OP_H
#define IR_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
#define OP(name, arity, traits, shape, derive) OP_##name,
#include "ir/ops.def"
#undef OP
    OP_COUNT
} Op;

enum { VARIADIC = -1 };

typedef enum {
    TRAIT_ELEMENTWISE = 1 << 0,
    TRAIT_COMMUTES = 1 << 1,
    TRAIT_VIEW = 1 << 2,
    TRAIT_REDUCES = 1 << 3,
    TRAIT_EFFECT = 1 << 4,
    TRAIT_REGION = 1 << 5,
    TRAIT_HOST = 1 << 6,
    TRAIT_PARTIAL = 1 << 7,
    TRAIT_SCANS = 1 << 8,
    TRAIT_GIVEN = 1 << 9,
    TRAIT_UPDATES = 1 << 10
} Trait;

const char *op_name(Op op);
int op_arity(Op op);
bool op_has(Op op, Trait trait);
bool op_from_name(const char *name, size_t length, Op *op);

#endif
