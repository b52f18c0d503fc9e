/* plan: carried values are updated where they lie, copies remain only where two values can't share, and
 * whatever it does passes the checker, which in turn finds plans that are wrong. */
#include "ir/build.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "passes/plan.h"
#include <criterion/criterion.h>

typedef struct {
    Arena *arena;
    IrContext *ir;
    Graph *graph;
} Test;

static Test start(void) {
    Test t = {.arena = arena_new()};
    t.ir = ir_context_new(t.arena, strings_new(t.arena));
    return t;
}

static void run_plan(Test *t, bool fuse) {
    Sources *sources = sources_new(t->arena);
    PassContext context = {.diags = diagnostics_new(t->arena, sources), .scratch = t->arena};
    if (fuse) pass_fuse(&context, t->graph);
    pass_plan(&context, t->graph);
    const char *wrong = graph_verify(t->graph, t->arena);
    cr_assert_null(wrong, "%s", wrong);
    wrong = plan_check(t->graph, t->arena);
    cr_assert_null(wrong, "%s", wrong);
}

/* Reads a command's body. */
static Test read_text(const char *body) {
    Test t = start();
    Sources *sources = sources_new(t.arena);
    Diagnostics *diags = diagnostics_new(t.arena, sources);
    const char *text =
        arena_printf(t.arena, "graph \"t\"\ncommand \"c\" (%%0: i64 as \"n\") {\n%s\n  yield\n}\n", body);
    uint32_t source = sources_add(sources, "test.nnir", text, (uint32_t)strlen(text));
    t.graph = graph_parse(t.ir, sources, source, diags);
    if (!t.graph) diagnostics_render(diags, RENDER_TEXT, false, stderr);
    cr_assert_not_null(t.graph);
    return t;
}

/* Fuses and plans a command's body. */
static Test plan_text(const char *body) {
    Test t = read_text(body);
    run_plan(&t, true);
    return t;
}

typedef struct {
    Op op;
    uint32_t count, in_loops;
} Count;

static bool in_loop(const Node *node) {
    for (const Block *block = node->block; block->owner; block = block->owner->block)
        if (plan_is_loop(block->owner)) return true;
    return false;
}

static void count_node(void *user, Node *node) {
    Count *count = user;
    if (node->op != count->op) return;
    count->count++;
    count->in_loops += in_loop(node);
}

static Count count_op(const Test *t, Op op) {
    Count count = {.op = op};
    graph_walk(t->graph, count_node, &count);
    return count;
}

static void expect_copies(const char *body, uint32_t outside, uint32_t in_loops) {
    Test t = plan_text(body);
    Count copies = count_op(&t, OP_copy);
    if (copies.count != outside + in_loops || copies.in_loops != in_loops)
        graph_print(stderr, t.graph, (PrintOptions){0});
    cr_expect_eq(copies.in_loops, in_loops, "%u copies in loops", copies.in_loops);
    cr_expect_eq(copies.count - copies.in_loops, outside, "%u copies outside",
                 copies.count - copies.in_loops);
    arena_free(t.arena);
}

static void remember_frame(void *user, Node *node) {
    if (node->op == OP_frame) *(const Dim **)user = node_dim(node, ATTR_dim);
}

/* The size of the only (or last) arena. */
static const char *frame_bytes(const Test *t) {
    const Dim *bytes = NULL;
    graph_walk(t->graph, remember_frame, &bytes);
    return bytes ? dim_text(t->ir, bytes) : "none";
}

#define ZERO "  %1: i64 = const dims=[] dtype=i64 ivalue=0\n"
#define FILL(id, value) "  %" #id ": f32[4, 8] = const dims=[4, 8] dtype=f32 value=" #value "\n"

/* The parameters, moments and variances of an optimizer: three carried tensors, each computed from all of
 * them. */
