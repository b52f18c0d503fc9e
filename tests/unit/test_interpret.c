/* The reference interpreter: exact integers, NaN, casts, random bits, texts, control flow, effects, error
 * bounds, hostile sizes. */
#include "ir/build.h"
#include "ir/eval.h"
#include "ir/text.h"
#include "ir/verify.h"
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

typedef struct {
    Arena *arena;
    Graph *graph;
    const Function *function;
} Program;

/* A program of one function, from text. */
static Program read_program(const char *text) {
    Arena *arena = arena_new();
    Sources *sources = sources_new(arena);
    Diagnostics *diags = diagnostics_new(arena, sources);
    uint32_t source = sources_add(sources, "test.nnir", text, (uint32_t)strlen(text));
    Graph *graph = graph_parse(ir_context_new(arena, strings_new(arena)), sources, source, diags);
    if (!graph) diagnostics_render(diags, RENDER_TEXT, false, stderr);
    cr_assert_not_null(graph);
    return (Program){arena, graph, graph->functions.at[0]};
}

/* --- single nodes */
typedef struct {
    Arena *arena;
    Builder b;
} Bench;

static Bench bench(void) {
    Bench t = {.arena = arena_new()};
    Graph *graph = graph_new(ir_context_new(t.arena, strings_new(t.arena)), "test");
    t.b = (Builder){.graph = graph, .block = graph_function(graph, FUNCTION_EXPORT, "f")->body};
    return t;
}

static const Type *line(Bench *t, DType dtype, int64_t n) {
    const Dim *dim = dim_const(t->b.graph->ir, n);
    return type_tensor(t->b.graph->ir, dtype, 1, &dim);
}

static Tensor ints(Bench *t, DType dtype, int64_t n, const int64_t *values) {
    Tensor x = tensor_new(t->arena, dtype, 1, &n);
    memcpy(x.i, values, (size_t)n * sizeof *values);
    return x;
}

static Tensor floats(Bench *t, DType dtype, int64_t n, const double *values) {
    Tensor x = tensor_new(t->arena, dtype, 1, &n);
    memcpy(x.f, values, (size_t)n * sizeof *values);
    return x;
}

static Tensor evaluate(Bench *t, Op op, DType cast_to, const Tensor *operands) {
    Value *values[3];
    for (int k = 0; k < op_arity(op); k++)
        values[k] = block_param(t->b.block, line(t, operands[k].dtype, operands[k].count), NULL);
    Attr dtype = attr_dtype(ATTR_dtype, cast_to);
    Node *node = build_node(&t->b, op, (uint32_t)op_arity(op), values, op == OP_cast, &dtype);
    Tensor result;
    cr_assert(interpret_node(node, operands, &result, t->arena));
    return result;
}

static void expect_ints(const Tensor *t, const int64_t *wanted) {
    for (int64_t k = 0; k < t->count; k++)
        cr_assert_eq(t->i[k], wanted[k], "element %lld is %lld, not %lld", (long long)k, (long long)t->i[k],
                     (long long)wanted[k]);
}

static void check_ints(Op op, DType dtype, const int64_t *x, const int64_t *y, const int64_t *wanted) {
    Bench t = bench();
    Tensor in[] = {ints(&t, dtype, 4, x), ints(&t, dtype, 4, y)};
    Tensor out = evaluate(&t, op, dtype, in);
    expect_ints(&out, wanted);
    arena_free(t.arena);
}

#define FOUR(...) ((int64_t[]){__VA_ARGS__})

Test(interpret, integers_wrap_at_their_width) {
    check_ints(OP_add, DTYPE_i8, FOUR(127, -128, 100, 0), FOUR(1, -1, 100, 0), FOUR(-128, 127, -56, 0));
    check_ints(OP_mul, DTYPE_u8, FOUR(255, 16, 3, 200), FOUR(255, 16, 5, 2), FOUR(1, 0, 15, 144));
    check_ints(OP_sub, DTYPE_u8, FOUR(0, 5, 255, 1), FOUR(1, 6, 255, 255), FOUR(255, 255, 0, 2));
    check_ints(OP_add, DTYPE_i64, FOUR(INT64_MAX, INT64_MIN, 1, 2), FOUR(1, -1, 1, 2),
               FOUR(INT64_MIN, INT64_MAX, 2, 4));
    check_ints(OP_mul, DTYPE_i32, FOUR(65536, -65536, 46341, 3), FOUR(65536, 32768, 46341, 7),
               FOUR(0, INT32_MIN, -2147479015, 21));
}

