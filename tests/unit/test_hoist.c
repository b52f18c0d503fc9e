/* What hoist moves, and what it must leave. That it changes no result is tested with simplify. */
#include "tests/unit/session.h"
#include <criterion/criterion.h>

typedef struct {
    Op op;
    int depth; /* of blocks around the first node of this operation; -1 = none seen */
} Search;

static void look(void *user, Node *node) {
    Search *search = user;
    if (node->op != search->op || search->depth >= 0) return;
    search->depth = 0;
    for (Node *owner = node->block->owner; owner; owner = owner->block->owner) search->depth++;
}

static int depth_of(Graph *graph, Op op) {
    Search search = {op, -1};
    graph_walk(graph, look, &search);
    return search.depth;
}

/* Hoists a loop of this body over i = %6 and x = %7: f32[B, 4]; n = %0, x0 = %1, w = %2: f32[4, 4], ids = %3:
 * i64[4]. */
static Graph *hoisted(Session *s, const char *body) {
    Graph *graph = session_function(
        s, "%0: i64 as \"n\", %1: f32[B, 4] as \"x\", %2: f32[4, 4] as \"w\", %3: i64[4] as \"ids\"",
        arena_printf(s->arena,
                     "%%4: i64 = const dims=[] dtype=i64 ivalue=0 %%5: f32[B, 4] = for(%%4, %%0, %%1) { "
                     "(%%6: i64, %%7: f32[B, 4]): %s } yield(%%5)",
                     body));
    session_run(s, graph, "hoist,simplify");
    return graph;
}

typedef struct {
    const char *what, *body;
    Op op;
    int depth;
} Case;

static const Case cases[] = {
    {"a contraction of invariant operands leaves",
     "%8: f32[4, 4] = contract(%2, %2) spec=\"ij,jk->ik\" %9: f32[B, 4] = contract(%7, %8) "
     "spec=\"bj,jk->bk\" yield(%9)",
     OP_contract, 0},
    {"a series leaves, with the cheap node that it needs",
     "%8: f32[4, 4] = mul(%2, %2) %9: f32[4, 4] = exp(%8) %10: f32[4] = reduce_sum(%9) axes=[0] "
     "%11: f32[B, 4] = broadcast(%10) dims=[B, 4] axes=[1] %12: f32[B, 4] = add(%7, %11) yield(%12)",
     OP_mul, 0},
    {"a broadcast stays where it costs nothing",
     "%8: f32[4] = reduce_sum(%2) axes=[0] %9: f32[B, 4] = broadcast(%8) dims=[B, 4] axes=[1] "
     "%10: f32[B, 4] = add(%7, %9) yield(%10)",
     OP_broadcast, 1},
    {"a cheap elementwise node stays",
     "%8: f32[4, 4] = mul(%2, %2) %9: f32[B, 4, 4] = broadcast(%8) dims=[B, 4, 4] axes=[1, 2] "
     "%10: f32[B, 4, 4] = broadcast(%7) dims=[B, 4, 4] axes=[0, 2] %11: f32[B, 4, 4] = add(%9, %10) "
     "%12: f32[B, 4] = reduce_max(%11) axes=[1] yield(%12)",
     OP_mul, 1},
    {"a factor that is computed leaves, since a contraction reads tensors",
     "%8: f32[4, 4] = mul(%2, %2) %9: f32[4, 4] = permute(%8) perm=[1, 0] "
     "%10: f32[B, 4] = contract(%7, %9) spec=\"bj,jk->bk\" yield(%10)",
     OP_mul, 0},
    {"a gather stays: it may stop the program, and the loop may never run",
     "%8: f32[4, 4] = gather(%2, %3) axis=0 %9: f32[B, 4] = contract(%7, %8) spec=\"bj,jk->bk\" yield(%9)",
     OP_gather, 1},
    {"what depends on the index stays",
     "%8: f32 = cast(%6) dtype=f32 %9: f32 = exp(%8) %10: f32[B, 4] = broadcast(%9) dims=[B, 4] axes=[] "
     "%11: f32[B, 4] = mul(%7, %10) yield(%11)",
     OP_exp, 1},
    {"what has a size defined inside stays",
     "symbol(%6) dim=N %8: f32[N] = const dims=[N] dtype=f32 value=1 %9: f32[N] = exp(%8) "
     "%10: i64[N] = iota dims=[N] dtype=i64 axis=0 %11: i64 = reduce_sum(%10) axes=[0] "
     "print(%11) text=\"{}\" yield(%7)",
     OP_reduce_sum, 1},
    {"a pure inner loop leaves as a whole",
     "%8: i64 = for(%6, %0, %0) { (%9: i64, %10: i64): %11: i64 = mul(%10, %9) yield(%11) } "
     "%12: i64 = for(%4, %0, %0) { (%13: i64, %14: i64): %15: i64 = add(%14, %13) yield(%15) } "
     "print(%8, %12) text=\"{} {}\" yield(%7)",
     OP_add, 1},
    {"a loop that may not end stays",
     "%8: i64 = while(%0) { (%9: i64): %10: bool = lt(%9, %0) yield(%10) } { (%11: i64): "
     "%12: i64 = mul(%11, %11) yield(%12) } print(%8) text=\"{}\" yield(%7)",
     OP_while, 1},
};

Test(hoist, cases) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Session s = session_new();
        Graph *graph = hoisted(&s, cases[i].body);
        cr_expect(depth_of(graph, cases[i].op) == cases[i].depth, "%s:\n%s", cases[i].what,
                  session_text(&s, graph));
        session_free(&s);
    }
}

/* Weights are laid out in panels as wide as the target's tiles, or in those of wide vectors. */
Test(hoist, panels_are_as_wide_as_tiles) {
    static const struct {
        uint32_t panel;
        const char *type;
    } cases[] = {{0, "f32[8, 384, 48]"}, {16, "f32[24, 384, 16]"}};
    for (uint32_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Session s = session_new();
        Graph *graph = session_function(
            &s, "%0: i64 as \"n\", %1: f32[64, 384] as \"x\", %2: f32[384, 384] as \"w\"",
            "%4: i64 = const dims=[] dtype=i64 ivalue=0 %5: f32[64, 384] = for(%4, %0, %1) { "
            "(%6: i64, %7: f32[64, 384]): %8: f32[64, 384] = contract(%7, %2) spec=\"bj,jk->bk\" yield(%8) } "
            "yield(%5)");
        PassOptions options = {.verify = true, .panel = cases[i].panel, .out = stderr};
        cr_assert(passes_run(graph, "hoist,simplify", &options, s.diags));
        cr_expect(strstr(session_text(&s, graph), cases[i].type), "%s", session_text(&s, graph));
        session_free(&s);
    }
}