Test(plan, optimizer_updates_in_place) {
    expect_copies(ZERO FILL(2, 1) FILL(3, 0) FILL(4, 0) FILL(
                      90, 2) "  %5: f32[4, 8], %6: f32[4, 8], %7: f32[4, 8] = for(%1, %0, %2, %3, %4) {\n"
                             "    (%8: i64, %9: f32[4, 8], %10: f32[4, 8], %11: f32[4, 8]):\n"
                             "    %12: f32[8, 8] = contract(%9, %9) spec=\"ij,ik->jk\"\n"
                             "    %13: f32[4, 8] = contract(%90, %12) spec=\"ij,jk->ik\"\n"
                             "    %14: f32[4, 8] = add(%10, %13)\n"
                             "    %15: f32[4, 8] = mul(%13, %13)\n"
                             "    %16: f32[4, 8] = add(%11, %15)\n"
                             "    %17: f32[4, 8] = sqrt(%16)\n"
                             "    %18: f32[4, 8] = div(%14, %17)\n"
                             "    %19: f32[4, 8] = sub(%9, %18)\n"
                             "    yield(%19, %14, %16)\n"
                             "  }\n"
                             "  print(%5, %6, %7) text=\"{}{}{}\"",
                  0, 0);
}

Test(plan, initial_value_that_is_read_later_is_copied) {
    expect_copies(ZERO FILL(2, 1) "  %3: f32[4, 8] = for(%1, %0, %2) {\n"
                                  "    (%4: i64, %5: f32[4, 8]):\n"
                                  "    %6: f32[4, 8] = exp(%5)\n"
                                  "    yield(%6)\n"
                                  "  }\n"
                                  "  print(%2, %3) text=\"{}{}\"",
                  1, 0);
}

Test(plan, shared_initial_value_is_copied_once) {
    expect_copies(ZERO FILL(2, 1) "  %3: f32[4, 8], %30: f32[4, 8] = for(%1, %0, %2, %2) {\n"
                                  "    (%4: i64, %5: f32[4, 8], %50: f32[4, 8]):\n"
                                  "    %6: f32[4, 8] = exp(%5)\n"
                                  "    %7: f32[4, 8] = neg(%50)\n"
                                  "    yield(%6, %7)\n"
                                  "  }\n"
                                  "  print(%3, %30) text=\"{}{}\"",
                  1, 0);
}

/* A swap needs three moves, whatever the plan. */
Test(plan, carried_values_that_change_places) {
    expect_copies(ZERO FILL(2, 1) FILL(20, 2) "  %3: f32[4, 8], %30: f32[4, 8] = for(%1, %0, %2, %20) {\n"
                                              "    (%4: i64, %5: f32[4, 8], %50: f32[4, 8]):\n"
                                              "    yield(%50, %5)\n"
                                              "  }\n"
                                              "  print(%3, %30) text=\"{}{}\"",
                  0, 3);
}

/* The previous and the current value: the current one is still read when the next one exists. */
Test(plan, previous_value) {
    expect_copies(ZERO FILL(2, 1) FILL(20, 2) "  %3: f32[4, 8], %30: f32[4, 8] = for(%1, %0, %2, %20) {\n"
                                              "    (%4: i64, %5: f32[4, 8], %50: f32[4, 8]):\n"
                                              "    %6: f32[4, 8] = sub(%50, %5)\n"
                                              "    yield(%50, %6)\n"
                                              "  }\n"
                                              "  print(%3, %30) text=\"{}{}\"",
                  0, 2);
}

/* The parameter is read again after its successor was computed. */
Test(plan, old_value_outlives_the_new_one) {
    expect_copies(ZERO FILL(2, 1) "  %3: f32[4, 8] = for(%1, %0, %2) {\n"
                                  "    (%4: i64, %5: f32[4, 8]):\n"
                                  "    %6: f32[4, 8] = exp(%5)\n"
                                  "    print(%6, %5) text=\"{}{}\"\n"
                                  "    yield(%6)\n"
                                  "  }\n"
                                  "  print(%3) text=\"{}\"",
                  0, 1);
}