Test(interpret, integer_division_floors_and_never_traps) {
    check_ints(OP_floordiv, DTYPE_i64, FOUR(7, -7, 7, -7), FOUR(2, 2, -2, -2), FOUR(3, -4, -4, 3));
    check_ints(OP_mod, DTYPE_i64, FOUR(7, -7, 7, -7), FOUR(2, 2, -2, -2), FOUR(1, 1, -1, -1));
    check_ints(OP_floordiv, DTYPE_i64, FOUR(5, INT64_MIN, 0, INT64_MIN), FOUR(0, -1, 0, 1),
               FOUR(0, INT64_MIN, 0, INT64_MIN));
    check_ints(OP_mod, DTYPE_i64, FOUR(5, INT64_MIN, 0, INT64_MIN), FOUR(0, -1, 0, 1), FOUR(0, 0, 0, 0));
    check_ints(OP_floordiv, DTYPE_i8, FOUR(-128, -128, 127, 1), FOUR(-1, 1, -1, 2),
               FOUR(-128, -128, -127, 0));
}

Test(interpret, integer_powers) {
    check_ints(OP_pow, DTYPE_i64, FOUR(2, -3, 0, 1), FOUR(10, 3, 0, -5), FOUR(1024, -27, 1, 1));
    check_ints(OP_pow, DTYPE_i64, FOUR(-1, -1, 2, 0), FOUR(-3, -4, -1, -1), FOUR(-1, 1, 0, 0));
    check_ints(OP_pow, DTYPE_i8, FOUR(2, 2, 3, 5), FOUR(7, 8, 5, 1), FOUR(-128, 0, -13, 5));
}

Test(interpret, casts_truncate_and_saturate) {
    Bench t = bench();
    Tensor x = floats(&t, DTYPE_f32, 6, (double[]){1.9, -1.9, 300, -300, NAN, INFINITY});
    Tensor i8 = evaluate(&t, OP_cast, DTYPE_i8, &x), u8 = evaluate(&t, OP_cast, DTYPE_u8, &x);
    Tensor i64 = evaluate(&t, OP_cast, DTYPE_i64, &x), truth = evaluate(&t, OP_cast, DTYPE_bool, &x);
    expect_ints(&i8, (int64_t[]){1, -1, 127, -128, 0, 127});
    expect_ints(&u8, (int64_t[]){1, 0, 255, 0, 0, 255});
    expect_ints(&i64, (int64_t[]){1, -1, 300, -300, 0, INT64_MAX});
    expect_ints(&truth, (int64_t[]){1, 1, 1, 1, 1, 1});
    arena_free(t.arena);
}

Test(interpret, nan_wins) {
    Bench t = bench();
    Tensor in[] = {floats(&t, DTYPE_f64, 3, (double[]){NAN, 1, 2}),
                   floats(&t, DTYPE_f64, 3, (double[]){1, NAN, 3})};
    Tensor least = evaluate(&t, OP_min, DTYPE_f64, in), equal = evaluate(&t, OP_ne, DTYPE_f64, in);
    cr_assert(isnan(least.f[0]) && isnan(least.f[1]) && least.f[2] == 2);
    expect_ints(&equal, (int64_t[]){1, 1, 1});
    Value *x = block_param(t.b.block, line(&t, DTYPE_f64, 3), NULL);
    Attr axes = attr_ints(ATTR_axes, 1, (int64_t[]){0});
    Tensor best, largest;
    cr_assert(interpret_node(build_node(&t.b, OP_argmax, 1, &x, 1, &axes), &in[1], &best, t.arena));
    cr_assert(interpret_node(build_node(&t.b, OP_reduce_max, 1, &x, 1, &axes), &in[1], &largest, t.arena));
    cr_assert_eq(best.i[0], 1);
    cr_assert(isnan(largest.f[0]));
    arena_free(t.arena);
}

