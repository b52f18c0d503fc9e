/* Products that share their outer axes, one after the other, with rows, masks and views between: attention
 * and its kin. And products of tiles, several of which are made of each element, as fast convolutions do. */
#include "tests/unit/random_program.h"
#include <math.h>

typedef struct {
    Random *r;
    Builder *b;
    const Dim *size[256]; /* of a label's axis */
    char outer[3];        /* labels that all have in common */
    char at[MAX_RANK];    /* those of `value` */
    Value *value;
} Chain;

static void shuffle(Random *r, char *labels) {
    for (uint32_t i = (uint32_t)strlen(labels); i > 1; i--) {
        uint32_t j = below(r, i);
        char t = labels[i - 1];
        labels[i - 1] = labels[j];
        labels[j] = t;
    }
}

/* The outer labels and two more, mostly in this order. */
static void choose_labels(Chain *c, char m, char n, char *out) {
    strcpy(out, c->outer);
    strcat(out, (char[]){m, n, 0});
    if (chance(c->r, 35)) shuffle(c->r, out);
}

static const Type *type_of(const Chain *c, const char *labels) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (; labels[rank]; rank++) dims[rank] = c->size[(unsigned char)labels[rank]];
    return type_tensor(c->r->ir, c->r->floats, rank, dims);
}

/* Sometimes one that depends on much of what was before. */
static Value *operand(Chain *c, const char *labels) {
    const Type *type = type_of(c, labels);
    Value *value = value_of(c->r, c->b, type);
    if (chance(c->r, 60)) return value;
    Value *other = some_value(c->r, c->b, c->r->floats);
    int64_t axes[MAX_RANK];
    for (uint32_t i = 0; i < other->type->rank; i++) axes[i] = i;
    Value *sum = build_reduce(c->b, OP_reduce_sum, other, other->type->rank, axes);
    return build_binary(c->b, OP_mul, value, build_like(c->b, build_unary(c->b, OP_tanh, sum), type));
}

/* Labels `sum` go, `more` comes. */
static bool multiply(Chain *c, char sum, char kept, char more) {
    char other[MAX_RANK], result[MAX_RANK];
    choose_labels(c, sum, more, other);
    choose_labels(c, kept, more, result);
    char all[MAX_RANK + 1] = {more};
    if (type_limit(c->r, type_of(c, other)) > c->r->most_elements) return false;
    if (type_limit(c->r, type_of(c, result)) > c->r->most_elements) return false;
    if (type_limit(c->r, type_of(c, strcat(all, c->at))) > c->r->most_products) return false;
    bool swapped = chance(c->r, 30);
    Value *y = operand(c, other);
    const char *spec = swapped ? arena_printf(c->r->arena, "%s,%s->%s", other, c->at, result)
                               : arena_printf(c->r->arena, "%s,%s->%s", c->at, other, result);
    c->value = build_contract(c->b, swapped ? y : c->value, swapped ? c->value : y, spec);
    strcpy(c->at, result);
    return true;
}

static void add_row_step(Chain *c, char label, Op reduction, Op join) {
    const Type *type = c->value->type;
    int64_t axis = strchr(c->at, label) - c->at, kept[MAX_RANK];
    for (uint32_t i = 0, k = 0; i < type->rank; i++)
        if (i != axis) kept[k++] = i;
    Value *small = build_reduce(c->b, reduction, c->value, 1, &axis);
    Value *back = build_broadcast(c->b, small, type->rank, type->dims, kept);
    c->value = build_binary(c->b, join, c->value, back);
}

/* An index, perhaps a few places on. */
static Value *place(Chain *c, const Type *type) {
    Value *index = build_iota(c->b, type, below(c->r, type->rank));
    if (chance(c->r, 60)) return index;
    return build_binary(c->b, OP_add, index, build_const(c->b, type, (double)below(c->r, 20) - 8));
}

static Value *mask_of_indices(Chain *c, const Type *type) {
    static const Op comparisons[] = {OP_le, OP_lt, OP_ge, OP_gt};
    Value *row = place(c, type), *column = place(c, type);
    return build_binary(c->b, comparisons[below(c->r, 4)], row, column);
}

/* What is hidden is 0, something else, or nothing to a softmax. */
static void add_mask(Chain *c, char label) {
    const Type *type = c->value->type, *index = type_with_dtype(c->r->ir, type, DTYPE_i64);
    Value *mask = mask_of_indices(c, index);
    if (chance(c->r, 25)) mask = build_binary(c->b, OP_and, mask, mask_of_indices(c, index));
    if (chance(c->r, 40)) {
        c->value = build_select(c->b, mask, c->value, build_const(c->b, type, -INFINITY));
        if (chance(c->r, 80)) add_row_step(c, label, OP_reduce_max, OP_sub);
        c->value = build_unary(c->b, OP_exp, c->value);
        if (chance(c->r, 50)) add_row_step(c, label, OP_reduce_sum, OP_div);
        return;
    }
    Value *other = chance(c->r, 60) ? build_const(c->b, type, 0) : value_of(c->r, c->b, type);
    c->value = build_select(c->b, mask, c->value, other);
}