/* Reading at another index than the one that is written forbids writing in place. */
Test(plan, transposed_operand_is_not_overwritten) {
    expect_copies(ZERO "  %2: f32[8, 8] = const dims=[8, 8] dtype=f32 value=1\n"
                       "  %3: f32[8, 8] = for(%1, %0, %2) {\n"
                       "    (%4: i64, %5: f32[8, 8]):\n"
                       "    %6: f32[8, 8] = permute(%5) perm=[1, 0]\n"
                       "    %7: f32[8, 8] = add(%5, %6)\n"
                       "    yield(%7)\n"
                       "  }\n"
                       "  print(%3) text=\"{}\"",
                  0, 1);
}

/* Nor does it help that the result itself is computed from the same index, where another result of the kernel
 * is not: elements are written one after the other. */
Test(plan, operand_that_another_result_transposes_is_not_overwritten) {
    Test t = read_text(ZERO "  %2: f32[8, 8] = const dims=[8, 8] dtype=f32 value=1\n"
                            "  %3: f32[8, 8] = for(%1, %0, %2) {\n"
                            "    (%4: i64, %5: f32[8, 8]):\n"
                            "    %6: f32[8, 8], %7: f32[8, 8] = kernel kind=\"loop\" {\n"
                            "      %8: f32[8, 8] = exp(%5)\n"
                            "      %9: f32[8, 8] = permute(%8) perm=[1, 0]\n"
                            "      yield(%8, %9)\n"
                            "    }\n"
                            "    print(%7) text=\"{}\"\n"
                            "    yield(%6)\n"
                            "  }\n"
                            "  print(%3) text=\"{}\"");
    run_plan(&t, false);
    cr_expect_eq(count_op(&t, OP_copy).in_loops, 1);
    arena_free(t.arena);
}

/* A base that is changed in part is not overwritten where another result reads it as it was. */
Test(plan, base_that_another_result_reads_is_not_overwritten) {
    Test t = read_text(ZERO "  %2: f32[8, 8] = const dims=[8, 8] dtype=f32 value=1\n"
                            "  %10: f32[1, 8] = const dims=[1, 8] dtype=f32 value=2\n"
                            "  %3: f32[8, 8] = for(%1, %0, %2) {\n"
                            "    (%4: i64, %5: f32[8, 8]):\n"
                            "    %6: f32[8, 8], %7: f32[8, 8] = kernel kind=\"scatter\" {\n"
                            "      %8: f32[8, 8] = update_slice(%5, %10, %4) axes=[0]\n"
                            "      %9: f32[8, 8] = exp(%5)\n"
                            "      yield(%8, %9)\n"
                            "    }\n"
                            "    print(%7) text=\"{}\"\n"
                            "    yield(%6)\n"
                            "  }\n"
                            "  print(%3) text=\"{}\"");
    run_plan(&t, false);
    cr_expect_eq(count_op(&t, OP_copy).in_loops, 1);
    arena_free(t.arena);
}

Test(plan, branches_yield_into_one_place) {
    expect_copies("  %1: i64 = const dims=[] dtype=i64 ivalue=0\n"
                  "  %90: bool = lt(%0, %1)\n" FILL(2, 1) FILL(3, 2) "  %4: f32[4, 8] = if(%90) {\n"
                                                                     "    %5: f32[4, 8] = exp(%2)\n"
                                                                     "    yield(%5)\n"
                                                                     "  } {\n"
                                                                     "    yield(%2)\n"
                                                                     "  }\n"
                                                                     "  print(%4) text=\"{}\"",
                  0, 0);
}

