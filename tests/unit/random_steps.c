/* Loops over the slices of a tensor, as recurrent networks are: products of a step's slice, sums of products
 * over the steps, slices that a step writes; forwards or backwards, over all slices or from the second. */
#include "tests/unit/random_program.h"

typedef struct {
    Random *r;
    const Dim *steps, *rows, *depth, *columns;
    Value *index; /* of the slice that the step is about */
    Builder in;
} Loop;

static const Type *type_of_dims(const Loop *l, uint32_t rank, const Dim *const *dims) {
    return type_tensor(l->r->ir, l->r->floats, rank, dims);
}

static const Type *matrix(const Loop *l, const Dim *rows, const Dim *columns) {
    return type_of_dims(l, 2, (const Dim *[]){rows, columns});
}

/* The steps' matrices along axis `axis` of one tensor. */
static const Type *matrices(const Loop *l, const Dim *rows, const Dim *columns, int64_t axis) {
    const Dim *dims[3] = {l->steps, l->steps, l->steps};
    dims[axis == 0 ? 1 : 0] = rows;
    dims[axis == 2 ? 1 : 2] = columns;
    return type_of_dims(l, 3, dims);
}

static const Type *one_matrix(const Loop *l, const Type *all, int64_t axis) {
    const Dim *dims[3] = {all->dims[0], all->dims[1], all->dims[2]};
    dims[axis] = dim_const(l->r->ir, 1);
    return type_of_dims(l, 3, dims);
}

/* By the index as a value, or as a dimension. */
static Value *slice_at(Loop *l, Value *all, const Type *part, int64_t axis) {
    if (chance(l->r, 50)) return build_dynamic_slice(&l->in, all, 1, &axis, &l->index, part->dims);
    const Dim *zero = dim_const(l->r->ir, 0), *start[3] = {zero, zero, zero};
    start[axis] = build_symbol(&l->in, l->index, "I");
    return build_slice(&l->in, all, start, part->dims, (int64_t[]){1, 1, 1});
}

static Value *read_step(Loop *l, Value *all, int64_t axis) {
    const Type *part = one_matrix(l, all->type, axis);
    Value *slice = slice_at(l, all, part, axis);
    const Dim *dims[2] = {part->dims[axis == 0 ? 1 : 0], part->dims[axis == 2 ? 1 : 2]};
    return build_reshape(&l->in, slice, 2, dims);
}

static Value *write_step(Loop *l, Value *all, Value *step, int64_t axis) {
    Value *part = build_reshape(&l->in, step, 3, one_matrix(l, all->type, axis)->dims);
    if (chance(l->r, 30)) {
        Value *old = build_dynamic_slice(&l->in, all, 1, &axis, &l->index, part->type->dims);
        part = build_binary(&l->in, OP_add, old, part);
    }
    return build_update_slice(&l->in, all, part, 1, &axis, &l->index);
}

static bool fits(const Loop *l) {
    int64_t product = 1, most;
    const Dim *dims[] = {l->steps, l->rows, l->depth, l->columns};
    for (uint32_t i = 0; i < 4; i++) {
        if (!dim_limit(l->r, dims[i], &most)) return false;
        if (most > 1 && __builtin_mul_overflow(product, most, &product)) return false;
    }
    return product <= l->r->most_products &&
           type_limit(l->r, matrices(l, l->rows, l->depth, 0)) <= l->r->most_elements &&
           type_limit(l->r, matrices(l, l->rows, l->columns, 0)) <= l->r->most_elements;
}

static Value *zeros_or_not(Loop *l, Builder *b, const Type *type) {
    return chance(l->r, 60) ? build_const(b, type, 0) : value_of(l->r, b, type);
}

void add_steps(Random *r, Builder *b) {
    Loop l = {.r = r,
              .steps = random_size(r),
              .rows = random_size(r),
              .depth = random_size(r),
              .columns = random_size(r)};
    if (dim_is(l.steps, 0) || !fits(&l)) return; /* no slice fits into none */
    int64_t from = below(r, 3), to = below(r, 3);
    Value *x = fresh_value(r, b, matrices(&l, l.rows, l.depth, from)),
          *w = value_of(r, b, matrix(&l, l.depth, l.columns));
    Value *init[] = {value_of(r, b, matrix(&l, l.rows, l.columns)),
                     zeros_or_not(&l, b, matrix(&l, l.depth, l.columns)),
                     zeros_or_not(&l, b, matrices(&l, l.rows, chance(r, 50) ? l.columns : l.depth, to))};
    Node *loop = build_for(b, build_int(b, chance(r, 25)), build_size(b, l.steps), 3, init);
    Value *const *param = loop->blocks[0]->params.at;
    l.in = build_inside(b, loop->blocks[0]);
    l.index = param[0];
    if (chance(r, 50)) {
        Value *last = build_binary(&l.in, OP_sub, build_size(&l.in, l.steps), build_int(&l.in, 1));
        l.index = build_binary(&l.in, OP_sub, last, param[0]);
    }
    Value *step = read_step(&l, x, from), *product = build_contract(&l.in, step, w, "mk,kn->mn");
    Value *next =
        build_unary(&l.in, OP_tanh, build_binary(&l.in, chance(r, 50) ? OP_add : OP_mul, param[1], product));
    Value *sum = build_contract(&l.in, step, chance(r, 50) ? next : param[1], "mk,mn->kn");
    Value *written = init[2]->type == matrices(&l, l.rows, l.columns, to)
                         ? next
                         : build_contract(&l.in, next, w, "mn,kn->mk");
    build_yield(
        &l.in, 3,
        (Value *[]){next, build_binary(&l.in, OP_add, param[2], sum), write_step(&l, param[3], written, to)});
    for (uint32_t i = 0; i < 3; i++) offer(r, loop->results[i]);
}
