/* Views of views become one, views that change nothing go, and elementwise operations move before the
 * broadcasts of their operands, where there is less to compute. */
#include "passes/simplify.h"

/* --- reshape */
static Value *rule_reshape(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    const Type *type = type_of(node);
    if (x->type == type) return x;
    if (is_const(x)) return const_like(b, x, type);
    if (made_by(x, OP_reshape)) return build_reshape(b, source(x), type->rank, type->dims);
    if (made_by(x, OP_broadcast) && source(x)->type->rank == 0) return build_like(b, source(x), type);
    return NULL;
}

/* --- permute */
static bool is_identity(const Attr *perm) {
    for (uint32_t i = 0; i < perm->count; i++)
        if (perm->ints[i] != i) return false;
    return true;
}

/* Do only axes of size 1 change places? Then the elements stay where they are. */
static bool moves_unit_axes_only(const Type *x, const Attr *perm) {
    int64_t last = -1;
    for (uint32_t i = 0; i < perm->count; i++) {
        if (dim_is(x->dims[perm->ints[i]], 1)) continue;
        if (perm->ints[i] < last) return false;
        last = perm->ints[i];
    }
    return true;
}

static Value *permute_permuted(Builder *b, const Value *inner, const Attr *outer) {
    const Attr *first = node_attr(inner->node, ATTR_perm);
    int64_t perm[MAX_RANK];
    for (uint32_t i = 0; i < outer->count; i++) perm[i] = first->ints[outer->ints[i]];
    return build_permute(b, source(inner), perm);
}

/* The broadcast of a permuted operand: axis `perm[i]` of the broadcast is axis i of the result. */
static Value *permute_broadcasted(Builder *b, const Value *inner, const Attr *perm, const Type *type) {
    const Attr *axes = node_attr(inner->node, ATTR_axes);
    int64_t moved[MAX_RANK], order[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t i = 0; i < perm->count; i++) {
        for (uint32_t k = 0; k < axes->count; k++) {
            if (axes->ints[k] != perm->ints[i]) continue;
            moved[count] = i;
            order[count++] = k;
        }
    }
    Value *x = count ? build_permute(b, source(inner), order) : source(inner);
    return build_broadcast(b, x, type->rank, type->dims, moved);
}

static Value *rule_permute(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    const Type *type = type_of(node);
    const Attr *perm = node_attr(node, ATTR_perm);
    if (is_identity(perm)) return x;
    if (is_const(x)) return const_like(b, x, type);
    if (made_by(x, OP_permute)) return permute_permuted(b, x, perm);
    if (made_by(x, OP_broadcast)) return permute_broadcasted(b, x, perm, type);
    return moves_unit_axes_only(x->type, perm) ? build_reshape(b, x, type->rank, type->dims) : NULL;
}

/* --- slice */
typedef struct {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    uint32_t rank;
} Window;

static Window window_of(const Node *slice) {
    Window w = {.rank = type_of(slice)->rank};
    for (uint32_t i = 0; i < w.rank; i++) {
        w.start[i] = node_attr(slice, ATTR_start)->dims[i];
        w.dims[i] = node_attr(slice, ATTR_dims)->dims[i];
        w.step[i] = node_attr(slice, ATTR_step)->ints[i];
    }
    return w;
}

/* NULL where the shape rule can see that it doesn't fit: what would stop the run is left as it was written.
 */
static Value *slice_window(Builder *b, Value *x, const Window *w) {
    const char *why;
    Attr attrs[] = {attr_dims(ATTR_start, w->rank, w->start), attr_dims(ATTR_dims, w->rank, w->dims),
                    attr_ints(ATTR_step, w->rank, w->step)};
    Node *node = build_try(b, OP_slice, 1, &x, 3, attrs, &why);
    return node ? node->results[0] : NULL;
}

static bool takes_all(const Window *w, const Type *x) {
    for (uint32_t i = 0; i < w->rank; i++)
        if (!dim_is(w->start[i], 0) || w->step[i] != 1 || w->dims[i] != x->dims[i]) return false;
    return true;
}