/* A bias and the sums over a batch that change it. */
Test(plan, reductions_update_in_place) {
    expect_copies(ZERO "  %2: f32[8] = const dims=[8] dtype=f32 value=1\n" FILL(
                      3, 2) "  %4: f32[8] = for(%1, %0, %2) {\n"
                            "    (%5: i64, %6: f32[8]):\n"
                            "    %7: f32[8] = reduce_sum(%3) axes=[0]\n"
                            "    %8: f32[8] = sub(%6, %7)\n"
                            "    yield(%8)\n"
                            "  }\n"
                            "  print(%4) text=\"{}\"",
                  0, 0);
}

/* A softmax reads its whole row before it writes the row's first element. */
Test(plan, softmax_is_not_in_place) {
    expect_copies(ZERO FILL(2, 1) "  %3: f32[4, 8] = for(%1, %0, %2) {\n"
                                  "    (%4: i64, %5: f32[4, 8]):\n"
                                  "    %6: f32[4] = reduce_max(%5) axes=[1]\n"
                                  "    %7: f32[4, 8] = broadcast(%6) dims=[4, 8] axes=[0]\n"
                                  "    %8: f32[4, 8] = sub(%5, %7)\n"
                                  "    yield(%8)\n"
                                  "  }\n"
                                  "  print(%3) text=\"{}\"",
                  0, 1);
}

/* Epochs of full batches and a short last one, as loops over datasets are lowered: the weights never move. */
Test(plan, epochs_with_a_short_last_batch) {
    expect_copies(ZERO FILL(2, 1) "  %3: f32[4, 8] = for(%1, %0, %2) {\n"
                                  "    (%4: i64, %5: f32[4, 8]):\n"
                                  "    %6: f32[4, 8] = for(%1, %0, %5) {\n"
                                  "      (%7: i64, %8: f32[4, 8]):\n"
                                  "      %9: f32[64, 4] = const dims=[64, 4] dtype=f32 value=1\n"
                                  "      %10: f32[64, 8] = contract(%9, %8) spec=\"ij,jk->ik\"\n"
                                  "      %11: f32[4, 8] = contract(%9, %10) spec=\"ij,ik->jk\"\n"
                                  "      %12: f32[4, 8] = sub(%8, %11)\n"
                                  "      yield(%12)\n"
                                  "    }\n"
                                  "    %13: bool = lt(%4, %0)\n"
                                  "    %14: f32[4, 8] = if(%13) {\n"
                                  "      symbol(%4) dim=B\n"
                                  "      %15: f32[B, 4] = const dims=[B, 4] dtype=f32 value=1\n"
                                  "      %16: f32[B, 8] = contract(%15, %6) spec=\"ij,jk->ik\"\n"
                                  "      %17: f32[4, 8] = contract(%15, %16) spec=\"ij,ik->jk\"\n"
                                  "      %18: f32[4, 8] = sub(%6, %17)\n"
                                  "      yield(%18)\n"
                                  "    } {\n"
                                  "      yield(%6)\n"
                                  "    }\n"
                                  "    yield(%14)\n"
                                  "  }\n"
                                  "  print(%3) text=\"{}\"",
                  0, 0);
}

/* A row of a table is replaced in every round: the table must stay where it is. */
Test(plan, update_slice_in_place) {
    expect_copies(ZERO "  %2: f32[4, 8] = const dims=[4, 8] dtype=f32 value=1\n"
                       "  %3: f32[4, 8] = for(%1, %0, %2) {\n"
                       "    (%4: i64, %5: f32[4, 8]):\n"
                       "    %6: f32[1, 8] = const dims=[1, 8] dtype=f32 value=3\n"
                       "    %7: f32[4, 8] = update_slice(%5, %6, %4) axes=[0]\n"
                       "    yield(%7)\n"
                       "  }\n"
                       "  print(%3) text=\"{}\"",
                  0, 0);
}

