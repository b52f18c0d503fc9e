/* Autodiff through branches and loops, of all values that may be differentiated by, and what it refuses. */
#include "passes/passes.h"
#include "tests/unit/gradcheck.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef Value *BuildProgram(Case *c);

static void check_program(const char *what, BuildProgram *build) {
    Arena *arena = arena_new();
    Case c = case_new(what, true, arena);
    case_check(&c, build(&c));
    arena_free(arena);
}

/* --- shorthands */
static Value *add(Builder *b, Value *x, Value *y) { return build_binary(b, OP_add, x, y); }
static Value *sub(Builder *b, Value *x, Value *y) { return build_binary(b, OP_sub, x, y); }
static Value *mul(Builder *b, Value *x, Value *y) { return build_binary(b, OP_mul, x, y); }
static Value *scale(Builder *b, Value *x, double by) { return mul(b, x, build_const(b, x->type, by)); }
static Value *scalar(Case *c, double low, double high) { return float_input(c, low, high, 0, NULL); }
static Value *vector(Case *c, int64_t n) { return float_input(c, -1, 1, 1, &n); }
static Value *integer(Case *c, int64_t value) {
    Value *x = int_input(c, 1, 0, NULL);
    c->arguments.at[c->arguments.count - 1].i[0] = value;
    return x;
}
static Value *total(Builder *b, Value *x) {
    int64_t axes[MAX_RANK];
    for (uint32_t d = 0; d < x->type->rank; d++) axes[d] = d;
    return build_reduce(b, OP_reduce_sum, x, x->type->rank, axes);
}
static Value *is_even(Builder *b, Value *i) {
    return build_binary(b, OP_eq, build_binary(b, OP_mod, i, build_int(b, 2)), build_int(b, 0));
}
static Value *grad1(Builder *b, Value *y, Value *x) {
    return build_node(b, OP_grad, 2, (Value *[]){y, x}, 0, NULL)->results[0];
}
static Builder body_of(Builder *b, Node *loop, uint32_t which) {
    return build_inside(b, loop->blocks[which]);
}
static Value *param(const Builder *in, uint32_t k) { return in->block->params.at[k]; }

/* --- loops */
/* y = (y + x / y) / 2, six times */
static Value *newton(Case *c) {
    Builder *b = &c->b;
    Value *x = scalar(c, 1, 3);
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 6), 1, &x);
    Builder in = body_of(b, loop, 0);
    Value *y = param(&in, 1);
    Value *next = scale(&in, add(&in, y, build_binary(&in, OP_div, x, y)), 0.5);
    build_yield(&in, 1, &next);
    return loop->results[0];
}

Test(autodiff, newton_square_root) { check_program("newton", newton); }

/* --- computing again */
static Node *remat(Builder *b, Builder *in, uint32_t results, const Type *const *types) {
    Node *node = build_remat(b, results, types);
    *in = body_of(b, node, 0);
    return node;
}

/* tanh(w x), again for the gradient; there inside, x sin(w x) again for that. */
static Value *again(Builder *b, Value *w, Value *x) {
    const Type *types[] = {x->type, x->type};
    Builder in, inner;
    Node *outside = remat(b, &in, 2, types);
    Value *product = build_contract(&in, w, x, "ij,j->i");
    Value *wave = build_unary(&in, OP_tanh, product);
    Node *inside = remat(&in, &inner, 1, types);
    Value *sine = mul(&inner, wave, build_unary(&inner, OP_sin, build_contract(&inner, w, wave, "ij,j->i")));
    build_yield(&inner, 1, &sine);
    Value *both[] = {add(&in, wave, inside->results[0]), x};
    build_yield(&in, 2, both);
    return mul(b, outside->results[0], outside->results[1]);
}

static Value *again_twice(Case *c) {
    Value *w = float_input(c, -1, 1, 2, (int64_t[]){3, 3}), *x = vector(c, 3);
    return again(&c->b, w, again(&c->b, w, x));
}

