/* Extremes and their places. The greatest or least element as a sum of what is selected at its place, which
 * is how the library says a maximum whose derivative goes to the first of equals, is a maximum where nobody
 * differentiates it. Where somebody does, its place along a short axis is compared as a byte, which is what
 * is stored then. */
#include "passes/simplify.h"

enum { BYTE_NUMBERS = 256 }; /* that a byte tells apart */

/* The node behind a cast. */
static const Node *counted(const Value *value) {
    return made_by(value, OP_cast) ? source(value)->node : value->node;
}

/* Are the elements their own numbers along `axis`? */
static bool counts_along(const Value *value, int64_t axis) {
    const Node *node = counted(value);
    if (!node || (node->op != OP_iota && node->op != OP_broadcast)) return false;
    if (node->op == OP_iota) return node_int(node, ATTR_axis) == axis;
    const Node *numbers = counted(in(node, 0));
    return numbers && numbers->op == OP_iota &&
           node_attr(node, ATTR_axes)->ints[node_int(numbers, ATTR_axis)] == axis;
}

/* The argmax or argmin along `axis` that `value` repeats along it, or NULL. */
static const Node *place_along(const Value *value, int64_t axis) {
    if (!made_by(value, OP_broadcast)) return NULL;
    const Node *found = counted(source(value));
    if (!found || (found->op != OP_argmax && found->op != OP_argmin)) return NULL;
    const Attr *kept = node_attr(value->node, ATTR_axes);
    bool same = node_attr(found, ATTR_axes)->ints[0] == axis && kept->count + 1 == value->type->rank;
    for (uint32_t i = 0; same && i < kept->count; i++) same = kept->ints[i] == i + (i >= axis);
    return same ? found : NULL;
}

Value *simplify_place(Simplify *s, Builder *b, Node *node) {
    (void)s;
    if (node->op != OP_eq || in(node, 0)->type->dtype != DTYPE_i64) return NULL;
    for (uint32_t i = 0; i < 2; i++) {
        Value *place = in(node, i), *number = in(node, 1 - i);
        int64_t extent;
        for (uint32_t axis = 0; axis < place->type->rank; axis++) {
            const Node *found = place_along(place, axis);
            if (!found || !counts_along(number, axis)) continue;
            if (!dim_is_const(place->type->dims[axis], &extent) || extent > BYTE_NUMBERS) continue;
            const Attr *axes = node_attr(place->node, ATTR_axes);
            Value *byte = build_cast(b, source(place), DTYPE_u8);
            byte = build_broadcast(b, byte, place->type->rank, place->type->dims, axes->ints);
            return build_binary(b, OP_eq, byte, build_cast(b, number, DTYPE_u8));
        }
    }
    return NULL;
}

Value *simplify_extreme(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *chosen = node->operands[0];
    const Attr *axes = node_attr(node, ATTR_axes);
    if (node->op != OP_reduce_sum || axes->count != 1 || !made_by(chosen, OP_select)) return NULL;
    const Node *here = in(chosen->node, 0)->node;
    Value *x = in(chosen->node, 1);
    if (!here || here->op != OP_eq || !is_splat(in(chosen->node, 2), 0)) return NULL;
    for (uint32_t i = 0; i < 2; i++) {
        const Node *found = place_along(in(here, i), axes->ints[0]);
        if (!found || in(found, 0) != x || !counts_along(in(here, 1 - i), axes->ints[0])) continue;
        Op op = found->op == OP_argmax ? OP_reduce_max : OP_reduce_min;
        Value *extreme = build_reduce(b, op, x, 1, axes->ints);
        /* A sum of zeros is never -0. */
        if (!dtype_is_float(x->type->dtype)) return extreme;
        return build_binary(b, OP_add, extreme, const_number(b, extreme->type, 0));
    }
    return NULL;
}
