/* The harness of derivative tests: inputs, differences, comparison. */
#include "tests/unit/gradcheck.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

Case case_new(const char *what, bool symbolic, Arena *arena) {
    IrContext *ir = ir_context_new(arena, strings_new(arena));
    Graph *graph = graph_new(ir, "test");
    Function *function = graph_function(graph, FUNCTION_EXPORT, "f");
    return (Case){.b = {.graph = graph, .block = function->body},
                  .function = function,
                  .arena = arena,
                  .symbolic = symbolic,
                  .random = 0x9e3779b97f4a7c15u,
                  .what = what};
}

double case_random(Case *c, double low, double high) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return low + (high - low) * ((double)(c->random >> 11) * 0x1p-53);
}

const Dim *case_dim(Case *c, int64_t size) {
    IrContext *ir = c->b.graph->ir;
    if (!c->symbolic) return dim_const(ir, size);
    return dim_symbol(ir, arena_printf(c->arena, "S%lld", (long long)size));
}

const Type *case_type(Case *c, DType dtype, uint32_t rank, const int64_t *sizes) {
    const Dim *dims[MAX_RANK] = {0};
    for (uint32_t d = 0; d < rank; d++) dims[d] = case_dim(c, sizes[d]);
    return type_tensor(c->b.graph->ir, dtype, rank, dims);
}

Value *case_param(Case *c, const Type *type) {
    Value *value = block_param(c->function->body, type, NULL);
    vec_push(c->arena, &c->function->params,
             ((Param){.value = value, .name = arena_printf(c->arena, "p%u", value->index)}));
    return value;
}

static Value *add_input(Case *c, Tensor argument, const int64_t *sizes) {
    Value *value = case_param(c, case_type(c, argument.dtype, argument.rank, sizes));
    vec_push(c->arena, &c->inputs, value);
    vec_push(c->arena, &c->arguments, argument);
    return value;
}

Value *float_input(Case *c, double low, double high, uint32_t rank, const int64_t *sizes) {
    Tensor t = tensor_new(c->arena, DTYPE_f64, rank, sizes);
    for (int64_t k = 0; k < t.count; k++) t.f[k] = case_random(c, low, high);
    return add_input(c, t, sizes);
}

static Value *whole_input(Case *c, DType dtype, int64_t below, uint32_t rank, const int64_t *sizes) {
    Tensor t = tensor_new(c->arena, dtype, rank, sizes);
    for (int64_t k = 0; k < t.count; k++) t.i[k] = (int64_t)case_random(c, 0, (double)below);
    return add_input(c, t, sizes);
}

Value *int_input(Case *c, int64_t below, uint32_t rank, const int64_t *sizes) {
    return whole_input(c, DTYPE_i64, below, rank, sizes);
}

Value *bool_input(Case *c, uint32_t rank, const int64_t *sizes) {
    return whole_input(c, DTYPE_bool, 2, rank, sizes);
}

/* --- running */
void run_autodiff(Graph *graph, const char *what) {
    Arena *arena = arena_new();
    const char *wrong = graph_verify(graph, arena);
    cr_assert_null(wrong, "%s before autodiff: %s", what, wrong ? wrong : "");
    Diagnostics *diags = diagnostics_new(arena, sources_new(arena));
    pass_autodiff(&(PassContext){diags, arena}, graph);
    if (diagnostics_errors(diags)) diagnostics_render(diags, RENDER_TEXT, false, stderr);
    cr_assert_eq(diagnostics_errors(diags), 0, "%s: no derivative", what);
    wrong = graph_verify(graph, arena);
    if (wrong) graph_print(stderr, graph, (PrintOptions){0});
    cr_assert_null(wrong, "%s after autodiff: %s", what, wrong ? wrong : "");
    arena_free(arena);
}

static InterpretResult run(const Function *function, uint32_t count, const Tensor *arguments, Arena *arena,
                           const char *what) {
    InterpretResult result = interpret(function, count, arguments, NULL, false, arena);
    cr_assert(result.ok, "%s: %s", what, result.message ? result.message : "");
    return result;
}

static double run_scalar(const Function *function, uint32_t count, const Tensor *arguments, uint32_t result,
                         const char *what) {
    Arena *arena = arena_new();
    double y = run(function, count, arguments, arena, what).results[result].f[0];
    arena_free(arena);
    return y;
}