/* One in a loop's body, in a branch of it; and the loop in another. */
static Value *again_in_loop(Case *c) {
    Builder *b = &c->b, outer;
    Value *w = float_input(c, -1, 1, 2, (int64_t[]){3, 3}), *x = vector(c, 3);
    Node *around = remat(b, &outer, 1, &x->type);
    Node *loop = build_for(&outer, build_int(&outer, 0), integer(c, 4), 1, &x);
    Builder in = body_of(&outer, loop, 0);
    Node *branch = build_if(&in, is_even(&in, param(&in, 0)), 1, &x->type);
    Builder then = body_of(&in, branch, 0), otherwise = body_of(&in, branch, 1);
    Value *values[] = {again(&then, w, param(&in, 1)), build_unary(&otherwise, OP_cos, param(&in, 1))};
    build_yield(&then, 1, &values[0]);
    build_yield(&otherwise, 1, &values[1]);
    build_yield(&in, 1, branch->results);
    build_yield(&outer, 1, loop->results);
    return add(b, around->results[0], x);
}

Test(autodiff, computed_again) { check_program("remat", again_twice); }
Test(autodiff, computed_again_in_loops_and_branches) { check_program("remat in loops", again_in_loop); }

/* h = tanh(W h + u), from lo to hi at run time */
static Value *recurrent(Case *c, int64_t lo, int64_t hi) {
    Builder *b = &c->b;
    Value *w = float_input(c, -1, 1, 2, (int64_t[]){3, 3}), *u = vector(c, 3), *h = vector(c, 3);
    Node *loop = build_for(b, integer(c, lo), integer(c, hi), 1, &h);
    Builder in = body_of(b, loop, 0);
    Value *next = build_unary(&in, OP_tanh, add(&in, build_contract(&in, w, param(&in, 1), "ij,j->i"), u));
    build_yield(&in, 1, &next);
    return loop->results[0];
}

static Value *recurrent_4(Case *c) { return recurrent(c, 2, 6); }
static Value *recurrent_0(Case *c) { return recurrent(c, 3, 3); }
static Value *recurrent_backwards(Case *c) { return recurrent(c, 3, -2); }
Test(autodiff, recurrent_network) { check_program("recurrent", recurrent_4); }
Test(autodiff, loop_without_iterations) { check_program("no iterations", recurrent_0); }
Test(autodiff, loop_with_bounds_reversed) { check_program("bounds reversed", recurrent_backwards); }

/* acc += Σ_j a sin(a x_j), a changing in both loops */
static Value *nested(Case *c) {
    Builder *b = &c->b;
    Value *x = vector(c, 3), *init[] = {scalar(c, 0.5, 1), scalar(c, 0, 1)};
    Node *outer = build_for(b, build_int(b, 0), integer(c, 3), 2, init);
    Builder o = body_of(b, outer, 0);
    Value *inner_init[] = {param(&o, 1), param(&o, 2)};
    Node *inner = build_for(&o, build_int(&o, 0), build_size(&o, x->type->dims[0]), 2, inner_init);
    Builder i = body_of(&o, inner, 0);
    Value *a = param(&i, 1), *at = param(&i, 0);
    Value *xj = build_reshape(
        &i, build_dynamic_slice(&i, x, 1, (int64_t[]){0}, &at, (const Dim *[]){dim_const(c->b.graph->ir, 1)}),
        0, NULL);
    Value *term = mul(&i, a, build_unary(&i, OP_sin, mul(&i, a, xj)));
    Value *next[] = {add(&i, a, scale(&i, mul(&i, xj, xj), 0.1)), add(&i, param(&i, 2), term)};
    build_yield(&i, 2, next);
    Value *outer_next[] = {scale(&o, inner->results[0], 0.9), inner->results[1]};
    build_yield(&o, 2, outer_next);
    return mul(b, outer->results[1], outer->results[0]);
}

Test(autodiff, nested_loops) { check_program("nested", nested); }