Test(interpret, reductions_over_nothing) {
    Bench t = bench();
    Tensor none = tensor_new(t.arena, DTYPE_f32, 1, (int64_t[]){0}), out;
    Value *x = block_param(t.b.block, line(&t, DTYPE_f32, 0), NULL);
    static const Op ops[] = {OP_reduce_sum, OP_reduce_prod, OP_reduce_max, OP_reduce_min};
    const double wanted[] = {0, 1, -INFINITY, INFINITY};
    for (int k = 0; k < 4; k++) {
        Attr axes = attr_ints(ATTR_axes, 1, (int64_t[]){0});
        cr_assert(interpret_node(build_node(&t.b, ops[k], 1, &x, 1, &axes), &none, &out, t.arena));
        cr_assert_eq(out.f[0], wanted[k], "%s", op_name(ops[k]));
    }
    arena_free(t.arena);
}

Test(interpret, rounding_to_a_dtype) {
    cr_assert_eq(round_to(DTYPE_f32, 0.1), (double)0.1f);
    cr_assert_eq(round_to(DTYPE_f32, 1e39), INFINITY);
    cr_assert_eq(round_to(DTYPE_f32, 1e-45), (double)1e-45f);
    cr_assert_eq(round_to(DTYPE_f16, 65519.9), 65504);
    cr_assert_eq(round_to(DTYPE_f16, 65520), INFINITY);
    cr_assert_eq(round_to(DTYPE_f16, 0x1p-25), 0); /* half of the least denormal: to even */
    cr_assert_eq(round_to(DTYPE_f16, 0x1.8p-25), 0x1p-24);
    cr_assert_eq(round_to(DTYPE_bf16, 1.00390625), 1); /* a tie: to even */
    cr_assert_eq(round_to(DTYPE_bf16, 1.01171875), 1.015625);
}

/* --- random bits. Known answers: Random123's kat_vectors, threefry2x32 with 20 rounds */
Test(interpret, threefry_known_answers) {
    static const uint32_t vectors[3][6] = {
        {0, 0, 0, 0, 0x6b200159, 0x99ba4efe},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x1cb996fc, 0xbb002be7},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xc4923a9c, 0x483df7a0}}; /* counter, key, output */
    for (int k = 0; k < 3; k++) {
        uint32_t out[2];
        threefry2x32(vectors[k] + 2, vectors[k], out);
        cr_assert(out[0] == vectors[k][4] && out[1] == vectors[k][5], "vector %d: %08x %08x", k, out[0],
                  out[1]);
    }
}

/* --- texts */
static void expect_text(const char *wanted, const char *text, uint32_t count, const Tensor *args,
                        Arena *arena) {
    const char *why = NULL, *got = format_template(arena, text, count, args, &why);
    cr_assert_not_null(got, "%s: %s", text, why);
    cr_assert_str_eq(got, wanted);
}

static void expect_number(const char *wanted, const char *text, DType dtype, double value) {
    Arena *arena = arena_new();
    Tensor t = tensor_new(arena, dtype, 0, NULL);
    if (t.f) t.f[0] = value;
    if (t.i) t.i[0] = (int64_t)value;
    expect_text(wanted, text, 1, &t, arena);
    arena_free(arena);
}

Test(interpret, texts_as_in_python) {
    expect_number("0.1", "{}", DTYPE_f32, 0.1);
    expect_number("0.30000000000000004", "{}", DTYPE_f64, 0.1 + 0.2);
    expect_number("1.0", "{}", DTYPE_f32, 1);
    expect_number("1e+16", "{}", DTYPE_f64, 1e16);
    expect_number("1e-05", "{}", DTYPE_f32, 1e-5);
    expect_number("123456789.0", "{}", DTYPE_f64, 123456789);
    expect_number("nan inf", "{} inf", DTYPE_f64, NAN);
    expect_number("-inf", "{}", DTYPE_f64, -INFINITY);
    expect_number("{3.14}", "{{{:.2f}}}", DTYPE_f64, 3.14159);
    expect_number("   42|", "{:5}|", DTYPE_i64, 42);
    expect_number("42   |", "{:<5}|", DTYPE_i64, 42);
    expect_number("-0042", "{:05}", DTYPE_i64, -42);
    expect_number("1,234,567", "{:,}", DTYPE_i64, 1234567);
    expect_number("+1.50e+03", "{:+.2e}", DTYPE_f64, 1500);
    expect_number("12.50%", "{:.2%}", DTYPE_f64, 0.125);
    expect_number("ff", "{:x}", DTYPE_u8, 255);
    expect_number("true", "{}", DTYPE_bool, 1); /* the word of the language */
}