static void add_step(Chain *c, char m, char n) {
    static const Op unary[] = {OP_exp, OP_tanh, OP_neg, OP_sigmoid};
    static const Op reductions[] = {OP_reduce_max, OP_reduce_sum}, joins[] = {OP_sub, OP_div, OP_mul};
    char label = chance(c->r, 50) ? m : n;
    switch (below(c->r, 6)) {
    case 0: c->value = build_unary(c->b, unary[below(c->r, 4)], c->value); break;
    case 1: c->value = build_binary(c->b, OP_add, c->value, operand(c, c->at)); break;
    case 2: add_mask(c, label); break;
    default: add_row_step(c, label, reductions[below(c->r, 2)], joins[below(c->r, 3)]); break;
    }
    if (chance(c->r, 8)) offer(c->r, c->value);
}

/* A single row of many shares, with more behind them than a first level holds: such are taken by blocks. */
static void widen_row(Chain *c) {
    strcpy(c->outer, "a");
    c->size['m'] = dim_const(c->r->ir, 1);
    c->size['n'] = dim_const(c->r->ir, 150 + below(c->r, 100));
    c->size['e'] = dim_const(c->r->ir, 64);
}

void add_chain(Random *r, Builder *b) {
    Chain c = {.r = r, .b = b};
    strcpy(c.outer, chance(r, 50) ? "ab" : "a");
    for (const char *label = "abmnke"; *label; label++) c.size[(unsigned char)*label] = random_size(r);
    if (chance(r, 70)) c.size['a'] = r->sizes[below(r, 2)];
    if (chance(r, 10)) widen_row(&c);
    choose_labels(&c, 'm', 'k', c.at);
    if (type_limit(r, type_of(&c, c.at)) > r->most_elements) return;
    c.value = operand(&c, c.at);
    if (!multiply(&c, 'k', 'm', 'n')) return;
    for (uint32_t steps = below(r, 5); steps; steps--) add_step(&c, 'm', 'n');
    Chain other = c;
    if (multiply(&c, 'n', 'm', 'e')) offer(r, c.value);
    if (chance(r, 40) && multiply(&other, 'm', 'n', 'e')) offer(r, other.value);
}

/* --- tiles */
/* Its axis `axis` of size 1, or without it. */
static Value *with_axis(Chain *c, Value *value, uint32_t axis, bool added) {
    const Dim *dims[MAX_RANK];
    uint32_t rank = 0;
    for (uint32_t d = 0; d < value->type->rank; d++) {
        if (added && d == axis) dims[rank++] = dim_const(c->r->ir, 1);
        if (added || d != axis) dims[rank++] = value->type->dims[d];
    }
    return build_reshape(c->b, value, rank, dims);
}

static Value *tile_of(Chain *c, Value *value) {
    static const Op unary[] = {OP_tanh, OP_neg, OP_sigmoid};
    if (chance(c->r, 50)) return build_unary(c->b, unary[below(c->r, 3)], value);
    return build_binary(c->b, chance(c->r, 50) ? OP_add : OP_sub, value, operand(c, c->at));
}

static Value *element_of(Chain *c, Value *products, uint32_t axis, uint32_t number) {
    const Dim *start[MAX_RANK], *dims[MAX_RANK];
    int64_t step[MAX_RANK];
    for (uint32_t d = 0; d < products->type->rank; d++) {
        start[d] = dim_const(c->r->ir, d == axis ? number : 0);
        dims[d] = d == axis ? dim_const(c->r->ir, 1) : products->type->dims[d];
        step[d] = 1;
    }
    return with_axis(c, build_slice(c->b, products, start, dims, step), axis, false);
}

/* By weights for each of the tile's elements. */
static bool multiply_tiles(Chain *c) {
    char result[] = "eabn", weights[] = "ekn", all[MAX_RANK] = "n";
    if (chance(c->r, 35)) shuffle(c->r, result);
    if (chance(c->r, 35)) shuffle(c->r, weights);
    if (type_limit(c->r, type_of(c, weights)) > c->r->most_elements) return false;
    if (type_limit(c->r, type_of(c, result)) > c->r->most_elements) return false;
    if (type_limit(c->r, type_of(c, strcat(all, c->at))) > c->r->most_products) return false;
    const char *spec = arena_printf(c->r->arena, "%s,%s->%s", c->at, weights, result);
    c->value = build_contract(c->b, c->value, operand(c, weights), spec);
    strcpy(c->at, result);
    return true;
}

void add_tiles(Random *r, Builder *b) {
    Chain c = {.r = r, .b = b};
    Value *tiles[4];
    uint32_t count = 2 + below(r, 3), axis = below(r, 3);
    for (const char *label = "abkn"; *label; label++) c.size[(unsigned char)*label] = random_size(r);
    if (chance(r, 70)) c.size['a'] = r->sizes[below(r, 2)];
    c.size['e'] = dim_const(r->ir, count);
    strcpy(c.at, chance(r, 50) ? "akb" : "abk");
    if (type_limit(r, type_of(&c, c.at)) > r->most_elements / count) return;
    Value *value = operand(&c, c.at);
    for (uint32_t i = 0; i < count; i++) tiles[i] = with_axis(&c, tile_of(&c, value), axis, true);
    memmove(c.at + axis + 1, c.at + axis, strlen(c.at + axis) + 1);
    c.at[axis] = 'e', c.value = build_concat(b, count, tiles, axis);
    if (!multiply_tiles(&c)) return;
    axis = (uint32_t)(strchr(c.at, 'e') - c.at);
    value = element_of(&c, c.value, axis, 0);
    for (uint32_t i = 1; i < count; i++)
        value = build_binary(b, OP_add, value, element_of(&c, c.value, axis, i));
    offer(r, value);
}