/* while Σv² < 50: v = v · x + 1, count++ */
static Value *growing(Case *c) {
    Builder *b = &c->b;
    Value *x = scalar(c, 1.2, 1.4), *init[] = {build_int(b, 0), vector(c, 4)};
    Node *loop = build_while(b, 2, init);
    Builder cond = body_of(b, loop, 0), in = body_of(b, loop, 1);
    Value *size = total(&cond, mul(&cond, param(&cond, 1), param(&cond, 1)));
    Value *go = build_binary(&cond, OP_lt, size, build_const(&cond, size->type, 50));
    build_yield(&cond, 1, &go);
    Value *v = param(&in, 1);
    Value *grown = add(&in, mul(&in, v, build_like(&in, x, v->type)), build_const(&in, v->type, 1));
    Value *next[] = {add(&in, param(&in, 0), build_int(&in, 1)), grown};
    build_yield(&in, 2, next);
    return loop->results[1];
}

Test(autodiff, while_loop) { check_program("while", growing); }

/* Even iterations: a = sin(a w); odd: a = a² + w, by a branch that is given a */
static Value *alternating(Case *c) {
    Builder *b = &c->b;
    Value *w = vector(c, 3), *a = vector(c, 3);
    Node *loop = build_for(b, build_int(b, 0), integer(c, 5), 1, &a);
    Builder in = body_of(b, loop, 0);
    Node *branch = build_if(&in, is_even(&in, param(&in, 0)), 1, &a->type);
    Builder yes = body_of(&in, branch, 0), no = body_of(&in, branch, 1);
    Value *even = build_unary(&yes, OP_sin, mul(&yes, param(&in, 1), w));
    Value *odd = add(&no, mul(&no, param(&in, 1), param(&in, 1)), w);
    build_yield(&yes, 1, &even);
    build_yield(&no, 1, &odd);
    build_yield(&in, 1, branch->results);
    return loop->results[0];
}

Test(autodiff, branch_in_loop) { check_program("branch in loop", alternating); }

/* if c { for … } else { x }, both ways */
static Value *loop_in_branch(Case *c, int64_t which) {
    Builder *b = &c->b;
    Value *x = vector(c, 2), *w = vector(c, 2);
    Node *branch = build_if(b, is_even(b, integer(c, which)), 2, (const Type *[]){x->type, x->type});
    Builder yes = body_of(b, branch, 0), no = body_of(b, branch, 1);
    Node *loop = build_for(&yes, build_int(&yes, 1), build_int(&yes, 4), 1, &x);
    Builder in = body_of(&yes, loop, 0);
    Value *next = mul(&in, param(&in, 1), build_unary(&in, OP_exp, mul(&in, w, param(&in, 1))));
    build_yield(&in, 1, &next);
    Value *first[] = {loop->results[0], w}, *second[] = {x, mul(&no, x, w)};
    build_yield(&yes, 2, first);
    build_yield(&no, 2, second);
    return mul(b, branch->results[0], branch->results[1]);
}

static Value *branch_taken(Case *c) { return loop_in_branch(c, 0); }
static Value *branch_not_taken(Case *c) { return loop_in_branch(c, 1); }
Test(autodiff, loop_in_branch_taken) { check_program("loop in branch", branch_taken); }
Test(autodiff, loop_in_branch_not_taken) { check_program("loop in other branch", branch_not_taken); }

/* A while in a for, and a for in that while */
static Value *deep(Case *c) {
    Builder *b = &c->b;
    Value *x = scalar(c, 1.1, 1.3), *s = scalar(c, 0.5, 1);
    Node *outer = build_for(b, build_int(b, 0), build_int(b, 2), 1, &s);
    Builder o = body_of(b, outer, 0);
    Value *start = build_binary(&o, OP_div, param(&o, 1), add(&o, param(&o, 1), build_const(&o, x->type, 1)));
    Node *loop = build_while(&o, 1, &start);
    Builder cond = body_of(&o, loop, 0), in = body_of(&o, loop, 1);
    Value *go = build_binary(&cond, OP_lt, param(&cond, 0), build_const(&cond, x->type, 3));
    build_yield(&cond, 1, &go);
    Value *from = add(&in, param(&in, 0), build_const(&in, x->type, 0.3));
    Node *inner = build_for(&in, build_int(&in, 0), build_int(&in, 2), 1, &from);
    Builder i = body_of(&in, inner, 0);
    Value *next = mul(&i, param(&i, 1), mul(&i, x, build_unary(&i, OP_sqrt, x)));
    build_yield(&i, 1, &next);
    build_yield(&in, 1, inner->results);
    build_yield(&o, 1, loop->results);
    return outer->results[0];
}