Test(plan, while_carries_in_place) {
    expect_copies(ZERO FILL(2, 1) "  %3: i64, %4: f32[4, 8] = while(%1, %2) {\n"
                                  "    (%5: i64, %6: f32[4, 8]):\n"
                                  "    %7: bool = lt(%5, %0)\n"
                                  "    yield(%7)\n"
                                  "  } {\n"
                                  "    (%8: i64, %9: f32[4, 8]):\n"
                                  "    %10: i64 = add(%8, %0)\n"
                                  "    %11: f32[4, 8] = exp(%9)\n"
                                  "    yield(%10, %11)\n"
                                  "  }\n"
                                  "  print(%4) text=\"{}\"",
                  0, 0);
}

/* A chain of products: two places take turns, the weight keeps its own. */
Test(plan, dead_places_are_reused) {
    Test t = plan_text("  %1: f32[16, 16] = const dims=[16, 16] dtype=f32 value=1\n"
                       "  %2: f32[16, 16] = contract(%1, %1) spec=\"ij,jk->ik\"\n"
                       "  %3: f32[16, 16] = contract(%2, %1) spec=\"ij,jk->ik\"\n"
                       "  %4: f32[16, 16] = contract(%3, %1) spec=\"ij,jk->ik\"\n"
                       "  %5: f32[16, 16] = contract(%4, %1) spec=\"ij,jk->ik\"\n"
                       "  print(%5) text=\"{}\"");
    cr_expect_str_eq(frame_bytes(&t), "3072");
    arena_free(t.arena);
}

/* The arena of sizes that a symbol decides is opened where the symbol is known; equal sizes take turns in it.
 */
Test(plan, symbolic_sizes) {
    Test t = plan_text("  symbol(%0) dim=B\n"
                       "  %1: f32[B, 16] = const dims=[B, 16] dtype=f32 value=1\n"
                       "  %2: f32[16, 16] = const dims=[16, 16] dtype=f32 value=1\n"
                       "  %3: f32[B, 16] = contract(%1, %2) spec=\"ij,jk->ik\"\n"
                       "  %4: f32[B, 16] = contract(%3, %2) spec=\"ij,jk->ik\"\n"
                       "  %5: f32[B, 16] = contract(%4, %2) spec=\"ij,jk->ik\"\n"
                       "  print(%5) text=\"{}\"");
    cr_expect_str_eq(frame_bytes(&t), "128*B");
    cr_expect_eq(count_op(&t, OP_frame).count, 2);
    arena_free(t.arena);
}

Test(plan, empty_and_repeated) {
    Test t = plan_text("  %1: f32[0, 16] = const dims=[0, 16] dtype=f32 value=1\n"
                       "  %2: f32[0, 16] = exp(%1)\n"
                       "  print(%2) text=\"{}\"");
    run_plan(&t, false);
    cr_expect_eq(count_op(&t, OP_frame).count, 1);
    arena_free(t.arena);
}

/* --- programs at random */
enum { TYPES = 4 };

typedef VEC(Value *) Pool;

typedef struct {
    Test *test;
    uint64_t state;
    const Type *types[TYPES];
    Value *count, *condition;
} Random;

static uint32_t below(Random *r, uint32_t n) {
    r->state = r->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(r->state >> 33) % n;
}

static Value *pick(Random *r, const Pool *pool, const Type *type) {
    Pool fitting = {0};
    for (uint32_t i = 0; i < pool->count; i++)
        if (pool->at[i]->type == type) vec_push(r->test->arena, &fitting, pool->at[i]);
    /* Prefer what was made lately, so that values die. */
    uint32_t first = fitting.count > 4 && below(r, 3) ? fitting.count - 4 : 0;
    return fitting.at[first + below(r, fitting.count - first)];
}

static void random_block(Random *r, Builder *b, Pool pool, uint32_t depth, uint32_t yields,
                         const Type *const *types);