static Value *slice_sliced(Builder *b, const Value *inner, Window w) {
    Window first = window_of(inner->node);
    for (uint32_t i = 0; i < w.rank; i++) {
        const Dim *step = dim_const(b->graph->ir, first.step[i]);
        w.start[i] = dim_add(b->graph->ir, first.start[i], dim_mul(b->graph->ir, w.start[i], step));
        if (!w.start[i] || __builtin_mul_overflow(w.step[i], first.step[i], &w.step[i])) return NULL;
    }
    return slice_window(b, source(inner), &w);
}

/* Broadcast axes are just made as long as the slice is. */
static Value *slice_broadcasted(Builder *b, const Value *inner, const Window *w) {
    const Attr *axes = node_attr(inner->node, ATTR_axes);
    Window part = {.rank = axes->count};
    for (uint32_t i = 0; i < axes->count; i++) {
        part.start[i] = w->start[axes->ints[i]];
        part.dims[i] = w->dims[axes->ints[i]];
        part.step[i] = w->step[axes->ints[i]];
    }
    Value *x = takes_all(&part, source(inner)->type) ? source(inner) : slice_window(b, source(inner), &part);
    return x ? build_broadcast(b, x, w->rank, w->dims, axes->ints) : NULL;
}

/* The first of an order that nobody else reads: only they are looked for. Not from within a region that the
 * whole order stands outside of: there it may be made more often. */
static Value *first_places(Builder *b, const Value *places, Window w) {
    int64_t axis = node_int(places->node, ATTR_axis);
    const Dim *wanted = w.dims[axis];
    w.dims[axis] = places->type->dims[axis];
    if (!takes_all(&w, places->type)) return NULL;
    bool descending = node_int(places->node, ATTR_descending);
    return build_argsort(b, source(places), axis, descending, wanted);
}

static Value *rule_slice(Simplify *s, Builder *b, Node *node) {
    Value *x = in(node, 0);
    Window w = window_of(node);
    if (takes_all(&w, x->type)) return x;
    if (is_const(x)) return const_like(b, x, type_of(node));
    if (made_by(x, OP_slice)) return slice_sliced(b, x, w);
    if (made_by(x, OP_argsort) && read_once(s, x) && x->node->block == node->block)
        return first_places(b, x, w);
    return made_by(x, OP_broadcast) ? slice_broadcasted(b, x, &w) : NULL;
}

static Value *rule_dynamic_slice(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    const Type *type = type_of(node);
    const Attr *axes = node_attr(node, ATTR_axes);
    if (x->type == type) return x; /* the only start that fits is 0 */
    if (is_const(x)) return const_like(b, x, type);
    Window w = {.rank = type->rank};
    for (uint32_t i = 0; i < type->rank; i++) {
        w.start[i] = dim_const(b->graph->ir, 0);
        w.dims[i] = type->dims[i];
        w.step[i] = 1;
    }
    for (uint32_t i = 0; i < axes->count; i++) {
        if (!is_const(in(node, i + 1))) return NULL;
        w.start[axes->ints[i]] = dim_const(b->graph->ir, node_int(in(node, i + 1)->node, ATTR_ivalue));
    }
    return slice_window(b, x, &w);
}

static Value *rule_update_slice(Simplify *s, Builder *b, Node *node) {
    (void)s, (void)b;
    Value *x = in(node, 0), *part = in(node, 1);
    if (part->type == x->type) return part;
    for (uint32_t i = 0; i < part->type->rank; i++)
        if (dim_is(part->type->dims[i], 0)) return x;
    return NULL;
}

/* --- broadcast */
static Value *rule_broadcast(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    const Type *type = type_of(node);
    if (x->type == type) return x; /* all axes, in order */
    if (is_const(x)) return const_like(b, x, type);
    if (!made_by(x, OP_broadcast)) return NULL;
    const Attr *outer = node_attr(node, ATTR_axes), *inner = node_attr(x->node, ATTR_axes);
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < inner->count; i++) axes[i] = outer->ints[inner->ints[i]];
    return build_broadcast(b, source(x), type->rank, type->dims, axes);
}