Test(autodiff, while_in_for_and_for_in_while) { check_program("deep", deep); }

/* Carried values change places, one is overwritten from outside, one is never read, one never changes */
static Value *swapping(Case *c) {
    Builder *b = &c->b;
    Value *x = vector(c, 2), *y = vector(c, 2), *z = vector(c, 2);
    Value *init[] = {x, y, z, y, x};
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 3), 5, init);
    Builder in = body_of(b, loop, 0);
    Value *p = param(&in, 1), *q = param(&in, 2), *fixed = param(&in, 5);
    Value *next[] = {q, mul(&in, p, add(&in, q, fixed)), x, mul(&in, p, p), fixed};
    build_yield(&in, 5, next);
    return add(b, mul(b, loop->results[0], loop->results[1]), mul(b, loop->results[2], loop->results[4]));
}

Test(autodiff, carried_values_change_places) { check_program("swapping", swapping); }

/* Random masks: the stream is a carried integer, so the reverse sees the same bits */
static Value *dropping(Case *c) {
    Builder *b = &c->b;
    Value *x = vector(c, 7), *init[] = {integer(c, 5), x};
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 3), 2, init);
    Builder in = body_of(b, loop, 0);
    Attr dims = attr_dims(ATTR_dims, 1, x->type->dims);
    Value *bits =
        build_node(&in, OP_random_bits, 2, (Value *[]){init[0], param(&in, 1)}, 1, &dims)->results[0];
    Value *keep = build_binary(&in, OP_gt, bits, build_const(&in, bits->type, 0));
    Value *kept =
        build_select(&in, keep, mul(&in, param(&in, 2), x), build_unary(&in, OP_sin, param(&in, 2)));
    Value *next[] = {add(&in, param(&in, 1), build_int(&in, 1)), kept};
    build_yield(&in, 2, next);
    return loop->results[1];
}

Test(autodiff, random_numbers_in_a_loop) { check_program("dropout", dropping); }

/* Sizes that are known in the body only: Σ x[0 .. i + 1]³ */
static Value *prefixes(Case *c) {
    Builder *b = &c->b;
    Value *x = vector(c, 5), *s = scalar(c, 0, 1);
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 4), 1, &s);
    Builder in = body_of(b, loop, 0);
    const Dim *n = build_symbol(&in, add(&in, param(&in, 0), build_int(&in, 1)), "n");
    Value *zero = build_int(&in, 0);
    Value *part = build_dynamic_slice(&in, x, 1, (int64_t[]){0}, &zero, &n);
    Value *cube = total(&in, mul(&in, part, mul(&in, part, part)));
    Value *next = add(&in, param(&in, 1), mul(&in, cube, param(&in, 1)));
    build_yield(&in, 1, &next);
    return loop->results[0];
}

Test(autodiff, sizes_known_in_the_body_only) { check_program("prefixes", prefixes); }

/* An update of a carried tensor at a run-time place */
static Value *table(Case *c) {
    Builder *b = &c->b;
    Value *x = vector(c, 4), *t = vector(c, 4);
    Node *loop = build_for(b, build_int(b, 1), build_int(b, 4), 1, &t);
    Builder in = body_of(b, loop, 0);
    Value *i = param(&in, 0), *before = sub(&in, i, build_int(&in, 1));
    const Dim *one = dim_const(c->b.graph->ir, 1);
    Value *left = build_dynamic_slice(&in, param(&in, 1), 1, (int64_t[]){0}, &before, &one);
    Value *here = build_dynamic_slice(&in, x, 1, (int64_t[]){0}, &i, &one);
    Value *next = build_update_slice(&in, param(&in, 1), mul(&in, left, build_unary(&in, OP_exp, here)), 1,
                                     (int64_t[]){0}, &i);
    build_yield(&in, 1, &next);
    return loop->results[0];
}

Test(autodiff, tensor_filled_by_a_loop) { check_program("table", table); }

