/* fuse: what becomes one kernel, of which kind, and that grouping changes nothing: kernels interpreted give
 * what the nodes gave. */
#include "ir/interpret.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "native_cases.h"
#include "passes/passes.h"
#include "program.h"
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    Arena *arena;
    const char *kinds; /* of the kernels, in order */
} Kinds;

static void note_kernel(void *user, Node *node) {
    Kinds *kinds = user;
    if (node->op != OP_kernel) return;
    const char *kind = node_str(node, ATTR_kind);
    kinds->kinds = arena_printf(kinds->arena, "%s%s%s", kinds->kinds, *kinds->kinds ? " " : "", kind);
}

static Graph *fused(Arena *arena, const char *inputs, const char *body, const char *outputs) {
    Graph *graph = program_parse(arena, program_text(arena, inputs, body, outputs));
    cr_assert_not_null(graph);
    PassContext context = {.diags = diagnostics_new(arena, sources_new(arena)), .scratch = arena};
    pass_fuse(&context, graph);
    const char *wrong = graph_verify(graph, arena);
    cr_assert_null(wrong, "%s", wrong);
    return graph;
}

static void expect_kinds(const char *kinds, const char *inputs, const char *body, const char *outputs) {
    Arena *arena = arena_new();
    Graph *graph = fused(arena, inputs, body, outputs);
    Kinds found = {arena, ""};
    graph_walk(graph, note_kernel, &found);
    if (strcmp(found.kinds, kinds) != 0) graph_print(stderr, graph, (PrintOptions){0});
    cr_expect_str_eq(found.kinds, kinds);
    arena_free(arena);
}

static const NativeCase *find_case(const NativeCase *cases, const char *name) {
    while (strcmp(cases->name, name) != 0) cases++;
    return cases;
}

static void expect_case(const char *kinds, const NativeCase *cases, const char *name) {
    const NativeCase *c = find_case(cases, name);
    expect_kinds(kinds, c->inputs, c->body, c->outputs);
}

Test(fuse, rows_of_softmax_are_one_kernel) { expect_case("rows", native_rows, "softmax"); }
Test(fuse, rows_of_a_normalised_layer_are_one_kernel) { expect_case("rows", native_rows, "layernorm"); }
Test(fuse, cross_entropy_and_its_gradient_are_one_pass) {
    expect_case("rows reduce", native_rows, "crossentropy");
}
Test(fuse, both_sums_of_a_variance_are_one_kernel) { expect_case("rows", native_rows, "variance"); }
Test(fuse, products_take_their_epilogue) { expect_case("contract", native_products, "epilogue"); }
Test(fuse, products_read_through_views) { expect_case("contract contract", native_products, "batched"); }
Test(fuse, results_of_one_space_are_one_loop) { expect_case("loop", native_views, "multi"); }

Test(fuse, a_dear_value_is_stored_once) {
    expect_kinds("loop loop", "f32[B, 3]",
                 "  %20: f32[B, 3] = exp(%10)\n  %21: f32[3, B] = permute(%20) perm=[1, 0]\n  %22: f32[3, B] "
                 "= neg(%21)\n",
                 "%20 %22");
}

Test(fuse, nothing_needs_itself_through_a_detour) {
    /* The last sum needs the first value both directly and through a product. */
    expect_kinds("loop contract", "f32[4, 4]",
                 "  %20: f32[4, 4] = exp(%10)\n  %21: f32[4, 4] = contract(%20, %10) spec=\"mk,kn->mn\"\n"
                 "  %22: f32[4, 4] = add(%20, %21)\n",
                 "%22");
}

Test(fuse, sizes_known_later_come_first) {
    expect_kinds(
        "loop loop", "f32[4] i64",
        "  symbol(%11) dim=K\n  %20: f32[K] = const dims=[K] dtype=f32 value=1\n  %21: f32[4] = exp(%10)\n",
        "%20 %21");
}

/* --- the same numbers */
static void expect_same(const Tensor *a, const Tensor *b, const char *name) {
    cr_assert_eq(a->count, b->count, "%s", name);
    for (int64_t k = 0; k < a->count; k++) {
        if (a->i) cr_expect_eq(a->i[k], b->i[k], "%s", name);
        if (a->f) cr_expect(a->f[k] == b->f[k] || (isnan(a->f[k]) && isnan(b->f[k])), "%s", name);
    }
}

static void expect_unchanged(const NativeCase *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        Arena *arena = arena_new();
        const NativeCase *c = &cases[i];
        Graph *plain = program_parse(arena, program_text(arena, c->inputs, c->body, c->outputs));
        ProgramRun before = {.arena = arena}, after = {.arena = arena};
        program_interpret(plain, 5, &before);
        program_interpret(fused(arena, c->inputs, c->body, c->outputs), 5, &after);
        cr_assert_eq(before.count, after.count, "%s", c->name);
        for (uint32_t k = 0; k < before.count; k++) expect_same(&before.saved[k], &after.saved[k], c->name);
        arena_free(arena);
    }
}

Test(fuse, kernels_compute_what_their_nodes_did) {
    expect_unchanged(native_views, sizeof native_views / sizeof *native_views);
    expect_unchanged(native_reductions, sizeof native_reductions / sizeof *native_reductions);
    expect_unchanged(native_rows, sizeof native_rows / sizeof *native_rows);
    expect_unchanged(native_products, sizeof native_products / sizeof *native_products);
    expect_unchanged(native_scatters, sizeof native_scatters / sizeof *native_scatters);
}
