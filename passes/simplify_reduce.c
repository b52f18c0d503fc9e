/* Reductions and contractions of views: what is seen through a view is reduced where it lies. */
#include "ir/shape.h"
#include "passes/simplify.h"

/* The same reduction of x over other axes; x itself over none. */
static Value *reduce(Builder *b, const Node *node, Value *x, uint32_t count, const int64_t *axes) {
    return build_reduce(b, node->op, x, count, axes);
}

static bool is_argument(Op op) { return op == OP_argmax || op == OP_argmin; }

/* --- axes of size 1 */
static Value *without_unit_axes(Builder *b, Node *node) {
    const Attr *axes = node_attr(node, ATTR_axes);
    const Type *x = in(node, 0)->type;
    const Dim *dims[MAX_RANK];
    int64_t left[MAX_RANK];
    uint32_t rank = 0, count = 0;
    for (uint32_t i = 0; i < x->rank; i++) {
        bool reduced = attr_has(axes, i);
        if (reduced && dim_is(x->dims[i], 1)) continue;
        if (reduced) left[count++] = rank;
        dims[rank++] = x->dims[i];
    }
    if (axes->count && rank == x->rank) return NULL;
    if (is_argument(node->op)) return build_const(b, type_of(node), 0);
    return reduce(b, node, build_reshape(b, in(node, 0), rank, dims), count, left);
}

/* --- of x, permuted */
static Value *of_permuted(Builder *b, Node *node, const Attr *perm, Value *x) {
    const Attr *axes = node_attr(node, ATTR_axes);
    bool reduced[MAX_RANK] = {false};
    int64_t inner[MAX_RANK], place[MAX_RANK], back[MAX_RANK];
    uint32_t count = 0, rank = 0, kept = 0;
    for (uint32_t i = 0; i < axes->count; i++) reduced[perm->ints[axes->ints[i]]] = true;
    for (uint32_t i = 0; i < perm->count; i++) { /* axes of the source */
        if (reduced[i])
            inner[count++] = i;
        else
            place[i] = rank++; /* where it is once the others are gone */
    }
    for (uint32_t i = 0; i < perm->count; i++)
        if (!reduced[perm->ints[i]]) back[kept++] = place[perm->ints[i]];
    Value *result = reduce(b, node, x, count, inner);
    return rank ? build_permute(b, result, back) : result;
}

/* --- of what is computed, element by element, of something permuted */
static bool is_uniform(const Value *x) {
    return is_const(x) || (made_by(x, OP_broadcast) && source(x)->type->rank == 0);
}

/* Do all that x is computed of in the block, scalars aside, pass through the same permutation? It is put into
 * `*perm`. What is computed is read by one node, `times` times: twice by one whose operands are both it. */
static bool finds_order(const Simplify *s, const Value *x, const Block *block, uint32_t times,
                        const Attr **perm) {
    const Node *node = x->node;
    if (is_uniform(x)) return true;
    if (made_by(x, OP_permute)) {
        /* A product is made in the order in which others read it. */
        if (made_by(source(x), OP_contract)) return false;
        const Attr *own = node_attr(node, ATTR_perm);
        bool same = !*perm || attr_same(*perm, own);
        *perm = own;
        return same;
    }
    if (!node || !op_has(node->op, TRAIT_ELEMENTWISE) || node->block != block) return false;
    if (x->id >= s->counted || s->uses[x->id] != times) return false;
    bool twice = node->operand_count == 2 && in(node, 0) == in(node, 1);
    for (uint32_t i = twice; i < node->operand_count; i++)
        if (!finds_order(s, in(node, i), block, 1 + twice, perm)) return false;
    return true;
}

/* The same, computed of what is permuted as it lies. */
static Value *as_it_lies(Builder *b, Value *x, const int64_t *back) {
    if (is_uniform(x)) return build_permute(b, x, back);
    const Node *node = x->node;
    if (node->op == OP_permute) return source(x);
    Value *operands[3]; /* no elementwise operation has more */
    for (uint32_t i = 0; i < node->operand_count; i++)
        operands[i] = i && in(node, i) == in(node, 0) ? operands[0] : as_it_lies(b, in(node, i), back);
    return build_node(b, node->op, node->operand_count, operands, node->attr_count, node->attrs)->results[0];
}

/* As a reduction of something permuted. */
static Value *of_order(Simplify *s, Builder *b, Node *node) {
    const Attr *perm = NULL;
    Value *x = in(node, 0);
    int64_t back[MAX_RANK];
    if (!finds_order(s, x, node->block, 1, &perm) || !perm) return NULL;
    for (uint32_t i = 0; i < perm->count; i++) back[perm->ints[i]] = i;
    return of_permuted(b, node, perm, as_it_lies(b, x, back));
}

