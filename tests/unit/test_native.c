/* Every operation of kernels, compiled and interpreted: elementwise ones on every element type, and programs
 * of views, reductions, products and scatters as fuse groups them. At -O0 and -O3, after all passes and after
 * those alone that code generation needs, for several sizes of B. */
#include "ir/build.h"
#include "ir/context.h"
#include "native.h"
#include "native_cases.h"
#include <criterion/criterion.h>

static void check_with(const char *name, const char *inputs, const char *body, const char *outputs,
                       int64_t size, NativeOptions options) {
    Arena *arena = arena_new();
    const char *wrong = native_check(arena, size, inputs, body, outputs, &options);
    cr_expect_null(wrong, "%s: -O%d, passes %s, B = %lld, %s inputs: %s", name, options.optimize,
                   options.passes ? options.passes : "all", (long long)size,
                   options.special ? "special" : "plain", wrong);
    arena_free(arena);
}

/* Optimised for all sizes, with all passes and with those alone that are needed; unoptimised; with inputs
 * that are hard, where these may be. */
static void check(const NativeCase *c, bool special) {
    const int64_t sizes[] = {0, 1, 5, 33};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        check_with(c->name, c->inputs, c->body, c->outputs, sizes[s], (NativeOptions){.optimize = 3});
        check_with(c->name, c->inputs, c->body, c->outputs, sizes[s],
                   (NativeOptions){.optimize = 3, .passes = "fuse,plan", .special = special && s % 2 == 0});
    }
    check_with(c->name, c->inputs, c->body, c->outputs, 33, (NativeOptions){.passes = "fuse,plan"});
    check_with(c->name, c->inputs, c->body, c->outputs, 5, (NativeOptions){.special = special});
}

/* --- every elementwise operation on every type that it takes */
typedef struct {
    Arena *arena;
    IrContext *ir;
    Builder build;
    const char *body, *outputs;
    unsigned next;
} Writer;

static Value *operand(Writer *w, DType dtype, uint32_t which) {
    (void)which;
    const Dim *dims[] = {dim_symbol(w->ir, "B"), dim_const(w->ir, 3)};
    return build_const(&w->build, type_tensor(w->ir, dtype, 2, dims), 0);
}

/* Adds the operation where the shape rule takes it. Inputs are %10 and %11 of the type, %12 bools. */
static void add_operation(Writer *w, Op op, DType dtype, uint32_t attrs, const Attr *attr,
                          const char *attr_text) {
    Value *values[3] = {operand(w, dtype, 0), operand(w, dtype, 1), operand(w, dtype, 2)};
    const char *names[3] = {"%10", "%11", "%12"};
    uint32_t count = (uint32_t)op_arity(op);
    const char *why;
    if (op == OP_select) {
        values[2] = values[0], values[0] = operand(w, DTYPE_bool, 0);
        names[0] = "%12", names[1] = "%10", names[2] = "%11";
    }
    Node *node = build_try(&w->build, op, count, values, attrs, attr, &why);
    if (!node) return;
    const char *operands = "";
    for (uint32_t i = 0; i < count; i++)
        operands = arena_printf(w->arena, "%s%s%s", operands, i ? ", " : "", names[i]);
    w->body = arena_printf(w->arena, "%s  %%%u: %s = %s(%s)%s\n", w->body, w->next,
                           type_text(w->ir, node->results[0]->type), op_name(op), operands, attr_text);
    w->outputs = arena_printf(w->arena, "%s%%%u ", w->outputs, w->next++);
}

static void add_operations(Writer *w, DType dtype) {
    for (int op = 0; op < OP_COUNT; op++)
        if (op_has((Op)op, TRAIT_ELEMENTWISE) && op != OP_cast) add_operation(w, (Op)op, dtype, 0, NULL, "");
    for (int to = 0; to < DTYPE_COUNT; to++) {
        Attr attr = attr_dtype(ATTR_dtype, (DType)to);
        const char *text = arena_printf(w->arena, " dtype=%s", dtype_name((DType)to));
        if (dtype_class((DType)to) != CLASS_OPAQUE) add_operation(w, OP_cast, dtype, 1, &attr, text);
    }
}

Test(native, elementwise, .timeout = 240) {
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (dtype_class((DType)dtype) == CLASS_OPAQUE) continue;
        Writer w = {.arena = arena_new(), .body = "", .outputs = "", .next = 20};
        w.ir = ir_context_new(w.arena, strings_new(w.arena));
        Graph *graph = graph_new(w.ir, "t");
        w.build = (Builder){.graph = graph, .block = graph_function(graph, FUNCTION_COMMAND, "c")->body};
        add_operations(&w, (DType)dtype);
        const char *type = dtype_name((DType)dtype);
        const char *inputs = arena_printf(w.arena, "%s[B, 3] %s[B, 3] bool[B, 3]", type, type);
        for (int special = 0; special < 2; special++)
            for (int optimize = 0; optimize <= 3; optimize += 3)
                check_with(type, inputs, w.body, w.outputs, 33,
                           (NativeOptions){.optimize = optimize, .passes = "fuse,plan", .special = special});
        arena_free(w.arena);
    }
}

/* --- programs */
static void check_cases(const NativeCase *cases, size_t count, bool special) {
    for (size_t i = 0; i < count; i++) check(&cases[i], special);
}

#define CHECK(cases) check_cases(cases, sizeof cases / sizeof *cases, true)
Test(native, views, .timeout = 240) { CHECK(native_views); }
Test(native, reductions, .timeout = 240) { CHECK(native_reductions); }
Test(native, rows, .timeout = 240) { CHECK(native_rows); }
Test(native, windows, .timeout = 240) { CHECK(native_windows); }
Test(native, phases, .timeout = 240) {
    check_cases(native_phases, sizeof native_phases / sizeof *native_phases, false);
}
Test(native, products, .timeout = 240) { CHECK(native_products); }
Test(native, scatters, .timeout = 240) { CHECK(native_scatters); }

/* Machines with narrower vectors. */
static void check_narrow(const NativeCase *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        for (int cpu = 0; cpu < 2; cpu++)
            check_with(cases[i].name, cases[i].inputs, cases[i].body, cases[i].outputs, 33,
                       (NativeOptions){.optimize = 3, .cpu = cpu ? "x86-64" : "x86-64-v3"});
}

Test(native, narrow, .timeout = 240) {
    check_narrow(native_rows, sizeof native_rows / sizeof *native_rows);
    check_narrow(native_phases, sizeof native_phases / sizeof *native_phases);
}