/* --- grad inside loops, several grads */
/* w = w - rate · d/dw (Σ (w a - 1)² + w⁴): differentiated through by a, the start and the rate */
static Value *training(Case *c) {
    Builder *b = &c->b;
    Value *a = vector(c, 3), *w = vector(c, 3), *rate = scalar(c, 0.05, 0.1);
    Node *loop = build_for(b, build_int(b, 0), integer(c, 3), 1, &w);
    Builder in = body_of(b, loop, 0);
    Value *v = param(&in, 1), *off = sub(&in, mul(&in, v, a), build_const(&in, v->type, 1));
    Value *square = mul(&in, v, v);
    Value *loss = total(&in, add(&in, mul(&in, off, off), mul(&in, square, square)));
    Value *step = mul(&in, grad1(&in, loss, v), build_like(&in, rate, v->type));
    Value *next = sub(&in, v, step);
    build_yield(&in, 1, &next);
    return total(b, mul(b, loop->results[0], a));
}

Test(autodiff, through_a_training_loop) { check_program("training", training); }

/* Two grads through one loop, the second of something else, and one of a value in the middle */
static Value *twice(Case *c) {
    Builder *b = &c->b;
    Value *x = scalar(c, 0.5, 1), *start = mul(b, x, x);
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 3), 1, &start);
    Builder in = body_of(b, loop, 0);
    Value *next = add(&in, build_unary(&in, OP_sin, param(&in, 1)), mul(&in, param(&in, 1), x));
    build_yield(&in, 1, &next);
    Value *y = loop->results[0], *z = mul(b, y, x);
    return add(b, mul(b, grad1(b, y, x), grad1(b, z, start)), grad1(b, z, x));
}

Test(autodiff, several_grads_through_one_loop) { check_program("twice", twice); }

static Value *third(Case *c) {
    Builder *b = &c->b;
    Value *x = scalar(c, 0.5, 1), *y = build_unary(b, OP_exp, mul(b, x, x));
    return grad1(b, grad1(b, grad1(b, y, x), x), x);
}

Test(autodiff, to_any_order) { check_program("third", third); }

/* --- values and types */
static Value *through_f32(Case *c) {
    Builder *b = &c->b;
    Value *x = vector(c, 3), *narrow = build_cast(b, x, DTYPE_f32);
    Value *y = total(b, mul(b, narrow, build_unary(b, OP_exp, narrow)));
    cr_assert_eq(grad1(b, y, x)->type, x->type);
    return build_cast(b, y, DTYPE_f64);
}

Test(autodiff, adjoint_has_the_type_of_its_value) { check_program("through f32", through_f32); }

/* Gradients of `build`'s scalar at given arguments, compared with given numbers. */
static void check_gradient(BuildProgram *build, uint32_t count, const double *x, const double *wanted) {
    Arena *arena = arena_new();
    Case c = case_new("values", false, arena);
    Value *out = build(&c), *input = c.inputs.at[0];
    Value *results[] = {grad1(&c.b, total(&c.b, out), input)};
    build_yield(&c.b, 1, results);
    run_autodiff(c.b.graph, "values");
    memcpy(c.arguments.at[0].f, x, count * sizeof *x);
    InterpretResult r = interpret(c.function, c.arguments.count, c.arguments.at, NULL, false, arena);
    cr_assert(r.ok, "%s", r.message);
    for (uint32_t k = 0; k < count; k++)
        cr_assert_eq(r.results[0].f[k], wanted[k], "element %u: %g", k, r.results[0].f[k]);
    arena_free(arena);
}

static Value *largest(Case *c) { return build_reduce(&c->b, OP_reduce_max, vector(c, 4), 1, (int64_t[]){0}); }
static Value *absolute(Case *c) { return build_unary(&c->b, OP_abs, vector(c, 4)); }
static Value *above_zero(Case *c) {
    Value *x = vector(c, 4);
    return build_binary(&c->b, OP_max, x, build_const(&c->b, x->type, 0));
}
static Value *to_the(Case *c, double power) {
    Value *x = vector(c, 4);
    return build_binary(&c->b, OP_pow, x, build_const(&c->b, x->type, power));
}
static Value *squared(Case *c) { return to_the(c, 2); }
static Value *to_zero(Case *c) { return to_the(c, 0); }
static Value *power_of(Case *c) {
    Value *y = vector(c, 4), *x = vector(c, 4);
    memcpy(c->arguments.at[1].f, (double[]){0, 0, 1, 0}, 4 * sizeof(double));
    return build_binary(&c->b, OP_pow, x, y);
}
static Value *itself(Case *c) { return build_reshape(&c->b, vector(c, 1), 0, NULL); }

