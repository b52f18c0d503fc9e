/* Sums of products of three factors or more: pair by pair, each index summed over as soon as only one pair
 * has it, in the order that multiplies least (greedily). Σ_ij y[b, i] · w[o, i, j] · y[b, j] is two products
 * of matrices then, not a nest of loops over b, o, i and j. Of 16 bits what is in between is f32, as in such
 * a nest. */
#include "frontend/elaborate_equation.h"
#include "ir/shape.h"

enum {
    MAX_FACTORS = 8,
    ASSUMED_SIZE = 192,     /* where only the run tells */
    FEW_TERMS = 4,          /* whose sum isn't worth a tensor of its own */
    MOST_ELEMENTS = 1 << 24 /* of what is in between */
};

typedef struct {
    Value *value;
    uint32_t rank, axes;     /* axes of the space that it has, as bits */
    int64_t place[MAX_RANK]; /* and which each of its own is */
} Factor;

typedef struct {
    Builder b;
    uint32_t first; /* the least id of what the sum itself has computed */
    const Type *space;
    uint32_t summed; /* axes, as bits */
    uint32_t count;
    Factor factor[MAX_FACTORS];
} Product;

/* --- the factors of a product */
static bool add_factor(Product *p, Value *x, const int64_t *place) {
    const Dim *dims[MAX_RANK];
    if (p->count == MAX_FACTORS) return false;
    Factor *f = &p->factor[p->count++];
    *f = (Factor){.rank = 0};
    for (uint32_t i = 0; i < x->type->rank; i++) {
        if (dim_is(x->type->dims[i], 1)) continue;
        dims[f->rank] = x->type->dims[i];
        f->place[f->rank++] = place[i];
        f->axes |= 1u << place[i];
    }
    f->value = build_wide(&p->b, build_reshape(&p->b, x, f->rank, dims));
    return true;
}

/* Of x, whose axes are those of the space. False where there are too many. */
static bool find_factors(Product *p, Value *x, const int64_t *place) {
    const Node *node = x->id < p->first ? NULL : x->node;
    if (node && node->op == OP_mul)
        return find_factors(p, node->operands[0], place) && find_factors(p, node->operands[1], place);
    int64_t inner[MAX_RANK];
    if (node && node->op == OP_reshape && shape_keeps_axes(node, inner)) {
        for (uint32_t i = 0; i < node->operands[0]->type->rank; i++)
            inner[i] = inner[i] < 0 ? 0 : place[inner[i]]; /* of one element that is left out: no matter */
        return find_factors(p, node->operands[0], inner);
    }
    if (!node || node->op != OP_broadcast) return add_factor(p, x, place);
    const Attr *axes = node_attr(node, ATTR_axes);
    for (uint32_t i = 0; i < axes->count; i++) inner[i] = place[axes->ints[i]];
    return find_factors(p, node->operands[0], inner);
}

/* --- in pairs */
static double size_of(const Product *p, uint32_t axes) {
    double size = 1;
    int64_t extent;
    for (uint32_t i = 0; i < p->space->rank; i++)
        if (axes >> i & 1) size *= dim_is_const(p->space->dims[i], &extent) ? (double)extent : ASSUMED_SIZE;
    return size;
}

/* The axes that nothing but factors i and k have, of those that are summed over. */
static uint32_t own_axes(const Product *p, uint32_t i, uint32_t k) {
    uint32_t others = ~p->summed;
    for (uint32_t other = 0; other < p->count; other++)
        if (other != i && other != k) others |= p->factor[other].axes;
    return (p->factor[i].axes | p->factor[k].axes) & ~others;
}

/* The factor with these axes of the space, in their order. */
static Value *spread(Product *p, const Factor *f, uint32_t axes) {
    const Dim *dims[MAX_RANK];
    int64_t number[MAX_RANK], own[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t i = 0; i < p->space->rank; i++)
        if (axes >> i & 1) number[i] = rank, dims[rank++] = p->space->dims[i];
    for (uint32_t i = 0; i < f->rank; i++) own[i] = number[f->place[i]];
    return build_broadcast(&p->b, f->value, rank, dims, own);
}

/* Their product with the axes `axes`, of which `summed` are summed over. */
static Factor multiplied(Product *p, const Factor *x, const Factor *y, uint32_t axes, uint32_t summed) {
    Factor f = {.axes = axes & ~summed};
    int64_t over[MAX_RANK];
    uint32_t count = 0, at = 0;
    for (uint32_t i = 0; i < p->space->rank; i++) {
        if (!(axes >> i & 1)) continue;
        if (summed >> i & 1)
            over[count++] = at;
        else
            f.place[f.rank++] = i;
        at++;
    }
    Value *product = build_binary(&p->b, OP_mul, spread(p, x, axes), spread(p, y, axes));
    f.value = build_reduce(&p->b, OP_reduce_sum, product, count, over);
    return f;
}

/* Is it worth multiplying the pair by itself? Some of its terms are summed up then, or it has no more
 * elements than one of the two; and memory has room for what comes of it, which the nest of loops wouldn't
 * need, as far as sizes are known. */
static bool may_pair(const Product *p, uint32_t i, uint32_t k) {
    uint32_t axes = p->factor[i].axes | p->factor[k].axes, own = own_axes(p, i, k);
    bool same = axes == p->factor[i].axes || axes == p->factor[k].axes;
    return (same || size_of(p, own) >= FEW_TERMS) && size_of(p, axes & ~own) <= MOST_ELEMENTS;
}

/* Multiplies the pair that takes the least work, and of these leaves the fewest elements. False: there is
 * none.
 */
static bool multiply_cheapest(Product *p) {
    uint32_t x = 0, y = 0;
    double least = -1, fewest = 0;
    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t k = i + 1; k < p->count; k++) {
            uint32_t axes = p->factor[i].axes | p->factor[k].axes;
            double size = size_of(p, axes), left = size_of(p, axes & ~own_axes(p, i, k));
            if (!may_pair(p, i, k)) continue;
            if (least >= 0 && (size > least || (size == least && left >= fewest))) continue;
            least = size, fewest = left, x = i, y = k;
        }
    if (least < 0) return false;
    uint32_t summed = own_axes(p, x, y), axes = p->factor[x].axes | p->factor[y].axes;
    p->factor[x] = multiplied(p, &p->factor[x], &p->factor[y], axes, summed);
    p->summed &= ~summed;
    p->factor[y] = p->factor[--p->count];
    return true;
}

Value *equation_sum(Builder *b, Value *sum, uint32_t first) {
    const Node *node = sum->node;
    if (!node || node->op != OP_reduce_sum) return sum;
    Value *x = node->operands[0];
    Product p = {.b = *b, .first = first, .space = x->type, .summed = attr_bits(node_attr(node, ATTR_axes))};
    int64_t place[MAX_RANK];
    for (uint32_t i = 0; i < x->type->rank; i++) place[i] = i;
    if (!find_factors(&p, x, place) || p.count < 3) return sum;
    while (p.count > 2)
        if (!multiply_cheapest(&p)) return sum;
    uint32_t kept = ~attr_bits(node_attr(node, ATTR_axes)) & ((1u << x->type->rank) - 1);
    Value *all = multiplied(&p, &p.factor[0], &p.factor[1], kept | p.summed, p.summed).value;
    return build_cast(&p.b, all, sum->type->dtype);
}
