/* Folds constants by the reference interpreter. Constants are splats, so elementwise operations fold at any
 * size, run-time sizes included; others where the result is small and comes out as a splat. */
#include "ir/interpret.h"
#include "passes/simplify.h"

enum { MAX_FOLDED = 1024 }; /* elements of operands and result: more would cost more than it could save */

/* A tensor full of the constant. False where it has no constant, small size. */
static bool fill(const Value *constant, const Type *type, Arena *arena, Tensor *out) {
    int64_t dims[MAX_RANK] = {0}, count = 1;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is_const(type->dims[i], &dims[i]) || dims[i] > MAX_FOLDED || (count *= dims[i]) > MAX_FOLDED)
            return false;
    *out = tensor_new(arena, type->dtype, type->rank, dims);
    for (int64_t k = 0; k < count; k++) {
        if (out->f) out->f[k] = round_to(type->dtype, node_attr(constant->node, ATTR_value)->number);
        if (out->i) out->i[k] = node_int(constant->node, ATTR_ivalue);
    }
    return true;
}

static bool operands_are_const(const Node *node) {
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!is_const(node->operands[i]) || dtype_class(node->operands[i]->type->dtype) == CLASS_OPAQUE)
            return false;
    return true;
}

static bool is_uniform(const Tensor *t) {
    for (int64_t k = 1; k < t->count; k++) {
        if (t->f && memcmp(&t->f[k], &t->f[0], sizeof *t->f) != 0) return false;
        if (t->i && t->i[k] != t->i[0]) return false;
    }
    return t->count > 0;
}

static Value *splat(Builder *b, const Type *type, const Tensor *value) {
    return value->f ? const_number(b, type, value->f[0]) : const_integer(b, type, value->i[0]);
}

static Value *fold_small(Simplify *s, Builder *b, const Node *node) {
    Tensor result, *operands = ARENA_ARRAY(s->scratch, Tensor, node->operand_count);
    for (uint32_t i = 0; i < node->operand_count; i++)
        if (!fill(node->operands[i], node->operands[i]->type, s->scratch, &operands[i])) return NULL;
    if (!interpret_node(node, operands, &result, s->scratch) || !is_uniform(&result)) return NULL;
    return splat(b, node->results[0]->type, &result);
}

/* The operation on splats is a splat of the operation on their scalars. */
static Value *fold_elementwise(Simplify *s, Builder *b, const Node *node) {
    uint32_t count = node->operand_count;
    Tensor result, *operands = ARENA_ARRAY(s->scratch, Tensor, count);
    for (uint32_t i = 0; i < count; i++)
        fill(node->operands[i], type_scalar(s->graph->ir, node->operands[i]->type->dtype), s->scratch,
             &operands[i]);
    const Type *type = node->results[0]->type, *scalar = type_scalar(s->graph->ir, type->dtype);
    const Node *one = node_new(s->graph, node->op, count, node->operands, node->attr_count, node->attrs, 1,
                               &scalar, node->loc);
    return interpret_node(one, operands, &result, s->scratch) ? splat(b, type, &result) : NULL;
}

static bool is_small(const Type *type) {
    int64_t size, count = 1;
    for (uint32_t i = 0; i < type->rank; i++)
        if (!dim_is_const(type->dims[i], &size) || size > MAX_FOLDED || (count *= size) > MAX_FOLDED)
            return false;
    return true;
}

/* Nothing is computed for a tensor without elements. */
static bool is_empty(const Type *type) {
    for (uint32_t i = 0; i < type->rank; i++)
        if (dim_is(type->dims[i], 0)) return true;
    return false;
}

Value *simplify_fold(Simplify *s, Builder *b, Node *node) {
    const Type *type = node->results[0]->type;
    if (node->op == OP_const || op_has(node->op, TRAIT_HOST) || node->op == OP_copy) return NULL;
    if (is_empty(type)) return build_const(b, type, 0);
    if (node->op == OP_grad || !operands_are_const(node)) return NULL;
    if (op_has(node->op, TRAIT_ELEMENTWISE)) return fold_elementwise(s, b, node);
    return is_small(type) ? fold_small(s, b, node) : NULL;
}