Test(autodiff, ties_and_kinks) {
    check_gradient(largest, 4, (double[]){1, 3, 3, 2}, (double[]){0, 0.5, 0.5, 0});
    check_gradient(absolute, 4, (double[]){-2, 0, 0.5, -0.0}, (double[]){-1, 0, 1, 0});
    check_gradient(above_zero, 4, (double[]){-1, 0, 2, 3}, (double[]){0, 0.5, 1, 1});
    check_gradient(squared, 4, (double[]){-1, 0, 2, 3}, (double[]){-2, 0, 4, 6});
    check_gradient(to_zero, 4, (double[]){-1, 0, 2, 1e-320}, (double[]){0, 0, 0, 0});
    check_gradient(power_of, 4, (double[]){0, 2, 3, 0.5}, (double[]){0, 0, 0, 0});
    check_gradient(itself, 1, (double[]){5}, (double[]){1});
}

/* y itself, the same x twice, an x that y does not depend on beside one that it does */
Test(autodiff, several_values_at_once) {
    Arena *arena = arena_new();
    Case c = case_new("several", false, arena);
    Builder *b = &c.b;
    Value *x = scalar(&c, 1, 2), *other = vector(&c, 3), *y = mul(b, x, x);
    Node *grad = build_node(b, OP_grad, 5, (Value *[]){y, x, x, y, other}, 0, NULL);
    build_yield(b, 4, grad->results);
    run_autodiff(b->graph, "several");
    InterpretResult r = interpret(c.function, 2, c.arguments.at, NULL, false, arena);
    cr_assert(r.ok);
    double at = c.arguments.at[0].f[0];
    cr_assert_eq(r.results[0].f[0], 2 * at);
    cr_assert_eq(r.results[1].f[0], 2 * at);
    cr_assert_eq(r.results[2].f[0], 1);
    cr_assert_eq(r.results[3].count, 3);
    cr_assert_eq(r.results[3].f[2], 0);
    arena_free(arena);
}

/* Inside a loop by a value of outside, through what the loop doesn't change. */
Test(autodiff, inside_a_loop_by_a_value_of_outside) {
    Arena *arena = arena_new();
    Case c = case_new("outside", false, arena);
    Builder *b = &c.b;
    Value *x = vector(&c, 3), *h = build_unary(b, OP_sin, x), *sum = build_const(b, x->type, 0);
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 4), 1, &sum);
    Builder in = body_of(b, loop, 0);
    Value *factor = build_like(&in, build_cast(&in, param(&in, 0), DTYPE_f64), x->type);
    Value *next = add(&in, param(&in, 1), grad1(&in, total(&in, mul(&in, mul(&in, h, h), factor)), x));
    build_yield(&in, 1, &next);
    build_yield(b, 1, loop->results);
    run_autodiff(b->graph, "outside");
    InterpretResult r = interpret(c.function, 1, c.arguments.at, NULL, false, arena);
    cr_assert(r.ok);
    for (int k = 0; k < 3; k++) {
        double at = c.arguments.at[0].f[k];
        cr_assert(fabs(r.results[0].f[k] - 6 * 2 * sin(at) * cos(at)) < 1e-12);
    }
    arena_free(arena);
}

/* Only what the reverse reads is kept: w·h + u needs h where w wants a gradient; a sum needs nothing. */
static uint32_t count_tapes(BuildProgram *build) {
    Arena *arena = arena_new();
    Case c = case_new("tapes", false, arena);
    Value *out = build(&c), *input = c.inputs.at[0];
    const Node *loop = out->node;
    uint32_t carried = loop->result_count;
    Value *results[] = {grad1(&c.b, total(&c.b, out), input)};
    build_yield(&c.b, 1, results);
    run_autodiff(c.b.graph, "tapes");
    uint32_t tapes = loop->result_count - carried;
    arena_free(arena);
    return tapes;
}

