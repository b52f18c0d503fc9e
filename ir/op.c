/* The columns of ops.def that need no graph: names, arities, traits. */
#include "ir/op.h"
#include <string.h>

typedef struct {
    const char *name;
    int arity;
    uint32_t traits;
} OpRow;

#define ELEMENTWISE TRAIT_ELEMENTWISE
#define COMMUTES TRAIT_COMMUTES
#define VIEW TRAIT_VIEW
#define REDUCES TRAIT_REDUCES
#define EFFECT TRAIT_EFFECT
#define REGION TRAIT_REGION
#define HOST TRAIT_HOST
#define PARTIAL TRAIT_PARTIAL
#define SCANS TRAIT_SCANS
#define UPDATES TRAIT_UPDATES
#define GIVEN TRAIT_GIVEN

static const OpRow rows[OP_COUNT] = {
#define OP(name, arity, traits, shape, derive) {#name, arity, (uint32_t)(traits)},
#include "ir/ops.def"
#undef OP
};

const char *op_name(Op op) { return rows[op].name; }

int op_arity(Op op) { return rows[op].arity; }

bool op_has(Op op, Trait trait) { return (rows[op].traits & (uint32_t)trait) != 0; }

bool op_from_name(const char *name, size_t length, Op *op) {
    for (int i = 0; i < OP_COUNT; i++) {
        if (strlen(rows[i].name) != length || memcmp(rows[i].name, name, length) != 0) continue;
        *op = (Op)i;
        return true;
    }
    return false;
}