Test(interpret, tensors_as_text) {
    Arena *arena = arena_new();
    Tensor t = tensor_new(arena, DTYPE_i64, 2, (int64_t[]){2, 2});
    memcpy(t.i, (int64_t[]){1, 20, -3, 4}, 4 * sizeof(int64_t));
    expect_text("[[ 1 20]\n [-3  4]]", "{}", 1, &t, arena);
    const char *why;
    cr_assert_null(format_template(arena, "{", 1, &t, &why));
    cr_assert_null(format_template(arena, "{} {}", 1, &t, &why));
    cr_assert_null(format_template(arena, "{:9999999999}", 1, &t, &why));
    arena_free(arena);
}

/* --- error bounds contain what f32 computes, in another order too */
static double random_unit(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53 * 2 - 1;
}

Test(interpret, bounds_contain_f32_sums) {
    Bench t = bench();
    enum { N = 1000 };
    Value *x = block_param(t.b.block, line(&t, DTYPE_f32, N), NULL);
    vec_push(t.arena, &t.b.block->function->params, ((Param){.value = x, .name = "x"}));
    Value *e = build_unary(&t.b, OP_exp, x);
    Value *sum = build_reduce(&t.b, OP_reduce_sum, e, 1, (int64_t[]){0});
    Value *dot = build_contract(&t.b, e, x, "k,k->");
    build_yield(&t.b, 2, (Value *[]){sum, dot});
    Tensor in = tensor_new(t.arena, DTYPE_f32, 1, (int64_t[]){N});
    uint64_t state = 7;
    float up = 0, down = 0, product = 0;
    for (int k = 0; k < N; k++) in.f[k] = (double)(float)random_unit(&state);
    for (int k = 0; k < N; k++) {
        up += expf((float)in.f[k]);
        down += expf((float)in.f[N - 1 - k]);
        product += expf((float)in.f[k]) * (float)in.f[k];
    }
    InterpretResult r = interpret(t.b.block->function, 1, &in, NULL, true, t.arena);
    cr_assert(r.ok);
    const Tensor *s = &r.results[0], *d = &r.results[1];
    cr_assert(fabs((double)up - s->f[0]) <= s->error[0] && fabs((double)down - s->f[0]) <= s->error[0]);
    cr_assert(fabs((double)product - d->f[0]) <= d->error[0]);
    cr_assert(s->error[0] < 1e-3 * s->f[0] && d->error[0] < 0.1, "bounds of use: %g %g", s->error[0],
              d->error[0]);
    arena_free(t.arena);
}

Test(interpret, decisions_near_ties_are_marked) {
    Bench t = bench();
    Value *x = block_param(t.b.block, line(&t, DTYPE_f32, 3), NULL);
    vec_push(t.arena, &t.b.block->function->params, ((Param){.value = x, .name = "x"}));
    Value *y = build_unary(&t.b, OP_exp, x), *one = build_const(&t.b, x->type, 1.0000001);
    Value *less = build_binary(&t.b, OP_lt, y, one);
    Value *chosen = build_select(&t.b, less, build_const(&t.b, x->type, 5), build_const(&t.b, x->type, 7));
    Value *whole = build_cast(&t.b, y, DTYPE_i64);
    build_yield(&t.b, 3, (Value *[]){less, chosen, whole});
    Tensor in = floats(&t, DTYPE_f32, 3, (double[]){1e-7, 1, -1});
    InterpretResult r = interpret(t.b.block->function, 1, &in, NULL, true, t.arena);
    cr_assert(r.ok);
    cr_assert(r.results[0].error[0] == 1 && r.results[0].error[1] == 0);
    cr_assert(r.results[1].error[0] == 2 && r.results[1].error[1] == 0);
    cr_assert(r.results[2].error[0] == 1 && r.results[2].error[2] == 0);
    arena_free(t.arena);
}

/* --- whole programs */
typedef struct {
    char text[256];
} Printed;

static void keep(void *user, const char *text) {
    Printed *p = user;
    strncat(p->text, text, sizeof p->text - strlen(p->text) - 1);
}