void compare_with_differences(const Function *function, uint32_t count, Tensor *arguments, uint32_t result,
                              uint32_t argument, uint32_t gradient, const char *what) {
    Arena *arena = arena_new();
    InterpretResult base = run(function, count, arguments, arena, what);
    double y = base.results[result].f[0];
    Tensor *x = &arguments[argument];
    cr_assert_eq(base.results[gradient].count, x->count, "%s: shape of the gradient", what);
    for (int64_t k = 0; k < x->count; k++) {
        double at = x->f[k], eps = 1e-6 * fmax(1, fabs(at));
        x->f[k] = at + eps;
        double above = run_scalar(function, count, arguments, result, what);
        x->f[k] = at - eps;
        double below = run_scalar(function, count, arguments, result, what);
        x->f[k] = at;
        double numeric = (above - below) / (2 * eps), analytic = base.results[gradient].f[k];
        double tolerance = 1e-5 * fabs(numeric) + 1e-8 * (1 + fabs(y));
        cr_assert(fabs(numeric - analytic) <= tolerance,
                  "%s: result %u by argument %u at element %lld: %.12g by differences, %.12g by autodiff",
                  what, result, argument, (long long)k, numeric, analytic);
    }
    arena_free(arena);
}

/* --- a case */
static Value *total(Builder *b, Value *x) {
    int64_t axes[MAX_RANK];
    for (uint32_t d = 0; d < x->type->rank; d++) axes[d] = d;
    return build_reduce(b, OP_reduce_sum, x, x->type->rank, axes);
}

static Value *weighed(Builder *b, Value *x, Value *weights) {
    return total(b, build_binary(b, OP_mul, x, weights));
}

/* The run-time sizes of a value that is computed from the inputs so far. Scalars may hang on grad nodes,
 * which do not run yet. */
static Tensor probe(Case *c, Value *out) {
    if (out->type->rank == 0) return tensor_new(c->arena, out->type->dtype, 0, NULL);
    Node *yield = build_node(&c->b, OP_yield, 1, &out, 0, NULL);
    Tensor t = run(c->function, c->arguments.count, c->arguments.at, c->arena, c->what).results[0];
    node_remove(yield);
    return t;
}

/* A parameter of the value's type with random elements. */
static Value *cotangent(Case *c, const Type *type, const Tensor *like) {
    Tensor t = tensor_new(c->arena, type->dtype, like->rank, like->dims);
    for (int64_t k = 0; k < t.count; k++) t.f[k] = case_random(c, 0.5, 1.5);
    vec_push(c->arena, &c->arguments, t);
    return case_param(c, type);
}

void case_check(Case *c, Value *out) {
    Builder *b = &c->b;
    uint32_t inputs = c->inputs.count, floats = 0;
    Value *y, *operands[16], *results[16];
    Tensor shape = probe(c, out);
    y = weighed(b, out, cotangent(c, out->type, &shape));
    for (uint32_t k = 0; k < inputs; k++) {
        Value *x = c->inputs.at[k];
        if (!dtype_is_float(x->type->dtype)) continue;
        Value *cube = build_binary(b, OP_mul, x, build_binary(b, OP_mul, x, x));
        y = build_binary(b, OP_add, y, build_cast(b, total(b, cube), y->type->dtype));
        operands[++floats] = x;
    }
    operands[0] = y;
    Node *first = build_node(b, OP_grad, floats + 1, operands, 0, NULL);
    Value *h = NULL;
    for (uint32_t k = 0; k < floats; k++) {
        Value *x = operands[k + 1];
        Value *part = weighed(b, first->results[k], cotangent(c, x->type, &c->arguments.at[x->index]));
        h = h ? build_binary(b, OP_add, h, part) : part;
    }
    operands[0] = h;
    Node *second = build_node(b, OP_grad, floats + 1, operands, 0, NULL);
    results[0] = y;
    results[1] = h;
    for (uint32_t k = 0; k < floats; k++) {
        results[2 + k] = first->results[k];
        results[2 + floats + k] = second->results[k];
    }
    build_yield(b, 2 + 2 * floats, results);
    run_autodiff(b->graph, c->what);
    for (uint32_t k = 0; k < floats; k++) {
        uint32_t argument = operands[k + 1]->index;
        compare_with_differences(c->function, c->arguments.count, c->arguments.at, 0, argument, 2 + k,
                                 c->what);
        compare_with_differences(c->function, c->arguments.count, c->arguments.at, 1, argument,
                                 2 + floats + k, c->what);
    }
}