static Value *summing(Case *c) {
    Builder *b = &c->b;
    Value *x = vector(c, 3), *sum = build_const(b, x->type, 0);
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 4), 1, &sum);
    Builder in = body_of(b, loop, 0);
    Value *next = add(&in, param(&in, 1), build_unary(&in, OP_sin, x));
    build_yield(&in, 1, &next);
    return loop->results[0];
}

Test(autodiff, keeps_only_what_the_reverse_reads) {
    cr_assert_eq(count_tapes(summing), 0);
    cr_assert_eq(count_tapes(recurrent_4), 1);
}

/* Effects happen once, in the forward loop; a branch's are not repeated either. */
static void count_print(void *user, const char *text) {
    (void)text;
    ++*(int *)user;
}

static Value *talking(Case *c) {
    Builder *b = &c->b;
    Value *x = scalar(c, 0.5, 1), *one = build_const(b, x->type, 1);
    Attr text = attr_str(ATTR_text, intern(ir_strings(b->graph->ir), "x"));
    Node *loop = build_while(b, 1, &one);
    Builder cond = body_of(b, loop, 0), in = body_of(b, loop, 1);
    Value *go = build_binary(&cond, OP_lt, param(&cond, 0), build_const(&cond, x->type, 8));
    build_yield(&cond, 1, &go);
    build_node(&in, OP_print, 0, NULL, 1, &text);
    Node *branch = build_if(&in, build_binary(&in, OP_lt, param(&in, 0), x), 1, &x->type);
    Builder yes = body_of(&in, branch, 0), no = body_of(&in, branch, 1);
    Value *same = param(&in, 0), *more = add(&no, mul(&no, same, build_const(&no, x->type, 2)), x);
    build_node(&no, OP_print, 0, NULL, 1, &text);
    build_yield(&yes, 1, &same);
    build_yield(&no, 1, &more);
    build_yield(&in, 1, branch->results);
    return loop->results[0];
}

Test(autodiff, effects_happen_once) {
    Arena *arena = arena_new();
    Case c = case_new("effects", false, arena);
    Value *y = talking(&c), *results[] = {grad1(&c.b, y, c.inputs.at[0])};
    build_yield(&c.b, 1, results);
    run_autodiff(c.b.graph, "effects");
    int prints = 0;
    InterpretHost host = {.user = &prints, .print = count_print};
    c.arguments.at[0].f[0] = 0.5;
    InterpretResult r = interpret(c.function, 1, c.arguments.at, &host, false, arena);
    cr_assert(r.ok, "%s", r.message);
    cr_assert_eq(prints, 6); /* 1, 2.5, 5.5, 11.5 */
    cr_assert_eq(r.results[0].f[0], 7);
    arena_free(arena);
}

/* --- refusals */
typedef Value *BuildRefused(Case *c, Value **x);

static Diagnostics *refuse(BuildRefused *build, Arena *arena, char **text) {
    Case c = case_new("refused", false, arena);
    Sources *sources = sources_new(arena);
    const char *program = "let y = loss\nlet g = grad\nlet c = broken\n";
    sources_add(sources, "a.nn", program, (uint32_t)strlen(program));
    Diagnostics *diags = diagnostics_new(arena, sources);
    Value *x, *y = build(&c, &x);
    Builder b = {.graph = c.b.graph, .block = y->block, .loc = {"a.nn", 2, 9}};
    bool inside = y->block != c.b.block;
    if (inside) b.before = block_yield(y->block);
    grad1(&b, y, x);
    build_yield(&c.b, 0, NULL);
    pass_autodiff(&(PassContext){.diags = diags, .scratch = arena}, c.b.graph);
    size_t size;
    FILE *out = open_memstream(text, &size);
    diagnostics_render(diags, RENDER_TEXT, false, out);
    fclose(out);
    return diags;
}