/* --- of a broadcast operand */
/* Each element is met `times` times; false where that isn't known or its effect can't be told exactly. */
static bool repetition(const Node *node, const Attr *axes, const Attr *kept, int64_t *times) {
    *times = 1;
    for (uint32_t i = 0; i < axes->count; i++) {
        int64_t size;
        if (attr_has(kept, axes->ints[i])) continue;
        const Dim *dim = in(node, 0)->type->dims[axes->ints[i]];
        if (!dim_is_const(dim, &size) || size < 1 || __builtin_mul_overflow(*times, size, times))
            return false;
    }
    if (*times == 1) return true;
    if (node->op == OP_reduce_prod || is_argument(node->op)) return false;
    if (node->op != OP_reduce_sum) return true;
    DType dtype = type_of(node)->dtype;
    if (dtype == DTYPE_f32) return *times <= 1 << 24;
    return dtype == DTYPE_f64 ? *times <= INT64_C(1) << 53 : !dtype_is_float(dtype);
}

/* The sum of `times` equal numbers. */
static Value *repeated(Builder *b, Value *x, int64_t times) {
    Value *factor = dtype_is_float(x->type->dtype) ? const_number(b, x->type, (double)times)
                                                   : const_integer(b, x->type, times);
    return build_binary(b, OP_mul, x, factor);
}

static Value *of_broadcast(Builder *b, Node *node) {
    const Attr *axes = node_attr(node, ATTR_axes), *kept = node_attr(in(node, 0)->node, ATTR_axes);
    int64_t times, inner[MAX_RANK], result_axes[MAX_RANK];
    if (is_argument(node->op) && !attr_has(kept, axes->ints[0])) return NULL;
    if (!repetition(node, axes, kept, &times)) return NULL;
    uint32_t count = 0, rank = 0, place = 0, from = 0;
    for (uint32_t i = 0; i < in(node, 0)->type->rank; i++) {
        bool reduced = attr_has(axes, i), of_source = attr_has(kept, i);
        if (of_source && reduced) inner[count++] = from;
        if (of_source && !reduced) result_axes[rank++] = place;
        from += of_source;
        place += !reduced;
    }
    Value *x = reduce(b, node, source(in(node, 0)), count, inner);
    if (node->op == OP_reduce_sum && times > 1) x = repeated(b, x, times);
    const Type *type = type_of(node);
    return rank == type->rank ? x : build_broadcast(b, x, type->rank, type->dims, result_axes);
}

static Value *rule_reduce(Simplify *s, Builder *b, Node *node) {
    Value *by = without_unit_axes(b, node);
    if (by) return by;
    if (made_by(in(node, 0), OP_permute))
        return of_permuted(b, node, node_attr(in(node, 0)->node, ATTR_perm), source(in(node, 0)));
    if (made_by(in(node, 0), OP_broadcast)) return of_broadcast(b, node);
    by = of_order(s, b, node);
    if (!by) by = simplify_extreme(s, b, node);
    return by ? by : simplify_product(s, b, node);
}

/* --- contractions */
/* Relabels a permuted operand's axes as its source's. What was permuted outside a loop for the sake of
 * products inside (see hoist_layout.c) stays. */
static bool see_through(const Node *contract, Value **operand, char labels[MAX_RANK + 1]) {
    if (!made_by(*operand, OP_permute) || (*operand)->block != contract->block) return false;
    const Attr *perm = node_attr((*operand)->node, ATTR_perm);
    char moved[MAX_RANK + 1] = {0};
    for (uint32_t i = 0; i < perm->count; i++) moved[perm->ints[i]] = labels[i];
    memcpy(labels, moved, sizeof moved);
    *operand = source(*operand);
    return true;
}

static Value *rule_contract(Simplify *s, Builder *b, Node *node) {
    ContractSpec spec;
    if (!contract_spec_parse(node_str(node, ATTR_spec), &spec)) return NULL;
    Value *x = in(node, 0), *y = in(node, 1);
    bool x_seen = see_through(node, &x, spec.x), y_seen = see_through(node, &y, spec.y);
    if (!x_seen && !y_seen) return NULL;
    return build_contract(b, x, y, arena_printf(s->scratch, "%s,%s->%s", spec.x, spec.y, spec.result));
}

Value *simplify_reduce(Simplify *s, Builder *b, Node *node) {
    if (op_has(node->op, TRAIT_REDUCES)) return rule_reduce(s, b, node);
    return node->op == OP_contract ? rule_contract(s, b, node) : NULL;
}
