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

/* With zeros: every element's product over the others, element by element: [kept, i] = Π_j (i = j ? 1 :
 * x[kept, j]). Exact in every derivative, and rare enough to be slow. */
static Value *others_by_masking(Derive *d, Builder *b, Value *x) {
    IrContext *ir = b->graph->ir;
    int64_t perm[MAX_RANK], back[MAX_RANK];
    uint32_t rank = x->type->rank, kept = kept_first(d, perm);
    for (uint32_t k = 0; k < rank; k++) back[perm[k]] = k;
    Value *front = build_permute(b, x, perm);
    const Dim *n = product_of(ir, front->type->dims + kept, rank - kept);
    const Dim *flat_dims[2] = {product_of(ir, front->type->dims, kept), n};
    Value *flat = build_reshape(b, front, 2, flat_dims);
    const Dim *cube_dims[3] = {flat_dims[0], n, n};
    const Type *cube = type_tensor(ir, x->type->dtype, 3, cube_dims),
               *ids = type_with_dtype(ir, cube, DTYPE_i64);
    Value *itself = build_binary(b, OP_eq, build_iota(b, ids, 1), build_iota(b, ids, 2));
    Value *repeated = build_broadcast(b, flat, 3, cube_dims, (int64_t[]){0, 2});
    Value *masked = build_select(b, itself, build_const(b, cube, 1), repeated);
    Value *products = build_reduce(b, OP_reduce_prod, masked, 1, (int64_t[]){2});
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
    Value *masked = others_by_masking(d, &then, x), *divided = others_by_division(d, &otherwise, x);
    build_yield(&then, 1, &masked);
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
