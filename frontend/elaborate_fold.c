/* What a scalar is at compile time, where arithmetic on constants is all that makes it: `sqrt(float(width))`.
 */
#include "frontend/elaborate.h"
#include "ir/interpret.h"

enum { MAX_DEPTH = 100 }; /* of expressions: deeper ones are left to run time */

/* The value of a scalar node that is a constant; *open where sizes without a number are all that is missing.
 */
static bool fold(Elab *e, Value *value, int depth, bool *open, Tensor *out) {
    value = value_resolve(value);
    const Node *node = value->node;
    bool arithmetic =
        node && (node->op == OP_const || node->op == OP_size || op_has(node->op, TRAIT_ELEMENTWISE));
    *open = false;
    if (!arithmetic || value->type->rank || depth == MAX_DEPTH) return false;
    if (node->op == OP_size && !dim_is_const(node_dim(node, ATTR_dim), NULL)) {
        *open = true;
        return false;
    }
    Tensor *operands = ARENA_ARRAY(e->arena, Tensor, node->operand_count + 1);
    bool known = true, missing = false;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        bool part = false;
        if (fold(e, node->operands[i], depth + 1, &part, &operands[i])) continue;
        known = false;
        missing |= !part;
    }
    *open = !known && !missing;
    return known && interpret_node(node, operands, out, e->arena);
}

const Val *val_folded(Elab *e, const Val *v, bool *open) {
    Tensor t;
    *open = false;
    if (v->kind != VAL_TENSOR || v->tensor.type->rank) return NULL;
    if (v->tensor.dim) return val_dim(e, v->tensor.dim);
    if (v->tensor.known) return val_known(e, v->tensor.type, v->tensor.number);
    if (!v->tensor.value || !fold(e, v->tensor.value, 0, open, &t)) return NULL;
    if (t.f) return val_known(e, v->tensor.type, t.f[0]);
    return t.dtype == DTYPE_i64 ? val_dim(e, dim_const(e->ir, t.i[0]))
                                : val_known(e, v->tensor.type, (double)t.i[0]);
}