static Value *by_cast(Case *c, Value **x) {
    *x = vector(c, 3);
    c->b.loc = (Loc){"a.nn", 3, 9};
    Value *whole = build_cast(&c->b, *x, DTYPE_i64);
    c->b.loc = (Loc){0};
    return total(&c->b, build_cast(&c->b, whole, DTYPE_f64));
}

static Value *by_argmax(Case *c, Value **x) {
    *x = vector(c, 3);
    c->b.loc = (Loc){"a.nn", 3, 9};
    Value *best =
        build_node(&c->b, OP_argmax, 1, x, 1, (Attr[]){attr_ints(ATTR_axes, 1, (int64_t[]){0})})->results[0];
    return build_cast(&c->b, best, DTYPE_f64);
}

static Value *unrelated(Case *c, Value **x) {
    *x = vector(c, 3);
    return scalar(c, 0, 1);
}

static Value *by_history(Case *c, Value **x) {
    Builder *b = &c->b;
    *x = scalar(c, 0, 1);
    Value *sum = scalar(c, 0, 1);
    b->loc = (Loc){"a.nn", 3, 9};
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 4), 1, &sum);
    Builder in = body_of(b, loop, 0);
    Value *next = add(&in, param(&in, 1), *x);
    build_yield(&in, 1, &next);
    return next;
}

/* A loop that shuffles the dataset whose length it reads. */
static Value *by_dataset(Case *c, Value **x) {
    Builder *b = &c->b;
    *x = scalar(c, 0, 1);
    const Type *column = type_scalar(b->graph->ir, DTYPE_u8);
    Attr attrs[] = {attr_str(ATTR_format, intern(ir_strings(b->graph->ir), "idx")),
                    attr_types(ATTR_types, 1, &column)};
    Value *init[] = {build_node(b, OP_data_open, 0, NULL, 2, attrs)->results[0], *x};
    b->loc = (Loc){"a.nn", 3, 9};
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 4), 2, init);
    Builder in = body_of(b, loop, 0);
    Value *data = param(&in, 1), *seed = build_int(&in, 1);
    Value *length = build_node(&in, OP_data_len, 1, &data, 0, NULL)->results[0];
    Value *shuffled =
        build_node(&in, OP_data_shuffle, 3, (Value *[]){data, seed, length}, 0, NULL)->results[0];
    Value *next[] = {shuffled, mul(&in, param(&in, 2), build_cast(&in, length, DTYPE_f64))};
    build_yield(&in, 2, next);
    return loop->results[1];
}

static Value *by_file(Case *c, Value **x) {
    Builder *b = &c->b;
    *x = scalar(c, 0, 1);
    Node *loop = build_for(b, build_int(b, 0), build_int(b, 4), 1, x);
    Builder in = body_of(b, loop, 0);
    const char *name = intern(ir_strings(b->graph->ir), "w");
    Attr attrs[] = {attr_strs(ATTR_names, 1, &name), attr_types(ATTR_types, 1, &(*x)->type)};
    Value *path = build_text(&in, "weights");
    in.loc = (Loc){"a.nn", 3, 9};
    Value *next = mul(&in, param(&in, 1), build_node(&in, OP_load, 1, &path, 2, attrs)->results[0]);
    build_yield(&in, 1, &next);
    return loop->results[0];
}

static void expect(BuildRefused *build, const char *code, const char *words) {
    Arena *arena = arena_new();
    char *text;
    Diagnostics *diags = refuse(build, arena, &text);
    cr_assert_eq(diagnostics_errors(diags), 1);
    cr_assert(strstr(text, code) && strstr(text, words), "%s", text);
    cr_assert(strstr(text, "a.nn:2:9"), "%s", text);
    free(text);
    arena_free(arena);
}

Test(autodiff, says_what_has_no_derivative_and_where) {
    expect(by_cast, "E0501", "a conversion to i64 has no derivative");
    expect(by_argmax, "E0501", "no gradient flows through `argmax`");
    expect(unrelated, "E0501", "nothing that it is computed from depends on it");
    expect(by_dataset, "E0504", "the loop changes it here");
    expect(by_file, "E0503", "the file may hold something else when the gradient is computed");
    expect(by_history, "E0502", "is carried from one iteration to the next here");
}
