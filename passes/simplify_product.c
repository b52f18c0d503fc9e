/* Sums of products that are matrix products: reduce_sum(mul(x, y)), where x and y are broadcast along axes of
 * the other, becomes the contraction that `x @ y` is, and the broadcasts are never made. */
#include "ir/shape.h"
#include "passes/simplify.h"
#include <string.h>

typedef struct {
    Value *value;
    bool has[MAX_RANK];     /* axis i of the product comes from an axis of the factor */
    int64_t axes[MAX_RANK]; /* the axis of the product that each axis of the factor is */
} Factor;

static Factor factor_of(Value *x) {
    Factor f = {.value = x};
    const Attr *axes = NULL;
    if (x->node && x->node->op == OP_broadcast) {
        axes = node_attr(x->node, ATTR_axes);
        f.value = x->node->operands[0];
    }
    for (uint32_t i = 0; i < f.value->type->rank; i++) {
        f.axes[i] = axes ? axes->ints[i] : i;
        f.has[f.axes[i]] = true;
    }
    return f;
}

typedef struct {
    char of[MAX_RANK + 1]; /* a letter for each axis of the product */
    uint32_t batches, more;
    bool named[3];
} Letters;

/* The letters of `@` where they suffice, so that both are written alike: k is summed over, m of x, n of y. */
static char next_letter(Letters *l, bool reduced, bool in_x, bool in_y) {
    if (in_x && in_y && !reduced) return (char)('a' + l->batches++);
    int kind = reduced ? 0 : in_x ? 1 : 2;
    if (l->named[kind]) return (char)('o' + l->more++);
    l->named[kind] = true;
    return "kmn"[kind];
}

/* False where it is no product of matrices: every axis that is summed over belongs to both factors, and each
 * factor has one that the other lacks. */
static bool name_axes(const Factor *x, const Factor *y, const bool *reduced, uint32_t rank, Letters *l) {
    *l = (Letters){.batches = 0};
    for (uint32_t i = 0; i < rank; i++) {
        if (reduced[i] ? !(x->has[i] && y->has[i]) : !(x->has[i] || y->has[i])) return false;
        l->of[i] = next_letter(l, reduced[i], x->has[i], y->has[i]);
    }
    return l->named[0] && l->named[1] && l->named[2];
}

static void write_axes(const Factor *f, const Letters *l, char *out) {
    for (uint32_t i = 0; i < f->value->type->rank; i++) out[i] = l->of[f->axes[i]];
}

Value *simplify_product(Simplify *s, Builder *b, Node *node) {
    Value *product = node->operands[0];
    if (node->op != OP_reduce_sum || !product->node || product->node->op != OP_mul) return NULL;
    const Attr *axes = node_attr(node, ATTR_axes);
    uint32_t rank = product->type->rank, kept = 0;
    bool reduced[MAX_RANK] = {false};
    for (uint32_t i = 0; i < axes->count; i++) reduced[axes->ints[i]] = true;
    Factor x = factor_of(product->node->operands[0]), y = factor_of(product->node->operands[1]);
    Letters letters;
    if (!name_axes(&x, &y, reduced, rank, &letters)) return NULL;
    ContractSpec spec = {0};
    write_axes(&x, &letters, spec.x);
    write_axes(&y, &letters, spec.y);
    for (uint32_t i = 0; i < rank; i++)
        if (!reduced[i]) spec.result[kept++] = letters.of[i];
    return build_contract(b, x.value, y.value,
                          arena_printf(s->scratch, "%s,%s->%s", spec.x, spec.y, spec.result));
}