Test(interpret, loops_symbols_and_effects) {
    Bench t = bench();
    Builder b = t.b;
    Value *n = block_param(b.block, type_scalar(b.graph->ir, DTYPE_i64), "n");
    vec_push(t.arena, &b.block->function->params, ((Param){.value = n, .name = "n"}));
    Value *zero = build_int(&b, 0);
    Node *loop = build_for(&b, zero, n, 1, &zero);
    Builder in = build_inside(&b, loop->blocks[0]);
    const Dim *size = build_symbol(&in, in.block->params.at[0], "k"); /* a size that changes */
    Value *ones = build_const(&in, type_tensor(b.graph->ir, DTYPE_i64, 1, &size), 1);
    Value *count = build_reduce(&in, OP_reduce_sum, ones, 1, (int64_t[]){0});
    Value *next = build_binary(&in, OP_add, in.block->params.at[1], count);
    Attr text = attr_str(ATTR_text, intern(ir_strings(b.graph->ir), "{}"));
    build_node(&in, OP_print, 1, &count, 1, &text);
    build_yield(&in, 1, &next);
    Value *enough = build_binary(&b, OP_lt, loop->results[0], build_int(&b, 100));
    text = attr_str(ATTR_text, intern(ir_strings(b.graph->ir), "too many: {}"));
    build_node(&b, OP_check, 2, (Value *[]){enough, loop->results[0]}, 1, &text);
    build_yield(&b, 1, loop->results);
    cr_assert_null(graph_verify(b.graph, t.arena));
    Printed printed = {""};
    InterpretHost host = {.user = &printed, .print = keep};
    Tensor argument = tensor_new(t.arena, DTYPE_i64, 0, NULL);
    argument.i[0] = 4;
    InterpretResult r = interpret(b.block->function, 1, &argument, &host, false, t.arena);
    cr_assert(r.ok && r.results[0].i[0] == 6);
    cr_assert_str_eq(printed.text, "0\n1\n2\n3\n");
    argument.i[0] = 40;
    host.print = NULL;
    r = interpret(b.block->function, 1, &argument, &host, false, t.arena);
    cr_assert(!r.ok);
    cr_assert_str_eq(r.message, "too many: 780");
    arena_free(t.arena);
}

/* --- what it refuses */
static const char *refusal(const char *text, uint32_t count, const Tensor *arguments, Arena *arena) {
    Program p = read_program(text);
    InterpretResult r = interpret(p.function, count, arguments, NULL, false, arena);
    cr_assert(!r.ok);
    const char *message = arena_strdup(arena, r.message);
    arena_free(p.arena);
    return message;
}

Test(interpret, refuses_hostile_sizes) {
    Bench t = bench();
    Value *n = block_param(t.b.block, type_scalar(t.b.graph->ir, DTYPE_i64), "n");
    vec_push(t.arena, &t.b.block->function->params, ((Param){.value = n, .name = "n"}));
    IrContext *ir = t.b.graph->ir;
    const Dim *symbol = build_symbol(&t.b, n, "n"), *dims[] = {dim_mul(ir, symbol, symbol), symbol};
    Value *huge = build_const(&t.b, type_tensor(ir, DTYPE_f32, 2, dims), 1);
    build_yield(&t.b, 1, (Value *[]){build_reduce(&t.b, OP_reduce_sum, huge, 2, (int64_t[]){0, 1})});
    static const int64_t sizes[] = {INT64_MAX, INT64_MIN, -1, 1 << 20, INT64_C(1) << 40};
    for (int k = 0; k < 5; k++) {
        Tensor argument = tensor_new(t.arena, DTYPE_i64, 0, NULL);
        argument.i[0] = sizes[k];
        InterpretResult r = interpret(t.b.block->function, 1, &argument, NULL, false, t.arena);
        cr_assert(!r.ok && r.message, "size %lld", (long long)sizes[k]);
    }
    arena_free(t.arena);
}

Test(interpret, refuses_indices_out_of_range) {
    static const char *const text =
        "graph \"t\"\nexport \"f\" (%0: f32[4] as \"x\", %1: i64[2] as \"ids\") {\n"
        "  %2: f32[2] = gather(%0, %1) axis=0\n  yield(%2)\n}\n";
    Arena *arena = arena_new();
    Tensor arguments[] = {tensor_new(arena, DTYPE_f32, 1, (int64_t[]){4}),
                          tensor_new(arena, DTYPE_i64, 1, (int64_t[]){2})};
    arguments[1].i[1] = 4;
    cr_assert_str_eq(refusal(text, 2, arguments, arena), "index 4 is outside an axis of size 4");
    arguments[1].i[1] = -1;
    cr_assert_str_eq(refusal(text, 2, arguments, arena), "index -1 is outside an axis of size 4");
    cr_assert_str_eq(refusal(text, 1, arguments, arena), "1 arguments for 2 parameters");
    arena_free(arena);
}
