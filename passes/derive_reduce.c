/* Derivatives of reductions and contractions. */
#include "passes/derive.h"
#include <string.h>

/* A value of the reduced shape, repeated along the axes that were reduced. */
static Value *spread(Derive *d, Value *v) {
    const Type *x = derive_operand(d, 0)->type;
    const Attr *axes = node_attr(d->node, ATTR_axes);
    int64_t kept[MAX_RANK];
    uint32_t count = 0;
    for (uint32_t k = 0; k < x->rank; k++)
        if (!attr_has(axes, k)) kept[count++] = k;
    return build_broadcast(d->b, v, x->rank, x->dims, kept);
}

void derive_reduce_sum(Derive *d) { derive_give(d, 0, spread(d, d->adjoint)); }

/* Shared equally between the elements that are the extreme. */
void derive_reduce_extreme(Derive *d) {
    const Attr *axes = node_attr(d->node, ATTR_axes);
    Value *x = derive_operand(d, 0);
    Value *wins = build_binary(d->b, OP_eq, x, spread(d, derive_result(d)));
    Value *winners =
        build_reduce(d->b, OP_reduce_sum, build_cast(d->b, wins, x->type->dtype), axes->count, axes->ints);
    Value *share = build_binary(d->b, OP_div, d->adjoint, winners);
    derive_give(d, 0, build_select(d->b, wins, spread(d, share), derive_zeros(d, x)));
}

/* --- products: g times the product of the other elements */
/* Without zeros: g · r / x. */
static Value *others_by_division(Derive *d, Builder *b, Value *x) {
    Derive inside = *d;
    inside.b = b;
    Value *gr = build_binary(b, OP_mul, d->adjoint, derive_result(d));
    return build_binary(b, OP_div, spread(&inside, gr), x);
}

/* x as [kept, reduced]: `perm` brings the kept axes to the front. Returns their number. */
static uint32_t kept_first(const Derive *d, int64_t *perm) {
    const Type *x = derive_operand(d, 0)->type;
    const Attr *axes = node_attr(d->node, ATTR_axes);
    uint32_t kept = x->rank - axes->count, at_kept = 0, reduced = 0;
    for (uint32_t k = 0; k < x->rank; k++) {
        if (attr_has(axes, k))
            perm[kept + reduced++] = k;
        else
            perm[at_kept++] = k;
    }
    return kept;
}

static const Dim *product_of(IrContext *ir, const Dim *const *dims, uint32_t count) {
    const Dim *product = dim_const(ir, 1);
    for (uint32_t k = 0; k < count; k++) product = dim_mul(ir, product, dims[k]);
    return product;
}

/* With zeros: the product of the elements before each times that of those behind, in f64: where one of them
 * is 0 the other may be beyond the operand's type. Exact in every derivative. */
static Value *others_by_scans(Derive *d, Builder *b, Value *x) {
    IrContext *ir = b->graph->ir;
    int64_t perm[MAX_RANK], back[MAX_RANK];
    uint32_t rank = x->type->rank, kept = kept_first(d, perm);
    for (uint32_t k = 0; k < rank; k++) back[perm[k]] = k;
    Value *front = build_permute(b, x, perm);
    const Dim *dims[2] = {product_of(ir, front->type->dims, kept),
                          product_of(ir, front->type->dims + kept, rank - kept)};
    Value *flat = build_cast(b, build_reshape(b, front, 2, dims), DTYPE_f64),
          *turned = build_flip(b, flat, 1);
    Value *before = derive_delayed(b, build_scan(b, OP_cumulative_prod, flat, 1, false), 1, 1);
    Value *behind = derive_delayed(b, build_scan(b, OP_cumulative_prod, turned, 1, false), 1, 1);
    Value *products =
        build_cast(b, build_binary(b, OP_mul, before, build_flip(b, behind, 1)), x->type->dtype);
    Value *others = build_permute(b, build_reshape(b, products, rank, front->type->dims), back);
    Derive inside = *d;
    inside.b = b;
    return build_binary(b, OP_mul, spread(&inside, d->adjoint), others);
}

void derive_reduce_prod(Derive *d) {
    Value *x = derive_operand(d, 0);
    int64_t all[MAX_RANK];
    for (uint32_t k = 0; k < x->type->rank; k++) all[k] = k;
    Value *zero = build_binary(d->b, OP_eq, x, derive_zeros(d, x));
    Value *any = build_reduce(d->b, OP_reduce_any, zero, x->type->rank, all);
    Node *branch = build_if(d->b, any, 1, &x->type);
    Builder then = build_inside(d->b, branch->blocks[0]), otherwise = build_inside(d->b, branch->blocks[1]);
    Value *scanned = others_by_scans(d, &then, x), *divided = others_by_division(d, &otherwise, x);
    build_yield(&then, 1, &scanned);
    build_yield(&otherwise, 1, &divided);
    derive_give(d, 0, branch->results[0]);
}

/* --- contract: operand's adjoint = result's adjoint · the other operand, relabelled */
void derive_contract(Derive *d) {
    Arena *arena = ir_arena(d->b->graph->ir);
    const char *spec = node_str(d->node, ATTR_spec), *comma = strchr(spec, ','),
               *result = strstr(spec, "->") + 2;
    const char *x = arena_strndup(arena, spec, (size_t)(comma - spec));
    const char *y = arena_strndup(arena, comma + 1, (size_t)(result - 2 - (comma + 1)));
    if (derive_wants(d, 0)) {
        const char *relabelled = arena_printf(arena, "%s,%s->%s", result, y, x);
        derive_give(d, 0, build_contract(d->b, d->adjoint, derive_operand(d, 1), relabelled));
    }
    if (derive_wants(d, 1)) {
        const char *relabelled = arena_printf(arena, "%s,%s->%s", x, result, y);
        derive_give(d, 1, build_contract(d->b, derive_operand(d, 0), d->adjoint, relabelled));
    }
}
