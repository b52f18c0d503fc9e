/* The harness of derivative tests: inputs, differences, comparison. */
#include "tests/unit/gradcheck.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/passes.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

enum { MAX_INPUTS = 8 };

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
    pass_autodiff(&(PassContext){.diags = diags, .scratch = arena}, graph);
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

/* Σ out · cotangent plus a cubic of every float input; these into `x`. */
static Value *objective(Case *c, Value *out, Value **x, uint32_t *floats) {
    Builder *b = &c->b;
    Tensor shape = probe(c, out);
    uint32_t inputs = c->inputs.count;
    Value *y = weighed(b, out, cotangent(c, out->type, &shape));
    *floats = 0;
    for (uint32_t k = 0; k < inputs; k++) {
        Value *input = c->inputs.at[k];
        if (!dtype_is_float(input->type->dtype)) continue;
        Value *cube = build_binary(b, OP_mul, input, build_binary(b, OP_mul, input, input));
        y = build_binary(b, OP_add, y, build_cast(b, total(b, cube), y->type->dtype));
        x[(*floats)++] = input;
    }
    return y;
}

/* Σ gradient · cotangent over the results of a grad node. */
static Value *weighed_gradients(Case *c, const Node *grad) {
    Value *sum = NULL;
    for (uint32_t k = 0; k < grad->result_count; k++) {
        const Value *x = grad->operands[k + 1];
        Value *weights = cotangent(c, x->type, &c->arguments.at[x->index]);
        Value *part = weighed(&c->b, grad->results[k], weights);
        sum = sum ? build_binary(&c->b, OP_add, sum, part) : part;
    }
    return sum;
}

static Node *grad_of(Case *c, Value *y, uint32_t count, Value *const *x) {
    Value *operands[1 + MAX_INPUTS] = {y};
    for (uint32_t k = 0; k < count; k++) operands[k + 1] = x[k];
    return build_node(&c->b, OP_grad, count + 1, operands, 0, NULL);
}

static bool near(double a, double b) { return fabs(a - b) <= 1e-9 * (1 + fabs(a)); }

static void compare_results(const InterpretResult *wanted, const InterpretResult *got, const char *what,
                            const char *pass) {
    cr_assert(got->ok, "%s after %s: %s", what, pass, got->message);
    for (uint32_t k = 0; k < wanted->count; k++)
        for (int64_t e = 0; e < wanted->results[k].count; e++) {
            double a = wanted->results[k].f[e], b = got->results[k].f[e];
            cr_assert(near(a, b), "%s after %s: result %u is %.12g, was %.12g", what, pass, k, b, a);
        }
}

/* What the other passes make of the derivative computes the same. */
static void check_passes(Case *c) {
    static const char *const passes[] = {"simplify", "hoist",    "simplify", "fuse",
                                         "chain",    "simplify", "plan"};
    Arena *arena = arena_new();
    InterpretResult wanted = run(c->function, c->arguments.count, c->arguments.at, arena, c->what);
    for (size_t k = 0; k < sizeof passes / sizeof *passes; k++) {
        PassOptions options = {.verify = true, .out = stderr};
        Diagnostics *diags = diagnostics_new(arena, sources_new(arena));
        cr_assert(passes_run(c->b.graph, passes[k], &options, diags), "%s: %s", c->what, passes[k]);
        InterpretResult got = interpret(c->function, c->arguments.count, c->arguments.at, NULL, false, arena);
        compare_results(&wanted, &got, c->what, passes[k]);
    }
    arena_free(arena);
}

void case_check(Case *c, Value *out) {
    Value *x[MAX_INPUTS], *results[2 + 2 * MAX_INPUTS];
    uint32_t floats, count = 0;
    Value *y = objective(c, out, x, &floats);
    Node *first = grad_of(c, y, floats, x);
    Value *h = weighed_gradients(c, first);
    Node *second = grad_of(c, h, floats, x);
    results[count++] = y;
    results[count++] = h;
    for (uint32_t k = 0; k < floats; k++) results[count++] = first->results[k];
    for (uint32_t k = 0; k < floats; k++) results[count++] = second->results[k];
    build_yield(&c->b, count, results);
    run_autodiff(c->b.graph, c->what);
    for (uint32_t k = 0; k < floats; k++) {
        const Function *f = c->function;
        uint32_t n = c->arguments.count;
        compare_with_differences(f, n, c->arguments.at, 0, x[k]->index, 2 + k, c->what);
        compare_with_differences(f, n, c->arguments.at, 1, x[k]->index, 2 + floats + k, c->what);
    }
    check_passes(c);
}