/* --- pad and concat */
static bool same_constant(const Value *x, const Value *y) {
    if (!is_const(x) || !is_const(y) || x->type->dtype != y->type->dtype) return false;
    AttrKey key = dtype_is_float(x->type->dtype)                ? ATTR_value
                  : dtype_class(x->type->dtype) == CLASS_OPAQUE ? ATTR_text
                                                                : ATTR_ivalue;
    return attr_same(node_attr(x->node, key), node_attr(y->node, key));
}

static Value *rule_pad(Simplify *s, Builder *b, Node *node) {
    (void)s;
    Value *x = in(node, 0);
    if (same_constant(x, in(node, 1))) return const_like(b, x, type_of(node));
    for (uint32_t i = 0; i < x->type->rank; i++)
        if (!dim_is(node_attr(node, ATTR_low)->dims[i], 0) ||
            !dim_is(node_attr(node, ATTR_high)->dims[i], 0) || node_attr(node, ATTR_interior)->ints[i])
            return NULL;
    return x;
}

static Value *rule_concat(Simplify *s, Builder *b, Node *node) {
    int64_t axis = node_int(node, ATTR_axis);
    Value **parts = ARENA_ARRAY(s->scratch, Value *, node->operand_count);
    uint32_t count = 0;
    bool same = true;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        same = same && same_constant(in(node, 0), in(node, i));
        if (!dim_is(in(node, i)->type->dims[axis], 0)) parts[count++] = in(node, i);
    }
    if (same) return const_like(b, in(node, 0), type_of(node));
    if (count == 1) return parts[0];
    return count && count < node->operand_count ? build_concat(b, count, parts, axis) : NULL;
}

static Value *rule_iota(Simplify *s, Builder *b, Node *node) {
    (void)s;
    const Type *type = type_of(node);
    return dim_is(type->dims[node_int(node, ATTR_axis)], 1) ? build_const(b, type, 0) : NULL;
}

/* --- elementwise operations of broadcasts */
/* The broadcast that every operand that is no constant is one alike, or NULL. */
static const Node *common_broadcast(const Node *node) {
    const Node *first = NULL;
    for (uint32_t i = 0; i < node->operand_count; i++) {
        const Value *x = in(node, i);
        if (is_const(x)) continue;
        if (!made_by(x, OP_broadcast)) return NULL;
        if (!first) first = x->node;
        if (!attr_same(node_attr(first, ATTR_axes), node_attr(x->node, ATTR_axes))) return NULL;
    }
    return first;
}

static Value *before_broadcast(Simplify *s, Builder *b, Node *node) {
    const Node *broadcast = common_broadcast(node);
    if (!broadcast) return NULL;
    const Type *small = broadcast->operands[0]->type, *type = type_of(node);
    Value *operands[3];
    for (uint32_t i = 0; i < node->operand_count; i++) {
        Value *x = in(node, i);
        operands[i] =
            is_const(x) ? const_like(b, x, type_with_dtype(s->graph->ir, small, x->type->dtype)) : source(x);
    }
    Node *computed = build_node(b, node->op, node->operand_count, operands, node->attr_count, node->attrs);
    return build_broadcast(b, computed->results[0], type->rank, type->dims,
                           node_attr(broadcast, ATTR_axes)->ints);
}

/* Whichever elements of a constant are taken: they are the same. */
static Value *rule_gather(Simplify *s, Builder *b, Node *node) {
    (void)s;
    return is_const(in(node, 0)) ? const_like(b, in(node, 0), type_of(node)) : NULL;
}

Value *simplify_view(Simplify *s, Builder *b, Node *node) {
    static Rule *const rules[OP_COUNT] = {
        [OP_reshape] = rule_reshape,
        [OP_permute] = rule_permute,
        [OP_slice] = rule_slice,
        [OP_dynamic_slice] = rule_dynamic_slice,
        [OP_update_slice] = rule_update_slice,
        [OP_broadcast] = rule_broadcast,
        [OP_pad] = rule_pad,
        [OP_gather] = rule_gather,
        [OP_concat] = rule_concat,
        [OP_iota] = rule_iota,
    };
    if (op_has(node->op, TRAIT_ELEMENTWISE)) return before_broadcast(s, b, node);
    return rules[node->op] ? rules[node->op](s, b, node) : NULL;
}