static Value *random_operation(Random *r, Builder *b, const Pool *pool, const Type *type) {
    const int64_t axes[] = {0}, swap[] = {1, 0};
    const Dim *flipped[] = {type->dims[1], type->dims[0]};
    Value *x = pick(r, pool, type), *y = pick(r, pool, type);
    switch (below(r, 6)) {
    case 0: return build_binary(b, OP_add, x, y);
    case 1: return build_unary(b, OP_exp, x);
    case 2: {
        Value *flat = build_reshape(b, x, 2, flipped);
        return build_permute(b, flat, swap);
    }
    case 3: {
        const Dim *part[] = {dim_const(r->test->ir, 1), type->dims[1]};
        const Type *row = type_tensor(r->test->ir, type->dtype, 2, part);
        return build_update_slice(b, x, build_const(b, row, 2), 1, axes, &r->count);
    }
    case 4: {
        Value *square = build_contract(b, x, y, "ij,ik->jk");
        return build_contract(b, x, square, "ij,jk->ik");
    }
    default: return build_const(b, type, 1);
    }
}

static void random_loop(Random *r, Builder *b, Pool *pool, uint32_t depth) {
    Value *init[4];
    const Type *types[4];
    uint32_t carried = 1 + below(r, 4);
    for (uint32_t i = 0; i < carried; i++) {
        types[i] = r->types[below(r, TYPES)];
        init[i] = pick(r, pool, types[i]);
    }
    Node *loop =
        below(r, 2) ? build_for(b, build_int(b, 0), r->count, carried, init) : build_while(b, carried, init);
    uint32_t body = loop->op == OP_while, first = loop->op == OP_for;
    if (body) {
        Builder test = build_inside(b, loop->blocks[0]);
        build_yield(&test, 1, &r->condition);
    }
    Builder inside = build_inside(b, loop->blocks[body]);
    Pool inner = {0};
    for (uint32_t i = 0; i < pool->count; i++) vec_push(r->test->arena, &inner, pool->at[i]);
    for (uint32_t i = 0; i < carried; i++)
        vec_push(r->test->arena, &inner, loop->blocks[body]->params.at[first + i]);
    random_block(r, &inside, inner, depth - 1, carried, types);
    for (uint32_t i = 0; i < carried; i++) vec_push(r->test->arena, pool, loop->results[i]);
}

static void random_if(Random *r, Builder *b, Pool *pool, uint32_t depth) {
    const Type *types[] = {r->types[below(r, TYPES)], r->types[below(r, TYPES)]};
    Node *node = build_if(b, r->condition, 2, types);
    for (uint32_t i = 0; i < 2; i++) {
        Builder inside = build_inside(b, node->blocks[i]);
        Pool inner = {0};
        for (uint32_t k = 0; k < pool->count; k++) vec_push(r->test->arena, &inner, pool->at[k]);
        random_block(r, &inside, inner, depth - 1, 2, types);
    }
    for (uint32_t i = 0; i < 2; i++) vec_push(r->test->arena, pool, node->results[i]);
}

static void random_block(Random *r, Builder *b, Pool pool, uint32_t depth, uint32_t yields,
                         const Type *const *types) {
    uint32_t nodes = 2 + below(r, 6);
    for (uint32_t i = 0; i < nodes; i++) {
        uint32_t kind = below(r, 8);
        if (depth > 0 && kind == 0)
            random_loop(r, b, &pool, depth);
        else if (depth > 0 && kind == 1)
            random_if(r, b, &pool, depth);
        else {
            Value *made = random_operation(r, b, &pool, r->types[below(r, TYPES)]);
            vec_push(r->test->arena, &pool, made);
        }
    }
    Value *values[4];
    for (uint32_t i = 0; i < yields; i++) values[i] = pick(r, &pool, types[i]);
    build_yield(b, yields, values);
}

static void random_program(Random *r, bool symbolic) {
    Test *t = r->test;
    t->graph = graph_new(t->ir, "random");
    Function *function = graph_function(t->graph, FUNCTION_COMMAND, "c");
    Builder b = {.graph = t->graph, .block = function->body};
    Value *n = block_param(function->body, type_scalar(t->ir, DTYPE_i64), "n");
    vec_push(t->arena, &function->params, ((Param){.value = n, .name = "n"}));
    r->count = n;
    r->condition = build_binary(&b, OP_lt, n, build_int(&b, 7));
    const Dim *symbol = symbolic ? build_symbol(&b, n, "B") : dim_const(t->ir, 5);
    const Dim *dims[TYPES][2] = {{dim_const(t->ir, 4), dim_const(t->ir, 8)},
                                 {dim_const(t->ir, 8), dim_const(t->ir, 4)},
                                 {symbol, dim_const(t->ir, 4)},
                                 {dim_add(t->ir, symbol, symbol), dim_const(t->ir, 3)}};
    Pool pool = {0};
    for (uint32_t i = 0; i < TYPES; i++) {
        r->types[i] = type_tensor(t->ir, DTYPE_f32, 2, dims[i]);
        vec_push(t->arena, &pool, build_const(&b, r->types[i], 1));
    }
    random_block(r, &b, pool, 3, 0, NULL);
}

Test(plan, random_programs_pass_the_checker) {
    for (uint32_t seed = 1; seed <= 300; seed++) {
        Test t = start();
        Random r = {.test = &t, .state = seed * 7919};
        random_program(&r, seed % 2);
        run_plan(&t, true);
        arena_free(t.arena);
    }
}

/* --- the checker */
typedef struct {
    Value *at[256];
    uint32_t count;
} Placed;

static void collect_placed(void *user, Node *node) {
    Placed *placed = user;
    for (uint32_t i = 0; i < node->result_count; i++)
        if (node->results[i]->place.frame >= 0 && placed->count < 256)
            placed->at[placed->count++] = node->results[i];
}

/* Moving one value onto another that is alive with it must be noticed. */
Test(plan, checker_finds_overlaps) {
    Test t = plan_text("  %1: f32[4, 8] = const dims=[4, 8] dtype=f32 value=1\n"
                       "  %2: f32[4, 4] = contract(%1, %1) spec=\"ij,kj->ik\"\n"
                       "  print(%1, %2) text=\"{}{}\"");
    Placed placed = {0};
    graph_walk(t.graph, collect_placed, &placed);
    cr_assert_eq(placed.count, 2);
    placed.at[1]->place = placed.at[0]->place;
    cr_expect_not_null(plan_check(t.graph, t.arena));
    arena_free(t.arena);
}

/* What a loop captures is destroyed in one round and missed in the next. */
Test(plan, checker_goes_round_loops_twice) {
    Test t = plan_text(ZERO FILL(2, 1) "  %3: f32[4, 8] = const dims=[4, 8] dtype=f32 value=2\n"
                                       "  for(%1, %0) {\n"
                                       "    (%4: i64):\n"
                                       "    print(%2, %3) text=\"{}{}\"\n"
                                       "    %5: f32[8, 4] = permute(%3) perm=[1, 0]\n"
                                       "    %6: f32[8, 4] = exp(%5)\n"
                                       "    print(%6) text=\"{}\"\n"
                                       "    yield\n"
                                       "  }");
    Placed placed = {0};
    graph_walk(t.graph, collect_placed, &placed);
    cr_assert_eq(placed.count, 3);
    placed.at[2]->place = placed.at[0]->place;
    cr_expect_not_null(plan_check(t.graph, t.arena));
    arena_free(t.arena);
}

Test(plan, checker_finds_places_outside_the_arena) {
    Test t = plan_text("  %1: f32[4, 8] = const dims=[4, 8] dtype=f32 value=1\n"
                       "  print(%1) text=\"{}\"");
    Placed placed = {0};
    graph_walk(t.graph, collect_placed, &placed);
    cr_assert_eq(placed.count, 1);
    placed.at[0]->place.offset = dim_const(t.ir, 64);
    cr_expect_not_null(plan_check(t.graph, t.arena));
    arena_free(t.arena);
}
